"""The queue is a table: enqueue, claim, renew, finish, retry; it knows no kind of work.

A job is inserted in the transaction of the change that causes it. A worker claims it by a
conditional update with a lease and renews the lease while it works; when a worker dies, the
lease ends and another takes the job. So a job may run more than once, and its steps must be
idempotent.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Select, and_, delete, func, not_, or_, select, text, update
from sqlalchemy.orm import Session

from podhost.errors import PodhostError
from podhost.models import Job

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

# A killed worker's job waits for so long; a living one renews its lease three times as often.
LEASE = timedelta(seconds=10)
# Nobody is given a longer lease; one that ends later was written by a clock that has been set back
# since. The rest is for machines whose clocks differ.
_LONGEST_LEASE = LEASE + timedelta(minutes=10)
# How long after an outage, at most, work goes on.
_OUTAGE_BACKOFF = timedelta(seconds=30)
MAX_ATTEMPTS = 12
LONGEST_BACKOFF = timedelta(hours=1)


class TryLater(PodhostError):
    """Work raises it when it failed and is to be tried again, but not before `wait` has passed."""

    def __init__(self, message: str, wait: timedelta = timedelta(0)) -> None:
        super().__init__(message)
        self.wait = wait


class GiveUp(PodhostError):
    """Work raises it when it failed and trying again cannot help."""


def enqueue(session: Session, kind: str, key: str, *, now: datetime, run_at: datetime) -> None:
    """Have `kind` done for `key` at `run_at` or soon after.

    Where the same work is waiting already, the two become one, at the earlier time. The row is
    locked until this transaction ends, so that no worker can start it before it sees the change.
    """
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    statement = _insert_for(is_sqlite).values(
        kind=kind, key=key, status="waiting", run_at=run_at, attempts=0, created_at=now
    )
    earlier = func.min if is_sqlite else func.least
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[Job.kind, Job.key],
            # Literal text: PostgreSQL matches it against the index when it plans, before it
            # knows any parameter.
            index_where=text("status = 'waiting'"),
            set_={"run_at": earlier(Job.run_at, statement.excluded.run_at)},
        )
    )


def _insert_for(is_sqlite: bool) -> "PostgresqlInsert | SqliteInsert":
    # Only the dialect in use is loaded: the other one would make every start longer.
    if is_sqlite:
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(Job)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(Job)


def is_any_due(session: Session, *, kinds: Sequence[str], now: datetime) -> bool:
    """Whether a look for work of these kinds is worth a transaction that writes.

    Workers ask this many times a second, nearly always in vain.
    """
    row = Job.__table__.c
    has_ended = or_(row.lease_until < now, row.lease_until > now + _LONGEST_LEASE)
    due = or_(
        and_(row.status == "waiting", row.run_at <= now),
        and_(row.status == "running", has_ended),
    )
    return session.scalar(select(row.id).where(due, row.kind.in_(kinds)).limit(1)) is not None


def claim(
    session: Session,
    *,
    kinds: Sequence[str],
    owner: str,
    now: datetime,
    unless: Select[str] | None = None,
) -> Job | None:
    """The next due job, now leased to `owner`; None when nothing is due.

    A job whose worker died (its lease has ended) is due as well. `unless` selects keys whose turn
    it is not.
    """
    has_ended = or_(Job.lease_until < now, Job.lease_until > now + _LONGEST_LEASE)
    due = or_(
        and_(Job.status == "waiting", Job.run_at <= now),
        and_(Job.status == "running", has_ended),
    )
    # Never the same work twice at once: what is running for a key holds back what waits for it.
    busy = (
        select(Job.kind, Job.key).where(Job.status == "running", not_(has_ended)).subquery("busy")
    )
    candidate = (
        select(Job)
        .outerjoin(busy, and_(busy.c.kind == Job.kind, busy.c.key == Job.key))
        .where(due, Job.kind.in_(kinds), busy.c.key.is_(None))
        .where(*([] if unless is None else [Job.key.not_in(unless)]))
        .order_by(Job.run_at, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Job)
    )
    job = session.scalar(candidate)
    if job is None:
        return None
    if job.attempts >= MAX_ATTEMPTS:
        # Its worker died each time; a job that kills workers must not go round for ever.
        clear_failed(session, job.kind, job.key)
        job.status, job.lease_owner, job.lease_until = "failed", None, None
        job.error = job.error or "The worker died each time it did this."
        session.flush()
        return claim(session, kinds=kinds, owner=owner, now=now, unless=unless)
    job.status = "running"
    job.lease_owner = owner
    job.lease_until = now + LEASE
    job.attempts += 1
    session.flush()
    return job


def renew(session: Session, job: Job, *, now: datetime) -> bool:
    """Keep the lease; False when it was lost, and then the work must stop."""
    renewed = session.execute(
        update(Job).where(*_mine(job)).values(lease_until=now + LEASE).returning(Job.id)
    )
    return renewed.first() is not None


def finish(session: Session, job: Job) -> None:
    """The work is done; the row goes."""
    session.execute(delete(Job).where(*_mine(job)))


def retry(
    session: Session,
    job: Job,
    *,
    error: str,
    is_outage: bool = False,
    is_final: bool = False,
    wait: timedelta = timedelta(0),
    now: datetime,
) -> None:
    """The work failed: try again later, each time after a longer wait; in the end give up.

    With `is_outage` it is not the work's fault: it is tried again for as long as that takes; with
    `is_final` it is given up at once. `wait` is the shortest time until the next try. What gave up
    stays in the table, with its error, until the same work is done well.
    """
    if is_final or (job.attempts >= MAX_ATTEMPTS and not is_outage):
        # One line for each work, however often it is tried anew.
        clear_failed(session, job.kind, job.key)
        session.execute(
            update(Job)
            .where(*_mine(job))
            .values(status="failed", error=error, lease_owner=None, lease_until=None)
        )
        return
    backoff = min(timedelta(seconds=2**job.attempts), LONGEST_BACKOFF)
    attempts = job.attempts
    if is_outage:
        backoff, attempts = min(backoff, _OUTAGE_BACKOFF), attempts - 1
    backoff = max(backoff, wait)
    waiting = select(Job.id).where(
        Job.kind == job.kind, Job.key == job.key, Job.status == "waiting"
    )
    if session.scalar(waiting.with_for_update()) is not None:
        # The same work waits anew, because something changed meanwhile: that one is the retry.
        finish(session, job)
        return
    session.execute(
        update(Job)
        .where(*_mine(job))
        .values(
            status="waiting",
            run_at=now + backoff,
            attempts=attempts,
            error=error,
            lease_owner=None,
            lease_until=None,
        )
    )


def count_by_status(session: Session) -> dict[str, int]:
    """How many jobs there are in each status, for the metrics."""
    rows = session.execute(select(Job.status, func.count()).group_by(Job.status))
    return {status: count for status, count in rows}


def latest_seconds(session: Session, now: datetime) -> float:
    """For how long the job that is due longest has been waiting; 0 when none is due."""
    due_at = session.scalar(
        select(func.min(Job.run_at)).where(Job.status == "waiting", Job.run_at <= now)
    )
    return (now - due_at).total_seconds() if due_at is not None else 0.0


def list_failed(session: Session) -> Sequence[Job]:
    """What gave up, newest first."""
    return session.scalars(select(Job).where(Job.status == "failed").order_by(Job.id.desc())).all()


def clear_failed(session: Session, kind: str, key: str) -> None:
    """Forget old failures of work that has now been done."""
    session.execute(delete(Job).where(Job.kind == kind, Job.key == key, Job.status == "failed"))


def _mine(job: Job) -> tuple[ColumnElement[bool], ...]:
    return (Job.id == job.id, Job.status == "running", Job.lease_owner == job.lease_owner)
