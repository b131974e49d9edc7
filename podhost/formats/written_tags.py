"""Tags written into a copy of an audio file: what they say, and the proof that it sounds the same.

Files are parsed in child processes only; the copy is put together here, of the new tags and of the
bytes of the upload, and it counts only when its sound is that of the upload, bit for bit.
"""

import datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from podhost.errors import Invalid
from podhost.formats.limits import run_limited
from podhost.formats.sound import Sound, read_sound

# By `formats.audio.KINDS`: what tags can be written into.
TAGGED_KINDS = ("mp3", "m4a")
GENRE = "Podcast"
# Rises when the same values are written as other bytes.
WRITER_VERSION = 1

_MODULE = "podhost.formats.written_tags"
_BLOCK_BYTES = 1 << 20
# Whoever walks through the frames of a file takes a second for 80 MB; the processor may be slower.
_BYTES_PER_CPU_SECOND = 10_000_000
_SLOWEST_BYTES_PER_SECOND = 2_000_000
_OTHER_SOUND = "The sound of the file would not have been the same to the last bit."
_CHANGED = "The file changed while tags were written."


class WrittenChapter(msgspec.Struct, frozen=True, kw_only=True):
    """One chapter, times in milliseconds; `url` is ASCII."""

    start_ms: int
    end_ms: int
    title: str = ""
    url: str | None = None
    is_hidden: bool = False


class WrittenTags(msgspec.Struct, frozen=True, kw_only=True):
    """What tags are to say. What is None or empty is taken away, but for the link, where what the
    upload says stays. `link` is ASCII; chapters are in order."""

    title: str
    show: str
    artists: tuple[str, ...] = ()
    author: str = ""
    date: datetime.date | None = None
    season: int | None = None
    number: int | None = None
    link: str | None = None
    chapters: tuple[WrittenChapter, ...] = ()


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A part of the new file: a file in the working folder, or where `name` is None `length` bytes
    of the upload from `start`."""

    name: str | None
    start: int = 0
    length: int = 0


class _Planned(msgspec.Struct, frozen=True):
    pieces: list[Piece]
    sound: Sound


def write_tags(
    source: Path, target: Path, tags: WrittenTags, *, kind: str, cover: Path | None, workdir: Path
) -> None:
    """Make `target` a copy of the audio at `source` with these tags, and `cover` (JPEG) in them.

    `kind` is one of TAGGED_KINDS; `workdir` an empty folder. Without a cover, pictures stay as
    they are. The same values make the same bytes. Raises Invalid with a sentence when the tags
    cannot be written or the sound would not be the same; Unavailable when no process can be
    started, OSError when the disk takes no more.
    """
    question = {
        "path": str(source),
        "kind": kind,
        "workdir": str(workdir),
        "cover": str(cover) if cover is not None else None,
        "tags": msgspec.to_builtins(tags),
    }
    planned = msgspec.convert(_run("plan_in_child", question, source), _Planned)
    _assemble(source, target, planned.pieces, workdir)
    written = _run("sound_in_child", {"path": str(target), "kind": kind}, target)
    if msgspec.convert(written, Sound) != planned.sound:
        raise Invalid(_OTHER_SOUND)


def _run(name: str, question: dict[str, Any], path: Path) -> Any:
    size_bytes = path.stat().st_size
    return run_limited(
        f"{_MODULE}:{name}",
        question,
        cpu_seconds=20 + size_bytes // _BYTES_PER_CPU_SECOND,
        wall_seconds=60 + size_bytes / _SLOWEST_BYTES_PER_SECOND,
    )


def plan_in_child(payload: dict[str, Any]) -> Any:
    """The part of `write_tags` that parses: pieces, and the sound that they must have."""
    path, workdir, kind = Path(payload["path"]), Path(payload["workdir"]), payload["kind"]
    tags = msgspec.convert(payload["tags"], WrittenTags)
    cover = Path(payload["cover"]).read_bytes() if payload["cover"] is not None else None
    if kind == "mp3":
        from podhost.formats.id3_writing import plan_mp3

        pieces = plan_mp3(path, workdir, tags, cover)
    else:
        from podhost.formats.mp4_writing import plan_m4a

        pieces = plan_m4a(path, workdir, tags, cover)
    return msgspec.to_builtins(_Planned(pieces, read_sound(path, kind)))


def sound_in_child(payload: dict[str, Any]) -> Any:
    """The sound of a file, as plain values."""
    return msgspec.to_builtins(read_sound(Path(payload["path"]), payload["kind"]))


def _assemble(source: Path, target: Path, pieces: list[Piece], workdir: Path) -> None:
    with source.open("rb") as upload, target.open("wb") as made:
        for piece in pieces:
            if piece.name is None:
                upload.seek(piece.start)
                _copy(upload, made, piece.length)
            else:
                path = workdir / Path(piece.name).name
                with path.open("rb") as part:
                    _copy(part, made, path.stat().st_size)


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length > 0:
        block = source.read(min(_BLOCK_BYTES, length))
        if not block:
            raise Invalid(_CHANGED)
        target.write(block)
        length -= len(block)
