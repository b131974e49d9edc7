"""Transcripts written in the other formats that apps and people read.

The words stay what they are; what could be read as markup is escaped. What was given is never
written anew: `transcripts` reads it and keeps it.
"""

import html
import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from podhost.formats.transcripts import (
    Cue,
    Transcript,
    as_vtt,
    parse_cues,
    render_srt,
)

# What can be made of a transcript with times, and of one without, by the ending of the address.
_TIMED = ("vtt", "srt", "json", "html", "txt")
_UNTIMED = ("html", "txt")
# A quoted value may hold angle brackets.
_TAG = re.compile(r'<[^<>"]*(?:"[^"]*"[^<>"]*)*>')
_TIME = re.compile(r'<time(?: [^<>"]*(?:"[^"]*"[^<>"]*)*)?>[^<]*</time>')


def other_forms(extension: str) -> tuple[str, ...]:
    """The endings of the forms that can be made of a transcript with this one."""
    forms = _TIMED if has_times(extension) else _UNTIMED
    return tuple(form for form in forms if form != extension)


def has_times(extension: str) -> bool:
    """Whether transcripts with this ending have times, so that every other form can be made."""
    return extension in _TIMED and extension not in _UNTIMED


def all_forms(extension: str) -> tuple[str, ...]:
    """The endings of every form of a transcript with this one, itself among them."""
    return _TIMED if has_times(extension) else _UNTIMED


def convert(transcript: Transcript, endings: Collection[str]) -> dict[str, bytes]:
    """The transcript in these forms, of those that `other_forms` names; UTF-8, lines end in LF."""
    made: dict[str, bytes] = {}
    cues: list[Cue] = []
    if has_times(transcript.extension):
        found = parse_cues(transcript.body, transcript.format)
        cues = sorted(found, key=lambda cue: cue.start_ms)
    for ending in other_forms(transcript.extension):
        if ending not in endings:
            continue
        if not cues:
            text = transcript.body.decode()
            made[ending] = _as_text(text) if ending == "txt" else _as_paragraphs(text)
        elif ending == "vtt":
            made[ending] = as_vtt(transcript) or b""
        else:
            made[ending] = _RENDERERS[ending](cues)
    return made


def render_json(cues: Sequence[Cue]) -> bytes:
    """Cues as the podcast namespace's JSON transcript 1.0.0."""
    segments: list[dict[str, Any]] = []
    for cue in cues:
        segment: dict[str, Any] = {"speaker": cue.speaker} if cue.speaker else {}
        segment |= {"startTime": cue.start_ms / 1000, "endTime": cue.end_ms / 1000}
        segments.append({**segment, "body": cue.text})
    text = json.dumps(
        {"version": "1.0.0", "segments": segments}, ensure_ascii=False, separators=(",", ":")
    )
    # So that it may stand in a page's script element too.
    return text.replace("<", "\\u003c").encode("utf-8", "replace") + b"\n"


def render_html(cues: Sequence[Cue]) -> bytes:
    """Cues as the elements that the podcast namespace names: cite, time and p."""
    lines: list[str] = []
    for cue, is_other_speaker in _with_turns(cues):
        if is_other_speaker and cue.speaker:
            lines.append(f"<cite>{html.escape(cue.speaker)}:</cite>")
        lines.append(f"<time>{_clock(cue.start_ms)}</time>")
        lines.append(f"<p>{html.escape(cue.text)}</p>")
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def render_text(cues: Sequence[Cue]) -> bytes:
    """The words alone; who speaks stands before what they say, and a blank line above it."""
    lines: list[str] = []
    for cue, is_other_speaker in _with_turns(cues):
        if is_other_speaker and lines:
            lines.append("")
        named = f"{cue.speaker}: " if is_other_speaker and cue.speaker else ""
        lines.append(named + cue.text)
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


_RENDERERS = {
    "srt": lambda cues: render_srt([*cues]),
    "json": render_json,
    "html": render_html,
    "txt": render_text,
}


def _with_turns(cues: Sequence[Cue]) -> Iterator[tuple[Cue, bool]]:
    """Each cue, and whether somebody else speaks than before."""
    before: str | None = None
    for cue in cues:
        yield cue, cue.speaker != before
        before = cue.speaker


def _as_text(body: str) -> bytes:
    """An HTML transcript, which is safe and has cite, time and p only, as plain text."""
    text = _TIME.sub("", body)
    text = _TAG.sub("", text.replace("</cite>", " ").replace("</p>", "\n\n"))
    paragraphs = re.split(r"\n[ \t]*\n", html.unescape(text))
    tidy = (" ".join(paragraph.split()) for paragraph in paragraphs)
    return ("\n\n".join(paragraph for paragraph in tidy if paragraph) + "\n").encode()


def _as_paragraphs(body: str) -> bytes:
    """A plain text, whose paragraphs have blank lines between them, as HTML."""
    paragraphs = re.split(r"\n[ \t]*\n", body)
    tidy = (paragraph.strip() for paragraph in paragraphs)
    lines = [f"<p>{html.escape(paragraph)}</p>" for paragraph in tidy if paragraph]
    return ("\n".join(lines) + "\n").encode()


def _clock(ms: int) -> str:
    hours, minutes, seconds = ms // 3_600_000, ms // 60_000 % 60, ms // 1000 % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
