"""Chapters, transcripts, soundbites and artwork, edited in a real browser as hosts do it."""

import io
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.audio_files import lame
from tests.browser.conftest import PHONE
from tests.browser.studio import StudioServer

# Playing is not waited for: what is heard is set, as a click on the timeline does.
VTT = """WEBVTT

00:00:00.000 --> 00:00:04.000
<v Ann>The tide is low. The moon is up.

00:00:04.000 --> 00:00:08.000
<v Ben>So the crab & I wait.

00:00:08.000 --> 00:00:12.000
<v Ann>Until the tide turns.
"""


@pytest.fixture
def place(studio_server: StudioServer) -> str:
    """A draft of forty seconds; its path below the API, and below the studio."""
    show = studio_server.new_show()
    made = studio_server.new_episode(show, lame(40), "Low water")
    return f"/shows/{show}/episodes/{made['id']}"


def open_page(page: Page, server: StudioServer, path: str) -> None:
    page.goto(f"{server.url}/studio{path}")


def go_to(page: Page, seconds: float) -> None:
    """Move the playhead, as soon as the player knows how long the audio is."""
    page.locator("audio").evaluate(
        """async (audio, at) => {
          if (!audio.readyState)
            await new Promise((done) => audio.addEventListener("loadedmetadata", done));
          audio.currentTime = at;
        }""",
        seconds,
    )


def chapters(server: StudioServer, place: str) -> list[tuple[float, str | None]]:
    found = server.call("GET", f"{place}/chapters")["chapters"]
    return [(entry["startTime"], entry.get("title")) for entry in found]


def test_chapters_are_added_at_the_playhead_moved_and_saved(
    signed_in: Page, studio_server: StudioServer, place: str, axe: Any
) -> None:
    page = signed_in
    open_page(page, studio_server, f"{place}/chapters")
    drawn = expect(page.locator("[data-timeline]"))
    drawn.to_have_attribute("data-ready", "waveform")
    go_to(page, 12.34)
    # The key, with the hands on nothing.
    page.locator("h1").click()
    page.keyboard.press("m")
    title = page.get_by_label("Title 1")
    expect(title).to_be_focused()
    title.fill("The middle")
    go_to(page, 0)
    page.get_by_role("button", name="Add a chapter here").click()
    page.keyboard.type("The begin")
    # Put in order by themselves.
    expect(page.get_by_label("Title 1")).to_have_value("The begin")
    start = page.get_by_label("Start 2")
    expect(start).to_have_value("0:00:12.3")
    start.press("Shift+ArrowUp")
    expect(start).to_have_value("0:00:13.3")
    # Dragged by its mark, from a third to a half of forty seconds.
    face = page.locator(".timeline-face")
    box = face.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 13.3 / 40, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60, steps=3)
    page.mouse.up()
    expect(start).to_have_value("0:00:20")
    axe(page)
    page.get_by_role("button", name="Save the chapters").click()
    expect(page.get_by_text("2 chapters are saved.")).to_be_visible()
    assert chapters(studio_server, place) == [(0, "The begin"), (20, "The middle")]


def test_a_wrong_time_is_told_in_its_row(
    signed_in: Page, studio_server: StudioServer, place: str, problems: Any
) -> None:
    page = signed_in
    open_page(page, studio_server, f"{place}/chapters")
    page.get_by_role("button", name="Add a chapter here").click()
    page.get_by_label("Title 1").fill("Too late")
    page.get_by_label("Start 1").fill("1:00:00")
    problems.expect("422")
    page.get_by_role("button", name="Save the chapters").click()
    expect(page.get_by_text("It is after the end of the audio.")).to_be_visible()
    expect(page.get_by_label("Title 1")).to_have_value("Too late")


def give(server: StudioServer, place: str, transcript: str) -> None:
    files = {"transcript": ("a.vtt", transcript.encode())}
    server.call("PUT", f"{place}/transcript", files=files)


@pytest.fixture
def transcribed(studio_server: StudioServer, place: str) -> str:
    give(studio_server, place, VTT)
    return place


