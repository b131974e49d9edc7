"""`podhost backup`: all rows and all files in one archive, while podhost runs; it changes nothing.

Rows first, as of one moment, then the files that they name. Files never change, but may go
meanwhile: then the rows are read once more, and those that were read last are the ones that count.
"""

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from sqlalchemy import func, select

from podhost import __version__
from podhost.audio import waveforms
from podhost.audio.revisions import INCOMING
from podhost.backup import rows as backup_rows
from podhost.backup.archive import CHUNK_BYTES, FIRST, FORMAT, STORAGE, ArchiveWriter, pieces
from podhost.backup.rows import NamedFile
from podhost.db import head_revision
from podhost.edge import PUBLIC
from podhost.errors import Conflict, NotFound, Unavailable
from podhost.instance import Instance
from podhost.models import Audio, Base
from podhost.storage import Storage, disk_errors, lock_named, sync_folder
from podhost.sweep import NEWEST_KEY, OWNER_KEY

Progress = Callable[[int, int], None]

AUDIO = "audio/"
# What rows name, what is made anew, what nobody has taken over yet, and notes about this storage.
_NAMED_BY_ROWS = (AUDIO, "artwork/", "transcripts/")
_NOT_KEPT = (PUBLIC, INCOMING, waveforms.FOLDER)
_NOTES = (OWNER_KEY, NEWEST_KEY)
# How often rows are read again because files went meanwhile.
_ROUNDS = 10
# How often a store that broke off in the middle of a file is asked for the rest.
_TRIES = 4


