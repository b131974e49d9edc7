"""New passwords and new addresses: by links that are mailed, each good once and not for long."""

from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from podhost.accounts.accounts import (
    check_password,
    check_token,
    create_account,
    create_token,
    find_account,
)
from podhost.accounts.email_change import confirm_email, request_email_change
from podhost.accounts.password_proof import prove_password
from podhost.accounts.password_reset import change_password, request_reset, reset_password
from podhost.accounts.sessions import find_session, start_session
from podhost.accounts.team import disable_account
from podhost.config import read_settings
from podhost.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    TooManyRequests,
    Unauthorized,
)
from podhost.instance import Instance, open_instance
from podhost.models import Account, AccountLink, Job, LoginSession, Mail
from podhost.worker import run_next_mail
from tests.conftest import FrozenClock
from tests.mail_server import LocalMail, local_mail

OLD, NEW = "tide tables", "harbour lights"
ALICE = "alice@example.org"
on_sqlite = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def mail() -> Iterator[LocalMail]:
    with local_mail() as mail:
        yield mail


@pytest.fixture
def instance(
    environment: dict[str, str], clock: FrozenClock, mail: LocalMail
) -> Iterator[Instance]:
    """A podhost with a mail server and Alice's account."""
    given = {**environment, "PODHOST_SMTP_URL": f"smtp://127.0.0.1:{mail.port}"}
    opened = open_instance(read_settings(given), clock=clock)
    with opened.database.write() as session:
        create_account(session, ALICE, name="Alice", password=OLD, now=opened.now())
    yield opened
    opened.close()


def ask(instance: Instance, email: str = ALICE) -> None:
    with instance.database.write() as session:
        request_reset(session, email, language="en", now=instance.now())


def send_all(instance: Instance) -> None:
    while run_next_mail(instance, owner="alice"):
        pass


def secret_in(mail: LocalMail) -> str:
    return mail.links[-1].rpartition("/")[2]


def reset(instance: Instance, secret: str, password: str = NEW) -> None:
    with instance.database.write() as session:
        reset_password(session, secret, password, base_url=instance.base_url, now=instance.now())


def is_good(instance: Instance, password: str, email: str = ALICE) -> bool:
    with instance.database.read() as session:
        return check_password(session, email, password) is not None


def sign_in(instance: Instance) -> str:
    with instance.database.write() as session:
        account = find_account(session, ALICE)
        assert account is not None
        return start_session(
            session, account, address="192.0.2.1", device="Firefox", now=instance.now()
        )


def is_signed_in(instance: Instance, secret: str) -> bool:
    with instance.database.read() as session:
        return find_session(session, secret, now=instance.now()) is not None


def test_a_link_sets_a_password_once_and_ends_all_sign_ins(
    instance: Instance, mail: LocalMail
) -> None:
    browser = sign_in(instance)
    ask(instance, "Alice@Example.org")
    send_all(instance)
    assert mail.links == [f"https://pod.example/studio/reset/{secret_in(mail)}"]
    secret = secret_in(mail)
    reset(instance, secret)
    assert is_good(instance, NEW) and not is_good(instance, OLD)
    assert not is_signed_in(instance, browser)
    with pytest.raises(Gone, match="used"):
        reset(instance, secret, "something else")
    send_all(instance)
    assert mail.messages[-1]["Subject"] == "Your password was changed"


def test_a_link_ends_after_an_hour_and_when_another_one_was_used(
    instance: Instance, mail: LocalMail, clock: FrozenClock
) -> None:
    ask(instance)
    send_all(instance)
    late = secret_in(mail)
    clock.advance(minutes=61)
    with pytest.raises(Gone, match="too old"):
        reset(instance, late)
    ask(instance)
    ask(instance)
    send_all(instance)
    first, second = (link.rpartition("/")[2] for link in mail.links[-2:])
    reset(instance, second)
    with pytest.raises(Gone, match="used"):
        reset(instance, first)
    with pytest.raises(NotFound):
        reset(instance, "nothing")


