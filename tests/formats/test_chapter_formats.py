"""Chapters are read from every format that is around, and from notes only where they are meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.errors import Invalid
from podhost.formats.chapter_formats import (
    CHAPTER_TYPES,
    notes_chapters,
    parse_chapters,
    render_chapters,
)
from podhost.formats.chapters import Chapter, normalise_chapters

HOUR_MS = 3_600_000
PSC = """<?xml version="1.0" encoding="UTF-8"?>
<psc:chapters version="1.2" xmlns:psc="http://podlove.org/simple-chapters">
  <!-- <!ENTITY is allowed in a comment -->
  <psc:chapter start="0" title="Hello &amp; welcome"/>
  <psc:chapter start="1:02.5" title="Über uns" href="https://a.example/"
               image="https://a.example/1.jpg"/>
  <psc:chapter start="01:00:00.250" title="End"/>
</psc:chapters>
"""
VTT = """WEBVTT - chapters

NOTE made by hand

1
00:00.000 --> 01:02.500
Hello <b>&amp;</b> welcome

00:01:02.500 --> 01:00:00.250 align:start
Über
uns
"""
SRT = """1
00:00:00,000 --> 00:01:02,500
Hello & welcome

2
00:01:02,500 --> 01:00:00,250
Über uns
"""


def starts(chapters):
    return [(chapter.start_ms, chapter.title) for chapter in chapters]


@pytest.mark.parametrize("name", ["chapters.psc", "chapters.xml", "", "chapters.txt"])
def test_it_reads_podlove_simple_chapters_whatever_the_name(name):
    assert parse_chapters(PSC.encode(), name) == [
        Chapter(start_ms=0, title="Hello & welcome"),
        Chapter(
            start_ms=62_500,
            title="Über uns",
            url="https://a.example/",
            image_url="https://a.example/1.jpg",
        ),
        Chapter(start_ms=3_600_250, title="End"),
    ]


@pytest.mark.parametrize(
    ("source", "encoding"),
    [
        (PSC.replace("simple-chapters", "simple-chapters/"), "utf-8-sig"),
        (PSC.replace("UTF-8", "ISO-8859-1"), "latin-1"),
        (PSC.replace("UTF-8", "UTF-16"), "utf-16"),
        (
            PSC.replace(' xmlns:psc="http://podlove.org/simple-chapters"', "").replace("psc:", ""),
            "",
        ),
    ],
)
def test_it_reads_simple_chapters_as_programs_spell_them(source, encoding):
    found = parse_chapters(source.encode(encoding or "utf-8"), "a.psc")
    assert starts(found)[1] == (62_500, "Über uns")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("<chapters><chapter start='soon' title='A'/></chapters>", "Chapter 1: its start 'soon'"),
        ("<rss version='2.0'><channel/></rss>", "not Podlove Simple Chapters"),
        ("<chapters><chapter start='1'></chapters>", "cannot be read as chapters"),
        ("<x:chapters/>", "cannot be read as chapters"),
        ('<!DOCTYPE c [<!ENTITY a "x">]><chapters/>', "DOCTYPE"),
        ('<!DOCTYPE c SYSTEM "file:///etc/passwd"><chapters/>', "DOCTYPE"),
        ("<chapters>" + "<chapter>" * 5000, "cannot be read as chapters"),
    ],
)
def test_xml_that_is_no_list_of_chapters_is_refused_in_a_sentence(source, sentence):
    with pytest.raises(Invalid, match=sentence):
        parse_chapters(source.encode(), "chapters.xml")


def test_simple_chapters_may_be_copied_out_of_a_feed():
    copied = "<psc:chapters version='1.2'><psc:chapter start='5' title='A'/></psc:chapters>"
    assert parse_chapters(copied.encode(), "") == [Chapter(start_ms=5000, title="A")]


def test_it_reads_numbered_lines():
    source = (
        "CHAPTER01=00:00:00.000\r\nCHAPTER01NAME=Über = uns\r\n"
        "chapter02=00:01:02,5\nchapter02name=Two\nCHAPTER02URL=https://two.example/\n"
    )
    assert parse_chapters(source.encode(), "chapters.txt") == [
        Chapter(start_ms=0, title="Über = uns"),
        Chapter(start_ms=62_500, title="Two", url="https://two.example/"),
    ]
    with pytest.raises(Invalid, match="Chapter 3 has no time"):
        parse_chapters(b"CHAPTER03NAME=Three", "chapters.txt")


@pytest.mark.parametrize("source", [VTT, SRT, VTT.replace("\n", "\r\n"), "\n\n" + SRT])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_it_reads_webvtt_and_srt_by_their_content(source, encoding):
    found = parse_chapters(source.encode(encoding), "chapters.txt")
    assert starts(found) == [(0, "Hello & welcome"), (62_500, "Über uns")]


def test_a_transcript_is_not_taken_for_chapters():
    cues = "\n\n".join(f"00:{n // 60:02}:{n % 60:02},000 --> 00:59:59,000\nYes" for n in range(501))
    with pytest.raises(Invalid, match="transcript"):
        parse_chapters(cues.encode(), "chapters.srt")


def test_a_cue_with_an_impossible_time_is_named():
    with pytest.raises(Invalid, match="Cue 1"):
        parse_chapters(b"WEBVTT\n\n00:75.000 --> 01:00.000\nA", "chapters.vtt")


def test_an_empty_list_of_simple_chapters_takes_chapters_away():
    assert parse_chapters(b"<chapters/>", "chapters.psc") == []


# Writing


CHAPTERS = [
    Chapter(start_ms=0, title='A "B" & <x-y onload=alert(1)>', end_ms=62_500),
    Chapter(start_ms=30_000, end_ms=62_500, is_hidden=True, url="https://hidden.example/"),
    Chapter(
        start_ms=62_500,
        title="1 --> 2 < 3",
        end_ms=HOUR_MS,
        url="https://a.example/?a=1&b=2",
        image_url="https://a.example/1.jpg",
    ),
]


def test_it_writes_podlove_simple_chapters():
    assert render_chapters(CHAPTERS, "psc").decode().splitlines() == [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<psc:chapters version="1.2" xmlns:psc="http://podlove.org/simple-chapters">',
        '  <psc:chapter start="00:00:00.000" title="A &quot;B&quot; &amp; '
        '&lt;x-y onload=alert(1)&gt;"/>',
        '  <psc:chapter start="00:01:02.500" title="1 --&gt; 2 &lt; 3" '
        'href="https://a.example/?a=1&amp;b=2" image="https://a.example/1.jpg"/>',
        "</psc:chapters>",
    ]


def test_it_writes_webvtt_srt_and_text():
    assert render_chapters(CHAPTERS, "vtt").decode() == (
        "WEBVTT\n\n00:00:00.000 --> 00:01:02.500\n"
        'A "B" &amp; &lt;x-y onload=alert(1)&gt;\n\n'
        "00:01:02.500 --> 01:00:00.000\n1 --&gt; 2 &lt; 3\n"
    )
    assert render_chapters(CHAPTERS, "srt").decode() == (
        '1\n00:00:00,000 --> 00:01:02,500\nA "B" & &lt;x-y onload=alert(1)>\n\n'
        "2\n00:01:02,500 --> 01:00:00,000\n1 --&gt; 2 < 3\n"
    )
    assert render_chapters(CHAPTERS, "txt").decode() == (
        '00:00:00.000 A "B" & <x-y onload=alert(1)>\n'
        "00:01:02.500 1 --> 2 < 3 <https://a.example/?a=1&b=2>\n"
    )


@pytest.mark.parametrize("ending", CHAPTER_TYPES)
def test_no_form_is_empty_even_without_any_listed_chapter(ending):
    hidden = [Chapter(start_ms=0, end_ms=HOUR_MS, is_hidden=True)]
    assert render_chapters(hidden, ending)


titles = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=60)
urls = st.none() | st.sampled_from(["https://a.example/?a=1&b=2", "https://b.example/%3C"])
lists = st.lists(
    st.builds(
        Chapter,
        start_ms=st.integers(0, HOUR_MS - 1),
        title=titles | st.sampled_from(["<b>", "1 --> 2", "&amp;", "42", "<v Ann>x", "a\tb", "-"]),
        url=urls,
        image_url=urls,
        is_hidden=st.booleans(),
    ),
    max_size=6,
)


@given(lists)
def test_what_is_written_is_read_again(chapters):
    clean, _ = normalise_chapters(chapters, HOUR_MS)
    listed = [chapter for chapter in clean if not chapter.is_hidden]
    for ending in CHAPTER_TYPES:
        if not listed and ending in ("vtt", "srt", "txt"):
            continue
        found = parse_chapters(render_chapters(clean, ending), f"chapters.{ending}")
        again, warnings = normalise_chapters(found, HOUR_MS)
        assert not warnings, (ending, warnings)
        if ending == "json":
            assert again == clean
            continue
        assert starts(again) == starts(listed), ending
        if ending != "srt" and ending != "vtt":
            assert [c.url for c in again] == [c.url for c in listed], ending
        if ending == "psc":
            assert [c.image_url for c in again] == [c.image_url for c in listed]


# Notes


@pytest.mark.parametrize(
    "notes",
    [
        "We talk about tides.\n\n00:00 Hello\n01:02 The wreck\n\nThanks!",
        "0:00 Hello\n\n1:02 The wreck",
        "- 00:00 Hello\n- 00:01:02 The wreck",
        "**00:00** Hello  \n**01:02** – The wreck\\",
        "* [00:00](https://a.example/?t=0) Hello\n* (01:02) The wreck",
        "Chapters:<br>00:00 Hello<br />01:02 The wreck",
    ],
)
def test_a_list_of_times_in_notes_is_a_list_of_chapters(notes):
    assert starts(notes_chapters(notes, HOUR_MS)) == [(0, "Hello"), (62_000, "The wreck")]


def test_a_link_in_the_title_is_the_chapters():
    found = notes_chapters("00:00 *Hello*\n01:02 [The wreck](https://wreck.example/a)", HOUR_MS)
    assert found[1].title == "The wreck"
    assert found[1].url == "https://wreck.example/a"


@pytest.mark.parametrize(
    "notes",
    [
        "",
        "At 00:00 it begins, and at 10:30 it ends.",
        "00:00 is when the year begins.",
        "00:00 Hello",
        "10:30 Doors open\n11:00 The talk",
        "00:00 Hello\nthen we talk\n01:02 The wreck",
        "00:00 Hello\n01:02 The wreck\n00:30 Back again",
        "00:00 Hello\n00:00 Hello again",
        "00:00 Hello\n01:02",
        "00:00 Hello\n61:00 After the end",
        "00:00 Hello\n01:02 The wreck\n\nIn the other one:\n\n00:00 Intro\n02:00 More",
    ],
)
def test_other_times_in_notes_are_nobodys_chapters(notes):
    assert notes_chapters(notes, HOUR_MS) == []


def test_a_timetable_beside_the_chapters_does_no_harm():
    notes = "00:00 Hello\n01:02 The wreck\n\nCome and see us:\n\n18:00 Doors\n19:00 The show"
    assert len(notes_chapters(notes, HOUR_MS)) == 2


def test_hostile_notes_take_no_time():
    for piece in ("[", "[a](https://x.example/", "00:00 ", "*", "<br", "0:00 a\n"):
        notes_chapters(piece * 40_000, None)


@given(
    st.lists(
        st.sampled_from(["00:00 A", "0:30 B", "- 1:00 C", "", "text", "1:00:00 D", "x 0:10 y"])
    ).map("\n".join)
)
def test_chapters_from_notes_are_always_a_right_list(notes):
    found = notes_chapters(notes, HOUR_MS)
    times = [chapter.start_ms for chapter in found]
    assert len(found) != 1 and times == sorted(set(times))
    assert all(0 <= time < HOUR_MS for time in times) and times[:1] in ([], [0])
    assert all(chapter.title in "ABCD" for chapter in found)
