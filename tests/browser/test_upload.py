"""Files dropped on the upload page arrive, whatever is cut, killed or closed meanwhile."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mutagen.id3
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Request, Route, expect

from tests.audio_files import lame, with_id3
from tests.browser.conftest import PHONE, allow_browsers
from tests.browser.looking import Problems
from tests.browser.studio import StudioServer
from tests.faults.network import Network
from tests.servers import S3Server
from tests.waiting import wait_for

# Chromium's words for requests that come to nothing.
CUT = "ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_|ERR_EMPTY_RESPONSE|ERR_NETWORK|ERR_SOCKET_"
# Of each connection; the last part is the shortest, and arrives long before the others.
BYTES_PER_SECOND = 2_000_000


@pytest.fixture(scope="session")
def long_audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real MP3 of some parts: about 28 MB and 12 minutes."""
    path = tmp_path_factory.mktemp("long") / "the-long-tide.mp3"
    path.write_bytes(lame(100, kbits=320) * 7)
    return path


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    """Two seconds with a title and a number in its tags."""
    frames = [mutagen.id3.TIT2(text="Neap tides"), mutagen.id3.TRCK(text="7")]
    path = tmp_path / "007.mp3"
    path.write_bytes(with_id3(lame(2), *frames))
    return path


def open_upload_page(page: Page, server: StudioServer, show: str, url: str = "") -> None:
    server.sign_in(page.context)
    page.goto(f"{url or server.url}/studio/shows/{show}/upload")
    expect(page.locator("#upload-page[data-ready]")).to_be_attached()


def drop(page: Page, *paths: Path) -> None:
    """What a drop of files from the desktop does: files of the disk, in a DragEvent."""
    page.evaluate(
        """() => {
            const input = Object.assign(document.createElement("input"), {type: "file"});
            input.id = "from-the-desktop";
            input.multiple = true;
            document.body.append(input);
        }"""
    )
    page.set_input_files("#from-the-desktop", [str(path) for path in paths])
    page.evaluate(
        """() => {
            const input = document.getElementById("from-the-desktop");
            const dataTransfer = new DataTransfer();
            [...input.files].forEach((file) => dataTransfer.items.add(file));
            input.remove();
            const zone = document.getElementById("drop");
            for (const kind of ["dragover", "drop"]) {
                const settings = {dataTransfer, bubbles: true, cancelable: true};
                zone.dispatchEvent(new DragEvent(kind, settings));
            }
        }"""
    )


def card_of(page: Page, name: str) -> Locator:
    return page.locator("#uploads > li").filter(has_text=name)


def is_ready(card: Locator) -> None:
    expect(card).to_have_attribute("data-state", "ready", timeout=60_000)


@contextmanager
def narrow_line(server: StudioServer) -> Iterator[Network]:
    """A line to the server that is as slow as a home's, so that there is a middle to cut in.

    The browser's own throttling would hold back its events, and not the bytes.
    """
    with Network(int(server.url.rpartition(":")[2])) as line:
        line.bytes_per_second = BYTES_PER_SECOND
        yield line


def sent_parts(page: Page) -> Counter[str]:
    """Counts the parts that a page sends, by number; fills as they go out."""
    counter: Counter[str] = Counter()

    def see(request: Request) -> None:
        if request.method == "PUT":
            counter[urlsplit(request.url).path.rpartition("/")[2]] += 1

    page.on("request", see)
    return counter


def wait_for_a_part(server: StudioServer, show: str, page: Page) -> set[int]:
    """The numbers of the parts that have arrived, as soon as there are some."""

    def parts() -> set[int]:
        # The browser's own events are handled while Playwright waits, and only then.
        page.wait_for_timeout(50)
        (upload,) = server.call("GET", f"/shows/{show}/uploads")["uploads"]
        listed = server.call("GET", f"/s3/multipart/{upload['id']}")
        return {part["PartNumber"] for part in listed}

    wait_for(lambda: server.call("GET", f"/shows/{show}/uploads")["uploads"])
    return wait_for(parts)


def audio_of(server: StudioServer, show: str, title: str) -> Any:
    episodes = server.call("GET", f"/shows/{show}/episodes")["episodes"]
    (episode,) = [episode for episode in episodes if episode["title"] == title]
    return episode["audio"]


