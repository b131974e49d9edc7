"""The API's calls for articles, pages and sponsors, through the whole application."""

import io

import pytest
from PIL import Image

from podhost.history.audit import list_entries
from podhost.instance import Instance
from tests.api_client import Ask, calls_by_role
from tests.making import make_show

SHOW = "/api/v1/shows/tide-tables"
ARTICLE = f"{SHOW}/articles/why-the-tide-turns"


@pytest.fixture
def ask(instance: Instance) -> Ask:
    """Calls in the name of an owner, or of whoever has another `role` on Alice's show."""
    show = make_show(instance)
    return calls_by_role(instance, show, "owner")


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 360), "navy").save(file, "PNG")
    return file.getvalue()


def test_an_article_is_written_published_withdrawn_and_brought_back(
    ask: Ask, instance: Instance
) -> None:
    given = {
        "title": "Why the tide turns",
        "text": "It **turns**.",
        "authors": [{"name": "Ann Ocean", "bio": "Sails.", "url": "https://ann.example"}],
        "categories": ["Science"],
        "sumary": "?",
    }
    made = ask("POST", f"{SHOW}/articles", json=given, role="editor")
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"https://pod.example{ARTICLE}"
    article = made.json()
    assert (article["status"], article["html"]) == ("draft", "<p>It <strong>turns</strong>.</p>")
    assert article["authors"][0]["bio"] == "Sails." and "sumary" in article["warnings"][0]
    assert article["url"] == "https://pod.example/tide-tables/articles/why-the-tide-turns"

    later = ask("POST", f"{ARTICLE}/publish", json={"at": "2026-03-06T09:00"}).json()
    assert (later["status"], later["published_at"]) == ("scheduled", "2026-03-06T09:00:00Z")
    assert ask("POST", f"{ARTICLE}/withdraw").json()["status"] == "draft"
    assert ask("POST", f"{ARTICLE}/publish").json()["status"] == "published"
    changed = ask("PATCH", ARTICLE, json={"updated_at": "2026-03-07", "slug": "tides"}).json()
    assert changed["updated_at"] == "2026-03-07T00:00:00Z" and changed["slug"] == "tides"
    assert ask("GET", ARTICLE).json() == changed

    listed = ask("GET", f"{SHOW}/articles", params={"status": "published", "limit": 1}).json()
    assert listed == {"articles": [changed], "total": 1, "next": None}
    assert ask("DELETE", ARTICLE).status_code == 204
    assert ask("GET", ARTICLE).status_code == 410
    assert ask("POST", f"{ARTICLE}/restore").json()["status"] == "published"
    assert ask("POST", f"{ARTICLE}/restore").status_code == 409
    with instance.database.read() as session:
        entries = list_entries(session)
    assert [entry.action for entry in reversed(entries)][1:4] == [
        *("post_article_publish", "post_article_withdraw", "post_article_publish"),
    ]
    assert entries[0].subject == "Why the tide turns"


def test_an_article_gets_a_picture_in_the_sizes_that_pages_need(ask: Ask) -> None:
    ask("POST", f"{SHOW}/articles", json={"title": "Why the tide turns", "publish": False})
    sent = ask("PUT", f"{ARTICLE}/picture", files={"picture": ("a.png", picture(), "image/png")})
    assert sent.status_code == 200, sent.text
    assert sent.json()["picture_url"].endswith("/640.jpg")
    assert "picture_alt" in sent.json()["warnings"][0]
    refused = ask("PUT", f"{ARTICLE}/picture", files={"picture": ("a.png", b"PDF", "image/png")})
    assert refused.status_code == 422 and "picture" in refused.json()["error"]["fields"]
    assert ask("DELETE", f"{ARTICLE}/picture").status_code == 204
    assert ask("GET", ARTICLE).json()["picture_url"] is None


def test_what_is_wrong_is_said_field_by_field(ask: Ask) -> None:
    given = {"title": "", "authors": [{"name": ""}], "episode": "nowhere", "categories": ["x"] * 30}
    refused = ask("POST", f"{SHOW}/articles", json=given)
    assert refused.status_code == 422
    told = refused.json()["error"]["fields"]
    assert told.keys() == {"title", "authors[0].name", "episode", "categories"}
    late = ask("POST", f"{SHOW}/articles", json={"title": "A", "text": "b", "publish": "soon"})
    assert late.status_code == 422 and "publish" in late.json()["error"]["fields"]
    assert ask("POST", f"{SHOW}/articles", json={}).status_code == 422
    assert ask("GET", f"{SHOW}/articles", params={"status": "live"}).status_code == 422
    assert ask("GET", f"{SHOW}/articles").json()["total"] == 0
    for kind, fields in (("pages", {"title": "A", "menu": "x"}), ("sponsors", {"name": ""})):
        assert ask("POST", f"{SHOW}/{kind}", json=fields).status_code == 422


def test_editors_write_articles_and_owners_decide_on_pages_and_sponsors(ask: Ask) -> None:
    for kind, given in (("pages", {"title": "About"}), ("sponsors", {"name": "Salt"})):
        assert ask("POST", f"{SHOW}/{kind}", json=given, role="editor").status_code == 403
        assert ask("GET", f"{SHOW}/{kind}", role="analyst").status_code == 200
        assert ask("GET", f"{SHOW}/{kind}", role="stranger").status_code == 404
    given = {"title": "Why the tide turns"}
    assert ask("POST", f"{SHOW}/articles", json=given, role="analyst").status_code == 403
    assert ask("POST", f"{SHOW}/articles", json=given, role="editor").status_code == 201
    assert ask("GET", ARTICLE, role="stranger").status_code == 404


def test_pages_are_made_changed_and_brought_back(ask: Ask) -> None:
    made = ask("POST", f"{SHOW}/pages", json={"title": "About", "menu": "top", "text": "We."})
    assert made.status_code == 201, made.text
    path = f"{SHOW}/pages/about"
    assert made.headers["location"] == f"https://pod.example{path}"
    changed = ask("PATCH", path, json={"status": "published"}).json()
    assert (changed["status"], changed["html"]) == ("published", "<p>We.</p>")
    assert ask("GET", f"{SHOW}/pages").json() == {"pages": [changed]}
    assert ask("GET", path).json() == changed
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", path).status_code == 410
    assert ask("POST", f"{path}/restore").json()["deleted_at"] is None


def test_sponsors_are_made_changed_and_brought_back(ask: Ask) -> None:
    given = {"name": "Salt", "starts_on": "2026-03-01", "in_notes": True}
    made = ask("POST", f"{SHOW}/sponsors", json=given)
    assert made.status_code == 201, made.text
    path = made.headers["location"].removeprefix("https://pod.example")
    logo = ask("PUT", f"{path}/logo", files={"picture": ("a.png", picture(), "image/png")})
    assert logo.json()["logo_url"].startswith("https://pod.example/artwork/")
    assert ask("DELETE", f"{path}/logo").status_code == 204
    changed = ask("PATCH", path, json={"ends_on": "2026-03-02"}).json()
    assert (changed["starts_on"], changed["ends_on"]) == ("2026-03-01", "2026-03-02")
    assert ask("PATCH", path, json={"ends_on": "2026-02-02"}).status_code == 422
    assert ask("GET", f"{SHOW}/sponsors").json() == {"sponsors": [changed]}
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", path).status_code == 410
    assert ask("POST", f"{path}/restore").json()["name"] == "Salt"
