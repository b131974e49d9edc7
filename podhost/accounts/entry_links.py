"""The one-time link with which the first account is made, or with which the demo is entered.

Whoever can read what the server prints owns the machine that it runs on. A link is good until it
is used, or until the next one is made.
"""

import hashlib
import hmac
import secrets

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podhost.models import Account, Fact

_NAME = "entry_link"


def make_entry_link(session: Session, base_url: str, account: Account | None = None) -> str:
    """A new link, in the place of any before: to make the first account, or to enter as one."""
    secret = secrets.token_urlsafe(24)
    value = f"{_fingerprint(secret)} {account.id if account is not None else ''}"
    session.merge(Fact(name=_NAME, value=value))
    session.flush()
    return f"{base_url}/studio/welcome/{secret}"


def find_entry(session: Session, secret: str) -> Account | bool:
    """Whom the link lets in: an account, True for somebody new, False for nobody."""
    fact = session.get(Fact, _NAME)
    if fact is None:
        return False
    known, _, account_id = fact.value.partition(" ")
    if not hmac.compare_digest(known, _fingerprint(secret)):
        return False
    if account_id:
        account = session.get(Account, account_id)
        return account if account is not None and account.disabled_at is None else False
    # The first account was made in another way meanwhile.
    return is_first_run(session)


def use_up_entry(session: Session) -> None:
    """The link is good for nothing from now on."""
    fact = session.get(Fact, _NAME)
    if fact is not None:
        session.delete(fact)


def is_first_run(session: Session) -> bool:
    """Whether nobody has an account yet."""
    return not session.scalar(select(func.count(Account.id)))


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
