"""What the public pages consist of, as HTML; it answers nothing and asks no database.

Texts are escaped here; only show notes, which were cleaned when they were written, are markup.
"""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from urllib.parse import quote

from podhost.artwork import artwork_url
from podhost.audio import enclosure_url
from podhost.feed_formats import JSON, further
from podhost.formats.feed_rules import further_path, further_title
from podhost.formats.feed_tags import stored_show_tags
from podhost.formats.markdown import notes_text, truncate_html
from podhost.formats.text import plain_line, truncate_text
from podhost.models import Artwork, Credit, Episode, Show, Transcript
from podhost.shows import feed_path, new_feed_url
from podhost.transcripts import transcript_path
from podhost.web import wording

EPISODES_PER_PAGE = 50
_SUMMARY_CHARS = 240
_STYLE = (files("podhost") / "static" / "site.css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_ICON = "data:image/svg+xml," + quote(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<circle cx="8" cy="8" r="8" fill="#0b57b0"/><path d="M6 4l6 4-6 4z" fill="#fff"/></svg>'
)
# Of the forms of a transcript, the one that a person reads best stands first.
_READABLE = ("html", "txt", "vtt", "srt", "json")


# Pages


def whole_page(title: str, body: str, *, head: str = "", language: str = "en") -> str:
    """The document around a body, with its style, in the direction of its language."""
    direction = ' dir="rtl"' if wording.is_right_to_left(language) else ""
    return (
        f'<!doctype html><html lang="{escape(language)}"{direction}><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="{_ICON}">{head}'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def page_head(
    show: Show, artwork: Artwork | None, title: str, description: str, base_url: str, path: str
) -> str:
    """What programs look for: the page's address, the feed, and what a shared link shows."""
    address, feed_url = escape(base_url + path), escape(_feed_url(show, base_url))
    summary = escape(_shortened(plain_line(description)))
    picture = escape(artwork_url(base_url, artwork, size=1200)) if artwork is not None else ""
    shared = {"title": escape(title), "url": address, "description": summary, "image": picture}
    described = f'<meta name="description" content="{summary}">' if summary else ""
    feeds = _feed_link("application/rss+xml", show.title, feed_url)
    # Where a show has moved to, we know of one feed only.
    if not new_feed_url(show):
        json_url = escape(base_url + JSON.path(show.slug))
        feeds += _feed_link(JSON.content_type, show.title, json_url)
        for rule in stored_show_tags(show.tags).feeds:
            if not rule.is_private:
                url = escape(base_url + further(further_path(rule.name)).path(show.slug))
                feeds += _feed_link("application/rss+xml", further_title(show.title, rule), url)
    return (
        f'{described}<link rel="canonical" href="{address}">'
        f'{feeds}<meta property="og:type" content="website">'
    ) + "".join(
        f'<meta property="og:{name}" content="{value}">' for name, value in shared.items() if value
    )


def _feed_link(mime_type: str, title: str, url: str) -> str:
    return f'<link rel="alternate" type="{mime_type}" title="{escape(title)}" href="{url}">'


NO_SHOWS = (
    "<p>There is no show here yet.</p><p>Whoever runs this podhost makes one with "
    "<code>podhost publish my-show/</code>, where <code>my-show/</code> holds a "
    "<code>show.toml</code> with a title, and audio files. <code>podhost demo</code> "
    "shows how it looks.</p>"
)


ALL_FEEDS = (
    '<p class="entry quiet"><a href="/shows.opml">All feeds as OPML</a>, which podcast apps import'
    "</p>"
)


def footer(show: Show | None = None) -> str:
    """What stands below every page; `show` is the one whose page it is."""
    words = "All podcasts here" if show is None else _ours(show, "All podcasts here")
    return f'<footer><p class="quiet"><a href="/">{words}</a></p></footer>'


def show_item(show: Show) -> str:
    """A show in the list of all of them."""
    description = _shortened(show.description)
    return (
        f'<li class="entry show">{_picture(show.artwork, 300)}<div class="beside">'
        f'<h2><a href="/{quote(show.slug)}/">{foreign(show, show.title)}</a></h2>'
        f'<p class="lines">{foreign(show, description)}</p>'
        f'<p class="quiet"><a href="{escape(feed_path(show))}">Feed</a></p></div></li>'
    )


def show_header(show: Show, base_url: str) -> str:
    """What a show is, and how to subscribe to it."""
    feed_url = _feed_url(show, base_url)
    author = f'<p class="quiet">{_text(show.author)}</p>' if show.author else ""
    website = ""
    if show.link:
        website = f'<p><a href="{escape(show.link)}">{_ours(show, "The show’s website")}</a></p>'
    return (
        f'<header><div class="top">{_picture(show.artwork, 600)}<div class="beside">'
        f"<h1>{_text(show.title)}</h1>{author}</div></div>"
        f'<p class="lines" dir="auto">{escape(show.description)}</p>'
        f"{_ways_to_subscribe(show, feed_url)}{website}</header>"
    )


def _ways_to_subscribe(show: Show, feed_url: str) -> str:
    """A button for each app that takes any feed, and the address for all others."""
    bare, quoted = feed_url.partition("://")[2], quote(feed_url, safe="")
    apps = {
        "Apple Podcasts": f"podcast://{bare}",
        "Pocket Casts": f"pktc://subscribe/{bare}",
        "Overcast": f"overcast://x-callback-url/add?url={quoted}",
        "AntennaPod": f"https://antennapod.org/deeplink/subscribe?url={quoted}",
    }
    buttons = "".join(
        f'<li><a class="button" href="{escape(url)}">{name}</a></li>' for name, url in apps.items()
    )
    subscribe = _ours(show, "Subscribe in your app:")
    otherwise = _ours(show, "Or copy this address into any podcast app:")
    return (
        f'<p>{subscribe}</p><ul class="plain buttons">{buttons}</ul>'
        # No link: in a browser, it would lead here again.
        f'<p>{otherwise} <code class="address">{escape(feed_url)}</code></p>'
    )


def episode_list(show: Show, episodes: Sequence[Episode]) -> str:
    """The episodes of a page, each with its player."""
    if not episodes:
        words = "There is no episode yet. Whoever subscribes now will hear the first one."
        return f'<p class="entry">{_ours(show, words)}</p>'
    return "".join(_episode_item(show, episode) for episode in episodes)


def _episode_item(show: Show, episode: Episode) -> str:
    heading = f"episode-{episode.id}"
    summary = episode_summary(episode)
    return (
        f'<article class="entry"><h2 id="{heading}"><a href="{episode_path(show, episode)}">'
        f"{_text(episode.title)}</a></h2>{_dateline(show, episode, with_time=False)}"
        + (f'<p dir="auto">{escape(summary)}</p>' if summary else "")
        + f"{_player(show, episode, heading)}</article>"
    )


def episode_body(show: Show, episode: Episode, people: Sequence[Credit]) -> str:
    """All of an episode: player, notes, people, chapters, transcripts."""
    return (
        f'<nav aria-label="Show"><a href="/{quote(show.slug)}/">{_text(show.title)}</a></nav>'
        f'<main><article><header class="top">{_picture(episode.artwork or show.artwork, 600)}'
        f'<div class="beside"><h1 id="title">{_text(episode.title)}</h1>'
        f"{_dateline(show, episode, with_time=True)}</div></header>"
        f'{_player(show, episode, "title")}<div dir="auto">{_notes(episode)}</div>'
        f"{people_section(show, people)}{_chapters(show, episode)}"
        f"{_transcripts(show, episode)}</article></main>"
    )


def _dateline(show: Show, episode: Episode, *, with_time: bool) -> str:
    parts = []
    if episode.published_at is not None:
        parts.append(wording.date(episode.published_at, show.time_zone, with_time=with_time))
    if episode.audio is not None:
        parts.append(wording.duration(episode.audio.duration_ms))
    if episode.season:
        name = f": {_text(episode.season_name)}" if episode.season_name else ""
        parts.append(f"Season {episode.season}{name}")
    if episode.number:
        parts.append(f"Episode {episode.number}")
    if episode.episode_type != "full":
        parts.append(escape(episode.episode_type.capitalize()))
    if show.explicit if episode.explicit is None else episode.explicit:
        parts.append("Explicit")
    return f'<p class="quiet">{_ours(show, " · ".join(parts))}</p>'


def _player(show: Show, episode: Episode, heading: str) -> str:
    """The browser's own player, which fetches nothing before it is asked to."""
    audio = episode.audio
    if audio is None:
        return ""
    url = escape(enclosure_url("", audio))
    words = _ours(show, f"Download ({audio.extension.upper()}, {wording.size(audio.size_bytes)})")
    return (
        f'<audio controls preload="none" src="{url}" aria-labelledby="{heading}"></audio>'
        f'<p class="quiet"><a href="{url}?download=1" download aria-describedby="{heading}">'
        f"{words}</a></p>"
    )


def people_section(show: Show, credits: Sequence[Credit]) -> str:
    """Who is heard, with pictures that lie here; "" for nobody."""
    items = "".join(f"<li>{_person(show, credit)}</li>" for credit in credits)
    return _section(show, "People", f'<ul class="plain people">{items}</ul>' if items else "")


def _person(show: Show, credit: Credit) -> str:
    name = _text(credit.name)
    if credit.url:
        name = f'<a href="{escape(credit.url)}" rel="nofollow">{name}</a>'
    bio = f'<br><span class="lines">{_text(credit.bio)}</span>' if credit.bio else ""
    # Pictures that lie elsewhere stay away: their host would learn who reads this page.
    role = _ours(show, f"({escape(credit.role)})")
    return f'{_picture(credit.artwork, 300)}<div class="beside">{name} {role}{bio}</div>'


def _chapters(show: Show, episode: Episode) -> str:
    if episode.audio is None:
        return ""
    url = escape(enclosure_url("", episode.audio))
    items = ""
    shown = [chapter for chapter in episode.chapters if not chapter.is_hidden]
    for number, chapter in enumerate(shown, start=1):
        title = _text(chapter.title or "") or _ours(show, f"Chapter {number}")
        # A media fragment (W3C): browsers begin to play there.
        items += (
            f'<li><a href="{url}#t={chapter.start_ms / 1000:g}">'
            f'<span class="clock">{wording.clock(chapter.start_ms)}</span>{title}</a></li>'
        )
    return _section(show, "Chapters", f'<ol class="plain chapters">{items}</ol>' if items else "")


def _transcripts(show: Show, episode: Episode) -> str:
    items = ""
    best: dict[str, Transcript] = {}
    for transcript in episode.transcripts:
        language = transcript.language or show.language
        rival = best.setdefault(language, transcript)
        if _READABLE.index(transcript.extension) < _READABLE.index(rival.extension):
            best[language] = transcript
    for code, transcript in best.items():
        language = escape(code)
        named = "" if code == show.language else f" ({language})"
        words = _ours(show, f"Read the transcript{named}")
        path = escape(transcript_path(transcript))
        items += f'<li><a href="{path}" hreflang="{language}">{words}</a></li>'
    return _section(show, "Transcript", f'<ul class="plain">{items}</ul>' if items else "")


def _section(show: Show, title: str, body: str) -> str:
    return f"<section><h2>{_ours(show, title)}</h2>{body}</section>" if body else ""


def page_links(show: Show, path: str, page: int, count: int) -> str:
    """The ways to newer and older episodes, of which there are `count` in all."""
    links = ""
    if page > 1:
        newer = path if page == 2 else f"{path}?page={page - 1}"
        links += f'<a rel="prev" href="{newer}">{_ours(show, "Newer episodes")}</a>'
    if page * EPISODES_PER_PAGE < count:
        older = f"{path}?page={page + 1}"
        links += f'<a rel="next" href="{older}">{_ours(show, "Older episodes")}</a>'
    return f'<nav class="entry" aria-label="More episodes">{links}</nav>' if links else ""


# Words


def _picture(artwork: Artwork | None, size_px: int) -> str:
    """A picture that says nothing beside its title; the style scales it, its place is kept."""
    if artwork is None:
        return ""
    url = escape(artwork_url("", artwork, size=size_px))
    return f'<img src="{url}" alt="" width="{size_px}" height="{size_px}">'


def _text(text: str) -> str:
    # Each text finds its own direction: an Arabic title stands right on an English page.
    return f"<bdi>{escape(text)}</bdi>" if text else ""


def foreign(show: Show, text: str) -> str:
    """A show's text on a page that is not the show's."""
    return f'<bdi lang="{escape(show.language)}">{escape(text)}</bdi>' if text else ""


def _ours(show: Show, words: str) -> str:
    """Words of podhost, which are English, on the page of a show that may not be."""
    if show.language.lower().split("-")[0] == "en":
        return words
    return f'<span lang="en" dir="ltr">{words}</span>'


def episode_summary(episode: Episode) -> str:
    """How the notes begin, as plain text on one line."""
    # They may be long; the first few lines are enough.
    beginning = notes_text(truncate_html(episode.notes_html, 4 * _SUMMARY_CHARS))
    return _shortened(" ".join(beginning.split()))


def _shortened(text: str) -> str:
    """The beginning, up to a whole word where the language parts its words."""
    cut = truncate_text(text, _SUMMARY_CHARS)
    if cut == text:
        return text
    return (cut.rpartition(" ")[0] or cut[:-1]).rstrip(" .,;:!?") + "…"


def _notes(episode: Episode) -> str:
    # Below the title comes the second level, whichever the host began with (WCAG 1.3.1).
    notes = episode.notes_html
    return notes if "<h2>" in notes else notes.replace("<h3>", "<h2>").replace("</h3>", "</h2>")


def _feed_url(show: Show, base_url: str) -> str:
    """Where to subscribe: at the new address, once a show has moved."""
    return new_feed_url(show) or base_url + feed_path(show)


def episode_path(show: Show, episode: Episode) -> str:
    """The path of an episode's page."""
    return f"/{quote(show.slug)}/episodes/{quote(episode.slug)}"
