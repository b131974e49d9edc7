"""The public pages: where the links of a feed lead."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from podhost.app import create_app
from podhost.episodes import ChapterInput, EpisodeInput, change_episode, get_episode
from podhost.instance import Instance
from podhost.people import CreditInput
from podhost.publishing import delete_episode, withdraw_episode
from podhost.shows import ShowInput, change_show, delete_show, get_show
from podhost.web import site
from tests.asgi_client import Client
from tests.making import make_episode, make_show

HOSTILE = "<script>alert(1)</script>\"' & <b>"


@pytest.fixture
def client(instance: Instance) -> Iterator[Client]:
    yield Client(create_app(instance))


class Page(HTMLParser):
    """What stands in a page: tags, links by their text, everything in attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]


def read(client: Client, path: str, status: int = 200) -> Page:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    return Page(answer.text)


def test_the_first_page_lists_the_shows_with_their_feeds(
    instance: Instance, client: Client
) -> None:
    assert "no show here yet" in read(client, "/").text
    make_show(instance, "Tide Tables")
    make_show(instance, "Arrivals")
    page = read(client, "/")
    assert page.values("a", "href") == [
        "/arrivals/",
        "/arrivals/feed.xml",
        "/tide-tables/",
        "/tide-tables/feed.xml",
    ]


