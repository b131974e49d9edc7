"""What HTTP says about ranges, validators and errors, as pure functions, and short answers.

Header names and values are bytes, as ASGI hands them over; names are in lower case. Times are
whole seconds since 1970, sizes and positions are bytes.
"""

from __future__ import annotations

import re
import time
from calendar import timegm
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from urllib.parse import quote

import msgspec

from podhost.catalogue.entries import ALLOW_ANY_ORIGIN, EXPOSE_AUDIO
from podhost.catalogue.ready_answers import Answer, HeaderBlock

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

RANGES_LIMIT = 16
# Longer ones are not parsed at all, so no number in one is long enough to cost time; sixteen ranges
# of twenty digits fit.
RANGE_HEADER_LIMIT = 1024
_RANGE = re.compile(rb"[ \t]*(?P<first>[0-9]*)-(?P<last>[0-9]*)[ \t]*", re.ASCII)

# What some proxies append to the tag when they compress: inside the quotes or, wrongly, behind.
_CODING_SUFFIXES = (b"--gzip", b"-gzip", b";gzip", b"-br")
_MOST_CODINGS = 4

# A member of a list of tags. Nothing follows the repetition, so it cannot run away.
_TAG = re.compile(rb'(?:[^,"]+|"[^"]*"?)+')

_MONTHS = {
    name: number
    for number, name in enumerate(
        b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1
    )
}
_CLOCK = rb"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATES = (
    # Sun, 06 Nov 1994 08:49:37 GMT
    re.compile(
        rb"[A-Z][a-z]{2}, (?P<day>[0-9]{2}) (?P<month>[A-Z][a-z]{2}) (?P<year>[0-9]{4}) "
        + _CLOCK
        + rb" GMT"
    ),
    # Sunday, 06-Nov-94 08:49:37 GMT
    re.compile(
        rb"[A-Z][a-z]{5,8}, (?P<day>[0-9]{2})-(?P<month>[A-Z][a-z]{2})-(?P<year>[0-9]{2}) "
        + _CLOCK
        + rb" GMT"
    ),
    # Sun Nov  6 08:49:37 1994
    re.compile(
        rb"[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) (?P<day>[ 0-9][0-9]) "
        + _CLOCK
        + rb" (?P<year>[0-9]{4})"
    ),
)


class Range(NamedTuple):
    """The bytes from `start` up to but without `end`; never empty."""

    start: int
    end: int


UNSATISFIABLE: Final = "unsatisfiable"
Unsatisfiable = Literal["unsatisfiable"]


class Decision(NamedTuple):
    """What to answer: 200, 206, 304, 412 or 416, and for 200 and 206 which bytes."""

    status: int
    start: int
    end: int


_NOT_MODIFIED = Decision(304, 0, 0)
_PRECONDITION_FAILED = Decision(412, 0, 0)
_RANGE_NOT_SATISFIABLE = Decision(416, 0, 0)


def parse_range(header: bytes, size_bytes: int) -> Range | Unsatisfiable | None:
    """The one range to send of a body of `size_bytes`; None: send the whole body (RFC 9110 14.2).

    Ranges that touch or overlap are sent as one. Several apart from each other are not sent as
    multipart but ignored, which the RFC allows; so is what is malformed or has another unit.
    """
    if len(header) > RANGE_HEADER_LIMIT:
        return None
    unit, equals, specs = header.partition(b"=")
    if unit == b"bytes":
        # What nearly every player sends is read without a regular expression.
        first, dash, last = specs.partition(b"-")
        if dash and first.isdigit() and (last.isdigit() or not last):
            return _one_range(first, last, size_bytes)
    if not equals or unit.strip().lower() != b"bytes":
        return None
    wanted: list[Range] = []
    written = 0
    for spec in specs.split(b","):
        if not spec.strip(b" \t"):
            continue  # RFC 9110 5.6.1: a list may have empty members.
        written += 1
        match = _RANGE.fullmatch(spec)
        if match is None or written > RANGES_LIMIT:
            return None
        found = _one_range(match[1], match[2], size_bytes)
        if found is None:
            return None
        if found != UNSATISFIABLE:
            wanted.append(found)
    if not written:
        return None
    if not wanted:
        return UNSATISFIABLE
    return wanted[0] if len(wanted) == 1 else _merged(wanted)


