"""The API's calls for live streams: a change of status is one call."""

from urllib.parse import quote

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.answers import LiveList
from podhost.formats.tag_values import LiveItem, LiveItemInput
from podhost.shows.live import (
    change_live_item,
    delete_live_item,
    get_live_item,
    list_live_items,
    put_live_item,
)
from podhost.web.calls import Call, json_answer


def get_live_items(call: Call, session: Session) -> LiveList:
    """All live streams of the show."""
    return LiveList(live_items=list_live_items(call.show(session)))


def get_one_live_item(call: Call, session: Session) -> LiveItem:
    """One live stream."""
    return get_live_item(call.show(session), call.parameters["live"])


def put_one_live_item(call: Call) -> Response:
    """The stream is what is given, and nothing else."""
    given, guid = call.given(LiveItemInput, told=LiveItem), call.parameters["live"]
    with call.write() as session:
        show = call.show(session, lock=True)
        is_new = put_live_item(session, show, guid, given, now=call.now())
        kept, slug = get_live_item(show, guid), show.slug
    if not is_new:
        return json_answer(kept)
    path = f"/api/v1/shows/{slug}/live/{quote(guid, safe='')}"
    return json_answer(kept, 201, location=call.instance.base_url + path)


def patch_live_item(call: Call) -> Response:
    """Change what is given; everything else stays."""
    given, guid = call.given(LiveItemInput, told=LiveItem), call.parameters["live"]
    with call.write() as session:
        show = call.show(session, lock=True)
        change_live_item(session, show, guid, given, now=call.now())
        kept = get_live_item(show, guid)
    return json_answer(kept)


def remove_live_item(call: Call) -> Response:
    """Take the stream out of the feed."""
    with call.write() as session:
        show = call.show(session, lock=True)
        delete_live_item(session, show, call.parameters["live"], now=call.now())
    return Response(status_code=204)
