"""One large file of a stranger's server to disk, going on where an earlier try stopped.

What lies on disk is a file that grows, a note of what it is the beginning of, and in the end the
whole file: a process may be killed at any instant. What is in the file is not judged here, but for
web pages.
"""

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import msgspec

from podhost.errors import Invalid, PodhostError, Unavailable
from podhost.fetching import Fetcher, Streamed, asked_pause, told_bytes
from podhost.formats.text import shown

# However slowly a large file comes, it has come by then.
_LONGEST_SECONDS = 12 * 3600.0
_WEB_PAGE = re.compile(rb"\s*(?:<!doctype\s+html|<html|<head|<body)", re.IGNORECASE)
_RANGE = re.compile(r"bytes\s+([0-9]{1,15})-[0-9]{1,15}/([0-9]{1,15}|\*)")
_WHOLE = re.compile(r"bytes\s+\*/([0-9]{1,15})")
# A date within the last minute before the answer does not name one version (RFC 9110 8.8.2.2).
_DATE_MARGIN = timedelta(seconds=60)
_LONGEST_WAIT_SECONDS = 3600.0


class RefusedFile(Invalid):
    """The file cannot be had, and asking again cannot help."""


class BusyServer(Unavailable):
    """The server asks to be left alone for so many seconds."""

    def __init__(self, message: str, wait_seconds: float) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class InterruptedFetch(PodhostError):
    """We were asked to stop; what came so far stays."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a server must manage at least, or it is given up: so many bytes in so many seconds."""

    least_bytes: int = 60_000
    seconds: float = 60.0


SLOWEST = Pace()


class _Beginning(msgspec.Struct):
    """What the growing file is the beginning of."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    total_bytes: int | None = None

    @property
    def validator(self) -> str | None:
        """What makes the server go on only in the same file (RFC 9110 13.1.5)."""
        return self.etag or self.last_modified


def fetch_file(
    fetcher: Fetcher,
    url: str,
    path: Path,
    *,
    max_bytes: int,
    pace: Pace = SLOWEST,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Have the whole file at `path`; nothing is asked for when it is there already.

    Beside it lie `.part` and `.note` until then. Raises RefusedFile when the file cannot be had,
    Forbidden for places that are not public, BusyServer, and Unavailable when another try may
    help; InterruptedFetch when `should_stop` says so.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.with_suffix(".part")) as part:
        if path.exists():
            return
        note_path = path.with_suffix(".note")
        beginning = _read_beginning(note_path, url)
        if beginning is None:
            os.ftruncate(part, 0)
        _receive(fetcher, url, part, note_path, beginning, max_bytes, pace, should_stop)
        os.fsync(part)
        path.with_suffix(".part").rename(path)
    note_path.unlink(missing_ok=True)


def is_web_page(data: bytes) -> bool:
    """Whether the beginning of a file is that of a web page."""
    return _WEB_PAGE.match(data) is not None


def forget_file(path: Path) -> None:
    """Remove the whole file, or what there is of it."""
    for suffix in (".part", ".note", ".note-new"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def fetched_bytes(path: Path) -> int:
    """How much of the file there is."""
    for found in (path, path.with_suffix(".part")):
        with suppress(OSError):
            return found.stat().st_size
    return 0


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """The growing file, which nobody else writes to meanwhile; the kernel ends that of the dead."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("Another podhost is reading this file.") from None
        yield descriptor
    finally:
        os.close(descriptor)


