"""Tags, artwork and chapters that stand in audio files, read through the whole probe."""

import base64
import io
import struct

import mutagen.flac
import mutagen.oggopus
import mutagen.oggvorbis
import mutagen.wave
import pytest
from mutagen.id3 import (
    APIC,
    CHAP,
    COMM,
    CTOC,
    TALB,
    TCON,
    TDES,
    TDRC,
    TIT2,
    TIT3,
    TLAN,
    TPE1,
    TPOS,
    TRCK,
    USLT,
    WCOP,
    WXXX,
    CTOCFlags,
)
from mutagen.mp4 import MP4, MP4Cover

from podhost.formats import probe
from tests import audio_files as make

BOTH_CHAPTERS = [(0, "Begrüßung"), (30_000, "Das Gespräch")]


@pytest.fixture
def look(tmp_path):
    def look(data: bytes, name: str = "episode") -> probe.Probe:
        path = tmp_path / "upload"
        path.write_bytes(data)
        (tmp_path / "work").mkdir(exist_ok=True)
        return probe.probe(path, workdir=tmp_path / "work", name=name)

    return look


def saved(data: bytes, kind: type, change) -> bytes:
    """The audio with its tags changed by mutagen."""
    target = io.BytesIO(data)
    audio = kind(target)
    if audio.tags is None:
        audio.add_tags()
    change(audio)
    target.seek(0)
    audio.save(target)
    return target.getvalue()


def named(found: probe.Probe) -> list[tuple[int, str]]:
    return [(chapter.start_ms, chapter.title) for chapter in found.chapters]


# Text


ALL_TEXTS = (
    TIT2(3, text="Der Anfang"),
    TIT3(3, text="Eine Unterzeile"),
    TPE1(3, text="Änne"),
    TALB(3, text="Die Sendung"),
    TRCK(3, text="7/52"),
    TPOS(3, text="2"),
    TDRC(3, text="2026-05-04"),
    TCON(3, text="(101)"),
    COMM(3, lang="eng", desc="iTunNORM", text="0000 0000"),
    COMM(3, lang="eng", desc="", text="Ein Kommentar\nin zwei Zeilen"),
    TDES(3, text="Eine Beschreibung"),
    USLT(3, lang="deu", desc="", text="La la"),
    TLAN(3, text="deu"),
)
ALL_TAGS = probe.Tags(
    title="Der Anfang",
    subtitle="Eine Unterzeile",
    artist="Änne",
    album="Die Sendung",
    track=7,
    disc=2,
    date="2026-05-04",
    genre="Speech",
    comment="Ein Kommentar\nin zwei Zeilen",
    description="Eine Beschreibung",
    lyrics="La la",
    language="deu",
)


@pytest.mark.parametrize("version", [3, 4])
def test_every_text_of_id3_is_read(look, version):
    found = look(make.with_id3(make.lame(3), *ALL_TEXTS, version=version))
    assert found.tags == ALL_TAGS
    assert found.warnings == []


def test_several_artists_are_one_text(look):
    found = look(make.with_id3(make.lame(3), TPE1(3, text=["Änne", "Böb"])))
    assert found.tags.artist == "Änne / Böb"


def test_id3_2_2_is_read(look):
    found = look(make.id3v22(make.lame(3)))
    assert (found.tags.title, found.tags.artist, found.tags.track) == ("Old title", "Old artist", 7)
    assert found.artwork_path.read_bytes() == make.PNG
    assert found.artwork_path.suffix == ".png"
    assert found.artwork_mime_type == "image/png"


def test_unsynchronised_id3_is_read(look):
    found = look(make.id3_unsynchronised(make.lame(3)))
    assert found.tags.title == "Tïtle"
    assert found.artwork_path.read_bytes() == make.JPEG


def test_id3v1_is_read(look):
    names = b"A title".ljust(30, b"\0") + "Änne".encode("cp1252").ljust(30, b"\0")
    v1 = b"TAG" + names + bytes(30) + b"2026" + bytes(28) + b"\x00\x09\x65"
    assert len(v1) == 128
    tags = look(make.lame(3) + v1).tags
    assert (tags.title, tags.artist, tags.date) == ("A title", "Änne", "2026")
    assert (tags.track, tags.genre) == (9, "Speech")


def test_ape_is_read(look):
    tags = look(make.lame(3) + make.ape_tag(Title="Tïtle", Artist="Änne", Track="3/9")).tags
    assert (tags.title, tags.artist, tags.track) == ("Tïtle", "Änne", 3)


