"""The list of episodes at a glance: what each lacks, found by words, by day."""

from datetime import timedelta
from pathlib import Path

import pytest

from podhost.accounts.roles import act
from podhost.chapters.rows import ChapterInput
from podhost.editing.bulk import BulkInput, do_to_all, undo_batch
from podhost.editing.overviews import Wanted, count_states, list_between, list_glances
from podhost.editing.planning import plan_episode
from podhost.episodes.publishing import delete_episode, publish_episode
from podhost.errors import Conflict, Invalid
from podhost.instance import Instance
from podhost.models import Episode, Show
from podhost.people import CreditInput
from podhost.shows import get_show
from podhost.transcripts import prepare_transcripts, set_transcripts
from tests.conftest import FrozenClock
from tests.history.test_recording import ALICE, entries, loaded
from tests.history.test_undo import VTT
from tests.making import make_episode, make_show


def titles(instance: Instance, show: Show, **wanted) -> list[str]:
    with instance.database.read() as session:
        page = list_glances(session, show, Wanted(**wanted), now=instance.now(), limit=50)
        assert page.total == len(page.episodes)
        return [episode.title for episode in page.episodes]


def test_it_says_what_each_episode_lacks(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    bare = make_episode(instance, show, None, "Bare", publish=False)
    full = make_episode(
        instance,
        show,
        mp3,
        "Full",
        publish=False,
        notes="Said.",
        guests=[CreditInput(name="Ann")],
        chapters=[ChapterInput(start_seconds=0, title="One")],
    )
    prepared, _ = prepare_transcripts(instance.storage, VTT, "a.vtt")
    with instance.database.write() as session:
        set_transcripts(session, loaded(session, full), prepared, now=instance.now())
    with instance.database.read() as session:
        page = list_glances(session, show, Wanted(), now=instance.now(), limit=50)
    lacks = {episode.id: episode.lacks for episode in page.episodes}
    assert lacks[full.id] == ()
    assert lacks[bare.id] == ("audio", "notes", "guests", "chapters", "transcript")
    assert titles(instance, show, lacks="transcript") == ["Bare"]


def test_who_talks_alone_lacks_no_guests(instance: Instance) -> None:
    show = make_show(instance)
    make_episode(instance, show, None, publish=False)
    with instance.database.read() as session:
        page = list_glances(session, show, Wanted(), now=instance.now(), limit=50)
    assert not {"guests", "artwork"} & {*page.episodes[0].lacks}


def test_it_finds_without_accents_by_title_number_and_guest(instance: Instance) -> None:
    show = make_show(instance)
    guests = [CreditInput(name="José Núñez")]
    make_episode(instance, show, None, "Café del mar", publish=False, number=7)
    make_episode(instance, show, None, "Low water", publish=False, guests=guests)
    assert titles(instance, show, words="cafe MAR") == ["Café del mar"]
    assert titles(instance, show, words="nunez") == ["Low water"]
    assert titles(instance, show, words="#7") == ["Café del mar"]
    assert titles(instance, show, words="100%_") == []


def test_it_counts_and_lists_by_state_and_season(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    make_episode(instance, show, None, "Draft", publish=False, season=1)
    make_episode(instance, show, mp3, "Out", season=2)
    gone = make_episode(instance, show, None, "Gone", publish=False)
    with instance.database.write() as session:
        delete_episode(session, loaded(session, gone), now=instance.now())
    with instance.database.read() as session:
        counts = count_states(session, show, now=instance.now())
    assert counts == {
        **{"all": 2, "draft": 1, "scheduled": 0, "published": 1},
        **{"withdrawn": 0, "trash": 1},
    }
    assert titles(instance, show, state="trash") == ["Gone"]
    assert titles(instance, show, state="draft") == ["Draft"]
    assert titles(instance, show, season=2) == ["Out"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("title", ["ash", "Birch", "cedar"]),
        ("number", ["Birch", "cedar", "ash"]),
        ("oldest", ["cedar", "ash", "Birch"]),
        ("newest", ["Birch", "ash", "cedar"]),
    ],
)
def test_it_sorts(instance: Instance, clock: FrozenClock, sort: str, expected: list[str]) -> None:
    show = make_show(instance)
    for title, given in (("cedar", {"number": 1}), ("ash", {}), ("Birch", {"number": 2})):
        make_episode(instance, show, None, title, publish=False, **given)
        clock.advance(hours=1)
    assert titles(instance, show, sort=sort) == expected


# Several at once


def bulk(instance: Instance, show: Show, episodes: list[Episode], **given):
    with instance.database.write() as session:
        act(session, ALICE)
        row = get_show(session, show.slug, lock=True)
        ids = [episode.id for episode in episodes]
        return do_to_all(session, row, ids, BulkInput(**given), now=instance.now())


def take_back(instance: Instance, show: Show, batch_id: str):
    with instance.database.write() as session:
        row = get_show(session, show.slug, lock=True)
        return undo_batch(session, row, batch_id, now=instance.now())


def test_what_cannot_be_done_to_one_is_done_to_the_others(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    ready = make_episode(instance, show, mp3, "Ready", publish=False)
    bare = make_episode(instance, show, None, "Bare", publish=False)
    result = bulk(instance, show, [bare, ready], action="publish")
    assert result.done == [ready.id]
    assert [(one.title, "no audio yet" in one.message) for one in result.refused] == [
        ("Bare", True)
    ]
    assert titles(instance, show, state="published") == ["Ready"]
    assert [entry.action for entry in entries(instance, bare)] == ["created"]
    assert {entry.batch_id for entry in entries(instance, ready)} == {None, result.batch_id}


@pytest.mark.parametrize(
    "given",
    [
        {"action": "delete"},
        {"action": "season", "season": 4},
        {"action": "explicit", "explicit": True},
        {"action": "add_guest", "guest": "Ann"},
    ],
    ids=lambda given: given["action"],
)
def test_all_of_it_is_taken_back_at_once(instance: Instance, given: dict) -> None:
    show = make_show(instance)
    episodes = [
        make_episode(instance, show, None, title, publish=False, guests=[CreditInput(name="Bo")])
        for title in ("One", "Two")
    ]
    before = [said(instance, episode) for episode in episodes]
    result = bulk(instance, show, episodes, **given)
    assert len(result.done) == 2
    assert [said(instance, episode) for episode in episodes] != before
    undone = take_back(instance, show, result.batch_id)
    assert not undone.refused
    assert [said(instance, episode) for episode in episodes] == before
    again = take_back(instance, show, undone.batch_id)
    assert len(again.done) == 2
    assert [said(instance, episode) for episode in episodes] != before


def said(instance: Instance, episode: Episode) -> tuple:
    with instance.database.read() as session:
        row = session.get_one(Episode, episode.id)
        people = [(credit.name, credit.role) for credit in row.credits]
        return row.season, row.explicit, row.deleted_at is None, people


def test_what_changed_since_is_not_overwritten_when_all_is_taken_back(instance: Instance) -> None:
    show = make_show(instance)
    episodes = [make_episode(instance, show, None, t, publish=False) for t in ("One", "Two")]
    result = bulk(instance, show, episodes, action="season", season=4)
    with instance.database.write() as session:
        loaded(session, episodes[0]).season = 5
    undone = take_back(instance, show, result.batch_id)
    assert undone.done == [episodes[1].id]
    assert "changed again since" in undone.refused[0].message


def test_nothing_and_nonsense_are_refused(instance: Instance) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False)
    for given in ({"action": "burn"}, {"action": "add_guest", "guest": " "}):
        with pytest.raises(Invalid):
            bulk(instance, show, [episode], **given)
    with pytest.raises(Invalid, match="at least one"):
        bulk(instance, show, [], action="publish")


def test_an_episode_of_another_show_is_not_touched(instance: Instance) -> None:
    show, other = make_show(instance), make_show(instance, "Other")
    episode = make_episode(instance, other, None, publish=False)
    result = bulk(instance, show, [episode], action="delete")
    assert result.done == [] and len(result.refused) == 1
    assert titles(instance, other) == ["Low water"]


# By day


def test_a_day_begins_where_the_show_lives(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    show = make_show(instance, time_zone="Pacific/Auckland")
    episode = make_episode(instance, show, mp3, publish=False)
    at = clock.time + timedelta(days=1)
    with instance.database.write() as session:
        publish_episode(session, loaded(session, episode), now=instance.now(), at=at)
    with instance.database.read() as session:
        found = list_between(session, show, at, at + timedelta(seconds=1))
        assert [one.title for one in found] == ["Low water"]
        assert not list_between(session, show, at + timedelta(seconds=1), at + timedelta(days=9))


def plan(instance: Instance, episode: Episode, day: str, at: str | None = None) -> Episode:
    with instance.database.write() as session:
        row = loaded(session, episode)
        plan_episode(session, row, day, at, now=instance.now())
        return row


def test_an_episode_moves_to_another_day_and_keeps_its_hour(instance: Instance, mp3: Path) -> None:
    show = make_show(instance, time_zone="Europe/Madrid")
    episode = make_episode(instance, show, mp3, publish=False)
    # Clocks there go forward on the 29th.
    row = plan(instance, episode, "2026-03-27", "07:30")
    assert row.published_at.isoformat() == "2026-03-27T06:30:00+00:00"
    row = plan(instance, episode, "2026-03-30")
    assert row.published_at.isoformat() == "2026-03-30T05:30:00+00:00"
    assert row.status == "scheduled"


def test_what_has_passed_and_what_is_no_day_are_refused(instance: Instance, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3, publish=False)
    for day in ("2026-03-04", "yesterday", ""):
        with pytest.raises(Invalid):
            plan(instance, episode, day)
    with pytest.raises(Invalid):
        plan(instance, episode, "2026-04-04", "noonish")
    out = make_episode(instance, episode.show, mp3, "Out")
    with pytest.raises(Conflict, match="keeps its date"):
        plan(instance, out, "2026-04-04")
