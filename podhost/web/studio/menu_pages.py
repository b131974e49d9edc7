"""The pages and the sponsors of a show, for hosts: their lists and forms."""

from typing import Any
from zoneinfo import ZoneInfo

from msgspec import UNSET
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission, permissions_on
from podhost.artwork import add_artwork
from podhost.errors import Gone, Invalid, NotFound, Outdated, PodhostError
from podhost.history.audit import is_about
from podhost.models import Artwork, Page, Show, Sponsor
from podhost.uploads.intake import Intake
from podhost.web.studio.complaints import said_beside
from podhost.web.studio.episode_list import status_words
from podhost.web.studio.visits import StudioRoute, Visit
from podhost.written import pages as page_rows
from podhost.written import sponsors as sponsor_rows
from podhost.written.pages import PageInput
from podhost.written.sponsors import SponsorInput, is_running

_PAGE_FIELDS = ("title", "slug", "text", "menu", "position")
_SPONSOR_FIELDS = ("name", "url", "text", "starts_on", "ends_on", "position")


def pages_page(visit: Visit) -> Response:
    """The pages as they stand in their menus."""
    with visit.read() as session:
        show = visit.show(session)
        return visit.page(
            "studio/pages.html",
            show=show,
            tab="pages",
            pages=page_rows.list_pages(session, show),
            status_words=status_words(visit.words),
            may_manage=_may_manage(visit, session, show),
        )


def new_page_page(visit: Visit) -> Response:
    """A page that is not there yet."""
    with visit.read() as session:
        return _page_page(visit, visit.show(session), None)


def page_page(visit: Visit) -> Response:
    """One page, to be written on."""
    with visit.read() as session:
        show = visit.show(session)
        row = page_rows.get_page(session, show, visit.parameters["page"])
        return _page_page(visit, show, row)


def make_page(visit: Visit) -> Response:
    """Make a page of what was written."""
    return _save_page(visit, is_new=True)


def save_this_page(visit: Visit) -> Response:
    """Keep what was written."""
    return _save_page(visit, is_new=False)


def delete_this_page(visit: Visit) -> Response:
    """Delete it; it can come back."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        row = page_rows.get_page(session, show, visit.parameters["page"])
        is_about(row.title)
        page_rows.delete_page(session, row, now=visit.now())
        said = visit.words("“%(title)s” is deleted.", title=row.title)
        undo = f"/shows/{show.slug}/pages/{row.id}/restore"
        return visit.redirect(f"/shows/{show.slug}/pages", say=said, undo=undo)


def restore_this_page(visit: Visit) -> Response:
    """Bring it back."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        row = page_rows.get_page(session, show, visit.parameters["page"], deleted=True)
        is_about(row.title)
        page_rows.restore_page(session, row, now=visit.now())
        said = visit.words("“%(title)s” is back.", title=row.title)
        return visit.redirect(f"/shows/{show.slug}/pages/{row.id}", say=said)


def _save_page(visit: Visit, *, is_new: bool) -> Response:
    try:
        given = _given_page(visit)
        with visit.write() as session:
            show, now = visit.show(session, lock=True), visit.now()
            if is_new:
                row = page_rows.create_page(session, show, given, now=now)
            else:
                row = page_rows.get_page(session, show, visit.parameters["page"])
                version = visit.form.text("version")
                seen = int(version) if version.isdecimal() else None
                page_rows.change_page(session, row, given, now=now, seen_version=seen)
            is_about(row.title)
            path = f"/shows/{show.slug}/pages/{row.id}"
    except PodhostError as error:
        if isinstance(error, (NotFound, Gone)):
            raise
        told = said_beside(visit, error)
        if isinstance(error, Outdated):
            told["error"] = visit.words(
                "Somebody else changed this page meanwhile. What you typed is still here; if you "
                "save once more, it takes the place of theirs."
            )
        typed: dict[str, Any] = {name: visit.form.text(name) for name in _PAGE_FIELDS}
        typed["status"] = "published" if visit.form.has("published") else "draft"
        with visit.read() as session:
            show = visit.show(session)
            old = None
            if not is_new:
                old = page_rows.get_page(session, show, visit.parameters["page"])
            return _page_page(visit, show, old, status=422, typed=typed, **told)
    return visit.redirect(path, say=visit.words("Saved."))


