"""The public pages: where the links of a feed lead."""

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from podhost.app import create_app
from podhost.chapters.rows import ChapterInput
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.episodes.publishing import delete_episode, withdraw_episode
from podhost.formats.figures import duration
from podhost.formats.languages import is_right_to_left
from podhost.formats.tag_values import SocialInteract
from podhost.instance import Instance
from podhost.people import CreditInput
from podhost.shows import ShowInput, change_show, delete_show, get_show
from podhost.site.cards import card_version
from podhost.site.colours import DARK_GROUND, LIGHT_GROUND, contrast
from podhost.transcripts import prepare_transcripts, set_transcripts
from podhost.web.site import episodes
from podhost.web.static_files import static_files
from tests.asgi_client import Client
from tests.making import make_episode, make_show

# The pages of a show with an episode and a guest Ann.
PAGES = (
    "/tide-tables/",
    "/tide-tables/episodes",
    "/tide-tables/episodes/low-water",
    "/tide-tables/guests",
    "/tide-tables/people/ann",
    "/tide-tables/credits",
    "/tide-tables/follow",
)
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
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._is_style_or_data = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._is_style_or_data = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._is_style_or_data = False

    def handle_data(self, data: str) -> None:
        if not self._is_style_or_data:
            self.text += data

    @property
    def words(self) -> str:
        """What is read, with one space between words."""
        return " ".join(self.text.split())

    @property
    def scripts(self) -> list[dict[str, str]]:
        """The scripts that would run: data for programs does not."""
        found = [attributes for tag, attributes in self.elements if tag == "script"]
        return [each for each in found if not each.get("type", "").endswith("json")]

    def meta(self) -> dict[str, str]:
        """The properties of Open Graph."""
        found = [attributes for tag, attributes in self.elements if tag == "meta"]
        return {each["property"]: each["content"] for each in found if "property" in each}

    def values(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]

    def link(self, rel: str) -> str:
        """Where the one link in the head with this relation leads."""
        [address] = self.links(rel)
        return address

    def links(self, rel: str) -> list[str]:
        """Where the links in the head with this relation lead."""
        found = [attributes for tag, attributes in self.elements if tag == "link"]
        return [each["href"] for each in found if each["rel"] == rel]

    @property
    def feeds(self) -> list[str]:
        """Where the feeds are that the head names."""
        return [address for address in self.links("alternate") if "/oembed?" not in address]


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
    assert page.link("canonical") == "https://pod.example/"


def test_a_page_names_further_feeds_but_no_private_one(instance: Instance, client: Client) -> None:
    secret = "2f1c7a90e4b35d6848fa"
    make_show(
        instance,
        feeds=({"name": "newest", "newest": 5}, {"name": secret, "early_hours": 1}),
    )
    page = read(client, "/tide-tables/")
    assert page.feeds[2:] == ["https://pod.example/tide-tables/feeds/newest.xml"]
    assert "Tide Tables (newest)" in page.values("link", "title")
    assert secret not in client.get("/tide-tables/").text + client.get("/").text


