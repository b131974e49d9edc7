"""Transcripts are written in every format, with the same words and nothing that could run."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.formats import transcripts
from podhost.formats.transcript_formats import convert, other_forms
from podhost.formats.transcripts import Cue, parse_cues, read_transcript, render_vtt

VTT = """WEBVTT

00:00:01.000 --> 00:00:04.000
<v Ann>The tide &amp; the moon,
R&B.

00:00:04.000 --> 01:00:06.500
<v Ann>Yes.

01:00:07.000 --> 01:00:08.000
<v Bo>1 &lt; 2 --&gt; 3
"""
ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&lt;b&gt;"
HTML_LEFT = re.compile(r"</?(?:cite|p|time)>")


def forms(source, name):
    found = read_transcript(source.encode(), name)
    return {
        ending: body.decode()
        for ending, body in convert(found, other_forms(found.extension)).items()
    }


def test_webvtt_becomes_srt_json_html_and_text():
    made = forms(VTT, "a.vtt")
    assert made["srt"] == (
        "1\n00:00:01,000 --> 00:00:04,000\nAnn: The tide & the moon,\nR&B.\n\n"
        "2\n00:00:04,000 --> 01:00:06,500\nAnn: Yes.\n\n"
        "3\n01:00:07,000 --> 01:00:08,000\nBo: 1 < 2 --&gt; 3\n"
    )
    assert json.loads(made["json"]) == {
        "version": "1.0.0",
        "segments": [
            {"speaker": "Ann", "startTime": 1, "endTime": 4, "body": "The tide & the moon,\nR&B."},
            {"speaker": "Ann", "startTime": 4, "endTime": 3606.5, "body": "Yes."},
            {"speaker": "Bo", "startTime": 3607, "endTime": 3608, "body": "1 < 2 --> 3"},
        ],
    }
    assert made["html"] == (
        "<cite>Ann:</cite>\n<time>0:01</time>\n<p>The tide &amp; the moon,\nR&amp;B.</p>\n"
        "<time>0:04</time>\n<p>Yes.</p>\n"
        "<cite>Bo:</cite>\n<time>1:00:07</time>\n<p>1 &lt; 2 --&gt; 3</p>\n"
    )
    assert made["txt"] == "Ann: The tide & the moon,\nR&B.\nYes.\n\nBo: 1 < 2 --> 3\n"


@pytest.mark.parametrize(
    ("name", "source", "made"),
    [
        ("a.srt", "1\n00:00:00,000 --> 00:00:02,000\nLow tide.\n", {"vtt", "json", "html", "txt"}),
        (
            "a.json",
            '{"segments": [{"startTime": 0, "body": "Low tide."}]}',
            {"vtt", "srt", "html", "txt"},
        ),
        ("a.html", "<p>Low tide.</p>", {"txt"}),
        ("a.txt", "Low tide.", {"html"}),
    ],
)
def test_every_form_is_made_that_can_be(name, source, made):
    found = forms(source, name)
    assert set(found) == made
    assert all("Low tide." in body for body in found.values())


def test_what_is_not_wanted_is_not_made():
    found = read_transcript(VTT.encode(), "a.vtt")
    assert set(convert(found, {"srt", "vtt"})) == {"srt"}


def test_html_becomes_text_without_times():
    made = forms(
        '<cite>Ann:</cite> <time datetime="0:01">0:01</time>\n<p>1 &lt; 2\n&amp; more.</p>'
        "<p>Yes.</p>",
        "a.html",
    )
    assert made["txt"] == "Ann: 1 < 2 & more.\n\nYes.\n"


def test_paragraphs_of_text_become_those_of_html():
    assert forms("Ann: <b>Hi</b>\nthere\n\n \nBo: Yes\n", "a.txt")["html"] == (
        "<p>Ann: &lt;b&gt;Hi&lt;/b&gt;\nthere</p>\n<p>Bo: Yes</p>\n"
    )


def hostile(name):
    """A transcript whose words and speaker are an attack, in one format."""
    cues = [Cue(0, 2000, ATTACK, ATTACK)]
    segments = [{"speaker": ATTACK, "startTime": 0, "endTime": 2, "body": ATTACK}]
    return {
        "a.vtt": render_vtt(cues).decode(),
        "a.json": json.dumps({"segments": segments}),
        "a.txt": ATTACK,
    }[name]


@pytest.mark.parametrize("name", ["a.vtt", "a.json", "a.txt"])
def test_no_form_holds_anything_that_could_run(name):
    made = forms(hostile(name), name)
    assert "script" in made["html"], "the words are kept"
    assert "<" not in HTML_LEFT.sub("", made["html"])
    for ending in made.keys() - {"txt", "html"}:
        assert "<script" not in made[ending] and "<img" not in made[ending], ending
    assert "<" not in made.get("json", "")


words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"])
    | st.sampled_from("<>&; -\n"),
    min_size=1,
    max_size=30,
).map(transcripts._tidy)
speakers = st.none() | words.map(lambda text: text.replace("\n", " ").strip()).filter(bool)
timed = st.tuples(st.integers(0, 10**7), st.integers(1, 10**6), speakers, words.filter(bool))


@given(st.lists(timed, min_size=1, max_size=5))
def test_no_word_is_lost_on_the_way(entries):
    segments = [
        {"startTime": start / 1000, "endTime": (start + ms) / 1000, "body": text}
        | ({"speaker": speaker} if speaker else {})
        for start, ms, speaker, text in entries
    ]
    source = read_transcript(json.dumps({"segments": segments}).encode(), "a.json")
    cues = sorted(parse_cues(source.body, "json"), key=lambda cue: cue.start_ms)
    made = convert(source, other_forms("json"))
    assert parse_cues(made["vtt"], "vtt") == cues
    again = parse_cues(convert(read_transcript(made["vtt"], "a.vtt"), {"json"})["json"], "json")
    assert again == cues
    said = [f"{cue.speaker}: {cue.text}" if cue.speaker else cue.text for cue in cues]
    found = parse_cues(made["srt"], "srt")
    assert [(cue.start_ms, cue.end_ms) for cue in found] == [(c.start_ms, c.end_ms) for c in cues]
    # Where on the screen a cue stands is no word of it.
    assert [cue.text for cue in found if "{\\a" not in cue.text] == [
        text for text in said if "{\\a" not in text
    ]
    # HTML is read again as it is: there is nothing to make safe.
    html = made["html"].decode()
    assert transcripts.sanitise_payload({"html": html}) == html.replace("&#x27;", "'").replace(
        "&quot;", '"'
    )
