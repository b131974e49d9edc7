"""The dry run of moving in: what it finds at an old host, what it refuses, and what it says."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from podhost.cli import podhost
from podhost.db import Database
from podhost.fetching import Fetcher
from podhost.importing.plans import ImportPlan, Source, open_source, plan_import
from podhost.instance import Instance
from tests.audio_files import lame
from tests.making import make_show

NOW = datetime(2026, 11, 1, tzinfo=UTC)
GUID = "3d0081c1-3f7e-5e34-a9ff-ad9c24a01dc5"


class OldHost:
    """Answers whatever a test puts under a path; a function is called at each request."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append((self.command, self.path))
                answer = host.answers.get(self.path, (404, {}, b""))
                status, headers, body = answer() if callable(answer) else answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.address}"

    def feed(self, path: str, *items: str, channel: str = "", **headers: str) -> bytes:
        body = feed(*items, channel=channel).replace(b"{url}", self.url.encode())
        self.answers[path] = (200, {"Content-Type": "application/rss+xml", **headers}, body)
        return body


def feed(*items: str, channel: str = "") -> bytes:
    listed = "".join(f"<item>{item}</item>" for item in items)
    return (
        '<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
        'xmlns:podcast="https://podcastindex.org/namespace/1.0" '
        'xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>Tide</title>'
        f"<language>en</language><itunes:category text='Arts'/>{channel}{listed}</channel></rss>"
    ).encode()


def item(number: int, *, size_bytes: int = 9, more: str = "") -> str:
    return (
        f"<title>Number {number}</title><guid>g{number}</guid>"
        f"<pubDate>Tue, {number:02d} Mar 2024 09:05:00 GMT</pubDate>"
        f'<enclosure url="{{url}}/{number}.mp3" length="{size_bytes}" type="audio/mpeg"/>{more}'
    )


@pytest.fixture
def old_host() -> Iterator[OldHost]:
    host = OldHost()
    thread = threading.Thread(target=host.server.serve_forever, args=(0.01,))
    thread.start()
    yield host
    host.server.shutdown()
    thread.join()
    host.server.server_close()


@pytest.fixture
def plan(migrated_sqlite: Path, old_host: OldHost) -> Iterator[Callable[..., ImportPlan]]:
    empty = Database(f"sqlite:///{migrated_sqlite}")
    with Fetcher(allowed=(old_host.address,), user_agent="podhost tests") as fetcher:

        def run(address: str, **given: Any) -> ImportPlan:
            source = Source(address, address=address)
            found = {"database": empty, "now": NOW, "wait": lambda _: None}
            return plan_import(source, fetcher, **(found | given))

        yield run
    empty.close()


@pytest.fixture
def run(
    migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old_host: OldHost
) -> Callable[..., Result]:
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(migrated_sqlite, data / "podhost.sqlite3")
    monkeypatch.setenv("PODHOST_DATA", str(data))
    monkeypatch.setenv("PODHOST_FETCH_ALLOWED", old_host.address)

    def invoke(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(podhost, ["import", *arguments])
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result

    return invoke


# The command.


def test_a_dry_run_says_what_would_come_and_writes_nothing(
    run: Callable[..., Result], old_host: OldHost, tmp_path: Path
) -> None:
    old_host.answers["/2.mp3"] = (200, {"Content-Type": "audio/mpeg"}, b"123456789")
    old_host.answers["/1.mp3"] = (200, {"Content-Type": "audio/mpeg"}, b"123")
    keyword = "<itunes:keywords>sea</itunes:keywords>"
    old_host.feed("/feed", item(2), item(1), "<title>\x9b31mText</title>", channel=keyword)
    before = (tmp_path / "data" / "podhost.sqlite3").read_bytes()
    said = run(f"{old_host.url}/feed", "--dry-run").stdout
    assert "2 of 3 episodes, each with its guid" in said
    assert "1 episode as a draft" in said
    assert "dates from 2024-03-01 to 2024-03-02" in said
    assert "18 bytes of audio in 2 files" in said
    assert "episode 2: the feed says 9 bytes, the server 3." in said
    assert "left out, because nobody reads them: itunes:keywords (1)" in said
    assert "The episode has no audio. It comes as a draft." in said
    assert said.endswith("Nothing was written.\n")
    assert "\x9b" not in said
    assert (tmp_path / "data" / "podhost.sqlite3").read_bytes() == before


def test_a_file_is_read_and_programs_get_everything(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "feed.xml"
    file.write_bytes(feed(item(1), item(2, more="<podcast:person>Ann</podcast:person>")))
    (plan,) = json.loads(run(str(file), "--dry-run", "--json").stdout)["feeds"]
    assert plan["source"] == "feed.xml" and plan["feed_url"] is None
    assert plan["episodes"] == {"comes": 0, "draft": 2, "second copy": 0}
    assert plan["show"]["episodes"][1]["people"][0]["name"] == "Ann"
    assert plan["show"]["episodes"][0]["published_at"] == "2024-03-01T09:05:00Z"


def test_a_list_of_feeds_is_read_feed_by_feed(
    run: Callable[..., Result], old_host: OldHost, tmp_path: Path
) -> None:
    old_host.feed("/one", item(1))
    file = tmp_path / "mine.opml"
    file.write_text(
        f'<opml><body><outline text="Gone" xmlUrl="{old_host.url}/gone"/>'
        f'<outline text="One" xmlUrl="{old_host.url}/one"/></body></opml>'
    )
    result = run(str(file), "--dry-run", status=1)
    assert "1 of 1 episode," in result.stdout
    assert "Gone: 127.0.0.1 has no feed at this address (404)." in result.stderr
    feeds = json.loads(run(str(file), "--dry-run", "--json", status=1).stdout)["feeds"]
    assert [entry.get("error") is None for entry in feeds] == [False, True]


def test_a_list_of_feeds_is_read_from_an_address_too(
    run: Callable[..., Result], old_host: OldHost
) -> None:
    old_host.feed("/one", item(1))
    body = f'<opml><body><outline text="One" xmlUrl="{old_host.url}/one"/></body></opml>'.encode()
    old_host.answers |= dict.fromkeys(("/mine.opml", "/export"), (200, {}, body))
    assert "1 of 1 episode," in run(f"{old_host.url}/mine.opml", "--dry-run").stdout
    assert "This is a list of feeds" in run(f"{old_host.url}/export", "--dry-run", status=1).stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("no-such-file.xml", "There is no file no-such-file.xml"),
        ("../list.opml", "There is no file"),
        ("nothing", "There is no file nothing"),
        ("", "no address"),
        ("http://[bad", "no address"),
        ("http://10.0.0.1/feed", "10.0.0.1"),
        ("ftp://old.example/feed", "http"),
    ],
)
def test_what_is_no_source_gets_a_sentence(
    run: Callable[..., Result], given: str, words: str
) -> None:
    assert words in run(given, "--dry-run", status=1).stderr


