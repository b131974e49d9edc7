"""Asking somebody to work on a show, or to look after this podhost: by a link that works once.

Who has the link may take the invitation, with the account that they have or a new one. It says
who may invite whom nowhere: that is settled at the door.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.accounts.accounts import create_account, find_account
from podhost.accounts.links import fingerprint, new_secret
from podhost.accounts.roles import acting
from podhost.accounts.team import add_member, known_role
from podhost.db import new_id
from podhost.errors import Conflict, Forbidden, Gone, Invalid, NotFound
from podhost.history.audit import acts_as, is_about
from podhost.mail import MailState, enqueue_mail, mail_states, withdraw_mail
from podhost.models import Account, Invitation, Membership, Show
from podhost.translations import LANGUAGES

OPERATOR = "operator"
VALID_FOR = timedelta(days=7)
_TO_SHOW, _TO_PODHOST = "invitation", "operator-invitation"


class InvitationAnswer(msgspec.Struct, kw_only=True):
    """An invitation that nobody took yet. `link` is there once, where no mail carries it."""

    id: str
    email: str
    role: str
    show: str | None
    status: str
    invited_by: str | None
    created_at: datetime
    expires_at: datetime
    mail: MailState | None
    link: str | None = None


class InvitationShown(msgspec.Struct, kw_only=True):
    """What whoever has the link is told of it. Without a show, it is to look after this podhost."""

    email: str
    role: str
    # The show's slug, and what it is called.
    show: str | None
    show_title: str | None
    invited_by: str | None
    has_account: bool
    expires_at: datetime


def create_invitation(
    session: Session,
    email: str,
    role: str,
    show: Show | None,
    *,
    base_url: str,
    language: str,
    now: datetime,
) -> tuple[Invitation, str]:
    """Invite somebody, and have the link mailed; the link as well.

    Without `show` they are to be an operator. An earlier invitation of the same address to the
    same is good no longer. Raises Invalid with fields, or Conflict for who has the role already.
    """
    errors = fields.FieldErrors()
    address = None
    with errors.noting("email"):
        address = fields.email(email)
        if address is None:
            raise ValueError("Write the e-mail address of whom you invite.")
    with errors.noting("role"):
        _check_role(role, show)
    with errors.noting("language"):
        fields.one_of(*LANGUAGES)(language)
    errors.raise_any()
    assert address is not None
    address = address.lower()
    _require_news(session, address, show)
    for earlier in _open(session, show, address):
        _revoke(session, earlier, now)
    secret, actor = new_secret(), acting(session)
    invitation = Invitation(
        id=new_id(),
        email=address,
        role=role,
        show_id=show.id if show is not None else None,
        secret_sha256=fingerprint(secret),
        invited_by=actor.account_id if actor is not None else None,
        created_at=now,
        expires_at=now + VALID_FOR,
    )
    link = f"{base_url}/studio/invitations/{secret}"
    mail = enqueue_mail(
        session,
        _TO_PODHOST if show is None else _TO_SHOW,
        address,
        {
            "inviter": actor.known_as if actor is not None else "",
            "show": show.title if show is not None else "",
            "role": role,
            "link": link,
        },
        language=language,
        now=now,
        expires_at=invitation.expires_at,
    )
    invitation.mail_id = mail.id
    is_about(address)
    session.add(invitation)
    session.flush()
    return invitation, link


def _check_role(role: str, show: Show | None) -> None:
    if show is not None:
        known_role(role)
    elif role != OPERATOR:
        raise ValueError("To this podhost as a whole, only operators are invited.")


def _require_news(session: Session, address: str, show: Show | None) -> None:
    account = find_account(session, address)
    if account is None:
        return
    if show is None and account.is_operator:
        raise Conflict(f"{address} is an operator already.")
    if show is not None and session.get(Membership, (show.id, account.id)) is not None:
        raise Conflict(f"{address} is in the team already; change the role there.")


def list_invitations(
    session: Session, show: Show | None, *, now: datetime
) -> list[InvitationAnswer]:
    """Those of a show, or to run this podhost, that nobody took; the newest first."""
    found = _open(session, show)
    mails = mail_states(session, [row.mail_id for row in found])
    senders = _names(session, found)
    return [_answer(row, show, mails, senders, now) for row in found]


def invitation_answer(
    session: Session, invitation: Invitation, show: Show | None, *, now: datetime
) -> InvitationAnswer:
    """One of them."""
    mails = mail_states(session, [invitation.mail_id])
    return _answer(invitation, show, mails, _names(session, [invitation]), now)


def _answer(
    row: Invitation,
    show: Show | None,
    mails: dict[str, MailState],
    senders: dict[str, str],
    now: datetime,
) -> InvitationAnswer:
    return InvitationAnswer(
        id=row.id,
        email=row.email,
        role=row.role,
        show=show.slug if show is not None else None,
        status="waiting" if row.expires_at > now else "expired",
        invited_by=senders.get(row.invited_by or ""),
        created_at=row.created_at,
        expires_at=row.expires_at,
        mail=mails.get(row.mail_id or ""),
    )


def _names(session: Session, rows: Sequence[Invitation]) -> dict[str, str]:
    ids = {row.invited_by for row in rows if row.invited_by is not None}
    found = session.scalars(select(Account).where(Account.id.in_(ids)))
    return {account.id: account.name or account.email for account in found}


def _open(session: Session, show: Show | None, email: str | None = None) -> Sequence[Invitation]:
    show_id = show.id if show is not None else None
    statement = select(Invitation).where(
        Invitation.show_id.is_(None) if show_id is None else Invitation.show_id == show_id,
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
    )
    if email is not None:
        statement = statement.where(Invitation.email == email)
    return session.scalars(statement.order_by(Invitation.created_at.desc(), Invitation.id)).all()


def revoke_invitation(
    session: Session, show: Show | None, invitation_id: str, *, now: datetime
) -> None:
    """The link works no more. Raises NotFound for one of another show, or that was taken."""
    for row in _open(session, show):
        if row.id == invitation_id:
            _revoke(session, row, now)
            is_about(row.email)
            return
    raise NotFound("There is no such invitation.")


def _revoke(session: Session, invitation: Invitation, now: datetime) -> None:
    invitation.revoked_at = now
    withdraw_mail(session, invitation.mail_id)
    session.flush()


# Taking one


def get_invitation(
    session: Session, secret: str, *, now: datetime, lock: bool = False
) -> Invitation:
    """The invitation that this link is for.

    Raises NotFound, or Gone when it was taken, taken back, or is too old.
    """
    statement = select(Invitation).where(Invitation.secret_sha256 == fingerprint(secret))
    if lock:
        # Read anew: somebody may have taken it since it was looked at.
        statement = statement.with_for_update().execution_options(populate_existing=True)
    invitation = session.scalar(statement)
    if invitation is None:
        raise NotFound("This invitation is not known here; is the whole link there?")
    if invitation.accepted_at is not None:
        raise Gone("This invitation was accepted already.")
    if invitation.revoked_at is not None:
        raise Gone("This invitation was taken back; ask for a new one.")
    if invitation.expires_at <= now:
        raise Gone("This invitation is too old; ask for a new one.")
    if (show := invited_to(session, invitation)) is not None and show.deleted_at is not None:
        raise Gone("The show was deleted.")
    return invitation


def show_invitation(session: Session, secret: str, *, now: datetime) -> InvitationShown:
    """What the link is for, to whoever has it; it uses nothing up.

    Raises NotFound, or Gone when it was taken, taken back, or is too old.
    """
    invitation = get_invitation(session, secret, now=now)
    show = invited_to(session, invitation)
    return InvitationShown(
        email=invitation.email,
        role=invitation.role,
        show=show.slug if show is not None else None,
        show_title=show.title if show is not None else None,
        invited_by=_names(session, [invitation]).get(invitation.invited_by or ""),
        has_account=find_account(session, invitation.email) is not None,
        expires_at=invitation.expires_at,
    )


def invited_to(session: Session, invitation: Invitation) -> Show | None:
    """The show; None: the whole podhost."""
    return session.get(Show, invitation.show_id) if invitation.show_id is not None else None


def accept_as_new(
    session: Session, secret: str, *, name: str, password: str, language: str | None, now: datetime
) -> Account:
    """Take the invitation with a new account, whose address the link proves.

    Raises NotFound or Gone for the link, Invalid with fields, or Conflict where the address has
    an account.
    """
    invitation = get_invitation(session, secret, now=now, lock=True)
    if not password:
        sentence = "Choose a password."
        raise Invalid(f"password: {sentence}", {"password": sentence})
    account, _ = create_account(session, invitation.email, name=name, password=password, now=now)
    account.language = language
    _accept(session, invitation, account, now)
    return account


def accept_as(session: Session, secret: str, account: Account, *, now: datetime) -> Account:
    """Take the invitation with an account that is there, whatever its address.

    Raises NotFound or Gone for the link, Forbidden for an account that is closed.
    """
    invitation = get_invitation(session, secret, now=now, lock=True)
    if account.disabled_at is not None:
        raise Forbidden("This account is closed.")
    _accept(session, invitation, account, now)
    return account


def _accept(session: Session, invitation: Invitation, account: Account, now: datetime) -> None:
    if invitation.show_id is None:
        account.is_operator = True
    else:
        add_member(session, invitation.show_id, account.id, invitation.role, now=now)
    invitation.accepted_at, invitation.accepted_by = now, account.id
    acts_as(account.id, account.name or account.email)
    # It may still wait, where the link came by another way.
    withdraw_mail(session, invitation.mail_id)
    session.flush()
