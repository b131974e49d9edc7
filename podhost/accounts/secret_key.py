"""The key that keeps what is secret in the database unreadable without it; it names no use.

The operator gives one (PODHOST_SECRET_KEY), or podhost makes one and keeps it in the database,
where it protects nothing against somebody who reads the whole database, but serves all processes.
"""

import hashlib
import hmac
import secrets

from sqlalchemy.orm import Session

from podhost.config import Settings
from podhost.models import Fact

_NAME = "secret_key"


def derived_key(session: Session, settings: Settings, purpose: str) -> bytes:
    """32 bytes for one purpose, always the same; in a session that may write, as it may be new."""
    if settings.secret_key:
        value = settings.secret_key
    else:
        fact = session.get(Fact, _NAME)
        if fact is None:
            fact = Fact(name=_NAME, value=secrets.token_urlsafe(32))
            session.add(fact)
            session.flush()
        value = fact.value
    return _derived(value, purpose)


def known_keys(session: Session, settings: Settings, purpose: str) -> tuple[bytes, ...]:
    """What was ever made for one purpose here can be proved by one of these; it writes nothing.

    An operator who gives a key later must not make links worthless that stand in old mails.
    """
    fact = session.get(Fact, _NAME)
    values = (settings.secret_key, fact.value if fact is not None else "")
    return tuple(_derived(value, purpose) for value in values if value)


def _derived(value: str, purpose: str) -> bytes:
    return hmac.digest(value.encode(), purpose.encode(), hashlib.sha256)
