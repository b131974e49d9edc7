"""Pictures of chapters inside audio files: stored once each, found again, and shown to apps.

It writes no chapter, and leaves alone what a host's own chapters link to.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podhost.artwork import (
    PreparedArtwork,
    add_artwork,
    artwork_url,
    discard_artwork,
    file_sha256,
    find_artwork,
    prepare_artwork,
)
from podhost.errors import Invalid
from podhost.formats.artwork import LONGEST_SECONDS
from podhost.formats.audio import TagChapter
from podhost.formats.chapters import Chapter
from podhost.models import Artwork
from podhost.models import Chapter as ChapterRow
from podhost.storage import Storage

# Each is rendered in a child process of its own, while an upload waits.
PICTURE_LIMIT = 100
# For all pictures of a file together: a hostile one may take its time over each of them.
PICTURES_SECONDS = 60.0
# Chapter pictures are small on a telephone.
SHOWN_PIXELS = 600
# The probe says the same of what is no picture at all.
UNUSABLE = "Some chapter pictures in the file could not be used and were left out."
TOO_SLOW = "The pictures of the chapters take too long to make; only the first ones are kept."
TOO_MANY = f"The chapters have more than {PICTURE_LIMIT} pictures; only the first ones are kept."


def prepare_chapter_pictures(
    storage: Storage, chapters: Iterable[TagChapter], *, cover: PreparedArtwork | None = None
) -> tuple[dict[int, PreparedArtwork], list[str]]:
    """Store the chapters' pictures, equal ones once; by start in milliseconds, and warnings.

    `cover` is stored already and serves where a chapter has the same picture. What is no usable
    picture is left out; when the storage fails, nothing stays. Call it outside transactions.
    """
    paths = _picture_paths(chapters)
    sha256s = {start_ms: file_sha256(path) for start_ms, path in paths.items()}
    wanted = {sha256: paths[start_ms] for start_ms, sha256 in sha256s.items()}
    made = {cover.source_sha256: cover} if cover is not None else {}
    new = [sha256 for sha256 in wanted if sha256 not in made]
    warnings = [TOO_MANY] if len(new) > PICTURE_LIMIT else []
    deadline = time.monotonic() + PICTURES_SECONDS
    with ExitStack() as undo:
        for sha256 in new[:PICTURE_LIMIT]:
            seconds = min(LONGEST_SECONDS, deadline - time.monotonic())
            if seconds <= 0:
                warnings.append(TOO_SLOW)
                break
            try:
                made[sha256] = prepare_artwork(
                    storage, wanted[sha256], is_square=False, wall_seconds=seconds
                )
                undo.callback(discard_artwork, storage, made[sha256])
            except Invalid:
                warnings.append(UNUSABLE)
        undo.pop_all()
    pictures = {start_ms: made[sha256] for start_ms, sha256 in sha256s.items() if sha256 in made}
    return pictures, [*dict.fromkeys(warnings)]


def add_chapter_pictures(
    session: Session, pictures: Mapping[int, PreparedArtwork], *, now: datetime
) -> dict[int, str]:
    """The ids of the pictures' rows, by the chapter's start; those that are new are written."""
    ids: dict[str, str] = {}
    for prepared in pictures.values():
        sha256 = prepared.source_sha256
        if sha256 not in ids:
            row = find_artwork(session, sha256) or add_artwork(session, prepared, now=now)
            ids[sha256] = row.id
    return {start_ms: ids[prepared.source_sha256] for start_ms, prepared in pictures.items()}


def tag_picture_hashes(tags: Mapping[str, Any]) -> dict[int, str]:
    """The source hash of each chapter's picture in the tags of an audio's row, by its start."""
    # JSON has no keys that are numbers.
    return {int(start): sha256 for start, sha256 in (tags.get("chapter_pictures") or {}).items()}


def find_chapter_pictures(session: Session, tags: Mapping[str, Any]) -> dict[int, str]:
    """The ids of the tags' chapter pictures by start; without those that were cleared away."""
    hashes = tag_picture_hashes(tags)
    if not hashes:
        return {}
    known = (
        select(Artwork.source_sha256, func.min(Artwork.id))
        .where(Artwork.source_sha256.in_(set(hashes.values())))
        .group_by(Artwork.source_sha256)
    )
    ids = {sha256: artwork_id for sha256, artwork_id in session.execute(known)}
    return {start_ms: ids[sha256] for start_ms, sha256 in hashes.items() if sha256 in ids}


def chapter_pictures_differ(
    session: Session, chapters: Iterable[ChapterRow], tags: Mapping[str, Any]
) -> bool:
    """Whether the rows have other pictures than they could have by these tags."""
    rows = [row for row in chapters if row.image_url is None]
    current = {row.start_ms: row.artwork.source_sha256 for row in rows if row.artwork is not None}
    hashes = tag_picture_hashes(tags)
    if current == hashes:
        return False
    return current != {start: hashes[start] for start in find_chapter_pictures(session, tags)}


def picture_ids(chapters: Iterable[ChapterRow]) -> dict[int, str]:
    """The ids of the pictures that chapter rows have, by start."""
    return {row.start_ms: row.artwork_id for row in chapters if row.artwork_id is not None}


def named_picture(url: str, held_ids: Collection[str | None]) -> str | None:
    """The one of these pictures that a URL of ours names.

    Hosts read chapters, change a title and send them back; the picture must not be cleared away
    as unused then.
    """
    *_, folder, artwork_id, _name = ("", "", "", *url.split("/"))
    return artwork_id if folder == "artwork" and artwork_id in held_ids else None


def shown_chapters(chapters: Iterable[ChapterRow], base_url: str) -> list[Chapter]:
    """Chapters as apps get them: with the URLs of the pictures that podhost holds."""
    return [
        Chapter(
            start_ms=row.start_ms,
            title=row.title or "",
            end_ms=row.end_ms,
            url=row.url,
            image_url=row.image_url
            if row.artwork is None
            else artwork_url(base_url, row.artwork, size=SHOWN_PIXELS),
            is_hidden=row.is_hidden,
        )
        for row in chapters
    ]


def _picture_paths(chapters: Iterable[TagChapter]) -> dict[int, Path]:
    """In order of start; of several with the same start, the last that has a title."""
    paths: dict[int, Path] = {}
    for chapter in sorted(chapters, key=lambda entry: (entry.start_ms, bool(entry.title))):
        if chapter.picture_path is not None:
            paths[chapter.start_ms] = chapter.picture_path
    return paths
