"""Transcripts: tells what an uploaded one is, checks it, makes it safe, and offers it as WebVTT.

It never asks a network or a clock, and never changes the words of a transcript.
"""

import html
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from podhost.errors import Invalid
from podhost.formats import limits
from podhost.formats.languages import is_language_code

FILE_LIMIT_BYTES = 10_000_000
# Over a year: what is later is a mistake, and hours keep four digits.
LATEST_SECONDS = 9000 * 3600.0
NAMED_CUES = 5

Format = Literal["vtt", "srt", "json", "html", "text"]

# Apple takes WebVTT and SRT and prefers WebVTT; the namespace names all five.
MIME_TYPES: dict[Format, str] = {
    "vtt": "text/vtt",
    "srt": "application/x-subrip",
    "json": "application/json",
    "html": "text/html",
    "text": "text/plain",
}
EXTENSIONS: dict[Format, str] = {
    "vtt": "vtt",
    "srt": "srt",
    "json": "json",
    "html": "html",
    "text": "txt",
}
SPOKEN_NAMES: dict[Format, str] = {
    "vtt": "WebVTT",
    "srt": "SRT",
    "json": "JSON",
    "html": "HTML",
    "text": "plain text",
}
_HINTS: dict[str, Format] = {
    "vtt": "vtt",
    "srt": "srt",
    "json": "json",
    "html": "html",
    "htm": "html",
    "txt": "text",
    "text": "text",
    "text/vtt": "vtt",
    "application/srt": "srt",
    "text/srt": "srt",
    "application/x-subrip": "srt",
    "application/json": "json",
    "text/html": "html",
    "text/plain": "text",
}
# What people upload instead of text, by its first bytes.
_DOCUMENTS = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a Word or other zipped document",
    b"\xd0\xcf\x11\xe0": "an old Word document",
    b"{\\rtf": "a rich text document",
    b"ID3": "an audio file",
    b"RIFF": "an audio or picture file",
}
_ADVICE = "Export the transcript as WebVTT (.vtt), SRT (.srt) or plain text."