def test_the_show_page_has_feed_artwork_and_players(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    make_episode(instance, show, mp3, "A draft", publish=False)
    page = read(client, "/tide-tables/")
    assert page.values("link", "href") == [
        "https://pod.example/tide-tables/",
        "https://pod.example/tide-tables/feed.xml",
    ]
    assert page.values("audio", "src") == [f"/audio/{episode.id}/1/low-water.mp3"]
    assert page.values("audio", "preload") == ["none"]
    assert "/tide-tables/episodes/low-water" in page.values("a", "href")
    assert page.values("img", "src") == [f"/artwork/{show.artwork_id}/3000.jpg"]
    assert "A draft" not in page.text
    assert "script" not in page.tags


def test_the_episode_page_has_notes_people_and_chapters(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance, time_zone="Pacific/Auckland", language="ar")
    episode = make_episode(
        instance,
        show,
        mp3,
        notes="With **salt**.",
        guests=[CreditInput(name="Ann Guest", url="https://ann.example/", bio="Harbour master")],
        chapters=[
            ChapterInput(start_seconds=0, title="Ebb"),
            ChapterInput(start_seconds=2.5, title="Flood"),
            ChapterInput(start_seconds=4, title="Secret", hidden=True),
        ],
        season=2,
        number=3,
    )
    page = read(client, "/tide-tables/episodes/low-water")
    assert "strong" in page.tags
    assert "With salt." in page.text
    assert "https://ann.example/" in page.values("a", "href")
    assert "Ann Guest (guest): Harbour master" in page.text
    assert f"/audio/{episode.id}/1/low-water.mp3#t=2.5" in page.values("a", "href")
    assert "Flood" in page.text
    assert "Secret" not in page.text
    assert "Season 2" in page.text
    # 09:05 UTC is the same day's evening in Auckland.
    assert "5 March 2026" in page.text
    assert page.values("time", "datetime") == ["2026-03-05T09:05:00Z"]
    assert set(page.values("span", "lang")) == {"ar"}


def test_texts_are_shown_and_never_run(instance: Instance, client: Client, mp3: Path) -> None:
    show = make_show(instance)
    evil = HOSTILE + '<img src=x onerror="alert(1)"><a href="javascript:alert(1)">x</a>'
    guests, chapters = [CreditInput(name="Ann")], [ChapterInput(start_seconds=0)]
    episode = make_episode(instance, show, mp3, notes=evil, guests=guests, chapters=chapters)
    # Behind the backs of those who clean what comes in.
    with instance.database.write() as session:
        stored = get_show(session, show.slug)
        stored.title = stored.description = stored.author = HOSTILE
        episode = get_episode(session, stored, episode.slug)
        episode.title = episode.chapters[0].title = HOSTILE
        episode.credits[0].name = episode.credits[0].bio = HOSTILE
    for path in ("/", "/tide-tables/", "/tide-tables/episodes/low-water"):
        page = read(client, path)
        assert "script" not in page.tags
        assert HOSTILE in page.text
        assert not [value for _, name, value in page.attributes if name.startswith("on")]
        assert not [value for *_, value in page.attributes if value.startswith("javascript")]


def test_nothing_but_the_style_of_the_page_may_run(instance: Instance, client: Client) -> None:
    make_show(instance)
    for path in ("/", "/tide-tables/", "/nothing"):
        headers = client.get(path, headers={"Accept": "text/html"}).headers
        assert "default-src 'none'; style-src 'sha256-" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_page_that_did_not_change_is_answered_with_304(
    instance: Instance, client: Client, clock: object
) -> None:
    make_show(instance)
    first = client.get("/tide-tables/")
    again = client.get("/tide-tables/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        change_show(session, show, ShowInput(title="Tide Times"), now=instance.now())
    changed = client.get("/tide-tables/", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


def test_old_slugs_redirect_for_ever(instance: Instance, client: Client, mp3: Path) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3)
    with instance.database.write() as session:
        stored = get_show(session, "tide-tables")
        episode = get_episode(session, stored, "low-water")
        change_episode(session, episode, EpisodeInput(slug="ebb"), now=instance.now())
        change_show(session, stored, ShowInput(slug="tides"), now=instance.now())
    for old, new in (
        ("/tides", "/tides/"),
        ("/tide-tables/", "/tides/"),
        ("/tide-tables", "/tides/"),
        ("/tides/episodes/low-water", "/tides/episodes/ebb"),
        ("/tide-tables/episodes/low-water", "/tides/episodes/ebb"),
        ("/tide-tables/episodes/ebb", "/tides/episodes/ebb"),
    ):
        answer = client.get(old)
        assert (answer.status_code, answer.headers["location"]) == (301, new)
        assert client.get(new).status_code == 200


def test_what_is_not_published_yet_is_404_and_what_is_gone_is_410(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3, "Draft", publish=False)
    make_episode(instance, show, mp3, "Withdrawn")
    make_episode(instance, show, mp3, "Deleted")
    make_episode(instance, show, mp3, "Deleted draft", publish=False)
    with instance.database.write() as session:
        stored = get_show(session, "tide-tables")
        now = instance.now()
        withdraw_episode(session, get_episode(session, stored, "withdrawn"), now=now)
        delete_episode(session, get_episode(session, stored, "deleted"), now=now)
        delete_episode(session, get_episode(session, stored, "deleted-draft"), now=now)
    for slug, status in (
        ("draft", 404),
        ("nothing", 404),
        ("deleted-draft", 404),
        ("withdrawn", 410),
        ("deleted", 410),
    ):
        read(client, f"/tide-tables/episodes/{slug}", status)
    with instance.database.write() as session:
        delete_show(session, get_show(session, "tide-tables"), now=instance.now())
    read(client, "/tide-tables/", 410)
    read(client, "/tide-tables/episodes/deleted", 410)
    assert client.get("/").text.count("tide-tables") == 0


def test_many_episodes_stand_on_several_pages(
    instance: Instance, client: Client, mp3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "EPISODES_PER_PAGE", 1)
    show = make_show(instance)
    for title in ("One", "Two", "Three"):
        make_episode(instance, show, mp3, title)
    pages = [read(client, path) for path in ("/tide-tables/", "/tide-tables/?page=2")]
    assert "Three" in pages[0].text
    assert "Two" in pages[1].text
    assert pages[0].values("a", "rel") == ["next"]
    assert pages[1].values("a", "rel") == ["prev", "next"]
    for page in ("4", "0", "x", "-1", "9999999", "²"):
        read(client, f"/tide-tables/?page={page}", 404)