def _one_range(first: bytes, last: bytes, size_bytes: int) -> Range | Unsatisfiable | None:
    if not first:
        if not last:
            return None
        length = int(last)
        if length == 0 or size_bytes == 0:
            return UNSATISFIABLE
        return Range(max(0, size_bytes - length), size_bytes)
    start = int(first)
    end = int(last) + 1 if last else size_bytes
    if last and end <= start:
        return None
    if start >= size_bytes:
        return UNSATISFIABLE
    return Range(start, min(end, size_bytes))


def _merged(wanted: list[Range]) -> Range | None:
    """One range if all of them touch or overlap, else None."""
    wanted.sort()
    start, end = wanted[0]
    for following in wanted[1:]:
        if following.start > end:
            return None
        end = max(end, following.end)
    return Range(start, end)


def decide(
    method: str,
    headers: Mapping[bytes, bytes],
    etag: bytes,
    last_modified: int | None,
    size_bytes: int,
) -> Decision:
    """What a GET or HEAD is answered with, in the order of RFC 9110 13.2.2.

    `etag` is our strong tag with its quotes. Range is defined for GET alone.
    """
    if b"if-match" in headers:
        if not _is_same_strong(headers[b"if-match"], etag):
            return _PRECONDITION_FAILED
    elif b"if-unmodified-since" in headers:
        since = parse_http_date(headers[b"if-unmodified-since"])
        if since is not None and last_modified is not None and last_modified > since:
            return _PRECONDITION_FAILED
    if b"if-none-match" in headers:
        if etag_matches(headers[b"if-none-match"], etag):
            return _NOT_MODIFIED
    elif b"if-modified-since" in headers:
        since = parse_http_date(headers[b"if-modified-since"])
        if since is not None and last_modified is not None and last_modified <= since:
            return _NOT_MODIFIED
    if (
        method != "GET"
        or b"range" not in headers
        or (b"if-range" in headers and not _is_unchanged(headers[b"if-range"], etag, last_modified))
    ):
        return Decision(200, 0, size_bytes)
    found = parse_range(headers[b"range"], size_bytes)
    if found is None:
        return Decision(200, 0, size_bytes)
    if found == UNSATISFIABLE:
        return _RANGE_NOT_SATISFIABLE
    return Decision(206, found.start, found.end)


def etag_matches(header: bytes, etag: bytes) -> bool:
    """Whether If-None-Match names our tag, by weak comparison (RFC 9110 13.1.2).

    Proxies make strong tags weak, and some put the coding behind: both still match.
    """
    if header == etag:
        return True
    ours = _opaque(etag)
    return any(tag == b"*" or _opaque(tag) == ours for tag in _tags(header))


def _opaque(tag: bytes) -> bytes:
    """What stands between the quotes, without marks of weakness and of coding."""
    tag = tag[2:] if tag[:2] in (b"W/", b"w/") else tag
    tag = _without_codings(tag).removeprefix(b'"').removesuffix(b'"')
    return _without_codings(tag)


def _without_codings(tag: bytes) -> bytes:
    """Each proxy on the way may have put one behind it; a hostile tag has no end of them."""
    for _ in range(_MOST_CODINGS):
        if not tag.endswith(_CODING_SUFFIXES):
            break
        tag = next(tag[: -len(suffix)] for suffix in _CODING_SUFFIXES if tag.endswith(suffix))
    return tag


def _tags(header: bytes) -> Iterable[bytes]:
    """The members of a list of entity tags; a comma between quotes belongs to its tag."""
    return (member.strip(b" \t") for member in _TAG.findall(header))


def _is_same_strong(header: bytes, etag: bytes) -> bool:
    """Whether If-Match holds, by strong comparison: a weak tag never does."""
    return any(tag in (b"*", etag) for tag in _tags(header))


