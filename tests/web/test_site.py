"""The public pages: where the links of a feed lead."""

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from podhost.app import create_app
from podhost.chapters import ChapterInput
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.instance import Instance
from podhost.people import CreditInput
from podhost.publishing import delete_episode, withdraw_episode
from podhost.shows import ShowInput, change_show, delete_show, get_show
from podhost.transcripts import prepare_transcripts, set_transcripts
from podhost.web import page_parts, site, wording
from tests.asgi_client import Client
from tests.making import make_episode, make_show

HOSTILE = "<script>alert(1)</script>\"' & <b>"


@pytest.fixture
def client(instance: Instance) -> Iterator[Client]:
    yield Client(create_app(instance))


class Page(HTMLParser):
    """What stands in a page: tags, links by their text, everything in attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]

    def link(self, rel: str) -> str:
        """Where the one link in the head with this relation leads."""
        [address] = self.links(rel)
        return address

    def links(self, rel: str) -> list[str]:
        """Where the links in the head with this relation lead."""
        found = zip(self.values("link", "rel"), self.values("link", "href"), strict=True)
        return [address for name, address in found if name == rel]


def read(client: Client, path: str, status: int = 200) -> Page:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    return Page(answer.text)


def test_the_first_page_lists_the_shows_with_their_feeds(
    instance: Instance, client: Client
) -> None:
    empty = read(client, "/")
    assert "no show here yet" in empty.text
    assert "podhost publish my-show/" in empty.text
    make_show(instance, "Tide Tables")
    make_show(instance, "Arrivals")
    page = read(client, "/")
    assert page.values("a", "href") == [
        "/arrivals/",
        "/arrivals/feed.xml",
        "/tide-tables/",
        "/tide-tables/feed.xml",
        "/shows.opml",
    ]


def test_a_page_names_further_feeds_but_no_private_one(instance: Instance, client: Client) -> None:
    secret = "2f1c7a90e4b35d6848fa"
    make_show(
        instance,
        feeds=({"name": "newest", "newest": 5}, {"name": secret, "early_hours": 1}),
    )
    page = read(client, "/tide-tables/")
    assert page.links("alternate")[2:] == ["https://pod.example/tide-tables/feeds/newest.xml"]
    assert "Tide Tables (newest)" in page.values("link", "title")
    assert secret not in client.get("/tide-tables/").text + client.get("/").text


def test_the_show_page_has_feed_artwork_and_players(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    make_episode(instance, show, mp3, "A draft", publish=False)
    page = read(client, "/tide-tables/")
    assert page.link("canonical") == "https://pod.example/tide-tables/"
    assert page.links("alternate") == [
        "https://pod.example/tide-tables/feed.xml",
        "https://pod.example/tide-tables/feed.json",
    ]
    assert "application/feed+json" in page.values("link", "type")
    assert "https://pod.example/tide-tables/feed.xml" in page.text
    assert "podcast://pod.example/tide-tables/feed.xml" in page.values("a", "href")
    assert page.values("audio", "src") == [f"/audio/{episode.id}/1/low-water.mp3"]
    assert page.values("audio", "preload") == ["none"]
    assert "/tide-tables/episodes/low-water" in page.values("a", "href")
    assert page.values("img", "src") == [f"/artwork/{show.artwork_id}/3000.jpg"]
    assert "A draft" not in page.text
    assert "script" not in page.tags


def test_the_episode_page_has_notes_people_and_chapters(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance, time_zone="Pacific/Auckland", language="ar")
    episode = make_episode(
        instance,
        show,
        mp3,
        notes="With **salt**.",
        guests=[CreditInput(name="Ann Guest", url="https://ann.example/", bio="Harbour master")],
        chapters=[
            ChapterInput(start_seconds=0, title="Ebb"),
            ChapterInput(start_seconds=2.5, title="Flood"),
            ChapterInput(start_seconds=4, title="Secret", hidden=True),
        ],
        season=2,
        number=3,
    )
    page = read(client, "/tide-tables/episodes/low-water")
    assert "strong" in page.tags
    assert "With salt." in page.text
    assert "https://ann.example/" in page.values("a", "href")
    assert "Ann Guest (guest)Harbour master" in page.text
    assert f"/audio/{episode.id}/1/low-water.mp3#t=2.5" in page.values("a", "href")
    assert "Flood" in page.text
    assert "Secret" not in page.text
    assert "Season 2" in page.text
    # 09:05 UTC is the same day's evening in Auckland.
    assert "5 March 2026, 22:05 Auckland time" in page.text
    assert page.values("time", "datetime") == ["2026-03-05T09:05:00Z"]


def test_texts_are_shown_and_never_run(instance: Instance, client: Client, mp3: Path) -> None:
    show = make_show(instance)
    evil = HOSTILE + '<img src=x onerror="alert(1)"><a href="javascript:alert(1)">x</a>'
    guests, chapters = [CreditInput(name="Ann")], [ChapterInput(start_seconds=0)]
    episode = make_episode(instance, show, mp3, notes=evil, guests=guests, chapters=chapters)
    # Behind the backs of those who clean what comes in.
    with instance.database.write() as session:
        stored = get_show(session, show.slug)
        stored.title = stored.description = stored.author = HOSTILE
        episode = get_episode(session, stored, episode.slug)
        episode.title = episode.chapters[0].title = HOSTILE
        episode.credits[0].name = episode.credits[0].bio = HOSTILE
    for path in ("/", "/tide-tables/", "/tide-tables/episodes/low-water"):
        page = read(client, path)
        assert "script" not in page.tags
        assert HOSTILE in page.text
        assert not [value for _, name, value in page.attributes if name.startswith("on")]
        assert not [value for *_, value in page.attributes if value.startswith("javascript")]


def test_nothing_but_the_style_of_the_page_may_run(instance: Instance, client: Client) -> None:
    make_show(instance)
    for path in ("/", "/tide-tables/", "/nothing"):
        answer = client.get(path, headers={"Accept": "text/html"})
        (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
        style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = answer.headers["content-security-policy"]
        assert (
            f"default-src 'none'; style-src 'sha256-{style_hash}'; img-src 'self' data:" in policy
        )
        assert " style=" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_nobody_else_learns_who_reads_a_page(instance: Instance, client: Client, mp3: Path) -> None:
    guest = CreditInput(name="Ann", image_url="https://ann.example/portrait.jpg")
    make_episode(instance, make_show(instance), mp3, guests=[guest])
    for path in ("/", "/tide-tables/", "/tide-tables/episodes/low-water"):
        page = read(client, path)
        loaded = [value for _, name, value in page.attributes if name in ("src", "srcset")]
        assert loaded
        assert all(value.startswith("/") for value in loaded)
    policy = client.get("/tide-tables/").headers["content-security-policy"]
    # A bucket may lie anywhere, and only the bucket's settings know where.
    is_elsewhere = instance.settings.storage.startswith("s3:")
    assert ("media-src *;" if is_elsewhere else "media-src 'self';") in policy


def test_pictures_keep_their_place_while_they_load(
    instance: Instance, client: Client, mp3: Path
) -> None:
    make_episode(instance, make_show(instance), mp3)
    for path in ("/", "/tide-tables/", "/tide-tables/episodes/low-water"):
        page = read(client, path)
        assert len(page.values("img", "width")) == page.tags.count("img") == 1
        assert page.values("img", "width") == page.values("img", "height")
        assert page.values("img", "alt") == [""]


def _ratio(one: str, other: str) -> float:
    """Contrast of two colours, #rgb or #rrggbb, as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_text_stands_out_in_light_and_in_dark(client: Client) -> None:
    style = client.get("/").text
    schemes = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert len(schemes) == 2
    for scheme in schemes:
        for name in ("ink", "quiet", "link", "visited"):
            assert _ratio(scheme[name], scheme["ground"]) >= 4.5, name


