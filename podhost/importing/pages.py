"""One page of a foreign feed, found and fetched from whatever address somebody gave.

What the feed says is read elsewhere; the bytes are given back as they came.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import unescape
from urllib.parse import urljoin, urlsplit, urlunsplit

from podhost.errors import Invalid, PodhostError, Unavailable
from podhost.fetching import Fetched, Fetcher, Hop, asked_pause
from podhost.formats.feed_words import MAX_FEED_BYTES
from podhost.formats.text import remove_forbidden, shown

ACCEPT = "application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
_TRIES = 4
_LONGEST_ADDRESS = 4096
# What a server may ask us to wait while somebody looks at the screen.
_LONGEST_WAIT_SECONDS = 20.0
_ODD_SCHEMES = re.compile(r"(?:feed|itpc|pcast|podcast):(?://)?(?=\S)", re.IGNORECASE)
# No host is called so; who names a file that is not there wants to know that.
_FILE_ENDING = re.compile(r"\.(?:xml|rss|opml|txt|atom)\Z", re.IGNORECASE)
_LINK = re.compile(r"<link\b([^<>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-z]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_LOOKED_THROUGH_BYTES = 500_000
_WEB_PAGE = re.compile(rb"\s*(?:<!doctype\s+html|<html|<!--.{0,500}?-->\s*<html)", re.I | re.DOTALL)

Wait = Callable[[float], None]


class UnchangedFeed(PodhostError):
    """The feed is the one that was read last."""


@dataclass(frozen=True, slots=True)
class FeedPage:
    """One document of a feed, as it came."""

    url: str | None
    body: bytes
    content_type: str = ""
    hops: tuple[Hop, ...] = ()
    etag: str | None = None
    last_modified: str | None = None


def first_page(address: str, fetcher: Fetcher, wait: Wait, headers: Mapping[str, str]) -> FeedPage:
    """The feed that is meant by an address, or by the web page there.

    Raises Invalid when there is none, Forbidden, Unavailable when the old host does not answer,
    UnchangedFeed where `headers` ask for it.
    """
    candidates = candidate_addresses(address)
    for number, address in enumerate(candidates, 1):
        try:
            page = fetched_page(address, fetcher, wait, headers)
        except Unavailable:
            if number == len(candidates):
                raise
            continue
        if _WEB_PAGE.match(page.body):
            return fetched_page(_feed_of_web_page(page), fetcher, wait)
        return page
    raise AssertionError


def candidate_addresses(address: str) -> list[str]:
    """The addresses that may be meant, the likeliest first. Raises Invalid for what is none."""
    address = address.strip()
    if match := _ODD_SCHEMES.match(address):
        rest = address[match.end() :]
        address = rest if re.match("https?://", rest, re.IGNORECASE) else f"https://{rest}"
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
    except ValueError:
        raise Invalid(f"{shown(address)} is no address and no file.") from None
    has_host = "." in parts.netloc.strip(".") or ":" in parts.netloc
    if not has_host or ("://" not in address and _FILE_ENDING.search(parts.netloc)):
        raise Invalid(f"There is no file {shown(address)}, and it is no address either.")
    whole = urlunsplit(parts._replace(fragment=""))
    if "://" in address:
        return [whole]
    return [whole, urlunsplit(parts._replace(fragment="", scheme="http"))]


def feed_address(written: str) -> str:
    """The address of a feed as somebody typed it. Raises Invalid for what can be none: no file of
    this machine is read for who is not at it."""
    address = written.strip()
    if not address or len(address) > _LONGEST_ADDRESS or remove_forbidden(address) != address:
        raise Invalid("It must be the address of the show's RSS feed.")
    candidate_addresses(address)
    return address


def fetched_page(
    address: str, fetcher: Fetcher, wait: Wait, headers: Mapping[str, str] = {}
) -> FeedPage:
    """The feed at this very address. Raises as `first_page` does."""
    answer = _answered(address, fetcher, wait, headers)
    host = urlsplit(answer.url).hostname or "The old host"
    if answer.status in (401, 403):
        raise Invalid(
            f"{host} does not give the feed out ({answer.status}). Save it in your browser and "
            "give podhost the file."
        )
    if answer.status in (404, 410):
        raise Invalid(f"{host} has no feed at this address ({answer.status}).")
    if answer.status == 304 and headers:
        raise UnchangedFeed("The feed is the one that was read last.")
    if answer.status != 200:
        raise Unavailable(f"{host} answered {answer.status} instead of a feed. Try it again later.")
    return FeedPage(
        answer.url,
        answer.body,
        answer.headers.get("content-type", ""),
        answer.hops,
        answer.headers.get("etag"),
        answer.headers.get("last-modified"),
    )


def _answered(
    address: str, fetcher: Fetcher, wait: Wait, headers: Mapping[str, str] = {}
) -> Fetched:
    """The answer, after some more tries where the server is too busy for one (RFC 9110 15.6)."""
    for number in range(1, _TRIES + 1):
        answer = fetcher.get(address, max_bytes=MAX_FEED_BYTES, accept=ACCEPT, headers=headers)
        if answer.status != 429 and answer.status < 500:
            break
        if number < _TRIES:
            seconds = asked_pause(answer.headers).total_seconds() or 2.0**number
            if seconds > _LONGEST_WAIT_SECONDS:
                break
            wait(seconds)
    return answer


def _feed_of_web_page(page: FeedPage) -> str:
    """The address of the RSS feed that a web page names. Raises Invalid when it names none."""
    text = page.body[:_LOOKED_THROUGH_BYTES].decode("utf-8", "replace")
    for match in _LINK.finditer(text):
        values = {
            name.lower(): unescape(double or single or bare).strip()
            for name, double, single, bare in _ATTRIBUTE.findall(match[1])
        }
        is_feed = "alternate" in values.get("rel", "").lower().split()
        if is_feed and values.get("type", "").lower() == "application/rss+xml":
            return urljoin(page.url or "", values.get("href", ""))
    raise Invalid(
        "This is a web page, and it names no RSS feed. Give the address of the feed itself, which "
        "the old host shows in its settings."
    )
