"""Somebody signs up for a newsletter, confirms by the mail that came, and leaves again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from podhost.config import read_settings
from podhost.instance import open_instance
from podhost.newsletter.links import UNSUBSCRIBE, make_signer
from podhost.shows import get_show
from tests.browser.conftest import PHONE, WIDE
from tests.browser.studio import running_studio
from tests.browser.test_written import is_within_the_screen
from tests.mail_server import local_mail
from tests.newsletter.making import readers
from tests.waiting import wait_for


@pytest.mark.parametrize("view", [{"viewport": PHONE, "color_scheme": "dark"}])
def test_a_listener_signs_up_confirms_and_leaves(
    tmp_path: Path,
    migrated_sqlite: Path,
    new_context: Callable[..., BrowserContext],
    axe: Callable[..., None],
    view: dict[str, Any],
) -> None:
    with local_mail() as mail:
        smtp = {"PODHOST_SMTP_URL": f"smtp://127.0.0.1:{mail.port}"}
        with running_studio(tmp_path / "studio", migrated_sqlite, smtp) as server:
            show = server.new_show()
            host = new_context()
            server.sign_in(host)
            page = host.new_page()
            page.goto(f"{server.url}/studio/shows/{show}/newsletter")
            page.get_by_label("The newsletter is on").check()
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_text("Saved. The newsletter is on.")).to_be_visible()
            axe(page)
            assert is_within_the_screen(page)

            listener = new_context(java_script_enabled=False).new_page()
            listener.goto(f"{server.url}/{show}/newsletter")
            listener.get_by_label("Your e-mail address").fill("ann@example.org")
            listener.get_by_label("Once a week, with all that is new").check()
            listener.get_by_role("button", name="Sign up").click()
            expect(listener.get_by_role("heading")).to_have_text("Look into your mail")
            (link,) = wait_for(lambda: mail.links)
            listener.goto(link)
            listener.get_by_role("button", name="Yes, I want it").click()
            expect(listener.get_by_role("heading")).to_have_text("You are signed up")
            assert listener.context.cookies() == []

            page.goto(f"{server.url}/studio/shows/{show}/newsletter/readers")
            expect(page.get_by_text("ann@example.org", exact=True)).to_be_visible()
            assert is_within_the_screen(page)
            page.set_viewport_size(WIDE)
            edge, inside = (
                page.locator(each).evaluate("each => each.getBoundingClientRect().left")
                for each in (".newsletter-list", ".newsletter-list li > div")
            )
            assert inside > edge + 10
            page.set_viewport_size(PHONE)
            for address in (link, f"{server.url}/{show}/", f"{server.url}/{show}/newsletter"):
                page.goto(address)
                assert is_within_the_screen(page), address
            axe(page)

            # What stands in every mail of the newsletter.
            instance = open_instance(read_settings(server.environment))
            with instance.database.write() as session:
                signer = make_signer(session, instance.settings)
                shown = get_show(session, show)
            secret = signer.secret(UNSUBSCRIBE, readers(instance, shown)["ann@example.org"].id)
            instance.close()
            listener.goto(f"{server.url}/{show}/newsletter/unsubscribe/{secret}")
            listener.get_by_role("button", name="Unsubscribe").click()
            expect(listener.get_by_role("heading")).to_have_text("You get no more mail")
            page.reload()
            page.goto(f"{server.url}/studio/shows/{show}/newsletter")
            expect(page.get_by_text("1 left")).to_be_visible()
            # Before the server goes, which would cut off what the pages still load.
            page.close()
            listener.close()
