"""Pages of shows in memory: made once, dropped with every change that they show, coded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from podhost.app import Application, create_app
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.errors import Unavailable
from podhost.history.trash import get_deleted_show, restore
from podhost.instance import Instance
from podhost.people import CreditInput, find_person
from podhost.shows import ShowInput, change_show, delete_show, get_show
from podhost.shows.people import PersonInput, change_person
from podhost.site.editions import link_editions
from podhost.site.settings import SiteInput, change_site
from podhost.web.site import serving
from podhost.written.articles import ArticleInput, create_article
from podhost.written.publishing import publish_article
from podhost.written.sponsors import SponsorInput, create_sponsor
from tests.asgi_client import Client
from tests.making import make_episode, make_show, run_due_jobs

HOME = "/tide-tables/"
EPISODE = "/tide-tables/episodes/low-water"


class Site:
    """The application, following the change log when it is told to, and what it had to make."""

    def __init__(self, instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.instance = instance
        app = create_app(instance)
        assert isinstance(app, Application)
        self.catalogue = app.state.catalogue
        self.catalogue.catch_up()
        self.client = Client(app)
        self.made: list[str] = []
        render = serving.render

        def counted(look: Any, page: Any, style: str) -> bytes:
            self.made.append(page.head.path)
            return render(look, page, style)

        monkeypatch.setattr(serving, "render", counted)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers={"Accept": "text/html", **headers})

    def follow(self) -> None:
        run_due_jobs(self.instance)
        self.catalogue.catch_up()


@pytest.fixture
def site(instance: Instance, mp3: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    make_episode(instance, make_show(instance), mp3, guests=[CreditInput(name="Ann")])
    run_due_jobs(instance)
    yield Site(instance, monkeypatch)


def test_a_page_is_made_once_for_all_who_ask(site: Site) -> None:
    first = site.get(HOME)
    assert first.status_code == 200
    for headers in ({}, {"Accept-Encoding": "br"}, {"Accept-Encoding": "gzip"}):
        assert site.get(HOME, **headers).status_code == 200
    # What links are shared with says nothing to us.
    assert site.get(f"{HOME}?utm_source=somewhere").content == first.content
    assert site.made == ["/"]


def test_a_page_comes_in_the_coding_that_is_wanted(site: Site) -> None:
    plain = site.get(HOME, **{"Accept-Encoding": "identity"})
    etags = {plain.headers["etag"]}
    for wanted, coding in (("gzip, deflate, br;q=0.5", "br"), ("gzip;q=1.0, *;q=0.1", "gzip")):
        answer = site.get(HOME, **{"Accept-Encoding": wanted})
        assert answer.headers["content-encoding"] == coding
        assert answer.headers["vary"] == "Accept-Encoding"
        assert int(answer.headers["content-length"]) < len(answer.content)
        assert answer.content == plain.content
        etags.add(answer.headers["etag"])
        known = {"If-None-Match": answer.headers["etag"], "Accept-Encoding": wanted}
        assert site.get(HOME, **known).status_code == 304
    assert len(etags) == 3
    refused = site.get(HOME, **{"Accept-Encoding": "br;q=0, gzip;q=0"})
    assert "content-encoding" not in refused.headers


def test_only_what_is_there_can_be_as_it_was(site: Site) -> None:
    any_copy = {"If-None-Match": "*"}
    assert site.get(HOME, **any_copy).status_code == 304
    assert site.get("/oembed?url=nowhere", **any_copy).status_code == 404


def _rename_show(instance: Instance, session: Any) -> None:
    show = get_show(session, "tide-tables")
    change_show(session, show, ShowInput(title="Changed"), now=instance.now())


def _rename_episode(instance: Instance, session: Any) -> None:
    episode = get_episode(session, get_show(session, "tide-tables"), "low-water")
    change_episode(session, episode, EpisodeInput(title="Changed"), now=instance.now())


def _tell_of_a_guest(instance: Instance, session: Any) -> None:
    show = get_show(session, "tide-tables")
    person = find_person(session, show, "ann")
    assert person is not None
    change_person(session, show, person, PersonInput(name="Changed"), now=instance.now())


def _write_an_article(instance: Instance, session: Any) -> None:
    show = get_show(session, "tide-tables")
    given = ArticleInput(title="Changed", text="Salt.")
    article = create_article(session, show, given, now=instance.now())
    publish_article(session, article, at=None, now=instance.now())


def _change_the_style(instance: Instance, session: Any) -> None:
    show = get_show(session, "tide-tables")
    change_site(session, show, SiteInput(css="/* Changed */"), now=instance.now())


@pytest.mark.parametrize(
    "change",
    [_rename_show, _rename_episode, _tell_of_a_guest, _write_an_article, _change_the_style],
)
def test_a_change_of_whatever_a_page_shows_makes_it_anew(site: Site, change: Any) -> None:
    assert "Changed" not in site.get(HOME).text
    with site.instance.database.write() as session:
        change(site.instance, session)
    site.follow()
    assert "Changed" in site.get(HOME).text


def test_a_change_of_one_show_leaves_the_pages_of_others(site: Site) -> None:
    make_show(site.instance, "Arrivals")
    site.follow()
    for path in (HOME, "/arrivals/", "/"):
        site.get(path)
    before = len(site.made)
    with site.instance.database.write() as session:
        change_show(
            session, get_show(session, "arrivals"), ShowInput(title="Gone"), now=site.instance.now()
        )
    site.follow()
    assert site.get(HOME).status_code == 200
    assert len(site.made) == before
    assert "Gone" in site.get("/").text


def test_a_sister_show_that_comes_back_is_named_again(site: Site) -> None:
    now = site.instance.now()
    make_show(site.instance, "Mareas", language="es")
    with site.instance.database.write() as session:
        link_editions(
            session, get_show(session, "tide-tables"), get_show(session, "mareas"), now=now
        )
        delete_show(session, get_show(session, "mareas"), now=now)
    site.follow()
    assert "/mareas/" not in site.get(HOME).text
    with site.instance.database.write() as session:
        restore(session, get_deleted_show(session, "mareas"), now=now)
    site.follow()
    assert "/mareas/" in site.get(HOME).text


def test_what_no_page_is_takes_no_room(site: Site) -> None:
    pages = site.catalogue.pages
    for path in ("/tide-tables/nothing", "/nobody/", f"{EPISODE}x", f"{HOME}episodes?page=1"):
        site.get(path)
    assert list(pages) == []
    site.get(EPISODE)
    assert list(pages) == [EPISODE]


def test_a_page_that_says_something_else_tomorrow_is_made_anew_then(site: Site, clock: Any) -> None:
    with site.instance.database.write() as session:
        show = get_show(session, "tide-tables")
        given = SponsorInput(name="Harrow & Daughters", starts_on="2026-03-06")
        create_sponsor(session, show, given, now=site.instance.now())
    site.follow()
    assert "Harrow" not in site.get(HOME).text
    (page,) = site.catalogue.pages.values()
    assert page.expires_at_ms is not None
    clock.advance(days=1)
    # The hot path reads the machine's clock, which a test cannot turn.
    page.expires_at_ms = 0
    assert "Harrow" in site.get(HOME).text


def test_a_colour_that_nobody_could_look_at_does_not_stay(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(key: str, **_: object) -> None:
        raise Unavailable("The store does not answer.")

    monkeypatch.setattr(site.instance.storage, "open", away)
    assert site.get(HOME).status_code == 200
    assert site.get(EPISODE).status_code == 200
    assert all(page.expires_at_ms for page in site.catalogue.pages.values())


def test_a_colour_that_was_found_when_the_picture_was_stored_needs_no_look_at_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.instance.database.write() as session:
        artwork = get_show(session, "tide-tables").artwork
        assert artwork is not None
        artwork.colour = "#a01010"
    monkeypatch.setattr(site.instance.storage, "open", None)
    assert "--accent-light:#a01010;" in site.get(HOME).text


def test_a_show_stands_at_the_root_of_its_own_domain(site: Site) -> None:
    with site.instance.database.write() as session:
        show = get_show(session, "tide-tables")
        change_site(session, show, SiteInput(domain="tides.example"), now=site.instance.now())
    site.follow()
    own = {"Host": "TIDES.example:443"}
    home = site.get("/", **own)
    assert 'href="/episodes/low-water"' in home.text
    assert "/tide-tables/episodes" not in home.text
    assert '<link rel="canonical" href="https://tides.example/">' in home.text
    assert site.get("/episodes/low-water", **own).status_code == 200
    assert site.get("/tide-tables/episodes/low-water", **own).status_code == 404
    # There too, but it says where it belongs.
    elsewhere = site.get(EPISODE)
    assert (
        '<link rel="canonical" href="https://tides.example/episodes/low-water">' in elsewhere.text
    )
    assert 'href="/tide-tables/episodes"' in elsewhere.text
    # From memory it is the same.
    assert site.get("/", **own).text == home.text
    assert site.get("/", Host="other.example").text != home.text
    assert "https://tides.example/sitemap.xml" in site.get("/robots.txt", **own).text
    moved = site.get("/episodes/", **own)
    assert (moved.status_code, moved.headers["location"]) == (301, "/episodes")


def test_a_domain_that_is_taken_away_meanwhile_leaves_its_page_nowhere_else(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who looks for the page in memory, and who finds the show; from then on it has no domain.
    site.get(HOME)
    found = iter(["tide-tables", "tide-tables"])
    monkeypatch.setattr(site.catalogue, "find_domain", lambda _: next(found, None))
    assert site.get("/", Host="tides.example").status_code == 200
    assert "/" not in site.catalogue.pages


def test_a_deleted_show_leaves_its_domain_to_no_other(site: Site) -> None:
    with site.instance.database.write() as session:
        show = get_show(session, "tide-tables")
        change_site(session, show, SiteInput(domain="tides.example"), now=site.instance.now())
    site.follow()
    # A whole name, with the dot at its end.
    for host in ("tides.example", "tides.example.", "tides.example.:443"):
        assert (
            '<link rel="canonical" href="https://tides.example/">' in site.get("/", Host=host).text
        )
    with site.instance.database.write() as session:
        delete_show(session, get_show(session, "tide-tables"), now=site.instance.now())
    site.follow()
    assert site.get("/", Host="tides.example").status_code == 410
