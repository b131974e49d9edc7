"""Finds out all about one audio file, in a child process with limits; it changes and plays nothing.

The kind is told by content, never by name. Durations are counted, not believed: frames for MP3
and ADTS (headers and bitrate estimates lie), the packets that PyAV demuxes for everything else.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from podhost.errors import Invalid
from podhost.formats.audio import (
    EXPORT_MP3,
    KINDS,
    VIDEO_KINDS,
    Probe,
    TagChapter,
    Tags,
    decode_probe,
    encode_probe,
)
from podhost.formats.limits import run_limited
from podhost.formats.magic import not_audio, sniff_format
from podhost.formats.mp4_boxes import Movie, Mp4Chapter, read_movie
from podhost.formats.mpeg_frames import (
    AdtsFrames,
    FrameFormat,
    FrameKind,
    Mp3Frames,
    NotThisFormat,
    Walk,
    walk_frames,
)
from podhost.formats.wav_chunks import read_wav_notes

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

    from podhost.formats.tags import Findings

__all__ = ["Probe", "TagChapter", "Tags", "probe", "probe_in_child"]

SHORTEST_MS = 1_000
LONGEST_MS = 24 * 3600 * 1000
LOWEST_BITRATE_BPS = 8_000
HIGHEST_BITRATE_BPS = 2_000_000
LARGE_ARTWORK_BYTES = 300_000
SLOWEST_DISK_BYTES_PER_SECOND = 10_000_000

PROTECTED = (
    "This file is copy-protected (DRM), so no podcast app can play it. "
    "Upload the original recording instead."
)
FRAGMENTED = (
    "This M4A file is fragmented, as recorders and streaming tools write it, and many podcast "
    "apps cannot show its length or seek in it. " + EXPORT_MP3
)
INDEX_LAST = (
    "The index of this M4A file stands at its end, so some apps must load the whole file before "
    "they play it. Choose “fast start” or “optimise for streaming” on export."
)
# The families that PyAV demuxes, by the name that libavformat gives the demuxer: it must not
# guess for itself, for some of its formats (playlists, lists of files) open other files.
DEMUXERS = {"mp4": "mov", "ogg": "ogg", "flac": "flac", "wav": "wav", "aiff": "aiff"}
OGG_KINDS = {"vorbis": "ogg-vorbis", "opus": "opus", "flac": "flac"}
LOSSY_CODECS = frozenset(("mp3", "aac", "vorbis", "opus"))


def probe(path: Path, *, workdir: Path, name: str | None = None) -> Probe:
    """Look at the audio file at `path`; write pictures found in it into the folder `workdir`.

    `name` is what its owner calls the file, for sentences only. What can be stored but not
    published as it is comes back with `problem` set. Raises Invalid with a sentence for what is
    no audio, is damaged, protected, or outside of the limits of length and bitrate.
    """
    called = name or path.name
    with path.open("rb") as file:
        size_bytes = path.stat().st_size
        family = sniff_format(file, size_bytes, called)
    plain = run_limited(
        "podhost.formats.probe:probe_in_child",
        {"path": str(path), "workdir": str(workdir), "name": called, "family": family},
        wall_seconds=60 + size_bytes / SLOWEST_DISK_BYTES_PER_SECOND,
    )
    return decode_probe(plain, workdir)


@dataclass(kw_only=True)
class _Sound:
    """What was measured of the sound itself."""

    kind: str
    codec: str
    duration_ms: int
    sound_bytes: int
    sample_rate_hz: int
    channels: int
    header_bytes: int
    bitrate_mode: str = "unknown"
    bitrate_bps: int = 0
    mime_type: str = ""
    extension: str = ""
    problem: str | None = None
    warnings: list[str] = field(default_factory=list)


def probe_in_child(payload: dict[str, Any]) -> Any:
    """The part of `probe` that parses; answers what `decode_probe` reads."""
    # mutagen is not for the server's own process, which imports this module.
    from podhost.formats.tags import Findings

    path, name, family = Path(payload["path"]), payload["name"], payload["family"]
    size_bytes = path.stat().st_size
    findings = Findings(Path(payload["workdir"]))
    with path.open("rb") as file:
        if family == "mp4":
            sound = _read_mp4(file, path, size_bytes, name, findings)
        elif family in DEMUXERS:
            sound = _read_demuxed(file, path, size_bytes, family, name, findings)
        else:
            sound = _read_frames(file, size_bytes, family, name, findings)
    _check_limits(sound)
    return encode_probe(_assembled(sound, findings, size_bytes, name))


def _assembled(sound: _Sound, findings: "Findings", size_bytes: int, name: str) -> Probe:
    kind = KINDS[sound.kind]
    extension = sound.extension or kind.extension
    warnings = [*sound.warnings, *findings.warnings, *_name_warning(name, extension, sound.kind)]
    if findings.artwork_bytes > LARGE_ARTWORK_BYTES:
        warnings.append(
            f"The artwork inside the file is {findings.artwork_bytes // 1000} KB, which every "
            "download carries along. Show artwork of its own makes it unnecessary."
        )
    bitrate_bps = sound.bitrate_bps or round(sound.sound_bytes * 8000 / sound.duration_ms)
    return Probe(
        kind=sound.kind,
        codec=sound.codec,
        mime_type=sound.mime_type or kind.mime_type,
        extension=extension,
        size_bytes=size_bytes,
        duration_ms=sound.duration_ms,
        bitrate_bps=bitrate_bps,
        bitrate_mode=sound.bitrate_mode,
        sample_rate_hz=sound.sample_rate_hz,
        channels=sound.channels,
        header_bytes=sound.header_bytes,
        problem=sound.problem or kind.problem,
        warnings=warnings,
        tags=findings.tags,
        chapters=sorted(findings.chapters, key=lambda chapter: chapter.start_ms),
        artwork_path=findings.artwork_path,
        artwork_mime_type=findings.artwork_mime_type,
    )


def _name_warning(name: str, extension: str, kind: str) -> list[str]:
    ending = Path(name).suffix.lstrip(".").lower()
    same = {ending, extension} <= {"m4a", "m4b", "mp4"} or (ending, extension) == ("aif", "aiff")
    if ending == extension or same or (kind, ending) == ("opus", "ogg") or len(ending) > 4:
        return []
    if not ending.isalnum():
        return []
    return [
        f"The name says {ending}, the content is {KINDS[kind].title}: "
        f"the file is treated as .{extension}."
    ]


def _clock(duration_ms: int) -> str:
    minutes, seconds = divmod(round(duration_ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _check_limits(sound: _Sound) -> None:
    """Raise Invalid for what is too short or long to be an episode, or has no real bitrate."""
    duration_ms = sound.duration_ms
    if duration_ms < SHORTEST_MS:
        raise Invalid(
            f"This file holds only {duration_ms / 1000:.2f} seconds of sound; an episode needs at "
            "least one. Check that the whole recording was exported."
        )
    if duration_ms > LONGEST_MS:
        raise Invalid(
            f"This file is {_clock(duration_ms)} long; podcast apps take 24 hours at most. "
            "Publish it in parts."
        )
    bitrate_bps = sound.sound_bytes * 8000 / duration_ms
    if sound.codec not in LOSSY_CODECS or sound.kind == "mp4":
        return
    if not LOWEST_BITRATE_BPS <= bitrate_bps <= HIGHEST_BITRATE_BPS:
        raise Invalid(
            f"This file has {sound.sound_bytes} bytes for {_clock(duration_ms)} of sound, which "
            f"is {bitrate_bps / 1000:.1f} kbit/s; sound that apps can play has 8 to 2000 kbit/s. "
            f"{EXPORT_MP3}"
        )


def _claims_warning(claimed_ms: int, duration_ms: int) -> list[str]:
    """A warning when the duration that headers claim is off by a second and half a percent."""
    if not claimed_ms or abs(claimed_ms - duration_ms) <= max(1000, duration_ms // 200):
        return []
    return [
        f"The header of this file says that it is {_clock(claimed_ms)} long, but its sound lasts "
        f"{_clock(duration_ms)}: perhaps the upload was cut short or files were joined. Apps may "
        "show the wrong length; export it again from your audio editor."
    ]


# MP3 and ADTS: frames


def _read_frames(
    file: BinaryIO, size_bytes: int, family: str, name: str, findings: "Findings"
) -> _Sound:
    from podhost.formats.tags import read_mp3_tags

    kind, walk = _walked(file, size_bytes, family, name)
    read_mp3_tags(file, walk, findings)
    most_common: FrameKind = walk.kinds.most_common(1)[0][0]
    sound = _Sound(
        kind=kind,
        codec=kind,
        duration_ms=walk.duration_ms,
        sound_bytes=walk.sound_bytes,
        sample_rate_hz=most_common.rate_hz,
        channels=walk.channels,
        header_bytes=walk.header_bytes,
        warnings=_walk_warnings(walk),
    )
    if kind == "mp3":
        _add_mp3_bitrate(sound, file, walk)
    return sound


def _walked(file: BinaryIO, size_bytes: int, family: str, name: str) -> tuple[str, Walk]:
    """The kind of frames that the file holds, and the walk over them."""
    formats: list[tuple[str, FrameFormat]] = [("mp3", Mp3Frames()), ("aac", AdtsFrames())]
    for kind, frames in reversed(formats) if family == "adts" else formats:
        try:
            return kind, walk_frames(file, size_bytes, frames)
        except NotThisFormat:
            continue
    raise not_audio("no kind of sound that podhost knows, or is badly damaged", name)


def _walk_warnings(walk: Walk) -> list[str]:
    warnings = []
    if walk.leading_junk_bytes:
        warnings.append(
            f"{walk.leading_junk_bytes} bytes before the sound are neither sound nor tags."
        )
    if walk.junk_bytes:
        warnings.append(
            f"{walk.junk_bytes} bytes between or after the sound are not sound: the file may be "
            "slightly damaged."
        )
    if len(walk.sample_rates_hz) > 1:
        warnings.append(
            "Parts of the file have different sample rates, and some apps play one of them at the "
            "wrong speed. Join the parts in an audio editor and export the whole."
        )
    return warnings


def _add_mp3_bitrate(sound: _Sound, file: BinaryIO, walk: Walk) -> None:
    """Bitrate, its mode, and a warning when the file's own header is wrong or missing."""
    from mutagen.mp3 import BitrateMode, HeaderNotFoundError, MPEGInfo

    try:
        info: Any = MPEGInfo(file, offset=walk.header_bytes)
    except HeaderNotFoundError:
        info = None
    if len(walk.bitrates_bps) == 1:
        sound.bitrate_mode, sound.bitrate_bps = "CBR", min(walk.bitrates_bps)
    else:
        is_average = info is not None and info.bitrate_mode == BitrateMode.ABR
        sound.bitrate_mode = "ABR" if is_average else "VBR"
    if info is None:
        return
    claimed_ms = round(info.length * 1000)
    if info.bitrate_mode != BitrateMode.UNKNOWN:
        sound.warnings += _claims_warning(claimed_ms, sound.duration_ms)
    elif _claims_warning(claimed_ms, sound.duration_ms):
        sound.warnings.append(
            "This MP3 has a variable bitrate and no header that says its length: many apps will "
            f"show about {_clock(claimed_ms)} instead of {_clock(sound.duration_ms)} and seek to "
            "the wrong place. Export it with a constant bitrate."
        )


