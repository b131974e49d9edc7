"""The podcast namespace (Podcasting 2.0): its tags as plain values, show guids, people's roles.

It builds no XML: `rss.py` writes the tags that it gives.
"""

import difflib
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

import msgspec

from podhost.errors import Invalid
from podhost.formats.languages import is_language_code
from podhost.formats.tag_elements import (
    Tag,
    episode_elements,
    live_element,
    show_elements,
    txt_elements,
)
from podhost.formats.tag_values import NO_EPISODE_TAGS, LiveItem, LivePerson
from podhost.formats.text import absolute_url, plain_line, shown, truncate_text

if TYPE_CHECKING:
    from podhost.formats.chapters import Chapter
    from podhost.formats.feed_values import (
        FeedEpisode,
        FeedImage,
        FeedPerson,
        FeedShow,
    )

_GUID_NAMESPACE = uuid.UUID("ead4c236-bf58-58c6-a2c6-a6b28d128cb6")
_MAX_LABEL_CHARS = 128

# The Podcast Taxonomy, as the namespace adopted it; both spellings are compared without case.
TAXONOMY = {
    "creative direction": (
        "director",
        "assistant director",
        "executive producer",
        "senior producer",
        "producer",
        "associate producer",
        "development producer",
        "creative director",
    ),
    "cast": (
        "host",
        "co-host",
        "guest host",
        "guest",
        "voice actor",
        "narrator",
        "announcer",
        "reporter",
    ),
    "writing": (
        "author",
        "editorial director",
        "co-writer",
        "writer",
        "songwriter",
        "guest writer",
        "story editor",
        "managing editor",
        "script editor",
        "script coordinator",
        "researcher",
        "editor",
        "fact checker",
        "translator",
        "transcriber",
        "logger",
    ),
    "audio production": (
        "studio coordinator",
        "technical director",
        "technical manager",
        "audio engineer",
        "remote recording engineer",
        "post production engineer",
    ),
    "audio post-production": (
        "audio editor",
        "sound designer",
        "foley artist",
        "composer",
        "theme music",
        "music production",
        "music contributor",
    ),
    "administration": (
        "production coordinator",
        "booking coordinator",
        "production assistant",
        "content manager",
        "marketing manager",
        "sales representative",
        "sales manager",
    ),
    "visuals": ("graphic designer", "cover art designer"),
    "community": ("social media manager",),
    "misc.": ("consultant", "intern"),
    "video production": (
        "camera operator",
        "lighting designer",
        "camera grip",
        "assistant camera",
    ),
    "video post-production": ("editor", "assistant editor"),
}

PERSON_GROUPS: tuple[str, ...] = tuple(TAXONOMY)
# "editor" stands in two groups; the first, writing, is the one it means without a group.
PERSON_ROLES: Mapping[str, str] = {
    role: group for group, roles in reversed(TAXONOMY.items()) for role in roles
}


def podcast_guid(feed_url: str) -> str:
    """Give the podcast:guid of a show from the address of its first feed.

    A UUIDv5 of the address without its scheme and without slashes at its end; nothing else is
    changed. To be computed once and kept for life: a show that moves keeps it.
    """
    seed = feed_url.removeprefix("https://").removeprefix("http://").rstrip("/")
    return str(uuid.uuid5(_GUID_NAMESPACE, seed))


def rfc822_date(moment: datetime) -> str:
    """Give an aware time as "Tue, 05 Mar 2024 09:05:00 GMT", whatever the process's locale."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def normalise_role(role: str | None, group: str | None = None) -> tuple[str, str]:
    """Give (role, group) in the taxonomy's words, lower case; nothing given means host, cast.

    Raises Invalid, naming near matches, for a role or group that the taxonomy does not have, and
    for a role that stands in another group.
    """
    role_name = _known_name(role, PERSON_ROLES, "role") or None
    group_name = _known_name(group, PERSON_GROUPS, "group") or None
    if role_name is None:
        if group_name not in (None, "cast"):
            raise Invalid(
                f"A person in the group “{group_name}” needs a role:"
                f" {', '.join(TAXONOMY[str(group_name)])}."
            )
        return "host", "cast"
    if group_name is None:
        return role_name, PERSON_ROLES[role_name]
    if role_name not in TAXONOMY[group_name]:
        raise Invalid(
            f"The role “{role_name}” belongs to the group “{PERSON_ROLES[role_name]}”,"
            f" not to “{group_name}”."
        )
    return role_name, group_name


def show_tags(show: "FeedShow", trailers: Sequence["FeedEpisode"]) -> Iterator[Tag]:
    """Give the channel's tags in the order in which the feed prints them."""
    yield Tag("podcast:guid", show.podcast_guid)
    owner = {"owner": show.tags.locked_owner} if show.tags.locked_owner else {}
    yield Tag("podcast:locked", "yes" if show.is_locked else "no", owner)
    yield Tag("podcast:medium", show.medium)
    yield from txt_elements(show.tags.txt)
    yield from _person_tags(show.people)
    for trailer in trailers:
        yield _trailer_tag(trailer)
    if show.is_blocked:
        yield Tag("podcast:block", "yes")
    if show.uses_podping:
        yield Tag("podcast:podping", None, {"usesPodping": "true"})
    yield from _image_tags(show.images, show.tags.artwork_alt)
    yield from show_elements(show.tags, show.medium)
    for live in show.tags.live_items:
        yield live_element(live, [*_person_tags(_live_people(show, live))])


