"""Teams and accounts: who may leave, who is left, and how somebody comes in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.accounts import invitations, team
from podhost.accounts.accounts import check_password, check_token, create_token, find_account
from podhost.accounts.roles import ANALYST, EDITOR, OWNER, Actor, act
from podhost.accounts.sessions import find_session, start_session
from podhost.db import new_id
from podhost.errors import Conflict, Gone, Invalid, NotFound, Unauthorized
from podhost.instance import Instance
from podhost.models import Account, Mail, Membership, Show
from podhost.shows import delete_show, get_show
from tests.conftest import FrozenClock
from tests.making import make_show

PASSWORD = "tide tables"
on_sqlite = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def show(instance: Instance) -> Show:
    """Alice's show; Bob edits it, Olga runs the podhost, Charlie is a stranger."""
    made = make_show(instance)
    with instance.database.write() as session:
        for name in ("alice", "bob", "charlie", "olga"):
            # Without a password, which takes longest to make.
            account = Account(
                id=new_id(),
                email=f"{name}@example.org",
                name=name.title(),
                password_hash="",
                is_operator=name == "olga",
                created_at=instance.now(),
            )
            session.add(account)
            session.flush()
        for name, role in (("alice", OWNER), ("bob", EDITOR)):
            team.add_member(session, made.id, id_of(session, name), role, now=instance.now())
    return made


def id_of(session: Session, name: str) -> str:
    account = find_account(session, f"{name}@example.org")
    assert account is not None
    return account.id


@contextmanager
def as_account(instance: Instance, name: str) -> Iterator[Session]:
    """A session in which somebody acts."""
    with instance.database.write() as session:
        account = find_account(session, f"{name}@example.org")
        assert account is not None
        act(session, Actor(account.id, account.email, account.name, account.is_operator))
        yield session


def roles(instance: Instance, show: Show) -> dict[str, str]:
    with instance.database.read() as session:
        return {member.name: member.role for member in team.list_members(session, show)}


def set_role(instance: Instance, show: Show, by: str, who: str, role: str) -> None:
    with as_account(instance, by) as session:
        team.set_role(session, show, id_of(session, who), role, now=instance.now())


def remove(instance: Instance, show: Show, by: str, who: str) -> None:
    with as_account(instance, by) as session:
        team.remove_member(session, show, id_of(session, who), now=instance.now())


def test_the_last_owner_stays_unless_an_operator_says_otherwise(
    instance: Instance, show: Show
) -> None:
    with pytest.raises(Conflict, match="last owner"):
        remove(instance, show, "alice", "alice")
    with pytest.raises(Conflict, match="last owner"):
        set_role(instance, show, "alice", "alice", EDITOR)
    set_role(instance, show, "alice", "bob", OWNER)
    remove(instance, show, "alice", "alice")
    assert roles(instance, show) == {"Bob": OWNER}
    remove(instance, show, "olga", "bob")
    assert roles(instance, show) == {}


