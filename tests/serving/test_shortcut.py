"""Answers that skip ASGI are the same as those that do not, and so is everything around them."""

import asyncio
import contextlib
import logging
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from podhost.downloads import Record
from podhost.instance import Instance
from podhost.models import Audio, Episode, Show, ShowSlug
from podhost.serving.connections import Connections, Limits, protocol_class
from podhost.serving.shortcut import ShortcutProtocol
from podhost.web.delivery import Delivery
from tests.catalogue.test_catalogue import (
    ARTWORK,
    AUDIO_PATH,
    EPISODE,
    FEED,
    FEED_PATH,
    SHOW,
    TRANSCRIPT,
    audio,
    fill,
)
from tests.waiting import wait_for
from tests.web.test_delivery import Host, Served, opened, small_instance

GZIP = "Accept-Encoding: gzip"
CHAPTERS = f"/chapters/{EPISODE}.json"
MOVED = "8" * 16
MOVED_AUDIO = f"/audio/{MOVED}/1/low-water.mp3"


class Ways:
    """A podhost's application that counts the requests which took the long way."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self.answer_now = delivery.answer_now
        self.long = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.long += 1
        await self._delivery(scope, receive, send)


class Server:
    """A podhost over real sockets, with our protocol or with uvicorn's own."""

    def __init__(self, folder: Path, http: Any, **options: Any) -> None:
        folder.mkdir()
        instance = small_instance(folder)
        fill(instance)
        with instance.database.write() as session:
            session.get_one(Show, SHOW).slug = "tide"
            session.add(ShowSlug(slug="older", show_id=SHOW))
            session.add(moved_show(instance))
            session.flush()
            session.add(moved_episode(instance))
            session.flush()
            session.add(moved_audio(instance))
        self.host = Host(instance)
        self.ways = Ways(self.host.app)
        self.served = Served(self.ways, http=http, **options)
        # So that all is in memory that can be.
        for path in (FEED_PATH, AUDIO_PATH, CHAPTERS, MOVED_AUDIO):
            self.ask(request("GET", path))
        self.host.records()
        self.ways.long = 0

    def ask(self, data: bytes) -> bytes:
        """What comes back for these bytes, until the server closes."""
        with self.served.connect() as connection:
            connection.sendall(data)
            return read_all(connection)

    def records(self, expected: int = 0) -> list[Record]:
        """What was noted since the last time; a download in pieces is noted after its end."""
        deadline = time.monotonic() + 40
        while self.host.spool.backlog < expected and time.monotonic() < deadline:
            time.sleep(0.01)
        found = self.host.records()
        for record in found:
            record.t = 0
        return found

    def close(self) -> None:
        self.served.stop()
        for _ in opened(self.host):
            pass


def moved_show(instance: Instance) -> Show:
    now = instance.now()
    return Show(
        id=MOVED, slug="gone", title="Gone", categories=[], podcast_guid="m", created_at=now,
        changed_at=now, redirect_to="https://new.example/feed.xml",
    )  # fmt: skip


def moved_episode(instance: Instance) -> Episode:
    now = instance.now()
    return Episode(
        id=MOVED, show_id=MOVED, guid="guid", slug="low-water", title="Low water",
        status="published", published_at=now, created_at=now, changed_at=now,
        moved_audio_url="https://new.example/a.mp3",
    )  # fmt: skip


def moved_audio(instance: Instance) -> Audio:
    found = audio(instance, 1, "audio/moved.mp3")
    found.id, found.episode_id = MOVED, MOVED
    return found


def request(method: str, path: str, *lines: str, version: str = "1.1", close: bool = True) -> bytes:
    head = [f"{method} {path} HTTP/{version}", "Host: pod.example", *lines]
    if close:
        head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode("latin-1")


