"""Reading addresses of strangers: what is never reached, and what nobody can make last."""

import gzip
import ipaddress
import logging
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from podhost.config import read_settings
from podhost.errors import Forbidden, Invalid, Unavailable
from podhost.fetching import Fetcher, Hop, asked_pause, instance_fetcher
from podhost.fetching.connections import is_public, trusted

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers what the test says for a path, and remembers what was asked."""

    protocol_version = "HTTP/1.1"
    server: "Site"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.sent = self.rfile.read(length)
        self.server.asked.append(self)
        self.server.answers[self.path.partition("?")[0]](self)

    do_HEAD = do_POST = do_GET

    def give(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Site(ThreadingHTTPServer):
    """A server of a stranger, on a free port of loopback."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[Handler] = []
        self.ended = threading.Event()

    @property
    def pair(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.server_port}{path}"

    def handle_error(self, *_: object) -> None:
        """Connections that the other side breaks off are what these tests are about."""


@contextmanager
def serving() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.ended.set()
        site.shutdown()
        site.server_close()
        thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def fetcher(site: Site) -> Iterator[Fetcher]:
    with Fetcher(allowed=(site.pair,), user_agent="podhost/test") as fetcher:
        yield fetcher


@pytest.fixture
def stranger() -> Iterator[Fetcher]:
    """A fetcher that may reach nothing but the internet."""
    with Fetcher(user_agent="podhost/test") as fetcher:
        yield fetcher


def test_it_gives_the_answer_with_its_headers_in_lower_case(site: Site, fetcher: Fetcher) -> None:
    site.answers["/feed"] = lambda handler: handler.give(b"<rss/>", X_One="1", ETag='"a"')
    fetched = fetcher.get(site.url("/feed?a=ü b#part"), max_bytes=6, accept="text/xml")
    assert (fetched.url, fetched.status) == (site.url("/feed?a=%C3%BC%20b"), 200)
    assert (fetched.body, fetched.hops) == (b"<rss/>", ())
    assert (fetched.headers["x-one"], fetched.headers["etag"]) == ("1", '"a"')
    asked = site.asked[0]
    assert (asked.path, asked.headers["Host"]) == ("/feed?a=%C3%BC%20b", site.pair)
    assert asked.headers["User-Agent"] == "podhost/test"
    assert (asked.headers["Accept"], asked.headers["Accept-Encoding"]) == ("text/xml", "gzip")


def test_names_of_files_are_asked_for_byte_by_byte(site: Site, fetcher: Fetcher) -> None:
    # As a Mac writes it: e and an accent, which is another file than é.
    site.answers["/caf%65%CC%81%20x.mp3"] = site.answers["/cafe%CC%81%20x.mp3"] = lambda handler: (
        handler.give(b"ok")
    )
    assert fetcher.get(site.url("/cafe\u0301 x.mp3"), max_bytes=10).body == b"ok"
    assert fetcher.get(site.url("/caf%65%CC%81%20x.mp3"), max_bytes=10).body == b"ok"


@pytest.mark.parametrize("status", [204, 304, 400, 401, 403, 404, 410, 429, 500, 503])
def test_any_status_is_given_back(site: Site, fetcher: Fetcher, status: int) -> None:
    site.answers["/"] = lambda handler: handler.give(b"", status, Retry_After="5")
    fetched = fetcher.get(site.url(), max_bytes=100)
    assert (fetched.status, fetched.headers["retry-after"]) == (status, "5")


def test_a_head_request_and_a_range_are_what_they_are(site: Site, fetcher: Fetcher) -> None:
    site.answers["/"] = lambda handler: handler.give(b"x" * 500, Content_Encoding="gzip")
    fetched = fetcher.get(site.url(), max_bytes=1, method="HEAD")
    assert (fetched.body, fetched.headers["content-length"]) == (b"", "500")
    site.answers["/"] = lambda handler: handler.give(b"0123", 206, Content_Range="bytes 0-3/9")
    fetched = fetcher.get(site.url(), max_bytes=4, headers={"Range": "bytes=0-3"})
    assert (fetched.status, fetched.body) == (206, b"0123")
    assert site.asked[-1].headers["Range"] == "bytes=0-3"
    # Of a packed answer the range would count other bytes.
    assert site.asked[-1].headers["Accept-Encoding"] == "identity"


