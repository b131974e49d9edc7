"""Pictures of chapters inside audio files are hosted here, and never fail an upload."""

import io
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mutagen import id3
from PIL import Image

from podhost import sweep
from podhost.audio.revisions import prepare_audio_file
from podhost.catalogue import Catalogue
from podhost.chapters import pictures as chapter_pictures
from podhost.chapters.rows import ChapterInput
from podhost.checks import check_instance
from podhost.episodes import get_episode, replace_audio
from podhost.errors import Unavailable
from podhost.instance import Instance
from podhost.models import Artwork, Episode
from podhost.shows import get_show
from podhost.uploads.intake import Intake
from tests.audio_files import lame, with_id3
from tests.conftest import FrozenClock
from tests.making import feed_body, make_episode, make_show


def picture(colour: str, side: int = 40, width: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width or side, side), colour).save(file, "PNG")
    return file.getvalue()


def cover(data: bytes) -> id3.APIC:
    return id3.APIC(encoding=3, mime="image/png", type=3, desc="", data=data)


def chapter(second: int, data: bytes | None = None) -> id3.CHAP:
    """A chapter of one second, with a picture."""
    frames: list[id3.Frame] = [id3.TIT2(encoding=3, text=f"At {second}")]
    frames += [cover(data)] if data is not None else []
    return id3.CHAP(
        element_id=f"c{second}",
        start_time=second * 1000,
        end_time=(second + 1) * 1000,
        start_offset=0xFFFFFFFF,
        end_offset=0xFFFFFFFF,
        sub_frames=frames,
    )


def sound(tmp_path: Path, *frames: id3.Frame, seconds: int = 10) -> Path:
    path = tmp_path / f"{len([*tmp_path.iterdir()])}.mp3"
    path.write_bytes(with_id3(lame(seconds), *frames))
    return path


def shown(instance: Instance, episode: Episode) -> list[str | None]:
    """The pictures of the chapters as apps get them."""
    body = Catalogue(instance).load_side_file(f"/chapters/{episode.id}.json").body
    assert body is not None
    return [entry.get("img") for entry in json.loads(body)["chapters"]]


def replace(instance: Instance, episode: Episode, path: Path) -> None:
    prepared = prepare_audio_file(instance.storage, path)
    with instance.database.write() as session:
        row = get_episode(session, get_show(session, episode.show.slug, lock=True), episode.id)
        replace_audio(session, row, prepared, now=instance.now())


def pictures(instance: Instance) -> set[str]:
    """The ids of the pictures in the storage."""
    return {stat.key.split("/")[1] for stat in instance.storage.list("artwork/")}


def test_apps_get_the_pictures_from_here_and_equal_ones_are_stored_once(
    instance: Instance, tmp_path: Path
) -> None:
    wide = picture("navy", 600, width=900)
    path = sound(
        tmp_path, chapter(0, wide), chapter(2), chapter(4, picture("red")), chapter(6, wide)
    )
    episode = make_episode(instance, make_show(instance), path)
    first, none, red, again = shown(instance, episode)
    assert first is not None and red is not None
    assert first == again != red and none is None
    for url in (first, red):
        assert url.startswith("https://pod.example/artwork/")
        with instance.storage.open(urlsplit(url).path[1:]) as reader:
            assert reader.read(3) == b"\xff\xd8\xff"
    # The smallest one that fills a telephone.
    assert first.endswith("/600.jpg") and red.endswith("/40.jpg")
    assert len(pictures(instance)) == 2


def test_a_cover_that_is_a_chapters_picture_too_is_one_picture(
    instance: Instance, tmp_path: Path
) -> None:
    data = picture("olive", 1400)
    episode = make_episode(
        instance, make_show(instance), sound(tmp_path, cover(data), chapter(0, data))
    )
    assert shown(instance, episode) == [f"https://pod.example/artwork/{episode.artwork_id}/600.jpg"]
    assert pictures(instance) == {episode.artwork_id}


def test_all_pictures_together_have_a_time_limit(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chapter_pictures, "PICTURES_SECONDS", 0.0)
    path = sound(tmp_path, chapter(0, picture("red")), chapter(2, picture("navy")))
    episode = make_episode(instance, make_show(instance), path)
    assert episode.audio is not None
    assert episode.audio.warnings == [chapter_pictures.TOO_SLOW]
    assert shown(instance, episode) == [None, None]
    assert not pictures(instance)


