"""Tags that podhost does not know: each one XML element as text, the same bytes wherever it stands.

It decides which elements may stand in a feed beside podhost's own, and knows nothing of what they
mean. Bytes: Exclusive XML Canonicalization 1.0 (W3C), but that empty elements are one tag.
"""

import copy
import re
from collections.abc import Iterable, Sequence
from typing import Any

from podhost.formats.feed_words import RARE_NAMESPACES, USUAL_NAMESPACES
from podhost.formats.feed_xml import name_of, wary_parser
from podhost.formats.text import remove_forbidden, shown

LONGEST_TAG_BYTES = 8_000
# All tags of a show or an episode: a text file holds 64 KB, and puts a backslash before quotes.
LONGEST_TAGS_BYTES = 24_000
MOST_TAGS = 100
MOST_ELEMENTS = 200
_MAX_DEPTH = 16
# What is written anew changes the bytes at most so often before they stay.
_MAX_TURNS = 4

_OUR_NAMESPACES = USUAL_NAMESPACES | RARE_NAMESPACES
_PREFIXES = {uri: prefix for prefix, uri in _OUR_NAMESPACES.items()}


def _words(names: str) -> frozenset[str]:
    return frozenset(names.split())


# Read into fields, or written anew by podhost itself.
REPLACED = _words(
    "title link description language copyright managingEditor webMaster pubDate lastBuildDate"
    " generator docs ttl image cloud rating textInput skipHours skipDays item guid enclosure"
    " rss channel url width height"
    " content:encoded dc:language dc:date dc:creator dc:title atom:link atom:updated atom:published"
    " atom:title atom:id atom:summary atom:content atom:subtitle atom:entry atom:feed xhtml:body"
    " googleplay:image googleplay:explicit googleplay:author itunes:title itunes:image"
    " itunes:explicit itunes:author itunes:type itunes:category itunes:owner itunes:name"
    " itunes:email itunes:complete itunes:block itunes:new-feed-url itunes:duration itunes:episode"
    " itunes:season itunes:episodeType itunes:applepodcastsverify psc:chapters"
    " feedburner:origEnclosureLink"
)
PODCAST_TAGS = _words(
    "podcast:guid podcast:locked podcast:medium podcast:person podcast:transcript"
    " podcast:chapters podcast:soundbite podcast:funding podcast:license podcast:season"
    " podcast:episode podcast:txt podcast:location podcast:trailer podcast:value podcast:image"
    " podcast:block podcast:updateFrequency podcast:podping podcast:podroll podcast:remoteItem"
    " podcast:publisher podcast:chat podcast:socialInteract podcast:liveItem"
    " podcast:alternateEnclosure podcast:contentLink"
)
# Nobody reads these any more, or they lead back to the old host.
_OBSOLETE = _words(
    "category comments author source itunes:subtitle itunes:summary itunes:keywords itunes:order"
    " itunes:isClosedCaptioned media:content media:player sy:updatePeriod sy:updateFrequency"
    " slash:comments wfw:commentRss podcast:images podcast:previousUrl"
)
# Of these nothing is kept: they tell how the old feed was paged or written down.
_OBSOLETE_PREFIXES = ("googleplay:", "feedburner:", "fh:", "psc:", "content:", "rdf:")


def is_obsolete(name: str) -> bool:
    """Whether nobody reads a tag of that name (`feed_xml.name_of`) in another host's feed."""
    is_of_old = name in _OBSOLETE or name.startswith(_OBSOLETE_PREFIXES)
    return is_of_old and name not in REPLACED


def is_foreign(name: str) -> bool:
    """Whether podhost knows no tag of that name."""
    return name not in REPLACED and name not in PODCAST_TAGS and not is_obsolete(name)


def read_foreign_tag(written: str) -> str:
    """The canonical text of one XML element. Raises ValueError with a sentence for what no feed
    may have beside podhost's own tags."""
    text = written.strip()
    if not text:
        return ""
    if remove_forbidden(text) != text:
        raise ValueError("It has characters that XML forbids.")
    if len(text.encode()) > 2 * LONGEST_TAG_BYTES:
        raise ValueError(_TOO_LONG)
    return canonical(_parsed(text))


def canonical(element: Any) -> str:
    """The text that stands for a foreign element, without what follows it. Raises ValueError."""
    _check(element)
    text = _settled(element)
    if len(text.encode()) > LONGEST_TAG_BYTES:
        raise ValueError(_TOO_LONG)
    # libxml2 leaves "&" in addresses of namespaces as it is, and broken feeds hold more such.
    _parsed(text)
    return text


def total_problems(tags: Sequence[str]) -> dict[str, str]:
    """What is wrong with all tags of a show or an episode together, as a sentence."""
    if len(tags) > MOST_TAGS:
        return {"": f"It has {len(tags)} entries; {MOST_TAGS} are the most."}
    if sum(len(tag.encode()) for tag in tags) <= LONGEST_TAGS_BYTES:
        return {}
    return {"": f"It has more than {LONGEST_TAGS_BYTES} bytes in all."}


def fitting(tags: Iterable[str]) -> list[str]:
    """The first of the canonical texts, as many as one show or episode may have."""
    kept: list[str] = []
    size_bytes = 0
    for tag in tags:
        size_bytes += len(tag.encode())
        if len(kept) >= MOST_TAGS or size_bytes > LONGEST_TAGS_BYTES:
            break
        kept.append(tag)
    return kept


def elements(tags: Iterable[str]) -> list[Any]:
    """Canonical texts as elements that can be put into a feed."""
    return [_parsed(tag) for tag in tags]


