"""The database: concurrent writers, power loss settings, migrations."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from podhost import db
from podhost.config import read_settings
from podhost.db import Database, current_revision, head_revision, migrate
from podhost.errors import Conflict, Unavailable
from podhost.instance import Instance
from podhost.models import Fact
from tests.schema import schema_differences
from tests.servers import PostgresServer


def test_concurrent_increments_are_all_counted(instance: Instance) -> None:
    with instance.database.write() as session:
        session.add(Fact(name="count", value="0"))

    def increment() -> None:
        for _ in range(25):
            with instance.database.write() as session:
                fact = session.get_one(Fact, "count", with_for_update=True)
                fact.value = str(int(fact.value) + 1)

    threads = [threading.Thread(target=increment) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with instance.database.read() as session:
        assert session.get_one(Fact, "count").value == "200"


def test_a_commit_on_sqlite_survives_the_power_cut(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    with database.read() as session:
        for pragma, value in {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}.items():
            assert session.scalar(text(f"PRAGMA {pragma}")) == value
    database.close()


def test_the_migrations_make_the_tables_that_the_models_say(instance: Instance) -> None:
    with instance.database.read() as session:
        assert schema_differences(session) == []


def test_migrating_twice_does_nothing_the_second_time(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    assert current_revision(database) is None
    assert migrate(database)
    assert not migrate(database)
    assert current_revision(database) == head_revision()
    database.close()


def run_together(count: int, work: object) -> list[BaseException]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_many_processes_may_migrate_sqlite_at_once(tmp_path: Path) -> None:
    databases = [Database(f"sqlite:///{tmp_path / 'x.sqlite3'}") for _ in range(4)]
    waiting = iter(databases)
    assert run_together(4, lambda: migrate(next(waiting))) == []
    assert current_revision(databases[0]) == head_revision()
    for database in databases:
        database.close()


def test_who_waits_for_a_migration_of_sqlite_waits_longer_than_for_other_writers(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    holder, waiting = Database(url), Database(url, busy_seconds=0.1)
    with ThreadPoolExecutor() as pool:
        with holder.write() as session:
            session.execute(text("SELECT 1"))
            migrating = pool.submit(migrate, waiting)
            with pytest.raises(TimeoutError):
                migrating.result(timeout=1)
        assert migrating.result(timeout=60)
    assert current_revision(holder) == head_revision()
    for database in (holder, waiting):
        database.close()


def test_a_start_does_not_wait_for_ever_for_who_never_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_MIGRATING_SECONDS", 0.3)
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    holder, waiting = Database(url), Database(url, busy_seconds=0.1)
    with holder.write() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(Unavailable, match="busy"):
            migrate(waiting)
    for database in (holder, waiting):
        database.close()


def test_many_processes_may_migrate_postgresql_at_once(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database()
    url = read_settings({"PODHOST_DATABASE_URL": url}).database_url
    databases = [Database(url) for _ in range(4)]
    waiting = iter(databases)
    assert run_together(4, lambda: migrate(next(waiting))) == []
    assert current_revision(databases[0]) == head_revision()
    for database in databases:
        database.close()


def test_a_database_of_a_newer_podhost_is_left_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    migrate(database)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match="newer podhost"):
        migrate(database)
    database.close()


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://127.0.0.1:9/none", "sqlite:////proc/nowhere/x.sqlite3"]
)
def test_an_unreachable_database_is_a_sentence(url: str) -> None:
    with pytest.raises(Unavailable):
        Database(url).check()


def test_who_waits_too_long_for_another_writer_is_told(environment: dict[str, str]) -> None:
    url = read_settings(environment).database_url
    first, second = Database(url), Database(url, busy_seconds=0.5)
    with first.write() as session:
        session.add(Fact(name="base_url", value="https://pod.example"))
    with first.write() as session:
        session.get_one(Fact, "base_url", with_for_update=True)
        with pytest.raises(Unavailable, match="busy"), second.write() as other:
            other.get_one(Fact, "base_url", with_for_update=True)
    with second.write() as other:
        assert other.get_one(Fact, "base_url", with_for_update=True)
    first.close()
    second.close()


def test_values_do_not_stand_in_errors(instance: Instance) -> None:
    with pytest.raises(Conflict) as caught, instance.database.write() as session:
        session.add_all([Fact(name="same", value="a secret"), Fact(name="same", value="a secret")])
        session.flush()
    assert "a secret" not in str(caught.value.__cause__)


def test_why_the_database_cannot_be_used_is_told(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    for url, sentence in {
        postgres_server.url_of("nowhere"): "no such database",
        "postgresql+psycopg://127.0.0.1:9/none": "Nothing answers at the database's address",
    }.items():
        with pytest.raises(Unavailable, match=sentence):
            Database(url).check()
    (tmp_path / "notes.txt").write_text("This is no database. " * 99)
    with pytest.raises(Unavailable, match="no SQLite database"):
        Database(f"sqlite:///{tmp_path / 'notes.txt'}").check()
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    with pytest.raises(Unavailable, match="lost its tables"), database.read() as session:
        session.get(Fact, "base_url")
    database.close()


def test_nothing_is_written_to_a_file_that_was_moved_away(tmp_path: Path) -> None:
    path, away = tmp_path / "x.sqlite3", tmp_path / "away.sqlite3"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    path.rename(away)
    for _ in ("no file", "another file"):
        with pytest.raises(Unavailable, match="restart podhost"), database.write():
            pass
        with pytest.raises(Unavailable, match="restart podhost"), database.read():
            pass
        path.touch()
    away.rename(path)
    database.check()
    database.close()


def test_a_new_database_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "podhost.sqlite3"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    with database.write() as session:
        session.execute(text("CREATE TABLE x (y INTEGER)"))
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    database.close()
    assert modes.keys() >= {"podhost.sqlite3", "podhost.sqlite3-wal"}
    assert set(modes.values()) == {0o600}
