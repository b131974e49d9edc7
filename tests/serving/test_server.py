"""The server on real sockets and in real processes, with a tiny application behind it."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import text

from podhost.config import read_settings
from podhost.errors import Conflict, Unavailable
from podhost.serving.server import trusted_networks
from podhost.serving.startup import local_url, open_listener, prepare
from tests.servers import PostgresServer
from tests.tiny_app import CHUNK, CHUNKS
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0
MAX_HEADER_BYTES = 64 * 1024
RUN = """
import os, sys
from podhost.config import read_settings
from podhost.errors import PodhostError
from podhost.serving.server import serve
try:
    serve(
        read_settings(os.environ),
        workers=int(sys.argv[1]),
        with_worker=sys.argv[2] == "yes",
        application="tests.tiny_app:create_app",
        worker_command=[sys.executable, "-m", "tests.tiny_worker"],
    )
except PodhostError as error:
    print(error.message, file=sys.stderr)
    sys.exit(1)
"""


class Running:
    """A server process of ours, with the address that its ready line names."""

    def __init__(self, data: Path, *, workers: int, with_worker: bool, **settings: str) -> None:
        self.data = data
        self.connections: list[socket.socket] = []
        environment = {**os.environ, "PODHOST_DATA": str(data), "PODHOST_PORT": "0", **settings}
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(workers), "yes" if with_worker else "no"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.ready_line = self.process.stdout.readline()
        self.url = self.ready_line.strip().rpartition(" ")[2]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, **headers: str) -> str:
        request = Request(self.url + path, headers=headers)
        with urlopen(request, timeout=PATIENCE_SECONDS) as response:
            return str(response.read().decode())

    def connect(self) -> socket.socket:
        address = ("127.0.0.1", self.port)
        self.connections.append(socket.create_connection(address, timeout=PATIENCE_SECONDS))
        return self.connections[-1]

    def start_download(self, path: str = "/slow") -> socket.socket:
        connection = self.connect()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        return connection

    def ended(self) -> tuple[int, str, str]:
        """Wait for the end; exit code, what else was on stdout, and stderr."""
        out, error = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, out, error


def close(server: Running) -> None:
    if server.process.poll() is None:
        server.process.terminate()
        server.process.communicate(timeout=PATIENCE_SECONDS)
    for opened in (server.process.stdout, server.process.stderr, *server.connections):
        if opened is not None:
            opened.close()


@pytest.fixture
def start(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers on one data folder, and ends them after the test."""
    servers: list[Running] = []
    shutil.copy(migrated_sqlite, tmp_path / "podhost.sqlite3")

    def start_one(*, workers: int = 1, with_worker: bool = False, **settings: str) -> Running:
        servers.append(Running(tmp_path, workers=workers, with_worker=with_worker, **settings))
        return servers[-1]

    yield start_one
    for server in servers:
        close(server)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Running]:
    """One server, shared, that waits a second only for a header."""
    data = tmp_path_factory.mktemp("quick")
    shutil.copy(migrated_sqlite, data / "podhost.sqlite3")
    limit = {"PODHOST_HEADER_TIMEOUT_SECONDS": "1"}
    server = Running(data, workers=1, with_worker=False, **limit)
    yield server
    close(server)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes, or cuts the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(1 << 20):
            received += data
    return received


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_it_prints_a_line_when_it_answers_and_the_way_in_for_the_first_account(
    start: Callable[..., Running],
) -> None:
    server = start()
    assert server.ready_line == f"podhost is ready at http://127.0.0.1:{server.port}\n"
    assert server.get("/pid") == str(server.process.pid)
    assert server.process.stdout is not None
    link = f"http://127.0.0.1:{server.port}/studio/welcome/"
    assert server.process.stdout.readline().startswith(
        f"Make your account, and your first show: {link}"
    )
    server.process.terminate()
    code, out, error = server.ended()
    assert (code, out, error) == (0, "", "")


def test_a_half_sent_header_is_closed(quick: Running) -> None:
    connection = quick.connect()
    connection.sendall(b"GET /pid HTTP/1.1\r\nHost: x\r\nX-Long: ")
    assert read_all(connection).startswith(b"HTTP/1.1 408 ")


def test_a_header_that_drips_in_is_closed_all_the_same(quick: Running) -> None:
    connection = quick.connect()
    connection.sendall(b"GET /pid HTTP/1.1\r\nX-Long: ")

    def is_refused() -> bool:
        try:
            connection.sendall(b"x")
        except ConnectionError:
            return True
        time.sleep(0.1)
        return False

    wait_for(is_refused)


def test_a_silent_connection_is_closed_without_a_word(quick: Running) -> None:
    assert read_all(quick.connect()) == b""


