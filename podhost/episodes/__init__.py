"""Episodes: create, change, find; the guid is set once. What the world sees is in `publishing`.

What is slow (files, probing) is done before, by `audio` and `artwork`; here are only rows.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from podhost import fields
from podhost.artwork import add_artwork
from podhost.audio.revisions import PreparedAudio, add_revision
from podhost.changes import record_change
from podhost.chapters.rows import (
    ChapterInput,
    are_in_notes,
    fit_chapters,
    follow_notes,
    read_chapters,
    set_chapters,
    set_found_chapters,
)
from podhost.db import new_id
from podhost.editing.versions import is_made_up, note_edit, note_made_up, settle
from podhost.errors import Conflict, Gone, Invalid, NotFound
from podhost.formats.chapters import normalise_chapters
from podhost.formats.feed_tags import (
    EPISODE_TAGS,
    check_soundbites,
    episode_tag_warnings,
    read_episode_tag,
)
from podhost.formats.feed_words import EPISODE_TYPES
from podhost.formats.markdown import render_notes
from podhost.formats.tag_rules import LIST_MEDIUMS
from podhost.formats.tag_values import EpisodeTagsInput
from podhost.formats.text import LONGEST_GUID, SPACES, is_guid, slugify
from podhost.models import Artwork, Audio, Credit, Episode, EpisodeSlug, Show
from podhost.people import CreditInput, set_credits
from podhost.search.rows import forget_subject
from podhost.shows import has_early_feed, touch_show

STATUSES = ("draft", "scheduled", "published", "withdrawn")


class EpisodeInput(EpisodeTagsInput, kw_only=True):
    """What a host may say of an episode; fields that are not given stay as they are."""

    title: str | UnsetType = UNSET
    notes: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    guid: str | UnsetType = UNSET
    season: int | UnsetType | None = UNSET
    season_name: str | UnsetType | None = UNSET
    number: int | UnsetType | None = UNSET
    episode_type: str | UnsetType = UNSET
    explicit: bool | UnsetType | None = UNSET
    author: str | UnsetType | None = UNSET
    link: str | UnsetType | None = UNSET
    blocked: bool | UnsetType = UNSET
    guests: list[CreditInput] | UnsetType = UNSET
    people: list[CreditInput] | UnsetType = UNSET
    chapters: list[ChapterInput] | UnsetType = UNSET


_READERS: dict[str, tuple[str, fields.Reader]] = {
    "title": ("title", fields.required_line),
    "notes": ("notes", fields.markdown),
    "season": ("season", fields.positive_number),
    "season_name": ("season_name", fields.line_or_none),
    "number": ("number", fields.positive_number),
    "episode_type": ("episode_type", fields.one_of(*EPISODE_TYPES)),
    "explicit": ("explicit", fields.as_given),
    "author": ("author", fields.line_or_none),
    "link": ("link", fields.web_url),
    "blocked": ("is_blocked", fields.as_given),
    **{name: (f"tags.{name}", partial(read_episode_tag, name)) for name in EPISODE_TAGS},
}


def create_episode(
    session: Session,
    show: Show,
    given: EpisodeInput,
    prepared: PreparedAudio | None,
    *,
    now: datetime,
    episode_id: str | None = None,
) -> Episode:
    """A new draft, with what the host said and, where the host said nothing, the audio's tags.

    `episode_id` is one that it had elsewhere and that is free here.
    Raises Invalid with every wrong field, Conflict when the guid or the slug is taken.
    """
    episode = Episode(
        id=episode_id or new_id(),
        show_id=show.id,
        show=show,
        guid="",
        slug="",
        title="",
        notes="",
        notes_html="",
        status="draft",
        episode_type="full",
        is_blocked=False,
        created_at=now,
        changed_at=now,
    )
    # Of a title that was said, it is the address that was meant.
    is_slug_made_up = given.slug is UNSET and (given.title is UNSET or not given.title.strip())
    if prepared is not None:
        given = _prefilled(given, prepared)
    if given.title is UNSET:
        raise Invalid("title: An episode needs a title.", {"title": "An episode needs a title."})
    _, errors = fields.apply_given(episode, given, _READERS)
    with errors.noting("guid"):
        episode.guid = str(uuid.uuid4()) if given.guid is UNSET else _own_guid(session, show, given)
    with errors.noting("slug"):
        if given.slug is not UNSET:
            episode.slug = _own_slug(session, show, given.slug)
        elif episode.title:
            episode.slug = _free_slug(session, show, slugify(episode.title, fallback="episode"))
    if prepared is not None:
        with errors.noting("soundbites"):
            check_soundbites(episode.tags, prepared.probe.duration_ms)
    errors.raise_any()
    episode.notes_html = render_notes(episode.notes)
    session.add(episode)
    session.flush()
    if is_slug_made_up:
        note_made_up(session, episode, "slug", now=now)
    if prepared is not None:
        add_revision(session, episode, prepared, now=now)
        if prepared.artwork is not None:
            episode.artwork_id = add_artwork(session, prepared.artwork, now=now).id
        if given.chapters is UNSET:
            set_found_chapters(session, episode, prepared, now=now)
    elif given.chapters is UNSET:
        follow_notes(session, episode, now=now)
    _set_parts(session, show, episode, given, now=now)
    session.flush()
    record_change(session, "episode", episode.id, now=now)
    return episode


def change_episode(
    session: Session, episode: Episode, given: EpisodeInput, *, now: datetime
) -> bool:
    """Change what was given; False when everything was so already. The guid never changes.

    Chapters that came from the notes change with them, and with the title the slug of a draft that
    was made of a file, until somebody gives it one.

    Raises Invalid with every wrong field, Conflict when the slug is taken or the guid differs.
    """
    were_in_notes = given.notes is not UNSET and are_in_notes(episode)
    changed, errors = fields.apply_given(episode, given, _READERS)
    if given.guid is not UNSET and given.guid != episode.guid:
        raise Conflict(
            "An episode's guid never changes: apps would download the episode again.",
            {"guid": f"It is {episode.guid!r} and stays so."},
        )
    with errors.noting("slug"):
        if _change_slug(session, episode, given, has_new_title="title" in changed):
            changed.add("slug")
    with errors.noting("soundbites"):
        if "tags.soundbites" in changed and episode.audio is not None:
            check_soundbites(episode.tags, episode.audio.duration_ms)
    errors.raise_any()
    if "notes" in changed:
        episode.notes_html = render_notes(episode.notes)
        if were_in_notes and given.chapters is UNSET:
            follow_notes(session, episode, now=now)
    changed = _given_names(changed) | _set_parts(session, episode.show, episode, given, now=now)
    if changed:
        touch_episode(session, episode, now=now, names=changed)
    return bool(changed)


def _given_names(attributes: Collection[str]) -> set[str]:
    """The fields as the API calls them."""
    names = {attribute: name for name, (attribute, _) in _READERS.items()}
    return {names.get(attribute, attribute) for attribute in attributes}


def changed_fields(episode: Episode, given: EpisodeInput) -> list[str]:
    """Which plain fields `change_episode` would change: not slug, guid, people or chapters.

    Nothing is changed. Raises Invalid with every wrong field.
    """
    return fields.changed_fields(episode, given, _READERS)


def slug_problem(session: Session, episode: Episode, value: str) -> str | None:
    """Why the episode cannot have this slug, as a sentence; None: it can."""
    try:
        slug = fields.slug(value)
    except ValueError as error:
        return str(error)
    old = session.get(EpisodeSlug, (episode.show_id, slug))
    is_own = slug == episode.slug or (old is not None and old.episode_id == episode.id)
    if not is_own and _is_taken(session, episode.show, slug):
        return f"The show has an episode {slug!r} already."
    return None


def replace_audio(
    session: Session, episode: Episode, prepared: PreparedAudio, *, now: datetime
) -> list[str]:
    """New audio for the same episode: same guid, new URL.

    The chapters and their pictures give way to those of the new file, if it has any; chapters that
    lie beyond the new end are cut off, and sentences say which. A published episode cannot get
    audio that apps cannot play.
    """
    if episode.status in ("published", "scheduled") and prepared.probe.problem:
        raise Invalid(prepared.probe.problem, {"audio": prepared.probe.problem})
    were_in_notes = are_in_notes(episode)
    add_revision(session, episode, prepared, now=now)
    warnings = fit_chapters(session, episode, prepared, were_in_notes=were_in_notes, now=now)
    touch_episode(session, episode, now=now)
    return warnings


def set_episode_artwork(
    session: Session, episode: Episode, artwork: Artwork | None, *, now: datetime
) -> bool:
    """Give the episode artwork of its own, or take it away; False when it was so already."""
    artwork_id = artwork.id if artwork is not None else None
    if episode.artwork_id == artwork_id:
        return False
    episode.artwork_id, episode.artwork = artwork_id, artwork
    touch_episode(session, episode, now=now)
    return True


def touch_episode(
    session: Session, episode: Episode, *, now: datetime, names: Collection[str] = ()
) -> None:
    """Something about the episode changed: serving processes forget it, the feed is rendered.

    `names` are the fields that somebody edited.
    """
    episode.changed_at = now
    note_edit(session, episode, names, now=now)
    if episode.status == "withdrawn" or episode.deleted_at is not None:
        # At once: what is found of it is nobody's to see any more.
        forget_subject(session, "episode", episode.id)
    if episode.status in ("published", "withdrawn") or has_early_feed(episode.show):
        touch_show(session, episode.show, now=now)
    record_change(session, "episode", episode.id, now=now)


def episode_problems(episode: Episode) -> list[str]:
    """What keeps the episode from being published, each with what to do about it."""
    problems = _audio_problems(episode.audio)
    if episode.show.medium in LIST_MEDIUMS:
        problems.append(
            f"The show is a list ({episode.show.medium}), which has no episodes of its own."
        )
    return problems


def _audio_problems(audio: Audio | Row[Any] | None) -> list[str]:
    if audio is None:
        return ["The episode has no audio yet; add the audio file first."]
    return [audio.problem] if audio.problem else []


def episode_warnings(episode: Episode) -> list[str]:
    """What keeps it a draft, what was repaired and what apps will not show as it is."""
    return row_warnings(episode.show, episode, episode.audio)


def row_warnings(
    show: Show, episode: Episode | Row[Any], audio: Audio | Row[Any] | None
) -> list[str]:
    """The same for rows that were read as columns."""
    warnings = _audio_problems(audio)
    if audio is not None:
        warnings += [*audio.warnings, *filter(None, (audio.tagging_problem,))]
    if episode.tags:
        duration_ms = audio.duration_ms if audio is not None else None
        warnings += episode_tag_warnings(episode.tags, episode.number, duration_ms)
    if len(episode.title) > 255:
        warnings.append("The title has more than 255 characters; the feed shows the first ones.")
    if show.show_type == "serial" and not episode.number and episode.episode_type == "full":
        warnings.append("The show is serial: Apple Podcasts asks for an episode number.")
    return warnings


def get_episode(session: Session, show: Show, key: str) -> Episode:
    """The episode with this id or slug, also by a slug that it once had.

    Raises NotFound, or Gone when it was deleted.
    """
    if not fields.may_be_slug(key):
        raise NotFound(f"The show {show.slug!r} has no episode {key!r}.")
    episode = session.scalar(
        select(Episode).where(
            Episode.show_id == show.id, (Episode.id == key) | (Episode.slug == key)
        )
    )
    if episode is None:
        old = session.get(EpisodeSlug, (show.id, key))
        episode = session.get(Episode, old.episode_id) if old else None
    if episode is None:
        raise NotFound(f"The show {show.slug!r} has no episode {key!r}.")
    if episode.deleted_at is not None:
        raise Gone(f"The episode {key!r} was deleted.")
    return episode


def find_episode_by_guid(session: Session, show: Show, guid: str) -> Episode | None:
    """The episode with this guid, deleted ones too. Apps cut off the space around it."""
    is_same = func.trim(Episode.guid, SPACES) == guid.strip(SPACES)
    return session.scalar(select(Episode).where(Episode.show_id == show.id, is_same))


def list_episodes(
    session: Session,
    show: Show,
    *,
    status: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> Sequence[Episode]:
    """The show's episodes, newest first; a draft stands at the day on which it was made.

    Each comes with its audio, artwork, credits and transcripts, in a fixed number of queries.
    """
    statement = select(Episode).where(Episode.show_id == show.id, Episode.deleted_at.is_(None))
    if status is not None:
        statement = statement.where(Episode.status == status)
    newest = func.coalesce(Episode.published_at, Episode.created_at).desc()
    statement = statement.order_by(newest, Episode.id).limit(limit).offset(offset)
    return session.scalars(
        statement.options(
            joinedload(Episode.audio),
            joinedload(Episode.artwork),
            selectinload(Episode.credits).joinedload(Credit.artwork),
            selectinload(Episode.transcripts),
        )
    ).all()


def count_episodes(session: Session, show: Show, *, status: str | None = None) -> int:
    """How many episodes the show has."""
    statement = select(func.count()).where(Episode.show_id == show.id, Episode.deleted_at.is_(None))
    if status is not None:
        statement = statement.where(Episode.status == status)
    return session.scalar(statement) or 0


def _set_parts(
    session: Session, show: Show, episode: Episode, given: EpisodeInput, *, now: datetime
) -> set[str]:
    changed: set[str] = set()
    if given.guests is not UNSET or given.people is not UNSET:
        guests = given.guests if given.guests is not UNSET else []
        people = given.people if given.people is not UNSET else []
        if set_credits(session, show, episode, people, guests=guests):
            changed.add("people")
    if given.chapters is not UNSET:
        duration_ms = episode.audio.duration_ms if episode.audio is not None else None
        chapters, _ = normalise_chapters(read_chapters(given.chapters), duration_ms)
        if set_chapters(session, episode, chapters, now=now):
            changed.add("chapters")
    return changed


def title_of_file(file_name: str) -> str:
    """What an episode is called after its file, where nothing better is known."""
    return Path(file_name).stem.replace("_", " ").strip()


def _prefilled(given: EpisodeInput, prepared: PreparedAudio) -> EpisodeInput:
    """What the host said, completed by what the audio says about itself."""
    tags = prepared.probe.tags
    filled = msgspec.structs.replace(given)
    if filled.title is UNSET or not filled.title.strip():
        stem = title_of_file(prepared.file_name)
        filled.title = tags.title or stem or "Untitled episode"
    if filled.notes is UNSET:
        filled.notes = tags.description or tags.comment or ""
    if filled.number is UNSET and tags.track:
        filled.number = tags.track
    if filled.season is UNSET and tags.disc:
        filled.season = tags.disc
    return filled


def _own_guid(session: Session, show: Show, given: EpisodeInput) -> str:
    guid = given.guid if given.guid is not UNSET else ""
    # An imported guid is an opaque string: only what no XML can carry is refused.
    if not is_guid(guid):
        raise ValueError(f"It must be one line of 1 to {LONGEST_GUID} characters.")
    if find_episode_by_guid(session, show, guid) is not None:
        sentence = f"The show has an episode with the guid {guid!r} already."
        raise Conflict(sentence, {"guid": sentence})
    return guid


def _own_slug(session: Session, show: Show, value: str) -> str:
    slug = fields.slug(value)
    if _is_taken(session, show, slug):
        sentence = f"The show has an episode {slug!r} already."
        raise Conflict(sentence, {"slug": sentence})
    return slug


def _change_slug(
    session: Session, episode: Episode, given: EpisodeInput, *, has_new_title: bool
) -> bool:
    """Give the episode the slug that was given, or else the one that follows from its new title;
    whether somebody gave it another one."""
    if given.slug is UNSET and not has_new_title:
        return False
    follows = episode.status == "draft" and is_made_up(session, episode, "slug")
    if follows and has_new_title:
        wanted = slugify(episode.title, fallback="episode")
        wanted = _free_slug(session, episode.show, wanted, own=episode.slug)
        # What is given is the same where a change of both is taken back.
        if given.slug is UNSET or given.slug == wanted:
            # Nobody has seen the old one, so that nothing leads from there.
            episode.slug = wanted
            return False
    if given.slug is UNSET:
        return False
    if given.slug == episode.slug:
        if follows:
            settle(session, episode, "slug")
        return False
    _rename(session, episode, given.slug)
    return True


def _rename(session: Session, episode: Episode, value: str) -> None:
    slug = fields.slug(value)
    old = session.get(EpisodeSlug, (episode.show_id, slug))
    if old is not None and old.episode_id == episode.id:
        session.delete(old)
        session.flush()
    slug = _own_slug(session, episode.show, slug)
    session.add(EpisodeSlug(show_id=episode.show_id, slug=episode.slug, episode_id=episode.id))
    episode.slug = slug


def _is_taken(session: Session, show: Show, slug: str) -> bool:
    current = select(Episode.id).where(Episode.show_id == show.id, Episode.slug == slug)
    if session.scalar(current) is not None:
        return True
    return session.get(EpisodeSlug, (show.id, slug)) is not None


def _free_slug(session: Session, show: Show, wanted: str, *, own: str | None = None) -> str:
    candidate, number = wanted, 2
    while candidate != own and _is_taken(session, show, candidate):
        candidate, number = f"{wanted}-{number}", number + 1
    return candidate
