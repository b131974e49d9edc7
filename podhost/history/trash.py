"""The trash: what was deleted, for how long it can come back, and bringing it back as it was."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.changes import record_change
from podhost.episodes import touch_episode
from podhost.episodes.publishing import PUBLISH_EPISODE, delete_episode
from podhost.errors import Conflict, Gone, NotFound
from podhost.jobs import enqueue
from podhost.models import Audio, Episode, Show
from podhost.shows import delete_show, find_show, touch_show

TRASH_KEPT = timedelta(days=30)


def list_deleted_episodes(session: Session, show: Show, *, now: datetime) -> Sequence[Episode]:
    """The show's episodes that can come back, last deleted first."""
    return session.scalars(
        select(Episode)
        .where(Episode.show_id == show.id, Episode.deleted_at > now - TRASH_KEPT)
        .order_by(Episode.deleted_at.desc(), Episode.id)
    ).all()


def list_deleted_shows(session: Session, *, now: datetime) -> Sequence[Show]:
    """The shows that can come back, last deleted first."""
    return session.scalars(
        select(Show)
        .where(Show.deleted_at > now - TRASH_KEPT)
        .order_by(Show.deleted_at.desc(), Show.id)
    ).all()


def get_deleted_episode(session: Session, show: Show, key: str) -> Episode:
    """The deleted episode with this id. Raises NotFound."""
    episode = session.scalar(select(Episode).where(Episode.show_id == show.id, Episode.id == key))
    if episode is None:
        raise NotFound(f"The show {show.slug!r} has no episode {key!r}.")
    return episode


def get_deleted_show(session: Session, slug: str) -> Show:
    """The deleted show with this slug. Raises NotFound."""
    show = find_show(session, slug)
    if show is None:
        raise NotFound(f"There is no show {slug!r} here.")
    return show


def kept_until(row: Episode | Show) -> datetime | None:
    """Until when what was deleted can come back; None: it is not deleted."""
    return row.deleted_at + TRASH_KEPT if row.deleted_at is not None else None


def restore(session: Session, row: Episode | Show, *, now: datetime) -> list[str]:
    """Bring a deleted episode or show back as it was: the same guid, the same addresses.

    Gives back, in sentences, what is otherwise. Raises Conflict where it is not deleted, Gone
    where its files are removed.
    """
    until = kept_until(row)
    if until is None:
        raise Conflict("It is not in the trash.")
    if until <= now or _is_purged(session, row):
        raise Gone("It was deleted more than 30 days ago, and its files are removed.")
    row.deleted_at = None
    if isinstance(row, Show):
        touch_show(session, row, now=now)
        record_change(session, "show", row.id, now=now)
        return []
    warnings = _keep_for_later(session, row, now=now)
    touch_episode(session, row, now=now)
    return warnings


def delete_again(session: Session, row: Episode | Show, *, now: datetime) -> None:
    """Delete it, as somebody did before."""
    if isinstance(row, Show):
        delete_show(session, row, now=now)
    else:
        delete_episode(session, row, now=now)


def _keep_for_later(session: Session, episode: Episode, *, now: datetime) -> list[str]:
    """What was to be published meanwhile is not published by surprise."""
    if episode.status != "scheduled" or episode.published_at is None:
        return []
    if episode.published_at > now:
        enqueue(session, PUBLISH_EPISODE, episode.id, now=now, run_at=episode.published_at)
        return []
    episode.status, episode.published_at = "draft", None
    return ["The time for which it was scheduled has passed; it is a draft now."]


def _is_purged(session: Session, row: Episode | Show) -> bool:
    """Whether the clean-up has removed audio, which it may do by another clock than ours."""
    if isinstance(row, Show):
        return False
    current = select(Audio.purged_at).where(Audio.episode_id == row.id, Audio.replaced_at.is_(None))
    return session.scalar(current) is not None
