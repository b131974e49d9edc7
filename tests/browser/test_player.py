"""The listeners' player in a real browser: with script and without, on its page and in others."""

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE
from tests.browser.looking import Problems
from tests.browser.studio import StudioServer

SHIPPED = Path(__file__).parents[2] / "episodes" / "tide-tables"
NAME = "001-the-last-lamp-room"
LENGTH = "1:48"


class Aired(NamedTuple):
    """A published episode, and where its page and its player are."""

    server: str
    show: str
    slug: str

    @property
    def page(self) -> str:
        return f"{self.server}/{self.show}/episodes/{self.slug}"

    @property
    def embed(self) -> str:
        return f"{self.server}/{self.show}/embed/{self.slug}"


@pytest.fixture(scope="module")
def aired(studio_server: StudioServer) -> Aired:
    """The first episode of the show that comes with podhost, with chapters and transcript."""
    show = studio_server.new_show("Tide Tables", author="Pia Port")
    audio = (SHIPPED / f"{NAME}.mp3").read_bytes()
    notes = f"Hear [the prism]({studio_server.url}/{show}/episodes/the-last-lamp-room#t=0:34.5)."
    made = studio_server.new_episode(show, audio, "The last lamp room", notes=notes)
    path = f"/shows/{show}/episodes/{made['id']}"
    chapters = (SHIPPED / f"{NAME}.chapters.json").read_bytes()
    studio_server.call("PUT", f"{path}/chapters", content=chapters)
    files = {"transcript": ("a.vtt", (SHIPPED / f"{NAME}.vtt").read_bytes())}
    studio_server.call("PUT", f"{path}/transcript", files=files)
    studio_server.call("POST", f"{path}/publish")
    return Aired(studio_server.url, show, made["slug"])


def open_player(page: Page, address: str) -> Locator:
    page.goto(address)
    player = page.locator("[data-player][data-ready]")
    player.wait_for()
    return player


def position(page: Page) -> float:
    return float(page.locator("audio").evaluate("audio => audio.currentTime"))


def wait_for_position(page: Page, least: float, most: float = 1000) -> None:
    """Until it plays, between these seconds."""
    page.wait_for_function(
        "([least, most]) => { const audio = document.querySelector('audio');"
        " return !audio.paused && audio.currentTime >= least && audio.currentTime < most }",
        arg=[least, most],
    )


def clock(player: Locator) -> Locator:
    return player.locator("[data-part=now]")


def test_an_episode_plays_and_remembers_where_it_was_left(page: Page, aired: Aired) -> None:
    player = open_player(page, aired.page)
    expect(player.locator("[data-part=whole]")).to_have_text(LENGTH)
    # Nothing is fetched before somebody wants to hear it.
    assert page.locator("audio").evaluate("audio => audio.readyState") == 0
    player.get_by_role("button", name="30 seconds forward").click()
    player.get_by_role("button", name="30 seconds forward").click()
    player.get_by_role("button", name="15 seconds back").click()
    expect(clock(player)).to_have_text("0:45")
    player.get_by_label("Speed").select_option("2")
    player.get_by_role("button", name="Play").click()
    wait_for_position(page, 45.2)
    expect(player.get_by_text("How to wash a prism", exact=True).first).to_be_visible()
    player.get_by_role("button", name="Pause").click()
    left = position(page)
    player = open_player(page, aired.page)
    expect(player.get_by_role("status").first).to_have_text(re.compile(r"Goes on at \d:\d\d\."))
    expect(player.get_by_label("Speed")).to_have_value("2")
    player.get_by_role("button", name="Play").click()
    wait_for_position(page, left - 0.2)
    player.get_by_role("button", name="Pause").click()
    player = open_player(page, aired.page)
    player.get_by_role("button", name="From the beginning").click()
    wait_for_position(page, 0, 20)


def test_chapters_and_notes_lead_to_their_time(page: Page, aired: Aired) -> None:
    player = open_player(page, aired.page)
    chapter = player.get_by_role("link", name="Missing the causeway")
    chapter.click()
    wait_for_position(page, 49.9, 60)
    expect(chapter).to_have_attribute("aria-current", "true")
    assert player.locator("[data-part=marks] i").count() == 3
    # A space bar does nothing to a link; here it pauses, as anywhere in the player.
    page.keyboard.press("Space")
    expect(player).to_have_attribute("data-state", "paused")
    page.get_by_role("link", name="the prism").click()
    wait_for_position(page, 34.5, 45)
    assert page.url == f"{aired.page}#t=0:34.5"


