"""Ranges, conditions and codings: the first line is `METHOD SIZE SECONDS`, then a header a line.

Ranges are judged against a second, plainly written reading of RFC 9110 14.2.
"""

import re

from podhost.web.responses import (
    RANGE_HEADER_LIMIT,
    RANGES_LIMIT,
    UNSATISFIABLE,
    Range,
    accepts_gzip,
    decide,
    etag_matches,
    joined_headers,
    parse_http_date,
    parse_range,
)

ETAG = b'"abc"'
STATUSES = {200, 206, 304, 412, 416}
# Well formed, and without a comma between quotes.
_TAGS = re.compile(rb'(?:W/)?"[^", ]*"(?:, (?:W/)?"[^", ]*")*')


def one_input(data: bytes) -> None:
    first, *lines = data.split(b"\n")
    words = [*first.split(b" "), b"", b"", b""]
    method = "HEAD" if words[0] == b"HEAD" else "GET"
    size_bytes, seconds = _number(words[1]), _number(words[2])
    pairs = [line.partition(b": ") for line in lines]
    headers = joined_headers((name.lower(), value) for name, _, value in pairs)
    found = decide(method, headers, ETAG, seconds, size_bytes)
    assert found.status in STATUSES
    assert 0 <= found.start <= found.end <= size_bytes or found.status not in (200, 206)
    if found.status == 206:
        assert method == "GET" and found.start < found.end
    for header in (*headers.values(), *lines):
        _check_range(header, size_bytes)
        assert accepts_gzip(header) in (True, False)
        date = parse_http_date(header)
        assert date is None or isinstance(date, int)
        if _TAGS.fullmatch(header):
            ours = any(_same(tag) for tag in header.split(b", "))
            assert etag_matches(header, ETAG) == ours, header


def _same(tag: bytes) -> bool:
    value = tag.removeprefix(b"W/").strip(b'"')
    # What proxies put behind it when they compress, in any order; four of them at most.
    return re.fullmatch(rb"abc(?:-gzip|;gzip|--gzip|-br){0,4}", value) is not None


def _number(word: bytes) -> int:
    return int(word) if re.fullmatch(rb"[0-9]{1,12}", word) else 1000


def _check_range(header: bytes, size_bytes: int) -> None:
    found = parse_range(header, size_bytes)
    wanted = _plainly(header)
    if wanted is None:
        assert found is None, header
        return
    spans = [span for spec in wanted if (span := _span(*spec, size_bytes)) is not None]
    if not spans:
        assert found == UNSATISFIABLE, header
        return
    spans.sort()
    end = spans[0][1]
    for start, stop in spans:
        if start > end:
            assert found is None, header
            return
        end = max(end, stop)
    assert found == Range(spans[0][0], end), header


def _plainly(header: bytes) -> list[tuple[int | None, int | None]] | None:
    """First and last byte of each range that is asked for; None for what is to be ignored."""
    unit, equals, specs = header.partition(b"=")
    if unit.strip().lower() != b"bytes" or not equals or len(header) > RANGE_HEADER_LIMIT:
        return None
    found: list[tuple[int | None, int | None]] = []
    for spec in specs.split(b","):
        spec = spec.strip(b" \t")
        if not spec:
            continue
        if not re.fullmatch(rb"[0-9]+-[0-9]*|-[0-9]+", spec):
            return None
        first, _, last = spec.partition(b"-")
        found.append((int(first) if first else None, int(last) if last else None))
        if first and last and int(last) < int(first):
            return None
    return found if 0 < len(found) <= RANGES_LIMIT else None


def _span(first: int | None, last: int | None, size_bytes: int) -> tuple[int, int] | None:
    if first is None:
        assert last is not None
        return (max(0, size_bytes - last), size_bytes) if last and size_bytes else None
    if first >= size_bytes:
        return None
    return first, size_bytes if last is None else min(last + 1, size_bytes)
