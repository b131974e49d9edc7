"""The feed doctor's rules: a feed that is right in all of them, and a change that breaks each."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.errors import Invalid
from podhost.formats.doctor import examine
from podhost.formats.doctor_rules import Finding
from podhost.formats.doctor_table import RULES
from podhost.formats.feed_xml import read_feed
from podhost.formats.markdown import render_notes
from podhost.formats.rss import render_feed
from tests.formats.test_rss import make_episode, make_show

GOLDEN = Path(__file__).parent.parent / "golden"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SHOW = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"
 xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:atom="http://www.w3.org/2005/Atom"
 xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:psc="http://podlove.org/simple-chapters"
 xmlns:fh="http://purl.org/syndication/history/1.0"
 xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:spotify="http://www.spotify.com/ns/rss">
<channel>
<title>Tide Tables</title>
<link>https://pod.example/tide</link>
<description>Harbour talk.</description>
<language>en-gb</language>
<atom:link rel="self" type="application/rss+xml" href="https://pod.example/tide/feed.xml"/>
<pubDate>Tue, 05 Mar 2024 09:05:00 GMT</pubDate>
<generator>podhost/1.0</generator>
<ttl>60</ttl>
<copyright>Pier Nine</copyright>
<managingEditor>ann@pod.example (Ann Guest)</managingEditor>
<image><url>https://pod.example/a/tide-3.jpg</url><title>Tide Tables</title>
<link>https://pod.example/tide</link></image>
<itunes:author>Pier Nine</itunes:author>
<itunes:explicit>false</itunes:explicit>
<itunes:type>episodic</itunes:type>
<itunes:owner><itunes:name>Ann</itunes:name><itunes:email>ann@pod.example</itunes:email></itunes:owner>
<itunes:image href="https://pod.example/a/tide-3.jpg"/>
<itunes:category text="Arts"><itunes:category text="Books"/></itunes:category>
<media:restriction type="country" relationship="allow">de at</media:restriction>
<spotify:limit recentCount="9"/>
<spotify:countryOfOrigin>se no</spotify:countryOfOrigin>
<podcast:guid>3d0081c1-3f7e-5e34-a9ff-ad9c24a01dc5</podcast:guid>
<podcast:locked>yes</podcast:locked>
<podcast:medium>podcast</podcast:medium>
<podcast:txt purpose="verify">abc</podcast:txt>
<podcast:funding url="https://pod.example/give">Give</podcast:funding>
<podcast:person role="host" group="cast" href="https://pia.example/">Pia Port</podcast:person>
<podcast:location rel="creator" geo="geo:51.5,-0.1" osm="R113314" country="GB">X</podcast:location>
<podcast:trailer url="https://pod.example/t.mp3" pubdate="Tue, 05 Mar 2024 09:05:00 GMT"
 length="100" type="audio/mpeg" season="1">Coming</podcast:trailer>
<podcast:license>CC-BY-4.0</podcast:license>
<podcast:value type="lightning" method="keysend" suggested="0.00000005000">
<podcast:valueRecipient name="Ann" type="node" address="abc" split="100" fee="false"/>
<podcast:valueTimeSplit startTime="1" duration="2.5"><podcast:remoteItem
 feedGuid="3d0081c1-3f7e-5e34-a9ff-ad9c24a01dc5"/></podcast:valueTimeSplit></podcast:value>
<podcast:image href="https://pod.example/a/wide.jpg" width="1200" height="630"/>
<podcast:block id="amazon">yes</podcast:block>
<podcast:updateFrequency rrule="FREQ=WEEKLY" dtstart="2024-03-05">Weekly</podcast:updateFrequency>
<podcast:podping usesPodping="true"/>
<podcast:podroll><podcast:remoteItem feedGuid="9b024349-ccf0-5f69-a609-6b82873eab3c"/>
</podcast:podroll>
<podcast:publisher><podcast:remoteItem medium="publisher"
 feedGuid="9b024349-ccf0-5f69-a609-6b82873eab3d"/></podcast:publisher>
<podcast:chat server="irc.example" protocol="irc"/>
<podcast:liveItem status="pending" start="2026-12-01T09:00:00Z" end="2026-12-01T10:00:00Z">
<title>Live</title><guid isPermaLink="false">live-1</guid>
<enclosure url="https://stream.example/1.mp3" length="0" type="audio/mpeg"/>
<podcast:contentLink href="https://pod.example/live">Watch</podcast:contentLink></podcast:liveItem>
"""
ITEM = """<item>
<title>Low water</title>
<link>https://pod.example/tide/low</link>
<guid isPermaLink="false">5f0c7e0e-3a54-4a0a-9a52-6b1f6c1f0c11</guid>
<pubDate>Tue, 05 Mar 2024 09:05:00 GMT</pubDate>
<description><![CDATA[<p>With <a href="https://ann.example/">Ann</a>.</p>]]></description>
<content:encoded><![CDATA[<p>With Ann.</p>]]></content:encoded>
<author>ann@pod.example (Ann)</author>
<enclosure url="https://pod.example/audio/1/low.mp3" length="28800417" type="audio/mpeg"/>
<itunes:duration>1800</itunes:duration>
<itunes:explicit>false</itunes:explicit>
<itunes:image href="https://pod.example/a/low.png"/>
<itunes:season>1</itunes:season>
<itunes:episode>7</itunes:episode>
<itunes:episodeType>full</itunes:episodeType>
<podcast:season name="Spring">1</podcast:season>
<podcast:episode display="Ch. 7">7</podcast:episode>
<podcast:person role="host">Pia Port</podcast:person>
<podcast:transcript url="https://pod.example/t.vtt" type="text/vtt" language="en" rel="captions"/>
<podcast:chapters url="https://pod.example/c.json" type="application/json+chapters"/>
<podcast:soundbite startTime="60" duration="30.5">Hear</podcast:soundbite>
<podcast:alternateEnclosure type="audio/ogg" length="100" bitrate="64000" title="Small">
<podcast:source uri="https://pod.example/low.ogg"/><podcast:integrity type="sri" value="sha384-x"/>
</podcast:alternateEnclosure>
<podcast:socialInteract protocol="activitypub" uri="https://social.example/1" priority="1"/>
<psc:chapters version="1.2"><psc:chapter start="0" title="A"/><psc:chapter start="7:48" title="B"/>
</psc:chapters>
</item>
"""
SECOND = """<item><title>High water</title><guid isPermaLink="false">b</guid>
<pubDate>Mon, 04 Mar 2024 09:05:00 GMT</pubDate><description>Two.</description>
<enclosure url="https://pod.example/audio/2/high.m4a" length="5000" type="audio/x-m4a"/>
<itunes:duration>1:02:03</itunes:duration><itunes:episode>6</itunes:episode>
<itunes:season>1</itunes:season></item>
"""
END = "</channel></rss>\n"
CLEAN = SHOW + ITEM + SECOND + END
LONG = "x" * 256
PAGE = '<atom:link rel="{}" href="https://pod.example/tide/feed/2.xml"/>'

