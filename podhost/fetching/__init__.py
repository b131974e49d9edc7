"""Reads addresses that strangers give, the only place that does: guarded and limited.

Redirects are followed here, one checked step at a time; what an answer means is not judged here.
What it raises is for podcasters to read; no message holds an address's path, query or password,
because private feeds carry their secret there.
"""

import base64
import re
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes, urlencode, urljoin, urlsplit, urlunsplit

import podhost
from podhost.config import Settings
from podhost.errors import Invalid, Unavailable
from podhost.formats.text import absolute_url, shown

if TYPE_CHECKING:
    from podhost.fetching.connections import Connections

MOST_REDIRECTS = 10
LONGEST_URL = 8000
POST_ANSWER_BYTES = 100_000
# Statuses with which a server sends on (RFC 9110 15.4).
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# After these, a form that was sent is not sent again.
_BECOMES_GET = frozenset({302, 303})
_SECRET_HEADERS = frozenset({"authorization", "cookie"})
# Chunks of one byte are five times as long as what they carry; headers come on top.
_WIRE_OVERHEAD, _WIRE_EXTRA_BYTES = 8, 1_000_000
_INFLATE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Hop:
    """One redirect: the address that sent on, without user info, and its status."""

    url: str
    status: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: the last address (without user info), headers by lower-case names, the body
    inflated, and each redirect on the way in order."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer whose body is still to come: `chunks` are its bytes as they are sent."""

    url: str
    status: int
    headers: Mapping[str, str]
    chunks: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class _Place:
    """An address taken apart."""

    url: str
    scheme: str
    host: str
    port: int
    target: str
    authorization: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    def trusts(self, other: "_Place") -> bool:
        """Whether a secret for this place may be told to the one that it sends on to."""
        if self.host != other.host:
            return False
        return other.scheme == "https" or (self.scheme, self.port) == (other.scheme, other.port)


def instance_fetcher(
    settings: Settings,
    *,
    base_url: str = "",
    purpose: str = "",
    all_seconds: float | None = None,
) -> "Fetcher":
    """The fetcher of an instance, which says who asks and, by `purpose`, what for.

    With `all_seconds`, all that it reads by `get` must be done by then.
    """
    address = base_url or settings.base_url
    remarks = "; ".join(part for part in (f"+{address}" if address else "", purpose) if part)
    agent = f"podhost/{podhost.__version__}" + (f" ({remarks})" if remarks else "")
    return Fetcher(allowed=settings.fetch_allowed, user_agent=agent, all_seconds=all_seconds)


def told_bytes(length: str) -> int | None:
    """The number of bytes that a Content-Length or an enclosure's length says; None for none."""
    return int(length) if length.isascii() and length.isdigit() and len(length) < 15 else None


def asked_pause(headers: Mapping[str, str], *, now: datetime | None = None) -> timedelta:
    """The pause that an answer asks for before the next try (RFC 9110 10.2.3); 0 for none.

    `headers` are those of a Fetched. A date is counted from `now` (aware), or from the answer's
    own date, which needs no clock that agrees with the server's.
    """
    asked = headers.get("retry-after", "").strip()
    try:
        if asked.isascii() and asked.isdigit():
            return timedelta(seconds=int(asked[:9]))
        pause = _moment(asked) - (now or _moment(headers.get("date", "")))
    # What the library raises for odd dates differs by how they are odd.
    except (ValueError, TypeError, IndexError, OverflowError):
        return timedelta(0)
    return max(timedelta(0), pause)


def _moment(value: str) -> datetime:
    date = parsedate_to_datetime(value)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


