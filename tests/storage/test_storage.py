"""One contract for every store, on a real folder and a real S3 server, and what each adds to it."""

import gzip
import hashlib
import http.client
import os
import secrets
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from podhost.errors import Conflict, Invalid, NotFound, Unavailable
from podhost.storage import IMMUTABLE, LocalStorage, S3Storage, Storage, check_key, open_storage
from podhost.storage.contract import disk_errors
from tests.servers import S3Server

MIB = 1024 * 1024
PART_BYTES = 16 * MIB


@pytest.fixture(scope="session")
def bucket(s3_server: S3Server) -> str:
    return s3_server.create_bucket()


@pytest.fixture
def s3(s3_server: S3Server, bucket: str) -> Iterator[S3Storage]:
    store = s3_server.storage(bucket, prefix=f"run/{secrets.token_hex(6)}")
    yield store
    store.close()


@pytest.fixture
def folder(tmp_path: Path) -> LocalStorage:
    store = LocalStorage(tmp_path / "storage")
    store.check()
    return store


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    return request.getfixturevalue(request.param)


def _put(storage: Storage, key: str, data: bytes = b"some audio") -> None:
    storage.put_bytes(key, data, content_type="audio/mpeg")


def _read(storage: Storage, key: str, start: int = 0, end: int | None = None) -> bytes:
    with storage.open(key, start, end) as reader:
        return reader.read()


def _keys(storage: Storage, prefix: str = "") -> list[str]:
    return sorted(found.key for found in storage.list(prefix))


