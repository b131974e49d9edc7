"""Search over what a show has published; it reads only, and makes no HTML.

The answers are the same on SQLite and PostgreSQL: see `words` for what a word is, and `rows` for
what comes first.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.models import Artwork, SearchEntry, Show
from podhost.search.rows import KINDS, TRANSCRIPT, find_passages, find_subjects
from podhost.search.snippets import best_lines, best_part
from podhost.search.sources import SOURCES, Subject
from podhost.search.words import Marked, Term, mark, read_query

MOST_HITS = 200
# Nobody leafs so far through places in transcripts.
LAST_HIT = 10_000
# Of them, which may be a hundred thousand.
MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found. `time_ms` and `speaker` are of words within a transcript.

    `title` and `snippet` are text in pieces, of which some are what was looked for; never HTML.
    `published_at` of a person is when they were last heard.
    """

    kind: str
    subject_id: str
    slug: str
    title: Marked
    snippet: Marked
    published_at: datetime | None
    time_ms: int | None
    speaker: str | None
    artwork: Artwork | None


@dataclass(frozen=True, slots=True)
class Results:
    """A page of hits; `counts` says how many there are of each kind, `total` of those asked for.

    Places in transcripts are counted up to MOST_COUNTED.
    """

    hits: list[Hit]
    counts: dict[str, int]
    total: int


def search(
    session: Session,
    show: Show,
    text: str,
    *,
    kind: str | None = None,
    limit: int = 20,
    offset: int = 0,
) -> Results:
    """What a show has published that has all words of `text`, the last of which may be half typed.

    First where they stand in the title, then in title and people, then anywhere in the text, then
    in transcripts, where they stand within some minutes; of these, the newest first. Text without
    a word finds nothing. Raises Invalid for another kind than one of KINDS.
    """
    errors = fields.FieldErrors()
    with errors.noting("kind"):
        kind = fields.one_of(*KINDS)(kind) if kind is not None else None
    errors.raise_any()
    terms = read_query(text)
    if not terms or show.deleted_at is not None:
        return Results([], dict.fromkeys(KINDS, 0), 0)
    limit, offset = min(max(limit, 0), MOST_HITS), max(offset, 0)
    subjects = find_subjects(session, show.id, terms)
    wanted = min(max(MOST_COUNTED, offset + limit), LAST_HIT)
    passages = find_passages(session, show.id, terms, limit=wanted)
    counts = dict.fromkeys(KINDS, 0) | Counter(each.kind for each in subjects)
    counts[TRANSCRIPT] = min(len(passages), MOST_COUNTED)
    ids = [each.id for each in subjects if kind in (None, each.kind)]
    if kind in (None, TRANSCRIPT):
        ids += passages
    total = sum(counts.values()) if kind is None else counts[kind]
    return Results(_hits(session, show, ids[offset : offset + limit], terms), counts, total)


def _hits(session: Session, show: Show, ids: Sequence[int], terms: Sequence[Term]) -> list[Hit]:
    columns = (SearchEntry.id, SearchEntry.kind, SearchEntry.subject_id, SearchEntry.body)
    entries = {
        row.id: row for row in session.execute(select(*columns).where(SearchEntry.id.in_(ids)))
    }
    rows = [entries[id_] for id_ in ids if id_ in entries]
    subjects = _subjects(session, show, rows)
    wanted = {subject.artwork_id for subject in subjects.values() if subject.artwork_id}
    chosen = select(Artwork).where(Artwork.id.in_(wanted))
    pictures = {row.id: row for row in session.scalars(chosen)}
    hits = []
    for row in rows:
        subject = subjects.get((_source_kind(row.kind), row.subject_id))
        # Not public any more, and about to leave the index.
        if subject is not None:
            picture = pictures.get(subject.artwork_id or "")
            hits.append(_hit(row, subject, picture, terms))
    return hits


def _source_kind(kind: str) -> str:
    return "episode" if kind == TRANSCRIPT else kind


def _subjects(session: Session, show: Show, rows: Sequence[Any]) -> dict[tuple[str, str], Subject]:
    found: dict[tuple[str, str], Subject] = {}
    for source in SOURCES:
        ids = {row.subject_id for row in rows if _source_kind(row.kind) == source.kind}
        if ids:
            subjects = source.find_subjects(session, show, ids)
            found |= {(source.kind, id_): subject for id_, subject in subjects.items()}
    return found


def _hit(row: Any, subject: Subject, artwork: Artwork | None, terms: Sequence[Term]) -> Hit:
    if row.kind == TRANSCRIPT:
        time_ms, speaker, snippet = best_lines(row.body, terms)
    else:
        time_ms, speaker, snippet = None, None, best_part(row.body[0][2], terms)
    return Hit(
        kind=row.kind,
        subject_id=row.subject_id,
        slug=subject.slug,
        title=mark(subject.title, terms),
        snippet=snippet,
        published_at=subject.published_at,
        time_ms=time_ms,
        speaker=speaker,
        artwork=artwork,
    )
