"""The database: engine, sessions, SQLite's pragmas, migrate(); it knows no table by name.

Two kinds of session: `read()` for looking, `write()` for changing. On SQLite a write session
begins with BEGIN IMMEDIATE: with a deferred BEGIN, two writers that have both read cannot both
go on, and increments are lost.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from podhost.errors import Conflict, Invalid, Unavailable

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 10
# Longer than any feed takes to render, which happens within a transaction that reads.
_IDLE_SECONDS = 300
# Any number will do, as long as every podhost uses the same: "podhost" on a telephone's keys.
_MIGRATION_LOCK = 7634678


def new_id() -> str:
    """A new random id: 16 hexadecimal digits, safe in URLs, not to be guessed."""
    return secrets.token_hex(8)


class Database:
    """One engine and its two kinds of session. Every failure of the engine is Unavailable."""

    def __init__(
        self, url: str, *, pool_size: int = 10, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = (
            _sqlite(self.url, busy_seconds)
            if self.is_sqlite
            else _postgresql(self.url, pool_size, busy_seconds)
        )
        self._writer = self.engine.execution_options(podhost_write=True)
        # The file that the first connection opened; None: there is no file, or none yet.
        self._file: tuple[int, int] | None = None
        if self.is_sqlite and self.url.database not in (None, "", ":memory:"):
            event.listen(self.engine, "connect", self._note_file)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only looks. What it read stays usable after it is closed."""
        self._require_same_file()
        with _failures_as_unavailable(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits when the block ends well and rolls back when it raises."""
        self._require_same_file()
        with (
            _failures_as_unavailable(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def _note_file(self, *_: object) -> None:
        if self._file is None:
            self._file = _identity(Path(str(self.url.database)))

    def _require_same_file(self) -> None:
        """SQLite writes on to a file that was moved away, and what was acknowledged is lost."""
        if self._file is None:
            return
        if _identity(Path(str(self.url.database))) != self._file:
            raise Unavailable(
                "The database file was removed or replaced while podhost runs; put the right one "
                "in its place and restart podhost."
            )

    def close(self) -> None:
        """Give every connection back; on SQLite this also folds the write-ahead log in."""
        self.engine.dispose()

    def check(self) -> None:
        """Raises Unavailable when the database does not answer."""
        with self.read() as session:
            session.execute(text("SELECT 1"))


def parse_url(url: str) -> URL:
    """The parts of a database's address. Raises Invalid, without the words of the address."""
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # Without their words, which may quote the password.
        raise Invalid(
            "PODHOST_DATABASE_URL cannot be its value: it must look like "
            "postgresql://USER:PASSWORD@HOST/NAME or sqlite:///FILE."
        ) from None


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file this is, whatever its name; None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _sqlite(url: URL, busy_seconds: float) -> Engine:
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"The database's folder {path.parent} cannot be made: {error.strerror}."
            ) from error
    # Parameters are hidden, because errors end in the log: they hold addresses and hashes.
    engine = create_engine(url, connect_args={"timeout": busy_seconds}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: object) -> None:
        # None: the driver begins nothing by itself, so that _begin below decides how.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: a commit that was acknowledged survives the power cut, which NORMAL does not
        # promise in WAL mode.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={round(busy_seconds * 1000)}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_write = connection.get_execution_options().get("podhost_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

    return engine


def _postgresql(url: URL, pool_size: int, busy_seconds: float) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=busy_seconds,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            # A server that vanished without a word is noticed within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    )

    @event.listens_for(engine, "connect")
    def _limits(connection: Any, _record: object) -> None:
        # Outside of a transaction, or the first rollback would take them back.
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = {round(busy_seconds * 1000)}")
        # A machine that lost its power in a transaction must not hold its locks for hours.
        connection.execute(f"SET idle_in_transaction_session_timeout = {_IDLE_SECONDS * 1000}")
        connection.autocommit = False

    return engine


# What the drivers say, and what to tell whoever is woken by it.
_REASONS = {
    ("locked", "lock timeout", "deadlock"): "The database is busy; try again in a moment.",
    ("full", "no space left"): "The database's disk is full; nothing was changed.",
    ("readonly", "read-only"): "The database can only be read; nothing was changed.",
    ("unable to open",): (
        "The database file cannot be opened; look at the data folder's permissions."
    ),
    ("no such table",): (
        "The database has lost its tables; was its file removed? Put it back and restart podhost."
    ),
    ("authentication failed", "no password supplied", "permission denied"): (
        "The database refuses the user or the password."
    ),
    ("does not exist",): "The database server knows no such database or user.",
    ("too many clients", "connection slots"): "The database server takes no more connections.",
    ("refused", "no such file"): "Nothing answers at the database's address; is it running?",
}


@contextmanager
def _failures_as_unavailable() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise Unavailable("The database is busy; try again in a moment.") from error
    except (OperationalError, InterfaceError) as error:
        raise Unavailable(_sentence(error)) from error
    except IntegrityError as error:
        raise Conflict("Something else was stored there at the same moment; try again.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("The database went away; try again in a moment.") from error
        if "not a database" in str(error.orig) or "malformed" in str(error.orig):
            raise Unavailable(
                "The database file is no SQLite database, or is damaged; put the right one in "
                "its place."
            ) from error
        raise


def _sentence(error: DBAPIError) -> str:
    # The driver's own words may name hosts and users; an operator finds them in the log.
    reason = str(error.orig).lower()
    for words, sentence in _REASONS.items():
        if any(word in reason for word in words):
            return sentence
    return "The database does not answer; try again in a moment."


# Migrations


def head_revision() -> str:
    """The newest revision that this program knows; files are named NNNN_what.py."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def current_revision(database: Database) -> str | None:
    """The revision that the database is at; None: it is empty."""
    with database.read() as session:
        if not inspect(session.connection()).has_table("alembic_version"):
            return None
        revision: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def migrate(database: Database) -> bool:
    """Bring the schema to what this program needs; True when something was done.

    Several processes may call it at once: one does the work, the others wait for it. Raises
    Conflict when the database was made by a newer podhost.
    """
    current = current_revision(database)
    if current == head_revision():
        return False
    if current is not None and current > head_revision():
        raise Conflict(
            f"The database is at revision {current}, which a newer podhost made; this one knows "
            f"{head_revision()}. Install the newer podhost, or restore a backup."
        )
    # Loaded here, because it takes longer to import than most starts need.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with database.write() as session:
        if not database.is_sqlite:
            # However long the migration takes that another process is doing.
            session.execute(text("SET LOCAL lock_timeout = 0"))
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = session.connection()
        command.upgrade(config, "head")
    return True
