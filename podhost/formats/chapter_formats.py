"""Chapters in every format that is around: told apart by content, read, and written.

What makes a list of chapters right stands in `chapters`; here nothing is fitted to any audio, but
for chapters that are looked for in an episode's notes.
"""

import html
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal

import msgspec

from podhost.errors import Invalid
from podhost.formats.chapters import (
    CHAPTER_LIMIT,
    JSON_MIME_TYPE,
    Chapter,
    check_size,
    normalise_chapters,
    parse_json_chapters,
    parse_text_chapters,
    play_time_ms,
    render_json_chapters,
)
from podhost.formats.text import plain_line, shown
from podhost.formats.transcripts import (
    MIME_TYPES,
    TIMING_LINE,
    Cue,
    parse_cues,
    render_srt,
    render_vtt,
    vtt_time,
)

EXAMPLE = "Write one chapter per line, such as 00:01:30 The first question."
# A list of chapters in notes begins at the start of the episode; other lists of times do not.
NEAR_START_MS = 10_000
LEAST_IN_NOTES = 2
# By the ending of their addresses. Podlove Simple Chapters have no registered type of their own.
CHAPTER_TYPES = {
    "json": JSON_MIME_TYPE,
    "psc": "application/xml",
    "vtt": MIME_TYPES["vtt"],
    "srt": MIME_TYPES["srt"],
    "txt": MIME_TYPES["text"],
}

_NAMESPACE = "http://podlove.org/simple-chapters"
_STARTS_LIKE_A_TIME = re.compile(r"[\s\-–—*•·]*[\[(]?[0-9]+:[0-9]")
_WEBVTT = re.compile(r"WEBVTT(?:[ \t\n]|$)")
# As mkvtoolnix, HandBrake and the tags of Ogg files have them: CHAPTER01=00:00:00.000.
_NUMBERED = re.compile(r"^[ \t]*CHAPTER([0-9]{1,4})(NAME|URL)?=(.*)$", re.IGNORECASE | re.MULTILINE)
_BREAK = re.compile(r"<br ?/?>|\n", re.IGNORECASE)
_MARKDOWN_LINK = re.compile(r"\[([^\[\]\n]{0,500})\]\((https?://[^()\s<>]{1,2000})\)")
_EMPHASIS = re.compile(r"\*+|__|`|\\$")


def parse_chapters(data: bytes, filename: str) -> list[Chapter]:
    """Read a chapter file of any format, told by its content, then by its name.

    JSON chapters (podcast namespace), Podlove Simple Chapters, WebVTT, SRT, and text with one
    chapter per line, also as mp4chaps, mkvtoolnix and Audacity write them. Raises Invalid with a
    sentence when the file holds no chapters or cannot be understood. Times are as written:
    `normalise_chapters` fits them to the audio.
    """
    check_size(data)
    # UTF-16 has a zero byte before or after each of these.
    start = data.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1]
    if start == b"{" or filename.lower().endswith(".json"):
        return parse_json_chapters(data)
    if start == b"<":
        return parse_simple_chapters(data)
    text = _decoded(data)
    if _WEBVTT.match(text):
        return _cue_chapters(text, "vtt")
    if TIMING_LINE.search(text):
        return _cue_chapters(text, "srt")
    if _NUMBERED.search(text):
        return _numbered_chapters(text)
    _refuse_impossible_times(text)
    chapters = parse_text_chapters(text)
    if not chapters:
        raise Invalid(f"This file holds no chapters. {EXAMPLE}")
    return chapters


