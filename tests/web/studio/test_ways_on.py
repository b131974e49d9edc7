"""No page leads anybody where they may not go: every role opens all links that it is shown."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from podhost.instance import Instance
from podhost.people import CreditInput
from podhost.web.studio.table import ROUTES
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient
from tests.web.studio.test_table import SHOW, allowed

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


class Ways(HTMLParser):
    """Where the links of a page lead, and where its forms are sent, as method and address."""

    def __init__(self, address: str, html: str) -> None:
        super().__init__()
        self.address = address
        self.links: set[str] = set()
        self.forms: set[tuple[str, str]] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.add(self._whole(given["href"]))
        elif tag == "form":
            method = given.get("method", "get").upper()
            self.forms.add(
                (method, self._whole(given.get("action") or given.get("data-action", "")))
            )
        elif "formaction" in given:
            self.forms.add(("POST", self._whole(given["formaction"])))

    def _whole(self, link: str) -> str:
        return urljoin(self.address, link).partition("#")[0]


@pytest.fixture
def show(instance: Instance, mp3: Path) -> str:
    """A show that lacks what pages ask for, with a draft, an episode that is out, and a guest."""
    made = make_show(instance, "Tides", slug=SHOW)
    make_episode(instance, made, mp3, "Out", guests=[CreditInput(name="Ann Ocean")])
    make_episode(instance, made, None, "Draft", publish=False)
    return made.slug


def needs_of(method: str, address: str) -> object:
    """What the page or form at this address asks for."""
    place = urlsplit(address).path.removeprefix("/studio")
    for route in ROUTES:
        parts, given = route.path.split("/"), place.split("/")
        fits = len(parts) == len(given) and all(
            part == value or part.startswith("{") for part, value in zip(parts, given, strict=True)
        )
        if fits and route.method == method:
            return route.needs
    raise AssertionError(f"There is no {method} {address}")


@pytest.mark.parametrize("role", ["operator", "owner", "editor", "analyst", "stranger"])
def test_nobody_is_shown_a_way_that_is_closed_to_them(
    instance: Instance, show: str, role: str
) -> None:
    visitor = StudioClient.visit_as(instance, role, show)
    waiting, seen, wrong = [("/studio/", "")], set(), []
    while waiting:
        address, shown_on = waiting.pop()
        at = urlsplit(address)
        # Of pages that differ by a filter's value or a month, one is enough.
        kind = (at.path, *sorted(parse_qs(at.query)))
        if kind in seen or at.netloc or not at.path.startswith("/studio/"):
            continue
        seen.add(kind)
        answer = visitor.get(address)
        if answer.status_code not in (200, 303):
            wrong.append(f"{answer.status_code} {address}, shown on {shown_on}")
        ways = Ways(address, answer.text)
        wrong += [
            f"{method} {action}, shown on {address}"
            for method, action in sorted(ways.forms)
            if needs_of(method, action) not in allowed(role)
        ]
        target = answer.headers.get("location")
        waiting += [(link, address) for link in (*sorted(ways.links), *filter(None, [target]))]
    assert not wrong, "\n".join(wrong)
    assert len(seen) > 3
