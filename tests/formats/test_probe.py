"""Durations and kinds: the true length of nearly every file here is 100 seconds."""

import random
import struct

import pytest

from podhost.errors import Invalid
from podhost.formats import mp4_boxes, probe
from tests import audio_files as make

ID3_BEFORE = make.id3_tag(4, 0, bytes(10))


@pytest.fixture
def look(tmp_path):
    """Probe some bytes under a name."""

    def look(data: bytes, name: str = "episode.mp3") -> probe.Probe:
        path = tmp_path / "upload"
        path.write_bytes(data)
        (tmp_path / "work").mkdir(exist_ok=True)
        return probe.probe(path, workdir=tmp_path / "work", name=name)

    return look


def beginning(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


# Every row of the table of failures seen in other tools, with the true length in seconds.
DURATIONS = {
    "CBR with Info header": (make.mp3_cbr, 100.049),
    "CBR without header": (make.lame, 100.049),
    "VBR with Xing": (make.mp3_vbr, 100.049),
    "VBR with VBRI": (make.mp3_vbri, 100.049),
    "VBR with neither, quiet start": (lambda: make.mp3_vbr(xing=False), 100.049),
    "VBR with neither, other encoder": (lambda: make.lame(vbr=True), 100.049),
    "two Xing files joined": (lambda: make.mp3_vbr() * 2, 200.098),
    "two Info files joined": (lambda: make.mp3_cbr() * 2, 200.098),
    "two header-less files joined": (lambda: make.lame() * 2, 200.098),
    "CBR without header, cut": (lambda: beginning(make.lame(), 0.25), 25.025),
    "ADTS": (make.adts, 100.032),
    "M4A, index first": (make.m4a, 100.023),
    "M4A, index last": (lambda: make.m4a(movflags=""), 100.023),
    "M4A fragmented": (make.m4a_fragmented, 100.023),
    "ALAC": (lambda: make.m4a(codec="alac"), 100.0),
    "Opus": (make.opus, 100.0),
    "Vorbis": (make.vorbis, 100.0),
    "FLAC": (make.flac, 100.0),
    "FLAC written to a pipe": (lambda: make.flac(pipe=True), 100.0),
    "WAV": (make.wav, 100.0),
    "WAV written to a pipe": (lambda: make.wav(pipe=True), 100.0),
    "AIFF": (make.aiff, 100.0),
    "ID3 before ADTS": (lambda: ID3_BEFORE + make.adts(), 100.032),
    "ID3 before FLAC": (lambda: ID3_BEFORE + make.flac(), 100.0),
}


@pytest.mark.parametrize("case", DURATIONS)
def test_the_duration_is_the_true_one(look, case):
    audio, seconds = DURATIONS[case]
    assert look(audio()).duration_ms / 1000 == pytest.approx(seconds, abs=0.03)


def test_a_cut_upload_has_the_duration_of_what_is_there(look):
    # The first 30 seconds are silence at 32 kbit/s, so a share of the bytes is no share of time.
    cut = beginning(make.mp3_vbr(), 0.31)
    with_header = look(cut)
    without = look(beginning(make.mp3_vbr(xing=False), 0.31))
    assert with_header.duration_ms < 60_000
    assert with_header.duration_ms == pytest.approx(without.duration_ms, abs=60)


def test_half_an_opus_file_has_half_of_the_duration(look):
    found = look(beginning(make.opus(), 0.5))
    assert 40_000 < found.duration_ms < 60_000


@pytest.mark.parametrize(
    ("audio", "says"),
    [
        (lambda: beginning(make.mp3_vbr(), 0.31), "1:40"),
        (lambda: make.mp3_vbr() * 2, "3:20"),
        (lambda: make.mp3_cbr() * 2, "3:20"),
    ],
)
def test_a_header_that_lies_is_a_warning(look, audio, says):
    found = look(audio())
    assert found.problem is None
    assert len(found.warnings) == 1
    assert "header" in found.warnings[0]
    assert says in found.warnings[0]


def test_a_missing_header_of_variable_bitrate_is_a_warning(look):
    (warning,) = look(make.mp3_vbr(xing=False)).warnings
    assert "no header" in warning
    assert "instead of 1:40" in warning


@pytest.mark.parametrize(
    "audio",
    [make.mp3_cbr, make.lame, make.mp3_vbr, make.mp3_vbri, make.m4a],
    ids=lambda function: function.__name__,
)
def test_good_files_are_publishable_without_warnings(look, audio):
    found = look(audio(), "x.m4a" if audio is make.m4a else "x.mp3")
    assert (found.problem, found.warnings) == (None, [])


FACTS = {
    "mp3": (make.mp3_cbr, "mp3", "mp3", "audio/mpeg", "mp3", 44100),
    "m4a": (make.m4a, "m4a", "aac", "audio/x-m4a", "m4a", 44100),
    "alac": (lambda: make.m4a(codec="alac"), "m4a", "alac", "audio/x-m4a", "m4a", 44100),
    "adts": (make.adts, "aac", "aac", "audio/aac", "aac", 44100),
    "vorbis": (make.vorbis, "ogg-vorbis", "vorbis", "audio/ogg", "ogg", 44100),
    "opus": (make.opus, "opus", "opus", "audio/ogg", "opus", 48000),
    "flac": (make.flac, "flac", "flac", "audio/flac", "flac", 44100),
    "ogg flac": (make.ogg_flac, "flac", "flac", "audio/ogg", "ogg", 44100),
    "wav": (make.wav, "wav", "pcm_s16le", "audio/wav", "wav", 44100),
    "aiff": (make.aiff, "aiff", "pcm_s16be", "audio/aiff", "aiff", 44100),
    "mp4": (make.mp4_video, "mp4", "aac", "video/mp4", "mp4", 44100),
    "mov": (lambda: make.mp4_video("mov"), "mp4", "aac", "video/quicktime", "mov", 44100),
}


@pytest.mark.parametrize("case", FACTS)
def test_the_kind_is_told_by_content(look, case):
    audio, *facts = FACTS[case]
    data = audio()
    found = look(data, "wrong.pdf")
    assert [found.kind, found.codec, found.mime_type, found.extension] == facts[:4]
    assert (found.sample_rate_hz, found.channels, found.size_bytes) == (facts[4], 1, len(data))


@pytest.mark.parametrize(
    ("audio", "word"),
    [
        (make.adts, "AAC without"),
        (make.vorbis, "Ogg Vorbis"),
        (make.opus, "Opus"),
        (make.flac, "FLAC"),
        (make.wav, "WAV"),
        (make.aiff, "AIFF"),
        (lambda: make.m4a(codec="alac"), "Lossless"),
        (make.m4a_fragmented, "fragmented"),
        (make.mp4_video, "video"),
    ],
)
def test_what_apps_cannot_play_says_what_to_export_instead(look, audio, word):
    problem = look(audio()).problem
    assert word in problem
    assert "Export the episode as MP3" in problem


def test_an_m4a_under_the_name_of_an_mp3_gets_its_own_ending(look):
    found = look(make.m4a(), "episode.mp3")
    assert (found.extension, found.problem) == ("m4a", None)
    assert found.warnings == ["The name says mp3, the content is M4A: the file is treated as .m4a."]


def test_an_index_at_the_end_is_a_warning(look):
    found = look(make.m4a(movflags=""), "x.m4a")
    assert found.problem is None
    assert "index" in found.warnings[0]
    assert found.header_bytes == 44


def test_the_bytes_before_the_sound_are_counted(look):
    cover = make.mutagen.id3.APIC(0, "image/jpeg", 3, "", make.JPEG + bytes(2_000_000))
    tagged = make.with_id3(make.lame(), cover)
    assert look(tagged).header_bytes == len(tagged) - len(make.lame())
    assert look(make.lame()).header_bytes == 0
    faststart = make.m4a()
    assert look(faststart).header_bytes == faststart.index(b"mdat") + 4
    assert look(make.wav()).header_bytes == make.wav().index(b"data") + 8
    assert look(make.aiff()).header_bytes == make.aiff().index(b"SSND") + 16
    assert look(make.opus()).header_bytes == make.opus().rindex(b"OggS", 0, 4000)
    assert look(make.vorbis()).header_bytes > make.vorbis().index(b"\x05vorbis")


@pytest.mark.parametrize(
    ("audio", "mode", "bitrate_bps"),
    [
        (make.mp3_cbr, "CBR", 64_000),
        (make.lame, "CBR", 64_000),
        (make.mp3_vbr, "VBR", None),
        (make.mp3_vbri, "VBR", None),
        (lambda: make.mp3_vbr(xing=False), "VBR", None),
        (make.m4a, "unknown", None),
        (make.wav, "CBR", 705_600),
    ],
)
def test_bitrate_and_mode(look, audio, mode, bitrate_bps):
    data = audio()
    found = look(data)
    assert found.bitrate_mode == mode
    expected = bitrate_bps or len(data) * 8 / 100
    assert found.bitrate_bps == pytest.approx(expected, rel=0.03)


def test_average_bitrate_is_told_by_the_header_of_lame(look):
    # libavformat leaves out the method (the low half of the byte after the encoder's name), and
    # lameenc the whole header; 2 is what LAME writes for an average bitrate.
    data = bytearray(make.mp3_abr())
    name = data.index(b"Xing") + 120
    data[name + 9] = data[name + 9] & 0xF0 | 2
    data[name : name + 9] = b"LAME3.100"
    assert look(bytes(data)).bitrate_mode == "ABR"


def test_stereo_and_low_sample_rates(look):
    assert look(make.lame(10, channels=2, kbits=128)).channels == 2
    slow = look(make.lame(10, rate=22050, kbits=32))
    assert slow.sample_rate_hz == 22050
    assert slow.duration_ms == pytest.approx(10_050, abs=60)


def test_joined_parts_of_different_sample_rates_are_a_warning(look):
    found = look(make.lame(10) + make.lame(10, rate=22050, kbits=32))
    assert found.duration_ms == pytest.approx(20_100, abs=100)
    assert "different sample rates" in " ".join(found.warnings)


# Tags and junk around the sound


def test_several_tags_in_a_row_and_at_the_end_are_stepped_over(look):
    sound = make.lame()
    v1 = b"TAG" + b"Old".ljust(125, b"\x00")
    data = ID3_BEFORE * 3 + sound + make.ape_tag(Title="x") + v1
    found = look(data)
    assert (found.duration_ms, found.header_bytes) == (100_049, 60)
    assert found.warnings == []


def test_tags_between_joined_files_are_stepped_over(look):
    sound = make.lame(10)
    v1 = b"TAG" + b"Old".ljust(125, b"\x00")
    joined = look(sound + v1 + ID3_BEFORE + sound + make.ape_tag(Title="x") + ID3_BEFORE + sound)
    assert joined.duration_ms == pytest.approx(3 * look(sound).duration_ms, abs=2)
    assert joined.warnings == []


@pytest.mark.parametrize("size", [1, 1000, 60_000])
def test_junk_before_the_first_frame_is_a_warning(look, size):
    junk = random.Random(size).randbytes(size)
    found = look(b"\x01" + junk + make.lame())
    assert found.duration_ms == 100_049
    assert found.header_bytes == size + 1
    assert f"{size + 1} bytes before the sound" in found.warnings[0]


def test_a_little_damage_in_the_middle_is_a_warning(look):
    sound = make.lame()
    half = 208 * 1900 + 1800
    found = look(sound[:half] + random.Random(1).randbytes(3000) + sound[half:])
    assert found.duration_ms == pytest.approx(100_049, abs=100)
    assert "slightly damaged" in found.warnings[0]


def test_an_mp3_larger_than_one_block_is_counted_across_the_blocks(look):
    sound = make.lame()
    found = look(sound * 12)
    assert len(sound) * 12 > 2 * (1 << 22)
    assert found.duration_ms == pytest.approx(12 * 100_049, abs=6)
    assert found.warnings == []


def test_a_sparse_gigabyte_fits_into_the_memory_limit(tmp_path):
    path = tmp_path / "long.wav"
    header = bytearray(make.wav(seconds=2)[:78])
    size = 1_000_000_000
    struct.pack_into("<I", header, 74, size)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(78 + size)
    found = probe.probe(path, workdir=tmp_path)
    assert found.duration_ms == pytest.approx(size / 88.2, abs=20)


# What is no audio


def not_audio(content: str, ending: str = "mp3") -> str:
    return f"the name says {ending}, the content is {content}"


REFUSED = {
    "empty": (b"", "This file is empty"),
    "PDF": (b"%PDF-1.7\n" + bytes(5000), not_audio("a PDF")),
    "ZIP": (b"PK\x03\x04" + bytes(5000), not_audio("a ZIP archive")),
    "HTML": (b"\n <!DOCTYPE html><html>" + b"x" * 999, not_audio("a web page")),
    "XML": (b"<?xml version='1.0'?><rss/>", not_audio("an XML document")),
    "text": ("Grüße an alle. ".encode() * 500, not_audio("text")),
    "UTF-16 text": ("Hello there. ".encode("utf-16") * 500, not_audio("text")),
    "JPEG": (make.JPEG, not_audio("a JPEG picture")),
    "HEIC": (make.box(b"ftyp", b"heic" + bytes(8)) + bytes(99), not_audio("a picture")),
    "AVI": (b"RIFF\x00\x00\x00\x00AVI " + bytes(99), not_audio("an AVI video")),
    "Windows Media": (b"0&\xb2u\x8ef\xcf\x11\xa6\xd9" + bytes(99), not_audio("a Windows Media")),
    "a tag and nothing": (ID3_BEFORE, not_audio("only tags")),
    "tags and nothing": (ID3_BEFORE * 4, not_audio("only tags")),
    "a tag and text": (ID3_BEFORE + b"Hello. " * 99, not_audio("text")),
    "zeros": (bytes(100_000), not_audio("no kind of sound")),
    "noise": (random.Random(3).randbytes(300_000), not_audio("no kind of sound")),
    "noise after a sync": (b"\xff\xfb\x90\xc4" + random.Random(4).randbytes(50_000), "no kind of"),
    "ADTS frames without length": (b"\xff\xf1\x50\x40\x00\x1f\xfc" * 5000, "no kind of sound"),
    "frames of a forbidden bitrate": (b"\xff\xfb\xf0\xc4" * 9000, "no kind of sound"),
    "free format without length": (b"\xff\xfb\x00\xc4" * 9000, "no kind of sound"),
    "only a little sound": (make.lame(10)[:300] + bytes(100_000), "no kind of sound"),
    "sound in much junk": (make.lame(10) + bytes(200_000), "no kind of sound"),
    "an Ogg page and nothing": (b"OggS" + bytes(5000), "damaged"),
    "a FLAC mark and nothing": (b"fLaC" + bytes(5000), "damaged"),
    "a WAV mark and nothing": (b"RIFF\x00\x00\x00\x00WAVE" + bytes(5000), "damaged"),
    "an AIFF mark and nothing": (b"FORM\x00\x00\x00\x00AIFF" + bytes(5000), "damaged"),
    "MP4 marks and nothing": (make.box(b"ftyp", b"M4A ") + bytes(5000), "cut short"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_audio_is_refused_with_a_sentence(look, tmp_path, case):
    data, sentence = REFUSED[case]
    with pytest.raises(Invalid, match=sentence) as caught:
        look(data)
    assert caught.value.message.endswith(".")
    assert list((tmp_path / "work").iterdir()) == []


def test_webm_is_refused(look):
    with pytest.raises(Invalid, match="Matroska or WebM"):
        look(make.webm(), "talk.webm")


def test_a_strange_name_is_not_repeated(look):
    with pytest.raises(Invalid) as caught:
        look(b"%PDF-1.7", "x.<script>")
    assert "script" not in caught.value.message
    assert "it is a PDF" in caught.value.message


@pytest.mark.parametrize("movflags", ["", "faststart"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.99])
def test_a_truncated_m4a_is_refused(look, movflags, share):
    with pytest.raises(Invalid) as caught:
        look(beginning(make.m4a(movflags=movflags), share))
    assert caught.value.message == mp4_boxes.CUT_SHORT


@pytest.mark.parametrize("entry", [b"drms", b"enca", b"aavd"])
def test_protected_files_are_refused(look, entry):
    # No encoder writes protected files: the code of the sample entry is what tells them.
    data = make.m4a().replace(b"mp4a", entry)
    with pytest.raises(Invalid, match="DRM"):
        look(data, "bought.m4p")


def test_sound_of_an_unknown_kind_is_refused(look):
    with pytest.raises(Invalid, match="sound of an unknown kind"):
        look(make.m4a().replace(b"mp4a", b"zzzz").replace(b"esds", b"zzzz"))


def test_an_m4a_without_any_sample_is_refused(look):
    data = make.m4a()
    at = data.index(b"stsz")
    # Sample size and count of the table: no samples of no length.
    with pytest.raises(Invalid):
        look(data[: at + 8] + bytes(8) + data[at + 16 :])


def test_a_file_of_nested_boxes_is_refused(look):
    with pytest.raises(Invalid) as caught:
        look(make.mp4_nested())
    assert caught.value.message == mp4_boxes.TOO_DEEP


def test_a_tag_that_unpacks_to_300_megabytes_is_refused(look):
    with pytest.raises(Invalid, match="memory allowed"):
        look(make.id3_bomb(make.lame(2)))


def test_too_short_and_too_quick_and_too_long(look):
    short = make.lame(2)[: 208 * 30]
    with pytest.raises(Invalid, match=r"only 0\.\d\d seconds"):
        look(short)
    assert look(make.lame(2)).duration_ms >= 2000
    with pytest.raises(Invalid, match="24 hours"):
        # MPEG-2.5 at 8 kHz and 8 kbit/s: 72 ms in each frame of 72 bytes.
        look(b"\xff\xe3\x18\xc4".ljust(72, b"\x00") * 1_210_000)


def test_a_bitrate_that_cannot_be_is_refused_with_the_numbers(look):
    # An M4A whose samples last forty times as long as their sound can.
    data = make.m4a()
    # Version, number of runs, then the first run: how many samples, how long each.
    at = data.index(b"stts") + 16
    assert data[at : at + 4] == struct.pack(">I", 1024)
    slow = data[:at] + struct.pack(">I", 1024 * 40) + data[at + 4 :]
    with pytest.raises(Invalid, match=r"1\.6 kbit/s"):
        look(slow)


def test_a_path_that_does_not_exist_is_the_caller_s_fault(tmp_path):
    with pytest.raises(FileNotFoundError):
        probe.probe(tmp_path / "nothing.mp3", workdir=tmp_path)


@pytest.mark.parametrize("seed", range(12))
def test_random_damage_never_gives_anything_but_a_probe_or_a_sentence(look, seed):
    chance = random.Random(seed)
    files = [make.mp3_vbr, make.m4a, make.adts, make.opus, make.vorbis, make.ogg_flac]
    data = bytearray(beginning(files[seed % 6](), 0.2 if seed % 2 else 1))
    for _ in range(200):
        data[chance.randrange(min(len(data), 20_000))] = chance.randrange(256)
    try:
        assert look(bytes(data)).duration_ms >= 1000
    except Invalid as refusal:
        assert refusal.message.endswith(".")
