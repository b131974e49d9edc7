"""Further feeds and pages: golden documents, and what must stay as it is when something comes."""

import os
import tomllib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.formats.feed_rules import (
    FeedDocument,
    choose,
    further_documents,
    further_guid,
    main_document,
    next_change,
)
from podhost.formats.feed_values import FeedEpisode, FeedShow
from podhost.formats.rss import render_feed
from podhost.formats.tag_values import EpisodeTags, FurtherFeed, ShowTags
from tests.formats.test_rss import (
    GOLDEN,
    NAMESPACES,
    NOON,
    golden_episode,
    golden_values,
    make_episode,
    make_show,
    parse,
)

SECRET = "2f1c7a90e4b35d6848fa"


def documents(
    show: FeedShow, episodes: Sequence[FeedEpisode], scheduled: Sequence[FeedEpisode] = ()
) -> list[FeedDocument]:
    further = further_documents(show, episodes, scheduled, NOON)
    return [main_document(show, episodes), *further]


@pytest.mark.parametrize("name", ["several-feeds", "pages"])
def test_each_golden_document_is_rendered(name: str) -> None:
    data = tomllib.loads((GOLDEN / name / "input.toml").read_text(encoding="utf-8"))
    scheduled = [golden_episode(values) for values in data.get("scheduled", [])]
    show, episodes = golden_values(GOLDEN / name)
    folder = GOLDEN / name / "documents"
    rendered = {
        document.path.replace("/", "_"): render_feed(document.show, document.episodes)
        for document in documents(show, episodes, scheduled)
    }
    if os.environ.get("PODHOST_UPDATE_GOLDEN"):
        folder.mkdir(exist_ok=True)
        for file_name, body in rendered.items():
            (folder / file_name).write_bytes(body)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == rendered


def rule(**values: Any) -> FurtherFeed:
    return FurtherFeed(**{"name": "further", **values})


def guids(found: Sequence[FeedEpisode]) -> list[str]:
    return [episode.guid for episode in found]


def paged(count: int, size: int = 5, slim_after: int | None = None) -> dict[str, FeedDocument]:
    show = make_show(tags=ShowTags(feed_page_size=size, slim_after=slim_after))
    found = documents(show, [make_episode(n) for n in range(count)])
    return {document.path: document for document in found}


def test_the_parts_of_a_rule_must_all_fit() -> None:
    both = make_episode(1, season=2, tags=EpisodeTags(labels=("live", "sea")))
    one = make_episode(2, season=2)
    other = make_episode(3, season=1, tags=EpisodeTags(labels=("live",)))
    wanted = rule(seasons=(2, 3), labels=("live", "land"))
    later = NOON + timedelta(days=9)
    assert guids(choose(wanted, [both, one, other], [], later)) == [both.guid]
    assert guids(choose(rule(newest=2), [both, one, other], [], later)) == [other.guid, one.guid]


def test_a_late_feed_takes_each_episode_at_its_time_and_dates_it_so() -> None:
    early, late = make_episode(0), make_episode(1)
    wanted = rule(delay_hours=12)
    now = NOON + timedelta(hours=12)
    found = choose(wanted, [early, late], [], now)
    assert [(e.guid, e.published_at) for e in found] == [(early.guid, now)]
    assert choose(wanted, [early, late], [], now - timedelta(seconds=1)) == []
    coming = next_change([wanted], [early, late], [], now)
    assert coming == NOON + timedelta(days=1, hours=12)
    assert next_change([wanted], [early, late], [], coming) is None
    assert next_change([rule(seasons=(1,))], [early, late], [late], NOON) is None


def test_only_an_early_feed_has_what_is_scheduled() -> None:
    out, coming = make_episode(0), make_episode(1)
    early = rule(name=SECRET, early_hours=24)
    assert guids(choose(early, [out], [coming], NOON)) == [coming.guid, out.guid]
    assert guids(choose(early, [out], [coming], NOON - timedelta(seconds=1))) == [out.guid]
    for other in (rule(newest=5), rule(delay_hours=1), rule(name=SECRET, private=True)):
        assert coming.guid not in guids(choose(other, [out], [coming], NOON + timedelta(days=9)))
    assert next_change([early], [out], [coming], NOON - timedelta(hours=1)) == NOON


