"""What programs are told of a search: hits in pieces of text, never HTML."""

from datetime import datetime

import msgspec

from podhost.artwork import artwork_url
from podhost.search import Hit, Results
from podhost.search.words import Marked

_PICTURE_PIXELS = 300


class TextPart(msgspec.Struct, kw_only=True):
    """A piece of text; `hit`: it is one of the words that were looked for."""

    text: str
    hit: bool


class SearchHit(msgspec.Struct, kw_only=True):
    """Something found: an episode, a person, an article, or a place in a transcript (`kind`).

    `id` and `slug` are of the episode, the person or the article. `published_at` of a person is
    when they were last heard; `time_seconds` and `speaker` belong to places in transcripts that
    have times.
    """

    kind: str
    id: str
    slug: str
    title: list[TextPart]
    snippet: list[TextPart]
    published_at: datetime | None
    time_seconds: float | None
    speaker: str | None
    artwork_url: str | None


class SearchAnswer(msgspec.Struct, kw_only=True):
    """A page of hits, the best first; `total` of the kinds asked for, and `counts` of each kind.

    Places in transcripts are counted up to 1,000.
    """

    hits: list[SearchHit]
    total: int
    counts: dict[str, int]


def search_answer(results: Results, base_url: str) -> SearchAnswer:
    """What was found, as a program is told."""
    return SearchAnswer(
        hits=[_hit_answer(hit, base_url) for hit in results.hits],
        total=results.total,
        counts=results.counts,
    )


def _hit_answer(hit: Hit, base_url: str) -> SearchHit:
    return SearchHit(
        kind=hit.kind,
        id=hit.subject_id,
        slug=hit.slug,
        title=_parts(hit.title),
        snippet=_parts(hit.snippet),
        published_at=hit.published_at,
        time_seconds=hit.time_ms / 1000 if hit.time_ms is not None else None,
        speaker=hit.speaker,
        artwork_url=artwork_url(base_url, hit.artwork, size=_PICTURE_PIXELS)
        if hit.artwork is not None
        else None,
    )


def _parts(marked: Marked) -> list[TextPart]:
    return [TextPart(text=text, hit=is_hit) for text, is_hit in marked]
