"""What guests correct of themselves: kept until the host accepts it, or applied at once where the
link says so. It changes an episode by the same ways as its host does."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.db import new_id
from podhost.episodes import EpisodeInput, change_episode
from podhost.errors import Conflict, NotFound, TooManyRequests
from podhost.guests.links import Guest, find_credit
from podhost.models import Artwork, Credit, Episode, GuestLink, GuestProposal, Person
from podhost.people import CreditInput, PersonLink, find_person, name_key, read_links, rename_person

PICTURES_PER_DAY = 5
LONGEST_BIO = 2_000
PICTURE = "picture"
_DAY = timedelta(days=1)


class Correction(msgspec.Struct, kw_only=True):
    """What a guest would have said of themselves; fields that are not given stay as they are."""

    name: str | UnsetType = UNSET
    bio: str | UnsetType | None = UNSET
    url: str | UnsetType | None = UNSET
    links: list[PersonLink] | UnsetType | None = UNSET


def propose(
    session: Session,
    guest: Guest,
    given: Correction,
    *,
    artwork: Artwork | None = None,
    now: datetime,
) -> GuestProposal | None:
    """Keep what differs from the credit, or apply it where the link says so; None: nothing does.

    Nobody becomes somebody else whom the show knows without a host's word, whatever the link says.

    What the same link proposed before and nobody has decided gives way. Raises Invalid with every
    wrong field, Conflict where the guest is no longer named in the episode.
    """
    credit = guest.credit
    if credit is None:
        raise Conflict("You are no longer named in this episode; ask its host.")
    wanted = _differences(credit, given)
    earlier = find_open(session, guest.link)
    picture_id = artwork.id if artwork is not None else None
    if picture_id is None and earlier is not None:
        picture_id = earlier.artwork_id
    if picture_id == credit.artwork_id:
        picture_id = None
    if not wanted and picture_id is None:
        if earlier is not None:
            earlier.status, earlier.decided_at = "withdrawn", now
            session.flush()
        return None
    proposal = earlier or GuestProposal(id=new_id(), link_id=guest.link.id, status="open")
    proposal.wanted, proposal.artwork_id, proposal.created_at = wanted, picture_id, now
    session.add(proposal)
    session.flush()
    if guest.link.may_change and not _becomes_another(session, guest, wanted):
        _apply(session, guest.episode, credit, _values(proposal), now=now)
        proposal.status, proposal.decided_at = "applied", now
        session.flush()
    return proposal


def _becomes_another(session: Session, guest: Guest, wanted: Mapping[str, Any]) -> bool:
    known = find_person(session, guest.show, name_key(wanted.get("name", "")))
    here = {credit.person_id for credit in guest.episode.credits}
    return known is not None and known.id not in here


def take_picture(link: GuestLink, *, now: datetime) -> None:
    """Count one more picture that came by this link. Raises TooManyRequests.

    Each is kept in five sizes, so that who has a link could fill the storage.
    """
    since = link.pictures_since
    if since is None or not timedelta(0) <= now - since < _DAY:
        link.pictures, link.pictures_since = 0, now
    elif link.pictures >= PICTURES_PER_DAY:
        raise TooManyRequests(
            f"{PICTURES_PER_DAY} pictures a day are taken by this link; try again tomorrow.",
            (since + _DAY - now).total_seconds(),
        )
    link.pictures += 1


def list_open(session: Session, episode: Episode) -> Sequence[tuple[GuestProposal, GuestLink]]:
    """What waits for the host's word in this episode, oldest first."""
    found = session.execute(
        select(GuestProposal, GuestLink)
        .join(GuestLink, GuestLink.id == GuestProposal.link_id)
        .where(GuestLink.episode_id == episode.id, GuestProposal.status == "open")
        .order_by(GuestProposal.created_at, GuestProposal.id)
    )
    return [(proposal, link) for proposal, link in found]


def find_open(session: Session, link: GuestLink) -> GuestProposal | None:
    """What came by this link and waits for the host's word."""
    return session.scalar(
        select(GuestProposal).where(
            GuestProposal.link_id == link.id, GuestProposal.status == "open"
        )
    )


def get_proposal(session: Session, episode: Episode, proposal_id: str) -> GuestProposal:
    """One that was made for this episode. Raises NotFound."""
    found = session.get(GuestProposal, proposal_id) if fields.may_be_slug(proposal_id) else None
    link = session.get(GuestLink, found.link_id) if found is not None else None
    if found is None or link is None or link.episode_id != episode.id:
        raise NotFound("The episode has no such proposal.")
    return found


def fields_of(proposal: GuestProposal) -> list[str]:
    """What it would change: name, bio, url, links, picture."""
    return [*proposal.wanted, *([PICTURE] if proposal.artwork_id is not None else [])]


