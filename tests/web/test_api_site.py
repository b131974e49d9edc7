"""The API's calls for a show's site, through the whole application."""

import pytest

from podhost.history.audit import list_entries
from podhost.instance import Instance
from podhost.shows import ShowInput, create_show
from podhost.site.settings import MOST_LINKS, SiteInput, change_site
from tests.api_client import Ask, calls_by_role
from tests.making import make_show

SITE = "/api/v1/shows/tide-tables/site"
SQLITE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def ask(instance: Instance) -> Ask:
    """Calls in the name of an owner, or of whoever has another `role` on Alice's show."""
    return calls_by_role(instance, make_show(instance), "owner")


def test_what_is_said_of_a_site_is_kept_and_told(ask: Ask, instance: Instance) -> None:
    first = ask("GET", SITE, role="analyst").json()
    assert first == {
        "url": "https://pod.example/tide-tables/",
        "domain": None,
        "former_domains": [],
        "accent": None,
        "css": "",
        "links": [],
        "is_indexed": True,
        "editions": [],
        "warnings": [],
    }
    links = [
        {"url": "https://open.spotify.com/show/abc"},
        {"name": "Our shop", "url": "https://www.shop.example/"},
        {"name": "RSS", "url": "https://pod.example/tide-tables/feed.xml"},
        {"url": "https://www.shop.example/", "icon": "support"},
        {"url": "https://music.youtube.com/x"},
        {"url": "https://notyoutube.com/x"},
    ]
    given = {
        "domain": " HTTPS://Tides.Exämple.org/ ",
        "accent": "#ABCDEF",
        "css": "h1{color:var(--accent)}\r\np{margin:0}",
        "links": links,
        "is_indexed": False,
    }
    changed = ask("PATCH", SITE, json=given)
    assert changed.status_code == 200, changed.text
    told = changed.json()
    assert told["url"] == "https://tides.xn--exmple-cua.org/"
    assert told["accent"] == "#abcdef" and told["is_indexed"] is False
    # As a browser reads its lines, or the page's policy would not know it.
    assert told["css"] == "h1{color:var(--accent)}\np{margin:0}"
    assert [(link["name"], link["icon"]) for link in told["links"]] == [
        ("Spotify", "listen"),
        ("Our shop", "web"),
        ("RSS", "feed"),
        ("shop.example", "support"),
        ("YouTube Music", "listen"),
        ("notyoutube.com", "web"),
    ]
    taken = ask("PATCH", SITE, json={"domain": None, "accent": "", "links": None}).json()
    assert (taken["domain"], taken["accent"], taken["links"]) == (None, None, [])
    assert taken["css"] == told["css"]
    assert (told["former_domains"], taken["former_domains"]) == ([], [told["domain"]])
    with instance.database.read() as session:
        assert "patch_site" in [entry.action for entry in list_entries(session)]


@SQLITE
def test_only_an_owner_changes_it(ask: Ask) -> None:
    assert ask("PATCH", SITE, json={"css": "p{}"}, role="editor").status_code == 403
    assert ask("PATCH", SITE, json={"css": "p{}"}, role="stranger").status_code == 404


def test_a_domain_is_one_shows(ask: Ask, instance: Instance) -> None:
    with instance.database.write() as session:
        other = create_show(
            session, ShowInput(title="Arrivals"), base_url=instance.base_url, now=instance.now()
        )
        change_site(session, other, SiteInput(domain="tides.example"), now=instance.now())
    for domain in ("Tides.Example.", "pod.example"):
        refused = ask("PATCH", SITE, json={"domain": domain})
        assert refused.status_code == 409, refused.text
        assert "domain" in refused.json()["error"]["fields"]
    assert ask("GET", SITE).json()["domain"] is None


@SQLITE
def test_what_cannot_be_used_is_named_and_nothing_is_changed(ask: Ask) -> None:
    good = {"url": "https://a.example"}
    for given, field in (
        ({"links": [good, {"url": "javascript:alert(1)"}]}, "links[1].url"),
        ({"links": [{"name": "x"}]}, "links[0].url"),
        ({"links": [{**good, "name": "x" * 1001}]}, "links[0].name"),
        ({"links": [{**good, "icon": "../x"}]}, "links[0].icon"),
        ({"links": [good] * (MOST_LINKS + 1)}, "links"),
        ({"links": "https://a.example"}, "links"),
        ({"css": "p{background:ur\x00l(//a.example)}"}, "css"),
        ({"accent": "red"}, "accent"),
        ({"domain": "localhost"}, "domain"),
        ({"is_indexed": None}, "is_indexed"),
    ):
        answer = ask("PATCH", SITE, json={"accent": "#123456", **given})
        assert answer.status_code == 422, answer.text
        assert field in answer.json()["error"]["fields"], answer.text
    assert ask("GET", SITE).json()["accent"] is None
