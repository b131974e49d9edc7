"""Which episodes stand in which of a show's feeds, and on which page: values in, values out.

It renders nothing and reads no clock: what is due at `now` is decided by its caller's clock.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, Self, TypeVar

from podhost.formats.feed_shell import newest_first
from podhost.formats.feed_values import FeedEpisode, FeedShow
from podhost.formats.tag_values import FurtherFeed

MAIN_PATH = "feed.xml"
# Where the older pages of the show's own feed are.
PAGES = "feed/"
_ENDING = ".xml"


class Slimming(Protocol):
    """An episode, or what stands for one."""

    def slim(self) -> Self:
        """The same with as little as an older episode needs."""
        ...


S = TypeVar("S", bound=Slimming)


@dataclass(frozen=True, slots=True)
class FeedDocument:
    """One document to be rendered; `path` is the rest of its address below the show's slug."""

    path: str
    show: FeedShow
    episodes: Sequence[FeedEpisode]
    is_private: bool = False


def further_path(name: str) -> str:
    """Where the further feed of this name is, below the show's slug."""
    return f"feeds/{name}{_ENDING}"


def further_guid(show_guid: str, name: str) -> str:
    """The podcast:guid of a further feed: made of the show's own, so that it stays with the show
    wherever that goes, and two feeds of a show never share one."""
    return str(uuid.uuid5(uuid.UUID(show_guid), name))


def further_title(show_title: str, rule: FurtherFeed) -> str:
    """What a further feed is called: never by the name of a private one."""
    word = "early" if rule.early_hours else "private" if rule.private else rule.name
    return rule.title or f"{show_title} ({word})"


def main_page(show: FeedShow, count: int) -> tuple[FeedShow, int]:
    """What the show's own feed says of the show, where it has so many episodes, and how many of
    them, the newest, stand in it."""
    size = show.tags.feed_page_size
    pages = _older_pages(count, size)
    if not size or not pages:
        return show, count
    return replace(show, page_links=_links(show.feed_url, 0, pages)), count - pages * size


def main_document(show: FeedShow, episodes: Sequence[FeedEpisode]) -> FeedDocument:
    """The show's own feed: all of it, or its newest page where the show wants pages."""
    return next(_pages(MAIN_PATH, show, episodes, show.tags.feed_page_size))


def further_documents(
    show: FeedShow,
    episodes: Sequence[FeedEpisode],
    scheduled: Sequence[FeedEpisode],
    now: datetime,
) -> Iterator[FeedDocument]:
    """Everything beside the show's own feed: its older pages, and further feeds with theirs.

    `show` is what the show's own feed says; `scheduled` are episodes that are not out yet.
    """
    yield from list(_pages(MAIN_PATH, show, episodes, show.tags.feed_page_size))[1:]
    for rule in show.tags.feeds:
        path = further_path(rule.name)
        chosen = choose(rule, episodes, scheduled, now)
        # Where the oldest drops out each time, all pages would change each time.
        page_size = None if rule.newest else show.tags.feed_page_size
        for document in _pages(path, _further_show(show, rule), chosen, page_size):
            yield replace(document, is_private=rule.is_private)


def choose(
    rule: FurtherFeed,
    episodes: Iterable[FeedEpisode],
    scheduled: Iterable[FeedEpisode],
    now: datetime,
) -> list[FeedEpisode]:
    """The episodes of a further feed at this moment, newest first.

    Where it is late or early, each episode has the date of its coming into this feed: apps hide
    what is dated ahead, and sort what comes late among the old.
    """
    shift = _shift(rule)
    found = [
        replace(episode, published_at=episode.published_at + shift)
        for episode in _candidates(rule, episodes, scheduled)
        if not shift or episode.published_at + shift <= now
    ]
    return newest_first(found)[: rule.newest]


def next_change(
    rules: Iterable[FurtherFeed],
    episodes: Sequence[FeedEpisode],
    scheduled: Sequence[FeedEpisode],
    now: datetime,
) -> datetime | None:
    """When, after `now`, the next episode comes into one of these feeds by itself."""
    coming = (
        at
        for rule in rules
        if (shift := _shift(rule))
        for episode in _candidates(rule, episodes, scheduled)
        if (at := episode.published_at + shift) > now
    )
    return min(coming, default=None)


