"""The feed doctor's look at what servers answer: the feed, its newest audio and its artwork.

It reads addresses through the guarded fetcher only, and as little of them as tells.
"""

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from podhost.doctor.live_rules import LIVE_RULES
from podhost.errors import Invalid, PodhostError
from podhost.fetching import Fetched, Fetcher, told_bytes
from podhost.formats.artwork import LARGEST_PX, SMALLEST_ARTWORK_PX
from podhost.formats.artwork_facts import ArtworkFacts, read_artwork_facts
from podhost.formats.doctor_episodes import place_of
from podhost.formats.doctor_report import THE_FEED, THE_SHOW, Report, View
from podhost.formats.feed_words import MAX_FEED_BYTES
from podhost.formats.feed_xml import ReadFeed

MAX_ARTWORK_BYTES = 10_000_000
NEWEST = 5
_AT_ONCE = 3
_SECONDS = 30.0
_MOST_FEED_REDIRECTS, _MOST_AUDIO_REDIRECTS = 9, 5
# Smaller ones gain nothing that anybody would notice.
_WORTH_COMPRESSING_BYTES = 10_000
_WANTED_ARTWORK_BYTES = 512 * 1024
_FEED_TYPES = ("application/rss+xml", "application/xml", "text/xml", "application/atom+xml")
_AUDIO_TYPES = ("audio/", "video/", "application/pdf")
_SUFFIXES = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",)}


class _Audio(NamedTuple):
    place: str
    url: str
    length: str


def fetch_feed(url: str, fetcher: Fetcher, report: Report) -> Fetched | None:
    """Read a feed, and note what is wrong with how it is served; None when there is none."""
    try:
        found = fetcher.get(url, max_bytes=MAX_FEED_BYTES, accept="application/rss+xml, */*;q=0.8")
    except PodhostError as error:
        _add(report, "feed-unreachable", THE_FEED, error.message)
        return None
    if found.status != 200:
        _add(report, "feed-status", THE_FEED, found.status)
        return None
    return found


def examine_serving(found: Fetched, fetcher: Fetcher, report: Report) -> None:
    """How the feed is served: redirects, type, HEAD, conditions, compression."""
    if urlsplit(found.url).scheme == "http":
        _add(report, "feed-http", THE_FEED)
    _examine_hops(found, report)
    kind = found.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() not in _FEED_TYPES:
        _add(report, "feed-type", THE_FEED, kind or "nothing")
    is_packed = bool(found.headers.get("content-encoding"))
    if len(found.body) > _WORTH_COMPRESSING_BYTES and not is_packed:
        _add(report, "feed-gzip", THE_FEED)
    status = _status(fetcher, found.url, method="HEAD")
    if status != "200":
        _add(report, "feed-head", THE_FEED, status)
    conditions = {
        condition: found.headers[name]
        for name, condition in (("etag", "if-none-match"), ("last-modified", "if-modified-since"))
        if name in found.headers
    }
    if not conditions:
        _add(report, "feed-validators", THE_FEED)
        return
    status = _status(fetcher, found.url, headers=conditions)
    if status != "304":
        _add(report, "feed-not-304", THE_FEED, status)


def examine_addresses(
    feed: ReadFeed, fetcher: Fetcher, report: Report, *, feed_url: str = "", newest: int = NEWEST
) -> None:
    """The addresses that the feed names: its own, the audio at its top, and the artwork."""
    channels = View(feed.root, THE_FEED).all("channel")
    if not channels:
        return
    show = View(channels[0], THE_SHOW)
    if feed_url:
        _examine_self(show, feed_url, report)
    audios = _audios(show, newest)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        # One report for each, so that what is found has the order of the feed.
        for noted in pool.map(lambda audio: _look_at_audio(audio, fetcher), audios):
            for rule, values in noted[1]:
                _add(report, rule, noted[0], *values)
    image = show.first("itunes:image")
    if image is not None and image.get("href"):
        _examine_artwork(image.get("href").strip(), fetcher, report)


def _examine_self(show: View, feed_url: str, report: Report) -> None:
    for link in show.all("atom:link"):
        named = (link.get("href") or "").strip()
        if link.get("rel") == "self" and named and named != feed_url:
            _add(report, "feed-self", THE_FEED, named)
            return


def _examine_hops(found: Fetched, report: Report) -> None:
    if not found.hops:
        return
    if len(found.hops) > _MOST_FEED_REDIRECTS:
        _add(report, "feed-redirects", THE_FEED, len(found.hops))
    first = found.hops[0].status
    rule = "feed-moved" if first in (301, 308) else "feed-moved-for-now"
    _add(report, rule, THE_FEED, first, found.url)


def _status(
    fetcher: Fetcher, url: str, *, method: str = "GET", headers: dict[str, str] | None = None
) -> str:
    try:
        found = fetcher.get(
            url,
            max_bytes=MAX_FEED_BYTES,
            headers=headers or {},
            method=method,
            seconds=_SECONDS,
        )
    except PodhostError as error:
        return f"nothing ({error.message.rstrip('.')})"
    return str(found.status)


