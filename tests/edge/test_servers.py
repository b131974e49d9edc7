"""nginx and Caddy in front of podhost, with the configurations of docs/operate.md as they stand."""

import json
import re
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from podhost.config import read_settings
from podhost.db import Database, migrate
from podhost.instance import open_instance
from podhost.worker import run_due_jobs
from tests.making import make_show
from tests.proxies import (
    free_port,
    needs_caddy,
    needs_nginx,
    running_caddy,
    running_nginx,
)
from tests.running import Running, run_command
from tests.servers import S3Server

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operate.md").read_text(encoding="utf-8")
VTT = b"WEBVTT\n\n00:00.000 --> 00:02.000\nHello.\n"
SERVERS = [
    pytest.param("nginx", marks=needs_nginx),
    pytest.param("caddy", marks=needs_caddy),
]
# What a listener must not notice a difference in.
SAME_HEADERS = (
    "content-type",
    "content-encoding",
    "cache-control",
    "vary",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "x-content-type-options",
    "content-security-policy",
)


def documented(heading: str, **replaced: str) -> str:
    """The configuration below a heading, with other addresses and folders."""
    section = DOCUMENT.split(f"\n### {heading}\n")[1].split("\n### ")[0].split("\n## ")[0]
    text = re.findall(r"```(?:nginx|caddyfile)\n(.*?)```", section, re.DOTALL)[0]
    for old, new in replaced.items():
        name = {
            "root": "/var/lib/podhost/storage/public",
            "podhost": "127.0.0.1:8000",
            "listen": "listen 80;",
            "site": "podcasts.example.org {",
            "bucket": "server bucket.example.net:80;",
            "prefix": "/podcasts/podhost/public",
            "cache": "/var/cache/nginx/podhost",
        }[old]
        assert name in text, f"the configuration no longer says {name!r}"
        text = text.replace(name, new)
    return text


class Host:
    """One podhost with the static edge on, and nginx and Caddy in front of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.urls: dict[str, str] = {}
        self.settings = {
            "PODHOST_DATA": str(folder),
            "PODHOST_BASE_URL": "https://podcasts.example.org",
            "PODHOST_STATIC_EDGE": "on",
        }
        assert run_command("migrate", environment=self.settings).returncode == 0
        run_command("account", "create", "ann@example.org", environment=self.settings)
        made = run_command("token", "create", "--json", environment=self.settings)
        self.start()
        self.api = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/api/v1/",
            headers={"Authorization": f"Bearer {json.loads(made.stdout)['token']}"},
            timeout=60,
        )

    def start(self) -> None:
        self.running = Running(["serve", "--port", str(self.port)], self.settings)
        self.running.wait_until_ready()

    def get(self, path: str, server: str = "podhost", **headers: str) -> httpx.Response:
        """What `path` is answered with by nginx, Caddy or podhost itself; never redirected."""
        return self.ask("GET", path, server, **headers)

    def ask(
        self, method: str, path: str, server: str = "podhost", **headers: str
    ) -> httpx.Response:
        url = self.urls.get(server, f"http://127.0.0.1:{self.port}")
        lines = {name.replace("_", "-"): value for name, value in headers.items()}
        with httpx.Client(timeout=60) as client:
            return client.request(method, url + path, headers={"Accept-Encoding": "gzip"} | lines)

    def file(self, path: str) -> Path:
        return self.folder / "storage" / "public" / path.lstrip("/")

    def wait(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not is_so():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.02)

    def make_show(self, **given: Any) -> str:
        """A new show whose feed is at the edge; the feed's path."""
        slug = f"tide-{secrets.token_hex(4)}"
        answer = self.api.post("shows", json={"title": "Tide Tables", "slug": slug, **given})
        assert answer.status_code == 201, answer.text
        path = f"/{slug}/feed.xml"
        self.wait(self.file(path).exists)
        return path

    def close(self) -> None:
        self.api.close()
        if self.running.process.poll() is None:
            self.running.process.kill()
        self.running.stop()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(tmp_path_factory.mktemp("host"))
    root = str(host.folder / "storage" / "public")
    upstream = f"127.0.0.1:{host.port}"
    with ExitStack() as stack:
        stack.callback(host.close)
        if not needs_nginx.args[0]:
            port = free_port()
            text = documented(
                "nginx", root=root, podhost=upstream, listen=f"listen 127.0.0.1:{port};"
            )
            folder = tmp_path_factory.mktemp("nginx")
            stack.enter_context(running_nginx(whole_nginx(text), folder, port))
            host.urls["nginx"] = f"http://127.0.0.1:{port}"
        if not needs_caddy.args[0]:
            port = free_port()
            text = documented(
                "Caddy", root=root, podhost=upstream, site=f"http://127.0.0.1:{port} {{"
            )
            folder = tmp_path_factory.mktemp("caddy")
            text = "{\n\tadmin off\n}\n" + text
            stack.enter_context(running_caddy(text, folder, port))
            host.urls["caddy"] = f"http://127.0.0.1:{port}"
        yield host


