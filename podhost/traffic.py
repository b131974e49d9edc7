"""What this process has served, in numbers, and how the processes of one server add theirs up.

Each process writes its numbers to a file of its own in the server's run folder every few seconds;
whoever is asked for metrics reads them all. Counting a request touches memory only.
"""

import contextlib
import fcntl
import json
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

logger = logging.getLogger(__name__)

SAVE_SECONDS = 2.0
_PREFIX = "server-"
_LOCK = "lock"

# (surface, status) -> (answers, body bytes)
Answers = Mapping[tuple[str, int], tuple[int, int]]


@dataclass(slots=True)
class Numbers:
    """Sums and states, of one process or of all of a server.

    `sums` only rise. `states` say how things are now, and are left out for processes that ended.
    """

    answers: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    sums: dict[str, int] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    memory_bytes: dict[int, int] = field(default_factory=dict)

    def add(self, other: "Numbers") -> None:
        """Add the numbers of another process."""
        self.add_answers(other.answers)
        for name, value in other.sums.items():
            self.sums[name] = self.sums.get(name, 0) + value
        for name, value in other.states.items():
            self.states[name] = self.states.get(name, 0) + value
        self.memory_bytes.update(other.memory_bytes)

    def add_answers(self, answers: Answers) -> None:
        """Add answers that were counted elsewhere."""
        for key, (count, sent_bytes) in answers.items():
            old_count, old_bytes = self.answers.get(key, (0, 0))
            self.answers[key] = (old_count + count, old_bytes + sent_bytes)


class Traffic:
    """The numbers of this process, and the way to those of its siblings.

    `sources` are asked for more whenever the numbers are read, from any thread: each adds its
    own to what it is given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.sources: list[Callable[[Numbers], None]] = []
        self._folder = folder
        self._pid = os.getpid()
        self._answers: dict[tuple[str, int], tuple[int, int]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, surface: str, status: int, sent_bytes: int) -> None:
        """Note one answer. Called by the event loop's thread only, so it needs no lock."""
        count, total_bytes = self._answers.get((surface, status), (0, 0))
        self._answers[surface, status] = (count + 1, total_bytes + sent_bytes)

    def start(self) -> None:
        """Let the siblings see our numbers from now on."""
        if self._folder is not None:
            self._thread = threading.Thread(target=self._keep_saving, name="traffic", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Leave the last numbers behind for the siblings."""
        if self._thread is not None:
            self._stopping.set()
            self._thread.join()
            self._thread = None
            self._save()

    def own(self) -> Numbers:
        """The numbers of this process."""
        numbers = Numbers(memory_bytes={self._pid: _resident_bytes()})
        # A copy in one step, because the event loop may be adding to it.
        numbers.add_answers(self._answers.copy())
        for source in self.sources:
            source(numbers)
        return numbers

    def all(self) -> Numbers:
        """The numbers of this process and its siblings, which may be `SAVE_SECONDS` old."""
        numbers = self.own()
        if self._folder is not None:
            for path in self._folder.glob("[0-9]*.json"):
                if path.stem != str(self._pid):
                    with contextlib.suppress(OSError, ValueError):
                        numbers.add(_read(path))
        return numbers

    def _keep_saving(self) -> None:
        while not self._stopping.wait(SAVE_SECONDS):
            self._save()

    def _save(self) -> None:
        assert self._folder is not None
        try:
            _write(self._folder / f"{self._pid}.json", self.own())
        except OSError as error:
            # Metrics that are a little old must not be a reason to stop serving.
            logger.debug("The metrics could not be written: %s", error)


def mark_dead(folder: Path, pid: int) -> None:
    """A process of this server has ended: keep its sums, forget its states.

    What it counted stays in its file, or sums would fall. Called by the server's parent.
    """
    path = folder / f"{pid}.json"
    with contextlib.suppress(OSError, ValueError):
        numbers = _read(path)
        numbers.states, numbers.memory_bytes = {}, {}
        # Another name, because the system may give the number to a new process.
        _write(folder / f"{pid}-ended-{os.urandom(4).hex()}.json", numbers)
        path.unlink()


@contextlib.contextmanager
def new_run_folder(parent: Path) -> Iterator[Path]:
    """A folder in which the processes of one server meet; gone when the server ends.

    It is locked, so that folders of servers that were killed can be told and removed. The lock
    also works between containers that share the data folder, where process ids do not.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        # One server at a time looks for abandoned folders or makes its own, which is not locked
        # from its first moment.
        with _locked(parent / _LOCK):
            _remove_abandoned(parent)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.enter_context(_locked(folder / _LOCK))
        yield folder


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(_PREFIX + "*"):
        with contextlib.suppress(OSError), _locked(folder / _LOCK, wait=False):
            shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, numbers: Numbers) -> None:
    rows = [[*key, *value] for key, value in numbers.answers.items()]
    content = {
        "answers": rows,
        "sums": numbers.sums,
        "states": numbers.states,
        "memory_bytes": numbers.memory_bytes,
    }
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content), encoding="utf-8")
    new.replace(path)


def _read(path: Path) -> Numbers:
    content = json.loads(path.read_text(encoding="utf-8"))
    return Numbers(
        answers={(row[0], row[1]): (row[2], row[3]) for row in content["answers"]},
        sums=content["sums"],
        states=content["states"],
        memory_bytes={int(pid): size for pid, size in content["memory_bytes"].items()},
    )


def _resident_bytes() -> int:
    """The memory of this process, in bytes; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0