def test_a_private_feed_asks_not_to_be_listed_and_the_others_do_not() -> None:
    show = make_show(
        tags=ShowTags(feeds=(rule(name="newest", newest=1), rule(name=SECRET, private=True)))
    )
    _, public, private = documents(show, [make_episode()])
    assert (public.is_private, private.is_private) == (False, True)
    assert b"itunes:block" not in render_feed(public.show, public.episodes)
    hidden = render_feed(private.show, private.episodes)
    assert b"<itunes:block>Yes" in hidden and b"<podcast:block>yes" in hidden
    assert SECRET.encode() not in render_feed(show, [make_episode()])


def test_the_guid_of_a_further_feed_is_made_of_the_shows() -> None:
    guid = "917393e3-1b1e-5cef-ace4-edaa54e1f810"
    assert further_guid(guid, "season-2") == "0241f39e-1085-58ad-899c-3296467881c2"


def test_apps_that_follow_the_pages_find_every_episode_once() -> None:
    found = paged(23)
    address, seen = "https://pod.example/tide/feed.xml", []
    while address:
        document = found[address.removeprefix("https://pod.example/tide/")]
        channel = parse(render_feed(document.show, document.episodes))[0]
        links = {
            link.get("rel"): link.get("href") for link in channel.findall("atom:link", NAMESPACES)
        }
        assert links["self"] == address
        assert links["first"].endswith("/tide/feed.xml") and links["last"].endswith("/feed/1.xml")
        seen += [item.findtext("guid") for item in channel.findall("item")]
        newer, address = address, links.get("next")
        if address:
            older = found[address.removeprefix("https://pod.example/tide/")]
            assert ("previous", newer) in older.show.page_links
    assert seen == [f"guid-{n:05}" for n in reversed(range(23))]


@given(st.integers(0, 60), st.integers(1, 7), st.integers(1, 9))
def test_a_new_episode_changes_no_full_page_but_the_newest(
    count: int, size: int, slim_after: int
) -> None:
    before, after = paged(count, size, slim_after), paged(count + 1, size, slim_after)
    assert before.keys() <= after.keys() and len(after) - len(before) in (0, 1)
    pages = [path for path in before if path != "feed.xml"]
    changed = [path for path in pages if before[path] != after[path]]
    # A page that gets a newer neighbour names it.
    assert changed == (pages[:1] if len(after) > len(before) else [])
    assert size <= len(after["feed.xml"].episodes) < 2 * size or len(after) == 1
    assert sum(len(document.episodes) for document in after.values()) == count + 1


def test_a_feed_that_fits_on_a_page_has_no_links() -> None:
    assert [*paged(9)] == ["feed.xml"] and paged(9)["feed.xml"].show.page_links == ()
    assert [*paged(10)] == ["feed.xml", "feed/1.xml"]


def test_a_slim_episode_keeps_what_apps_need() -> None:
    show = make_show(tags=ShowTags(slim_after=1))
    old, new = make_episode(1, chapters_url="https://pod.example/chapters/1.json"), make_episode(2)
    document = main_document(show, [old, new])
    items = parse(render_feed(document.show, document.episodes))[0].findall("item")
    assert [item.find("content:encoded", NAMESPACES) is not None for item in items] == [True, False]
    slim = items[1]
    assert slim.findtext("description") == "<p>With Ann Guest.</p>"
    assert (
        slim.find("podcast:chapters", NAMESPACES) is not None and slim.find("enclosure") is not None
    )


def test_what_is_said_of_feeds_is_stored_in_few_words() -> None:
    assert msgspec.json.encode(rule(seasons=(2,))) == b'{"name":"further","seasons":[2]}'
