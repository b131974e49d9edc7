"""What a serving process holds in memory, and how it follows what others change."""

import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, update

from podhost.catalogue import Catalogue
from podhost.catalogue.entries import Memory
from podhost.changes import record_change
from podhost.errors import Unavailable
from podhost.feeds.formats import JSON
from podhost.instance import Instance
from podhost.models import (
    Artwork,
    Audio,
    Change,
    Chapter,
    Episode,
    JsonSnapshot,
    Rendered,
    Show,
    ShowSlug,
    Snapshot,
    Transcript,
)
from tests.conftest import FrozenClock
from tests.waiting import wait_for

SHOW = "5" * 16
EPISODE = "e" * 16
TRANSCRIPT = "7" * 16
ARTWORK = "c" * 16
SOUND = bytes(range(250)) * 800  # 200,000 bytes: more than one piece
FEED = b"<rss>" + b"tide " * 1000 + b"</rss>\n"
JSON_FEED = b'{"title":"' + b"ebb " * 1000 + b'"}\n'
FEED_PATH = "/tide/feed.xml"
JSON_PATH = "/tide/feed.json"
AUDIO_PATH = f"/audio/{EPISODE}/1/low-water.mp3"


def fill(instance: Instance, *, with_files: bool = True) -> None:
    """One show with one published episode that has audio, chapters, a transcript, artwork."""
    now = instance.now()
    if with_files:
        put = instance.storage.put_bytes
        put("audio/one.mp3", SOUND, content_type="audio/mpeg")
        put(f"transcripts/{TRANSCRIPT}.vtt", b"WEBVTT\n", content_type="text/vtt")
        put(f"artwork/{ARTWORK}/600.jpg", b"\xff\xd8picture", content_type="image/jpeg")
    with instance.database.write() as session:
        session.add(
            Artwork(
                id=ARTWORK, source_sha256="0" * 64, mime_type="image/jpeg", width=600,
                height=600, sizes=[[600, 9]], created_at=now,
            )
        )  # fmt: skip
        session.add(
            Show(
                id=SHOW, slug="tide", title="Tide Tables", categories=[], podcast_guid="g",
                created_at=now, changed_at=now,
            )
        )  # fmt: skip
        session.flush()
        session.add(snapshot(instance, FEED))
        session.add(snapshot(instance, JSON_FEED, table=JsonSnapshot))
        session.add(
            Episode(
                id=EPISODE, show_id=SHOW, guid="guid", slug="low-water", title="Low water",
                status="published", published_at=now, created_at=now, changed_at=now,
                chapters_changed_at=now,
            )
        )  # fmt: skip
        session.flush()
        session.add(audio(instance))
        session.add(
            Chapter(episode_id=EPISODE, position=0, start_ms=0, title="Hello", artwork_id=ARTWORK)
        )
        session.add(
            Transcript(
                id=TRANSCRIPT, episode_id=EPISODE, position=0,
                storage_key=f"transcripts/{TRANSCRIPT}.vtt", source_sha256="1" * 64,
                sha256="2" * 64, size_bytes=7, mime_type="text/vtt", extension="vtt",
                created_at=now,
            )
        )  # fmt: skip


def snapshot(
    instance: Instance, body: bytes, version: int = 1, table: type[Rendered] = Snapshot
) -> Rendered:
    """The stored feed, as rendering leaves it."""
    return table(
        show_id=SHOW, show_version=version, made_with="test", version=version,
        sha256=hashlib.sha256(body).hexdigest(), size_bytes=len(body),
        body_gzip=gzip.compress(body, mtime=0), last_modified=instance.now(),
        rendered_at=instance.now(),
    )  # fmt: skip


def audio(instance: Instance, revision: int = 1, key: str = "audio/one.mp3") -> Audio:
    """One revision of the episode's audio."""
    return Audio(
        id=f"{revision:x}".rjust(16, "a"), episode_id=EPISODE, revision=revision,
        storage_key=key, url_name="low-water", extension="mp3", mime_type="audio/mpeg",
        kind="mp3", codec="mp3", size_bytes=len(SOUND),
        sha256=hashlib.sha256(SOUND).hexdigest(), duration_ms=12_500, bitrate_bps=128_000,
        bitrate_mode="cbr", sample_rate_hz=44_100, channels=2, header_bytes=417, warnings=[],
        tags={}, created_at=instance.now(),
    )  # fmt: skip