# Finding the feed.


def test_odd_schemes_redirects_and_web_pages_lead_to_the_feed(
    plan: Callable[..., ImportPlan], old_host: OldHost
) -> None:
    old_host.feed("/feed", item(1))
    old_host.answers["/old"] = (301, {"Location": "/feed"}, b"")
    page = b"<!DOCTYPE html><link href='/feed' rel=alternate type='application/rss+xml'>"
    old_host.answers["/"] = (200, {"Content-Type": "text/html"}, page)
    for address in (f"feed:{old_host.url}/feed", f" {old_host.address}/feed#x"):
        assert plan(address).feed_url == f"{old_host.url}/feed"
    moved = plan(f"{old_host.url}/old")
    assert [(hop.url, hop.status) for hop in moved.hops] == [(f"{old_host.url}/old", 301)]
    assert plan(f"{old_host.url}/").feed_url == f"{old_host.url}/feed"


def test_a_busy_server_is_asked_again(plan: Callable[..., ImportPlan], old_host: OldHost) -> None:
    body = old_host.feed("/feed", item(1))
    answers = iter(
        [(503, {"Retry-After": "1"}, b""), (429, {}, b""), (200, {}, body), (200, {}, body)]
    )
    old_host.answers["/feed"] = lambda: next(answers)
    waited: list[float] = []
    assert plan(f"{old_host.url}/feed", wait=waited.append).pages == 1
    assert waited == [1, 4]


@pytest.mark.parametrize(("status", "words"), [(404, "no feed"), (403, "Save it"), (500, "later")])
def test_a_refusal_of_the_old_host_is_said(
    run: Callable[..., Result],
    old_host: OldHost,
    status: int,
    words: str,
) -> None:
    # Longer than podhost waits while somebody looks on.
    old_host.answers["/feed"] = (status, {"Retry-After": "9999"}, b"")
    assert words in run(f"{old_host.url}/feed", "--dry-run", status=1).stderr


def test_pages_are_followed_until_nothing_is_new(
    plan: Callable[..., ImportPlan], old_host: OldHost
) -> None:
    for page in (1, 2, 3):
        following = f'<atom:link rel="next" href="/feed{page % 3 + 1}"/>'
        old_host.feed(f"/feed{page}", item(10 - page), item(9 - page), channel=following)
    found = plan(f"{old_host.url}/feed1")
    assert [e.guid for e in found.show.episodes] == ["g9", "g8", "g7", "g6"]
    assert found.pages == 3
    old_host.answers["/feed2"] = (200, {}, b"<html>")
    found = plan(f"{old_host.url}/feed1")
    assert [e.guid for e in found.show.episodes] == ["g9", "g8"]
    assert "A page of the feed cannot be read." in {o.message for o in found.oddities}


# Judging it.


def test_a_locked_feed_is_refused_unless_the_show_is_theirs(
    run: Callable[..., Result], old_host: OldHost
) -> None:
    old_host.feed("/feed", item(1), channel="<podcast:locked> Yes </podcast:locked>")
    assert "podcast:locked" in run(f"{old_host.url}/feed", "--dry-run", status=1).stderr
    run(f"{old_host.url}/feed", "--dry-run", "--mine")


