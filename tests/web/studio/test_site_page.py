"""The studio's page on a show's site, without a browser."""

import re

import pytest

from podhost.instance import Instance
from podhost.models import Show
from podhost.shows.directories import ListingInput, note_listing
from podhost.site.colours import DARK_GROUND
from podhost.site.settings import SiteSettings, site_settings
from podhost.translations import LANGUAGES, words
from tests.making import make_show
from tests.studio_client import StudioClient, text_of

SITE = "/shows/tide-tables/site"
pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def show(instance: Instance) -> Show:
    return make_show(instance)


@pytest.fixture
def owner(instance: Instance, show: Show) -> StudioClient:
    return StudioClient.visit_as(instance, "owner", show.slug)


def kept(instance: Instance, show: Show) -> SiteSettings:
    with instance.database.read() as session:
        return site_settings(session, show)


def test_a_site_is_described_without_script(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    assert "https://pod.example/tide-tables/" in owner.get(SITE).text
    answer = owner.post(
        SITE,
        {
            "links[0].url": "https://rumble.com/c/tides",
            "links[new0].url": "https://chaos.social/@tides",
            "links[new0].name": "Mastodon",
            "links[new0].icon": "support",
            "links[new1].url": " ",
            "colour": "own",
            "accent": "#AA0000",
            "domain": "tides.example",
            "css": "h1 {}\r\np {}",
            "is_indexed": "yes",
        },
    )
    assert answer.status_code == 303
    site = kept(instance, show)
    assert [(link.name, link.icon) for link in site.links] == [
        ("Rumble", ""),
        ("Mastodon", "support"),
    ]
    assert (site.accent, site.domain, site.css) == ("#aa0000", "tides.example", "h1 {}\np {}")
    page = owner.get(SITE).text
    assert "https://tides.example/" in page and 'value="#aa0000"' in page
    assert re.search(r'name="links\[1\].icon".*?"support" selected', page, re.DOTALL)
    assert "tides.example.  CNAME  pod.example." in page
    answer = owner.post(SITE, {"colour": "artwork", "accent": "#aa0000"})
    assert kept(instance, show) == SiteSettings(is_indexed=False)
    assert "leads to podhost: tides.example" in text_of(owner.get(SITE))


def test_it_leads_to_all_else_that_the_site_shows(show: Show, owner: StudioClient) -> None:
    ways = set(re.findall(r'<li><a href="/studio(/shows/[^"]+)"', owner.get(SITE).text))
    assert f"/shows/{show.slug}/settings/apps" in ways
    for way in ways:
        assert owner.get(way).status_code == 200, way


def test_what_is_refused_is_said_beside_its_field_and_stays(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    answer = owner.post(
        SITE,
        {
            "links[3].url": "https://a.example",
            "links[1].url": "nowhere<",
            "domain": "pod.example",
            "css": "@import 'x'",
        },
    )
    assert answer.status_code == 422
    page = answer.text
    assert re.search(r'id="f-links\[1\].url-error">[^<]*https://', page)
    assert "nowhere&lt;" in page and "must not load anything" in text_of(answer)
    assert kept(instance, show) == SiteSettings()
    refused = owner.post(SITE, {"domain": "pod.example"})
    assert refused.status_code == 422 and "Podhost itself" in text_of(refused)


def test_what_was_noted_of_directories_becomes_links(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    url = "https://podcasts.apple.com/podcast/id1"
    with instance.database.write() as session:
        note_listing(session, show, "apple", ListingInput(listed_url=url), now=instance.now())
    assert "Save, and link to them" in owner.get(SITE).text
    form = {"links[0].url": "https://a.example", "is_indexed": "yes", "take_over": "yes"}
    assert owner.post(SITE, form).status_code == 303
    links = kept(instance, show).links
    assert [link.url for link in links] == ["https://a.example", url]
    assert links[1].name == "Apple Podcasts"
    assert "Save, and link to them" not in owner.get(SITE).text


def test_a_colour_is_shown_on_both_grounds(owner: StudioClient) -> None:
    for query in ("", "?accent=%23ffee00", "?accent=%22%3E%3Cscript"):
        answer = owner.get(f"{SITE}/colours{query}")
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert "script" not in answer.text and DARK_GROUND in answer.text
    # The longest words for a link that any language has end before the button begins.
    begins = int(re.findall(r'<rect x="(\d+)"', answer.text)[0])
    assert max(len(words(code).find("A link")) for code in LANGUAGES) * 9 + 14 <= begins


def test_a_domain_that_does_not_answer_is_told_and_nothing_typed_is_lost(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    owner.post(SITE, {"domain": "tides.invalid"})
    answer = owner.post(f"{SITE}/check", {"domain": "tides.invalid", "css": "p{--typed:1}"})
    assert answer.status_code == 200
    assert "tides.invalid: " in text_of(answer) and "p{--typed:1}" in answer.text
    assert kept(instance, show).css == ""


def test_editions_are_linked_and_unlinked_by_who_owns_both(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    make_show(instance, "Mareas", language="es")
    make_show(instance, "Other")
    assert "no show in another language" in text_of(owner.get(SITE))
    operator = StudioClient.visit_as(instance, "operator")
    page = operator.get(SITE).text
    assert ">Mareas (Español)</option>" in page and "Other (" not in page
    assert owner.post(f"{SITE}/editions", {"show": "mareas"}).status_code == 422
    assert operator.post(f"{SITE}/editions", {"show": "other"}).status_code == 422
    assert operator.post(f"{SITE}/editions", {"show": "mareas"}).status_code == 303
    assert "https://pod.example/mareas/" in owner.get(SITE).text
    assert owner.post(f"{SITE}/editions/unlink", {"show": "mareas"}).status_code == 404
    assert owner.post(f"{SITE}/editions/unlink", {"show": show.slug}).status_code == 303
    assert "https://pod.example/mareas/" not in owner.get(SITE).text
