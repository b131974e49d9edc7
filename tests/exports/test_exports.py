"""Moving out: a show's folder is written, and publishing it elsewhere gives the same show."""

import fcntl
import hashlib
import json
import resource
import secrets
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from podhost import worker
from podhost.artwork import add_artwork, prepare_artwork
from podhost.audio.revisions import prepare_audio_file
from podhost.chapters.rows import ChapterInput, list_chapters
from podhost.commands import publish_folder
from podhost.config import read_settings
from podhost.episodes import EpisodeInput, change_episode, get_episode, replace_audio
from podhost.episodes.publishing import withdraw_episode
from podhost.errors import Conflict, Invalid, NotFound, Unavailable
from podhost.exports.shows import Exported, export_show
from podhost.feeds import hubs
from podhost.feeds.rendering import find_snapshot, snapshot_body
from podhost.folders import describe, plan_show
from podhost.formats.build_dates import says_the_same
from podhost.instance import Instance, open_instance
from podhost.models import Audio, Episode, FeedSnapshot, Newsletter, Show, Site
from podhost.people import CreditInput
from podhost.shows import ShowInput, change_show, create_show, get_show, set_show_artwork
from tests.audio_files import lame
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show

REAL = Path(__file__).parents[2] / "episodes" / "tide-tables"
LIVE = [
    {
        "guid": "https://old.example/live",
        "title": "“Ebb” \\ flow",
        "status": "live",
        "start": "2030-01-01T19:00:00+01:00",
        "description": "One.\n\nTwo.",
        "content_links": [{"href": "https://tide.example/live", "text": "Hear"}],
        "people": [{"name": "Ann", "role": "Guest"}],
    }
]
NEW_FEED = "https://new.example/feed.xml"
EARLY = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)


@pytest.fixture
def elsewhere(
    environment: dict[str, str], clock: FrozenClock, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], Instance]]:
    """Makes more empty podhosts, on the same engines and under the same address."""
    opened: list[Instance] = []

    def make() -> Instance:
        data = tmp_path / f"data-{len(opened)}"
        data.mkdir()
        values = {**environment, "PODHOST_DATA": str(data)}
        if "PODHOST_DATABASE_URL" in values:
            template = request.getfixturevalue("migrated_postgres")
            server = request.getfixturevalue("postgres_server")
            values["PODHOST_DATABASE_URL"] = server.create_database(template=template)
            bucket = request.getfixturevalue("s3_bucket")
            values["PODHOST_STORAGE"] = f"s3://{bucket}/{secrets.token_hex(6)}"
        else:
            shutil.copy(request.getfixturevalue("migrated_sqlite"), data / "podhost.sqlite3")
        opened.append(open_instance(read_settings(values), clock=clock))
        return opened[-1]

    yield make
    for instance in opened:
        instance.close()


def publish(instance: Instance, folder: Path) -> list[str]:
    said: list[str] = []
    assert publish_folder(instance, folder, dry_run=False, say=said.append), said
    return said


def export(instance: Instance, target: Path, slug: str = "tide-tables", **options: Any) -> Exported:
    worker.run_due_jobs(instance)
    site, now = hubs.site_of(instance), instance.now()
    return export_show(
        instance.database, instance.storage, slug, target, site=site, now=now, **options
    )


def feed(instance: Instance, slug: str = "tide-tables") -> bytes:
    worker.run_due_jobs(instance)
    with instance.database.read() as session:
        snapshot = find_snapshot(session, get_show(session, slug))
        assert snapshot is not None
        return snapshot_body(snapshot)


def further_feed(instance: Instance) -> bytes:
    with instance.database.read() as session:
        return snapshot_body(session.query(FeedSnapshot).one())


def work(instance: Instance, folder: Path) -> list[str]:
    """What publishing the folder would do."""
    plan = plan_show(instance.database, folder, base_url=instance.base_url, now=instance.now())
    assert not plan.problems, plan.problems
    return describe(plan) if plan.has_work else []


def edit(instance: Instance, mp3: Path, tmp_path: Path) -> None:
    """What a show goes through in its life: renamed, replaced, withdrawn, drafted, scheduled."""
    louder = tmp_path / "louder.mp3"
    louder.write_bytes(lame(11))
    with instance.database.write() as session:
        now = instance.now()
        show = get_show(session, "tide-tables", lock=True)
        change_show(session, show, ShowInput(slug="tides", link=None), now=now)
        change_show(session, show, ShowInput(slug="tide-tables", time_zone="UTC"), now=now)
        funding = [{"url": "https://tide.example/give", "label": "“Oil” \\ & wick"}]
        images = ShowInput(
            images=True, funding=funding, locked_owner="ann@tide.example", live_items=LIVE
        )
        images.license = {"name": "CC-BY-4.0"}
        images.feeds = ({"name": "wick", "title": "“Wick”", "labels": ["lamp"], "newest": 2},)
        images.slim_after, images.feed_page_size = 1, 50
        change_show(session, show, images, now=now)
        episode = get_episode(session, show, "the-last-lamp-room")
        soundbites = [{"start": 1.5, "duration": 2}]
        lamp_room = EpisodeInput(slug="lamp-room", soundbites=soundbites, episode_display="One")
        lamp_room.labels = ("lamp", "oil & “wick”")
        change_episode(session, episode, lamp_room, now=now)
        replace_audio(session, episode, prepare_audio_file(instance.storage, louder), now=now)
        withdraw_episode(session, get_episode(session, show, "grinding-by-the-moon"), now=now)
        # As moves.py leaves it.
        change_show(session, show, ShowInput(moved_to=NEW_FEED, moved_audio=True), now=now)
        show.redirect_to = NEW_FEED
        episode.moved_audio_url = "https://new.example/lamp%20room.mp3"
    later = instance.now() + timedelta(days=3)
    make_episode(instance, show, mp3, "To come", at=later)
    make_episode(instance, show, None, "A draft: “no” sound\\", publish=False, notes="\\ # So")
    make_episode(instance, show, mp3, "x " * 40, at=EARLY, guid="http://old.example/?p=1&q= é")


def home(tmp_path: Path) -> Path:
    """The show that ships with podhost, smaller."""
    folder = tmp_path / "tide-tables"
    shutil.copytree(REAL, folder, ignore=shutil.ignore_patterns("003*"))
    with Image.open(REAL / "artwork.jpg") as picture:
        picture.resize((1400, 1400)).save(folder / "artwork.jpg")
    (folder / "001-the-last-lamp-room.jpg").write_bytes((folder / "artwork.jpg").read_bytes())
    return folder


def test_export_and_publish_elsewhere_give_the_same_bytes(
    instance: Instance,
    elsewhere: Callable[[], Instance],
    clock: FrozenClock,
    mp3: Path,
    tmp_path: Path,
) -> None:
    # After the dates of the show that ships with podhost.
    clock.time = datetime(2026, 10, 1, 9, 5, tzinfo=UTC)
    publish(instance, home(tmp_path))
    clock.advance(hours=1)
    edit(instance, mp3, tmp_path)
    out = tmp_path / "out"
    exported = export(instance, out)
    assert exported.problems == [] and (out / "feed.xml").read_bytes() == feed(instance)
    assert sorted(entry.status for entry in exported.episodes) == [
        *("draft", "published", "published", "published", "scheduled", "withdrawn")
    ]
    assert work(instance, out) == [], "where it came from, there is nothing to do"
    clock.advance(days=1)
    other = elsewhere()
    publish(other, out)
    assert feed(other) == feed(instance)
    assert says_the_same(further_feed(other), further_feed(instance))
    assert work(other, out) == []
    again = tmp_path / "again"
    export(other, again)
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.suffix != ".jpg" and path.name not in CHANGING:
            assert (again / path.relative_to(out)).read_bytes() == path.read_bytes(), path
    assert states(other) == states(instance)


# Pictures are made smaller again, so their hashes differ, and so does what names them.
CHANGING = {"report.json", "addresses.json"}


