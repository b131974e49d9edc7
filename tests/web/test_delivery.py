"""What podcast apps get: in process for every case, over real sockets for what only they show."""

import asyncio
import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
import uvicorn
from lxml import etree
from sqlalchemy import event

from podhost.catalogue import Catalogue, audio_sources
from podhost.catalogue.entries import http_date
from podhost.config import read_settings
from podhost.downloads import Record, RequestSpool, read_segment
from podhost.errors import Unavailable
from podhost.instance import Instance, open_instance
from podhost.models import Audio, Base, Episode, Show, ShowSlug, Snapshot
from podhost.serving.startup import limit_unsent
from podhost.traffic import Traffic
from podhost.web import immediate
from podhost.web.delivery import Delivery
from tests.catalogue.test_catalogue import (
    ARTWORK,
    AUDIO_PATH,
    EPISODE,
    FEED,
    FEED_PATH,
    JSON_FEED,
    JSON_PATH,
    SHOW,
    SOUND,
    TRANSCRIPT,
    audio,
    change,
    fill,
    queries,
)
from tests.servers import S3Server
from tests.waiting import wait_for

NOW = datetime(2026, 3, 5, 9, 5, tzinfo=UTC)
SIZE = len(SOUND)
# For what must happen, on a machine that has a lot to do.
PATIENCE_SECONDS = 40
Headers = list[tuple[bytes, bytes]]
# As browsers send it with what they will show to somebody.
PERSON = ("Sec-Fetch-Dest", "document")


class Reply:
    """The messages of one answer."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.status: int = messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        assert len(self.headers) == len(messages[0]["headers"]), "a header was sent twice"
        self.body = b"".join(message["body"] for message in messages[1:])
        assert not messages[-1].get("more_body", False)


class Host:
    """A podhost with its hot path, asked in this process, each request in a loop of its own."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.catalogue = Catalogue(instance)
        self.catalogue.catch_up()
        self.folder = instance.settings.data / "spool"
        self.spool = RequestSpool(self.folder, instance.clock)
        count = Traffic(None).count
        self.app = Delivery(self._behind, instance, self.catalogue, self.spool, count)

    async def _behind(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"the application behind"})

    def ask(self, method: str, path: str, *headers: tuple[str, str]) -> Reply:
        """One whole request."""
        return asyncio.run(self.ask_in_loop(method, path, *headers))

    async def ask_in_loop(self, method: str, path: str, *headers: tuple[str, str]) -> Reply:
        messages: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(3600)
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            messages.append({**message, "body": bytes(message.get("body", b""))})

        await self.app(scope(method, path, *headers), receive, send)  # type: ignore[arg-type]
        return Reply(messages)

    def get(self, path: str, *headers: tuple[str, str]) -> Reply:
        return self.ask("GET", path, *headers)

    def records(self) -> list[Record]:
        """What was noted since the last time."""
        self.spool.stop()
        found = [r for path in sorted(self.folder.glob("*.sealed")) for r in read_segment(path)]
        for path in self.folder.glob("*.sealed"):
            path.unlink()
        return found


def scope(method: str, path: str, *headers: tuple[str, str]) -> dict[str, Any]:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": path,
        "headers": raw,
        "client": ("203.0.113.9", 50000),
        "query_string": query.encode() or b"_from=overcast",
    }


def small_instance(folder: Path, **settings: str) -> Instance:
    """SQLite and a folder; the tests that need both engines use the shared fixture."""
    environment = {"PODHOST_DATA": str(folder), "PODHOST_BASE_URL": "https://pod.example"}
    instance = open_instance(read_settings(environment | settings), clock=lambda: NOW)
    Base.metadata.create_all(instance.database.engine)
    return instance


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    instance = small_instance(tmp_path, PODHOST_HUBS="https://hub.test/")
    fill(instance)
    yield from opened(Host(instance))


def opened(host: Host) -> Iterator[Host]:
    yield host
    host.app.close()
    host.spool.stop()
    host.catalogue.stop()
    host.instance.close()


