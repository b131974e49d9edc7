"""Gives transcripts the forms that they lack because an older version took them.

New transcripts have all forms from the start. Rows say what is missing, so it needs no record of
what was done; a job does a show's episodes, some at a time.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from podhost.db import Database
from podhost.episodes import touch_episode
from podhost.errors import Invalid, NotFound
from podhost.formats.transcript_formats import all_forms, has_times, other_forms
from podhost.formats.transcripts import read_transcript
from podhost.jobs import enqueue
from podhost.models import Episode, Transcript
from podhost.shows import lock_show
from podhost.storage import Storage
from podhost.transcripts import PreparedTranscript, transcript_groups, transcript_row
from podhost.uploads.intake import Intake

CONVERT_TRANSCRIPTS = "convert_transcripts"
# Feeds wait for no more than so many; what remains is the next job.
_AT_ONCE = 100

log = logging.getLogger(__name__)


def enqueue_incomplete(database: Database, *, now: datetime) -> int:
    """Enqueue a job for each show with transcripts that lack a form; how many those are."""
    with database.read() as session:
        show_ids = sorted(set(session.scalars(_incomplete(Episode.show_id))))
    for show_id in show_ids:
        with database.write() as session:
            enqueue(session, CONVERT_TRANSCRIPTS, show_id, now=now, run_at=now)
    return len(show_ids)


def complete_transcripts(
    database: Database, storage: Storage, show_id: str, *, now: datetime
) -> None:
    """Make the forms that transcripts of the show lack; if there are many, some now and a job for
    the rest."""
    # In any order, so that some that cannot be read do not keep the others from their turn.
    some = _incomplete(Transcript.episode_id).where(Episode.show_id == show_id)
    with database.read() as session:
        episode_ids = session.scalars(some.order_by(func.random()).limit(_AT_ONCE + 1)).all()
    completed = [
        _complete_episode(database, storage, episode_id, now)
        for episode_id in sorted(set(episode_ids[:_AT_ONCE]))
    ]
    if len(episode_ids) > _AT_ONCE and any(completed):
        with database.write() as session:
            enqueue(session, CONVERT_TRANSCRIPTS, show_id, now=now, run_at=now)


def _incomplete(column: InstrumentedAttribute[str]) -> Select[str]:
    """Values of a column for each episode and language of which a form is missing."""
    timed = [ending for ending in all_forms("vtt") if has_times(ending)]
    is_timed = func.max(case((Transcript.extension.in_(timed), 1), else_=0))
    count = func.count(Transcript.extension.distinct())
    return (
        select(column)
        .select_from(Transcript)
        .join(Episode, Episode.id == Transcript.episode_id)
        .where(Episode.deleted_at.is_(None))
        .group_by(Episode.show_id, Transcript.episode_id, Transcript.language)
        .having(
            or_(
                and_(is_timed == 1, count < len(all_forms("vtt"))),
                and_(is_timed == 0, count < len(all_forms("txt"))),
            )
        )
    )


def _complete_episode(database: Database, storage: Storage, episode_id: str, now: datetime) -> bool:
    """Make what the episode's transcripts lack; False when nothing came of it."""
    with database.read() as session:
        rows = session.scalars(_of_episode(episode_id)).all()
    with Intake(database, storage) as intake:
        made = _made(storage, intake, rows)
        if not made:
            return False
        with database.write() as session:
            show_id = session.scalar(select(Episode.show_id).where(Episode.id == episode_id))
            lock_show(session, show_id or "")
            current = session.scalars(_of_episode(episode_id)).all()
            # Whoever gave another transcript meanwhile gave it with all its forms.
            is_same = [row.id for row in current] == [row.id for row in rows]
            if is_same:
                _add(session, current, made, now)
                touch_episode(session, session.get_one(Episode, episode_id), now=now)
        intake.take_back()
    return is_same


def _of_episode(episode_id: str) -> Select[Transcript]:
    return (
        select(Transcript)
        .where(Transcript.episode_id == episode_id)
        .order_by(Transcript.position, Transcript.id)
    )


def _made(
    storage: Storage, intake: Intake, rows: Sequence[Transcript]
) -> dict[str, Sequence[PreparedTranscript]]:
    """What was made of each given transcript, by its id; no form twice in one language."""
    there = {(row.language, row.extension) for row in rows}
    made: dict[str, Sequence[PreparedTranscript]] = {}
    for group in transcript_groups(rows):
        given = group[-1]
        missing = [
            ending
            for ending in other_forms(given.extension)
            if (given.language, ending) not in there
        ]
        if not missing:
            continue
        try:
            with storage.open(given.storage_key) as source:
                transcript = read_transcript(source.readall(), f"transcript.{given.extension}")
        except (NotFound, Invalid) as error:
            # `podhost check` says what is missing or damaged.
            log.warning("a transcript cannot be converted: %s: %s", given.storage_key, error)
            continue
        made[given.id] = intake.transcript_forms(
            transcript, missing, source_sha256=given.source_sha256, language=given.language
        )
        there |= {(given.language, ending) for ending in missing}
    return made


def _add(
    session: Session,
    rows: Sequence[Transcript],
    made: Mapping[str, Sequence[PreparedTranscript]],
    now: datetime,
) -> None:
    """Rows for what was made, each before the one that was given."""
    position = 0
    for row in rows:
        for prepared in made.get(row.id, ()):
            new = transcript_row(prepared, position, now=now)
            new.episode_id = row.episode_id
            session.add(new)
            position += 1
        row.position = position
        position += 1
    session.flush()
