"""What the world may see: publish, schedule, withdraw and delete an episode.

draft -> scheduled -> published -> withdrawn -> published again. The date of what was out once
does not change: apps sort by it and would announce the episode anew.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.audio.tagging import WRITE_TAGS, wants_tags
from podhost.changes import record_change
from podhost.editing.versions import note_edit
from podhost.episodes import episode_problems, touch_episode
from podhost.errors import Conflict, Invalid
from podhost.fields import UNUSUAL_YEAR, is_usual_year
from podhost.jobs import enqueue
from podhost.models import Episode, Show
from podhost.people import publish_credits
from podhost.shows import touch_show

PUBLISH_EPISODE = "publish_episode"


def publish_episode(
    session: Session, episode: Episode, *, now: datetime, at: datetime | None = None
) -> None:
    """Publish now, or at the time `at` (aware): a time that has come means now, dated then.

    What was published before keeps its date; only what was withdrawn can get another one by
    naming it. Raises Invalid with what is missing or wrong, Conflict for another time of what is
    out.

    Where tags are to be written into the audio first, the episode is scheduled until they are.
    """
    _require_publishable(episode)
    if at is not None and not is_usual_year(at):
        raise Invalid(f"at: {UNUSUAL_YEAR}", {"at": UNUSUAL_YEAR})
    if episode.status == "published":
        if at in (None, episode.published_at):
            # It is out already: nothing changes, so nothing is rendered.
            return
        raise Conflict(
            "The episode is published already and keeps its date, because apps sort by it; "
            "withdraw it before giving it another time."
        )
    if at is not None and at > now:
        episode.status, episode.published_at = "scheduled", at
        enqueue(session, PUBLISH_EPISODE, episode.id, now=now, run_at=at)
    elif wants_tags(episode):
        # Out as soon as the job is done, so that no listener gets two files.
        episode.status, episode.published_at = "scheduled", at or now
        enqueue(session, WRITE_TAGS, episode.id, now=now, run_at=now)
    else:
        was_out = episode.status == "withdrawn" and episode.published_at is not None
        if not was_out or at is not None:
            episode.published_at = _free_second(session, episode, at or now)
        episode.status = "published"
        publish_credits(session, [episode.id], is_new=not was_out)
    touch_episode(session, episode, now=now)


def publish_together(
    session: Session, show: Show, dated: Iterable[tuple[Episode, datetime]], *, now: datetime
) -> dict[str, str]:
    """Publish drafts that were out elsewhere, all at once, each at its own time (aware).

    Those whose time is still to come are scheduled. Gives back, by the id of the episode, why one
    stays a draft.
    """
    taken = set(
        session.scalars(
            select(Episode.published_at).where(
                Episode.show_id == show.id, Episode.status.in_(("published", "withdrawn"))
            )
        )
    )
    refused: dict[str, str] = {}
    published: list[str] = []
    for episode, at in dated:
        problems = episode_problems(episode) or ([] if is_usual_year(at) else [UNUSUAL_YEAR])
        if problems:
            refused[episode.id] = problems[0]
            continue
        if at > now:
            episode.status, episode.published_at = "scheduled", at
            enqueue(session, PUBLISH_EPISODE, episode.id, now=now, run_at=at)
        else:
            moment = at.replace(microsecond=0)
            while moment in taken:
                moment += timedelta(seconds=1)
            taken.add(moment)
            episode.status, episode.published_at = "published", moment
        episode.changed_at = now
        note_edit(session, episode, now=now)
        published.append(episode.id)
    publish_credits(session, published)
    touch_show(session, show, now=now)
    # Last, because others wait for the one who has begun to note changes.
    for episode_id in published:
        record_change(session, "episode", episode_id, now=now)
    return refused


def publish_due_episode(
    session: Session, episode: Episode, *, now: datetime, with_tags: bool = False
) -> bool:
    """Publish a scheduled episode whose time has come; False when it is not due (any more).

    It is not published either where tags are to be written into its audio first, which is enqueued;
    `with_tags` says that this was tried.
    """
    if episode.status != "scheduled" or episode.deleted_at is not None:
        return False
    if episode.published_at is None or episode.published_at > now:
        return False
    if not with_tags and wants_tags(episode):
        enqueue(session, WRITE_TAGS, episode.id, now=now, run_at=now)
        return False
    episode.published_at = _free_second(session, episode, episode.published_at)
    episode.status = "published"
    publish_credits(session, [episode.id])
    touch_episode(session, episode, now=now)
    return True


def keep_withdrawn(session: Session, episode: Episode, *, at: datetime, now: datetime) -> None:
    """Make a new draft what it was elsewhere: out at the time `at`, and withdrawn since.

    Its date stays taken, and is the one with which it is published again.
    """
    if episode.status != "draft" or episode.published_at is not None:
        raise Conflict("Only a new draft can have been published elsewhere.")
    episode.published_at = _free_second(session, episode, at)
    episode.status = "withdrawn"
    record_change(session, "episode", episode.id, now=now)


def withdraw_episode(session: Session, episode: Episode, *, now: datetime) -> None:
    """Take the episode out of the feed; a scheduled one becomes a draft again."""
    if episode.status == "scheduled":
        episode.status, episode.published_at = "draft", None
    elif episode.status == "published":
        episode.status = "withdrawn"
    else:
        raise Conflict("Only a published or a scheduled episode can be withdrawn.")
    touch_episode(session, episode, now=now)


def delete_episode(session: Session, episode: Episode, *, now: datetime) -> None:
    """Delete the episode; its guid stays used, its addresses answer 410."""
    episode.deleted_at = now
    touch_episode(session, episode, now=now)


def _require_publishable(episode: Episode) -> None:
    problems = episode_problems(episode)
    if problems:
        raise Invalid(problems[0], {"audio": problems[0]})


def _free_second(session: Session, episode: Episode, wanted: datetime) -> datetime:
    """Two episodes of a show never share a second: apps sort by it.

    The later one is dated later, if need be some seconds ahead of the clock: the date of the
    earlier one is out and cannot be moved back.
    """
    moment = wanted.replace(microsecond=0)
    taken = select(Episode.id).where(
        Episode.show_id == episode.show_id,
        Episode.id != episode.id,
        Episode.status.in_(("published", "withdrawn")),
    )
    while session.scalar(taken.where(Episode.published_at == moment).limit(1)) is not None:
        moment += timedelta(seconds=1)
    return moment