def test_a_page_speaks_the_language_of_its_show(
    instance: Instance, client: Client, mp3: Path
) -> None:
    make_episode(instance, make_show(instance), mp3)
    show = make_show(instance, "Madd", language="ar", description="مدّ")
    make_episode(instance, show, mp3)
    for path, lang, direction in (
        ("/", "en", []),
        ("/tide-tables/", "en", []),
        ("/tide-tables/episodes/low-water", "en", []),
        ("/madd/", "ar", ["rtl"]),
        ("/madd/episodes/low-water", "ar", ["rtl"]),
    ):
        page = read(client, path)
        assert page.values("html", "lang") == [lang]
        assert page.values("html", "dir") == direction
        assert page.tags.count("h1") == 1
        # What podhost says itself is English everywhere.
        assert set(page.values("span", "lang")) == ({"en"} if lang == "ar" else set())
    assert set(read(client, "/").values("bdi", "lang")) == {"ar", "en"}


@pytest.mark.parametrize(
    ("language", "is_right_to_left"),
    [
        ("he", True),
        ("fa-IR", True),
        ("ur-Latn", False),
        ("en", False),
        ("pa-Arab-PK", True),
        ("de", False),
        ("arn", False),
    ],
)
def test_it_knows_who_writes_from_right_to_left(language: str, is_right_to_left: bool) -> None:
    assert wording.is_right_to_left(language) is is_right_to_left


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/London", "5 March 2026, 09:05 London time"),
        ("America/Argentina/Buenos_Aires", "5 March 2026, 06:05 Buenos Aires time"),
        ("UTC", "5 March 2026, 09:05 UTC"),
        # The sign in the name means the contrary; nobody but POSIX knows.
        ("Etc/GMT+5", "5 March 2026, 04:05 UTC-05"),
        ("Asia/Kathmandu", "5 March 2026, 14:50 Kathmandu time"),
    ],
)
def test_a_time_says_whose_it_is(zone: str, shown: str) -> None:
    moment = datetime(2026, 3, 5, 9, 5, tzinfo=UTC)
    assert f">{shown}<" in wording.date(moment, zone, with_time=True)
    assert ":05" not in Page(wording.date(moment, zone, with_time=False)).text


