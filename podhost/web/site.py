"""Listeners: the plain public pages of shows and episodes; it changes nothing and runs no script.

Texts are escaped here; only show notes, which were cleaned when they were written, are markup.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from html import escape
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload, selectinload
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from podhost.artwork import artwork_url
from podhost.audio import enclosure_url
from podhost.errors import Gone, NotFound
from podhost.instance import Instance
from podhost.models import Artwork, Credit, Episode, EpisodeSlug, Show
from podhost.shows import feed_path, get_show, list_shows
from podhost.transcripts import transcript_path
from podhost.web.responses import etag_matches

EPISODES_PER_PAGE = 50
_STYLE = """
:root { color-scheme: light dark; font: 1.0625rem/1.55 system-ui, sans-serif }
body { max-width: 42rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; overflow-wrap: break-word }
h1 { line-height: 1.2 } h2 { line-height: 1.3; font-size: 1.2rem; margin-bottom: .25rem }
img { max-width: 100%; height: auto; border-radius: .5rem }
audio { width: 100%; margin: .5rem 0 }
article, li.show { margin: 1.75rem 0 }
ul.plain { list-style: none; padding: 0 }
.quiet { opacity: .75; font-size: .9rem; margin: .15rem 0 }
.lines { white-space: pre-line }
pre { overflow-x: auto } nav { display: flex; gap: 1.5rem }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    # No script, no frame, no form: whatever slipped into a text could do nothing here.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src *; media-src *; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_TRANSCRIPT_KINDS = {
    "vtt": "WebVTT",
    "srt": "SubRip",
    "json": "JSON",
    "html": "HTML",
    "txt": "text",
}


# Handlers. Each is called in a thread, because it asks the database.


def show_list(request: Request) -> Response:
    """`/`: the shows that are here."""
    instance: Instance = request.app.state.instance
    with instance.database.read() as session:
        items = "".join(_show_item(show) for show in list_shows(session))
    shows = f'<ul class="plain">{items}</ul>' if items else "<p>There is no show here yet.</p>"
    return _answer(request, _page("Podcasts", f"<h1>Podcasts</h1>{shows}"))


def show_page(request: Request) -> Response:
    """`/<show>/`: what the show is, how to subscribe, its newest episodes."""
    instance: Instance = request.app.state.instance
    slug, page = request.path_params["show"], _page_number(request)
    with instance.database.read() as session:
        show = get_show(session, slug)
        path = f"/{quote(show.slug)}/"
        if request.url.path != path:
            return _moved(path)
        episodes = _published(session, show, page)
        count = _count_published(session, show)
        if not episodes and page > 1:
            raise NotFound("There are no older episodes.")
        body = _show_header(show, instance.base_url) + "".join(
            _episode_item(show, episode) for episode in episodes
        )
    body += _page_links(path, page, count)
    return _answer(request, _page(show.title, body, show=show, base_url=instance.base_url))


def episode_page(request: Request) -> Response:
    """`/<show>/episodes/<slug>`: the audio with notes, people, chapters and transcripts."""
    instance: Instance = request.app.state.instance
    with instance.database.read() as session:
        show = get_show(session, request.path_params["show"])
        episode = _get_published(session, show, request.path_params["slug"])
        path = episode_path(show, episode)
        if request.url.path != path:
            return _moved(path)
        body = _episode_body(show, episode)
    title = f"{episode.title} · {show.title}"
    return _answer(request, _page(title, body, show=show, base_url=instance.base_url, path=path))


def episode_path(show: Show, episode: Episode) -> str:
    """The path of an episode's page."""
    return f"/{quote(show.slug)}/episodes/{quote(episode.slug)}"


def error_page(status: int, message: str) -> Response:
    """An error for people: one sentence and a way on."""
    body = f'<h1>{escape(message)}</h1><p><a href="/">All podcasts here</a></p>'
    return HTMLResponse(_page(message, body), status, {**_HEADERS, "Cache-Control": "no-store"})


