"""Reads the boxes of MP4 and QuickTime files: what they hold, whether they are whole, chapters.

It reads headers and small tables only, never the sound, and goes no deeper than real files do:
a file made of thousands of nested boxes must not reach a library that recurses.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from podhost.errors import Invalid

# moov/trak/mdia/minf/stbl/stsd is 6 deep, moov/udta/meta/ilst/item/data too.
DEEPEST_BOX = 10
MOST_BOXES = 1_000_000
MOST_CHAPTER_SAMPLES = 5_000
CHAPTER_SAMPLE_BYTES = 64 * 1024
TABLE_BYTES = 1 << 20

# Boxes whose payload is boxes, and that a library may descend into.
CONTAINERS = frozenset(
    b"moov udta trak mdia minf stbl tref edts dinf meta ilst moof traf mvex".split()
)
# FairPlay (iTunes), Common Encryption and Audible.
PROTECTED = frozenset((b"drms", b"drmi", b"enca", b"encv", b"aavd", b"p608"))
PICTURE_CODECS = frozenset((b"jpeg", b"png ", b"mjpa", b"mjpb"))

CUT_SHORT = (
    "This file is cut short: its end is missing, perhaps because an upload or a recording was "
    "interrupted. Upload the complete file again."
)
TOO_DEEP = (
    "This file could not be read: its parts are nested deeper than in any real MP4 file. "
    "Export it again from your audio editor."
)


class Box(NamedTuple):
    """One box: its four-character type and where its payload starts and ends in the file."""

    kind: bytes
    start: int
    end: int


@dataclass
class Track:
    """One track of the movie; `codec` is the four-character code of its first sample entry."""

    track_id: int = 0
    handler: bytes = b""
    codec: bytes = b""
    timescale: int = 0
    duration_units: int = 0
    chapter_track_ids: list[int] = field(default_factory=list)
    sample_table: Box | None = None


class Mp4Chapter(NamedTuple):
    """A chapter as the file has it; the title is not cleaned."""

    start_ms: int
    title: str


@dataclass
class Movie:
    """What the boxes of one file say."""

    brand: bytes = b""
    # Where the first media data begins: what a listener loads before any sound.
    header_bytes: int = 0
    is_index_first: bool = False
    is_fragmented: bool = False
    tracks: list[Track] = field(default_factory=list)
    nero_chapters: list[Mp4Chapter] = field(default_factory=list)
    quicktime_chapters: list[Mp4Chapter] = field(default_factory=list)

    @property
    def is_protected(self) -> bool:
        return any(track.codec in PROTECTED for track in self.tracks)

    @property
    def audio(self) -> Track | None:
        """The first sound track, the one that players take."""
        return next((track for track in self.tracks if track.handler == b"soun"), None)

    @property
    def has_video(self) -> bool:
        """Whether there are moving pictures; chapter pictures are not."""
        named = {named for track in self.tracks for named in track.chapter_track_ids}
        return any(
            track.handler == b"vide"
            and track.track_id not in named
            and track.codec not in PICTURE_CODECS
            for track in self.tracks
        )


def read_movie(file: BinaryIO, size_bytes: int) -> Movie:
    """Read the boxes of a file of `size_bytes` (ISO 14496-12; QuickTime File Format).

    Raises Invalid when a box runs past the end of the file, when there is no index (`moov`) or
    when boxes are nested deeper than DEEPEST_BOX.
    """
    top = list(list_boxes(file, 0, size_bytes, strict=True))
    _check_depth(file, top)
    movie = Movie()
    moov = None
    for box in top:
        if box.kind == b"ftyp":
            movie.brand = box_payload(file, box, 4)
        elif box.kind == b"mdat" and not movie.header_bytes:
            movie.header_bytes = box.start
        elif box.kind == b"moof":
            movie.is_fragmented = True
        elif box.kind == b"moov" and moov is None:
            moov = box
            movie.is_index_first = not movie.header_bytes
    if moov is None:
        raise Invalid(CUT_SHORT)
    _read_moov(file, moov, movie)
    return movie


def list_boxes(file: BinaryIO, start: int, end: int, *, strict: bool = False) -> Iterator[Box]:
    """The boxes between two positions; stops at one that exceeds its parent.

    With `strict`, a box that runs past `end` or is no box raises Invalid instead.
    """
    position = start
    for _ in range(MOST_BOXES):
        if position + 8 > end:
            # Up to seven stray bytes (a four-byte terminator in udta) are common.
            return
        file.seek(position)
        header = file.read(16)
        if len(header) < 8:
            return
        size, payload = int.from_bytes(header[:4], "big"), position + 8
        if size == 1 and len(header) == 16:
            size, payload = int.from_bytes(header[8:], "big"), position + 16
        elif size == 0:
            size = end - position
        if position + size > end or size < payload - position:
            # What no type names is not a box cut short but padding after the last one.
            if strict and header[4:8].strip().isalnum():
                raise Invalid(CUT_SHORT)
            return
        yield Box(header[4:8], payload, position + size)
        position += size
    raise Invalid(TOO_DEEP)


def child_boxes(file: BinaryIO, box: Box) -> Iterator[Box]:
    """The boxes inside a container."""
    start = box.start
    if box.kind == b"meta":
        # ISO gives it a version field before its boxes, QuickTime does not.
        file.seek(start)
        is_full = file.read(8)[4:8] != b"hdlr"
        start += 4 if is_full else 0
    return list_boxes(file, start, box.end)


def _check_depth(file: BinaryIO, top: list[Box]) -> None:
    """Raise Invalid when containers are nested too deep or there are too many boxes."""
    count = 0
    open_levels = [iter(top)]
    while open_levels:
        box = next(open_levels[-1], None)
        if box is None:
            open_levels.pop()
            continue
        count += 1
        if len(open_levels) > DEEPEST_BOX or count > MOST_BOXES:
            raise Invalid(TOO_DEEP)
        if box.kind in CONTAINERS:
            open_levels.append(child_boxes(file, box))


def box_payload(file: BinaryIO, box: Box, most: int = TABLE_BYTES) -> bytes:
    """What is in a box, up to `most` bytes."""
    file.seek(box.start)
    return file.read(min(most, box.end - box.start))


def find_box(file: BinaryIO, box: Box, *path: bytes) -> Box | None:
    """The first box along a path of types below `box`."""
    found: Box | None = box
    for kind in path:
        if found is None:
            return None
        found = next((child for child in child_boxes(file, found) if child.kind == kind), None)
    return found


def _read_moov(file: BinaryIO, moov: Box, movie: Movie) -> None:
    for box in child_boxes(file, moov):
        if box.kind == b"trak":
            movie.tracks.append(_read_track(file, box))
        elif box.kind == b"mvex":
            movie.is_fragmented = True
        elif box.kind == b"udta":
            chpl = find_box(file, box, b"chpl")
            if chpl is not None:
                movie.nero_chapters = _nero_chapters(box_payload(file, chpl))
    movie.quicktime_chapters = _quicktime_chapters(file, movie)


def _number(data: bytes, at: int, size: int = 4) -> int:
    """A big-endian number; 0 when the data ends before it."""
    return int.from_bytes(data[at : at + size], "big") if at + size <= len(data) else 0


def _read_track(file: BinaryIO, trak: Box) -> Track:
    track = Track()
    if (tkhd := find_box(file, trak, b"tkhd")) is not None:
        data = box_payload(file, tkhd, 32)
        track.track_id = _number(data, 20 if data[:1] == b"\x01" else 12)
    if (mdhd := find_box(file, trak, b"mdia", b"mdhd")) is not None:
        data = box_payload(file, mdhd, 32)
        is_long = data[:1] == b"\x01"
        track.timescale = _number(data, 20 if is_long else 12)
        track.duration_units = _number(data, 24, 8) if is_long else _number(data, 16)
    if (hdlr := find_box(file, trak, b"mdia", b"hdlr")) is not None:
        track.handler = box_payload(file, hdlr, 12)[8:12]
    if (chap := find_box(file, trak, b"tref", b"chap")) is not None:
        data = box_payload(file, chap, 64)
        track.chapter_track_ids = [_number(data, at) for at in range(0, len(data) - 3, 4)]
    track.sample_table = find_box(file, trak, b"mdia", b"minf", b"stbl")
    if track.sample_table is not None:
        stsd = find_box(file, track.sample_table, b"stsd")
        # version and flags, number of entries, size of the first entry, its type
        track.codec = box_payload(file, stsd, 16)[12:16] if stsd is not None else b""
    return track


def _nero_chapters(data: bytes) -> list[Mp4Chapter]:
    """The `chpl` box: start in units of 100 ns, length of the title, title."""
    # Version 1 has four more bytes before the one that counts.
    at = 9 if data[:1] == b"\x01" else 5
    count = _number(data, at - 1, 1)
    chapters = []
    for _ in range(count):
        if at + 9 > len(data):
            break
        size = data[at + 8]
        title = data[at + 9 : at + 9 + size].decode("utf-8", errors="replace")
        chapters.append(Mp4Chapter(_number(data, at, 8) // 10_000, title))
        at += 9 + size
    return chapters


def _quicktime_chapters(file: BinaryIO, movie: Movie) -> list[Mp4Chapter]:
    """The text track that the sound track names as its chapters; what Apple's tools write."""
    wanted = [i for t in movie.tracks if t.handler == b"soun" for i in t.chapter_track_ids]
    for track in movie.tracks:
        if track.track_id in wanted and track.handler in (b"text", b"sbtl"):
            chapters = _text_samples(file, track)
            if chapters:
                return chapters
    return []


