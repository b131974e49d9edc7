"""What the commands of accounts do where that is more than one call; the command line prints."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from podhost.accounts.accounts import create_account, find_account
from podhost.accounts.links import PASSWORD, make_link
from podhost.accounts.password_reset import reset_address
from podhost.accounts.team import (
    account_answers,
    add_member,
    disable_account,
    enable_account,
    set_operator,
)
from podhost.errors import NotFound
from podhost.instance import Instance
from podhost.models import Account
from podhost.shows import get_show


def make_account(
    instance: Instance,
    email: str,
    *,
    name: str,
    password: str | None,
    is_operator: bool,
    show_slug: str | None,
    role: str,
) -> dict[str, Any]:
    """A new account, in the team of a show where one is named; with its password if made up.

    Raises Invalid, Conflict or NotFound with a sentence.
    """
    with instance.database.write() as session:
        now = instance.now()
        made, secret = create_account(
            session, email, name=name, password=password, is_operator=is_operator, now=now
        )
        if show_slug is not None:
            add_member(session, get_show(session, show_slug).id, made.id, role, now=now)
        answer = {"id": made.id, "email": made.email}
    return answer if password is not None else answer | {"password": secret}


def all_accounts(instance: Instance) -> list[dict[str, Any]]:
    """Every account, with its roles."""
    with instance.database.read() as session:
        return [msgspec.structs.asdict(row) for row in account_answers(session)]


def reset_link(instance: Instance, email: str) -> str:
    """A link with which the account's password is set. Raises NotFound."""
    with instance.database.write() as session:
        account = _account(session, email)
        secret = make_link(session, account, PASSWORD, now=instance.now())
    return reset_address(instance.base_url, secret)


def change_account(
    instance: Instance, email: str, *, is_operator: bool | None, is_closed: bool | None
) -> None:
    """Change what is given. Raises NotFound, or Conflict for the last operator."""
    with instance.database.write() as session:
        account, now = _account(session, email), instance.now()
        if is_operator is not None:
            set_operator(session, account, is_operator, now=now)
        if is_closed is not None:
            _close(session, account, is_closed, now)


def _close(session: Session, account: Account, is_closed: bool, now: datetime) -> None:
    if is_closed:
        disable_account(session, account, now=now)
    else:
        enable_account(session, account)


def _account(session: Session, email: str) -> Account:
    account = find_account(session, email)
    if account is None:
        raise NotFound(f"There is no account {email}; make it with `podhost account create`.")
    return account
