"""Renders a show as the bytes of its RSS feed: a pure function of plain values, same in, same out.

It reads no clock, no database and no locale; what is in the feed and in which state is decided by
its caller. Rules: RSS 2.0, Apple, PSP-1, the podcast namespace, the W3C feed validator.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from html import escape
from typing import Any

from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

from podhost.formats import podcast_namespace
from podhost.formats.feed_shell import (
    FeedShell,
    Item,
    Namespaces,
    joined,
    newest_first,
    require_no_twins,
    whole_feed,
)
from podhost.formats.feed_values import (
    MAX_DESCRIPTION_BYTES,
    MAX_VALUE_CHARS,
    FeedEpisode,
    FeedShow,
)
from podhost.formats.feed_words import (
    NAMESPACES,
    RARE_NAMESPACES,
    USUAL_NAMESPACES,
)
from podhost.formats.foreign_tags import elements, namespace_pairs, shared_namespaces
from podhost.formats.markdown import truncate_html
from podhost.formats.podcast_namespace import rfc822_date
from podhost.formats.tag_elements import Tag, other_show_elements
from podhost.formats.tag_values import NO_EPISODE_TAGS
from podhost.formats.text import (
    absolute_url,
    clean_text,
    plain_line,
    plain_text,
    remove_forbidden,
    truncate_text,
    truncate_utf8,
)

CONTENT_TYPE = "application/rss+xml; charset=utf-8"

_MAX_CATEGORIES = 3
_TTL_MINUTES = 60
_UNTITLED = "Untitled"
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_FOOT = b"  </channel>\n</rss>\n"
_NO_ITEM = b"    <item/>\n"


def render_feed(show: FeedShow, episodes: Sequence[FeedEpisode]) -> bytes:
    """Give the RSS document of a show, UTF-8, newest episode first, in whatever order they come.

    Pure and byte-stable; safe in any number of threads. A feed over 2 MB keeps whole notes
    (content:encoded) and inline chapters for its newest 100 episodes only; every episode keeps its
    description and the link to its chapters.
    Raises ValueError for a relative or otherwise unusable address, and when two episodes share a
    guid or an enclosure (apps and Apple drop the second).
    """
    in_order = newest_first(episodes)
    require_no_twins((episode.guid, episode.enclosure_url) for episode in in_order)
    trailers = [episode for episode in in_order if episode.episode_type == "trailer"]
    shell = rss_shell(
        show,
        newest_at=in_order[0].published_at if in_order else None,
        trailers=trailers if show.trailers is None else show.trailers,
        used=joined(used_namespaces(episode) for episode in in_order),
    )
    return whole_feed(shell, in_order)


def rss_shell(
    show: FeedShow,
    *,
    newest_at: datetime | None,
    trailers: Sequence[FeedEpisode],
    used: Namespaces,
) -> FeedShell:
    """Give the RSS document of a show without its episodes.

    `newest_at` is when the newest of them was published, `trailers` are those of this type,
    newest first, and `used` are the namespaces of all of them.
    """
    tree = _tree(show, newest_at, trailers, used)
    text = _serialised(tree)
    frame = _line(show.author), tuple(tree.nsmap.items())
    return FeedShell(text[: -len(_FOOT)], b"", _FOOT, frame, _item_writer)


def used_namespaces(episode: FeedEpisode) -> Namespaces:
    """What an episode's tags need of the document beside what each feed declares."""
    if episode.tags is NO_EPISODE_TAGS and not episode.inline_chapters:
        return Namespaces()
    names = {tag.name.partition(":")[0] for tag in podcast_namespace.episode_tags(episode)}
    foreign = namespace_pairs(elements(episode.tags.foreign_tags))
    return Namespaces(frozenset(RARE_NAMESPACES.keys() & names), foreign)


def _item_writer(frame: tuple[Any, ...]) -> Callable[[FeedEpisode], Item]:
    """What writes an episode as an item of a document with this author and these namespaces."""
    show_author, namespaces = frame
    # Each item is written inside a document, because namespaces are declared there, and alone in
    # it, because a tree of thousands takes hundreds of megabytes.
    rss = etree.Element("rss", nsmap=dict(namespaces), version="2.0")
    channel = etree.SubElement(rss, "channel")
    etree.SubElement(channel, "item")
    start = _serialised(rss).index(_NO_ITEM)
    left_out = _qualified("content:encoded"), _qualified("psc:chapters")

    def write(episode: FeedEpisode) -> Item:
        item = _entry(episode, show_author).rss_entry()
        channel[:] = [item]
        whole = _serialised(rss)[start : -len(_FOOT)]
        surplus = list(item.iterchildren(*left_out))
        if not surplus:
            return Item(whole, whole)
        for element in surplus:
            item.remove(element)
        return Item(whole, _serialised(rss)[start : -len(_FOOT)])

    return write