def _is_unchanged(header: bytes, etag: bytes, last_modified: int | None) -> bool:
    """Whether If-Range holds: our strong tag, or our very date (RFC 9110 13.1.5)."""
    header = header.strip(b" \t")
    if header.startswith((b'"', b"W/")):
        return header == etag
    return last_modified is not None and parse_http_date(header) == last_modified


@lru_cache(maxsize=512)
def parse_http_date(header: bytes) -> int | None:
    """Seconds since 1970 of any of HTTP's three date forms, None for anything else (5.6.7)."""
    if len(header) > 64:
        return None
    for form in _DATES:
        match = form.fullmatch(header)
        if match is not None:
            return _seconds(match.groupdict())
    return None


def _seconds(found: Mapping[str, bytes]) -> int | None:
    year = int(found["year"])
    if len(found["year"]) == 2:
        # Nothing of ours is older than 1970.
        year += 2000 if year < 70 else 1900
    month = _MONTHS.get(found["month"], 0)
    # A leap second is written as 60.
    second = min(int(found["second"]), 59) if found["second"] == b"60" else int(found["second"])
    try:
        moment = datetime(
            year, month, int(found["day"]), int(found["hour"]), int(found["minute"]), second
        )
    except ValueError:
        return None
    return timegm(moment.timetuple())


@lru_cache(maxsize=512)
def accepts_gzip(header: bytes) -> bool:
    """Whether Accept-Encoding allows gzip (RFC 9110 12.5.3)."""
    return _accepts(header, (b"gzip", b"x-gzip"))


@lru_cache(maxsize=512)
def best_coding(header: bytes) -> str:
    """The smallest coding that Accept-Encoding allows: "br" (RFC 7932), "gzip", or "" for none.

    Whatever is not named is not wanted: a * stands there for gzip, which everybody knows.
    """
    if b"br" in header.lower() and _accepts(header.replace(b"*", b""), (b"br",)):
        return "br"
    return "gzip" if accepts_gzip(header) else ""


def _accepts(header: bytes, names: Collection[bytes]) -> bool:
    anything = False
    for member in header.lower().split(b",")[:32]:
        coding, _, parameters = member.partition(b";")
        quality = parameters.replace(b" ", b"").replace(b"\t", b"")
        is_wanted = re.fullmatch(rb"q=0(\.0*)?", quality) is None
        if coding.strip() in names:
            return is_wanted
        if coding.strip() == b"*":
            anything = is_wanted
    return anything


