"""One running podhost: settings, database, storage and clock; the only wiring."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import Table, insert, select, update

from podhost.config import Settings
from podhost.db import Database
from podhost.errors import Conflict, Invalid
from podhost.feeds.memory import PartsMemory
from podhost.history.recording import record_history
from podhost.models import Fact
from podhost.storage import Storage, open_storage

_FACTS = cast(Table, Fact.__table__)
_BASE_URL = "base_url"


def utc_now() -> datetime:
    """The clock of a real instance; tests bring their own."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Instance:
    """Everything that a handler, a job or a command needs, made once and handed on."""

    settings: Settings
    database: Database
    storage: Storage
    clock: Callable[[], datetime] = utc_now
    base_url: str = ""
    feed_parts: PartsMemory = field(init=False)

    def __post_init__(self) -> None:
        self.feed_parts = PartsMemory(self.settings.memory_cache_mb * 1024 * 1024)

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        return self.clock()

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()


def open_instance(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> Instance:
    """Connect the parts. Raises Unavailable or Invalid with a sentence; migrates nothing."""
    try:
        storage = open_storage(settings.storage)
    except Invalid as error:
        raise Invalid(f"PODHOST_STORAGE cannot be {settings.storage!r}: {error.message}") from error
    instance = Instance(settings, Database(settings.database_url), storage, clock)
    record_history(instance.database, instance.now)
    instance.base_url = settings.base_url or f"http://127.0.0.1:{settings.port or 8000}"
    return instance


def adopt_base_url(instance: Instance, *, serving: bool) -> None:
    """Settle the base URL where the operator has not set one.

    The process that serves knows its port and leaves the address in the database; a worker or a
    command beside it takes it from there, so that all of them print the same links. Of two
    servers that leave the first address at the same moment, one wins and the other takes it over.
    """
    if instance.settings.has_own_base_url:
        return
    known = _known_base_url(instance)
    if serving and known != instance.base_url:
        try:
            _leave_base_url(instance)
        except Conflict:
            known = _known_base_url(instance)
        else:
            return
    instance.base_url = known or instance.base_url


# Both speak of the table and not of its class: before the first request is answered, what
# SQLAlchemy prepares for its classes takes longer than the statements.


def _known_base_url(instance: Instance) -> str | None:
    with instance.database.read() as session:
        return session.scalar(select(_FACTS.c.value).where(_FACTS.c.name == _BASE_URL))


def _leave_base_url(instance: Instance) -> None:
    """Raises Conflict when another server leaves the first one at the same moment."""
    with instance.database.write() as session:
        changed = update(_FACTS).where(_FACTS.c.name == _BASE_URL).values(value=instance.base_url)
        # rowcount is of cursors only, and this statement always has one.
        if not session.connection().execute(changed).rowcount:
            session.execute(insert(_FACTS).values(name=_BASE_URL, value=instance.base_url))