def _fetch(url: str, method: str = "GET", data: bytes | None = None, **headers: str):
    """The status, headers and body that a plain HTTP client gets."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, method=method, headers=named, data=data)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers, refused.read()


# ---- What goes in comes out ---------------------------------------------------------------------


@pytest.mark.parametrize("size_bytes", [0, 1, 5 * MIB, PART_BYTES, PART_BYTES + 1, 40 * MIB])
def test_a_file_comes_back_byte_for_byte(storage: Storage, tmp_path: Path, size_bytes: int):
    source = tmp_path / "in.mp3"
    source.write_bytes(os.urandom(size_bytes))
    assert storage.put_file("audio/a1.mp3", source, content_type="audio/mpeg") == size_bytes
    expected = hashlib.sha256(source.read_bytes()).hexdigest()
    target = tmp_path / "out.mp3"
    assert storage.download_to("audio/a1.mp3", target) == (size_bytes, expected)
    assert target.read_bytes() == source.read_bytes()
    assert storage.size("audio/a1.mp3") == size_bytes
    assert source.exists()


def test_a_moved_file_is_given_up(storage: Storage, tmp_path: Path):
    source = (storage.temporary_folder() or tmp_path) / "upload"
    source.write_bytes(b"whole")
    storage.put_file("audio/a1.mp3", source, content_type="audio/mpeg", move=True)
    assert not source.exists()
    assert _read(storage, "audio/a1.mp3") == b"whole"


def test_a_file_that_could_not_be_moved_is_still_there(storage: Storage, tmp_path: Path):
    _put(storage, "audio/a1.mp3", b"first")
    source = (storage.temporary_folder() or tmp_path) / "upload"
    source.write_bytes(b"second")
    with pytest.raises(Conflict):
        storage.put_file("audio/a1.mp3", source, content_type="audio/mpeg", move=True)
    assert source.read_bytes() == b"second"
    assert _read(storage, "audio/a1.mp3") == b"first"


def test_bytes_of_unknown_length_are_streamed_in(storage: Storage):
    pieces = [os.urandom(size) for size in (0, 1, 3 * MIB, 14 * MIB, 2 * MIB, 7)]
    with storage.writer("audio/a1.mp3", content_type="audio/mpeg") as writer:
        for piece in pieces:
            assert writer.write(piece) == len(piece)
        assert writer.commit() == sum(map(len, pieces))
    assert _read(storage, "audio/a1.mp3") == b"".join(pieces)


def test_one_huge_write_is_cut_into_parts(storage: Storage):
    data = os.urandom(35 * MIB)
    _put(storage, "audio/a1.mp3", data)
    assert _read(storage, "audio/a1.mp3") == data


_GROWTH_OF_A_PUT = """
import resource, sys
from pathlib import Path
from podhost.storage import open_storage
def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
storage, big, out = open_storage(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
storage.put_bytes("warm.mp3", b"x", content_type="audio/mpeg")
storage.download_to("warm.mp3", out)
before = peak_mib()
storage.put_file("big.mp3", big, content_type="audio/mpeg")
assert storage.download_to("big.mp3", out)[0] == big.stat().st_size
print(peak_mib() - before)
"""


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_large_file_is_never_held_in_memory(
    kind: str, tmp_path: Path, s3_server: S3Server, bucket: str
):
    urls = {"folder": (tmp_path / "store").as_uri(), "s3": f"s3://{bucket}/memory"}
    big = tmp_path / "big.mp3"
    with big.open("wb") as file:
        for _ in range(100):
            file.write(os.urandom(MIB))
    done = subprocess.run(
        [sys.executable, "-c", _GROWTH_OF_A_PUT, urls[kind], str(big), str(tmp_path / "out")],
        env={**os.environ, **s3_server.environment()},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # A part of 16 MiB is collected, and may be copied once on its way out.
    assert int(done.stdout) < 64


# ---- Whole or not at all, once ------------------------------------------------------------------


@pytest.mark.parametrize("size_bytes", [10, 20 * MIB])
def test_a_writer_that_is_left_stores_nothing(storage: Storage, size_bytes: int):
    with storage.writer("audio/a1.mp3", content_type="audio/mpeg") as writer:
        writer.write(b"x" * size_bytes)
    with (
        pytest.raises(ZeroDivisionError),
        storage.writer("audio/a1.mp3", content_type="audio/mpeg") as writer,
    ):
        writer.write(b"x" * size_bytes)
        raise ZeroDivisionError
    assert _keys(storage) == []
    assert storage.find_stat("audio/a1.mp3") is None
    # Nothing is left for the sweep either, and the key is still free.
    assert storage.sweep_temporary(older_than_seconds=-60) == 0
    _put(storage, "audio/a1.mp3")


def test_a_writer_takes_nothing_after_its_end(storage: Storage):
    with storage.writer("audio/a1.mp3", content_type="audio/mpeg") as writer:
        writer.write(b"whole")
        writer.commit()
        with pytest.raises(ValueError):
            writer.write(b"more")
        with pytest.raises(ValueError):
            writer.commit()
    with pytest.raises(ValueError):
        writer.write(b"more")
    assert _read(storage, "audio/a1.mp3") == b"whole"


def test_a_reader_never_sees_half_an_object(storage: Storage):
    data = os.urandom(20 * MIB)
    seen: list[int] = []
    done = threading.Event()

    def look() -> None:
        while True:
            last = done.is_set()
            found = storage.find_stat("audio/a1.mp3")
            listed = [stat.size_bytes for stat in storage.list("audio/")]
            seen.extend([found.size_bytes, *listed] if found else listed)
            if last:
                return

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            with storage.writer("audio/a1.mp3", content_type="audio/mpeg") as writer:
                for start in range(0, len(data), MIB):
                    writer.write(data[start : start + MIB])
                assert seen == []
                writer.commit()
        finally:
            done.set()
        looking.result()
    assert set(seen) == {len(data)}


def test_a_key_is_used_once(storage: Storage):
    _put(storage, "audio/a1.mp3", b"first")
    with pytest.raises(Conflict):
        _put(storage, "audio/a1.mp3", b"second")
    assert _read(storage, "audio/a1.mp3") == b"first"


@pytest.mark.parametrize("size_bytes", [3, 17 * MIB])
def test_a_key_taken_while_writing_is_not_replaced(storage: Storage, size_bytes: int):
    with storage.writer("audio/a1.mp3", content_type="audio/mpeg") as late:
        late.write(b"x" * size_bytes)
        _put(storage, "audio/a1.mp3", b"first")
        with pytest.raises(Conflict):
            late.commit()
    assert _read(storage, "audio/a1.mp3") == b"first"
    assert storage.sweep_temporary(older_than_seconds=-60) == 0


def test_of_many_who_race_for_a_key_one_wins(storage: Storage):
    start = threading.Barrier(4)

    def race(number: int, key: str) -> int | None:
        start.wait()
        try:
            _put(storage, key, b"%d" % number * 1000)
        except Conflict:
            return None
        return number

    with ThreadPoolExecutor(4) as pool:
        for round_number in range(3):
            key = f"audio/race{round_number}.mp3"
            results = list(pool.map(race, range(4), [key] * 4))
            winners = [number for number in results if number is not None]
            assert len(winners) == 1
            assert _read(storage, key) == b"%d" % winners[0] * 1000


def test_a_key_may_be_overwritten_when_asked(storage: Storage):
    for data in (b"first", b"second, longer", b"3"):
        storage.put_bytes("feed/x.xml", data, content_type="application/xml", overwrite=True)
        assert _read(storage, "feed/x.xml") == data


# ---- Reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, None), (0, 1), (0, 1000), (1, 2), (500, None), (999, 1000), (999, None),
        (0, 99999), (990, 99999), (1000, None), (1000, 1001), (5000, 6000), (0, 0), (7, 7),
    ],
)  # fmt: skip
def test_a_range_is_what_a_slice_would_be(storage: Storage, start: int, end: int | None):
    data = os.urandom(1000)
    _put(storage, "audio/a1.mp3", data)
    assert _read(storage, "audio/a1.mp3", start, end) == data[start:end]


@pytest.mark.parametrize(("start", "end"), [(0, None), (0, 5), (3, None), (3, 5)])
def test_a_range_of_nothing_is_nothing(storage: Storage, start: int, end: int | None):
    _put(storage, "audio/a1.mp3", b"")
    assert _read(storage, "audio/a1.mp3", start, end) == b""


@pytest.mark.parametrize(("start", "end"), [(-1, None), (5, 4), (0, -1)])
def test_a_range_that_nothing_has_is_a_mistake(storage: Storage, start: int, end: int | None):
    _put(storage, "audio/a1.mp3")
    with pytest.raises(ValueError):
        storage.open("audio/a1.mp3", start, end)


def test_a_reader_reads_in_pieces(storage: Storage):
    _put(storage, "audio/a1.mp3", b"0123456789")
    with storage.open("audio/a1.mp3", 2, 9) as reader:
        pieces = [reader.read(3), reader.read(0), reader.read(3), reader.read(3), reader.read(3)]
        assert pieces == [b"234", b"", b"567", b"8", b""]
    with storage.open("audio/a1.mp3") as reader:
        buffer = bytearray(4)
        assert reader.readinto(buffer) == 4
        assert bytes(buffer) == b"0123"
        assert reader.read() == b"456789"
    assert reader.closed


def test_what_is_not_there_is_not_found(storage: Storage, tmp_path: Path):
    _put(storage, "audio/a1.mp3")
    for key in ("audio/a2.mp3", "other/a1.mp3", "audio", "audio/a1.mp3/deeper"):
        assert storage.find_stat(key) is None
        for ask in (
            lambda key=key: storage.size(key),
            lambda key=key: storage.open(key),
            lambda key=key: storage.open(key, 3, 3),
            lambda key=key: storage.download_to(key, tmp_path / "out"),
            lambda key=key: storage.copy(key, "audio/copy.mp3"),
        ):
            with pytest.raises(NotFound):
                ask()
    assert not (tmp_path / "out").exists()
    assert _keys(storage) == ["audio/a1.mp3"]


def test_a_stat_tells_size_and_time(storage: Storage):
    # A store may keep whole seconds only, and its clock is not ours.
    before = datetime.now(UTC) - timedelta(seconds=5)
    _put(storage, "audio/a1.mp3", b"12345")
    found = storage.find_stat("audio/a1.mp3")
    assert found is not None
    assert (found.key, found.size_bytes) == ("audio/a1.mp3", 5)
    assert before < found.modified_at < datetime.now(UTC) + timedelta(seconds=5)
    assert found.modified_at.tzinfo is UTC


def test_age_counts_from_when_an_object_appears(storage: Storage, tmp_path: Path):
    source = (storage.temporary_folder() or tmp_path) / "upload"
    source.write_bytes(b"began yesterday")
    os.utime(source, (1, 1))
    storage.put_file("audio/a1.mp3", source, content_type="audio/mpeg", move=True)
    storage.copy("audio/a1.mp3", "audio/a2.mp3")
    assert all(stat.modified_at.year > 1970 for stat in storage.list("audio/"))


# ---- Listing, deleting, copying -----------------------------------------------------------------


def test_a_list_has_what_begins_so(storage: Storage):
    keys = ["a-b/x", "a.b", "a/b/c", "a/b.c", "a/tmp/x", "a0", "b", "audio/1.mp3", "audio/10.mp3"]
    for key in keys:
        _put(storage, key, key.encode())
    assert _keys(storage) == sorted(keys)
    assert _keys(storage, "a/") == ["a/b.c", "a/b/c", "a/tmp/x"]
    assert _keys(storage, "audio/1") == ["audio/1.mp3", "audio/10.mp3"]
    assert _keys(storage, "a/b") == ["a/b.c", "a/b/c"]
    assert _keys(storage, "nothing") == []
    assert {stat.size_bytes for stat in storage.list("audio/")} == {11, 12}


def test_a_delete_may_be_repeated(storage: Storage):
    _put(storage, "audio/a1.mp3")
    _put(storage, "audio/a2.mp3")
    for _ in range(2):
        storage.delete("audio/a1.mp3")
        assert _keys(storage) == ["audio/a2.mp3"]
    storage.delete("audio/a2.mp3/deeper")
    _put(storage, "audio/a1.mp3", b"again")
    assert _read(storage, "audio/a1.mp3") == b"again"


def test_a_copy_outlives_its_source(storage: Storage):
    data = os.urandom(9 * MIB)
    _put(storage, "audio/a1.mp3", data)
    storage.copy("audio/a1.mp3", "audio/a2.mp3")
    with pytest.raises(Conflict):
        storage.copy("audio/a1.mp3", "audio/a2.mp3")
    storage.delete("audio/a1.mp3")
    assert _read(storage, "audio/a2.mp3") == data


# ---- Keys and addresses -------------------------------------------------------------------------

HOSTILE_KEYS = [
    "", "/", "/etc/passwd", "../x", "a/../x", "a/..", "..", ".", "./a", "a/./b", "a//b", "a/",
    "...", "a/.../b", "A", "ä", "a b", "a\x00b", "a\nb", "a\n", "a\\b", "a%2e", "\ud800", "é.mp3",
    "a?b", "tmp", "tmp/x", "x" * 513, "x" * 256, "a/" * 300 + "b",
]  # fmt: skip


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=range(len(HOSTILE_KEYS)))
def test_a_hostile_key_reaches_no_store(storage: Storage, tmp_path: Path, key: str):
    for use in _uses(storage, tmp_path):
        with pytest.raises(ValueError):
            use(key)
    assert _keys(storage) == []


def _uses(storage: Storage, tmp_path: Path) -> list[Callable[[str], object]]:
    return [
        check_key,
        storage.open,
        storage.size,
        storage.find_stat,
        storage.delete,
        storage.local_path,
        lambda key: storage.url_for(key, expires_seconds=60),
        lambda key: storage.writer(key, content_type="audio/mpeg"),
        lambda key: _put(storage, key),
        lambda key: storage.put_file(key, Path(__file__), content_type="audio/mpeg"),
        lambda key: storage.download_to(key, tmp_path / "out"),
        lambda key: storage.copy(key, "audio/copy.mp3"),
    ]


@pytest.mark.parametrize("prefix", ["/", "../", "a/../", "a//", "Ä", "tmp/"])
def test_a_hostile_prefix_reaches_no_store(storage: Storage, prefix: str):
    with pytest.raises(ValueError):
        storage.list(prefix)


def test_a_key_may_be_long_and_deep(storage: Storage):
    key = "/".join(["a" * 100] * 5) + "/x.mp3"
    _put(storage, key)
    assert _keys(storage) == [key]


@pytest.mark.parametrize(
    "address",
    [
        "", "data", "/data", "file://data/x", "file:///", "file:data", "http://x/y", "s3:/bucket",
        "s3://", "s3://b", "s3://bucket/../x", "s3://bucket/A", "s3://key:secret@bucket/x",
        "s3://bucket?x=1", "file:///data#x",
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused_with_a_sentence(address: str):
    with pytest.raises(Invalid) as refused:
        open_storage(address)
    assert refused.value.message.endswith(".")
    assert "secret" not in refused.value.message


def test_an_address_opens_its_store(
    tmp_path: Path, s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
):
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    for address in ((tmp_path / "a folder").as_uri(), f"s3://{bucket}/{secrets.token_hex(6)}"):
        store = open_storage(address)
        store.check()
        _put(store, "audio/a1.mp3", b"x")
        assert _keys(open_storage(address)) == ["audio/a1.mp3"]
    assert (tmp_path / "a folder/audio/a1.mp3").read_bytes() == b"x"


# ---- What fails says so -------------------------------------------------------------------------


def _every_operation(storage: Storage, tmp_path: Path) -> list[Callable[[], object]]:
    upload = tmp_path / "upload.mp3"
    upload.write_bytes(b"x")
    return [
        storage.check,
        lambda: _put(storage, "audio/a1.mp3"),
        lambda: _put(storage, "audio/a1.mp3", b"x" * 17 * MIB),
        lambda: storage.put_file("audio/a1.mp3", upload, content_type="audio/mpeg"),
        lambda: storage.put_file("audio/a1.mp3", upload, content_type="audio/mpeg", move=True),
        lambda: storage.open("audio/a1.mp3"),
        lambda: storage.find_stat("audio/a1.mp3"),
        lambda: storage.size("audio/a1.mp3"),
        lambda: storage.delete("audio/a1.mp3"),
        lambda: list(storage.list()),
        lambda: storage.copy("audio/a1.mp3", "audio/a2.mp3"),
        lambda: storage.download_to("audio/a1.mp3", tmp_path / "out"),
        lambda: storage.sweep_temporary(0),
    ]


def _all_unavailable(storage: Storage, tmp_path: Path, *words: str) -> None:
    for operation in _every_operation(storage, tmp_path):
        with pytest.raises(Unavailable) as failed:
            operation()
        assert all(word in failed.value.message for word in words), failed.value.message
        assert failed.value.message.endswith(".")
    assert (tmp_path / "upload.mp3").exists()
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_unavailable(tmp_path: Path):
    (tmp_path / "storage").write_text("a file")
    _all_unavailable(LocalStorage(tmp_path / "storage"), tmp_path, str(tmp_path / "storage"))


def test_a_folder_that_went_away_holds_not_nothing(tmp_path: Path):
    gone = LocalStorage(tmp_path / "storage")
    for operation in (
        lambda: gone.open("audio/a1.mp3"),
        lambda: gone.find_stat("audio/a1.mp3"),
        lambda: gone.delete("audio/a1.mp3"),
        lambda: list(gone.list()),
        lambda: gone.sweep_temporary(0),
    ):
        with pytest.raises(Unavailable, match="does not exist"):
            operation()


def test_a_missing_bucket_is_unavailable(s3_server: S3Server, tmp_path: Path):
    store = s3_server.storage("no-such-bucket")
    _all_unavailable(store, tmp_path, "no-such-bucket", "it does not exist")
    store.close()


def test_wrong_credentials_are_unavailable(s3_server: S3Server, bucket: str, tmp_path: Path):
    for changes, word in (
        ({"access_key": "stranger"}, "access key is unknown"),
        ({"secret_key": "guessed-secret"}, "secret key is wrong"),
    ):
        store = s3_server.storage(bucket, **changes)
        with pytest.raises(Unavailable, match=word) as failed:
            store.check()
        assert "guessed" not in failed.value.message
        with pytest.raises(Unavailable):
            store.find_stat("audio/a1.mp3")
        with pytest.raises(Unavailable):
            _put(store, "audio/a1.mp3")
        store.close()


def test_an_unreachable_endpoint_is_unavailable(tmp_path: Path):
    import socket

    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        store = S3Storage(
            "bucket",
            endpoint_url=f"http://127.0.0.1:{port}",
            region="us-east-1",
            access_key="key",
            secret_key="hidden",
        )
        for operation in (
            store.check,
            lambda: _put(store, "audio/a1.mp3"),
            lambda: store.find_stat("audio/a1.mp3"),
            lambda: list(store.list()),
        ):
            with pytest.raises(Unavailable, match=f"bucket at 127.0.0.1:{port}.*not answer"):
                operation()
        store.close()


def test_a_check_waits_for_a_silent_server_no_longer_than_it_says():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = S3Storage(
            "bucket",
            endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
            region="us-east-1",
            access_key="key",
            secret_key="hidden",
        )
        with pytest.raises(Unavailable, match="stopped answering"):
            store.check()


def test_missing_credentials_are_unavailable(
    s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = S3Storage(bucket, endpoint_url=s3_server.endpoint_url, region=s3_server.region)
    for operation in (
        store.check,
        store.credentials_id,
        lambda: store.url_for("audio/a1.mp3", expires_seconds=60),
        lambda: store.find_stat("audio/a1.mp3"),
    ):
        with pytest.raises(Unavailable, match="no credentials"):
            operation()
    store.close()


def test_a_full_disk_is_named(tmp_path: Path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    # The device file stands in for a disk without room: every write to it fails so.
    with (
        pytest.raises(Unavailable, match=f"The disk that holds {tmp_path} is full") as failed,
        disk_errors(tmp_path),
    ):
        full.write_bytes(b"x")
    assert isinstance(failed.value.__cause__, OSError)


_WRITE_TOO_MUCH = """
import resource, sys
from podhost.errors import Unavailable
from podhost.storage import open_storage
storage = open_storage(sys.argv[1])
storage.check()
resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, 1024 * 1024))
try:
    storage.put_bytes("audio/a1.mp3", b"x" * 2 * 1024 * 1024, content_type="audio/mpeg")
