"""The episode page in a browser: autosave, two people at once, no connection, publishing."""

import io
import re
import secrets
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from podhost.accounts import accounts
from podhost.config import read_settings
from podhost.db import Database
from podhost.instance import utc_now
from tests.audio_files import lame
from tests.browser.conftest import PHONE
from tests.browser.studio import StudioServer

HOSTILE = "<script>document.title='run'</script><img src=x onerror=document.title='run'>"
PASSWORD = "ebb and flow at noon"


class Desk:
    """Somebody with an episode's page open."""

    def __init__(self, page: Page, server: StudioServer, show: str, episode: str) -> None:
        self.page, self.server = page, server
        self.path = f"/shows/{show}/episodes/{episode}"
        page.goto(f"{server.url}/studio{self.path}")
        expect(page.locator("html")).to_have_attribute("data-ready", "true")

    def field(self, name: str) -> Any:
        return self.page.locator(f"#{name}")

    def saved(self) -> None:
        expect(self.page.locator("#save-state")).to_contain_text("Saved at")

    def stored(self) -> Any:
        return self.server.call("GET", self.path)


@pytest.fixture
def show(studio_server: StudioServer) -> str:
    return studio_server.new_show(time_zone="America/New_York")


def draft(server: StudioServer, show: str, **more: Any) -> str:
    episode: str = server.new_episode(show, lame(3), notes="The tide.", **more)["id"]
    return episode


def bob(server: StudioServer, new_context: Any) -> Page:
    """A second person, in a browser of his own."""
    database = Database(read_settings({"PODHOST_DATA": str(server.data)}).database_url)
    email = f"bob-{secrets.token_hex(3)}@example.org"
    with database.write() as session:
        accounts.create_account(
            session, email, name="Bob", password=PASSWORD, is_operator=True, now=utc_now()
        )
    database.close()
    context: BrowserContext = new_context()
    page = context.new_page()
    server.fill_login(page, email, PASSWORD)
    return page


def test_what_is_typed_is_saved_and_there_after_a_reload(
    studio_server: StudioServer, signed_in: Page, show: str, axe: Any
) -> None:
    at = Desk(signed_in, studio_server, show, draft(studio_server, show))
    at.field("title").fill("High water")
    expect(signed_in.locator('[data-count="title"]')).to_have_text("10 / 255")
    at.field("notes").fill("flood")
    at.field("notes").select_text()
    signed_in.get_by_role("button", name="Bold").click()
    expect(at.field("notes")).to_have_value("**flood**")
    expect(signed_in.locator("[data-preview] strong")).to_have_text("flood")
    signed_in.get_by_role("button", name="Add a person").click()
    signed_in.keyboard.type("Ann Bell")
    signed_in.keyboard.press("Control+s")
    at.saved()
    stored = at.stored()
    assert (stored["title"], stored["notes"]) == ("High water", "**flood**")
    assert [person["name"] for person in stored["people"]] == ["Ann Bell"]
    axe(signed_in)
    signed_in.reload()
    expect(at.field("title")).to_have_value("High water")
    expect(signed_in.locator("[data-person]").get_by_label("Name", exact=True)).to_have_value(
        "Ann Bell"
    )


def test_enter_goes_on_with_a_list_and_ends_it(
    signed_in: Page, studio_server: StudioServer, show: str
) -> None:
    at = Desk(signed_in, studio_server, show, draft(studio_server, show))
    at.field("notes").fill("9. one")
    at.field("notes").press("End")
    for typed in ("Enter", "t", "w", "o", "Enter", "Enter", "Enter", "-", "Space", "x", "Enter"):
        at.field("notes").press(typed)
    signed_in.get_by_role("button", name="Time").click()
    expect(at.field("notes")).to_have_value("9. one\n10. two\n\n\n- x\n- 00:00 ")


