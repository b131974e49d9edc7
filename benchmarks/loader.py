"""A load generator for machines without wrk: a process of its own, raw sockets and epoll.

`python -m benchmarks.loader PLAN.json` prints how many whole answers came. It looks at the status
and the length of every answer and at nothing else, and so is a few times as fast as uvicorn.
"""

import json
import random
import select
import socket
import sys
import time
from pathlib import Path
from typing import Any

_BUFFER_BYTES = 1 << 20
_HEADER_END = b"\r\n\r\n"
_PATIENCE = 30.0


class Connection:
    """One connection, with one request on its way."""

    def __init__(self, port: int, status: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line = b"HTTP/1.1 %d" % status
        # Bytes of the answer that are still to come; None: its header is not whole yet.
        self._missing: int | None = None
        self._header = b""

    def ask(self, request: bytes) -> None:
        """Send a request; it is small enough to go at once."""
        self._missing, self._header = None, b""
        self.socket.sendall(request)

    def take(self, buffer: bytearray) -> bool:
        """Read what has come; True when the answer is whole."""
        count = self.socket.recv_into(buffer)
        if not count:
            raise ConnectionError("the server closed a connection")
        if self._missing is None:
            self._header += bytes(memoryview(buffer)[:count])
            end = self._header.find(_HEADER_END)
            if end < 0:
                return False
            self._missing = self._length(end) - (len(self._header) - end - len(_HEADER_END))
        else:
            self._missing -= count
        return self._missing <= 0

    def _length(self, end: int) -> int:
        header = self._header[:end]
        if not header.startswith(self._line):
            raise ConnectionError(f"an answer began {header[:60]!r}")
        at = header.lower().find(b"content-length:")
        if at < 0 or self._line.endswith(b"304"):
            return 0
        return int(header[at + 15 :].split(b"\r\n", 1)[0])


def run(plan: dict[str, Any]) -> dict[str, float]:
    """Keep all connections busy for as long as the plan says."""
    requests = [text.encode() for text in plan["requests"]]
    order = random.Random(7)
    connections: dict[int, Connection] = {}
    poll = select.epoll()
    for _ in range(plan["connections"]):
        connection = Connection(plan["port"], plan["status"])
        connections[connection.socket.fileno()] = connection
        poll.register(connection.socket.fileno(), select.EPOLLIN)
    buffer = bytearray(_BUFFER_BYTES)
    is_one = len(requests) == 1
    count = 0
    began_at = time.perf_counter()
    until = began_at + plan["seconds"]
    for connection in connections.values():
        connection.ask(requests[0] if is_one else order.choice(requests))
    # A machine that is too busy for an answer in time still gives a number.
    while time.perf_counter() < until or (count == 0 and time.perf_counter() < until + _PATIENCE):
        for fd, _ in poll.poll(1):
            connection = connections[fd]
            if connection.take(buffer):
                count += 1
                connection.ask(requests[0] if is_one else order.choice(requests))
    return {"requests": count, "seconds": time.perf_counter() - began_at}


if __name__ == "__main__":
    print(json.dumps(run(json.loads(Path(sys.argv[1]).read_text()))))
