"""The rows that a feed is made of, read as plain columns; it makes no values of them.

Reading objects of 5,000 episodes takes ten times as long, and what was read can be compared with
what a feed was made of before.
"""

import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple, cast

import msgspec
from sqlalchemy import ColumnElement, Row, Select, Table, Text, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from podhost.feeds.sponsors import SponsorRow, notes_sponsors
from podhost.models import Artwork, Audio, Chapter, Credit, Episode, Show, Transcript


class ArtworkRow(NamedTuple):
    """A picture as `models.Artwork` has it, its sizes unread: few of them are looked into."""

    id: str
    sizes_json: str

    @property
    def sizes(self) -> list[Any]:
        """[[size in pixels, bytes], ...]."""
        return _sizes(self.sizes_json)


@lru_cache(maxsize=256)
def _sizes(sizes_json: str) -> list[Any]:
    # Asked for several times, once for each picture that a feed shows of it.
    sizes: list[Any] = json.loads(sizes_json)
    return sizes


class CreditRow(NamedTuple):
    """A credit as `models.Credit` has it."""

    episode_id: str | None
    person_id: str
    name: str
    role: str
    group: str
    url: str | None
    bio: str
    image_url: str | None
    artwork: ArtworkRow | None


class ChapterRow(NamedTuple):
    """A chapter as `models.Chapter` has it."""

    episode_id: str
    start_ms: int
    end_ms: int | None
    title: str | None
    url: str | None
    image_url: str | None
    is_hidden: bool


class ShowRows(NamedTuple):
    """All of a show that its episodes' values depend on."""

    slug: str
    language: str
    explicit: bool
    has_images: bool
    has_inline_chapters: bool
    hosts: tuple[CreditRow, ...]


class EpisodeRows(NamedTuple):
    """All that is kept of an episode and may stand in a feed; `episode.tags` is JSON as text.

    There are chapters only where the show wants them in its feed, each as the arguments of
    `ChapterRow`: of tens of thousands of plain tuples, Python's collector forgets.
    """

    episode: Row[Any]
    audio: Row[Any] | None
    artwork: ArtworkRow | None
    credits: tuple[CreditRow, ...]
    transcripts: tuple[Row[Any], ...]
    chapters: tuple[tuple[Any, ...], ...]
    sponsors: tuple[SponsorRow, ...] = ()

    def listed_chapters(self) -> Iterator[ChapterRow]:
        """Those of which Podlove Simple Chapters knows: with a title, and listed."""
        if self.episode.chapters_changed_at:
            for chapter in itertools.starmap(ChapterRow, self.chapters):
                if chapter.title and not chapter.is_hidden:
                    yield chapter


# All but what no feed says. Of tables and not of their classes, which takes twice as long.
_EPISODES, _AUDIO, _ARTWORK, _CREDITS, _TRANSCRIPTS, _CHAPTERS = (
    cast(Table, model.__table__).c
    for model in (Episode, Audio, Artwork, Credit, Transcript, Chapter)
)
_UNSAID = (
    *("notes", "tags", "created_at", "changed_at", "deleted_at"),
    *("moved_audio_url", "early_since", "edit_version"),
)
_OF_EPISODE = (
    *(column for column in _EPISODES if column.key not in _UNSAID),
    # As text, for the same reason as the sizes of pictures.
    sql_cast(_EPISODES.tags, Text).label("tags"),
)
_OF_ARTWORK = (_ARTWORK.id, sql_cast(_ARTWORK.sizes, Text))
_OF_AUDIO = [
    _AUDIO[name]
    for name in (
        *("episode_id", "revision", "url_name", "extension"),
        *("mime_type", "size_bytes", "duration_ms", "problem"),
    )
]
_OF_CREDIT = [
    _CREDITS["credit_group" if name == "group" else "artwork_id" if name == "artwork" else name]
    for name in CreditRow._fields
]
_OF_TRANSCRIPT = [
    _TRANSCRIPTS[name]
    for name in ("episode_id", "id", "extension", "mime_type", "language", "source_sha256")
]
_OF_CHAPTER = [_CHAPTERS[name] for name in ChapterRow._fields]