except Unavailable as error:
    print(error.message)
"""


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path):
    store = LocalStorage(tmp_path / "store")
    done = subprocess.run(
        [sys.executable, "-c", _WRITE_TOO_MUCH, store.root.as_uri()],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"The folder {store.root} cannot be used: File too large.\n", done.stderr
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_a_check_passes_where_all_is_well_and_leaves_nothing(storage: Storage):
    storage.check()
    storage.check()
    assert _keys(storage) == []
    assert storage.sweep_temporary(older_than_seconds=-60) == 0


def test_an_object_has_the_date_that_it_was_given(storage: Storage):
    date = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    for later in (timedelta(0), timedelta(seconds=1)):
        storage.put_bytes(
            "public/feed.xml",
            b"x",
            content_type="text/xml",
            modified_at=date + later,
            overwrite=True,
        )
        found = storage.find_stat("public/feed.xml")
        assert found is not None
        assert found.modified_at == date + later


def test_a_coded_object_is_read_as_it_was_written(storage: Storage):
    data = gzip.compress(b"some feed")
    storage.put_bytes("feed.xml.gz", data, content_type="text/xml", content_encoding="gzip")
    assert _read(storage, "feed.xml.gz") == data


def test_a_copy_may_be_the_same_file_and_goes_by_itself(storage: Storage):
    _put(storage, "artwork/a.jpg")
    storage.copy("artwork/a.jpg", "public/a.jpg", content_type="image/jpeg", may_share=True)
    assert _read(storage, "public/a.jpg") == b"some audio"
    with pytest.raises(Conflict):
        storage.copy("artwork/a.jpg", "public/a.jpg", may_share=True)
    with pytest.raises(NotFound):
        storage.copy("artwork/b.jpg", "public/b.jpg", may_share=True)
    storage.delete("artwork/a.jpg")
    assert _keys(storage) == ["public/a.jpg"]
    assert _read(storage, "public/a.jpg") == b"some audio"


def test_a_listing_may_begin_within_a_folder_or_a_name(storage: Storage):
    keys = ["public/a/1.vtt", "public/a/2.vtt", "public/ab/1.vtt", "publican/a/1.vtt"]
    for key in keys:
        _put(storage, key)
    assert _keys(storage, "public/a/") == keys[:2]
    assert _keys(storage, "public/a") == keys[:3]
    assert _keys(storage, "public/a/1") == keys[:1]
    assert _keys(storage, "public/a/1.vtt/") == []
    assert _keys(storage, "public/c/") == []


# ---- A folder -----------------------------------------------------------------------------------


def test_a_symbolic_link_is_not_followed(folder: LocalStorage, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.mp3").write_bytes(b"secret")
    (folder.root / "linked").symlink_to(outside)
    (folder.root / "a.mp3").symlink_to(outside / "secret.mp3")
    (folder.root / "loop").symlink_to("loop")
    with pytest.raises(Unavailable):
        folder.open("loop")
    for key in ("linked/secret.mp3", "linked/new.mp3", "a.mp3"):
        for use in (folder.open, folder.delete, folder.local_path, lambda key: _put(folder, key)):
            with pytest.raises(Unavailable, match="symbolic link"):
                use(key)
    assert _keys(folder) == _keys(folder, "linked/") == []
    assert [path.name for path in outside.iterdir()] == ["secret.mp3"]


def test_a_moved_link_is_stored_as_what_it_points_to(folder: LocalStorage, tmp_path: Path):
    (tmp_path / "real.mp3").write_bytes(b"real")
    link = tmp_path / "link.mp3"
    link.symlink_to(tmp_path / "real.mp3")
    folder.put_file("audio/a1.mp3", link, content_type="audio/mpeg", move=True)
    assert not link.is_symlink()
    path = folder.local_path("audio/a1.mp3")
    assert path is not None
    assert not path.is_symlink()
    assert path.read_bytes() == b"real"
    assert (tmp_path / "real.mp3").exists()


def test_a_move_within_the_file_system_copies_nothing(folder: LocalStorage):
    temporary = folder.temporary_folder()
    assert temporary is not None
    source = temporary / "upload"
    source.write_bytes(b"whole")
    inode = source.stat().st_ino
    folder.put_file("audio/a1.mp3", source, content_type="audio/mpeg", move=True)
    path = folder.local_path("audio/a1.mp3")
    assert path is not None
    assert path.stat().st_ino == inode
    assert path.stat().st_nlink == 1


def test_a_move_from_another_file_system_copies(folder: LocalStorage):
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == folder.root.stat().st_dev:
        pytest.skip("there is no second file system at hand")
    source = elsewhere / f"podhost-{secrets.token_hex(6)}"
    source.write_bytes(b"whole")
    try:
        folder.put_file("audio/a1.mp3", source, content_type="audio/mpeg", move=True)
        assert not source.exists()
    finally:
        source.unlink(missing_ok=True)
    assert _read(folder, "audio/a1.mp3") == b"whole"


def test_a_file_is_as_private_as_its_folder(tmp_path: Path):
    store = LocalStorage(tmp_path / "private")
    before = os.umask(0o077)
    try:
        store.check()
        _put(store, "audio/a1.mp3")
    finally:
        os.umask(before)
    path = store.local_path("audio/a1.mp3")
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600


def test_strange_files_in_the_folder_are_not_objects(folder: LocalStorage):
    _put(folder, "audio/a1.mp3")
    (folder.root / "lost+found").mkdir()
    (folder.root / "audio/.DS_Store").write_bytes(b"x")
    (folder.root / "audio/Notes.txt").write_bytes(b"x")
    (folder.root / os.fsdecode(b"audio/\xff.mp3")).write_bytes(b"x")
    assert _keys(folder) == ["audio/a1.mp3"]


_WRITE_AND_DIE = """
import os, signal, sys
from podhost.storage import open_storage
storage = open_storage(sys.argv[1])
with storage.writer("audio/a1.mp3", content_type="audio/mpeg") as writer:
    writer.write(b"x" * 17 * 1024 * 1024)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_what_a_killed_writer_left_is_swept(
    kind: str, tmp_path: Path, s3_server: S3Server, bucket: str
):
    prefix = f"killed/{secrets.token_hex(6)}"
    urls = {"folder": (tmp_path / "store").as_uri(), "s3": f"s3://{bucket}/{prefix}"}
    killed = subprocess.run(
        [sys.executable, "-c", _WRITE_AND_DIE, urls[kind]],
        env={**os.environ, **s3_server.environment()},
        cwd=Path(__file__).parents[2],
    )
    assert killed.returncode == -9
    store = LocalStorage(tmp_path / "store") if kind == "folder" else None
    store = store or s3_server.storage(bucket, prefix)
    assert _keys(store) == []
    assert store.sweep_temporary(older_than_seconds=3600) == 0
    assert store.sweep_temporary(older_than_seconds=-60) == 1
    assert store.sweep_temporary(older_than_seconds=-60) == 0
    _put(store, "audio/a1.mp3")
    store.close()


