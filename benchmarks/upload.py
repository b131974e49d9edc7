"""A file of 500 MB through the API, streamed from disk as a form, to a folder and to S3.

Memory is the most that the server and its worker held beyond what they held before; the children
in which files from strangers are probed are named in the note. Throughput is measured against a
plain copy of the same bytes to the same store in the same run: a copy with fsync for the folder,
boto3's own upload_file for S3. podhost besides takes the bytes out of HTTP, hashes them and walks
through every frame before it stores anything. A pass is one reading of all bytes from a file,
from /proc/PID/io, where what came from the network is taken off. For the polls, eight apps ask
for a feed, before the upload and while it arrives at 1 Gbit/s. At a set pace they leave room for
it, and the rate falls only if polls have to wait. Without a pause they take all that the machine
has, so that the rate must fall by what the upload needs; the note says how far it falls with the
smallest application that takes in the same bytes and forgets them.
"""

import contextlib
import http.client
import io
import math
import os
import shutil
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.lab import Lab
from benchmarks.load import LoadRequest, fetch
from benchmarks.poller import Poller
from benchmarks.processes import MemoryWatch, Program, file_bytes, pinned
from benchmarks.shows import add_show, add_token, open_new
from benchmarks.table import NO_PROMISE, Result, Row, at_most, share_of_floor
from tests.audio_files import lame

FILE_BYTES = 500_000_000
QUICK_FILE_BYTES = 100_000_000
APPS = 8
_BOUNDARY = "podhost-benchmarks"
_PIECE_BYTES = 256 * 1024
_BEFORE_SECONDS = 2.0
_PACE_SECONDS = 0.001
# A gigabit a second, in bytes.
_NETWORK_PER_SECOND = 125_000_000


@dataclass(frozen=True, slots=True)
class Rows:
    """What is measured for one kind of storage."""

    memory: Row
    passes: Row
    speed: Row
    paced: Row
    polls: Row

    def all(self) -> tuple[Row, ...]:
        """In the order of the table."""
        return self.memory, self.passes, self.speed, self.paced, self.polls


def _rows(store: str) -> Rows:
    what = f"upload of 500 MB to {'a folder' if store == 'folder' else 'S3'}"
    return Rows(
        Row(f"upload-{store}-memory", f"{what}: added memory", "MB", at_most(64, "MB")),
        # Once to look at every frame; S3 needs one more to send them.
        Row(
            f"upload-{store}-passes",
            f"{what}: times read from disk",
            "×",
            at_most(1.1 if store == "folder" else 2.1, "×"),
        ),
        Row(f"upload-{store}-speed", f"{what}; floor: plain copy", "MB/s", NO_PROMISE),
        Row(
            f"upload-{store}-paced",
            f"polls at a set pace during {what}, 1 Gbit/s; floor: before",
            "req/s",
            share_of_floor(0.9),
        ),
        Row(
            f"upload-{store}-polls",
            f"polls without a pause during {what}, 1 Gbit/s; floor: before",
            "req/s",
            share_of_floor(0.9),
        ),
    )


FOLDER, S3 = _rows("folder"), _rows("s3")
ROWS = (*FOLDER.all(), *S3.all())


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """The rows of both kinds of storage that are wanted."""
    file: Path | None = None
    for rows in (FOLDER, S3):
        ours = [row for row in rows.all() if row.name in wanted]
        if ours:
            file = file or _make_file(lab)
            environment = lab.on_sqlite() if rows is FOLDER else lab.on_s3()
            found = _measure_store(lab, rows, environment, file)
            yield from (found[row.name] for row in ours)