_TIME = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{1,2})[.,]([0-9]{1,3})")
_STRICT_VTT_TIMING = re.compile(
    r"[ \t]*(?:[0-9]{2,}:)?[0-9]{2}:[0-9]{2}\.[0-9]{3}[ \t]+-->"
    r"[ \t]+(?:[0-9]{2,}:)?[0-9]{2}:[0-9]{2}\.[0-9]{3}(?:[ \t]|$)"
)
TIMING_LINE = re.compile(
    r"^[ \t]*(?:[0-9]{1,4}:)?[0-9]{1,2}:[0-9]{1,2}[.,][0-9]{1,3}[ \t]*-->", re.MULTILINE
)
_SPEAKER = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]([^<>]*)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[0-9:.]+>")
_LIKE_A_TAG = re.compile(r"<(?=[A-Za-z/!?0-9])")
# Where on the screen an SRT cue stands; in WebVTT the same characters would be words.
_SRT_POSITION = re.compile(r"\{\\an?[0-9]\}")
# Tab and line feed are the only control characters that belong in text.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HTML_START = re.compile(
    r"\s*<(?:!doctype|!--|html|head|body|main|article|section|div|h[1-6]|p|cite|time)\b", re.I
)
_HTML_LANGUAGE = re.compile(r"<html[^<>]{0,200}?\slang\s*=\s*[\"']?([A-Za-z0-9-]{2,35})", re.I)
_VTT_LANGUAGE = re.compile(r"^Language:[ \t]*([A-Za-z0-9-]{2,35})[ \t]*$", re.I | re.MULTILINE)
# hello.de.vtt, hello.pt-BR.srt
_NAME_LANGUAGE = re.compile(r"\.([a-z]{2}(?:-[A-Za-z]{2,4})?)\.[a-z]{3,4}$")


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript that may be served as it is: `body` is UTF-8, without BOM, lines end in LF.

    `language` is a BCP 47 tag when the file or its name says it, else None, which means the
    language of the feed. `warnings` are sentences for the podcaster.
    """

    format: Format
    mime_type: str
    extension: str
    language: str | None
    body: bytes
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Cue:
    """What one voice says between two moments; `text` is plain text and may have several lines."""

    start_ms: int
    end_ms: int
    speaker: str | None
    text: str


class _Segment(msgspec.Struct):
    start: float = msgspec.field(name="startTime")
    end: float | None = msgspec.field(name="endTime", default=None)
    speaker: str | None = None
    body: str = ""


class _Document(msgspec.Struct):
    segments: list[_Segment]


def read_transcript(data: bytes, filename_or_type: str) -> Transcript:
    """Read an uploaded transcript; `filename_or_type` is a file name or a MIME type.

    The content decides what it is, the name only where the content leaves a choice. HTML keeps
    `cite`, `time` and `p` (podcast namespace) and nothing else. Raises Invalid with a sentence
    when it is too large, not text, empty, or has timings that no app can follow.
    """
    if len(data) > FILE_LIMIT_BYTES:
        raise Invalid("This transcript is larger than 10 MB, which is more than apps load.")
    text, warnings = _decoded(data)
    hint = _hint(filename_or_type)
    found = _format_of(text, hint)
    if hint and hint != found and hint != "text":
        warnings.append(
            f"The name says {SPOKEN_NAMES[hint]}, the content is {SPOKEN_NAMES[found]}; "
            f"it is published as {SPOKEN_NAMES[found]}."
        )
    language = _language(text, found, filename_or_type)
    if found == "html":
        text = _sanitised(text)
    if found == "vtt":
        text = _repaired_vtt(text, warnings)
    body = (text.strip("\n") + "\n").encode()
    if found in ("vtt", "srt", "json"):
        warnings += _timing_warnings(parse_cues(body, found))
    return Transcript(found, MIME_TYPES[found], EXTENSIONS[found], language, body, warnings)


def parse_cues(body: bytes, format: Format) -> list[Cue]:
    """The cues of a WebVTT, SRT or JSON body in the order of the file; none for HTML and text.

    A WebVTT cue with several `<v Name>` voices becomes one cue for each, with the same times.
    Raises Invalid, naming the cue, for a timing that cannot be read.
    """
    if format == "json":
        return list(_json_cues(body))
    text = body.decode()
    if format == "vtt":
        return [cue for timed in _vtt_blocks(text) for cue in _cues(*timed)]
    if format == "srt":
        return [cue for timed in _srt_blocks(text) for cue in _cues(*timed)]
    return []


def as_vtt(transcript: Transcript) -> bytes | None:
    """The transcript as WebVTT, which Apple prefers, or None when it has no timings."""
    if transcript.format == "vtt":
        return transcript.body
    if transcript.format == "srt":
        return srt_to_vtt(transcript.body)
    if transcript.format == "json":
        return render_vtt(parse_cues(transcript.body, "json"))
    return None


def srt_to_vtt(body: bytes) -> bytes:
    """An SRT body, as `read_transcript` returns it, as WebVTT."""
    return render_vtt(parse_cues(body, "srt"))


def render_vtt(cues: list[Cue]) -> bytes:
    """Write cues as WebVTT, by start, as the format demands; speakers become `<v Name>` voices.

    A cue that does not end after it starts lasts until the next one starts, at most two seconds.
    """
    ordered = sorted(cues, key=lambda cue: cue.start_ms)
    starts = [cue.start_ms for cue in ordered]
    blocks = ["WEBVTT"]
    for cue in ordered:
        text = _escaped(_tidy(cue.text))
        if not text:
            continue
        end_ms = cue.end_ms if cue.end_ms > cue.start_ms else _invented_end(cue.start_ms, starts)
        speaker = _escaped(" ".join((cue.speaker or "").split()))
        voice = f"<v {speaker}>" if speaker else ""
        blocks.append(f"{vtt_time(cue.start_ms)} --> {vtt_time(end_ms)}\n{voice}{text}")
    return ("\n\n".join(blocks) + "\n").encode()


def render_srt(cues: list[Cue]) -> bytes:
    """Write cues as SRT, by start; speakers stand before their words. What would be read as markup
    is escaped, as WebVTT does it, because many players show SRT as HTML."""
    ordered = sorted(cues, key=lambda cue: cue.start_ms)
    starts = [cue.start_ms for cue in ordered]
    blocks: list[str] = []
    for cue in ordered:
        text = _tidy(cue.text)
        if not text:
            continue
        end_ms = cue.end_ms if cue.end_ms > cue.start_ms else _invented_end(cue.start_ms, starts)
        times = f"{vtt_time(cue.start_ms)} --> {vtt_time(end_ms)}".replace(".", ",")
        said = f"{' '.join(cue.speaker.split())}: {text}" if cue.speaker else text
        if html.unescape(said) != said:
            said = said.replace("&", "&amp;")
        said = said.replace("-->", "--&gt;")
        blocks.append(f"{len(blocks) + 1}\n{times}\n{_LIKE_A_TAG.sub('&lt;', said)}")
    return ("\n\n".join(blocks) + "\n").encode("utf-8", "replace")


def sanitise_payload(payload: dict[str, Any]) -> str:
    """The part of `read_transcript` that runs in a limited child: HTML in, safe HTML out."""
    import nh3

    # Without this, words on both sides of a line break would grow together.
    spaced = re.sub(r"<br\s*/?>", "\n", payload["html"], flags=re.I)
    return nh3.clean(
        spaced,
        tags={"cite", "time", "p"},
        # The cleaner leaves title and lang on every element unless it is told of all.
        attributes={"time": {"datetime"}, "*": set()},
        clean_content_tags={"script", "style", "title", "template", "noscript"},
        link_rel=None,
    )


def _decoded(data: bytes) -> tuple[str, list[str]]:
    for magic, name in _DOCUMENTS.items():
        if data.startswith(magic):
            raise Invalid(f"This is {name}, not a transcript that apps can read. {_ADVICE}")
    warnings: list[str] = []
    try:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = data.decode("utf-16")
        else:
            text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = _decoded_as_windows(data)
        warnings.append(
            "The transcript is not UTF-8; it was read as Windows-1252. Please check the accents."
        )
    if "\0" in text:
        raise Invalid(f"This is not a text file. {_ADVICE}")
    text = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    # Without blank lines and marks above it, which would hide from apps what it is.
    text = text.lstrip("\ufeff\n").rstrip("\n")
    if not text.strip():
        raise Invalid("This transcript is empty.")
    return text, warnings


def _decoded_as_windows(data: bytes) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        raise Invalid(f"This is not a text file, or it is not UTF-8. {_ADVICE}") from None


def _hint(filename_or_type: str) -> Format | None:
    given = filename_or_type.lower().split(";")[0].strip()
    return _HINTS.get(given) or _HINTS.get(given.rpartition(".")[2])


def _format_of(text: str, hint: Format | None) -> Format:
    if re.match(r"WEBVTT(?:[ \t\n]|$)", text):
        return "vtt"
    if hint == "json" or (hint is None and text.lstrip().startswith("{")):
        return "json"
    if hint == "html" or _HTML_START.match(text):
        return "html"
    if TIMING_LINE.search(text):
        return "srt"
    if hint in ("vtt", "srt"):
        raise Invalid(
            f"The name says {SPOKEN_NAMES[hint]}, but the file has no line with times, such as "
            "00:00:01,000 --> 00:00:04,000."
        )
    return "text"


def _language(text: str, found: Format, filename: str) -> str | None:
    match = None
    if found == "vtt":
        match = _VTT_LANGUAGE.search(text.partition("\n\n")[0][:2000])
    elif found == "html":
        match = _HTML_LANGUAGE.search(text[:5000])
    # Some write the language's name there, or what only looks like a code.
    found_in = (match, _NAME_LANGUAGE.search(filename))
    return next((one[1] for one in found_in if one and is_language_code(one[1])), None)


def _sanitised(text: str) -> str:
    # The HTML parser takes quadratic time on nested elements: 16 seconds for half a megabyte.
    try:
        clean = limits.run_limited(
            f"{__name__}:sanitise_payload", {"html": text}, cpu_seconds=3, wall_seconds=30
        )
    except Invalid:
        raise Invalid(
            "This HTML is too large or too deeply nested for a transcript. "
            "A transcript needs only p, cite and time elements."
        ) from None
    if not isinstance(clean, str) or not html.unescape(re.sub(r"<[^<>]*>", "", clean)).strip():
        raise Invalid("This transcript is empty.")
    return clean


def _timing_warnings(cues: list[Cue]) -> list[str]:
    if not cues:
        raise Invalid("This transcript is empty: there are no words in it.")
    out_of_order, without_length, latest_ms = [], [], 0
    for number, cue in enumerate(cues, 1):
        if cue.end_ms < cue.start_ms:
            raise Invalid(
                f"Cue {number} ends ({vtt_time(cue.end_ms)}) before it starts "
                f"({vtt_time(cue.start_ms)})."
            )
        if cue.end_ms == cue.start_ms:
            without_length.append(number)
        if cue.start_ms < latest_ms:
            out_of_order.append(number)
        latest_ms = max(latest_ms, cue.start_ms)
    warnings = []
    if out_of_order:
        warnings.append(
            f"{_named(out_of_order)} earlier than a cue before; apps may skip such cues."
        )
    if without_length:
        warnings.append(
            f"{_named(without_length)} over as soon as begun; apps may not show such cues."
        )
    return warnings


def _named(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"Cue {numbers[0]} is"
    shown = ", ".join(str(number) for number in numbers[:NAMED_CUES])
    more = len(numbers) - NAMED_CUES
    return f"Cues {shown}{f' and {more} more' if more > 0 else ''} are"


def _repaired_vtt(text: str, warnings: list[str]) -> str:
    """WebVTT with times as the format writes them: apps drop cues with SRT's commas in them."""
    lines, repaired = text.split("\n"), 0
    for at, line in enumerate(lines):
        if not _looks_like_timing(line) or _STRICT_VTT_TIMING.match(line):
            continue
        start, _, rest = line.partition("-->")
        end, _, settings = rest.strip().partition(" ")
        start_ms, end_ms = _milliseconds(start.strip()), _milliseconds(end)
        # What cannot be read at all is refused with its number when cues are parsed.
        if start_ms is not None and end_ms is not None:
            timing = f"{vtt_time(start_ms)} --> {vtt_time(end_ms)} {settings.strip()}"
            lines[at], repaired = timing.rstrip(), repaired + 1
    if repaired:
        warnings.append(
            "Times were not written as WebVTT wants them (00:00:01.000) and have been corrected, "
            f"in {repaired} {'place' if repaired == 1 else 'places'}."
        )
    return "\n".join(lines)


