"""What a show's site is like, for its owner: links, colour, domain, style sheet, search engines."""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission, list_shows_of, permissions_on
from podhost.errors import Gone, Invalid, NotFound, PodhostError
from podhost.fields import may_be_slug
from podhost.models import Show
from podhost.shows import get_show
from podhost.shows.directories import DirectoryAnswer, directory_list
from podhost.site.artwork_colours import PictureColours
from podhost.site.colours import DARK_GROUND, LIGHT_GROUND, USUAL_ACCENT, accent_for
from podhost.site.domains import check_domain
from podhost.site.editions import Edition, link_editions, list_editions, unlink_edition
from podhost.site.former_domains import former_domains
from podhost.site.places import FEED, LISTEN, NAMES, SUPPORT, TALK, VIDEO, WEB
from podhost.site.settings import (
    SiteInput,
    SiteLink,
    SiteSettings,
    change_site,
    read_accent,
    site_settings,
    site_url,
)
from podhost.templating import environment, own_name
from podhost.web.studio.complaints import said_beside
from podhost.web.studio.visits import StudioRoute, Visit

_LINK = re.compile(r"links\[(\w{1,12})\]\.(name|url|icon)", re.ASCII)


def see_site(visit: Visit) -> Response:
    """All that is said of the site."""
    return _page(visit)


def save_site(visit: Visit) -> Response:
    """Keep what was said."""
    form, base_url, typed = visit.form, visit.instance.base_url, _typed(visit)
    given = SiteInput(
        domain=typed.domain,
        accent=typed.accent,
        css=typed.css,
        links=typed.links,
        is_indexed=typed.is_indexed,
    )
    try:
        with visit.write() as session:
            show = visit.show(session, lock=True)
            if form.has("take_over"):
                noted = directory_list(session, show, base_url).directories
                given.links = (*typed.links, *_not_linked(noted, typed.links))
            change_site(session, show, given, now=visit.now(), base_url=base_url)
            path = f"/shows/{show.slug}/site"
    except PodhostError as error:
        if isinstance(error, (NotFound, Gone)):
            raise
        return _page(visit, 422, site=typed, **said_beside(visit, error))
    return visit.redirect(path, say=visit.words("Saved."))


def _typed(visit: Visit) -> SiteSettings:
    form = visit.form
    return SiteSettings(
        domain=form.text("domain") or None,
        accent=form.text("accent") if form.text("colour") == "own" else None,
        css=form.text("css"),
        links=tuple(_sent_links(visit)),
        is_indexed=form.has("is_indexed"),
    )


def _sent_links(visit: Visit) -> list[SiteLink]:
    """The rows in which something stands, in the order in which they were sent."""
    rows: dict[str, dict[str, str]] = {}
    for name, value in visit.form.pairs:
        if found := _LINK.fullmatch(name):
            rows.setdefault(found[1], {})[found[2]] = value.strip()
    return [SiteLink(**row) for row in rows.values() if row.get("name") or row.get("url")]


def _not_linked(
    directories: Sequence[DirectoryAnswer], links: Iterable[SiteLink]
) -> list[SiteLink]:
    """Where the show is listed, as was noted of directories, and no link leads yet."""
    known = {link.url for link in links}
    return [
        SiteLink(each.name, each.listed_url)
        for each in directories
        if each.listed_url and each.listed_url not in known
    ]


def link_edition(visit: Visit) -> Response:
    """Link the show with one that is the same in another language."""
    slug, path = visit.form.text("show"), f"/shows/{visit.parameters['show']}/site"
    try:
        with visit.write() as session:
            other = get_show(session, slug) if may_be_slug(slug) else None
            if other is None:
                raise Invalid("Choose a show.")
            link_editions(session, visit.show(session), other, now=visit.now())
    except PodhostError as error:
        sentence = visit.words.said(error.message)
        return _page(visit, 422, edition_error=sentence)
    return visit.redirect(path, say=visit.words("The editions are linked."))


def unlink_this_edition(visit: Visit) -> Response:
    """Take an edition, or the show itself, out of the group."""
    with visit.write() as session:
        show = visit.show(session)
        slug = visit.form.text("show")
        found = [each.show for each in list_editions(session, show) if each.show.slug == slug]
        if found:
            unlink_edition(session, found[0], now=visit.now())
        path = f"/shows/{show.slug}/site"
    return visit.redirect(path, say=visit.words("The edition is not linked any more."))


