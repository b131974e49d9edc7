"""What programs ask the API for: a list of fifty episodes with people, by 32 at once, one process.

The target is a number and not a share. The floor beside it is the smallest raw ASGI application
that answers the same bytes: the distance is what checking the token, reading the rows and writing
the JSON cost. Once nothing changes meanwhile; once another process changes an episode of the very
list every 250 ms, so that whatever podhost keeps is out of date four times a second.
"""

import contextlib
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping

from benchmarks.lab import Lab
from benchmarks.load import LoadRequest, fetch
from benchmarks.processes import Program, module
from benchmarks.shows import add_show, add_token, open_new
from benchmarks.table import Result, Row, at_least
from podhost.config import read_settings
from podhost.episodes import EpisodeInput, change_episode
from podhost.instance import open_instance
from podhost.models import Episode

EPISODES = 50
CHANGE_SECONDS = 0.25

LIST = Row("api-list", "list of 50 episodes", "req/s", at_least(500, "req/s"))
LIST_CHANGING = Row(
    "api-list-changing",
    "list of 50 episodes, one changed every 250 ms",
    "req/s",
    at_least(500, "req/s"),
)
ROWS = (LIST, LIST_CHANGING)


def measure(lab: Lab, wanted: Collection[str]) -> Iterator[Result]:
    """Both rows, with one server."""
    environment = lab.on_sqlite()
    instance = open_new(environment)
    token = add_token(instance)
    ids = add_show(instance, "small", episodes=100)
    instance.close()
    path = f"/api/v1/shows/small/episodes?limit={EPISODES}"
    request = LoadRequest(path, 200, {"Authorization": f"Bearer {token}"})
    with lab.podhost(environment, "--no-worker") as server:
        if LIST.name in wanted:
            yield _list(lab, LIST, server, request)
        if LIST_CHANGING.name in wanted:
            with _changing(lab, environment, ids[-1]):
                before = fetch(server.port, request).body
                result = _list(lab, LIST_CHANGING, server, request)
                if fetch(server.port, request).body == before:
                    raise RuntimeError("the list did not change")
                yield result


def _list(lab: Lab, row: Row, server: Program, request: LoadRequest) -> Result:
    answer = fetch(server.port, request)
    with lab.floor(answer) as floor:
        lab.load(server, request, seconds=0.5, own=True)
        seconds = lab.of(3, 1)
        result = lab.compare(
            row,
            {
                "podhost": lambda: lab.load(server, request, seconds=seconds),
                "floor": lambda: lab.load(floor, request, seconds=lab.of(2, 1)),
            },
            rounds=lab.of(3, 1),
        )
    result.note = f"{len(answer.body):,} bytes each"
    return result


@contextlib.contextmanager
def _changing(lab: Lab, environment: Mapping[str, str], episode_id: str) -> Iterator[None]:
    """Another process that gives the episode a new title every 250 ms."""
    folder = lab.new_folder("changing")
    command = module("api", episode_id)
    with Program(command, folder=folder, environment=environment, cores=lab.load_cores) as program:
        program.wait_for_output("changing")
        yield


# The process that changes


def change_for_ever(episode_id: str) -> None:
    """Change the episode's title four times a second, as a call of another process would."""
    instance = open_instance(read_settings(os.environ))
    number = 0
    while True:
        number += 1
        with instance.database.write() as session:
            episode = session.get_one(Episode, episode_id)
            given = EpisodeInput(title=f"High water {number}")
            change_episode(session, episode, given, now=instance.now())
        if number == 1:
            print("changing", flush=True)
        time.sleep(CHANGE_SECONDS)


if __name__ == "__main__":
    change_for_ever(sys.argv[1])