# Everything else: packets


@dataclass(kw_only=True)
class _Packets:
    """What demuxing the first sound track found."""

    codec: str
    sample_rate_hz: int
    channels: int
    duration_ms: int = 0
    total_bytes: int = 0
    first_position: int = 0
    is_broken: bool = False


def _demuxed(file: BinaryIO, demuxer: str, name: str) -> _Packets:
    """Sum the packets of the first sound track, without decoding any.

    Raises Invalid when there is no sound track, or nothing in it.
    """
    import av

    try:
        # A file object instead of a path: libavformat can open nothing else through it.
        container = av.open(
            file, "r", format=demuxer, buffer_size=1 << 18, metadata_errors="replace"
        )
    except (av.FFmpegError, OSError, EOFError, ValueError):
        raise not_audio("badly damaged", name) from None
    with container:
        if not container.streams.audio:
            raise not_audio("something without any sound", name)
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise not_audio("sound of an unknown kind", name)
        packets = _summed(container, stream)
    if not packets.total_bytes:
        raise not_audio("something without any sound", name)
    return packets


def _summed(container: "InputContainer", stream: "AudioStream") -> _Packets:
    import av

    context = stream.codec_context
    packets = _Packets(
        codec=context.name, sample_rate_hz=context.sample_rate or 0, channels=context.channels
    )
    units, first = 0, None
    try:
        for packet in container.demux(stream):
            if packet.size:
                units += packet.duration or 0
                packets.total_bytes += packet.size
                first = packet.pos if first is None else first
    except (av.FFmpegError, OSError, EOFError):
        packets.is_broken = True
    packets.first_position = max(0, first or 0)
    packets.duration_ms = round(units * (stream.time_base or 0) * 1000)
    return packets