def test_a_bad_password_leaves_the_link_good(instance: Instance, mail: LocalMail) -> None:
    ask(instance)
    send_all(instance)
    with pytest.raises(Invalid) as refused:
        reset(instance, secret_in(mail), "password123")
    assert "password" in refused.value.fields
    reset(instance, secret_in(mail))


def test_who_asks_learns_nothing_of_accounts(instance: Instance, mail: LocalMail) -> None:
    counts = []
    for email in (ALICE, "nobody@example.org"):
        ask(instance, email)
        with instance.database.read() as session:
            tables = (Mail, Job, AccountLink)
            counts.append([session.scalar(select(func.count()).select_from(t)) for t in tables])
        send_all(instance)
        with instance.database.write() as session:
            for link in session.scalars(select(AccountLink)):
                session.delete(link)
            for row in session.scalars(select(Mail)):
                session.delete(row)
    assert counts[0] == counts[1] == [1, 1, 0]
    assert [message["To"] for message in mail.messages] == [ALICE]


@on_sqlite
def test_what_is_no_address_is_said(instance: Instance) -> None:
    for wrong in ("", "alice", "a@b\nc@d"):
        with pytest.raises(Invalid) as refused:
            ask(instance, wrong)
        assert "email" in refused.value.fields


@on_sqlite
def test_a_closed_account_is_sent_nothing(instance: Instance, mail: LocalMail) -> None:
    with instance.database.write() as session:
        account = find_account(session, ALICE)
        assert account is not None
        account.disabled_at = instance.now()
    ask(instance)
    send_all(instance)
    assert mail.messages == []


@on_sqlite
def test_tries_of_a_message_leave_one_link(
    instance: Instance, mail: LocalMail, clock: FrozenClock
) -> None:
    mail.answers = ["451 Later"] * 5
    ask(instance)
    for _ in range(12):
        send_all(instance)
        clock.advance(minutes=2)
    assert len(mail.messages) == 1
    with instance.database.read() as session:
        assert session.scalar(select(func.count()).select_from(AccountLink)) == 1
    reset(instance, secret_in(mail))


def test_who_knows_the_old_password_changes_it_and_stays(
    instance: Instance, mail: LocalMail
) -> None:
    here, there = sign_in(instance), sign_in(instance)

    def change(old: str, new: str) -> None:
        with instance.database.read() as session:
            account = find_account(session, ALICE)
            signed_in = find_session(session, here, now=instance.now())
            assert account is not None and signed_in is not None
        now = instance.now()
        prove_password(instance.database, account.id, old, field="old_password", now=now)
        with instance.database.write() as session:
            change_password(
                session,
                session.get_one(Account, account.id),
                new,
                keep_session=signed_in.session_id,
                base_url=instance.base_url,
                now=now,
            )

    with pytest.raises(Invalid) as refused:
        change("wrong", NEW)
    assert list(refused.value.fields) == ["old_password"]
    assert is_good(instance, OLD)
    change(OLD, NEW)
    assert is_good(instance, NEW)
    assert is_signed_in(instance, here) and not is_signed_in(instance, there)


def make_token(instance: Instance, email: str = ALICE) -> str:
    with instance.database.write() as session:
        account = find_account(session, email)
        assert account is not None
        return create_token(session, account, name="Backup", now=instance.now())[1]


def is_token(instance: Instance, secret: str) -> bool:
    with instance.database.read() as session:
        try:
            check_token(session, secret, now=instance.now())
        except Unauthorized:
            return False
    return True


@on_sqlite
@pytest.mark.parametrize("revoke", [True, False])
def test_tokens_are_revoked_with_a_password_where_that_is_asked_for(
    instance: Instance, mail: LocalMail, revoke: bool
) -> None:
    with instance.database.write() as session:
        create_account(session, "bob@example.org", password=OLD, now=instance.now())
    secrets, bobs = (
        [make_token(instance) for _ in range(2)],
        make_token(instance, "bob@example.org"),
    )
    ask(instance)
    send_all(instance)
    secret, now = secret_in(mail), instance.now()
    with instance.database.write() as session:
        reset_password(
            session, secret, NEW, revoke_tokens=revoke, base_url=instance.base_url, now=now
        )
    assert [is_token(instance, one) for one in secrets] == [not revoke] * 2
    assert is_token(instance, bobs)
    send_all(instance)
    body = mail.messages[-1].get_body(("plain",))
    assert body is not None and ("tokens" in body.get_content()) is revoke


