"""Tags that podhost does not know: whatever a feed has of them is kept, and comes back equal."""

from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from podhost.errors import Invalid
from podhost.formats.feed_xml import read_feed
from podhost.formats.foreign_tags import read_foreign_tag
from podhost.formats.imported import ImportedShow
from podhost.formats.rss import render_feed
from podhost.formats.rss_import import read_show
from podhost.formats.showfolder import EpisodeFile, ShowFile
from podhost.formats.showfolder import read_episode as read_episode_file
from podhost.formats.showfolder import read_show as read_show_file
from podhost.formats.showfolder_writing import render_episode_file, render_show_file
from tests.formats.test_rss import episode_tags, make_episode, make_show, show_tags

PODCAST = "https://podcastindex.org/namespace/1.0"
MEDIA = "http://search.yahoo.com/mrss/"
ENCLOSURE = '<enclosure url="https://old.example/a.mp3" length="5" type="audio/mpeg"/>'


def read(channel: str, item: str, declared: str = "") -> ImportedShow:
    body = (
        f'<rss version="2.0"{declared}><channel><title>Tide</title>{channel}'
        f"<item><title>Low</title><guid>1</guid>{ENCLOSURE}{item}</item></channel></rss>"
    )
    return read_show(read_feed(body.encode()), feed_url="https://old.example/feed.xml")


def rendered(of_show: list[str], *of_episodes: list[str]) -> bytes:
    """A feed of ours with these foreign tags, through validation as a host would give them."""
    episodes = [
        make_episode(number, tags=episode_tags({"foreign_tags": given}))
        for number, given in enumerate(of_episodes, 1)
    ]
    return render_feed(make_show(tags=show_tags({"foreign_tags": of_show})), episodes)


def kept_of(feed: bytes) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    show = read_show(read_feed(feed), feed_url=None)
    return show.unknown_xml, [episode.unknown_xml for episode in show.episodes]


def messages(show: ImportedShow) -> set[str]:
    return {oddity.message for oddity in show.oddities}


def test_one_prefix_for_one_address_is_declared_once() -> None:
    tag = '<tide:low xmlns:tide="urn:tide">1</tide:low>'
    feed = rendered([tag], [tag], [tag])
    assert feed.count(b"xmlns:tide") == 1 and feed.count(b"<tide:low>1</tide:low>") == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('<a:x xmlns:a="urn:1"/>', '<a:x xmlns:a="urn:2"/>'),
        ('<a:x xmlns:a="urn:1"/>', '<b:x xmlns:b="urn:1"/>'),
        ('<a:x xmlns:a="urn:1"/>', '<x xmlns="urn:1"/>'),
        ('<media:x xmlns:media="urn:1"/>', f'<media:thumbnail xmlns:media="{MEDIA}"/>'),
        ('<podcast:x xmlns:podcast="urn:1"/>', f'<podcast:x xmlns:podcast="{PODCAST}"/>'),
    ],
)
def test_prefixes_that_mean_two_things_stay_where_they_stand(one: str, other: str) -> None:
    for pair in ([one, other], [other, one]):
        assert kept_of(rendered(pair, pair, [one])) == (tuple(pair), [(one,), tuple(pair)])


def test_feedparser_reads_what_is_kept() -> None:
    feedparser = pytest.importorskip("feedparser")
    tag = '<tide:low xmlns:tide="urn:tide">0.3</tide:low>'
    clash = '<tide:low xmlns:tide="urn:ebb">0.4</tide:low>'
    for tags in ([tag], [tag, clash]):
        parsed = feedparser.parse(rendered(tags, tags))
        assert not parsed.bozo and parsed.feed.tide_low and parsed.entries[0].tide_low
        assert parsed.entries[0].title == "Low water 1"


def test_what_podhost_writes_itself_never_comes_back_as_foreign() -> None:
    show = read(
        "<fh:complete/><spotify:limit recentCount='9'/><atom:contributor><atom:name>Ann"
        "</atom:name></atom:contributor><podcast:next/><googleplay:x/>"
        "<itunes:applepodcastsverify>abc</itunes:applepodcastsverify>",
        "<media:restriction relationship='deny'>aq</media:restriction><odd/><atom:summary>A"
        "</atom:summary>",
        f' xmlns:fh="http://purl.org/syndication/history/1.0" xmlns:podcast="{PODCAST}"'
        ' xmlns:spotify="http://www.spotify.com/ns/rss" xmlns:atom="http://www.w3.org/2005/Atom"'
        ' xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:googleplay="urn:x"'
        f' xmlns:media="{MEDIA}"',
    )
    assert show.unknown_xml == (
        '<spotify:limit xmlns:spotify="http://www.spotify.com/ns/rss" recentCount="9"/>',
        '<atom:contributor xmlns:atom="http://www.w3.org/2005/Atom"><atom:name>Ann</atom:name>'
        "</atom:contributor>",
        f'<podcast:next xmlns:podcast="{PODCAST}"/>',
    )
    assert show.left_out == (("fh:complete", 1), ("googleplay:x", 1))
    (proof,) = show.tags
    assert (proof.name, proof.text) == ("podcast:txt", "abc")
    assert proof.attributes == {"purpose": "applepodcastsverify"}
    (episode,) = show.episodes
    # RSS 2.0 allows no tag of others without a namespace.
    assert episode.unknown_xml == (
        f'<media:restriction xmlns:media="{MEDIA}" relationship="deny">aq</media:restriction>',
    )
    assert "A tag that podhost does not know cannot be kept." in messages(show)


