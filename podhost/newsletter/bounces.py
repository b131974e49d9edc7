"""Reads the mailbox to which mail comes back, and lets newsletters leave out what came back for
good. It believes a report only if that names a mail which podhost made.
"""

import email
import imaplib
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from email.message import Message
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from sqlalchemy.orm import Session

from podhost.config import Settings
from podhost.errors import Unavailable
from podhost.formats.text import plain_line
from podhost.instance import Instance
from podhost.jobs import TryLater, enqueue
from podhost.models import NewsletterDelivery, NewsletterIssue, Subscriber
from podhost.newsletter.letters import NamedMail, mail_in_message_id
from podhost.newsletter.links import Signer, make_signer
from podhost.newsletter.subscribers import CONFIRMED, REFUSED, end

log = logging.getLogger(__name__)

READ_BOUNCES = "read_bounces"
MAILBOX = "mailbox"
EVERY = timedelta(minutes=5)
# Refusals for reasons of a server or of its policy, or of a mailbox that is full (RFC 3463).
NOT_THE_ADDRESS = ("5.2.2", "5.2.3", "5.3.", "5.6.", "5.7.")
_SECONDS = 30
_AT_ONCE = 200
# A report stands at the beginning; of what was sent, its headers are enough.
_READ_BYTES = 65_536
_LONGEST_REASON = 300


class Bounce(NamedTuple):
    """A mail that its server could not deliver, ever; `reason` is what the server said."""

    mail: NamedMail
    reason: str


def read_bounce(body: bytes, signer: Signer) -> Bounce | None:
    """What a mail reports (RFC 3464); None: nothing that failed for good, or no mail of ours."""
    try:
        return _bounce_in(email.message_from_bytes(body), signer)
    except RecursionError:
        # Parts within parts, a thousand deep: no server writes such a report, and one mail of
        # somebody's must not keep all others from being read.
        return None


def _bounce_in(message: Message, signer: Signer) -> Bounce | None:
    if message.get_content_type() != "multipart/report":
        return None
    reason, named = None, ""
    for part in message.walk():
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            reason = reason or _reason(part)
        elif kind == "text/rfc822-headers":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                # No other header: an answer to our mail names it too, and is somebody else's.
                headers = email.message_from_bytes(payload.lstrip())
                named += f" {headers.get('Message-ID', '')}"
        elif part is not message:
            # The mail that came back, as a whole.
            named += f" {part.get('Message-ID', '')}"
    mail = mail_in_message_id(named, signer) if reason is not None else None
    return Bounce(mail, reason) if mail is not None and reason is not None else None


def _reason(part: Message) -> str | None:
    """Why a recipient can never be reached; None where one can be."""
    payload = part.get_payload()
    for block in payload if isinstance(payload, list) else ():
        if not isinstance(block, Message):
            continue
        status = str(block.get("Status", "")).strip()
        is_failed = str(block.get("Action", "")).strip().lower() == "failed"
        if is_failed and status.startswith("5.") and not status.startswith(NOT_THE_ADDRESS):
            said = str(block.get("Diagnostic-Code", "")).partition(";")[2] or status
            return plain_line(said)[:_LONGEST_REASON] or status
    return None


def read_bounces(instance: Instance, _: str) -> None:
    """Read what came back since the last time; then it counts as read, in the mailbox too.

    Raises TryLater or Unavailable, with a sentence.
    """
    settings = instance.settings
    if not settings.bounces_imap_url:
        return
    with instance.database.write() as session:
        signer = make_signer(session, settings)
    with _mailbox(settings) as mailbox:
        found = mailbox.uid("SEARCH", "UNSEEN")[1]
        uids = (found[0] or b"").split()[:_AT_ONCE]
        for uid in uids:
            bounce = read_bounce(_fetched(mailbox, uid.decode("ascii")), signer)
            if bounce is not None:
                with instance.database.write() as session:
                    note_bounce(session, bounce, now=instance.now())
            # Afterwards: who is killed in between reads it again, which changes nothing.
            mailbox.uid("STORE", uid.decode("ascii"), "+FLAGS.SILENT", r"(\Seen)")
    with instance.database.write() as session:
        now = instance.now()
        run_at = now if len(uids) == _AT_ONCE else now + EVERY
        enqueue(session, READ_BOUNCES, MAILBOX, now=now, run_at=run_at)


def note_bounce(session: Session, bounce: Bounce, *, now: datetime) -> None:
    """No more mail there; and the issue says so. Doing it twice changes nothing."""
    subscriber = session.get(Subscriber, bounce.mail.subscriber_id, with_for_update=True)
    if subscriber is not None and subscriber.status == CONFIRMED:
        end(session, subscriber, REFUSED, bounce.reason, now=now)
    issue = session.get(NewsletterIssue, bounce.mail.issue_id, with_for_update=True)
    row = session.get(NewsletterDelivery, (bounce.mail.issue_id, bounce.mail.subscriber_id))
    if issue is None or row is None or row.status not in ("sent", "claimed"):
        return
    if issue.finished_at is not None:
        issue.sent_count -= row.status == "sent"
        issue.unsent_count -= row.status == "claimed"
        issue.refused_count += 1
    row.status, row.error = "refused", bounce.reason
    session.flush()


def _fetched(mailbox: imaplib.IMAP4, uid: str) -> bytes:
    """The beginning of a mail, which stays unread by that."""
    parts = mailbox.uid("FETCH", uid, f"(BODY.PEEK[]<0.{_READ_BYTES}>)")[1]
    return next((part[1] for part in parts if isinstance(part, tuple)), b"")


@contextmanager
def _mailbox(settings: Settings) -> Iterator[imaplib.IMAP4]:
    """The mailbox, open. What goes wrong with it inside the block is said in a sentence."""
    parts = urlsplit(settings.bounces_imap_url)
    host = parts.hostname or ""
    client: imaplib.IMAP4 | None = None
    try:
        client = _connected(host, parts.scheme, parts.port)
        client.login(unquote(parts.username or ""), unquote(parts.password or ""))
        folder = unquote(parts.path.strip("/")) or "INBOX"
        status, _ = client.select(f'"{folder}"')
        if status != "OK":
            raise TryLater(f"The mailbox for bounces at {host} has no folder {folder!r}.", EVERY)
        yield client
    except imaplib.IMAP4.abort as error:
        raise Unavailable(f"The mailbox for bounces at {host} does not answer.") from error
    except imaplib.IMAP4.error as error:
        raise TryLater(
            f"The mailbox for bounces at {host} cannot be read; look at PODHOST_BOUNCES_IMAP_URL.",
            EVERY,
        ) from error
    except OSError as error:
        raise Unavailable(f"The mailbox for bounces at {host} does not answer.") from error
    finally:
        if client is not None:
            with suppress(imaplib.IMAP4.error, OSError):
                client.logout()
            with suppress(OSError):
                # A line that broke is not let go by logging out.
                client.shutdown()


def _connected(host: str, scheme: str, port: int | None) -> imaplib.IMAP4:
    if scheme == "imap":
        return imaplib.IMAP4(host, port or 143, timeout=_SECONDS)
    context = ssl.create_default_context()
    return imaplib.IMAP4_SSL(host, port or 993, ssl_context=context, timeout=_SECONDS)
