"""Answers whose every byte is in memory, ready for both ways out; it decides and sends nothing.

The ways are the messages of ASGI, for any server, and the lines of HTTP/1.1, for shortcut.py.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii")
    for status in HTTPStatus
}
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class HeaderBlock:
    """Headers that many answers share, in both forms. Names are in lower case.

    Raises ValueError for a line break or another control character, which could end the header.
    """

    __slots__ = ("headers", "lines")

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        for name, value in headers:
            if _CONTROLS.search(name) or _CONTROLS.search(value):
                raise ValueError(f"the header {name!r} holds a control character")
        self.headers: Headers = headers
        self.lines = header_lines(headers)


class Answer:
    """Status, headers and the whole body. To HEAD, it is sent without the body.

    `more` are headers of this answer alone, behind the shared ones; they are trusted to hold no
    control characters. An answer with a body, or the right to one, must name its length.
    """

    __slots__ = ("block", "body", "more", "status")

    def __init__(
        self, status: int, block: HeaderBlock, more: Headers = (), body: bytes | bytearray = b""
    ) -> None:
        self.status = status
        self.block = block
        self.more = more
        self.body = body

    @property
    def headers(self) -> Headers:
        """All headers, as ASGI wants them."""
        return self.block.headers + self.more

    @property
    def start(self) -> dict[str, Any]:
        """The ASGI message that the answer begins with."""
        return start_message(self.status, self.headers)

    def head(self, server_lines: bytes, *, is_last: bool) -> bytes:
        """Everything before the body, as HTTP/1.1 writes it (RFC 9112 2.1).

        `server_lines` are the headers that the server itself adds, such as Date; with `is_last`,
        the connection is said to end.
        """
        return b"".join(
            (
                _STATUS_LINES[self.status],
                server_lines,
                self.block.lines,
                header_lines(self.more) if self.more else b"",
                b"connection: close\r\n\r\n" if is_last else b"\r\n",
            )
        )


def start_message(status: int, headers: Headers) -> dict[str, Any]:
    """The ASGI message that begins an answer."""
    return {"type": "http.response.start", "status": status, "headers": headers}


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as lines of HTTP/1.1."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])
