"""What programs ask a site for: where all its pages are, and which of them may be looked at."""

import re
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote
from xml.sax.saxutils import escape

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, aliased

from podhost.errors import NotFound
from podhost.models import Article, Credit, Episode, Person, Show, Site
from podhost.models import Page as PageRow
from podhost.shows import list_shows
from podhost.web.site.frame import feed_url
from podhost.web.site.listing import count_episodes, is_public, public_ids
from podhost.web.site.looks import Look, Moved, Page, Plain, PlainRoute, SiteRoute
from podhost.written.pages import published_pages
from podhost.written.reading import list_authors_of_show, published_slugs

_XML = "application/xml; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
# Of one document (sitemaps.org); what is more stands in /sitemap-2.xml and so on.
MOST_ADDRESSES = 50_000
_NUMBER = re.compile(r"[2-9]|[1-9][0-9]{1,3}", re.ASCII)
# The home, and the lists of episodes, guests and articles, and how to follow.
_LISTS = 5
_EPISODE = Episode.__table__.c

Entry = tuple[str, datetime | None]


def robots(look: Plain) -> Page:
    """`/robots.txt` (RFC 9309): all may be looked at but what is for people with accounts."""
    return _robots([f"{look.base_url}/sitemap.xml"])


def show_robots(look: Look) -> Page:
    """The same on a show's own domain."""
    return _robots([look.url(path) for path in _sitemap_paths(look.session, look.show)])


def _robots(sitemaps: Iterable[str]) -> Page:
    lines = ["User-agent: *", "Disallow: /studio/", "Disallow: /api/", ""]
    lines += [f"Sitemap: {sitemap}" for sitemap in sitemaps]
    return Page(body=("\n".join(lines) + "\n").encode(), content_type=_TEXT)


def feed_elsewhere(look: Look) -> Page:
    """`/feed`, as people guess it: to the feed, whose one address stays what it is."""
    raise Moved(feed_url(look))


def feed_of_domain(look: Look) -> Page:
    """`/feed.xml`, likewise, on a show's own domain; below podhost's the feed itself is there."""
    if look.prefix:
        raise NotFound("There is no feed here yet.")
    return feed_elsewhere(look)


def sitemap_index(look: Plain) -> Page:
    """`/sitemap.xml`: the sitemaps of the shows, as sitemaps.org defines an index."""
    entries = []
    for show in list_shows(look.session):
        site = look.session.get(Site, show.id)
        # One on a domain of its own has its sitemap there (sitemaps.org, location).
        if not show.is_blocked and (site is None or (site.is_indexed and site.domain is None)):
            home = f"{look.base_url}/{quote(show.slug)}"
            paths = _sitemap_paths(look.session, show)
            entries += [(home + path, show.changed_at) for path in paths]
    return _document("sitemapindex", "sitemap", entries)


def show_sitemap(look: Look) -> Page:
    """`/<show>/sitemap.xml`: every page of a show, or the first of them. Raises NotFound where
    none may be indexed."""
    return _sitemap(look, 1)


def further_sitemap(look: Look) -> Page:
    """`/<show>/sitemap-2.xml` and so on, where one document has no room for all."""
    number = look.parameters["number"]
    if _NUMBER.fullmatch(number) is None:
        raise NotFound("This show has no such sitemap.")
    return _sitemap(look, int(number))


def _sitemap(look: Look, number: int) -> Page:
    show = look.show
    if show.is_blocked or not look.site.is_indexed:
        raise NotFound("This show has no sitemap.")
    start = (number - 1) * MOST_ADDRESSES
    entries = _entries(look.session, show)[start : start + MOST_ADDRESSES]
    if not entries:
        raise NotFound("This show has no such sitemap.")
    return _document("urlset", "url", [(look.url(path), changed) for path, changed in entries])


