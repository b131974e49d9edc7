"""Search on a show's site, as readers use it: by keyboard, by touch, and without script."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.audio_files import lame
from tests.browser.conftest import PHONE
from tests.browser.looking import Problems
from tests.browser.studio import StudioServer
from tests.waiting import wait_for

VTT = b"""WEBVTT

00:00:01.000 --> 00:00:04.000
Good morning.

00:00:31.000 --> 00:00:34.000
The harbour is quiet.
"""


@pytest.fixture(scope="session")
def home(studio_server: StudioServer) -> str:
    """The address of a show with things about a harbour, once they can be found."""
    show = studio_server.new_show("Tide Tables", language="en")
    guests = '[{"name": "Bea Quay", "bio": "Harbour master."}]'
    episode = studio_server.new_episode(
        show, lame(40), "A walk to the harbour", publish="true", guests=guests
    )
    path = f"/shows/{show}/episodes/{episode['id']}/transcript"
    studio_server.call("PUT", path, files={"transcript": ("a.vtt", VTT)})
    address = f"{studio_server.url}/{show}"
    asked = f"{address}/search.json?q=harbour"
    wait_for(lambda: httpx.get(asked, timeout=30).json()["total"] == 3)
    return address


def field(page: Page) -> Any:
    return page.get_by_role("combobox", name="Search this show")


def hits(page: Page) -> Any:
    return page.get_by_role("search").get_by_role("option")


def said(page: Page) -> Any:
    return page.get_by_role("search").get_by_role("status")


def test_it_is_used_by_keyboard_alone(page: Page, home: str, axe: Callable[..., None]) -> None:
    page.goto(f"{home}/")
    page.get_by_role("link", name="Follow", exact=True).focus()
    page.keyboard.press("/")
    expect(field(page)).to_be_focused()
    page.keyboard.insert_text("harb")
    options = hits(page)
    expect(options).to_have_count(3)
    expect(said(page)).to_have_text("3 results")
    expect(field(page)).to_have_attribute("aria-expanded", "true")
    axe(page)
    page.keyboard.press("ArrowUp")
    expect(options.nth(2)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[aria-selected=true]")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(page.get_by_role("link", name="Follow", exact=True)).to_be_focused()
    page.keyboard.press("/")
    expect(field(page)).to_have_value("harb")
    page.keyboard.type("quiet/")
    expect(field(page)).to_have_value("quiet/")
    expect(options).to_have_count(1)
    page.keyboard.press("ArrowDown")
    chosen = options.nth(0).get_attribute("id")
    expect(field(page)).to_have_attribute("aria-activedescendant", str(chosen))
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{home}/episodes/a-walk-to-the-harbour#t=31")
    # The script of the new page has run.
    expect(field(page)).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.insert_text("quay")
    expect(options).not_to_have_count(0)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{home}/search?q=quay")
    expect(page.get_by_role("heading", name="Bea Quay")).to_be_visible()
    axe(page)


def test_a_click_opens_a_place_on_this_very_page(page: Page, home: str) -> None:
    page.goto(f"{home}/episodes/a-walk-to-the-harbour")
    field(page).click()
    page.keyboard.insert_text("quiet")
    hits(page).click()
    expect(page).to_have_url(re.compile("#t=31$"))
    expect(hits(page)).to_have_count(0)
    page.keyboard.insert_text("x")
    expect(said(page)).to_have_text("Nothing was found.")
    page.keyboard.press("Escape")
    expect(said(page)).to_be_empty()
    expect(field(page)).to_have_value("quietx")
    expect(field(page)).to_be_focused()


def test_only_the_newest_question_is_answered(page: Page, home: str, problems: Problems) -> None:
    def answer(route: Route) -> None:
        # The first one is never answered.
        if route.request.url.endswith("?q=harbour"):
            route.continue_()
        elif route.request.url.endswith("?q=harbourx"):
            route.fulfill(status=429, body="{}")

    page.route("**/search.json?*", answer)
    page.goto(f"{home}/")
    field(page).click()
    with page.expect_request("**/search.json?q=harb"):
        page.keyboard.insert_text("harb")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("?q=harb")):
        page.keyboard.insert_text("our")
    expect(hits(page)).to_have_count(3)
    problems.expect("429")
    page.keyboard.insert_text("x")
    expect(said(page)).to_contain_text("did not answer")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{home}/search?q=harbour")


def test_it_needs_no_script(new_context: Callable[..., Any], home: str) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{home}/")
    page.get_by_role("searchbox", name="Search this show").fill("harbour")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("3 results")).to_be_visible()
    page.get_by_role("link", name="In transcripts 1").click()
    page.get_by_role("link", name="A walk to the harbour at 0:31").click()
    assert page.url == f"{home}/episodes/a-walk-to-the-harbour#t=31"
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.get_by_role("link", name="Search").click()
    expect(page.get_by_role("searchbox", name="Search this show")).to_be_visible()


@pytest.mark.parametrize("view", [{}, {"viewport": PHONE}], ids=["desk", "phone"])
def test_the_menu_stays_in_its_place_on_the_page_of_results(
    page: Page, studio_server: StudioServer
) -> None:
    show, sister = (studio_server.new_show(language=language) for language in ("en", "es"))
    studio_server.call("POST", f"/shows/{show}/site/editions", json={"show": sister})
    bar = page.locator(".bar nav")
    page.goto(f"{studio_server.url}/{show}/")
    before = [each.bounding_box() for each in bar.all()]
    page.goto(f"{studio_server.url}/{show}/search?q=harbour")
    assert len(before) == 2
    assert [each.bounding_box() for each in bar.all()] == before


@pytest.mark.parametrize("view", [{"viewport": PHONE, "has_touch": True}], ids=["phone"])
def test_on_a_phone_it_opens_in_place(page: Page, home: str, axe: Callable[..., None]) -> None:
    page.goto(f"{home}/")
    opens = page.get_by_role("link", name="Search")
    title = page.get_by_role("heading", level=1)
    before = title.bounding_box()
    opens.tap()
    expect(field(page)).to_be_focused()
    assert title.bounding_box() == before
    page.keyboard.insert_text("harbour")
    expect(hits(page)).to_have_count(3)
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    expect(opens).to_be_focused()
    expect(field(page)).to_be_hidden()
    opens.tap()
    # It is as it was left, and the button that sends it works.
    page.get_by_role("button", name="Search").tap()
    expect(page).to_have_url(f"{home}/search?q=harbour")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    axe(page)


@pytest.mark.parametrize("view", [{}, {"viewport": PHONE}], ids=["desk", "phone"])
def test_nothing_stands_outside_where_writing_goes_from_right_to_left(
    page: Page, studio_server: StudioServer
) -> None:
    show = studio_server.new_show("Tide Tables", language="ar")
    page.goto(f"{studio_server.url}/{show}/")
    page.keyboard.press("/")
    page.keyboard.type("nothing")
    found = said(page)
    expect(found).to_have_text("Nothing was found.")
    box = found.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= page.evaluate("innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
