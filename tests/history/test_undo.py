"""A change is taken back through the functions by which people change things."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from podhost.artwork import add_artwork, prepare_artwork
from podhost.audio.revisions import enclosure_url, prepare_audio_file
from podhost.chapters.rows import ChapterInput
from podhost.episodes import EpisodeInput, replace_audio, set_episode_artwork
from podhost.episodes.publishing import delete_episode, publish_episode, withdraw_episode
from podhost.errors import Conflict, Gone
from podhost.history.old_audio import prepare
from podhost.history.recording import NOT_KEPT
from podhost.history.trash import (
    get_deleted_episode,
    get_deleted_show,
    list_deleted_episodes,
    restore,
)
from podhost.history.undo import get_entry, list_history, undo
from podhost.instance import Instance
from podhost.models import Audio, Episode, HistoryEntry, Show
from podhost.people import CreditInput
from podhost.shows import ShowInput, change_show, delete_show, get_show
from podhost.sweep import remove_unneeded
from podhost.transcripts import prepare_transcripts, set_transcripts
from podhost.uploads.intake import Intake
from tests.audio_files import lame
from tests.conftest import FrozenClock
from tests.history.test_recording import ALICE, BOB, change, loaded, values
from tests.making import feed_body, make_episode, make_show

VTT = b"WEBVTT\n\n00:00.000 --> 00:02.000\nGood morning.\n"


def newest(instance: Instance, episode: Episode) -> HistoryEntry:
    with instance.database.read() as session:
        return list_history(session, episode.show, episode, limit=1)[0]


def take_back(instance: Instance, episode: Episode, entry: HistoryEntry, **how) -> list[str]:
    with Intake(instance.database, instance.storage) as intake:
        audio = prepare(instance.database, instance.storage, intake, entry)
        with instance.database.write() as session:
            row = loaded(session, episode)
            kept = get_entry(session, row.show, row, entry.id)
            return undo(session, row, kept, now=instance.now(), audio=audio, **how).warnings


def look(instance: Instance, episode: Episode) -> Episode:
    with instance.database.read() as session:
        row = loaded(session, episode)
        assert row.audio is None or row.audio.id
        assert sum(map(len, (row.credits, row.chapters, row.transcripts))) >= 0
        return row


def test_texts_people_chapters_and_tags_come_back_together(instance: Instance) -> None:
    episode = make_episode(
        instance,
        make_show(instance),
        None,
        publish=False,
        notes="# Tide",
        guests=[CreditInput(name="Ann", bio="Sails.")],
        chapters=[ChapterInput(start_seconds=0, title="One")],
        labels=["sea"],
    )
    change(
        instance, episode, title="X", notes="", blocked=True, guests=[], chapters=[], labels=None
    )
    take_back(instance, episode, newest(instance, episode))
    row = look(instance, episode)
    assert (row.title, row.notes, row.is_blocked) == ("Low water", "# Tide", False)
    assert "<h" in row.notes_html
    assert [(credit.name, credit.bio, credit.role) for credit in row.credits] == [
        ("Ann", "Sails.", "guest")
    ]
    assert [chapter.title for chapter in row.chapters] == ["One"]
    assert row.tags == {"labels": ["sea"]}


def test_undoing_is_a_change_that_can_be_undone(instance: Instance) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    change(instance, episode, title="High water")
    take_back(instance, episode, newest(instance, episode))
    take_back(instance, episode, newest(instance, episode))
    assert look(instance, episode).title == "High water"


def test_it_refuses_where_the_same_field_was_changed_since(instance: Instance) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    change(instance, episode, ALICE, title="Alice's", season=1)
    first = newest(instance, episode)
    change(instance, episode, BOB, title="Bob's")
    with pytest.raises(Conflict, match="Title was changed again since") as error:
        take_back(instance, episode, first)
    assert [*error.value.fields] == ["title"]
    take_back(instance, episode, first, only=["season"])
    assert (look(instance, episode).title, look(instance, episode).season) == ("Bob's", None)
    take_back(instance, episode, first, only=["title"], anyway=True)
    assert look(instance, episode).title == "Low water"


def test_the_beginning_cannot_be_undone(instance: Instance) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    with pytest.raises(Conflict, match="how it began"):
        take_back(instance, episode, newest(instance, episode))


def test_what_was_published_is_withdrawn_and_no_draft(instance: Instance, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3, publish=False)
    with instance.database.write() as session:
        publish_episode(session, loaded(session, episode), now=instance.now())
    take_back(instance, episode, newest(instance, episode))
    row = look(instance, episode)
    assert (row.status, row.published_at) == ("withdrawn", instance.now())


def test_what_was_withdrawn_is_out_again_with_its_date(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    out_at = look(instance, episode).published_at
    clock.advance(days=3)
    with instance.database.write() as session:
        withdraw_episode(session, loaded(session, episode), now=instance.now())
    take_back(instance, episode, newest(instance, episode))
    row = look(instance, episode)
    assert (row.status, row.published_at) == ("published", out_at)


def test_what_came_out_too_early_is_scheduled_again(
    instance: Instance, clock: FrozenClock, mp3: Path
) -> None:
    planned = clock() + timedelta(days=9)
    episode = make_episode(instance, make_show(instance), mp3, at=planned)
    with instance.database.write() as session:
        publish_episode(session, loaded(session, episode), now=instance.now())
    assert look(instance, episode).status == "published"
    take_back(instance, episode, newest(instance, episode))
    row = look(instance, episode)
    assert (row.status, row.published_at) == ("scheduled", planned)


def test_a_time_that_has_passed_does_not_come_back(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    episode = make_episode(instance, make_show(instance), mp3, publish=False)
    with instance.database.write() as session:
        row = loaded(session, episode)
        at = clock.time.replace(hour=20)
        publish_episode(session, row, now=instance.now(), at=at)
    with instance.database.write() as session:
        withdraw_episode(session, loaded(session, episode), now=instance.now())
    entry = newest(instance, episode)
    take_back(instance, episode, entry)
    assert look(instance, episode).published_at == at
    with instance.database.write() as session:
        withdraw_episode(session, loaded(session, episode), now=instance.now())
    entry = newest(instance, episode)
    clock.advance(days=1)
    with pytest.raises(Conflict, match="has passed"):
        take_back(instance, episode, entry)


def test_an_older_text_never_changes_what_the_world_sees(instance: Instance, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3, publish=False)
    with instance.database.write() as session:
        row = loaded(session, episode)
        row.title = "With a bang"
        publish_episode(session, row, now=instance.now())
    both = newest(instance, episode)
    assert {"title", "status"} <= values(both).keys()
    change(instance, episode, BOB, title="Bob's")
    take_back(instance, episode, both, anyway=True)
    row = look(instance, episode)
    assert (row.title, row.status) == ("Low water", "published")


def test_earlier_audio_comes_back_under_a_new_address(
    instance: Instance, mp3: Path, tmp_path: Path
) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    first = look(instance, episode).audio
    other = tmp_path / "other.mp3"
    other.write_bytes(lame(3))
    prepared = prepare_audio_file(instance.storage, other)
    with instance.database.write() as session:
        replace_audio(session, loaded(session, episode), prepared, now=instance.now())
    take_back(instance, episode, newest(instance, episode))
    row = look(instance, episode)
    assert row.audio is not None and first is not None
    assert (row.audio.sha256, row.audio.revision) == (first.sha256, 3)
    assert enclosure_url("", row.audio) != enclosure_url("", first)
    assert enclosure_url("", row.audio).encode() in feed_body(instance, episode.show)


def test_audio_that_is_purged_does_not_come_back(
    instance: Instance, mp3: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    other = tmp_path / "other.mp3"
    other.write_bytes(lame(3))
    prepared = prepare_audio_file(instance.storage, other)
    with instance.database.write() as session:
        replace_audio(session, loaded(session, episode), prepared, now=instance.now())
    entry = newest(instance, episode)
    clock.advance(days=31)
    remove_unneeded(instance.database, instance.storage, now=instance.now())
    with pytest.raises(Conflict, match="kept for 30 days"):
        take_back(instance, episode, entry)


def test_a_picture_and_a_transcript_are_kept_to_come_back(
    instance: Instance, clock: FrozenClock, tmp_path: Path
) -> None:
    from PIL import Image

    picture = tmp_path / "art.png"
    Image.new("RGB", (1400, 1400), "teal").save(picture)
    episode = make_episode(instance, make_show(instance), None, publish=False)
    prepared, _ = prepare_transcripts(instance.storage, VTT, "a.vtt")
    artwork = prepare_artwork(instance.storage, picture)
    with instance.database.write() as session:
        row = loaded(session, episode)
        set_transcripts(session, row, prepared, now=instance.now())
        set_episode_artwork(
            session, row, add_artwork(session, artwork, now=instance.now()), now=instance.now()
        )
    first = look(instance, episode)
    keys = [transcript.storage_key for transcript in first.transcripts]
    with instance.database.write() as session:
        row = loaded(session, episode)
        set_transcripts(session, row, [], now=instance.now())
        set_episode_artwork(session, row, None, now=instance.now())
    clock.advance(days=29)
    # As if every object had been stored long ago.
    remove_unneeded(instance.database, instance.storage, now=instance.now())
    take_back(instance, episode, newest(instance, episode))
    row = look(instance, episode)
    assert row.artwork_id == first.artwork_id
    assert [transcript.storage_key for transcript in row.transcripts] == keys
    assert all(instance.storage.find_stat(key) for key in keys)


def test_a_transcript_that_is_gone_does_not_come_back(
    instance: Instance, clock: FrozenClock
) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    prepared, _ = prepare_transcripts(instance.storage, VTT, "a.vtt")
    for files in (prepared, []):
        with instance.database.write() as session:
            set_transcripts(session, loaded(session, episode), files, now=instance.now())
    entry = newest(instance, episode)
    clock.advance(days=31)
    remove_unneeded(instance.database, instance.storage, now=instance.now())
    with pytest.raises(Conflict, match="not stored any more"):
        take_back(instance, episode, entry)


def test_a_show_goes_back_too(instance: Instance) -> None:
    show = make_show(instance)
    given = ShowInput(title="Tides", locked=False, categories=["Arts"], funding=None)
    with instance.database.write() as session:
        change_show(session, get_show(session, show.slug, lock=True), given, now=instance.now())
    with instance.database.write() as session:
        row = get_show(session, show.slug, lock=True)
        undo(session, row, list_history(session, row, None, limit=1)[0], now=instance.now())
    with instance.database.read() as session:
        row = get_show(session, show.slug)
        assert (row.title, row.is_locked) == ("Tide Tables", True)
        assert row.categories == [["Society & Culture", "Places & Travel"]]


def test_the_history_is_kept_for_two_years(instance: Instance, clock: FrozenClock) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    clock.advance(days=400)
    change(instance, episode, title="High water")
    clock.advance(days=400)
    remove_unneeded(instance.database, instance.storage, now=instance.now())
    with instance.database.read() as session:
        kept = list_history(session, episode.show, episode)
        assert [entry.action for entry in kept] == ["changed"]


# The trash


def test_a_deleted_episode_comes_back_as_it_was(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3, title="Low water")
    before = feed_body(instance, show)
    with instance.database.write() as session:
        delete_episode(session, loaded(session, episode), now=instance.now())
    assert b"<item>" not in feed_body(instance, show)
    with instance.database.write() as session:
        row = get_show(session, show.slug, lock=True)
        assert [one.id for one in list_deleted_episodes(session, row, now=instance.now())] == [
            episode.id
        ]
        restore(session, get_deleted_episode(session, row, episode.id), now=instance.now())
    item = before[before.index(b"<item>") : before.index(b"</item>")]
    assert item in feed_body(instance, show)


def test_what_was_to_be_published_meanwhile_is_a_draft(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    episode = make_episode(instance, make_show(instance), mp3, publish=False)
    at = clock.time.replace(hour=20)
    with instance.database.write() as session:
        row = loaded(session, episode)
        publish_episode(session, row, now=instance.now(), at=at)
        delete_episode(session, row, now=instance.now())
    clock.advance(days=2)
    with instance.database.write() as session:
        show = get_show(session, episode.show.slug, lock=True)
        warnings = restore(
            session, get_deleted_episode(session, show, episode.id), now=instance.now()
        )
    assert "it is a draft now" in warnings[0]
    assert look(instance, episode).status == "draft"


def test_a_deleted_show_comes_back(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3)
    before = feed_body(instance, show)
    with instance.database.write() as session:
        delete_show(session, get_show(session, show.slug, lock=True), now=instance.now())
    with instance.database.write() as session:
        restore(session, get_deleted_show(session, show.slug), now=instance.now())
    assert feed_body(instance, show) == before


def test_after_thirty_days_it_is_gone_and_so_is_its_audio(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    staying = make_episode(instance, show, mp3, title="Stays")
    with instance.database.write() as session:
        delete_episode(session, loaded(session, episode), now=instance.now())
    clock.advance(days=29)
    remove_unneeded(instance.database, instance.storage, now=instance.now())
    assert stored(instance, episode)
    clock.advance(days=2)
    remove_unneeded(instance.database, instance.storage, now=instance.now())
    assert not stored(instance, episode)
    assert stored(instance, staying)
    with pytest.raises(Gone, match="more than 30 days"), instance.database.write() as session:
        row = get_show(session, show.slug, lock=True)
        assert not list_deleted_episodes(session, row, now=instance.now())
        restore(session, get_deleted_episode(session, row, episode.id), now=instance.now())


def stored(instance: Instance, episode: Episode) -> bool:
    with instance.database.read() as session:
        row = session.query(Audio).filter_by(episode_id=episode.id, replaced_at=None).one()
        return instance.storage.find_stat(row.storage_key) is not None


@pytest.mark.parametrize(("kind", "given"), [(Episode, EpisodeInput), (Show, ShowInput)])
def test_whatever_is_kept_can_be_put_back(kind: type[Any], given: type[Any]) -> None:
    inputs = {*given.__struct_fields__}
    aliases = {"is_blocked": "blocked", "is_locked": "locked", "is_complete": "complete"}
    beside = {"artwork_id", "status", "published_at", "deleted_at", "tags"}
    for name in {*kind.__table__.columns.keys()} - NOT_KEPT[kind] - beside:
        assert aliases.get(name, name) in inputs, f"put {name} into NOT_KEPT, or take it back"
