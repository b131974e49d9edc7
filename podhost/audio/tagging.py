"""What is said of an episode is written into its audio, as a new revision; the upload is kept.

Slow work for a job: it decides nothing about publishing, and it may be done twice. The values that
were written have a fingerprint, so that the same ones are not written again.
"""

import hashlib
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.artwork import file_sha256, storage_key
from podhost.audio.revisions import PreparedAudio, add_revision, prepare_audio, received_file
from podhost.changes import record_change
from podhost.chapters.rows import list_chapters
from podhost.db import Database
from podhost.episodes import touch_episode
from podhost.errors import Invalid, NotFound, Unavailable
from podhost.feeds.rendering import episode_url
from podhost.formats.chapters import Chapter
from podhost.formats.text import absolute_url
from podhost.formats.written_tags import (
    TAGGED_KINDS,
    WRITER_VERSION,
    WrittenChapter,
    WrittenTags,
    write_tags,
)
from podhost.jobs import TryLater, enqueue
from podhost.models import Artwork, Audio, Credit, Episode, Job, Show
from podhost.people import list_credits
from podhost.shows import is_public, lock_show
from podhost.storage import Storage
from podhost.uploads.intake import Intake

log = logging.getLogger(__name__)

WRITE_TAGS = "write_tags"
# The fingerprint of what another podhost wrote: it is left as it is until somebody asks.
TAGGED_ELSEWHERE = ""
# Larger covers are carried along by every download, and shown by nobody.
LARGEST_COVER_PX = 1400
LARGEST_COVER_BYTES = 300_000
# An episode does not wait for its tags longer than an outage of so long takes.
PATIENCE = timedelta(hours=1)
# Work that ends the worker each time is not tried again for ever.
MOST_ATTEMPTS = 5
# Who edits while tags are written has them written again.
_TRIES = 3
_UNTAGGED = "Tags could not be written into the audio, which stays as it is: {}"
_INTERRUPTED = "podhost was interrupted each time it tried."
_UNFORESEEN = "something that nobody foresaw was in the way; the log of the worker says what."
_NO_ROOM = "there was no room for temporary files."
_EDITED = "the episode was changed at the same moment; have them written once more."
_OUTAGE = "the storage, or the disk for temporary files, was away or full for an hour."


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One tagged file to be made: of which one, and what it is to say."""

    episode_id: str
    show_id: str
    audio_id: str
    audio_sha256: str
    original_id: str
    original_key: str
    original_sha256: str
    duration_ms: int
    kind: str
    name: str
    tags: WrittenTags
    cover_key: str | None
    fingerprint: str


def can_hold_tags(audio: Audio | None) -> bool:
    """Whether it is a file for listeners of a kind into which tags are written."""
    return audio is not None and audio.problem is None and audio.kind in TAGGED_KINDS


def wants_tags(episode: Episode) -> bool:
    """Whether tags are to be written into its audio before it is published for the first time."""
    return (
        episode.show.write_tags
        and episode.status in ("draft", "scheduled")
        and episode.audio is not None
        and episode.audio.tags_fingerprint != TAGGED_ELSEWHERE
        # Some listeners have it already, from an early feed; they would load another file again.
        and episode.early_since is None
        and can_hold_tags(episode.audio)
    )


def request_tags(session: Session, episode: Episode, *, now: datetime) -> None:
    """Have what is said of the episode now written into its audio, which gets a new address then.

    Nothing happens where its audio says the same already. Raises Invalid for what has no tags.
    """
    if not can_hold_tags(episode.audio):
        sentence = "The episode has no MP3 or M4A audio into which tags could be written."
        raise Invalid(sentence, {"audio": sentence})
    enqueue(session, WRITE_TAGS, episode.id, now=now, run_at=now)


def tag_episode(
    database: Database,
    storage: Storage,
    episode_id: str,
    *,
    base_url: str,
    now: Callable[[], datetime],
) -> None:
    """Give the episode's audio a revision with the tags of now, unless it has them.

    Where that cannot be done, the audio stays and `tagging_problem` says why. Raises Unavailable
    or OSError when it is worth another try, TryLater when the episode changes all the time.
    """
    try:
        _check_patience(database, episode_id)
        for _ in range(_TRIES):
            with database.read() as session:
                wanted = _wanted(session, episode_id, base_url)
            if wanted is None or _write(database, storage, wanted, base_url=base_url, now=now):
                return
    except Invalid as error:
        _note_problem(database, episode_id, error.message, now=now())
        return
    except (Unavailable, OSError):
        if not _has_waited(database, episode_id, now=now()):
            raise
        _note_problem(database, episode_id, _OUTAGE, now=now())
        return
    except Exception:
        # Whatever nobody foresaw must not keep an episode from its listeners.
        log.exception("tags could not be written", extra={"key": episode_id})
        _note_problem(database, episode_id, _UNFORESEEN, now=now())
        return
    raise TryLater("The episode was changed each time while its tags were written.")


# Audio that takes the place of what is out


@dataclass(frozen=True, slots=True)
class PreparedCopy:
    """A copy with tags of audio that an episode is about to have; `problem` None: it is stored."""

    wanted: _Wanted
    prepared: PreparedAudio | None = None
    problem: str | None = None


def prepare_copy(
    database: Database,
    storage: Storage,
    intake: Intake,
    change: Callable[[Session], Episode],
    *,
    show_id: str,
    base_url: str,
) -> PreparedCopy | None:
    """Store the copy with tags of audio that `change` will give to an episode which is out.

    `change` is tried and taken back, to see what the tags are to say. None where there is nothing
    to write: the show does not want it, or the audio waits for its tags unpublished. Raises what
    `change` raises.
    """
    with database.read() as session:
        show = session.get(Show, show_id)
        if show is None or not show.write_tags:
            return None
    with database.write() as session:
        episode = change(session)
        wanted = _wanted_now(session, episode, base_url) if _is_untagged(episode) else None
        session.rollback()
    if wanted is None:
        return None
    try:
        return PreparedCopy(wanted, _prepared(storage, intake, wanted))
    except Invalid as error:
        return PreparedCopy(wanted, problem=error.message)
    except OSError:
        return PreparedCopy(wanted, problem=_NO_ROOM)


def add_copy(
    session: Session, episode: Episode, copy: PreparedCopy, *, base_url: str, now: datetime
) -> None:
    """Make the copy the episode's audio, right after the change for which it was prepared."""
    is_current = _wanted_now(session, episode, base_url) == copy.wanted
    if is_current and copy.problem is None:
        _add(session, copy.wanted, copy.prepared, now=now)
    elif episode.audio is not None:
        episode.audio.tagging_problem = _untagged(copy.problem or _EDITED)


