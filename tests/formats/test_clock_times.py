"""Moments are read as people write them, and written as they read them."""

import pytest

from podhost.formats.clock_times import clock_time, read_clock_time


@pytest.mark.parametrize(
    ("ms", "written"),
    [
        (0, "0:00:00"),
        (1_500, "0:00:01.5"),
        (90_000, "0:01:30"),
        (3_723_250, "1:02:03.25"),
        (10_000, "0:00:10"),
        (36_000_001, "10:00:00.001"),
    ],
)
def test_what_is_written_is_read_as_the_same(ms: int, written: str) -> None:
    assert clock_time(ms) == written
    assert read_clock_time(written) == ms


@pytest.mark.parametrize(
    ("written", "ms"), [("90", 90_000), (" 1:30 ", 90_000), ("1:30,5", 90_500), ("0:00.25", 250)]
)
def test_short_forms_are_understood(written: str, ms: int) -> None:
    assert read_clock_time(written) == ms


@pytest.mark.parametrize("written", ["", "soon", "1:2:3:4", "-1", "1e3", "99999:00:00", "1.5.5"])
def test_what_is_no_time_is_told_with_an_example(written: str) -> None:
    with pytest.raises(ValueError, match="1:02:03"):
        read_clock_time(written)