class Fetcher:
    """Reads addresses; threads may share one. A context manager, or close() it.

    Its methods give every status back and raise Invalid for what is no address, Forbidden for
    places that are not public, and Unavailable when no whole answer can be had within the limits.
    """

    def __init__(
        self, *, allowed: Sequence[str] = (), user_agent: str, all_seconds: float | None = None
    ) -> None:
        self._allowed = tuple(allowed)
        self._ends_at = None if all_seconds is None else time.monotonic() + all_seconds
        self._user_agent = user_agent
        self._lock = threading.Lock()
        self._connections: Connections | None = None

    def __enter__(self) -> "Fetcher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept; the next request opens new ones."""
        with self._lock:
            connections, self._connections = self._connections, None
        if connections is not None:
            connections.close()

    def get(
        self,
        url: str,
        *,
        max_bytes: int,
        accept: str = "*/*",
        headers: Mapping[str, str] = {},
        method: str = "GET",
        seconds: float = 120,
    ) -> Fetched:
        """Read `url`, following redirects, in `seconds` at most.

        A body of more than `max_bytes` (inflated) raises Unavailable; one that comes with a status
        of 400 or more is cut there instead.
        """
        given = {name.lower(): value for name, value in headers.items()}
        # A range counts the bytes of what is asked for, not of it packed (RFC 9110 14.2).
        coding = "identity" if "range" in given else "gzip"
        sent = {"user-agent": self._user_agent, "accept": accept, "accept-encoding": coding}
        return self._fetch(url, method, sent | given, b"", max_bytes, self._left(seconds))

    def _left(self, seconds: float) -> float:
        """The seconds for one request, where all of them together have an end."""
        if self._ends_at is None:
            return seconds
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise Unavailable("There was no time left to ask.")
        return min(seconds, left)

    def post(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        headers: Mapping[str, str] = {},
        seconds: float = 30,
    ) -> Fetched:
        """Send a form to `url`; redirects 301, 307 and 308 get it too, 302 and 303 a GET."""
        sent = {"user-agent": self._user_agent, "accept": "*/*", "accept-encoding": "gzip"}
        sent["content-type"] = "application/x-www-form-urlencoded"
        sent |= {name.lower(): value for name, value in headers.items()}
        body = urlencode(form).encode("ascii")
        return self._fetch(url, "POST", sent, body, POST_ANSWER_BYTES, seconds)

    @contextmanager
    def stream(
        self, url: str, *, max_bytes: int, headers: Mapping[str, str] = {}, seconds: float
    ) -> Iterator[Streamed]:
        """Read a large file at `url`, following redirects; its bytes are read within.

        The bytes are those of the file: nothing is unpacked, and whoever packs it all the same is
        refused. A body of more than `max_bytes` raises Unavailable.
        """
        sent = {"user-agent": self._user_agent, "accept": "*/*", "accept-encoding": "identity"}
        sent |= {name.lower(): value for name, value in headers.items()}
        place = _place(url)
        hops: list[Hop] = []
        seen: set[tuple[str, str]] = set()
        connections = self._opened()
        with connections.until(seconds, max_bytes + max_bytes // 8 + _WIRE_EXTRA_BYTES):
            while True:
                _judge_way(place, "GET", hops, seen)
                with _answer(connections, place, "GET", sent, b"") as response:
                    found = _header_values(response.headers)
                    location = found.get("location", "") if response.status in REDIRECTS else ""
                    if not location:
                        chunks = _limited(place.host, response, found, max_bytes)
                        yield Streamed(place.url, response.status, found, chunks)
                        return
                hops.append(Hop(place.url, response.status))
                onward = _onward(place, location)
                if not place.trusts(onward):
                    sent = {k: v for k, v in sent.items() if k not in _SECRET_HEADERS}
                place = onward

    def _fetch(
        self,
        url: str,
        method: str,
        headers: dict[str, str],
        content: bytes,
        max_bytes: int,
        seconds: float,
    ) -> Fetched:
        place = _place(url)
        hops: list[Hop] = []
        seen: set[tuple[str, str]] = set()
        room_bytes = max_bytes * _WIRE_OVERHEAD + _WIRE_EXTRA_BYTES
        connections = self._opened()
        with connections.until(seconds, room_bytes):
            while True:
                _judge_way(place, method, hops, seen)
                answer = _one_answer(connections, place, method, headers, content, max_bytes)
                status, found, body = answer
                location = found.get("location", "") if status in REDIRECTS else ""
                if not location:
                    return Fetched(place.url, status, found, body, tuple(hops))
                hops.append(Hop(place.url, status))
                onward = _onward(place, location)
                if not place.trusts(onward):
                    headers = {k: v for k, v in headers.items() if k not in _SECRET_HEADERS}
                if method == "POST" and status in _BECOMES_GET:
                    method, content = "GET", b""
                    headers = {k: v for k, v in headers.items() if k != "content-type"}
                place = onward

    def _opened(self) -> "Connections":
        # httpcore and the certificates take a tenth of a second to load; serving needs neither.
        from podhost.fetching.connections import Connections

        with self._lock:
            if self._connections is None:
                self._connections = Connections(self._allowed)
            return self._connections


def _place(url: str) -> _Place:
    text = url.strip()
    try:
        parts = urlsplit(text[: LONGEST_URL + 1])
        user, _, netloc = parts.netloc.rpartition("@")
        rest = [_percent_encoded(part) for part in (parts.path, parts.query)]
        clean = absolute_url(urlunsplit((parts.scheme.lower(), netloc, *rest, "")))
        parts = urlsplit(clean)
        port = parts.port
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        host = ""
    if not host or len(text) > LONGEST_URL:
        raise Invalid(
            "This is not an address that podhost can read; it looks like "
            "https://example.org/feed.xml."
        )
    return _Place(
        url=clean,
        scheme=parts.scheme,
        host=host,
        port=port or (443 if parts.scheme == "https" else 80),
        target=urlunsplit(("", "", parts.path or "/", parts.query, "")),
        authorization=_basic(user),
    )


def _percent_encoded(part: str) -> str:
    # Before anything normalises it: names of files are bytes, not letters.
    return re.sub(r"[^\x00-\x7f]+", lambda found: quote(found[0], errors="replace"), part)


def _basic(user: str) -> str:
    """The header for user info (RFC 7617); empty when there is none."""
    if not user:
        return ""
    name, _, password = user.partition(":")
    pair = unquote_to_bytes(name) + b":" + unquote_to_bytes(password)
    return "Basic " + base64.b64encode(pair).decode("ascii")


def _judge_way(place: _Place, method: str, hops: list[Hop], seen: set[tuple[str, str]]) -> None:
    if (method, place.url) in seen:
        raise Unavailable(f"{place.host} sends in a circle: one address leads back to itself.")
    if len(hops) > MOST_REDIRECTS:
        raise Unavailable(
            f"The address is sent on more than {MOST_REDIRECTS} times, lastly to {place.host}."
        )
    seen.add((method, place.url))


def _onward(place: _Place, location: str) -> _Place:
    """Where a redirect leads. Header values hold bytes as the letters of Latin-1."""
    encoded = re.sub(r"[\x80-\xff]", lambda found: f"%{ord(found[0]):02X}", location.strip())
    try:
        onward = _place(urljoin(place.url, encoded))
    except (Invalid, ValueError):
        raise Invalid(
            f"{place.host} sends on to what is no address: {shown(_without_secrets(encoded))}"
        ) from None
    if not onward.authorization and place.trusts(onward):
        return _Place(
            onward.url,
            onward.scheme,
            onward.host,
            onward.port,
            onward.target,
            place.authorization,
        )
    return onward


def _without_secrets(address: str) -> str:
    return address.partition("?")[0].rpartition("@")[2]


def _one_answer(
    connections: "Connections",
    place: _Place,
    method: str,
    headers: Mapping[str, str],
    content: bytes,
    max_bytes: int,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; the body of a redirect is not read."""
    with _answer(connections, place, method, headers, content) as response:
        found = _header_values(response.headers)
        if method == "HEAD" or (response.status in REDIRECTS and "location" in found):
            return response.status, found, b""
        body = _body(place.host, response, found, max_bytes)
    return response.status, found, body


def _answer(
    connections: "Connections",
    place: _Place,
    method: str,
    headers: Mapping[str, str],
    content: bytes,
) -> AbstractContextManager[Any]:
    """The answer to one request, whose body is read within."""
    from httpcore import URL

    sent = {"host": place.host_header, **headers}
    if content:
        sent["content-length"] = str(len(content))
    if place.authorization:
        sent.setdefault("authorization", place.authorization)
    url = URL(
        scheme=place.scheme.encode(),
        host=place.host.encode(),
        port=place.port,
        target=place.target.encode(),
    )
    return connections.answer(method, url, sent, content)


def _limited(
    host: str, response: Any, headers: Mapping[str, str], max_bytes: int
) -> Iterator[bytes]:
    """The body as it comes, up to `max_bytes`."""
    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise Unavailable(f"{host} packs its answer as {shown(coding)}, which was not asked for.")
    size_bytes = 0
    for chunk in response.iter_stream():
        size_bytes += len(chunk)
        if size_bytes > max_bytes:
            raise Unavailable(
                f"{host} sends more than podhost reads here: over {_size(max_bytes)}."
            )
        yield chunk


def _header_values(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        values[name] = f"{values[name]}, {value}" if name in values else value
    return values


def _body(host: str, response: Any, headers: Mapping[str, str], max_bytes: int) -> bytes:
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        chunks: Iterable[bytes] = response.iter_stream()
    elif coding in ("gzip", "x-gzip", "deflate"):
        chunks = _inflated(host, response.iter_stream())
    else:
        raise Unavailable(f"{host} packs its answer as {shown(coding)}, which was not asked for.")
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            if response.status >= 400:
                return bytes(body[:max_bytes])
            raise Unavailable(
                f"{host} sends more than podhost reads here: over {_size(max_bytes)}."
            )
    return bytes(body)


def _size(size_bytes: int) -> str:
    if size_bytes >= 1_000_000:
        return f"{size_bytes / 1_000_000:g} MB"
    return f"{size_bytes:,} bytes"


def _inflated(host: str, chunks: Iterable[bytes]) -> Iterable[bytes]:
    """Unpack gzip or zlib in pieces that are small whatever was packed into them."""
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
    is_begun = False
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if inflater.eof:
                    # A file may be made of several (RFC 1952 2.2); anything else there is padding.
                    if not rest.startswith(b"\x1f"):
                        return
                    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
                is_begun = True
                yield inflater.decompress(rest, _INFLATE_BYTES)
                rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    except zlib.error:
        raise Unavailable(f"{host} packs its answer in a way that cannot be unpacked.") from None
    if is_begun and not inflater.eof:
        raise Unavailable(f"{host} broke off in the middle of its answer.")