def change(instance: Instance, model: type[Any], key: str, topic: str, **values: object) -> None:
    """Change a row and say so in the change log, as the domain's functions do."""
    show_or_episode = EPISODE if topic == "episode" else SHOW
    with instance.database.write() as session:
        column = model.show_id if issubclass(model, Rendered) else model.id
        session.execute(update(model).where(column == key).values(**values))
        record_change(session, topic, show_or_episode, now=instance.now())


@contextmanager
def queries(instance: Instance) -> Iterator[list[str]]:
    """The SQL that is sent while the block runs."""
    seen: list[str] = []

    def note(_c: object, _u: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(instance.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(instance.database.engine, "before_cursor_execute", note)


@pytest.fixture
def catalogue(instance: Instance) -> Catalogue:
    """A catalogue that catches up when a test says so."""
    fill(instance)
    made = Catalogue(instance)
    made.catch_up()
    return made


def load_feed(catalogue: Catalogue, slug: str = "tide") -> None:
    show = catalogue.find_show(slug)
    assert show is not None
    catalogue.load_feed(show)


def test_a_feed_is_kept_and_asked_for_without_a_query(
    instance: Instance, catalogue: Catalogue
) -> None:
    load_feed(catalogue)
    with queries(instance) as seen:
        feed = catalogue.feeds[FEED_PATH]
        assert catalogue.load_identity(feed) == FEED
        assert catalogue.find_show("nobody") is None
    assert seen == []
    assert feed.identity_bytes == len(FEED)
    headers = dict(feed.whole[True].headers)
    assert headers[b"content-length"] == b"%d" % len(feed.body_gzip)
    assert headers[b"link"] == b'<https://pod.example/tide/feed.xml>; rel="self"'


def test_a_new_snapshot_replaces_the_old_one(instance: Instance, catalogue: Catalogue) -> None:
    load_feed(catalogue)
    newer = FEED.replace(b"tide", b"ebb ")
    change(
        instance, Snapshot, SHOW, "feed", sha256="9" * 64, body_gzip=gzip.compress(newer)
    )  # fmt: skip
    catalogue.catch_up()
    with queries(instance) as seen:
        assert catalogue.load_identity(catalogue.feeds[FEED_PATH]) == newer
    assert seen == []


def test_a_new_json_snapshot_replaces_the_old_one_without_that_of_the_feed(
    instance: Instance, catalogue: Catalogue
) -> None:
    load_feed(catalogue)
    show = catalogue.find_show("tide")
    assert show is not None
    counted = catalogue.used_bytes
    assert catalogue.load_feed(show, JSON) is catalogue.feeds[JSON_PATH]
    assert catalogue.used_bytes > counted + len(catalogue.feeds[JSON_PATH].body_gzip)
    newer = JSON_FEED.replace(b"ebb", b"sea")
    change(
        instance, JsonSnapshot, SHOW, "feed", sha256="9" * 64, body_gzip=gzip.compress(newer)
    )  # fmt: skip
    catalogue.catch_up()
    with queries(instance) as seen:
        assert catalogue.load_identity(catalogue.feeds[JSON_PATH]) == newer
        assert catalogue.load_identity(catalogue.feeds[FEED_PATH]) == FEED
    assert seen == []


def test_a_json_feed_in_memory_keeps_no_feed_from_being_read_ahead(
    instance: Instance, catalogue: Catalogue
) -> None:
    show = catalogue.find_show("tide")
    assert show is not None
    catalogue.load_feed(show, JSON)
    catalogue._read_ahead()
    assert set(catalogue.feeds) == {FEED_PATH, JSON_PATH}


def test_a_date_in_the_future_is_sent_only_once_it_has_come(
    instance: Instance, catalogue: Catalogue, clock: FrozenClock
) -> None:
    load_feed(catalogue)
    ahead = instance.now() + timedelta(seconds=3)
    change(instance, Snapshot, SHOW, "feed", sha256="9" * 64, last_modified=ahead)
    catalogue.catch_up()
    feed = catalogue.feeds[FEED_PATH]
    for answer in (*feed.whole.values(), *feed.unchanged.values()):
        assert b"last-modified" not in dict(answer.headers)
    # What was modified since is still judged by the true date.
    assert feed.last_modified == int(ahead.timestamp())
    clock.advance(seconds=2)
    catalogue.catch_up()
    assert b"last-modified" not in dict(feed.whole[True].headers)
    clock.advance(seconds=1)
    catalogue.catch_up()
    for answer in (*feed.whole.values(), *feed.unchanged.values()):
        assert dict(answer.headers)[b"last-modified"] == b"Thu, 05 Mar 2026 09:05:03 GMT"


def test_the_thread_sees_what_another_process_wrote(
    instance: Instance, catalogue: Catalogue
) -> None:
    load_feed(catalogue)
    catalogue.start()
    try:
        before = catalogue.feeds[FEED_PATH].etags[True]
        change(instance, Snapshot, SHOW, "feed", sha256="9" * 64)
        wait_for(lambda: catalogue.feeds[FEED_PATH].etags[True] != before)
    finally:
        catalogue.stop()


def test_a_renamed_show_is_found_under_both_slugs(instance: Instance, catalogue: Catalogue) -> None:
    load_feed(catalogue)
    with instance.database.write() as session:
        session.add(ShowSlug(slug="tide", show_id=SHOW))
    change(instance, Show, SHOW, "show", slug="harbour")
    catalogue.catch_up()
    assert FEED_PATH not in catalogue.feeds
    for slug in ("tide", "harbour"):
        show = catalogue.find_show(slug)
        assert show is not None
        assert (show.show_id, show.slug) == (SHOW, "harbour")


def test_a_slug_that_another_show_took_over_leads_there(
    instance: Instance, catalogue: Catalogue
) -> None:
    change(instance, Show, SHOW, "show", slug="harbour")
    with instance.database.write() as session:
        now = instance.now()
        session.add(
            Show(
                id="6" * 16, slug="tide", title="Other", categories=[], podcast_guid="h",
                created_at=now, changed_at=now,
            )
        )  # fmt: skip
        record_change(session, "show", "6" * 16, now=now)
    catalogue.catch_up()
    change(instance, Show, SHOW, "show", title="Still here")
    catalogue.catch_up()
    found = catalogue.find_show("tide")
    assert found is not None
    assert found.show_id == "6" * 16


def test_a_show_that_moved_out_takes_its_feed_along_and_keeps_its_audio(
    instance: Instance, catalogue: Catalogue
) -> None:
    load_feed(catalogue)
    catalogue.load_episode(EPISODE)
    change(instance, Show, SHOW, "show", redirect_to="https://new.example/f")
    catalogue.catch_up()
    assert FEED_PATH not in catalogue.feeds
    show = catalogue.find_show("tide")
    assert show is not None
    assert (show.redirect_to, show.new_address(JSON)) == ("https://new.example/f", None)
    # Neither who asked just before nor what is read ahead brings it back.
    catalogue.load_feed(show)
    change(instance, Snapshot, SHOW, "feed", version=2)
    catalogue.catch_up()
    catalogue._read_ahead()
    assert FEED_PATH not in catalogue.feeds
    kept = catalogue.find_episode(EPISODE)
    assert kept is not None and kept.moved_url is None
    change(instance, Episode, EPISODE, "episode", moved_audio_url="https://new.example/a.mp3")
    catalogue.catch_up()
    moved = catalogue.find_episode(EPISODE)
    assert moved is not None and moved.moved_url == "https://new.example/a.mp3"


def test_a_deleted_show_takes_its_feed_and_episodes_along(
    instance: Instance, catalogue: Catalogue
) -> None:
    load_feed(catalogue)
    assert catalogue.load_episode(EPISODE).status == 200
    change(instance, Show, SHOW, "show", deleted_at=instance.now())
    catalogue.catch_up()
    assert FEED_PATH not in catalogue.feeds
    show = catalogue.find_show("tide")
    assert show is not None
    assert show.is_deleted
    assert catalogue.find_episode(EPISODE) is None
    assert catalogue.load_episode(EPISODE).status == 410


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"status": "draft", "published_at": None}, 404),
        ({"status": "scheduled"}, 404),
        ({"status": "withdrawn"}, 410),
    ],
)
def test_only_published_audio_is_given_out(
    instance: Instance, catalogue: Catalogue, values: dict[str, Any], expected: int
) -> None:
    assert catalogue.load_episode(EPISODE).status == 200
    change(instance, Episode, EPISODE, "episode", **values)
    catalogue.catch_up()
    found = catalogue.find_episode(EPISODE)
    assert found is not None
    assert found.status == expected


