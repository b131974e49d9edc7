"""Owns what show.toml and an episode's front matter may say and what it means.

Text in, values out: it must not open files, ask the time or look into the database.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from podhost.errors import Invalid
from podhost.formats import folder_fields as fields
from podhost.formats import front_matter
from podhost.formats.folder_fields import Keys, Reader, WrongError
from podhost.formats.front_matter import decode_text, write_value
from podhost.formats.text import remove_forbidden

__all__ = [
    "EPISODE_KEYS",
    "OWNER_KEYS",
    "PERSON_KEYS",
    "SHOW_KEYS",
    "EpisodeFile",
    "OwnerEntry",
    "PersonEntry",
    "ShowFile",
    "dated_at",
    "decode_text",
    "published_at",
    "read_episode",
    "read_show",
    "write_guid",
    "write_show_value",
    "write_value",
]


class PersonEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody on the show: `image` is a URL or a path inside the show's folder."""

    name: str
    role: str = "host"
    group: str | None = None
    url: str | None = None
    bio: str | None = None
    image: str | None = None


class OwnerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Whom directories may write to. Both values are printed in the public feed; without a name
    it is the author's."""

    email: str
    name: str | None = None


class ShowFile(msgspec.Struct, frozen=True, kw_only=True):
    """What show.toml says. `slug` None means: named like its folder."""

    title: str
    slug: str | None = None
    description: str = ""
    language: str = "en"
    author: str | None = None
    link: str | None = None
    copyright: str | None = None
    explicit: bool = False
    show_type: Literal["episodic", "serial"] = "episodic"
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
    people: tuple[PersonEntry, ...] = ()


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
    episode_type: Literal["full", "trailer", "bonus"] = "full"
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
    notes: str = ""


def read_show(text: str) -> ShowFile:
    """The values of a show.toml.

    Raises Invalid that names every mistake at once; `fields` has a sentence for each path.
    """
    values = front_matter.read_toml(text)
    found = _read_file(values, Keys(_SHOW, frozenset({"title"}), _SHOW_HINTS))
    return ShowFile(**_renamed(found, "show_type"))


def read_episode(text: str) -> EpisodeFile:
    """The values of an episode's text file: front matter (may be missing) and Markdown notes.

    Raises Invalid that names every mistake at once; `fields` has a sentence for each path.
    """
    block = front_matter.find_block(text)
    values = front_matter.read_block(text, block)
    found = _read_file(values, Keys(_EPISODE, hints=_EPISODE_HINTS))
    body = text[block.body_start :].removeprefix("\ufeff")
    body = remove_forbidden(body.replace("\r\n", "\n"))
    notes = re.sub(r"\A(?:[ \t]*\n)+", "", body).rstrip()
    return EpisodeFile(**_renamed(found, "episode_type"), notes=notes)


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


def _read_file(values: front_matter.Values, keys: Keys) -> dict[str, Any]:
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
    "tags": "podcast apps have no tags; leave it out.",
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
_PERSON: dict[str, Reader] = {
    "name": fields.read_line,
    "role": fields.read_line,
    "group": fields.read_line,
    "url": fields.read_url,
    "bio": fields.read_text,
    "image": fields.read_image,
}
_OWNER: dict[str, Reader] = {"name": fields.read_line, "email": fields.read_email}


def _person(role: str) -> Reader:
    keys = Keys(_PERSON, frozenset({"name"}), _PERSON_HINTS)
    read_table = fields.table_of(keys, "a name, or keys like name, url and bio")

    def read(value: Any) -> PersonEntry:
        entry = {"name": value} if isinstance(value, str) else value
        return PersonEntry(**{"role": role, **read_table(entry)})

    return read


def _owner(value: Any) -> OwnerEntry:
    keys = Keys(_OWNER, frozenset({"email"}))
    return OwnerEntry(**fields.table_of(keys, "a name and an email")(value))


_MEDIUMS = (
    "podcast",
    "music",
    "video",
    "film",
    "audiobook",
    "newsletter",
    "blog",
    "course",
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
    "type": fields.choice("episodic", "serial"),
    "categories": fields.list_of(fields.read_category),
    "time_zone": fields.read_time_zone,
    "artwork": fields.read_path,
    "podcast_guid": fields.read_podcast_guid,
    "locked": fields.read_truth,
    "owner": _owner,
    "medium": fields.choice(*_MEDIUMS),
    "complete": fields.read_truth,
    "block": fields.read_truth,
    "new_feed_url": fields.read_url,
    "people": fields.list_of(_person("host")),
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
    "type": fields.choice("full", "trailer", "bonus"),
    "explicit": fields.read_truth,
    "author": fields.read_line,
    "link": fields.read_url,
    "block": fields.read_truth,
    "audio": fields.read_path,
    "artwork": fields.read_path,
    "chapters": fields.read_path,
    "transcripts": fields.list_of(fields.read_path),
    "guests": fields.list_of(_person("guest")),
    "people": fields.list_of(_person("host")),
}
SHOW_KEYS = tuple(_SHOW)
EPISODE_KEYS = tuple(_EPISODE)
PERSON_KEYS = tuple(_PERSON)
OWNER_KEYS = tuple(_OWNER)
