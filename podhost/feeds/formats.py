"""The documents as which a show's feeds are kept and served; it renders and stores nothing."""

import re
from dataclasses import dataclass
from typing import Any

from podhost.models import FeedSnapshot, JsonSnapshot, Rendered, Snapshot


@dataclass(frozen=True, slots=True)
class FeedFormat:
    """One format: the end of its feeds' paths, their Content-Type, and where they are kept.

    A further feed of a show, or an older page, is one of its own (`further`).
    `has_hubs`: WebSub hubs are told of changes under this address, so answers may name them.
    """

    file_name: str
    content_type: str
    table: type[Rendered]
    has_hubs: bool = False

    def path(self, slug: str) -> str:
        """The path of the feed of the show with this slug."""
        return f"/{slug}/{self.file_name}"

    @property
    def is_further(self) -> bool:
        """Whether a show has it only where it was told to."""
        return self.table is FeedSnapshot

    def key(self, show_id: str) -> Any:
        """The primary key of the show's row in `table`."""
        return {"show_id": show_id, "path": self.file_name} if self.is_further else show_id


RSS = FeedFormat("feed.xml", "application/rss+xml; charset=utf-8", Snapshot, has_hubs=True)
# Without a charset: JSON is UTF-8, and the type has no such parameter (JSON Feed 1.1, RFC 8259).
JSON = FeedFormat("feed.json", "application/feed+json", JsonSnapshot)
# By file name. RSS is first in everything, because it is what apps wait for.
FORMATS = {format_.file_name: format_ for format_ in (RSS, JSON)}
# Below the slug, as formats.feed_rules makes them.
_FURTHER = re.compile(
    r"feeds/[a-z0-9]+(?:[-_][a-z0-9]+)*(?:/[1-9][0-9]{0,5})?\.xml|feed/[1-9][0-9]{0,5}\.xml",
    re.ASCII,
)
_LONGEST_PATH = 100


def further(path: str) -> FeedFormat:
    """What lies at this path below the show's slug."""
    is_page = path.count("/") > 1 or not path.startswith("feeds/")
    return FeedFormat(path, RSS.content_type, FeedSnapshot, has_hubs=not is_page)


def split_path(path: str) -> tuple[str, FeedFormat] | None:
    """The slug and the format that the path of a feed names; None for any other path."""
    slug, _, rest = path.removeprefix("/").partition("/")
    if not slug:
        return None
    if rest in FORMATS:
        return slug, FORMATS[rest]
    is_further = len(rest) <= _LONGEST_PATH and _FURTHER.fullmatch(rest)
    return (slug, further(rest)) if is_further else None


def names_feed(path: str) -> bool:
    """Whether a path of this form is a feed's; nothing is made of it."""
    return path.endswith((".xml", ".json")) and split_path(path) is not None