def _is_untagged(episode: Episode) -> bool:
    audio = episode.audio
    is_out = episode.status in ("published", "withdrawn")
    return is_out and audio is not None and audio.tags_fingerprint is None


def _wanted_now(session: Session, episode: Episode, base_url: str) -> _Wanted | None:
    # As the rows have it by now, its people and chapters too.
    session.flush()
    session.expire(episode)
    return _wanted(session, episode.id, base_url)


# What is to be written


def _wanted(session: Session, episode_id: str, base_url: str) -> _Wanted | None:
    """What is to be made now; None when there is nothing to do."""
    episode = session.get(Episode, episode_id)
    if episode is None or episode.deleted_at is not None or not can_hold_tags(episode.audio):
        return None
    audio = episode.audio
    assert audio is not None
    tags, artwork = _tags(session, episode, audio, base_url), _cover(episode)
    fingerprint = _fingerprint(tags, artwork)
    if audio.tags_fingerprint == fingerprint and audio.tagging_problem is None:
        return None
    original = session.get(Audio, audio.original_id) if audio.original_id else None
    if original is None or original.purged_at is not None:
        # What came with tags from elsewhere: its sound is the same as well.
        original = audio
    return _Wanted(
        episode_id=episode.id,
        show_id=episode.show_id,
        audio_id=audio.id,
        audio_sha256=audio.sha256,
        original_id=original.id,
        original_key=original.storage_key,
        original_sha256=original.sha256,
        duration_ms=original.duration_ms,
        kind=original.kind,
        name=f"{episode.slug}.{original.extension}",
        tags=tags,
        cover_key=artwork,
        fingerprint=fingerprint,
    )


