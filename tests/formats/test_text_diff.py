"""What changed between two texts, as people read it."""

from hypothesis import given
from hypothesis import strategies as st

from podhost.formats.text_diff import CUT, GONE, NEW, SAME, list_changes, text_changes

TEXTS = st.text(alphabet="ab \n.é", max_size=60)


@given(TEXTS, TEXTS)
def test_both_texts_are_there_whole(before: str, after: str) -> None:
    pieces = text_changes(before, after)
    assert "".join(piece.text for piece in pieces if piece.kind in (SAME, GONE)) == before
    assert "".join(piece.text for piece in pieces if piece.kind in (SAME, NEW)) == after


def test_a_word_that_changed_is_named_alone() -> None:
    pieces = text_changes("The tide is low today.", "The tide is high today.")
    assert [tuple(piece) for piece in pieces] == [
        (SAME, "The tide is "),
        (GONE, "low"),
        (NEW, "high"),
        (SAME, " today."),
    ]


def test_long_text_that_stayed_is_cut_short() -> None:
    long = "Nothing new here. " * 100
    pieces = text_changes(long + "Old.\n" + long, long + "New.\n" + long)
    assert [piece.kind for piece in pieces] == [CUT, SAME, GONE, NEW, SAME, CUT]


def test_texts_too_long_to_compare_word_by_word_are_shown_whole() -> None:
    before = "\n".join(f"Line {number}" for number in range(20_000))
    after = "\n".join(f"Row {number}" for number in range(20_000))
    assert [piece.kind for piece in text_changes(before, after)] == [GONE, NEW]


def test_entries_of_a_list_stay_whole() -> None:
    pieces = list_changes(["0:00 Hello", "0:02 The sea"], ["0:00 Hello again", "0:02 The sea"])
    assert [tuple(piece) for piece in pieces] == [
        (GONE, "0:00 Hello\n"),
        (NEW, "0:00 Hello again\n"),
        (SAME, "0:02 The sea\n"),
    ]
