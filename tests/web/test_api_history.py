"""The API's calls for history, trash, audit trail and many episodes at once."""

from pathlib import Path
from typing import Any

import pytest

from podhost.app import create_app
from podhost.instance import Instance
from tests.asgi_client import Client
from tests.audio_files import lame
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient
from tests.web.test_api import Program, assert_error, token_for

SHOW = "/api/v1/shows/tide-tables"


@pytest.fixture
def alice(instance: Instance) -> Program:
    client = Client(create_app(instance))
    return Program(client, token_for(instance, "alice@example.org"))


def changes(alice: Program, path: str) -> list[dict[str, Any]]:
    answer = alice.get(f"{path}/history")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["changes"]
    return found


def test_a_change_is_told_and_taken_back(instance: Instance, alice: Program) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    path = f"{SHOW}/episodes/{episode.id}"
    assert alice.patch(path, json={"title": "High water"}).status_code == 200
    change = changes(alice, path)[0]
    assert change["who"] == "alice@example.org" and change["can_be_undone"]
    assert change["fields"] == [{"field": "title", "before": "Low water", "after": "High water"}]
    undone = alice.post(f"{path}/history/{change['id']}/undo")
    assert undone.json() == {"fields": ["title"], "warnings": []}
    assert alice.get(path).json()["title"] == "Low water"
    assert changes(alice, path)[0]["undoes"] == change["id"]
    refused = alice.post(f"{path}/history/{change['id']}/undo")
    assert_error(refused, 409, "title")
    anyway = {"fields": ["title"], "anyway": True}
    assert alice.post(f"{path}/history/{change['id']}/undo", json=anyway).status_code == 200


def test_pages_of_a_history_follow_each_other(instance: Instance, alice: Program) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    path = f"{SHOW}/episodes/{episode.id}"
    for status in ("One", "Two"):
        alice.patch(path, json={"slug": status.lower()})
    first = alice.get(f"{path}/history?limit=2").json()
    assert len(first["changes"]) == 2
    rest = alice.get(first["next"].removeprefix(instance.base_url)).json()
    assert [one["action"] for one in rest["changes"]] == ["created"] and rest["next"] is None
    assert_error(alice.get(f"{path}/history?before=%27"), 422, "before")
    assert_error(alice.get(f"{path}/history?limit=0"), 422, "limit")


def test_earlier_audio_comes_back(instance: Instance, alice: Program, mp3: Path) -> None:
    episode = make_episode(instance, make_show(instance), mp3)
    path = f"{SHOW}/episodes/{episode.id}"
    before = alice.get(path).json()["audio"]
    sent = alice.put(f"{path}/audio", files={"audio": ("new.mp3", lame(3))})
    assert sent.json()["audio"]["revision"] == 2
    change = changes(alice, path)[0]
    undone = alice.post(f"{path}/history/{change['id']}/undo")
    assert undone.status_code == 200, undone.text
    after = alice.get(path).json()["audio"]
    assert (after["revision"], after["sha256"]) == (3, before["sha256"])


def test_a_change_of_another_episode_is_not_found(instance: Instance, alice: Program) -> None:
    show = make_show(instance)
    one = make_episode(instance, show, None, "One", publish=False)
    two = make_episode(instance, show, None, "Two", publish=False)
    change = changes(alice, f"{SHOW}/episodes/{one.id}")[0]["id"]
    for key in (change, "0" * 20, "x%27"):
        response = alice.post(f"{SHOW}/episodes/{two.id}/history/{key}/undo")
        assert_error(response, 404)


def test_the_settings_of_a_show_go_back(instance: Instance, alice: Program) -> None:
    make_show(instance)
    alice.patch(SHOW, json={"title": "Tides", "funding": [{"url": "https://fund.example"}]})
    change = changes(alice, SHOW)[0]
    assert alice.post(f"{SHOW}/history/{change['id']}/undo").status_code == 200
    show = alice.get(SHOW).json()
    assert (show["title"], show["funding"]) == ("Tide Tables", [])


