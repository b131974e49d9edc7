"""Owns what show.toml and an episode's front matter may say and what it means.

Text in, values out: it must not open files, ask the time or look into the database.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from podhost.errors import Invalid
from podhost.formats import folder_fields as fields
from podhost.formats import front_matter
from podhost.formats.feed_tags import (
    EPISODE_TAGS,
    SHOW_TAGS,
    read_episode_tag,
    read_show_tag,
)
from podhost.formats.feed_words import EPISODE_TYPES, SHOW_TYPES, EpisodeType, ShowType
from podhost.formats.folder_fields import Keys, Reader, WrongError
from podhost.formats.folder_newsletter import NewsletterEntry, read_newsletter
from podhost.formats.folder_site import SiteEntry, read_site
from podhost.formats.front_matter import decode_text, write_value
from podhost.formats.tag_rules import LIST_MEDIUMS, MEDIUMS
from podhost.formats.tag_values import EpisodeTags, ShowTags
from podhost.formats.text import remove_forbidden

__all__ = [
    "EPISODE_KEYS",
    "OWNER_KEYS",
    "PERSON_KEYS",
    "SHOW_KEYS",
    "SPONSOR_KEYS",
    "EpisodeFile",
    "LinkEntry",
    "OwnerEntry",
    "PersonEntry",
    "ShowFile",
    "SponsorEntry",
    "dated_at",
    "decode_text",
    "person_reader",
    "published_at",
    "read_episode",
    "read_file",
    "read_show",
    "write_guid",
    "write_show_value",
    "write_value",
]


class LinkEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A further address of somebody; without a name it is called by its host."""

    url: str
    name: str | None = None


class PersonEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody on the show: `image` is a URL or a path inside the show's folder."""

    name: str
    role: str = "host"
    group: str | None = None
    url: str | None = None
    bio: str | None = None
    image: str | None = None
    links: tuple[LinkEntry, ...] = ()


class OwnerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Whom directories may write to. Both values are printed in the public feed; without a name
    it is the author's."""

    email: str
    name: str | None = None


class SponsorEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who pays for the show, from the first to the last of these days; `logo` is a path inside
    the show's folder."""

    name: str
    url: str | None = None
    text: str | None = None
    starts_on: str | None = None
    ends_on: str | None = None
    logo: str | None = None
    in_notes: bool = False


class ShowFile(msgspec.Struct, frozen=True, kw_only=True):
    """What show.toml says. `slug` None means: named like its folder. `tags` are those that are
    said of `feed_tags.SHOW_TAGS`, as they are stored."""

    title: str
    slug: str | None = None
    description: str = ""
    language: str = "en"
    author: str | None = None
    link: str | None = None
    copyright: str | None = None
    explicit: bool = False
    show_type: ShowType = "episodic"
    categories: tuple[str, ...] = ()
    time_zone: str = "UTC"
    artwork: str = "artwork.jpg"
    podcast_guid: str | None = None
    locked: bool = True
    owner: OwnerEntry | None = None
    medium: str = "podcast"
    complete: bool = False
    block: bool = False
    new_feed_url: str | None = None
    write_tags: bool = False
    moved_to: str | None = None
    moved_audio: bool | None = None
    people: tuple[PersonEntry, ...] = ()
    sponsors: tuple[SponsorEntry, ...] = ()
    site: SiteEntry | None = None
    newsletter: NewsletterEntry | None = None
    tags: Mapping[str, Any] = {}