# ---- S3 -----------------------------------------------------------------------------------------


def test_a_folder_has_paths_and_no_urls(folder: LocalStorage):
    assert folder.local_path("audio/a1.mp3") == folder.root / "audio/a1.mp3"
    assert folder.url_for("audio/a1.mp3", expires_seconds=60) is None
    assert folder.credentials_id() == ""


def test_an_upload_over_a_slow_line_is_not_swept_while_its_parts_arrive(s3: S3Storage):
    part = bytes(PART_BYTES)
    with s3.writer("audio/slow.mp3", content_type="audio/mpeg") as writer:
        writer.write(part)
        begun_at = time.time()
        time.sleep(2.5)
        writer.write(part)
        # It was begun longer ago than this, and its last part came later.
        assert s3.sweep_temporary(older_than_seconds=time.time() - begun_at - 1) == 0
        assert writer.commit() == 2 * PART_BYTES
    assert s3.size("audio/slow.mp3") == 2 * PART_BYTES


def test_a_signed_url_serves_whole_and_ranges(s3: S3Storage):
    data = os.urandom(1000)
    _put(s3, "audio/a1.mp3", data)
    assert s3.local_path("audio/a1.mp3") is None
    url = s3.url_for("audio/a1.mp3", expires_seconds=60, content_type="audio/x-m4a")
    assert url is not None
    status, headers, body = _fetch(url)
    assert (status, body) == (200, data)
    assert headers["Content-Type"] == "audio/x-m4a"
    assert headers["Cache-Control"] == IMMUTABLE
    status, headers, body = _fetch(url, Range="bytes=10-19")
    assert (status, body) == (206, data[10:20])
    assert headers["Content-Range"] == "bytes 10-19/1000"


