"""What a new feed says otherwise than the old one, item by item, in a podcaster's words.

Pure: it compares what `rss_import` reads of both. Addresses of files differ by their nature, and
are compared only in whether there is one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from podhost.formats.imported import ImportedEpisode, ImportedPerson, ImportedShow
from podhost.formats.markdown import notes_text
from podhost.formats.text import shown

_SHOWN_CHARS = 120
# So begins what is said of an episode that could not be had.
NOT_BROUGHT = "it did not come"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One value that is not the same in both feeds. `place` is "show" or names the episode."""

    place: str
    what: str
    old: str
    new: str


def compare_show(old: ImportedShow, new: ImportedShow) -> list[Difference]:
    """What differs in the show itself."""
    # podhost has a page for what leads nowhere else.
    links = {"link": (old.url, new.url if old.url else None)}
    return [*_differences("show", old, new, _SHOW_VALUES), *_listed("show", links)]


def compare_episode(
    old: ImportedEpisode, new: ImportedEpisode, old_show: ImportedShow, new_show: ImportedShow
) -> list[Difference]:
    """What differs in an episode; what an episode does not say, its show says for it."""
    place = f"“{shown(old.title, 60)}”"
    found = list(_differences(place, old, new, _EPISODE_VALUES))
    shared: Mapping[str, tuple[Any, Any]] = {
        "link": (old.url, new.url if old.url else None),
        "author": (old.author or old_show.author, new.author or new_show.author),
        "explicit": (
            old_show.explicit if old.explicit is None else old.explicit,
            new_show.explicit if new.explicit is None else new.explicit,
        ),
        "artwork": (
            bool(old.artwork_url and old.artwork_url != old_show.artwork_url),
            bool(new.artwork_url and new.artwork_url != new_show.artwork_url),
        ),
    }
    found += _listed(place, shared)
    return found


def missing_episode(old: ImportedEpisode, why: str) -> Difference:
    """An episode of the old feed that the new one has not."""
    place = f"“{shown(old.title, 60)}”"
    return Difference(place=place, what="the whole episode", old="in the feed", new=why)


def added_episode(new: ImportedEpisode) -> Difference:
    """An episode of the new feed that the old one has not."""
    place = f"“{shown(new.title, 60)}”"
    return Difference(place=place, what="the whole episode", old="not in the feed", new="in it")


def _differences(
    place: str, old: Any, new: Any, values: Mapping[str, Callable[[Any], Any]]
) -> Iterator[Difference]:
    return _listed(place, {what: (read(old), read(new)) for what, read in values.items()})


def _listed(place: str, values: Mapping[str, tuple[Any, Any]]) -> Iterator[Difference]:
    for what, (old, new) in values.items():
        if old != new:
            yield Difference(place=place, what=what, old=_in_words(old), new=_in_words(new))


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value in (None, "", (), []):
        return "nothing"
    if isinstance(value, (tuple, list)):
        return shown("; ".join(map(str, value)), _SHOWN_CHARS)
    return shown(str(value), _SHOWN_CHARS)


def _people(people: Sequence[ImportedPerson]) -> list[str]:
    return [f"{person.name} ({person.role})" for person in people]


def _notes(episode: ImportedEpisode) -> str:
    return " ".join(notes_text(episode.notes_html, with_links=True).split())


def _categories(show: ImportedShow) -> list[str]:
    return [" > ".join(filter(None, pair)) for pair in show.categories]


def _tag_names(item: ImportedShow | ImportedEpisode) -> list[str]:
    # podhost writes these by itself, out of what it has.
    own = ("podcast:image", "podcast:images", "podcast:podping", "podcast:trailer")
    return sorted({tag.name for tag in item.tags} - set(own))


def _links(item: ImportedShow | ImportedEpisode) -> list[str]:
    return [f"{link.text} {link.url}".strip() for link in item.funding]


def _license(item: ImportedShow | ImportedEpisode) -> str | None:
    return (item.license.text or item.license.url) if item.license is not None else None


_SHOW_VALUES: Mapping[str, Callable[[ImportedShow], Any]] = {
    "title": lambda show: show.title,
    "description": lambda show: " ".join(show.description.split()),
    "language": lambda show: show.language,
    "author": lambda show: show.author,
    "explicit": lambda show: show.explicit,
    "type": lambda show: show.show_type,
    "categories": _categories,
    "artwork": lambda show: bool(show.artwork_url),
    "copyright": lambda show: show.copyright,
    "complete": lambda show: show.is_complete,
    "blocked": lambda show: show.is_blocked,
    "podcast:guid": lambda show: (show.podcast_guid or "").lower(),
    "medium": lambda show: show.medium,
    "people": lambda show: _people(show.people),
    "funding": _links,
    "license": _license,
    "owner's mail address": lambda show: show.mail,
    "other tags": _tag_names,
    "tags that podhost does not know": lambda show: len(show.unknown_xml),
}
_EPISODE_VALUES: Mapping[str, Callable[[ImportedEpisode], Any]] = {
    "guid": lambda episode: episode.guid,
    "title": lambda episode: episode.title,
    "date": lambda episode: episode.published_at or episode.proposed_at,
    "notes": _notes,
    "type": lambda episode: episode.episode_type,
    "season": lambda episode: episode.season,
    "name of the season": lambda episode: episode.season_name,
    "number": lambda episode: episode.number,
    "number as shown": lambda episode: episode.number_display,
    "blocked": lambda episode: episode.is_blocked,
    "people": lambda episode: _people(episode.people),
    "chapters": lambda episode: bool(episode.chapters_url or episode.chapters),
    "transcripts": lambda episode: bool(episode.transcripts),
    "soundbites": lambda episode: [
        (bite.start_ms, bite.duration_ms, bite.title) for bite in episode.soundbites
    ],
    "funding": _links,
    "license": _license,
    "other tags": _tag_names,
    "tags that podhost does not know": lambda episode: len(episode.unknown_xml),
}
