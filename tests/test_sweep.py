"""The sweep: mends what was missed, removes what nobody needs, and nothing else."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from podhost import jobs, sweep
from podhost.audio.revisions import prepare_audio_file
from podhost.changes import last_change
from podhost.db import Database, migrate
from podhost.episodes import EpisodeInput, create_episode, get_episode, replace_audio
from podhost.errors import NotFound
from podhost.instance import Instance
from podhost.models import Artwork, Audio, Change, Episode, Job, Show, Snapshot
from podhost.search.index import index_show
from podhost.shows import get_show
from podhost.storage import Stat
from podhost.storage.folder import LocalStorage
from podhost.worker import run_due_jobs, run_sweep, run_worker
from tests.audio_files import lame
from tests.conftest import FrozenClock
from tests.making import feed_body, make_episode, make_show
from tests.waiting import wait_for


def test_a_feed_whose_job_was_lost_is_rendered(instance: Instance) -> None:
    show = make_show(instance)
    with instance.database.write() as session:
        session.query(Job).delete()
    # The feed, and what the search knows of the show.
    assert run_sweep(instance) == 2
    assert b"Tide Tables" in feed_body(instance, show)
    assert run_sweep(instance) == 0


def test_a_new_base_url_renders_every_feed_anew(instance: Instance) -> None:
    show = make_show(instance)
    feed_body(instance, show)
    instance.base_url = "https://new.example"
    assert run_sweep(instance) == 1
    assert b"https://new.example/tide-tables/feed.xml" in feed_body(instance, show)


def test_work_that_gave_up_is_not_enqueued_again_and_again(instance: Instance) -> None:
    make_show(instance)
    with instance.database.write() as session:
        for job in session.query(Job):
            job.status = "failed"
    assert run_sweep(instance) == 0


def test_work_that_gave_up_is_tried_anew_after_some_hours_and_leaves_one_line(
    instance: Instance, clock: FrozenClock
) -> None:
    """Whatever was in its way may be gone; nothing stays out of the feeds for ever."""
    show = make_show(instance)
    run_due_jobs(instance)
    with instance.database.write() as session:
        session.get_one(Show, show.id).version += 1
    # This is about the feed: what the search knows is up to date.
    index_show(instance.database, instance.storage, show.id, now=clock())
    for _ in range(2):
        run_sweep(instance)
        with instance.database.write() as session:
            waiting = session.query(Job).where(Job.status == "waiting").one()
            waiting.attempts = jobs.MAX_ATTEMPTS - 1
        with instance.database.write() as session:
            job = jobs.claim(session, kinds=("render_show",), owner="w", now=clock())
            assert job is not None
        with instance.database.write() as session:
            jobs.retry(session, job, error="It cannot be done.", now=clock())
            assert jobs.count_by_status(session) == {"failed": 1}
        clock.advance(hours=5)
        assert run_sweep(instance) == 0
        clock.advance(hours=1.1)
    assert run_sweep(instance) == 1
    assert b"Tide Tables" in feed_body(instance, show)
    with instance.database.read() as session:
        assert jobs.count_by_status(session) == {}


def test_a_job_that_was_dated_by_a_wrong_clock_is_done_now(
    instance: Instance, clock: FrozenClock
) -> None:
    clock.advance(days=3650)
    make_show(instance)
    clock.advance(days=-3650)
    assert run_due_jobs(instance) == 0
    assert run_sweep(instance) == 2
    assert run_due_jobs(instance) == 2


def test_replaced_audio_goes_after_its_time_and_its_row_says_so(
    instance: Instance, mp3: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    new = tmp_path / "new.mp3"
    new.write_bytes(lame(12))
    prepared = prepare_audio_file(instance.storage, new)
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, episode.show.slug, lock=True), episode.id)
        replace_audio(session, row, prepared, now=instance.now())
    assert episode.audio is not None
    old_key = episode.audio.storage_key
    clock.advance(days=29)
    sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    assert instance.storage.size(old_key)
    clock.advance(days=2)
    sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    with pytest.raises(NotFound):
        instance.storage.size(old_key)
    assert instance.storage.size(prepared.storage_key)
    with instance.database.read() as session:
        assert [
            audio.purged_at is None for audio in session.query(Audio).order_by(Audio.revision)
        ] == [
            False,
            True,
        ]


def test_objects_without_a_row_go_and_those_with_one_stay(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    assert episode.audio is not None
    for key in ("audio/0.mp3", "artwork/0/300.jpg", "transcripts/0.vtt", "incoming/mine.mp3"):
        instance.storage.put_bytes(key, b"x", content_type="text/plain")
    clock.advance(days=3650)
    sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    left = {stat.key for stat in instance.storage.list()}
    ours = {sweep.OWNER_KEY, sweep.NEWEST_KEY}
    assert left == {episode.audio.storage_key, "incoming/mine.mp3", *ours}


def test_what_was_uploaded_after_a_backup_is_kept_for_a_month_when_that_is_restored(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    clock.advance(days=3650)
    show = make_show(instance)
    with instance.database.read() as session:
        backed_up = last_change(session)
    audio = make_episode(instance, show, mp3).audio
    assert audio is not None
    sweep.remove_unneeded(instance.database, instance.storage, now=clock())
    # The rows as they were.
    with instance.database.write() as session:
        session.query(Change).filter(Change.seq > backed_up).delete()
        session.delete(session.get_one(Audio, audio.id))
        session.delete(session.get_one(Episode, audio.episode_id))
    clock.advance(days=2)
    sweep.remove_unneeded(instance.database, instance.storage, now=clock())
    # Life goes on, and the numbers of the changes are soon as high as they once were.
    kept = make_episode(instance, show, mp3).audio
    clock.advance(days=27)
    sweep.remove_unneeded(instance.database, instance.storage, now=clock())
    assert instance.storage.size(audio.storage_key)
    clock.advance(days=4)
    sweep.remove_unneeded(instance.database, instance.storage, now=clock())
    assert instance.storage.find_stat(audio.storage_key) is None
    assert kept is not None
    assert instance.storage.size(kept.storage_key)


def test_room_is_made_where_nothing_can_be_written(instance: Instance, clock: FrozenClock) -> None:
    if not isinstance(instance.storage, LocalStorage):
        pytest.skip("what stands in the way is a folder")
    make_show(instance)
    clock.advance(days=3650)
    instance.storage.put_bytes("audio/0.mp3", b"x", content_type="text/plain")
    assert sweep.owns_storage(instance.database, instance.storage)
    (instance.storage.root / sweep.NEWEST_KEY).mkdir()
    sweep.remove_unneeded(instance.database, instance.storage, now=clock())
    assert instance.storage.find_stat("audio/0.mp3") is None


@pytest.mark.parametrize("is_claimed", [True, False])
def test_an_empty_database_takes_nothing_for_orphans(
    instance: Instance, mp3: Path, tmp_path: Path, clock: FrozenClock, is_claimed: bool
) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    assert episode.audio is not None
    if is_claimed:
        assert sweep.owns_storage(instance.database, instance.storage)
    empty = Database(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    migrate(empty)
    clock.advance(days=3650)
    sweep.remove_unneeded(empty, instance.storage, now=instance.now())
    assert instance.storage.size(episode.audio.storage_key)
    assert not sweep.owns_storage(empty, instance.storage)
    assert sweep.owns_storage(instance.database, instance.storage)
    empty.close()


def test_unused_artwork_goes_and_used_artwork_stays(instance: Instance, clock: FrozenClock) -> None:
    show = make_show(instance)
    with instance.database.write() as session:
        session.add(
            Artwork(
                id="unused",
                source_sha256="1" * 64,
                mime_type="image/jpeg",
                width=1,
                height=1,
                sizes=[],
                created_at=instance.now(),
            )
        )
    clock.advance(days=2)
    sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    with instance.database.read() as session:
        assert [artwork.id for artwork in session.query(Artwork)] == [show.artwork_id]


def _pictures(count: int, name: str, now: datetime) -> list[Artwork]:
    return [
        Artwork(
            id=f"{name}-{number}",
            source_sha256=f"{number:064}",
            mime_type="image/jpeg",
            width=1,
            height=1,
            sizes=[],
            created_at=now,
        )
        for number in range(count)
    ]


def _clean_up_steps(instance: Instance) -> int:
    """How much SQLite had to do for one clean-up, in thousands of its own instructions."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    def watch(connection: sqlite3.Connection, _: object) -> None:
        connection.set_progress_handler(step, 1000)

    instance.database.engine.dispose()
    event.listen(instance.database.engine, "connect", watch)
    sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    event.remove(instance.database.engine, "connect", watch)
    return steps


