"""Who works on a show and in which role, and who has an account here; it invites nobody.

A show keeps an owner and this podhost an operator, whatever their colleagues take from each other:
the rows that could contradict that are locked before they are counted.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from podhost import fields
from podhost.accounts.accounts import list_accounts
from podhost.accounts.roles import OWNER, ROLES, acting
from podhost.accounts.sessions import end_all_sessions
from podhost.errors import Conflict, NotFound
from podhost.history.audit import is_about
from podhost.models import Account, Invitation, LoginSession, Membership, Show
from podhost.shows import lock_show


class Member(msgspec.Struct, kw_only=True):
    """An account and its role on a show."""

    id: str
    email: str
    name: str
    role: str
    since: datetime
    is_disabled: bool


class AccountAnswer(msgspec.Struct, kw_only=True):
    """An account as operators see it."""

    id: str
    email: str
    name: str
    is_operator: bool
    created_at: datetime
    disabled_at: datetime | None
    # Of its browsers; None: it is not signed in.
    seen_at: datetime | None
    # The shows on which it has a role, by slug, and the role.
    roles: dict[str, str]


def list_members(session: Session, show: Show) -> list[Member]:
    """Who works on the show: owners first, then by name."""
    rows = session.execute(
        select(Account, Membership.role, Membership.created_at)
        .join(Membership, Membership.account_id == Account.id)
        .where(Membership.show_id == show.id)
    )
    members = [_member(account, role, since) for account, role, since in rows]
    order = list(ROLES)
    return sorted(members, key=lambda each: (order.index(each.role), each.name or each.email))


def get_member(session: Session, show: Show, account_id: str) -> Member:
    """One of them. Raises NotFound."""
    membership = session.get(Membership, (show.id, account_id))
    if membership is None:
        raise NotFound("This account is not in the team.")
    account = session.get_one(Account, account_id)
    return _member(account, membership.role, membership.created_at)


def _member(account: Account, role: str, since: datetime) -> Member:
    return Member(
        id=account.id,
        email=account.email,
        name=account.name,
        role=role,
        since=since,
        is_disabled=account.disabled_at is not None,
    )


def known_role(role: str) -> str:
    """A role on a show. Raises ValueError for what is none."""
    if role not in ROLES:
        raise ValueError(f"It must be one of {', '.join(ROLES)}.")
    return role


def set_role(session: Session, show: Show, account_id: str, role: str, *, now: datetime) -> None:
    """Give a member another role. Only operators take in who was not invited.

    Raises Invalid, NotFound, or Conflict for the last owner.
    """
    errors = fields.FieldErrors()
    with errors.noting("role"):
        known_role(role)
    errors.raise_any()
    lock_show(session, show.id)
    membership = session.get(Membership, (show.id, account_id))
    _is_about(session, account_id)
    if membership is not None:
        if role != OWNER:
            _require_other_owner(session, show, account_id)
            _revoke_invitations(session, account_id, show_id=show.id, now=now)
        membership.role = role
    elif not _is_free(session) or session.get(Account, account_id) is None:
        raise NotFound("This account is not in the team; invite it by its e-mail address.")
    else:
        add_member(session, show.id, account_id, role, now=now)
    session.flush()


def add_member(
    session: Session, show_id: str, account_id: str, role: str, *, now: datetime
) -> None:
    """Take an account into the team; who is in it keeps the greater role of the two."""
    membership = session.get(Membership, (show_id, account_id), with_for_update=True)
    if membership is None:
        session.add(Membership(show_id=show_id, account_id=account_id, role=role, created_at=now))
    elif ROLES[role] > ROLES[membership.role]:
        membership.role = role
    session.flush()


def remove_member(session: Session, show: Show, account_id: str, *, now: datetime) -> None:
    """Take somebody out of the team, with the invitations that they sent and nobody took yet.

    Raises NotFound, or Conflict for the last owner.
    """
    lock_show(session, show.id)
    membership = session.get(Membership, (show.id, account_id))
    if membership is None:
        raise NotFound("This account is not in the team.")
    _require_other_owner(session, show, account_id)
    session.delete(membership)
    _is_about(session, account_id)
    _revoke_invitations(session, account_id, show_id=show.id, now=now)
    session.flush()


def _is_about(session: Session, account_id: str) -> None:
    if (account := session.get(Account, account_id)) is not None:
        is_about(account.name or account.email)


def _revoke_invitations(
    session: Session, account_id: str, *, show_id: str | None = None, now: datetime
) -> None:
    """Or somebody who has to go could come back by a door that they left open."""
    theirs = update(Invitation).where(
        Invitation.invited_by == account_id,
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
    )
    if show_id is not None:
        theirs = theirs.where(Invitation.show_id == show_id)
    session.execute(theirs.values(revoked_at=now))


def _revoke_operators_invitations(session: Session, account_id: str, *, now: datetime) -> None:
    """Those that only an operator may send; to shows of their own, they still may."""
    owned = select(Membership.show_id).where(
        Membership.account_id == account_id, Membership.role == OWNER
    )
    session.execute(
        update(Invitation)
        .where(
            Invitation.invited_by == account_id,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
            or_(Invitation.show_id.is_(None), Invitation.show_id.not_in(owned)),
        )
        .values(revoked_at=now)
    )


def _require_other_owner(session: Session, show: Show, account_id: str) -> None:
    others = (
        select(Membership.account_id)
        .join(Account, Account.id == Membership.account_id)
        .where(
            Membership.show_id == show.id,
            Membership.role == OWNER,
            Account.disabled_at.is_(None),
        )
    )
    owners = set(session.scalars(others))
    if owners == {account_id} and not _is_free(session):
        raise Conflict("This is the last owner of the show; make somebody else an owner first.")


def _is_free(session: Session) -> bool:
    """Operators look after shows without an owner; so does who has the command line."""
    actor = acting(session)
    return actor is None or actor.is_operator


# Accounts


def get_account(session: Session, account_id: str, *, lock: bool = False) -> Account:
    """The account. Raises NotFound."""
    account = session.get(Account, account_id, with_for_update=lock)
    if account is None:
        raise NotFound("There is no such account.")
    return account


def account_answers(session: Session) -> list[AccountAnswer]:
    """All accounts, oldest first."""
    roles: dict[str, dict[str, str]] = {}
    on_shows = (
        select(Membership.account_id, Show.slug, Membership.role)
        .join(Show, Show.id == Membership.show_id)
        .where(Show.deleted_at.is_(None))
        .order_by(Show.slug)
    )
    for account_id, slug, role in session.execute(on_shows):
        roles.setdefault(account_id, {})[slug] = role
    last = select(LoginSession.account_id, func.max(LoginSession.seen_at)).group_by(
        LoginSession.account_id
    )
    seen: dict[str, datetime] = {account_id: at for account_id, at in session.execute(last)}
    return [
        account_answer(account, roles.get(account.id, {}), seen.get(account.id))
        for account in list_accounts(session)
    ]


def account_answer(
    account: Account, roles: dict[str, str], seen_at: datetime | None
) -> AccountAnswer:
    """One account, with what is known of it."""
    return AccountAnswer(
        id=account.id,
        email=account.email,
        name=account.name,
        is_operator=account.is_operator,
        created_at=account.created_at,
        disabled_at=account.disabled_at,
        seen_at=seen_at,
        roles=roles,
    )


def set_operator(session: Session, account: Account, is_operator: bool, *, now: datetime) -> None:
    """Let the account run this podhost, or no more. Raises Conflict for the last operator."""
    if not is_operator:
        _require_other_operator(session, account)
        _revoke_operators_invitations(session, account.id, now=now)
    account.is_operator = is_operator
    is_about(account.name or account.email)
    session.flush()


def disable_account(session: Session, account: Account, *, now: datetime) -> None:
    """Nobody signs in to the account or acts by its tokens until it is enabled again.

    Raises Conflict for the last operator.
    """
    _require_other_operator(session, account)
    is_about(account.name or account.email)
    account.disabled_at = account.disabled_at or now
    end_all_sessions(session, account.id)
    _revoke_invitations(session, account.id, now=now)
    session.flush()


def enable_account(session: Session, account: Account) -> None:
    """The account is as it was before."""
    account.disabled_at = None
    is_about(account.name or account.email)
    session.flush()


def delete_account(session: Session, account: Account, *, now: datetime) -> None:
    """The account ends, with its roles, sign-ins and tokens; history keeps its name as text.

    Raises Conflict for the last operator, and for the last owner of a show, unless an operator
    does it.
    """
    _require_other_operator(session, account)
    owned = session.scalars(
        select(Show)
        .join(Membership, Membership.show_id == Show.id)
        .where(
            Membership.account_id == account.id,
            Membership.role == OWNER,
            Show.deleted_at.is_(None),
        )
        .order_by(Show.id)
    ).all()
    for show in owned:
        lock_show(session, show.id)
        try:
            _require_other_owner(session, show, account.id)
        except Conflict:
            raise Conflict(
                f"“{show.title}” would have no owner; make somebody else an owner of it first."
            ) from None
    _revoke_invitations(session, account.id, now=now)
    is_about(account.name or account.email)
    # The row's children go with it by their foreign keys.
    session.execute(delete(Account).where(Account.id == account.id))


def _require_other_operator(session: Session, account: Account) -> None:
    """All operators are locked, or two of them could take it from each other at once."""
    if not account.is_operator or account.disabled_at is not None:
        return
    operators: Sequence[str] = session.scalars(
        select(Account.id)
        .where(Account.is_operator, Account.disabled_at.is_(None))
        .order_by(Account.id)
        .with_for_update()
    ).all()
    if set(operators) <= {account.id}:
        raise Conflict("This is the last operator; make somebody else an operator first.")
