"""The newsletter of a show, for hosts: settings, growth, what was mailed, and who reads it."""

from typing import Any, NamedTuple

from babel import Locale
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission, permissions_on
from podhost.errors import Conflict, Invalid, PodhostError
from podhost.models import Newsletter, Show
from podhost.newsletter.addresses import write_csv
from podhost.newsletter.answers import issue_answers
from podhost.newsletter.importing import import_readers, read_table
from podhost.newsletter.issues import list_issues, stop_issue
from podhost.newsletter.numbers import Month, count_readers, growth
from podhost.newsletter.sending import enqueue_test
from podhost.newsletter.settings import (
    WEEKDAYS,
    NewsletterInput,
    change_newsletter,
    find_newsletter,
)
from podhost.newsletter.subscribers import (
    STATUSES,
    forget_subscriber,
    list_subscribers,
    page_url,
)
from podhost.shows import get_show
from podhost.web.studio.complaints import said_beside
from podhost.web.studio.visits import StudioRoute, Visit

_PER_PAGE = 50
_ISSUES = 20
_CHART_HEIGHT, _BAR_WIDTH, _BAR_STEP = 120, 28, 40


class Bar(NamedTuple):
    """One month in the chart, in its units."""

    x: int
    y: int
    height: int
    month: Month
    label: str


def newsletter_page(visit: Visit) -> Response:
    """How it is set, how it grows, and what was mailed."""
    with visit.read() as session:
        show = visit.show(session)
        return _newsletter_page(visit, session, show, find_newsletter(session, show))


def save_newsletter(visit: Visit) -> Response:
    """Keep the settings."""
    _ = visit.words
    try:
        with visit.write() as session:
            show = visit.show(session, lock=True)
            newsletter = change_newsletter(session, show, _given(visit), now=visit.now())
            path, is_open = f"/shows/{show.slug}/newsletter", newsletter.is_open
    except Invalid as error:
        told = said_beside(visit, error)
        with visit.read() as session:
            show = visit.show(session)
            return _newsletter_page(
                visit, session, show, _typed(visit, session, show), status=422, **told
            )
    said = _("Saved. The newsletter is on.") if is_open else _("Saved. The newsletter is off.")
    return visit.redirect(path, say=said)


def _given(visit: Visit) -> NewsletterInput:
    form = visit.form
    hour = form.text("hour")
    return NewsletterInput(
        is_open=form.has("is_open"),
        sends_episodes=form.has("sends_episodes"),
        sends_digest=form.has("sends_digest"),
        weekday=form.text("weekday"),
        hour=int(hour) if hour.isascii() and hour.isdigit() and len(hour) < 3 else -1,
        contact=form.text("contact"),
    )


def _typed(visit: Visit, session: Session, show: Show) -> Newsletter:
    """What is there, with what was typed in its place."""
    held, given = find_newsletter(session, show), _given(visit)
    weekday = str(given.weekday)
    return Newsletter(
        show_id=show.id,
        is_open=given.is_open,
        opened_at=held.opened_at,
        sends_episodes=given.sends_episodes,
        sends_digest=given.sends_digest,
        digest_weekday=WEEKDAYS.index(weekday) if weekday in WEEKDAYS else held.digest_weekday,
        digest_hour=given.hour,
        contact=given.contact,
    )


def send_newsletter_test(visit: Visit) -> Response:
    """Mail the newest episode to whoever asks."""
    _ = visit.words
    try:
        with visit.write() as session:
            show = visit.show(session)
            path = f"/shows/{show.slug}/newsletter"
            enqueue_test(session, show, visit.account.account_id, now=visit.now())
    except PodhostError as error:
        told = said_beside(visit, error)
        with visit.read() as session:
            show = visit.show(session)
            newsletter = find_newsletter(session, show)
            return _newsletter_page(visit, session, show, newsletter, status=422, **told)
    return visit.redirect(path, say=_("It is on its way to %(email)s.", email=visit.account.email))


def export_readers(visit: Visit) -> Response:
    """All addresses, to be saved."""
    with visit.write() as session:
        show = visit.show(session)
        body, name = write_csv(session, show).encode(), f"{show.slug}-newsletter.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return visit.send(Response(body, 200, headers, "text/csv; charset=utf-8"))


