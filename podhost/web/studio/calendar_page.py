"""The studio's calendar: what comes out on which day of the show's time zone, and moving it."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.editing.overviews import (
    EpisodeGlance,
    Wanted,
    first_and_last,
    list_between,
    list_glances,
)
from podhost.editing.planning import plan_episode, usual_clock
from podhost.episodes.publishing import withdraw_episode
from podhost.errors import NotFound, PodhostError
from podhost.history.undo import list_history
from podhost.models import Episode, Show
from podhost.templating import zone_name
from podhost.web.studio.episode_list import status_words
from podhost.web.studio.visits import StudioRoute, Visit

_MOST_DRAFTS = 50
# How far ahead there are links to months in which nothing is planned.
_MONTHS_AHEAD = 24


class Day(NamedTuple):
    """One day of the month with what comes out on it: its time there, and the episode."""

    date: date
    label: str
    is_today: bool
    has_passed: bool
    episodes: list[tuple[str, EpisodeGlance]]


def calendar_page(visit: Visit) -> Response:
    """A month; `move` in the query names an episode that is to be moved."""
    with visit.read() as session:
        return _page(visit, session, visit.show(session))


def _page(visit: Visit, session: Session, show: Show, status: int = 200, **more: Any) -> Response:
    zone = ZoneInfo(show.time_zone)
    today = visit.now().astimezone(zone).date()
    earliest, latest = _reach(session, show, zone, today)
    first = _month(visit.query.get("month", "") or visit.form.text("month"), today)
    if not earliest <= first <= latest:
        first = today.replace(day=1)
    locale = Locale.parse(visit.language)
    drafts = list_glances(session, show, Wanted(state="draft"), now=visit.now(), limit=_MOST_DRAFTS)
    before, after = _other_month(first, -1), _other_month(first, 1)
    values = {
        "show": show,
        "tab": "calendar",
        "month": f"{first:%Y-%m}",
        "month_name": _month_name(first, locale),
        "before": (f"{before:%Y-%m}", _month_name(before, locale)) if before >= earliest else None,
        "after": (f"{after:%Y-%m}", _month_name(after, locale)) if after <= latest else None,
        "this_month": f"{today:%Y-%m}",
        "today": today,
        "zone": zone_name(show.time_zone),
        "days": _days(session, show, first, today, locale),
        "weekdays": _weekdays(locale),
        # In which column the first day stands.
        "starts": (first.weekday() - locale.first_week_day) % 7 + 1,
        "drafts": drafts.episodes,
        "more_drafts": drafts.total - len(drafts.episodes),
        "status_words": status_words(visit.words),
        "moving": None,
        **more,
    }
    if values["moving"] is None and Permission.EDIT in visit.allowed:
        values["moving"] = _moving(visit, session, show, first, today)
    return visit.page("studio/calendar.html", status, **values)


def _moving(
    visit: Visit, session: Session, show: Show, first: date, today: date
) -> dict[str, Any] | None:
    """The episode that is to be moved, and what the form says at first."""
    key = visit.query.get("move", "")[:16]
    row = session.get(Episode, key) if key.isalnum() and key.isascii() else None
    if row is None or row.show_id != show.id or row.deleted_at is not None:
        return None
    if row.status not in ("draft", "scheduled"):
        return None
    planned = row.published_at
    day = planned.astimezone(ZoneInfo(show.time_zone)).date() if planned else None
    return {
        "id": row.id,
        "title": row.title,
        "status": row.status,
        "day": (day or max(first, today + timedelta(days=1))).isoformat(),
        "time": usual_clock(session, row).strftime("%H:%M"),
    }


def plan(visit: Visit) -> Response:
    """Move an episode to another day and time."""
    form = visit.form
    try:
        with visit.write() as session:
            episode = visit.episode(session, lock=True)
            show = episode.show
            at = plan_episode(
                session, episode, form.text("day"), form.text("time") or None, now=visit.now()
            )
    except NotFound:
        raise
    except PodhostError as error:
        return _refused(visit, error)
    local = at.astimezone(ZoneInfo(show.time_zone))
    said = visit.words(
        "“%(title)s” comes out on %(day)s at %(time)s (%(zone)s).",
        title=episode.title,
        day=format_date(local.date(), "d MMMM y", locale=visit.language),
        time=f"{local:%H:%M}",
        zone=zone_name(show.time_zone),
    )
    undo = undo_path(visit, show, episode)
    return visit.redirect(f"/shows/{show.slug}/calendar?month={local:%Y-%m}", say=said, undo=undo)


def unplan(visit: Visit) -> Response:
    """Make a scheduled episode a draft without a day."""
    with visit.write() as session:
        episode = visit.episode(session, lock=True)
        show = episode.show
        if episode.status == "scheduled":
            withdraw_episode(session, episode, now=visit.now())
    said = visit.words("“%(title)s” is a draft again.", title=episode.title)
    undo = undo_path(visit, show, episode)
    month = _month(visit.form.text("month"), visit.now().date())
    return visit.redirect(f"/shows/{show.slug}/calendar?month={month:%Y-%m}", say=said, undo=undo)


def undo_path(visit: Visit, show: Show, episode: Episode) -> str:
    """The path of the form that takes back what was just changed of an episode."""
    with visit.read() as session:
        newest = list_history(session, show, episode, limit=1)
    if not newest:
        return ""
    return f"/shows/{show.slug}/episodes/{episode.id}/history/{newest[0].id}/undo"


def _refused(visit: Visit, error: PodhostError) -> Response:
    _ = visit.words
    with visit.read() as session:
        episode = visit.episode(session)
        moving = {
            "id": episode.id,
            "title": episode.title,
            "status": episode.status,
            "day": visit.form.text("day"),
            "time": visit.form.text("time"),
        }
        errors = {
            name: _.said(text) for name, text in error.fields.items() if name in ("day", "time")
        }
        sentence = "" if errors else _.said(error.message)
        return _page(
            visit,
            session,
            episode.show,
            422,
            moving=moving,
            field_errors=errors,
            error=sentence,
        )


# Days


def _month(value: str, today: date) -> date:
    """The first day of the month that is asked for; of this one, if that makes no sense."""
    try:
        found = date.fromisoformat(f"{value}-01")
    except ValueError:
        return today.replace(day=1)
    return found if 1971 <= found.year <= 2198 else today.replace(day=1)


def _reach(session: Session, show: Show, zone: ZoneInfo, today: date) -> tuple[date, date]:
    """The first and the last month: with the first episode, and two years ahead or with the last
    one that is planned. Between them they have this month."""
    ahead = today.month - 1 + _MONTHS_AHEAD
    last = date(today.year + ahead // 12, ahead % 12 + 1, 1)
    found = [at.astimezone(zone).date() for at in first_and_last(session, show) if at is not None]
    return (
        min([today, *found]).replace(day=1),
        max([last, *found]).replace(day=1),
    )


def _other_month(first: date, step: int) -> date:
    return (first + timedelta(days=40 if step > 0 else -1)).replace(day=1)


def _days(session: Session, show: Show, first: date, today: date, locale: Locale) -> list[Day]:
    zone = ZoneInfo(show.time_zone)
    count = monthrange(first.year, first.month)[1]
    start, end = _midnight(first, zone), _midnight(first + timedelta(days=count), zone)
    by_day: dict[date, list[tuple[str, EpisodeGlance]]] = {}
    for one in list_between(session, show, start, end):
        assert one.published_at is not None, "it was asked for by its date"
        local = one.published_at.astimezone(zone)
        by_day.setdefault(local.date(), []).append((f"{local:%H:%M}", one))
    days = [first + timedelta(days=number) for number in range(count)]
    return [
        Day(
            day,
            format_date(day, "EEE d", locale=locale),
            day == today,
            day < today,
            by_day.get(day, []),
        )
        for day in days
    ]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _month_name(first: date, locale: Locale) -> str:
    name = str(format_skeleton("yMMMM", first, locale=locale))
    return name[:1].upper() + name[1:]


def _weekdays(locale: Locale) -> list[str]:
    names = locale.days["stand-alone"]["abbreviated"]
    return [names[(locale.first_week_day + number) % 7] for number in range(7)]


_SHOW = "/shows/{show}"
_EPISODE = _SHOW + "/episodes/{episode}"
ROUTES = (
    StudioRoute("GET", _SHOW + "/calendar", calendar_page, Permission.VIEW),
    StudioRoute("POST", _EPISODE + "/plan", plan, Permission.EDIT),
    StudioRoute("POST", _EPISODE + "/unplan", unplan, Permission.EDIT),
)
