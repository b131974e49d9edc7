"""People and their credits: who is heard on a show or an episode, and in which role."""

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.artwork import artwork_url
from podhost.db import new_id
from podhost.feeds.rows import ArtworkRow
from podhost.formats.podcast_namespace import normalise_role
from podhost.formats.text import slugify, truncate_text
from podhost.models import Article, ArticleAuthor, Artwork, Credit, Episode, Person, Show
from podhost.people_public import is_out, public_value, publish_credit, say

MOST_CREDITS = 200
# Apps show people as small circles.
PICTURE_PIXELS = 300
_ID = re.compile(r"[0-9a-f]{16}")
MOST_LINKS = 12
_LONGEST_LINK_NAME = 60
# How much of two names must be the same letters for one to be a correction of the other.
_ALIKE = 0.75
_KEPT = ("name", "role", "group", "url", "bio", "image_url", "artwork_id")


class PersonLink(msgspec.Struct, kw_only=True):
    """A further address of a person, such as an account at a network; `name` says what it is."""

    url: str
    name: str = ""


class CreditInput(msgspec.Struct, kw_only=True):
    """A person's part. `role` and `group` by the Podcast Taxonomy; a guest unless said otherwise.

    `artwork_id` names a picture that podhost holds; without one, `image_url` is linked. Where
    `links` is not given, they stay, or are those that are known of the person.
    """

    name: str
    role: str | None = None
    group: str | None = None
    url: str | None = None
    bio: str | None = None
    image_url: str | None = None
    artwork_id: str | UnsetType | None = UNSET
    links: list[PersonLink] | UnsetType | None = UNSET


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
    if say_the_same(current, wanted):
        return False
    _respell(session, show, current, wanted)
    kept = {credit.person_id: credit.links for credit in reversed(current)}
    for credit in current:
        session.delete(credit)
    for position, values in enumerate(wanted):
        person = person_of(session, show, values, episode)
        # Not what only another draft says of them: nobody looks at it before this one is out.
        values.setdefault("links", kept.get(person.id, public_value(person, "links")))
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


class KnownPerson(NamedTuple):
    """Somebody of the show with what was last said of them, and the role they had last."""

    name: str
    url: str | None
    bio: str
    image_url: str | None
    artwork: Artwork | None
    role: str
    group: str
    episodes: int


def find_people(session: Session, show: Show, words: str, *, limit: int = 10) -> list[KnownPerson]:
    """The people of the show whose names have words that begin like `words`, the most credited
    first; accents and case do not count."""
    wanted = _folded(words)
    counts = select(Credit.person_id, func.count()).where(Credit.show_id == show.id)
    credited = {key: count for key, count in session.execute(counts.group_by(Credit.person_id))}
    # Spellings that were merged into another one are found by that one.
    is_own = Person.merged_into_id.is_(None)
    names = session.execute(select(Person.id, Person.name).where(Person.show_id == show.id, is_own))
    found = [
        (-credited.get(person_id, 0), name, person_id)
        for person_id, name in names
        if f" {wanted}" in f" {_folded(name)}"
    ]
    return [
        _known_person(session, person_id, -count) for count, _, person_id in sorted(found)[:limit]
    ]


def _known_person(session: Session, person_id: str, episodes: int) -> KnownPerson:
    person = session.get_one(Person, person_id)
    last = session.scalar(
        select(Credit)
        .join(Episode, Credit.episode_id == Episode.id)
        .where(Credit.person_id == person_id)
        .order_by(Episode.created_at.desc(), Credit.position)
        .limit(1)
    )
    artwork = session.get(Artwork, person.artwork_id) if person.artwork_id else None
    role, group = (last.role, last.group) if last is not None else ("guest", "cast")
    return KnownPerson(
        person.name, person.url, person.bio, person.image_url, artwork, role, group, episodes
    )


