"""HTTP connections: limits on their number, on request headers and on silence; nothing of podcasts.

uvicorn has none of these: a connection that says nothing, or half a header, stays open for ever,
a header without an end grows without an end, and so does a queue of requests sent ahead.
"""

import asyncio
import ipaddress
import logging
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from heapq import nsmallest
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from podhost.config import Settings
from podhost.rate_limits import address_key
from podhost.serving.refusals import (
    AHEAD,
    CROWDED,
    CROWDED_ADDRESS,
    LARGE_HEADER,
    LATE,
    LONG_URL,
    MANY_HEADERS,
    NO_HTTP,
    Refusal,
)
from podhost.serving.shortcut import ShortcutProtocol
from podhost.traffic import Numbers

logger = logging.getLogger(__name__)

# nginx and Apache take 8 KB for the request line.
MAX_URL_BYTES = 8 * 1024
# Browsers send none ahead; a client that does keeps a handful on the way.
MAX_SENT_AHEAD = 100
# A proxy that nobody has named in the settings stands here more often than an attacker.
_THIS_MACHINE = frozenset({"127.0.0.1", "::1"})
# A player that was paused for so long may be cut when there is no room: it asks again with Range.
STALLED_SECONDS = 120.0
# So many are closed at once, or a flood would have us look through all of them for each.
_SHARE_CLOSED = 20
_LOOK_AGAIN_SECONDS = 0.1
_COMPLAINT_SECONDS = 60.0
# An answer is lost when its connection is closed while more is coming in; so, for a moment, what
# comes is thrown away.
_LINGER_SECONDS = 2.0
# More than anybody needs, and a number that every system knows.
_MOST_FILES = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process takes. `trusted` are the proxies that may have any number of connections;
    0 connections per address means no limit."""

    header_timeout_seconds: float = 15.0
    header_bytes: int = 64 * 1024
    headers: int = 100
    connections: int = 10_000
    connections_per_address: int = 1000
    trusted: tuple[str, ...] = ()


def limits_of(settings: Settings) -> Limits:
    """The limits that the settings name, as far as this process may open files."""
    return Limits(
        header_timeout_seconds=float(settings.header_timeout_seconds),
        header_bytes=settings.max_header_kb * 1024,
        headers=settings.max_headers,
        connections=min(settings.max_connections, _affordable(_open_files_limit())),
        connections_per_address=settings.max_connections_per_address,
        trusted=settings.trusted_proxies,
    )


def raise_open_files_limit(settings: Settings) -> None:
    """Let this process and its children open as many files as the system allows them.

    Where that is too few for `max_connections`, a sentence in the log says so.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    files = _open_files_limit()
    if _affordable(files) < settings.max_connections:
        logger.warning(
            "Each process may open %d files only, so it takes %d connections and not %d: allow "
            "more (LimitNOFILE= of systemd, --ulimit nofile= of Docker), or lower "
            "PODHOST_MAX_CONNECTIONS.",
            files,
            _affordable(files),
            settings.max_connections,
        )


def _open_files_limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_FILES if soft == resource.RLIM_INFINITY else soft


