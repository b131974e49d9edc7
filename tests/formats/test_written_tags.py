"""Tags written into real files: everything reads them back, and no bit of the sound is another."""

import datetime
import hashlib
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import msgspec
import mutagen
import pytest
from mutagen import id3
from PIL import Image

from podhost.errors import Invalid
from podhost.formats import written_tags
from podhost.formats.audio import Probe, decode_probe
from podhost.formats.probe import INDEX_LAST, probe_in_child
from podhost.formats.sound import Sound, read_sound
from podhost.formats.written_tags import Piece, WrittenChapter, WrittenTags, write_tags
from tests import audio_files as made

CHAPTERS = (
    WrittenChapter(start_ms=0, end_ms=30_000, title="Begrüßung"),
    WrittenChapter(start_ms=30_000, end_ms=70_000, title="潮汐", url="https://ann.example/%C3%A9"),
    WrittenChapter(start_ms=50_000, end_ms=70_000, title="Unlisted", is_hidden=True),
    WrittenChapter(start_ms=70_000, end_ms=100_000, title="Ende"),
)
TAGS = WrittenTags(
    title="Grüße — 潮汐",
    show="Tide Tables",
    artists=("Ann Guest", "Bo Lantern"),
    author="Pier Nine",
    date=datetime.date(2026, 3, 5),
    season=2,
    number=7,
    link="https://pod.example/tides/episodes/low-water",
    chapters=CHAPTERS,
)


