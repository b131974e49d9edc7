"""The API for programs, through the whole application, on both pairs of engines."""

import asyncio
import io
import json
import re
import tomllib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from mutagen import id3
from PIL import Image
from sqlalchemy import event

from podhost.accounts.accounts import create_account, create_token
from podhost.app import create_app
from podhost.catalogue.side_files import read_side_file
from podhost.changes import prune_changes
from podhost.config import read_settings
from podhost.feeds.rendering import find_snapshot, snapshot_body
from podhost.fetching import Fetcher
from podhost.formats.build_dates import says_the_same
from podhost.instance import Instance
from podhost.models import Artwork
from podhost.shows import get_show
from podhost.sweep import remove_unneeded
from podhost.web.uploading import MB
from podhost.worker import run_due_jobs, run_next_move
from tests.asgi_client import Client
from tests.audio_files import flac, id3_bomb, lame, mp4_nested, with_id3
from tests.conftest import FrozenClock

SHOWS = "/api/v1/shows"
EPISODES = "/api/v1/shows/tide-tables/episodes"
VTT = b"WEBVTT\n\n00:00.000 --> 00:02.000\n<v Ann>The tide is low.\n"
HOSTILE_TEXTS = {
    "control": "a\x00b\x08c\x1bd\x7f",
    "noncharacter": "x\ufffe\uffffy",
    "cdata": "]]> <![CDATA[",
    "html": "<script>alert(1)</script><b>bold & brave</b>",
    "rtl": "\u202eשלום עולם مرحبا",
    "emoji": "👩‍👩‍👧‍👦 🇪🇸 e\u0301",
    "long": "wörd " * 60,
    "entities": "&amp;lt; &#0; &#xD800; %s %00 {{7*7}}",
}


GOLDEN = Path(__file__).parent.parent / "golden"
PRINTED_TAGS = """
    podcast:txt podcast:funding podcast:location podcast:license podcast:value podcast:image
    podcast:block podcast:updateFrequency podcast:podroll podcast:publisher podcast:chat
    podcast:socialInteract podcast:soundbite podcast:alternateEnclosure podcast:contentLink
    podcast:liveItem
    podcast:valueTimeSplit spotify:limit spotify:countryOfOrigin media:restriction
    rawvoice:location gauge:tide media:thumbnail
"""


