"""Mail that came back: who can never be reached gets no more, and nobody else loses anything."""

from collections.abc import Callable, Iterator

import pytest

from podhost.config import read_settings
from podhost.errors import Invalid, Unavailable
from podhost.instance import Instance, open_instance
from podhost.jobs import TryLater
from podhost.models import Show
from podhost.newsletter.bounces import Bounce, read_bounce, read_bounces
from podhost.newsletter.letters import NamedMail
from podhost.newsletter.links import MESSAGE, Signer
from podhost.worker import run_next_newsletter, run_sweep
from tests.conftest import FrozenClock
from tests.imap_server import LocalMailbox, local_mailbox
from tests.mail_server import local_mail
from tests.making import make_show
from tests.newsletter.making import join, open_newsletter, readers, send_due
from tests.newsletter.test_sending import come_out, the_issue

ANN, BO = "ann@example.org", "bo@example.org"
on_sqlite = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
SIGNER = Signer((b"k" * 32,))
ISSUE, READER = "0123456789abcdef", "fedcba9876543210"
OURS = f"<{ISSUE}.{SIGNER.secret(MESSAGE, READER)}@pod.example>"
GONE = "smtp; 550 5.1.1 <ann@example.org>: Recipient address rejected"


def report(
    message_id: str = OURS,
    status: str = "5.1.1",
    *,
    action: str = "failed",
    said: str = GONE,
    whole: bool = False,
) -> bytes:
    """A bounce as Postfix and others write it (RFC 3464)."""
    headers = f"From: Tides <podhost@pod.example>\nTo: {ANN}\nMessage-ID: {message_id}\n"
    kind = "message/rfc822" if whole else "text/rfc822-headers"
    text = f"""From: MAILER-DAEMON@mx.example.org
To: podhost@pod.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="AbC"

This is a MIME-encapsulated message.

--AbC
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--AbC
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
Arrival-Date: Thu, 5 Mar 2026 09:05:00 +0000

Final-Recipient: rfc822; {ANN}
Action: {action}
Status: {status}
Diagnostic-Code: {said}

--AbC
Content-Type: {kind}

{headers}
{"The text." if whole else ""}
--AbC--
"""
    return text.replace("\n", "\r\n").encode()


@pytest.mark.parametrize("whole", [True, False])
def test_a_report_names_the_mail_that_it_is_about(whole: bool) -> None:
    found = read_bounce(report(whole=whole), SIGNER)
    reason = "550 5.1.1 <ann@example.org>: Recipient address rejected"
    assert found == Bounce(NamedMail(ISSUE, READER), reason)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00" * 500,
        report(status="4.4.1", action="delayed"),
        report(status="5.2.2"),
        report(status="5.7.1"),
        report(action="delivered", status="2.0.0"),
        report(status=""),
        # Somebody who knows the ids of others makes one up.
        report(f"<{ISSUE}.{READER}{'0' * 40}@pod.example>"),
        report(f"<{ISSUE}.{READER}@pod.example>"),
        report("<somebody@else.example>"),
        report().replace(b"multipart/report", b"multipart/mixed"),
        report().replace(b"message/delivery-status", b"text/plain"),
        report()[:700],
        # Parts within parts, so deep that nobody can unpack them.
        b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"
        + b"Content-Type: message/rfc822\r\n\r\n" * 1500,
        # An answer to our mail that could not be delivered to whomever it was sent.
        report(f"<mine@else.example>\nIn-Reply-To: {OURS}\nReferences: {OURS}"),
        # An answer from a person, who quotes us.
        f"Subject: Re: Hi\r\nIn-Reply-To: {OURS}\r\n\r\n> Status: 5.1.1".encode(),
    ],
)
def test_whatever_else_comes_is_no_bounce(body: bytes) -> None:
    assert read_bounce(body, SIGNER) is None


@pytest.fixture
def mailbox() -> Iterator[LocalMailbox]:
    with local_mailbox() as box:
        yield box