def whole_nginx(text: str) -> str:
    return "events {}\nhttp {\naccess_log off;\n" + text + "}\n"


@pytest.fixture(scope="module")
def files(host: Host, mp3: Path) -> list[str]:
    """The paths of a feed in both formats, of a further one, and of all that it names but audio."""
    feed = host.make_show(feeds=[{"name": "season-1_full", "types": ["full"]}])
    slug = feed.split("/")[1]
    with mp3.open("rb") as audio:
        made = host.api.post(
            f"shows/{slug}/episodes",
            data={
                "title": "Low water",
                "publish": "true",
                "chapters": json.dumps([{"start_seconds": 0, "title": "Moön"}]),
            },
            files={"audio": audio, "transcript": ("hello.en.vtt", VTT)},
        )
    assert made.status_code == 201, made.text
    host.wait(lambda: b"<item>" in host.get(feed).content and b"<item>" in edge_bytes(host, feed))
    urls = re.findall(
        r"https://podcasts\.example\.org(/(?:chapters|transcripts|artwork)/[^\"<]+)",
        host.get(feed).text,
    )
    assert {url.split("/")[1] for url in urls} == {"artwork", "chapters", "transcripts"}
    json_feed = f"/{slug}/feed.json"
    further = f"/{slug}/feeds/season-1_full.xml"
    paths = [feed, json_feed, further, *sorted(set(urls))]
    host.wait(lambda: all(host.file(path).exists() for path in paths))
    host.wait(lambda: edge_bytes(host, json_feed) == host.get(json_feed).content != b"")
    for path in (json_feed, further):
        host.wait(lambda path=path: made.json()["id"].encode() in edge_bytes(host, path))  # type: ignore[misc]
    host.wait(lambda: edge_bytes(host, further) == host.get(further).content)
    return paths


def edge_bytes(host: Host, path: str) -> bytes:
    return host.file(path).read_bytes()


@pytest.mark.parametrize("server", SERVERS)
def test_the_edge_answers_as_podhost_does(host: Host, files: list[str], server: str) -> None:
    for path in files:
        for coding in ("gzip", "identity"):
            ours = host.get(path, Accept_Encoding=coding)
            edge = host.get(path, server, Accept_Encoding=coding)
            assert (edge.status_code, edge.content) == (200, ours.content)
            if "/chapters/" in path:
                # podhost itself does not compress them.
                for answer in (ours, edge):
                    answer.headers.pop("content-encoding", None)
                    answer.headers.pop("vary", None)
            if server == "caddy":
                # It says so of all files.
                edge.headers["vary"] = ours.headers.get("vary", "")
                ours.headers["vary"] = edge.headers["vary"]
            for name in SAME_HEADERS:
                assert edge.headers.get(name) == ours.headers.get(name), (path, name)
            # By whom it was answered: podhost's tag is made of the bytes.
            assert edge.headers["etag"] != ours.headers["etag"]
            head = host.ask("HEAD", path, server, Accept_Encoding=coding)
            assert head.status_code == 200 and head.content == b""
            # Caddy says no length of what is coded.
            for name in {"etag", "content-type", "content-length"} & set(head.headers):
                assert head.headers[name] == edge.headers[name]