class EpisodeFile(msgspec.Struct, frozen=True, kw_only=True):
    """What an episode's file says; None where it says nothing.

    `date` without a zone is meant in the show's time zone; no date means a draft, and so does
    `status` "draft" whatever the date; "withdrawn" was out at that date and is not now. `notes` is
    Markdown. All paths lie inside the folder.
    """

    title: str | None = None
    date: datetime | None = None
    status: Literal["draft", "withdrawn"] | None = None
    guid: str | None = None
    slug: str | None = None
    season: int | None = None
    season_name: str | None = None
    number: int | None = None
    episode_type: EpisodeType = "full"
    explicit: bool | None = None
    author: str | None = None
    link: str | None = None
    block: bool = False
    audio: str | None = None
    artwork: str | None = None
    chapters: str | None = None
    transcripts: tuple[str, ...] = ()
    guests: tuple[PersonEntry, ...] = ()
    people: tuple[PersonEntry, ...] = ()
    tags: Mapping[str, Any] = {}
    notes: str = ""


def read_show(text: str) -> ShowFile:
    """The values of a show.toml.

    Raises Invalid that names every mistake at once; `fields` has a sentence for each path.
    """
    values = front_matter.read_toml(text)
    found = read_file(values, Keys(_SHOW, frozenset({"title"}), _SHOW_HINTS))
    tags = {name: found.pop(name) for name in SHOW_TAGS if name in found}
    return ShowFile(**_renamed(found, "show_type"), tags=tags)


def read_episode(text: str) -> EpisodeFile:
    """The values of an episode's text file: front matter (may be missing) and Markdown notes.

    Raises Invalid that names every mistake at once; `fields` has a sentence for each path.
    """
    block = front_matter.find_block(text)
    values = front_matter.read_block(text, block)
    found = read_file(values, Keys(_EPISODE, hints=_EPISODE_HINTS))
    tags = {name: found.pop(name) for name in EPISODE_TAGS if name in found}
    body = text[block.body_start :].removeprefix("\ufeff")
    body = remove_forbidden(body.replace("\r\n", "\n"))
    notes = re.sub(r"\A(?:[ \t]*\n)+", "", body).rstrip()
    return EpisodeFile(**_renamed(found, "episode_type"), tags=tags, notes=notes)


def published_at(episode: EpisodeFile, time_zone: str) -> datetime | None:
    """When the episode is to be public, in UTC; None for a draft and for what is withdrawn."""
    return None if episode.status is not None else dated_at(episode, time_zone)


def dated_at(episode: EpisodeFile, time_zone: str) -> datetime | None:
    """The episode's date in UTC, whatever its status says.

    `time_zone` is the show's: it completes a date that names none. A time that the clocks skip
    or repeat is taken as the earlier offset says (PEP 495, fold 0).
    """
    if episode.date is None:
        return None
    if episode.date.tzinfo is None:
        return episode.date.replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    return episode.date.astimezone(UTC)


def write_guid(text: str, guid: str) -> str:
    """An episode's text with its guid written into the front matter; see `write_value`."""
    return write_value(text, "guid", guid)


def write_show_value(text: str, key: str, value: str) -> str:
    """A show.toml with `key` set to `value`, every other character as it was.

    Raises Conflict when the file says something else, Invalid when it cannot be read.
    """
    return front_matter.write_toml_value(text, key, value)


def read_file(values: front_matter.Values, keys: Keys) -> dict[str, Any]:
    """The values of one file, typed. Raises Invalid that names every mistake with its line."""
    try:
        return fields.read_table(values.data, keys)
    except WrongError as error:
        shown = {
            path: _with_line(path, sentence, values.lines)
            for path, sentence in list(error.problems.items())[: fields.MAX_REPORTED]
        }
        sentences = list(shown.values())
        if more := len(error.problems) - len(shown):
            sentences.append(f"And {more} more mistakes of this kind.")
        raise Invalid(" ".join(sentences), shown) from None


def _with_line(path: str, sentence: str, lines: Mapping[str, int]) -> str:
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return f"Line {lines[path]}: {sentence}" if path else sentence


def _renamed(found: dict[str, Any], name: str) -> dict[str, Any]:
    # In files the key is plainly "type"; in Python that word is taken.
    return {name if key == "type" else key: value for key, value in found.items()}