def test_ten_times_the_pictures_are_ten_times_the_work_to_clean_up_and_not_a_hundred_times(
    instance: Instance, clock: FrozenClock
) -> None:
    """It happens in a transaction for which everybody who writes to SQLite waits."""
    if not instance.database.is_sqlite:
        pytest.skip("only SQLite counts what it does")
    show = make_show(instance)
    clock.advance(days=2)
    steps = []
    for name, count in (("few", 100), ("many", 900)):
        with instance.database.write() as session:
            for picture in _pictures(count, name, clock() - timedelta(days=2)):
                session.add(picture)
                session.flush()
                given = EpisodeInput(title=picture.id)
                row = create_episode(
                    session, session.get_one(Show, show.id), given, None, now=clock()
                )
                row.artwork_id = picture.id
        steps.append(_clean_up_steps(instance))
    assert steps[1] < 30 * max(1, steps[0])
    with instance.database.read() as session:
        assert session.query(Artwork).count() >= 1000


def test_others_write_while_unused_pictures_are_forgotten(
    instance: Instance, clock: FrozenClock
) -> None:
    with instance.database.write() as session:
        session.add_all(_pictures(35, "unused", clock()))
    clock.advance(days=2)
    left: list[int] = []

    def look(_: object) -> None:
        with instance.database.engine.connect() as connection:
            left.append(connection.execute(select(func.count(Artwork.id))).scalar_one())

    event.listen(instance.database.engine, "commit", look)
    sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    event.remove(instance.database.engine, "commit", look)
    assert len(set(left)) > 3
    with instance.database.read() as session:
        assert session.query(Artwork).count() == 0


