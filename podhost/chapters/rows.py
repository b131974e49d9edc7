"""An episode's chapters as rows: where they come from, and what takes their place.

It opens no file: chapters inside audio come with the probe, those of a file are parsed before.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from podhost import fields
from podhost.audio.revisions import PreparedAudio
from podhost.chapters.pictures import add_chapter_pictures, named_picture, picture_ids
from podhost.formats.chapter_formats import notes_chapters
from podhost.formats.chapters import Chapter, normalise_chapters
from podhost.models import Chapter as ChapterRow
from podhost.models import Episode


class ChapterInput(msgspec.Struct, kw_only=True):
    """One chapter as a host gives it; times in seconds, as in JSON chapters."""

    start_seconds: float
    end_seconds: float | None = None
    title: str | None = None
    url: str | None = None
    image_url: str | None = None
    hidden: bool = False


def read_chapters(given: Sequence[ChapterInput]) -> list[Chapter]:
    """Chapters as a host gives them, as values. Raises Invalid with every wrong field."""
    chapters = []
    errors = fields.FieldErrors()
    for index, entry in enumerate(given):
        with errors.noting(f"chapters[{index}].start_seconds"):
            chapters.append(
                Chapter(
                    start_ms=_milliseconds(entry.start_seconds),
                    end_ms=None if entry.end_seconds is None else _milliseconds(entry.end_seconds),
                    title=entry.title or "",
                    url=entry.url,
                    image_url=entry.image_url,
                    is_hidden=entry.hidden,
                )
            )
    errors.raise_any()
    return chapters


def _milliseconds(seconds: float) -> int:
    if not 0 <= seconds < 1_000_000:
        raise ValueError("It must be a number of seconds from the start of the episode.")
    return round(seconds * 1000)


def set_chapters(
    session: Session,
    episode: Episode,
    chapters: Sequence[Chapter],
    pictures: Mapping[int, str] | None = None,
    *,
    now: datetime,
) -> bool:
    """Replace the chapters; they must be normalised. False when they were so already.

    `pictures` are ids of artwork by the start of the chapter in milliseconds, for chapters that
    link to no picture themselves.
    """
    held_ids = {row.artwork_id for row in episode.chapters}
    artwork_ids = [
        named_picture(chapter.image_url, held_ids)
        if chapter.image_url
        else (pictures or {}).get(chapter.start_ms)
        for chapter in chapters
    ]
    current_ids = [row.artwork_id for row in episode.chapters]
    if list_chapters(episode) == list(chapters) and current_ids == artwork_ids:
        return False
    episode.chapters.clear()
    session.flush()
    for position, (chapter, artwork_id) in enumerate(zip(chapters, artwork_ids, strict=True)):
        episode.chapters.append(
            ChapterRow(
                position=position,
                start_ms=chapter.start_ms,
                end_ms=chapter.end_ms,
                title=chapter.title,
                url=chapter.url,
                image_url=chapter.image_url,
                artwork_id=artwork_id,
                is_hidden=chapter.is_hidden,
            )
        )
    episode.chapters_changed_at = now if chapters else None
    session.flush()
    return True


def list_chapters(episode: Episode) -> list[Chapter]:
    """The episode's chapters as values, in order, with no picture but those that a host links."""
    return [
        Chapter(
            start_ms=row.start_ms,
            end_ms=row.end_ms,
            title=row.title or "",
            url=row.url,
            image_url=row.image_url,
            is_hidden=row.is_hidden,
        )
        for row in episode.chapters
    ]


def set_found_chapters(
    session: Session, episode: Episode, prepared: PreparedAudio, *, now: datetime
) -> None:
    """The chapters that the audio itself has, with their pictures; else those in the notes."""
    if not prepared.chapters:
        chapters = notes_chapters(episode.notes, prepared.probe.duration_ms)
        set_chapters(session, episode, chapters, now=now)
        return
    pictures = add_chapter_pictures(session, prepared.chapter_pictures, now=now)
    set_chapters(session, episode, prepared.chapters, pictures, now=now)


def fit_chapters(
    session: Session,
    episode: Episode,
    prepared: PreparedAudio,
    *,
    were_in_notes: bool,
    now: datetime,
) -> list[str]:
    """Chapters for new audio: those inside of it, else the ones that there are, cut to its length;
    sentences on what was cut off.

    `were_in_notes` says that those came from the notes, which are read again then.
    """
    if prepared.chapters or were_in_notes:
        set_found_chapters(session, episode, prepared, now=now)
        return []
    kept, warnings = normalise_chapters(list_chapters(episode), prepared.probe.duration_ms)
    set_chapters(session, episode, kept, picture_ids(episode.chapters), now=now)
    return warnings


def are_in_notes(episode: Episode) -> bool:
    """Whether the episode's chapters are what its notes list, or neither has any.

    Only such chapters change with the notes: what a host gave, or took away, stays so.
    """
    return list_chapters(episode) == notes_chapters(episode.notes, _duration_ms(episode))


def follow_notes(session: Session, episode: Episode, *, now: datetime) -> bool:
    """Take the chapters from the notes, which have changed; False when they are the same."""
    chapters = notes_chapters(episode.notes, _duration_ms(episode))
    return set_chapters(session, episode, chapters, now=now)


def notes_warnings(episode: Episode) -> list[str]:
    """That the chapters were taken from the notes, where they were."""
    tags = episode.audio.tags if episode.audio is not None else {}
    if not episode.chapters or tags.get("chapters") or not are_in_notes(episode):
        return []
    return [
        f"The {len(episode.chapters)} chapters are those that the notes list; "
        "give a list of chapters if that is not meant."
    ]


def chapter_warnings(episode: Episode, given: Sequence[ChapterInput]) -> list[str]:
    """What had to be changed in the chapters that were given, so that they fit the audio."""
    return normalise_chapters(read_chapters(given), _duration_ms(episode))[1]


def _duration_ms(episode: Episode) -> int | None:
    return episode.audio.duration_ms if episode.audio is not None else None
