"""Dates of other hosts' feeds: each form that was seen, its moment, and what is said about it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.formats.feed_dates import (
    AT_24,
    EPOCH,
    IMPLAUSIBLE,
    ISO,
    MISSING,
    NO_TIME,
    NO_ZONE,
    TWO_DIGITS,
    UNKNOWN_ZONE,
    UNREADABLE,
    read_date,
)

CASES: list[tuple[str, str | None, list[str]]] = [
    ("Tue, 05 Mar 2024 09:05:00 GMT", "2024-03-05T09:05:00", []),
    ("Tue, 5 Mar 2024 09:05:00 +0000", "2024-03-05T09:05:00", []),
    ("Wed, 05 Mar 2024 09:05:00 GMT", "2024-03-05T09:05:00", []),
    (" Tue,  05 Mar 2024 09:05:00   GMT ", "2024-03-05T09:05:00", []),
    ("Tues, 5 March 2024 09:05:00 -0500", "2024-03-05T14:05:00", []),
    ("Tue, 05 Mar 24 09:05:00 EST", "2024-03-05T14:05:00", [TWO_DIGITS]),
    ("Tue, 05 Mar 2024 09:05:00 CEST", "2024-03-05T07:05:00", []),
    ("Tue, 05 Mar 2024 09:05 PDT", "2024-03-05T16:05:00", []),
    ("Tue, 05 Mar 2024 09:05:00 +0545", "2024-03-05T03:20:00", []),
    ("Tue, 05 Mar 2024 09:05:00 GMT+0100", "2024-03-05T08:05:00", []),
    ("Tue, 05 Mar 2024 24:00:00 GMT", "2024-03-06T00:00:00", [AT_24]),
    ("Tue, 05 Mar 2024 09:05:60 GMT", "2024-03-05T09:05:59", []),
    ("Tue, 05 Mar 2024 09:05:00", "2024-03-05T09:05:00", [NO_ZONE]),
    ("Tue, 05 Mar 2024 09:05:00 XYZ", "2024-03-05T09:05:00", [UNKNOWN_ZONE]),
    ("5 Mar 2024", "2024-03-05T00:00:00", [NO_TIME]),
    ("Mar 5, 2024", "2024-03-05T00:00:00", [NO_TIME]),
    ("March 5, 2024 9:05 PM EST", "2024-03-06T02:05:00", []),
    ("2024-03-05T09:05:00+01:00", "2024-03-05T08:05:00", [ISO]),
    ("2024-03-05 09:05:00 +0100", "2024-03-05T08:05:00", [ISO]),
    ("2024-03-05 09:05:00 UTC", "2024-03-05T09:05:00", [ISO]),
    ("2024-03-05T09:05:00Z", "2024-03-05T09:05:00", [ISO]),
    ("2024-03-05T09:05:00.123Z", "2024-03-05T09:05:00", [ISO]),
    ("1709629500", "2024-03-05T09:05:00", [EPOCH]),
    ("1709629500000", "2024-03-05T09:05:00", [EPOCH]),
    ("Di, 05 März 2024 09:05:00 +0100", "2024-03-05T08:05:00", []),
    ("mar., 05 mars 2024 09:05:00 +0100", "2024-03-05T08:05:00", []),
    ("Tue, 05 Mar 2024 09:05:00 +0000 (UTC)", "2024-03-05T09:05:00", []),
    ("5 Mar 2024 12:05 am GMT", "2024-03-05T00:05:00", []),
    ("05/03/2024", None, [UNREADABLE]),
    ("Tue, 31 Feb 2024 09:05:00 GMT", None, [UNREADABLE]),
    ("Tue, 05 Mar 2024 25:00:00 GMT", None, [UNREADABLE]),
    ("Tue, 05 Mar 2024 13:05 PM GMT", None, [UNREADABLE]),
    ("Tue, 05 Foo 2024 09:05:00 GMT", None, [UNREADABLE]),
    ("yesterday", None, [UNREADABLE]),
    ("", None, [MISSING]),
    (" \n ", None, [MISSING]),
    ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00", [IMPLAUSIBLE]),
    ("Tue, 05 Mar 2999 09:05:00 GMT", "2999-03-05T09:05:00", []),
]


@pytest.mark.parametrize(("text", "moment", "warnings"), CASES)
def test_a_date_is_the_moment_that_was_meant(
    text: str, moment: str | None, warnings: list[str]
) -> None:
    expected = datetime.fromisoformat(moment).replace(tzinfo=UTC) if moment else None
    assert read_date(text) == (expected, warnings)


@pytest.mark.parametrize(
    "text", ["9" * 100_000, "Mon, " * 30_000, "31 Dec 9999 23:59:59 -1400", "0000-01-01T00:00:00Z"]
)
def test_no_date_takes_long_or_fails(text: str) -> None:
    assert read_date(text) == (None, [UNREADABLE])


@given(st.text() | st.text(alphabet="0123456789 :,+-TZ.aAMpgyeJn"))
def test_any_text_is_read_or_refused(text: str) -> None:
    moment, warnings = read_date(text)
    assert moment is None or moment.utcoffset() is not None
    assert moment is not None or warnings
