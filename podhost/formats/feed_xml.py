"""Feeds of others as XML: parsed strictly, else repaired in steps, never guessed at silently.

It knows namespaces and names of elements, and nothing of what they mean to a show. Entities are
never expanded, and nothing that a document names is ever read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from podhost.errors import Invalid
from podhost.formats.feed_bytes import decoded, encoding_of
from podhost.formats.feed_mending import close_void_tags, mended
from podhost.formats.text import shown

Level = Literal["strict", "repaired", "recovered"]

NAMED_ERRORS = 3
_CACHED_CHARS = 200
_ITEMS = frozenset({"item", "entry"})
_IDENTITIES = frozenset({"guid", "enclosure", "atom:id", "atom:link", "id"})
# All that may stand before the root, and the DOCTYPE if there is one.
_PROLOG = re.compile(rb"(?:\s++|<\?.*?\?>|<!--.*?-->)*+(<!DOCTYPE\s*+)?", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReadFeed:
    """A feed as a tree. `level` is how far its XML can be trusted: strict (it was right), repaired
    (nothing is lost) or recovered (something may be missing); `repairs` says in sentences what
    was done."""

    root: Any
    level: Level
    repairs: tuple[str, ...] = ()


def read_feed(body: bytes, content_type: str = "") -> ReadFeed:
    """The feed in `body`: RSS, Atom or RDF; `content_type` is the header that came with it.

    Raises Invalid with a sentence for what is no feed, and for one that is damaged in such a way
    that episodes are missing.
    """
    encoding, repairs = encoding_of(body, content_type)
    if encoding == "utf-8" and not repairs:
        # libxml2 judges the bytes of UTF-8 itself; most feeds need nothing else.
        root = strict_root(body)
        if root is not None:
            return ReadFeed(_as_feed(root), "strict")
    text, assumed = decoded(body, encoding)
    repairs += assumed
    whole = text.encode("utf-8", "ignore")
    if not repairs and encoding != "utf-8":
        root = strict_root(whole)
        if root is not None:
            return ReadFeed(_as_feed(root), "strict")
    _refuse_what_is_no_feed(whole)
    return _repaired(text, repairs, content_type)


def text_of(element: Any) -> str:
    """The whole text inside an element, that of elements within it too."""
    if len(element) == 0:
        return element.text or ""
    return "".join(element.itertext())


def name_of(element: Any) -> str:
    """The name of an element as feeds customarily print it: "itunes:author", or "title" where RSS
    itself defines it; "" for what is no element.

    Namespaces are told by their address, in the spellings that feeds are seen with, and by their
    prefix when nobody knows the address.
    """
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    if tag[0] != "{":
        return _RSS_NAMES.get(tag.lower(), tag) if len(tag) < _CACHED_CHARS else tag
    name = _cached_name if len(tag) < _CACHED_CHARS else _name
    return name(tag, element.prefix)


def wary_parser(*, encoding: str | None = "utf-8", recover: bool = False) -> Any:
    """A parser for what strangers wrote: no entities, no files, nothing fetched, nothing huge.

    With an `encoding`, what the declaration says is passed over.
    """
    # Loaded here, because who serves pages and feeds does without.
    from lxml import etree

    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
        encoding=encoding,
    )


def strict_root(body: bytes) -> Any:
    """The root, or None when something is wrong, or a DOCTYPE could define entities."""
    from lxml import etree

    prolog = _PROLOG.match(body)
    if prolog is None or prolog[1]:
        return None
    try:
        return etree.fromstring(body, wary_parser())
    except etree.XMLSyntaxError:
        return None


def _refuse_what_is_no_feed(body: bytes) -> None:
    if not body.strip():
        raise Invalid("This is not a feed: it is empty.")
    prolog = _PROLOG.match(body)
    rest = body[prolog.end() if prolog else 0 :][:5].lower()
    if rest == b"<html" or (prolog and prolog[1] and rest.startswith(b"html")):
        raise _web_page()


def _web_page() -> Invalid:
    return Invalid(
        "This is not a feed: it is a web page. Give the address of the feed itself, which ends in "
        ".xml or /rss at most hosts."
    )


def _repaired(text: str, repairs: Sequence[str], content_type: str) -> ReadFeed:
    mending = mended(text)
    if mending is None:
        raise _no_feed(text, content_type)
    if not mending.is_closed:
        raise Invalid("The feed is cut off in the middle: its end is missing. Try it again.")
    repairs = [*repairs, *mending.repairs]
    root = strict_root(mending.text.encode("utf-8"))
    if root is not None:
        if not repairs:
            repairs.append("Comments or a declaration that XML does not allow were left out.")
        return ReadFeed(_as_feed(root), "repaired", tuple(repairs))
    closed = close_void_tags(mending)
    if closed != mending.text:
        root = strict_root(closed.encode("utf-8"))
        if root is not None:
            repairs.append("Tags such as <br> were closed.")
            return ReadFeed(_as_feed(root), "repaired", tuple(repairs))
    return _recovered(closed, repairs, mending.item_count)


def _no_feed(text: str, content_type: str) -> Invalid:
    start = text.lstrip("\ufeff \t\r\n")
    if re.search(r"<(?:html|body|div|head)\b", start[:5000], re.IGNORECASE):
        return _web_page()
    if content_type.strip().lower().startswith("text/html"):
        return _web_page()
    if start.startswith(("{", "[")):
        return Invalid("This is not a feed: it looks like JSON. podhost reads RSS.")
    if start.startswith("<"):
        return Invalid("This is not a feed: it may be XML, but neither RSS nor Atom.")
    return Invalid("This is not a feed: there is no XML in it.")


def _recovered(text: str, repairs: list[str], item_count: int) -> ReadFeed:
    """What libxml2 makes of a feed that is still wrong, if no episode went missing."""
    from lxml import etree

    parser = wary_parser(recover=True)
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except etree.XMLSyntaxError:
        root = None
    if root is None:
        raise Invalid("The feed is damaged: its XML cannot be read.")
    errors = [entry for entry in parser.error_log if entry.level >= etree.ErrorLevels.ERROR]
    lines = "; ".join(
        f"line {entry.line}: {shown(entry.message)}" for entry in errors[:NAMED_ERRORS]
    )
    root = _as_feed(root)
    items = [element for element in root.iter() if name_of(element).split(":")[-1] in _ITEMS]
    if len(items) < item_count or not all(map(_has_identity, items)):
        raise Invalid(f"The feed is damaged: episodes would be lost ({lines}).")
    passed = "A mistake was" if len(errors) == 1 else f"{len(errors)} mistakes were"
    repairs.append(f"{passed} passed over, text may be missing: {lines}.")
    return ReadFeed(root, "recovered", tuple(repairs))


def _has_identity(item: Any) -> bool:
    return any(name_of(child) in _IDENTITIES for child in item)


def _as_feed(root: Any) -> Any:
    """The root of a feed, its RSS in no namespace. Raises Invalid for another root."""
    from lxml import etree

    uri, local = _split(root.tag)
    if local.lower() == "html":
        raise _web_page()
    if local.lower() not in ("rss", "feed", "rdf"):
        raise Invalid(
            "This is not a feed: it is XML, but neither RSS nor Atom. It begins with "
            f"<{shown(local, 40)}>."
        )
    if local.lower() == "rss" and uri:
        # Some feeds put all of RSS into a namespace by mistake; readers take no notice of it.
        for element in root.iter(etree.Element):
            own_uri, own_local = _split(element.tag)
            if own_uri == uri and element.prefix == root.prefix and ":" not in own_local:
                element.tag = own_local
    return root


def _split(tag: str) -> tuple[str, str]:
    """Namespace and name of a tag. An address may hold braces too, and lxml would raise."""
    return ("", tag) if tag[0] != "{" else (tag[1:].rpartition("}")[0], tag.rpartition("}")[2])


# Namespaces -------------------------------------------------------------------------------------

# The first is the customary one; compared are addresses without scheme, case, www. and last slash.
_NAMESPACES = {
    "itunes": (
        "itunes.com/dtds/podcast-1.0.dtd",
        "itunes.com/dtds/podcast-1.0",
        "itunes.com/dtds/podcast.dtd",
    ),
    "podcast": (
        "podcastindex.org/namespace/1.0",
        "github.com/podcastindex-org/podcast-namespace/blob/main/docs/1.0.md",
    ),
    "atom": ("w3.org/2005/atom", "purl.org/atom/ns"),
    "content": ("purl.org/rss/1.0/modules/content",),
    "psc": ("podlove.org/simple-chapters", "podlove.de/simple-chapters"),
    "fh": ("purl.org/syndication/history/1.0",),
    "media": ("search.yahoo.com/mrss", "search.yahoo.com/rss", "video.search.yahoo.com/mrss"),
    "dc": ("purl.org/dc/elements/1.1", "purl.org/dc/elements/1.0"),
    "dcterms": ("purl.org/dc/terms",),
    "spotify": ("spotify.com/ns/rss",),
    "googleplay": (
        "google.com/schemas/play-podcasts/1.0",
        "google.com/schemas/play-podcasts/1.0/play-podcasts.xsd",
    ),
    "sy": ("purl.org/rss/1.0/modules/syndication",),
    "slash": ("purl.org/rss/1.0/modules/slash",),
    "wfw": ("wellformedweb.org/commentapi",),
    "feedburner": ("rssnamespace.org/feedburner/ext/1.0",),
    "rawvoice": ("rawvoice.com/rawvoicerssmodule", "blubrry.com/developer/rawvoice-rss"),
    "creativeCommons": ("backend.userland.com/creativecommonsrssmodule",),
    "rdf": ("w3.org/1999/02/22-rdf-syntax-ns",),
    "xhtml": ("w3.org/1999/xhtml",),
    # RSS itself has no namespace, and these were used for it all the same.
    "": (
        "purl.org/rss/1.0",
        "backend.userland.com/rss2",
        "blogs.law.harvard.edu/tech/rss",
        "cyber.law.harvard.edu/rss/rss.html",
        "my.netscape.com/rdf/simple/0.9",
    ),
}
_PREFIXES = {spelling: prefix for prefix, known in _NAMESPACES.items() for spelling in known}
# XML tells "pubdate" from "pubDate", apps often do not.
_RSS_NAMES = {
    name.lower(): name
    for name in (
        *("rss", "channel", "item", "title", "link", "description", "language", "copyright"),
        *("managingEditor", "webMaster", "pubDate", "lastBuildDate", "category", "generator"),
        *("docs", "cloud", "ttl", "image", "rating", "textInput", "skipHours", "skipDays"),
        *("author", "comments", "enclosure", "guid", "source", "url", "width", "height"),
    )
}


def _name(tag: str, prefix: str | None) -> str:
    uri, local = _split(tag)
    plain = re.sub(r"^(?:https?://)?(?:www\.)?", "", uri.strip().lower()).rstrip("/#")
    known = _PREFIXES.get(plain, prefix or "")
    return f"{known}:{local}" if known else _RSS_NAMES.get(local.lower(), local)


_cached_name = lru_cache(maxsize=1024)(_name)
