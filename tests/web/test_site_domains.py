"""Where a host name leads: shows' own domains, those that they had, and podhost's own."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from podhost.app import create_app
from podhost.audio.revisions import enclosure_url
from podhost.episodes import get_episode
from podhost.instance import Instance
from podhost.shows import get_show
from podhost.site.settings import SiteInput, change_site, site_settings
from tests.asgi_client import Client
from tests.making import make_episode, make_show, run_due_jobs

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
MAIN = "https://pod.example"


class Hosts:
    """A podhost with two shows, asked by the names of hosts."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.app: Any = create_app(instance)
        self.app.state.catalogue.catch_up()
        self.client = Client(self.app)

    def move(self, slug: str, domain: str | None) -> None:
        """Give a show another domain, or none."""
        now, base_url = self.instance.now(), self.instance.base_url
        with self.instance.database.write() as session:
            given = SiteInput(domain=domain)
            change_site(session, get_show(session, slug), given, now=now, base_url=base_url)
        self.app.state.catalogue.catch_up()

    def ask(self, host: str, path: str, method: str = "GET", **headers: str) -> Any:
        said = {"Host": host, "Accept": "text/html", **headers}
        return self.client.request(method, path, headers=said)

    def where(self, host: str, path: str) -> str:
        """Whereto one is led for ever, from there."""
        answer = self.ask(host, path)
        assert answer.status_code == 301, answer.text
        return str(answer.headers["location"])


@pytest.fixture
def hosts(instance: Instance, mp3: Path) -> Iterator[Hosts]:
    make_episode(instance, make_show(instance), mp3)
    make_show(instance, "Ebb")
    run_due_jobs(instance)
    yield Hosts(instance)


# Domains that a show had


def test_a_domain_that_a_show_had_leads_to_the_same_page_where_it_is_now(hosts: Hosts) -> None:
    hosts.move("tide-tables", "old.example")
    assert hosts.ask("old.example", "/episodes/low-water").status_code == 200
    hosts.move("tide-tables", "new.example")
    new = "https://new.example"
    assert hosts.where("old.example", "/") == f"{new}/"
    for path in ("/episodes/low-water", "/episodes?page=1&x=%22", "/sitemap.xml", "/a%C3%A9%20%3F"):
        assert hosts.where("OLD.example.:443", path).lower() == (new + path).lower()
    hosts.move("tide-tables", None)
    for old in ("old.example", "new.example"):
        assert hosts.where(old, "/episodes/low-water?x") == (
            f"{MAIN}/tide-tables/episodes/low-water?x"
        )
    # Whoever comes back finds the show, and the domain in between leads there.
    hosts.move("tide-tables", "old.example")
    assert hosts.ask("old.example", "/").status_code == 200
    assert hosts.where("new.example", "/x") == "https://old.example/x"


def test_a_domain_that_was_left_shows_nobody_elses_pages(hosts: Hosts) -> None:
    hosts.move("tide-tables", "old.example")
    hosts.move("tide-tables", None)
    for path in ("/", "/ebb/", "/robots.txt"):
        assert hosts.ask("pod.example", path).status_code == 200
        # Although it is in memory.
        assert path in hosts.app.state.catalogue.pages
        assert hosts.where("old.example", path) == f"{MAIN}/tide-tables{path}"


def test_a_domain_belongs_to_whoever_has_it(hosts: Hosts) -> None:
    hosts.move("tide-tables", "old.example")
    hosts.move("tide-tables", "new.example")
    hosts.move("ebb", "old.example")
    assert "Ebb" in hosts.ask("old.example", "/").text
    # What is left by the second one leads to the second one.
    hosts.move("ebb", None)
    assert hosts.where("old.example", "/") == f"{MAIN}/ebb/"


def test_what_is_sent_to_a_domain_that_was_left_arrives(hosts: Hosts) -> None:
    hosts.move("tide-tables", "old.example")
    hosts.move("tide-tables", "new.example")
    # As a mail program that unsubscribes somebody, which follows nowhere (RFC 8058).
    answer = hosts.ask("old.example", "/newsletter/unsubscribe/" + 43 * "a", "POST")
    assert (
        answer.status_code
        == hosts.ask("new.example", "/newsletter/unsubscribe/" + 43 * "a", "POST").status_code
    )
    assert answer.status_code not in (301, 302, 405)


def test_podhosts_own_domain_is_never_led_away(instance: Instance, hosts: Hosts) -> None:
    hosts.move("tide-tables", "old.example")
    hosts.move("tide-tables", None)
    # Later, it becomes the address of all.
    instance.base_url = "https://old.example"
    moved = Hosts(instance)
    assert moved.ask("old.example", "/").status_code == 200
    assert moved.ask("old.example", "/tide-tables/").status_code == 200
    # Nobody is led to where only the machine itself is heard.
    instance.base_url = "http://127.0.0.1:8000"
    alone = Hosts(instance)
    assert alone.ask("old.example", "/tide-tables/").status_code == 200


def test_proxies_get_certificates_for_a_domain_that_was_left(hosts: Hosts) -> None:
    assert hosts.ask("pod.example", "/-/domain?domain=old.example").status_code == 404
    hosts.move("tide-tables", "old.example")
    hosts.move("tide-tables", None)
    answer = hosts.ask("pod.example", "/-/domain?domain=old.example")
    assert (answer.status_code, answer.text) == (200, "old.example")


