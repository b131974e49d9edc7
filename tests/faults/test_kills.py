"""SIGKILL at random points: what was acknowledged is there, once and whole, and nothing else is."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from podhost.config import read_settings
from podhost.db import Database, current_revision, head_revision
from podhost.downloads import read_segment
from tests.faults.polling import Polling
from tests.faults.storm import SHOW, Storm, children_of, command_of, new_storm
from tests.running import Running, clean_environment, run_command
from tests.schema import schema_differences
from tests.servers import PostgresServer
from tests.waiting import wait_for

LONG_KILLS = 250
SHORT_KILLS = 5
KINDS = ("draft", "published", "scheduled", "publish", "replace", "render", "folder")
TARGETS = ("server", "everything", "worker")


def strike(storm: Storm, kind: str, target: str) -> None:
    """One kill, in the middle of one kind of work."""
    match kind:
        case "draft" | "published" | "scheduled":
            storm.upload(target, kind)
        case "publish":
            storm.publish(target)
        case "replace":
            storm.replace(target)
        case "render":
            storm.render(target)
        case "folder":
            storm.publish_folder(target)


def calm(storm: Storm, *kinds: str) -> None:
    """Undisturbed, to learn how long each takes."""
    storm.is_calm = True
    for kind in kinds:
        strike(storm, kind, "")
    storm.is_calm = False


@pytest.mark.timeout(7200)
def test_whatever_is_killed_what_was_acknowledged_is_there_once(
    environment: dict[str, str], tmp_path: Path, seed: int, long: bool
) -> None:
    storm = new_storm(environment, seed, tmp_path)
    try:
        storm.prepare()
        if long:
            calm(storm, "published", "publish", "replace", "folder")
            kinds = [KINDS[number % len(KINDS)] for number in range(LONG_KILLS)]
        else:
            calm(storm, "published")
            kinds = storm.dice.sample(KINDS, SHORT_KILLS)
        for kind in kinds:
            strike(storm, kind, storm.dice.choice(TARGETS))
        print(storm.settle())
    finally:
        storm.close()


# The request spool


def spooled(folder: Path) -> Counter[str]:
    """How often each poll stands in the spool, by its name."""
    return Counter(
        record.ua
        for path in folder.glob("*.*")
        for record in read_segment(path)
        if record.ua.startswith("poll-")
    )


def whole_lines(folder: Path, suffix: str) -> Counter[bytes]:
    """Every finished line in files of this kind."""
    return Counter(
        line
        for path in folder.glob("*" + suffix)
        for line in path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n")
    )


def with_a_show(environment: dict[str, str]) -> None:
    assert run_command("show", "create", "Storm", environment=environment).returncode == 0


def test_the_spool_of_a_killed_server_has_what_the_kernel_had_once(
    tmp_path: Path, seed: int, long: bool
) -> None:
    dice = random.Random(seed)
    environment = {"PODHOST_DATA": str(tmp_path), "PODHOST_BASE_URL": "https://pod.example"}
    with_a_show(environment)
    spool = tmp_path / "spool"
    for life in range(20 if long else 2):
        running = Running(["serve", "--port", "0", "--no-worker"], environment)
        with (
            running,
            Polling(
                [running.wait_until_ready()], f"/{SHOW}/feed.xml", first=life * 1_000_000
            ) as polling,
        ):
            time.sleep(dice.uniform(0.5, 1.5))
            running.stop(signal.SIGKILL)
        had = whole_lines(spool, ".open")
        sealed_before = whole_lines(spool, ".sealed")
        with Running(["serve", "--port", "0", "--no-worker"], environment) as next_life:
            next_life.wait_until_ready()
            wait_for(lambda: not has_abandoned(spool, next_life.process.pid))
            next_life.stop()
        # What the kernel had is there, once, and nothing that was there before has changed.
        assert whole_lines(spool, ".sealed") == had + sealed_before
        for line in whole_lines(spool, ".sealed"):
            json.loads(line)
        found = spooled(spool)
        assert set(found.values()) <= {1}
        lost = [poll for poll in polling.answered if poll.name not in found]
        # Lost is what came last: each app's polls are answered, and written, one after another.
        for app in range(polling.apps):
            numbers = [poll.number for poll in lost if poll.app == app]
            last = max((poll.number for poll in polling.answered if poll.app == app), default=0)
            assert numbers == [*range(last - len(numbers) + 1, last + 1)]
        print(f"{len(polling.answered)} polls answered, {len(lost)} of the last not yet written")
    assert found


def has_abandoned(spool: Path, pid: int) -> bool:
    return any(f"-{pid}-" not in path.name for path in spool.glob("*.open"))


def test_a_killed_process_of_several_comes_back_and_the_others_go_on(
    tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    environment = {"PODHOST_DATA": str(tmp_path), "PODHOST_BASE_URL": "https://pod.example"}
    with_a_show(environment)
    running = Running(["serve", "--port", "0", "--workers", "2"], environment)
    with running, Polling([running.wait_until_ready()], f"/{SHOW}/feed.xml") as polling:
        serving = pids_of(running, "podhost.serving.server")
        assert len(serving) == 2
        time.sleep(dice.uniform(0.3, 1.0))
        victim = dice.choice(serving)
        os.kill(victim, signal.SIGKILL)
        killed_at = time.monotonic()
        (worker,) = wait_for_pids(running, "podhost worker", 1)
        os.kill(worker, signal.SIGKILL)
        wait_for_pids(running, "podhost.serving.server", 2)
        wait_for(lambda: pids_of(running, "podhost worker") not in ([], [worker]))
        time.sleep(0.3)
        assert running.stop() == 0
    # Cut off is what the killed one had in hand; connections wait for it, or for the other one.
    cut = [poll for poll in polling.failed if poll.status == 0]
    assert len(cut) <= polling.apps
    found = spooled(tmp_path / "spool")
    assert set(found.values()) == {1}
    lost = [poll for poll in polling.answered if poll.name not in found]
    # Each app may have had one answer on its way when that happened.
    assert len([poll for poll in lost if poll.ended_at > killed_at]) <= polling.apps


def pids_of(running: Running, what: str) -> list[int]:
    pids = children_of(running.process.pid)
    return [pid for pid in pids if what in command_of(pid).replace("-m ", "")]


def wait_for_pids(running: Running, what: str, count: int) -> list[int]:
    wait_for(lambda: len(pids_of(running, what)) == count)
    return pids_of(running, what)


# Migrations


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.timeout(3600)
def test_a_migration_that_was_killed_is_done_by_the_next_start(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str, seed: int, long: bool
) -> None:
    dice = random.Random(seed)
    whole_seconds = 0.0
    halves = 0
    for number in range(31 if long else 3):
        environment = {"PODHOST_DATA": str(tmp_path / str(number))}
        if engine == "postgresql":
            postgres: PostgresServer = request.getfixturevalue("postgres_server")
            environment["PODHOST_DATABASE_URL"] = postgres.create_database()
        command = ["serve", "--port", "0", "--no-worker"] if number % 2 else ["migrate"]
        began_at = time.monotonic()
        with subprocess.Popen(
            [sys.executable, "-m", "podhost", *command],
            env={**clean_environment(), **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            if whole_seconds:
                time.sleep(dice.uniform(0.2 * whole_seconds, whole_seconds))
                process.kill()
        whole_seconds = whole_seconds or time.monotonic() - began_at
        settings = read_settings(environment)
        database = Database(settings.database_url)
        halves += current_revision(database) is None
        done = run_command("migrate", environment=environment)
        assert done.returncode == 0, done.stderr
        assert current_revision(database) == head_revision()
        with database.read() as session:
            assert schema_differences(session) == []
        database.close()
        if engine == "postgresql":
            postgres.drop_database(environment["PODHOST_DATABASE_URL"])
    print(f"{number} migrations killed, {halves} of them before they were done")
