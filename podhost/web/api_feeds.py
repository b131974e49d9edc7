"""The API's calls for the further feeds of a show."""

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.errors import Conflict
from podhost.feeds.further import (
    FeedAnswer,
    FeedList,
    GivenFeed,
    feed_answer,
    feed_answers,
    put_feed,
    remove_feed,
)
from podhost.web.calls import Call, json_answer


def get_feeds(call: Call, session: Session) -> Response:
    """The further feeds of the show."""
    show = call.show(session)
    return json_answer(FeedList(feeds=feed_answers(session, show, call.instance.base_url)))


def post_feed(call: Call) -> Response:
    """A new further feed; a private one gets a name that nobody guesses, if it has none."""
    given = call.given(GivenFeed, told=FeedAnswer)
    with call.write() as session:
        show = call.show(session, lock=True)
        known = {feed.name for feed in feed_answers(session, show, "")}
        name = put_feed(session, show, given, now=call.now())
        if name in known:
            sentence = f"The show has a feed {name!r} already; PUT changes it."
            raise Conflict(sentence, {"name": sentence})
        created = _answer(call, session, name)
    path = f"/api/v1/shows/{call.parameters['show']}/feeds/{name}"
    return json_answer(created, 201, location=call.instance.base_url + path)


def get_one_feed(call: Call, session: Session) -> Response:
    """One further feed."""
    return json_answer(_answer(call, session, call.parameters["feed"]))


def put_one_feed(call: Call) -> Response:
    """Make the further feed of this name, or change it as a whole: what is not given is gone."""
    given = call.given(GivenFeed, told=FeedAnswer)
    name = call.parameters["feed"]
    if given.name not in ("", name):
        sentence = "A feed keeps its name, because apps know its address; make another one."
        raise Conflict(sentence, {"name": sentence})
    with call.write() as session:
        show = call.show(session, lock=True)
        name = put_feed(session, show, given.named(name), now=call.now())
        changed = _answer(call, session, name)
    return json_answer(changed)


def remove_one_feed(call: Call) -> Response:
    """Take the further feed away; its address answers 410."""
    with call.write() as session:
        show = call.show(session, lock=True)
        remove_feed(session, show, call.parameters["feed"], now=call.now())
    return Response(status_code=204)


def _answer(call: Call, session: Session, name: str) -> FeedAnswer:
    show, base_url = call.show(session), call.instance.base_url
    return feed_answer(session, show, name, base_url, warnings=call.warnings)
