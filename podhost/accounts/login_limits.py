"""How often somebody may try a password: counted in rows, so that all processes count together.

It knows no account: what is tried counts alike whether there is such an account or not.

A key's row says until when the attempts of late count. Each attempt moves that moment on by its
share of the window, and it comes nearer by itself, so that one row is enough for any number of
attempts, and the time to wait is known (the "generic cell rate algorithm" of ATM networks).
"""

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from podhost.errors import TooManyRequests
from podhost.models import LoginLimit
from podhost.rate_limits import address_key

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many attempts at once, and evenly as many in each window after that."""

    name: str
    times: int
    window: timedelta


_WINDOW = timedelta(minutes=15)
BY_ADDRESS = Limit("address", 30, _WINDOW)
BY_ACCOUNT = Limit("account", 10, _WINDOW)
# Where the account was used from before, strangers who guess elsewhere do not lock it out.
BY_BOTH = Limit("both", 10, _WINDOW)
# A code has six digits: an hour for ten of them, and the password alone is no way to a right one.
CODES_BY_ACCOUNT = Limit("codes for", 10, timedelta(hours=1))
CODES_BY_BOTH = Limit("codes of", 10, timedelta(hours=1))
_KNOWN = "known"
_KNOWN_FOR = timedelta(days=60)
MAILS_BY_ADDRESS = Limit("mails from", 20, timedelta(hours=1))
MAILS_BY_ACCOUNT = Limit("mails to", 4, timedelta(hours=1))
# Cutting one reads a whole episode, and those that were deleted count as well.
CLIPS_BY_LINK = Limit("clips by", 60, timedelta(days=1))
# For newsletters; a house or a school may share an address, and a robot may have many.
SIGN_UPS_BY_ADDRESS = Limit("sign-ups from", 20, timedelta(hours=1))
SIGN_UPS_FOR_SHOW = Limit("sign-ups for", 500, timedelta(hours=1))
SIGN_UPS_OF_ONE = Limit("sign-ups of", 3, timedelta(days=1))
_PRUNED_AT_ONCE = 100
_CLOCKS_DIFFER = timedelta(minutes=1)


def require_login_attempt(session: Session, email: str, address: str, now: datetime) -> None:
    """Count one attempt at a password, which is wrong until `note_login` says otherwise.

    It takes a write session, to be committed before the password is looked at: attempts that
    come at the same moment all count, and so does one that ends in an error. `address` is the
    client's. Raises TooManyRequests with `wait_seconds`, and counts nothing, where there were too
    many from the address or for the account.
    """
    _prune(session, now)
    _take(session, BY_ADDRESS, address_key(address), now)
    if _is_known(session, email, address, now):
        _take(session, BY_BOTH, _both(email, address), now)
    else:
        _take(session, BY_ACCOUNT, _fingerprint(email), now)


def require_code_attempt(session: Session, email: str, address: str, now: datetime) -> None:
    """Count one attempt at a code, by somebody who gave the right password.

    However often they give the password again: it is `note_login` that makes the attempts count
    no more. Raises TooManyRequests with `wait_seconds`.
    """
    if _is_known(session, email, address, now):
        _take(session, CODES_BY_BOTH, _both(email, address), now)
    else:
        _take(session, CODES_BY_ACCOUNT, _fingerprint(email), now)


def note_failed_login(address: str) -> None:
    """The password was wrong. That was counted before; the address is logged for who guards it."""
    # Without the e-mail address: some people type their password there.
    log.warning("a login failed", extra={"address": address})


def note_login(session: Session, email: str, address: str, now: datetime) -> None:
    """All that was asked for was right: what was tried for the account counts no more, and is
    taken back from what the address tried; the address is one that the account is known from."""
    both, account = _both(email, address), _fingerprint(email)
    keys = [_key(limit.name, account) for limit in (BY_ACCOUNT, CODES_BY_ACCOUNT)]
    keys += [_key(limit.name, both) for limit in (BY_BOTH, CODES_BY_BOTH)]
    session.execute(delete(LoginLimit).where(LoginLimit.key.in_(keys)))
    counted = _key(BY_ADDRESS.name, address_key(address))
    _set(session, counted, _locked(session, counted, now) - BY_ADDRESS.window / BY_ADDRESS.times)
    known = _key(_KNOWN, both)
    _locked(session, known, now)
    _set(session, known, now + _KNOWN_FOR)


def require_mail_request(session: Session, email: str, address: str, now: datetime) -> None:
    """Count one wish for a message to `email`, whether there is such an account or not.

    Raises TooManyRequests with `wait_seconds`.
    """
    _prune(session, now)
    _take(session, MAILS_BY_ADDRESS, address_key(address), now)
    _take(session, MAILS_BY_ACCOUNT, _fingerprint(email), now)


def require_clip_request(session: Session, link_id: str, now: datetime) -> None:
    """Count one more clip that somebody asks for by a private link. Raises TooManyRequests."""
    _prune(session, now)
    _take(session, CLIPS_BY_LINK, link_id, now)


def require_sign_up(
    session: Session, show_id: str, email: str, address: str, now: datetime
) -> bool:
    """Count one wish for mail of a show to `email`, by somebody at `address`.

    False: that address has been mailed often enough, of whichever shows; who asks is not told, or
    they would learn that others asked. Raises TooManyRequests with `wait_seconds`.
    """
    _prune(session, now)
    _take(session, SIGN_UPS_BY_ADDRESS, address_key(address), now)
    _take(session, SIGN_UPS_FOR_SHOW, show_id, now)
    try:
        _take(session, SIGN_UPS_OF_ONE, _fingerprint(email), now)
    except TooManyRequests:
        return False
    return True


def _take(session: Session, limit: Limit, subject: str, now: datetime) -> None:
    key = _key(limit.name, subject)
    until = max(_locked(session, key, now), now)
    if until > now + limit.window + _CLOCKS_DIFFER:
        # No attempts count for so long: it was written by a clock that has been set back since.
        until = now
    after = until + limit.window / limit.times
    wait_seconds = (after - now - limit.window).total_seconds()
    if wait_seconds > 0:
        raise TooManyRequests("That was tried too often; wait a while and try again.", wait_seconds)
    _set(session, key, after)


def _locked(session: Session, key: str, now: datetime) -> datetime:
    """Until when the key's attempts count; nobody else changes it until this transaction ends."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    statement = (
        _insert_for(is_sqlite)
        .values(key=key, until=now)
        # An update that changes nothing locks the row, which a refused insert would not.
        .on_conflict_do_update(index_elements=[LoginLimit.key], set_={"until": LoginLimit.until})
        .returning(LoginLimit.until)
    )
    return session.execute(statement).scalar_one()


