"""Objects in parts, in a folder of the local disk: a folder for each under `tmp/`, a file a part.

A part gets its name when it is on the disk whole, so what was interrupted is not there. Its name
says its number and the SHA-256 of its bytes, so nothing else has to be kept.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from podhost.errors import Conflict, Invalid, NotFound
from podhost.storage.contract import CHUNK_BYTES, Storage, check_key, disk_errors, sync_folder
from podhost.storage.multiparts import UPLOADS, OpenMultipart, Part, unknown_multipart

_FOLDER = re.compile(r"parts-([0-9a-f]{32})-([a-z0-9._+-]+)")
_PART = re.compile(r"([0-9]{5})-([0-9a-f]{64})")
# A folder's name holds 255 bytes.
_LONGEST_KEY = 200
_NO_COPY_RANGE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)


class FolderMultiparts:
    """Unfinished objects of a folder storage. Processes may share the folder."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def create(self, key: str, *, content_type: str) -> str:
        if len(check_key(key)) > _LONGEST_KEY or "+" in key:
            raise ValueError(f"not a key for parts: {key!r}")
        multipart_id = secrets.token_hex(16)
        folder = self._folder(key, multipart_id)
        with disk_errors(folder.parent):
            folder.mkdir()
            sync_folder(folder.parent)
        return multipart_id

    def part_url(
        self, key: str, multipart_id: str, number: int, *, expires_seconds: int
    ) -> str | None:
        return None

    def put_part(
        self, key: str, multipart_id: str, number: int, path: Path, *, sha256: str
    ) -> Part:
        """Store a part; a file in the storage's temporary folder is moved, not copied."""
        folder = self._folder(key, multipart_id)
        with disk_errors(folder.parent):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                size_bytes = os.fstat(file.fileno()).st_size
            with self._locked(key, folder) as descriptor:
                name = f"{number:05d}-{sha256}"
                _move(path, folder / name)
                for before in folder.glob(f"{number:05d}-*"):
                    if before.name != name:
                        before.unlink(missing_ok=True)
                os.fsync(descriptor)
        return Part(number, size_bytes, f'"{sha256}"')

    def list_parts(self, key: str, multipart_id: str) -> Sequence[Part]:
        folder = self._folder(key, multipart_id)
        found: dict[int, tuple[int, Part]] = {}
        with disk_errors(folder.parent):
            for entry in self._entries(key, folder):
                match = _PART.fullmatch(entry.name)
                if match is None:
                    continue
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    part = Part(int(match[1]), status.st_size, f'"{match[2]}"')
                    # Two are there when the program was killed between storing one and removing
                    # the one before.
                    newest = max(
                        found.get(part.number, (0, part)),
                        (status.st_mtime_ns, part),
                        key=lambda each: each[0],
                    )
                    found[part.number] = newest
        return [found[number][1] for number in sorted(found)]

    def changed_at(self, key: str, multipart_id: str) -> datetime | None:
        folder = self._folder(key, multipart_id)
        with disk_errors(folder.parent):
            entries = self._entries(key, folder)
            # The folder's own time is the moment in which the newest got its name.
            seconds = folder.stat().st_mtime if entries else None
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None

    def complete(self, key: str, multipart_id: str, parts: Sequence[Part]) -> int:
        """Put it together, copied once, inside the file system where it can."""
        folder = self._folder(key, multipart_id)
        stored = self._storage.find_stat(key)
        if stored is None:
            self._publish(key, folder, parts)
            stored = self._storage.find_stat(key)
        self.abort(key, multipart_id)
        size_bytes = sum(part.size_bytes for part in parts)
        return stored.size_bytes if stored is not None else size_bytes

    def abort(self, key: str, multipart_id: str) -> None:
        folder = self._folder(key, multipart_id)
        # Whoever is storing a part ends that first.
        with disk_errors(folder.parent), suppress(NotFound), self._locked(key, folder):
            shutil.rmtree(folder)

    def list_open(self, prefix: str = UPLOADS) -> Iterator[OpenMultipart]:
        temporary = self._temporary()
        with disk_errors(temporary):
            for entry in list(os.scandir(temporary)):
                match = _FOLDER.fullmatch(entry.name)
                key = match[2].replace("+", "/") if match else ""
                if match is None or not key.startswith(prefix):
                    continue
                with suppress(FileNotFoundError):
                    seconds = entry.stat(follow_symlinks=False).st_mtime
                    yield OpenMultipart(key, match[1], datetime.fromtimestamp(seconds, UTC))

    def _temporary(self) -> Path:
        temporary = self._storage.temporary_folder()
        assert temporary is not None, "a folder storage has one"
        return temporary

    def _folder(self, key: str, multipart_id: str) -> Path:
        name = f"parts-{multipart_id}-{check_key(key).replace('/', '+')}"
        if not _FOLDER.fullmatch(name):
            raise ValueError(f"not the id of an unfinished object: {multipart_id!r}")
        return self._temporary() / name

    def _entries(self, key: str, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except FileNotFoundError:
            raise unknown_multipart(key) from None

    @contextmanager
    def _locked(self, key: str, folder: Path) -> Iterator[int]:
        """Hold the folder: of two who bring the same part anew, each would remove the other's."""
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            raise unknown_multipart(key) from None
        try:
            # Where the file system knows no locks, nobody is kept out.
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not folder.exists():
                raise unknown_multipart(key)
            yield descriptor
        finally:
            os.close(descriptor)

    def _publish(self, key: str, folder: Path, parts: Sequence[Part]) -> None:
        paths = [folder / f"{part.number:05d}-{part.etag.strip(chr(34))}" for part in parts]
        whole = folder.parent / f"whole-{secrets.token_hex(8)}"
        with disk_errors(folder.parent):
            try:
                self._assemble(key, folder, paths, whole)
                # Somebody else may have done the same meanwhile.
                with suppress(Conflict):
                    self._storage.put_file(key, whole, content_type="", move=True)
            finally:
                whole.unlink(missing_ok=True)

    def _assemble(self, key: str, folder: Path, paths: Sequence[Path], whole: Path) -> None:
        if not folder.exists():
            raise unknown_multipart(key)
        try:
            with whole.open("xb", buffering=0) as target:
                for path in paths:
                    with path.open("rb", buffering=0) as source:
                        _append(source, target)
        except FileNotFoundError:
            raise Invalid(
                "A part is another one by now than was named, or is not there; send it again."
            ) from None


def _move(path: Path, target: Path) -> None:
    try:
        path.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f"new-{secrets.token_hex(8)}")
        try:
            shutil.copyfile(path, beside)
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)


def _append(source: BinaryIO, target: BinaryIO) -> None:
    """Copy inside the kernel; file systems that can share blocks copy nothing."""
    try:
        while os.copy_file_range(source.fileno(), target.fileno(), 1 << 30):
            pass
    except (OSError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_COPY_RANGE:
            raise
        # Both stand where the last copy ended.
        while chunk := source.read(CHUNK_BYTES):
            view = memoryview(chunk)
            while view:
                view = view[target.write(view) :]
