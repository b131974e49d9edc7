"""What of an audio file is heard: a hash over its frames or samples, whatever its tags say.

Two files with the same sound play alike to the last bit; it reads and changes nothing.
"""

import hashlib
import itertools
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from podhost.errors import Invalid
from podhost.formats.mp4_boxes import Box, Track, box_payload, child_boxes, read_movie
from podhost.formats.mpeg_frames import BLOCK_BYTES, Mp3Frames, Walk, walk_frames

if TYPE_CHECKING:
    from _hashlib import HASH

# Of one table of an MP4 file: 24 hours of AAC have 15 MB of sizes.
MOST_TABLE_BYTES = 64_000_000
# What says how the samples are to be decoded and when; but for the places of chunks, which move.
_DECODING = (b"stsd", b"stts", b"ctts", b"stsc", b"stsz", b"stz2", b"stss", b"sgpd", b"sbgp")
_UNREADABLE = "The places of the sound in this file could not be read."


class Sound(msgspec.Struct, frozen=True):
    """Equal for files that are heard alike. `frames` are those of MP3, or samples of MP4."""

    sha256: str
    frames: int
    duration_ms: int


def read_sound(path: Path, kind: str) -> Sound:
    """The sound of an MP3 ("mp3") or of the first sound track of an M4A file ("m4a").

    Raises Invalid, or NotThisFormat for an MP3 without frames. Call it in a child process.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        if kind == "mp3":
            return _mp3_sound(file, size_bytes)
        return _mp4_sound(file, size_bytes)


def mp3_sound_end(walk: Walk, size_bytes: int) -> int:
    """Where the tags at the end of an MP3 begin, which are no sound."""
    starts = [position for position, size in (walk.ape_tag, walk.id3v1_tag) if size]
    return min([size_bytes, *starts])


def _mp3_sound(file: BinaryIO, size_bytes: int) -> Sound:
    """From the first frame, which may be that of Xing or LAME with its table, to the last byte
    before the tags at the end: whatever lies between frames is part of it."""
    walk = walk_frames(file, size_bytes, Mp3Frames())
    digest = hashlib.sha256()
    end = mp3_sound_end(walk, size_bytes)
    _hash_span(digest, file, walk.header_bytes, end - walk.header_bytes)
    return Sound(digest.hexdigest(), walk.frames, walk.duration_ms)


def _mp4_sound(file: BinaryIO, size_bytes: int) -> Sound:
    track = read_movie(file, size_bytes).audio
    if track is None or track.sample_table is None:
        raise Invalid(_UNREADABLE)
    tables = _tables(file, track.sample_table)
    digest = hashlib.sha256()
    for kind in _DECODING:
        digest.update(kind + tables.get(kind, b""))
    sizes = _sample_sizes(tables)
    for start, length in _chunks(tables, sizes):
        if start + length > size_bytes:
            raise Invalid(_UNREADABLE)
        _hash_span(digest, file, start, length)
    return Sound(digest.hexdigest(), len(sizes), _duration_ms(track))


def _duration_ms(track: Track) -> int:
    return round(track.duration_units * 1000 / track.timescale) if track.timescale else 0


def _hash_span(digest: "HASH", file: BinaryIO, start: int, length: int) -> None:
    file.seek(start)
    while length > 0 and (block := file.read(min(BLOCK_BYTES, length))):
        digest.update(block)
        length -= len(block)
    if length:
        raise Invalid(_UNREADABLE)


def _tables(file: BinaryIO, sample_table: Box) -> dict[bytes, bytes]:
    tables: dict[bytes, bytes] = {}
    for box in child_boxes(file, sample_table):
        if box.end - box.start > MOST_TABLE_BYTES:
            raise Invalid(_UNREADABLE)
        tables.setdefault(box.kind, box_payload(file, box, MOST_TABLE_BYTES))
    return tables


def _numbers(table: bytes, layout: str, at: int = 8) -> list[tuple[Any, ...]]:
    """The rows of a table whose number stands before it."""
    count = int.from_bytes(table[at - 4 : at], "big")
    size = struct.calcsize(layout)
    if len(table) < at + count * size:
        raise Invalid(_UNREADABLE)
    return list(struct.iter_unpack(layout, table[at : at + count * size]))


def _sample_sizes(tables: dict[bytes, bytes]) -> list[int]:
    table = tables.get(b"stsz", b"")
    uniform, count = int.from_bytes(table[4:8], "big"), int.from_bytes(table[8:12], "big")
    if uniform:
        # Of uncompressed sound; what podhost publishes has none.
        raise Invalid(_UNREADABLE)
    if len(table) < 12 + 4 * count:
        raise Invalid(_UNREADABLE)
    return list(struct.unpack_from(f">{count}I", table, 12))


def _chunks(tables: dict[bytes, bytes], sizes: list[int]) -> Iterator[tuple[int, int]]:
    """Place and length of each chunk, in the order in which they are heard."""
    if b"co64" in tables:
        places = [place for (place,) in _numbers(tables[b"co64"], ">Q")]
    else:
        places = [place for (place,) in _numbers(tables.get(b"stco", b""), ">I")]
    left = iter(sizes)
    for place, count in zip(places, _counts(tables, len(places)), strict=False):
        yield place, sum(itertools.islice(left, count))
    if next(left, None) is not None:
        raise Invalid(_UNREADABLE)


def _counts(tables: dict[bytes, bytes], chunks: int) -> Iterable[int]:
    """How many samples each chunk has: runs of equal ones (ISO 14496-12 8.7.4)."""
    runs = _numbers(tables.get(b"stsc", b""), ">III")
    ends = [first for first, _, _ in runs[1:]] + [chunks + 1]
    for (first, count, _), end in zip(runs, ends, strict=True):
        yield from itertools.repeat(count, min(max(0, end - first), chunks))
