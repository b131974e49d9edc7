"""Backup and restore: what comes back is what went in, and what cannot be trusted is refused."""

import errno
import fcntl
import hashlib
import io
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select, text

from podhost import db, sweep
from podhost.accounts import accounts
from podhost.audio.revisions import PreparedAudio, prepare_audio_file
from podhost.backup import _chunks, back_up
from podhost.backup import rows as backup_rows
from podhost.backup.archive import ArchiveReader, ArchiveWriter, header
from podhost.backup.restore import restore
from podhost.chapters.rows import ChapterInput
from podhost.checks import check_instance
from podhost.config import read_settings
from podhost.db import current_revision, migrate, new_id
from podhost.episodes import get_episode, replace_audio
from podhost.errors import Conflict, Invalid, NotFound, PodhostError, Unavailable
from podhost.instance import Instance, open_instance
from podhost.models import Account, Audio, Base, Change, Episode, Fact, Job, Show
from podhost.people import CreditInput
from podhost.search import search
from podhost.shows import get_show
from podhost.storage import LocalStorage
from podhost.worker import run_due_jobs, run_sweep
from tests.conftest import FrozenClock
from tests.making import feed_body, make_episode, make_show
from tests.running import clean_environment, run_command

quick = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


def ignore(done: int, total: int) -> None:
    assert done <= total


def save(instance: Instance, path: Path, *, with_audio: bool = True) -> Any:
    return back_up(instance, path, with_audio=with_audio, progress=ignore)


@pytest.fixture(scope="session")
def probed(mp3: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedAudio:
    """Probing takes most of the time that an upload takes."""
    return prepare_audio_file(LocalStorage(tmp_path_factory.mktemp("probed")), mp3)


@pytest.fixture
def upload(mp3: Path, probed: PreparedAudio) -> Callable[[Instance], PreparedAudio]:
    """The same audio, stored once more."""

    def store(instance: Instance) -> PreparedAudio:
        audio_id = new_id()
        key = f"audio/{audio_id}.mp3"
        instance.storage.put_bytes(key, mp3.read_bytes(), content_type="audio/mpeg")
        return replace(probed, id=audio_id, storage_key=key)

    return store


Upload = Callable[[Instance], PreparedAudio]


def show_with_a_picture(instance: Instance) -> Show:
    show = make_show(instance)
    assert show.artwork is not None
    key = f"artwork/{show.artwork.id}/3000.jpg"
    instance.storage.put_bytes(key, b"x", content_type="image/jpeg")
    return show


@pytest.fixture
def full(instance: Instance, upload: Upload) -> Show:
    """A podhost with something in most of its tables."""
    show = show_with_a_picture(instance)
    episode = make_episode(
        instance,
        show,
        upload(instance),
        notes="Low **water** — and ünïcode.",
        guests=[CreditInput(name="Ann Guest", url="https://ann.example")],
        chapters=[
            ChapterInput(start_seconds=0, title="Ebb"),
            ChapterInput(start_seconds=2, title="Flood"),
        ],
    )
    again = upload(instance)
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, show.slug, lock=True), episode.id)
        given = row.audio
        replace_audio(session, row, again, now=instance.now())
        # As if the new one were a copy with tags.
        assert given is not None and row.audio is not None
        row.audio.original_id, row.audio.original_sha256 = given.id, given.sha256
        account, _ = accounts.create_account(
            session, "ann@example.org", is_operator=True, now=instance.now()
        )
        accounts.create_token(session, account, name="t", scope="write", now=instance.now())
    make_episode(instance, show, upload(instance), "A draft", publish=False)
    instance.storage.put_bytes("downloads/2026/a.parquet", b"PAR1", content_type="x/y")
    sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    feed_body(instance, show)
    return show


@pytest.fixture(params=["sqlite+folder", "postgresql+s3"])
def target(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clock: FrozenClock,
) -> Iterator[Instance]:
    """A podhost without tables and files."""
    values = {"PODHOST_DATA": str(tmp_path / "new"), "PODHOST_BASE_URL": "https://pod.example"}
    url = None
    if request.param != "sqlite+folder":
        postgres = request.getfixturevalue("postgres_server")
        s3 = request.getfixturevalue("s3_server")
        url = postgres.create_database()
        prefix = f"s3://{request.getfixturevalue('s3_bucket')}/{secrets.token_hex(6)}"
        values |= {"PODHOST_DATABASE_URL": url, "PODHOST_STORAGE": prefix}
        for name, value in s3.environment().items():
            monkeypatch.setenv(name, value)
    opened = open_instance(read_settings(values), clock=clock)
    yield opened
    opened.close()
    if url is not None:
        postgres.drop_database(url)