def episode_tags(episode: "FeedEpisode") -> Iterator[Tag]:
    """Give the item's tags in the order in which the feed prints them."""
    if episode.season is not None:
        name = truncate_text(plain_line(episode.season_name or ""), _MAX_LABEL_CHARS)
        yield Tag("podcast:season", str(episode.season), {"name": name} if name else {})
    number = episode.number if episode.tags.decimal_number is None else episode.tags.decimal_number
    if number is not None:
        display = episode.tags.episode_display
        yield Tag("podcast:episode", str(number), {"display": display} if display else {})
    yield from _person_tags(episode.people)
    for transcript in episode.transcripts:
        attributes = {"url": absolute_url(transcript.url), "type": transcript.mime_type}
        # Without a language, or with one that nobody knows, it is in the show's.
        if transcript.language and is_language_code(language := plain_line(transcript.language)):
            attributes["language"] = language.lower()
        if transcript.rel:
            attributes["rel"] = plain_line(transcript.rel)
        yield Tag("podcast:transcript", None, attributes)
    if episode.chapters_url:
        attributes = {
            "url": absolute_url(episode.chapters_url),
            "type": "application/json+chapters",
        }
        yield Tag("podcast:chapters", None, attributes)
    yield from _image_tags(episode.images, episode.tags.artwork_alt)
    # Most episodes have none, and there are thousands of them.
    if episode.tags is not NO_EPISODE_TAGS:
        yield from episode_elements(episode.tags)
    if episode.inline_chapters:
        yield _simple_chapters(episode.inline_chapters)


def _image_tags(images: Sequence["FeedImage"], alt: str | None) -> Iterator[Tag]:
    for image in images:
        attributes = {"href": absolute_url(image.url)}
        if alt:
            attributes["alt"] = plain_line(alt)
        attributes |= {"aspect-ratio": "1/1", "width": str(image.width), "purpose": "artwork"}
        yield Tag("podcast:image", None, attributes)


def _simple_chapters(chapters: Sequence["Chapter"]) -> Tag:
    """Podlove Simple Chapters 1.2; every chapter has a title."""
    children = []
    for chapter in chapters:
        attributes = {
            "start": _play_time(chapter.start_ms),
            "title": truncate_text(plain_line(chapter.title), _MAX_LABEL_CHARS),
        }
        if chapter.url:
            attributes["href"] = absolute_url(chapter.url)
        if chapter.image_url:
            attributes["image"] = absolute_url(chapter.image_url)
        children.append(Tag("psc:chapter", None, attributes))
    return Tag("psc:chapters", None, {"version": "1.2"}, tuple(children))


def _play_time(milliseconds: int) -> str:
    """Normal Play Time (RFC 2326, 3.6) with all its parts, such as 01:35:52.250."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}.{rest:03}"


def _live_people(show: "FeedShow", live: LiveItem) -> "list[FeedPerson | LivePerson]":
    """The show's people come before a stream's guests, because people who are named in an item
    replace the show's, unless it names hosts of its own."""
    own: list[FeedPerson | LivePerson] = []
    for person in live.people:
        role, group = normalise_role(person.role, person.group)
        own.append(msgspec.structs.replace(person, role=role, group=group))
    if not own or any(person.role == "host" for person in own):
        return own
    named = {_folded(person.name) for person in own}
    return [*(person for person in show.people if _folded(person.name) not in named), *own]


def _person_tags(people: Sequence["FeedPerson | LivePerson"]) -> Iterator[Tag]:
    for person in people:
        name = truncate_text(plain_line(person.name), _MAX_LABEL_CHARS)
        # The namespace allows no person without a name.
        if not name:
            continue
        attributes = {
            "role": plain_line(person.role or ""),
            "group": plain_line(person.group or ""),
        }
        if person.image_url:
            attributes["img"] = absolute_url(person.image_url)
        if person.url:
            attributes["href"] = absolute_url(person.url)
        yield Tag("podcast:person", name, attributes)


def _trailer_tag(episode: "FeedEpisode") -> Tag:
    attributes = {
        "pubdate": rfc822_date(episode.published_at),
        "url": absolute_url(episode.enclosure_url),
        "length": str(episode.enclosure_size_bytes),
        "type": episode.enclosure_type,
    }
    if episode.season is not None:
        attributes["season"] = str(episode.season)
    title = plain_line(episode.title) or "Trailer"
    return Tag("podcast:trailer", truncate_text(title, _MAX_LABEL_CHARS), attributes)


def _known_name(value: str | None, known: Mapping[str, str] | Sequence[str], what: str) -> str:
    """Give the taxonomy's spelling of `value`, or "" for none; "Cohost" finds "co-host"."""
    written = plain_line(value or "")
    folded = _folded(written)
    if not folded:
        return ""
    spellings = {_folded(name): name for name in known}
    if folded in spellings:
        return spellings[folded]
    near = difflib.get_close_matches(folded[:100], spellings, n=3)
    hint = f" Did you mean {' or '.join(f'“{spellings[name]}”' for name in near)}?" if near else ""
    raise Invalid(f"The Podcast Taxonomy has no {what} “{shown(written)}”.{hint}")


def _folded(name: str) -> str:
    return re.sub(r"[\s.\-_]+", "", name.casefold())
