"""The API's call that searches what a show has published."""

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.search import search
from podhost.search.answers import SearchAnswer, search_answer
from podhost.search.rows import KINDS
from podhost.web.api_shows import page
from podhost.web.calls import Call, json_answer
from podhost.web.openapi import PREFIX, Operation, Query


def get_search(call: Call, session: Session) -> Response:
    """What has all the words of `q`, a page of it."""
    limit, offset = page(call)
    results = search(
        session,
        call.show(session),
        call.query.get("q", ""),
        kind=call.query.get("kind"),
        limit=limit,
        offset=offset,
    )
    return json_answer(search_answer(results, call.instance.base_url))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=PREFIX + "/shows/{show}/search",
        handler=get_search,
        summary="Search what a show has published: episodes, people, articles and transcripts.",
        answer=SearchAnswer,
        query=(
            Query(
                "q",
                "Words that must all be there; the last may be half typed.",
                {"type": "string"},
            ),
            Query("kind", "Only hits of this kind.", {"type": "string", "enum": list(KINDS)}),
            Query(
                "limit",
                "How many to answer with.",
                {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
            ),
            Query(
                "offset",
                "How many hits to pass over.",
                {"type": "integer", "minimum": 0, "default": 0},
            ),
        ),
    ),
)