def test_a_dropped_file_becomes_a_draft_with_what_its_tags_say(
    page: Page, studio_server: StudioServer, tagged: Path, axe: Callable[..., None]
) -> None:
    show = studio_server.new_show()
    open_upload_page(page, studio_server, show)
    axe(page)
    drop(page, tagged)
    card = card_of(page, "007.mp3")
    is_ready(card)
    expect(card.get_by_label("Title")).to_have_value("Neap tides")
    expect(card.get_by_label("Number", exact=True)).to_have_value("7")
    axe(page)
    episode = studio_server.call("GET", f"/shows/{show}/episodes")["episodes"][0]
    assert (episode["title"], episode["number"], episode["status"]) == ("Neap tides", 7, "draft")
    link = card.get_by_role("link", name="Edit the episode")
    expect(link).to_have_attribute("href", f"/studio/shows/{show}/episodes/{episode['id']}")


def test_what_is_typed_meanwhile_wins_over_the_tags(
    page: Page, studio_server: StudioServer, tagged: Path
) -> None:
    show = studio_server.new_show()
    open_upload_page(page, studio_server, show)
    drop(page, tagged)
    card = card_of(page, "007.mp3")
    card.get_by_label("Title").fill("Spring tides")
    card.get_by_label("Notes").fill("With **gauges**.")
    is_ready(card)
    expect(card.get_by_role("status")).to_have_text("Saved")
    episode = studio_server.call("GET", f"/shows/{show}/episodes")["episodes"][0]
    assert (episode["title"], episode["number"]) == ("Spring tides", 7)
    assert episode["notes"] == "With **gauges**."


def test_what_cannot_be_saved_is_said_beside_its_field_and_kept(
    page: Page, studio_server: StudioServer, tagged: Path, problems: Problems
) -> None:
    problems.expect("422")
    show = studio_server.new_show()
    open_upload_page(page, studio_server, show)
    drop(page, tagged)
    card = card_of(page, "007.mp3")
    is_ready(card)
    season = card.get_by_label("Season")
    season.fill("first")
    season.press("Tab")
    expect(season).to_have_attribute("aria-invalid", "")
    expect(card.locator("[data-error=season]")).not_to_be_empty()
    expect(season).to_have_value("first")
    season.fill("2")
    season.press("Tab")
    expect(card.get_by_role("status")).to_have_text("Saved")
    assert studio_server.call("GET", f"/shows/{show}/episodes")["episodes"][0]["season"] == 2


def test_a_connection_that_is_cut_in_the_middle_is_no_end(
    page: Page, studio_server: StudioServer, long_audio: Path, problems: Problems
) -> None:
    problems.expect(CUT)
    show = studio_server.new_show()
    with narrow_line(studio_server) as line:
        open_upload_page(page, studio_server, show, line.url)
        drop(page, long_audio)
        wait_for_a_part(studio_server, show, page)
        card = card_of(page, long_audio.name)
        page.context.set_offline(True)
        expect(card.get_by_text("There is no connection.")).to_be_visible()
        page.context.set_offline(False)
        line.bytes_per_second = None
        is_ready(card)
    assert audio_of(studio_server, show, "the-long-tide")["size_bytes"] == long_audio.stat().st_size


def test_a_server_that_is_killed_and_started_again_goes_on_with_what_it_has(
    page: Page, own_studio_server: StudioServer, long_audio: Path, problems: Problems
) -> None:
    problems.expect(CUT)
    server, show = own_studio_server, own_studio_server.new_show()
    sent = sent_parts(page)
    with narrow_line(server) as line:
        open_upload_page(page, server, show, line.url)
        drop(page, long_audio)
        arrived = wait_for_a_part(server, show, page)
        server.kill()
        card = card_of(page, long_audio.name)
        expect(card.get_by_text("podhost does not answer at the moment.")).to_be_visible()
        server.start()
        line.bytes_per_second = None
        is_ready(card)
    assert all(sent[str(number)] == 1 for number in arrived)
    assert audio_of(server, show, "the-long-tide")["size_bytes"] == long_audio.stat().st_size


def test_after_the_page_was_closed_the_same_file_goes_on_where_it_stopped(
    context: BrowserContext, studio_server: StudioServer, long_audio: Path, problems: Problems
) -> None:
    problems.expect(CUT)
    show, first = studio_server.new_show(), context.new_page()
    with narrow_line(studio_server) as line:
        open_upload_page(first, studio_server, show, line.url)
        drop(first, long_audio)
        card_of(first, long_audio.name).get_by_label("Title").fill("The long tide")
        arrived = wait_for_a_part(studio_server, show, first)
        # With the laptop: what the kernel holds of the other parts does not go out either.
        line.break_down()
        first.close()
        line.mend()
        second = context.new_page()
        sent = sent_parts(second)
        open_upload_page(second, studio_server, show, line.url)
        card = card_of(second, long_audio.name)
        expect(card).to_have_attribute("data-state", "choose")
        expect(card.get_by_label("Title")).to_have_value("The long tide")
        card.get_by_label("The same file:").set_input_files(str(long_audio))
        is_ready(card)
        expect(card.get_by_role("status")).to_have_text("Saved")
    assert sent
    assert not arrived & {int(number) for number in sent}
    assert audio_of(studio_server, show, "The long tide")["size_bytes"] == long_audio.stat().st_size


