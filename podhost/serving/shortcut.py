"""HTTP requests whose answer is in memory, answered where they are parsed; it decides no answer.

A task, an event and two messages for each request are what ASGI costs: as much as all the rest.
An application with `answer_now(request)` is asked first, and only what it cannot answer at once
takes the way of ASGI, as does everything unusual. Both ways give the same bytes.
"""

import logging
from typing import Any

import httptools
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from podhost.catalogue.ready_answers import Answer, header_lines
from podhost.web.responses import Request, read_headers, wants_download

logger = logging.getLogger(__name__)

# The headers that say where a body ends.
_FRAMING = (b"content-length", b"transfer-encoding")


class ShortcutProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with a short way for answers that are in memory."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        # The application itself: what uvicorn wraps around it is only for the way of ASGI.
        self._answer_now = getattr(self.config.app, "answer_now", None)
        # Whether any request has come here; `cycle` knows only of those on the long way.
        self.was_asked = False
        # True when a request in the data that came last was answered on the short way.
        self.was_answered_now = False
        self._is_done = False
        # True when a body follows of which the parser knows nothing.
        self._is_body_ahead = False

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the methods below."""
        self.was_answered_now = False
        self._unset_keepalive_if_required()
        rest: Any = data
        while True:
            try:
                if self._is_body_ahead:
                    self._is_body_ahead = False
                    _expect_body(self)
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                # It is ignored (RFC 9110 7.8). The parser stands behind the header, and would
                # take the body, if there is one, for the next request.
                rest = memoryview(rest)[upgrade.args[0] :]
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
                return

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        self._is_done = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Answer at once, or let uvicorn start a task."""
        self.was_asked = True
        if self.transport.is_closing():
            # Sent behind a request that asked to close: nobody reads an answer (RFC 9112 9.6).
            self._is_done = True
            return
        answer = self._find_answer()
        if answer is None:
            # It runs where a request in the same data was answered at once; uvicorn stops it only
            # when data comes.
            self._unset_keepalive_if_required()
            super().on_headers_complete()
        else:
            self._is_done = self.was_answered_now = True
            self._send_answer(answer)

    def on_body(self, body: bytes) -> None:
        """A piece of a body, for whoever still waits for it."""
        if self._is_done:
            return
        cycle: Any = self.cycle
        if not cycle.body:
            # Nothing and a piece make the piece itself: uvicorn's bytearray is a copy of it, and
            # the bytes that it hands on are one more.
            cycle.body = b""
        elif isinstance(cycle.body, bytes):
            # A third of thousands of small pieces must not copy all that came before it.
            cycle.body = bytearray(cycle.body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request, for whoever still waits for it."""
        if self._is_done:
            return
        if self.parser.should_upgrade() and any(name in _FRAMING for name, _ in self.headers):
            # It is only the end of the header; the parser expects another protocol behind it.
            self._is_body_ahead = True
            return
        super().on_message_complete()

    def _find_answer(self) -> Answer | None:
        """The answer, when it is in memory and may be written now. Never raises."""
        if (
            self._answer_now is None
            or self.limit_concurrency is not None
            or self.flow.write_paused
            or self.parser.should_upgrade()
            # An answer on its way goes first.
            or not (self.cycle is None or self.cycle.response_complete)
        ):
            return None
        try:
            headers = read_headers(self.headers)
            if b"content-length" in headers or b"transfer-encoding" in headers:
                return None
            method = self.parser.get_method().decode("ascii")
            path, query = self._path_and_query()
            request = Request(method, path, headers, self._client_host(headers), query)
            answer: Answer | None = self._answer_now(request)
        except Exception:
            # On the long way it fails again, and is answered and logged as it should be.
            logger.debug("no answer at once", exc_info=True)
            return None
        return answer

    def _path_and_query(self) -> tuple[str, bytes]:
        """Both as ASGI says them, if the path needs no decoding and nothing is to be saved under
        a name; else "", which leads nowhere."""
        url = httptools.parse_url(self.url)
        path, query = url.path, url.query or b""
        if (query and wants_download(query)) or b"%" in path or self.root_path:
            return "", query
        return path.decode("ascii"), query

    def _client_host(self, headers: dict[bytes, bytes]) -> str:
        """Who asks, by uvicorn's own rule where proxies are trusted; empty when unknown."""
        host = self.client[0] if self.client else ""
        if isinstance(self.app, ProxyHeadersMiddleware) and b"x-forwarded-for" in headers:
            trusted = self.app.trusted_hosts
            if host in trusted:
                forwarded = headers[b"x-forwarded-for"].decode("latin-1")
                return trusted.get_trusted_client_address(forwarded)[0] or host
        return host

    def _send_answer(self, answer: Answer) -> None:
        """Write the answer, and wait for the next request or close, as uvicorn does."""
        is_last = self.parser.get_http_version() == "1.0" or not self.parser.should_keep_alive()
        server_lines = header_lines(self.server_state.default_headers)
        head = answer.head(server_lines, is_last=is_last)
        if answer.body and self.parser.get_method() != b"HEAD":
            self.transport.writelines((head, answer.body))
        else:
            self.transport.write(head)
        if is_last:
            self.transport.close()
        self.on_response_complete()


def _expect_body(protocol: ShortcutProtocol) -> None:
    """Give it a parser for the body of the request whose header came last, and what follows."""
    later = _Later(protocol)
    protocol.parser = httptools.HttpRequestParser(later)
    # As uvicorn's: what comes behind a request that asks to close is no mistake.
    protocol.parser.set_dangerous_leniencies(lenient_data_after_close=True)
    lines = [b"%b: %b" % header for header in protocol.headers if header[0] in _FRAMING]
    protocol.parser.feed_data(b"\r\n".join([b"POST / HTTP/1.1", *lines, b"", b""]))
    later.is_listening = True


class _Later:
    """Passes on what a parser finds, but no header until `is_listening`."""

    def __init__(self, protocol: ShortcutProtocol) -> None:
        self._protocol = protocol
        self.is_listening = False
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        if self.is_listening:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self.is_listening:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_listening:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.is_listening:
            self._protocol.on_headers_complete()
