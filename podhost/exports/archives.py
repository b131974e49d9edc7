"""Whole shows to take away: asked for, made by a job as one archive, kept for a week; no page.

What stands in the archive is the folder of exports.py. No feed and no backup has it.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from podhost.db import Database, new_id
from podhost.errors import Conflict, NotFound, PodhostError, Unavailable
from podhost.fields import may_be_slug
from podhost.jobs import enqueue
from podhost.models import Export, Show
from podhost.storage import Storage

if TYPE_CHECKING:
    from podhost.exports.shows import Exported
    from podhost.feeds.rendering import Site

MAKE_EXPORT = "make_export"
FOLDER = "exports/"
ARCHIVE_TYPE = "application/zip"
KEPT = timedelta(days=7)
WAITING, RUNNING, READY, FAILED = "waiting", "running", "ready", "failed"
_NOTED_EVERY_SECONDS = 1.0
# More than these are in the archive's own report.json.
_MOST_PROBLEMS = 50
_UNFORESEEN = "Something went wrong that nobody foresaw; the worker's log says more."


class ExportAnswer(msgspec.Struct, kw_only=True):
    """An archive of a show: how far it is, and where it can be had.

    `state` is waiting, running, ready or failed. `done` of `total` are in it: the show itself, and
    each episode. `error` says why it failed, or why it is tried again; `problems` what had to be
    left out. `url` is where the archive is, once it is ready, until `expires_at`.
    """

    id: str
    state: str
    done: int
    total: int
    error: str | None
    problems: list[str]
    file_name: str
    size_bytes: int | None
    sha256: str | None
    url: str | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None


class ExportList(msgspec.Struct, kw_only=True):
    """The archives of a show, newest first."""

    exports: list[ExportAnswer]


def begin_export(session: Session, show: Show, *, now: datetime) -> Export:
    """Have an archive made of the show, which is locked; the one that is being made, if one is."""
    known = session.scalar(
        select(Export)
        .where(Export.show_id == show.id, Export.state.in_((WAITING, RUNNING)))
        .limit(1)
    )
    if known is not None:
        # It may have been given up, because its workers died.
        enqueue(session, MAKE_EXPORT, known.id, now=now, run_at=now)
        return known
    export = Export(id=new_id(), show_id=show.id, state=WAITING, problems=[], created_at=now)
    session.add(export)
    session.flush()
    enqueue(session, MAKE_EXPORT, export.id, now=now, run_at=now)
    return export


def list_exports(session: Session, show: Show, *, now: datetime) -> Sequence[Export]:
    """Those of the show that have not expired, newest first."""
    is_there = or_(Export.expires_at.is_(None), Export.expires_at > now)
    return session.scalars(
        select(Export)
        .where(Export.show_id == show.id, is_there)
        .order_by(Export.created_at.desc(), Export.id)
    ).all()


def get_export(session: Session, show: Show, export_id: str, *, now: datetime) -> Export:
    """One of the show's that has not expired. Raises NotFound."""
    export = session.get(Export, export_id) if may_be_slug(export_id) else None
    is_over = export is not None and export.expires_at is not None and export.expires_at <= now
    if export is None or export.show_id != show.id or is_over:
        raise NotFound("There is no such archive; it is kept for a week. Have a new one made.")
    return export


def require_ready(export: Export) -> None:
    """Raises Conflict for an archive that is not there yet."""
    if export.state != READY:
        raise Conflict("The archive is not ready yet.")


def file_name(export: Export, show: Show) -> str:
    """What the archive is called where it is saved, without the ending."""
    return f"{show.slug}-{export.finished_at or export.created_at:%Y-%m-%d}"


def export_answer(export: Export, show: Show, base_url: str) -> ExportAnswer:
    """What programs are told of it."""
    path = f"{base_url}/api/v1/shows/{show.slug}/exports/{export.id}/file"
    return ExportAnswer(
        id=export.id,
        state=export.state,
        done=export.parts_done,
        total=export.parts_total,
        error=export.error,
        problems=export.problems,
        file_name=f"{file_name(export, show)}.zip",
        size_bytes=export.size_bytes,
        sha256=export.sha256,
        url=path if export.state == READY else None,
        created_at=export.created_at,
        finished_at=export.finished_at,
        expires_at=export.expires_at,
    )


# The job


