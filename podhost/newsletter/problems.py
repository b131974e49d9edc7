"""What `podhost check` finds wrong with newsletters; it mends nothing."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podhost.models import NewsletterIssue, Show, Subscriber
from podhost.newsletter.subscribers import GONE, address_digest

# An issue is given up after two days; then it is over.
_SENT_BY_THEN = timedelta(days=3)


def newsletter_problems(session: Session, show: Show, *, now: datetime) -> Iterator[str]:
    """What should not be: mail that is due for long, and rows of readers that are damaged."""
    waiting = select(func.count()).where(
        NewsletterIssue.show_id == show.id,
        NewsletterIssue.finished_at.is_(None),
        NewsletterIssue.send_at < now - _SENT_BY_THEN,
    )
    if count := session.scalar(waiting):
        yield f"{count} mailings should have been sent long ago; is a worker running?"
    rows = session.execute(
        select(Subscriber.id, Subscriber.address, Subscriber.address_sha256).where(
            Subscriber.show_id == show.id, Subscriber.status != GONE
        )
    )
    for id_, address, digest in rows:
        if address_digest(show.id, address) != digest:
            yield f"the address of the reader {id_} is damaged; forget them."
