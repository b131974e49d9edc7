"""Answers for the pages of the site: each is made once and kept until its show changes."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from podhost.catalogue import Catalogue
from podhost.catalogue.entries import ALL_SHOWS
from podhost.catalogue.pages import SitePage
from podhost.errors import Gone, NotFound
from podhost.instance import Instance
from podhost.shows import get_show
from podhost.site.artwork_colours import PictureColours
from podhost.site.cards import Cards
from podhost.site.editions import edition_ids
from podhost.web.auth import client_address
from podhost.web.forms import FormValues, read_form
from podhost.web.immediate import page_answer
from podhost.web.responses import AsgiRequest
from podhost.web.site.errors import error_page
from podhost.web.site.frame import render
from podhost.web.site.looks import Look, Moved, Page, Plain, PlainRoute, SiteRoute
from podhost.web.site.theme import style_of, style_source
from podhost.web.uploading import receive_bytes

# In the scope of a request on a show's own domain: its slug.
OWN_DOMAIN = "podhost_own_domain"
FORM_LIMIT_BYTES = 20_000
_CACHING = "public, max-age=60, stale-while-revalidate=600"
_NOT_KEPT = "no-store"
# A page that could not be made as it should be is made anew after so long.
_TRY_AGAIN = timedelta(minutes=1)

Found = SitePage | Response | Moved


class ReadyResponse(Response):
    """A page that is ready, as this request gets it."""

    def __init__(self, page: SitePage) -> None:
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or that it is as it was."""
        request = AsgiRequest(scope, receive, send)
        answer = page_answer(request, self._page)
        # A list, because others put headers of their own behind.
        await send({**answer.start, "headers": [*answer.headers]})
        body = b"" if request.method == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body})


async def answer_look(route: SiteRoute, request: Request) -> Response:
    """Answer a request for a page of a show.

    Raises what handlers raise, but Moved; and TooManyRequests for too many searches.
    """
    asked = _asked(route.reads, request)
    if route.is_search and "q" in asked:
        # Here and not by the handler: who asks for the same at one time gets one answer.
        request.app.state.limits.take_search(client_address(request))
    if request.method == "POST":
        form = read_form(await receive_bytes(request, FORM_LIMIT_BYTES))
        found: Found = await run_in_threadpool(_look, route, request, asked, form)
    else:
        state = request.app.state
        key = _key(request)
        make = partial(_look, route, request, asked, FormValues())
        found = await state.page_loading.once(f"{key}?{asked}", _kept, request, key, asked, make)
    if isinstance(found, Moved):
        return _moved(found.path, request)
    return ReadyResponse(found) if isinstance(found, SitePage) else found


def _asked(reads: Sequence[str], request: Request) -> QueryParams:
    """What a page depends on in the query. All else, such as where a link was shared, changes
    nothing, so that a flood of it makes no page twice."""
    given = request.query_params if reads else QueryParams()
    return QueryParams([(name, given[name]) for name in reads if given.get(name)])


async def answer_plain(route: PlainRoute, request: Request) -> Response:
    """Answer a request for what is no show's."""
    state = request.app.state
    asked = _asked(route.reads, request)
    key = state.catalogue.page_key(request.url.path, b"")

    def make() -> SitePage:
        instance: Instance = state.instance
        with instance.database.read() as session:
            page = route.handler(Plain(instance, session, asked, instance.now(), _cards(request)))
            owners = frozenset([ALL_SHOWS])
            return _site_page(
                page,
                page.body,
                "",
                owners,
                instance,
                uses_query=bool(route.reads),
                is_plain=not asked,
            )

    found = await state.page_loading.once(f"{key}?{asked}", _kept, request, key, asked, make)
    return ReadyResponse(found)


def make_ready(app: Any, route: SiteRoute, parameters: Mapping[str, str], query: str) -> None:
    """Make a page before anybody asks for it, and keep it where it may be.

    `parameters` has the show's slug too. Raises what handlers raise.
    """
    path = f"/{parameters['show']}" + route.path.format_map(parameters)
    request = Request(
        {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode("ascii"),
            "headers": [],
            "path_params": dict(parameters),
            "app": app,
        }
    )
    make = partial(_look, route, request, _asked(route.reads, request), FormValues())
    app.state.catalogue.load_page(_key(request), make)


def _kept(request: Request, key: str, asked: QueryParams, make: Callable[[], Found]) -> Found:
    """The page, kept from now on where it may be."""
    catalogue: Catalogue = request.app.state.catalogue
    # Made meanwhile for somebody whose query was another one, such as where a link was shared.
    page = catalogue.pages.get(key)
    if page is not None and page.is_for(str(asked).encode(), round(time.time() * 1000)):
        return page
    return catalogue.load_page(key, make)


