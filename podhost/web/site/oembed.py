"""oEmbed (https://oembed.com), by which other sites show an episode, a show or an article."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import msgspec
from sqlalchemy import select

from podhost.artwork import artwork_url
from podhost.errors import Gone, NotFound
from podhost.fields import may_be_slug
from podhost.formats.embedding import PLAYER_HEIGHT_PX, player_frame
from podhost.models import FormerDomain, Show, Site
from podhost.shows import get_show
from podhost.web.site.embed import find_newest
from podhost.web.site.episodes import get_published
from podhost.web.site.looks import Look, Page, Plain, PlainRoute
from podhost.written.reading import find_article

_WIDTH_PX = 640
_THUMBNAIL_PX = 600
_UNLIMITED_PX = 99_999
_CACHE_SECONDS = 3600
_TYPES = {"json": "application/json", "xml": "text/xml; charset=utf-8"}
_TEXT = "text/plain; charset=utf-8"
# Programs of other sites may ask from within their readers' browsers.
_HEADERS = {"access-control-allow-origin": "*"}
_TIME = re.compile(r"[0-9hms:.]{1,20}", re.ASCII)
_PIXELS = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)


class Subject(NamedTuple):
    """What stands at an address; `player_url` is "" where nothing of it can be heard."""

    title: str
    author_name: str
    author_url: str
    picture: Any
    player_url: str = ""


def oembed(look: Plain) -> Page:
    """`/oembed?url=&format=&maxwidth=&maxheight=`: how to show a page elsewhere."""
    kind = look.query.get("format", "json").lower()
    if kind not in _TYPES:
        return _refusal(501, "There are only the formats json and xml.")
    address = look.query.get("url", "")
    try:
        found, path = _look_at(look, address)
        subject = _find(found, [unquote(step) for step in path.strip("/").split("/")])
    except (NotFound, Gone):
        return _refusal(404, "This is not the address of an episode, a show or an article here.")
    width = min(_WIDTH_PX, _pixels(look, "maxwidth"))
    height = min(PLAYER_HEIGHT_PX, _pixels(look, "maxheight"))
    told = _answer(found, subject, width, height, _time_in(address))
    return Page(
        body=msgspec.json.encode(told) if kind == "json" else _xml(told),
        content_type=_TYPES[kind],
        headers={**_HEADERS, "cache-control": f"public, max-age={_CACHE_SECONDS}"},
    )


def _refusal(status: int, sentence: str) -> Page:
    body = f"{sentence}\n".encode()
    return Page(status=status, body=body, content_type=_TEXT, headers=_HEADERS)


def _pixels(look: Plain | Look, name: str) -> int:
    """The most that is wanted; what is no number limits nothing."""
    text = look.query.get(name, "")
    return int(text) if _PIXELS.fullmatch(text) else _UNLIMITED_PX


def _look_at(look: Plain, address: str) -> tuple[Look, str]:
    """The show whose page has this address, and the path below it. Raises NotFound."""
    try:
        show, path = _show_at(look, urlsplit(address))
    except ValueError:
        raise NotFound("This is no address.") from None
    found = Look(
        instance=look.instance,
        session=look.session,
        show=show,
        parameters={},
        query=look.query,
        now=look.now,
        prefix="",
        cards=look.cards,
    )
    return found, path


def _find(look: Look, steps: list[str]) -> Subject:
    """What the page at this path is about. Raises NotFound or Gone."""
    match steps:
        case [""] | ["embed"]:
            return _show(look)
        case ["episodes" | "embed", slug]:
            return _episode(look, slug)
        case ["articles", slug]:
            return _article(look, slug)
    raise NotFound("There is nothing to be embedded at this address.")


def _show(look: Look) -> Subject:
    """The show, by the player of its newest episode."""
    show = look.show
    player_url = look.url("/embed") if find_newest(look) is not None else ""
    return Subject(show.title, show.author or show.title, look.url("/"), show.artwork, player_url)


def _episode(look: Look, slug: str) -> Subject:
    episode, show = get_published(look, slug), look.show
    return Subject(
        episode.title,
        show.author or show.title,
        look.url("/"),
        episode.artwork or show.artwork,
        look.url(f"/embed/{episode.slug}") if episode.audio is not None else "",
    )


def _article(look: Look, slug: str) -> Subject:
    card = find_article(look.session, look.show.id, slug).card
    names = ", ".join(author.name for author in card.authors)
    path = f"/people/{card.authors[0].slug}" if card.authors else "/"
    return Subject(
        card.title,
        names or look.show.author or look.show.title,
        look.url(path),
        card.picture or look.show.artwork,
    )


def _show_at(look: Plain, parts: SplitResult) -> tuple[Show, str]:
    """The show at an address, on this podhost or on a domain of its own, and the path below it."""
    home = urlsplit(look.base_url)
    if parts.scheme not in ("http", "https"):
        raise NotFound("This is no address of a page.")
    # As in the database, however it is written.
    host = (parts.hostname or "").rstrip(".").encode("idna").decode("ascii")
    is_possible = may_be_slug(host)
    # Its own now first, even where that is podhost's address too, and last whoever had it.
    of_host = select(Site.show_id).where(Site.domain == host)
    show_id = look.session.scalar(of_host) if is_possible else None
    is_here = parts.netloc.lower() == home.netloc.lower()
    if show_id is None and is_here and parts.path.startswith(f"{home.path}/"):
        slug, _, path = parts.path.removeprefix(f"{home.path}/").partition("/")
        return get_show(look.session, unquote(slug)), path
    if show_id is None and is_possible:
        had = select(FormerDomain.show_id).where(FormerDomain.domain == host)
        show_id = look.session.scalar(had)
    show = look.session.get(Show, show_id) if show_id is not None else None
    if show is None or show.deleted_at is not None:
        raise NotFound("This is the address of another site.")
    return show, parts.path


def _time_in(address: str) -> str:
    """The time at which the address asks to begin, as the embedded player takes it; or ""."""
    parts = urlsplit(address)
    for text in (parts.fragment, parts.query):
        for time in parse_qs(text).get("t", []):
            if _TIME.fullmatch(time):
                return time
    return ""


def _answer(look: Look, subject: Subject, width: int, height: int, time: str) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "version": "1.0",
        "type": "rich" if subject.player_url else "link",
        "title": subject.title,
        "author_name": subject.author_name,
        "author_url": subject.author_url,
        "provider_name": look.show.title,
        "provider_url": look.url("/"),
        "cache_age": _CACHE_SECONDS,
    }
    if subject.player_url:
        url = subject.player_url + (f"?t={time}" if time else "")
        frame = player_frame(url, subject.title, width=str(width), height=height)
        answer |= {"html": frame, "width": width, "height": height}
    if subject.picture is not None:
        # Nothing may be larger than what was asked for.
        most = min(_pixels(look, "maxwidth"), _pixels(look, "maxheight"), _THUMBNAIL_PX)
        fitting = [size for size, _ in subject.picture.sizes if size <= most]
        if fitting:
            answer |= _thumbnail(look, subject.picture, max(fitting))
    return answer


def _thumbnail(look: Look, picture: Any, size_px: int) -> dict[str, Any]:
    width, height = look.picture_size(picture, size_px)
    url = artwork_url(look.base_url, picture, size=size_px)
    return {"thumbnail_url": url, "thumbnail_width": width, "thumbnail_height": height}


def _xml(answer: Mapping[str, Any]) -> bytes:
    root = ElementTree.Element("oembed")
    for name, value in answer.items():
        ElementTree.SubElement(root, name).text = str(value)
    found: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return found


PLAIN = (PlainRoute("/oembed", oembed, reads=("url", "format", "maxwidth", "maxheight")),)
