"""`podhost check`: says nothing where all is well, and names what is not."""

import threading
from pathlib import Path

import pytest

from podhost.checks import check_instance
from podhost.instance import Instance
from podhost.models import Audio, Episode, JsonSnapshot, Snapshot
from podhost.worker import run_due_jobs
from tests.conftest import FrozenClock
from tests.making import feed_body, make_episode, make_show


@pytest.fixture
def sound(instance: Instance, mp3: Path) -> Episode:
    """A published episode of a rendered show whose artwork is really there."""
    show = make_show(instance)
    assert show.artwork is not None
    instance.storage.put_bytes(
        f"artwork/{show.artwork.id}/3000.jpg", b"x", content_type="image/jpeg"
    )
    episode = make_episode(instance, show, mp3)
    feed_body(instance, show)
    return episode


def problems(instance: Instance) -> list[str]:
    found, _ = check_instance(instance, progress=lambda done, total: None)
    return found


def test_a_sound_instance_has_no_problems(instance: Instance, sound: Episode) -> None:
    found, sentence = check_instance(instance, progress=lambda done, total: None)
    assert found == []
    assert "1 show, 1 files" in sentence


def test_progress_reaches_the_end(instance: Instance, sound: Episode) -> None:
    seen: list[tuple[int, int]] = []
    check_instance(instance, progress=lambda done, total: seen.append((done, total)))
    assert seen and seen[-1][0] == seen[-1][1] > 0


def test_a_missing_file_is_named(instance: Instance, sound: Episode) -> None:
    assert sound.audio is not None
    instance.storage.delete(sound.audio.storage_key)
    assert any("is not in the storage" in problem for problem in problems(instance))


def test_other_bytes_of_the_same_length_are_noticed(instance: Instance, sound: Episode) -> None:
    assert sound.audio is not None
    key, size = sound.audio.storage_key, sound.audio.size_bytes
    instance.storage.put_bytes(key, bytes(size), content_type="audio/mpeg", overwrite=True)
    assert any("other bytes" in problem for problem in problems(instance))


def test_another_length_is_noticed(instance: Instance, sound: Episode) -> None:
    assert sound.audio is not None
    key = sound.audio.storage_key
    instance.storage.put_bytes(key, b"short", content_type="audio/mpeg", overwrite=True)
    assert any("5 bytes in the storage" in problem for problem in problems(instance))


def test_missing_artwork_is_noticed(instance: Instance, sound: Episode) -> None:
    assert sound.show.artwork is not None
    instance.storage.delete(f"artwork/{sound.show.artwork.id}/3000.jpg")
    assert any("Artwork" in problem for problem in problems(instance))


def test_a_feed_that_lags_behind_is_noticed(instance: Instance, sound: Episode, mp3: Path) -> None:
    make_episode(instance, sound.show, mp3, "High water")
    assert any("has not been rendered" in problem for problem in problems(instance))
    run_due_jobs(instance)
    assert problems(instance) == []


def test_a_feed_that_a_worker_has_in_hand_is_waited_for(
    instance: Instance, sound: Episode, mp3: Path
) -> None:
    make_episode(instance, sound.show, mp3, "High water")
    worker = threading.Timer(0.5, run_due_jobs, [instance])
    worker.start()
    found, _ = check_instance(instance, patience_seconds=30, progress=lambda done, total: None)
    worker.join()
    assert found == []


def test_a_feed_that_says_other_things_than_the_rows_is_noticed(
    instance: Instance, sound: Episode
) -> None:
    with instance.database.write() as session:
        audio = session.query(Audio).one()
        audio.duration_ms += 60_000
        episode = session.query(Episode).one()
        assert episode.published_at is not None
        episode.published_at = episode.published_at.replace(year=2020)
    found = problems(instance)
    assert any("seconds, which is wrong" in problem for problem in found)
    assert any("is dated" in problem for problem in found)


def test_a_damaged_snapshot_is_noticed(instance: Instance, sound: Episode) -> None:
    with instance.database.write() as session:
        session.query(Snapshot).one().sha256 = "0" * 64
        session.query(JsonSnapshot).one().sha256 = "0" * 64
    found = [problem for problem in problems(instance) if "damaged" in problem]
    assert [problem.split(" of ")[0] for problem in found] == ["JSON feed", "Feed"]


def test_an_old_orphan_is_noticed_and_a_young_one_is_not(
    instance: Instance, sound: Episode, clock: FrozenClock
) -> None:
    # Objects bear the real time, and this podhost lives long before it.
    instance.storage.put_bytes("audio/0000000000000000.mp3", b"x", content_type="audio/mpeg")
    assert problems(instance) == []
    clock.advance(days=3650)
    assert any("no row knows it" in problem for problem in problems(instance))
