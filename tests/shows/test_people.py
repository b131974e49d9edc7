"""The people of a show: listed, changed, merged and parted again, on both pairs of engines."""

from pathlib import Path

import pytest
from sqlalchemy import select

from podhost.episodes import EpisodeInput, change_episode
from podhost.episodes.publishing import publish_episode
from podhost.errors import Conflict, NotFound
from podhost.guests.links import create_link, open_link
from podhost.instance import Instance
from podhost.models import Credit, Episode, Person, Show
from podhost.people import CreditInput, PersonLink
from podhost.shows import get_show
from podhost.shows.people import (
    PersonInput,
    ShowPerson,
    change_person,
    get_person,
    list_people,
    merge_people,
    split_person,
)
from tests.making import feed_body, make_episode, make_show


def people_of(instance: Instance, show: Show, search: str = "") -> list[ShowPerson]:
    with instance.database.read() as session:
        return list_people(session, show, instance.base_url, search=search).people


def draft(instance: Instance, show: Show, *names: str) -> Episode:
    guests = [CreditInput(name=name) for name in names]
    return make_episode(instance, show, None, names[0], publish=False, guests=guests)


def merge(instance: Instance, show: Show, other: str, into: str) -> None:
    with instance.database.write() as session:
        known = {row.name: row for row in session.scalars(select(Person))}
        merge_people(session, known[other], known[into], now=instance.now())


def test_it_lists_people_with_what_was_last_said_of_them(instance: Instance) -> None:
    show = make_show(instance)
    ann = CreditInput(name="Ann", bio="Swims.", links=[PersonLink(url="https://sea.social/@ann")])
    make_episode(instance, show, None, "One", publish=False, guests=[ann, CreditInput(name="Bob")])
    make_episode(instance, show, None, "Two", publish=False, people=[CreditInput(name="ann")])

    first, second = people_of(instance, show)
    assert (first.name, first.episodes, first.bio) == ("ann", 2, "Swims.")
    assert first.links == [PersonLink(name="sea.social", url="https://sea.social/@ann")]
    assert (second.name, second.episodes, second.last_role) == ("Bob", 1, "guest")
    with instance.database.read() as session:
        page = list_people(session, show, "", limit=1, offset=1)
    assert ([person.name for person in page.people], page.total) == (["Bob"], 2)


@pytest.mark.parametrize(
    ("search", "found"),
    [("oce", ["Ann Ocean"]), ("OCEAN ann", ["Ann Ocean"]), ("b", ["Bob"]), ("%", []), ("_", [])],
)
def test_it_finds_people_by_parts_of_their_names(
    instance: Instance, search: str, found: list[str]
) -> None:
    show = make_show(instance)
    draft(instance, show, "Ann Ocean", "Bob")

    assert [person.name for person in people_of(instance, show, search)] == found


def test_a_change_reaches_the_episodes_if_that_is_asked_for(
    instance: Instance, mp3: object
) -> None:
    show = make_show(instance)
    guests = [CreditInput(name="Ann", bio="Swims.")]
    make_episode(instance, show, mp3, "One", guests=guests)  # type: ignore[arg-type]
    before = feed_body(instance, show)
    (ann,) = people_of(instance, show)

    def change(**given: object) -> int:
        with instance.database.write() as session:
            locked = get_show(session, show.slug, lock=True)
            person = get_person(session, locked, ann.id)
            return change_person(
                session,
                locked,
                person,
                PersonInput(**given),  # type: ignore[arg-type]
                now=instance.now(),
            )

    assert change(bio="Dives.", url="https://ann.example/") == 0
    assert feed_body(instance, show) == before
    assert people_of(instance, show)[0].bio == "Dives."
    assert change(bio="Dives.", url="https://ann.example/", in_episodes=True) == 1
    assert b'href="https://ann.example/"' in feed_body(instance, show)
    assert change(bio="Dives.", in_episodes=True) == 0


def test_nobody_gets_the_name_of_somebody_else(instance: Instance) -> None:
    show = make_show(instance)
    draft(instance, show, "Ann", "Bob")
    ann, _ = people_of(instance, show)

    with pytest.raises(Conflict, match="merge"), instance.database.write() as session:
        change_person(
            session,
            show,
            get_person(session, show, ann.id),
            PersonInput(name=" BOB "),
            now=instance.now(),
        )
    with pytest.raises(NotFound), instance.database.read() as session:
        get_person(session, make_show(instance, "Other"), ann.id)


