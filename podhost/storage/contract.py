"""What every store of audio, artwork and transcripts promises; it stores nothing itself.

Stores move bytes under keys and do not know what they mean, who may have them or when they may
go. A key is used once unless the caller says `overwrite`; an object appears whole or not at all.
"""

import errno
import fcntl
import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from podhost.errors import Conflict, NotFound, Unavailable
from podhost.storage.multiparts import Multiparts

IMMUTABLE = "public, max-age=31536000, immutable"
CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stat:
    """One stored object as the store lists it; `modified_at` is in UTC.

    It is the time that a writer was given, where one was; list() of a bucket knows only when the
    object was written.
    """

    key: str
    size_bytes: int
    modified_at: datetime


class Reader(io.RawIOBase):
    """An object's bytes as a stream, closed by `with`; read() returns b"" at the end.

    It cuts a store's own stream to a length and makes that store's failures Unavailable.
    """

    def __init__(
        self, source: Any, left: int | None, guard: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._source = source
        self._left = left
        self._guard = guard

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes, or all that are left if it is negative."""
        if size is None or size < 0:
            return self.readall()
        wanted = size if self._left is None else min(size, self._left)
        if wanted == 0:
            return b""
        with self._guard():
            data: bytes = self._source.read(wanted)
        if self._left is not None:
            self._left -= len(data)
        return data

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()


class Writer(Protocol):
    """Takes an object's bytes as they come. Leaving the `with` before commit() stores nothing."""

    def write(self, data: bytes, /) -> int: ...

    def commit(self) -> int:
        """Make the object appear, durably, and return its size in bytes; Conflict if taken."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class BucketCors(Protocol):
    """What browsers may do with a bucket (CORS); whatever fails raises Unavailable."""

    def may_put(self, origin: str) -> bool:
        """Whether pages of this origin may PUT, as a browser would find out."""
        ...

    def shows_etag(self, origin: str) -> bool:
        """Whether they may read the ETag of an answer."""
        ...

    def rules(self) -> list[dict[str, Any]]:
        """The rules that the bucket has, in the words of S3."""
        ...

    def set_rules(self, rules: list[dict[str, Any]]) -> None:
        """Give the bucket these rules in the place of all that it has."""
        ...


class Storage(Protocol):
    """What a store can do. Threads may share one.

    Everywhere: a key that breaks the rules of check_key raises ValueError, a missing object
    NotFound, a taken key Conflict, and whatever goes wrong in the store Unavailable.
    """

    def check(self) -> None:
        """Raise Unavailable with a sentence if the store cannot be used; takes 10 s at most."""
        ...

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
        """Store bytes whose number is not known yet.

        Without `cache_control` it is immutable, or no-cache where the key may be overwritten.
        `modified_at` is what a folder dates the file, before it appears: other web servers make
        validators of it.
        """
        ...

    def put_file(self, key: str, path: Path, *, content_type: str, move: bool = False) -> int:
        """Store a finished local file and return its size in bytes.

        `move` gives the file up: it is gone afterwards. If this fails, it is still there.
        """
        with (
            disk_errors(path.parent),
            path.open("rb") as source,
            self.writer(key, content_type=content_type) as writer,
        ):
            while chunk := source.read(CHUNK_BYTES):
                writer.write(chunk)
            size_bytes = writer.commit()
        if move:
            with disk_errors(path.parent):
                path.unlink(missing_ok=True)
        return size_bytes

    def put_bytes(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str,
        cache_control: str | None = None,
        content_encoding: str | None = None,
        modified_at: datetime | None = None,
        overwrite: bool = False,
    ) -> None:
        """Store a small object in one go."""
        with self.writer(
            key,
            content_type=content_type,
            cache_control=cache_control,
            content_encoding=content_encoding,
            modified_at=modified_at,
            overwrite=overwrite,
        ) as writer:
            writer.write(data)
            writer.commit()

    def open(self, key: str, start: int = 0, end: int | None = None) -> Reader:
        """Read the bytes from `start` up to but without `end`, as far as there are any."""
        ...

    def find_stat(self, key: str) -> Stat | None:
        """The object's size and time, or None if there is no such object."""
        ...

    def size(self, key: str) -> int:
        """The object's size in bytes."""
        found = self.find_stat(key)
        if found is None:
            raise missing(key)
        return found.size_bytes

    def local_path(self, key: str) -> Path | None:
        """The file behind a key, for reading by position; None where there are no files.

        It does not say that the object exists, and the file must never be written to.
        """
        check_key(key)
        return None

    def url_for(
        self,
        key: str,
        *,
        expires_seconds: int,
        method: str = "GET",
        content_type: str | None = None,
        disposition: str | None = None,
    ) -> str | None:
        """A URL that gives anybody this one object by this one method; None where we serve it.

        `content_type` is what a GET will be answered with, or what a PUT has to send;
        `disposition` is a GET's Content-Disposition.
        """
        check_key(key)
        return None

    def credentials_id(self) -> str:
        """Changes when the keys that sign URLs do: URLs signed under another value may be dead."""
        return ""

    def delete(self, key: str) -> None:
        """Remove an object; that it is not there is fine."""
        ...

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Every object whose key starts with `prefix`, page by page.

        In no order to rely on: some stores sort whole keys, others folder by folder.
        """
        ...

    def copy(
        self,
        source_key: str,
        target_key: str,
        *,
        content_type: str | None = None,
        cache_control: str | None = None,
        may_share: bool = False,
    ) -> None:
        """Store the same bytes under another key, inside the store if it can.

        Type and caching are the source's unless they are given. With `may_share`, for what is
        never overwritten, both may be one file, which has the age of the source.
        """
        ...

    def download_to(self, key: str, path: Path) -> tuple[int, str]:
        """Copy an object to a local file; its size in bytes and its SHA-256 in hexadecimal."""
        digest = hashlib.sha256()
        size_bytes = 0
        with self.open(key) as source:
            try:
                with disk_errors(path.parent), path.open("wb") as target:
                    while chunk := source.read(CHUNK_BYTES):
                        digest.update(chunk)
                        size_bytes += target.write(chunk)
            except BaseException:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
                raise
        return size_bytes, digest.hexdigest()

    def sha256(self, key: str) -> str:
        """The SHA-256 of an object in hexadecimal, read anew. Raises NotFound."""
        digest = hashlib.sha256()
        with self.open(key) as reader:
            while chunk := reader.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def link_to(self, key: str, path: Path) -> bool:
        """Give the object a second name outside of the keys, to be read and moved; False where
        that cannot be: then download it. Raises NotFound."""
        check_key(key)
        return False

    def multiparts(self) -> Multiparts:
        """What it does with objects that arrive in parts over days."""
        ...

    def browser_origin(self) -> str | None:
        """Where browsers send parts to, such as https://s3.example.org; None: they send them to
        us."""
        return None

    def cors(self) -> BucketCors | None:
        """What browsers may do with it; None where they never come."""
        return None

    def temporary_folder(self) -> Path | None:
        """Where a file must lie so that put_file(move=True) copies nothing; None if nowhere."""
        return None

    def sweep_temporary(self, older_than_seconds: float) -> int:
        """Remove what killed writers left, untouched for so long; how many were removed."""
        ...

    def close(self) -> None:
        """Let go of connections; using the store again opens new ones."""
        ...


def check_key(key: str) -> str:
    """Return the key if it is one, or raise ValueError: keys come from us, never from outside.

    At most 512 of `a-z 0-9 . _ - /`, in parts that are neither empty nor dots alone. `tmp/` is
    where a folder keeps its unfinished files, so no store has objects there.
    """
    if not is_key(key):
        raise ValueError(f"not a storage key: {key!r}")
    return key


def is_key(key: str) -> bool:
    """Whether check_key lets it pass."""
    parts = key.split("/")
    return (
        len(key) <= 512
        and re.fullmatch(r"[a-z0-9._/-]+", key) is not None
        and all(len(part) <= 255 and part.strip(".") for part in parts)
        and parts[0] != "tmp"
    )


def check_prefix(prefix: str) -> str:
    """Return what may be the beginning of a key, or raise ValueError."""
    if prefix and not is_key(prefix.removesuffix("/")):
        raise ValueError(f"not the beginning of a storage key: {prefix!r}")
    return prefix


def check_range(start: int, end: int | None) -> None:
    """Raise ValueError for a range that no object has."""
    if start < 0 or (end is not None and end < start):
        raise ValueError(f"not a range of bytes: {start} to {end}")


def cache_control_for(overwrite: bool) -> str:
    """The header for an object whose key is used once, or for one that may change."""
    return "no-cache" if overwrite else IMMUTABLE


def missing(key: str) -> NotFound:
    """The error for a key under which nothing is stored."""
    return NotFound(f"There is no stored object {key}.")


def taken(key: str) -> Conflict:
    """The error for a key that is used already."""
    return Conflict(f"Something is already stored as {key}.")


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Raise whatever the operating system refuses in `folder` as Unavailable with a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(f"The disk that holds {folder} is full.") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise Unavailable(
                f"podhost is not allowed to use {folder}: {error.strerror}."
            ) from error
        reason = error.strerror or type(error).__name__
        raise Unavailable(f"The folder {folder} cannot be used: {reason}.") from error


def lock_named(descriptor: int, path: Path) -> bool:
    """Lock what `descriptor` holds open, until it is closed; False when it is somebody else's.

    It is when they have the lock, and also when what they had locked is not called `path` any
    more. Where the file system knows no locks, nobody is kept out.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems know no such thing as flushing a folder.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)
