"""Listeners' apps that poll a feed without pause, from one or several servers, as a proxy would.

Each poll carries a name of its own in its User-Agent, by which it is found in the request spool.
"""

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Poll:
    """One poll: whose it was, its number, when it was answered or broke off, and with what."""

    app: int
    number: int
    ended_at: float
    status: int
    body: bytes = b""

    @property
    def name(self) -> str:
        """What stands in its User-Agent."""
        return name_of(self.app, self.number)


@dataclass
class Polling:
    """`apps` threads that poll `path`, each request on a connection of its own.

    Where a server refuses the connection, the next one is asked, as nginx does by default. A
    status of 0 is a request that was cut off, and -1 one that nobody took. `see` is told each
    answer, in the order of its app.
    """

    urls: Sequence[str]
    path: str
    apps: int = 4
    pause_seconds: float = 0.002
    see: Callable[[Poll], None] | None = None
    # The number of each app's first poll.
    first: int = 0
    polls: list[Poll] = field(default_factory=list)

    def __enter__(self) -> "Polling":
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._poll, args=(n,)) for n in range(self.apps)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def answered(self) -> list[Poll]:
        """Those that got an answer."""
        return [poll for poll in self.polls if poll.status > 0]

    @property
    def failed(self) -> list[Poll]:
        """Those that got none, or one that says that something is wrong."""
        return [poll for poll in self.polls if poll.status not in (200, 304)]

    def _poll(self, app: int) -> None:
        number = self.first
        while not self._stop.is_set():
            status, body = self._ask(app, number)
            poll = Poll(app, number, time.monotonic(), status, body)
            self.polls.append(poll)
            if self.see is not None:
                self.see(poll)
            number += 1
            self._stop.wait(self.pause_seconds)

    def _ask(self, app: int, number: int) -> tuple[int, bytes]:
        for turn in range(len(self.urls)):
            address = urlsplit(self.urls[(app + number + turn) % len(self.urls)])
            connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
            try:
                connection.connect()
                connection.request("GET", self.path, headers={"User-Agent": name_of(app, number)})
                answer = connection.getresponse()
                return answer.status, answer.read()
            except ConnectionRefusedError:
                continue
            except (OSError, http.client.HTTPException):
                return 0, b""
            finally:
                connection.close()
        return -1, b""


def name_of(app: int, number: int) -> str:
    """How a poll is called."""
    return f"poll-{app}-{number}"
