"""Keeps the index as the rows are: a job per show, and what the sweep asks to find a lost one.

The index is made of nothing but what is there already, so it is in no backup; after a restore, the
sweep finds that it is missing. What is no longer public is forgotten in the transaction that says
so, and left out of answers besides.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podhost.db import Database
from podhost.errors import Invalid, NotFound
from podhost.formats.text import plain_text
from podhost.formats.transcript_formats import has_times
from podhost.formats.transcripts import parse_cues
from podhost.jobs import enqueue
from podhost.models import Article, SearchState, SearchSubject, Show
from podhost.search.rows import (
    INDEX_SHOW,
    SUBJECTS,
    TRANSCRIPT,
    NewEntry,
    Words,
    add_entries,
    forget_subject,
)
from podhost.search.sources import Document, TranscriptFile, find_documents, list_documents
from podhost.search.words import VERSION, distinct_words
from podhost.storage import Storage

log = logging.getLogger(__name__)

# A feed waits for no longer, or twice as long as to find what is new; what remains is the next job.
_SECONDS_AT_ONCE = 0.5
# Others may write between two transactions of so many.
_AT_ONCE = 10
# All words of a search stand within so much talk. Shorter parts make the index larger and searches
# for common words slower; in longer ones, words stand together by chance.
_PASSAGE_MS = 180_000
# And so many characters, where times are far apart or there are none.
_PASSAGE_CHARS = 6_000

T = TypeVar("T")

# [milliseconds or None, speaker or None, text]
_Line = list[Any]


def index_show(database: Database, storage: Storage, show_id: str, *, now: datetime) -> None:
    """Bring what is found of a show up to date; if much is new, some now and a job for the rest."""
    began_at = time.monotonic()
    with database.read() as session:
        show = session.get(Show, show_id)
        if show is None:
            return
        state = _states(session, show_id)[0].state
        wanted = {
            (document.kind, document.subject_id): document
            for document in list_documents(session, show)
        }
        known = _known(session, show_id)
    gone = sorted(known.keys() - wanted.keys())
    stale = [
        document for key, document in wanted.items() if known.get(key) != document.fingerprint()
    ]
    # The next job has to find out all of that again: with thousands of episodes, most of the time.
    ends_at = time.monotonic() + max(_SECONDS_AT_ONCE, time.monotonic() - began_at)
    left = _some(gone, ends_at, lambda some: _forget(database, show_id, some))
    left += _some(stale, ends_at, lambda some: _index(database, storage, show_id, some))
    with database.write() as session:
        if left:
            enqueue(session, INDEX_SHOW, show_id, now=now, run_at=now)
        else:
            session.merge(SearchState(show_id=show_id, state=state))


def _some(items: Sequence[T], ends_at: float, do: Callable[[Sequence[T]], None]) -> list[Any]:
    """Do it with some at a time, at least once, while there is time; what is left."""
    left = [*items]
    while left:
        do(left[:_AT_ONCE])
        del left[:_AT_ONCE]
        if time.monotonic() >= ends_at:
            break
    return left


def stale_show_ids(session: Session) -> list[str]:
    """The shows whose index is older than their rows, or is missing."""
    known = {row.show_id: row.state for row in session.execute(select(SearchState.__table__))}
    return [show_id for show_id, state in _states(session) if known.get(show_id) != state]


class _State(NamedTuple):
    """What the index of a show is made of, in short; something changed where it differs."""

    show_id: str
    state: str


def _states(session: Session, show_id: str | None = None) -> list[_State]:
    # Articles stay what they were once out, and their versions only rise: so does the sum.
    written = (
        select(Article.show_id, func.sum(Article.version).label("versions"))
        .where(Article.status.in_(("published", "withdrawn")))
        .group_by(Article.show_id)
        .subquery()
    )
    query = select(Show.id, Show.version, func.coalesce(written.c.versions, 0)).outerjoin(
        written, written.c.show_id == Show.id
    )
    if show_id is not None:
        query = query.where(Show.id == show_id)
    return [_State(id_, f"{VERSION} {rows} {texts}") for id_, rows, texts in session.execute(query)]


def _known(session: Session, show_id: str) -> dict[tuple[str, str], str]:
    columns = (SearchSubject.kind, SearchSubject.subject_id, SearchSubject.fingerprint)
    found = session.execute(select(*columns).where(SearchSubject.show_id == show_id))
    return {(kind, subject_id): fingerprint for kind, subject_id, fingerprint in found}


def _forget(database: Database, show_id: str, subjects: Sequence[tuple[str, str]]) -> None:
    with database.write() as session:
        show = _locked(session, show_id)
        # Somebody may have published it again just now.
        back = {(each.kind, each.subject_id) for each in find_documents(session, show, subjects)}
        for kind, subject_id in subjects:
            if (kind, subject_id) not in back:
                forget_subject(session, kind, subject_id)


def _index(
    database: Database, storage: Storage, show_id: str, documents: Sequence[Document]
) -> None:
    # Before the transaction: other writers wait for it.
    entries = [_entries(storage, document) for document in documents]
    with database.write() as session:
        show = _locked(session, show_id)
        subjects = [(document.kind, document.subject_id) for document in documents]
        current = {
            (each.kind, each.subject_id): each for each in find_documents(session, show, subjects)
        }
        for document, new in zip(documents, entries, strict=True):
            # What changed meanwhile is done by the job that the change enqueued.
            if current.get((document.kind, document.subject_id)) != document:
                continue
            forget_subject(session, document.kind, document.subject_id)
            add_entries(session, show_id, document.subject_id, document.dated_at, new)
            session.add(
                SearchSubject(
                    subject_id=document.subject_id,
                    kind=document.kind,
                    show_id=show_id,
                    fingerprint=document.fingerprint(),
                )
            )


def _locked(session: Session, show_id: str) -> Show:
    return session.get_one(Show, show_id, with_for_update={"of": Show}, populate_existing=True)


def _entries(storage: Storage, document: Document) -> list[NewEntry]:
    """The document itself, and passages of what is said in it."""
    assert document.kind in SUBJECTS
    body = document.plain_text()
    words = Words(
        distinct_words(document.title),
        distinct_words("\n".join(document.people)),
        distinct_words(body),
    )
    found = [NewEntry(document.kind, words, [[None, None, body]])]
    for file in document.transcripts:
        for passage in _passages(_lines(storage, file)):
            said = distinct_words("\n".join(text for _, _, text in passage))
            found.append(NewEntry(TRANSCRIPT, Words((), (), said), passage))
    return found


def _lines(storage: Storage, file: TranscriptFile) -> list[_Line]:
    try:
        with storage.open(file.storage_key) as source:
            data = source.readall()
        if has_times(file.extension):
            # Rows hold any text; has_times() knows what this one is.
            cues = sorted(parse_cues(data, file.extension), key=lambda cue: cue.start_ms)  # type: ignore[arg-type]
            return [[cue.start_ms, cue.speaker, cue.text] for cue in cues]
        text = data.decode("utf-8", "replace")
    except NotFound:
        # `podhost check` says that the file is missing.
        log.warning("a transcript cannot be searched, its file is missing: %s", file.storage_key)
        return []
    except Invalid as error:
        log.warning("a transcript cannot be searched: %s: %s", file.storage_key, error.message)
        return []
    text = plain_text(text) if file.extension == "html" else text
    return [[None, None, line] for line in text.split("\n") if line.strip()]


def _passages(lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    """Lines that follow each other, some minutes at a time."""
    passage: list[_Line] = []
    chars = 0
    for line in lines:
        is_late = bool(passage) and line[0] is not None and line[0] - passage[0][0] >= _PASSAGE_MS
        if passage and (is_late or chars + len(line[2]) > _PASSAGE_CHARS):
            yield passage
            passage, chars = [], 0
        passage.append(line)
        chars += len(line[2])
    if passage:
        yield passage
