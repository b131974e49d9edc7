"""Accounts, passwords and tokens: who may act here, and with which secret."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, joinedload

from podhost import fields
from podhost.db import new_id
from podhost.errors import Conflict, NotFound, Unauthorized
from podhost.models import Account, Token

SCOPES = ("read", "write")
_LONGEST_NAME = 255
SHORTEST_PASSWORD = 10
_PREFIX = "podhost_"

# Made once, and columns only: each call of the API begins with it.
_KNOWN_TOKEN = select(
    Token.id, Token.name, Token.account_id, Token.scope, Token.expires_at, Token.revoked_at
).where(Token.secret_sha256 == bindparam("secret_sha256"))


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A token that is good at the moment, and what it may do."""

    id: str
    name: str
    account_id: str
    scope: str


def create_account(
    session: Session, email: str, *, name: str = "", password: str | None = None, now: datetime
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
        if password is not None and len(password) < SHORTEST_PASSWORD:
            raise ValueError(f"It must have at least {SHORTEST_PASSWORD} characters.")
    with errors.noting("name"):
        name = _name(name)
    errors.raise_any()
    assert address is not None
    if find_account(session, address) is not None:
        raise Conflict(f"There is an account for {address} already.")
    password = password or secrets.token_urlsafe(12)
    # Loaded here, because a server checks tokens and no passwords.
    from argon2 import PasswordHasher

    account = Account(
        id=new_id(),
        email=address.lower(),
        name=name,
        password_hash=PasswordHasher().hash(password),
        created_at=now,
    )
    session.add(account)
    session.flush()
    return account, password


def find_account(session: Session, email: str) -> Account | None:
    """The account with this address; case does not count."""
    return session.scalar(select(Account).where(Account.email == email.strip().lower()))


def list_accounts(session: Session) -> Sequence[Account]:
    """All accounts, oldest first."""
    return session.scalars(select(Account).order_by(Account.created_at, Account.id)).all()


def create_token(
    session: Session,
    account: Account,
    *,
    name: str,
    scope: str = "write",
    expires_at: datetime | None = None,
    now: datetime,
) -> tuple[Token, str]:
    """A new token and its secret, which is shown this once and not kept. Raises Invalid."""
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
        created_at=now,
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    return token, secret


def check_token(session: Session, secret: str, *, now: datetime) -> KnownToken:
    """The token that belongs to `secret`. Raises Unauthorized when it is not (or no longer) good.

    The look-up is by the hash of a random secret of 256 bits: there is nothing to guess step by
    step, so neither a slow hash nor a constant-time comparison is needed.
    """
    found = session.execute(_KNOWN_TOKEN, {"secret_sha256": _fingerprint(secret)}).one_or_none()
    if found is None or found.revoked_at is not None:
        raise Unauthorized("This token is not known here; make one with `podhost token create`.")
    if found.expires_at is not None and found.expires_at <= now:
        raise Unauthorized("This token has expired; make a new one with `podhost token create`.")
    return KnownToken(found.id, found.name, found.account_id, found.scope)


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


def _name(value: str) -> str:
    name = fields.optional_line(value)
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"It has {len(name)} characters; {_LONGEST_NAME} are the most.")
    return name


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
