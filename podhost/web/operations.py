"""Operators and their tools: is it alive, can it serve, how much does it do; it changes nothing."""

import asyncio
import hmac
import ipaddress
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from podhost.db import require_usable_schema
from podhost.errors import Conflict, Forbidden, NotFound, PodhostError, Unauthorized, Unavailable
from podhost.instance import Instance
from podhost.jobs import count_by_status, latest_seconds
from podhost.models import Episode, Show
from podhost.rate_limits import RateLimits
from podhost.traffic import Numbers, Traffic

if TYPE_CHECKING:
    from prometheus_client.core import Metric

logger = logging.getLogger("podhost.requests")

# Asked by proxies before they get a certificate for a domain, and by podhost itself.
DOMAIN_PATH = "/-/domain"
PATHS = frozenset({"/healthz", "/readyz", "/metrics", DOMAIN_PATH})
CHECK_SECONDS = 2.0
KEPT_SECONDS = 1.0
_FORWARDING_HEADERS = frozenset({"forwarded", "x-real-ip", "via", "cf-connecting-ip"})


def routes(instance: Instance, traffic: Traffic) -> list[Route]:
    """The addresses for one serving process."""
    readiness = Readiness(instance)

    async def readyz(_: Request) -> Response:
        await readiness.require()
        return _text("ready")

    async def metrics(request: Request) -> Response:
        _require_operator(request, instance.settings.metrics_token, request.app.state.limits)
        text, media_type = await run_in_threadpool(_metrics, instance, traffic)
        return Response(text, media_type=media_type, headers={"Cache-Control": "no-store"})

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route(DOMAIN_PATH, domain),
    ]


async def healthz(_: Request) -> Response:
    """200 while the event loop turns; asks nobody, so that an outage elsewhere restarts nothing."""
    return _text("ok")


async def domain(request: Request) -> Response:
    """Whether `?domain=` is one that a show has or had: 200 with its name, or 404; from memory."""
    asked = request.query_params.get("domain", "").lower().removesuffix(".")
    catalogue, name = request.app.state.catalogue, asked.encode("utf-8")
    is_known = catalogue.find_domain(name) is not None or catalogue.find_left_domain(name)
    if not is_known or ":" in asked:
        raise NotFound("No show here has this domain.")
    return _text(asked)


def _text(body: str) -> Response:
    return PlainTextResponse(body, headers={"Cache-Control": "no-store"})


class Readiness:
    """Whether database, schema and storage answer; asked at most once a second, 2 s at most."""

    def __init__(self, instance: Instance) -> None:
        self._checks = (
            _Check("database", lambda: _check_database(instance)),
            _Check("storage", instance.storage.check),
        )
        self._lock = asyncio.Lock()
        self._checked_at = -KEPT_SECONDS
        self._problems: list[str] = []

    async def require(self) -> None:
        """Raises Unavailable with a sentence for each part that does not answer."""
        async with self._lock:
            if time.monotonic() - self._checked_at >= KEPT_SECONDS:
                found = await asyncio.gather(*(check.problem() for check in self._checks))
                self._problems = [problem for problem in found if problem]
                self._checked_at = time.monotonic()
        if self._problems:
            raise Unavailable(" ".join(self._problems))


def _check_database(instance: Instance) -> None:
    try:
        require_usable_schema(instance.database)
    except Conflict as error:
        raise Unavailable(error.message) from error


class _Check:
    """One check in a thread of its own; one that hangs is not started a second time."""

    def __init__(self, name: str, check: Callable[[], None]) -> None:
        self._name = name
        self._check = check
        self._answer: asyncio.Future[str] | None = None

    async def problem(self) -> str:
        """A sentence, or "" when all is well."""
        if self._answer is None or self._answer.done():
            self._answer = self._start()
        try:
            return await asyncio.wait_for(asyncio.shield(self._answer), CHECK_SECONDS)
        except TimeoutError:
            return f"The {self._name} does not answer within {CHECK_SECONDS:g} s."

    def _start(self) -> asyncio.Future[str]:
        # No thread of the pool: a check that hangs must neither take one from the handlers nor
        # hold up the end of the process.
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def run() -> None:
            sentence = self._run()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_set, answer, sentence)

        threading.Thread(target=run, name=f"check-{self._name}", daemon=True).start()
        return answer

    def _run(self) -> str:
        try:
            self._check()
        except PodhostError as error:
            return error.message
        except Exception:
            logger.exception("the check of the %s failed", self._name)
            return f"The {self._name} does not answer."
        return ""


def _set(answer: asyncio.Future[str], sentence: str) -> None:
    if not answer.done():
        answer.set_result(sentence)


# Metrics


