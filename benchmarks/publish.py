"""From the publish call to the first byte of the fresh feed, at every one of three processes.

An episode of one of five shows with a hundred episodes each is published through the API of the
first process, while all three are asked for that show's feed again and again, as an app would
with its ETag. The time runs from before the call is sent until the last of the three has begun to
answer 200: it holds the call itself, the worker that notices and renders, and the slowest process
that hears of it. There is no floor: the target is a second at the 99th percentile.
"""

import contextlib
import http.client
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from benchmarks.lab import Lab
from benchmarks.load import USER_AGENT
from benchmarks.processes import Program
from benchmarks.shows import add_show, add_token, open_new
from benchmarks.table import Result, Row, at_most

PROCESSES = 3
SHOWS = 5
PUBLISHED = 100
_GIVE_UP_SECONDS = 30.0
_LONGEST_SECONDS = 160.0
_PAUSE_SECONDS = 0.002

ON_SQLITE = Row(
    "publish-sqlite", "publish to fresh feed, 99th percentile, SQLite", "s", at_most(1, "s")
)
ON_POSTGRES = Row(
    "publish-postgres",
    "publish to fresh feed, 99th percentile, PostgreSQL + S3",
    "s",
    at_most(1, "s"),
)
ROWS = (ON_SQLITE, ON_POSTGRES)


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """Two hundred publishes on each pair of engines."""
    if ON_SQLITE.name in wanted:
        yield _publish(lab, ON_SQLITE, lab.on_sqlite())
    if ON_POSTGRES.name in wanted:
        yield _publish(lab, ON_POSTGRES, lab.on_postgres())


def _publish(lab: Lab, row: Row, environment: Mapping[str, str]) -> Result:
    count = lab.of(200, 10)
    drafts = {}
    instance = open_new(environment)
    token = add_token(instance)
    for number in range(SHOWS):
        ids = add_show(
            instance,
            f"show-{number}",
            episodes=PUBLISHED + count // SHOWS + 1,
            drafts=count // SHOWS + 1,
        )
        drafts[f"show-{number}"] = ids[PUBLISHED:]
    instance.close()
    with contextlib.ExitStack() as stack:
        ports = _start_processes(lab, stack, environment)
        publisher = Publisher(ports, token)
        stack.callback(publisher.close)
        # Not counted: the worker has only just been started, and caches are empty.
        for slug, ids in drafts.items():
            publisher.publish(slug, ids.pop(0))
        calls, waits = [], []
        until = time.monotonic() + _LONGEST_SECONDS
        for turn in range(count // SHOWS):
            # A machine that is so busy makes no better numbers in twice the time.
            if time.monotonic() > until:
                break
            for slug, ids in drafts.items():
                call_seconds, wait_seconds = publisher.publish(slug, ids[turn])
                calls.append(call_seconds)
                waits.append(wait_seconds)
    waits.sort()
    return Result(
        row,
        podhost=_percentile(waits, 0.99),
        note=(
            f"{len(waits)} publishes at {PROCESSES} processes: median "
            f"{_percentile(waits, 0.5):.2f} s, longest {waits[-1]:.2f} s; the call itself took "
            f"{_percentile(sorted(calls), 0.5):.3f} s of it (median)"
        ),
    )


def _start_processes(
    lab: Lab, stack: contextlib.ExitStack, environment: Mapping[str, str]
) -> list[int]:
    """Servers and a worker, each a process of its own, as on several machines."""
    programs: list[Program] = []
    for _ in range(PROCESSES):
        # On any core: it is one program together, and no race for requests per second.
        serving = lab.podhost(environment, "--no-worker", is_pinned=False)
        programs.append(stack.enter_context(serving))
    stack.enter_context(lab.worker(environment))
    return [program.port for program in programs]


def _percentile(values: Sequence[float], share: float) -> float:
    """By the nearest rank; `values` are sorted."""
    return values[min(len(values) - 1, int(len(values) * share))]


def _poll(
    connection: http.client.HTTPConnection, path: str, etag: str | None = None
) -> tuple[int, str]:
    """Status and ETag of the feed, as an app at one of the processes sees them."""
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"}
    if etag is not None:
        headers["If-None-Match"] = etag
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers["ETag"]


class Publisher:
    """Publishes through the first process and looks at all of them."""

    def __init__(self, ports: Sequence[int], token: str) -> None:
        self._pollers = [
            http.client.HTTPConnection("127.0.0.1", port, timeout=30) for port in ports
        ]
        self._api = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def publish(self, slug: str, episode_id: str) -> tuple[float, float]:
        """Seconds until the call was answered, and until the last process had the fresh feed."""
        path = f"/{slug}/feed.xml"
        etags = [_poll(poller, path)[1] for poller in self._pollers]
        began_at = time.perf_counter()
        self._call(f"/api/v1/shows/{slug}/episodes/{episode_id}/publish")
        called_at = time.perf_counter()
        missing = set(range(len(self._pollers)))
        while missing:
            for number in sorted(missing):
                if _poll(self._pollers[number], path, etags[number])[0] == 200:
                    missing.discard(number)
            if time.perf_counter() - began_at > _GIVE_UP_SECONDS:
                raise RuntimeError(f"{len(missing)} processes never had the fresh feed")
            if missing:
                time.sleep(_PAUSE_SECONDS)
        return called_at - began_at, time.perf_counter() - began_at

    def _call(self, path: str) -> None:
        self._api.request("POST", path, body=json.dumps({}), headers=self._headers)
        answer = self._api.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {body[:200]!r}")

    def close(self) -> None:
        """Hang up."""
        for connection in (self._api, *self._pollers):
            connection.close()
