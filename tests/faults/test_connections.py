"""Crowds and loiterers on real sockets before a real `podhost serve`: others do not notice.

The crowd comes from 127.0.1.x, as if from other machines; the polls come from 127.0.0.1.
"""

import contextlib
import json
import os
import resource
import selectors
import shutil
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from podhost.app import WARM_UP_SECONDS
from podhost.config import read_settings
from podhost.instance import open_instance
from tests.faults.polling import Polling
from tests.making import feed_body, make_episode, make_show
from tests.running import Running, run_command
from tests.waiting import wait_for

MB = 1024 * 1024
PATIENCE_SECONDS = 30.0
FEED = "/tide-tables/feed.xml"
PROXY = "127.0.9.9"
# What fragments of freed memory, caches and threads that were started meanwhile may take.
GROWTH_BYTES = 48 * MB
# By the test that runs.
OPENED: list[socket.socket] = []


class Target:
    """A podhost with one show of one long episode, and what its process holds."""

    def __init__(self, folder: Path, migrated: Path, mp3: Path, **settings: str) -> None:
        folder.mkdir(exist_ok=True)
        shutil.copy(migrated, folder / "podhost.sqlite3")
        base = {"PODHOST_DATA": str(folder), "PODHOST_BASE_URL": "https://pod.example"}
        instance = open_instance(read_settings(base))
        instance.storage.check()
        show = make_show(instance)
        episode = make_episode(instance, show, mp3)
        self.audio = f"/audio/{episode.id}/1/{episode.slug}.mp3"
        feed_body(instance, show)
        instance.close()
        self.environment = {**base, **settings}
        self.running = Running(["serve", "--port", "0", "--no-worker"], self.environment)
        self.url = self.running.wait_until_ready()
        self.port = int(self.url.rpartition(":")[2])
        self.pid = self.running.process.pid
        # Everything that is loaded late is loaded before anything is measured.
        with self.running.client() as client:
            for path in (FEED, self.audio, "/", "/api/v1/shows", "/metrics", "/readyz"):
                client.get(path)
        # What it makes ready by itself takes seconds, and as much of the processor.
        time.sleep(WARM_UP_SECONDS)
        wait_for(self.is_calm)

    def files(self) -> int:
        """Open files and sockets, without the connections that the database's pool keeps."""
        links = []
        for path in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                links.append(str(path.readlink()))
        return sum("podhost.sqlite3" not in link for link in links)

    def is_calm(self) -> bool:
        """Whether it hardly did anything for a second."""
        ticks = cpu_ticks(self.pid)
        time.sleep(1)
        return cpu_ticks(self.pid) - ticks <= 5

    def memory_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def connect(self, host: str = "127.0.1.1") -> socket.socket:
        address = ("127.0.0.1", self.port)
        OPENED.append(
            socket.create_connection(address, timeout=PATIENCE_SECONDS, source_address=(host, 0))
        )
        return OPENED[-1]

    def metric(self, name: str) -> float:
        with self.running.client() as client:
            lines = client.get("/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.split()[0] == name)

    def polling(self) -> Polling:
        return Polling([self.url], FEED, apps=1, pause_seconds=0.02)


@pytest.fixture(scope="module")
def long_mp3(tmp_path_factory: pytest.TempPathFactory, mp3: Path) -> Path:
    """A file of 20 MB that is audio: more than the system's buffers take of an answer."""
    path = tmp_path_factory.mktemp("audio") / "long.mp3"
    data = mp3.read_bytes()
    path.write_bytes(data * (20 * MB // len(data)))
    return path


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, long_mp3: Path
) -> Iterator[Callable[..., Target]]:
    """Starts servers, and ends them after the last test."""
    targets: list[Target] = []

    def start_one(**settings: str) -> Target:
        folder = tmp_path_factory.mktemp("target") / "data"
        targets.append(Target(folder, migrated_sqlite, long_mp3, **settings))
        return targets[-1]

    yield start_one
    for one in targets:
        with one.running:
            assert one.running.stop() == 0
            errors = [line for line in one.running.log if "Traceback" in line]
            assert not errors, errors[0]


@pytest.fixture(scope="module")
def wide(start: Callable[..., Target]) -> Target:
    """A server with room for everybody that loses patience soon."""
    return start(
        PODHOST_MAX_CONNECTIONS="12000",
        PODHOST_HEADER_TIMEOUT_SECONDS="2",
        PODHOST_UPLOAD_PAUSE_SECONDS="3",
        PODHOST_LISTENER_PAUSE_SECONDS="5",
    )


@pytest.fixture(scope="module")
def narrow(start: Callable[..., Target]) -> Target:
    """A server with few places, and fewer for one address that is no trusted proxy."""
    return start(
        PODHOST_MAX_CONNECTIONS="60",
        PODHOST_MAX_CONNECTIONS_PER_ADDRESS="20",
        PODHOST_TRUSTED_PROXIES=PROXY + "/32",
    )


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Let a test open as many sockets as the system allows, and close what it leaves open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    close_all(OPENED)
    OPENED.clear()
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextlib.contextmanager
def unnoticed(target: Target) -> Iterator[None]:
    """Every poll of the block is answered, memory is bounded, and afterwards all is as before."""
    files, memory = target.files(), target.memory_bytes()
    with target.polling() as polling:
        yield
        grown = target.memory_bytes() - memory
        wait_for(lambda: len(polling.polls) > 5)
    assert polling.failed == []
    assert {poll.status for poll in polling.answered} == {200}
    wait_for(target.files, lambda now: now <= files)
    left = target.memory_bytes() - memory
    print(f"{len(polling.polls)} polls; memory grew by {grown / MB:.1f} MB, left {left / MB:.1f}")
    assert left < GROWTH_BYTES


def read_all(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(1 << 20):
            received += data
    return received


def close_all(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.close()


def error_of(answer: bytes) -> tuple[int, dict[str, str]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


# Crowds


def test_thousands_of_idle_connections_disturb_nobody(wide: Target, long: bool) -> None:
    count = 10_000 if long else 1500
    connections: list[socket.socket] = []
    with unnoticed(wide):
        memory = wide.memory_bytes()
        for number in range(count):
            connections.append(wide.connect(f"127.0.1.{1 + number // 900}"))
            connections[-1].sendall(request_for("/healthz"))
        for connection in connections:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert wide.metric("podhost_connections_open") > count
        each = (wide.memory_bytes() - memory) / count
        print(f"{count} idle connections: {each / 1024:.0f} KB for each")
        close_all(connections)


def test_when_all_places_are_taken_those_idle_longest_go_first(narrow: Target) -> None:
    closed = narrow.metric("podhost_connections_closed_for_room_total")
    with unnoticed(narrow):
        # Polls go on from new connections all the while; the oldest of the crowd have to go.
        crowd = [narrow.connect(PROXY) for _ in range(300)]
        assert read_all(crowd[0]) == b""
        assert narrow.metric("podhost_connections_closed_for_room_total") >= closed + 240
        assert narrow.metric("podhost_connections_open") <= 61
        assert is_open(crowd[-1])
        close_all(crowd)


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_one_address_cannot_take_the_places_of_all(narrow: Target) -> None:
    with unnoticed(narrow):
        greedy = [listener(narrow) for _ in range(20)]
        # All are listening, none is idle: the next one has to wait, and is told so.
        with narrow.connect() as extra:
            extra.sendall(request_for(FEED))
            answer = read_all(extra)
        status, error = error_of(answer)
        assert (status, error["code"]) == (429, "too_many_requests")
        assert b"\r\nretry-after: " in answer
        with narrow.connect("127.0.1.2") as other:
            other.sendall(request_for(FEED))
            assert other.recv(100).startswith(b"HTTP/1.1 200")
        close_all(greedy)


def test_a_trusted_proxy_may_take_any_number_until_all_places_are_taken(narrow: Target) -> None:
    listening = [listener(narrow, PROXY) for _ in range(60)]
    with narrow.connect() as extra:
        extra.sendall(request_for(FEED))
        answer = read_all(extra)
    status, error = error_of(answer)
    assert (status, error["code"]) == (503, "unavailable")
    assert b"\r\nretry-after: " in answer
    # Whoever is listening stays.
    assert all(len(read_until(one, 20 * MB - 64 * 1024)) > 19 * MB for one in listening[:5])
    close_all(listening)
    wait_for(lambda: narrow.metric("podhost_connections_open") < 10)


def test_this_machine_has_no_limit_of_its_own(narrow: Target) -> None:
    # Or a proxy beside podhost that nobody named would be one listener.
    close_all([listener(narrow, "127.0.0.1") for _ in range(25)])
    wait_for(lambda: narrow.metric("podhost_connections_open") < 10)


def request_for(path: str) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode()


def listener(one: Target, host: str = "127.0.1.1") -> socket.socket:
    """A connection on which a long file has begun to arrive."""
    connection = one.connect(host)
    connection.sendall(request_for(one.audio))
    assert connection.recv(100).startswith(b"HTTP/1.1 200")
    return connection


def read_until(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        data = connection.recv(1 << 20)
        assert data, "the answer was cut"
        received += data
    return bytes(received)


def test_it_recovers_when_no_more_files_can_be_opened(wide: Target) -> None:
    open_now = len(list(Path(f"/proc/{wide.pid}/fd").iterdir()))
    files, before = wide.files(), resource.prlimit(wide.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(wide.pid, resource.RLIMIT_NOFILE, (open_now + 30, before[1]))
    try:
        crowd = [wide.connect() for _ in range(200)]
        wait_for(lambda: wide.files() >= files + 20)
        ticks = cpu_ticks(wide.pid)
        time.sleep(1)
        # It does not spin on what it cannot accept.
        assert cpu_ticks(wide.pid) - ticks < os.sysconf("SC_CLK_TCK") // 2
        close_all(crowd)
        wait_for(lambda: wide.files() <= files + 2)
        assert httpx.get(wide.url + FEED, timeout=60).status_code == 200
    finally:
        resource.prlimit(wide.pid, resource.RLIMIT_NOFILE, before)


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


# Loiterers


def test_headers_that_drip_and_headers_without_end_disturb_nobody(wide: Target, long: bool) -> None:
    one = wide
    count = 2000 if long else 200
    answers: Counter[int] = Counter()
    with unnoticed(one):
        dripping = [one.connect(f"127.0.1.{1 + n // 900}") for n in range(count)]
        for connection in dripping:
            connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        for number in range(100):
            with one.connect() as flood, contextlib.suppress(ConnectionError):
                lines = b"".join(b"X-%d: y\r\n" % line for line in range(200 + number))
                flood.sendall(b"GET / HTTP/1.1\r\n" + lines + b"\r\n")
                answers[error_of(read_all(flood))[0]] += 1
            with one.connect() as flood, contextlib.suppress(ConnectionError):
                flood.sendall(b"GET / HTTP/1.1\r\nX-Long: " + b"y" * MB)
        for connection in dripping:
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"y")
                answers[error_of(read_all(connection))[0]] += 1
        close_all(dripping)
    assert answers[431] == 100
    assert answers[408] == count


def test_slow_readers_of_a_long_file_disturb_nobody(wide: Target, long: bool) -> None:
    one = wide
    count = 2000 if long else 200
    with unnoticed(one):
        memory = one.memory_bytes()
        readers = []
        for number in range(count):
            readers.append(one.connect(f"127.0.1.{1 + number // 900}"))
            readers[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            readers[-1].sendall(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % one.audio.encode())
        for _ in range(5):
            for reader in readers[: count // 2]:
                with contextlib.suppress(ConnectionError):
                    reader.recv(64)
            time.sleep(0.2)
        each = (one.memory_bytes() - memory) / count
        print(f"{count} slow readers of 20 MB: {each / 1024:.0f} KB for each")
        assert each < 400 * 1024
        close_all(readers)


def test_who_takes_nothing_is_cut_also_after_the_answer_has_ended(wide: Target) -> None:
    one = wide
    files = one.files()
    readers = [one.connect() for _ in range(6)]
    for number, reader in enumerate(readers):
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        if number % 2:
            # Sent ahead, with the connection closed behind them: nobody is served any more, but
            # the system still holds what was not taken.
            ahead = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % FEED.encode() * 60
            last = b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % FEED.encode()
            reader.sendall(ahead + last)
        else:
            reader.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % one.audio.encode())
    wait_for(lambda: one.files() > files)
    wait_for(lambda: one.files() <= files)
    close_all(readers)


def test_requests_sent_ahead_without_end_are_bounded(wide: Target) -> None:
    one = wide
    with unnoticed(one):
        memory = one.memory_bytes()
        for path in (FEED, one.audio, "/", "/healthz"):
            with one.connect() as connection, contextlib.suppress(OSError):
                connection.setblocking(False)
                flood = b"GET %b HTTP/1.1\r\n\r\n" % path.encode() * 2000
                send_for(connection, flood, seconds=1.0)
                # Its answers are not read, and later they are.
                grown = one.memory_bytes() - memory
                print(f"{path} sent ahead: memory grew by {grown / MB:.1f} MB")
                assert grown < 100 * MB


def send_for(connection: socket.socket, data: bytes, *, seconds: float) -> None:
    """Send as much as is taken, over and over, and read no answer."""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_WRITE)
        at = 0
        while time.monotonic() < deadline:
            if selector.select(0.1):
                at = (at + connection.send(data[at:])) % len(data)


def test_a_request_sent_ahead_that_is_no_http_spoils_no_answer_on_its_way(wide: Target) -> None:
    one = wide
    with one.connect() as connection:
        connection.sendall(request_for(one.audio))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.sendall(b"NONSENSE\r\n\r\n")
        assert b"HTTP/1.1 400" not in read_all(connection)


def test_what_follows_a_connect_is_no_request(wide: Target) -> None:
    with wide.connect() as connection:
        connection.sendall(b"CONNECT %b HTTP/1.1\r\nHost: x\r\n\r\n" % FEED.encode())
        connection.sendall(request_for(FEED))
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


# Uploads


def token_of(one: Target) -> dict[str, str]:
    done = run_command("token", "create", "--json", environment=one.environment)
    return {"Authorization": f"Bearer {json.loads(done.stdout)['token']}"}


def upload_head(one: Target, headers: dict[str, str], size_bytes: int) -> bytes:
    lines = [
        "POST /api/v1/shows/tide-tables/episodes HTTP/1.1",
        "Host: x",
        f"Authorization: {headers['Authorization']}",
        "Content-Type: multipart/form-data; boundary=cut",
        f"Content-Length: {size_bytes}",
        "",
        "--cut",
        'Content-Disposition: form-data; name="audio"; filename="a.mp3"',
        "Content-Type: audio/mpeg",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def test_an_answer_that_comes_before_the_upload_has_ended_is_read(wide: Target) -> None:
    """A proxy that asks to close gets the 401 and not a reset, which it would make a 502."""
    body = bytes(3 * MB)
    head = f"POST /api/v1/shows HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    for _ in range(5):
        with wide.connect() as connection:
            connection.sendall(head.encode() + b"Connection: close\r\n\r\n")
            # The answer is there, and a connection that was closed behind it would be reset.
            time.sleep(0.05)
            connection.sendall(body)
            answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 401"), answer[:200]
        assert answer.endswith(b"}")


def test_a_body_that_breaks_the_rules_is_refused_at_once(wide: Target) -> None:
    authorization = token_of(wide)["Authorization"]
    lines = [
        "POST /api/v1/shows HTTP/1.1",
        f"Authorization: {authorization}",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    ]
    for pause_seconds in (0.0, 0.2):
        with wide.connect() as connection:
            connection.sendall("\r\n".join([*lines, "", "2", "{}", ""]).encode())
            time.sleep(pause_seconds)
            connection.sendall(b"no size\r\n")
            answer = read_all(connection)
        # And not when the patience for uploads has ended.
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1


def left_on_disk(one: Target) -> list[str]:
    folder = Path(one.environment["PODHOST_DATA"])
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and "tmp" in path.relative_to(folder).parts
    ]


def test_uploads_that_are_cut_leave_nothing_and_disturb_nobody(
    wide: Target, long_mp3: Path
) -> None:
    one = wide
    headers = token_of(one)
    episodes = one.url + "/api/v1/shows/tide-tables/episodes"
    total = httpx.get(episodes, headers=headers, timeout=60).json()["total"]
    stored = sorted((Path(one.environment["PODHOST_DATA"]) / "storage").rglob("*.mp3"))
    data = long_mp3.read_bytes()[: 3 * MB]
    with unnoticed(one):
        for number in range(30):
            with one.connect() as connection:
                connection.sendall(upload_head(one, headers, 20 * MB))
                connection.sendall(data[: number * 100_000])
                if number % 3 == 0:
                    # Cut with a reset, as a broken line does it, and not with a goodbye.
                    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        wait_for(lambda: left_on_disk(one) == [])
    assert sorted((Path(one.environment["PODHOST_DATA"]) / "storage").rglob("*.mp3")) == stored
    assert httpx.get(episodes, headers=headers, timeout=60).json()["total"] == total


def test_an_upload_that_drips_is_given_up_and_one_with_pauses_gets_through(
    wide: Target, mp3: Path
) -> None:
    one = wide
    headers = token_of(one)
    audio = mp3.read_bytes()
    tail = b"\r\n--cut--\r\n"
    start = upload_head(one, headers, 0).partition(b"\r\n\r\n")[2]
    size = len(start) + len(audio) + len(tail)
    with one.connect() as drip, one.connect("127.0.1.2") as slow:
        drip.sendall(upload_head(one, headers, 20 * MB))
        slow.sendall(upload_head(one, headers, size))
        sixth = len(audio) // 6 + 1
        for at in range(0, len(audio), sixth):
            # A byte a second is too little for ever; what comes in leaps and bounds is not.
            slow.sendall(audio[at : at + sixth])
            with contextlib.suppress(OSError):
                drip.sendall(b"x")
            time.sleep(1)
        slow.sendall(tail)
        assert slow.recv(100).startswith(b"HTTP/1.1 201")
        status, error = error_of(drip.recv(1 << 16))
    assert status == 408
    assert "arrived for 3 seconds" in error["message"]


def test_a_body_behind_an_answer_does_not_keep_a_connection(wide: Target) -> None:
    one = wide
    with one.connect() as connection:
        connection.sendall(b"POST %b HTTP/1.1\r\nContent-Length: 9999\r\n\r\n" % FEED.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 405")

        def is_closed() -> bool:
            try:
                connection.sendall(b"x")
            except ConnectionError:
                return True
            return False

        wait_for(is_closed)