@on_sqlite
def test_who_had_no_token_is_not_told_of_any(instance: Instance, mail: LocalMail) -> None:
    ask(instance)
    send_all(instance)
    secret, now = secret_in(mail), instance.now()
    with instance.database.write() as session:
        reset_password(
            session, secret, NEW, revoke_tokens=True, base_url=instance.base_url, now=now
        )
    send_all(instance)
    body = mail.messages[-1].get_body(("plain",))
    assert body is not None and "tokens" not in body.get_content()


@on_sqlite
def test_a_browser_that_was_left_open_is_no_place_to_guess(instance: Instance) -> None:
    with instance.database.read() as session:
        account = find_account(session, ALICE)
        assert account is not None

    def prove(password: str) -> None:
        now = instance.now()
        prove_password(instance.database, account.id, password, field="password", now=now)

    prove(OLD)
    for _ in range(10):
        with pytest.raises(Invalid):
            prove("wrong")
    with pytest.raises(TooManyRequests):
        prove(OLD)


def change_email(instance: Instance, email: str) -> None:
    with instance.database.write() as session:
        account = session.scalars(select(Account)).first()
        assert account is not None
        request_email_change(
            session, account, email, base_url=instance.base_url, now=instance.now()
        )


def confirm(instance: Instance, secret: str) -> None:
    with instance.database.write() as session:
        confirm_email(session, secret, now=instance.now())


def test_a_new_address_is_taken_once_it_is_confirmed(instance: Instance, mail: LocalMail) -> None:
    change_email(instance, "Alice@New.example")
    send_all(instance)
    assert mail.messages[-1]["To"] == "alice@new.example"
    assert is_good(instance, OLD)
    secret = secret_in(mail)
    # A link that went to the old address is good no longer.
    ask(instance)
    send_all(instance)
    old_link = secret_in(mail)
    confirm(instance, secret)
    assert is_good(instance, OLD, "alice@new.example") and not is_good(instance, OLD)
    send_all(instance)
    assert mail.messages[-1]["To"] == ALICE
    with pytest.raises(Gone):
        confirm(instance, secret)
    with pytest.raises(Gone):
        reset(instance, old_link)
    with pytest.raises(NotFound):
        reset(instance, secret)


@on_sqlite
def test_an_address_that_has_an_account_is_refused_to_who_has_the_mail_only(
    instance: Instance, mail: LocalMail, clock: FrozenClock
) -> None:
    with instance.database.write() as session:
        create_account(session, "bob@example.org", password=OLD, now=clock.time)
    change_email(instance, "bob@example.org")
    send_all(instance)
    with pytest.raises(Conflict):
        confirm(instance, secret_in(mail))
    with pytest.raises(Invalid):
        change_email(instance, ALICE)
    with instance.database.read() as session:
        assert session.scalar(select(func.count()).select_from(LoginSession)) == 0


def test_a_new_password_ends_the_change_of_address_that_an_intruder_began(
    instance: Instance, mail: LocalMail
) -> None:
    change_email(instance, "intruder@example.net")
    send_all(instance)
    theirs = secret_in(mail)
    ask(instance)
    send_all(instance)
    reset(instance, secret_in(mail))
    with pytest.raises(Gone):
        confirm(instance, theirs)
    assert is_good(instance, NEW)


@on_sqlite
def test_a_closed_account_keeps_its_address(instance: Instance, mail: LocalMail) -> None:
    change_email(instance, "intruder@example.net")
    send_all(instance)
    with instance.database.write() as session:
        account = session.scalars(select(Account)).one()
        disable_account(session, account, now=instance.now())
    with pytest.raises(Forbidden):
        confirm(instance, secret_in(mail))