@pytest.fixture
def opened(environment: dict[str, str], clock: FrozenClock) -> Iterator[Callable[..., Instance]]:
    instances = []

    def open_with(**more: str) -> Instance:
        instances.append(open_instance(read_settings({**environment, **more}), clock=clock))
        return instances[-1]

    yield open_with
    for instance in instances:
        instance.close()


def statuses(instance: Instance, show: Show) -> dict[str, str]:
    return {name: row.status for name, row in readers(instance, show).items()}


def test_what_comes_back_for_good_ends_a_reader(
    opened: Callable[..., Instance], mailbox: LocalMailbox, clock: FrozenClock
) -> None:
    with local_mail() as server:
        instance = opened(
            PODHOST_SMTP_URL=f"smtp://127.0.0.1:{server.port}",
            PODHOST_BOUNCES_IMAP_URL=mailbox.url,
        )
        show = make_show(instance)
        open_newsletter(instance, show)
        join(instance, show, ANN, BO)
        come_out(instance, show)
        send_due(instance, clock.advance)
        sent = {message["To"]: message["Message-ID"] for message in server.messages}
    mailbox.messages += [b"Subject: spam\r\n\r\nx", report(sent[ANN]), report(sent[BO], "5.2.2")]
    for _ in range(2):
        clock.advance(minutes=6)
        run_sweep(instance)
        while run_next_newsletter(instance, owner="alice"):
            pass
        assert mailbox.seen == {1, 2, 3}
        assert statuses(instance, show) == {ANN: "refused", BO: "confirmed"}
        issue = the_issue(instance)
        assert (issue.sent_count, issue.refused_count) == (1, 1)
        # The same again changes nothing.
        mailbox.seen.discard(2)
    assert "5.1.1" in (readers(instance, show)[ANN].reason or "")


@on_sqlite
def test_a_line_that_breaks_loses_no_report(
    opened: Callable[..., Instance], mailbox: LocalMailbox
) -> None:
    instance = opened(PODHOST_BOUNCES_IMAP_URL=mailbox.url)
    mailbox.messages += [report(), report(), report()]
    mailbox.breaks_after = 1
    with pytest.raises(Unavailable):
        read_bounces(instance, "")
    assert mailbox.seen == {1}
    mailbox.breaks_after = None
    read_bounces(instance, "")
    assert mailbox.seen == {1, 2, 3}


@on_sqlite
def test_what_is_wrong_with_the_mailbox_is_said_without_its_password(
    opened: Callable[..., Instance], mailbox: LocalMailbox
) -> None:
    wrong = [
        (mailbox.url.replace("s3cret", "other"), TryLater, "look at PODHOST_BOUNCES_IMAP_URL"),
        (mailbox.url.replace("INBOX", "Nowhere"), TryLater, "no folder 'Nowhere'"),
        ("imap://a:s3cret@127.0.0.1:1/", Unavailable, "does not answer"),
    ]
    for url, kind, said in wrong:
        with pytest.raises(kind) as error:
            read_bounces(opened(PODHOST_BOUNCES_IMAP_URL=url), "")
        assert said in error.value.message and "s3cret" not in error.value.message


@pytest.mark.parametrize(
    "url",
    [
        "pop://a:b@mail.example",
        "imaps://mail.example/INBOX",
        "imap://a:b@mail.example/",
        "imaps://a:b@mail.example/x%22y",
        "imaps://a:b%0d%0aX@mail.example/",
        "imaps://a:b@mail.example:0/",
    ],
)
def test_an_address_that_cannot_be_read_stops_the_start(url: str) -> None:
    with pytest.raises(Invalid) as error:
        read_settings({"PODHOST_BOUNCES_IMAP_URL": url})
    assert "PODHOST_BOUNCES_IMAP_URL" in error.value.message and ":b" not in error.value.message


@on_sqlite
def test_without_a_mailbox_nothing_is_read(instance: Instance) -> None:
    run_sweep(instance)
    assert not run_next_newsletter(instance, owner="alice")