class _Generator(FeedGenerator):  # type: ignore[misc]
    """feedgen's generator without its clock and its dates.

    feedgen prints lastBuildDate as "now" unless told otherwise and switches the locale of the
    whole process for each date it prints, so the dates are tags of ours.
    """

    def __init__(self) -> None:
        super().__init__()
        self._FeedGenerator__rss_lastBuildDate = None

    def document(self) -> Any:
        return self._create_rss()[0]


class _ShowTags(BaseExtension):  # type: ignore[misc]
    """Appends our tags to the channel."""

    def __init__(self) -> None:
        self.tags: tuple[Tag, ...] = ()
        self.foreign: list[Any] = []
        self.used = Namespaces()

    def extend_ns(self) -> dict[str, str]:
        used = {tag.name.partition(":")[0] for tag in self.tags} | self.used.rare
        rare = {name: uri for name, uri in RARE_NAMESPACES.items() if name in used}
        return USUAL_NAMESPACES | rare | shared_namespaces(self.used.foreign)

    def extend_rss(self, rss: Any) -> Any:
        for tag in self.tags:
            _append(rss[0], tag)
        rss[0].extend(self.foreign)
        return rss


class _EpisodeTags(BaseEntryExtension):  # type: ignore[misc]
    """Appends our tags to an item and writes its description as CDATA."""

    def __init__(self) -> None:
        self.tags: tuple[Tag, ...] = ()
        self.foreign: list[Any] = []

    def extend_rss(self, item: Any) -> Any:
        description = next(item.iterchildren("description"))
        description.text = etree.CDATA(description.text)
        for tag in self.tags:
            _append(item, tag)
        item.extend(self.foreign)
        return item


def _tree(
    show: FeedShow, newest_at: datetime | None, trailers: Sequence[FeedEpisode], used: Namespaces
) -> Any:
    feed = _Generator()
    # The name "podcast" is taken by feedgen's own iTunes extension.
    feed.register_extension("ours", _ShowTags, _EpisodeTags, atom=False, rss=True)
    title = _line(show.title) or _UNTITLED
    url = absolute_url(show.url)
    feed.title(title)
    feed.description(truncate_utf8(plain_text(show.description), MAX_DESCRIPTION_BYTES) or title)
    feed.link(href=absolute_url(show.feed_url), rel="self", type="application/rss+xml")
    # RSS <link> is whatever link came last.
    feed.link(href=url, rel="alternate")
    feed.language(show.language.lower())
    feed.generator(_line(show.generator))
    feed.docs("https://www.rssboard.org/rss-specification")
    feed.ttl(_TTL_MINUTES)
    feed.image(url=absolute_url(show.artwork_url), title=title, link=url)
    if show.tags.managing_editor:
        feed.managingEditor(show.tags.managing_editor)
    if show.tags.web_master:
        feed.webMaster(show.tags.web_master)
    if show.copyright and (copyright_line := _line(show.copyright)):
        feed.copyright(copyright_line)
    feed.ours.tags = tuple(_show_tags(show, newest_at, trailers))
    feed.ours.foreign = elements(show.tags.foreign_tags)
    feed.ours.used = joined([used, Namespaces(foreign=namespace_pairs(feed.ours.foreign))])
    return feed.document()


def _entry(episode: FeedEpisode, show_author: str) -> FeedEntry:
    entry = FeedEntry()
    entry.register_extension("ours", _EpisodeTags, atom=False, rss=True)
    title = _line(episode.title) or _UNTITLED
    notes = clean_text(episode.notes_html)
    entry.title(title)
    entry.link(href=absolute_url(episode.url))
    if notes and not episode.is_slim:
        entry.content(notes, type="CDATA")
    # Spotify wants a description of every episode.
    fallback = f"<p>{escape(title, quote=False)}</p>"
    entry.description(truncate_html(notes, MAX_DESCRIPTION_BYTES) or fallback)
    entry.guid(remove_forbidden(episode.guid), permalink=_is_permalink(episode))
    entry.enclosure(
        absolute_url(episode.enclosure_url),
        str(episode.enclosure_size_bytes),
        episode.enclosure_type,
    )
    entry.ours.tags = tuple(_episode_tags(episode, show_author))
    entry.ours.foreign = elements(episode.tags.foreign_tags)
    return entry