def _vtt_blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Number, timing line and text of each cue; header, notes, styles and regions are passed."""
    number = 0
    for block in re.split(r"\n(?:[ \t]*\n)+", text):
        lines = block.strip("\n").split("\n")
        # A cue may have one line of identifier above its times.
        place = next((at for at, line in enumerate(lines[:2]) if "-->" in line), None)
        if place is None or lines[0].startswith("NOTE"):
            continue
        number += 1
        yield number, lines[place], "\n".join(lines[place + 1 :])


def _srt_blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Number, timing line and text of each cue.

    Cues are found by their times, because editors leave blank lines inside cues, or none between.
    """
    lines = text.split("\n")
    places = [at for at, line in enumerate(lines) if _looks_like_timing(line)]
    for number, (at, following) in enumerate(
        zip(places, [*places[1:], len(lines)], strict=True), 1
    ):
        words = lines[at + 1 : following]
        # The counter of the next cue stands directly above its times.
        if following < len(lines) and words and re.fullmatch(r"\s*[0-9]+\s*", words[-1]):
            words.pop()
        yield number, lines[at], _SRT_POSITION.sub("", "\n".join(words))


def _looks_like_timing(line: str) -> bool:
    before, arrow, _ = line.partition("-->")
    return bool(arrow) and before.strip()[:1].isdigit()


