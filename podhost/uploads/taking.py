"""Taking an upload over: put together, read once, probed, and made the audio of an episode.

Slow work for a job. It may be killed at any instant and done again: each step finds what the one
before left, and one transaction makes the episode and says so in the upload's row.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.accounts.roles import Actor, act
from podhost.artwork import add_artwork
from podhost.audio.replacing import give_audio
from podhost.audio.revisions import PreparedAudio, is_known_audio, prepare_audio, received_file
from podhost.audio.waveforms import request_waveform
from podhost.db import Database
from podhost.episodes import (
    EpisodeInput,
    change_episode,
    create_episode,
    set_episode_artwork,
    title_of_file,
)
from podhost.errors import Conflict, Invalid, NotFound
from podhost.formats.time_shifts import read_cuts
from podhost.models import Account, Audio, Episode, Job, Show, Upload
from podhost.shows import lock_show
from podhost.storage import Storage
from podhost.storage.contract import CHUNK_BYTES, disk_errors
from podhost.storage.multiparts import Part
from podhost.uploads import READY, REFUSED, TAKE_UPLOAD
from podhost.uploads.answers import FoundTags
from podhost.uploads.intake import Intake, delete_quietly
from podhost.uploads.limits import IN_HAND, PROBING

_LOST = "The storage lost this file before it was read; upload it again."
_OTHER_BYTES = "Part {} arrived damaged; upload the file again."
_TARGET_GONE = "The episode that this file was for is not there any more; it became a new draft."
_UNREADABLE = (
    "podhost ended unexpectedly each time it read this file. Try to export it anew; who runs this "
    "podhost finds the reason in the log of the worker."
)
_KNOWN = "The episode has this very file already; nothing was changed."
# A file that ends the worker each time is not tried for ever.
MOST_ATTEMPTS = 5


class _TakenOver(Exception):
    """Somebody else has taken the upload over meanwhile."""


def take_upload(
    database: Database,
    storage: Storage,
    upload_id: str,
    *,
    base_url: str,
    now: Callable[[], datetime],
) -> None:
    """Make a received file the audio of an episode, or refuse it with a sentence.

    Raises Unavailable or OSError when it is worth another try; the upload waits then.
    """
    upload = _begin(database, upload_id, now())
    if upload is None:
        return
    if _attempts(database, upload_id) > MOST_ATTEMPTS:
        # The file stays for a day, for whoever looks for the reason.
        _refuse(database, upload_id, _UNREADABLE, now())
        return
    try:
        _take(database, storage, upload, base_url=base_url, now=now)
    except _TakenOver:
        return
    except Invalid as error:
        _refuse(database, upload_id, error.message, now())
    except NotFound:
        _refuse(database, upload_id, _LOST, now())
    # A kill before this leaves an object that the sweep finds.
    delete_quietly(storage, [upload.upload_key])


def _begin(database: Database, upload_id: str, now: datetime) -> Upload | None:
    with database.write() as session:
        upload = session.get(Upload, upload_id, with_for_update=True)
        if upload is None or upload.state not in IN_HAND:
            return None
        upload.state, upload.changed_at = PROBING, now
        return upload


def _attempts(database: Database, upload_id: str) -> int:
    """How often it was tried, outages not counted."""
    with database.read() as session:
        return (
            session.scalar(
                select(Job.attempts).where(
                    Job.kind == TAKE_UPLOAD, Job.key == upload_id, Job.status == "running"
                )
            )
            or 0
        )


def _refuse(database: Database, upload_id: str, why: str, now: datetime) -> None:
    with database.write() as session:
        upload = session.get(Upload, upload_id, with_for_update=True)
        if upload is not None and upload.state in IN_HAND:
            upload.state, upload.error, upload.changed_at = REFUSED, why, now
            upload.parts = None


def _take(
    database: Database,
    storage: Storage,
    upload: Upload,
    *,
    base_url: str,
    now: Callable[[], datetime],
) -> None:
    named = upload.parts or []
    parts = [Part(number, size_bytes, etag) for number, size_bytes, etag, _ in named]
    storage.multiparts().complete(upload.upload_key, upload.multipart_id, parts)
    with received_file(storage) as path, Intake(database, storage) as intake:
        is_linked = storage.link_to(upload.upload_key, path)
        sha256 = _read(storage, upload.upload_key, None if is_linked else path, named)
        prepared = intake.keep_audio(
            prepare_audio(
                storage,
                path,
                file_name=upload.file_name,
                sha256=sha256,
                give_up=True,
                # Inside the bucket: what came past us need not go through us now.
                stored_as=None if is_linked else upload.upload_key,
            )
        )
        _attach(database, storage, intake, upload, prepared, base_url=base_url, now=now)
        intake.take_back()


# Reading


def _read(storage: Storage, key: str, copy: Path | None, named: Sequence[Any]) -> str:
    """Read the object once, to `copy` if that is given; its SHA-256.

    Raises Invalid when a part is not what its sender said.
    """
    whole = hashlib.sha256()
    with storage.open(key) as source:
        if copy is None:
            _read_parts(source, None, whole, named)
        else:
            with disk_errors(copy.parent), copy.open("xb") as target:
                _read_parts(source, target, whole, named)
    return whole.hexdigest()


def _read_parts(source: Any, target: BinaryIO | None, whole: Any, named: Sequence[Any]) -> None:
    for number, size_bytes, _, expected in named:
        digest, left = hashlib.sha256() if expected else None, size_bytes
        while left and (chunk := source.read(min(left, CHUNK_BYTES))):
            left -= len(chunk)
            whole.update(chunk)
            if digest is not None:
                digest.update(chunk)
            if target is not None:
                target.write(chunk)
        if left or (digest is not None and digest.hexdigest() != expected):
            raise Invalid(_OTHER_BYTES.format(number))


# Attaching


def _attach(
    database: Database,
    storage: Storage,
    intake: Intake,
    upload: Upload,
    prepared: PreparedAudio,
    *,
    base_url: str,
    now: Callable[[], datetime],
) -> None:
    """Write the rows, all in one transaction with what became of the upload."""
    actor = _actor(database, upload)
    with database.read() as session:
        target = _target(session, upload)
        is_known = target is not None and is_known_audio(target.audio, prepared.sha256)
    if target is None or is_known:
        with database.write() as session:
            act(session, actor)
            row = _locked(session, upload)
            episode = _target(session, upload) if is_known else None
            said = [_KNOWN] if episode is not None else []
            if episode is None:
                episode, said = _new_draft(session, row, prepared, now=now())
                request_waveform(session, episode, now=now())
            _finish(session, row, episode, prepared, said, now=now())
        return
    offset_ms = upload.offset_ms if target.audio is not None else None
    had_audio = target.audio is not None

    def then(session: Session, episode: Episode, cut_off: list[str]) -> None:
        row = session.get_one(Upload, upload.id)
        if not had_audio:
            _fill(session, episode, row, prepared, now=now())
        _finish(session, row, episode, prepared, cut_off, now=now())

    give_audio(
        database,
        storage,
        intake,
        prepared,
        read_cuts(offset_ms, None),
        find=partial(_found_target, upload=upload),
        then=then,
        actor=actor,
        base_url=base_url,
        now=now,
    )


def _actor(database: Database, upload: Upload) -> Actor | None:
    """Who sent it, for the history of the episode."""
    if upload.account_id is None:
        return None
    with database.read() as session:
        account = session.get(Account, upload.account_id)
    return Actor(account.id, account.email, account.name) if account is not None else None


def _locked(session: Session, upload: Upload) -> Upload:
    """The row in a transaction that nobody else has by now; its show is locked first."""
    lock_show(session, upload.show_id)
    row = session.get(Upload, upload.id, with_for_update=True, populate_existing=True)
    if row is None or row.state not in IN_HAND:
        raise _TakenOver
    show = session.get_one(Show, upload.show_id)
    if show.deleted_at is not None:
        raise Invalid("The show was deleted meanwhile.")
    return row


def _target(session: Session, upload: Upload) -> Episode | None:
    """The episode that the file is for; None: a new one."""
    if upload.target_id is None:
        return None
    episode = session.get(Episode, upload.target_id)
    return episode if episode is not None and episode.deleted_at is None else None


def _found_target(session: Session, *, upload: Upload, lock: bool = False) -> Episode:
    if lock:
        _locked(session, upload)
    episode = _target(session, upload)
    if episode is None:
        raise Conflict("The episode was deleted at the same moment. Try it again.")
    return episode


def _new_draft(
    session: Session, row: Upload, prepared: PreparedAudio, *, now: datetime
) -> tuple[Episode, list[str]]:
    said = [_TARGET_GONE] if row.target_id is not None else []
    show = session.get_one(Show, row.show_id)
    same = session.scalar(
        select(Episode.title)
        .join(Audio, Audio.episode_id == Episode.id)
        .where(
            Episode.show_id == show.id,
            Episode.deleted_at.is_(None),
            Audio.sha256 == prepared.sha256,
        )
        .limit(1)
    )
    if same is not None:
        said.append(f"The episode {same!r} has this very file already.")
    return create_episode(session, show, EpisodeInput(), prepared, now=now), said


def _fill(
    session: Session, episode: Episode, row: Upload, prepared: PreparedAudio, *, now: datetime
) -> None:
    """Complete a draft that waited for its audio by what the tags say; what was typed stays."""
    found = _found_tags(prepared)
    empty = {
        "title": episode.title == title_of_file(row.file_name),
        "notes": not episode.notes.strip(),
        "season": episode.season is None,
        "number": episode.number is None,
    }
    for name in (name for name, is_empty in empty.items() if is_empty and getattr(found, name)):
        # Tags may say what the field does not take; nobody typed it, so nothing is lost.
        with suppress(Invalid):
            given = EpisodeInput(**{name: getattr(found, name)})
            change_episode(session, episode, given, now=now)
    if prepared.artwork is not None and episode.artwork_id is None:
        artwork = add_artwork(session, prepared.artwork, now=now)
        set_episode_artwork(session, episode, artwork, now=now)


def _finish(
    session: Session,
    row: Upload,
    episode: Episode,
    prepared: PreparedAudio,
    said: Sequence[str],
    *,
    now: datetime,
) -> None:
    problem = prepared.probe.problem
    row.state, row.error, row.changed_at = READY, None, now
    # There may be thousands, and nobody asks for them any more.
    row.parts = None
    row.episode_id, row.sha256 = episode.id, prepared.sha256
    row.found = msgspec.to_builtins(_found_tags(prepared))
    row.warnings = list(dict.fromkeys([*([problem] if problem else []), *said, *prepared.warnings]))
    session.flush()


def _found_tags(prepared: PreparedAudio) -> FoundTags:
    probe, tags = prepared.probe, prepared.probe.tags
    return FoundTags(
        title=tags.title,
        notes=tags.description or tags.comment,
        season=tags.disc,
        number=tags.track,
        artist=tags.artist,
        album=tags.album,
        date=tags.date,
        chapters=len(prepared.chapters),
        has_artwork=prepared.artwork is not None,
        duration_seconds=probe.duration_ms / 1000,
        bitrate_kbps=round(probe.bitrate_bps / 1000),
        mime_type=probe.mime_type,
        codec=probe.codec,
    )
