"""A line of wire in front of a real server that can be cut, frozen, slowed down or spoilt.

It listens on loopback and knows nothing of what it carries, but for requests of HTTP that it may
be told to answer itself.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

PIECE_BYTES = 16 * 1024
WINDOW_BYTES = 512 * 1024
# What meddle() may say of a piece of bytes.
PASS, CUT, CUT_AND_PASS_LATER = "pass", "cut", "cut and pass later"
UP, DOWN = "up", "down"


class Network:
    """Carries connections to `target`: a port of loopback or the path of a unix socket.

    `answer_seconds` delays each answer. `bytes_per_second` is what goes up in a second. `answer`
    is a whole HTTP answer in the place of the server's, to requests that begin with `answered`.
    `meddle(connection, direction, data)` says what becomes of each piece of bytes; connections are
    numbered.
    """

    def __init__(self, target: int | Path) -> None:
        self._target = target
        self.answer_seconds = 0.0
        self.bytes_per_second: int | None = None
        self.answer: bytes | None = None
        self.answered = b""
        self.meddle: Callable[[int, str, bytes], str] = _pass
        self.connections = 0
        self._flowing = threading.Event()
        self._flowing.set()
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.port = 0
        self._listener: socket.socket | None = None
        self.mend()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.break_down()
        self._flowing.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def freeze(self) -> None:
        """Take connections and bytes, and pass nothing on: nobody notices anything but silence."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass on what waited."""
        self._flowing.set()

    def cut(self) -> None:
        """End every connection as a crash of the server does."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for end in sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def break_down(self) -> None:
        """Refuse connections, as a server that is not there."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    def mend(self) -> None:
        """Take connections again, at the same address; everything passes."""
        self.answer_seconds, self.bytes_per_second = 0.0, None
        self.answer, self.answered = None, b""
        self.meddle = _pass
        self._flowing.set()
        if self._listener is None:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Or the kernel would take megabytes at once, however narrow the line is. With less than
            # a few packets of loopback it waits for timers, and takes kilobytes in a second.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
            listener.bind(("127.0.0.1", self.port))
            listener.listen(128)
            self.port = listener.getsockname()[1]
            self._listener = listener
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            numbered = (client, self.connections)
            threading.Thread(target=self._carry, args=numbered, daemon=True).start()

    def _carry(self, client: socket.socket, number: int) -> None:
        is_unix = isinstance(self._target, Path)
        server = socket.socket(socket.AF_UNIX if is_unix else socket.AF_INET)
        with self._lock:
            self._sockets |= {client, server}
        try:
            address = str(self._target) if is_unix else ("127.0.0.1", self._target)
            server.connect(address)
            down = threading.Thread(
                target=self._pump, args=(server, client, number, DOWN), daemon=True
            )
            down.start()
            self._pump(client, server, number, UP)
            down.join()
        except OSError:
            pass
        finally:
            with self._lock:
                self._sockets -= {client, server}
            client.close()
            server.close()

    def _pump(
        self, source: socket.socket, sink: socket.socket, number: int, direction: str
    ) -> None:
        free_at = 0.0
        try:
            while data := source.recv(PIECE_BYTES):
                self._flowing.wait()
                is_answered = direction == UP and data.startswith(self.answered)
                if self.answer is not None and is_answered:
                    self._answer_itself(source)
                    break
                if direction == UP and self.bytes_per_second:
                    # By the clock: on a busy machine many short sleeps add up to far more.
                    free_at = max(free_at, time.monotonic() - 0.1)
                    free_at += len(data) / self.bytes_per_second
                    time.sleep(max(0.0, free_at - time.monotonic()))
                if direction == DOWN and self.answer_seconds:
                    time.sleep(self.answer_seconds)
                fate = self.meddle(number, direction, data)
                if fate == CUT:
                    break
                if fate == CUT_AND_PASS_LATER:
                    source.shutdown(socket.SHUT_RDWR)
                    time.sleep(1)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _answer_itself(self, client: socket.socket) -> None:
        assert self.answer is not None
        client.sendall(self.answer)
        client.shutdown(socket.SHUT_WR)
        # What is left unread would make the kernel take the answer back.
        client.settimeout(2)
        with contextlib.suppress(OSError):
            while client.recv(PIECE_BYTES):
                pass


def _pass(number: int, direction: str, data: bytes) -> str:
    return PASS


def http_error(status: int, code: str) -> bytes:
    """How an S3 server says no."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>x</Message></Error>'.encode()
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