def _cues(number: int, timing: str, text: str) -> Iterator[Cue]:
    start, _, rest = timing.partition("-->")
    start_ms = _milliseconds(start.strip())
    # WebVTT settings and SRT coordinates may follow the end.
    end_ms = _milliseconds((rest.split() or [""])[0])
    if start_ms is None or end_ms is None:
        raise Invalid(
            f"Cue {number} has times that cannot be read: {timing.strip()[:60]!r}. "
            "They look like 00:00:01,000 --> 00:00:04,000."
        )
    for speaker, words in _voices(text):
        yield Cue(start_ms, end_ms, speaker, words)


def _milliseconds(written: str) -> int | None:
    match = _TIME.fullmatch(written)
    if not match or int(match[2]) > 59 or int(match[3]) > 59:
        return None
    hours, minutes, seconds = int(match[1] or 0), int(match[2]), int(match[3])
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int(match[4].ljust(3, "0"))


def _voices(text: str) -> Iterator[tuple[str | None, str]]:
    # split() with one group: words, name, words, name, words ...
    parts = _SPEAKER.split(text)
    for name, words in [(None, parts[0]), *zip(parts[1::2], parts[2::2], strict=True)]:
        plain = _tidy(html.unescape(_TAG.sub("", words)))
        if plain:
            yield (_tidy(html.unescape(name or "")).replace("\n", " ") or None), plain


def _tidy(text: str) -> str:
    """Without control characters, blank lines, and space around lines."""
    lines = (line.strip() for line in _CONTROLS.sub("", text).split("\n"))
    return "\n".join(line for line in lines if line)


def _json_cues(body: bytes) -> Iterator[Cue]:
    try:
        segments = msgspec.json.decode(body, type=_Document).segments
    except RecursionError:
        raise Invalid("This JSON is nested too deeply to be a transcript.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(
            f"This is not a JSON transcript of the podcast namespace: {error}. "
            "It needs segments with speaker, startTime, endTime and body."
        ) from None
    for place, segment in enumerate(segments):
        following = segments[place + 1].start if place + 1 < len(segments) else segment.start + 2
        end = max(following, segment.start) if segment.end is None else segment.end
        if not (0 <= segment.start <= LATEST_SECONDS and 0 <= end <= LATEST_SECONDS):
            raise Invalid(f"Segment {place + 1} has a time outside any audio.")
        words = _tidy(segment.body)
        if words:
            speaker = _tidy(segment.speaker or "").replace("\n", " ") or None
            yield Cue(round(segment.start * 1000), round(end * 1000), speaker, words)


def _invented_end(start_ms: int, starts: list[int]) -> int:
    place = bisect_right(starts, start_ms)
    return min([start_ms + 2000, *starts[place : place + 1]])


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def vtt_time(ms: int) -> str:
    """As WebVTT writes times, which is Normal Play Time too: 01:35:52.250."""
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
