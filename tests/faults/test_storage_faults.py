"""A store that is gone, slow, frozen, full, forbidden or cut off: listeners get what can be had,
uploads are told so in time, nothing is half there, and work goes on by itself."""

import errno
import hashlib
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from podhost.db import Database
from podhost.errors import Unavailable
from podhost.storage import LocalStorage, S3Storage
from podhost.storage.contract import disk_errors
from podhost.sweep import ORPHAN_AGE
from tests.faults.host import BUSY_SECONDS, Host, Lines, open_host, s3_behind
from tests.faults.network import CUT, DOWN, PASS, UP, Network, http_error
from tests.servers import S3Server
from tests.waiting import wait_for

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def network(s3_server: S3Server) -> Iterator[Network]:
    """Between podhost and the S3 server."""
    with Network(s3_server.port) as network:
        yield network


@pytest.fixture
def store(network: Network, s3_server: S3Server, s3_bucket: str) -> Iterator[S3Storage]:
    """A store of its own behind the network."""
    store = s3_behind(network, s3_server, s3_bucket, secrets.token_hex(6))
    yield store
    network.mend()
    store.close()


@pytest.fixture(scope="module")
def one_on_s3(
    network: Network,
    s3_server: S3Server,
    s3_bucket: str,
    tmp_path_factory: pytest.TempPathFactory,
    migrated_sqlite: Path,
    mp3: Path,
) -> Iterator[Host]:
    data = tmp_path_factory.mktemp("host")
    shutil.copy(migrated_sqlite, data / "podhost.sqlite3")
    database = Database(f"sqlite:///{data / 'podhost.sqlite3'}", busy_seconds=BUSY_SECONDS)
    storage = s3_behind(network, s3_server, s3_bucket, secrets.token_hex(6))
    with open_host(data, mp3, database, storage) as host:
        yield host
        network.mend()


@pytest.fixture
def on_s3(one_on_s3: Host, network: Network) -> Iterator[Host]:
    """The same one for each test, and well again after it."""
    yield one_on_s3
    network.mend()
    one_on_s3.assert_all_is_well()


@pytest.fixture
def on_folder(tmp_path: Path, mp3: Path, migrated_sqlite: Path) -> Iterator[Host]:
    shutil.copy(migrated_sqlite, tmp_path / "podhost.sqlite3")
    database = Database(f"sqlite:///{tmp_path / 'podhost.sqlite3'}", busy_seconds=BUSY_SECONDS)
    with open_host(tmp_path, mp3, database, LocalStorage(tmp_path / "storage")) as host:
        yield host


def frozen(network: Network) -> None:
    network.freeze()


def gone(network: Network) -> None:
    network.break_down()


def answering(status: int, code: str, method: str = "") -> Callable[[Network], None]:
    def spoil(network: Network) -> None:
        network.answer, network.answered = http_error(status, code), method.encode()

    return spoil


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(frozen, "answer", id="frozen"),
        pytest.param(gone, "does not answer", id="gone"),
        pytest.param(answering(500, "InternalError"), "went wrong inside", id="500"),
        pytest.param(answering(503, "SlowDown"), "too much to do", id="503"),
        pytest.param(answering(403, "AccessDenied"), "may not use it", id="403"),
        pytest.param(answering(507, "InsufficientStorage", "PUT"), "space is used up", id="507"),
        pytest.param(answering(403, "QuotaExceeded", "PUT"), "space is used up", id="quota"),
    ],
)
def test_an_outage_of_the_store_stops_uploads_alone(
    on_s3: Host, network: Network, mp3: Path, spoil: Callable[[Network], None], reason: str
) -> None:
    host = on_s3
    before = host.stored()
    guid = f"after {reason} {secrets.token_hex(2)}"
    with Lines() as lines:
        spoil(network)
        host.assert_refused(host.upload(mp3.read_bytes(), "outage"), reason)
        host.assert_listeners_notice_nothing()
        if not network.answered:
            # Where only writing fails, asking does not show it.
            host.assert_not_ready("bucket", "storage")
        # What needs no storage works.
        assert host.rename("Ebb").status_code == 200
        wait_for(host.poll, lambda answer: "Ebb" in answer.text)
        network.mend()
        uploaded = wait_for(
            lambda: host.upload(mp3.read_bytes(), guid),
            lambda answer: answer.status_code in (201, 409),
        )
        assert uploaded.status_code == 201
    lines.assert_few_and_short()
    assert "outage" not in host.guids()
    assert guid in host.guids()
    assert len(host.stored() - before) == 1


