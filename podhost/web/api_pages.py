"""The API's calls for a show's pages and sponsors."""

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.history.audit import is_about
from podhost.models import Page, Show, Sponsor
from podhost.web.api_articles import PICTURE
from podhost.web.api_shows import artwork_row, stored_picture
from podhost.web.calls import Call, json_answer
from podhost.web.openapi import PREFIX, Operation
from podhost.written import pages as written_pages
from podhost.written import sponsors as written_sponsors
from podhost.written.answers import (
    PageAnswer,
    PageList,
    SponsorAnswer,
    SponsorList,
    page_answer,
    sponsor_answer,
)
from podhost.written.pages import PageInput
from podhost.written.sponsors import SponsorInput

_SHOW = PREFIX + "/shows/{show}"
_PAGES, _PAGE = _SHOW + "/pages", _SHOW + "/pages/{page}"
_SPONSORS, _SPONSOR = _SHOW + "/sponsors", _SHOW + "/sponsors/{sponsor}"


def get_pages(call: Call, session: Session) -> Response:
    """All pages of the show, as they stand in their menus."""
    show, base_url = call.show(session), call.instance.base_url
    found = written_pages.list_pages(session, show)
    return json_answer(PageList(pages=[page_answer(show, each, base_url) for each in found]))


def post_page(call: Call) -> Response:
    """A new page, a draft unless said otherwise."""
    given = call.given(PageInput, told=PageAnswer)
    with call.write() as session:
        show = call.show(session, lock=True)
        row = written_pages.create_page(session, show, given, now=call.now())
        is_about(row.title)
        made = _page(call, show, row)
        path = f"{PREFIX}/shows/{show.slug}/pages/{row.slug}"
    return json_answer(made, 201, location=call.instance.base_url + path)


def get_one_page(call: Call, session: Session) -> Response:
    """One page."""
    show = call.show(session)
    return json_answer(_page(call, show, _named_page(call, session, show)))


def patch_page(call: Call) -> Response:
    """Change what is given of the page."""
    given = call.given(PageInput, told=PageAnswer)
    with call.write() as session:
        show = call.show(session, lock=True)
        row = _named_page(call, session, show)
        written_pages.change_page(session, row, given, now=call.now())
        changed = _page(call, show, row)
    return json_answer(changed)


def remove_page(call: Call) -> Response:
    """Delete the page; it can come back."""
    with call.write() as session:
        show = call.show(session, lock=True)
        written_pages.delete_page(session, _named_page(call, session, show), now=call.now())
    return Response(status_code=204)


def post_page_restore(call: Call) -> Response:
    """Bring a deleted page back."""
    with call.write() as session:
        show = call.show(session, lock=True)
        row = _named_page(call, session, show, deleted=True)
        written_pages.restore_page(session, row, now=call.now())
        restored = _page(call, show, row)
    return json_answer(restored)


def _named_page(call: Call, session: Session, show: Show, *, deleted: bool = False) -> Page:
    row = written_pages.get_page(session, show, call.parameters["page"], deleted=deleted)
    is_about(row.title)
    return row


def _page(call: Call, show: Show, row: Page) -> PageAnswer:
    return page_answer(show, row, call.instance.base_url, warnings=call.warnings)


def get_sponsors(call: Call, session: Session) -> Response:
    """All sponsors of the show, also those of other days."""
    show, base_url = call.show(session), call.instance.base_url
    found = written_sponsors.list_sponsors(session, show)
    return json_answer(
        SponsorList(sponsors=[sponsor_answer(session, each, base_url) for each in found])
    )


def post_sponsor(call: Call) -> Response:
    """A new sponsor."""
    given = call.given(SponsorInput, told=SponsorAnswer)
    with call.write() as session:
        show = call.show(session, lock=True)
        row = written_sponsors.create_sponsor(session, show, given, now=call.now())
        is_about(row.name)
        made = _sponsor(call, session, row)
        path = f"{PREFIX}/shows/{show.slug}/sponsors/{row.id}"
    return json_answer(made, 201, location=call.instance.base_url + path)


def get_one_sponsor(call: Call, session: Session) -> Response:
    """One sponsor."""
    return json_answer(_sponsor(call, session, _named_sponsor(call, session, call.show(session))))


def patch_sponsor(call: Call) -> Response:
    """Change what is given of the sponsor."""
    given = call.given(SponsorInput, told=SponsorAnswer)
    with call.write() as session:
        show = call.show(session, lock=True)
        row = _named_sponsor(call, session, show)
        written_sponsors.change_sponsor(session, show, row, given, now=call.now())
        changed = _sponsor(call, session, row)
    return json_answer(changed)


