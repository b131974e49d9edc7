"""Where a show can be submitted, and what its host notes of each place."""

import pytest

from podhost.app import create_app
from podhost.instance import Instance
from podhost.shows.directories import DIRECTORIES
from tests.asgi_client import Client
from tests.making import make_show
from tests.web.test_api import Program, token_for

APPLE = "/api/v1/shows/tide-tables/directories/apple"
ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def client(instance: Instance) -> Program:
    make_show(instance)
    return Program(Client(create_app(instance)), token_for(instance, "alice@example.org"))


def listed(client: Program) -> dict[str, dict[str, object]]:
    told = client.get("/api/v1/shows/tide-tables/directories").json()
    assert told["feed_url"] == "https://pod.example/tide-tables/feed.xml"
    return {entry["id"]: entry for entry in told["directories"]}


def test_what_is_noted_of_a_directory_stays_and_can_be_taken_back(client: Program) -> None:
    address = "https://podcasts.apple.com/podcast/id1"
    noted = {"submitted_on": "2026-03-01", "note": "Asked for a bigger picture."}
    answer = client.put(APPLE, json=noted)
    assert answer.status_code == 200, answer.text
    assert client.put(APPLE, json={"listed_url": address}).status_code == 200
    found = listed(client)["apple"]
    assert {name: found[name] for name in noted} == noted
    assert found["listed_url"] == address
    assert listed(client)["spotify"]["submitted_on"] is None
    empty = {"submitted_on": None, "listed_url": None, "note": None}
    assert client.put(APPLE, json=empty).status_code == 200
    found = listed(client)["apple"]
    assert (found["submitted_on"], found["listed_url"], found["note"]) == (None, None, "")


@ON_ONE_ENGINE
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"submitted_on": "yesterday"}, "submitted_on"),
        ({"submitted_on": "0001-01-01"}, "submitted_on"),
        ({"listed_url": "javascript:alert(1)"}, "listed_url"),
        ({"note": "x" * 1001}, "note"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    client: Program, given: dict[str, str], field: str
) -> None:
    answer = client.put(APPLE, json=given)
    assert answer.status_code == 422
    assert field in answer.json()["error"]["fields"]
    assert listed(client)["apple"]["submitted_on"] is None


@ON_ONE_ENGINE
def test_a_directory_that_is_not_in_the_list_is_404(client: Program) -> None:
    assert client.put(APPLE[:-5] + "nothing", json={"note": "x"}).status_code == 404


def test_the_table_of_directories_can_be_trusted() -> None:
    ids = [directory.id for directory in DIRECTORIES]
    assert len(set(ids)) == len(ids) >= 16
    known = {"account", "owner_email", "artwork", "episode", "category"}
    for directory in DIRECTORIES:
        assert directory.url.startswith("https://")
        assert set(directory.needs) <= known
        assert directory.takes
        assert directory.comes_from is None or directory.comes_from in ids
