"""How loud an audio file is from moment to moment, for drawing; it plays and stores nothing.

The file is decoded once, in a child process with limits, and only a few thousand numbers of it
come back, however long it is.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from podhost.errors import Invalid
from podhost.formats.limits import run_limited

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

VERSION = 1
# More than any screen has columns, so that a part of an hour can be looked at closely.
MOST_PEAKS = 8_000
# Finer than a tenth of a syllable shows nothing more.
SHORTEST_PEAK_MS = 10
LOUDEST = 255
# By the kind of the audio's row. libavformat must not guess for itself: some of its formats open
# other files.
DEMUXERS = {
    "mp3": "mp3",
    "aac": "aac",
    "m4a": "mov",
    "mp4": "mov",
    "ogg-vorbis": "ogg",
    "opus": "ogg",
    "flac": "flac",
    "wav": "wav",
    "aiff": "aiff",
}
# An hour of MP3 takes three seconds of a processor; slow machines and strange codecs take longer.
CPU_SECONDS_PER_HOUR = 60
# The sample formats of libavutil: how Python reads them, and the value of full scale.
_SAMPLES: dict[str, tuple[Literal["B", "h", "i", "f", "d"], int]] = {
    "u8": ("B", 128),
    "s16": ("h", 1 << 15),
    "s32": ("i", 1 << 31),
    "flt": ("f", 1),
    "dbl": ("d", 1),
}
# Of so many samples one is looked at: peaks of speech are wider than a third of a millisecond.
_STRIDE = 16
_PLANES = 2
_UNREADABLE = "The sound of this file could not be decoded."


class Waveform(msgspec.Struct, frozen=True, kw_only=True):
    """The loudest sample of each of equal parts of the audio, as shares of the loudest of all,
    from 0 to 255. It has none where the sound could not be decoded."""

    version: int = VERSION
    duration_ms: int
    peaks: list[int]


def read_waveform(path: Path, kind: str, duration_ms: int) -> Waveform:
    """The waveform of the audio at `path`, of a kind that the probe found and so long.

    Raises Invalid with a sentence where the sound cannot be decoded.
    """
    hours = duration_ms / 3_600_000
    cpu_seconds = 20 + round(hours * CPU_SECONDS_PER_HOUR)
    peaks = run_limited(
        "podhost.formats.waveforms:peaks_in_child",
        {"path": str(path), "kind": kind, "duration_ms": duration_ms},
        cpu_seconds=cpu_seconds,
        # With a low priority, a tenth of a processor may be all that there is.
        wall_seconds=60 + 10 * cpu_seconds,
    )
    return Waveform(duration_ms=duration_ms, peaks=peaks)


def peaks_in_child(payload: dict[str, Any]) -> list[int]:
    """The part of `read_waveform` that decodes."""
    import av

    duration_ms = payload["duration_ms"]
    levels = [0.0] * min(MOST_PEAKS, max(1, duration_ms // SHORTEST_PEAK_MS))
    try:
        with Path(payload["path"]).open("rb") as file:
            # A file object instead of a path: libavformat can open nothing else through it.
            demuxer = DEMUXERS[payload["kind"]]
            with av.open(file, "r", format=demuxer, metadata_errors="replace") as container:
                _fill(levels, container, duration_ms / 1000)
    except (av.FFmpegError, OSError, EOFError, ValueError, IndexError, KeyError):
        raise Invalid(_UNREADABLE) from None
    loudest = max(levels)
    if loudest <= 0:
        return [0] * len(levels)
    return [round(LOUDEST * level / loudest) for level in levels]


def _fill(levels: list[float], container: "InputContainer", duration_seconds: float) -> None:
    """Put the loudest sample of each part into its place. Raises ValueError without any."""
    per_second = len(levels) / duration_seconds
    last, is_sound = len(levels) - 1, False
    for start, end, frame in _frames(container, container.streams.audio[0]):
        first_part = min(last, int(start * per_second))
        last_part = min(last, int(end * per_second))
        is_sound = True
        pieces = last_part - first_part + 1
        for number, level in enumerate(_levels(frame, pieces)):
            part = first_part + number
            levels[part] = max(levels[part], level)
    if not is_sound:
        raise ValueError("nothing could be decoded")


def _frames(
    container: "InputContainer", stream: "AudioStream"
) -> Iterator[tuple[float, float, "AudioFrame"]]:
    """Each frame with its begin and end in seconds; what is damaged is passed over."""
    import av

    stream.codec_context.thread_count = 1
    at = 0.0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            at += float((packet.duration or 0) * (packet.time_base or 0))
            continue
        for frame in frames:
            end = at + frame.samples / (frame.sample_rate or 1)
            yield at, end, frame
            at = end


def _levels(frame: "AudioFrame", pieces: int) -> Iterator[float]:
    """The loudest of some samples in each piece of the frame, 1 for full scale."""
    code, full = _SAMPLES[frame.format.name.removesuffix("p")]
    width = 1 if frame.format.is_planar else frame.layout.nb_channels
    # An odd stride, so that channels which stand side by side take their turns.
    stride = _STRIDE if width == 1 else _STRIDE * width + 1
    silence = full if code == "B" else 0
    planes: list[memoryview[Any]] = [
        memoryview(plane).cast("B").cast(code) for plane in frame.planes[:_PLANES]
    ]
    for number in range(pieces):
        start = frame.samples * number // pieces * width
        end = frame.samples * (number + 1) // pieces * width
        loudest = 0.0
        for plane in planes:
            some = plane[start:end:stride].tolist()
            if some:
                loudest = max(loudest, max(some) - silence, silence - min(some))
        level = loudest / full
        # A damaged float may be no number at all.
        yield 0.0 if math.isnan(level) else min(level, 1.0)
