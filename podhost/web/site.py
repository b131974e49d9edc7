"""Listeners: the plain public pages of shows and episodes; it changes nothing and runs no script.

The HTML is made in page_parts.py.
"""

import hashlib
from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload, selectinload
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from podhost.errors import Gone, NotFound
from podhost.feeds import episode_people
from podhost.fields import may_be_slug
from podhost.instance import Instance
from podhost.models import Credit, Episode, EpisodeSlug, Show
from podhost.people import list_credits
from podhost.shows import get_show, list_shows
from podhost.web.page_parts import (
    ALL_FEEDS,
    EPISODES_PER_PAGE,
    NO_SHOWS,
    STYLE_HASH,
    episode_body,
    episode_list,
    episode_path,
    episode_summary,
    footer,
    foreign,
    page_head,
    page_links,
    people_section,
    show_header,
    show_item,
    whole_page,
)
from podhost.web.responses import error_status, etag_matches

# Handlers. Each is called in a thread, because it asks the database.


def show_list(request: Request) -> Response:
    """`/`: the shows that are here."""
    instance: Instance = request.app.state.instance
    with instance.database.read() as session:
        items = "".join(show_item(show) for show in list_shows(session))
    shows = f'<ul class="plain">{items}</ul>{ALL_FEEDS}' if items else NO_SHOWS
    return _answer(request, whole_page("Podcasts", f"<main><h1>Podcasts</h1>{shows}</main>"))


def show_page(request: Request) -> Response:
    """`/<show>/`: what the show is, how to subscribe, its newest episodes."""
    instance: Instance = request.app.state.instance
    slug, page = request.path_params["show"], _page_number(request)
    with instance.database.read() as session:
        show = get_show(session, slug)
        path = f"/{quote(show.slug)}/"
        if request.url.path != path:
            return _moved(path, request)
        episodes = _published(session, show, page)
        if not episodes and page > 1:
            raise NotFound("There are no older episodes.")
        hosts = list_credits(session, show, None) if page == 1 else []
        links = page_links(show, path, page, _count_published(session, show))
        body = (
            f"<main>{show_header(show, instance.base_url)}{episode_list(show, episodes)}{links}"
            f"{people_section(show, hosts)}</main>{footer(show)}"
        )
        title = show.title if page == 1 else f"{show.title} · {page}"
        path = path if page == 1 else f"{path}?page={page}"
        head = page_head(show, show.artwork, title, show.description, instance.base_url, path)
        return _answer(request, whole_page(title, body, head=head, language=show.language))


def episode_page(request: Request) -> Response:
    """`/<show>/episodes/<slug>`: the audio with notes, people, chapters and transcripts."""
    instance: Instance = request.app.state.instance
    with instance.database.read() as session:
        show = get_show(session, request.path_params["show"])
        try:
            episode = _get_published(session, show, request.path_params["slug"])
        except NotFound as error:
            if "text/html" not in request.headers.get("accept", ""):
                raise
            return error_page(error_status(error.code), error.message, show)
        path = episode_path(show, episode)
        if request.url.path != path:
            return _moved(path, request)
        hosts = list_credits(session, show, None)
        people = episode_people(hosts, episode.credits) or hosts
        body = episode_body(show, episode, people) + footer(show)
        title, artwork = f"{episode.title} · {show.title}", episode.artwork or show.artwork
        described = episode_summary(episode)
        head = page_head(show, artwork, episode.title, described, instance.base_url, path)
        return _answer(request, whole_page(title, body, head=head, language=show.language))


def error_page(status: int, message: str, show: Show | None = None) -> Response:
    """An error for people: one sentence and a way on, to the show where there still is one."""
    titles = {404: "Not found", 410: "No longer here", 503: "Back in a moment"}
    title = titles.get(status, "This did not work")
    way_on = ""
    if show is not None:
        words = f"All episodes of {foreign(show, show.title)}"
        way_on = f'<p><a href="/{quote(show.slug)}/">{words}</a></p>'
    body = f"<main><h1>{title}</h1><p>{escape(message)}</p>{way_on}</main>{footer()}"
    headers = {**_headers("'self'"), "Cache-Control": "no-store"}
    return HTMLResponse(whole_page(title, body), status, headers)


routes = [
    Route("/", show_list),
    Route("/{show}", show_page),
    Route("/{show}/", show_page),
    Route("/{show}/episodes/{slug}", episode_page),
    Route("/{show}/episodes/{slug}/", episode_page),
]


# Rows


def _published(session: Session, show: Show, page: int) -> Sequence[Episode]:
    return session.scalars(
        select(Episode)
        .where(*_is_published(show))
        .order_by(Episode.published_at.desc(), Episode.id)
        .limit(EPISODES_PER_PAGE)
        .offset((page - 1) * EPISODES_PER_PAGE)
        .options(joinedload(Episode.audio))
    ).all()


def _count_published(session: Session, show: Show) -> int:
    return session.scalar(select(func.count(Episode.id)).where(*_is_published(show))) or 0


def _is_published(show: Show) -> tuple[ColumnElement[bool], ...]:
    is_there = Episode.deleted_at.is_(None)
    return Episode.show_id == show.id, Episode.status == "published", is_there


def _get_published(session: Session, show: Show, slug: str) -> Episode:
    """The episode with this slug, also an old one. Raises NotFound, or Gone for what was here."""
    loaded = (
        joinedload(Episode.audio),
        joinedload(Episode.artwork),
        selectinload(Episode.credits).joinedload(Credit.artwork),
        selectinload(Episode.chapters),
        selectinload(Episode.transcripts),
    )
    by_slug = select(Episode).where(Episode.show_id == show.id, Episode.slug == slug)
    is_possible = may_be_slug(slug)
    episode = session.scalar(by_slug.options(*loaded)) if is_possible else None
    if episode is None and is_possible:
        old = session.get(EpisodeSlug, (show.id, slug))
        episode = session.get(Episode, old.episode_id, options=loaded) if old else None
    if episode is None or episode.published_at is None or episode.status == "scheduled":
        raise NotFound("There is no such episode here.")
    if episode.deleted_at is not None or episode.status != "published":
        raise Gone("This episode was here once, and was taken away.")
    return episode


# Answers


def _page_number(request: Request) -> int:
    text = request.query_params.get("page", "1")
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 6 or int(text) < 1:
        raise NotFound("There is no such page.")
    return int(text)


def _moved(path: str, request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(path + query, 301, {"Cache-Control": "public, max-age=3600"})


def _headers(media: str) -> dict[str, str]:
    return {
        # No script, no frame, no form: whatever slipped into a text could do nothing here, and
        # nobody but this server, and the store where audio redirects to it, hears of a reader.
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src 'self' data:; "
            f"media-src {media}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin",
    }


def _answer(request: Request, page: str) -> Response:
    instance: Instance = request.app.state.instance
    settings = instance.settings
    is_elsewhere = settings.storage.startswith("s3:") and settings.audio_delivery == "redirect"
    media = "*" if is_elsewhere else "'self'"
    body = page.encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**_headers(media), "ETag": etag, "Cache-Control": "public, max-age=60"}
    known = request.headers.get("if-none-match")
    if known is not None and etag_matches(known.encode("latin-1"), etag.encode()):
        return Response(status_code=304, headers=headers)
    return HTMLResponse(body, headers=headers)
