"""Walks the frames of MP3 and ADTS AAC, where only a count of frames tells the true duration.

Headers of such files lie (cut uploads, joined files) and estimates from the bitrate are wrong for
variable bitrates. Nothing is decoded and the file is read in blocks, never mapped or held whole.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import BinaryIO, Protocol

BLOCK_BYTES = 1 << 22
# The longest frames: 1441 bytes of MP3, 8191 of ADTS. A block's end is kept for the next block,
# so that a frame and the few after it that confirm it lie in one block.
MARGIN_BYTES = 64 * 1024
# So many frames in a row are no accident; two are, about once in a few megabytes of noise.
CONFIRMING_FRAMES = 4
LEADING_JUNK_BYTES = 1 << 20

ID3_HEADER_BYTES = 10
ID3V1_BYTES = 128
APE_FOOTER_BYTES = 32

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBITS_MPEG1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_MPEG2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_ADTS_RATES = (
    *(96000, 88200, 64000, 48000, 44100, 32000, 24000),
    *(22050, 16000, 12000, 11025, 8000, 7350),
)
# Where a walk that lost the frames looks next: a frame, or a tag in the middle of joined files.
_NEXT_START = re.compile(rb"\xff[\xe0-\xff]|ID3[\x02-\x04]|TAG|APETAGEX")


class NotThisFormat(Exception):
    """The bytes hold no row of such frames."""


# Compared by identity: to hash four numbers for each of a million frames takes longer than all
# the rest of a walk. `_kind` gives the same object for the same numbers.
@dataclass(frozen=True, eq=False)
class FrameKind:
    """What one header says of its frame and of every frame with the same header."""

    length_bytes: int
    samples: int
    rate_hz: int
    bitrate_bps: int


@dataclass
class Walk:
    """What a walk over a whole file found; positions and sizes are bytes from its start."""

    header_bytes: int = -1
    sound_bytes: int = 0
    frames: int = 0
    leading_junk_bytes: int = 0
    junk_bytes: int = 0
    channels: int = 0
    # Frames counted by what their headers say.
    kinds: Counter[FrameKind] = field(default_factory=Counter)
    # Leading ID3v2 tags as (position, size); some tools write a second before the first.
    id3_tags: list[tuple[int, int]] = field(default_factory=list)
    # Where the trailing APE and ID3v1 tags begin and how long each is; size 0 when absent.
    ape_tag: tuple[int, int] = (0, 0)
    id3v1_tag: tuple[int, int] = (0, 0)

    @property
    def duration_ms(self) -> int:
        """The exact length of the sound, rounded to milliseconds."""
        return round(sum(n * kind.samples * 1000 / kind.rate_hz for kind, n in self.kinds.items()))

    @property
    def bitrates_bps(self) -> set[int]:
        return {kind.bitrate_bps for kind in self.kinds}

    @property
    def sample_rates_hz(self) -> set[int]:
        return {kind.rate_hz for kind in self.kinds}


class FrameFormat(Protocol):
    """How the frames of one format look; two exist, MP3 and ADTS."""

    def kind_at(self, block: bytes, position: int) -> FrameKind | None:
        """The frame that begins here, or None when none can."""

    def is_silent_header(self, block: bytes, position: int) -> bool:
        """Whether this frame carries a table for players instead of sound."""

    def channels_at(self, block: bytes, position: int) -> int:
        """How many channels the frame that begins here has."""


@cache
def _kind(length_bytes: int, samples: int, rate_hz: int, bitrate_bps: int) -> FrameKind:
    return FrameKind(length_bytes, samples, rate_hz, bitrate_bps)


def _mp3_kind(version: int, second: int) -> FrameKind | None:
    rate_index = second >> 2 & 3
    kbits = (_KBITS_MPEG1 if version == 3 else _KBITS_MPEG2)[second >> 4] if second < 240 else 0
    if rate_index == 3 or kbits == 0:
        return None
    samples = 1152 if version == 3 else 576
    rate_hz = _RATES[version][rate_index]
    length = samples // 8 * kbits * 1000 // rate_hz + (second >> 1 & 1)
    return _kind(length, samples, rate_hz, kbits * 1000)


def _mp3_kinds() -> dict[bytes, FrameKind]:
    """Every valid beginning (three bytes) of a Layer III frame; the private bit is free."""
    kinds = {}
    for version in _RATES:
        for unprotected in (0, 1):
            first = 0xE0 | version << 3 | 1 << 1 | unprotected
            for second in range(256):
                kind = _mp3_kind(version, second)
                if kind is not None:
                    kinds[bytes((0xFF, first, second))] = kind
    return kinds


class Mp3Frames:
    """MPEG-1, 2 and 2.5 Layer III (ISO 11172-3 2.4.1.3), without free format."""

    def __init__(self) -> None:
        self._kinds = _mp3_kinds()

    def kind_at(self, block: bytes, position: int) -> FrameKind | None:
        return self._kinds.get(block[position : position + 3])

    def is_silent_header(self, block: bytes, position: int) -> bool:
        # Joined files carry one of these in the middle, too.
        # find() and not `in`, which takes the bytes for a number first and so raises each time.
        find, end = block.find, position + 64
        return (
            find(b"Xing", position, end) >= 0
            or find(b"Info", position, end) >= 0
            or find(b"VBRI", position, end) >= 0
        )

    def channels_at(self, block: bytes, position: int) -> int:
        return 1 if block[position + 3] >> 6 == 3 else 2


class AdtsFrames:
    """AAC in ADTS frames (ISO 13818-7 6.2)."""

    def kind_at(self, block: bytes, position: int) -> FrameKind | None:
        head = block[position : position + 7]
        if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
            return None
        rate_index = head[2] >> 2 & 15
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        if rate_index >= len(_ADTS_RATES) or length < (7 if head[1] & 1 else 9):
            return None
        return _kind(length, 1024 * ((head[6] & 3) + 1), _ADTS_RATES[rate_index], 0)

    def is_silent_header(self, block: bytes, position: int) -> bool:
        return False

    def channels_at(self, block: bytes, position: int) -> int:
        channels = (block[position + 2] & 1) << 2 | block[position + 3] >> 6
        return 8 if channels == 7 else channels


def id3_size(header: bytes) -> int:
    """How many bytes the ID3v2 tag takes that begins with these ten bytes; 0 when none does.

    ID3v2.4 3.1: the size has seven bits per byte and leaves out header and footer.
    """
    if len(header) < ID3_HEADER_BYTES or header[:3] != b"ID3" or header[3] == 0xFF:
        return 0
    if max(header[6:10]) > 127:
        return 0
    size = header[6] << 21 | header[7] << 14 | header[8] << 7 | header[9]
    return size + ID3_HEADER_BYTES + (10 if header[5] & 0x10 else 0)


def walk_frames(file: BinaryIO, size_bytes: int, frames: FrameFormat) -> Walk:
    """Count the frames of a whole file of `size_bytes`.

    Raises NotThisFormat when there are none, when more than a megabyte stands before the first,
    or when more of what follows is something else than 1 % (and 32 KB).
    """
    walk = Walk()
    end = _end_without_tags(file, size_bytes, walk)
    scan = _Scan(frames, walk, end)
    position = 0
    while position < end:
        file.seek(position)
        block = file.read(min(BLOCK_BYTES, end - position))
        if not block:
            break
        done = scan.block(block, position)
        if done == 0:  # the file shrank while it was read
            break
        position += done
    if walk.frames == 0 or scan.is_mostly_junk():
        raise NotThisFormat
    return walk


def _end_without_tags(file: BinaryIO, size_bytes: int, walk: Walk) -> int:
    """Note the tags at the end of the file in the walk; return where they begin."""
    end = size_bytes
    if _read_at(file, end - ID3V1_BYTES, 3) == b"TAG":
        end -= ID3V1_BYTES
        walk.id3v1_tag = (end, ID3V1_BYTES)
    footer = _read_at(file, end - APE_FOOTER_BYTES, APE_FOOTER_BYTES)
    if footer[:8] == b"APETAGEX":
        # The size leaves out the header, which bit 31 of the flags announces (APEv2).
        size = int.from_bytes(footer[12:16], "little") + (32 if footer[23] & 0x80 else 0)
        if APE_FOOTER_BYTES <= size <= end:
            end -= size
            walk.ape_tag = (end, size)
    return end


def _read_at(file: BinaryIO, position: int, size: int) -> bytes:
    if position < 0:
        return b""
    file.seek(position)
    return file.read(size)


class _Scan:
    """The state of one walk between two blocks."""

    def __init__(self, frames: FrameFormat, walk: Walk, end: int) -> None:
        self._frames = frames
        self._walk = walk
        self._end = end
        self._in_step = False

    def is_mostly_junk(self) -> bool:
        junk = self._walk.junk_bytes
        return junk > max(32 * 1024, self._end // 100) or junk > self._walk.sound_bytes

    def block(self, block: bytes, base: int) -> int:
        """Count the frames of one block at `base`; return how many of its bytes are done with."""
        is_last = base + len(block) >= self._end
        limit = len(block) - (0 if is_last else MARGIN_BYTES)
        position = 0
        while position < limit:
            if self._in_step:
                position = self._follow(block, position, limit, base)
            if position < limit:
                position = self._search(block, position, base)
        return position

    def _follow(self, block: bytes, position: int, limit: int, base: int) -> int:
        """Go from frame to frame until something else comes or the block is done with."""
        kind_at, is_silent_header = self._frames.kind_at, self._frames.is_silent_header
        furthest = self._end - base
        found: list[FrameKind] = []
        while position < limit:
            kind = kind_at(block, position)
            if kind is None:
                self._in_step = False
                break
            following = position + kind.length_bytes
            if following > furthest:
                # The last frame was cut: no player can decode it, and it is not junk either.
                position = limit
                break
            if not is_silent_header(block, position):
                found.append(kind)
            position = following
        self._count(found)
        return position

    def _count(self, found: list[FrameKind]) -> None:
        self._walk.kinds.update(found)
        self._walk.frames += len(found)
        self._walk.sound_bytes += sum(kind.length_bytes for kind in found)

    def _search(self, block: bytes, position: int, base: int) -> int:
        """Step over one tag or stretch of junk, or find the frames again; return where."""
        skipped = self._tag_bytes(block, position, base)
        if skipped:
            return position + skipped
        if self._is_confirmed(block, position, base):
            self._in_step = True
            if self._walk.header_bytes < 0:
                self._walk.header_bytes = base + position
                self._walk.channels = self._frames.channels_at(block, position)
            return position
        found = _NEXT_START.search(block, position + 1)
        following = found.start() if found else len(block)
        self._count_junk(following - position)
        return following

    def _tag_bytes(self, block: bytes, position: int, base: int) -> int:
        """The size of the tag that begins here, 0 when none does."""
        size = id3_size(block[position : position + ID3_HEADER_BYTES])
        if size:
            if self._walk.header_bytes < 0:
                self._walk.id3_tags.append((base + position, size))
            return size
        if block.startswith(b"APETAGEX", position):
            # Bit 29 of the flags tells a header, which the size leaves out, from a footer.
            is_header = bool(block[position + 23 : position + 24] and block[position + 23] & 0x20)
            size = int.from_bytes(block[position + 12 : position + 16], "little")
            return APE_FOOTER_BYTES + (min(size, self._end) if is_header else 0)
        # An ID3v1 tag in the middle is where one of the joined files ended.
        after = position + ID3V1_BYTES
        is_id3v1 = block.startswith(b"TAG", position) and (
            block.startswith(b"ID3", after) or self._frames.kind_at(block, after) is not None
        )
        return ID3V1_BYTES if is_id3v1 else 0

    def _is_confirmed(self, block: bytes, position: int, base: int) -> bool:
        """Whether frames follow each other from here, up to the end of the file at most."""
        for count in range(CONFIRMING_FRAMES):
            kind = self._frames.kind_at(block, position)
            if kind is None:
                # A tag may follow the last frame of the first of two joined files.
                return count > 0 and block[position : position + 3] in (b"ID3", b"TAG")
            position += kind.length_bytes
            if base + position >= self._end:
                return count > 0
        return True

    def _count_junk(self, size: int) -> None:
        if self._walk.header_bytes >= 0:
            self._walk.junk_bytes += size
            if self._walk.junk_bytes > max(LEADING_JUNK_BYTES, self._end // 50):
                raise NotThisFormat
            return
        self._walk.leading_junk_bytes += size
        if self._walk.leading_junk_bytes > LEADING_JUNK_BYTES:
            raise NotThisFormat
