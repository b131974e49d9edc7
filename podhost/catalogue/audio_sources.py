"""Where the bytes of audio come from: open files, streams from a store, or URLs of the store.

It knows nothing of HTTP and never writes. A read that the page cache can answer happens at once,
in the event loop; only one that would wait for the disk or the network goes to a thread. Used
from one event loop only.
"""

import asyncio
import errno
import os
import time
from collections import OrderedDict
from contextlib import suppress
from datetime import datetime, timedelta

from podhost.catalogue.loading import Loading
from podhost.errors import PodhostError, Unavailable
from podhost.storage import Reader, Storage

OPEN_LIMIT = 128
# A file that nobody listens to is closed after one to two of these, so that the space of a
# deleted one is free again.
IDLE_SECONDS = 60.0
# How long a file is believed to be whole before it is looked at again.
LOOK_SECONDS = 1.0

SIGNED_SECONDS = 12 * 3600
SIGNATURE_REUSED = timedelta(hours=1)
_SIGNATURES_LIMIT = 10_000
_CREDENTIALS_TRUSTED = timedelta(seconds=5)
_NO_TIME = timedelta(0)
_STREAM_TRIES = 3

# Linux alone can be asked for a read that does not wait.
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)
_CANNOT = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class Unreadable(Exception):
    """The file is not there, or not as long as its row says; the message is for the log."""


class OpenFile:
    """A file's descriptor, shared by all who listen to it; closed when dropped and unused."""

    __slots__ = ("_descriptor", "_has_nowait", "is_dropped", "looked_at", "users", "was_used")

    def __init__(self, path: str, size_bytes: int) -> None:
        """Open `path`; may wait for the disk. Raises Unreadable."""
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise Unreadable(f"{path} cannot be opened: {error.strerror}") from error
        self.users = 0
        self.looked_at = time.monotonic()
        self.was_used = True
        self.is_dropped = False
        self._has_nowait = _NOWAIT is not None
        if not self.is_whole(size_bytes):
            found = os.fstat(self._descriptor).st_size
            os.close(self._descriptor)
            raise Unreadable(f"{path} has {found} bytes, not {size_bytes}")

    def is_whole(self, size_bytes: int) -> bool:
        """Still in its folder, and as long as it must be; a look that never waits."""
        found = os.fstat(self._descriptor)
        return found.st_size == size_bytes and found.st_nlink > 0

    def read_now(self, start: int, length: int) -> bytearray | None:
        """These bytes if all of them are in memory, else None: read() knows why, or waits."""
        if not self._has_nowait:
            return None
        assert _NOWAIT is not None
        piece = bytearray(length)
        try:
            if os.preadv(self._descriptor, (piece,), start, _NOWAIT) == length:
                return piece
        except BlockingIOError:
            pass
        except OSError as error:
            # tmpfs and some others: every read goes to a thread.
            self._has_nowait = error.errno not in _CANNOT
        return None

    def read(self, start: int, length: int) -> bytearray:
        """These bytes, waiting for the disk; for threads. Raises Unreadable."""
        piece = bytearray(length)
        view = memoryview(piece)
        done = 0
        try:
            while done < length:
                read = os.preadv(self._descriptor, (view[done:],), start + done)
                if not read:
                    raise Unreadable(f"the file ends at {start + done}, in the middle of a range")
                done += read
        except OSError as error:
            raise Unreadable(f"a read failed: {error.strerror}") from error
        return piece

    def release(self) -> None:
        """One listener is done with it."""
        self.users -= 1
        if self.is_dropped and not self.users:
            os.close(self._descriptor)

    def drop(self) -> None:
        """Close it as soon as nobody reads from it."""
        self.is_dropped = True
        if not self.users:
            os.close(self._descriptor)


