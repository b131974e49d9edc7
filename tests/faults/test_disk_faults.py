"""A disk that is full, too small or forbidden, at every kind of write: listeners notice nothing,
hosts are told, nothing acknowledged is lost, and work goes on when there is space again."""

import os
import resource
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from podhost.db import Database
from podhost.downloads import Record, RequestSpool
from podhost.errors import Unavailable
from podhost.instance import utc_now
from podhost.storage import LocalStorage
from podhost.sweep import OWNER_KEY, owns_storage
from podhost.traffic import Traffic
from tests.audio_files import lame
from tests.faults.host import BUSY_SECONDS, EPISODES, Host, Lines, open_host
from tests.servers import S3Server
from tests.waiting import wait_for

MIB = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes file systems of a given size; only root can, where it may mount."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "podhost-test", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("no file system can be mounted here; this needs root")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the space that there is; the file that holds it."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        size = MIB
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
    return filler


def open_on(data: Path, mp3: Path, migrated_sqlite: Path, storage: LocalStorage | None = None):
    shutil.copy(migrated_sqlite, data / "podhost.sqlite3")
    database = Database(f"sqlite:///{data / 'podhost.sqlite3'}", busy_seconds=BUSY_SECONDS)
    return open_host(data, mp3, database, storage or LocalStorage(data / "storage"))


def records_of(host: Host) -> list[Record]:
    """What the spool has on disk."""
    folder = host.instance.settings.data / "spool"
    files = folder.iterdir() if folder.exists() else []
    lines = [line for path in files for line in path.read_bytes().splitlines()]
    return [msgspec.json.decode(line, type=Record) for line in lines]


def test_a_full_disk_stops_writes_alone_and_loses_nothing(
    small_disk: Callable[[str], Path], mp3: Path, migrated_sqlite: Path
) -> None:
    """Database, storage, spool and snapshots on one disk that gets full."""
    disk = small_disk("size=24m")
    with open_on(disk, mp3, migrated_sqlite) as host, Lines() as lines:
        notes = secrets.token_hex(60_000)
        episode = host.call("GET", EPISODES).json()["episodes"][0]
        path = f"{EPISODES}/{episode['id']}"
        wait_for(lambda: records_of(host))
        with host.instance.database.engine.connect() as connection:
            # Or the log of the database has room inside for what is written next.
            connection.execution_options(isolation_level="AUTOCOMMIT")
            emptied = text("PRAGMA wal_checkpoint(TRUNCATE)")
            # It gives up, and says so by a 1, where somebody is just reading.
            wait_for(lambda: connection.execute(emptied).one()[0] == 0)
        filler = fill(disk)
        host.assert_refused(host.upload(mp3.read_bytes(), "full"), "full")
        host.assert_refused(host.call("PATCH", path, json={"notes": notes}), "full")
        host.assert_not_ready("full")
        polled = len(records_of(host))
        for _ in range(20):
            host.assert_listeners_notice_nothing()
        assert host.guids() == {"first"}
        filler.unlink()
        host.assert_all_is_well()
        assert host.upload(mp3.read_bytes(), "space").status_code == 201
        # Every poll and every listener of that time has its record.
        wait_for(lambda: len(records_of(host)), lambda count: count >= polled + 40)
        assert host.guids() == {"first", "space"}
        assert len(host.stored()) == 2
        host.assert_all_is_well()
    lines.assert_few_and_short()


def test_an_upload_that_does_not_fit_leaves_its_space_to_others(
    small_disk: Callable[[str], Path], tmp_path: Path, mp3: Path, migrated_sqlite: Path
) -> None:
    storage = LocalStorage(small_disk("size=3m") / "storage")
    with open_on(tmp_path, mp3, migrated_sqlite, storage) as host:
        host.assert_refused(host.upload(lame(10) * 40, "large"), "full")
        assert list((storage.root / "tmp").iterdir()) == []
        assert host.upload(mp3.read_bytes(), "small").status_code == 201
        assert host.guids() == {"first", "small"}
        host.assert_all_is_well()


