"""Accounts, passwords and tokens: who may act here, and with which secret."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, joinedload

from podhost import fields
from podhost.accounts.passwords import hash_password, is_hash_of, new_password
from podhost.accounts.roles import Actor
from podhost.db import new_id
from podhost.errors import Conflict, NotFound, Unauthorized
from podhost.models import Account, Token

SCOPES = ("read", "write")
_LONGEST_NAME = 255
_PREFIX = "podhost_"

# Made once, and columns only: each call of the API begins with it.
_KNOWN_TOKEN = (
    select(
        Token.id,
        Token.account_id,
        Token.scope,
        Token.show_id,
        Token.expires_at,
        Token.revoked_at,
        Account.email,
        Account.name,
        Account.is_operator,
        Account.disabled_at,
    )
    .join(Account, Account.id == Token.account_id)
    .where(Token.secret_sha256 == bindparam("secret_sha256"))
)


def create_account(
    session: Session,
    email: str,
    *,
    name: str = "",
    password: str | None = None,
    is_operator: bool = False,
    now: datetime,
) -> tuple[Account, str]:
    """A new account and its password, which is made up where none is given.

    Raises Invalid for a bad address or a short password, Conflict when the address is taken.
    """
    errors = fields.FieldErrors()
    address = None
    with errors.noting("email"):
        address = fields.email(email)
        if address is None:
            raise ValueError("An account needs an e-mail address.")
    with errors.noting("password"):
        if password is not None:
            new_password(password, address or "")
    with errors.noting("name"):
        name = _name(name)
    errors.raise_any()
    assert address is not None
    if find_account(session, address) is not None:
        raise Conflict(f"There is an account for {address} already.")
    password = password or secrets.token_urlsafe(12)
    account = Account(
        id=new_id(),
        email=address.lower(),
        name=name,
        password_hash=hash_password(password),
        is_operator=is_operator,
        created_at=now,
    )
    session.add(account)
    session.flush()
    return account, password


def find_account(session: Session, email: str) -> Account | None:
    """The account with this address; case does not count."""
    return session.scalar(select(Account).where(Account.email == email.strip().lower()))


def check_password(session: Session, email: str, password: str) -> Account | None:
    """The account, if the password is right and it may sign in; None otherwise.

    Where there is no such account, the same work is done: the time it takes tells nothing.
    """
    account = find_account(session, email)
    known = _no_ones_password() if account is None else account.password_hash
    is_right = is_hash_of(known, password)
    if account is None or account.disabled_at is not None:
        return None
    return account if is_right else None


@lru_cache(maxsize=1)
def _no_ones_password() -> str:
    """A hash like any other, of what nobody knows."""
    return hash_password(secrets.token_urlsafe(32))


def list_accounts(session: Session) -> Sequence[Account]:
    """All accounts, oldest first."""
    return session.scalars(select(Account).order_by(Account.created_at, Account.id)).all()


def create_token(
    session: Session,
    account: Account,
    *,
    name: str,
    scope: str = "write",
    show_id: str | None = None,
    expires_at: datetime | None = None,
    now: datetime,
) -> tuple[Token, str]:
    """A new token and its secret, which is shown this once and not kept. Raises Invalid.

    With `show_id` it is good for that show only.
    """
    errors = fields.FieldErrors()
    with errors.noting("name"):
        name = _name(name)
    errors.raise_any()
    secret = _PREFIX + secrets.token_urlsafe(32)
    token = Token(
        id=new_id(),
        account_id=account.id,
        name=name,
        secret_sha256=_fingerprint(secret),
        scope=fields.one_of(*SCOPES)(scope),
        show_id=show_id,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    return token, secret


def check_token(session: Session, secret: str, *, now: datetime) -> Actor:
    """Who acts by the token that is `secret`. Raises Unauthorized when it is not good (any more).

    The look-up is by the hash of a random secret of 256 bits: there is nothing to guess step by
    step, so neither a slow hash nor a constant-time comparison is needed.
    """
    found = session.execute(_KNOWN_TOKEN, {"secret_sha256": _fingerprint(secret)}).one_or_none()
    if found is None or found.revoked_at is not None:
        raise Unauthorized("This token is not known here; make one with `podhost token create`.")
    if found.expires_at is not None and found.expires_at <= now:
        raise Unauthorized("This token has expired; make a new one with `podhost token create`.")
    if found.disabled_at is not None:
        raise Unauthorized("The account of this token is closed.")
    return Actor(
        found.account_id,
        found.email,
        found.name,
        found.is_operator,
        can_write=found.scope == "write",
        show_id=found.show_id,
        token_id=found.id,
    )


def list_tokens(session: Session) -> Sequence[Token]:
    """All tokens with their accounts, oldest first."""
    return session.scalars(
        select(Token).options(joinedload(Token.account)).order_by(Token.created_at, Token.id)
    ).all()


def revoke_token(session: Session, token_id: str, *, now: datetime) -> None:
    """The token is good for nothing from now on. Raises NotFound."""
    token = session.get(Token, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id!r}.")
    token.revoked_at = token.revoked_at or now


def revoke_tokens_of(session: Session, account_id: str, *, now: datetime) -> Sequence[Token]:
    """All tokens of an account are good for nothing from now on; those that still were."""
    good = session.scalars(
        select(Token)
        .where(
            Token.account_id == account_id,
            Token.revoked_at.is_(None),
            Token.expires_at.is_(None) | (Token.expires_at > now),
        )
        .order_by(Token.created_at, Token.id)
    ).all()
    for token in good:
        token.revoked_at = now
    session.flush()
    return good


def _name(value: str) -> str:
    name = fields.optional_line(value)
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"It has {len(name)} characters; {_LONGEST_NAME} are the most.")
    return name


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
