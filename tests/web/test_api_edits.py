"""Editing by the API: versions, working copies, two accounts at once, and what helps typing."""

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from podhost.accounts.accounts import create_account, create_token
from podhost.app import create_app
from podhost.instance import Instance
from tests.asgi_client import Client
from tests.making import make_episode, make_show

SHOW = "/api/v1/shows/tide-tables"
EPISODE = f"{SHOW}/episodes/low-water"


class Program:
    """A program that edits with the token of an account."""

    def __init__(self, instance: Instance, client: Client, name: str) -> None:
        self.client = client
        with instance.database.write() as session:
            account, _ = create_account(
                session,
                f"{name}@pod.example",
                name=name,
                password="ebb and flow at noon",
                is_operator=True,
                now=instance.now(),
            )
            secret = create_token(session, account, name="test", now=instance.now())[1]
        self.headers = {"Authorization": f"Bearer {secret}"}

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def type(self, version: int, **values: Any) -> httpx.Response:
        return self.ask("PATCH", EPISODE + "/edit", json={"version": version, "values": values})


@pytest.fixture
def client(instance: Instance) -> Client:
    return Client(create_app(instance))


@pytest.fixture
def alice(instance: Instance, client: Client) -> Program:
    return Program(instance, client, "Alice")


@pytest.fixture
def bob(instance: Instance, client: Client) -> Program:
    return Program(instance, client, "Bob")


def test_it_changes_only_the_version_that_was_seen(instance: Instance, alice: Program) -> None:
    make_episode(instance, make_show(instance), None, publish=False)
    read = alice.ask("GET", EPISODE)
    assert (read.headers["etag"], read.json()["version"]) == ('"1"', 1)
    change = {"json": {"number": 2}, "headers": {"If-Match": read.headers["etag"]}}
    changed = alice.ask("PATCH", EPISODE, **change)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    late = alice.ask("PATCH", EPISODE, json={"number": 3}, headers={"If-Match": '"1", W/"2"'})
    assert (late.status_code, late.json()["error"]["code"]) == (412, "outdated")
    again = alice.ask("GET", EPISODE)
    assert (again.json()["number"], again.headers["etag"]) == (2, '"2"')
    anyway = alice.ask("PATCH", EPISODE, json={"number": 3}, headers={"If-Match": "*"})
    assert anyway.json()["number"] == 3


def test_two_accounts_edit_a_draft_and_lose_nothing(
    instance: Instance, alice: Program, bob: Program
) -> None:
    make_episode(instance, make_show(instance), None, publish=False)
    assert alice.type(1, title="Alice's").json()["version"] == 2
    other = bob.type(1, notes="Bob's")
    assert (other.status_code, other.json()["values"]["title"]) == (200, "Alice's")
    same = bob.type(1, title="Bob's")
    assert same.status_code == 409
    assert set(same.json()["error"]["fields"]) == {"title"}
    (conflict,) = same.json()["edit"]["conflicts"]
    assert (conflict["theirs"], conflict["yours"], conflict["changed_by"]) == (
        "Alice's",
        "Bob's",
        "Alice",
    )
    waiting = bob.ask("GET", EPISODE + "/edit")
    assert (waiting.status_code, waiting.json()["copy"]) == (200, {"title": "Bob's"})
    assert bob.type(3, title="Ours").json()["values"]["title"] == "Ours"
    assert bob.ask("GET", EPISODE + "/edit").json()["copy"] == {}