def _show_tags(
    show: FeedShow, newest_at: datetime | None, trailers: Sequence[FeedEpisode]
) -> Iterator[Tag]:
    for hub_url in show.hub_urls:
        yield Tag("atom:link", None, {"href": absolute_url(hub_url), "rel": "hub"})
    for rel, page_url in show.page_links:
        attributes = {"href": absolute_url(page_url), "rel": rel, "type": "application/rss+xml"}
        yield Tag("atom:link", None, attributes)
    if newest_at is not None:
        yield Tag("pubDate", rfc822_date(newest_at))
    yield Tag("lastBuildDate", rfc822_date(show.changed_at))
    yield from _itunes_show_tags(show)
    yield from podcast_namespace.show_tags(show, trailers)
    yield from other_show_elements(show.tags)


def _itunes_show_tags(show: FeedShow) -> Iterator[Tag]:
    if author := _line(show.author):
        yield Tag("itunes:author", author)
    if show.tags.apple_title:
        yield Tag("itunes:title", show.tags.apple_title)
    yield Tag("itunes:type", show.show_type)
    yield Tag("itunes:explicit", _boolean(show.explicit))
    yield Tag("itunes:image", None, {"href": absolute_url(show.artwork_url)})
    for name, subcategory in show.categories[:_MAX_CATEGORIES]:
        nested = (Tag("itunes:category", None, {"text": subcategory}),) if subcategory else ()
        yield Tag("itunes:category", None, {"text": name}, nested)
    if show.owner_email and (email := _line(show.owner_email)):
        name = _line(show.owner_name or "") or author
        children = (Tag("itunes:name", name),) if name else ()
        yield Tag("itunes:owner", None, {}, (*children, Tag("itunes:email", email)))
    if show.new_feed_url:
        yield Tag("itunes:new-feed-url", absolute_url(show.new_feed_url))
    # Any other value than Yes would mean the same as no tag at all.
    if show.is_blocked:
        yield Tag("itunes:block", "Yes")
    if show.is_complete:
        yield Tag("itunes:complete", "Yes")


def _episode_tags(episode: FeedEpisode, show_author: str) -> Iterator[Tag]:
    yield Tag("pubDate", rfc822_date(episode.published_at))
    if episode.tags.apple_title:
        yield Tag("itunes:title", episode.tags.apple_title)
    yield Tag("itunes:duration", str(max(1, round(episode.duration_seconds))))
    yield Tag("itunes:explicit", _boolean(episode.explicit))
    yield Tag("itunes:episodeType", episode.episode_type)
    if episode.season is not None:
        yield Tag("itunes:season", str(episode.season))
    if episode.number is not None:
        yield Tag("itunes:episode", str(episode.number))
    if episode.author and (author := _line(episode.author)) and author != show_author:
        yield Tag("itunes:author", author)
    if episode.artwork_url:
        yield Tag("itunes:image", None, {"href": absolute_url(episode.artwork_url)})
    if episode.is_blocked:
        yield Tag("itunes:block", "Yes")
    yield from podcast_namespace.episode_tags(episode)


def _append(parent: Any, tag: Tag) -> None:
    element = etree.SubElement(parent, _qualified(tag.name), tag.attributes)
    if tag.text is not None:
        element.text = tag.text
    for child in tag.children:
        _append(element, child)


@lru_cache(maxsize=128)
def _qualified(name: str) -> str:
    prefix, colon, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}" if colon else name


def _serialised(document: Any) -> bytes:
    # lxml's own declaration has single quotes, which are legal but unusual.
    body: bytes = etree.tostring(
        document, pretty_print=True, encoding="UTF-8", xml_declaration=False
    )
    return _DECLARATION + body


def _line(text: str) -> str:
    return truncate_text(plain_line(text), MAX_VALUE_CHARS)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _is_permalink(episode: FeedEpisode) -> bool:
    """Say so only of a guid that is an address: anything else with that mark is invalid RSS."""
    if not episode.guid_is_permalink:
        return False
    try:
        absolute_url(episode.guid)
    except ValueError:
        return False
    return True