@pytest.mark.parametrize("server", SERVERS)
def test_who_has_it_already_gets_304(host: Host, files: list[str], server: str) -> None:
    for path in files:
        for coding in ("gzip", "identity"):
            first = host.get(path, server, Accept_Encoding=coding)
            for name, value in (
                ("If_None_Match", first.headers["etag"]),
                ("If_Modified_Since", first.headers["last-modified"]),
            ):
                again = host.get(path, server, Accept_Encoding=coding, **{name: value})
                assert (again.status_code, again.content) == (304, b""), (path, coding, name)
                assert again.headers["cache-control"] == first.headers["cache-control"]
                assert again.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("server", SERVERS)
def test_changes_within_a_second_never_look_unchanged(host: Host, server: str) -> None:
    path = host.make_show()
    slug = path.split("/")[1]
    seen = []
    for title in ("Tide 1", "Tide 2", "Tide 3", "Tide 4"):
        old = {
            coding: host.get(path, server, Accept_Encoding=coding)
            for coding in ("gzip", "identity")
        }
        assert host.api.patch(f"shows/{slug}", json={"title": title}).status_code == 200
        for coding, before in old.items():
            host.wait(
                lambda coding=coding, title=title: (  # type: ignore[misc]
                    title in host.get(path, server, Accept_Encoding=coding).text
                )
            )
            for name, value in (
                ("If_None_Match", before.headers["etag"]),
                ("If_Modified_Since", before.headers["last-modified"]),
            ):
                now = host.get(path, server, Accept_Encoding=coding, **{name: value})
                assert now.status_code == 200
                assert title in now.text
        seen.append(host.get(path, server).headers["last-modified"])
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("server", SERVERS)
def test_podhost_answers_for_shows_that_moved_or_went(host: Host, server: str) -> None:
    path = host.make_show()
    slug = path.split("/")[1]
    new = f"{slug}-new"
    assert host.api.patch(f"shows/{slug}", json={"slug": new}).status_code == 200
    host.wait(lambda: not host.file(path + ".gz").exists() and host.get(path).status_code == 301)
    moved = host.get(path, server)
    assert moved.status_code == 301
    assert moved.headers["location"] == f"https://podcasts.example.org/{new}/feed.xml"
    assert host.api.delete(f"shows/{new}").status_code == 204
    host.wait(
        lambda: (
            not host.file(f"/{new}/feed.xml.gz").exists()
            and host.get(f"/{new}/feed.xml").status_code == 410
        )
    )
    assert host.get(f"/{new}/feed.xml", server).status_code == 410
    assert host.get("/nobody/feed.xml", server).status_code == 404


@pytest.mark.parametrize("server", SERVERS)
def test_a_person_who_opens_the_feed_comes_to_the_shows_page(
    host: Host, files: list[str], server: str
) -> None:
    reply = host.get(files[0], server, Sec_Fetch_Dest="document")
    assert reply.status_code == 302
    assert reply.headers["location"].endswith(files[0].removesuffix("feed.xml"))


@pytest.mark.parametrize("server", SERVERS)
def test_all_else_is_podhosts(host: Host, files: list[str], server: str) -> None:
    assert host.get("/healthz", server).status_code == 200
    lists = "/shows.opml"
    assert host.get(lists, server).headers["etag"] == host.get(lists).headers["etag"]
    for path in files:
        assert host.ask("POST", path, server).status_code == 405
        preflight = host.ask("OPTIONS", path, server)
        assert preflight.status_code == 204
        assert "GET" in preflight.headers["access-control-allow-methods"]
    large = httpx.post(f"{host.urls[server]}/api/v1/shows", content=bytes(3_000_000), timeout=60)
    assert large.status_code == 401, large.text


