"""The request spool: each audio request and feed poll becomes one line on this machine's disk.

Recording must never make a listener wait or fail: the caller appends to a list in memory and a
writer thread does the rest. It counts nothing; the counting rules read sealed segments.

Privacy: lines hold client addresses. They stay in the spool folder of this machine, never reach
the database, and are masked after 48 hours by prune_spool() at the latest.
"""

import fcntl
import ipaddress
import logging
import os
import re
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import msgspec

logger = logging.getLogger(__name__)

BATCH_SECONDS = 0.25
SEGMENT_BYTES = 16 * 1024 * 1024
SEGMENT_SECONDS = 600.0
# What is kept in memory while nothing can be written: some 100 MB.
PENDING_LIMIT = 200_000
# A disk that is full or gone is tried again this often.
RETRY_SECONDS = 1.0
# Two days are the limit; once an hour is near enough to it.
PRUNE_SECONDS = 3600.0
STOP_SECONDS = 10.0
ADDRESSES_KEPT = timedelta(hours=48)

_OPEN = ".open"
_SEALED = ".sealed"
_MASKED = ".masked"
_COMPLAINT_SECONDS = 60.0
_ENCODED_AT_ONCE = 1000
_USER_AGENT_LIMIT = 512
_RANGE_LIMIT = 256
_CONTROLS = re.compile("[\x00-\x1f\x7f]")
_PRELOAD_WORDS = (b"prefetch", b"preload", b"prerender")


class Record(msgspec.Struct, omit_defaults=True, gc=False):
    """One line of a segment: what was answered to whom. Sizes and positions are bytes.

    It is not tracked by the garbage collector, which would otherwise run because of it.
    `t` is the start of the request in ms since 1970; `start` the first byte position sent;
    `sent` the body bytes handed to the network, which overstates what arrived; `range` the
    request's own header; `purpose` and `referer` are empty but for preloads and web players.
    `sender` is empty, or "proxy" where the bytes were left to the proxy in front: then `sent` is
    0, for nobody here knows it, and `status`, `start` and `range` say what was asked for.
    """

    kind: str
    t: int
    method: str
    status: int
    show_id: str = ""
    sent: int = 0
    ip: str = ""
    ua: str = ""
    episode_id: str = ""
    audio_id: str = ""
    revision: int = 0
    size: int = 0
    header_bytes: int = 0
    duration_ms: int = 0
    start: int = 0
    range: str = ""
    purpose: str = ""
    referer: str = ""
    sender: str = ""


