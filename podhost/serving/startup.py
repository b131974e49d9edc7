"""Starting to serve: the listener and the checks, each of which fails with one sentence.

It serves nothing and leaves nothing behind when it fails.
"""

import contextlib
import errno
import ipaddress
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from podhost.config import Settings
from podhost.db import current_revision, make_private, migrate, require_usable_schema
from podhost.errors import Invalid, PodhostError, Unavailable
from podhost.instance import Instance, adopt_base_url, open_instance

BACKLOG = 2048
# Twice the longest audio that is answered at once.
UNSENT_BYTES = 128 * 1024


def open_listener(settings: Settings) -> tuple[Settings, socket.socket]:
    """Take the port before anything else starts; the settings come back with the real port.

    Connections wait in the listener's queue until podhost is ready. Raises Unavailable or
    Invalid with a sentence.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host or None,
            settings.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )[0]
    except (OSError, UnicodeError):  # the latter for what no name in DNS can be
        raise Invalid(
            f"--host (PODHOST_HOST) cannot be {settings.host!r}: no address is known for it."
        ) from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Listening now and not when ready: only listen() finds out that another process, which
        # is just starting too, has the port.
        listener.listen(BACKLOG)
        listener.setblocking(False)
        limit_unsent(listener)
    except OSError as error:
        listener.close()
        raise _cannot_listen(settings, error) from None
    return replace(settings, port=listener.getsockname()[1]), listener


def limit_unsent(listener: socket.socket) -> None:
    """Have the system take from us no more than the network is about to carry, per connection.

    Otherwise it takes megabytes for each listener at once, however slow: hundreds who begin at
    the same time would make everybody wait while all that is copied, and a record would call
    sent what never leaves this machine. Unlike a small SO_SNDBUF, this slows no distant listener.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)


def _cannot_listen(settings: Settings, error: OSError) -> PodhostError:
    host, port = settings.host, settings.port
    if error.errno == errno.EADDRINUSE:
        return Unavailable(
            f"Port {port} is in use on {host}; choose another with --port or PODHOST_PORT."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return Unavailable(
            f"Port {port} on {host} is not open to this account; choose one from 1024 up with "
            "--port or PODHOST_PORT."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return Unavailable(
            f"This machine has no address {host}; choose another with --host or PODHOST_HOST."
        )
    return Unavailable(f"podhost cannot listen on {host}, port {port}: {error.strerror}.")


def local_url(settings: Settings) -> str:
    """The address at which podhost answers on this machine, whatever its public one is."""
    host = settings.host
    try:
        address = ipaddress.ip_address(host or "0.0.0.0")  # noqa: S104 - read, not listened on
    except ValueError:
        return f"http://{host}:{settings.port}"
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def prepare(settings: Settings, *, serving: bool = True) -> Instance:
    """Open the instance and make sure that it can work: folder, database, schema, storage.

    SQLite and an empty PostgreSQL are migrated. `serving` False is for those that work beside
    a server and print its address, whatever port they have in their settings. Raises
    Unavailable or Conflict with a sentence.
    """
    check_data_folder(settings.data)
    instance = open_instance(settings)
    try:
        with _naming("PODHOST_DATABASE_URL"):
            # Before the first look, which would make it for everybody to read.
            make_private(instance.database)
            instance.database.check()
        prepare_schema(instance)
        with _naming("PODHOST_STORAGE"):
            instance.storage.check()
        adopt_base_url(instance, serving=serving)
    except BaseException:
        instance.close()
        raise
    return instance


@contextlib.contextmanager
def _naming(setting: str) -> Iterator[None]:
    """Add to a sentence which setting says where the part is that does not answer."""
    try:
        yield
    except Unavailable as error:
        raise Unavailable(f"{error.message} Its address is the setting {setting}.") from error


def check_data_folder(folder: Path) -> None:
    """Make the data folder if need be. Raises Unavailable when it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"podhost")
            probe.flush()
    except OSError as error:
        raise Unavailable(
            f"The data folder {folder} cannot be written to: {error.strerror}. Set --data or "
            "PODHOST_DATA to a folder that podhost may write to."
        ) from error


def prepare_schema(instance: Instance) -> None:
    """Migrate where nobody else can be using the old schema; elsewhere say what to do.

    A PostgreSQL database with tables may be in use by servers of an older podhost, which only
    the operator knows. Raises Conflict with a sentence.
    """
    database = instance.database
    if database.is_sqlite or current_revision(database) is None:
        migrate(database)
    require_usable_schema(database)


def print_entry_link(settings: Settings) -> None:
    """Where nobody has an account yet, print the link with which the first is made.

    To those who started podhost it is worth a line, and a reason to fail it is not.
    """
    from podhost.accounts.entry_links import is_first_run, make_entry_link

    with contextlib.suppress(PodhostError), contextlib.closing(open_instance(settings)) as instance:
        adopt_base_url(instance, serving=False)
        with instance.database.read() as session:
            if not is_first_run(session):
                return
        with instance.database.write() as session:
            link = make_entry_link(session, instance.base_url)
        print(f"Make your account, and your first show: {link}", flush=True)