def joined_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name; what stands on several lines is one list (RFC 9110 5.3).

    Where a list makes no sense (Range, If-Range, dates), the joined value is malformed and so
    ignored, which is the safe reading of a request that says two things.
    """
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        joined[name] = joined[name] + b", " + value if name in joined else value
    return joined


def wants_download(query: bytes) -> bool:
    """Whether ?download=1 asks for a file to be saved instead of played."""
    return b"download=1" in query.split(b"&")


def attachment(name: str, plain: str) -> tuple[bytes, bytes]:
    """The header by which browsers save a file under `name` (RFC 6266, RFC 8187), or under
    `plain`, which is ASCII, where they do not know the extended form."""
    kept = re.sub(r"[^A-Za-z0-9._-]", "_", plain)
    extended = quote(name, safe="!#$&+-.^_`|~")
    value = f"attachment; filename=\"{kept}\"; filename*=UTF-8''{extended}"
    return b"content-disposition", value.encode("ascii")


# Errors

_STATUS = {
    "invalid": 422,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "gone": 410,
    "conflict": 409,
    "outdated": 412,
    "too_late": 408,
    "too_large": 413,
    "unsupported": 415,
    "too_many_requests": 429,
    "unavailable": 503,
}


def error_status(code: str) -> int:
    """The HTTP status of one of our error codes; 500 for those that nobody foresaw."""
    return _STATUS.get(code, 500)


def error_json(code: str, message: str, fields: Mapping[str, str] | None = None) -> bytes:
    """The one shape in which programs get errors."""
    return msgspec.json.encode(
        {"error": {"code": code, "message": message, "fields": dict(fields or {})}}
    )


# Short answers, and the request they go to

_METHODS = b"GET, HEAD, OPTIONS"


def body_message(body: bytes | bytearray) -> dict[str, Any]:
    """The ASGI message that is a body, or the last piece of one."""
    return {"type": "http.response.body", "body": body}


def plain_answer(status: int, text: str, *headers: tuple[bytes, bytes]) -> Answer:
    """A sentence for whoever looks at it."""
    body = (text + "\n").encode()
    block = HeaderBlock(
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        ALLOW_ANY_ORIGIN,
        *headers,
    )
    return Answer(status, block, body=body)


_NO_CACHE = (b"cache-control", b"no-cache")
# So that every play is seen, and nobody keeps a redirect whose target expires.
_PRIVATE = (b"cache-control", b"private, no-cache")
EMPTY: Final = body_message(b"")
# uvicorn waits with this one until the listener has taken what was sent before.
FLUSH: Final = {"type": "http.response.body", "body": b"", "more_body": True}

NOT_FOUND = plain_answer(404, "There is nothing at this address.", _NO_CACHE)
GONE = plain_answer(410, "This was here once, and is gone for good.", _NO_CACHE)
UNAVAILABLE = plain_answer(
    503, "This cannot be served right now; try again soon.", _NO_CACHE, (b"retry-after", b"10")
)
NOT_RENDERED = plain_answer(
    503, "This feed is being made; try again soon.", _NO_CACHE, (b"retry-after", b"2")
)
NO_SUCH_METHOD = plain_answer(405, "Only GET and HEAD work here.", _NO_CACHE, (b"allow", _METHODS))
PREFLIGHT = Answer(
    204,
    HeaderBlock(
        (b"allow", _METHODS),
        ALLOW_ANY_ORIGIN,
        (b"access-control-allow-methods", _METHODS),
        (
            b"access-control-allow-headers",
            b"Range, If-Range, If-Match, If-None-Match, If-Modified-Since",
        ),
        (b"access-control-max-age", b"86400"),
    ),
)
PRECONDITION_FAILED = Answer(412, HeaderBlock((b"content-length", b"0"), ALLOW_ANY_ORIGIN))


@lru_cache(maxsize=4096)
def redirect_answer(url: str, status: int = 302) -> Answer:
    """302: not 301, which apps and caches would keep for ever; that is for audio that moved away.

    Either is asked for anew each time, so that every play is seen.
    """
    block = HeaderBlock(
        (b"location", url.encode("ascii")),
        (b"content-length", b"0"),
        _PRIVATE,
        ALLOW_ANY_ORIGIN,
        EXPOSE_AUDIO,
    )
    return Answer(status, block)


class Request:
    """What was asked, by whom and when: all that an answer is decided by.

    `headers` are those of read_headers(); `ip` is empty where nobody knows it.
    """

    __slots__ = ("headers", "ip", "method", "path", "query", "started_ms")

    def __init__(
        self, method: str, path: str, headers: dict[bytes, bytes], ip: str, query: bytes = b""
    ) -> None:
        self.query = query
        self.started_ms = int(time.time() * 1000)
        self.method = method
        self.path = path
        self.headers = headers
        self.ip = ip


class AsgiRequest(Request):
    """A request with the way back to whoever asked, as ASGI gives it."""

    __slots__ = ("receive", "send")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope["client"]
        headers = read_headers(scope["headers"])
        ip = client[0] if client else ""
        super().__init__(scope["method"], scope["path"], headers, ip, scope["query_string"])
        self.receive = receive
        self.send = send

    async def answer(self, answer: Answer) -> None:
        """Send an answer; none of its body to HEAD."""
        await self.send(answer.start)
        await self.send(EMPTY if self.method == "HEAD" else body_message(answer.body))


def read_headers(lines: Collection[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name; see joined_headers() for those that were sent twice."""
    headers: dict[bytes, bytes] = dict(lines)
    return headers if len(headers) == len(lines) else joined_headers(lines)
