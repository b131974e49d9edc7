"""Passkeys, with a browser that has an authenticator; only a browser can make and use them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.studio import EMAIL, PASSWORD, StudioServer
from tests.ports import kept_port


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that has to know its own address before it listens there."""
    with kept_port() as port:
        yield port


def with_authenticator(context: BrowserContext, page: Page) -> None:
    """A key of the device, whose owner always agrees."""
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_a_passkey_is_made_and_signs_in(
    context: BrowserContext, tmp_path: Path, migrated_sqlite: Path, port: int
) -> None:
    # Browsers make passkeys for names only, and without https for this one only.
    address = f"http://localhost:{port}"
    environment = {"PODHOST_BASE_URL": address}
    with StudioServer(tmp_path / "data", migrated_sqlite, environment, port=port):
        page = context.new_page()
        with_authenticator(context, page)
        sign_in(page, address)
        page.goto(f"{address}/studio/account/second-factors")
        page.locator("#p-passkey").fill(PASSWORD)
        page.get_by_role("button", name="Set up a passkey").click()
        page.get_by_label("A name for it").fill("My laptop")
        page.get_by_role("button", name="Make the passkey").click()
        expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
        page.get_by_role("link", name="I have them").click()
        expect(page.get_by_text("My laptop", exact=True)).to_be_visible()
        page.get_by_role("button", name="Sign out").first.click()
        sign_in(page, address)
        expect(page.get_by_role("heading", name="One more step")).to_be_visible()
        page.get_by_role("button", name="Use my passkey").click()
        expect(page.get_by_role("link", name="Alice")).to_be_visible()
        # Before the server goes, which would cut off what the page still loads.
        page.close()


def sign_in(page: Page, address: str) -> None:
    page.goto(f"{address}/studio/login")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: not url.endswith("/studio/login"))
