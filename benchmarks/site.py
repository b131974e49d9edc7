"""What the pages of a show's site cost: each when it is made for the first time, and from memory.

The show has 5,000 episodes, 2,000 guests and 1,000 articles. Each page is looked at once when the
server has just started, and then after each of several changes of the show, when nothing that is
kept of its pages is any good. The number of a row is the slowest of all these looks in wall time;
beside it stands what they cost the server in CPU time, the least of them first, because that is
what other programs on the machine change least. For some pages there is a row of its own for the
very first look after a start: a server for each, which is given time to make ready what it makes
ready by itself; then the show is changed, so that no page is in memory. The floor is the smallest
raw ASGI application that answers the very bytes of the pages, each under its own address. `/`
alone is left out: by it is seen that the server has heard of a change, and it lists shows, of
which there is one.

From memory, requests per second are compared with the same floor for one page, by `podhost serve`,
which answers where requests are parsed, and by the same application under a plain uvicorn.
"""

import contextlib
import re
import statistics
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.lab import Lab
from benchmarks.load import LoadFailed, LoadRequest, Response, fetch
from benchmarks.processes import Program, fine_cpu_seconds, free_port
from benchmarks.shows import open_new
from benchmarks.site_show import SLUG, fill
from benchmarks.table import Result, Row, at_most, share_of_floor
from podhost.instance import Instance
from podhost.shows import ShowInput, change_show, get_show
from podhost.web.site.looks import SiteRoute
from podhost.web.site.table import ROUTES

EPISODES, GUESTS, ARTICLES = 5000, 2000, 1000
_LAST_PAGES = {"/episodes": 100, "/guests": 10, "/articles": 50}
# Those that lead elsewhere, those of shows of another size, pictures, and the newsletter, which is
# not there until its owner wants it.
NO_PAGES = frozenset(
    {
        "author_page",
        "further_sitemap",
        "episode_card",
        "article_card",
        "sign_up_page",
        "feed_elsewhere",
        "feed_of_domain",
    }
)
_QUERIES = {"/search": "?q=tide", "/search.json": "?q=tide"}
_CODED = {"Accept-Encoding": "br"}
_WAIT_SECONDS = 20.0
_FAST = at_most(100, "ms")


@dataclass(frozen=True, slots=True)
class Page:
    """A page with its row; `query` of one of several pages of a list."""

    row: Row
    route: SiteRoute
    query: str = ""

    def path(self, slugs: Mapping[str, str]) -> str:
        """Where it is. Raises KeyError for a kind of which the show has nothing."""
        kind = self.route.path.split("/")[1]
        return f"/{SLUG}{self.route.path.replace('{slug}', slugs.get(kind, kind))}{self.query}"


def find_pages() -> list[Page]:
    """Every page of the site's table that has no secret in its address, a new one by itself."""
    pages = []
    for route in ROUTES:
        parts = re.findall(r"{(\w+)}", route.path)
        if (
            route.method != "GET"
            or route.handler.__name__ in NO_PAGES
            or parts not in ([], ["slug"])
        ):
            continue
        queries = [_QUERIES.get(route.path, "")]
        if route.path in _LAST_PAGES:
            queries.append(f"?page={_LAST_PAGES[route.path]}")
        for query in queries:
            path = route.path + query
            pages.append(Page(Row(_name(path), path, "ms", _FAST), route, query))
    return pages


def _name(path: str) -> str:
    """Such as site-episodes-slug."""
    return "-".join(["site", *re.findall(r"\w+", path)] if path != "/" else ["site", "home"])


PAGES = find_pages()
_SHARE = share_of_floor(0.7)
HOME, EPISODE = f"/{SLUG}/", "/episodes/{slug}"
MEMORY_ROWS = {
    (way, page, status): Row(
        f"site-{way}-{page}-{status}",
        f"{page} from memory, {status}, {said}",
        "req/s",
        _SHARE,
    )
    for way, said in (("memory", "podhost serve"), ("asgi", "a plain uvicorn"))
    for page in ("home", "episode")
    for status in (200, 304)
}
# The home, the largest pages, and that with the most addresses.
START_ROWS = {
    path: Row(f"{_name(path)}-start", f"{path}, the first look after a start", "ms", _FAST)
    for path in ("/", "/episodes/{slug}", "/people/{slug}", "/sitemap.xml")
}
ROWS = (*(page.row for page in PAGES), *START_ROWS.values(), *MEMORY_ROWS.values())


@dataclass(frozen=True, slots=True)
class Look:
    """How long an answer took, and what it cost the server, in milliseconds."""

    wall_ms: float
    cpu_ms: float


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """All pages of one show: made for the first time, then from memory."""
    environment = lab.on_sqlite()
    instance = open_new(environment)
    slugs = fill(instance, EPISODES, GUESTS, ARTICLES)
    pages = [page for page in PAGES if page.row.name in wanted]
    if pages:
        with lab.podhost(environment, "--no-worker") as server:
            yield from _first_looks(lab, server, instance, pages, slugs)
    for page in PAGES:
        row = START_ROWS.get(page.route.path)
        if row is not None and row.name in wanted and not page.query:
            yield _after_starts(lab, environment, instance, row, page.path(slugs))
    rows = {key: row for key, row in MEMORY_ROWS.items() if row.name in wanted}
    paths = {"home": HOME, "episode": f"/{SLUG}/episodes/{slugs['episodes']}"}
    for way in ("memory", "asgi"):
        if any(key[0] == way for key in rows):
            with _server(lab, environment, way) as server:
                for (of, page, status), row in rows.items():
                    if of == way:
                        yield _from_memory(lab, row, server, paths[page], status)
    instance.close()


# Made for the first time


