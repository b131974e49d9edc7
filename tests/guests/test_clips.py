"""Clips and pictures that guests share, made by real jobs, on both pairs of engines."""

import io
from pathlib import Path

import av
import pytest
from PIL import Image
from sqlalchemy import select

from podhost.artwork import add_artwork, prepare_artwork
from podhost.audio.revisions import PreparedAudio, prepare_audio_file
from podhost.checks import check_instance
from podhost.episodes import EpisodeInput, change_episode
from podhost.errors import Conflict, Invalid
from podhost.formats import share_pictures as drawing
from podhost.guests.clips import MOST_CLIPS, create_clip, delete_clip, list_clips, make_clip
from podhost.guests.links import create_link, open_link
from podhost.guests.share_pictures import list_pictures, stale_link_ids
from podhost.instance import Instance
from podhost.models import Clip, Episode, GuestLink, Show
from podhost.people import CreditInput
from podhost.shows import get_show, set_show_artwork
from podhost.sweep import find_orphans
from podhost.worker import run_due_jobs, run_sweep
from tests.audio_files import m4a
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show


def make_published(instance: Instance, audio: Path, **given: object) -> tuple[Show, Episode, str]:
    show = make_show(instance)
    guests = [CreditInput(name="Ann Ocean")]
    episode = make_episode(instance, show, audio, guests=guests, **given)  # type: ignore[arg-type]
    with instance.database.write() as session:
        row = session.get_one(Episode, episode.id)
        person_id = row.credits[0].person_id
        secret = create_link(session, row, person_id, now=instance.now())[1]
        # Nothing to draw, in tests of audio.
        row.show.artwork_id = None
    return show, episode, secret


def ask(instance: Instance, secret: str, start_ms: int, end_ms: int) -> Clip:
    with instance.database.write() as session:
        guest = open_link(session, secret, is_preview=False, now=instance.now())
        return create_clip(session, guest, start_ms, end_ms, now=instance.now())


def clips_of(instance: Instance, secret: str) -> list[Clip]:
    with instance.database.read() as session:
        guest = open_link(session, secret, is_preview=False, now=instance.now())
        return list(list_clips(session, guest.link))


def sound_of(data: bytes) -> tuple[float, str]:
    """How long it really is, in seconds, and in which coding."""
    with av.open(io.BytesIO(data)) as file:
        stream = file.streams.audio[0]
        samples = sum(frame.samples for frame in file.decode(stream))
        return samples / stream.codec_context.sample_rate, stream.codec_context.name


@pytest.mark.parametrize("kind", ["mp3", "m4a"])
def test_it_cuts_the_part_that_was_asked_for(
    instance: Instance, mp3: Path, tmp_path: Path, kind: str
) -> None:
    source = mp3
    if kind == "m4a":
        source = tmp_path / "hello.m4a"
        source.write_bytes(m4a())
    _, episode, secret = make_published(instance, source)
    asked = ask(instance, secret, 200, 1700)
    # The same again is the same one.
    assert ask(instance, secret, 200, 1700).id == asked.id

    run_due_jobs(instance)

    (clip,) = clips_of(instance, secret)
    assert (clip.status, clip.problem) == ("done", None)
    assert clip.storage_key is not None
    with instance.storage.open(clip.storage_key) as stored:
        data = stored.readall()
    seconds, codec = sound_of(data)
    assert abs(seconds - 1.5) < 0.06 and codec.startswith("mp3")
    assert (len(data), clip.mime_type) == (clip.size_bytes, "audio/mpeg")
    assert episode.audio is not None


def test_it_cuts_the_right_place(instance: Instance, tmp_path: Path) -> None:
    # Silence, and a tone from the fourth second on.
    import math
    import struct

    from tests.audio_files import RATE

    samples = [
        0 if second < 4 else round(8000 * math.sin(2 * math.pi * 440 * place / RATE))
        for second in range(8)
        for place in range(RATE)
    ]
    import lameenc

    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_in_sample_rate(RATE)
    encoder.set_channels(1)
    encoder.set_quality(7)
    encoder.set_bit_rate(64)
    path = tmp_path / "tone.mp3"
    path.write_bytes(
        bytes(encoder.encode(struct.pack(f"<{len(samples)}h", *samples)) + encoder.flush())
    )
    _, _, secret = make_published(instance, path)
    for start_ms in (1000, 5000):
        ask(instance, secret, start_ms, start_ms + 2000)

    run_due_jobs(instance)

    loudness = {}
    for clip in clips_of(instance, secret):
        with instance.storage.open(str(clip.storage_key)) as stored:
            loudness[clip.start_ms] = loudest(stored.readall())
    assert loudness[1000] < 0.01 < 0.2 < loudness[5000]


def loudest(data: bytes) -> float:
    with av.open(io.BytesIO(data)) as file:
        return max(float(abs(frame.to_ndarray()).max()) for frame in file.decode(audio=0))


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "sentence"),
    [
        (2000, 2000, "end after it begins"),
        (-1, 2000, "end after it begins"),
        (2000, 1000, "end after it begins"),
        (0, 999, "a second at least"),
        (5000, 20_000, "before the episode does"),
    ],
)
def test_it_refuses_what_is_no_part_of_the_episode(
    instance: Instance, mp3: Path, start_ms: int, end_ms: int, sentence: str
) -> None:
    _, _, secret = make_published(instance, mp3)

    with pytest.raises(Invalid, match=sentence):
        ask(instance, secret, start_ms, end_ms)
    assert clips_of(instance, secret) == []


