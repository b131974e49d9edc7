"""A database that is locked, gone, read-only, full of connections, frozen or cut off: polls go on,
writes say so in time, and work goes on by itself."""

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import text

from podhost.db import Database, migrate
from podhost.errors import Unavailable, Uncertain
from podhost.models import Fact
from tests.faults.host import BUSY_SECONDS, EPISODES, Host, Lines, folder_at, open_host
from tests.faults.network import CUT, CUT_AND_PASS_LATER, DOWN, PASS, UP, Network
from tests.servers import PostgresServer, start_postgres
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def network(postgres_server: PostgresServer) -> Iterator[Network]:
    """Between podhost and PostgreSQL."""
    with Network(postgres_server.folder / ".s.PGSQL.5432") as network:
        yield network


@pytest.fixture(scope="module")
def rows(postgres_server: PostgresServer, migrated_postgres: str) -> Iterator[str]:
    """The name of a migrated database on the shared PostgreSQL."""
    url = postgres_server.create_database(template=migrated_postgres)
    yield url.partition("?")[0].rpartition("/")[2]
    postgres_server.drop_database(url)


@pytest.fixture(scope="module")
def one_on_postgresql(
    network: Network, rows: str, tmp_path_factory: pytest.TempPathFactory, mp3: Path
) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    database = Database(
        f"postgresql+psycopg://postgres@127.0.0.1:{network.port}/{rows}",
        busy_seconds=BUSY_SECONDS,
        connect_seconds=2,
    )
    with open_host(folder, mp3, database, folder_at(folder / "storage")) as host:
        yield host
        network.mend()


@pytest.fixture
def on_postgresql(one_on_postgresql: Host, network: Network) -> Iterator[Host]:
    """The same one for each test, and well again after it."""
    yield one_on_postgresql
    network.mend()
    one_on_postgresql.assert_all_is_well()


@pytest.fixture
def on_sqlite(tmp_path: Path, mp3: Path, migrated_sqlite: Path) -> Iterator[Host]:
    path = tmp_path / "podhost.sqlite3"
    shutil.copy(migrated_sqlite, path)
    database = Database(f"sqlite:///{path}", busy_seconds=BUSY_SECONDS)
    with open_host(tmp_path, mp3, database, folder_at(tmp_path / "storage")) as host:
        yield host


def test_a_frozen_database_holds_up_few_calls_and_no_listener(
    on_postgresql: Host, network: Network, mp3: Path
) -> None:
    host = on_postgresql
    with Lines() as lines, ThreadPoolExecutor(60) as people:
        network.freeze()
        # More than there are threads for all of the API.
        calls = [people.submit(host.rename, f"Frozen {number}") for number in range(50)]
        calls += [people.submit(host.call, "GET", EPISODES) for _ in range(10)]
        host.assert_listeners_notice_nothing()
        assert not any(call.done() for call in calls), "listeners waited for the database"
        host.assert_not_ready("database")
        for call in calls:
            host.assert_refused(call.result(), "database")
        # By now it is known, and nobody waits: not even for the first byte of an upload.
        host.assert_refused(host.upload(mp3.read_bytes(), "frozen"), "database")
        host.assert_listeners_notice_nothing()
        network.thaw()
        host.assert_all_is_well()
    lines.assert_few_and_short()
    assert [line for line in lines.records if "answers again" in line.getMessage()]
    assert "frozen" not in host.guids()


def test_a_database_that_is_gone_or_restarted_is_found_again(
    on_postgresql: Host, network: Network, mp3: Path
) -> None:
    host = on_postgresql
    with Lines() as lines:
        network.break_down()
        host.assert_refused(host.rename("Gone"), "database")
        host.assert_refused(host.upload(mp3.read_bytes(), "gone"), "database")
        host.assert_refused(host.call("GET", EPISODES), "database")
        host.assert_not_ready("database")
        host.assert_listeners_notice_nothing()
        network.mend()
        host.assert_all_is_well()
        # A failover under load: every connection ends, in the middle of whatever it did.
        with ThreadPoolExecutor(8) as people:
            calls = [people.submit(host.rename, f"Failover {n}") for n in range(40)]
            network.cut()
            statuses = {call.result().status_code for call in calls}
        assert statuses <= {200, 503}
        host.assert_all_is_well()
    lines.assert_few_and_short()