@pytest.fixture(scope="session")
def cover(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cover") / "cover.jpg"
    Image.new("RGB", (600, 600), "navy").save(path)
    return path


@pytest.fixture
def tagged(tmp_path: Path, cover: Path) -> Callable[..., tuple[Path, Path]]:
    """Writes an upload and its tagged copy, and gives the paths of both."""

    def make(
        data: bytes, kind: str, tags: WrittenTags = TAGS, *, in_child: bool = False
    ) -> tuple[Path, Path]:
        folder = tmp_path / hashlib.sha256(data + repr(tags).encode()).hexdigest()[:8]
        (folder / "work").mkdir(parents=True)
        source, target = folder / f"upload.{kind}", folder / f"tagged.{kind}"
        source.write_bytes(data)
        if in_child:
            write_tags(source, target, tags, kind=kind, cover=cover, workdir=folder / "work")
        else:
            _write_here(source, target, tags, kind, cover)
        assert source.read_bytes() == data, "the upload is never touched"
        return source, target

    return make


def _write_here(source: Path, target: Path, tags: WrittenTags, kind: str, cover: Path) -> None:
    """What `write_tags` does, without the children that keep strangers' files at a distance."""
    workdir = source.with_name("work")
    question = {"path": str(source), "kind": kind, "workdir": str(workdir), "cover": str(cover)}
    planned = written_tags.plan_in_child({**question, "tags": msgspec.to_builtins(tags)})
    pieces = msgspec.convert(planned["pieces"], list[Piece])
    written_tags._assemble(source, target, pieces, workdir)
    assert written_tags.sound_in_child({"path": str(target), "kind": kind}) == planned["sound"]


def probed(path: Path) -> Probe:
    workdir = path.with_name(f"{path.stem}-pictures")
    workdir.mkdir(exist_ok=True)
    family = {".mp3": "mp3", ".m4a": "mp4"}[path.suffix]
    question = {"path": str(path), "workdir": str(workdir), "name": path.name, "family": family}
    return decode_probe(probe_in_child(question), workdir)


def packets(path: Path) -> tuple[str, int]:
    """What libavformat makes of the sound, which is the second judge: a hash of all packets, their
    times and the decoder's settings."""
    digest, count = hashlib.sha256(), 0
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        digest.update(stream.codec_context.extradata or b"")
        for packet in container.demux(stream):
            if packet.size:
                digest.update(bytes(packet) + f"{packet.pts} {packet.duration}".encode())
                count += 1
    return digest.hexdigest(), count


def old_tags(audio: bytes) -> bytes:
    """As another program left it: 2.4 with frames that 2.3 has not, ID3v1 and an APE tag."""
    chapter = id3.CHAP(
        element_id="x",
        start_time=30_000,
        end_time=40_000,
        sub_frames=[
            id3.TIT2(encoding=3, text="Old chapter"),
            id3.APIC(encoding=3, mime="image/jpeg", type=0, desc="", data=made.JPEG),
        ],
    )
    frames = (
        id3.TIT2(encoding=3, text="Old title"),
        id3.TDRC(encoding=3, text="1999-01-02T03:04"),
        id3.TXXX(encoding=3, desc="Mood", text="calm"),
        id3.TSOP(encoding=3, text="Guest, Ann"),
        id3.COMM(encoding=3, lang="eng", desc="", text="Mine"),
        id3.PRIV(owner="other@example.org", data=b"\x00\xff"),
        id3.RVA2(desc="track", channel=1, gain=-1.5, peak=0.5),
        id3.APIC(encoding=3, mime="image/jpeg", type=3, desc="", data=made.JPEG),
        id3.APIC(encoding=3, mime="image/png", type=20, desc="logo", data=made.PNG),
        chapter,
        id3.CTOC(element_id="toc", flags=3, child_element_ids=["x"], sub_frames=[]),
    )
    ape = made.ape_tag(Title="Old title", MP3GAIN_MINMAX="089,194")
    unknown = b"XFOO" + made.syncsafe(200) + b"\x00\x00" + bytes(range(200))
    tag, target = id3.ID3(), io.BytesIO()
    for frame in frames:
        tag.add(frame)
    # Without padding, behind which nothing would be read.
    tag.save(target, v1=0, padding=lambda _: 0)
    body = target.getvalue()[10:] + unknown
    v1 = b"TAG" + b"Old title".ljust(125, b"\x00")
    return made.id3_tag(4, 0, body) + audio + ape + v1


MP3 = {
    "cbr": made.mp3_cbr,
    "vbr": made.mp3_vbr,
    "bare": made.lame,
    "old tags": lambda: old_tags(made.mp3_vbr()),
    "v2.2": lambda: made.id3v22(made.lame()),
    "unsynchronised": lambda: made.id3_unsynchronised(made.lame()),
    "two tags": lambda: made.with_id3(made.with_id3(made.lame(), version=3), version=4),
}
M4A = {
    "index first": made.m4a,
    "index last": lambda: made.m4a(movflags=""),
    "with chapters": lambda: made.m4a(chapters=True),
    "with chapters, index last": lambda: made.m4a(chapters=True, movflags=""),
}


@pytest.mark.parametrize("name", MP3)
def test_an_mp3_says_all_and_sounds_the_same(tagged: Any, name: str, cover: Path) -> None:
    source, target = tagged(MP3[name](), "mp3")
    assert read_sound(source, "mp3") == read_sound(target, "mp3")
    assert packets(source) == packets(target)
    after = probed(target)
    said = after.tags
    assert (said.title, said.album, said.artist) == (TAGS.title, TAGS.show, "Ann Guest, Bo Lantern")
    assert (said.date, said.disc, said.track) == ("2026-03-05", 2, 7)
    assert said.genre == "Podcast"
    assert [(c.start_ms, c.end_ms, c.title, c.url, c.hidden) for c in after.chapters] == [
        (c.start_ms, c.end_ms, c.title, c.url, c.is_hidden) for c in CHAPTERS
    ]
    assert after.artwork_path is not None
    assert after.artwork_path.read_bytes() == cover.read_bytes()
    found = mutagen.File(target)
    assert found.tags.version == (2, 3, 0)
    assert found.tags["WOAF"].url == TAGS.link == found.tags["WXXX:"].url
    assert target.read_bytes()[-128:-125] != b"TAG", "what is half said at the end is taken away"


def test_what_others_wrote_into_an_mp3_stays(tagged: Any) -> None:
    _, target = tagged(old_tags(made.lame()), "mp3")
    tag = id3.ID3(target)
    assert tag["TXXX:Mood"].text == ["calm"] and tag["COMM::eng"].text == ["Mine"]
    assert tag["PRIV:other@example.org:\x00ÿ"].data == b"\x00\xff"
    assert tag["RVA2:track"].gain == -1.5 and tag["TSOP"].text == ["Guest, Ann"]
    assert b"XFOO" + (200).to_bytes(4, "big") in target.read_bytes()
    assert [(p.type, p.desc) for p in tag.getall("APIC")] == [(3, ""), (20, "logo")]
    assert "1999" not in str(tag["TDRC"]) and b"Old title" not in target.read_bytes()
    assert b"MP3GAIN_MINMAX" in target.read_bytes()[-200:]
    pictures = [c.sub_frames.getall("APIC") for c in tag.getall("CHAP") if c.start_time == 30_000]
    assert [p.data for p in pictures[0]] == [made.JPEG]


def test_chapters_stand_in_the_order_of_time(tagged: Any) -> None:
    _, target = tagged(made.lame(), "mp3")
    with av.open(str(target)) as container:
        found = [(c["start"], c["metadata"]["title"]) for c in container.chapters()]
    assert found == [(c.start_ms, c.title) for c in CHAPTERS]


def test_more_chapters_than_one_table_can_name_are_all_listed(tagged: Any) -> None:
    many = tuple(
        WrittenChapter(start_ms=n * 200, end_ms=n * 200 + 200, title=f"No. {n}") for n in range(300)
    )
    _, target = tagged(made.lame(), "mp3", WrittenTags(title="Many", show="S", chapters=many))
    found = probed(target).chapters
    assert len(found) == 300 and not any(chapter.hidden for chapter in found)


@pytest.mark.parametrize("name", M4A)
def test_an_m4a_says_all_and_sounds_the_same(tagged: Any, name: str, cover: Path) -> None:
    source, target = tagged(M4A[name](), "m4a")
    assert read_sound(source, "m4a") == read_sound(target, "m4a")
    assert packets(source) == packets(target)
    after = probed(target)
    assert (INDEX_LAST in after.warnings) == ("last" in name), "the index stays where it was"
    said = after.tags
    assert (said.title, said.album, said.artist) == (TAGS.title, TAGS.show, "Ann Guest, Bo Lantern")
    assert (said.date, said.disc, said.track) == ("2026-03-05", 2, 7)
    assert (said.genre, said.comment) == ("Podcast", TAGS.link)
    listed = [(c.start_ms, c.title) for c in CHAPTERS if not c.is_hidden]
    assert [(c.start_ms, c.title) for c in after.chapters] == listed
    assert after.artwork_path is not None
    assert after.artwork_path.read_bytes() == cover.read_bytes()
    found = [(round(c.start * 1000), c.title) for c in mutagen.File(target).chapters]
    assert found == listed
    with av.open(str(target)) as container:
        assert [c["metadata"]["title"] for c in container.chapters()] == [t for _, t in listed]


def test_chapters_that_stay_as_they_are_keep_their_track(tagged: Any) -> None:
    same = tuple(
        WrittenChapter(start_ms=start, end_ms=end, title=title)
        for start, end, title in made.CHAPTERS
    )
    tags = WrittenTags(title="T", show="S", chapters=same)
    _, kept = tagged(made.m4a(chapters=True), "m4a", tags)
    _, without = tagged(made.m4a(chapters=True), "m4a", WrittenTags(title="T", show="S"))
    with av.open(str(kept)) as container:
        assert len(container.streams.data) + len(container.streams.subtitles) == 1
    with av.open(str(without)) as container:
        assert not container.streams.data and not container.streams.subtitles
        assert not container.chapters()


def test_places_of_64_bits_move_too(tagged: Any) -> None:
    data = made.m4a()
    at = data.index(b"stco")
    size = int.from_bytes(data[at - 4 : at], "big")
    table = data[at + 4 : at - 4 + size]
    count = int.from_bytes(table[4:8], "big")
    grown = 4 * count
    places = struct.unpack(f">{count}I", table[8:])
    wide = table[:8] + struct.pack(f">{count}Q", *(place + grown for place in places))
    data = data[: at - 4] + made.box(b"co64", wide) + data[at - 4 + size :]
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        found = data.index(kind) - 4
        longer = int.from_bytes(data[found : found + 4], "big") + grown
        data = data[:found] + longer.to_bytes(4, "big") + data[found + 4 :]
    source, target = tagged(data, "m4a")
    assert packets(source) == packets(target) == packets(tagged(made.m4a(), "m4a")[1])


@pytest.mark.parametrize(("kind", "data"), [("mp3", made.mp3_cbr), ("m4a", made.m4a)])
def test_the_same_values_make_the_same_bytes_and_what_is_not_said_is_taken_away(
    tagged: Any, kind: str, data: Callable[[], bytes]
) -> None:
    _, target = tagged(data(), kind, in_child=True)
    _, again = tagged(target.read_bytes(), kind)
    assert again.read_bytes() == target.read_bytes()
    bare = WrittenTags(title="Only", show="This")
    found = probed(tagged(target.read_bytes(), kind, bare)[1])
    assert (found.tags.title, found.tags.album) == ("Only", "This")
    assert (found.tags.artist, found.tags.date, found.tags.track, found.tags.disc) == (None,) * 4
    assert found.chapters == []


def test_a_file_whose_sound_would_be_another_is_refused(
    tagged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should a writer ever be wrong, the last look finds it: here a bit of the copy is turned."""
    copy = written_tags._copy

    def damaged(source: Any, target: Any, length: int) -> None:
        buffer = io.BytesIO()
        copy(source, buffer, length)
        data = bytearray(buffer.getvalue())
        data[-5] ^= 1
        target.write(data)

    monkeypatch.setattr(written_tags, "_copy", damaged)
    for kind, data in (("mp3", made.lame()), ("m4a", made.m4a())):
        with pytest.raises(Invalid, match="to the last bit"):
            tagged(data, kind, in_child=True)


def test_old_tags_that_nobody_can_read_give_way(tagged: Any) -> None:
    broken = made.id3_tag(3, 0xFF, b"TIT2" + bytes(40)) + made.lame(2)
    ape = made.ape_tag(Mood="calm").replace(b"Mood", b"M\xff\xffd")
    _, target = tagged(broken + ape, "mp3")
    assert probed(target).tags.title == TAGS.title and target.read_bytes().endswith(ape)


def test_what_cannot_be_read_is_refused_in_a_sentence(tagged: Any) -> None:
    bomb = made.id3_bomb(made.lame(seconds=2), 100_000_000)
    for data, kind in ((b"no sound at all" * 100, "mp3"), (bomb[:4000], "mp3"), (b"x" * 99, "m4a")):
        with pytest.raises(Invalid, match=r"^[A-Z].*\.$"):
            tagged(data, kind, in_child=True)


def test_one_sample_more_is_another_sound(tmp_path: Path) -> None:
    found: list[Sound] = []
    for number, data in enumerate((made.lame(2), made.lame(2)[:-800], made.lame(3))):
        path = tmp_path / f"{number}.mp3"
        path.write_bytes(data)
        found.append(read_sound(path, "mp3"))
    assert len(set(found)) == 3
