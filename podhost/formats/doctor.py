"""The feed doctor: what is wrong with the bytes of a feed, in a podcaster's words.

It reads and says, and neither fetches nor mends anything; it has no clock. Rules: RSS 2.0, Apple,
Spotify, PSP-1, the podcast namespace, the W3C feed validator.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from podhost.formats.doctor_episodes import Episodes, is_host, place_of
from podhost.formats.doctor_report import THE_FEED, THE_SHOW, Report, View
from podhost.formats.doctor_rules import Finding
from podhost.formats.doctor_show import examine_show
from podhost.formats.feed_words import USUAL_NAMESPACES
from podhost.formats.feed_xml import ReadFeed, name_of

LARGE_BYTES, TOO_LARGE_BYTES = 2_000_000, 8_000_000
# Apple shows the newest 2,000 episodes (its notice of October 2023).
MOST_EPISODES = 2000

_OLD_PODCAST = (
    "https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/1.0.md",
    "https://github.com/podcastindex-org/podcast-namespace/blob/main/docs/1.0.md",
)
_BOM = b"\xef\xbb\xbf"
_ENCODING = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_.:\-]{1,40})[\"']")
_COMMENT_AT_END = re.compile(rb"</(?:\w+:)?(?:rss|RDF)\s*>\s*<!--")


def examine(feed: ReadFeed, *, body: bytes, now: datetime | None = None) -> list[Finding]:
    """All that is wrong with a feed, the worst first; `body` is the bytes as they came.

    `now` (aware) is needed to see dates in the future. Takes time in proportion to the feed's
    size. Never raises for anything that a feed may hold.
    """
    report = Report(now)
    _examine_bytes(body, report)
    for repair in feed.repairs:
        report.add("xml-broken", THE_FEED, repair.rstrip("."))
    channel = _examine_root(feed.root, report)
    if channel is not None:
        _examine_namespaces(feed.root, report)
        show = View(channel, THE_SHOW)
        examine_show(show, report)
        items = show.all("item") or _items_beside(feed.root)
        _examine_items(show, items, report)
    return report.findings()


def _examine_bytes(body: bytes, report: Report) -> None:
    if body.startswith(_BOM):
        report.add("xml-bom", THE_FEED)
    start = body.removeprefix(_BOM)[:2048]
    if not start.startswith(b"<?xml"):
        late = b"<?xml " in start and start.partition(b"<?xml ")[0].strip(b" \t\r\n") == b""
        report.add("xml-space-before" if late else "xml-declaration", THE_FEED)
    encoding = _ENCODING.search(start)
    if encoding is not None and encoding[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        report.add("xml-not-utf8", THE_FEED, encoding[1].decode("ascii"))
    if _COMMENT_AT_END.search(body[-2000:]):
        report.add("xml-comment-at-end", THE_FEED)
    if len(body) > LARGE_BYTES:
        rule = "feed-too-large" if len(body) > TOO_LARGE_BYTES else "feed-large"
        report.add(rule, THE_FEED, f"{len(body) / 1e6:.1f}")


def _examine_root(root: Any, report: Report) -> Any | None:
    name = name_of(root)
    if name.rpartition(":")[2].lower() != "rss":
        report.add("root-not-rss", THE_FEED, name)
        return None
    version = (root.get("version") or "").strip()
    if version != "2.0":
        report.add("rss-version", THE_FEED, version or "nothing")
    channels = View(root, THE_FEED).all("channel")
    if not channels:
        report.add("channel-missing", THE_FEED)
        return None
    if len(channels) > 1:
        report.add("channel-several", THE_FEED)
    return channels[0]


def _examine_namespaces(root: Any, report: Report) -> None:
    declared = {prefix: uri for prefix, uri in root.nsmap.items() if uri}
    inner = _inner_namespaces(root)
    everywhere = {**declared, **{prefix: uri for prefix, (uri, _) in inner.items()}}
    # One that is misspelled gets a sentence of its own below.
    if _folded(USUAL_NAMESPACES["itunes"]) not in map(_folded, everywhere.values()):
        report.add("namespace-itunes", THE_FEED)
    folded = {_folded(uri): (prefix, uri) for prefix, uri in USUAL_NAMESPACES.items()}
    for prefix, uri in everywhere.items():
        wanted = folded.get(_folded(uri))
        if wanted is None or uri in _OLD_PODCAST:
            continue
        if uri != wanted[1]:
            report.add("namespace-misspelled", THE_FEED, uri, wanted[1])
        elif prefix != wanted[0] and declared.get(wanted[0]) != uri:
            report.add("namespace-prefix", THE_FEED, f"{prefix} should be {wanted[0]}")
    for _, place in list(inner.values())[:1]:
        report.add("namespace-inner", THE_FEED, place)


def _inner_namespaces(root: Any) -> dict[str | None, tuple[str, str]]:
    """What is declared below the root: prefix to (URI, the element's name)."""
    found: dict[str | None, tuple[str, str]] = {}
    outer = len(root.nsmap)
    for element in root.iterdescendants("*"):
        # Reading a map costs little, comparing it more, so only those that grew are compared.
        inner = element.nsmap
        if len(inner) > outer:
            for prefix, uri in inner.items():
                if prefix not in root.nsmap and prefix not in found:
                    found[prefix] = (uri, name_of(element))
    return found


def _folded(uri: str) -> str:
    return uri.strip().lower().removeprefix("https://").removeprefix("http://").rstrip("/")


def _examine_items(show: View, items: list[Any], report: Report) -> None:
    medium = show.text("podcast:medium")
    is_list = medium.endswith("L") and len(medium) > 1
    if not items and not is_list and medium != "publisher":
        report.add("episodes-none", THE_SHOW)
    if items and is_list:
        report.add("list-with-items", THE_SHOW, medium)
    if len(items) > MOST_EPISODES:
        report.add("episodes-too-many", THE_SHOW, f"{len(items):,}")
    for name in _names_after_items(show.element):
        report.add("tags-after-items", THE_SHOW, name)
        break
    episodes = Episodes(
        report,
        is_serial=show.text("itunes:type") == "serial",
        has_hosts=any(is_host(person) for person in show.all("podcast:person")),
    )
    for number, item in enumerate(items, 1):
        episodes.examine(View(item, place_of(number, item)))
    if not episodes.is_newest_first():
        report.add("episodes-order", THE_SHOW)


def _names_after_items(channel: Any) -> Iterator[str]:
    has_item = False
    for child in channel:
        if isinstance(child.tag, str):
            name = name_of(child)
            if name == "item":
                has_item = True
            elif has_item:
                yield name


def _items_beside(root: Any) -> list[Any]:
    """Items that stand beside the channel, as in RSS 1.0."""
    return View(root, THE_FEED).all("item")