def test_the_transcript_follows_is_clicked_and_searched(page: Page, aired: Aired) -> None:
    player = open_player(page, aired.page)
    player.get_by_text("Transcript", exact=True).click()
    said = player.get_by_text("It cannot clean a lens.")
    # It is marked for as long as it is heard, which may be over before anybody looks.
    said.evaluate(
        """cue => new MutationObserver(() => cue.matches(".is-heard") && (window.wasHeard = true))
            .observe(cue, {attributeFilter: ["class"]})"""
    )
    said.click()
    wait_for_position(page, 31.7, 48)
    page.wait_for_function("window.wasHeard")
    # By itself, far down in the text.
    player.get_by_role("link", name="Letters to the lamp").first.click()
    wait_for_position(page, 74.2, 90)
    expect(player.locator(".is-heard")).to_be_in_viewport()
    field = player.get_by_label("Search in the transcript")
    field.fill("  ÍT cannot  clean a lens")
    expect(player.get_by_text("Places found: 1")).to_be_visible()
    expect(player.get_by_text("Good morning, Pia.")).to_be_hidden()
    painted = "[...CSS.highlights.get('player-found')].map(range => range.toString())"
    assert page.evaluate(painted) == ["It cannot clean a lens"]
    field.fill("pia port")
    field.press("Enter")
    wait_for_position(page, 8.8, 30)
    field.fill("zebra")
    expect(player.get_by_text("Nothing found.")).to_be_visible()
    field.press("Escape")
    expect(player.get_by_text("Good morning, Pia.")).to_be_visible()
    follow = player.get_by_label("Follow what is heard")
    expect(follow).to_be_checked()
    player.locator("[data-text]").hover()
    page.mouse.wheel(0, 200)
    expect(follow).not_to_be_checked()