class RequestSpool:
    """The spool of one process: `record(a_record)` and a thread that writes batches.

    A record is safe from a crash of this process once the kernel has it, 250 ms later at most.
    Once an hour the addresses in its folder that are older than two days are masked.
    `counts` and `sent_bytes` by (kind, status), `backlog`, `dropped` and `failed_writes` are for
    /metrics.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self.folder = folder
        self.counts: Counter[tuple[str, int]] = Counter()
        self.sent_bytes: Counter[tuple[str, int]] = Counter()
        self.dropped = 0
        self.failed_writes = 0
        self._pending: deque[Record] = deque()
        # The deque's own method: the hot path pays for nothing else.
        self.record: Callable[[Record], None] = self._pending.append
        self._clock = clock
        self._segment: _Segment | None = None
        self._unwritten = b""
        self._complained_at = -_COMPLAINT_SECONDS
        self._encoder = msgspec.json.Encoder()
        self._prune_at = 0.0
        self._stopping = threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def backlog(self) -> int:
        """Records in memory that are not on disk yet."""
        return len(self._pending)

    def start(self) -> None:
        """Seal what dead processes left behind and begin to write. Never raises."""
        try:
            seal_abandoned(self.folder)
        except OSError as error:
            self._complain(error)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="podhost-spool", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is pending and seal the segment. Never raises; call it after the last one."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            if self._thread.is_alive():
                lost = len(self._pending)
                logger.error("request spool: the disk hangs; %d records are lost", lost)
                return
            self._thread = None
        self.flush()
        with self._writing:
            self._seal()

    def flush(self) -> bool:
        """Write what is pending now, as the thread does all the time; False when it cannot."""
        with self._writing:
            try:
                self._write_pending()
                return True
            except OSError as error:
                self.failed_writes += 1
                self._complain(error)
            except Exception:
                # A record that cannot be encoded is our mistake; the others must go on.
                logger.exception("request spool: a batch was lost")
            finally:
                self._drop_surplus()
            return False

    def _run(self) -> None:
        wait_seconds = BATCH_SECONDS
        while not self._stopping.wait(wait_seconds):
            wait_seconds = BATCH_SECONDS if self.flush() else RETRY_SECONDS
            if time.monotonic() >= self._prune_at:
                self._prune()

    def _prune(self) -> None:
        self._prune_at = time.monotonic() + PRUNE_SECONDS
        try:
            prune_spool(self.folder, self._clock())
        except OSError as error:
            self._complain(error)
        except Exception:
            logger.exception("request spool: old addresses could not be masked")

    def _write_pending(self) -> None:
        if self._segment is not None and self._segment.is_due():
            self._seal()
        while True:
            if not self._unwritten:
                self._unwritten = self._next_batch()
            if not self._unwritten:
                return
            if self._segment is not None and self._segment.is_gone():
                self._seal()
            if self._segment is None:
                self._segment = _Segment(self.folder, self._clock())
            try:
                self._segment.append(self._unwritten)
            except OSError:
                self._seal()
                raise
            self._unwritten = b""
            if self._segment.is_due():
                self._seal()

    def _next_batch(self) -> bytes:
        """Lines of the oldest pending records; few at once, to let the event loop have its turn."""
        pending = self._pending
        batch = [pending.popleft() for _ in range(min(len(pending), _ENCODED_AT_ONCE))]
        # At once, which is ten times cheaper than one by one.
        self.counts.update([(record.kind, record.status) for record in batch])
        for record in batch:
            if record.sent:
                self.sent_bytes[record.kind, record.status] += record.sent
        return self._encoder.encode_lines(batch) if batch else b""

    def _drop_surplus(self) -> None:
        surplus = len(self._pending) - PENDING_LIMIT
        for _ in range(surplus):
            self._pending.popleft()
        self.dropped += max(0, surplus)

    def _seal(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            try:
                segment.seal()
            except OSError as error:
                # The file stays .open and unlocked; the next start seals it.
                self._complain(error)

    def _complain(self, error: OSError) -> None:
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAINT_SECONDS:
            self._complained_at = now
            logger.warning(
                "request spool: %s cannot be written (%s); %d records wait in memory, %d are lost",
                self.folder,
                error.strerror or error,
                len(self._pending),
                self.dropped,
            )


@lru_cache(maxsize=4096)
def user_agent_text(header: bytes) -> str:
    """As the counting rules want it: no controls, no outer white space, at most 512 characters."""
    return _CONTROLS.sub("", header.decode("latin-1")).strip()[:_USER_AGENT_LIMIT]


def range_text(header: bytes) -> str:
    """The request's Range as received, cut where no honest one is longer."""
    return header[:_RANGE_LIMIT].decode("latin-1")


def preload_word(header: bytes) -> str:
    """Of Sec-Purpose, Purpose or X-Moz: what says that nobody may be listening, or nothing."""
    header = header.lower()
    return next((word.decode() for word in _PRELOAD_WORDS if word in header), "")


def origin(referer: bytes) -> str:
    """Scheme and host of a Referer; where on a site somebody listened is nobody's business."""
    match = re.match(rb"https?://[A-Za-z0-9.:\[\]-]{1,255}", referer)
    return match[0].decode() if match else ""


