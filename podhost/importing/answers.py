"""What programs and people are told of an import: how far it is, what came, what did not.

It reads rows and decides nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from podhost.formats.text import shown
from podhost.importing import rows
from podhost.importing.comparison import NOT_BROUGHT, Difference
from podhost.importing.documents import source_name
from podhost.importing.plans import without_secrets
from podhost.models import Episode, Import, ImportEpisode, Show

# So many are named on a terminal; --json has them all.
_NAMED = 20
_UNITS = (("GB", 1e9), ("MB", 1e6), ("KB", 1e3))


class ImportInput(msgspec.Struct, kw_only=True):
    """What to move in: the address of a show's feed; `mine` for one that is locked and yours."""

    source: str
    mine: bool = False


class UploadInput(msgspec.Struct, kw_only=True):
    """The same in a form, where the file `feed` may stand in the place of the address."""

    source: str = ""
    mine: bool = False


class ImportEpisodeAnswer(msgspec.Struct, kw_only=True):
    """One episode of the old feed: `status` is that of the episode here, None without one."""

    guid: str
    title: str
    state: str
    episode_id: str | None
    status: str | None
    error: str | None
    attempts: int
    size_bytes: int | None
    sha256: str | None
    notes: list[str]


class ImportCounts(msgspec.Struct, kw_only=True):
    """How many episodes come, and how far they are."""

    total: int
    waiting: int
    done: int
    failed: int
    drafts: int
    second_copies: int


class ImportSummary(msgspec.Struct, kw_only=True):
    """An import: `state` is begun, reading, running, comparing, done or failed."""

    id: str
    source: str
    state: str
    error: str | None
    show: str | None
    title: str | None
    episodes: ImportCounts
    size_bytes: int
    created_at: datetime
    read_at: datetime | None
    finished_at: datetime | None


class ImportAnswer(ImportSummary, kw_only=True):
    """An import with its report: all episodes, what could not be kept, and what the new feed says
    otherwise than the old one (null until they were compared)."""

    feed_url: str | None
    feed_sha256: str | None
    notes: list[str]
    episode_list: list[ImportEpisodeAnswer]
    differences: list[Difference] | None


class ImportList(msgspec.Struct, kw_only=True):
    """All imports, newest first."""

    imports: list[ImportSummary]


def import_summary(session: Session, row: Import) -> ImportSummary:
    """How far an import is."""
    show = session.get(Show, row.show_id) if row.show_id else None
    counts = rows.counts_of(session, row.id)
    return ImportSummary(
        id=row.id,
        source=source_name(session, row.source),
        state=row.state,
        error=row.error,
        show=show.slug if show is not None else None,
        title=show.title if show is not None else None,
        episodes=ImportCounts(
            total=counts.total,
            waiting=counts.waiting,
            done=counts.done,
            failed=counts.failed,
            drafts=rows.count_drafts(session, row.id),
            second_copies=row.second_copies,
        ),
        size_bytes=counts.size_bytes,
        created_at=row.created_at,
        read_at=row.read_at,
        finished_at=row.finished_at,
    )


def import_list(session: Session) -> ImportList:
    """Every import."""
    return ImportList(imports=[import_summary(session, row) for row in rows.list_imports(session)])


def import_answer_of(session: Session, row: Import, *, with_episodes: bool = True) -> ImportAnswer:
    """Everything about an import; its list of episodes only if somebody wants it."""
    summary = import_summary(session, row)
    return ImportAnswer(
        **{name: getattr(summary, name) for name in summary.__struct_fields__},
        feed_url=without_secrets(row.feed_url) if row.feed_url else None,
        feed_sha256=row.feed_sha256,
        notes=list(row.notes),
        episode_list=list(import_episodes(session, row)) if with_episodes else [],
        differences=None
        if row.differences is None
        else msgspec.convert(row.differences, list[Difference]),
    )


def import_episodes(
    session: Session,
    row: Import,
    *,
    state: str | None = None,
    with_notes: bool = False,
    limit: int | None = None,
) -> Iterator[ImportEpisodeAnswer]:
    """The episodes of the old feed in its order: those in a state, those with notes, or all; so
    many at most."""
    title = ImportEpisode.imported["title"].as_string().label("title")
    conditions = [ImportEpisode.import_id == row.id]
    if state is not None:
        conditions.append(ImportEpisode.state == state)
    if with_notes:
        conditions.append(cast(ImportEpisode.notes, Text) != "[]")
    found = session.execute(
        select(
            ImportEpisode.guid,
            title,
            ImportEpisode.state,
            ImportEpisode.episode_id,
            Episode.status,
            ImportEpisode.error,
            ImportEpisode.attempts,
            ImportEpisode.size_bytes,
            ImportEpisode.sha256,
            ImportEpisode.notes,
        )
        .outerjoin(Episode, Episode.id == ImportEpisode.episode_id)
        .where(*conditions)
        .order_by(ImportEpisode.position)
        .limit(limit)
    )
    for entry in found:
        yield ImportEpisodeAnswer(**entry._mapping)


# In words -----------------------------------------------------------------------------------------


def describe_progress(summary: ImportSummary) -> str:
    """How far it is, in a line."""
    counts = summary.episodes
    failed = f", {counts.failed} failed" if counts.failed else ""
    size = size_in_words(summary.size_bytes)
    return f"{counts.done} of {counts.total} episodes, {size}{failed}"


def describe_result(answer: ImportAnswer) -> Iterator[str]:
    """The report for a terminal, line by line."""
    counts = answer.episodes
    yield f"{shown(answer.title or answer.source, 200)}"
    yield f"  {counts.done} of {counts.total} episodes, {size_in_words(answer.size_bytes)} of audio"
    if counts.drafts:
        yield f"  {counts.drafts} of them as drafts"
    if counts.second_copies:
        yield f"  {counts.second_copies} left out as second copies"
    failed = [entry for entry in answer.episode_list if entry.state == rows.FAILED]
    yield from _some(
        "What did not come",
        [f"“{shown(entry.title, 60)}”: {entry.error}" for entry in failed],
    )
    notes = [f"show: {note}" for note in answer.notes]
    for entry in answer.episode_list:
        notes += [f"“{shown(entry.title, 60)}”: {note}" for note in entry.notes]
    yield from _some("What else there is to know", notes)
    if answer.differences is not None:
        # Those that did not come were named above, and would hide the others here.
        told = [one for one in answer.differences if not one.new.startswith(NOT_BROUGHT)]
        if told:
            yield from _some("What the new feed says otherwise", [*map(_difference, told)])
        elif not answer.differences:
            yield "  The new feed says the same as the old one, item by item."


def _difference(found: Difference) -> str:
    return f"{found.place}, {found.what}: “{found.old}”, now “{found.new}”"


def _some(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"  {title}"
        yield from (f"    {shown(line, 400)}" for line in lines[:_NAMED])
    if len(lines) > _NAMED:
        yield f"    and {len(lines) - _NAMED} more; --json has them all"


def size_in_words(size_bytes: int) -> str:
    """A number of bytes as people say it."""
    for unit, size in _UNITS:
        if size_bytes >= size:
            return f"{size_bytes / size:.1f} {unit}"
    return f"{size_bytes} bytes"