ENCLOSURE = ITEM[ITEM.index("<enclosure") : ITEM.index("<itunes:duration")]

# What is changed into what, and the rule that is broken by it.
BREAKING: list[tuple[str, str, str]] = [
    ("Harbour talk.", "Harbour &nbsp; talk.", "xml-broken"),
    ('<?xml version="1.0" encoding="UTF-8"?>\n', "", "xml-declaration"),
    ("<?xml", "\n<?xml", "xml-space-before"),
    ("<?xml", "\ufeff<?xml", "xml-bom"),
    ("UTF-8", "ISO-8859-1", "xml-not-utf8"),
    ("</rss>\n", "</rss>\n<!-- 0.2 seconds -->", "xml-comment-at-end"),
    (CLEAN, '<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title></feed>', "root-not-rss"),
    ('<rss version="2.0"', "<rss", "rss-version"),
    (CLEAN, '<rss version="2.0"></rss>', "channel-missing"),
    (END, "</channel><channel></channel></rss>", "channel-several"),
    (CLEAN, '<rss version="2.0"><channel><title>T</title></channel></rss>', "namespace-itunes"),
    ("com/dtds/podcast-1.0.dtd", "com/DTDs/Podcast-1.0.dtd", "namespace-misspelled"),
    ("<title>Low", '<x:y xmlns:x="https://x.example/"/><title>Low', "namespace-inner"),
    ("Harbour talk.", "x" * 2_000_001, "feed-large"),
    ("Harbour talk.", "x" * 8_000_001, "feed-too-large"),
    (SECOND, SECOND * 2000, "episodes-too-many"),
    (ITEM + SECOND, "", "episodes-none"),
    (ITEM + SECOND, SECOND + ITEM, "episodes-order"),
    (END, "<category>Arts</category>" + END, "tags-after-items"),
    (">podcast</podcast:medium", ">podcastL</podcast:medium", "list-with-items"),
    ("<ttl>", f"<fh:complete/>{PAGE.format('previous')}<ttl>", "paging-and-complete"),
    ("<ttl>", PAGE.format("next") + "<ttl>", "paging-older"),
    ("<ttl>", PAGE.format("prev") + "<ttl>", "paging-prev"),
    ("<title>Tide", "<title>More</title><title>Tide", "tag-twice"),
    ("<title>Low", "<title>&lt;b>Low&lt;/b>", "text-html"),
    ("<title>Low", "<title>Low &amp;amp; high", "text-escaped-twice"),
    ("Harbour talk.", "Harbour &lt;p>talk&lt;/p>.", "text-html"),
    ("<title>Low", f"<title>{LONG}", "text-long"),
    ("<title>Low", "<title> Low", "text-spaces"),
    ("Harbour talk.", "ü" * 2001, "description-long"),
    ("<p>With <a", f"<p>{'ü' * 2001} <a", "description-long"),
    ("<link>https://pod.example/tide/low", "<link>/tide/low", "url-invalid"),
    ("<link>https://pod.example/tide/low", "<link>http://pod.example/tide/low", "url-http"),
    ("pod.example/audio/1/low", "pod.example/audio/1/lö w", "url-letters"),
    ("<pubDate>Tue, 05 Mar 2024", "<pubDate>yesterday 2024", "date-invalid"),
    ("<pubDate>Tue, 05 Mar 2024", "<pubDate>Tue, 5 March 2024", "date-form"),
    ("<pubDate>Tue, 05", "<pubDate>Mon, 05", "date-weekday"),
    ("<pubDate>Tue, 05 Mar 2024", "<pubDate>05 Mar 1902", "date-year"),
    ("<pubDate>Tue, 05 Mar 2024", "<pubDate>05 Mar 2031", "date-future"),
    (">false</itunes:explicit", ">maybe</itunes:explicit", "explicit-invalid"),
    (">false</itunes:explicit", ">no</itunes:explicit", "explicit-old"),
    ("a/low.png", "a/low.webp", "image-extension"),
    ("<ttl>", "<itunes:block>no</itunes:block><ttl>", "block-invalid"),
    ("<ttl>", "<itunes:keywords>a, b</itunes:keywords><ttl>", "tag-obsolete"),
    ("<itunes:duration>1800", "<dc:date>2024</dc:date><itunes:duration>1800", "dc-twice"),
    ("<p>With Ann.", "<p onclick='x()'>With Ann.", "scripts"),
    ("<p>With Ann.", "<p><SCRIPT>x</SCRIPT>With Ann.", "scripts"),
    ('<a href="https://ann.example/', '<a href="/ann', "notes-relative"),
    ('relationship="allow"', 'relationship="maybe"', "media-restriction"),
    (">de at</media", ">Germany</media", "media-restriction"),
    ("<title>Tide Tables</title>\n<link>", "<link>", "title-missing"),
    ("<link>https://pod.example/tide</link>\n<desc", "<desc", "link-missing"),
    ("<description>Harbour talk.</description>", "", "description-missing"),
    ("<language>en-gb</language>", "", "language-missing"),
    ("en-gb", "English", "language-unknown"),
    ('<itunes:image href="https://pod.example/a/tide-3.jpg"/>', "", "image-missing"),
    ('<itunes:image href="https://pod.example/a/tide-3.jpg"/>', "<itunes:image/>", "image-missing"),
    (
        '<itunes:category text="Arts"><itunes:category text="Books"/></itunes:category>',
        "",
        "category-missing",
    ),
    ('text="Books"', 'text="Literature"', "category-unknown"),
    ('text="Arts"', 'text="arts"', "categories-none-known"),
    (
        "<itunes:category",
        '<itunes:category text="News"/>' * 3 + "<itunes:category",
        "categories-many",
    ),
    ("<itunes:explicit>false</itunes:explicit>\n<itunes:type", "<itunes:type", "explicit-missing"),
    ("<itunes:author>Pier Nine</itunes:author>", "", "author-missing"),
    (">episodic<", ">Episodic<", "type-invalid"),
    ("itunes:owner", "itunes:other", "owner-missing"),
    ("<itunes:email>ann@", "<itunes:email>ann at ", "owner-invalid"),
    ("ann@pod.example (Ann Guest)", "ann@pod.example", "contact-form"),
    (
        "<ttl>",
        "<itunes:new-feed-url>https://new.example/f</itunes:new-feed-url><ttl>",
        "moved",
    ),
    ("<ttl>", "<itunes:block>Yes</itunes:block><ttl>", "hidden"),
    ("<ttl>", "<itunes:complete>Yes</itunes:complete><ttl>", "ended"),
    ("<ttl>", "<itunes:complete>maybe</itunes:complete><ttl>", "complete-invalid"),
    ("<ttl>60", "<ttl>1 hour", "ttl-invalid"),
    ("<image><url>https://pod.example/a/tide-3.jpg</url>", "<image>", "rss-image"),
    ("</url><title>Tide Tables", "</url><title>Other", "rss-image-differs"),
    ("<image>", "<image><width>1400</width>", "rss-image-size"),
    ('<atom:link rel="self"', '<atom:link rel="related"', "self-missing"),
    ("<ttl>", '<atom:link rel="self" href="https://b.example/"/><ttl>', "self-several"),
    ('type="application/rss+xml"', 'type="text/xml"', "self-type"),
    ("<generator>podhost/1.0</generator>", "", "generator-missing"),
    (">Pier Nine</copyright", ">© 2024 Pier Nine</copyright", "copyright-form"),
    ('recentCount="9"', 'recentCount="few"', "spotify-limit"),
    (">se no<", ">Sweden<", "spotify-country"),
    (
        "<podcast:guid>3d0081c1-3f7e-5e34-a9ff-ad9c24a01dc5</podcast:guid>",
        "",
        "feed-guid-missing",
    ),
    ("<podcast:locked>yes</podcast:locked>", "", "locked-missing"),
    ("<podcast:locked>", '<podcast:locked owner="ann@pod.example">', "locked-owner-public"),
    ("<title>Low water</title>", "", "episode-title-missing"),
    ("<title>Low", "<title>Episode 7: Low", "episode-title-number"),
    (
        ENCLOSURE,
        "",
        "enclosure-missing",
    ),
    ('<enclosure url="https://pod', '<enclosure/><enclosure url="https://pod', "enclosure-several"),
    ("https://pod.example/audio/1/low.mp3", "", "enclosure-url-missing"),
    ("https://pod.example/audio/1/low.mp3", "audio/1/low.mp3", "enclosure-url-invalid"),
    ("https://pod.example/audio/1/low.mp3", "ftp://pod.example/a.mp3", "enclosure-url-invalid"),
    ("audio/1/low.mp3", "audio/2/high.m4a", "enclosure-twice"),
    ("audio/1/low.mp3", "audio/1/low.ogg", "enclosure-extension"),
    ("audio/1/low.mp3", "audio/1/low?f=a.mp3", "enclosure-extension"),
    ('length="28800417" type="audio/mpeg"', 'length="28800417"', "enclosure-type-missing"),
    (
        'length="28800417" type="audio/mpeg"',
        'length="28800417" type="mp3"',
        "enclosure-type-invalid",
    ),
    ("audio/1/low.mp3", "audio/1/low.m4a", "enclosure-type-differs"),
    ('length="28800417" ', "", "enclosure-length-missing"),
    ('length="28800417"', 'length=""', "enclosure-length-invalid"),
    ('length="28800417"', 'length="-1"', "enclosure-length-invalid"),
    ('length="28800417"', 'length="0"', "enclosure-length-unknown"),
    ('length="28800417"', 'length="1800"', "enclosure-length-duration"),
    ("5f0c7e0e-3a54-4a0a-9a52-6b1f6c1f0c11", "", "guid-missing"),
    ("5f0c7e0e-3a54-4a0a-9a52-6b1f6c1f0c11", "b", "guid-twice"),
    ('<guid isPermaLink="false">5', "<guid>5", "guid-permalink"),
    ("5f0c7e0e-3a54-4a0a-9a52-6b1f6c1f0c11", "0012", "guid-digits"),
    ("5f0c7e0e-3a54-4a0a-9a52-6b1f6c1f0c11", LONG, "guid-long"),
    ("5f0c7e0e-3a54-4a0a-9a52-6b1f6c1f0c11", "\n a", "guid-spaces"),
    ("<pubDate>Mon, 04 Mar 2024 09:05:00 GMT</pubDate>", "", "date-missing"),
    ("Mon, 04 Mar", "Tue, 05 Mar", "date-twice"),
    ("<description>Two.</description>", "", "notes-missing"),
    (
        "<description><![CDATA[",
        "<content:encoded>x</content:encoded><description><![CDATA[",
        "notes-order",
    ),
    ("ann@pod.example (Ann)", "Ann", "author-form"),
    ("<itunes:duration>1800</itunes:duration>", "", "duration-missing"),
    (">1800<", ">30 minutes<", "duration-invalid"),
    (">1800<", ">0<", "duration-invalid"),
    ("<itunes:episode>7", "<itunes:episode>0", "number-invalid"),
    (
        "<itunes:season>1</itunes:season>\n<itunes",
        "<itunes:season>x</itunes:season><itunes",
        "number-invalid",
    ),
    ("<itunes:episode>7", "<itunes:episode>6", "number-twice"),
    (">full<", ">Full<", "episode-type-invalid"),
    ('<podcast:person role="host">Pia', '<podcast:person role="guest">Ann', "persons-replaced"),
    ('startTime="60"', 'startTime="1790"', "soundbite-outside"),
    ('duration="30.5"', 'duration="3"', "soundbite-length"),
    ('start="7:48"', 'start="later"', "chapters-inline"),
    ('start="7:48"', 'start="48:00"', "chapters-inline"),
    ('title="B"', "", "chapters-inline"),
]
# The same for the podcast namespace, whose rules are made of its tags.
BREAKING_TAGS: list[tuple[str, str, str]] = [
    (">3d0081c1", ">x3d0081c1", "guid-text"),
    ("<podcast:guid>", "<podcast:guid/><podcast:guid>", "guid-twice"),
    (">yes</podcast:locked", ">Yes</podcast:locked", "locked-text"),
    ("<podcast:locked>", '<podcast:locked owner="ann at sea">', "locked-owner"),
    (">podcast</podcast:medium", ">audio</podcast:medium", "medium-text"),
    (">abc</podcast:txt", "></podcast:txt", "txt-text"),
    ('purpose="verify"', f'purpose="{LONG}"', "txt-purpose"),
    (' url="https://pod.example/give"', "", "funding-url"),
    ('"https://pod.example/give"', '"give"', "funding-url"),
    (">Give<", f">{LONG}<", "funding-text"),
    (">Pia Port</podcast:person>\n<podcast:loc", "></podcast:person>\n<podcast:loc", "person-text"),
    ('role="host" group', 'role="boss" group', "person-role"),
    ('group="cast"', 'group="crowd"', "person-group"),
    ('href="https://pia', 'href="pia', "person-href"),
    (">X</podcast:location", "></podcast:location", "location-text"),
    ('rel="creator"', 'rel="home"', "location-rel"),
    ("geo:51.5", "51.5", "location-geo"),
    ("R113314", "113314", "location-osm"),
    ('country="GB"', 'country="Britain"', "location-country"),
    ('trailer url="https://pod.example/t.mp3"', "trailer", "trailer-url"),
    ('pubdate="Tue, 05 Mar 2024 09:05:00 GMT"', 'pubdate="soon"', "trailer-pubdate"),
    (">CC-BY-4.0<", ">Ask Ann first<", "license-url"),
    (' method="keysend"', "", "value-method"),
    (">\n<podcast:valueRecipient", "><podcast:other", "value-valueRecipient"),
    ('split="100"', 'split="50%"', "valueRecipient-split"),
    (' address="abc"', "", "valueRecipient-address"),
    ('fee="false"', 'fee="no"', "valueRecipient-fee"),
    (
        '<podcast:valueTimeSplit startTime="1"',
        "<podcast:valueTimeSplit",
        "valueTimeSplit-startTime",
    ),
    ("podcast:remoteItem\n", "podcast:other\n", "valueTimeSplit-empty"),
    ('href="https://pod.example/a/wide.jpg"', "", "image-href"),
    ('id="amazon">yes', 'id="amazon">true', "block-text"),
    ('rrule="FREQ=WEEKLY"', 'rrule="weekly"', "updateFrequency-rrule"),
    ('FREQ=WEEKLY" dtstart="2024-03-05"', 'FREQ=WEEKLY;COUNT=3"', "updateFrequency-dtstart"),
    ('usesPodping="true"', 'usesPodping="yes"', "podping-usesPodping"),
    ("<podcast:podroll>", "<podcast:podroll></podcast:podroll><podcast:x>", "podroll-remoteItem"),
    ("9b024349-ccf0-5f69-a609-6b82873eab3c", "9b", "remoteItem-feedGuid"),
    (
        "<podcast:chat",
        '<podcast:remoteItem feedGuid="9b024349-ccf0-5f69-a609-6b82873eab3c"/><podcast:chat',
        "remoteItem-misplaced",
    ),
    ('medium="publisher"', 'medium="podcast"', "publisher-medium"),
    (' server="irc.example"', "", "chat-server"),
    ('protocol="irc"', 'protocol="icq"', "chat-protocol"),
    ('status="pending"', 'status="soon"', "liveItem-status"),
    ('start="2026-12-01T09:00:00Z"', 'start="soon"', "liveItem-start"),
    ("podcast:contentLink", "podcast:other", "liveItem-contentLink"),
    ("<title>Live</title>", "", "liveItem-title"),
    ('<guid isPermaLink="false">live-1</guid>', "", "liveItem-guid"),
    (
        '<enclosure url="https://stream.example/1.mp3" length="0" type="audio/mpeg"/>',
        "",
        "liveItem-enclosure",
    ),
    ('end="2026-12-01T10:00:00Z"', 'end="2026-12-01T10:00:00+01:00"', "liveItem-times"),
    ('start="2026-12-01T09:00:00Z"', 'start="2026-10-30T09:00:00Z"', "liveItem-late"),
    (
        'status="pending" start="2026-12-01T09:00:00Z" end="2026-12-01T10:00:00Z"',
        'status="live" start="2026-10-30T09:00:00Z"',
        "liveItem-late",
    ),
    ("<ttl>", '<podcast:images srcset="x"/><ttl>', "images-old"),
    ('type="text/vtt"', 'type="vtt"', "transcript-type"),
    ('type="application/json+chapters"', 'type="application/json"', "chapters-type"),
    ('url="https://pod.example/c.json"', "", "chapters-url"),
    ('startTime="60"', 'startTime="1:00"', "soundbite-startTime"),
    ('name="Spring">1', 'name="Spring">one', "season-text"),
    ('display="Ch. 7"', f'display="{LONG}"', "episode-display"),
    ('alternateEnclosure type="audio/ogg"', "alternateEnclosure", "alternateEnclosure-type"),
    ('<podcast:source uri="https://pod.example/low.ogg"/>', "", "alternateEnclosure-source"),
    ('type="sri"', 'type="md5"', "integrity-type"),
    (' uri="https://social.example/1"', "", "socialInteract-uri"),
    (
        "<ttl>",
        '<podcast:transcript url="https://x.example/" type="text/vtt"/><ttl>',
        "transcript-misplaced",
    ),
]


def findings_of(text: str) -> list[Finding]:
    body = text.encode("utf-8", "surrogatepass")
    return examine(read_feed(body, "application/rss+xml"), body=body, now=NOW)


def test_a_feed_that_is_right_in_every_rule_has_no_finding() -> None:
    assert findings_of(CLEAN) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [*BREAKING, *((old, new, f"podcast-{rule}") for old, new, rule in BREAKING_TAGS)],
    ids=lambda value: value if len(value) < 30 and " " not in value else "",
)
def test_a_feed_that_breaks_a_rule_is_told_so(old: str, new: str, rule: str) -> None:
    assert old in CLEAN
    # A name must change at its end tag too, an encoding once.
    count = -1 if new.endswith((":other", "1.0.dtd")) else 1
    assert rule in [finding.rule for finding in findings_of(CLEAN.replace(old, new, count))]


def test_an_unusual_prefix_is_named() -> None:
    changed = CLEAN.replace("podcast:", "pc:").replace("xmlns:podcast=", "xmlns:pc=")
    assert [finding.rule for finding in findings_of(changed)] == ["namespace-prefix"]


def test_a_serial_wants_numbers() -> None:
    serial = CLEAN.replace(">episodic<", ">serial<")
    assert findings_of(serial) == []
    found = findings_of(serial.replace("<itunes:episode>7</itunes:episode>", ""))
    assert [finding.rule for finding in found] == ["number-missing"]


