"""Moving in a show of 1,000 episodes from a server on this machine, a minute of audio each.

`podhost import` runs as somebody gives it, alone. The floor copies the same bytes over HTTP to
disk, on eight connections, one file after the other on each. The server answers at four addresses
of this machine, because an import asks two files at once of each host, and eight in all. Memory is
the most that the command held and the children in which files from strangers are probed.
"""

import http.client
import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.processes import MemoryWatch, module
from benchmarks.table import NO_PROMISE, Result, Row, at_most
from tests.audio_files import lame
from tests.running import clean_environment

EPISODES = 1000
QUICK_EPISODES = 60
CONNECTIONS = 8
_HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
_AUDIO_SECONDS = 60
_PIECE_BYTES = 256 * 1024

TIME = Row("import-time", "importing 1,000 episodes; floor: copying the bytes", "s", NO_PROMISE)
MEMORY = Row("import-memory", "importing 1,000 episodes: memory", "MB", at_most(300, "MB"))
ROWS = (TIME, MEMORY)


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """Both rows, of one import."""
    folder = lab.new_folder("old-host")
    count = lab.of(EPISODES, QUICK_EPISODES)
    audio = lame(_AUDIO_SECONDS, kbits=128)
    (folder / "audio.mp3").write_bytes(audio)
    server = subprocess.Popen(module("importing", str(folder)), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        (folder / "feed.xml").write_text(_feed(port, count))
        floor_seconds = _copied(port, count, lab.new_folder("copies"))
        seconds, watch = _imported(lab, port)
    finally:
        server.kill()
        server.communicate()
    megabytes = count * len(audio) / 1e6
    results = (
        Result(
            TIME,
            podhost=seconds,
            floor=floor_seconds,
            ratio=seconds / floor_seconds,
            note=f"{count} episodes, {megabytes:,.0f} MB: {megabytes / seconds:,.0f} MB/s",
        ),
        Result(
            MEMORY,
            podhost=watch.growth_mb + watch.children_mb,
            note=f"children that probe had {watch.children_mb:.0f} MB of it",
        ),
    )
    yield from (result for result in results if result.row.name in wanted)


def _feed(port: int, count: int) -> str:
    items = "".join(
        f"<item><title>Number {number}</title><guid>g{number}</guid>"
        f"<pubDate>{1 + number % 28:02d} Mar {1980 + number // 28} 09:05:00 GMT</pubDate>"
        f'<enclosure url="http://{_HOSTS[number % len(_HOSTS)]}:{port}/{number}.mp3"'
        ' length="1" type="audio/mpeg"/></item>'
        for number in range(1, count + 1)
    )
    return f'<rss version="2.0"><channel><title>Large</title>{items}</channel></rss>'


def _copied(port: int, count: int, folder: Path) -> float:
    """How long eight connections take for the bytes alone, each file on disk at its end."""

    def copy(numbers: range) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in numbers:
            connection.request("GET", f"/{number}.mp3")
            response = connection.getresponse()
            with (folder / f"{number}.mp3").open("wb") as output:
                while piece := response.read(_PIECE_BYTES):
                    output.write(piece)
                output.flush()
                os.fsync(output.fileno())
        connection.close()

    began_at = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        shares = [range(first, count + 1, CONNECTIONS) for first in range(1, CONNECTIONS + 1)]
        list(pool.map(copy, shares))
    return time.monotonic() - began_at


def _imported(lab: Lab, port: int) -> tuple[float, MemoryWatch]:
    environment = lab.on_sqlite() | {"PODHOST_FETCH_ALLOWED": "127.0.0.0/8"}
    began_at = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "podhost", "import", f"http://127.0.0.1:{port}/feed.xml"],
        env={**clean_environment(), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        with MemoryWatch(process.pid) as watch:
            _, said = process.communicate()
        if process.returncode:
            raise RuntimeError(f"the import failed: {said}")
    return time.monotonic() - began_at, watch


class _Handler(http.server.BaseHTTPRequestHandler):
    """The feed, and the same audio under every other name."""

    protocol_version = "HTTP/1.1"
    folder = Path()

    def do_GET(self) -> None:
        is_feed = self.path == "/feed.xml"
        path = self.folder / ("feed.xml" if is_feed else "audio.mp3")
        with path.open("rb") as source:
            self.send_response(200)
            self.send_header("Content-Type", "application/rss+xml" if is_feed else "audio/mpeg")
            self.send_header("Content-Length", str(path.stat().st_size))
            self.send_header("ETag", '"one"')
            self.end_headers()
            self.wfile.flush()
            self.connection.sendfile(source)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def main() -> None:
    """Serve a folder at all addresses, on one port that is printed."""
    _Handler.folder = Path(sys.argv[1])
    first = http.server.ThreadingHTTPServer((_HOSTS[0], 0), _Handler)
    servers = [first] + [
        http.server.ThreadingHTTPServer((host, first.server_port), _Handler) for host in _HOSTS[1:]
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever).start()
    print(first.server_port, flush=True)


if __name__ == "__main__":
    main()
