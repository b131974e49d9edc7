"""Uploads are taken over once, whatever is killed; what nobody goes on with is removed."""

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from podhost.audio.waveforms import find_waveform, waveform_key
from podhost.config import read_settings
from podhost.errors import Gone, Unavailable
from podhost.instance import Instance, open_instance
from podhost.models import Episode, Job, Show, Upload
from podhost.storage import Storage
from podhost.sweep import remove_unneeded
from podhost.uploads import begin_upload, complete_upload, list_parts, read_wanted
from podhost.uploads.answers import GivenPart, NewUpload, UploadMetadata
from podhost.uploads.limits import Limits
from podhost.uploads.taking import MOST_ATTEMPTS, take_upload
from podhost.worker import run_due_jobs, run_next_beside, run_sweep
from tests.audio_files import lame
from tests.conftest import FrozenClock
from tests.making import make_show


@pytest.fixture
def clock() -> FrozenClock:
    """What is stored is dated by the machine, so these go by its time."""
    clock = FrozenClock()
    clock.time = datetime.now(UTC)
    return clock


@pytest.fixture
def show(instance: Instance) -> Show:
    return make_show(instance)


def begin(instance: Instance, show: Show, data: bytes) -> Upload:
    """An upload of which all parts are there."""
    given = NewUpload(filename="talk.mp3", metadata=UploadMetadata(show=show.slug), size=len(data))
    upload_id = begin_upload(
        instance.database,
        instance.storage,
        read_wanted(given),
        find_show=lambda session: session.get_one(Show, show.id),
        episode=None,
        limits=Limits.of(instance.settings),
        actor=None,
        now=instance.now(),
    )
    upload = row(instance, upload_id)
    path = instance.settings.data / "part"
    path.write_bytes(data)
    instance.storage.multiparts().put_part(
        upload.upload_key, upload.multipart_id, 1, path, sha256=hashlib.sha256(data).hexdigest()
    )
    return upload


def complete(instance: Instance, upload: Upload) -> None:
    complete_upload(
        instance.database,
        instance.storage,
        upload.id,
        [GivenPart(number=1)],
        limits=Limits.of(instance.settings),
        actor=None,
        now=instance.now(),
    )


def row(instance: Instance, upload_id: str) -> Upload:
    with instance.database.read() as session:
        return session.get_one(Upload, upload_id)


def count_episodes(instance: Instance) -> int:
    with instance.database.read() as session:
        return session.query(Episode).count()


def leftovers(storage: Storage) -> list[str]:
    return [
        *(stat.key for stat in storage.list("uploads/")),
        *(each.key for each in storage.multiparts().list_open()),
    ]


class Deadly:
    """A storage before whose call number `count` the program is killed."""

    def __init__(self, storage: Any, count: int) -> None:
        self._storage = storage
        self._left = [count]

    def multiparts(self) -> Any:
        deadly = Deadly(self._storage.multiparts(), 0)
        deadly._left = self._left
        return deadly

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._storage, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if self._left[0] == 0:
                os._exit(9)
            self._left[0] -= 1
            return found(*arguments, **options)

        return call


