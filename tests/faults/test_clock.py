"""Clocks that are wrong, are set, or go to summer time: what is scheduled comes once, in time."""

import asyncio
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from podhost import jobs, sweep
from podhost.accounts.accounts import check_token, create_account, create_token
from podhost.catalogue import Catalogue
from podhost.catalogue.audio_sources import SIGNATURE_REUSED, SignedUrls
from podhost.catalogue.loading import Loading
from podhost.episodes import EpisodeInput, change_episode
from podhost.episodes.publishing import publish_episode, withdraw_episode
from podhost.errors import Unauthorized
from podhost.feeds.rendering import find_snapshot, snapshot_body
from podhost.fields import moment
from podhost.folders import apply_plan, plan_show
from podhost.formats.showfolder import published_at, read_episode
from podhost.instance import Instance
from podhost.models import Episode, Fact, Show, Snapshot
from podhost.shows import get_show, lock_show
from podhost.worker import JOBS, run_due_jobs, run_sweep, run_worker
from tests.conftest import FrozenClock
from tests.making import feed_body, make_episode, make_show
from tests.waiting import wait_for

HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)


def look(instance: Instance, episode: Episode) -> Episode:
    with instance.database.read() as session:
        return session.get_one(Episode, episode.id)


def snapshot(instance: Instance, show: Show) -> Snapshot:
    with instance.database.read() as session:
        return session.get_one(Snapshot, show.id)


def a_worker_comes_by(instance: Instance) -> None:
    """What a worker does within half a minute."""
    run_sweep(instance)
    run_due_jobs(instance)


def rename(instance: Instance, episode: Episode, title: str) -> None:
    with instance.database.write() as session:
        lock_show(session, episode.show_id)
        row = session.get_one(Episode, episode.id)
        change_episode(session, row, EpisodeInput(title=title), now=instance.now())


# Set back, set forward