@pytest.mark.parametrize("options", ["size=1m", "size=1m,nr_inodes=20"])
def test_a_full_folder_for_temporary_files_refuses_uploads_in_words(
    small_disk: Callable[[str], Path],
    s3_server: S3Server,
    s3_bucket: str,
    tmp_path: Path,
    mp3: Path,
    migrated_sqlite: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: str,
) -> None:
    """Where storage is no folder, uploads wait among the system's temporary files."""
    shutil.copy(migrated_sqlite, tmp_path / "podhost.sqlite3")
    database = Database(f"sqlite:///{tmp_path / 'podhost.sqlite3'}", busy_seconds=BUSY_SECONDS)
    storage = s3_server.storage(s3_bucket, secrets.token_hex(6))
    disk = small_disk(options)
    with open_host(tmp_path, mp3, database, storage) as host:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        fill(disk)
        if "inodes" in options:
            with suppress(OSError):
                for number in range(30):
                    (disk / str(number)).touch()
        host.assert_refused(host.upload(mp3.read_bytes(), "temporary"), "")
        host.assert_listeners_notice_nothing()
        for path in list(disk.iterdir()):
            path.unlink(missing_ok=True)
        assert host.upload(mp3.read_bytes(), "again").status_code == 201
        assert len(host.stored()) == 2
        # The worker may just be drawing the sound.
        wait_for(lambda: list(disk.iterdir()), lambda left: left == [])


def test_a_full_disk_holds_neither_the_owner_nor_the_numbers_up(
    small_disk: Callable[[str], Path], tmp_path: Path, migrated_sqlite: Path
) -> None:
    """owner.txt, the files of the metrics and the spool."""
    disk = small_disk("size=1m")
    shutil.copy(migrated_sqlite, tmp_path / "x.sqlite3")
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    storage = LocalStorage(disk / "storage")
    storage.check()
    traffic, spool = Traffic(disk), RequestSpool(disk / "spool", utc_now)
    filler = fill(disk)
    with pytest.raises(Unavailable, match="full"):
        owns_storage(database, storage)
    traffic.start()
    traffic.count("api", 200, 1)
    traffic.stop()
    spool.record(Record("feed", 1, "GET", 200))
    assert not spool.flush()
    filler.unlink()
    assert owns_storage(database, storage)
    assert storage.size(OWNER_KEY) > 0
    assert spool.flush()
    assert (spool.backlog, spool.dropped, spool.failed_writes) == (0, 0, 1)
    spool.stop()
    database.close()


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """What an account with a quota meets; no root is needed for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_limit_on_files_refuses_what_is_larger(
    tmp_path: Path, mp3: Path, migrated_sqlite: Path
) -> None:
    with open_on(tmp_path, mp3, migrated_sqlite) as host:
        audio = lame(10) * 100
        # More than the log of the database ever takes: SQLite begins it anew at 4 MB.
        with files_of_at_most(6 * MIB):
            host.assert_refused(host.upload(audio, "limited"), "too large")
            host.assert_listeners_notice_nothing()
        assert list((tmp_path / "storage" / "tmp").iterdir()) == []
        assert host.upload(audio, "unlimited").status_code == 201
        host.assert_all_is_well()


def test_folders_and_files_without_rights_refuse_writes_alone(
    tmp_path: Path, mp3: Path, migrated_sqlite: Path
) -> None:
    with open_on(tmp_path, mp3, migrated_sqlite) as host:
        root = tmp_path / "storage"
        rows = tmp_path / "podhost.sqlite3"
        (root / "tmp").chmod(0o555)
        rows.chmod(0o444)
        try:
            if os.access(root / "tmp", os.W_OK):
                pytest.skip("this account may write everywhere")
            host.assert_refused(host.upload(mp3.read_bytes(), "forbidden"), "not allowed")
            host.assert_not_ready("not allowed")
            # A file that is open stays so; the next connection finds the door closed.
            host.instance.database.engine.dispose()
            host.assert_refused(host.rename("Read-only"), "only be read")
            assert host.guids() == {"first"}
            host.assert_listeners_notice_nothing()
        finally:
            (root / "tmp").chmod(0o755)
            # The files beside it were made with its rights.
            for path in tmp_path.glob("podhost.sqlite3*"):
                path.chmod(0o644)
        host.assert_all_is_well()
