"""Messages about guests: to hosts when something was proposed, to guests when an episode is out.

It sends nothing itself; a message is enqueued in the transaction of what it tells.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podhost.accounts.roles import EDITOR, OWNER
from podhost.errors import Conflict
from podhost.guests.links import Guest, create_link, find_credit, guest_path, is_good
from podhost.mail import enqueue_mail
from podhost.models import Account, Episode, GuestLink, GuestProposal, Membership, Show
from podhost.translations import choose_language

PROPOSAL_LETTER = "guest-proposal"
OUT_LETTER = "guest-episode-out"
# A guest who changes things again and again is told of once in so long.
_QUIET_FOR = timedelta(hours=1)


def tell_hosts(
    session: Session, guest: Guest, proposal: GuestProposal, *, base_url: str, now: datetime
) -> None:
    """Tell those who may decide it that a guest proposed something new.

    `base_url` is the address of the studio. Where another proposal came by the same link within
    the hour, they were told.
    """
    earlier = select(func.count()).where(
        GuestProposal.link_id == guest.link.id,
        GuestProposal.id != proposal.id,
        GuestProposal.created_at > now - _QUIET_FOR,
    )
    if session.scalar(earlier):
        return
    path = f"/studio/shows/{guest.show.slug}/episodes/{guest.episode.id}/guests"
    content = {
        "guest": guest.credit.name if guest.credit is not None else "",
        "show": guest.show.title,
        "title": guest.episode.title,
        "link": base_url + path,
    }
    for account in _hosts(session, guest.show):
        language = choose_language(account.language, "")
        enqueue_mail(session, PROPOSAL_LETTER, account.email, content, language=language, now=now)


def _hosts(session: Session, show: Show) -> Sequence[Account]:
    """Who may change the show's episodes; operators, where nobody was made its owner or editor."""
    is_able = Account.disabled_at.is_(None)
    hosts = session.scalars(
        select(Account)
        .join(Membership, Membership.account_id == Account.id)
        .where(Membership.show_id == show.id, Membership.role.in_((OWNER, EDITOR)), is_able)
        .order_by(Account.id)
    ).all()
    if hosts:
        return hosts
    operators = select(Account).where(Account.is_operator.is_(True), is_able)
    return session.scalars(operators.order_by(Account.id)).all()


def untold_link_ids(session: Session) -> Sequence[str]:
    """Links to episodes that are out by now, whose guests wait to be told."""
    return session.scalars(
        select(GuestLink.id)
        .join(Episode, Episode.id == GuestLink.episode_id)
        .join(Show, Show.id == Episode.show_id)
        .where(
            GuestLink.email.is_not(None),
            GuestLink.told_at.is_(None),
            GuestLink.revoked_at.is_(None),
            GuestLink.person_id.is_not(None),
            Episode.status == "published",
            Episode.deleted_at.is_(None),
            Show.deleted_at.is_(None),
        )
    ).all()


def tell_guest(session: Session, link_id: str, *, base_url: str, now: datetime) -> None:
    """Tell a guest that the episode is out, once, with a new link of their own: the secret of the
    one that they have is not kept."""
    link = session.get(GuestLink, link_id, with_for_update=True)
    if link is None or link.told_at is not None or link.email is None:
        return
    link.told_at = now
    episode = session.get_one(Episode, link.episode_id)
    show = episode.show
    credit = find_credit(session, episode, link.person_id or "")
    if credit is None or not is_good(link, episode, now=now):
        return
    address = f"{base_url}/{show.slug}/episodes/{episode.slug}"
    try:
        _, secret = create_link(
            session, episode, link.person_id, may_change=link.may_change, now=now
        )
    except Conflict:
        # There are very many links. The episode's own page does as well.
        secret = ""
    content = {
        "show": show.title,
        "title": episode.title,
        "page": address,
        "link": base_url + guest_path(secret) if secret else address,
    }
    enqueue_mail(
        session,
        OUT_LETTER,
        link.email,
        content,
        language=choose_language(None, show.language),
        now=now,
    )
