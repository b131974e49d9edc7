"""Every page of the studio for which a show and an episode are enough: no barriers, and small."""

import re

import pytest
from playwright.sync_api import Page

from podhost.web.studio.table import ROUTES
from tests.audio_files import lame
from tests.browser.conftest import PHONE
from tests.browser.looking import check_accessibility
from tests.browser.screenshots import furnish
from tests.browser.studio import StudioServer

# Compressed, of scripts that one page loads; the upload page may have twice as much.
MOST_SCRIPT_BYTES = 150_000
# Pictures that pages show.
PICTURES = {"see_colours"}
PATHS = sorted(
    route.path
    for route in ROUTES
    # Those that name something else are looked at by the tests of their own area.
    if route.method == "GET" and set(re.findall(r"{(\w+)", route.path)) <= {"show", "episode"}
    if route.handler.__name__ not in PICTURES
)


@pytest.fixture(scope="session")
def furnished(studio_server: StudioServer) -> dict[str, str]:
    """A show with episodes; what paths may hold."""
    return furnish(studio_server)


@pytest.mark.parametrize("path", PATHS)
def test_it_has_no_barriers_and_fits_on_a_phone(
    path: str, signed_in: Page, studio_server: StudioServer, furnished: dict[str, str]
) -> None:
    answer = signed_in.goto(f"{studio_server.url}/studio{path.format(**furnished)}")
    assert answer is not None
    assert answer.status == 200
    assert "text/html" in answer.headers["content-type"]
    signed_in.wait_for_load_state("networkidle")
    check_accessibility(signed_in)
    script_bytes = signed_in.evaluate(
        """performance.getEntriesByType("resource").filter((entry) => entry.name.endsWith(".js"))
            .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
    )
    assert script_bytes < MOST_SCRIPT_BYTES
    signed_in.set_viewport_size(PHONE)
    too_wide = signed_in.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert too_wide <= 0, f"{too_wide} px wider than a phone"
    cut_off = signed_in.evaluate(
        """[...document.querySelectorAll("nav a")].filter((link) =>
            link.getBoundingClientRect().right > innerWidth).map((link) => link.textContent)"""
    )
    assert not cut_off, "links that a phone does not show"


def test_what_is_saved_is_said_beside_what_is_typed_and_not_over_it(
    signed_in: Page, studio_server: StudioServer, furnished: dict[str, str]
) -> None:
    signed_in.set_viewport_size(PHONE)
    path = "/studio/shows/{show}/episodes/{episode}".format(**furnished)
    signed_in.goto(f"{studio_server.url}{path}")
    signed_in.wait_for_load_state("networkidle")
    notes = signed_in.get_by_role("textbox", name="Notes")
    notes.fill("The tide was late. " * 100)
    notes.press("End")
    typed, bar = notes.bounding_box(), signed_in.locator(".episode-bar").bounding_box()
    assert typed is not None and bar is not None
    assert typed["y"] + typed["height"] <= bar["y"]


def test_a_history_of_long_notes_is_read_by_keyboard(
    signed_in: Page, studio_server: StudioServer
) -> None:
    show = studio_server.new_show()
    path = f"/shows/{show}/episodes/{studio_server.new_episode(show, lame(1))['id']}"
    studio_server.call("PATCH", path, json={"notes": "The tide was late.\n\n" * 60})
    signed_in.goto(f"{studio_server.url}/studio{path}/history")
    check_accessibility(signed_in)
