"""Links that are mailed to prove an address: each has a secret, works once and not for long."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from podhost.db import new_id
from podhost.errors import Gone, NotFound
from podhost.models import Account, AccountLink

PASSWORD, EMAIL = "password", "email"
VALID_FOR = {PASSWORD: timedelta(hours=1), EMAIL: timedelta(days=1)}
_KEPT_FOR = timedelta(days=7)


def new_secret() -> str:
    """The secret of a link: 256 bits, not to be guessed, safe in addresses."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """What is kept of it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def make_link(
    session: Session,
    account: Account,
    purpose: str,
    *,
    email: str | None = None,
    mail_id: str | None = None,
    now: datetime,
) -> str:
    """The secret of a new link for `account`; `email` is the new address that it proves."""
    secret = new_secret()
    session.add(
        AccountLink(
            id=new_id(),
            account_id=account.id,
            purpose=purpose,
            secret_sha256=fingerprint(secret),
            email=email,
            mail_id=mail_id,
            created_at=now,
            expires_at=now + VALID_FOR[purpose],
        )
    )
    session.flush()
    return secret


def get_link(
    session: Session, secret: str, purpose: str, *, now: datetime, lock: bool = True
) -> AccountLink:
    """The link with this secret; with `lock` nobody else uses it until this transaction ends.

    Raises NotFound, or Gone when it was used or is too old.
    """
    statement = select(AccountLink).where(
        AccountLink.secret_sha256 == fingerprint(secret), AccountLink.purpose == purpose
    )
    link = session.scalar(statement.with_for_update() if lock else statement)
    if link is None:
        raise NotFound("This link is not known here; is all of it there?")
    if link.used_at is not None:
        raise Gone("This link was used already; it works once.")
    if link.expires_at <= now:
        raise Gone("This link is too old; ask for a new one.")
    return link


def use_up(session: Session, account_id: str, purpose: str, *, now: datetime) -> None:
    """No link of this account for this purpose works any more."""
    session.execute(
        update(AccountLink)
        .where(
            AccountLink.account_id == account_id,
            AccountLink.purpose == purpose,
            AccountLink.used_at.is_(None),
        )
        .values(used_at=now)
    )


def forget_links_of_mail(session: Session, mail_id: str) -> None:
    """The message that named them did not arrive."""
    session.execute(delete(AccountLink).where(AccountLink.mail_id == mail_id))


def prune_links(session: Session, *, now: datetime) -> None:
    """Forget links that have long been too old."""
    session.execute(delete(AccountLink).where(AccountLink.expires_at < now - _KEPT_FOR))