def test_uploads_into_a_frozen_store_hold_nobody_else_up(
    on_s3: Host, network: Network, mp3: Path
) -> None:
    host = on_s3
    network.freeze()
    with ThreadPoolExecutor(16) as people:
        uploads = [
            people.submit(host.upload, mp3.read_bytes(), f"stuck {number}") for number in range(16)
        ]
        assert host.rename("Flood").status_code == 200
        host.assert_listeners_notice_nothing()
        assert not all(upload.done() for upload in uploads)
        for upload in uploads:
            host.assert_refused(upload.result(), "answer")
    network.mend()
    host.assert_all_is_well()
    assert not [guid for guid in host.guids() if guid.startswith("stuck")]


def test_a_slow_store_is_slow_and_works(
    network: Network, s3_server: S3Server, s3_bucket: str, tmp_path: Path, long: bool
) -> None:
    """Five seconds for every answer, against the patience that podhost really has."""
    store = s3_server.storage(s3_bucket, secrets.token_hex(6), endpoint_url=network.url)
    network.answer_seconds = 5 if long else 0.3
    data = secrets.token_bytes(17 * MIB)
    path = tmp_path / "large"
    path.write_bytes(data)
    store.put_file("audio/slow.mp3", path, content_type="audio/mpeg")
    network.mend()
    assert store.download_to("audio/slow.mp3", tmp_path / "back")[1] == (
        hashlib.sha256(data).hexdigest()
    )
    store.close()


@pytest.fixture
def behind_a_narrow_line(
    network: Network, s3_server: S3Server, s3_bucket: str
) -> Iterator[S3Storage]:
    """No single wait may last for three seconds; what is sent to it takes longer as a whole."""
    patience = {"connect_seconds": 3.0, "stored_seconds": 3.0}
    store = s3_behind(network, s3_server, s3_bucket, secrets.token_hex(6), **patience)
    network.bytes_per_second = 4 * MIB
    yield store
    network.mend()
    store.close()


def test_a_narrow_line_is_given_its_time(
    behind_a_narrow_line: S3Storage, network: Network, tmp_path: Path
) -> None:
    """As long as bytes move, all is well.

    A line that is cut after that was not silent: another try is worth it, however late it is.
    """
    store = behind_a_narrow_line
    sent: dict[int, int] = {}
    cut: list[int] = []

    def cut_once(connection: int, direction: str, data: bytes) -> str:
        if direction == UP:
            sent[connection] = sent.get(connection, 0) + len(data)
        if not cut and sent.get(connection, 0) > 9 * MIB:
            cut.append(connection)
        return CUT if connection in cut else PASS

    network.meddle = cut_once
    path = tmp_path / "large"
    path.write_bytes(secrets.token_bytes(16 * MIB))
    store.put_file("audio/narrow.mp3", path, content_type="audio/mpeg")
    assert cut
    assert store.size("audio/narrow.mp3") == 16 * MIB


def test_a_line_that_is_cut_in_the_middle_of_a_part_is_tried_again(
    store: S3Storage, network: Network, tmp_path: Path
) -> None:
    seen: dict[int, int] = {}

    def cut_twice(connection: int, direction: str, data: bytes) -> str:
        if direction == UP:
            seen[connection] = seen.get(connection, 0) + len(data)
        large = [number for number, size in seen.items() if size > 2 * MIB]
        return CUT if connection in large[:2] else PASS

    network.meddle = cut_twice
    data = secrets.token_bytes(17 * MIB)
    path = tmp_path / "large"
    path.write_bytes(data)
    store.put_file("audio/cut.mp3", path, content_type="audio/mpeg")
    assert len([size for size in seen.values() if size > 2 * MIB]) > 2
    assert store.download_to("audio/cut.mp3", tmp_path / "back") == (
        len(data),
        hashlib.sha256(data).hexdigest(),
    )