class _Segment:
    """One open file of lines, locked for as long as its process lives."""

    def __init__(self, folder: Path, started_at: datetime) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        started = started_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        name = f"{started}-{os.getpid()}-{secrets.token_hex(4)}{_OPEN}"
        self._path = folder / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._descriptor = os.open(self._path, flags, 0o600)
        self._size_bytes = 0
        self._due_at = time.monotonic() + SEGMENT_SECONDS
        try:
            # Another process that starts now may have taken the still empty file for abandoned;
            # then this raises, and the next batch gets a new one.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise

    def append(self, lines: bytes) -> None:
        """Write all lines or, when it raises OSError, none."""
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self._size_bytes)
            raise
        self._size_bytes += len(lines)

    def is_due(self) -> bool:
        """Large or old enough to be sealed."""
        return self._size_bytes >= SEGMENT_BYTES or time.monotonic() >= self._due_at

    def is_gone(self) -> bool:
        """Somebody removed the file: what is written to it would be lost."""
        return os.fstat(self._descriptor).st_nlink == 0

    def seal(self) -> None:
        """Give the file its final name, or remove it when it holds nothing."""
        try:
            if self._size_bytes:
                self._path.rename(self._path.with_suffix(_SEALED))
            else:
                self._path.unlink()
        except FileNotFoundError:
            pass  # Somebody removed it; there is nothing to keep.
        finally:
            os.close(self._descriptor)


def seal_abandoned(folder: Path) -> list[Path]:
    """Seal the segments of processes that died; a line that was cut off by the crash is removed.

    Returns the sealed files. A segment whose process lives is locked and left alone.
    """
    sealed = []
    for path in sorted(folder.glob("*" + _OPEN)):
        try:
            with path.open("r+b") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue
                size_bytes = _cut_torn_line(file)
                if not path.exists():
                    continue  # Another process that starts now was faster.
                if size_bytes:
                    sealed.append(path.rename(path.with_suffix(_SEALED)))
                else:
                    path.unlink()
        except FileNotFoundError:
            continue
    return sealed


def _cut_torn_line(file: BinaryIO) -> int:
    """Truncate behind the last whole line; the size in bytes afterwards."""
    end = file.seek(0, os.SEEK_END)
    size_bytes = end
    while size_bytes:
        begin = max(0, size_bytes - 65536)
        file.seek(begin)
        newline = file.read(size_bytes - begin).rfind(b"\n")
        size_bytes = begin + newline + 1
        if newline >= 0:
            break
    if size_bytes != end:
        file.truncate(size_bytes)
    return size_bytes


def prune_spool(folder: Path, now: datetime) -> int:
    """Mask the addresses in sealed segments that were begun more than 48 hours before `now`.

    Numbers are kept, addresses become their /24 or /48 network. Returns how many files were
    masked; doing it again, or after a crash in the middle, changes nothing more.
    """
    seal_abandoned(folder)
    if not folder.is_dir():
        return 0
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # One process at a time: two that rewrite the same file would spoil it.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        old = [path for path in sorted(folder.glob("*" + _SEALED)) if _is_to_be_masked(path, now)]
        for path in old:
            _mask(path)
    except BlockingIOError:
        return 0
    finally:
        os.close(descriptor)
    return len(old)


def _is_to_be_masked(path: Path, now: datetime) -> bool:
    return not path.stem.endswith(_MASKED) and _started_at(path) <= now - ADDRESSES_KEPT


def _mask(path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    with path.open("rb") as source, temporary.open("wb") as target:
        target.writelines(_masked_lines(source))
        target.flush()
        os.fsync(target.fileno())
    # First the bytes, then the name: after a crash in between, no record is there twice.
    temporary.replace(path)
    path.rename(path.with_name(path.stem + _MASKED + _SEALED))


def _started_at(path: Path) -> datetime:
    try:
        return datetime.strptime(path.name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _masked_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        try:
            record = msgspec.json.decode(line, type=Record)
        except msgspec.DecodeError:
            continue
        record.ip = mask_address(record.ip)
        yield msgspec.json.encode(record) + b"\n"


def mask_address(address: str) -> str:
    """The network of an address: /24 of IPv4, also when mapped into IPv6, /48 of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    prefix = 24 if found.version == 4 else 48
    return str(ipaddress.ip_network((found, prefix), strict=False).network_address)


def read_segment(path: Path) -> Iterator[Record]:
    """The records of a segment, oldest first. Lines that are not records are passed over."""
    with path.open("rb") as file:
        for line in file:
            try:
                yield msgspec.json.decode(line, type=Record)
            except msgspec.DecodeError:
                continue
