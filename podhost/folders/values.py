"""What the texts of a show's folder mean in the words of the domain; it reads no row and no clock.

What a text does not say has its default, so that taking a line out takes its effect back.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from podhost.episodes import EpisodeInput
from podhost.errors import Invalid
from podhost.folders.contents import EpisodeFiles, ShowFolder, line_of
from podhost.folders.files import read_bytes, reason
from podhost.formats import chapters as chapter_format
from podhost.formats.chapter_formats import notes_chapters, parse_chapters
from podhost.formats.chapters import Chapter, normalise_chapters
from podhost.formats.feed_tags import EPISODE_TAGS, SHOW_TAGS
from podhost.formats.showfolder import PersonEntry, ShowFile, published_at
from podhost.formats.showfolder_writing import quoted
from podhost.formats.text import clean_text, plain_line, shown, slugify
from podhost.people import CreditInput, PersonLink
from podhost.shows import ShowInput, path_here

_LEADING_NUMBERS = re.compile(r"^(?:\d+[\s._-]+)+")
# The names of the front matter where they differ from the domain's.
_KEYS = {"episode_type": "type", "show_type": "type", "blocked": "block"}


def show_input(show: ShowFile) -> ShowInput:
    """What show.toml says, but for slug, people and podcast_guid.

    A move is not taken back by a text that does not speak of it: that must not happen by accident.
    """
    # What the file does not say is taken away.
    tags: dict[str, Any] = {name: show.tags.get(name) for name in SHOW_TAGS}
    return ShowInput(
        title=show.title,
        description=show.description,
        link=show.link,
        language=show.language,
        author=show.author or "",
        copyright=show.copyright,
        owner_name=show.owner.name if show.owner else None,
        owner_email=show.owner.email if show.owner else None,
        explicit=show.explicit,
        show_type=show.show_type,
        categories=list(show.categories),
        time_zone=show.time_zone,
        medium=show.medium,
        locked=show.locked,
        blocked=show.block,
        complete=show.complete,
        new_feed_url=show.new_feed_url,
        write_tags=show.write_tags,
        moved_to=UNSET if show.moved_to is None else show.moved_to,
        moved_audio=UNSET if show.moved_audio is None else show.moved_audio,
        **tags,
    )


def at_home(folder: ShowFolder, base_url: str) -> ShowFolder:
    """The folder of a show that moved here, without its address here as the one to move to."""
    show = folder.show
    path = path_here(show.moved_to, base_url) if show.moved_to is not None else None
    slugs = (show_slug(show, folder.root.name), *folder.addresses.old_slugs)
    if path is None or path.split("/")[1] not in slugs:
        return folder
    return replace(folder, show=msgspec.structs.replace(show, moved_to=None, moved_audio=None))


def show_slug(show: ShowFile, folder_name: str) -> str:
    """The slug that the show has or is to get."""
    return show.slug or slugify(folder_name, fallback="show", max_chars=64)


def episode_input(files: EpisodeFiles, tags: Mapping[str, Any]) -> EpisodeInput:
    """What an episode's files say, but for slug, guid, people and chapters.

    `tags` are those of its audio: they give the title where the text has none, and for audio
    without a text everything else too.
    """
    source = files.source
    said: dict[str, Any] = {name: source.tags.get(name) for name in EPISODE_TAGS}
    given = EpisodeInput(
        title=source.title or plain_line(tags.get("title") or "") or title_of_stem(files.stem),
        notes=source.notes,
        season=source.season,
        season_name=source.season_name,
        number=source.number,
        episode_type=source.episode_type,
        explicit=source.explicit,
        author=source.author,
        link=source.link,
        blocked=source.block,
        **said,
    )
    if files.text_file is None:
        given.notes = tags.get("description") or tags.get("comment") or ""
        given.season, given.number = tags.get("disc"), tags.get("track")
    return given


def title_of_stem(stem: str) -> str:
    """A title out of a file's name: without its leading number, with spaces between words."""
    name = plain_line(stem)
    rest = _LEADING_NUMBERS.sub("", name) or name
    spaced = rest.replace("_", " ")
    # Cleaned once more, or the text file that gets this title would be read as another one.
    return plain_line(spaced if " " in spaced.strip() else spaced.replace("-", " ")) or "Untitled"


def credits_of(
    people: Sequence[PersonEntry], picture_ids: Mapping[str, str | None]
) -> list[CreditInput]:
    """People as credits; `picture_ids` gives the artwork of a picture in the folder."""
    return [
        CreditInput(
            name=person.name,
            role=person.role,
            group=person.group,
            url=person.url,
            bio=person.bio,
            image_url=person.image if person.image and "://" in person.image else None,
            artwork_id=picture_ids.get(person.image or ""),
            links=[PersonLink(url=link.url, name=link.name or "") for link in person.links],
        )
        for person in people
    ]


