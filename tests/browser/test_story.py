"""A new host's whole way, from the link that `serve` prints to a listener who hears an episode."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.audio_files import lame
from tests.browser.conftest import PHONE
from tests.browser.test_upload import card_of, drop, is_ready
from tests.running import Running
from tests.waiting import wait_for

ITUNES = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"
PODCAST = "{https://podcastindex.org/namespace/1.0}"


@pytest.mark.parametrize("view", [{}, {"viewport": PHONE}], ids=["desk", "phone"])
def test_from_the_first_run_to_the_first_listener(
    page: Page, tmp_path: Path, axe: Callable[..., None]
) -> None:
    audio = tmp_path / "first-light.mp3"
    audio.write_bytes(lame(20))
    environment = {"PODHOST_DATA": str(tmp_path / "data")}
    with Running(["serve", "--port", "0"], environment) as running:
        url = running.wait_until_ready()
        make_an_account(page, entry_link(running))
        axe(page)
        make_a_show(page)
        drop(page, audio)
        card = card_of(page, audio.name)
        card.get_by_label("Title").fill("First light")
        is_ready(card)
        expect(card.get_by_role("status")).to_have_text("Saved")
        card.get_by_role("link", name="Edit the episode").click()
        edit_and_publish(page)
        item = wait_for(lambda: item_of(f"{url}/tide-tables/feed.xml"))
        assert item.findtext("title") == "First light"
        assert [person.text for person in item.iter(f"{PODCAST}person")] == ["Bea Quay"]
        enclosure = item.find("enclosure")
        assert enclosure is not None
        assert httpx.get(enclosure.attrib["url"], timeout=30).content == audio.read_bytes()
        assert play_on_the_shows_page(page, f"{url}/tide-tables/") > 0
        # Before the server goes, which would cut off what the page still loads.
        page.close()


def entry_link(running: Running) -> str:
    """The link for the first visitor, which stands among what `serve` prints."""
    pattern = re.compile(r"http://\S+/studio/welcome/\S+")
    found = wait_for(lambda: pattern.search("\n".join([*running.lines, *running.log])))
    assert found is not None
    return found[0]


def make_an_account(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("Name").fill("Ann Shore")
    page.get_by_label("E-mail").fill("ann@example.org")
    page.get_by_label("Password").fill("tide tables at noon")
    page.locator("main form").get_by_role("button").last.click()
    page.wait_for_url("**/studio/shows/new")


def make_a_show(page: Page) -> None:
    """Ends on the page on which the first episode is dropped."""
    page.get_by_label("Title").fill("Tide Tables")
    page.get_by_label("Category").select_option("Science")
    page.get_by_role("button", name="Create the show").click()
    page.wait_for_url("**/studio/shows/tide-tables/upload")
    expect(page.locator("#upload-page[data-ready]")).to_be_attached()


def edit_and_publish(page: Page) -> None:
    # Before its script runs, a page's buttons send the form, as they do without script.
    expect(page.locator("html")).to_have_attribute("data-ready", "true")
    page.get_by_role("textbox", name="Notes").fill("We walk along the **breakwater**.")
    page.get_by_role("button", name="Add a person").click()
    page.get_by_role("combobox", name="Name").last.fill("Bea Quay")
    page.get_by_role("button", name="Publish now").click()
    expect(page.get_by_text("Published", exact=False).first).to_be_visible()


def item_of(feed_url: str) -> ElementTree.Element | None:
    answer = httpx.get(feed_url, timeout=30)
    if not answer.is_success:
        return None
    return ElementTree.fromstring(answer.content).find("channel/item")


def play_on_the_shows_page(page: Page, url: str) -> Any:
    """The second at which the player of the newest episode stands once somebody pressed Play."""
    page.goto(url)
    page.locator(".episodes h3 a").first.click()
    page.get_by_role("button", name="Play").click()
    return page.evaluate(
        """async () => {
            const player = document.querySelector("audio");
            return await new Promise((resolve) => {
                const look = () => player.currentTime > 0 && resolve(player.currentTime);
                player.addEventListener("timeupdate", look);
            });
        }"""
    )
