"""Sends the issues of newsletters, many mails by one connection; what they say is letters.py's.

Nobody gets an issue twice. A delivery's row is committed before the mail server hears of it, so
that who goes on after a crash passes over the one mail of which nobody knows whether it went out.
"""

import smtplib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from podhost import sweep
from podhost.errors import PodhostError, Unavailable
from podhost.instance import Instance
from podhost.jobs import GiveUp, TryLater, enqueue
from podhost.mail.sending import connected, host_of, refusal, said_of_server
from podhost.models import (
    Account,
    Job,
    Newsletter,
    NewsletterDelivery,
    NewsletterIssue,
    Show,
    Subscriber,
)
from podhost.newsletter import bounces, issues
from podhost.newsletter.issues import IssueContent
from podhost.newsletter.letters import make_issue_message, make_test_message, sender_of
from podhost.newsletter.links import Signer, make_signer
from podhost.newsletter.settings import find_newsletter
from podhost.newsletter.subscribers import CONFIRMED, REFUSED, end, prune_subscribers

SEND_ISSUE, SEND_TEST = "send_newsletter", "send_newsletter_test"
# By one connection; a worker that is to end waits for no more than these.
AT_ONCE = 50
# After these pauses a mail is offered again that was refused for now (RFC 5321 4.5.4.1).
_PAUSES = tuple(timedelta(minutes=minutes) for minutes in (15, 60, 180, 360, 720))
_WITHOUT_SERVER = timedelta(minutes=15)
_AGAIN_AFTER = timedelta(minutes=15)
# Of a batch, where they are all that there were.
_TOO_MANY = 10
_OK, _FORWARDED, _CLOSING = 250, 251, 421
_NO_SERVER = "There is no mail server; the operator sets PODHOST_SMTP_URL."
_UNKNOWN = "The connection broke while it was handed over; it is not sent again."
_ALL_REFUSED = "The mail server refuses everybody; look at its log."


class Outcome(NamedTuple):
    """What became of one mail; `is_address`: its address is to blame."""

    status: str
    error: str | None = None
    is_address: bool = False


SENT = Outcome("sent")
# The server has nothing of it; it is offered again.
_GIVEN_BACK = Outcome("later")


class Claim(NamedTuple):
    """One mail that nobody else sends."""

    subscriber_id: str
    address: str
    attempts: int


@dataclass
class _Batch:
    """One issue with what all its mails have in common, and what is still to be noted."""

    instance: Instance
    issue_id: str
    content: IssueContent
    sent_at_seconds: float
    signer: Signer
    claim: Claim | None = None
    outcome: Outcome | None = None
    outcomes: list[tuple[Claim, Outcome]] = field(default_factory=list)
    is_distrusted: bool = False

    def message(self, claim: Claim) -> EmailMessage:
        """The mail to one subscriber."""
        return make_issue_message(
            self.content,
            issue_id=self.issue_id,
            subscriber_id=claim.subscriber_id,
            address=claim.address,
            signer=self.signer,
            settings=self.instance.settings,
            host=host_of(self.instance.base_url),
            sent_at_seconds=self.sent_at_seconds,
        )


def send_issue(instance: Instance, issue_id: str) -> None:
    """Send the next mails of an issue, and have those after them sent by another job.

    Raises TryLater or Unavailable, with a sentence that the issue keeps as well.
    """
    try:
        batch = _begin(instance, issue_id)
        if batch is None:
            return
        _send_batch(batch)
    except PodhostError as error:
        with instance.database.write() as session:
            issue = session.get(NewsletterIssue, issue_id)
            if issue is not None and issue.finished_at is None:
                issue.error = error.message
        if isinstance(error, GiveUp):
            # It is the server or its setting that must change, and two days are left for that.
            raise TryLater(error.message, _WITHOUT_SERVER) from error
        raise
    _go_on(instance, issue_id)


