"""Hubs and directories: told once of each change, later if they are away, and never too much."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import delete

from podhost.app import create_app
from podhost.catalogue import Catalogue
from podhost.checks import check_instance
from podhost.config import read_settings
from podhost.feeds import hubs
from podhost.feeds.formats import further
from podhost.feeds.hubs import Hub, hub_answers, list_hubs
from podhost.feeds.rendering import snapshot_body
from podhost.fetching import instance_fetcher
from podhost.instance import Instance, open_instance
from podhost.jobs import LEASE, MAX_ATTEMPTS, claim, list_failed
from podhost.models import FeedSnapshot, Job, Show
from podhost.shows import ShowInput, change_show, delete_show, get_show
from podhost.worker import run_due_jobs, run_next_ping, run_sweep, run_worker
from tests.asgi_client import Client
from tests.conftest import FrozenClock
from tests.hub_server import LocalHub, local_hub
from tests.making import feed_body, make_show
from tests.waiting import wait_for
from tests.web.test_api import token_for

FEED = "https://pod.example/tide-tables/feed.xml"
TOKEN = "podping-token-that-nobody-sees"
# What has nothing to do with the engine; all that asks the queue or the rows is tried on both.
on_sqlite = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    # One of an earlier test may have been silent at this very port.
    monkeypatch.setattr(hubs, "_silences", {})
    with local_hub() as hub:
        yield hub


@pytest.fixture
def telling(environment: dict[str, str], clock: FrozenClock, hub: LocalHub) -> Iterator[Instance]:
    """A podhost that tells two hubs on loopback, which its operator allows."""
    environment |= {
        "PODHOST_HUBS": f"{hub.url('/one')} {hub.url('/two')}",
        "PODHOST_FETCH_ALLOWED": hub.address,
    }
    yield from opened(environment, clock)


@pytest.fixture
def directories(
    environment: dict[str, str], clock: FrozenClock, hub: LocalHub
) -> Iterator[Instance]:
    """A podhost that tells Podping and Podcast Index, both of which are on loopback here."""
    environment |= {
        "PODHOST_PODPING_TOKEN": TOKEN,
        "PODHOST_PODPING_URL": hub.url("/podping/"),
        "PODHOST_NOTIFY_PODCAST_INDEX": "on",
        "PODHOST_PODCAST_INDEX_URL": hub.url("/pubnotify"),
        "PODHOST_FETCH_ALLOWED": hub.address,
    }
    yield from opened(environment, clock)


def opened(environment: dict[str, str], clock: FrozenClock) -> Iterator[Instance]:
    instance = open_instance(read_settings(environment), clock=clock)
    yield instance
    instance.close()


def edit(instance: Instance, text: str, slug: str = "tide-tables") -> None:
    """A change that readers of the feed see, rendered."""
    with instance.database.write() as session:
        show = get_show(session, slug, lock=True)
        change_show(session, show, ShowInput(description=text), now=instance.now())
    run_due_jobs(instance)


def set_feeds(instance: Instance, *feeds: dict[str, object]) -> None:
    with instance.database.write() as session:
        show = get_show(session, "tide-tables", lock=True)
        change_show(session, show, ShowInput(feeds=feeds), now=instance.now())  # type: ignore[arg-type]
    run_due_jobs(instance)


def tell(instance: Instance, clock: FrozenClock, **time: float) -> int:
    """Let time pass and tell everybody who is to be told then; how many jobs that took."""
    clock.advance(**time)
    count = 0
    with instance_fetcher(instance.settings) as fetcher:
        while run_next_ping(instance, fetcher, owner="alice"):
            count += 1
    return count


def answers(instance: Instance, slug: str = "tide-tables") -> list[tuple[str, str, int | None]]:
    """The path, the status and the version of each hub."""
    with instance.database.read() as session:
        told = hub_answers(
            session, get_show(session, slug), list_hubs(instance.settings, instance.base_url)
        )
    return [(one.url.split("/", 3)[3], one.status, one.snapshot_version) for one in told]


def rendered_show(instance: Instance) -> Show:
    show = make_show(instance)
    feed_body(instance, show)
    return show


def test_every_hub_is_told_once_that_the_feed_has_new_bytes(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    rendered_show(telling)
    assert tell(telling, clock) == 0, "the burst may go on"
    assert answers(telling) == [("one", "waiting", None), ("two", "waiting", None)]
    tell(telling, clock, seconds=10)
    tell(telling, clock, hours=1)
    assert sorted(ping.path for ping in hub.pings) == ["/one", "/two"]
    for ping in hub.pings:
        assert ping.method == "POST"
        assert ping.values == {"hub.mode": "publish", "hub.url": FEED}
        assert ping.headers["content-type"] == "application/x-www-form-urlencoded"
    assert answers(telling) == [("one", "told", 1), ("two", "told", 1)]


def test_a_further_feed_is_told_under_its_own_address(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    rendered_show(telling)
    tell(telling, clock, hours=1)
    del hub.pings[:]
    public, private = "feeds/newest.xml", "2f1c7a90e4b35d6848fa"
    set_feeds(telling, {"name": "newest", "newest": 1}, {"name": private, "private": True})
    tell(telling, clock, hours=1)
    address = "https://pod.example/tide-tables/feeds/newest.xml"
    assert [(ping.path, ping.values["hub.url"]) for ping in hub.pings] == [
        ("/one", address),
        ("/two", address),
    ]
    assert answers(telling)[2:] == [("one", "told", 1), ("two", "told", 1)]
    document, hidden = further(public), further(f"feeds/{private}.xml")
    with telling.database.read() as session:
        show = get_show(session, "tide-tables")
        known = [
            snapshot_body(session.get_one(FeedSnapshot, one.key(show.id)))
            for one in (document, hidden)
        ]
    assert [body.count(b'rel="hub"') for body in known] == [2, 0]
    host = Catalogue(telling)
    host.catch_up()
    entry = host.find_show("tide-tables")
    assert entry is not None
    links = [host.load_feed(entry, one).links.count(b'rel="hub"') for one in (document, hidden)]  # type: ignore[union-attr]
    assert links == [2, 0]
    # A change of which the hubs cannot be told any more, because the feed is gone.
    edit(telling, "Another word.")
    set_feeds(telling)
    del hub.pings[:]
    tell(telling, clock, hours=1)
    assert {ping.values["hub.url"] for ping in hub.pings} == {FEED}
    assert len(answers(telling)) == 2 and run_sweep(telling) == 0


@on_sqlite
def test_ten_changes_in_a_minute_are_one_ping(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    rendered_show(telling)
    for number in range(9):
        tell(telling, clock, seconds=6)
        edit(telling, f"Version {number}.")
    assert hub.pings == []
    tell(telling, clock, seconds=6)
    assert len(hub.at("/one")) == len(hub.at("/two")) == 1
    assert answers(telling)[0] == ("one", "told", 10)


@on_sqlite
def test_a_burst_that_does_not_end_is_told_once_a_minute(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    rendered_show(telling)
    for number in range(16):
        edit(telling, f"Version {number}.")
        tell(telling, clock, seconds=9)
    assert [ping.path for ping in hub.pings].count("/one") == 2


@on_sqlite
def test_a_second_change_is_told_a_minute_after_the_first(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    rendered_show(telling)
    tell(telling, clock, seconds=10)
    edit(telling, "Better.")
    tell(telling, clock, seconds=30)
    assert len(hub.at("/one")) == 1
    tell(telling, clock, seconds=30)
    assert len(hub.at("/one")) == 2
    assert answers(telling)[0] == ("one", "told", 2)


def test_nobody_is_told_of_the_same_bytes(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    rendered_show(telling)
    tell(telling, clock, seconds=10)
    with telling.database.write() as session:
        show = get_show(session, "tide-tables", lock=True)
        change_show(session, show, ShowInput(description=show.description), now=telling.now())
        show.version += 1
    run_sweep(telling)
    run_due_jobs(telling)
    assert tell(telling, clock, hours=1) == 0
    assert len(hub.pings) == 2


@on_sqlite
@pytest.mark.parametrize("how", ["blocked before", "blocked after", "deleted"])
def test_nobody_is_told_of_shows_that_are_not_for_everybody(
    telling: Instance, hub: LocalHub, clock: FrozenClock, how: str
) -> None:
    make_show(telling, blocked=how == "blocked before")
    run_due_jobs(telling)
    with telling.database.write() as session:
        show = get_show(session, "tide-tables", lock=True)
        if how == "deleted":
            delete_show(session, show, now=telling.now())
        else:
            change_show(session, show, ShowInput(blocked=True), now=telling.now())
    run_due_jobs(telling)
    tell(telling, clock, hours=1)
    assert hub.pings == []
    assert run_sweep(telling) == 0, "what nobody may be told is no work"


@pytest.mark.parametrize(
    ("base_url", "is_told"),
    [
        ("https://pod.example", True),
        ("http://127.0.0.1:8000", False),
        ("http://localhost:8000", False),
        ("http://[::1]:8000", False),
        ("http://192.168.1.5", False),
        ("", False),
    ],
)
def test_a_laptop_does_not_tell_the_world(base_url: str, is_told: bool) -> None:
    settings = read_settings({"PODHOST_HUBS": "https://hub.example/", "PODHOST_BASE_URL": base_url})
    told = list_hubs(settings, settings.base_url or "http://127.0.0.1:8000")
    assert [hub.url for hub in told] == (["https://hub.example/"] if is_told else [])


@on_sqlite
def test_podping_and_podcast_index_are_told_in_their_ways(
    directories: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    rendered_show(directories)
    tell(directories, clock, seconds=10)
    podping, index = sorted(hub.pings, key=lambda ping: ping.path)
    assert (podping.method, podping.path) == ("GET", "/podping/")
    assert podping.values == {"url": FEED, "reason": "update", "medium": "podcast"}
    assert podping.headers["authorization"] == TOKEN
    assert podping.headers["user-agent"].startswith("podhost/")
    assert (index.method, index.path, index.values) == ("GET", "/pubnotify", {"url": FEED})
    assert "authorization" not in index.headers


def go(instance: Instance, **statuses: str) -> None:
    """Set the statuses of the show's live streams, by their guids; rendered."""
    live = [
        {
            "guid": guid,
            "title": guid,
            "status": status,
            "start": "2030-01-01T19:00:00Z",
            "content_links": [{"href": "https://tide.example/live", "text": "Hear"}],
        }
        for guid, status in statuses.items()
    ]
    with instance.database.write() as session:
        show = get_show(session, "tide-tables", lock=True)
        change_show(session, show, ShowInput(live_items=live), now=instance.now())
    run_due_jobs(instance)