def _to_link(visit: Visit, session: Session, linked: Sequence[Edition]) -> list[Show]:
    """The shows that could become editions: in other languages, and the visitor's to manage."""
    speaks = {edition.show.language for edition in linked} or {visit.show(session).language}
    return [
        show
        for show in list_shows_of(session, visit.account)
        if show.language not in speaks
        and Permission.MANAGE in permissions_on(session, visit.account, show.id)
    ]


def check_site(visit: Visit) -> Response:
    """Ask at the show's own domain whether it leads here; what is typed and not saved stays."""
    instance = visit.instance
    with visit.read() as session:
        site = site_settings(session, visit.show(session))
    if site.domain is None:
        return visit.redirect(f"/shows/{visit.parameters['show']}/site")
    found = check_domain(instance.settings, instance.base_url, site.domain)
    return _page(visit, site=_typed(visit), check=found)


def see_colours(visit: Visit) -> Response:
    """A picture of links and buttons in a colour, on both grounds; that of the artwork, if none is
    given."""
    try:
        chosen = read_accent(visit.query.get("accent", ""))
    except Invalid:
        chosen = _artwork_colour(visit)
    _ = visit.words
    values = {
        "accent": accent_for(chosen),
        "grounds": (LIGHT_GROUND, DARK_GROUND),
        "link": _("A link"),
        "button": _("A button"),
    }
    picture = environment(visit.language).get_template("studio/site_colours.svg").render(values)
    headers = {
        "Cache-Control": "private, max-age=60",
        "Content-Security-Policy": "default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    return visit.send(Response(picture, 200, headers, "image/svg+xml"))


def _artwork_colour(visit: Visit) -> str:
    with visit.read() as session:
        artwork = visit.show(session).artwork
        if artwork is None:
            return USUAL_ACCENT
        return PictureColours(visit.instance.storage).colour_of(artwork) or USUAL_ACCENT


def _icons(visit: Visit) -> list[tuple[str, str]]:
    """The icons that may stand beside a link; first, that of the kind of its address."""
    _ = visit.words
    return [
        ("", _("automatic")),
        (LISTEN, _("to listen")),
        (VIDEO, _("to watch")),
        (TALK, _("to talk")),
        (SUPPORT, _("to support")),
        (FEED, _("a feed")),
        (WEB, _("a web page")),
    ]


def _page(
    visit: Visit, status: int = 200, *, site: SiteSettings | None = None, **values: Any
) -> Response:
    base_url = visit.instance.base_url
    with visit.read() as session:
        show = visit.show(session)
        stored = site_settings(session, show)
        shown = site or stored
        noted = directory_list(session, show, base_url).directories
        editions = list_editions(session, show)
        return visit.page(
            "studio/site.html",
            status,
            **{
                "show": show,
                "tab": "site",
                "site": shown,
                "stored_domain": stored.domain,
                "former_domains": former_domains(session, show),
                "site_url": site_url(base_url, show, stored.domain) + "/",
                "own_host": urlsplit(base_url).netloc,
                "names": NAMES,
                "icons": _icons(visit),
                "noted": [link.name for link in _not_linked(noted, shown.links)],
                "usual_accent": USUAL_ACCENT,
                "editions": [
                    (edition.show, edition.url(base_url), own_name(edition.show.language))
                    for edition in editions
                ],
                "to_link": [
                    (each.slug, f"{each.title} ({own_name(each.language)})")
                    for each in _to_link(visit, session, editions)
                ],
                "edition_error": "",
                "check": None,
                **values,
            },
        )


_SITE = "/shows/{show}/site"
ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("GET", _SITE, see_site, Permission.MANAGE),
    StudioRoute("POST", _SITE, save_site, Permission.MANAGE),
    StudioRoute("POST", _SITE + "/editions", link_edition, Permission.MANAGE),
    StudioRoute("POST", _SITE + "/editions/unlink", unlink_this_edition, Permission.MANAGE),
    StudioRoute("POST", _SITE + "/check", check_site, Permission.MANAGE),
    StudioRoute("GET", _SITE + "/colours", see_colours, Permission.MANAGE),
)
