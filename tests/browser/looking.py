"""What is wrong with a page that a person may not see: errors, foreign requests, barriers."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

SERIOUS = ("serious", "critical")
# An empty list: all rules. In the dark only the colours are others.
RULES: dict[str, list[str]] = {"light": [], "dark": ["color-contrast"]}
# What never leaves the browser.
_INSIDE = ("data", "blob", "about", "chrome-error")
_HERE = ("127.0.0.1", "localhost")


# Without slots: Playwright leaves a mark on whoever listens with a method.
@dataclass
class Problems:
    """Collects what goes wrong in a context: errors of scripts and of the console, breaches of
    the Content-Security-Policy (which Chromium prints there) and requests to other hosts.

    A test that causes some on purpose names them first: `problems.expect("409")`.
    """

    found: list[str] = field(default_factory=list)
    _expected: list[str] = field(default_factory=list)

    def expect(self, pattern: str) -> None:
        """Problems in which this regular expression is found are meant by the test."""
        self._expected.append(pattern)

    def watch(self, context: BrowserContext) -> None:
        """Listen to all pages of a context."""
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.found.append(f"error: {error.error}"))
        context.on("request", self._see)

    def unexpected(self) -> list[str]:
        """What nobody meant to happen."""
        return [
            problem
            for problem in self.found
            if not any(re.search(pattern, problem) for pattern in self._expected)
        ]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            place = message.location.get("url", "")
            self.found.append(f"console: {message.text} ({place})")

    def _see(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in _INSIDE and address.hostname not in _HERE:
            self.found.append(f"request to another host: {request.url}")


def check_accessibility(page: Page, *, within: str | None = None) -> None:
    """Fail when axe finds a serious or critical barrier on the page, in light or in dark.

    The scheme that the page had comes back. `within` is a CSS selector of the part to look at.
    """
    before = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    try:
        found = [
            problem
            for scheme, rules in RULES.items()
            for problem in _barriers(page, scheme, rules, within)
        ]
    finally:
        page.emulate_media(color_scheme="dark" if before else "light")
    assert not found, "\n".join([f"axe finds barriers on {page.url}:", *found])


def _barriers(page: Page, scheme: Any, rules: list[str], within: str | None) -> list[str]:
    # Loaded here, because it reads half a megabyte of script when it is imported.
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    # Colours that are on their way would be judged half-way.
    page.evaluate(
        """document.getAnimations().forEach((animation) => {
            if (animation.effect.getComputedTiming().endTime < Infinity) animation.finish();
        })"""
    )
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    results = Axe().run(page, context=within, options=options)
    return [
        f"- {scheme}, {violation['impact']}: {violation['help']} ({violation['id']})"
        + "".join(f"\n    {node['html'][:200]}" for node in violation["nodes"])
        for violation in results.response["violations"]
        if violation["impact"] in SERIOUS
    ]
