"""Writes show.toml and an episode's text file, so that `showfolder` reads the same values back.

Values in, text out: it must not open files, ask the time or look into the database.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from podhost.errors import Invalid
from podhost.formats.folder_newsletter import said_of_newsletter
from podhost.formats.folder_site import said_of_site
from podhost.formats.front_matter import MAX_BLOCK_BYTES
from podhost.formats.showfolder import EpisodeFile, PersonEntry, ShowFile
from podhost.formats.text import shown

# What YAML does not take as it is between quotes, although XML does; TOML takes no \x7f.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
# In the order in which people look for them; the names of the file where Python's differ.
_SHOW_NAMES = {
    "title": "title",
    "slug": "slug",
    "description": "description",
    "language": "language",
    "author": "author",
    "link": "link",
    "copyright": "copyright",
    "explicit": "explicit",
    "show_type": "type",
    "categories": "categories",
    "time_zone": "time_zone",
    "artwork": "artwork",
    "podcast_guid": "podcast_guid",
    "locked": "locked",
    "medium": "medium",
    "complete": "complete",
    "block": "block",
    "new_feed_url": "new_feed_url",
    "write_tags": "write_tags",
    "moved_to": "moved_to",
    "moved_audio": "moved_audio",
}
_EPISODE_NAMES = {
    "title": "title",
    "date": "date",
    "status": "status",
    "guid": "guid",
    "slug": "slug",
    "season": "season",
    "season_name": "season_name",
    "number": "number",
    "episode_type": "type",
    "explicit": "explicit",
    "author": "author",
    "link": "link",
    "block": "block",
    "audio": "audio",
    "artwork": "artwork",
    "chapters": "chapters",
    "transcripts": "transcripts",
}


def render_show_file(show: ShowFile) -> str:
    """A show.toml that says this. Raises Invalid when it is more than the file may hold."""
    lines = [
        f"{key} = {_toml(value)}"
        for key, value in said_values(show, _SHOW_NAMES, ShowFile(title=""), always=("title",))
    ]
    lines += [f"{key} = {_flow(value, ' = ')}" for key, value in show.tags.items()]
    if show.owner is not None:
        owner = msgspec.structs.asdict(show.owner)
        said = {key: value for key, value in owner.items() if value is not None}
        lines += ["", "[owner]", *(f"{key} = {_toml(value)}" for key, value in said.items())]
    if show.site is not None:
        lines += _table("site", said_of_site(show.site))
    if show.newsletter is not None:
        lines += _table("newsletter", said_of_newsletter(show.newsletter))
    for person in show.people:
        lines += ["", "[[people]]"]
        lines += [f"{key} = {_toml(value)}" for key, value in _person(person, "host").items()]
        if person.links:
            lines.append(f"links = {_flow(msgspec.to_builtins(person.links), ' = ')}")
    for sponsor in show.sponsors:
        said = msgspec.structs.asdict(sponsor)
        lines += ["", "[[sponsors]]"]
        lines += [f"{key} = {_toml(value)}" for key, value in said.items() if value]
    return bounded("\n".join([*lines, ""]), "show.toml")


def _table(name: str, said: Mapping[str, Any]) -> list[str]:
    return ["", f"[{name}]", *(f"{key} = {_flow(value, ' = ')}" for key, value in said.items())]


def render_episode_file(episode: EpisodeFile) -> str:
    """An episode's text: front matter in YAML, and the notes.

    The notes must be clean (`text.clean_text`). Raises Invalid when it is more than the front
    matter may hold.
    """
    lines = [
        f"{key}: {yaml_value(value)}"
        for key, value in said_values(episode, _EPISODE_NAMES, EpisodeFile())
    ]
    lines += [f"{key}: {_flow(value, ': ')}" for key, value in episode.tags.items()]
    for key, people, role in (
        ("guests", episode.guests, "guest"),
        ("people", episode.people, "host"),
    ):
        lines += yaml_people(key, people, role)
    block = bounded("".join(f"{line}\n" for line in lines), shown(episode.title or ""))
    notes = f"\n{episode.notes}\n" if episode.notes else ""
    return f"---\n{block}---\n{notes}"


def local_date(moment: datetime, time_zone: str) -> datetime:
    """The same moment, to the second, as the show's time zone writes it where a file can say so."""
    found = moment.astimezone(ZoneInfo(time_zone)).replace(microsecond=0)
    offset = found.utcoffset() or timedelta()
    # Some zones were seconds off in the 1970s, and a file knows no year before 1970.
    if offset % timedelta(minutes=1) or not 1970 <= found.year <= 2199:
        return moment.astimezone(UTC).replace(microsecond=0)
    return found


def quoted(value: str) -> str:
    """A text between double quotes, as YAML, TOML and JSON all read it."""
    escaped = msgspec.json.encode(value).decode()
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)


def said_values(
    values: msgspec.Struct,
    names: Mapping[str, str],
    defaults: msgspec.Struct,
    always: Iterable[str] = (),
) -> Iterator[tuple[str, Any]]:
    """The file's keys with the values that are not what a missing key means; `names` has the key
    of each field."""
    for name, key in names.items():
        value = getattr(values, name)
        if name in always or value != getattr(defaults, name):
            yield key, value


def _person(person: PersonEntry, role: str) -> dict[str, str]:
    """What is said of somebody, but for the links."""
    found = msgspec.structs.asdict(person)
    del found["links"]
    return {
        key: value
        for key, value in found.items()
        if value is not None and (key, value) != ("role", role)
    }


def yaml_people(key: str, people: Sequence[PersonEntry], role: str) -> Iterator[str]:
    """The lines of front matter that name people."""
    if not people:
        return
    yield f"{key}:"
    for person in people:
        mark = "  - "
        for name, value in _person(person, role).items():
            yield f"{mark}{name}: {quoted(value)}"
            mark = "    "
        if person.links:
            yield f"{mark}links: {_flow(msgspec.to_builtins(person.links), ': ')}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(quoted(item) for item in value)}]"
    if "\n" in value:
        # Paragraphs stay readable; a line break right after the quotes is not part of the text.
        inner = "\n".join(quoted(line)[1:-1] for line in value.split("\n"))
        return f'"""\n{inner}"""'
    return quoted(value)


def yaml_value(value: Any) -> str:
    """A value as it stands behind its key in front matter."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, tuple):
        return f"[{', '.join(quoted(item) for item in value)}]"
    return str(value) if isinstance(value, int) else quoted(value)


def _flow(value: Any, between: str) -> str:
    """A feed tag as it is stored, on one line: TOML and YAML differ in what stands after a key."""
    if isinstance(value, Mapping):
        said = [
            f"{key}{between}{_flow(inner, between)}"
            for key, inner in value.items()
            if inner is not None
        ]
        return f"{{{', '.join(said)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_flow(inner, between) for inner in value)}]"
    return quoted(value) if isinstance(value, str) else msgspec.json.encode(value).decode()


def bounded(block: str, name: str) -> str:
    """Front matter that is not too long to be read again. Raises Invalid."""
    if len(block.encode()) > MAX_BLOCK_BYTES:
        raise Invalid(
            f"{name}: what is said of it, without the notes, is more than the "
            f"{MAX_BLOCK_BYTES // 1024} KB that a text file may hold; shorten the description "
            "or what is said of people."
        )
    return block
