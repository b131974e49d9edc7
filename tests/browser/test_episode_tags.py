"""What only apps read of an episode, in a browser: rows, autosave, errors, two people."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.audio_files import lame
from tests.browser.conftest import PHONE
from tests.browser.studio import StudioServer
from tests.browser.test_episode import Desk


class Apps(Desk):
    """An episode's page with what apps read unfolded."""

    def __init__(self, page: Page, server: StudioServer, show: str, episode: str) -> None:
        super().__init__(page, server, show, episode)
        page.locator("#for-apps summary").press("Enter")

    def tag(self, name: str) -> Locator:
        return self.page.locator(f"[data-tag][data-field={name}]")

    def add(self, name: str) -> None:
        """A row by keyboard, with the cursor in it."""
        self.tag(name).locator("[data-rows] > p [data-add]").first.press("Enter")

    def save(self) -> Any:
        self.page.keyboard.press("Control+s")
        expect(self.page.locator("#save-state")).to_contain_text("Saved at")
        return self.stored()


@pytest.fixture
def at(studio_server: StudioServer, signed_in: Page) -> Apps:
    show = studio_server.new_show()
    episode = studio_server.new_episode(show, lame(3))["id"]
    return Apps(signed_in, studio_server, show, episode)


@pytest.mark.parametrize("view", [{}, {"viewport": PHONE}], ids=["wide", "phone"])
def test_rows_are_typed_moved_and_kept(at: Apps, axe: Any, problems: Any) -> None:
    at.add("location")
    at.page.keyboard.type("Lisboa")
    at.add("location")
    at.page.keyboard.type("Faro")
    at.tag("location").get_by_role("button", name="Move up").last.press("Enter")
    at.add("value")
    at.page.keyboard.type("Bo")
    at.tag("value").get_by_label("Address").last.fill("bo@b.example")
    at.tag("value").get_by_label("Type").last.fill("lnaddress")
    at.tag("value").get_by_label("Type").first.fill("lightning")
    at.tag("value").get_by_label("Method").fill("lnaddress")
    stored = at.save()
    assert [place["name"] for place in stored["location"]] == ["Faro", "Lisboa"]
    assert [one["split"] for one in stored["value"]["recipients"]] == [1]
    expect(at.page.locator("[data-used]")).to_have_text("Places, Payments while listening")
    # What cannot be so stands beside its input, and stays there.
    at.tag("location").get_by_label("Latitude and longitude").first.fill("far away")
    at.tag("value").get_by_label("Shares").last.fill("half")
    wrong = at.tag("location").locator(".error")
    expect(wrong).to_be_visible()
    expect(at.tag("value").locator(".error")).to_have_text("A number is needed here.")
    assert (
        at.page.evaluate("document.documentElement.scrollWidth") <= at.page.viewport_size["width"]
    )
    axe(at.page)
    at.tag("value").get_by_label("Shares").last.fill("3")
    at.tag("location").get_by_role("button", name="Remove").first.press("Enter")
    expect(wrong).to_have_count(0)
    stored = at.save()
    assert [place["name"] for place in stored["location"]] == ["Lisboa"]
    assert stored["value"]["recipients"][-1]["split"] == 3
    at.page.reload()
    expect(at.tag("location").get_by_label("Place")).to_have_value("Lisboa")


def test_rows_inside_of_rows_and_what_somebody_else_changed(at: Apps, problems: Any) -> None:
    problems.expect("409")
    at.add("alternate_enclosures")
    at.page.keyboard.type("video/mp4")
    at.tag("alternate_enclosures").get_by_label("Address").fill("https://video.example/7.mp4")
    at.tag("alternate_enclosures").get_by_role("button", name="Add Addresses").press("Enter")
    at.page.keyboard.type("https://mirror.example/7.mp4")
    (file,) = at.save()["alternate_enclosures"]
    assert [source["uri"][8:14] for source in file["sources"]] == ["video.", "mirror"]
    other = at.server.call
    other("PATCH", at.path, json={"chat": {"server": "a.example", "protocol": "irc"}})
    # Another field of somebody else comes in by itself; the same one asks.
    at.field("title").fill("Ebb")
    at.save()
    expect(at.tag("chat").get_by_label("Server")).to_have_value("a.example")
    other("PATCH", at.path, json={"chat": {"server": "b.example", "protocol": "irc"}})
    at.tag("chat").get_by_label("Room").fill("#tides")
    card = at.page.locator("[data-conflict=chat]")
    expect(card.locator("[data-theirs]")).to_have_text("b.example, irc")
    expect(card.locator("[data-yours]")).to_have_text("a.example, irc, #tides")
    card.get_by_role("button", name="Take theirs").click()
    expect(card).to_have_count(0)
    expect(at.tag("chat").get_by_label("Server")).to_have_value("b.example")
    expect(at.tag("chat").get_by_label("Room")).to_have_value("")
