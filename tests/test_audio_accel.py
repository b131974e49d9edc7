"""Audio that a proxy sends: what podhost tells it, and what a real nginx makes of that."""

import contextlib
import re
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest

from podhost.config import read_settings
from podhost.errors import Invalid
from podhost.serving.connections import Connections, Limits, protocol_class
from tests.catalogue.test_catalogue import AUDIO_PATH, SOUND, fill
from tests.proxies import free_port, needs_nginx, running_nginx
from tests.web.test_delivery import Host, opened, served, small_instance

OPERATE = Path(__file__).parent.parent / "docs" / "operate.md"
SIZE = len(SOUND)


def accelerated(folder: Path, setting: str) -> Iterator[Host]:
    instance = small_instance(folder, PODHOST_AUDIO_ACCEL=setting)
    fill(instance)
    yield from opened(Host(instance))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    yield from accelerated(tmp_path, "/protected/")


@pytest.mark.parametrize(
    "value", ["protected", "/protected", "protected/", "/", "/a//b/", "/../", "/a b/", "/%41/", "X"]
)
def test_what_is_no_internal_location_stops_the_start(value: str) -> None:
    with pytest.raises(Invalid, match="PODHOST_AUDIO_ACCEL"):
        read_settings({"PODHOST_AUDIO_ACCEL": value})


def test_the_proxy_is_told_what_to_send(host: Host) -> None:
    reply = host.get(AUDIO_PATH, ("Range", "bytes=10-19"))
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["x-accel-redirect"] == "/protected/audio/one.mp3"
    assert reply.headers["content-length"] == "0"
    assert "content-range" not in reply.headers
    (record,) = host.records()
    # Nobody here knows what the proxy sends; the record does not pretend to.
    assert (record.sender, record.sent) == ("proxy", 0)
    assert (record.status, record.start, record.range) == (206, 10, "bytes=10-19")


def test_other_servers_get_the_path_of_the_file(tmp_path: Path) -> None:
    for host in accelerated(tmp_path, "x-sendfile"):
        reply = host.get(AUDIO_PATH)
        assert Path(reply.headers["x-sendfile"]).read_bytes() == SOUND
        assert reply.headers["content-type"] == "audio/mpeg"


@pytest.mark.parametrize(
    ("method", "header", "status"),
    [
        ("HEAD", ("Range", "bytes=0-1"), 200),
        ("GET", ("If-None-Match", "*"), 304),
        ("GET", ("If-Match", '"other"'), 412),
        ("GET", ("Range", f"bytes={SIZE}-"), 416),
        # The proxy would judge these by validators of its own.
        ("GET", ("If-Match", "*"), 200),
        ("GET", ("If-Unmodified-Since", formatdate(4e9, usegmt=True)), 200),
        # And it has rules of its own for these.
        ("GET", ("Range", "bytes=5-4"), 200),
        ("GET", ("Range", "bytes=0-5,6-9"), 206),
    ],
)
def test_what_is_decided_already_is_answered_by_us(
    host: Host, method: str, header: tuple[str, str], status: int
) -> None:
    reply = host.ask(method, AUDIO_PATH, header)
    assert reply.status == status
    assert "x-accel-redirect" not in reply.headers
    assert all(record.sender == "" for record in host.records())


# A real nginx, as docs/operate.md configures it


def documented(mark: str) -> str:
    """The one block of docs/operate.md for nginx that says `mark`."""
    blocks = re.findall(r"```nginx\n(.*?)```", OPERATE.read_text(), re.S)
    (block,) = [block for block in blocks if mark in block]
    assert isinstance(block, str)
    return block


def locations_of(storage: Path) -> str:
    locations = documented("/protected/")
    assert locations.count("/var/lib/podhost/storage/") == 1
    return locations.replace("/var/lib/podhost/storage/", f"{storage}/")


@contextlib.contextmanager
def edge_nginx(port: int, storage: Path, folder: Path) -> Iterator[str]:
    """The server of the static edge, which sends audio as well."""
    own = free_port()
    server = documented("root /var/lib/podhost/storage/public;")
    server = server.replace("/var/lib/podhost/storage/public", f"{storage}/public")
    server = server.replace("listen 80;", f"listen 127.0.0.1:{own};")
    server = server.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    server = server.rstrip().removesuffix("}") + locations_of(storage) + "}"
    configuration = f"events {{ }} http {{ access_log off; {server} }}"
    with running_nginx(configuration, folder, own):
        yield f"http://127.0.0.1:{own}"