def namespace_pairs(tags: Iterable[Any]) -> frozenset[tuple[str | None, str]]:
    """The prefixes that are used in these elements, each with its address."""
    return frozenset(
        pair for tag in tags for element in tag.iter() for pair in element.nsmap.items()
    )


def shared_namespaces(used: Iterable[tuple[str | None, str]]) -> dict[str, str]:
    """What the root of a feed whose elements use these prefixes can declare once for all of them.

    Only prefixes and addresses that mean each other alone: any other stays where it stands.
    """
    uris: dict[str | None, set[str]] = {}
    prefixes: dict[str, set[str | None]] = {}
    for prefix, uri in used:
        uris.setdefault(prefix, set()).add(uri)
        prefixes.setdefault(uri, set()).add(prefix)
    pairs = [(prefix, *found) for prefix, found in uris.items() if prefix and len(found) == 1]
    return {
        prefix: uri
        for prefix, uri in sorted(pairs)
        if len(prefixes[uri]) == 1
        and _OUR_NAMESPACES.get(prefix, uri) == uri
        and _PREFIXES.get(uri, prefix) == prefix
    }


_TOO_LONG = f"It is longer than the {LONGEST_TAG_BYTES} bytes that one may have."
_TOO_MANY_NAMES = "It gives the same namespaces too many names."
_EMPTY = re.compile(r'<([^\s<>/"]+)((?: [^\s="<>]+="[^"<]*")*)></\1>')
_DECLARATION = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


def _parsed(text: str) -> Any:
    # Loaded here, because who serves pages and feeds does without.
    from lxml import etree

    try:
        element = etree.fromstring(text.encode(), wary_parser())
    except etree.XMLSyntaxError as error:
        if _DECLARATION.search(text):
            raise ValueError("It must not have a DOCTYPE or entities of its own.") from None
        reason = shown(str(error.msg or "").partition(", line")[0], 100)
        raise ValueError(f"It is not one whole XML element: {reason}.") from None
    if element.getroottree().docinfo.internalDTD is not None:
        raise ValueError("It must not have a DOCTYPE or entities of its own.")
    return element


def _check(tag: Any) -> None:
    if is_obsolete(name_of(tag)):
        raise ValueError(f"It is <{shown(name_of(tag), 40)}>, which no app reads any more.")
    for count, element in enumerate(tag.iter(), 1):
        if not isinstance(element.tag, str):
            raise ValueError("It has something inside that is neither a tag nor text.")
        name = name_of(element)
        if element.tag[0] != "{":
            name = shown(element.tag, 40)
            raise ValueError(f"It says <{name}> without a namespace, which RSS does not allow.")
        if name in REPLACED or name in PODCAST_TAGS:
            raise ValueError(f"It says <{shown(name, 40)}>, which has a place of its own.")
        if count > MOST_ELEMENTS:
            raise ValueError(f"It has more than {MOST_ELEMENTS} tags inside.")
    if _depth(tag) > _MAX_DEPTH:
        raise ValueError(f"It has tags inside each other more than {_MAX_DEPTH} deep.")


def _depth(element: Any) -> int:
    return 1 + max((_depth(child) for child in element), default=0)


def _settled(element: Any) -> str:
    text = _written(_copied(element))
    # Under one prefix alone nothing can change any more; most tags are so.
    if (
        text.count("xmlns") == 1
        and element.prefix
        and element.tag[1:].partition("}")[0] not in (_PREFIXES)
    ):
        return text
    for _ in range(_MAX_TURNS):
        tag = _reread(text)
        before, text = text, _written(tag)
        if text == before and _is_plain(tag) and _meaning(tag) == _meaning(element):
            # Other prefixes may have become other names.
            _check(tag)
            return text
    raise ValueError(_TOO_MANY_NAMES)


def _reread(text: str) -> Any:
    """The element as it comes back from a feed: libxml2 prints it by what its ancestors declare."""
    from lxml import etree

    root, item = etree.Element("rss", nsmap=_OUR_NAMESPACES), etree.Element("item")
    item.append(_parsed(text))
    root.append(item)
    try:
        return etree.fromstring(etree.tostring(root))[0][0]
    except etree.XMLSyntaxError:
        raise ValueError(_TOO_MANY_NAMES) from None


def _is_plain(tag: Any) -> bool:
    """Whether each prefix means one namespace and the other way round, podhost's own as in feeds.

    Otherwise what libxml2 prints hangs on what stands beside it, and attributes may even change
    their namespace.
    """
    pairs = {pair for element in tag.iter() for pair in element.nsmap.items()}
    pairs -= set(_OUR_NAMESPACES.items())
    uris = {uri for _, uri in pairs}
    return len(uris) == len({prefix for prefix, _ in pairs}) == len(pairs) and (
        uris.isdisjoint(_PREFIXES)
    )


def _meaning(tag: Any) -> list[Any]:
    return [(element.tag, dict(element.attrib)) for element in tag.iter()]


def _copied(element: Any) -> Any:
    """The element, or a copy of it without the spaces that only indent: feeds are indented anew."""
    if len(element) == 0:
        return element
    tag = copy.deepcopy(element)
    tag.tail = None
    for inner in tag.iter():
        if len(inner) and not _has_text(inner):
            inner.text = None
            for child in inner:
                child.tail = None
    return tag


def _has_text(element: Any) -> bool:
    texts = [element.text, *(child.tail for child in element)]
    return any(text and text.strip(" \t\r\n") for text in texts)


def _written(element: Any) -> str:
    from lxml import etree

    try:
        text: str = etree.tostring(element, method="c14n", exclusive=True).decode()
    except etree.LxmlError:
        raise ValueError("It has a namespace that is no whole address.") from None
    return _EMPTY.sub(r"<\1\2/>", text)
