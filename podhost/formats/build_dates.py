"""When a feed of podhost's own says that it was built; it renders none.

Two feeds that differ in that alone say the same.
"""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime

_BUILD_DATE = re.compile(rb"<lastBuildDate>[^<]*</lastBuildDate>")


def build_date(feed: bytes) -> datetime | None:
    """The lastBuildDate of a feed out of `rss.render_feed`."""
    found = _BUILD_DATE.search(feed)
    if found is None:
        return None
    return parsedate_to_datetime(found[0].split(b">")[1].split(b"<")[0].decode())


def says_the_same(feed: bytes, other: bytes) -> bool:
    """Whether two rendered feeds differ in their lastBuildDate alone, or in nothing.

    lastBuildDate is when the content last changed (RSS 2.0): where nothing else differs, the
    content has not, and the earlier date is the right one.
    """
    # Dates have one width; and the first one is the channel's, because no text before it can
    # hold a "<".
    found = _BUILD_DATE.search(feed)
    if found is None or len(feed) != len(other):
        return feed == other
    date = slice(*found.span())
    if not _BUILD_DATE.fullmatch(other, *found.span()):
        return False
    # Views, because a large feed is tens of megabytes.
    one, two = memoryview(feed), memoryview(other)
    return one[: date.start] == two[: date.start] and one[date.stop :] == two[date.stop :]