def test_the_first_of_several_tags_wins_and_the_others_fill_its_gaps(look):
    second = make.with_id3(make.lame(3), TIT2(3, text="Second"), TALB(3, text="Show"))
    first = make.with_id3(b"", TIT2(3, text="First"))
    data = first + second + make.ape_tag(Title="Third", Artist="Änne")
    tags = look(data).tags
    assert (tags.title, tags.album, tags.artist) == ("First", "Show", "Änne")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("7/52", 7),
        ("07", 7),
        (" 7 ", 7),
        ("0", None),
        ("-1", None),
        ("seven", None),
        ("9999999999999", None),
        ("", None),
    ],
)
def test_a_track_number_is_a_number_or_nothing(look, written, expected):
    assert look(make.with_id3(make.lame(3), TRCK(3, text=written))).tags.track == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Grüße".encode("latin-1"), "Grüße"),
        ("Grüße".encode(), "Grüße"),
        ("“Grüße” – ja".encode("cp1252"), "“Grüße” – ja"),
        (b"a\x07b\x1bc", "abc"),
    ],
)
def test_text_declared_as_latin_1_is_what_it_really_is(look, raw, expected):
    frame = b"TIT2" + len(raw + b"\0").to_bytes(4, "big") + bytes(2) + b"\x00" + raw
    assert look(make.id3_tag(3, 0, frame) + make.lame(3)).tags.title == expected


def test_control_characters_and_long_texts_are_cleaned(look):
    found = look(
        make.with_id3(
            make.lame(3),
            TIT2(3, text="  e\u0301in\u200b\ufffe Ti\ntel\x07" + "x" * 2000),
            COMM(3, lang="eng", desc="", text="y" * 200_000),
            TPE1(3, text="שלום 🎙️"),
            TALB(3, text="\x01\x02"),
        )
    ).tags
    assert found.title.startswith("éin\u200b Ti telx")
    assert len(found.title) == 1000
    assert len(found.comment) == 100_000
    assert (found.artist, found.album) == ("שלום 🎙️", None)


def test_a_damaged_tag_is_a_warning_and_no_reason_to_refuse_the_sound(look):
    ape = make.ape_tag(Title="x").replace(b"Title\x00", b"\xff\xfeT\x01\x02\x00")
    found = look(make.lame(3) + ape)
    assert found.problem is None
    assert "tags" in found.warnings[0]


def test_a_tag_that_takes_for_ever_is_a_warning_and_no_reason_to_refuse_the_sound(look):
    # Two kilobytes that unpack to two million empty texts.
    found = look(make.id3_bomb(make.lame(3), 2_000_000))
    assert any("damaged" in warning for warning in found.warnings)
    assert found.duration_ms >= 2_900


def test_itunes_atoms_are_read(look):
    texts = {
        "\xa9nam": "Der Anfang",
        "\xa9ART": "Änne",
        "\xa9alb": "Die Sendung",
        "trkn": [(7, 52)],
        "disk": [(2, 0)],
        "\xa9day": "2026-05-04",
        "\xa9gen": "Podcast",
        "\xa9cmt": "Ein Kommentar",
        "desc": "kurz",
        "ldes": "Eine lange Beschreibung",
        "\xa9lyr": "La la",
        "covr": [MP4Cover(make.PNG, MP4Cover.FORMAT_JPEG)],
    }
    found = look(saved(make.m4a(seconds=3), MP4, lambda audio: audio.tags.update(texts)))
    assert found.tags == probe.Tags(
        title="Der Anfang",
        artist="Änne",
        album="Die Sendung",
        track=7,
        disc=2,
        date="2026-05-04",
        genre="Podcast",
        comment="Ein Kommentar",
        description="Eine lange Beschreibung",
        lyrics="La la",
    )
    # The atom says JPEG, the bytes are PNG.
    assert (found.artwork_path.name, found.artwork_mime_type) == ("artwork.png", "image/png")


def picture_block(data: bytes) -> mutagen.flac.Picture:
    picture = mutagen.flac.Picture()
    picture.type, picture.mime, picture.data = 3, "image/jpeg", data
    return picture


