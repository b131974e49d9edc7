"""The feed: golden pairs, what directories require, what validators flag, and any text at all."""

import locale
import os
import re
import threading
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import feedparser
import msgspec
import podcastparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from podhost import __version__
from podhost.formats.categories import parse_category
from podhost.formats.chapters import Chapter
from podhost.formats.feed_shell import FULL_NOTES_EPISODES, FULL_NOTES_MAX_FEED_BYTES
from podhost.formats.feed_tags import (
    read_episode_tag,
    read_show_tag,
    stored_episode_tags,
    stored_show_tags,
)
from podhost.formats.feed_values import (
    FeedEpisode,
    FeedImage,
    FeedPerson,
    FeedShow,
    FeedTranscript,
)
from podhost.formats.introductions import NotesGuest, render_guests_html
from podhost.formats.markdown import render_notes
from podhost.formats.podcast_namespace import podcast_guid
from podhost.formats.rss import render_feed
from podhost.formats.tag_values import EpisodeTags, ShowTags, Txt
from podhost.formats.text import clean_text, plain_line, remove_forbidden, truncate_text

GOLDEN = Path(__file__).parent.parent / "golden"
NAMESPACES = {
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "podcast": "https://podcastindex.org/namespace/1.0",
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
}
NOON = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)


def make_show(**changes: Any) -> FeedShow:
    feed_url = "https://pod.example/tide/feed.xml"
    values: dict[str, Any] = {
        "title": "Tide Tables",
        "url": "https://pod.example/tide",
        "feed_url": feed_url,
        "description": "Harbour talk.",
        "language": "en",
        "author": "Pier Nine",
        "explicit": False,
        "show_type": "episodic",
        "categories": (("Society & Culture", "Places & Travel"),),
        "artwork_url": "https://pod.example/artwork/tide-3.jpg",
        "podcast_guid": podcast_guid(feed_url),
        "changed_at": NOON,
    }
    return FeedShow(**(values | changes))


def make_episode(index: int = 1, /, **changes: Any) -> FeedEpisode:
    values: dict[str, Any] = {
        "guid": f"guid-{index:05}",
        "title": f"Low water {index}",
        "published_at": NOON + timedelta(days=index),
        "url": f"https://pod.example/tide/episodes/{index}",
        "notes_html": "<p>With Ann Guest.</p>",
        "enclosure_url": f"https://pod.example/audio/{index}/1/low-water.mp3",
        "enclosure_size_bytes": 28_800_417,
        "enclosure_type": "audio/mpeg",
        "duration_seconds": 1800,
        "explicit": False,
    }
    return FeedEpisode(**(values | changes))


def parse(feed: bytes) -> Any:
    """Parse strictly: no recovery, no entities, no network."""
    parser = etree.XMLParser(recover=False, resolve_entities=False, no_network=True)
    return etree.fromstring(feed, parser)


def channel_of(show: FeedShow, *episodes: FeedEpisode) -> Any:
    return parse(render_feed(show, episodes))[0]


def item_of(episode: FeedEpisode, **show: Any) -> Any:
    return channel_of(make_show(**show), episode).find("item")


def texts(element: Any, path: str) -> list[str]:
    return [found.text for found in element.findall(path, NAMESPACES)]


def attribute(element: Any, path: str, name: str) -> str:
    return str(element.find(path, NAMESPACES).get(name))


def show_tags(given: dict[str, Any]) -> ShowTags:
    """The tags that these values are, as they come back from where they are kept."""
    kept = {name: read_show_tag(name, value) for name, value in given.items()}
    return stored_show_tags({name: value for name, value in kept.items() if value is not None})


def episode_tags(given: dict[str, Any]) -> EpisodeTags:
    """The same for an episode."""
    kept = {name: read_episode_tag(name, value) for name, value in given.items()}
    return stored_episode_tags({name: value for name, value in kept.items() if value is not None})