def test_a_link_at_a_time_is_shared_and_opens_there(
    new_context: Callable[..., Any], aired: Aired
) -> None:
    context = new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    player = open_player(page, aired.page)
    player.get_by_role("slider", name="Position").fill("75")
    player.get_by_role("button", name="Share").click()
    # Whoever has heard some of it may want others to hear it all.
    expect(player.get_by_label("Link", exact=True)).to_have_value(aired.page)
    player.get_by_label("Start at 1:15").check()
    player.get_by_role("button", name="Copy the link").click()
    expect(player.get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{aired.page}#t=1:15"
    telegram = player.get_by_role("link", name="Telegram")
    timed = quote(copied, safe="")
    assert str(telegram.get_attribute("href")).startswith(f"https://t.me/share/url?url={timed}&")
    player.get_by_label("Start at 1:15").uncheck()
    expect(player.get_by_label("Link", exact=True)).to_have_value(aired.page)
    player.get_by_role("button", name="Copy the code").click()
    page.wait_for_function(
        "async (part) => (await navigator.clipboard.readText()).includes(part)", arg=aired.embed
    )
    page.keyboard.press("Escape")
    expect(player.get_by_role("button", name="Share")).to_be_focused()
    for address in (copied, f"{aired.page}?t=1m15s"):
        other = new_context().new_page()
        opened = open_player(other, address)
        expect(clock(opened)).to_have_text("1:15")
        opened.get_by_role("button", name="Play").click()
        wait_for_position(other, 75, 90)
    other.goto(f"{aired.page}?t=nonsense")
    other.evaluate("localStorage.clear()")
    other.goto(f"{aired.page}?t=99999999#t=<script>")
    expect(clock(other.locator("[data-ready]"))).to_have_text("0:00")


def test_keys_work_while_the_focus_is_in_the_player(page: Page, aired: Aired) -> None:
    player = open_player(page, aired.page)
    page.keyboard.press("5")
    expect(clock(player)).to_have_text("0:00")
    player.get_by_role("button", name="Play").focus()
    for key, shown in (("5", "0:54"), ("l", "1:24"), ("j", "1:09"), ("ArrowLeft", "1:04")):
        page.keyboard.press(key)
        expect(clock(player)).to_have_text(shown)
    page.keyboard.press("Shift+>")
    expect(player.get_by_label("Speed")).to_have_value("1.25")
    page.keyboard.press("m")
    expect(player.get_by_role("button", name="Mute")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("k")
    wait_for_position(page, 64)
    page.keyboard.press("Space")
    expect(player.get_by_role("button", name="Play")).to_be_visible()
    slider = player.get_by_role("slider", name="Position")
    slider.focus()
    page.keyboard.press("0")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute(
        "aria-valuetext", f"0:05 of {LENGTH}, A hundred and twelve steps"
    )
    # Whoever types means letters.
    player.get_by_text("Transcript", exact=True).click()
    player.get_by_label("Search in the transcript").press("k")
    expect(player.get_by_label("Search in the transcript")).to_have_value("k")
    expect(player.get_by_role("button", name="Play")).to_be_visible()


def test_the_sleep_timer_stops_after_minutes_and_at_the_end_of_a_chapter(
    page: Page, aired: Aired
) -> None:
    page.clock.install()
    player = open_player(page, aired.page)
    player.get_by_role("button", name="Play").click()
    wait_for_position(page, 0.1)
    player.get_by_label("Sleep timer").select_option("5")
    page.clock.run_for(61_000)
    expect(player.get_by_text(re.compile(r"Stops in 3:[0-5]\d"))).to_be_visible()
    page.clock.run_for(240_000)
    expect(player.get_by_role("button", name="Play")).to_be_visible()
    expect(player.get_by_label("Sleep timer")).to_have_value("")
    player.get_by_role("slider", name="Position").fill("33")
    player.get_by_label("Sleep timer").select_option("chapter")
    expect(player.get_by_text("Stops at 0:34")).to_be_visible()
    player.get_by_label("Speed").select_option("3")
    player.get_by_role("button", name="Play").click()
    # The timer is off once it has stopped; the button says Play before it says Pause, too.
    expect(player.get_by_label("Sleep timer")).to_have_value("")
    expect(player.get_by_role("button", name="Play")).to_be_visible()
    assert position(page) == pytest.approx(34.0, abs=0.05)


@pytest.mark.parametrize("view", [{"java_script_enabled": False}])
def test_without_script_there_is_the_browsers_own_player(page: Page, aired: Aired) -> None:
    page.goto(aired.page)
    audio = page.locator("audio")
    expect(audio).to_be_visible()
    address = audio.get_attribute("src")
    chapter = page.get_by_role("link", name="How to wash a prism")
    expect(chapter).to_have_attribute("href", f"{address}#t=34.008")
    page.get_by_text("Transcript", exact=True).click()
    expect(page.get_by_text("It cannot clean a lens.")).to_be_visible()
    expect(page.locator("[data-part=face]")).to_be_hidden()
    expect(page.locator(".player").get_by_role("button")).to_have_count(0)
    expect(page.get_by_label("Link", exact=True)).to_have_value(aired.page)
    mail = str(page.get_by_role("link", name="E-mail").get_attribute("href"))
    assert mail.endswith(f"&body={quote(aired.page, safe='')}")
    page.goto(aired.embed)
    # Nothing lies over them.
    page.locator("audio").click(trial=True)
    page.get_by_role("link", name="The last lamp room").click(trial=True)


def test_audio_that_fails_is_said_with_a_way_to_the_file(
    page: Page, aired: Aired, problems: Problems
) -> None:
    problems.expect("Failed to load resource")
    page.route(re.compile(r"\.mp3"), lambda route: route.abort())
    player = open_player(page, f"{aired.page}#t=60")
    player.get_by_role("button", name="Play").click()
    expect(player.get_by_role("alert")).to_contain_text("The audio could not be loaded.")
    link = player.get_by_role("link", name="Download the audio")
    assert str(link.get_attribute("href")).endswith("?download=1")
    page.unroute_all()
    player.get_by_role("button", name="Try again").click()
    wait_for_position(page, 60, 70)
    expect(player.get_by_role("alert")).to_be_hidden()


def test_a_browser_that_stores_nothing_plays_all_the_same(page: Page, aired: Aired) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden') } })"
    )
    player = open_player(page, aired.page)
    player.get_by_label("Speed").select_option("1.5")
    player.get_by_role("button", name="Play").click()
    wait_for_position(page, 0.2)
    player.get_by_role("button", name="Pause").click()


def test_what_is_kept_may_be_anything(page: Page, aired: Aired) -> None:
    for kept in ("[]", "{", '{"left": 5, "speed": "x"}', '{"left": {"a": 1}}'):
        page.goto(aired.page)
        page.evaluate("kept => localStorage.setItem('podhost.player', kept)", kept)
        player = open_player(page, aired.page)
        player.get_by_role("button", name="30 seconds forward").click()
        expect(clock(player)).to_have_text("0:30")
        player.get_by_label("Speed").select_option("2")


@pytest.mark.parametrize("view", [{}, {"viewport": PHONE, "color_scheme": "dark"}])
def test_everybody_can_use_it(page: Page, aired: Aired, axe: Any) -> None:
    player = open_player(page, aired.page)
    player.get_by_role("button", name="Share").click()
    player.get_by_text("Transcript", exact=True).click()
    player.get_by_role("slider", name="Position").fill("40")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    small = player.locator("button, select, input, summary").evaluate_all(
        "all => all.filter(one => one.checkVisibility()).map(one => one.getBoundingClientRect())"
        ".filter(box => box.width < 24 || box.height < 24).length"
    )
    # Checkboxes have a label around them that is larger.
    assert small <= player.get_by_role("checkbox").count()
    axe(page, within="[data-player]")


@pytest.fixture
def foreign_page(aired: Aired) -> Iterator[str]:
    """A page of another origin that embeds the player as oEmbed says; its address."""
    asked = {"url": f"{aired.page}#t=1:15", "maxwidth": "480"}
    answer = httpx.get(f"{aired.server}/oembed", params=asked, timeout=30).json()
    html = f"<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>{answer['html']}".encode()

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("view", [{}, {"viewport": PHONE, "color_scheme": "dark"}])
def test_it_plays_within_a_page_of_another_origin(
    page: Page, aired: Aired, foreign_page: str
) -> None:
    page.goto(foreign_page)
    frame = page.frame_locator("iframe")
    player = frame.locator("[data-player][data-ready]")
    expect(clock(player)).to_have_text("1:15")
    player.get_by_role("button", name="Play").click()
    # A second later, or a few where the machine is busy.
    expect(clock(player)).to_have_text(re.compile(r"1:(1[6-9]|[2-4]\d)"))
    expect(player.get_by_text("Letters to the lamp", exact=True).first).to_be_visible()
    link = player.get_by_role("link", name="The last lamp room")
    assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener")
    assert link.get_attribute("href") == aired.page
    assert page.context.cookies() == []


@pytest.mark.parametrize("view", [{"viewport": {"width": 640, "height": 180}}])
def test_the_embedded_player_wears_the_colours_that_are_asked_for(
    page: Page, aired: Aired, axe: Any
) -> None:
    grounds = set()
    for theme in ("light", "dark", "auto", "'nonsense"):
        player = open_player(page, f"{aired.embed}?theme={theme}")
        grounds.add((theme, player.evaluate("one => getComputedStyle(one).backgroundColor")))
        assert page.evaluate("document.documentElement.scrollHeight") <= 180
    axe(page)
    colours = dict(grounds)
    assert colours["light"] == colours["auto"] == colours["'nonsense"] != colours["dark"]


def test_rows_run_as_the_page_does_and_audio_runs_as_everywhere(
    page: Page, studio_server: StudioServer, axe: Callable[..., None]
) -> None:
    show = studio_server.new_show("مواعيد المد", language="ar")
    audio = (SHIPPED / f"{NAME}.mp3").read_bytes()
    made = studio_server.new_episode(show, audio, "آخر غرفة مصباح")
    path = f"/shows/{show}/episodes/{made['id']}"
    listed = [{"startTime": 0, "title": "مقدمة"}, {"startTime": 34, "title": "العدسة"}]
    studio_server.call("PUT", f"{path}/chapters", json={"version": "1.2.0", "chapters": listed})
    studio_server.call("POST", f"{path}/publish")
    player = open_player(page, f"{studio_server.url}/{show}/episodes/{made['slug']}")
    player.locator("[data-part=share]").click()
    row = player.locator(".player-chapter").first
    field = player.locator(".player-field").first
    for view in ({"width": 1280, "height": 900}, PHONE):
        page.set_viewport_size(view)
        assert left(row.locator(".player-time")) > left(row.locator("span").last)
        assert left(field.locator("span")) > left(field.locator("input"))
        assert left(player.locator("[data-part=play]")) < left(
            player.locator("[data-part=forward]")
        )
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # English sentences end where they do in English.
    assert (
        player.locator("[data-part=share-status]").evaluate("e => getComputedStyle(e).direction")
        == "ltr"
    )
    axe(page)


def left(element: Locator) -> float:
    """Where it begins, from the left edge of the window."""
    box = element.bounding_box()
    assert box is not None
    return box["x"]