def _given_page(visit: Visit) -> PageInput:
    form = visit.form
    return PageInput(
        title=form.text("title"),
        slug=form.text("slug") or UNSET,
        text=form.text("text"),
        status="published" if form.has("published") else "draft",
        menu=form.text("menu", "none"),
        position=_position(visit),
    )


def _position(visit: Visit) -> Any:
    text = visit.form.text("position")
    if not text:
        return UNSET
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        sentence = "It must be a whole number from 1 to 1000."
        raise Invalid(f"position: {sentence}", {"position": sentence})
    return int(text)


def _page_page(
    visit: Visit, show: Show, row: Page | None, *, status: int = 200, **values: Any
) -> Response:
    names = (*_PAGE_FIELDS, "status")
    typed: dict[str, Any] = {name: getattr(row, name, "") for name in names}
    if row is None:
        typed.update(menu="top", status="published")
    shown = {"show": show, "tab": "pages", "page": row, "typed": typed, **values}
    return visit.page("studio/page.html", status, **shown)


def _may_manage(visit: Visit, session: Session, show: Show) -> bool:
    return Permission.MANAGE in permissions_on(session, visit.account, show.id)


# Sponsors


def sponsors_page(visit: Visit) -> Response:
    """All sponsors, with which of them run today."""
    with visit.read() as session:
        show = visit.show(session)
        today = visit.now().astimezone(ZoneInfo(show.time_zone)).date().isoformat()
        rows = sponsor_rows.list_sponsors(session, show)
        return visit.page(
            "studio/sponsors.html",
            show=show,
            tab="sponsors",
            sponsors=[(row, _logo(session, row), _state(row, today)) for row in rows],
            may_manage=_may_manage(visit, session, show),
        )


def _state(row: Sponsor, today: str) -> str:
    if is_running(row.starts_on, row.ends_on, today):
        return "running"
    return "over" if row.ends_on is not None and row.ends_on < today else "to come"


def new_sponsor_page(visit: Visit) -> Response:
    """A sponsor who is not there yet."""
    with visit.read() as session:
        return _sponsor_page(visit, session, visit.show(session), None)


def sponsor_page(visit: Visit) -> Response:
    """One sponsor, to be changed."""
    with visit.read() as session:
        show = visit.show(session)
        row = sponsor_rows.get_sponsor(session, show, visit.parameters["sponsor"])
        return _sponsor_page(visit, session, show, row)


def make_sponsor(visit: Visit) -> Response:
    """Make a sponsor."""
    return _save_sponsor(visit, is_new=True)


def save_sponsor(visit: Visit) -> Response:
    """Keep what was changed."""
    return _save_sponsor(visit, is_new=False)


def delete_this_sponsor(visit: Visit) -> Response:
    """Delete the sponsor, who can come back."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        row = sponsor_rows.get_sponsor(session, show, visit.parameters["sponsor"])
        is_about(row.name)
        sponsor_rows.delete_sponsor(session, show, row, now=visit.now())
        said = visit.words("“%(title)s” is deleted.", title=row.name)
        undo = f"/shows/{show.slug}/sponsors/{row.id}/restore"
        return visit.redirect(f"/shows/{show.slug}/sponsors", say=said, undo=undo)


def restore_this_sponsor(visit: Visit) -> Response:
    """Bring the sponsor back."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        row = sponsor_rows.get_sponsor(session, show, visit.parameters["sponsor"], deleted=True)
        is_about(row.name)
        sponsor_rows.restore_sponsor(session, show, row, now=visit.now())
        said = visit.words("“%(title)s” is back.", title=row.name)
        return visit.redirect(f"/shows/{show.slug}/sponsors/{row.id}", say=said)