def test_a_connection_is_kept_and_one_that_was_closed_meanwhile_is_no_failure(
    site: Site, fetcher: Fetcher
) -> None:
    site.answers["/"] = lambda handler: handler.give(b"1")
    for _ in range(3):
        fetcher.get(site.url(), max_bytes=10)
    assert len({asked.client_address for asked in site.asked}) == 1

    def give_and_close(handler: Handler) -> None:
        handler.give(b"2")
        handler.close_connection = True

    site.answers["/"] = give_and_close
    assert [fetcher.get(site.url(), max_bytes=10).body for _ in range(5)] == [b"2"] * 5
    fetcher.close()
    assert fetcher.get(site.url(), max_bytes=10).body == b"2"


# Where it never goes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.255.0.9", "localhost", "LOCALHOST.", "0.0.0.0", "0", "[::1]", "[::]"),
        *("2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "017700000001"),
        *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "168.63.129.16", "192.0.0.192", "100.100.100.200", "[fd00:ec2::254]"),
        *("[::ffff:10.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:8.8.8.8]", "[::127.0.0.1]"),
        *("[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[fe80::1]", "[fec0::1]", "[fc00::1]"),
        *("[ff02::1]", "[2002:7f00:1::]", "[2001::1]", "[2001:db8::1]", "[100::1]", "[5f00::1]"),
        *("224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.9"),
        "user:password@127.0.0.1",
    ],
)
def test_what_is_not_public_is_never_read(stranger: Fetcher, host: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(Forbidden, match="not public"):
            stranger.get(f"{scheme}://{host}/secret?token=1", max_bytes=100)


@pytest.mark.parametrize("address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
def test_what_is_public_may_be_read(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("port", [22, 25, 81, 5432, 6379, 8080])
def test_other_ports_are_never_read(stranger: Fetcher, port: int) -> None:
    with pytest.raises(Forbidden, match=f"port {port}"):
        stranger.get(f"http://8.8.8.8:{port}/", max_bytes=100)
    with pytest.raises(Forbidden):
        stranger.post(f"http://127.0.0.1:{port}/", {"a": "b"})


def test_a_name_with_one_private_address_among_public_ones_is_not_read(
    stranger: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, port: int, **_: object) -> list[object]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("93.184.216.34", "10.0.0.1")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(Forbidden):
        stranger.get("http://rebind.example/", max_bytes=100)


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that says something else the second time is not asked a second time."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *rest: object, **named: object) -> list[object]:
        if host != "rebind.example":
            return list(real(host, port, *rest, **named))  # type: ignore[arg-type]
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    site.answers["/"] = lambda handler: handler.give(b"ok")
    with Fetcher(allowed=("127.0.0.1/32",), user_agent="x") as fetcher:
        assert fetcher.get(site.url(host="rebind.example"), max_bytes=10).body == b"ok"
        assert asked == ["rebind.example"]
        assert site.asked[0].headers["Host"] == f"rebind.example:{site.server_port}"
        fetcher.close()
        with pytest.raises(Forbidden):
            fetcher.get(site.url(host="rebind.example"), max_bytes=10)


def test_a_redirect_into_a_private_network_is_not_followed(site: Site, fetcher: Fetcher) -> None:
    with serving() as inner:
        inner.answers["/"] = lambda handler: handler.give(b"secret")
        for place in (inner.url(), "http://169.254.169.254/latest/", "//[::1]/", "http://10.1/"):
            site.answers["/"] = lambda handler, place=place: handler.give(b"", 302, Location=place)
            with pytest.raises(Forbidden):
                fetcher.get(site.url(), max_bytes=100)
        assert not inner.asked


@pytest.mark.parametrize(
    "place",
    ["file:///etc/passwd", "gopher://a/", "ftp://a.example/", "javascript:1", "http://[::1"],
)
def test_a_redirect_to_what_is_no_address_is_named(
    site: Site, fetcher: Fetcher, place: str
) -> None:
    site.answers["/"] = lambda handler: handler.give(b"", 302, Location=place)
    with pytest.raises(Invalid, match="sends on to what is no address"):
        fetcher.get(site.url(), max_bytes=100)


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.org", "/feed.xml", "file:///etc/passwd", "ftp://example.org/", "http://"),
        *("http:///x", "http://a b/", "http://example.org:0x50/", "http://example.org:70000/"),
        *(
            "https://exa\tmple.org:x/",
            "http://[::1",
            "http://[fe80::1%25eth0]/",
            "http://" + "a" * 9000,
        ),
        *("http://a\\b/", "data:text/xml,<rss/>", "http://.../"),
    ],
)
def test_what_is_no_address_is_refused(stranger: Fetcher, url: str) -> None:
    with pytest.raises(Invalid, match="not an address"):
        stranger.get(url, max_bytes=100)


def test_hosts_that_are_not_there_are_named(stranger: Fetcher) -> None:
    for host in ("nowhere.invalid", "a" * 70 + ".example"):
        with pytest.raises(Unavailable, match="no host called"):
            stranger.get(f"https://{host}/", max_bytes=100)


def test_proxies_of_the_environment_are_not_used(
    site: Site, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    site.answers["/"] = lambda handler: handler.give(b"ok")
    assert fetcher.get(site.url(), max_bytes=10).body == b"ok"


# Redirects --------------------------------------------------------------------------------------


def test_redirects_are_followed_and_recorded(site: Site, fetcher: Fetcher) -> None:
    steps = {"/a": (301, "/b?x=1"), "/b": (302, "//127.0.0.1:{port}/c"), "/c": (308, "d e/f")}
    for path, (status, place) in steps.items():
        place = place.format(port=site.server_port)
        site.answers[path] = lambda handler, status=status, place=place: handler.give(
            b"moved", status, Location=place
        )
    site.answers["/d%20e/f"] = lambda handler: handler.give(b"here")
    fetched = fetcher.get(site.url("/a"), max_bytes=100)
    assert (fetched.url, fetched.body) == (site.url("/d%20e/f"), b"here")
    assert fetched.hops == (
        Hop(site.url("/a"), 301),
        Hop(site.url("/b?x=1"), 302),
        Hop(site.url("/c"), 308),
    )


def test_ten_redirects_are_followed_and_no_more(site: Site, fetcher: Fetcher) -> None:
    for number in range(12):
        site.answers[f"/{number}"] = lambda handler, number=number: handler.give(
            b"", 302, Location=f"/{number - 1}"
        )
    site.answers["/0"] = lambda handler: handler.give(b"end")
    assert len(fetcher.get(site.url("/10"), max_bytes=10).hops) == 10
    with pytest.raises(Unavailable, match="more than 10 times"):
        fetcher.get(site.url("/11"), max_bytes=10)


def test_a_circle_of_redirects_is_told(site: Site, fetcher: Fetcher) -> None:
    site.answers["/a"] = lambda handler: handler.give(b"", 301, Location="/b")
    site.answers["/b"] = lambda handler: handler.give(b"", 301, Location="/a#x")
    with pytest.raises(Unavailable, match="in a circle"):
        fetcher.get(site.url("/a"), max_bytes=10)
    assert len(site.asked) == 2


def test_a_redirect_that_leads_nowhere_is_an_answer(site: Site, fetcher: Fetcher) -> None:
    site.answers["/"] = lambda handler: handler.give(b"x", 301)
    fetched = fetcher.get(site.url(), max_bytes=10)
    assert (fetched.status, fetched.body, fetched.hops) == (301, b"x", ())


def test_secrets_stay_with_the_host_they_are_for(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving() as other, Fetcher(allowed=("127.0.0.0/8",), user_agent="x") as fetcher:
        site.answers["/a"] = lambda handler: handler.give(b"", 302, Location="/b")
        site.answers["/b"] = lambda handler: handler.give(b"", 302, Location=other.url("/c"))
        other.answers["/c"] = lambda handler: handler.give(b"ok")
        url = site.url("/a").replace("//", "//user:p%40ss@")
        fetched = fetcher.get(url, max_bytes=10, headers={"Cookie": "a=b"})
        assert "p%40ss" not in repr(fetched)
    given = [asked.headers["Authorization"] for asked in site.asked]
    assert given == ["Basic dXNlcjpwQHNz"] * 2
    assert [asked.headers["Cookie"] for asked in site.asked] == ["a=b"] * 2
    assert other.asked[0].headers["Authorization"] is other.asked[0].headers["Cookie"] is None
    with pytest.raises(Forbidden) as refused, Fetcher(user_agent="x") as stranger:
        stranger.get("http://user:p%40ss@10.0.0.1/", max_bytes=10)
    for said in (caplog.text, str(refused.value)):
        assert "p%40ss" not in said and "dXNlcjpwQHNz" not in said


def test_a_form_is_sent_and_sent_again_where_a_redirect_says_so(
    site: Site, fetcher: Fetcher
) -> None:
    site.answers["/hub"] = lambda handler: handler.give(b"", 307, Location="/new")
    site.answers["/new"] = lambda handler: handler.give(b"", 303, Location="/done")
    site.answers["/done"] = lambda handler: handler.give(b"done", 202)
    fetched = fetcher.post(site.url("/hub"), {"hub.mode": "publish", "hub.url": "https://a/?b&c"})
    assert (fetched.status, fetched.body) == (202, b"done")
    body = b"hub.mode=publish&hub.url=https%3A%2F%2Fa%2F%3Fb%26c"
    assert [asked.sent for asked in site.asked] == [body, body, b""]
    assert [asked.command for asked in site.asked] == ["POST", "POST", "GET"]
    assert site.asked[0].headers["Content-Type"] == "application/x-www-form-urlencoded"


# Bodies -----------------------------------------------------------------------------------------


def gzipped(body: bytes) -> bytes:
    """Gzip without the time, because these bytes are in the names of tests."""
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzipped(b"hello")),
        ("x-gzip", gzipped(b"he") + gzipped(b"llo")),
        ("GZIP", gzipped(b"hello") + bytes(9)),
        ("deflate", zlib.compress(b"hello")),
        ("identity", b"hello"),
    ],
)
def test_a_packed_body_is_unpacked(
    site: Site, fetcher: Fetcher, coding: str, packed: bytes
) -> None:
    site.answers["/"] = lambda handler: handler.give(packed, Content_Encoding=coding)
    assert fetcher.get(site.url(), max_bytes=5).body == b"hello"