# Words that other programs use, and what to write here.
_SHOW_HINTS = {
    "category": "write “categories”.",
    "cover": "write “artwork”.",
    "guests": "guests stand in the episodes' files.",
    "host": "write [[people]] with a name.",
    "hosts": "write [[people]] with a name.",
    "image": "write “artwork”.",
    "keywords": "podcast apps no longer read keywords; leave it out.",
    "show_type": "write “type”.",
    "timezone": "write “time_zone”.",
    "url": "write “link”.",
    "website": "write “link”.",
}
_EPISODE_HINTS = {
    "cover": "write “artwork”.",
    "description": "the text below the front matter is the episode's description.",
    "draft": "write “status: draft”, or leave the date out.",
    "episode": "write “number”.",
    "episode_number": "write “number”.",
    "episode_type": "write “type”.",
    "guest": "write “guests”.",
    "host": "write “people”.",
    "hosts": "write “people”.",
    "image": "write “artwork”.",
    "keywords": "podcast apps no longer read keywords; leave it out.",
    "notes": "the notes are the text below the front matter.",
    "pubdate": "write “date”.",
    "publish": "the date says when: past is published, future is scheduled, none is a draft.",
    "published": "write “date”.",
    "published_at": "write “date”.",
    "summary": "the text below the front matter is the episode's description.",
    "tags": "podcast apps have no tags; “labels” are for feeds that choose by them.",
    "transcript": "write “transcripts”.",
}
_PERSON_HINTS = {
    "href": "write “url”.",
    "img": "write “image”.",
    "link": "write “url”.",
    "photo": "write “image”.",
    "picture": "write “image”.",
    "website": "write “url”.",
}


def _link(value: Any) -> LinkEntry:
    keys = Keys({"url": fields.read_url, "name": fields.read_line}, frozenset({"url"}))
    entry = {"url": value} if isinstance(value, str) else value
    return LinkEntry(**fields.table_of(keys, "an address, or url and name")(entry))


_PERSON: dict[str, Reader] = {
    "name": fields.read_line,
    "role": fields.read_line,
    "group": fields.read_line,
    "url": fields.read_url,
    "bio": fields.read_text,
    "image": fields.read_image,
    "links": fields.list_of(_link),
}
_SPONSOR: dict[str, Reader] = {
    "name": fields.read_line,
    "url": fields.read_url,
    "text": fields.read_text,
    "starts_on": lambda value: _day(value),
    "ends_on": lambda value: _day(value),
    "logo": fields.read_path,
    "in_notes": fields.read_truth,
}
_OWNER: dict[str, Reader] = {"name": fields.read_line, "email": fields.read_email}


def person_reader(role: str) -> Reader:
    """A reader for somebody: a name alone, or keys; `role` where none is said."""
    keys = Keys(_PERSON, frozenset({"name"}), _PERSON_HINTS)
    read_table = fields.table_of(keys, "a name, or keys like name, url and bio")

    def read(value: Any) -> PersonEntry:
        entry = {"name": value} if isinstance(value, str) else value
        return PersonEntry(**{"role": role, **read_table(entry)})

    return read


def _sponsor(value: Any) -> SponsorEntry:
    keys = Keys(_SPONSOR, frozenset({"name"}), {"link": "write “url”.", "image": "write “logo”."})
    entry = {"name": value} if isinstance(value, str) else value
    found = fields.table_of(keys, "a name, or keys like name, url and text")(entry)
    if found.get("ends_on", "9") < found.get("starts_on", ""):
        raise WrongError({".ends_on": "“ends_on” lies before “starts_on”."})
    return SponsorEntry(**found)


def _day(value: Any) -> str:
    return str(fields.read_moment(value).date().isoformat())


def _owner(value: Any) -> OwnerEntry:
    keys = Keys(_OWNER, frozenset({"email"}))
    return OwnerEntry(**fields.table_of(keys, "a name and an email")(value))


