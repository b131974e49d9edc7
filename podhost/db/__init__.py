"""The database: engine, sessions, SQLite's pragmas, migrate(); it knows no table by name.

Two kinds of session: `read()` for looking, `write()` for changing. On SQLite a write session
begins with BEGIN IMMEDIATE: with a deferred BEGIN, two writers that have both read cannot both
go on, and increments are lost.
"""

import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from podhost.errors import Conflict, Invalid, Unavailable, Uncertain
from podhost.silence import Silence

logger = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent.parent / "migrations"
# How long who wants to write waits for others who write, and for a connection of the pool.
BUSY_SECONDS = 10
# How much longer than that PostgreSQL may say nothing in the middle of a statement: it is to
# answer "locked" before it is taken for dead.
_SILENT_SECONDS = 2
CONNECT_SECONDS = 5
# The server ends by itself what nobody waits for any more, so that its locks go.
_STATEMENT_SECONDS = 60
# Longer than any feed takes to render, which happens within a transaction that reads.
_IDLE_SECONDS = 300
# Any number will do, as long as every podhost uses the same: "podhost" on a telephone's keys.
_MIGRATION_LOCK = 7634678
# How long a start waits on SQLite, where nobody can tell who migrates from who forgot to commit.
_MIGRATING_SECONDS = 600


def new_id() -> str:
    """A new random id: 16 hexadecimal digits, safe in URLs, not to be guessed."""
    return secrets.token_hex(8)


class WriteSession(Session):
    """A session that writes. Whoever has to know what is written, whatever the database, listens
    to the events of this class: those of one database's sessions would keep it for ever."""