def _look(route: SiteRoute, request: Request, asked: QueryParams, form: FormValues) -> Found:
    instance: Instance = request.app.state.instance
    parameters = dict(request.path_params)
    slug = parameters.pop("show")
    with instance.database.read() as session:
        show = get_show(session, slug)
        is_own = OWN_DOMAIN in request.scope
        look = Look(
            instance=instance,
            session=session,
            show=show,
            parameters=parameters,
            query=asked,
            now=instance.now(),
            prefix="" if is_own else f"/{quote(show.slug)}",
            cards=_cards(request),
            form=form,
            address=client_address(request),
        )
        try:
            page = route.handler(look)
            # What was sent to an old address is done by now; mail programs follow nowhere.
            if show.slug != slug and request.method != "POST":
                raise Moved(look.path(_below(request)))
        except Moved as moved:
            return moved
        except (NotFound, Gone) as error:
            if "text/html" not in request.headers.get("accept", ""):
                raise
            return error_page(error, look, is_framed=route.is_framed)
        return _whole_page(look, page, route, request)


def _below(request: Request) -> str:
    """The path below the show."""
    return "/" + request.url.path.lstrip("/").partition("/")[2]


def _key(request: Request) -> str:
    """What Catalogue.page_key calls the page: as it is made, though the domain be another show's
    in a moment."""
    path: str = request.scope["path"]
    return path.removeprefix("/") if OWN_DOMAIN in request.scope else path


def _moved(path: str, request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query and "?" not in path else ""
    return RedirectResponse(path + query, 301, {"Cache-Control": "public, max-age=3600"})


def _whole_page(look: Look, page: Page, route: SiteRoute, request: Request) -> SitePage:
    style, body = "", page.body
    if page.template:
        style, is_right = style_of(look, _colours(request))
        body = render(look, page, style)
        if not is_right:
            soon = look.now + _TRY_AGAIN
            page = replace(page, expires_at=min(page.expires_at or soon, soon))
    # It names the other editions, and where they are.
    owners = frozenset([look.show.id, *edition_ids(look.session, look.show)])
    return _site_page(
        page,
        body,
        style,
        owners,
        look.instance,
        uses_query=bool(route.reads),
        is_plain=route.method != "POST" and not look.query,
    )


def _site_page(
    page: Page,
    body: bytes,
    style: str,
    owner_ids: frozenset[str],
    instance: Instance,
    *,
    uses_query: bool,
    is_plain: bool,
) -> SitePage:
    """`is_plain` says that it is what everybody gets at its path."""
    is_for_search_engines = page.head is None or page.head.is_indexed
    headers = {
        "content-type": page.content_type,
        "cache-control": _CACHING if page.is_kept else _NOT_KEPT,
        "content-security-policy": policy(instance, style, page.framed_by),
        "x-content-type-options": "nosniff",
        "referrer-policy": "strict-origin-when-cross-origin",
        **({} if is_for_search_engines else {"x-robots-tag": "noindex"}),
        **page.headers,
    }
    expires = page.expires_at
    return SitePage(
        body,
        _as_bytes(headers.items()),
        status=page.status,
        owner_ids=owner_ids,
        expires_at_ms=round(expires.timestamp() * 1000) if expires is not None else None,
        uses_query=uses_query,
        is_kept=page.is_kept and page.status == 200 and is_plain,
    )


def _as_bytes(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]


def _cards(request: Request) -> Cards:
    state = request.app.state
    if not hasattr(state, "cards"):
        state.cards = Cards(state.instance.storage)
    cards: Cards = state.cards
    return cards


def _colours(request: Request) -> PictureColours:
    state = request.app.state
    if not hasattr(state, "picture_colours"):
        state.picture_colours = PictureColours(state.instance.storage)
    colours: PictureColours = state.picture_colours
    return colours


def policy(instance: Instance, style: str = "", framed_by: str = "'none'") -> str:
    """What a page may do: run our scripts, show our pictures, play our audio, and nothing else.

    Nobody but this server, and the store where audio redirects to it, hears of a reader.
    """
    settings = instance.settings
    is_elsewhere = settings.storage.startswith("s3:") and settings.audio_delivery == "redirect"
    styles = f"'self' {style_source(style)}" if style else "'self'"
    media = "*" if is_elsewhere else "'self'"
    return (
        f"default-src 'none'; script-src 'self'; style-src {styles}; img-src 'self' data:; "
        f"media-src {media}; connect-src 'self'; manifest-src 'self'; "
        f"base-uri 'none'; form-action 'self'; frame-ancestors {framed_by}"
    )
