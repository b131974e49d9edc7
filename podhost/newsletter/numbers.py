"""How many read a newsletter, and how that grew; it names nobody."""

from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from podhost.models import Show, Subscriber
from podhost.newsletter.subscribers import STATUSES

_MONTHS = 12
_MONTH_CHARS = len("2026-03")


class Month(msgspec.Struct, kw_only=True):
    """One month (UTC): how many confirmed in it, how many left or were refused, and how many
    readers there were at its end."""

    month: str
    joined: int
    left: int
    readers: int


class Readers(NamedTuple):
    """How many there are in each status."""

    confirmed: int
    waiting: int
    gone: int
    refused: int


def count_readers(session: Session, show: Show) -> Readers:
    """How many there are now."""
    rows = session.execute(
        select(Subscriber.status, func.count())
        .where(Subscriber.show_id == show.id)
        .group_by(Subscriber.status)
    )
    found = dict.fromkeys(STATUSES, 0) | {status: count for status, count in rows}
    return Readers(**found)


def growth(session: Session, show: Show, *, now: datetime) -> list[Month]:
    """The last twelve months, oldest first."""
    joined = _by_month(session, show, Subscriber.confirmed_at)
    left = _by_month(session, show, Subscriber.ended_at)
    months = _last_months(now)
    before = [month for month in joined.keys() | left.keys() if month < months[0]]
    readers = sum(joined.get(month, 0) - left.get(month, 0) for month in before)
    told = []
    for month in months:
        readers += joined.get(month, 0) - left.get(month, 0)
        told.append(
            Month(
                month=month,
                joined=joined.get(month, 0),
                left=left.get(month, 0),
                readers=readers,
            )
        )
    return told


def _by_month(
    session: Session, show: Show, moment: InstrumentedAttribute[datetime | None]
) -> dict[str, int]:
    """Both databases write a moment beginning with its year and its month."""
    month = func.substr(cast(moment, String), 1, _MONTH_CHARS)
    rows = session.execute(
        select(month, func.count())
        # Who never confirmed was no reader and cannot leave.
        .where(
            Subscriber.show_id == show.id,
            moment.is_not(None),
            Subscriber.confirmed_at.is_not(None),
        )
        .group_by(month)
    )
    return {name: count for name, count in rows}


def _last_months(now: datetime) -> list[str]:
    last = now.year * 12 + now.month - 1
    numbers = range(last - _MONTHS + 1, last + 1)
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in numbers]
