"""A podhost that really runs, as a process of its own, for tests that are its users."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import httpx

READY = "podhost is ready at "


class Running:
    """`podhost serve` or `podhost demo` on a free port; what it prints is kept."""

    def __init__(
        self, arguments: list[str], environment: Mapping[str, str], cwd: Path | None = None
    ) -> None:
        self.lines: list[str] = []
        self.log: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "podhost", *arguments],
            env={**clean_environment(), **environment},
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._ready = threading.Event()
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.log)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: object, lines: list[str]) -> None:
        for line in stream:  # type: ignore[attr-defined]
            lines.append(line.rstrip("\n"))
            if line.startswith(READY):
                self._ready.set()
        self._ready.set()

    def wait_until_ready(self, timeout_seconds: float = 100) -> str:
        """Its URL, once it answers."""
        assert self._ready.wait(timeout_seconds), "it did not get ready"
        urls = [line.removeprefix(READY) for line in self.lines if line.startswith(READY)]
        assert urls, "it ended: " + "\n".join(self.log[-20:])
        return urls[0]

    def client(self) -> httpx.Client:
        """An HTTP client whose paths are below its URL."""
        return httpx.Client(base_url=self.wait_until_ready(), timeout=30)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        for reader in self._readers:
            reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.stop()


def clean_environment() -> dict[str, str]:
    """Ours, without any setting of podhost or credentials of S3."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PODHOST_", "AWS_"))
    }


def run_command(
    *arguments: str, environment: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "podhost", *arguments],
        env={**clean_environment(), **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )
