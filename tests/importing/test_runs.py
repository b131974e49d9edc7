"""Moving a show in, whole: killed and gone on with, with bad episodes, again, and what is told."""

import hashlib
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import delete, select

from podhost.commands.imports import begin_imports, import_results, retry_failed
from podhost.config import read_settings
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.errors import Conflict, Forbidden, Invalid, NotFound
from podhost.fetching import Fetcher
from podhost.fetching.files import SLOWEST, Pace, fetch_file
from podhost.importing.answers import ImportAnswer
from podhost.importing.episodes import audio_path
from podhost.importing.files import OldHost as OldFiles
from podhost.importing.files import add_pictures
from podhost.importing.plans import plan_imports
from podhost.importing.rows import IMPORT_EPISODE
from podhost.importing.worker import next_import
from podhost.instance import Instance, open_instance
from podhost.jobs import MAX_ATTEMPTS
from podhost.models import Artwork, ImportEpisode, ImportPicture, Job, Show
from podhost.shows import get_show
from podhost.uploads.intake import Intake
from podhost.worker import run_due_jobs, run_sweep
from tests.audio_files import lame
from tests.conftest import FrozenClock
from tests.making import feed_body
from tests.old_host import Answer, OldHost, item, old_host
from tests.running import Running, clean_environment, run_command
from tests.waiting import wait_for

on_sqlite = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def host() -> Iterator[OldHost]:
    with old_host() as running:
        yield running


@pytest.fixture
def importing(environment: dict[str, str], host: OldHost) -> dict[str, str]:
    """The settings of a podhost that may read the host on loopback."""
    return environment | {"PODHOST_FETCH_ALLOWED": host.address}


@pytest.fixture
def run(importing: dict[str, str]) -> Callable[..., Any]:
    def run_import(*arguments: str, status: int = 0) -> Any:
        done = run_command("import", *arguments, "--json", environment=importing)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        whole = json.loads(done.stdout) if done.stdout else {}
        return whole | {"stderr": done.stderr}

    return run_import


class Mover:
    """Moves shows in, one step after the other, with a clock that skips what there is to wait."""

    def __init__(self, instance: Instance, fetcher: Fetcher, clock: FrozenClock) -> None:
        self.instance = instance
        self.fetcher = fetcher
        self.clock = clock

    def bring(self, source: str, *, is_mine: bool = False, pace: Pace = SLOWEST) -> ImportAnswer:
        begun = begin_imports(self.instance, source, self.fetcher, is_mine=is_mine)
        return self.work([one.import_id for one in begun if one.import_id], pace)[-1]

    def work(self, ids: list[str], pace: Pace = SLOWEST) -> list[ImportAnswer]:
        for _ in range(400):
            run_due_jobs(self.instance)
            step = next_import(self.instance, self.fetcher, owner="a-1-b", pace=pace)
            if step is not None:
                step()
            elif all(one.state in ("done", "failed") for one in self.results(ids)):
                break
            else:
                self.clock.advance(minutes=10)
        return self.results(ids)

    def results(self, ids: list[str]) -> list[ImportAnswer]:
        return import_results(self.instance, ids)

    def feed(self, slug: str = "tide-tables") -> str:
        return feed_body(self.instance, self.show(slug)).decode()

    def show(self, slug: str = "tide-tables") -> Show:
        with self.instance.database.read() as session:
            return get_show(session, slug)


@pytest.fixture
def mover(importing: dict[str, str], clock: FrozenClock, host: OldHost) -> Iterator[Mover]:
    instance = open_instance(read_settings(importing), clock=clock)
    with Fetcher(allowed=(host.address,), user_agent="podhost tests") as fetcher:
        yield Mover(instance, fetcher, clock)
    instance.close()


def sound(number: int) -> bytes:
    """Audio that no other episode has."""
    return lame(2) + f"TAG{number}".encode().ljust(128, b"\0")


def with_audio(host: OldHost, count: int, **manners: Any) -> dict[str, bytes]:
    bodies = {f"/{number}.mp3": sound(number) for number in range(1, count + 1)}
    for path, body in bodies.items():
        host.answers[path] = Answer(body, etag=path.strip("/"), **manners)
    return bodies


# Killed