def test_a_player_is_found_by_an_address_that_was_left(hosts: Hosts) -> None:
    hosts.move("tide-tables", "old.example")
    hosts.move("tide-tables", "new.example")
    found = hosts.client.get(
        "/oembed", params={"url": "https://old.example/episodes/low-water"}
    ).json()
    assert "https://new.example/embed/low-water" in found["html"]


def test_a_player_is_found_where_a_shows_domain_is_podhosts_address(
    instance: Instance, hosts: Hosts
) -> None:
    hosts.move("tide-tables", "tides.example")
    instance.base_url = "https://tides.example"
    asked = Hosts(instance).client
    for path in ("/episodes/low-water", "/"):
        found = asked.get("/oembed", params={"url": f"https://tides.example{path}"})
        assert found.status_code == 200, path
    # Of other shows, nothing is at this address.
    other = asked.get("/oembed", params={"url": "https://tides.example/ebb/"})
    assert other.status_code == 404


def test_a_player_is_found_by_a_domain_as_people_write_it(hosts: Hosts) -> None:
    hosts.move("tide-tables", "b\u00fccher.example")
    for host in ("b\u00fccher.example", "B\u00dcCHER.example.", "xn--bcher-kva.example:443"):
        address = f"https://{host}/episodes/low-water"
        assert hosts.client.get("/oembed", params={"url": address}).status_code == 200, host


def test_the_same_domain_again_is_no_change(hosts: Hosts, instance: Instance) -> None:
    hosts.move("tide-tables", "old.example")
    hosts.move("tide-tables", "old.example")
    assert hosts.ask("old.example", "/").status_code == 200
    with instance.database.read() as session:
        assert site_settings(session, get_show(session, "tide-tables")).domain == "old.example"


# What is podhost's own

_SECRET = "a" * 43


@pytest.mark.parametrize(
    "path",
    [
        "/studio/",
        "/studio/login?next=%2Fstudio%2F",
        f"/studio/guests/{_SECRET}",
        "/api/v1/shows?limit=1",
        "/api/v1/openapi.json",
        "/uploads/x/1?key=a%20b",
    ],
)
def test_what_is_podhosts_own_is_at_its_own_address(hosts: Hosts, path: str) -> None:
    hosts.move("tide-tables", "old.example")
    hosts.move("tide-tables", "tides.example")
    for host in ("tides.example", "old.example", "TIDES.example.:443"):
        for method in ("GET", "HEAD"):
            answer = hosts.ask(host, path, method)
            assert (answer.status_code, answer.headers["location"]) == (302, MAIN + path)
            assert answer.headers["cache-control"] == "no-store"
    # There, and by any name that is no show's, it answers itself.
    for host in ("pod.example", "127.0.0.1:8000", "podhost.internal"):
        assert hosts.ask(host, path).headers.get("location", "") != MAIN + path


def test_what_is_sent_to_a_shows_domain_is_refused_with_the_right_address(hosts: Hosts) -> None:
    hosts.move("tide-tables", "tides.example")
    for path in ("/studio/login", "/api/v1/shows", "/uploads/x/1"):
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            answer = hosts.ask("tides.example", path, method, **{"Accept-Language": "es"})
            assert answer.status_code == 421
            assert MAIN in answer.text
            assert "set-cookie" not in answer.headers
    page = hosts.ask("tides.example", "/studio/login", "POST", **{"Accept-Language": "es"})
    assert "Este es el dominio de un pódcast" in page.text
    told = hosts.ask("tides.example", "/api/v1/shows", "POST", Accept="*/*").json()
    assert told["error"]["message"] == f"This is the domain of a show; send this to {MAIN} again."


def test_what_belongs_to_a_show_is_there_on_its_domain(hosts: Hosts, instance: Instance) -> None:
    hosts.move("tide-tables", "tides.example")
    page = hosts.ask("tides.example", "/episodes/low-water").text
    sheet = re.findall(r'href="(/static/[^"]+[.]css)"', page)[0]
    with instance.database.read() as session:
        show = get_show(session, "tide-tables")
        episode = get_episode(session, show, "low-water")
        assert episode.audio is not None
        audio = urlsplit(enclosure_url(instance.base_url, episode.audio)).path
    for path in (sheet, audio, "/tide-tables/feed.xml", "/healthz"):
        assert hosts.ask("tides.example", path, Accept="*/*").status_code == 200, path
    found = hosts.ask("tides.example", "/-/domain?domain=tides.example")
    assert (found.status_code, found.text) == (200, "tides.example")


def test_a_feed_that_is_looked_for_on_the_domain_is_found(hosts: Hosts) -> None:
    hosts.move("tide-tables", "tides.example")
    feed = f"{MAIN}/tide-tables/feed.xml"
    assert hosts.where("tides.example", "/feed.xml") == feed
    assert hosts.where("tides.example", "/feed") == feed
    assert hosts.where("pod.example", "/tide-tables/feed") == feed
    # Never in a circle, where there is no feed.
    assert hosts.ask("pod.example", "/nothing/feed.xml").status_code == 404


def test_nobody_is_locked_out_where_a_shows_domain_is_podhosts_address(
    instance: Instance, hosts: Hosts
) -> None:
    hosts.move("tide-tables", "tides.example")
    for base_url in ("https://tides.example", "http://127.0.0.1:8000", "http://localhost"):
        instance.base_url = base_url
        asked = Hosts(instance)
        assert asked.ask("tides.example", "/studio/login").status_code in (200, 303)
        assert asked.ask("tides.example", "/api/v1/shows", Accept="*/*").status_code == 401
        # And the show stays at the root, as its owner has said.
        assert "Harbour talk." in asked.ask("tides.example", "/").text
