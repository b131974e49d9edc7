"""The player for other sites' pages, and oEmbed, by which those sites find it."""

import re
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from podhost.app import create_app
from podhost.audio.revisions import prepare_audio_file
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.episodes.publishing import withdraw_episode
from podhost.instance import Instance
from podhost.models import Show
from podhost.shows import get_show
from podhost.site.settings import SiteInput, change_site
from podhost.written.articles import ArticleInput, AuthorInput, create_article
from podhost.written.publishing import publish_article
from tests.asgi_client import Client
from tests.making import make_episode, make_show

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
BASE = "http://pod.example"
TITLE = 'Low "water" & <3'


@pytest.fixture
def show(instance: Instance, mp3: object) -> Show:
    """With an episode that is out, and one that is a draft."""
    made = make_show(instance, "Tide Tables")
    audio = prepare_audio_file(instance.storage, mp3)  # type: ignore[arg-type]
    make_episode(instance, made, audio, TITLE, slug="low-water-b")
    make_episode(instance, made, None, "Secret", publish=False)
    return made


@pytest.fixture
def client(instance: Instance, show: Show) -> Client:
    return Client(create_app(instance))


def ask(client: Client, url: str, **more: str) -> dict[str, object]:
    answer = client.get("/oembed", params={"url": url, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def write_article(instance: Instance, title: str, *, publish: bool = True, **given: Any) -> None:
    """An article of the show."""
    with instance.database.write() as session:
        row = get_show(session, "tide-tables")
        article = create_article(
            session, row, ArticleInput(title=title, text="Rope.", **given), now=instance.now()
        )
        if publish:
            publish_article(session, article, at=None, now=instance.now())


def page_of(instance: Instance) -> str:
    return f"{instance.base_url}/tide-tables/episodes/low-water-b"


def test_only_the_player_may_be_framed(instance: Instance, client: Client) -> None:
    answer = client.get("/tide-tables/embed/low-water-b")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200 and "frame-ancestors *" in policy
    assert "unsafe" not in policy and "set-cookie" not in answer.headers
    assert "x-frame-options" not in answer.headers and answer.headers["x-robots-tag"] == "noindex"
    assert f'<link rel="canonical" href="{page_of(instance)}">' in answer.text
    page = client.get("/tide-tables/episodes/low-water-b")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert client.get("/tide-tables/embed/low-water-b?theme=dark&t=3").text == answer.text


def test_what_is_not_out_has_no_player(instance: Instance, client: Client, show: Show) -> None:
    never = client.get("/tide-tables/embed/never", headers={"accept": "text/html"})
    secret = client.get("/tide-tables/embed/secret", headers={"accept": "text/html"})
    assert never.status_code == secret.status_code == 404
    assert never.text == secret.text
    # It says so in the pages that have it; a page of podhost's own may be framed by nobody.
    assert "frame-ancestors *" in never.headers["content-security-policy"]
    page = client.get("/tide-tables/episodes/never", headers={"accept": "text/html"})
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    with instance.database.write() as session:
        locked = get_show(session, show.slug, lock=True)
        episode = get_episode(session, locked, "low-water-b")
        change_episode(session, episode, EpisodeInput(slug="ebb"), now=instance.now())
    moved = client.get("/tide-tables/embed/low-water-b?theme=dark")
    assert moved.status_code == 301
    assert moved.headers["location"] == "/tide-tables/embed/ebb?theme=dark"
    with instance.database.write() as session:
        locked = get_show(session, show.slug, lock=True)
        withdraw_episode(session, get_episode(session, locked, "ebb"), now=instance.now())
    client = Client(create_app(instance))
    assert client.get("/tide-tables/embed/ebb").status_code == 410
    url = f"{instance.base_url}/tide-tables/episodes/ebb"
    assert client.get("/oembed", params={"url": url}).status_code == 404


def test_an_episode_says_how_to_embed_it(instance: Instance, client: Client) -> None:
    page = client.get("/tide-tables/episodes/low-water-b").text
    found = re.findall(r'<link [^>]*type="(application/json|text/xml)\+oembed"[^>]*>', page)
    assert found == ["application/json", "text/xml"]
    answer = ask(client, page_of(instance))
    assert answer["version"] == "1.0" and answer["type"] == "rich"
    assert answer["title"] == TITLE and answer["provider_name"] == "Tide Tables"
    assert (answer["width"], answer["height"]) == (640, 180)
    html = str(answer["html"])
    assert f'src="{instance.base_url}/tide-tables/embed/low-water-b"' in html
    assert html.count("<") == 2 and "&quot;water&quot; &amp; &lt;3" in html
    assert isinstance(answer["cache_age"], int)


def test_it_is_asked_for_as_the_specification_says(instance: Instance, client: Client) -> None:
    url = page_of(instance)
    small = ask(client, url, maxwidth="400", maxheight="120")
    assert (small["width"], small["height"]) == (400, 120)
    assert 'width="400"' in str(small["html"])
    for nonsense in ("", "0", "-5", "x", "9" * 5000):
        assert ask(client, url, maxwidth=nonsense)["width"] == 640
    answer = client.get("/oembed", params={"url": url, "format": "xml"})
    assert answer.headers["content-type"].startswith("text/xml")
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "oembed"
    assert {each.tag: each.text for each in root}["title"] == TITLE
    assert {each.tag for each in root} == ask(client, url).keys()
    assert client.get("/oembed", params={"url": url, "format": "yaml"}).status_code == 501
    assert answer.headers["access-control-allow-origin"] == "*"
    for at, kept in (("?t=83", "83"), ("#t=1:23", "1:23"), ("?t=1m2s&x=y", "1m2s")):
        assert f'low-water-b?t={kept}"' in str(ask(client, url + at)["html"])
    assert 'low-water-b"' in str(ask(client, url + "?t=%22%3E%3Cscript%3E")["html"])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "http://",
        "http://[",
        "https://elsewhere.example/tide-tables/episodes/low-water-b",
        "javascript:alert(1)",
        "{base}",
        "{base}/",
        "{base}/tide-tables/follow",
        "{base}/tide-tables/articles",
        "{base}/tide-tables/articles/never",
        "{base}/tide-tables/articles/draft",
        "{base}/tide-tables/embed/secret",
        "{base}/tide-tables/episodes/secret",
        "{base}/tide-tables/episodes/never",
        "{base}/tide-tables/episodes/%00",
        "{base}/tide-tables/episodes/low-water-b/more",
        "{base}/other/episodes/low-water-b",
        "{base}.evil.example/tide-tables/episodes/low-water-b",
        "{base}/" + "x" * 5000,
    ],
)
def test_any_other_address_is_not_found(instance: Instance, client: Client, url: str) -> None:
    write_article(instance, "Draft", publish=False)
    address = url.replace("{base}", instance.base_url)
    assert client.get("/oembed", params={"url": address}).status_code == 404


