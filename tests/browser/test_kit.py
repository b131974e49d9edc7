"""The kit itself: what it must not let pass."""

import threading

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import PHONE
from tests.browser.looking import Problems
from tests.browser.studio import StudioServer


def test_it_shows_a_real_page_of_a_real_server(
    page: Page, studio_server: StudioServer, axe
) -> None:
    show = studio_server.new_show("Tide Tables")
    page.goto(f"{studio_server.url}/{show}/")
    assert page.get_by_role("heading", name="Tide Tables").is_visible()
    axe(page)


def test_it_hears_errors_and_sees_requests_to_other_hosts(page: Page, problems: Problems) -> None:
    page.set_content("<img src='https://pictures.example/a.png'>")
    page.evaluate("console.error('the tide is out')")
    with page.expect_event("console"):
        page.add_script_tag(content="setTimeout(() => { throw new Error('sunk'); console.log() })")
        page.evaluate("setTimeout(() => console.log('done'), 50)")
    found = "\n".join(problems.unexpected())
    assert "https://pictures.example/a.png" in found
    assert "the tide is out" in found
    assert "sunk" in found
    problems.expect("")


def test_axe_fails_a_page_with_a_barrier(page: Page, axe) -> None:
    page.set_content("<html lang=en><title>x</title><main><h1>x</h1><input></main></html>")
    with pytest.raises(AssertionError, match="critical"):
        axe(page)


@pytest.mark.parametrize("view", [{"viewport": PHONE, "color_scheme": "dark"}])
def test_a_page_may_be_that_of_a_phone_in_the_dark(page: Page) -> None:
    assert page.evaluate("innerWidth") == PHONE["width"]
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")


def test_the_browsers_loop_is_not_on_the_thread_of_other_tests(page: Page) -> None:
    assert page.url == "about:blank"
    assert threading.current_thread() is not threading.main_thread()


def test_the_operator_is_signed_in_without_further_ado(
    signed_in: Page, studio_server: StudioServer
) -> None:
    studio_server.new_show("Tide Tables")
    signed_in.goto(f"{studio_server.url}/studio/")
    assert signed_in.get_by_role("link", name="Alice").is_visible()
