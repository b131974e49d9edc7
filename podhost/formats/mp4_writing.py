"""Writes the tags of an M4A file: atoms with mutagen, chapters by itself; only in a child process.

It makes a new `moov` box and says which parts of the file stay; it copies no sound. Where the box
stood, before the sound or after it, the new one stands too.
"""

# mutagen says that it is typed, and then leaves out nearly every type.
# mypy: disable-error-code="no-untyped-call, attr-defined"

import io
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from mutagen import mp4

from podhost.errors import Invalid
from podhost.formats.mp4_boxes import Box, Mp4Chapter, list_boxes, read_movie
from podhost.formats.tags import Mp4File
from podhost.formats.written_tags import GENRE, Piece, WrittenChapter, WrittenTags

MOOV_FILE = "moov.mp4"
PADDING_BYTES = 1024
MOST_MOOV_BYTES = 64_000_000
# The `chpl` box counts chapters, and the bytes of a title, in one byte each.
MOST_CHAPTERS = 255
MOST_TITLE_BYTES = 255
LARGEST_PLACE = {b"stco": 2**32 - 1, b"co64": 2**64 - 1}
# A number of a pair has two bytes.
MOST_NUMBER = 2**16 - 1

_TOO_LARGE = "The index of this file is larger than podhost reads."
_UNFIT = "The index of this file could not be written anew."
_FILE_TYPE = struct.pack(">I4s4sI4s", 20, b"ftyp", b"M4A ", 0, b"M4A ")

Change = Callable[[tuple[bytes, ...], bytes], bytes | None]
_CONTAINERS = frozenset((b"trak", b"mdia", b"minf", b"stbl", b"udta", b"tref"))


