"""How often somebody may ask: buckets that refill, in the memory of one process; it answers nobody.

Each serving process counts for itself, so N processes let N times as much through.
"""

import hashlib
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from podhost.config import Settings
from podhost.errors import TooManyRequests
from podhost.traffic import Numbers

# Of each kind; the least recently used fall out, and are full when they come back.
MOST_BUCKETS = 10_000
_IPV6_PREFIX = 64
_MINUTE_SECONDS = 60.0


class Buckets:
    """One bucket of `per_minute` tokens for each key, refilled evenly; 0 means no limit.

    A full bucket is what may be taken at once. Threads may share it.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        most: int = MOST_BUCKETS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_minute = per_minute
        self._tokens_per_second = per_minute / _MINUTE_SECONDS
        self._most = most
        self._clock = clock
        # What is left in the bucket, and when that was so; the least recently used first.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str) -> float:
        """Take one token. 0.0, or the seconds until there will be one, and then none is taken."""
        if not self.per_minute:
            return 0.0
        with self._lock:
            now = self._clock()
            left = self._left(key, now)
            if left < 1:
                return (1 - left) / self._tokens_per_second
            self._buckets[key] = (left - 1, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        return 0.0

    def wait_seconds(self, key: str) -> float:
        """The seconds until a token can be taken; 0.0 means now. Nothing is taken."""
        if not self.per_minute:
            return 0.0
        with self._lock:
            left = self._left(key, self._clock())
        return 0.0 if left >= 1 else (1 - left) / self._tokens_per_second

    def _left(self, key: str, now: float) -> float:
        found = self._buckets.pop(key, None)
        if found is None:
            return float(self.per_minute)
        left, since = found
        left = min(float(self.per_minute), left + (now - since) * self._tokens_per_second)
        # Put back at the end: it was used just now.
        self._buckets[key] = (left, now)
        return left


@lru_cache(maxsize=4096)
def address_key(host: str) -> str:
    """What stands for everybody behind an address: an IPv4 address, or a /64 of IPv6.

    One household or one machine has a whole /64 (RFC 6177), and could ask from each address in it.
    An IPv4 address in IPv6's clothes is itself. What is no address stays as it is.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:100]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), _IPV6_PREFIX), strict=False))


class RateLimits:
    """The limits of one serving process: calls of the API, searches, wrong tokens."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        calls = settings.api_requests_per_minute
        self._by_address = Buckets(calls, clock=clock)
        self._by_token = Buckets(calls, clock=clock)
        self._searches = Buckets(settings.searches_per_minute, clock=clock)
        self._failures = Buckets(settings.failed_logins_per_minute, clock=clock)
        # Fingerprints of secrets that were good here lately.
        self._good: OrderedDict[str, None] = OrderedDict()
        names = ("api_refused_by_limit", "refused_searches", "failed_logins", "refused_logins")
        self._sums = dict.fromkeys(names, 0)
        self._lock = threading.Lock()

    def take_call(self, host: str, authorization: str) -> None:
        """One more call of the API. Raises TooManyRequests.

        `authorization` is the header as it came. Whether its token is any good is not known yet,
        so the address counts as well.
        """
        wait_seconds = self._by_address.take(address_key(host))
        if not wait_seconds and authorization:
            wait_seconds = self._by_token.take(_fingerprint(authorization))
        if wait_seconds:
            self._count("api_refused_by_limit")
            raise TooManyRequests(
                f"These are more than {self._by_address.per_minute} calls in a minute; "
                "try again in a moment.",
                wait_seconds,
            )

    def take_search(self, host: str) -> None:
        """One more search of a show's site. Raises TooManyRequests."""
        wait_seconds = self._searches.take(address_key(host))
        if wait_seconds:
            self._count("refused_searches")
            raise TooManyRequests(
                "So many searches came from your address that this one has to wait; "
                "try again in a moment.",
                wait_seconds,
            )

    def require_attempt(self, host: str, secret: str) -> None:
        """Raises TooManyRequests when too many wrong secrets came from this address lately.

        A secret that was good lately passes, or a forgotten program with an old token would lock
        out everybody who shares its address.
        """
        if _fingerprint(secret) in self._good:
            return
        wait_seconds = self._failures.wait_seconds(address_key(host))
        if wait_seconds:
            self._count("refused_logins")
            raise TooManyRequests(
                "Too many wrong tokens or passwords came from your address; try again in a moment.",
                wait_seconds,
            )

    def note_failure(self, host: str) -> None:
        """A secret from this address was wrong."""
        self._count("failed_logins")
        self._failures.take(address_key(host))

    def note_success(self, secret: str) -> None:
        """This secret was good."""
        fingerprint = _fingerprint(secret)
        with self._lock:
            self._good.pop(fingerprint, None)
            self._good[fingerprint] = None
            if len(self._good) > MOST_BUCKETS:
                self._good.popitem(last=False)

    def add_numbers(self, numbers: Numbers) -> None:
        """What was refused, for /metrics."""
        for name, count in self._sums.items():
            numbers.sums[name] = numbers.sums.get(name, 0) + count

    def _count(self, name: str) -> None:
        with self._lock:
            self._sums[name] += 1


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
