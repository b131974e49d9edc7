"""Private links: a secret address for a guest of one episode, or to hear it before it is out.

A secret is shown when its link is made and not kept, like that of a token: whoever reads the
database or a backup of it must not be able to listen and to speak for guests. So a link cannot be
shown again; making another one is one click, and the earlier one goes on until it is revoked.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.db import new_id
from podhost.errors import Conflict, Gone, NotFound
from podhost.jobs import enqueue
from podhost.models import Credit, Episode, GuestLink, Person, Show

DRAW_PICTURES = "draw_share_pictures"
# Counted from the publication, or from the making of a link to an episode that was out before.
KEPT_AFTER_PUBLICATION = timedelta(days=90)
# What is never published must not be open for ever.
KEPT_BEFORE_PUBLICATION = timedelta(days=365)
MOST_LINKS = 50
_SECRET_BYTES = 32
_NOT_KNOWN = "This link is not known here. Ask whoever sent it to you for a new one."
_HAS_ENDED = "This link has ended. Ask whoever sent it to you for a new one."


@dataclass(frozen=True, slots=True)
class Guest:
    """Who opened a link, and what it is about. `credit` None: the link is a preview, or the person
    is no longer named in the episode."""

    link: GuestLink
    show: Show
    episode: Episode
    person: Person | None
    credit: Credit | None

    @property
    def is_out(self) -> bool:
        """Whether listeners can hear the episode."""
        return self.episode.status == "published"


def create_link(
    session: Session,
    episode: Episode,
    person_id: str | None,
    *,
    may_change: bool = False,
    email: str | None = None,
    expires_at: datetime | None = None,
    now: datetime,
) -> tuple[GuestLink, str]:
    """A new link to the episode and its secret, which is shown this once and not kept.

    `person_id` is somebody who is named in the episode; None makes a preview. Raises Invalid,
    NotFound for somebody else, Conflict when there are very many.
    """
    errors = fields.FieldErrors()
    address = None
    with errors.noting("email"):
        address = fields.email(email)
    with errors.noting("expires_at"):
        if expires_at is not None and expires_at <= now:
            raise ValueError("It must lie in the future.")
    errors.raise_any()
    if person_id is not None and find_credit(session, episode, person_id) is None:
        raise NotFound("Nobody with this id is named in the episode.")
    count = select(func.count()).where(
        GuestLink.episode_id == episode.id, GuestLink.revoked_at.is_(None)
    )
    if (session.scalar(count) or 0) >= MOST_LINKS:
        raise Conflict(f"The episode has {MOST_LINKS} links already; revoke some of them first.")
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    link = GuestLink(
        id=new_id(),
        episode_id=episode.id,
        person_id=person_id,
        secret_sha256=_fingerprint(secret),
        may_change=may_change and person_id is not None,
        email=address,
        created_at=now,
        expires_at=expires_at,
        pictures=0,
    )
    # Who gets a link to what is out has it from whoever made the link.
    link.told_at = now if episode.status == "published" else None
    session.add(link)
    session.flush()
    if person_id is not None and episode.status == "published":
        enqueue(session, DRAW_PICTURES, link.id, now=now, run_at=now)
    return link, secret


def open_link(session: Session, secret: str, *, is_preview: bool, now: datetime) -> Guest:
    """What the link with this secret leads to. Raises NotFound, or Gone for one that has ended.

    The look-up is by the hash of 256 random bits, as that of tokens is: nothing can be guessed
    step by step.
    """
    link = session.scalar(select(GuestLink).where(GuestLink.secret_sha256 == _fingerprint(secret)))
    if link is None or (link.person_id is None) != is_preview:
        raise NotFound(_NOT_KNOWN)
    episode = session.get_one(Episode, link.episode_id)
    show = episode.show
    if episode.deleted_at is not None or show.deleted_at is not None:
        raise Gone("This episode was taken away.")
    if not is_good(link, episode, now=now):
        raise Gone(_HAS_ENDED)
    if link.person_id is None:
        return Guest(link, show, episode, None, None)
    person = session.get_one(Person, link.person_id)
    return Guest(link, show, episode, person, find_credit(session, episode, person.id))


def is_good(link: GuestLink, episode: Episode, *, now: datetime) -> bool:
    """Whether the link opens, which a revoked one never does again."""
    return link.revoked_at is None and now < ends_at(link, episode)


def ends_at(link: GuestLink, episode: Episode) -> datetime:
    """When the link ends by itself: as its maker said, or some time after the publication."""
    if link.expires_at is not None:
        return link.expires_at
    if episode.status == "published" and episode.published_at is not None:
        return max(episode.published_at, link.created_at) + KEPT_AFTER_PUBLICATION
    return link.created_at + KEPT_BEFORE_PUBLICATION


def revoke_link(session: Session, link: GuestLink, *, now: datetime) -> None:
    """The link opens nothing from now on; what its guest proposed stays to be decided."""
    link.revoked_at = link.revoked_at or now
    session.flush()


def get_link(session: Session, episode: Episode, link_id: str) -> GuestLink:
    """A link of this episode. Raises NotFound."""
    link = session.get(GuestLink, link_id) if fields.may_be_slug(link_id) else None
    if link is None or link.episode_id != episode.id:
        raise NotFound("The episode has no such link.")
    return link


def list_links(session: Session, episode: Episode) -> Sequence[tuple[GuestLink, Person | None]]:
    """The episode's links that were not revoked, newest first, each with its person."""
    found = session.execute(
        select(GuestLink, Person)
        .outerjoin(Person, Person.id == GuestLink.person_id)
        .where(GuestLink.episode_id == episode.id, GuestLink.revoked_at.is_(None))
        .order_by(GuestLink.created_at.desc(), GuestLink.id)
    )
    return [(link, person) for link, person in found]


def find_credit(session: Session, episode: Episode, person_id: str) -> Credit | None:
    """The person's first part in the episode."""
    if not fields.may_be_slug(person_id):
        return None
    return session.scalar(
        select(Credit)
        .where(Credit.episode_id == episode.id, Credit.person_id == person_id)
        .order_by(Credit.position)
        .limit(1)
    )


def guest_path(secret: str) -> str:
    """The path of a guest's page."""
    return f"/studio/guests/{secret}"


def preview_path(secret: str) -> str:
    """The path of a plain preview."""
    return f"/studio/preview/{secret}"


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
