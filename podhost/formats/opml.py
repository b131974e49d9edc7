"""Lists of feeds in OPML 2.0, read as apps and hosts export them, and written; it fetches nothing.

In what is read, outlines may be nested, and an address that is named twice counts once.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from podhost.errors import Invalid
from podhost.formats.feed_xml import wary_parser
from podhost.formats.rss_import_fields import one_line
from podhost.formats.text import absolute_url, plain_line

MIME_TYPE = "text/x-opml"
MAX_BYTES = 5_000_000
MAX_FEEDS = 1_000
_OPENING = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:\s+|<\?.*?\?>|<!--.*?-->)*+<opml[\s>]", re.DOTALL | re.IGNORECASE
)
_MAX_PROLOG_BYTES = 10_000
_MAX_URL_CHARS = 4096
_TITLE = "Podcasts"
_UNTITLED = "Untitled"


@dataclass(frozen=True, slots=True)
class ListedFeed:
    """A feed of the list: its address as it is written there, and its name, which may be ""."""

    url: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class OpmlShow:
    """A show as a subscription; `page_url` is its web page, `language` an ISO 639 code."""

    title: str
    feed_url: str
    page_url: str
    language: str


def is_opml(data: bytes) -> bool:
    """Whether the document begins as OPML does."""
    return _OPENING.match(data[:_MAX_PROLOG_BYTES]) is not None


def read_opml(data: bytes) -> list[ListedFeed]:
    """Give the feeds of a list in its order.

    Raises Invalid with a sentence for what is no OPML, for a list without feeds and for one with
    more than 1,000. Entities are never expanded, and nothing that the list names is read.
    """
    if len(data) > MAX_BYTES:
        raise Invalid("This OPML list is larger than 5 MB.")
    feeds: dict[str, ListedFeed] = {}
    for element in _root(data).iter():
        if not isinstance(element.tag, str) or element.tag.lower() != "outline":
            continue
        values = {str(name).lower(): str(value) for name, value in element.attrib.items()}
        url = values.get("xmlurl", "").strip()
        if url and len(url) <= _MAX_URL_CHARS:
            title = one_line(values.get("title", "") or values.get("text", ""))
            feeds.setdefault(url, ListedFeed(url, title))
    if not feeds:
        raise Invalid("This OPML list names no feeds: none of its outlines has an xmlUrl.")
    if len(feeds) > MAX_FEEDS:
        raise Invalid(f"This OPML list names {len(feeds)} feeds; {MAX_FEEDS} are read at once.")
    return list(feeds.values())


def render_opml(shows: Sequence[OpmlShow]) -> bytes:
    """Give the OPML document, UTF-8, with the shows in the order in which they come.

    Pure and byte-stable, so it names no date. Raises ValueError for an address that is relative or
    otherwise of no use.
    """
    # Loaded here, because who serves pages and feeds does without.
    from lxml import etree

    opml = etree.Element("opml", version="2.0")
    head = etree.SubElement(opml, "head")
    etree.SubElement(head, "title").text = _TITLE
    body = etree.SubElement(opml, "body")
    for show in shows:
        title = plain_line(show.title) or _UNTITLED
        # Apps differ in which of text and title they show (OPML 2.0 asks for text).
        etree.SubElement(
            body,
            "outline",
            text=title,
            title=title,
            type="rss",
            xmlUrl=absolute_url(show.feed_url),
            htmlUrl=absolute_url(show.page_url),
            language=show.language,
        )
    document: bytes = etree.tostring(
        opml, pretty_print=True, encoding="UTF-8", xml_declaration=False
    )
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + document


def _root(data: bytes) -> Any:
    from lxml import etree

    try:
        root = etree.fromstring(data, wary_parser(encoding=None))
    except (etree.XMLSyntaxError, ValueError):
        raise Invalid("This OPML list is damaged: its XML cannot be read.") from None
    if not isinstance(root.tag, str) or root.tag.lower() != "opml":
        raise Invalid("This is no OPML list.")
    return root
