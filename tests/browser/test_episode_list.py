"""Many episodes in a real browser: chosen, published, taken back, moved in the calendar."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.audio_files import lame
from tests.browser.conftest import PHONE
from tests.browser.studio import StudioServer


@pytest.fixture
def show(studio_server: StudioServer) -> str:
    slug = studio_server.new_show(time_zone="Europe/Madrid")
    for title in ("Ebb", "Flood", "Slack"):
        studio_server.new_episode(slug, lame(1), title)
    return slug


def test_several_are_chosen_published_and_taken_back(
    studio_server: StudioServer, signed_in: Page, show: str, axe: Callable[..., None]
) -> None:
    page = signed_in
    page.goto(f"{studio_server.url}/studio/shows/{show}/")
    axe(page)
    # By keyboard alone: choose two, open the question, say yes.
    page.get_by_role("checkbox", name="Choose “Slack”").focus()
    page.keyboard.press("Space")
    page.get_by_role("checkbox", name="Choose “Flood”").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("status").filter(has_text="2 episodes are chosen")).to_be_visible()
    page.get_by_role("button", name="Go on").press("Enter")
    expect(page.get_by_role("heading", name="Publish 2 episodes now?")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Yes, do it").press("Enter")
    expect(page.get_by_text("Done for 2 episodes.")).to_be_visible()
    expect(page.locator(".episodes .badge", has_text="Published")).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".episodes .badge", has_text="Withdrawn")).to_have_count(2)


def test_the_whole_page_and_a_range_are_chosen(
    studio_server: StudioServer, signed_in: Page, show: str
) -> None:
    page = signed_in
    page.goto(f"{studio_server.url}/studio/shows/{show}/")
    boxes = page.locator("input[name=episode]")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    expect(page.locator("input[name=episode]:checked")).to_have_count(3)
    page.get_by_label("All on this page").uncheck()
    expect(page.locator("input[name=episode]:checked")).to_have_count(0)


def test_an_episode_is_dragged_to_another_day_and_back(
    studio_server: StudioServer, signed_in: Page, show: str, axe: Callable[..., None]
) -> None:
    page = signed_in
    month = (datetime.now(UTC) + timedelta(days=40)).strftime("%Y-%m")
    page.goto(f"{studio_server.url}/studio/shows/{show}/calendar?month={month}")
    axe(page)
    day = page.locator(f'[data-day="{month}-17"]')
    page.locator(".drafts").get_by_role("link", name="Ebb", exact=True).drag_to(day)
    expect(page.get_by_text("“Ebb” comes out on 17 ")).to_be_visible()
    expect(day.get_by_role("link", name="Ebb")).to_have_count(2)
    # And with the keyboard to the day after.
    day.get_by_role("link", name="Move “Ebb”").press("Enter")
    expect(page.get_by_role("heading", name="When does “Ebb” come out?")).to_be_visible()
    page.get_by_label("Day", exact=True).fill(f"{month}-18")
    page.get_by_label("Time (Madrid)").fill("07:30")
    page.get_by_role("button", name="Schedule it").press("Enter")
    expect(page.locator(f'[data-day="{month}-18"]')).to_contain_text("07:30 Ebb")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("It is as it was before.")).to_be_visible()
    axe(page)


@pytest.mark.parametrize("view", [{"viewport": PHONE}], ids=["phone"])
def test_on_a_phone_nothing_is_wider_than_the_page(
    studio_server: StudioServer, signed_in: Page, show: str, axe: Callable[..., None]
) -> None:
    page = signed_in
    for place in ("", "trash", "calendar", "history", "activity"):
        page.goto(f"{studio_server.url}/studio/shows/{show}/{place}")
        widths = "[document.documentElement.scrollWidth, innerWidth]"
        inner, outer = page.evaluate(widths)
        assert inner <= outer, place
        axe(page)