def test_the_show_page_has_feed_artwork_and_episodes(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    make_episode(instance, show, mp3, "A draft", publish=False)
    page = read(client, "/tide-tables/")
    assert page.link("canonical") == "https://pod.example/tide-tables/"
    assert page.feeds == [
        "https://pod.example/tide-tables/feed.xml",
        "https://pod.example/tide-tables/feed.json",
    ]
    assert "application/feed+json" in page.values("link", "type")
    assert "/tide-tables/episodes/low-water" in page.values("a", "href")
    assert set(page.values("img", "src")) == {f"/artwork/{show.artwork_id}/3000.jpg"}
    assert "A draft" not in page.text
    assert all(each["src"].startswith("/static/") for each in page.scripts)
    follow = read(client, "/tide-tables/follow")
    assert "https://pod.example/tide-tables/feed.xml" in follow.text
    assert "podcast://pod.example/tide-tables/feed.xml" in follow.values("a", "href")
    heard = read(client, "/tide-tables/episodes/low-water")
    assert heard.values("audio", "src") == [f"/audio/{episode.id}/1/low-water.mp3"]
    assert heard.values("audio", "preload") == ["none"]


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
    assert "Ann Guest Guest Harbour master" in page.words
    assert "/tide-tables/people/ann-guest" in page.values("a", "href")
    assert f"/audio/{episode.id}/1/low-water.mp3#t=2.5" in page.values("a", "href")
    assert "Flood" in page.text
    assert "Secret" not in page.text
    assert "Season 2" in page.text
    assert "5 Mar 2026" in page.text
    assert page.values("time", "datetime") == ["2026-03-05"]


def test_the_front_door_speaks_the_language_of_all_shows(instance: Instance) -> None:
    assert "There is no show here yet." in read(Client(create_app(instance)), "/").text
    make_show(instance, "Mareas", language="es-mx")
    page = Client(create_app(instance)).get("/").text
    assert '<html lang="es"' in page and "Todos los feeds en OPML" in page
    make_show(instance, "Marées", slug="marees", language="fr")
    page = Client(create_app(instance)).get("/").text
    assert '<html lang="en"' in page and "All feeds as OPML" in page


def test_comments_are_called_by_the_place_where_they_stand(
    instance: Instance, client: Client, mp3: Path
) -> None:
    posts = [
        SocialInteract(protocol="nostr", uri="nostr:note1"),
        SocialInteract(protocol="activitypub", uri="https://www.sea.example/@pia/1", priority=1),
        SocialInteract(protocol="disabled"),
    ]
    make_episode(instance, make_show(instance), mp3, social_interact=posts)
    page = read(client, "/tide-tables/episodes/low-water")
    first, second = "Talk about it on sea.example", "Talk about it on Nostr"
    assert page.text.index(first) < page.text.index(second)
    assert "isabled" not in page.text


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
    for path in ("/", *PAGES):
        page = read(client, path)
        assert all(script["src"].startswith("/static/") for script in page.scripts)
        assert HOSTILE in page.text
        assert not [value for _, name, value in page.attributes if name.startswith("on")]
        assert not [value for *_, value in page.attributes if value.startswith("javascript")]


def test_nothing_but_the_style_of_the_page_may_run(instance: Instance, client: Client) -> None:
    make_show(instance)
    for path in ("/", "/tide-tables/", "/nothing"):
        answer = client.get(path, headers={"Accept": "text/html"})
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "base-uri 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        styles = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
        assert len(styles) == (1 if path == "/tide-tables/" else 0)
        for style in styles:
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            assert f"style-src 'self' 'sha256-{digest}';" in policy
        assert " style=" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers


def test_nobody_else_learns_who_reads_a_page(instance: Instance, client: Client, mp3: Path) -> None:
    guest = CreditInput(name="Ann", image_url="https://ann.example/portrait.jpg")
    make_episode(instance, make_show(instance), mp3, guests=[guest])
    for path in ("/", *PAGES):
        page = read(client, path)
        loaded = [value for _, name, value in page.attributes if name in ("src", "srcset")]
        loaded += page.links("stylesheet") + page.links("icon")
        assert loaded
        assert all(value.startswith("/") and value[1] != "/" for value in loaded)
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
        assert len(page.values("img", "width")) == page.tags.count("img") > 0
        assert page.values("img", "width") == page.values("img", "height")
        assert set(page.values("img", "alt")) == {""}


def test_text_stands_out_in_light_and_in_dark() -> None:
    style = static_files()["site/site.css"].body.decode()
    schemes = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", block))
        for block in re.findall(r":root[^{]* \{(.*?)\}", style, re.DOTALL)
    ]
    light, dark, dark_by_choice = (scheme for scheme in schemes if "paper" in scheme)
    assert dark == dark_by_choice
    for scheme, ground in ((light, LIGHT_GROUND), (dark, DARK_GROUND)):
        assert _whole(scheme["raised"]) == ground
        assert contrast(_whole(scheme["ink"]), _whole(scheme["paper"])) > contrast(
            _whole(scheme["ink"]), ground
        ), "colours that can be read on the ground can be read on paper"
        for paper in ("paper", "raised"):
            for name in ("ink", "quiet"):
                assert contrast(_whole(scheme[name]), _whole(scheme[paper])) >= 4.5, name


