"""The web application: the table of routes, what surrounds every request, start and end.

It decides nothing about shows; polls, audio and pages that are in memory never come as far as here
(web/delivery.py).
"""

import asyncio
import logging
import math
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders, State
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podhost import logs
from podhost.accounts.last_uses import LastUses
from podhost.catalogue import Catalogue
from podhost.catalogue.loading import Loading
from podhost.config import read_settings
from podhost.downloads import RequestSpool
from podhost.errors import PodhostError, TooManyRequests, Unavailable, is_shortage
from podhost.instance import Instance, open_instance
from podhost.logs import configure_logging
from podhost.rate_limits import RateLimits
from podhost.traffic import Numbers, Traffic
from podhost.web import operations
from podhost.web.delivery import Delivery
from podhost.web.main_address import AtMainAddress
from podhost.web.responses import error_json, error_status
from podhost.web.warming import Step, WarmUp

logger = logging.getLogger("podhost.requests")

API = "/api/v1"
STUDIO = "/studio"
SPOOL_FOLDER = "spool"
RETRY_AFTER_SECONDS = 5
# Late enough not to compete with the start itself.
WARM_UP_SECONDS = 1.0
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LONGEST_LOGGED_PATH = 500
# What is opened by a secret, whoever asks: links of guests, invitations, new passwords, and such.
_SECRET_PATH = re.compile(
    r"^(/studio/(?:confirm|guests|invitations|preview|reset|welcome)/"
    r"|/api/v1/(?:account/invitations|links/(?:email|invitation|password))/"
    # Newsletters', also on a show's own domain.
    r"|(?:/[^/]+)?/newsletter/(?:confirm|unsubscribe)/)[^/]+"
)
# What the client gave up waiting for; nginx's number for it.
_CLIENT_CLOSED_REQUEST = 499


def create_app(instance: Instance, run_folder: Path | None = None) -> ASGIApp:
    """The application of one serving process.

    `run_folder` is where the processes of one server leave their numbers for each other; without
    it /metrics speaks of this process alone.
    """
    return Application(instance, run_folder)


def from_environment() -> ASGIApp:
    """The application as the environment describes it, for an ASGI server of one's own.

    Raises Invalid or Unavailable with a sentence.
    """
    settings = read_settings(os.environ)
    configure_logging(settings)
    instance = open_instance(settings)
    # Nobody else knows of this instance, so it ends with the application.
    return Application(instance, None, on_end=instance.close)


