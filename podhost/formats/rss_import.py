"""A foreign RSS feed as an `ImportedShow`: every field that podhost knows, and all the others.

Pure, and total on any feed that was parsed: what is wrong is an oddity, never an error. It fetches
nothing, so pictures, chapters and transcripts are addresses.
"""

import re
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

from podhost.errors import Invalid
from podhost.formats import rss_import_tags as tags
from podhost.formats.categories import Category, parse_category
from podhost.formats.feed_words import SHOW_TYPES
from podhost.formats.feed_xml import ReadFeed, name_of, text_of
from podhost.formats.imported import ImportedEpisode, ImportedShow, Oddity
from podhost.formats.languages import is_language_code
from podhost.formats.markdown import clean_html
from podhost.formats.rss_import_episodes import UNTITLED, artwork_address, read_episode, settled
from podhost.formats.rss_import_fields import Fields, one_line
from podhost.formats.rss_import_notes import has_markup
from podhost.formats.text import plain_text, shown

MAX_EPISODES = 20_000
_MAX_CATEGORIES = 3
_MAX_DESCRIPTION_CHARS = 100_000
_PLACE = "show"
_MAIL = re.compile(r"[^\s@<>()]{1,64}@[^\s@<>()]{1,190}")
_MAIL_AND_NAME = re.compile(r"\s*([^\s@<>()]+@[^\s@<>()]+)\s*(?:\(([^()]*)\))?\s*")
_LOCKED = frozenset({"yes", "true", "1"})
_UNLOCKED = frozenset({"no", "false", "0"})
_ALL_ITEMS = "//*[translate(local-name(), 'ITEM', 'item') = 'item']"
_NO_FEED = (
    "This is no podcast feed: it has no channel with episodes. Give the address of the RSS feed, "
    "which the old host shows in its settings."
)
_ATOM = (
    "This is an Atom feed, which podcast apps no longer read. Give the address of the show's RSS "
    "feed."
)


def read_show(feed: ReadFeed, *, feed_url: str | None, first_position: int = 1) -> ImportedShow:
    """Give the show of a feed, with its episodes in the feed's order.

    `feed_url` is where it came from, for relative addresses; episodes of a later page are counted
    from `first_position`. Raises Invalid when this is no podcast feed at all, or has more than
    20,000 episodes.
    """
    channel = _channel(feed.root)
    fields = Fields(channel, _PLACE, feed_url)
    page = fields.url(_link(fields))
    fields.base_url = feed_url or page
    episodes, oddities, left_out = _episodes(feed.root, page, feed_url, first_position)
    left_out.update(tags.obsolete_names(fields))
    values = _values(fields, page, feed_url)
    return ImportedShow(
        episodes=tuple(episodes),
        url=page,
        left_out=tuple(sorted(left_out.items())),
        # Last, because each reader above may have noted something.
        oddities=(*_repairs(feed), *fields.oddities, *oddities),
        **values,
    )


def _channel(root: Any) -> Any:
    if name_of(root).rpartition(":")[2].lower() == "feed":
        raise Invalid(_ATOM)
    for element in root.iter():
        if isinstance(element.tag, str) and name_of(element).rpartition(":")[2] == "channel":
            return element
    raise Invalid(_NO_FEED)


def _repairs(feed: ReadFeed) -> Iterator[Oddity]:
    for repair in feed.repairs:
        yield Oddity("feed", "The feed is not correct XML.", repair)


def _items(root: Any) -> Iterator[Any]:
    # Of RSS 1.0, and of broken feeds with two channels, they lie anywhere.
    return iter(root.xpath(_ALL_ITEMS))


def _episodes(
    root: Any, page_url: str | None, feed_url: str | None, first_position: int
) -> tuple[list[ImportedEpisode], list[Oddity], Counter[str]]:
    episodes: list[ImportedEpisode] = []
    oddities: list[Oddity] = []
    left_out: Counter[str] = Counter()
    for position, item in enumerate(_items(root), first_position):
        if position >= MAX_EPISODES + first_position:
            raise Invalid(f"This feed has more than {MAX_EPISODES} episodes.")
        episode, noted, names = read_episode(item, position, feed_url=feed_url, page_url=page_url)
        oddities += noted
        left_out.update(names)
        if episode is not None:
            episodes.append(episode)
    made, noted = settled(episodes)
    return made, oddities + noted, left_out


def _values(fields: Fields, page: str | None, feed_url: str | None) -> dict[str, Any]:
    written = fields.prose("description", "itunes:summary", "itunes:subtitle", "atom:subtitle")
    written = written[:_MAX_DESCRIPTION_CHARS]
    owner_name, mail = _owner(fields)
    locked = fields.all("podcast:locked")
    return {
        "title": _title(fields),
        "itunes_title": _itunes_title(fields),
        "description": plain_text(written),
        "description_html": clean_html(written, base_url=page) if has_markup(written) else "",
        "language": _language(fields),
        "author": fields.line("itunes:author", "googleplay:author", "dc:creator") or owner_name,
        "owner_name": owner_name,
        "mail": mail,
        "explicit": fields.flag("itunes:explicit", "googleplay:explicit") or False,
        "show_type": _show_type(fields),
        "categories": _categories(fields),
        "artwork_url": fields.url(artwork_address(fields) or _rss_picture(fields)),
        "copyright": fields.line("copyright") or None,
        "is_complete": fields.is_yes("itunes:complete"),
        "is_blocked": fields.is_yes("itunes:block"),
        "podcast_guid": _podcast_guid(fields),
        "is_locked": _is_locked(fields),
        "locked_owner": locked[0].get("owner", "").strip() or None if locked else None,
        "medium": fields.text("podcast:medium") or "podcast",
        "people": tags.people(fields),
        "funding": tags.funding(fields),
        "license": tags.license_of(fields),
        "tags": tags.other_podcast_tags(fields),
        "unknown_xml": tags.unknown_xml(fields),
        "generator": fields.line("generator") or None,
        "self_url": fields.url(_atom_link(fields, "self")),
        "next_url": fields.url(_atom_link(fields, "next") or _atom_link(fields, "prev-archive")),
        "new_feed_url": fields.url(fields.text("itunes:new-feed-url")),
    }


