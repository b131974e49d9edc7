"""Another e-mail address for an account, once a link that was mailed there was opened."""

from datetime import datetime

from sqlalchemy.orm import Session

from podhost import fields
from podhost.accounts.accounts import find_account
from podhost.accounts.links import EMAIL, PASSWORD, VALID_FOR, get_link, make_link, use_up
from podhost.errors import Conflict, Forbidden
from podhost.history.audit import acts_as
from podhost.mail import enqueue_mail
from podhost.models import Account

_CONFIRM, _CHANGED = "new-address", "address-changed"


def request_email_change(
    session: Session, account: Account, email: str, *, base_url: str, now: datetime
) -> None:
    """Have a link mailed to the new address. Whether it has an account here is not told.

    Raises Invalid, with the field `email`.
    """
    errors = fields.FieldErrors()
    address = None
    with errors.noting("email"):
        address = fields.email(email)
        if address is None or address.lower() == account.email:
            raise ValueError("Write the new e-mail address.")
    errors.raise_any()
    assert address is not None
    address = address.lower()
    secret = make_link(session, account, EMAIL, email=address, now=now)
    enqueue_mail(
        session,
        _CONFIRM,
        address,
        {"link": f"{base_url}/studio/confirm/{secret}"},
        language=account.language or "en",
        now=now,
        expires_at=now + VALID_FOR[EMAIL],
    )


def confirm_email(session: Session, secret: str, *, now: datetime) -> Account:
    """Give the account the address that the link proves; the old one is told.

    Raises NotFound or Gone for the link, Conflict when another account has the address,
    Forbidden for an account that is closed.
    """
    link = get_link(session, secret, EMAIL, now=now)
    account = session.get_one(Account, link.account_id)
    acts_as(account.id, account.name or account.email)
    assert link.email is not None
    if account.disabled_at is not None:
        raise Forbidden("This account is closed.")
    other = find_account(session, link.email)
    if other is not None and other.id != account.id:
        raise Conflict(f"There is an account for {link.email} already.")
    old, account.email = account.email, link.email
    use_up(session, account.id, EMAIL, now=now)
    # Those went to the old address.
    use_up(session, account.id, PASSWORD, now=now)
    session.flush()
    enqueue_mail(
        session,
        _CHANGED,
        old,
        {"email": account.email},
        language=account.language or "en",
        now=now,
    )
    return account
