"""Programs that are measured: started on a core of their own, watched through /proc, ended.

Linux only: CPU time, memory and bytes read come from /proc.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.running import clean_environment

_READY = re.compile(r"ready at http://[^/\s]+:(\d+)")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# CPUCLOCK_SCHED of Linux: time on a core, of all threads and of those that have ended.
_CPU_CLOCK = 2
_START_SECONDS = 120.0
# Rate limits are looked at as always, but nothing here may reach them.
SETTINGS = {"PODHOST_SHUTDOWN_SECONDS": "1", "PODHOST_API_REQUESTS_PER_MINUTE": "10000000"}
_STOP_SECONDS = 10.0
_SETTLE_SECONDS = 30.0
# On a busy machine, a program that has work may get no turn for a while.
_QUIET_LOOKS = 4


class ProgramFailed(RuntimeError):
    """A program did not start, or ended too early; the message has the end of what it said."""


class Program:
    """A process with its output in files; `port` is where it answers once it is ready."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        cores: Iterable[int] | None = None,
        port: int | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or 0
        folder.mkdir(parents=True, exist_ok=True)
        self._output = folder / "stdout"
        self._log = folder / "stderr"
        with self._output.open("wb") as output, self._log.open("wb") as log, pinned(cores):
            self.started_at = time.monotonic()
            self._process = subprocess.Popen(
                [*_dies_with_us(), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env={**clean_environment(), **(environment or {})},
                cwd=Path(__file__).parent.parent,
            )
        self.pid = self._process.pid

    def wait_until_ready(self) -> None:
        """Until it says where it answers or, where we chose the port, until something does."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._is_ready():
                return
            if self._process.poll() is not None:
                raise ProgramFailed(f"it ended while starting: {self.said}")
            time.sleep(0.005)
        raise ProgramFailed(f"it was not ready in time: {self.said}")

    def wait_until_idle(self) -> None:
        """Until what it does by itself after the start, such as loading modules, is over."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        # It begins a second after the start.
        time.sleep(1.2)
        quiet = 0
        while time.monotonic() < deadline and quiet < _QUIET_LOOKS:
            before = self.cpu_seconds()
            time.sleep(0.4)
            quiet = quiet + 1 if self.cpu_seconds() - before < 0.03 else 0

    def wait_for_output(self, text: str) -> None:
        """Until it has printed this."""
        deadline = time.monotonic() + _START_SECONDS
        while text not in self.output:
            if self._process.poll() is not None or time.monotonic() >= deadline:
                raise ProgramFailed(f"it did not say {text!r}: {self.said}")
            time.sleep(0.005)

    def _is_ready(self) -> bool:
        if self.port:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        found = _READY.search(self._output.read_text(errors="replace"))
        if found:
            self.port = int(found[1])
        return found is not None

    @property
    def output(self) -> str:
        """All that it printed."""
        return self._output.read_text(errors="replace")

    @property
    def said(self) -> str:
        """The end of its log, for a message."""
        return (self.output[-500:] + self._log.read_text(errors="replace")[-1500:]).strip()

    @property
    def pids(self) -> list[int]:
        """Itself and its children, grandchildren and so on."""
        return family(self.pid)

    def cpu_seconds(self) -> float:
        """CPU time so far, of the whole family."""
        return sum(cpu_seconds(pid) for pid in self.pids)

    def wait(self) -> int:
        """Wait for its own end."""
        return self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and kill it when it does not listen."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                # A second signal means at once, and takes its children along.
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(signal.SIGTERM)
                time.sleep(1)
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextlib.contextmanager
def podhost(
    folder: Path,
    environment: Mapping[str, str],
    *arguments: str,
    cores: Iterable[int] | None = None,
) -> Iterator[Program]:
    """`podhost serve` as an operator starts it, on a free port, ready."""
    command = [sys.executable, "-m", "podhost", "serve", "--port", "0", *arguments]
    given = {**SETTINGS, **environment}
    with Program(command, folder=folder, environment=given, cores=cores) as program:
        program.wait_until_ready()
        yield program


def module(name: str, *arguments: str) -> list[str]:
    """The command for a program of ours."""
    return [sys.executable, "-m", f"benchmarks.{name}", *arguments]


def free_port() -> int:
    """A port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def pinned(cores: Iterable[int] | None) -> Iterator[None]:
    """Processes that are started inside may run on these cores only; all of ours with None."""
    before = os.sched_getaffinity(0)
    if cores is not None:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _dies_with_us() -> list[str]:
    # Linux ends the program when we are killed before we could do it ourselves.
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


# /proc


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far, with children that ended; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / _TICKS_PER_SECOND


def fine_cpu_seconds(pid: int) -> float:
    """The same to the microsecond, without children: for a single request. Raises OSError when the
    process is gone."""
    # What clock_getcpuclockid(3) answers: the clock of a process, which Linux names by its id.
    return time.clock_gettime((~pid << 3) | _CPU_CLOCK)


def memory_mb(pid: int) -> float:
    """Resident memory in MB (1,000,000 bytes); 0 when the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6
    except OSError:
        return 0.0


def file_bytes(pid: int) -> tuple[int, int]:
    """Bytes that went through read() and write() so far, with those of children that ended.

    Sockets count only where a program uses read() and write() on them, as libuv does.
    """
    found = dict(
        line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines() if line
    )
    return int(found["rchar"]), int(found["wchar"])


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = path.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


class MemoryWatch:
    """The most resident memory that processes had while the block ran, looked at all the time.

    Those that are there at the start count for `growth_mb`; those that they start later, for
    `children_mb`.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._members = family(pid)
        self._before_mb = self._now(self._members)
        self.growth_mb = 0.0
        self.children_mb = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)

    def _now(self, pids: Iterable[int]) -> float:
        return sum(memory_mb(pid) for pid in pids)

    def _look(self) -> None:
        self.growth_mb = max(self.growth_mb, self._now(self._members) - self._before_mb)
        children = set(family(self._pid)) - set(self._members)
        self.children_mb = max(self.children_mb, self._now(children))

    def _look_again(self) -> None:
        while not self._done.wait(0.03):
            self._look()

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._look()
