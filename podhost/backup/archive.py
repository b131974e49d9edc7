"""The file that a backup is: a plain tar whose last member says what the others must be.

It knows neither tables nor storage. Any tar program unpacks it; we ourselves take nothing that we
would not have written to the byte: no links, devices, strange names or trailing bytes.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec

from podhost.errors import Invalid, Unavailable
from podhost.storage.contract import is_key

FORMAT = 1
FIRST = "podhost-backup.json"
LAST = "manifest.jsonl"
STORAGE = "storage/"
CHUNK_BYTES = 1024 * 1024
# A piece of rows ends with the row that fills it up; the largest row is a feed of a few MB.
PIECE_BYTES = 4 * 1024 * 1024
LARGEST_PIECE_BYTES = 256 * 1024 * 1024
_LARGEST_FIRST_BYTES = 1024 * 1024
_BLOCK = 512
_END = bytes(2 * _BLOCK)
# What eleven octal digits say (POSIX pax, "ustar header block").
_LARGEST_USTAR = 0o77777777777
_LONGEST_PAX = 2048
_PAX = re.compile(rb"(?:\d+ path=([^\n]+)\n)?(?:\d+ size=(\d+)\n)?")
# How the rows and the list of audio begin; a key of the storage follows rules of its own.
_PIECE_NAME = re.compile(r"(rows/[0-9]+/[a-z0-9_]+|audio)/[0-9]{6}\.jsonl")
_CONTENT_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+(; ?charset=utf-8)?")

_CUT_OFF = "The backup is cut off: its end is missing. Nothing of it was restored."
_DAMAGED = "The backup is damaged, or no backup that podhost made"


def damaged(what: str) -> Invalid:
    """The error for an archive that cannot be what a backup wrote."""
    return Invalid(f"{_DAMAGED}: {what}. Nothing of it was restored.")


@dataclass(frozen=True, slots=True)
class Member:
    """One file in the archive. `offset` is where its bytes begin."""

    name: str
    size_bytes: int
    sha256: str
    offset: int = 0
    content_type: str | None = None

    @property
    def key(self) -> str:
        """The storage key of a member under storage/."""
        return self.name.removeprefix(STORAGE)


class ArchiveWriter:
    """Writes members one after the other to a stream that need not be seekable."""

    def __init__(self, target: BinaryIO, *, mtime: int) -> None:
        self._target = target
        self._mtime = mtime
        self.size_bytes = 0
        # The line of each member; a million of them are no longer held in memory.
        self._lines = tempfile.SpooledTemporaryFile(max_size=16 * CHUNK_BYTES)  # noqa: SIM115 - closed by finish()
        self._digest = hashlib.sha256()

    def add(self, name: str, data: bytes) -> None:
        """Write a small member."""
        self.add_stream(name, len(data), [data])

    def add_stream(
        self,
        name: str,
        size_bytes: int,
        chunks: Iterable[bytes],
        *,
        content_type: str | None = None,
    ) -> str:
        """Write a member of that size and return its SHA-256; Unavailable if the chunks differ."""
        self._write(header(name, size_bytes, self._mtime))
        digest, left = hashlib.sha256(), size_bytes
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            self._write(chunk)
        if left != 0:
            raise Unavailable(f"{name} changed while it was read; make the backup again.")
        self._write(bytes(-size_bytes % _BLOCK))
        line: dict[str, Any] = {"name": name, "size_bytes": size_bytes}
        line["sha256"] = digest.hexdigest()
        if content_type is not None:
            line["content_type"] = content_type
        self._note(line)
        return digest.hexdigest()

    def finish(self, closing: dict[str, Any]) -> None:
        """Write the manifest, with `closing` as its last line but one, and end the archive."""
        self._note({"closing": closing})
        own = {"sha256": self._digest.hexdigest()}
        self._lines.write(msgspec.json.encode(own) + b"\n")
        size_bytes = self._lines.tell()
        self._lines.seek(0)
        self._write(header(LAST, size_bytes, self._mtime))
        while chunk := self._lines.read(CHUNK_BYTES):
            self._write(chunk)
        self._write(bytes(-size_bytes % _BLOCK) + _END)
        self._lines.close()

    def _note(self, line: dict[str, Any]) -> None:
        data = msgspec.json.encode(line) + b"\n"
        self._lines.write(data)
        self._digest.update(data)

    def _write(self, data: bytes) -> None:
        self._target.write(data)
        self.size_bytes += len(data)


class ArchiveReader:
    """An archive that was read and verified from beginning to end before anything is made of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size_bytes = file.seek(0, 2)
        self.members: list[Member] = []
        self.closing: dict[str, Any] = {}

    def first(self) -> dict[str, Any]:
        """What the archive says of itself, before any of it is verified. Raises Invalid."""
        self._file.seek(0)
        try:
            name, size_bytes, _ = self._read_header() or ("", 0, 0)
        except Invalid:
            # Most likely somebody has taken the wrong file.
            name, size_bytes = "", 0
        if name != FIRST or size_bytes > _LARGEST_FIRST_BYTES:
            raise Invalid("This file is not a backup that podhost made.")
        said = parsed(self._exactly(size_bytes))
        number = said.get("format")
        if type(number) is not int or number < 1:
            raise damaged("it does not say its format")
        if number > FORMAT:
            raise Invalid(
                f"The backup has format {number}, which a newer podhost wrote; this one reads "
                f"format {FORMAT}. Install the newer podhost."
            )
        return said

    def verify(self) -> Iterator[int]:
        """Read everything once, yielding the bytes of each step. Raises Invalid.

        Afterwards `members` and `closing` are what the manifest says, and true.
        """
        self._file.seek(0)
        found: list[Member] = []
        mtime: int | None = None
        while True:
            head = self._read_header()
            if head is None:
                raise Invalid(_CUT_OFF)
            name, size_bytes, its_mtime = head
            if mtime not in (None, its_mtime):
                raise damaged("its dates differ")
            mtime = its_mtime
            if name == LAST:
                break
            _check_name(name, is_first=not found)
            offset, digest = self._file.tell(), hashlib.sha256()
            for chunk in self._chunks(size_bytes):
                digest.update(chunk)
                yield len(chunk)
            self._skip_padding(size_bytes)
            found.append(Member(name, size_bytes, digest.hexdigest(), offset))
        # A line has a name of 512 letters at most, a hash, a type and some words around them.
        if size_bytes > 1024 * (len(found) + 1) + LARGEST_PIECE_BYTES:
            raise damaged("its manifest is too large")
        manifest = self._exactly(size_bytes)
        self._skip_padding(size_bytes)
        if self._file.read(len(_END) + 1) != _END:
            raise Invalid(_CUT_OFF)
        self._compare(found, manifest)

    def read(self, member: Member) -> bytes:
        """A member's bytes, which must be few. Raises Invalid."""
        if member.size_bytes > LARGEST_PIECE_BYTES:
            raise damaged(f"{member.name} is too large")
        return b"".join(self.chunks(member))

    def chunks(self, member: Member) -> Iterator[bytes]:
        """A member's bytes as they come; Invalid at the end if they changed since verify()."""
        self._file.seek(member.offset)
        digest = hashlib.sha256()
        for chunk in self._chunks(member.size_bytes):
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != member.sha256:
            raise damaged(f"{member.name} changed while it was read")

    def _compare(self, found: list[Member], manifest: bytes) -> None:
        lines = manifest.splitlines(keepends=True)
        if len(lines) != len(found) + 2:
            raise damaged("its manifest names other files than it has")
        own = {"sha256": hashlib.sha256(b"".join(lines[:-1])).hexdigest()}
        if lines[-1] != msgspec.json.encode(own) + b"\n":
            raise damaged("its manifest was changed")
        for member, line in zip(found, lines, strict=False):
            said = parsed(line)
            content_type = said.pop("content_type", None)
            is_type = isinstance(content_type, str) and _CONTENT_TYPE.fullmatch(content_type)
            if (content_type is not None and not is_type) or said != {
                "name": member.name,
                "size_bytes": member.size_bytes,
                "sha256": member.sha256,
            }:
                raise damaged(f"{member.name} is not what its manifest says")
            self.members.append(
                Member(member.name, member.size_bytes, member.sha256, member.offset, content_type)
            )
        names = {member.name for member in found}
        if len(names) != len(found):
            raise damaged("a file is in it twice")
        closing = parsed(lines[-2]).get("closing")
        if not isinstance(closing, dict):
            raise damaged("its manifest has no end")
        self.closing = closing

    def _read_header(self) -> tuple[str, int, int] | None:
        """Name, size and date of the next member; None at the end. Raises Invalid."""
        raw = block = self._exactly(_BLOCK)
        if not any(block):
            return None
        path, size = None, None
        if block[156:157] == b"x":
            length = _octal(block[124:136])
            if length > _LONGEST_PAX:
                raise damaged("a header is too long")
            records = self._exactly(length + -length % _BLOCK)
            match = _PAX.fullmatch(records[:length])
            if match is None:
                raise damaged("a header says what no backup says")
            path, size = match[1], match[2]
            block = self._exactly(_BLOCK)
            raw += records + block
        name = (path or block[:100].rstrip(b"\0")).decode("ascii", "replace")
        size_bytes = int(size) if size and len(size) < 19 else _octal(block[124:136])
        mtime = _octal(block[136:148])
        if not name.isascii() or raw != header(name, size_bytes, mtime):
            raise damaged("a header is not as podhost writes it")
        return name, size_bytes, mtime

    def _chunks(self, size_bytes: int) -> Iterator[bytes]:
        if size_bytes > self.size_bytes - self._file.tell():
            raise Invalid(_CUT_OFF)
        while size_bytes:
            chunk = self._exactly(min(CHUNK_BYTES, size_bytes))
            size_bytes -= len(chunk)
            yield chunk

    def _skip_padding(self, size_bytes: int) -> None:
        if any(self._exactly(-size_bytes % _BLOCK)):
            raise damaged("there is something between its files")

    def _exactly(self, size_bytes: int) -> bytes:
        if size_bytes > self.size_bytes - self._file.tell():
            raise Invalid(_CUT_OFF)
        data = self._file.read(size_bytes)
        if len(data) != size_bytes:
            raise Invalid(_CUT_OFF)
        return data


