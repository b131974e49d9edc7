"""Sends the messages that wait, by the operator's mail server; without one, it logs them.

A message keeps its Message-ID over all tries, so that mail programs show one that was sent twice,
because the worker died right after it, as one.
"""

import logging
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy.orm import Session

from podhost.accounts import password_reset
from podhost.config import Settings
from podhost.errors import Unavailable
from podhost.formats.text import plain_line
from podhost.instance import Instance
from podhost.jobs import GiveUp, TryLater
from podhost.mail import SEND_MAIL, settle
from podhost.mail.addresses import header_address
from podhost.mail.letters import Letter, render_letter
from podhost.models import Mail

log = logging.getLogger(__name__)

_SECONDS = 20
_LONGEST_REPLY = 300
_NOT_IN_TIME = "It could not be sent in time."

# What some letters say is made when they are sent: the one who asked must not see by the time it
# takes whether there is such an account. None: there is nobody to send it to.
Maker = Callable[[Session, Mail, str, datetime], dict[str, Any] | None]
MADE_WHEN_SENT: dict[str, Maker] = {password_reset.LETTER: password_reset.make_letter}


def send_mail(instance: Instance, mail_id: str) -> None:
    """Send one message, if it still waits. It may be done again at any time.

    Raises TryLater, Unavailable or GiveUp, with a sentence, when it could not be sent.
    """
    letter, mail = _letter(instance, mail_id)
    if mail is None or letter is None:
        return
    try:
        if instance.settings.smtp_url:
            _deliver(instance, make_message(mail, letter, instance))
        else:
            _log_letter(mail, letter)
    except GiveUp as error:
        _keep(instance, mail_id, error.message, is_final=True)
        raise
    except (TryLater, Unavailable) as error:
        _keep(instance, mail_id, error.message, is_final=False)
        raise
    with instance.database.write() as session:
        sent = session.get(Mail, mail_id)
        if sent is not None:
            settle(sent, now=instance.now())


JOBS = {SEND_MAIL: send_mail}


def _letter(instance: Instance, mail_id: str) -> tuple[Letter | None, Mail | None]:
    with instance.database.write() as session:
        mail = session.get(Mail, mail_id)
        if mail is None or mail.content is None:
            return None, None
        now = instance.now()
        if mail.expires_at is not None and mail.expires_at <= now:
            settle(mail, now=now, error=f"{_NOT_IN_TIME} {mail.error or ''}".strip())
            return None, mail
        make = MADE_WHEN_SENT.get(mail.template)
        content = make(session, mail, instance.base_url, now) if make else mail.content
        if content is None:
            session.delete(mail)
            return None, None
        values = {"host": host_of(instance.base_url), **content}
        return render_letter(mail.template, mail.language, values), mail


def _keep(instance: Instance, mail_id: str, error: str, *, is_final: bool) -> None:
    with instance.database.write() as session:
        mail = session.get(Mail, mail_id)
        if mail is not None and is_final:
            settle(mail, now=instance.now(), error=error)
        elif mail is not None:
            mail.error = error


def _log_letter(mail: Mail, letter: Letter) -> None:
    log.warning(
        "there is no mail server (PODHOST_SMTP_URL); this was to be sent to %s: %s %s",
        mail.recipient,
        letter.subject,
        letter.link or "",
    )


def make_message(mail: Mail, letter: Letter, instance: Instance) -> EmailMessage:
    """The message as it is sent: plain text and HTML, the same each time it is tried.

    Raises GiveUp when the address cannot stand in a header.
    """
    host = host_of(instance.base_url)
    message = EmailMessage(policy=SMTP)
    try:
        message["To"] = header_address(mail.recipient)
        message["From"] = instance.settings.mail_from or Address("podhost", "podhost", host)
        message["Subject"] = letter.subject
    except ValueError as error:
        raise GiveUp(f"{mail.recipient!a} is no address that mail can be sent to.") from error
    message["Date"] = mail.created_at
    message["Message-ID"] = f"<{mail.id}@{host}>"
    # Nobody's out-of-office note is to come back (RFC 3834 5).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message


def host_of(base_url: str) -> str:
    """The name of this podhost, as mail has it."""
    return urlsplit(base_url).hostname or "localhost"


def _deliver(instance: Instance, message: EmailMessage) -> None:
    with (
        said_of_server(instance.settings),
        connected(instance.settings, host_of(instance.base_url)) as client,
    ):
        client.send_message(message)


@contextmanager
def said_of_server(settings: Settings) -> Iterator[None]:
    """What goes wrong with the mail server inside the block becomes TryLater, GiveUp or
    Unavailable, with a sentence."""
    server = urlsplit(settings.smtp_url).hostname or ""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        raise refusal(*next(iter(error.recipients.values()))) from error
    except smtplib.SMTPAuthenticationError as error:
        raise TryLater(
            f"The mail server {server} refuses the user or the password; look at PODHOST_SMTP_URL."
        ) from error
    except smtplib.SMTPConnectError as error:
        raise Unavailable(f"The mail server {server} takes no mail for now.") from error
    except smtplib.SMTPResponseException as error:
        raise refusal(error.smtp_code, error.smtp_error) from error
    except (smtplib.SMTPNotSupportedError, ssl.SSLError) as error:
        raise TryLater(
            f"The mail server {server} cannot be spoken to as PODHOST_SMTP_URL says: "
            f"{plain_line(str(error))[:_LONGEST_REPLY]}"
        ) from error
    # A name that is not known, a connection that is refused or breaks; smtplib's own are OSErrors.
    except OSError as error:
        raise Unavailable(f"The mail server {server} does not answer.") from error


def connected(settings: Settings, name: str) -> smtplib.SMTP:
    """`name` is ours, as the server hears it; smtplib would ask a name server, which may hang."""
    parts = urlsplit(settings.smtp_url)
    host, context = parts.hostname or "", ssl.create_default_context()
    if parts.scheme == "smtps":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            host, parts.port or 465, name, timeout=_SECONDS, context=context
        )
    else:
        client = smtplib.SMTP(host, parts.port or 587, name, timeout=_SECONDS)
    try:
        if parts.query == "starttls":
            client.starttls(context=context)
        if parts.username:
            client.login(unquote(parts.username), unquote(parts.password or ""))
    except BaseException:
        client.close()
        raise
    return client


def refusal(code: int, reply: bytes | str) -> TryLater | GiveUp:
    """What a refusal means: 5yz is for good, 4yz for now (RFC 5321 4.2.1)."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    sentence = f"The mail server refused it: {code} {plain_line(text)[:_LONGEST_REPLY]}"
    return GiveUp(sentence) if code >= 500 else TryLater(sentence)
