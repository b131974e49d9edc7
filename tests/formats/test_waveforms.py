"""Waveforms show where audio is loud and where it is silent, whatever it is encoded with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from podhost.errors import Invalid
from podhost.formats.waveforms import LOUDEST, MOST_PEAKS, peaks_in_child, read_waveform
from tests import audio_files


def half_silent(codec: str, container: str, rate: int = 44100) -> bytes:
    """Four seconds of silence and four of a tone."""
    return audio_files.encode(codec, container, seconds=8, quiet_seconds=4, rate=rate)


def peaks(path: Path, kind: str, duration_ms: int) -> list[int]:
    return peaks_in_child({"path": str(path), "kind": kind, "duration_ms": duration_ms})


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("mp3", lambda: half_silent("libmp3lame", "mp3")),
        ("m4a", lambda: half_silent("aac", "ipod")),
        ("aac", lambda: half_silent("aac", "adts")),
        ("opus", lambda: half_silent("libopus", "opus", 48000)),
        ("flac", lambda: half_silent("flac", "flac")),
        ("wav", lambda: half_silent("pcm_s16le", "wav")),
        ("wav", lambda: half_silent("pcm_u8", "wav")),
        ("wav", lambda: half_silent("pcm_f32le", "wav")),
        ("aiff", lambda: half_silent("pcm_s16be", "aiff")),
    ],
)
def test_silence_is_flat_and_sound_is_high(
    tmp_path: Path, kind: str, make: Callable[[], bytes]
) -> None:
    path = tmp_path / "audio"
    path.write_bytes(make())
    found = peaks(path, kind, 8_000)
    # Ten milliseconds each.
    assert len(found) == 800
    assert max(found[20:370]) <= 20
    assert min(found[430:780]) >= LOUDEST // 2
    assert max(found) == LOUDEST


def test_the_number_of_peaks_does_not_grow_with_the_length(tmp_path: Path) -> None:
    path = tmp_path / "long.mp3"
    path.write_bytes(audio_files.lame(100))
    assert len(peaks(path, "mp3", 100_000)) == MOST_PEAKS
    # As if it were the first part of a day.
    long = peaks(path, "mp3", 24 * 3_600_000)
    assert len(long) == MOST_PEAKS
    assert long[:9] == [LOUDEST] * 9
    assert not any(long[10:])


def test_a_loud_right_channel_alone_is_seen(tmp_path: Path) -> None:
    # The tone of LAME's mono samples, read as two channels, is in both; silence is in neither.
    path = tmp_path / "stereo.mp3"
    path.write_bytes(audio_files.lame(4, channels=2))
    assert min(peaks(path, "mp3", 4_000)[20:350]) > LOUDEST // 2


def test_silence_alone_is_a_flat_line(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    path.write_bytes(audio_files.encode("pcm_s16le", "wav", seconds=2, quiet_seconds=2))
    assert set(peaks(path, "wav", 2_000)) == {0}


def test_it_is_made_in_a_child_process_of_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "whole.mp3"
    path.write_bytes(audio_files.lame(10))
    found = read_waveform(path, "mp3", 10_000)
    assert found.duration_ms == 10_000
    assert len(found.peaks) == 1_000


@pytest.mark.parametrize("kind", ["mp3", "m4a", "wav", "opus", "flac"])
def test_what_cannot_be_decoded_is_invalid(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "noise"
    path.write_bytes(b"no sound at all " * 500)
    with pytest.raises(Invalid):
        peaks(path, kind, 10_000)


def test_a_damaged_middle_leaves_the_rest_in_its_place(tmp_path: Path) -> None:
    whole = audio_files.lame(20)
    middle = len(whole) // 2
    path = tmp_path / "damaged.mp3"
    path.write_bytes(whole[:middle] + bytes(40_000) + whole[middle + 40_000 :])
    found = peaks(path, "mp3", 20_000)
    # Where it breaks off there is a click, which is louder than all the rest.
    assert min(found[20:900]) >= LOUDEST // 4
