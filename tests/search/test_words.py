"""What the search takes for a word, and for the same word."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podhost.search.words import LONGEST_WORD, Term, distinct_words, mark, read_query, read_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Café ZÜRICH", "cafe zurich"),
        ("Ørsted Łódź İstanbul straße", "istanbul lodz orsted strasse"),
        ("carbon-tax don't", "carbon don t tax"),
        ("ΟΔΥΣΣΕΎΣ οδυσσεύς", "οδυσσευσ"),
        ("Ёлка й", "елка и"),
        ("العَرَبِيَّة ١٢٣", "123 العربية"),
        ("שָׁלוֹם", "שלום"),
        ("हिन्दी", "हिनदी"),
        ("한국어 검색", "검색 한국어"),
        ("soft\u00adhyphen", "softhyphen"),
        ("ﬁnd ① ½", "1 2 find"),
        ("東京都", "京都 東京 都"),
        ("ｶﾞｯ", "ガッ ッ"),
        ("ภาษา", "ภา ษา า าษ"),
        ("👩‍👩‍👧 -- … \x00 ", ""),
        ("\ue000\ue001\U000f0000", ""),
    ],
)
def test_words_are_folded(text: str, words: str) -> None:
    assert " ".join(sorted(distinct_words(text))) == words


@given(st.text())
def test_a_folded_word_has_letters_only_and_stays_as_it_is(text: str) -> None:
    for word in distinct_words(text):
        assert 0 < len(word) <= LONGEST_WORD
        assert all(unicodedata.category(char)[0] in "LNM" for char in word)
        assert not {*word} & {*"ABCDEFGHIJKLMNOPQRSTUVWXYZ'\"\\\0 "}


@given(st.text(), st.text(max_size=5))
def test_marking_a_text_loses_nothing_of_it(text: str, query: str) -> None:
    pieces = mark(text, read_query(query))
    assert "".join(piece for piece, _ in pieces) == text
    assert all(piece for piece, _ in pieces)


@given(st.text(), st.integers(0, 50))
def test_whatever_stands_in_a_text_finds_it(text: str, start: int) -> None:
    words = distinct_words(text)
    for term in read_query(text[:20]):
        assert any(term.matches(word) for word in words) or len(text) > 20


def test_every_character_is_a_word_or_none() -> None:
    for code in range(0, sys.maxunicode + 1, 7):
        for word, start, end in read_words(f"a {chr(code)} b"):
            assert word and 0 <= start < end <= 5


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Carbon Ta", [("carbon", False), ("ta", True)]),
        ("a", [("a", False)]),
        ("東", [("東", True)]),
        ("東京都 x", [("東京", False), ("京都", False), ("x", False)]),
        ("ta ta", [("ta", False), ("ta", True)]),
        ('"OR" NOT (x*) a:b ^NEAR/2', "or not x a b near 2"),
        ("'; DROP TABLE shows; -- \\", "drop table shows"),
        (" \x00 ' \" !!! <-> & | :* ", []),
    ],
)
def test_a_search_is_words_and_nothing_else(text: str, terms: object) -> None:
    found = read_query(text)
    if isinstance(terms, str):
        assert [term.word for term in found] == terms.split()
    else:
        assert found == [Term(*each) for each in terms]  # type: ignore[attr-defined]


def test_a_long_search_is_cut() -> None:
    found = read_query(" ".join(f"word{number}" for number in range(10_000)))
    assert 0 < len(found) < 50
    assert [len(term.word) for term in read_query("x" * 10_000)] == [LONGEST_WORD]


def test_what_was_looked_for_is_marked_in_the_original() -> None:
    assert mark("Das Café, cafés.", read_query("CAFE")) == (
        ("Das ", False),
        ("Café", True),
        (", ", False),
        ("cafés", True),
        (".", False),
    )
    assert mark("東京都の", read_query("東京都")) == (("東京都", True), ("の", False))
