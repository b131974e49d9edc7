"""Paragraphs hold every cue once, and end where a voice or a thought does."""

from podhost.formats.transcript_paragraphs import Paragraph, read_paragraphs
from podhost.formats.transcripts import Cue


def said(*cues: tuple[float, str | None, str]) -> list[Paragraph]:
    """Paragraphs of cues that last a second each."""
    return [
        *read_paragraphs(
            Cue(int(at * 1000), int(at * 1000) + 1000, speaker, text) for at, speaker, text in cues
        )
    ]


def short(paragraphs: list[Paragraph]) -> list[tuple[float, str, list[str]]]:
    return [
        (each.start_seconds, each.speaker, [cue.text for cue in each.cues]) for each in paragraphs
    ]


def test_each_voice_has_its_paragraph_and_a_pause_makes_another() -> None:
    found = said(
        (1.5, "Ann", "Low water,"),
        (2.5, "Ann", "at last."),
        (3.5, "Ben", "So\n it  is."),
        (20, "Ben", "Later."),
        (21, None, "(waves)"),
        (22, "Ben", " "),
        (22.5, "Ben", "Hush."),
    )
    assert short(found) == [
        (1.5, "Ann", ["Low water,", "at last."]),
        (3.5, "Ben", ["So it is."]),
        # Still the same voice.
        (20.0, "", ["Later."]),
        (21.0, "", ["(waves)"]),
        (22.5, "Ben", ["Hush."]),
    ]
    assert [cue.start_seconds for cue in found[0].cues] == [1.5, 2.5]
    assert said() == [] and said((0, None, " ")) == []


def test_a_long_talk_is_parted_after_sentences() -> None:
    found = said(
        *((at, "Ann", "word " * 20 + ("end.”" if at % 4 == 3 else "and")) for at in range(40))
    )
    assert sum(len(each.cues) for each in found) == 40
    assert all(each.cues[-1].text.endswith("end.”") for each in found) and len(found) > 3
    endless = said(*((at, None, "word " * 20) for at in range(40)))
    assert len(endless) > 2


def test_cues_that_are_out_of_order_are_put_in_order() -> None:
    assert short(said((5, None, "b"), (4, None, "a"))) == [(4.0, "", ["a", "b"])]
