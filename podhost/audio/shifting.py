"""Chapters, transcripts and soundbites of an episode follow when its audio is cut or replaced.

The arithmetic is `formats.time_shifts`; here are rows and stored files. Nothing is written into a
host's folder: its files say what they say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from podhost.chapters.pictures import picture_ids
from podhost.chapters.rows import list_chapters, set_chapters
from podhost.episodes import touch_episode
from podhost.errors import Conflict, Invalid, NotFound, Unavailable
from podhost.formats.chapter_formats import notes_chapters
from podhost.formats.chapters import Chapter, normalise_chapters
from podhost.formats.feed_tags import stored_episode_tags
from podhost.formats.time_shifts import Cuts, shift_chapters, shift_soundbites, shift_transcript
from podhost.formats.transcript_formats import has_times
from podhost.formats.transcripts import Transcript as TranscriptFile
from podhost.formats.transcripts import read_transcript
from podhost.models import Episode, Transcript
from podhost.storage import Storage
from podhost.transcripts import PreparedTranscript, set_transcripts, transcript_groups
from podhost.uploads.intake import Intake

NOTES_STAY = "The notes list times of the audio before; change them too."
PAGE_STAYS = (
    "The transcript is HTML and was left as it is; times in it are those of the audio before."
)


@dataclass(frozen=True, slots=True)
class Timed:
    """What an episode has that lies in its audio, as it was before anything was shifted."""

    chapters: Sequence[Chapter]
    pictures: Mapping[int, str]

    @classmethod
    def of(cls, episode: Episode) -> "Timed":
        """Those of an episode, as it is now."""
        return cls(list_chapters(episode), picture_ids(episode.chapters))


@dataclass(frozen=True, slots=True)
class ShiftedTranscripts:
    """Transcripts that are shifted and stored, whose rows are not written yet."""

    # Those of which they were made.
    ids: tuple[str, ...]
    prepared: Sequence[PreparedTranscript]
    warnings: list[str] = field(default_factory=list)


def shift_transcripts(
    storage: Storage, intake: Intake, rows: Sequence[Transcript], cuts: Cuts, duration_ms: int
) -> ShiftedTranscripts:
    """Store an episode's transcripts as they are for audio of this length, in all their forms.

    Those without times stay. Call it outside transactions. Raises Unavailable when one is
    not in the storage.
    """
    prepared: list[PreparedTranscript] = []
    warnings: list[str] = []
    for group in transcript_groups(rows):
        given = group[-1]
        if not has_times(given.extension):
            prepared += [_as_it_is(row) for row in group]
            warnings += [PAGE_STAYS] if given.extension == "html" else []
            continue
        transcript = _read(storage, given)
        body, remarks = shift_transcript(transcript, cuts, duration_ms)
        warnings += remarks
        if body is None:
            continue
        there = {row.extension for row in rows if row.language == given.language}
        stored, _ = intake.transcripts(
            body,
            f"transcript.{given.extension}",
            language=given.language,
            without=there - {row.extension for row in group},
        )
        prepared += stored
    return ShiftedTranscripts(tuple(row.id for row in rows), prepared, warnings)


def shift_episode(
    session: Session,
    episode: Episode,
    before: Timed | None,
    transcripts: ShiftedTranscripts,
    cuts: Cuts,
    *,
    now: datetime,
) -> list[str]:
    """Write what was shifted, for the audio that the episode has now; sentences on what is gone.

    `before` are the chapters to shift; None leaves them alone, as those that new audio has inside.
    Raises Conflict when the transcripts are other ones by now.
    """
    if episode.audio is None:
        raise Invalid("The episode has no audio, so nothing can be shifted with it.")
    duration_ms = episode.audio.duration_ms
    if tuple(row.id for row in episode.transcripts) != transcripts.ids:
        raise Conflict("The transcript was changed at the same moment. Try it again.")
    warnings = [*transcripts.warnings]
    if before is not None:
        warnings += _shift_chapters(session, episode, before, cuts, duration_ms, now)
    soundbites, gone = shift_soundbites(
        stored_episode_tags(episode.tags).soundbites, cuts, duration_ms
    )
    if (episode.tags or {}).get("soundbites"):
        episode.tags = {**(episode.tags or {}), "soundbites": msgspec.to_builtins(soundbites)}
    if transcripts.ids:
        set_transcripts(session, episode, transcripts.prepared, now=now)
    touch_episode(session, episode, now=now)
    return warnings + gone


def _shift_chapters(
    session: Session, episode: Episode, before: Timed, cuts: Cuts, duration_ms: int, now: datetime
) -> list[str]:
    moved, warnings = shift_chapters(before.chapters, cuts, duration_ms)
    chapters, remarks = normalise_chapters([chapter for _, chapter in moved], duration_ms)
    pictures = {
        chapter.start_ms: before.pictures[start_ms]
        for start_ms, chapter in moved
        if start_ms in before.pictures
    }
    set_chapters(session, episode, chapters, pictures, now=now)
    if notes_chapters(episode.notes, None):
        warnings.append(NOTES_STAY)
    return [*warnings, *remarks]


def _read(storage: Storage, row: Transcript) -> TranscriptFile:
    try:
        with storage.open(row.storage_key) as source:
            return read_transcript(source.readall(), f"transcript.{row.extension}")
    except NotFound as error:
        raise Unavailable("The transcript is missing in the storage; give it again.") from error


def _as_it_is(row: Transcript) -> PreparedTranscript:
    return PreparedTranscript(
        row.id,
        row.storage_key,
        row.source_sha256,
        row.sha256,
        row.size_bytes,
        row.mime_type,
        row.extension,
        row.language,
    )
