"""What the studio's pages cost with 2,000 episodes: each page of its table, looked at by itself.

A page is looked at once when the server has just started, once right after the feed has changed,
when nothing that is kept of the feed is any good, and then several times. The number of a row is
the slowest of all these looks in wall time; what they cost the server in CPU time stands beside
it. The floor is the smallest raw ASGI application that answers the very bytes of the pages, each
under its own address.
"""

import re
import statistics
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.load import LoadRequest, Response, fetch
from benchmarks.processes import Program, fine_cpu_seconds
from benchmarks.shows import open_new
from benchmarks.studio_show import Filled, fill
from benchmarks.table import Result, Row, Target, at_most
from podhost.episodes import EpisodeInput, change_episode
from podhost.instance import Instance
from podhost.models import Episode
from podhost.web.auth import cookie_name
from podhost.web.static_files import static_files
from podhost.web.studio.show_groups import GROUPS
from podhost.web.studio.table import ROUTES
from podhost.web.studio.visits import STUDIO, StudioRoute
from podhost.worker import run_due_jobs

EPISODES = 2000
# Those that lead elsewhere or answer a file, and those before the sign-in, which know no show.
NO_PAGES = frozenset(
    {
        "to_episodes",
        "get_sound",
        "get_archive",
        "portal_audio",
        "preview_audio",
        "picture_file",
        "see_colours",
        "clip_file",
        "login_page",
        "step_page",
        "welcome_page",
        "forgotten_page",
        "reset_page",
        "confirm_page",
        "invitation_page",
    }
)
_SECRETS = {"portal": "guest", "preview": "preview"}
_UPLOAD = "/shows/{show}/upload"
_MODULE = re.compile(r'<script type="module" src="/static/\w+/([\w./-]+)"')
_IMPORTED = re.compile(r'(?:from|import\()\s*"\./([\w.-]+)"')


@dataclass(frozen=True, slots=True)
class Page:
    """A page with its row; `group` of the settings, where it is one of several like it."""

    row: Row
    route: StudioRoute
    group: str = ""

    def path(self, filled: Filled) -> str:
        """Where it is. Raises KeyError for a part of the path that the show has nothing for."""
        values = {**filled.values, "group": self.group}
        if (secret := _SECRETS.get(self.route.handler.__name__)) is not None:
            values["secret"] = values[secret]
        return STUDIO + re.sub(r"{(\w+)}", lambda found: values[found[1]], self.route.path)


def find_pages() -> list[Page]:
    """Every page of the studio's table, a new one by itself."""
    pages = []
    for route in ROUTES:
        if route.method != "GET" or route.handler.__name__ in NO_PAGES:
            continue
        for group in [group.name for group in GROUPS] if "{group}" in route.path else [""]:
            path = route.path.replace("{group}", group).replace("/shows/{show}", "…")
            pages.append(Page(Row(_name(path), path, "ms", at_most(100, "ms")), route, group))
    return pages


def _name(path: str) -> str:
    """Such as studio-show-episode-chapters."""
    named = path.replace("…", "/show").replace("episodes/{episode}", "episode")
    return "-".join(["studio", *re.findall(r"\w+", named)])


def _script_target(kilobytes: float) -> Target:
    return at_most(kilobytes, "KB")


PAGES = find_pages()
SCRIPT = Row("studio-script", "scripts of the page that has most, gzip", "KB", _script_target(150))
SCRIPT_UPLOAD = Row("studio-script-upload", "those of the upload page", "KB", _script_target(300))
ROWS = (*(page.row for page in PAGES), SCRIPT, SCRIPT_UPLOAD)


