"""The floor: the smallest raw ASGI application under the same uvicorn, for one answer.

`python -m benchmarks.floor ANSWER.json` serves it on a free port until SIGTERM. It looks at
nothing that the request says, but for the path where it has several answers: whatever podhost
does more than this is podhost's.
"""

import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

App = Callable[[Any, Any, Any], Awaitable[None]]
PIECE_BYTES = 256 * 1024


def application(answer: dict[str, Any]) -> App:
    """The application for one answer, or for one for each path."""
    kind = answer["kind"]
    if kind == "pages":
        return _pages({path: application(one) for path, one in answer["pages"].items()})
    start = {
        "type": "http.response.start",
        "status": answer["status"],
        "headers": _raw(answer["headers"]),
    }
    if kind == "bytes":
        return _bytes(start, Path(answer["file"]).read_bytes())
    if kind == "receive":
        return _receive(start)
    descriptor = os.open(answer["file"], os.O_RDONLY)
    read = _range if kind == "range" else _whole
    return read(start, descriptor, answer["start"], answer["length"])


def _raw(headers: Sequence[Sequence[str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _bytes(start: dict[str, Any], body: bytes) -> App:
    end = {"type": "http.response.body", "body": body}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send(end)

    return app


def _pages(apps: dict[str, App]) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[scope["path"]](scope, receive, send)

    return app


def _range(start: dict[str, Any], descriptor: int, position: int, length: int) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        body = os.pread(descriptor, length, position)
        await send({"type": "http.response.body", "body": body})

    return app


def _whole(start: dict[str, Any], descriptor: int, position: int, length: int) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        at = position
        while at < position + length:
            body = os.pread(descriptor, PIECE_BYTES, at)
            at += len(body)
            more = at < position + length
            await send({"type": "http.response.body", "body": body, "more_body": more})

    return app


def _receive(start: dict[str, Any]) -> App:
    end = {"type": "http.response.body", "body": b""}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while scope["method"] != "GET" and (await receive()).get("more_body", False):
            pass
        await send(start)
        await send(end)

    return app


def serve(answer: dict[str, Any]) -> None:
    """Serve as `podhost serve` does, without anything that it does besides."""
    import uvicorn

    config = uvicorn.Config(
        application(answer),
        interface="asgi3",
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    print(f"floor is ready at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    serve(json.loads(Path(sys.argv[1]).read_text()))
