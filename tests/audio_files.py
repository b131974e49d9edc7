"""Makes real audio for tests with real encoders; every function gives bytes and is cached.

Encoders come from Python packages (lameenc, PyAV, libsndfile), never from a program on the path.
What no encoder here writes (VBRI headers, ID3v2.2, hostile files) is built by hand and says so.
"""

import io
import math
import random
import struct
import tempfile
import zlib
from array import array
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import lameenc
import mutagen.id3
import soundfile

RATE = 44100
# What PyAV writes into files as chapters.
CHAPTERS = ((0, 30_000, "Begrüßung"), (30_000, 100_000, "Das Gespräch"))
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 4 + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2
NO_OFFSET = 0xFFFFFFFF


@cache
def pcm(seconds: int = 100, *, rate: int = RATE, quiet_seconds: int = 0, noise: bool = False):
    """Mono samples of 16 bits: silence, then a tone or (hard to encode) noise."""
    silence = bytes(2 * rate * quiet_seconds)
    if noise:
        return silence + random.Random(7).randbytes(2 * rate * (seconds - quiet_seconds))
    tone = array("h", (int(9000 * math.sin(2 * math.pi * 440 * i / rate)) for i in range(rate)))
    return silence + tone.tobytes() * (seconds - quiet_seconds)


@cache
def lame(
    seconds: int = 100, *, kbits: int = 64, vbr: bool = False, channels: int = 1, rate: int = RATE
) -> bytes:
    """MP3 straight from LAME: no tag and no Xing or Info frame.

    The variable one starts with 30 s of silence, so that its first frame has 32 kbit/s.
    """
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_in_sample_rate(rate)
    encoder.set_channels(channels)
    encoder.set_quality(7)
    encoder.set_vbr(4) if vbr else encoder.set_bit_rate(kbits)
    samples = pcm(seconds * channels, rate=rate, quiet_seconds=30 if vbr else 0, noise=vbr)
    return bytes(encoder.encode(samples)) + bytes(encoder.flush())