def states(instance: Instance) -> dict[str, tuple[object, ...]]:
    with instance.database.read() as session:
        show = get_show(session, "tides")
        assert show.slug == "tide-tables", "its old name leads to it"
        lamp_room = get_episode(session, show, "the-last-lamp-room")
        assert lamp_room.slug == "lamp-room"
        assert (show.redirect_to, show.moved_to, show.moved_audio) == (NEW_FEED, NEW_FEED, True)
        assert lamp_room.moved_audio_url == "https://new.example/lamp%20room.mp3"
        rows = session.query(Episode).all()
        return {
            row.guid: (
                row.id,
                row.slug,
                row.status,
                row.published_at,
                row.notes,
                list_chapters(row),
                [(t.id, t.extension, t.language) for t in row.transcripts],
                [
                    (audio.revision, audio.url_name, audio.replaced_at is None)
                    for audio in session.query(Audio)
                    .where(Audio.episode_id == row.id)
                    .order_by(Audio.revision)
                ],
            )
            for row in rows
        }


def test_a_show_without_artwork_and_with_bare_audio_comes_back_too(
    instance: Instance,
    elsewhere: Callable[[], Instance],
    clock: FrozenClock,
    mp3: Path,
    tmp_path: Path,
) -> None:
    # Smaller than those that podhost draws, which takes seconds.
    Image.new("RGB", (1400, 1400), "navy").save(tmp_path / "a.png")
    picture = prepare_artwork(instance.storage, tmp_path / "a.png", is_placeholder=True)
    with instance.database.write() as session:
        now = instance.now()
        show = create_show(session, ShowInput(title="Bare"), base_url=instance.base_url, now=now)
        set_show_artwork(session, show, add_artwork(session, picture, now=now), now=now)
        host = CreditInput(name="Cy", role="producer", image_url="https://cy.example/c.jpg")
    make_episode(instance, show, mp3, "One", people=[host, CreditInput(name="Ann", role="guest")])
    clock.advance(minutes=1)
    make_episode(instance, show, mp3, "Two", chapters=[ChapterInput(start_seconds=1, title="A")])
    clock.advance(minutes=1)
    noted = "00:00 Ebb\n00:02 Flood"
    make_episode(instance, show, mp3, "Noted", notes=noted)
    clock.advance(minutes=1)
    make_episode(instance, show, mp3, "Bare of chapters", notes=noted, chapters=[])
    out = tmp_path / "out"
    assert export(instance, out, "bare").problems == []
    assert work(instance, out) == []
    clock.advance(minutes=1)
    other = elsewhere()
    publish(other, out)
    assert feed(other, "bare") == feed(instance, "bare")
    # What the notes say once more needs no file; what they say and is not meant does.
    assert sorted(path.name for path in out.glob("*.chapters.json")) == [
        "002-two.chapters.json",
        "004-bare-of-chapters.chapters.json",
    ]
    with other.database.write() as session:
        show = get_show(session, "bare", lock=True)
        assert show.artwork is not None and show.artwork.is_placeholder
        # From now on it is a show like any other: what changes has a new date.
        clock.advance(hours=1)
        change_show(session, show, ShowInput(title="Barer"), now=clock())
    assert b"10:09:00" in feed(other, "bare").partition(b"</lastBuildDate>")[0]


# Where the other engines make no difference.
ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def small(instance: Instance, mp3: Path) -> Instance:
    """A show with one episode and a picture in name only."""
    make_episode(instance, make_show(instance), mp3)
    return instance


