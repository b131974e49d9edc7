"""One episode of a folder on its way into the rows: its files are stored, then it is written.

A new episode's guid stands in its text file before any row has it, so that a crash in between
never makes two episodes of one.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.orm import Session

from podhost.artwork import add_artwork, find_artwork
from podhost.audio.revisions import PreparedAudio, is_known_audio, prepare_audio, received_file
from podhost.audio.tagging import add_copy, prepare_copy
from podhost.chapters.pictures import find_chapter_pictures
from podhost.chapters.rows import notes_warnings, set_chapters
from podhost.db import Database
from podhost.episodes import (
    change_episode,
    create_episode,
    episode_problems,
    episode_warnings,
    replace_audio,
    set_episode_artwork,
    touch_episode,
)
from podhost.episodes.publishing import keep_withdrawn, publish_episode, withdraw_episode
from podhost.errors import Conflict, Invalid
from podhost.folders.contents import EpisodeFiles
from podhost.folders.files import (
    FolderFile,
    copy_to,
    create_text,
    read_bytes,
    reason,
    rewrite,
)
from podhost.folders.origins import (
    find_original,
    free_episode_id,
    free_transcript_ids,
    restore_episode,
)
from podhost.folders.pictures import Picture, add_picture, prepare_picture, prepare_pictures
from podhost.folders.plan import EpisodePlan
from podhost.folders.rows import stable_guid
from podhost.folders.values import (
    StatusStep,
    credits_of,
    decide_status,
    episode_input,
    file_chapters,
    found_chapters,
    text_for,
    wish_of,
)
from podhost.formats import showfolder
from podhost.formats.folder_addresses import KeptPicture
from podhost.formats.text import shown
from podhost.formats.transcripts import FILE_LIMIT_BYTES
from podhost.models import Audio, Episode, Show
from podhost.people import CreditInput
from podhost.shows import lock_show
from podhost.storage import Storage
from podhost.transcripts import PreparedTranscript, set_transcripts
from podhost.uploads.intake import Intake

_DONE = {"publish": "published", "schedule": "scheduled", "withdraw": "withdrawn"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """An episode whose files are stored and whose row is not written yet.

    Leave `intake` with an error, or call its `take_back`, to delete what no row came to know.
    """

    plan: EpisodePlan
    intake: Intake
    audio: PreparedAudio | None
    # The upload, of which the audio is a copy with tags that was made elsewhere.
    original: PreparedAudio | None
    artwork: Picture | None
    pictures: Mapping[str, Picture]
    transcripts: list[PreparedTranscript] | None
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Written:
    """What was done to an episode, in words to count, and what its host should know."""

    done: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def prepare_episode(
    database: Database,
    storage: Storage,
    plan: EpisodePlan,
    picture_ids: Mapping[str, str | None],
    kept_pictures: Mapping[str, KeptPicture] = MappingProxyType({}),
) -> Prepared:
    """Probe and store what the plan needs of an episode's files. Call it outside transactions.

    Raises Invalid with a sentence, and then nothing is stored.
    """
    files = plan.files
    with Intake(database, storage) as intake:
        try:
            audio = _prepare_audio(storage, intake, plan)
            notes: list[str] = []
            return Prepared(
                plan=plan,
                intake=intake,
                audio=audio,
                original=_prepare_original(storage, intake, plan, audio),
                artwork=prepare_picture(
                    database, intake, files.artwork, is_square=True, kept=kept_pictures
                )
                if files.artwork is not None and _is_part(plan, "artwork")
                else None,
                pictures=prepare_pictures(
                    database, intake, files.pictures, picture_ids, kept_pictures
                )
                if _is_part(plan, "people")
                else {},
                transcripts=_prepare_transcripts(database, intake, plan, notes)
                if _is_part(plan, "transcripts")
                else None,
                notes=notes,
            )
        except OSError as error:
            raise Invalid(f"A file cannot be read: {reason(error)}.") from None


def write_episode(
    database: Database,
    storage: Storage,
    show: Show,
    prepared: Prepared,
    *,
    base_url: str,
    now: Callable[[], datetime],
    kept_date: datetime | None = None,
) -> Written:
    """Write an episode's row, and before it what its text file lacks.

    While the feed's date is `kept_date`, episodes that come back as they were do not change it.
    Raises what the domain raises, and then no row is changed.
    """
    written = Written(notes=[*prepared.notes])
    plan = prepared.plan
    files, guid = plan.files, plan.guid or ""
    if plan.writes == "guid":
        guid = _write_guid(show, plan, written)
    elif plan.writes == "text":
        files, guid = _write_text(database, show, prepared, now(), written)

    def rehearse(session: Session) -> Episode:
        locked = _locked(session, show)
        return _Writing(session, locked, prepared, files, now(), Written()).write(guid)

    copy = None
    if prepared.audio is not None and not plan.is_new:
        copy = prepare_copy(
            database, storage, prepared.intake, rehearse, show_id=show.id, base_url=base_url
        )
    with database.write() as session:
        locked = _locked(session, show)
        is_unchanged = plan.kept is not None and locked.changed_at == kept_date
        row = _Writing(session, locked, prepared, files, now(), written).write(guid)
        if copy is not None:
            add_copy(session, row, copy, base_url=base_url, now=now())
        if is_unchanged and kept_date is not None:
            locked.changed_at = kept_date
    return written


def _locked(session: Session, show: Show) -> Show:
    lock_show(session, show.id)
    locked = session.get_one(Show, show.id)
    if locked.deleted_at is not None:
        raise Conflict(f"The show {locked.slug!r} was deleted meanwhile.")
    return locked


def _is_part(plan: EpisodePlan, name: str) -> bool:
    return plan.is_new or name in plan.changes


# Storing


def _prepare_audio(storage: Storage, intake: Intake, plan: EpisodePlan) -> PreparedAudio | None:
    file = plan.files.audio
    if file is None or not _is_part(plan, "audio"):
        return None
    return _stored(
        storage,
        intake,
        file,
        with_artwork=plan.files.artwork is None and (plan.kept is None or plan.kept.has_artwork),
        with_chapter_pictures=plan.files.chapters is None,
    )


def _prepare_original(
    storage: Storage, intake: Intake, plan: EpisodePlan, audio: PreparedAudio | None
) -> PreparedAudio | None:
    if audio is None or not plan.is_new or plan.files.audio is None:
        return None
    file = find_original(plan.files.audio.root, plan.kept, audio.sha256)
    if file is None:
        return None
    return _stored(storage, intake, file, with_artwork=False, with_chapter_pictures=False)


def _stored(
    storage: Storage,
    intake: Intake,
    file: FolderFile,
    *,
    with_artwork: bool,
    with_chapter_pictures: bool,
) -> PreparedAudio:
    # A copy, which nobody changes while it is probed and stored; the storage takes it over.
    with received_file(storage) as path:
        sha256 = copy_to(file, path)
        return intake.keep_audio(
            prepare_audio(
                storage,
                path,
                file_name=shown(file.name),
                sha256=sha256,
                give_up=True,
                with_artwork=with_artwork,
                with_chapter_pictures=with_chapter_pictures,
            )
        )


def _prepare_transcripts(
    database: Database, intake: Intake, plan: EpisodePlan, notes: list[str]
) -> list[PreparedTranscript]:
    files = plan.files
    # Of several in one language, none is made that is given, and none twice.
    given = {(entry.language, _ending(entry.file.name)) for entry in files.transcripts}
    found: list[PreparedTranscript] = []
    for entry in files.transcripts:
        name = shown(entry.file.name)
        try:
            prepared, warnings = intake.transcripts(
                read_bytes(entry.file, FILE_LIMIT_BYTES),
                entry.file.name,
                language=entry.language,
                without={ending for language, ending in given if language == entry.language},
                ids=free_transcript_ids(database, plan.kept, entry.file.name),
            )
        except Invalid as error:
            raise Invalid(f"{name}: {error.message}") from None
        found += prepared
        given |= {(entry.language, form.extension) for form in prepared}
        notes += [f"{name}: {warning}" for warning in warnings]
    return found


def _ending(name: str) -> str:
    ending = name.lower().rpartition(".")[2]
    return "html" if ending == "htm" else ending


# Writing into the folder


def _write_guid(show: Show, plan: EpisodePlan, written: Written) -> str:
    """The episode's guid, which stands in its text file from now on, where that can be written."""
    file = plan.files.text_file
    assert file is not None
    guid = plan.guid or str(uuid.uuid4())
    try:
        rewrite(file, plan.files.text, showfolder.write_guid(plan.files.text, guid))
    except OSError as error:
        return plan.guid or _guid_elsewhere(show, plan, file, error, written)
    return guid


