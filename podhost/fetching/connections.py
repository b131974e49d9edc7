"""Connections to hosts that strangers name: only to public addresses, and with limits.

It resolves names itself and connects to the very address that it judged, so that a name cannot
lead elsewhere the second time; it knows no redirects. It imports httpcore: import it lazily.
"""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import httpcore

from podhost.errors import Forbidden, Invalid, Unavailable

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
WEB_PORTS = frozenset({80, 443})
MOST_ADDRESSES = 8

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's registries of special-purpose addresses (RFC 6890), and where clouds keep secrets.
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by customers of a provider (RFC 6598)
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's own services, at a public address
        "169.254.0.0/16",  # link-local, and the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # Teredo and other protocols, which may hide an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4, which hides an IPv4 address
        "3fff::/20",
    )
)
# All else of IPv6 is loopback, mapped or translated IPv4, local, multicast or not given out yet.
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")


def is_public(address: Address) -> bool:
    """Whether an address may be somebody's server on the internet."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    return not any(address in network for network in _PRIVATE)


class Guard:
    """Says which addresses a host may be reached at.

    `allowed` holds what may be reached although it is not public: networks such as 10.0.0.0/8, on
    every port, and host:port pairs as they stand in addresses, whatever they resolve to.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._networks: list[Network] = []
        self._pairs: set[tuple[str, int]] = set()
        for entry in allowed:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                host, _, port = entry.rpartition(":")
                self._pairs.add((host.strip("[]").lower(), int(port)))

    def addresses(self, host: str, port: int, seconds: float) -> list[str]:
        """Where `host` is, at most a few addresses. Raises Forbidden or Unavailable.

        One forbidden address among public ones forbids them all: the next look-up may put it
        first.
        """
        is_named = (host.lower(), port) in self._pairs
        if port not in WEB_PORTS and not is_named and not self._networks:
            raise _forbidden_port(host, port)
        found = _resolve(host, port, seconds)
        if not is_named:
            if not all(is_public(address) or self._is_inside(address) for address in found):
                raise Forbidden(
                    f"{host} leads into a network that is not public; podhost reads addresses on "
                    "the internet only. Operators can allow it by PODHOST_FETCH_ALLOWED."
                )
            if port not in WEB_PORTS and not all(map(self._is_inside, found)):
                raise _forbidden_port(host, port)
        return [str(address) for address in found[:MOST_ADDRESSES]]

    def _is_inside(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _forbidden_port(host: str, port: int) -> Forbidden:
    return Forbidden(
        f"{host} is asked for at port {port}; podhost reads the ports 80 and 443 only. "
        "Operators can allow it by PODHOST_FETCH_ALLOWED."
    )


def _resolve(host: str, port: int, seconds: float) -> list[Address]:
    """Every address of a host. getaddrinfo also reads 2130706433, 0x7f.1 and the like."""
    answers: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    # The resolver of the system takes as long as it likes, and cannot be interrupted.
    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        found = answers.get(timeout=max(0.0, seconds))
    except queue.Empty:
        raise Unavailable(f"Nobody says in time where {host} is; try again later.") from None
    if isinstance(found, Exception):
        raise Unavailable(
            f"There is no host called {host}, or the name cannot be looked up just now."
        ) from found
    return list(dict.fromkeys(ipaddress.ip_address(one[4][0]) for one in found))


class _Limits(threading.local):
    """What is left for the request that this thread is making."""

    ends_at = 0.0
    seconds = 0.0
    room_bytes = 0

    def timeout(self, most: float | None) -> float:
        """The seconds that the next step may take, or 0 when the time is up."""
        return max(0.0, min(READ_SECONDS if most is None else most, self.left))

    @property
    def left(self) -> float:
        return self.ends_at - time.monotonic()


class _LimitedStream(httpcore.NetworkStream):
    """A connection whose every step ends with the time of the request that it serves."""

    def __init__(self, stream: httpcore.NetworkStream, limits: _Limits) -> None:
        self._stream = stream
        self._limits = limits

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        seconds = self._limits.timeout(timeout)
        if not seconds:
            raise httpcore.ReadTimeout("the time is up")
        data = self._stream.read(max_bytes, seconds)
        self._limits.room_bytes -= len(data)
        if self._limits.room_bytes < 0:
            raise httpcore.ReadError("more bytes than the answer can be worth")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        seconds = self._limits.timeout(timeout)
        if not seconds:
            raise httpcore.WriteTimeout("the time is up")
        self._stream.write(buffer, seconds)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        seconds = self._limits.timeout(timeout) or 0.001
        return _LimitedStream(
            self._stream.start_tls(ssl_context, server_hostname, seconds), self._limits
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _GuardedBackend(httpcore.NetworkBackend):
    def __init__(self, guard: Guard, limits: _Limits) -> None:
        self._guard = guard
        self._limits = limits
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        ends_at = time.monotonic() + self._limits.timeout(timeout)
        addresses = self._guard.addresses(host, port, ends_at - time.monotonic())
        failure: Exception = httpcore.ConnectError("no address")
        for index, address in enumerate(addresses):
            # An address that swallows everything leaves time for those after it.
            seconds = (ends_at - time.monotonic()) / (len(addresses) - index)
            if seconds <= 0:
                raise httpcore.ConnectTimeout("the time is up")
            try:
                stream = self._sockets.connect_tcp(
                    address, port, seconds, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _LimitedStream(stream, self._limits)
        raise failure


@lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """Who vouches for certificates: Mozilla's list, and the system's or that of SSL_CERT_FILE.
    To load them takes a while."""
    return httpcore.default_ssl_context()


class Connections:
    """Open connections, kept for the next request to the same host. Threads may share them."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._limits = _Limits()
        # Environment variables that name a proxy are not looked at: it would resolve names anew.
        self._pool = httpcore.ConnectionPool(
            ssl_context=trusted(),
            max_connections=100,
            keepalive_expiry=5.0,
            network_backend=_GuardedBackend(Guard(allowed), self._limits),
        )

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()

    @contextmanager
    def until(self, seconds: float, room_bytes: int) -> Iterator[None]:
        """Within it, the requests of this thread end in time and read so many bytes at most."""
        self._limits.seconds = seconds
        self._limits.ends_at = time.monotonic() + seconds
        self._limits.room_bytes = room_bytes
        yield

    @contextmanager
    def answer(
        self, method: str, url: httpcore.URL, headers: Mapping[str, str], content: bytes
    ) -> Iterator[httpcore.Response]:
        """The answer to one request; its body is read from it within.

        Raises Forbidden, Unavailable and (for a header that none can carry) Invalid.
        """
        host = url.host.decode("ascii")
        times = {"connect": CONNECT_SECONDS, "pool": CONNECT_SECONDS}
        times |= {"read": READ_SECONDS, "write": READ_SECONDS}
        request = httpcore.Request(
            method,
            url,
            headers=list(headers.items()),
            content=content,
            extensions={"timeout": times},
        )
        try:
            response = self._send(request)
            try:
                yield response
            finally:
                response.close()
        except httpcore.LocalProtocolError as error:
            raise Invalid("The request cannot be sent: a header holds what none can.") from error
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise Unavailable(self._in_words(host, error)) from error

    def _send(self, request: httpcore.Request) -> httpcore.Response:
        try:
            return self._pool.handle_request(request)
        except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
            # A connection that was kept may be closed at the moment in which it is used again.
            if request.method not in (b"GET", b"HEAD") or self._limits.room_bytes < 0:
                raise
        return self._pool.handle_request(request)

    def _in_words(self, host: str, error: Exception) -> str:
        # The pool raises anew what a connection raised, and takes the cause off.
        cause = error.__cause__ or error.__context__
        if self._limits.room_bytes < 0:
            return f"{host} sends more than podhost reads."
        if self._limits.left <= 0:
            return f"{host} is too slow: it was not done after {self._limits.seconds:g} seconds."
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"{host} has a certificate that is not valid: {cause.verify_message}."
        if isinstance(cause, ssl.SSLError):
            return f"{host} does not speak https as it should; perhaps http:// is meant."
        if isinstance(error, httpcore.ConnectTimeout):
            return f"{host} does not answer: no connection came about in {CONNECT_SECONDS:g} s."
        if isinstance(error, httpcore.ConnectError):
            return f"{host} cannot be reached: it takes no connections at this port."
        if isinstance(error, httpcore.TimeoutException):
            return f"{host} fell silent: nothing came for {READ_SECONDS:g} seconds."
        if isinstance(error, httpcore.RemoteProtocolError) and "complete message" in str(error):
            return f"{host} broke off in the middle of its answer."
        if isinstance(error, httpcore.ProtocolError):
            return f"{host} gives an answer that is not HTTP, or none."
        return f"{host} broke the connection off."