class Application:
    """Delivery in front, then the log, then errors, then the routes.

    Handlers find the instance as `request.app.state.instance`.
    """

    def __init__(
        self,
        instance: Instance,
        run_folder: Path | None,
        *,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_end = on_end
        self.state = State()
        self.state.instance = self._instance = instance
        self.state.traffic = self.traffic = self._traffic = Traffic(run_folder)
        self.state.limits = limits = RateLimits(instance.settings)
        self.state.last_uses = self._last_uses = LastUses(instance.database)
        self.state.catalogue = self._catalogue = Catalogue(instance)
        # Pages that are rendered: a few at a time, and each once however many want it.
        self.state.page_loading = self._page_loading = Loading("page", 4)
        self._spool = RequestSpool(instance.settings.data / SPOOL_FOLDER, instance.clock)
        self._traffic.sources += (self._add_numbers, limits.add_numbers)
        self._api = LaterApp(_api_app)
        self._parts = LaterApp(_part_app)
        self._site = LaterApp(_site_app)
        self._studio = LaterApp(_studio_app)
        self._static = LaterApp(_static_app)
        routes = [
            *operations.routes(instance, self._traffic),
            Mount(API, app=AtMainAddress(LimitedCalls(self._api, limits))),
            Route(STUDIO, _to_studio),
            Mount(STUDIO, app=AtMainAddress(self._studio)),
            Mount("/static", app=self._static),
            Mount("/uploads", app=AtMainAddress(self._parts)),
            Mount("", app=self._site),
        ]
        router = Router(routes, redirect_slashes=False, lifespan=self._lifespan)
        inner = RequestLog(ErrorAnswers(router, self), self._traffic)
        count = self._traffic.count
        self._delivery = Delivery(inner, instance, self._catalogue, self._spool, count)
        # For a server that can send answers which are in memory without a task (shortcut.py).
        self.answer_now = self._delivery.answer_now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""
        await self._delivery(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        # Not starlette's pool of threads, which takes a while to load.
        await asyncio.to_thread(self._catalogue.start)
        self._spool.start()
        self._traffic.start()
        self._last_uses.start()
        warming = WarmUp(self._warming_steps)
        begun = asyncio.get_running_loop().call_later(WARM_UP_SECONDS, warming.start)
        try:
            yield
        finally:
            begun.cancel()
            # Sealing comes first: whatever hangs after it loses no record.
            await asyncio.to_thread(self._spool.stop)
            await asyncio.to_thread(self._traffic.stop)
            await asyncio.to_thread(self._last_uses.stop)
            await asyncio.to_thread(warming.stop)
            await asyncio.to_thread(self._catalogue.stop)
            self._delivery.close()
            self._page_loading.close()
            self._on_end()

    def _warming_steps(self) -> Iterator[Step]:
        """What loads what nobody has asked for yet; readers first, who come from everywhere."""
        yield self._static.load
        yield self._site.load
        from podhost.templating import template_steps
        from podhost.web.site import warming as of_site

        yield from of_site.steps(self)
        # Before the modules, which then lie where compiling left holes: less memory in the end.
        yield from template_steps("studio/")
        yield self._api.load
        yield self._parts.load
        yield self._studio.load
        from podhost.web.studio import warming as of_studio

        yield from of_studio.steps(self._instance.now())

    def _add_numbers(self, numbers: Numbers) -> None:
        """What the hot path counts for itself."""
        spool = self._spool
        sent_bytes = spool.sent_bytes.copy()
        answers = spool.counts.copy()
        numbers.add_answers({key: (count, sent_bytes[key]) for key, count in answers.items()})
        numbers.sums["spool_dropped"] = spool.dropped
        numbers.sums["spool_failed_writes"] = spool.failed_writes
        numbers.states["spool_backlog"] = spool.backlog
        numbers.states["feeds_in_memory"] = len(self._catalogue.feeds)
        numbers.states["cache_bytes"] = self._catalogue.used_bytes


class LaterApp:
    """A part whose modules are imported by the first request, or by the warm-up before it.

    The API and the pages bring most of all modules; feeds and audio, which listeners wait for
    after a restart, need none of them.
    """

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._app: ASGIApp | None = None

    def load(self) -> ASGIApp:
        """Import what is needed; called in a thread. Doing it twice is harmless."""
        if self._app is None:
            self._app = self._make()
        return self._app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        app = self._app
        if app is None:
            app = await asyncio.to_thread(self.load)
        await app(scope, receive, send)


def _api_app() -> ASGIApp:
    from podhost.web import api

    return _routed(api.routes)


def _studio_app() -> ASGIApp:
    from podhost.web.studio import table

    return _routed(table.routes)


def _routed(routes: Sequence[BaseRoute]) -> ASGIApp:
    return Router(routes, redirect_slashes=False)


def _static_app() -> ASGIApp:
    from podhost.web import static_files

    return _routed(static_files.routes)


async def _to_studio(_: Request) -> Response:
    return RedirectResponse(STUDIO + "/", 308)


def _part_app() -> ASGIApp:
    from podhost.web import parts

    return _routed(parts.routes)


def _site_app() -> ASGIApp:
    from podhost.web.site import table

    return table.application()


class LimitedCalls:
    """Lets through as many calls of the API as an address and a token may make."""

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on. Raises TooManyRequests."""
        client = scope.get("client")
        authorization = Headers(scope=scope).get("authorization", "")
        self._limits.take_call(client[0] if client else "", authorization)
        await self._app(scope, receive, send)


class RequestLog:
    """Gives every request an id and leaves one line in the log for it."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = _request_id(scope)
        # Each request is a task with a context of its own, so nothing has to be set back; and
        # uvicorn's own lines about this request carry the id too.
        logs.request_id.set(identity)
        started_at = time.perf_counter()
        status, sent_bytes = _CLIENT_CLOSED_REQUEST, 0

        async def send_noting(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(raw=message.setdefault("headers", []))["X-Request-ID"] = identity
            elif scope["method"] != "HEAD":
                sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            self._traffic.count(_surface(scope["path"]), status, sent_bytes)
            _log_request(scope, status, sent_bytes, time.perf_counter() - started_at)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _surface(path: str) -> str:
    if path.startswith("/api/"):
        return "api"
    if path.startswith(("/studio/", "/static/")) or path == "/studio":
        return "studio"
    return "operations" if path in operations.PATHS else "site"


def _without_secret(path: str) -> str:
    """The path as it may stand in a log: links of guests and the like are good for whoever reads
    them."""
    return _SECRET_PATH.sub(r"\1...", path)


def _log_request(scope: Scope, status: int, sent_bytes: int, seconds: float) -> None:
    client = scope.get("client")
    # Never the query: what people search for, and sometimes secrets, stand in it.
    logger.info(
        "request",
        extra={
            "method": scope["method"],
            "path": _without_secret(scope["path"])[:_LONGEST_LOGGED_PATH],
            "status": status,
            "ms": round(seconds * 1000, 1),
            "bytes": sent_bytes,
            "client": client[0] if client else "",
        },
    )


class ErrorAnswers:
    """Turns what handlers raise into answers, in the one shape for programs or as a page."""

    def __init__(self, app: ASGIApp, application: Application) -> None:
        self._app = app
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; whatever is raised is answered here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["app"] = self._application
        is_started = False

        async def send_noting(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except ClientDisconnect:
            return
        except Exception as error:
            if is_started:
                # Too late for an answer; the server cuts the connection, so that nobody takes
                # half of it for the whole.
                raise
            await _error_answer(scope, error)(scope, receive, send)


def _error_answer(scope: Scope, error: Exception) -> Response:
    headers: dict[str, str] = {}
    if is_shortage(error):
        logger.warning("the machine is short of something: %s", error)
        error = Unavailable(
            f"The machine that podhost runs on cannot go on: {error.strerror}. Nothing was changed."
        )
    if isinstance(error, PodhostError):
        code, message, fields = error.code, error.message, error.fields
        status = error_status(code)
        if isinstance(error, TooManyRequests):
            headers["Retry-After"] = str(math.ceil(error.wait_seconds))
    elif isinstance(error, HTTPException):
        status, fields = error.status_code, {}
        code, message = _http_error(scope, error)
        headers.update(error.headers or {})
    else:
        logger.error("request failed", exc_info=error)
        status, code, fields = 500, "internal", {}
        message = (
            "Something went wrong inside podhost; it is not your fault. "
            f"The log says more under the request id {logs.request_id.get()}."
        )
    if status == 401:
        from podhost.web.auth import challenge

        headers["WWW-Authenticate"] = challenge(Request(scope))
    if status == 408:
        # What comes yet is no other request (RFC 9110 15.5.9).
        headers["Connection"] = "close"
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return _answer(scope, status, error_json(code, message, fields), message, headers)


def _http_error(scope: Scope, error: HTTPException) -> tuple[str, str]:
    """Code and sentence for what starlette refuses by itself."""
    if error.status_code == 404:
        return "not_found", "There is no such address."
    if error.status_code == 405:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        return "method_not_allowed", f"This address takes {allowed}, not {scope['method']}."
    code = "too_large" if error.status_code == 413 else "invalid"
    return code, error.detail.rstrip(".") + "."


def _answer(
    scope: Scope, status: int, body: bytes, message: str, headers: dict[str, str]
) -> Response:
    if _surface(scope["path"]) == "api":
        return _api_answer(scope, status, body, headers)
    is_for_people = "text/html" in Headers(scope=scope).get("accept", "")
    if is_for_people and _surface(scope["path"]) in ("site", "studio"):
        from podhost.web.site.errors import refusal
        from podhost.web.spoken import asked_language

        response = refusal(status, message, asked_language(Headers(scope=scope)))
    else:
        response = Response(body, status, media_type="application/json")
        response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers)
    return response


def _api_answer(scope: Scope, status: int, body: bytes, headers: dict[str, str]) -> Response:
    """An error for a program, or for a page of the studio in its language."""
    from podhost.web.spoken import page_words, spoken

    request = Request(scope)
    answer = Response(body, status, {"Cache-Control": "no-store", **headers}, "application/json")
    return spoken(answer, page_words(request, request.app.state.instance))
