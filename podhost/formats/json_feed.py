"""Renders a show as the bytes of its JSON Feed 1.1: a pure function of the values of its RSS feed.

It reads no clock and no database. What JSON Feed has no word for stands in `_podcast`, in the
words of the RSS tags.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from podhost.formats.feed_shell import FeedShell, Item, newest_first, whole_feed
from podhost.formats.feed_values import (
    MAX_DESCRIPTION_BYTES,
    FeedEpisode,
    FeedPerson,
    FeedShow,
)
from podhost.formats.feed_words import NAMESPACES
from podhost.formats.languages import is_language_code
from podhost.formats.markdown import truncate_html
from podhost.formats.text import (
    absolute_url,
    clean_text,
    plain_line,
    plain_text,
    remove_forbidden,
)

VERSION = "https://jsonfeed.org/version/1.1"

_UNTITLED = "Untitled"
_FOOT = b"]}"


def render_json_feed(show: FeedShow, episodes: Sequence[FeedEpisode], *, feed_url: str) -> bytes:
    """Give the JSON Feed of a show, UTF-8, newest episode first, in whatever order they come.

    `feed_url` is its own address; the RSS feed's stands in `_podcast`. Pure and byte-stable. As
    in the RSS feed, above 2 MB only the newest 100 episodes keep their whole notes. No hub is
    named, because hubs are told of the RSS feed alone. Raises ValueError for an address that is
    relative or otherwise of no use.
    """
    return whole_feed(json_shell(show, feed_url=feed_url), newest_first(episodes))


def json_shell(show: FeedShow, *, feed_url: str) -> FeedShell:
    """Give the JSON Feed of a show without its episodes."""
    # The episodes stand in the list at its end.
    head = _serialised(_feed(show, feed_url)).removesuffix(_FOOT)
    return FeedShell(head, b",", _FOOT + b"\n", (), lambda _: _write_item)


def _write_item(episode: FeedEpisode) -> Item:
    item = _item(episode)
    whole = _serialised(item)
    notes = truncate_html(item["content_html"], MAX_DESCRIPTION_BYTES)
    if notes == item["content_html"]:
        return Item(whole, whole)
    return Item(whole, _serialised(item | {"content_html": notes}))


def _feed(show: FeedShow, feed_url: str) -> dict[str, Any]:
    author = plain_line(show.author)
    return {
        "version": VERSION,
        "title": plain_line(show.title) or _UNTITLED,
        "home_page_url": absolute_url(show.url),
        "feed_url": absolute_url(feed_url),
        **_given(description=plain_text(show.description)),
        "icon": absolute_url(show.artwork_url),
        **_given(authors=[{"name": author}] if author else []),
        "language": show.language,
        # It has no word for a feed that goes on elsewhere; here it ends.
        **_given(expired=show.is_complete or show.has_moved),
        "_podcast": {
            "about": NAMESPACES["podcast"],
            "guid": show.podcast_guid,
            "rss_url": absolute_url(show.feed_url),
            "medium": show.medium,
            "type": show.show_type,
            "explicit": show.explicit,
            "locked": show.is_locked,
            "categories": [[name for name in pair if name] for pair in show.categories],
            **_given(
                copyright=plain_line(show.copyright or ""),
                persons=_persons(show.people),
                new_feed_url=absolute_url(show.new_feed_url) if show.new_feed_url else None,
                blocked=show.is_blocked,
            ),
        },
        "items": [],
    }


def _item(episode: FeedEpisode) -> dict[str, Any]:
    title = plain_line(episode.title) or _UNTITLED
    # Each item must have content (JSON Feed 1.1).
    notes = clean_text(episode.notes_html) or f"<p>{escape(title, quote=False)}</p>"
    if episode.is_slim:
        notes = truncate_html(notes, MAX_DESCRIPTION_BYTES)
    author = plain_line(episode.author or "")
    return {
        "id": remove_forbidden(episode.guid),
        "url": absolute_url(episode.url),
        "title": title,
        "content_html": notes,
        **_given(
            image=absolute_url(episode.artwork_url) if episode.artwork_url else None,
            authors=[{"name": author}] if author else [],
        ),
        "date_published": _rfc3339(episode.published_at),
        "attachments": [
            {
                "url": absolute_url(episode.enclosure_url),
                "mime_type": episode.enclosure_type,
                "size_in_bytes": episode.enclosure_size_bytes,
                "duration_in_seconds": max(1, round(episode.duration_seconds)),
            }
        ],
        "_podcast": _episode_words(episode),
    }


def _language(code: str | None) -> str | None:
    """The language, where it is one that is known, as the RSS feed has it."""
    return code.lower() if code and is_language_code(code) else None


def _episode_words(episode: FeedEpisode) -> dict[str, Any]:
    transcripts = [
        {"url": absolute_url(transcript.url), "type": transcript.mime_type}
        | _given(language=_language(transcript.language), rel=transcript.rel)
        for transcript in episode.transcripts
    ]
    return {
        "episode_type": episode.episode_type,
        "explicit": episode.explicit,
        **_given(
            season=episode.season,
            season_name=plain_line(episode.season_name or ""),
            episode=episode.number,
            persons=_persons(episode.people),
            transcripts=transcripts,
            chapters_url=absolute_url(episode.chapters_url) if episode.chapters_url else None,
            blocked=episode.is_blocked,
        ),
    }


def _persons(people: Iterable[FeedPerson]) -> list[dict[str, str]]:
    return [
        {"name": name, "role": person.role, "group": person.group}
        | _given(
            href=absolute_url(person.url) if person.url else None,
            img=absolute_url(person.image_url) if person.image_url else None,
        )
        for person in people
        if (name := plain_line(person.name))
    ]


def _rfc3339(moment: datetime) -> str:
    """An aware time as "2024-03-05T09:05:00Z", in whole seconds as in the RSS feed."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _given(**values: Any) -> dict[str, Any]:
    """Those that say something: an empty text or list, None and False are left out."""
    return {name: value for name, value in values.items() if value}


def _serialised(feed: dict[str, Any]) -> bytes:
    return json.dumps(feed, ensure_ascii=False, separators=(",", ":")).encode()