def _begin(instance: Instance, issue_id: str) -> _Batch | None:
    with instance.database.write() as session:
        issue = session.get(NewsletterIssue, issue_id, with_for_update=True)
        if issue is None or issue.finished_at is not None:
            return None
        content = issues.begin_issue(session, issue, instance.base_url, now=instance.now())
        if content is None:
            return None
        signer = make_signer(session, instance.settings)
        batch = _Batch(instance, issue_id, content, issue.send_at.timestamp(), signer)
    if not instance.settings.smtp_url:
        raise TryLater(_NO_SERVER, _WITHOUT_SERVER)
    return batch


def _send_batch(batch: _Batch) -> None:
    instance = batch.instance
    with instance.database.read() as session:
        issue = session.get_one(NewsletterIssue, batch.issue_id)
        recipients = _recipients(session, issue, instance.now())
    if not recipients:
        return
    with said_of_server(instance.settings):
        client = connected(instance.settings, host_of(instance.base_url))
    error: PodhostError | None = None
    try:
        for subscriber_id in recipients:
            claim = _claim_next(batch, subscriber_id)
            if claim is not None:
                batch.outcome = _hand_over(client, batch, claim)
    except (TryLater, GiveUp, Unavailable) as raised:
        error = raised
    finally:
        client.close()
        with instance.database.write() as session:
            _note(session, batch, instance.now())
            _suppress(session, batch, instance.now())
    if batch.is_distrusted:
        raise TryLater(_ALL_REFUSED, _WITHOUT_SERVER)
    # Many servers take so many mails by one connection and no more; the next one is a new one.
    if error is not None and not any(outcome is SENT for _, outcome in batch.outcomes):
        raise error


def _claim_next(batch: _Batch, subscriber_id: str) -> Claim | None:
    """Note what became of the mail before, and that this one is being handed over; None: it is not
    to be sent (any more). All of it in one transaction, as each takes the disk a while."""
    with batch.instance.database.write() as session:
        now = batch.instance.now()
        _note(session, batch, now)
        issue = session.get(NewsletterIssue, batch.issue_id, with_for_update=True)
        subscriber = session.get(Subscriber, subscriber_id)
        if issue is None or issue.finished_at is not None:
            return None
        if subscriber is None or subscriber.status != CONFIRMED:
            return None
        row = session.get(NewsletterDelivery, (issue.id, subscriber_id))
        if row is None:
            row = NewsletterDelivery(
                issue_id=issue.id, subscriber_id=subscriber_id, attempts=0, status="claimed"
            )
            session.add(row)
        elif row.status != "later":
            return None
        row.status, row.claimed_at, row.next_at = "claimed", now, None
        row.attempts += 1
        session.flush()
        batch.claim = Claim(subscriber_id, subscriber.address, row.attempts)
    return batch.claim


def _hand_over(client: smtplib.SMTP, batch: _Batch, claim: Claim) -> Outcome:
    """Offer one mail to the server. Raises TryLater, GiveUp or Unavailable when it takes none at
    all; then the claim is given back, unless the server may have taken this one."""
    settings = batch.instance.settings
    try:
        body = batch.message(claim).as_bytes()
    except ValueError:
        return Outcome("refused", "No mail can be sent to such an address.", is_address=True)
    sender = sender_of(settings, host_of(batch.instance.base_url)).addr_spec
    batch.outcome = _GIVEN_BACK
    with said_of_server(settings):
        client.ehlo_or_helo_if_needed()
        code, reply = client.mail(sender)
        if code != _OK:
            raise smtplib.SMTPSenderRefused(code, reply, sender)
        code, reply = client.rcpt(claim.address)
        if code == _CLOSING:
            raise smtplib.SMTPResponseException(code, reply)
        if code not in (_OK, _FORWARDED):
            client.rset()
            return _refused(code, reply, at_address=True)
        batch.outcome = Outcome("failed", _UNKNOWN)
        try:
            code, reply = client.data(body)
        except smtplib.SMTPDataError as error:
            # It wants no message at all, so it has none.
            return _refused(error.smtp_code, error.smtp_error, at_address=False)
        if code == _OK:
            return SENT
        if code == _CLOSING:
            batch.outcome = _GIVEN_BACK
            raise smtplib.SMTPResponseException(code, reply)
        return _refused(code, reply, at_address=False)


