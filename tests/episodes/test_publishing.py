"""What the world may see, and when."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from podhost.episodes import get_episode
from podhost.episodes.publishing import delete_episode, publish_episode, withdraw_episode
from podhost.errors import Conflict, Invalid
from podhost.instance import Instance
from podhost.models import Episode, Job
from podhost.shows import get_show
from podhost.worker import run_due_jobs, run_sweep
from tests.audio_files import flac
from tests.conftest import FrozenClock
from tests.making import feed_body, make_episode, make_show


def load(instance: Instance, episode: Episode) -> Episode:
    with instance.database.read() as session:
        return get_episode(session, get_show(session, episode.show.slug), episode.id)


def test_a_draft_is_not_in_the_feed(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3, publish=False)
    assert b"<item>" not in feed_body(instance, show)


def test_a_published_episode_is_in_the_feed(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    feed = feed_body(instance, show).decode()
    assert f'<guid isPermaLink="false">{episode.guid}</guid>' in feed
    assert "<pubDate>Thu, 05 Mar 2026 09:05:00 GMT</pubDate>" in feed


@pytest.mark.parametrize("year", [1, 1969, 2200, 9999])
def test_a_date_that_no_app_can_read_is_refused(instance: Instance, mp3: Path, year: int) -> None:
    episode = make_episode(instance, make_show(instance), mp3, publish=False)
    at = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    with pytest.raises(Invalid, match="1970"), instance.database.write() as session:
        publish_episode(session, session.merge(episode), now=instance.now(), at=at)
    assert load(instance, episode).status == "draft"


def test_an_episode_without_audio_cannot_be_published(instance: Instance) -> None:
    with pytest.raises(Invalid, match="no audio yet"):
        make_episode(instance, make_show(instance), None)


def test_audio_that_apps_cannot_play_stays_a_draft(instance: Instance, tmp_path: Path) -> None:
    path = tmp_path / "take.flac"
    path.write_bytes(flac())
    show = make_show(instance)
    episode = make_episode(instance, show, path, publish=False)
    with pytest.raises(Invalid, match="MP3"), instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        publish_episode(session, row, now=instance.now())
    assert load(instance, episode).status == "draft"


def test_a_scheduled_episode_is_published_at_its_time(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    show = make_show(instance)
    at = clock.time + timedelta(hours=2)
    episode = make_episode(instance, show, mp3, at=at)
    assert b"<item>" not in feed_body(instance, show)
    clock.advance(hours=1, minutes=59)
    assert b"<item>" not in feed_body(instance, show)
    clock.advance(minutes=1)
    assert b"<pubDate>Thu, 05 Mar 2026 11:05:00 GMT</pubDate>" in feed_body(instance, show)
    assert load(instance, episode).published_at == at


def test_a_scheduled_episode_whose_job_was_lost_is_found_by_the_sweep(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3, at=clock.time + timedelta(hours=2))
    run_due_jobs(instance)
    with instance.database.write() as session:
        session.execute(Job.__table__.delete())
    clock.advance(hours=5)
    assert run_sweep(instance) == 1
    assert b"<item>" in feed_body(instance, show)
    assert run_sweep(instance) == 0


def test_a_rescheduled_episode_is_not_published_at_its_first_time(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3, at=clock.time + timedelta(hours=2))
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        publish_episode(session, row, now=instance.now(), at=clock.time + timedelta(hours=5))
    clock.advance(hours=3)
    assert b"<item>" not in feed_body(instance, show)
    clock.advance(hours=2)
    assert run_sweep(instance) in (0, 1)
    assert b"<item>" in feed_body(instance, show)


def test_two_episodes_never_share_a_second(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    first = make_episode(instance, show, mp3, "One")
    second = make_episode(instance, show, mp3, "Two")
    assert first.published_at is not None and second.published_at is not None
    assert second.published_at - first.published_at == timedelta(seconds=1)


@pytest.mark.parametrize("days", [-30, 30])
def test_what_is_published_keeps_its_date(instance: Instance, mp3: Path, days: int) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    assert episode.published_at is not None

    def publish(at: datetime | None) -> None:
        with instance.database.write() as session:
            row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
            publish_episode(session, row, now=instance.now(), at=at)

    feed_body(instance, show)
    with pytest.raises(Conflict, match="keeps its date"):
        publish(episode.published_at + timedelta(days=days))
    publish(episode.published_at)
    publish(None)
    assert run_due_jobs(instance) == 0, "nothing changed, so nothing is rendered"
    assert b"<pubDate>Thu, 05 Mar 2026 09:05:00 GMT</pubDate>" in feed_body(instance, show)


def test_a_withdrawn_episode_leaves_the_feed_and_comes_back_with_its_date(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        withdraw_episode(session, row, now=instance.now())
    assert b"<item>" not in feed_body(instance, show)
    clock.advance(days=2)
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        publish_episode(session, row, now=instance.now())
    assert b"<pubDate>Thu, 05 Mar 2026 09:05:00 GMT</pubDate>" in feed_body(instance, show)


def test_a_draft_cannot_be_withdrawn(instance: Instance, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3, publish=False)
    with pytest.raises(Conflict), instance.database.write() as session:
        row = get_episode(session, get_show(session, episode.show.slug, lock=True), episode.id)
        withdraw_episode(session, row, now=instance.now())


def test_a_deleted_episode_leaves_the_feed(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        delete_episode(session, row, now=instance.now())
    assert b"<item>" not in feed_body(instance, show)