@pytest.fixture
def bucket_host(
    tmp_path: Path, s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Host]]:
    """Makes hosts whose storage is a real S3 server."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    hosts: list[Host] = []

    def make(**settings: str) -> Host:
        storage = f"s3://{s3_bucket}/{tmp_path.name.replace('_', '-')}"
        instance = small_instance(tmp_path, PODHOST_STORAGE=storage, **settings)
        fill(instance)
        hosts.append(Host(instance))
        return hosts[-1]

    yield make
    for host in hosts:
        for _ in opened(host):
            pass


# Feeds


def test_a_poll_of_a_feed_in_memory_asks_no_database(host: Host) -> None:
    assert gzip.decompress(host.get(FEED_PATH, ("Accept-Encoding", "gzip")).body) == FEED
    with queries(host.instance) as seen:
        assert host.get(FEED_PATH, ("Accept-Encoding", "gzip")).status == 200
        assert host.get(FEED_PATH).body == FEED
        assert host.get("/nobody/feed.xml").status == 404
    assert seen == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_the_feed_matrix(host: Host, method: str, coding: str) -> None:
    accept = ("Accept-Encoding", coding)
    full = host.get(FEED_PATH, accept)
    assert full.headers == {
        "content-type": "application/rss+xml; charset=utf-8",
        "content-length": str(len(full.body)),
        "etag": full.headers["etag"],
        "last-modified": http_date(int(NOW.timestamp())).decode(),
        "cache-control": "public, max-age=300, stale-while-revalidate=600",
        "vary": "Accept-Encoding",
        "link": '<https://pod.example/tide/feed.xml>; rel="self", <https://hub.test/>; rel="hub"',
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "ETag, Link",
    } | ({"content-encoding": "gzip"} if coding == "gzip" else {})
    assert not full.headers["etag"].startswith("W/")
    etag, date = full.headers["etag"], full.headers["last-modified"]
    before = http_date(int(NOW.timestamp()) - 86_400).decode()
    same = [
        [("If-None-Match", etag)],
        [("If-None-Match", f'"x", W/{etag}')],
        [("If-None-Match", etag.replace('-gzip"', '"'))],
        [("If-None-Match", "*")],
        [("If-Modified-Since", date)],
        [("If-None-Match", etag), ("If-Modified-Since", before)],
    ]
    for headers in same:
        reply = host.ask(method, FEED_PATH, accept, *headers)
        assert (reply.status, reply.body) == (304, b""), headers
        assert reply.headers["etag"] == etag
        assert "content-length" not in reply.headers
        for name in ("cache-control", "vary", "last-modified", "access-control-allow-origin"):
            assert reply.headers[name] == full.headers[name]
    new: list[list[tuple[str, str]]] = [
        [],
        [("If-None-Match", '"old"')],
        [("If-Modified-Since", before)],
        [("If-Modified-Since", "rubbish")],
        [("If-None-Match", '"old"'), ("If-Modified-Since", date)],
        [("Range", "bytes=0-1")],
    ]
    for headers in new:
        reply = host.ask(method, FEED_PATH, accept, *headers)
        assert (reply.status, reply.headers) == (200, full.headers), headers
        assert reply.body == (full.body if method == "GET" else b"")
    assert host.ask(method, FEED_PATH, accept, ("If-Match", '"old"')).status == 412


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_the_json_feed_is_delivered_as_the_feed_is(host: Host, method: str, coding: str) -> None:
    accept = ("Accept-Encoding", coding)
    full = host.ask(method, JSON_PATH, accept)
    assert full.headers["content-type"] == "application/feed+json"
    # Hubs are told of the RSS feed alone.
    assert full.headers["link"] == '<https://pod.example/tide/feed.json>; rel="self"'
    rss = host.ask(method, FEED_PATH, accept)
    assert full.headers.keys() == rss.headers.keys()
    for name in ("cache-control", "vary", "last-modified", "access-control-allow-origin"):
        assert full.headers[name] == rss.headers[name]
    assert full.headers["etag"] != rss.headers["etag"]
    if method == "GET":
        body = gzip.decompress(full.body) if coding == "gzip" else full.body
        assert body == JSON_FEED
    for name, value in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
        reply = host.ask(method, JSON_PATH, accept, (name, full.headers[value]))
        assert (reply.status, reply.body) == (304, b"")
    with queries(host.instance) as seen:
        assert host.ask(method, JSON_PATH, accept).headers == full.headers
    assert seen == []
    assert [record.status for record in host.records()] == [200, 200, 304, 304, 200]


def test_a_json_feed_moves_and_goes_with_its_show(host: Host) -> None:
    with host.instance.database.write() as session:
        session.add(ShowSlug(slug="tide", show_id=SHOW))
    assert host.get(JSON_PATH).status == 200
    change(host.instance, Show, SHOW, "show", slug="harbour")
    host.catalogue.catch_up()
    assert host.get(JSON_PATH).headers["location"] == "https://pod.example/harbour/feed.json"
    assert host.get("/harbour/feed.json").body == JSON_FEED
    change(host.instance, Show, SHOW, "show", deleted_at=NOW)
    host.catalogue.catch_up()
    assert host.get("/harbour/feed.json").status == 410
    assert host.get("/nobody/feed.json").status == 404


def test_a_person_who_opens_the_feed_is_led_to_the_shows_page(host: Host) -> None:
    known = ("If-None-Match", host.get(FEED_PATH).headers["etag"])
    for method in ("GET", "HEAD"):
        reply = host.ask(method, FEED_PATH, PERSON, known)
        assert reply.status == 302
        assert reply.headers["location"] == "https://pod.example/tide/"
        assert reply.headers["cache-control"] == "private, no-store"
        assert reply.headers["vary"] == "sec-fetch-dest"
    # A player on somebody's page, and a feed that only programs read.
    assert host.get(FEED_PATH, ("Sec-Fetch-Dest", "empty")).body == FEED
    assert host.get(JSON_PATH, PERSON).body == JSON_FEED
    assert [record.status for record in host.records()] == [200, 302, 302, 200, 200]


def test_a_person_is_led_on_where_the_feed_has_moved_or_is_gone(host: Host) -> None:
    with host.instance.database.write() as session:
        session.add(ShowSlug(slug="tide", show_id=SHOW))
    change(host.instance, Show, SHOW, "show", slug="harbour")
    host.catalogue.catch_up()
    moved = host.get(FEED_PATH, PERSON)
    assert (moved.status, moved.headers["location"]) == (
        301,
        "https://pod.example/harbour/feed.xml",
    )
    assert host.get("/harbour/feed.xml", PERSON).headers["location"].endswith("/harbour/")
    change(host.instance, Show, SHOW, "show", deleted_at=NOW)
    host.catalogue.catch_up()
    assert host.get("/harbour/feed.xml", PERSON).status == 410


def test_the_list_of_all_shows_follows_the_shows(host: Host) -> None:
    reply = host.get("/shows.opml")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/x-opml; charset=utf-8")
    [outline] = etree.fromstring(reply.body).iter("outline")
    assert dict(outline.attrib) == {
        "text": "Tide Tables",
        "title": "Tide Tables",
        "type": "rss",
        "xmlUrl": "https://pod.example/tide/feed.xml",
        "htmlUrl": "https://pod.example/tide/",
        "language": "en",
    }
    with queries(host.instance) as seen:
        known = ("If-None-Match", reply.headers["etag"])
        assert host.get("/shows.opml", known).status == 304
    assert seen == []
    steps: list[tuple[dict[str, object], bytes]] = [
        ({"title": "Ebb & Flow"}, b'text="Ebb &amp; Flow"'),
        ({"new_feed_url": "https://elsewhere.example/f"}, b'xmlUrl="https://elsewhere.example/f"'),
        ({"redirect_to": "https://elsewhere.example/g"}, b'xmlUrl="https://elsewhere.example/g"'),
        ({"is_blocked": True}, b"<body/>"),
        ({"is_blocked": False}, b"<outline "),
        ({"deleted_at": NOW}, b"<body/>"),
    ]
    for values, said in steps:
        change(host.instance, Show, SHOW, "show", **values)
        host.catalogue.catch_up()
        assert said in host.get("/shows.opml", known).body


def test_the_two_codings_have_two_strong_tags(host: Host) -> None:
    zipped = host.get(FEED_PATH, ("Accept-Encoding", "gzip")).headers["etag"]
    assert zipped != host.get(FEED_PATH).headers["etag"]


def test_tags_on_two_lines_are_one_list(host: Host) -> None:
    etag = host.get(FEED_PATH).headers["etag"]
    reply = host.get(FEED_PATH, ("If-None-Match", etag), ("If-None-Match", '"other"'))
    assert reply.status == 304


def test_a_large_feed_is_unpacked_beside_the_loop(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(immediate, "_DECOMPRESS_IN_LOOP_BYTES", 10)
    assert host.get(FEED_PATH).body == FEED
    assert host.catalogue.feeds[FEED_PATH].body_identity == FEED


def test_an_old_slug_redirects_in_one_hop_and_a_deleted_show_is_gone(host: Host) -> None:
    with host.instance.database.write() as session:
        session.add(ShowSlug(slug="tide", show_id=SHOW))
        session.add(ShowSlug(slug="older", show_id=SHOW))
    change(host.instance, Show, SHOW, "show", slug="harbour")
    host.catalogue.catch_up()
    for slug in ("tide", "older"):
        for method in ("GET", "HEAD"):
            reply = host.ask(method, f"/{slug}/feed.xml")
            assert reply.status == 301
            assert reply.headers["location"] == "https://pod.example/harbour/feed.xml"
    assert host.get("/harbour/feed.xml").body == FEED
    change(host.instance, Show, SHOW, "show", deleted_at=NOW)
    host.catalogue.catch_up()
    assert host.get("/harbour/feed.xml").status == 410
    assert host.get("/older/feed.xml").status == 410
    assert [r.status for r in host.records()] == [301] * 4 + [200, 410, 410]


NEW_FEED = "https://new.example/feed.xml"
NEW_AUDIO = "https://new.example/a%20b.mp3"


def test_a_show_that_moved_out_is_sent_there_in_one_hop_for_ever(host: Host) -> None:
    with host.instance.database.write() as session:
        session.add(ShowSlug(slug="older", show_id=SHOW))
    assert host.get(FEED_PATH).body == FEED
    change(host.instance, Show, SHOW, "show", redirect_to=NEW_FEED)
    host.catalogue.catch_up()
    host.records()

    def is_sent_on() -> bool:
        replies = [
            host.ask(method, path, ("If-None-Match", "*"))
            for path in (FEED_PATH, "/older/feed.xml")
            for method in ("GET", "HEAD")
        ]
        assert {reply.headers["location"] for reply in replies} == {NEW_FEED}
        return {reply.status for reply in replies} == {301}

    with queries(host.instance) as seen:
        assert is_sent_on()
    assert seen == []
    assert [record.status for record in host.records()] == [301] * 4
    # What is rendered from now on is read by nobody; a new snapshot must not bring it back.
    change(host.instance, Snapshot, SHOW, "feed", version=2)
    host.catalogue.catch_up()
    host.catalogue._read_ahead()
    assert is_sent_on()
    # Who leaves may delete what is here.
    change(host.instance, Show, SHOW, "show", deleted_at=NOW)
    host.catalogue.catch_up()
    assert is_sent_on()
    change(host.instance, Show, SHOW, "show", deleted_at=None, redirect_to=None)
    host.catalogue.catch_up()
    assert host.get(FEED_PATH).body == FEED


def test_the_json_feed_of_a_show_that_moved_out_stays(host: Host) -> None:
    # No new address is known, and an RSS feed is none for who asks for JSON.
    change(host.instance, Show, SHOW, "show", redirect_to=NEW_FEED)
    host.catalogue.catch_up()
    assert host.get(JSON_PATH).body == JSON_FEED


def test_audio_that_moved_out_is_sent_there_and_still_recorded(host: Host) -> None:
    assert host.get(AUDIO_PATH, ("Range", "bytes=0-1")).status == 206
    change(host.instance, Show, SHOW, "show", redirect_to=NEW_FEED)
    change(host.instance, Episode, EPISODE, "episode", moved_audio_url=NEW_AUDIO)
    host.catalogue.catch_up()
    host.records()
    with queries(host.instance) as seen:
        for method in ("GET", "HEAD"):
            reply = host.ask(method, AUDIO_PATH, ("Range", "bytes=0-1"), ("User-Agent", "A"))
            assert (reply.status, reply.headers["location"]) == (301, NEW_AUDIO)
            # Asked for anew each time, so that every play is seen, and the way back is open.
            assert reply.headers["cache-control"] == "private, no-cache"
            assert reply.headers["access-control-allow-origin"] == "*"
            assert reply.body == b""
    assert seen == []
    assert host.get(AUDIO_PATH + "x").status == 404
    records = host.records()
    assert [(r.kind, r.status, r.episode_id, r.ua) for r in records] == [
        ("audio", 301, EPISODE, "A")
    ] * 2
    # With its show deleted here it leads there as well; withdrawn, it is gone everywhere.
    change(host.instance, Show, SHOW, "show", deleted_at=NOW)
    host.catalogue.catch_up()
    assert host.get(AUDIO_PATH).status == 301
    change(host.instance, Episode, EPISODE, "episode", status="withdrawn")
    host.catalogue.catch_up()
    assert host.get(AUDIO_PATH).status == 410


def test_a_feed_that_is_not_rendered_yet_is_tried_again_soon(host: Host) -> None:
    with host.instance.database.write() as session:
        session.add(
            Show(
                id="6" * 16, slug="new", title="New", categories=[], podcast_guid="n",
                created_at=NOW, changed_at=NOW,
            )
        )  # fmt: skip
    host.catalogue._start_over(host.instance.database.read().__enter__())
    reply = host.get("/new/feed.xml")
    assert reply.status == 503
    assert reply.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/tide/",
        "/tide/feed.atom",
        "/a/b/feed.xml",
        "/a/b/feed.json",
        "/feed.xml",
        "/tide/feed.xml/",
    ],
)
def test_everything_else_goes_to_the_application_behind(host: Host, path: str) -> None:
    assert host.get(path).status == 299


def test_an_outage_does_not_stop_polls(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.get(FEED_PATH)
    host.get(AUDIO_PATH)

    def refuse(*_: object) -> None:
        raise Unavailable("The database does not answer; try again in a moment.")

    event.listen(host.instance.database.engine, "before_cursor_execute", refuse)
    assert host.get(FEED_PATH).body == FEED
    assert host.get(AUDIO_PATH).body == SOUND
    reply = host.get(f"/audio/{'f' * 16}/1/x.mp3")
    assert reply.status == 503
    assert "retry-after" in reply.headers
    assert "does not answer" in caplog.text


def test_a_mistake_of_ours_is_503_and_a_line_in_the_log(
    host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(host.catalogue, "find_episode", lambda _: 1 / 0)
    assert host.get(AUDIO_PATH).status == 503
    assert "ZeroDivisionError" in caplog.text


# Methods and CORS


@pytest.mark.parametrize(
    "path",
    [FEED_PATH, AUDIO_PATH, f"/artwork/{ARTWORK}/600.jpg", f"/chapters/{EPISODE}.json"],
)
def test_only_get_head_and_options_work(host: Host, path: str) -> None:
    for _ in range(2):  # Not in memory yet, and in memory.
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
            reply = host.ask(method, path)
            assert reply.status == 405
            assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
        reply = host.ask("OPTIONS", path, ("Origin", "https://player.example"))
        assert (reply.status, reply.body) == (204, b"")
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "Range" in reply.headers["access-control-allow-headers"]
        assert "GET" in reply.headers["access-control-allow-methods"]
        host.get(path)


# Audio from a folder

ETAG_OF_SOUND = '"' + audio.__globals__["hashlib"].sha256(SOUND).hexdigest() + '"'
DATE = http_date(int(NOW.timestamp())).decode()
YESTERDAY = http_date(int(NOW.timestamp()) - 86_400).decode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], (0, SIZE)),
        ([("Range", "bytes=0-1")], (0, 2)),
        ([("Range", "bytes=0-")], (0, SIZE)),
        ([("Range", f"bytes=0-{SIZE * 9}")], (0, SIZE)),
        ([("Range", "bytes=-500")], (SIZE - 500, SIZE)),
        ([("Range", f"bytes=-{SIZE * 9}")], (0, SIZE)),
        ([("Range", "bytes=70000-140000")], (70000, 140001)),
        ([("Range", f"bytes={SIZE}-")], 416),
        ([("Range", "bytes=-0")], 416),
        ([("Range", "bytes=5-2")], None),
        ([("Range", "bytes=abc")], None),
        ([("Range", "bytes=")], None),
        ([("Range", "items=0-1")], None),
        ([("Range", f"bytes=0-1,{SIZE * 2}-")], (0, 2)),
        ([("Range", "bytes=0-99,100-199")], (0, 200)),
        ([("Range", "bytes=0-1,500-501")], None),
        ([("Range", "bytes=0-1"), ("If-Range", ETAG_OF_SOUND)], (0, 2)),
        ([("Range", "bytes=0-1"), ("If-Range", "W/" + ETAG_OF_SOUND)], None),
        ([("Range", "bytes=0-1"), ("If-Range", '"old"')], None),
        ([("Range", "bytes=0-1"), ("If-Range", DATE)], (0, 2)),
        ([("Range", "bytes=0-1"), ("If-Range", YESTERDAY)], None),
        ([("If-None-Match", ETAG_OF_SOUND)], 304),
        ([("If-None-Match", ETAG_OF_SOUND), ("Range", "bytes=0-1")], 304),
        ([("If-Modified-Since", DATE)], 304),
        ([("If-Match", '"other"')], 412),
        ([("If-Unmodified-Since", YESTERDAY)], 412),
    ],
)
def test_the_table_of_ranges_and_conditions(
    host: Host, headers: list[tuple[str, str]], expected: tuple[int, int] | int | None
) -> None:
    reply = host.get(AUDIO_PATH, *headers)
    common = {
        "etag": ETAG_OF_SOUND,
        "last-modified": DATE,
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=86400, no-transform",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "Content-Range, Content-Length, Accept-Ranges, ETag",
    }
    described = common | {"content-type": "audio/mpeg", "x-accel-buffering": "no"}
    (record,) = host.records()
    assert record.status == reply.status
    if isinstance(expected, int):
        assert (reply.status, reply.body, record.sent) == (expected, b"", 0)
        extra = {} if expected == 304 else {"content-length": "0"}
        if expected == 416:
            extra["content-range"] = f"bytes */{SIZE}"
        assert reply.headers == common | extra
        return
    is_partial = bool(headers) and expected is not None
    start, end = expected or (0, SIZE)
    assert reply.status == (206 if is_partial else 200)
    assert reply.body == SOUND[start:end]
    extra = {"content-length": str(end - start)}
    if is_partial:
        extra["content-range"] = f"bytes {start}-{end - 1}/{SIZE}"
    assert reply.headers == described | extra
    assert (record.start, record.sent) == (start, end - start)
    assert record.range == dict(headers).get("Range", "")


def test_head_says_what_get_says_and_ignores_ranges(host: Host) -> None:
    full = host.get(AUDIO_PATH)
    for headers in ([], [("Range", "bytes=0-1")], [("Range", f"bytes={SIZE}-")]):
        reply = host.ask("HEAD", AUDIO_PATH, *headers)
        assert (reply.status, reply.headers, reply.body) == (200, full.headers, b"")
    reply = host.ask("HEAD", AUDIO_PATH, ("If-None-Match", ETAG_OF_SOUND))
    assert reply.status == 304
    assert [record.method for record in host.records()] == ["GET"] + ["HEAD"] * 4


def test_a_record_tells_what_counting_needs(host: Host) -> None:
    before_ms = int(time.time() * 1000)
    host.get(
        AUDIO_PATH,
        ("User-Agent", " AntennaPod/3.5 "),
        ("Range", "bytes=100-199"),
        ("Sec-Purpose", "prefetch;prerender"),
        ("Referer", "https://player.example/some/page?secret=1"),
    )
    (record,) = host.records()
    assert before_ms <= record.t <= int(time.time() * 1000)
    record.t = 0
    assert record == Record(
        "audio", 0, "GET", 206, SHOW, 100, "203.0.113.9", "AntennaPod/3.5", EPISODE,
        "a" * 15 + "1", 1, SIZE, 417, 12_500, 100, "bytes=100-199", "prefetch",
        "https://player.example",
    )  # fmt: skip
    host.get(FEED_PATH, ("User-Agent", "Overcast"))
    (record,) = host.records()
    record.t = 0
    assert record == Record("feed", 0, "GET", 200, SHOW, len(FEED), "203.0.113.9", "Overcast")


@pytest.mark.parametrize(
    "path",
    [
        f"/audio/{EPISODE}/1/other-name.mp3",
        f"/audio/{EPISODE}/1/low-water.exe",
        f"/audio/{EPISODE}/2/low-water.mp3",
        f"/audio/{EPISODE}/01/low-water.mp3",
        f"/audio/{EPISODE}/1",
        f"/audio/{'f' * 16}/1/low-water.mp3",
        "/audio/../../etc/passwd",
        "/audio/",
        f"/audio/{EPISODE}/1/low-water.mp3/",
    ],
)
def test_there_is_nothing_at_other_audio_paths(host: Host, path: str) -> None:
    assert host.get(path).status == 404
    assert host.records() == []


def test_withdrawn_audio_is_gone_and_a_draft_was_never_there(host: Host) -> None:
    for status, expected in (("withdrawn", 410), ("draft", 404), ("scheduled", 404)):
        change(host.instance, Episode, EPISODE, "episode", status=status)
        host.catalogue.catch_up()
        assert host.get(AUDIO_PATH).status == expected
        assert host.ask("HEAD", AUDIO_PATH).body == b""
        assert [record.status for record in host.records()] == [expected] * 2
        assert host.get(f"/chapters/{EPISODE}.json").status == expected
        assert host.get(f"/transcripts/{EPISODE}/{TRANSCRIPT}.vtt").status == expected


def test_a_purged_revision_redirects_to_the_current_one(host: Host) -> None:
    first = audio(host.instance).id
    change(host.instance, Audio, first, "episode", replaced_at=NOW)
    with host.instance.database.write() as session:
        session.add(audio(host.instance, 2, "audio/two.mp3"))
    host.instance.storage.put_bytes("audio/two.mp3", SOUND, content_type="audio/mpeg")
    host.catalogue.catch_up()
    # Replaced, but still stored: who is in the middle of it goes on.
    assert host.get(AUDIO_PATH).body == SOUND
    change(host.instance, Audio, first, "episode", purged_at=NOW)
    host.catalogue.catch_up()
    reply = host.get(AUDIO_PATH, ("Range", "bytes=0-1"))
    assert reply.status == 302
    assert reply.headers["location"] == (f"https://pod.example/audio/{EPISODE}/2/low-water.mp3")
    assert reply.headers["cache-control"] == "private, no-cache"
    assert host.get(AUDIO_PATH.replace("/1/", "/2/")).body == SOUND


def test_a_missing_or_short_file_is_503_and_never_a_wrong_length(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    path = host.instance.storage.local_path("audio/one.mp3")
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(SOUND[:1000])
    reply = host.get(AUDIO_PATH, ("Range", "bytes=0-1"))
    assert reply.status == 503
    assert "retry-after" in reply.headers
    assert "1000 bytes" in caplog.text
    path.unlink()
    assert host.get(AUDIO_PATH).status == 503
    assert [record.status for record in host.records()] == [503, 503]


def test_a_file_that_shrinks_or_goes_while_it_is_open_is_noticed(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = host.instance.storage.local_path("audio/one.mp3")
    assert path is not None

    async def story() -> list[int]:
        ask = host.ask_in_loop
        statuses = [(await ask("GET", AUDIO_PATH, ("Range", "bytes=0-1"))).status]
        path.chmod(0o600)
        path.write_bytes(SOUND[:1000])
        last = ("Range", "bytes=-10")
        # Still believed to be whole, but the read tells.
        statuses.append((await ask("GET", AUDIO_PATH, last)).status)
        monkeypatch.setattr(audio_sources, "LOOK_SECONDS", 0.0)
        statuses.append((await ask("GET", AUDIO_PATH, last)).status)
        path.write_bytes(SOUND)
        statuses.append((await ask("GET", AUDIO_PATH, last)).status)
        path.unlink()
        statuses.append((await ask("GET", AUDIO_PATH, last)).status)
        return statuses

    assert asyncio.run(story()) == [206, 503, 503, 206, 503]


@pytest.mark.parametrize("has_nowait", [True, False])
def test_cold_bytes_come_from_a_thread_and_are_the_same(
    host: Host, monkeypatch: pytest.MonkeyPatch, has_nowait: bool
) -> None:
    if has_nowait:
        # As a disk does whose pages are not in memory, or only some of them.
        real = audio_sources.os.preadv
        turns = iter(range(10**6))

        def cold(descriptor: int, buffers: Any, offset: int, flags: int = 0) -> int:
            if flags:
                if next(turns) % 2:
                    raise BlockingIOError
                return real(descriptor, (memoryview(buffers[0])[:100],), offset)
            return real(descriptor, buffers, offset)

        monkeypatch.setattr(audio_sources.os, "preadv", cold)
    else:
        monkeypatch.setattr(audio_sources, "_NOWAIT", None)
    assert host.get(AUDIO_PATH).body == SOUND
    assert host.get(AUDIO_PATH, ("Range", "bytes=5-9")).body == SOUND[5:10]


def test_many_files_are_not_all_kept_open(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(audio_sources, "OPEN_LIMIT", 3)
    # However long the story takes, none is closed because nobody listened lately.
    monkeypatch.setattr(audio_sources, "IDLE_SECONDS", 3600)

    async def story() -> None:
        files = audio_sources.OpenFiles()
        folder = tmp_path / "sounds"
        folder.mkdir()
        for number in range(8):
            path = folder / str(number)
            path.write_bytes(b"sound")
            file = await files.open(str(path), 5)
            assert await files.read(file, 1, 3) == b"oun"
            if number:
                file.release()
            else:
                kept = file
        # Three, and the one that somebody still listens to.
        assert open_descriptors(folder) == 4
        assert bytes(await files.read(kept, 0, 5)) == b"sound"
        kept.release()
        assert open_descriptors(folder) == 3
        files.close()

    asyncio.run(story())


def test_files_that_nobody_listens_to_are_closed_after_a_while(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(audio_sources, "IDLE_SECONDS", 0.02)
    for name in ("heard", "left"):
        (tmp_path / name).write_bytes(b"sound")

    async def wait_until_open(count: int) -> None:
        async with asyncio.timeout(40):
            while open_descriptors(tmp_path) != count:
                await asyncio.sleep(0.01)

    async def story() -> None:
        files = audio_sources.OpenFiles()
        heard = await files.open(str(tmp_path / "heard"), 5)
        (await files.open(str(tmp_path / "left"), 5)).release()
        await wait_until_open(1)
        await asyncio.sleep(0.1)
        assert bytes(await files.read(heard, 0, 5)) == b"sound"
        heard.release()
        await wait_until_open(0)
        files.close()

    asyncio.run(story())


def open_descriptors(folder: Path) -> int:
    """How many files of the folder this process has open."""
    found = [link.resolve() for link in Path("/proc/self/fd").iterdir()]
    return sum(path.is_relative_to(folder) for path in found)


# Audio to be saved


def disposition(reply: Reply) -> str | None:
    return reply.headers.get("content-disposition")


def test_audio_that_is_to_be_saved_says_under_which_name(host: Host) -> None:
    plain = host.get(AUDIO_PATH)
    assert disposition(plain) is None
    with host.instance.database.write() as session:
        episode = session.get_one(Episode, EPISODE)
        episode.title = 'Ebbe & Flut: "où?" 潮/\u202egpj..'
        session.get_one(Show, episode.show_id).title = "Tide Tables"
    saved = host.get(AUDIO_PATH + "?x&download=1")
    assert (saved.status, saved.body) == (plain.status, plain.body)
    name = quote("Tide Tables - Ebbe & Flut où 潮 gpj.mp3", safe="&-.")
    file_name = AUDIO_PATH.rpartition("/")[2]
    wanted = f"attachment; filename=\"{file_name}\"; filename*=UTF-8''{name}"
    assert disposition(saved) == wanted
    head = host.ask("HEAD", AUDIO_PATH + "?download=1")
    assert (head.status, disposition(head)) == (200, wanted)
    part = host.get(AUDIO_PATH + "?download=1", ("Range", "bytes=0-1"))
    assert (part.status, disposition(part)) == (206, wanted)
    for odd in (
        host.get(AUDIO_PATH + "?download=1", ("If-None-Match", ETAG_OF_SOUND)),
        host.get(AUDIO_PATH + "?download=0"),
        host.get(AUDIO_PATH[:-4] + "x.mp3?download=1"),
        host.get("/audio/x?download=1"),
        host.get("/audio/0000000000000000/1/x.mp3?download=1"),
        host.get(FEED_PATH + "?download=1"),
    ):
        assert disposition(odd) is None
    records = host.records()
    assert [(r.status, r.sent) for r in records[:2]] == [(200, SIZE), (200, SIZE)]


def test_audio_is_saved_under_the_name_in_its_address_while_the_database_is_away(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.get(AUDIO_PATH)

    def away() -> None:
        raise Unavailable("The database does not answer; try again in a moment.")

    monkeypatch.setattr(host.instance.database, "read", away)
    saved = host.get(AUDIO_PATH + "?download=1")
    assert (saved.status, saved.body) == (200, SOUND)
    name = AUDIO_PATH.rpartition("/")[2]
    assert disposition(saved) == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"


def test_a_bucket_is_told_under_which_name_audio_is_to_be_saved(
    bucket_host: Callable[..., Host],
) -> None:
    host = bucket_host()
    played = host.get(AUDIO_PATH)
    saved = host.get(AUDIO_PATH + "?download=1")
    assert (played.status, saved.status) == (302, 302)
    fetched = httpx.get(saved.headers["location"], timeout=30)
    assert fetched.content == SOUND
    assert fetched.headers["content-disposition"].startswith("attachment; filename=")
    assert "content-disposition" not in httpx.get(played.headers["location"], timeout=30).headers
    unchanged = host.get(AUDIO_PATH + "?download=1", ("If-None-Match", ETAG_OF_SOUND))
    assert unchanged.status == 304
    assert [r.status for r in host.records()] == [302, 302, 304]


# Audio from a bucket


def test_a_bucket_is_redirected_to_with_a_signature_that_works(
    bucket_host: Callable[..., Host],
) -> None:
    host = bucket_host()
    reply = host.get(AUDIO_PATH, ("Range", "bytes=0-1"))
    assert (reply.status, reply.body) == (302, b"")
    assert reply.headers["cache-control"] == "private, no-cache"
    assert reply.headers["access-control-allow-origin"] == "*"
    location = reply.headers["location"]
    assert parse_qs(urlsplit(location).query)["X-Amz-Expires"] == ["43200"]
    fetched = httpx.get(location, headers={"Range": "bytes=10-19"}, timeout=30)
    assert (fetched.status_code, fetched.content) == (206, SOUND[10:20])
    assert fetched.headers["content-type"] == "audio/mpeg"
    assert [(r.status, r.sent, r.range) for r in host.records()] == [(302, 0, "bytes=0-1")]


def test_beside_a_bucket_we_answer_what_needs_no_bytes(bucket_host: Callable[..., Host]) -> None:
    host = bucket_host()
    head = host.ask("HEAD", AUDIO_PATH, ("Range", "bytes=0-1"))
    assert (head.status, head.headers["content-length"]) == (200, str(SIZE))
    assert head.headers["content-type"] == "audio/mpeg"
    assert host.get(AUDIO_PATH, ("If-None-Match", ETAG_OF_SOUND)).status == 304
    # Who was redirected before holds the store's validators: the store judges those of a GET.
    assert host.get(AUDIO_PATH, ("If-Match", '"x"')).status == 302
    assert host.ask("HEAD", AUDIO_PATH, ("If-Match", '"x"')).status == 412
    assert host.get(AUDIO_PATH, ("Range", f"bytes={SIZE}-")).status == 416


def test_a_signature_serves_an_hour_and_ends_with_its_credentials(
    bucket_host: Callable[..., Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = bucket_host()
    now = NOW
    host.instance.clock = lambda: now
    signed: list[str] = []
    identity = "one"

    def url_for(key: str, **_: object) -> str:
        signed.append(key)
        return f"https://bucket.example/{key}?{len(signed)}"

    monkeypatch.setattr(host.instance.storage, "url_for", url_for)
    monkeypatch.setattr(host.instance.storage, "credentials_id", lambda: identity)

    def location() -> str:
        return host.get(AUDIO_PATH).headers["location"][-1]

    assert [location(), location()] == ["1", "1"]
    now += timedelta(minutes=59)
    assert location() == "1"
    now += timedelta(minutes=2)
    assert location() == "2"
    identity = "two"
    now += timedelta(seconds=10)
    assert location() == "3"
    now -= timedelta(hours=2)
    assert location() == "4"


def test_a_public_address_in_front_of_the_bucket_needs_no_signature(
    bucket_host: Callable[..., Host],
) -> None:
    host = bucket_host(PODHOST_AUDIO_URL="https://cdn.example/pods/")
    assert host.get(AUDIO_PATH).headers["location"] == "https://cdn.example/pods/audio/one.mp3"


def test_a_bucket_can_be_streamed_through(
    bucket_host: Callable[..., Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = bucket_host(PODHOST_AUDIO_DELIVERY="stream")
    reply = host.get(AUDIO_PATH)
    assert (reply.status, reply.body) == (200, SOUND)
    assert reply.headers["content-length"] == str(SIZE)
    reply = host.get(AUDIO_PATH, ("Range", "bytes=70000-190000"))
    assert (reply.status, reply.body) == (206, SOUND[70000:190001])
    assert reply.headers["content-range"] == f"bytes 70000-190000/{SIZE}"
    assert [(r.start, r.sent) for r in host.records()] == [(0, SIZE), (70000, 120001)]
    real, opened_at = host.instance.storage.open, []

    def breaks_off(key: str, start: int = 0, end: int | None = None) -> Any:
        opened_at.append(start)
        reader = real(key, start, end)
        if len(opened_at) <= 2:
            reader._left = 65_000
        return reader

    monkeypatch.setattr(host.instance.storage, "open", breaks_off)
    assert host.get(AUDIO_PATH).body == SOUND
    assert opened_at == [0, 65_000, 130_000]


def test_a_bucket_that_lost_the_file_is_503(bucket_host: Callable[..., Host]) -> None:
    host = bucket_host(PODHOST_AUDIO_DELIVERY="stream")
    host.instance.storage.delete("audio/one.mp3")
    assert host.get(AUDIO_PATH).status == 503
    assert [record.status for record in host.records()] == [503]


# Artwork, chapters, transcripts


@pytest.mark.parametrize(
    ("path", "content_type", "body", "cache_control"),
    [
        (
            f"/artwork/{ARTWORK}/600.jpg",
            "image/jpeg",
            b"\xff\xd8picture",
            "public, max-age=31536000, immutable",
        ),
        *(
            (f"/chapters/{EPISODE}.{ending}", content_type, None, "public, max-age=300")
            for ending, content_type in {
                "json": "application/json+chapters",
                "psc": "application/xml",
                "vtt": "text/vtt; charset=utf-8",
                "srt": "application/x-subrip",
                "txt": "text/plain; charset=utf-8",
            }.items()
        ),
        (
            f"/transcripts/{EPISODE}/{TRANSCRIPT}.vtt",
            "text/vtt; charset=utf-8",
            b"WEBVTT\n",
            "public, max-age=300",
        ),
    ],
)
def test_side_files_are_served_with_validators(
    host: Host, path: str, content_type: str, body: bytes | None, cache_control: str
) -> None:
    full = host.get(path)
    assert full.status == 200
    assert full.headers["content-type"] == content_type
    assert full.headers["content-length"] == str(len(full.body))
    assert full.headers["cache-control"] == cache_control
    assert full.headers["access-control-allow-origin"] == "*"
    assert full.headers["x-content-type-options"] == "nosniff"
    assert full.headers["last-modified"] == DATE
    if body is not None:
        assert full.body == body
    with queries(host.instance) as seen:
        head = host.ask("HEAD", path)
        assert (head.status, head.headers, head.body) == (200, full.headers, b"")
        assert host.get(path, ("If-None-Match", full.headers["etag"])).status == 304
        assert host.get(path, ("If-Modified-Since", DATE)).status == 304
        part = host.get(path, ("Range", "bytes=1-3"))
        assert (part.status, part.body) == (206, full.body[1:4])
    assert seen == []
    assert host.records() == []


@pytest.mark.parametrize(
    "path",
    [
        f"/artwork/{ARTWORK}/700.jpg",
        f"/artwork/{'d' * 16}/600.jpg",
        f"/artwork/{ARTWORK}/600.png",
        f"/artwork/{ARTWORK}",
        "/artwork/",
        "/artwork/../../x",
        f"/chapters/{'f' * 16}.json",
        f"/chapters/{EPISODE}.xml",
        f"/chapters/{EPISODE}",
        f"/chapters/{EPISODE}.json.vtt",
        f"/transcripts/{EPISODE}/{TRANSCRIPT}.srt",
        f"/transcripts/{'f' * 16}/{TRANSCRIPT}.vtt",
        f"/transcripts/{EPISODE}/{'f' * 16}.vtt",
    ],
)
def test_there_is_nothing_at_other_side_paths(host: Host, path: str) -> None:
    assert host.get(path).status == 404


def test_a_picture_that_is_smaller_than_asked_for_comes_as_it_is(host: Host) -> None:
    for size in (1400, 3000):
        assert host.get(f"/artwork/{ARTWORK}/{size}.jpg").body == b"\xff\xd8picture"
    assert host.get(f"/artwork/{ARTWORK}/150.jpg").status == 404


def test_artwork_that_storage_lost_is_503(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.instance.storage.delete(f"artwork/{ARTWORK}/600.jpg")
    assert host.get(f"/artwork/{ARTWORK}/600.jpg").status == 503
    assert "is missing" in caplog.text


def test_one_read_answers_all_who_wait_for_it(host: Host) -> None:
    async def together() -> list[Reply]:
        return list(await asyncio.gather(*(host.ask_in_loop("GET", FEED_PATH) for _ in range(20))))

    with queries(host.instance) as seen:
        assert all(reply.body == FEED for reply in asyncio.run(together()))
    assert sum("snapshots" in statement for statement in seen) == 1


def test_both_engines_deliver_the_same(instance: Instance) -> None:
    fill(instance)
    for host in opened(Host(instance)):
        assert host.get(FEED_PATH).body == FEED
        assert host.get(f"/chapters/{EPISODE}.json").status == 200
        assert host.get(f"/transcripts/{EPISODE}/{TRANSCRIPT}.vtt").body == b"WEBVTT\n"
        assert host.get(f"/artwork/{ARTWORK}/600.jpg").body == b"\xff\xd8picture"
        assert host.ask("HEAD", AUDIO_PATH).headers["content-length"] == str(SIZE)


# Over real sockets


class Served:
    """The hot path under a real uvicorn, in a thread, on a free port of loopback."""

    def __init__(self, app: Any, **options: Any) -> None:
        usual = {"http": "httptools", "proxy_headers": False, "access_log": False}
        config = uvicorn.Config(
            app, interface="asgi3", loop="uvloop", log_config=None, lifespan="off",
            timeout_graceful_shutdown=5, **(usual | options),
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        limit_unsent(self.listener)
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))
        self.thread.start()
        wait_for(lambda: self.server.started)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive()
        self.listener.close()


@contextlib.contextmanager
def served(host: Host, **options: Any) -> Iterator[Served]:
    running = Served(host.app, **options)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def large(tmp_path: Path) -> Iterator[tuple[Host, bytes]]:
    """A host whose one audio file is larger than what the kernel buffers."""
    instance = small_instance(tmp_path)
    sound = SOUND * 150  # 30 MB
    fill(instance, with_files=False)
    instance.storage.put_bytes("audio/one.mp3", sound, content_type="audio/mpeg")
    change(instance, Audio, audio(instance).id, "episode", size_bytes=len(sound))
    for host in opened(Host(instance)):
        yield host, sound


def read_headers(connection: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def test_a_download_that_was_cut_goes_on_where_it_stopped(large: tuple[Host, bytes]) -> None:
    host, sound = large
    with served(host) as running:
        with running.connect() as connection:
            connection.sendall(f"GET {AUDIO_PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head, body = read_headers(connection)
            while len(body) < 1_000_000:
                body += connection.recv(65536)
        etag = next(
            line.split(b": ")[1] for line in head.split(b"\r\n") if line.startswith(b"etag")
        ).decode()
        rest = httpx.get(
            f"http://127.0.0.1:{running.port}{AUDIO_PATH}",
            headers={"Range": f"bytes={len(body)}-", "If-Range": etag},
            timeout=PATIENCE_SECONDS,
        )
        assert rest.status_code == 206
        assert body + rest.content == sound
    first, second = sorted(host.records(), key=lambda record: record.start)
    # Whoever hung up is noted too, with what the network took, which is less than the file.
    assert (first.status, first.start) == (200, 0)
    assert len(body) <= first.sent < len(sound)
    assert (second.start, second.sent) == (len(body), len(sound) - len(body))


def test_many_slow_listeners_hold_little_memory_and_slow_no_poll(
    large: tuple[Host, bytes],
) -> None:
    host, _ = large

    def resident_mb() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * 4096 / 1e6

    with served(host) as running, contextlib.ExitStack() as stack:
        url = f"http://127.0.0.1:{running.port}"
        httpx.get(url + FEED_PATH, timeout=PATIENCE_SECONDS)
        before = resident_mb()
        for _ in range(100):
            connection = stack.enter_context(running.connect())
            connection.sendall(f"GET {AUDIO_PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for _ in range(5):
            assert httpx.get(url + FEED_PATH, timeout=PATIENCE_SECONDS).status_code == 200
            time.sleep(0.1)
        # Each holds one piece of 256 KB at most, before it was seen to be slow.
        assert resident_mb() - before < 60
    assert sum(record.kind == "audio" for record in host.records()) == 100


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="this system cannot limit it")
def test_what_the_network_does_not_take_is_not_called_sent(large: tuple[Host, bytes]) -> None:
    host, _ = large
    with served(host) as running:
        with running.connect() as connection:
            connection.sendall(f"GET {AUDIO_PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            read_headers(connection)
            time.sleep(0.5)
        wait_for(lambda: host.spool.backlog)
    (record,) = host.records()
    # Its own buffer took that much. Without the limit it is some 4 MB.
    assert record.sent < 1_500_000


def test_nothing_is_read_ahead_for_a_listener_who_takes_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    real = audio_sources.OpenFile.read_now

    def read_now(file: Any, start: int, length: int) -> Any:
        reads.append(start)
        return real(file, start, length)

    monkeypatch.setattr(audio_sources.OpenFile, "read_now", read_now)

    async def story() -> None:
        is_full = asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            # As uvicorn does: it takes one piece, and the next message has to wait.
            if is_full.is_set():
                await asyncio.sleep(3600)
            if message.get("body"):
                is_full.set()

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(3600)
            raise AssertionError

        app: Any = host.app
        task = asyncio.create_task(app(scope("GET", AUDIO_PATH), receive, send))
        await is_full.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert reads == [0]
    # A server that stops cancels what still runs; the record is kept.
    (record,) = host.records()
    assert 0 < record.sent < SIZE


def test_requests_behind_each_other_on_one_connection_get_their_own_answers(host: Host) -> None:
    request = (
        f"GET {FEED_PATH} HTTP/1.1\r\nHost: x\r\n\r\n"
        f"HEAD {AUDIO_PATH} HTTP/1.1\r\nHost: x\r\n\r\n"
        f"GET {AUDIO_PATH} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-3\r\nConnection: close\r\n\r\n"
    )
    with served(host) as running, running.connect() as connection:
        connection.sendall(request.encode())
        data = b""
        while piece := connection.recv(65536):
            data += piece
    assert data.count(b"HTTP/1.1 ") == 3
    assert FEED in data
    assert data.endswith(b"\r\n\r\n" + SOUND[:4])
    assert b"HTTP/1.1 206 Partial Content" in data


def test_a_304_over_the_wire_has_no_body_and_a_date(host: Host) -> None:
    with served(host) as running:
        url = f"http://127.0.0.1:{running.port}{FEED_PATH}"
        first = httpx.get(url, timeout=PATIENCE_SECONDS)
        assert first.content == FEED
        assert first.headers["content-encoding"] == "gzip"
        known = {"If-None-Match": first.headers["etag"]}
        again = httpx.get(url, headers=known, timeout=PATIENCE_SECONDS)
        assert (again.status_code, again.content) == (304, b"")
        assert "date" in again.headers
        assert "content-length" not in again.headers
        assert "transfer-encoding" not in again.headers


def test_a_file_that_ends_too_early_cuts_the_connection(
    large: tuple[Host, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    host, sound = large
    path = host.instance.storage.local_path("audio/one.mp3")
    assert path is not None
    with served(host) as running, running.connect() as connection:
        connection.sendall(f"GET {AUDIO_PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        _, body = read_headers(connection)
        path.chmod(0o600)
        with path.open("r+b") as file:
            file.truncate(len(sound) - 1000)
        while piece := connection.recv(1 << 20):
            body += piece
    assert len(body) < len(sound)
    assert sound.startswith(body)
    assert "broke off" in caplog.text
