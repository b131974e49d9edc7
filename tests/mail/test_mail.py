"""Mail: sent once, later if the server is away, and its secrets are kept no longer than needed."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from podhost.config import read_settings
from podhost.errors import Invalid
from podhost.instance import Instance, open_instance
from podhost.jobs import list_failed
from podhost.mail import enqueue_mail, mail_states, prune_mails
from podhost.mail.letters import render_letter
from podhost.mail.sending import send_mail
from podhost.models import Job, Mail
from podhost.worker import run_next_mail, run_sweep
from tests.conftest import FrozenClock
from tests.mail_server import LocalMail, certificate, local_mail
from tests.ports import kept_port

LINK = "https://pod.example/studio/invitations/secret-words"
CONTENT = {"inviter": "Bob", "show": "Tide Tables", "role": "editor", "link": LINK}
on_sqlite = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def server() -> Iterator[LocalMail]:
    with local_mail() as mail:
        yield mail


@pytest.fixture
def opened(environment: dict[str, str], clock: FrozenClock) -> Iterator[Callable[..., Instance]]:
    """Opens a podhost that sends by the mail server at this address."""
    instances = []

    def open_with(url: str, **more: str) -> Instance:
        given = {**environment, "PODHOST_SMTP_URL": url, **more}
        instances.append(open_instance(read_settings(given), clock=clock))
        return instances[-1]

    yield open_with
    for instance in instances:
        instance.close()


@pytest.fixture
def mailing(opened: Callable[..., Instance], server: LocalMail) -> Instance:
    return opened(f"smtp://127.0.0.1:{server.port}")


def invite(instance: Instance, to: str = "alice@example.org", **content: str) -> str:
    with instance.database.write() as session:
        mail = enqueue_mail(
            session, "invitation", to, CONTENT | content, language="en", now=instance.now()
        )
        return mail.id


def send_all(instance: Instance) -> int:
    count = 0
    while run_next_mail(instance, owner="alice"):
        count += 1
    return count


def state(instance: Instance, mail_id: str) -> tuple[str, str | None]:
    with instance.database.read() as session:
        found = mail_states(session, [mail_id])[mail_id]
        return found.status, found.error


def content_of(instance: Instance, mail_id: str) -> object:
    with instance.database.read() as session:
        return session.get_one(Mail, mail_id).content


def test_a_message_is_sent_once_as_text_and_as_html(mailing: Instance, server: LocalMail) -> None:
    mail_id = invite(mailing)
    assert state(mailing, mail_id) == ("waiting", None)
    assert send_all(mailing) == 1
    (message,) = server.messages
    assert message["To"] == "alice@example.org"
    assert message["From"] == "podhost <podhost@pod.example>"
    assert message["Subject"] == "You are invited to work on “Tide Tables”"
    assert message["Message-ID"] == f"<{mail_id}@pod.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None and LINK in body.get_content() and "Bob" in body.get_content()
    assert state(mailing, mail_id) == ("sent", None)
    with mailing.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0


def test_the_secret_goes_as_soon_as_it_is_sent(mailing: Instance, server: LocalMail) -> None:
    mail_id = invite(mailing)
    assert content_of(mailing, mail_id)
    send_all(mailing)
    assert content_of(mailing, mail_id) is None


def test_nothing_is_sent_of_what_was_rolled_back(mailing: Instance, server: LocalMail) -> None:
    with pytest.raises(Invalid), mailing.database.write() as session:
        enqueue_mail(
            session, "invitation", "a@b.example", CONTENT, language="en", now=mailing.now()
        )
        raise Invalid("No.")
    assert send_all(mailing) == 0
    assert server.messages == []


def test_it_waits_for_a_server_that_is_away(
    opened: Callable[..., Instance], clock: FrozenClock
) -> None:
    mail = LocalMail()
    with kept_port() as mail.port:
        instance = opened(f"smtp://127.0.0.1:{mail.port}")
        mail_id = invite(instance)
        for _ in range(8):
            send_all(instance)
            clock.advance(minutes=1)
        status, error = state(instance, mail_id)
        assert status == "waiting" and error is not None and "127.0.0.1 does not answer" in error
        with local_mail(mail):
            send_all(instance)
    assert len(mail.messages) == 1
    assert state(instance, mail_id) == ("sent", None)


def test_a_refusal_for_good_is_final_and_told(mailing: Instance, server: LocalMail) -> None:
    server.answers = ["550 No such user here"]
    mail_id = invite(mailing)
    assert send_all(mailing) == 1
    sentence = "The mail server refused it: 550 No such user here"
    assert state(mailing, mail_id) == ("failed", sentence)
    assert content_of(mailing, mail_id) is None
    with mailing.database.read() as session:
        assert [job.error for job in list_failed(session)] == [sentence]
    run_sweep(mailing)
    assert send_all(mailing) == 0


def test_a_refusal_for_now_is_tried_again_until_the_message_is_too_old(
    mailing: Instance, server: LocalMail, clock: FrozenClock
) -> None:
    server.answers = ["451 Come back later"] * 10_000
    mail_id = invite(mailing)
    tries = 0
    for _ in range(9):
        run_sweep(mailing)
        tries += send_all(mailing)
        clock.advance(hours=6)
    assert 7 < tries < 18
    assert state(mailing, mail_id) == (
        "failed",
        "It could not be sent in time. The mail server refused it: 451 Come back later",
    )
    assert content_of(mailing, mail_id) is None
    server.answers = ["451 Come back later"]
    mail_id = invite(mailing)
    send_all(mailing)
    clock.advance(minutes=1)
    send_all(mailing)
    assert len(server.messages) == 1


def test_a_message_whose_job_was_lost_is_sent(mailing: Instance, server: LocalMail) -> None:
    invite(mailing)
    with mailing.database.write() as session:
        for job in session.scalars(select(Job)):
            session.delete(job)
    run_sweep(mailing)
    send_all(mailing)
    assert len(server.messages) == 1


@on_sqlite
def test_a_crash_after_sending_sends_the_same_message_twice_at_most(
    mailing: Instance, server: LocalMail, monkeypatch: pytest.MonkeyPatch, clock: FrozenClock
) -> None:
    mail_id = invite(mailing)
    content = content_of(mailing, mail_id)
    send_mail(mailing, mail_id)
    with mailing.database.write() as session:
        # As the row was, had the worker died before it wrote it.
        mail = session.get_one(Mail, mail_id)
        mail.content, mail.sent_at = content, None  # type: ignore[assignment]
    clock.advance(minutes=1)
    send_all(mailing)
    first, second = server.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


@on_sqlite
@pytest.mark.parametrize("name", ["Eve\r\nBcc: all@example.org", "Eve\n\nhttps://evil.example"])
def test_no_header_and_no_paragraph_is_slipped_in(
    mailing: Instance, server: LocalMail, name: str
) -> None:
    invite(mailing, show=name, inviter=name)
    send_all(mailing)
    (message,) = server.messages
    assert "Bcc" not in message
    assert server.recipients == [["alice@example.org"]]
    assert message["Subject"] == f"You are invited to work on “{' '.join(name.split())}”"
    html = message.get_body(("html",))
    assert html is not None and html.get_content().count("href=") == 1
    assert f'href="{LINK}"' in html.get_content()


@on_sqlite
def test_an_address_that_no_header_takes_is_given_up(mailing: Instance, server: LocalMail) -> None:
    mail_id = invite(mailing, to="alice@example.org\r\nBcc: all@example.org")
    send_all(mailing)
    assert state(mailing, mail_id)[0] == "failed"
    assert server.messages == []


def test_a_letter_speaks_the_language_of_its_reader() -> None:
    letter = render_letter("invitation", "es", CONTENT | {"host": "h"})
    assert letter.subject == "Te invitan a trabajar en «Tide Tables»"
    assert "Serás editor" in letter.text and 'lang="es"' in letter.html
    assert letter.text.split("\n\n")[2] == LINK
    assert render_letter("invitation", "tlh", CONTENT | {"host": "h"}).text.startswith("Bob")


def test_markup_in_names_is_text() -> None:
    letter = render_letter("invitation", "en", CONTENT | {"show": "<img src=x>", "host": "h"})
    assert "<img" in letter.text and "<img" not in letter.html


@on_sqlite
def test_without_a_mail_server_the_link_is_logged(
    instance: Instance, caplog: pytest.LogCaptureFixture
) -> None:
    invite(instance)
    with caplog.at_level(logging.WARNING):
        send_all(instance)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "PODHOST_SMTP_URL" in line and "alice@example.org" in line and LINK in line


@on_sqlite
def test_it_speaks_tls_when_told_to(
    opened: Callable[..., Instance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, context = certificate(tmp_path)
    options = {"tls_context": context, "require_starttls": True, "auth_required": True}
    with local_mail(**options) as mail:
        url = f"smtp://ann:s3cret%2F%2B@127.0.0.1:{mail.port}?starttls"
        instance = opened(url, PODHOST_MAIL_FROM="My Podcasts <me@example.org>")
        mail_id = invite(instance)
        send_all(instance)
        assert "certificate" in str(state(instance, mail_id)[1])
        assert mail.logins == []
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        send_mail(instance, mail_id)
        assert state(instance, mail_id) == ("sent", None)
        assert mail.logins == [b"ann"]
        assert mail.messages[0]["From"] == "My Podcasts <me@example.org>"
        wrong = opened(url.replace("s3cret", "wrong"))
        mail_id = invite(wrong)
        send_all(wrong)
        status, error = state(wrong, mail_id)
        assert status == "waiting" and error is not None and "refuses the user" in error
    with local_mail(ssl_context=context) as mail:
        instance = opened(f"smtps://127.0.0.1:{mail.port}")
        invite(instance)
        send_all(instance)
        assert len(mail.messages) == 1
    with local_mail() as mail:
        instance = opened(f"smtp://127.0.0.1:{mail.port}?starttls")
        mail_id = invite(instance)
        send_all(instance)
        assert "STARTTLS" in str(state(instance, mail_id)[1])
        assert mail.messages == []


@on_sqlite
def test_what_was_sent_is_forgotten_in_the_end(
    mailing: Instance, server: LocalMail, clock: FrozenClock
) -> None:
    server.answers = ["250 OK", "550 No such user here"]
    for _ in range(2):
        invite(mailing)
    send_all(mailing)
    for days, left in ((29, 2), (2, 0)):
        clock.time += timedelta(days=days)
        with mailing.database.write() as session:
            prune_mails(session, now=mailing.now())
            assert session.scalar(select(func.count()).select_from(Mail)) == left
            assert len(list_failed(session)) == left / 2


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("smtp://mail.example:587?starttls", True),
        ("smtps://user:pass@mail.example", True),
        ("smtp://user:pass@localhost:25", True),
        ("smtp://user:pass@mail.example", False),
        ("https://mail.example", False),
        ("smtp://", False),
        ("smtp://mail.example?tls", False),
    ],
)
def test_the_address_of_a_mail_server_is_checked(url: str, is_good: bool) -> None:
    if is_good:
        assert read_settings({"PODHOST_SMTP_URL": url}).smtp_url == url
        return
    with pytest.raises(Invalid, match="PODHOST_SMTP_URL") as refused:
        read_settings({"PODHOST_SMTP_URL": url})
    assert "pass" not in refused.value.message.replace("password", "")


@pytest.mark.parametrize(
    "sender", ["a@b.example\nBcc: c@d.example", "nobody", "A <a>", "A, B <a@b>"]
)
def test_the_sender_is_checked(sender: str) -> None:
    with pytest.raises(Invalid, match="PODHOST_MAIL_FROM"):
        read_settings({"PODHOST_MAIL_FROM": sender})