def test_what_is_no_usable_picture_is_left_out_with_one_warning(
    instance: Instance, tmp_path: Path
) -> None:
    whole = picture("red")
    path = sound(
        tmp_path,
        chapter(0, whole[:30]),
        chapter(2, whole[:31]),
        chapter(4, b"no picture"),
        chapter(6, whole),
    )
    episode = make_episode(instance, make_show(instance), path)
    assert [url is not None for url in shown(instance, episode)] == [False, False, False, True]
    assert episode.audio is not None
    assert episode.audio.warnings == [chapter_pictures.UNUSABLE]
    assert len(pictures(instance)) == 1


def test_only_so_many_pictures_are_kept(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chapter_pictures, "PICTURE_LIMIT", 2)
    colours = ("red", "navy", "olive", "red")
    path = sound(tmp_path, *(chapter(at, picture(colour)) for at, colour in enumerate(colours)))
    episode = make_episode(instance, make_show(instance), path)
    assert [url is not None for url in shown(instance, episode)] == [True, True, False, True]
    assert episode.audio is not None
    assert episode.audio.warnings == [chapter_pictures.TOO_MANY]


def test_a_hosts_own_chapters_get_no_pictures_from_the_tags(
    instance: Instance, tmp_path: Path
) -> None:
    own = [
        ChapterInput(start_seconds=0, title="At 0"),
        ChapterInput(start_seconds=5, title="Own", image_url="https://img.example/a.png"),
    ]
    path = sound(tmp_path, chapter(0, picture("red")), chapter(5, picture("navy")))
    episode = make_episode(instance, make_show(instance), path, chapters=own)
    assert shown(instance, episode) == [None, "https://img.example/a.png"]


def test_new_audio_brings_its_own_pictures(
    instance: Instance, tmp_path: Path, clock: FrozenClock
) -> None:
    red, navy = picture("red"), picture("navy")
    episode = make_episode(instance, make_show(instance), sound(tmp_path, chapter(0, red)))
    before = shown(instance, episode)
    # The same chapter, with another picture.
    replace(instance, episode, sound(tmp_path, chapter(0, navy)))
    after = shown(instance, episode)
    assert after != before and after[0] is not None
    replace(instance, episode, sound(tmp_path, chapter(0, red), chapter(5, navy)))
    # Both are stored already.
    assert shown(instance, episode) == [*before, *after]
    # Sound without chapters leaves those that there are, as far as it goes.
    replace(instance, episode, sound(tmp_path, seconds=4))
    assert shown(instance, episode) == before
    # For so long, what was there before can be had back.
    clock.advance(days=31)
    sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    with instance.database.read() as session:
        left = {row.id for row in session.query(Artwork)} - {episode.show.artwork_id}
    assert left == {urlsplit(str(before[0])).path.split("/")[2]}


def test_pictures_are_taken_back_with_their_audio(instance: Instance, tmp_path: Path) -> None:
    path = sound(tmp_path, cover(picture("red", 1400)), chapter(0, picture("navy")))
    with (
        pytest.raises(ConnectionError),
        Intake(instance.database, instance.storage) as intake,
    ):
        intake.keep_audio(prepare_audio_file(instance.storage, path))
        assert len(pictures(instance)) == 2
        raise ConnectionError("the database went away")
    assert [*instance.storage.list()] == []


def test_nothing_stays_when_the_storage_fails_between_two_pictures(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sound(tmp_path, chapter(0, picture("red")), chapter(5, picture("navy")))
    put_file, put = instance.storage.put_file, []

    def fail_late(key: str, *args: object, **options: object) -> object:
        if len(put) == 2:
            raise Unavailable("The disk is full.")
        put.append(key)
        return put_file(key, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(instance.storage, "put_file", fail_late)
    with pytest.raises(Unavailable):
        prepare_audio_file(instance.storage, path)
    assert len(put) == 2 and [*instance.storage.list()] == []


def test_a_missing_chapter_picture_is_noticed(instance: Instance, tmp_path: Path) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, sound(tmp_path, chapter(0, picture("red"))))
    feed_body(instance, show)
    key = urlsplit(str(shown(instance, episode)[0])).path[1:]

    def missing() -> bool:
        problems, _ = check_instance(instance, progress=lambda done, total: None)
        return any(key in problem for problem in problems)

    assert not missing()
    instance.storage.delete(key)
    assert missing()