# Golden pairs. PODHOST_UPDATE_GOLDEN=1 rewrites the expected feeds; the diff is to be reviewed.


def golden_values(folder: Path) -> tuple[FeedShow, list[FeedEpisode]]:
    data = tomllib.loads((folder / "input.toml").read_text(encoding="utf-8"))
    values = {"podcast_guid": podcast_guid(data["show"]["feed_url"]), "generator": "podhost/golden"}
    values |= data["show"]
    values["categories"] = tuple(parse_category(name) for name in values["categories"])
    values["people"] = golden_people(values.pop("people", []))
    values["hub_urls"] = tuple(values.get("hub_urls", []))
    values["images"] = golden_images(values)
    values["tags"] = show_tags(values.pop("tags", {}))
    return FeedShow(**values), [golden_episode(item) for item in data.get("episodes", [])]


def golden_episode(values: dict[str, Any]) -> FeedEpisode:
    people = values.pop("people", [])
    guests = [
        NotesGuest(person["name"], person.get("url"), person.get("bio"))
        for person in people
        if person.get("role") == "guest"
    ]
    notes = render_notes(values.pop("notes"), base_url=values["url"])
    values["notes_html"] = render_guests_html(guests) + notes
    values["people"] = golden_people(people)
    transcripts = values.pop("transcripts", [])
    values["transcripts"] = tuple(FeedTranscript(**transcript) for transcript in transcripts)
    values["images"] = golden_images(values)
    values["inline_chapters"] = msgspec.convert(
        values.pop("inline_chapters", []), tuple[Chapter, ...]
    )
    values["tags"] = episode_tags(values.pop("tags", {}))
    return FeedEpisode(**values)


def golden_images(values: dict[str, Any]) -> tuple[FeedImage, ...]:
    return tuple(FeedImage(**image) for image in values.pop("images", []))


def golden_people(people: list[dict[str, str]]) -> tuple[FeedPerson, ...]:
    return tuple(
        FeedPerson(**{key: value for key, value in person.items() if key != "bio"})
        for person in people
    )


@pytest.mark.parametrize("name", sorted(path.parent.name for path in GOLDEN.glob("*/input.toml")))
def test_each_golden_show_renders_to_its_golden_feed(name: str) -> None:
    folder = GOLDEN / name
    feed = render_feed(*golden_values(folder))
    expected = folder / "expected.xml"
    if os.environ.get("PODHOST_UPDATE_GOLDEN"):
        expected.write_bytes(feed)
    assert feed.decode() == expected.read_bytes().decode()


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/expected.xml")), ids=lambda p: p.parent.name)
def test_feedparser_and_podcastparser_read_each_golden_feed_without_complaint(path: Path) -> None:
    feed = path.read_bytes()
    show, episodes = golden_values(path.parent)
    parsed = feedparser.parse(BytesIO(feed))
    assert not parsed.bozo, parsed.get("bozo_exception")
    assert {entry.id for entry in parsed.entries} == {episode.guid for episode in episodes}
    podcast = podcastparser.parse("https://pod.example/feed.xml", BytesIO(feed))
    assert podcast["title"] == plain_line(show.title)
    assert len(podcast["episodes"]) == len(episodes)