def parse_simple_chapters(data: bytes) -> list[Chapter]:
    """Read Podlove Simple Chapters 1.x, a file with `chapters` as its root.

    Raises Invalid, naming the chapter, when a start is no time. A DOCTYPE is refused, so that
    there are no entities, and nothing that the file names is read.
    """
    # lxml takes a while to load, and most chapters are JSON.
    from podhost.formats.feed_bytes import decoded, encoding_of
    from podhost.formats.feed_xml import name_of, strict_root

    check_size(data)
    text, _ = decoded(data, encoding_of(data)[0])
    if "xmlns:psc" not in text:
        # Copied out of a feed, which declares the prefix far above.
        text = text.replace("<psc:chapters", f'<psc:chapters xmlns:psc="{_NAMESPACE}"', 1)
    root = strict_root(text.lstrip().encode("utf-8", "ignore"))
    if root is None:
        raise Invalid(
            "This XML cannot be read as chapters: it is broken, or it has a DOCTYPE, which "
            "chapters do not need. Export them again, as Podlove Simple Chapters or as JSON."
        )
    if name_of(root) not in ("psc:chapters", "chapters"):
        raise Invalid(
            "This is XML, but not Podlove Simple Chapters: its first element is not “chapters”. "
            "Export the chapters as JSON, or as text with one chapter per line."
        )
    found = [element for element in root if name_of(element) in ("psc:chapter", "chapter")]
    return [_simple_chapter(element, number) for number, element in enumerate(found, 1)]


def notes_chapters(notes: str, duration_ms: int | None) -> list[Chapter]:
    """The chapters that an episode's notes list, as `00:00 Title` lines; [] where they list none.

    Only a list is believed that stands by itself: two lines or more, one below the other, each
    with a title, the first at the start of the episode, later ones later, all inside the audio.
    A time inside a sentence, a timetable, or two such lists are nobody's chapters.
    """
    lists = [found for found in _timed_lists(notes) if _are_chapters(found, duration_ms)]
    return normalise_chapters(lists[0], duration_ms)[0] if len(lists) == 1 else []


def render_chapters(
    chapters: list[Chapter],
    ending: str,
    *,
    title: str | None = None,
    podcast_name: str | None = None,
) -> bytes:
    """Write normalised chapters in one of CHAPTER_TYPES; equal values always give equal bytes.

    JSON says everything, and Podlove Simple Chapters and text have links. But JSON alone knows
    hidden chapters, which the others leave out. It is never empty.
    """
    if ending == "json":
        return render_json_chapters(chapters, title=title, podcast_name=podcast_name)
    listed = [chapter for chapter in chapters if chapter.title and not chapter.is_hidden]
    if ending == "psc":
        return _simple_chapters(listed)
    if ending == "txt":
        lines = [_text_line(chapter) for chapter in listed]
        return ("\n".join(lines) + "\n").encode("utf-8", "replace")
    cues = [
        Cue(chapter.start_ms, chapter.end_ms or chapter.start_ms, None, plain_line(chapter.title))
        for chapter in listed
    ]
    return render_vtt(cues) if ending == "vtt" else render_srt(cues)


def _simple_chapters(chapters: Sequence[Chapter]) -> bytes:
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<psc:chapters version="1.2" xmlns:psc="{_NAMESPACE}">',
    ]
    for chapter in chapters:
        values = {
            "start": vtt_time(chapter.start_ms),
            "title": plain_line(chapter.title),
            "href": chapter.url,
            "image": chapter.image_url,
        }
        said = [f'{name}="{html.escape(value)}"' for name, value in values.items() if value]
        lines.append(f"  <psc:chapter {' '.join(said)}/>")
    return ("\n".join([*lines, "</psc:chapters>"]) + "\n").encode("utf-8", "replace")


def _text_line(chapter: Chapter) -> str:
    """As mp4chaps and Auphonic write it; their players take a link from between the brackets."""
    title = plain_line(chapter.title)
    # Readers take a dash between time and title for none of the title's own.
    dash = " -" if title.startswith(("-", "–", "—", ":", "|")) else ""
    link = f" <{chapter.url}>" if chapter.url else ""
    return f"{vtt_time(chapter.start_ms)}{dash} {title}{link}"