def test_a_signed_url_serves_one_method(s3: S3Storage):
    _put(s3, "audio/a1.mp3", b"12345")
    get_url = s3.url_for("audio/a1.mp3", expires_seconds=60)
    head_url = s3.url_for("audio/a1.mp3", expires_seconds=60, method="HEAD")
    assert get_url is not None
    assert head_url is not None
    assert _fetch(get_url, "HEAD")[0] == 403
    assert _fetch(head_url, "GET")[0] == 403
    status, headers, _ = _fetch(head_url, "HEAD")
    assert (status, headers["Content-Length"]) == (200, "5")


def test_a_signed_url_cannot_be_bent(s3: S3Storage):
    _put(s3, "audio/a1.mp3")
    _put(s3, "audio/a2.mp3")
    url = s3.url_for("audio/a1.mp3", expires_seconds=60)
    assert url is not None
    last = "0" if url[-1] != "0" else "1"
    for bent in (url[:-1] + last, url.replace("a1.mp3", "a2.mp3"), url.partition("?")[0]):
        assert _fetch(bent)[0] == 403
    assert _fetch(url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"))[0] == 403


def test_a_signed_url_expires(s3: S3Storage):
    _put(s3, "audio/a1.mp3")
    url = s3.url_for("audio/a1.mp3", expires_seconds=1)
    assert url is not None
    time.sleep(2.5)
    assert _fetch(url)[0] == 403


def test_a_signed_put_takes_the_named_type_only(s3: S3Storage):
    url = s3.url_for("audio/a1.mp3", expires_seconds=60, method="PUT", content_type="audio/mpeg")
    assert url is not None
    assert _fetch(url, "PUT", b"x", Content_Type="text/html")[0] == 403
    assert _fetch(url, "PUT", b"x", Content_Type="audio/mpeg")[0] == 200
    assert _read(s3, "audio/a1.mp3") == b"x"


def test_signed_urls_follow_the_credentials(s3_server: S3Server, bucket: str):
    store = s3_server.storage(bucket)
    same = s3_server.storage(bucket)
    other = s3_server.storage(bucket, access_key="another")
    assert store.credentials_id() == same.credentials_id() != other.credentials_id()
    assert s3_server.access_key not in store.credentials_id()


def test_an_object_carries_its_headers(s3: S3Storage, s3_server: S3Server, tmp_path: Path):
    large = tmp_path / "large.m4a"
    large.write_bytes(b"x" * (PART_BYTES + 1))
    _put(s3, "audio/a1.mp3")
    s3.put_file("audio/a2.m4a", large, content_type="audio/x-m4a")
    s3.copy("audio/a2.m4a", "audio/a3.m4a")
    s3.put_bytes("feed.xml", b"x", content_type="text/xml", overwrite=True)
    s3.put_bytes("day.json", b"x", content_type="text/json", cache_control="max-age=60")
    for key, kind, cache_control in (
        ("audio/a1.mp3", "audio/mpeg", IMMUTABLE),
        ("audio/a2.m4a", "audio/x-m4a", IMMUTABLE),
        ("audio/a3.m4a", "audio/x-m4a", IMMUTABLE),
        ("feed.xml", "text/xml", "no-cache"),
        ("day.json", "text/json", "max-age=60"),
    ):
        url = s3.url_for(key, expires_seconds=60)
        assert url is not None
        _, headers, _ = _fetch(url)
        assert (headers["Content-Type"], headers["Cache-Control"]) == (kind, cache_control)


def test_a_list_longer_than_a_page_is_whole(s3: S3Storage, s3_server: S3Server):
    client = s3_server.client()
    # Folders and files whose order differs between stores, across the borders of pages.
    folders = ("many/", "many/a/", "many/a-b/", "many/a.b/", "many/b/")
    keys = sorted(folders[number % 5] + f"{number:04d}" for number in range(1050))

    def put(key: str) -> None:
        client.put_object(Bucket=s3.bucket, Key=s3.prefix + key, Body=b"x")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, keys))
    client.close()
    assert _keys(s3, "many/") == keys


