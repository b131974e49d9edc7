"""What a foreign feed says as what a host could have given: the inputs of shows and episodes.

Pure. What cannot be taken is left out and said in a sentence; nothing here stops an import.
"""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from podhost.episodes import EpisodeInput
from podhost.episodes import changed_fields as changed_episode_fields
from podhost.errors import Invalid
from podhost.fields import web_url
from podhost.formats import imported_tags
from podhost.formats.feed_tags import lies_inside, read_episode_tag, read_show_tag
from podhost.formats.imported import ImportedEpisode, ImportedPerson, ImportedShow
from podhost.formats.introductions import NotesGuest, render_guests_html
from podhost.formats.markdown import MAX_NOTES_BYTES, truncate_html
from podhost.formats.podcast_namespace import normalise_role
from podhost.formats.tag_rules import LIST_MEDIUMS, MEDIUMS
from podhost.formats.text import shown
from podhost.models import Episode, Show
from podhost.people import MOST_CREDITS, CreditInput, name_key
from podhost.shows import ShowInput
from podhost.shows import changed_fields as changed_show_fields

# Room for what makes HTML stand for itself among Markdown.
_LONGEST_NOTES_BYTES = MAX_NOTES_BYTES - 100
Given = TypeVar("Given", ShowInput, EpisodeInput)

# Notes that begin with such a tag are HTML to a reader of Markdown, up to a blank line.
_BEGINS_AS_BLOCK = re.compile(r"<(?:p|ol|ul|li|h2|h3|blockquote)[ >]")


def show_input(show: ImportedShow) -> tuple[ShowInput, list[str]]:
    """The show as its feed has it, and sentences on what could not be kept.

    It is blocked until its episodes are there: nobody is to list an empty show.
    """
    notes: list[str] = []
    tags, rest = imported_tags.show_tags(show)
    given = ShowInput(
        title=show.title,
        description=show.description,
        author=show.author or "",
        link=show.url,
        copyright=show.copyright,
        owner_name=show.owner_name,
        explicit=show.explicit,
        show_type=show.show_type,
        categories=[[*pair] for pair in show.categories],
        medium=_medium(show, notes),
        blocked=True,
        complete=show.is_complete,
        people=_credits(show.people, notes),
    )
    if show.language:
        given.language = show.language
    if show.podcast_guid:
        given.podcast_guid = show.podcast_guid
    if show.is_locked is not None:
        given.locked = show.is_locked
    if show.mail:
        notes.append("The owner's mail address stays private; give it anew if apps may show it.")
    _take_tags(given, tags, read_show_tag, notes)
    given = _usable(given, Show(), changed_show_fields, notes)
    _say_unknown(rest, notes)
    return given, notes


def is_blocked(show: ImportedShow) -> bool:
    """Whether the old feed asks not to be listed."""
    tags, _ = imported_tags.show_tags(show)
    return show.is_blocked or bool(tags.get("blocked"))


def episode_input(
    episode: ImportedEpisode, show: ImportedShow, *, duration_ms: int | None = None
) -> tuple[EpisodeInput, list[str]]:
    """The episode as its feed has it, and sentences on what could not be kept.

    `show` is the one that it is of; soundbites beyond `duration_ms` are left out.
    """
    notes: list[str] = []
    tags, rest = imported_tags.episode_tags(episode)
    people, notes_html = _people_and_notes(episode, show, notes)
    given = EpisodeInput(
        title=episode.title,
        notes=as_markdown(truncate_html(notes_html, _LONGEST_NOTES_BYTES)),
        season=episode.season,
        season_name=episode.season_name if episode.season else None,
        number=episode.number,
        episode_type=episode.episode_type,
        explicit=episode.explicit,
        author=episode.author if episode.author != show.author else None,
        link=episode.url,
        blocked=episode.is_blocked or bool(tags.get("blocked")),
        people=people,
    )
    _take_tags(given, tags, read_episode_tag, notes)
    given = _usable(given, Episode(), changed_episode_fields, notes)
    if given.soundbites and duration_ms is not None:
        inside = [bite for bite in given.soundbites if lies_inside(bite, duration_ms)]
        if len(inside) < len(given.soundbites):
            notes.append("A soundbite ends after the audio does; it is left out.")
            given.soundbites = tuple(inside)
    _say_unknown(rest, notes)
    return given, notes


def as_markdown(notes_html: str) -> str:
    """Notes in Markdown that render as this clean HTML, to the letter."""
    if not notes_html:
        return ""
    # A blank line would end the HTML; as a reference, the line break is none to Markdown.
    text = re.sub(r"\n(?=[ \t]*\n)", "&#10;", notes_html)
    if len(text.encode()) > _LONGEST_NOTES_BYTES:
        text = re.sub(r"\n\s*\n", "\n", notes_html)
    return text if _BEGINS_AS_BLOCK.match(text) else f"<div>{text}</div>"


def _say_unknown(tags: Sequence[str], notes: list[str]) -> None:
    """Say which tags have no field; what podhost does not know at all is kept as it is."""
    if tags:
        names = ", ".join(dict.fromkeys(tags))
        notes.append(f"Podcast tags that podhost has no field for are left out: {names}.")