def _folded(text: str) -> str:
    """Without case, accents and surplus white space."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())


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
    """What a credit says but for its links, as `read_credits` gives it where none are given."""
    return {name: getattr(credit, name) for name in _KEPT}


def whole_credit_values(credit: Credit) -> dict[str, Any]:
    """What a credit says, as `read_credits` gives it where links are given."""
    return {**credit_values(credit), "links": credit.links}


def say_the_same(credits: Sequence[Credit], wanted: Sequence[Mapping[str, Any]]) -> bool:
    """Whether credits are what `read_credits` gave, whose links count where they were given."""
    said = [_said(credit, values) for credit, values in zip(credits, wanted, strict=False)]
    return len(credits) == len(wanted) and said == list(wanted)


def _said(credit: Credit, values: Mapping[str, Any]) -> dict[str, Any]:
    return whole_credit_values(credit) if "links" in values else credit_values(credit)


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
        with errors.noting(f"{place}.links"):
            if entry.links is not UNSET:
                values["links"] = read_links(entry.links)
        wanted.append(values)
    errors.raise_any()
    kept = (*_KEPT, "links")
    return [{name: values[name] for name in kept if name in values} for values in wanted]


def read_links(given: Sequence[PersonLink] | None) -> list[dict[str, str]] | None:
    """The links to keep, None where there are none. Raises Invalid for each wrong one.

    One without a name is called by the host of its address.
    """
    errors = fields.FieldErrors()
    if len(given or ()) > MOST_LINKS:
        raise ValueError(f"{len(given or ())} links are given; {MOST_LINKS} are the most.")
    kept: list[dict[str, str]] = []
    for index, link in enumerate(given or ()):
        with errors.noting(f"[{index}].url"):
            url = fields.web_url(link.url)
            if url is None:
                raise ValueError("It must not be empty.")
            name = fields.optional_line(link.name) or urlsplit(url).netloc.removeprefix("www.")
            kept.append({"name": truncate_text(name, _LONGEST_LINK_NAME), "url": url})
    errors.raise_any()
    return kept or None


def _held_artwork_id(session: Session, value: str) -> str:
    if not _ID.fullmatch(value) or session.get(Artwork, value) is None:
        raise ValueError("podhost holds no picture with this id.")
    return value


def _respell(
    session: Session, show: Show, current: Sequence[Credit], wanted: Sequence[Mapping[str, Any]]
) -> None:
    """Keep who was only spelled better the same person, for whom links were given out.

    That is: at the same place and in the same role, under a like name that nobody has, and in
    nothing else.
    """
    keys = {name_key(values["name"]) for values in wanted}
    here = [credit.id for credit in current]
    for credit, values in zip(current, wanted, strict=False):
        old, new = name_key(credit.name), name_key(values["name"])
        if old in keys or credit.role != values["role"] or not _are_alike(old, new):
            continue
        elsewhere = select(Credit.id).where(
            Credit.person_id == credit.person_id, Credit.id.not_in(here)
        )
        person = session.get_one(Person, credit.person_id)
        is_elsewhere = session.scalar(elsewhere) is not None or _is_author(session, person.id)
        if find_person(session, show, new) is None and not is_elsewhere:
            person.name, person.name_key = values["name"], new
            session.flush()


def _are_alike(one: str, other: str) -> bool:
    return difflib.SequenceMatcher(a=one, b=other, autojunk=False).ratio() >= _ALIKE


def find_person(session: Session, show: Show, key: str) -> Person | None:
    """Whose name has this key (`name_key`); another spelling of somebody leads to them."""
    person = session.scalar(select(Person).where(Person.show_id == show.id, Person.name_key == key))
    if person is not None and person.merged_into_id is not None:
        return session.get_one(Person, person.merged_into_id)
    return person


def rename_person(session: Session, show: Show, person: Person, name: str) -> None:
    """Call somebody by another name, which nobody else on the show has.

    Credits keep what they say; the name in them goes on leading to this person.
    """
    earlier, key = person.name, name_key(name)
    if key == person.name_key:
        person.name = name
        session.flush()
        return
    same = select(Person).where(Person.show_id == show.id, Person.name_key == key)
    if (spelling := session.scalar(same)) is not None:
        # One of this person's own; it becomes the main one.
        session.delete(spelling)
        session.flush()
    earlier_key = person.name_key
    person.name, person.name_key = name, key
    session.flush()
    if _is_credited(session, person):
        session.add(
            Person(
                id=new_id(),
                show_id=show.id,
                slug=_free_slug(session, show, person.slug),
                name=earlier,
                name_key=earlier_key,
                merged_into_id=person.id,
            )
        )
        session.flush()


def _is_credited(session: Session, person: Person) -> bool:
    """Whether an episode, the show or an article names them."""
    credit = select(Credit.id).where(Credit.person_id == person.id).limit(1)
    return session.scalar(credit) is not None or _is_author(session, person.id)


def _is_author(session: Session, person_id: str) -> bool:
    written = select(ArticleAuthor.article_id).where(ArticleAuthor.person_id == person_id)
    return session.scalar(written.limit(1)) is not None


def person_of(
    session: Session,
    show: Show,
    values: Mapping[str, Any],
    source: Episode | Article | None,
) -> Person:
    """The row of this person on this show, made or brought up to what was last said of them: by
    values as `read_credits` gives them, in `source` or of the show itself.

    What is not out yet changes nothing that public pages say.
    """
    key = name_key(values["name"])
    person = find_person(session, show, key)
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
    is_respelled = person.name_key == key and person.name != values["name"]
    if is_respelled and (is_out(source) or not _was_named_in_public(session, person)):
        person.name = values["name"]
    say(person, values, source)
    session.flush()
    return person


def _was_named_in_public(session: Session, person: Person) -> bool:
    """Whether the show names them, or an episode or article that is or was out."""
    was_out = ("published", "withdrawn")
    credits = (
        select(Credit.id)
        .outerjoin(Episode, Episode.id == Credit.episode_id)
        .where(Credit.person_id == person.id)
        .where(Credit.episode_id.is_(None) | Episode.status.in_(was_out))
    )
    written = (
        select(ArticleAuthor.article_id)
        .join(Article, Article.id == ArticleAuthor.article_id)
        .where(ArticleAuthor.person_id == person.id, Article.status.in_(was_out))
    )
    found = (session.scalar(query.limit(1)) for query in (credits, written))
    return any(each is not None for each in found)


def publish_credits(session: Session, episode_ids: Collection[str], *, is_new: bool = True) -> None:
    """Say of people in public what the published ones of these episodes say; `is_new`: for the
    first time. The caller holds the show's lock, and records the change."""
    rows = session.execute(
        select(Credit, Person)
        .join(Person, Person.id == Credit.person_id)
        .join(Episode, Episode.id == Credit.episode_id)
        .where(Episode.id.in_(episode_ids), Episode.status == "published")
        .order_by(Episode.published_at, Credit.position)
    )
    for credit, person in rows:
        publish_credit(person, credit, is_new=is_new)
        if is_new and person.name_key == name_key(credit.name):
            person.name = credit.name
    session.flush()


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