def test_every_rule_is_broken_by_a_feed_here() -> None:
    assert set(RULES) - {rule for _, _, rule in BREAKING} == {"number-missing", "namespace-prefix"}


def test_what_is_found_says_where_and_who_and_what_to_do() -> None:
    (found,) = findings_of(CLEAN.replace("audio/1/low.mp3", "audio/1/low.ogg"))
    assert found.severity == "error"
    assert found.place == "episode 1, “Low water”"
    assert "https://pod.example/audio/1/low.ogg" in found.message
    assert "MP3" in found.fix
    assert found.source == "Apple"


def test_the_same_in_many_episodes_is_one_finding_that_names_five() -> None:
    item = "<item><title>E {0}</title><guid>https://g.example/{0}</guid></item>"
    items = "".join(item.format(number) for number in range(317))
    found = findings_of(SHOW + items + END)
    (missing,) = [finding for finding in found if finding.rule == "enclosure-missing"]
    assert missing.place.startswith("episode 1, “E 0”; episode 2, “E 1”")
    assert missing.place.endswith("episode 5, “E 4”; and 312 more")


def test_the_worst_comes_first() -> None:
    found = findings_of('<rss version="2.0"><channel><title>T</title></channel></rss>')
    order = ["error", "warning", "hint"]
    assert [finding.severity for finding in found] == sorted(
        (finding.severity for finding in found), key=order.index
    )


