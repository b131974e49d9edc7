"""The studio's page of a newsletter, and the API's calls for it, without a browser."""

import html

import pytest

from podhost.history.audit import list_entries
from podhost.instance import Instance
from podhost.models import Show
from podhost.newsletter.settings import find_newsletter
from podhost.shows import get_show
from tests.making import make_show
from tests.newsletter.making import ask, join, open_newsletter, readers
from tests.studio_client import StudioClient, text_of

HOME = "/shows/tide-tables/newsletter"
CALLS = "/shows/tide-tables/newsletter"
SETTINGS = {
    "is_open": "true",
    "sends_episodes": "true",
    "weekday": "monday",
    "hour": "7",
    "contact": "Pier Nine\nHarbour Street 9",
}
pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def show(instance: Instance) -> Show:
    return make_show(instance, time_zone="Europe/Madrid")


@pytest.fixture
def owner(instance: Instance, show: Show) -> StudioClient:
    return StudioClient.visit_as(instance, "owner", show.slug)


def test_an_owner_switches_it_on_and_sees_it_grow(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    assert "nothing is sent" in text_of(owner.get(HOME))
    said = owner.follow(owner.post(HOME, SETTINGS))
    assert "The newsletter is on." in text_of(said)
    # A year of nothing is no picture of anything.
    assert "<rect" not in said.text
    join(instance, show, "ann@example.org", "bo@example.org")
    ask(instance, show, "cy@example.org")
    page = owner.get(HOME)
    assert "2 readers" in text_of(page) and "1 did not confirm yet" in text_of(page)
    assert 'value="monday" selected' in page.text and 'value="7" selected' in page.text
    assert "Harbour Street 9" in page.text and page.text.count("<rect") == 12
    assert 'href="https://pod.example/tide-tables/newsletter"' in page.text


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    page = owner.post(HOME, {"is_open": "true", "weekday": "monday", "hour": "x", "contact": "Me"})
    assert page.status_code == 422
    assert "Choose at least one kind of mail." in page.text
    assert "It must be a whole number from 0 to 23." in page.text and ">\nMe<" in page.text
    with instance.database.read() as session:
        assert not find_newsletter(session, show).is_open


def test_a_test_takes_an_episode(show: Show, owner: StudioClient) -> None:
    page = owner.post(f"{HOME}/test")
    assert page.status_code == 422 and "Publish an episode first" in page.text


def test_readers_are_found_and_forgotten_and_taken_along(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    open_newsletter(instance, show)
    join(instance, show, "<b>@example.org", "bo@example.org")
    page = owner.get(f"{HOME}/readers", params={"search": "<B>", "status": "confirmed"})
    assert html.escape("<b>@example.org") in page.text and "bo@" not in page.text
    table = owner.post(f"{HOME}/export")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["cache-control"] == "no-store"
    assert "<b>@example.org" in table.text and "tide-tables-newsletter.csv" in str(table.headers)
    id_ = readers(instance, show)["bo@example.org"].id
    owner.follow(owner.post(f"{HOME}/readers/{id_}/forget"))
    assert [*readers(instance, show)] == ["<b>@example.org"]
    assert owner.post(f"{HOME}/readers/x/forget").status_code == 404
    assert owner.post(f"{HOME}/issues/x/stop").status_code == 404
    assert "exported the addresses" in text_of(owner.get("/shows/tide-tables/activity"))


def test_addresses_are_the_owners_alone(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    open_newsletter(instance, show)
    join(instance, show, "ann@example.org")
    editor = StudioClient.visit_as(instance, "editor", show.slug, client=owner.client)
    page = editor.get(HOME)
    assert "1 reader" in text_of(page) and "<form" not in page.text.split("<main")[1]
    assert "ann@" not in editor.call("GET", CALLS).text
    for path in ("/subscribers", "/subscribers.csv"):
        assert editor.call("GET", CALLS + path).status_code == 403


def test_a_program_does_the_same(instance: Instance, show: Show, owner: StudioClient) -> None:
    given = {"is_open": True, "weekday": "Sunday", "hour": 0, "sends_digest": False}
    changed = owner.call("PATCH", CALLS, json=given).json()
    assert (changed["weekday"], changed["hour"], changed["is_open"]) == ("sunday", 0, True)
    assert changed["url"] == "https://pod.example/tide-tables/newsletter"
    assert len(changed["growth"]) == 12 and changed["can_send"] is False
    for wrong in ({"hour": 24}, {"weekday": "someday"}, {"is_open": "maybe"}, {"hour": True}):
        assert owner.call("PATCH", CALLS, json=wrong).status_code == 422, wrong
    join(instance, show, "ann@example.org")
    listed = owner.call("GET", f"{CALLS}/subscribers?status=confirmed&limit=1").json()
    assert listed["total"] == 1 and listed["subscribers"][0]["address"] == "ann@example.org"
    assert owner.call("GET", f"{CALLS}/subscribers?status=x").status_code == 422
    assert owner.call("GET", f"{CALLS}/subscribers.csv").text.count("\r\n") == 2
    assert owner.call("GET", f"{CALLS}/issues").json() == {"issues": [], "total": 0, "next": None}
    assert owner.call("POST", f"{CALLS}/test").status_code == 409
    id_ = listed["subscribers"][0]["id"]
    assert owner.call("DELETE", f"{CALLS}/subscribers/{id_}").status_code == 204
    assert owner.call("GET", CALLS).json()["confirmed"] == 0


def test_an_operator_brings_readers_from_another_podhost(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    there = make_show(instance, "Ebb")
    open_newsletter(instance, there)
    join(instance, there, "ann@example.org")
    operator = StudioClient.visit_as(instance, "operator")
    table = operator.call("GET", "/shows/ebb/newsletter/subscribers.csv").content
    page = f"{HOME}/readers"
    file = {"readers": ("readers.csv", table, "text/csv")}
    # Whose mail server it is decides that, and no owner of a show.
    assert "Bring readers" not in owner.get(page).text
    form = {"show": show.slug}
    assert owner.post("/imports/readers", form, files=file).status_code == 403
    assert owner.call("POST", "/imports/readers", data=form, files=file).status_code == 403
    assert not readers(instance, show)
    assert "Bring readers" in operator.get(page).text
    said = operator.follow(operator.post("/imports/readers", form, files=file))
    assert "1 reader was imported; 0 were known here" in text_of(said)
    assert "ann@example.org" in said.text and set(readers(instance, show)) == {"ann@example.org"}
    for wrong, words in (
        ({"readers": ("a.csv", b"email\nann@example.org\n", "text/csv")}, "no table of readers"),
        ({"readers": ("a.csv", b"", "text/csv")}, "Choose a file."),
    ):
        refused = operator.post("/imports/readers", form, files=wrong)
        assert refused.status_code == 422 and words in text_of(refused)
        assert "Readers" in text_of(refused) and "ann@example.org" in refused.text
    nowhere = operator.post("/imports/readers", {"show": "nothing"}, files=file)
    assert nowhere.status_code == 404
    call = operator.call("POST", "/imports/readers", data=form, files=file)
    assert call.json() == {"imported": 0, "refused": 0, "known": 1, "left_out": 0}
    with instance.database.read() as session:
        noted = {entry.action for entry in list_entries(session)}
    assert {"import_from_table", "post_import_readers"} <= noted


def test_nobody_waits_while_a_table_of_readers_is_read(instance: Instance, show: Show) -> None:
    operator = StudioClient.visit_as(instance, "operator")
    form = {"show": show.slug}
    wrong = {"readers": ("a.csv", b"email\nann@example.org\n", "text/csv")}
    # Somebody else writes, and one may at a time: what is wrong is said without a turn.
    with instance.database.write() as session:
        get_show(session, show.slug, lock=True)
        assert operator.post("/imports/readers", form, files=wrong).status_code == 422
        call = operator.call("POST", "/imports/readers", data=form, files=wrong)
        assert call.status_code == 422
