"""A page of a show's episodes as programs list them, and whether one is still right: in columns.

Making an object of every row would take four times as long; nothing here changes a row.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from podhost.models import Artwork, Audio, Change, Credit, Episode, Show, Transcript

_EPISODE = Episode.__table__.c
_AUDIO = Audio.__table__.c
_CREDIT = Credit.__table__.c
_ARTWORK = Artwork.__table__.c
_TRANSCRIPT = Transcript.__table__.c


class ListedEpisode(NamedTuple):
    """Rows with the columns of Episode, Audio (or None), Credit and Transcript.

    `pictures` has the artwork of the page's episodes and credits, by its id.
    """

    episode: Any
    audio: Any
    credits: Sequence[Any]
    transcripts: Sequence[Any]
    pictures: dict[str, Any]


# The page is chosen by ids alone: sorting whole rows would carry all notes along.
_CHOSEN = (
    select(_EPISODE.id)
    .where(_EPISODE.show_id == bindparam("show_id"), _EPISODE.deleted_at.is_(None))
    .order_by(func.coalesce(_EPISODE.published_at, _EPISODE.created_at).desc(), _EPISODE.id)
)
# Without the HTML of the notes, which no program is told.
_EPISODES = select(
    *(column for column in Episode.__table__.columns if column.key != "notes_html")
).where(_EPISODE.id.in_(bindparam("ids", expanding=True)))
# Without the tags, which are long.
_AUDIOS = select(*(column for column in Audio.__table__.columns if column.key != "tags")).where(
    _AUDIO.episode_id.in_(bindparam("ids", expanding=True)), _AUDIO.replaced_at.is_(None)
)
_CREDITS = (
    select(
        _CREDIT.episode_id,
        _CREDIT.name,
        _CREDIT.role,
        _CREDIT.credit_group.label("group"),
        _CREDIT.url,
        _CREDIT.bio,
        _CREDIT.image_url,
        _CREDIT.artwork_id,
        _CREDIT.links,
    )
    .where(_CREDIT.episode_id.in_(bindparam("ids", expanding=True)))
    .order_by(_CREDIT.position)
)
_TRANSCRIPTS = (
    select(
        _TRANSCRIPT.id,
        _TRANSCRIPT.episode_id,
        _TRANSCRIPT.extension,
        _TRANSCRIPT.mime_type,
        _TRANSCRIPT.language,
        _TRANSCRIPT.source_sha256,
    )
    .where(_TRANSCRIPT.episode_id.in_(bindparam("ids", expanding=True)))
    .order_by(_TRANSCRIPT.position)
)
_PICTURES = select(_ARTWORK.id, _ARTWORK.sizes).where(
    _ARTWORK.id.in_(bindparam("ids", expanding=True))
)


# Beyond it, looking through the changes is no cheaper than the page.
_MOST_CHANGES = 100
_CHANGE = Change.__table__.c
_CHANGES = select(_CHANGE.topic, _CHANGE.key).where(_CHANGE.seq > bindparam("after"))
_IS_OF_SHOW = (
    select(_EPISODE.id)
    .where(
        _EPISODE.show_id == bindparam("show_id"),
        _EPISODE.id.in_(bindparam("ids", expanding=True)),
    )
    .limit(1)
)


def list_page(
    session: Session, show: Show, *, status: str | None = None, limit: int, offset: int = 0
) -> list[ListedEpisode]:
    """The show's episodes, newest first, as `episodes.list_episodes` has them."""
    chosen = _CHOSEN.limit(limit).offset(offset)
    if status is not None:
        chosen = chosen.where(_EPISODE.status == status)
    ids = session.scalars(chosen, {"show_id": show.id}).all()
    if not ids:
        return []
    episodes = {row.id: row for row in session.execute(_EPISODES, {"ids": ids})}
    audio = {row.episode_id: row for row in session.execute(_AUDIOS, {"ids": ids})}
    credits = _by_episode(session.execute(_CREDITS, {"ids": ids}).all())
    transcripts = _by_episode(session.execute(_TRANSCRIPTS, {"ids": ids}).all())
    held = {row.artwork_id for row in episodes.values()}
    held.update(row.artwork_id for rows in credits.values() for row in rows)
    pictures = _pictures(session, [artwork_id for artwork_id in held if artwork_id is not None])
    return [
        ListedEpisode(
            episodes[key], audio.get(key), credits.get(key, ()), transcripts.get(key, ()), pictures
        )
        for key in ids
    ]


def is_unchanged(session: Session, show_id: str, *, after: int, until: int) -> bool:
    """Whether no change with a number above `after`, up to `until` at least, concerns what is
    told of this show; False also where that cannot be known.

    The change of any show's own row does, because a slug may have passed from one to another.
    """
    if not 0 <= until - after <= _MOST_CHANGES:
        return False
    changes = session.execute(_CHANGES, {"after": after}).all()
    # Numbers have no gaps, but old ones are forgotten one day.
    is_whole = len(changes) >= until - after
    if not is_whole or any(topic == "show" for topic, _ in changes):
        return False
    ids = list({key for topic, key in changes if topic == "episode"})
    return not ids or session.scalar(_IS_OF_SHOW, {"show_id": show_id, "ids": ids}) is None


def _by_episode(rows: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.episode_id, []).append(row)
    return found


def _pictures(session: Session, ids: list[str]) -> dict[str, Any]:
    if not ids:
        return {}
    return {row.id: row for row in session.execute(_PICTURES, {"ids": ids})}
