"""Child processes that are kept running and never outlive their parent; knows nothing of HTTP.

A child's standard input is a pipe that its parent holds open. When the parent ends, however
it ends, the pipe closes, and `watch_parent` in the child hears of it: a parent that was killed
leaves no orphans behind.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from podhost.config import PREFIX, SETTINGS, Settings

logger = logging.getLogger(__name__)

WORKER_COMMAND = (sys.executable, "-m", "podhost", "worker", "--while-parent-lives")
# A child that ran at least this long was healthy, and its next death starts from the first step.
_HEALTHY_SECONDS = 60.0
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0


def watch_parent(on_end: Callable[[], None]) -> None:
    """In a child: call `on_end`, from another thread, when the parent has ended."""

    def wait() -> None:
        # os.read and not sys.stdin: a thread that sleeps in a buffered read holds its lock, and
        # the interpreter aborts when it finds the lock taken at its own end.
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        on_end()

    threading.Thread(target=wait, name="watch-parent", daemon=True).start()


def child_environment(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with every setting as it is in use here, so that flags reach the children.

    Settings that were given as NAME_FILE are handed on by value.
    """
    result = dict(environment)
    for setting in SETTINGS:
        value = getattr(settings, setting.name)
        result.pop(setting.variable + "_FILE", None)
        result[setting.variable] = _as_text(value)
    assert all(name.startswith(PREFIX) for name in result.keys() - environment.keys())
    return result


def _as_text(value: object) -> str:
    """A setting's value as its variable would give it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return " ".join(value) if isinstance(value, tuple) else str(value)


def start_worker_process(
    environment: Mapping[str, str], *, command: Sequence[str] = WORKER_COMMAND
) -> "KeptProcess":
    """The worker beside a server, as a process of its own and kept running.

    It is a process and no thread, because rendering a long feed would hold the interpreter's
    lock and so make every poll wait.
    """
    worker = KeptProcess("worker", command, environment=environment)
    worker.start()
    return worker


class KeptProcess:
    """One child process: started, started again after a pause when it dies, and stopped.

    `on_death` is called with the process id of each child that ended, from the thread that
    watches it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        pass_fds: Sequence[int] = (),
        on_death: Callable[[int], None] | None = None,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._pass_fds = tuple(pass_fds)
        self._on_death = on_death
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"keep-{name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process id of the child that runs now; None between two of them."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def is_running(self) -> bool:
        """False once the child has ended and no other will be started."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the child and the thread that watches it."""
        self._thread.start()

    def request_stop(self, signal_number: int = signal.SIGTERM) -> None:
        """Ask the child to end and do not start another."""
        self._stopping.set()
        process = self._process
        if process is not None:
            process.send_signal(signal_number)

    def join(self, timeout_seconds: float) -> None:
        """Wait for the child to end; one that has not ended by then is killed."""
        self._thread.join(max(timeout_seconds, 0))
        if self._thread.is_alive():
            logger.warning("The %s did not end in time and was killed.", self.name)
            self.request_stop(signal.SIGKILL)
            self._thread.join(5)

    def _keep(self) -> None:
        backoff_seconds = _FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            started_at = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - started_at >= _HEALTHY_SECONDS:
                backoff_seconds = _FIRST_BACKOFF_SECONDS
            logger.error(
                "The %s ended (%s); it is started again in %.1f s.",
                self.name,
                f"signal {-code}" if code < 0 else f"exit {code}",
                backoff_seconds,
            )
            self._stopping.wait(backoff_seconds)
            backoff_seconds = min(backoff_seconds * 2, _LONGEST_BACKOFF_SECONDS)

    def _run_once(self) -> int:
        # A process group of its own: Ctrl-C at the terminal reaches the parent only, which then
        # stops the children in its own order.
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            self._command,
            stdin=subprocess.PIPE,
            env=self._environment,
            pass_fds=self._pass_fds,
            process_group=0,
        )
        self._process = process
        if self._stopping.is_set():
            # Asked to stop between the check in the loop and here.
            process.terminate()
        code = process.wait()
        assert process.stdin is not None
        process.stdin.close()
        if self._on_death is not None:
            self._on_death(process.pid)
        return code
