"""An article is written with the toolbar and the preview, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.browser.studio import StudioServer


def is_within_the_screen(page: Page) -> bool:
    width = page.evaluate("document.documentElement.scrollWidth")
    return bool(width <= page.viewport_size["width"])  # type: ignore[index]


@pytest.mark.parametrize("view", [{}, {"viewport": PHONE, "color_scheme": "dark"}])
def test_an_article_is_written_seen_and_published(
    studio_server: StudioServer, signed_in: Page, axe: Callable[..., None]
) -> None:
    show = studio_server.new_show()
    page, home = signed_in, f"{studio_server.url}/studio/shows/{show}"
    page.goto(f"{home}/articles/new")
    page.get_by_label("Title", exact=True).fill("Why the tide turns")
    text = page.locator("#text")
    text.fill("It turns.")
    text.select_text()
    page.keyboard.press("Control+b")
    expect(text).to_have_value("**It turns.**")
    if is_phone := page.viewport_size == PHONE:
        page.get_by_role("button", name="Preview").click()
    preview = page.locator("[data-preview]")
    expect(preview.locator("strong")).to_have_text("It turns.")
    if is_phone:
        page.get_by_role("button", name="Write").click()
    page.get_by_label("Authors, one name to a line").fill("Ann Ocean")
    axe(page)
    assert is_within_the_screen(page)
    # Whoever goes away is asked first.
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("link", name="Articles").last.click()
    expect(text).to_have_value("**It turns.**")
    page.get_by_role("button", name="Publish now").click()
    expect(page.get_by_role("status")).to_contain_text("The article is published.")
    axe(page)

    for path in ("articles", "pages/new", "pages", "sponsors/new", "sponsors"):
        page.goto(f"{home}/{path}")
        axe(page)
        assert is_within_the_screen(page), path
