"""The studio's pages of articles, pages and sponsors, without a browser."""

import io
import re
from typing import Any

import pytest
from PIL import Image

from podhost.instance import Instance
from podhost.models import Article, Page, Show, Sponsor
from podhost.translations import words
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient, text_of
from tests.written.making import make_article, make_page, make_sponsor

HOME = "/shows/tide-tables"


@pytest.fixture
def show(instance: Instance) -> Show:
    return make_show(instance, time_zone="Europe/Madrid")


@pytest.fixture
def owner(instance: Instance, show: Show) -> StudioClient:
    return StudioClient.visit_as(instance, "owner", show.slug)


def send(visitor: StudioClient, path: str, *, file: bytes = b"", **form: Any) -> Any:
    """A form as its page sends it, with what stands in the inputs already."""
    page = visitor.get(path).text
    held = dict(
        re.findall(r'<input[^>]* name="(\w+)" type="(?!checkbox|file)[\w-]+" value="([^"]*)"', page)
    )
    held |= dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    areas = re.findall(r'<textarea id="[\w-]+" name="(\w+)"[^>]*>\n([^<]*)</textarea>', page)
    chosen = re.findall(r'name="(\w+)"[^>]*>\s*<option value="(\w+)" selected', page)
    held |= dict(areas) | dict(chosen)
    values = {**held, "csrf": visitor.csrf, **form}
    if "multipart" not in page:
        return visitor.post(path, {**held, **form})
    files = {"picture": ("a.png", io.BytesIO(file), "image/png")}
    return visitor.request("POST", path, data=values, files=files)


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 360), "navy").save(file, "PNG")
    return file.getvalue()


def the_article(instance: Instance) -> Article:
    with instance.database.read() as session:
        return session.query(Article).one()