def test_words_of_the_feed_cannot_steer_a_terminal() -> None:
    found = findings_of(CLEAN.replace(">episodic<", ">a\u202eb\u0085c{}{0}<"))
    assert "a?b?c{}{0}" in found[0].message


@pytest.mark.parametrize("name", sorted(path.parent.name for path in GOLDEN.glob("*/expected.xml")))
def test_our_own_feeds_have_neither_errors_nor_warnings(name: str) -> None:
    text = (GOLDEN / name / "expected.xml").read_text(encoding="utf-8")
    found = [finding for finding in findings_of(text) if finding.severity != "hint"]
    # A show may be made before its first episode; a list or a publisher never has one.
    is_empty = "<item>" not in text and "<podcast:medium>podcast<" in text
    wanted = ["episodes-none"] if is_empty else []
    assert [finding.rule for finding in found] == wanted


@pytest.mark.parametrize(
    "path",
    sorted(GOLDEN.glob("*/documents/*.xml")),
    ids=lambda path: f"{path.parts[-3]}-{path.name}",
)
def test_our_further_feeds_and_pages_have_neither(path: Path) -> None:
    found = findings_of(path.read_text(encoding="utf-8"))
    assert [finding.rule for finding in found if finding.severity != "hint"] == []
    is_first_of_several = path.parts[-3:] == ("pages", "documents", "feed.xml")
    assert ("paging-older" in {finding.rule for finding in found}) == is_first_of_several


