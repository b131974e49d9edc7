"""Every change of an episode or a show leaves a row, whichever way it came."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.accounts.roles import Actor, act
from podhost.chapters.rows import ChapterInput
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.episodes.publishing import delete_episode, withdraw_episode
from podhost.history import audit
from podhost.history.recording import NOT_KEPT
from podhost.instance import Instance
from podhost.models import Episode, HistoryEntry, Show
from podhost.people import CreditInput
from podhost.shows import ShowInput, change_show, get_show
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show

ALICE = Actor("a" * 16, "alice@example.org", "Alice")
BOB = Actor("b" * 16, "bob@example.org")


def entries(instance: Instance, episode: Episode | None = None) -> list[HistoryEntry]:
    with instance.database.read() as session:
        statement = select(HistoryEntry).order_by(HistoryEntry.id)
        if episode is not None:
            statement = statement.where(HistoryEntry.episode_id == episode.id)
        return [*session.scalars(statement)]


def change(instance: Instance, episode: Episode, actor: Actor | None = None, **given) -> None:
    with instance.database.write() as session:
        act(session, actor)
        row = loaded(session, episode)
        change_episode(session, row, EpisodeInput(**given), now=instance.now())


def loaded(session: Session, episode: Episode) -> Episode:
    return get_episode(session, get_show(session, episode.show.slug, lock=True), episode.id)


def values(entry: HistoryEntry) -> dict[str, tuple[object, object]]:
    return {one["field"]: (one["before"], one["after"]) for one in entry.fields}


def test_it_keeps_what_was_there_and_what_came_of_it(instance: Instance) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False, notes="Tide out.")
    change(instance, episode, ALICE, title="High water", notes="Tide in.", season=2)
    entry = entries(instance, episode)[-1]
    assert values(entry) == {
        "title": ("Low water", "High water"),
        "notes": ("Tide out.", "Tide in."),
        "season": (None, 2),
    }
    assert (entry.actor_name, entry.way, entry.action) == ("Alice", "account", "changed")
    assert entry.at == instance.now()


def test_a_new_episode_leaves_one_row(instance: Instance, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3, guests=[CreditInput(name="Ann")])
    assert [entry.action for entry in entries(instance, episode)] == ["created"]


def test_people_chapters_and_tags_are_kept_whole(instance: Instance) -> None:
    episode = make_episode(
        instance, make_show(instance), None, publish=False, guests=[CreditInput(name="Ann")]
    )
    change(
        instance,
        episode,
        guests=[CreditInput(name="Anne", bio="Sails.")],
        chapters=[ChapterInput(start_seconds=0, title="Harbour")],
        apple_title="Short",
    )
    kept = values(entries(instance, episode)[-1])
    before, after = kept["people"]
    assert [person["name"] for person in before] == ["Ann"]
    assert [(person["name"], person["bio"]) for person in after] == [("Anne", "Sails.")]
    assert kept["chapters"][0] == []
    assert kept["chapters"][1][0]["title"] == "Harbour"
    assert kept["tags.apple_title"] == (None, "Short")


def test_what_stays_as_it_is_leaves_no_row(instance: Instance) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    change(instance, episode, title="Low water", guests=[])
    assert len(entries(instance, episode)) == 1


def test_what_is_rolled_back_leaves_no_row(instance: Instance) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    with pytest.raises(ZeroDivisionError), instance.database.write() as session:
        change_episode(
            session, loaded(session, episode), EpisodeInput(title="New"), now=instance.now()
        )
        session.flush()
        raise ZeroDivisionError
    assert len(entries(instance, episode)) == 1


def test_what_one_account_types_within_minutes_is_one_row(
    instance: Instance, clock: FrozenClock
) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    for title in ("L", "Lo", "Low tide"):
        change(instance, episode, ALICE, title=title)
        clock.advance(minutes=3)
    change(instance, episode, ALICE, notes="Said.")
    assert len(entries(instance, episode)) == 2
    kept = entries(instance, episode)[-1]
    assert values(kept) == {"title": ("Low water", "Low tide"), "notes": ("", "Said.")}
    clock.advance(minutes=3)
    change(instance, episode, ALICE, title="Later")
    assert len(entries(instance, episode)) == 3
    change(instance, episode, BOB, title="Bob's")
    assert len(entries(instance, episode)) == 4


def test_what_was_typed_and_deleted_again_is_forgotten(instance: Instance) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    change(instance, episode, ALICE, title="Something else")
    change(instance, episode, ALICE, title="Low water")
    assert len(entries(instance, episode)) == 1


def test_publishing_is_never_one_row_with_typing(instance: Instance, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    change(instance, episode, ALICE, title="High water")
    with instance.database.write() as session:
        act(session, ALICE)
        withdraw_episode(session, loaded(session, episode), now=instance.now())
    change(instance, episode, ALICE, title="Higher water")
    assert [[*values(entry)] for entry in entries(instance, episode)[1:]] == [
        ["title"],
        ["status"],
        ["title"],
    ]


def test_a_show_has_a_history_too(instance: Instance) -> None:
    show = make_show(instance)
    with instance.database.write() as session:
        row = get_show(session, show.slug, lock=True)
        change_show(session, row, ShowInput(author="Pier Ten"), now=instance.now())
    entry = entries(instance)[-1]
    assert (entry.show_id, entry.episode_id) == (show.id, None)
    assert values(entry) == {"author": ("Pier Nine", "Pier Ten")}


def test_deleting_is_named(instance: Instance) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    with instance.database.write() as session:
        delete_episode(session, loaded(session, episode), now=instance.now())
    assert entries(instance, episode)[-1].action == "deleted"


def test_the_door_says_by_which_way_it_came(instance: Instance) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    with audit.acting(audit.Act("publish_folder", audit.FOLDER)):
        change(instance, episode, title="From the folder")
    assert entries(instance, episode)[-1].way == "folder"


@pytest.mark.parametrize("kind", [Show, Episode])
def test_what_is_not_kept_is_a_column(kind: type[Show] | type[Episode]) -> None:
    assert set(kind.__table__.columns.keys()) >= NOT_KEPT[kind]