def test_what_a_store_did_not_take_leaves_nothing_but_for_the_sweep(
    store: S3Storage, network: Network, tmp_path: Path
) -> None:
    sent = 0

    def die_in_the_second_part(connection: int, direction: str, data: bytes) -> str:
        nonlocal sent
        sent += len(data) if direction == UP else 0
        return CUT if sent > 17 * MIB else PASS

    network.meddle = die_in_the_second_part
    path = tmp_path / "large"
    path.write_bytes(secrets.token_bytes(18 * MIB))
    with pytest.raises(Unavailable, match="closed"):
        store.put_file("audio/half.mp3", path, content_type="audio/mpeg")
    network.mend()
    assert store.find_stat("audio/half.mp3") is None
    assert path.exists()
    # The parts could not be taken back through a dead line.
    assert store.sweep_temporary(ORPHAN_AGE.total_seconds()) == 0
    assert store.sweep_temporary(0) == 1


def test_a_silence_is_asked_about_by_one_at_a_time(store: S3Storage, network: Network) -> None:
    store.put_bytes("audio/a.mp3", b"x", content_type="audio/mpeg")
    network.freeze()
    with pytest.raises(Unavailable):
        store.find_stat("audio/a.mp3")
    before = network.connections
    with ThreadPoolExecutor(20) as people:
        looks = [people.submit(store.find_stat, "audio/a.mp3") for _ in range(60)]
        assert all(isinstance(look.exception(), Unavailable) for look in looks)
    assert network.connections - before <= 8
    network.thaw()
    wait_for(lambda: _try(store))


def _try(store: S3Storage) -> bool:
    try:
        return store.find_stat("audio/a.mp3") is not None
    except Unavailable:
        return False


@pytest.fixture
def streaming(
    network: Network,
    s3_server: S3Server,
    s3_bucket: str,
    tmp_path: Path,
    migrated_sqlite: Path,
    mp3: Path,
) -> Iterator[Host]:
    shutil.copy(migrated_sqlite, tmp_path / "podhost.sqlite3")
    database = Database(f"sqlite:///{tmp_path / 'podhost.sqlite3'}", busy_seconds=BUSY_SECONDS)
    storage = s3_behind(network, s3_server, s3_bucket, secrets.token_hex(6))
    with open_host(tmp_path, mp3, database, storage, PODHOST_AUDIO_DELIVERY="stream") as host:
        yield host
        network.mend()


def test_listeners_who_stream_from_a_frozen_store_are_told_and_hold_no_poll_up(
    streaming: Host, network: Network, mp3: Path
) -> None:
    host = streaming
    assert host.listen().content == mp3.read_bytes()
    network.freeze()
    with ThreadPoolExecutor(60) as people:
        # More than there are threads for the store.
        listeners = [people.submit(host.listen) for _ in range(50)]
        assert host.poll().status_code == 200
        assert host.client.get("/healthz").status_code == 200
        assert not all(listener.done() for listener in listeners)
        assert {listener.result().status_code for listener in listeners} == {503}
    network.mend()
    wait_for(host.listen, lambda answer: answer.content == mp3.read_bytes())


def test_a_stream_that_the_store_cuts_goes_on_where_it_stopped(
    streaming: Host, network: Network, mp3: Path
) -> None:
    cut: list[int] = []

    def cut_once(connection: int, direction: str, data: bytes) -> str:
        if direction == DOWN and len(data) > 4000 and not cut:
            cut.append(connection)
        return CUT if connection in cut else PASS

    network.meddle = cut_once
    assert streaming.listen().content == mp3.read_bytes()
    assert cut


# A folder that goes away


def vanish(root: Path) -> Callable[[], None]:
    root.rename(root.with_name("away"))
    return lambda: root.with_name("away").rename(root) and None


def lie_unmounted(root: Path) -> Callable[[], None]:
    """The empty folder under a file system that is no longer mounted there."""
    bring_back = vanish(root)
    root.mkdir()

    def mount() -> None:
        root.rmdir()
        bring_back()

    return mount


def become_a_file(root: Path) -> Callable[[], None]:
    bring_back = vanish(root)
    root.write_bytes(b"")

    def mend() -> None:
        root.unlink()
        bring_back()

    return mend


