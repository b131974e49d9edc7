"""A server that gives no answer: remembered, so that not everybody waits for it; it asks nobody.

A refused connection fails at once and needs no memory. A server that takes a request and is silent
holds a thread until its time is up; without this, all threads soon wait for the same thing.
"""

import logging
import threading
import time

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 2.0


class Silence:
    """Whether one server was silent when it was last asked. Threads may share it."""

    def __init__(self, name: str, again_seconds: float = AGAIN_SECONDS) -> None:
        self._name = name
        self._again_seconds = again_seconds
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._ask_at = 0.0

    @property
    def lasts(self) -> bool:
        """True from a time-out until the server is heard again."""
        return self._began_at is not None

    def may_ask(self) -> bool:
        """True while all is well; during a silence for one caller every few seconds."""
        if self._began_at is None:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._ask_at:
                return False
            self._ask_at = now + self._again_seconds
            return True

    def noticed(self) -> None:
        """No answer came in time."""
        with self._lock:
            now = time.monotonic()
            self._ask_at = now + self._again_seconds
            if self._began_at is not None:
                return
            self._began_at = now
        logger.warning(
            "%s does not answer; others are told at once, and it is asked again every %g s",
            self._name,
            self._again_seconds,
        )

    def heard(self) -> None:
        """An answer came."""
        if self._began_at is None:
            return
        with self._lock:
            began_at, self._began_at = self._began_at, None
        if began_at is not None:
            seconds = time.monotonic() - began_at
            logger.warning("%s answers again, after %.0f s", self._name, seconds)
