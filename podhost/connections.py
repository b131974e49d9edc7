"""HTTP connections: limits on the time and size of request headers; it answers no request itself.

uvicorn has neither limit: a connection that says nothing, or half a header, stays open for ever,
and a header without an end grows without an end.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from podhost.web.responses import error_json

# nginx takes 32 KB by default; browsers and apps stay under 8 KB.
MAX_HEADER_BYTES = 64 * 1024


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with a time limit for a whole header, and a size limit.

    The clock starts when the connection is made and at the first byte of every later request.
    A header that came in one piece, as nearly all do, costs no timer.
    """

    header_timeout_seconds = 15.0

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._header_timer: asyncio.TimerHandle | None = None
        self._header_is_open = False
        self._header_bytes = 0

    # uvicorn narrows the type of asyncio's own method in the same way.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request."""
        super().connection_made(transport)
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_header_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; afterwards, start or stop the clock as the header is whole or not."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._header_is_open:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._close_with(431)
                return
        elif not self._is_waiting():
            self._stop_header_timer()
            return
        if self._header_timer is None:
            self._start_header_timer()

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        super().on_message_begin()
        self._header_is_open = True
        self._header_bytes = 0

    def on_headers_complete(self) -> None:
        """The header is whole."""
        self._header_is_open = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Say in the one shape that this is no HTTP, and close."""
        sentence = "This is not a request that HTTP knows; look at its method, address and headers."
        body = error_json("invalid", sentence)
        self.transport.write(
            STATUS_LINE[400]
            + b"content-type: application/json\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        # Anybody may ask for an upgrade; it is ignored, as RFC 9110 7.8 allows, and not worth
        # two lines in the log each time.
        pass

    def _is_waiting(self) -> bool:
        """True while no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _start_header_timer(self) -> None:
        self._header_timer = self.loop.call_later(self.header_timeout_seconds, self._header_is_late)

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _header_is_late(self) -> None:
        self._header_timer = None
        if self.transport.is_closing():
            return
        if not self._is_waiting():
            # Half a request was sent ahead while an earlier answer, a download say, still runs.
            self._start_header_timer()
        elif self._header_is_open:
            self._close_with(408)
        else:
            # Browsers open connections ahead of need; a 408 on one that never asked anything
            # could be taken for the answer to its first request.
            self.transport.close()

    def _close_with(self, status: int) -> None:
        if self._is_waiting():
            self.transport.write(
                STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n"
            )
        self.transport.close()


def protocol_class(header_timeout_seconds: float) -> type[LimitedProtocol]:
    """The protocol with its time limit, in the form that uvicorn wants: a class."""
    return type(
        "Protocol", (LimitedProtocol,), {"header_timeout_seconds": float(header_timeout_seconds)}
    )
