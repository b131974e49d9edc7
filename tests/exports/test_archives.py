"""Whole shows to take away: one archive, made by a job, kept for a week."""

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from podhost import worker
from podhost.checks import check_instance
from podhost.errors import Unavailable
from podhost.exports.archives import begin_export, make_export
from podhost.exports.targets import appearing_archive
from podhost.feeds import hubs
from podhost.instance import Instance
from podhost.models import Audio, Export
from podhost.shows import get_show
from podhost.sweep import find_orphans, remove_unneeded
from tests.conftest import FrozenClock
from tests.exports.test_exports import REAL, elsewhere, feed, publish
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient

__all__ = ["elsewhere"]
ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


def ask(instance: Instance, slug: str = "tide-tables") -> Export:
    with instance.database.write() as session:
        return begin_export(session, get_show(session, slug, lock=True), now=instance.now())


def work(instance: Instance) -> None:
    while worker.run_next_export(instance, owner="tests"):
        pass


def found(instance: Instance, export: Export) -> Export:
    with instance.database.read() as session:
        return session.get_one(Export, export.id)


def made(instance: Instance) -> Export:
    export = ask(instance)
    work(instance)
    return found(instance, export)


def key_of(export: Export) -> str:
    assert export.storage_key is not None
    return export.storage_key


def stored(instance: Instance) -> list[str]:
    return [stat.key for stat in instance.storage.list("exports/")]


@pytest.fixture
def small(instance: Instance, mp3: Path) -> Instance:
    make_episode(instance, make_show(instance), mp3)
    worker.run_due_jobs(instance)
    return instance


def test_what_is_unpacked_and_published_elsewhere_gives_the_same_feed(
    instance: Instance, elsewhere: Callable[[], Instance], tmp_path: Path
) -> None:
    # Publishing gives a show its guid, and the shipped one has none.
    publish(instance, shutil.copytree(REAL, tmp_path / "given" / REAL.name))
    here = feed(instance)

    export = made(instance)

    assert (export.state, export.error, export.problems) == ("ready", None, [])
    assert export.parts_done == export.parts_total > 1
    packed = tmp_path / "packed.zip"
    told = (export.size_bytes, export.sha256)
    assert instance.storage.download_to(key_of(export), packed) == told
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
        sounds = [entry for entry in archive.infolist() if entry.filename.endswith(".mp3")]
        assert sounds and all(entry.compress_type == zipfile.ZIP_STORED for entry in sounds)
        assert {name.partition("/")[0] for name in archive.namelist()} == {"tide-tables"}
    other = elsewhere()
    publish(other, tmp_path / "tide-tables")
    assert feed(other) == here


@ON_ONE_ENGINE
def test_one_is_made_at_a_time_and_the_newest_is_kept(small: Instance) -> None:
    first = ask(small)
    assert ask(small).id == first.id
    work(small)
    second = ask(small)
    assert second.id != first.id
    # The older one can be had until the newer one is there.
    assert stored(small) == [key_of(found(small, first))]
    work(small)
    assert stored(small) == [key_of(found(small, second))]
    with small.database.read() as session:
        assert session.get(Export, first.id) is None


@ON_ONE_ENGINE
def test_it_goes_after_a_week(small: Instance, clock: FrozenClock) -> None:
    export = made(small)
    clock.advance(days=6)
    remove_unneeded(small.database, small.storage, now=small.now())
    assert stored(small) == [export.storage_key]
    clock.advance(days=1, seconds=1)
    remove_unneeded(small.database, small.storage, now=small.now())
    assert stored(small) == []
    owner = StudioClient.visit_as(small, "owner", "tide-tables")
    assert owner.get(f"/shows/tide-tables/exports/{export.id}").status_code == 404


@ON_ONE_ENGINE
def test_the_check_reads_it_and_knows_what_nobody_has(small: Instance, clock: FrozenClock) -> None:
    key = key_of(made(small))
    clock.advance(days=400)
    later = small.now()
    assert find_orphans(small.database, small.storage, now=later) == []
    with small.storage.open(key) as source:
        data = source.readall()
    small.storage.put_bytes(key, data[:-1] + b"x", content_type="application/zip", overwrite=True)
    small.storage.put_bytes("exports/lost.zip", b"", content_type="application/zip")
    problems, _ = check_instance(small, progress=lambda done, total: None)
    assert any("The archive of 'Tide Tables'" in text for text in problems)
    orphans = find_orphans(small.database, small.storage, now=later)
    assert orphans == ["exports/lost.zip"]


