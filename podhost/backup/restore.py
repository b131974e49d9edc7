"""`podhost restore`: a backup becomes a podhost again, all of it or nothing that is seen.

It makes nothing before the whole archive is verified, stores files before rows, and inserts rows
in one transaction; so a run that was cut short is simply started again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podhost import sweep
from podhost.backup import AUDIO, BackupReport, may_be_kept
from podhost.backup import rows as backup_rows
from podhost.backup.archive import STORAGE, ArchiveReader, Member, damaged, parsed
from podhost.backup.rows import Columns
from podhost.db import (
    Database,
    current_revision,
    head_revision,
    knows_revision,
    make_private,
    migrate,
)
from podhost.errors import Conflict, Invalid, NotFound, Unavailable
from podhost.instance import Instance
from podhost.storage import Storage, disk_errors
from podhost.storage.contract import is_key

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class _Contents:
    """What is in a verified archive."""

    revision: str
    tables: dict[str, Columns]
    rows: dict[str, list[Member]]
    files: dict[str, Member]
    counts: dict[str, int]
    # Key -> size and SHA-256 of audio that must be in the storage already.
    audio: dict[str, tuple[int, str]] = field(default_factory=dict)
    # Keys that were lost before the backup was made.
    lost: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    # By which name a storage knows these rows.
    database_id: str | None = None


def restore(instance: Instance, path: Path, *, progress: Progress) -> BackupReport:
    """Put the rows and files of a backup into an empty database and a storage without them.

    Files that are stored already with equal bytes stay. The tables are made, and migrated where
    the backup is older. Raises Conflict when something is there already, Invalid when the file is
    not a whole backup, each with a sentence; then no row was written.
    """
    with _opened(path) as archive:
        said = archive.first()
        _require_usable(instance.database, said)
        instance.storage.check()
        total_bytes = 2 * archive.size_bytes
        done = 0
        for step in archive.verify():
            done += step
            progress(done, total_bytes)
        contents = _contents(archive, said)
        _check_rows(archive, contents)
        _require_own(instance, contents)
        wanted = _missing_files(instance.storage, contents)
        for member in wanted:
            for step in _store(instance.storage, archive, member):
                done += step
                progress(done, total_bytes)
        progress(total_bytes, total_bytes)
        if current_revision(instance.database) is None:
            migrate(instance.database, to=contents.revision)
        _insert(instance, archive, contents)
        migrate(instance.database)
        return BackupReport(
            archive.size_bytes, len(contents.files), contents.counts, contents.problems
        )


@contextmanager
def _opened(path: Path) -> Iterator[ArchiveReader]:
    if not path.is_file():
        raise Invalid(f"There is no file {path}.")
    with disk_errors(path.parent), path.open("rb") as file:
        yield ArchiveReader(file)


def _require_usable(database: Database, said: dict[str, Any]) -> None:
    """Raises Conflict or Invalid when this archive cannot go into this database."""
    revision = said.get("revision")
    if not isinstance(revision, str) or not revision[:4].isdigit():
        raise damaged("it does not say the revision of its tables")
    if revision[:4] > head_revision():
        raise Invalid(
            f"The backup has tables of revision {revision[:4]}, which a newer podhost made; this "
            f"one knows {head_revision()}. Install the newer podhost."
        )
    if not knows_revision(revision):
        raise Invalid(
            f"The backup has tables of revision {revision[:80]!a}, which this podhost does not "
            "know; use the one that made it."
        )
    # Before the first look, which would make it for everybody to read.
    make_private(database)
    current = current_revision(database)
    if current is None:
        return
    with database.read() as session:
        backup_rows.require_empty(session)
    if current != revision[:4]:
        raise Conflict(
            f"The backup has tables of revision {revision[:4]}, and the database is at {current}. "
            "Restore it into a database without tables (for SQLite: move the file away), and they "
            "will be made and brought up to date."
        )


def _contents(archive: ArchiveReader, said: dict[str, Any]) -> _Contents:
    tables, closing = said.get("tables"), archive.closing
    if not isinstance(tables, dict) or not all(map(_is_table, tables.items())):
        raise damaged("it does not say what its tables are")
    counts, lost, problems = (closing.get(name) for name in ("counts", "lost", "problems"))
    if not isinstance(counts, dict) or counts.keys() != tables.keys():
        raise damaged("it does not say how many rows it has")
    for sentences in (lost, problems):
        if not isinstance(sentences, list) or not all(isinstance(each, str) for each in sentences):
            raise damaged("its manifest has no end")
    assert lost is not None and problems is not None
    contents = _Contents(said["revision"], tables, {name: [] for name in tables}, {}, counts)
    contents.lost, contents.problems = set(lost), problems
    for member in archive.members[1:]:
        _sort_in(archive, contents, member, f"rows/{closing.get('rows')}")
    return contents


def _is_table(entry: tuple[str, Any]) -> bool:
    _, columns = entry
    kinds = backup_rows.KINDS
    return isinstance(columns, dict) and all(
        isinstance(kind, str) and kind in kinds for kind in columns.values()
    )


def _sort_in(archive: ArchiveReader, contents: _Contents, member: Member, rows: str) -> None:
    if member.name.startswith(STORAGE):
        if not may_be_kept(member.key):
            raise damaged(f"it has a file {member.name}")
        contents.files[member.key] = member
    elif member.name.startswith(AUDIO):
        for line in archive.read(member).splitlines():
            said = parsed(line)
            key, size_bytes, sha256 = (said.get(name) for name in ("key", "size_bytes", "sha256"))
            is_fine = isinstance(key, str) and is_key(key) and key.startswith(AUDIO)
            if not is_fine or type(size_bytes) is not int or not isinstance(sha256, str):
                raise damaged("its list of audio is not one")
            contents.audio[str(key)] = (size_bytes, sha256)
    elif member.name.startswith(rows + "/"):
        table = member.name.split("/")[2]
        if table not in contents.rows:
            raise damaged(f"it has rows of {table[:80]!a}")
        contents.rows[table].append(member)


def _rows(archive: ArchiveReader, contents: _Contents, name: str) -> Iterator[list[dict[str, Any]]]:
    for member in contents.rows[name]:
        lines = archive.read(member).splitlines()
        yield [backup_rows.decode_row(line, contents.tables[name]) for line in lines]


def _check_rows(archive: ArchiveReader, contents: _Contents) -> None:
    """Raises Invalid unless all rows are there and every file that they name is in the archive."""
    there = contents.files.keys() | contents.audio.keys() | contents.lost
    for name in contents.tables:
        count = 0
        for rows in _rows(archive, contents, name):
            count += len(rows)
            if name == "facts":
                contents.database_id = sweep.database_id_in(rows)
            for row in rows:
                try:
                    keys = [file.key for file in backup_rows.named_files(name, row)]
                except (KeyError, TypeError, ValueError):
                    raise damaged(f"a row of {name} is not one") from None
                if not there.issuperset(keys):
                    raise damaged(f"rows of {name} name a file that it does not have")
        if count != contents.counts[name]:
            raise damaged(f"it has {count} rows of {name} and says {contents.counts[name]}")


def _require_own(instance: Instance, contents: _Contents) -> None:
    """Raises Conflict when the storage belongs to neither the rows nor the empty database."""
    owner = sweep.owner_of(instance.storage)
    if owner is None or owner == contents.database_id:
        return
    if current_revision(instance.database) is not None:
        with instance.database.read() as session:
            if owner == sweep.known_database_id(session):
                return
    raise Conflict(
        "The storage belongs to another database, so nothing was restored. If that one is gone "
        f"for good, delete {sweep.OWNER_KEY} from the storage."
    )


def _missing_files(storage: Storage, contents: _Contents) -> list[Member]:
    """What has to be stored. Raises Conflict where a key is taken by other bytes, and NotFound or
    Conflict where audio is not there that the archive only lists."""
    for key, (size_bytes, sha256) in contents.audio.items():
        if not _is_stored(storage, key, size_bytes, sha256):
            raise NotFound(
                f"The backup was made without audio, and {key} is not in the storage; copy the "
                "audio there first. No row was restored."
            )
    return [
        member
        for key, member in contents.files.items()
        if not _is_stored(storage, key, member.size_bytes, member.sha256)
    ]


def _is_stored(storage: Storage, key: str, size_bytes: int, sha256: str) -> bool:
    """Whether it is there with these bytes. Raises Conflict when others are in its place."""
    stat = storage.find_stat(key)
    if stat is None:
        return False
    if stat.size_bytes == size_bytes and storage.sha256(key) == sha256:
        return True
    raise Conflict(
        f"Other bytes than those of the backup are stored as {key}, and a restore replaces "
        "nothing; give it an empty storage, or the one that the backup was made of. No row was "
        "restored."
    )


def _store(storage: Storage, archive: ArchiveReader, member: Member) -> Iterator[int]:
    """Store one file, yielding the bytes of each step; it appears once its hash is right."""
    content_type = member.content_type or "application/octet-stream"
    with storage.writer(member.key, content_type=content_type) as writer:
        for chunk in archive.chunks(member):
            writer.write(chunk)
            yield len(chunk)
        if writer.commit() != member.size_bytes:
            raise Unavailable(f"The storage did not keep all of {member.key}; start again.")


def _insert(instance: Instance, archive: ArchiveReader, contents: _Contents) -> None:
    with instance.database.write() as session:
        backup_rows.require_empty(session)
        backup_rows.check_tables(session, contents.tables)
        if backup_rows.revision_of(session) != contents.revision:
            raise Conflict("Somebody else migrates this database just now; nothing was restored.")
        backup_rows.clear_what_an_empty_one_has(session)
        for name, columns in contents.tables.items():
            for rows in _rows(archive, contents, name):
                backup_rows.insert_rows(session, name, columns, rows)
        backup_rows.go_on_counting(session, contents.tables)
        sweep.note_restored(session, now=instance.now())
        # Before the commit: a storage whose owner is not there yet keeps everything.
        sweep.take_storage(session, instance.storage)
