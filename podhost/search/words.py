"""Words as the search compares them, on every database the same; it knows no database.

Text is cut into words by Unicode categories and folded: without case, accents and differences of
mere form (NFKD). There is no stemming, and no language is assumed.

- A word is a run of letters, digits and marks. What Unicode calls format characters, such as soft
  hyphens and joiners, neither part words nor count.
- Accents, points and vowel signs that Unicode combines (those with a combining class) are removed;
  vowels of Indic and Thai writing, which have none, stay. Letters with strokes become plain.
- Writing without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) becomes pairs of
  neighbouring letters, and the last letter by itself: each letter then begins some word.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

# Raised when folding changes, or what text is kept: every show is indexed anew then.
VERSION = 2
# PostgreSQL takes lexemes of 2 KB at most; nobody types longer words.
LONGEST_WORD = 40
# What is longer was not typed by somebody who looks for something.
_LONGEST_QUERY = 300
_MOST_TERMS = 24
# A single letter begins too many words.
_SHORTEST_BEGINNING = 2

_DENSE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U000323af]+"
)
# They have no decomposition in Unicode, but people type them without their strokes.
_PLAIN = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i", "ħ": "h", "ŋ": "ng"}
    | {"þ": "th", "ŧ": "t", "ς": "σ", "ـ": None}
)
# The combining class of the marks that voice kana, which make another letter.
_VOICING = 8
_HALF_WIDTH_VOICING = "ﾞﾟ"


class Term(NamedTuple):
    """A word that is looked for; `is_beginning`: any word that begins so will do."""

    word: str
    is_beginning: bool

    def matches(self, word: str) -> bool:
        """Whether a folded word of a text is one that is looked for."""
        return word.startswith(self.word) if self.is_beginning else word == self.word


class Place(NamedTuple):
    """A folded word, and where it stands in the text."""

    word: str
    start: int
    end: int


# A text in pieces, of which some are what was looked for.
Marked = tuple[tuple[str, bool], ...]


class _Letters(dict[int, int | str]):
    """For str.translate(): what is no part of a word becomes a space; nothing moves."""

    def __missing__(self, code: int) -> int | str:
        category = unicodedata.category(chr(code))
        # A zero-width space parts words where writing has no others.
        is_part = category[0] in "LNM" or (category == "Cf" and code != 0x200B)
        self[code] = kept = code if is_part else " "
        return kept


_LETTERS = _Letters()
_RUN = re.compile("[^ ]+")


def read_words(text: str) -> Iterator[Place]:
    """Every word of a text, folded, in order."""
    for run in _RUN.finditer(text.translate(_LETTERS)):
        for word, start, end in _folded_run(run[0]):
            yield Place(word, run.start() + start, run.start() + end)


def distinct_words(text: str) -> set[str]:
    """The different words of a text, folded."""
    found: set[str] = set()
    for run in set(text.translate(_LETTERS).split(" ")):
        found.update(place.word for place in _folded_run(run))
    return found


def read_query(text: str) -> list[Term]:
    """What somebody looks for: all these words, the last of which may be half typed.

    Nothing in it has a meaning of its own; what is no word is passed over.
    """
    terms: dict[Term, None] = {}
    runs = _RUN.findall(text[:_LONGEST_QUERY].translate(_LETTERS))
    for number, run in enumerate(runs, 1):
        for piece, is_dense in _pieces(run):
            if is_dense:
                terms.update(dict.fromkeys(_dense_terms(piece)))
                continue
            words = [place.word for place in _folded_run(piece)]
            for place, word in enumerate(words, 1):
                is_last = number == len(runs) and place == len(words) and run.endswith(piece)
                terms[Term(word, is_last and len(word) >= _SHORTEST_BEGINNING)] = None
    return [*terms][:_MOST_TERMS]


def mark(text: str, terms: Sequence[Term]) -> Marked:
    """The text in pieces, with the words marked that are looked for."""
    pieces: list[tuple[str, bool]] = []
    done = 0
    for start, end in _joined(find_places(text, terms)):
        if start > done:
            pieces.append((text[done:start], False))
        pieces.append((text[start:end], True))
        done = end
    if done < len(text):
        pieces.append((text[done:], False))
    return tuple(pieces)


def find_places(text: str, terms: Sequence[Term]) -> list[Place]:
    """Where words stand that are looked for, each under the word of its term."""
    exact = {term.word for term in terms if not term.is_beginning}
    beginnings = tuple(term.word for term in terms if term.is_beginning)
    found: list[Place] = []
    for word, start, end in read_words(text):
        # Most words are none of these, and that is to be known quickly.
        if word in exact or word.startswith(beginnings):
            found += (Place(term.word, start, end) for term in terms if term.matches(word))
    return found


def _joined(places: Iterable[Place]) -> Iterator[tuple[int, int]]:
    """Places that touch or overlap as one, in order."""
    current: tuple[int, int] | None = None
    for _, start, end in places:
        if current is not None and start <= current[1]:
            current = (current[0], max(end, current[1]))
            continue
        if current is not None:
            yield current
        current = (start, end)
    if current is not None:
        yield current


# Of an hour of talk, nine in ten words were said before.
@lru_cache(maxsize=16384)
def _folded_run(run: str) -> tuple[Place, ...]:
    """The words of a run without spaces, with their places in it."""
    found: list[Place] = []
    start = 0
    for piece, is_dense in _pieces(run):
        if is_dense:
            found += (Place(word, start + at, start + end) for word, at, end in _pairs(piece))
        else:
            found += (Place(word, start, start + len(piece)) for word in _fold(piece))
        start += len(piece)
    return tuple(found)


def _pieces(run: str) -> Iterator[tuple[str, bool]]:
    """Parts of a run that are written without spaces by custom, and parts that are not."""
    done = 0
    for match in _DENSE.finditer(run):
        if match.start() > done:
            yield run[done : match.start()], False
        yield match[0], True
        done = match.end()
    if done < len(run):
        yield run[done:], False


def _fold(piece: str) -> list[str]:
    """The words of a piece, folded: mostly one; none where there are only marks in it."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", piece).casefold())
    kept = "".join(_digit(char) for char in text.translate(_PLAIN) if _counts(char))
    # Of one sign may come several words: of one half, 1 and 2.
    words = unicodedata.normalize("NFC", kept).translate(_LETTERS).split()
    return [word[:LONGEST_WORD] for word in words]