@pytest.mark.parametrize(
    ("duration_ms", "shown"),
    [
        (1, "1 min"),
        (119_000, "2 min"),
        (59 * 60_000 + 40_000, "1 h"),
        (3_600_000, "1 h"),
        (3_900_000, "1 h 5 min"),
    ],
)
def test_a_length_is_said_in_hours_and_minutes(duration_ms: int, shown: str) -> None:
    assert wording.duration(duration_ms) == shown


def test_players_and_downloads_are_named_after_their_episode(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance)
    size_bytes = make_episode(instance, show, mp3).audio.size_bytes  # type: ignore[union-attr]
    make_episode(instance, show, mp3, "High water")
    for path, count in (("/tide-tables/", 2), ("/tide-tables/episodes/high-water", 1)):
        page = read(client, path)
        ids = page.values("h1", "id") + page.values("h2", "id")
        assert len(set(ids)) == count
        assert page.values("audio", "aria-labelledby") == ids
        assert page.values("a", "aria-describedby") == ids
        assert len(page.values("a", "download")) == count
        assert f"Download (MP3, {size_bytes / 1e6:.1f} MB)" in page.text


def test_the_show_page_gives_the_beginning_of_the_notes(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3, notes="Salt, **again**.\n\n" + "word " * 100)
    text = read(client, "/tide-tables/").text
    assert "Salt, again. word word" in text
    assert "word word…" in text
    assert text.count("word") < 50


def test_headings_in_notes_follow_the_title(instance: Instance, client: Client, mp3: Path) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3, notes="### Links\n\ntext")
    make_episode(instance, show, mp3, "Both", notes="## Links\n\n### More\n\ntext")
    tags = read(client, "/tide-tables/episodes/low-water").tags
    assert (tags.count("h2"), tags.count("h3")) == (1, 0)
    tags = read(client, "/tide-tables/episodes/both").tags
    assert (tags.count("h2"), tags.count("h3")) == (1, 1)


