"""Files on their way in are taken back when no row came to know them, and only then."""

from pathlib import Path

import pytest

from podhost.episodes import EpisodeInput, create_episode
from podhost.errors import Conflict, Invalid
from podhost.instance import Instance
from podhost.shows import get_show
from podhost.uploads.intake import Intake, delete_quietly
from tests.making import make_show

VTT = b"WEBVTT\n\n00:00.000 --> 00:02.000\nLow tide.\n"


def stored(instance: Instance) -> list[str]:
    return [stat.key for stat in instance.storage.list()]


def received(tmp_path: Path, mp3: Path) -> Path:
    path = tmp_path / "received.mp3"
    path.write_bytes(mp3.read_bytes())
    return path


def test_files_without_a_row_are_taken_back(instance: Instance, tmp_path: Path, mp3: Path) -> None:
    with (
        pytest.raises(Conflict),
        Intake(instance.database, instance.storage) as intake,
    ):
        intake.audio(received(tmp_path, mp3), file_name="a.mp3", sha256="0" * 64)
        intake.transcripts(VTT, "a.vtt", language=None)
        assert len(stored(instance)) == 6, "a transcript has five forms"
        raise Conflict("The guid is taken.")
    assert stored(instance) == []


def test_a_file_whose_row_was_written_stays_although_the_answer_was_lost(
    instance: Instance, tmp_path: Path, mp3: Path
) -> None:
    make_show(instance)
    with (
        pytest.raises(ConnectionError),
        Intake(instance.database, instance.storage) as intake,
    ):
        audio = intake.audio(received(tmp_path, mp3), file_name="a.mp3", sha256="0" * 64)
        intake.transcripts(VTT, "a.vtt", language=None)
        with instance.database.write() as session:
            show = get_show(session, "tide-tables", lock=True)
            create_episode(session, show, EpisodeInput(), audio, now=instance.now())
        raise ConnectionError("the answer to the commit was lost")
    assert stored(instance) == [audio.storage_key]


def test_where_it_cannot_look_it_takes_nothing_back_and_hides_nothing(
    instance: Instance, tmp_path: Path, mp3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> None:
        raise ConnectionError("the database is away")

    with (
        pytest.raises(Invalid),
        Intake(instance.database, instance.storage) as intake,
    ):
        audio = intake.audio(received(tmp_path, mp3), file_name="a.mp3", sha256="0" * 64)
        monkeypatch.setattr(instance.database, "read", unreachable)
        raise Invalid("What the caller must see.")
    assert stored(instance) == [audio.storage_key]


def test_deleting_what_is_of_no_more_use_never_fails(instance: Instance) -> None:
    instance.storage.put_bytes("incoming/a", b"a", content_type="audio/mpeg")
    delete_quietly(instance.storage, ["NOT A KEY", "incoming/a", "incoming/none"])
    assert stored(instance) == []