def _write_text(
    database: Database, show: Show, prepared: Prepared, now: datetime, written: Written
) -> tuple[EpisodeFiles, str]:
    """A text file for audio that has none, and the episode's guid, which stands in it."""
    plan = prepared.plan
    files, audio = plan.files, plan.files.audio
    assert audio is not None
    with database.read() as session:
        row = session.get(Episode, plan.episode_id) if plan.episode_id else None
        tags = _tags(prepared, row.audio if row is not None else None)
    if row is not None:
        date = row.published_at if row.status in ("published", "scheduled") else None
    else:
        is_playable = prepared.audio is not None and not prepared.audio.probe.problem
        date = now if is_playable else None
    guid = plan.guid or str(uuid.uuid4())
    local = date.astimezone(ZoneInfo(show.time_zone)) if date is not None else None
    text = text_for(episode_input(files, tags), guid, local)
    try:
        text_file = create_text(audio, files.stem, text)
    except OSError as error:
        return files, plan.guid or _guid_elsewhere(show, plan, audio, error, written)
    source = showfolder.read_episode(text)
    return replace(files, text_file=text_file, text=text, source=source), guid


def _guid_elsewhere(
    show: Show, plan: EpisodePlan, file: FolderFile, error: OSError, written: Written
) -> str:
    guid = stable_guid(show, plan.files.stem)
    written.notes.append(
        f"Its guid cannot be written beside {shown(file.name)} ({reason(error)}). "
        "Keep the file's name: it stands for the guid."
    )
    return guid


