"""Transcripts as hosts edit them: one form of what is stored, read, and given back changed.

Of an episode's transcripts in several languages, the others stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from podhost.episodes import touch_episode
from podhost.errors import Conflict, NotFound
from podhost.models import Episode, Transcript
from podhost.storage import Storage
from podhost.transcripts import PreparedTranscript, transcript_groups, transcript_row

CHANGED_MEANWHILE = (
    "Somebody else changed the transcript since you opened it. Copy what you wrote, open the page "
    "anew, and put your changes into what is there now."
)


@dataclass(frozen=True, slots=True)
class StoredForm:
    """One form of a transcript: where it lies, and by what the given file is recognised."""

    storage_key: str
    extension: str
    mime_type: str
    language: str | None
    source_sha256: str


def list_given(episode: Episode) -> list[Transcript]:
    """The transcripts as they were given, one for each language, in order."""
    return [group[-1] for group in transcript_groups(episode.transcripts)]


def find_form(
    episode: Episode, extension: str | None = None, language: str | None = None
) -> StoredForm:
    """The form with this ending, or the one that was given; in this language, or the first.

    Raises NotFound with a sentence.
    """
    groups = transcript_groups(episode.transcripts)
    chosen = [group for group in groups if language in (None, group[-1].language)]
    if not chosen:
        raise NotFound("The episode has no such transcript.")
    rows = [row for row in chosen[0] if extension in (None, row.extension)]
    if not rows:
        raise NotFound("The transcript has no times, so it has no such form.")
    row = rows[-1]
    return StoredForm(
        row.storage_key, row.extension, row.mime_type, row.language, row.source_sha256
    )


def read_form(storage: Storage, form: StoredForm) -> bytes:
    """Its bytes. Raises NotFound where the file is gone, Unavailable."""
    with storage.open(form.storage_key) as source:
        return source.readall()


def replace_transcript(
    session: Session,
    episode: Episode,
    prepared: Sequence[PreparedTranscript],
    *,
    replaces: str,
    now: datetime,
) -> None:
    """Put these forms in the place of the transcript whose given file has the SHA-256 `replaces`.

    Raises Conflict where the episode has no such transcript (any more).
    """
    if replaces not in {
        group[-1].source_sha256 for group in transcript_groups(episode.transcripts)
    }:
        raise Conflict(CHANGED_MEANWHILE)
    _exchange(session, episode, replaces, prepared, now=now)


def give_transcript(
    session: Session, episode: Episode, prepared: Sequence[PreparedTranscript], *, now: datetime
) -> None:
    """Add these forms, in the place of a transcript in the same language, if there is one."""
    usual = episode.show.language
    language = prepared[-1].language or usual
    same = [row for row in list_given(episode) if (row.language or usual) == language]
    _exchange(session, episode, same[0].source_sha256 if same else "", prepared, now=now)


def remove_transcript(
    session: Session, episode: Episode, source_sha256: str, *, now: datetime
) -> None:
    """Take the transcript away whose given file has this SHA-256; the others stay."""
    _exchange(session, episode, source_sha256, (), now=now)


def _exchange(
    session: Session,
    episode: Episode,
    old_sha256: str,
    prepared: Sequence[PreparedTranscript],
    *,
    now: datetime,
) -> None:
    groups = transcript_groups(episode.transcripts)
    place = next((n for n, group in enumerate(groups) if group[-1].source_sha256 == old_sha256), -1)
    for row in groups[place] if place >= 0 else ():
        episode.transcripts.remove(row)
    session.flush()
    before = [row for group in groups[:place] for row in group] if place >= 0 else []
    after = [row for group in groups[place + 1 :] for row in group]
    new = [transcript_row(transcript, 0, now=now) for transcript in prepared]
    rows = [*before, *new, *after] if place >= 0 else [*after, *new]
    for position, row in enumerate(rows):
        row.position = position
    episode.transcripts.extend(new)
    session.flush()
    session.expire(episode, ["transcripts"])
    touch_episode(session, episode, now=now)
