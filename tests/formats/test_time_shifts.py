"""Chapters, cues and soundbites move with the audio, and what is cut out goes with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.errors import Invalid
from podhost.formats.chapters import Chapter, normalise_chapters
from podhost.formats.tag_values import Soundbite
from podhost.formats.time_shifts import (
    Cut,
    read_cuts,
    shift_chapters,
    shift_cues,
    shift_soundbites,
    shift_span,
    shift_transcript,
)
from podhost.formats.transcripts import Cue, parse_cues, read_transcript

HOUR_MS = 3_600_000


def spans(*cuts):
    """What becomes of the seconds 10 to 20."""
    found = shift_span(10_000, 20_000, read_cuts(None, [Cut(**cut) for cut in cuts]), HOUR_MS)
    return None if found is None else (found[0] / 1000, found[1] / 1000)


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        ({"at_ms": 0, "inserted_ms": 5000}, (15, 25)),
        ({"at_ms": 0, "removed_ms": 5000}, (5, 15)),
        ({"at_ms": 10_000, "inserted_ms": 5000}, (15, 25)),
        ({"at_ms": 20_000, "inserted_ms": 5000}, (10, 20)),
        ({"at_ms": 15_000, "inserted_ms": 5000}, (10, 25)),
        ({"at_ms": 15_000, "removed_ms": 2000}, (10, 18)),
        ({"at_ms": 5_000, "removed_ms": 8000}, (5, 12)),
        ({"at_ms": 18_000, "removed_ms": 9000}, (10, 18)),
        ({"at_ms": 5_000, "removed_ms": 8000, "inserted_ms": 1000}, (6, 13)),
        ({"at_ms": 18_000, "removed_ms": 9000, "inserted_ms": 1000}, (10, 18)),
        ({"at_ms": 10_000, "removed_ms": 10_000}, None),
        ({"at_ms": 20_000, "removed_ms": 10_000}, (10, 20)),
    ],
)
def test_a_part_moves_with_what_is_cut_before_it_and_shrinks_with_what_is_cut_from_it(
    cut, expected
):
    assert spans(cut) == expected


def test_several_cuts_add_up_in_whatever_order_they_are_given():
    second = {"at_ms": 12_000, "removed_ms": 1000}
    assert spans(second, {"at_ms": 0, "inserted_ms": 3000}) == (13, 22)


@pytest.mark.parametrize(
    ("offset_ms", "cuts", "field"),
    [
        (1, [Cut(at_ms=0, removed_ms=1)], "cuts"),
        (10**12, None, "offset_ms"),
        (None, [Cut(at_ms=0)], "cuts[0]"),
        (None, [Cut(at_ms=-1, removed_ms=1)], "cuts[0]"),
        (None, [Cut(at_ms=1, removed_ms=-1)], "cuts[0]"),
        (None, [Cut(at_ms=5, removed_ms=1), Cut(at_ms=0, removed_ms=10)], "cuts[0]"),
        (None, [Cut(at_ms=number, inserted_ms=1) for number in range(501)], "cuts"),
    ],
)
def test_cuts_that_cannot_be_are_named(offset_ms, cuts, field):
    with pytest.raises(Invalid) as caught:
        read_cuts(offset_ms, cuts)
    assert field in caught.value.fields


def test_nothing_given_moves_nothing():
    assert read_cuts(None, None) == read_cuts(0, None) == ()


def test_chapters_that_are_gone_are_named():
    chapters = [
        Chapter(start_ms=0, title="Advert", end_ms=30_000),
        Chapter(start_ms=30_000, title="Talk", end_ms=90_000, url="https://a.example/"),
        Chapter(start_ms=90_000, title="Outro", end_ms=100_000),
    ]
    moved, warnings = shift_chapters(chapters, read_cuts(-30_000, None), 60_000)
    talk = Chapter(start_ms=0, title="Talk", end_ms=60_000, url="https://a.example/")
    assert moved == [(30_000, talk)]
    assert warnings == [
        "The chapters “Advert”, “Outro” lie outside of the new audio, and were left out."
    ]


def test_a_soundbite_without_its_beginning_is_none():
    bites = [
        Soundbite(start=5, duration=20, title="Cut"),
        Soundbite(start=40, duration=20.5),
        Soundbite(start=70, duration=20, title="Late"),
    ]
    moved, warnings = shift_soundbites(bites, read_cuts(-10_000, None), 70_000)
    assert moved == [Soundbite(start=30, duration=20.5)]
    assert "“Cut”, “Late”" in warnings[0]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (
            "a.vtt",
            "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>Gone\n\n"
            "00:04.000 --> 00:06.000\n<v Bo>A & B\n",
        ),
        (
            "a.srt",
            "1\n00:00:01,000 --> 00:00:02,000\nGone\n\n2\n00:00:04,000 --> 00:00:06,000\nA & B\n",
        ),
        (
            "a.json",
            '{"segments": [{"startTime": 1, "endTime": 2, "body": "Gone"},'
            ' {"startTime": 4, "endTime": 6, "body": "A & B"}]}',
        ),
    ],
)
def test_a_transcript_stays_in_its_format(name, source):
    transcript = read_transcript(source.encode(), name)
    body, warnings = shift_transcript(transcript, read_cuts(-3000, None), 60_000)
    again = read_transcript(body, name)
    assert again.format == transcript.format
    (cue,) = parse_cues(again.body, again.format)
    assert (cue.start_ms, cue.end_ms, cue.text) == (1000, 3000, "A & B")
    assert warnings == ["1 cue of the transcript lies outside of the new audio, and was left out."]
    body, warnings = shift_transcript(transcript, read_cuts(-9000, None), 60_000)
    assert body is None
    assert warnings == ["2 cues of the transcript lie outside of the new audio, and were left out."]


times = st.integers(0, HOUR_MS)
cues = st.lists(
    st.tuples(times, st.integers(0, 60_000)).map(lambda e: Cue(e[0], e[0] + e[1], None, "x"))
).map(lambda found: sorted(found, key=lambda cue: cue.start_ms))


@st.composite
def edits(draw):
    """Cuts that do not overlap."""
    found, at = [], 0
    for gap, removed, inserted in draw(
        st.lists(st.tuples(*[st.integers(0, 900_000)] * 3), max_size=5)
    ):
        if removed or inserted:
            found.append(Cut(at_ms=at + gap, removed_ms=removed, inserted_ms=inserted))
            at += gap + removed
    return read_cuts(None, found)


@given(cues, edits(), times)
def test_order_is_kept_and_nothing_lies_outside(before, cuts, duration_ms):
    moved, gone = shift_cues(before, cuts, duration_ms)
    assert len(moved) + gone == len(before)
    starts = [cue.start_ms for cue in moved]
    assert starts == sorted(starts)
    assert all(0 <= cue.start_ms <= cue.end_ms <= duration_ms for cue in moved)


@given(cues, st.integers(-HOUR_MS, HOUR_MS))
def test_there_and_back_again_is_where_it_was(before, offset_ms):
    there, gone = shift_cues(before, read_cuts(offset_ms, None), 10 * HOUR_MS)
    back, more = shift_cues(there, read_cuts(-offset_ms, None), 10 * HOUR_MS)
    assert more == 0
    if all(cue.start_ms >= -offset_ms for cue in before):
        assert gone == 0 and back == before
    else:
        assert set(back) >= {cue for cue in before if cue.start_ms >= -offset_ms}


@given(cues, edits())
def test_the_opposite_cuts_undo_cuts_of_which_nothing_fell_out(before, cuts):
    inserted = tuple(cut for cut in cuts if not cut.removed_ms)
    there, gone = shift_cues(before, inserted, 100 * HOUR_MS)
    assert gone == 0
    undo, moved_ms = [], 0
    for cut in inserted:
        undo.append(Cut(at_ms=cut.at_ms + moved_ms, removed_ms=cut.inserted_ms))
        moved_ms += cut.inserted_ms
    assert shift_cues(there, read_cuts(None, undo), 100 * HOUR_MS) == (before, 0)


@given(st.lists(times, unique=True, max_size=8), edits(), st.integers(1, HOUR_MS))
def test_shifted_chapters_are_a_right_list(starts, cuts, duration_ms):
    chapters, _ = normalise_chapters([Chapter(start_ms=s, title="x") for s in starts], HOUR_MS + 1)
    moved, warnings = shift_chapters(chapters, cuts, duration_ms)
    assert bool(warnings) == (len(moved) < len(chapters))
    clean, remarks = normalise_chapters([chapter for _, chapter in moved], duration_ms)
    assert not remarks and len(clean) == len(moved)