def test_a_feed_with_too_many_keeps_the_first() -> None:
    show = read('<a:x xmlns:a="urn:1"/>' * 101, f'<a:x xmlns:a="urn:1">{"y" * 9000}</a:x>')
    assert len(show.unknown_xml) == 100 and show.episodes[0].unknown_xml == ()
    assert messages(show) >= {
        "There are more tags that podhost does not know than can be kept.",
        "A tag that podhost does not know cannot be kept.",
    }


def test_a_namespace_that_libxml2_cannot_write_down_is_refused() -> None:
    # Its canonical form forgets to escape there.
    tag = '<a:x xmlns:a="urn:1&amp;odd;2"/>'
    with pytest.raises(ValueError, match="It is not one whole XML element"):
        read_foreign_tag(tag)
    assert read("", tag).episodes[0].unknown_xml == ()


def test_prefixes_that_would_make_two_attributes_one_are_refused() -> None:
    clash = f'<podcast:x xmlns:podcast="urn:1" xmlns:b="{PODCAST}" b:k="1" podcast:k="2"/>'
    with pytest.raises(ValueError, match="too many names"):
        read_foreign_tag(clash)
    assert read("", clash).episodes[0].unknown_xml == ()


# Any tag of any feed.

URIS = ("urn:1", "urn:2", PODCAST, MEDIA, "http://www.itunes.com/dtds/podcast-1.0.dtd")
prefixes = st.sampled_from(["", "a", "b", "podcast", "media", "ns0"])
texts = st.text(max_size=8).map(
    lambda text: "".join(char for char in text if char.isprintable() or char in " \t\n")
) | st.sampled_from(["", " ", "\n  ", "\xa0", 'A & "B" <c>', "]]>", 'xmlns:a="urn:1"'])
names = st.sampled_from(["x", "y", "note", "author", "next", "title"])


@st.composite
def tags(draw: Any, depth: int = 3) -> str:
    prefix = draw(prefixes)
    name = draw(names) if not prefix else f"{prefix}:{draw(names)}"
    declared = draw(st.dictionaries(prefixes, st.sampled_from(URIS), max_size=2))
    if depth == 3 or draw(st.booleans()):
        declared[prefix] = draw(st.sampled_from(URIS))
    attributes = {f"xmlns:{key}" if key else "xmlns": uri for key, uri in declared.items()}
    other = draw(st.sampled_from(["", *(key for key in declared if key)]))
    attributes[f"{other}:k" if other else "k"] = draw(texts)
    written = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    inside = escape(draw(texts))
    for _ in range(draw(st.integers(0, 1)) if depth else 0):
        inside += draw(tags(depth - 1)) + escape(draw(texts))
    return f"<{name}{written}>{inside}</{name}>"


@given(st.lists(tags(), max_size=3), st.lists(tags(), max_size=3))
@example(["<a:x xmlns:a='urn:1' xmlns:b='urn:1'><b:y/></a:x>"], [])
@example([], ["<x xmlns='urn:1'><y xmlns='urn:2'><x xmlns:b='urn:2' b:k=''/></y></x>"])
@example([], [f"<podcast:x xmlns:podcast='urn:1' xmlns:b='{PODCAST}' b:k=''/>"])
@example(["<x xmlns='urn:1'><y xmlns=''/></x>"], ["<a:x xmlns:a='urn:1'>\n <a:y/>\xa0</a:x>"])
def test_what_a_feed_has_is_taken_and_comes_back_equal(of_show: list[str], own: list[str]) -> None:
    try:
        show = read("".join(of_show), "".join(own))
    except Invalid:
        return
    (episode,) = show.episodes
    feed = rendered(list(show.unknown_xml), list(episode.unknown_xml), list(episode.unknown_xml))
    found, of_episodes = kept_of(feed)
    assert found == show.unknown_xml
    assert of_episodes == [episode.unknown_xml] * 2
    etree.fromstring(feed)


@given(tags() | st.text(max_size=30))
def test_what_is_taken_once_is_taken_again_unchanged(written: str) -> None:
    try:
        text = read_foreign_tag(written)
    except ValueError as error:
        assert str(error).startswith("It ") and str(error).endswith(".")
        return
    assert read_foreign_tag(text) == text
    if text:
        file = ShowFile(title="Tide", tags={"foreign_tags": [text]})
        assert read_show_file(render_show_file(file)) == file
        episode = EpisodeFile(tags={"foreign_tags": [text]})
        assert read_episode_file(render_episode_file(episode)) == episode
        assert kept_of(rendered([text], [text])) == ((text,), [(text,)])