def stop_mailing(visit: Visit) -> Response:
    """Send no more of it."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        stop_issue(session, show, visit.parameters["issue"], now=visit.now())
        said = visit.words("The mailing is stopped.")
        return visit.redirect(f"/shows/{show.slug}/newsletter", say=said)


def import_from_table(visit: Visit) -> Response:
    """Take over the readers of a table that another podhost exported."""
    _ = visit.words
    slug, file = visit.form.text("show"), visit.files.get("readers")
    try:
        if file is None:
            raise Invalid("Choose a file.")
        rows = read_table(file.path.read_bytes(), now=visit.now())
        with visit.write() as session:
            show = get_show(session, slug, lock=True)
            path = f"/shows/{show.slug}/newsletter/readers"
            found = import_readers(session, show, rows, now=visit.now())
    except (Invalid, Conflict) as error:
        return _readers_page(visit, slug, status=422, import_error=_.said(error.message))
    said = _.plural(
        "%(num)s reader was imported; %(known)s were known here, %(refused)s are not mailed "
        "because their server refused them, %(left_out)s had not confirmed.",
        "%(num)s readers were imported; %(known)s were known here, %(refused)s are not mailed "
        "because their server refused them, %(left_out)s had not confirmed.",
        found.imported,
        known=found.known,
        refused=found.refused,
        left_out=found.left_out,
    )
    return visit.redirect(path, say=said)


def readers_page(visit: Visit) -> Response:
    """Who reads it, a page of them."""
    return _readers_page(visit, visit.parameters["show"])


def _readers_page(
    visit: Visit, slug: str, *, status: int = 200, import_error: str = ""
) -> Response:
    number = visit.query.get("page", "1")
    page = max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 5 else 1
    search, wanted = visit.query.get("search", ""), visit.query.get("status", "")
    with visit.read() as session:
        show = get_show(session, slug)
        visit.allowed = permissions_on(session, visit.account, show.id)
        rows, total = list_subscribers(
            session,
            show,
            search=search,
            status=wanted if wanted in STATUSES else "",
            limit=_PER_PAGE,
            offset=(page - 1) * _PER_PAGE,
        )
        return visit.page(
            "studio/newsletter_readers.html",
            status,
            show=show,
            tab="newsletter",
            readers=rows,
            total=total,
            search=search,
            wanted=wanted,
            import_error=import_error,
            can_import=visit.account.is_operator,
            page=page,
            has_more=page * _PER_PAGE < total,
        )


def forget_reader(visit: Visit) -> Response:
    """Remove somebody for good."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        forget_subscriber(session, show, visit.parameters["subscriber"])
        said = visit.words("The reader is forgotten.")
        return visit.redirect(f"/shows/{show.slug}/newsletter/readers", say=said)


def _newsletter_page(
    visit: Visit,
    session: Session,
    show: Show,
    newsletter: Newsletter,
    *,
    status: int = 200,
    **values: Any,
) -> Response:
    months = growth(session, show, now=visit.now())
    issues, _ = list_issues(session, show, limit=_ISSUES)
    locale = Locale.parse(visit.language)
    day_words = locale.days["stand-alone"]["wide"]
    shown = {
        "show": show,
        "tab": "newsletter",
        "newsletter": newsletter,
        "weekday": WEEKDAYS[newsletter.digest_weekday],
        "weekdays": [(name, day_words[day]) for day, name in enumerate(WEEKDAYS)],
        "hours": [(str(hour), f"{hour:02}:00") for hour in range(24)],
        "counts": count_readers(session, show),
        "months": months,
        "bars": chart(months, locale),
        "chart_width": _BAR_STEP * len(months),
        "chart_height": _CHART_HEIGHT,
        "bar_width": _BAR_WIDTH,
        "issues": issue_answers(session, issues),
        "sign_up_url": page_url(visit.instance.base_url, show),
        "can_send": bool(visit.instance.settings.smtp_url),
        **values,
    }
    return visit.page("studio/newsletter.html", status, **shown)


def chart(months: list[Month], locale: Locale) -> list[Bar]:
    """The months as bars, the highest as high as the chart."""
    most = max(1, *(one.readers for one in months))
    bars = []
    for place, one in enumerate(months):
        height = round(max(0, one.readers) * _CHART_HEIGHT / most)
        label = locale.months["stand-alone"]["abbreviated"][int(one.month[5:])]
        bars.append(Bar(place * _BAR_STEP + 6, _CHART_HEIGHT - height, height, one, label))
    return bars


_NEWSLETTER = "/shows/{show}/newsletter"
_READERS = _NEWSLETTER + "/readers"
_MANAGE = Permission.MANAGE

ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("GET", _NEWSLETTER, newsletter_page, Permission.VIEW),
    StudioRoute("POST", _NEWSLETTER, save_newsletter, _MANAGE),
    StudioRoute("POST", _NEWSLETTER + "/test", send_newsletter_test, _MANAGE),
    StudioRoute("POST", _NEWSLETTER + "/export", export_readers, _MANAGE),
    StudioRoute("POST", _NEWSLETTER + "/issues/{issue}/stop", stop_mailing, _MANAGE),
    StudioRoute("GET", _READERS, readers_page, _MANAGE),
    StudioRoute("POST", _READERS + "/{subscriber}/forget", forget_reader, _MANAGE),
    # Whose mail server it is decides whom it mails.
    StudioRoute(
        *("POST", "/imports/readers", import_from_table), Permission.OPERATE, files=("readers",)
    ),
)