def _tags(session: Session, episode: Episode, audio: Audio, base_url: str) -> WrittenTags:
    show = episode.show
    at = episode.published_at
    return WrittenTags(
        title=episode.title,
        show=show.title,
        artists=_artists(show, episode.credits, list_credits(session, show, None)),
        author=show.author,
        # The day as people there know it.
        date=at.astimezone(ZoneInfo(show.time_zone)).date() if at is not None else None,
        season=episode.season,
        number=episode.number,
        # An address of this machine alone is of no use in a file that goes out.
        link=episode_url(base_url, show, episode) if episode.link or is_public(base_url) else None,
        chapters=_chapters(list_chapters(episode), audio.duration_ms),
    )


def _artists(show: Show, credits: Sequence[Credit], hosts: Sequence[Credit]) -> tuple[str, ...]:
    """Who is heard, as players show it: the guests, else the others, else the show's author."""
    guests = [credit.name for credit in credits if credit.role == "guest"]
    others = [credit.name for credit in (credits or hosts)]
    return tuple(dict.fromkeys(guests or others or filter(None, [show.author])))


def _chapters(chapters: Sequence[Chapter], duration_ms: int) -> tuple[WrittenChapter, ...]:
    starts = [*(chapter.start_ms for chapter in chapters), duration_ms]
    return tuple(
        WrittenChapter(
            start_ms=chapter.start_ms,
            end_ms=chapter.end_ms if chapter.end_ms is not None else end,
            title=chapter.title,
            url=absolute_url(chapter.url) if chapter.url else None,
            is_hidden=chapter.is_hidden,
        )
        for chapter, end in zip(chapters, starts[1:], strict=True)
    )


def _cover(episode: Episode) -> str | None:
    """The storage key of the picture: the largest that is not too large. A pattern that only stands
    in for artwork is not worth carrying."""
    artwork: Artwork | None = episode.artwork or episode.show.artwork
    if artwork is None or artwork.is_placeholder:
        return None
    fitting = [
        size_px
        for size_px, size_bytes in artwork.sizes
        if size_px <= LARGEST_COVER_PX and size_bytes <= LARGEST_COVER_BYTES
    ]
    return storage_key(artwork.id, max(fitting, default=min(size for size, _ in artwork.sizes)))


def _fingerprint(tags: WrittenTags, cover_key: str | None) -> str:
    values = msgspec.json.encode([WRITER_VERSION, tags, cover_key])
    return hashlib.sha256(values).hexdigest()


# Writing it


def _write(
    database: Database,
    storage: Storage,
    wanted: _Wanted,
    *,
    base_url: str,
    now: Callable[[], datetime],
) -> bool:
    """Make the tagged file and its revision; False when the episode was changed meanwhile."""
    with Intake(database, storage) as intake:
        prepared = _prepared(storage, intake, wanted)
        with database.write() as session:
            lock_show(session, wanted.show_id)
            is_current = _wanted(session, wanted.episode_id, base_url) == wanted
            if is_current:
                _add(session, wanted, prepared, now=now())
        intake.take_back()
    return is_current


