"""The whole program, as its users meet it: processes, sockets, feeds, sound."""

import hashlib
import io
import json
import secrets
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import av
import feedparser
import httpx
import podcastparser
import pytest

from podhost.formats.showfolder import read_episode, read_show
from tests.running import Running, run_command
from tests.servers import PostgresServer, S3Server
from tests.waiting import wait_for

ROOT = Path(__file__).parent.parent
EPISODES = ROOT / "episodes" / "tide-tables"
ITUNES = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"
PODCAST = "{https://podcastindex.org/namespace/1.0}"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`podhost demo` as in the README, on a free port."""
    data = tmp_path_factory.mktemp("demo")
    with Running(["demo", "--port", "0", "--data", str(data)], {}) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def channel(demo: Running) -> ElementTree.Element:
    """The demo's feed."""
    with demo.client() as client:
        answer = client.get("/tide-tables/feed.xml")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/rss+xml")
    found = ElementTree.fromstring(answer.content).find("channel")
    assert found is not None
    return found


def test_the_demo_prints_what_one_can_try(demo: Running) -> None:
    url = demo.wait_until_ready()
    printed = "\n".join(demo.lines)
    for show in ("tide-tables", "mareas"):
        assert f"Feed:     {url}/{show}/feed.xml" in printed
    token = next(line for line in demo.lines if line.startswith("Token:")).split()[-1]
    with demo.client() as client:
        headers = {"Authorization": f"Bearer {token}"}
        shows = client.get("/api/v1/shows", headers=headers).json()["shows"]
    assert {show["slug"] for show in shows} == {"tide-tables", "mareas"}


def test_a_second_poll_is_answered_with_304(demo: Running) -> None:
    with demo.client() as client:
        # Two changes in one second: the later one's date is told when it has come.
        first = wait_for(
            lambda: client.get("/tide-tables/feed.xml"),
            lambda answer: "last-modified" in answer.headers,
        )
        for name, value in (
            ("If-None-Match", first.headers["etag"]),
            ("If-Modified-Since", first.headers["last-modified"]),
        ):
            again = client.get("/tide-tables/feed.xml", headers={name: value})
            assert again.status_code == 304
            assert again.content == b""
        head = client.head("/tide-tables/feed.xml")
        assert head.headers["content-length"] == first.headers["content-length"]
        assert 'rel="self"' in first.headers["link"]


def test_directories_parse_the_feed_without_a_complaint(demo: Running) -> None:
    with demo.client() as client:
        body = client.get("/tide-tables/feed.xml").content
    parsed = feedparser.parse(body)
    assert not parsed.bozo
    assert len(parsed.entries) == 4
    podcast = podcastparser.parse("https://pod.example/feed.xml", io.BytesIO(body))
    assert len(podcast["episodes"]) == 4
    assert all(episode["enclosures"] for episode in podcast["episodes"])


def test_the_spanish_sister_is_complete_too(demo: Running) -> None:
    with demo.client() as client:
        parsed = feedparser.parse(client.get("/mareas/feed.xml").content)
    assert not parsed.bozo and parsed.feed.language == "es"
    assert len(parsed.entries) == len([*(EPISODES.parent / "mareas").glob("*.md")])
    for entry in parsed.entries:
        assert entry.podcast_transcript["url"] and entry.podcast_chapters["url"]


def test_the_sisters_lead_to_each_other(demo: Running) -> None:
    with demo.client() as client:
        for slug, other, code in (("tide-tables", "mareas", "es"), ("mareas", "tide-tables", "en")):
            page = client.get(f"/{slug}/").text
            url = f"{demo.wait_until_ready()}/{other}/"
            assert f'<link rel="alternate" hreflang="{code}" href="{url}">' in page
            assert f'<a href="{url}" hreflang="{code}"' in page


