"""Ranges, validators and dates: what RFC 9110 says, case by case."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.catalogue.entries import http_date
from podhost.errors import Conflict, Invalid
from podhost.web.responses import (
    UNSATISFIABLE,
    Decision,
    Range,
    accepts_gzip,
    decide,
    error_json,
    error_status,
    etag_matches,
    joined_headers,
    parse_http_date,
    parse_range,
)

ETAG = b'"abc"'
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
MODIFIED = 784111777


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"bytes=0-1", (0, 2)),
        (b"bytes=0-", (0, 1000)),
        (b"bytes=0-9999", (0, 1000)),
        (b"bytes=999-", (999, 1000)),
        (b"bytes=007-0008", (7, 9)),
        (b"BYTES=0-1", (0, 2)),
        (b"bytes=-500", (500, 1000)),
        (b"bytes=-9999", (0, 1000)),
        (b"bytes=-" + b"9" * 40, (0, 1000)),
        (b"bytes=0-" + b"9" * 40, (0, 1000)),
        (b"bytes=" + b"0" * 40 + b"5-9", (5, 10)),
        (b"bytes=0-1,2000-2001", (0, 2)),
        (b"bytes=0-99,100-199", (0, 200)),
        (b"bytes=100-199, 0-99", (0, 200)),
        (b"bytes=0-99,50-60,,", (0, 100)),
        (b"bytes=-1,0-998", (0, 1000)),
        (b"bytes=" + b",".join([b"0-9"] * 16), (0, 10)),
    ],
)
def test_a_range_that_can_be_sent_is_found(header: bytes, expected: tuple[int, int]) -> None:
    assert parse_range(header, 1000) == Range(*expected)


@pytest.mark.parametrize(
    "header",
    [b"bytes=1000-", b"bytes=-0", b"bytes=5000-6000,7000-", b"bytes=" + b"9" * 40 + b"-"],
)
def test_a_range_beyond_the_end_is_unsatisfiable(header: bytes) -> None:
    assert parse_range(header, 1000) == UNSATISFIABLE


@pytest.mark.parametrize(
    "header",
    [
        b"bytes=5-2",
        b"bytes=abc",
        b"bytes=",
        b"bytes=-",
        b"bytes=,",
        b"bytes",
        b"",
        b"items=0-1",
        b"bytes=0-1,abc",
        b"bytes=0-1,500-501",
        b"bytes=+1-2",
        b"bytes=1_0-20",
        "bytes=٠-١".encode(),
        b"bytes=0-1\n",
        b"bytes=" + b",".join([b"0-9"] * 17),
        # The last byte before the first, both of them beyond every size.
        b"bytes=" + b"9" * 40 + b"-" + b"9" * 30,
        b"bytes=" + b"0" * 2000 + b"-",
    ],
)
def test_a_range_that_is_malformed_or_multiple_or_of_another_unit_is_ignored(
    header: bytes,
) -> None:
    assert parse_range(header, 1000) is None


def test_nothing_of_an_empty_body_can_be_sent_as_a_range() -> None:
    assert parse_range(b"bytes=0-", 0) == UNSATISFIABLE
    assert parse_range(b"bytes=-5", 0) == UNSATISFIABLE


@given(st.binary(max_size=60).map(lambda tail: b"bytes=" + tail), st.integers(0, 10**12))
def test_any_range_is_inside_the_body_or_refused(header: bytes, size_bytes: int) -> None:
    found = parse_range(header, size_bytes)
    if isinstance(found, Range):
        assert 0 <= found.start < found.end <= size_bytes


@given(
    st.lists(
        st.tuples(st.integers(0, 1200), st.integers(0, 1200)).map(
            lambda pair: (min(pair), max(pair))
        ),
        min_size=1,
        max_size=16,
    )
)
def test_merged_ranges_are_what_was_asked_for_and_nothing_else(
    wanted: list[tuple[int, int]],
) -> None:
    header = b"bytes=" + b",".join(b"%d-%d" % pair for pair in wanted)
    positions = {n for first, last in wanted for n in range(first, last + 1) if n < 1000}
    found = parse_range(header, 1000)
    if found == UNSATISFIABLE:
        assert not positions
    elif found is None:
        assert len(positions) < max(positions) - min(positions) + 1
    else:
        assert positions == set(range(found.start, found.end))


WHOLE = Decision(200, 0, 1000)
PART = Decision(206, 0, 2)
R = (b"range", b"bytes=0-1")


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("GET", [], WHOLE),
        ("HEAD", [], WHOLE),
        ("GET", [R], PART),
        ("HEAD", [R], WHOLE),
        ("GET", [(b"range", b"bytes=0-")], Decision(206, 0, 1000)),
        ("GET", [(b"range", b"bytes=1000-")], Decision(416, 0, 0)),
        ("HEAD", [(b"range", b"bytes=1000-")], WHOLE),
        # If-Range: only our strong tag or our very date.
        ("GET", [R, (b"if-range", b'"abc"')], PART),
        ("GET", [R, (b"if-range", b'W/"abc"')], WHOLE),
        ("GET", [R, (b"if-range", b'"old"')], WHOLE),
        ("GET", [R, (b"if-range", b'"abc-gzip"')], WHOLE),
        ("GET", [R, (b"if-range", DATE)], PART),
        ("GET", [R, (b"if-range", b"Sun, 06 Nov 1994 08:49:38 GMT")], WHOLE),
        ("GET", [R, (b"if-range", b"yesterday")], WHOLE),
        ("GET", [(b"range", b"bytes=1000-"), (b"if-range", b'"old"')], WHOLE),
        # If-None-Match wins over If-Modified-Since and over Range.
        ("GET", [(b"if-none-match", b'"abc"')], Decision(304, 0, 0)),
        ("HEAD", [(b"if-none-match", b'"abc"')], Decision(304, 0, 0)),
        ("GET", [R, (b"if-none-match", b'"abc"')], Decision(304, 0, 0)),
        ("GET", [R, (b"if-none-match", b'"old"')], PART),
        ("GET", [(b"if-none-match", b'"old"'), (b"if-modified-since", DATE)], WHOLE),
        ("GET", [(b"if-modified-since", DATE)], Decision(304, 0, 0)),
        ("GET", [(b"if-modified-since", b"Sun, 06 Nov 1994 08:49:36 GMT")], WHOLE),
        ("GET", [(b"if-modified-since", b"soon")], WHOLE),
        # If-Match and If-Unmodified-Since come first.
        ("GET", [(b"if-match", b'"other"')], Decision(412, 0, 0)),
        ("GET", [(b"if-match", b'W/"abc"')], Decision(412, 0, 0)),
        ("GET", [R, (b"if-match", b'"other", "abc"')], PART),
        ("GET", [(b"if-match", b"*")], WHOLE),
        ("GET", [(b"if-match", b'"other"'), (b"if-none-match", b'"abc"')], Decision(412, 0, 0)),
        ("GET", [(b"if-match", b'"abc"'), (b"if-none-match", b'"abc"')], Decision(304, 0, 0)),
        (
            "GET",
            [(b"if-unmodified-since", b"Sun, 06 Nov 1994 08:49:36 GMT")],
            Decision(412, 0, 0),
        ),
        ("GET", [(b"if-unmodified-since", DATE)], WHOLE),
        ("GET", [(b"if-unmodified-since", b"never")], WHOLE),
        (
            "GET",
            [(b"if-match", b'"abc"'), (b"if-unmodified-since", b"Sun, 06 Nov 1994 08:49:36 GMT")],
            WHOLE,
        ),
    ],
)
def test_the_decision_follows_the_order_of_the_rfc(
    method: str, headers: list[tuple[bytes, bytes]], expected: Decision
) -> None:
    assert decide(method, dict(headers), ETAG, MODIFIED, 1000) == expected


@pytest.mark.parametrize(
    "header",
    [
        b'"abc"',
        b'W/"abc"',
        b'w/"abc"',
        b"*",
        b'"x", "abc"',
        b'"x,y" , W/"abc","z"',
        b'"abc-gzip"',
        b'"abc;gzip"',
        b'"abc"-gzip',
        b'W/"abc-gzip"',
        b',,"abc"',
    ],
)
def test_a_tag_of_ours_matches_however_proxies_changed_it(header: bytes) -> None:
    assert etag_matches(header, ETAG)
    assert etag_matches(header, b'"abc-gzip"')


@pytest.mark.parametrize(
    "header", [b'"ab"', b'"x,"abc', b'"a","bc"', b"", b'"*"', b'"abc,x"', b'"abc-gzipped"']
)
def test_another_tag_does_not_match(header: bytes) -> None:
    assert not etag_matches(header, ETAG)


def test_a_hostile_list_of_tags_is_read_quickly() -> None:
    assert not etag_matches(b'"' * 60001, ETAG)
    assert not etag_matches(b",".join([b'"a' * 3] * 20000), ETAG)


@pytest.mark.parametrize(
    "header", [DATE, b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"]
)
def test_all_three_forms_of_dates_are_read(header: bytes) -> None:
    assert parse_http_date(header) == MODIFIED


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"0",
        b"Sun, 31 Feb 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 25:49:37 GMT",
        b"Sun, 06 Foo 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:37",
        b"Sun, 06 Nov 1994 08:49:37 +0100",
        b"Sun, 06 Nov 0000 08:49:37 GMT",
        b"1994-11-06T08:49:37Z",
        b"x" * 10000,
    ],
)
def test_what_is_no_date_is_ignored(header: bytes) -> None:
    assert parse_http_date(header) is None


@given(st.integers(0, 4102444800))
def test_a_date_that_we_wrote_is_read_back(seconds: int) -> None:
    assert parse_http_date(http_date(seconds)) == seconds


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"gzip", True),
        (b"gzip, deflate, br", True),
        (b"br;q=1.0, GZIP;q=0.5", True),
        (b"*", True),
        (b"*;q=0, gzip", True),
        (b"gzip;q=0", False),
        (b"gzip; q=0.000, *", False),
        (b"*;q=0", False),
        (b"identity", False),
        (b"", False),
        (b"gzipped", False),
    ],
)
def test_gzip_is_sent_to_those_who_accept_it(header: bytes, expected: bool) -> None:
    assert accepts_gzip(header) is expected


def test_headers_on_several_lines_are_one_list() -> None:
    lines = [(b"if-none-match", b'"a"'), (b"host", b"x"), (b"if-none-match", b'"b"')]
    assert joined_headers(lines) == {b"if-none-match": b'"a", "b"', b"host": b"x"}


def test_errors_have_one_shape() -> None:
    error = Invalid("No title.", {"title": "It is empty."})
    assert json.loads(error_json(error.code, error.message, error.fields)) == {
        "error": {
            "code": "invalid",
            "message": "No title.",
            "fields": {"title": "It is empty."},
        }
    }
    assert error_status(error.code) == 422
    assert error_status(Conflict("Taken.").code) == 409
