"""One running podhost: settings, database, storage and clock; the only wiring."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from podhost.config import Settings
from podhost.db import Database
from podhost.errors import Invalid
from podhost.models import Fact
from podhost.storage import Storage, open_storage

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
    instance.base_url = settings.base_url or f"http://127.0.0.1:{settings.port or 8000}"
    return instance


def adopt_base_url(instance: Instance, *, serving: bool) -> None:
    """Settle the base URL where the operator has not set one.

    The process that serves knows its port and leaves the address in the database; a worker or a
    command beside it takes it from there, so that all of them print the same links.
    """
    if instance.settings.has_own_base_url:
        return
    if serving:
        with instance.database.write() as session:
            session.merge(Fact(name=_BASE_URL, value=instance.base_url))
        return
    with instance.database.read() as session:
        fact = session.get(Fact, _BASE_URL)
    if fact is not None:
        instance.base_url = fact.value