def test_cleaning_up_is_done_once_an_hour_by_one_worker(
    instance: Instance, clock: FrozenClock
) -> None:
    assert sweep.claim_clean_up(instance.database, now=instance.now())
    assert not sweep.claim_clean_up(instance.database, now=instance.now())
    clock.advance(hours=1)
    assert sweep.claim_clean_up(instance.database, now=instance.now())
    clock.advance(days=-30)
    assert sweep.claim_clean_up(instance.database, now=instance.now())


def test_two_workers_may_start_on_an_empty_database_at_once(instance: Instance) -> None:
    claimed: list[bool] = []
    together = threading.Barrier(4)

    def claim() -> None:
        together.wait()
        claimed.append(sweep.claim_clean_up(instance.database, now=instance.now()))

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == [False, False, False, True]


class HangingStorage(LocalStorage):
    """A store that does not answer what is in it, until it is told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.going_on = threading.Event()

    def list(self, prefix: str = "") -> Iterator[Stat]:
        self.going_on.wait()
        return super().list(prefix)


def test_a_store_that_hangs_while_cleaning_up_holds_no_feed_up(
    instance: Instance, tmp_path: Path
) -> None:
    show = make_show(instance)
    storage = HangingStorage(tmp_path / "hanging")
    storage.check()
    instance.storage = storage
    stop = threading.Event()
    worker = threading.Thread(target=lambda: run_worker(instance, stop=stop))
    worker.start()
    try:
        wait_for(lambda: has_snapshot(instance, show.id))
    finally:
        storage.going_on.set()
        stop.set()
        worker.join()
        for thread in threading.enumerate():
            if thread.name in ("clean-up", "edge"):
                thread.join()


def has_snapshot(instance: Instance, show_id: str) -> bool:
    with instance.database.read() as session:
        return session.get(Snapshot, show_id) is not None


def test_a_feed_is_not_stored_twice_for_nothing(instance: Instance, clock: FrozenClock) -> None:
    show = make_show(instance)
    first = feed_body(instance, show)
    clock.advance(hours=1)
    with instance.database.write() as session:
        session.query(Snapshot).one().made_with = "an older podhost"
    run_sweep(instance)
    run_due_jobs(instance)
    assert feed_body(instance, show) == first
    with instance.database.read() as session:
        assert session.query(Snapshot).one().version == 1


def test_folders_that_a_killed_podhost_left_go_and_those_in_use_stay(tmp_path: Path) -> None:
    for name in ("podhost-probe-old", "podhost-upload-old", "podhost-probe-new", "other-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x")
    two_days_ago = time.time() - 2 * 86_400
    for folder in tmp_path.glob("*-old"):
        os.utime(folder / "file", (two_days_ago, two_days_ago))
        os.utime(folder, (two_days_ago, two_days_ago))
    # An upload on a slow line began two days ago, and a little more of it has just arrived.
    slow = tmp_path / "podhost-upload-slow"
    slow.mkdir()
    (slow / "upload").write_bytes(b"x")
    os.utime(slow, (two_days_ago, two_days_ago))
    sweep.remove_abandoned_folders(tmp_path)
    assert {folder.name for folder in tmp_path.iterdir()} == {
        "podhost-probe-new",
        "podhost-upload-slow",
        "other-old",
    }