def test_what_was_cancelled_elsewhere_is_so_here(
    context: BrowserContext, studio_server: StudioServer, tagged: Path
) -> None:
    show, first = studio_server.new_show(), context.new_page()
    open_upload_page(first, studio_server, show)
    first.route("**/uploads/parts/**", lambda route: None)
    drop(first, tagged)
    (upload,) = wait_for(lambda: first.wait_for_timeout(50) or open_uploads(studio_server, show))
    first.close()
    studio_server.call("DELETE", f"/s3/multipart/{upload['id']}")
    second = context.new_page()
    open_upload_page(second, studio_server, show)
    card = card_of(second, "007.mp3")
    expect(card).to_have_attribute("data-state", "cancelled")
    card.get_by_role("button", name="Remove from this list").click()
    second.reload()
    expect(second.locator("#upload-page[data-ready]")).to_be_attached()
    expect(card).to_have_count(0)


def test_many_files_share_four_parts_at_a_time(
    page: Page, studio_server: StudioServer, tmp_path: Path
) -> None:
    show = studio_server.new_show()
    open_upload_page(page, studio_server, show)
    held: list[Route] = []
    let_go: list[bool] = []

    def hold(route: Route) -> None:
        route.continue_() if let_go else held.append(route)

    page.route("**/uploads/parts/**", hold)
    paths = [tmp_path / f"tide-{number}.mp3" for number in range(5)]
    for number, path in enumerate(paths):
        path.write_bytes(lame(3 + number))
    drop(page, *paths)
    # Routes are held while Playwright waits, and only then.
    wait_for(lambda: page.wait_for_timeout(100) or len(held) >= 4)
    page.wait_for_timeout(500)
    expect(page.locator("[data-state=waiting]")).to_have_count(1)
    assert len(held) == 4
    let_go.append(True)
    for route in held:
        route.continue_()
    for path in paths:
        is_ready(card_of(page, path.name))
    titles = {e["title"] for e in studio_server.call("GET", f"/shows/{show}/episodes")["episodes"]}
    assert titles == {path.stem for path in paths}


def test_a_file_that_is_no_audio_is_refused_in_words(
    page: Page, studio_server: StudioServer, tmp_path: Path, axe: Callable[..., None]
) -> None:
    show = studio_server.new_show()
    open_upload_page(page, studio_server, show)
    disguised, picture = tmp_path / "contract.mp3", tmp_path / "cover.png"
    disguised.write_bytes(b"%PDF-1.7\n" + bytes(3000))
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    drop(page, disguised, picture)
    card = card_of(page, "contract.mp3")
    expect(card).to_have_attribute("data-state", "refused")
    expect(card.locator("[data-part=error]")).to_contain_text("PDF")
    expect(page.get_by_text("cover.png is no audio.")).to_be_visible()
    axe(page)
    card.get_by_role("button", name="Remove from this list").click()
    expect(card).to_have_count(0)
    assert studio_server.call("GET", f"/shows/{show}/episodes")["episodes"] == []


def test_an_upload_can_be_paused_and_cancelled_which_asks_once(
    page: Page, studio_server: StudioServer, long_audio: Path, problems: Problems
) -> None:
    problems.expect(CUT)
    show = studio_server.new_show()
    card = card_of(page, long_audio.name)
    with narrow_line(studio_server) as line:
        open_upload_page(page, studio_server, show, line.url)
        drop(page, long_audio)
        wait_for_a_part(studio_server, show, page)
        card.get_by_role("button", name="Pause").click()
        expect(card).to_have_attribute("data-state", "paused")
        card.get_by_role("button", name="Cancel").click()
        card.get_by_role("button", name="No, go on").click()
        expect(card.get_by_role("button", name="Cancel")).to_be_focused()
        card.get_by_role("button", name="Go on").click()
        expect(card).to_have_attribute("data-state", "sending")
        card.get_by_role("button", name="Cancel").click()
        card.get_by_role("button", name="Yes, cancel it").click()
        expect(card).to_have_count(0)
        wait_for(lambda: not open_uploads(studio_server, show))


def open_uploads(server: StudioServer, show: str) -> list[Any]:
    return list(server.call("GET", f"/shows/{show}/uploads?state=open")["uploads"])


