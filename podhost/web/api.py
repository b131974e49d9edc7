"""The API for programs, /api/v1: all calls, their routes and their description.

What each call does is in its neighbours, api_*.py. The tables have whole paths; `routes` are
relative to where the application mounts them.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from podhost import __version__
from podhost.instance import Instance
from podhost.web import (
    api_account,
    api_articles,
    api_directories,
    api_edits,
    api_exports,
    api_guests,
    api_history,
    api_links,
    api_media,
    api_newsletter,
    api_overviews,
    api_pages,
    api_search,
    api_site,
    api_table,
    api_team,
    api_uploads,
)
from podhost.web.calls import perform
from podhost.web.openapi import JSON, PREFIX, Operation, render_openapi
from podhost.web.responses import etag_matches

OPERATIONS: tuple[Operation, ...] = (
    *api_table.OPERATIONS,
    *api_uploads.OPERATIONS,
    *api_team.OPERATIONS,
    *api_account.OPERATIONS,
    *api_links.OPERATIONS,
    *api_history.OPERATIONS,
    *api_overviews.OPERATIONS,
    *api_edits.OPERATIONS,
    *api_directories.OPERATIONS,
    *api_exports.OPERATIONS,
    *api_guests.OPERATIONS,
    *api_media.OPERATIONS,
    *api_articles.OPERATIONS,
    *api_pages.OPERATIONS,
    *api_search.OPERATIONS,
    *api_newsletter.OPERATIONS,
    *api_site.OPERATIONS,
)


def get_openapi(request: Request) -> Response:
    """What is described here, for programs that make clients; it needs no token."""
    instance: Instance = request.app.state.instance
    state = request.app.state
    if not hasattr(state, "openapi"):
        body = render_openapi(
            (*OPERATIONS, _OPENAPI), version=__version__, base_url=instance.base_url
        )
        state.openapi = (body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
    body, etag = state.openapi
    headers = {"ETag": etag, "Cache-Control": "public, max-age=300"}
    if etag_matches(request.headers.get("if-none-match", "").encode("latin-1"), etag.encode()):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=JSON)


_OPENAPI = Operation(
    method="GET",
    path=PREFIX + "/openapi.json",
    handler=get_openapi,
    summary="Read this description.",
    is_public=True,
)


def _endpoint(methods: dict[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await perform(
            methods["GET" if request.method == "HEAD" else request.method], request
        )

    return endpoint


def _routes(operations: Sequence[Operation]) -> list[Route]:
    """One route for each path, so that a wrong method is answered with all that are right."""
    paths: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = operation
    return [
        Route(_pattern(path), _endpoint(methods), methods=list(methods), name=path)
        for path, methods in paths.items()
    ]


def _pattern(path: str) -> str:
    # The guid of a live stream may be an address, whose slashes are encoded in ours.
    return path.removeprefix(PREFIX).replace("{live}", "{live:path}")


routes: list[Route] = [Route(_OPENAPI.path.removeprefix(PREFIX), get_openapi), *_routes(OPERATIONS)]
