"""Reads the small chunks of a WAV file that other libraries leave out: markers and INFO texts."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

CHUNK_BYTES = 1 << 20
MOST_CHUNKS = 10_000
MOST_MARKERS = 5_000


class Marker(NamedTuple):
    """A named position in the sound, in samples from its start."""

    sample: int
    label: str


class WavNotes(NamedTuple):
    """Markers in the order of time, and the INFO texts by their four-character names."""

    markers: list[Marker]
    info: dict[str, str]


def read_wav_notes(file: BinaryIO, size_bytes: int) -> WavNotes:
    """Read `cue `, `LIST adtl labl` and `LIST INFO` (RIFF, Microsoft 1991) of a WAV file.

    Chunks behind one of an impossible size, as in files written to a pipe, are not found.
    """
    samples: dict[int, int] = {}
    labels: dict[int, str] = {}
    info: dict[str, str] = {}
    for name, data in _chunks(file, size_bytes):
        if name == b"cue ":
            samples.update(_cue_points(data))
        elif name == b"LIST" and data[:4] == b"adtl":
            labels.update(_labels(data[4:]))
        elif name == b"LIST" and data[:4] == b"INFO":
            info.update((key.decode("latin-1"), _text(value)) for key, value in _parts(data[4:]))
    markers = [Marker(sample, labels.get(cue, "")) for cue, sample in samples.items()]
    return WavNotes(sorted(markers)[:MOST_MARKERS], info)


def _chunks(file: BinaryIO, size_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    for _ in range(MOST_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return
        size = int.from_bytes(header[4:], "little")
        if header[:4] in (b"cue ", b"LIST"):
            yield header[:4], file.read(min(size, CHUNK_BYTES))
        # Chunks begin at even positions.
        position += 8 + size + (size & 1)
        if position >= size_bytes:
            return


def _parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks inside a chunk."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + (size & 1)


def _cue_points(data: bytes) -> Iterator[tuple[int, int]]:
    for at in range(4, len(data) - 23, 24):
        # identifier, play order, chunk name, chunk start, block start, sample
        yield _number(data, at), _number(data, at + 20)


def _labels(data: bytes) -> Iterator[tuple[int, str]]:
    for name, value in _parts(data):
        if name == b"labl":
            yield _number(value, 0), _text(value[4:])


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _text(data: bytes) -> str:
    data = data.split(b"\x00")[0]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
