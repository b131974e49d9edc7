"""What tests share: the real servers, started once for the session that first needs them."""

import os
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import botocore.session
import hypothesis
import pytest
from argon2 import PasswordHasher
from botocore.loaders import create_loader

from podhost.accounts import passwords
from podhost.config import read_settings
from podhost.db import Database, migrate
from podhost.instance import Instance, open_instance
from tests.audio_files import lame
from tests.servers import PostgresServer, S3Server, start_postgres, start_seaweedfs
from tests.statements import share_compiled_statements

# Of one test with --long, where it has none of its own.
LONG_TIMEOUT_SECONDS = 1800


# For what all tests of a run leave lying at once.
_ROOM_BYTES = 8 * 1024**3


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process more than there are cores: many tests wait for servers that they started."""
    return (os.cpu_count() or 1) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    """Storms and fuzzing run for seconds in every run of the suite, and for as long as they need
    when somebody asks."""
    parser.addoption("--long", action="store_true", help="run storms and fuzz targets at length")
    parser.addoption("--seed", type=int, help="repeat a storm with the seed that it printed")


def pytest_configure(config: pytest.Config) -> None:
    """Properties are tried with the same inputs in every run, and with many new ones by --long."""
    # How long an example takes says more of the machine than of the code.
    calm = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
    hypothesis.settings.register_profile(
        "quick", max_examples=100, derandomize=True, database=None, **calm
    )
    hypothesis.settings.register_profile("long", max_examples=2000, print_blob=True, **calm)
    is_long = config.getoption("--long")
    hypothesis.settings.load_profile("long" if is_long else "quick")
    if is_long and config.getoption("timeout") is None:
        config.option.timeout = LONG_TIMEOUT_SECONDS
    # Databases and storage in memory, where there is room: a disk takes its time to acknowledge,
    # and nobody cuts the power here.
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > _ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))
    share_compiled_statements()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says once how to get what the tests in a browser need, where they were skipped."""
    for report in terminalreporter.stats.get("skipped", []):
        if "Chromium" in str(report.longrepr):
            terminalreporter.write_line(str(report.longrepr[2]).removeprefix("Skipped: "))
            return


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Passwords are hashed as ever, with less work: a good hash takes a fifth of a second, and
    most tests only need somebody to be signed in. Programs that tests start take their time."""
    with pytest.MonkeyPatch.context() as patch:
        quick = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
        patch.setattr(passwords, "hasher", lambda: quick)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_clients() -> Iterator[None]:
    """What boto3 knows of S3 is read once for all stores of the session: each reads a megabyte of
    JSON otherwise, which takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(create_loader))
        yield


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether this run may take its time."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What a storm draws its points in time from; printed, so that a failure can be repeated."""
    given = request.config.getoption("--seed")
    value = secrets.randbelow(2**32) if given is None else int(given)
    print(f"seed: repeat with --seed {value}")
    return value


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3 server, shared: make a bucket or prefix of your own, and never stop it."""
    server = start_seaweedfs()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL cluster, shared: make a database of your own, and never stop it."""
    root = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    server = start_postgres(Path(root) if root else None)
    yield server
    server.stop()


class FrozenClock:
    """A clock that moves when a test says so."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 5, 9, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **units: float) -> None:
        """Let time pass: advance(hours=1)."""
        self.time += timedelta(**units)


@pytest.fixture
def clock() -> FrozenClock:
    """The instance's clock."""
    return FrozenClock()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated database file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "podhost.sqlite3"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> str:
    """The name of an empty, migrated database, to be used as a template."""
    url = postgres_server.create_database("migrated")
    database = Database(read_settings({"PODHOST_DATABASE_URL": url}).database_url)
    migrate(database)
    database.close()
    return "migrated"


@pytest.fixture(scope="session")
def s3_bucket(s3_server: S3Server) -> str:
    """A bucket for all tests of the session; each has its own prefix in it."""
    return s3_server.create_bucket("podhost-tests")


@pytest.fixture(params=["sqlite+folder", "postgresql+s3"])
def environment(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Environment variables for a podhost of its own, on either pair of engines."""
    data = tmp_path / "data"
    data.mkdir()
    values = {"PODHOST_DATA": str(data), "PODHOST_BASE_URL": "https://pod.example"}
    if request.param == "sqlite+folder":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), data / "podhost.sqlite3")
        yield values
        return
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    s3: S3Server = request.getfixturevalue("s3_server")
    bucket = request.getfixturevalue("s3_bucket")
    url = postgres.create_database(template=request.getfixturevalue("migrated_postgres"))
    values |= {
        "PODHOST_DATABASE_URL": url,
        "PODHOST_STORAGE": f"s3://{bucket}/{secrets.token_hex(6)}",
        **s3.environment(),
    }
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    yield values
    postgres.drop_database(url)


@pytest.fixture
def instance(environment: dict[str, str], clock: FrozenClock) -> Iterator[Instance]:
    """An empty podhost: once on SQLite and a folder, once on PostgreSQL and a real S3 server."""
    opened = open_instance(read_settings(environment), clock=clock)
    opened.storage.check()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def mp3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of real MP3 without tags."""
    path = tmp_path_factory.mktemp("audio") / "hello.mp3"
    path.write_bytes(lame(10))
    return path