def test_an_episode_that_did_not_exist_is_remembered_until_it_does(instance: Instance) -> None:
    catalogue = Catalogue(instance)
    catalogue.catch_up()
    assert catalogue.load_episode(EPISODE).status == 404
    with queries(instance) as seen:
        assert catalogue.find_episode(EPISODE) is not None
    assert seen == []
    fill(instance)
    with instance.database.write() as session:
        record_change(session, "episode", EPISODE, now=instance.now())
    catalogue.catch_up()
    assert catalogue.find_episode(EPISODE) is None
    assert catalogue.load_episode(EPISODE).status == 200


def test_a_flood_of_unknown_ids_pushes_nothing_out_and_stays_bounded(
    instance: Instance, catalogue: Catalogue
) -> None:
    load_feed(catalogue)
    catalogue.load_episode(EPISODE)
    catalogue._unknown._limit_bytes = 100_000
    for number in range(200):
        catalogue.load_episode(f"{number:016x}")
    assert catalogue._unknown.used_bytes <= 100_000
    assert catalogue.find_episode(EPISODE) is not None
    assert FEED_PATH in catalogue.feeds


def test_chapters_name_their_pictures_and_follow_the_episode(
    instance: Instance, catalogue: Catalogue
) -> None:
    path = f"/chapters/{EPISODE}.json"
    side = catalogue.load_side_file(path)
    assert f"https://pod.example/artwork/{ARTWORK}/600.jpg".encode() in side.body
    assert b'"title":"Low water"' in side.body
    assert catalogue.find_side_file(path) is side
    change(instance, Episode, EPISODE, "episode", title="High water")
    catalogue.catch_up()
    assert catalogue.find_side_file(path) is None
    assert b'"title":"High water"' in catalogue.load_side_file(path).body