def slimmed(episodes: Sequence[S], slim_after: int | None) -> Sequence[S]:
    """The episodes, newest first, those behind the first `slim_after` slim."""
    if not slim_after or len(episodes) <= slim_after:
        return episodes
    return [*episodes[:slim_after], *(episode.slim() for episode in episodes[slim_after:])]


def _candidates(
    rule: FurtherFeed, episodes: Iterable[FeedEpisode], scheduled: Iterable[FeedEpisode]
) -> Iterator[FeedEpisode]:
    for source in (episodes, scheduled if rule.early_hours else ()):
        yield from (episode for episode in source if _fits(rule, episode))


def _fits(rule: FurtherFeed, episode: FeedEpisode) -> bool:
    return (
        (not rule.seasons or episode.season in rule.seasons)
        and (not rule.types or episode.episode_type in rule.types)
        and (not rule.labels or not set(rule.labels).isdisjoint(episode.tags.labels))
        and (not rule.media or episode.enclosure_type.startswith(f"{rule.media}/"))
    )


def _shift(rule: FurtherFeed) -> timedelta:
    return timedelta(hours=(rule.delay_hours or 0) - (rule.early_hours or 0))


def _further_show(show: FeedShow, rule: FurtherFeed) -> FeedShow:
    """What is said of the show in a further feed. Directories know the show by its own feed, and
    that is the one whose new address the show's is."""
    return replace(
        show,
        title=further_title(show.title, rule),
        description=rule.description or show.description,
        feed_url=_base(show) + further_path(rule.name),
        podcast_guid=rule.podcast_guid or further_guid(show.podcast_guid, rule.name),
        hub_urls=() if rule.is_private else show.hub_urls,
        uses_podping=False,
        new_feed_url=None,
        is_blocked=show.is_blocked or rule.is_private,
    )


def _base(show: FeedShow) -> str:
    return show.feed_url.removesuffix(MAIN_PATH)


# Pages (RFC 5005 section 3). They are numbered from the oldest, and full ones never change again
# by what is new: only the newest page does, and once in a while the one before it.


def _pages(
    path: str, show: FeedShow, episodes: Sequence[FeedEpisode], size: int | None
) -> Iterator[FeedDocument]:
    """The feed itself, then its older pages, the newest of them first."""
    in_order = newest_first(episodes)
    count = _older_pages(len(in_order), size)
    slim_after = show.tags.slim_after
    if not size or not count:
        yield FeedDocument(path, show, slimmed(in_order, slim_after))
        return
    newest = len(in_order) - count * size
    trailers = tuple(episode for episode in in_order if episode.episode_type == "trailer")
    links = _links(show.feed_url, 0, count)
    first = replace(show, page_links=links, trailers=trailers)
    yield FeedDocument(path, first, slimmed(in_order[:newest], slim_after))
    for number in range(count, 0, -1):
        start = newest + (count - number) * size
        page = replace(
            show,
            feed_url=_page(show.feed_url, number),
            page_links=_links(show.feed_url, number, count),
            hub_urls=(),
        )
        found = slimmed(in_order[start : start + size], slim_after)
        yield FeedDocument(_page(path, number), page, found)


def _older_pages(count: int, size: int | None) -> int:
    # The feed itself keeps at least as many as a page has, for apps that follow no links.
    return max(0, count // size - 1) if size else 0


def _links(feed_url: str, number: int, count: int) -> tuple[tuple[str, str], ...]:
    """The links of page `number` of so many; 0 is the feed itself, before the newest page."""
    links = [("first", feed_url), ("last", _page(feed_url, 1))]
    if number:
        newer = _page(feed_url, number + 1) if number < count else feed_url
        links.append(("previous", newer))
    older = number - 1 if number else count
    if older:
        links.append(("next", _page(feed_url, older)))
    return tuple(links)


def _page(address: str, number: int) -> str:
    return f"{address.removesuffix(_ENDING)}/{number}{_ENDING}"