def take_and_die(environment: dict[str, str], upload_id: str, count: int) -> bool:
    """In a process of its own: whether it was killed before it was done."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    try:
        instance = open_instance(read_settings(environment))
        take_upload(
            instance.database,
            Deadly(instance.storage, count),  # type: ignore[arg-type]
            upload_id,
            base_url=instance.base_url,
            now=instance.now,
        )
    finally:
        os._exit(0)


def killed_takings(instance: Instance, environment: dict[str, str], show: Show) -> Iterator[Upload]:
    for count in range(100):
        upload = begin(instance, show, lame(3 + count))
        complete(instance, upload)
        instance.database.close()
        was_killed = take_and_die(environment, upload.id, count)
        yield upload
        if not was_killed:
            assert count > 4
            return


def test_whatever_instant_it_is_killed_at_there_is_one_episode(
    instance: Instance, environment: dict[str, str], show: Show, clock: FrozenClock, long: bool
) -> None:
    if not long and "PODHOST_STORAGE" in environment:
        pytest.skip("only with --long")
    count = 0
    for count, upload in enumerate(killed_takings(instance, environment, show), start=1):
        run_due_jobs(instance)
        taken = row(instance, upload.id)
        assert (taken.state, taken.error) == ("ready", None)
        assert count_episodes(instance) == count
    clock.advance(days=2)
    remove_unneeded(instance.database, instance.storage, now=clock())
    assert leftovers(instance.storage) == []
    assert len([*instance.storage.list("audio/")]) == count


class Overtaken:
    """A storage whose user is so slow that somebody else does the same work meanwhile."""

    def __init__(self, storage: Storage, meanwhile: Callable[[], None]) -> None:
        self._storage = storage
        self._meanwhile = meanwhile

    def put_file(self, key: str, path: Path, **options: Any) -> int:
        self._meanwhile()
        return self._storage.put_file(key, path, **options)

    def copy(self, source_key: str, target_key: str, **options: Any) -> None:
        self._storage.copy(source_key, target_key, **options)
        self._meanwhile()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


def test_of_two_workers_who_take_the_same_upload_one_makes_the_episode(
    instance: Instance, show: Show
) -> None:
    upload = begin(instance, show, lame(3))
    complete(instance, upload)

    def take(storage: Any) -> None:
        take_upload(
            instance.database,
            storage,
            upload.id,
            base_url=instance.base_url,
            now=instance.now,
        )

    take(Overtaken(instance.storage, lambda: take(instance.storage)))
    assert row(instance, upload.id).state == "ready"
    assert count_episodes(instance) == 1
    assert len([*instance.storage.list("audio/")]) == 1


def test_a_draft_that_was_uploaded_gets_its_waveform_by_itself(
    instance: Instance, show: Show
) -> None:
    upload = begin(instance, show, lame(3))
    complete(instance, upload)
    run_due_jobs(instance)
    assert run_next_beside(instance, owner="worker")
    with instance.database.read() as session:
        audio = session.get_one(Episode, row(instance, upload.id).episode_id).audio
    assert audio is not None
    assert find_waveform(instance.storage, waveform_key(audio)) is not None


def test_a_job_that_was_lost_is_enqueued_again(instance: Instance, show: Show) -> None:
    upload = begin(instance, show, lame(3))
    complete(instance, upload)
    with instance.database.write() as session:
        session.query(Job).delete()
    run_sweep(instance)
    run_due_jobs(instance)
    assert row(instance, upload.id).state == "ready"


def test_a_storage_that_is_away_is_waited_for(instance: Instance, show: Show) -> None:
    upload = begin(instance, show, lame(3))
    complete(instance, upload)

    class Away:
        def multiparts(self) -> Any:
            raise Unavailable("The storage does not answer.")

    with pytest.raises(Unavailable):
        take_upload(
            instance.database,
            Away(),  # type: ignore[arg-type]
            upload.id,
            base_url=instance.base_url,
            now=instance.now,
        )
    assert row(instance, upload.id).state == "probing"
    run_due_jobs(instance)
    assert row(instance, upload.id).state == "ready"


def test_a_storage_that_lost_the_file_refuses_it(instance: Instance, show: Show) -> None:
    upload = begin(instance, show, lame(3))
    complete(instance, upload)
    instance.storage.multiparts().abort(upload.upload_key, upload.multipart_id)
    run_due_jobs(instance)
    lost = row(instance, upload.id)
    assert lost.state == "refused"
    assert "upload it again" in (lost.error or "")


def test_what_nobody_goes_on_with_is_removed_after_a_week(
    instance: Instance, show: Show, clock: FrozenClock
) -> None:
    old = begin(instance, show, b"some")
    clock.advance(days=6)
    remove_unneeded(instance.database, instance.storage, now=clock())
    assert row(instance, old.id).state == "uploading"
    assert len(list_parts(instance.storage, old)) == 1
    clock.advance(days=1, hours=1)
    remove_unneeded(instance.database, instance.storage, now=clock())
    removed = row(instance, old.id)
    assert removed.state == "aborted"
    assert "7 days" in (removed.error or "")
    assert leftovers(instance.storage) == []
    with pytest.raises(Gone, match="7 days"):
        complete(instance, old)
    clock.advance(days=8)
    remove_unneeded(instance.database, instance.storage, now=clock())
    with instance.database.read() as session:
        assert session.query(Upload).count() == 0


def test_one_that_is_slow_is_left_alone(instance: Instance, show: Show, clock: FrozenClock) -> None:
    upload = begin(instance, show, b"some")
    with instance.database.write() as session:
        # It was begun long ago, and a part came now.
        session.get_one(Upload, upload.id).created_at = clock() - timedelta(days=9)
    remove_unneeded(instance.database, instance.storage, now=clock())
    assert row(instance, upload.id).state == "uploading"


def test_what_a_kill_left_without_a_row_goes_after_a_day(
    instance: Instance, show: Show, clock: FrozenClock, tmp_path: Path
) -> None:
    remove_unneeded(instance.database, instance.storage, now=clock())
    multiparts = instance.storage.multiparts()
    multiparts.create("uploads/00000000000000aa", content_type="")
    instance.storage.put_bytes("uploads/00000000000000bb", b"x", content_type="")
    open_one = begin(instance, show, b"some")
    received = begin(instance, show, lame(3))
    complete(instance, received)
    assert len(leftovers(instance.storage)) == 4
    clock.advance(days=2)
    remove_unneeded(instance.database, instance.storage, now=clock())
    assert {*leftovers(instance.storage)} == {open_one.upload_key, received.upload_key}


def test_a_file_that_ends_the_worker_each_time_is_refused_and_kept_for_a_day(
    instance: Instance, show: Show, clock: FrozenClock
) -> None:
    upload = begin(instance, show, lame(3))
    complete(instance, upload)
    with instance.database.write() as session:
        session.get_one(Upload, upload.id).parts = ["nonsense"]
    for _ in range(MOST_ATTEMPTS + 1):
        assert row(instance, upload.id).state in ("received", "probing")
        run_due_jobs(instance)
        clock.advance(minutes=5)
    refused = row(instance, upload.id)
    assert refused.state == "refused"
    assert "log of the worker" in (refused.error or "")
    assert len(leftovers(instance.storage)) == 1
    with instance.database.read() as session:
        assert session.query(Job).filter_by(kind="take_upload").count() == 0
