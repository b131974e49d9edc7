"""One contract for objects that arrive in parts, on a real folder and a real S3 server."""

import hashlib
import os
import secrets
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from podhost.errors import Conflict, Invalid, NotFound
from podhost.storage import LocalStorage, S3Storage, Storage
from podhost.storage.multiparts import SMALLEST_PART_BYTES, Multiparts, Part
from tests.servers import S3Server

KEY = "uploads/0123456789abcdef"
BIG = os.urandom(SMALLEST_PART_BYTES)


@pytest.fixture
def s3(s3_server: S3Server, s3_bucket: str) -> Iterator[S3Storage]:
    store = s3_server.storage(s3_bucket, prefix=f"parts/{secrets.token_hex(6)}")
    yield store
    store.close()


@pytest.fixture
def folder(tmp_path: Path) -> LocalStorage:
    store = LocalStorage(tmp_path / "storage")
    store.check()
    return store


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    found: Storage = request.getfixturevalue(request.param)
    return found


class Sender:
    """Brings parts of one object."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        self.multiparts: Multiparts = storage.multiparts()
        self.id = self.multiparts.create(KEY, content_type="application/octet-stream")
        self._folder = folder

    def send(self, number: int, data: bytes) -> Part:
        path = self._folder / f"part-{secrets.token_hex(4)}"
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        return self.multiparts.put_part(KEY, self.id, number, path, sha256=digest)

    def stored(self) -> list[Part]:
        return list(self.multiparts.list_parts(KEY, self.id))

    def newest(self) -> list[Part]:
        return [*{part.number: part for part in self.stored()}.values()]

    def complete(self, parts: list[Part] | None = None) -> int:
        return self.multiparts.complete(KEY, self.id, self.stored() if parts is None else parts)


@pytest.fixture
def sender(storage: Storage, tmp_path: Path) -> Sender:
    return Sender(storage, storage.temporary_folder() or tmp_path)


def _read(storage: Storage) -> bytes:
    with storage.open(KEY) as reader:
        return reader.read()


def test_parts_in_any_order_become_one_object(storage: Storage, sender: Sender) -> None:
    assert sender.stored() == []
    last = sender.send(2, b"the end")
    first = sender.send(1, BIG)
    assert sender.stored() == [first, last]
    assert (first.size_bytes, last.size_bytes) == (len(BIG), 7)
    assert storage.find_stat(KEY) is None
    assert sender.complete() == len(BIG) + 7
    assert _read(storage) == BIG + b"the end"


def test_a_part_that_is_sent_again_takes_the_place_of_the_first(
    storage: Storage, sender: Sender
) -> None:
    before = sender.send(1, b"wrong")
    after = sender.send(1, b"right")
    assert before.etag != after.etag
    assert after in sender.stored()
    sender.complete([after])
    assert _read(storage) == b"right"


def test_of_two_who_send_the_same_part_one_counts(storage: Storage, sender: Sender) -> None:
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda n: sender.send(1, f"try {n}".encode()), range(8)))
    (counts,) = sender.newest()
    assert counts in sent
    sender.complete([counts])
    assert _read(storage) == f"try {sent.index(counts)}".encode()


def test_completing_twice_is_fine(storage: Storage, sender: Sender) -> None:
    parts = [sender.send(1, b"once")]
    assert sender.complete(parts) == 4
    assert sender.complete(parts) == 4
    assert _read(storage) == b"once"


def test_a_part_that_is_not_there_is_not_put_together(storage: Storage, sender: Sender) -> None:
    there = sender.send(1, b"before")
    with pytest.raises(Invalid):
        sender.complete([Part(1, 6, '"' + "0" * 32 + '"')])
    assert storage.find_stat(KEY) is None
    assert sender.stored() == [there]


def test_what_is_aborted_is_gone_and_aborting_again_is_fine(
    storage: Storage, sender: Sender
) -> None:
    part = sender.send(1, b"some")
    sender.multiparts.abort(KEY, sender.id)
    sender.multiparts.abort(KEY, sender.id)
    with pytest.raises(NotFound):
        sender.stored()
    with pytest.raises(NotFound):
        sender.send(1, b"late")
    with pytest.raises(NotFound):
        sender.complete([part])
    assert storage.find_stat(KEY) is None
    assert [*sender.multiparts.list_open()] == []


def test_open_ones_are_listed_until_they_are_complete(storage: Storage, sender: Sender) -> None:
    sender.send(1, b"some")
    (found,) = sender.multiparts.list_open()
    assert (found.key, found.multipart_id) == (KEY, sender.id)
    assert abs((datetime.now(UTC) - found.began_at).total_seconds()) < 60
    assert [*sender.multiparts.list_open("uploads/ff")] == []
    sender.complete()
    assert [*sender.multiparts.list_open()] == []


def test_what_may_take_days_is_no_leftover(storage: Storage, sender: Sender) -> None:
    part = sender.send(1, b"some")
    assert storage.sweep_temporary(-60) == 0
    assert sender.stored() == [part]


def test_a_stored_object_can_be_moved_without_being_lost(storage: Storage, tmp_path: Path) -> None:
    storage.put_bytes(KEY, b"some audio", content_type="audio/mpeg")
    path = (storage.temporary_folder() or tmp_path) / "named"
    if storage.link_to(KEY, path):
        storage.put_file("audio/a1.mp3", path, content_type="audio/mpeg", move=True)
        assert storage.size("audio/a1.mp3") == 10
    assert _read(storage) == b"some audio"


def test_a_link_to_nothing_is_not_found(folder: LocalStorage, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        folder.link_to(KEY, tmp_path / "named")


def test_browsers_send_parts_straight_to_the_bucket(s3: S3Storage, tmp_path: Path) -> None:
    sender = Sender(s3, tmp_path)
    url = sender.multiparts.part_url(KEY, sender.id, 1, expires_seconds=60)
    assert url is not None
    assert url.startswith(f"{s3.browser_origin()}/")
    request = urllib.request.Request(url, method="PUT", data=b"straight")
    with urllib.request.urlopen(request) as answer:
        etag = answer.headers["ETag"]
    assert sender.stored() == [Part(1, 8, etag)]
    sender.complete()
    assert _read(s3) == b"straight"


def test_parts_for_a_folder_come_through_us(folder: LocalStorage, tmp_path: Path) -> None:
    sender = Sender(folder, tmp_path)
    assert sender.multiparts.part_url(KEY, sender.id, 1, expires_seconds=60) is None
    assert folder.browser_origin() is None


def test_a_folder_keeps_parts_over_a_restart_and_nothing_once_they_are_complete(
    folder: LocalStorage, tmp_path: Path
) -> None:
    first = Sender(folder, tmp_path)
    first.send(1, BIG)
    first.send(2, b"the end")
    again = LocalStorage(folder.root).multiparts()
    parts = again.list_parts(KEY, first.id)
    assert [part.number for part in parts] == [1, 2]
    again.complete(KEY, first.id, parts)
    assert [path.name for path in (folder.root / "tmp").iterdir()] == []


def test_the_newest_counts_where_a_kill_left_two(folder: LocalStorage, tmp_path: Path) -> None:
    sender = Sender(folder, tmp_path)
    sender.send(1, b"before")
    (parts,) = (folder.root / "tmp").iterdir()
    (old,) = parts.iterdir()
    kept = tmp_path / old.name
    os.link(old, kept)
    new = sender.send(1, b"after")
    kept.replace(parts / old.name)
    os.utime(parts / old.name, (1, 1))
    assert sender.stored() == [new]


def test_a_kill_between_putting_together_and_forgetting_leaves_nothing(
    folder: LocalStorage, tmp_path: Path
) -> None:
    sender = Sender(folder, tmp_path)
    parts = [sender.send(1, b"whole")]
    # What the killed one had done already.
    folder.put_bytes(KEY, b"whole", content_type="")
    assert sender.complete(parts) == 5
    assert [*sender.multiparts.list_open()] == []


@pytest.mark.parametrize("wrong", ["../../etc", "", "x" * 32, "0" * 31])
def test_ids_that_no_storage_gave_are_refused(folder: LocalStorage, wrong: str) -> None:
    with pytest.raises(ValueError, match="unfinished"):
        folder.multiparts().list_parts(KEY, wrong)


def test_a_taken_key_is_the_callers_mistake(folder: LocalStorage) -> None:
    with pytest.raises(ValueError, match="key"):
        folder.multiparts().create("tmp/x", content_type="")
    with pytest.raises(Conflict):
        for _ in range(2):
            folder.put_bytes(KEY, b"", content_type="")