def remove_sponsor(call: Call) -> Response:
    """Delete the sponsor; it can come back."""
    with call.write() as session:
        show = call.show(session, lock=True)
        row = _named_sponsor(call, session, show)
        written_sponsors.delete_sponsor(session, show, row, now=call.now())
    return Response(status_code=204)


def post_sponsor_restore(call: Call) -> Response:
    """Bring a deleted sponsor back."""
    with call.write() as session:
        show = call.show(session, lock=True)
        row = _named_sponsor(call, session, show, deleted=True)
        written_sponsors.restore_sponsor(session, show, row, now=call.now())
        restored = _sponsor(call, session, row)
    return json_answer(restored)


def put_sponsor_logo(call: Call) -> Response:
    """Give the sponsor a logo, of any shape."""
    with stored_picture(call) as prepared, call.write() as session:
        show = call.show(session, lock=True)
        row = _named_sponsor(call, session, show)
        artwork = artwork_row(call, session, prepared)
        written_sponsors.set_sponsor_logo(session, show, row, artwork, now=call.now())
        changed = _sponsor(call, session, row)
    return json_answer(changed)


def remove_sponsor_logo(call: Call) -> Response:
    """Take the logo of the sponsor away."""
    with call.write() as session:
        show = call.show(session, lock=True)
        row = _named_sponsor(call, session, show)
        written_sponsors.set_sponsor_logo(session, show, row, None, now=call.now())
    return Response(status_code=204)


def _named_sponsor(call: Call, session: Session, show: Show, *, deleted: bool = False) -> Sponsor:
    row = written_sponsors.get_sponsor(session, show, call.parameters["sponsor"], deleted=deleted)
    is_about(row.name)
    return row


def _sponsor(call: Call, session: Session, row: Sponsor) -> SponsorAnswer:
    return sponsor_answer(session, row, call.instance.base_url, warnings=call.warnings)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_PAGES,
        handler=get_pages,
        summary="List the pages of a show as they stand in their menus.",
        answer=PageList,
    ),
    Operation(
        method="POST",
        path=_PAGES,
        handler=post_page,
        summary="Make a page.",
        json=PageInput,
        answer=PageAnswer,
        status=201,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="GET",
        path=_PAGE,
        handler=get_one_page,
        summary="Read a page.",
        answer=PageAnswer,
    ),
    Operation(
        method="PATCH",
        path=_PAGE,
        handler=patch_page,
        summary="Change what is given of a page.",
        json=PageInput,
        answer=PageAnswer,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="DELETE",
        path=_PAGE,
        handler=remove_page,
        summary="Delete a page; it can come back for 30 days.",
        status=204,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="POST",
        path=_PAGE + "/restore",
        handler=post_page_restore,
        summary="Bring a deleted page back.",
        answer=PageAnswer,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="GET",
        path=_SPONSORS,
        handler=get_sponsors,
        summary="List the sponsors of a show, in order.",
        answer=SponsorList,
    ),
    Operation(
        method="POST",
        path=_SPONSORS,
        handler=post_sponsor,
        summary="Make a sponsor.",
        json=SponsorInput,
        answer=SponsorAnswer,
        status=201,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="GET",
        path=_SPONSOR,
        handler=get_one_sponsor,
        summary="Read a sponsor.",
        answer=SponsorAnswer,
    ),
    Operation(
        method="PATCH",
        path=_SPONSOR,
        handler=patch_sponsor,
        summary="Change what is given of a sponsor.",
        json=SponsorInput,
        answer=SponsorAnswer,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="DELETE",
        path=_SPONSOR,
        handler=remove_sponsor,
        summary="Delete a sponsor; it can come back for 30 days.",
        status=204,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="POST",
        path=_SPONSOR + "/restore",
        handler=post_sponsor_restore,
        summary="Bring a deleted sponsor back.",
        answer=SponsorAnswer,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="PUT",
        path=_SPONSOR + "/logo",
        handler=put_sponsor_logo,
        summary="Give a sponsor a logo.",
        form=PICTURE,
        answer=SponsorAnswer,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="DELETE",
        path=_SPONSOR + "/logo",
        handler=remove_sponsor_logo,
        summary="Take the logo of a sponsor away.",
        status=204,
        needs=Permission.MANAGE,
    ),
)
