"""Polls that nginx answers by itself, from the files that podhost keeps under `public/`.

podhost runs with PODHOST_STATIC_EDGE=on behind nginx with the very configuration that stands in
`docs/operate.md`; only addresses are changed. The floor is a second nginx with one location for one
plain file of the same bytes and headers: whatever is missing to it, finding files and falling back
to podhost cost. Both have one worker, on the same core. Without nginx there is
nothing to measure.
"""

import contextlib
import gzip
import re
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from benchmarks import nginx
from benchmarks.lab import Lab
from benchmarks.load import Load, LoadRequest, Response, fetch
from benchmarks.processes import Program
from benchmarks.shows import add_show, open_new
from benchmarks.table import Result, Row, share_of_floor

EDGE_304 = Row(
    "edge-304", "nginx over public/, 304; floor: nginx, plain file", "req/s", share_of_floor(0.95)
)
EDGE_200 = Row(
    "edge-200", "nginx over public/, 200 gzip; floor: same", "req/s", share_of_floor(0.95)
)
ROWS = (EDGE_304, EDGE_200)

_PATH = "/small/feed.xml"
_GZIP = {"Accept-Encoding": "gzip"}
_PLACED_SECONDS = 60.0
_DOCUMENT = Path(__file__).parent.parent / "docs" / "operate.md"
_DOCUMENTED_ROOT = "root /var/lib/podhost/storage/public;"


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """Both rows, from one folder."""
    if nginx.find_program() is None:
        for row in ROWS:
            if row.name in wanted:
                yield Result(row, note="nginx is not installed here")
        return
    environment = {**lab.on_sqlite(), "PODHOST_STATIC_EDGE": "on"}
    instance = open_new(environment)
    add_show(instance, "small", episodes=100)
    instance.close()
    public = Path(environment["PODHOST_DATA"]) / "storage" / "public"
    with lab.podhost(environment, is_pinned=False) as server:
        _wait_for(public / "small" / "feed.xml.gz")
        request = LoadRequest(_PATH, 200, _GZIP)
        with _edge(lab, public, server.port) as edge:
            whole = fetch(edge.port, request)
            if whole.body != fetch(server.port, request).body or not whole.header("server"):
                raise RuntimeError("nginx does not answer with podhost's bytes from public/")
            with _plain(lab, whole) as floor:
                for row, status in ((EDGE_304, 304), (EDGE_200, 200)):
                    if row.name in wanted:
                        yield _compare(lab, row, status, edge, floor)


def _wait_for(file: Path) -> None:
    """The worker places it soon after the start."""
    deadline = time.monotonic() + _PLACED_SECONDS
    while not file.exists():
        if time.monotonic() >= deadline:
            raise RuntimeError("podhost's worker placed no feed under public/")
        time.sleep(0.05)


@contextlib.contextmanager
def _edge(lab: Lab, public: Path, port: int) -> Iterator[Program]:
    """nginx as the documentation sets it up."""
    text = _DOCUMENT.read_text(encoding="utf-8")
    blocks = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)
    found = next(block for block in blocks if _DOCUMENTED_ROOT in block)
    for documented, ours in {
        "listen 80;": nginx.LISTEN,
        _DOCUMENTED_ROOT: f"root {public};",
        "http://127.0.0.1:8000": f"http://127.0.0.1:{port}",
    }.items():
        if documented not in found:
            raise RuntimeError(f"{_DOCUMENT.name} no longer says {documented!r}")
        found = found.replace(documented, ours)
    with lab.nginx(found) as program:
        assert program is not None, "it was looked for"
        yield program


@contextlib.contextmanager
def _plain(lab: Lab, whole: Response) -> Iterator[Program]:
    """nginx with the same bytes as two plain files."""
    file = lab.new_folder("files") / "feed.xml"
    file.write_bytes(gzip.decompress(whole.body))
    file.with_name("feed.xml.gz").write_bytes(whole.body)
    with lab.nginx(nginx.one_server(nginx.file_location(_PATH, file, whole))) as program:
        assert program is not None, "it was looked for"
        yield program


def _compare(lab: Lab, row: Row, status: int, edge: Program, floor: Program) -> Result:
    programs = {"podhost": edge, "floor": floor}
    requests = {}
    for name, program in programs.items():
        answer = fetch(program.port, LoadRequest(_PATH, 200, _GZIP))
        validator = {"If-None-Match": answer.header("etag")} if status == 304 else {}
        requests[name] = LoadRequest(_PATH, status, {**_GZIP, **validator})
        lab.load(program, requests[name], seconds=0.3, own=True)

    def load(name: str) -> Load:
        return lab.load(programs[name], requests[name], seconds=1)

    measures = {"podhost": lambda: load("podhost"), "floor": lambda: load("floor")}
    return lab.compare(row, measures, rounds=lab.of(6, 2))