@pytest.mark.parametrize("fault", [vanish, lie_unmounted, become_a_file])
def test_a_folder_that_went_away_takes_nothing_until_it_is_back(
    on_folder: Host, tmp_path: Path, mp3: Path, fault: Callable[[Path], Callable[[], None]]
) -> None:
    host = on_folder
    with Lines() as lines:
        mend = fault(tmp_path / "storage")
        host.assert_refused(host.upload(mp3.read_bytes(), "gone"), "storage")
        host.assert_not_ready("storage")
        assert host.poll().status_code == 200
        # Who has the file open hears it to its end.
        assert host.listen().status_code in (200, 503)
        assert host.rename("Ebb").status_code == 200
        # Whatever is written there now would lie hidden under the disk that comes back.
        assert not any((tmp_path / "storage").glob("*"))
        mend()
        host.assert_all_is_well()
        assert host.upload(mp3.read_bytes(), "back").status_code == 201
        assert host.listen().status_code == 200
    lines.assert_few_and_short()
    assert host.guids() == {"first", "back"}


def test_a_store_that_loses_its_rights_says_so(tmp_path: Path) -> None:
    """Root may write anywhere, so the error is raised as the kernel would."""
    with pytest.raises(Unavailable, match="not allowed to use"), disk_errors(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_server_that_is_killed_and_started_again_is_found_again(
    tmp_path: Path, migrated_sqlite: Path, mp3: Path, long: bool
) -> None:
    """The same as above, with the server itself: SIGKILL in the middle of uploads, a restart."""
    if not long:
        pytest.skip("an S3 server of its own is started by --long; the network stands in for it")
    from tests.servers import start_seaweedfs

    server = start_seaweedfs()
    bucket = server.create_bucket()
    with Network(server.port) as network:
        shutil.copy(migrated_sqlite, tmp_path / "podhost.sqlite3")
        database = Database(f"sqlite:///{tmp_path / 'podhost.sqlite3'}")
        storage = s3_behind(network, server, bucket, "run")
        with open_host(tmp_path, mp3, database, storage) as host, ThreadPoolExecutor(4) as people:
            stop = threading.Event()

            def send(who: int) -> list[httpx.Response]:
                answers = []
                while not stop.is_set():
                    guid = f"{who}-{len(answers)}"
                    answers.append(host.upload(mp3.read_bytes(), guid))
                return answers

            hosts = [people.submit(send, who) for who in range(4)]
            for _ in range(3):
                time.sleep(2)
                server.stop()
                host.assert_listeners_notice_nothing()
                time.sleep(2)
                server.restart()
            stop.set()
            answers = [answer for sent in hosts for answer in sent.result()]
            assert {answer.status_code for answer in answers} <= {201, 503}
            acknowledged = {
                answer.json()["guid"] for answer in answers if answer.status_code == 201
            }
            host.assert_all_is_well()
            assert acknowledged <= host.guids()
            assert len(acknowledged) > 3
    server.stop()


def test_the_bounds_that_the_documentation_names_hold(
    network: Network,
    s3_server: S3Server,
    s3_bucket: str,
    tmp_path: Path,
    long: bool,
) -> None:
    """With the patience that podhost really has: 20 s for a question, 30 s for a file."""
    if not long:
        pytest.skip("it waits for a minute; run by --long")
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    for spend, most_seconds in (
        (lambda store: store.find_stat("audio/a.mp3"), 20),
        (lambda store: store.put_file("audio/b.mp3", path, content_type="audio/mpeg"), 30),
    ):
        store = s3_server.storage(s3_bucket, secrets.token_hex(6), endpoint_url=network.url)
        assert store.find_stat("audio/a.mp3") is None
        network.freeze()
        started_at = time.monotonic()
        with pytest.raises(Unavailable):
            spend(store)
        first_seconds = time.monotonic() - started_at
        started_at = time.monotonic()
        with pytest.raises(Unavailable):
            spend(store)
        second_seconds = time.monotonic() - started_at
        print(f"{first_seconds:.1f} s, then {second_seconds:.1f} s")
        # Room for a busy machine.
        assert first_seconds < most_seconds + 5
        assert second_seconds < 10
        network.mend()
        store.close()
