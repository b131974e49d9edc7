"""A store in a folder of the local disk; it must leave every other folder alone.

An object is a file under its key. It is written under `tmp/`, flushed to the disk, linked to its
place and the folder flushed, so that after a power loss it is there whole or not at all.
"""

import errno
import os
import stat as file_kinds
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from podhost.errors import Unavailable
from podhost.storage.contract import (
    Reader,
    Stat,
    Storage,
    Writer,
    check_key,
    check_prefix,
    check_range,
    disk_errors,
    is_key,
    missing,
    sync_folder,
    taken,
)
from podhost.storage.folder_multiparts import FolderMultiparts
from podhost.storage.multiparts import Multiparts

# A hard link cannot cross file systems, nor be made to a file of another account; a copy can.
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK)


class LocalStorage(Storage):
    """Objects as files under `root`. Content types are not kept: whoever serves them knows."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self._temporary = self.root / "tmp"
        self._durable_folders: set[Path] = set()
        # Whether `tmp/` was there once, by which we know our folder again.
        self._has_begun = False

    def __repr__(self) -> str:
        return f"LocalStorage({str(self.root)!r})"

    def check(self) -> None:
        """Make the folder if need be, and try what every put does: write, link, remove."""
        with disk_errors(self.root):
            if self.root.exists() and not self.root.is_dir():
                raise Unavailable(f"The storage {self.root} is not a folder.")
            self._make_temporary()
            with tempfile.NamedTemporaryFile(dir=self._temporary, prefix="check-") as probe:
                probe.write(b"podhost")
                probe.flush()
                link = Path(probe.name + ".link")
                os.link(probe.name, link)
                link.unlink()

    def writer(
        self,
        key: str,
        *,
        content_type: str,
        cache_control: str | None = None,
        content_encoding: str | None = None,
        modified_at: datetime | None = None,
        overwrite: bool = False,
    ) -> Writer:
        return _FileWriter(self, key, self._path(key), overwrite, modified_at)

    def put_file(self, key: str, path: Path, *, content_type: str, move: bool = False) -> int:
        """Store a finished local file; with `move` a link does, on the same file system."""
        target = self._path(key)
        if not move or path.is_symlink():
            return super().put_file(key, path, content_type=content_type, move=move)
        with disk_errors(self.root):
            self._make_temporary()
            with path.open("rb") as file:
                os.fchmod(file.fileno(), self._file_mode())
                # Age is counted from when an object appears, not from when its upload began.
                os.utime(file.fileno())
                os.fsync(file.fileno())
                size_bytes = os.fstat(file.fileno()).st_size
            try:
                self._publish(key, path, target, overwrite=False)
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
            else:
                return size_bytes
        return super().put_file(key, path, content_type=content_type, move=True)

    def open(self, key: str, start: int = 0, end: int | None = None) -> Reader:
        check_range(start, end)
        path = self._path(key)
        with disk_errors(self.root):
            try:
                file = path.open("rb", buffering=0)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                self._check_root()
                raise missing(key) from None
            try:
                file.seek(start)
            except BaseException:
                file.close()
                raise
        left = None if end is None else end - start
        return Reader(file, left, partial(disk_errors, self.root))

    def find_stat(self, key: str) -> Stat | None:
        path = self._path(key)
        with disk_errors(self.root):
            try:
                found = path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                self._check_root()
                return None
        return _stat(key, found) if file_kinds.S_ISREG(found.st_mode) else None

    def local_path(self, key: str) -> Path | None:
        return self._path(key)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with disk_errors(self.root):
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                self._check_root()
            else:
                sync_folder(path.parent)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        at = check_prefix(prefix).rpartition("/")[0]
        folder = self.root / at
        if os.path.realpath(folder) != str(folder):
            return iter(())
        return self._walk(folder, at + "/" if at else "", prefix)

    def copy(
        self,
        source_key: str,
        target_key: str,
        *,
        content_type: str | None = None,
        cache_control: str | None = None,
        may_share: bool = False,
    ) -> None:
        if may_share and self._share(self._path(source_key), target_key, self._path(target_key)):
            return
        # Not a link: the copy would have the age of its source, and a sweep could take it.
        with self.open(source_key) as source, self.writer(target_key, content_type="") as target:
            while chunk := source.read(1024 * 1024):
                target.write(chunk)
            target.commit()

    def link_to(self, key: str, path: Path) -> bool:
        """A hard link, on the same file system."""
        source = self._path(key)
        with disk_errors(self.root):
            try:
                os.link(source, path)
            except FileNotFoundError:
                self._check_root()
                raise missing(key) from None
            except OSError as error:
                if error.errno in _NO_LINK:
                    return False
                raise
        return True

    def multiparts(self) -> Multiparts:
        return FolderMultiparts(self)

    def temporary_folder(self) -> Path | None:
        """`tmp/` under the root, made if need be; sweep_temporary takes what gets old in it."""
        with disk_errors(self.root):
            self._make_temporary()
        return self._temporary

    def sweep_temporary(self, older_than_seconds: float) -> int:
        """Remove files (not folders) that lie in `tmp/` and were last written before that."""
        oldest = time.time() - older_than_seconds
        removed = 0
        with disk_errors(self.root):
            self._check_root()
            if not self._temporary.is_dir():
                return 0
            for path in self._temporary.iterdir():
                # A writer may finish, and its file go, while we look.
                with suppress(FileNotFoundError):
                    found = path.lstat()
                    if not file_kinds.S_ISDIR(found.st_mode) and found.st_mtime < oldest:
                        path.unlink()
                        removed += 1
        return removed

    def close(self) -> None:
        """There is nothing to let go of."""

    def _path(self, key: str) -> Path:
        path = self.root / check_key(key)
        if os.path.realpath(path) != str(path):
            raise Unavailable(
                f"{path} is, or lies behind, a symbolic link: podhost follows none in its storage."
            )
        return path

    def _check_root(self) -> None:
        """A disk that is not mounted must not look like one on which nothing is stored.

        Nor may it be written to: what lies in the empty folder underneath is hidden once the disk
        is back.
        """
        if not self.root.is_dir():
            raise Unavailable(f"The storage folder {self.root} does not exist or is not a folder.")
        if self._has_begun and not self._temporary.is_dir():
            raise Unavailable(
                f"The storage folder {self.root} is not what it was, its tmp/ is gone; is the "
                "right disk mounted there? If it is, restart podhost."
            )

    def _make_temporary(self) -> None:
        """`tmp/`, the first time only."""
        if self._has_begun:
            self._check_root()
        else:
            self._make_folder(self._temporary)
            self._has_begun = True

    def _file_mode(self) -> int:
        """Files may be read by whoever may enter the folder, so the umask rules both."""
        return self._temporary.stat().st_mode & 0o666

    def _new_file(self) -> tuple[int, Path]:
        self._make_temporary()
        descriptor, name = tempfile.mkstemp(dir=self._temporary, prefix="put-")
        os.fchmod(descriptor, self._file_mode())
        return descriptor, Path(name)

    def _publish(self, key: str, finished: Path, target: Path, overwrite: bool) -> None:
        """Give a flushed file its name; raises OSError. rename() would replace a taken name."""
        self._make_folder(target.parent)
        if overwrite:
            finished.replace(target)
        else:
            try:
                os.link(finished, target)
            except FileExistsError:
                raise taken(key) from None
        sync_folder(target.parent)
        if not overwrite:
            # It is stored: a second name that stays behind in `tmp/` is for sweep_temporary.
            with suppress(OSError):
                finished.unlink()

    def _share(self, source: Path, key: str, target: Path) -> bool:
        """Give a stored file a second name; False where that cannot be, or there is no file."""
        with disk_errors(self.root):
            self._make_temporary()
            self._make_folder(target.parent)
            try:
                os.link(source, target)
            except FileExistsError:
                raise taken(key) from None
            except OSError as error:
                if error.errno in (*_NO_LINK, errno.ENOENT, errno.ENOTDIR):
                    return False
                raise
            sync_folder(target.parent)
        return True

    def _make_folder(self, folder: Path) -> None:
        """Make it with its parents and flush each name.

        Also when another process made it: nobody knows whether that one has flushed it yet.
        """
        inside = folder.is_relative_to(self.root)
        if folder.is_dir() and (not inside or folder in self._durable_folders):
            return
        if folder != folder.parent:
            self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
        self._durable_folders.add(folder)

    def _walk(self, folder: Path, at: str, prefix: str) -> Iterator[Stat]:
        for entry in self._entries(folder, at):
            key = at + entry.name
            if entry.is_dir(follow_symlinks=False):
                key += "/"
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._walk(folder / entry.name, key, prefix)
            elif entry.is_file(follow_symlinks=False) and key.startswith(prefix):
                with disk_errors(self.root):
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # It was deleted since the folder was read.
                yield _stat(key, found)

    def _entries(self, folder: Path, at: str) -> Sequence[os.DirEntry[str]]:
        """What may be an object or hold one: strange names are not ours."""
        with disk_errors(self.root):
            try:
                with os.scandir(folder) as entries:
                    return [entry for entry in entries if is_key(at + entry.name)]
            except (FileNotFoundError, NotADirectoryError):
                self._check_root()
                return []


class _FileWriter:
    """Writes under `tmp/` without a buffer, so that a full disk shows where it happens."""

    def __init__(
        self,
        storage: LocalStorage,
        key: str,
        target: Path,
        overwrite: bool,
        modified_at: datetime | None,
    ) -> None:
        self._storage = storage
        self._modified_at = modified_at
        self._key = key
        self._target = target
        self._overwrite = overwrite
        self._size_bytes = 0
        with disk_errors(storage.root):
            if not overwrite and target.exists():
                raise taken(key)
            self._descriptor: int | None
            self._descriptor, self._path = storage._new_file()

    def write(self, data: bytes, /) -> int:
        if self._descriptor is None:
            raise ValueError("this writer is closed")
        view = memoryview(data)
        with disk_errors(self._storage.root):
            while view:
                view = view[os.write(self._descriptor, view) :]
        self._size_bytes += len(data)
        return len(data)

    def commit(self) -> int:
        if self._descriptor is None:
            raise ValueError("this writer is closed")
        with disk_errors(self._storage.root):
            if self._modified_at is not None:
                seconds = self._modified_at.timestamp()
                os.utime(self._descriptor, (seconds, seconds))
            os.fsync(self._descriptor)
            stored = os.fstat(self._descriptor).st_size
            if stored != self._size_bytes:
                raise Unavailable(f"Of {self._size_bytes} bytes the disk has {stored}.")
            self._storage._publish(self._key, self._path, self._target, self._overwrite)
            self._close()
        return stored

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            # What stays behind here is taken by sweep_temporary.
            with suppress(OSError):
                self._close()
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        assert self._descriptor is not None
        descriptor, self._descriptor = self._descriptor, None
        os.close(descriptor)


def _stat(key: str, found: os.stat_result) -> Stat:
    return Stat(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