def _tag(name: str, read_tag: Callable[[str, Any], Any]) -> Reader:
    """A reader for a feed tag; text alone is what a tag says first, such as a place's name."""

    def read(value: Any) -> Any:
        if name in _SHORT_TAGS:
            key = _SHORT_TAGS[name]
            entries = value if isinstance(value, list) else [value]
            value = [{key: entry} if isinstance(entry, str) else entry for entry in entries]
            value = value if name in _LISTED_TAGS else value[0]
        elif name in _LISTED_TAGS and not isinstance(value, list):
            value = [value]
        try:
            return read_tag(name, value)
        except Invalid as error:
            raise WrongError(
                {path: _within(path, text) for path, text in error.fields.items()}
            ) from None

    return read


def _within(path: str, sentence: str) -> str:
    """The sentence as those of other keys are: without "It", after the key or the entry's number,
    where no table above would put that in front."""
    rest = sentence.removeprefix("It ").replace(" or null", "")
    rest = rest.replace("an object in curly brackets", "keys and values")
    above, dot, key = path.rpartition(".")
    if dot:
        return f"“{key}” {rest}"
    number = re.search(r"\[(\d+)\]\Z", above or path)
    return f"entry {int(number[1]) + 1} {rest}" if number else rest


# What may be written as text alone, and which key that is.
_SHORT_TAGS = {"license": "name", "location": "name", "txt": "text", "funding": "url"}
_LISTED_TAGS = frozenset(
    field.name
    for kind in (ShowTags, EpisodeTags)
    for field in msgspec.structs.fields(kind)
    if field.default == ()
)
_SHOW: dict[str, Reader] = {
    "title": fields.read_line,
    "slug": fields.read_slug,
    "description": fields.read_text,
    "language": fields.read_language,
    "author": fields.read_line,
    "link": fields.read_url,
    "copyright": fields.read_line,
    "explicit": fields.read_truth,
    "type": fields.choice(*SHOW_TYPES),
    "categories": fields.list_of(fields.read_category),
    "time_zone": fields.read_time_zone,
    "artwork": fields.read_path,
    "podcast_guid": fields.read_podcast_guid,
    "locked": fields.read_truth,
    "owner": _owner,
    "medium": fields.choice(*MEDIUMS, *LIST_MEDIUMS),
    "complete": fields.read_truth,
    "block": fields.read_truth,
    "new_feed_url": fields.read_url,
    "write_tags": fields.read_truth,
    "moved_to": fields.read_url,
    "moved_audio": fields.read_truth,
    "people": fields.list_of(person_reader("host")),
    "sponsors": fields.list_of(_sponsor),
    "site": read_site,
    "newsletter": read_newsletter,
    **{name: _tag(name, read_show_tag) for name in SHOW_TAGS},
}
_EPISODE: dict[str, Reader] = {
    "title": fields.read_line,
    "date": fields.read_moment,
    "status": fields.choice("draft", "withdrawn"),
    "guid": fields.read_guid,
    "slug": fields.read_slug,
    "season": fields.read_number,
    "season_name": fields.read_line,
    "number": fields.read_number,
    "type": fields.choice(*EPISODE_TYPES),
    "explicit": fields.read_truth,
    "author": fields.read_line,
    "link": fields.read_url,
    "block": fields.read_truth,
    "audio": fields.read_path,
    "artwork": fields.read_path,
    "chapters": fields.read_path,
    "transcripts": fields.list_of(fields.read_path),
    "guests": fields.list_of(person_reader("guest")),
    "people": fields.list_of(person_reader("host")),
    **{name: _tag(name, read_episode_tag) for name in EPISODE_TAGS},
}
SHOW_KEYS = tuple(_SHOW)
EPISODE_KEYS = tuple(_EPISODE)
PERSON_KEYS = tuple(_PERSON)
SPONSOR_KEYS = tuple(_SPONSOR)
OWNER_KEYS = tuple(_OWNER)
