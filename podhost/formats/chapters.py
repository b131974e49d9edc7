"""Chapters as values: what makes a list of them right; JSON chapters and lines of text.

It never fetches a chapter's picture and never opens audio: chapters inside audio files are found
by the probe, which hands them over as the same values. Other formats: `chapter_formats`.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from podhost.errors import Invalid
from podhost.formats.text import absolute_url, plain_line, truncate_text

FILE_LIMIT_BYTES = 1_000_000
CHAPTER_LIMIT = 500
TITLE_LIMIT = 128
URL_LIMIT = 2048
# The podcast namespace gives JSON chapters a type of their own.
JSON_MIME_TYPE = "application/json+chapters"
# Over a year: what is later is a mistake, not a chapter.
LATEST_SECONDS = 9000 * 3600.0
NAMED_WARNINGS = 5

_TIMED_LINE = re.compile(
    r"""[\s\-–—*•·]*                                    # a list's bullet
        [\[(]?                                          # [00:01:30] or (00:01:30)
        (?:(?P<hours>[0-9]{1,3}):(?=[0-9]{1,2}:))?
        (?P<minutes>[0-9]{1,3}):(?P<seconds>[0-9]{2})
        (?:[.,](?P<fraction>[0-9]{1,9}))?
        (?!:?[0-9])[\])]?
        (?:\s*[\-–—:|]\s+|\s+|$)                        # 00:01:30 - Title
        (?P<title>.*)""",
    re.VERBOSE,
)
# What Audacity exports as labels: start, end, title, between tabs.
_LABEL_LINE = re.compile(r"(?P<start>[0-9]{1,7}[.,][0-9]+)\t[0-9]{1,7}[.,][0-9]+\t(?P<title>.*)")
# mp4chaps and Auphonic put a chapter's link behind its title, between angle brackets.
_LINK_AT_END = re.compile(r"<(?P<url>https?://[^<>\s]+)>$")
# Normal Play Time (RFC 2326 3.6), with minutes or seconds alone as Podlove's feeds have them.
_PLAY_TIME = re.compile(
    r"(?:(?:([0-9]{1,4}):)?([0-9]{1,4}):)?([0-9]{1,6})(?:\.([0-9]{1,9}))?", re.ASCII
)


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """One chapter. Times are whole milliseconds from the start of the audio.

    A hidden chapter (`toc: false` in JSON chapters) changes the picture or the link and is not
    listed. It is the only kind that may stay untitled.
    """

    start_ms: int
    title: str = ""
    end_ms: int | None = None
    url: str | None = None
    image_url: str | None = None
    is_hidden: bool = False


def parse_json_chapters(data: bytes) -> list[Chapter]:
    """Read JSON chapters (podcast namespace, version 1.x). `startTime` is the one required key.

    Raises Invalid, naming the chapter, when a value has the wrong type. Keys that are unknown are
    ignored, as the namespace asks.
    """
    check_size(data)
    document = _decoded_json(data)
    entries = document.get("chapters") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise Invalid('This is JSON, but not JSON chapters: it has no list named "chapters".')
    return [_json_chapter(entry, number) for number, entry in enumerate(entries, 1)]


def parse_text_chapters(text: str) -> list[Chapter]:
    """Read lines such as `00:01:30 Title`, `[1:30] Title`, `- 00:01:30.500 - Title <https://url>`.

    Lines without a time in front are skipped, so that show notes can be read as they are.
    Audacity's label tracks are understood too.
    """
    return list(_text_chapters(text))


def normalise_chapters(
    chapters: list[Chapter], duration_ms: int | None
) -> tuple[list[Chapter], list[str]]:
    """Fit chapters to audio of `duration_ms` and say in sentences what had to be changed.

    Afterwards starts rise strictly and lie inside the audio, each end is the next listed start
    (the last one is the end of the audio), titles have 1 to 128 characters, links are absolute
    http(s) URLs, and there are at most 500. Without a duration nothing is too late, and the last
    chapter has no end.
    """
    warnings: list[str] = []
    inside = _without_outsiders(chapters, duration_ms, warnings)
    cleaned = [_cleaned(chapter, warnings) for chapter in inside]
    distinct = _one_per_start(cleaned, warnings)
    if len(distinct) > CHAPTER_LIMIT:
        warnings.append(
            f"There are {len(distinct)} chapters; only the first {CHAPTER_LIMIT} are kept."
        )
        distinct = distinct[:CHAPTER_LIMIT]
    named = _with_titles(distinct, warnings)
    return _with_ends(named, duration_ms), _shortened(warnings)


def render_json_chapters(
    chapters: list[Chapter], *, title: str | None = None, podcast_name: str | None = None
) -> bytes:
    """Write normalised chapters as JSON chapters 1.2.0; equal values always give equal bytes."""
    document: dict[str, Any] = {"version": "1.2.0"}
    if title:
        document["title"] = title
    if podcast_name:
        document["podcastName"] = podcast_name
    document["chapters"] = [_json_entry(chapter) for chapter in chapters]
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # A lone surrogate has no UTF-8; a question mark is better than no chapters.
    return text.encode("utf-8", "replace") + b"\n"


def play_time_ms(written: str) -> int | None:
    """Normal Play Time, such as 37, 7:48 or 01:35:52.250, in milliseconds; None for what is none.

    RFC 2326 3.6; Podlove Simple Chapters have their starts in it.
    """
    match = _PLAY_TIME.fullmatch(written.strip())
    if match is None:
        return None
    hours, minutes, seconds = (int(match[number] or 0) for number in (1, 2, 3))
    milliseconds = int((match[4] or "0").ljust(3, "0")[:3])
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds


def _json_entry(chapter: Chapter) -> dict[str, Any]:
    entry: dict[str, Any] = {"startTime": chapter.start_ms / 1000}
    if chapter.title:
        entry["title"] = chapter.title
    if chapter.image_url:
        entry["img"] = chapter.image_url
    if chapter.url:
        entry["url"] = chapter.url
    if chapter.is_hidden:
        entry["toc"] = False
    if chapter.end_ms is not None:
        entry["endTime"] = chapter.end_ms / 1000
    return entry


def check_size(data: bytes) -> None:
    """Raise Invalid for a file that is too large to be chapters."""
    if len(data) > FILE_LIMIT_BYTES:
        raise Invalid(
            "This chapter file is larger than 1 MB. Chapters are a short list of times and titles; "
            "pictures belong at a URL, not in the file."
        )


def _decoded_json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError:
        raise Invalid("This JSON is nested too deeply to be a list of chapters.") from None
    except UnicodeDecodeError:
        raise Invalid("This JSON is not UTF-8 text. Save it again as UTF-8.") from None
    except msgspec.MsgspecError as error:
        raise Invalid(f"This chapter file is not valid JSON: {error}.") from None


def _json_chapter(entry: Any, number: int) -> Chapter:
    if not isinstance(entry, dict):
        raise Invalid(f"Chapter {number} is not an object with a startTime and a title.")
    toc = entry.get("toc")
    if toc is not None and not isinstance(toc, bool):
        raise Invalid(f'Chapter {number}: "toc" must be true or false.')
    end = entry.get("endTime")
    return Chapter(
        start_ms=_json_time(entry.get("startTime"), "startTime", number),
        title=_json_text(entry, "title", number) or "",
        end_ms=None if end is None else _json_time(end, "endTime", number),
        url=_json_text(entry, "url", number),
        image_url=_json_text(entry, "img", number),
        is_hidden=toc is False,
    )


def _json_time(value: Any, key: str, number: int) -> int:
    # bool is an int in Python, and true is not a time.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Invalid(f'Chapter {number}: "{key}" must be a number of seconds, such as 90.5.')
    if abs(value) > LATEST_SECONDS:
        raise Invalid(f'Chapter {number}: "{key}" is further away than any audio is long.')
    return round(value * 1000)


def _json_text(entry: dict[str, Any], key: str, number: int) -> str | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise Invalid(f'Chapter {number}: "{key}" must be text.')
    return value or None


def _text_chapters(text: str) -> Iterator[Chapter]:
    for line in text.splitlines():
        chapter = _text_chapter(line)
        if chapter is not None:
            yield chapter


def _text_chapter(line: str) -> Chapter | None:
    label = _LABEL_LINE.match(line)
    if label:
        start = round(float(label["start"].replace(",", ".")) * 1000)
        return Chapter(start_ms=start, title=label["title"].strip())
    timed = _TIMED_LINE.match(line)
    if not timed:
        return None
    hours, minutes, seconds = int(timed["hours"] or 0), int(timed["minutes"]), int(timed["seconds"])
    # 90:00 is an hour and a half; 1:90:00 and 1:75 are nothing.
    if seconds > 59 or (timed["hours"] and minutes > 59):
        return None
    milliseconds = int((timed["fraction"] or "")[:3].ljust(3, "0"))
    title, link = timed["title"].strip(), None
    found = _LINK_AT_END.search(title)
    if found:
        title, link = title[: found.start()].strip(), found["url"]
    start = ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
    return Chapter(start_ms=start, title=title, url=link)


def _without_outsiders(
    chapters: list[Chapter], duration_ms: int | None, warnings: list[str]
) -> list[Chapter]:
    inside = []
    for chapter in chapters:
        if chapter.start_ms < 0:
            warnings.append(f"{_name(chapter)} starts before the audio and was left out.")
        elif duration_ms is not None and chapter.start_ms >= duration_ms:
            warnings.append(
                f"{_name(chapter)} starts at {_clock(chapter.start_ms)}, after the end of the "
                f"audio at {_clock(duration_ms)}, and was left out."
            )
        else:
            inside.append(chapter)
    return inside


def _cleaned(chapter: Chapter, warnings: list[str]) -> Chapter:
    whole = _title(chapter)
    title = truncate_text(whole, TITLE_LIMIT)
    if title != whole:
        warnings.append(f"{_name(chapter)} has a title of more than 128 characters; it was cut.")
    url, image_url = _web_url(chapter.url), _web_url(chapter.image_url)
    if chapter.url and not url:
        warnings.append(f"{_name(chapter)} has a link that is not http or https; it was removed.")
    if chapter.image_url and not image_url:
        warnings.append(
            f"{_name(chapter)} has a picture whose address is not http or https; it was removed."
        )
    return msgspec.structs.replace(chapter, title=title, url=url, image_url=image_url)


def _web_url(url: str | None) -> str | None:
    """The URL if an app can open it, else None."""
    if not url or len(url) > URL_LIMIT:
        return None
    try:
        return absolute_url(url)
    except ValueError:
        return None


def _one_per_start(chapters: list[Chapter], warnings: list[str]) -> list[Chapter]:
    """In order of start; of several with the same start, the last that has a title."""
    kept: dict[int, Chapter] = {}
    for chapter in chapters:
        rival = kept.get(chapter.start_ms)
        if rival is not None:
            warnings.append(f"Two chapters start at {_clock(chapter.start_ms)}; one is kept.")
        if rival is None or chapter.title or not rival.title:
            kept[chapter.start_ms] = chapter
    return [kept[start] for start in sorted(kept)]


def _with_titles(chapters: list[Chapter], warnings: list[str]) -> list[Chapter]:
    titled, listed = [], 0
    for chapter in chapters:
        listed += not chapter.is_hidden
        if not chapter.title and not chapter.is_hidden:
            chapter = msgspec.structs.replace(chapter, title=f"Chapter {listed}")
            warnings.append(
                f"The chapter at {_clock(chapter.start_ms)} has no title; "
                f"it is called {chapter.title} now."
            )
        titled.append(chapter)
    return titled


def _with_ends(chapters: list[Chapter], duration_ms: int | None) -> list[Chapter]:
    """A listed chapter lasts until the next listed one, across hidden ones."""
    ended: list[Chapter] = []
    next_start = next_listed_start = duration_ms
    for chapter in reversed(chapters):
        end = next_start if chapter.is_hidden else next_listed_start
        ended.append(msgspec.structs.replace(chapter, end_ms=end))
        next_start = chapter.start_ms
        if not chapter.is_hidden:
            next_listed_start = chapter.start_ms
    return ended[::-1]


def _shortened(warnings: list[str]) -> list[str]:
    if len(warnings) <= NAMED_WARNINGS + 1:
        return warnings
    rest = len(warnings) - NAMED_WARNINGS
    return [*warnings[:NAMED_WARNINGS], f"There are {rest} more remarks like these on chapters."]


def _title(chapter: Chapter) -> str:
    # A title as long as the file is cut first, so that cleaning it takes no time.
    return plain_line(chapter.title[: 20 * TITLE_LIMIT])


def _name(chapter: Chapter) -> str:
    title = truncate_text(_title(chapter), 60)
    return f"The chapter “{title}”" if title else f"The chapter at {_clock(chapter.start_ms)}"


def _clock(ms: int) -> str:
    sign, seconds = ("-", -ms // 1000) if ms < 0 else ("", ms // 1000)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
