"""A crowd of slow listeners: a process that opens many connections and reads each as it plays.

`python -m benchmarks.listeners PORT PATH COUNT` says when all have their first bytes, and reads
16 KB a second from each, 128 kbit/s, until SIGTERM.
"""

import socket
import sys
import time

_READ_BYTES = 16_000
_ROUND_SECONDS = 1.0
_BATCHES = 20


def run(port: int, path: str, count: int) -> None:
    """Listen until somebody ends it."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: slow\r\n\r\n".encode()
    sockets = []
    for _ in range(count):
        listener = socket.create_connection(("127.0.0.1", port), timeout=60)
        listener.sendall(request)
        sockets.append(listener)
    for listener in sockets:
        if not listener.recv(_READ_BYTES):
            raise ConnectionError("a listener was sent away")
    print(f"{count} listeners are ready at http://127.0.0.1:{port}", flush=True)
    while True:
        # A few at a time, or the server would rest and be flooded in turns.
        for batch in range(_BATCHES):
            for listener in sockets[batch::_BATCHES]:
                if not listener.recv(_READ_BYTES):
                    raise ConnectionError("a listener was cut off")
            time.sleep(_ROUND_SECONDS / _BATCHES)


if __name__ == "__main__":
    run(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
