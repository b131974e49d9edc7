"""The site as readers have it: on a desk and a phone, in light and dark, by keyboard, without
script; the pages are those of the shows that ship with podhost."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import PHONE, WIDE
from tests.browser.studio import StudioServer
from tests.shipped import publish_shipped

# One of each kind; those that differ by language in both.
PAGES = (
    "/",
    "/tide-tables/",
    "/tide-tables/episodes",
    "/tide-tables/episodes/the-last-lamp-room",
    "/tide-tables/people/odalys-marrow",
    "/tide-tables/guests",
    "/tide-tables/credits",
    "/tide-tables/articles",
    "/tide-tables/articles/what-the-moon-does",
    "/tide-tables/pages/about",
    "/tide-tables/follow",
    "/tide-tables/newsletter",
    "/tide-tables/search?q=moon",
    "/tide-tables/embed/the-last-lamp-room",
    "/mareas/",
    "/mareas/episodes/la-sal-sin-prisa",
    "/mareas/articles/leer-la-tabla",
)
EPISODE = "/tide-tables/episodes/the-last-lamp-room"
# What Tab stops at (of radio buttons at one), and whether each of those stops can be seen.
_TAB_STOPS = """() => [...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea, summary, audio[controls]')]
    .filter((each) => !each.matches('[type=radio]:not(:checked)'))
    .filter((each) => each.tabIndex >= 0 && !each.disabled && each.checkVisibility()).length"""
_FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at);
    const box = at.getBoundingClientRect();
    if (at === document.body) return null;
    const known = window.reached ??= new Set(), isNew = !known.has(at);
    known.add(at);
    const isSeen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
        && box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight;
    return {isNew, isSeen: isSeen || at.matches('audio'), html: at.outerHTML.slice(0, 120)};
}"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[str]:
    """The address of a podhost with the shipped shows, without a slash at the end."""
    server = StudioServer(tmp_path_factory.mktemp("site"), migrated_sqlite)
    publish_shipped(server.data)
    with server:
        yield server.url


def look_at(page: Page, axe: Callable[..., None]) -> None:
    """Fail on barriers, and on what is wider than a desk or a phone."""
    axe(page)
    page.set_viewport_size(PHONE)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{page.url} is {wide} px wider than a phone"
    page.set_viewport_size(WIDE)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{page.url} is {wide} px wider than a desk"


def test_every_page_is_easy_to_read(
    site: str, page: Page, context: BrowserContext, axe: Callable[..., None]
) -> None:
    for path in PAGES:
        page.goto(site + path)
        look_at(page, axe)
    # The fixture of the page says what else was wrong: the console, other hosts.
    assert context.cookies() == []


@pytest.mark.parametrize(
    "view", [{"viewport": PHONE, "color_scheme": "dark", "has_touch": True, "is_mobile": True}]
)
def test_a_reader_walks_from_page_to_page_on_a_phone(
    site: str, page: Page, context: BrowserContext, axe: Callable[..., None]
) -> None:
    page.goto(f"{site}/tide-tables/")
    page.get_by_role("link", name="The last lamp room").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("The last lamp room")
    axe(page)
    page.locator("#people ~ ul").get_by_role("link", name="Odalys Marrow").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Odalys Marrow")
    page.get_by_role("link", name="The last lamp room").tap()
    page.get_by_role("link", name="Grinding by the moon").first.tap()
    page.get_by_role("link", name="What the moon does, and what it leaves to us").tap()
    expect(page.get_by_role("heading", level=1)).to_contain_text("What the moon does")
    axe(page)
    page.locator("nav.neighbours").get_by_role("link", name="A short list of bells").tap()
    expect(page.get_by_role("heading", level=1)).to_contain_text("A short list of bells")
    page.get_by_role("link", name="Follow").tap()
    # A phone needs no code that leads to a phone.
    expect(page.locator(".scan")).to_be_hidden()
    expect(page.get_by_role("link", name="AntennaPod")).to_be_visible()
    assert context.cookies() == []


@pytest.mark.parametrize("path", ["/tide-tables/", EPISODE, "/mareas/guests", "/mareas/follow"])
def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(
    site: str, page: Page, path: str
) -> None:
    page.goto(site + path)
    expected, reached = page.evaluate(_TAB_STOPS), 0
    # The parts of a player are stops of their own.
    for _ in range(expected + 30):
        page.keyboard.press("Tab")
        found = page.evaluate(_FOCUSED)
        if found is None:
            break
        reached += found["isNew"]
        assert found["isSeen"], f"the focus cannot be seen: {found['html']}"
    assert reached == expected


def test_everything_is_there_without_script(
    site: str, new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{site}/mareas/")
    page.get_by_role("link", name="La sal sin prisa").click()
    expect(page.locator("audio")).to_have_attribute("controls", "")
    page.get_by_text("Siete pozas").first.wait_for()
    cue = page.get_by_text("¿Dónde empieza tu trabajo?")
    expect(cue).to_be_hidden()
    page.locator("details[data-transcript] > summary").click()
    expect(cue).to_be_visible()
    page.get_by_role("link", name="Invitados").click()
    page.locator("main").get_by_role("searchbox").fill("telmo")
    page.locator("main").get_by_role("searchbox").press("Enter")
    expect(page).to_have_url(re.compile("q=telmo"))
    page.get_by_role("link", name="Telmo Barrientos").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Telmo Barrientos")


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_an_episode_page_without_audio_is_less_than_150_kb(
    site: str, page: Page, coding: str
) -> None:
    """Everything that a browser on a dense screen asks for, as the server sends it."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site + EPISODE)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_load_state("networkidle")
    sizes: dict[str, int] = {}
    headers = {"Accept-Encoding": coding, "Accept": "*/*"}
    with httpx.Client(headers=headers, timeout=30) as client:
        for url in {*asked}:
            with client.stream("GET", url) as answer:
                assert answer.status_code == 200
                if not answer.headers["content-type"].startswith("audio/"):
                    sizes[url] = sum(len(part) for part in answer.iter_raw())
    assert any(url.endswith(".css") for url in sizes) and any("/artwork/" in url for url in sizes)
    assert sum(sizes.values()) < 150_000, sizes
