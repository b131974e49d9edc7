"""The episodes of a show at a glance, for whoever looks after them: what each still lacks.

Read as columns in a few queries, however many there are; nothing here changes a row.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session

from podhost.history.trash import TRASH_KEPT
from podhost.models import Artwork, Audio, Credit, Episode, Show, Transcript

# Of whole shows, beside the statuses.
ALL, TRASH = "all", "trash"
STATES = (ALL, "draft", "scheduled", "published", "withdrawn", TRASH)
SORTS = ("newest", "oldest", "title", "number", "changed")
# In the order in which they are told; the first two keep an episode from being published.
LACKS = ("audio", "playable_audio", "notes", "guests", "chapters", "transcript", "artwork")
NEEDED = frozenset(LACKS[:2])
# What has a day in the calendar.
_DATED = ("scheduled", "published", "withdrawn")


class EpisodeGlance(NamedTuple):
    """One episode; `lacks` are words of LACKS, `warnings` says how many there are of its audio."""

    id: str
    slug: str
    title: str
    status: str
    season: int | None
    number: int | None
    episode_type: str
    published_at: datetime | None
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None
    duration_ms: int | None
    # The columns of Artwork that its address needs: its own, or that of the show.
    artwork: Any
    lacks: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def kept_until(self) -> datetime | None:
        """Until when it can come back from the trash."""
        return self.deleted_at + TRASH_KEPT if self.deleted_at is not None else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which episodes are asked for; `words` are looked for in title, number and people."""

    state: str = ALL
    words: str = ""
    season: int | None = None
    lacks: str | None = None
    sort: str = "newest"


class Page(NamedTuple):
    """Some of the episodes that were asked for, and how many there are of them."""

    episodes: Sequence[EpisodeGlance]
    total: int


def list_glances(
    session: Session, show: Show, wanted: Wanted, *, now: datetime, limit: int, offset: int = 0
) -> Page:
    """A page of the show's episodes."""
    chosen = _chosen(show, wanted, now)
    if wanted.words:
        ids = _found(session, show, chosen, fold(wanted.words))
        total, ids = len(ids), ids[offset : offset + limit]
    else:
        total = (
            session.scalar(select(func.count()).select_from(chosen.order_by(None).subquery())) or 0
        )
        ids = [row.id for row in session.execute(chosen.limit(limit).offset(offset))]
    return Page(read_glances(session, show, ids), total)


def count_states(session: Session, show: Show, *, now: datetime) -> dict[str, int]:
    """How many episodes stand under each of STATES."""
    counts = dict.fromkeys(STATES, 0)
    is_deleted = Episode.deleted_at.is_not(None)
    rows = session.execute(
        select(Episode.status, is_deleted, func.count())
        .where(
            Episode.show_id == show.id,
            or_(Episode.deleted_at.is_(None), Episode.deleted_at > now - TRASH_KEPT),
        )
        .group_by(Episode.status, is_deleted)
    )
    for status, deleted, count in rows:
        if deleted:
            counts[TRASH] += count
        else:
            counts[status] += count
            counts[ALL] += count
    return counts


def list_seasons(session: Session, show: Show) -> Sequence[int]:
    """The numbers of its seasons, newest first."""
    return [
        season
        for season in session.scalars(
            select(Episode.season)
            .where(Episode.show_id == show.id, Episode.season.is_not(None))
            .distinct()
            .order_by(Episode.season.desc())
        )
        if season is not None
    ]


def fold(text: str) -> str:
    """Text by which people find things: case, accents and white space do not count."""
    plain = text.casefold()
    if not plain.isascii():
        decomposed = unicodedata.normalize("NFKD", plain)
        plain = "".join(one for one in decomposed if not unicodedata.combining(one))
    return " ".join(plain.split())


# Which ones


def _chosen(show: Show, wanted: Wanted, now: datetime) -> Select[Any]:
    statement: Any = select(Episode.id, Episode.title, Episode.number).where(
        Episode.show_id == show.id
    )
    if wanted.state == TRASH:
        statement = statement.where(Episode.deleted_at > now - TRASH_KEPT)
    else:
        statement = statement.where(Episode.deleted_at.is_(None))
        if wanted.state != ALL:
            statement = statement.where(Episode.status == wanted.state)
    if wanted.season is not None:
        statement = statement.where(Episode.season == wanted.season)
    if wanted.lacks in LACKS:
        statement = statement.where(_lacking(show)[wanted.lacks])
    ordered: Select[Any] = statement.order_by(*_order(wanted))
    return ordered


def _order(wanted: Wanted) -> Sequence[Any]:
    at = func.coalesce(Episode.published_at, Episode.created_at)
    orders: dict[str, Sequence[Any]] = {
        "newest": (at.desc(),),
        "oldest": (at,),
        "title": (func.lower(Episode.title),),
        # Those without a number come last, on both databases.
        "number": (
            Episode.number.is_(None),
            func.coalesce(Episode.season, 0).desc(),
            Episode.number.desc(),
        ),
        "changed": (Episode.changed_at.desc(),),
    }
    if wanted.state == TRASH and wanted.sort == "newest":
        return (Episode.deleted_at.desc(), Episode.id)
    return (*orders.get(wanted.sort, orders["newest"]), Episode.id)