def _whole(colour: str) -> str:
    return colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])


def test_a_page_speaks_the_language_of_its_show(
    instance: Instance, client: Client, mp3: Path
) -> None:
    make_episode(instance, make_show(instance), mp3)
    for title, language in (("Madd", "ar"), ("Marea", "es-mx"), ("Ebbe", "de")):
        show = make_show(instance, title, language=language, description="مدّ")
        make_episode(instance, show, mp3)
    for show_path, lang, direction, said in (
        ("/tide-tables/", "en", "ltr", "Latest episodes"),
        ("/madd/", "ar", "rtl", "Latest episodes"),
        ("/marea/", "es-mx", "ltr", "Últimos episodios"),
        ("/ebbe/", "de", "ltr", "Latest episodes"),
    ):
        home = read(client, show_path)
        assert said in home.text
        for page in (home, read(client, f"{show_path}episodes/low-water")):
            assert page.values("html", "lang") == [lang]
            assert page.values("html", "dir") == [direction]
            assert page.tags.count("h1") == 1
            # What podhost says itself is English where it does not speak the language.
            named = {value for tag, name, value in page.attributes if name == "lang"} - {lang}
            assert named == ({"en"} if lang in ("ar", "de") else set())
    assert set(read(client, "/").values("h2", "lang")) == {"ar", "de", "en", "es-mx"}