def _sound_of(packets: _Packets, kind: str, findings: "Findings") -> _Sound:
    sound = _Sound(
        kind=kind,
        codec=packets.codec,
        duration_ms=packets.duration_ms or findings.claimed_ms,
        sound_bytes=packets.total_bytes,
        sample_rate_hz=packets.sample_rate_hz,
        channels=packets.channels,
        header_bytes=packets.first_position,
    )
    sound.warnings += _claims_warning(findings.claimed_ms, sound.duration_ms)
    if packets.is_broken:
        sound.warnings.append("The file is damaged: its sound could be read in part only.")
    return sound


def _read_mp4(
    file: BinaryIO, path: Path, size_bytes: int, name: str, findings: "Findings"
) -> _Sound:
    from podhost.formats.tags import read_mp4_tags

    movie = read_movie(file, size_bytes)
    if movie.is_protected or movie.brand.startswith(b"aax"):
        raise Invalid(PROTECTED)
    read_mp4_tags(path, findings)
    findings.chapters = _mp4_chapters(movie)
    file.seek(0)
    packets = _demuxed(file, DEMUXERS["mp4"], name)
    sound = _sound_of(packets, "mp4" if movie.has_video else "m4a", findings)
    sound.header_bytes = movie.header_bytes
    sound.problem = _mp4_problem(movie, packets.codec)
    if movie.has_video:
        sound.mime_type, sound.extension = VIDEO_KINDS.get(movie.brand, ("", ""))
    elif not movie.is_index_first and not sound.problem:
        sound.warnings.append(INDEX_LAST)
    return sound


