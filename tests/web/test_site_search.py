"""Search on the pages of a show: by a form without script, and as hits for the script."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from lxml import etree

from podhost.app import create_app
from podhost.episodes import get_episode
from podhost.episodes.publishing import withdraw_episode
from podhost.instance import Instance
from podhost.models import Episode, Show
from podhost.people import CreditInput
from podhost.rate_limits import RateLimits
from podhost.search.rows import KINDS
from podhost.shows import delete_show, get_show
from podhost.site.settings import SiteInput, change_site
from podhost.translations import words
from podhost.web.site.search import HITS_PER_PAGE, HITS_WHILE_TYPING, kind_words
from podhost.worker import run_due_jobs
from podhost.written.articles import ArticleInput, create_article
from podhost.written.publishing import publish_article
from tests.asgi_client import Client
from tests.making import make_episode, make_show
from tests.search.test_search import give, vtt
from tests.web.test_site import HOSTILE, Page, read

PATH = "/tide-tables/search"
# What differs by database is tried by tests/search.
pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def client(instance: Instance) -> Iterator[Client]:
    yield Client(create_app(instance))


def test_a_page_that_is_not_there_has_the_search(instance: Instance) -> None:
    show = make_show(instance)
    make_episode(instance, show, None, "Soon", publish=False)
    with instance.database.write() as session:
        change_site(session, show, SiteInput(domain="tides.example"), now=instance.now())
    for host, home in (("pod.example", "/tide-tables"), ("tides.example", "")):
        headers = {"Host": host, "Accept": "text/html"}
        with Client(create_app(instance)) as client:
            never, draft = (
                client.get(f"{home}/episodes/{slug}", headers=headers) for slug in ("never", "soon")
            )
        assert never.status_code == 404 and draft.text == never.text
        assert f'action="{home}/search"' in never.text and f'href="{home}/"' in never.text
        assert "form-action 'self'" in never.headers["content-security-policy"]
        # There, the first page is the show's own.
        assert ("All podcasts here" in never.text) is (home != "")


def publish(instance: Instance, show: Show, title: str, **given: object) -> Episode:
    """An episode without audio, which takes no time to probe."""
    episode = make_episode(instance, show, None, title, publish=False, **given)  # type: ignore[arg-type]
    with instance.database.write() as session:
        row = session.get_one(Episode, episode.id)
        row.status, row.published_at = "published", instance.now()
    return episode


def furnish(instance: Instance, **given: object) -> Show:
    """One of each kind, about the harbour."""
    show = make_show(instance, **given)  # type: ignore[arg-type]
    guests = [CreditInput(name="Ann Harbour", bio="Swims.")]
    episode = publish(instance, show, "Harbour walk", guests=guests)
    said = vtt((1, "Good morning."), (754, "The harbour &lt;b&gt;is&lt;/b&gt; quiet."))
    give(instance, episode, said)
    article = ArticleInput(title="Of harbours", text="A place for ships.")
    with instance.database.write() as session:
        row = create_article(session, get_show(session, show.slug), article, now=instance.now())
        publish_article(session, row, at=None, now=instance.now())
    run_due_jobs(instance)
    return show


def hits(page: Page) -> list[str]:
    """Where the results of a page lead."""
    found = [link for link in page.values("a", "href") if "page" not in link]
    return list(
        dict.fromkeys(link for link in found if re.search("/(episodes|people|articles)/", link))
    )


def ask(client: Client, query: str) -> Any:
    answer = client.get(f"{PATH}.json?{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    return answer.json()


def plain(marked: list[list[Any]]) -> str:
    return "".join(f"[{text}]" if is_hit else text for text, is_hit in marked)


def test_a_form_without_script_finds_everything_of_a_show(
    instance: Instance, client: Client
) -> None:
    furnish(instance)
    empty = read(client, PATH)
    assert "noindex" not in empty.values("meta", "content")
    assert ("form", "action", PATH) in empty.attributes
    page = read(client, f"{PATH}?q=harb")
    assert "noindex" in page.values("meta", "content")
    assert page.link("canonical") == f"https://pod.example{PATH}"
    assert set(hits(page)) == {
        "/tide-tables/episodes/harbour-walk",
        "/tide-tables/people/ann-harbour",
        "/tide-tables/articles/of-harbours",
        "/tide-tables/episodes/harbour-walk#t=754",
    }
    assert "4 results" in page.words
    assert "at 12:34" in page.words
    assert "The harbour <b>is</b> quiet." in page.words
    raw = client.get(f"{PATH}?q=harb", headers={"Accept": "text/html"}).text
    assert "The <mark>harbour</mark> &lt;b&gt;is&lt;/b&gt; quiet." in raw


def test_results_may_be_of_one_kind(instance: Instance, client: Client) -> None:
    furnish(instance)
    page = read(client, f"{PATH}?q=harbour+is&kind=transcript")
    assert hits(page) == ["/tide-tables/episodes/harbour-walk#t=754"]
    offered = [link for link in page.values("a", "href") if link.startswith(f"{PATH}?")]
    assert offered == [f"{PATH}?q=harbour%20is", f"{PATH}?q=harbour%20is&kind=transcript"]
    assert ("a", "aria-current", "true") in page.attributes
    assert "All 1 In transcripts 1 1 result" in page.words
    nothing = read(client, f"{PATH}?q=harbour+is&kind=person")
    assert "All 1 People 0 In transcripts 1 Nothing was found." in nothing.words
    assert hits(nothing) == []


def test_many_results_stand_on_several_pages(instance: Instance, client: Client) -> None:
    show = make_show(instance)
    for number in range(HITS_PER_PAGE + 1):
        publish(instance, show, f"Tide {number}")
    run_due_jobs(instance)
    first = read(client, f"{PATH}?q=tide&kind=episode")
    assert len(hits(first)) == HITS_PER_PAGE
    assert "Page 1 of 2" in first.words
    assert f"{PATH}?q=tide&kind=episode&page=2" in first.values("a", "href")
    second = read(client, f"{PATH}?q=tide&kind=episode&page=2")
    assert len(hits(second)) == 1
    assert not set(hits(first)) & set(hits(second))
    assert "21" in second.values("ol", "start")
    read(client, f"{PATH}?q=tide&page=3", status=404)
    typing = ask(client, "q=tide")
    assert (len(typing["hits"]), typing["total"]) == (HITS_WHILE_TYPING, HITS_PER_PAGE + 1)


def test_a_script_gets_the_same_in_small(instance: Instance, client: Client) -> None:
    furnish(instance)
    found = ask(client, "q=harbour&kind=transcript")
    [hit] = found["hits"]
    assert plain(hit["title"]) == "[Harbour] walk"
    assert plain(hit["snippet"]) == "The [harbour] <b>is</b> quiet."
    assert hit["path"] == "/tide-tables/episodes/harbour-walk#t=754"
    assert hit["detail"] == "Transcript · 12:34"
    assert (found["said"], found["total"]) == ("1 result", 1)
    assert ask(client, "q=harb")["total"] == 4
    assert ask(client, "q=") == {"said": "", "total": 0, "hits": []}
    answer = client.get(f"{PATH}.json?q=harb")
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["x-robots-tag"] == "noindex"


def test_what_is_not_public_is_never_found(instance: Instance, client: Client) -> None:
    own, secret = furnish(instance), [CreditInput(name="Zoe Harbour")]
    publish(instance, make_show(instance, "Arrivals"), "Harbour of another show")
    make_episode(instance, own, None, "Harbour draft", publish=False, guests=secret)
    soon = make_episode(instance, own, None, "Harbour soon", publish=False, guests=secret)
    with instance.database.write() as session:
        row = session.get_one(Episode, soon.id)
        row.status, row.published_at = "scheduled", instance.now() + timedelta(days=1)
        create_article(session, own, ArticleInput(title="Harbour notes"), now=instance.now())
    run_due_jobs(instance)

    def told() -> str:
        path = f"{PATH}?q=harbour"
        return client.get(path).text + client.get(path.replace("search?", "search.json?")).text

    assert "harbour-walk" in told()
    small = str(ask(client, "q=harbour"))
    for word in ("draft", "soon", "Zoe", "zoe", "another", "notes"):
        assert word not in told().partition("<h1")[2].partition("<footer")[0] + small, word
        assert ask(client, f"q={word}")["total"] == 0
    # At once, before any job has run.
    with instance.database.write() as session:
        episode = get_episode(session, get_show(session, "tide-tables", lock=True), "harbour-walk")
        withdraw_episode(session, episode, now=instance.now())
    assert "harbour-walk" not in told()
    with instance.database.write() as session:
        delete_show(session, get_show(session, "tide-tables", lock=True), now=instance.now())
    read(client, f"{PATH}?q=harbour", status=410)
    assert client.get(f"{PATH}.json?q=harbour").status_code == 410


HOSTILE_QUERIES = (
    "q=" + quote(HOSTILE),
    "q=%00%01%1f%7f%c2%80harbour",
    "q=%ff%fe%ed%a0%80",
    "q=%22%20OR%201=1%20--%20NEAR(%20*%20%27",
    "q=" + "harbour+" * 900,
    "q=" + "%F0%9F%8C%8A" * 400,
    "q=harbour&q=&q=harb",
    "q=%E2%80%AEharbour",
    "kind=&page=1",
    "=&&&;q",
)
NOWHERE = ("page=0", "page=-1", "page=x", "page=1e9", "page=9999999", "page=999999", "kind=x")


def test_hostile_questions_get_clear_answers(instance: Instance, client: Client) -> None:
    furnish(instance)
    for query in HOSTILE_QUERIES:
        page = read(client, f"{PATH}?{query}")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", page.text), query
        assert len(page.values("input", "value")[0]) <= 300
        assert len(page.scripts) == 1, query
        assert "b" not in page.tags
        ask(client, query)
    for query in NOWHERE:
        page = read(client, f"{PATH}?q=harbour&{query}", status=404)
        assert "There is no such page." in page.words
    assert client.get(f"{PATH}.json?q=harbour&kind=x").status_code == 404


def test_it_speaks_the_language_of_the_show(instance: Instance, client: Client) -> None:
    furnish(instance, language="es")
    page = read(client, f"{PATH}?q=harb")
    assert "4 resultados" in page.words
    assert "En transcripciones" in page.words
    assert "en 12:34" in page.words
    assert "Buscar en este programa" in page.words
    assert ask(client, "q=harb&kind=person")["said"] == "1 resultado"
    assert "No se ha encontrado nada." in read(client, f"{PATH}?q=nothing").words
    for language in ("en", "es"):
        called = kind_words(words(language))
        assert set(called) == set(KINDS)
        assert len(set(called.values())) == len(KINDS)


def test_in_other_languages_our_words_are_marked_as_english(
    instance: Instance, client: Client
) -> None:
    furnish(instance, language="fr")
    page = read(client, f"{PATH}?q=harb")
    [form] = [attributes for tag, attributes in page.elements if tag == "form"]
    [field] = [attributes for tag, attributes in page.elements if tag == "input"]
    assert (form["lang"], field["lang"]) == ("en", "fr")


def test_every_page_has_a_field_and_none_has_two(instance: Instance, client: Client) -> None:
    furnish(instance)
    for path in ("/tide-tables/", "/tide-tables/episodes/harbour-walk", PATH):
        page = read(client, path)
        assert page.values("form", "data-search") == [f"{PATH}.json"], path
        assert page.values("input", "id").count("find") == 1
    assert '"urlTemplate":"https://pod.example/tide-tables/search?q={search_term_string}"' in (
        client.get("/tide-tables/").text
    )


def test_browsers_are_told_how_to_search_from_their_address_bar(
    instance: Instance, client: Client
) -> None:
    title = "Mareas & <muelles> de un puerto muy lejano, con sus faros y sus gaviotas"
    furnish(instance, title=title, slug="tide-tables", language="es")
    for path in ("/tide-tables/", PATH):
        (link,) = re.findall(r'<link rel="search"[^>]*>', client.get(path).text)
        assert 'type="application/opensearchdescription+xml"' in link
        assert 'href="/tide-tables/opensearch.xml"' in link and "&lt;muelles&gt;" in link
    answer = client.get("/tide-tables/opensearch.xml")
    assert answer.headers["content-type"].startswith("application/opensearchdescription+xml")
    root = etree.fromstring(answer.content)
    name = "{http://a9.com/-/spec/opensearch/1.1/}"
    assert root.tag == f"{name}OpenSearchDescription"
    told = {element.tag.removeprefix(name): element for element in root}
    # What the specification allows for (OpenSearch 1.1, "OpenSearch description elements").
    assert 0 < len(told["ShortName"].text) <= 16 and told["ShortName"].text.startswith("Mareas & <")
    assert len(told["LongName"].text) <= 48 and len(told["Description"].text) <= 1024
    assert told["Language"].text == "es" and told["AdultContent"].text == "false"
    assert told["Image"].attrib["type"] == "image/jpeg"
    template = told["Url"].attrib["template"]
    assert told["Url"].attrib["type"] == "text/html" and template.startswith("https://pod.example")
    asked = template.removeprefix("https://pod.example").replace("{searchTerms}", "harbour")
    assert "4 resultados" in read(client, asked).words


def test_results_are_in_no_memory(instance: Instance) -> None:
    furnish(instance)
    app: Any = create_app(instance)
    app.state.catalogue.catch_up()
    client = Client(app)
    for query in ("?q=harbour", "?q=harbour&kind=person"):
        read(client, PATH + query)
        ask(client, query[1:])
    assert list(app.state.catalogue.pages) == []
    read(client, f"{PATH}?x")
    assert list(app.state.catalogue.pages) == [PATH]


def test_an_address_searches_so_often_in_a_minute(instance: Instance) -> None:
    furnish(instance)
    app: Any = create_app(instance)
    most = instance.settings.searches_per_minute
    app.state.limits = limits = RateLimits(instance.settings, clock=lambda: 0.0)
    client = Client(app, peer=("192.0.2.1", 1))
    for _ in range(most - 1):
        limits.take_search("192.0.2.1")
    assert client.get(f"{PATH}?q=harbour").status_code == 200
    refused = client.get(
        f"{PATH}?q=harbour", headers={"Accept": "text/html", "Accept-Language": "es"}
    )
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert "tiene que esperar" in refused.text
    told = client.get(f"{PATH}.json?q=harbour")
    assert (told.status_code, told.json()["error"]["code"]) == (429, "too_many_requests")
    # To look for a guest is a search too.
    assert client.get("/tide-tables/guests?q=ann").status_code == 429
    # What costs no search is there for everybody, and so are others.
    for path in (PATH, f"{PATH}?q=", "/tide-tables/", "/tide-tables/guests?page=1&x=1"):
        assert client.get(path).status_code == 200
    other = Client(app, peer=("192.0.2.2", 1))
    assert other.get(f"{PATH}?q=harbour").status_code == 200