class Database:
    """One engine and its two kinds of session. Every failure of the engine is Unavailable."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        busy_seconds: float = BUSY_SECONDS,
        connect_seconds: int = CONNECT_SECONDS,
    ) -> None:
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._silence = Silence("the database")
        self.engine = (
            _sqlite(self.url, pool_size, busy_seconds)
            if self.is_sqlite
            else _postgresql(self.url, pool_size, busy_seconds, connect_seconds, self._silence)
        )
        self._turn: AbstractContextManager[None] = (
            _Turn(busy_seconds) if self.is_sqlite else nullcontext()
        )
        self.write_sessions = sessionmaker(
            self.engine.execution_options(podhost_write=True),
            class_=WriteSession,
            expire_on_commit=False,
        )
        # The file that the first connection opened; None: there is no file, or none yet.
        self._file: tuple[int, int] | None = None
        if self.is_sqlite and self.url.database not in (None, "", ":memory:"):
            event.listen(self.engine, "connect", self._note_file)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only looks. What it read stays usable after it is closed."""
        self._require_usable()
        with _failures_as_unavailable(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits when the block ends well and rolls back when it raises.

        Raises Uncertain when nobody can say whether the commit happened.
        """
        self._require_usable()
        with (
            self._turn,
            self._letting_go_of_what_only_reads(),
            _failures_as_unavailable(),
            self.write_sessions() as session,
        ):
            yield session
            session.flush()
            with _lost_answers_as_uncertain():
                session.commit()

    @contextmanager
    def _letting_go_of_what_only_reads(self) -> Iterator[None]:
        """A connection stays as it was opened, to a file without rights or to a server that a
        failover left behind; the next one finds what there is by then."""
        try:
            yield
        except Unavailable as error:
            if error.message == _READ_ONLY:
                self.engine.dispose()
            raise

    def _note_file(self, *_: object) -> None:
        if self._file is None:
            self._file = _identity(Path(str(self.url.database)))

    def _require_usable(self) -> None:
        if not self._silence.may_ask():
            raise Unavailable(_NO_ANSWER)
        # SQLite writes on to a file that was moved away, and what was acknowledged is lost.
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


class _Turn:
    """One writer of this process at a time asks SQLite's file for its lock.

    The others wait here, in turn and without a connection, so that readers find one.
    """

    def __init__(self, busy_seconds: float) -> None:
        self._lock = threading.Lock()
        self._busy_seconds = busy_seconds

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=self._busy_seconds):
            raise Unavailable(_BUSY)

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _sqlite(url: URL, pool_size: int, busy_seconds: float) -> Engine:
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"The database's folder {path.parent} cannot be made: {error.strerror}."
            ) from error
    # Parameters are hidden, because errors end in the log: they hold addresses and hashes.
    pooled = {"pool_size": pool_size, "max_overflow": pool_size, "pool_timeout": busy_seconds}
    engine = create_engine(
        url,
        connect_args={"timeout": busy_seconds},
        hide_parameters=True,
        # One in memory has a single connection and no pool.
        **(pooled if url.database and url.database != ":memory:" else {}),
    )

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


def _postgresql(
    url: URL, pool_size: int, busy_seconds: float, connect_seconds: int, silence: Silence
) -> Engine:
    # Loaded here, because SQLite needs no driver for PostgreSQL.
    from podhost.db import postgresql

    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=busy_seconds,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": connect_seconds,
            # A server that vanished without a word is noticed within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, arguments: Any, parameters: Any) -> Any:
        patience_seconds = busy_seconds + _SILENT_SECONDS
        return postgresql.connect(
            tuple(arguments), parameters, patience_seconds=patience_seconds, silence=silence
        )

    @event.listens_for(engine, "connect")
    def _limits(connection: Any, _record: object) -> None:
        try:
            # Outside of a transaction, or the first rollback would take them back.
            connection.autocommit = True
            connection.execute(f"SET lock_timeout = {round(busy_seconds * 1000)}")
            connection.execute(f"SET statement_timeout = {_STATEMENT_SECONDS * 1000}")
            # A machine that lost its power in a transaction must not hold its locks for hours.
            connection.execute(f"SET idle_in_transaction_session_timeout = {_IDLE_SECONDS * 1000}")
            connection.autocommit = False
        except BaseException:
            # It never comes as far as the pool, which would close it.
            connection.close()
            raise

    return engine


_BUSY = "The database is busy; try again in a moment."
_NO_ANSWER = "The database does not answer; try again in a moment."
_READ_ONLY = "The database can only be read; nothing was changed."
_NO_TABLES = (
    "The database has lost its tables; was its file removed? Put it back and restart podhost."
)
# What the drivers say, and what to tell whoever is woken by it.
_REASONS = {
    ("locked", "lock timeout", "deadlock"): _BUSY,
    ("full", "no space left"): "The database's disk is full; nothing was changed.",
    ("readonly", "read-only"): _READ_ONLY,
    ("unable to open",): (
        "The database file cannot be opened; look at the data folder's permissions."
    ),
    ("no such table",): _NO_TABLES,
    ("authentication failed", "no password supplied", "permission denied"): (
        "The database refuses the user or the password."
    ),
    ("does not exist",): "The database server knows no such database or user.",
    ("too many", "connection slots"): "The database server takes no more connections.",
    (
        "disk i/o error",
        "file too large",
    ): "The database's disk fails; look at it, and at its space.",
    ("refused", "no such file"): "Nothing answers at the database's address; is it running?",
}
# What PostgreSQL takes for a mistake of whoever wrote the statement.
_NOT_OUR_SQL = {
    "42501": "The database refuses what podhost has to do; give its user the rights to its tables.",
    "42P01": "The database has lost its tables; restore a backup.",
}


@contextmanager
def _failures_as_unavailable() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise Unavailable(_BUSY) from error
    except (OperationalError, InterfaceError, InternalError) as error:
        raise Unavailable(_sentence(error)) from error
    except IntegrityError as error:
        raise Conflict("Something else was stored there at the same moment; try again.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("The database went away; try again in a moment.") from error
        if (state := getattr(error.orig, "sqlstate", None)) in _NOT_OUR_SQL:
            raise Unavailable(_NOT_OUR_SQL[state]) from error
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
    return _NO_ANSWER


@contextmanager
def _lost_answers_as_uncertain() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if _is_refusal(error):
            raise
        raise Uncertain(
            "The database went away while the change was being stored; look whether it is there "
            "before you try again."
        ) from error


def _is_refusal(error: DBAPIError) -> bool:
    """Whether the database itself said that it did not commit."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        # After a failed flush, a crash may still bring back what the file holds by then.
        return bool(code & 0xFF != sqlite3.SQLITE_IOERR)
    state = getattr(error.orig, "sqlstate", None)
    # 08: the connection broke. 57: ended from outside, perhaps while it waited for a standby.
    return state is not None and state[:2] not in ("08", "57")


# Migrations


def head_revision() -> str:
    """The newest revision that this program knows; files are named NNNN_what.py."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def current_revision(database: Database) -> str | None:
    """The revision that the database is at; None: it is empty."""
    revision = _full_revision(database)
    return revision[:4] if revision is not None else None


def require_usable_schema(database: Database) -> None:
    """Raises Conflict, with what to do, when this program cannot work with the tables.

    It can where they are newer and their migration says so: in the name of a revision such as
    "0007_since_0005", the second number is the oldest podhost that goes on working with it.
    """
    revision = _full_revision(database)
    if revision is None or revision[:4] < head_revision():
        raise Conflict(
            f"The database is at revision {revision or 'none'} and this podhost needs "
            f"{head_revision()}: make a backup, then run `podhost migrate`."
        )
    if revision[-4:] > head_revision():
        raise Conflict(
            f"The database is at revision {revision[:4]}, which a newer podhost made; this one "
            f"knows {head_revision()}. Install the newer podhost, or restore a backup."
        )


def _full_revision(database: Database) -> str | None:
    with database.read() as session:
        if not inspect(session.connection()).has_table("alembic_version"):
            return None
        revision: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def migrate(database: Database, *, to: str = "head") -> bool:
    """Bring the schema to what this program needs; True when something was done.

    Several processes may call it at once: one does the work, the others wait for it, on SQLite
    for ten minutes. Raises Conflict when the database was made by a newer podhost that leaves
    this one no room, and Unavailable when it cannot be written.

    `to` is for rows of an older time, which go into an empty database at their own revision
    before all of it is migrated; knows_revision() has to know it.
    """
    make_private(database)
    current = current_revision(database)
    if current is not None and current >= head_revision():
        require_usable_schema(database)
        return False
    # Loaded here, because it takes longer to import than most starts need.
    from alembic import command

    config = _alembic()
    until = time.monotonic() + _MIGRATING_SECONDS
    while True:
        try:
            with database.write() as session, _patiently(database, session):
                config.attributes["connection"] = session.connection()
                command.upgrade(config, to)
            return True
        except Unavailable as error:
            is_held = database.is_sqlite and error.message == _BUSY
            if not is_held or time.monotonic() > until:
                raise
            logger.warning("waiting for another process to write, perhaps to migrate the database")


def knows_revision(revision: str) -> bool:
    """Whether migrate() can make the tables as they were at this revision."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_alembic()).walk_revisions()
    return revision in {script.revision for script in scripts}


def _alembic() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def make_private(database: Database) -> None:
    """Make SQLite's file, which SQLite itself would make for everybody to read.

    Hashes of passwords and tokens are nobody else's on this machine. What lies beside the file,
    -wal and -shm, is made with its mode; a file that exists stays as the operator wants it.
    """
    path = database.url.database
    if database.is_sqlite and path not in (None, "", ":memory:"):
        # What forbids it will forbid SQLite too, which says so in its own words.
        with suppress(OSError):
            Path(path).touch(mode=0o600, exist_ok=False)


@contextmanager
def _patiently(database: Database, session: Session) -> Iterator[None]:
    """Wait for another process that migrates, and migrate, however long that takes."""
    if database.is_sqlite:
        yield
        return
    # psycopg's own connection, which takes a silent server for dead after some seconds.
    driver: Any = session.connection().connection.dbapi_connection
    patience_seconds, driver.patience_seconds = driver.patience_seconds, None
    try:
        lock_timeout = session.scalar(text("SHOW lock_timeout"))
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text("SET LOCAL lock_timeout = 0"))
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        # But not for a table in use: whoever waits for one makes everybody else wait behind it.
        limit = text("SELECT set_config('lock_timeout', :value, true)")
        session.execute(limit, {"value": lock_timeout})
        yield
    finally:
        driver.patience_seconds = patience_seconds
