"""What all tables are made of: the base class, times in UTC, indexes with a condition; no table."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    TypeDecorator,
    event,
    text,
)
from sqlalchemy.orm import DeclarativeBase


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on both engines; SQLite has no zone, so it is put on and taken off."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: a naive datetime is a programming mistake."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: always aware, always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The common base; constraint names are fixed so that migrations can name them."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way to declare it
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


Base.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

ONLY_WHERE = "only_where"


@event.listens_for(Base.metadata, "before_create")
def _make_indexes_partial(metadata: MetaData, connection: Connection, **_: object) -> None:
    """Give indexes their condition for the dialect in use; naming both in `Index` would load both,
    PostgreSQL's on a laptop too."""
    for table in metadata.tables.values():
        for index in table.indexes:
            if ONLY_WHERE in index.info:
                options = index.dialect_options[connection.dialect.name]
                options["where"] = text(index.info[ONLY_WHERE])


# Portable: SQLite only counts up by itself on a plain INTEGER primary key.
Counter = BigInteger().with_variant(Integer, "sqlite")
