"""One episode of an import: its audio and everything else of it, fetched, stored, made a draft.

It may be killed at any instant and is done again; audio that was fetched is not fetched again.
Nothing is published here.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.artwork import file_sha256
from podhost.audio.revisions import PreparedAudio, prepare_audio
from podhost.chapters.rows import set_chapters
from podhost.episodes import (
    EpisodeInput,
    create_episode,
    find_episode_by_guid,
    set_episode_artwork,
)
from podhost.errors import Conflict, Forbidden, Invalid, PodhostError, Unavailable
from podhost.fetching.files import (
    SLOWEST,
    BusyServer,
    Pace,
    RefusedFile,
    fetch_file,
    fetched_bytes,
    forget_file,
)
from podhost.formats.chapters import Chapter, normalise_chapters
from podhost.formats.imported import COMES, ImportedEpisode, ImportedShow
from podhost.formats.text import is_guid
from podhost.importing import rows
from podhost.importing.files import (
    PREPARING,
    OldHost,
    add_pictures,
    fetch_chapters,
    fetch_faces,
    fetch_picture,
    fetch_transcripts,
    place_faces,
)
from podhost.importing.mapping import episode_input
from podhost.instance import Instance
from podhost.jobs import TryLater
from podhost.models import Artwork, Episode, ImportEpisode, Show
from podhost.transcripts import PreparedTranscript, set_transcripts
from podhost.uploads.intake import Intake

if TYPE_CHECKING:
    from podhost.fetching import Fetcher

log = logging.getLogger(__name__)

_MB = 1024 * 1024
_KNOWN = "The show had an episode with this guid already; that one was left as it is."
_PROPOSED = "The old feed has no date that can be read; it gets one between its neighbours:"
_NO_DATE = "The old feed does not say when it came out; it is a draft until you give it a date."


@dataclass(slots=True)
class _Brought:
    """Everything of an episode that is stored, and whose rows are not written yet."""

    audio: PreparedAudio | None
    given: EpisodeInput
    artwork_key: str | None
    faces: Mapping[str, str]
    # None: those in the audio are better, or there are none at all.
    chapters: list[Chapter] | None
    chapter_pictures: Mapping[int, str]
    transcripts: Sequence[PreparedTranscript]


def import_episode(
    instance: Instance,
    key: str,
    fetcher: "Fetcher",
    *,
    should_stop: Callable[[], bool] = lambda: False,
    pace: Pace = SLOWEST,
) -> None:
    """Bring one episode, if it is still waited for: the work of a job, whose key is the row's id.

    What is wrong with the episode is kept with it, and stops no other. Raises TryLater while the
    old host may do better, InterruptedFetch when asked to stop, and Unavailable for parts of ours.
    """
    with instance.database.read() as session:
        row = session.get(ImportEpisode, key)
        found = rows.get_import(session, row.import_id) if row is not None else None
        if row is None or found is None or row.state != rows.WAITING or found.show_id is None:
            return
        show, episode = rows.show_of(found), rows.episode_of(row)
    path = audio_path(instance, key)
    try:
        if row.media_url is not None:
            _fetch_audio(instance, fetcher, episode, path, pace, should_stop)
        _bring(instance, fetcher, row, show, episode, path if row.media_url else None)
    except (BusyServer, _Trouble) as error:
        # What came so far stays, for the next try.
        wait_seconds = error.wait_seconds if isinstance(error, BusyServer) else 0
        return _try_later(instance, key, error.message, wait_seconds)
    except (RefusedFile, Invalid, Forbidden) as error:
        _fail(instance, key, error.message)
    except Conflict as error:
        return _try_later(instance, key, error.message, 0)
    except (PodhostError, OSError):
        # Parts of ours do not answer, or we are to stop: it is done again for as long as it takes.
        raise
    except Exception as error:
        # One that nobody foresaw must not keep all the others from being published.
        log.exception("an episode could not be imported", extra={"import_episode": key})
        name = type(error).__name__
        return _try_later(instance, key, f"Something went wrong inside podhost: {name}.", 0)
    return forget_file(path)


class _Trouble(PodhostError):
    """The old host could not give the file just now."""


def audio_path(instance: Instance, key: str) -> Path:
    """Where the audio of an episode lies until it is stored."""
    return instance.settings.data / "imports" / f"{key}.audio"


def bytes_under_way(instance: Instance) -> int:
    """How much audio lies on this machine that is not stored yet."""
    keys = {path.stem for path in (instance.settings.data / "imports").glob("*.*")}
    return sum(fetched_bytes(audio_path(instance, key)) for key in keys)


def remove_abandoned_audio(instance: Instance) -> None:
    """Remove what was fetched for episodes that nobody waits for any more."""
    folder = instance.settings.data / "imports"
    keys = {path.stem for path in folder.glob("*.*")}
    if not keys:
        return
    with instance.database.read() as session:
        wanted = set(
            session.scalars(
                select(ImportEpisode.id).where(
                    ImportEpisode.id.in_(keys), ImportEpisode.state != rows.DONE
                )
            )
        )
    for key in keys - wanted:
        forget_file(audio_path(instance, key))


# Fetching -----------------------------------------------------------------------------------------


def _fetch_audio(
    instance: Instance,
    fetcher: "Fetcher",
    episode: ImportedEpisode,
    path: Path,
    pace: Pace,
    should_stop: Callable[[], bool],
) -> None:
    """Have the audio at `path`: from its own server, else as apps were told to fetch it."""
    assert episode.enclosure is not None
    addresses = dict.fromkeys((episode.enclosure.media_url, episode.enclosure.url))
    refusal: PodhostError | None = None
    for url in addresses:
        try:
            fetch_file(
                fetcher,
                url,
                path,
                max_bytes=instance.settings.max_upload_mb * _MB,
                pace=pace,
                should_stop=should_stop,
            )
        except BusyServer:
            raise
        except (RefusedFile, Invalid, Forbidden) as error:
            refusal = refusal or error
        except Unavailable as error:
            raise _Trouble(error.message) from error
        else:
            return
    assert refusal is not None
    raise refusal


def _bring(
    instance: Instance,
    fetcher: "Fetcher",
    row: ImportEpisode,
    show: ImportedShow,
    episode: ImportedEpisode,
    path: Path | None,
) -> None:
    with Intake(instance.database, instance.storage) as intake:
        audio = intake.keep_audio(_prepared(instance, episode, path)) if path else None
        old_host = OldHost(instance, fetcher, intake, row.import_id)
        brought = _files_of(old_host, show, episode, audio)
        with instance.database.write() as session:
            _write(session, row.id, old_host, episode, brought, now=instance.now())
        # What was brought in vain, because the episode is here already.
        intake.take_back()


def _prepared(instance: Instance, episode: ImportedEpisode, path: Path) -> PreparedAudio:
    """Probe and store the audio. The file stays where it is until the rows are written."""
    assert episode.enclosure is not None
    name = unquote(Path(urlsplit(episode.enclosure.media_url).path).name)[:200] or "audio"
    sha256 = file_sha256(path)
    lent = path.with_suffix(".lent")
    lent.unlink(missing_ok=True)
    try:
        # A second name for the same bytes, which storage in a folder takes over without a copy.
        with suppress(OSError):
            os.link(path, lent)
        is_lent = lent.exists()
        with PREPARING:
            return prepare_audio(
                instance.storage,
                lent if is_lent else path,
                file_name=name,
                sha256=sha256,
                give_up=is_lent,
                # The feed says which picture an episode has; most files have the show's in them.
                with_artwork=False,
            )
    finally:
        lent.unlink(missing_ok=True)


def _files_of(
    old_host: OldHost, show: ImportedShow, episode: ImportedEpisode, audio: PreparedAudio | None
) -> _Brought:
    duration_ms = audio.probe.duration_ms if audio is not None else None
    given, notes = episode_input(episode, show, duration_ms=duration_ms)
    old_host.notes += notes
    if is_guid(episode.guid):
        given.guid = episode.guid
    artwork_key = None
    if episode.artwork_url and episode.artwork_url != show.artwork_url:
        artwork_key = fetch_picture(old_host, episode.artwork_url, "Its artwork", is_square=True)
    chapters, pictures = _chapters(old_host, episode, audio)
    return _Brought(
        audio=audio,
        given=given,
        artwork_key=artwork_key,
        faces=fetch_faces(old_host, given.people or []),
        chapters=chapters,
        chapter_pictures=pictures,
        transcripts=fetch_transcripts(old_host, episode),
    )


def _chapters(
    old_host: OldHost, episode: ImportedEpisode, audio: PreparedAudio | None
) -> tuple[list[Chapter] | None, dict[int, str]]:
    """The chapters of the feed with their pictures; None where the audio has the same ones."""
    found = fetch_chapters(old_host, episode)
    if not found:
        return None, {}
    duration_ms = audio.probe.duration_ms if audio is not None else None
    chapters, warnings = normalise_chapters(found, duration_ms)
    if audio is not None and _said(chapters) == _said(audio.chapters):
        return None, {}
    old_host.notes += warnings
    pictures: dict[int, str] = {}
    for index, chapter in enumerate(chapters):
        if not chapter.image_url:
            continue
        key = fetch_picture(old_host, chapter.image_url, "A chapter's picture", is_square=False)
        if key is not None:
            pictures[index] = key
    return chapters, pictures


def _said(chapters: Sequence[Chapter]) -> list[tuple[int, str, str | None, bool]]:
    return [(one.start_ms, one.title, one.url, one.is_hidden) for one in chapters]


# Rows ---------------------------------------------------------------------------------------------


def _write(
    session: Session,
    key: str,
    old_host: OldHost,
    episode: ImportedEpisode,
    brought: _Brought,
    *,
    now: datetime,
) -> None:
    """Make the draft, and note that it is here: in one transaction, or not at all."""
    found = rows.get_import(session, old_host.import_id, lock=True)
    row = session.get_one(ImportEpisode, key, populate_existing=True)
    show = session.get(Show, found.show_id) if found.show_id else None
    if row.state != rows.WAITING or show is None:
        return
    row.state, row.error, row.changed_at = rows.DONE, None, now
    known = find_episode_by_guid(session, show, episode.guid) if brought.given.guid else None
    if known is not None:
        row.episode_id, row.notes = known.id, [*row.notes, _KNOWN]
    elif show.deleted_at is None:
        made = _make(session, show, old_host, brought, now=now)
        row.episode_id = made.id
        row.is_unpublished = episode.outcome == COMES and rows.date_of(episode) is not None
        row.notes = [*old_host.notes]
        if episode.outcome == COMES and not row.is_unpublished:
            row.notes.append(_NO_DATE)
        elif episode.published_at is None and episode.proposed_at is not None:
            row.notes.append(f"{_PROPOSED} {episode.proposed_at:%Y-%m-%d}.")
        if brought.audio is not None:
            row.size_bytes, row.sha256 = brought.audio.probe.size_bytes, brought.audio.sha256
    rows.go_on_if_complete(session, row.import_id, now=now)


def _make(
    session: Session, show: Show, old_host: OldHost, brought: _Brought, *, now: datetime
) -> Episode:
    ids = add_pictures(session, old_host, now=now)
    place_faces(brought.given.people or [], brought.faces, ids)
    made = create_episode(session, show, brought.given, brought.audio, now=now)
    artwork = session.get(Artwork, ids.get(brought.artwork_key or "", ""))
    if artwork is not None:
        set_episode_artwork(session, made, artwork, now=now)
    if brought.chapters is not None:
        _place_chapters(session, made, brought, ids, now=now)
    if brought.transcripts:
        set_transcripts(session, made, brought.transcripts, now=now)
    return made


def _place_chapters(
    session: Session, episode: Episode, brought: _Brought, ids: Mapping[str, str], *, now: datetime
) -> None:
    chapters: list[Chapter] = []
    pictures: dict[int, str] = {}
    for index, chapter in enumerate(brought.chapters or ()):
        artwork_id = ids.get(brought.chapter_pictures.get(index, ""))
        if artwork_id is not None:
            pictures[chapter.start_ms] = artwork_id
            chapter = msgspec.structs.replace(chapter, image_url=None)
        chapters.append(chapter)
    set_chapters(session, episode, chapters, pictures, now=now)


def _try_later(instance: Instance, key: str, sentence: str, wait_seconds: float) -> None:
    """Ask again after a while, some times; the rest of the file is asked for then."""
    with instance.database.write() as session:
        row = _locked(session, key)
        if row.state != rows.WAITING:
            return
        row.attempts += 1
        row.error = sentence
        if row.attempts >= rows.MOST_TRIES:
            rows.note_failure(session, row, sentence, now=instance.now())
            return
    raise TryLater(sentence, timedelta(seconds=wait_seconds))


def _fail(instance: Instance, key: str, sentence: str) -> None:
    with instance.database.write() as session:
        row = _locked(session, key)
        if row.state == rows.WAITING:
            rows.note_failure(session, row, sentence, now=instance.now())


def _locked(session: Session, key: str) -> ImportEpisode:
    row = session.get_one(ImportEpisode, key)
    rows.get_import(session, row.import_id, lock=True)
    session.refresh(row)
    return row