def _audios(show: View, newest: int) -> list[_Audio]:
    found = []
    for number, item in enumerate(show.all("item")[:newest], 1):
        enclosure = View(item, "").first("enclosure")
        url = (enclosure.get("url") or "").strip() if enclosure is not None else ""
        if enclosure is not None and url:
            length = (enclosure.get("length") or "").strip()
            found.append(_Audio(place_of(number, item), url, length))
    return found


_Noted = list[tuple[str, Sequence[object]]]


def _look_at_audio(audio: _Audio, fetcher: Fetcher) -> tuple[str, _Noted]:
    noted: _Noted = []
    # Packed, it would have another length, and apps ask for it as it is.
    plain = {"accept-encoding": "identity"}
    try:
        head = fetcher.get(audio.url, max_bytes=0, headers=plain, method="HEAD", seconds=_SECONDS)
    except PodhostError as error:
        return audio.place, [("audio-unreachable", [error.message])]
    if len(head.hops) > _MOST_AUDIO_REDIRECTS:
        noted.append(("audio-redirects", [len(head.hops)]))
    if head.status != 200:
        noted.append(("audio-status", [head.status]))
        if head.status in (401, 403, 404, 410):
            return audio.place, noted
    else:
        noted += _judge_headers(audio, head)
    if not any(rule == "audio-html" for rule, _ in noted):
        noted += _look_at_range(audio, fetcher)
    return audio.place, noted


def _judge_headers(audio: _Audio, head: Fetched) -> _Noted:
    kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        return [("audio-html", [])]
    noted: _Noted = []
    if not kind.startswith(_AUDIO_TYPES):
        noted.append(("audio-type", [kind or "nothing"]))
    sent = told_bytes(head.headers.get("content-length", ""))
    told = told_bytes(audio.length)
    # 0 is how a feed says that it does not know.
    if sent is not None and told and told != sent:
        said = f"{told:,} bytes, where the server has {sent:,}"
        noted.append(("audio-length", [said]))
    return noted


def _look_at_range(audio: _Audio, fetcher: Fetcher) -> _Noted:
    try:
        part = fetcher.get(
            audio.url, max_bytes=1000, headers={"range": "bytes=0-1"}, seconds=_SECONDS
        )
    except PodhostError as error:
        return [("audio-range", [error.message.rstrip(".")])]
    if part.body[:2].lower() in (b"<!", b"<h"):
        return [("audio-html", [])]
    if part.status != 206:
        return [("audio-range", [f"it answers {part.status}"])]
    if len(part.body) != 2:
        return [("audio-range", [f"it sends {len(part.body)}"])]
    return []


def _examine_artwork(url: str, fetcher: Fetcher, report: Report) -> None:
    try:
        found = fetcher.get(url, max_bytes=MAX_ARTWORK_BYTES, accept="image/*")
    except PodhostError as error:
        _add(report, "artwork-unreachable", THE_SHOW, error.message)
        return
    if found.status != 200:
        _add(report, "artwork-unreachable", THE_SHOW, f"its address answers {found.status}.")
        return
    status = _status(fetcher, url, method="HEAD")
    if status != "200":
        _add(report, "artwork-head", THE_SHOW, status)
    try:
        facts = _facts(found.body)
    except Invalid as error:
        _add(report, "artwork-invalid", THE_SHOW, error.message)
        return
    _judge_artwork(url, len(found.body), facts, report)


def _facts(body: bytes) -> ArtworkFacts:
    with tempfile.TemporaryDirectory(prefix="podhost-") as folder:
        path = Path(folder) / "artwork"
        path.write_bytes(body)
        return read_artwork_facts(path)


def _judge_artwork(url: str, size_bytes: int, facts: ArtworkFacts, report: Report) -> None:
    pixels = f"{facts.width} by {facts.height}"
    if facts.format not in _SUFFIXES:
        _add(report, "artwork-format", THE_SHOW, facts.format)
    elif not urlsplit(url).path.lower().endswith(_SUFFIXES[facts.format]):
        _add(report, "artwork-extension", THE_SHOW, f"{facts.format} at {url}")
    if facts.width != facts.height:
        _add(report, "artwork-square", THE_SHOW, pixels)
    elif not SMALLEST_ARTWORK_PX <= facts.width <= LARGEST_PX:
        _add(report, "artwork-size", THE_SHOW, pixels)
    if facts.has_alpha:
        _add(report, "artwork-alpha", THE_SHOW)
    if facts.mode not in ("RGB", "RGBA", "P"):
        _add(report, "artwork-colours", THE_SHOW, facts.mode)
    if size_bytes > _WANTED_ARTWORK_BYTES:
        _add(report, "artwork-heavy", THE_SHOW, size_bytes // 1024)


def _add(report: Report, rule: str, place: str, *values: object) -> None:
    report.add_rule(rule, LIVE_RULES[rule], place, *values)