@pytest.mark.parametrize(
    ("model", "key", "topic"), [(Episode, EPISODE, "episode"), (Show, SHOW, "show")]
)
def test_chapters_are_dated_by_the_titles_in_them_too(
    instance: Instance, catalogue: Catalogue, model: type[Any], key: str, topic: str
) -> None:
    path = f"/chapters/{EPISODE}.json"
    before = catalogue.load_side_file(path)
    later = instance.now() + timedelta(minutes=1)
    change(instance, model, key, topic, title="High water", changed_at=later)
    catalogue.catch_up()
    after = catalogue.load_side_file(path)
    assert after.body != before.body
    assert after.last_modified == before.last_modified + 60


def test_a_change_while_a_row_is_read_is_not_missed(
    instance: Instance, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = catalogue._read_episode
    reads = []

    def read_slowly(episode_id: str) -> Any:
        found = read(episode_id)
        if not reads:
            change(instance, Episode, EPISODE, "episode", status="withdrawn")
            reads.append(1)
            catalogue.catch_up()
        return found

    monkeypatch.setattr(catalogue, "_read_episode", read_slowly)
    assert catalogue.load_episode(EPISODE).status == 410
    kept = catalogue.find_episode(EPISODE)
    assert kept is not None
    assert kept.status == 410


def test_a_gap_in_the_log_drops_everything(instance: Instance, catalogue: Catalogue) -> None:
    change(instance, Show, SHOW, "show", title="One")
    catalogue.catch_up()
    load_feed(catalogue)
    for title in ("Two", "Three"):
        change(instance, Show, SHOW, "show", title=title)
    with instance.database.write() as session:
        session.execute(delete(Change).where(Change.seq == 2))
    catalogue.catch_up()
    assert FEED_PATH not in catalogue.feeds


def test_numbers_that_went_back_drop_everything(instance: Instance, catalogue: Catalogue) -> None:
    change(instance, Show, SHOW, "show", title="One")
    change(instance, Show, SHOW, "show", title="Two")
    catalogue.catch_up()
    load_feed(catalogue)
    with instance.database.write() as session:
        session.execute(delete(Change).where(Change.seq == 2))
    catalogue.catch_up()
    assert FEED_PATH not in catalogue.feeds


def test_being_away_for_longer_than_the_log_is_kept_drops_everything(
    instance: Instance, catalogue: Catalogue, clock: Any
) -> None:
    load_feed(catalogue)
    clock.time += timedelta(hours=25)
    catalogue.catch_up()
    assert FEED_PATH not in catalogue.feeds


def test_a_feed_that_nobody_polled_yet_outlives_the_database(
    instance: Instance, catalogue: Catalogue
) -> None:
    assert FEED_PATH not in catalogue.feeds
    catalogue.start_following()
    try:
        wait_for(lambda: FEED_PATH in catalogue.feeds)
    finally:
        catalogue.stop()


def wait_for_episode(catalogue: Catalogue, episode_id: str) -> None:
    """Until the following thread has read it."""
    entry = wait_for(
        lambda: catalogue.find_episode(episode_id),
        lambda entry: entry is not None and entry.status == 200,
    )
    assert entry is not None
    assert "1" in entry.revisions


def test_audio_that_nobody_asked_for_yet_outlives_the_database(
    instance: Instance, catalogue: Catalogue
) -> None:
    assert catalogue.find_episode(EPISODE) is None
    catalogue.start_following()
    try:
        wait_for_episode(catalogue, EPISODE)
    finally:
        catalogue.stop()


def test_a_new_episode_is_read_before_anybody_asks(instance: Instance) -> None:
    catalogue = Catalogue(instance)
    catalogue.start()
    try:
        fill(instance, with_files=False)
        with instance.database.write() as session:
            record_change(session, "show", SHOW, now=instance.now())
            record_change(session, "episode", EPISODE, now=instance.now())
        wait_for_episode(catalogue, EPISODE)
    finally:
        catalogue.stop()


def test_the_first_feed_of_a_new_show_is_read_before_anybody_asks(
    instance: Instance, catalogue: Catalogue
) -> None:
    with instance.database.write() as session:
        stored = session.get_one(Snapshot, SHOW)
        body, last_modified = stored.body_gzip, stored.last_modified
        session.delete(stored)
    catalogue.catch_up()
    with instance.database.write() as session:
        session.add(snapshot(instance, gzip.decompress(body)))
        record_change(session, "feed", SHOW, now=last_modified)
    catalogue.start_following()
    try:
        wait_for(lambda: FEED_PATH in catalogue.feeds)
    finally:
        catalogue.stop()


def test_a_database_outage_is_waited_out_and_what_is_in_memory_stays(
    instance: Instance,
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    load_feed(catalogue)
    engine = instance.database.engine
    is_away = True

    def refuse(*_: object) -> None:
        if is_away:
            raise Unavailable("The database does not answer; try again in a moment.")

    event.listen(engine, "before_cursor_execute", refuse)
    try:
        with pytest.raises(Unavailable):
            catalogue.catch_up()
        catalogue.start_following()
        wait_for(lambda: caplog.records)
        assert FEED_PATH in catalogue.feeds
        is_away = False
        change(instance, Snapshot, SHOW, "feed", sha256="9" * 64)
        wait_for(lambda: catalogue.feeds[FEED_PATH].etags[True].startswith(b'"9'))
    finally:
        event.remove(engine, "before_cursor_execute", refuse)
        catalogue.stop()
    assert "serving what is in memory" in caplog.text


class Thing:
    """An entry that weighs ten bytes."""

    size_bytes = 10
    was_used = False


def test_memory_is_bounded_and_keeps_what_is_asked_for() -> None:
    memory: Memory[Thing] = Memory(100)
    wanted = Thing()
    memory.put("wanted", wanted)
    for number in range(100):
        wanted.was_used = True
        memory.put(str(number), Thing())
        assert memory.used_bytes == 10 * len(memory.entries) <= 100
    assert "wanted" in memory.entries
    wanted.was_used = False
    for number in range(100, 130):
        memory.put(str(number), Thing())
    assert "wanted" not in memory.entries


def test_what_is_larger_than_the_memory_is_held_alone() -> None:
    memory: Memory[Thing] = Memory(15)
    for number in range(5):
        memory.put(str(number), Thing())
    assert list(memory.entries) == ["4"]
    memory.grow("4", memory.entries["4"], 1000)
    assert memory.used_bytes == 1010
    memory.put("4", Thing())
    assert memory.used_bytes == 10
    memory.drop("4")
    assert memory.used_bytes == 0
