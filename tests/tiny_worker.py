"""A small worker for tests of the server: it leaves its process id and a word at its end."""

import os
import signal
import sys
import threading
from pathlib import Path

from podhost.serving.processes import watch_parent


def main() -> None:
    data = Path(os.environ["PODHOST_DATA"])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    watch_parent(stop.set)
    with (data / "worker-started").open("a") as file:
        file.write(f"{os.getpid()} {os.environ['PODHOST_PORT']}\n")
    while not stop.wait(0.05):
        pass
    with (data / "worker-ended").open("a") as file:
        file.write(f"{os.getpid()}\n")
    sys.exit(0)


main()
