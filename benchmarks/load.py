"""Asking for the same thing again and again: by wrk where it is installed, else by ourselves.

Both work on one core with a number of connections that are kept open, and count whole answers.
"""

import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import Program, module, pinned

USER_AGENT = "AntennaPod/3.5.0"


class LoadFailed(RuntimeError):
    """Answers were not what was asked for, or there were none."""


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What is asked for, and the status that every answer must have."""

    path: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)

    def all_headers(self, port: int) -> dict[str, str]:
        """Its headers with those that every app sends."""
        return {"Host": f"127.0.0.1:{port}", "User-Agent": USER_AGENT, **self.headers}

    def as_bytes(self, port: int) -> bytes:
        """The request as it goes over the wire."""
        lines = [f"{name}: {value}\r\n" for name, value in self.all_headers(port).items()]
        return f"GET {self.path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


@dataclass(frozen=True, slots=True)
class Load:
    """How many whole answers came in how many seconds, and what they cost the server."""

    requests: int
    seconds: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Response:
    """One whole answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The first header of that name, in any case; "" when there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


def fetch(port: int, request: LoadRequest) -> Response:
    """Ask once, and look at the answer. Raises LoadFailed when its status is another."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest("GET", request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.all_headers(port).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        found = Response(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()
    if found.status != request.status:
        raise LoadFailed(f"{request.path} answered {found.status} and not {request.status}")
    return found


def run_load(
    server: Program,
    request: LoadRequest,
    *,
    seconds: float,
    connections: int,
    cores: Iterable[int] | None,
    use_wrk: bool,
    folder: Path,
) -> Load:
    """Keep `connections` busy for `seconds`. Raises LoadFailed when answers were wrong."""
    before = server.cpu_seconds()
    with pinned(cores):
        if use_wrk:
            count, took = _by_wrk(server.port, request, seconds, connections)
        else:
            count, took = _by_ourselves(server.port, [request], seconds, connections, folder)
    spent = server.cpu_seconds() - before
    if not count:
        raise LoadFailed(f"{request.path}: no answer came")
    return Load(count, took, spent / count * 1e6)


def run_random_load(
    port: int, requests: list[LoadRequest], *, seconds: float, connections: int, folder: Path
) -> tuple[int, float]:
    """Ask for all of them in random order; how many answers came, in how many seconds."""
    return _by_ourselves(port, requests, seconds, connections, folder)


def _by_wrk(port: int, request: LoadRequest, seconds: float, connections: int) -> tuple[int, float]:
    program = shutil.which("wrk")
    assert program is not None, "the caller looked"
    # wrk knows whole seconds only.
    command = [program, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    for name, value in request.all_headers(port).items():
        command += ["-H", f"{name}: {value}"]
    command.append(f"http://127.0.0.1:{port}{request.path}")
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    errors = re.search(r"Socket errors:.*|Non-2xx or 3xx responses: \d+", output)
    if errors:
        raise LoadFailed(f"{request.path}: {errors[0]}")
    found = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m),", output)
    assert found is not None, output
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0}[found[3]]
    return int(found[1]), float(found[2]) * unit


def _by_ourselves(
    port: int, requests: list[LoadRequest], seconds: float, connections: int, folder: Path
) -> tuple[int, float]:
    plan = {
        "port": port,
        "connections": connections,
        "seconds": seconds,
        "status": requests[0].status,
        "requests": [request.as_bytes(port).decode() for request in requests],
    }
    handle, name = tempfile.mkstemp(suffix=".json", dir=folder)
    with os.fdopen(handle, "w") as file:
        json.dump(plan, file)
    done = subprocess.run(module("loader", name), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LoadFailed(done.stderr.strip().splitlines()[-1] if done.stderr else "no answer")
    told = json.loads(done.stdout)
    return told["requests"], told["seconds"]
