"""The front door: the shows that are here, a show's home, and how to follow it in an app."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup
from sqlalchemy import func, select

from podhost.formats.feed_tags import stored_show_tags
from podhost.models import Credit, Episode, Person
from podhost.people import list_credits
from podhost.people_public import public_value
from podhost.shows import list_shows
from podhost.translations import LANGUAGES
from podhost.web.site.frame import feed_url, shortened
from podhost.web.site.listing import (
    count_episodes,
    credited,
    is_public,
    list_episodes,
    read_pictures,
)
from podhost.web.site.looks import Head, Look, Page, Plain, PlainRoute, SiteRoute
from podhost.web.site.schema import series, website
from podhost.web.site.sharing import discovery_links
from podhost.web.site.templates import rendered
from podhost.web.static_files import static_path
from podhost.written.reading import published_articles
from podhost.written.sponsors import running_sponsors

_NEWEST = 10
_ARTICLES = 3
_GUESTS = 12


class App(NamedTuple):
    """An app that takes any feed, and the address by which it opens this one."""

    name: str
    url: str
    platforms: str


def show_list(look: Plain) -> Page:
    """`/`: the shows that are here."""
    shows = [(show, shortened(show.description)) for show in list_shows(look.session)]
    spoken = {show.language.lower().partition("-")[0] for show, _ in shows}
    # That of all shows, where podhost speaks it.
    language = next(iter(spoken & LANGUAGES.keys()), "en") if len(spoken) == 1 else "en"
    values = {
        "shows": shows,
        "language": language,
        "static": static_path,
        "base_url": look.base_url,
    }
    return Page(body=rendered(look.instance.settings, language, "site/shows.html", values))


def home_page(look: Look) -> Page:
    """`/<show>/`: what the show is, what is new, who is heard, how to follow."""
    show, session = look.show, look.session
    sponsors, changes_at = running_sponsors(session, show, look.now)
    episodes = list_episodes(session, show, limit=_NEWEST)
    return Page(
        template="site/home.html",
        head=Head(
            title=show.title,
            path="/",
            description=show.description,
            picture=show.artwork,
            data=[series(look), website(look)],
            links=discovery_links(look, "/", show.title),
        ),
        values={
            "episodes": episodes,
            "episode_count": count_episodes(session, show.id),
            "articles": published_articles(session, show.id, limit=_ARTICLES),
            "hosts": credited(session, list_credits(session, show, None)),
            "guests": _newest_guests(look),
            "sponsors": sponsors,
            "funding": stored_show_tags(show.tags).funding,
        },
        expires_at=changes_at,
    )


def follow_page(look: Look) -> Page:
    """`/<show>/follow`: buttons for apps that take any feed, and its address for all others."""
    _ = look.words
    url = feed_url(look)
    title = _("Follow %(show)s", show=look.show.title)
    return Page(
        template="site/follow.html",
        head=Head(
            title=title,
            path="/follow",
            description=_("Hear %(show)s in the podcast app of your choice.", show=look.show.title),
            picture=look.show.artwork,
        ),
        values={
            "apps": apps(url),
            "feed_url": url,
            "links": look.site.links,
            "code": scan_code(look.url("/follow")),
        },
    )


def scan_code(url: str) -> Markup:
    """An address as a QR code (ISO/IEC 18004), an SVG that takes its size from the style."""
    # Loaded here: no other page needs it.
    import segno

    return Markup(  # noqa: S704 - paths of a drawing, made of dark and light modules alone
        segno.make(url, error="m", micro=False).svg_inline(omitsize=True, border=2, light="#fff")
    )


def apps(url: str) -> Sequence[App]:
    """The ways in which apps on phones and computers take a feed's address from a page."""
    bare, quoted = url.partition("://")[2], quote(url, safe="")
    return (
        App("Apple Podcasts", f"podcast://{bare}", "iPhone, iPad, Mac"),
        App("Overcast", f"overcast://x-callback-url/add?url={quoted}", "iPhone, iPad"),
        App("Pocket Casts", f"pktc://subscribe/{bare}", "iPhone, Android"),
        App("AntennaPod", f"https://antennapod.org/deeplink/subscribe?url={quoted}", "Android"),
        App("Castro", f"castros://subscribe/{bare}", "iPhone"),
        App("gPodder", f"gpodder://{bare}", "Linux, Windows"),
    )


class Guest(NamedTuple):
    """Somebody as a list shows them; `picture` is a row of the artwork, or None."""

    slug: str
    name: str
    picture: object


def _newest_guests(look: Look) -> list[Guest]:
    """Who was heard last; all episodes are looked at only where the newest have too few."""
    rows: Sequence[Any] = []
    for episodes in (_GUESTS, 10 * _GUESTS, None):
        rows = _guests_of_newest(look, episodes)
        if len(rows) == _GUESTS:
            break
    held = {row.id: public_value(row, "artwork_id") for row in rows}
    pictures = read_pictures(look.session, list(held.values()))
    return [Guest(row.slug, row.name, pictures.get(held[row.id])) for row in rows]


def _guests_of_newest(look: Look, episodes: int | None) -> Sequence[Any]:
    newest = (
        select(Episode.id, Episode.published_at)
        .where(*is_public(look.show.id))
        .order_by(Episode.published_at.desc())
        .limit(episodes)
        .subquery()
    )
    main_id = func.coalesce(Person.merged_into_id, Person.id)
    heard = (
        select(main_id.label("id"), func.max(newest.c.published_at).label("heard_at"))
        .select_from(newest)
        .join(Credit, (Credit.episode_id == newest.c.id) & (Credit.role == "guest"))
        .join(Person, Person.id == Credit.person_id)
        .group_by(main_id)
        .subquery()
    )
    return look.session.execute(
        select(Person.id, Person.slug, Person.name, Person.artwork_id, Person.still_public)
        .join(heard, heard.c.id == Person.id)
        .order_by(heard.c.heard_at.desc(), Person.name)
        .limit(_GUESTS)
    ).all()


PLAIN = (PlainRoute("/", show_list),)
ROUTES: tuple[SiteRoute, ...] = (
    SiteRoute("/", home_page),
    SiteRoute("/follow", follow_page),
)
