"""Optional feed tags: what each may say, what is refused and with which words, and any value."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.errors import Invalid
from podhost.formats.chapters import Chapter
from podhost.formats.feed_tags import (
    EPISODE_TAGS,
    SHOW_TAGS,
    check_soundbites,
    read_episode_tag,
    read_show_tag,
    stored_episode_tags,
    stored_show_tags,
)
from podhost.formats.feed_words import NAMESPACES as KNOWN_NAMESPACES
from podhost.formats.rss import render_feed
from podhost.formats.tag_values import NO_EPISODE_TAGS, NO_SHOW_TAGS
from podhost.formats.text import plain_line, plain_text
from tests.formats.test_rss import (
    NAMESPACES,
    channel_of,
    episode_tags,
    make_episode,
    make_show,
    show_tags,
    texts,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "every-tag" / "input.toml"
GUID = "917393e3-1b1e-5cef-ace4-edaa54e1f810"
URL = "https://tide.example/"
LIVE = {
    "guid": "a",
    "title": "Ebb",
    "start": "2030-01-01T19:00:00Z",
    "content_links": [{"href": URL, "text": "Hear"}],
}
# As it is told: with all that was not said.
KEPT_LIVE = LIVE | {
    "status": "pending",
    **dict.fromkeys(("end", "description", "link", "image_url", "enclosure", "chat")),
    "alternate_enclosures": [],
    "people": [],
}
RECIPIENT = {"type": "node", "address": "02d5", "split": 1}
MONEY = {"type": "lightning", "method": "keysend", "recipients": [RECIPIENT]}
SRI = "sha256-" + "A" * 43 + "="
SOURCES = [{"uri": URL}]
SECRET = "2f1c7a90e4b35d6848fa"

# Name, what is given, what is kept.
TAKEN: list[tuple[str, Any, Any]] = [
    ("locked_owner", " Ann@tide.example ", "Ann@tide.example"),
    ("txt", [{"text": " S6\nlpp "}], [{"text": "S6\nlpp"}]),
    ("funding", [{"url": URL, "label": "<b>Give</b>"}], [{"url": URL, "label": "Give"}]),
    ("funding", [{"url": URL, "label": ""}], [{"url": URL}]),
    (
        "location",
        [{"name": "Lisbon", "geo": "38.7, -9.1"}],
        [{"name": "Lisbon", "geo": "geo:38.7,-9.1"}],
    ),
    (
        "location",
        [{"name": "A", "rel": "Creator", "osm": "r1#2", "country": "pt"}],
        [{"name": "A", "rel": "creator", "osm": "R1#2", "country": "PT"}],
    ),
    ("license", {"name": "cc-by-nc-sa-4.0"}, {"name": "cc-by-nc-sa-4.0"}),
    ("license", {"name": "Ours", "url": URL}, {"name": "Ours", "url": URL}),
    ("value", MONEY | {"suggested": 0.00000005}, MONEY | {"suggested": "0.00000005"}),
    ("images", True, True),
    ("images", False, None),
    ("artwork_alt", " Two  gulls ", "Two gulls"),
    ("platform_blocks", [{"id": "Amazon"}], [{"id": "amazon"}]),
    ("platform_blocks", [{"id": "google", "block": False}], [{"id": "google", "block": False}]),
    ("update_frequency", {"rrule": "RRULE:freq=weekly;"}, {"rrule": "FREQ=WEEKLY"}),
    ("update_frequency", {"rrule": "FREQ=WEEKLY; BYDAY=MO"}, {"rrule": "FREQ=WEEKLY;BYDAY=MO"}),
    ("update_frequency", {"complete": True}, {"complete": True}),
    ("podroll", [{"feed_guid": GUID.upper()}], [{"feed_guid": GUID}]),
    (
        "publisher",
        {"feed_guid": GUID, "medium": "publisher"},
        {"feed_guid": GUID, "medium": "publisher"},
    ),
    (
        "remote_items",
        [{"feed_guid": GUID, "medium": "musicl"}],
        [{"feed_guid": GUID, "medium": "musicL"}],
    ),
    (
        "chat",
        {"server": "irc.example", "protocol": "IRC"},
        {"server": "irc.example", "protocol": "irc"},
    ),
    (
        "social_interact",
        [{"protocol": "nostr", "uri": "nostr:note1"}],
        [{"protocol": "nostr", "uri": "nostr:note1"}],
    ),
    ("social_interact", [{"protocol": "disabled"}], [{"protocol": "disabled"}]),
    ("inline_chapters", True, True),
    ("spotify_limit", 50, 50),
    ("spotify_countries", ["se", ""], ["SE"]),
    (
        "media_restriction",
        {"relationship": "Deny", "countries": ["AQ"]},
        {"relationship": "deny", "countries": ["AQ"]},
    ),
    ("live_items", [LIVE], [KEPT_LIVE]),
    (
        "live_items",
        [LIVE | {"start": "2030-01-01T19:00+00:00", "end": "20300102T0100+0530", "chat": None}],
        [KEPT_LIVE | {"end": "2030-01-02T01:00:00+05:30"}],
    ),
    ("live_items", [LIVE | {"status": "Live"}], [KEPT_LIVE | {"status": "live"}]),
    ("apple_title", " <i>Low</i> water ", "Low water"),
    ("managing_editor", "ed@tide.example (Ed  Itor)", "ed@tide.example (Ed Itor)"),
    ("web_master", "web@tide.example (W)", "web@tide.example (W)"),
    ("decimal_number", 100.5, "100.5"),
    ("decimal_number", 3, "3"),
    ("decimal_number", "0", "0"),
    ("decimal_number", " 007.50 ", "7.50"),
    (
        "txt",
        [{"purpose": "ai-content", "text": "true"}],
        [{"purpose": "ai-content", "text": "true"}],
    ),
    (
        "other_images",
        [{"href": URL, "aspect_ratio": "16/9", "width": 1600, "purpose": "social"}],
        [{"href": URL, "aspect_ratio": "16/9", "width": 1600, "purpose": "social"}],
    ),
    ("episode_display", "Ch. 3", "Ch. 3"),
    ("soundbites", [{"start": 0, "duration": 1.00049}], [{"start": 0.0, "duration": 1.0}]),
    (
        "alternate_enclosures",
        [{"type": "Audio/Opus", "sources": SOURCES}],
        [{"type": "audio/opus", "sources": SOURCES}],
    ),
    (
        "foreign_tags",
        [" <a:b xmlns:a='urn:a' z='1' y='&lt;'>\n <a:c></a:c> <!-- no --></a:b> "],
        ['<a:b xmlns:a="urn:a" y="&lt;" z="1"><a:c/></a:b>'],
    ),
    (
        "foreign_tags",
        ['<pc:next xmlns:pc="https://podcastindex.org/namespace/1.0"><![CDATA[A & B]]></pc:next>'],
        [
            '<podcast:next xmlns:podcast="https://podcastindex.org/namespace/1.0">'
            "A &amp; B</podcast:next>"
        ],
    ),
    ("content_links", [{"href": URL, "text": "Watch"}], [{"href": URL, "text": "Watch"}]),
    ("labels", [" Live  Show", ""], ["live show"]),
    ("feed_page_size", 50, 50),
    ("feed_page_size", 0, None),
    ("slim_after", 1, 1),
    (
        "feeds",
        [{"name": "Season-2", "seasons": ["2"], "labels": ["Live"], "media": "Audio"}],
        [{"name": "season-2", "seasons": [2], "labels": ["live"], "media": "audio"}],
    ),
    ("feeds", [{"name": SECRET, "early_hours": 24}], [{"name": SECRET, "early_hours": 24}]),
]

# Name, what is given, where it is wrong, a word of the sentence.
REFUSED: list[tuple[str, Any, str, str]] = [
    ("locked_owner", "ann at tide.example", "", "e-mail"),
    ("locked_owner", ["ann@tide.example"], "", "text"),
    ("live_items", [LIVE | {"start": "2030-01-01"}], "[0].start", "zone"),
    ("live_items", [LIVE | {"start": "2030-01-01T19:00:00"}], "[0].start", "zone"),
    ("live_items", [LIVE | {"start": "tomorrow"}], "[0].start", "zone"),
    ("live_items", [LIVE | {"end": "2030-01-01T20:00:00+01:00"}], "[0].end", "later"),
    ("live_items", [LIVE | {"content_links": []}], "[0].content_links", "empty"),
    ("live_items", [{"guid": "a"}], "[0].title", "missing"),
    ("live_items", [LIVE | {"status": "over"}], "[0].status", "ended"),
    ("live_items", [LIVE | {"guid": "two words"}], "[0].guid", "spaces"),
    ("live_items", [LIVE | {"guid": "x" * 101}], "[0].guid", "100"),
    ("live_items", [LIVE, LIVE], "[1].guid", "another stream"),
    (
        "live_items",
        [LIVE | {"people": [{"name": "Ann", "role": "xyzzy"}]}],
        "[0].people[0].role",
        "Podcast Taxonomy",
    ),
    (
        "live_items",
        [LIVE | {"enclosure": {"url": URL, "type": "mp3"}}],
        "[0].enclosure.type",
        "media type",
    ),
    ("txt", [{"text": "x" * 4001}], "[0].text", "4001 characters"),
    ("txt", [{"purpose": "verify"}], "[0].text", "missing"),
    ("txt", [{"text": "a", "purpose": "x" * 129}], "[0].purpose", "128"),
    ("funding", [{"url": "tide.example"}], "[0].url", "https://"),
    ("funding", [{"url": "javascript:alert(1)"}], "[0].url", "https://"),
    ("funding", [{"url": ""}], "[0].url", "empty"),
    ("funding", [{"url": URL}] * 201, "", "200"),
    ("funding", {"url": URL}, "", "a list"),
    ("location", [{"name": "A", "geo": "geo:91,0"}], "[0].geo", "latitude"),
    ("location", [{"name": "A", "osm": "5400890"}], "[0].osm", "OpenStreetMap"),
    ("location", [{"name": "A", "country": "Portugal"}], "[0].country", "two letters"),
    ("location", [{"name": "A", "rel": "home"}], "[0].rel", "creator"),
    ("license", {"name": "Ours"}, ".url", "needed"),
    ("license", {"name": "CC-BY-4.0 or ours"}, ".url", "needed"),
    ("license", {"name": "x" * 129, "url": URL}, ".name", "128"),
    ("value", MONEY | {"recipients": []}, ".recipients", "empty"),
    ("value", MONEY | {"recipients": [RECIPIENT | {"split": 0}]}, ".recipients", "share"),
    ("value", MONEY | {"recipients": [RECIPIENT | {"split": -1}]}, ".recipients[0].split", "0 to"),
    ("value", MONEY | {"suggested": "much"}, ".suggested", "amount"),
    ("platform_blocks", [{"id": "a b"}], "[0].id", "one word"),
    ("platform_blocks", [{"id": "a"}, {"id": "A"}], "", "twice"),
    ("update_frequency", {"dtstart": "2024-03-04"}, "", "label"),
    ("update_frequency", {"rrule": "FREQ=DAILY;COUNT=3"}, ".dtstart", "needed"),
    ("update_frequency", {"rrule": "every Monday"}, ".rrule", "calendars"),
    ("update_frequency", {"rrule": "FREQ=DAILY;UNTIL=1;COUNT=2"}, ".rrule", "calendars"),
    ("update_frequency", {"label": "A", "dtstart": "Monday"}, ".dtstart", "2026-03-01"),
    ("podroll", [{"feed_guid": "ebb"}], "[0].feed_guid", "UUID"),
    ("podroll", [{"feed_guid": GUID, "item_guid": "a\nb"}], "[0].item_guid", "one line"),
    ("publisher", {"feed_guid": GUID, "medium": "music"}, ".medium", "publisher"),
    ("remote_items", [{"feed_guid": GUID, "medium": "tape"}], "[0].medium", "podcast"),
    ("chat", {"server": "irc.example"}, ".protocol", "missing"),
    ("chat", {"server": "", "protocol": "irc"}, ".server", "empty"),
    ("social_interact", [{"protocol": "nostr"}], "[0].uri", "needed"),
    ("social_interact", [{"protocol": "nostr", "uri": "javascript:x"}], "[0].uri", "address"),
    ("social_interact", [{"protocol": "disabled", "uri": URL}], "[0]", "disabled"),
    ("social_interact", [{"protocol": "a", "uri": URL, "priority": -1}], "[0].priority", "0"),
    ("spotify_limit", 0, "", "1 to"),
    ("spotify_countries", ["SWE"], "[0]", "two letters"),
    ("media_restriction", {"relationship": "deny", "countries": []}, ".countries", "empty"),
    ("media_restriction", {"relationship": "ask", "countries": ["AQ"]}, ".relationship", "deny"),
    ("images", "perhaps", "", "true or false"),
    ("txt", [{"purpose": "ai-content", "text": "some"}], "[0].text", "true or false"),
    ("txt", [{"purpose": "verify", "text": "a\nb"}], "[0].text", "one line"),
    ("apple_title", "x" * 256, "", "255"),
    ("managing_editor", "ed@tide.example", "", "a name"),
    ("managing_editor", "Ed (ed@tide.example)", "", "a mail address"),
    ("web_master", "web@tide (Web)", "", "a mail address"),
    ("decimal_number", "ten", "", "100.5"),
    ("decimal_number", -1, "", "100.5"),
    ("decimal_number", 1e22, "", "100.5"),
    ("other_images", [{"href": "wide.jpg"}], "[0].href", "https://"),
    ("other_images", [{"href": URL, "aspect_ratio": "wide"}], "[0].aspect_ratio", "16/9"),
    ("other_images", [{"href": URL, "width": 0}], "[0].width", "1 to"),
    ("other_images", [{"href": URL, "purpose": "x" * 129}], "[0].purpose", "128"),
    ("episode_display", "x" * 33, "", "32"),
    ("soundbites", [{"start": -1, "duration": 1}], "[0].start", "seconds"),
    ("soundbites", [{"start": 0, "duration": 0}], "[0].duration", "more than 0"),
    ("soundbites", [{"start": float("nan"), "duration": 1}], "[0].start", "seconds"),
    ("soundbites", [{"start": 0}], "[0].duration", "missing"),
    ("alternate_enclosures", [{"type": "mp3", "sources": SOURCES}], "[0].type", "media type"),
    ("alternate_enclosures", [{"type": "audio/opus", "sources": []}], "[0].sources", "empty"),
    (
        "alternate_enclosures",
        [{"type": "a/b", "sources": SOURCES, "title": "x" * 33}],
        "[0].title",
        "32",
    ),
    (
        "alternate_enclosures",
        [{"type": "a/b", "sources": SOURCES, "length": -1}],
        "[0].length",
        "0",
    ),
    (
        "alternate_enclosures",
        [{"type": "a/b", "sources": SOURCES, "default": True}] * 2,
        "",
        "one default",
    ),
    (
        "alternate_enclosures",
        [{"type": "a/b", "sources": SOURCES, "integrity": {"type": "sri", "value": SRI[:-2]}}],
        "[0].integrity.value",
        "hash",
    ),
    ("foreign_tags", ["mood"], "[0]", "XML"),
    ("foreign_tags", ["<a:b xmlns:a='urn:a'/><a:b/>"], "[0]", "one whole"),
    ("foreign_tags", ["<a:b xmlns:a='urn:a'>&nbsp;</a:b>"], "[0]", "nbsp"),
    ("foreign_tags", ["<!DOCTYPE a [<!ENTITY b 'c'>]><a:b xmlns:a='urn:a'/>"], "[0]", "DOCTYPE"),
    ("foreign_tags", ["<!DOCTYPE a SYSTEM 'b.dtd'><a:b xmlns:a='urn:a'/>"], "[0]", "DOCTYPE"),
    ("foreign_tags", ["<a:b xmlns:a='urn:a'>\x0b</a:b>"], "[0]", "forbids"),
    ("foreign_tags", ["<a:b xmlns:a='urn:a'>\ud800</a:b>"], "[0]", "forbids"),
    ("foreign_tags", ["<a:b xmlns:a='urn:a'>&#11;</a:b>"], "[0]", "value 11"),
    ("foreign_tags", ["<mood/>"], "[0]", "without a namespace"),
    ("foreign_tags", ["<a:b xmlns:a='urn:a'><title/></a:b>"], "[0]", "without a namespace"),
    ("foreign_tags", ["<a:b xmlns:a='here'/>"], "[0]", "whole address"),
    ("foreign_tags", [f"<a:{'b' * 8000} xmlns:a='urn:a'/>"], "[0]", "8000 bytes"),
    ("foreign_tags", ["x" * 20_000], "[0]", "8000 bytes"),
    ("foreign_tags", [f"<a:b xmlns:a='urn:a'>{'x' * 7000}</a:b>"] * 4, "", "24000 bytes"),
    ("foreign_tags", ["<a:b xmlns:a='urn:a'/>"] * 101, "", "100 are the most"),
    ("foreign_tags", [f"<a:b xmlns:a='urn:a'>{'<a:b/>' * 200}</a:b>"], "[0]", "200 tags"),
    (
        "foreign_tags",
        [f"<a:b xmlns:a='urn:a'>{'<a:b>' * 16}{'</a:b>' * 16}</a:b>"],
        "[0]",
        "16 deep",
    ),
    *(
        (
            "foreign_tags",
            [f'<{prefix}:{name} xmlns:{prefix}="{KNOWN_NAMESPACES[prefix]}"/>'],
            "[0]",
            word,
        )
        for prefix, name, word in (
            ("itunes", "author", "a place of its own"),
            ("itunes", "keywords", "no app"),
            ("podcast", "liveItem", "a place of its own"),
            ("content", "encoded", "a place of its own"),
            ("atom", "link", "a place of its own"),
            ("psc", "chapters", "a place of its own"),
            ("psc", "chapter", "no app"),
        )
    ),
    (
        "foreign_tags",
        [
            "<a:b xmlns:a='urn:a' xmlns:i='http://www.itunes.com/dtds/podcast-1.0.dtd'><i:author/></a:b>"
        ],
        "[0]",
        "itunes:author",
    ),
    ("content_links", [{"href": URL, "text": " "}], "[0].text", "empty"),
    ("labels", ["x" * 65], "[0]", "64"),
    ("feed_page_size", 4, "", "from 5"),
    ("slim_after", -1, "", "from 1"),
    ("feeds", [{"name": "season 2", "seasons": [2]}], "[0].name", "letters"),
    ("feeds", [{"name": "x" * 65, "seasons": [2]}], "[0].name", "64"),
    ("feeds", [{"name": "all"}], "[0]", "choose"),
    ("feeds", [{"name": "patrons", "early_hours": 24}], "[0].name", "guesses"),
    ("feeds", [{"name": "a" * 20, "private": True}], "[0].name", "guesses"),
    ("feeds", [{"name": "a", "delay_hours": 1, "early_hours": 1}], "[0].early_hours", "beside"),
    ("feeds", [{"name": "a", "newest": 1}, {"name": "A", "newest": 2}], "", "same name"),
    ("feeds", [{"name": f"f{n}", "newest": 1} for n in range(51)], "", "50"),
    ("feeds", [{"name": "a", "types": ["extra"]}], "[0].types[0]", "bonus"),
]


def read(name: str, value: Any) -> Any:
    return (read_show_tag if name in SHOW_TAGS else read_episode_tag)(name, value)


@pytest.mark.parametrize(("name", "value", "kept"), TAKEN)
def test_a_right_value_is_kept_clean(name: str, value: Any, kept: Any) -> None:
    assert read(name, value) == kept
    assert read(name, kept) == kept


@pytest.mark.parametrize(("name", "value", "place", "word"), REFUSED)
def test_a_wrong_value_is_refused_with_its_place_and_a_sentence(
    name: str, value: Any, place: str, word: str
) -> None:
    with pytest.raises(Invalid) as caught:
        read(name, value)
    assert list(caught.value.fields) == [place]
    sentence = caught.value.fields[place]
    assert sentence.startswith("It ") and sentence.endswith(".") and word in sentence


@pytest.mark.parametrize("value", [None, "", [], ()])
def test_nothing_is_none(value: Any) -> None:
    assert {read_show_tag(name, value) for name in SHOW_TAGS} == {None}
    assert {read_episode_tag(name, value) for name in EPISODE_TAGS} == {None}


def test_every_tag_is_tried_here_right_and_wrong() -> None:
    names = {*SHOW_TAGS, *EPISODE_TAGS}
    assert {name for name, *_ in TAKEN} == names
    # These two take any text, and the other switch is tried.
    assert names - {name for name, *_ in REFUSED} == {"artwork_alt", "inline_chapters"}


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        read_show_tag("funding", [{"url": "a"}, {"url": "b"}])
    assert sorted(caught.value.fields) == ["[0].url", "[1].url"]


def test_time_splits_go_to_an_item_or_to_people() -> None:
    split = {"start": 1, "duration": 2}
    both = split | {"remote_item": {"feed_guid": GUID}, "recipients": [RECIPIENT]}
    for wrong in (split, both):
        with pytest.raises(Invalid) as caught:
            read_episode_tag("value", MONEY | {"time_splits": [wrong]})
        assert list(caught.value.fields) == [".time_splits[0]"]
    with pytest.raises(Invalid):
        read_episode_tag("value", MONEY | {"time_splits": [both | {"remote_percentage": 101}]})


def test_a_show_has_no_time_splits() -> None:
    split = {"start": 1, "duration": 2, "recipients": [RECIPIENT]}
    assert "time_splits" not in read_show_tag("value", MONEY | {"time_splits": [split]})


def test_a_soundbite_lies_inside_the_audio() -> None:
    tags = {"soundbites": [{"start": 10, "duration": 20}]}
    check_soundbites(tags, 30_000)
    with pytest.raises(Invalid) as caught:
        check_soundbites(tags, 29_999)
    assert list(caught.value.fields) == ["[0]"]


def test_what_is_stored_is_read_back_whole() -> None:
    data = tomllib.loads(GOLDEN.read_text(encoding="utf-8"))
    show, episode = data["show"]["tags"], data["episodes"][0]["tags"]
    stored = {name: read_show_tag(name, value) for name, value in show.items()}
    assert stored.keys() == set(SHOW_TAGS) - {"remote_items"}
    through_json = msgspec.json.decode(msgspec.json.encode(stored))
    assert stored_show_tags(through_json) == show_tags(show)
    stored = {name: read_episode_tag(name, value) for name, value in episode.items()}
    assert stored.keys() == set(EPISODE_TAGS)
    through_json = msgspec.json.decode(msgspec.json.encode(stored))
    assert stored_episode_tags(through_json) == episode_tags(episode)


def test_without_tags_nothing_is_decoded() -> None:
    assert stored_show_tags(None) is NO_SHOW_TAGS
    assert stored_episode_tags({}) is NO_EPISODE_TAGS


def test_an_old_episode_of_a_large_feed_loses_its_inline_chapters_with_its_notes() -> None:
    chapters = (Chapter(start_ms=0, title="Hello"),)
    notes = "<p>" + "tide " * 4000 + "</p>"
    episodes = [make_episode(n, notes_html=notes, inline_chapters=chapters) for n in range(110)]
    feed = render_feed(make_show(), episodes)
    assert feed.count(b"<psc:chapters ") == 100 == feed.count(b"<content:encoded>")


# Any value, any text.

KEYS = ("url", "label", "name", "text", "start", "duration", "type", "uri", "protocol", "id")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(sorted({*SHOW_TAGS, *EPISODE_TAGS})), anything, max_size=5),
)
def test_any_value_gives_tags_or_sentences(values: dict[str, Any]) -> None:
    for name, value in values.items():
        given, tagged = {name: value}, make_show()
        try:
            if name in SHOW_TAGS:
                tagged = make_show(tags=show_tags(given))
            episode = make_episode(tags=episode_tags(given if name in EPISODE_TAGS else {}))
        except Invalid as error:
            assert all(path[:1] in ("", ".", "[") for path in error.fields)
            assert all(text.startswith("It ") for text in error.fields.values())
        else:
            render_feed(tagged, [episode])


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=60), min_size=4, max_size=4))
def test_any_text_stands_in_a_well_formed_feed_as_it_was_kept(words: list[str]) -> None:
    label, place, text, alt = words
    tags = show_tags(
        {
            "funding": [{"url": URL, "label": label}],
            "location": [{"name": f"x{place}"}],
            "txt": [{"text": f"x{text}", "purpose": label}],
            "artwork_alt": alt,
            "podroll": [{"feed_guid": GUID, "title": alt}],
        }
    )
    channel = channel_of(make_show(tags=tags))
    assert texts(channel, "podcast:funding") == [plain_line(label) or None]
    assert texts(channel, "podcast:location") == [plain_line(f"x{place}")]
    assert texts(channel, "podcast:txt") == [plain_text(f"x{text}")]
    item = channel.find("podcast:podroll/podcast:remoteItem", NAMESPACES)
    assert item.get("title", "") == plain_line(alt)


def test_what_is_stored_can_be_given_again_however_long_it_is_in_ascii() -> None:
    stored = read_show_tag("funding", [{"url": "https://tide.example/" + "é" * 1500}])
    assert read_show_tag("funding", stored) == stored
