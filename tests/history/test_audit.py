"""Whoever changes something leaves a row that says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.responses import Response

from podhost.app import create_app
from podhost.episodes.publishing import publish_episode
from podhost.history import audit
from podhost.instance import Instance
from podhost.models import AuditEntry, HistoryEntry
from podhost.sweep import remove_unneeded
from podhost.web.api import OPERATIONS
from podhost.web.openapi import Operation
from podhost.web.studio.table import ROUTES
from podhost.web.studio.visits import StudioRoute
from podhost.worker import run_due_jobs
from tests.asgi_client import Client
from tests.conftest import FrozenClock
from tests.history.test_recording import loaded
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient, text_of
from tests.web.test_api import Program, token_for

CHANGING = [
    one for one in OPERATIONS if one.method != "GET" and one.handler.__name__ not in audit.PASSING
]


@pytest.fixture
def alice(instance: Instance) -> Program:
    client = Client(create_app(instance))
    return Program(client, token_for(instance, "alice@example.org"))


def rows(instance: Instance) -> list[AuditEntry]:
    with instance.database.read() as session:
        return [*reversed(audit.list_entries(session))]


@contextmanager
def doing_nothing(operation: Operation | StudioRoute) -> Iterator[None]:
    """The call as it is, but for what it does: the row must not depend on that."""
    handler = operation.handler

    def nothing(call: object) -> Response:
        return Response(status_code=204)

    nothing.__name__ = handler.__name__
    object.__setattr__(operation, "handler", nothing)
    try:
        yield
    finally:
        object.__setattr__(operation, "handler", handler)


def body_for(operation: Operation) -> dict[str, object]:
    if operation.json is not None:
        return {"json": {}}
    if operation.form is not None:
        return {"files": {name: ("a.bin", b"x") for name in operation.form.files}}
    return {"content": b"x", "headers": {"Content-Type": "text/plain"}}


def test_every_changing_call_of_the_api_leaves_a_row(instance: Instance, alice: Program) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False)
    for operation in CHANGING:
        path = operation.path.replace("{show}", show.slug).replace("{episode}", episode.id)
        path = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
        with instance.database.read() as session:
            before = {row.id for row in audit.list_entries(session, limit=200)}
        with doing_nothing(operation):
            response = alice.send(operation.method, path, **body_for(operation))
        assert response.status_code == 204, (operation.path, response.text)
        with instance.database.read() as session:
            new = [row for row in audit.list_entries(session, limit=200) if row.id not in before]
        assert [row.action for row in new] == [operation.handler.__name__], operation.path
        assert new[0].show_id == (show.id if "{show}" in operation.path else None)


# Those of guests take a link before anything else.
FORMS = [one for one in ROUTES if one.method != "GET" and not one.path.startswith("/guests/")]


def test_every_form_of_the_studio_leaves_a_row(instance: Instance) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False)
    operator = StudioClient.visit_as(instance, "operator")
    for route in FORMS:
        path = route.path.replace("{show}", show.slug).replace("{episode}", episode.id)
        path = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
        with instance.database.read() as session:
            before = {row.id for row in audit.list_entries(session, limit=200)}
        with doing_nothing(route):
            if route.files:
                response = operator.request("POST", path, files={"csrf": (None, operator.csrf)})
            else:
                response = operator.post(path)
        assert response.status_code == 204, (route.path, text_of(response))
        with instance.database.read() as session:
            new = [row for row in audit.list_entries(session, limit=200) if row.id not in before]
        assert [row.action for row in new] == [route.handler.__name__], route.path
        assert new[0].actor_id == operator.account_id


def test_signing_in_leaves_a_row_and_so_does_being_refused(instance: Instance) -> None:
    StudioClient.visit_as(instance, "operator")
    visitor = StudioClient(instance)
    visitor.get("/login")
    for password in ("wrong password", "long enough"):
        visitor.post("/login", {"email": "operator@pod.example", "password": password})
    refused, done = rows(instance)
    assert (refused.action, refused.actor_id) == ("login_refused", None)
    assert refused.subject == "operator@pod.example"
    assert (done.action, done.actor_name) == ("login", "Operator")


def test_a_password_that_is_typed_as_the_address_stands_nowhere(instance: Instance) -> None:
    visitor = StudioClient(instance)
    visitor.get("/login")
    visitor.post("/login", {"email": "tide tables 88", "password": ""})
    (refused,) = rows(instance)
    assert (refused.action, refused.subject) == ("login_refused", "")


def test_the_row_says_who_did_what_from_where(instance: Instance, alice: Program) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False)
    response = alice.patch(f"/api/v1/shows/{show.slug}/episodes/{episode.id}", json={"season": 3})
    assert response.status_code == 200
    (row,) = rows(instance)
    assert (row.actor_name, row.way, row.action) == (
        "alice@example.org",
        "account",
        "patch_episode",
    )
    assert (row.show_id, row.episode_id, row.subject) == (show.id, episode.id, "Low water")
    assert row.details == {"changed": ["season"]}
    assert row.address
    with instance.database.read() as session:
        entry = session.scalars(select(HistoryEntry).order_by(HistoryEntry.id.desc())).first()
        assert entry is not None and entry.actor_name == "alice@example.org"


def test_what_failed_leaves_no_row(instance: Instance, alice: Program) -> None:
    show = make_show(instance)
    assert alice.patch(f"/api/v1/shows/{show.slug}", json={"title": ""}).status_code == 422
    assert rows(instance) == []


def test_looking_leaves_no_row(instance: Instance, alice: Program) -> None:
    make_show(instance)
    assert alice.get("/api/v1/shows").status_code == 200
    assert rows(instance) == []


def test_an_editor_that_saves_by_itself_is_one_row(
    instance: Instance, alice: Program, clock: FrozenClock
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False)
    path = f"/api/v1/shows/{show.slug}/episodes/{episode.id}"
    for given in ({"title": "A"}, {"title": "AB"}, {"notes": "Said."}):
        assert alice.patch(path, json=given).status_code == 200
        clock.advance(minutes=2)
    (row,) = rows(instance)
    assert (row.times, row.details) == (3, {"changed": ["title", "notes"]})
    assert row.last_at - row.at == timedelta(minutes=4)


def test_what_the_clock_publishes_leaves_a_row(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    episode = make_episode(instance, make_show(instance), mp3, publish=False)
    with instance.database.write() as session:
        at = clock.time + timedelta(hours=1)
        publish_episode(session, loaded(session, episode), now=instance.now(), at=at)
    clock.advance(hours=2)
    run_due_jobs(instance)
    (row,) = rows(instance)
    assert (row.way, row.action, row.subject) == ("podhost", "publish_due_episode", "Low water")


def test_rows_are_kept_for_two_years(
    instance: Instance, alice: Program, clock: FrozenClock
) -> None:
    show = make_show(instance)
    for title in ("Tides", "Ebbs"):
        assert alice.patch(f"/api/v1/shows/{show.slug}", json={"title": title}).status_code == 200
        clock.advance(days=400)
    assert len(rows(instance)) == 2
    remove_unneeded(instance.database, instance.storage, now=instance.now())
    assert [row.subject for row in rows(instance)] == ["Ebbs"]