def read_all(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(1 << 20):
        data += piece
    return data


def undated(answer: bytes) -> bytes:
    """The answer with the one thing removed that may differ."""
    undated, count = re.subn(rb"\r\ndate: [^\r]+ GMT", b"", answer)
    assert count == answer.count(b"HTTP/1.1 "), "each answer has one date"
    return undated


@pytest.fixture
def both(pair: tuple[Server, Server]) -> tuple[Server, Server]:
    for server in pair:
        server.records()
    return pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    folder = tmp_path_factory.mktemp("both")
    ours = Server(folder / "ours", protocol_class(Connections(Limits())))
    plain = Server(folder / "plain", HttpToolsProtocol)
    yield ours, plain
    ours.close()
    plain.close()


ETAG = "If-None-Match: *"
SHORT = [
    request("GET", FEED_PATH, GZIP),
    request("GET", FEED_PATH),
    request("GET", FEED_PATH + "?_from=app", GZIP),
    request("GET", f"http://pod.example{FEED_PATH}", GZIP),
    request("HEAD", FEED_PATH, GZIP),
    request("HEAD", FEED_PATH),
    request("GET", FEED_PATH, GZIP, ETAG),
    request("GET", FEED_PATH, ETAG),
    request("GET", FEED_PATH, "If-Match: W/x"),
    request("GET", FEED_PATH, GZIP, "If-None-Match: a", ETAG),
    request("GET", FEED_PATH, GZIP, version="1.0", close=False),
    request("GET", FEED_PATH, GZIP, "Connection: keep-alive", version="1.0", close=False),
    request("GET", FEED_PATH, "Expect: 100-continue"),
    request("OPTIONS", FEED_PATH, "Origin: https://web.example"),
    request("DELETE", FEED_PATH),
    request("GET", "/older/feed.xml"),
    request("GET", "/older/feed.json"),
    request("GET", "/gone/feed.xml", GZIP, ETAG),
    request("HEAD", "/gone/feed.xml"),
    request("GET", MOVED_AUDIO, "Range: bytes=0-1"),
    request("HEAD", MOVED_AUDIO),
    request("GET", "/nobody/feed.xml"),
    request("HEAD", "/nobody/feed.xml"),
    request("HEAD", AUDIO_PATH),
    request("HEAD", AUDIO_PATH, "Range: bytes=0-1"),
    request("GET", AUDIO_PATH, ETAG),
    request("GET", AUDIO_PATH, "If-Match: W/x"),
    request("GET", AUDIO_PATH, "Range: bytes=999999999-"),
    request("GET", "/audio/x"),
    request("GET", AUDIO_PATH + "x"),
    request("OPTIONS", AUDIO_PATH),
    request("GET", CHAPTERS),
    request("GET", CHAPTERS, "Range: bytes=1-4"),
    request("GET", CHAPTERS, "Range: bytes=99999-"),
    request("GET", CHAPTERS, ETAG),
    request("HEAD", CHAPTERS),
    request("GET", "/chapters/no"),
]
LONG = [
    request("GET", "/"),
    request("POST", "/api/v1/shows", "Content-Length: 2") + b"{}",
    request("GET", FEED_PATH, GZIP, "Content-Length: 3") + b"abc",
    request("GET", FEED_PATH, GZIP, "Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\n\r\n",
    request("GET", FEED_PATH.replace("t", "%74", 1), GZIP),
    request("GET", FEED_PATH, "Connection: Upgrade", "Upgrade: h2c", close=False)[:-2]
    + b"Connection: close\r\n\r\n",
    request("GET", AUDIO_PATH),
    request("HEAD", AUDIO_PATH + "?download=1"),
    request("GET", f"/transcripts/{EPISODE}/{'0' * 16}.vtt"),
]
EITHER = [
    # Known to be unknown from the second time on.
    request("GET", f"/audio/{'0' * 16}/1/x.mp3"),
    # In memory or not, as the file system and the cache have it.
    request("GET", AUDIO_PATH, "Range: bytes=10-65545"),
    request("GET", AUDIO_PATH, "Range: bytes=0-1", "Referer: https://web.example/secret"),
    request("GET", AUDIO_PATH, "Range: bytes=-5", "Sec-Purpose: prefetch", "User-Agent: A\tB "),
    request("GET", f"/transcripts/{EPISODE}/{TRANSCRIPT}.vtt"),
    request("GET", f"/artwork/{ARTWORK}/600.jpg"),
]


def name(data: bytes) -> str:
    return re.sub(r"[^A-Za-z0-9/=*.-]+", " ", data.split(b"\r\n\r\n")[0].decode())


@pytest.mark.parametrize("data", SHORT + LONG + EITHER, ids=name)
def test_both_ways_give_the_same_bytes_and_records(
    both: tuple[Server, Server], data: bytes
) -> None:
    answers = [undated(server.ask(data)) for server in both]
    assert answers[0] == answers[1]
    assert answers[0].startswith(b"HTTP/1.1 ")
    is_streamed = data == request("GET", AUDIO_PATH)
    plain = both[1].records(int(is_streamed))
    assert both[0].records(len(plain)) == plain


@pytest.mark.parametrize("data", SHORT, ids=name)
def test_what_is_in_memory_needs_no_task(both: tuple[Server, Server], data: bytes) -> None:
    server, _ = both
    before = server.ways.long
    assert server.ask(data)
    assert server.ways.long == before


@pytest.mark.parametrize("data", LONG, ids=name)
def test_everything_else_goes_on_as_usual(both: tuple[Server, Server], data: bytes) -> None:
    server, _ = both
    before = server.ways.long
    assert server.ask(data)
    assert server.ways.long == before + 1


def test_requests_sent_ahead_are_answered_in_their_order(both: tuple[Server, Server]) -> None:
    whole = request("GET", AUDIO_PATH, close=False)
    poll = request("GET", FEED_PATH, GZIP, close=False)
    head = request("HEAD", FEED_PATH, close=False)
    post = request("POST", "/x", "Content-Length: 2", close=False) + b"{}"
    last = request("GET", FEED_PATH, ETAG)
    data = poll + head + whole + poll + post + head + poll + poll + whole + last
    # Nothing behind the last one is answered: it asked for the end.
    data += poll + post + whole
    ours, plain = (undated(server.ask(data)) for server in both)
    assert ours == plain
    assert ours.count(b"HTTP/1.1 ") == 10
    first, second = (server.records(9) for server in both)
    assert first == second
    assert len(first) == 9


UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")
POLL = request("GET", FEED_PATH, GZIP, close=False)
LAST = request("GET", FEED_PATH, GZIP)


@pytest.mark.parametrize("is_in_pieces", [False, True])
@pytest.mark.parametrize(
    ("first", "status"),
    [
        (request("GET", FEED_PATH, *UPGRADE, close=False), b"200"),
        (request("POST", FEED_PATH, *UPGRADE, "Content-Length: 0", close=False), b"405"),
        (
            request("POST", FEED_PATH, *UPGRADE, f"Content-Length: {len(POLL)}", close=False)
            + POLL,
            b"405",
        ),
        (
            request("POST", FEED_PATH, *UPGRADE, "Transfer-Encoding: chunked", close=False)
            + b"%x\r\n%b\r\n0\r\n\r\n" % (len(POLL), POLL),
            b"405",
        ),
    ],
    ids=["GET", "empty", "length", "chunked"],
)
def test_a_body_behind_an_ignored_upgrade_is_no_request(
    both: tuple[Server, Server], first: bytes, status: bytes, is_in_pieces: bool
) -> None:
    server, _ = both
    data = first * 30 + LAST
    with server.served.connect() as connection:
        for start in range(0, len(data), 97 if is_in_pieces else len(data)):
            connection.sendall(data[start : start + (97 if is_in_pieces else len(data))])
            time.sleep(0.0005)
        answer = read_all(connection)
    statuses = re.findall(rb"HTTP/1.1 ([0-9]+)", answer)
    assert statuses == [status] * 30 + [b"200"]


def test_behind_a_request_that_asks_to_close_nothing_is_answered_or_noted(
    both: tuple[Server, Server],
) -> None:
    poll = request("GET", FEED_PATH, ETAG, close=False)
    redirect = request("GET", AUDIO_PATH, "Range: bytes=0-1", close=False)
    for server in both:
        answer = server.ask(request("GET", FEED_PATH, ETAG) + poll + redirect)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert len(server.records(1)) == 1


def test_a_body_of_no_known_length_behind_an_upgrade_is_refused(
    both: tuple[Server, Server], caplog: pytest.LogCaptureFixture
) -> None:
    server, _ = both
    data = request("POST", "/x", *UPGRADE, "Transfer-Encoding: chunked, x", close=False) + POLL
    answer = server.ask(data)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert "Traceback" not in caplog.text


def test_a_request_in_many_pieces_is_one_request(both: tuple[Server, Server]) -> None:
    server, _ = both
    data = request("GET", FEED_PATH, GZIP)
    with server.served.connect() as connection:
        for start in range(0, len(data), 7):
            connection.sendall(data[start : start + 7])
            time.sleep(0.001)
        answer = read_all(connection)
    assert undated(answer) == undated(server.ask(data))


def test_who_takes_nothing_is_not_sent_more(tmp_path: Path) -> None:
    with contextlib.closing(Server(tmp_path / "ours", ShortcutProtocol)) as server:
        feed = server.host.catalogue.feeds[FEED_PATH]
        feed.whole[True].body = bytes(200_000)
        feed.whole[True].block.lines = b"content-length: 200000\r\n"
        feed.whole[True].block.headers = ((b"content-length", b"200000"),)
        with server.served.connect() as connection:
            connection.sendall(request("GET", FEED_PATH, GZIP, close=False) * 300)
            # Once the kernel takes no more, requests wait for their turn as ever.
            wait_for(lambda: server.ways.long)
            time.sleep(0.1)
            assert len(server.records()) < 100
            connection.sendall(request("GET", "/", close=True))
            answer = read_all(connection)
        assert answer.count(b"HTTP/1.1 200") == 300
        assert answer.endswith(b"the application behind\r\n0\r\n\r\n")


def forwarded(*values: str) -> list[str]:
    return [f"X-Forwarded-For: {value}" for value in values]


@pytest.mark.parametrize(
    ("lines", "host"),
    [
        ([], "127.0.0.1"),
        (forwarded("203.0.113.7"), "203.0.113.7"),
        (forwarded("203.0.113.7, 10.1.2.3"), "203.0.113.7"),
        (forwarded("6.6.6.6, 203.0.113.7, 10.1.2.3, 127.0.0.1"), "203.0.113.7"),
        (forwarded("6.6.6.6", "203.0.113.8:4711, 10.9.9.9"), "203.0.113.8"),
        (forwarded("[2001:db8::1]:99"), "2001:db8::1"),
        (forwarded("10.1.1.1, 10.1.1.2"), "10.1.1.1"),
        (forwarded(""), "127.0.0.1"),
        (forwarded("nonsense"), "nonsense"),
        (forwarded(","), "127.0.0.1"),
        (forwarded("::ffff:10.0.0.1"), "::ffff:10.0.0.1"),
    ],
)
def test_behind_a_trusted_proxy_the_address_is_uvicorns(
    proxied: tuple[Server, Server], lines: list[str], host: str
) -> None:
    for server in proxied:
        server.ask(request("GET", FEED_PATH, GZIP, *lines))
        server.ask(request("HEAD", AUDIO_PATH, *lines))
    ours, plain = ([r.ip for r in server.records()] for server in proxied)
    assert ours == plain == [host, host]
    assert proxied[0].ways.long == 0


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    folder = tmp_path_factory.mktemp("proxied")
    trust = {"proxy_headers": True, "forwarded_allow_ips": ["127.0.0.0/8", "10.0.0.0/8"]}
    ours = Server(folder / "ours", ShortcutProtocol, **trust)
    plain = Server(folder / "plain", HttpToolsProtocol, **trust)
    yield ours, plain
    ours.close()
    plain.close()


def test_a_forwarded_address_of_a_stranger_is_not_believed(
    both: tuple[Server, Server],
) -> None:
    server, _ = both
    server.ask(request("GET", FEED_PATH, GZIP, *forwarded("203.0.113.7")))
    assert [record.ip for record in server.records()] == ["127.0.0.1"]


def test_a_forwarded_address_is_not_believed_where_others_are_trusted(tmp_path: Path) -> None:
    trust = {"proxy_headers": True, "forwarded_allow_ips": ["10.0.0.0/8"]}
    with contextlib.closing(Server(tmp_path / "ours", ShortcutProtocol, **trust)) as server:
        server.ask(request("GET", FEED_PATH, GZIP, *forwarded("203.0.113.7")))
        assert [record.ip for record in server.records()] == ["127.0.0.1"]
        assert server.ways.long == 0


def test_a_mistake_at_once_is_answered_the_long_way(
    both: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server, _ = both
    monkeypatch.setattr(server.host.catalogue, "find_episode", lambda _: 1 / 0)
    with caplog.at_level(logging.ERROR):
        answer = server.ask(request("GET", AUDIO_PATH))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert caplog.text.count("ZeroDivisionError") == 1


def short_lived(tmp_path: Path, limits: Limits, keep_alive: int) -> Server:
    protocol = protocol_class(Connections(limits))
    return Server(tmp_path / "ours", protocol, timeout_keep_alive=keep_alive)


def read_answer(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, "the connection was closed"
        data += piece
    return data


def test_an_idle_connection_is_closed_after_its_keep_alive_time(tmp_path: Path) -> None:
    poll = request("GET", FEED_PATH, GZIP, ETAG, close=False)
    with contextlib.closing(short_lived(tmp_path, Limits(header_timeout_seconds=0.6), 3)) as server:
        with server.served.connect() as connection:
            # Neither the first request nor a pause between two is taken for a late header.
            for _ in range(2):
                connection.sendall(poll)
                assert b" 304 " in read_answer(connection)
                time.sleep(0.9)
            connection.sendall(poll)
            assert b" 304 " in read_answer(connection)
            assert connection.recv(10) == b""
        assert server.ways.long == 0


def test_keep_alive_does_not_end_a_long_answer_behind_a_short_one(tmp_path: Path) -> None:
    poll = request("GET", FEED_PATH, GZIP, ETAG, close=False)
    with contextlib.closing(short_lived(tmp_path, Limits(), 1)) as server:
        behind = server.host.app._app

        async def slow(*arguments: Any) -> None:
            await asyncio.sleep(1.5)
            await behind(*arguments)

        server.host.app._app = slow
        answer = server.ask(poll + request("GET", "/"))
        assert answer.count(b"HTTP/1.1 ") == 2
        assert b"the application behind" in answer


def test_a_slow_header_behind_an_answer_is_still_late(tmp_path: Path) -> None:
    with contextlib.closing(short_lived(tmp_path, Limits(header_timeout_seconds=1), 30)) as server:
        with server.served.connect() as connection:
            connection.sendall(request("GET", FEED_PATH, GZIP, ETAG, close=False))
            assert b" 304 " in read_answer(connection)
            connection.sendall(b"GET /tide/feed")
            assert b" 408 " in read_answer(connection)
        # Line breaks between requests are no way to stay for ever.
        with server.served.connect() as connection:
            connection.sendall(request("GET", FEED_PATH, GZIP, ETAG, close=False))
            assert b" 304 " in read_answer(connection)
            connection.sendall(b"\r\n")
            assert connection.recv(10) == b""


def test_shutdown_closes_what_was_only_kept_alive(tmp_path: Path) -> None:
    server = Server(tmp_path / "ours", ShortcutProtocol)
    with server.served.connect() as connection:
        connection.sendall(request("GET", FEED_PATH, GZIP, ETAG, close=False))
        assert b" 304 " in read_answer(connection)
        assert server.served.server.server_state.total_requests == 5
        server.close()
        assert connection.recv(10) == b""


def test_uvicorn_without_our_protocol_serves_the_same_application(
    both: tuple[Server, Server],
) -> None:
    _, plain = both
    before = plain.ways.long
    answer = plain.ask(request("GET", FEED_PATH))
    assert answer.endswith(b"\r\n\r\n" + FEED)
    assert plain.ways.long == before + 1
