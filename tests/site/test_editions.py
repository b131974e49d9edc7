"""Shows that are each other in several languages, and what their pages say of it."""

import re
from pathlib import Path

import pytest

from podhost.app import create_app
from podhost.changes import changes_since, last_change
from podhost.errors import Conflict
from podhost.instance import Instance
from podhost.models import Show
from podhost.shows import ShowInput, change_show, delete_show, get_show
from podhost.site.editions import link_editions, list_editions, unlink_edition
from podhost.site.settings import SiteInput, change_site
from tests.api_client import calls_by_role
from tests.asgi_client import Client
from tests.making import make_episode, make_show

SQLITE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def tides(instance: Instance) -> Show:
    return make_show(instance)


@pytest.fixture
def mareas(instance: Instance, tides: Show) -> Show:
    return make_show(instance, "Mareas", language="es")


def link(instance: Instance, one: Show, other: Show) -> None:
    with instance.database.write() as session:
        shows = [get_show(session, each.slug) for each in (one, other)]
        link_editions(session, shows[0], shows[1], now=instance.now())


def slugs(instance: Instance, show: Show) -> list[str]:
    with instance.database.read() as session:
        return [each.show.slug for each in list_editions(session, show)]


def hreflang(client: Client, path: str) -> dict[str, str]:
    page = client.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 200
    return dict(re.findall(r'<link rel="alternate" hreflang="([^"]+)" href="([^"]+)">', page.text))


def test_a_group_grows_together_and_falls_apart(
    instance: Instance, tides: Show, mareas: Show
) -> None:
    watt = make_show(instance, "Watt", language="de")
    link(instance, tides, mareas)
    link(instance, watt, mareas)
    link(instance, tides, watt)
    assert slugs(instance, tides) == slugs(instance, watt) == ["mareas", "tide-tables", "watt"]
    with instance.database.write() as session:
        before = last_change(session)
        unlink_edition(session, get_show(session, "watt"), now=instance.now())
        # Every one of them has pages that named it.
        noted = {(change.topic, change.key) for change in changes_since(session, before)}
    assert noted == {("site", show.id) for show in (tides, mareas, watt)}
    assert slugs(instance, watt) == [] and slugs(instance, mareas) == ["mareas", "tide-tables"]
    with instance.database.write() as session:
        unlink_edition(session, get_show(session, "mareas"), now=instance.now())
    assert slugs(instance, tides) == []


@SQLITE
def test_two_of_one_language_are_no_editions(instance: Instance, tides: Show) -> None:
    other = make_show(instance, "Other")
    with pytest.raises(Conflict, match="language en"):
        link(instance, tides, other)
    with pytest.raises(Conflict):
        link(instance, tides, tides)
    assert slugs(instance, tides) == []


@SQLITE
def test_pages_lead_to_each_other_both_ways(
    mp3: Path, instance: Instance, tides: Show, mareas: Show
) -> None:
    episode = make_episode(instance, tides, mp3)
    app = create_app(instance)
    client, catalogue = Client(app), app.state.catalogue
    catalogue.catch_up()
    assert hreflang(client, "/tide-tables/") == {}
    link(instance, mareas, tides)
    catalogue.catch_up()
    there = {
        "en": "https://pod.example/tide-tables/",
        "es": "https://pod.example/mareas/",
        "x-default": "https://pod.example/tide-tables/",
    }
    assert hreflang(client, "/tide-tables/") == hreflang(client, "/mareas/") == there
    follow = hreflang(client, "/mareas/follow")
    assert follow["en"] == "https://pod.example/tide-tables/follow"
    # Nobody said which episode it is there; its readers find the home.
    path = f"/tide-tables/episodes/{episode.slug}"
    assert hreflang(client, path) == {}
    switch = '<a href="https://pod.example/mareas/" hreflang="es" lang="es"><bdi>Español</bdi>'
    assert switch in client.get(path).text

    # What changes of one stands in the pages of the other.
    with instance.database.write() as session:
        show = get_show(session, "mareas")
        change_site(session, show, SiteInput(domain="mareas.example"), now=instance.now())
    catalogue.catch_up()
    assert hreflang(client, "/tide-tables/")["es"] == "https://mareas.example/"
    assert hreflang(client, "/tide-tables/follow")["es"] == "https://mareas.example/follow"
    with instance.database.write() as session:
        show = get_show(session, "mareas")
        change_show(session, show, ShowInput(language="pt-br"), now=instance.now())
    catalogue.catch_up()
    assert "pt-br" in hreflang(client, "/tide-tables/")
    with instance.database.write() as session:
        delete_show(session, get_show(session, "mareas"), now=instance.now())
    catalogue.catch_up()
    assert hreflang(client, "/tide-tables/") == {}
    assert "mareas" not in client.get(path).text


@SQLITE
def test_nobody_links_a_show_that_is_not_theirs(
    instance: Instance, tides: Show, mareas: Show
) -> None:
    ask = calls_by_role(instance, tides, "owner")
    path = "/api/v1/shows/tide-tables/site/editions"
    assert ask("POST", path, json={"show": "mareas"}).status_code == 404
    assert ask("POST", path, json={"show": "nowhere"}).status_code == 404
    link(instance, tides, mareas)
    told = ask("GET", "/api/v1/shows/tide-tables/site").json()["editions"]
    assert told == [
        {
            "show": "mareas",
            "title": "Mareas",
            "language": "es",
            "url": "https://pod.example/mareas/",
        }
    ]
    # Who sees that they are linked may leave, and may not throw the other one out.
    assert ask("DELETE", f"{path}/mareas").status_code == 404
    assert slugs(instance, tides) != []
    assert ask("DELETE", f"{path}/tide-tables", role="editor").status_code == 403
    assert ask("DELETE", f"{path}/tide-tables").status_code == 204
    assert slugs(instance, mareas) == []
    assert ask("DELETE", f"{path}/mareas").status_code == 404