def _medium(show: ImportedShow, notes: list[str]) -> str:
    if show.medium in LIST_MEDIUMS and show.episodes:
        notes.append(
            f"The feed calls itself a list ({show.medium}) and has episodes of its own; it comes "
            "as a podcast."
        )
        return "podcast"
    if show.medium not in MEDIUMS and show.medium not in LIST_MEDIUMS:
        notes.append(f"The medium {shown(show.medium, 40)} is unknown; it comes as a podcast.")
        return "podcast"
    return show.medium


# People -------------------------------------------------------------------------------------------


def _credits(
    people: Sequence[ImportedPerson], notes: list[str], bios: Mapping[int, str] = {}
) -> list[CreditInput]:
    credits = []
    for index, person in enumerate(people[:MOST_CREDITS]):
        role, group = _role(person, notes)
        credits.append(
            CreditInput(
                name=person.name,
                role=role,
                group=group,
                url=_short(person.url, notes),
                bio=bios.get(index),
                image_url=_short(person.image_url, notes),
            )
        )
    if len(people) > MOST_CREDITS:
        notes.append(f"{len(people)} people are named; the first {MOST_CREDITS} are kept.")
    return credits


def _short(url: str | None, notes: list[str]) -> str | None:
    try:
        return web_url(url)
    except ValueError as error:
        notes.append(f"An address of a person is left out: {error}")
        return None


def _role(person: ImportedPerson, notes: list[str]) -> tuple[str, str]:
    """The taxonomy's words for what a person does; the namespace's default for what it has not."""
    for group in (person.group, None):
        try:
            return normalise_role(person.role, group)
        except Invalid:
            continue
    role = shown(person.role, 40)
    notes.append(f"{shown(person.name, 60)} comes as a host: no directory knows the role {role}.")
    return "host", "cast"


def _people_and_notes(
    episode: ImportedEpisode, show: ImportedShow, notes: list[str]
) -> tuple[list[CreditInput], str]:
    """The people of the episode, without those that podhost repeats from the show; and the notes,
    without the line on guests that podhost puts above them."""
    people = _own_people(episode.people, show.people)
    guests = [(index, person) for index, person in enumerate(people) if person.role == "guest"]
    rest, found = _without_guests(
        episode.notes_html, [person for _, person in guests], show.language or "en"
    )
    bios = {index: html.unescape(bio) for (index, _), bio in zip(guests, found, strict=False)}
    return _credits(people, notes, bios), rest


def _own_people(
    people: tuple[ImportedPerson, ...], of_show: tuple[ImportedPerson, ...]
) -> tuple[ImportedPerson, ...]:
    """Feeds repeat the show's people before an episode's guests, because an episode's people
    replace the show's (podcast namespace)."""
    for start in reversed(range(len(people))):
        own = people[start:]
        if any(person.role == "host" for person in own):
            break
        named = {name_key(person.name) for person in own}
        repeated = tuple(p for p in of_show if name_key(p.name) not in named)
        if people[:start] == repeated:
            return own
    return people


def _without_guests(
    notes_html: str, guests: Sequence[ImportedPerson], language: str
) -> tuple[str, list[str]]:
    """The notes without the paragraph that names the guests, and what it says of each."""
    if not guests or not notes_html.startswith("<p>"):
        return notes_html, []
    marks = [f"bio{index}of{len(guests)}" for index in range(len(guests))]
    written = render_guests_html(
        [NotesGuest(p.name, p.url, mark) for p, mark in zip(guests, marks, strict=True)],
        language=language,
    )
    pattern = re.escape(written)
    for mark in marks:
        pattern = pattern.replace(rf"\ \({mark}\)", r"(?: \(([^<]*?)\))?")
    match = re.match(pattern, notes_html)
    if match is None:
        return notes_html, []
    return notes_html[match.end() :], [bio or "" for bio in match.groups()]


# What is usable -----------------------------------------------------------------------------------


def _take_tags(
    given: ShowInput | EpisodeInput,
    tags: Mapping[str, Any],
    read: Callable[[str, Any], Any],
    notes: list[str],
) -> None:
    """Put the tags on the input; of a list, each entry that is valid."""
    names = {field.name: field.type for field in msgspec.structs.fields(type(given))}
    for name, value in tags.items():
        if name in ("blocked",) or name not in names:
            continue
        kept = [_valid(name, [one], read, notes) for one in value] if _is_list(value) else None
        if kept is not None:
            value = [entry for entries in kept for entry in entries or ()]
        if (usable := _valid(name, value, read, notes)) is not None:
            setattr(given, name, msgspec.convert(usable, names[name]))


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _valid(name: str, value: Any, read: Callable[[str, Any], Any], notes: list[str]) -> Any:
    try:
        return read(name, value)
    except Invalid as error:
        label = name.replace("_", " ")
        notes.append(f"{label.capitalize()} cannot be kept as it is: {error.message}")
        return None


def _usable(
    given: Given, row: Show | Episode, check: Callable[[Any, Given], Any], notes: list[str]
) -> Given:
    """The input without the fields that are wrong, each with a sentence."""
    try:
        # Without people: they were judged already, and no reader is asked about them.
        check(row, given)
    except Invalid as error:
        for path, sentence in error.fields.items():
            name = re.split(r"[.\[]", path)[0]
            setattr(given, name, UNSET)
            label = name.replace("_", " ")
            notes.append(f"{label.capitalize()} cannot be kept as it is: {sentence}")
    return given