def test_a_database_that_can_only_be_read_refuses_changes_alone(
    on_postgresql: Host, rows: str, postgres_server: PostgresServer, mp3: Path
) -> None:
    host = on_postgresql

    def make_read_only(value: str) -> None:
        """For connections that are made from now on."""
        conninfo = f"host={postgres_server.folder} user=postgres dbname=postgres"
        with psycopg.connect(conninfo, autocommit=True) as operator:
            operator.execute(f"ALTER DATABASE {rows} SET default_transaction_read_only = {value}")

    make_read_only("on")
    host.instance.database.engine.dispose()
    with Lines() as lines:
        wait_for(lambda: host.rename("Read-only"), lambda a: "only be read" in a.text)
        before = host.stored()
        host.assert_refused(host.upload(mp3.read_bytes(), "read-only"), "only be read")
        assert "first" in host.guids()
        assert host.stored() == before, "the file of a refused upload was left behind"
        host.assert_listeners_notice_nothing()
        make_read_only("off")
        host.assert_all_is_well()
    lines.assert_few_and_short()


def test_a_server_without_a_free_connection_is_waited_for(
    network: Network,
    postgres_server: PostgresServer,
    migrated_postgres: str,
    tmp_path: Path,
    mp3: Path,
) -> None:
    own = postgres_server.create_database(template=migrated_postgres)
    rows = own.partition("?")[0].rpartition("/")[2]
    conninfo = f"host={postgres_server.folder} user=postgres dbname={rows}"
    role = f"few_{rows}"
    with psycopg.connect(conninfo, autocommit=True) as operator:
        operator.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 12")
        operator.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        operator.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    url = f"postgresql+psycopg://{role}@127.0.0.1:{network.port}/{rows}"
    database = Database(url, busy_seconds=BUSY_SECONDS, connect_seconds=2)
    with open_host(tmp_path, mp3, database, folder_at(tmp_path / "storage")) as host:
        others = []

        def crowd() -> httpx.Response:
            # Connections that are idle in the pool are given back, and others take them all.
            host.instance.database.engine.dispose()
            with suppress(psycopg.OperationalError):
                while True:
                    name = conninfo.replace("user=postgres", f"user={role}")
                    others.append(psycopg.connect(name))
            return host.rename("Crowded")

        answer = wait_for(crowd, lambda a: a.status_code == 503)
        host.assert_refused(answer, "no more connections")
        host.assert_listeners_notice_nothing()
        for other in others:
            other.close()
        host.assert_all_is_well()
    with psycopg.connect(conninfo, autocommit=True) as operator:
        operator.execute(f"DROP OWNED BY {role}")
        operator.execute(f"DROP ROLE {role}")
    postgres_server.drop_database(own)


@pytest.mark.parametrize("fate", ["before", "after", "late"])
def test_an_upload_whose_commit_lost_its_answer_never_loses_its_file(
    on_postgresql: Host, network: Network, mp3: Path, fate: str
) -> None:
    """The connection is cut when COMMIT is sent, when it is answered, or the server gets COMMIT
    only after everybody here has gone on."""
    host = on_postgresql
    before = host.stored()
    uploading: list[int] = []
    committed: list[str] = []

    def meddle(connection: int, direction: str, data: bytes) -> str:
        if direction == UP and b"INSERT INTO episodes" in data:
            uploading.append(connection)
        if connection not in uploading or len(committed) > 1:
            return PASS
        if direction == UP and b"COMMIT" in data:
            committed.append("sent")
            if fate == "after":
                return PASS
            committed.append("cut")
            return CUT if fate == "before" else CUT_AND_PASS_LATER
        if direction == DOWN and committed:
            committed.append("cut")
            return CUT
        return PASS

    network.meddle = meddle
    answer = host.upload(mp3.read_bytes(), f"uncertain {fate}")
    assert committed == ["sent", "cut"]
    host.assert_refused(answer, "look whether it is there")
    network.mend()
    if fate == "late":
        wait_for(host.guids, lambda guids: f"uncertain {fate}" in guids)
    is_there = f"uncertain {fate}" in host.guids()
    assert is_there == (fate != "before")
    # What is there is whole, and what is not there left a file for the sweep at most.
    host.assert_all_is_well()
    assert len(host.stored() - before) == 1


