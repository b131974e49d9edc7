"""What the first readers after a start do not have to wait for."""

import errno
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from podhost.app import Application, create_app
from podhost.errors import NotFound
from podhost.instance import Instance
from podhost.people import CreditInput
from podhost.web import warming
from podhost.web.site import serving
from podhost.web.site.table import ROUTES
from podhost.web.site.warming import find_pages, steps
from podhost.web.warming import Step, WarmUp, take
from tests.asgi_client import Client
from tests.making import make_episode, make_show, run_due_jobs
from tests.waiting import wait_for
from tests.written.making import make_article, make_page

on_sqlite = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)

# Drawn, leading elsewhere, of another size of show, or behind a secret.
NOT_READY = {
    "/cards/episodes/{slug}.jpg",
    "/cards/articles/{slug}.jpg",
    "/follow",
    "/authors/{slug}",
    "/sitemap-{number}.xml",
    "/newsletter/confirm/{secret}",
    "/newsletter/unsubscribe/{secret}",
}


@pytest.fixture
def app(instance: Instance, mp3: Path) -> Iterator[Application]:
    """A podhost with two shows, of which one has something of every kind."""
    make_show(instance, title="Quiet Water")
    show = make_show(instance)
    make_episode(instance, show, mp3, guests=[CreditInput(name="Ann")])
    make_article(instance, show, "Flotsam", authors=("Ann",))
    make_page(instance, show, "About")
    run_due_jobs(instance)
    made = create_app(instance)
    assert isinstance(made, Application)
    made.state.catalogue.catch_up()
    yield made


@on_sqlite
def test_every_kind_of_page_is_among_what_is_made_ready(instance: Instance, app: object) -> None:
    with instance.database.read() as session:
        found = find_pages(session)
    assert {parameters["show"] for _, parameters, _ in found} == {"tide-tables"}
    wanted = {route.path for route in ROUTES if route.method == "GET"} - NOT_READY
    assert {route.path for route, _, _ in found} == wanted


@on_sqlite
def test_pages_are_in_memory_before_anybody_asks(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in steps(app):
        take(step)
    pages = app.state.catalogue.pages
    for path in ("", "episodes/low-water", "people/ann", "articles/flotsam", "sitemap.xml"):
        assert f"/tide-tables/{path}" in pages
    monkeypatch.setattr(serving, "render", None)
    assert Client(app).get("/tide-tables/").status_code == 200


@on_sqlite
def test_a_podhost_without_episodes_has_nothing_to_make_ready(instance: Instance) -> None:
    make_show(instance)
    with instance.database.read() as session:
        assert find_pages(session) == []


def wait_for_its_end() -> None:
    wait_for(lambda: all(thread.name != "warm-up" for thread in threading.enumerate()))


def test_what_fails_keeps_nothing_else_from_being_made_ready(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = threading.Event()

    def refuse() -> None:
        raise NotFound("There is no such page.")

    def fail() -> None:
        raise KeyError("tide")

    # Of a worker that another test had in this process.
    gc.unfreeze()
    WarmUp(lambda: iter([refuse, fail, done.set])).start()
    wait_for_its_end()
    assert done.is_set()
    assert [record.message.split(":")[0] for record in caplog.records] == ["not made ready"]
    assert gc.get_freeze_count() == 0


def no_more_files() -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "base.html")


def steps_that_cannot_be_loaded() -> Iterator[Step]:
    no_more_files()
    yield no_more_files


@pytest.mark.parametrize(
    "steps", [lambda: iter([no_more_files] * 3), steps_that_cannot_be_loaded], ids=["step", "steps"]
)
def test_it_gets_out_of_the_way_when_the_machine_is_short_of_something(
    steps: Callable[[], Iterator[Step]], caplog: pytest.LogCaptureFixture
) -> None:
    """One sentence, and no traceback for each of a hundred templates."""
    WarmUp(steps).start()
    wait_for_its_end()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Too many open files" in caplog.records[0].message
    assert caplog.records[0].exc_info is None


def test_the_end_waits_for_the_step_that_is_under_way_and_for_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warming, "_PATIENCE_SECONDS", 40)
    taken = []
    under_way = threading.Event()

    def step() -> None:
        under_way.set()
        # No timer tells when the end has begun: it may ring before.
        assert warm_up._stopping.wait(40)
        # Long enough that an end which does not wait is seen to be over.
        time.sleep(0.05)
        taken.append("first")

    warm_up = WarmUp(lambda: iter([step, lambda: taken.append("second")]))
    warm_up.start()
    assert under_way.wait(40)
    warm_up.stop()
    assert taken == ["first"]
