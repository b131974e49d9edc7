"""Feeds of a show's articles, Atom (RFC 4287) and JSON Feed 1.1: pure functions of values.

They read no clock and no database; the same values give the same bytes.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from podhost.formats.text import remove_forbidden

ATOM_TYPE = "application/atom+xml"
JSON_FEED_TYPE = "application/feed+json"
_JSON_FEED_VERSION = "https://jsonfeed.org/version/1.1"
# The date of a feed in which nothing is yet.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class FeedAuthor:
    """Who wrote an article; addresses are absolute."""

    name: str
    url: str | None = None
    picture_url: str | None = None


@dataclass(frozen=True)
class FeedArticle:
    """An article: `html` is its whole text, clean. `id` is `article_id`'s. Dates are aware."""

    id: str
    url: str
    title: str
    summary: str
    html: str
    published_at: datetime
    # Of the last change that readers are told of; else as `published_at`.
    updated_at: datetime
    authors: tuple[FeedAuthor, ...] = ()
    categories: tuple[str, ...] = ()
    picture_url: str | None = None


@dataclass(frozen=True)
class ArticleFeed:
    """What a feed says of itself: `id` as `feed_id` gives it, addresses absolute."""

    id: str
    title: str
    description: str
    language: str
    home_url: str
    atom_url: str
    json_url: str
    author: str
    icon_url: str | None = None


def feed_id(podcast_guid: str) -> str:
    """The feed's identity for readers, which no move to another address changes."""
    return f"urn:uuid:{uuid.uuid5(_namespace(podcast_guid), 'articles')}"


def article_id(podcast_guid: str, row_id: str) -> str:
    """An article's identity for readers: of the show and the row, whatever its address is."""
    return f"urn:uuid:{uuid.uuid5(_namespace(podcast_guid), f'article {row_id}')}"


def _namespace(podcast_guid: str) -> uuid.UUID:
    try:
        return uuid.UUID(podcast_guid)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_URL, podcast_guid)


def render_atom(feed: ArticleFeed, articles: Sequence[FeedArticle]) -> bytes:
    """The Atom feed, UTF-8, with the articles in the order in which they come."""
    updated_at = max((article.updated_at for article in articles), default=_NEVER)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang={_quoted(feed.language)}>',
        _element("id", feed.id),
        _element("title", feed.title),
        *([_element("subtitle", feed.description)] if feed.description else []),
        _element("updated", _moment(updated_at)),
        f'<link rel="self" type="{ATOM_TYPE}" href={_quoted(feed.atom_url)}/>',
        f'<link rel="alternate" type="text/html" href={_quoted(feed.home_url)}/>',
        *([_element("icon", feed.icon_url)] if feed.icon_url else []),
        f"<author>{_element('name', feed.author or feed.title)}</author>",
    ]
    for article in articles:
        lines += _entry(article)
    return ("\n".join([*lines, "</feed>"]) + "\n").encode()


def _entry(article: FeedArticle) -> list[str]:
    lines = [
        "<entry>",
        _element("id", article.id),
        _element("title", article.title),
        f'<link rel="alternate" type="text/html" href={_quoted(article.url)}/>',
        _element("published", _moment(article.published_at)),
        _element("updated", _moment(article.updated_at)),
    ]
    for author in article.authors:
        site = _element("uri", author.url) if author.url else ""
        lines.append(f"<author>{_element('name', author.name)}{site}</author>")
    lines += [f"<category term={_quoted(name)}/>" for name in article.categories]
    if article.summary:
        lines.append(_element("summary", article.summary))
    return [*lines, f'<content type="html">{_text(article.html)}</content>', "</entry>"]


def render_article_json(feed: ArticleFeed, articles: Sequence[FeedArticle]) -> bytes:
    """The JSON Feed, UTF-8, with the articles in the order in which they come."""
    values: dict[str, Any] = {
        "version": _JSON_FEED_VERSION,
        "title": feed.title,
        "home_page_url": feed.home_url,
        "feed_url": feed.json_url,
        "description": feed.description,
        "language": feed.language,
        "icon": feed.icon_url,
        "authors": [{"name": feed.author}] if feed.author else [],
        "items": [_item(article) for article in articles],
    }
    body = json.dumps(_said(values), ensure_ascii=False, separators=(",", ":"))
    return remove_forbidden(body).encode() + b"\n"


def _item(article: FeedArticle) -> dict[str, Any]:
    changed_at = article.updated_at if article.updated_at > article.published_at else None
    return _said(
        {
            "id": article.id,
            "url": article.url,
            "title": article.title,
            "summary": article.summary,
            "content_html": article.html,
            "image": article.picture_url,
            "date_published": _moment(article.published_at),
            "date_modified": _moment(changed_at) if changed_at is not None else None,
            "authors": [
                _said({"name": author.name, "url": author.url, "avatar": author.picture_url})
                for author in article.authors
            ],
            "tags": list(article.categories),
        }
    )


def _said(values: dict[str, Any]) -> dict[str, Any]:
    """What there is to say; a feed without items has an empty list of them."""
    return {key: value for key, value in values.items() if value or key == "items"}


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _element(name: str, text: str) -> str:
    return f"<{name}>{_text(text)}</{name}>"


def _text(text: str) -> str:
    return escape(remove_forbidden(text))


def _quoted(value: str) -> str:
    return quoteattr(remove_forbidden(value))
