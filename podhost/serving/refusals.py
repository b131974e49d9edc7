"""What a connection is told before it is closed, each refusal once; it refuses nobody itself."""

from typing import NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from podhost.web.responses import error_json

_RETRY_AFTER_SECONDS = {429: 10, 503: 5}


class Refusal(NamedTuple):
    """What a connection is told before it is closed, and under which name that is counted."""

    status: int
    code: str
    sentence: str
    counted_as: str

    def answer(self) -> bytes:
        """The whole answer, as HTTP/1.1 writes it."""
        body = error_json(self.code, self.sentence)
        lines = [
            STATUS_LINE[self.status],
            b"content-type: application/json\r\ncache-control: no-store\r\nconnection: close\r\n",
            b"content-length: %d\r\n" % len(body),
        ]
        if self.status in _RETRY_AFTER_SECONDS:
            lines.append(b"retry-after: %d\r\n" % _RETRY_AFTER_SECONDS[self.status])
        return b"".join([*lines, b"\r\n", body])


LATE = Refusal(
    408, "too_late", "The request did not arrive whole in time; send it again.", "requests_late"
)
NO_HTTP = Refusal(
    400,
    "invalid",
    "This is not a request that HTTP knows; look at its method, address and headers.",
    "requests_malformed",
)
LARGE_HEADER = Refusal(
    431, "invalid", "The header of the request is larger than is taken here.", "requests_malformed"
)
MANY_HEADERS = Refusal(
    431, "invalid", "The request has more header lines than are taken here.", "requests_malformed"
)
LONG_URL = Refusal(
    414, "invalid", "The address is longer than any that works here.", "requests_malformed"
)
AHEAD = Refusal(
    429, "too_many_requests", "Too many requests were sent ahead.", "connections_refused"
)
CROWDED = Refusal(
    503,
    "unavailable",
    "More connections are open than podhost takes; try again in a moment.",
    "connections_refused",
)
CROWDED_ADDRESS = Refusal(
    429,
    "too_many_requests",
    "Too many connections from your address are open; close some or wait a moment.",
    "connections_refused",
)