def _make_file(lab: Lab) -> Path:
    """A real MP3: frames of one minute, again and again."""
    minute = lame(60, kbits=128)
    file = lab.new_folder("upload") / "long.mp3"
    size_bytes = lab.of(FILE_BYTES, QUICK_FILE_BYTES)
    with file.open("wb") as output:
        for _ in range(size_bytes // len(minute)):
            output.write(minute)
    return file


def _measure_store(
    lab: Lab, rows: Rows, environment: Mapping[str, str], file: Path
) -> dict[str, Result]:
    instance = open_new(environment)
    token = add_token(instance)
    add_show(instance, "small", episodes=100)
    instance.close()
    size_bytes = file.stat().st_size
    with lab.podhost(environment, is_pinned=False) as server:
        sender = Sender(lab, server.port, token)
        # Libraries that the first upload loads, and threads that it starts, are not its memory.
        for _ in range(2):
            sender.send(io.BytesIO(lame(10)), "warm-up.mp3")
        quiet = [
            _quiet_upload(rows, environment, server, sender, file) for _ in range(lab.of(2, 1))
        ]
        paced, polls = (
            _polls_meanwhile(
                lab, row, server, lambda: sender.send_file(file, _NETWORK_PER_SECOND), pause
            )
            for row, pause in ((rows.paced, _PACE_SECONDS), (rows.polls, 0))
        )
    polls.note += "; " + _floor_sentence(lab, file)
    copied = statistics.median(found.copy_seconds for found in quiet)
    ratios = [found.copy_seconds / found.seconds for found in quiet]
    megabytes = size_bytes / 1e6
    memory = max(quiet, key=lambda found: found.added_mb)
    results = (
        Result(
            rows.memory,
            podhost=memory.added_mb,
            note=f"children that probe had {memory.children_mb:.0f} MB more, for a while",
        ),
        Result(
            rows.passes,
            podhost=max(found.times_read for found in quiet),
            note=f"written {max(found.times_written for found in quiet):.2f} times",
        ),
        Result(
            rows.speed,
            podhost=megabytes / statistics.median(found.seconds for found in quiet),
            floor=megabytes / copied,
            ratio=statistics.median(ratios),
            ratios=ratios,
            note=f"{megabytes:.0f} MB; {quiet[0].cpu_seconds:.2f} s of podhost's CPU time",
        ),
        paced,
        polls,
    )
    return {result.row.name: result for result in results}


@dataclass(frozen=True, slots=True)
class Upload:
    """What one upload took while nothing else was asked of the server."""

    seconds: float
    copy_seconds: float
    cpu_seconds: float
    added_mb: float
    children_mb: float
    times_read: float
    times_written: float


def _quiet_upload(
    rows: Rows, environment: Mapping[str, str], server: Program, sender: "Sender", file: Path
) -> Upload:
    size_bytes = file.stat().st_size
    copy_seconds = _plain_copy(rows, environment, file)
    before = _all_file_bytes(server)
    cpu_before = server.cpu_seconds()
    with MemoryWatch(server.pid) as memory:
        seconds = sender.send_file(file)
    after = _all_file_bytes(server)
    read, written = (
        sum(counts[which] - before.get(pid, (0, 0))[which] for pid, counts in after.items())
        for which in (0, 1)
    )
    return Upload(
        seconds=seconds,
        copy_seconds=copy_seconds,
        cpu_seconds=server.cpu_seconds() - cpu_before,
        added_mb=memory.growth_mb,
        children_mb=memory.children_mb,
        # libuv takes what comes from the network with read(), too.
        times_read=read / size_bytes - 1,
        times_written=written / size_bytes,
    )


def _all_file_bytes(server: Program) -> dict[int, tuple[int, int]]:
    """By process; those that end meanwhile are counted by the one that started them."""
    found = {}
    for pid in server.pids:
        with contextlib.suppress(OSError):
            found[pid] = file_bytes(pid)
    return found


def _plain_copy(rows: Rows, environment: Mapping[str, str], file: Path) -> float:
    """The same bytes to the same store by the shortest way; seconds."""
    began_at = time.perf_counter()
    if rows is FOLDER:
        target = Path(environment["PODHOST_DATA"]) / "storage" / "plain-copy"
        with file.open("rb") as source, target.open("wb") as output:
            shutil.copyfileobj(source, output, 1 << 20)
            output.flush()
            os.fsync(output.fileno())
        seconds = time.perf_counter() - began_at
        target.unlink()
        return seconds
    client = _s3_client(environment)
    bucket = environment["PODHOST_STORAGE"].split("/")[2]
    with contextlib.closing(client):
        began_at = time.perf_counter()
        client.upload_file(str(file), bucket, "plain-copy")
        seconds = time.perf_counter() - began_at
        client.delete_object(Bucket=bucket, Key="plain-copy")
    return seconds


def _s3_client(environment: Mapping[str, str]) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


# Polls meanwhile


def _polls_meanwhile(
    lab: Lab, row: Row, server: Program, upload: Callable[[], object], pause_seconds: float
) -> Result:
    """The rate of polls before and during `upload()`."""
    path = "/small/feed.xml"
    # An ETag would be an old one as soon as the upload is in the feed.
    request = LoadRequest(path, 304, {"Accept-Encoding": "gzip", "If-None-Match": "*"})
    fetch(server.port, request)
    before, meanwhile, slowest_ms = _rates(lab, server, request, upload, pause_seconds)
    return Result(
        row,
        podhost=meanwhile,
        floor=before,
        ratio=meanwhile / before,
        note=f"the slowest poll meanwhile took {slowest_ms:.0f} ms",
    )


def _rates(
    lab: Lab,
    server: Program,
    request: LoadRequest,
    upload: Callable[[], object],
    pause_seconds: float,
) -> tuple[float, float, float]:
    with Poller(lab, server.port, [request] * APPS, pause_seconds=pause_seconds) as poller:
        began_at = time.monotonic()
        time.sleep(_BEFORE_SECONDS)
        upload_at = time.monotonic()
        upload()
        ended_at = time.monotonic()
    before = len(poller.polls.within(began_at, upload_at)) / (upload_at - began_at)
    beside = poller.polls.within(upload_at, ended_at)
    return before, len(beside) / (ended_at - upload_at), max(beside)


def _floor_sentence(lab: Lab, file: Path) -> str:
    with lab.floor(None, is_pinned=False) as floor:
        sender = Sender(lab, floor.port, "")
        request = LoadRequest("/", 201)
        before, meanwhile, _ = _rates(
            lab, floor, request, lambda: sender.send_file(file, _NETWORK_PER_SECOND), 0
        )
    return f"with an application that only takes the bytes in: {meanwhile / before:.2f}"


class Sender:
    """Sends files as curl -F does: a form, streamed, with its length known."""

    def __init__(self, lab: Lab, port: int, token: str) -> None:
        self._cores = lab.load_cores
        self._port = port
        self._token = token
        self._number = 0

    def send_file(self, path: Path, per_second: float = math.inf) -> float:
        """Upload and publish, at most so many bytes per second; seconds until the answer."""
        with path.open("rb") as file:
            return self.send(file, path.name, per_second)

    def send(self, file: BinaryIO, name: str, per_second: float = math.inf) -> float:
        """Upload and publish an open file; seconds until the answer."""
        head, tail = self._frame(name)
        size_bytes = file.seek(0, io.SEEK_END)
        file.seek(0)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        began_at = time.perf_counter()
        with pinned(self._cores), contextlib.closing(connection):
            connection.putrequest("POST", "/api/v1/shows/small/episodes")
            connection.putheader("Authorization", f"Bearer {self._token}")
            connection.putheader("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}")
            connection.putheader("Content-Length", str(len(head) + size_bytes + len(tail)))
            connection.endheaders(head)
            while piece := file.read(_PIECE_BYTES):
                connection.send(piece)
                ahead = file.tell() / per_second - (time.perf_counter() - began_at)
                if ahead > 0:
                    time.sleep(ahead)
            connection.send(tail)
            answer = connection.getresponse()
            body = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"the upload was answered {answer.status}: {body[:300]!r}")
        return time.perf_counter() - began_at

    def _frame(self, name: str) -> tuple[bytes, bytes]:
        """What stands before the file in a form, and what stands after it."""
        self._number += 1
        head = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\n'
            f"Long one {self._number}\r\n"
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="publish"\r\n\r\ntrue\r\n'
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="audio"; filename="{name}"\r\n'
            "Content-Type: audio/mpeg\r\n\r\n"
        ).encode()
        return head, f"\r\n--{_BOUNDARY}--\r\n".encode()
