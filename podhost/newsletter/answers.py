"""What programs are told of newsletters; nothing here changes a row."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from podhost.models import Newsletter, NewsletterIssue, Show, Subscriber
from podhost.newsletter.issues import count_deliveries
from podhost.newsletter.numbers import Month, count_readers, growth
from podhost.newsletter.settings import WEEKDAYS
from podhost.newsletter.subscribers import page_url


class NewsletterAnswer(msgspec.Struct, kw_only=True):
    """How a newsletter is set, and how many read it; `can_send` is false where there is no mail
    server. `weekday` and `hour` are in `time_zone`."""

    is_open: bool
    opened_at: datetime | None
    sends_episodes: bool
    sends_digest: bool
    weekday: str
    hour: int
    time_zone: str
    contact: str
    url: str
    can_send: bool
    confirmed: int
    waiting: int
    gone: int
    refused: int
    growth: list[Month]
    warnings: list[str]


class SubscriberAnswer(msgspec.Struct, kw_only=True):
    """Somebody who reads it; `address` is empty for those who are gone, `reason` is what the
    server of a refused address said."""

    id: str
    address: str
    status: str
    wants: str
    asked_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None
    reason: str | None


class SubscriberList(msgspec.Struct, kw_only=True):
    """A page of them, newest first; `next` is the address of the next page."""

    subscribers: list[SubscriberAnswer]
    total: int
    next: str | None


class IssueAnswer(msgspec.Struct, kw_only=True):
    """One mailing: `kind` is episode or digest, `status` waiting, sending or finished; `unsent` is
    how many mails were or are tried in vain."""

    id: str
    kind: str
    subject: str
    status: str
    send_at: datetime
    finished_at: datetime | None
    sent: int
    refused: int
    unsent: int
    error: str | None


class IssueList(msgspec.Struct, kw_only=True):
    """A page of mailings, newest first; `next` is the address of the next page."""

    issues: list[IssueAnswer]
    total: int
    next: str | None


def newsletter_answer(
    session: Session,
    show: Show,
    newsletter: Newsletter,
    *,
    base_url: str,
    can_send: bool,
    warnings: Sequence[str] = (),
    now: datetime,
) -> NewsletterAnswer:
    """All of it."""
    return NewsletterAnswer(
        is_open=newsletter.is_open,
        opened_at=newsletter.opened_at,
        sends_episodes=newsletter.sends_episodes,
        sends_digest=newsletter.sends_digest,
        weekday=WEEKDAYS[newsletter.digest_weekday],
        hour=newsletter.digest_hour,
        time_zone=show.time_zone,
        contact=newsletter.contact,
        url=page_url(base_url, show),
        can_send=can_send,
        **count_readers(session, show)._asdict(),
        growth=growth(session, show, now=now),
        warnings=[*warnings],
    )


def subscriber_answer(row: Subscriber) -> SubscriberAnswer:
    """One of them."""
    names = SubscriberAnswer.__struct_fields__
    return SubscriberAnswer(**{name: getattr(row, name) for name in names})


def issue_answers(session: Session, rows: Sequence[NewsletterIssue]) -> list[IssueAnswer]:
    """Each with its counts as of now."""
    counts = count_deliveries(session, [row.id for row in rows if row.finished_at is None])
    return [_issue(row, counts.get(row.id)) for row in rows]


def _issue(row: NewsletterIssue, counts: Mapping[str, int] | None) -> IssueAnswer:
    sent, refused, unsent = row.sent_count, row.refused_count, row.unsent_count
    if counts is not None:
        sent, refused = counts.get("sent", 0), counts.get("refused", 0)
        # One that is claimed is most likely on its way.
        unsent = counts.get("later", 0) + counts.get("failed", 0)
    status = "finished" if row.finished_at is not None else "sending" if counts else "waiting"
    return IssueAnswer(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        status=status,
        send_at=row.send_at,
        finished_at=row.finished_at,
        sent=sent,
        refused=refused,
        unsent=unsent,
        error=row.error,
    )