small_target = pytest.mark.parametrize("target", ["sqlite+folder"], indirect=True)


def rows(instance: Instance) -> dict[str, list[dict[str, Any]]]:
    """Every row that is kept, as Python values."""
    with instance.database.read() as session:
        return {
            name: [
                row
                for row in backup_rows.read_rows(session, name)
                if row.get("name") != "restored_at"
            ]
            for name in backup_rows.tables()
        }


def objects(instance: Instance) -> dict[str, bytes]:
    found = {}
    for stat in instance.storage.list():
        if stat.key not in (sweep.NEWEST_KEY, sweep.OWNER_KEY):
            with instance.storage.open(stat.key) as reader:
                found[stat.key] = reader.read()
    return found


def test_all_rows_and_files_come_back_on_either_pair_of_engines(
    instance: Instance, target: Instance, full: Show, upload: Upload, tmp_path: Path
) -> None:
    body = feed_body(instance, full)
    report = save(instance, tmp_path / "b.tar")
    assert report.problems == []
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "b.tar").stat().st_size == report.size_bytes

    told = restore(target, tmp_path / "b.tar", progress=ignore)

    assert told.sentence == report.sentence
    assert rows(target) == rows(instance)
    assert objects(target) == objects(instance)
    # The index of the search is made anew.
    assert check_instance(target, progress=ignore)[0] == []
    run_sweep(target)
    assert feed_body(target, full) == body
    assert check_instance(target, progress=ignore)[0] == []
    with target.database.read() as session:
        found = search(session, session.get_one(Show, full.id), "unicode water").hits
        assert [hit.slug for hit in found] == ["low-water"]
    with target.database.write() as session:
        restored = session.scalar(select(Fact.value).where(Fact.name == "restored_at"))
        assert restored is not None, "files that came after the backup would be cleaned away"
        last = session.scalar(select(func.max(Change.seq)))
    # It goes on: numbers of changes rise, new rows find their places.
    make_episode(target, full, upload(target), "Next")
    with target.database.read() as session:
        assert session.scalar(select(func.max(Change.seq))) > last
        newest = session.scalar(select(func.max(Job.id)))
        assert newest is not None
    sweep.remove_unneeded(target.database, target.storage, now=target.now())
    assert sweep.owns_storage(target.database, target.storage)


def test_tables_that_count_by_themselves_go_on_from_the_newest(
    tmp_path: Path, postgres_server: Any, clock: FrozenClock
) -> None:
    """On PostgreSQL, whose counters know nothing of rows that brought their own number."""
    url = postgres_server.create_database()
    values = {"PODHOST_DATA": str(tmp_path / "pg"), "PODHOST_DATABASE_URL": url}
    fresh = open_instance(read_settings(values), clock=clock)
    try:
        migrate(fresh.database)
        with fresh.database.write() as session:
            columns = {"id": "integer", "kind": "text", "key": "text", "status": "text"}
            columns |= {"run_at": "datetime", "attempts": "integer", "created_at": "datetime"}
            given: dict[str, Any] = dict.fromkeys(("kind", "key", "status"), "x")
            given |= {"id": 41, "run_at": clock(), "attempts": 0, "created_at": clock()}
            backup_rows.insert_rows(session, "jobs", columns, [given])
            backup_rows.go_on_counting(session, ["jobs", "facts"])
        with fresh.database.write() as session:
            job = Job(
                kind="y",
                key="y",
                status="waiting",
                attempts=0,
                run_at=clock(),
                created_at=clock(),
            )
            session.add(job)
            session.flush()
            assert job.id == 42
    finally:
        fresh.close()
        postgres_server.drop_database(url)