# Writing the rows


@dataclass(frozen=True, slots=True)
class _Writing:
    """One transaction: the show's row is locked."""

    session: Session
    show: Show
    prepared: Prepared
    files: EpisodeFiles
    now: datetime
    written: Written

    def write(self, guid: str) -> Episode:
        """Everything about the episode, then its status."""
        plan = self.prepared.plan
        row = self._created(guid) if plan.is_new else self._changed()
        self._set_chapters(row)
        self._set_artwork(row)
        if self.prepared.transcripts or (self.prepared.transcripts is not None and not plan.is_new):
            set_transcripts(self.session, row, self.prepared.transcripts, now=self.now)
        if self.prepared.audio is not None:
            self.written.notes.extend(episode_warnings(row))
        self._step(row)
        return row

    def _created(self, guid: str) -> Episode:
        given = episode_input(self.files, _tags(self.prepared, None))
        given.guid = guid
        if self.files.source.slug is not None:
            given.slug = self.files.source.slug
        given.guests, given.people = self._credits()
        self.written.done.append("episodes created")
        kept = self.prepared.plan.kept
        row = create_episode(
            self.session,
            self.show,
            given,
            self.prepared.audio,
            now=self.now,
            episode_id=free_episode_id(self.session, kept),
        )
        if kept is not None:
            original = self.prepared.original
            restore_episode(self.session, self.show, row, kept, original, now=self.now)
        return row

    def _changed(self) -> Episode:
        plan = self.prepared.plan
        row = self.session.get_one(Episode, plan.episode_id)
        if row.deleted_at is not None:
            raise Conflict("The episode was deleted meanwhile.")
        given = episode_input(self.files, _tags(self.prepared, row.audio))
        if self.files.source.slug is not None:
            given.slug = self.files.source.slug
        if "people" in plan.changes:
            given.guests, given.people = self._credits()
        audio = self.prepared.audio
        if audio is not None and not is_known_audio(row.audio, audio.sha256):
            # Otherwise another run was faster; the same sound again would only get a new URL.
            replace_audio(self.session, row, audio, now=self.now)
        # After the audio, inside of which the soundbites must lie.
        change_episode(self.session, row, given, now=self.now)
        if plan.changes:
            self.written.done.append("episodes changed")
        return row

    def _credits(self) -> tuple[list[CreditInput], list[CreditInput]]:
        pictures = self.prepared.pictures
        ids = {
            name: add_picture(self.session, pictures[name], now=self.now).id for name in pictures
        }
        source = self.files.source
        return credits_of(source.guests, ids), credits_of(source.people, ids)

    def _set_chapters(self, row: Episode) -> None:
        plan, is_new_audio = self.prepared.plan, self.prepared.audio is not None
        if not is_new_audio and not _is_part(plan, "chapters") and "notes" not in plan.changes:
            return
        tags = row.audio.tags if row.audio is not None else {}
        duration_ms = row.audio.duration_ms if row.audio is not None else None
        found = file_chapters(self.files, duration_ms)
        if found is None and row.audio is not None and "chapters" not in tags:
            # It was probed by a version that did not say which chapters it has inside.
            return
        noted = found_chapters(tags, row.notes, duration_ms)
        chapters, warnings = found if found is not None else (noted, [])
        pictures = find_chapter_pictures(self.session, tags) if found is None else {}
        self.written.notes.extend(warnings)
        if set_chapters(self.session, row, chapters, pictures, now=self.now):
            touch_episode(self.session, row, now=self.now)
        if found is None:
            self.written.notes.extend(notes_warnings(row))

    def _set_artwork(self, row: Episode) -> None:
        if self.prepared.artwork is not None:
            own = add_picture(self.session, self.prepared.artwork, now=self.now)
            set_episode_artwork(self.session, row, own, now=self.now)
            return
        is_wanted = self.prepared.audio is not None or "artwork" in self.prepared.plan.changes
        if self.files.artwork is not None or self.prepared.plan.is_new or not is_wanted:
            return
        # Without a file of its own, what the audio carries; where that is gone, the show's.
        in_tags = self.prepared.audio.artwork if self.prepared.audio is not None else None
        sha256 = row.audio.tags.get("artwork_sha256") if row.audio is not None else None
        picture = find_artwork(self.session, sha256) if sha256 is not None else None
        if picture is None and in_tags is not None:
            picture = add_artwork(self.session, in_tags, now=self.now)
        set_episode_artwork(self.session, row, picture, now=self.now)

    def _step(self, row: Episode) -> None:
        source = self.files.source
        if self.prepared.plan.is_new and source.status == "withdrawn":
            if (at := showfolder.dated_at(source, self.show.time_zone)) is not None:
                keep_withdrawn(self.session, row, at=at, now=self.now)
            return
        step = self._status(row)
        if step.action in ("publish", "schedule"):
            publish_episode(self.session, row, now=self.now, at=step.at)
        elif step.action == "withdraw":
            withdraw_episode(self.session, row, now=self.now)
        if step.action is not None:
            self.written.done.append(_DONE[step.action])

    def _status(self, row: Episode) -> StatusStep:
        problems = episode_problems(row)
        if self.files.text_file is None:
            # Bare audio is published when it comes; what happens to it later is not ours.
            is_wanted = self.prepared.audio is not None and row.status == "draft"
            return StatusStep("publish" if is_wanted and not problems else None)
        wish = wish_of(self.files, self.show.time_zone)
        return decide_status(row.status, row.published_at, wish, problems=problems, now=self.now)


def _tags(prepared: Prepared, current: Audio | None) -> Mapping[str, Any]:
    """The tags of the audio that the episode has, or is about to have."""
    if prepared.audio is not None:
        tags: Mapping[str, Any] = msgspec.to_builtins(prepared.audio.probe.tags)
        return tags
    return current.tags if current is not None else {}
