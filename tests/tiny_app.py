"""A small application for tests of the server: it says who answers, and it can be slow."""

import asyncio
import os
from pathlib import Path
from typing import Any

from podhost.instance import Instance

CHUNK = b"x" * 65536
CHUNKS = 40


class TinyApp:
    """`/pid` answers with the process id, `/client` with the client's address, `/slow` slowly,
    and `/held` begins to answer and goes on when there is a file `enough` in the data folder.

    Every process writes a line to `ended` in the data folder when its lifespan ends.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"] in ("/slow", "/held"):
            await self._slow(send, is_held=scope["path"] == "/held")
        else:
            client = scope["client"][0] if scope["client"] else ""
            body = client if scope["path"] == "/client" else str(os.getpid())
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body.encode()})

    async def _slow(self, send: Any, *, is_held: bool) -> None:
        length = str(CHUNKS * len(CHUNK)).encode()
        headers = [(b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for index in range(CHUNKS):
            more = index < CHUNKS - 1
            await send({"type": "http.response.body", "body": CHUNK, "more_body": more})
            await asyncio.sleep(0.05)
            while is_held and not (self.instance.settings.data / "enough").exists():
                await asyncio.sleep(0.05)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        if os.environ.get("TINY_FAILS"):
            await send({"type": "lifespan.startup.failed", "message": "tiny cannot start"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        with (self.instance.settings.data / "ended").open("a") as file:
            file.write(f"{os.getpid()}\n")
        await send({"type": "lifespan.shutdown.complete"})


def create_app(instance: Instance, run_folder: Path | None = None) -> TinyApp:
    return TinyApp(instance)
