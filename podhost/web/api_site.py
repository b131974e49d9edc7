"""The API's calls for what an owner says of a show's site."""

import msgspec
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.errors import Conflict, NotFound
from podhost.shows import get_show
from podhost.site.answers import SiteAnswer, site_answer
from podhost.site.domains import DomainCheck, check_domain
from podhost.site.editions import link_editions, list_editions, unlink_edition
from podhost.site.settings import SiteInput, change_site, site_settings
from podhost.web.calls import Call, json_answer
from podhost.web.openapi import PREFIX, Operation

_SITE = PREFIX + "/shows/{show}/site"


def get_site(call: Call, session: Session) -> Response:
    """Where the site is, and what is said of it."""
    return json_answer(site_answer(session, call.show(session), call.instance.base_url))


def patch_site(call: Call) -> Response:
    """Change what is given of the site."""
    given, base_url = call.given(SiteInput, told=SiteAnswer), call.instance.base_url
    with call.write() as session:
        show = call.show(session, lock=True)
        change_site(session, show, given, now=call.now(), base_url=base_url)
        changed = site_answer(session, show, base_url, warnings=call.warnings)
    return json_answer(changed)


class EditionInput(msgspec.Struct, kw_only=True):
    """The sister show, by its slug."""

    show: str


def post_edition(call: Call) -> Response:
    """Link the show and another one as editions of each other."""
    given = call.given(EditionInput, told=SiteAnswer)
    with call.write() as session:
        show = call.show(session)
        link_editions(session, show, get_show(session, given.show), now=call.now())
        changed = site_answer(session, show, call.instance.base_url, warnings=call.warnings)
    return json_answer(changed)


def remove_edition(call: Call) -> Response:
    """Take an edition, or the show itself, out of the group."""
    with call.write() as session:
        show = call.show(session)
        slug = call.parameters["edition"]
        found = [each.show for each in list_editions(session, show) if each.show.slug == slug]
        if not found:
            raise NotFound(f"{slug!r} is no edition of this show.")
        unlink_edition(session, found[0], now=call.now())
    return Response(status_code=204)


def post_site_check(call: Call) -> Response:
    """Ask at the show's own domain whether it leads here."""
    with call.instance.database.read() as session:
        site = site_settings(session, call.show(session))
    if site.domain is None:
        raise Conflict("The show has no domain of its own.")
    settings, base_url = call.instance.settings, call.instance.base_url
    return json_answer(check_domain(settings, base_url, site.domain))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_SITE,
        handler=get_site,
        summary="Say where the show's site is, and what its owner said of it.",
        answer=SiteAnswer,
    ),
    Operation(
        method="PATCH",
        path=_SITE,
        handler=patch_site,
        summary="Change what is given of the show's site.",
        json=SiteInput,
        answer=SiteAnswer,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="POST",
        path=_SITE + "/editions",
        handler=post_edition,
        summary="Link the show with another one that is the same in another language.",
        json=EditionInput,
        answer=SiteAnswer,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="DELETE",
        path=_SITE + "/editions/{edition}",
        handler=remove_edition,
        summary="Take an edition out of the group, or the show itself.",
        status=204,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="POST",
        path=_SITE + "/check",
        handler=post_site_check,
        summary="Ask at the show's own domain whether it leads here.",
        answer=DomainCheck,
        needs=Permission.MANAGE,
    ),
)