def test_people_are_completed_ordered_and_taken_out_by_keyboard(
    studio_server: StudioServer, signed_in: Page, show: str
) -> None:
    guests = '[{"name": "José Quay", "bio": "Pilot.", "url": "https://jose.example/"}]'
    draft(studio_server, show, title="Before", guests=guests)
    at = Desk(signed_in, studio_server, show, draft(studio_server, show, title="Now"))
    add = signed_in.get_by_role("button", name="Add a person")
    add.press("Enter")
    signed_in.keyboard.type("Ann")
    add.press("Enter")
    signed_in.keyboard.type("jos")
    expect(signed_in.locator("li[role=option]")).to_contain_text("José Quay")
    signed_in.keyboard.press("ArrowDown")
    signed_in.keyboard.press("Enter")
    expect(signed_in.get_by_label("Bio, in a sentence").nth(1)).to_have_value("Pilot.")
    signed_in.get_by_role("button", name="Move up").nth(1).press("Enter")
    expect(signed_in.get_by_label("Name", exact=True).first).to_have_value("José Quay")
    signed_in.get_by_role("button", name="Take out").nth(1).press("Enter")
    at.saved()
    expect(signed_in.locator("#save-state")).to_contain_text("Saved at")
    signed_in.keyboard.press("Control+s")
    at.saved()
    assert [person["name"] for person in at.stored()["people"]] == ["José Quay"]