@pytest.mark.parametrize(
    ("audio", "kind"),
    [
        (make.vorbis, mutagen.oggvorbis.OggVorbis),
        (make.opus, mutagen.oggopus.OggOpus),
        (make.flac, mutagen.flac.FLAC),
    ],
)
def test_vorbis_comments_are_read(look, audio, kind):
    def change(file):
        file.tags.update(
            {
                "TITLE": ["Der Anfang"],
                "artist": ["Änne", "Böb"],
                "ALBUM": ["Die Sendung"],
                "TRACKNUMBER": ["7/52"],
                "DISCNUMBER": ["x"],
                "DATE": ["2026"],
                "DESCRIPTION": ["Zwei\nZeilen"],
                "CHAPTER001": ["00:00:30.5"],
                "CHAPTER001NAME": ["Das Gespräch"],
                "CHAPTER001URL": ["https://example.com/1"],
                "CHAPTER000": ["00:00:00.000"],
                "chapter000name": ["Begrüßung"],
                "CHAPTER002": ["later"],
            }
        )
        if kind is mutagen.flac.FLAC:
            file.add_picture(picture_block(make.JPEG))
        else:
            block = base64.b64encode(picture_block(make.JPEG).write()).decode()
            file.tags["METADATA_BLOCK_PICTURE"] = ["not base64!", block]

    found = look(saved(audio(), kind, change))
    tags = found.tags
    assert (tags.title, tags.artist, tags.track) == ("Der Anfang", "Änne / Böb", 7)
    assert (tags.disc, tags.date, tags.description) == (None, "2026", "Zwei\nZeilen")
    assert found.artwork_path.read_bytes() == make.JPEG
    assert named(found) == [(0, "Begrüßung"), (30_500, "Das Gespräch")]
    assert found.chapters[1].url == "https://example.com/1"


def test_wav_tags_and_markers_are_read(look):
    labelled = make.wav_with_cues({44100 * 2: "Zwei", 0: "Null", 22050: "Über"})
    found = look(labelled)
    assert named(found) == [(0, "Null"), (500, "Über"), (2000, "Zwei")]

    def change(file):
        file.tags.add(TIT2(3, text="Der Anfang"))

    assert look(saved(make.wav(seconds=3), mutagen.wave.WAVE, change)).tags.title == "Der Anfang"
    plain = make.encode("pcm_s16le", "wav", seconds=3, metadata={"title": "Tïtle"})
    assert look(plain).tags.title == "Tïtle"


# Artwork


def test_the_front_cover_is_taken_before_a_larger_picture(look):
    back = APIC(0, "image/png", 4, "back", make.PNG + bytes(9000))
    front = APIC(0, "image/jpg", 3, "front", make.JPEG)
    linked = APIC(0, "-->", 3, "link", b"https://example.com/x.jpg")
    found = look(make.with_id3(make.lame(3), back, front, linked))
    assert found.artwork_path.read_bytes() == make.JPEG
    found = look(make.with_id3(make.lame(3), back, linked))
    assert found.artwork_path.name == "artwork.png"


def test_a_large_picture_is_a_warning(look):
    found = look(make.with_id3(make.lame(3), APIC(0, "", 3, "", make.JPEG + bytes(2_000_000))))
    assert found.artwork_path is not None
    assert "KB" in found.warnings[0]


def test_a_picture_that_is_none_is_left_out(look):
    found = look(make.with_id3(make.lame(3), APIC(0, "image/png", 3, "", b"<svg onload=x>")))
    assert found.artwork_path is None
    assert "no JPEG or PNG" in found.warnings[0]


# Chapters


def chapter(name: str, start_ms: int, end_ms: int = make.NO_OFFSET, *more) -> CHAP:
    frames = [TIT2(3, text=f"Kapitel {name}"), *more]
    return CHAP(name, start_ms, end_ms, make.NO_OFFSET, make.NO_OFFSET, frames)


def contents(*children: str, name: str = "toc", top: bool = True) -> CTOC:
    flags = CTOCFlags.ORDERED | (CTOCFlags.TOP_LEVEL if top else 0)
    return CTOC(element_id=name, flags=flags, child_element_ids=list(children), sub_frames=[])


