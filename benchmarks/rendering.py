"""What a large feed costs: rendering 5,000 episodes, again after an edit of one of them, and what
polls notice of it meanwhile.

The time is that of the worker's whole job (rows, XML, JSON, gzip, snapshots), in a process that has
just started; the floor beside it is gzip alone, which any way of rendering pays for the same bytes.
After an edit the same process renders again; there the floor is what any way pays for new bytes:
to unpack them, to hash them and to store them.
For the polls, `podhost serve` runs with its own worker as on one machine, the large show changes
again and again, and a poller asks for the feeds of a small show and of the large one, each on a
connection of its own, every few milliseconds. The slowest poll of all counts; the floor beside it
is the slowest of as many polls while nothing is rendered, which is what the machine itself does.
"""

import gc
import gzip
import hashlib
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.lab import Lab
from benchmarks.load import LoadRequest, fetch
from benchmarks.poller import Poller
from benchmarks.processes import Program, module
from benchmarks.shows import add_show, add_token, open_new
from benchmarks.table import Result, Row, at_most
from podhost.config import read_settings
from podhost.episodes import EpisodeInput, change_episode
from podhost.feeds.formats import FORMATS
from podhost.feeds.rendering import compress_feed, snapshot_body
from podhost.instance import Instance, open_instance
from podhost.models import Episode, Show
from podhost.shows import get_show, touch_show
from podhost.worker import run_due_jobs, run_next_job
from tests.running import clean_environment

T = TypeVar("T")

EPISODES = 5000
_PAUSE_SECONDS = 0.004
_WAIT_SECONDS = 120.0
_EDITS = 5

TIME = Row("render-time", "rendering 5,000 episodes; floor: gzip alone", "s", at_most(3, "s"))
POLLS = Row(
    "render-polls",
    "slowest poll while 5,000 episodes are rendered; floor: while nothing is",
    "ms",
    at_most(50, "ms"),
)
EVERY_TAG = Row(
    "render-every-tag",
    "rendering 5,000 episodes with every tag; floor: gzip alone",
    "s",
    at_most(6, "s"),
)
MEMORY = Row(
    "render-memory",
    "memory of a process that renders them and after edits again",
    "MB",
    at_most(400, "MB"),
)
EDIT = Row(
    "render-edit",
    "the same after an edit of one; floor: unpacking, hashing and storing the bytes",
    "s",
    at_most(1, "s"),
)
ROWS = (TIME, EVERY_TAG, MEMORY, EDIT, POLLS)


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """All rows, on one database."""
    environment = lab.on_sqlite()
    instance = open_new(environment)
    token = add_token(instance)
    add_show(instance, "small", episodes=100)
    add_show(instance, "large", episodes=EPISODES)
    of_tags = {EVERY_TAG.name, MEMORY.name, EDIT.name} & {*wanted}
    if of_tags:
        add_show(instance, "tagged", episodes=EPISODES, has_every_tag=True)
    instance.close()
    if TIME.name in wanted:
        yield _time(TIME, _rendered(lab, environment, "large"))
    if of_tags:
        told = _rendered(lab, environment, "tagged")
        results = (_time(EVERY_TAG, told), _memory(told), _edit(told))
        yield from (result for result in results if result.row.name in wanted)
    if POLLS.name in wanted:
        yield _polls(lab, environment, token)