@dataclass(slots=True)
class BackupReport:
    """What was written. `problems` are sentences about files that are lost or damaged already."""

    size_bytes: int = 0
    files: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What a person wants to know of it."""
        shows, episodes = self.counts["shows"], self.counts["episodes"]
        return (
            f"{shows} {'show' if shows == 1 else 'shows'}, "
            f"{episodes} {'episode' if episodes == 1 else 'episodes'}, "
            f"{self.files} {'file' if self.files == 1 else 'files'}, {self.size_bytes} bytes"
        )


def may_be_kept(key: str) -> bool:
    """Whether an object of this key has its place in a backup."""
    return key not in _NOTES and not key.startswith(_NOT_KEPT)


def back_up(
    instance: Instance, path: Path | None, *, with_audio: bool, progress: Progress
) -> BackupReport:
    """Write a backup to a new file, or to standard output where there is no path.

    The file has its name only once it is whole and on the disk. Raises Conflict where there is
    one of that name, and Unavailable with a sentence.
    """
    if path is None:
        if sys.stdout.isatty():
            raise Conflict("A backup is no text for a terminal; send it into a file or a pipe.")
        try:
            report = _Backup(instance, sys.stdout.buffer, with_audio, progress).write()
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # Of other commands' output a part is fine, as for `head`; of this it is no backup.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Unavailable(
                "Whoever reads the backup has gone; what they have is not whole."
            ) from None
        return report
    with _new_file(path) as file:
        return _Backup(instance, file, with_audio, progress).write()


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path`, for its owner's eyes only, that becomes `path` when all went well."""
    path = path.absolute()
    unfinished = path.with_name(path.name + ".part")
    with disk_errors(path.parent):
        _require_free(path)
        # What a killed backup left there is written over.
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.fdopen(os.open(unfinished, flags, 0o600), "wb")
    with file:
        if not lock_named(file.fileno(), unfinished):
            raise Conflict(f"Another backup is writing {unfinished} just now.")
        try:
            with disk_errors(path.parent):
                os.fchmod(file.fileno(), 0o600)
                file.truncate(0)
                yield file
                file.flush()
                os.fsync(file.fileno())
                _require_free(path)
                unfinished.rename(path)
                sync_folder(path.parent)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def _require_free(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise Conflict(
            f"There is a file {path} already, and a backup replaces none; give it another name."
        )


class _Backup:
    """One run: what was written so far."""

    def __init__(
        self, instance: Instance, target: BinaryIO, with_audio: bool, progress: Progress
    ) -> None:
        self._instance = instance
        self._storage = instance.storage
        self._with_audio = with_audio
        self._progress = progress
        self._made_at = instance.now()
        self._archive = ArchiveWriter(target, mtime=int(self._made_at.timestamp()))
        self._tables = backup_rows.tables()
        self._revision = ""
        self._report = BackupReport()
        # Keys that are done with.
        self._written: set[str] = set()
        self._audio: dict[str, dict[str, Any]] = {}
        self._total_bytes = 0

    def write(self) -> BackupReport:
        """The whole archive."""
        missing: set[str] = set()
        for number in range(1, _ROUNDS + 1):
            named = self._write_rows(number)
            went = {file.key for file in named if not self._keep(file)}
            if went <= missing:
                break
            # They may have gone because the rows changed; if the next rows name them too, they
            # are lost.
            missing |= went
        else:
            raise Unavailable("Files go faster than rows are read; make the backup again.")
        lost = sorted(went)
        self._report.problems += [f"{key} is not in the storage." for key in lost]
        self._write_others()
        self._write_list_of_audio()
        self._report.counts = self._counts
        closing = {
            "rows": number,
            "counts": self._counts,
            "lost": lost,
            "problems": self._report.problems,
        }
        self._archive.finish(closing)
        self._report.size_bytes = self._archive.size_bytes
        self._report.files = len(self._written)
        return self._report

    def _write_rows(self, number: int) -> list[NamedFile]:
        """One state of all tables; the files that it names."""
        named: list[NamedFile] = []
        with backup_rows.one_look(self._instance.database) as session:
            revision = backup_rows.revision_of(session)
            if revision[:4] != head_revision() or self._revision not in ("", revision):
                raise Conflict(
                    f"The tables are at revision {revision}, and this podhost is not of that "
                    "version; make the backup with the one that is."
                )
            self._revision = revision
            if number == 1:
                self._write_first(
                    {
                        name: session.scalar(
                            select(func.count()).select_from(Base.metadata.tables[name])
                        )
                        for name in self._tables
                    }
                )
                size = select(func.sum(Audio.size_bytes)).where(Audio.purged_at.is_(None))
                self._total_bytes = int(session.scalar(size) or 0) if self._with_audio else 0
            self._counts: dict[str, int] = {}
            for name in self._tables:
                lines = self._lines(backup_rows.read_rows(session, name), name, named)
                for part, piece in enumerate(pieces(lines), 1):
                    self._archive.add(f"rows/{number}/{name}/{part:06}.jsonl", piece)
        return named

    def _lines(
        self, rows: Iterator[dict[str, Any]], name: str, named: list[NamedFile]
    ) -> Iterator[bytes]:
        self._counts[name] = 0
        for row in rows:
            self._counts[name] += 1
            named += backup_rows.named_files(name, row)
            yield backup_rows.encode_row(row)

    def _write_first(self, counts: dict[str, Any]) -> None:
        said = {
            "format": FORMAT,
            "podhost": __version__,
            "revision": self._revision,
            "made_at": self._made_at.isoformat(),
            "base_url": self._instance.base_url,
            "audio": self._with_audio,
            # When writing began; the manifest has those of the rows that count.
            "counts": counts,
            "tables": self._tables,
        }
        data = msgspec.json.format(msgspec.json.encode(said), indent=2)
        self._archive.add(FIRST, data + b"\n")

    def _keep(self, file: NamedFile) -> bool:
        """Write a file, or a line about it; False when it is not stored (any more)."""
        if file.key in self._written or file.key in self._audio:
            return True
        stat = self._storage.find_stat(file.key)
        if stat is None:
            return False
        is_changed = file.size_bytes not in (None, stat.size_bytes)
        if is_changed:
            self._report.problems.append(
                f"{file.key} has {stat.size_bytes} bytes in the storage; it should have "
                f"{file.size_bytes}."
            )
        if not self._with_audio and file.key.startswith(AUDIO):
            # What the row says is believed where its size is right, or all audio would be read.
            known = None if is_changed else file.sha256
            self._audio[file.key] = {
                "key": file.key,
                "size_bytes": stat.size_bytes,
                "sha256": known or self._sha256(file.key, stat.size_bytes),
            }
            return True
        try:
            chunks = _chunks(self._storage, file.key, stat.size_bytes)
            first = next(chunks, b"")
        except NotFound:
            return False
        sha256 = self._archive.add_stream(
            STORAGE + file.key,
            stat.size_bytes,
            self._counted(first, chunks),
            content_type=file.content_type,
        )
        if file.sha256 not in (None, sha256):
            self._report.problems.append(
                f"{file.key} has other bytes in the storage than were uploaded."
            )
        self._written.add(file.key)
        return True

    def _counted(self, first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
        yield first
        for chunk in rest:
            yield chunk
            done = self._archive.size_bytes
            self._progress(done, max(done, self._total_bytes))

    def _sha256(self, key: str, size_bytes: int) -> str:
        digest = hashlib.sha256()
        for chunk in _chunks(self._storage, key, size_bytes):
            digest.update(chunk)
        return digest.hexdigest()

    def _write_others(self) -> None:
        """What no row names, such as records of downloads; what goes meanwhile is no loss."""
        for stat in self._storage.list():
            if may_be_kept(stat.key) and not stat.key.startswith(_NAMED_BY_ROWS):
                self._keep(NamedFile(stat.key, "application/octet-stream"))

    def _write_list_of_audio(self) -> None:
        lines = (msgspec.json.encode(line) for _, line in sorted(self._audio.items()))
        for part, piece in enumerate(pieces(lines), 1):
            self._archive.add(f"audio/{part:06}.jsonl", piece)


def _chunks(
    storage: Storage, key: str, size_bytes: int, *, pause_seconds: float = 1
) -> Iterator[bytes]:
    """An object's bytes; a store that breaks off is asked for the rest, after a moment."""
    done, tries = 0, 0
    while done < size_bytes:
        try:
            with storage.open(key, done) as reader:
                while chunk := reader.read(CHUNK_BYTES):
                    done, tries = done + len(chunk), 0
                    yield chunk
            if done < size_bytes:
                raise Unavailable(f"Of {key}, {size_bytes - done} bytes are missing.")
        except NotFound:
            if done:
                raise Unavailable(f"{key} was removed while it was read; try again.") from None
            raise
        except Unavailable:
            tries += 1
            if tries == _TRIES:
                raise
            time.sleep(pause_seconds * tries)
