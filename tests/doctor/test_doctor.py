"""The feed doctor on servers: each thing that a server does wrong is found, by real requests."""

import gzip
import io
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from podhost.answers import Diagnosis
from podhost.cli import podhost
from podhost.doctor import diagnose_address, diagnose_body, feed_body
from podhost.errors import Invalid
from podhost.feeds.rendering import Site
from podhost.fetching import Fetcher
from podhost.formats.doctor_rules import Finding
from podhost.instance import Instance
from tests.formats.test_doctor import CLEAN
from tests.making import make_episode, make_show

NOW = datetime(2026, 11, 1, tzinfo=UTC)
AUDIO = b"\xff\xfb" + bytes(998)


def picture(kind: str = "JPEG", mode: str = "RGB", size: tuple[int, int] = (1400, 1400)) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind)
    return buffer.getvalue()


class Answer:
    """What is answered at a path; a test changes what it wants wrong."""

    def __init__(self, body: bytes, kind: str) -> None:
        self.body, self.kind = body, kind
        self.status = 200
        self.head_status = 200
        self.etag = '"1"'
        self.location = ""
        self.has_ranges = True
        self.has_gzip = True
        self.packs_all = False
        self.hangs_up = False


class Server(ThreadingHTTPServer):
    """Somebody's host of podcasts, on loopback."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.answers: dict[str, Answer] = {}

    def feed(self) -> str:
        text = CLEAN.replace("https://pod.example/audio/2/high.m4a", f"{self.base}/high.m4a")
        text = text.replace("https://pod.example/audio/1/low.mp3", f"{self.base}/low.mp3")
        text = text.replace('length="28800417"', 'length="1000"').replace(
            'length="5000"', 'length="1000"'
        )
        text = text.replace(
            'itunes:image href="https://pod.example/a/tide-3',
            f'itunes:image href="{self.base}/tide',
        )
        return text.replace("https://pod.example/tide/feed.xml", f"{self.base}/feed.xml")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        answer = self.server.answers.get(self.path)
        if answer is None:
            self.give(404, b"", {})
            return
        headers = {"Content-Type": answer.kind}
        if answer.etag:
            headers["ETag"] = answer.etag
        if answer.location:
            self.give(answer.status, b"", {"Location": answer.location})
        elif self.command == "HEAD" and answer.head_status != 200:
            self.give(answer.head_status, b"", {})
        elif answer.etag and self.headers["If-None-Match"] == answer.etag:
            self.give(304, b"", headers)
        elif answer.hangs_up and self.command == "GET":
            self.close_connection = True
        elif answer.packs_all and "gzip" in self.headers["Accept-Encoding"]:
            self.give(200, gzip.compress(answer.body), headers | {"Content-Encoding": "gzip"})
        elif answer.has_ranges and self.headers["Range"] == "bytes=0-1":
            self.give(206, answer.body[:2], headers)
        elif answer.has_gzip and answer.kind == "application/rss+xml":
            self.give(
                answer.status, gzip.compress(answer.body), headers | {"Content-Encoding": "gzip"}
            )
        else:
            self.give(answer.status, answer.body, headers)

    do_HEAD = do_GET

    def give(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        server.answers = {
            "/feed.xml": Answer(server.feed().encode(), "application/rss+xml"),
            "/low.mp3": Answer(AUDIO, "audio/mpeg"),
            "/high.m4a": Answer(AUDIO, "audio/x-m4a"),
            "/tide.jpg": Answer(picture(), "image/jpeg"),
        }
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with Fetcher(allowed=["127.0.0.0/8"], user_agent="podhost/test") as fetcher:
        yield fetcher


def examined(server: Server, fetcher: Fetcher, path: str = "/feed.xml") -> list[Finding]:
    """What is found, but for that loopback is served without encryption."""
    found = diagnose_address(server.base + path, fetcher, is_live=True, now=NOW)
    return [each for each in found.findings if each.rule not in ("feed-http", "url-http")]


def rules(findings: list[Finding]) -> list[str]:
    return [finding.rule for finding in findings]


def test_a_feed_that_is_served_well_has_no_finding(server: Server, fetcher: Fetcher) -> None:
    assert examined(server, fetcher) == []


def change(path: str, **values: Any) -> Callable[[Server], None]:
    def make(server: Server) -> None:
        for name, value in values.items():
            setattr(server.answers[path], name, value)

    return make


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (change("/feed.xml", status=500), "feed-status"),
        (change("/feed.xml", body=b"<html><body>No</body></html>"), "feed-no-feed"),
        (change("/feed.xml", head_status=405), "feed-head"),
        (change("/feed.xml", kind="text/html"), "feed-type"),
        (change("/feed.xml", etag=""), "feed-validators"),
        (change("/feed.xml", body=CLEAN.encode()), "feed-self"),
        (change("/low.mp3", status=301, location="http://127.0.0.1:1/x.mp3"), "audio-unreachable"),
        (change("/low.mp3", status=301, location="/gone.mp3"), "audio-status"),
        (change("/low.mp3", head_status=405), "audio-status"),
        (change("/low.mp3", kind="text/html"), "audio-html"),
        (change("/low.mp3", kind="text/plain"), "audio-type"),
        (change("/low.mp3", body=AUDIO * 2), "audio-length"),
        (change("/low.mp3", has_ranges=False), "audio-range"),
        (change("/low.mp3", has_ranges=False, body=b"<html>" + bytes(994)), "audio-html"),
        (change("/tide.jpg", status=404), "artwork-unreachable"),
        (change("/tide.jpg", head_status=403), "artwork-head"),
        (change("/tide.jpg", body=b"<svg/>"), "artwork-invalid"),
        (change("/tide.jpg", body=bytes(10_000_001)), "artwork-unreachable"),
        (change("/tide.jpg", body=picture() + bytes(600_000)), "artwork-heavy"),
    ],
)
def test_what_a_server_does_wrong_is_found(
    server: Server, fetcher: Fetcher, make: Callable[[Server], None], rule: str
) -> None:
    make(server)
    if not rule.startswith("artwork"):
        # Looking at a picture takes a process of its own.
        del server.answers["/tide.jpg"]
    assert rule in rules(examined(server, fetcher))


def test_why_no_part_of_the_audio_came_is_said(server: Server, fetcher: Fetcher) -> None:
    del server.answers["/tide.jpg"]
    server.answers["/low.mp3"].hangs_up = True
    server.answers["/high.m4a"].has_ranges = False
    server.answers["/high.m4a"].body = AUDIO * 2
    said = [found.message for found in examined(server, fetcher) if found.rule == "audio-range"]
    assert len(said) == 1 and "For instance" in said[0] and "not HTTP, or none" in said[0]
    server.answers["/low.mp3"].hangs_up = False
    said = [found.message for found in examined(server, fetcher) if found.rule == "audio-range"]
    assert "sends more than" in said[0]


def test_audio_is_not_asked_for_packed(server: Server, fetcher: Fetcher) -> None:
    del server.answers["/tide.jpg"]
    server.answers["/low.mp3"].packs_all = True
    assert "audio-length" not in rules(examined(server, fetcher))


@pytest.mark.parametrize("length", ["²", "9" * 5000])
def test_a_length_that_is_no_number_is_a_finding_and_no_crash(
    server: Server, fetcher: Fetcher, length: str
) -> None:
    del server.answers["/tide.jpg"]
    body = server.feed().replace(f'length="{len(AUDIO)}"', f'length="{length}"')
    assert length in body
    server.answers["/feed.xml"].body = body.encode()
    assert "audio-status" not in rules(examined(server, fetcher))


def test_a_feed_that_never_says_unchanged_is_found(server: Server, fetcher: Fetcher) -> None:
    class Forgetful(str):
        def __eq__(self, other: object) -> bool:
            return False

        __hash__ = str.__hash__

    server.answers["/feed.xml"].etag = Forgetful('"1"')
    found = examined(server, fetcher)
    assert rules(found) == ["feed-not-304"]
    assert "200 instead of 304" in found[0].message


def test_a_long_feed_should_be_compressed(server: Server, fetcher: Fetcher) -> None:
    answer = server.answers["/feed.xml"]
    answer.has_gzip = False
    answer.body = answer.body.replace(b"<p>With Ann.", b"<p>With Ann." * 1000)
    assert rules(examined(server, fetcher)) == ["feed-gzip"]


def test_redirects_are_counted_and_the_first_is_named(server: Server, fetcher: Fetcher) -> None:
    def lead(start: str, end: str, steps: int, status: int) -> None:
        for step in range(steps):
            here = start if step == 0 else f"{start}-{step}"
            there = end if step == steps - 1 else f"{start}-{step + 1}"
            server.answers[here] = Answer(b"", "text/plain")
            server.answers[here].status, server.answers[here].location = status, there

    server.answers["/real.mp3"] = server.answers["/low.mp3"]
    lead("/low.mp3", "/real.mp3", 6, 302)
    lead("/old", "/feed.xml", 1, 301)
    lead("/loose", "/feed.xml", 10, 302)
    assert rules(examined(server, fetcher, "/old")) == ["audio-redirects", "feed-moved"]
    found = rules(examined(server, fetcher, "/loose"))
    assert found == ["feed-redirects", "audio-redirects", "feed-moved-for-now"]


def test_artwork_that_apple_refuses_is_found(server: Server, fetcher: Fetcher) -> None:
    answer = server.answers["/tide.jpg"]
    answer.body = picture("GIF", "P", (1400, 1000))
    assert rules(examined(server, fetcher)) == ["artwork-format", "artwork-square"]
    answer.body = picture("PNG", "RGBA", (600, 600))
    found = rules(examined(server, fetcher))
    assert found == ["artwork-size", "artwork-extension", "artwork-alpha"]
    answer.body = picture("JPEG", "CMYK")
    assert rules(examined(server, fetcher)) == ["artwork-colours"]


def test_only_the_newest_audio_is_read(server: Server, fetcher: Fetcher) -> None:
    del server.answers["/high.m4a"]
    url = f"{server.base}/feed.xml"
    found = diagnose_address(url, fetcher, is_live=True, now=NOW, newest=1)
    assert "audio-status" not in rules(found.findings)
    assert "audio-status" in rules(examined(server, fetcher))


def test_without_live_the_feed_alone_is_read(server: Server, fetcher: Fetcher) -> None:
    server.answers = {"/feed.xml": server.answers["/feed.xml"]}
    found = diagnose_address(f"{server.base}/feed.xml", fetcher, is_live=False, now=NOW)
    assert (found.errors, found.warnings) == (0, 0)


def test_a_show_of_ours_is_looked_at_from_outside(server: Server, fetcher: Fetcher) -> None:
    del server.answers["/tide.jpg"]
    server.answers["/low.mp3"].has_ranges = False
    body = server.feed().encode()
    found = rules(diagnose_body("Tide Tables", body, now=NOW, fetcher=fetcher).findings)
    assert found[:2] == ["audio-range", "artwork-unreachable"]


def test_a_private_address_is_not_read(server: Server) -> None:
    with Fetcher(user_agent="podhost/test") as fetcher:
        found = diagnose_address(f"{server.base}/feed.xml", fetcher, is_live=True, now=NOW)
    assert rules(found.findings) == ["feed-unreachable"]


def test_a_file_that_is_not_there_is_a_sentence(fetcher: Fetcher, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="There is no file"):
        diagnose_address(str(tmp_path / "no.xml"), fetcher, is_live=False, now=NOW)


def test_a_show_of_ours_is_well(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3)
    assert no_errors(instance, show.id).findings


def no_errors(instance: Instance, show_id: str) -> Diagnosis:
    from podhost.models import Show

    with instance.database.read() as session:
        show = session.get_one(Show, show_id)
        body = feed_body(session, show, Site(instance.base_url))
    found = diagnose_body(show.title, body, now=instance.now())
    assert (found.errors, found.warnings) == (0, 0), found.findings
    return found


def test_a_show_without_a_feed_yet_is_said_to_wait(instance: Instance) -> None:
    assert rules(diagnose_body("T", None, now=instance.now()).findings) == ["feed-waiting"]


def run(*arguments: str, status: int, allowed: str = "") -> str:
    environment = {"PODHOST_FETCH_ALLOWED": allowed, "PODHOST_DATA": "/nowhere/at/all"}
    result = CliRunner().invoke(podhost, ["check", *arguments], env=environment)
    assert result.exit_code == status, result.output
    return result.output


def test_the_command_reads_a_file_without_any_instance(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(CLEAN)
    assert "0 errors, 0 warnings, 0 hints." in run("--feed", str(path), status=0)
    path.write_text(CLEAN.replace("low.mp3", "low.ogg"))
    told = run("--feed", str(path), status=1)
    assert "ERROR" in told and "episode 1, “Low water”" in told and "enclosure-extension" in told
    answer = json.loads(run("--feed", str(path), "--json", status=1))
    assert answer["feed"]["errors"] == 1
    assert answer["feed"]["findings"][0]["rule"] == "enclosure-extension"


def test_the_command_looks_at_servers(server: Server) -> None:
    url = f"{server.base}/feed.xml"
    assert run("--feed", url, "--live", status=0, allowed="127.0.0.0/8").count("ERROR") == 0
    del server.answers["/low.mp3"]
    told = run("--feed", url, "--live", status=1, allowed="127.0.0.0/8")
    assert "audio-status" in told
    assert "feed-unreachable" in run("--feed", url, status=1)


def test_the_command_wants_one_feed_to_look_at() -> None:
    assert "--live needs" in run("--live", status=2)
    assert "give one of them" in run("--feed", "a", "--show", "b", status=2)