def test_empty_lines_do_not_keep_a_connection_open(quick: Running) -> None:
    connection = quick.connect()
    connection.sendall(b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in connection.recv(1000)
    connection.sendall(b"\r\n")
    assert b"HTTP/1.1" not in read_all(connection)


def test_a_second_request_on_the_same_connection_has_the_same_limit(quick: Running) -> None:
    connection = quick.connect()
    connection.sendall(b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in connection.recv(1000)
    connection.sendall(b"GET /pid HTT")
    assert b"HTTP/1.1 408 " in read_all(connection)


def test_half_a_request_sent_ahead_does_not_cut_the_download_before_it(quick: Running) -> None:
    connection = quick.start_download()
    connection.sendall(b"GET /pid HTT")
    assert read_all(connection).count(b"x") >= len(CHUNK) * CHUNKS - 100


@pytest.mark.parametrize("request_line", [b"NO_SUCH_METHOD / HTTP/1.1", b"GET /\xff HTTP/1.1"])
def test_what_is_no_http_is_told_so_in_the_one_shape(quick: Running, request_line: bytes) -> None:
    connection = quick.connect()
    connection.sendall(request_line + b"\r\nHost: x\r\n\r\n")
    head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ") and b"application/json" in head
    assert json.loads(body)["error"]["code"] == "invalid"


def test_a_header_without_end_is_refused(quick: Running) -> None:
    connection = quick.connect()
    begin = b"GET /pid HTTP/1.1\r\nX-Long: "
    # Just too much: unread bytes would make the system drop the answer along with them.
    connection.sendall(begin + b"x" * (MAX_HEADER_BYTES + 1 - len(begin)))
    assert read_all(connection).startswith(b"HTTP/1.1 431 ")
    assert quick.get("/pid")


def test_what_is_not_http_is_answered_with_400(quick: Running) -> None:
    connection = quick.connect()
    connection.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
    assert read_all(connection).startswith(b"HTTP/1.1 400 ")


def test_a_download_in_flight_finishes_at_sigterm(start: Callable[..., Running]) -> None:
    server = start()
    connection = server.start_download()
    server.process.terminate()
    assert read_all(connection).count(b"x") >= len(CHUNK) * CHUNKS - 100
    assert server.ended()[0] == 0
    assert lines(server.data / "ended") == [str(server.process.pid)]


def test_a_second_signal_ends_it_at_once_and_still_in_order(start: Callable[..., Running]) -> None:
    server = start()
    connection = server.start_download()
    server.process.terminate()
    time.sleep(0.3)
    server.process.send_signal(signal.SIGINT)
    assert len(read_all(connection)) < len(CHUNK) * CHUNKS
    assert server.ended()[0] == 0
    assert lines(server.data / "ended") == [str(server.process.pid)]


def test_a_download_that_takes_longer_than_the_limit_does_not_hold_up_the_end(
    start: Callable[..., Running],
) -> None:
    server = start(PODHOST_SHUTDOWN_SECONDS="1")
    server.start_download("/held")
    server.process.terminate()
    code, _, error = server.ended()
    assert code == 0
    assert "Traceback" not in error


def test_a_port_in_use_is_told_before_anything_else_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = Running(tmp_path / "data", workers=1, with_worker=True, PODHOST_PORT=str(port))
        code, out, error = server.ended()
    assert (code, server.ready_line + out) == (1, "")
    assert error == (
        f"Port {port} is in use on 127.0.0.1; choose another with --port or PODHOST_PORT.\n"
    )
    assert not (tmp_path / "data").exists()


def test_an_application_that_cannot_start_ends_with_a_sentence(
    start: Callable[..., Running],
) -> None:
    server = start(TINY_FAILS="1")
    code, out, error = server.ended()
    assert (code, server.ready_line + out) == (1, "")
    assert error.endswith("podhost could not start; the reason stands in the log.\n")


def test_a_serving_process_that_cannot_start_ends_them_all(start: Callable[..., Running]) -> None:
    server = start(TINY_FAILS="1", workers=2)
    code, out, error = server.ended()
    assert (code, server.ready_line + out) == (1, "")
    assert error.endswith("A serving process did not start; the reason stands in the log.\n")


def seen_pids(server: Running, count: int, without: str = "") -> set[str]:
    pids: set[str] = set()

    def look() -> bool:
        with contextlib.suppress(OSError):
            pids.add(server.get("/pid"))
        return len(pids - {without}) >= count

    wait_for(look)
    return pids


def test_several_processes_answer_and_a_killed_one_is_replaced(
    start: Callable[..., Running],
) -> None:
    server = start(workers=2)
    first = seen_pids(server, 2)
    assert len(first) == 2
    assert str(server.process.pid) not in first
    killed, left = sorted(first)
    os.kill(int(killed), signal.SIGKILL)
    again = seen_pids(server, 2, without=killed)
    assert left in again
    assert len(again - first) == 1
    server.process.terminate()
    assert server.ended()[0] == 0
    assert set(lines(server.data / "ended")) == again - {killed}
    assert list((server.data / "run").glob("server-*")) == []


def test_downloads_of_all_processes_finish_at_sigterm(start: Callable[..., Running]) -> None:
    server = start(workers=2)
    connections = [server.start_download() for _ in range(4)]
    server.process.terminate()
    for connection in connections:
        assert read_all(connection).count(b"x") >= len(CHUNK) * CHUNKS - 100
    assert server.ended()[0] == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_newcomers_are_refused_while_downloads_finish_and_who_was_just_let_in_is_heard(
    start: Callable[..., Running], workers: int
) -> None:
    server = start(workers=workers)
    # It lasts longer than all that comes next, however long that takes here.
    download = server.start_download("/held")
    # Connections that have said nothing yet, some of which no process may have taken so far.
    silent = [server.connect() for _ in range(20)]
    server.process.terminate()
    time.sleep(0.3)
    for connection in silent:
        connection.sendall(b"GET /pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert all(read_all(connection).startswith(b"HTTP/1.1 200") for connection in silent)
    # So that a proxy asks another server, rather than waiting for this one to end.
    wait_for(lambda: is_refused(server))
    assert server.process.poll() is None
    if workers > 1:
        assert has_children(server), "the last of them had ended by then"
    (server.data / "enough").touch()
    assert read_all(download).count(b"x") >= len(CHUNK) * CHUNKS - 100
    assert server.ended()[0] == 0


def has_children(server: Running) -> bool:
    pid = server.process.pid
    return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text()) or any(
        path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")
    )


def is_refused(server: Running) -> bool:
    try:
        server.connect()
    except ConnectionRefusedError:
        return True
    return False


def test_the_worker_is_kept_running_and_ends_with_the_server(
    start: Callable[..., Running],
) -> None:
    server = start(with_worker=True)
    started = server.data / "worker-started"
    wait_for(lambda: len(lines(started)) == 1)
    pid, port = lines(started)[0].split()
    assert int(port) == server.port
    os.kill(int(pid), signal.SIGKILL)
    wait_for(lambda: len(lines(started)) == 2)
    second = lines(started)[1].split()[0]
    server.process.terminate()
    assert server.ended()[0] == 0
    assert lines(server.data / "worker-ended") == [second]


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_outlives_a_server_that_was_killed(
    start: Callable[..., Running], workers: int
) -> None:
    server = start(workers=workers, with_worker=True)
    wait_for(lambda: len(lines(server.data / "worker-started")) == 1)
    server.process.kill()
    wait_for(lambda: len(lines(server.data / "worker-ended")) == 1)
    if workers > 1:
        wait_for(lambda: len(lines(server.data / "ended")) == workers)
    server.ended()


def test_forwarded_addresses_are_believed_from_trusted_proxies_only(
    start: Callable[..., Running],
) -> None:
    claimed = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}
    assert start().get("/client", **claimed) == "127.0.0.1"
    server = start(PODHOST_TRUSTED_PROXIES="127.0.0.0/8")
    assert server.get("/client", **claimed) == "203.0.113.9"


def test_a_trusted_network_counts_in_both_of_its_forms() -> None:
    assert list(trusted_networks(["10.1.2.3/8", "::1"])) == [
        "10.0.0.0/8",
        "::ffff:10.0.0.0/104",
        "::1/128",
    ]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_the_local_address_is_one_that_can_be_opened(host: str, url: str) -> None:
    assert local_url(read_settings({}, host=host)) == url


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("203.0.113.1", "This machine has no address 203.0.113.1"),
        ("no such host", "--host (PODHOST_HOST) cannot be 'no such host'"),
        (f"{'x' * 70}.example", "--host (PODHOST_HOST) cannot be 'xxx"),
    ],
)
def test_an_address_that_is_not_ours_is_told(host: str, sentence: str) -> None:
    with pytest.raises(Exception, match=sentence.replace("(", r"\(").replace(")", r"\)")):
        open_listener(read_settings({}, host=host, port=0))


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match=r"^The data folder .*/file/data cannot be written to: "):
        prepare(read_settings({}, data=tmp_path / "file" / "data"))


def test_a_database_that_does_not_answer_is_told(tmp_path: Path) -> None:
    url = "postgresql://nobody:secret@127.0.0.1:1/none"
    with pytest.raises(Unavailable, match=r"Nothing answers at the database") as caught:
        prepare(read_settings({}, data=tmp_path, database_url=url))
    assert "PODHOST_DATABASE_URL" in caught.value.message
    assert "secret" not in caught.value.message


def test_an_empty_postgresql_is_migrated_and_an_older_schema_is_left_alone(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    url = postgres_server.create_database()
    settings = read_settings({}, data=tmp_path, database_url=url)
    prepare(settings).close()
    instance = prepare(settings)
    with instance.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    instance.close()
    with pytest.raises(Conflict, match="run `podhost migrate`"):
        prepare(settings)


def test_a_database_of_a_newer_podhost_is_left_alone(tmp_path: Path) -> None:
    settings = read_settings({}, data=tmp_path)
    instance = prepare(settings)
    with instance.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    instance.close()
    with pytest.raises(Conflict, match="a newer podhost made"):
        prepare(settings)
