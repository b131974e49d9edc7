"""Coming into a team by a mailed invitation, and back in after a password was forgotten."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import PHONE
from tests.browser.looking import Problems
from tests.browser.studio import StudioServer, running_studio
from tests.mail_server import LocalMail, local_mail
from tests.waiting import wait_for

DORA = "dora@example.org"


@pytest.fixture
def mail() -> Iterator[LocalMail]:
    with local_mail() as server:
        yield server


@pytest.fixture
def server(tmp_path: Path, migrated_sqlite: Path, mail: LocalMail) -> Iterator[StudioServer]:
    """A podhost with a mail server, and a worker that sends."""
    environment = {"PODHOST_SMTP_URL": f"smtp://127.0.0.1:{mail.port}"}
    with running_studio(tmp_path / "studio", migrated_sqlite, environment) as running:
        yield running


@pytest.mark.parametrize("view", [{"viewport": PHONE}], ids=["phone"])
def test_somebody_is_invited_forgets_the_password_and_comes_back(
    server: StudioServer,
    mail: LocalMail,
    new_context: Callable[..., BrowserContext],
    axe: Callable[..., Any],
    problems: Problems,
) -> None:
    show = server.new_show("Tide Tables")
    problems.expect("422 ")
    team = f"{server.url}/studio/shows/{show}/team"
    owner = invite(new_context(), server, team)
    dora = new_context().new_page()
    accept(dora, mail, axe)
    dora.goto(team)
    expect(dora.get_by_text("Dora")).to_have_count(2)
    owner.reload()
    expect(owner.get_by_label("Role of Dora", exact=True)).to_have_value("editor")
    axe(owner)
    sign_out(dora)
    reset_password(dora, mail, axe)
    dora.goto(team)
    expect(dora.get_by_role("heading", name="Who works on this show")).to_be_visible()


def invite(context: BrowserContext, server: StudioServer, team: str) -> Page:
    """The operator invites Dora; their page."""
    server.sign_in(context)
    page = context.new_page()
    page.goto(team)
    page.get_by_label("E-mail").fill(DORA)
    page.get_by_label("Role", exact=True).select_option(label="Editor")
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_role("status")).to_contain_text(f"on its way to {DORA}")
    expect(page.get_by_text(DORA, exact=True)).to_be_visible()
    return page


def accept(page: Page, mail: LocalMail, axe: Callable[..., Any]) -> None:
    """Open the link of the invitation, and make an account."""
    wait_for(lambda: len(mail.links) == 1)
    page.goto(mail.links[0])
    axe(page)
    page.get_by_label("Your name").fill("Dora")
    page.get_by_label("Password").fill("password12")
    page.get_by_role("button", name="Make my account and accept").click()
    expect(page.get_by_text("among the first that are guessed")).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_value("Dora")
    page.get_by_label("Password").fill("harbour lights")
    page.get_by_role("button", name="Make my account and accept").click()
    expect(page.get_by_role("status")).to_contain_text("Welcome to the team of “Tide Tables”")


def sign_out(page: Page) -> None:
    page.get_by_role("banner").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/studio/login")


def reset_password(page: Page, mail: LocalMail, axe: Callable[..., Any]) -> None:
    """From the login page, by the mailed link, and in again."""
    page.get_by_role("link", name="Forgotten password").click()
    page.get_by_label("E-mail").fill(DORA)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("is on its way there")).to_be_visible()
    wait_for(lambda: len(mail.links) == 2)
    page.goto(mail.links[1])
    axe(page)
    page.get_by_label("New password").fill("a quiet anchorage")
    page.get_by_role("button", name="Set the password").click()
    page.get_by_label("E-mail").fill(DORA)
    page.get_by_label("Password").fill("a quiet anchorage")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("banner").get_by_text("Dora")).to_be_visible()
