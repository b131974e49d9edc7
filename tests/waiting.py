"""Waiting for what another thread or process does; it knows nothing of what is waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(
    look: Callable[[], T], is_good: Callable[[T], object] = bool, seconds: float = 90
) -> T:
    """What `look` gives as soon as it is good; looks again and again, for `seconds` at most.

    They are many, because on a machine with little time even a first feed takes most of a minute.
    """
    deadline = time.monotonic() + seconds
    while not is_good(found := look()):
        assert time.monotonic() < deadline, repr(getattr(found, "text", found))[:500]
        time.sleep(0.05)
    return found
