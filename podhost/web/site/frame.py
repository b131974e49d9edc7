"""What surrounds every page of a show: what programs read of it, its menus, its feeds, its foot."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from markupsafe import Markup
from sqlalchemy import exists, select

from podhost.feeds.formats import JSON, further
from podhost.formats.article_feeds import ATOM_TYPE, JSON_FEED_TYPE
from podhost.formats.feed_rules import further_path, further_title
from podhost.formats.feed_tags import stored_show_tags
from podhost.formats.languages import is_right_to_left
from podhost.formats.text import plain_line, truncate_text
from podhost.models import Credit, Episode
from podhost.newsletter.settings import choices_of, find_newsletter
from podhost.shows import feed_path, new_feed_url
from podhost.site.editions import default_edition
from podhost.site.settings import icon_of
from podhost.templating import json_text, own_name
from podhost.web.site.looks import Head, Look, Page
from podhost.web.site.templates import rendered
from podhost.web.static_files import static_path
from podhost.written.pages import read_menus
from podhost.written.reading import count_published

_RSS_TYPE = "application/rss+xml"
_DESCRIPTION_CHARS = 240
# The pages that every show has. Which episode is which in another language, nobody has said.
_IN_EACH_EDITION = frozenset({"/", "/episodes", "/follow", "/credits"})


class Way(NamedTuple):
    """A place that a menu names."""

    path: str
    title: str
    # What is called in the language of the show, and not by podhost.
    is_theirs: bool = False


class EditionWay(NamedTuple):
    """A page in another language, which is called as it calls itself."""

    url: str
    language: str
    name: str


class NamedFeed(NamedTuple):
    """A feed that a page tells programs of."""

    mime_type: str
    title: str
    url: str


def render(look: Look, page: Page, style: str) -> bytes:
    """The whole page as bytes."""
    head = page.head
    assert head is not None
    has_articles = count_published(look.session, look.show.id) > 0
    values = {
        "look": look,
        "show": look.show,
        "head": head,
        "description": shortened(plain_line(head.description)),
        "data_blocks": [data_block(each) for each in head.data],
        "path": look.path,
        "url": look.url,
        "static": static_path,
        "script_words": script_words,
        "style": Markup(style),  # noqa: S704 - settings.read_css let no tag through
        "language": look.language,
        "ours": ours(look),
        "theirs": Markup(' lang="{}"').format(look.show.language) if ours(look) else "",
        "direction": "rtl" if is_right_to_left(look.show.language) else "ltr",
        "ways": _ways(look, has_articles=has_articles),
        "foot": read_menus(look.session, look.show.id)["foot"],
        "icon_of": icon_of,
        "editions": edition_ways(look, head),
        "alternates": alternates(look, head),
        "feeds": _feeds(look, has_articles=has_articles),
        # What mail one can sign up for, if any.
        "mailings": _mailings(look),
        **page.values,
    }
    return rendered(look.instance.settings, look.language, page.template, values)


def ours(look: Look) -> Markup:
    """The attributes of what podhost says on a page whose language it does not speak."""
    is_foreign = look.show.language.lower().partition("-")[0] != look.language
    return Markup(' lang="en" dir="ltr"') if is_foreign else Markup("")


def data_block(data: Any) -> Markup:
    """Something in the words of schema.org, as a block of data that no text in it can end."""
    body = json_text(msgspec.json.encode(data).decode())
    return Markup('<script type="application/ld+json">{}</script>').format(body)


def script_words(name: str, sentences: Mapping[str, str]) -> Markup:
    """What a script says, as a block of data with the id words-`name` that it reads."""
    body = json_text(json.dumps(sentences, ensure_ascii=False))
    block = '<script type="application/json" id="words-{}">{}</script>'
    return Markup(block).format(name, body)  # noqa: S704 - the block is ours


def shortened(text: str, chars: int = _DESCRIPTION_CHARS) -> str:
    """The beginning, up to a whole word where the language parts its words."""
    cut = truncate_text(text, chars)
    if cut == text:
        return text
    return (cut.rpartition(" ")[0] or cut[:-1]).rstrip(" .,;:!?") + "…"


def edition_ways(look: Look, head: Head) -> Sequence[EditionWay]:
    """Where this page, or else the home, is in the other languages."""
    path = head.path if head.path in _IN_EACH_EDITION else "/"
    return [
        EditionWay(
            edition.url(look.base_url, path), edition.show.language, own_name(edition.show.language)
        )
        for edition in look.editions
        if edition.show.id != look.show.id
    ]


def alternates(look: Look, head: Head) -> Sequence[tuple[str, str]]:
    """The same page in each language, itself too, and for all other readers, as search engines
    read it (developers.google.com/search/docs/specialty/international/localized-versions)."""
    editions = [edition for edition in look.editions if edition.is_indexed]
    if head.path not in _IN_EACH_EDITION or len(editions) < 2 or not look.site.is_indexed:
        return []
    urls = {
        edition.show.language.lower(): edition.url(look.base_url, head.path)
        for edition in reversed(editions)
    }
    default = default_edition(editions).url(look.base_url, head.path)
    return [*reversed(urls.items()), ("x-default", default)]


def _ways(look: Look, *, has_articles: bool) -> Sequence[Way]:
    _ = look.words
    ways = [Way("/episodes", _("Episodes"))]
    if has_articles:
        ways.append(Way("/articles", _("Articles")))
    if _has_guests(look):
        ways.append(Way("/guests", _("Guests")))
    pages = read_menus(look.session, look.show.id)["top"]
    ways += [Way(f"/pages/{page.slug}", page.title, is_theirs=True) for page in pages]
    return ways


def _mailings(look: Look) -> Sequence[str]:
    newsletter = find_newsletter(look.session, look.show)
    return choices_of(newsletter) if newsletter.is_open else ()


def _has_guests(look: Look) -> bool:
    row, credit = Episode.__table__.c, Credit.__table__.c
    guest = (
        select(credit.id)
        .join_from(Credit.__table__, Episode.__table__, credit.episode_id == row.id)
        .where(
            credit.show_id == look.show.id,
            credit.role == "guest",
            row.status == "published",
            row.deleted_at.is_(None),
        )
    )
    return bool(look.session.scalar(select(exists(guest))))


def _feeds(look: Look, *, has_articles: bool) -> Sequence[NamedFeed]:
    show, base_url = look.show, look.base_url
    feeds = [NamedFeed(_RSS_TYPE, show.title, feed_url(look))]
    # Where a show has moved to, we know of one feed only.
    if not new_feed_url(show):
        feeds.append(NamedFeed(JSON_FEED_TYPE, show.title, base_url + JSON.path(show.slug)))
        for rule in stored_show_tags(show.tags).feeds:
            if not rule.is_private:
                path = further(further_path(rule.name)).path(show.slug)
                title = further_title(show.title, rule)
                feeds.append(NamedFeed(_RSS_TYPE, title, base_url + path))
    if has_articles:
        title = look.words("%(show)s: articles", show=show.title)
        feeds.append(NamedFeed(ATOM_TYPE, title, look.url("/articles.xml")))
        feeds.append(NamedFeed(JSON_FEED_TYPE, title, look.url("/articles.json")))
    return feeds


def feed_url(look: Look) -> str:
    """Where to subscribe: at the new address, once the show has moved."""
    return new_feed_url(look.show) or look.base_url + feed_path(look.show)


def list_head(title: str, path: str, number: int, **more: Any) -> Head:
    """What programs read of one page of a list."""
    if number > 1:
        sign = "&" if "?" in path else "?"
        title, path = f"{title} · {number}", f"{path}{sign}page={number}"
    return Head(title=title, path=path, **more)