def test_who_is_told_no_by_the_commit_itself_takes_the_file_back(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    migrate(database)
    with pytest.raises(Unavailable) as caught, database.write() as session:
        session.add(Fact(name="a", value="b"))
        session.execute(text("PRAGMA max_page_count = 1"))
        session.add_all(Fact(name=f"n{number}", value="x" * 1000) for number in range(500))
    assert not isinstance(caught.value, Uncertain)
    assert "full" in caught.value.message
    database.close()


def test_a_locked_database_refuses_writes_in_time_and_lets_others_read(
    on_sqlite: Host, tmp_path: Path, mp3: Path
) -> None:
    host = on_sqlite
    other = sqlite3.connect(tmp_path / "podhost.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Lines() as lines, ThreadPoolExecutor(60) as people:
        # More than there are threads for calls of the API, and connections in the pool.
        writes = [people.submit(host.rename, f"Locked {number}") for number in range(50)]
        assert host.guids() == {"first"}
        assert not all(write.done() for write in writes), "who reads waited for who writes"
        host.assert_listeners_notice_nothing()
        for write in writes:
            host.assert_refused(write.result(), "busy")
        host.assert_refused(host.upload(mp3.read_bytes(), "locked"), "busy")
        assert len(host.stored()) == 1
        other.execute("ROLLBACK")
        other.close()
        host.assert_all_is_well()
    lines.assert_few_and_short()


def test_a_database_file_that_went_away_and_comes_back_is_used_again(
    on_sqlite: Host, tmp_path: Path, mp3: Path
) -> None:
    host = on_sqlite
    away = tmp_path / "away"
    away.mkdir()
    with Lines() as lines:
        for path in sorted(tmp_path.glob("podhost.sqlite3*")):
            path.rename(away / path.name)
        host.assert_refused(host.rename("Gone"), "removed or replaced")
        host.assert_refused(host.upload(mp3.read_bytes(), "gone"), "removed or replaced")
        host.assert_not_ready("removed or replaced")
        host.assert_listeners_notice_nothing()
        # The rows last: whoever found them without their log would begin a new one.
        for path in sorted(away.iterdir(), reverse=True):
            path.rename(tmp_path / path.name)
        host.assert_all_is_well()
    lines.assert_few_and_short()
    assert host.guids() == {"first"}


def test_a_postgresql_that_is_stopped_killed_and_started_again_is_survived(
    tmp_path: Path, mp3: Path, long: bool
) -> None:
    """The same as above, with the server itself: SIGSTOP, a crash, a restart."""
    if not long:
        pytest.skip("a PostgreSQL of its own is started by --long; the network stands in for it")
    server = start_postgres()
    database = Database(server.create_database(), busy_seconds=BUSY_SECONDS, connect_seconds=2)
    migrate(database)
    with open_host(tmp_path, mp3, database, folder_at(tmp_path / "storage")) as host:
        stopped = processes_of(server)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        host.assert_refused(host.rename("Stopped"), "database")
        host.assert_listeners_notice_nothing()
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        host.assert_all_is_well()
        server.stop()
        host.assert_refused(host.rename("Killed"), "database")
        host.assert_listeners_notice_nothing()
        server.restart()
        host.assert_all_is_well()
    server.stop()


def processes_of(server: PostgresServer) -> list[int]:
    """The server and its children, each in a process group of its own."""
    assert server._process is not None
    children = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if path.read_text().rpartition(")")[2].split()[1] == str(server._process.pid)
    ]
    return [server._process.pid, *children]


def test_the_bounds_that_the_documentation_names_hold(
    network: Network, rows: str, long: bool
) -> None:
    """With the patience that podhost really has: 12 s, and 5 s more for a new connection."""
    if not long:
        pytest.skip("it waits for half a minute; run by --long")
    database = Database(f"postgresql+psycopg://postgres@127.0.0.1:{network.port}/{rows}")
    database.check()
    network.freeze()
    for most_seconds in (17, 1):
        started_at = time.monotonic()
        with pytest.raises(Unavailable):
            database.check()
        seconds = time.monotonic() - started_at
        print(f"{seconds:.1f} s")
        assert seconds < most_seconds + 3
    network.mend()
    wait_for(lambda: _answers(database))
    database.close()


def _answers(database: Database) -> bool:
    try:
        database.check()
    except Unavailable:
        return False
    return True
