"""A podhost that really runs, for a browser in front of it: started, killed and started again."""

import re
import secrets
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from playwright.sync_api import BrowserContext, Page

from podhost.accounts import accounts
from podhost.config import read_settings
from podhost.db import Database
from podhost.instance import utc_now
from tests.ports import kept_port
from tests.running import Running

EMAIL = "alice@example.org"
PASSWORD = "tide tables at noon"


class StudioServer:
    """`podhost serve` on loopback with an operator's account; its data outlive the process."""

    def __init__(
        self,
        data: Path,
        migrated: Path,
        environment: Mapping[str, str] | None = None,
        *,
        port: int = 0,
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        shutil.copy(migrated, data / "podhost.sqlite3")
        self.data = data
        self.environment = {"PODHOST_DATA": str(data), **(environment or {})}
        self.token = self._found_account()
        self._port = port
        self._running: Running | None = None
        self._cookies: list[Any] = []

    def _found_account(self) -> str:
        """An account and a token for it, without a start of Python for each."""
        database = Database(read_settings({"PODHOST_DATA": str(self.data)}).database_url)
        with database.write() as session:
            account, _ = accounts.create_account(
                session, EMAIL, name="Alice", password=PASSWORD, is_operator=True, now=utc_now()
            )
            _, token = accounts.create_token(session, account, name="tests", now=utc_now())
        database.close()
        return token

    @property
    def url(self) -> str:
        """Its address, without a slash at the end; the same after a restart."""
        assert self._running is not None
        return self._running.wait_until_ready()

    @property
    def log(self) -> list[str]:
        """What the process that runs has printed to standard error."""
        assert self._running is not None
        return self._running.log

    def start(self) -> Self:
        """Start it, at the port of the last time, and wait until it answers."""
        serve = ["serve", "--port", str(self._port)]
        self._running = Running(serve, self.environment)
        self._port = int(self.url.rpartition(":")[2])
        return self

    def stop(self) -> None:
        """End it in order."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    def kill(self) -> None:
        """End it as a power cut does."""
        running, self._running = self._running, None
        if running is not None:
            running.stop(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def call(self, method: str, path: str, **given: Any) -> Any:
        """One call of the API below /api/v1 by the operator's token; its answer's JSON.

        Fails with the answer's text when that is an error.
        """
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.url}/api/v1{path}"
        answer = httpx.request(method, url, headers=headers, timeout=30, **given)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def new_show(self, title: str = "Tide Tables", **more: Any) -> str:
        """A show of its own for a test, so that tests can share the server; its slug."""
        slug = f"show-{secrets.token_hex(4)}"
        given = {"slug": slug, "title": title, "description": "Of the sea.", **more}
        self.call("POST", "/shows", json=given)
        return slug

    def new_episode(self, show: str, audio: bytes, title: str = "Low water", **more: Any) -> Any:
        """A draft with this audio, as the API tells of it."""
        files = {"audio": ("tide.mp3", audio, "audio/mpeg")}
        data = {"title": title, **more}
        return self.call("POST", f"/shows/{show}/episodes", data=data, files=files)

    def sign_in(self, context: BrowserContext) -> None:
        """Put the operator's session into the context; the login form is sent once a server."""
        if not self._cookies:
            page = context.new_page()
            self.fill_login(page)
            page.close()
            self._cookies = [*context.cookies()]
        context.add_cookies(self._cookies)

    def fill_login(self, page: Page, email: str = EMAIL, password: str = PASSWORD) -> None:
        """Sign in as a person does."""
        page.goto(f"{self.url}/studio/login")
        page.locator("input[name=email]").fill(email)
        page.locator("input[name=password]").fill(password)
        page.locator("main form").get_by_role("button").click()
        page.wait_for_url(re.compile(r"/studio/(?!login)"))


@contextmanager
def running_studio(
    data: Path, migrated: Path, environment: Mapping[str, str] | None = None
) -> Iterator[StudioServer]:
    """A server that is killed at the block's end, whatever it is doing. Its port stays its own
    while it is killed and started again."""
    with kept_port() as port, StudioServer(data, migrated, environment, port=port) as server:
        yield server