def _text_samples(file: BinaryIO, track: Track) -> list[Mp4Chapter]:
    if track.sample_table is None or not track.timescale:
        return []
    tables: dict[bytes, bytes] = {}
    for box in child_boxes(file, track.sample_table):
        tables.setdefault(box.kind, box_payload(file, box))
    sizes = _sample_sizes(tables.get(b"stsz", b""))
    starts = _sample_starts(tables.get(b"stts", b""))
    places = _sample_places(tables, sizes)
    chapters = []
    for start, size, place in zip(starts, sizes, places, strict=False):
        # A place may have 64 bits, a position in a file has 63.
        file.seek(min(place, 1 << 62))
        text = _sample_text(file.read(min(size, CHAPTER_SAMPLE_BYTES)))
        chapters.append(Mp4Chapter(start * 1000 // track.timescale, text))
    return chapters


def _entries(data: bytes, layout: str) -> Iterator[tuple[int, ...]]:
    """The rows of a table that begins with version, flags and the number of rows."""
    count = min(_number(data, 4), MOST_CHAPTER_SAMPLES)
    size = struct.calcsize(layout)
    for at in range(8, min(8 + count * size, len(data) - size + 1), size):
        yield struct.unpack_from(layout, data, at)


def _sample_sizes(stsz: bytes) -> list[int]:
    uniform, count = _number(stsz, 4), min(_number(stsz, 8), MOST_CHAPTER_SAMPLES)
    if uniform:
        return [uniform] * count
    return [_number(stsz, 12 + 4 * at) for at in range(min(count, (len(stsz) - 12) // 4))]


def _sample_starts(stts: bytes) -> list[int]:
    starts: list[int] = []
    now = 0
    for count, delta in _entries(stts, ">II"):
        room = MOST_CHAPTER_SAMPLES - len(starts)
        starts.extend(now + delta * at for at in range(min(count, room)))
        now += count * delta
    return starts


def _sample_places(tables: dict[bytes, bytes], sizes: list[int]) -> list[int]:
    """Where each sample lies in the file: chunks have places, samples follow within a chunk."""
    if b"co64" in tables:
        chunks = [place for (place,) in _entries(tables[b"co64"], ">Q")]
    else:
        chunks = [place for (place,) in _entries(tables.get(b"stco", b""), ">I")]
    runs = [(first, count) for first, count, _ in _entries(tables.get(b"stsc", b""), ">III")]
    places: list[int] = []
    run = 0
    for number, place in enumerate(chunks, start=1):
        while run + 1 < len(runs) and runs[run + 1][0] <= number:
            run += 1
        for _ in range(runs[run][1] if runs else 1):
            if len(places) >= len(sizes):
                return places
            places.append(place)
            place += sizes[len(places) - 1]
    return places


def _sample_text(sample: bytes) -> str:
    """The text of a QuickTime text sample; atoms after it (encd, href) are left out."""
    text = sample[2 : 2 + _number(sample, 0, 2)]
    is_utf16 = text[:2] in (b"\xfe\xff", b"\xff\xfe")
    return text.decode("utf-16" if is_utf16 else "utf-8", errors="replace")
