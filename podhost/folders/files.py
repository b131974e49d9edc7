"""Single files of a show's folder: finds, opens, hashes, copies and, rarely, writes them.

It does not know what a file means. Nothing outside of the folder is ever opened, whatever links
and paths say and whoever changes them meanwhile, and only regular files are: the folder may be
filled by somebody who may not read what podhost may.
"""

import errno
import hashlib
import os
import secrets
import stat
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from podhost.errors import Invalid
from podhost.formats import front_matter
from podhost.formats.text import shown
from podhost.storage import disk_errors

# A file that changed this lately may change again without its times saying so.
_FRESH_NS = 2_000_000_000
_HASHES_LIMIT = 100_000
_BLOCK_BYTES = 1 << 20
# More than a day of MP3 at its highest bitrate, and as much as S3 takes in one piece.
FILE_LIMIT_BYTES = 5_000_000_000
# A show of 5,000 episodes has 30,000 files.
ENTRIES_LIMIT = 100_000
# Opening a pipe must not wait for whoever writes into it.
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_DIRECTORY


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A regular file in the folder `root`: `name` as people call it, `path` with all links
    followed."""

    name: str
    path: Path
    root: Path
    # Device, inode, bytes, time of change: while they are the same, so is the content.
    mark: tuple[int, int, int, int]

    @property
    def size_bytes(self) -> int:
        """How long it was when it was found."""
        return self.mark[2]


class MissingError(Invalid):
    """A file that a text names cannot be used; `key` says where in the text it is named."""

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message)
        self.key = key


def listed(folder: Path) -> list[Path]:
    """What lies right in the folder, by name. Raises Invalid with a sentence."""
    try:
        found = [*islice(folder.iterdir(), ENTRIES_LIMIT + 1)]
    except OSError as error:
        raise Invalid(f"{shown(str(folder))} cannot be read: {reason(error)}.") from None
    if len(found) > ENTRIES_LIMIT:
        raise Invalid(
            f"There are more than {ENTRIES_LIMIT} files in {shown(str(folder))}, "
            "which is no show's folder."
        )
    return sorted(found)


def find_file(root: Path, name: str, key: str = "") -> FolderFile:
    """The file called `name` in the folder. Raises Invalid for what is not there or not inside."""
    # Some systems keep accents apart from their letters.
    for form in (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)):
        try:
            path = (root / form).resolve(strict=True)
            found = path.stat()
        except FileNotFoundError:
            continue
        except (OSError, RuntimeError) as error:
            raise MissingError(f"{shown(name)} cannot be read: {reason(error)}.", key) from None
        if not path.is_relative_to(root):
            raise MissingError(
                f"{shown(name)} leads out of the show's folder; copy the file into it.", key
            )
        if not stat.S_ISREG(found.st_mode):
            raise MissingError(f"{shown(name)} is not a file.", key)
        return FolderFile(name, path, root, _mark(found))
    raise MissingError(f"There is no file {shown(name)} in the show's folder.", key)


def reason(error: BaseException) -> str:
    """Why the system refused, in its words."""
    return (getattr(error, "strerror", None) or "its links lead in a circle").lower()


# Reading


@contextmanager
def opened(file: FolderFile) -> Iterator[BinaryIO]:
    """The file, open for reading. Raises OSError; also when it is no file inside any more.

    No link is followed: `path` had none, so one that stands there now was put there to lead away.
    """
    with _folder_of(file) as folder:
        descriptor = os.open(file.path.name, _READING, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as source:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "It is not a file any more")
        yield source


@contextmanager
def _folder_of(file: FolderFile) -> Iterator[int]:
    """A descriptor of the folder in which the file lies, reached without following a link."""
    descriptor = os.open(file.root, _FOLDER)
    try:
        for part in file.path.relative_to(file.root).parts[:-1]:
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def read_bytes(file: FolderFile, limit_bytes: int) -> bytes:
    """The content, and at most one byte more than `limit_bytes`. Raises OSError."""
    with opened(file) as source:
        return source.read(limit_bytes + 1)


def copy_to(file: FolderFile, target: Path) -> str:
    """Copy the content to `target`, outside of the folder, where nobody changes it; its SHA-256.

    Raises Invalid with a sentence when it cannot be read or changed since it was found, and
    Unavailable when the copy cannot be written.
    """
    digest = hashlib.sha256()
    try:
        with opened(file) as source:
            with disk_errors(target.parent):
                copy = target.open("wb")
            with copy:
                for block in _blocks(source, file.size_bytes + 1):
                    digest.update(block)
                    with disk_errors(target.parent):
                        copy.write(block)
                with disk_errors(target.parent):
                    copy.flush()
    except OSError as error:
        raise Invalid(f"{shown(file.name)} cannot be read: {reason(error)}.") from None
    if target.stat().st_size != file.size_bytes or not is_unchanged(file):
        raise Invalid(f"{shown(file.name)} changed while it was read; publish again.")
    return digest.hexdigest()


def _blocks(source: BinaryIO, limit_bytes: int) -> Iterator[bytes]:
    """The content up to a limit, because a file may grow faster than it is read."""
    while limit_bytes > 0 and (block := source.read(min(_BLOCK_BYTES, limit_bytes))):
        limit_bytes -= len(block)
        yield block


def is_unchanged(file: FolderFile) -> bool:
    """Whether the file is still the one that was found."""
    try:
        return _mark(file.path.lstat()) == file.mark
    except OSError:
        return False


_hashes: dict[tuple[object, ...], str] = {}


def sha256_of(file: FolderFile) -> str:
    """The SHA-256 of the content, in hexadecimal. Raises Invalid with a sentence.

    It is remembered while the process lives, so that a watched folder is not read whole each time.
    """
    try:
        found = file.path.lstat()
        key = (file.path, *_mark(found), found.st_ctime_ns)
        if key in _hashes:
            return _hashes[key]
        if found.st_size > FILE_LIMIT_BYTES:
            limit = FILE_LIMIT_BYTES // 10**9
            raise Invalid(f"{shown(file.name)} is larger than {limit} GB.")
        digest = hashlib.sha256()
        with opened(file) as source:
            for block in _blocks(source, found.st_size):
                digest.update(block)
    except OSError as error:
        raise Invalid(f"{shown(file.name)} cannot be read: {reason(error)}.") from None
    if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _FRESH_NS:
        if len(_hashes) >= _HASHES_LIMIT:
            _hashes.clear()
        _hashes[key] = digest.hexdigest()
    return digest.hexdigest()


def _mark(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


# Writing


def is_writable(file: FolderFile) -> bool:
    """Whether the file may be replaced by one with a line more."""
    return os.access(file.path, os.W_OK) and os.access(file.path.parent, os.W_OK)


def rewrite(file: FolderFile, old: str, new: str) -> None:
    """Put `new` in the place of the text `old`, whole or not at all, in the same mode.

    Raises Invalid when the file does not say `old` any more, OSError when it cannot be written.
    """
    if not is_writable(file):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if read_bytes(file, front_matter.MAX_FILE_BYTES) != old.encode():
        raise Invalid(f"{shown(file.name)} was changed meanwhile; publish again.")
    name = file.path.name
    with _folder_of(file) as folder:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        with _written(folder, new, mode & 0o777) as temporary:
            # The rename is what makes it whole: a crash leaves either the old text or the new one.
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        _sync(folder)


def create_text(beside: FolderFile, stem: str, text: str) -> FolderFile:
    """A new text file next to an audio file, with the audio's mode.

    Raises Invalid when there is one by now, OSError when it cannot be written.
    """
    if not os.access(beside.path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    name = f"{stem}.md"
    with _folder_of(beside) as folder:
        mode = os.stat(beside.path.name, dir_fd=folder, follow_symlinks=False).st_mode
        with _written(folder, text, mode & 0o666 | 0o600) as temporary:
            try:
                # A link, unlike a rename, never takes the place of a file that appeared meanwhile.
                os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except FileExistsError:
                raise Invalid(f"{shown(name)} appeared meanwhile; publish again.") from None
        _sync(folder)
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return FolderFile(name, beside.path.parent / name, beside.root, _mark(found))


@contextmanager
def _written(folder: int, text: str, mode: int) -> Iterator[str]:
    """The name of a finished, durable, hidden file in the folder, which is gone afterwards."""
    name = f".podhost-{secrets.token_hex(8)}.tmp"
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as made:
            made.write(text.encode())
            made.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        yield name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


def _sync(folder: int) -> None:
    # Some network file systems cannot; they do it by themselves or not at all.
    with suppress(OSError):
        os.fsync(folder)