def _decoded(data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    for attempt in (encoding, "cp1252"):
        try:
            text = data.decode(attempt)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff\n")
    raise Invalid(f"This is not a text file. {EXAMPLE}")


def _refuse_impossible_times(text: str) -> None:
    """A chapter that is lost for a mistyped time must not go unnoticed in a chapter file."""
    for number, line in enumerate(text.splitlines(), 1):
        if _STARTS_LIKE_A_TIME.match(line) and not parse_text_chapters(line):
            raise Invalid(
                f"Line {number} cannot be read as a time and a title: {line.strip()[:40]!r}. "
                f"{EXAMPLE}"
            )


def _cue_chapters(text: str, found: Literal["vtt", "srt"]) -> list[Chapter]:
    """The cues of chapters written as WebVTT (HTML's kind="chapters") or SRT: titles with times."""
    cues = parse_cues(text.encode("utf-8", "replace"), found)
    if not cues:
        raise Invalid(f"This file holds no chapters. {EXAMPLE}")
    if len(cues) > CHAPTER_LIMIT:
        raise Invalid(
            f"This looks like a transcript and not like chapters: it has {len(cues)} cues, and "
            f"there may be {CHAPTER_LIMIT} chapters."
        )
    return [
        Chapter(start_ms=cue.start_ms, end_ms=cue.end_ms, title=" ".join(cue.text.split()))
        for cue in cues
    ]


def _numbered_chapters(text: str) -> list[Chapter]:
    """Lines such as CHAPTER01=00:01:30.000, CHAPTER01NAME=Title and CHAPTER01URL=..."""
    found: dict[int, dict[str, str]] = {}
    for number, name, value in _NUMBERED.findall(text):
        found.setdefault(int(number), {})[name.upper()] = value.strip()
    chapters = []
    for number, said in found.items():
        start_ms = play_time_ms(said.get("", "").replace(",", "."))
        if start_ms is None:
            raise Invalid(f"Chapter {number} has no time, such as CHAPTER01=00:01:30.000.")
        title, url = said.get("NAME", ""), said.get("URL") or None
        chapters.append(Chapter(start_ms=start_ms, title=title, url=url))
    return chapters


def _simple_chapter(element: Any, number: int) -> Chapter:
    start = element.get("start", "")
    start_ms = play_time_ms(start)
    if start_ms is None:
        raise Invalid(
            f"Chapter {number}: its start {shown(start)!r} is no time, such as 00:01:30.500."
        )
    return Chapter(
        start_ms=start_ms,
        title=element.get("title", ""),
        url=element.get("href", "").strip() or None,
        image_url=element.get("image", "").strip() or None,
    )


def _timed_lists(notes: str) -> Iterator[list[Chapter]]:
    """Lines with a time in front that stand below each other; blank lines may be between them."""
    current: list[Chapter] = []
    for line in _BREAK.split(notes):
        if not line.strip():
            continue
        chapter = _noted_chapter(line)
        if chapter is not None:
            current.append(chapter)
        elif current:
            yield current
            current = []
    if current:
        yield current


def _noted_chapter(line: str) -> Chapter | None:
    """A line of Markdown as a chapter; the one link in its title is the chapter's."""
    links = _MARKDOWN_LINK.findall(line)
    plain = _MARKDOWN_LINK.sub(r"\1", line) if links else line
    found = parse_text_chapters(_EMPHASIS.sub("", plain.strip()))
    if not found or "\t" in line:
        return None
    if len(links) == 1 and not _STARTS_LIKE_A_TIME.match(links[0][0]):
        return msgspec.structs.replace(found[0], url=links[0][1])
    return found[0]


def _are_chapters(found: list[Chapter], duration_ms: int | None) -> bool:
    starts = [chapter.start_ms for chapter in found]
    return (
        LEAST_IN_NOTES <= len(found) <= CHAPTER_LIMIT
        and starts[0] <= NEAR_START_MS
        and all(earlier < later for earlier, later in pairwise(starts))
        and (duration_ms is None or starts[-1] < duration_ms)
        and all(chapter.title for chapter in found)
    )
