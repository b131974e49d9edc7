"""Upgrades without downtime: tables are migrated first, then servers restarted one by one."""

import time
from collections.abc import Callable
from threading import Thread

import httpx
import pytest
from sqlalchemy import text

from podhost.config import read_settings
from podhost.db import Database, current_revision, head_revision, migrate, require_usable_schema
from podhost.errors import Conflict
from tests.faults.storm import Storm, new_storm
from tests.running import Running, run_command
from tests.servers import PostgresServer
from tests.waiting import wait_for

# What a migration of a later podhost may do while this one runs.
ADDITIONS = (
    "ALTER TABLE shows ADD COLUMN mood TEXT",
    "ALTER TABLE episodes ADD COLUMN mood TEXT DEFAULT 'calm' NOT NULL",
    "ALTER TABLE audio ADD COLUMN loudness_lufs REAL",
    "CREATE TABLE moods (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    "CREATE INDEX ix_episodes_season ON episodes (show_id, season)",
)

WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
"""


def upgrade(environment: dict[str, str], revision: str, *statements: str) -> None:
    """As a later podhost's `podhost migrate` would."""
    database = Database(read_settings(environment).database_url)
    with database.write() as session:
        for statement in statements:
            session.execute(text(statement))
        session.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
    database.close()


def publish(storm: Storm, title: str) -> None:
    files = {"audio": ("storm.mp3", storm.sound(), "audio/mpeg")}
    given = {"title": title, "publish": "true"}
    answer = storm.call("POST", "/shows/storm/episodes", data=given, files=files)
    assert answer.status_code == 201, answer.text
    url = storm.start().wait_until_ready()
    wait_for(lambda: title in httpx.get(f"{url}/storm/feed.xml", timeout=60).text)


@pytest.fixture
def storm(environment: dict[str, str], tmp_path, seed: int):
    storm = new_storm(environment, seed, tmp_path)
    yield storm
    storm.close()


def test_an_older_podhost_goes_on_and_restarts_beside_a_newer_one(storm: Storm) -> None:
    storm.prepare()
    publish(storm, "Before the migration")
    upgrade(storm.environment, f"9999_since_{head_revision()}", *ADDITIONS)
    publish(storm, "While it ran")
    with storm.start().client() as client:
        assert client.get("/readyz").status_code == 200
    storm.close()
    publish(storm, "After a restart")
    again = run_command("migrate", environment=storm.environment)
    assert again.stdout == "The database was already at revision 9999.\n"


def test_a_migration_that_leaves_no_room_is_told_and_who_runs_goes_on(storm: Storm) -> None:
    storm.prepare()
    publish(storm, "Before the migration")
    upgrade(storm.environment, "9999")
    running = storm.start()
    with running.client() as client:
        assert client.get("/storm/feed.xml").status_code == 200
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "a newer podhost made" in answer.text
    with Running(["serve", "--port", "0"], storm.environment) as second:
        assert second.process.wait(100) == 1
    assert "Install the newer podhost" in "\n".join(second.log)
    assert "Traceback" not in "\n".join(second.log)


@pytest.mark.parametrize(
    ("revision", "is_usable"),
    [
        ("9999_since_0001", True),
        (f"9999_since_{head_revision()}", True),
        ("9999_since_9998", False),
        ("9999", False),
    ],
)
def test_the_name_of_a_revision_says_who_may_stay(
    environment: dict[str, str], revision: str, is_usable: bool
) -> None:
    upgrade(environment, revision)
    database = Database(read_settings(environment).database_url)
    assert current_revision(database) == "9999"
    for work in (lambda: require_usable_schema(database), lambda: migrate(database)):
        assert has_conflict(work) is not is_usable
    database.close()


def has_conflict(work: Callable[[], object]) -> bool:
    try:
        work()
    except Conflict:
        return True
    return False


def test_who_waits_for_a_long_migration_waits_as_long_as_it_takes(
    postgres_server: PostgresServer,
) -> None:
    url = read_settings({"PODHOST_DATABASE_URL": postgres_server.create_database()}).database_url
    slow, waiting = Database(url), Database(url, busy_seconds=0.2)
    waited: list[bool] = []
    thread = Thread(target=lambda: waited.append(migrate(waiting)))
    with slow.write() as session:
        # The lock that a migration holds, for longer than any other statement may be silent.
        session.execute(text("SELECT pg_advisory_xact_lock(7634678)"))
        thread.start()
        wait_for(lambda: session.scalar(text(WAITING)) == 1)
        time.sleep(3)
        assert not waited
    thread.join()
    assert waited == [True]
    assert current_revision(waiting) == head_revision()
    slow.close()
    waiting.close()