class Pipe:
    """An output that cannot be sought in, like the standard output of a recorder."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)


def encode(codec: str, container: str, *, pipe: bool = False, **settings: Any) -> bytes:
    """A file from libavcodec and libavformat; the settings are those of `_encode_to`."""
    if pipe:
        target = Pipe()
        _encode_to(target, codec, container, **settings)
        return b"".join(target.parts)
    with tempfile.TemporaryDirectory() as folder:
        # A named file, because libavformat opens it again to move the index to the front.
        path = Path(folder) / "audio"
        _encode_to(str(path), codec, container, **settings)
        return path.read_bytes()


def _encode_to(
    target: Any,
    codec: str,
    container: str,
    *,
    seconds: int = 100,
    rate: int = RATE,
    kbits: int = 64,
    quiet_seconds: int = 0,
    noise: bool = False,
    chapters: bool = False,
    layout: str = "mono",
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> None:
    with av.open(target, "w", format=container, options=options or {}) as output:
        stream = output.add_stream(codec, rate=rate, options=codec_options or {})
        stream.layout = layout
        stream.bit_rate = kbits * 1000
        output.metadata.update(metadata or {})
        if chapters:
            output.set_chapters([_chapter(number, *c) for number, c in enumerate(CHAPTERS)])
        samples = pcm(seconds, rate=rate, quiet_seconds=quiet_seconds, noise=noise)
        for at in range(0, len(samples), 2 * rate):
            output.mux(stream.encode(_frame(samples[at : at + 2 * rate], at // 2, rate)))
        output.mux(stream.encode(None))


def _chapter(number: int, start_ms: int, end_ms: int, title: str) -> dict[str, Any]:
    times = {"start": start_ms, "end": end_ms, "time_base": Fraction(1, 1000)}
    return {"id": number, "metadata": {"title": title}, **times}


def _frame(samples: bytes, pts: int, rate: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
    frame.planes[0].update(samples)
    frame.sample_rate, frame.pts, frame.time_base = rate, pts, Fraction(1, rate)
    return frame


@cache
def mp3_cbr() -> bytes:
    return encode("libmp3lame", "mp3")


@cache
def mp3_vbr(*, xing: bool = True) -> bytes:
    """Variable bitrate with a Xing frame, or with nothing at all before the sound."""
    options = {} if xing else {"write_xing": "0", "id3v2_version": "0"}
    # 6 on LAME's scale, in libavcodec's unit of 118.
    quality = {"flags": "+qscale", "global_quality": str(6 * 118)}
    settings: dict[str, Any] = {"quiet_seconds": 30, "noise": True, "codec_options": quality}
    return encode("libmp3lame", "mp3", options=options, **settings)


@cache
def mp3_abr() -> bytes:
    return encode("libmp3lame", "mp3", noise=True, quiet_seconds=30, codec_options={"abr": "1"})


@cache
def mp3_vbri() -> bytes:
    """Variable bitrate with a VBRI header: no encoder here writes one, so it is built by hand."""
    sound = lame(vbr=True)
    frames = 3830
    # The header frame is a whole frame of 128 kbit/s, its side information zero.
    length = 144 * 128_000 // RATE
    table = struct.pack(">4H", 1, 1, 2, frames) + struct.pack(">H", 1)
    vbri = b"VBRI" + struct.pack(">HHHII", 1, 0, 75, length + len(sound), frames) + table
    header = b"\xff\xfb\x90\xc4" + bytes(32) + vbri
    return header.ljust(length, b"\x00") + sound


@cache
def m4a(**settings: Any) -> bytes:
    """AAC in M4A; `movflags` as libavformat has them."""
    movflags = settings.pop("movflags", "faststart")
    codec = settings.pop("codec", "aac")
    return encode(codec, "ipod", options={"movflags": movflags} if movflags else {}, **settings)


@cache
def m4a_fragmented() -> bytes:
    return encode("aac", "mp4", options={"movflags": "frag_keyframe+empty_moov"})


@cache
def adts() -> bytes:
    return encode("aac", "adts")


@cache
def opus(*, chapters: bool = False) -> bytes:
    return encode("libopus", "opus", rate=48000, kbits=32, noise=True, chapters=chapters)


@cache
def vorbis() -> bytes:
    target = io.BytesIO()
    with soundfile.SoundFile(target, "w", RATE, 1, format="OGG", subtype="VORBIS") as output:
        samples = pcm(noise=True)
        # libsndfile crashes when it is given a long recording in one piece.
        for at in range(0, len(samples), 2 * RATE):
            output.buffer_write(samples[at : at + 2 * RATE], dtype="int16")
    return target.getvalue()


@cache
def flac(*, pipe: bool = False) -> bytes:
    return encode("flac", "flac", pipe=pipe)


@cache
def ogg_flac() -> bytes:
    return encode("flac", "ogg", seconds=3)


@cache
def wav(*, pipe: bool = False, seconds: int = 100) -> bytes:
    return encode("pcm_s16le", "wav", pipe=pipe, seconds=seconds)


@cache
def aiff() -> bytes:
    return encode("pcm_s16be", "aiff")


@cache
def webm() -> bytes:
    return encode("libopus", "webm", seconds=3, rate=48000)


@cache
def mp4_video(container: str = "mp4") -> bytes:
    """One second and a half of moving pictures with sound."""
    target = io.BytesIO()
    with av.open(target, "w", format=container) as output:
        video = output.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio = output.add_stream("aac", rate=RATE)
        audio.layout = "mono"
        for number in range(20):
            picture = av.VideoFrame(64, 64, "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
        for second in range(2):
            output.mux(audio.encode(_frame(pcm(1), second * RATE, RATE)))
        output.mux(audio.encode(None))
    return target.getvalue()


# Tags


def with_id3(audio: bytes, *frames: mutagen.id3.Frame, version: int = 4, v1: int = 0) -> bytes:
    """The audio with an ID3v2.3 or 2.4 tag that mutagen writes (and ID3v1 with v1=2)."""
    target = io.BytesIO(audio)
    tag = mutagen.id3.ID3()
    for frame in frames:
        tag.add(frame)
    if version == 3:
        tag.update_to_v23()
    tag.save(target, v2_version=version, v1=v1)
    return target.getvalue()


def syncsafe(number: int) -> bytes:
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def id3_tag(version: int, flags: int, body: bytes) -> bytes:
    """An ID3v2 tag by hand, for what mutagen does not write."""
    return b"ID3" + bytes((version, 0, flags)) + syncsafe(len(body)) + body


def id3v22(audio: bytes) -> bytes:
    """An ID3v2.2 tag as old versions of iTunes wrote it: three letters, three bytes of size."""
    texts = {b"TT2": b"\x00Old title", b"TP1": b"\x00Old artist", b"TRK": b"\x007/52"}
    picture = b"\x00PNG\x03\x00" + PNG
    frames = {**texts, b"PIC": picture}
    body = b"".join(name + len(data).to_bytes(3, "big") + data for name, data in frames.items())
    return id3_tag(2, 0, body) + audio


def id3_unsynchronised(audio: bytes) -> bytes:
    """An ID3v2.3 tag with a zero byte after each 0xFF, so that old players find no frame in it."""
    picture = b"\x00image/jpeg\x00\x03\x00" + JPEG
    title = b"\x01" + "Tïtle".encode("utf-16")
    frames = {b"TIT2": title, b"APIC": picture}
    body = b"".join(
        name + len(data).to_bytes(4, "big") + bytes(2) + data for name, data in frames.items()
    )
    return id3_tag(3, 0x80, body.replace(b"\xff", b"\xff\x00")) + audio


def id3_bomb(audio: bytes, size_bytes: int = 300_000_000) -> bytes:
    """A small ID3v2.4 tag with a compressed frame that unpacks to `size_bytes`."""
    packer = zlib.compressobj(9)
    block = bytes(1_000_000)
    packed = b"".join(packer.compress(block) for _ in range(size_bytes // len(block)))
    data = syncsafe(min(size_bytes, (1 << 28) - 1)) + packed + packer.flush()
    # Flags: compressed (8), with the unpacked length before the data (1).
    frame = b"TXXX" + syncsafe(len(data)) + b"\x00\x09" + data
    return id3_tag(4, 0, frame) + audio


def ape_tag(**texts: str) -> bytes:
    """An APEv2 tag by hand: header, items, footer; mutagen writes one only into its own kinds."""
    items = b"".join(
        struct.pack("<II", len(value.encode()), 0) + name.encode() + b"\x00" + value.encode()
        for name, value in texts.items()
    )

    def end(flags: int) -> bytes:
        return (
            b"APETAGEX" + struct.pack("<IIII", 2000, len(items) + 32, len(texts), flags) + bytes(8)
        )

    return end(0xA0000000) + items + end(0x80000000)


def box(kind: bytes, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload) + 8) + kind + payload


def mp4_nested(depth: int = 3000) -> bytes:
    """An MP4 of boxes in boxes, which is deeper than a recursive reader can go."""
    inner = b""
    for _ in range(depth):
        inner = box(b"moov", inner)
    return box(b"ftyp", b"M4A \x00\x00\x02\x00") + inner


def wav_with_cues(labels: dict[int, str], *, seconds: int = 3) -> bytes:
    """A WAV file with markers as Audition and Reaper write them: positions, then labels."""
    points = b"".join(
        struct.pack("<II4sIII", number, 0, b"data", 0, 0, sample)
        for number, sample in enumerate(labels, start=1)
    )
    notes = b""
    for number, label in enumerate(labels.values(), start=1):
        text = struct.pack("<I", number) + label.encode() + b"\x00"
        notes += b"labl" + struct.pack("<I", len(text)) + text + b"\x00" * (len(text) % 2)
    audio = wav(seconds=seconds)
    audio += b"cue " + struct.pack("<II", len(points) + 4, len(labels)) + points
    audio += b"LIST" + struct.pack("<I", len(notes) + 4) + b"adtl" + notes
    return audio[:4] + struct.pack("<I", len(audio) - 8) + audio[8:]