def test_the_feed_says_what_the_files_say(channel: ElementTree.Element) -> None:
    show = read_show((EPISODES / "show.toml").read_text(encoding="utf-8"))
    assert channel.findtext("title") == show.title
    assert channel.findtext("language") == show.language
    assert channel.findtext("description") == show.description
    items = {item.findtext("guid"): item for item in channel.iter("item")}
    files = sorted(EPISODES.glob("*.md"))
    assert len(items) == len(files)
    for path in files:
        source = read_episode(path.read_text(encoding="utf-8"))
        item = items[source.guid]
        assert item.findtext("title") == source.title
        assert item.findtext(f"{ITUNES}episode") == (str(source.number) if source.number else None)
        assert item.findtext(f"{ITUNES}season") == (str(source.season) if source.season else None)
        assert item.findtext(f"{ITUNES}episodeType") == source.episode_type
        people = [person.text for person in item.iter(f"{PODCAST}person")]
        assert [guest.name for guest in source.guests] == [
            name for name in people if name in {guest.name for guest in source.guests}
        ]
        enclosure = item.find("enclosure")
        assert enclosure is not None
        audio = path.with_suffix(".mp3")
        assert enclosure.get("length") == str(audio.stat().st_size)
        assert enclosure.get("type") == "audio/mpeg"
        has_transcript = path.with_suffix(".vtt").exists()
        assert (item.find(f"{PODCAST}transcript") is not None) == has_transcript


def test_every_address_in_the_feed_leads_to_what_it_says(
    demo: Running, channel: ElementTree.Element
) -> None:
    with demo.client() as client:
        image = channel.find(f"{ITUNES}image")
        assert image is not None
        art = client.get(image.get("href", ""))
        assert art.status_code == 200 and art.headers["content-type"] == "image/jpeg"
        for item in channel.iter("item"):
            page = client.get(item.findtext("link", ""))
            assert page.status_code == 200 and "text/html" in page.headers["content-type"]
            for name in ("chapters", "transcript"):
                for element in item.iter(f"{PODCAST}{name}"):
                    answer = client.get(element.get("url", ""))
                    assert answer.status_code == 200
                    assert answer.headers["content-type"].startswith(element.get("type", "?"))
                    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_player_streams_an_enclosure_over_ranges(
    demo: Running, channel: ElementTree.Element
) -> None:
    for item in channel.iter("item"):
        enclosure = item.find("enclosure")
        assert enclosure is not None
        seconds = int(item.findtext(f"{ITUNES}duration", "0"))
        # libavformat is what many players stream with: it seeks by ranges over HTTP.
        with av.open(enclosure.get("url", "")) as stream:
            packets = [packet for packet in stream.demux(audio=0) if packet.duration]
            base = stream.streams.audio[0].time_base
            assert base is not None
            heard = float(sum(packet.duration or 0 for packet in packets) * base)
        assert abs(heard - seconds) <= 1


def test_a_download_that_broke_off_goes_on(demo: Running, channel: ElementTree.Element) -> None:
    enclosure = channel.find("item/enclosure")
    assert enclosure is not None
    url = enclosure.get("url", "")
    with demo.client() as client:
        whole = client.get(url)
        etag = whole.headers["etag"]
        begin = client.get(url, headers={"Range": "bytes=0-99999"})
        rest = client.get(url, headers={"Range": "bytes=100000-", "If-Range": etag})
    assert (begin.status_code, rest.status_code) == (206, 206)
    assert begin.content + rest.content == whole.content
    assert hashlib.sha256(whole.content).hexdigest() == etag.strip('"')


def test_the_demo_can_be_repeated_and_ends_when_asked(tmp_path: Path) -> None:
    for _ in range(2):
        with Running(["demo", "--port", "0", "--data", str(tmp_path)], {}) as running:
            url = running.wait_until_ready()
            # Another port each time: the feed that the last run left names the old one.
            with running.client() as client:
                assert f'enclosure url="{url}/audio/' in client.get("/tide-tables/feed.xml").text
            assert running.stop() == 0
            assert not [line for line in running.log if "Traceback" in line]