def test_two_owners_who_take_it_from_each_other_leave_one(instance: Instance, show: Show) -> None:
    set_role(instance, show, "alice", "bob", OWNER)
    start = threading.Barrier(2)

    def take(by: str, who: str) -> None:
        with suppress(Conflict), as_account(instance, by) as session:
            account_id = id_of(session, who)
            if not instance.database.is_sqlite:
                # There only one writes at a time.
                start.wait()
            team.remove_member(session, show, account_id, now=instance.now())

    threads = [
        threading.Thread(target=take, args=pair) for pair in (("alice", "bob"), ("bob", "alice"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(roles(instance, show).values()) == [OWNER]


@on_sqlite
def test_only_operators_take_in_who_was_not_invited(instance: Instance, show: Show) -> None:
    with pytest.raises(NotFound, match="invite"):
        set_role(instance, show, "alice", "charlie", EDITOR)
    set_role(instance, show, "olga", "charlie", ANALYST)
    with pytest.raises(Invalid, match="owner, editor, analyst"):
        set_role(instance, show, "olga", "charlie", "king")
    with pytest.raises(NotFound), as_account(instance, "olga") as session:
        team.set_role(session, show, "0" * 16, EDITOR, now=instance.now())
    assert roles(instance, show) == {"Alice": OWNER, "Bob": EDITOR, "Charlie": ANALYST}


# Invitations


def invite(
    instance: Instance,
    show: Show | None,
    email: str = "dora@example.org",
    role: str = EDITOR,
    by: str = "alice",
) -> str:
    """The secret."""
    with as_account(instance, by) as session:
        _, link = invitations.create_invitation(
            session,
            email,
            role,
            show,
            base_url=instance.base_url,
            language="en",
            now=instance.now(),
        )
    assert link.startswith("https://pod.example/studio/invitations/")
    return link.rpartition("/")[2]


def accept_as_new(instance: Instance, secret: str) -> str:
    with instance.database.write() as session:
        return invitations.accept_as_new(
            session, secret, name="Dora", password=PASSWORD, language="es", now=instance.now()
        ).id


def accept_as(instance: Instance, secret: str, name: str) -> None:
    with instance.database.write() as session:
        account = find_account(session, f"{name}@example.org")
        assert account is not None
        invitations.accept_as(session, secret, account, now=instance.now())


def waiting(instance: Instance, show: Show | None) -> list[str]:
    with instance.database.read() as session:
        found = invitations.list_invitations(session, show, now=instance.now())
        return [f"{row.email} {row.role} {row.status}" for row in found]


def test_who_is_invited_comes_in_once_with_a_new_account(instance: Instance, show: Show) -> None:
    secret = invite(instance, show, "Dora@Example.org")
    assert waiting(instance, show) == ["dora@example.org editor waiting"]
    account_id = accept_as_new(instance, secret)
    assert roles(instance, show)["Dora"] == EDITOR
    assert waiting(instance, show) == []
    with instance.database.read() as session:
        account = check_password(session, "dora@example.org", PASSWORD)
        assert account is not None and (account.id, account.language) == (account_id, "es")
        assert not account.is_operator
        # The link was taken by hand, and is not mailed after that.
        assert list(session.scalars(select(Mail))) == []
    with pytest.raises(Gone, match="accepted"):
        accept_as(instance, secret, "charlie")


def test_who_has_an_account_comes_in_with_that(instance: Instance, show: Show) -> None:
    secret = invite(instance, show, "charlie@example.org", ANALYST)
    with pytest.raises(Conflict, match="already"), instance.database.write() as session:
        invitations.accept_as_new(
            session, secret, name="", password=PASSWORD, language="en", now=instance.now()
        )
    accept_as(instance, secret, "charlie")
    assert roles(instance, show)["Charlie"] == ANALYST


def test_two_who_take_the_same_invitation_at_once_do_not_both_come_in(
    instance: Instance, show: Show
) -> None:
    secret, now = invite(instance, show, role=ANALYST), instance.now()
    looked = threading.Barrier(2)
    came_in = []

    def take(name: str) -> None:
        with suppress(Gone), instance.database.write() as session:
            account = find_account(session, f"{name}@example.org")
            assert account is not None
            # A page looks at the invitation first, and holds it.
            seen = invitations.get_invitation(session, secret, now=now)
            if not instance.database.is_sqlite:
                # There only one writes at a time.
                looked.wait()
            invitations.accept_as(session, secret, account, now=now)
            assert seen.accepted_by == account.id
            came_in.append(name)

    threads = [threading.Thread(target=take, args=(name,)) for name in ("charlie", "olga")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(came_in) == 1
    assert list(roles(instance, show).values()).count(ANALYST) == 1


@on_sqlite
def test_an_invitation_takes_no_role_away(instance: Instance, show: Show) -> None:
    accept_as(instance, invite(instance, show, role=ANALYST), "alice")
    assert roles(instance, show)["Alice"] == OWNER
    accept_as(instance, invite(instance, show, role=OWNER), "bob")
    assert roles(instance, show)["Bob"] == OWNER


@on_sqlite
def test_an_invitation_ends(instance: Instance, show: Show, clock: FrozenClock) -> None:
    first = invite(instance, show)
    second = invite(instance, show, role=OWNER)
    with pytest.raises(Gone, match="taken back"):
        accept_as_new(instance, first)
    assert waiting(instance, show) == ["dora@example.org owner waiting"]
    clock.advance(days=7)
    with pytest.raises(Gone, match="too old"):
        accept_as_new(instance, second)
    assert waiting(instance, show) == ["dora@example.org owner expired"]
    third = invite(instance, show)
    with instance.database.write() as session:
        (found,) = invitations.list_invitations(session, show, now=instance.now())
        with pytest.raises(NotFound):
            invitations.revoke_invitation(session, None, found.id, now=instance.now())
        invitations.revoke_invitation(session, show, found.id, now=instance.now())
        assert not [mail for mail in session.scalars(select(Mail)) if mail.content is not None]
    with pytest.raises(Gone, match="taken back"):
        accept_as_new(instance, third)
    with pytest.raises(NotFound):
        accept_as_new(instance, "nothing")
    fourth = invite(instance, show)
    with instance.database.write() as session:
        delete_show(session, get_show(session, show.slug, lock=True), now=instance.now())
    with pytest.raises(Gone, match="deleted"):
        accept_as_new(instance, fourth)


@on_sqlite
def test_who_has_to_go_leaves_no_door_open(instance: Instance, show: Show) -> None:
    set_role(instance, show, "alice", "bob", OWNER)
    secret = invite(instance, show, by="bob")
    remove(instance, show, "alice", "bob")
    with pytest.raises(Gone):
        accept_as(instance, secret, "bob")


@on_sqlite
def test_who_is_an_owner_no_more_leaves_no_door_open(instance: Instance, show: Show) -> None:
    set_role(instance, show, "alice", "bob", OWNER)
    secret = invite(instance, show, role=OWNER, by="bob")
    set_role(instance, show, "alice", "bob", OWNER)
    assert len(waiting(instance, show)) == 1
    set_role(instance, show, "alice", "bob", EDITOR)
    with pytest.raises(Gone):
        accept_as(instance, secret, "bob")
    assert roles(instance, show)["Bob"] == EDITOR


@on_sqlite
def test_who_is_an_operator_no_more_leaves_no_door_open(instance: Instance, show: Show) -> None:
    set_role(instance, show, "olga", "bob", OWNER)
    with as_account(instance, "olga") as session:
        bob = team.get_account(session, id_of(session, "bob"))
        team.set_operator(session, bob, True, now=instance.now())
    other = make_show(instance, title="Another")
    to_podhost = invite(instance, None, role=invitations.OPERATOR, by="bob")
    to_other = invite(instance, other, role=OWNER, by="bob")
    to_own = invite(instance, show, by="bob")
    with as_account(instance, "olga") as session:
        bob = team.get_account(session, id_of(session, "bob"))
        team.set_operator(session, bob, False, now=instance.now())
    for secret in (to_podhost, to_other):
        with pytest.raises(Gone):
            accept_as(instance, secret, "bob")
    accept_as(instance, to_own, "charlie")


@on_sqlite
@pytest.mark.parametrize(
    ("email", "role", "field"), [("dora", EDITOR, "email"), ("d@e.example", "king", "role")]
)
def test_what_is_wrong_with_an_invitation_is_said(
    instance: Instance, show: Show, email: str, role: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        invite(instance, show, email, role)
    assert list(refused.value.fields) == [field]
    with pytest.raises(Conflict, match="already"):
        invite(instance, show, "BOB@example.org")


@on_sqlite
def test_an_operator_is_invited_to_the_podhost_as_a_whole(instance: Instance, show: Show) -> None:
    secret = invite(instance, None, role=invitations.OPERATOR, by="olga")
    assert waiting(instance, None) == ["dora@example.org operator waiting"]
    assert waiting(instance, show) == []
    account_id = accept_as_new(instance, secret)
    with instance.database.read() as session:
        assert session.get_one(Account, account_id).is_operator
    with pytest.raises(Invalid):
        invite(instance, None, "e@example.org", role=OWNER, by="olga")
    with pytest.raises(Conflict):
        invite(instance, None, role=invitations.OPERATOR, by="olga")


# Accounts


def test_a_closed_account_acts_no_more(instance: Instance, show: Show) -> None:
    with instance.database.write() as session:
        bob = session.get_one(Account, id_of(session, "bob"))
        _, token = create_token(session, bob, name="x", now=instance.now())
        browser = start_session(session, bob, address="", device="", now=instance.now())
        team.disable_account(session, bob, now=instance.now())
    with instance.database.read() as session:
        assert find_session(session, browser, now=instance.now()) is None
        with pytest.raises(Unauthorized):
            check_token(session, token, now=instance.now())
    with instance.database.write() as session:
        team.enable_account(session, session.get_one(Account, id_of(session, "bob")))
    with instance.database.read() as session:
        assert check_token(session, token, now=instance.now()).name == "Bob"
        assert find_session(session, browser, now=instance.now()) is None
        assert roles(instance, show)["Bob"] == EDITOR


@on_sqlite
@pytest.mark.parametrize("end", ["disable", "delete", "demote"])
def test_the_last_operator_stays(instance: Instance, show: Show, end: str) -> None:
    def end_account(name: str) -> None:
        with as_account(instance, "olga") as session:
            account = team.get_account(session, id_of(session, name))
            if end == "disable":
                team.disable_account(session, account, now=instance.now())
            elif end == "delete":
                team.delete_account(session, account, now=instance.now())
            else:
                team.set_operator(session, account, False, now=instance.now())

    with pytest.raises(Conflict, match="last operator"):
        end_account("olga")
    end_account("charlie")
    with instance.database.write() as session:
        team.set_operator(
            session, session.get_one(Account, id_of(session, "bob")), True, now=instance.now()
        )
    end_account("olga")


def test_two_operators_who_take_it_from_each_other_leave_one(
    instance: Instance, show: Show
) -> None:
    with instance.database.write() as session:
        team.set_operator(
            session, team.get_account(session, id_of(session, "bob")), True, now=instance.now()
        )
    ready = threading.Barrier(2)

    def take(by: str, who: str) -> None:
        with suppress(Conflict), as_account(instance, by) as session:
            account = team.get_account(session, id_of(session, who))
            if not instance.database.is_sqlite:
                ready.wait()
            team.set_operator(session, account, False, now=instance.now())

    threads = [
        threading.Thread(target=take, args=pair) for pair in (("bob", "olga"), ("olga", "bob"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with instance.database.read() as session:
        left = session.scalars(select(Account.email).where(Account.is_operator)).all()
    assert len(left) == 1


def test_an_account_ends_with_all_that_it_had(instance: Instance, show: Show) -> None:
    with as_account(instance, "alice") as session:
        alice = session.get_one(Account, id_of(session, "alice"))
        _, token = create_token(session, alice, name="x", now=instance.now())
        start_session(session, alice, address="", device="", now=instance.now())
    secret = invite(instance, show)
    with pytest.raises(Conflict, match="Tide Tables"), as_account(instance, "alice") as session:
        alice = session.get_one(Account, id_of(session, "alice"))
        team.delete_account(session, alice, now=instance.now())
    with as_account(instance, "olga") as session:
        alice = session.get_one(Account, id_of(session, "alice"))
        team.delete_account(session, alice, now=instance.now())
    with instance.database.read() as session:
        assert find_account(session, "alice@example.org") is None
        assert len(list(session.scalars(select(Membership)))) == 1
        with pytest.raises(Unauthorized):
            check_token(session, token, now=instance.now())
    with pytest.raises(Gone):
        accept_as_new(instance, secret)


@on_sqlite
def test_operators_see_all_accounts_with_their_roles(instance: Instance, show: Show) -> None:
    with instance.database.write() as session:
        bob = session.get_one(Account, id_of(session, "bob"))
        start_session(session, bob, address="", device="", now=instance.now())
    with instance.database.read() as session:
        found = {row.name: row for row in team.account_answers(session)}
    assert found["Bob"].roles == {"tide-tables": EDITOR} and found["Charlie"].roles == {}
    assert found["Olga"].is_operator and not found["Bob"].is_operator
    assert found["Bob"].seen_at == instance.now() and found["Alice"].seen_at is None