def _found(session: Session, show: Show, chosen: Select[Any], words: str) -> list[str]:
    """The ids of those whose title, number or people have all the words; neither database folds
    accents alike, so it is done here: two thousand titles take some milliseconds."""
    names: dict[str, list[str]] = {}
    credits = select(Credit.episode_id, Credit.name).where(
        Credit.show_id == show.id, Credit.episode_id.is_not(None)
    )
    for episode_id, name in session.execute(credits):
        names.setdefault(episode_id or "", []).append(name)
    parts = words.split()
    found = []
    for row in session.execute(chosen):
        number = f" {row.number} #{row.number}" if row.number is not None else ""
        text = fold(" ".join([row.title + number, *names.get(row.id, ())]))
        if all(part in text for part in parts):
            found.append(row.id)
    return found


# What they say


def read_glances(session: Session, show: Show, ids: Sequence[str]) -> list[EpisodeGlance]:
    """These episodes, in this order."""
    if not ids:
        return []
    lacking = _lacking(show)
    unusual = _unusual(session, show)
    rows = {
        row.id: row
        for row in session.execute(
            select(
                Episode.id,
                Episode.slug,
                Episode.title,
                Episode.status,
                Episode.season,
                Episode.number,
                Episode.episode_type,
                Episode.published_at,
                Episode.created_at,
                Episode.changed_at,
                Episode.deleted_at,
                Episode.artwork_id,
                Audio.duration_ms,
                Audio.warnings,
                Audio.tagging_problem,
                *(case((lacking[name], 1), else_=0).label(f"lacks_{name}") for name in LACKS),
            )
            .outerjoin(Audio, and_(Audio.episode_id == Episode.id, Audio.replaced_at.is_(None)))
            .where(Episode.id.in_(ids))
        )
    }
    pictures = _pictures(session, {row.artwork_id for row in rows.values()} | {show.artwork_id})
    shared = pictures.get(show.artwork_id or "")
    return [
        _glance(rows[key], pictures.get(rows[key].artwork_id, shared), unusual)
        for key in ids
        if key in rows
    ]


def _glance(row: Any, artwork: Any, unusual: frozenset[str]) -> EpisodeGlance:
    lacks = [name for name in LACKS if row._mapping[f"lacks_{name}"] and name not in unusual]
    return EpisodeGlance(
        row.id,
        row.slug,
        row.title,
        row.status,
        row.season,
        row.number,
        row.episode_type,
        row.published_at,
        row.created_at,
        row.changed_at,
        row.deleted_at,
        row.duration_ms,
        artwork,
        tuple(lacks),
        tuple([*(row.warnings or ()), *filter(None, (row.tagging_problem,))]),
    )


def _lacking(show: Show) -> Mapping[str, ColumnElement[bool]]:
    """For each of LACKS, the condition on an episode that lacks it."""
    current = exists().where(Audio.episode_id == Episode.id, Audio.replaced_at.is_(None))
    guest = exists().where(Credit.episode_id == Episode.id, Credit.role == "guest")
    transcript = exists().where(Transcript.episode_id == Episode.id)
    # Also where the audio is joined to the episode, each looks for itself.
    current, guest, transcript = (one.correlate(Episode) for one in (current, guest, transcript))
    return {
        "audio": ~current,
        "playable_audio": current.where(Audio.problem.is_not(None)),
        "notes": Episode.notes == "",
        "guests": ~guest,
        "chapters": Episode.chapters_changed_at.is_(None),
        "transcript": ~transcript,
        "artwork": Episode.artwork_id.is_(None),
    }


def _unusual(session: Session, show: Show) -> frozenset[str]:
    """What no episode of the show has: who always talks alone lacks nobody."""
    guest = select(Credit.id).where(
        Credit.show_id == show.id, Credit.episode_id.is_not(None), Credit.role == "guest"
    )
    picture = select(Episode.id).where(
        Episode.show_id == show.id, Episode.artwork_id.is_not(None), Episode.deleted_at.is_(None)
    )
    found = {"guests": guest, "artwork": picture}
    return frozenset(
        name for name, query in found.items() if session.scalar(query.limit(1)) is None
    )


def _pictures(session: Session, ids: set[str | None]) -> dict[str, Any]:
    held = [key for key in ids if key is not None]
    if not held:
        return {}
    rows = session.execute(select(Artwork.id, Artwork.sizes).where(Artwork.id.in_(held)))
    return {row.id: row for row in rows}


# By day


def list_between(
    session: Session, show: Show, start: datetime, end: datetime
) -> list[EpisodeGlance]:
    """What is or will be published from `start` until before `end`, in order."""
    ids = session.scalars(
        select(Episode.id)
        .where(
            Episode.show_id == show.id,
            Episode.deleted_at.is_(None),
            Episode.status.in_(_DATED),
            Episode.published_at >= start,
            Episode.published_at < end,
        )
        .order_by(Episode.published_at, Episode.id)
        .limit(1000)
    ).all()
    return read_glances(session, show, ids)


def first_and_last(session: Session, show: Show) -> tuple[datetime | None, datetime | None]:
    """When the show's first episode came out, and when the last one did or will; None: there is
    none."""
    found = session.execute(
        select(func.min(Episode.published_at), func.max(Episode.published_at)).where(
            Episode.show_id == show.id,
            Episode.deleted_at.is_(None),
            Episode.status.in_(_DATED),
        )
    ).one()
    return found[0], found[1]


def usual_time(session: Session, show: Show) -> datetime | None:
    """When the newest episode was published: at that time of day the next one may be."""
    return session.scalar(
        select(func.max(Episode.published_at)).where(
            Episode.show_id == show.id,
            Episode.deleted_at.is_(None),
            Episode.status.in_(("published", "scheduled")),
        )
    )