def test_a_show_is_embedded_as_its_newest_episode(
    instance: Instance, client: Client, show: Show
) -> None:
    home = f"{instance.base_url}/tide-tables"
    page = client.get("/tide-tables/").text
    assert f"url={quote(home + '/', safe='')}&amp;format=json" in page and "+oembed" in page
    for url in (home, f"{home}/", f"{home}/embed"):
        told = ask(client, url, maxwidth="400")
        assert (told["type"], told["title"], told["width"]) == ("rich", "Tide Tables", 400)
        assert f'src="{home}/embed" width="400"' in str(told["html"])
        xml = client.get("/oembed", params={"url": url, "format": "xml", "maxwidth": "400"})
        assert {each.tag for each in ElementTree.fromstring(xml.content)} == told.keys()
    framed = client.get("/tide-tables/embed")
    assert "frame-ancestors *" in framed.headers["content-security-policy"]
    assert page_of(instance) in framed.text
    with instance.database.write() as session:
        locked = get_show(session, show.slug, lock=True)
        withdraw_episode(session, get_episode(session, locked, "low-water-b"), now=instance.now())
    # Nothing to be heard is left: a link, and no player.
    client = Client(create_app(instance))
    assert client.get("/tide-tables/embed").status_code == 404
    told = ask(client, home)
    assert told["type"] == "link" and not {"html", "width"} & told.keys()


def test_an_article_is_told_of_as_a_link(instance: Instance, client: Client) -> None:
    write_article(instance, "Of <salt>", authors=[AuthorInput(name="Ann"), AuthorInput(name="Bob")])
    write_article(instance, "Unsigned")
    page = client.get("/tide-tables/articles/of-salt").text
    assert re.findall(r'<link [^>]*type="(application/json|text/xml)\+oembed"[^>]*>', page) == [
        "application/json",
        "text/xml",
    ]
    home = f"{instance.base_url}/tide-tables"
    told = ask(client, f"{home}/articles/of-salt")
    assert (told["type"], told["title"], told["version"]) == ("link", "Of <salt>", "1.0")
    assert (told["author_name"], told["author_url"]) == ("Ann, Bob", f"{home}/people/ann")
    assert "html" not in told
    assert (told := ask(client, f"{home}/articles/unsigned"))["author_name"] == "Pier Nine"
    assert told["author_url"] == f"{home}/"


def test_a_show_on_a_domain_of_its_own_is_embedded_from_there(
    instance: Instance, client: Client, show: Show
) -> None:
    with instance.database.write() as session:
        given = SiteInput(domain="tide.example")
        change_site(session, get_show(session, show.slug, lock=True), given, now=instance.now())
    for url in (page_of(instance), "https://tide.example/episodes/low-water-b"):
        assert "://tide.example/embed/low-water-b" in str(ask(client, url)["html"])
    for url in (
        "https://tide.example",
        "https://tide.example/",
        f"{instance.base_url}/tide-tables",
    ):
        assert '"https://tide.example/embed"' in str(ask(client, url)["html"])
