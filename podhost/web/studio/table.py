"""Every page and form of the studio with what it takes to use it: the one place that decides.

Before a handler runs, it was checked here who asks, what they may do, and that a form came from a
page of ours. What handlers raise becomes a page with a sentence.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import quote

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from podhost.accounts.roles import Permission, require, require_operator
from podhost.errors import NotFound, PodhostError, TooManyRequests, Unauthorized
from podhost.history.audit import Act, acting
from podhost.instance import Instance
from podhost.web.auth import CSRF_HEADER, find_signed_in, require_csrf
from podhost.web.forms import FormValues, read_form
from podhost.web.responses import error_status
from podhost.web.studio import (
    account_pages,
    article_pages,
    artwork_pages,
    calendar_page,
    chapter_pages,
    entry,
    episode_list,
    episode_page,
    factors,
    guest_portal,
    guests,
    history_page,
    link_pages,
    listening,
    menu_pages,
    new_show,
    newsletter_pages,
    show_exporting,
    show_moving,
    show_settings,
    show_submitting,
    site_page,
    soundbite_pages,
    team_pages,
    transcript_pages,
    uploads,
)
from podhost.web.studio.visits import StudioRoute, Visit
from podhost.web.uploading import MB, Accepted, receive_bytes, receive_form

ROUTES: tuple[StudioRoute, ...] = (
    *entry.ROUTES,
    *factors.ROUTES,
    *uploads.ROUTES,
    *link_pages.ROUTES,
    *account_pages.ROUTES,
    *team_pages.ROUTES,
    *episode_page.ROUTES,
    *artwork_pages.ROUTES,
    *article_pages.ROUTES,
    *menu_pages.ROUTES,
    *newsletter_pages.ROUTES,
    *chapter_pages.ROUTES,
    *listening.ROUTES,
    *soundbite_pages.ROUTES,
    *transcript_pages.ROUTES,
    *show_settings.ROUTES,
    *show_submitting.ROUTES,
    *site_page.ROUTES,
    *new_show.ROUTES,
    *show_moving.ROUTES,
    *show_exporting.ROUTES,
    *guest_portal.ROUTES,
    *guests.ROUTES,
    *episode_list.ROUTES,
    *calendar_page.ROUTES,
    *history_page.ROUTES,
)


FORM_LIMIT_BYTES = 4 * MB
_FILE_LIMITS_BYTES = {
    "artwork": 20 * MB,
    "picture": 20 * MB,
    "transcript": 10 * MB,
    "readers": 20 * MB,
}
_LONGEST_PARAMETER = 200
# Of the parts of a path, those that the audit trail has a place for, and those it must not know.
_OWN_OR_SECRET = frozenset({"show", "episode", "secret"})


def _endpoint(methods: dict[str, StudioRoute]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        route = methods["GET" if request.method == "HEAD" else request.method]
        instance: Instance = request.app.state.instance
        visit = Visit(instance, request, request.path_params)
        try:
            return await _perform(route, visit)
        except ClientDisconnect:
            raise
        except PodhostError as error:
            return await to_thread.run_sync(_refusal, visit, error)

    return endpoint


async def _perform(route: StudioRoute, visit: Visit) -> Response:
    await to_thread.run_sync(_admit, route, visit)
    if route.method == "GET":
        return await to_thread.run_sync(route.handler, visit)
    work = partial(_do, route, visit)
    if route.files:
        async with receive_form(
            visit.request, visit.instance.storage, _accepted(route, visit.instance)
        ) as form:
            visit.form = FormValues([*form.texts.items()])
            visit.files = {name: file for name, file in form.files.items() if file.size_bytes}
            _require_own_form(visit)
            return await to_thread.run_sync(work)
    visit.form = read_form(await receive_bytes(visit.request, FORM_LIMIT_BYTES))
    _require_own_form(visit)
    return await to_thread.run_sync(work)


def _do(route: StudioRoute, visit: Visit) -> Response:
    """Whatever a form changes stands in the audit trail, in the transaction that does it."""
    others = [value for name, value in visit.parameters.items() if name not in _OWN_OR_SECRET]
    doing = Act(
        route.handler.__name__,
        address=visit.address,
        show_id=visit.show_id,
        subject=", ".join(others),
    )
    with acting(doing):
        response = route.handler(visit)
        if not doing.is_noted and response.status_code < 400:
            # It changed no row, or nothing at all.
            visit.leave_row()
    return response


def _accepted(route: StudioRoute, instance: Instance) -> Accepted:
    largest = instance.settings.max_upload_mb * MB
    limits = {name: _FILE_LIMITS_BYTES.get(name, largest) for name in route.files}
    return Accepted(limits, all_texts=True)


def _admit(route: StudioRoute, visit: Visit) -> None:
    """Raises Unauthorized, Forbidden, or NotFound for a show that is not the visitor's."""
    for value in visit.parameters.values():
        # Slugs, ids and secrets are nothing else, and PostgreSQL cannot look for a zero byte.
        if not value.isascii() or not value.isprintable() or len(value) > _LONGEST_PARAMETER:
            raise NotFound("There is no such page.")
    if route.admit is not None:
        route.admit(visit)
    with visit.read() as session:
        visit.actor = find_signed_in(session, visit.request, instance=visit.instance)
        if route.needs is Permission.ANYONE:
            return
        if visit.actor is None:
            raise Unauthorized("Sign in first.")
        if route.needs is Permission.OPERATE:
            require_operator(visit.actor)
        elif "show" in visit.parameters:
            show = visit.show(session)
            visit.allowed = require(session, visit.actor, show, route.needs)
            visit.show_id = show.id


def _require_own_form(visit: Visit) -> None:
    given = visit.form.text("csrf") or visit.request.headers.get(CSRF_HEADER, "")
    require_csrf(visit.request, visit.secret, given)


def _refusal(visit: Visit, error: PodhostError) -> Response:
    """An error as a page: one sentence and a way on."""
    is_reading = visit.request.method in ("GET", "HEAD")
    if isinstance(error, Unauthorized) and is_reading:
        path = visit.request.url.path
        query = f"?{visit.request.url.query}" if visit.request.url.query else ""
        return visit.redirect(f"/login?next={quote(path + query, safe='')}")
    _ = visit.words
    response = visit.page(
        "studio/refused.html", error_status(error.code), message=_.said(error.message)
    )
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(round(error.wait_seconds + 0.5))
    return response


async def _no_such_page(request: Request) -> Response:
    visit = Visit(request.app.state.instance, request, {})

    def refuse() -> Response:
        with visit.read() as session:
            visit.actor = find_signed_in(session, request, instance=visit.instance)
        return _refusal(visit, NotFound("There is no such page."))

    return await to_thread.run_sync(refuse)


def _routes() -> list[Route]:
    """One route for each path, so that a wrong method is answered with all that are right."""
    paths: dict[str, dict[str, StudioRoute]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = route
    routes = [
        Route(path, _endpoint(methods), methods=list(methods)) for path, methods in paths.items()
    ]
    return [*routes, Route("/{rest:path}", _no_such_page)]


routes = _routes()
