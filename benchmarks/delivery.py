"""What podcast apps fetch: polls of feeds, redirects to the store, ranges of audio, whole files.

The floor is the smallest raw ASGI application under the same uvicorn (uvloop, httptools, one
process, no access log) that answers the very bytes that podhost answered, headers included, and
looks at nothing; for audio it calls `os.pread`. podhost is `podhost serve`, with the counting
line of each request written to its spool. Server and load generator have a core each.
"""

import contextlib
import gzip
import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from statistics import median

from benchmarks import nginx
from benchmarks.lab import Lab
from benchmarks.load import Load, LoadRequest, Response, fetch
from benchmarks.processes import Program, memory_mb, module
from benchmarks.shows import add_show, open_new
from benchmarks.table import Result, Row, at_most, share_of_floor

FILE_BYTES = 100_000_000
RANGE_BYTES = 65536
LISTENERS = 500

FEED_304 = Row("feed-304", "poll of 100 episodes, 304", "req/s", share_of_floor(0.9))
FEED_200 = Row("feed-200", "poll of 100 episodes, 200 gzip", "req/s", share_of_floor(0.9))
FEED_LARGE = Row("feed-304-large", "poll of 5,000 episodes, 304", "req/s", share_of_floor(0.9))
REDIRECT = Row("redirect", "enclosure, 302 to S3", "req/s", share_of_floor(0.8))
RANGE = Row("range", "local audio, ranges of 64 KB", "req/s", share_of_floor(0.75))
WHOLE = Row("whole-file", "local audio, a whole file of 100 MB", "MB/s", share_of_floor(0.95))
LISTENERS_MEMORY = Row(
    "listeners-memory", f"{LISTENERS} slow listeners: added memory", "MB", at_most(100, "MB")
)
LISTENERS_POLLS = Row(
    "listeners-polls",
    f"polls while {LISTENERS} listen slowly; floor: without them",
    "req/s",
    share_of_floor(0.9),
)
ROWS = (
    FEED_304, FEED_200, FEED_LARGE, REDIRECT, RANGE, WHOLE, LISTENERS_MEMORY, LISTENERS_POLLS,
)  # fmt: skip

_GZIP = {"Accept-Encoding": "gzip"}


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """The rows that are wanted: with a folder for storage, then with a real S3 server."""
    if wanted & {row.name for row in ROWS} - {REDIRECT.name}:
        yield from _with_folder(lab, wanted)
    if REDIRECT.name in wanted:
        yield _redirect(lab)


