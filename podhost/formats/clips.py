"""Cuts a part out of an audio file and writes it as an MP3 of its own; it knows no rows.

Audio is hostile, so it is opened in a limited child process only. The file that listeners get is
not touched: a clip is another file, which may well be encoded anew.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podhost.errors import Invalid
from podhost.formats import limits

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream
    from av.container import InputContainer
    from av.filter import Graph

MIME_TYPE = "audio/mpeg"
EXTENSION = "mp3"
SHORTEST_MS = 1_000
LONGEST_MS = 90_000
# Speech sounds as it did, and networks encode it again in any case.
BIT_RATE_BPS = 128_000
# What MP3 knows (ISO 11172-3 and 13818-3).
_SAMPLE_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# Enough that nothing clicks.
_FADE_SECONDS = 0.015


def cut_clip(source: Path, target: Path, start_ms: int, end_ms: int, title: str) -> int:
    """Write the part from `start_ms` to `end_ms` of `source` into `target`; how long it is, in ms.

    Raises Invalid with a sentence when the file cannot be read or has nothing there.
    """
    payload = {
        "source": str(source),
        "target": str(target),
        "start_ms": start_ms,
        "end_ms": end_ms,
        "title": title,
    }
    answer = limits.run_limited(
        f"{__name__}:cut_payload", payload, cpu_seconds=60, wall_seconds=180
    )
    return int(answer["duration_ms"])


def cut_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """The part of `cut_clip` that runs in a limited child."""
    import av

    start_ms, end_ms = payload["start_ms"], payload["end_ms"]
    with av.open(payload["source"]) as source, av.open(payload["target"], "w", "mp3") as target:
        stream = next(iter(source.streams.audio), None)
        if stream is None:
            raise Invalid("There is no audio in this file.")
        codec = stream.codec_context
        rate = min(_SAMPLE_RATES, key=lambda known: abs(known - codec.sample_rate))
        layout = "mono" if codec.channels == 1 else "stereo"
        target.metadata["title"] = payload["title"]
        encoded = target.add_stream("libmp3lame", rate=rate)
        encoded.layout = layout
        encoded.bit_rate = BIT_RATE_BPS
        written = 0
        for frame in _cut(source, stream, start_ms, end_ms, f"{rate}:{layout}"):
            written += frame.samples
            target.mux(encoded.encode(frame))
        target.mux(encoded.encode(None))
    if not written:
        raise Invalid("The episode has no sound at this place.")
    return {"duration_ms": written * 1000 // rate}


def _cut(
    source: "InputContainer", stream: "AudioStream", start_ms: int, end_ms: int, wanted: str
) -> "Iterator[AudioFrame]":
    """The sound from `start_ms` to `end_ms`, soft at both ends, for the encoder."""
    # Of some files the clock does not begin at zero.
    offset = float((stream.start_time or 0) * (stream.time_base or 0))
    start, end = start_ms / 1000 + offset, end_ms / 1000 + offset
    graph = _graph(stream, start, end, wanted)
    # A second early: a decoder needs what lies before, and seeking is not exact.
    source.seek(max(0, round((start - 1) * 1_000_000)), backward=True)
    for frame in source.decode(stream):
        if frame.time is not None and frame.time > end:
            break
        graph.push(frame)
        yield from _pulled(graph)
    graph.push(None)
    yield from _pulled(graph)


def _graph(stream: "AudioStream", start: float, end: float, wanted: str) -> "Graph":
    from av.filter import Graph

    rate, _, layout = wanted.partition(":")
    length = end - start
    steps = (
        ("atrim", f"start={start}:end={end}"),
        ("asetpts", "PTS-STARTPTS"),
        ("afade", f"t=in:st=0:d={_FADE_SECONDS}"),
        ("afade", f"t=out:st={length - _FADE_SECONDS}:d={_FADE_SECONDS}"),
        (
            "aformat",
            f"sample_fmts=fltp:sample_rates={rate}:channel_layouts={layout}",
        ),
        # As many samples at once as a frame of MP3 has.
        ("asetnsamples", "n=1152:p=0"),
    )
    graph = Graph()
    last = graph.add_abuffer(template=stream)
    for name, options in steps:
        step = graph.add(name, options)
        last.link_to(step)
        last = step
    last.link_to(graph.add("abuffersink"))
    graph.configure()
    return graph


def _pulled(graph: "Graph") -> "Iterator[AudioFrame]":
    from av import AudioFrame, error

    with suppress(error.BlockingIOError, error.EOFError):
        while True:
            frame = graph.pull()
            if isinstance(frame, AudioFrame):
                yield frame