def test_podping_is_told_at_once_that_a_live_stream_begins_and_that_it_ends(
    directories: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    def reasons() -> list[str]:
        return [ping.values["reason"] for ping in hub.at("/podping/")]

    rendered_show(directories)
    go(directories, a="pending")
    tell(directories, clock, seconds=10)
    assert reasons() == ["update"]
    go(directories, a="live")
    tell(directories, clock, seconds=1)
    assert reasons() == ["update", "live"], "neither a burst nor the last ping holds it up"
    assert len(hub.at("/pubnotify")) == 1, "whoever knows no reasons is told as always"
    edit(directories, "While it is live.")
    tell(directories, clock, minutes=2)
    assert reasons()[2:] == ["update"]
    go(directories, a="ended", b="live")
    tell(directories, clock, seconds=1)
    assert reasons()[3:] == ["live", "liveEnd"]
    go(directories, a="ended")
    tell(directories, clock, seconds=1)
    assert reasons()[5:] == ["liveEnd"], "a stream that is taken out is over"
    tell(directories, clock, hours=1)
    assert run_sweep(directories) == 0 and len(reasons()) == 6


@on_sqlite
def test_a_live_stream_that_podping_could_not_be_told_of_is_told_later(
    directories: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    hub.answers["/podping/"] = [(204, {}), (429, {"Retry-After": "300"})]
    rendered_show(directories)
    tell(directories, clock, seconds=10)
    go(directories, a="live")
    tell(directories, clock)
    edit(directories, "Better.")
    tell(directories, clock, seconds=290)
    assert len(hub.at("/podping/")) == 2, "a pause that is asked for is kept"
    tell(directories, clock, seconds=10)
    assert [ping.values["reason"] for ping in hub.at("/podping/")] == ["update", "live", "live"]


@on_sqlite
def test_the_feed_says_podping_only_where_it_is_really_told(
    environment: dict[str, str], clock: FrozenClock, directories: Instance
) -> None:
    show = rendered_show(directories)
    assert b'<podcast:podping usesPodping="true"/>' in feed_body(directories, show)
    del environment["PODHOST_PODPING_TOKEN"]
    for without in opened(environment, clock):
        assert run_sweep(without) == 1, "a feed that was made with the token is made again"
        assert b"podping" not in feed_body(without, show)
    environment |= {"PODHOST_PODPING_TOKEN": TOKEN, "PODHOST_BASE_URL": "http://127.0.0.1:8000"}
    for laptop in opened(environment, clock):
        run_sweep(laptop)
        assert b"podping" not in feed_body(laptop, show)


@on_sqlite
def test_the_feed_of_a_blocked_show_does_not_say_podping(directories: Instance) -> None:
    show = make_show(directories, blocked=True)
    assert b"podping" not in feed_body(directories, show)


def test_a_hub_that_fails_is_told_later_and_the_other_at_once(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    hub.answers["/one"] = [(500, {}), (502, {})]
    rendered_show(telling)
    tell(telling, clock, seconds=10)
    assert answers(telling) == [("one", "failing", None), ("two", "told", 1)]
    tell(telling, clock, seconds=1)
    assert len(hub.at("/one")) == 1
    tell(telling, clock, seconds=1)
    assert len(hub.at("/one")) == 2
    tell(telling, clock, seconds=4)
    assert answers(telling) == [("one", "told", 1), ("two", "told", 1)]
    assert (len(hub.at("/one")), len(hub.at("/two"))) == (3, 1)


@on_sqlite
@pytest.mark.parametrize(("status", "form"), [(429, "seconds"), (503, "date")])
def test_a_pause_that_a_hub_asks_for_is_kept_whatever_changes_meanwhile(
    telling: Instance, hub: LocalHub, clock: FrozenClock, status: int, form: str
) -> None:
    at = format_datetime(clock() + timedelta(seconds=310), usegmt=True)
    hub.answers["/one"] = [(status, {"Retry-After": "300" if form == "seconds" else at})]
    rendered_show(telling)
    tell(telling, clock, seconds=10)
    edit(telling, "Better.")
    tell(telling, clock, seconds=200)
    tell(telling, clock, seconds=99)
    assert len(hub.at("/one")) == 1
    tell(telling, clock, seconds=1)
    assert answers(telling)[0] == ("one", "told", 2)
    assert len(hub.at("/one")) == 2


@on_sqlite
@pytest.mark.parametrize(("status", "headers"), [(410, {}), (302, {"Location": "/"})])
def test_a_hub_that_refuses_is_given_up_until_the_feed_changes(
    telling: Instance, hub: LocalHub, clock: FrozenClock, status: int, headers: dict[str, str]
) -> None:
    hub.answers["/one"] = [(status, headers)]
    rendered_show(telling)
    tell(telling, clock, seconds=10)
    for _ in range(3):
        run_sweep(telling)
        tell(telling, clock, hours=7)
    assert len(hub.at("/one")) == 1
    assert answers(telling) == [("one", "given_up", None), ("two", "told", 1)]
    edit(telling, "Better.")
    tell(telling, clock, seconds=10)
    assert answers(telling) == [("one", "told", 2), ("two", "told", 2)]
    with telling.database.read() as session:
        assert list_failed(session) == []


def test_a_hub_that_was_away_for_long_is_told_once_it_is_back(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    hub.answers["/one"] = [(500, {})] * MAX_ATTEMPTS
    rendered_show(telling)
    tell(telling, clock, seconds=10)
    for _ in range(MAX_ATTEMPTS):
        tell(telling, clock, hours=1)
    assert answers(telling)[0] == ("one", "given_up", None)
    assert run_sweep(telling) == 0
    tell(telling, clock, hours=6)
    assert run_sweep(telling) == 1
    tell(telling, clock)
    assert answers(telling)[0] == ("one", "told", 1)


@on_sqlite
def test_a_hub_that_asks_for_pauses_and_never_agrees_is_given_up_in_the_end(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    hub.answers["/one"] = [(429, {"Retry-After": "7200"})] * (MAX_ATTEMPTS + 1)
    rendered_show(telling)
    for _ in range(MAX_ATTEMPTS + 1):
        tell(telling, clock, hours=1, minutes=30)
        tell(telling, clock, minutes=30)
    assert len(hub.at("/one")) == MAX_ATTEMPTS
    assert answers(telling)[0] == ("one", "given_up", None)


@on_sqlite
def test_an_address_that_is_not_public_is_never_asked(
    environment: dict[str, str], clock: FrozenClock, hub: LocalHub
) -> None:
    environment["PODHOST_HUBS"] = hub.url("/one")
    for instance in opened(environment, clock):
        rendered_show(instance)
        tell(instance, clock, seconds=10)
        assert answers(instance) == [("one", "given_up", None)]
    assert hub.pings == []


def test_a_killed_workers_ping_is_sent_by_the_next(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    rendered_show(telling)
    clock.advance(seconds=10)
    for _ in range(2):
        with telling.database.write() as session:
            assert claim(session, kinds=[hubs.TELL_HUB], owner="killed", now=clock()) is not None
    assert tell(telling, clock) == 0
    tell(telling, clock, seconds=LEASE.total_seconds() + 1)
    assert answers(telling) == [("one", "told", 1), ("two", "told", 1)]


def test_a_ping_whose_worker_was_killed_after_it_is_not_sent_again(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    show = rendered_show(telling)
    clock.advance(seconds=10)
    with instance_fetcher(telling.settings) as fetcher:
        hubs.tell_hub(telling, Hub(hubs.WEBSUB, hub.url("/one")).job_key(show.id), fetcher)
    tell(telling, clock, minutes=2)
    assert len(hub.at("/one")) == len(hub.at("/two")) == 1


@on_sqlite
def test_a_clock_that_is_set_back_holds_no_ping_up(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    clock.advance(days=3)
    rendered_show(telling)
    clock.advance(days=-3)
    run_sweep(telling)
    tell(telling, clock)
    assert len(hub.pings) == 2


@on_sqlite
def test_a_hub_that_is_taken_out_of_the_settings_is_not_asked_any_more(
    telling: Instance,
    environment: dict[str, str],
    hub: LocalHub,
    clock: FrozenClock,
) -> None:
    rendered_show(telling)
    environment["PODHOST_HUBS"] = hub.url("/two")
    for instance in opened(environment, clock):
        assert tell(instance, clock, seconds=10) == 2
        assert answers(instance) == [("two", "told", 1)]
    assert [ping.path for ping in hub.pings] == ["/two"]


@on_sqlite
def test_a_silent_hub_holds_up_neither_feeds_nor_the_end_of_the_worker(
    environment: dict[str, str], hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "QUIET", timedelta(0))
    # It is silent for as long as the test takes.
    monkeypatch.setattr(hubs, "_SECONDS", 100.0)
    hub.silent.add("/one")
    environment |= {"PODHOST_HUBS": hub.url("/one"), "PODHOST_FETCH_ALLOWED": hub.address}
    instance = open_instance(read_settings(environment))
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(instance,), kwargs={"stop": stop})
    worker.start()
    try:
        rendering = make_show(instance)
        wait_for(lambda: hub.at("/one"))
        other = make_show(instance, "Other")
        assert rendering.id != other.id
        wait_for(lambda: snapshot_version(instance, "other"))
        assert not hub.go.is_set()
        assert answers(instance) == [("one", "waiting", None)]
    finally:
        stop.set()
        worker.join(30)
        assert not worker.is_alive()
        hub.go.set()
        wait_for(lambda: not any(thread.name == "hubs" for thread in threading.enumerate()))
        instance.close()


def snapshot_version(instance: Instance, slug: str) -> int | None:
    with instance.database.read() as session:
        show = get_show(session, slug)
        snapshot = session.get(hubs.Snapshot, show.id)
        return snapshot.version if snapshot is not None else None


@on_sqlite
def test_a_silent_hub_is_not_asked_by_every_show_in_turn(
    telling: Instance, hub: LocalHub, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Time enough for the other one to answer on a machine that has a lot to do.
    monkeypatch.setattr(hubs, "_SECONDS", 2.0)
    monkeypatch.setattr(hubs, "_SILENT_SECONDS", 1.5)
    hub.silent.add("/one")
    slugs = ["tide-tables", "low-water", "high-water"]
    for slug in slugs:
        show = make_show(telling, slug.replace("-", " ").capitalize())
        assert show.slug == slug
    run_due_jobs(telling)
    tell(telling, clock, seconds=10)
    assert len(hub.at("/one")) == 1
    assert len(hub.at("/two")) == 3
    states = [answers(telling, slug) for slug in slugs]
    assert [state[0][1] for state in states].count("failing") == 1
    assert [state[0][1] for state in states].count("waiting") == 2
    assert {state[1][1] for state in states} == {"told"}


def test_programs_and_operators_are_told_what_became_of_it(
    telling: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    hub.answers["/one"] = [(410, {})]
    telling.storage.check()
    rendered_show(telling)
    client = Client(create_app(telling))
    told = {"Authorization": f"Bearer {token_for(telling, 'alice@example.org')}"}
    tell(telling, clock, seconds=10)
    answer = client.get("/api/v1/shows/tide-tables/hubs", headers=told).json()
    one, two = answer["hubs"]
    assert answer["snapshot_version"] == 1
    assert one["url"] == hub.url("/one") and one["kind"] == "websub"
    assert one["status"] == "given_up" and one["last_status"] == 410 and one["tried_at"]
    assert one["last_sent_at"] is None and one["error"].startswith(f"{hub.url('/one')} answered")
    assert two["status"] == "told" and two["last_status"] == 204 and two["error"] is None
    assert two["snapshot_version"] == 1 and two["last_sent_at"] == two["tried_at"]
    problems, _ = check_instance(telling, progress=lambda done, total: None)
    about_hubs = [problem for problem in problems if "hub" in problem]
    assert len(about_hubs) == 1 and "410" in about_hubs[0] and "tide-tables" in about_hubs[0]
    metrics = client.get("/metrics").text
    assert f'podhost_hubs_failing{{hub="{hub.url("/one")}"}} 1.0' in metrics
    assert f'podhost_hubs_failing{{hub="{hub.url("/two")}"}} 0.0' in metrics


@on_sqlite
def test_a_ping_that_failed_in_a_way_that_nobody_foresaw_is_named(telling: Instance) -> None:
    show = rendered_show(telling)
    key = Hub("websub", telling.settings.hubs[1]).job_key(show.id)
    with telling.database.write() as session:
        session.execute(delete(Job))
        now = telling.now()
        failed = Job(kind=hubs.TELL_HUB, key=key, status="failed", error="KeyError('x')")
        failed.run_at = failed.created_at = now
        session.add(failed)
    assert [status for _, status, _ in answers(telling)] == ["none", "given_up"]
    telling.storage.check()
    problems, _ = check_instance(telling, progress=lambda done, total: None)
    assert [problem for problem in problems if "KeyError" in problem and "tide-tables" in problem]


@on_sqlite
@pytest.mark.parametrize("left", ["one", ""])
def test_what_a_hub_that_is_no_longer_told_refused_is_forgotten(
    environment: dict[str, str], clock: FrozenClock, telling: Instance, hub: LocalHub, left: str
) -> None:
    hub.answers["/one"] = hub.answers["/two"] = [(410, {})]
    rendered_show(telling)
    hub.answers["/two"] = [(410, {})]
    tell(telling, clock, seconds=10)
    with telling.database.read() as session:
        assert len(list_failed(session)) == 2
    environment["PODHOST_HUBS"] = hub.url("/one") if left else ""
    for fewer in opened(environment, clock):
        run_sweep(fewer)
        with fewer.database.read() as session:
            assert len(list_failed(session)) == bool(left)


@on_sqlite
def test_a_token_stands_in_no_row_no_answer_and_no_log(
    directories: Instance,
    hub: LocalHub,
    clock: FrozenClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    hub.answers["/podping/"] = [(500, {}), (401, {})]
    rendered_show(directories)
    tell(directories, clock, seconds=10)
    tell(directories, clock, seconds=10)
    with directories.database.read() as session:
        show = get_show(session, "tide-tables")
        found = hub_answers(session, show, list_hubs(directories.settings, directories.base_url))
        kept = repr([*found, *(job.error for job in list_failed(session))])
    assert "PODHOST_PODPING_TOKEN" in kept
    assert TOKEN not in kept + caplog.text
    assert "answered 401" in caplog.text


@on_sqlite
def test_a_redirect_elsewhere_does_not_get_the_token(
    directories: Instance, hub: LocalHub, clock: FrozenClock
) -> None:
    with local_hub() as stranger:
        hub.answers["/podping/"] = [(307, {"Location": stranger.url("/")})]
        allowed = (hub.address, stranger.address)
        object.__setattr__(directories.settings, "fetch_allowed", allowed)
        rendered_show(directories)
        tell(directories, clock, seconds=10)
        assert len(stranger.pings) == 1
        assert "authorization" not in stranger.pings[0].headers
        assert TOKEN not in repr(stranger.pings)


def test_directories_are_told_where_they_are_unless_told_otherwise() -> None:
    settings = read_settings({"PODHOST_BASE_URL": "https://pod.example"})
    assert list_hubs(settings, settings.base_url) == ()
    environment = {"PODHOST_NOTIFY_PODCAST_INDEX": "on", "PODHOST_PODPING_TOKEN": TOKEN}
    settings = read_settings({**environment, "PODHOST_BASE_URL": "https://pod.example"})
    assert [(hub.kind, hub.url) for hub in list_hubs(settings, settings.base_url)] == [
        ("podping", "https://podping.cloud/"),
        ("podcast_index", "https://api.podcastindex.org/api/1.0/hub/pubnotify"),
    ]