def _itunes_title(fields: Fields) -> str | None:
    """What Apple is to show instead of the title."""
    found = fields.line("itunes:title")
    return found if found and found != fields.line("title", "itunes:title", "dc:title") else None


def _title(fields: Fields) -> str:
    written = fields.text("title", "itunes:title", "dc:title")
    if has_markup(written):
        fields.note("There is HTML in the title.", "It is taken out.", written)
    title = fields.line("title", "itunes:title", "dc:title")
    if not title:
        fields.note("The show has no title.", f"It is called “{UNTITLED}”.", is_question=True)
    return title or UNTITLED


def _link(fields: Fields) -> str:
    return fields.text("link")


def _atom_link(fields: Fields, rel: str) -> str:
    for element in fields.all("atom:link"):
        if element.get("rel", "").strip().lower() == rel:
            return str(element.get("href", "")).strip()
    return ""


def _rss_picture(fields: Fields) -> str:
    for image in fields.all("image"):
        for child in image:
            if isinstance(child.tag, str) and name_of(child).rpartition(":")[2] == "url":
                return text_of(child).strip()
    return ""


def _language(fields: Fields) -> str | None:
    written = fields.text("language", "dc:language")
    code = written.lower().replace("_", "-")
    if is_language_code(code):
        return code
    fields.note(
        "The feed names no language that directories know.",
        "Say which one it is.",
        written,
        is_question=True,
    )
    return None


def _show_type(fields: Fields) -> str:
    kind = fields.text("itunes:type").lower()
    if kind and kind not in SHOW_TYPES:
        fields.note("The type of the show is unknown.", "It is episodic.", kind)
    return "serial" if kind == "serial" else "episodic"


def _owner(fields: Fields) -> tuple[str | None, str | None]:
    """Name and mail address of whoever can prove that the show is theirs."""
    names: list[str] = []
    mails = [element.get("owner", "").strip() for element in fields.all("podcast:locked")]
    for owner in fields.all("itunes:owner"):
        for child in owner:
            name = name_of(child) if isinstance(child.tag, str) else ""
            if name == "itunes:name":
                names.append(one_line(fields.meant(text_of(child))))
            elif name == "itunes:email":
                mails.append(text_of(child).strip())
    for text in fields.texts("managingEditor"):
        match = _MAIL_AND_NAME.fullmatch(text[:500])
        mails.append(match[1] if match else "")
        names.append(one_line((match[2] or "") if match else text))
    mail = next((mail for mail in mails if _MAIL.fullmatch(mail)), None)
    return next((name for name in names if name), None), mail


def _categories(fields: Fields) -> tuple[Category, ...]:
    """Apple's pairs in the feed's order; of a parent with its children, the pairs alone."""
    found: list[Category] = []
    for element in fields.all("itunes:category"):
        parent = one_line(element.get("text", "") or text_of(element))
        children = [
            one_line(child.get("text", ""))
            for child in element
            if isinstance(child.tag, str) and name_of(child) == "itunes:category"
        ]
        for child in children or [""]:
            if (category := _category(fields, parent, child)) and category not in found:
                found.append(category)
    if len(found) > _MAX_CATEGORIES:
        names = ", ".join(child or parent for parent, child in found[_MAX_CATEGORIES:])
        fields.note("There are more than three categories.", "The first three stay.", names)
    if not found:
        fields.note(
            "The feed has no category that directories know.", "Choose one.", "", is_question=True
        )
    return tuple(found[:_MAX_CATEGORIES])


def _category(fields: Fields, parent: str, child: str) -> Category | None:
    for names in ([parent, child], [child], [parent]):
        if any(names):
            try:
                category = parse_category(names)
            except Invalid:
                continue
            if names != [parent, child]:
                fields.note(
                    "A category is unknown.", "The nearest is taken.", f"{parent} > {child}"
                )
            return category
    if parent or child:
        fields.note("A category is unknown.", "It is left out.", f"{parent} > {child}".strip(" >"))
    return None


def _podcast_guid(fields: Fields) -> str | None:
    written = fields.text("podcast:guid")
    if not written:
        return None
    try:
        uuid.UUID(written)
    except ValueError:
        fields.note("The show's podcast:guid is no UUID.", "The show gets a new one.", written)
        return None
    return written


def _is_locked(fields: Fields) -> bool | None:
    elements = fields.all("podcast:locked")
    if not elements:
        return None
    text = text_of(elements[0]).strip().lower()
    if text not in _LOCKED and text not in _UNLOCKED:
        fields.note("podcast:locked says neither yes nor no.", "It counts as no.", shown(text))
    return text in _LOCKED