WORDS = st.text(max_size=60)


@given(title=WORDS, description=WORDS, author=WORDS, notes=WORDS, season=st.integers(1, 99))
def test_no_words_of_a_podcaster_make_a_feed_of_ours_be_rejected(
    title: str, description: str, author: str, notes: str, season: int
) -> None:
    show = make_show(title=title, description=description, author=author, copyright=author)
    html = render_notes(notes)
    episode = make_episode(1, title=title, notes_html=html, season=season, author=author)
    body = render_feed(show, [episode])
    found = examine(read_feed(body), body=body, now=NOW)
    assert [finding for finding in found if finding.severity == "error"] == []


VALUES = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"[<>&;/: 0-9a-z.+-]{0,30}"),
    st.sampled_from(
        ["", "http://[", "٣", "²", "9" * 400, "Mon, 99 Foo 0000 99:99", "a@b", "{}{0}"]
    ),
)
PLACES = sorted(
    {old for old, _, _ in [*BREAKING, *BREAKING_TAGS] if len(old) < 60 and "<" not in old}
)


@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=6))
def test_no_text_anywhere_makes_it_raise(changes: list[tuple[str, str]]) -> None:
    text = CLEAN
    for old, new in changes:
        text = text.replace(old, new.replace("&", "&amp;").replace("<", "&lt;").replace('"', "'"))
    try:
        found = findings_of(text)
    except Invalid:
        return
    assert all(finding.place and finding.message and finding.fix for finding in found)
