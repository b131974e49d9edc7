"""A host that a show moves away from: a feed and files, with validators, ranges and bad manners.

It counts what it sends, so that a test can tell what was downloaded twice.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_RANGE = re.compile(r"bytes=([0-9]+)-")
_PIECE_BYTES = 16_384


@dataclass
class Answer:
    """What a path answers with, and how."""

    body: bytes = b""
    mime_type: str = "audio/mpeg"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: str | None = None
    # Between two pieces of the body, in seconds, and how large these are.
    pause: float = 0.0
    piece_bytes: int = _PIECE_BYTES
    # What the Content-Length says, where it lies.
    told_length: int | None = None


class OldHost:
    """Answers by path; an address of its own for each of several names of this machine."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.sent: Counter[str] = Counter()
        self.asked: list[tuple[str, str, str]] = []
        self._lock = threading.Lock()
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                host.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.address}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One request."""
        wanted = request.headers.get("Range", "")
        with self._lock:
            self.asked.append((request.command, request.path, wanted))
        answer = self.answers.get(request.path, Answer(b"gone", "text/plain", 404))
        etag = f'"{answer.etag}"' if answer.etag else ""
        if etag and request.headers.get("If-None-Match") == etag:
            request.send_response(304)
            request.end_headers()
            return
        body, status, headers = answer.body, answer.status, dict(answer.headers)
        match = _RANGE.fullmatch(wanted)
        if match and etag and request.headers.get("If-Range") == etag:
            start = int(match[1])
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
        length = len(body) if answer.told_length is None else answer.told_length
        request.send_response(status)
        headers |= {"Content-Type": answer.mime_type, "Content-Length": str(length)}
        headers |= {"ETag": etag} if etag else {}
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            self._send(request, body, answer)
        if answer.told_length is not None:
            request.close_connection = True

    def _send(self, request: BaseHTTPRequestHandler, body: bytes, answer: Answer) -> None:
        for at in range(0, len(body), answer.piece_bytes):
            piece = body[at : at + answer.piece_bytes]
            # Before whoever gets it can look.
            with self._lock:
                self.sent[request.path] += len(piece)
            try:
                request.wfile.write(piece)
            except OSError:
                request.close_connection = True
                return
            if answer.pause:
                time.sleep(answer.pause)

    def feed(self, *items: str, path: str = "/feed.xml", channel: str = "", etag: str = "") -> str:
        """Put a feed of these items under the path; its address."""
        listed = "".join(f"<item>{item}</item>" for item in items)
        text = (
            '<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
            'xmlns:podcast="https://podcastindex.org/namespace/1.0" '
            'xmlns:content="http://purl.org/rss/1.0/modules/content/">'
            "<channel><title>Tide Tables</title><language>en</language>"
            "<description>Harbour talk.</description><itunes:author>Pier Nine</itunes:author>"
            f"<itunes:category text='Arts'/>{channel}{listed}</channel></rss>"
        )
        body = text.replace("{url}", self.url).encode()
        self.answers[path] = Answer(body, "application/rss+xml", etag=etag or None)
        return self.url + path


def item(number: int, *, more: str = "", audio: str = "") -> str:
    """An item whose audio is at /NUMBER.mp3."""
    return (
        f"<title>Number {number}</title><guid>g{number}</guid>"
        f"<pubDate>{1 + number % 28:02d} Mar {2000 + number // 28} 09:05:00 GMT</pubDate>"
        f'<enclosure url="{audio or f"{{url}}/{number}.mp3"}" length="9" type="audio/mpeg"/>{more}'
    )


@contextmanager
def old_host() -> Iterator[OldHost]:
    """A host that runs."""
    host = OldHost()
    thread = threading.Thread(target=host.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield host
    finally:
        host.server.shutdown()
        thread.join()
        host.server.server_close()
