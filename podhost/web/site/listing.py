"""What lists of episodes show of each, read as columns; published ones only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session, aliased

from podhost.formats.markdown import notes_line, truncate_html
from podhost.models import Artwork, Audio, Credit, Episode, Person, Show
from podhost.web.site.frame import shortened

_SUMMARY_CHARS = 240
_EPISODE, _AUDIO = Episode.__table__.c, Audio.__table__.c
_CARD = (
    *(_EPISODE.id, _EPISODE.slug, _EPISODE.title, _EPISODE.notes_html, _EPISODE.published_at),
    *(_EPISODE.season, _EPISODE.season_name, _EPISODE.number, _EPISODE.episode_type),
    *(_EPISODE.explicit, _EPISODE.artwork_id, _AUDIO.duration_ms),
)
_NEWEST_FIRST = (_EPISODE.published_at.desc(), _EPISODE.id)


class EpisodeCard(NamedTuple):
    """An episode as lists show it; `picture` is a row of its own artwork, or None."""

    id: str
    slug: str
    title: str
    summary: str
    published_at: datetime
    duration_ms: int | None
    season: int | None
    season_name: str | None
    number: int | None
    episode_type: str
    explicit: bool
    guests: Sequence[str]
    picture: Any


def is_public(show_id: str) -> tuple[ColumnElement[bool], ...]:
    """What every episode of a list must be."""
    return (
        _EPISODE.show_id == show_id,
        _EPISODE.status == "published",
        _EPISODE.deleted_at.is_(None),
    )


def count_episodes(session: Session, show_id: str, *conditions: ColumnElement[bool]) -> int:
    """How many published episodes there are, of those that fit."""
    found = select(func.count(_EPISODE.id)).where(*is_public(show_id), *conditions)
    return session.scalar(found) or 0


def list_episodes(
    session: Session,
    show: Show,
    *conditions: ColumnElement[bool],
    limit: int,
    offset: int = 0,
) -> list[EpisodeCard]:
    """The published episodes that fit, newest first; in four queries however many they are."""
    # The ids first, which an index has: rows that are only passed by are not read.
    ids = session.scalars(
        select(_EPISODE.id)
        .where(*is_public(show.id), *conditions)
        .order_by(*_NEWEST_FIRST)
        .limit(limit)
        .offset(offset)
    ).all()
    rows = _rows_of(session, ids)
    pictures = read_pictures(session, [row.artwork_id for row in rows])
    guests = _guests_of(session, [row.id for row in rows])
    return [
        EpisodeCard(
            id=row.id,
            slug=row.slug,
            title=row.title,
            summary=summary(row.notes_html),
            published_at=row.published_at,
            duration_ms=row.duration_ms,
            season=row.season,
            season_name=row.season_name,
            number=row.number,
            episode_type=row.episode_type,
            explicit=show.explicit if row.explicit is None else row.explicit,
            guests=guests.get(row.id, []),
            picture=pictures.get(row.artwork_id),
        )
        for row in rows
    ]


def _rows_of(session: Session, ids: Sequence[str]) -> Sequence[Any]:
    if not ids:
        return []
    return session.execute(
        select(*_CARD)
        .outerjoin_from(
            Episode.__table__,
            Audio.__table__,
            (_AUDIO.episode_id == _EPISODE.id) & _AUDIO.replaced_at.is_(None),
        )
        .where(_EPISODE.id.in_(ids))
        .order_by(*_NEWEST_FIRST)
    ).all()


def public_ids(show_id: str) -> Select[Any]:
    """The ids of the published episodes, for conditions."""
    return select(_EPISODE.id).where(*is_public(show_id))


def with_person(show_id: str, person_id: str) -> ColumnElement[bool]:
    """The episodes in which somebody is credited, under whatever spelling."""
    credited = select(Credit.episode_id).where(
        Credit.show_id == show_id,
        Credit.episode_id.is_not(None),
        Credit.person_id.in_(_spellings(person_id)),
    )
    return _EPISODE.id.in_(credited)


def without_own_host(show_id: str) -> ColumnElement[bool]:
    """The episodes on whose pages the show's own people stand: feeds.rendering.episode_people."""
    hosted = select(Credit.episode_id).where(
        Credit.show_id == show_id, Credit.role == "host", Credit.episode_id.is_not(None)
    )
    return _EPISODE.id.not_in(hosted)


def is_of_show(session: Session, show_id: str, person_id: str) -> bool:
    """Whether the show itself names somebody, as it does its hosts."""
    named = exists().where(
        Credit.show_id == show_id,
        Credit.episode_id.is_(None),
        Credit.person_id.in_(_spellings(person_id)),
    )
    return bool(session.scalar(select(named)))


def _spellings(person_id: str) -> Select[Any]:
    return select(Person.id).where((Person.id == person_id) | (Person.merged_into_id == person_id))


class Credited(NamedTuple):
    """Somebody as an episode or the show names them; `slug` is that of their page."""

    slug: str
    name: str
    role: str
    bio: str
    url: str | None
    links: Sequence[dict[str, str]]
    picture: Any


def credited(session: Session, credits: Sequence[Credit]) -> list[Credited]:
    """The people of these credits, each with the page of whoever it is, in one query."""
    main = aliased(Person)
    rows = session.execute(
        select(Person.id, main.slug)
        .join(main, main.id == func.coalesce(Person.merged_into_id, Person.id))
        .where(Person.id.in_({credit.person_id for credit in credits}))
    )
    slugs = {person_id: slug for person_id, slug in rows}
    return [
        Credited(
            slug=slugs[credit.person_id],
            name=credit.name,
            role=credit.role,
            bio=credit.bio,
            url=credit.url,
            links=credit.links or (),
            picture=credit.artwork,
        )
        for credit in credits
    ]


def read_pictures(session: Session, ids: Sequence[str | None]) -> dict[str | None, Any]:
    """The pictures with these ids: id, sizes, width and height of each."""
    wanted = {each for each in ids if each is not None}
    if not wanted:
        return {}
    columns = (Artwork.id, Artwork.sizes, Artwork.width, Artwork.height)
    rows = session.execute(select(*columns).where(Artwork.id.in_(wanted)))
    return {row.id: row for row in rows}


def summary(notes_html: str) -> str:
    """How the notes begin, as plain text on one line."""
    # They may be long; the first few lines are enough.
    beginning = notes_line(truncate_html(notes_html, 4 * _SUMMARY_CHARS))
    return shortened(beginning, _SUMMARY_CHARS)


def _guests_of(session: Session, episode_ids: Sequence[str]) -> dict[str, list[str]]:
    if not episode_ids:
        return {}
    main = aliased(Person)
    rows = session.execute(
        select(Credit.episode_id, main.name)
        .join(Person, Person.id == Credit.person_id)
        .join(main, main.id == func.coalesce(Person.merged_into_id, Person.id))
        .where(Credit.episode_id.in_(episode_ids), Credit.role == "guest")
        .order_by(Credit.position)
    )
    guests: dict[str, list[str]] = {}
    for episode_id, name in rows:
        guests.setdefault(str(episode_id), []).append(name)
    return guests
