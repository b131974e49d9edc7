"""Waveforms of stored audio: made once by a job, kept beside the audio, and read when drawn.

They are side files that can be made again from the audio at any time; no row knows them, no
backup carries them, and nothing that listeners get depends on them.
"""

import logging
import tempfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.db import Database
from podhost.errors import Conflict, Invalid, NotFound
from podhost.formats.waveforms import VERSION, Waveform, read_waveform
from podhost.jobs import enqueue
from podhost.models import Audio, Episode, Job
from podhost.storage import Storage

log = logging.getLogger(__name__)

MAKE_WAVEFORM = "make_waveform"
FOLDER = "waveforms/"
# How the folders of files in hand begin.
TEMPORARY_FOLDER = "podhost-waveform-"
NO_AUDIO = "The episode has no audio yet, so it has no waveform."


class WaveformAnswer(msgspec.Struct, kw_only=True):
    """How loud the episode is from moment to moment, or how far the making of that is.

    `state` is ready, waiting (a worker makes it) or missing (nobody asked for it). Each of the
    `peaks`, from 0 to 255, is the loudest moment of an equal part of the audio, as a share of the
    loudest of all; there are none where the sound could not be decoded.
    """

    state: str
    version: int = VERSION
    duration_ms: int
    peaks: list[int] = []


def waveform_key(audio: Audio) -> str:
    """Where its waveform lies in storage. A copy with tags in it sounds like its upload."""
    return f"{FOLDER}{audio.original_id or audio.id}.json"


def waveform_audio_id(key: str) -> str:
    """The id of the audio of which an object in the storage is the waveform."""
    return key.removeprefix(FOLDER).partition(".")[0]


def find_waveform(storage: Storage, key: str) -> Waveform | None:
    """The stored waveform; None when it has not been made, or not as this version makes it."""
    try:
        with storage.open(key) as source:
            found = msgspec.json.decode(source.readall(), type=Waveform)
    except (NotFound, msgspec.MsgspecError):
        return None
    return found if found.version == VERSION else None


def get_audio(episode: Episode) -> Audio:
    """The episode's audio. Raises NotFound when it has none."""
    if episode.audio is None:
        raise NotFound(NO_AUDIO)
    return episode.audio


def is_waiting(session: Session, audio: Audio) -> bool:
    """Whether a worker is about to make its waveform."""
    job = select(Job.id).where(
        Job.kind == MAKE_WAVEFORM, Job.key == audio.id, Job.status.in_(("waiting", "running"))
    )
    return session.scalar(job.limit(1)) is not None


def request_waveform(session: Session, episode: Episode, *, now: datetime) -> None:
    """Have the waveform of the episode's audio made, if it has any audio."""
    if episode.audio is not None:
        enqueue(session, MAKE_WAVEFORM, episode.audio.id, now=now, run_at=now)


def make_waveform(database: Database, storage: Storage, audio_id: str) -> None:
    """Make the waveform of a stored audio file, unless there is one. It may be done twice.

    Where the sound cannot be decoded, one without peaks is kept, so that it is not tried again.
    """
    with database.read() as session:
        audio = session.get(Audio, audio_id)
    if audio is None or audio.purged_at is not None:
        return
    key = waveform_key(audio)
    if find_waveform(storage, key) is not None:
        return
    try:
        waveform = _read(storage, audio)
    except NotFound:
        # `podhost check` says that the audio is missing.
        log.warning("there is no audio to make a waveform of: %s", audio.storage_key)
        return
    with suppress(Conflict):
        storage.put_bytes(
            key,
            msgspec.json.encode(waveform),
            content_type="application/json",
            overwrite=True,
        )


def _read(storage: Storage, audio: Audio) -> Waveform:
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_FOLDER) as folder:
        path = storage.local_path(audio.storage_key)
        if path is None:
            path = Path(folder) / "audio"
            storage.download_to(audio.storage_key, path)
        elif not path.exists():
            raise NotFound("There is no such file in the storage.")
        try:
            return read_waveform(path, audio.kind, audio.duration_ms)
        except Invalid as error:
            log.warning("no waveform can be made of %s: %s", audio.storage_key, error.message)
            return Waveform(duration_ms=audio.duration_ms, peaks=[])
