"""Connections to PostgreSQL that wait for an answer for so long and no longer; they know no SQL.

A server whose machine hangs takes a statement and says nothing more, and TCP sees nothing wrong:
the kernel over there still acknowledges what arrives. psycopg itself would wait for ever.
"""

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

import psycopg

from podhost.silence import Silence

_NOTHING_READY = 0


class PatientConnection(psycopg.Connection[Any]):
    """Ends itself when the server is silent in the middle of a call."""

    # Seconds without a byte from the server; None: for as long as it takes.
    patience_seconds: float | None = None
    silence: Silence | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's own, which all calls end in. Raises OperationalError after a silence."""
        if self.patience_seconds is None:
            return super().wait(gen, interval, timeout)
        found = super().wait(_hearing(gen, self.patience_seconds, self._give_up), interval, timeout)
        if self.silence is not None and self.silence.lasts:
            self.silence.heard()
        return found

    def __del__(self, *_: Any) -> None:
        # SQLAlchemy forgets a connection whose first statements failed, and psycopg's own would
        # complain about it.
        with suppress(Exception):
            self.close()

    def _give_up(self) -> None:
        if self.silence is not None:
            self.silence.noticed()
        # Closed here and now: what it would answer later belongs to nobody. Saying goodbye to a
        # server that is silent does not wait.
        self.close()
        raise psycopg.OperationalError("timeout: the server was silent")


def connect(
    arguments: tuple[Any, ...],
    parameters: dict[str, Any],
    *,
    patience_seconds: float,
    silence: Silence,
) -> PatientConnection:
    """A new connection. Raises OperationalError, after `connect_timeout` of the parameters."""
    try:
        connection = PatientConnection.connect(*arguments, **parameters)
    except psycopg.errors.ConnectionTimeout:
        silence.noticed()
        raise
    except psycopg.OperationalError:
        # Refused, or told no: that is an answer.
        silence.heard()
        raise
    silence.heard()
    connection.silence = silence
    connection.patience_seconds = patience_seconds
    return connection


def _hearing(
    gen: Generator[Any, int, Any], patience_seconds: float, give_up: Callable[[], None]
) -> Generator[Any, int, Any]:
    """What `gen` does, until nothing has happened for so long."""
    try:
        wanted = next(gen)
        deadline = time.monotonic() + patience_seconds
        while True:
            ready = yield wanted
            if ready != _NOTHING_READY:
                deadline = time.monotonic() + patience_seconds
            elif time.monotonic() >= deadline:
                give_up()
            wanted = gen.send(ready)
    except StopIteration as done:
        return done.value
