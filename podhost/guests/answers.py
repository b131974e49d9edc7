"""What hosts are told of guests' links and proposals; it changes nothing and knows no HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.artwork import artwork_url
from podhost.guests.links import ends_at, find_credit, guest_path, list_links, preview_path
from podhost.guests.proposals import PICTURE, fields_of, list_open
from podhost.models import Artwork, Credit, Episode, GuestLink, GuestProposal, Person
from podhost.people import PICTURE_PIXELS, PersonLink, picture_url


class GuestLinkInput(msgspec.Struct, kw_only=True):
    """A private link to an episode: for `person`, an id of somebody who is named in it, or without
    one a plain preview. It ends 90 days after the publication, or at `expires_at`."""

    person: str | None = None
    may_change: bool = False
    email: str | None = None
    expires_at: datetime | None = None


class GuestLinkAnswer(msgspec.Struct, kw_only=True):
    """A private link. Its address, `url`, is told once, when it is made; null afterwards."""

    id: str
    person: str | None
    name: str | None
    may_change: bool
    email: str | None
    created_at: datetime
    ends_at: datetime
    told_at: datetime | None
    url: str | None


class GuestLinkList(msgspec.Struct, kw_only=True):
    """The links of an episode that were not revoked, newest first."""

    links: list[GuestLinkAnswer]


class WantedChange(msgspec.Struct, kw_only=True):
    """A field of a credit as it is and as its guest would have it; pictures are addresses."""

    field: str
    now: str | list[PersonLink] | None
    wanted: str | list[PersonLink] | None


class ProposalAnswer(msgspec.Struct, kw_only=True):
    """What a guest would have otherwise, until the host has decided it."""

    id: str
    person: str | None
    name: str | None
    status: str
    created_at: datetime
    changes: list[WantedChange]


class ProposalList(msgspec.Struct, kw_only=True):
    """What waits for the host's word, oldest first."""

    proposals: list[ProposalAnswer]


class Decision(msgspec.Struct, kw_only=True):
    """Which fields are decided (name, bio, url, links, picture); all of them, if unsaid."""

    fields: list[str] | None = None


def link_answers(session: Session, episode: Episode) -> GuestLinkList:
    """The episode's links as hosts see them."""
    return GuestLinkList(
        links=[link_answer(link, person, episode) for link, person in list_links(session, episode)]
    )


def link_answer(
    link: GuestLink,
    person: Person | None,
    episode: Episode,
    *,
    base_url: str = "",
    secret: str | None = None,
) -> GuestLinkAnswer:
    """One link; with the `secret` that was just made for it, its address."""
    path = preview_path if link.person_id is None else guest_path
    return GuestLinkAnswer(
        id=link.id,
        person=link.person_id,
        name=person.name if person is not None else None,
        may_change=link.may_change,
        email=link.email,
        created_at=link.created_at,
        ends_at=ends_at(link, episode),
        told_at=link.told_at,
        url=base_url + path(secret) if secret is not None else None,
    )


def proposal_answers(session: Session, episode: Episode, base_url: str) -> ProposalList:
    """Everything that waits for the host's word in this episode."""
    return ProposalList(
        proposals=[
            proposal_answer(session, episode, proposal, link, base_url)
            for proposal, link in list_open(session, episode)
        ]
    )


def proposal_answer(
    session: Session, episode: Episode, proposal: GuestProposal, link: GuestLink, base_url: str
) -> ProposalAnswer:
    """One proposal beside what the episode says now."""
    credit = find_credit(session, episode, link.person_id or "")
    person = session.get(Person, link.person_id) if link.person_id else None
    return ProposalAnswer(
        id=proposal.id,
        person=link.person_id,
        name=credit.name if credit is not None else person.name if person is not None else None,
        status=proposal.status,
        created_at=proposal.created_at,
        changes=[
            WantedChange(
                field=name,
                now=_now(credit, name, base_url),
                wanted=_wanted(session, proposal, name, base_url),
            )
            for name in fields_of(proposal)
        ],
    )


def count_open(session: Session, episode_ids: Sequence[str]) -> dict[str, int]:
    """How many proposals wait in each of these episodes; those without any are left out."""
    counts: dict[str, int] = {}
    found = (
        select(GuestLink.episode_id)
        .join(GuestProposal, GuestProposal.link_id == GuestLink.id)
        .where(GuestProposal.status == "open", GuestLink.episode_id.in_(episode_ids))
    )
    for episode_id in session.scalars(found):
        counts[episode_id] = counts.get(episode_id, 0) + 1
    return counts


def _now(credit: Credit | None, name: str, base_url: str) -> Any:
    if credit is None:
        return None
    if name == PICTURE:
        return picture_url(base_url, credit)
    value = getattr(credit, name)
    return _links(value) if name == "links" else value


def _wanted(session: Session, proposal: GuestProposal, name: str, base_url: str) -> Any:
    if name == PICTURE:
        artwork = session.get(Artwork, proposal.artwork_id)
        return artwork_url(base_url, artwork, size=PICTURE_PIXELS) if artwork else None
    value = proposal.wanted[name]
    return _links(value) if name == "links" else value


def _links(value: Any) -> list[PersonLink]:
    return [PersonLink(**link) for link in value or ()]
