"""What a large feed costs: rendering 5,000 episodes, and what polls notice of it meanwhile.

The time is that of the worker's whole job (rows, XML, gzip, snapshot), in a process that has just
started; the floor beside it is gzip alone, which any way of rendering pays for the same bytes.
For the polls, `podhost serve` runs with its own worker as on one machine, the large show changes
again and again, and a poller asks for the feeds of a small show and of the large one, each on a
connection of its own, every few milliseconds. The slowest poll of all counts; the floor beside it
is the slowest of as many polls while nothing is rendered, which is what the machine itself does.
"""

import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping

from benchmarks.lab import Lab
from benchmarks.load import LoadRequest, fetch
from benchmarks.poller import Poller
from benchmarks.processes import Program, module
from benchmarks.shows import add_show, add_token, open_new
from benchmarks.table import Result, Row, at_most
from podhost.config import read_settings
from podhost.feeds import compress_feed, find_snapshot, snapshot_body
from podhost.instance import Instance, open_instance
from podhost.shows import get_show, touch_show
from podhost.worker import run_due_jobs
from tests.running import clean_environment

EPISODES = 5000
_PAUSE_SECONDS = 0.004
_WAIT_SECONDS = 120.0

TIME = Row("render-time", "rendering 5,000 episodes; floor: gzip alone", "s", at_most(3, "s"))
POLLS = Row(
    "render-polls",
    "slowest poll while 5,000 episodes are rendered; floor: while nothing is",
    "ms",
    at_most(50, "ms"),
)
ROWS = (TIME, POLLS)


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """Both rows, on one database."""
    environment = lab.on_sqlite()
    instance = open_new(environment)
    token = add_token(instance)
    add_show(instance, "small", episodes=100)
    add_show(instance, "large", episodes=EPISODES)
    instance.close()
    if TIME.name in wanted:
        yield _time(lab, environment)
    if POLLS.name in wanted:
        yield _polls(lab, environment, token)


def _time(lab: Lab, environment: Mapping[str, str]) -> Result:
    """The median of several processes, each of which renders once."""
    told = []
    for _ in range(lab.of(5, 1)):
        done = subprocess.run(
            module("rendering"),
            env={**clean_environment(), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(json.loads(done.stdout))
    middle = {name: statistics.median(found[name] for found in told) for name in told[0]}
    return Result(
        TIME,
        podhost=middle["seconds"],
        floor=middle["gzip_seconds"],
        ratio=middle["seconds"] / middle["gzip_seconds"],
        note=(
            f"{middle['feed_bytes']:,.0f} bytes; {middle['cpu_seconds']:.2f} s of CPU time; the "
            f"process grew to {middle['memory_mb']:.0f} MB"
        ),
    )


def _polls(lab: Lab, environment: Mapping[str, str], token: str) -> Result:
    rounds = lab.of(4, 1)
    with lab.podhost(environment, is_pinned=False) as server:
        _render_large(server, token, "0")
        spans = []
        with Poller(lab, server.port, _requests(), pause_seconds=_PAUSE_SECONDS) as poller:
            for number in range(1, rounds + 1):
                spans.append(_render_large(server, token, str(number)))
                # Nothing is rendered for as long.
                time.sleep(spans[-1][1] - spans[-1][0])
        polls = poller.polls
    lengths = [end - start for start, end in spans]
    beside = [ms for start, end in spans for ms in polls.within(start, end)]
    # From half a second later, because the fresh feed is still being read then.
    quiet = [
        ms
        for (_, end), length in zip(spans, lengths, strict=True)
        for ms in polls.within(end + 0.5, end + length)
    ]
    return Result(
        POLLS,
        podhost=max(beside),
        floor=max(quiet, default=None),
        ratio=max(beside) / max(quiet) if quiet else None,
        note=(
            f"{len(beside):,} polls in {sum(lengths):.1f} s of rendering: median "
            f"{statistics.median(beside):.2f} ms, 99.9th percentile "
            f"{sorted(beside)[int(len(beside) * 0.999)]:.1f} ms"
        ),
    )


def _requests() -> list[LoadRequest]:
    """Feeds as apps ask for them: with and without gzip, small and large."""
    gzip = {"Accept-Encoding": "gzip"}
    return [
        LoadRequest("/small/feed.xml", 200, gzip),
        LoadRequest("/small/feed.xml", 200),
        LoadRequest("/large/feed.xml", 304, {**gzip, "If-None-Match": "*"}),
        LoadRequest("/large/feed.xml", 200, gzip),
    ]


def _render_large(server: Program, token: str, text: str) -> tuple[float, float]:
    """Change the large show and wait until the fresh feed is served; when that was."""
    head = LoadRequest("/large/feed.xml", 200, {"Accept-Encoding": "gzip"})
    before = fetch(server.port, head).header("etag")
    began_at = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request(
        "PATCH",
        "/api/v1/shows/large",
        body=json.dumps({"copyright": f"Pier Nine {text}"}),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    status = connection.getresponse().status
    connection.close()
    if status != 200:
        raise RuntimeError(f"the show could not be changed: {status}")
    while fetch(server.port, head).header("etag") == before:
        if time.monotonic() - began_at > _WAIT_SECONDS:
            raise RuntimeError("the large feed was never rendered")
        time.sleep(0.05)
    return began_at, time.monotonic()


# The process that renders once


def render_once() -> dict[str, float]:
    """Render the large show as the worker does; what it took."""
    instance = open_instance(read_settings(os.environ))
    _touch(instance)
    began_at, cpu_before = time.perf_counter(), time.process_time()
    run_due_jobs(instance)
    seconds, cpu_seconds = time.perf_counter() - began_at, time.process_time() - cpu_before
    with instance.database.read() as session:
        snapshot = find_snapshot(session, get_show(session, "large"))
        assert snapshot is not None, "it was rendered before, too"
        body = snapshot_body(snapshot)
    began_at = time.perf_counter()
    compress_feed(body)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "gzip_seconds": time.perf_counter() - began_at,
        "feed_bytes": len(body),
        "memory_mb": _most_memory_mb(),
    }


def _touch(instance: Instance) -> None:
    with instance.database.write() as session:
        show = get_show(session, "large", lock=True)
        # What readers of the feed see, or the stored bytes would stay.
        show.copyright = f"Pier Nine {time.time()}"
        touch_show(session, show, now=instance.now())


def _most_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    sys.stdout.write(json.dumps(render_once()))
