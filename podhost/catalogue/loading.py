"""Blocking reads for the event loop: in threads, once for all who wait for the same thing."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from podhost.errors import Unavailable

T = TypeVar("T")

# What may wait at once; beyond, a quick 503 is the kinder answer.
WAITING_LIMIT = 1000
# How long anybody waits. The read goes on, and whoever asks later may find it done.
PATIENCE_SECONDS = 20.0


class Loading:
    """A few threads for one kind of read. Used from one event loop only."""

    def __init__(self, name: str, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"podhost-{name}")
        self._running: dict[str, asyncio.Future[Any]] = {}

    async def once(self, key: str, read: Callable[..., T], *arguments: object) -> T:
        """The result of `read(*arguments)`; who asks for `key` meanwhile gets the same one.

        Raises Unavailable when that takes too long.
        """
        future: asyncio.Future[T] | None = self._running.get(key)
        if future is None:
            if len(self._running) >= WAITING_LIMIT:
                raise Unavailable("Too many requests wait for the database or the storage.")
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._threads, partial(read, *arguments))
            self._running[key] = future
            future.add_done_callback(partial(self._finished, key))
        # A listener who hangs up must not take the answer from the others.
        try:
            return await asyncio.wait_for(asyncio.shield(future), PATIENCE_SECONDS)
        except TimeoutError:
            raise Unavailable("The database or the storage takes too long to answer.") from None

    def _finished(self, key: str, future: "asyncio.Future[Any]") -> None:
        del self._running[key]
        if not future.cancelled():
            future.exception()  # Looked at, even if everybody who waited has gone.

    async def run(self, read: Callable[..., T], *arguments: object) -> T:
        """The result of `read(*arguments)`, for nobody else."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(read, *arguments))

    def submit(self, work: Callable[[], None]) -> None:
        """Do something that nobody waits for."""
        self._threads.submit(work)

    def close(self) -> None:
        """Start nothing more; what runs ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