def test_a_worker_that_dies_leaves_nothing_half_and_the_next_begins_anew(
    small: Instance, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(small)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        # In the middle: the first sound is in it already.
        patched.setattr("podhost.exports.shows._Writing._copy_transcripts", die)
        with pytest.raises(Killed):
            worker.run_next_export(small, owner="dies")
    assert found(small, export).state == "running"
    assert stored(small) == []
    clock.advance(minutes=1)
    work(small)
    assert found(small, export).state == "ready"
    assert stored(small) == [found(small, export).storage_key]


@ON_ONE_ENGINE
def test_one_whose_job_was_lost_is_made_all_the_same(small: Instance) -> None:
    export = ask(small)
    with small.database.write() as session:
        from podhost.models import Job

        session.query(Job).delete()
    worker.run_sweep(small)
    work(small)
    assert found(small, export).state == "ready"


@ON_ONE_ENGINE
def test_what_is_missing_or_damaged_is_left_out_and_named(small: Instance, mp3: Path) -> None:
    show = make_show(small, "Ebb")
    kept = make_episode(small, show, mp3, "Kept")
    worker.run_due_jobs(small)
    with small.database.read() as session:
        rows = session.query(Audio).all()
        keys = {audio.episode_id: audio.storage_key for audio in rows}
    damaged = keys.pop(kept.id)
    small.storage.put_bytes(damaged, b"broken", content_type="audio/mpeg", overwrite=True)
    small.storage.delete(keys.popitem()[1])

    missing = made(small)
    other = ask(small, "ebb")
    work(small)
    other = found(small, other)

    assert any("The audio of" in text and "is missing" in text for text in missing.problems)
    assert any("is damaged" in text for text in other.problems)
    with small.storage.open(key_of(other)) as source:
        archive = zipfile.ZipFile(io.BytesIO(source.readall()))
    assert archive.testzip() is None
    assert "ebb/001-kept.md" in archive.namelist()
    assert "ebb/001-kept.mp3" not in archive.namelist()


@ON_ONE_ENGINE
def test_a_full_disk_is_said_and_waited_for(
    small: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = ask(small)

    def full(*_: object, **__: object) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(small.storage, "open", full)
        with pytest.raises(Unavailable):
            make_export(
                small.database,
                small.storage,
                export.id,
                site=hubs.site_of(small),
                now=small.now,
            )
    waiting = found(small, export)
    assert (waiting.state, waiting.error) == ("running", "The disk is full.")
    owner = StudioClient.visit_as(small, "owner", "tide-tables")
    assert "The disk is full." in owner.get("/shows/tide-tables/move").text
    work(small)
    assert found(small, export).error is None


@ON_ONE_ENGINE
def test_a_show_that_was_deleted_meanwhile_fails_with_a_sentence(small: Instance) -> None:
    export = ask(small)
    with small.database.write() as session:
        get_show(session, "tide-tables", lock=True).deleted_at = small.now()
    work(small)
    failed = found(small, export)
    assert failed.state == "failed" and failed.error
    assert stored(small) == []


@ON_ONE_ENGINE
def test_texts_are_packed_and_what_is_taken_back_is_not_there(instance: Instance) -> None:
    key = "exports/large.zip"
    with appearing_archive(
        instance.storage, key, content_type="application/zip", folder="x", made_at=instance.now()
    ) as written:
        written.target.put("a.txt", b"tide " * 1000)
        written.target.put("b.txt", b"ebb")
        written.target.take_back("b.txt")
    with (
        instance.storage.open(key) as source,
        zipfile.ZipFile(io.BytesIO(source.readall())) as archive,
    ):
        assert archive.namelist() == ["x/a.txt"]
        assert archive.getinfo("x/a.txt").compress_size < 1000