# What RSS 2.0, Apple, Spotify and PSP-1 require or recommend.


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("title", "Tide Tables"),
        ("link", "https://pod.example/tide"),
        ("description", "Harbour talk."),
        ("language", "en"),
        ("pubDate", "Wed, 06 Mar 2024 12:00:00 GMT"),
        ("lastBuildDate", "Tue, 05 Mar 2024 12:00:00 GMT"),
        ("generator", f"podhost/{__version__}"),
        ("ttl", "60"),
        ("image/url", "https://pod.example/artwork/tide-3.jpg"),
        ("image/title", "Tide Tables"),
        ("image/link", "https://pod.example/tide"),
        ("itunes:author", "Pier Nine"),
        ("itunes:explicit", "false"),
        ("itunes:type", "episodic"),
        ("podcast:guid", "3d0081c1-3f7e-5e34-a9ff-ad9c24a01dc5"),
        ("podcast:locked", "yes"),
        ("podcast:medium", "podcast"),
        ("item/title", "Low water 1"),
        ("item/link", "https://pod.example/tide/episodes/1"),
        ("item/guid", "guid-00001"),
        ("item/pubDate", "Wed, 06 Mar 2024 12:00:00 GMT"),
        ("item/description", "<p>With Ann Guest.</p>"),
        ("item/content:encoded", "<p>With Ann Guest.</p>"),
        ("item/itunes:duration", "1800"),
        ("item/itunes:explicit", "false"),
        ("item/itunes:episodeType", "full"),
        ("item/itunes:season", "2"),
        ("item/itunes:episode", "7"),
        ("item/podcast:season", "2"),
        ("item/podcast:episode", "7"),
        ("item/podcast:person", "Pia Port"),
    ],
)
def test_the_feed_has_every_required_element_once(path: str, expected: str) -> None:
    episode = make_episode(season=2, number=7, people=(FeedPerson("Pia Port"),))
    assert texts(channel_of(make_show(), episode), path) == [expected]


@pytest.mark.parametrize(
    ("path", "attributes"),
    [
        (
            "atom:link[@rel='self']",
            {
                "href": "https://pod.example/tide/feed.xml",
                "rel": "self",
                "type": "application/rss+xml",
            },
        ),
        ("atom:link[@rel='hub']", {"href": "https://hub.example/", "rel": "hub"}),
        ("itunes:image", {"href": "https://pod.example/artwork/tide-3.jpg"}),
        ("itunes:category", {"text": "Society & Culture"}),
        ("itunes:category/itunes:category", {"text": "Places & Travel"}),
        ("item/guid", {"isPermaLink": "false"}),
        (
            "item/enclosure",
            {
                "url": "https://pod.example/audio/1/1/low-water.mp3",
                "length": "28800417",
                "type": "audio/mpeg",
            },
        ),
        ("item/itunes:image", {"href": "https://pod.example/artwork/e-1.png"}),
        ("item/podcast:season", {"name": "Winter"}),
        (
            "item/podcast:person",
            {
                "role": "guest",
                "group": "cast",
                "img": "https://ann.example/me.jpg",
                "href": "https://ann.example/",
            },
        ),
        (
            "item/podcast:transcript",
            {"url": "https://pod.example/t/1.vtt", "type": "text/vtt", "language": "en-us"},
        ),
        (
            "item/podcast:chapters",
            {"url": "https://pod.example/c/1.json", "type": "application/json+chapters"},
        ),
    ],
)
def test_the_feed_has_every_required_attribute_and_no_other(
    path: str, attributes: dict[str, str]
) -> None:
    ann = FeedPerson("Ann", "guest", "cast", "https://ann.example/", "https://ann.example/me.jpg")
    episode = make_episode(
        season=1,
        season_name="Winter",
        people=(ann,),
        artwork_url="https://pod.example/artwork/e-1.png",
        transcripts=(FeedTranscript("https://pod.example/t/1.vtt", "text/vtt", "en-US"),),
        chapters_url="https://pod.example/c/1.json",
    )
    channel = channel_of(make_show(hub_urls=("https://hub.example/",)), episode)
    assert [dict(found.attrib) for found in channel.findall(path, NAMESPACES)] == [attributes]


def test_it_opens_with_the_declaration_and_declares_each_namespace_once_on_the_root() -> None:
    feed = render_feed(make_show(), [make_episode(people=(FeedPerson("Pia"),))])
    assert feed.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<rss ')
    assert feed.count(b"xmlns") == len(NAMESPACES)
    root = parse(feed)
    assert root.nsmap == NAMESPACES
    assert root.get("version") == "2.0"
    assert [child.tag for child in root] == ["channel"]
    assert {element.prefix for element in root.iter()} == {
        None,
        "itunes",
        "podcast",
        "atom",
        "content",
    }