@ON_ONE_ENGINE
def test_a_copy_beside_the_show_gets_addresses_of_its_own(small: Instance, tmp_path: Path) -> None:
    exported = export(small, tmp_path / "copy")
    assert len(exported.problems) == 1, "a picture in name only is no picture"
    text = (tmp_path / "copy" / "show.toml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("podcast_guid", "slug"))]
    (tmp_path / "copy" / "show.toml").write_text("\n".join(lines))
    publish(small, tmp_path / "copy")
    with small.database.read() as session:
        first, second = session.query(Episode).order_by(Episode.created_at).all()
        assert first.id != second.id and first.guid == second.guid
        assert first.audio.episode_id == first.id and second.audio.revision == 1


@ON_ONE_ENGINE
def test_a_folder_says_where_a_show_moved_and_takes_it_back_by_no_accident(
    small: Instance, tmp_path: Path
) -> None:
    def moved() -> tuple[str | None, bool, str | None]:
        with small.database.read() as session:
            show = get_show(session, "tide-tables")
            return show.moved_to, show.moved_audio, show.redirect_to

    out = tmp_path / "out"
    export(small, out, with_audio=False)
    text = (out / "show.toml").read_text()
    said = f'moved_to = "{NEW_FEED}"\nmoved_audio = true\n'
    (out / "show.toml").write_text(said + text)
    assert work(small, out)[0] == "out: change the show: moved_to, moved_audio"
    publish(small, out)
    # It is asked for, and the new feed is read before anybody is sent there.
    assert moved() == (NEW_FEED, True, None)
    (out / "show.toml").write_text(text)
    assert work(small, out) == [] and moved() == (NEW_FEED, True, None)
    # Where it came to: its own address is no place to move to.
    home = f'moved_to = "{small.base_url}/tide-tables/feed.xml"\n'
    (out / "show.toml").write_text(home + text)
    assert work(small, out) == []


@ON_ONE_ENGINE
def test_the_report_and_the_files_agree(small: Instance, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    exported = export(small, out)
    report = json.loads((out / "report.json").read_text())
    assert [entry["audio"]["name"] for entry in report["episodes"]] == ["001-low-water.mp3"]
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {entry["name"] for entry in report["files"]} == names - {"report.json"}
    for entry in report["files"]:
        data = (out / entry["name"]).read_bytes()
        assert len(data) == entry["size_bytes"]
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert report["total_bytes"] == sum(entry["size_bytes"] for entry in report["files"])
    assert report["problems"] == exported.problems


@ON_ONE_ENGINE
def test_without_audio_only_texts_are_written(small: Instance, tmp_path: Path) -> None:
    exported = export(small, tmp_path / "out", with_audio=False)
    assert not any((tmp_path / "out").glob("*.mp3")) and (tmp_path / "out/feed.xml").is_file()
    assert [episode.audio for episode in exported.episodes] == [None]


@ON_ONE_ENGINE
def test_damaged_and_missing_audio_is_left_out_and_named(small: Instance, tmp_path: Path) -> None:
    with small.database.read() as session:
        key = session.query(Audio).one().storage_key
    path = small.storage.local_path(key)
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    for number, what in enumerate(("damaged", "missing")):
        out = tmp_path / f"out-{number}"
        problems = export(small, out).problems
        assert f"The audio of 001-low-water is {what} in the storage" in problems[-1] + problems[0]
        assert not any(out.glob("*.mp3")) and (out / "001-low-water.md").is_file()
        path.unlink(missing_ok=True)


@ON_ONE_ENGINE
def test_a_folder_that_is_used_is_refused(small: Instance, tmp_path: Path) -> None:
    used = tmp_path / "used"
    used.mkdir()
    (used / "mine.txt").write_text("mine")
    for target, sentence in ((used, "not empty"), (used / "mine.txt", "no folder")):
        with pytest.raises(Invalid, match=sentence):
            export(small, target)
    with pytest.raises(NotFound):
        export(small, tmp_path / "out", "nothing")
    assert sorted(path.name for path in used.iterdir()) == ["mine.txt"]
    assert not (tmp_path / "out").exists()


@ON_ONE_ENGINE
def test_a_disk_that_takes_no_more_leaves_nothing_behind(small: Instance, tmp_path: Path) -> None:
    worker.run_due_jobs(small)
    empty = tmp_path / "empty"
    empty.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(Unavailable, match="cannot be used"):
            export(small, empty)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [*empty.iterdir()] == [] and not (tmp_path / ".empty.unfinished").exists()


@ON_ONE_ENGINE
def test_what_a_killed_export_left_is_cleared_by_the_next(small: Instance, tmp_path: Path) -> None:
    left = tmp_path / ".out.unfinished"
    (left / "guests").mkdir(parents=True)
    (left / "007-old.mp3").write_bytes(b"half")
    export(small, tmp_path / "out")
    assert not left.exists() and not (tmp_path / "out" / "007-old.mp3").exists()
    assert (tmp_path / "out" / "report.json").is_file()


@ON_ONE_ENGINE
def test_an_export_whose_folder_was_finished_by_another_meanwhile_says_so(
    small: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished, really_lock = tmp_path / ".out.unfinished", fcntl.flock

    def late(descriptor: int, how: int) -> None:
        """By the time we have the lock, whoever had it has given the folder its name."""
        (unfinished / "show.toml").write_text("theirs")
        unfinished.rename(tmp_path / "out")
        really_lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(Conflict, match="under way"):
        export(small, tmp_path / "out")
    assert (tmp_path / "out" / "show.toml").read_text() == "theirs"


# What stands in no file: made anew, said by something else, or of this podhost only.
LEFT_BEHIND = {
    "shows": {"id", "version", "created_at", "deleted_at", "move_report"},
    "episodes": {"show_id", "notes_html", "created_at", "changed_at", "deleted_at"}
    | {"chapters_changed_at", "early_since", "edit_version"},
    "sites": {"show_id", "changed_at"},
    # Nothing is mailed that was published before it is switched on there.
    "newsletters": {"show_id", "opened_at", "planned_at", "digested_until", "changed_at"},
}
CARRIED = {
    "shows": {
        *("slug", "title", "description", "link", "language", "author", "copyright"),
        *("owner_name", "owner_email", "explicit", "show_type", "categories", "time_zone"),
        *("podcast_guid", "medium", "is_locked", "is_blocked", "is_complete", "new_feed_url"),
        *("artwork_id", "changed_at", "tags", "write_tags"),
        *("moved_to", "moved_audio", "redirect_to"),
    },
    "episodes": {
        *("id", "guid", "slug", "title", "notes", "author", "link", "status", "published_at"),
        *("season", "season_name", "number", "episode_type", "explicit", "is_blocked"),
        *("artwork_id", "tags", "moved_audio_url"),
    },
    "sites": {"domain", "accent", "css", "links", "is_indexed", "edition_group"},
    "newsletters": {
        *("is_open", "sends_episodes", "sends_digest", "digest_weekday", "digest_hour", "contact"),
    },
}


_TABLES = [Show.__table__, Episode.__table__, Site.__table__, Newsletter.__table__]


@pytest.mark.parametrize("table", _TABLES, ids=str)
def test_every_column_is_carried_or_known_to_be_left(table: Any) -> None:
    names = {column.name for column in table.columns}
    assert names == CARRIED[table.name] | LEFT_BEHIND[table.name], "a new column: carry it"


@ON_ONE_ENGINE
def test_a_show_whose_audio_has_tags_written_comes_back_to_the_byte(
    instance: Instance,
    elsewhere: Callable[[], Instance],
    clock: FrozenClock,
    mp3: Path,
    tmp_path: Path,
) -> None:
    folder = home(tmp_path)
    text = (folder / "show.toml").read_text()
    (folder / "show.toml").write_text(f"write_tags = true\n{text}")
    clock.time = datetime(2026, 10, 1, 9, 5, tzinfo=UTC)
    publish(instance, folder)
    out, again = tmp_path / "out", tmp_path / "again"
    assert export(instance, out).problems == []
    uploads = {path.read_bytes() for path in folder.glob("*.mp3")}
    assert {path.read_bytes() for path in (out / "originals").iterdir()} == uploads
    assert work(instance, out) == [] == work(instance, folder)
    clock.advance(days=1)
    other = elsewhere()
    publish(other, out)
    assert feed(other) == feed(instance)
    assert work(other, out) == []
    # Pictures were made smaller; the uploads are known there too.
    assert not any("audio" in line or "problem" in line for line in work(other, folder))
    assert export(other, again).problems == []
    for path in sorted(out.rglob("*.m*")):
        assert (again / path.relative_to(out)).read_bytes() == path.read_bytes(), path
    # Who puts other audio in its place has uploaded something else.
    second = elsewhere()
    next(out.glob("001*.mp3")).write_bytes(mp3.read_bytes())
    publish(second, out)
    with second.database.read() as session:
        newest = session.query(Audio).filter(Audio.revision == 3).one()
        assert newest.original_sha256 == hashlib.sha256(mp3.read_bytes()).hexdigest()
