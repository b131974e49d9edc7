"""Uploaded transcripts become ones that apps read, and subtitles become WebVTT."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.errors import Invalid
from podhost.formats.transcripts import (
    Cue,
    as_vtt,
    parse_cues,
    read_transcript,
    render_vtt,
    srt_to_vtt,
)

VTT = b"""WEBVTT - Alice and Bob
Language: en-GB

STYLE
::cue { color: white }

NOTE
Nobody sees this.

intro
00:01.000 --> 00:04.000 align:start
<v.loud Alice>Hello &amp; <i>welcome</i>.</v>

2
00:00:04.000 --> 00:00:06.500
<v Alice>Who are you?</v>
<v Bob>I am Bob.
"""

SRT = """\
1
00:00:01,000 --> 00:00:04,000
Hello & <i>welcome</i>.

2
00:00:04,000 --> 00:00:06,500 X1:1 X2:2 Y1:3 Y2:4
{\\an8}Two lines,

with a gap -> between.
3
00:01:00,5 --> 01:00:00,000
1984
"""

JSON = json.dumps(
    {
        "version": "1.0.0",
        "segments": [
            {"speaker": "Alice", "startTime": 0.5, "endTime": 2, "body": "Hello <there>."},
            {"startTime": 2, "body": "And here."},
        ],
    }
).encode()


def test_it_reads_webvtt():
    transcript = read_transcript(VTT, "hello.vtt")
    assert transcript.format == "vtt"
    assert transcript.mime_type == "text/vtt"
    assert transcript.extension == "vtt"
    assert transcript.language == "en-GB"
    assert transcript.body == VTT
    assert transcript.warnings == []
    assert as_vtt(transcript) == VTT


def test_it_finds_the_voices_of_webvtt():
    assert parse_cues(VTT, "vtt") == [
        Cue(1000, 4000, "Alice", "Hello & welcome."),
        Cue(4000, 6500, "Alice", "Who are you?"),
        Cue(4000, 6500, "Bob", "I am Bob."),
    ]


def test_it_reads_srt_and_offers_it_as_webvtt():
    transcript = read_transcript(SRT.encode(), "hello.srt")
    assert (transcript.format, transcript.mime_type) == ("srt", "application/x-subrip")
    assert transcript.warnings == []
    assert as_vtt(transcript).decode() == (
        "WEBVTT\n\n"
        "00:00:01.000 --> 00:00:04.000\nHello &amp; welcome.\n\n"
        "00:00:04.000 --> 00:00:06.500\nTwo lines,\nwith a gap -&gt; between.\n\n"
        "00:01:00.500 --> 01:00:00.000\n1984\n"
    )


def test_it_reads_json_and_offers_it_as_webvtt():
    transcript = read_transcript(JSON, "application/json; charset=utf-8")
    assert (transcript.format, transcript.extension) == ("json", "json")
    assert json.loads(transcript.body) == json.loads(JSON)
    assert as_vtt(transcript).decode() == (
        "WEBVTT\n\n"
        "00:00:00.500 --> 00:00:02.000\n<v Alice>Hello &lt;there&gt;.\n\n"
        "00:00:02.000 --> 00:00:04.000\nAnd here.\n"
    )


def test_it_reads_plain_text_which_has_no_timings():
    transcript = read_transcript(b"Alice: Hello.\r\n\r\nBob: Hello.", "hello.txt")
    assert (transcript.format, transcript.mime_type) == ("text", "text/plain")
    assert transcript.body == b"Alice: Hello.\n\nBob: Hello.\n"
    assert as_vtt(transcript) is None
    assert parse_cues(transcript.body, "text") == []


def test_html_keeps_cite_time_and_p_only():
    page = (
        b'<!DOCTYPE html><html lang="de"><head><title>T</title><style>p{}</style></head><body>'
        b'<h1>Hello</h1><cite onclick="x()">Alice:</cite><time datetime="PT1S" style="a">'
        b"0:01</time>"
        b'<p>One<br>two <a href="javascript:x()">three</a><script>alert(1)</script></p>'
    )
    transcript = read_transcript(page, "hello.html")
    assert (transcript.format, transcript.language) == ("html", "de")
    assert transcript.body == (
        b'Hello<cite>Alice:</cite><time datetime="PT1S">0:01</time><p>One\ntwo three</p>\n'
    )


@pytest.mark.parametrize(
    "page", [b"<p><script>alert(1)</script></p>", b"<div>&nbsp;</div>", b"<p></p>"]
)
def test_html_without_words_is_refused(page):
    with pytest.raises(Invalid, match="empty"):
        read_transcript(page, "hello.html")


def test_html_that_takes_for_ever_to_clean_is_refused():
    with pytest.raises(Invalid, match="nested"):
        read_transcript(b"<div>" * 600_000 + b"words", "hello.html")


@pytest.mark.parametrize(
    ("data", "name", "found"),
    [
        (VTT, "hello.srt", "vtt"),
        (SRT.encode(), "hello.vtt", "srt"),
        (SRT.encode(), "hello.txt", "srt"),
        (JSON, "hello", "json"),
        (b"<p>Hello</p>", "hello", "html"),
        (b"Hello", "hello", "text"),
        (b"{laughs} Hello", "hello.txt", "text"),
    ],
)
def test_the_content_decides(data, name, found):
    assert read_transcript(data, name).format == found


def test_a_wrong_name_is_remarked():
    (warning,) = read_transcript(SRT.encode(), "hello.vtt").warnings
    assert "SRT" in warning
    assert "WebVTT" in warning


@pytest.mark.parametrize(
    ("name", "language"),
    [("hello.de.srt", "de"), ("hello.pt-BR.srt", "pt-BR"), ("hello.srt", None), ("de.srt", None)],
)
def test_the_name_may_tell_the_language(name, language):
    assert read_transcript(SRT.encode(), name).language == language


@pytest.mark.parametrize(
    ("header", "name", "language"),
    [
        ("Language: English", "hello.vtt", None),
        ("Language: English", "hello.de.vtt", "de"),
        ("Language: en", "hello.de.vtt", "en"),
        ("Kind: captions", "hello.xx.vtt", None),
        ("Kind: captions", "hello.my.vtt", "my"),
    ],
)
def test_what_is_no_language_code_tells_no_language(header, name, language):
    vtt = f"WEBVTT\n{header}\n\n00:01.000 --> 00:02.000\nHello\n"
    assert read_transcript(vtt.encode(), name).language == language


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_it_removes_byte_order_marks_and_carriage_returns(encoding):
    data = SRT.replace("Hello", "Hallå").replace("\n", "\r\n").encode(encoding)
    transcript = read_transcript(data, "hello.srt")
    assert transcript.body == SRT.replace("Hello", "Hallå").encode()
    assert transcript.warnings == []


def test_old_encodings_are_read_with_a_warning():
    transcript = read_transcript(SRT.replace("Hello", "Hallå").encode("cp1252"), "hello.srt")
    assert "Hallå" in transcript.body.decode()
    assert "accents" in transcript.warnings[0]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "hello.vtt"),
        (b" \r\n ", "hello.txt"),
        (b"WEBVTT", "hello.vtt"),
        (b"WEBVTT\n\nNOTE nothing\n", "hello.vtt"),
        (b"Hello", "hello.vtt"),
        (b"Hello", "hello.srt"),
        (b"Hello", "hello.json"),
        (b"Hel\0lo", "hello.txt"),
        (b"%PDF-1.7", "hello.txt"),
        (b"PK\x03\x04word", "hello.txt"),
        (b"\xff\xfe\x00", "hello.txt"),
        (b"\x81\x8d\x8f", "hello.txt"),
        (b"1\n00:00:01,000 --> soon\nHello\n", "hello.srt"),
        (b"1\n00:00:01,000 -->\nHello\n", "hello.srt"),
        (b"1\n00:00:61,000 --> 00:02:00,000\nHello\n", "hello.srt"),
        (b"1\n00:00:09,000 --> 00:00:01,000\nHello\n", "hello.srt"),
        (b"{}", "hello.json"),
        (b'{"segments": []}', "hello.json"),
        (b'{"segments": [{"startTime": 1e300, "body": "a"}]}', "hello.json"),
        (b'{"segments": [{"startTime": -1, "body": "a"}]}', "hello.json"),
        (b'{"segments": [{"startTime": "1", "body": "a"}]}', "hello.json"),
        (b'{"segments": [{"startTime": NaN, "body": "a"}]}', "hello.json"),
        (b"[" * 200_000, "hello.json"),
        (b'{"segments": ' + b"[" * 200_000, "hello.json"),
        (b'{"segments": [{"startTime": 1, "x": ' + b"[" * 200_000, "hello.json"),
        (b"a" * 10_000_001, "hello.txt"),
    ],
)
def test_it_refuses_what_is_no_transcript_with_a_sentence(data, name):
    with pytest.raises(Invalid) as caught:
        read_transcript(data, name)
    assert caught.value.message.endswith(".")


def test_it_names_the_cue_with_a_wrong_time():
    broken = SRT.replace("00:00:04,000 --> 00:00:06,500", "00:00:04,000 --> 0:0:6")
    with pytest.raises(Invalid, match="Cue 2"):
        read_transcript(broken.encode(), "hello.srt")


def test_cues_out_of_order_are_remarked_and_sorted_in_webvtt():
    srt = "1\n00:00:05,000 --> 00:00:06,000\nB\n\n2\n00:00:01,000 --> 00:00:02,000\nA\n"
    transcript = read_transcript(srt.encode(), "hello.srt")
    assert "Cue 2" in transcript.warnings[0]
    assert [cue.text for cue in parse_cues(as_vtt(transcript), "vtt")] == ["A", "B"]


def test_a_cue_without_length_lasts_until_the_next_one_in_webvtt():
    srt = "1\n00:00:05,000 --> 00:00:05,000\nA\n\n2\n00:00:05,500 --> 00:00:05,500\nB\n"
    transcript = read_transcript(srt.encode(), "hello.srt")
    assert "Cues 1, 2" in transcript.warnings[0]
    cues = parse_cues(as_vtt(transcript), "vtt")
    assert [(cue.start_ms, cue.end_ms) for cue in cues] == [(5000, 5500), (5500, 7500)]


def test_webvtt_with_commas_is_corrected():
    vtt = b"WEBVTT\n\n00:00:01,000 --> 00:00:02,5 align:start\nHello, Bob\n"
    transcript = read_transcript(vtt, "hello.vtt")
    assert transcript.body == (b"WEBVTT\n\n00:00:01.000 --> 00:00:02.500 align:start\nHello, Bob\n")
    assert "corrected" in transcript.warnings[0]


def test_control_characters_are_removed():
    assert read_transcript(b"Hel\x07lo\x1b", "hello.txt").body == b"Hello\n"


@pytest.mark.parametrize(
    "text",
    [
        "<" * 3_000_000,
        "<v" + " " * 3_000_000,
        "<v " * 1_000_000,
        "&" * 3_000_000,
        "-->\n" * 700_000,
        "1\n" * 1_500_000,
    ],
)
def test_hostile_cues_take_no_time(text):
    cue = f"1\n00:00:01,000 --> 00:00:01,000\n{text}\n"
    srt_to_vtt(cue.encode())
    parse_cues(f"WEBVTT\n\n{cue}".encode(), "vtt")


def test_a_hundred_thousand_cues_without_length_take_no_time():
    assert render_vtt([Cue(0, 0, None, "x")] * 100_000).count(b"-->") == 100_000


@given(st.binary(max_size=300), st.sampled_from(["a.vtt", "a.srt", "a.json", "a.txt", "a"]))
def test_no_bytes_raise_anything_but_invalid(data, name):
    try:
        transcript = read_transcript(data, name)
    except Invalid as error:
        assert error.message.endswith(".")
        return
    as_vtt(transcript)
    transcript.body.decode()


lines = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
)
spans = st.tuples(st.integers(0, 400_000_000), st.integers(1, 60_000))


@given(st.lists(st.tuples(spans, lines), min_size=1, max_size=8))
def test_webvtt_says_what_the_srt_said(parts):
    def clock(ms):
        return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"

    ordered = sorted(parts, key=lambda part: part[0][0])
    srt = "\n".join(
        f"{number}\n{clock(start)} --> {clock(start + length)}\n{words}\n"
        for number, ((start, length), words) in enumerate(ordered, 1)
    )
    try:
        transcript = read_transcript(srt.encode(), "hello.srt")
    except Invalid as error:
        # Tags and spaces alone are no words; digits before an arrow are a broken time.
        assert "empty" in error.message or "cannot be read" in error.message
        return
    said = parse_cues(transcript.body, "srt")
    assert parse_cues(as_vtt(transcript), "vtt") == said


voices = st.none() | st.text(
    st.characters(categories=["L", "P", "S", "N", "Zs"]), min_size=1, max_size=20
)


@given(st.lists(st.tuples(spans, voices, lines), max_size=8))
def test_cues_come_back_from_webvtt(parts):
    cues = [
        Cue(start, start + length, voice, words)
        for (start, length), voice, words in sorted(parts, key=lambda part: part[0][0])
    ]
    once = parse_cues(render_vtt(cues), "vtt")
    assert parse_cues(render_vtt(once), "vtt") == once


@pytest.mark.parametrize("above", [b"\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n\xef\xbb\xbf"])
def test_what_stands_above_a_transcript_does_not_hide_what_it_is(above):
    cue = b"WEBVTT\n\n00:00.000 --> 00:01.000\nLow water.\n"
    found = read_transcript(b"\xef\xbb\xbf" + above + cue, "a.txt")
    assert (found.format, found.body) == ("vtt", cue)


def test_elements_of_an_html_transcript_keep_no_attributes_but_the_time():
    html = b'<p title="x" lang="en" id=y>One <time datetime="PT1S" title="z">0:01</time></p>'
    found = read_transcript(html, "a.html")
    assert found.body == b'<p>One <time datetime="PT1S">0:01</time></p>\n'
