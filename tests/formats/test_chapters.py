"""Chapter files become clean chapters, and chapters become JSON that apps read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.errors import Invalid
from podhost.formats.chapter_formats import parse_chapters
from podhost.formats.chapters import (
    Chapter,
    normalise_chapters,
    parse_json_chapters,
    parse_text_chapters,
    render_json_chapters,
)

HOUR_MS = 3_600_000


def document(*entries, **more):
    return json.dumps({"version": "1.2.0", "chapters": entries, **more}).encode()


def test_it_reads_every_key_of_a_json_chapter():
    data = document(
        {
            "startTime": 12.5,
            "endTime": 90,
            "title": "Alice arrives",
            "url": "https://example.com/alice",
            "img": "https://example.com/alice.jpg",
            "toc": False,
            "location": {"name": "Oslo", "geo": "geo:59.9,10.7"},
        }
    )
    assert parse_json_chapters(data) == [
        Chapter(
            start_ms=12_500,
            end_ms=90_000,
            title="Alice arrives",
            url="https://example.com/alice",
            image_url="https://example.com/alice.jpg",
            is_hidden=True,
        )
    ]


def test_only_the_start_is_required_in_json():
    assert parse_json_chapters(document({"startTime": 0})) == [Chapter(start_ms=0)]


def test_it_rounds_seconds_to_whole_milliseconds():
    (chapter,) = parse_json_chapters(document({"startTime": 12.500000001, "title": "A"}))
    assert chapter.start_ms == 12_500
    assert b'"startTime":12.5,' in render_json_chapters([chapter])


def test_it_reads_a_byte_order_mark():
    assert parse_json_chapters(b"\xef\xbb\xbf" + document({"startTime": 1}))


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("intro", "Chapter 1 is not an object"),
        (["startTime", 1], "Chapter 1 is not an object"),
        ({"title": "No time"}, '"startTime" must be a number'),
        ({"startTime": "12"}, '"startTime" must be a number'),
        ({"startTime": True}, '"startTime" must be a number'),
        ({"startTime": 1e300}, "further away"),
        ({"startTime": -1e300}, "further away"),
        ({"startTime": 1, "endTime": []}, '"endTime" must be a number'),
        ({"startTime": 1, "title": 7}, '"title" must be text'),
        ({"startTime": 1, "url": {}}, '"url" must be text'),
        ({"startTime": 1, "img": 1}, '"img" must be text'),
        ({"startTime": 1, "toc": "no"}, '"toc" must be true or false'),
    ],
)
def test_it_names_what_is_wrong_in_a_json_chapter(entry, sentence):
    with pytest.raises(Invalid) as caught:
        parse_json_chapters(document(entry))
    assert sentence in caught.value.message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"chapters": {}}',
        b'{"chapters": [{"startTime": NaN}]}',
        b'{"chapters": [{"startTime": Infinity}]}',
        b'{"chapters": [{"startTime": 1e999}]}',
        b'{"chapters": [{"startTime": ' + b"9" * 5000 + b"}]}",
        b'{"chapters": [{"startTime": 1, "title": "\xff"}]}',
        b'{"chapters": [{"startTime": 1, "title": "\\ud800"}]}',
        b"[" * 200_000,
        b'{"chapters": ' + b"[" * 200_000,
        b'{"chapters": [' + b" " * 1_000_000 + b"]}",
        b"\x00\x01\x02",
    ],
)
def test_it_refuses_broken_json_with_a_sentence(data):
    with pytest.raises(Invalid) as caught:
        parse_json_chapters(data)
    assert caught.value.message.endswith(".")


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_invalid(data):
    for name in ("chapters.json", "chapters.txt"):
        try:
            normalise_chapters(parse_chapters(data, name), HOUR_MS)
        except Invalid as error:
            assert error.message.endswith(".")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
chapter_keys = st.sampled_from(["startTime", "endTime", "title", "url", "img", "toc", "x"])


@given(st.lists(st.dictionaries(chapter_keys, json_values), max_size=4))
def test_no_json_raises_anything_but_invalid(entries):
    data = json.dumps({"chapters": entries}).encode()
    try:
        chapters, _ = normalise_chapters(parse_json_chapters(data), HOUR_MS)
    except Invalid:
        return
    render_json_chapters(chapters)


@pytest.mark.parametrize(
    ("line", "start_ms", "title"),
    [
        ("00:01:30 The first question", 90_000, "The first question"),
        ("00:01:30.250 The first question", 90_250, "The first question"),
        ("00:01:30,5 The first question", 90_500, "The first question"),
        ("1:30 Short", 90_000, "Short"),
        ("90:00 An hour and a half", 5_400_000, "An hour and a half"),
        ("- 01:30 - Dashes", 90_000, "Dashes"),
        ("• (01:30) Bullet", 90_000, "Bullet"),
        ("[00:01:30] Brackets", 90_000, "Brackets"),
        ("  01:30 – Long dash", 90_000, "Long dash"),
        ("01:30: Colon", 90_000, "Colon"),
        ("01:30", 90_000, ""),
        ("90.000000\t90.000000\tAudacity", 90_000, "Audacity"),
        ("01:30 -5 degrees", 90_000, "-5 degrees"),
    ],
)
def test_it_reads_lines_of_text(line, start_ms, title):
    assert parse_text_chapters(line) == [Chapter(start_ms=start_ms, title=title)]


def test_it_reads_the_link_behind_a_title():
    assert parse_text_chapters("00:10 Alice's book <https://example.com/book>") == [
        Chapter(start_ms=10_000, title="Alice's book", url="https://example.com/book")
    ]


def test_it_finds_the_chapters_in_show_notes():
    notes = "Alice talks to Bob.\r\n\r\n00:00 Hello\r\n05:00 Goodbye\r\nAt 10:30am we left.\r\n"
    assert [chapter.title for chapter in parse_text_chapters(notes)] == ["Hello", "Goodbye"]


def test_an_impossible_time_in_a_chapter_file_is_named():
    with pytest.raises(Invalid, match="Line 2"):
        parse_chapters(b"00:00 Hello\n00:75 Goodbye\n", "chapters.txt")


def test_a_text_file_without_chapters_is_refused_with_an_example():
    with pytest.raises(Invalid, match="00:01:30 The first question"):
        parse_chapters(b"Alice talks to Bob.", "chapters.txt")


def test_content_goes_before_the_name():
    assert parse_chapters(document({"startTime": 1}), "chapters.txt") == [Chapter(start_ms=1000)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_it_reads_text_as_editors_save_it(encoding):
    data = "00:00 Über uns".encode(encoding)
    assert parse_chapters(data, "chapters.txt") == [Chapter(start_ms=0, title="Über uns")]


def test_a_huge_line_takes_no_time():
    parse_text_chapters("00:00" + " " * 900_000 + "x")
    parse_text_chapters("-" * 900_000)
    title = "<!--" * 200_000
    normalise_chapters([Chapter(start_ms=0, title=title)], HOUR_MS)


def normalised(*chapters, duration_ms=HOUR_MS):
    return normalise_chapters(list(chapters), duration_ms)


def test_it_sorts_and_ends_each_chapter_where_the_next_one_starts():
    chapters, warnings = normalised(
        Chapter(start_ms=60_000, title="B", end_ms=0xFFFFFFFF),
        Chapter(start_ms=0, title="A", end_ms=10),
    )
    assert chapters == [
        Chapter(start_ms=0, title="A", end_ms=60_000),
        Chapter(start_ms=60_000, title="B", end_ms=HOUR_MS),
    ]
    assert warnings == []


def test_a_hidden_chapter_does_not_end_a_listed_one():
    chapters, _ = normalised(
        Chapter(start_ms=0, title="A"),
        Chapter(start_ms=1000, is_hidden=True),
        Chapter(start_ms=2000, is_hidden=True),
        Chapter(start_ms=3000, title="B"),
    )
    assert [chapter.end_ms for chapter in chapters] == [3000, 2000, 3000, HOUR_MS]


def test_it_drops_chapters_outside_the_audio_and_says_so():
    chapters, warnings = normalised(
        Chapter(start_ms=-1, title="Early"),
        Chapter(start_ms=HOUR_MS - 1, title="In time"),
        Chapter(start_ms=HOUR_MS, title="Late"),
    )
    assert [chapter.title for chapter in chapters] == ["In time"]
    assert "Early" in warnings[0]
    assert "Late" in warnings[1]
    assert "1:00:00" in warnings[1]


def test_without_a_duration_nothing_is_late_and_the_last_has_no_end():
    chapters, warnings = normalised(Chapter(start_ms=HOUR_MS * 9, title="A"), duration_ms=None)
    assert chapters == [Chapter(start_ms=HOUR_MS * 9, title="A")]
    assert warnings == []


def test_of_equal_starts_the_last_titled_one_is_kept():
    chapters, warnings = normalised(
        Chapter(start_ms=0, title="first"),
        Chapter(start_ms=0, title="second"),
        Chapter(start_ms=0, title=" \x07 "),
    )
    assert [chapter.title for chapter in chapters] == ["second"]
    assert warnings


def test_it_cleans_titles():
    chapters, warnings = normalised(
        Chapter(start_ms=0, title="  Cafe\u0301\x00\ud800 <b>bold</b>\nline "),
        Chapter(start_ms=1, title="x" * 300),
        Chapter(start_ms=2, title=""),
    )
    assert chapters[0].title == "Café bold line"
    assert len(chapters[1].title) == 128
    assert chapters[2].title == "Chapter 3"
    assert len(warnings) == 2


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://example.com/", "/alice", "http://", "http://[", "x" * 9]
)
def test_it_drops_links_that_apps_must_not_open(url):
    chapters, warnings = normalised(Chapter(start_ms=0, title="A", url=url, image_url=url))
    assert (chapters[0].url, chapters[0].image_url) == (None, None)
    assert len(warnings) == 2


def test_it_keeps_five_hundred_chapters():
    many = [Chapter(start_ms=number, title=str(number)) for number in range(600)]
    chapters, warnings = normalised(*many)
    assert [chapter.title for chapter in chapters] == [str(number) for number in range(500)]
    assert "600" in warnings[0]


def test_it_says_only_so_much():
    many = [Chapter(start_ms=HOUR_MS + number, title=str(number)) for number in range(600)]
    chapters, warnings = normalised(*many)
    assert chapters == []
    assert len(warnings) == 6
    assert "595 more" in warnings[-1]


def test_it_writes_json_chapters_byte_for_byte():
    chapters = [
        Chapter(start_ms=0, end_ms=12_500, title="Hallå"),
        Chapter(start_ms=12_500, image_url="https://example.com/a.jpg", is_hidden=True),
    ]
    assert render_json_chapters(chapters, title="One", podcast_name="Alice's show").decode() == (
        '{"version":"1.2.0","title":"One","podcastName":"Alice\'s show","chapters":['
        '{"startTime":0.0,"title":"Hallå","endTime":12.5},'
        '{"startTime":12.5,"img":"https://example.com/a.jpg","toc":false}]}\n'
    )


any_chapter = st.builds(
    Chapter,
    start_ms=st.integers(-1000, HOUR_MS + 1000),
    end_ms=st.none() | st.integers(-1000, HOUR_MS + 1000),
    title=st.text(max_size=200),
    url=st.none() | st.sampled_from(["https://example.com/a", "http://example.com", "nothing"]),
    image_url=st.none() | st.just("https://example.com/a.jpg"),
    is_hidden=st.booleans(),
)


@given(st.lists(any_chapter, max_size=20))
def test_json_chapters_come_back_as_they_went(chapters):
    clean, _ = normalise_chapters(chapters, HOUR_MS)
    written = render_json_chapters(clean)
    assert parse_json_chapters(written) == clean
    assert render_json_chapters(parse_json_chapters(written)) == written


@given(st.lists(any_chapter, max_size=20))
def test_normalised_chapters_stay_as_they_are(chapters):
    clean, _ = normalise_chapters(chapters, HOUR_MS)
    again, warnings = normalise_chapters(clean, HOUR_MS)
    assert again == clean
    assert warnings == []
    starts = [chapter.start_ms for chapter in clean]
    assert starts == sorted(set(starts))
    assert all(0 <= chapter.start_ms < chapter.end_ms <= HOUR_MS for chapter in clean)
    assert all(len(chapter.title) <= 128 for chapter in clean)
    assert all(chapter.title or chapter.is_hidden for chapter in clean)
