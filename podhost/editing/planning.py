"""When episodes come out: moving one to another day, in the show's own time zone."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from podhost.editing.overviews import usual_time
from podhost.episodes.publishing import publish_episode
from podhost.errors import Conflict, Invalid
from podhost.fields import moment
from podhost.models import Episode, Show

# Where a show has published nothing yet.
_MORNING = time(6, 0)


def plan_episode(
    session: Session, episode: Episode, day: str, at: str | None = None, *, now: datetime
) -> datetime:
    """Have a draft or a scheduled episode published on a day (2026-03-05) of the show's zone.

    `at` is the time of day (09:00); without it, the one that it had, or the show's usual one.
    Raises Invalid with a sentence for what is no day or has passed, Conflict for what is out.
    """
    if episode.status not in ("draft", "scheduled"):
        raise Conflict(
            "What is out keeps its date, because apps sort by it; only a draft or a scheduled "
            "episode can be moved to another day."
        )
    wanted = _day(day)
    clock = _time(at) if at else usual_clock(session, episode)
    planned = moment(f"{wanted}T{clock.strftime('%H:%M:%S')}", episode.show.time_zone)
    if planned <= now:
        sentence = "This time has passed; choose a later one, or publish the episode now."
        raise Invalid(f"day: {sentence}", {"day": sentence})
    publish_episode(session, episode, now=now, at=planned)
    return planned


def usual_clock(session: Session, episode: Episode) -> time:
    """The time of day at which the episode comes out, or would."""
    at = episode.published_at or usual_time(session, episode.show)
    return _local(episode.show, at).time().replace(microsecond=0) if at is not None else _MORNING


def _local(show: Show, at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(show.time_zone))


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value.strip())
    except ValueError:
        sentence = "It must be a day such as 2026-03-05."
        raise Invalid(f"day: {sentence}", {"day": sentence}) from None


def _time(value: str) -> time:
    try:
        return time.fromisoformat(value.strip()).replace(tzinfo=None)
    except ValueError:
        sentence = "It must be a time of day such as 09:00."
        raise Invalid(f"time: {sentence}", {"time": sentence}) from None
