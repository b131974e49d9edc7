"""Where one run takes place: its folder, its cores, how long it may take, and the real servers."""

import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import nginx
from benchmarks.load import Load, LoadRequest, Response, run_load
from benchmarks.machine import usable_cores
from benchmarks.processes import Program, module, podhost
from benchmarks.shows import BASE_URL
from benchmarks.table import Result, Row
from tests.servers import PostgresServer, S3Server, start_postgres, start_seaweedfs

CONNECTIONS = 32
WHOLE_PIECE_BYTES = 256 * 1024
# uvicorn and nginx write these themselves.
_THEIRS = ("date", "connection", "server")


class Lab:
    """One run. `is_quick`: the same rows, with fewer rounds and smaller files."""

    def __init__(self, *, is_quick: bool = False, use_wrk: bool = True) -> None:
        self.is_quick = is_quick
        self.use_wrk = use_wrk and shutil.which("wrk") is not None
        self._stack = contextlib.ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="podhost-benchmarks-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._names = 0
        self._s3: S3Server | None = None
        self._postgres: PostgresServer | None = None
        cores = usable_cores()
        # Server and load generator must not take turns on one core; with one there is no choice.
        self.server_cores = cores[:1] if len(cores) > 1 else None
        self.load_cores = cores[1:2] if len(cores) > 1 else None

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def load_generator(self) -> str:
        """Which program makes the load, for the table."""
        return "wrk" if self.use_wrk else "benchmarks/loader.py (no wrk)"

    def of(self, normal: Any, quick: Any) -> Any:
        """The first in a whole run, the second in a quick one."""
        return quick if self.is_quick else normal

    def say(self, text: str) -> None:
        """Progress, on standard error."""
        print(text, file=sys.stderr, flush=True)

    def new_folder(self, name: str) -> Path:
        """A folder that nobody has used."""
        self._names += 1
        folder = self.folder / f"{self._names:03d}-{name}"
        folder.mkdir()
        return folder

    def on_sqlite(self) -> dict[str, str]:
        """Settings of a new podhost on one machine: SQLite and a folder."""
        return {"PODHOST_DATA": str(self.new_folder("data")), "PODHOST_BASE_URL": BASE_URL}

    def on_postgres(self) -> dict[str, str]:
        """Settings of a new podhost for many machines: PostgreSQL and S3, both real."""
        return {**self.on_s3(), "PODHOST_DATABASE_URL": self.postgres().create_database()}

    def on_s3(self) -> dict[str, str]:
        """Settings of a new podhost with SQLite and S3. The credentials are put in our own
        environment too, because boto3 looks for them there."""
        s3 = self.s3()
        os.environ.update(s3.environment())
        storage = {"PODHOST_STORAGE": f"s3://{s3.create_bucket()}/podhost"}
        return {**self.on_sqlite(), **storage, **s3.environment()}

    def s3(self) -> S3Server:
        """The S3 server of this run, started when the first row needs it."""
        if self._s3 is None:
            self._s3 = start_seaweedfs(self.new_folder("seaweedfs"))
            self._stack.callback(self._s3.stop)
        return self._s3

    def postgres(self) -> PostgresServer:
        """The PostgreSQL of this run, started when the first row needs it."""
        if self._postgres is None:
            self._postgres = start_postgres()
            self._stack.callback(self._postgres.stop)
        return self._postgres

    # What is measured

    @contextlib.contextmanager
    def podhost(
        self, environment: Mapping[str, str], *arguments: str, is_pinned: bool = True
    ) -> Iterator[Program]:
        """`podhost serve`, ready and idle, on the server's core or on any."""
        cores = self.server_cores if is_pinned else None
        folder = self.new_folder("podhost")
        with podhost(folder, environment, *arguments, cores=cores) as program:
            program.wait_until_idle()
            yield program

    @contextlib.contextmanager
    def floor(
        self,
        response: Response | None,
        *,
        file: Path | None = None,
        start: int = 0,
        length: int = 0,
        is_pinned: bool = True,
    ) -> Iterator[Program]:
        """An application that answers what podhost answered, header by header, byte by byte.

        With `file`, the body is `length` bytes of it from `start`, read anew for each request.
        Without a response, it takes request bodies in and forgets them.
        """
        folder = self.new_folder("floor")
        # Whoever wants no file and has no response sends something.
        answer = {"kind": "receive", "status": 201, "headers": [("content-length", "0")]}
        answer |= {"start": start, "length": length}
        if response is not None:
            is_range = length <= WHOLE_PIECE_BYTES
            answer["kind"] = "bytes" if file is None else "range" if is_range else "whole"
            answer |= _head(response)
            (folder / "body").write_bytes(response.body if file is None else b"")
            answer["file"] = str(file or folder / "body")
        with self._floor(folder, answer, is_pinned=is_pinned) as program:
            yield program

    @contextlib.contextmanager
    def floor_of_pages(self, responses: Mapping[str, Response]) -> Iterator[Program]:
        """One application that answers what podhost answered at each of these paths."""
        folder = self.new_folder("floor")
        pages = {}
        for number, (path, response) in enumerate(responses.items()):
            file = folder / f"body-{number}"
            file.write_bytes(response.body)
            pages[path] = {"kind": "bytes", "file": str(file), **_head(response)}
        with self._floor(folder, {"kind": "pages", "pages": pages}) as program:
            yield program

    @contextlib.contextmanager
    def _floor(
        self, folder: Path, answer: dict[str, Any], *, is_pinned: bool = True
    ) -> Iterator[Program]:
        (folder / "answer.json").write_text(json.dumps(answer))
        command = module("floor", str(folder / "answer.json"))
        cores = self.server_cores if is_pinned else None
        with Program(command, folder=folder, cores=cores) as program:
            program.wait_until_ready()
            yield program

    @contextlib.contextmanager
    def worker(self, environment: Mapping[str, str]) -> Iterator[Program]:
        """`podhost worker`, which says nothing when it is ready, on any core."""
        command = [sys.executable, "-m", "podhost", "worker"]
        folder = self.new_folder("worker")
        with Program(command, folder=folder, environment=environment) as program:
            yield program

    @contextlib.contextmanager
    def nginx(self, servers: str) -> Iterator[Program | None]:
        """nginx with one worker on the server's core, and these servers; None: it is not here."""
        if nginx.find_program() is None:
            yield None
            return
        folder = self.new_folder("nginx")
        with nginx.start(folder, servers, cores=self.server_cores) as program:
            program.wait_until_ready()
            yield program

    def load(
        self,
        server: Program,
        request: LoadRequest,
        *,
        seconds: float,
        connections: int = CONNECTIONS,
        own: bool = False,
    ) -> Load:
        """Ask `server` for the same thing at full speed, and see what its CPU time was.

        `own`: by our own generator in any case, for what wrk cannot do.
        """
        return run_load(
            server,
            request,
            seconds=seconds,
            connections=connections,
            cores=self.load_cores,
            use_wrk=self.use_wrk and not own,
            folder=self.folder,
        )

    def compare(
        self, row: Row, measures: dict[str, Callable[[], Load]], *, rounds: int, scale: float = 1
    ) -> Result:
        """Measure podhost, floor and (if given) nginx in turn, `rounds` times.

        Each round gives a ratio of its own, so that what slows both down does no harm; the
        order turns round each time. `scale` makes the row's unit of requests per second.
        """
        loads: dict[str, list[Load]] = {name: [] for name in measures}
        for number in range(rounds):
            for name in list(measures)[:: -1 if number % 2 else 1]:
                # nginx is there to look at; it may cost half the time.
                if name != "nginx" or number % 2 == 0:
                    loads[name].append(measures[name]())
        rates = {
            name: [load.requests / load.seconds * scale for load in found]
            for name, found in loads.items()
        }
        ratios = [
            ours / floor for ours, floor in zip(rates["podhost"], rates["floor"], strict=True)
        ]
        middle = {name: statistics.median(found) for name, found in rates.items()}
        cpu = {name: statistics.median(load.cpu_us for load in loads[name]) for name in loads}
        return Result(
            row,
            podhost=middle["podhost"],
            floor=middle["floor"],
            nginx=middle.get("nginx"),
            ratio=statistics.median(ratios),
            ratios=ratios,
            cpu_us=cpu["podhost"],
            floor_cpu_us=cpu["floor"],
        )


def _head(response: Response) -> dict[str, Any]:
    """Status and headers of a response, without those that uvicorn writes itself."""
    headers = [pair for pair in response.headers if pair[0].lower() not in _THEIRS]
    return {"status": response.status, "headers": headers}