def test_everything_of_the_channel_precedes_its_items() -> None:
    channel = channel_of(make_show(), make_episode(1), make_episode(2))
    assert [child.tag for child in channel][-2:] == ["item", "item"]
    assert channel[0].tag == "title"


def test_items_come_newest_first_and_by_guid_where_the_dates_are_equal() -> None:
    same = [make_episode(9, guid="b"), make_episode(8, guid="a", published_at=NOON + timedelta(9))]
    episodes = [make_episode(1), *same, make_episode(3)]
    feed = render_feed(make_show(), episodes)
    assert texts(parse(feed)[0], "item/guid") == ["a", "b", "guid-00003", "guid-00001"]
    assert render_feed(make_show(), episodes[::-1]) == feed


def test_the_description_precedes_the_whole_notes() -> None:
    tags = [child.tag for child in item_of(make_episode())]
    assert tags.index("description") < tags.index(f"{{{NAMESPACES['content']}}}encoded")


def test_notes_are_cdata_and_the_shows_description_is_plain_text() -> None:
    feed = render_feed(make_show(description="<p>Rum &amp; tide</p>"), [make_episode()])
    assert b"<description>Rum &amp; tide</description>" in feed
    assert b"<description><![CDATA[<p>With Ann Guest.</p>]]></description>" in feed
    assert b"<content:encoded><![CDATA[<p>With Ann Guest.</p>]]></content:encoded>" in feed


def test_switches_that_are_off_leave_no_tag_behind() -> None:
    feed = render_feed(make_show(), [make_episode()]).decode()
    for absent in ("block", "complete", "new-feed-url", "owner", "txt", "copyright", "keywords"):
        assert absent not in feed


def test_switches_that_are_on_say_the_only_words_that_have_an_effect() -> None:
    show = make_show(is_blocked=True, is_complete=True, is_locked=False, explicit=True)
    channel = channel_of(show, make_episode(is_blocked=True, explicit=True))
    assert texts(channel, "itunes:block") == ["Yes"]
    assert texts(channel, "podcast:block") == ["yes"]
    assert texts(channel, "itunes:complete") == ["Yes"]
    assert texts(channel, "podcast:locked") == ["no"]
    assert texts(channel, "itunes:explicit") == ["true"]
    assert texts(channel, "item/itunes:block") == ["Yes"]
    assert texts(channel, "item/itunes:explicit") == ["true"]


def test_an_address_of_mail_is_published_only_where_the_host_gave_one() -> None:
    owned = ShowTags(locked_owner="lock@pod.example")
    show = make_show(owner_email="pia@pod.example", tags=owned)
    channel = channel_of(show)
    assert texts(channel, "itunes:owner/itunes:email") == ["pia@pod.example"]
    assert texts(channel, "itunes:owner/itunes:name") == ["Pier Nine"]
    assert attribute(channel, "podcast:locked", "owner") == "lock@pod.example"
    assert b"@" not in render_feed(make_show(), [make_episode()])


def test_a_show_without_episodes_has_no_publication_date() -> None:
    assert channel_of(make_show()).find("pubDate") is None


def test_at_most_three_categories_are_named() -> None:
    categories = (("Arts", None), ("Arts", "Food"), ("History", None), ("News", None))
    channel = channel_of(make_show(categories=categories))
    found = [element.get("text") for element in channel.findall("itunes:category", NAMESPACES)]
    assert found == ["Arts", "Arts", "History"]


def test_a_trailer_is_named_by_the_show_too() -> None:
    trailer = make_episode(3, episode_type="trailer", season=2, title="Soon")
    tag = channel_of(make_show(), trailer).find("podcast:trailer", NAMESPACES)
    assert tag.text == "Soon"
    assert dict(tag.attrib) == {
        "pubdate": "Fri, 08 Mar 2024 12:00:00 GMT",
        "url": trailer.enclosure_url,
        "length": "28800417",
        "type": "audio/mpeg",
        "season": "2",
    }


def test_the_author_of_an_episode_is_named_only_where_it_is_another() -> None:
    assert texts(item_of(make_episode(author="Guest Host")), "itunes:author") == ["Guest Host"]
    assert texts(item_of(make_episode(author=" Pier  Nine ")), "itunes:author") == []


def test_a_proof_of_ownership_stands_in_podcast_txt() -> None:
    channel = channel_of(
        make_show(tags=ShowTags(txt=(Txt(purpose="applepodcastsverify", text="abc-123"),)))
    )
    assert texts(channel, "podcast:txt") == ["abc-123"]
    assert attribute(channel, "podcast:txt", "purpose") == "applepodcastsverify"


# What validators flag.


def test_dates_are_rfc_822_in_gmt_with_the_right_weekday() -> None:
    zone = timezone(timedelta(hours=5, minutes=45))
    moment = datetime(2024, 2, 29, 23, 5, 9, 999_999, tzinfo=zone)
    channel = channel_of(make_show(changed_at=moment), make_episode(published_at=moment))
    for path in ("pubDate", "lastBuildDate", "item/pubDate"):
        (date,) = texts(channel, path)
        assert date == "Thu, 29 Feb 2024 17:20:09 GMT"
        assert parsedate_to_datetime(date) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_show(changed_at=datetime(2024, 1, 1)),
        lambda: make_episode(published_at=datetime(2024, 1, 1)),
        lambda: make_episode(guid=" "),
        lambda: make_episode(guid="\x00"),
        lambda: make_episode(enclosure_size_bytes=-1),
        lambda: make_episode(enclosure_type="mp3"),
        lambda: make_episode(enclosure_type=""),
        lambda: make_episode(duration_seconds=-1),
        lambda: make_episode(duration_seconds=float("nan")),
        lambda: make_episode(number=0),
        lambda: make_episode(season=0),
        lambda: make_episode(episode_type="Full"),
        lambda: make_show(show_type="serials"),
        lambda: make_show(medium="pod"),
        lambda: make_show(language="english"),
        lambda: make_show(categories=()),
        lambda: make_show(categories=(("society & culture", None),)),
        lambda: make_show(categories=(("Arts", "Tennis"),)),
        lambda: make_show(categories=(("Tennis", None),)),
        lambda: FeedTranscript("https://pod.example/t.vtt", "vtt"),
    ],
)
def test_a_value_that_no_directory_reads_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        make()


def test_two_episodes_never_share_a_guid_or_an_enclosure() -> None:
    with pytest.raises(ValueError, match="same guid: 'x'"):
        render_feed(make_show(), [make_episode(1, guid="x"), make_episode(2, guid="x\x00")])
    url = "https://pod.example/audio/1/1/a.mp3"
    with pytest.raises(ValueError, match="same enclosure"):
        render_feed(
            make_show(), [make_episode(1, enclosure_url=url), make_episode(2, enclosure_url=url)]
        )


def test_a_guid_is_called_a_permalink_only_where_it_is_an_address() -> None:
    address = make_episode(guid="https://old.example/?p=8", guid_is_permalink=True)
    assert attribute(item_of(address), "guid", "isPermaLink") == "true"
    word = make_episode(guid="8", guid_is_permalink=True)
    assert attribute(item_of(word), "guid", "isPermaLink") == "false"


def test_a_guid_from_elsewhere_is_printed_as_it_came() -> None:
    guid = " Tag:OLD.example,2009:/Á\r\n%7e" + "x" * 300
    assert texts(item_of(make_episode(guid=guid)), "guid") == [guid]


@pytest.mark.parametrize("path", ["title", "image/title", "itunes:author", "copyright"])
def test_plain_fields_of_the_show_hold_no_html(path: str) -> None:
    pasted = "<b>Rock</b> &amp; <a href='x'>Roll</a><br/>&nbsp;Radio"
    show = make_show(title=pasted, author=pasted, copyright=pasted)
    assert texts(channel_of(show), path) == ["Rock & Roll \xa0Radio"]


@pytest.mark.parametrize(
    "path", ["title", "itunes:author", "podcast:person", "podcast:season/@name"]
)
def test_plain_fields_of_an_episode_hold_no_html(path: str) -> None:
    pasted = "<em>Rock</em> &amp;amp; Roll"
    people = (FeedPerson(pasted),)
    episode = make_episode(title=pasted, author=pasted, people=people, season=1, season_name=pasted)
    path, _, name = path.partition("/@")
    item = item_of(episode)
    assert (attribute(item, path, name) if name else texts(item, path)[0]) == "Rock & Roll"


def test_notes_reach_the_feed_without_scripts_styles_or_relative_addresses() -> None:
    source = (
        "<script>a()</script><style>p{}</style><iframe src='https://e.example'></iframe>\n\n"
        "[rel](/path) [js](javascript:a()) <p onclick='a()' style='color:red'>x</p>\n\n"
        "<form><input></form><object></object><embed src='https://e.example/x.swf'>"
    )
    notes = render_notes(source, base_url="https://pod.example/tide/episodes/1")
    item = item_of(make_episode(notes_html=notes))
    for path in ("description", "content:encoded"):
        (text,) = texts(item, path)
        assert re.findall(r"<([a-z0-9]+)", text) == ["p", "a", "p"]
        assert re.findall(r"[a-z]+=\"[^\"]*\"", text) == ['href="https://pod.example/path"']


@pytest.mark.parametrize(
    "change",
    ["url", "feed_url", "artwork_url", "new_feed_url"],
)
@pytest.mark.parametrize(
    "address", ["/tide", "tide", "//pod.example/x", "ftp://pod.example/", "x:y"]
)
def test_a_relative_address_of_a_show_is_refused(change: str, address: str) -> None:
    with pytest.raises(ValueError):
        render_feed(make_show(**{change: address}), [])


@pytest.mark.parametrize("change", ["url", "enclosure_url", "artwork_url", "chapters_url"])
def test_a_relative_address_of_an_episode_is_refused(change: str) -> None:
    with pytest.raises(ValueError):
        render_feed(make_show(), [make_episode(**{change: "/tide"})])


def test_relative_addresses_of_hubs_people_and_transcripts_are_refused() -> None:
    for show in (
        make_show(hub_urls=("/hub",)),
        make_show(people=(FeedPerson("Pia", url="/pia"),)),
        make_show(people=(FeedPerson("Pia", image_url="pia.jpg"),)),
    ):
        with pytest.raises(ValueError):
            render_feed(show, [])
    with pytest.raises(ValueError):
        render_feed(make_show(), [make_episode(transcripts=(FeedTranscript("t.vtt", "text/vtt"),))])


def test_addresses_are_percent_encoded_ascii_and_otherwise_untouched() -> None:
    channel = channel_of(
        make_show(url="https://pod.example/ä b", feed_url="https://P.example/?a=1&b=%7E")
    )
    assert texts(channel, "link") == ["https://pod.example/%C3%A4%20b"]
    assert texts(channel, "image/link") == ["https://pod.example/%C3%A4%20b"]
    assert attribute(channel, "atom:link", "href") == "https://P.example/?a=1&b=%7E"


def test_the_language_is_lower_case() -> None:
    assert texts(channel_of(make_show(language="pt-BR")), "language") == ["pt-br"]


@pytest.mark.parametrize("char", ["x", "ä", "日", "👍"])
def test_values_longer_than_255_characters_end_in_an_ellipsis(char: str) -> None:
    long = char * 300
    channel = channel_of(
        make_show(title=long, author=long, copyright=long), make_episode(title=long)
    )
    for path in ("title", "image/title", "itunes:author", "copyright", "item/title"):
        assert texts(channel, path) == [char * 254 + "…"]


def test_labels_of_the_podcast_namespace_end_after_128_characters() -> None:
    long = "x" * 300
    people = (FeedPerson(long),)
    episode = make_episode(
        people=people, season=1, season_name=long, episode_type="trailer", title=long
    )
    channel = channel_of(make_show(people=people), episode)
    assert len(channel.find("podcast:person", NAMESPACES).text) == 128
    assert len(channel.find("podcast:trailer", NAMESPACES).text) == 128
    assert len(attribute(channel, "item/podcast:season", "name")) == 128


@pytest.mark.parametrize("char", ["x", "ä", "日", "👍", "&amp;"])
def test_descriptions_hold_4000_bytes_with_all_tags_closed(char: str) -> None:
    notes = f"<p><b>{char * 5000}</b></p><p>The end.</p>"
    show = make_show(description=char * 5000)
    channel = channel_of(show, make_episode(notes_html=notes))
    (of_show,), (of_episode,) = texts(channel, "description"), texts(channel, "item/description")
    assert 3900 < len(of_show.encode()) <= 4000 and of_show.endswith("…")
    assert 3900 < len(of_episode.encode()) <= 4000 and of_episode.endswith("…</b></p>")
    etree.fromstring(of_episode)
    assert texts(channel, "item/content:encoded") == [notes]


def test_an_episode_without_notes_is_described_by_its_title() -> None:
    item = item_of(make_episode(title="Rum & tide", notes_html=" \x00"))
    assert texts(item, "description") == ["<p>Rum &amp; tide</p>"]
    assert texts(item, "content:encoded") == []


def test_a_duration_is_whole_seconds_and_never_zero() -> None:
    for seconds, printed in ((0, "1"), (0.4, "1"), (59.6, "60"), (5400, "5400")):
        item = item_of(make_episode(duration_seconds=seconds))
        assert texts(item, "itunes:duration") == [printed]


def test_a_person_without_a_name_is_left_out() -> None:
    assert texts(item_of(make_episode(people=(FeedPerson(" \x07"),))), "podcast:person") == []


def test_a_transcript_in_no_known_language_is_in_the_shows() -> None:
    transcripts = (FeedTranscript("https://pod.example/t/1.vtt", "text/vtt", "klingon"),)
    tag = item_of(make_episode(transcripts=transcripts)).find("podcast:transcript", NAMESPACES)
    assert "language" not in tag.attrib


# Byte for byte the same, whatever else the process does.


def test_the_same_values_give_the_same_bytes_in_many_threads() -> None:
    show, episodes = make_show(), [make_episode(number) for number in range(50)]
    expected = render_feed(show, episodes)
    feeds: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: feeds.append(render_feed(show, episodes))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert feeds == [expected] * 4


def test_it_never_switches_the_locale_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("setlocale is not safe in threads")

    monkeypatch.setattr(locale, "setlocale", refuse)
    render_feed(make_show(), [make_episode()])


# Size.


def test_a_feed_over_two_megabytes_keeps_whole_notes_for_its_newest_hundred() -> None:
    notes = "<p>" + "tide " * 800 + "</p>"
    episodes = [make_episode(number, notes_html=notes) for number in range(400)]
    feed = render_feed(make_show(), episodes)
    items = parse(feed)[0].findall("item")
    with_notes = [item.find("content:encoded", NAMESPACES) is not None for item in items]
    assert with_notes == [True] * FULL_NOTES_EPISODES + [False] * (400 - FULL_NOTES_EPISODES)
    assert all(item.findtext("description") for item in items)


def test_a_feed_under_two_megabytes_keeps_all_notes() -> None:
    feed = render_feed(make_show(), [make_episode(number) for number in range(400)])
    assert len(feed) < FULL_NOTES_MAX_FEED_BYTES
    assert len(parse(feed)[0].findall("item/content:encoded", NAMESPACES)) == 400


def test_five_thousand_episodes_render_and_parse() -> None:
    people = (FeedPerson("Pia Port"), FeedPerson("Ann", "guest", url="https://ann.example/"))
    notes = "<p>" + "Low water. " * 20 + "</p>"
    episodes = [make_episode(n, notes_html=notes, people=people) for n in range(1, 5001)]
    feed = render_feed(make_show(), episodes)
    guids = texts(parse(feed)[0], "item/guid")
    assert guids == [f"guid-{number:05}" for number in range(5000, 0, -1)]


# Any text in any field.

anything = st.text(st.characters(exclude_categories=()), max_size=300) | st.lists(
    st.sampled_from(
        [
            "]]>",
            "<![CDATA[",
            "&",
            "&amp;",
            "<b>",
            "</b>",
            "<!--",
            "-->",
            "\x0b",
            "\ud800",
            "\r",
            "é",
        ]
    ),
    max_size=12,
).map("".join)


@given(st.lists(anything, min_size=8, max_size=8))
def test_any_text_of_a_show_gives_a_well_formed_feed_that_says_it(words: list[str]) -> None:
    title, description, author, holder, owner, email, name, role = words
    show = make_show(
        title=title,
        description=description,
        author=author,
        copyright=holder,
        owner_name=owner,
        owner_email=email,
        people=(FeedPerson(name, role, role),),
        generator=holder,
    )
    channel = channel_of(show)
    assert texts(channel, "title") == [line(title) or "Untitled"]
    assert texts(channel, "itunes:author") == [line(author)] * bool(line(author))
    assert texts(channel, "copyright") == [line(holder)] * bool(line(holder))
    assert texts(channel, "itunes:owner/itunes:email") == [line(email)] * bool(line(email))
    person = truncate_text(plain_line(name), 128)
    assert texts(channel, "podcast:person") == [person] * bool(person)
    if person:
        assert attribute(channel, "podcast:person", "role") == plain_line(role)


@given(st.lists(anything, min_size=6, max_size=6))
def test_any_text_of_an_episode_gives_a_well_formed_feed_that_says_it(words: list[str]) -> None:
    guid, title, notes, author, season, name = words
    episode = make_episode(
        guid=f"g{guid}",
        title=title,
        notes_html=notes,
        author=author,
        season=1,
        season_name=season,
        people=(FeedPerson(name, name, name),),
        transcripts=(FeedTranscript("https://pod.example/t", "text/vtt", name or None, season),),
    )
    item = item_of(episode)
    assert texts(item, "guid") == [remove_forbidden(f"g{guid}")]
    assert texts(item, "title") == [line(title) or "Untitled"]
    assert texts(item, "content:encoded") == [clean_text(notes)] * bool(clean_text(notes))
    label = truncate_text(plain_line(season), 128)
    assert item.find("podcast:season", NAMESPACES).get("name", "") == label


@given(anything)
def test_any_address_is_refused_or_printed_as_ascii(text: str) -> None:
    show = make_show()
    for address in (text, f"https://{text}", f"https://pod.example/{text}"):
        try:
            feed = render_feed(replace(show, url=address), [])
        except ValueError:
            continue
        (link,) = texts(parse(feed)[0], "link")
        assert re.fullmatch(r"https?://[!-~]+", link)


@given(anything)
def test_feedparser_never_complains(text: str) -> None:
    episode = make_episode(title=text, notes_html=render_notes(text), season=1, season_name=text)
    feed = render_feed(make_show(title=text, description=text), [episode])
    assert not feedparser.parse(BytesIO(feed)).bozo


def line(text: str) -> str:
    return truncate_text(plain_line(text), 255)
