"""Messages that are to be sent: a row and a job in the transaction that causes them; it sends none.

A row's content is there as long as the message waits, and no longer: it may hold a link with a
secret. What is waiting can be seen from the rows, so that no message is lost with its job.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from podhost.db import new_id
from podhost.jobs import clear_failed, enqueue
from podhost.models import Job, Mail

SEND_MAIL = "send_mail"
# What a mail server refuses for the moment is offered again for so long (RFC 5321 4.5.4.1 says
# four to five days, which nobody who waits for an invitation does).
_OFFERED_FOR = timedelta(days=2)
_KEPT_FOR = timedelta(days=30)
# A job that gave up is tried anew after so long.
_AGAIN_AFTER = timedelta(minutes=15)


class MailState(msgspec.Struct, kw_only=True):
    """What became of a message: waiting, sent or failed, with the reason as a sentence."""

    status: str
    error: str | None


def enqueue_mail(
    session: Session,
    template: str,
    recipient: str,
    content: Mapping[str, str],
    *,
    language: str,
    now: datetime,
    expires_at: datetime | None = None,
) -> Mail:
    """Have a message sent, soon after this transaction is committed.

    `template` is one of templates/email/ and `content` what it says. After `expires_at` it is not
    sent any more.
    """
    last = now + _OFFERED_FOR
    mail = Mail(
        id=new_id(),
        recipient=recipient,
        template=template,
        language=language,
        content=dict(content),
        created_at=now,
        expires_at=min(expires_at, last) if expires_at is not None else last,
    )
    session.add(mail)
    session.flush()
    enqueue(session, SEND_MAIL, mail.id, now=now, run_at=now)
    return mail


def settle(mail: Mail, *, now: datetime, error: str | None = None) -> None:
    """Nobody needs the content any more: the message was sent, or is given up with this error."""
    mail.content = None
    mail.error = error
    mail.sent_at = None if error else now


def mail_states(session: Session, ids: Iterable[str | None]) -> dict[str, MailState]:
    """What became of the messages with these ids; those that are forgotten are left out."""
    wanted = {mail_id for mail_id in ids if mail_id is not None}
    rows = session.execute(
        select(Mail.id, Mail.sent_at, Mail.error, Mail.content.is_(None)).where(Mail.id.in_(wanted))
    )
    states = {}
    for mail_id, sent_at, error, is_settled in rows:
        status = "waiting" if not is_settled else "sent" if sent_at is not None else "failed"
        states[mail_id] = MailState(status=status, error=error)
    return states


def withdraw_mail(session: Session, mail_id: str | None) -> None:
    """What the message says is true no longer; it is not sent if it still waits, and nobody needs
    to know that it could not be."""
    mail = session.get(Mail, mail_id) if mail_id is not None else None
    if mail is not None and mail.content is not None:
        session.delete(mail)
    if mail_id is not None:
        clear_failed(session, SEND_MAIL, mail_id)


def enqueue_missed_mails(session: Session, *, now: datetime) -> int:
    """Enqueue messages that wait without a job; how many. For the sweep."""
    waiting = select(Job.key).where(
        Job.kind == SEND_MAIL,
        (Job.status != "failed") | (Job.run_at > now - _AGAIN_AFTER),
    )
    missed = session.scalars(
        select(Mail.id).where(Mail.content.is_not(None), Mail.id.not_in(waiting))
    ).all()
    for mail_id in missed:
        enqueue(session, SEND_MAIL, mail_id, now=now, run_at=now)
    return len(missed)


def prune_mails(session: Session, *, now: datetime) -> None:
    """Forget to whom messages were sent long ago, and which could not be."""
    before = now - _KEPT_FOR
    session.execute(delete(Mail).where(Mail.content.is_(None), Mail.created_at < before))
    session.execute(
        delete(Job).where(
            Job.kind == SEND_MAIL, Job.status == "failed", Job.key.not_in(select(Mail.id))
        )
    )
