"""What is known of an audio file, as values; it opens no file and names the kinds only once."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

EXPORT_MP3 = (
    "Export the episode as MP3 (96 to 128 kbit/s is fine for speech) or as AAC in M4A, "
    "and upload that."
)


class Kind(NamedTuple):
    """One kind of file: its enclosure type, the ending of its real container, and its name.

    `problem` is None for what every podcast app plays, else the reason why it stays a draft.
    """

    mime_type: str
    extension: str
    title: str
    problem: str | None = None


def _unplayable(title: str) -> str:
    return f"Apple Podcasts and many other apps do not play {title}. {EXPORT_MP3}"


# Apple: MP3, AAC in M4A, and video; the MIME types are those that Apple's feed rules name.
KINDS = {
    "mp3": Kind("audio/mpeg", "mp3", "MP3"),
    "m4a": Kind("audio/x-m4a", "m4a", "M4A"),
    "mp4": Kind(
        "video/mp4",
        "mp4",
        "an MP4 video",
        f"This file is a video, and podhost publishes audio episodes. {EXPORT_MP3}",
    ),
    "aac": Kind("audio/aac", "aac", "bare AAC", _unplayable("AAC without its M4A container")),
    "ogg-vorbis": Kind("audio/ogg", "ogg", "Ogg Vorbis", _unplayable("Ogg Vorbis")),
    "opus": Kind("audio/ogg", "opus", "Opus", _unplayable("Opus")),
    "flac": Kind("audio/flac", "flac", "FLAC", _unplayable("FLAC")),
    "wav": Kind("audio/wav", "wav", "WAV", _unplayable("WAV")),
    "aiff": Kind("audio/aiff", "aiff", "AIFF", _unplayable("AIFF")),
}
# The video kinds differ by the brand in the file's first box.
VIDEO_KINDS = {
    b"M4V ": ("video/x-m4v", "m4v"),
    b"M4VH": ("video/x-m4v", "m4v"),
    b"M4VP": ("video/x-m4v", "m4v"),
    b"qt  ": ("video/quicktime", "mov"),
}


class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """What the tags say, cleaned: to prefill a form, never to overwrite what a person typed.

    A date is text as it stands there (it may be "2024" only); track and disc are positive.
    """

    title: str | None = None
    subtitle: str | None = None
    artist: str | None = None
    album: str | None = None
    track: int | None = None
    disc: int | None = None
    date: str | None = None
    genre: str | None = None
    comment: str | None = None
    description: str | None = None
    lyrics: str | None = None
    language: str | None = None


class TagChapter(msgspec.Struct, frozen=True, kw_only=True):
    """A chapter as the file has it, times in milliseconds; not yet checked against anything.

    `hidden` chapters stand outside the file's table of contents.
    """

    start_ms: int
    end_ms: int | None = None
    title: str = ""
    url: str | None = None
    picture_path: Path | None = None
    hidden: bool = False


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """All that one look at an audio file finds.

    `kind` is a key of KINDS; `extension` has no dot and is that of the real container.
    `bitrate_mode` is CBR, VBR, ABR or unknown. `header_bytes` is how many bytes precede the
    sound. `problem` is None when the file can be published as it is, else a sentence for the
    podcaster. Pictures lie in the folder that the caller gave.
    """

    kind: str
    codec: str
    mime_type: str
    extension: str
    size_bytes: int
    duration_ms: int
    bitrate_bps: int
    bitrate_mode: str
    sample_rate_hz: int
    channels: int
    header_bytes: int
    problem: str | None = None
    warnings: list[str] = []
    tags: Tags = Tags()
    chapters: list[TagChapter] = []
    artwork_path: Path | None = None
    artwork_mime_type: str | None = None


def encode_probe(probe: Probe) -> Any:
    """The probe as plain values; of a picture only its file name, for it may lie anywhere."""
    return msgspec.to_builtins(probe, enc_hook=lambda path: path.name)


def decode_probe(plain: Any, workdir: Path) -> Probe:
    """The probe that `encode_probe` made, with its pictures in `workdir`."""
    return msgspec.convert(plain, Probe, dec_hook=lambda _, name: workdir / Path(name).name)