def test_what_else_lies_in_the_bucket_is_not_ours(s3: S3Storage, s3_server: S3Server):
    client = s3_server.client()
    for key in (s3.prefix + "Foreign Name.mp3", s3.prefix[:-1] + "-beside/a.mp3"):
        client.put_object(Bucket=s3.bucket, Key=key, Body=b"x")
    client.close()
    _put(s3, "audio/a1.mp3")
    assert _keys(s3) == ["audio/a1.mp3"]


def test_threads_share_a_store(storage: Storage):
    def round_trip(number: int) -> bool:
        key = f"audio/{number}.mp3"
        _put(storage, key, b"%d" % number)
        return _read(storage, key) == b"%d" % number

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trip, range(40)))
    assert len(_keys(storage)) == 40


def test_opening_a_store_imports_no_boto3(tmp_path: Path):
    code = (
        "import sys; from podhost.storage import open_storage; open_storage('s3://bucket');"
        f"open_storage({tmp_path.as_uri()!r}).check(); sys.exit('boto3' in sys.modules)"
    )
    folder = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=folder).returncode == 0


# ---- Stores and networks that behave worse than SeaweedFS ---------------------------------------


class _Proxy(ThreadingHTTPServer):
    """Passes every request on to a real store, unless `meddle` answers it otherwise.

    `meddle(method, headers, forward)` returns (status, body), or None to drop the connection;
    `forward()` asks the real store.
    """

    daemon_threads = True

    def __init__(self, server: S3Server, meddle: Callable[..., tuple[int, bytes] | None]) -> None:
        super().__init__(("127.0.0.1", 0), _ProxyHandler)
        self.store = ("127.0.0.1", server.port)
        self.meddle = meddle
        self.endpoint_url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *failed: object) -> None:
        self.shutdown()
        self.server_close()