def test_it_makes_clips_of_what_is_out_only_and_not_without_end(
    instance: Instance, prepared: PreparedAudio
) -> None:
    _, _, secret = make_published(instance, prepared, publish=False)  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="once the episode is out"):
        ask(instance, secret, 0, 2000)
    with instance.database.write() as session:
        session.scalars(select(Episode)).one().status = "published"
    for number in range(MOST_CLIPS):
        ask(instance, secret, number, number + 2000)
    with pytest.raises(Conflict, match="delete one"):
        ask(instance, secret, 5000, 8000)
    with instance.database.write() as session:
        delete_clip(session, session.scalars(select(Clip).limit(1)).one())
    ask(instance, secret, 5000, 8000)


@pytest.fixture
def prepared(instance: Instance, mp3: Path) -> PreparedAudio:
    return prepare_audio_file(instance.storage, mp3)


def test_a_clip_that_nobody_wants_any_more_leaves_nothing(
    instance: Instance, mp3: Path, clock: FrozenClock
) -> None:
    _, _, secret = make_published(instance, mp3)
    clip = ask(instance, secret, 0, 2000)
    run_due_jobs(instance)
    make_clip(instance.database, instance.storage, clip.id)
    clock.advance(days=400)
    assert find_orphans(instance.database, instance.storage, now=instance.now()) == []

    with instance.database.write() as session:
        delete_clip(session, session.get_one(Clip, clip.id))
    make_clip(instance.database, instance.storage, clip.id)

    (orphan,) = find_orphans(instance.database, instance.storage, now=instance.now())
    assert orphan.startswith("clips/")


def give_artwork(instance: Instance, show: Show, folder: Path, colour: str = "teal") -> None:
    Image.new("RGB", (1400, 1400), colour).save(folder / "artwork.png")
    prepared = prepare_artwork(instance.storage, folder / "artwork.png")
    with instance.database.write() as session:
        locked = get_show(session, show.slug, lock=True)
        artwork = add_artwork(session, prepared, now=instance.now())
        set_show_artwork(session, locked, artwork, now=instance.now())


def test_it_draws_pictures_anew_when_what_is_seen_changes(
    instance: Instance, mp3: Path, tmp_path: Path, clock: FrozenClock
) -> None:
    show, episode, secret = make_published(instance, mp3)
    give_artwork(instance, show, tmp_path)
    run_due_jobs(instance)

    def pictures() -> dict[str, str]:
        with instance.database.read() as session:
            link = open_link(session, secret, is_preview=False, now=instance.now()).link
            return {row.shape: row.storage_key for row in list_pictures(session, link)}

    first = pictures()
    assert [*first] == ["wide", "square"]
    for shape, key in first.items():
        with instance.storage.open(key) as stored, Image.open(stored) as picture:
            assert (picture.format, picture.size) == ("JPEG", drawing.SHAPES[shape])

    # Something else changes: nothing is drawn.
    clock.advance(minutes=1)
    change(instance, episode, EpisodeInput(notes="Hello."))
    run_sweep(instance)
    run_due_jobs(instance)
    assert pictures() == first
    with instance.database.read() as session:
        assert stale_link_ids(session) == []

    clock.advance(minutes=1)
    change(instance, episode, EpisodeInput(title="High water"))
    run_sweep(instance)
    run_due_jobs(instance)
    second = pictures()
    assert set(second.values()).isdisjoint(first.values())
    problems, _ = check_instance(instance, progress=lambda *_: None)
    assert not [problem for problem in problems if "shared" in problem]
    instance.storage.delete(second["wide"])
    problems, _ = check_instance(instance, progress=lambda *_: None)
    assert any("What is shared" in problem and second["wide"] in problem for problem in problems)
    # What nobody can see is not drawn.
    with instance.database.write() as session:
        session.scalars(select(GuestLink)).one().revoked_at = instance.now()
        assert stale_link_ids(session) == []


def change(instance: Instance, episode: Episode, given: EpisodeInput) -> None:
    with instance.database.write() as session:
        row = session.get_one(Episode, episode.id)
        change_episode(session, row, given, now=instance.now())


@pytest.mark.parametrize(
    "title",
    ["", "Low water", "W" * 3000, "Lo que el mar se llevó " * 30, "🎙" * 5, "\u202e\u0301\u200d"],
)
def test_a_picture_is_drawn_whatever_the_title(tmp_path: Path, title: str) -> None:
    artwork = tmp_path / "artwork.jpg"
    Image.new("RGB", (150, 150), "white").save(artwork)

    drawing.draw_payload(
        {
            "artwork": str(artwork),
            "folder": str(tmp_path),
            "title": title,
            "show_title": "Ñandú",
            "name": "Ann",
        }
    )

    with Image.open(tmp_path / "wide.jpg") as picture:
        assert picture.size == (1200, 630)
        ground = picture.getpixel((2, 2))
        assert isinstance(ground, tuple)
        # White letters are read on it, though the artwork is white.
        assert max(ground) < 80
