"""Request bodies as they arrive: forms and files go to disk in pieces; it knows no field's meaning.

A file is never held in memory and is hashed on its way to disk. What arrives is written in a
worker thread while the socket waits, so a slow disk slows the sender and nobody else. Whatever
goes wrong, and whoever goes away, nothing is left on disk.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import anyio
from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from podhost.audio.revisions import received_file
from podhost.errors import Invalid, TooLarge, TooLate, Unsupported
from podhost.formats.text import given_file_name
from podhost.storage import Storage
from podhost.storage.contract import disk_errors

MB = 1024 * 1024
# Text fields, all together, and JSON bodies.
TEXT_LIMIT_BYTES = MB
MOST_PARTS = 100
# One hop to a worker thread for each; larger pieces only cost memory.
BATCH_BYTES = MB
# Below that it is a sender who keeps a place, not one on a slow line.
SLOWEST_BYTES_PER_SECOND = 1000

CUT_OFF = "The upload was cut off before its end; nothing was stored. Send it again."


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that has arrived whole; `path` is gone when the request is over."""

    path: Path
    file_name: str
    mime_type: str
    size_bytes: int
    sha256: str


@dataclass(slots=True)
class Form:
    """What arrived: texts and files by field, and the names of fields that nobody asked for."""

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, ReceivedFile] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a form may hold: file fields with the most bytes of each, and text fields.

    With `raw` the body may also be the bare file of that field, without a form around it.
    """

    files: Mapping[str, int]
    texts: frozenset[str] = frozenset()
    raw: str | None = None
    # Whether text fields of any name are taken.
    all_texts: bool = False

    @property
    def limit_bytes(self) -> int:
        """The most that a whole body may have, with room for the parts' headers."""
        return sum(self.files.values()) + 2 * TEXT_LIMIT_BYTES


@asynccontextmanager
async def receive_form(
    request: Request, storage: Storage, accepted: Accepted
) -> AsyncIterator[Form]:
    """The form, or the bare file, that the request's body is; its files exist within the block.

    Raises Invalid for anything else, TooLarge as soon as it is known, and TooLate.
    """
    _check_encoding(request)
    _check_length(request, accepted)
    with_files = ExitStack()

    def new_path() -> Path:
        return with_files.enter_context(received_file(storage))

    reader = _reader_for(request, accepted, new_path)
    try:
        await _feed(request, reader, accepted.limit_bytes)
        yield await to_thread.run_sync(reader.finish)
    finally:
        # Also when the request is cancelled: files must not outlive it.
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(_let_go, reader, with_files)


async def receive_bytes(request: Request, limit_bytes: int = TEXT_LIMIT_BYTES) -> bytes:
    """The whole of a small body. Raises TooLarge, TooLate, or Invalid when it is cut off."""
    _check_encoding(request)
    body = bytearray()
    async for chunk in _chunks(request):
        if len(body) + len(chunk) > limit_bytes:
            raise TooLarge(f"This is larger than {limit_bytes // 1000} KB, the most taken here.")
        body += chunk
    return bytes(body)


def media_type(request: Request) -> str:
    """The type of the body, in lower case and without parameters; "" when there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _feed(request: Request, reader: "_Reader", limit_bytes: int) -> None:
    received_bytes = filled_bytes = 0
    # The same memory for every batch: to give it back and get it anew each time costs the thread
    # that answers polls more than to copy what arrives.
    batch = bytearray(BATCH_BYTES)
    room = memoryview(batch)
    async for chunk in _chunks(request):
        received_bytes += len(chunk)
        if received_bytes > limit_bytes:
            raise TooLarge(f"The form is larger than {limit_bytes // MB} MB, the most taken here.")
        rest = memoryview(chunk)
        while rest:
            piece = rest[: BATCH_BYTES - filled_bytes]
            room[filled_bytes : filled_bytes + len(piece)] = piece
            filled_bytes += len(piece)
            rest = rest[len(piece) :]
            if filled_bytes == BATCH_BYTES:
                await to_thread.run_sync(reader.feed, batch)
                filled_bytes = 0
    if filled_bytes:
        await to_thread.run_sync(reader.feed, batch[:filled_bytes])


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """The body piece by piece. Raises Invalid when the sender goes away, TooLate when it falls
    silent (RFC 9110 15.5.9).

    Our patience is a number of seconds of waiting, which every byte that arrives wins back at
    `SLOWEST_BYTES_PER_SECOND`: pauses are fine, and a drip is not. What our own disk takes is no
    waiting.
    """
    most: int = request.app.state.instance.settings.upload_pause_seconds
    patience = float(most)
    while True:
        began_at = time.monotonic()
        try:
            # A third of what anyio's would cost, for each piece.
            async with asyncio.timeout(patience):
                message = await request.receive()
        except TimeoutError:
            raise TooLate(
                f"Nothing, or next to nothing, arrived for {most} seconds; nothing was stored. "
                "Send it again."
            ) from None
        if message["type"] == "http.disconnect":
            raise Invalid(CUT_OFF)
        chunk = message.get("body", b"")
        patience += began_at - time.monotonic() + len(chunk) / SLOWEST_BYTES_PER_SECOND
        patience = min(patience, float(most))
        if chunk:
            yield chunk
        if not message.get("more_body", False):
            return


def _check_encoding(request: Request) -> None:
    # Unpacking it would need limits of its own, and audio does not get smaller.
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise Unsupported("Send the body as it is, without a Content-Encoding.")


def _check_length(request: Request, accepted: Accepted) -> None:
    """Refuse what is announced as too large before it is sent."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > accepted.limit_bytes:
        raise _too_large(max(accepted.files, key=lambda name: accepted.files[name]), accepted)


