"""When sign-ins and tokens were last used: noted beside the work, never by it."""

from podhost.accounts.accounts import create_account, create_token
from podhost.accounts.last_uses import LastUses
from podhost.accounts.roles import Actor
from podhost.accounts.sessions import list_sessions, start_session
from podhost.instance import Instance
from podhost.models import Account, LoginSession, Token
from tests.conftest import FrozenClock


def signed_in(instance: Instance) -> tuple[Account, LoginSession, Token]:
    now = instance.now()
    with instance.database.write() as session:
        account, _ = create_account(session, "ann@example.org", now=now)
        start_session(session, account, address="::1", device="tests", now=now)
        token, _ = create_token(session, account, name="x", now=now)
        (row,) = list_sessions(session, account.id, now=now)
    return account, row, token


def test_it_is_written_later_and_at_the_end(instance: Instance, clock: FrozenClock) -> None:
    account, row, token = signed_in(instance)
    uses = LastUses(instance.database)
    uses.start()
    clock.advance(minutes=5)
    uses.note(Actor(account.id, account.email, session_id=row.id), clock())
    uses.note(Actor(account.id, account.email, token_id=token.id), clock())
    with instance.database.read() as session:
        assert session.get_one(LoginSession, row.id).seen_at == row.created_at
        assert session.get_one(Token, token.id).last_used_at is None
    uses.stop()
    with instance.database.read() as session:
        assert session.get_one(LoginSession, row.id).seen_at == clock()
        assert session.get_one(Token, token.id).last_used_at == clock()


def test_what_has_ended_meanwhile_is_no_trouble(instance: Instance, clock: FrozenClock) -> None:
    account, row, _ = signed_in(instance)
    uses = LastUses(instance.database)
    uses.note(Actor(account.id, account.email, session_id=row.id), clock())
    with instance.database.write() as session:
        session.delete(session.get_one(Account, account.id))
    uses.write()
    with instance.database.read() as session:
        assert session.get(LoginSession, row.id) is None
