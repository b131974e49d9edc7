"""Editing with others: autosave, working copies, and what happens when two change the same."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from podhost.accounts.accounts import create_account
from podhost.accounts.roles import Actor, act
from podhost.editing.edits import (
    EditAnswer,
    apply_edit,
    discard_edit,
    forget_presence,
    note_presence,
    read_edit,
    save_edit,
)
from podhost.editing.local_times import local_moment
from podhost.episodes import EpisodeInput, get_episode
from podhost.errors import Conflict, Invalid
from podhost.history.undo import list_history, undo
from podhost.instance import Instance
from podhost.models import Artwork, CopyPicture, Episode, FieldEdit, Person, WorkingCopy
from podhost.people import CreditInput, find_people
from podhost.shows import get_show
from podhost.shows.people import PersonInput, change_person
from podhost.sweep import remove_unneeded
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show


class Desk:
    """An account at its desk, with one episode open."""

    def __init__(self, instance: Instance, episode: Episode, name: str) -> None:
        self.instance, self.episode_id, self.slug = instance, episode.id, episode.show.slug
        self.desk: str | None = None
        with instance.database.write() as session:
            account, _ = create_account(
                session,
                f"{name}@pod.example",
                name=name,
                password="ebb and flow at noon",
                now=instance.now(),
            )
            self.account_id = account.id
        self.version = self.read().version

    def _write(self, work: Callable[[Any, Episode], Any]) -> Any:
        with self.instance.database.write() as session:
            act(session, Actor(self.account_id, f"{self.slug}@pod.example"))
            show = get_show(session, self.slug, lock=True)
            return work(session, get_episode(session, show, self.episode_id))

    def read(self) -> EditAnswer:
        with self.instance.database.read() as session:
            episode = get_episode(session, get_show(session, self.slug), self.episode_id)
            return read_edit(session, episode, self.account_id, now=self.instance.now())

    def type(self, *, dropped: tuple[str, ...] = (), **given: Any) -> EditAnswer:
        """Autosave of what was typed since the version that was seen last."""
        self._write(
            lambda session, episode: save_edit(
                session,
                episode,
                self.account_id,
                EpisodeInput(**given),
                version=self.version,
                dropped=dropped,
                desk=self.desk,
                now=self.instance.now(),
            )
        )
        answer = self.read()
        if not answer.conflicts:
            self.version = answer.version
        return answer

    def update(self) -> bool:
        changed: bool = self._write(
            lambda session, episode: apply_edit(
                session, episode, self.account_id, now=self.instance.now()
            )
        )
        return changed

    def discard(self) -> None:
        self._write(lambda session, episode: discard_edit(session, episode, self.account_id))

    def look(self) -> None:
        self._write(
            lambda session, episode: note_presence(
                session, episode, self.account_id, now=self.instance.now()
            )
        )

    def leave(self) -> None:
        self._write(lambda session, episode: forget_presence(session, episode, self.account_id))


@pytest.fixture
def draft(instance: Instance) -> Episode:
    return make_episode(instance, make_show(instance), None, publish=False, notes="Tide.")


@pytest.fixture
def published(instance: Instance, mp3: Path) -> Episode:
    return make_episode(instance, make_show(instance), mp3, notes="Tide.")


def test_it_saves_a_draft_at_once_and_counts_its_versions(
    instance: Instance, draft: Episode
) -> None:
    alice = Desk(instance, draft, "Alice")
    assert alice.version == 1
    answer = alice.type(title="High water", number=3)
    assert (answer.version, answer.is_direct, answer.copy) == (2, True, {})
    assert (answer.values["title"], answer.values["number"]) == ("High water", 3)
    assert alice.type(title="High water").version == 2


def test_it_merges_what_two_people_change_in_different_fields(
    instance: Instance, draft: Episode
) -> None:
    alice, bob = Desk(instance, draft, "Alice"), Desk(instance, draft, "Bob")
    alice.type(title="High water")
    answer = bob.type(notes="Ebb.")
    assert (answer.values["title"], answer.values["notes"]) == ("High water", "Ebb.")
    assert (answer.version, answer.conflicts, answer.copy) == (3, [], {})


def test_it_never_overwrites_what_somebody_else_changed_meanwhile(
    instance: Instance, draft: Episode
) -> None:
    alice, bob = Desk(instance, draft, "Alice"), Desk(instance, draft, "Bob")
    alice.type(notes="Alice's tide.")
    answer = bob.type(notes="Bob's tide.", title="Bob's title")
    (conflict,) = answer.conflicts
    assert (conflict.field, conflict.theirs, conflict.yours) == (
        "notes",
        "Alice's tide.",
        "Bob's tide.",
    )
    assert conflict.changed_by == "Alice"
    assert answer.values["title"] == "Bob's title"
    # It waits, through a reload too, until Bob says what he wants.
    assert bob.read().copy == {"notes": "Bob's tide."}
    bob.version = answer.version
    settled = bob.type(notes="Both tides.")
    assert (settled.values["notes"], settled.copy, settled.conflicts) == ("Both tides.", {}, [])
    alice.version = settled.version
    alice.type(notes="x")
    assert bob.type(notes="y").conflicts
    assert bob.type(dropped=("notes",)).copy == {}
    assert bob.read().values["notes"] == "x"


def test_two_who_write_the_same_are_of_one_mind(instance: Instance, draft: Episode) -> None:
    alice, bob = Desk(instance, draft, "Alice"), Desk(instance, draft, "Bob")
    alice.type(title="High water")
    assert bob.type(title="High water").conflicts == []


def test_it_keeps_what_cannot_be_taken_and_says_why(instance: Instance, draft: Episode) -> None:
    alice = Desk(instance, draft, "Alice")
    answer = alice.type(
        title="", notes="Ebb.", season=-1, slug="Ä", people=[CreditInput(name="Bo", url="x")]
    )
    assert set(answer.errors) == {"title", "season", "slug", "people[0].url"}
    assert set(answer.copy) == {"title", "season", "slug", "people"}
    assert (answer.values["notes"], answer.values["title"]) == ("Ebb.", "Low water")
    healed = alice.type(title="T", season=2, slug="t", people=[CreditInput(name="Bo")])
    assert (healed.errors, healed.copy) == ({}, {})
    assert healed.values["people"][0]["name"] == "Bo"
    too_long = alice.type(notes="ä" * 100_000, title="Taken")
    assert "128 KB" in too_long.errors["notes"]
    assert (too_long.values["notes"], too_long.values["title"]) == ("Ebb.", "Taken")


def test_nothing_typed_of_a_published_episode_is_seen_before_it_is_applied(
    instance: Instance, published: Episode
) -> None:
    alice, bob = Desk(instance, published, "Alice"), Desk(instance, published, "Bob")
    answer = alice.type(title="High water", notes="Tide.")
    assert (answer.is_direct, answer.copy) == (False, {"title": "High water"})
    assert answer.values["title"] == bob.read().values["title"] == "Low water"
    assert bob.read().copy == {}
    assert alice.update()
    assert alice.read().values["title"] == "High water"
    assert alice.read().copy == {}
    assert not alice.update()
    alice.type(title="Ebb")
    alice.discard()
    assert alice.read().copy == {}
    assert alice.read().values["title"] == "High water"


def test_a_working_copy_is_applied_whole_or_not_at_all(
    instance: Instance, published: Episode
) -> None:
    alice, bob = Desk(instance, published, "Alice"), Desk(instance, published, "Bob")
    bob.type(title="Bob's", notes="Bob's notes.")
    alice.type(title="Alice's")
    assert alice.update()
    with pytest.raises(Conflict) as caught:
        bob.update()
    assert set(caught.value.fields) == {"title"}
    assert bob.read().values["notes"] == "Tide."
    bob.version = bob.read().version
    bob.type(title="Bob's")
    assert bob.update()
    assert (bob.read().values["title"], bob.read().values["notes"]) == ("Bob's", "Bob's notes.")
    bob.version = bob.read().version
    bob.type(title="")
    with pytest.raises(Invalid):
        bob.update()
    assert bob.read().copy == {"title": ""}


def test_a_version_that_never_was_and_fields_of_others_are_refused(
    instance: Instance, draft: Episode
) -> None:
    alice = Desk(instance, draft, "Alice")
    for given in ({"guid": "x"}, {"chapters": []}, {"guests": []}):
        with pytest.raises(Invalid):
            alice.type(**given)
    with pytest.raises(Invalid):
        alice.type(dropped=("id",))
    alice.version = 2
    with pytest.raises(Invalid, match="versions 1 to 1"):
        alice.type(title="x")


def test_it_says_who_else_has_the_page_open(
    instance: Instance, draft: Episode, clock: FrozenClock
) -> None:
    alice, bob = Desk(instance, draft, "Alice"), Desk(instance, draft, "Bob")
    alice.look()
    bob.look()
    assert [other.name for other in bob.read().others] == ["Alice"]
    clock.advance(seconds=59)
    alice.look()
    clock.advance(seconds=30)
    assert [other.name for other in bob.read().others] == ["Alice"]
    assert alice.read().others == []
    alice.leave()
    assert bob.read().others == []


def test_it_suggests_the_numbers_that_come_next(instance: Instance) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False)
    alice = Desk(instance, episode, "Alice")
    assert (alice.read().suggested.season, alice.read().suggested.number) == (None, None)
    make_episode(instance, show, None, "One", publish=False, season=1, number=9)
    make_episode(instance, show, None, "Two", publish=False, season=2, number=4)
    assert (alice.read().suggested.season, alice.read().suggested.number) == (2, 5)
    assert alice.type(season=1).suggested.number == 10
    assert alice.type(season=3).suggested.number == 1
    assert alice.type(episode_type="bonus").suggested.number is None


def test_it_completes_names_of_people_who_were_here_before(instance: Instance) -> None:
    show = make_show(instance)
    for number, name in enumerate(("José Ortega", "Ann Bell", "Ann Bell", "Anna Vogt")):
        people = [CreditInput(name=name, role="narrator", bio=f"Bio of {name}.")]
        make_episode(instance, show, None, f"E{number}", publish=False, people=people)
    with instance.database.read() as session:
        row = get_show(session, show.slug)
        assert [person.name for person in find_people(session, row, "an")] == [
            "Ann Bell",
            "Anna Vogt",
        ]
        (jose,) = find_people(session, row, " JOSE  or")
        assert (jose.name, jose.role, jose.bio) == (
            "José Ortega",
            "narrator",
            "Bio of José Ortega.",
        )
        assert find_people(session, row, "ortega")
        assert find_people(session, row, "rtega") == []


def test_a_picture_that_only_a_working_copy_names_is_not_cleared_away(
    instance: Instance, published: Episode, clock: FrozenClock
) -> None:
    alice = Desk(instance, published, "Alice")
    with instance.database.write() as session:
        for artwork_id in ("a" * 16, "b" * 16):
            session.add(
                Artwork(
                    id=artwork_id,
                    source_sha256="1" * 64,
                    mime_type="image/jpeg",
                    width=600,
                    height=600,
                    sizes=[],
                    created_at=instance.now(),
                )
            )
    alice.type(people=[CreditInput(name="Bo", artwork_id="a" * 16)])
    clock.advance(days=400)
    remove_unneeded(instance.database, instance.storage, now=instance.now())
    with instance.database.read() as session:
        assert session.get(Artwork, "a" * 16) is not None
        assert session.get(Artwork, "b" * 16) is None
    alice.discard()
    with instance.database.read() as session:
        assert session.query(CopyPicture).all() == session.query(WorkingCopy).all() == []


def test_an_edit_says_who_made_it(instance: Instance, draft: Episode) -> None:
    alice = Desk(instance, draft, "Alice")
    alice.type(blocked=True, labels=("x",), people=[CreditInput(name="Bo")])
    with instance.database.read() as session:
        edits = session.query(FieldEdit).all()
        assert {edit.field for edit in edits} == {"blocked", "labels", "people"}
        assert {edit.account_id for edit in edits} == {alice.account_id}


@pytest.mark.parametrize(
    ("given", "wanted", "said"),
    [
        ("2026-07-01T09:00", datetime(2026, 7, 1, 13, tzinfo=UTC), None),
        ("2026-03-08T02:30", datetime(2026, 3, 8, 7, 30, tzinfo=UTC), "no 02:30"),
        ("2026-11-01T01:30", datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "comes twice"),
        ("2026-11-01T01:30-05:00", datetime(2026, 11, 1, 6, 30, tzinfo=UTC), None),
    ],
)
def test_it_says_what_daylight_saving_time_does_to_a_time(
    given: str, wanted: datetime, said: str | None
) -> None:
    moment, sentence = local_moment(given, "America/New_York")
    assert moment == wanted
    assert (said in sentence) if said and sentence else said == sentence


def test_what_was_saved_from_the_same_page_is_nobody_elses(
    instance: Instance, draft: Episode
) -> None:
    alice = Desk(instance, draft, "Alice")
    alice.desk = "page-1"
    assert alice.type(notes="The tide").version == 2
    # Its answer got lost, and she typed on.
    alice.version = 1
    answer = alice.type(notes="The tide is low.")
    assert (answer.conflicts, answer.values["notes"]) == ([], "The tide is low.")
    alice.version, alice.desk = 1, "page-2"
    assert alice.type(notes="Other").conflicts
    alice.desk = "page 3"
    with pytest.raises(Invalid, match="hyphens"):
        alice.type(notes="x")


def test_a_person_who_is_mended_in_all_episodes_is_an_edit_of_each(
    instance: Instance, draft: Episode
) -> None:
    alice, bob = Desk(instance, draft, "Alice"), Desk(instance, draft, "Bob")
    alice.type(people=[CreditInput(name="Ann Bel")])
    bob.version = alice.version

    def mend(session: Session, episode: Episode) -> None:
        person = session.query(Person).one()
        given = PersonInput(name="Ann Bell", in_episodes=True)
        change_person(session, episode.show, person, given, now=instance.now())

    alice._write(mend)
    assert alice.read().version == alice.version + 1
    answer = bob.type(people=[CreditInput(name="Ann Bel"), CreditInput(name="Bo")])
    (conflict,) = answer.conflicts
    assert (conflict.field, conflict.changed_by) == ("people", "Alice")
    assert [person["name"] for person in answer.values["people"]] == ["Ann Bell"]


def test_taking_a_change_back_is_an_edit_like_any_other(instance: Instance, draft: Episode) -> None:
    alice = Desk(instance, draft, "Alice")
    alice.type(title="High water")

    def take_back(session: Session, episode: Episode) -> None:
        newest = list_history(session, episode.show, episode, limit=1)[0]
        assert [values["field"] for values in newest.fields] == ["title"]
        undo(session, episode, newest, now=instance.now())

    alice._write(take_back)
    answer = alice.read()
    assert (answer.values["title"], answer.version) == ("Low water", 3)
