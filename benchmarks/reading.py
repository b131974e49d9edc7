"""What other hosts' feeds cost: reading one of 1,000 episodes, and what the doctor says of it.

The feed is as hosts write them: long notes in HTML, twice, with words of the host's below them,
guests, chapters and transcripts. The floor is lxml alone on the same bytes, in the same process:
any reader pays it. Speeds count the feed's bytes and the process's own CPU time.
"""

import random
import statistics
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from typing import Any

from lxml import etree

from benchmarks.lab import Lab
from benchmarks.table import NO_PROMISE, Result, Row, at_least, at_most
from podhost.formats.doctor import examine
from podhost.formats.feed_xml import read_feed
from podhost.formats.rss_import import read_show

EPISODES = 1000
_FIRST_AT = datetime(2005, 1, 1, 6, 30, tzinfo=UTC)

PARSE = Row(
    "feed-parse",
    "another host's feed of 1,000 episodes, as XML; floor: lxml alone",
    "MB/s",
    at_least(20, "MB/s"),
)
VALUES = Row(
    "feed-values",
    "another host's feed of 1,000 episodes, as values for an import; floor: same",
    "MB/s",
    NO_PROMISE,
)
DOCTOR = Row(
    "feed-doctor",
    "the doctor on 1,000 episodes, without network; floor: same",
    "s",
    at_most(2, "s"),
)
ROWS = (PARSE, VALUES, DOCTOR)

_NAMESPACES = {
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "podcast": "https://podcastindex.org/namespace/1.0",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "atom": "http://www.w3.org/2005/Atom",
    "rawvoice": "http://www.rawvoice.com/rawvoiceRssModule/",
}
_TEXT = """
    the harbour pilot says that a ferry of forty years lies deeper in salt water than its drawings
    show and nobody counts boats at night when wind turns over sand because maps from before winter
    name rocks by whoever struck them first while gulls keep their own tables of tide
"""
_WORDS = _TEXT.split()


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """Each row beside lxml on the same bytes, in turns."""
    body = foreign_feed()
    feed = read_feed(body)
    readers: dict[Row, Callable[[], Any]] = {
        PARSE: lambda: read_feed(body),
        VALUES: lambda: read_show(read_feed(body), feed_url="https://old.example/feed.xml"),
        DOCTOR: lambda: examine(feed, body=body, now=_FIRST_AT),
    }
    for row in ROWS:
        if row.name in wanted:
            yield _measured(lab, row, readers[row], body)


def _measured(lab: Lab, row: Row, read: Callable[[], Any], body: bytes) -> Result:
    """The median of several pairs; the first reading, which loads and caches, is not counted."""
    pairs = []
    read()
    for _ in range(lab.of(9, 3)):
        pairs.append((_cpu_seconds(read), _cpu_seconds(lambda: etree.fromstring(body))))
    taken, floor = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = [mine / other for mine, other in pairs]
    size_mb = len(body) / 1e6
    is_speed = row.unit == "MB/s"
    return Result(
        row,
        podhost=size_mb / taken if is_speed else taken,
        floor=size_mb / floor if is_speed else floor,
        ratio=1 / statistics.median(ratios) if is_speed else statistics.median(ratios),
        ratios=[1 / ratio if is_speed else ratio for ratio in ratios],
        note=f"{len(body):,} bytes",
    )


def _cpu_seconds(run: Callable[[], Any]) -> float:
    began_at = time.process_time()
    run()
    return time.process_time() - began_at


# The feed


def foreign_feed(episodes: int = EPISODES) -> bytes:
    """A feed as another host writes it; the same bytes each time, no two episodes alike."""
    choose = random.Random(1957)
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
    items = "".join(_item(choose, number) for number in range(episodes, 0, -1))
    return (
        f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"{declared}><channel><title>Tide Tables</title>
<link>https://old.example/tide</link><description>{_sentence(choose, 30)}</description>
<language>en</language><itunes:author>Pier Nine</itunes:author>
<itunes:explicit>false</itunes:explicit><itunes:image href="https://old.example/tide.jpg"/>
<itunes:category text="Society &amp; Culture"/><podcast:locked>no</podcast:locked>
<atom:link rel="self" type="application/rss+xml" href="https://old.example/feed.xml"/>
<rawvoice:location>Lisbon</rawvoice:location>
{items}</channel></rss>
"""
    ).encode()


def _item(choose: random.Random, number: int) -> str:
    notes = _notes(choose)
    guest = " ".join(choose.choice(_WORDS).title() for _ in range(2))
    page = f"https://old.example/tide/{number}"
    return f"""<item><title>{number}: {_sentence(choose, 6)}</title>
<link>{page}</link><guid isPermaLink="false">{choose.getrandbits(128):032x}</guid>
<pubDate>{format_datetime(_FIRST_AT + number * timedelta(days=7))}</pubDate>
<description>{escape(notes)}</description>
<content:encoded><![CDATA[{notes}]]></content:encoded>
<enclosure url="https://op3.dev/e/media.old.example/{number}.mp3" length="{30_000_000 + number}" \
type="audio/mpeg"/>
<itunes:duration>00:{number % 60:02}:17</itunes:duration><itunes:explicit>no</itunes:explicit>
<itunes:episode>{number}</itunes:episode><itunes:season>{number // 100 + 1}</itunes:season>
<itunes:episodeType>full</itunes:episodeType><itunes:image href="{page}.jpg"/>
<podcast:person role="guest" href="{page}/guest">{guest}</podcast:person>
<podcast:transcript url="{page}.vtt" type="text/vtt"/>
<podcast:chapters url="{page}.json" type="application/json+chapters"/>
<rawvoice:rating>TV-G</rawvoice:rating></item>
"""


def _notes(choose: random.Random) -> str:
    paragraphs = "".join(
        f"<p>{_sentence(choose, 60)} <em>{_sentence(choose, 3)}</em> It&#39;s "
        f'<a href="https://{choose.choice(_WORDS)}.example/{_slug(choose)}">'
        f"{_sentence(choose, 4)}</a> &amp; more.</p>\n"
        for _ in range(choose.randint(3, 7))
    )
    entries = "".join(
        f'<li><a href="https://www.{choose.choice(_WORDS)}.example/{_slug(choose)}?a=1&amp;b=2" '
        f'target="_blank" rel="noopener">{_sentence(choose, 5)}</a></li>'
        for _ in range(choose.randint(3, 8))
    )
    return (
        f"{paragraphs}<h3>Links</h3><ul>{entries}</ul>"
        '<p><br></p><p>Learn more about your ad choices. Visit <a href="https://podcastchoices.com/'
        'adchoices">podcastchoices.com/adchoices</a></p>'
    )


def _sentence(choose: random.Random, words: int) -> str:
    return " ".join(choose.choices(_WORDS, k=words)).capitalize()


def _slug(choose: random.Random) -> str:
    return "-".join(choose.choices(_WORDS, k=4))
