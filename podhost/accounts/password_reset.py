"""A new password without the old one, by a link that is mailed; and one for who proved it.

Who asks for a link is told nothing of accounts, nor does the time tell: the request writes down
the address, and whether there is an account for it is looked up when the message is made.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from podhost import fields
from podhost.accounts.accounts import find_account, revoke_tokens_of
from podhost.accounts.links import (
    EMAIL,
    PASSWORD,
    VALID_FOR,
    forget_links_of_mail,
    get_link,
    make_link,
)
from podhost.accounts.links import use_up as use_up_links
from podhost.accounts.passwords import set_password
from podhost.accounts.sessions import end_all_sessions
from podhost.errors import Forbidden
from podhost.history.audit import acts_as, note
from podhost.mail import enqueue_mail
from podhost.models import Account, Mail

# The template, and the kind of message that is made when it is sent.
LETTER = "reset"
_CHANGED = "password-changed"


def request_reset(session: Session, email: str, *, language: str, now: datetime) -> None:
    """Have a link mailed to this address, if there is an account for it.

    Raises Invalid for what is no address.
    """
    errors = fields.FieldErrors()
    address = None
    with errors.noting("email"):
        address = fields.email(email)
        if address is None:
            raise ValueError("Write the e-mail address of your account.")
    errors.raise_any()
    assert address is not None
    expires_at = now + VALID_FOR[PASSWORD]
    enqueue_mail(
        session, LETTER, address.lower(), {}, language=language, now=now, expires_at=expires_at
    )


def make_letter(
    session: Session, mail: Mail, base_url: str, now: datetime
) -> dict[str, str] | None:
    """What the message says; None: there is no such account, and nothing is sent."""
    account = find_account(session, mail.recipient)
    if account is None or account.disabled_at is not None:
        return None
    if mail.error is not None:
        forget_links_of_mail(session, mail.id)
    secret = make_link(session, account, PASSWORD, mail_id=mail.id, now=now)
    return {"link": reset_address(base_url, secret)}


def reset_address(base_url: str, secret: str) -> str:
    """Where a password is set."""
    return f"{base_url}/studio/reset/{secret}"


def reset_password(
    session: Session,
    secret: str,
    password: str,
    *,
    revoke_tokens: bool = False,
    base_url: str,
    now: datetime,
) -> Account:
    """Set the password of the account that the link is for, and sign it out everywhere.

    With `revoke_tokens` no token of it is good any more either. Raises NotFound or Gone for the
    link, Invalid for the password.
    """
    link = get_link(session, secret, PASSWORD, now=now)
    account = session.get_one(Account, link.account_id)
    acts_as(account.id, account.name or account.email)
    if account.disabled_at is not None:
        raise Forbidden("This account is closed.")
    _set(session, account, password, now)
    end_all_sessions(session, account.id)
    are_revoked = revoke_tokens and _revoke_tokens(session, account, now)
    _tell(session, account, are_revoked, base_url=base_url, now=now)
    return account


def change_password(
    session: Session,
    account: Account,
    password: str,
    *,
    keep_session: str | None,
    revoke_tokens: bool = False,
    base_url: str,
    now: datetime,
) -> None:
    """Change the password of whoever has proven that they know the old one.

    Other browsers than the one of `keep_session` are signed out. With `revoke_tokens` no token is
    good any more, not even the one that asks. Raises Invalid with the field `password`.
    """
    _set(session, account, password, now)
    end_all_sessions(session, account.id, keep=keep_session)
    are_revoked = revoke_tokens and _revoke_tokens(session, account, now)
    _tell(session, account, are_revoked, base_url=base_url, now=now)


def _set(session: Session, account: Account, password: str, now: datetime) -> None:
    """Whoever knew the old password may have asked to have the account at an address of theirs."""
    set_password(session, account, password)
    for purpose in (PASSWORD, EMAIL):
        use_up_links(session, account.id, purpose, now=now)


def _revoke_tokens(session: Session, account: Account, now: datetime) -> bool:
    """Whether there was any; each has a row in the audit trail."""
    revoked = revoke_tokens_of(session, account.id, now=now)
    for token in revoked:
        note(session, "revoke_token", now=now, subject=token.name)
    return bool(revoked)


def _tell(
    session: Session, account: Account, are_revoked: bool, *, base_url: str, now: datetime
) -> None:
    content = {"link": f"{base_url}/studio/forgotten"}
    if are_revoked:
        content["tokens"] = "revoked"
    enqueue_mail(
        session,
        _CHANGED,
        account.email,
        content,
        language=account.language or "en",
        now=now,
    )
