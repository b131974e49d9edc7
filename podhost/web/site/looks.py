"""What a handler of the site sees, and what it gives; it answers nothing and writes nothing."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams

from podhost.artwork import artwork_url, chosen_size
from podhost.errors import NotFound
from podhost.instance import Instance
from podhost.models import Artwork, Show
from podhost.site.cards import SIZE_PX, Cards, card_version
from podhost.site.editions import Edition, list_editions
from podhost.site.settings import SiteSettings, site_settings, site_url
from podhost.translations import LANGUAGES, Words, words
from podhost.web.forms import FormValues

HTML = "text/html; charset=utf-8"
_SHARED_PX = 1200
_PAGE_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


class Moved(Exception):
    """The page is at another path of this host, or at another address, for ever."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What programs read of a page: `path` is where it stands below the show.

    `data` are things in the words of schema.org, `links` further <link> elements by attribute,
    `properties` those of Open Graph that only this kind of page has, such as article:author.
    `picture_alt` says what is seen on the picture; the show's title, where nobody said.
    """

    title: str
    path: str
    description: str = ""
    picture: Artwork | None = None
    picture_alt: str = ""
    # The path of a picture of 1200 by 630 pixels with the title on it, where there is one.
    card: str = ""
    kind: str = "website"
    properties: Sequence[tuple[str, str]] = ()
    data: Sequence[Mapping[str, Any]] = ()
    links: Sequence[Mapping[str, str]] = ()
    is_indexed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page as a template and its values, or as bytes of another kind of document.

    It is kept in memory until its show changes, or until `expires_at`, unless it depends on more
    than its address: then it is not `is_kept`. `framed_by` says who may show it in a frame
    (Content-Security-Policy, frame-ancestors).
    """

    template: str = ""
    head: Head | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = HTML
    expires_at: datetime | None = None
    is_kept: bool = True
    framed_by: str = "'none'"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Plain:
    """One look at the podhost as a whole, at no show's pages."""

    instance: Instance
    session: Session
    query: QueryParams
    now: datetime
    cards: Cards

    @property
    def base_url(self) -> str:
        """Where this podhost is, without a slash at the end."""
        return self.instance.base_url


@dataclass
class Look:
    """One look at a show's site. Everything here is for reading.

    `query` has what the page's route reads, and nothing else. `prefix` stands before the paths of
    its pages on this host: the show's slug, or nothing on its own domain. `cards` draws pictures
    of shared links. `form` is what was sent by POST; `address` is the reader's, for limits alone.
    """

    instance: Instance
    session: Session
    show: Show
    parameters: Mapping[str, str]
    query: QueryParams
    now: datetime
    prefix: str
    cards: Cards | None = None
    form: FormValues = field(default_factory=FormValues)
    address: str = ""

    @cached_property
    def site(self) -> SiteSettings:
        """What the show's owner said of its site."""
        return site_settings(self.session, self.show)

    @cached_property
    def editions(self) -> Sequence[Edition]:
        """The show in all its languages, itself among them; none if it is in one."""
        return list_editions(self.session, self.show)

    @cached_property
    def words(self) -> Words:
        """The sentences of pages, in the show's language where podhost speaks it."""
        return words(self.language)

    @property
    def language(self) -> str:
        """The language that pages speak by themselves: the show's, or English."""
        code = self.show.language.lower().partition("-")[0]
        return code if code in LANGUAGES else "en"

    @property
    def base_url(self) -> str:
        """Where this podhost is, without a slash at the end."""
        return self.instance.base_url

    @cached_property
    def home_url(self) -> str:
        """Where the show's pages are, without a slash at the end: on its own domain, if any."""
        return site_url(self.base_url, self.show, self.site.domain)

    def path(self, path: str) -> str:
        """Where a page of the show is on the host that was asked."""
        return self.prefix + path

    def url(self, path: str) -> str:
        """The one address of a page of the show, wherever it was asked for."""
        return self.home_url + path

    def picture_url(self, artwork: Artwork | None, size_px: int = _SHARED_PX) -> str:
        """The whole address of a picture; "" for none."""
        return artwork_url(self.base_url, artwork, size=size_px) if artwork is not None else ""

    def picture_size(self, artwork: Artwork, size_px: int = _SHARED_PX) -> tuple[int, int]:
        """Width and height of what `picture_url` leads to, in pixels."""
        chosen = chosen_size(artwork, size_px)
        longest = max(artwork.width, artwork.height)
        return round(chosen * artwork.width / longest), round(chosen * artwork.height / longest)

    def card_path(self, path: str, artwork: Artwork | None, title: str) -> str:
        """Where the card of the page at `path` is; "" without a picture."""
        if artwork is None:
            return ""
        return f"/cards{path}.jpg?v={card_version(artwork, title, self.show.title)}"

    @property
    def card_size(self) -> tuple[int, int]:
        """Width and height of cards, in pixels."""
        return SIZE_PX

    def page_number(self) -> int:
        """The page of a list that ?page= names, the first without it. Raises NotFound."""
        text = self.query.get("page", "1")
        if _PAGE_NUMBER.fullmatch(text) is None:
            raise NotFound("There is no such page.")
        return int(text)


@dataclass(frozen=True, slots=True)
class SiteRoute:
    """One method on a path below a show, and who makes the page.

    `reads` names all that the page depends on in the query. One that `is_search` costs the database
    time for whatever words are asked for by `?q=`, so an address may do so so often in a minute.
    One that `is_framed` stands in pages of others, whatever it answers.
    """

    path: str
    handler: Callable[[Look], Page]
    method: str = "GET"
    reads: tuple[str, ...] = ()
    is_search: bool = False
    is_framed: bool = False


@dataclass(frozen=True, slots=True)
class PlainRoute:
    """A path below no show, who answers, and what that depends on in the query."""

    path: str
    handler: Callable[[Plain], Page]
    reads: tuple[str, ...] = ()