def words(server: StudioServer, place: str) -> list[tuple[float, str, str]]:
    segments = server.call("GET", f"{place}/transcript?format=json")["segments"]
    return [(each["startTime"], each.get("speaker", ""), each["body"]) for each in segments]


def open_transcript(page: Page, server: StudioServer, place: str) -> None:
    open_page(page, server, f"{place}/transcript")
    opened = expect(page.locator("[data-transcript]"))
    opened.to_have_attribute("data-ready", "yes")


def test_cues_are_edited_split_merged_and_replaced(
    signed_in: Page, studio_server: StudioServer, transcribed: str, axe: Any
) -> None:
    page = signed_in
    open_transcript(page, studio_server, transcribed)
    cues = page.locator("[data-cue]")
    texts = page.locator("[data-cue] textarea")
    texts.nth(1).fill("So the crab & <b>I</b> wait.")
    # Two out of one, at the caret.
    texts.nth(0).evaluate("text => { text.focus(); text.setSelectionRange(16, 16) }")
    page.keyboard.press("Enter")
    expect(cues).to_have_count(4)
    expect(texts.nth(1)).to_be_focused()
    expect(texts.nth(1)).to_have_value("The moon is up.")
    # One out of two: the last with the one before.
    texts.nth(3).focus()
    page.keyboard.press("Home")
    page.keyboard.press("Backspace")
    expect(cues).to_have_count(3)
    page.get_by_text("Find and replace").click()
    page.get_by_label("Find", exact=True).fill("TIDE")
    expect(page.get_by_text("2 matches")).to_be_visible()
    page.get_by_label("Replace with").fill("water")
    page.get_by_role("button", name="Replace all").click()
    expect(page.get_by_text("2 replaced")).to_be_visible()
    expect(page.get_by_text("Not saved yet.")).to_be_visible()
    axe(page)
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    assert words(studio_server, transcribed) == [
        (0.0, "Ann", "The water is low."),
        (2.0, "Ann", "The moon is up."),
        (4.0, "Ben", "So the crab & <b>I</b> wait. Until the water turns."),
    ]
    # And once more, because what is stored has another name now.
    texts.nth(0).fill("Once more.")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    assert words(studio_server, transcribed)[0][2] == "Once more."


def test_undo_brings_back_what_was_removed(
    signed_in: Page, studio_server: StudioServer, transcribed: str
) -> None:
    page = signed_in
    open_transcript(page, studio_server, transcribed)
    page.locator("[data-cue] textarea").nth(1).click()
    page.locator("[data-tools]").get_by_role("button", name="Remove").click()
    expect(page.locator("[data-cue]")).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-cue]")).to_have_count(3)


def test_who_edits_a_transcript_is_told_that_somebody_else_was_faster(
    signed_in: Page, studio_server: StudioServer, transcribed: str, problems: Any
) -> None:
    page = signed_in
    open_transcript(page, studio_server, transcribed)
    give(studio_server, transcribed, VTT.replace("moon", "sun"))
    page.locator("[data-cue] textarea").nth(0).fill("Mine")
    problems.expect("409")
    page.get_by_role("button", name="Save the transcript").first.click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else changed the transcript")
    expect(page.locator("[data-cue] textarea").nth(0)).to_have_value("Mine")
    assert "sun" in words(studio_server, transcribed)[0][2]


def test_three_thousand_cues_stay_usable(
    signed_in: Page, studio_server: StudioServer, place: str
) -> None:
    page = signed_in
    clock = [f"00:{second // 60:02}:{second % 60:02}" for second in range(3000)]
    cues = [f"{at}.000 --> {at}.900\n<v Ann>Words {n}" for n, at in enumerate(clock)]
    give(studio_server, place, "\n\n".join(["WEBVTT", *cues]))
    open_transcript(page, studio_server, place)
    expect(page.locator("[data-cue]")).to_have_count(3000)
    # By attributes: to find roles and labels among so many takes Playwright a minute.
    page.locator(".cue-bar summary", has_text="Find").click()
    page.locator("[data-find]").fill("words 2999")
    page.locator("[data-do=next]").click()
    last = page.locator("[data-cue] textarea").nth(2999)
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport()
    page.keyboard.press("Control+s")
    expect(page.locator("[data-status]")).to_have_text("Saved.")


