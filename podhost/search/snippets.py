"""What is shown of something found: the words around its hits; it reads no rows, makes no HTML."""

from collections.abc import Sequence
from typing import Any

from podhost.search.words import Marked, Place, Term, find_places, mark

SNIPPET_CHARS = 220
# Of longer texts, the beginning is looked at.
_LOOKED_AT_CHARS = 20_000
# So many hits further on, what stands there is no neighbour.
_NEIGHBOURS = 30
_ELLIPSIS = ("…", False)


def best_lines(
    lines: Sequence[Any], terms: Sequence[Term]
) -> tuple[int | None, str | None, Marked]:
    """The cues, each (milliseconds or None, speaker or None, text), in which most different words
    stand together: the time and the speaker of the first, and what is said in them.

    They begin with a cue that has a hit, and go on while there is room.
    """
    found = [{place.word for place in find_places(text, terms)} for _, _, text in lines]
    best, best_count = (0, 1), 0
    for first in (number for number, words in enumerate(found) if words):
        end = _end_of_room(lines, first)
        together = len(set().union(*found[first:end]))
        if together > best_count:
            best, best_count = (first, end), together
    first, end = best
    said = " ".join(" ".join(text.split()) for _, _, text in lines[first:end])
    return lines[first][0], lines[first][1], _shortened(said, terms)


def _end_of_room(lines: Sequence[Any], first: int) -> int:
    chars = len(lines[first][2])
    for at in range(first + 1, len(lines)):
        chars += 1 + len(lines[at][2])
        if chars > SNIPPET_CHARS:
            return at
    return len(lines)


def best_part(text: str, terms: Sequence[Term]) -> Marked:
    """The part of a text in which most different words stand together; its beginning without any.

    White space of every kind becomes one space.
    """
    return _shortened(" ".join(text[:_LOOKED_AT_CHARS].split()), terms)


def _shortened(text: str, terms: Sequence[Term]) -> Marked:
    if len(text) <= SNIPPET_CHARS:
        return mark(text, terms)
    start, end = _part(text, find_places(text, terms))
    marked = mark(text[start:end], terms)
    before = (_ELLIPSIS,) if start > 0 else ()
    after = (_ELLIPSIS,) if end < len(text) else ()
    return (*before, *marked, *after)


def _part(text: str, places: Sequence[Place]) -> tuple[int, int]:
    """Where it begins and ends, at spaces where there are some: a little before the first hit."""
    hit, most = 0, 0
    for number, place in enumerate(places):
        near = places[number : number + _NEIGHBOURS]
        together = {each.word for each in near if each.end - place.start <= SNIPPET_CHARS // 2}
        if len(together) > most:
            hit, most = place.start, len(together)
    start = 0
    if hit > SNIPPET_CHARS // 2:
        start = hit - SNIPPET_CHARS // 4
        start = text.find(" ", start, hit) + 1 or start
    end = min(start + SNIPPET_CHARS, len(text))
    if end < len(text):
        space = text.rfind(" ", start, end)
        end = space if space > end - SNIPPET_CHARS // 4 else end
    return start, end
