"""A show's settings, and a show that moves in, in a real browser."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from benchmarks.shows import add_show, open_new
from tests.browser.conftest import PHONE
from tests.browser.looking import Problems
from tests.browser.studio import StudioServer, running_studio
from tests.importing.test_runs import with_audio
from tests.old_host import OldHost, item, old_host


@pytest.fixture
def host() -> Iterator[OldHost]:
    with old_host() as running:
        yield running


@pytest.fixture
def moving_server(tmp_path: Path, migrated_sqlite: Path, host: OldHost) -> Iterator[StudioServer]:
    """A server that may ask the old host."""
    environment = {"PODHOST_FETCH_ALLOWED": host.address}
    with running_studio(tmp_path / "studio", migrated_sqlite, environment) as server:
        yield server


def test_a_host_edits_lists_and_reads_them_back(
    signed_in: Page, studio_server: StudioServer, axe: Callable[..., None], problems: Problems
) -> None:
    page, show = signed_in, studio_server.new_show()
    page.goto(f"{studio_server.url}/studio/shows/{show}/settings/apps")
    support = page.get_by_role("group", name="Support")
    add = support.get_by_role("button", name="Add")
    for address in ("https://one.example/", "https://two.example/", "nowhere"):
        add.click()
        # What was added has the focus.
        page.keyboard.type(address)
    axe(page)
    # Saved: what is wrong is said beside its field, and everything is still there.
    problems.expect("422")
    page.get_by_role("button", name="Save").click()
    wrong = page.locator("[id='funding[2].url']")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("Address: It must be a whole address")
    page.get_by_role("alert").get_by_role("link").click()
    entries = support.locator("[data-entry]")
    entries.nth(2).get_by_role("button", name="Remove").click()
    entries.nth(1).get_by_role("button", name="Move up").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    given = [one["url"] for one in studio_server.call("GET", f"/shows/{show}")["funding"]]
    assert given == ["https://two.example/", "https://one.example/"]


@pytest.mark.parametrize("view", [{"viewport": PHONE, "color_scheme": "dark"}])
def test_every_page_of_the_settings_fits_a_phone_without_barriers(
    signed_in: Page, studio_server: StudioServer, axe: Callable[..., None]
) -> None:
    page, show = signed_in, studio_server.new_show()
    for place in ("about", "artwork", "people", "apps", "feed", "advanced", "../submit", "../move"):
        page.goto(f"{studio_server.url}/studio/shows/{show}/settings/{place}")
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
        axe(page)


def test_a_host_sees_how_a_show_moves_in(
    moving_server: StudioServer, page: Page, host: OldHost, axe: Callable[..., None]
) -> None:
    with_audio(host, 2)
    # Slow enough that somebody sees it come.
    for path in ("/1.mp3", "/2.mp3"):
        host.answers[path].pause = 0.7
    feed = host.feed(item(3), item(2), item(1))
    moving_server.sign_in(page.context)
    page.goto(f"{moving_server.url}/studio/imports/new")
    axe(page)
    page.get_by_label("Address of the feed").fill(feed)
    page.get_by_role("button", name="See what would come").click()
    expect(page.get_by_role("heading", name="Tide Tables")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Bring it here").click()
    expect(page.locator("[data-import]")).to_be_visible()
    # The page tells it without being asked.
    expect(page.get_by_text("1 failed")).to_be_visible()
    expect(page.get_by_text("2 of 3")).to_be_visible()
    expect(page.get_by_role("heading", name="What did not come")).to_be_visible()
    axe(page)
    with_audio(host, 3)
    page.get_by_role("button", name="Try these again").click()
    expect(page.get_by_text("3 of 3")).to_be_visible()
    expect(page.get_by_role("link", name="See the show")).to_be_visible()
    found: list[Any] = moving_server.call("GET", "/shows")["shows"]
    assert [show["episode_count"] for show in found] == [3]


def test_a_host_takes_the_whole_show_away(
    signed_in: Page, studio_server: StudioServer, axe: Callable[..., None], tmp_path: Path
) -> None:
    page, show = signed_in, studio_server.new_show()
    page.goto(f"{studio_server.url}/studio/shows/{show}/move")
    page.get_by_role("button", name="Pack everything").click()
    address = page.get_by_label("The feed at the new host")
    address.fill("https://new.example/")
    # The page tells by itself when it is there.
    link = page.get_by_role("link", name="Download the ZIP file")
    expect(link).to_be_visible()
    expect(address).to_have_value("https://new.example/")
    axe(page)
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename.startswith(f"{show}-")
    download.value.save_as(tmp_path / "show.zip")
    with zipfile.ZipFile(tmp_path / "show.zip") as archive:
        assert archive.testzip() is None
        assert f"{show}/show.toml" in archive.namelist()


def test_a_large_feed_is_looked_at_while_the_doctors_page_is_there_already(
    signed_in: Page,
    studio_server: StudioServer,
    axe: Callable[..., None],
    tmp_path: Path,
    problems: Problems,
) -> None:
    slug = f"large-{tmp_path.name[-12:].replace('_', '-').lower()}"
    instance = open_new({"PODHOST_DATA": str(studio_server.data)})
    # Half a megabyte of feed is what the doctor reads at once.
    add_show(instance, slug, episodes=240)
    instance.close()
    page, path = signed_in, f"{studio_server.url}/studio/shows/{slug}/settings/doctor"
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path)
    doctor = page.locator("#doctor")
    expect(doctor).to_contain_text("The feed doctor has")
    expect(doctor.get_by_role("link", name="See what it finds")).to_have_count(0)
    assert sum(url.endswith(f"/shows/{slug}/doctor") for url in asked) == 1
    axe(page)
    # Known now: the next look finds it in the page as it came.
    asked.clear()
    page.reload()
    expect(doctor).to_contain_text("The feed doctor has")
    assert not any(url.endswith(f"/shows/{slug}/doctor") for url in asked)
    # Its artwork has no file, which the first page would miss in all tests that come later.
    studio_server.call("DELETE", f"/shows/{slug}")
