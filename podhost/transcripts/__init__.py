"""Transcripts: a given file is read, stored in what apps can use, and becomes rows."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row
from sqlalchemy.orm import Session

from podhost import fields
from podhost.db import new_id
from podhost.episodes import touch_episode
from podhost.errors import Conflict
from podhost.formats.transcript_formats import convert, has_times, other_forms
from podhost.formats.transcripts import EXTENSIONS, MIME_TYPES, read_transcript
from podhost.formats.transcripts import Transcript as TranscriptFile
from podhost.models import Episode, Transcript
from podhost.storage import Storage

_MIME_TYPES = {EXTENSIONS[name]: mime_type for name, mime_type in MIME_TYPES.items()}
# Of forms that were made, what apps use before what people read.
_ORDER = ("vtt", "srt", "json", "html", "txt")

# A row as the ORM has it, or some of its columns.
T = TypeVar("T", bound=Transcript | Row[Any])


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
    without: Collection[str] = (),
    ids: Mapping[str, str] | None = None,
) -> tuple[list[PreparedTranscript], list[str]]:
    """Read a transcript and store it, and every other form that can be made of it.

    `without` are extensions that need not be made, because they are given too. `ids` are those
    that its forms had elsewhere, by extension; what is taken gets a new one.

    Returns what is stored, the one that was given last, and warnings. Raises Invalid.
    """
    transcript = read_transcript(data, file_name)
    code = fields.language(language) if language else transcript.language
    source = hashlib.sha256(data).hexdigest()
    wanted = [form for form in other_forms(transcript.extension) if form not in without]
    prepared = prepare_forms(
        storage, transcript, wanted, source_sha256=source, language=code, ids=ids
    )
    given = _stored(storage, transcript.body, transcript.extension, source, code, ids)
    return [*prepared, given], list(transcript.warnings)


def prepare_forms(
    storage: Storage,
    transcript: TranscriptFile,
    endings: Collection[str],
    *,
    source_sha256: str,
    language: str | None,
    ids: Mapping[str, str] | None = None,
) -> list[PreparedTranscript]:
    """Store other forms of a transcript; `endings` are some of `other_forms`."""
    return [
        _stored(storage, body, extension, source_sha256, language, ids)
        for extension, body in convert(transcript, endings).items()
    ]


def _stored(
    storage: Storage,
    body: bytes,
    extension: str,
    source_sha256: str,
    language: str | None,
    ids: Mapping[str, str] | None,
) -> PreparedTranscript:
    mime_type = _MIME_TYPES[extension]
    transcript_id, key = _put(storage, body, mime_type, extension, (ids or {}).get(extension))
    return PreparedTranscript(
        transcript_id,
        key,
        source_sha256,
        hashlib.sha256(body).hexdigest(),
        len(body),
        mime_type,
        extension,
        language,
    )


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
        episode.transcripts.append(transcript_row(transcript, position, now=now))
    session.flush()
    touch_episode(session, episode, now=now)


def transcript_row(prepared: PreparedTranscript, position: int, *, now: datetime) -> Transcript:
    """The row of a stored transcript."""
    return Transcript(
        id=prepared.id,
        position=position,
        storage_key=prepared.storage_key,
        source_sha256=prepared.source_sha256,
        sha256=prepared.sha256,
        size_bytes=prepared.size_bytes,
        mime_type=prepared.mime_type,
        extension=prepared.extension,
        language=prepared.language,
        created_at=now,
    )


def transcript_groups(transcripts: Iterable[T]) -> list[list[T]]:
    """The forms of each transcript that was given, in order; the one that was given comes last."""
    groups: dict[tuple[str, str | None], list[T]] = {}
    for row in transcripts:
        groups.setdefault((row.source_sha256, row.language), []).append(row)
    return [*groups.values()]


def in_order(transcripts: Iterable[T]) -> list[T]:
    """The forms of transcripts as apps and programs are told of them: of each that was given
    WebVTT, which Apple prefers, then the one that was given, then what was made of it."""
    ordered: list[T] = []
    for *made, given in transcript_groups(transcripts):
        first = [row for row in made if row.extension == "vtt"]
        rest = [row for row in made if row.extension != "vtt"]
        ordered += [*first, given, *sorted(rest, key=lambda row: _ORDER.index(row.extension))]
    return ordered


def in_feed(transcripts: Iterable[T]) -> list[T]:
    """Those that a feed names, in order: what was given, and the forms with times made of it,
    which apps use; not the pages and texts."""
    rows = [*transcripts]
    given = {group[-1].id for group in transcript_groups(rows)}
    return [row for row in in_order(rows) if row.id in given or has_times(row.extension)]


def transcript_path(transcript: Transcript | Row[Any]) -> str:
    """The path of a transcript below the base URL."""
    return f"/transcripts/{transcript.episode_id}/{transcript.id}.{transcript.extension}"
