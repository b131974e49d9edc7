"""Times that move when audio is cut: chapters, cues and soundbites of the old audio in the new.

It is pure arithmetic: what comes out lies in the new audio, in the order that it had, and what lay
in a part that is gone is left out.
"""

from collections.abc import Iterable, Sequence

import msgspec

from podhost.errors import Invalid
from podhost.formats.chapters import Chapter
from podhost.formats.tag_values import Soundbite
from podhost.formats.transcript_formats import render_json
from podhost.formats.transcripts import Cue, Transcript, parse_cues, render_srt, render_vtt

MOST_CUTS = 500
# Over a year, as for chapters: what is longer is a mistake.
LONGEST_MS = 9000 * 3_600_000


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """At this moment of the old audio, so much is gone in the new one, or has come in, or both."""

    at_ms: int
    removed_ms: int = 0
    inserted_ms: int = 0

    @property
    def end_ms(self) -> int:
        """The moment of the old audio from which on it is there again."""
        return self.at_ms + self.removed_ms


Cuts = tuple[Cut, ...]


def read_cuts(offset_ms: int | None, cuts: Sequence[Cut] | None) -> Cuts:
    """What was given as either of both, in order. An offset says how much later everything is:
    something has come in at the start, or, if it is negative, is gone there.

    Raises Invalid, naming the fields, for cuts that overlap or are nothing.
    """
    if offset_ms is not None and cuts is not None:
        sentence = "Give either an offset or a list of cuts, not both."
        raise Invalid(f"cuts: {sentence}", {"cuts": sentence})
    if offset_ms is not None:
        if abs(offset_ms) > LONGEST_MS:
            sentence = "It is longer than any audio."
            raise Invalid(f"offset_ms: {sentence}", {"offset_ms": sentence})
        edges = (max(0, -offset_ms), max(0, offset_ms))
        return (Cut(at_ms=0, removed_ms=edges[0], inserted_ms=edges[1]),) if any(edges) else ()
    found = sorted(enumerate(cuts or ()), key=lambda entry: entry[1].at_ms)
    problems = {"cuts": f"There may be {MOST_CUTS}."} if len(found) > MOST_CUTS else {}
    last_ms = 0
    for index, cut in found[:MOST_CUTS]:
        lengths = (cut.removed_ms, cut.inserted_ms)
        if not all(0 <= ms <= LONGEST_MS for ms in (cut.at_ms, *lengths)) or not any(lengths):
            problems[f"cuts[{index}]"] = (
                "It needs at_ms and removed_ms or inserted_ms, in whole milliseconds from 0."
            )
        elif cut.at_ms < last_ms:
            problems[f"cuts[{index}]"] = "It begins inside what the cut before it removes."
        last_ms = max(last_ms, cut.end_ms)
    if problems:
        raise Invalid(" ".join(f"{name}: {text}" for name, text in problems.items()), problems)
    return tuple(cut for _, cut in found)


def shift_span(start_ms: int, end_ms: int, cuts: Cuts, duration_ms: int) -> tuple[int, int] | None:
    """Where a part of the old audio is in the new one, which is `duration_ms` long; None when
    nothing is left of it.

    A part of which the beginning or the end is gone is shorter; what comes in at its edges is not
    part of it, what comes in between is.
    """
    start = end = 0
    for cut in cuts:
        start += _inserted_before_start(cut, start_ms) - _removed_before(cut, start_ms)
        end += _inserted_before_end(cut, end_ms) - _removed_before(cut, end_ms)
    start, end = start_ms + start, min(end_ms + end, duration_ms)
    is_moment = start_ms >= end_ms and not any(c.at_ms <= start_ms < c.end_ms for c in cuts)
    if is_moment and start < duration_ms:
        return start, start
    return (start, end) if start < end else None