# Chapters


def file_chapters(
    files: EpisodeFiles, duration_ms: int | None
) -> tuple[list[Chapter], list[str]] | None:
    """The chapters of the chapters file, fitted to the audio, and warnings; None without a file.

    Raises Invalid with a sentence that names the file.
    """
    if files.chapters is None:
        return None
    name = shown(files.chapters.name)
    try:
        data = read_bytes(files.chapters, chapter_format.FILE_LIMIT_BYTES)
        chapters, warnings = normalise_chapters(parse_chapters(data, name), duration_ms)
    except OSError as error:
        raise Invalid(f"{name} cannot be read: {reason(error)}.") from None
    except Invalid as error:
        raise Invalid(f"{name}: {error.message}") from None
    return chapters, [f"{name}: {warning}" for warning in warnings]


def found_chapters(tags: Mapping[str, Any], notes: str, duration_ms: int | None) -> list[Chapter]:
    """The chapters of an episode without a file of them: inside its audio, else in its notes."""
    return tag_chapters(tags) or notes_chapters(notes, duration_ms)


def tag_chapters(tags: Mapping[str, Any]) -> list[Chapter]:
    """The chapters that the audio itself has."""
    return msgspec.convert(tags.get("chapters") or [], list[Chapter])


# Dates


class Wish(NamedTuple):
    """What an episode's files want it to be: `at` None is a draft."""

    at: datetime | None


class StatusStep(NamedTuple):
    """What is to be done with an episode's status; `action` None: nothing."""

    action: str | None = None
    at: datetime | None = None
    warning: str | None = None


def wish_of(files: EpisodeFiles, time_zone: str) -> Wish:
    """When the text says that the episode is public."""
    return Wish(published_at(files.source, time_zone))


def decide_status(
    status: str,
    current: datetime | None,
    wish: Wish,
    *,
    problems: Sequence[str],
    now: datetime,
    taken: Collection[datetime] = (),
) -> StatusStep:
    """The step from an episode's status to what its text wants.

    `current` is its date, `problems` what keeps it from being published, and `taken` the dates of
    the show's other episodes. The date of what was out once stays: apps sort by it.
    """
    if wish.at is None:
        return StatusStep("withdraw" if status in ("published", "scheduled") else None)
    if problems and status != "published":
        return StatusStep(warning=f"It stays a draft: {problems[0]}")
    is_due = wish.at <= now
    if status == "scheduled" and not is_due and current == wish.at:
        return StatusStep()
    if status in ("draft", "scheduled"):
        return StatusStep("publish" if is_due else "schedule", wish.at)
    warning = None
    if current is not None and not is_same_second(current, wish.at, taken):
        warning = (
            f"It was published on {current:%Y-%m-%d %H:%M} UTC and keeps that date, because apps "
            "sort by it; the new date changes nothing."
        )
    if status == "published":
        return StatusStep(warning=warning)
    # Withdrawn, and wanted again: with its old date, or announced anew at a time to come.
    return StatusStep("publish", None, warning) if is_due else StatusStep("schedule", wish.at)


def is_same_second(current: datetime, wanted: datetime, taken: Collection[datetime]) -> bool:
    """Whether `current` is `wanted`, or the first second after it that no other episode had."""
    moment = wanted.replace(microsecond=0)
    while moment < current and moment in taken:
        moment += timedelta(seconds=1)
    return moment == current.replace(microsecond=0)


# Sentences and texts


def with_lines(files: EpisodeFiles, error: Invalid) -> str:
    """The domain's complaint about an episode's values, with the lines of its text."""
    sentences = []
    for path, sentence in error.fields.items():
        key = _KEYS.get(path, path)
        if key.startswith("people["):
            key = _person_key(files, key)
        # What the domain says of a value has no subject.
        sentences.append(f"{line_of(files.text, key)}“{key}”: {sentence}")
    return " ".join(sentences) or error.message


def _person_key(files: EpisodeFiles, key: str) -> str:
    """Guests and people are one list for the domain and two in the text."""
    number, _, rest = key.removeprefix("people[").partition("]")
    guests = len(files.source.guests)
    index = int(number)
    return f"guests[{index}]{rest}" if index < guests else f"people[{index - guests}]{rest}"


def text_for(given: EpisodeInput, guid: str, date: datetime | None) -> str:
    """A text file that says what an episode made from tags is: front matter and notes."""
    lines = [f"title: {quoted(str(given.title))}"]
    if date is not None:
        lines.append(f"date: {date.isoformat(timespec='seconds')}")
    lines.append(f"guid: {quoted(guid)}")
    lines += [
        f"{key}: {getattr(given, key)}" for key in ("season", "number") if getattr(given, key)
    ]
    notes = clean_text(str(given.notes))
    return "\n".join(["---", *lines, "---", *(("", notes) if notes else ()), ""])
