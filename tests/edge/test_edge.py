"""The static edge: public/ has what the rows say, whoever was slow, killed or restored."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from podhost import sweep
from podhost.audio.revisions import PreparedAudio, prepare_audio_file
from podhost.catalogue.side_files import read_side_file
from podhost.changes import record_change
from podhost.chapters.rows import set_chapters
from podhost.checks import check_instance
from podhost.config import read_settings
from podhost.db import Database, migrate
from podhost.edge import LATER_JOBS, enqueue_changed, place_feed
from podhost.edge import walk as edge_walk
from podhost.episodes import get_episode, touch_episode
from podhost.episodes.publishing import delete_episode, publish_episode, withdraw_episode
from podhost.feeds.formats import FORMATS
from podhost.feeds.rendering import find_snapshot, snapshot_body
from podhost.formats.chapters import Chapter
from podhost.instance import Instance, open_instance
from podhost.models import Change, Episode, Job, Show, Snapshot
from podhost.shows import ShowInput, change_show, delete_show, get_show, touch_show
from podhost.storage import LocalStorage, S3Storage
from podhost.transcripts import prepare_transcripts, set_transcripts
from podhost.worker import run_due_jobs
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show

VTT = b"WEBVTT\n\n00:00.000 --> 00:02.000\nHello.\n"


@pytest.fixture
def edge(instance: Instance) -> Instance:
    """A podhost with the static edge switched on."""
    instance.settings = replace(instance.settings, static_edge=True)
    return instance


def put_artwork(instance: Instance, show: Show) -> None:
    """The file behind the artwork that make_show has in name only."""
    assert show.artwork is not None
    key = f"artwork/{show.artwork.id}/3000.jpg"
    instance.storage.put_bytes(key, b"x", content_type="image/jpeg")


def give_chapters(instance: Instance, episode: Episode, *titles: str) -> None:
    with instance.database.write() as session:
        show = get_show(session, episode.show.slug, lock=True)
        row = get_episode(session, show, episode.id)
        chapters = [
            Chapter(start_ms=1000 * number, title=title) for number, title in enumerate(titles)
        ]
        set_chapters(session, row, chapters, now=instance.now())
        touch_episode(session, row, now=instance.now())


def give_transcript(instance: Instance, episode: Episode) -> str:
    """The path of its URL."""
    prepared, _ = prepare_transcripts(instance.storage, VTT, "hello.vtt")
    with instance.database.write() as session:
        show = get_show(session, episode.show.slug, lock=True)
        row = get_episode(session, show, episode.id)
        set_transcripts(session, row, prepared, now=instance.now())
    return f"transcripts/{episode.id}/{prepared[-1].id}.vtt"


@pytest.fixture(scope="session")
def probed(mp3: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedAudio:
    """The audio of every episode here, probed once."""
    storage = LocalStorage(tmp_path_factory.mktemp("probed"))
    return prepare_audio_file(storage, mp3)


@pytest.fixture
def audio(edge: Instance, mp3: Path, probed: PreparedAudio) -> PreparedAudio:
    """The same, stored."""
    edge.storage.put_file(probed.storage_key, mp3, content_type="audio/mpeg")
    return probed


@pytest.fixture
def episode(edge: Instance, audio: PreparedAudio) -> Episode:
    """A published episode with chapters and a transcript, of a show with artwork."""
    show = make_show(edge)
    put_artwork(edge, show)
    made = make_episode(edge, show, audio)
    give_chapters(edge, made, "Tide", "Moon")
    give_transcript(edge, made)
    run_due_jobs(edge)
    return made


def public_keys(instance: Instance) -> set[str]:
    return {stat.key.removeprefix("public/") for stat in instance.storage.list("public/")}


def read(instance: Instance, path: str) -> bytes:
    with instance.storage.open(f"public/{path}") as source:
        return source.readall()


def dated(instance: Instance, path: str) -> datetime:
    found = instance.storage.find_stat(f"public/{path}")
    assert found is not None
    return found.modified_at


def snapshot_of(instance: Instance, show: Show) -> Snapshot:
    with instance.database.read() as session:
        snapshot = find_snapshot(session, show)
    assert snapshot is not None
    return snapshot


def change(instance: Instance, show: Show, **given: Any) -> None:
    with instance.database.write() as session:
        row = get_show(session, show.slug, lock=True)
        change_show(session, row, ShowInput(**given), now=instance.now())


def problems(instance: Instance) -> list[str]:
    found, _ = check_instance(instance, progress=lambda done, total: None)
    return found


def is_feed_right(instance: Instance, show: Show) -> bool:
    """In every format."""
    for format_ in FORMATS.values():
        with instance.database.read() as session:
            snapshot = session.get_one(format_.table, show.id)
        path = format_.path(show.slug).removeprefix("/")
        if not (
            read(instance, path) == snapshot_body(snapshot)
            and read(instance, path + ".gz") == snapshot.body_gzip
            and dated(instance, path) == dated(instance, path + ".gz") == snapshot.last_modified
        ):
            return False
    return True


def test_nothing_is_written_unless_it_is_switched_on(instance: Instance) -> None:
    make_show(instance)
    run_due_jobs(instance)
    edge_walk.walk(instance)
    assert public_keys(instance) == set()
    assert problems_of_edge(instance) == []


def problems_of_edge(instance: Instance) -> list[str]:
    return [problem for problem in problems(instance) if problem.startswith("Static edge")]


def test_a_snapshot_lies_under_its_path_with_its_gzip_and_its_date(
    edge: Instance, episode: Episode
) -> None:
    assert is_feed_right(edge, episode.show)
    assert gzip.decompress(read(edge, "tide-tables/feed.xml.gz")) == read(
        edge, "tide-tables/feed.xml"
    )
    assert problems(edge) == []


def test_chapters_transcripts_and_artwork_are_those_of_podhost(
    edge: Instance, episode: Episode
) -> None:
    assert episode.show.artwork is not None
    with edge.database.read() as session:
        rows = session.get_one(Episode, episode.id).transcripts
        made = {f"transcripts/{episode.id}/{row.id}.{row.extension}" for row in rows}
        transcript = rows[-1].id
    chapters = f"chapters/{episode.id}.json"
    vtt = f"transcripts/{episode.id}/{transcript}.vtt"
    artwork = f"artwork/{episode.show.artwork.id}/3000.jpg"
    coded = {f"tide-tables/{name}" for name in FORMATS} | {chapters}
    assert public_keys(edge) == coded | {f"{path}.gz" for path in coded} | {artwork} | made
    assert len(made) == 5 and vtt in made
    for path in (chapters, vtt, artwork):
        assert read(edge, path) == read_side_file(edge, "/" + path).body
    assert gzip.decompress(read(edge, chapters + ".gz")) == read(edge, chapters)


def test_a_bucket_says_type_coding_and_how_long_to_keep(
    edge: Instance, episode: Episode, request: pytest.FixtureRequest
) -> None:
    if not isinstance(edge.storage, S3Storage):
        pytest.skip("a folder keeps no headers")
    said = {}
    client = request.getfixturevalue("s3_server").client()
    for path in public_keys(edge):
        head = client.head_object(
            Bucket=edge.storage.bucket, Key=f"{edge.storage.prefix}public/{path}"
        )
        name = path.split("/")[0] + path[path.index(".") :]
        said[name] = (head["ContentType"], head["CacheControl"], head.get("ContentEncoding"))
    feed = ("application/rss+xml; charset=utf-8", "public, max-age=300, stale-while-revalidate=600")
    json_feed = ("application/feed+json", feed[1])
    chapters = ("application/json+chapters", "public, max-age=300")
    assert said == {
        "tide-tables.json": (*json_feed, None),
        "tide-tables.json.gz": (*json_feed, "gzip"),
        "tide-tables.xml": (*feed, None),
        "tide-tables.xml.gz": (*feed, "gzip"),
        "chapters.json": (*chapters, None),
        "chapters.json.gz": (*chapters, "gzip"),
        "transcripts.vtt": ("text/vtt; charset=utf-8", "public, max-age=300", None),
        "transcripts.srt": ("application/x-subrip", "public, max-age=300", None),
        "transcripts.json": ("application/json", "public, max-age=300", None),
        "transcripts.html": ("text/html; charset=utf-8", "public, max-age=300", None),
        "transcripts.txt": ("text/plain; charset=utf-8", "public, max-age=300", None),
        "artwork.jpg": ("image/jpeg", "public, max-age=31536000, immutable", None),
    }


def test_a_folder_keeps_pictures_and_transcripts_once(edge: Instance, episode: Episode) -> None:
    assert episode.show.artwork is not None
    key = f"artwork/{episode.show.artwork.id}/3000.jpg"
    one, other = edge.storage.local_path(key), edge.storage.local_path(f"public/{key}")
    if one is None or other is None:
        pytest.skip("a bucket has no links")
    assert one.samefile(other)


def test_two_changes_in_one_second_are_dated_a_second_apart(
    edge: Instance, episode: Episode, clock: FrozenClock
) -> None:
    dates = [dated(edge, "tide-tables/feed.xml")]
    for title in ("One tide", "Two tide", "Red tide"):
        clock.advance(milliseconds=100)
        change(edge, episode.show, title=title)
        run_due_jobs(edge)
        assert is_feed_right(edge, episode.show)
        dates.append(dated(edge, "tide-tables/feed.xml"))
    steps = [later - earlier for earlier, later in pairwise(dates)]
    assert all(step >= timedelta(seconds=1) for step in steps)


def test_chapters_of_the_same_length_get_another_date(edge: Instance, episode: Episode) -> None:
    path = f"chapters/{episode.id}.json"
    body, date = read(edge, path), dated(edge, path)
    give_chapters(edge, episode, "Tide", "Noon")
    run_due_jobs(edge)
    assert len(read(edge, path)) == len(body)
    assert b"Noon" in read(edge, path)
    assert b"Noon" in gzip.decompress(read(edge, path + ".gz"))
    assert dated(edge, path) >= date + timedelta(seconds=1)
    assert dated(edge, path) == dated(edge, path + ".gz")


def test_chapters_say_the_new_name_of_the_show(edge: Instance, episode: Episode) -> None:
    change(edge, episode.show, title="Ebb Tables")
    run_due_jobs(edge)
    assert b"Ebb Tables" in read(edge, f"chapters/{episode.id}.json")


def test_a_renamed_show_leaves_nothing_under_its_old_name(edge: Instance, episode: Episode) -> None:
    change(edge, episode.show, slug="ebb")
    run_due_jobs(edge)
    assert {key for key in public_keys(edge) if "feed" in key} == {
        "ebb/feed.json",
        "ebb/feed.json.gz",
        "ebb/feed.xml",
        "ebb/feed.xml.gz",
    }
    change(edge, replace_slug(edge, "ebb"), slug="tide-tables")
    run_due_jobs(edge)
    assert not {key for key in public_keys(edge) if key.startswith("ebb/")}
    assert is_feed_right(edge, replace_slug(edge, "tide-tables"))


def replace_slug(instance: Instance, slug: str) -> Show:
    with instance.database.read() as session:
        return get_show(session, slug)


def delete(instance: Instance, show: Show) -> None:
    with instance.database.write() as session:
        delete_show(session, get_show(session, show.slug, lock=True), now=instance.now())


def test_a_show_that_podhost_must_answer_for_leaves_whole_and_comes_back_whole(
    edge: Instance, episode: Episode
) -> None:
    before = public_keys(edge)
    for away, back in (
        ({"new_feed_url": "https://elsewhere.example/feed.xml"}, {"new_feed_url": None}),
        ({"blocked": True}, {"blocked": False}),
    ):
        change(edge, episode.show, **away)
        run_due_jobs(edge)
        assert public_keys(edge) == set()
        assert problems_of_edge(edge) == []
        change(edge, episode.show, **back)
        run_due_jobs(edge)
        assert public_keys(edge) == before
        assert problems(edge) == []
    delete(edge, episode.show)
    run_due_jobs(edge)
    assert public_keys(edge) == set()


def test_a_show_that_is_sent_to_another_host_leaves_and_comes_back(
    edge: Instance, episode: Episode
) -> None:
    before = public_keys(edge)
    for redirect_to, expected in (("https://new.example/feed.xml", set()), (None, before)):
        with edge.database.write() as session:
            row = get_show(session, episode.show.slug, lock=True)
            row.redirect_to = redirect_to
            touch_show(session, row, now=edge.now())
            record_change(session, "show", row.id, now=edge.now())
        run_due_jobs(edge)
        assert public_keys(edge) == expected
        assert problems_of_edge(edge) == []


@pytest.mark.parametrize("end", [withdraw_episode, delete_episode])
def test_files_of_an_episode_that_is_no_longer_out_leave(
    edge: Instance, episode: Episode, end: Callable[..., None]
) -> None:
    with edge.database.write() as session:
        show = get_show(session, episode.show.slug, lock=True)
        end(session, get_episode(session, show, episode.id), now=edge.now())
    run_due_jobs(edge)
    assert {key.split("/")[0] for key in public_keys(edge)} == {"tide-tables", "artwork"}
    assert is_feed_right(edge, episode.show)


def test_drafts_and_episodes_of_tomorrow_are_not_there(
    edge: Instance, audio: PreparedAudio, clock: FrozenClock
) -> None:
    show = make_show(edge)
    draft = make_episode(edge, show, audio, publish=False)
    give_chapters(edge, draft, "Tide")
    give_transcript(edge, draft)
    run_due_jobs(edge)
    assert {key.split("/")[0] for key in public_keys(edge)} == {"tide-tables"}
    with edge.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), draft.id)
        publish_episode(session, row, now=edge.now(), at=edge.now() + timedelta(days=1))
    run_due_jobs(edge)
    assert f"chapters/{draft.id}.json" not in public_keys(edge)
    clock.advance(days=2)
    run_due_jobs(edge)
    assert f"chapters/{draft.id}.json" in public_keys(edge)


def test_a_replaced_transcript_goes(edge: Instance, episode: Episode) -> None:
    path = give_transcript(edge, episode)
    run_due_jobs(edge)
    held = [key for key in public_keys(edge) if key.startswith("transcripts/")]
    assert path in held and len(held) == 5


def test_a_picture_stays_while_another_show_has_it(edge: Instance, episode: Episode) -> None:
    other = make_show(edge, "Ebb")
    with edge.database.write() as session:
        row = get_show(session, other.slug, lock=True)
        row.artwork_id = episode.show.artwork_id
    run_due_jobs(edge)
    delete(edge, episode.show)
    run_due_jobs(edge)
    assert f"artwork/{episode.show.artwork_id}/3000.jpg" in public_keys(edge)


class Interrupted:
    """A store in front of which something else happens just before an object is written."""

    def __init__(self, storage: Any, key: str, meanwhile: Callable[[], None]) -> None:
        self._storage = storage
        self._key = key
        self._meanwhile: Callable[[], None] | None = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def put_bytes(self, key: str, data: bytes, **headers: Any) -> None:
        if key == self._key and self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        self._storage.put_bytes(key, data, **headers)


def interrupted(instance: Instance, key: str, meanwhile: Callable[[Instance], None]) -> Instance:
    """The same podhost as a slow worker, while a quick one goes on."""
    quick = replace(instance)
    slow = replace(instance)
    slow.storage = Interrupted(instance.storage, key, lambda: meanwhile(quick))  # type: ignore[assignment]
    return slow


def test_a_slow_worker_does_not_leave_an_old_feed_behind(edge: Instance, episode: Episode) -> None:
    def publish_again(quick: Instance) -> None:
        change(quick, episode.show, description="High and low.")
        run_due_jobs(quick)
        assert is_feed_right(quick, episode.show)

    for path in ("tide-tables/feed.xml", "tide-tables/feed.xml.gz", "tide-tables/feed.json"):
        edge.storage.delete(f"public/{path}")
        place_feed(interrupted(edge, f"public/{path}", publish_again), episode.show.id)
        assert is_feed_right(edge, episode.show)
        change(edge, episode.show, description="Ebb and flow.")
        run_due_jobs(edge)


def test_a_show_that_is_deleted_while_it_is_written_is_gone(
    edge: Instance, episode: Episode
) -> None:
    def leave(quick: Instance) -> None:
        delete(quick, episode.show)
        run_due_jobs(quick)
        assert public_keys(quick) == set()

    edge.storage.delete("public/tide-tables/feed.xml")
    place_feed(interrupted(edge, "public/tide-tables/feed.xml", leave), episode.show.id)
    assert public_keys(edge) == set()


def test_chapters_that_are_withdrawn_while_they_are_written_are_gone(
    edge: Instance, episode: Episode
) -> None:
    key = f"public/chapters/{episode.id}.json"

    def leave(quick: Instance) -> None:
        with quick.database.write() as session:
            show = get_show(session, episode.show.slug, lock=True)
            withdraw_episode(session, get_episode(session, show, episode.id), now=quick.now())
        run_due_jobs(quick)

    edge.storage.delete(key)
    LATER_JOBS["place_episode"](interrupted(edge, key, leave), episode.id)
    assert {name.split("/")[0] for name in public_keys(edge)} == {"tide-tables", "artwork"}


def lose_jobs(instance: Instance) -> None:
    """Render what is due, but lose everything that would bring it to the edge."""
    run_due_jobs(replace(instance, settings=replace(instance.settings, static_edge=False)))
    enqueue_changed(instance)
    with instance.database.write() as session:
        session.query(Job).filter(Job.kind.startswith("place_")).delete()


def test_what_jobs_missed_is_found_by_the_walk(edge: Instance, episode: Episode) -> None:
    change(edge, episode.show, description="Ebb and flow.")
    edge.storage.delete(f"public/chapters/{episode.id}.json.gz")
    edge.storage.delete(f"public/artwork/{episode.show.artwork_id}/3000.jpg")
    strangers = {
        "0123456789abcdef/x.txt",
        "gone/feed.xml",
        "gone/feed.xml.gz",
        "gone/feed.json",
        "tide-tables/feed.jso",
        "chapters/0123456789abcdef.json",
        "chapters/x.json",
        "transcripts/0123456789abcdef/0123456789abcdef.vtt",
        "artwork/0123456789abcdef/3000.jpg",
        "artwork/" + "0" * 200 + "/3000.jpg",
        "robots.txt",
    }
    for path in strangers:
        edge.storage.put_bytes(f"public/{path}", b"x", content_type="text/plain")
    lose_jobs(edge)
    said = problems_of_edge(edge)
    assert all(any(f"public/{path} should not" in text for text in said) for path in strangers)
    assert len(said) == len(strangers) + 6
    edge_walk.walk(edge)
    run_due_jobs(edge)
    assert problems(edge) == []
    assert not strangers & public_keys(edge)


def test_bytes_that_were_damaged_in_place_are_named_by_check(
    edge: Instance, episode: Episode
) -> None:
    key = "public/tide-tables/feed.xml"
    body = read(edge, "tide-tables/feed.xml")
    edge.storage.put_bytes(
        key,
        bytes(len(body)),
        content_type="text/xml",
        modified_at=dated(edge, "tide-tables/feed.xml"),
        overwrite=True,
    )
    [problem] = problems(edge)
    assert "tide-tables/feed.xml has other bytes" in problem and "delete it" in problem
    edge.storage.delete(key)
    edge_walk.walk(edge)
    run_due_jobs(edge)
    assert problems(edge) == []


def test_old_bytes_of_chapters_are_found_within_a_week(
    edge: Instance, episode: Episode, clock: FrozenClock
) -> None:
    path = f"chapters/{episode.id}.json"
    edge.storage.put_bytes(f"public/{path}", b"{}", content_type="application/json", overwrite=True)
    for _ in range(7 * 24):
        clock.advance(hours=1)
        for work in edge_walk._due_for_a_look(edge):
            LATER_JOBS[work[0]](edge, work[1])
    assert read(edge, path) == read_side_file(edge, "/" + path).body


def test_a_host_with_many_shows_is_filled_some_at_a_time(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_walk, "QUEUE_LIMIT", 3)
    shows = [make_show(instance, f"Show {number}") for number in range(8)]
    for show in shows:
        put_artwork(instance, show)
    run_due_jobs(instance)
    instance.settings = replace(instance.settings, static_edge=True)
    with instance.database.write() as session:
        session.query(Change).delete()
    rounds = 0
    while edge_walk.claim_walk(instance, is_first=False):
        edge_walk.walk(instance)
        with instance.database.read() as session:
            assert session.query(Job).filter(Job.status == "waiting").count() <= 3
        run_due_jobs(instance)
        rounds += 1
    # A feed and a picture each, three a time.
    assert rounds == 6
    assert all(is_feed_right(instance, show) for show in shows)
    assert problems(instance) == []


def test_switching_it_off_empties_it(edge: Instance, episode: Episode) -> None:
    edge.settings = replace(edge.settings, static_edge=False)
    change(edge, episode.show, description="Ebb and flow.")
    run_due_jobs(edge)
    assert problems_of_edge(edge)
    assert edge_walk.claim_walk(edge, is_first=True)
    edge_walk.walk(edge)
    assert public_keys(edge) == set()
    assert edge.storage.size(f"artwork/{episode.show.artwork_id}/3000.jpg") == 1


def test_jobs_that_were_left_when_it_was_switched_off_write_nothing(
    edge: Instance, episode: Episode
) -> None:
    change(edge, episode.show, description="Ebb and flow.")
    enqueue_changed(edge)
    edge.settings = replace(edge.settings, static_edge=False)
    run_due_jobs(edge)
    assert {key for key in public_keys(edge) if "feed" in key or "chapters" in key} == set()


def test_after_a_restore_the_feed_is_the_restored_one(
    edge: Instance, episode: Episode, clock: FrozenClock
) -> None:
    old = snapshot_of(edge, episode.show)
    clock.advance(hours=1)
    assert edge_walk.claim_walk(edge, is_first=True)
    change(edge, episode.show, description="Newer.")
    run_due_jobs(edge)
    with edge.database.write() as session:
        session.query(Snapshot).delete()
        values = {name: getattr(old, name) for name in Snapshot.__table__.columns.keys()}  # noqa: SIM118
        session.add(Snapshot(**values | {"show_version": 1000}))
        session.query(Change).filter(Change.seq > 1).delete()
    lose_jobs(edge)
    assert problems_of_edge(edge)
    # The change log went back, which is seen at once, and not only in an hour.
    assert edge_walk.claim_walk(edge, is_first=False)
    edge_walk.walk(edge)
    run_due_jobs(edge)
    assert is_feed_right(edge, episode.show)


def test_a_walk_that_finds_the_storage_gone_is_due_again(edge: Instance, tmp_path: Path) -> None:
    assert edge_walk.claim_walk(edge, is_first=True)
    storage, edge.storage = edge.storage, LocalStorage(tmp_path / "gone")
    edge_walk.walk(edge)
    edge.storage = storage
    assert edge_walk.claim_walk(edge, is_first=False)


def test_the_walk_is_one_workers_once_an_hour(edge: Instance, clock: FrozenClock) -> None:
    assert edge_walk.claim_walk(edge, is_first=False)
    assert not edge_walk.claim_walk(edge, is_first=False)
    assert edge_walk.claim_walk(edge, is_first=True)
    clock.advance(hours=1)
    assert edge_walk.claim_walk(edge, is_first=False)


@pytest.fixture
def stranger(edge: Instance, episode: Episode, tmp_path: Path) -> Iterator[Instance]:
    """Another podhost that was given the same storage by mistake, with a show of the same name."""
    settings = read_settings(
        {
            "PODHOST_DATA": str(tmp_path / "other"),
            "PODHOST_BASE_URL": "https://other.example",
            "PODHOST_STATIC_EDGE": "on",
            "PODHOST_DATABASE_URL": f"sqlite:///{tmp_path / 'other.sqlite3'}",
        }
    )
    migrate(Database(settings.database_url))
    opened = open_instance(settings, clock=edge.clock)
    opened.storage = edge.storage
    yield opened
    opened.close()


def test_another_database_changes_nothing_in_public(
    edge: Instance, episode: Episode, stranger: Instance
) -> None:
    assert sweep.owns_storage(edge.database, edge.storage)
    before = public_keys(edge)
    delete(stranger, make_show(stranger))
    make_show(stranger, "Ebb")
    run_due_jobs(stranger)
    edge_walk.walk(stranger)
    stranger.settings = replace(stranger.settings, static_edge=False)
    edge_walk.walk(stranger)
    assert public_keys(edge) == before
    assert is_feed_right(edge, episode.show)


def test_further_feeds_and_pages_lie_there_but_for_private_ones(
    edge: Instance, episode: Episode
) -> None:
    secret = "2f1c7a90e4b35d6848fa"
    feeds = ({"name": "full", "types": ["full"]}, {"name": secret, "private": True})
    change(edge, episode.show, feeds=feeds)
    run_due_jobs(edge)
    path = "tide-tables/feeds/full.xml"
    assert {path, path + ".gz"} <= public_keys(edge) and gzip.decompress(
        read(edge, path + ".gz")
    ) == read(edge, path)
    assert not any(secret in key for key in public_keys(edge)) and problems(edge) == []
    edge.storage.delete(f"public/{path}")
    assert [problem for problem in problems(edge) if path in problem]
    edge_walk.walk(edge)
    run_due_jobs(edge)
    assert path in public_keys(edge)
    change(edge, episode.show, slug="tides")
    run_due_jobs(edge)
    assert "tides/feeds/full.xml" in public_keys(edge) and path not in public_keys(edge)
    change(edge, episode.show, feeds=None)
    run_due_jobs(edge)
    assert not any("/feeds/" in key for key in public_keys(edge)) and problems(edge) == []
