"""The people of a show as its hosts see them: list, change, make one of two spellings of a name.

Credits in episodes keep what they say, unless a host asks for the change to reach them too.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from podhost import fields
from podhost.changes import record_change
from podhost.editing.versions import note_edits
from podhost.errors import Conflict, NotFound
from podhost.jobs import enqueue
from podhost.models import Artwork, Credit, Episode, GuestLink, Person, Show
from podhost.people import (
    PersonLink,
    find_person,
    held_picture_url,
    name_key,
    publish_credits,
    read_links,
    rename_person,
)
from podhost.people_public import TOLD, merge_words, say_in_public
from podhost.search.rows import INDEX_SHOW
from podhost.shows import touch_show

_MOST_CHOICES = 2_000


class PersonInput(msgspec.Struct, kw_only=True):
    """What a host may say of somebody on the show; fields that are not given stay as they are.

    With `in_episodes` it is also said in every episode in which they are named.
    """

    name: str | UnsetType = UNSET
    bio: str | UnsetType | None = UNSET
    url: str | UnsetType | None = UNSET
    links: list[PersonLink] | UnsetType | None = UNSET
    in_episodes: bool = False


class ShowPerson(msgspec.Struct, kw_only=True):
    """Somebody who is or was named on a show, with what was last said of them.

    `spellings` are other names by which the same person is recognised, each with the id by which
    it can be taken off again.
    """

    id: str
    name: str
    bio: str
    url: str | None
    image_url: str | None
    links: list[PersonLink]
    episodes: int
    last_role: str | None
    spellings: list["Spelling"]


class Spelling(msgspec.Struct, kw_only=True):
    """Another name of somebody."""

    id: str
    name: str


class PersonList(msgspec.Struct, kw_only=True):
    """A page of people by name; `total` is how many there are."""

    people: list[ShowPerson]
    total: int


class Merge(msgspec.Struct, kw_only=True):
    """Whom somebody really is: the id of the person that stays."""

    into: str


def list_people(
    session: Session,
    show: Show,
    base_url: str,
    *,
    search: str = "",
    limit: int = 50,
    offset: int = 0,
) -> PersonList:
    """The show's people whose names or spellings hold the words of `search`, by name."""
    chosen = [Person.show_id == show.id, Person.merged_into_id.is_(None)]
    for word in name_key(search).split()[:5]:
        # Of any spelling: people look for the name that they know.
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        spelled = select(func.coalesce(Person.merged_into_id, Person.id)).where(
            Person.show_id == show.id, Person.name_key.like(pattern, escape="\\")
        )
        chosen.append(Person.id.in_(spelled))
    total = session.scalar(select(func.count()).select_from(Person).where(*chosen)) or 0
    page = select(Person).where(*chosen).order_by(Person.name_key, Person.id)
    people = session.scalars(page.limit(limit).offset(offset)).all()
    return PersonList(people=known_people(session, people, base_url), total=total)


def known_people(session: Session, people: Sequence[Person], base_url: str) -> list[ShowPerson]:
    """These people with all that is told of them, in four queries however many they are."""
    ids = [person.id for person in people]
    counts: dict[str, int] = {}
    roles: dict[str, str] = {}
    named = (
        select(Credit.person_id, Credit.role, func.count(Credit.episode_id.distinct()))
        .outerjoin(Episode, Episode.id == Credit.episode_id)
        .where(Credit.person_id.in_(ids), Episode.deleted_at.is_(None))
        .group_by(Credit.person_id, Credit.role)
        .order_by(func.count())
    )
    for person_id, role, count in session.execute(named):
        counts[person_id] = counts.get(person_id, 0) + count
        roles[person_id] = role
    pictures = {
        row.id: row
        for row in session.scalars(
            select(Artwork).where(Artwork.id.in_([p.artwork_id for p in people if p.artwork_id]))
        )
    }
    spellings: dict[str, list[Spelling]] = {}
    merged = select(Person).where(Person.merged_into_id.in_(ids)).order_by(Person.name_key)
    for row in session.scalars(merged):
        spellings.setdefault(str(row.merged_into_id), []).append(Spelling(id=row.id, name=row.name))
    return [
        ShowPerson(
            id=person.id,
            name=person.name,
            bio=person.bio,
            url=person.url,
            image_url=held_picture_url(base_url, pictures.get(person.artwork_id or ""))
            or person.image_url,
            links=[PersonLink(**link) for link in person.links or ()],
            episodes=counts.get(person.id, 0),
            last_role=roles.get(person.id),
            spellings=spellings.get(person.id, []),
        )
        for person in people
    ]


def name_choices(session: Session, show: Show, *, besides: str) -> list[tuple[str, str]]:
    """Ids and names of the show's people, but for one, by name: to choose among."""
    found = session.execute(
        select(Person.id, Person.name)
        .where(Person.show_id == show.id, Person.merged_into_id.is_(None), Person.id != besides)
        .order_by(Person.name_key, Person.id)
        .limit(_MOST_CHOICES)
    )
    return [(person_id, name) for person_id, name in found]


def get_person(session: Session, show: Show, person_id: str) -> Person:
    """Somebody of this show, or another spelling of them. Raises NotFound."""
    person = session.get(Person, person_id) if fields.may_be_slug(person_id) else None
    if person is None or person.show_id != show.id:
        raise NotFound("There is nobody with this id on this show.")
    return person


