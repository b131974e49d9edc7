"""Starting, resting and remembering: how soon podhost answers, and what memory it takes.

Ready means `/readyz` answers 200, counted from the start of the process, with a thousand shows in
the database; the floor is a Python that imports uvicorn, starlette and sqlalchemy and ends,
started in the same run, in turn. Idle memory is that of the serving process seconds later, when
it has read feeds ahead and loaded what it loads by itself. The many shows have feeds whose bytes
together are several times the setting PODHOST_MEMORY_CACHE_MB, and are polled at random; what
counts is how much the process grows. The demo starts with a data folder that does not exist.
"""

import contextlib
import random
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping

from benchmarks.lab import Lab
from benchmarks.load import LoadRequest, fetch, run_random_load
from benchmarks.processes import SETTINGS, MemoryWatch, Program, free_port, memory_mb, pinned
from benchmarks.shows import add_show, add_small_shows, open_new
from benchmarks.table import Result, Row, at_most, times_floor
from tests.running import clean_environment

SHOWS = 1000
MANY_SHOWS = 20_000
CACHE_MB = 64
_MANY_FEED_BYTES = 6000
_IMPORTS = "import uvicorn, starlette.applications, sqlalchemy"

READY = Row(
    "start-ready",
    f"serve answers /readyz with {SHOWS:,} shows; floor: imports alone",
    "s",
    times_floor(1.5),
)
IDLE = Row("start-idle-memory", f"idle memory with {SHOWS:,} shows", "MB", at_most(120, "MB"))
MANY = Row(
    "start-many-shows",
    f"added memory, {MANY_SHOWS:,} shows polled at random, cache of {CACHE_MB} MB",
    "MB",
    # The cache, and half as much for what a process has besides: names of shows, fragments.
    at_most(1.5 * CACHE_MB, "MB"),
)
DEMO = Row("start-demo", "demo with a cold data folder to its first feed", "s", at_most(5, "s"))
ROWS = (READY, IDLE, MANY, DEMO)


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """Each row with a database of its own."""
    if wanted & {READY.name, IDLE.name}:
        environment = lab.on_sqlite()
        instance = open_new(environment)
        add_show(instance, "small", episodes=100)
        add_small_shows(instance, SHOWS - 1, feed_bytes=_MANY_FEED_BYTES)
        instance.close()
        if READY.name in wanted:
            yield _ready(lab, environment)
        if IDLE.name in wanted:
            yield _idle(lab, environment)
    if MANY.name in wanted:
        yield _many_shows(lab)
    if DEMO.name in wanted:
        yield _demo(lab)


def _ready(lab: Lab, environment: Mapping[str, str]) -> Result:
    """In turn, because the first of both reads files that the second finds in memory."""
    _import_seconds(lab)
    _ready_seconds(lab, environment)
    pairs = [(_ready_seconds(lab, environment), _import_seconds(lab)) for _ in range(lab.of(7, 1))]
    ratios = [ours / floor for ours, floor in pairs]
    return Result(
        READY,
        podhost=statistics.median(ours for ours, _ in pairs),
        floor=statistics.median(floor for _, floor in pairs),
        ratio=statistics.median(ratios),
        ratios=ratios,
    )


def _import_seconds(lab: Lab) -> float:
    command = [sys.executable, "-c", _IMPORTS]
    with pinned(lab.server_cores):
        began_at = time.perf_counter()
        subprocess.run(command, check=True, env=clean_environment())
        return time.perf_counter() - began_at


def _ready_seconds(lab: Lab, environment: Mapping[str, str]) -> float:
    """From the start of the process to the first 200."""
    port = free_port()
    with _serve(lab, environment, port) as server:
        _wait_for(port, "/readyz")
        return time.monotonic() - server.started_at


def _serve(lab: Lab, environment: Mapping[str, str], port: int) -> Program:
    command = [sys.executable, "-m", "podhost", "serve", "--no-worker", "--port", str(port)]
    settings = {**SETTINGS, **environment}
    folder = lab.new_folder("podhost")
    return Program(command, folder=folder, environment=settings, cores=lab.server_cores, port=port)