def _read_beginning(path: Path, url: str) -> _Beginning | None:
    """What was noted; None where it is of another address, or of a file that may change unseen."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Beginning)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None
    return found if found.url == url and found.validator else None


def _receive(
    fetcher: Fetcher,
    url: str,
    part: int,
    note_path: Path,
    beginning: _Beginning | None,
    max_bytes: int,
    pace: Pace,
    should_stop: Callable[[], bool],
) -> None:
    received = os.fstat(part).st_size
    headers: dict[str, str] = {}
    if received and beginning is not None and beginning.validator:
        if received == beginning.total_bytes:
            return
        headers = {"range": f"bytes={received}-", "if-range": beginning.validator}
    with fetcher.stream(
        url, max_bytes=2 * max_bytes, headers=headers, seconds=_LONGEST_SECONDS
    ) as it:
        if it.status == 416 and headers:
            whole = _WHOLE.fullmatch(it.headers.get("content-range", ""))
            if whole is not None and int(whole[1]) == received:
                return
            os.ftruncate(part, 0)
            raise Unavailable("The file at the old host changed while it was read.")
        _judge_status(it)
        goes_on = it.status == 206
        if goes_on:
            total_bytes = _judge_range(it, received, part)
        else:
            os.ftruncate(part, 0)
            received = 0
            total_bytes = told_bytes(it.headers.get("content-length", ""))
            _judge_size(total_bytes, max_bytes)
            _write_beginning(note_path, _noted(url, it.headers, total_bytes))
        received = _copy(it, part, received, max_bytes, pace, should_stop)
    if total_bytes is not None and received != total_bytes:
        raise Unavailable(f"{_host(it.url)} broke off: {received:,} of {total_bytes:,} bytes came.")
    if not received:
        raise RefusedFile(f"{_host(it.url)} gives an empty file.")


def _judge_status(it: Streamed) -> None:
    """Raises for every status that brings no file."""
    host = _host(it.url)
    if it.status in (200, 206):
        return
    if it.status == 429 or it.status >= 500:
        seconds = asked_pause(it.headers).total_seconds()
        message = f"{host} is busy or broken just now: it answered {it.status}."
        raise BusyServer(message, min(seconds, _LONGEST_WAIT_SECONDS))
    if it.status in (401, 403):
        raise RefusedFile(f"{host} does not give the file out: it answered {it.status}.")
    if it.status in (404, 410):
        raise RefusedFile(f"{host} does not have the file any more: it answered {it.status}.")
    raise RefusedFile(f"{host} answered {it.status} instead of giving the file.")


def _judge_range(it: Streamed, received: int, part: int) -> int | None:
    """The size of the whole file, of which this is the rest. Raises Unavailable if it is not."""
    match = _RANGE.fullmatch(it.headers.get("content-range", "").strip().lower())
    if match is None or int(match[1]) != received:
        os.ftruncate(part, 0)
        raise Unavailable(f"{_host(it.url)} sent another part of the file than was asked for.")
    return None if match[2] == "*" else int(match[2])


def _judge_size(total_bytes: int | None, max_bytes: int) -> None:
    if total_bytes is not None and total_bytes > max_bytes:
        raise RefusedFile(
            f"The file has more than the {max_bytes / 1e6:,.0f} MB that podhost takes. "
            "Operators can allow more by PODHOST_MAX_UPLOAD_MB."
        )


def _noted(url: str, headers: Mapping[str, str], total_bytes: int | None) -> _Beginning:
    """The beginning, with a validator only where it names these very bytes (RFC 9110 8.8)."""
    etag = headers.get("etag", "").strip()
    is_strong = len(etag) > 2 and etag.startswith('"') and etag.endswith('"')
    modified = headers.get("last-modified", "").strip()
    return _Beginning(
        url=url,
        etag=etag if is_strong else None,
        last_modified=modified if _is_old(modified, headers.get("date", "")) else None,
        total_bytes=total_bytes,
    )


def _is_old(modified: str, date: str) -> bool:
    try:
        return parsedate_to_datetime(date) - parsedate_to_datetime(modified) >= _DATE_MARGIN
    except (TypeError, ValueError, OverflowError):
        return False


def _write_beginning(path: Path, beginning: _Beginning) -> None:
    temporary = path.with_suffix(".note-new")
    temporary.write_bytes(msgspec.json.encode(beginning))
    temporary.replace(path)


def _copy(
    it: Streamed,
    part: int,
    received: int,
    max_bytes: int,
    pace: Pace,
    should_stop: Callable[[], bool],
) -> int:
    """Write what comes; how long the file is then."""
    began_at, window_bytes = time.monotonic(), 0
    for chunk in it.chunks:
        if not received and is_web_page(chunk):
            raise RefusedFile(f"{_host(it.url)} gives a web page where the file should be.")
        _write(part, chunk)
        received += len(chunk)
        window_bytes += len(chunk)
        _judge_size(received, max_bytes)
        if should_stop():
            raise InterruptedFetch("It was stopped, and goes on the next time.")
        if (now := time.monotonic()) - began_at >= pace.seconds:
            if window_bytes < pace.least_bytes:
                raise Unavailable(
                    f"{_host(it.url)} is too slow: {window_bytes:,} bytes in {pace.seconds:g} "
                    "seconds."
                )
            began_at, window_bytes = now, 0
    return received


def _write(part: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(part, view) :]


def _host(url: str) -> str:
    return shown(url.partition("://")[2].partition("/")[0].rpartition("@")[2], 100) or "The server"
