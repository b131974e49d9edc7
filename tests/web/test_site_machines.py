"""What programs read of a site: data of schema.org, Open Graph, sitemaps, robots, feeds."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

import pytest
from lxml import etree

from podhost.app import create_app
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.episodes.publishing import withdraw_episode
from podhost.instance import Instance
from podhost.models import Artwork
from podhost.people import CreditInput, set_credits
from podhost.shows import get_show
from podhost.site.settings import SiteInput, change_site
from podhost.web.site import machines
from podhost.web.site.table import ROUTES
from podhost.written.articles import ArticleInput, AuthorInput, create_article
from podhost.written.pages import PageInput, create_page
from podhost.written.publishing import publish_article
from tests.asgi_client import Client
from tests.making import make_episode, make_show
from tests.web.test_site import Page

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
BASE = "https://pod.example"
SHOW = f"{BASE}/tide-tables"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
# What stands in the path behind a part of the site.
SLUGS = {"episodes": "low-water", "people": "ann", "articles": "salt", "pages": "about"}
# Those without a head of their own, and one that is not there until its owner wants it.
_NO_PAGES = (
    "cards",
    "embed",
    "newsletter",
    "search.json",
    "opensearch.xml",
    "feed",
    "robots.txt",
    "sitemap",
    "articles.xml",
    "articles.json",
    "authors",
)

# developers.google.com/search/docs/appearance/structured-data: required and recommended fields
# of article, profile-page and breadcrumb; schema.org's own for the podcast, of which Google says
# no more. Of lists, each thing in them.
NEEDED: Mapping[str, tuple[str, ...]] = {
    "Article": (
        "headline",
        "image",
        "datePublished",
        "dateModified",
        "author.@type",
        "author.name",
        "author.url",
    ),
    "ProfilePage": ("mainEntity.@type", "mainEntity.name", "mainEntity.url"),
    "BreadcrumbList": (
        "itemListElement.@type",
        "itemListElement.position",
        "itemListElement.name",
        "itemListElement.item",
    ),
    "PodcastSeries": ("name", "description", "url", "webFeed", "image", "inLanguage"),
    "PodcastEpisode": (
        "name",
        "description",
        "url",
        "datePublished",
        "timeRequired",
        "image",
        "associatedMedia.contentUrl",
        "partOfSeries.name",
        "partOfSeries.url",
    ),
}
ABSOLUTE = ("url", "image", "webFeed", "item", "contentUrl", "@id", "sameAs", "mainEntityOfPage")


@pytest.fixture
def client(instance: Instance, mp3: Path) -> Iterator[Client]:
    """A show with an episode, a guest Ann, and an article and a page of hers."""
    show = make_show(instance)
    ann = CreditInput(name="Ann", url="https://ann.example")
    make_episode(instance, show, mp3, notes="Salt & <more>.", guests=[ann])
    with instance.database.write() as session:
        row = get_show(session, show.slug)
        article = create_article(
            session,
            row,
            ArticleInput(
                title="Salt",
                text="What **salt** does to rope.",
                summary="Rope, and salt.",
                authors=[AuthorInput(name="Ann")],
                categories=["Harbours", "Ropes & <knots>"],
            ),
            now=instance.now(),
        )
        publish_article(session, article, at=None, now=instance.now())
        page = PageInput(title="About", text="Us.", status="published", menu="top")
        create_page(session, row, page, now=instance.now())
    yield Client(create_app(instance))


def _pages() -> list[str]:
    """The path of every kind of page that has a head."""
    found = []
    for route in ROUTES:
        kind = route.path.split("/")[1]
        is_page = route.method == "GET" and not kind.startswith(_NO_PAGES)
        if is_page and re.findall(r"{(\w+)}", route.path) in ([], ["slug"]):
            found.append(
                "/tide-tables" + route.path.replace("{slug}", SLUGS.get(kind, "low-water"))
            )
    return found


def _read(client: Client, path: str) -> Page:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, path
    page = Page(answer.text)
    page.source = answer.text  # type: ignore[attr-defined]
    return page


def _artwork_id(page: Page) -> str:
    """That of the show, from the head of the page."""
    return page.values("img", "src")[0].split("/")[2]


def _blocks(page: Any) -> list[dict[str, Any]]:
    found = re.findall(
        r'<script type="application/ld\+json">(.*?)</script>', page.source, re.DOTALL
    )
    return [json.loads(each) for each in found]


def _values(data: Any, name: str) -> list[Any]:
    """What stands at a name such as author.name, of each where there are several."""
    here = [data]
    for part in name.split("."):
        here = [each.get(part) for each in here]
        here = [one for each in here for one in (each if isinstance(each, list) else [each])]
    return here


def _all(data: Any) -> Iterator[tuple[str, Any]]:
    """Every name and value, however deep."""
    for name, value in data.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                yield from _all(each)
            else:
                yield name, each


def test_every_page_holds_the_data_that_search_engines_require(client: Client) -> None:
    kinds = set()
    for path in _pages():
        for block in _blocks(_read(client, path)):
            assert block["@context"] == "https://schema.org", path
            kinds.add(block["@type"])
            for name in NEEDED.get(block["@type"], ()):
                values = _values(block, name)
                assert values and all(values), f"{path}: {block['@type']} has no {name}"
            for name, value in _all(block):
                if name in ABSOLUTE:
                    assert urlsplit(value).scheme == "https", f"{path}: {name} is {value}"
                if name.startswith("date"):
                    assert datetime.fromisoformat(value).tzinfo is not None
    assert kinds >= NEEDED.keys()


def test_the_steps_to_a_page_are_pages_themselves(client: Client) -> None:
    for path in _pages():
        for block in _blocks(_read(client, path)):
            if block["@type"] == "BreadcrumbList":
                items = block["itemListElement"]
                assert [each["position"] for each in items] == [*range(1, len(items) + 1)]
                for each in items:
                    _read(client, each["item"].removeprefix(BASE))


def test_every_page_says_where_it_belongs_and_what_it_is_called(client: Client) -> None:
    titles: dict[str, str] = {}
    for path in _pages():
        page = _read(client, path)
        assert page.link("canonical") == BASE + path
        meta = page.meta()
        assert meta["og:url"] == BASE + path
        assert meta["og:title"] and meta["og:site_name"] == "Tide Tables"
        size = (meta["og:image:width"], meta["og:image:height"])
        if meta["og:image"].startswith(f"{SHOW}/cards/"):
            assert size == ("1200", "630") and meta["og:image:alt"] == meta["og:title"]
        else:
            assert meta["og:image"] == f"{BASE}/artwork/{_artwork_id(page)}/3000.jpg"
            assert size == ("3000", "3000") and meta["og:image:alt"] == "Tide Tables"
        assert titles.setdefault(meta["og:title"], path) == path
        feeds = page.links("alternate")
        assert f"{SHOW}/feed.xml" in feeds and f"{SHOW}/articles.xml" in feeds
        for feed in feeds:
            if "articles" in feed:
                assert client.get(feed.removeprefix(BASE)).status_code == 200


def test_the_size_of_a_shared_picture_is_that_of_the_file(
    client: Client, instance: Instance
) -> None:
    with instance.database.write() as session:
        artwork = session.query(Artwork).one()
        artwork.width, artwork.height = 3000, 1500
        artwork.sizes = [[3000, 9], [1400, 5], [600, 2]]
    meta = _read(client, "/tide-tables/").meta()
    assert meta["og:image"].endswith("/1400.jpg")
    assert (meta["og:image:width"], meta["og:image:height"]) == ("1400", "700")


def test_an_article_says_who_wrote_it_when_and_about_what(client: Client) -> None:
    page = _read(client, "/tide-tables/articles/salt")
    meta = page.meta()
    assert meta["og:type"] == "article"
    assert datetime.fromisoformat(meta["article:published_time"]).tzinfo is not None
    assert "article:modified_time" not in meta
    assert meta["article:author"] == f"{SHOW}/people/ann"
    assert meta["article:section"] == "Harbours"
    tags = [
        each["content"]
        for tag, each in page.elements
        if tag == "meta" and each.get("property") == "article:tag"
    ]
    assert tags == ["Harbours", "Ropes & <knots>"]
    episode = _read(client, "/tide-tables/episodes/low-water").meta()
    assert episode["article:published_time"] == meta["article:published_time"]


# Sitemaps and robots


def _sitemap(client: Client, path: str, root: str) -> list[tuple[str, str | None]]:
    """The addresses with their dates, by the rules of sitemaps.org."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"
    assert len(answer.content) <= 50 * 1024 * 1024
    document = etree.fromstring(answer.content)
    assert document.tag == SITEMAP + root
    child = {"urlset": "url", "sitemapindex": "sitemap"}[root]
    assert 1 <= len(document) <= 50_000
    found = []
    for element in document:
        assert element.tag == SITEMAP + child
        names = [each.tag.removeprefix(SITEMAP) for each in element]
        assert names in (["loc"], ["loc", "lastmod"])
        address = element.findtext(SITEMAP + "loc")
        assert address.startswith(BASE) and len(address) < 2048
        date = element.findtext(SITEMAP + "lastmod")
        assert date is None or datetime.fromisoformat(date).tzinfo is not None
        found.append((address, date))
    assert len({address for address, _ in found}) == len(found)
    return found