def read_feed_rows(
    session: Session, show: Show, status: str = "published"
) -> tuple[ShowRows, list[EpisodeRows]]:
    """What the show's feed is made of; episodes of this status only, in no order."""
    artworks = _artworks(session, show.id)
    credits = _credits(session, show.id, artworks)
    tags = show.tags or {}
    of_show = ShowRows(
        slug=show.slug,
        language=show.language,
        explicit=show.explicit,
        has_images=bool(tags.get("images")),
        has_inline_chapters=bool(tags.get("inline_chapters")),
        hosts=tuple(credits[None]),
    )
    is_out = (
        _EPISODES.show_id == show.id,
        _EPISODES.status == status,
        _EPISODES.deleted_at.is_(None),
    )
    of_episodes = partial(_of_episodes, session, is_out)
    audio = of_episodes(_OF_AUDIO, _AUDIO.revision, _AUDIO.replaced_at.is_(None))
    transcripts = of_episodes(_OF_TRANSCRIPT, _TRANSCRIPTS.position)
    # Only a feed that says them needs them.
    has_chapters = of_show.has_inline_chapters
    chapters = of_episodes(_OF_CHAPTER, _CHAPTERS.position, make=tuple) if has_chapters else {}
    sponsors = notes_sponsors(session, show)
    return of_show, [
        EpisodeRows(
            episode,
            next(iter(audio.get(episode.id, ())), None),
            artworks.get(episode.artwork_id),
            tuple(credits.get(episode.id, ())),
            tuple(transcripts.get(episode.id, ())),
            tuple(chapters.get(episode.id, ())),
            sponsors(episode.published_at),
        )
        for episode in _read(session, select(*_OF_EPISODE).where(*is_out))
    ]


def rows_key(rows: EpisodeRows | ShowRows, *others: bytes | str) -> bytes:
    """A hash that is the same for the same rows (and `others`) and for no other ones."""
    return hashlib.sha256(_ENCODER.encode((rows, others))).digest()


_ENCODER = msgspec.msgpack.Encoder(enc_hook=tuple)


def _artworks(session: Session, show_id: str) -> Mapping[str | None, ArtworkRow]:
    used = select(_EPISODES.artwork_id).where(_EPISODES.show_id == show_id)
    credited = select(_CREDITS.artwork_id).where(_CREDITS.show_id == show_id)
    wanted = select(*_OF_ARTWORK).where(_ARTWORK.id.in_(used.union(credited)))
    return {row[0]: ArtworkRow._make(row) for row in _read(session, wanted)}


def _credits(
    session: Session, show_id: str, artworks: Mapping[str | None, ArtworkRow]
) -> Mapping[str | None, list[CreditRow]]:
    """By episode; those of the show itself by None."""
    found = defaultdict[str | None, list[CreditRow]](list)
    wanted = (
        select(*_OF_CREDIT)
        .where(_CREDITS.show_id == show_id)
        .order_by(_CREDITS.episode_id, _CREDITS.position)
    )
    for row in _read(session, wanted):
        credit = CreditRow._make([*row[:-1], artworks.get(row[-1])])
        found[credit.episode_id].append(credit)
    return found


def _of_episodes(
    session: Session,
    is_out: Iterable[ColumnElement[bool]],
    columns: Sequence[ColumnElement[Any]],
    order: ColumnElement[Any],
    *conditions: ColumnElement[bool],
    make: Callable[[Row[Any]], Any] = lambda row: row,
) -> Mapping[str, list[Any]]:
    """The rows of another table by their episode, which is the first of the columns."""
    found = defaultdict[str, list[Any]](list)
    wanted = (
        select(*columns)
        .join(cast(Table, Episode.__table__), _EPISODES.id == columns[0])
        .where(*is_out, *conditions)
        # As the index has them: sorting 40,000 rows takes as long as reading them.
        .order_by(columns[0], order)
    )
    for row in _read(session, wanted):
        found[row[0]].append(make(row))
    return found


def _read(session: Session, wanted: Select[Any]) -> Iterator[Row[Any]]:
    # All at once would be more for Python's collector to look at, each by itself takes longer.
    for rows in session.connection().execute(wanted).partitions(500):
        yield from rows