def _with_folder(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    environment = lab.on_sqlite()
    data = Path(environment["PODHOST_DATA"])
    instance = open_new(environment)
    file = data / "storage" / "audio" / "whole.mp3"
    file.parent.mkdir(parents=True)
    file.write_bytes(os.urandom(1_000_000) * (FILE_BYTES // 1_000_000))
    ids = add_show(
        instance, "small", episodes=100, audio_key="audio/whole.mp3", audio_bytes=FILE_BYTES
    )
    if FEED_LARGE.name in wanted:
        add_show(instance, "large", episodes=lab.of(5000, 500))
    instance.close()
    audio = f"/audio/{ids[0]}/1/low-water-0.mp3"
    with lab.podhost(environment, "--no-worker") as server:
        for row, measure_row in {
            FEED_304: lambda: _not_modified(lab, FEED_304, server, "/small/feed.xml"),
            FEED_200: lambda: _gzipped(lab, server),
            FEED_LARGE: lambda: _not_modified(lab, FEED_LARGE, server, "/large/feed.xml"),
            RANGE: lambda: _range(lab, server, audio, file),
            WHOLE: lambda: _whole_file(lab, server, audio, file),
        }.items():
            if row.name in wanted:
                yield measure_row()
        if wanted & {LISTENERS_MEMORY.name, LISTENERS_POLLS.name}:
            yield from _slow_listeners(lab, server, audio, wanted)


# Polls and ranges


def _not_modified(lab: Lab, row: Row, server: Program, path: str) -> Result:
    """Most polls: the app has the newest feed already."""
    whole = fetch(server.port, LoadRequest(path, 200, _GZIP))
    request = _conditional(path, whole)
    same = fetch(server.port, request)
    with lab.floor(same) as floor, _as_file(lab, path, whole) as web_server:
        of_nginx = None
        if web_server is not None:
            of_nginx = _conditional(path, fetch(web_server.port, LoadRequest(path, 200, _GZIP)))
        return _compare(lab, row, request, server, floor, web_server, of_nginx)


def _conditional(path: str, whole: Response) -> LoadRequest:
    return LoadRequest(path, 304, {**_GZIP, "If-None-Match": whole.header("etag")})


def _gzipped(lab: Lab, server: Program) -> Result:
    """A feed that is new to the app, as apps ask for it."""
    request = LoadRequest("/small/feed.xml", 200, _GZIP)
    whole = fetch(server.port, request)
    with lab.floor(whole) as floor, _as_file(lab, request.path, whole) as web_server:
        result = _compare(lab, FEED_200, request, server, floor, web_server)
    result.note = f"{len(whole.body):,} bytes each"
    return result


def _range(lab: Lab, server: Program, path: str, file: Path) -> Result:
    """What players ask for while they play."""
    first = 20 * RANGE_BYTES
    request = LoadRequest(path, 206, {"Range": f"bytes={first}-{first + RANGE_BYTES - 1}"})
    answer = fetch(server.port, request)
    location = nginx.file_location(path, file, answer)
    with (
        lab.floor(answer, file=file, start=first, length=RANGE_BYTES) as floor,
        lab.nginx(nginx.one_server(location)) as web_server,
    ):
        return _compare(lab, RANGE, request, server, floor, web_server)


def _redirect(lab: Lab) -> Result:
    """With S3, audio is one small answer; the URL in it is signed once an hour."""
    environment = lab.on_s3()
    instance = open_new(environment)
    path = f"/audio/{add_show(instance, 'small', episodes=1)[0]}/1/low-water-0.mp3"
    instance.close()
    request = LoadRequest(path, 302)
    with lab.podhost(environment, "--no-worker") as server:
        answer = fetch(server.port, request)
        location = nginx.redirect_location(path, answer)
        with lab.floor(answer) as floor, lab.nginx(nginx.one_server(location)) as web_server:
            result = _compare(lab, REDIRECT, request, server, floor, web_server)
        spooled = sum(
            file.read_bytes().count(b"\n")
            for file in Path(environment["PODHOST_DATA"]).glob("spool/*")
        )
    result.note = f"{spooled:,} counting lines were on disk at the end"
    return result


@contextlib.contextmanager
def _as_file(lab: Lab, path: str, whole: Response) -> Iterator[Program | None]:
    """The feed as two plain files, one of them compressed already."""
    file = lab.new_folder("files") / "feed.xml"
    file.write_bytes(gzip.decompress(whole.body))
    file.with_name("feed.xml.gz").write_bytes(whole.body)
    # nginx takes the compressed one whatever its age; the browser's caches want both alike.
    os.utime(file.with_name("feed.xml.gz"), (file.stat().st_atime, file.stat().st_mtime))
    with lab.nginx(nginx.one_server(nginx.file_location(path, file, whole))) as program:
        yield program


def _compare(
    lab: Lab,
    row: Row,
    request: LoadRequest,
    server: Program,
    floor: Program,
    web_server: Program | None,
    of_nginx: LoadRequest | None = None,
) -> Result:
    """Both at full speed, in turn, for seconds each; `of_nginx` is the request in nginx's words."""
    requests = {"podhost": (server, request), "floor": (floor, request)}
    if web_server is not None:
        requests["nginx"] = (web_server, of_nginx or request)
    for program, asked in requests.values():
        fetch(program.port, asked)
        lab.load(program, asked, seconds=0.3, own=True)

    def by(program: Program, asked: LoadRequest) -> Callable[[], Load]:
        return lambda: lab.load(program, asked, seconds=1)

    measures = {name: by(*asked) for name, asked in requests.items()}
    return lab.compare(row, measures, rounds=lab.of(6, 2))


# Whole files and slow listeners


def _whole_file(lab: Lab, server: Program, path: str, file: Path) -> Result:
    """One fast listener who takes the whole file, again and again."""
    request = LoadRequest(path, 200)
    # A response without its body is enough: the floor reads the file.
    answer = fetch(server.port, request)
    whole = {"file": file, "start": 0, "length": FILE_BYTES}
    location = nginx.file_location(path, file, answer)
    with lab.floor(answer, **whole) as floor, lab.nginx(nginx.one_server(location)) as web_server:
        programs = {"podhost": server, "floor": floor}
        if web_server is not None:
            programs["nginx"] = web_server

        def by(program: Program) -> Callable[[], Load]:
            seconds = lab.of(1.2, 0.6)
            return lambda: lab.load(program, request, seconds=seconds, connections=1, own=True)

        result = lab.compare(
            WHOLE,
            {name: by(program) for name, program in programs.items()},
            rounds=lab.of(7, 2),
            scale=FILE_BYTES / 1e6,
        )
    # Per file it is a large number that nobody compares.
    result.cpu_us = result.floor_cpu_us = None
    return result


def _slow_listeners(
    lab: Lab, server: Program, path: str, wanted: Collection[str]
) -> Iterator[Result]:
    """Polls before, while and after many take the same file at the speed at which it plays."""
    feed = "/small/feed.xml"
    request = _conditional(feed, fetch(server.port, LoadRequest(feed, 200, _GZIP)))
    seconds = lab.of(3, 1)
    lab.load(server, request, seconds=0.3, own=True)
    without, beside, added_mb = [], [], []
    for _ in range(lab.of(2, 1)):
        without.append(lab.load(server, request, seconds=seconds))
        before_mb = memory_mb(server.pid)
        command = module("listeners", str(server.port), path, str(LISTENERS))
        with Program(command, folder=lab.new_folder("listeners"), cores=lab.load_cores) as crowd:
            crowd.wait_until_ready()
            time.sleep(1)
            beside.append(lab.load(server, request, seconds=seconds))
            added_mb.append(memory_mb(server.pid) - before_mb)
        time.sleep(0.5)
    if LISTENERS_MEMORY.name in wanted:
        yield Result(LISTENERS_MEMORY, podhost=max(added_mb))
    if LISTENERS_POLLS.name in wanted:
        ratios = [
            (one.requests / one.seconds) / (other.requests / other.seconds)
            for one, other in zip(beside, without, strict=True)
        ]
        yield Result(
            LISTENERS_POLLS,
            podhost=median(load.requests / load.seconds for load in beside),
            floor=median(load.requests / load.seconds for load in without),
            ratio=median(ratios),
            ratios=ratios,
            cpu_us=median(load.cpu_us for load in beside),
            floor_cpu_us=median(load.cpu_us for load in without),
            note="what the listeners take themselves, 8 MB/s, is in podhost's number",
        )
