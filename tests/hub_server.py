"""A real hub on loopback, which answers as a test tells it to and remembers what it was sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Ping(NamedTuple):
    """What a hub was sent: the form of a POST, or the query of a GET."""

    method: str
    path: str
    values: dict[str, str]
    headers: dict[str, str]


class LocalHub:
    """Answers 204; or, for each path, what `answers` holds: statuses with headers, in turn."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.pings: list[Ping] = []
        self.answers: dict[str, list[tuple[int, dict[str, str]]]] = {}
        # Requests for these paths are taken and not answered, until `go` is set.
        self.silent: set[str] = set()
        self.go = threading.Event()

    def url(self, path: str = "/") -> str:
        """The address of a hub of its own on this server."""
        return f"http://{self.address}{path}"

    def at(self, path: str) -> list[Ping]:
        """The pings that this path was sent."""
        return [ping for ping in self.pings if ping.path == path]


@contextmanager
def local_hub() -> Iterator[LocalHub]:
    """A hub that listens, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            parts = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            values = dict(parse_qsl(sent or parts.query))
            headers = {name.lower(): value for name, value in self.headers.items()}
            hub.pings.append(Ping(self.command, parts.path, values, headers))
            if parts.path in hub.silent:
                hub.go.wait(100)
            waiting = hub.answers.get(parts.path, [])
            status, more = waiting.pop(0) if waiting else (204, {})
            # Whatever it was told is told back, as some servers do.
            body = repr(headers).encode() if status >= 400 else b""
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = LocalHub(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.go.set()
        server.shutdown()
        server.server_close()
        thread.join()
