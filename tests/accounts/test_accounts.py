"""Accounts and tokens: what is kept is never the secret itself."""

from datetime import timedelta

import pytest

from podhost.accounts.accounts import (
    check_token,
    create_account,
    create_token,
    find_account,
    list_tokens,
    revoke_token,
)
from podhost.errors import Conflict, Invalid, Unauthorized
from podhost.instance import Instance
from podhost.models import Account, Token
from tests.conftest import FrozenClock


@pytest.fixture
def secret(instance: Instance) -> str:
    """Alice's token."""
    with instance.database.write() as session:
        alice, _ = create_account(
            session, "Alice@example.org", is_operator=True, now=instance.now()
        )
        return create_token(session, alice, name="test", now=instance.now())[1]


def test_a_token_is_known_by_its_secret(instance: Instance, secret: str) -> None:
    with instance.database.read() as session:
        alice = find_account(session, "alice@example.org")
        assert alice is not None
        assert check_token(session, secret, now=instance.now()).account_id == alice.id


@pytest.mark.parametrize("wrong", ["", "podhost_", "x" * 5000, "\ud800", "podhost_ü"])
def test_a_wrong_secret_is_nobodys(instance: Instance, secret: str, wrong: str) -> None:
    with pytest.raises(Unauthorized), instance.database.read() as session:
        check_token(session, wrong, now=instance.now())


def test_neither_secret_nor_password_is_kept(instance: Instance, secret: str) -> None:
    with instance.database.write() as session:
        _, password = create_account(
            session, "bob@example.org", is_operator=True, now=instance.now()
        )
    with instance.database.read() as session:
        hashes = [account.password_hash for account in session.query(Account)]
        hashes += [token.secret_sha256 for token in session.query(Token)]
    assert all(password not in kept and secret not in kept for kept in hashes)
    assert hashes[0].startswith("$argon2id$")


def test_a_revoked_token_is_good_for_nothing(instance: Instance, secret: str) -> None:
    with instance.database.write() as session:
        revoke_token(session, list_tokens(session)[0].id, now=instance.now())
    with pytest.raises(Unauthorized), instance.database.read() as session:
        check_token(session, secret, now=instance.now())


def test_an_expired_token_is_good_for_nothing(instance: Instance, clock: FrozenClock) -> None:
    with instance.database.write() as session:
        alice, _ = create_account(
            session, "alice@example.org", is_operator=True, now=instance.now()
        )
        expires_at = clock.time + timedelta(days=1)
        token = create_token(session, alice, name="", expires_at=expires_at, now=instance.now())
    with instance.database.read() as session:
        assert check_token(session, token[1], now=instance.now())
    clock.advance(days=1)
    with pytest.raises(Unauthorized, match="expired"), instance.database.read() as session:
        check_token(session, token[1], now=instance.now())


def test_an_address_has_one_account(instance: Instance, secret: str) -> None:
    with pytest.raises(Conflict), instance.database.write() as session:
        create_account(session, "alice@EXAMPLE.org", is_operator=True, now=instance.now())


@pytest.mark.parametrize(
    ("email", "password"), [("alice", None), ("", None), ("a@b.example", "short")]
)
def test_what_cannot_be_an_account_is_refused(
    instance: Instance, email: str, password: str | None
) -> None:
    with pytest.raises(Invalid), instance.database.write() as session:
        create_account(session, email, password=password, is_operator=True, now=instance.now())


def test_a_name_that_is_too_long_is_refused_with_a_sentence(instance: Instance) -> None:
    with instance.database.write() as session:
        alice, _ = create_account(
            session, "alice@example.org", is_operator=True, now=instance.now()
        )
    for length in (256, 5000):
        with pytest.raises(Invalid, match="name"), instance.database.write() as session:
            create_account(
                session, "bob@example.org", name="x" * length, is_operator=True, now=instance.now()
            )
        with pytest.raises(Invalid, match="name"), instance.database.write() as session:
            create_token(session, alice, name="x" * length, now=instance.now())