class Program:
    """A program that uses the API with a token."""

    def __init__(self, client: Client, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.send("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.send("POST", path, **options)

    def put(self, path: str, **options: Any) -> httpx.Response:
        return self.send("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> httpx.Response:
        return self.send("PATCH", path, **options)

    def delete(self, path: str) -> httpx.Response:
        return self.send("DELETE", path)


@pytest.fixture
def client(instance: Instance) -> Client:
    # Without the lifespan: what it starts has tests of its own, and asks the database too.
    return Client(create_app(instance))


def token_for(instance: Instance, email: str, *, scope: str = "write") -> str:
    with instance.database.write() as session:
        account, _ = create_account(
            session, email, password="long enough", is_operator=True, now=instance.now()
        )
        return create_token(session, account, name="test", scope=scope, now=instance.now())[1]


@pytest.fixture
def alice(instance: Instance, client: Client) -> Program:
    """A host's program, which may write."""
    return Program(client, token_for(instance, "alice@example.org"))


@pytest.fixture
def show(alice: Program) -> dict[str, Any]:
    """Alice's show."""
    made = alice.post(
        SHOWS,
        json={
            "title": "Tide Tables",
            "description": "Harbour talk.",
            "author": "Pier Nine",
            "categories": ["Society & Culture > Places & Travel"],
            "time_zone": "Europe/Madrid",
        },
    )
    assert made.status_code == 201, made.text
    answer: dict[str, Any] = made.json()
    return answer


def upload(
    alice: Program, audio: bytes, *, name: str = "hello.mp3", **fields: str
) -> httpx.Response:
    return alice.post(EPISODES, files={"audio": (name, audio, "audio/mpeg")}, data=fields)


def make_episode(alice: Program, mp3: Path, **fields: str) -> dict[str, Any]:
    made = upload(alice, mp3.read_bytes(), **{"title": "Low water", **fields})
    assert made.status_code == 201, made.text
    episode: dict[str, Any] = made.json()
    return episode


def draft(alice: Program, **fields: Any) -> dict[str, Any]:
    made = alice.post(EPISODES, json={"title": "Low water", **fields})
    assert made.status_code == 201, made.text
    episode: dict[str, Any] = made.json()
    return episode


def picture(side: int = 1400, colour: str = "navy", width: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width or side, side), colour).save(file, "JPEG")
    return file.getvalue()


def feed_of(instance: Instance) -> str:
    run_due_jobs(instance)
    with instance.database.read() as session:
        snapshot = find_snapshot(session, get_show(session, "tide-tables"))
        assert snapshot is not None
        return snapshot_body(snapshot).decode()


def stored(instance: Instance) -> set[str]:
    return {stat.key for stat in instance.storage.list()}


def left_on_disk(instance: Instance) -> list[Path]:
    folder = instance.storage.temporary_folder()
    return list(folder.iterdir()) if folder is not None else []


def assert_error(response: httpx.Response, status: int, *fields: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert list(answer) == ["error"]
    error: dict[str, Any] = answer["error"]
    assert set(error) == {"code", "message", "fields"}
    assert error["message"].endswith((".", "?")), error["message"]
    assert set(fields) <= set(error["fields"]), error
    return error


# Alice's way from a file to a feed


def test_alice_publishes_an_episode(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    guests = [{"name": "Ann Guest", "url": "https://ann.example/", "bio": "Sails."}]
    made = upload(
        alice,
        mp3.read_bytes(),
        title="Low water",
        notes="# Hello\n\nA **tide** pool.",
        guests=json.dumps(guests),
        season="2",
        season_name="Winter",
        number="7",
        episode_type="full",
        explicit="false",
        publish="true",
        guid="tide-7",
        slug="low-water",
    )
    assert made.status_code == 201, made.text
    episode = made.json()
    assert episode["guid"] == "tide-7"
    assert episode["status"] == "published"
    assert episode["published_at"] == "2026-03-05T09:05:00Z"
    assert (episode["season"], episode["number"], episode["season_name"]) == (2, 7, "Winter")
    assert episode["explicit"] is False
    assert episode["warnings"] == []
    assert episode["enclosure_url"] == (
        f"https://pod.example/audio/{episode['id']}/1/low-water.mp3"
    )
    assert episode["url"] == "https://pod.example/tide-tables/episodes/low-water"
    assert episode["people"][0] | {"image_url": None} == {
        "name": "Ann Guest",
        "role": "guest",
        "group": "cast",
        "url": "https://ann.example/",
        "bio": "Sails.",
        "image_url": None,
        "links": [],
    }
    audio = episode["audio"]
    assert abs(audio["duration_seconds"] - 10) < 0.2
    assert audio["size_bytes"] == mp3.stat().st_size
    assert audio["mime_type"] == "audio/mpeg"
    assert len(audio["sha256"]) == 64
    assert audio["revision"] == 1
    assert made.headers["location"] == f"https://pod.example{EPISODES}/{episode['id']}"
    assert alice.get(f"{EPISODES}/{episode['id']}").json() == episode
    assert alice.get(f"{EPISODES}/low-water").json() == episode
    feed = feed_of(instance)
    assert "<title>Low water</title>" in feed
    assert episode["enclosure_url"] in feed
    assert "Ann Guest" in feed
    assert left_on_disk(instance) == []


def test_a_show_has_every_field_that_can_be_given(alice: Program) -> None:
    given = {
        "title": "Tide Tables",
        "slug": "tides",
        "description": "Harbour talk.",
        "link": "https://tides.example/",
        "language": "es-mx",
        "author": "Pier Nine",
        "copyright": "2026 Pier Nine",
        "owner_name": "Alice",
        "owner_email": "alice@example.org",
        "explicit": True,
        "type": "serial",
        "categories": ["Arts > Books", "Comedy"],
        "time_zone": "America/Mexico_City",
        "podcast_guid": "917393e3-1b1e-5cef-ace4-edaa54e1f810",
        "medium": "audiobook",
        "locked": False,
        "blocked": True,
        "complete": True,
        "new_feed_url": "https://elsewhere.example/feed.xml",
        "moved_to": "https://elsewhere.example/feed.xml",
        "moved_audio": True,
        "people": [{"name": "Alice", "role": "host"}],
    }
    made = alice.post(SHOWS, json=given)
    assert made.status_code == 201, made.text
    answer = made.json()
    assert made.headers["location"] == "https://pod.example/api/v1/shows/tides"
    for name in given.keys() - {"categories", "people"}:
        assert answer[name] == given[name], name
    assert answer["categories"] == [["Arts", "Books"], ["Comedy", None]]
    assert answer["people"][0]["name"] == "Alice"
    assert answer["feed_url"] == "https://pod.example/tides/feed.xml"
    assert answer["episode_count"] == 0
    assert any("artwork" in sentence for sentence in answer["warnings"])
    assert alice.get(f"{SHOWS}/tides").json() == answer
    assert alice.get(SHOWS).json() == {"shows": [answer], "total": 1, "next": None}


def golden_tags() -> tuple[dict[str, Any], dict[str, Any]]:
    text = (GOLDEN / "every-tag" / "input.toml").read_text(encoding="utf-8")
    values = tomllib.loads(text)
    return values["show"]["tags"], values["episodes"][0]["tags"]


def test_every_feed_tag_is_given_told_and_taken_away(
    instance: Instance, alice: Program, show: dict[str, Any], mp3: Path
) -> None:
    of_show, of_episode = golden_tags()
    of_episode["soundbites"] = [{"start": 0.25, "duration": 0.5, "title": "Hello"}]
    episode = make_episode(alice, mp3, number="3", publish="true")
    path = f"{EPISODES}/{episode['id']}"
    before = feed_of(instance)
    for address, given in ((f"{SHOWS}/tide-tables", of_show), (path, of_episode)):
        told = alice.patch(address, json=given)
        assert told.status_code == 200, told.text
        kept = {name: told.json()[name] for name in given}
        assert alice.get(address).json() | kept == alice.get(address).json()
        again = alice.patch(address, json=kept)
        assert {**again.json(), "warnings": []} == {**told.json(), "warnings": []}
    assert told.json()["soundbites"] == of_episode["soundbites"]
    assert told.json()["value"]["time_splits"][0]["remote_percentage"] == 95
    feed = feed_of(instance)
    for name in PRINTED_TAGS.split():
        assert f"<{name}" in feed and f"<{name}" not in before, name
    assert 'locked owner="keeper@pod.example"' in feed and "keeper@" not in before
    nothing = dict.fromkeys([*of_show, *of_episode])
    for address, given in ((f"{SHOWS}/tide-tables", of_show), (path, of_episode)):
        taken = alice.patch(address, json={name: nothing[name] for name in given})
        assert taken.status_code == 200, taken.text
        assert not any(taken.json()[name] for name in given)
    assert says_the_same(feed_of(instance).encode(), before.encode())


LIVE = {
    "title": "Ebb",
    "start": "2030-01-01T19:00:00Z",
    "content_links": [{"href": "https://tide.example/live", "text": "Hear"}],
}


def test_a_live_stream_is_announced_begun_ended_and_taken_out(
    instance: Instance, alice: Program, show: dict[str, Any]
) -> None:
    before = feed_of(instance)
    # Guids out of other feeds may be addresses.
    path = f"{SHOWS}/tide-tables/live/{quote('https://old.example/live?1', safe='')}"
    made = alice.put(path, json=LIVE)
    assert made.status_code == 201 and made.headers["location"] == f"https://pod.example{path}"
    assert made.json()["guid"] == "https://old.example/live?1"
    assert made.json()["status"] == "pending"
    assert alice.put(f"{SHOWS}/tide-tables/live/b", json=LIVE).status_code == 201
    begun = alice.patch(path, json={"status": "live", "description": "Now."})
    assert begun.json() == {**made.json(), "status": "live", "description": "Now."}
    assert alice.get(path).json() == begun.json()
    feed = feed_of(instance)
    statuses = re.findall('<podcast:liveItem status="([a-z]+)"', feed)
    assert statuses == ["live", "pending"] and "&lt;p&gt;Now.&lt;/p&gt;" in feed
    assert alice.patch(path, json=begun.json()).json() == begun.json()
    assert alice.put(path, json={**LIVE, "status": "ended"}).status_code == 200
    assert alice.get(path).json() == {**made.json(), "status": "ended"}
    listed = alice.get(f"{SHOWS}/tide-tables/live").json()["live_items"]
    assert [item["status"] for item in listed] == ["ended", "pending"]
    assert alice.get(f"{SHOWS}/tide-tables").json()["live_items"] == listed
    for address in (path, f"{SHOWS}/tide-tables/live/b"):
        assert alice.delete(address).status_code == 204
        assert_error(alice.delete(address), 404)
        assert_error(alice.patch(address, json={"status": "live"}), 404)
        assert_error(alice.get(address), 404)
    assert says_the_same(feed_of(instance).encode(), before.encode())


def test_a_wrong_live_stream_is_told_by_its_own_fields(
    alice: Program, show: dict[str, Any]
) -> None:
    path = f"{SHOWS}/tide-tables/live/a"
    assert_error(alice.put(path, json={"title": "Ebb"}), 422, "start")
    late = {**LIVE, "end": "2030-01-01T18:00:00Z"}
    assert_error(alice.put(path, json=late), 422, "end")
    assert_error(alice.put(f"{SHOWS}/tide-tables/live/a%20b", json=LIVE), 422, "guid")
    assert_error(alice.put(path, json={**LIVE, "chat": {"server": "x"}}), 422, "chat.protocol")
    assert alice.get(f"{SHOWS}/tide-tables/live").json() == {"live_items": []}
    assert alice.put(path, json=LIVE).status_code == 201
    assert_error(alice.patch(path, json={"status": "over"}), 422, "status")
    assert_error(alice.patch(path, json={"title": None}), 422, "title")


def test_feed_tags_come_in_forms_too(alice: Program, show: dict[str, Any], mp3: Path) -> None:
    episode = make_episode(
        alice,
        mp3,
        license='{"name": "CC-BY-4.0"}',
        funding='[{"url": "https://tide.example/"}]',
        episode_display="Ch. 3",
        content_links="",
    )
    assert episode["license"] == {"name": "CC-BY-4.0"}
    assert episode["funding"] == [{"url": "https://tide.example/"}]
    assert "number" in " ".join(episode["warnings"])
    assert_error(upload(alice, mp3.read_bytes(), license="[]"), 422, "license")


def test_wrong_feed_tags_are_all_named(alice: Program, show: dict[str, Any]) -> None:
    given = {
        "funding": [{"url": "https://tide.example/"}, {"url": "tide"}],
        "license": {"name": "Ours"},
        "chat": {"server": "irc.example"},
    }
    answer = alice.patch(f"{SHOWS}/tide-tables", json=given)
    assert_error(answer, 422, "chat.protocol")
    del given["chat"]
    answer = alice.patch(f"{SHOWS}/tide-tables", json=given)
    assert_error(answer, 422, "funding[1].url", "license.url")
    told = alice.patch(
        f"{SHOWS}/tide-tables", json={"license": {"name": "MIT", "nmae": 1}, "podroll": None}
    )
    assert "'license.name'" in told.json()["warnings"][0]


def test_a_soundbite_outside_the_audio_is_refused_and_a_kept_one_is_told(
    instance: Instance, alice: Program, show: dict[str, Any], mp3: Path
) -> None:
    long = {"soundbites": [{"start": 1, "duration": 1000}]}
    assert_error(
        upload(alice, mp3.read_bytes(), soundbites=json.dumps(long["soundbites"])),
        422,
        "soundbites[0]",
    )
    waiting = draft(alice, **long)
    path = f"{EPISODES}/{waiting['id']}"
    assert alice.put(f"{path}/audio", files={"audio": ("a.mp3", mp3.read_bytes())}).is_success
    told = alice.get(path).json()
    assert told["soundbites"] == [{"start": 1.0, "duration": 1000.0}]
    assert any("left out of the feed" in sentence for sentence in told["warnings"])
    assert alice.post(f"{path}/publish").is_success
    assert "podcast:soundbite" not in feed_of(instance)
    other = {"soundbites": [{"start": 2, "duration": 1000}]}
    assert_error(alice.patch(path, json=other), 422, "soundbites[0]")


def test_a_show_with_episodes_cannot_become_a_list_and_a_list_gets_none(
    instance: Instance, alice: Program, show: dict[str, Any], mp3: Path
) -> None:
    episode = make_episode(alice, mp3, publish="true")
    path = f"{SHOWS}/tide-tables"
    assert_error(alice.patch(path, json={"medium": "musicL"}), 422, "medium")
    assert alice.post(f"{EPISODES}/{episode['id']}/withdraw").is_success
    changed = alice.patch(path, json={"medium": "musicl"})
    assert changed.json()["medium"] == "musicL"
    assert any("remote_items" in sentence for sentence in changed.json()["warnings"])
    assert_error(alice.post(f"{EPISODES}/{episode['id']}/publish"), 422)
    guid = "917393e3-1b1e-5cef-ace4-edaa54e1f810"
    assert alice.patch(path, json={"remote_items": [{"feed_guid": guid}]}).is_success
    assert f'<podcast:remoteItem feedGuid="{guid}"/>' in feed_of(instance)


def test_what_an_answer_says_can_be_given_back(alice: Program, show: dict[str, Any]) -> None:
    again = alice.patch(f"{SHOWS}/tide-tables", json=show)
    assert again.status_code == 200, again.text
    told = again.json()["warnings"][0]
    assert told.startswith(
        "These fields are told and cannot be given here: id, redirect_to, feed_url"
    )
    assert {**again.json(), "warnings": []} == {**show, "warnings": []}


def test_the_same_answer_for_head_without_a_body(alice: Program, show: dict[str, Any]) -> None:
    answer = alice.send("HEAD", f"{SHOWS}/tide-tables")
    assert answer.status_code == 200


# Lists


def test_lists_come_in_pages(alice: Program, show: dict[str, Any], clock: FrozenClock) -> None:
    for number in range(5):
        clock.advance(minutes=1)
        draft(alice, title=f"Episode {number}")
    first = alice.get(f"{EPISODES}?limit=2").json()
    assert [episode["title"] for episode in first["episodes"]] == ["Episode 4", "Episode 3"]
    assert first["total"] == 5
    second = alice.get(first["next"].removeprefix("https://pod.example")).json()
    third = alice.get(second["next"].removeprefix("https://pod.example")).json()
    assert [episode["title"] for episode in third["episodes"]] == ["Episode 0"]
    assert third["next"] is None
    assert alice.get(f"{SHOWS}/tide-tables").json()["episode_count"] == 5
    alice.post(SHOWS, json={"title": "Another"})
    page = alice.get(f"{SHOWS}?limit=1&offset=1").json()
    assert [entry["title"] for entry in page["shows"]] == ["Tide Tables"]
    assert (page["total"], page["next"]) == (2, None)


def test_a_list_can_be_of_one_status(alice: Program, show: dict[str, Any], mp3: Path) -> None:
    draft(alice, title="Draft")
    make_episode(alice, mp3, title="Out", publish="true")
    found = alice.get(f"{EPISODES}?status=published").json()
    assert [episode["title"] for episode in found["episodes"]] == ["Out"]
    assert found["total"] == 1
    page = alice.get(f"{EPISODES}?status=draft&limit=1").json()
    assert page["total"] == 1
    assert_error(alice.get(f"{EPISODES}?status=out"), 422, "status")


def test_a_wrong_page_is_told(alice: Program, show: dict[str, Any]) -> None:
    for limit in ("0", "201", "x", "-1", "٣", "1.5"):
        assert_error(alice.get(f"{EPISODES}?limit={limit}"), 422, "limit")
    for offset in ("-1", "1e3", "9" * 30, "%00"):
        assert_error(alice.get(f"{SHOWS}?offset={offset}"), 422, "offset")


def test_a_list_takes_as_many_queries_for_two_as_for_ten(
    alice: Program, show: dict[str, Any], instance: Instance
) -> None:
    counts = []
    for number in range(10):
        draft(alice, title=f"Episode {number}", guests=[{"name": "Ann"}, {"name": "Ben"}])
        if number in (0, 1, 9):
            counts.append(_queries(instance, lambda: alice.get(EPISODES)))
    # The first is made without looking whether another one is still right.
    assert counts[0] + 2 == counts[1] == counts[2] <= 11


def _queries(instance: Instance, work: Any) -> int:
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(instance.database.engine, "before_cursor_execute", note)
    try:
        assert work().status_code == 200
    finally:
        event.remove(instance.database.engine, "before_cursor_execute", note)
    return sum(statement.startswith("SELECT") for statement in statements)


def test_a_list_that_nothing_changed_is_remembered_and_every_change_is_seen(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    episode = make_episode(alice, mp3, guests='[{"name": "Ann"}]')
    path = f"{EPISODES}/{episode['id']}"

    def listed() -> Any:
        return alice.get(EPISODES).json()["episodes"]

    assert listed() == [episode]
    again = _queries(instance, lambda: alice.get(EPISODES))
    assert again == 2, "the token and the newest change, nothing else"
    changes = [
        lambda: alice.patch(path, json={"title": "High water"}),
        lambda: alice.patch(path, json={"guests": []}),
        lambda: alice.post(path + "/publish"),
        lambda: alice.put(path + "/chapters", content="0:00 Start\n0:05 More"),
        lambda: alice.put(path + "/transcript", files={"transcript": ("a.vtt", VTT)}),
        lambda: alice.put(path + "/artwork", content=picture()),
        lambda: alice.put(path + "/audio", files={"audio": ("b.mp3", lame(5))}),
        lambda: alice.delete(path + "/artwork"),
        lambda: alice.delete(path + "/transcript"),
        lambda: alice.patch(f"{SHOWS}/tide-tables", json={"type": "serial"}),
        lambda: alice.post(path + "/withdraw"),
    ]
    for change in changes:
        before = listed()
        response = change()
        assert response.status_code in (200, 204), response.text
        after = listed()
        assert after != before
        assert after == [alice.get(path).json()]
    draft(alice, title="Second")
    assert len(listed()) == 2
    assert alice.delete(path).status_code == 204
    assert len(listed()) == 1


def test_a_list_is_not_made_anew_for_what_changes_elsewhere(
    alice: Program, show: dict[str, Any], instance: Instance
) -> None:
    draft(alice, title="Here")
    assert alice.post(SHOWS, json={"title": "Elsewhere"}).status_code == 201
    made = _queries(instance, lambda: alice.get(EPISODES))
    for number in range(3):
        answer = alice.post(SHOWS + "/elsewhere/episodes", json={"title": f"There {number}"})
        assert answer.status_code == 201
        looked = _queries(instance, lambda: alice.get(EPISODES))
        assert looked == 4 < made, "the token, the newest change, the changes, whose they are"
    assert _queries(instance, lambda: alice.get(EPISODES)) == 2
    # What is told of a show is told under its slug, which may pass from one show to another.
    assert alice.patch(SHOWS + "/elsewhere", json={"slug": "there"}).status_code == 200
    assert _queries(instance, lambda: alice.get(EPISODES)) > 4


def test_a_list_is_made_anew_when_the_change_log_was_pruned(
    alice: Program, show: dict[str, Any], instance: Instance, clock: FrozenClock
) -> None:
    draft(alice, title="Here")
    assert alice.post(SHOWS, json={"title": "Elsewhere"}).status_code == 201
    before = alice.get(EPISODES).json()["episodes"][0]
    assert alice.patch(f"{EPISODES}/{before['id']}", json={"title": "There"}).status_code == 200
    clock.time += timedelta(days=2)
    assert alice.post(SHOWS + "/elsewhere/episodes", json={"title": "x"}).status_code == 201
    with instance.database.write() as session:
        prune_changes(session, now=clock.time)
    assert alice.get(EPISODES).json()["episodes"][0]["title"] == "There"


# Publishing


def test_a_time_without_a_zone_is_one_of_the_show(
    alice: Program, show: dict[str, Any], mp3: Path
) -> None:
    episode = make_episode(alice, mp3, publish="2026-07-01T09:00")
    assert episode["status"] == "scheduled"
    assert episode["published_at"] == "2026-07-01T07:00:00Z"


def test_publish_false_or_empty_makes_a_draft(
    alice: Program, show: dict[str, Any], mp3: Path
) -> None:
    assert make_episode(alice, mp3, publish="false")["status"] == "draft"
    assert make_episode(alice, mp3, publish="", title="Second")["status"] == "draft"


def test_an_episode_goes_out_and_comes_back(
    alice: Program, show: dict[str, Any], mp3: Path, clock: FrozenClock
) -> None:
    path = f"{EPISODES}/{make_episode(alice, mp3)['id']}"
    first = alice.post(path + "/publish").json()
    assert (first["status"], first["published_at"]) == ("published", "2026-03-05T09:05:00Z")
    assert alice.post(path + "/withdraw").json()["status"] == "withdrawn"
    clock.advance(hours=1)
    again = alice.post(path + "/publish", json={}).json()
    assert (again["status"], again["published_at"]) == ("published", first["published_at"])
    assert_error(alice.post(path + "/publish", json={"at": "2026-12-24"}), 409)
    alice.post(path + "/withdraw")
    later = alice.post(path + "/publish", json={"at": "2026-12-24T18:00:00+01:00"}).json()
    assert (later["status"], later["published_at"]) == ("scheduled", "2026-12-24T17:00:00Z")
    assert alice.post(path + "/withdraw").json()["status"] == "draft"
    assert_error(alice.post(path + "/withdraw"), 409)


def test_a_wrong_time_is_told(alice: Program, show: dict[str, Any]) -> None:
    path = f"{EPISODES}/{draft(alice)['id']}/publish"
    for at in ("soon", "2026-13-01", "0001-01-01T00:00", "2026-03-01T25:00", "9999-12-31"):
        assert_error(upload(alice, b"never looked at", title="x", publish=at), 422, "publish")
        assert_error(alice.post(path, json={"at": at}), 422, "at")
    assert_error(alice.post(path, json={"at": 5}), 422, "at")


def test_a_draft_without_audio_cannot_be_published(alice: Program, show: dict[str, Any]) -> None:
    episode = draft(alice)
    assert (episode["audio"], episode["enclosure_url"]) == (None, None)
    assert "no audio" in episode["warnings"][0]
    assert_error(alice.post(f"{EPISODES}/{episode['id']}/publish"), 422, "audio")
    assert_error(alice.post(EPISODES, json={"title": "x", "publish": True}), 422, "audio")
    assert alice.get(EPISODES).json()["total"] == 1


def test_audio_that_apps_cannot_play_becomes_a_draft(
    alice: Program, show: dict[str, Any], instance: Instance
) -> None:
    made = upload(alice, flac(), name="hello.flac", title="Lossless", publish="true")
    assert made.status_code == 201, made.text
    episode = made.json()
    assert episode["status"] == "draft"
    assert any("FLAC" in sentence for sentence in episode["warnings"])
    assert_error(alice.post(f"{EPISODES}/{episode['id']}/publish"), 422, "audio")
    assert "Lossless" not in feed_of(instance)


# Audio


def test_what_the_tags_say_is_taken_where_nothing_was_given(
    alice: Program, show: dict[str, Any]
) -> None:
    tagged = with_id3(
        lame(4), id3.TIT2(encoding=3, text="From the tags"), id3.TRCK(encoding=3, text="12/20")
    )
    episode = upload(alice, tagged).json()
    assert (episode["title"], episode["number"]) == ("From the tags", 12)
    named = upload(alice, lame(4), name="My_great show.mp3").json()
    assert named["title"] == "My great show"


def test_replaced_audio_keeps_the_guid_and_gets_a_new_url(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    before = make_episode(alice, mp3, publish="true")
    path = f"{EPISODES}/{before['id']}/audio"
    after = alice.put(path, files={"audio": ("b.mp3", lame(5), "audio/mpeg")}).json()
    assert after["guid"] == before["guid"]
    assert after["published_at"] == before["published_at"]
    assert after["enclosure_url"] != before["enclosure_url"]
    assert after["audio"]["revision"] == 2
    assert abs(after["audio"]["duration_seconds"] - 5) < 0.2
    assert after["enclosure_url"] in feed_of(instance)
    keys = stored(instance)
    assert_error(alice.put(path, files={"audio": ("b.mp3", lame(5), "audio/mpeg")}), 409)
    assert_error(alice.put(path, files={"audio": ("b.flac", flac())}), 422, "audio")
    assert_error(alice.put(path, files={"audio": ("b.mp3", b"no audio")}), 422, "audio")
    assert_error(alice.put(path, files={"other": ("b.mp3", b"no audio")}), 422, "audio")
    assert stored(instance) == keys
    assert alice.get(f"{EPISODES}/{before['id']}").json()["audio"] == after["audio"]


SHIFTED_VTT = b"WEBVTT\n\n00:00.500 --> 00:01.500\nOne.\n\n00:03.000 --> 00:04.000\nTwo.\n"


def timed_episode(alice: Program, mp3: Path) -> dict[str, Any]:
    """With chapters, a transcript and a soundbite; the audio lasts for ten seconds."""
    chapters = [{"start_seconds": 0, "title": "One"}, {"start_seconds": 3, "title": "Two"}]
    made = alice.post(
        EPISODES,
        files={"audio": ("a.mp3", lame(10)), "transcript": ("a.vtt", SHIFTED_VTT)},
        data={
            "title": "Timed",
            "publish": "true",
            "chapters": json.dumps(chapters),
            "soundbites": json.dumps([{"start": 3, "duration": 2, "title": "Bite"}]),
        },
    )
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def times_of(
    alice: Program, instance: Instance, episode: dict[str, Any]
) -> tuple[list[float], list[float], list[float]]:
    """Where chapters, cues and soundbites begin."""
    path = f"{EPISODES}/{episode['id']}"
    told = alice.get(path).json()
    chapters = alice.get(path + "/chapters").json()["chapters"]
    cues = []
    if told["transcripts"]:
        url = next(e["url"] for e in told["transcripts"] if e["mime_type"] == "application/json")
        answer = read_side_file(instance, url.removeprefix("https://pod.example"))
        cues = [segment["startTime"] for segment in json.loads(answer.body)["segments"]]
    bites = [soundbite["start"] for soundbite in told["soundbites"]]
    return [chapter["startTime"] for chapter in chapters], cues, bites


def test_what_lies_in_the_audio_moves_with_new_audio(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    episode = timed_episode(alice, mp3)
    path = f"{EPISODES}/{episode['id']}/audio"
    assert times_of(alice, instance, episode) == ([0, 3], [0.5, 3], [3])
    later = alice.put(path, files={"audio": ("b.mp3", lame(12))}, data={"offset_ms": "1500"})
    assert later.status_code == 200 and later.json()["warnings"] == [], later.text
    assert times_of(alice, instance, episode) == ([1.5, 4.5], [2, 4.5], [4.5])
    cuts = json.dumps([{"at_ms": 0, "removed_ms": 4000}])
    earlier = alice.put(path, files={"audio": ("c.mp3", lame(5))}, data={"cuts": cuts}).json()
    assert times_of(alice, instance, episode) == ([0, 0.5], [0.5], [0.5])
    assert any("1 cue of the transcript" in sentence for sentence in earlier["warnings"])
    bare = alice.put(path, content=lame(6), params={"offset_ms": "-10000"})
    assert times_of(alice, instance, episode) == ([], [], [])
    assert bare.json()["transcripts"] == [] and bare.json()["chapters_url"] is None
    assert any("“One”, “Two”" in sentence for sentence in bare.json()["warnings"])


def test_shifting_once_more_and_what_cannot_be_shifted(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    episode = timed_episode(alice, mp3)
    path = f"{EPISODES}/{episode['id']}/shift"
    answer = alice.post(path, json={"cuts": [{"at_ms": 2000, "inserted_ms": 1000}]})
    assert answer.status_code == 200 and answer.json()["warnings"] == [], answer.text
    assert times_of(alice, instance, episode) == ([0, 4], [0.5, 4], [4])
    assert alice.post(path, json={"offset_ms": 500}).is_success
    assert alice.post(path, json={"offset_ms": -500}).is_success
    assert times_of(alice, instance, episode) == ([0, 4], [0.5, 4], [4])
    for wrong, name in (
        ({}, "offset_ms"),
        ({"offset_ms": 1, "cuts": [{"at_ms": 1, "removed_ms": 1}]}, "cuts"),
        ({"cuts": [{"at_ms": -1, "removed_ms": 1}]}, "cuts[0]"),
        ({"cuts": [{"removed_ms": 1}]}, "cuts[0]"),
        ({"offset_ms": "soon"}, "offset_ms"),
    ):
        assert any(
            field.startswith(name)
            for field in assert_error(alice.post(path, json=wrong), 422)["fields"]
        )
    keys = stored(instance)
    audio = {"audio": ("b.mp3", lame(5))}
    wrong_offset = alice.put(
        f"{EPISODES}/{episode['id']}/audio", files=audio, data={"offset_ms": "x"}
    )
    assert_error(wrong_offset, 422, "offset_ms")
    assert stored(instance) == keys
    page = alice.put(
        f"{EPISODES}/{episode['id']}/transcript", files={"transcript": ("a.html", b"<p>One.</p>")}
    ).json()
    moved = alice.post(path, json={"offset_ms": 500}).json()
    assert moved["transcripts"] == page["transcripts"], "without times, it stays what it is"
    assert any("HTML and was left as it is" in sentence for sentence in moved["warnings"])
    waiting = draft(alice)
    assert_error(alice.post(f"{EPISODES}/{waiting['id']}/shift", json={"offset_ms": 1}), 409)


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_tags_are_written_before_listeners_hear_of_the_audio(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance, client: Client
) -> None:
    assert alice.patch(f"{SHOWS}/tide-tables", json={"write_tags": True}).json()["write_tags"]
    waiting = make_episode(alice, mp3, publish="true", number="7")
    assert waiting["status"] == "scheduled" and waiting["enclosure_url"] not in feed_of(instance)
    run_due_jobs(instance)
    path = f"{EPISODES}/{waiting['id']}"
    episode = alice.get(path).json()
    assert (episode["status"], episode["audio"]["revision"]) == ("published", 2)
    assert episode["audio"]["original_sha256"] == waiting["audio"]["sha256"]
    assert episode["enclosure_url"] in feed_of(instance)
    heard = client.request("GET", episode["enclosure_url"].removeprefix("https://pod.example"))
    assert str(id3.ID3(io.BytesIO(heard.content))["TRCK"]) == "7"
    assert_error(alice.put(f"{path}/audio", files={"audio": ("a.mp3", mp3.read_bytes())}), 409)
    requested = alice.post(f"{path}/write-tags")
    assert (requested.status_code, requested.json()) == (202, episode)
    run_due_jobs(instance)
    assert alice.get(path).json() == episode, "it says all that already"
    replaced = alice.put(f"{path}/audio", files={"audio": ("b.mp3", lame(5))}).json()
    assert replaced["audio"]["revision"] == 4 and replaced["audio"]["original_sha256"]
    assert alice.patch(path, json={"title": "High water"}).json()["audio"]["revision"] == 4
    alice.post(f"{path}/write-tags")
    run_due_jobs(instance)
    assert alice.get(path).json()["audio"]["revision"] == 5
    assert_error(alice.post(f"{EPISODES}/{draft(alice, title='B')['id']}/write-tags"), 422, "audio")


def test_a_bare_body_is_audio_too(alice: Program, show: dict[str, Any]) -> None:
    path = f"{EPISODES}/{draft(alice)['id']}/audio"
    answer = alice.put(path, content=lame(5), headers={"Content-Type": "audio/mpeg"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["audio"]["revision"] == 1


@pytest.mark.parametrize("how", ["json", "form"])
def test_a_file_that_lies_in_the_storage_is_taken_over(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance, how: str
) -> None:
    key = "incoming/hello.mp3"
    instance.storage.put_bytes(key, mp3.read_bytes(), content_type="audio/mpeg")
    fields = {"title": "Stored", "audio_key": key}
    if how == "json":
        made = alice.post(EPISODES, json={**fields, "publish": True})
    else:
        boundary = {"unused": ("", b"")}
        made = alice.post(EPISODES, data={**fields, "publish": "true"}, files=boundary)
    assert made.status_code == 201, made.text
    assert made.json()["status"] == "published"
    assert made.json()["audio"]["size_bytes"] == mp3.stat().st_size
    assert key not in stored(instance)


def test_a_key_that_is_none_is_told(alice: Program, show: dict[str, Any]) -> None:
    for key in ("incoming/none.mp3", "audio/x", "../x", "incoming/../x", "incoming/\x00", "x"):
        assert_error(alice.post(EPISODES, json={"title": "x", "audio_key": key}), 422, "audio_key")
    assert alice.get(EPISODES).json()["total"] == 0


def test_what_is_no_audio_is_refused_and_leaves_nothing(
    alice: Program, show: dict[str, Any], instance: Instance
) -> None:
    files = {
        "pdf": b"%PDF-1.7\n" + b"x" * 5000,
        "empty": b"",
        "text": b"This is not audio at all. " * 100,
        "truncated": lame(4)[:200],
        "bomb": id3_bomb(b""),
        "nested": mp4_nested(),
        "html": b"<!DOCTYPE html><html></html>",
        "zeros": bytes(10_000),
    }
    for name, content in files.items():
        answer = upload(alice, content, title=name, publish="true", guid="g")
        assert len(assert_error(answer, 422, "audio")["message"]) > 20, name
        assert stored(instance) == set()
        assert left_on_disk(instance) == []
    assert alice.get(EPISODES).json()["total"] == 0
    assert draft(alice, guid="g")["guid"] == "g", "the guid is still free"


def test_a_pdf_that_is_called_mp3_is_named_as_what_it_is(
    alice: Program, show: dict[str, Any]
) -> None:
    error = assert_error(upload(alice, b"%PDF-1.7\n" + bytes(500), title="x"), 422, "audio")
    assert "PDF" in error["message"]


def test_what_fails_after_storing_is_taken_back(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    files = {
        "audio": ("a.mp3", mp3.read_bytes()),
        "artwork": ("a.jpg", picture()),
        "transcript": ("a.vtt", VTT),
    }
    wrong = alice.post(EPISODES, files=files, data={"title": "x", "link": "nonsense"})
    assert_error(wrong, 422, "link")
    assert stored(instance) == set()
    files["transcript"] = ("a.vtt", b"%PDF-1.7")
    assert_error(alice.post(EPISODES, files=files, data={"title": "x"}), 422, "transcript")
    files["transcript"] = ("a.vtt", VTT)
    files["artwork"] = ("a.jpg", picture(300))
    assert_error(alice.post(EPISODES, files=files, data={"title": "x"}), 422, "artwork")
    assert stored(instance) == set()
    assert left_on_disk(instance) == []
    assert alice.get(EPISODES).json()["total"] == 0


def test_the_same_guid_again_is_a_conflict_and_stores_nothing(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    make_episode(alice, mp3, guid="tide-7")
    keys = stored(instance)
    assert_error(upload(alice, mp3.read_bytes(), title="x", guid="tide-7"), 409, "guid")
    assert_error(alice.post(EPISODES, json={"title": "x", "guid": "tide-7"}), 409, "guid")
    assert stored(instance) == keys
    assert alice.get(EPISODES).json()["total"] == 1
    alice.delete(f"{EPISODES}/low-water")
    assert_error(alice.post(EPISODES, json={"title": "x", "guid": "tide-7"}), 409, "guid")


def test_too_large_a_file_is_refused_while_it_arrives(
    alice: Program,
    show: dict[str, Any],
    instance: Instance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    object.__setattr__(instance.settings, "max_upload_mb", 1)
    announced = assert_error(upload(alice, bytes(5 * MB), title="x"), 413, "audio")
    assert "1 MB" in announced["message"]

    async def unannounced() -> Any:
        yield (b'--edge\r\nContent-Disposition: form-data; name="audio"; filename="a.mp3"\r\n\r\n')
        for _ in range(20):
            yield bytes(MB // 8)
        raise AssertionError("it went on reading")

    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    assert_error(alice.post(EPISODES, content=unannounced(), headers=headers), 413, "audio")
    picture_of_21_mb = {"artwork": ("a.jpg", bytes(21 * MB))}
    assert_error(alice.put(f"{SHOWS}/tide-tables/artwork", files=picture_of_21_mb), 413, "artwork")
    assert stored(instance) == set()
    assert left_on_disk(instance) == []


# Forms that are none


FORM = "multipart/form-data; boundary=edge"
AUDIO_PART = b'--edge\r\nContent-Disposition: form-data; name="audio"; filename="a.mp3"\r\n\r\n'


BROKEN_FORMS = [
    ("multipart/form-data", b"--edge--\r\n"),
    ("multipart/form-data; boundary=", b"--edge--\r\n"),
    ("multipart/form-data; boundary=" + "x" * 300, b"--edge--\r\n"),
    (FORM, b""),
    (FORM, b"nonsense"),
    (FORM, AUDIO_PART + b"half a file"),
    (FORM, AUDIO_PART + b"half a file\r\n--edge"),
    (FORM, AUDIO_PART + b"half a file\r\n--edge\r\n"),
    (FORM, b"--edge\r\n\r\nno header\r\n--edge--\r\n"),
    (FORM, b"--edge\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--edge--\r\n"),
    (FORM, b"--edge\r\nBad Header\r\n\r\n\r\n--edge--\r\n"),
    (FORM, b"--edge\r\n" + b"X: y\r\n" * 100 + b"\r\n\r\n--edge--\r\n"),
    (FORM, b'--edge\r\nContent-Disposition: form-data; name="title"\r\n\r\n\xff\r\n--edge--'),
    (FORM, b'--edge\r\nContent-Disposition: form-data; name="audio"\r\n\r\nx\r\n--edge--'),
    (
        FORM,
        b"--edge\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: form-data; name="audio"; filename="a"\r\n\r\nx\r\n--edge--',
    ),
    (FORM, b'--edge\r\nContent-Disposition: form-data; name="n"\r\n\r\n\r\n' * 200),
    (FORM, b'--edge\r\nContent-Disposition: form-data; name="title"\r\n\r\nx\r\n' * 2),
    ("text/plain", b"title=x"),
    ("application/x-www-form-urlencoded", b"title=x"),
    ("", b"x"),
    ("audio/mpeg", b"x"),
    ("application/xml", b"<x/>"),
]


def test_a_broken_form_is_told_and_leaves_nothing(
    alice: Program, show: dict[str, Any], instance: Instance
) -> None:
    for content_type, body in BROKEN_FORMS:
        headers = {"Content-Type": content_type}
        assert_error(alice.post(EPISODES, content=body, headers=headers), 422)
        assert left_on_disk(instance) == []
    assert alice.get(EPISODES).json()["total"] == 0


def test_a_form_arrives_whole_however_it_is_cut(
    alice: Program, show: dict[str, Any], mp3: Path
) -> None:
    audio = mp3.read_bytes()[:30_000]
    end = b'\r\n--edge\r\nContent-Disposition: form-data; name="title"\r\n\r\nCut\r\n--edge--\r\n'
    body = AUDIO_PART + audio + end

    for size in (1 << 20, 777):

        async def pieces(size: int = size) -> Any:
            for start in range(0, len(body), size):
                yield body[start : start + size]

        made = alice.post(EPISODES, content=pieces(), headers={"Content-Type": FORM})
        assert made.status_code == 201, made.text
        assert made.json()["audio"]["size_bytes"] == len(audio)
        assert made.json()["title"] == "Cut"


def test_a_form_that_is_cut_off_after_its_audio_is_not_taken_for_whole(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    whole = AUDIO_PART + mp3.read_bytes() + b"\r\n--edge\r\n"
    started = b'Content-Disposition: form-data; name="publish"\r\n\r\n2026-12'
    for cut in (whole, whole + started, whole[:-2]):
        answer = alice.post(EPISODES, content=cut, headers={"Content-Type": FORM})
        assert "cut off" in assert_error(answer, 422)["message"]
    assert alice.get(EPISODES).json()["total"] == 0
    assert stored(instance) == set()


def test_who_goes_away_in_the_middle_leaves_nothing(
    instance: Instance, alice: Program, show: dict[str, Any]
) -> None:
    messages = [
        {"type": "http.request", "body": AUDIO_PART + bytes(2 * MB), "more_body": True},
        {"type": "http.disconnect"},
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": EPISODES,
        "raw_path": EPISODES.encode(),
        "query_string": b"",
        "headers": [
            (b"content-type", FORM.encode()),
            (b"authorization", alice.headers["Authorization"].encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent: list[Any] = []
    seen_on_disk: list[int] = []

    async def receive() -> Any:
        if len(messages) == 1:
            seen_on_disk.append(len(left_on_disk(instance)))
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(create_app(instance)(scope, receive, send))
    if instance.storage.temporary_folder() is not None:
        assert seen_on_disk == [1]
    assert left_on_disk(instance) == []
    assert stored(instance) == set()
    assert alice.get(EPISODES).json()["total"] == 0


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_an_upload_that_stands_still_is_too_late(
    environment: dict[str, str], instance: Instance, alice: Program, show: dict[str, Any]
) -> None:
    async def audio() -> AsyncIterator[bytes]:
        yield b"ID3"
        await asyncio.sleep(60)

    environment["PODHOST_UPLOAD_PAUSE_SECONDS"] = "2"
    instance.settings = read_settings(environment)
    late = alice.post(EPISODES, content=audio(), headers={"Content-Type": FORM})
    assert_error(late, 408)
    assert late.json()["error"]["code"] == "too_late"
    assert late.headers["connection"] == "close"
    assert left_on_disk(instance) == []


def test_a_packed_body_is_refused(alice: Program, show: dict[str, Any]) -> None:
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert_error(alice.post(SHOWS, content=b"x", headers=packed), 415)
    packed["Content-Type"] = FORM
    assert_error(alice.post(EPISODES, content=b"x", headers=packed), 415)


def test_notes_may_be_sent_as_a_file(alice: Program, show: dict[str, Any], mp3: Path) -> None:
    files = {"audio": ("a.mp3", mp3.read_bytes()), "notes": ("notes.md", b"From a file")}
    made = alice.post(EPISODES, files=files, data={"title": "x"})
    assert made.json()["notes"] == "From a file"


# JSON that is none, and fields that are wrong


MALFORMED_JSON = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"title"',
    b'{"title": NaN}',
    b'{"title": "a\\ud800"}',
    b'{"title": "\xff"}',
    b'{"title": "\xed\xa0\x80"}',
    b'{"title": 1e999}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"title": "x", }',
    b'{"title": "x"} trailing',
]


def test_malformed_json_is_told(alice: Program, show: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    for body in MALFORMED_JSON:
        assert_error(alice.post(SHOWS, content=body, headers=headers), 422)
        assert_error(alice.post(EPISODES, content=body, headers=headers), 422)
        if body:
            assert_error(alice.patch(f"{SHOWS}/tide-tables", content=body, headers=headers), 422)


def test_json_that_is_too_large_is_refused(alice: Program) -> None:
    assert_error(alice.post(SHOWS, json={"title": "x" * (2 * MB)}), 413)


def test_json_needs_its_content_type(alice: Program) -> None:
    headers = {"Content-Type": "text/plain"}
    assert_error(alice.post(SHOWS, content=b'{"title": "x"}', headers=headers), 422)


WRONG_FIELDS: list[tuple[str, Any]] = [
    ("title", 5),
    ("title", None),
    ("title", ""),
    ("title", "   "),
    ("title", "x" * 1001),
    ("notes", ["a"]),
    ("notes", "x" * 300_000),
    ("season", "one"),
    ("season", 0),
    ("season", -1),
    ("season", 1.5),
    ("season", 10**40),
    ("number", True),
    ("episode_type", "special"),
    ("explicit", "maybe"),
    ("explicit", 1),
    ("link", "javascript:alert(1)"),
    ("link", "/relative"),
    ("slug", "../up"),
    ("slug", "Ünïcode"),
    ("slug", ""),
    ("guid", ""),
    ("guid", "a\x00b"),
    ("guid", "x" * 741),
    ("guests", {"name": "Ann"}),
    ("guests", "Ann"),
    ("guests[0].name", [{}]),
    ("guests[0].name", [{"name": 5}]),
    ("guests[1]", [{"name": "Ann"}, 5]),
    ("chapters[0].start_seconds", [{"start_seconds": "zero"}]),
    ("chapters[0].start_seconds", [{"start_seconds": -1}]),
    ("publish", 5),
    ("publish", []),
]


def test_a_wrong_field_is_named(alice: Program, show: dict[str, Any]) -> None:
    for name, value in WRONG_FIELDS:
        given = {"title": "x", name.partition("[")[0]: value}
        error = assert_error(alice.post(EPISODES, json=given), 422, name)
        assert error["fields"][name].endswith(".")
    assert alice.get(EPISODES).json()["total"] == 0


WRONG_FORM_FIELDS = [
    ("season", "one"),
    ("explicit", "maybe"),
    ("guests", "Ann"),
    ("guests", '{"name": "Ann"}'),
    ("guests[0].name", '[{"nam": "Ann"}]'),
    ("chapters", "[{]"),
    ("number", "1.5"),
]


def test_a_wrong_field_of_a_form_is_named(alice: Program, show: dict[str, Any]) -> None:
    for name, value in WRONG_FORM_FIELDS:
        given = {name.partition("[")[0]: value}
        assert_error(upload(alice, b"never looked at", title="x", **given), 422, name)


def test_all_wrong_fields_are_named_at_once(alice: Program) -> None:
    wrong = {"title": 5, "explicit": "x", "language": 3, "people": [{"name": "Ann"}, {}]}
    assert_error(
        alice.post(SHOWS, json=wrong), 422, "title", "explicit", "language", "people[1].name"
    )
    wrong = {"title": "", "language": "xx-yy-zz", "link": "x", "time_zone": "Mars", "type": "x"}
    assert_error(
        alice.post(SHOWS, json=wrong), 422, "title", "language", "link", "time_zone", "type"
    )


def test_missing_fields_are_named(alice: Program, show: dict[str, Any], mp3: Path) -> None:
    assert_error(alice.post(SHOWS, json={}), 422, "title")
    assert_error(alice.post(EPISODES, json={}), 422, "title")
    assert_error(alice.post(EPISODES, data={"title": "x"}, files={"x": b""}), 422, "audio")


def test_unknown_fields_are_ignored_and_named(
    alice: Program, show: dict[str, Any], mp3: Path
) -> None:
    made = alice.post(
        SHOWS, json={"title": "Other", "titel": "x", "people": [{"name": "A", "u": 1}]}
    )
    assert made.status_code == 201
    warnings = made.json()["warnings"]
    assert "The field 'titel' is not known and was ignored; did you mean 'title'?" in warnings
    assert any("people[0].u" in sentence for sentence in warnings)
    episode = make_episode(alice, mp3, gests="[]", **{"x" * 500: "y"})
    assert any("'guests'" in sentence for sentence in episode["warnings"])
    assert all(len(sentence) < 300 for sentence in episode["warnings"])
    many = alice.post(SHOWS, json={"title": "M", **{f"f{number}": 1 for number in range(500)}})
    assert len(many.json()["warnings"]) < 40


def test_a_picture_that_podhost_does_not_hold_cannot_be_named(
    alice: Program, show: dict[str, Any]
) -> None:
    for wrong in ("none", "\x00", "0123456789abcdef"):
        guests = [{"name": "Ann", "artwork_id": wrong}]
        assert_error(
            alice.post(EPISODES, json={"title": "x", "guests": guests}),
            422,
            "guests[0].artwork_id",
        )


@pytest.mark.parametrize("kind", sorted(HOSTILE_TEXTS))
def test_any_text_in_any_field_gives_an_answer_and_a_feed(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance, kind: str
) -> None:
    from lxml import etree

    text = HOSTILE_TEXTS[kind]
    changed = alice.patch(
        f"{SHOWS}/tide-tables",
        json={
            **dict.fromkeys(("title", "description", "author", "copyright", "owner_name"), text),
            "people": [{"name": text, "bio": text, "role": "host"}],
        },
    )
    assert changed.status_code == 200, changed.text
    made = upload(
        alice,
        mp3.read_bytes(),
        name=f"{text}.mp3",
        publish="true",
        **dict.fromkeys(("title", "notes", "season_name", "author"), text),
        guests=json.dumps([{"name": text, "bio": text}]),
        chapters=json.dumps([{"start_seconds": 0, "title": text}]),
        season="1",
    )
    assert made.status_code == 201, made.text
    assert made.json()["status"] == "published"
    etree.fromstring(feed_of(instance).encode())
    for name in ("slug", "guid", "link", "episode_type", "season", "publish", "explicit"):
        answer = alice.post(EPISODES, json={"title": "x", name: text})
        assert answer.status_code in (201, 409, 422), (name, answer.text)
    for query in ("status", "limit", "offset"):
        assert alice.get(EPISODES, params={query: text}).status_code == 422
    path = f"{EPISODES}/{made.json()['id']}"
    answer = alice.put(path + "/transcript", content=VTT, params={"language": text})
    assert answer.status_code in (200, 422)
    assert alice.put(path + "/chapters", content=text.encode()).status_code in (200, 422)


def test_long_titles_and_100_kb_of_notes_are_taken(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    title, notes = "T" * 300, "word " * (100 * 1024 // 5)
    episode = make_episode(alice, mp3, title=title, notes=notes, publish="true")
    assert episode["title"] == title
    assert episode["notes"] == notes.strip()
    assert any("255" in sentence for sentence in episode["warnings"])
    assert len(episode["slug"]) <= 100
    assert feed_of(instance)


# What is not there


def test_what_is_not_there_is_404(alice: Program, show: dict[str, Any]) -> None:
    for path in (
        f"{SHOWS}/nobody",
        f"{SHOWS}/nobody/episodes",
        f"{EPISODES}/nothing",
        f"{EPISODES}/nothing/chapters",
        "/api/v1/nothing",
        f"{SHOWS}/%00",
        f"{SHOWS}/%F0%9F%8E%99",
        f"{SHOWS}/%ff%fe",
        f"{SHOWS}/{'x' * 5000}",
        f"{EPISODES}/%00",
    ):
        assert_error(alice.get(path), 404)
    assert_error(alice.post(f"{SHOWS}/nobody/episodes", json={"title": "x"}), 404)
    assert_error(alice.patch(f"{EPISODES}/nothing", json={}), 404)
    assert_error(alice.put(f"{EPISODES}/nothing/audio", files={"audio": b"x"}), 404)


def test_what_was_deleted_is_410(alice: Program, show: dict[str, Any], mp3: Path) -> None:
    episode = make_episode(alice, mp3)
    path = f"{EPISODES}/{episode['id']}"
    assert alice.delete(path).status_code == 204
    assert_error(alice.get(path), 410)
    assert_error(alice.get(f"{EPISODES}/{episode['slug']}"), 410)
    assert_error(alice.delete(path), 410)
    assert alice.delete(f"{SHOWS}/tide-tables").status_code == 204
    assert_error(alice.get(f"{SHOWS}/tide-tables"), 410)
    assert_error(alice.get(EPISODES), 410)
    assert_error(alice.post(EPISODES, json={"title": "x"}), 410)
    assert alice.get(SHOWS).json()["total"] == 0


def test_a_wrong_method_is_405_with_all_that_are_right(
    alice: Program, show: dict[str, Any]
) -> None:
    answer = alice.delete(SHOWS)
    assert_error(answer, 405)
    allowed = {method.strip() for method in answer.headers["allow"].split(",")}
    assert allowed == {"GET", "HEAD", "POST"}
    assert_error(alice.post(f"{EPISODES}/x", json={}), 405)
    assert_error(alice.send("TRACE", SHOWS), 405)


# Renaming


def test_renamed_things_are_found_by_their_old_names(
    alice: Program, show: dict[str, Any], mp3: Path
) -> None:
    before = make_episode(alice, mp3)
    after = alice.patch(f"{EPISODES}/low-water", json={"slug": "ebb"}).json()
    assert after["slug"] == "ebb"
    assert after["enclosure_url"] == before["enclosure_url"]
    assert alice.get(f"{EPISODES}/low-water").json() == after
    assert_error(alice.post(EPISODES, json={"title": "x", "slug": "low-water"}), 409, "slug")
    renamed = alice.patch(f"{SHOWS}/tide-tables", json={"slug": "tides"}).json()
    assert renamed["feed_url"] == "https://pod.example/tides/feed.xml"
    assert renamed["podcast_guid"] == show["podcast_guid"]
    assert alice.get(f"{SHOWS}/tide-tables").json() == renamed
    assert alice.get(f"{SHOWS}/tides/episodes/ebb").json()["id"] == before["id"]


def test_reserved_and_taken_slugs_are_refused(alice: Program, show: dict[str, Any]) -> None:
    assert_error(alice.post(SHOWS, json={"title": "x", "slug": "studio"}), 422, "slug")
    assert_error(alice.post(SHOWS, json={"title": "x", "slug": "tide-tables"}), 409, "slug")
    assert alice.post(SHOWS, json={"title": "Tide Tables"}).json()["slug"] == "tide-tables-2"


def test_a_guid_never_changes(alice: Program, show: dict[str, Any]) -> None:
    episode = draft(alice)
    path = f"{EPISODES}/{episode['id']}"
    assert_error(alice.patch(path, json={"guid": "other"}), 409, "guid")
    assert alice.patch(path, json={"guid": episode["guid"], "number": 3}).json()["number"] == 3
    assert alice.patch(path, json={"number": None}).json()["number"] is None


# Pictures, chapters, transcripts


def test_artwork_of_shows_and_episodes(
    alice: Program, show: dict[str, Any], instance: Instance
) -> None:
    blue = picture()
    form = alice.put(f"{SHOWS}/tide-tables/artwork", files={"artwork": ("a.jpg", blue)})
    assert form.status_code == 200, form.text
    url = form.json()["artwork_url"]
    assert url.startswith("https://pod.example/artwork/")
    assert not any("artwork" in sentence for sentence in form.json()["warnings"])
    keys = stored(instance)
    path = f"{EPISODES}/{draft(alice)['id']}"
    # The same picture again is not stored again.
    same = alice.put(path + "/artwork", content=blue, headers={"Content-Type": "image/jpeg"})
    assert same.json()["artwork_url"] == url
    assert stored(instance) == keys
    other = alice.put(path + "/artwork", content=picture(colour="red")).json()
    assert other["artwork_url"] not in (None, url)
    assert alice.delete(path + "/artwork").status_code == 204
    assert alice.get(path).json()["artwork_url"] is None


def test_wrong_artwork_is_told(alice: Program, show: dict[str, Any], instance: Instance) -> None:
    files = {
        "small": picture(1000),
        "oblong": picture(1400, width=2800),
        "text": b"not a picture",
        "empty": b"",
    }
    path = f"{SHOWS}/tide-tables/artwork"
    assert_error(alice.put(path, content=b""), 422, "artwork")
    for name, content in files.items():
        assert_error(alice.put(path, files={"artwork": (name, content)}), 422, "artwork")
    assert stored(instance) == set()


def test_a_picture_inside_the_audio_stays_when_its_chapter_is_read_and_sent_back(
    alice: Program, show: dict[str, Any], instance: Instance
) -> None:
    inside = id3.CHAP(
        element_id="c1",
        start_time=0,
        end_time=4000,
        start_offset=0xFFFFFFFF,
        end_offset=0xFFFFFFFF,
        sub_frames=[
            id3.TIT2(encoding=3, text="Start"),
            id3.APIC(encoding=3, mime="image/jpeg", type=3, desc="", data=picture(40)),
        ],
    )
    episode = upload(alice, with_id3(lame(4), inside)).json()
    path = f"{EPISODES}/{episode['id']}/chapters"
    chapters = alice.get(path).json()
    url = chapters["chapters"][0]["img"]
    assert url.startswith("https://pod.example/artwork/")
    chapters["chapters"][0]["title"] = "Another title"
    for _ in range(2):
        assert alice.put(path, json=chapters).status_code == 200
        assert alice.get(path).json() == chapters
    later = instance.now() + timedelta(days=2)
    remove_unneeded(instance.database, instance.storage, now=later)
    with instance.database.read() as session:
        assert session.get(Artwork, url.split("/")[-2]) is not None
    # What is stored already is not stored again.
    before = stored(instance)
    again = upload(alice, with_id3(lame(5), inside)).json()
    assert alice.get(f"{EPISODES}/{again['id']}/chapters").json()["chapters"][0]["img"] == url
    assert len(stored(instance) - before) == 1


def test_chapters_come_as_json_text_or_fields(
    alice: Program, show: dict[str, Any], mp3: Path
) -> None:
    chapters = [{"start_seconds": 0, "title": "Start"}, {"start_seconds": 99, "title": "Late"}]
    episode = make_episode(alice, mp3, chapters=json.dumps(chapters))
    assert episode["chapters_url"] == f"https://pod.example/chapters/{episode['id']}.json"
    assert any("Late" in sentence for sentence in episode["warnings"]), episode["warnings"]
    path = f"{EPISODES}/{episode['id']}/chapters"
    answer = alice.get(path)
    assert answer.headers["content-type"].startswith("application/json+chapters")
    assert [entry["title"] for entry in answer.json()["chapters"]] == ["Start"]

    text = {"Content-Type": "text/plain"}
    lines = alice.put(path, content="00:00 One\n00:04 Two <https://two.example/>", headers=text)
    assert lines.status_code == 200, lines.text
    written = alice.get(path).json()
    assert [entry["title"] for entry in written["chapters"]] == ["One", "Two"]
    assert written["chapters"][1]["url"] == "https://two.example/"

    assert alice.put(path, json=written).json()["warnings"] == []
    assert alice.get(path).json() == written
    simple = b'<chapters><chapter start="00:00:01.5" title="Three"/></chapters>'
    for content in (simple, b"WEBVTT\n\n00:01.500 --> 00:02.000\nThree\n"):
        assert alice.put(path, content=content).status_code == 200
        assert [c["startTime"] for c in alice.get(path).json()["chapters"]] == [1.5]
    bomb = b'<!DOCTYPE c [<!ENTITY a "lol">]><chapters><chapter start="1" title="&a;"/></chapters>'
    assert "DOCTYPE" in assert_error(alice.put(path, content=bomb), 422)["message"]
    assert alice.put(path, json={"chapters": []}).json()["chapters_url"] is None
    for wrong in (b"", b"no times here", b"{}", b"[]", b"\x00\xff" * 50, b"{" * 10_000):
        assert_error(alice.put(path, content=wrong), 422)


def test_the_host_is_told_that_chapters_come_from_the_notes(
    alice: Program, show: dict[str, Any], mp3: Path
) -> None:
    episode = make_episode(alice, mp3, notes="00:00 One\n00:03 Two")
    assert any("that the notes list" in sentence for sentence in episode["warnings"])
    path = f"{EPISODES}/{episode['id']}"
    renamed = alice.patch(path, json={"title": "Other"}).json()
    assert not any("notes" in sentence for sentence in renamed["warnings"])
    noted = alice.patch(path, json={"notes": "00:00 One\n00:03 Too"}).json()
    assert any("that the notes list" in sentence for sentence in noted["warnings"])
    titles = [c["title"] for c in alice.get(path + "/chapters").json()["chapters"]]
    assert titles == ["One", "Too"]


def test_transcripts_come_as_forms_or_bare(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    files = {"audio": ("a.mp3", mp3.read_bytes()), "transcript": ("a.vtt", VTT)}
    made = alice.post(EPISODES, files=files, data={"title": "x"}).json()
    assert [entry["mime_type"] for entry in made["transcripts"]] == [
        "text/vtt",
        "application/x-subrip",
        "application/json",
        "text/html",
        "text/plain",
    ]
    path = f"{EPISODES}/{made['id']}/transcript"
    before = made["transcripts"]
    assert (
        alice.put(path, content=VTT, headers={"Content-Type": "text/vtt"}).json()["transcripts"]
        == before
    ), "the same file changes nothing"

    srt = b"1\n00:00:00,000 --> 00:00:02,000\nLow tide.\n"
    query = {"filename": "a.srt", "language": "pt-br"}
    both = alice.put(path, content=srt, params=query).json()["transcripts"]
    assert [(entry["mime_type"], entry["language"]) for entry in both] == [
        ("text/vtt", "pt-br"),
        ("application/x-subrip", "pt-br"),
        ("application/json", "pt-br"),
        ("text/html", "pt-br"),
        ("text/plain", "pt-br"),
    ]
    keys = stored(instance)
    assert_error(alice.put(path, content=b""), 422, "transcript")
    assert_error(alice.put(path, files={"transcript": ("a.vtt", b"%PDF-1")}), 422, "transcript")
    assert_error(alice.put(path, content=srt, params={"language": "klingon"}), 422, "transcript")
    assert stored(instance) == keys
    assert alice.delete(path).status_code == 204
    assert alice.get(f"{EPISODES}/{made['id']}").json()["transcripts"] == []


# The doctor


def test_the_doctor_says_what_is_wrong_with_a_feed(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    path = f"{SHOWS}/tide-tables/doctor"
    assert [each["rule"] for each in alice.get(path).json()["findings"]] == ["feed-waiting"]
    run_due_jobs(instance)
    told = alice.get(path).json()
    assert (told["subject"], told["errors"], told["warnings"]) == ("Tide Tables", 0, 1)
    assert told["findings"][0]["rule"] == "episodes-none"
    assert told["findings"][0]["place"] == "the show"
    assert_error(alice.get(f"{SHOWS}/nothing/doctor"), 404)


# The worker


def test_what_the_worker_has_to_do_can_be_seen(
    alice: Program, show: dict[str, Any], instance: Instance
) -> None:
    # The feed, and the index of the search.
    assert alice.get("/api/v1/jobs").json() == {"waiting": 2, "running": 0, "failed": []}
    run_due_jobs(instance)
    assert alice.get("/api/v1/jobs").json() == {"waiting": 0, "running": 0, "failed": []}


# At once


def test_two_who_send_the_same_guid_at_once_make_one_episode(
    alice: Program, show: dict[str, Any], mp3: Path, instance: Instance
) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(
            threads.map(
                lambda number: upload(alice, mp3.read_bytes(), title=f"T{number}", guid="tide-7"),
                range(4),
            )
        )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert alice.get(EPISODES).json()["total"] == 1
    assert len(stored(instance)) == 1
    assert left_on_disk(instance) == []


# Moving out


def test_a_show_is_told_where_it_moves_and_what_is_left_to_do(
    alice: Program, instance: Instance, show: dict[str, Any]
) -> None:
    path = f"{SHOWS}/tide-tables"
    listed = alice.get(f"{path}/move").json()
    assert (listed["moved_to"], listed["checked_at"]) == (None, None)
    assert listed["steps"][0]["step"] == "export"
    refused = alice.post(f"{path}/move")
    assert refused.status_code == 409 and "no moved_to" in refused.json()["error"]["message"]
    # Loopback is nothing that podhost reads unless the operator allows it.
    given = {"moved_to": "http://127.0.0.1:9/feed.xml", "moved_audio": True}
    told = alice.patch(path, json=given).json()
    assert (told["moved_to"], told["moved_audio"]) == (given["moved_to"], True)
    assert told["redirect_to"] is None
    read_new_feeds(instance)
    listed = alice.get(f"{path}/move").json()
    assert listed["checked_at"] is not None and listed["redirect_to"] is None
    assert "cannot be read" in listed["problems"][0]
    again = alice.post(f"{path}/move", json={"anyway": True})
    assert again.status_code == 202 and again.json()["checked_at"] is None
    read_new_feeds(instance)
    assert alice.get(path).json()["redirect_to"] == given["moved_to"]
    assert alice.patch(path, json={"moved_to": None}).json()["redirect_to"] is None


def read_new_feeds(instance: Instance) -> None:
    with Fetcher(user_agent="podhost tests") as fetcher:
        while run_next_move(instance, fetcher, owner="alice"):
            pass


FEEDS = f"{SHOWS}/tide-tables/feeds"


def test_a_further_feed_is_made_changed_told_and_taken_away(
    instance: Instance, alice: Program, show: dict[str, Any], mp3: Path
) -> None:
    make_episode(alice, mp3, season="2", publish="true")
    assert alice.get(FEEDS).json() == {"feeds": []}
    made = alice.post(FEEDS, json={"name": "season-2", "seasons": [2]})
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"https://pod.example{FEEDS}/season-2"
    told = made.json()
    assert told["url"] == "https://pod.example/tide-tables/feeds/season-2.xml"
    assert told["last_modified"] is None and told["podcast_guid"] != show["podcast_guid"]
    feed_of(instance)
    read = alice.get(f"{FEEDS}/season-2").json()
    assert read == told | {"last_modified": read["last_modified"]} and read["last_modified"]
    changed = alice.put(f"{FEEDS}/season-2", json={"types": ["full"], "title": "Two", "url": "x"})
    assert changed.status_code == 200 and changed.json()["seasons"] == []
    assert "url" in changed.json()["warnings"][0]
    given = {"name": "season-2", "title": "Two", "types": ["full"]}
    assert alice.get(f"{SHOWS}/tide-tables").json()["feeds"] == [given]
    assert alice.delete(f"{FEEDS}/season-2").status_code == 204
    assert alice.delete(f"{FEEDS}/season-2").status_code == 404
    assert alice.get(f"{FEEDS}/season-2").status_code == 404


def test_a_private_feed_gets_a_name_that_nobody_guesses(
    alice: Program, show: dict[str, Any]
) -> None:
    names = {alice.post(FEEDS, json={"early_hours": 24}).json()["name"] for _ in range(2)}
    assert len(names) == 2 and all(len(name) == 32 for name in names)
    assert [feed["private"] for feed in alice.get(FEEDS).json()["feeds"]] == [True, True]


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "field"),
    [
        ("POST", FEEDS, {"seasons": [2]}, 422, "name"),
        ("POST", FEEDS, {"name": "new", "newest": 3}, 409, "name"),
        ("POST", FEEDS, {"name": "two", "seasons": [0]}, 422, "seasons[0]"),
        ("PUT", f"{FEEDS}/new", {"private": True}, 422, "name"),
        ("PUT", f"{FEEDS}/new", {"name": "newest", "newest": 1}, 409, "name"),
        ("PUT", f"{FEEDS}/a%20b", {"newest": 1}, 422, "name"),
        ("PUT", f"{FEEDS}/new", {"newest": "many"}, 422, "newest"),
    ],
)
def test_a_wrong_further_feed_is_refused(
    alice: Program,
    show: dict[str, Any],
    method: str,
    path: str,
    given: dict[str, Any],
    status: int,
    field: str,
) -> None:
    assert alice.put(f"{FEEDS}/new", json={"newest": 2}).status_code == 200
    before = alice.get(FEEDS).json()
    refused = alice.send(method, path, json=given)
    assert refused.status_code == status, refused.text
    assert list(refused.json()["error"]["fields"]) == [field]
    assert alice.get(FEEDS).json() == before