def test_a_sitemap_names_every_page_that_is_there_and_no_other(
    client: Client, instance: Instance, mp3: Path
) -> None:
    with instance.database.read() as session:
        show = get_show(session, "tide-tables")
    make_episode(instance, show, mp3, "Draft", publish=False, guests=[CreditInput(name="Bob")])
    later = instance.now() + timedelta(days=3)
    make_episode(instance, show, mp3, "Later", at=later, guests=[CreditInput(name="Charlie")])
    found = dict(_sitemap(client, "/tide-tables/sitemap.xml", "urlset"))
    # Everything that has a page of its own, but for lists that say what others say.
    assert {SHOW + path.removeprefix("/tide-tables") for path in _pages()} - found.keys() <= {
        f"{SHOW}/{name}" for name in ("credits", "search")
    }
    for address in found:
        page = _read(client, address.removeprefix(BASE))
        assert page.link("canonical") == address
    assert found[f"{SHOW}/episodes/low-water"] and found[f"{SHOW}/articles/salt"]
    assert not [address for address in found if "draft" in address or "later" in address]
    assert f"{SHOW}/people/bob" not in found and f"{SHOW}/people/charlie" not in found


def test_a_sitemap_names_everybody_who_has_a_page_once(
    client: Client, instance: Instance, mp3: Path
) -> None:
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        hosts = [CreditInput(name="Dora", role="host"), CreditInput(name="Ann", role="host")]
        set_credits(session, show, None, hosts)
    own = [CreditInput(name="Emil", role="host"), CreditInput(name="Fay", role="editor")]
    make_episode(instance, show, mp3, "Ebb", guests=own)
    people = [
        address.rpartition("/")[2]
        for address, _ in _sitemap(client, "/tide-tables/sitemap.xml", "urlset")
        if "/people/" in address
    ]
    assert sorted(people) == ["ann", "dora", "emil", "fay"]