def make_export(
    database: Database,
    storage: Storage,
    export_id: str,
    *,
    site: "Site",
    now: Callable[[], datetime],
) -> None:
    """Do the job: write the archive into the storage, and say so. It may be done again.

    Raises Unavailable when storage or database fail; then it is to be tried again. What else is
    wrong is noted as the reason why it failed.
    """
    with database.write() as session:
        export = session.get(Export, export_id, with_for_update=True)
        if export is None or export.state not in (WAITING, RUNNING):
            return
        export.state = RUNNING
        show = session.get_one(Show, export.show_id)
        slug = show.slug
    try:
        _make(database, storage, export_id, slug, site=site, now=now)
    except Unavailable as error:
        _note_error(database, export_id, error.message)
        raise
    except PodhostError as error:
        _note_error(database, export_id, error.message, failed_at=now())
    except Exception:
        _note_error(database, export_id, _UNFORESEEN, failed_at=now())
        raise


def _make(
    database: Database,
    storage: Storage,
    export_id: str,
    slug: str,
    *,
    site: "Site",
    now: Callable[[], datetime],
) -> None:
    # Loaded here: whoever asks for an archive does not make it.
    from podhost.exports.shows import write_show
    from podhost.exports.targets import appearing_archive

    # A key of its own for each try: one that was killed may have stored its archive already.
    key = f"{FOLDER}{new_id()}.zip"
    begun_at = now()
    with appearing_archive(
        storage, key, content_type=ARCHIVE_TYPE, folder=slug, made_at=begun_at
    ) as stored:
        exported = write_show(
            database,
            storage,
            slug,
            stored.target,
            place=f"{slug}-{begun_at:%Y-%m-%d}.zip",
            site=site,
            now=begun_at,
            progress=_Noting(database, export_id).note,
        )
    with database.write() as session:
        export = session.get(Export, export_id, with_for_update=True)
        is_wanted = export is not None and export.state == RUNNING
        replaced = []
        if export is not None and is_wanted:
            _finish(export, exported, now())
            export.storage_key, export.size_bytes = key, stored.size_bytes
            export.sha256 = stored.sha256
            replaced = _forget_older(session, export)
    # Rows first: a crash in between leaves objects that no row knows, which the sweep removes.
    for unneeded in replaced if is_wanted else [key]:
        storage.delete(unneeded)


def _finish(export: Export, exported: "Exported", now: datetime) -> None:
    export.state, export.error = READY, None
    export.parts_done = export.parts_total = len(exported.episodes) + 1
    export.problems = exported.problems[:_MOST_PROBLEMS]
    export.finished_at, export.expires_at = now, now + KEPT


def _forget_older(session: Session, export: Export) -> list[str]:
    """One archive of each show takes enough room; the keys of those that make way."""
    older = session.scalars(
        select(Export).where(Export.show_id == export.show_id, Export.id != export.id)
    ).all()
    for row in older:
        session.delete(row)
    return [row.storage_key for row in older if row.storage_key is not None]


def _note_error(
    database: Database, export_id: str, error: str, failed_at: datetime | None = None
) -> None:
    # It is said where it can be; whoever called is told what went wrong in any case.
    with suppress(Unavailable), database.write() as session:
        export = session.get(Export, export_id, with_for_update=True)
        if export is None:
            return
        export.error = error
        if failed_at is not None:
            export.state, export.finished_at = FAILED, failed_at
            export.expires_at = failed_at + KEPT


class _Noting:
    """Notes how far it is, now and then: a row that is written for each file slows all writers."""

    def __init__(self, database: Database, export_id: str) -> None:
        self._database = database
        self._export_id = export_id
        self._noted_at = 0.0

    def note(self, done: int, total: int) -> None:
        """So many parts are in the archive. Raises Unavailable."""
        if time.monotonic() - self._noted_at < _NOTED_EVERY_SECONDS:
            return
        self._noted_at = time.monotonic()
        with self._database.write() as session:
            export = session.get(Export, self._export_id, with_for_update=True)
            if export is not None:
                export.parts_done, export.parts_total, export.error = done, total, None


# The sweep


def unfinished_ids(session: Session) -> Sequence[str]:
    """What is to be made, whether or not a job waits for it."""
    return session.scalars(select(Export.id).where(Export.state.in_((WAITING, RUNNING)))).all()


def remove_expired(database: Database, storage: Storage, *, now: datetime) -> None:
    """Forget archives whose week is over."""
    with database.write() as session:
        expired = session.scalars(select(Export).where(Export.expires_at <= now)).all()
        keys = [row.storage_key for row in expired if row.storage_key is not None]
        for row in expired:
            session.delete(row)
    # The row first: a crash leaves only an orphan.
    for key in keys:
        storage.delete(key)