def _too_large(name: str, accepted: Accepted) -> TooLarge:
    sentence = f"It is larger than {accepted.files[name] // MB} MB, the most that is taken."
    return TooLarge(f"{name}: {sentence}", {name: sentence})


def _reader_for(request: Request, accepted: Accepted, new_path: Callable[[], Path]) -> "_Reader":
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"multipart/form-data":
        boundary = options.get(b"boundary", b"")
        if not boundary:
            raise Invalid("The Content-Type names no boundary; let your program's library set it.")
        return _FormReader(boundary, accepted, new_path)
    if accepted.raw is None:
        raise Invalid("Send a form as multipart/form-data, or an object as application/json.")
    if kind == b"application/x-www-form-urlencoded":
        # What curl says of --data-binary; nobody means it.
        kind = b""
    return _RawReader(accepted.raw, kind.decode("latin-1"), accepted, new_path)


class _Reader(Protocol):
    """Takes a body in pieces and gives the form at its end."""

    def feed(self, data: bytearray) -> None: ...

    def finish(self) -> Form: ...

    def close(self) -> None: ...


def _let_go(reader: _Reader, with_files: ExitStack) -> None:
    reader.close()
    with_files.close()


class _FileSink:
    """Writes one file and hashes it on the way."""

    def __init__(
        self, name: str, file_name: str, mime_type: str, accepted: Accepted, path: Path
    ) -> None:
        self.name = name
        self._file_name = file_name
        self._mime_type = mime_type
        self._accepted = accepted
        self._path = path
        self._size_bytes = 0
        self._digest = hashlib.sha256()
        with disk_errors(path.parent):
            self._file: BinaryIO = path.open("xb", buffering=0)

    def write(self, data: memoryview) -> None:
        self._size_bytes += len(data)
        if self._size_bytes > self._accepted.files[self.name]:
            raise _too_large(self.name, self._accepted)
        self._digest.update(data)
        with disk_errors(self._path.parent):
            while data:
                data = data[self._file.write(data) :]

    def finish(self, form: Form) -> None:
        self._file.close()
        if not self._size_bytes and not self._file_name:
            # A file field of a browser's form in which nothing was chosen.
            return
        form.files[self.name] = ReceivedFile(
            self._path,
            self._file_name or self.name,
            self._mime_type,
            self._size_bytes,
            self._digest.hexdigest(),
        )

    def close(self) -> None:
        self._file.close()


class _TextSink:
    """Collects one text field; `room` is what all of them may still take."""

    def __init__(self, name: str, room: int) -> None:
        self.name = name
        self._room = room
        self._data = bytearray()

    @property
    def size_bytes(self) -> int:
        return len(self._data)

    def write(self, data: memoryview) -> None:
        if len(self._data) + len(data) > self._room:
            sentence = "The text fields are larger than 1 MB together, the most that is taken."
            raise TooLarge(sentence, {self.name: sentence})
        self._data += data

    def finish(self, form: Form) -> None:
        try:
            form.texts[self.name] = self._data.decode("utf-8")
        except UnicodeDecodeError:
            sentence = "It is not UTF-8 text."
            raise Invalid(f"{self.name}: {sentence}", {self.name: sentence}) from None

    def close(self) -> None:
        pass


class _NoSink:
    """Lets a field go by that nobody asked for."""

    def write(self, data: memoryview) -> None:
        pass

    def finish(self, form: Form) -> None:
        pass

    def close(self) -> None:
        pass