def test_a_person_gets_a_picture_that_is_kept_here(
    studio_server: StudioServer, signed_in: Page, show: str
) -> None:
    at = Desk(signed_in, studio_server, show, draft(studio_server, show))
    signed_in.get_by_role("button", name="Add a person").click()
    signed_in.keyboard.type("Ann")
    signed_in.get_by_text("Link, bio, picture").click()
    picture = io.BytesIO()
    Image.new("RGB", (320, 400), "teal").save(picture, "PNG")
    signed_in.get_by_label("Picture", exact=True).set_input_files(
        {"name": "ann.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    )
    shown = signed_in.locator("[data-person] img")
    expect(shown).to_be_visible()
    at.saved()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    signed_in.keyboard.press("Control+s")
    at.saved()
    (person,) = at.stored()["people"]
    assert "/artwork/" in person["image_url"]
    signed_in.get_by_role("button", name="Take the picture away").click()
    expect(shown).to_be_hidden()


def test_two_people_edit_at_once_and_lose_nothing(
    studio_server: StudioServer,
    signed_in: Page,
    show: str,
    new_context: Any,
    problems: Any,
    axe: Any,
) -> None:
    problems.expect("409")
    episode = draft(studio_server, show)
    alice = Desk(signed_in, studio_server, show, episode)
    other = Desk(bob(studio_server, new_context), studio_server, show, episode)
    expect(other.page.locator("#others")).to_contain_text("Alice")
    alice.field("title").fill("Alice's title")
    alice.saved()
    # Another field: merged, and shown where nobody typed.
    other.field("notes").fill("Bob's notes.")
    other.saved()
    expect(other.field("title")).to_have_value("Alice's title")
    # The same field: both are shown, and nothing is overwritten.
    alice.field("notes").fill("Alice's notes.")
    card = alice.page.locator("[data-conflict=notes]")
    expect(card.locator("[data-theirs]")).to_have_text("Bob's notes.")
    expect(card.locator("[data-yours]")).to_have_text("Alice's notes.")
    assert alice.stored()["notes"] == "Bob's notes."
    axe(alice.page)
    alice.page.reload()
    expect(alice.field("notes")).to_have_value("Alice's notes.")
    expect(card).to_be_visible()
    alice.field("notes").fill("Notes of both.")
    card.get_by_role("button", name="Keep what is in the field").click()
    expect(card).to_have_count(0)
    assert alice.stored()["notes"] == "Notes of both."


def test_what_is_typed_without_a_connection_is_kept_and_sent_later(
    studio_server: StudioServer, signed_in: Page, show: str, problems: Any
) -> None:
    problems.expect("ERR_INTERNET_DISCONNECTED")
    at = Desk(signed_in, studio_server, show, draft(studio_server, show))
    signed_in.context.set_offline(True)
    at.field("title").fill("Typed at sea")
    state = signed_in.locator("#save-state")
    expect(state).to_contain_text("Not saved: no connection; kept in this browser")
    signed_in.context.set_offline(False)
    at.saved()
    assert at.stored()["title"] == "Typed at sea"
    # A tab that is closed before the connection is back loses nothing either.
    signed_in.context.set_offline(True)
    at.field("title").fill("Typed in a storm")
    expect(state).to_contain_text("Not saved")
    again = signed_in.context.new_page()
    signed_in.close(run_before_unload=False)
    again.context.set_offline(False)
    back = Desk(again, studio_server, show, at.stored()["id"])
    expect(back.field("title")).to_have_value("Typed in a storm")
    back.saved()
    assert back.stored()["title"] == "Typed in a storm"


def test_nothing_that_was_typed_runs(
    studio_server: StudioServer, signed_in: Page, show: str
) -> None:
    at = Desk(signed_in, studio_server, show, draft(studio_server, show))
    at.field("title").fill(HOSTILE)
    at.field("notes").fill(f"{HOSTILE} [x](javascript:document.title='run') end")
    signed_in.get_by_role("button", name="Add a person").click()
    signed_in.keyboard.type(HOSTILE)
    expect(signed_in.locator("[data-preview]")).to_contain_text("end")
    at.saved()
    signed_in.keyboard.press("Control+s")
    at.saved()
    signed_in.reload()
    expect(signed_in.locator("[data-preview]")).to_contain_text("end")
    assert signed_in.title() != "run"
    assert (
        signed_in.locator("[data-preview] [href^=javascript], [data-preview] script").count() == 0
    )


def test_it_is_scheduled_in_the_shows_time_zone_and_published(
    studio_server: StudioServer, signed_in: Page, show: str
) -> None:
    at = Desk(signed_in, studio_server, show, draft(studio_server, show))
    at.field("title").fill("Typed just before")
    at.field("at").fill("2090-07-01T09:00")
    signed_in.get_by_role("button", name="Schedule").click()
    expect(signed_in.get_by_role("status").first).to_contain_text("scheduled")
    expect(signed_in.locator(".episode-head")).to_contain_text("09:00 New York")
    assert at.stored()["published_at"] == "2090-07-01T13:00:00Z"
    assert at.stored()["title"] == "Typed just before"
    signed_in.get_by_role("button", name="Publish now").click()
    expect(signed_in.locator(".badge").first).to_have_text("Published")
    # From now on nothing is seen before it is applied.
    at.field("title").fill("Mended")
    at.saved()
    assert at.stored()["title"] == "Typed just before"
    signed_in.get_by_role("button", name="Update the episode").first.click()
    expect(signed_in.get_by_role("status").first).to_contain_text("updated")
    assert at.stored()["title"] == "Mended"
    signed_in.get_by_text("Withdraw …").click()
    signed_in.get_by_role("button", name="Withdraw it now").click()
    expect(signed_in.locator(".badge").first).to_have_text("Withdrawn")


@pytest.mark.parametrize("view", [{"viewport": PHONE}])
def test_it_works_on_a_phone(
    studio_server: StudioServer, signed_in: Page, show: str, axe: Any
) -> None:
    at = Desk(signed_in, studio_server, show, draft(studio_server, show))
    width = signed_in.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    expect(signed_in.locator("[data-preview]")).to_be_hidden()
    signed_in.get_by_role("button", name="Preview").click()
    expect(signed_in.locator("[data-preview]")).to_have_text("The tide.")
    expect(at.field("notes")).to_be_hidden()
    signed_in.get_by_role("button", name="Write").click()
    signed_in.get_by_text("More", exact=True).click()
    at.field("season_name").fill("Winter")
    expect(signed_in.locator("#save-state")).to_have_text(re.compile("Saved at"))
    axe(signed_in)


def test_new_audio_keeps_the_guid(studio_server: StudioServer, signed_in: Page, show: str) -> None:
    at = Desk(signed_in, studio_server, show, draft(studio_server, show))
    before = at.stored()
    signed_in.set_input_files(
        "#audio-file", {"name": "b.mp3", "mimeType": "audio/mpeg", "buffer": lame(5)}
    )
    expect(signed_in.locator(".facts")).to_contain_text("0:05")
    after = at.stored()
    assert after["guid"] == before["guid"]
    assert after["enclosure_url"] != before["enclosure_url"]
