"""What the memory of pages costs, and that floods of requests neither fill nor empty it."""

import asyncio
import gc
import random
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from podhost.app import Application, create_app
from podhost.catalogue import Catalogue
from podhost.catalogue.pages import SitePage
from podhost.config import read_settings
from podhost.episodes import EpisodeInput, change_episode, get_episode
from podhost.instance import Instance, open_instance
from podhost.people import CreditInput
from podhost.shows import get_show
from podhost.web.site import serving
from tests.making import make_episode, make_show, run_due_jobs

HOME = "/tide-tables/"
EPISODE = "/tide-tables/episodes/low-water"
HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; script-src 'self'; " + 200 * b"x"),
]


def _page(number: int, size_bytes: int = 12_000) -> SitePage:
    # Digits are packed to half of their size, as pages to some part of theirs.
    body = random.Random(number).randbytes(size_bytes // 2).hex().encode()
    return SitePage(body, HEADERS, owner_ids=frozenset(["show"]))


def test_a_page_costs_as_much_memory_as_is_counted() -> None:
    _page(1)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    pages = {f"/tide-tables/episodes/low-water-{number}": _page(number) for number in range(200)}
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    counted = sum(page.size_bytes for page in pages.values())
    assert 0.9 * counted <= after - before <= 1.05 * counted


@pytest.fixture
def small(environment: dict[str, str]) -> Iterator[Catalogue]:
    opened = open_instance(read_settings({**environment, "PODHOST_MEMORY_CACHE_MB": "1"}))
    catalogue = Catalogue(opened)
    catalogue.catch_up()
    yield catalogue
    opened.close()


def _keep(catalogue: Catalogue, key: str, page: SitePage) -> None:
    catalogue.load_page(key, lambda: page)


def test_pages_stay_within_their_share_of_the_memory(small: Catalogue) -> None:
    for number in range(100):
        _keep(small, f"/{number}", _page(number))
        assert small.used_bytes <= 1024 * 1024 * 7 // 32
    assert 3 < len(small.pages) < 30
    assert small.used_bytes == sum(page.size_bytes for page in small.pages.values())


def test_what_is_asked_for_stays_when_there_is_no_room_for_all(small: Catalogue) -> None:
    _keep(small, HOME, _page(1))
    for number in range(100):
        small.pages[HOME].was_used = True
        _keep(small, f"/{number}", _page(number))
    assert HOME in small.pages


def test_a_page_as_large_as_all_others_is_made_anew_each_time(small: Catalogue) -> None:
    _keep(small, HOME, _page(1))
    _keep(small, "/tide-tables/sitemap.xml", _page(2, 400_000))
    assert list(small.pages) == [HOME]


class Crowd:
    """Many who ask at once, and how often pages had to be made."""

    def __init__(self, instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        app = create_app(instance)
        assert isinstance(app, Application)
        self.catalogue = app.state.catalogue
        self.catalogue.catch_up()
        self._transport = httpx.ASGITransport(app)
        self.made: list[str] = []
        self._turn = threading.Event()
        render: Callable[..., bytes] = serving.render

        def counted(look: Any, page: Any, style: str) -> bytes:
            self._turn.wait(10)
            self.made.append(page.head.path)
            return render(look, page, style)

        monkeypatch.setattr(serving, "render", counted)

    def ask(self, paths: list[str]) -> list[int]:
        """The status of each answer; no page is made before all have asked."""
        return [answer.status_code for answer in self._answers(paths)]

    def ask_where(self, paths: list[str]) -> list[str]:
        """Where each answer leads."""
        return [answer.headers["location"] for answer in self._answers(paths)]

    def _answers(self, paths: list[str]) -> list[httpx.Response]:
        async def all_at_once() -> list[httpx.Response]:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="https://pod.example"
            ) as client:
                asked = [asyncio.create_task(client.get(path)) for path in paths]
                await asyncio.sleep(0.05)
                self._turn.set()
                return [await each for each in asked]

        self._turn.clear()
        return asyncio.run(all_at_once())


@pytest.fixture
def crowd(instance: Instance, mp3: Path, monkeypatch: pytest.MonkeyPatch) -> Crowd:
    make_episode(instance, make_show(instance), mp3, guests=[CreditInput(name="Ann")])
    run_due_jobs(instance)
    return Crowd(instance, monkeypatch)


def test_a_page_that_many_want_at_once_is_made_once(crowd: Crowd) -> None:
    assert crowd.ask([EPISODE] * 40) == [200] * 40
    assert crowd.made == ["/episodes/low-water"]


def test_many_ways_to_share_a_link_make_no_more_work_than_there_are_threads(crowd: Crowd) -> None:
    paths = [f"{EPISODE}?utm_source={number}" for number in range(40)]
    assert crowd.ask(paths) == [200] * 40
    assert 1 <= len(crowd.made) <= 4
    assert list(crowd.catalogue.pages) == [EPISODE]


def test_what_a_page_does_not_ask_for_makes_it_no_second_time(crowd: Crowd) -> None:
    for path, kept in ((f"{HOME}episodes", 1), (f"{HOME}guests", 2), (f"{HOME}people/ann", 3)):
        paths = [f"{path}?utm_source={number}&q{number}=x" for number in range(20)]
        assert crowd.ask(paths) == [200] * 20
        assert crowd.ask(paths) == [200] * 20
        assert len(crowd.made) == len(crowd.catalogue.pages) == kept


def test_who_shared_an_old_link_is_still_named(crowd: Crowd, instance: Instance) -> None:
    with instance.database.write() as session:
        episode = get_episode(session, get_show(session, "tide-tables"), "low-water")
        change_episode(session, episode, EpisodeInput(slug="ebb"), now=instance.now())
    paths = [f"{EPISODE}?utm_source={number}" for number in range(3)]
    assert crowd.ask_where(paths) == [
        f"/tide-tables/episodes/ebb?utm_source={number}" for number in range(3)
    ]


def test_a_flood_pushes_nothing_out_and_leaves_nothing_behind(crowd: Crowd) -> None:
    assert crowd.ask([HOME, EPISODE]) == [200, 200]
    held = dict(crowd.catalogue.pages)
    flood = []
    for number in range(20):
        flood += [
            f"{HOME}?x={number}",
            f"{HOME}episodes?page={number + 2}",
            f"{HOME}episodes?page=1&x={number}",
            f"{HOME}guests?q=x{number}",
            f"{HOME}articles?category={number}",
            f"{HOME}people/x{number}",
            f"{HOME}episodes/x{number}",
            f"{HOME}x{number}",
            f"/x{number}/",
            f"{EPISODE}/",
        ]
    assert set(crowd.ask(flood)) <= {200, 301, 404}
    assert dict(crowd.catalogue.pages) == held