def _refused(code: int, reply: bytes | str, *, at_address: bool) -> Outcome:
    """What a refusal means: 5yz is for good, 4yz for now (RFC 5321 4.2.1), and the enhanced code
    (RFC 3463) whether the address is to blame."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    sentence = refusal(code, reply).message
    if code < 500:
        return Outcome("later", sentence)
    if not at_address or text.startswith(bounces.NOT_THE_ADDRESS):
        return Outcome("failed", sentence)
    return Outcome("refused", sentence, is_address=True)


def _note(session: Session, batch: _Batch, now: datetime) -> None:
    """Write down what became of the mail that was claimed last."""
    claim, outcome = batch.claim, batch.outcome
    batch.claim = batch.outcome = None
    if claim is None or outcome is None:
        return
    batch.outcomes.append((claim, outcome))
    row = session.get(NewsletterDelivery, (batch.issue_id, claim.subscriber_id))
    if row is None:
        # The show is gone.
        return
    row.status, row.error = outcome.status, outcome.error
    if outcome is _GIVEN_BACK:
        row.status, row.next_at, row.attempts = "later", now, row.attempts - 1
    elif outcome.status == "later":
        if claim.attempts > len(_PAUSES):
            row.status = "failed"
        else:
            row.next_at = now + _PAUSES[claim.attempts - 1]
    session.flush()


def _suppress(session: Session, batch: _Batch, now: datetime) -> None:
    """No more mail to addresses that their servers refuse for good.

    Where one and all are refused, it is our server that is set up wrongly: nobody is to lose a
    reader by that, and all are tried again.
    """
    blamed = [claim for claim, outcome in batch.outcomes if outcome.is_address]
    batch.is_distrusted = len(blamed) >= _TOO_MANY and len(blamed) == len(batch.outcomes)
    for claim, outcome in batch.outcomes:
        if not outcome.is_address:
            continue
        if batch.is_distrusted:
            row = session.get(NewsletterDelivery, (batch.issue_id, claim.subscriber_id))
            if row is not None:
                row.status, row.next_at = "later", now + _PAUSES[0]
            continue
        subscriber = session.get(Subscriber, claim.subscriber_id, with_for_update=True)
        if subscriber is not None and subscriber.status == CONFIRMED:
            end(session, subscriber, REFUSED, outcome.error, now=now)
    session.flush()


def _recipients(
    session: Session, issue: NewsletterIssue, now: datetime, *, limit: int = AT_ONCE
) -> list[str]:
    """The ids of who is next: those who have no delivery yet, or one that is to be tried again."""
    delivery = NewsletterDelivery
    is_due = delivery.status.is_(None) | ((delivery.status == "later") & (delivery.next_at <= now))
    statement = _of_readers(session, issue, Subscriber.id).where(is_due)
    return list(session.scalars(statement.order_by(Subscriber.id).limit(limit)))


def _of_readers(
    session: Session, issue: NewsletterIssue, column: InstrumentedAttribute[Any]
) -> Select[Any]:
    """A column of all whom an issue is for, with their deliveries where they have one."""
    delivery = NewsletterDelivery
    newsletter = session.get_one(Newsletter, issue.show_id)
    wanted = issues.audience(newsletter, issue.kind)
    statement = (
        select(column)
        .select_from(Subscriber)
        .outerjoin(
            delivery,
            (delivery.issue_id == issue.id) & (delivery.subscriber_id == Subscriber.id),
        )
        .where(
            Subscriber.show_id == issue.show_id,
            Subscriber.status == CONFIRMED,
            # Who came later begins with the next one.
            Subscriber.confirmed_at <= issue.send_at,
        )
    )
    return statement if wanted is None else statement.where(Subscriber.wants.in_(wanted))


def _go_on(instance: Instance, issue_id: str) -> None:
    """Have the rest sent, or note that nothing is left."""
    with instance.database.write() as session:
        now = instance.now()
        issue = session.get(NewsletterIssue, issue_id, with_for_update=True)
        if issue is None or issue.finished_at is not None:
            return
        issue.error = None
        run_at = _next_time(session, issue, now)
        if run_at is None:
            issues.finish_issue(session, issue, None, now=now)
        else:
            enqueue(session, SEND_ISSUE, issue_id, now=now, run_at=run_at)


def _next_time(session: Session, issue: NewsletterIssue, now: datetime) -> datetime | None:
    """When there is something to send again; None: never."""
    if _recipients(session, issue, now, limit=1):
        return now
    later = _of_readers(session, issue, NewsletterDelivery.next_at)
    earliest = later.where(NewsletterDelivery.status == "later")
    next_at: datetime | None = session.scalar(
        earliest.order_by(NewsletterDelivery.next_at).limit(1)
    )
    return next_at


# A test


def enqueue_test(session: Session, show: Show, account_id: str, *, now: datetime) -> None:
    """Have the newest episode mailed to an owner, as readers would get it.

    Raises Conflict where none is out.
    """
    newsletter = find_newsletter(session, show)
    issues.example_content(session, newsletter, show, "")
    enqueue(session, SEND_TEST, f"{show.id} {account_id}", now=now, run_at=now)


def send_test(instance: Instance, key: str) -> None:
    """Send it. Raises TryLater, Unavailable or GiveUp."""
    show_id, _, account_id = key.partition(" ")
    with instance.database.read() as session:
        show, account = session.get(Show, show_id), session.get(Account, account_id)
        if show is None or account is None:
            return
        newsletter = find_newsletter(session, show)
        content = issues.example_content(session, newsletter, show, instance.base_url)
        address = account.email
    if not instance.settings.smtp_url:
        raise GiveUp(_NO_SERVER)
    host = host_of(instance.base_url)
    message = make_test_message(
        content,
        address=address,
        settings=instance.settings,
        host=host,
        sent_at_seconds=instance.now().timestamp(),
    )
    with said_of_server(instance.settings), connected(instance.settings, host) as client:
        client.send_message(message)


# What is due


def enqueue_missed(instance: Instance) -> int:
    """Make the issues that are due, and have those sent that wait without a job; how many."""
    now = instance.now()
    with instance.database.read() as session:
        since = sweep.restored_at(session) or datetime.min.replace(tzinfo=UTC)
        show_ids = issues.due_show_ids(session, since=since, now=now)
    made = 0
    for show_id in show_ids:
        with instance.database.write() as session:
            made += issues.make_due_issues(
                session, show_id, instance.base_url, since=since, now=now
            )
    with instance.database.read() as session:
        in_hand = select(Job.key).where(
            Job.kind.in_((SEND_ISSUE, bounces.READ_BOUNCES)),
            (Job.status != "failed") | (Job.run_at > now - _AGAIN_AFTER),
        )
        known = set(session.scalars(in_hand))
        missed = [
            (SEND_ISSUE, id_) for id_ in issues.unfinished_ids(session, now=now) if id_ not in known
        ]
    if instance.settings.bounces_imap_url and bounces.MAILBOX not in known:
        missed.append((bounces.READ_BOUNCES, bounces.MAILBOX))
    for kind, key in missed:
        with instance.database.write() as session:
            enqueue(session, kind, key, now=now, run_at=now)
    return made + len(missed)


def prune(session: Session, *, now: datetime) -> None:
    """Forget what nobody needs any more."""
    prune_subscribers(session, now=now)
    issues.prune_deliveries(session, now=now)


# Each takes the instance and the job's key, and may be run again at any time.
JOBS: Mapping[str, Callable[[Instance, str], None]] = {
    SEND_ISSUE: send_issue,
    SEND_TEST: send_test,
    bounces.READ_BOUNCES: bounces.read_bounces,
}