@quick
def test_any_tar_program_reads_it(instance: Instance, full: Show, tmp_path: Path) -> None:
    save(instance, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        names = tar.getnames()
        assert names[0] == "podhost-backup.json" and names[-1] == "manifest.jsonl"
        assert "storage/downloads/2026/a.parquet" in names
        for key, data in objects(instance).items():
            file = tar.extractfile(f"storage/{key}")
            assert file is not None and file.read() == data
        assert not any("jobs" in name for name in names)


def test_headers_say_long_names_and_large_sizes_as_tar_programs_do() -> None:
    for name, size in (("storage/" + "a" * 300, 5), ("b", 9 * 1024**3), ("c" * 101, 2**40)):
        tar = tarfile.open(fileobj=io.BytesIO(header(name, size, 7)), mode="r:")  # noqa: SIM115
        info = tar.next()
        assert info is not None and (info.name, info.size, info.mtime) == (name, size, 7)


@quick
@small_target
def test_without_audio_it_is_listed_and_must_be_there(
    instance: Instance, target: Instance, full: Show, tmp_path: Path
) -> None:
    save(instance, tmp_path / "b.tar", with_audio=False)
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert not any(name.startswith("storage/audio") for name in tar.getnames())
    with pytest.raises(NotFound, match="without audio"):
        restore(target, tmp_path / "b.tar", progress=ignore)
    audio = {key: data for key, data in objects(instance).items() if key.startswith("audio/")}
    assert len(audio) == 3
    for key, data in audio.items():
        target.storage.put_bytes(key, data, content_type="audio/mpeg")
    key = next(iter(audio))
    target.storage.put_bytes(key, bytes(len(audio[key])), content_type="audio/mpeg", overwrite=True)
    with pytest.raises(Conflict, match="Other bytes"):
        restore(target, tmp_path / "b.tar", progress=ignore)
    target.storage.put_bytes(key, audio[key], content_type="audio/mpeg", overwrite=True)
    restore(target, tmp_path / "b.tar", progress=ignore)
    assert check_instance(target, progress=ignore)[0] == []


def test_it_is_consistent_while_others_publish_and_clean_up(
    instance: Instance, upload: Upload, tmp_path: Path, clock: FrozenClock
) -> None:
    show = show_with_a_picture(instance)
    stop, began = threading.Event(), threading.Event()
    faults: list[BaseException] = []

    def publish() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                make_episode(instance, show, upload(instance), f"No. {number}", number=number)
                run_due_jobs(instance)
            except BaseException as error:
                faults.append(error)
                return
            finally:
                began.set()

    thread = threading.Thread(target=publish)
    thread.start()
    began.wait(30)
    try:
        for number in range(2):
            save(instance, tmp_path / f"{number}.tar")
    finally:
        stop.set()
        thread.join()
    assert faults == []
    for number in range(2):
        values = {"PODHOST_DATA": str(tmp_path / f"d{number}")}
        values["PODHOST_BASE_URL"] = "https://pod.example"
        copy = open_instance(read_settings(values), clock=clock)
        restore(copy, tmp_path / f"{number}.tar", progress=ignore)
        run_sweep(copy)
        run_due_jobs(copy)
        assert check_instance(copy, progress=ignore)[0] == []
        with copy.database.read() as session:
            assert (session.scalar(select(func.count()).select_from(Episode)) or 0) > 0
        copy.close()


def test_rows_are_read_as_of_one_moment(instance: Instance) -> None:
    make_show(instance)
    with backup_rows.one_look(instance.database) as session:
        assert len(list(backup_rows.read_rows(session, "facts"))) == 0
        make_show(instance, "Written meanwhile")
        assert len(list(backup_rows.read_rows(session, "shows"))) == 1
    with backup_rows.one_look(instance.database) as session:
        assert len(list(backup_rows.read_rows(session, "shows"))) == 2


class Leaky(LocalStorage):
    """A store from which something goes while a backup looks for it, as its clean-up does."""

    def __init__(self, root: Path, on_look: Callable[[str], None]) -> None:
        super().__init__(root)
        self.on_look = on_look

    def find_stat(self, key: str) -> Any:
        self.on_look(key)
        return super().find_stat(key)


@quick
@small_target
def test_what_is_cleaned_away_meanwhile_is_not_in_the_rows_either(
    instance: Instance, target: Instance, full: Show, tmp_path: Path, clock: FrozenClock
) -> None:
    with instance.database.write() as session:
        old = session.query(Audio).where(Audio.replaced_at.is_not(None)).one().storage_key
        # An original stays for as long as its copy with tags.
        for audio in session.query(Audio):
            audio.original_id = None
    plain = instance.storage
    assert isinstance(plain, LocalStorage)

    def clean_up(key: str) -> None:
        if key == old:
            later = clock() + sweep.REPLACED_AUDIO_KEPT * 2
            sweep._purge_audio(instance.database, plain, later)

    instance.storage = Leaky(plain.root, clean_up)
    assert save(instance, tmp_path / "b.tar").problems == []
    restore(target, tmp_path / "b.tar", progress=ignore)
    with target.database.read() as session:
        assert session.query(Audio).where(Audio.storage_key == old).one().purged_at is not None
    assert check_instance(target, progress=ignore)[0] == []


@quick
@small_target
def test_what_was_lost_before_is_named_and_does_not_stop_the_rest(
    instance: Instance, target: Instance, full: Show, tmp_path: Path
) -> None:
    with instance.database.read() as session:
        current = session.query(Audio).where(Audio.replaced_at.is_(None)).all()
    lost, damaged = (audio.storage_key for audio in current)
    instance.storage.delete(lost)
    data = bytes(current[1].size_bytes)
    instance.storage.put_bytes(damaged, data, content_type="audio/mpeg", overwrite=True)
    problems = save(instance, tmp_path / "b.tar").problems
    assert sorted(problems) == sorted(
        [
            f"{lost} is not in the storage.",
            f"{damaged} has other bytes in the storage than were uploaded.",
        ]
    )
    assert restore(target, tmp_path / "b.tar", progress=ignore).problems == problems
    assert len(check_instance(target, progress=ignore)[0]) == 2


@quick
def test_a_file_of_that_name_is_not_replaced(
    instance: Instance, full: Show, tmp_path: Path
) -> None:
    path = tmp_path / "b.tar"
    path.write_text("mine")
    with pytest.raises(Conflict, match="There is a file"):
        save(instance, path)
    assert path.read_text() == "mine"
    assert not (tmp_path / "b.tar.part").exists()
    with (tmp_path / "c.tar.part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="Another backup"):
            save(instance, tmp_path / "c.tar")
    assert save(instance, tmp_path / "c.tar").files == 5
    with pytest.raises(PodhostError, match="folder"):
        save(instance, tmp_path / "nowhere" / "b.tar")


@quick
def test_a_file_system_without_locks_takes_a_backup(
    instance: Instance, full: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert save(instance, tmp_path / "b.tar").files == 5
    assert [path.name for path in tmp_path.glob("b.tar*")] == ["b.tar"]


@quick
def test_a_killed_backup_leaves_no_file_of_that_name_and_the_next_one_goes_well(
    instance: Instance, full: Show, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "b.tar"
    # Files that are sparse on disk and take a moment to read.
    assert isinstance(instance.storage, LocalStorage)
    large = instance.storage.root / "downloads/large.parquet"
    with large.open("wb") as file:
        file.truncate(2 * 1024**3)
    process = subprocess.Popen(
        [sys.executable, "-m", "podhost", "backup", str(path)],
        env={**clean_environment(), **environment},
        stdout=subprocess.DEVNULL,
    )
    part = tmp_path / "b.tar.part"
    while process.poll() is None and not (part.exists() and part.stat().st_size > 1024**2):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not path.exists() and part.exists()
    large.unlink()
    assert run_command("backup", str(path), environment=environment).returncode == 0
    assert path.exists() and not part.exists()


@quick
def test_a_backup_whose_reader_goes_away_is_no_success(
    full: Show, environment: dict[str, str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "podhost", "backup", "-"],
            env={**clean_environment(), **environment},
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1 and "not whole" in done.stderr, done.stderr


@quick
def test_the_commands_work_from_one_end_to_the_other(
    instance: Instance, full: Show, environment: dict[str, str], tmp_path: Path
) -> None:
    feed = feed_body(instance, full)
    piped = tmp_path / "b.tar"
    with piped.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "podhost", "backup", "-"],
            env={**clean_environment(), **environment},
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 0 and "1 show, 2 episodes, 5 files" in done.stderr
    new = {**environment, "PODHOST_DATA": str(tmp_path / "new")}
    restored = run_command("restore", str(piped), environment=new)
    assert restored.returncode == 0, restored.stderr
    assert "Restored: 1 show, 2 episodes, 5 files" in restored.stdout
    again = run_command("restore", str(piped), environment=new)
    assert again.returncode == 1 and "not empty" in again.stderr
    copy = open_instance(read_settings(new), clock=instance.clock)
    assert feed_body(copy, full) == feed
    assert check_instance(copy, progress=ignore)[0] == []
    copy.close()
    assert (tmp_path / "new/podhost.sqlite3").stat().st_mode & 0o777 == 0o600


@quick
@small_target
def test_it_overwrites_nothing(
    instance: Instance, target: Instance, full: Show, tmp_path: Path, clock: FrozenClock
) -> None:
    save(instance, tmp_path / "b.tar")
    # Files with other bytes.
    key = next(key for key in objects(instance) if key.startswith("audio/"))
    target.storage.put_bytes(key, b"mine", content_type="audio/mpeg")
    with pytest.raises(Conflict, match="Other bytes"):
        restore(target, tmp_path / "b.tar", progress=ignore)
    assert objects(target) == {key: b"mine"}
    assert current_revision(target.database) is None
    target.storage.delete(key)
    # The storage of somebody else.
    target.storage.put_bytes(sweep.OWNER_KEY, b"0" * 16, content_type="text/plain")
    with pytest.raises(Conflict, match="another database"):
        restore(target, tmp_path / "b.tar", progress=ignore)
    target.storage.delete(sweep.OWNER_KEY)
    # Rows.
    migrate(target.database)
    with target.database.write() as session:
        accounts.create_account(session, "bob@example.org", is_operator=True, now=clock())
    with pytest.raises(Conflict, match="not empty"):
        restore(target, tmp_path / "b.tar", progress=ignore)
    with target.database.write() as session:
        assert session.query(Show).count() == 0
        session.delete(session.query(Account).one())
    # A podhost that was started once is empty; its storage becomes that of the rows.
    assert sweep.owns_storage(target.database, target.storage)
    restore(target, tmp_path / "b.tar", progress=ignore)
    assert sweep.owns_storage(target.database, target.storage)
    assert rows(target) == rows(instance)


@quick
@small_target
def test_a_restore_whose_commit_failed_is_started_again(
    instance: Instance, target: Instance, full: Show, tmp_path: Path
) -> None:
    """By then the storage is taken; it must not be that of a database that never came to be."""
    with instance.database.write() as session:
        # Until it is cleaned up for the first time, a podhost has no name.
        session.delete(session.get_one(Fact, "database_id"))
    save(instance, tmp_path / "b.tar")
    migrate(target.database)
    target.storage.check()
    with pytest.raises(ZeroDivisionError), target.database.write() as session:
        sweep.take_storage(session, target.storage)
        raise ZeroDivisionError
    restore(target, tmp_path / "b.tar", progress=ignore)
    assert rows(target) == rows(instance)
    assert sweep.owns_storage(target.database, target.storage)


@quick
def test_a_lost_database_comes_back_to_the_storage_that_is_left(
    instance: Instance, full: Show, upload: Upload, environment: dict[str, str], tmp_path: Path
) -> None:
    save(instance, tmp_path / "b.tar")
    later = make_episode(instance, full, upload(instance), "After the backup")
    sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    before = objects(instance)
    new = {**environment, "PODHOST_DATABASE_URL": f"sqlite:///{tmp_path / 'new.sqlite3'}"}
    fresh = open_instance(read_settings(new), clock=instance.clock)
    restore(fresh, tmp_path / "b.tar", progress=ignore)
    assert objects(fresh) == before
    assert sweep._was_restored(fresh.database, fresh.storage, fresh.now())
    assert later.audio is not None and later.audio.storage_key in before
    fresh.close()


@quick
@small_target
def test_a_restore_that_was_cut_short_is_started_again(
    instance: Instance, target: Instance, full: Show, tmp_path: Path
) -> None:
    save(instance, tmp_path / "b.tar")
    total = 2 * (tmp_path / "b.tar").stat().st_size

    class Cut(Exception):
        pass

    def cut(done: int, total: int) -> None:
        if objects(target):
            raise Cut

    with pytest.raises(Cut):
        restore(target, tmp_path / "b.tar", progress=cut)
    assert 0 < len(objects(target)) < len(objects(instance))
    seen: list[int] = []
    restore(target, tmp_path / "b.tar", progress=lambda done, _: seen.append(done))
    assert seen[-1] == total
    assert rows(target) == rows(instance) and objects(target) == objects(instance)


# Archives that are not whole, and such as no backup has


def is_untouched(target: Instance) -> bool:
    return current_revision(target.database) is None and not objects(target)


@quick
@small_target
def test_every_cut_and_every_flipped_bit_is_noticed_before_anything_is_written(
    instance: Instance, target: Instance, full: Show, tmp_path: Path
) -> None:
    save(instance, tmp_path / "b.tar")
    whole = (tmp_path / "b.tar").read_bytes()
    path = tmp_path / "broken.tar"
    chance = random.Random(4)
    ends = [0, 1, 511, 512, len(whole) - 1, len(whole) - 512, len(whole) - 1024]
    for end in ends + [chance.randrange(len(whole)) for _ in range(15)]:
        path.write_bytes(whole[:end])
        with pytest.raises(Invalid):
            restore(target, path, progress=ignore)
    places = [*range(0, 1600, 71), *(len(whole) - 1 - n for n in range(0, 4000, 199))]
    for place in places + [chance.randrange(len(whole)) for _ in range(40)]:
        broken = bytearray(whole)
        broken[place] ^= 1 << chance.randrange(8)
        path.write_bytes(broken)
        with pytest.raises(Invalid):
            restore(target, path, progress=ignore)
    path.write_bytes(whole + b"\0")
    with pytest.raises(Invalid):
        restore(target, path, progress=ignore)
    assert is_untouched(target)
    restore(target, tmp_path / "b.tar", progress=ignore)


@quick
def test_what_changes_after_it_was_verified_is_not_taken(
    instance: Instance, full: Show, tmp_path: Path
) -> None:
    save(instance, tmp_path / "b.tar")
    with (tmp_path / "b.tar").open("r+b") as file:
        archive = ArchiveReader(file)
        for _ in archive.verify():
            pass
        member = next(each for each in archive.members if each.name.startswith("storage/audio"))
        assert archive.read(member)
        file.seek(member.offset)
        file.write(b"\0\0")
        with pytest.raises(Invalid, match="changed while it was read"):
            archive.read(member)


Files = dict[str, bytes]


def written_anew(path: Path, change: Callable[[Files, dict[str, Any]], None]) -> Path:
    """The archive with something changed, and a manifest that agrees with it."""
    with path.open("rb") as file:
        archive = ArchiveReader(file)
        for _ in archive.verify():
            pass
        files = {member.name: archive.read(member) for member in archive.members}
        closing = archive.closing
    change(files, closing)
    target = path.with_name(f"{secrets.token_hex(4)}.tar")
    with target.open("wb") as file:
        writer = ArchiveWriter(file, mtime=7)
        for name, data in files.items():
            writer.add(name, data)
        writer.finish(closing)
    return target


def first_changed(**values: Any) -> Callable[[Files, dict[str, Any]], None]:
    def change(files: Files, closing: dict[str, Any]) -> None:
        said = msgspec.json.decode(files["podhost-backup.json"])
        files["podhost-backup.json"] = msgspec.json.encode({**said, **values})

    return change


def piece_changed(table: str, old: bytes, new: bytes) -> Callable[[Files, dict[str, Any]], None]:
    def change(files: Files, closing: dict[str, Any]) -> None:
        name = f"rows/1/{table}/000001.jsonl"
        assert old in files[name]
        files[name] = files[name].replace(old, new)

    return change


def added(name: str, data: bytes = b"x") -> Callable[[Files, dict[str, Any]], None]:
    return lambda files, closing: files.__setitem__(name, data)


HOSTILE: dict[str, tuple[Callable[[Files, dict[str, Any]], None], str]] = {
    "a path out of the storage": (added("storage/../../etc/passwd"), "it has a file"),
    "an absolute path": (added("/etc/passwd"), "it has a file"),
    "an unfinished file": (added("storage/tmp/x"), "it has a file"),
    "the owner of the storage": (added("storage/owner.txt"), "it has a file"),
    "a page of the static edge": (added("storage/public/x/feed.xml"), "it has a file"),
    "a name out of line": (added("rows/1/../x/000001.jsonl"), "it has a file"),
    "rows of no table": (added("rows/1/passwords/000001.jsonl"), "it has rows of"),
    "a newer format": (first_changed(format=2), "a newer podhost wrote"),
    "no format": (first_changed(format="1"), "does not say its format"),
    "newer tables": (first_changed(revision="9999"), "a newer podhost made"),
    "no revision": (first_changed(revision=None), "revision of its tables"),
    "unknown tables": (first_changed(revision="0001_of_others"), "does not know"),
    "tables that are none": (first_changed(tables={"shows": {"id": "pickle"}}), "its tables are"),
    "a row that is not JSON": (piece_changed("shows", b"{", b"{{"), "not JSON"),
    "a row too deep": (piece_changed("shows", b'"id"', b"[" * 9999 + b'"id"'), "not JSON"),
    "a row of other columns": (piece_changed("shows", b'"id"', b'"identity"'), "other columns"),
    "a text for a number": (piece_changed("shows", b'"version":', b'"version":"a",'), "not JSON"),
    "a number out of range": (
        piece_changed("episodes", b'"season":null', b'"season":99999999999999999999'),
        "no integer",
    ),
    "a date that is none": (
        piece_changed("shows", b'"deleted_at":null', b'"deleted_at":"x"'),
        "datetime",
    ),
    "a date without a zone": (
        piece_changed("shows", b'"deleted_at":null', b'"deleted_at":"2026-01-01T00:00:00"'),
        "datetime",
    ),
    "bytes that are none": (
        piece_changed("snapshots", b'"body_gzip":"', b'"body_gzip":"*'),
        "bytes",
    ),
    "pictures that are none": (piece_changed("artwork", b"[[3000,1]]", b"7"), "is not one"),
    "a row that is not there": (
        lambda files, closing: files.__setitem__(
            "rows/1/chapters/000001.jsonl", files["rows/1/chapters/000001.jsonl"].splitlines()[0]
        ),
        "rows of chapters",
    ),
    "a reference to nothing": (
        piece_changed("tokens", b'"account_id":"', b'"account_id":"0'),
        "contradict",
    ),
    "the same row twice": (
        lambda files, closing: (
            files.__setitem__(
                "rows/1/accounts/000002.jsonl", files["rows/1/accounts/000001.jsonl"]
            ),
            closing["counts"].__setitem__("accounts", 2),
        )[-1],
        "contradict",
    ),
    "a file that rows name and it lacks": (
        lambda files, closing: [
            files.pop(name) for name in list(files) if name.startswith("storage/audio")
        ][0:0],
        "name a file",
    ),
    "no end": (lambda files, closing: closing.clear(), "how many rows"),
}


@quick
@small_target
def test_archives_such_as_no_backup_has_are_refused_with_a_sentence(
    instance: Instance, target: Instance, full: Show, tmp_path: Path
) -> None:
    save(instance, tmp_path / "b.tar")
    for name, (change, words) in HOSTILE.items():
        path = written_anew(tmp_path / "b.tar", change)
        with pytest.raises(Invalid, match=words):
            restore(target, path, progress=ignore)
        with target.database.read() as session:
            if current_revision(target.database) is not None:
                assert session.query(Show).count() == 0, name
        path.unlink()
    restore(target, written_anew(tmp_path / "b.tar", lambda f, c: None), progress=ignore)
    assert rows(target) == rows(instance)


def tar_of(*infos: tarfile.TarInfo, data: bytes = b"{}") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info in infos:
            tar.addfile(info, io.BytesIO(data) if info.size else None)
    return target.getvalue()


@quick
@small_target
def test_other_kinds_of_files_are_no_backups(
    instance: Instance, target: Instance, full: Show, tmp_path: Path
) -> None:
    save(instance, tmp_path / "b.tar")
    whole = (tmp_path / "b.tar").read_bytes()
    when = int(whole[136:147], 8)
    first = whole[: 512 + (said := int(whole[124:135], 8)) + -said % 512]
    link, device = tarfile.TarInfo("storage/audio/x.mp3"), tarfile.TarInfo("storage/audio/y.mp3")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    hard = tarfile.TarInfo("storage/audio/z.mp3")
    hard.type, hard.linkname = tarfile.LNKTYPE, "podhost-backup.json"
    bomb = header("storage/audio/x.mp3", 2**50, when) + bytes(4096)
    long = bytearray(header("a" * 200, 1, when))
    long[124:136] = b"77777777777\0"
    for body, words in (
        (b"", "not a backup"),
        (b"hello" * 1000, "not a backup"),
        (bytes(10240), "not a backup"),
        (tar_of(tarfile.TarInfo("podhost-backup.json")), "not a backup"),
        *((first + tar_of(info), "header") for info in (link, device, hard)),
        (first + bomb, "cut off"),
        (first + bytes(long), "header is too long"),
        (
            first + header("storage/audio/x.mp3", 1, when).replace(b"ustar\x0000", b"ustar  \0"),
            "header",
        ),
        (first + first + whole[len(first) :], "it has a file"),
    ):
        path = tmp_path / "other.tar"
        path.write_bytes(body)
        with pytest.raises(Invalid, match=words):
            restore(target, path, progress=ignore)
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(Invalid, match="There is no file"):
            restore(target, path, progress=ignore)
    assert is_untouched(target)


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_an_older_backup_is_migrated_after_its_rows_are_in(
    instance: Instance,
    target: Instance,
    full: Show,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save(instance, tmp_path / "b.tar")
    with instance.database.read() as session:
        revision = backup_rows.revision_of(session)
    newer = tmp_path / "migrations"
    shutil.copytree(db.MIGRATIONS, newer, ignore=shutil.ignore_patterns("__pycache__"))
    number = f"{int(db.head_revision()) + 1:04}"
    (newer / "versions" / f"{number}_shout.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"revision, down_revision = {number!r}, {revision!r}\n"
        "branch_labels = depends_on = None\n"
        "def upgrade() -> None:\n"
        "    op.add_column('shows', sa.Column('loud', sa.Text()))\n"
        "    op.execute('UPDATE shows SET loud = upper(title)')\n"
    )
    monkeypatch.setattr(db, "MIGRATIONS", newer)
    restore(target, tmp_path / "b.tar", progress=ignore)
    assert current_revision(target.database) == number
    with target.database.read() as session:
        assert session.scalar(text("SELECT loud FROM shows")) == "TIDE TABLES"
    # Where the newer tables are there already, nobody would fill their new columns.
    with instance.database.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
    migrate(instance.database)
    with pytest.raises(Conflict, match="database without tables"):
        restore(instance, tmp_path / "b.tar", progress=ignore)


def test_every_column_has_a_kind_that_comes_back_equal() -> None:
    tables = backup_rows.tables()
    left_out = {"jobs", "uploads", "exports", "login_limits", "login_steps", "history_files"}
    left_out |= {"search_entries", "search_subjects", "search_states"}
    assert set(tables) == set(Base.metadata.tables) - left_out
    assert {kind for columns in tables.values() for kind in columns.values()} <= backup_rows.KINDS


def test_a_broken_off_store_is_asked_for_the_rest(tmp_path: Path) -> None:
    data = os.urandom(3 * 1024 * 1024)

    class Cutting(LocalStorage):
        opened = 0

        def open(self, key: str, start: int = 0, end: int | None = None) -> Any:
            self.opened += 1
            return super().open(key, start, start + 1024 * 1024 + 5)

    storage = Cutting(tmp_path)
    storage.put_bytes("downloads/x", data, content_type="x/y")
    read = b"".join(_chunks(storage, "downloads/x", len(data), pause_seconds=0))
    assert hashlib.sha256(read).digest() == hashlib.sha256(data).digest()
    assert storage.opened == 3
    with pytest.raises(Unavailable):
        list(_chunks(LocalStorage(tmp_path), "downloads/x", len(data) + 1, pause_seconds=0))
