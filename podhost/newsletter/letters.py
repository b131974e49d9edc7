"""An issue of a newsletter as a mail to one subscriber: headers, plain text, HTML; it sends none.

There is nothing in it that tells anybody whether it was read: no picture, no link but those to the
pages themselves.
"""

import re
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formatdate, parseaddr
from typing import NamedTuple
from zoneinfo import ZoneInfo

from podhost.config import Settings
from podhost.db import new_id
from podhost.formats.text import plain_line, truncate_text
from podhost.mail.addresses import header_address
from podhost.mail.letters import Letter, letter_environment
from podhost.newsletter.issues import IssueContent, Item
from podhost.newsletter.links import MESSAGE, UNSUBSCRIBE, Signer, subscriber_id_in


class _WholeLinks(EmailPolicy):
    """Headers that programs read for links stand on one line (RFC 5322 2.1.1 allows 998 signs).

    The library folds what is longer than 78 by writing it in encoded words, in which nobody looks
    for an address (RFC 2047 5 forbids them there).
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        """One header as it is sent."""
        if name.lower() in _LINKS:
            return f"{name}: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)


_LINKS = ("list-unsubscribe", "list-id", "message-id")
# Signs of any alphabet arrive whole whatever the servers on the way can do.
POLICY = _WholeLinks(linesep="\r\n", cte_type="7bit")
_MESSAGE_ID = re.compile(r"<([0-9a-f]{16})\.([0-9a-f]{16}[0-9a-f]{40})@")
_LONGEST_NAME = 100


def render_issue(content: IssueContent, unsubscribe_url: str) -> Letter:
    """What the mail says, with the link by which its reader gets no more."""
    # Loaded here: only who sends mail needs it.
    from podhost.templating import date_words

    environment = letter_environment(content.language)

    def day_of(item: Item) -> str:
        local = item.published_at.astimezone(ZoneInfo(content.time_zone))
        return date_words(local.date().isoformat(), language=content.language)

    values = {"issue": content, "unsubscribe_url": unsubscribe_url, "day_of": day_of}
    text = environment.get_template("email/newsletter-issue.txt").render(values)
    html = environment.get_template("email/newsletter-issue.html").render(values)
    text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    return Letter(content.subject, text, html, content.items[0].url)


def make_issue_message(
    content: IssueContent,
    *,
    issue_id: str,
    subscriber_id: str,
    address: str,
    signer: Signer,
    settings: Settings,
    host: str,
    sent_at_seconds: float,
) -> EmailMessage:
    """The whole message, always the same. Raises ValueError for what no header can carry."""
    link = f"{content.page_url}/unsubscribe/{signer.secret(UNSUBSCRIBE, subscriber_id)}"
    letter = render_issue(content, link)
    message = _message(content, letter, address, settings, host, sent_at_seconds)
    proof = signer.secret(MESSAGE, subscriber_id)
    message["Message-ID"] = f"<{issue_id}.{proof}@{host}>"
    # RFC 8058: one press in the mail program, which sends it as a POST; in every mail.
    message["List-Unsubscribe"] = f"<{link}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    _set_bodies(message, letter)
    return message


def make_test_message(
    content: IssueContent,
    *,
    address: str,
    settings: Settings,
    host: str,
    sent_at_seconds: float,
) -> EmailMessage:
    """The same for an owner who wants to see it; nobody can be unsubscribed by it."""
    letter = render_issue(content, content.page_url)
    message = _message(content, letter, address, settings, host, sent_at_seconds)
    # Mail without one looks like unwanted mail (RFC 5322 3.6.4 asks for it).
    message["Message-ID"] = f"<{new_id()}@{host}>"
    _set_bodies(message, letter)
    return message


class NamedMail(NamedTuple):
    """One mail: of which issue, to whom."""

    issue_id: str
    subscriber_id: str


def mail_in_message_id(text: str, signer: Signer) -> NamedMail | None:
    """Which mail a text names by its Message-ID; None: none that podhost made.

    Nobody can make one up to have somebody else's address left out.
    """
    for issue_id, secret in _MESSAGE_ID.findall(text):
        if signer.is_right(secret, MESSAGE):
            return NamedMail(issue_id, subscriber_id_in(secret))
    return None


def sender_of(settings: Settings, host: str) -> Address:
    """Who sends, as the operator set it."""
    if not settings.mail_from:
        return Address("podhost", "podhost", host)
    name, address = parseaddr(settings.mail_from)
    return Address(name, addr_spec=address)


def _message(
    content: IssueContent,
    letter: Letter,
    address: str,
    settings: Settings,
    host: str,
    sent_at_seconds: float,
) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    sender = sender_of(settings, host)
    shown = truncate_text(plain_line(content.show), _LONGEST_NAME)
    message["To"] = header_address(address)
    message["From"] = Address(shown, addr_spec=sender.addr_spec)
    if content.reply_to:
        # A reader is not to be left out because the show's own address is none for a header.
        with suppress(ValueError):
            message["Reply-To"] = header_address(content.reply_to)
    message["Subject"] = letter.subject
    message["Date"] = formatdate(sent_at_seconds)
    message["List-Id"] = f"<{content.list_name}>"
    # Nobody's out-of-office note is to come back (RFC 3834 5).
    message["Auto-Submitted"] = "auto-generated"
    message["Precedence"] = "bulk"
    return message


def _set_bodies(message: EmailMessage, letter: Letter) -> None:
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
