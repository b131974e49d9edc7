"""Feeds: from rows to bytes to a snapshot, each once and only when something changed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import feedparser
from lxml import etree

from podhost.chapters.rows import ChapterInput
from podhost.db import new_id
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.feeds.hubs import site_of
from podhost.feeds.rendering import (
    Site,
    compress_feed,
    find_snapshot,
    render_show,
    snapshot_body,
    stale_show_ids,
    store_snapshot,
)
from podhost.instance import Instance
from podhost.jobs.runner import run_next
from podhost.models import Audio, Credit, Episode, JsonSnapshot, Person, Show, Snapshot
from podhost.people import CreditInput
from podhost.search.rows import INDEX_SHOW
from podhost.shows import ShowInput, change_show, get_show
from podhost.worker import JOBS, LATER_JOBS, run_due_jobs, run_sweep
from tests.conftest import FrozenClock
from tests.making import feed_body, make_episode, make_show

SITE = Site("https://pod.example", ("https://hub.example/",))


def snapshot_of(instance: Instance, show: Show) -> Snapshot:
    with instance.database.read() as session:
        snapshot = find_snapshot(session, show)
        assert snapshot is not None
        return snapshot


def test_two_renders_of_the_same_rows_are_byte_identical(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    show = make_show(instance, people=[CreditInput(name="Pia Port")])
    make_episode(instance, show, mp3, people=[CreditInput(name="Ann Guest")])
    bodies = set()
    for _ in range(3):
        with instance.database.read() as session:
            bodies.add(render_show(session, get_show(session, show.slug), SITE))
        clock.advance(days=1)
    assert len(bodies) == 1


def test_each_snapshot_is_at_least_a_second_younger(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    seen = []
    for title in ("One", "Two", "Three"):
        make_episode(instance, show, mp3, title)
        feed_body(instance, show)
        seen.append(snapshot_of(instance, show).last_modified)
    assert seen[1] - seen[0] >= timedelta(seconds=1)
    assert seen[2] - seen[1] >= timedelta(seconds=1)


def test_a_late_worker_cannot_put_an_old_feed_in_the_place_of_a_newer_one(
    instance: Instance,
) -> None:
    show = make_show(instance)
    feed_body(instance, show)
    version = snapshot_of(instance, show).show_version
    with instance.database.write() as session:
        row = get_show(session, show.slug, lock=True)
        now = instance.now()
        assert not store_snapshot(
            session, row, b"old", b"", show_version=version - 1, site=SITE, now=now
        )
        assert store_snapshot(
            session, row, b"new", compress_feed(b"new"), show_version=version, site=SITE, now=now
        )
    assert snapshot_body(snapshot_of(instance, show)) == b"new"


def test_two_workers_in_turns_never_store_what_one_of_them_remembers(
    instance: Instance, mp3: Path
) -> None:
    show = make_show(instance)
    episodes = [make_episode(instance, show, mp3, title) for title in ("Ebb", "Flow", "Slack")]
    other = Instance(instance.settings, instance.database, instance.storage, instance.clock)
    other.base_url = instance.base_url
    for number, worker in enumerate((instance, other, instance, instance, other)):
        with instance.database.write() as session:
            locked = get_show(session, show.slug, lock=True)
            row = get_episode(session, locked, episodes[number % 3].id)
            change_episode(session, row, EpisodeInput(title=f"Tide {number}"), now=instance.now())
        body = feed_body(worker, show)
        with instance.database.read() as session:
            assert body == render_show(session, get_show(session, show.slug), site_of(instance))
        assert f"<title>Tide {number}</title>".encode() in body


def test_a_change_to_a_draft_makes_no_new_snapshot(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    draft = make_episode(instance, show, mp3, publish=False)
    feed_body(instance, show)
    before = snapshot_of(instance, show).version
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), draft.id)
        change_episode(session, row, EpisodeInput(notes="New notes"), now=instance.now())
    run_due_jobs(instance)
    assert snapshot_of(instance, show).version == before


def test_a_change_that_no_reader_of_the_feed_sees_makes_no_new_snapshot(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    show = make_show(instance, people=[CreditInput(name="Pia Port")])
    episode = make_episode(instance, show, mp3)
    before = feed_body(instance, show)
    first = snapshot_of(instance, show)
    clock.advance(days=1)
    quiet = ShowInput(time_zone="Europe/Madrid", people=[CreditInput(name="Pia Port", bio="New.")])
    with instance.database.write() as session:
        assert change_show(session, get_show(session, show.slug), quiet, now=instance.now())
    assert feed_body(instance, show) == before
    after = snapshot_of(instance, show)
    assert after.show_version > first.show_version
    assert (after.version, after.last_modified) == (first.version, first.last_modified)
    clock.advance(days=1)
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        change_episode(session, row, EpisodeInput(title="High water"), now=instance.now())
    assert b"<lastBuildDate>Sat, 07 Mar 2026 09:05:00 GMT</lastBuildDate>" in feed_body(
        instance, show
    )


def test_any_change_of_the_show_mends_a_damaged_snapshot(instance: Instance) -> None:
    show = make_show(instance)
    whole = feed_body(instance, show)
    with instance.database.write() as session:
        snapshot = find_snapshot(session, show)
        assert snapshot is not None
        snapshot.body_gzip = snapshot.body_gzip[:-20]
        change_show(
            session,
            get_show(session, show.slug),
            ShowInput(time_zone="Asia/Tokyo"),
            now=instance.now(),
        )
    assert feed_body(instance, show) == whole


def json_snapshot_of(instance: Instance, show: Show) -> JsonSnapshot:
    with instance.database.read() as session:
        return session.get_one(JsonSnapshot, show.id)


def test_a_show_has_its_feed_as_json_too(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3, people=[CreditInput(name="Ann Guest")])
    channel = etree.fromstring(feed_body(instance, show))[0]
    feed = json.loads(snapshot_body(json_snapshot_of(instance, show)))
    assert feed["feed_url"] == f"{instance.base_url}/tide-tables/feed.json"
    [item] = feed["items"]
    assert item["id"] == channel.findtext("item/guid")
    enclosure = channel.find("item/enclosure")
    assert enclosure is not None
    assert item["attachments"][0]["url"] == enclosure.get("url")
    assert item["attachments"][0]["size_in_bytes"] == int(enclosure.get("length"))


def test_json_feeds_change_only_when_they_say_something_else(
    instance: Instance, clock: FrozenClock
) -> None:
    show = make_show(instance)
    feed_body(instance, show)
    first = json_snapshot_of(instance, show)
    for given in (ShowInput(time_zone="Europe/Madrid"), ShowInput(owner_name="Pia")):
        clock.advance(days=1)
        with instance.database.write() as session:
            assert change_show(session, get_show(session, show.slug), given, now=instance.now())
        run_due_jobs(instance)
    same = json_snapshot_of(instance, show)
    assert same.show_version > first.show_version
    assert (same.version, same.last_modified) == (first.version, first.last_modified)
    with instance.database.write() as session:
        row = get_show(session, show.slug)
        change_show(session, row, ShowInput(title="Ebb"), now=instance.now())
    run_due_jobs(instance)
    assert json_snapshot_of(instance, show).last_modified > first.last_modified


def test_a_show_that_the_version_before_rendered_gets_its_json_feed(instance: Instance) -> None:
    show = make_show(instance)
    feed_body(instance, show)
    with instance.database.write() as session:
        session.query(JsonSnapshot).delete()
        site = Site(instance.base_url)
        assert stale_show_ids(session, site, compare_site=False) == [show.id]
    assert run_sweep(instance) == 1
    run_due_jobs(instance)
    assert json_snapshot_of(instance, show).version == 1
    with instance.database.write() as session:
        session.query(JsonSnapshot).one().show_version -= 1
    assert run_sweep(instance) == 1


def test_any_text_in_any_field_gives_a_feed_that_parses(instance: Instance, mp3: Path) -> None:
    nasty = "]]> <b>&amp; \x0b \ufffe שלום \U0001f399 " + "long " * 60
    show = make_show(
        instance,
        title=f"Show {nasty}",
        description=nasty,
        author=nasty,
        people=[CreditInput(name=nasty, bio=nasty)],
    )
    make_episode(
        instance,
        show,
        mp3,
        title=f"Episode {nasty}",
        notes=f"# {nasty}\n\n<script>alert(1)</script>\n" + "word " * 20_000,
        author=nasty,
        season=1,
        season_name=nasty,
        people=[CreditInput(name=nasty, bio=nasty)],
        guid="guid ]]> & שלום",
    )
    body = feed_body(instance, show)
    channel = etree.fromstring(body)[0]
    title = channel.findtext("item/title")
    assert title is not None and len(title) <= 255
    description = channel.findtext("item/description")
    assert description is not None and len(description.encode()) <= 4000
    assert b"alert(1)" not in body
    assert channel.findtext("item/guid") == "guid ]]> & שלום"
    assert not feedparser.parse(body).bozo


def add_many(instance: Instance, show: Show, count: int) -> None:
    """Rows of a long-running show, without the sound."""
    first = datetime(2010, 1, 1, tzinfo=UTC)
    with instance.database.write() as session:
        person = Person(
            id=new_id(), show_id=show.id, slug="ann", name="Ann", name_key="ann", bio=""
        )
        session.add(person)
        session.flush()
        ids = [new_id() for _ in range(count)]
        for number, episode_id in enumerate(ids):
            session.add(
                Episode(
                    id=episode_id,
                    show_id=show.id,
                    guid=f"old-{number}",
                    slug=f"episode-{number}",
                    title=f"Episode {number}",
                    notes="",
                    notes_html="<p>What we said.</p>" * 40,
                    status="published",
                    published_at=first + timedelta(days=number),
                    number=number + 1,
                    episode_type="full",
                    is_blocked=False,
                    created_at=first,
                    changed_at=first,
                )
            )
        session.flush()
        for number, episode_id in enumerate(ids):
            session.add(
                Audio(
                    id=new_id(),
                    episode_id=episode_id,
                    revision=1,
                    storage_key=f"audio/{episode_id}.mp3",
                    url_name=f"episode-{number}",
                    extension="mp3",
                    mime_type="audio/mpeg",
                    kind="mp3",
                    codec="mp3",
                    size_bytes=1_000_000 + number,
                    sha256="0" * 64,
                    duration_ms=60_000,
                    bitrate_bps=64_000,
                    bitrate_mode="CBR",
                    sample_rate_hz=44_100,
                    channels=1,
                    header_bytes=0,
                    warnings=[],
                    tags={},
                    created_at=first,
                )
            )
            session.add(
                Credit(
                    id=new_id(),
                    show_id=show.id,
                    episode_id=episode_id,
                    person_id=person.id,
                    position=0,
                    name="Ann",
                    role="guest",
                    group="cast",
                    bio="",
                )
            )


def test_a_feed_of_five_thousand_episodes_works(instance: Instance) -> None:
    show = make_show(instance)
    add_many(instance, show, 5000)
    # The search has a test of its own, and takes a minute for so many.
    feeds = {kind: do for kind, do in (JOBS | LATER_JOBS).items() if kind != INDEX_SHOW}
    while run_next(instance, (feeds,), "test"):
        pass
    channel = etree.fromstring(snapshot_body(snapshot_of(instance, show)))[0]
    items = channel.findall("item")
    assert len(items) == 5000
    assert items[0].findtext("title") == "Episode 4999"
    content = "{http://purl.org/rss/1.0/modules/content/}encoded"
    with_full_notes = [item for item in items if item.find(content) is not None]
    assert with_full_notes == items[:100]
    assert len(json.loads(snapshot_body(json_snapshot_of(instance, show)))["items"]) == 5000


def test_pictures_and_chapters_stand_in_the_feed_where_the_show_wants_them(
    instance: Instance, mp3: Path
) -> None:
    show = make_show(instance)
    chapters = [
        ChapterInput(start_seconds=0, title="Hello"),
        ChapterInput(start_seconds=0.25, title="Silent", hidden=True),
    ]
    make_episode(instance, show, mp3, chapters=chapters)
    plain = feed_body(instance, show)
    assert b"podcast:image" not in plain and b"psc:" not in plain and b"xmlns:psc" not in plain
    with instance.database.write() as session:
        row = get_show(session, show.slug, lock=True)
        given = ShowInput(images=True, artwork_alt="A gull", inline_chapters=True)
        assert change_show(session, row, given, now=instance.now())
        assert not change_show(session, row, given, now=instance.now())
    channel = etree.fromstring(feed_body(instance, show))[0]
    (image,) = channel.findall("{*}image[@href]")[1:]
    assert (image.get("width"), image.get("alt")) == ("3000", "A gull")
    chapters_found = channel.findall("item/{http://podlove.org/simple-chapters}chapters/*")
    assert [chapter.get("title") for chapter in chapters_found] == ["Hello"]
