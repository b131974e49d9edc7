"""A poller that notes how long each poll took: a process with a thread and a connection for each
feed, so that one slow answer hides no other.

`python -m benchmarks.poller PLAN.json` polls until its standard input ends and prints all times.
"""

import bisect
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.load import LoadRequest
from benchmarks.loader import Connection

_BUFFER_BYTES = 1 << 20
_FIRST_POLLS_SECONDS = 0.3


class Polls:
    """Polls by the time at which they were sent (`time.monotonic`, which processes share)."""

    def __init__(self, found: Sequence[tuple[float, float]]) -> None:
        self._found = sorted(found)

    def within(self, start: float, end: float) -> list[float]:
        """How many milliseconds each poll took that was sent in this span."""
        first = bisect.bisect_left(self._found, (start, 0.0))
        last = bisect.bisect_left(self._found, (end, 0.0))
        return [ms for _, ms in self._found[first:last]]


class Poller:
    """The process, from our side. `polls` is there after the block."""

    def __init__(
        self, lab: Any, port: int, requests: Sequence[LoadRequest], *, pause_seconds: float
    ) -> None:
        self.polls = Polls(())
        plan = {
            "port": port,
            "pause_seconds": pause_seconds,
            "polls": [[r.status, r.as_bytes(port).decode()] for r in requests],
        }
        path = lab.new_folder("poller") / "plan.json"
        path.write_text(json.dumps(plan))
        self._command = [sys.executable, "-m", "benchmarks.poller", str(path)]

    def __enter__(self) -> "Poller":
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        # Its first line says that every connection has been answered once.
        if not self._process.stdout.readline():
            raise RuntimeError("the poller ended")
        time.sleep(_FIRST_POLLS_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        output, _ = self._process.communicate()
        if self._process.returncode == 0:
            self.polls = Polls([(sent_at, ms) for sent_at, ms in json.loads(output)])
        else:
            raise RuntimeError("a poll got no answer, or a wrong one")


# The process itself


def _poll(plan: dict[str, Any], status: int, request: bytes, done: threading.Event) -> Any:
    connection = Connection(plan["port"], status)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    buffer = bytearray(_BUFFER_BYTES)
    while not done.is_set():
        sent_at = time.monotonic()
        connection.ask(request)
        while not connection.take(buffer):
            pass
        yield sent_at, (time.monotonic() - sent_at) * 1000
        time.sleep(plan["pause_seconds"])


def run(plan: dict[str, Any]) -> list[tuple[float, float]]:
    """Poll until standard input ends."""
    done = threading.Event()
    found: list[tuple[float, float]] = []
    failed: list[Exception] = []
    polls = [_poll(plan, status, request.encode(), done) for status, request in plan["polls"]]
    for poll in polls:
        found.append(next(poll))

    def go_on(poll: Any) -> None:
        try:
            for one in poll:
                found.append(one)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=go_on, args=(poll,)) for poll in polls]
    for thread in threads:
        thread.start()
    print("polling", flush=True)
    sys.stdin.read()
    done.set()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return found


if __name__ == "__main__":
    print(json.dumps(run(json.loads(Path(sys.argv[1]).read_text()))))