@contextlib.contextmanager
def nginx(port: int, storage: Path, folder: Path) -> Iterator[str]:
    locations = locations_of(storage)
    own = free_port()
    configuration = f"""
        events {{ }}
        http {{
            access_log off;
            server {{
                listen 127.0.0.1:{own};
                location / {{
                    proxy_pass http://127.0.0.1:{port};
                    proxy_http_version 1.1;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                }}
                {locations}
            }}
        }}"""
    with running_nginx(configuration, folder, own):
        yield f"http://127.0.0.1:{own}"


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, str, str]]:
    """A podhost, its address behind nginx, and that of one without any proxy."""
    folder = tmp_path_factory.mktemp("accel")
    (folder / "plain").mkdir()
    with contextlib.ExitStack() as stack:
        urls = []
        for host in accelerated(folder, "/protected/"):
            file = host.instance.storage.local_path("audio/one.mp3")
            assert file is not None
            http = protocol_class(Connections(Limits()))
            running = stack.enter_context(served(host, http=http))
            urls.append(stack.enter_context(nginx(running.port, file.parent.parent, folder)))
            plain = small_instance(folder / "plain")
            fill(plain)
            for other in opened(Host(plain)):
                urls.append(f"http://127.0.0.1:{stack.enter_context(served(other)).port}")
                yield host, urls[0], urls[1]
                stack.close()


def told(answer: httpx.Response) -> dict[str, str]:
    """What an app goes by."""
    names = (
        "etag", "last-modified", "content-length", "content-range", "content-type",
        "cache-control", "accept-ranges", "access-control-allow-origin",
        "access-control-expose-headers",
    )  # fmt: skip
    return {name: answer.headers[name] for name in names if name in answer.headers}


ETAG = "<our tag>"
TABLE: list[tuple[str, dict[str, str]]] = [
    ("GET", {}),
    ("HEAD", {}),
    ("GET", {"Range": "bytes=0-1"}),
    ("GET", {"Range": "bytes=100-"}),
    ("GET", {"Range": "bytes=-7"}),
    ("GET", {"Range": "bytes=5-4"}),
    ("GET", {"Range": "bytes=0-9,500-509"}),
    ("GET", {"Range": "bytes=0-9,10-19"}),
    ("GET", {"Range": f"bytes={SIZE}-"}),
    ("GET", {"If-None-Match": ETAG}),
    ("GET", {"If-None-Match": '"older"'}),
    ("GET", {"If-Modified-Since": formatdate(4e9, usegmt=True)}),
    ("GET", {"If-Modified-Since": formatdate(1e9, usegmt=True)}),
    ("GET", {"If-Match": ETAG}),
    ("GET", {"If-Match": '"other"'}),
    ("GET", {"If-Range": ETAG, "Range": "bytes=7-9"}),
    ("GET", {"If-Range": '"older"', "Range": "bytes=7-9"}),
    ("HEAD", {"If-None-Match": ETAG}),
]


@needs_nginx
@pytest.mark.parametrize(("method", "headers"), TABLE)
def test_apps_cannot_tell_who_sends_the_file(
    sites: tuple[Host, str, str], method: str, headers: dict[str, str]
) -> None:
    _, *urls = sites
    etag = httpx.head(urls[1] + AUDIO_PATH, timeout=60).headers["etag"]
    headers = {name: etag if value == ETAG else value for name, value in headers.items()}
    with_nginx, without = (
        httpx.request(method, url + AUDIO_PATH, headers=headers, timeout=60) for url in urls
    )
    assert with_nginx.status_code == without.status_code
    assert told(with_nginx) == told(without)
    assert with_nginx.content == without.content
    assert "x-accel-redirect" not in with_nginx.headers


@needs_nginx
def test_a_file_that_nginx_cannot_find_is_no_missing_episode(sites: tuple[Host, str, str]) -> None:
    host, url, _ = sites
    path = host.instance.storage.local_path("audio/one.mp3")
    assert path is not None
    away = path.rename(path.with_suffix(".away"))
    try:
        assert httpx.get(url + AUDIO_PATH, timeout=60).status_code == 503
    finally:
        away.rename(path)


@needs_nginx
def test_the_same_is_so_in_the_server_of_the_static_edge(
    sites: tuple[Host, str, str], tmp_path: Path
) -> None:
    host, _, plain = sites
    path = host.instance.storage.local_path("audio/one.mp3")
    assert path is not None
    http = protocol_class(Connections(Limits()))
    with (
        served(host, http=http) as running,
        edge_nginx(running.port, path.parent.parent, tmp_path) as url,
    ):
        sent, plainly = (httpx.get(one + AUDIO_PATH, timeout=60).content for one in (url, plain))
        assert sent == plainly
        away = path.rename(path.with_suffix(".away"))
        try:
            assert httpx.get(url + AUDIO_PATH, timeout=60).status_code == 503
        finally:
            away.rename(path)


@needs_nginx
def test_the_internal_location_is_closed_to_everybody(sites: tuple[Host, str, str]) -> None:
    _, url, _ = sites
    assert httpx.get(url + "/protected/audio/one.mp3", timeout=60).status_code in (403, 404, 503)