class _FormReader:
    """multipart/form-data (RFC 7578), pushed in pieces of any size."""

    def __init__(self, boundary: bytes, accepted: Accepted, new_path: Callable[[], Path]) -> None:
        self._accepted = accepted
        self._new_path = new_path
        self._form = Form()
        self._seen: set[str] = set()
        self._text_bytes = 0
        self._parts = 0
        self._is_complete = False
        self._header = (bytearray(), bytearray())
        self._headers: dict[bytes, bytes] = {}
        self._sink: _FileSink | _TextSink | _NoSink = _NoSink()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._add(0, data[start:end]),
                    "on_header_value": lambda data, start, end: self._add(1, data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open_sink,
                    "on_part_data": self._write,
                    "on_part_end": self._end,
                    "on_end": self._complete,
                },
            )
        except FormParserError:
            raise Invalid("The boundary in the Content-Type is too long.") from None

    def feed(self, data: bytearray) -> None:
        try:
            # It looks and slices, which a bytearray allows as well as the bytes that it asks for.
            self._parser.write(cast("bytes", data))
        except FormParserError:
            raise Invalid(
                "The form cannot be read: it does not follow multipart/form-data. "
                "Let your program's library build it."
            ) from None

    def finish(self) -> Form:
        if not self._is_complete:
            raise Invalid(CUT_OFF)
        return self._form

    def close(self) -> None:
        self._sink.close()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise Invalid(f"The form has more than {MOST_PARTS} fields.")
        self._headers = {}
        self._sink = _NoSink()

    def _add(self, which: int, data: bytes) -> None:
        self._header[which].extend(data)

    def _end_header(self) -> None:
        name, value = self._header
        self._headers[bytes(name).strip().lower()] = bytes(value).strip()
        self._header = (bytearray(), bytearray())

    def _open_sink(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if not name:
            raise Invalid("A part of the form has no name.")
        encoding = self._headers.get(b"content-transfer-encoding", b"binary").lower()
        if encoding not in (b"binary", b"8bit", b"7bit"):
            raise Invalid(f"{name}: Send files as they are, without a Content-Transfer-Encoding.")
        if name not in self._accepted.files and not self._takes_text(name):
            self._form.unknown.append(name)
            return
        if name in self._seen:
            raise Invalid(f"{name}: It is given twice.", {name: "It is given twice."})
        self._seen.add(name)
        self._sink = self._sink_for(name, options.get(b"filename"))

    def _takes_text(self, name: str) -> bool:
        is_named = name in self._accepted.texts
        return is_named or (self._accepted.all_texts and name not in self._accepted.files)

    def _sink_for(self, name: str, file_name: bytes | None) -> _FileSink | _TextSink:
        mime_type = self._headers.get(b"content-type", b"").decode("latin-1")
        if self._takes_text(name):
            # Also when it is sent as a file: notes may well be one.
            return _TextSink(name, TEXT_LIMIT_BYTES - self._text_bytes)
        if file_name is None and mime_type.partition(";")[0].strip().lower() in ("", "text/plain"):
            sentence = f"It must be a file; with curl, write -F {name}=@FILE with the @."
            raise Invalid(f"{name}: {sentence}", {name: sentence})
        called = given_file_name((file_name or b"").decode("utf-8", "replace"))
        return _FileSink(name, called, mime_type, self._accepted, self._new_path())

    def _write(self, data: bytes, start: int, end: int) -> None:
        self._sink.write(memoryview(data)[start:end])

    def _end(self) -> None:
        self._sink.finish(self._form)
        if isinstance(self._sink, _TextSink):
            self._text_bytes += self._sink.size_bytes

    def _complete(self) -> None:
        self._is_complete = True


class _RawReader:
    """A body that is one file, without a form around it."""

    def __init__(
        self, name: str, mime_type: str, accepted: Accepted, new_path: Callable[[], Path]
    ) -> None:
        self._name = name
        self._mime_type = mime_type
        self._accepted = accepted
        self._new_path = new_path
        self._sink: _FileSink | None = None

    def feed(self, data: bytearray) -> None:
        if self._sink is None:
            self._sink = _FileSink(
                self._name, "", self._mime_type, self._accepted, self._new_path()
            )
        self._sink.write(memoryview(data))

    def finish(self) -> Form:
        form = Form()
        if self._sink is not None:
            self._sink.finish(form)
        return form

    def close(self) -> None:
        if self._sink is not None:
            self._sink.close()