@pytest.mark.parametrize("step", [-HOUR, -YEAR, YEAR])
def test_a_change_is_in_the_feed_soon_whatever_happens_to_the_clock(
    instance: Instance, clock: FrozenClock, mp3: Path, step: timedelta
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    feed_body(instance, show)
    rename(instance, episode, "A new name")
    clock.time += step
    a_worker_comes_by(instance)
    assert b"A new name" in feed_body(instance, show)


def test_work_that_failed_waits_for_its_next_try_and_no_shorter(
    instance: Instance, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def fail(_instance: Instance, key: str) -> None:
        tries.append(key)
        raise RuntimeError("no luck today")

    show = make_show(instance)
    with instance.database.write() as session:
        session.get_one(Show, show.id)
    monkeypatch.setitem(JOBS, "render_show", fail)
    a_worker_comes_by(instance)
    a_worker_comes_by(instance)
    assert tries == [show.id]


def test_what_was_published_stays_so_when_the_clock_is_set_back(
    instance: Instance, clock: FrozenClock, mp3: Path
) -> None:
    show = make_show(instance)
    at = instance.now() + HOUR
    episode = make_episode(instance, show, mp3, at=at)
    clock.advance(days=365)
    a_worker_comes_by(instance)
    first = look(instance, episode)
    assert (first.status, first.published_at) == ("published", at)
    feed, version = feed_body(instance, show), snapshot(instance, show).version
    clock.advance(days=-366)
    a_worker_comes_by(instance)
    again = look(instance, episode)
    assert (again.status, again.published_at) == ("published", at)
    assert feed_body(instance, show) == feed
    assert snapshot(instance, show).version == version


def test_last_modified_never_goes_back(
    instance: Instance, clock: FrozenClock, mp3: Path, seed: int
) -> None:
    dice = random.Random(seed)
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    seen = []
    for number in range(10):
        rename(instance, episode, f"Name {number}")
        clock.time += dice.choice([-YEAR, -HOUR, timedelta(0), HOUR, YEAR]) * dice.random()
        a_worker_comes_by(instance)
        assert f"Name {number}".encode() in feed_body(instance, show)
        seen.append(snapshot(instance, show))
    assert [row.version for row in seen] == [*range(1, 11)]
    for before, after in pairwise(seen):
        assert after.last_modified - before.last_modified >= timedelta(seconds=1)


def test_a_scheduled_episode_never_comes_early_and_comes_once(
    instance: Instance, clock: FrozenClock, mp3: Path, seed: int
) -> None:
    dice = random.Random(seed)
    show = make_show(instance)
    at = instance.now() + 2 * DAY
    episode = make_episode(instance, show, mp3, at=at)
    was_time = False
    versions = set()
    for _ in range(20):
        clock.time += dice.choice([-DAY, -HOUR, HOUR, DAY, DAY]) * dice.random()
        a_worker_comes_by(instance)
        was_time = was_time or clock.time >= at
        row = look(instance, episode)
        assert row.status == ("published" if was_time else "scheduled")
        assert row.published_at == at
        items = feed_body(instance, show).count(b"<item>")
        assert items == was_time
        versions.add(snapshot(instance, show).version)
    assert len(versions) <= 2


def test_what_was_due_while_nothing_ran_comes_when_something_runs(
    instance: Instance, clock: FrozenClock, mp3: Path
) -> None:
    show = make_show(instance)
    times = [instance.now() + hours * HOUR for hours in (1, 2, 2, 30, 24 * 9)]
    episodes = [
        make_episode(instance, show, mp3, f"Part {number}", at=at)
        for number, at in enumerate(times)
    ]
    clock.advance(days=7)
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(instance,), kwargs={"stop": stop})
    worker.start()
    wait_for(lambda: b"Part 3" in feed_of(instance, show))
    stop.set()
    worker.join()
    run_due_jobs(instance)
    body = feed_body(instance, show)
    assert body.count(b"<item>") == 4
    found = [look(instance, episode).published_at for episode in episodes]
    # Two of the same second are a second apart, as apps want it.
    assert found == [times[0], times[1], times[1] + timedelta(seconds=1), times[3], times[4]]


def feed_of(instance: Instance, show: Show) -> bytes:
    with instance.database.read() as session:
        found = find_snapshot(session, show)
        return snapshot_body(found) if found is not None else b""


# Leases


@pytest.mark.parametrize("step", [YEAR, -timedelta(minutes=9), -YEAR])
def test_a_job_is_neither_stuck_nor_harmful_when_the_clock_leaps(
    instance: Instance, clock: FrozenClock, mp3: Path, step: timedelta
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    with instance.database.write() as session:
        mine = jobs.claim(session, kinds=tuple(JOBS), owner="alice", now=instance.now())
    assert mine is not None and mine.key == show.id
    clock.time += step
    rename(instance, episode, "A new name")
    waited = timedelta(0)
    while b"A new name" not in feed_of(instance, show):
        run_due_jobs(instance)
        run_sweep(instance)
        clock.advance(seconds=5)
        waited += timedelta(seconds=5)
        assert waited < timedelta(minutes=10) + 3 * jobs.LEASE
    a_worker_comes_by(instance)
    body = feed_body(instance, show)
    assert b"A new name" in body
    # Alice wakes up, does the same once more and ends what is not hers any more.
    JOBS[mine.kind](instance, mine.key)
    with instance.database.write() as session:
        jobs.finish(session, mine)
    assert feed_body(instance, show) == body
    with instance.database.read() as session:
        assert "running" not in jobs.count_by_status(session)


# Summer time

# What somebody writes, where, and when that is.
LOCAL_TIMES = [
    # Skipped: the clock jumps from 02:00 to 03:00.
    ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30"),
    ("2026-03-08T02:30", "America/New_York", "2026-03-08T07:30"),
    # Twice: the first one counts.
    ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30"),
    ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30"),
    # The hours around them.
    ("2026-03-29T01:59", "Europe/Berlin", "2026-03-29T00:59"),
    ("2026-03-29T03:00", "Europe/Berlin", "2026-03-29T01:00"),
    ("2026-10-25T03:00", "Europe/Berlin", "2026-10-25T02:00"),
    # Half an hour only; a day that one island never had.
    ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:45"),
    ("2011-12-30T12:00", "Pacific/Apia", "2011-12-30T22:00"),
]


@pytest.mark.parametrize(("local", "zone", "utc"), LOCAL_TIMES)
def test_a_local_time_means_the_same_in_the_api_and_in_a_folder(
    local: str, zone: str, utc: str
) -> None:
    wanted = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert moment(local, zone) == wanted
    text = f"---\ntitle: Low water\ndate: {local}\n---\n"
    assert published_at(read_episode(text), zone) == wanted
    # Who names the offset means it.
    assert moment(local + "+05:30", zone) == datetime.fromisoformat(local + "+05:30")


@pytest.mark.parametrize(
    ("local", "zone", "utc"),
    [LOCAL_TIMES[0], LOCAL_TIMES[3], ("2026-03-30T09:00", "Europe/Berlin", None)],
)
def test_a_show_is_published_by_the_clock_of_its_zone(
    instance: Instance,
    clock: FrozenClock,
    mp3: Path,
    tmp_path: Path,
    local: str,
    zone: str,
    utc: str | None,
) -> None:
    wanted = (
        datetime.fromisoformat(utc).replace(tzinfo=UTC)
        if utc
        else datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    )
    clock.time = wanted - 2 * DAY
    folder = tmp_path / "harbour"
    folder.mkdir()
    (folder / "show.toml").write_text(f'title = "Harbour"\ntime_zone = "{zone}"\n')
    (folder / "low.md").write_text(f"---\ntitle: Low\ndate: {local}\n---\n")
    (folder / "low.mp3").write_bytes(mp3.read_bytes())
    database, base_url = instance.database, instance.base_url

    def publish() -> bool:
        plan = plan_show(database, folder, base_url=base_url, now=instance.now())
        result = apply_plan(database, instance.storage, plan, base_url=base_url, now=instance.now)
        assert not plan.problems and result.is_well
        return plan.has_work

    publish()
    with database.read() as session:
        (row,) = session.scalars(select(Episode)).all()
    assert (row.status, row.published_at) == ("scheduled", wanted)
    clock.time = wanted - timedelta(seconds=1)
    a_worker_comes_by(instance)
    assert look(instance, row).status == "scheduled"
    clock.time = wanted
    a_worker_comes_by(instance)
    assert look(instance, row).status == "published"
    assert not publish()
    # The clock goes round once more: what is out does not move.
    clock.time = wanted - HOUR
    assert not publish()
    a_worker_comes_by(instance)
    assert look(instance, row).published_at == wanted


def test_withdrawn_and_wanted_again_by_a_clock_that_was_set_back(
    instance: Instance, clock: FrozenClock, mp3: Path
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    with instance.database.write() as session:
        get_show(session, show.slug, lock=True)
        withdraw_episode(session, session.get_one(Episode, episode.id), now=instance.now())
    clock.advance(hours=-1)
    with instance.database.write() as session:
        get_show(session, show.slug, lock=True)
        publish_episode(session, session.get_one(Episode, episode.id), now=instance.now())
    a_worker_comes_by(instance)
    row = look(instance, episode)
    assert (row.status, row.published_at) == ("published", episode.published_at)


# What serving processes remember


@pytest.mark.parametrize("step", [-YEAR, -HOUR, YEAR])
def test_serving_processes_hear_of_changes_whatever_happens_to_the_clock(
    instance: Instance, clock: FrozenClock, mp3: Path, step: timedelta
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    feed_body(instance, show)
    catalogue = Catalogue(instance)
    catalogue.catch_up()
    known = catalogue.find_show(show.slug)
    assert known is not None
    path = f"/{show.slug}/feed.xml"
    catalogue.load_feed(known)
    for title in ("First", "Second"):
        clock.time += step
        rename(instance, episode, title)
        a_worker_comes_by(instance)
        sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
        catalogue.catch_up()
        feed = catalogue.feeds.get(path) or catalogue.load_feed(known)
        assert feed is not None
        assert title.encode() in catalogue.load_identity(feed)


@pytest.mark.parametrize("environment", ["postgresql+s3"], indirect=True)
def test_signed_addresses_are_fresh_by_any_clock(instance: Instance, clock: FrozenClock) -> None:
    async def sign() -> None:
        loading = Loading("test", 2)
        signed = SignedUrls(instance.storage, loading)

        async def is_kept_after(step: timedelta) -> bool:
            await signed.find("audio/x.mp3", "audio/mpeg", clock())
            before = signed._signed["audio/x.mp3"][0]
            clock.time += step
            url = await signed.find("audio/x.mp3", "audio/mpeg", clock())
            assert "Signature" in url
            return signed._signed["audio/x.mp3"][0] == before

        assert await is_kept_after(SIGNATURE_REUSED / 2)
        assert not await is_kept_after(SIGNATURE_REUSED)
        # One that was signed in what is the future by now may not be good yet.
        assert not await is_kept_after(-HOUR)
        assert not await is_kept_after(YEAR)
        assert not await is_kept_after(-YEAR)
        loading.close()

    asyncio.run(sign())


def test_a_token_ends_by_the_clock_and_no_sooner(instance: Instance, clock: FrozenClock) -> None:
    with instance.database.write() as session:
        now = instance.now()
        account, _ = create_account(session, "alice@example.org", is_operator=True, now=now)
        _, secret = create_token(session, account, name="x", expires_at=now + DAY, now=now)
    for step, is_good in (
        (timedelta(0), True),
        (YEAR, False),
        (-YEAR - DAY, True),
        (2 * DAY, False),
    ):
        clock.time += step
        with instance.database.read() as session:
            if is_good:
                assert check_token(session, secret, now=instance.now()).account_id == account.id
                continue
            with pytest.raises(Unauthorized, match="expired"):
                check_token(session, secret, now=instance.now())


# What is swept away


def test_a_clock_that_is_set_forward_takes_no_file_from_an_upload(
    instance: Instance, clock: FrozenClock
) -> None:
    clock.time = datetime.now(UTC)
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(instance,), kwargs={"stop": stop})
    worker.start()
    try:
        wait_for_clean_up(instance, clock.time)
        # Stored, and its row not yet written.
        instance.storage.put_bytes("audio/upload.mp3", b"sound", content_type="audio/mpeg")
        before = clock.time
        clock.advance(days=365)
        time.sleep(1.5)
        assert instance.storage.size("audio/upload.mp3") == 5
        assert cleaned_at(instance) == before
    finally:
        stop.set()
        worker.join()


def cleaned_at(instance: Instance) -> datetime | None:
    with instance.database.read() as session:
        fact = session.get(Fact, "cleaned_at")
    return datetime.fromisoformat(fact.value) if fact is not None else None


def wait_for_clean_up(instance: Instance, now: datetime) -> None:
    wait_for(lambda: cleaned_at(instance), lambda moment: moment == now)
    wait_for(lambda: not any(thread.name == "clean-up" for thread in threading.enumerate()))
