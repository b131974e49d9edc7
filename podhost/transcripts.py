"""Transcripts: a given file is read, stored in what apps can use, and becomes rows."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from podhost import fields
from podhost.db import new_id
from podhost.episodes import touch_episode
from podhost.errors import Conflict
from podhost.formats.transcripts import as_vtt, read_transcript
from podhost.models import Episode, Transcript
from podhost.storage import Storage


@dataclass(frozen=True, slots=True)
class PreparedTranscript:
    """A transcript file that is read and stored, whose row is not written yet."""

    id: str
    storage_key: str
    source_sha256: str
    sha256: str
    size_bytes: int
    mime_type: str
    extension: str
    language: str | None


def prepare_transcripts(
    storage: Storage,
    data: bytes,
    file_name: str,
    *,
    language: str | None = None,
    with_vtt: bool = True,
    ids: Mapping[str, str] | None = None,
) -> tuple[list[PreparedTranscript], list[str]]:
    """Read a transcript and store it; SRT also as WebVTT, which Apple prefers.

    `with_vtt` False is for one that is given as WebVTT too. `ids` are those that its forms had
    elsewhere, by extension; what is taken gets a new one.

    Returns what is stored, the best for apps first, and warnings. Raises Invalid.
    """
    transcript = read_transcript(data, file_name)
    code = fields.language(language) if language else transcript.language
    source = hashlib.sha256(data).hexdigest()
    bodies = [(transcript.body, transcript.mime_type, transcript.extension)]
    vtt = as_vtt(transcript) if with_vtt and transcript.extension != "vtt" else None
    if vtt is not None:
        bodies.insert(0, (vtt, "text/vtt", "vtt"))
    prepared = []
    for body, mime_type, extension in bodies:
        transcript_id, key = _put(storage, body, mime_type, extension, (ids or {}).get(extension))
        prepared.append(
            PreparedTranscript(
                transcript_id,
                key,
                source,
                hashlib.sha256(body).hexdigest(),
                len(body),
                mime_type,
                extension,
                code,
            )
        )
    return prepared, list(transcript.warnings)


def _put(
    storage: Storage, body: bytes, mime_type: str, extension: str, wanted_id: str | None
) -> tuple[str, str]:
    """Store one form; its id and its key."""
    if wanted_id is not None:
        key = f"transcripts/{wanted_id}.{extension}"
        with suppress(Conflict):
            storage.put_bytes(key, body, content_type=mime_type)
            return wanted_id, key
    transcript_id = new_id()
    key = f"transcripts/{transcript_id}.{extension}"
    storage.put_bytes(key, body, content_type=mime_type)
    return transcript_id, key


def set_transcripts(
    session: Session, episode: Episode, prepared: Sequence[PreparedTranscript], *, now: datetime
) -> None:
    """Replace the episode's transcripts. Files of the old ones are removed by the sweep."""
    episode.transcripts.clear()
    session.flush()
    for position, transcript in enumerate(prepared):
        episode.transcripts.append(
            Transcript(
                id=transcript.id,
                position=position,
                storage_key=transcript.storage_key,
                source_sha256=transcript.source_sha256,
                sha256=transcript.sha256,
                size_bytes=transcript.size_bytes,
                mime_type=transcript.mime_type,
                extension=transcript.extension,
                language=transcript.language,
                created_at=now,
            )
        )
    session.flush()
    touch_episode(session, episode, now=now)


def transcript_path(transcript: Transcript | Row[Any]) -> str:
    """The path of a transcript below the base URL."""
    return f"/transcripts/{transcript.episode_id}/{transcript.id}.{transcript.extension}"