@dataclass(frozen=True, slots=True)
class Look:
    """How long an answer took, and what it cost the server, in milliseconds."""

    wall_ms: float
    cpu_ms: float


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """All pages with one server, and what scripts they have."""
    environment = lab.on_sqlite()
    instance = open_new(environment)
    filled = fill(instance, lab.of(EPISODES, EPISODES // 10))
    cookie = f"{cookie_name(instance.base_url)}={filled.secret}"
    has_scripts = {SCRIPT.name, SCRIPT_UPLOAD.name} & set(wanted)
    pages = [page for page in PAGES if page.row.name in wanted or has_scripts]
    with lab.podhost(environment, "--no-worker") as server:
        requests = {page: LoadRequest(page.path(filled), 200, {"Cookie": cookie}) for page in pages}
        begun = {page: _look(server, request) for page, request in requests.items()}
        answers = {page: fetch(server.port, request) for page, request in requests.items()}
        told = {request.path: answers[page] for page, request in requests.items()}
        with lab.floor_of_pages(told) as floor:
            for page in pages:
                if page.row.name in wanted:
                    _change(instance, filled)
                    yield _measured(lab, page.row, server, floor, requests[page], begun[page])
    instance.close()
    yield from _scripts(wanted, {page.route.path: answers[page] for page in pages})


def _change(instance: Instance, filled: Filled) -> None:
    """Change the feed, as any edit does, and have it rendered."""
    now = instance.now()
    with instance.database.write() as session:
        episode = session.get_one(Episode, filled.changed_id)
        given = EpisodeInput(title=f"High water at {now.isoformat()}")
        change_episode(session, episode, given, now=now)
    run_due_jobs(instance)


def _measured(
    lab: Lab, row: Row, server: Program, floor: Program, request: LoadRequest, begun: Look
) -> Result:
    fetch(floor.port, request)
    first = _look(server, request)
    looks, floors = [], []
    for _ in range(lab.of(9, 3)):
        looks.append(_look(server, request))
        floors.append(_look(floor, request))
    middle = statistics.median(look.wall_ms for look in looks)
    cpu_ms = statistics.median(look.cpu_ms for look in looks)
    ratios = [mine.wall_ms / other.wall_ms for mine, other in zip(looks, floors, strict=True)]
    return Result(
        row,
        podhost=max(look.wall_ms for look in (begun, first, *looks)),
        floor=statistics.median(look.wall_ms for look in floors),
        ratio=statistics.median(ratios),
        ratios=ratios,
        cpu_us=cpu_ms * 1000,
        floor_cpu_us=statistics.median(look.cpu_ms for look in floors) * 1000,
        note=f"median {middle:.0f} ms, of which CPU {cpu_ms:.0f} ms; "
        f"after a change of the feed {first.wall_ms:.0f} ms, CPU {first.cpu_ms:.0f} ms; "
        f"after the start {begun.wall_ms:.0f} ms, CPU {begun.cpu_ms:.0f} ms",
    )


def _look(server: Program, request: LoadRequest) -> Look:
    cpu, began_at = fine_cpu_seconds(server.pid), time.monotonic()
    fetch(server.port, request)
    took = time.monotonic() - began_at
    return Look(took * 1000, (fine_cpu_seconds(server.pid) - cpu) * 1000)


# Scripts


def _scripts(wanted: Collection[str], answers: dict[str, Response]) -> Iterator[Result]:
    weights = {path: script_bytes(answer.body.decode()) for path, answer in answers.items()}
    upload = weights.pop(_UPLOAD, 0)
    if SCRIPT.name in wanted:
        path = max(weights, key=lambda path: weights[path])
        yield Result(SCRIPT, podhost=weights[path] / 1000, note=f"it is {path}")
    if SCRIPT_UPLOAD.name in wanted:
        yield Result(SCRIPT_UPLOAD, podhost=upload / 1000)


def script_bytes(page: str) -> int:
    """The scripts of a page, with all that they import at once or later, in bytes as sent."""
    files, found = static_files(), set[str]()
    waiting = _MODULE.findall(page)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            names = _IMPORTED.findall(files[path].body.decode())
            waiting += [str(Path(path).parent / name) for name in names]
    return sum(len(files[path].body_gzip) for path in found)