def test_the_trash_gives_back(instance: Instance, alice: Program, clock: FrozenClock) -> None:
    episode = make_episode(instance, make_show(instance), None, publish=False)
    assert alice.delete(f"{SHOW}/episodes/{episode.id}").status_code == 204
    (deleted,) = alice.get(f"{SHOW}/trash").json()["deleted"]
    assert (deleted["id"], deleted["title"]) == (episode.id, "Low water")
    restored = alice.post(f"{SHOW}/trash/{episode.id}/restore")
    assert (restored.status_code, restored.json()["guid"]) == (200, episode.guid)
    assert_error(alice.post(f"{SHOW}/trash/{episode.id}/restore"), 409)
    assert alice.delete(SHOW).status_code == 204
    (deleted,) = alice.get("/api/v1/trash").json()["deleted"]
    assert deleted["slug"] == "tide-tables"
    assert alice.post("/api/v1/trash/tide-tables/restore").status_code == 200
    assert alice.get(SHOW).status_code == 200
    alice.delete(SHOW)
    clock.advance(days=31)
    assert_error(alice.post("/api/v1/trash/tide-tables/restore"), 410)
    assert_error(alice.post("/api/v1/trash/nothing/restore"), 404)


@pytest.mark.parametrize(("role", "status"), [("owner", 200), ("editor", 403), ("stranger", 404)])
def test_only_an_owner_brings_a_show_back(instance: Instance, role: str, status: int) -> None:
    make_show(instance)
    visitor = StudioClient.visit_as(instance, role, "tide-tables")
    operator = StudioClient.visit_as(instance, "operator", client=visitor.client)
    assert operator.call("DELETE", "/shows/tide-tables").status_code == 204
    listed = visitor.call("GET", "/trash").json()["deleted"]
    assert [one["slug"] for one in listed] == (["tide-tables"] if role == "owner" else [])
    assert visitor.call("POST", "/trash/tide-tables/restore").status_code == status


def test_the_audit_trail_is_for_owners_and_operators(instance: Instance) -> None:
    make_show(instance)
    owner = StudioClient.visit_as(instance, "owner", "tide-tables")
    editor = StudioClient.visit_as(instance, "editor", "tide-tables", client=owner.client)
    assert editor.call("PATCH", "/shows/tide-tables", json={"title": "X"}).status_code in (200, 403)
    owner.call("PATCH", "/shows/tide-tables", json={"author": "Ann"})
    entries = owner.call("GET", "/shows/tide-tables/audit").json()["entries"]
    assert (entries[0]["who"], entries[0]["action"]) == ("Owner", "patch_show")
    assert entries[0]["details"] == {"changed": ["author"]}
    assert editor.call("GET", "/shows/tide-tables/audit").status_code == 403
    assert owner.call("GET", "/audit").status_code == 403
    operator = StudioClient.visit_as(instance, "operator", client=owner.client)
    assert operator.call("GET", "/audit").json()["entries"][0]["id"] == entries[0]["id"]


def test_many_episodes_at_once(instance: Instance, alice: Program, mp3: Path) -> None:
    show = make_show(instance)
    ready = make_episode(instance, show, mp3, "Ready", publish=False)
    bare = make_episode(instance, show, None, "Bare", publish=False)
    overview = alice.get(f"{SHOW}/overview?state=draft&q=rea&sort=title").json()
    assert [one["title"] for one in overview["episodes"]] == ["Ready"]
    assert overview["counts"]["draft"] == 2
    assert_error(alice.get(f"{SHOW}/overview?state=best&sort=x"), 422, "state")
    given = {"action": "publish", "episodes": [ready.id, bare.id]}
    done = alice.post(f"{SHOW}/bulk", json=given).json()
    assert done["done"] == [ready.id]
    assert [one["id"] for one in done["refused"]] == [bare.id]
    undone = alice.post(f"{SHOW}/bulk/{done['batch']}/undo").json()
    assert undone["done"] == [ready.id]
    assert alice.get(f"{SHOW}/episodes/{ready.id}").json()["status"] == "withdrawn"
    assert_error(alice.post(f"{SHOW}/bulk", json={**given, "action": "x"}), 422, "action")
    assert_error(alice.post(f"{SHOW}/bulk/none/undo"), 404)


def test_an_episode_is_planned_for_a_day(instance: Instance, alice: Program, mp3: Path) -> None:
    show = make_show(instance, time_zone="Europe/Madrid")
    episode = make_episode(instance, show, mp3, publish=False)
    path = f"{SHOW}/episodes/{episode.id}/plan"
    planned = alice.post(path, json={"day": "2026-03-09", "time": "08:00"})
    assert planned.json()["published_at"] == "2026-03-09T07:00:00Z", planned.text
    assert_error(alice.post(path, json={"day": "2026-02-30"}), 422, "day")
