"""Where an exported show is written to: a folder, or one archive (ZIP) on its way into the storage.

A target knows names and bytes, and nothing of shows. It appears whole or not at all.
"""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from podhost.errors import Conflict, Invalid
from podhost.formats.text import shown
from podhost.storage import Storage, Writer, disk_errors, lock_named, sync_folder

_COPIED_BYTES = 1024 * 1024


class Target(Protocol):
    """What takes the files of one show, each name once."""

    def put(self, name: str, data: bytes) -> None:
        """A small file. Raises Unavailable."""
        ...

    def copy(self, storage: Storage, key: str, name: str) -> tuple[int, str]:
        """A file out of the storage; its size in bytes and its SHA-256 in hexadecimal.

        Raises NotFound, and then there is no file `name`, and Unavailable.
        """
        ...

    def take_back(self, name: str) -> None:
        """The file that came last is not to be there after all."""
        ...


# The archive


class _Hashed:
    """A writer of the storage as `zipfile` wants it, which hashes what goes through."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._digest = hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        self._digest.update(data)
        return self._writer.write(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Whoever has the writer closes it."""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


@dataclass(slots=True)
class _Archive:
    """Every file stands below one folder, so that unpacking makes a mess nowhere."""

    archive: zipfile.ZipFile
    folder: str
    made_at: datetime

    def put(self, name: str, data: bytes) -> None:
        entry = self._entry(name)
        entry.compress_type = zipfile.ZIP_DEFLATED
        self.archive.writestr(entry, data)

    def copy(self, storage: Storage, key: str, name: str) -> tuple[int, str]:
        entry = self._entry(name)
        # Tells whether it needs the large form of an entry; what is written decides.
        entry.file_size = storage.size(key)
        digest, size_bytes = hashlib.sha256(), 0
        with storage.open(key) as source, self.archive.open(entry, "w") as target:
            while piece := source.read(_COPIED_BYTES):
                digest.update(piece)
                size_bytes += target.write(piece)
        return size_bytes, digest.hexdigest()

    def take_back(self, name: str) -> None:
        # Its bytes have gone out already. What the directory at the end does not name is no file
        # of the archive (APPNOTE.TXT 4.3.1).
        entry = self.archive.NameToInfo.pop(f"{self.folder}/{name}")
        self.archive.filelist.remove(entry)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        # The format can say no year before 1980.
        moment = max(self.made_at.timetuple()[:6], (1980, 1, 1, 0, 0, 0))
        entry = zipfile.ZipInfo(f"{self.folder}/{name}", moment)
        entry.external_attr = 0o644 << 16
        return entry


@dataclass(slots=True)
class StoredArchive:
    """An archive that is being written; size and hash are known when it has appeared."""

    target: Target
    size_bytes: int = 0
    sha256: str = ""


@contextmanager
def appearing_archive(
    storage: Storage, key: str, *, content_type: str, folder: str, made_at: datetime
) -> Iterator[StoredArchive]:
    """An archive that goes into the storage as it is written, and appears when the block ends well.

    Sound is stored as it is and texts are packed; no file lies anywhere else meanwhile. Raises
    Unavailable.
    """
    with storage.writer(key, content_type=content_type) as writer:
        hashed = _Hashed(writer)
        with zipfile.ZipFile(hashed, "w", zipfile.ZIP_STORED) as archive:
            stored = StoredArchive(_Archive(archive, folder, made_at))
            yield stored
        stored.size_bytes, stored.sha256 = writer.commit(), hashed.sha256


# The folder


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder of plain files."""

    path: Path

    def put(self, name: str, data: bytes) -> None:
        path = self.path / name
        with disk_errors(self.path):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)

    def copy(self, storage: Storage, key: str, name: str) -> tuple[int, str]:
        path = self.path / name
        with disk_errors(self.path):
            path.parent.mkdir(exist_ok=True)
        return storage.download_to(key, path)

    def take_back(self, name: str) -> None:
        with disk_errors(self.path):
            (self.path / name).unlink()


@contextmanager
def appearing_folder(target: Path) -> Iterator[Target]:
    """An unfinished folder beside `target`, which takes its place when the block ends well.

    What a killed export left there is cleared away by the next one. Raises Invalid for a folder
    that has anything in it, Conflict when another export writes there, and Unavailable.
    """
    _require_empty(target)
    target = target.resolve()
    unfinished = target.with_name(f".{target.name}.unfinished")
    with disk_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.mkdir(exist_ok=True)
        descriptor = os.open(unfinished, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if not lock_named(descriptor, unfinished):
            raise Conflict(f"Another export to {shown(str(target))} is under way.")
        try:
            _clear(unfinished)
            yield _Folder(unfinished)
            with disk_errors(target.parent):
                _sync(unfinished)
                _require_empty(target)
                unfinished.rename(target)
                sync_folder(target.parent)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    finally:
        os.close(descriptor)


def _require_empty(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise Invalid(f"{shown(str(target))} is there already and is no folder; name a new one.")
    with disk_errors(target):
        is_used = target.exists() and any(target.iterdir())
    if is_used:
        raise Invalid(f"The folder {shown(str(target))} is not empty; name a new one.")


def _clear(folder: Path) -> None:
    with disk_errors(folder):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _sync(folder: Path) -> None:
    """Make all files durable, before the folder's name says that they are there."""
    for path, _, names in os.walk(folder):
        for name in names:
            with (Path(path) / name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(path))
