"""Tags in audio: written before an episode is out, once; the upload is kept, and nothing waits for
ever."""

import dataclasses
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mutagen import id3
from PIL import Image
from sqlalchemy.orm import Session

from podhost import checks, jobs, sweep, worker
from podhost.artwork import add_artwork, file_sha256, prepare_artwork
from podhost.audio import tagging
from podhost.audio.revisions import PreparedAudio, prepare_audio_file, refuse_known_audio
from podhost.audio.tagging import WRITE_TAGS, add_copy, prepare_copy, request_tags, tag_episode
from podhost.chapters.rows import ChapterInput, list_chapters
from podhost.commands import publish_folder
from podhost.db import new_id
from podhost.episodes import EpisodeInput, change_episode, get_episode, replace_audio
from podhost.episodes.publishing import publish_episode
from podhost.errors import Conflict, Invalid, Unavailable
from podhost.formats.sound import read_sound
from podhost.formats.written_tags import WrittenTags
from podhost.instance import Instance
from podhost.models import Audio, Episode, Job, Show
from podhost.people import CreditInput
from podhost.shows import ShowInput, change_show, get_show, set_show_artwork
from podhost.storage import LocalStorage
from podhost.uploads.intake import Intake
from tests.audio_files import lame, m4a, wav
from tests.conftest import FrozenClock
from tests.making import feed_body, make_episode, make_show

ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def show(instance: Instance) -> Show:
    """A show that wants tags, with a picture in name only."""
    return make_show(instance, write_tags=True)


@pytest.fixture
def with_cover(instance: Instance, show: Show, tmp_path: Path) -> Show:
    """The show with artwork of its own."""
    Image.new("RGB", (1400, 1400), "navy").save(tmp_path / "cover.png")
    picture = prepare_artwork(instance.storage, tmp_path / "cover.png")
    with instance.database.write() as session:
        now = instance.now()
        locked = get_show(session, show.slug, lock=True)
        set_show_artwork(session, locked, add_artwork(session, picture, now=now), now=now)
        return locked