def _affordable(files: int) -> int:
    """How many connections so many files leave room for, beside audio, database and store."""
    return max(10, files - max(64, files // 4))


def limit_pauses(listener: socket.socket, settings: Settings) -> None:
    """Have the system cut off whoever takes nothing of what was sent, also after the answer ended.

    Linux does it for every connection of the listener (tcp(7), TCP_USER_TIMEOUT); elsewhere there
    is no such limit. A paused player is cut too, and asks for the rest when it goes on.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        milliseconds = settings.listener_pause_seconds * 1000
        listener.setsockopt(socket.IPPROTO_TCP, option, milliseconds)


class Connections:
    """The open connections of one process, and who has to go when there are too many.

    Whoever waits for nothing goes first, longest idle first; then who has been taking nothing for
    minutes. Whoever is being served stays, and newcomers are refused.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.counts: Counter[str] = Counter()
        self._all: set[LimitedProtocol] = set()
        self._by_address: dict[str, set[LimitedProtocol]] = {}
        self._networks = [ipaddress.ip_network(proxy, strict=False) for proxy in limits.trusted]
        self._is_trusted = lru_cache(maxsize=4096)(self._look_up_trust)
        self._look_again_at = 0.0
        self._complained_at = -_COMPLAINT_SECONDS

    def add(self, connection: "LimitedProtocol") -> None:
        """Count a new connection; others may have to go for it."""
        self._all.add(connection)
        key = self._limited_key(connection.host)
        if key is not None:
            connection.mates = self._by_address.setdefault(key, set())
            connection.mates.add(connection)
        if self.refusal(connection) is not None:
            self._make_room(connection)

    def remove(self, connection: "LimitedProtocol") -> None:
        """It is closed, or as good as closed. May be called twice."""
        self._all.discard(connection)
        mates, connection.mates = connection.mates, None
        if mates is not None:
            mates.discard(connection)
            if not mates:
                key = self._limited_key(connection.host)
                if key is not None and self._by_address.get(key) is mates:
                    del self._by_address[key]

    def admit(self, connection: "LimitedProtocol") -> Refusal | None:
        """None when this connection may be served, after others had to go if need be."""
        refusal = self.refusal(connection)
        if refusal is not None:
            self._make_room(connection)
            refusal = self.refusal(connection)
            if refusal is not None:
                self._complain(connection)
        return refusal

    def refusal(self, connection: "LimitedProtocol") -> Refusal | None:
        """Why there is no room for this connection just now."""
        if len(self._all) > self.limits.connections:
            return CROWDED
        mates = connection.mates
        if mates is not None and len(mates) > self.limits.connections_per_address:
            return CROWDED_ADDRESS
        return None

    def add_numbers(self, numbers: Numbers) -> None:
        """How many are open, and what was refused, for /metrics."""
        for name, count in self.counts.copy().items():
            numbers.sums[name] = numbers.sums.get(name, 0) + count
        open_now = numbers.states.get("connections_open", 0)
        numbers.states["connections_open"] = open_now + len(self._all)

    def _make_room(self, newcomer: "LimitedProtocol") -> None:
        now = time.monotonic()
        if now < self._look_again_at:
            return
        is_crowded = len(self._all) > self.limits.connections
        crowd = self._all if is_crowded or newcomer.mates is None else newcomer.mates
        going = list(_longest(crowd, newcomer, now))
        if not going:
            self._look_again_at = now + _LOOK_AGAIN_SECONDS
        for connection in going:
            self.counts["connections_closed_for_room"] += 1
            self.remove(connection)
            connection.close_for_room()

    def _complain(self, connection: "LimitedProtocol") -> None:
        now = time.monotonic()
        if now - self._complained_at < _COMPLAINT_SECONDS:
            return
        self._complained_at = now
        if len(self._all) > self.limits.connections:
            logger.warning("%d connections are open, the most; new ones get 503.", len(self._all))
        else:
            logger.warning(
                "%s has more than %d connections open, and new ones get 429; if it is a proxy of "
                "yours, name it in PODHOST_TRUSTED_PROXIES.",
                connection.host,
                self.limits.connections_per_address,
            )

    def _limited_key(self, host: str) -> str | None:
        """Under which key connections from `host` are counted; None where there is no limit."""
        if not self.limits.connections_per_address or not host or self._is_trusted(host):
            return None
        return address_key(host)

    def _look_up_trust(self, host: str) -> bool:
        key = host.removeprefix("::ffff:")
        if key in _THIS_MACHINE:
            return True
        try:
            address = ipaddress.ip_address(key)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _longest(
    crowd: Iterable["LimitedProtocol"], newcomer: "LimitedProtocol", now: float
) -> Iterator["LimitedProtocol"]:
    """Those who go first: idle ones, or else stalled ones; a twentieth of the crowd at most."""
    others = [connection for connection in crowd if connection is not newcomer]
    count = 1 + len(others) // _SHARE_CLOSED
    idle = [connection for connection in others if connection.is_idle()]
    if idle:
        yield from nsmallest(count, idle, key=lambda connection: connection.heard_at)
        return
    oldest = now - STALLED_SECONDS
    stalled = [one for one in others if one.stalled_at is not None and one.stalled_at < oldest]
    yield from nsmallest(count, stalled, key=lambda connection: connection.stalled_at or 0.0)


class LimitedProtocol(ShortcutProtocol):
    """uvicorn's HTTP/1.1 with the limits of its `crowd`.

    The clock for a header starts when the connection is made and at the first byte of every later
    request. A header that came in one piece, as nearly all do, costs no timer.
    """

    crowd: Connections

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.host = ""
        self.heard_at = 0.0
        self.stalled_at: float | None = None
        self.mates: set[LimitedProtocol] | None = None
        self._limits = self.crowd.limits
        self._header_timer: asyncio.TimerHandle | None = None
        self._header_is_open = False
        self._header_bytes = 0
        self._piece_bytes = 0
        self._refusal = NO_HTTP
        # True when nothing that may still come is read any more.
        self._is_over = False
        self._is_lingering = False
        self._running: RequestResponseCycle | None = None

    # uvicorn narrows the type of asyncio's own method in the same way.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request, and see whether there is room."""
        super().connection_made(transport)
        self.host = self.client[0] if self.client else ""
        self.heard_at = time.monotonic()
        self._start_header_timer()
        self.crowd.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self.crowd.remove(self)
        self._stop_header_timer()
        if self._running is not None and self._running is not self.cycle:
            # uvicorn tells only the request that came last.
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; afterwards, start or stop the clock as the header is whole or not."""
        if self._is_over:
            return
        self.heard_at = time.monotonic()
        self._piece_bytes = len(data)
        super().data_received(data)
        if self._is_over or self.transport.is_closing():
            return
        if self._header_is_open:
            self._header_bytes += len(data)
            if self._header_bytes > self._limits.header_bytes:
                self._refuse(LARGE_HEADER)
                return
        elif self.was_answered_now or not self._is_waiting():
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
        """The header is whole: serve it, or refuse it."""
        self._header_is_open = False
        refusal = self._find_refusal()
        if refusal is not None:
            self._refusal = refusal
            # It stops the parser, wherever in a large piece it is, and comes out as
            # `send_400_response`.
            raise ValueError(refusal.sentence)
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Say in the one shape what is wrong with the request, and close."""
        self._refuse(self._refusal)

    def on_response_complete(self) -> None:
        """An answer is written: close, if it was the last that there will be."""
        super().on_response_complete()
        if self._is_over and self._is_waiting() and not self._is_lingering:
            self.transport.close()

    def pause_writing(self) -> None:
        """The listener takes less than there is."""
        self.stalled_at = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The listener takes more again."""
        self.stalled_at = None
        super().resume_writing()

    def is_idle(self) -> bool:
        """Whether nobody waits for anything here: no request whole, no answer on the way."""
        return self._is_waiting() and self.transport.get_write_buffer_size() == 0

    def close_for_room(self) -> None:
        """Others need the place; what is still to be sent is dropped."""
        self.transport.abort()

    def linger(self) -> None:
        """Say that no more is to come, and let what still comes in pass by for a moment."""
        self._stop_header_timer()
        self._is_over = self._is_lingering = True
        self.transport.write_eof()
        self._header_timer = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    # The same as uvicorn's, whose types are of its own.
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        if not cycle.keep_alive:
            cycle.transport = cast("asyncio.Transport", _LastTransport(cycle, self.linger))
        super()._start_asgi_task(cycle, app)

    def _unsupported_upgrade_warning(self) -> None:
        # Anybody may ask for an upgrade; it is ignored, as RFC 9110 7.8 allows, and not worth
        # two lines in the log each time.
        pass

    def _find_refusal(self) -> Refusal | None:
        limits = self._limits
        if len(self.headers) > limits.headers:
            return MANY_HEADERS
        if self.parser.should_upgrade() and self.parser.get_method() == b"CONNECT":
            # What follows was meant for somebody else.
            return NO_HTTP
        if len(self.url) > MAX_URL_BYTES:
            return LONG_URL
        # Nearly always all that has come is less than the limit, and nothing need be added up.
        if self._header_bytes + self._piece_bytes > limits.header_bytes:
            size = sum(len(name) + len(value) + 4 for name, value in self.headers)
            if len(self.url) + size > limits.header_bytes:
                return LARGE_HEADER
        if len(self.pipeline) >= MAX_SENT_AHEAD:
            return AHEAD
        return self.crowd.admit(self)

    def _is_waiting(self) -> bool:
        """True while no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _start_header_timer(self) -> None:
        seconds = self._limits.header_timeout_seconds
        self._header_timer = self.loop.call_later(seconds, self._header_is_late)

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
            self._refuse(LATE)
        else:
            # Browsers open connections ahead of need; a 408 on one that never asked anything
            # could be taken for the answer to its first request.
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer and close; or, where other answers are on their way, close after those."""
        self.crowd.counts[refusal.counted_as] += 1
        self._stop_header_timer()
        self._is_over = True
        if self.transport.is_closing() or not (self._is_waiting() or self._has_given_up_body()):
            return
        self._unset_keepalive_if_required()
        self.transport.write(refusal.answer())
        self.linger()

    def _has_given_up_body(self) -> bool:
        """Whether a body was being read, whose rest will not come; its reader is told."""
        cycle = self.cycle
        if cycle is not self._running or cycle.response_started or not cycle.more_body:
            return False
        cycle.waiting_for_100_continue = False
        cycle.disconnected = True
        cycle.message_event.set()
        return True


class _LastTransport:
    """The way out of a connection's last answer, which may be given before the request is whole.

    A call without a token is refused while its upload still comes in. Closed then, the connection
    would be reset, and the client, or the proxy between, would never read the answer.
    """

    def __init__(self, cycle: RequestResponseCycle, linger: Callable[[], None]) -> None:
        self._transport = cycle.transport
        self._cycle = cycle
        self._linger = linger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> None:
        """The answer is written."""
        if self._cycle.more_body and not self._transport.is_closing():
            self._linger()
        else:
            self._transport.close()


def protocol_class(connections: Connections) -> type[LimitedProtocol]:
    """The protocol over these connections, in the form that uvicorn wants: a class."""
    return type("Protocol", (LimitedProtocol,), {"crowd": connections})
