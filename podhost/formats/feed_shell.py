"""A feed as what stands before, between and after its episodes; it knows neither RSS nor JSON.

An episode's bytes depend on nothing but the episode and the feed's frame, so that a feed of which
one episode changed can be put together of what was written before.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from podhost.formats.text import remove_forbidden

if TYPE_CHECKING:
    from podhost.formats.feed_values import FeedEpisode

# Above this size only the newest episodes carry their whole notes; JSON Feed calls 1 MB a burden,
# Pocket Casts was seen refusing 3 MB in 2026.
FULL_NOTES_MAX_FEED_BYTES = 2_000_000
FULL_NOTES_EPISODES = 100


class Dated(Protocol):
    """What has the place of an episode in its feed."""

    @property
    def guid(self) -> str:
        """The episode's guid."""
        ...

    @property
    def published_at(self) -> datetime:
        """When it was published, aware."""
        ...


D = TypeVar("D", bound=Dated)


def newest_first(episodes: Iterable[D]) -> list[D]:
    """The episodes as feeds have them; of the same second, by guid."""
    in_order = sorted(episodes, key=lambda episode: episode.guid)
    in_order.sort(key=lambda episode: episode.published_at, reverse=True)
    return in_order


class Namespaces(NamedTuple):
    """What episodes need of the head of their feed: prefixes of podhost's own that not every feed
    declares, and those of tags that it does not know, each with its address."""

    rare: frozenset[str] = frozenset()
    foreign: frozenset[tuple[str | None, str]] = frozenset()


def joined(used: Iterable[Namespaces]) -> Namespaces:
    """All that several of them need."""
    # Most need the same, and there are thousands of them.
    different = set(used)
    return Namespaces(
        frozenset(name for one in different for name in one.rare),
        frozenset(pair for one in different for pair in one.foreign),
    )


class Item(NamedTuple):
    """An episode's bytes with its whole notes, and with what a large feed has room for."""

    whole: bytes
    short: bytes


@dataclass(frozen=True, slots=True)
class FeedShell:
    """A feed without its episodes.

    `frame` is all that an episode's bytes depend on besides its values, as plain values that can
    be compared; `writer` makes of it, and of nothing else, what writes an episode.
    """

    head: bytes
    separator: bytes
    foot: bytes
    frame: tuple[Any, ...]
    writer: Callable[[tuple[Any, ...]], Callable[["FeedEpisode"], Item]]


def whole_feed(shell: FeedShell, episodes: Iterable["FeedEpisode"]) -> bytes:
    """The bytes of the feed with these episodes, newest first."""
    write = shell.writer(shell.frame)
    items = [write(episode) for episode in episodes]
    if is_large(shell, [len(item.whole) for item in items]):
        kept = [item.whole for item in items[:FULL_NOTES_EPISODES]]
        kept += [item.short for item in items[FULL_NOTES_EPISODES:]]
    else:
        kept = [item.whole for item in items]
    return shell.head + shell.separator.join(kept) + shell.foot


def is_large(shell: FeedShell, sizes_bytes: Sequence[int]) -> bool:
    """Whether the feed keeps whole notes for its newest episodes only.

    `sizes_bytes` are those of its episodes with whole notes.
    """
    separators = len(shell.separator) * max(0, len(sizes_bytes) - 1)
    size_bytes = len(shell.head) + sum(sizes_bytes) + separators + len(shell.foot)
    return size_bytes > FULL_NOTES_MAX_FEED_BYTES and len(sizes_bytes) > FULL_NOTES_EPISODES


def require_no_twins(identities: Iterable[tuple[str, str]]) -> None:
    """Raises ValueError when two of the episodes, each its guid and its enclosure's address, share
    one of them (apps and Apple drop the second)."""
    pairs = list(identities)
    _require_unique([remove_forbidden(guid) for guid, _ in pairs], "guid")
    _require_unique([enclosure_url for _, enclosure_url in pairs], "enclosure")


def _require_unique(values: Sequence[str], what: str) -> None:
    seen: Mapping[str, int] = {value: index for index, value in enumerate(values)}
    if len(seen) == len(values):
        return
    twice = next(value for index, value in enumerate(values) if seen[value] != index)
    raise ValueError(f"two episodes with the same {what}: {twice!r}")
