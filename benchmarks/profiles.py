"""Where the microseconds of a hot path go: `python -m benchmarks.profiles NAME`, after a change.

First the CPU time per request of `podhost serve` as it is, then the same under cProfile, function
by function: calls per request, and microseconds per request. cProfile makes small functions look
dearer than they are, so its numbers are for finding things, and the first one is for judging them.
Where `perf` may be used it adds what cProfile cannot see: kernel, libuv, interpreter.
"""

import argparse
import cProfile
import os
import pstats
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.load import LoadRequest, fetch
from benchmarks.processes import SETTINGS, Program, module
from benchmarks.shows import add_show, add_token, open_new
from podhost.config import read_settings
from podhost.serving.server import announce_ready, serve

_GZIP = {"Accept-Encoding": "gzip"}
_FILE_BYTES = 10_000_000
_SECONDS = 3.0
_LINES = 30
# Calls per request below which it belongs to the start.
_SELDOM = 0.3
_PERF_SAMPLES_PER_SECOND = 999


@dataclass(frozen=True, slots=True)
class Place:
    """A podhost to look into: its settings, a token, the newest episode's audio."""

    environment: Mapping[str, str]
    token: str
    audio_path: str


def _poll(_: Place, port: int) -> LoadRequest:
    """As most apps do: with the ETag of the newest feed."""
    path = "/small/feed.xml"
    etag = fetch(port, LoadRequest(path, 200, _GZIP)).header("etag")
    return LoadRequest(path, 304, {**_GZIP, "If-None-Match": etag})


def _list(place: Place, _: int) -> LoadRequest:
    path = "/api/v1/shows/small/episodes?limit=50"
    return LoadRequest(path, 200, {"Authorization": f"Bearer {place.token}"})


HOT_PATHS: dict[str, Callable[[Place, int], LoadRequest]] = {
    "feed-304": _poll,
    "feed-200": lambda place, port: LoadRequest("/small/feed.xml", 200, _GZIP),
    "redirect": lambda place, port: LoadRequest(place.audio_path, 302),
    "range": lambda place, port: LoadRequest(
        place.audio_path, 206, {"Range": "bytes=65536-131071"}
    ),
    "whole-file": lambda place, port: LoadRequest(place.audio_path, 200),
    "api-list": _list,
}


def prepare(lab: Lab, name: str) -> Place:
    """A podhost with a show of a hundred episodes; with S3 where the path needs it."""
    environment = lab.on_s3() if name == "redirect" else lab.on_sqlite()
    instance = open_new(environment)
    file = Path(environment["PODHOST_DATA"]) / "storage" / "audio" / "whole.mp3"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(os.urandom(_FILE_BYTES))
    token = add_token(instance)
    ids = add_show(
        instance, "small", episodes=100, audio_key="audio/whole.mp3", audio_bytes=_FILE_BYTES
    )
    instance.close()
    return Place(environment, token, f"/audio/{ids[0]}/1/low-water-0.mp3")


def main() -> None:
    """Print the profile of one hot path."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiles", description=__doc__)
    parser.add_argument("name", choices=sorted(HOT_PATHS), nargs="?", default="feed-304")
    parser.add_argument("--sort", default="tottime", choices=["tottime", "cumtime", "ncalls"])
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve_profiled(given.serve)
        return
    with Lab() as lab:
        place = prepare(lab, given.name)
        with lab.podhost(place.environment, "--no-worker") as server:
            request = HOT_PATHS[given.name](place, server.port)
            _warm_up(lab, server, request)
            load = lab.load(server, request, seconds=_SECONDS)
            shares = _perf_shares(lab, server, request)
        print(f"{given.name}: {load.cpu_us:.1f} µs of CPU time per request, unprofiled")
        for line in shares:
            print(line)
        _print_profile(lab, place, request, given.sort)


def _warm_up(lab: Lab, server: Program, request: LoadRequest) -> int:
    """How many requests that took."""
    fetch(server.port, request)
    return 1 + lab.load(server, request, seconds=0.5, own=True).requests


def _print_profile(lab: Lab, place: Place, request: LoadRequest, sort: str) -> None:
    folder = lab.new_folder("profile")
    output = folder / "profile"
    settings = {**SETTINGS, **place.environment}
    command = module("profiles", "--serve", str(output))
    with Program(command, folder=folder, environment=settings, cores=lab.server_cores) as server:
        server.wait_until_ready()
        count = _warm_up(lab, server, request)
        count += lab.load(server, request, seconds=_SECONDS).requests
    if not output.exists():
        raise SystemExit("the profile was not written: the server had to be killed")
    found = pstats.Stats(str(output)).sort_stats(sort)
    print(f"\nunder cProfile, {count:,} requests\n{'calls':>8} {'own µs':>8} {'all µs':>8}")
    lines = 0
    for function in found.fcn_list:  # type: ignore[attr-defined]
        _, calls, own, total, _ = found.stats[function]  # type: ignore[attr-defined]
        if lines < _LINES and calls >= _SELDOM * count:
            lines += 1
            name = re.sub(
                r"^.*/(site-packages|lib/python[\d.]+)/", "", pstats.func_std_string(function)
            )
            per_request = (calls / count, own / count * 1e6, total / count * 1e6)
            print("".join(f"{number:8.2f} " for number in per_request), name)


def serve_profiled(output: str) -> None:
    """`podhost serve` under cProfile from when it is ready until its end: the event loop, and
    every thread that is started later."""
    profiles: list[cProfile.Profile] = []

    def enable(*_: object) -> None:
        # CPU time and not time, or other programs would stand in the profile.
        profile = cProfile.Profile(time.thread_time)
        profiles.append(profile)
        profile.enable()

    def announce(url: str) -> None:
        announce_ready(url)
        threading.setprofile(enable)
        enable()

    serve(read_settings(os.environ, port=0), with_worker=False, announce=announce)
    pstats.Stats(*profiles).dump_stats(output)


def _perf_shares(lab: Lab, server: Program, request: LoadRequest) -> list[str]:
    """The share of each library and of the kernel, where perf is installed and may be used."""
    perf = shutil.which("perf")
    if perf is None:
        return []
    data = str(lab.new_folder("perf") / "perf.data")
    record = [perf, "record", "-q", "-F", str(_PERF_SAMPLES_PER_SECOND), "-o", data]
    recording = subprocess.Popen(
        [*record, "-p", str(server.pid), "--", "sleep", str(_SECONDS)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    lab.load(server, request, seconds=_SECONDS)
    if recording.wait() != 0:
        return []
    report = [perf, "report", "-q", "--stdio", "--sort", "dso", "-i", data]
    done = subprocess.run(report, capture_output=True, text=True, check=False)
    return ["perf: " + line.strip() for line in done.stdout.splitlines() if line.strip()][:8]


if __name__ == "__main__":
    main()
