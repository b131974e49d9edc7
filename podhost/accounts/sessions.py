"""Sign-ins of browsers: a row each, and the secret that stands in the browser's cookie."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from podhost.accounts.roles import Actor
from podhost.db import new_id
from podhost.errors import NotFound
from podhost.models import Account, LoginSession

SESSION_DAYS = 30
_LONGEST_DEVICE = 300
_LONGEST_ADDRESS = 64
_SECRET_LIMIT = 200

# Made once, and columns only: every page of the studio begins with it.
_KNOWN_SESSION = (
    select(
        LoginSession.id,
        LoginSession.expires_at,
        Account.id.label("account_id"),
        Account.email,
        Account.name,
        Account.is_operator,
        Account.disabled_at,
        Account.language,
        Account.time_zone,
    )
    .join(Account, Account.id == LoginSession.account_id)
    .where(LoginSession.secret_sha256 == bindparam("secret_sha256"))
)


@dataclass(frozen=True, slots=True)
class SignedIn(Actor):
    """An actor by a sign-in, with how they want their pages."""

    language: str | None = None
    time_zone: str | None = None


def start_session(
    session: Session, account: Account, *, address: str, device: str, now: datetime
) -> str:
    """Sign an account in; the secret for the cookie, which is not kept."""
    secret = secrets.token_urlsafe(32)
    session.add(
        LoginSession(
            id=new_id(),
            account_id=account.id,
            secret_sha256=_fingerprint(secret),
            created_at=now,
            seen_at=now,
            expires_at=now + timedelta(days=SESSION_DAYS),
            address=address[:_LONGEST_ADDRESS],
            device=device[:_LONGEST_DEVICE],
        )
    )
    session.flush()
    return secret


def find_session(session: Session, secret: str, *, now: datetime) -> SignedIn | None:
    """Who is signed in with this secret; None: nobody, or not any more.

    The look-up is by the hash of 256 random bits: there is nothing to guess step by step.
    """
    if not secret or len(secret) > _SECRET_LIMIT:
        return None
    found = session.execute(_KNOWN_SESSION, {"secret_sha256": _fingerprint(secret)}).one_or_none()
    if found is None or found.expires_at <= now or found.disabled_at is not None:
        return None
    return SignedIn(
        found.account_id,
        found.email,
        found.name,
        found.is_operator,
        session_id=found.id,
        language=found.language,
        time_zone=found.time_zone,
    )


def end_session(session: Session, account_id: str, session_id: str) -> None:
    """Sign one browser out. Raises NotFound when it is not this account's."""
    row = session.get(LoginSession, session_id)
    if row is None or row.account_id != account_id:
        raise NotFound("There is no such sign-in.")
    session.delete(row)


def end_all_sessions(session: Session, account_id: str, *, keep: str | None = None) -> int:
    """Sign an account out everywhere, but where `keep` says; how many there were."""
    ended = delete(LoginSession).where(LoginSession.account_id == account_id)
    if keep is not None:
        ended = ended.where(LoginSession.id != keep)
    # rowcount is of cursors only, and this statement always has one.
    return int(session.connection().execute(ended).rowcount)


def list_sessions(session: Session, account_id: str, *, now: datetime) -> Sequence[LoginSession]:
    """Where an account is signed in, the last seen first."""
    return session.scalars(
        select(LoginSession)
        .where(LoginSession.account_id == account_id, LoginSession.expires_at > now)
        .order_by(LoginSession.seen_at.desc(), LoginSession.id)
    ).all()


def sweep_sessions(session: Session, *, now: datetime) -> None:
    """Forget the sign-ins that have ended by themselves."""
    session.execute(delete(LoginSession).where(LoginSession.expires_at <= now))


def csrf_token(secret: str) -> str:
    """What forms and scripts of a browser with this cookie send along.

    Another site can make a browser send the cookie, but can read neither it nor this.
    """
    return hashlib.sha256(b"csrf " + secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_csrf_token(secret: str, given: str) -> bool:
    """Whether `given` was made of this secret."""
    return hmac.compare_digest(csrf_token(secret).encode(), given.encode("utf-8", "replace"))


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