@pytest.mark.timeout(120)
def test_a_killed_import_goes_on_and_downloads_nothing_whole_again(
    importing: dict[str, str], host: OldHost, run: Callable[..., Any]
) -> None:
    # Fifty on the small engines; on the large ones it is the same code with fewer.
    count = 12 if "PODHOST_STORAGE" in importing else 50
    bodies = with_audio(host, count, pause=0.005)
    feed = host.feed(*[item(number) for number in range(count, 0, -1)])
    process = subprocess.Popen(
        [sys.executable, "-m", "podhost", "import", feed],
        env={**clean_environment(), **importing},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: sum(host.sent[path] == len(body) for path, body in bodies.items()) > 5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not all(host.sent[path] == len(body) for path, body in bodies.items())
    (answer,) = run(feed)["imports"]
    # What was on its way when it was killed may have left the host and not arrived.
    again = [path for path in bodies if host.sent[path] > len(bodies[path])]
    assert len(again) <= 2
    assert answer["state"] == "done"
    assert (answer["episodes"]["done"], answer["episodes"]["total"]) == (count, count)
    assert answer["size_bytes"] == sum(map(len, bodies.values()))
    assert {entry["sha256"] for entry in answer["episode_list"]} == {
        hashlib.sha256(body).hexdigest() for body in bodies.values()
    }
    assert {entry["status"] for entry in answer["episode_list"]} == {"published"}
    assert [found for found in answer["differences"] if found["place"] != "show"] == []
    assert not list((Path(importing["PODHOST_DATA"]) / "imports").iterdir())


@on_sqlite
def test_what_is_whole_on_disk_is_not_asked_for_again(mover: Mover, host: OldHost) -> None:
    (path, body), *_ = with_audio(host, 1).items()
    begun = begin_imports(mover.instance, host.feed(item(1)), mover.fetcher, is_mine=False)
    with mover.instance.database.read() as session:
        key = session.scalars(select(ImportEpisode.id)).one()
    # As far as a worker came that was killed then.
    audio = audio_path(mover.instance, key)
    fetch_file(mover.fetcher, host.url + path, audio, max_bytes=len(body))
    (answer,) = mover.work([one.import_id for one in begun if one.import_id])
    assert answer.episodes.done == 1
    assert host.sent[path] == len(body)
    assert not audio.exists()


# Bad episodes


@on_sqlite
def test_each_bad_episode_says_why_and_the_others_come(mover: Mover, host: OldHost) -> None:
    with_audio(host, 2)
    page = Answer(b"<!DOCTYPE html><p>Log in", "text/html")
    host.answers["/page.mp3"] = page
    host.answers["/pdf.mp3"] = Answer(b"%PDF-1.7 " + bytes(5000))
    host.answers["/short.mp3"] = Answer(sound(3)[:5000], told_length=9000)
    inside = {"Location": "http://127.0.0.1:1/secret.mp3"}
    host.answers["/inside.mp3"] = Answer(b"", status=302, headers=inside)
    host.answers["/busy.mp3"] = Answer(b"", status=503)
    host.answers["/drip.mp3"] = Answer(sound(4)[:400], pause=0.2, piece_bytes=10)
    host.answers["/none.mp3"] = Answer(b"")
    names = ("gone", "page", "pdf", "short", "inside", "busy", "drip", "none")
    bad = [item(3 + number, audio=f"{{url}}/{name}.mp3") for number, name in enumerate(names)]
    # More than drips, and no more than each piece of the others has: none of them is too slow,
    # whatever else the machine has to do.
    pace = Pace(least_bytes=40, seconds=0.1)
    answer = mover.bring(host.feed(item(1), *bad, item(2)), pace=pace)
    errors = {
        name: next(e.error for e in answer.episode_list if e.guid == f"g{3 + number}") or ""
        for number, name in enumerate(names)
    }
    assert answer.episodes.failed == len(names)
    assert "answered 404" in errors["gone"]
    assert "a web page" in errors["page"]
    assert "PDF" in errors["pdf"]
    assert "broke off" in errors["short"]
    assert "port 1" in errors["inside"]
    assert "answered 503" in errors["busy"]
    assert "is too slow" in errors["drip"]
    assert "an empty file" in errors["none"]
    feed = mover.feed()
    assert feed.count("<item>") == 2
    assert "g1<" in feed
    assert "g2<" in feed
    missing = [d for d in answer.differences or () if d.what == "the whole episode"]
    assert len(missing) == len(names)


@on_sqlite
def test_what_failed_is_tried_again_alone(mover: Mover, host: OldHost) -> None:
    with_audio(host, 1)
    assert mover.bring(host.feed(item(2), item(1))).episodes.failed == 1
    before = host.sent["/1.mp3"]
    host.answers["/2.mp3"] = Answer(sound(2))
    (answer,) = mover.work([retry_failed(mover.instance, "tide-tables")])
    assert (answer.episodes.done, answer.episodes.failed) == (2, 0)
    assert host.sent["/1.mp3"] == before
    assert mover.feed().count("<item>") == 2
    with pytest.raises(Conflict, match="nothing to try again"):
        retry_failed(mover.instance, host.url + "/feed.xml")


def picture() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(target, "PNG")
    return target.getvalue()


@on_sqlite
def test_small_files_that_cannot_be_had_are_said_and_stop_nothing(
    mover: Mover, host: OldHost
) -> None:
    with_audio(host, 2)
    host.answers["/face.png"] = Answer(picture(), "image/png")
    host.answers["/odd.vtt"] = Answer(b"%PDF-1.7", "text/vtt")
    host.answers["/odd.json"] = Answer(b"{}", "application/json")
    host.answers["/login.srt"] = Answer(b"<!DOCTYPE html><html>Log in", "text/html")
    more = (
        '<podcast:person img="{url}/face.png">Ann</podcast:person>'
        '<itunes:image href="{url}/gone.jpg"/>'
        '<podcast:transcript url="{url}/odd.vtt" type="text/vtt"/>'
        '<podcast:transcript url="{url}/login.srt" type="application/x-subrip"/>'
        '<podcast:chapters url="{url}/odd.json" type="application/json+chapters"/>'
    )
    answer = mover.bring(host.feed(item(2, more=more), item(1, more=more)))
    assert answer.episodes.done == 2
    for entry in answer.episode_list:
        assert any("The chapter file does not come" in note for note in entry.notes)
        assert any("A transcript does not come" in note for note in entry.notes)
        assert any("gives a web page where the file" in note for note in entry.notes)
    # What many episodes name is asked for once, whether it is there or not.
    asked = [path for _, path, _ in host.asked]
    assert (asked.count("/face.png"), asked.count("/gone.jpg")) == (1, 1)
    feed = mover.feed()
    assert feed.count('img="https://pod.example/artwork/') == 2
    assert "<podcast:transcript" not in feed


@on_sqlite
def test_odd_episodes_come_as_the_dry_run_says(mover: Mover, host: OldHost) -> None:
    with_audio(host, 8)
    odd = [
        item(8).replace("09 Mar 2000", "09 Mar 2030"),
        item(7).replace(" Mar 2000", " Marzipan"),
        item(6).replace("<guid>g6</guid>", ""),
        item(5).replace("<guid>g5", "<guid>g4"),
        item(4),
        item(4),
        "<title>Only words</title><pubDate>02 Mar 2000 09:05:00 GMT</pubDate>",
    ]
    answer = mover.bring(host.feed(*odd))
    assert (answer.episodes.total, answer.episodes.second_copies) == (6, 1)
    statuses = {entry.title: entry.status for entry in answer.episode_list}
    assert statuses == {
        "Number 8": "scheduled",
        "Number 7": "published",
        "Number 6": "published",
        "Number 5": "published",
        "Number 4": "published",
        "Only words": "draft",
    }
    feed = mover.feed()
    assert f">{host.url}/6.mp3</guid>" in feed
    # The first of two with one guid keeps it; dates stand in the order of the feed.
    assert feed.index("Number 7") < feed.index("Number 6") < feed.index(">g4</guid>")
    again = mover.bring(host.feed(item(3), *odd))
    assert (again.episodes.total, again.episodes.drafts) == (7, 1)


# Again


def edit(mover: Mover, slug: str, **given: Any) -> None:
    with mover.instance.database.write() as session:
        episode = get_episode(session, get_show(session, "tide-tables", lock=True), slug)
        change_episode(session, episode, EpisodeInput(**given), now=mover.instance.now())


def test_a_second_import_brings_what_is_new_and_keeps_what_was_edited_here(
    mover: Mover, host: OldHost
) -> None:
    with_audio(host, 4)
    items = [item(2, more="<description>Two</description>"), item(1)]
    mover.bring(host.feed(*items, item(4)))
    edit(mover, "number-1", title="Mine")
    sent = dict(host.sent)
    items = [
        item(3),
        item(2, more="<description>Second</description>").replace("Number 2", "New 2"),
        item(1).replace("Number 1", "Theirs"),
        item(4),
    ]
    answer = mover.bring(host.feed(*items))
    feed = mover.feed()
    assert feed.count("<item>") == 4
    assert "<title>Mine</title>" in feed
    assert "<title>New 2</title>" in feed
    assert "Second" in feed
    assert [host.sent[f"/{n}.mp3"] == sent[f"/{n}.mp3"] for n in (1, 2, 4)] == [True] * 3
    notes = {entry.guid: entry.notes for entry in answer.episode_list}
    assert "stays as it is here" in notes["g1"][0]
    assert not any(notes[guid] for guid in ("g2", "g3", "g4"))
    assert next(d for d in answer.differences or () if d.what == "title").new == "Mine"


@on_sqlite
def test_what_the_old_feed_has_no_more_stays_and_is_named(mover: Mover, host: OldHost) -> None:
    with_audio(host, 2)
    mover.bring(host.feed(item(2), item(1)))

    def gone() -> list[str]:
        found = mover.bring(host.url + "/feed.xml").episode_list
        return [
            one.guid for one in found if any("does not have it any more" in n for n in one.notes)
        ]

    # Where a page cannot be read, nothing is known of its episodes.
    more = '<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="next" href="{url}/2.xml"/>'
    host.feed(item(2), channel=more)
    assert gone() == []
    host.feed(item(2))
    assert gone() == ["g1"]
    assert gone() == ["g1"]
    assert "<title>Number 1</title>" in mover.feed()
    host.feed(item(2), item(1))
    assert gone() == []


@on_sqlite
def test_a_guid_that_changed_at_the_old_host_makes_no_second_episode(
    mover: Mover, host: OldHost
) -> None:
    with_audio(host, 2)
    mover.bring(host.feed(item(2), item(1)))
    for _ in range(2):
        answer = mover.bring(host.feed(item(2), item(1).replace("<guid>g1", "<guid>other")))
        assert answer.episodes.total == 2
        (note,) = next(one.notes for one in answer.episode_list if one.guid == "g1")
        assert "but under other" in note
        assert ">other</guid>" not in mover.feed()
    # The same audio twice says nothing: a repeated episode is another one.
    answer = mover.bring(host.feed(item(3).replace("/3.mp3", "/2.mp3"), item(2), item(1)))
    assert answer.episodes.total == 3


@on_sqlite
def test_what_never_came_is_forgotten_when_the_old_feed_has_it_no_more(
    mover: Mover, host: OldHost
) -> None:
    with_audio(host, 1)
    assert mover.bring(host.feed(item(2), item(1))).episodes.failed == 1
    answer = mover.bring(host.feed(item(1)))
    assert (answer.episodes.failed, answer.episodes.total) == (0, 1)


@on_sqlite
def test_a_host_whose_picture_is_the_artwork_has_it_once(mover: Mover, host: OldHost) -> None:
    with_audio(host, 1)
    target = io.BytesIO()
    Image.new("RGB", (1400, 1400), "teal").save(target, "PNG")
    for name in ("/art.png", "/ann.png"):
        host.answers[name] = Answer(target.getvalue(), "image/png")
    person = '<podcast:person img="{url}/ann.png">Ann</podcast:person>'
    channel = '<itunes:image href="{url}/art.png"/>' + person
    mover.bring(host.feed(item(1), channel=channel))
    with mover.instance.database.read() as session:
        assert session.query(Artwork).count() == 1


@on_sqlite
def test_a_picture_that_is_cleared_away_meanwhile_is_fetched_the_next_time(
    mover: Mover, host: OldHost
) -> None:
    with_audio(host, 1)
    (found,) = begin_imports(mover.instance, host.feed(item(1)), mover.fetcher, is_mine=False)
    with (
        Intake(mover.instance.database, mover.instance.storage) as intake,
        mover.instance.database.write() as session,
    ):
        here = OldFiles(mover.instance, mover.fetcher, intake, found.import_id or "")
        here.pictures = {"gone": "0" * 16, "refused": None}
        assert add_pictures(session, here, now=mover.instance.now()) == {}
        assert session.scalars(select(ImportPicture.url_sha256)).all() == ["refused"]


@on_sqlite
def test_a_feed_that_did_not_change_is_not_read_again(mover: Mover, host: OldHost) -> None:
    with_audio(host, 1)
    feed = host.feed(item(1), etag="one")
    mover.bring(feed)
    sent = host.sent["/feed.xml"]
    (begun,) = begin_imports(mover.instance, feed, mover.fetcher, is_mine=False)
    assert begun.is_unchanged
    assert host.sent["/feed.xml"] == sent
    version = mover.show().version
    assert mover.bring(feed).state == "done"
    assert mover.show().version == version


_DONE = "sends apps on to this podhost (301): the move is done"


@on_sqlite
@pytest.mark.parametrize(
    ("status", "path", "sentence"),
    [
        (301, "/tide-tables/feed.xml", None),
        (302, "/tide-tables/feed.xml", "but with 302"),
        (301, "/tide-tables-2/feed.xml", "but the feed of this show is .*/tide-tables/feed.xml"),
    ],
)
def test_after_the_cut_over_it_says_whether_the_old_address_leads_here(
    importing: dict[str, str],
    clock: FrozenClock,
    host: OldHost,
    status: int,
    path: str,
    sentence: str | None,
) -> None:
    with_audio(host, 1)
    with old_host() as here:
        settings = {"PODHOST_BASE_URL": here.url, "PODHOST_FETCH_ALLOWED": "127.0.0.0/8"}
        instance = open_instance(read_settings(importing | settings), clock=clock)
        with Fetcher(allowed=("127.0.0.0/8",), user_agent="podhost tests") as fetcher:
            mover = Mover(instance, fetcher, clock)
            feed = host.feed(item(1), etag="first")
            mover.bring(feed)
            here.answers[path] = Answer(mover.feed().encode(), "text/xml")
            known = host.answers["/feed.xml"]
            host.answers["/feed.xml"] = Answer(
                b"", status=status, headers={"Location": here.url + path}
            )
            if sentence is not None:
                with pytest.raises(Invalid, match=sentence):
                    mover.bring(feed)
                with pytest.raises(Invalid, match=sentence):
                    plan_imports(
                        feed,
                        fetcher,
                        database=instance.database,
                        now=instance.now(),
                        base_url=instance.base_url,
                    )
            else:
                assert _DONE in mover.bring(feed).notes[-1]
                # The old host gave the redirect up.
                host.answers["/feed.xml"] = known
                assert not any(_DONE in note for note in mover.bring(feed).notes)
        instance.close()


@on_sqlite
def test_a_locked_feed_is_refused_unless_it_is_ours(mover: Mover, host: OldHost) -> None:
    with_audio(host, 1)
    feed = host.feed(item(1), channel="<podcast:locked>Yes</podcast:locked>")
    with pytest.raises(Forbidden, match="locked"):
        mover.bring(feed)
    with pytest.raises(NotFound):
        mover.show()
    assert mover.bring(feed, is_mine=True).episodes.done == 1


@on_sqlite
def test_a_feed_of_this_very_podhost_is_refused(mover: Mover) -> None:
    with pytest.raises(Invalid, match="this very podhost"):
        mover.bring("https://pod.example/tide-tables/feed.xml")


@on_sqlite
def test_a_list_brings_each_show_and_one_bad_feed_stops_none(
    mover: Mover, host: OldHost, tmp_path: Path
) -> None:
    with_audio(host, 2)
    feeds = [host.feed(item(1), path="/a"), host.url + "/gone", host.feed(item(2), path="/b")]
    outlines = "".join(f'<outline type="rss" xmlUrl="{feed}"/>' for feed in feeds)
    opml = tmp_path / "shows.opml"
    opml.write_text(f'<opml version="2.0"><body>{outlines}</body></opml>')
    begun = begin_imports(mover.instance, str(opml), mover.fetcher, is_mine=False)
    assert [bool(one.import_id) for one in begun] == [True, False, True]
    assert "has no feed at this address (404)" in (begun[1].error or "")
    answers = mover.work([one.import_id for one in begun if one.import_id])
    assert [answer.episodes.done for answer in answers] == [1, 1]
    assert {answer.show for answer in answers} == {"tide-tables", "tide-tables-2"}


@on_sqlite
def test_nothing_is_seen_before_everything_is_there(mover: Mover, host: OldHost) -> None:
    with_audio(host, 3)
    begun = begin_imports(
        mover.instance, host.feed(*map(item, (3, 2, 1))), mover.fetcher, is_mine=False
    )
    for _ in range(3):
        step = next_import(mover.instance, mover.fetcher, owner="a-1-b")
        assert step is not None
        step()
        assert "<item>" not in mover.feed()
        assert "<itunes:block>Yes" in mover.feed()
    mover.work([one.import_id for one in begun if one.import_id])
    assert mover.feed().count("<item>") == 3
    assert "<itunes:block>" not in mover.feed()


@on_sqlite
def test_what_killed_each_worker_does_not_hold_up_the_others(mover: Mover, host: OldHost) -> None:
    with_audio(host, 2)
    begun = begin_imports(mover.instance, host.feed(item(2), item(1)), mover.fetcher, is_mine=False)
    with mover.instance.database.write() as session:
        job = session.scalars(select(Job).where(Job.kind == IMPORT_EPISODE).limit(1)).one()
        job.attempts = MAX_ATTEMPTS
    assert next_import(mover.instance, mover.fetcher, owner="a-1-b") is not None
    mover.clock.advance(minutes=1)
    run_sweep(mover.instance)
    (answer,) = mover.work([one.import_id for one in begun if one.import_id])
    assert (answer.episodes.done, answer.episodes.failed) == (1, 1)
    assert "worker died" in next(entry.error or "" for entry in answer.episode_list if entry.error)


@on_sqlite
def test_jobs_that_were_lost_are_made_again_by_the_sweep(mover: Mover, host: OldHost) -> None:
    with_audio(host, 2)
    begun = begin_imports(mover.instance, host.feed(item(2), item(1)), mover.fetcher, is_mine=False)
    with mover.instance.database.write() as session:
        session.execute(delete(Job))
    assert next_import(mover.instance, mover.fetcher, owner="a-1-b") is None
    run_sweep(mover.instance)
    (answer,) = mover.work([one.import_id for one in begun if one.import_id])
    assert answer.episodes.done == 2


# Our own feed


def without_what_differs(feed: str) -> list[str]:
    """The feed without its own address, ids, the date of its making and where it wants to go."""
    feed = re.sub(r"http://127[^/<]*|https://pod\.example", "", feed)
    feed = re.sub(r"/(artwork|chapters|audio|transcripts)(/[0-9a-f]{16})+", r"/\1/ID", feed)
    # It stands in the address of a file, and is made of the title for what comes by a feed.
    feed = re.sub(r"/audio/ID/1/[a-z0-9-]+", "/audio/ID/1/name", feed)
    lines = feed.splitlines()
    return [line for line in lines if "lastBuildDate" not in line and "new-feed-url" not in line]


@on_sqlite
def test_the_feed_of_another_podhost_gives_the_same_feed_again(
    importing: dict[str, str], run: Callable[..., Any], tmp_path: Path
) -> None:
    with Running(["demo", "--port", "0", "--data", str(tmp_path / "demo")], {}) as demo:
        url = demo.wait_until_ready()
        feed = next(line for line in demo.lines if line.startswith("Feed:")).split()[1]
        old = httpx.get(feed, timeout=30).text
        importing["PODHOST_FETCH_ALLOWED"] = url.removeprefix("http://")
        (answer,) = run(feed, "--mine")["imports"]
    assert answer["differences"] == []
    assert answer["notes"] == []
    assert not any(entry["notes"] for entry in answer["episode_list"])
    new = run_command("feed", answer["show"], environment=importing).stdout
    assert without_what_differs(new) == without_what_differs(old)