@pytest.mark.parametrize(
    ("coding", "body", "said"),
    [
        ("gzip", b"<rss/>", "cannot be unpacked"),
        ("gzip", gzipped(b"x" * 90)[:-9], "broke off"),
        ("br", b"xyz", "was not asked for"),
        ("gzip, gzip", gzipped(gzipped(b"x")), "was not asked for"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_told(
    site: Site, fetcher: Fetcher, coding: str, body: bytes, said: str
) -> None:
    site.answers["/"] = lambda handler: handler.give(body, Content_Encoding=coding)
    with pytest.raises(Unavailable, match=said):
        fetcher.get(site.url(), max_bytes=100)


def test_a_body_that_is_too_large_is_left_at_once(site: Site, fetcher: Fetcher) -> None:
    written = 0

    def endless(handler: Handler) -> None:
        nonlocal written
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        while not site.ended.is_set():
            written += handler.wfile.write(bytes(10_000))

    site.answers["/"] = endless
    with pytest.raises(Unavailable, match=r"more than podhost reads here: over 50,000 bytes\."):
        fetcher.get(site.url(), max_bytes=50_000)
    site.answers["/"] = lambda handler: handler.give(b"x" * 101)
    with pytest.raises(Unavailable, match="over 100 bytes"):
        fetcher.get(site.url(), max_bytes=100)
    site.answers["/"] = lambda handler: handler.give(b"x" * 101, 404)
    fetched = fetcher.get(site.url(), max_bytes=100)
    assert (fetched.status, len(fetched.body)) == (404, 100)


def test_a_gzip_bomb_stops_early(site: Site, fetcher: Fetcher) -> None:
    packer = zlib.compressobj(9, wbits=31)
    megabyte = bytes(1_000_000)
    # 100 MB of nothing in 100 KB.
    bomb = b"".join(packer.compress(megabyte) for _ in range(100)) + packer.flush()
    site.answers["/"] = lambda handler: handler.give(bomb, Content_Encoding="gzip")
    fetcher.get(site.url("/?warm"), max_bytes=200_000_000, method="HEAD")
    tracemalloc.start()
    try:
        with pytest.raises(Unavailable, match="over 1 MB"):
            fetcher.get(site.url(), max_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()


def test_packed_nothing_that_never_ends_is_left_too(site: Site, fetcher: Fetcher) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        while not site.ended.is_set():
            handler.wfile.write(gzip.compress(b"") * 1000)

    site.answers["/"] = endless
    with pytest.raises(Unavailable, match="more than podhost reads"):
        fetcher.get(site.url(), max_bytes=1000)


@pytest.mark.parametrize("chunk", [b"x", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_slow_answer_ends_with_the_time(site: Site, fetcher: Fetcher, chunk: bytes) -> None:
    def drip(handler: Handler) -> None:
        if chunk == b"x":
            handler.send_response(200)
            handler.end_headers()
        while not site.ended.wait(0.02):
            handler.wfile.write(chunk)

    site.answers["/"] = drip
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=r"too slow: it was not done after 0\.3 seconds"):
        fetcher.get(site.url(), max_bytes=10_000_000, seconds=0.3)
    # It drips for ever, so that any end is one by the time.
    assert time.monotonic() - begun < 40


def test_a_server_that_says_nothing_ends_with_the_time(site: Site, fetcher: Fetcher) -> None:
    site.answers["/"] = lambda handler: bool(site.ended.wait(5))
    with pytest.raises(Unavailable, match="too slow"):
        fetcher.get(site.url(), max_bytes=10, seconds=0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Fetcher(allowed=("127.0.0.1",), user_agent="x") as fetcher,
        pytest.raises(Unavailable, match="too slow"),
    ):
        # It takes the connection, and never begins with TLS.
        port = listener.getsockname()[1]
        fetcher.get(f"https://127.0.0.1:{port}/", max_bytes=10, seconds=0.2)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not HTTP, or none"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP, or none"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "broke off in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", "not HTTP, or none"),
    ],
)
def test_an_answer_that_is_none_is_told(
    site: Site, fetcher: Fetcher, raw: bytes, said: str
) -> None:
    def give(handler: Handler) -> None:
        handler.wfile.write(raw)
        handler.close_connection = True

    site.answers["/"] = give
    with pytest.raises(Unavailable, match=said):
        fetcher.get(site.url(), max_bytes=100)


def test_a_port_without_a_server_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        Fetcher(allowed=("127.0.0.1",), user_agent="x") as fetcher,
        pytest.raises(Unavailable, match="takes no connections"),
    ):
        fetcher.get(f"http://127.0.0.1:{port}/", max_bytes=10)


def test_a_header_that_none_can_carry_is_refused(site: Site, fetcher: Fetcher) -> None:
    with pytest.raises(Invalid, match="header"):
        fetcher.get(site.url(), max_bytes=10, headers={"X": "a\r\nHost: b"})


# TLS --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, signed by itself, with its key."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", "-", "-out", "-"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        capture_output=True,
        check=True,
    )
    path.write_bytes(made.stdout)
    return path


