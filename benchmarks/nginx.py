"""Debian's nginx, where it is installed, with one worker and a configuration of our own.

It is the column beside podhost: the same bytes as plain files.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from benchmarks.load import Response
from benchmarks.processes import Program, free_port

# What nginx says of a file by itself.
_ITS_OWN = frozenset(
    ("date", "connection", "server", "etag", "last-modified", "content-length", "content-type",
     "content-encoding", "content-range", "accept-ranges", "vary", "location")
)  # fmt: skip
_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 2048; }}
http {{
    access_log off;
    server_tokens off;
    keepalive_requests 10000000;
    sendfile on;
    tcp_nopush on;
    default_type application/octet-stream;
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    {servers}
}}
"""
# Stands in a configuration where the port is not known yet.
LISTEN = "listen THE_PORT;"


def find_program() -> str | None:
    """Where nginx is; ordinary users do not have it on their path."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def start(folder: Path, servers: str, *, cores: Iterable[int] | None) -> Program:
    """Start it in the foreground on a free port; its worker is its child.

    `servers` is what stands in the block `http`, with LISTEN where the port is to stand.
    """
    program = find_program()
    assert program is not None, "the caller looked"
    port = free_port()
    # As root its worker would become somebody who cannot read our temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    servers = servers.replace(LISTEN, f"listen 127.0.0.1:{port} backlog=2048;")
    path = folder / "nginx.conf"
    path.write_text(_CONFIGURATION.format(folder=folder, user=user, servers=servers))
    command = [program, "-c", str(path), "-p", str(folder), "-e", str(folder / "error.log")]
    return Program(command, folder=folder, cores=cores, port=port)


def one_server(location: str) -> str:
    """A server with one location."""
    return f"server {{ {LISTEN}\n{location} }}"


def file_location(path: str, file: Path, response: Response) -> str:
    """Answer `path` with a file (and FILE.gz beside it), with the headers that podhost sends."""
    mime_type = response.header("content-type")
    return (
        f"location = {path} {{ alias {file}; gzip_static on; gzip_vary on; types {{ }} "
        f'default_type "{mime_type}"; {added_headers(response)} }}\n'
    )


def redirect_location(path: str, response: Response) -> str:
    """Answer `path` with podhost's own redirect."""
    target = _quoted(response.header("location"))
    return f'location = {path} {{ {added_headers(response)} return 302 "{target}"; }}\n'


def added_headers(response: Response) -> str:
    """What podhost says beside what nginx says of a file by itself."""
    pairs = [(name, value) for name, value in response.headers if name.lower() not in _ITS_OWN]
    return " ".join(f'add_header {name} "{_quoted(value)}";' for name, value in pairs)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