class OpenFiles:
    """The files in use, by path; what was not used lately is closed."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, OpenFile] = OrderedDict()
        self._loading = Loading("disk", 8)
        self._timer: asyncio.TimerHandle | None = None

    def find(self, path: str, size_bytes: int) -> OpenFile | None:
        """A file that is open already and was seen whole less than a second ago; nothing waits.

        For one read at once: it is not kept open for the caller.
        """
        file = self._files.get(path)
        if file is None:
            return None
        now = time.monotonic()
        if now - file.looked_at >= LOOK_SECONDS:
            if not file.is_whole(size_bytes):
                self._drop(path)
                return None
            file.looked_at = now
        file.was_used = True
        return file

    async def open(self, path: str, size_bytes: int) -> OpenFile:
        """The open file, to be released by the caller. Raises Unreadable."""
        file = self.find(path, size_bytes)
        if file is None:
            file = await self._loading.run(OpenFile, path, size_bytes)
            # Another listener may have opened it meanwhile; one of the two is enough.
            self._drop(path)
            self._add(path, file)
        file.users += 1
        return file

    async def read(self, file: OpenFile, start: int, length: int) -> bytearray:
        """These bytes, at once if they are in memory. Raises Unreadable."""
        piece = file.read_now(start, length)
        if piece is None:
            piece = await self._loading.run(file.read, start, length)
        return piece

    def close(self) -> None:
        """Close what nobody reads; what is being read is closed by its last reader."""
        for path in list(self._files):
            self._drop(path)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._loading.close()

    def _add(self, path: str, file: OpenFile) -> None:
        self._files[path] = file
        if len(self._files) > OPEN_LIMIT:
            _, oldest = self._files.popitem(last=False)
            oldest.drop()
        if self._timer is None:
            self._wait_idle()

    def _wait_idle(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._close_idle)

    def _drop(self, path: str) -> None:
        file = self._files.pop(path, None)
        if file is not None:
            file.drop()

    def _close_idle(self) -> None:
        for path, file in list(self._files.items()):
            if not file.was_used and not file.users:
                self._drop(path)
            file.was_used = False
        self._timer = None
        if self._files:
            self._wait_idle()


class Stream:
    """An object in the store, read in threads; opened again where it broke off."""

    def __init__(self, storage: Storage, key: str, end: int, loading: Loading) -> None:
        self._storage = storage
        self._key = key
        self._end = end
        self._loading = loading
        self._reader: Reader | None = None

    async def read(self, start: int, length: int) -> bytes:
        """At most `length` bytes from `start`, where the last ones ended. Raises Unreadable."""
        return await self._loading.run(self._read, start, length)

    def _read(self, start: int, length: int) -> bytes:
        reason = f"the object ends at {start}, in the middle of a range"
        for _ in range(_STREAM_TRIES):
            try:
                if self._reader is None:
                    self._reader = self._storage.open(self._key, start, self._end)
                piece = self._reader.read(length)
                if piece:
                    return piece
            except PodhostError as error:
                reason = error.message
            self._close()
        raise Unreadable(reason)

    def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """Let go of the store's connection, in a thread because that may wait."""
        if self._reader is not None:
            # At shutdown there are no threads any more, and the connection goes anyway.
            with suppress(RuntimeError):
                self._loading.submit(self._close)


class SignedUrls:
    """URLs that let listeners fetch from the store; each is signed once an hour at most."""

    def __init__(self, storage: Storage, loading: Loading) -> None:
        self._storage = storage
        self._loading = loading
        self._signed: OrderedDict[str, tuple[datetime, str]] = OrderedDict()
        self._credentials_id = ""
        self._credentials_seen_at: datetime | None = None

    async def find(self, key: str, mime_type: str, now: datetime) -> str:
        """A URL that is good for eleven hours or more. Raises Unavailable."""
        if not self._trusts_credentials(now):
            await self._look_at_credentials(now)
        url = self.find_now(key, now)
        if url is None:
            # In a thread, because the first one loads boto3 and later ones may renew credentials.
            url = await self._loading.once("sign " + key, self._sign, key, mime_type)
            self._signed[key] = (now, url)
            if len(self._signed) > _SIGNATURES_LIMIT:
                self._signed.popitem(last=False)
        return url

    async def sign_named(self, key: str, mime_type: str, disposition: str) -> str:
        """A URL of its own, which answers with this Content-Disposition. Raises Unavailable."""
        name = f"sign {key} {disposition}"
        return await self._loading.once(name, self._sign, key, mime_type, disposition)

    def find_now(self, key: str, now: datetime) -> str | None:
        """A URL that was signed within the hour; None: ask find(), which may wait."""
        signed = self._signed.get(key)
        if signed is None or not self._trusts_credentials(now):
            return None
        return signed[1] if _NO_TIME <= now - signed[0] < SIGNATURE_REUSED else None

    def _trusts_credentials(self, now: datetime) -> bool:
        seen_at = self._credentials_seen_at
        return seen_at is not None and _NO_TIME <= now - seen_at < _CREDENTIALS_TRUSTED

    async def _look_at_credentials(self, now: datetime) -> None:
        """What was signed with credentials that are no longer in use may be dead: forget it."""
        found = await self._loading.once("credentials", self._storage.credentials_id)
        if found != self._credentials_id:
            self._signed.clear()
            self._credentials_id = found
        self._credentials_seen_at = now

    def _sign(self, key: str, mime_type: str, disposition: str | None = None) -> str:
        url = self._storage.url_for(
            key,
            expires_seconds=SIGNED_SECONDS,
            content_type=mime_type,
            disposition=disposition,
        )
        if url is None:
            raise Unavailable("This store gives no addresses to listeners.")
        return url