@pytest.fixture
def secure(site: Site, certificate: Path) -> Site:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    site.socket = context.wrap_socket(site.socket, server_side=True)
    site.names = names  # type: ignore[attr-defined]
    site.answers["/"] = lambda handler: handler.give(b"ok")
    return site


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: Site) -> None:
    with (
        Fetcher(allowed=(f"localhost:{secure.server_port}",), user_agent="x") as fetcher,
        pytest.raises(Unavailable, match="localhost has a certificate that is not valid: self"),
    ):
        fetcher.get(secure.url(host="localhost", scheme="https"), max_bytes=10)
    assert not secure.asked


def test_the_certificate_is_that_of_the_name(
    secure: Site, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusted.cache_clear()
    with Fetcher(allowed=("127.0.0.0/8", "::1/128"), user_agent="x") as fetcher:
        fetched = fetcher.get(secure.url(host="localhost", scheme="https"), max_bytes=10)
        assert fetched.body == b"ok" and secure.names == ["localhost"]  # type: ignore[attr-defined]
        with pytest.raises(Unavailable, match="certificate that is not valid: IP address mismatch"):
            fetcher.get(secure.url(scheme="https"), max_bytes=10)
    trusted.cache_clear()


def test_a_server_without_tls_is_told(site: Site, fetcher: Fetcher) -> None:
    with pytest.raises(Unavailable, match="https"):
        fetcher.get(site.url(scheme="https"), max_bytes=10)


# Settings ---------------------------------------------------------------------------------------


def test_an_instance_says_who_asks_and_reaches_what_its_operator_allows(site: Site) -> None:
    site.answers["/"] = lambda handler: handler.give(b"ok")
    given = {"PODHOST_FETCH_ALLOWED": f"10.0.0.0/8, {site.pair} [::1]:80"}
    settings = read_settings(given | {"PODHOST_BASE_URL": "https://pods.example"})
    with instance_fetcher(settings, purpose="feed import") as fetcher:
        fetcher.get(site.url(), max_bytes=10)
        with pytest.raises(Forbidden):
            fetcher.get(site.url(host="localhost"), max_bytes=10)
    with instance_fetcher(read_settings(given)) as fetcher:
        fetcher.get(site.url(), max_bytes=10)
    agents = [asked.headers["User-Agent"].partition(" ")[2] for asked in site.asked]
    assert agents == ["(+https://pods.example; feed import)", ""]


@pytest.mark.parametrize("value", ["example.org", "10.0.0.0/33", "a:0", "a:99999", "*", "a/b:80"])
def test_what_allows_nothing_is_refused(value: str) -> None:
    with pytest.raises(Invalid, match="PODHOST_FETCH_ALLOWED"):
        read_settings({"PODHOST_FETCH_ALLOWED": value})


@pytest.mark.parametrize(
    ("asked", "date", "seconds"),
    [
        ("120", "", 120),
        (" 0 ", "", 0),
        ("", "", 0),
        ("-5", "", 0),
        ("soon", "Tue, 05 Mar 2024 09:05:00 GMT", 0),
        ("9" * 5000, "", 999_999_999),
        ("Tue, 05 Mar 2024 09:06:00 GMT", "Tue, 05 Mar 2024 09:05:00 GMT", 60),
        ("Tue, 05 Mar 2024 09:06:00 -0000", "Tue, 05 Mar 2024 10:05:00 +0100", 60),
        ("Tue, 05 Mar 2024 09:04:00 GMT", "Tue, 05 Mar 2024 09:05:00 GMT", 0),
        ("Tue, 05 Mar 2024 09:06:00 GMT", "", 0),
        ("Mon, 99 Foo 0000 99:99", "Tue, 05 Mar 2024 09:05:00 GMT", 0),
    ],
)
def test_a_pause_is_asked_for_in_seconds_or_as_a_date(asked: str, date: str, seconds: int) -> None:
    headers = {"retry-after": asked, "date": date}
    assert asked_pause(headers).total_seconds() == seconds