@pytest.fixture(scope="session")
def probed(mp3: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedAudio:
    """Probing takes most of the time that an upload takes."""
    return prepare_audio_file(LocalStorage(tmp_path_factory.mktemp("probed")), mp3)


@pytest.fixture
def upload(instance: Instance, mp3: Path, probed: PreparedAudio) -> PreparedAudio:
    """The ten seconds of MP3, uploaded."""
    audio_id = new_id()
    key = f"audio/{audio_id}.mp3"
    instance.storage.put_file(key, mp3, content_type="audio/mpeg")
    return dataclasses.replace(probed, id=audio_id, storage_key=key)


def revisions(instance: Instance) -> list[Audio]:
    with instance.database.read() as session:
        return [*session.query(Audio).order_by(Audio.revision)]


def current(instance: Instance) -> Audio:
    return next(audio for audio in revisions(instance) if audio.replaced_at is None)


def stored(instance: Instance, audio: Audio) -> bytes:
    with instance.storage.open(audio.storage_key) as reader:
        return reader.readall()


def status(instance: Instance) -> str:
    with instance.database.read() as session:
        return session.query(Episode).one().status


def work(instance: Instance) -> int:
    return worker.run_due_jobs(instance)


def request(instance: Instance) -> None:
    with instance.database.write() as session:
        request_tags(session, session.query(Episode).one(), now=instance.now())


def edit(instance: Instance, **given: Any) -> None:
    with instance.database.write() as session:
        episode = session.query(Episode).one()
        change_episode(session, episode, EpisodeInput(**given), now=instance.now())


def tag(instance: Instance) -> None:
    with instance.database.read() as session:
        episode_id = session.query(Episode).one().id
    tag_episode(
        instance.database,
        instance.storage,
        episode_id,
        base_url=instance.base_url,
        now=instance.now,
    )


def test_an_episode_is_out_with_its_tags_and_the_upload_is_kept(
    instance: Instance, with_cover: Show, mp3: Path, tmp_path: Path
) -> None:
    show = with_cover
    make_episode(
        instance,
        show,
        mp3,
        guests=[CreditInput(name="Ann Guest"), CreditInput(name="Bo")],
        season=2,
        number=7,
        chapters=[
            ChapterInput(start_seconds=0, title="One"),
            ChapterInput(start_seconds=5, title="Two", url="https://ann.example/é"),
        ],
    )
    assert status(instance) == "scheduled", "nobody gets the file without tags"
    assert b"<item>" not in feed_body_before_tags(instance, show)
    work(instance)
    assert status(instance) == "published"
    upload, tagged = revisions(instance)
    assert (tagged.original_id, tagged.original_sha256) == (upload.id, upload.sha256)
    assert stored(instance, upload) == mp3.read_bytes()
    assert tagged.tags == upload.tags, "what the upload says of itself, for a folder without texts"
    written = id3.ID3(io.BytesIO(stored(instance, tagged)))
    assert (str(written["TIT2"]), str(written["TALB"])) == ("Low water", show.title)
    assert str(written["TPE1"]) == "Ann Guest, Bo" and str(written["TDRC"]) == "2026-03-05"
    assert written["WOAF"].url == "https://pod.example/tide-tables/episodes/low-water"
    assert [str(c.sub_frames["TIT2"]) for c in written.getall("CHAP")] == ["One", "Two"]
    with Image.open(io.BytesIO(written["APIC:"].data)) as cover:
        assert cover.size == (1400, 1400)
    (tmp_path / "out.mp3").write_bytes(stored(instance, tagged))
    assert read_sound(tmp_path / "out.mp3", "mp3") == read_sound(mp3, "mp3")
    assert b"/2/low-water.mp3" in feed_body(instance, show)
    problems, _ = checks.check_instance(instance, progress=lambda done, total: None)
    assert problems == []


def feed_body_before_tags(instance: Instance, show: Show) -> bytes:
    while worker.run_next_job(instance, owner="test"):
        pass
    return feed_body_only(instance, show)


def feed_body_only(instance: Instance, show: Show) -> bytes:
    from podhost.feeds.rendering import find_snapshot, snapshot_body

    with instance.database.read() as session:
        snapshot = find_snapshot(session, show)
        return snapshot_body(snapshot) if snapshot is not None else b""


@ON_ONE_ENGINE
def test_the_same_values_make_no_new_revision_and_others_only_on_request(
    instance: Instance, show: Show, tmp_path: Path
) -> None:
    audio = tmp_path / "talk.m4a"
    audio.write_bytes(m4a(seconds=3))
    make_episode(instance, show, audio)
    work(instance)
    feed = feed_body(instance, show)
    request(instance)
    work(instance)
    assert len(revisions(instance)) == 2 and feed_body(instance, show) == feed
    edit(instance, title="Lower water")
    work(instance)
    assert len(revisions(instance)) == 2, "a new file would be loaded by everybody again"
    request(instance)
    work(instance)
    upload, first, second = revisions(instance)
    assert second.original_id == upload.id and first.replaced_at is not None
    assert b"Lower water" in stored(instance, second)
    assert b"/3/low-water.m4a" in feed_body(instance, show)


@ON_ONE_ENGINE
def test_the_upload_again_is_known_and_so_is_what_is_served(
    instance: Instance, show: Show, upload: PreparedAudio, tmp_path: Path
) -> None:
    make_episode(instance, show, upload)
    work(instance)
    with instance.database.read() as session:
        episode = session.query(Episode).one()
        for revision in revisions(instance):
            with pytest.raises(Conflict, match="this very file"):
                refuse_known_audio(episode, revision.sha256)
        refuse_known_audio(episode, "0" * 64)


@ON_ONE_ENGINE
def test_publishing_the_same_folder_again_changes_nothing(
    instance: Instance, mp3: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tides"
    folder.mkdir()
    Image.new("RGB", (1400, 1400), "navy").save(folder / "artwork.jpg")
    (folder / "show.toml").write_text('title = "Tides"\nwrite_tags = true\n')
    (folder / "001-low.mp3").write_bytes(mp3.read_bytes())
    (folder / "001-low.md").write_text("---\ntitle: Low\ndate: 2026-01-02\n---\n")
    said: list[str] = []
    for _ in range(2):
        assert publish_folder(instance, folder, dry_run=False, say=said.append), said
        assert status(instance) == "published" and len(revisions(instance)) == 2
    assert said[-2:] == ["tides: nothing to do for the show", "  1 episode: nothing to do"]
    # Without the guid in its text, the audio says which episode it is.
    (folder / "001-low.md").unlink()
    publish_folder(instance, folder, dry_run=False, say=said.append)
    assert len(revisions(instance)) == 2
    (folder / "001-low.mp3").write_bytes(lame(11))
    text = (folder / "001-low.md").read_text()
    (folder / "001-low.md").write_text(text.replace("title: ", "title: Very "))
    publish_folder(instance, folder, dry_run=False, say=said.append)
    newest = current(instance)
    assert (newest.revision, newest.original_sha256) == (4, file_sha256(folder / "001-low.mp3"))
    assert str(id3.ID3(io.BytesIO(stored(instance, newest)))["TIT2"]).startswith("Very")
    assert said[-1].startswith("Done: 1 episode changed")


@ON_ONE_ENGINE
def test_without_the_setting_files_are_published_as_they_are(
    instance: Instance, upload: PreparedAudio, tmp_path: Path
) -> None:
    show = make_show(instance)
    make_episode(instance, show, upload)
    assert status(instance) == "published"
    work(instance)
    assert len(revisions(instance)) == 1
    request(instance)
    work(instance)
    assert len(revisions(instance)) == 2, "who asks gets them"


@ON_ONE_ENGINE
def test_a_scheduled_episode_has_the_tags_of_the_time_when_it_is_out(
    instance: Instance, show: Show, upload: PreparedAudio, clock: FrozenClock
) -> None:
    make_episode(instance, show, upload, at=instance.now() + timedelta(days=1))
    edit(instance, title="Second thoughts")
    work(instance)
    assert len(revisions(instance)) == 1
    clock.advance(days=1, minutes=1)
    work(instance)
    assert status(instance) == "published"
    assert "Second thoughts" in str(
        id3.ID3(io.BytesIO(stored(instance, current(instance))))["TIT2"]
    )


@ON_ONE_ENGINE
def test_an_episode_that_was_in_an_early_feed_keeps_the_file_that_was_heard(
    instance: Instance, show: Show, upload: PreparedAudio, clock: FrozenClock
) -> None:
    with instance.database.write() as session:
        row = get_show(session, show.slug, lock=True)
        feeds = ({"name": "0f1e2d3c4b5a69788796", "early_hours": 48},)
        change_show(session, row, ShowInput(feeds=feeds), now=instance.now())
    make_episode(instance, show, upload, at=instance.now() + timedelta(days=1))
    work(instance)
    with instance.database.read() as session:
        assert session.query(Episode).one().early_since is not None
    clock.advance(days=1, minutes=1)
    work(instance)
    assert status(instance) == "published"
    assert len(revisions(instance)) == 1


@ON_ONE_ENGINE
def test_a_lost_job_is_found_by_the_sweep(
    instance: Instance, show: Show, upload: PreparedAudio
) -> None:
    make_episode(instance, show, upload)
    assert worker.run_sweep(instance) == 0, "it is published when its tags are written"
    with instance.database.write() as session:
        session.query(Job).filter(Job.kind == WRITE_TAGS).delete()
    work(instance)
    assert status(instance) == "scheduled"
    worker.run_sweep(instance)
    work(instance)
    assert status(instance) == "published" and len(revisions(instance)) == 2
    assert worker.run_sweep(instance) == 0


@ON_ONE_ENGINE
def test_what_cannot_be_tagged_is_published_as_it_is_with_a_warning(
    instance: Instance, show: Show, upload: PreparedAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise Invalid("The sound of the file would not have been the same to the last bit.")

    episode = make_episode(instance, show, upload)
    with monkeypatch.context() as patch:
        patch.setattr(tagging, "write_tags", refuse)
        work(instance)
    assert status(instance) == "published" and len(revisions(instance)) == 1
    from podhost.episodes import episode_warnings

    with instance.database.read() as session:
        warnings = episode_warnings(session.get_one(Episode, episode.id))
    assert warnings[-1].startswith("Tags could not be written into the audio, which stays as it is")
    request(instance)
    work(instance)
    assert len(revisions(instance)) == 2 and current(instance).tagging_problem is None


@ON_ONE_ENGINE
def test_damaged_audio_is_not_copied_on(
    instance: Instance, show: Show, upload: PreparedAudio
) -> None:
    make_episode(instance, show, upload)
    path = instance.storage.local_path(current(instance).storage_key)
    assert path is not None
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    work(instance)
    assert "damaged" in (current(instance).tagging_problem or "")


@ON_ONE_ENGINE
def test_other_kinds_of_audio_have_no_tags_written(
    instance: Instance, show: Show, tmp_path: Path
) -> None:
    (tmp_path / "talk.wav").write_bytes(wav(seconds=3))
    make_episode(instance, show, tmp_path / "talk.wav", publish=False)
    with pytest.raises(Invalid, match="no MP3 or M4A"):
        request(instance)


@ON_ONE_ENGINE
def test_an_outage_is_waited_for_and_not_for_ever(
    instance: Instance,
    show: Show,
    upload: PreparedAudio,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise Unavailable("The storage is away.")

    make_episode(instance, show, upload)
    monkeypatch.setattr(tagging, "write_tags", fail)
    work(instance)
    assert status(instance) == "scheduled" and current(instance).tagging_problem is None
    clock.advance(minutes=61)
    work(instance)
    assert status(instance) == "published"
    assert "for an hour" in (current(instance).tagging_problem or "")


@ON_ONE_ENGINE
def test_work_that_ends_the_worker_each_time_is_given_up(
    instance: Instance, show: Show, upload: PreparedAudio, clock: FrozenClock
) -> None:
    make_episode(instance, show, upload)
    for _ in range(tagging.MOST_ATTEMPTS):
        # Claimed by a worker that dies, and its lease ends.
        with instance.database.write() as session:
            assert jobs.claim(session, kinds=(WRITE_TAGS,), owner="dead", now=instance.now())
        clock.advance(seconds=11)
    work(instance)
    assert status(instance) == "published" and len(revisions(instance)) == 1
    assert "interrupted" in (current(instance).tagging_problem or "")


@ON_ONE_ENGINE
def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(
    instance: Instance,
    show: Show,
    upload: PreparedAudio,
    clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    make_episode(instance, show, upload)
    points = ("write_tags", "prepare_audio", "lock_show", "add_revision", "touch_episode")
    for point in points:
        with monkeypatch.context() as patch:
            patch.setattr(tagging, point, killed)
            with pytest.raises(Killed):
                tag(instance)
        assert len(revisions(instance)) == 1
    tag(instance)
    tag(instance)
    assert len(revisions(instance)) == 2
    work(instance)
    assert len(revisions(instance)) == 2 and status(instance) == "published"
    clock.advance(hours=25)
    assert sweep.find_orphans(instance.database, instance.storage, now=clock()) == []


@ON_ONE_ENGINE
def test_who_edits_meanwhile_gets_the_newest_values(
    instance: Instance, show: Show, upload: PreparedAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_episode(instance, show, upload)
    write = tagging.write_tags
    titles: list[str] = []

    def slow(source: Path, target: Path, tags: WrittenTags, **options: Any) -> None:
        titles.append(tags.title)
        write(source, target, tags, **options)
        if len(titles) == 1:
            edit(instance, title="Edited meanwhile")

    monkeypatch.setattr(tagging, "write_tags", slow)
    work(instance)
    assert titles == ["Low water", "Edited meanwhile"] and len(revisions(instance)) == 2
    assert len([*instance.storage.list("audio/")]) == 2, "what was written first is taken back"


@ON_ONE_ENGINE
def test_the_upload_is_not_swept_while_its_copy_is_served(
    instance: Instance,
    show: Show,
    mp3: Path,
    upload: PreparedAudio,
    clock: FrozenClock,
    tmp_path: Path,
) -> None:
    make_episode(instance, show, upload)
    work(instance)
    tagged = current(instance)
    clock.advance(days=40)
    edit(instance, title="Lower")
    request(instance)
    work(instance)
    clock.advance(days=40)
    sweep.remove_unneeded(instance.database, instance.storage, now=clock())
    purged = [audio.purged_at is not None for audio in revisions(instance)]
    assert purged == [False, True, False]
    louder = tmp_path / "louder.mp3"
    louder.write_bytes(lame(11))
    with instance.database.write() as session:
        episode = session.query(Episode).one()
        replaced = prepare_audio_file(instance.storage, louder)
        replace_audio(session, episode, replaced, now=clock())
    sweep.remove_unneeded(instance.database, instance.storage, now=clock())
    assert instance.storage.find_stat(upload.storage_key) is None, "nobody has a use for it now"
    assert instance.storage.find_stat(tagged.storage_key) is None


def put_audio(instance: Instance, path: Path) -> None:
    """As the API and a folder do it."""

    def replace(session: Session) -> Episode:
        episode = session.query(Episode).one()
        replace_audio(session, episode, prepared, now=instance.now())
        return episode

    base_url = instance.base_url
    with Intake(instance.database, instance.storage) as intake:
        prepared = intake.keep_audio(prepare_audio_file(instance.storage, path))
        with instance.database.read() as session:
            show_id = session.query(Show).one().id
        copy = prepare_copy(
            instance.database,
            instance.storage,
            intake,
            replace,
            show_id=show_id,
            base_url=base_url,
        )
        with instance.database.write() as session:
            episode = replace(session)
            if copy is not None:
                add_copy(session, episode, copy, base_url=base_url, now=instance.now())


@ON_ONE_ENGINE
def test_what_replaces_audio_that_is_out_has_its_tags_at_once(
    instance: Instance,
    show: Show,
    mp3: Path,
    upload: PreparedAudio,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_episode(
        instance,
        show,
        upload,
        chapters=[ChapterInput(start_seconds=at, title="X") for at in (0, 9)],
    )
    work(instance)
    shorter = tmp_path / "shorter.mp3"
    shorter.write_bytes(lame(5))
    put_audio(instance, shorter)
    _, _, given, tagged = revisions(instance)
    assert given.created_at == given.replaced_at, "nobody was ever sent to it"
    assert (tagged.original_id, tagged.replaced_at) == (given.id, None)
    written = id3.ID3(io.BytesIO(stored(instance, tagged)))
    assert len(written.getall("CHAP")) == 1 and str(written["TIT2"]) == "Low water"
    work(instance)
    assert len(revisions(instance)) == 4

    def refuse(*_: Any, **__: Any) -> None:
        raise Invalid("No.")

    monkeypatch.setattr(tagging, "write_tags", refuse)
    put_audio(instance, mp3)
    assert current(instance).sha256 == file_sha256(mp3)
    assert current(instance).tagging_problem is not None


@ON_ONE_ENGINE
def test_a_withdrawn_draft_is_not_published_by_its_tags(
    instance: Instance, show: Show, upload: PreparedAudio
) -> None:
    make_episode(instance, show, upload)
    from podhost.episodes.publishing import withdraw_episode

    with instance.database.write() as session:
        withdraw_episode(session, session.query(Episode).one(), now=instance.now())
    work(instance)
    assert status(instance) == "draft"
    with instance.database.write() as session:
        publish_episode(session, session.query(Episode).one(), now=instance.now())
    work(instance)
    assert status(instance) == "published"


@ON_ONE_ENGINE
def test_turning_the_setting_off_leaves_later_uploads_alone(
    instance: Instance, show: Show, upload: PreparedAudio
) -> None:
    make_episode(instance, show, upload, publish=False)
    with instance.database.write() as session:
        locked = get_show(session, show.slug, lock=True)
        change_show(session, locked, ShowInput(write_tags=False), now=instance.now())
        episode = get_episode(session, locked, "low-water")
        publish_episode(session, episode, now=instance.now())
        assert episode.status == "published" and list_chapters(episode) == []
    work(instance)
    assert len(revisions(instance)) == 1