routes = [
    Route("/", show_list),
    Route("/{show}", show_page),
    Route("/{show}/", show_page),
    Route("/{show}/episodes/{slug}", episode_page),
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
    return (
        Episode.show_id == show.id,
        Episode.status == "published",
        Episode.deleted_at.is_(None),
    )


def _get_published(session: Session, show: Show, slug: str) -> Episode:
    """The episode with this slug, also an old one. Raises NotFound, or Gone for what was here."""
    loaded = (
        joinedload(Episode.audio),
        joinedload(Episode.artwork),
        selectinload(Episode.credits),
        selectinload(Episode.chapters),
        selectinload(Episode.transcripts),
    )
    by_slug = select(Episode).where(Episode.show_id == show.id, Episode.slug == slug)
    episode = session.scalar(by_slug.options(*loaded))
    if episode is None:
        old = session.get(EpisodeSlug, (show.id, slug))
        episode = session.get(Episode, old.episode_id, options=loaded) if old else None
    if episode is None or episode.published_at is None or episode.status == "scheduled":
        raise NotFound("There is no such episode here.")
    if episode.deleted_at is not None or episode.status != "published":
        raise Gone("This episode is no longer here.")
    return episode


# Pages


def _page(
    title: str, body: str, *, show: Show | None = None, base_url: str = "", path: str = ""
) -> str:
    links = ""
    if show is not None:
        canonical = base_url + (path or f"/{quote(show.slug)}/")
        links = (
            f'<link rel="canonical" href="{escape(canonical)}">'
            f'<link rel="alternate" type="application/rss+xml" title="{escape(show.title)}"'
            f' href="{escape(base_url + feed_path(show))}">'
        )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>{links}<style>{_STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _show_item(show: Show) -> str:
    return (
        f'<li class="show"><h2><a href="/{quote(show.slug)}/">{_text(show, show.title)}</a></h2>'
        f'<p class="lines">{_text(show, show.description)}</p>'
        f'<p class="quiet"><a href="{escape(feed_path(show))}">Feed</a></p></li>'
    )


def _show_header(show: Show, base_url: str) -> str:
    feed_url = escape(base_url + feed_path(show))
    author = f'<p class="quiet">{_text(show, show.author)}</p>' if show.author else ""
    website = f' · <a href="{escape(show.link)}">Website</a>' if show.link else ""
    return (
        f"<header>{_picture(show.artwork)}<h1>{_text(show, show.title)}</h1>{author}"
        f'<p class="lines">{_text(show, show.description)}</p>'
        f'<p>Subscribe in any podcast app: <a href="{feed_url}">{feed_url}</a>{website}</p>'
        "</header>"
    )


def _episode_item(show: Show, episode: Episode) -> str:
    return (
        f'<article><h2><a href="{episode_path(show, episode)}">{_text(show, episode.title)}</a>'
        f"</h2>{_dateline(show, episode)}{_player(episode)}</article>"
    )


def _episode_body(show: Show, episode: Episode) -> str:
    language = escape(show.language)
    return (
        f'<nav aria-label="Show"><a href="/{quote(show.slug)}/">{_text(show, show.title)}</a></nav>'
        f"<article><header>{_picture(episode.artwork or show.artwork)}"
        f"<h1>{_text(show, episode.title)}</h1>{_dateline(show, episode)}</header>"
        f'{_player(episode)}<div lang="{language}" dir="auto">{episode.notes_html}</div>'
        f"{_people(show, episode.credits)}{_chapters(show, episode)}{_transcripts(episode)}"
        "</article>"
    )


def _dateline(show: Show, episode: Episode) -> str:
    parts = []
    if episode.published_at is not None:
        parts.append(_date(episode.published_at, show.time_zone))
    if episode.audio is not None:
        parts.append(_duration(episode.audio.duration_ms))
    if episode.season:
        parts.append(f"Season {episode.season}")
    if episode.number:
        parts.append(f"Episode {episode.number}")
    if episode.episode_type != "full":
        parts.append(escape(episode.episode_type.capitalize()))
    return f'<p class="quiet">{" · ".join(parts)}</p>'


def _player(episode: Episode) -> str:
    if episode.audio is None:
        return ""
    url = escape(enclosure_url("", episode.audio))
    label = escape(f"Listen to {episode.title}")
    return (
        f'<audio controls preload="none" src="{url}" aria-label="{label}"></audio>'
        f'<p class="quiet"><a href="{url}">Download</a></p>'
    )


def _people(show: Show, credits: Sequence[Credit]) -> str:
    return _section("With", "".join(f"<li>{_person(show, credit)}</li>" for credit in credits))


def _person(show: Show, credit: Credit) -> str:
    name = _text(show, credit.name)
    if credit.url:
        name = f'<a href="{escape(credit.url)}" rel="nofollow">{name}</a>'
    bio = f": {_text(show, credit.bio)}" if credit.bio else ""
    return f"{name} ({escape(credit.role)}){bio}"


def _chapters(show: Show, episode: Episode) -> str:
    if episode.audio is None:
        return ""
    url = escape(enclosure_url("", episode.audio))
    items = ""
    for chapter in episode.chapters:
        if not chapter.is_hidden:
            # A media fragment (W3C): browsers begin to play there.
            link = f'<a href="{url}#t={chapter.start_ms / 1000:g}">{_clock(chapter.start_ms)}</a>'
            items += f"<li>{link} {_text(show, chapter.title or '')}</li>"
    return _section("Chapters", items)


def _transcripts(episode: Episode) -> str:
    items = ""
    for transcript in episode.transcripts:
        kind = _TRANSCRIPT_KINDS.get(transcript.extension, transcript.extension)
        language = f", {escape(transcript.language)}" if transcript.language else ""
        path = escape(transcript_path(transcript))
        items += f'<li><a href="{path}">Transcript as {escape(kind)}</a>{language}</li>'
    return _section("Transcript", items)


def _section(title: str, items: str) -> str:
    return f'<section><h2>{title}</h2><ul class="plain">{items}</ul></section>' if items else ""


def _page_links(path: str, page: int, count: int) -> str:
    links = ""
    if page > 1:
        newer = path if page == 2 else f"{path}?page={page - 1}"
        links += f'<a rel="prev" href="{newer}">Newer episodes</a>'
    if page * EPISODES_PER_PAGE < count:
        links += f'<a rel="next" href="{path}?page={page + 1}">Older episodes</a>'
    return f'<nav aria-label="More episodes">{links}</nav>' if links else ""


def _picture(artwork: Artwork | None) -> str:
    if artwork is None:
        return ""
    url = escape(artwork_url("", artwork, size=600))
    return f'<img src="{url}" alt="" width="240" height="240">'


def _text(show: Show, text: str) -> str:
    # Each text finds its own direction, so that Arabic or Hebrew stands right on this page.
    return f'<span lang="{escape(show.language)}" dir="auto">{escape(text)}</span>' if text else ""


def _date(moment: datetime, time_zone: str) -> str:
    local = moment.astimezone(ZoneInfo(time_zone))
    shown = f"{local.day} {_MONTHS[local.month - 1]} {local.year}"
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{shown}</time>'


def _duration(duration_ms: int) -> str:
    minutes = max(1, round(duration_ms / 60_000))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _clock(moment_ms: int) -> str:
    seconds = moment_ms // 1000
    minutes, hours = seconds // 60 % 60, seconds // 3600
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


# Answers


def _page_number(request: Request) -> int:
    text = request.query_params.get("page", "1")
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 6 or int(text) < 1:
        raise NotFound("There is no such page.")
    return int(text)


def _moved(path: str) -> Response:
    return RedirectResponse(path, 301, {"Cache-Control": "public, max-age=3600"})


def _answer(request: Request, page: str) -> Response:
    body = page.encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": etag, "Cache-Control": "public, max-age=60"}
    known = request.headers.get("if-none-match")
    if known is not None and etag_matches(known.encode("latin-1"), etag.encode()):
        return Response(status_code=304, headers=headers)
    return HTMLResponse(body, headers=headers)
