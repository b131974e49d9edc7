"""A guest on a phone: hears what is not out, corrects a name, and shares a clip once it is out."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.audio_files import lame
from tests.browser.conftest import PHONE
from tests.browser.studio import StudioServer

GUEST = '[{"name": "Ann Ocean", "bio": "Swims."}]'


def is_within_the_screen(page: Page) -> bool:
    width = page.evaluate("document.documentElement.scrollWidth")
    return bool(width <= page.viewport_size["width"])  # type: ignore[index]


@pytest.mark.parametrize("view", [{"viewport": PHONE}])
def test_a_guest_corrects_and_shares_from_a_phone(
    studio_server: StudioServer,
    signed_in: Page,
    new_context: Callable[..., BrowserContext],
    axe: Callable[..., None],
    tmp_path: Path,
) -> None:
    show = studio_server.new_show()
    audio = lame(20)
    episode = studio_server.new_episode(show, audio, guests=GUEST)["id"]
    host, guests = signed_in, f"{studio_server.url}/studio/shows/{show}/episodes/{episode}/guests"

    # The host makes a link, which is shown this once.
    host.goto(guests)
    axe(host)
    host.get_by_role("button", name="Make the link").click()
    address = host.get_by_label("Address", exact=True).input_value()
    assert re.fullmatch(rf"{re.escape(studio_server.url)}/studio/guests/[\w-]{{43}}", address)
    axe(host)
    host.goto(guests)
    assert address not in host.content()

    # The guest hears the episode and corrects what is said, with a picture.
    guest = new_context(
        viewport=PHONE, permissions=["clipboard-read", "clipboard-write"]
    ).new_page()
    guest.goto(address)
    axe(guest)
    assert is_within_the_screen(guest)
    playing = "element => element.play().then(() => element.duration)"
    assert 19 < guest.locator("#player").evaluate(playing) < 21
    guest.get_by_label("Your name").fill("Ann Océan")
    guest.get_by_role("button", name="One more link").click()
    guest.locator("#link-url-1").fill("sea.social/@ann")
    picture = tmp_path / "ann.png"
    Image.new("RGB", (600, 400), "teal").save(picture)
    guest.get_by_label("A picture of you").set_input_files(picture)
    guest.get_by_role("button", name="Send to the host").click()
    expect(guest.get_by_role("status")).to_contain_text("Your host will look at it.")

    # The host takes it over, but for the picture.
    host.goto(guests)
    axe(host)
    assert is_within_the_screen(host)
    host.get_by_role("checkbox", name="Picture").uncheck()
    host.get_by_role("button", name="Take over what is ticked").click()
    expect(host.get_by_role("status")).to_contain_text("It is in the episode now.")
    (person,) = studio_server.call("GET", f"/shows/{show}/episodes/{episode}")["people"]
    assert (person["name"], person["image_url"]) == ("Ann Océan", None)
    assert person["links"] == [{"name": "sea.social", "url": "https://sea.social/@ann"}]

    # Out: there are texts, pictures that are drawn meanwhile, and clips.
    studio_server.call("POST", f"/shows/{show}/episodes/{episode}/publish")
    guest.goto(address)
    guest.get_by_role("button", name="Copy: Link to the episode").click()
    guest.wait_for_function(
        "async (address) => (await navigator.clipboard.readText()) === address",
        arg=f"{studio_server.url}/{show}/episodes/low-water",
    )
    guest.locator("#player").evaluate("element => { element.currentTime = 3.5; }")
    guest.get_by_role("button", name="Take it from the player").first.click()
    assert guest.get_by_label("From").input_value() == "0:03.5"
    guest.get_by_label("To", exact=True).fill("0:08")
    guest.get_by_role("button", name="Cut it out").first.click()
    # Without being loaded again.
    clip = guest.locator("#clips audio")
    clip.wait_for(state="attached")
    assert 4 < clip.evaluate(f"element => {{ element.load(); return ({playing})(element); }}") < 5
    axe(guest)
    assert is_within_the_screen(guest)


def test_a_listener_of_a_preview_jumps_to_a_chapter(
    studio_server: StudioServer, page: Page, axe: Callable[..., None]
) -> None:
    show = studio_server.new_show()
    notes = "00:00 Start\n00:05 Middle\n00:10 End"
    episode = studio_server.new_episode(show, lame(20), notes=notes)["id"]
    made: Any = studio_server.call("POST", f"/shows/{show}/episodes/{episode}/guest-links", json={})
    page.goto(made["url"])
    axe(page)

    page.get_by_role("link", name="Middle").click()

    page.wait_for_function("document.getElementById('player').currentTime >= 5")
    assert page.url == made["url"]


def test_a_host_makes_two_spellings_one_person(
    studio_server: StudioServer, signed_in: Page, axe: Callable[..., None]
) -> None:
    show = studio_server.new_show()
    for name in ("Ann Ocean", "Anne Ocean"):
        given = {"title": name, "guests": [{"name": name}]}
        studio_server.call("POST", f"/shows/{show}/episodes", json=given)
    signed_in.goto(f"{studio_server.url}/studio/shows/{show}/guests")
    axe(signed_in)
    signed_in.get_by_role("searchbox").fill("anne")
    signed_in.get_by_role("button", name="Find").click()
    signed_in.get_by_role("link", name="Anne Ocean").click()
    axe(signed_in)
    signed_in.get_by_label("This is really").select_option(label="Ann Ocean")
    signed_in.get_by_role("button", name="Make them one").click()
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("Ann Ocean")

    signed_in.get_by_role("button", name="Undo").click()
    expect(signed_in.get_by_text("Anne Ocean is somebody of their own again.")).to_be_visible()

    people = studio_server.call("GET", f"/shows/{show}/guests")["people"]
    assert [person["name"] for person in people] == ["Ann Ocean", "Anne Ocean"]
