"""Styles and scripts of our pages, from memory; an address that names their version never changes.

Scripts name each other relatively, so the version stands for all files together.
"""

import gzip
import hashlib
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from podhost.web.responses import best_coding, etag_matches

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}
_YEAR_SECONDS = 31_536_000


class StaticFile(NamedTuple):
    """One file as it is sent."""

    content_type: str
    body: bytes
    body_gzip: bytes
    etag: str


@lru_cache(maxsize=1)
def static_files() -> dict[str, StaticFile]:
    """All files, by their path below static/."""
    return dict(_files(files("podhost") / "static", ""))


def _files(folder: Traversable, prefix: str) -> list[tuple[str, StaticFile]]:
    found: list[tuple[str, StaticFile]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/")
            continue
        kind = _TYPES.get(entry.name.rpartition(".")[2])
        if kind is not None:
            body = entry.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            packed = gzip.compress(body, 9, mtime=0)
            found.append((prefix + entry.name, StaticFile(kind, body, packed, etag)))
    return found


@cache
def body_brotli(path: str) -> bytes:
    """A file in the smallest form (RFC 7932), made when somebody asks for it: all of them take a
    quarter of a second, the largest 16 ms."""
    import brotli

    packed: bytes = brotli.compress(static_files()[path].body, quality=11)
    return packed


@lru_cache(maxsize=1)
def version() -> str:
    """What names the state of all files together."""
    digest = hashlib.sha256()
    for path, file in static_files().items():
        digest.update(f"{path} {file.etag}\n".encode())
    return digest.hexdigest()[:16]


def static_path(path: str) -> str:
    """The address of a file; a wrong name is a mistake of whoever wrote the page."""
    if path not in static_files():
        raise KeyError(f"there is no static file {path}")
    return f"/static/{version()}/{path}"


async def static_file(request: Request) -> Response:
    """`/static/<version>/<path>`: from memory; nothing blocks."""
    path = request.path_params["path"]
    file = static_files().get(path)
    if file is None:
        return PlainTextResponse("There is no such file.", 404)
    is_current = request.path_params["version"] == version()
    # A page that was open during an update asks with the version before; it gets today's file,
    # which it must not keep under that name.
    caching = f"public, max-age={_YEAR_SECONDS}, immutable" if is_current else "no-cache"
    coding = best_coding(request.headers.get("accept-encoding", "").encode("latin-1"))
    # A strong tag belongs to one coding alone (RFC 9110 8.8.3).
    etag = f'{file.etag[:-1]}-{coding}"' if coding else file.etag
    headers = {
        "Cache-Control": caching,
        "ETag": etag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    known = request.headers.get("if-none-match", "").encode("latin-1")
    if known and etag_matches(known, etag.encode()):
        return Response(status_code=304, headers=headers)
    body = file.body
    if coding:
        headers["Content-Encoding"] = coding
        body = file.body_gzip if coding == "gzip" else await run_in_threadpool(body_brotli, path)
    return Response(body, headers=headers, media_type=file.content_type)


routes = [Route("/{version}/{path:path}", static_file)]