def test_a_sitemap_of_hosts_alone_names_no_list_of_guests(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3, guests=[CreditInput(name="Dora", role="host")])
    found = dict(_sitemap(Client(create_app(instance)), "/tide-tables/sitemap.xml", "urlset"))
    assert f"{SHOW}/people/dora" in found and f"{SHOW}/guests" not in found


def test_the_index_names_the_sitemaps_of_shows_with_their_dates(
    client: Client, instance: Instance
) -> None:
    make_show(instance, "Blocked", blocked=True)
    ((address, date),) = _sitemap(client, "/sitemap.xml", "sitemapindex")
    assert address == f"{SHOW}/sitemap.xml" and date


def test_more_addresses_than_one_sitemap_holds_stand_in_several(
    client: Client, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _sitemap(client, "/tide-tables/sitemap.xml", "urlset")
    monkeypatch.setattr(machines, "MOST_ADDRESSES", 4)
    named = [address for address, _ in _sitemap(client, "/sitemap.xml", "sitemapindex")]
    count = -(-len(whole) // 4)
    assert count > 1
    assert named == [
        f"{SHOW}/sitemap.xml",
        *(f"{SHOW}/sitemap-{number}.xml" for number in range(2, count + 1)),
    ]
    parts = [_sitemap(client, each.removeprefix(BASE), "urlset") for each in named]
    assert [entry for part in parts for entry in part] == whole
    assert all(len(part) <= 4 for part in parts)
    for number in ("0", "1", "01", "x", "²", str(count + 1), "99999"):
        assert client.get(f"/tide-tables/sitemap-{number}.xml").status_code == 404
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        change_site(session, show, SiteInput(domain="tides.example"), now=instance.now())
    app_client = Client(create_app(instance))
    with app_client:
        text = app_client.get("/robots.txt", headers={"Host": "tides.example"}).text
    listed = re.findall(r"(?m)^Sitemap: https://tides\.example/(.*)$", text)
    assert listed == [each.removeprefix(f"{SHOW}/") for each in named]


def test_a_sitemap_that_just_fits_is_one_whatever_else_the_show_has(
    client: Client, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        for title in ("One", "Two"):
            create_article(session, show, ArticleInput(title=title), now=instance.now())
    count = len(_sitemap(client, "/tide-tables/sitemap.xml", "urlset"))
    monkeypatch.setattr(machines, "MOST_ADDRESSES", count)
    assert len(_sitemap(client, "/sitemap.xml", "sitemapindex")) == 1
    assert client.get("/tide-tables/sitemap-2.xml").status_code == 404


def test_robots_may_read_everything_but_the_studio_and_the_api(client: Client) -> None:
    answer = client.get("/robots.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    rules = RobotFileParser()
    rules.parse(answer.text.splitlines())
    assert rules.site_maps() == [f"{BASE}/sitemap.xml"]
    pages = [BASE + path for path in _pages()]
    for address in [*pages, f"{SHOW}/feed.xml", f"{BASE}/artwork/x/3000.jpg", f"{BASE}/static/x"]:
        assert rules.can_fetch("Googlebot", address)
    for path in ("/studio/", "/studio/shows/tide-tables/", "/api/v1/shows"):
        assert not rules.can_fetch("Googlebot", BASE + path)


def test_an_old_address_leads_to_the_new_one_and_what_is_gone_says_so(
    client: Client, instance: Instance
) -> None:
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        episode = get_episode(session, show, "low-water")
        change_episode(session, episode, EpisodeInput(slug="ebb"), now=instance.now())
    answer = client.get("/tide-tables/episodes/low-water")
    assert (answer.status_code, answer.headers["location"]) == (301, "/tide-tables/episodes/ebb")
    assert _read(client, "/tide-tables/episodes/ebb").link("canonical") == f"{SHOW}/episodes/ebb"
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        withdraw_episode(session, get_episode(session, show, "ebb"), now=instance.now())
    for slug, status in (("ebb", 410), ("low-water", 410), ("nothing", 404)):
        answer = client.get(f"/tide-tables/episodes/{slug}", headers={"Accept": "text/html"})
        assert answer.status_code == status
        assert answer.headers["x-robots-tag"] == "noindex"
        assert 'rel="canonical"' not in answer.text
