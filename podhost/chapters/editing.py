"""Chapters as a host edits them, row by row: nothing is repaired silently, every wrong row is told.

It reads and writes no rows of the database; who imports a file of chapters has them repaired, who
types them wants to know.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from podhost.chapters.rows import ChapterInput, list_chapters
from podhost.fields import FieldErrors
from podhost.formats.chapters import CHAPTER_LIMIT, TITLE_LIMIT, URL_LIMIT, Chapter
from podhost.formats.clock_times import clock_time, read_clock_time
from podhost.formats.text import absolute_url
from podhost.models import Episode

NO_TITLE = "Give it a title, or hide it."
TOO_LONG = f"It is longer than the {TITLE_LIMIT} characters that apps show."
TOO_MANY = f"There are more than {CHAPTER_LIMIT} chapters, which is the most there may be."
NO_LINK = "It must be an address that begins with https://."


class ChapterRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row as it stands on the page."""

    start: str = ""
    title: str = ""
    url: str = ""
    image_url: str = ""
    is_hidden: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in it."""
        return not any(text.strip() for text in (self.start, self.title, self.url, self.image_url))


def chapter_rows(chapters: Sequence[Chapter]) -> list[ChapterRow]:
    """Chapters as the rows of a page."""
    return [
        ChapterRow(
            start=clock_time(chapter.start_ms),
            title=chapter.title,
            url=chapter.url or "",
            image_url=chapter.image_url or "",
            is_hidden=chapter.is_hidden,
        )
        for chapter in chapters
    ]


def read_rows(rows: Sequence[ChapterRow], duration_ms: int | None) -> list[ChapterInput]:
    """The chapters that were written, in order of time; empty rows are none.

    Raises Invalid with a sentence for each wrong field, named chapters[0].start and so on, after
    the place of the row among those that were given.
    """
    errors = FieldErrors()
    found: dict[int, ChapterInput] = {}
    for index, row in enumerate(rows):
        if row.is_empty:
            continue
        name = f"chapters[{index}]"
        with errors.noting(f"{name}.start"):
            start_ms = _start(row, found, duration_ms)
            found[start_ms] = ChapterInput(
                start_seconds=start_ms / 1000,
                title=row.title.strip() or None,
                url=row.url.strip() or None,
                image_url=row.image_url.strip() or None,
                hidden=row.is_hidden,
            )
        with errors.noting(f"{name}.title"):
            _check_title(row)
        for part, address in (("url", row.url), ("image_url", row.image_url)):
            with errors.noting(f"{name}.{part}"):
                _check_address(address.strip())
    if len(found) > CHAPTER_LIMIT:
        with errors.noting("chapters"):
            raise ValueError(TOO_MANY)
    errors.raise_any()
    return [found[start] for start in sorted(found)]


def _start(row: ChapterRow, found: dict[int, ChapterInput], duration_ms: int | None) -> int:
    start_ms = read_clock_time(row.start)
    if duration_ms is not None and start_ms >= duration_ms:
        raise ValueError("It is after the end of the audio.")
    if start_ms in found:
        raise ValueError("Another chapter starts at the same time.")
    return start_ms


def _check_title(row: ChapterRow) -> None:
    title = row.title.strip()
    if not title and not row.is_hidden:
        raise ValueError(NO_TITLE)
    if len(title) > TITLE_LIMIT:
        raise ValueError(TOO_LONG)


def _check_address(address: str) -> None:
    if not address:
        return
    if len(address) > URL_LIMIT:
        raise ValueError(NO_LINK)
    try:
        absolute_url(address)
    except ValueError:
        raise ValueError(NO_LINK) from None


def chapters_fingerprint(episode: Episode) -> str:
    """Changes whenever the chapters do: by it a page knows that somebody else was faster."""
    values = [list_chapters(episode), [row.artwork_id for row in episode.chapters]]
    return hashlib.sha256(msgspec.json.encode(values)).hexdigest()[:16]
