"""Episodes: guids, slugs, people, chapters, and what the tags of the audio fill in."""

from pathlib import Path

import pytest

from podhost.audio.revisions import prepare_audio_file
from podhost.chapters.rows import ChapterInput, list_chapters
from podhost.episodes import (
    EpisodeInput,
    change_episode,
    create_episode,
    get_episode,
    list_episodes,
    replace_audio,
)
from podhost.errors import Conflict, Invalid, NotFound
from podhost.feeds.rendering import enclosure_url
from podhost.instance import Instance
from podhost.models import Audio, Episode
from podhost.people import CreditInput
from podhost.shows import get_show
from tests.audio_files import lame
from tests.making import feed_body, make_episode, make_show


def change(instance: Instance, episode: Episode, **given: object) -> bool:
    with instance.database.write() as session:
        show = get_show(session, episode.show.slug, lock=True)
        row = get_episode(session, show, episode.id)
        return change_episode(session, row, EpisodeInput(**given), now=instance.now())  # type: ignore[arg-type]


def test_the_file_name_is_the_title_where_nothing_else_says_one(
    instance: Instance, mp3: Path, tmp_path: Path
) -> None:
    path = tmp_path / "low_water at noon.mp3"
    path.write_bytes(mp3.read_bytes())
    show = make_show(instance)
    prepared = prepare_audio_file(instance.storage, path)
    with instance.database.write() as session:
        show = get_show(session, show.slug, lock=True)
        episode = create_episode(session, show, EpisodeInput(), prepared, now=instance.now())
    assert episode.title == "low water at noon"
    assert episode.slug == "low-water-at-noon"