def shift_chapters(
    chapters: Iterable[Chapter], cuts: Cuts, duration_ms: int
) -> tuple[list[tuple[int, Chapter]], list[str]]:
    """Chapters in the new audio, each with the start that it had, and sentences on those that are
    gone. `normalise_chapters` comes next: the ends may leave gaps."""
    moved: list[tuple[int, Chapter]] = []
    gone: list[str] = []
    for chapter in chapters:
        end_ms = chapter.end_ms if chapter.end_ms is not None else chapter.start_ms + 1
        span = shift_span(chapter.start_ms, max(end_ms, chapter.start_ms + 1), cuts, duration_ms)
        if span is None:
            gone.append(chapter.title or "without a title")
            continue
        start, end = span
        new = msgspec.structs.replace(
            chapter, start_ms=start, end_ms=end if chapter.end_ms is not None else None
        )
        moved.append((chapter.start_ms, new))
    return moved, _said(gone, "chapter", "chapters")


def shift_cues(cues: Iterable[Cue], cuts: Cuts, duration_ms: int) -> tuple[list[Cue], int]:
    """Cues in the new audio, in their order, and how many are gone."""
    moved: list[Cue] = []
    gone = 0
    for cue in cues:
        span = shift_span(cue.start_ms, cue.end_ms, cuts, duration_ms)
        if span is None:
            gone += 1
        else:
            moved.append(Cue(*span, cue.speaker, cue.text))
    return moved, gone


def shift_transcript(
    transcript: Transcript, cuts: Cuts, duration_ms: int
) -> tuple[bytes | None, list[str]]:
    """A transcript with times (WebVTT, SRT or JSON) for the new audio, in its own format, and
    warnings; None when nothing is left. Styles, notes and places on the screen are not kept."""
    cues, gone = shift_cues(parse_cues(transcript.body, transcript.format), cuts, duration_ms)
    warnings = []
    if gone:
        warnings.append(
            "1 cue of the transcript lies outside of the new audio, and was left out."
            if gone == 1
            else f"{gone} cues of the transcript lie outside of the new audio, and were left out."
        )
    if not cues:
        return None, warnings
    render = {"vtt": render_vtt, "srt": render_srt}.get(transcript.format, render_json)
    return render(cues), warnings


def shift_soundbites(
    soundbites: Iterable[Soundbite], cuts: Cuts, duration_ms: int
) -> tuple[list[Soundbite], list[str]]:
    """Soundbites in the new audio, and sentences on those that are gone: one whose beginning or
    end is missing is not what the host chose."""
    moved: list[Soundbite] = []
    gone: list[str] = []
    for soundbite in soundbites:
        start_ms = round(soundbite.start * 1000)
        end_ms = start_ms + round(soundbite.duration * 1000)
        is_damaged = any(
            cut.at_ms <= start_ms < cut.end_ms or cut.at_ms < end_ms <= cut.end_ms for cut in cuts
        )
        whole = shift_span(start_ms, end_ms, cuts, LONGEST_MS * 2)
        if is_damaged or whole is None or whole[1] > duration_ms:
            gone.append(soundbite.title or f"at {soundbite.start:g} seconds")
            continue
        start, end = whole
        moved.append(
            msgspec.structs.replace(soundbite, start=start / 1000, duration=(end - start) / 1000)
        )
    return moved, _said(gone, "soundbite", "soundbites")


def _removed_before(cut: Cut, at_ms: int) -> int:
    return min(max(at_ms - cut.at_ms, 0), cut.removed_ms)


def _inserted_before_start(cut: Cut, at_ms: int) -> int:
    return cut.inserted_ms if at_ms >= cut.at_ms else 0


def _inserted_before_end(cut: Cut, at_ms: int) -> int:
    return cut.inserted_ms if at_ms > cut.end_ms else 0


def _said(gone: Sequence[str], one: str, many: str) -> list[str]:
    if not gone:
        return []
    shown = ", ".join(f"“{name}”" for name in gone[:5])
    more = f" and {len(gone) - 5} more" if len(gone) > 5 else ""
    if len(gone) == 1:
        return [f"The {one} {shown} lies outside of the new audio, and was left out."]
    return [f"The {many} {shown}{more} lie outside of the new audio, and were left out."]