def _first_looks(
    lab: Lab, server: Program, instance: Instance, pages: list[Page], slugs: Mapping[str, str]
) -> Iterator[Result]:
    requests = {page: LoadRequest(page.path(slugs), 200, _CODED) for page in pages}
    looks: dict[Page, list[Look]] = {}
    answers: dict[str, Response] = {}
    for page, request in list(requests.items()):
        try:
            looks[page] = [_look(server, request)]
            answers[request.path] = fetch(server.port, request)
        except LoadFailed as error:
            del requests[page]
            yield Result(page.row, problem=str(error))
    for number in range(lab.of(7, 1)):
        _change(instance, server, f"Tide Tables, edition {number}")
        for page, request in requests.items():
            looks[page].append(_look(server, request))
    bodies = {_floor_path(path): answer for path, answer in answers.items()}
    with lab.floor_of_pages(bodies) as floor:
        for page, request in requests.items():
            bare = LoadRequest(_floor_path(request.path), 200)
            floors = [_look(floor, bare) for _ in range(lab.of(9, 3))]
            yield _result(page.row, looks[page], floors, answers[request.path])


def _after_starts(
    lab: Lab, environment: Mapping[str, str], instance: Instance, row: Row, path: str
) -> Result:
    """The first look at a page after each of several starts."""
    looks = []
    for number in range(lab.of(3, 1)):
        with lab.podhost(environment, "--no-worker") as server:
            _change(instance, server, f"Tide Tables, start {number} of {row.name}")
            looks.append(_look(server, LoadRequest(path, 200, _CODED)))
            answer = fetch(server.port, LoadRequest(path, 200, _CODED))
    with lab.floor(answer) as floor:
        floors = [_look(floor, LoadRequest(path, 200)) for _ in range(lab.of(9, 3))]
    result = _result(row, looks, floors, answer)
    costs = ", ".join(f"{look.cpu_ms:.1f}" for look in looks)
    result.note = f"CPU {costs} ms; wall {', '.join(f'{look.wall_ms:.1f}' for look in looks)} ms"
    return result


def _floor_path(path: str) -> str:
    """Where the floor has a page: it looks at no query."""
    return path.replace("?", "/")


def _change(instance: Instance, server: Program, title: str) -> None:
    """Change the show, and wait until the server has heard of it."""
    # Or it is not in memory, and says at once what the server has not heard yet.
    fetch(server.port, LoadRequest("/", 200))
    now = instance.now()
    with instance.database.write() as session:
        show = get_show(session, SLUG, lock=True)
        change_show(session, show, ShowInput(title=title), now=now)
    deadline = time.monotonic() + _WAIT_SECONDS
    while title.encode() not in fetch(server.port, LoadRequest("/", 200)).body:
        if time.monotonic() >= deadline:
            raise RuntimeError("the server did not hear of the change")
        time.sleep(0.05)
    # The pages are dropped one after the other.
    time.sleep(0.1)


def _result(row: Row, looks: list[Look], floors: list[Look], answer: Response) -> Result:
    begun, *later = looks if len(looks) > 1 else looks * 2
    middle = statistics.median(look.wall_ms for look in later)
    cpu_ms = statistics.median(look.cpu_ms for look in later)
    floor_ms = statistics.median(look.wall_ms for look in floors)
    return Result(
        row,
        podhost=max(look.wall_ms for look in looks),
        floor=floor_ms,
        ratio=middle / floor_ms,
        cpu_us=cpu_ms * 1000,
        floor_cpu_us=statistics.median(look.cpu_ms for look in floors) * 1000,
        note=f"CPU at least {min(look.cpu_ms for look in later):.1f} ms, median {cpu_ms:.1f} ms, "
        f"first after the start {begun.cpu_ms:.1f} ms; wall at least "
        f"{min(look.wall_ms for look in later):.1f} ms, median {middle:.1f} ms; "
        f"{len(answer.body):,} bytes as sent",
    )


def _look(server: Program, request: LoadRequest) -> Look:
    cpu, began_at = fine_cpu_seconds(server.pid), time.monotonic()
    fetch(server.port, request)
    took = time.monotonic() - began_at
    return Look(took * 1000, (fine_cpu_seconds(server.pid) - cpu) * 1000)


# From memory


@contextlib.contextmanager
def _server(lab: Lab, environment: Mapping[str, str], way: str) -> Iterator[Program]:
    """`podhost serve`, or its application under uvicorn as an operator of that starts it."""
    if way == "memory":
        with lab.podhost(environment, "--no-worker") as program:
            yield program
        return
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "podhost.app:from_environment"]
    command += ["--port", str(port), "--loop", "uvloop", "--http", "httptools", "--ws", "none"]
    command += ["--no-access-log", "--no-server-header", "--no-proxy-headers"]
    with Program(
        command,
        folder=lab.new_folder("uvicorn"),
        environment=environment,
        cores=lab.server_cores,
        port=port,
    ) as program:
        program.wait_until_ready()
        program.wait_until_idle()
        yield program


def _from_memory(lab: Lab, row: Row, server: Program, path: str, status: int) -> Result:
    whole = fetch(server.port, LoadRequest(path, 200, _CODED))
    known = {"If-None-Match": whole.header("etag")} if status == 304 else {}
    request = LoadRequest(path, status, {**_CODED, **known})
    answer = fetch(server.port, request)
    with lab.floor(answer) as floor:
        for program in (server, floor):
            lab.load(program, request, seconds=0.3, own=True)
        measures = {
            "podhost": lambda: lab.load(server, request, seconds=1),
            "floor": lambda: lab.load(floor, request, seconds=1),
        }
        result = lab.compare(row, measures, rounds=lab.of(6, 2))
    result.note = f"{len(answer.body):,} bytes each"
    return result
