"""Further feeds and older pages: rendered with the show, at their time, served like any feed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from podhost.audio.revisions import PreparedAudio, prepare_audio_file
from podhost.checks import check_instance
from podhost.db import new_id
from podhost.episodes import ChapterInput, EpisodeInput, change_episode, get_episode
from podhost.episodes.publishing import withdraw_episode
from podhost.errors import Invalid
from podhost.feeds import hubs
from podhost.feeds.further import further_body, read_held, render_further, store_further
from podhost.feeds.rendering import feed_values, find_snapshot
from podhost.instance import Instance
from podhost.models import Episode, FeedSnapshot, FurtherFeeds, Job, Show
from podhost.shows import ShowInput, change_show, delete_show, get_show
from podhost.storage import LocalStorage
from podhost.worker import run_due_jobs, run_sweep
from tests.conftest import FrozenClock
from tests.making import feed_body, make_episode, make_show
from tests.web.test_delivery import Host

PATH = "feeds/season-2.xml"
SECRET = "2f1c7a90e4b35d6848fa"
SEASON = {"name": "season-2", "seasons": (2,)}
LATER = {"name": "later", "delay_hours": 48}
EARLY = {"name": SECRET, "early_hours": 24}
# Where the other engines make no difference.
Audio = Callable[[], PreparedAudio]
ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def show(instance: Instance) -> Show:
    return make_show(instance)


@pytest.fixture(scope="session")
def probed(mp3: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedAudio:
    """The audio of every episode here, probed once."""
    return prepare_audio_file(LocalStorage(tmp_path_factory.mktemp("probed")), mp3)


@pytest.fixture
def audio(instance: Instance, mp3: Path, probed: PreparedAudio) -> Audio:
    """Stores it once more, for one more episode."""

    def make() -> PreparedAudio:
        audio_id = new_id()
        key = f"audio/{audio_id}.mp3"
        instance.storage.put_file(key, mp3, content_type="audio/mpeg")
        return replace(probed, id=audio_id, storage_key=key)

    return make


@pytest.fixture
def host(instance: Instance) -> Iterator[Host]:
    host = Host(instance)
    yield host
    host.app.close()
    host.spool.stop()


def change(instance: Instance, **given: Any) -> None:
    with instance.database.write() as session:
        show = get_show(session, "tide-tables", lock=True)
        change_show(session, show, ShowInput(**given), now=instance.now())


def set_feeds(instance: Instance, *feeds: dict[str, Any]) -> None:
    change(instance, feeds=feeds)


def settle(host: Host) -> None:
    """Do what is due now, and have the serving process see it."""
    run_due_jobs(host.instance)
    host.catalogue.catch_up()


def path_of(name: str, slug: str = "tide-tables") -> str:
    return f"/{slug}/feeds/{name}.xml"


def feed_of(host: Host, path: str) -> bytes:
    settle(host)
    reply = host.get(path)
    assert reply.status == 200, reply.status
    return reply.body


def titles(host: Host, path: str) -> list[str | None]:
    return [item.findtext("title") for item in etree.fromstring(feed_of(host, path)).iter("item")]


def status(host: Host, path: str) -> int:
    settle(host)
    return host.get(path).status


def may_hear(host: Host, path: str) -> bool:
    """By podhost itself, or by redirect to the bucket."""
    found = status(host, path)
    assert found in (200, 302, 404)
    return found != 404


def stored(instance: Instance) -> dict[str, tuple[int, bool]]:
    """Version and whether it is gone, by path."""
    with instance.database.read() as session:
        rows = session.query(FeedSnapshot).all()
    return {row.path: (row.version, row.gone_at is not None) for row in rows}


def problems(instance: Instance) -> list[str]:
    found, _ = check_instance(instance, progress=lambda done, total: None)
    return [problem for problem in found if "Artwork" not in problem]


def audio_path(instance: Instance, episode: Episode) -> str:
    assert episode.audio is not None
    return f"/audio/{episode.id}/1/{episode.audio.url_name}.mp3"


@ON_ONE_ENGINE
def test_a_further_feed_is_served_as_the_show_s_own_is(
    instance: Instance, show: Show, audio: Audio, host: Host
) -> None:
    make_episode(instance, show, audio(), "Old", season=1)
    make_episode(instance, show, audio(), "New", season=2)
    set_feeds(instance, SEASON)
    assert titles(host, path_of("season-2")) == ["New"]
    assert titles(host, "/tide-tables/feed.xml") == ["New", "Old"]
    reply = host.get(path_of("season-2"), ("accept-encoding", "gzip"))
    assert reply.headers["content-encoding"] == "gzip"
    assert reply.headers["content-type"] == "application/rss+xml; charset=utf-8"
    own_address = f"<https://pod.example{path_of('season-2')}>"
    assert reply.headers["link"] == f'{own_address}; rel="self"'
    again = host.get(path_of("season-2"), ("if-none-match", reply.headers["etag"]))
    assert (again.status, again.body) == (304, b"")
    assert host.get(path_of("season-3")).status == 404
    assert host.get("/nobody/feeds/season-2.xml").status == 404
    assert problems(instance) == []


@ON_ONE_ENGINE
def test_what_changes_nothing_in_a_feed_leaves_its_bytes(
    instance: Instance, show: Show, audio: Audio, clock: FrozenClock, host: Host
) -> None:
    make_episode(instance, show, audio(), "Two", season=2)
    set_feeds(instance, SEASON, {"name": "newest", "newest": 1})
    before = (status(host, path_of("season-2")), host.get(path_of("season-2")).headers)
    clock.advance(hours=1)
    make_episode(instance, show, audio(), "One", season=1)
    assert titles(host, path_of("newest")) == ["One"]
    assert (status(host, path_of("season-2")), host.get(path_of("season-2")).headers) == before
    assert stored(instance) == {"feeds/season-2.xml": (1, False), "feeds/newest.xml": (2, False)}


def test_a_feed_that_is_taken_away_is_gone_and_may_come_back(
    instance: Instance, show: Show, host: Host
) -> None:
    set_feeds(instance, SEASON)
    assert status(host, path_of("season-2")) == 200
    set_feeds(instance)
    assert status(host, path_of("season-2")) == 410
    assert Host(instance).get(path_of("season-2")).status == 410
    set_feeds(instance, SEASON)
    assert status(host, path_of("season-2")) == 200
    with instance.database.write() as session:
        delete_show(session, get_show(session, "tide-tables", lock=True), now=instance.now())
    assert status(host, path_of("season-2")) == 410


@ON_ONE_ENGINE
def test_a_renamed_show_takes_its_further_feeds_along(
    instance: Instance, show: Show, audio: Audio, host: Host
) -> None:
    make_episode(instance, show, audio(), season=2)
    set_feeds(instance, SEASON)
    settle(host)
    guid = etree.fromstring(host.get(path_of("season-2")).body).findtext(".//{*}guid")
    change(instance, slug="tides")
    settle(host)
    moved = host.get(path_of("season-2"))
    assert moved.status == 301
    assert moved.headers["location"] == "https://pod.example/tides/feeds/season-2.xml"
    assert host.get(path_of("season-9")).status == 404
    there = host.get(path_of("season-2", "tides")).body
    assert b'href="https://pod.example/tides/feeds/season-2.xml" rel="self"' in there
    assert etree.fromstring(there).findtext(".//{*}guid") == guid


def test_a_late_feed_has_an_episode_when_its_time_has_come(
    instance: Instance, show: Show, audio: Audio, clock: FrozenClock, host: Host
) -> None:
    make_episode(instance, show, audio(), "Now")
    set_feeds(instance, LATER)
    assert titles(host, path_of("later")) == []
    clock.advance(hours=47, minutes=59)
    assert titles(host, path_of("later")) == []
    before = host.get("/tide-tables/feed.xml").headers
    clock.advance(minutes=1)
    assert titles(host, path_of("later")) == ["Now"]
    assert host.get("/tide-tables/feed.xml").headers == before
    with instance.database.read() as session:
        assert session.query(Job).count() == 0
        assert session.query(FurtherFeeds).one().due_at is None


def test_a_time_that_no_job_waits_for_is_found_by_the_sweep(
    instance: Instance, show: Show, audio: Audio, clock: FrozenClock, host: Host
) -> None:
    make_episode(instance, show, audio(), "Now")
    set_feeds(instance, LATER)
    settle(host)
    with instance.database.write() as session:
        session.query(Job).delete()
    assert run_sweep(instance) == 0
    clock.advance(hours=48)
    assert problems(instance) != []
    assert run_sweep(instance) == 1
    assert titles(host, path_of("later")) == ["Now"]
    # A worker of the version before renders the show and knows nothing of these tables.
    with instance.database.write() as session:
        session.query(FurtherFeeds).delete()
    assert run_sweep(instance) == 1
    settle(host)
    assert run_sweep(instance) == 0 and problems(instance) == []


def test_an_early_feed_has_what_is_scheduled_and_its_audio(
    instance: Instance, show: Show, audio: Audio, clock: FrozenClock, host: Host
) -> None:
    set_feeds(instance, EARLY)
    coming = instance.now() + timedelta(hours=30)
    episode = make_episode(instance, show, audio(), "Coming", at=coming)
    path = audio_path(instance, episode)
    assert titles(host, path_of(SECRET)) == [] and not may_hear(host, path)
    clock.advance(hours=6)
    assert titles(host, path_of(SECRET)) == ["Coming"] and may_hear(host, path)
    assert titles(host, "/tide-tables/feed.xml") == []
    early = etree.fromstring(host.get(path_of(SECRET)).body)
    assert early.findtext(".//item/pubDate") == "Thu, 05 Mar 2026 15:05:00 GMT"
    assert early.findtext(".//item/link") == "https://pod.example/tide-tables/"
    headers = host.get(path_of(SECRET)).headers
    assert headers["x-robots-tag"] == "noindex" and "private" in headers["cache-control"]
    clock.advance(hours=24)
    assert titles(host, "/tide-tables/feed.xml") == ["Coming"]
    public = etree.fromstring(host.get("/tide-tables/feed.xml").body)
    assert public.findtext(".//item/guid") == early.findtext(".//item/guid")
    assert titles(host, path_of(SECRET)) == ["Coming"] and may_hear(host, path)
    assert problems(instance) == []


@ON_ONE_ENGINE
def test_what_an_early_feed_names_beside_audio_is_answered_too(
    instance: Instance, show: Show, audio: Audio, clock: FrozenClock, host: Host
) -> None:
    set_feeds(instance, EARLY)
    coming = instance.now() + timedelta(hours=30)
    chapters = [ChapterInput(start_seconds=0, title="Hello")]
    make_episode(instance, show, audio(), "Coming", at=coming, chapters=chapters)
    path = f"/chapters/{_only_episode(instance).id}.json"
    assert status(host, path) == 404
    clock.advance(hours=6)
    early = etree.fromstring(feed_of(host, path_of(SECRET)))
    named = early.find(".//item/{*}chapters")
    assert named is not None and named.get("url") == f"https://pod.example{path}"
    assert status(host, path) == 200
    assert b"pod.example/chapters" not in feed_of(host, "/tide-tables/feed.xml")


def _only_episode(instance: Instance) -> Episode:
    with instance.database.read() as session:
        return session.query(Episode).one()


def withdraw(instance: Instance, show: Show, episode: Episode) -> None:
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        withdraw_episode(session, row, now=instance.now())


def take_feed(instance: Instance, show: Show, episode: Episode) -> None:
    set_feeds(instance)


def to_other_season(instance: Instance, show: Show, episode: Episode) -> None:
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        change_episode(session, row, EpisodeInput(season=3), now=instance.now())


@ON_ONE_ENGINE
@pytest.mark.parametrize("step", [withdraw, take_feed, to_other_season])
def test_an_episode_that_leaves_the_early_feed_is_not_heard_any_more(
    instance: Instance,
    show: Show,
    audio: Audio,
    host: Host,
    step: Callable[[Instance, Show, Episode], None],
) -> None:
    set_feeds(instance, EARLY | {"seasons": (2,)})
    coming = instance.now() + timedelta(hours=3)
    episode = make_episode(instance, show, audio(), "Coming", at=coming, season=2)
    path = audio_path(instance, episode)
    assert may_hear(host, path)
    step(instance, show, episode)
    assert not may_hear(host, path)


@ON_ONE_ENGINE
def test_without_an_early_feed_nobody_hears_what_is_scheduled(
    instance: Instance, show: Show, audio: Audio, host: Host
) -> None:
    set_feeds(instance, {"name": SECRET, "private": True}, LATER)
    coming = instance.now() + timedelta(hours=3)
    episode = make_episode(instance, show, audio(), "Coming", at=coming)
    assert not may_hear(host, audio_path(instance, episode))
    assert titles(host, path_of(SECRET)) == []


def test_pages_are_served_and_full_ones_stay(
    instance: Instance, show: Show, audio: Audio, clock: FrozenClock, host: Host
) -> None:
    def publish(count: int) -> None:
        for _ in range(count):
            clock.advance(minutes=1)
            make_episode(instance, show, audio(), f"{clock.time:%M}")

    change(instance, feed_page_size=5)
    publish(9)
    assert len(titles(host, "/tide-tables/feed.xml")) == 9
    assert run_sweep(instance) == 0
    assert status(host, "/tide-tables/feed/1.xml") == 404
    publish(1)
    assert len(titles(host, "/tide-tables/feed.xml")) == 5
    assert titles(host, "/tide-tables/feed/1.xml") == ["10", "09", "08", "07", "06"]
    assert problems(instance) == []
    publish(5)
    settle(host)
    assert stored(instance) == {"feed/1.xml": (2, False), "feed/2.xml": (1, False)}
    change(instance, feed_page_size=None)
    assert len(titles(host, "/tide-tables/feed.xml")) == 15
    assert status(host, "/tide-tables/feed/1.xml") == 410
    assert problems(instance) == []


@ON_ONE_ENGINE
def test_a_show_without_rules_keeps_no_state(instance: Instance, show: Show) -> None:
    feed_body(instance, show)
    with instance.database.read() as session:
        assert session.query(FurtherFeeds).count() == session.query(FeedSnapshot).count() == 0


@ON_ONE_ENGINE
def test_a_wrong_rule_changes_nothing(instance: Instance, show: Show) -> None:
    set_feeds(instance, SEASON)
    with pytest.raises(Invalid) as caught:
        set_feeds(instance, SEASON, {"name": "patrons", "early_hours": 1})
    assert list(caught.value.fields) == ["feeds[1].name"]
    feed_body(instance, show)
    assert [*stored(instance)] == ["feeds/season-2.xml"]


@ON_ONE_ENGINE
def test_damage_and_old_bytes_are_found(instance: Instance, show: Show) -> None:
    set_feeds(instance, SEASON)
    feed_body(instance, show)
    with instance.database.write() as session:
        session.query(FeedSnapshot).one().sha256 = "0" * 64
        session.query(FurtherFeeds).one().show_version -= 1
        assert find_snapshot(session, show) is not None
    found = problems(instance)
    assert len(found) == 2 and "damaged" in "".join(found) and "worker" in "".join(found)
    set_feeds(instance, SEASON | {"title": "Two"})
    feed_body(instance, show)
    assert problems(instance) == []


@ON_ONE_ENGINE
def test_a_slow_worker_puts_nothing_old_over_what_is_newer(instance: Instance, show: Show) -> None:
    set_feeds(instance, SEASON)
    site = hubs.site_of(instance)
    with instance.database.read() as session:
        row = get_show(session, "tide-tables")
        old_version, values = row.version, feed_values(session, row, site)
        slow = render_further(values, read_held(session, row), now=instance.now())
    assert slow is not None and [document.path for document in slow.changed] == [PATH]
    set_feeds(instance, SEASON | {"title": "Newer"})
    feed_body(instance, show)
    with instance.database.write() as session:
        row = get_show(session, "tide-tables", lock=True)
        now = instance.now()
        assert not store_further(session, row, slow, show_version=old_version, site=site, now=now)
    with instance.database.read() as session:
        assert b"Newer" in further_body(session, show, "season-2")
