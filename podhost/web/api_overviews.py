"""The API's calls for episodes at a glance: what each lacks, several at once, and their days."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.answers import EpisodeAnswer, episode_answer
from podhost.editing.bulk import ACTIONS, MOST, BulkInput, BulkResult, do_to_all, undo_batch
from podhost.editing.overviews import (
    LACKS,
    SORTS,
    STATES,
    EpisodeGlance,
    Wanted,
    count_states,
    list_glances,
)
from podhost.editing.planning import plan_episode
from podhost.errors import Invalid
from podhost.web.api_shows import next_page, page
from podhost.web.calls import Call, json_answer
from podhost.web.inputs import read_count
from podhost.web.openapi import PREFIX, Operation, Query

_SHOW = PREFIX + "/shows/{show}"
_LONGEST_WORDS = 200


class GlanceAnswer(msgspec.Struct, kw_only=True):
    """An episode in short, with what it lacks."""

    id: str
    slug: str
    title: str
    status: str
    season: int | None
    number: int | None
    episode_type: str
    published_at: datetime | None
    created_at: datetime
    changed_at: datetime
    duration_seconds: float | None
    lacks: tuple[str, ...]
    warnings: tuple[str, ...]


class Overview(msgspec.Struct, kw_only=True):
    """A page of episodes in short, and how many there are in each state."""

    episodes: list[GlanceAnswer]
    total: int
    counts: dict[str, int]
    next: str | None


class BulkRequest(msgspec.Struct, kw_only=True):
    """What is to be done to which episodes (ids); the other fields are those of some actions."""

    action: str
    episodes: list[str]
    season: int | UnsetType | None = UNSET
    explicit: bool | UnsetType | None = UNSET
    guest: str | UnsetType = UNSET


class RefusedAnswer(msgspec.Struct, kw_only=True):
    """An episode to which it could not be done, with the reason."""

    id: str
    title: str
    message: str


class BulkAnswer(msgspec.Struct, kw_only=True):
    """What was done; `batch` takes it back."""

    batch: str
    done: list[str]
    refused: list[RefusedAnswer]


class PlanInput(msgspec.Struct, kw_only=True):
    """A day such as 2026-03-05 of the show's time zone, and perhaps a time of day (09:00)."""

    day: str
    time: str | UnsetType | None = UNSET


def get_overview(call: Call, session: Session) -> Response:
    """A page of the show's episodes in short, with what each lacks."""
    limit, offset = page(call)
    wanted = read_wanted(call.query)
    show = call.show(session)
    found = list_glances(session, show, wanted, now=call.now(), limit=limit, offset=offset)
    more = "".join(
        f"&{name}={value}" for name, value in call.query.items() if name not in ("limit", "offset")
    )
    path = f"/api/v1/shows/{show.slug}/overview"
    return json_answer(
        Overview(
            episodes=[_glance(one) for one in found.episodes],
            total=found.total,
            counts=count_states(session, show, now=call.now()),
            next=next_page(call, path, limit, offset, found.total, more=more),
        )
    )


def read_wanted(query: Any) -> Wanted:
    """Which episodes a query asks for. Raises Invalid."""
    named = {"state": STATES, "lacks": LACKS, "sort": SORTS}
    given = {name: query.get(name) or "" for name in named}
    for name, choices in named.items():
        if given[name] and given[name] not in choices:
            sentence = f"It must be one of {', '.join(choices)}."
            raise Invalid(f"{name}: {sentence}", {name: sentence})
    try:
        season = read_count(query.get("season"), default=0, least=1, most=1_000_000)
    except ValueError as error:
        raise Invalid(f"season: {error}", {"season": str(error)}) from None
    return Wanted(
        state=given["state"] or "all",
        words=(query.get("q") or "")[:_LONGEST_WORDS],
        season=season or None,
        lacks=given["lacks"] or None,
        sort=given["sort"] or "newest",
    )


def _glance(one: EpisodeGlance) -> GlanceAnswer:
    return GlanceAnswer(
        id=one.id,
        slug=one.slug,
        title=one.title,
        status=one.status,
        season=one.season,
        number=one.number,
        episode_type=one.episode_type,
        published_at=one.published_at,
        created_at=one.created_at,
        changed_at=one.changed_at,
        duration_seconds=one.duration_ms / 1000 if one.duration_ms is not None else None,
        lacks=one.lacks,
        warnings=one.warnings,
    )


def post_bulk(call: Call) -> Response:
    """Do the same to several episodes."""
    given = call.given(BulkRequest)
    wanted = BulkInput(
        given.action,
        season=given.season or None,
        explicit=given.explicit if given.explicit is not UNSET else None,
        guest=given.guest or "",
    )
    with call.write() as session:
        show = call.show(session, lock=True)
        result = do_to_all(session, show, given.episodes, wanted, now=call.now())
    return json_answer(_bulk(result))


def undo_bulk(call: Call) -> Response:
    """Take back what was done to several episodes at once."""
    with call.write() as session:
        show = call.show(session, lock=True)
        result = undo_batch(session, show, call.parameters["batch"], now=call.now())
    return json_answer(_bulk(result))


def _bulk(result: BulkResult) -> BulkAnswer:
    refused = [
        RefusedAnswer(id=one.id, title=one.title, message=one.message) for one in result.refused
    ]
    return BulkAnswer(batch=result.batch_id, done=result.done, refused=refused)


def post_plan(call: Call) -> Response:
    """Have a draft or a scheduled episode published on another day."""
    given = call.given(PlanInput)
    with call.write() as session:
        episode = call.episode(session, lock=True)
        plan_episode(session, episode, given.day, given.time or None, now=call.now())
        answer = episode_answer(episode.show, episode, call.instance.base_url)
    return json_answer(answer)


def _one_of(words: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string", "enum": [*words]}


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_SHOW + "/overview",
        handler=get_overview,
        summary="List episodes in short, with what each still lacks.",
        query=(
            Query(
                "limit",
                "How many to answer with.",
                {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
            ),
            Query(
                "offset",
                "How many to leave out.",
                {"type": "integer", "minimum": 0, "default": 0},
            ),
            Query("state", "Only these.", _one_of(STATES)),
            Query("q", "Words of the title, the number or the people.", {"type": "string"}),
            Query("season", "Only of this season.", {"type": "integer", "minimum": 1}),
            Query("lacks", "Only those that lack this.", _one_of(LACKS)),
            Query("sort", "In which order.", _one_of(SORTS)),
        ),
        answer=Overview,
    ),
    Operation(
        method="POST",
        path=_SHOW + "/bulk",
        handler=post_bulk,
        summary=f"Do the same to several episodes: {', '.join(ACTIONS)}; at most {MOST}.",
        json=BulkRequest,
        answer=BulkAnswer,
    ),
    Operation(
        method="POST",
        path=_SHOW + "/bulk/{batch}/undo",
        handler=undo_bulk,
        summary="Take back what was done to several episodes at once.",
        answer=BulkAnswer,
    ),
    Operation(
        method="POST",
        path=_SHOW + "/episodes/{episode}/plan",
        handler=post_plan,
        summary="Have a draft or a scheduled episode published on another day.",
        json=PlanInput,
        answer=EpisodeAnswer,
    ),
)
