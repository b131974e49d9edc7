"""The pages of people: of everybody whom something published names, and of nobody else."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from podhost.app import create_app
from podhost.episodes import get_episode
from podhost.episodes.publishing import publish_episode
from podhost.instance import Instance
from podhost.people import CreditInput, PersonLink, find_person
from podhost.shows import ShowInput, change_show, get_show
from podhost.shows.people import PersonInput, change_person, merge_people
from podhost.web.site import people
from podhost.written.articles import ArticleInput, AuthorInput, create_article
from podhost.written.publishing import publish_article
from tests.asgi_client import Client
from tests.making import make_episode, make_show, run_due_jobs
from tests.written.making import make_article

PEOPLE = "/tide-tables/people"
pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def client(instance: Instance, mp3: Path) -> Iterator[Client]:
    make_episode(instance, make_show(instance), mp3, guests=[CreditInput(name="Ann")])
    yield Client(create_app(instance))


def test_a_host_whom_no_episode_names_has_a_page(instance: Instance, client: Client) -> None:
    hosts = ShowInput(people=[CreditInput(name="Holly Harbour", bio="Keeps the time.")])
    with instance.database.write() as session:
        change_show(session, get_show(session, "tide-tables"), hosts, now=instance.now())
    assert f'href="{PEOPLE}/holly-harbour"' in client.get("/tide-tables/").text
    page = client.get(f"{PEOPLE}/holly-harbour")
    assert page.status_code == 200
    assert "Keeps the time." in page.text
    assert client.get(f"{PEOPLE}/holly-harbour?page=2").status_code == 404


def test_a_host_page_lists_every_episode_that_names_them(
    instance: Instance, client: Client, mp3: Path
) -> None:
    hosts = ShowInput(people=[CreditInput(name="Holly Harbour", role="host")])
    stand_in = CreditInput(name="Stan Dinn", role="host")
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        change_show(session, show, hosts, now=instance.now())
    make_episode(instance, show, mp3, "Alone")
    make_episode(instance, show, mp3, "Holiday", guests=[stand_in])
    make_episode(instance, show, None, "Soon", publish=False)
    page = client.get(f"{PEOPLE}/holly-harbour").text
    assert "/episodes/low-water" in page and "/episodes/alone" in page
    # Where an episode names hosts of its own, the show's are not on its page either.
    assert "/episodes/holiday" not in page and "/episodes/soon" not in page
    assert "/episodes/holiday" in client.get(f"{PEOPLE}/stan-dinn").text
    guest = client.get(f"{PEOPLE}/ann").text
    assert "/episodes/alone" not in guest
    # Where search engines say that the page belongs.
    crumb = '"position":2,"name":"%s"'
    assert crumb % "Credits" in page and crumb % "Guests" in guest


def test_the_links_of_a_guest_stand_wherever_they_are_told_of(
    instance: Instance, client: Client, mp3: Path
) -> None:
    links = [PersonLink(name="Mastodon", url="https://social.example/@bea")]
    bea = CreditInput(name="Bea", links=links)
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        change_show(session, show, ShowInput(people=[bea]), now=instance.now())
    make_episode(instance, show, mp3, "High water", guests=[bea])
    for path in ("/tide-tables/", "/tide-tables/episodes/high-water", "/tide-tables/credits"):
        assert 'href="https://social.example/@bea" rel="nofollow' in client.get(path).text, path
    assert "https://social.example/@bea" in client.get(f"{PEOPLE}/bea").text


def test_the_credits_lead_to_everybody_by_role(
    instance: Instance, client: Client, mp3: Path
) -> None:
    cy = CreditInput(name="Cy", role="audio engineer")
    with instance.database.read() as session:
        show = get_show(session, "tide-tables")
    make_episode(instance, show, mp3, "High water", guests=[cy])
    make_episode(instance, show, mp3, "Slack water", guests=[cy])
    page = client.get("/tide-tables/credits").text
    assert f'href="{PEOPLE}/cy"' in page
    assert ">Audio engineer</h2>" in page and "2 episodes" in page
    with instance.database.write() as session:
        in_spanish = ShowInput(language="es")
        change_show(session, get_show(session, "tide-tables"), in_spanish, now=instance.now())
    page = Client(create_app(instance)).get("/tide-tables/episodes/high-water").text
    assert ">Ingeniero de sonido</span>" in page


def test_an_author_page_leads_to_every_article(
    instance: Instance, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "EPISODES_PER_PAGE", 2)
    with instance.database.read() as session:
        show = get_show(session, "tide-tables")
    by = ("Wren Writer",)
    for number in range(3):
        make_article(instance, show, f"Part {number} of all", authors=by)
    first, second = (client.get(f"{PEOPLE}/wren-writer{query}") for query in ("", "?page=2"))
    assert len(set(re.findall(r"/articles/part-\d-of-all", first.text + second.text))) == 3
    assert "?page=2" in first.text and "?page=1" in second.text
    assert client.get(f"{PEOPLE}/wren-writer?page=3").status_code == 404


def test_what_only_a_draft_says_of_a_known_guest_is_told_once_it_is_out(
    instance: Instance, client: Client, mp3: Path
) -> None:
    with instance.database.read() as session:
        show = get_show(session, "tide-tables")
    said = CreditInput(name="Ann", bio="Minister, from May.", url="https://minister.example/")
    make_episode(instance, show, mp3, "Soon", publish=False, guests=[said])
    run_due_jobs(instance)
    pages = (f"{PEOPLE}/ann", "/tide-tables/guests", "/tide-tables/search?q=minister")
    for path in pages:
        page = client.get(path)
        assert page.status_code == 200
        assert "Minister, from May." not in page.text and "minister.example" not in page.text
    with instance.database.write() as session:
        episode = get_episode(session, get_show(session, "tide-tables"), "soon")
        publish_episode(session, episode, now=instance.now())
    run_due_jobs(instance)
    with Client(create_app(instance)) as fresh:
        assert "https://minister.example/" in fresh.get(pages[0]).text
        assert "Minister, from May." in fresh.get(pages[1]).text
        assert "/people/ann" in fresh.get(pages[2]).text


def test_what_a_draft_says_of_an_author_stands_in_no_article(
    instance: Instance, client: Client
) -> None:
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        given = ArticleInput(title="Salt", text="Rope.", authors=[AuthorInput(name="Ann")])
        article = create_article(session, show, given, now=instance.now())
        publish_article(session, article, at=None, now=instance.now())
    said = CreditInput(name="Ann", bio="Minister, from May.", url="https://minister.example/")
    make_episode(instance, show, None, "Soon", publish=False, guests=[said])
    for path in (
        "/tide-tables/articles/salt",
        "/tide-tables/articles",
        "/tide-tables/articles.xml",
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "Minister, from May." not in answer.text and "minister.example" not in answer.text


def test_what_the_show_says_of_somebody_itself_is_told(instance: Instance, client: Client) -> None:
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        ann = find_person(session, show, "ann")
        assert ann is not None
        change_person(session, show, ann, PersonInput(bio="Harbour master"), now=instance.now())
    make_episode(instance, show, None, "Soon", publish=False, guests=[CreditInput(name="Ann")])
    assert "Harbour master" in client.get(f"{PEOPLE}/ann").text


def test_another_spelling_tells_of_nobody_whom_only_drafts_name(
    instance: Instance, client: Client
) -> None:
    with instance.database.read() as session:
        show = get_show(session, "tide-tables")
    for title, name in (("First draft", "Secret Star"), ("Second draft", "S Star")):
        make_episode(instance, show, None, title, publish=False, guests=[CreditInput(name=name)])
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        star, short = (find_person(session, show, key) for key in ("secret star", "s star"))
        assert star is not None and short is not None
        merge_people(session, short, star, now=instance.now())
    answers = [client.get(f"{PEOPLE}/{slug}") for slug in ("s-star", "secret-star", "nobody")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