@pytest.mark.parametrize(
    ("language", "expected"),
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
def test_it_knows_who_writes_from_right_to_left(language: str, expected: bool) -> None:
    assert is_right_to_left(language) is expected


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
    assert duration(duration_ms) == shown


def test_players_and_downloads_are_named_after_their_episode(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance)
    size_bytes = make_episode(instance, show, mp3).audio.size_bytes  # type: ignore[union-attr]
    make_episode(instance, show, mp3, "High water")
    page = read(client, "/tide-tables/episodes/high-water")
    ids = page.values("h1", "id")
    assert page.values("audio", "aria-label") == ["High water"]
    assert page.values("a", "aria-describedby") == ids
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
    text = client.get("/tide-tables/episodes/low-water").text
    assert "<h2>Links</h2>" in text
    text = client.get("/tide-tables/episodes/both").text
    assert "<h2>Links</h2>" in text
    assert "<h3>More</h3>" in text


def test_hosts_stand_on_every_page_of_the_show(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance, people=[CreditInput(name="Pia Port")])
    make_episode(instance, show, mp3, "Alone")
    make_episode(instance, show, mp3, "Together", guests=[CreditInput(name="Ann")])
    assert "Pia Port Host" in read(client, "/tide-tables/").words
    assert "Pia Port Host" in read(client, "/tide-tables/episodes/alone").words
    together = read(client, "/tide-tables/episodes/together").words
    assert together.index("Pia Port Host") < together.index("Ann Guest")


def test_a_transcript_stands_on_the_page_and_others_are_one_link_away(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3)
    vtt = b"WEBVTT\n\n00:00.000 --> 00:02.000\nHello there.\n"
    own, _ = prepare_transcripts(instance.storage, vtt, "low-water.vtt", language=show.language)
    prepared, _ = prepare_transcripts(instance.storage, vtt, "low-water.vtt", language="de")
    with instance.database.write() as session:
        stored = get_episode(session, get_show(session, show.slug), episode.slug)
        set_transcripts(session, stored, [*own, *prepared], now=instance.now())
    page = read(client, "/tide-tables/episodes/low-water")
    assert "Hello there." in page.text and page.text.count("Read the transcript") == 1
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
    assert show.artwork is not None
    version = card_version(show.artwork, "Low water", "Tide Tables")
    assert page.meta() == {
        "og:type": "article",
        "og:site_name": "Tide Tables",
        "og:title": "Low water",
        "og:url": "https://pod.example/tide-tables/episodes/low-water",
        "og:description": '"Salt" & more',
        "og:image": f"https://pod.example/tide-tables/cards/episodes/low-water.jpg?v={version}",
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": "Low water",
        "article:published_time": f"{instance.now():%Y-%m-%dT%H:%M:%SZ}",
    }


def test_readers_tell_others_by_plain_links(instance: Instance, client: Client, mp3: Path) -> None:
    make_episode(instance, make_show(instance), mp3, "Salt & “water”", slug="salt")
    page = read(client, "/tide-tables/episodes/salt")
    address = "https://pod.example/tide-tables/episodes/salt"
    links = {urlsplit(href).hostname or href[:6]: href for href in page.values("a", "href")}
    for place in ("mailto", "wa.me", "t.me", "share.joinmastodon.org", "x.com", "www.linkedin.com"):
        told = unquote(links[place])
        assert address in told
        assert "Salt & “water”" in told or place == "www.linkedin.com"
        # A sign of ours in the title must not begin another parameter.
        assert "Salt & " not in links[place]


def test_a_show_that_moved_is_subscribed_to_where_it_went(
    instance: Instance, client: Client
) -> None:
    make_show(instance, new_feed_url="https://elsewhere.example/feed")
    page = read(client, "/tide-tables/")
    assert page.feeds == ["https://elsewhere.example/feed"]
    follow = read(client, "/tide-tables/follow")
    assert "https://elsewhere.example/feed" in follow.text
    assert "podcast://elsewhere.example/feed" in follow.values("a", "href")


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
        assert "To the show “Tide Tables”" in page.text
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
        ("/tides?utm=1", "/tides/?utm=1"),
        ("/tide-tables/episodes?page=1", "/tides/episodes?page=1"),
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
    monkeypatch.setattr(episodes, "EPISODES_PER_PAGE", 1)
    show = make_show(instance)
    for title in ("One", "Two", "Three"):
        make_episode(instance, show, mp3, title)
    path = "/tide-tables/episodes"
    pages = [read(client, path), read(client, f"{path}?page=2")]
    assert "Three" in pages[0].text
    assert "Two" in pages[1].text
    assert pages[0].values("a", "rel") == ["next"]
    assert pages[1].values("a", "rel") == ["prev", "next"]
    canonical = [page.link("canonical") for page in pages]
    assert canonical == [f"https://pod.example{path}", f"https://pod.example{path}?page=2"]
    for page in ("4", "0", "x", "-1", "9999999", "²"):
        read(client, f"{path}?page={page}", 404)


def test_a_further_page_of_a_label_says_where_it_is(
    instance: Instance, client: Client, mp3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(episodes, "EPISODES_PER_PAGE", 1)
    show = make_show(instance)
    for title in ("One", "Two"):
        make_episode(instance, show, mp3, title, labels=["salt"])
    page = read(client, "/tide-tables/episodes?label=salt&page=2")
    assert page.link("canonical") == "https://pod.example/tide-tables/episodes?label=salt&page=2"


@pytest.mark.parametrize("slug", ["%00", "a%00b", "%ed%a0%80", "x" * 3000, "..%2f..%2fetc"])
def test_impossible_names_are_not_found(instance: Instance, client: Client, slug: str) -> None:
    make_show(instance)
    assert client.get(f"/tide-tables/episodes/{slug}").status_code == 404
    assert client.get(f"/{slug}/").status_code == 404
