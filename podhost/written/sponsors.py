"""Sponsors of a show: who pays for it, on which days, and which episodes' notes say so.

In the notes, a sponsor stands with the episodes that came out on its days. That depends on dates
alone and not on the clock: an episode's part of the feed stays what it is when the days are over.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.changes import record_change
from podhost.db import new_id
from podhost.errors import Conflict, Gone, Invalid, NotFound
from podhost.history.trash import TRASH_KEPT
from podhost.models import Artwork, Show, Sponsor
from podhost.shows import touch_show

MOST_SPONSORS = 200
_NO_NAME = "A sponsor needs a name."
_IN_ORDER = (Sponsor.position, Sponsor.name, Sponsor.id)


class SponsorInput(msgspec.Struct, kw_only=True):
    """What a host may say of a sponsor; fields that are not given stay as they are.

    `starts_on` and `ends_on` are days (2026-03-01) in the show's time zone, the first and the last
    one; null: it has always run, or it runs on. With `in_notes`, the notes of episodes that came
    out on its days name it.
    """

    name: str | UnsetType = UNSET
    url: str | UnsetType | None = UNSET
    text: str | UnsetType = UNSET
    starts_on: str | UnsetType | None = UNSET
    ends_on: str | UnsetType | None = UNSET
    position: int | UnsetType = UNSET
    in_notes: bool | UnsetType = UNSET


def _day(value: str | None) -> str | None:
    if not value or not value.strip():
        return None
    try:
        day = date.fromisoformat(value.strip())
    except ValueError:
        raise ValueError("It must be a day such as 2026-03-01.") from None
    if not 1970 <= day.year <= 2199:
        raise ValueError(fields.UNUSUAL_YEAR)
    return day.isoformat()


def _position(value: int) -> int:
    if not 1 <= value <= 1_000:
        raise ValueError("It must be a whole number from 1 to 1000.")
    return value


_READERS: dict[str, tuple[str, fields.Reader]] = {
    "name": ("name", fields.required_line),
    "url": ("url", fields.web_url),
    "text": ("text", fields.paragraph),
    "starts_on": ("starts_on", _day),
    "ends_on": ("ends_on", _day),
    "position": ("position", _position),
    "in_notes": ("in_notes", fields.as_given),
}


def create_sponsor(
    session: Session,
    show: Show,
    given: SponsorInput,
    *,
    now: datetime,
    sponsor_id: str | None = None,
) -> Sponsor:
    """A new sponsor, last unless a position is given. Raises Invalid with every wrong field."""
    if given.name is UNSET:
        raise Invalid(f"name: {_NO_NAME}", {"name": _NO_NAME})
    held = func.count(), func.coalesce(func.max(Sponsor.position), 0)
    of_show = select(*held).where(Sponsor.show_id == show.id, Sponsor.deleted_at.is_(None))
    count, last = session.execute(of_show).one()
    if count >= MOST_SPONSORS:
        raise Conflict(f"A show may have {MOST_SPONSORS} sponsors; delete one first.")
    sponsor = Sponsor(
        id=sponsor_id or new_id(),
        show_id=show.id,
        name="",
        text="",
        position=min(last + 1, 1_000),
        in_notes=False,
        created_at=now,
        changed_at=now,
    )
    _, errors = fields.apply_given(sponsor, given, _READERS)
    _check_days(sponsor, errors)
    session.add(sponsor)
    session.flush()
    _touch(session, show, sponsor, in_feed=sponsor.in_notes, now=now)
    return sponsor


def change_sponsor(
    session: Session, show: Show, sponsor: Sponsor, given: SponsorInput, *, now: datetime
) -> bool:
    """Change what was given; False when everything was so already. Raises Invalid."""
    was_in_notes = sponsor.in_notes
    changed, errors = fields.apply_given(sponsor, given, _READERS)
    _check_days(sponsor, errors)
    if changed:
        _touch(session, show, sponsor, in_feed=was_in_notes or sponsor.in_notes, now=now)
    return bool(changed)


def _check_days(sponsor: Sponsor, errors: fields.FieldErrors) -> None:
    with errors.noting("ends_on"):
        if sponsor.starts_on and sponsor.ends_on and sponsor.ends_on < sponsor.starts_on:
            raise ValueError("The last day lies before the first one.")
    errors.raise_any()


def set_sponsor_logo(
    session: Session, show: Show, sponsor: Sponsor, artwork: Artwork | None, *, now: datetime
) -> bool:
    """Give the sponsor a logo, or take it away; False when it was so already."""
    artwork_id = artwork.id if artwork is not None else None
    if sponsor.artwork_id == artwork_id:
        return False
    sponsor.artwork_id = artwork_id
    _touch(session, show, sponsor, in_feed=False, now=now)
    return True


def delete_sponsor(session: Session, show: Show, sponsor: Sponsor, *, now: datetime) -> None:
    """Take the sponsor off the site and out of the notes; it can come back for 30 days."""
    sponsor.deleted_at = now
    _touch(session, show, sponsor, in_feed=sponsor.in_notes, now=now)


def restore_sponsor(session: Session, show: Show, sponsor: Sponsor, *, now: datetime) -> None:
    """Bring a deleted sponsor back. Raises Conflict where it is not deleted, Gone after 30 days."""
    if sponsor.deleted_at is None:
        raise Conflict("It is not in the trash.")
    if sponsor.deleted_at + TRASH_KEPT <= now:
        raise Gone("It was deleted more than 30 days ago.")
    sponsor.deleted_at = None
    _touch(session, show, sponsor, in_feed=sponsor.in_notes, now=now)


def get_sponsor(session: Session, show: Show, key: str, *, deleted: bool = False) -> Sponsor:
    """The sponsor with this id; with `deleted`, deleted ones too. Raises NotFound or Gone."""
    sponsor = None
    if fields.may_be_slug(key):
        sponsor = session.scalar(
            select(Sponsor).where(Sponsor.show_id == show.id, Sponsor.id == key)
        )
    if sponsor is None:
        raise NotFound(f"The show {show.slug!r} has no sponsor {key!r}.")
    if sponsor.deleted_at is not None and not deleted:
        raise Gone(f"The sponsor {sponsor.name!r} was deleted.")
    return sponsor


def list_sponsors(session: Session, show: Show) -> Sequence[Sponsor]:
    """The show's sponsors in order, also those of other days."""
    return session.scalars(
        select(Sponsor)
        .where(Sponsor.show_id == show.id, Sponsor.deleted_at.is_(None))
        .order_by(*_IN_ORDER)
    ).all()