def test_a_guid_is_taken_as_it_is_and_once(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    odd = "http://old.example/?p=12&x= ÄÖ"
    assert make_episode(instance, show, mp3, guid=odd).guid == odd
    with pytest.raises(Conflict):
        make_episode(instance, show, mp3, guid=odd)
    with pytest.raises(Invalid):
        make_episode(instance, show, mp3, guid="a\x00b")


def test_a_guid_never_changes(instance: Instance, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3, guid="one")
    assert not change(instance, episode, guid="one")
    with pytest.raises(Conflict, match="never changes"):
        change(instance, episode, guid="two")


def test_a_renamed_episode_is_found_by_its_old_slug_and_keeps_its_enclosure(
    instance: Instance, mp3: Path
) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    assert episode.audio is not None
    before = enclosure_url(instance.base_url, episode.audio)
    assert change(instance, episode, slug="ebb", title="Ebb")
    with instance.database.read() as session:
        show = get_show(session, episode.show.slug)
        assert get_episode(session, show, "low-water").id == episode.id
        again = get_episode(session, show, "ebb")
        assert again.audio is not None
        assert enclosure_url(instance.base_url, again.audio) == before


def test_people_of_one_episode_do_not_change_those_of_another(
    instance: Instance, mp3: Path
) -> None:
    show = make_show(instance, people=[CreditInput(name="Pia Port")])
    first = make_episode(
        instance, show, mp3, "One", people=[CreditInput(name="Ann Guest", bio="Sailor")]
    )
    make_episode(
        instance, show, mp3, "Two", people=[CreditInput(name=" ann  GUEST", bio="Captain")]
    )
    with instance.database.read() as session:
        row = get_episode(session, get_show(session, show.slug), first.id)
        assert [(credit.name, credit.bio, credit.role) for credit in row.credits] == [
            ("Ann Guest", "Sailor", "guest")
        ]
        assert row.credits[0].person_id


def test_people_of_an_episode_stand_beside_the_hosts_in_the_feed(
    instance: Instance, mp3: Path
) -> None:
    show = make_show(instance, people=[CreditInput(name="Pia Port")])
    make_episode(
        instance, show, mp3, people=[CreditInput(name="Ann Guest", url="https://a.example")]
    )
    feed = feed_body(instance, show).decode()
    item = feed[feed.index("<item>") :]
    assert item.index("Pia Port</podcast:person>") < item.index("Ann Guest</podcast:person>")
    assert '<p>With <a href="https://a.example">Ann Guest</a>' in item


def test_chapters_outside_the_episode_are_dropped(instance: Instance, mp3: Path) -> None:
    chapters = [
        ChapterInput(start_seconds=5, title="Second"),
        ChapterInput(start_seconds=0, title="First"),
        ChapterInput(start_seconds=500, title="Beyond"),
    ]
    episode = make_episode(instance, make_show(instance), mp3, chapters=chapters)
    with instance.database.read() as session:
        row = get_episode(session, get_show(session, episode.show.slug), episode.id)
        assert [chapter.title for chapter in list_chapters(row)] == ["First", "Second"]
    assert change(instance, episode, chapters=[])
    assert not change(instance, episode, chapters=[])


def test_a_chapter_without_a_possible_time_is_refused(instance: Instance, mp3: Path) -> None:
    with pytest.raises(Invalid, match="number of seconds"):
        make_episode(
            instance,
            make_show(instance),
            mp3,
            chapters=[ChapterInput(start_seconds=float("nan"), title="x")],
        )


def test_replaced_audio_keeps_the_guid_and_gets_a_new_url(
    instance: Instance, mp3: Path, tmp_path: Path
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    before = feed_body(instance, show)
    new = tmp_path / "new.mp3"
    new.write_bytes(lame(12))
    prepared = prepare_audio_file(instance.storage, new)
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        replace_audio(session, row, prepared, now=instance.now())
        assert row.audio is not None and row.audio.revision == 2
    after = feed_body(instance, show).decode()
    assert f"/audio/{episode.id}/1/".encode() in before
    assert f"/audio/{episode.id}/2/" in after and episode.guid in after
    with instance.database.read() as session:
        old = session.query(Audio).filter_by(episode_id=episode.id, revision=1).one()
        assert old.replaced_at is not None and instance.storage.size(old.storage_key)


def test_published_audio_is_not_replaced_by_what_apps_cannot_play(
    instance: Instance, mp3: Path, tmp_path: Path
) -> None:
    from tests.audio_files import flac

    episode = make_episode(instance, make_show(instance), mp3)
    path = tmp_path / "new.flac"
    path.write_bytes(flac())
    prepared = prepare_audio_file(instance.storage, path)
    with pytest.raises(Invalid), instance.database.write() as session:
        row = get_episode(session, get_show(session, episode.show.slug, lock=True), episode.id)
        replace_audio(session, row, prepared, now=instance.now())
    with instance.database.read() as session:
        row = get_episode(session, get_show(session, episode.show.slug), episode.id)
        assert row.audio is not None and row.audio.revision == 1


@pytest.mark.parametrize("key", ["a\x00b", "\ud800", "zähler"])
def test_what_can_be_no_slug_is_not_found(instance: Instance, key: str) -> None:
    show = make_show(instance)
    with pytest.raises(NotFound), instance.database.read() as session:
        get_episode(session, show, key)


def test_a_wrong_guest_is_named_as_a_guest(instance: Instance, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    given = {"guests": [CreditInput(name="")], "people": [CreditInput(name="Ann", role="x")]}
    with pytest.raises(Invalid) as caught:
        change(instance, episode, **given)
    assert caught.value.fields.keys() == {"guests[0].name", "people[0].role"}


def test_another_shows_episode_is_not_found(instance: Instance, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    other = make_show(instance, "Bob's show")
    with pytest.raises(NotFound), instance.database.read() as session:
        get_episode(session, other, episode.id)


def test_episodes_are_listed_newest_first(instance: Instance, mp3: Path, clock: object) -> None:
    show = make_show(instance)
    for title in ("One", "Two", "Three"):
        make_episode(instance, show, mp3, title)
        clock.advance(hours=1)  # type: ignore[attr-defined]
    with instance.database.read() as session:
        titles = [episode.title for episode in list_episodes(session, show, limit=2)]
        assert titles == ["Three", "Two"]
        rest = list_episodes(session, show, limit=2, offset=2)
        assert [episode.title for episode in rest] == ["One"]


def noted(instance: Instance, episode: Episode) -> list[str]:
    with instance.database.read() as session:
        row = get_episode(session, get_show(session, episode.show.slug), episode.id)
        return [chapter.title for chapter in list_chapters(row)]


NOTED = "Tides.\n\n00:00 Ebb\n00:03 Flood\n"


def test_chapters_come_from_the_notes_and_change_with_them(instance: Instance, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3, notes=NOTED)
    assert noted(instance, episode) == ["Ebb", "Flood"]
    assert change(instance, episode, notes=NOTED + "00:04 Slack\n")
    assert noted(instance, episode) == ["Ebb", "Flood", "Slack"]
    assert change(instance, episode, notes="At 00:03 it turns.")
    assert noted(instance, episode) == []


def test_chapters_that_a_host_gave_or_took_away_do_not_follow_the_notes(
    instance: Instance, mp3: Path
) -> None:
    own = [ChapterInput(start_seconds=0, title="Own")]
    episode = make_episode(instance, make_show(instance), mp3, notes=NOTED, chapters=own)
    assert noted(instance, episode) == ["Own"]
    change(instance, episode, chapters=[])
    change(instance, episode, notes=NOTED + "00:04 Slack\n")
    assert noted(instance, episode) == []


def test_chapters_from_the_notes_wait_for_the_audio_in_which_they_lie(
    instance: Instance, mp3: Path
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False, notes=NOTED + "59:00 Long\n")
    assert noted(instance, episode) == ["Ebb", "Flood", "Long"]
    prepared = prepare_audio_file(instance.storage, mp3)
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        replace_audio(session, row, prepared, now=instance.now())
    assert noted(instance, episode) == []
