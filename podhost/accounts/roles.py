"""Who may do what: the one place that knows roles and permissions; it reads no request.

A stranger to a show is told that it is not there, whoever has too small a role is told which one
it takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.errors import Forbidden, NotFound
from podhost.models import Membership, Show
from podhost.shows import list_shows

# The place on a database session where it stands who acts in it.
_ACTOR = "actor"


class Permission(StrEnum):
    """What a page or a call of the API asks of whoever calls it."""

    # Nobody has to be signed in.
    ANYONE = "anyone"
    # Any account; what it is shown is only its own.
    SIGNED_IN = "signed in"
    # See a show with its drafts and its numbers.
    VIEW = "view"
    # Change what is told: episodes, audio, guests.
    EDIT = "edit"
    # Decide over the show: its settings, its team, its way to another host, its end.
    MANAGE = "manage"
    # Run this podhost: make shows, move them in, give out accounts.
    OPERATE = "operate"


OWNER, EDITOR, ANALYST = "owner", "editor", "analyst"
ROLES: dict[str, frozenset[Permission]] = {
    OWNER: frozenset({Permission.VIEW, Permission.EDIT, Permission.MANAGE}),
    EDITOR: frozenset({Permission.VIEW, Permission.EDIT}),
    ANALYST: frozenset({Permission.VIEW}),
}
_TOO_SMALL = {
    Permission.VIEW: "Your role on this show does not let you see this.",
    Permission.EDIT: (
        "You may look at this show and not change it; its owner can make you an editor."
    ),
    Permission.MANAGE: "Only an owner of this show may do this.",
    Permission.OPERATE: "Only an operator of this podhost may do this.",
}


@dataclass(frozen=True, slots=True)
class Actor:
    """An account that acts now, by a sign-in or by a token."""

    account_id: str
    email: str
    name: str = ""
    is_operator: bool = False
    # False: a token that may only read.
    can_write: bool = True
    # The one show that a token is good for; None: all that the account may touch.
    show_id: str | None = None
    # What it acts by; one of the two.
    session_id: str | None = None
    token_id: str | None = None

    @property
    def known_as(self) -> str:
        """The name that others read."""
        return self.name or self.email


def act(session: Session, actor: Actor | None) -> None:
    """Note on a database session who acts in it, for history and audit."""
    if actor is not None:
        session.info[_ACTOR] = actor


def acting(session: Session) -> Actor | None:
    """Who acts in this database session; None: podhost itself, a folder or the command line."""
    actor = session.info.get(_ACTOR)
    return actor if isinstance(actor, Actor) else None


def role_of(session: Session, actor: Actor, show_id: str) -> str | None:
    """The role that an account was given on a show; operators need none."""
    return session.scalar(
        select(Membership.role).where(
            Membership.show_id == show_id, Membership.account_id == actor.account_id
        )
    )


def permissions_on(session: Session, actor: Actor, show_id: str) -> frozenset[Permission]:
    """What an actor may do on a show; nothing at all: the show is none of their business."""
    if actor.show_id is not None and actor.show_id != show_id:
        return frozenset()
    if actor.is_operator:
        return ROLES[OWNER]
    return ROLES.get(role_of(session, actor, show_id) or "", frozenset())


def require(
    session: Session, actor: Actor, show: Show, permission: Permission
) -> frozenset[Permission]:
    """All that the actor may do on the show. Raises NotFound for strangers, and Forbidden for too
    small a role."""
    allowed = permissions_on(session, actor, show.id)
    if not allowed:
        raise NotFound(f"There is no show {show.slug!r} here.")
    if permission not in allowed:
        raise Forbidden(_TOO_SMALL[permission])
    return allowed


def require_operator(actor: Actor) -> None:
    """Raises Forbidden for everybody else, and for tokens that are good for one show only."""
    if not actor.is_operator or actor.show_id is not None:
        raise Forbidden(_TOO_SMALL[Permission.OPERATE])


def make_owner(session: Session, show: Show, actor: Actor, *, now: datetime) -> None:
    """Whoever makes a show owns it, also when they run this podhost no longer."""
    session.add(
        Membership(show_id=show.id, account_id=actor.account_id, role=OWNER, created_at=now)
    )
    session.flush()


def shows_to_edit(session: Session, actor: Actor, shows: Sequence[Show]) -> frozenset[str]:
    """The ids of those of these shows whose episodes an actor may change."""
    if actor.is_operator:
        return frozenset(show.id for show in shows)
    roles = [role for role, permissions in ROLES.items() if Permission.EDIT in permissions]
    theirs = select(Membership.show_id).where(
        Membership.account_id == actor.account_id, Membership.role.in_(roles)
    )
    return frozenset(session.scalars(theirs))


def list_shows_of(session: Session, actor: Actor) -> Sequence[Show]:
    """The shows that an actor may see, by title."""
    shows = list_shows(session)
    if actor.show_id is not None:
        shows = [show for show in shows if show.id == actor.show_id]
    if actor.is_operator:
        return shows
    theirs = set(
        session.scalars(select(Membership.show_id).where(Membership.account_id == actor.account_id))
    )
    return [show for show in shows if show.id in theirs]
