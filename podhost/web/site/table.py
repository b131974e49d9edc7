"""Every page of the site and who makes it; the routes below a show, and those of none."""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from podhost.catalogue import Catalogue
from podhost.catalogue.rows import LeftDomain
from podhost.errors import NotFound
from podhost.site.settings import home_url
from podhost.web.main_address import READING, asked_host, same_place
from podhost.web.site import (
    cards,
    embed,
    episodes,
    home,
    machines,
    newsletter,
    oembed,
    people,
    search,
    written,
)
from podhost.web.site.looks import Look, Moved, Page, PlainRoute, SiteRoute
from podhost.web.site.serving import OWN_DOMAIN, answer_look, answer_plain

# Below /<show>, or at the root of a show's own domain.
ROUTES: tuple[SiteRoute, ...] = (
    *home.ROUTES,
    *episodes.ROUTES,
    *embed.ROUTES,
    *people.ROUTES,
    *written.ROUTES,
    *newsletter.ROUTES,
    *search.ROUTES,
    *machines.ROUTES,
    *cards.ROUTES,
)


_MOVED_HEADERS = {"Cache-Control": "public, max-age=3600"}


class OwnDomains:
    """Lets requests to a show's own domain find its pages, which stand at the root there; from a
    domain that it had, readers are led to the one address that is right now."""

    def __init__(self, app: Router) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        catalogue: Catalogue = scope["app"].state.catalogue
        host = asked_host(scope)
        slug = catalogue.find_domain(host)
        left = catalogue.find_left_domain(host) if slug is None else None
        if left is not None and scope["method"] in READING:
            await _led_on(scope, left)(scope, receive, send)
            return
        if left is not None:
            # Mail programs that unsubscribe somebody follow nowhere (RFC 8058).
            slug = left.slug
        if slug is not None:
            path = f"/{slug}{scope['path']}"
            scope = {**scope, "path": path, "raw_path": path.encode(), OWN_DOMAIN: slug}
        await self._app(scope, receive, send)


def _led_on(scope: Scope, left: LeftDomain) -> Response:
    """To the same page at the address that the show has now."""
    home = home_url(scope["app"].state.instance.base_url, left.slug, left.domain)
    return RedirectResponse(same_place(home, scope), 301, _MOVED_HEADERS)


def _endpoint(routes: Sequence[SiteRoute]) -> Callable[[Request], Awaitable[Response]]:
    by_method = {route.method: route for route in routes}

    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await answer_look(by_method[method], request)

    return endpoint


def _plain(route: PlainRoute) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await answer_plain(route, request)

    return endpoint


def _show_routes() -> list[Route]:
    """One route for each path, so that a wrong method is answered with all that are right."""
    paths: dict[str, list[SiteRoute]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, []).append(route)
    return [
        Route("/{show}" + path, _endpoint(found), methods=[route.method for route in found])
        for path, found in paths.items()
    ]


def _with_slash(look: Look) -> Page:
    raise Moved(look.path("/"))


def _without_slash(look: Look) -> Page:
    """Pages below a show have no slash at the end, and people type one."""
    raise Moved(look.path("/" + quote(look.parameters["rest"].strip("/"))))


def _nothing(_: Look) -> Page:
    raise NotFound("There is no such page.")


def application() -> OwnDomains:
    """All of the site, as an application."""
    plain = [
        Route(each.path, _plain(each)) for each in (*home.PLAIN, *machines.PLAIN, *oembed.PLAIN)
    ]
    routes = [
        *plain,
        *_show_routes(),
        Route("/{show}", _endpoint([SiteRoute("", _with_slash)])),
        Route("/{show}/{rest:path}/", _endpoint([SiteRoute("", _without_slash)])),
        Route("/{show}/{rest:path}", _endpoint([SiteRoute("", _nothing)])),
    ]
    return OwnDomains(Router(routes, redirect_slashes=False))
