"""Finds Chromium and keeps it running on a thread of its own; it knows nothing of podhost."""

import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from playwright.sync_api import Browser, Playwright, sync_playwright

T = TypeVar("T")

MISSING = "There is no Chromium for the tests in a browser: apt-get install chromium"
# Set by .ci/run: there, a run without a browser is a failure.
IS_REQUIRED = os.environ.get("REQUIRE_BROWSER") == "1"
NAMES = ("chromium", "chromium-browser", "google-chrome")
# No name but loopback resolves, so that nothing of a test leaves the machine.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@cache
def find_chromium() -> str | None:
    """The program: what CHROMIUM says, or the first known name on the path."""
    given = os.environ.get("CHROMIUM")
    if given:
        return shutil.which(given)
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class BrowserThread:
    """The one thread on which a test session's browser lives.

    Playwright's calls that wait keep an event loop running in their thread. On pytest's own
    thread every later test that calls `asyncio.run` would fail.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._thread: threading.Thread | None = None
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def run(self, work: Callable[[], T]) -> T:
        """What `work` gives, done on the thread; from the thread itself, at once."""
        if threading.current_thread() is self._thread:
            return work()
        return self._pool.submit(self._called, work).result()

    def _called(self, work: Callable[[], T]) -> T:
        self._thread = threading.current_thread()
        return work()

    def browser(self) -> Browser:
        """The browser, started by the first who asks; only on the thread."""
        assert threading.current_thread() is self._thread
        if self._browser is None or not self._browser.is_connected():
            self._playwright = self._playwright or sync_playwright().start()
            self._browser = self._playwright.chromium.launch(
                executable_path=find_chromium(), args=[*ARGUMENTS]
            )
        return self._browser

    def close(self) -> None:
        """End the browser and the thread."""
        self.run(self._close)
        self._pool.shutdown()

    def _close(self) -> None:
        if self._browser is not None:
            self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()
        self._browser = self._playwright = None
