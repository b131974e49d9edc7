"""Proving again, before something grave, that one knows the password of one's account.

Tries are limited as those of a login are: a browser that was left open must not be a place to
guess at ease.
"""

from datetime import datetime

from podhost.accounts.login_limits import note_login, require_login_attempt
from podhost.accounts.passwords import is_password_of
from podhost.db import Database
from podhost.errors import Invalid
from podhost.history.audit import aside
from podhost.models import Account


def prove_password(
    database: Database, account_id: str, password: str, *, field: str, now: datetime
) -> None:
    """Raises Invalid, with this field, for a wrong password, and TooManyRequests."""
    with database.read() as session:
        account = session.get_one(Account, account_id)
    # Whoever asks is known, so it does not matter from where.
    place = f"account {account_id}"
    with aside(), database.write() as session:
        require_login_attempt(session, account.email, place, now)
    if not is_password_of(account, password):
        sentence = "This is not your password."
        raise Invalid(f"{field}: {sentence}", {field: sentence})
    with aside(), database.write() as session:
        note_login(session, account.email, place, now)