def change_person(
    session: Session,
    show: Show,
    person: Person,
    given: PersonInput,
    *,
    artwork_id: str | UnsetType | None = UNSET,
    now: datetime,
) -> int:
    """Change what is known of somebody; how many episodes say it now, where that was asked for.

    The caller holds the show's lock. Raises Invalid with every wrong field, Conflict when somebody
    else has the name.
    """
    values = _read(given)
    if artwork_id is not UNSET:
        values["artwork_id"] = artwork_id
    if "name" in values:
        known = find_person(session, show, name_key(values["name"]))
        if known is not None and known.id != person.id:
            sentence = f"The show has somebody called {known.name!r} already; merge the two."
            raise Conflict(sentence, {"name": sentence})
        rename_person(session, show, person, values["name"])
    say_in_public(person, _owned(person, values, is_for_all=given.in_episodes))
    session.flush()
    count = _change_credits(session, show, person, values, now=now) if given.in_episodes else 0
    enqueue(session, INDEX_SHOW, show.id, now=now, run_at=now)
    record_change(session, "site", show.id, now=now)
    return count


def _owned(person: Person, values: Mapping[str, Any], *, is_for_all: bool) -> dict[str, Any]:
    """Which of the values the owner says in public.

    A form gives all fields: what stands there and only a draft says stays for its publication.
    """
    return {
        name: values[name]
        for name in TOLD
        if name in values
        and (is_for_all or name == "artwork_id" or values[name] != getattr(person, name))
    }


def _read(given: PersonInput) -> dict[str, Any]:
    errors = fields.FieldErrors()
    values: dict[str, Any] = {}
    if given.name is not UNSET:
        with errors.noting("name"):
            values["name"] = fields.required_line(given.name)
    if given.bio is not UNSET:
        with errors.noting("bio"):
            values["bio"] = fields.paragraph(given.bio)
    if given.url is not UNSET:
        with errors.noting("url"):
            values["url"] = fields.web_url(given.url)
    if given.links is not UNSET:
        with errors.noting("links"):
            values["links"] = read_links(given.links)
    errors.raise_any()
    return values


def _change_credits(
    session: Session, show: Show, person: Person, values: Mapping[str, Any], *, now: datetime
) -> int:
    """Say the same in all episodes, in one go however many they are."""
    credits = session.scalars(select(Credit).where(Credit.person_id == person.id)).all()
    changed = [
        credit
        for credit in credits
        if any(getattr(credit, name) != value for name, value in values.items())
    ]
    for credit in changed:
        for name, value in values.items():
            setattr(credit, name, value)
    session.flush()
    episode_ids = sorted({credit.episode_id for credit in changed if credit.episode_id})
    session.execute(update(Episode).where(Episode.id.in_(episode_ids)).values(changed_at=now))
    note_edits(session, episode_ids, "people", now=now)
    if changed:
        touch_show(session, show, now=now)
    # Last, because others wait for the one who has begun to note changes.
    for episode_id in episode_ids:
        record_change(session, "episode", episode_id, now=now)
    session.expire_all()
    return len(episode_ids)


def merge_people(session: Session, other: Person, into: Person, *, now: datetime) -> None:
    """Make `other` another spelling of `into`: their episodes become those of `into`.

    What credits say stays. `split_person` is the way back. Raises Conflict for one person or for
    what is a spelling already.
    """
    if other.id == into.id:
        raise Conflict("That is the same person already.")
    if other.merged_into_id is not None or into.merged_into_id is not None:
        raise Conflict("That is another spelling of somebody already; merge the two people.")
    for table in (Credit, GuestLink):
        session.execute(update(table).where(table.person_id == other.id).values(person_id=into.id))
    # Spellings of a spelling lead to the person too.
    session.execute(
        update(Person).where(Person.merged_into_id == other.id).values(merged_into_id=into.id)
    )
    other.merged_into_id = into.id
    merge_words(into, other)
    enqueue(session, INDEX_SHOW, into.show_id, now=now, run_at=now)
    session.flush()
    session.expire_all()
    record_change(session, "site", into.show_id, now=now)


def split_person(session: Session, spelling: Person, *, now: datetime) -> None:
    """Undo a merge: who is credited under this spelling is somebody of their own again.

    Links go with whoever is named in their episode. Raises Conflict for what is no spelling.
    """
    main_id = spelling.merged_into_id
    if main_id is None:
        raise Conflict("This is nobody's other spelling.")
    spelling.merged_into_id = None
    named_in: set[str] = set()
    for credit in session.scalars(select(Credit).where(Credit.person_id == main_id)):
        if name_key(credit.name) == spelling.name_key:
            credit.person_id = spelling.id
            _take_links(session, credit, main_id)
            named_in.update(filter(None, (credit.episode_id,)))
    # What came out while they were one.
    publish_credits(session, named_in, is_new=False)
    enqueue(session, INDEX_SHOW, spelling.show_id, now=now, run_at=now)
    session.flush()
    session.expire_all()
    record_change(session, "site", spelling.show_id, now=now)


def _take_links(session: Session, credit: Credit, main_id: str) -> None:
    """In an episode that names only one of the two, the links are that one's."""
    others = select(Credit.id).where(
        Credit.episode_id == credit.episode_id,
        Credit.person_id == main_id,
        Credit.id != credit.id,
    )
    session.flush()
    if credit.episode_id is not None and session.scalar(others) is None:
        session.execute(
            update(GuestLink)
            .where(GuestLink.episode_id == credit.episode_id, GuestLink.person_id == main_id)
            .values(person_id=credit.person_id)
        )