def _sitemap_paths(session: Session, show: Show) -> list[str]:
    """Where the sitemaps of a show are; most have one."""
    count = _most_entries(session, show)
    if count > MOST_ADDRESSES:
        # Exactly, because that costs something.
        count = len(_entries(session, show))
    further = range(2, -(-count // MOST_ADDRESSES) + 1)
    return ["/sitemap.xml", *(f"/sitemap-{number}.xml" for number in further)]


def _most_entries(session: Session, show: Show) -> int:
    """How many addresses there are at most."""
    people = select(func.count()).where(Person.show_id == show.id)
    articles = select(func.count()).where(Article.show_id == show.id)
    pages = select(func.count()).where(PageRow.show_id == show.id)
    found = (session.scalar(count) or 0 for count in (people, articles, pages))
    return _LISTS + count_episodes(session, show.id) + sum(found)


def _entries(session: Session, show: Show) -> list[Entry]:
    """The path of every page below the show, and when it changed; the order stays."""
    entries: list[Entry] = [("/", show.changed_at), ("/episodes", None), ("/follow", None)]
    entries += [(f"/episodes/{slug}", changed) for slug, changed in _episodes(session, show)]
    credited = _credited(session, show)
    entries += [("/guests", None)] if any(credited.values()) else []
    # Somebody may be heard and write too.
    people = dict.fromkeys(credited) | dict(list_authors_of_show(session, show.id))
    entries += [(f"/people/{slug}", changed) for slug, changed in people.items()]
    articles = published_slugs(session, show.id)
    entries += [("/articles", articles[0][1])] if articles else []
    entries += [(f"/articles/{slug}", changed) for slug, changed in articles]
    pages = published_pages(session, show.id)
    entries += [(f"/pages/{slug}", changed) for slug, changed in pages]
    return entries


def _episodes(session: Session, show: Show) -> list[Entry]:
    rows = session.execute(
        select(_EPISODE.slug, _EPISODE.changed_at)
        .where(*is_public(show.id))
        .order_by(_EPISODE.published_at.desc())
    )
    return [(slug, changed_at) for slug, changed_at in rows]


def _credited(session: Session, show: Show) -> dict[str, bool]:
    """The slugs of those whom the show or a published episode names, and whether as a guest; when
    their pages changed would take longer to find than all the rest."""
    main = aliased(Person)
    of_show = Credit.episode_id.is_(None)
    is_guest = case((~of_show & (Credit.role == "guest"), 1), else_=0)
    rows = session.execute(
        select(main.slug, func.max(is_guest))
        .select_from(Credit)
        .join(Person, Person.id == Credit.person_id)
        .join(main, main.id == func.coalesce(Person.merged_into_id, Person.id))
        .where(Credit.show_id == show.id, of_show | Credit.episode_id.in_(public_ids(show.id)))
        .group_by(main.slug)
        .order_by(main.slug)
    )
    return {slug: bool(is_a_guest) for slug, is_a_guest in rows}


def _document(root: str, element: str, entries: Iterable[Entry]) -> Page:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<{root} xmlns="{_NAMESPACE}">']
    for address, changed_at in entries:
        changed = f"<lastmod>{_moment(changed_at)}</lastmod>" if changed_at else ""
        lines.append(f"<{element}><loc>{escape(address)}</loc>{changed}</{element}>")
    lines.append(f"</{root}>\n")
    return Page(body="\n".join(lines).encode(), content_type=_XML)


def _moment(at: datetime) -> str:
    """As W3C's note on dates has it; moments of rows are in UTC. There are thousands."""
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


PLAIN = (PlainRoute("/robots.txt", robots), PlainRoute("/sitemap.xml", sitemap_index))
ROUTES: tuple[SiteRoute, ...] = (
    SiteRoute("/robots.txt", show_robots),
    SiteRoute("/feed", feed_elsewhere),
    SiteRoute("/feed.xml", feed_of_domain),
    SiteRoute("/sitemap.xml", show_sitemap),
    SiteRoute("/sitemap-{number}.xml", further_sitemap),
)