def test_a_show_that_is_here_already_is_refused(
    plan: Callable[..., ImportPlan], instance: Instance, old_host: OldHost
) -> None:
    make_show(instance, "Tide Tables", podcast_guid=GUID)
    old_host.feed("/feed", item(1), channel=f"<podcast:guid>{GUID.upper()}</podcast:guid>")
    found = plan(f"{old_host.url}/feed", database=instance.database)
    assert "'tide-tables'" in found.refusals[0]
    for written in (GUID.replace("-", ""), f"urn:uuid:{GUID}"):
        old_host.feed("/feed", item(1), channel=f"<podcast:guid>{written}</podcast:guid>")
        found = plan(f"{old_host.url}/feed", database=instance.database)
        assert found.refusals, written


def test_a_dry_run_after_the_cut_over_says_that_the_move_is_done(
    run: Callable[..., Result], old_host: OldHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_host.answers["/1.mp3"] = (200, {"Content-Type": "audio/mpeg"}, lame(2))
    old_host.feed("/one", item(1))
    # The new host is the same server, below a path of its own.
    monkeypatch.setenv("PODHOST_BASE_URL", f"{old_host.url}/new")
    run(f"{old_host.url}/one")
    old_host.feed("/new/tide/feed.xml", item(1))
    there = {"Location": f"{old_host.url}/new/tide/feed.xml"}
    old_host.answers["/one"] = (301, there, b"")
    said = run(f"{old_host.url}/one", "--dry-run").stdout
    assert "sends apps on to this podhost (301): the move is done" in said


def test_what_failed_is_tried_again_by_the_names_of_the_shows(
    run: Callable[..., Result], old_host: OldHost
) -> None:
    old_host.feed("/one", item(1))
    address = old_host.url.replace("//", "//me:secret@")
    outlines = f'<outline text="One" xmlUrl="{address}/one"/>'
    body = f"<opml><body>{outlines}</body></opml>".encode()
    old_host.answers["/mine.opml"] = (200, {}, body)
    for source in (f"{address}/mine.opml", f"{address}/one"):
        result = run(source, status=1)
        # Nothing else is there: no lines of the log between the lines of the report.
        again = "To try again: podhost import tide --retry"
        assert result.stderr == f"Error: An episode did not come. {again}\n"
        assert "secret" not in result.output
    assert "An episode did not come" in run("tide", "--retry", status=1).stderr
    assert "secret" not in run(f"{address}/two", "--retry", status=1).output


@pytest.mark.parametrize(
    "address",
    ["https://me@x.example:secret@a.example/f", "u:secret@a.example/f", "feed:https://u:secret@b/"],
)
def test_the_password_of_a_private_feed_is_not_shown(address: str) -> None:
    assert "secret" not in open_source(address).name
    assert open_source("https://a.example/@pia/f").name == "https://a.example/@pia/f"


def test_guids_that_change_are_asked_about(
    plan: Callable[..., ImportPlan], old_host: OldHost
) -> None:
    counter = iter(range(1, 100))
    old_host.answers["/feed"] = lambda: (200, {}, feed(item(next(counter))))
    found = plan(f"{old_host.url}/feed")
    assert any("each time" in o.message and o.is_question for o in found.oddities)


def test_what_the_whole_feed_tells_is_asked_about(
    plan: Callable[..., ImportPlan], old_host: OldHost
) -> None:
    future = item(1, more="<itunes:episode>300</itunes:episode>").replace("2024", "2999")
    moved = "<itunes:new-feed-url>https://newer.example/f</itunes:new-feed-url>"
    old_host.feed("/feed", future, item(2), channel=moved)
    told = {oddity.message for oddity in plan(f"{old_host.url}/feed").oddities}
    assert "The date lies in the future." in told
    assert "The feed says that it has moved." in told
    assert any("seems to be cut" in message for message in told)


def test_audio_is_asked_for_by_its_head_only_and_suspected(
    plan: Callable[..., ImportPlan], old_host: OldHost
) -> None:
    sizes = iter(range(1, 100))
    old_host.answers["/5.mp3"] = lambda: (200, {}, b"x" * next(sizes))
    old_host.answers["/4.mp3"] = (200, {"Content-Type": "text/html"}, b"<html>")
    old_host.answers["/3.mp3"] = (302, {"Location": "/signed.mp3?Expires=1&Signature=x"}, b"")
    old_host.answers["/signed.mp3?Expires=1&Signature=x"] = (200, {}, b"123456789")
    old_host.feed("/feed", *(item(number) for number in (5, 4, 3, 2, 1)))
    audio = plan(f"{old_host.url}/feed").audio
    assert audio.looked_at == 3 and audio.count == 5
    assert "the size of the audio changes from one request to the next" in audio.insertion_signs
    assert "audio is sent from addresses that work once" in audio.insertion_signs
    assert any("text/html" in problem for problem in audio.problems)
    assert {method for method, path in old_host.asked if ".mp3" in path} == {"HEAD"}
