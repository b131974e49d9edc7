"""Single files of a show's folder: finds, reads, hashes and, rarely, writes them.

It does not know what a file means. Nothing outside of the folder is ever opened, whatever links
and paths say, and only regular files are.
"""

import errno
import os
import stat
import tempfile
import time
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from podhost.artwork import file_sha256
from podhost.errors import Invalid
from podhost.formats import front_matter
from podhost.formats.front_matter import shown

# A file that changed this lately may change again without its times saying so.
_FRESH_NS = 2_000_000_000
_HASHES_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A regular file in the folder: `name` as people call it, `path` with all links followed."""

    name: str
    path: Path
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
        return sorted(folder.iterdir())
    except OSError as error:
        raise Invalid(f"{shown(str(folder))} cannot be read: {reason(error)}.") from None


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
        return FolderFile(name, path, _mark(found))
    raise MissingError(f"There is no file {shown(name)} in the show's folder.", key)


def reason(error: BaseException) -> str:
    """Why the system refused, in its words."""
    return (getattr(error, "strerror", None) or "its links lead in a circle").lower()


# Reading


def read_bytes(file: FolderFile, limit_bytes: int) -> bytes:
    """The content, and at most one byte more than `limit_bytes`. Raises OSError."""
    with file.path.open("rb") as opened:
        return opened.read(limit_bytes + 1)


def is_unchanged(file: FolderFile) -> bool:
    """Whether the file is still the one that was found."""
    try:
        return _mark(file.path.stat()) == file.mark
    except OSError:
        return False


_hashes: dict[tuple[object, ...], str] = {}


def sha256_of(file: FolderFile) -> str:
    """The SHA-256 of the content, in hexadecimal. Raises Invalid with a sentence.

    It is remembered while the process lives, so that a watched folder is not read whole each time.
    """
    try:
        found = file.path.stat()
        key = (file.path, *_mark(found), found.st_ctime_ns)
        if key in _hashes:
            return _hashes[key]
        digest = file_sha256(file.path)
    except OSError as error:
        raise Invalid(f"{shown(file.name)} cannot be read: {reason(error)}.") from None
    if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _FRESH_NS:
        if len(_hashes) >= _HASHES_LIMIT:
            _hashes.clear()
        _hashes[key] = digest
    return digest


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
    temporary = _written(file.path, new, stat.S_IMODE(file.path.stat().st_mode))
    try:
        # The rename is what makes it whole: a crash leaves either the old text or the new one.
        temporary.replace(file.path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(file.path.parent)


def create_text(beside: FolderFile, stem: str, text: str) -> FolderFile:
    """A new text file next to an audio file, with the audio's mode.

    Raises Invalid when there is one by now, OSError when it cannot be written.
    """
    if not os.access(beside.path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    name = f"{stem}.md"
    path = beside.path.parent / name
    temporary = _written(path, text, stat.S_IMODE(beside.path.stat().st_mode) & 0o666 | 0o600)
    try:
        # A link, unlike a rename, never takes the place of a file that appeared meanwhile.
        path.hardlink_to(temporary)
    except FileExistsError:
        raise Invalid(f"{shown(name)} appeared meanwhile; publish again.") from None
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return FolderFile(name, path, _mark(path.stat()))


def _written(path: Path, text: str, mode: int) -> Path:
    """A finished, durable file with a hidden name next to `path`."""
    descriptor, name = tempfile.mkstemp(prefix=".podhost-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(text.encode())
            opened.flush()
            os.fchmod(opened.fileno(), mode)
            os.fsync(opened.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems cannot; they do it by themselves or not at all.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
