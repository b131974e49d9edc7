"""Waveforms are made once, in the background, and are never what anything else depends on."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from podhost import sweep
from podhost.audio.revisions import prepare_audio_file
from podhost.audio.waveforms import find_waveform, make_waveform, request_waveform, waveform_key
from podhost.backup import may_be_kept
from podhost.episodes import get_episode, replace_audio
from podhost.instance import Instance
from podhost.models import Audio, Episode
from podhost.shows import get_show
from podhost.worker import run_next_beside
from tests.audio_files import lame
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show


@pytest.fixture
def episode(instance: Instance, mp3: Path) -> Episode:
    return make_episode(instance, make_show(instance), mp3, publish=False)


def current(instance: Instance, episode: Episode) -> Audio:
    with instance.database.read() as session:
        audio = session.get_one(Episode, episode.id).audio
        assert audio is not None
        return audio


def request(instance: Instance, episode: Episode) -> None:
    with instance.database.write() as session:
        request_waveform(session, session.get_one(Episode, episode.id), now=instance.now())


def test_a_worker_makes_it_once(instance: Instance, episode: Episode) -> None:
    request(instance, episode)
    request(instance, episode)
    assert run_next_beside(instance, owner="worker")
    assert not run_next_beside(instance, owner="worker")
    key = waveform_key(current(instance, episode))
    found = find_waveform(instance.storage, key)
    assert found is not None
    assert len(found.peaks) == found.duration_ms // 10
    before = instance.storage.find_stat(key)
    make_waveform(instance.database, instance.storage, current(instance, episode).id)
    assert instance.storage.find_stat(key) == before


def test_a_copy_with_tags_has_the_waveform_of_its_upload(
    instance: Instance, episode: Episode
) -> None:
    audio = current(instance, episode)
    copy = Audio(id="copy", original_id=audio.id)
    assert waveform_key(copy) == waveform_key(audio)


def test_what_cannot_be_decoded_is_not_tried_again(instance: Instance, episode: Episode) -> None:
    audio = current(instance, episode)
    instance.storage.put_bytes(
        audio.storage_key, b"no sound " * 900, content_type="audio/mpeg", overwrite=True
    )
    make_waveform(instance.database, instance.storage, audio.id)
    found = find_waveform(instance.storage, waveform_key(audio))
    assert found is not None
    assert found.peaks == []


def test_missing_audio_leaves_nothing_behind(instance: Instance, episode: Episode) -> None:
    audio = current(instance, episode)
    instance.storage.delete(audio.storage_key)
    make_waveform(instance.database, instance.storage, audio.id)
    make_waveform(instance.database, instance.storage, "unknown")
    assert [*instance.storage.list("waveforms/")] == []


def test_one_of_another_version_is_made_anew(instance: Instance, episode: Episode) -> None:
    audio = current(instance, episode)
    old = json.dumps({"version": 0, "duration_ms": 1, "peaks": [1]}).encode()
    instance.storage.put_bytes(
        waveform_key(audio), old, content_type="application/json", overwrite=True
    )
    assert find_waveform(instance.storage, waveform_key(audio)) is None
    make_waveform(instance.database, instance.storage, audio.id)
    assert find_waveform(instance.storage, waveform_key(audio)) is not None


def test_it_goes_when_its_audio_goes(
    instance: Instance, episode: Episode, clock: FrozenClock, tmp_path: Path
) -> None:
    audio = current(instance, episode)
    make_waveform(instance.database, instance.storage, audio.id)
    key = waveform_key(audio)
    later = instance.now() + timedelta(days=400)
    assert key not in sweep.find_orphans(instance.database, instance.storage, now=later)
    other = tmp_path / "other.mp3"
    other.write_bytes(lame(5))
    prepared = prepare_audio_file(instance.storage, other)
    with instance.database.write() as session:
        show = get_show(session, episode.show.slug, lock=True)
        replace_audio(session, get_episode(session, show, episode.id), prepared, now=instance.now())
    assert key not in sweep.find_orphans(instance.database, instance.storage, now=later)
    clock.time = later
    sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    assert instance.storage.find_stat(key) is None
    assert [stat.key for stat in instance.storage.list("waveforms/")] == []


def test_a_backup_leaves_out_what_can_be_made_again(instance: Instance, episode: Episode) -> None:
    assert not may_be_kept(waveform_key(current(instance, episode)))