class RunningSponsor(NamedTuple):
    """A sponsor as the site shows it; `logo` is a row of its artwork."""

    name: str
    url: str | None
    text: str
    logo: Row[tuple[str, list[object], int, int]] | None


def running_sponsors(
    session: Session, show: Show, now: datetime
) -> tuple[list[RunningSponsor], datetime | None]:
    """Those whose days have begun and are not over at `now`, in order; and when that changes next
    by itself (UTC), which is when a page that shows them expires. None: never."""
    zone = ZoneInfo(show.time_zone)
    today = now.astimezone(zone).date().isoformat()
    rows = session.execute(
        select(
            Sponsor.name,
            Sponsor.url,
            Sponsor.text,
            Sponsor.artwork_id,
            Sponsor.starts_on,
            Sponsor.ends_on,
        )
        .where(Sponsor.show_id == show.id, Sponsor.deleted_at.is_(None))
        .order_by(*_IN_ORDER)
    ).all()
    running = [row for row in rows if is_running(row.starts_on, row.ends_on, today)]
    held = [row.artwork_id for row in running if row.artwork_id]
    logos = {
        logo.id: logo
        for logo in session.execute(
            select(Artwork.id, Artwork.sizes, Artwork.width, Artwork.height).where(
                Artwork.id.in_(held)
            )
        )
    }
    changes = [row.starts_on for row in rows if row.starts_on and row.starts_on > today]
    changes += [_day_after(row.ends_on) for row in running if row.ends_on]
    next_change = min(changes, default=None)
    return (
        [RunningSponsor(r.name, r.url, r.text, logos.get(r.artwork_id)) for r in running],
        _midnight(next_change, zone) if next_change else None,
    )


def is_running(starts_on: str | None, ends_on: str | None, day: str) -> bool:
    """Whether this day is one of its days; ISO dates sort as they follow each other."""
    return (starts_on is None or starts_on <= day) and (ends_on is None or day <= ends_on)


def _day_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _midnight(day: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), zone).astimezone(UTC)


def _touch(session: Session, show: Show, sponsor: Sponsor, *, in_feed: bool, now: datetime) -> None:
    sponsor.changed_at = now
    if in_feed:
        touch_show(session, show, now=now)
    session.flush()
    record_change(session, "site", show.id, now=now)