def test_hosts_stand_on_every_page_of_the_show(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance, people=[CreditInput(name="Pia Port")])
    make_episode(instance, show, mp3, "Alone")
    make_episode(instance, show, mp3, "Together", guests=[CreditInput(name="Ann")])
    assert "Pia Port (host)" in read(client, "/tide-tables/").text
    assert "Pia Port (host)" in read(client, "/tide-tables/episodes/alone").text
    together = read(client, "/tide-tables/episodes/together").text
    assert together.index("Pia Port (host)") < together.index("Ann (guest)")


def test_the_transcript_is_one_link_away(instance: Instance, client: Client, mp3: Path) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    vtt = b"WEBVTT\n\n00:00.000 --> 00:02.000\nHello there.\n"
    prepared, _ = prepare_transcripts(instance.storage, vtt, "low-water.vtt", language="de")
    with instance.database.write() as session:
        stored = get_episode(session, get_show(session, show.slug), episode.slug)
        set_transcripts(session, stored, prepared, now=instance.now())
    page = read(client, "/tide-tables/episodes/low-water")
    assert "Read the transcript (de)" in page.text
    readable = next(form for form in prepared if form.extension == "html")
    assert f"/transcripts/{episode.id}/{readable.id}.html" in page.values("a", "href")
    assert page.values("a", "hreflang") == ["de"]


def test_a_shared_link_shows_title_and_picture(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3, notes='"Salt" & more')
    page = read(client, "/tide-tables/episodes/low-water")
    shared = dict(
        zip(page.values("meta", "property"), page.values("meta", "content")[-5:], strict=True)
    )
    assert shared == {
        "og:type": "website",
        "og:title": "Low water",
        "og:url": "https://pod.example/tide-tables/episodes/low-water",
        "og:description": '"Salt" & more',
        "og:image": f"https://pod.example/artwork/{show.artwork_id}/3000.jpg",
    }


def test_a_show_that_moved_is_subscribed_to_where_it_went(
    instance: Instance, client: Client
) -> None:
    make_show(instance, new_feed_url="https://elsewhere.example/feed")
    page = read(client, "/tide-tables/")
    assert page.link("alternate") == "https://elsewhere.example/feed"
    assert "https://elsewhere.example/feed" in page.text
    assert "podcast://elsewhere.example/feed" in page.values("a", "href")


def test_a_show_without_episodes_says_so(instance: Instance, client: Client) -> None:
    make_show(instance)
    assert "There is no episode yet." in read(client, "/tide-tables/").text


def test_an_explicit_episode_is_marked(instance: Instance, client: Client, mp3: Path) -> None:
    show = make_show(instance, explicit=True)
    make_episode(instance, show, mp3, "As the show")
    make_episode(instance, show, mp3, "Clean", explicit=False)
    assert "Explicit" in read(client, "/tide-tables/episodes/as-the-show").text
    assert "Explicit" not in read(client, "/tide-tables/episodes/clean").text


def test_who_finds_nothing_is_shown_a_way_on(instance: Instance, client: Client, mp3: Path) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3)
    with instance.database.write() as session:
        episode = get_episode(session, get_show(session, show.slug), "low-water")
        withdraw_episode(session, episode, now=instance.now())
    for slug, status, code in (("low-water", 410, "gone"), ("nothing", 404, "not_found")):
        path = f"/tide-tables/episodes/{slug}"
        page = read(client, path, status)
        assert page.values("a", "href") == ["/tide-tables/", "/"]
        assert "All episodes of Tide Tables" in page.text
        assert page.tags.count("h1") == 1
        for_programs = client.get(path)
        assert (for_programs.status_code, for_programs.json()["error"]["code"]) == (status, code)
    assert read(client, "/nothing/", 404).values("a", "href") == ["/"]