def _counts(char: str) -> bool:
    if char.isascii():
        return True
    return unicodedata.combining(char) in (0, _VOICING) and unicodedata.category(char) != "Cf"


def _digit(char: str) -> str:
    return str(unicodedata.decimal(char)) if char.isdecimal() and not char.isascii() else char


def _dense_terms(piece: str) -> list[Term]:
    *pairs, last = [place.word for place in _pairs(piece)] or [""]
    if pairs:
        return [Term(word, is_beginning=False) for word in pairs]
    return [Term(last, is_beginning=True)] if last else []


def _pairs(piece: str) -> list[Place]:
    """Each letter with the one after it, and the last by itself."""
    letters = _dense_letters(piece)
    pairs = [
        Place(one.word + other.word, one.start, other.end)
        for one, other in itertools.pairwise(letters)
    ]
    return [*pairs, *letters[-1:]]


def _dense_letters(piece: str) -> list[Place]:
    bounds: list[list[int]] = []
    for at, char in enumerate(piece):
        is_mark = unicodedata.category(char)[0] == "M" or char in _HALF_WIDTH_VOICING
        if is_mark and bounds:
            bounds[-1][1] = at + 1
        else:
            bounds.append([at, at + 1])
    folded = (("".join(_fold(piece[start:end])), start, end) for start, end in bounds)
    return [Place(word, start, end) for word, start, end in folded if word]
