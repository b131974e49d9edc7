"""Cues as paragraphs to read: what one voice says at a time, with the moment of each cue."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from podhost.formats.transcripts import Cue

# A paragraph ends with the first sentence that ends after so many letters, or in any case later.
_LONG = 500
_TOO_LONG = 1_000
# Or where nobody spoke for so long.
_PAUSE_MS = 4_000
_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！", "؟", "۔", "।")
_CLOSING = "\"'”’»)]"


class SpokenCue(NamedTuple):
    """What is said from a moment on."""

    start_seconds: float
    text: str


class Paragraph(NamedTuple):
    """What one voice says; `speaker` is "" where it is the one of the paragraph before."""

    start_seconds: float
    speaker: str
    cues: tuple[SpokenCue, ...]


def read_paragraphs(cues: Iterable[Cue]) -> Iterator[Paragraph]:
    """The cues in order of their time, each in one paragraph; cues without words are left out."""
    said: list[SpokenCue] = []
    speaker, heard = "", ""
    length = end_ms = 0
    for cue in sorted(cues, key=lambda cue: cue.start_ms):
        text = " ".join(cue.text.split())
        if not text:
            continue
        voice = cue.speaker or ""
        is_new = voice != speaker or cue.start_ms - end_ms >= _PAUSE_MS or _is_full(said, length)
        if said and is_new:
            yield _paragraph(said, speaker, heard)
            heard, said, length = speaker, [], 0
        speaker = voice
        said.append(SpokenCue(cue.start_ms / 1000, text))
        length += len(text)
        end_ms = cue.end_ms
    if said:
        yield _paragraph(said, speaker, heard)


def _is_full(said: list[SpokenCue], length: int) -> bool:
    if length < _LONG:
        return False
    return length >= _TOO_LONG or said[-1].text.rstrip(_CLOSING).endswith(_SENTENCE_ENDS)


def _paragraph(said: list[SpokenCue], speaker: str, heard: str) -> Paragraph:
    named = speaker if speaker != heard else ""
    return Paragraph(said[0].start_seconds, named, tuple(said))