@pytest.mark.parametrize("view", [{"viewport": PHONE, "color_scheme": "dark", "has_touch": True}])
def test_a_soundbite_is_begun_and_ended_while_listening_on_a_phone(
    signed_in: Page, studio_server: StudioServer, place: str, axe: Any
) -> None:
    page = signed_in
    open_page(page, studio_server, f"{place}/soundbites")
    go_to(page, 5)
    page.get_by_role("button", name="Begin one here").click()
    expect(page.get_by_label("Start 1")).to_have_value("0:00:05")
    expect(page.get_by_label("Length 1")).to_have_value("0:00:30")
    go_to(page, 21.5)
    page.get_by_role("button", name="End it here").click()
    expect(page.get_by_label("Length 1")).to_have_value("0:00:16.5")
    page.keyboard.type("Why the moon")
    axe(page)
    page.get_by_role("button", name="Save the soundbites").click()
    expect(page.get_by_text("1 soundbite is saved.")).to_be_visible()
    found = studio_server.call("GET", place)["soundbites"]
    assert found == [{"start": 5.0, "duration": 16.5, "title": "Why the moon"}]


def picture(width: int, height: int) -> dict[str, Any]:
    """Red on the left half, blue on the right."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    file = io.BytesIO()
    image.save(file, "PNG")
    return {"name": "wide.png", "mimeType": "image/png", "buffer": file.getvalue()}


def test_a_square_is_cut_out_of_a_wide_picture(
    signed_in: Page, studio_server: StudioServer, place: str, axe: Any
) -> None:
    page = signed_in
    open_page(page, studio_server, f"{place}/artwork")
    chosen = page.get_by_label("Picture")
    # Said before anything is sent.
    chosen.set_input_files(picture(2000, 900))
    expect(page.get_by_role("alert")).to_contain_text("2,000 by 900 pixels")
    expect(page.get_by_role("button", name="Save the artwork")).to_be_disabled()
    chosen.set_input_files(picture(3600, 1600))
    expect(page.get_by_text("The square has 1,600 by 1,600 pixels")).to_be_visible()
    page.get_by_label("Left or right").fill("2000")
    page.get_by_role("slider", name="Zoom").fill("1.14")
    expect(page.get_by_text("pixels: large enough")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Save the artwork").click()
    expect(page.get_by_role("status").first).to_have_text("The artwork is saved.")
    given = page.get_by_text("Use the show's artwork instead")
    expect(given).to_be_visible()
    url = studio_server.call("GET", place)["artwork_url"]
    with Image.open(io.BytesIO(httpx.get(url, timeout=30).content)) as made:
        red, _, blue = made.convert("RGB").getpixel((5, 5))
    assert blue > 200 > red


def test_chapters_can_be_typed_without_scripts(
    new_context: Any, studio_server: StudioServer, place: str
) -> None:
    context = new_context(java_script_enabled=False)
    studio_server.sign_in(context)
    page = context.new_page()
    open_page(page, studio_server, f"{place}/chapters")
    page.locator("[name=start]").first.fill("0:10")
    page.locator("[name=title]").first.fill("By hand")
    page.get_by_role("button", name="Save the chapters").click()
    expect(page.get_by_text("1 chapter is saved.")).to_be_visible()
    assert chapters(studio_server, place) == [(10, "By hand")]


@pytest.mark.parametrize("page_path", ["transcript", "transcript?plain=1", "chapters", "show"])
def test_pages_without_anything_yet_can_be_used_by_everybody(
    signed_in: Page, studio_server: StudioServer, place: str, axe: Any, page_path: str
) -> None:
    if page_path.endswith("plain=1"):
        give(studio_server, place, VTT)
    path = place.partition("/episodes/")[0] + "/artwork" if page_path == "show" else place
    more = "" if page_path == "show" else f"/{page_path}"
    open_page(signed_in, studio_server, path + more)
    axe(signed_in)
