"""Moments inside an episode as people write them in a form; it knows no row."""

import re

_MOMENT = re.compile(r"(?:(?:([0-9]{1,2}):)?([0-9]{1,3}):)?([0-9]{1,5})(?:[.,]([0-9]{1,3})[0-9]*)?")


def read_moment(text: str) -> int | None:
    """Milliseconds of 83, 1:23, 1:02:03 or 1:23.5; None for anything else."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
    thousandths = int((found[4] or "0").ljust(3, "0"))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths
