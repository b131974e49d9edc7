"""JSON Feed: what version 1.1 asks for, the same values as the RSS feed, and any text at all."""

import json
from datetime import timedelta, timezone
from typing import Any

import pytest

from podhost.formats.feed_shell import FULL_NOTES_MAX_FEED_BYTES
from podhost.formats.feed_values import FeedPerson, FeedShow, FeedTranscript
from podhost.formats.json_feed import render_json_feed
from tests.formats.test_rss import GOLDEN, NOON, golden_values, make_episode, make_show, parse

URL = "https://pod.example/tide/feed.json"


def feed_of(show: FeedShow, *episodes: Any) -> Any:
    return json.loads(render_json_feed(show, episodes, feed_url=URL))


def test_a_feed_says_what_json_feed_asks_for() -> None:
    feed = feed_of(make_show(), make_episode())
    assert {name: feed[name] for name in ("version", "title", "home_page_url", "feed_url")} == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Tide Tables",
        "home_page_url": "https://pod.example/tide",
        "feed_url": URL,
    }
    assert feed["authors"] == [{"name": "Pier Nine"}]
    [item] = feed["items"]
    assert item["content_html"] == "<p>With Ann Guest.</p>"
    assert item["date_published"] == "2024-03-06T12:00:00Z"
    assert item["attachments"] == [
        {
            "url": "https://pod.example/audio/1/1/low-water.mp3",
            "mime_type": "audio/mpeg",
            "size_in_bytes": 28_800_417,
            "duration_in_seconds": 1800,
        }
    ]


def test_what_json_feed_has_no_word_for_is_said_beside_it() -> None:
    ann = FeedPerson("Ann Guest", role="guest", url="https://ann.example/")
    transcript = FeedTranscript("https://pod.example/t.vtt", "text/vtt", language="en")
    episode = make_episode(people=(ann,), transcripts=(transcript,), season=2, number=7)
    feed = feed_of(make_show(is_complete=True, is_blocked=True), episode)
    assert feed["expired"] is True
    assert feed["_podcast"]["rss_url"] == "https://pod.example/tide/feed.xml"
    assert feed["_podcast"]["blocked"] is True
    assert feed["items"][0]["_podcast"] == {
        "episode_type": "full",
        "explicit": False,
        "season": 2,
        "episode": 7,
        "persons": [
            {"name": "Ann Guest", "role": "guest", "group": "cast", "href": "https://ann.example/"}
        ],
        "transcripts": [{"url": "https://pod.example/t.vtt", "type": "text/vtt", "language": "en"}],
    }


def test_the_newest_episode_is_first_and_two_renders_are_identical() -> None:
    episodes = [make_episode(index) for index in (2, 3, 1)]
    bodies = {
        render_json_feed(make_show(), order, feed_url=URL) for order in (episodes, episodes[::-1])
    }
    [body] = bodies
    assert [item["id"] for item in json.loads(body)["items"]] == [
        "guid-00003",
        "guid-00002",
        "guid-00001",
    ]


def test_a_date_is_said_in_utc() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
    [item] = feed_of(make_show(), make_episode(published_at=there))["items"]
    assert item["date_published"] == "2024-03-05T12:00:00Z"


def test_any_text_gives_a_feed_with_content_in_each_item() -> None:
    nasty = "]]> \x0b \ud800 \ufffe <b>שלום</b> \U0001f399"
    feed = feed_of(make_show(title=nasty, author=nasty), make_episode(title=nasty, notes_html=""))
    assert feed["title"] == "]]> שלום \U0001f399"
    assert feed["items"][0]["content_html"] == "<p>]]&gt; שלום \U0001f399</p>"


def test_above_two_megabytes_only_the_newest_keep_their_whole_notes() -> None:
    notes = "<p>What we said.</p>" * 500
    episodes = [make_episode(index, notes_html=notes) for index in range(250)]
    items = feed_of(make_show(), *episodes)["items"]
    assert len(notes) * len(items) > FULL_NOTES_MAX_FEED_BYTES
    assert all(item["content_html"] == notes for item in items[:100])
    assert all(0 < len(item["content_html"]) <= 4000 for item in items[100:])


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_each_golden_show_says_the_same_in_both_formats(name: str) -> None:
    show, episodes = golden_values(GOLDEN / name)
    items = feed_of(show, *episodes)["items"]
    channel = parse((GOLDEN / name / "expected.xml").read_bytes())[0]
    said = [
        (
            item.findtext("title"),
            item.findtext("guid"),
            item.findtext("link"),
            item.find("enclosure").get("url"),
        )
        for item in channel.findall("item")
    ]
    assert said == [
        (item["title"], item["id"], item["url"], item["attachments"][0]["url"]) for item in items
    ]
