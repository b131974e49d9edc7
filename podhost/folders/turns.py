"""One podhost at a time publishes a folder; it reads and changes nothing that a host put there."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# How the names of texts begin and end that are being written.
UNFINISHED = (".podhost-", ".tmp")


@contextmanager
def folder_turn(folder: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Wait until no other process publishes the folder, and keep others waiting inside the block.

    Two that publish the same new files at once would both write a guid into them, and make two
    episodes of one. `on_wait` is called when it has to wait. The kernel ends the turn of a killed
    process. Where the file system knows no locks, nobody waits.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        # What is wrong with the folder is told by who reads it.
        yield
        return
    try:
        if _lock(descriptor, on_wait):
            _remove_unfinished(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, on_wait: Callable[[], None]) -> bool:
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def _remove_unfinished(descriptor: int) -> None:
    """What a killed process left while it wrote: now that it is our turn, nobody is writing."""
    begin, end = UNFINISHED
    for name in os.listdir(descriptor):
        if name.startswith(begin) and name.endswith(end):
            with suppress(OSError):
                os.unlink(name, dir_fd=descriptor)
