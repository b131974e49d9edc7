"""Which domains a show had before; it leads nobody on itself (web/site/table.py)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from podhost.models import FormerDomain, Show


def note_new_domain(
    session: Session, show: Show, before: str | None, after: str | None, *, now: datetime
) -> None:
    """A show has another domain, or none. The one that it left goes on leading to it; the one that
    it took leads to nobody else any more."""
    session.execute(delete(FormerDomain).where(FormerDomain.domain == after))
    if before is not None:
        session.merge(FormerDomain(domain=before, show_id=show.id, left_at=now))


def former_domains(session: Session, show: Show) -> Sequence[str]:
    """The domains that a show had and nobody has now, by name."""
    row = FormerDomain.__table__.c
    return session.scalars(
        select(row.domain).where(row.show_id == show.id).order_by(row.domain)
    ).all()
