"""The change log: what serving processes must drop from memory; they follow it, nobody calls them.

Topics: `show` (a show's row, slug or deletion), `feed` (a new snapshot), `episode` (status,
audio, chapters or transcripts of an episode), `site` (what else a show's pages say). The key is
the id of the show or the episode.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from podhost.models import Change

KEPT = timedelta(days=1)
# Any number, other than the one that migrations use.
_LOCK = 7634679
# Of the table and not of its class, which takes longer: everybody asks this all the time.
_LAST = select(func.max(Change.__table__.c.seq))


def record_change(session: Session, topic: str, key: str, *, now: datetime) -> None:
    """Note that `key` changed. Call it last: on PostgreSQL it waits for other noters' commits.

    The lock is held until commit, so numbers become visible in the order in which they are given
    out, and a reader that goes on from the highest number it has seen misses nothing.
    """
    if session.get_bind().dialect.name != "sqlite":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = last_change(session)
    session.add(Change(seq=last + 1, topic=topic, key=key, created_at=now))
    session.flush()


def last_change(session: Session) -> int:
    """The number of the newest change; 0 when there is none."""
    return session.scalar(_LAST) or 0


def changes_since(session: Session, seq: int) -> Sequence[Change]:
    """What changed after `seq`, oldest first."""
    return session.scalars(select(Change).where(Change.seq > seq).order_by(Change.seq)).all()


def prune_changes(session: Session, *, now: datetime) -> None:
    """Forget old changes, but never the newest, from which the numbers go on."""
    newest = select(func.max(Change.seq)).scalar_subquery()
    session.execute(delete(Change).where(Change.created_at < now - KEPT, Change.seq < newest))
