"""What stands near something else of a show, by the words of titles; it needs no index.

A word that few titles have says more than one that many have, and words such as "the" say nothing,
in whatever language (inverse document frequency).
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from podhost.search.words import distinct_words

# What more of the titles have tells nothing apart; in a small show every word would be common.
_COMMON_SHARE = 0.1
_NEVER_COMMON = 3
_SHORTEST = 4
# The longest ones, so that a title of a hundred words is no heavy question.
_MOST_WORDS = 8
_MOST_LOOKED_AT = 200


def with_like_titles(
    session: Session, table: Any, title: str, *conditions: ColumnElement[bool], most: int
) -> list[str]:
    """The ids of those rows whose titles have words of this one, nearest first, of two as near the
    newest. `table` has id, title and published_at; `conditions` say which rows count at all."""
    words = _words(title)
    if not words:
        return []
    has_one = or_(*(table.c.title.icontains(word, autoescape=True) for word in words))
    rows = session.execute(
        select(table.c.id, table.c.title)
        .where(*conditions, has_one)
        .order_by(table.c.published_at.desc(), table.c.id)
        .limit(_MOST_LOOKED_AT)
    )
    return nearest(words, {id_: text for id_, text in rows}, most=most)


def nearest(words: set[str], titles: Mapping[str, str], *, most: int) -> list[str]:
    """The keys of the titles that have some of these folded words, nearest first; of two as near
    the one that comes first."""
    shared = {key: _words(title) & words for key, title in titles.items()}
    counts = Counter(word for found in shared.values() for word in found)
    most_common = max(_NEVER_COMMON, _MOST_LOOKED_AT * _COMMON_SHARE)
    weights = {
        word: math.log(1 + _MOST_LOOKED_AT / count)
        for word, count in counts.items()
        if count <= most_common
    }
    scores = {key: sum(weights.get(word, 0) for word in found) for key, found in shared.items()}
    near = [key for key in titles if scores[key] > 0]
    return sorted(near, key=lambda key: -scores[key])[:most]


def _words(title: str) -> set[str]:
    long = [word for word in distinct_words(title) if len(word) >= _SHORTEST]
    return set(sorted(long, key=lambda word: (-len(word), word))[:_MOST_WORDS])