@pytest.mark.parametrize("server", SERVERS)
def test_no_other_file_can_be_had(host: Host, files: list[str], server: str) -> None:
    feed, artwork = files[0], next(path for path in files if path.startswith("/artwork/"))
    (host.folder / "storage" / "public" / ".secret").write_text("hidden words")
    (host.folder / "storage" / "secret.xml").write_text("hidden words")
    folder = artwork.rpartition("/")[0]
    for path in (
        "/.secret",
        "/../secret.xml",
        "/..%2fsecret.xml",
        "/%2e%2e/secret.xml",
        folder + "/../../../secret.xml",
        folder + "/..%2f..%2f..%2fsecret.xml",
        "/owner.txt",
        "/../owner.txt",
        folder,
        folder + "/",
        "/artwork/",
        feed + ".gz",
        feed + "/",
        feed + "%00",
    ):
        raw = raw_get(host, server, path)
        assert raw.split(b" ")[1] in (b"301", b"307", b"308", b"400", b"404"), (path, raw[:100])
        assert b"hidden words" not in raw


def raw_get(host: Host, server: str, path: str) -> bytes:
    """As an attacker would send it: httpx tidies paths up."""
    address = httpx.URL(host.urls[server])
    with socket.create_connection((address.host, address.port or 80), 20) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {address.host}\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("server", SERVERS)
def test_polls_go_on_while_podhost_is_down(host: Host, files: list[str], server: str) -> None:
    before = {path: host.get(path, server) for path in files}
    host.running.stop(signal.SIGKILL)
    try:
        for path, old in before.items():
            assert host.get(path, server).content == old.content
            again = host.get(path, server, If_None_Match=old.headers["etag"])
            assert again.status_code == 304
        # No wrong answer for what only podhost knows.
        assert host.get("/nobody/feed.xml", server).status_code == 502
    finally:
        host.start()


@needs_nginx
def test_an_nginx_as_cdn_over_a_bucket(
    host: Host,
    s3_server: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = s3_server.create_bucket()
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{bucket}/podhost/public/*",
            }
        ],
    }
    s3_server.client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    settings = read_settings(
        {
            "PODHOST_DATA": str(tmp_path),
            "PODHOST_STORAGE": f"s3://{bucket}/podhost",
            "PODHOST_STATIC_EDGE": "on",
            "PODHOST_BASE_URL": "https://podcasts.example.org",
        }
    )
    database = Database(settings.database_url)
    migrate(database)
    database.close()
    instance = open_instance(settings)
    make_show(instance)
    run_due_jobs(instance)
    instance.close()
    port = free_port()
    endpoint = httpx.URL(s3_server.endpoint_url)
    text = documented(
        "A CDN over the bucket",
        listen=f"listen 127.0.0.1:{port};",
        bucket=f"server {endpoint.host}:{endpoint.port};",
        prefix=f"/{bucket}/podhost/public",
        cache=str(tmp_path / "cache"),
        podhost=f"127.0.0.1:{host.port}",
    )
    stored = f"{s3_server.endpoint_url}/{bucket}/podhost"
    plain = httpx.get(f"{stored}/public/tide-tables/feed.xml", timeout=60)
    assert plain.status_code == 200
    assert plain.headers["content-type"] == "application/rss+xml; charset=utf-8"
    assert httpx.get(f"{stored}/owner.txt", timeout=60).status_code == 403
    with running_nginx(whole_nginx(text), tmp_path, port):
        host.urls["cdn"] = f"http://127.0.0.1:{port}"
        for coding in ("gzip", "identity"):
            feed = host.get("/tide-tables/feed.xml", "cdn", Accept_Encoding=coding)
            assert (feed.status_code, feed.content) == (200, plain.content)
            assert feed.headers.get("content-encoding", "identity") == coding
            assert feed.headers["cache-control"] == plain.headers["cache-control"]
            assert feed.headers["content-type"] == plain.headers["content-type"]
            again = host.get(
                "/tide-tables/feed.xml",
                "cdn",
                Accept_Encoding=coding,
                If_None_Match=feed.headers["etag"],
            )
            assert again.status_code == 304
        as_json = host.get("/tide-tables/feed.json", "cdn")
        assert as_json.json()["title"] == "Tide Tables"
        assert as_json.headers["content-type"] == "application/feed+json"
        assert as_json.headers["content-encoding"] == "gzip"
        missing = host.get("/nobody/feed.xml", "cdn")
        assert (missing.status_code, missing.content) == (404, host.get("/x/feed.xml").content)
        assert host.get("/healthz", "cdn").status_code == 200
        assert host.ask("POST", "/tide-tables/feed.xml", "cdn").text.startswith("Only GET")