def test_a_working_copy_is_applied_or_dropped(
    instance: Instance, alice: Program, bob: Program, mp3: Path
) -> None:
    make_episode(instance, make_show(instance), mp3)
    version = alice.ask("GET", EPISODE + "/edit").json()["version"]
    kept = alice.type(version, title="High water", season=-1).json()
    assert kept["copy"] == {"title": "High water", "season": -1}
    assert set(kept["errors"]) == {"season"}
    refused = alice.ask("POST", EPISODE + "/edit/apply")
    assert (refused.status_code, set(refused.json()["error"]["fields"])) == (422, {"season"})
    alice.ask("PATCH", EPISODE + "/edit", json={"version": version, "dropped": ["season"]})
    bob.type(version, title="Ebb")
    assert alice.ask("POST", EPISODE + "/edit/apply").json()["values"]["title"] == "High water"
    assert bob.ask("POST", EPISODE + "/edit/apply").status_code == 409
    assert bob.ask("DELETE", EPISODE + "/edit").status_code == 204
    assert bob.ask("GET", EPISODE + "/edit").json()["copy"] == {}


def test_who_is_there_is_told_to_others(instance: Instance, alice: Program, bob: Program) -> None:
    make_episode(instance, make_show(instance), None, publish=False)
    assert alice.ask("POST", EPISODE + "/edit/presence").json() == {"version": 1, "others": []}
    (other,) = bob.ask("POST", EPISODE + "/edit/presence").json()["others"]
    assert other["name"] == "Alice"
    assert alice.ask("DELETE", EPISODE + "/edit/presence").status_code == 204
    assert bob.ask("GET", EPISODE + "/edit").json()["others"] == []


def test_notes_are_previewed_as_the_feed_has_them(instance: Instance, alice: Program) -> None:
    make_show(instance)
    notes = "**Tide** <script>alert(1)</script>[x](javascript:alert(2))"
    given = {"notes": notes, "people": [{"name": "<b>Ann", "bio": "pilot"}]}
    told = alice.ask("POST", SHOW + "/preview-notes", json=given).json()
    assert told["html"] == "<p>With Ann (pilot).</p><p><strong>Tide</strong> x</p>"
    assert (told["chars"], told["warnings"]) == (len(notes), [])
    long = alice.ask("POST", SHOW + "/preview-notes", json={"notes": "word " * 1000}).json()
    assert "4000" in long["warnings"][0]
    assert (
        alice.ask("POST", SHOW + "/preview-notes", json={"notes": "ä" * 99_999}).status_code == 422
    )


def test_people_are_found_with_the_picture_that_was_uploaded(
    instance: Instance, alice: Program
) -> None:
    make_episode(instance, make_show(instance), None, publish=False)
    picture = io.BytesIO()
    Image.new("RGB", (400, 500), "teal").save(picture, "PNG")
    stored = alice.ask(
        "POST", SHOW + "/people/pictures", files={"artwork": ("ann.png", picture.getvalue())}
    )
    assert stored.status_code == 200
    again = alice.ask(
        "POST", SHOW + "/people/pictures", files={"artwork": ("b.png", picture.getvalue())}
    )
    assert again.json()["artwork_id"] == stored.json()["artwork_id"]
    person = {"name": "Ann Bell", "artwork_id": stored.json()["artwork_id"], "bio": "Pilot."}
    assert alice.type(1, people=[person]).status_code == 200
    (found,) = alice.ask("GET", SHOW + "/people/suggestions?q=bel").json()["people"]
    assert (found["name"], found["picture_url"], found["episodes"]) == (
        "Ann Bell",
        stored.json()["url"],
        1,
    )
    assert alice.ask("GET", SHOW + "/people/suggestions?q=" + "x" * 300).status_code == 422
    broken = alice.ask("POST", SHOW + "/people/pictures", files={"artwork": ("a.png", b"no")})
    assert broken.status_code == 422


def test_a_time_that_clocks_leave_out_is_said(
    instance: Instance, alice: Program, mp3: Path
) -> None:
    show = make_show(instance, time_zone="America/New_York")
    make_episode(instance, show, mp3, publish=False)
    told = alice.ask("POST", EPISODE + "/publish", json={"at": "2026-03-08T02:30"}).json()
    assert told["published_at"] == "2026-03-08T07:30:00Z"
    assert "There is no 02:30" in told["warnings"][0]
