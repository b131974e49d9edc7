"""Rows as lines of JSON and back: whole, typed and in one look; it knows no archive and no file.

Not kept are jobs, because what is due can be seen from the rows (the sweep enqueues it), uploads,
whose parts are no files yet, archives of shows, which are made again when asked for, the search
index, which the sweep finds to be missing, tries of passwords, half sign-ins, all of the change log
but its newest line, from which the numbers go on, and the names of files that are kept for undoing
a change, because those files are not in a backup.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from podhost.artwork import storage_key
from podhost.backup.archive import damaged, parsed
from podhost.changes import last_change
from podhost.db import Database
from podhost.errors import Conflict
from podhost.models import Base, UtcDateTime

_LEFT_OUT = {
    *("jobs", "uploads", "exports", "login_limits", "login_steps", "history_files"),
    *("search_entries", "search_subjects", "search_states"),
}
# The words of the search index, and what SQLite keeps of them in tables of their own.
_WORDS = "search_words"
# What an empty podhost has that was started once.
_OF_AN_EMPTY_ONE = {"alembic_version", "audit", "changes", "facts", "jobs", "login_limits"}
_AT_ONCE = 500
_LARGEST_INTEGER = 2**63

# The first that fits; the order matters, because some types are also of a later kind.
_KINDS: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (UtcDateTime, "datetime"),
    (sa.Boolean, "boolean"),
    (sa.Integer, "integer"),
    (sa.Float, "float"),
    (sa.LargeBinary, "bytes"),
    (sa.JSON, "json"),
    (sa.String, "text"),
)
_TYPES: dict[str, type[TypeEngine[Any]]] = {kind: type_ for type_, kind in _KINDS}
KINDS = frozenset(_TYPES)
Columns = dict[str, str]


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A stored file that a row names, with what the row says of it."""

    key: str
    content_type: str
    size_bytes: int | None = None
    sha256: str | None = None


def tables() -> dict[str, Columns]:
    """The kind of each column of each table that is kept; who is pointed to comes first."""
    return {
        table.name: {column.name: _kind(column.type) for column in table.columns}
        for table in Base.metadata.sorted_tables
        if table.name not in _LEFT_OUT
    }


def _kind(type_: TypeEngine[Any]) -> str:
    return next(kind for known, kind in _KINDS if isinstance(type_, known))


@contextmanager
def one_look(database: Database) -> Iterator[Session]:
    """A session that sees one state of all tables, whatever is written meanwhile."""
    with database.read() as session:
        # SQLite's transactions are that by themselves.
        if not database.is_sqlite:
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session


def revision_of(session: Session) -> str:
    """The whole name of the migration that the tables are at."""
    return str(session.scalar(sa.text("SELECT version_num FROM alembic_version")))


def read_rows(session: Session, name: str) -> Iterator[dict[str, Any]]:
    """Every row of a table that is kept."""
    table = Base.metadata.tables[name]
    query = sa.select(*table.columns).order_by(*table.primary_key)
    if name == "changes":
        query = query.where(table.columns.seq == last_change(session))
    names = [column.name for column in table.columns]
    found = session.execute(query.execution_options(yield_per=_AT_ONCE))
    for row in found:
        yield dict(zip(names, row, strict=True))


def encode_row(row: dict[str, Any]) -> bytes:
    """One line: times with their zone (RFC 3339), bytes in base64."""
    return msgspec.json.encode(row)


def decode_row(line: bytes, columns: Columns) -> dict[str, Any]:
    """The row that encode_row was given. Raises Invalid where it cannot be that."""
    row = parsed(line)
    if row.keys() != columns.keys():
        raise damaged("a row has other columns than its table")
    return {name: _value(row[name], kind) for name, kind in columns.items()}


def _value(value: Any, kind: str) -> Any:
    try:
        match kind, value:
            case "json", _:
                return value
            case _, None:
                return None
            case "datetime", str():
                moment = datetime.fromisoformat(value)
                if moment.tzinfo is not None:
                    return moment
            case "bytes", str():
                return base64.b64decode(value, validate=True)
            case "text", str():
                return value
            case "boolean", bool():
                return value
            case "integer", int() if type(value) is int and abs(value) < _LARGEST_INTEGER:
                return value
            case "float", float() | int() if type(value) is not bool:
                return float(value)
    except (ValueError, OverflowError, binascii.Error):
        pass
    raise damaged(f"a row has a value that is no {kind}")


