"""The formats in which every show's feed is kept and served; it renders and stores nothing."""

from dataclasses import dataclass

from podhost.models import JsonSnapshot, Rendered, Snapshot


@dataclass(frozen=True, slots=True)
class FeedFormat:
    """One format: the end of its feeds' paths, their Content-Type, and where they are kept.

    `has_hubs`: WebSub hubs are told of changes under this address, so answers may name them.
    """

    file_name: str
    content_type: str
    table: type[Rendered]
    has_hubs: bool = False

    def path(self, slug: str) -> str:
        """The path of the feed of the show with this slug."""
        return f"/{slug}/{self.file_name}"


RSS = FeedFormat("feed.xml", "application/rss+xml; charset=utf-8", Snapshot, has_hubs=True)
# Without a charset: JSON is UTF-8, and the type has no such parameter (JSON Feed 1.1, RFC 8259).
JSON = FeedFormat("feed.json", "application/feed+json", JsonSnapshot)
# By file name. RSS is first in everything, because it is what apps wait for.
FORMATS = {format_.file_name: format_ for format_ in (RSS, JSON)}
ENDINGS = tuple(f"/{name}" for name in FORMATS)


def split_path(path: str) -> tuple[str, FeedFormat] | None:
    """The slug and the format that the path of a feed names; None for any other path."""
    slug, _, file_name = path.removeprefix("/").rpartition("/")
    found = FORMATS.get(file_name)
    return (slug, found) if found is not None and slug and "/" not in slug else None
