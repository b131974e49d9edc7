"""Foreign feeds read for an import: ours come back whole, odd ones with a word on each oddity."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podhost.errors import Invalid
from podhost.formats.chapters import Chapter
from podhost.formats.feed_dates import read_date
from podhost.formats.feed_values import (
    FeedEpisode,
    FeedPerson,
    FeedShow,
    FeedTranscript,
)
from podhost.formats.feed_xml import read_feed
from podhost.formats.imported import (
    COMES,
    DRAFT,
    SECOND_COPY,
    ImportedEpisode,
    ImportedLink,
    ImportedPerson,
    ImportedShow,
    ImportedSoundbite,
    ImportedTranscript,
)
from podhost.formats.rss import render_feed
from podhost.formats.rss_import import read_show
from podhost.formats.rss_import_fields import meant_url, one_line
from podhost.formats.rss_import_notes import read_notes
from podhost.formats.tag_values import ShowTags, Txt
from podhost.formats.text import remove_forbidden

GOLDEN = Path(__file__).parent.parent / "golden"
FEED_URL = "https://old.example/show/feed.xml"
NAMESPACES = (
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
    'xmlns:podcast="https://podcastindex.org/namespace/1.0" '
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:psc="http://podlove.org/simple-chapters" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/" '
    'xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0" xmlns:acme="urn:acme"'
)
AUDIO = '<enclosure url="https://old.example/a.mp3" length="5" type="audio/mpeg"/>'
DATE = "<pubDate>Tue, 05 Mar 2024 09:05:00 GMT</pubDate>"


def read(channel: str = "", *items: str) -> ImportedShow:
    listed = "".join(f"<item>{item}</item>" for item in items)
    head = "<title>Tide</title><language>en</language><itunes:category text='Arts'/>"
    xml = f'<rss version="2.0" {NAMESPACES}><channel>{head}{channel}{listed}</channel></rss>'
    return read_show(read_feed(xml.encode("utf-8", "surrogatepass"), ""), feed_url=FEED_URL)


def read_item(item: str) -> ImportedEpisode:
    (episode,) = read("", item).episodes
    return episode


def messages(show: ImportedShow) -> set[str]:
    return {oddity.message for oddity in show.oddities}


# Our own feeds come back whole: rendered again from what was read, they have the same bytes.


def people(imported: tuple[ImportedPerson, ...]) -> tuple[FeedPerson, ...]:
    return tuple(FeedPerson(p.name, p.role, p.group, p.url, p.image_url) for p in imported)


def feed_episode(episode: ImportedEpisode) -> FeedEpisode:
    assert episode.published_at and episode.url and episode.enclosure
    assert episode.explicit is not None and episode.duration_seconds is not None
    return FeedEpisode(
        guid=episode.guid,
        title=episode.title,
        published_at=episode.published_at,
        url=episode.url,
        notes_html=episode.notes_html,
        enclosure_url=episode.enclosure.url,
        enclosure_size_bytes=episode.enclosure.size_bytes or 0,
        enclosure_type=episode.enclosure.mime_type or "",
        duration_seconds=episode.duration_seconds,
        explicit=episode.explicit,
        episode_type=episode.episode_type,
        season=episode.season,
        season_name=episode.season_name,
        number=episode.number,
        artwork_url=episode.artwork_url,
        people=people(episode.people),
        transcripts=tuple(
            FeedTranscript(t.url, t.mime_type, t.language, t.rel) for t in episode.transcripts
        ),
        chapters_url=episode.chapters_url,
        is_blocked=episode.is_blocked,
        guid_is_permalink=episode.guid_is_permalink,
        author=episode.author,
    )


def feed_show(show: ImportedShow, changed_at: datetime, hubs: tuple[str, ...]) -> FeedShow:
    assert show.url and show.self_url and show.language and show.artwork_url
    txt = [tag for tag in show.tags if tag.name == "podcast:txt"]
    return FeedShow(
        title=show.title,
        url=show.url,
        feed_url=show.self_url,
        description=show.description,
        language=show.language,
        author=show.author or "",
        explicit=show.explicit,
        show_type=show.show_type,
        categories=show.categories,
        artwork_url=show.artwork_url,
        podcast_guid=show.podcast_guid or "",
        changed_at=changed_at,
        copyright=show.copyright,
        is_locked=bool(show.is_locked),
        medium=show.medium,
        people=people(show.people),
        owner_name=show.owner_name,
        owner_email=show.mail if show.owner_name else None,
        hub_urls=hubs,
        new_feed_url=show.new_feed_url,
        is_blocked=show.is_blocked,
        is_complete=show.is_complete,
        tags=ShowTags(
            locked_owner=show.locked_owner,
            txt=tuple(Txt(text=tag.text, purpose=tag.attributes.get("purpose")) for tag in txt),
        ),
        generator=show.generator or "",
    )


@pytest.mark.parametrize("name", ["interview", "leaving", "minimal", "serial"])
def test_each_golden_feed_gives_every_value_back(name: str) -> None:
    body = (GOLDEN / name / "expected.xml").read_bytes()
    feed = read_feed(body, "")
    show = read_show(feed, feed_url=None)
    assert show.oddities == () and show.unknown_xml == () and show.left_out == ()
    build_date = feed.root.findtext("channel/lastBuildDate")
    changed_at, _ = read_date(build_date)
    assert changed_at is not None
    hubs = tuple(
        link.get("href")
        for link in feed.root.iter("{http://www.w3.org/2005/Atom}link")
        if link.get("rel") == "hub"
    )
    again = render_feed(
        feed_show(show, changed_at, hubs), [feed_episode(episode) for episode in show.episodes]
    )
    assert again.decode() == body.decode()


def test_the_hostile_golden_feed_keeps_its_guids_and_dates() -> None:
    show = read_show(
        read_feed((GOLDEN / "hostile" / "expected.xml").read_bytes(), ""), feed_url=None
    )
    assert [episode.guid for episode in show.episodes] == ['<g> & ]]> "1"', "blank"]
    assert all(episode.published_at for episode in show.episodes)


# What identifies an episode.


def test_a_guid_is_taken_letter_by_letter() -> None:
    item = f"<guid>\n HTTP://Old.example/?p=7&amp;x=%C3%84 B/ </guid>{AUDIO}{DATE}"
    episode = read_item(item)
    assert episode.guid == "HTTP://Old.example/?p=7&x=%C3%84 B/"
    assert episode.guid_is_permalink
    assert not read_item(f'<guid isPermaLink="False">7</guid>{AUDIO}').guid_is_permalink


def test_without_a_guid_the_audio_is_the_identity_as_printed() -> None:
    episode = read_item('<title>x</title><enclosure url=" /a b.mp3 " length="1"/>')
    assert (episode.guid, episode.guid_is_permalink) == ("/a b.mp3", False)
    assert episode.enclosure and episode.enclosure.url == "https://old.example/a%20b.mp3"
    assert read_item("<title>x</title>").guid == ""


def test_of_two_with_one_guid_the_first_keeps_it() -> None:
    other = AUDIO.replace("a.mp3", "b.mp3")
    items = [f"<guid>g</guid>{audio}" for audio in (AUDIO, other, AUDIO, other)]
    show = read("", *items)
    assert [e.outcome for e in show.episodes] == [COMES, COMES, SECOND_COPY, SECOND_COPY]
    first, second = show.episodes[:2]
    assert first.guid == "g" and second.guid != "g"
    assert [e.guid for e in read("", *items).episodes] == [e.guid for e in show.episodes]
    assert (
        len([oddity for oddity in show.oddities if oddity.is_question and "guid" in oddity.message])
        == 3
    )


def test_one_audio_under_two_guids_comes_twice() -> None:
    show = read("", f"<guid>a</guid>{AUDIO}{DATE}", f"<guid>b</guid>{AUDIO}")
    assert [e.outcome for e in show.episodes] == [COMES, COMES]
    assert "The audio is that of another episode." in messages(show)


def test_a_guid_that_feeds_cannot_carry_waits_for_the_host() -> None:
    assert read_item(f"<guid>{'g' * 700}</guid>{AUDIO}").outcome == COMES
    for guid in ("a\nb", "g" * 741):
        assert read_item(f"<guid>{guid}</guid>{AUDIO}").outcome == DRAFT


# Dates.


def test_equal_dates_keep_the_order_of_the_feed() -> None:
    noon = datetime(2024, 3, 5, 9, 5, tzinfo=UTC)
    items = [f"<guid>{n}</guid>{DATE}" for n in range(3)]
    older = "<guid>9</guid><pubDate>Tue, 05 Mar 2024 09:04:59 GMT</pubDate>"
    dates = [e.published_at for e in read("", *items, older).episodes]
    assert dates == [noon - timedelta(seconds=n) for n in (0, 2, 3, 1)]
    dates = [e.published_at for e in read("", older, *items).episodes]
    assert dates == [noon - timedelta(seconds=n) for n in (1, 3, 2, 0)]


def test_a_missing_date_is_proposed_between_the_neighbours() -> None:
    newer = "<guid>1</guid><pubDate>Thu, 07 Mar 2024 09:05:00 GMT</pubDate>"
    show = read("", newer, "<guid>2</guid><pubDate>05/03/2024</pubDate>", f"<guid>3</guid>{DATE}")
    assert show.episodes[1].published_at is None
    assert show.episodes[1].proposed_at == datetime(2024, 3, 6, 9, 5, tzinfo=UTC)
    assert read_item("<guid>1</guid>").proposed_at is None
    alone = read("", f"<guid>3</guid>{DATE}", "<guid>4</guid>").episodes[1]
    assert alone.proposed_at == datetime(2024, 3, 4, 9, 5, tzinfo=UTC)


def test_a_thousand_episodes_of_one_second_take_no_time() -> None:
    show = read("", *(f"<guid>{n}</guid>{DATE}" for n in range(1000)))
    assert len({e.published_at for e in show.episodes}) == 1000


# Texts.


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("AT&amp;amp;T &#8211; part&nbsp;2", "AT&T – part 2"),
        ("<b>Bold</b> title", "Bold title"),
        ("5 < 6 and a > b", "5 < 6 and a > b"),
        ("I <3 radio", "I <3 radio"),
        ("C# & <T> generics", "C# & <T> generics"),
        ("one<br>two\n three", "one two three"),
    ],
)
def test_a_title_is_plain(written: str, plain: str) -> None:
    assert one_line(written) == plain
    assert read_item(f"<title>{escape(written)}</title>").title == plain


@pytest.mark.parametrize(
    ("encoded", "description", "notes"),
    [
        ("<p>Whole.</p>", "Short.", "<p>Whole.</p>"),
        (
            "Only the begin…",
            "<p>Only the beginning was there.</p>",
            "<p>Only the beginning was there.</p>",
        ),
        ("<p>A</p>", "<p>Something else that is longer.</p>", "<p>A</p>"),
        (
            "",
            "One\ntwo\n\nthree <T> AT&amp;T",
            "<p>One<br>\ntwo</p><p>three &lt;T&gt; AT&amp;T</p>",
        ),
        ("", "Title", ""),
        ("", "", ""),
        (
            "",
            '<p><a href="/p">x</a><a href="javascript:x">y</a></p>',
            '<p><a href="https://old.example/p">x</a>y</p>',
        ),
    ],
)
def test_notes_are_the_best_of_the_texts_and_clean(
    encoded: str, description: str, notes: str
) -> None:
    found = read_notes(encoded, description, title="Title", base_url="https://old.example/e/1")
    assert found.notes_html.replace("<br>\n", "<br>") == notes.replace("<br>\n", "<br>")


@pytest.mark.parametrize(
    "added",
    [
        "<p>Hosted on Acast. See <a href='https://acast.com/privacy'>acast.com/privacy</a>.</p>",
        "<p>Learn more about your ad choices. Visit <a href='https://megaphone.fm/adchoices'>"
        "megaphone.fm/adchoices</a></p>",
        "<br><br>See omnystudio.com/listener for privacy information.",
        "<p> </p><p>Hosted by Simplecast, an AdsWizz company. See pcm.adswizz.com for more.</p>",
    ],
)
def test_words_of_the_host_are_kept_apart(added: str) -> None:
    found = read_notes(
        f"<p>Ann talks.</p><p>Hosted by Ann.</p>{added}", "", title="", base_url=None
    )
    assert found.notes_html.rstrip() == "<p>Ann talks.</p><p>Hosted by Ann.</p>"
    assert found.boilerplate_html
    inside = read_notes(f"<p>Ann talks.<br>{added[3:]}", "", title="", base_url=None)
    assert "Ann talks." in inside.notes_html and "Ann talks." not in inside.boilerplate_html


def test_pictures_that_count_readers_are_left_out_and_told() -> None:
    notes = escape('Yes<img src="https://x.example/1.gif" width="1" height="1"><img src="/2.png">')
    show = read("", f"<description>{notes}</description>")
    assert "1.gif" not in show.episodes[0].notes_html and "2.png" in show.episodes[0].notes_html
    assert "Invisible pictures in the notes count readers." in messages(show)


# Addresses.


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/a.mp3", "https://old.example/a.mp3"),
        ("a.mp3", "https://old.example/show/a.mp3"),
        ("//cdn.example/a.mp3", "https://cdn.example/a.mp3"),
        ("cdn.example.com/a b.mp3", "https://cdn.example.com/a%20b.mp3"),
        ("http://cdn.example/ä%20b.mp3?x=1&y=2", "http://cdn.example/%C3%A4%20b.mp3?x=1&y=2"),
        ("https:/cdn.example/a.mp3", "https://cdn.example/a.mp3"),
        (" https://cdn.example/a.mp3\n", "https://cdn.example/a.mp3"),
        ("javascript:alert(1)", None),
        ("ftp://cdn.example/a.mp3", None),
        ("https://user:secret@cdn.example/a.mp3", None),
        ("https://", None),
        ("https://[x/a.mp3", None),
        ("x" * 5000, None),
        ("", None),
    ],
)
def test_an_address_is_what_was_meant(written: str, meant: str | None) -> None:
    assert meant_url(written, FEED_URL) == meant


def test_the_audio_comes_from_the_best_place() -> None:
    measured = '<enclosure url="https://op3.dev/e/cdn.example/a.mp3" length="0" type="Audio/MPEG"/>'
    enclosure = read_item(measured).enclosure
    assert enclosure and enclosure.media_url == "https://cdn.example/a.mp3"
    assert enclosure.prefixes == ("op3.dev/e",)
    assert (enclosure.size_bytes, enclosure.mime_type) == (None, "audio/mpeg")
    burned = f"{AUDIO}<feedburner:origEnclosureLink>https://cdn.example/o.mp3</feedburner:origEnclosureLink>"
    origin = read_item(burned).enclosure
    assert origin and (origin.url, origin.size_bytes) == ("https://cdn.example/o.mp3", 5)
    media = '<media:content url="https://cdn.example/m.mp3" medium="audio" fileSize="9"/>'
    found = read_item(media).enclosure
    assert found and (found.url, found.size_bytes) == ("https://cdn.example/m.mp3", 9)
    linked = read_item("<link>https://cdn.example/l.m4a?x=1</link>").enclosure
    assert linked and linked.url == "https://cdn.example/l.m4a?x=1"


def test_two_enclosures_and_none() -> None:
    show = read("", AUDIO + AUDIO.replace("a.mp3", "b.m4a"), "<title>Text</title>", "<enclosure/>")
    assert [e.url for e in show.episodes[0].more_enclosures] == ["https://old.example/b.m4a"]
    assert [e.outcome for e in show.episodes] == [COMES, DRAFT, DRAFT]
    assert {"The episode has more than one audio file.", "The episode has no audio."} <= messages(
        show
    )


# All the other tags.


def test_every_tag_of_an_episode_is_kept() -> None:
    episode = read_item(
        f"""{AUDIO}<title>S2E7: High</title><itunes:title>High</itunes:title>
        <itunes:image href="/h.png"/>
        <itunes:explicit>Yes</itunes:explicit><itunes:block>YES</itunes:block>
        <itunes:duration>1:02:03.5</itunes:duration><itunes:episodeType>Bonus</itunes:episodeType>
        <podcast:season name="Winter">S02</podcast:season>
        <podcast:episode display="Ch. 3">100.5</podcast:episode>
        <podcast:person role="Guest" group="Cast" href="https://ann.example"
        img="/ann.jpg">Ann</podcast:person>
        <podcast:person>Bo</podcast:person><podcast:person/>
        <podcast:transcript url="/t.vtt" type="text/vtt" language="de" rel="captions"/>
        <podcast:chapters url="/c.json" type="application/json+chapters"/>
        <psc:chapters version="1.2"><psc:chapter start="7:48.5" title="B" href="/b"/>
        <psc:chapter start="late" title="C"/></psc:chapters>
        <podcast:soundbite startTime="73.0" duration="60.5">Best</podcast:soundbite>
        <podcast:soundbite/>
        <podcast:funding url="https://pay.example">Pay</podcast:funding>
        <podcast:license url="https://l.example">cc-by-4.0</podcast:license>
        <podcast:alternateEnclosure type="audio/opus" length="9">
        <podcast:source uri="https://o.example/a"/>
        <podcast:integrity type="sri" value="sha384-x"/></podcast:alternateEnclosure>
        <acme:mood level="3"><acme:note>Low &amp; slow</acme:note></acme:mood>"""
    )
    assert (episode.title, episode.itunes_title) == ("S2E7: High", "High")
    assert (episode.explicit, episode.is_blocked, episode.episode_type) == (True, True, "bonus")
    assert (episode.season, episode.season_name, episode.duration_seconds) == (2, "Winter", 3723)
    assert (episode.number, episode.number_display, episode.suggested_number) == (None, "Ch. 3", 7)
    assert episode.decimal_number == "100.5"
    assert episode.artwork_url == "https://old.example/h.png"
    assert episode.people == (
        ImportedPerson(
            "Ann", "guest", "cast", "https://ann.example", "https://old.example/ann.jpg"
        ),
        ImportedPerson("Bo"),
    )
    assert episode.transcripts == (
        ImportedTranscript("https://old.example/t.vtt", "text/vtt", "de", "captions"),
    )
    assert episode.chapters_url == "https://old.example/c.json"
    assert episode.chapters == (Chapter(start_ms=468_500, title="B", url="https://old.example/b"),)
    assert episode.soundbites == (ImportedSoundbite(73_000, 60_500, "Best"),)
    assert episode.funding == (ImportedLink("https://pay.example", "Pay"),)
    assert episode.license == ImportedLink("https://l.example", "cc-by-4.0")
    (alternate,) = episode.tags
    assert alternate.name == "podcast:alternateEnclosure" and alternate.attributes["length"] == "9"
    assert [child.name for child in alternate.children] == ["podcast:source", "podcast:integrity"]
    assert episode.unknown_xml == (
        '<acme:mood xmlns:acme="urn:acme" level="3">'
        "<acme:note>Low &amp; slow</acme:note></acme:mood>",
    )


def test_every_tag_of_a_show_is_kept() -> None:
    show = read(
        """<link>https://old.example/</link>
        <description>&lt;p&gt;Salt &amp;amp; wind.&lt;/p&gt;</description>
        <managingEditor>ed@old.example (Ed Itor)</managingEditor>
        <itunes:type>Serial</itunes:type>
        <itunes:explicit>clean</itunes:explicit><image><url>/logo.png</url></image>
        <itunes:category text="Society &amp; Culture">
        <itunes:category text="Places &amp; Travel"/></itunes:category>
        <itunes:category text="Boats"/><itunes:complete>yes</itunes:complete>
        <itunes:keywords>a</itunes:keywords>
        <atom:link rel="self" href="/self.xml"/><atom:link rel="next" href="feed.xml?page=2"/>
        <podcast:guid>917393E3-1b1e-5cef-ace4-edaa54e1f810</podcast:guid>
        <podcast:locked owner="own@old.example"> Yes </podcast:locked>
        <podcast:medium>music</podcast:medium>
        <podcast:value type="lightning" method="keysend" suggested="0.00000005000">
        <podcast:valueRecipient name="Ann" type="node" address="02d5" split="99" fee="true"/>
        </podcast:value>
        <podcast:txt purpose="verify">abc</podcast:txt><acme:shop/>"""
    )
    assert (show.description, show.description_html) == ("Salt & wind.", "<p>Salt &amp; wind.</p>")
    assert (show.author, show.mail, show.show_type) == ("Ed Itor", "own@old.example", "serial")
    assert (show.explicit, show.is_complete, show.is_locked) == (False, True, True)
    assert show.categories == (("Arts", None), ("Society & Culture", "Places & Travel"))
    assert show.artwork_url == "https://old.example/logo.png"
    assert show.self_url == "https://old.example/self.xml"
    assert show.next_url == "https://old.example/show/feed.xml?page=2"
    assert show.podcast_guid == "917393E3-1b1e-5cef-ace4-edaa54e1f810" and show.medium == "music"
    value = next(tag for tag in show.tags if tag.name == "podcast:value")
    assert value.attributes["suggested"] == "0.00000005000"
    assert value.children[0].attributes["fee"] == "true"
    assert [tag.text for tag in show.tags if tag.name == "podcast:txt"] == ["abc"]
    assert show.unknown_xml == ('<acme:shop xmlns:acme="urn:acme"/>',)
    assert show.left_out == (("itunes:keywords", 1),)
    assert messages(show) == {"A category is unknown."}


def test_a_password_in_an_address_is_in_no_report() -> None:
    given = '<enclosure url="https://ann:secret@old.example/1.mp3" type="audio/mpeg"/>'
    show = read("", f"<title>One</title><guid>1</guid>{given}")
    assert show.episodes[0].enclosure is None
    assert "An address cannot be used." in messages(show)
    assert "https://old.example/1.mp3" in {oddity.detail for oddity in show.oddities}
    assert "secret" not in str(show.oddities)


@pytest.mark.parametrize(
    ("text", "is_locked"),
    [("yes", True), (" Yes ", True), ("TRUE", True), ("1", True), ("no", False)],
)
def test_a_lock_is_a_lock(text: str, is_locked: bool) -> None:
    assert read(f"<podcast:locked>{text}</podcast:locked>").is_locked is is_locked


def test_letters_that_were_encoded_twice_are_mended() -> None:
    broken = "PÃ¥ sjÃ¸en â€“ fÃ¸r"
    show = read(
        f"<description>{broken}</description>",
        f"<title>{broken}</title><guid>{broken}</guid><description>&lt;p&gt;Hei. {broken}&lt;/p&gt;"
        f'</description><podcast:person href="https://a.example/Ã¥">Ã…se</podcast:person>'
        f'<enclosure url="https://a.example/Ã¥.mp3"/><acme:mood>{broken}</acme:mood>',
        "<title>«CAFÉ»</title>",
    )
    assert show.description == "På sjøen – før"
    first, second = show.episodes
    assert (first.title, second.title) == ("På sjøen – før", "«CAFÉ»")
    assert first.notes_html == "<p>Hei. På sjøen – før</p>"
    assert first.people[0].name == "Åse"
    # What apps and servers compare stays as it is, letter by letter.
    assert first.guid == broken and first.unknown_xml[0].count(broken) == 1
    assert first.enclosure and first.enclosure.url == "https://a.example/%C3%83%C2%A5.mp3"
    noted = [oddity for oddity in show.oddities if "encoded twice" in oddity.message]
    assert [oddity.place.split()[0] for oddity in noted] == ["show", "episode"]


def test_an_atom_feed_gets_a_sentence() -> None:
    with pytest.raises(Invalid, match="This is an Atom feed, which podcast apps no longer read"):
        read_show(
            read_feed(b'<feed xmlns="http://www.w3.org/2005/Atom"><entry/></feed>'), feed_url=None
        )


# Hostile feeds.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no xml",
        b"<html><body>cookies</body></html>",
        b'<feed xmlns="http://www.w3.org/2005/Atom"><entry/></feed>',
        b"<rss/>",
        b"<opml><body/></opml>",
        b"<rss><channel><title>x</title><item><guid>a</guid><title>half",
    ],
)
def test_what_is_no_feed_gets_a_sentence(body: bytes) -> None:
    with pytest.raises(Invalid, match=r"\.$|podhost"):
        read_show(read_feed(body, ""), feed_url=None)


def test_items_are_found_wherever_they_lie() -> None:
    body = (
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        b'xmlns="http://purl.org/rss/1.0/"><channel><title>x</title></channel>'
        b"<item><title>One</title></item><item><title>Two</title></item></rdf:RDF>"
    )
    show = read_show(read_feed(body, ""), feed_url=None)
    assert [episode.title for episode in show.episodes] == ["One", "Two"]


def test_one_bad_episode_stops_no_other() -> None:
    bad = "<title/><guid/><pubDate>x</pubDate><enclosure url='http://[bad' length='-1'/>" * 3
    show = read("", f"<guid>1</guid>{AUDIO}", bad, f"<guid>3</guid>{DATE}")
    assert [episode.guid for episode in show.episodes] == ["1", "", "3"]


NAMES = [
    *("title", "link", "guid", "pubDate", "description", "content:encoded", "language", "image"),
    *("itunes:title", "itunes:explicit", "itunes:duration", "itunes:season", "itunes:episode"),
    *("itunes:image", "itunes:category", "itunes:owner", "itunes:type", "podcast:locked"),
    *("podcast:guid", "podcast:person", "podcast:transcript", "podcast:chapters", "psc:chapters"),
    *("podcast:soundbite", "podcast:funding", "podcast:value", "podcast:season", "acme:any"),
    *("enclosure", "media:content", "atom:link", "managingEditor", "itunes:new-feed-url"),
]
ATTRIBUTES = ["url", "href", "text", "length", "type", "startTime", "duration", "rel", "start"]
TEXT = st.text(max_size=60).map(remove_forbidden) | st.sampled_from(
    ["https://x", "//", "9" * 50, "<p>", "</p><br>", "1e9", "-1", "::", "http://[", "a\nb"]
)
ELEMENT = st.builds(
    lambda name, text, attributes: (
        f"<{name}{''.join(f' {key}={quoteattr(value)}' for key, value in attributes.items())}>"
        f"{escape(text)}</{name}>"
    ),
    st.sampled_from(NAMES),
    TEXT,
    st.dictionaries(st.sampled_from(ATTRIBUTES), TEXT, max_size=3),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(ELEMENT, max_size=8), st.lists(st.lists(ELEMENT, max_size=8), max_size=4))
def test_any_text_in_any_field_is_read_or_refused(
    channel: list[str], items: list[list[str]]
) -> None:
    try:
        show = read("".join(channel), *("".join(item) for item in items))
    except Invalid:
        return
    assert len(show.episodes) == len(items)
    guids = [e.guid for e in show.episodes if e.guid and e.outcome != SECOND_COPY]
    assert len(guids) == len(set(guids))