def _prepared(storage: Storage, intake: Intake, wanted: _Wanted) -> PreparedAudio | None:
    """The tagged file, stored; None where it has the very bytes that are served already."""
    with (
        received_file(storage) as target,
        tempfile.TemporaryDirectory(prefix="podhost-tags-") as folder,
    ):
        source = _source(storage, wanted, Path(folder))
        cover = _downloaded_cover(storage, wanted, Path(folder))
        workdir = Path(folder) / "parts"
        workdir.mkdir()
        write_tags(source, target, wanted.tags, kind=wanted.kind, cover=cover, workdir=workdir)
        sha256 = file_sha256(target)
        if sha256 == wanted.audio_sha256:
            return None
        prepared = intake.keep_audio(
            prepare_audio(
                storage,
                target,
                file_name=wanted.name,
                sha256=sha256,
                give_up=True,
                with_artwork=False,
                with_chapter_pictures=False,
            )
        )
    found = prepared.probe
    if (found.kind, found.duration_ms, found.problem) != (wanted.kind, wanted.duration_ms, None):
        raise Invalid("the file with tags would not be as long as the one without.")
    return prepared


def _source(storage: Storage, wanted: _Wanted, folder: Path) -> Path:
    """The upload, which nobody changes: where it lies, or downloaded."""
    missing = "the file is missing in the storage, or damaged there."
    path = storage.local_path(wanted.original_key)
    try:
        if path is None:
            path = folder / "upload"
            _, sha256 = storage.download_to(wanted.original_key, path)
        else:
            sha256 = file_sha256(path)
    except (NotFound, FileNotFoundError):
        raise Invalid(missing) from None
    if sha256 != wanted.original_sha256:
        raise Invalid(missing)
    return path


def _downloaded_cover(storage: Storage, wanted: _Wanted, folder: Path) -> Path | None:
    if wanted.cover_key is None:
        return None
    path = folder / "cover.jpg"
    try:
        storage.download_to(wanted.cover_key, path)
    except NotFound:
        # `podhost check` says so; the words are worth writing all the same.
        return None
    return path


def _add(
    session: Session, wanted: _Wanted, prepared: PreparedAudio | None, *, now: datetime
) -> None:
    episode = session.get_one(Episode, wanted.episode_id)
    if prepared is None:
        # The feed says what it said before.
        audio = session.get_one(Audio, wanted.audio_id)
        record_change(session, "episode", episode.id, now=now)
    else:
        audio = add_revision(session, episode, prepared, now=now)
        original = session.get_one(Audio, wanted.original_id)
        audio.original_id, audio.original_sha256 = original.id, original.sha256
        # What the upload says of itself goes on to serve where nothing else was said.
        audio.tags = original.tags
        touch_episode(session, episode, now=now)
    audio.tags_fingerprint, audio.tagging_problem = wanted.fingerprint, None


# When it cannot be done


def _note_problem(database: Database, episode_id: str, why: str, *, now: datetime) -> None:
    with database.write() as session:
        episode = session.get(Episode, episode_id)
        if episode is None:
            return
        lock_show(session, episode.show_id)
        session.refresh(episode)
        if episode.audio is not None:
            episode.audio.tagging_problem = _untagged(why)
            record_change(session, "episode", episode_id, now=now)


def _untagged(why: str) -> str:
    return _UNTAGGED.format(why[:1].lower() + why[1:])


def _job(session: Session, episode_id: str) -> Job | None:
    """The work in hand; None when somebody does it without a job."""
    return session.scalar(
        select(Job).where(Job.kind == WRITE_TAGS, Job.key == episode_id, Job.status == "running")
    )


def _check_patience(database: Database, episode_id: str) -> None:
    with database.read() as session:
        job = _job(session, episode_id)
    if job is not None and job.attempts > MOST_ATTEMPTS:
        raise Invalid(_INTERRUPTED)


def _has_waited(database: Database, episode_id: str, *, now: datetime) -> bool:
    with database.read() as session:
        job = _job(session, episode_id)
        return job is not None and job.created_at < now - PATIENCE