def header(name: str, size_bytes: int, mtime: int) -> bytes:
    """What stands before a member: a ustar block, after a pax header where that says too little."""
    is_large = size_bytes > _LARGEST_USTAR
    records = _record("path", name) if len(name) > 100 else b""
    records += _record("size", str(size_bytes)) if is_large else b""
    block = _ustar(name[:100], 0 if is_large else size_bytes, mtime, b"0")
    if not records:
        return block
    padded = records + bytes(-len(records) % _BLOCK)
    return _ustar("pax-header", len(records), mtime, b"x") + padded + block


def _ustar(name: str, size_bytes: int, mtime: int, kind: bytes) -> bytes:
    fields = [
        name.encode("ascii").ljust(100, b"\0"),
        b"0000600\0" + b"0000000\0" * 2,  # for the owner's eyes only, whoever that is
        b"%011o\0%011o\0" % (size_bytes, mtime),
        b" " * 8,
        kind + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2,
    ]
    block = b"".join(fields).ljust(_BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _record(name: str, value: str) -> bytes:
    rest = f" {name}={value}\n".encode("ascii")
    length = len(rest) + len(str(len(rest)))
    length = len(rest) + len(str(length))
    return str(length).encode("ascii") + rest


def _octal(field: bytes) -> int:
    digits = field[:-1]
    if not re.fullmatch(rb"[0-7]{11}", digits):
        raise damaged("a header has no number where one belongs")
    return int(digits, 8)


def _check_name(name: str, *, is_first: bool) -> None:
    if is_first:
        is_fine = name == FIRST
    elif name.startswith(STORAGE):
        is_fine = is_key(name.removeprefix(STORAGE))
    else:
        is_fine = _PIECE_NAME.fullmatch(name) is not None
    if not is_fine:
        raise damaged(f"it has a file {name[:80]!a}")


def parsed(data: bytes) -> dict[str, Any]:
    """A JSON object. Raises Invalid for whatever else it is."""
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise damaged("a line of it is not JSON") from None


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """JSON lines, joined to pieces of some megabytes."""
    piece: list[bytes] = []
    size_bytes = 0
    for line in lines:
        piece += (line, b"\n")
        size_bytes += len(line) + 1
        if size_bytes >= PIECE_BYTES:
            yield b"".join(piece)
            piece, size_bytes = [], 0
    if piece:
        yield b"".join(piece)