class _ProxyHandler(BaseHTTPRequestHandler):
    def _serve(self) -> None:
        assert isinstance(self.server, _Proxy)
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answers: list[tuple[int, bytes, Message]] = []

        def forward() -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(*self.server.store)
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name != "Expect":
                    connection.putheader(name, value)
            connection.endheaders(data)
            response = connection.getresponse()
            answers.append((response.status, response.read(), response.headers))
            connection.close()
            return answers[-1][:2]

        result = self.server.meddle(self.command, self.headers, forward)
        self.close_connection = True
        if result is None:
            return
        self.send_response(result[0])
        for name, value in answers[-1][2].items() if answers else ():
            if name not in ("Content-Length", "Connection", "Transfer-Encoding", "Date", "Server"):
                self.send_header(name, value)
        length = str(len(result[1]))
        if self.command == "HEAD" and answers:
            length = answers[-1][2].get("Content-Length", "0")
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(result[1])

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def log_message(self, *arguments: object) -> None:
        pass


def _behind(proxy: _Proxy, server: S3Server, bucket: str) -> S3Storage:
    prefix = secrets.token_hex(6)
    return server.storage(bucket, prefix, endpoint_url=proxy.endpoint_url)


@pytest.mark.parametrize("size_bytes", [10, PART_BYTES + 10])
def test_a_write_whose_answer_got_lost_is_known_as_ours(
    s3_server: S3Server, bucket: str, size_bytes: int
):
    lost = []

    def lose_first_answer(method, headers, forward):
        answer = forward()
        if "If-None-Match" in headers and not lost:
            lost.append(answer)
            return None
        return answer

    with _Proxy(s3_server, lose_first_answer) as proxy:
        store = _behind(proxy, s3_server, bucket)
        _put(store, "audio/a1.mp3", b"x" * size_bytes)
        assert [status for status, _ in lost] == [200]
        assert store.size("audio/a1.mp3") == size_bytes
        with pytest.raises(Conflict):
            _put(store, "audio/a1.mp3")
        store.close()


