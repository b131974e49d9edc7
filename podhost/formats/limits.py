"""Runs a function on a hostile file in a short-lived child process; it knows no file format.

A tag of 300 KB can unpack to 300 MB and a few thousand nested boxes can exhaust the stack, so
libraries that read files from strangers never run inside the server. The child has limits on
memory, processor time and file size, a low priority, and no credentials in its environment.
"""

import contextlib
import importlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from podhost.errors import Invalid, Unavailable

log = logging.getLogger(__name__)

# A picture or a converted file that the child writes; ffmpeg and Pillow never need more here.
WRITTEN_FILE_BYTES = 200_000_000
# Answers are values; pictures go through files. A larger answer is an attack on the parent.
ANSWER_BYTES = 16_000_000
# As nice(1) counts.
PRIORITY = 10
KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "PYTHONHOME")

DAMAGED = "This file could not be read: it seems to be damaged."
TOO_MUCH_MEMORY = (
    "This file could not be read: it unpacks to more than the memory allowed for one file. "
    "Export it again from your audio editor."
)
TOO_SLOW = (
    "This file could not be read in the time allowed for one file. "
    "Export it again from your audio editor."
)
CRASHED = (
    "This file could not be read: it makes the program that reads it crash. "
    "Export it again from your audio editor."
)


def run_limited(
    target: str,
    payload: dict[str, Any],
    *,
    memory_bytes: int = 400_000_000,
    cpu_seconds: int = 20,
    wall_seconds: float = 60,
) -> Any:
    """Call `target` ("package.module:function") with `payload` in a child and return its answer.

    The payload is plain JSON (paths as strings); the answer is whatever msgspec can write as
    JSON, and comes back as plain lists, dictionaries, strings and numbers: convert it with
    `msgspec.convert`. Bytes travel in files, in a folder that the payload names.

    Raises Invalid, with the sentence of the target when it raised Invalid itself, with one of
    this module's when it ran out of memory or time, crashed or raised anything else. Raises
    Unavailable when no process can be started.
    """
    request = {
        "target": target,
        "payload": payload,
        "memory_bytes": memory_bytes,
        "cpu_seconds": cpu_seconds,
        "wall_seconds": wall_seconds,
    }
    # The standard library's JSON, because a file name that is not UTF-8 is a string with lone
    # surrogates, which it escapes and reads back.
    question = json.dumps(request).encode()
    with _start(target) as child:
        try:
            answer, complaints = child.communicate(question, timeout=wall_seconds)
        except subprocess.TimeoutExpired:
            raise Invalid(TOO_SLOW) from None
        finally:
            child.kill()
    if complaints:
        log.debug("%s said: %s", target, complaints[-4000:].decode(errors="replace"))
    return _result(target, child.returncode, answer)


def _start(target: str) -> subprocess.Popen[bytes]:
    # stderr of libraries can be megabytes of complaints about one file: only kept for debugging.
    errors = subprocess.PIPE if log.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL
    try:
        # -P keeps the working directory, which may hold strangers' files, off the import path.
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", "podhost.formats.limits", target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
            # Not a session of its own, where many a Linux gives it an equal share of the cores,
            # however low its priority (sched(7), autogroup).
            process_group=0,
        )
    except OSError as error:
        raise Unavailable(
            f"The program that reads files could not be started ({error.strerror}). "
            "Please try again in a moment."
        ) from error


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return kept | {
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(paths),
        # Each thread of a numerical library reserves address space, and the child needs one.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # glibc reserves 64 MB of address space per thread otherwise.
        "MALLOC_ARENA_MAX": "1",
    }


def _result(target: str, returncode: int, answer: bytes) -> Any:
    if returncode == -signal.SIGXCPU or returncode == -signal.SIGALRM:
        raise Invalid(TOO_SLOW)
    if returncode != 0:
        log.warning("%s ended with status %d", target, returncode)
        raise Invalid(CRASHED)
    if len(answer) > ANSWER_BYTES:
        raise Invalid(TOO_MUCH_MEMORY)
    reply = msgspec.json.decode(answer)
    if "broken" in reply:
        raise RuntimeError(f"{target} cannot run: {reply['broken']}")
    if "unexpected" in reply:
        log.warning("%s raised %s", target, reply["unexpected"])
        raise Invalid(DAMAGED)
    if "invalid" in reply:
        raise Invalid(reply["invalid"], reply["fields"])
    return reply["result"]


def _limit(which: int, amount: int) -> None:
    """Lower one limit of this process, never above what it inherited."""
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        amount = min(amount, hard)
    # macOS refuses some of these; the wall clock still ends the child there.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (amount, amount))


def _limit_cpu(seconds: int) -> None:
    # Soft below hard: the first signal is SIGXCPU, which the parent can tell from a crash.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 2))


def _give_way() -> None:
    """Leave the cores to whoever answers polls. A tenth of one is left even beside a server that
    is never idle, so that a file of hours is looked at within the time that it has."""
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(mine, PRIORITY))


def _find(target: str) -> Callable[[dict[str, Any]], Any]:
    module, _, name = target.partition(":")
    found: Callable[[dict[str, Any]], Any] = getattr(importlib.import_module(module), name)
    return found


def _answer(target: str, payload: dict[str, Any]) -> dict[str, Any]:
    try:
        function = _find(target)
    except (ImportError, AttributeError) as error:
        return {"broken": str(error)}
    try:
        return {"result": function(payload)}
    except Invalid as error:
        return {"invalid": error.message, "fields": error.fields}
    except MemoryError:
        return {"invalid": TOO_MUCH_MEMORY, "fields": {}}
    except Exception as error:  # the file is at fault until shown otherwise
        traceback.print_exc(limit=20)
        return {"unexpected": f"{type(error).__name__}: {error}"[:500]}


def _encoded(reply: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(reply)
    except (MemoryError, TypeError, ValueError) as error:
        return msgspec.json.encode({"unexpected": f"{type(error).__name__} in the answer"})


def main() -> None:
    """The child: read one request from stdin, set the limits, answer on stdout, end."""
    _give_way()
    request = json.loads(sys.stdin.buffer.read())
    # A library that prints must not spoil the answer: its output joins stderr.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Should the parent die, nobody else would end a child that waits.
    signal.setitimer(signal.ITIMER_REAL, request["wall_seconds"] + 1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, WRITTEN_FILE_BYTES)
    _limit_cpu(request["cpu_seconds"])
    _limit(resource.RLIMIT_AS, request["memory_bytes"])
    reply = _answer(request["target"], request["payload"])
    answers.write(_encoded(reply))
    answers.flush()
    # Tearing down libraries under a memory limit may crash after a good answer.
    os._exit(0)


if __name__ == "__main__":
    main()