def _mp4_problem(movie: Movie, codec: str) -> str | None:
    if movie.has_video:
        return None
    if codec != "aac":
        title = {"alac": "Apple Lossless (ALAC)"}.get(codec, f"M4A files with {codec} sound")
        return f"Apple Podcasts and many other apps do not play {title}. {EXPORT_MP3}"
    return FRAGMENTED if movie.is_fragmented else None


def _mp4_chapters(movie: Movie) -> list[TagChapter]:
    """The QuickTime chapters when there are any: Apple's own apps read no others."""
    from podhost.formats.tags import TITLE_CHARS, clean_tag

    def chapter(found: Mp4Chapter) -> TagChapter:
        return TagChapter(start_ms=found.start_ms, title=clean_tag(found.title, TITLE_CHARS))

    return [chapter(found) for found in movie.quicktime_chapters or movie.nero_chapters]


def _read_demuxed(
    file: BinaryIO, path: Path, size_bytes: int, family: str, name: str, findings: "Findings"
) -> _Sound:
    """Ogg, FLAC, WAV and AIFF."""
    from podhost.formats.tags import read_info_texts, read_other_tags

    packets = _demuxed(file, DEMUXERS[family], name)
    kind = OGG_KINDS.get(packets.codec) if family == "ogg" else family
    if kind is None:
        raise not_audio(f"Ogg with {packets.codec} sound", name)
    is_ogg_flac = (family, kind) == ("ogg", "flac")
    read_other_tags(path, "ogg-flac" if is_ogg_flac else kind, findings)
    sound = _sound_of(packets, kind, findings)
    if is_ogg_flac:
        sound.mime_type, sound.extension = "audio/ogg", "ogg"
    if packets.codec.startswith("pcm_"):
        sound.bitrate_mode = "CBR"
    if kind == "wav":
        notes = read_wav_notes(file, size_bytes)
        read_info_texts(notes.info, findings)
        if not findings.chapters and packets.sample_rate_hz:
            findings.chapters = [
                TagChapter(
                    start_ms=marker.sample * 1000 // packets.sample_rate_hz, title=marker.label
                )
                for marker in notes.markers
            ]
    return sound