def _save_sponsor(visit: Visit, *, is_new: bool) -> Response:
    picture, form = visit.files.get("picture"), visit.form
    try:
        given = SponsorInput(
            name=form.text("name"),
            url=form.text("url"),
            text=form.text("text"),
            starts_on=form.text("starts_on"),
            ends_on=form.text("ends_on"),
            position=_position(visit),
            in_notes=form.has("in_notes"),
        )
        with Intake(visit.instance.database, visit.instance.storage) as intake:
            prepared = (
                intake.artwork(picture.path, is_square=False) if picture is not None else None
            )
            with visit.write() as session:
                show, now = visit.show(session, lock=True), visit.now()
                if is_new:
                    row = sponsor_rows.create_sponsor(session, show, given, now=now)
                else:
                    row = sponsor_rows.get_sponsor(session, show, visit.parameters["sponsor"])
                    sponsor_rows.change_sponsor(session, show, row, given, now=now)
                is_about(row.name)
                if prepared is not None:
                    artwork = add_artwork(session, prepared, now=now)
                    sponsor_rows.set_sponsor_logo(session, show, row, artwork, now=now)
                elif form.has("no_picture"):
                    sponsor_rows.set_sponsor_logo(session, show, row, None, now=now)
                path = f"/shows/{show.slug}/sponsors/{row.id}"
    except PodhostError as error:
        if isinstance(error, (NotFound, Gone)):
            raise
        told = said_beside(visit, error)
        typed: dict[str, Any] = {name: form.text(name) for name in _SPONSOR_FIELDS}
        typed["in_notes"] = form.has("in_notes")
        with visit.read() as session:
            show = visit.show(session)
            old = None
            if not is_new:
                old = sponsor_rows.get_sponsor(session, show, visit.parameters["sponsor"])
            return _sponsor_page(visit, session, show, old, status=422, typed=typed, **told)
    return visit.redirect(path, say=visit.words("Saved."))


def _sponsor_page(
    visit: Visit,
    session: Session,
    show: Show,
    row: Sponsor | None,
    *,
    status: int = 200,
    **values: Any,
) -> Response:
    names = (*_SPONSOR_FIELDS, "in_notes")
    shown = {
        "show": show,
        "tab": "sponsors",
        "sponsor": row,
        "typed": {name: getattr(row, name, "") for name in names},
        "picture": _logo(session, row),
        **values,
    }
    return visit.page("studio/sponsor.html", status, **shown)


def _logo(session: Session, row: Sponsor | None) -> Artwork | None:
    if row is None or row.artwork_id is None:
        return None
    return session.get(Artwork, row.artwork_id)


_PAGES, _PAGE = "/shows/{show}/pages", "/shows/{show}/pages/{page}"
_SPONSORS, _SPONSOR = "/shows/{show}/sponsors", "/shows/{show}/sponsors/{sponsor}"
_MANAGE, _PICTURE = Permission.MANAGE, ("picture",)

ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("GET", _PAGES, pages_page, Permission.VIEW),
    StudioRoute("GET", _PAGES + "/new", new_page_page, _MANAGE),
    StudioRoute("POST", _PAGES + "/new", make_page, _MANAGE),
    StudioRoute("GET", _PAGE, page_page, _MANAGE),
    StudioRoute("POST", _PAGE, save_this_page, _MANAGE),
    StudioRoute("POST", _PAGE + "/delete", delete_this_page, _MANAGE),
    StudioRoute("POST", _PAGE + "/restore", restore_this_page, _MANAGE),
    StudioRoute("GET", _SPONSORS, sponsors_page, Permission.VIEW),
    StudioRoute("GET", _SPONSORS + "/new", new_sponsor_page, _MANAGE),
    StudioRoute("POST", _SPONSORS + "/new", make_sponsor, _MANAGE, files=_PICTURE),
    StudioRoute("GET", _SPONSOR, sponsor_page, _MANAGE),
    StudioRoute("POST", _SPONSOR, save_sponsor, _MANAGE, files=_PICTURE),
    StudioRoute("POST", _SPONSOR + "/delete", delete_this_sponsor, _MANAGE),
    StudioRoute("POST", _SPONSOR + "/restore", restore_this_sponsor, _MANAGE),
)