def accept(
    session: Session,
    episode: Episode,
    proposal: GuestProposal,
    only: Collection[str] | None = None,
    *,
    now: datetime,
) -> None:
    """Put what a guest proposed into the episode, all or `only` some of its fields; the others
    go on waiting. Raises Conflict when it was decided already or the guest is no longer named."""
    credit = _require_open(session, episode, proposal)
    values = {
        name: value for name, value in _values(proposal).items() if only is None or name in only
    }
    _apply(session, episode, credit, values, now=now)
    _leave_out(proposal, values)
    if not fields_of(proposal):
        proposal.status, proposal.decided_at = "accepted", now
    session.flush()


def decline(
    session: Session,
    episode: Episode,
    proposal: GuestProposal,
    only: Collection[str] | None = None,
    *,
    now: datetime,
) -> None:
    """Leave everything as it is, or `only` some of the fields; the others go on waiting.

    Raises Conflict when it was decided already.
    """
    _require_status(proposal)
    if only is not None and set(fields_of(proposal)) - set(only):
        _leave_out(proposal, only)
    else:
        proposal.status, proposal.decided_at = "declined", now
    session.flush()


def _require_status(proposal: GuestProposal) -> None:
    if proposal.status != "open":
        raise Conflict("This proposal was decided already.")


def _require_open(session: Session, episode: Episode, proposal: GuestProposal) -> Credit:
    _require_status(proposal)
    link = session.get_one(GuestLink, proposal.link_id)
    credit = find_credit(session, episode, link.person_id or "")
    if credit is None:
        raise Conflict("The guest is no longer named in this episode; decline the proposal.")
    return credit


def _leave_out(proposal: GuestProposal, names: Collection[str]) -> None:
    proposal.wanted = {name: value for name, value in proposal.wanted.items() if name not in names}
    if PICTURE in names:
        proposal.artwork_id = None


def _values(proposal: GuestProposal) -> dict[str, Any]:
    picture = {PICTURE: proposal.artwork_id} if proposal.artwork_id is not None else {}
    return {**proposal.wanted, **picture}


def _differences(credit: Credit, given: Correction) -> dict[str, Any]:
    """What was given, read, where it is not so already."""
    errors = fields.FieldErrors()
    wanted: dict[str, Any] = {}
    if given.name is not UNSET:
        with errors.noting("name"):
            wanted["name"] = fields.required_line(given.name)
    if given.bio is not UNSET:
        with errors.noting("bio"):
            wanted["bio"] = _bio(given.bio)
    if given.url is not UNSET:
        with errors.noting("url"):
            wanted["url"] = fields.web_url(given.url)
    if given.links is not UNSET:
        with errors.noting("links"):
            wanted["links"] = read_links(given.links)
    errors.raise_any()
    return {name: value for name, value in wanted.items() if getattr(credit, name) != value}


def _bio(value: str | None) -> str:
    bio = fields.paragraph(value)
    if len(bio) > LONGEST_BIO:
        raise ValueError(f"It has {len(bio)} characters; {LONGEST_BIO} are the most.")
    return bio


def _apply(
    session: Session, episode: Episode, credit: Credit, values: Mapping[str, Any], *, now: datetime
) -> None:
    """Change the episode's credit, and what is last known of the person."""
    if "name" in values:
        _rename(session, episode, credit, values["name"])
    changed = dict(values)
    if PICTURE in changed:
        # The one that podhost holds is the one that is shown.
        changed["artwork_id"] = changed.pop(PICTURE)
    people = [
        credit_input(each, changed if each.person_id == credit.person_id else {})
        for each in episode.credits
    ]
    change_episode(session, episode, EpisodeInput(guests=[], people=people), now=now)


def credit_input(credit: Credit, changed: Mapping[str, Any]) -> CreditInput:
    """A credit as it would be given, with some values changed; links as they are kept."""
    values: dict[str, Any] = {
        name: changed.get(name, getattr(credit, name))
        for name in ("name", "role", "group", "url", "bio", "image_url", "artwork_id", "links")
    }
    values["links"] = [PersonLink(**link) for link in values["links"] or ()]
    return CreditInput(**values)


def _rename(session: Session, episode: Episode, credit: Credit, name: str) -> None:
    """The person stays the same under the new name. Where the show knows somebody by that name,
    it is them, and the links to this episode follow."""
    person = session.get_one(Person, credit.person_id)
    known = find_person(session, episode.show, name_key(name))
    if known is None or known.id == person.id:
        rename_person(session, episode.show, person, name)
        return
    if any(each.person_id == known.id for each in episode.credits):
        raise Conflict(f"{name!r} is named in this episode already.")
    links = select(GuestLink).where(
        GuestLink.episode_id == episode.id, GuestLink.person_id == person.id
    )
    for link in session.scalars(links):
        link.person_id = known.id
    session.flush()
