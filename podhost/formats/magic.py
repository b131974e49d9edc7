"""Tells by a file's first bytes, never by its name, whether it can be audio; it parses nothing."""

from pathlib import Path
from typing import BinaryIO

from podhost.errors import Invalid
from podhost.formats.audio import EXPORT_MP3
from podhost.formats.mpeg_frames import ID3_HEADER_BYTES, id3_size

HEAD_BYTES = 4096
MOST_ID3_TAGS = 32

# First bytes of what people upload by mistake, and how to name it to them.
_OTHERS = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3\x00", "a database"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM file"),
    (b"0&\xb2u\x8ef\xcf\x11", "a Windows Media file"),
    (b"FLV\x01", "a Flash video"),
    (b".RMF", "a RealMedia file"),
    (b"#EXTM3U", "a playlist"),
    (b"#!AMR", "an AMR voice recording"),
    (b"caff", "a CAF file"),
    (b"MThd", "a MIDI file"),
    (b"wvpk", "a WavPack file"),
    (b"MAC ", "a Monkey's Audio file"),
    (b"TTA1", "a True Audio file"),
    (b"DSD ", "a DSD file"),
    (b".snd", "a Sun audio file"),
    (b"\x0b\x77", "an AC-3 file"),
)
_MARKUP = (b"<!doctype", b"<html", b"<head", b"<body", b"<script", b"<!--")
_PICTURE_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"jxl ")
_MP4_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp")


def not_audio(content: str, name: str) -> Invalid:
    """The error for a file whose content is something else than its name may say."""
    ending = Path(name).suffix.lstrip(".").lower()
    is_plain = ending.isascii() and ending.isalnum() and len(ending) <= 8
    said = f"the name says {ending}, the content is {content}" if is_plain else f"it is {content}"
    return Invalid(f"This file is not audio that podcast apps can play: {said}. {EXPORT_MP3}")


def sniff_format(file: BinaryIO, size_bytes: int, name: str) -> str:
    """The family of formats that a file of `size_bytes` seems to belong to.

    One of mp3, adts, mp4, ogg, flac, wav, aiff, or unknown when junk may precede the sound.
    Raises Invalid for what is certainly no audio, with `name` (as its owner calls the file) in
    the sentence.
    """
    if size_bytes == 0:
        raise Invalid("This file is empty. Upload the episode's audio file again.")
    start = _skip_id3_tags(file)
    if start >= size_bytes:
        raise not_audio("only tags, with no sound after them", name)
    file.seek(start)
    head = file.read(HEAD_BYTES)
    found = _audio_format(head)
    if found is None:
        content = _other_content(head)
        if content is not None:
            raise not_audio(content, name)
    return found or "unknown"


def _skip_id3_tags(file: BinaryIO) -> int:
    """Where the first byte after all leading ID3v2 tags stands."""
    position = 0
    for _ in range(MOST_ID3_TAGS):
        file.seek(position)
        size = id3_size(file.read(ID3_HEADER_BYTES))
        if not size:
            break
        position += size
    return position


def _audio_format(head: bytes) -> str | None:
    if head[:4] == b"OggS":
        return "ogg"
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] in _MP4_FIRST_BOXES and head[8:12] not in _PICTURE_BRANDS:
        return "mp4"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "adts"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:
        return "mp3"
    return None


def _other_content(head: bytes) -> str | None:
    """What a file is that is no audio; None when it may still be."""
    for first_bytes, content in _OTHERS:
        if head.startswith(first_bytes):
            return content
    if head[:4] == b"RIFF":
        return {b"AVI ": "an AVI video", b"WEBP": "a WebP picture"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return "a picture"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_MARKUP):
        return "a web page"
    if text.startswith((b"<?xml", b"<rss", b"<svg")):
        return "an XML document"
    return "text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        # The last character may be cut at the end of what was read.
        text = head[: len(head) & ~1].decode(encoding, errors="strict")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return False
        text = head[: error.start].decode(encoding)
    return all(char >= " " or char in "\t\n\r\f" for char in text)
