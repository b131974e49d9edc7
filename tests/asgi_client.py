"""A client for an ASGI application in this process, with a real event loop beside the test."""

import asyncio
from types import TracebackType
from typing import Any, Self

import httpx
from anyio.from_thread import start_blocking_portal
from starlette.types import ASGIApp, Message


class Client:
    """Sends requests to `app`, coming from `peer`. As a context manager it runs the lifespan."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        peer: tuple[str, int] = ("127.0.0.1", 50000),
        raises: bool = True,
    ) -> None:
        self._app = app
        transport = httpx.ASGITransport(app, raise_app_exceptions=raises, client=peer)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://pod.example")
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._portal_context = start_blocking_portal()
        self._portal: Any = None

    def __enter__(self) -> Self:
        self._portal = self._portal_context.__enter__()
        self._portal.call(self._start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._portal.call(self._stop)
        finally:
            self._portal_context.__exit__(None, None, None)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request; without the lifespan, in an event loop of its own."""

        async def send() -> httpx.Response:
            return await self._client.request(method, path, **options)

        if self._portal is None:
            return asyncio.run(send())
        response: httpx.Response = self._portal.call(send)
        return response

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)

    async def _start(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._task = asyncio.create_task(
            self._app(scope, self._to_app.get, self._from_app.put)  # type: ignore[arg-type]
        )
        await self._lifespan("startup")

    async def _stop(self) -> None:
        await self._lifespan("shutdown")
        assert self._task is not None
        await self._task

    async def _lifespan(self, what: str) -> None:
        await self._to_app.put({"type": f"lifespan.{what}"})
        answer = await self._from_app.get()
        assert answer["type"] == f"lifespan.{what}.complete", answer