def test_the_demo_runs_from_a_wheel_in_any_folder(tmp_path: Path) -> None:
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = wheels.glob("podhost-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # -P and the path of the unpacked wheel: nothing of the checkout can be imported.
    environment = {"PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    with Running(["demo", "--port", "0"], environment, cwd=elsewhere) as running:
        with running.client() as client:
            assert client.get("/tide-tables/feed.xml").status_code == 200
        assert running.stop() == 0
    assert (elsewhere / "data" / "podhost.sqlite3").exists()


def test_addresses_in_the_feed_follow_the_port(tmp_path: Path) -> None:
    arguments = ["demo", "--port", "0", "--data", str(tmp_path)]
    with Running(arguments, {}) as first:
        old = first.wait_until_ready()
        first.stop()
    # Taken meanwhile, so that the second one cannot get it by chance.
    with (
        socket.create_server(("127.0.0.1", int(old.rpartition(":")[2]))),
        Running(arguments, {}) as second,
        second.client() as client,
    ):

        def feed() -> str:
            return client.get("/tide-tables/feed.xml").text

        wait_for(lambda: old not in feed())
        url = second.wait_until_ready()
        assert feed().count(f'<enclosure url="{url}/audio/') == 4


def test_two_servers_and_a_worker_on_postgresql_and_s3_are_one_podhost(
    postgres_server: PostgresServer, s3_server: S3Server, s3_bucket: str, tmp_path: Path
) -> None:
    environment = {
        "PODHOST_DATABASE_URL": postgres_server.create_database(),
        "PODHOST_STORAGE": f"s3://{s3_bucket}/whole-{secrets.token_hex(4)}",
        "PODHOST_BASE_URL": "https://pod.example",
        "PODHOST_DATA": str(tmp_path),
        **s3_server.environment(),
    }
    assert run_command("migrate", environment=environment).returncode == 0
    # A copy: under a public address, publishing writes the show's guid into its folder.
    folder = shutil.copytree(EPISODES, tmp_path / "tide-tables")
    published = run_command("publish", str(folder), environment=environment)
    assert published.returncode == 0, published.stderr
    account = run_command("account", "create", "alice@example.org", environment=environment)
    assert account.returncode == 0, account.stderr
    made = run_command("token", "create", "--json", environment=environment)
    headers = {"Authorization": f"Bearer {json.loads(made.stdout)['token']}"}
    serve = ["serve", "--port", "0", "--no-worker"]
    with (
        Running(serve, environment) as one,
        Running(serve, environment) as two,
        Running(["worker"], environment),
        one.client() as first,
        two.client() as second,
    ):
        audio = (EPISODES / "000-trailer.mp3").read_bytes()
        before = second.get("/tide-tables/feed.xml").headers["etag"]
        answer = first.post(
            "/api/v1/shows/tide-tables/episodes",
            headers=headers,
            data={"title": "Told to the first", "publish": "true"},
            files={"audio": ("x.mp3", audio, "audio/mpeg")},
        )
        assert answer.status_code == 201, answer.text
        assert answer.json()["status"] == "published"

        def is_seen() -> bool:
            return second.get("/tide-tables/feed.xml").headers["etag"] != before

        wait_for(is_seen)
        assert b"Told to the first" in second.get("/tide-tables/feed.xml").content
        path = httpx.URL(answer.json()["enclosure_url"]).raw_path.decode()
        listened = second.get(path)
        assert listened.status_code == 302
        assert listened.headers["cache-control"] == "private, no-cache"
        stored = httpx.get(listened.headers["location"], timeout=60)
        assert stored.content == audio
        head = second.head(path)
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(audio)))
        # While the worker lives: what is behind the feeds, as the search, is done in the end.
        checked = run_command("check", environment=environment)
        assert checked.returncode == 0, checked.stderr
