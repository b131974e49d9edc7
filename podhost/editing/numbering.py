"""Which season and number an episode would have next, by those that the show has; it sets none."""

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podhost.models import Episode


class Numbers(msgspec.Struct, kw_only=True):
    """A season and a number; null where the show does not count them."""

    season: int | None
    number: int | None


def suggest_numbers(session: Session, episode: Episode) -> Numbers:
    """What comes after the show's other episodes: the newest season, and in the episode's season
    (the newest, if it has none) the number after the highest one.

    A trailer or a bonus gets no number, because apps count full episodes (Apple).
    """
    of_show = (
        Episode.show_id == episode.show_id,
        Episode.id != episode.id,
        Episode.deleted_at.is_(None),
    )
    newest = session.scalar(select(func.max(Episode.season)).where(*of_show))
    season = episode.season or newest
    highest = session.scalar(
        select(func.max(Episode.number)).where(*of_show, Episode.season == season)
    )
    if highest is None and session.scalar(select(func.max(Episode.number)).where(*of_show)):
        # The first one of a new season.
        highest = 0
    is_counted = highest is not None and episode.episode_type == "full"
    return Numbers(
        season=newest, number=highest + 1 if is_counted and highest is not None else None
    )