def _rendered(lab: Lab, environment: Mapping[str, str], slug: str) -> dict[str, float]:
    """The median of several processes, each of which renders once, and again after each edit."""
    told = []
    for _ in range(lab.of(5, 1)):
        done = subprocess.run(
            [*module("rendering"), slug],
            env={**clean_environment(), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(json.loads(done.stdout))
    return {name: statistics.median(found[name] for found in told) for name in told[0]}


def _time(row: Row, told: Mapping[str, float]) -> Result:
    return Result(
        row,
        podhost=told["seconds"],
        floor=told["gzip_seconds"],
        ratio=told["seconds"] / told["gzip_seconds"],
        note=(
            f"{told['feed_bytes']:,.0f} bytes of RSS and JSON; {told['cpu_seconds']:.2f} s of CPU "
            f"time; the process grew to {told['memory_mb']:.0f} MB"
        ),
    )


def _memory(told: Mapping[str, float]) -> Result:
    note = f"{told['parts_mb']:.1f} MB of it are what is kept of the feed"
    return Result(MEMORY, podhost=told["memory_mb"], note=note)


def _edit(told: Mapping[str, float]) -> Result:
    return Result(
        EDIT,
        podhost=told["edit_seconds"],
        floor=told["bytes_seconds"],
        ratio=told["edit_seconds"] / told["bytes_seconds"],
        note=f"{told['edit_cpu_seconds']:.2f} s of CPU time",
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


# The process that renders


def render(slug: str) -> dict[str, float]:
    """Render the show as a worker does, then after each of some edits; what it took."""
    instance = open_instance(read_settings(os.environ))
    gc.freeze()
    first = _seconds(instance, lambda session, show: _touch(session, show, instance.now()), slug)
    edits = [
        _seconds(instance, lambda session, show: _edit_one(session, show, instance.now()), slug)
        for _ in range(_EDITS)
    ]
    memory_mb = _most_memory_mb()
    with instance.database.read() as session:
        show = get_show(session, slug)
        bodies = [
            snapshot_body(session.get_one(format_.table, show.id)) for format_ in FORMATS.values()
        ]
    packed, gzip_seconds = _timed(lambda: [compress_feed(body) for body in bodies])
    return {
        "seconds": first[0],
        "cpu_seconds": first[1],
        "edit_seconds": statistics.median(seconds for seconds, _ in edits),
        "edit_cpu_seconds": statistics.median(cpu_seconds for _, cpu_seconds in edits),
        "gzip_seconds": gzip_seconds,
        "bytes_seconds": _timed(lambda: _keep_bytes(packed))[1],
        "feed_bytes": sum(map(len, bodies)),
        "parts_mb": instance.feed_parts.used_bytes / 1e6,
        "memory_mb": memory_mb,
    }


def _seconds(
    instance: Instance, change: Callable[[Session, Show], None], slug: str
) -> tuple[float, float]:
    """How long it is rendered after a change: seconds of time and of CPU time."""
    with instance.database.write() as session:
        change(session, get_show(session, slug, lock=True))
    cpu_before = time.process_time()
    _, seconds = _timed(lambda: run_next_job(instance, owner="benchmarks"))
    cpu_seconds = time.process_time() - cpu_before
    # Feeds come first; what is done after them, such as the search, is not counted.
    run_due_jobs(instance)
    return seconds, cpu_seconds


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began_at = time.perf_counter()
    return work(), time.perf_counter() - began_at


def _touch(session: Session, show: Show, now: datetime) -> None:
    # What readers of the feed see, or the stored bytes would stay.
    show.copyright = f"Pier Nine {time.time()}"
    touch_show(session, show, now=now)


def _edit_one(session: Session, show: Show, now: datetime) -> None:
    """Change an old episode."""
    old = select(Episode).where(Episode.show_id == show.id).order_by(Episode.number)
    episode = session.scalars(old.offset(EPISODES // 2).limit(1)).one()
    change_episode(session, episode, EpisodeInput(title=f"Edited at {time.time()}"), now=now)


def _keep_bytes(packed: Sequence[bytes]) -> None:
    with tempfile.TemporaryFile() as file:
        for body_gzip in packed:
            hashlib.sha256(gzip.decompress(body_gzip)).hexdigest()
            file.write(body_gzip)
        file.flush()
        os.fsync(file.fileno())


def _most_memory_mb() -> float:
    # getrusage would begin with what the process had that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) * 1024 / 1e6


if __name__ == "__main__":
    sys.stdout.write(json.dumps(render(sys.argv[1])))
