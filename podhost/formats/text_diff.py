"""What changed between two texts, in words, for people to read; it knows no page."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

SAME, GONE, NEW, CUT = ("same", "gone", "new", "cut")
# Beyond these, comparing takes longer than a page may; then a whole part counts as changed.
_MOST_LINES = 2_000
_MOST_WORDS = 600
# Of what stayed the same, so much is shown beside what changed.
_NEAR_CHARS = 160
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


class Piece(NamedTuple):
    """Some text, and what became of it; CUT stands for text that stayed and is not shown."""

    kind: str
    text: str


def text_changes(before: str, after: str) -> list[Piece]:
    """The pieces of both texts in order; long stretches that stayed the same are cut short."""
    pieces = [*_joined(_line_pieces(before, after))]
    return [*_shortened(pieces)]


def list_changes(before: Sequence[str], after: Sequence[str]) -> list[Piece]:
    """The same of two lists, of which each entry stays whole, on a line of its own."""
    pieces: list[Piece] = []
    for kind, one, other in _operations(before, after):
        if kind == "equal":
            pieces += [Piece(SAME, f"{line}\n") for line in one]
        else:
            pieces += [Piece(GONE, f"{line}\n") for line in one]
            pieces += [Piece(NEW, f"{line}\n") for line in other]
    return pieces


def _line_pieces(before: str, after: str) -> Iterator[Piece]:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    yield Piece(SAME, "".join(old[:head]))
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    if max(len(middle_old), len(middle_new)) > _MOST_LINES:
        yield Piece(GONE, "".join(middle_old))
        yield Piece(NEW, "".join(middle_new))
    else:
        for kind, one, other in _operations(middle_old, middle_new):
            if kind == "equal":
                yield Piece(SAME, "".join(one))
            else:
                yield from _word_pieces("".join(one), "".join(other))
    yield Piece(SAME, "".join(old[len(old) - tail :]))


def _word_pieces(before: str, after: str) -> Iterator[Piece]:
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    yield Piece(SAME, "".join(old[:head]))
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    if max(len(middle_old), len(middle_new)) > _MOST_WORDS:
        yield Piece(GONE, "".join(middle_old))
        yield Piece(NEW, "".join(middle_new))
    else:
        for kind, one, other in _operations(middle_old, middle_new):
            if kind == "equal":
                yield Piece(SAME, "".join(one))
            else:
                yield Piece(GONE, "".join(one))
                yield Piece(NEW, "".join(other))
    yield Piece(SAME, "".join(old[len(old) - tail :]))


def _operations(
    old: Sequence[str], new: Sequence[str]
) -> Iterator[tuple[str, Sequence[str], Sequence[str]]]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        yield kind, old[old_from:old_to], new[new_from:new_to]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """With how many equal entries both begin."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """What was replaced word by word reads as one: the old words, then the new ones."""
    gone = new = same = ""
    for kind, text in pieces:
        if kind == SAME and (text.strip() or not (gone or new)):
            if gone or new:
                yield from _changed(gone, new)
                gone = new = ""
            same += text
            continue
        if same:
            yield Piece(SAME, same)
            same = ""
        # A space between two changed words belongs to both.
        gone += text if kind in (GONE, SAME) else ""
        new += text if kind in (NEW, SAME) else ""
    if gone or new:
        yield from _changed(gone, new)
    if same:
        yield Piece(SAME, same)


def _changed(gone: str, new: str) -> Iterator[Piece]:
    if gone:
        yield Piece(GONE, gone)
    if new:
        yield Piece(NEW, new)


def _shortened(pieces: Sequence[Piece]) -> Iterator[Piece]:
    for number, piece in enumerate(pieces):
        if piece.kind != SAME or len(piece.text) <= 2 * _NEAR_CHARS:
            yield piece
            continue
        if number > 0:
            yield Piece(SAME, piece.text[:_NEAR_CHARS])
        yield Piece(CUT, "")
        if number < len(pieces) - 1:
            yield Piece(SAME, piece.text[-_NEAR_CHARS:])
