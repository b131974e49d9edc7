"""What stands on the first page about each show: a few numbers, read as columns."""

from collections.abc import Container, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podhost.models import Episode, Show


class ShowSummary(NamedTuple):
    """One show with how many episodes it has in each state, and what comes next."""

    show: Show
    published: int
    scheduled: int
    drafts: int
    next_at: datetime | None
    may_edit: bool


def show_summaries(
    session: Session, shows: Sequence[Show], *, editable: Container[str], now: datetime
) -> list[ShowSummary]:
    """The summaries of these shows, in their order; `editable` has the ids of those whose episodes
    the reader may change."""
    counts: dict[tuple[str, str], int] = {}
    next_at: dict[str, datetime] = {}
    rows = session.execute(
        select(Episode.show_id, Episode.status, func.count(), func.min(Episode.published_at))
        .where(Episode.show_id.in_([show.id for show in shows]), Episode.deleted_at.is_(None))
        .group_by(Episode.show_id, Episode.status)
    )
    for show_id, status, count, first_at in rows:
        counts[show_id, status] = count
        if status == "scheduled" and first_at is not None and first_at > now:
            next_at[show_id] = first_at
    return [
        ShowSummary(
            show,
            counts.get((show.id, "published"), 0),
            counts.get((show.id, "scheduled"), 0),
            counts.get((show.id, "draft"), 0),
            next_at.get(show.id),
            show.id in editable,
        )
        for show in shows
    ]