def test_with_a_bucket_the_bytes_go_there_and_never_through_podhost(
    page: Page, s3_studio_server: StudioServer, long_audio: Path
) -> None:
    server, show = s3_studio_server, s3_studio_server.new_show()
    open_upload_page(page, server, show)
    bodies: list[tuple[str, int]] = []

    def see(request: Request) -> None:
        if request.method not in ("GET", "OPTIONS"):
            size_bytes = len(request.post_data_buffer or b"")
            bodies.append((f"{request.method} {urlsplit(request.url).netloc}", size_bytes))

    page.on("request", see)
    drop(page, long_audio)
    is_ready(card_of(page, long_audio.name))
    ours, bucket = urlsplit(server.url).netloc, urlsplit(server.environment["AWS_ENDPOINT_URL_S3"])
    puts = [name for name, _ in bodies if name.startswith("PUT")]
    assert len(puts) >= 4
    assert set(puts) == {f"PUT {bucket.netloc}"}
    assert all(size_bytes < 10_000 for name, size_bytes in bodies if name.endswith(ours))
    assert audio_of(server, show, "the-long-tide")["size_bytes"] == long_audio.stat().st_size


def test_a_bucket_that_lets_no_browser_in_is_explained(
    page: Page,
    s3_studio_server: StudioServer,
    s3_server: S3Server,
    tagged: Path,
    problems: Problems,
) -> None:
    problems.expect("CORS|ERR_FAILED|preflight")
    server, show = s3_studio_server, s3_studio_server.new_show()
    bucket = urlsplit(server.environment["PODHOST_STORAGE"]).netloc
    allow_browsers(s3_server, bucket, "https://elsewhere.example")
    open_upload_page(page, server, show)
    drop(page, tagged)
    card = card_of(page, "007.mp3")
    expect(card).to_have_attribute("data-state", "failed")
    expect(card.locator("[data-part=error]")).to_contain_text("The bucket does not let pages of")
    expect(card.get_by_text("podhost storage cors --apply").first).to_be_visible()
    allow_browsers(s3_server, bucket)
    card.get_by_role("button", name="Try again").click()
    is_ready(card)


def test_an_address_that_has_expired_is_signed_anew(
    page: Page, studio_server: StudioServer, tagged: Path, problems: Problems
) -> None:
    problems.expect("403|503")
    show = studio_server.new_show()
    open_upload_page(page, studio_server, show)
    answers = [403, 503]
    signed: list[str] = []

    def answer(route: Route) -> None:
        route.fulfill(status=answers.pop()) if answers else route.continue_()

    page.route("**/uploads/parts/**", answer)
    page.on("response", lambda response: "/s3/multipart/" in response.url and signed.append("x"))
    drop(page, tagged)
    is_ready(card_of(page, "007.mp3"))
    # For each try, and to complete it.
    assert len(signed) == 4


@pytest.mark.parametrize("view", [{"viewport": PHONE, "color_scheme": "dark", "has_touch": True}])
def test_it_works_on_a_phone(page: Page, studio_server: StudioServer, tagged: Path) -> None:
    show = studio_server.new_show()
    open_upload_page(page, studio_server, show)
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Choose files").tap()
    chooser.value.set_files(str(tagged))
    card = card_of(page, "007.mp3")
    is_ready(card)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_is_small_and_the_keyboard_reaches_the_files(
    page: Page, studio_server: StudioServer
) -> None:
    show = studio_server.new_show()
    open_upload_page(page, studio_server, show)
    script_bytes = page.evaluate(
        """performance.getEntriesByType("resource").filter((entry) => entry.name.endsWith(".js"))
            .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
    )
    assert 0 < script_bytes < 100_000
    page.get_by_label("Choose files").focus()
    with page.expect_file_chooser():
        # Keys reach the page by another way than the wish to hear of choosers, and may be faster.
        page.evaluate("0")
        page.keyboard.press("Enter")


@pytest.mark.parametrize("view", [{"java_script_enabled": False}])
def test_without_scripts_a_form_takes_one_file(
    page: Page, studio_server: StudioServer, tagged: Path
) -> None:
    show = studio_server.new_show()
    studio_server.sign_in(page.context)
    page.goto(f"{studio_server.url}/studio/shows/{show}/upload")
    page.set_input_files("#audio", str(tagged))
    page.get_by_label("Title").fill("By hand")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile(rf"/studio/shows/{show}/episodes/"))
    episode = studio_server.call("GET", f"/shows/{show}/episodes")["episodes"][0]
    assert (episode["title"], episode["status"]) == ("By hand", "draft")
