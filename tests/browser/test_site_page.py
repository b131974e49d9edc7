"""The studio's page on a show's site, and what comes of it, in a real browser."""

from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import PHONE
from tests.browser.studio import StudioServer


def test_links_colour_and_style_are_given_and_seen(
    studio_server: StudioServer, signed_in: Page, axe: Callable[..., None]
) -> None:
    show, page = studio_server.new_show(), signed_in
    page.goto(f"{studio_server.url}/studio/shows/{show}/")
    page.get_by_role("link", name="Site", exact=True).click()
    for url in ("https://rumble.com/c/tides", "https://t.me/tides"):
        page.get_by_role("button", name="Add a link").click()
        page.get_by_label("Link to").last.fill(url)
    page.get_by_role("button", name="Move up").last.click()
    page.locator("#f-accent").fill("#00aa66")
    expect(page.get_by_label("A colour of my own")).to_be_checked()
    # Lines of a form end otherwise than those that the page's policy knows the style by.
    page.get_by_label("CSS").fill("h1 {\n  letter-spacing: 3px;\n}")
    axe(page)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    expect(page.get_by_label("Name", exact=True).first).to_have_value("Telegram")
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    page.goto(f"{studio_server.url}/{show}/")
    expect(page.get_by_role("link", name="Telegram")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).letterSpacing") == "3px"
    axe(page)


def test_a_button_waits_for_its_script_in_its_place(
    studio_server: StudioServer, signed_in: Page
) -> None:
    show, page = studio_server.new_show(), signed_in
    held: list[Route] = []
    page.route("**/row_lists*", lambda route: held.append(route))
    with page.expect_request("**/row_lists*"):
        page.goto(f"{studio_server.url}/studio/shows/{show}/site", wait_until="commit")
    colour = page.get_by_label("A colour of my own")
    expect(colour).to_be_visible()
    before = colour.bounding_box()
    add = page.locator("[data-add]")
    expect(add).to_be_hidden()
    held[0].continue_()
    expect(add).to_be_visible()
    assert colour.bounding_box() == before
    add.click()
    expect(page.get_by_label("Link to")).to_be_focused()


def test_a_page_from_right_to_left_stays_within_the_screen(
    studio_server: StudioServer, page: Page, axe: Callable[..., None]
) -> None:
    show = studio_server.new_show("مواعيد المد", language="ar", description="نمشي على الشاطئ.")
    page.set_viewport_size(PHONE)
    for path in ("", "follow", "episodes"):
        page.goto(f"{studio_server.url}/{show}/{path}")
        for view in ({"width": 1280, "height": 900}, PHONE):
            page.set_viewport_size(view)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= view["width"], path
        axe(page)
    # The way past the menus comes into sight for those who need it.
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()


def test_a_long_title_leaves_the_search_its_place(studio_server: StudioServer, page: Page) -> None:
    show = studio_server.new_show("Everything that ever happened at the coast " * 3)
    page.goto(f"{studio_server.url}/{show}/")
    name, field = page.locator(".bar .home"), page.locator(".bar .find")
    beside = [each.bounding_box() for each in (name, field)]
    assert beside[0] and beside[1]
    assert beside[1]["y"] < beside[0]["y"] + beside[0]["height"]
    assert beside[1]["x"] > beside[0]["x"] + beside[0]["width"]
    page.set_viewport_size(PHONE)
    small = name.bounding_box()
    assert small and small["height"] < 64