def test_an_upload_that_vanished_replaced_nothing(s3_server: S3Server, bucket: str):
    def forget_the_upload(method, headers, forward):
        if method == "POST" and "Content-Type" not in headers:
            return 404, b"<Error><Code>NoSuchUpload</Code></Error>"
        return forward()

    with _Proxy(s3_server, forget_the_upload) as proxy:
        store = _behind(proxy, s3_server, bucket)
        store.put_bytes("day.json", b"old", content_type="text/json", overwrite=True)
        large = b"x" * (PART_BYTES + 10)
        with pytest.raises(Unavailable, match="did not replace"):
            store.put_bytes("day.json", large, content_type="text/json", overwrite=True)
        assert _read(store, "day.json") == b"old"
        store.close()


@pytest.mark.parametrize("size_bytes", [10, PART_BYTES + 10])
def test_a_store_without_conditional_puts_is_used_with_a_look_first(
    s3_server: S3Server, bucket: str, size_bytes: int
):
    refused = []

    def know_no_conditions(method, headers, forward):
        if "If-None-Match" in headers:
            refused.append(method)
            return 501, b"<Error><Code>NotImplemented</Code></Error>"
        return forward()

    with _Proxy(s3_server, know_no_conditions) as proxy:
        store = _behind(proxy, s3_server, bucket)
        _put(store, "audio/a1.mp3", b"x" * size_bytes)
        _put(store, "audio/a2.mp3")
        with pytest.raises(Conflict):
            _put(store, "audio/a1.mp3", b"other")
        assert store.size("audio/a1.mp3") == size_bytes
        assert len(refused) >= 1
        store.close()


def test_a_store_that_ignores_ranges_is_not_believed(s3_server: S3Server, bucket: str):
    def answer_all_of_it(method, headers, forward):
        if method == "GET" and "Range" in headers:
            return 200, b"0123456789"
        return forward()

    with _Proxy(s3_server, answer_all_of_it) as proxy:
        store = _behind(proxy, s3_server, bucket)
        _put(store, "audio/a1.mp3", b"0123456789")
        with pytest.raises(Unavailable, match="ignores ranges"):
            store.open("audio/a1.mp3", 5)
        store.close()


def test_a_body_that_breaks_off_is_unavailable(s3_server: S3Server, bucket: str, tmp_path: Path):
    with _Proxy(s3_server, lambda method, headers, forward: forward()) as proxy:
        store = _behind(proxy, s3_server, bucket)
        _put(store, "audio/a1.mp3", b"x" * 1000)
        proxy.RequestHandlerClass = _HalfHandler
        with pytest.raises(Unavailable, match="connection was closed"):
            store.download_to("audio/a1.mp3", tmp_path / "out")
        assert not (tmp_path / "out").exists()
        store.close()


class _HalfHandler(_ProxyHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 500)
        self.close_connection = True