def test_an_article_is_written_and_published_without_script(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    make_episode(instance, show, None, "Low water", publish=False)
    made = send(
        owner,
        f"{HOME}/articles/new",
        file=picture(),
        title="Why the tide turns",
        text="It **turns**.",
        authors="Ann Ocean\n\nBo Bell",
        categories="Science, Moon,",
        picture_alt="A wave",
        do="publish",
    )
    assert made.status_code == 303, text_of(made)
    article = the_article(instance)
    assert (article.status, article.slug) == ("published", "why-the-tide-turns")
    page = owner.get(made.headers["location"])
    assert "The article is published." in page.text and "/artwork/" in page.text
    assert "https://pod.example/tide-tables/articles/why-the-tide-turns" in page.text
    assert "Ann Ocean" in page.text and 'value="Science, Moon"' in page.text
    assert "Why the tide turns" in owner.get(f"{HOME}/articles").text
    path = f"{HOME}/articles/{article.id}"

    # Saving what is there changes nothing but what readers are told.
    saved = send(owner, path, do="save", updated_now="yes")
    assert saved.status_code == 303, text_of(saved)
    after = the_article(instance)
    assert after.updated_at is not None and after.text == "It **turns**."
    assert after.artwork_id == article.artwork_id
    assert send(owner, path, do="save", no_picture="yes").status_code == 303
    assert the_article(instance).artwork_id is None


def test_withdrawing_and_deleting_can_be_taken_back(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    article = make_article(instance, show)
    path = f"{HOME}/articles/{article.id}"
    for action, status in (("withdraw", "withdrawn"), ("delete", "published")):
        owner.get(path)
        answer = owner.post(f"{path}/{action}")
        assert answer.status_code == 303
        page = owner.get(answer.headers["location"]).text
        assert the_article(instance).status == status
        (undo,) = re.findall(r'class="said".*?action="/studio([^"]+)"', page, re.DOTALL)
        assert owner.post(undo).status_code == 303
    back = the_article(instance)
    assert (back.status, back.deleted_at) == ("published", None)
    assert back.published_at == article.published_at


def test_a_time_is_that_of_the_show_and_a_scheduled_article_becomes_a_draft_again(
    instance: Instance, show: Show, owner: StudioClient, clock: FrozenClock
) -> None:
    article = make_article(instance, show, publish=False)
    path = f"{HOME}/articles/{article.id}"
    refused = send(owner, path, do="schedule", at="")
    assert refused.status_code == 422 and "at-error" in refused.text
    assert send(owner, path, do="schedule", at="2026-03-09T09:00").status_code == 303
    scheduled = the_article(instance)
    assert scheduled.status == "scheduled" and scheduled.published_at is not None
    assert scheduled.published_at.hour == 8
    assert 'value="2026-03-09T09:00"' in owner.get(path).text
    assert owner.post(f"{path}/withdraw").status_code == 303
    assert the_article(instance).status == "draft"


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    article = make_article(instance, show)
    path = f"{HOME}/articles/{article.id}"
    refused = send(owner, path, title="", text="New <b>words</b>", slug="No!", do="save")
    assert refused.status_code == 422
    assert "It must not be empty." in refused.text and "New &lt;b&gt;words" in refused.text
    assert 'id="f-slug-error"' in refused.text
    bad = send(owner, path, file=b"%PDF-1.4", title="Other", do="save")
    assert bad.status_code == 422 and the_article(instance).title == article.title

    make = send(owner, path, version="0", title="Mine", do="save")
    assert make.status_code == 422 and "Somebody else changed this article" in make.text
    assert 'value="Mine"' in make.text
    empty = send(owner, f"{HOME}/articles/new", title="Empty", do="publish")
    assert empty.status_code == 422 and "has no text yet" in empty.text


def test_pages_and_sponsors_are_made_changed_deleted_and_brought_back(
    instance: Instance, owner: StudioClient
) -> None:
    made = send(owner, f"{HOME}/pages/new", title="About", text="We.", published="yes", menu="foot")
    assert made.status_code == 303, text_of(made)
    with instance.database.read() as session:
        page = session.query(Page).one()
    assert (page.slug, page.status, page.menu, page.position) == ("about", "published", "foot", 1)
    path = f"{HOME}/pages/{page.id}"
    refused = send(owner, path, title="", position="x")
    assert refused.status_code == 422 and "whole number" in refused.text
    assert send(owner, path, title="About us", menu="top", published="yes").status_code == 303
    assert "Menu at the top" in owner.get(f"{HOME}/pages").text

    made = send(
        *(owner, f"{HOME}/sponsors/new"),
        **{"name": "Salt", "in_notes": "yes", "starts_on": "2026-03-09", "file": picture()},
    )
    assert made.status_code == 303, text_of(made)
    with instance.database.read() as session:
        sponsor = session.query(Sponsor).one()
    assert sponsor.in_notes and sponsor.artwork_id
    refused = send(owner, f"{HOME}/sponsors/{sponsor.id}", ends_on="2026-03-08", url="x")
    assert refused.status_code == 422 and 'id="f-url-error"' in refused.text
    assert "to come" in owner.get(f"{HOME}/sponsors").text
    for path in (f"{HOME}/pages/{page.id}", f"{HOME}/sponsors/{sponsor.id}"):
        owner.get(path)
        assert owner.post(f"{path}/delete").status_code == 303
        assert owner.get(path).status_code == 410
        assert owner.post(f"{path}/restore").status_code == 303
        assert owner.get(path).status_code == 200


def test_every_page_is_spanish_for_who_reads_spanish(
    instance: Instance, show: Show, owner: StudioClient
) -> None:
    article = make_article(instance, show)
    page = make_page(instance, show, "Quiénes")
    sponsor = make_sponsor(instance, show, "Sal")
    _ = words("es")
    for path, said in (
        ("articles", _("Write an article")),
        (f"articles/{article.id}", _("Who wrote it, and what it is about")),
        (f"pages/{page.id}", _("Everybody may read it")),
        (f"sponsors/{sponsor.id}", _("Name them in the notes too")),
    ):
        found = owner.get(f"{HOME}/{path}", headers={"Accept-Language": "es"}).text
        assert said in found and 'lang="es"' in found


def test_who_may_only_look_is_offered_nothing_else(instance: Instance, show: Show) -> None:
    make_article(instance, show)
    analyst = StudioClient.visit_as(instance, "analyst", show.slug)
    for kind in ("articles", "pages", "sponsors"):
        page = analyst.get(f"{HOME}/{kind}")
        assert page.status_code == 200 and f"{kind}/new" not in page.text
