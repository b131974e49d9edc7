"""Starting to serve: only what the first answers need is loaded, and two may start at once."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from podhost.config import read_settings
from podhost.instance import Instance, adopt_base_url
from podhost.serving.startup import prepare
from tests.running import clean_environment
from tests.servers import PostgresServer

# Each of them takes a hundredth of a second or more, and no feed or audio needs it.
NOT_BEFORE_READY = (
    "alembic",
    "anyio._backends._asyncio",
    "argon2",
    "av",
    "boto3",
    "duckdb",
    "feedgen",
    "httpcore",
    "lxml",
    "mutagen",
    "PIL",
    "podhost.commands",
    "podhost.formats",
    "podhost.web.api",
    "podhost.web.site",
    "podhost.worker",
    "prometheus_client",
    "psycopg",
    "sqlalchemy.dialects.postgresql",
)
# Megabytes each, for what is rarely asked of a server, and never of most.
NOT_BEFORE_NEEDED = (
    *("av", "boto3", "duckdb", "feedgen", "lxml", "mutagen", "nh3", "PIL", "segno", "yaml"),
    "podhost.folders",
)
WEB = """
import sys
import podhost.app, podhost.doctor.diagnoses, podhost.web.api, podhost.web.parts
import podhost.web.site.warming, podhost.web.static_files, podhost.web.studio.table
import podhost.web.studio.warming
print(*sorted(sys.modules))
"""
SERVE = """
import os, signal, sys
from podhost.cli import podhost
from podhost.serving import server

def ready(url):
    print(*sorted(sys.modules))
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGTERM)

server.serve.__kwdefaults__["announce"] = ready
podhost(["serve", "--port", "0", "--no-worker"])
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that was served from before."""
    prepare(read_settings({}, data=tmp_path)).close()
    return tmp_path


def test_the_start_loads_nothing_that_the_first_answers_do_not_need(data: Path) -> None:
    started = subprocess.run(
        [sys.executable, "-c", SERVE],
        env={**clean_environment(), "PODHOST_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = started.stdout.split()
    assert "podhost.app" in loaded, started.stderr
    assert [name for name in NOT_BEFORE_READY if name in loaded] == []


def test_a_server_that_is_asked_for_nothing_rare_does_without_what_is_large() -> None:
    command = [sys.executable, "-c", WEB]
    ended = subprocess.run(
        command, env=clean_environment(), capture_output=True, text=True, timeout=60, check=True
    )
    loaded = ended.stdout.split()
    assert "podhost.web.studio.table" in loaded
    assert [name for name in NOT_BEFORE_NEEDED if name in loaded] == []


def test_the_address_is_left_once_and_taken_over(data: Path) -> None:
    serving = prepare(read_settings({}, data=data, port="8123"))
    beside = prepare(read_settings({}, data=data), serving=False)
    assert serving.base_url == beside.base_url == "http://127.0.0.1:8123"
    # The same port again: nothing is written.
    with serving.database.write():
        again = prepare(read_settings({}, data=data, port="8123"))
    for instance in (serving, beside, again):
        instance.close()


def test_of_two_first_servers_one_wins_and_the_other_takes_its_address_over(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    for _ in range(5):
        url = postgres_server.create_database()
        settings = read_settings({}, data=tmp_path, database_url=url)
        prepare(settings, serving=False).close()
        together = threading.Barrier(2)
        instances: list[Instance] = []

        def start(port: str, url: str = url, together: threading.Barrier = together) -> None:
            instance = prepare(
                read_settings({}, data=tmp_path, database_url=url, port=port), serving=False
            )
            instances.append(instance)  # noqa: B023 - joined before the next round
            together.wait()
            adopt_base_url(instance, serving=True)

        threads = [threading.Thread(target=start, args=(port,)) for port in ("8001", "8002")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        late = prepare(settings, serving=False)
        # Whoever came first or alone, everybody who asks now is told one of the two.
        assert late.base_url in {instance.base_url for instance in instances}
        for instance in (late, *instances):
            instance.close()
        postgres_server.drop_database(url)


def test_a_first_start_makes_the_database_for_its_owner_only(tmp_path: Path) -> None:
    prepare(read_settings({"PODHOST_DATA": str(tmp_path / "new")})).close()
    assert (tmp_path / "new/podhost.sqlite3").stat().st_mode & 0o777 == 0o600