def _require_operator(request: Request, metrics_token: str, limits: RateLimits) -> None:
    """Loopback, or the token. Raises Unauthorized, Forbidden or TooManyRequests.

    Whatever says that it was forwarded came through a proxy and is not from this machine, even
    when the proxy is; where the proxy is trusted, the client's address stands in its place.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if metrics_token and scheme.lower() == "bearer":
        host = request.client.host if request.client else ""
        limits.require_attempt(host, token.strip())
        if hmac.compare_digest(token.strip().encode(), metrics_token.encode()):
            limits.note_success(token.strip())
            return
        limits.note_failure(host)
        raise Unauthorized("This is not the token of the setting PODHOST_METRICS_TOKEN.")
    is_forwarded = any(
        name in _FORWARDING_HEADERS or name.startswith("x-forwarded-") for name in request.headers
    )
    if not is_forwarded and request.client is not None and _is_loopback(request.client.host):
        return
    if metrics_token:
        raise Unauthorized("The metrics need the token of the setting PODHOST_METRICS_TOKEN.")
    raise Forbidden(
        "The metrics are for this machine only, until the setting PODHOST_METRICS_TOKEN is given."
    )


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def _metrics(instance: Instance, traffic: Traffic) -> tuple[bytes, str]:
    # Imported when somebody asks: most processes are never asked, and it takes a while.
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector(instance, traffic.all()))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Collector:
    """The numbers of one moment, in prometheus_client's terms."""

    def __init__(self, instance: Instance, numbers: Numbers) -> None:
        self._instance = instance
        self._numbers = numbers

    def describe(self) -> list["Metric"]:
        """Nothing: asking the database only to learn names would be a waste."""
        return []

    def collect(self) -> Iterator["Metric"]:
        """Every metric, from all processes of this server and from the database."""
        yield from self._traffic()
        yield from self._states()
        yield from self._rows()

    def _traffic(self) -> Iterator["Metric"]:
        from prometheus_client.core import CounterMetricFamily

        labels = ["surface", "status"]
        answers = CounterMetricFamily(
            "podhost_answers", "Requests answered, by surface and HTTP status.", labels=labels
        )
        sent = CounterMetricFamily(
            "podhost_sent_bytes",
            "Body bytes handed to the network.",
            labels=labels,
        )
        for (surface, status), (count, sent_bytes) in sorted(self._numbers.answers.items()):
            answers.add_metric([surface, str(status)], count)
            if sent_bytes:
                sent.add_metric([surface, str(status)], sent_bytes)
        yield answers
        yield sent
        for name, text in _SUMS.items():
            yield CounterMetricFamily(
                f"podhost_{name}", text, value=self._numbers.sums.get(name, 0)
            )

    def _states(self) -> Iterator["Metric"]:
        from prometheus_client.core import GaugeMetricFamily

        for name, text in _STATES.items():
            value = self._numbers.states.get(name, 0)
            yield GaugeMetricFamily(f"podhost_{name}", text, value=value)
        memory = GaugeMetricFamily(
            "podhost_resident_memory_bytes", "Memory of each serving process.", labels=["pid"]
        )
        for pid, size_bytes in sorted(self._numbers.memory_bytes.items()):
            memory.add_metric([str(pid)], size_bytes)
        yield memory

    def _rows(self) -> Iterator["Metric"]:
        from prometheus_client.core import GaugeMetricFamily

        up = GaugeMetricFamily("podhost_database_up", "1 while the database answers.")
        jobs = GaugeMetricFamily("podhost_jobs", "Jobs, by status.", labels=["status"])
        late = GaugeMetricFamily(
            "podhost_jobs_late_seconds",
            "How long the job that is due longest has been waiting for a worker.",
        )
        shows = GaugeMetricFamily("podhost_shows", "Shows that are not deleted.")
        episodes = GaugeMetricFamily("podhost_published_episodes", "Episodes in feeds.")
        failing = GaugeMetricFamily(
            "podhost_hubs_failing",
            "Shows of whose last change a hub or directory could not be told.",
            labels=["hub"],
        )
        try:
            counted = _count_rows(self._instance)
        except Unavailable:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        for status in ("waiting", "running", "failed"):
            jobs.add_metric([status], counted.jobs.get(status, 0))
        late.add_metric([], counted.late_seconds)
        shows.add_metric([], counted.shows)
        episodes.add_metric([], counted.published_episodes)
        for url, count in counted.failing_hubs.items():
            failing.add_metric([url], count)
        yield from (up, jobs, late, shows, episodes, failing)


_SUMS = {
    "spool_dropped": "Request records lost because the disk could not take them.",
    "spool_failed_writes": "Failed writes to the request spool.",
    "api_refused_by_limit": "API calls answered 429 because of an address's or token's limit.",
    "refused_searches": "Searches of shows' sites answered 429 because of an address's limit.",
    "failed_logins": "Wrong tokens and passwords.",
    "refused_logins": "Tokens not looked at, after too many wrong ones from the address.",
    "requests_late": "Requests whose header did not arrive whole in time (408).",
    "requests_malformed": "Requests that are no HTTP or whose header is too large (400, 414, 431).",
    "connections_refused": "Connections that had to go because there were too many (429, 503).",
    "connections_closed_for_room": "Idle or stalled connections closed to make room for others.",
}
_STATES = {
    "connections_open": "Open connections of all serving processes.",
    "spool_backlog": "Request records in memory that are not on disk yet.",
    "feeds_in_memory": "Feeds held in memory, added up over the processes.",
    "cache_bytes": "Memory used for feeds and other small answers.",
}


class _Counted(NamedTuple):
    jobs: dict[str, int]
    late_seconds: float
    shows: int
    published_episodes: int
    failing_hubs: dict[str, int]


def _count_rows(instance: Instance) -> _Counted:
    shows = select(func.count(Show.id)).where(Show.deleted_at.is_(None))
    published = select(func.count(Episode.id)).where(
        Episode.status == "published", Episode.deleted_at.is_(None)
    )
    # Loaded when somebody asks: it brings with it all that renders feeds.
    from podhost.feeds.hubs import count_failing, list_hubs

    hubs = list_hubs(instance.settings, instance.base_url)
    with instance.database.read() as session:
        return _Counted(
            count_by_status(session),
            latest_seconds(session, instance.now()),
            session.scalar(shows) or 0,
            session.scalar(published) or 0,
            count_failing(session, hubs),
        )