def test_two_spellings_are_made_one_person_and_parted_again(instance: Instance) -> None:
    show = make_show(instance)
    draft(instance, show, "Ann Ocean")
    wrong = draft(instance, show, "Anne O.")
    with instance.database.write() as session:
        row = session.get_one(Episode, wrong.id)
        link = create_link(session, row, row.credits[0].person_id, now=instance.now())[1]

    merge(instance, show, "Anne O.", "Ann Ocean")

    (ann,) = people_of(instance, show)
    assert (ann.name, ann.episodes) == ("Ann Ocean", 2)
    assert [spelling.name for spelling in ann.spellings] == ["Anne O."]
    assert [person.name for person in people_of(instance, show, "anne")] == ["Ann Ocean"]
    # The old spelling goes on leading to the person, and what credits say stays.
    draft(instance, show, "Anne O.")
    assert people_of(instance, show)[0].episodes == 3
    with instance.database.read() as session:
        assert sorted(session.scalars(select(Credit.name))) == ["Ann Ocean", "Anne O.", "Anne O."]
        guest = open_link(session, link, is_preview=False, now=instance.now())
        assert guest.credit is not None and guest.credit.name == "Anne O."

    with instance.database.write() as session:
        split_person(session, get_person(session, show, ann.spellings[0].id), now=instance.now())

    assert [(each.name, each.episodes) for each in people_of(instance, show)] == [
        ("Ann Ocean", 1),
        ("Anne O.", 2),
    ]
    with instance.database.read() as session:
        guest = open_link(session, link, is_preview=False, now=instance.now())
        assert guest.person is not None and guest.person.name == "Anne O."


def test_a_merge_needs_two_people(instance: Instance) -> None:
    show = make_show(instance)
    draft(instance, show, "Ann", "Bob", "Cat")
    merge(instance, show, "Bob", "Ann")

    for other, into in (("Ann", "Ann"), ("Bob", "Cat"), ("Cat", "Bob")):
        with pytest.raises(Conflict):
            merge(instance, show, other, into)
    with pytest.raises(Conflict), instance.database.write() as session:
        split_person(
            session,
            get_person(session, show, people_of(instance, show)[0].id),
            now=instance.now(),
        )


def test_links_stay_with_who_does_not_speak_of_them(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    links = [PersonLink(name="Sea", url="https://sea.social/@ann")]
    made = make_episode(
        instance, show, mp3, publish=False, guests=[CreditInput(name="Ann", links=links)]
    )

    def change(*guests: CreditInput) -> list[object]:
        with instance.database.write() as session:
            row = session.get_one(Episode, made.id)
            change_episode(session, row, EpisodeInput(guests=list(guests)), now=instance.now())
            return [credit.links for credit in row.credits]

    kept = [{"name": "Sea", "url": "https://sea.social/@ann"}]
    assert change(CreditInput(name="Bob"), CreditInput(name="Ann", bio="Swims.")) == [None, kept]
    # Another episode, which may be out before this one, is filled with what is public.
    for known in (None, kept):
        again = draft(instance, show, "ANN")
        with instance.database.write() as session:
            assert session.get_one(Episode, again.id).credits[0].links == known
            publish_episode(session, session.get_one(Episode, made.id), now=instance.now())
    assert change(CreditInput(name="Ann", bio="Swims.", links=None)) == [None]
    assert change(CreditInput(name="Ann", bio="Swims.")) == [None]


def test_links_of_people_stand_in_their_folder(instance: Instance) -> None:

    from podhost.exports.values import episode_file
    from podhost.formats.showfolder import read_episode
    from podhost.formats.showfolder_writing import render_episode_file

    show = make_show(instance)
    link = PersonLink(name='X "&', url="https://x.example/?a=1&b=2")
    guest = CreditInput(name="Ann", links=[link])
    episode = make_episode(instance, show, None, publish=False, guests=[guest])
    with instance.database.read() as session:
        row = session.get_one(Episode, episode.id)
        text = render_episode_file(episode_file(show, row, {}))

    (read,) = read_episode(text).guests
    assert [(each.name, each.url) for each in read.links] == [(link.name, link.url)]