def _wait_for(port: int, path: str) -> None:
    """Until it answers 200, as often as makes no difference."""
    request = LoadRequest(path, 200)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionRefusedError), socket.socket() as probe:
            # Cheaper than a whole HTTP client while nobody listens yet.
            probe.connect(("127.0.0.1", port))
            fetch(port, request)
            return
        time.sleep(0.002)
    raise RuntimeError(f"{path} was never answered")


def _idle(lab: Lab, environment: Mapping[str, str]) -> Result:
    rest_seconds = lab.of(5, 3)
    with lab.podhost(environment, "--no-worker") as server:
        fetch(server.port, LoadRequest("/small/feed.xml", 200))
        time.sleep(rest_seconds)
        idle_mb = memory_mb(server.pid)
    with lab.podhost(environment) as server:
        time.sleep(rest_seconds)
        worker_mb = sum(memory_mb(pid) for pid in server.pids if pid != server.pid)
    note = f"{rest_seconds} s after the start, without its worker, which has {worker_mb:.0f} MB"
    return Result(IDLE, podhost=idle_mb, note=note)


def _many_shows(lab: Lab) -> Result:
    environment = {**lab.on_sqlite(), "PODHOST_MEMORY_CACHE_MB": str(CACHE_MB)}
    instance = open_new(environment)
    add_show(instance, "small", episodes=1)
    slugs = add_small_shows(
        instance, lab.of(MANY_SHOWS, MANY_SHOWS // 2), feed_bytes=_MANY_FEED_BYTES
    )
    instance.close()
    random.Random(3).shuffle(slugs)
    gzip = {"Accept-Encoding": "gzip"}
    requests = [LoadRequest(f"/{slug}/feed.xml", 200, gzip) for slug in slugs]
    # Where the cache may hold nearly nothing, growth is what everything else takes.
    tiny = {**environment, "PODHOST_MEMORY_CACHE_MB": "1"}
    (grown_mb, rate), (tiny_mb, tiny_rate) = (
        _growth(lab, settings, requests) for settings in (environment, tiny)
    )
    return Result(
        MANY,
        podhost=grown_mb,
        note=(
            f"{rate:,.0f} polls/s of random shows, {len(slugs) * _MANY_FEED_BYTES / 1e6:.0f} MB of "
            f"feeds; with a cache of 1 MB it grew by {tiny_mb:.0f} MB at {tiny_rate:,.0f} polls/s"
        ),
    )


def _growth(
    lab: Lab, environment: Mapping[str, str], requests: list[LoadRequest]
) -> tuple[float, float]:
    """How much the server grew from its first second on, and polls per second."""
    port = free_port()
    with _serve(lab, environment, port) as server:
        _wait_for(port, "/readyz")
        with MemoryWatch(server.pid) as memory:
            count, seconds = run_random_load(
                port, requests, seconds=lab.of(10, 3), connections=16, folder=lab.folder
            )
        return memory.growth_mb, count / seconds


def _demo(lab: Lab) -> Result:
    """`podhost demo`, and a poll of the feed that it names."""
    found = []
    for _ in range(lab.of(3, 1)):
        folder = lab.new_folder("demo")
        command = [sys.executable, "-m", "podhost", "demo", "--port", "0"]
        environment = {"PODHOST_DATA": str(folder / "data")}
        with Program(command, folder=folder, environment=environment) as demo:
            demo.wait_until_ready()
            path = re.search(r"^Feed: +http://[^/]+(/\S+)$", demo.output, re.MULTILINE)
            if path is None:
                raise RuntimeError("the demo names no feed")
            fetch(demo.port, LoadRequest(path[1], 200))
            found.append((time.monotonic() - demo.started_at, demo.cpu_seconds()))
    slowest, cpu_seconds = max(found)
    note = f"the slowest of {len(found)}; {cpu_seconds:.1f} s of it were CPU time"
    return Result(DEMO, podhost=slowest, note=note)
