"""Starts the proxies that operators put in front of podhost: Debian's nginx and Caddy.

They are no Python packages, so tests that need one are skipped where it is not installed.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import free_base_port

START_SECONDS = 60.0
# Debian has it where only root looks.
_PATH = os.environ.get("PATH", "") + ":/usr/sbin"
NGINX = shutil.which("nginx", path=_PATH)
CADDY = shutil.which("caddy", path=_PATH)

needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
needs_caddy = pytest.mark.skipif(CADDY is None, reason="Caddy is not installed")


def free_port() -> int:
    """A port of loopback that nobody listens on at the moment."""
    return free_base_port([0])


@contextlib.contextmanager
def running_nginx(configuration: str, folder: Path, port: int) -> Iterator[None]:
    """nginx with a whole configuration file, which listens on `port`, until the `with` ends."""
    temporary = "".join(
        f"{name}_temp_path {folder / name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(configuration.replace("http {", "http {\n" + temporary, 1))
    # As root it would give its files to another account, who may not enter a test's folder.
    user = "user root; " if os.geteuid() == 0 else ""
    assert NGINX is not None
    command = [NGINX, "-p", str(folder), "-c", str(file), "-e", "stderr"]
    command += ["-g", f"{user}daemon off; pid {folder / 'nginx.pid'};"]
    with _running(command, folder, port):
        yield


@contextlib.contextmanager
def running_caddy(caddyfile: str, folder: Path, port: int) -> Iterator[None]:
    """Caddy with a whole Caddyfile, which listens on `port`, until the `with` ends."""
    file = folder / "Caddyfile"
    file.write_text(caddyfile)
    assert CADDY is not None
    command = [CADDY, "run", "--config", str(file), "--adapter", "caddyfile"]
    with _running(command, folder, port):
        yield


@contextlib.contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    log = folder / "proxy.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Caddy keeps certificates and its last configuration there.
            env={**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError("it did not listen: " + log.read_text(errors="replace"))
