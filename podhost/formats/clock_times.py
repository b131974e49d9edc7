"""Moments in audio as people write and read them: 1:02:03.5; milliseconds everywhere else."""

import re

from podhost.formats.chapters import play_time_ms

EXAMPLE = "Write a time such as 1:02:03 or 12:30.5."
# A year, as for chapters.
LATEST_MS = 9000 * 3_600_000
_ENDING_ZEROS = re.compile(r"\.?0+$")


def clock_time(ms: int) -> str:
    """A moment as people read it, such as 0:01:30 or 1:02:03.25; thousandths only where needed."""
    seconds, rest = divmod(ms, 1000)
    written = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return written + _ENDING_ZEROS.sub("", f".{rest:03}")


def read_clock_time(written: str) -> int:
    """The milliseconds that were meant: hours and minutes may be missing, a comma is a point.

    Raises ValueError with a sentence.
    """
    ms = play_time_ms(written.strip().replace(",", "."))
    if ms is None or ms > LATEST_MS:
        raise ValueError(EXAMPLE)
    return ms