def plan_m4a(path: Path, workdir: Path, tags: WrittenTags, cover: bytes | None) -> list[Piece]:
    """The pieces of the tagged file: all that is before `moov`, the new one, all behind it."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        movie = read_movie(file, size_bytes)
        moov, start = _moov_of(file, size_bytes)
        if moov.end - start > MOST_MOOV_BYTES:
            raise Invalid(_TOO_LARGE)
        file.seek(moov.start)
        payload = file.read(moov.end - moov.start)
    ids = {named for track in movie.tracks for named in track.chapter_track_ids}
    if ids and not _says_the_same(movie.quicktime_chapters, tags.chapters):
        payload = _without_chapter_tracks(payload, ids)
    old_places = _places(payload)
    payload = _with_atoms(payload, tags, cover)
    payload = _with_nero_chapters(payload, tags.chapters)
    shift = len(payload) + 8 - (moov.end - start)
    box = _box(b"moov", _with_places(payload, old_places, moov.end, shift))
    (workdir / MOOV_FILE).write_bytes(box)
    return [
        Piece(None, 0, start),
        Piece(MOOV_FILE),
        Piece(None, moov.end, size_bytes - moov.end),
    ]


def _moov_of(file: BinaryIO, size_bytes: int) -> tuple[Box, int]:
    """The box, and where its header begins."""
    before = 0
    for box in list_boxes(file, 0, size_bytes):
        if box.kind == b"moov":
            return box, before
        before = box.end
    raise Invalid(_UNFIT)


# Boxes in memory


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", len(payload) + 8, kind) + payload


def _split(payload: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of a container; what is left at its end (a terminator of udta) has no kind."""
    at = 0
    while len(payload) - at >= 8:
        size, kind = struct.unpack_from(">I4s", payload, at)
        head = 8
        if size == 1 and len(payload) - at >= 16:
            size, head = int.from_bytes(payload[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(payload) - at
        if size < head or at + size > len(payload):
            break
        yield kind, payload[at + head : at + size]
        at += size
    if at < len(payload):
        yield b"", payload[at:]


def _changed(payload: bytes, change: Change, path: tuple[bytes, ...] = ()) -> bytes:
    """The container with what `change` makes of each box in it, innermost first; None: no box."""
    made = []
    for kind, inner in _split(payload):
        if not kind:
            made.append(inner)
            continue
        below = (*path, kind)
        if kind in _CONTAINERS:
            inner = _changed(inner, change, below)
        kept = change(below, inner)
        if kept is not None:
            made.append(_box(kind, kept))
    return b"".join(made)


# Where the sound lies


def _places(payload: bytes) -> list[bytes]:
    """The tables of places of all chunks, in the order of the tracks."""
    found: list[bytes] = []

    def note(path: tuple[bytes, ...], inner: bytes) -> bytes:
        if path[-1] in LARGEST_PLACE:
            found.append(inner)
        return inner

    _changed(payload, note)
    return found


def _with_places(payload: bytes, tables: list[bytes], moov_end: int, shift: int) -> bytes:
    """With these tables, in which every place behind the box has moved by `shift` bytes.

    mutagen moves them as well, but knows no more of the file than the box.
    """
    coming = iter(tables)

    def move(path: tuple[bytes, ...], inner: bytes) -> bytes:
        if path[-1] not in LARGEST_PLACE:
            return inner
        return _moved(path[-1], next(coming), moov_end, shift)

    return _changed(payload, move)


def _moved(kind: bytes, table: bytes, moov_end: int, shift: int) -> bytes:
    count = int.from_bytes(table[4:8], "big")
    layout = f">{count}{'I' if kind == b'stco' else 'Q'}"
    if len(table) < 8 + struct.calcsize(layout):
        raise Invalid(_UNFIT)
    places = struct.unpack_from(layout, table, 8)
    moved = [place + shift if place >= moov_end else place for place in places]
    if moved and not 0 <= min(moved) <= max(moved) <= LARGEST_PLACE[kind]:
        raise Invalid(_UNFIT)
    return table[:8] + struct.pack(layout, *moved)


# What the tags say


def _with_atoms(payload: bytes, tags: WrittenTags, cover: bytes | None) -> bytes:
    file = io.BytesIO(_FILE_TYPE + _box(b"moov", payload))
    parsed: Any = Mp4File(file)
    if parsed.tags is None:
        parsed.add_tags()
    _put_atoms(parsed.tags, tags)
    if cover is not None:
        parsed.tags["covr"] = [mp4.MP4Cover(cover, mp4.MP4Cover.FORMAT_JPEG)]
    file.seek(0)
    parsed.tags.save(file, padding=lambda _: PADDING_BYTES)
    return file.getvalue()[len(_FILE_TYPE) + 8 :]


def _put_atoms(atoms: Any, tags: WrittenTags) -> None:
    texts = {
        "\xa9nam": tags.title,
        "\xa9alb": tags.show,
        "\xa9ART": ", ".join(tags.artists),
        "aART": tags.author,
        "\xa9gen": GENRE,
        "\xa9day": tags.date.isoformat() if tags.date is not None else None,
    }
    values: dict[str, list[Any] | None] = {
        **{name: [text] if text else None for name, text in texts.items()},
        "trkn": _pair(tags.number),
        "disk": _pair(tags.season),
    }
    for name, value in values.items():
        atoms.pop(name, None)
        if value is not None:
            atoms[name] = value
    if tags.link is not None and "\xa9cmt" not in atoms:
        # There is no atom for a link, and players show the comment.
        atoms["\xa9cmt"] = [tags.link]


def _pair(number: int | None) -> list[tuple[int, int]] | None:
    return [(number, 0)] if number and number <= MOST_NUMBER else None


# Chapters


def _says_the_same(found: Sequence[Mp4Chapter], wanted: Sequence[WrittenChapter]) -> bool:
    """Whether the chapters that the file has in a track are those that it is to have."""
    return [(one.start_ms, one.title.strip()) for one in found] == [
        (one.start_ms, one.title) for one in wanted
    ]


def _without_chapter_tracks(payload: bytes, ids: set[int]) -> bytes:
    """Without the tracks of chapters that no longer hold; apps prefer them to all others."""

    def take_out(path: tuple[bytes, ...], inner: bytes) -> bytes | None:
        if path[-1] == b"chap":
            return None
        if path[-1] == b"tref" and not inner:
            return None
        if path == (b"trak",) and _track_id(inner) in ids:
            return None
        return inner

    return _changed(payload, take_out)


def _track_id(trak: bytes) -> int:
    header = next((inner for kind, inner in _split(trak) if kind == b"tkhd"), b"")
    at = 20 if header[:1] == b"\x01" else 12
    return int.from_bytes(header[at : at + 4], "big")


def _with_nero_chapters(payload: bytes, chapters: Sequence[WrittenChapter]) -> bytes:
    """The `chpl` box in udta, in the place of the one that was there.

    mutagen writes none, and a track of chapters would have to be put among the sound.
    """
    listed = [chapter for chapter in chapters if not chapter.is_hidden]

    def replace(path: tuple[bytes, ...], inner: bytes) -> bytes | None:
        if path == (b"udta", b"chpl"):
            return None
        if path == (b"udta",) and listed:
            # In front of what may end in a terminator.
            return _box(b"chpl", _chpl(listed[:MOST_CHAPTERS])) + inner
        return inner

    return _changed(payload, replace)


def _chpl(chapters: Sequence[WrittenChapter]) -> bytes:
    """Version 1 as Nero and ffmpeg write it: starts in units of 100 ns."""
    rows = [b"\x01\x00\x00\x00" + bytes(4) + bytes((len(chapters),))]
    for chapter in chapters:
        title = _cut(chapter.title)
        rows.append(struct.pack(">QB", chapter.start_ms * 10_000, len(title)) + title)
    return b"".join(rows)


def _cut(title: str) -> bytes:
    """Its first bytes, whole letters only."""
    return title.encode()[:MOST_TITLE_BYTES].decode(errors="ignore").encode()