def named_files(table: str, row: dict[str, Any]) -> Iterator[NamedFile]:
    """The files that must be stored for this row. What was purged is not among them."""
    if table == "artwork":
        for size_px, size_bytes in row["sizes"]:
            yield NamedFile(storage_key(row["id"], size_px), row["mime_type"], size_bytes)
    if row.get("purged_at") is not None:
        return
    for column, key in row.items():
        if column == "storage_key" and key is not None:
            yield NamedFile(
                key,
                row.get("mime_type") or "application/octet-stream",
                row.get("size_bytes"),
                row.get("sha256"),
            )
        elif column.endswith("_storage_key") and key is not None:
            yield NamedFile(key, "application/octet-stream")


# Putting them back


def require_empty(session: Session) -> None:
    """Raises Conflict when somebody has made anything in this database."""
    inspector = sa.inspect(session.connection())
    for name in sorted(set(inspector.get_table_names()) - _OF_AN_EMPTY_ONE):
        if name.startswith(_WORDS):
            continue
        if session.execute(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)).first():
            raise Conflict(
                f"The database is not empty: there are rows in {name}. A backup is restored into "
                "an empty one only; nothing was changed."
            )


def check_tables(session: Session, kept: dict[str, Columns]) -> None:
    """Raises Invalid unless the database has these tables with these columns."""
    inspector = sa.inspect(session.connection())
    there = set(inspector.get_table_names()) - {"alembic_version"}
    for name, columns in kept.items():
        if name not in there:
            raise damaged(f"it has a table {name[:80]!a}")
        known = {column["name"] for column in inspector.get_columns(name)}
        if not columns.keys() <= known:
            raise damaged(f"its table {name} has columns that are not known")


def clear_what_an_empty_one_has(session: Session) -> None:
    """Forget the facts, jobs and changes of a podhost that was started once."""
    # An older backup has its rows put into older tables.
    there = set(sa.inspect(session.connection()).get_table_names())
    for name in sorted(_OF_AN_EMPTY_ONE & there - {"alembic_version"}):
        session.execute(sa.delete(sa.table(name)))


def insert_rows(
    session: Session, name: str, columns: Columns, rows: Iterable[dict[str, Any]]
) -> None:
    """Insert rows of one table. Raises Invalid when the database finds that they do not fit."""
    # Made from what the archive says: its tables may be older than the models.
    table = sa.table(name, *(sa.column(each, _TYPES[kind]()) for each, kind in columns.items()))
    json = [each for each, kind in columns.items() if kind == "json"]
    if json:
        optional = _optional_columns(session, name)
        for each in json:
            # Where a column may be empty, None is that and not the JSON word null.
            table.columns[each].type = sa.JSON(none_as_null=each in optional)
    batch = list(rows)
    if not batch:
        return
    try:
        session.connection().execute(sa.insert(table), batch)
    except (IntegrityError, DataError, UnicodeError) as error:
        raise damaged(f"the rows of {name} contradict the tables or each other") from error


def _optional_columns(session: Session, name: str) -> set[str]:
    found = sa.inspect(session.connection()).get_columns(name)
    return {column["name"] for column in found if column["nullable"]}


def go_on_counting(session: Session, names: Iterable[str]) -> None:
    """Have PostgreSQL give out ids after those that were inserted; SQLite does so by itself."""
    if session.get_bind().dialect.name == "sqlite":
        return
    inspector = sa.inspect(session.connection())
    for name in names:
        key = inspector.get_pk_constraint(name)["constrained_columns"]
        if len(key) != 1:
            continue
        sequence = session.scalar(
            sa.text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": name, "column": key[0]},
        )
        if sequence is not None:
            newest = session.scalar(
                sa.select(sa.func.max(sa.column(key[0]))).select_from(sa.table(name))
            )
            session.execute(sa.select(sa.func.setval(sequence, newest or 1)))