@pytest.mark.parametrize("version", [3, 4])
def test_id3_chapters_are_read_in_the_order_of_time(look, version):
    link = WXXX(3, desc="chapter url", url="https://example.com/b")
    picture = APIC(0, "image/jpeg", 3, "", make.JPEG)
    found = look(
        make.with_id3(
            make.lame(3),
            chapter("c", 2000),
            chapter("a", 0, 1000),
            chapter("b", 1000, 2000, link, picture),
            version=version,
        )
    )
    assert named(found) == [(0, "Kapitel a"), (1000, "Kapitel b"), (2000, "Kapitel c")]
    first, second, third = found.chapters
    assert (first.end_ms, second.end_ms, third.end_ms) == (1000, 2000, None)
    assert (first.url, second.url) == (None, "https://example.com/b")
    assert second.picture_path.read_bytes() == make.JPEG
    assert not any(c.hidden for c in found.chapters)
    assert found.artwork_path is None


def test_the_other_link_frame_is_read(look):
    found = look(make.with_id3(make.lame(3), chapter("a", 0, 9, WCOP(url="https://example.com"))))
    assert found.chapters[0].url == "https://example.com"


def test_chapters_outside_of_the_table_of_contents_are_hidden(look):
    frames = [chapter("a", 0), chapter("b", 500), chapter("c", 900)]
    found = look(make.with_id3(make.lame(3), *frames, contents("c", "a")))
    assert [c.hidden for c in found.chapters] == [False, True, False]
    nested = [contents("a", "part"), contents("b", "part", "toc", name="part", top=False)]
    found = look(make.with_id3(make.lame(3), *frames, *nested))
    assert [c.hidden for c in found.chapters] == [False, False, True]


@pytest.mark.parametrize(
    "tables",
    [
        [contents("x", "y")],
        [contents("a"), contents("b", name="second")],
        [contents("a", top=False)],
    ],
)
def test_a_useless_table_of_contents_hides_nothing(look, tables):
    found = look(make.with_id3(make.lame(3), chapter("a", 0), chapter("b", 500), *tables))
    assert [c.hidden for c in found.chapters] == [False, False]


def chapter_frame(name: bytes, start_ms: int, title: bytes) -> bytes:
    """A CHAP frame by hand (v2.3), because mutagen writes no two with one identifier."""
    text = b"TIT2" + len(b"\0" + title).to_bytes(4, "big") + bytes(2) + b"\0" + title
    data = name + b"\0" + struct.pack(">4I", start_ms, *[make.NO_OFFSET] * 3) + text
    return b"CHAP" + len(data).to_bytes(4, "big") + bytes(2) + data


def test_chapters_that_share_an_identifier_are_all_read_with_a_warning(look):
    frames = b"".join(chapter_frame(b"ch", start, b"At %d" % start) for start in (0, 700, 1400))
    found = look(make.id3_tag(3, 0, frames) + make.lame(3))
    assert named(found) == [(0, "At 0"), (700, "At 700"), (1400, "At 1400")]
    assert "same identifier" in found.warnings[0]


@pytest.mark.parametrize("movflags", ["", "faststart", "disable_chpl"])
def test_m4a_chapters_are_read(look, movflags):
    found = look(make.m4a(movflags=movflags, chapters=True))
    assert named(found) == BOTH_CHAPTERS


def test_quicktime_chapters_are_preferred_to_nero_chapters(look):
    data = make.m4a(movflags="", chapters=True)
    at = data.index(b"chpl")
    nero = data[:at] + data[at:].replace(b"Das", b"ACH", 1)
    assert nero != data
    assert named(look(nero)) == BOTH_CHAPTERS
    # Without the track that the sound names, the others are what there is.
    nero = nero.replace(b"chap", b"free")
    assert named(look(nero)) == [(0, "Begrüßung"), (30_000, "ACH Gespräch")]


def test_nero_titles_that_are_not_utf8_lose_no_tags(look):
    data = make.m4a(movflags="", chapters=True)
    data = saved(data, MP4, lambda audio: audio.tags.update({"\xa9nam": "Tïtle"}))
    data = data.replace(b"chap", b"free")
    at = data.index(b"chpl")
    data = data[:at] + data[at:].replace("ä".encode(), b"\xe4x", 1)
    found = look(data)
    assert found.tags.title == "Tïtle"
    assert named(found)[1] == (30_000, "Das Gespr\ufffdxch")


def test_opus_chapters_are_read(look):
    assert named(look(make.opus(chapters=True))) == BOTH_CHAPTERS


def test_chapters_of_a_real_encoder_in_mp3_are_read(look):
    data = make.encode("libmp3lame", "mp3", seconds=100, chapters=True)
    assert named(look(data)) == BOTH_CHAPTERS
