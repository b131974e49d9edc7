"""People and their credits: who is heard on a show or an episode, and in which role."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.artwork import artwork_url
from podhost.db import new_id
from podhost.feed_rows import ArtworkRow
from podhost.formats.podcast_namespace import normalise_role
from podhost.formats.text import slugify
from podhost.models import Artwork, Credit, Episode, Person, Show

MOST_CREDITS = 200
# Apps show people as small circles.
PICTURE_PIXELS = 300
_ID = re.compile(r"[0-9a-f]{16}")
_KEPT = ("name", "role", "group", "url", "bio", "image_url", "artwork_id")


class CreditInput(msgspec.Struct, kw_only=True):
    """A person's part. `role` and `group` by the Podcast Taxonomy; a guest unless said otherwise.

    `artwork_id` names a picture that podhost holds; without one, `image_url` is linked.
    """

    name: str
    role: str | None = None
    group: str | None = None
    url: str | None = None
    bio: str | None = None
    image_url: str | None = None
    artwork_id: str | UnsetType | None = UNSET


def set_credits(
    session: Session,
    show: Show,
    episode: Episode | None,
    people: Sequence[CreditInput],
    *,
    guests: Sequence[CreditInput] = (),
) -> bool:
    """Replace the credits of an episode, guests first, or of the show where `episode` is None.

    False when they were so already. Raises Invalid with a sentence for each wrong entry.
    """
    default_role = "guest" if episode is not None else "host"
    wanted = read_credits(
        session, [*guests, *people], default_role=default_role, guests=len(guests)
    )
    current = list_credits(session, show, episode)
    if [credit_values(credit) for credit in current] == wanted:
        return False
    for credit in current:
        session.delete(credit)
    for position, values in enumerate(wanted):
        person = _person(session, show, values)
        session.add(
            Credit(
                id=new_id(),
                show_id=show.id,
                episode_id=episode.id if episode is not None else None,
                person_id=person.id,
                position=position,
                **values,
            )
        )
    session.flush()
    if episode is not None:
        session.expire(episode, ["credits"])
    return True


def list_credits(session: Session, show: Show, episode: Episode | None) -> Sequence[Credit]:
    """The credits of an episode, or of the show itself where `episode` is None, in order."""
    return session.scalars(
        select(Credit)
        .where(Credit.show_id == show.id, Credit.episode_id == (episode.id if episode else None))
        .order_by(Credit.position)
    ).all()


def picture_url(base_url: str, credit: Credit) -> str | None:
    """The person's picture: the one that podhost holds, small, or else the one that is linked."""
    return held_picture_url(base_url, credit.artwork) or credit.image_url


def held_picture_url(base_url: str, artwork: Artwork | ArtworkRow | Row[Any] | None) -> str | None:
    """The address of a person's picture that podhost holds."""
    return artwork_url(base_url, artwork, size=PICTURE_PIXELS) if artwork is not None else None


def name_key(name: str) -> str:
    """What makes two spellings the same person: case and white space do not count."""
    return " ".join(name.casefold().split())[:255]


def credit_values(credit: Credit) -> dict[str, Any]:
    """What a credit says, as `read_credits` gives it: the two can be compared."""
    return {name: getattr(credit, name) for name in _KEPT}


def read_credits(
    session: Session, given: Sequence[CreditInput], *, default_role: str, guests: int = 0
) -> list[dict[str, Any]]:
    """The values to keep of what was given. Raises Invalid with a sentence for each wrong entry.

    The first ones, as many as `guests` says, were given in a list of that name.
    """
    errors = fields.FieldErrors()
    if len(given) > MOST_CREDITS:
        with errors.noting("people"):
            raise ValueError(f"{len(given)} people are named; {MOST_CREDITS} are the most.")
    wanted: list[dict[str, Any]] = []
    for index, entry in enumerate(given[:MOST_CREDITS]):
        place = f"guests[{index}]" if index < guests else f"people[{index - guests}]"
        values: dict[str, Any] = {"artwork_id": None}
        with errors.noting(f"{place}.artwork_id"):
            if entry.artwork_id is not UNSET and entry.artwork_id is not None:
                values["artwork_id"] = _held_artwork_id(session, entry.artwork_id)
        with errors.noting(f"{place}.name"):
            values["name"] = fields.required_line(entry.name)
        with errors.noting(f"{place}.role"):
            values["role"], values["group"] = normalise_role(
                entry.role or default_role, entry.group
            )
        with errors.noting(f"{place}.url"):
            values["url"] = fields.web_url(entry.url)
        with errors.noting(f"{place}.bio"):
            values["bio"] = fields.paragraph(entry.bio)
        with errors.noting(f"{place}.image_url"):
            values["image_url"] = fields.web_url(entry.image_url)
        wanted.append(values)
    errors.raise_any()
    return [{name: values[name] for name in _KEPT} for values in wanted]


def _held_artwork_id(session: Session, value: str) -> str:
    if not _ID.fullmatch(value) or session.get(Artwork, value) is None:
        raise ValueError("podhost holds no picture with this id.")
    return value


def _person(session: Session, show: Show, values: dict[str, Any]) -> Person:
    """The row of this person on this show, made or brought up to what was last said of them."""
    key = name_key(values["name"])
    person = session.scalar(select(Person).where(Person.show_id == show.id, Person.name_key == key))
    if person is None:
        person = Person(
            id=new_id(),
            show_id=show.id,
            slug=_free_slug(session, show, slugify(values["name"], fallback="guest")),
            name=values["name"],
            name_key=key,
            bio="",
        )
        session.add(person)
    person.name = values["name"]
    for name in ("url", "bio", "image_url", "artwork_id"):
        if values[name]:
            setattr(person, name, values[name])
    session.flush()
    return person


def _free_slug(session: Session, show: Show, wanted: str) -> str:
    taken = set(
        session.scalars(
            select(Person.slug).where(Person.show_id == show.id, Person.slug.startswith(wanted))
        )
    )
    candidate, number = wanted, 2
    while candidate in taken:
        candidate, number = f"{wanted}-{number}", number + 1
    return candidate