def _set(session: Session, key: str, until: datetime) -> None:
    session.execute(update(LoginLimit).where(LoginLimit.key == key).values(until=until))


def _insert_for(is_sqlite: bool) -> "PostgresqlInsert | SqliteInsert":
    # Only the dialect in use is loaded: the other one would make every start longer.
    if is_sqlite:
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(LoginLimit)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(LoginLimit)


def _is_known(session: Session, email: str, address: str, now: datetime) -> bool:
    key = _key(_KNOWN, _both(email, address))
    until = session.scalar(select(LoginLimit.until).where(LoginLimit.key == key))
    return until is not None and now < until <= now + _KNOWN_FOR


def _prune(session: Session, now: datetime) -> None:
    """Forget rows that say nothing any more. What others hold is left to them: to wait for it
    while holding something oneself is how two of them would wait for ever."""
    old = (
        select(LoginLimit.key)
        .where(LoginLimit.until <= now)
        .limit(_PRUNED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    keys = list(session.scalars(old))
    if keys:
        session.execute(delete(LoginLimit).where(LoginLimit.key.in_(keys)))


def _key(name: str, subject: str) -> str:
    return f"{name} {subject}"[:100]


def _both(email: str, address: str) -> str:
    return _fingerprint(f"{email.strip().lower()}\n{address_key(address)}")


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()