def test_a_page_that_did_not_change_is_answered_with_304(
    instance: Instance, client: Client, clock: object
) -> None:
    make_show(instance)
    first = client.get("/tide-tables/")
    again = client.get("/tide-tables/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    with instance.database.write() as session:
        show = get_show(session, "tide-tables")
        change_show(session, show, ShowInput(title="Tide Times"), now=instance.now())
    changed = client.get("/tide-tables/", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


def test_old_slugs_redirect_for_ever(instance: Instance, client: Client, mp3: Path) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3)
    with instance.database.write() as session:
        stored = get_show(session, "tide-tables")
        episode = get_episode(session, stored, "low-water")
        change_episode(session, episode, EpisodeInput(slug="ebb"), now=instance.now())
        change_show(session, stored, ShowInput(slug="tides"), now=instance.now())
    for old, new in (
        ("/tides", "/tides/"),
        ("/tide-tables/", "/tides/"),
        ("/tide-tables", "/tides/"),
        ("/tides?page=1", "/tides/?page=1"),
        ("/tides/episodes/ebb/", "/tides/episodes/ebb"),
        ("/tides/episodes/low-water", "/tides/episodes/ebb"),
        ("/tide-tables/episodes/low-water", "/tides/episodes/ebb"),
        ("/tide-tables/episodes/ebb", "/tides/episodes/ebb"),
    ):
        answer = client.get(old)
        assert (answer.status_code, answer.headers["location"]) == (301, new)
        assert client.get(new).status_code == 200


def test_what_is_not_published_yet_is_404_and_what_is_gone_is_410(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3, "Draft", publish=False)
    make_episode(instance, show, mp3, "Withdrawn")
    make_episode(instance, show, mp3, "Deleted")
    make_episode(instance, show, mp3, "Deleted draft", publish=False)
    with instance.database.write() as session:
        stored = get_show(session, "tide-tables")
        now = instance.now()
        withdraw_episode(session, get_episode(session, stored, "withdrawn"), now=now)
        delete_episode(session, get_episode(session, stored, "deleted"), now=now)
        delete_episode(session, get_episode(session, stored, "deleted-draft"), now=now)
    for slug, status in (
        ("draft", 404),
        ("nothing", 404),
        ("deleted-draft", 404),
        ("withdrawn", 410),
        ("deleted", 410),
    ):
        read(client, f"/tide-tables/episodes/{slug}", status)
    with instance.database.write() as session:
        delete_show(session, get_show(session, "tide-tables"), now=instance.now())
    read(client, "/tide-tables/", 410)
    read(client, "/tide-tables/episodes/deleted", 410)
    assert client.get("/").text.count("tide-tables") == 0


def test_many_episodes_stand_on_several_pages(
    instance: Instance, client: Client, mp3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (site, page_parts):
        monkeypatch.setattr(module, "EPISODES_PER_PAGE", 1)
    show = make_show(instance)
    for title in ("One", "Two", "Three"):
        make_episode(instance, show, mp3, title)
    pages = [read(client, path) for path in ("/tide-tables/", "/tide-tables/?page=2")]
    assert "Three" in pages[0].text
    assert "Two" in pages[1].text
    assert pages[0].values("a", "rel") == ["next"]
    assert pages[1].values("a", "rel") == ["prev", "next"]
    canonical = [page.link("canonical") for page in pages]
    assert canonical == [
        "https://pod.example/tide-tables/",
        "https://pod.example/tide-tables/?page=2",
    ]
    for page in ("4", "0", "x", "-1", "9999999", "²"):
        read(client, f"/tide-tables/?page={page}", 404)


@pytest.mark.parametrize("slug", ["%00", "a%00b", "%ed%a0%80", "x" * 3000, "..%2f..%2fetc"])
def test_impossible_names_are_not_found(instance: Instance, client: Client, slug: str) -> None:
    make_show(instance)
    assert client.get(f"/tide-tables/episodes/{slug}").status_code == 404
    assert client.get(f"/{slug}/").status_code == 404
