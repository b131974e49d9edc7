"""Reads tags, artwork and the chapters in tags with mutagen; only ever imported in a child process.

Tags are a convenience: whatever is wrong with them is a warning, never a reason to refuse audio.
"""

# mutagen says that it is typed, and then leaves out nearly every type.
# mypy: disable-error-code="no-untyped-call, attr-defined"

import base64
import binascii
import io
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from mutagen import aiff, apev2, flac, id3, mp4, oggflac, oggopus, oggvorbis, wave

from podhost.formats.audio import TagChapter, Tags
from podhost.formats.mpeg_frames import Walk
from podhost.formats.text import clean_text

TITLE_CHARS = 1000
TEXT_CHARS = 100_000
LONG_TEXTS = frozenset(("comment", "description", "lyrics"))
NUMBERS = frozenset(("track", "disc"))
PICTURE_BYTES = 10_000_000
MOST_CHAPTERS = 5_000
MOST_CHAPTER_PICTURES = 500
TAG_BYTES = 64_000_000
# Of each of the few tags of a file; the child has 20 for everything.
READING_SECONDS = 2.0
FRONT_COVER = 3
NO_TIME = 0xFFFFFFFF

UNREADABLE = "The tags in the file are damaged and could not all be read."
_SHARED_CHAPTER_ID = (
    "Several chapters in the file have the same identifier; some apps will show only one of them."
)
_PICTURE_KINDS = (
    (b"\xff\xd8\xff", "jpg", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png", "image/png"),
    (b"GIF8", "gif", "image/gif"),
)
_ID3_TEXTS = {
    "title": ("TIT2",),
    "subtitle": ("TIT3",),
    "artist": ("TPE1", "TPE2"),
    "album": ("TALB",),
    "track": ("TRCK",),
    "disc": ("TPOS",),
    "date": ("TDRC", "TDRL", "TDOR"),
    "description": ("TDES", "TXXX:description", "TXXX:DESCRIPTION"),
    "language": ("TLAN",),
}
_MP4_TEXTS = {
    "title": ("\xa9nam",),
    "artist": ("\xa9ART", "aART"),
    "album": ("\xa9alb",),
    "track": ("trkn",),
    "disc": ("disk",),
    "date": ("\xa9day",),
    "genre": ("\xa9gen",),
    "comment": ("\xa9cmt",),
    "description": ("ldes", "desc"),
    "lyrics": ("\xa9lyr",),
}
_VORBIS_TEXTS = {
    "title": ("title",),
    "subtitle": ("subtitle",),
    "artist": ("artist", "albumartist"),
    "album": ("album",),
    "track": ("tracknumber", "track"),
    "disc": ("discnumber", "disc"),
    "date": ("date", "year"),
    "genre": ("genre",),
    "comment": ("comment",),
    "description": ("description",),
    "lyrics": ("lyrics", "unsyncedlyrics"),
    "language": ("language",),
}
_INFO_TEXTS = {
    "title": "INAM",
    "artist": "IART",
    "album": "IPRD",
    "date": "ICRD",
    "genre": "IGNR",
    "comment": "ICMT",
    "language": "ILNG",
}
_CHAPTER_KEY = re.compile(r"chapter([0-9]{1,4})(name|url)?")
_CLOCK = re.compile(r"([0-9]{1,3}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?")


class CHAP(id3.CHAP):
    """A chapter frame that is not lost when another has the same identifier."""

    @property
    def HashKey(self) -> str:
        return f"CHAP:{self.element_id}:{self.start_time}"


# mutagen falls back to the frames of the tag's own version only when it is given none.
_FRAMES = {**id3.Frames_2_2, **id3.Frames, "CHAP": CHAP}


class _NoChapters:
    """Chapters are read by mp4_boxes; mutagen gives up on titles that are not UTF-8."""

    def __init__(self, atoms: object, file: object) -> None:
        pass


class Mp4File(mp4.MP4):
    """An MP4 file whose chapters are left alone."""

    MP4Chapters = _NoChapters  # type: ignore[assignment]  # all that load() does is call it


@dataclass
class Findings:
    """What the tags of one file gave, filled by one reader after the other: the first one wins.

    `claimed_ms` is the duration that mutagen reads from headers, 0 when it has none.
    """

    workdir: Path
    texts: dict[str, str | int] = field(default_factory=dict)
    chapters: list[TagChapter] = field(default_factory=list)
    artwork_path: Path | None = None
    artwork_mime_type: str | None = None
    artwork_bytes: int = 0
    claimed_ms: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def tags(self) -> Tags:
        return msgspec.convert(self.texts, Tags)

    def put(self, name: str, value: object) -> None:
        """Keep one field, cleaned and bounded, unless an earlier tag gave it."""
        if name in self.texts or value is None:
            return
        cleaned: str | int | None
        if name in NUMBERS:
            cleaned = _positive_number(str(value))
        else:
            limit = TEXT_CHARS if name in LONG_TEXTS else TITLE_CHARS
            cleaned = clean_tag(str(value), limit, one_line=name not in LONG_TEXTS)
        if cleaned:
            self.texts[name] = cleaned

    def put_artwork(self, data: bytes) -> None:
        """Keep the episode's picture, unless an earlier tag gave one or podhost cannot use it."""
        if self.artwork_path is not None or not data:
            return
        kind = _picture_kind(data)
        if kind is None:
            self.warn("The artwork in the file is no JPEG or PNG picture and was left out.")
        elif len(data) > PICTURE_BYTES:
            self.warn("The artwork in the file is larger than 10 MB and was left out.")
        else:
            self.artwork_path = self._written(f"artwork.{kind[0]}", data)
            self.artwork_mime_type = kind[1]
            self.artwork_bytes = len(data)

    def chapter_picture(self, number: int, data: bytes) -> Path | None:
        """Write a chapter's picture and say where, None when podhost cannot use it."""
        kind = _picture_kind(data)
        if kind is None or len(data) > PICTURE_BYTES or number >= MOST_CHAPTER_PICTURES:
            self.warn("Some chapter pictures in the file could not be used and were left out.")
            return None
        return self._written(f"chapter-{number:03d}.{kind[0]}", data)

    def warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def _written(self, name: str, data: bytes) -> Path:
        path = self.workdir / name
        path.write_bytes(data)
        return path


def clean_tag(text: str, limit: int, *, one_line: bool = True) -> str:
    """Text from a tag without control characters, in NFC, trimmed, at most `limit` characters."""
    # Four times the limit is room enough for what cleaning takes away.
    text = clean_text(text[: 4 * limit].replace("\x00", "\n"))
    text = "".join(char for char in text if not "\x7f" <= char <= "\x9f")
    if one_line:
        text = " ".join(text.split())
    return text[:limit].strip()


def _positive_number(text: str) -> int | None:
    """7 from "7/52", "07" or "7": the episode number in a tag; None from garbage."""
    found = re.match(r"\s*0*([1-9][0-9]{0,8})(?![0-9])", text[:100], re.ASCII)
    return int(found[1]) if found else None


def _picture_kind(data: bytes) -> tuple[str, str] | None:
    """The ending and MIME type of a picture by its content: what tags say of it is often wrong."""
    for first_bytes, extension, mime_type in _PICTURE_KINDS:
        if data.startswith(first_bytes):
            return extension, mime_type
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return ("webp", "image/webp") if is_webp else None


def _reading(read: Callable[..., None], *source: Any, findings: Findings) -> None:
    """Run one reader; a tag that breaks it or takes for ever is a warning, but running out of
    memory is not."""
    try:
        with _limited_time():
            read(*source, findings)
    except MemoryError:
        raise
    except Exception:  # mutagen raises far more than MutagenError on hostile tags
        findings.warn(UNREADABLE)


@contextmanager
def _limited_time() -> Iterator[None]:
    """Raise an error inside the block once it has taken READING_SECONDS of the processor.

    A megabyte of zero bytes, packed into a frame of one kilobyte, takes mutagen eight seconds.
    """

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, stop)
    # And every second again, should a library swallow the first one.
    signal.setitimer(signal.ITIMER_VIRTUAL, READING_SECONDS, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def read_mp3_tags(file: BinaryIO, walk: Walk, findings: Findings) -> None:
    """ID3v2 tags (each of several), then APE, then ID3v1, at the places that the walk found."""
    for position, size in walk.id3_tags:
        if size > TAG_BYTES:
            findings.warn("The tags in the file are larger than 64 MB and were left out.")
            continue
        file.seek(position)
        _reading(_read_id3_bytes, file.read(size), findings=findings)
    position, size = walk.ape_tag
    if 0 < size <= TAG_BYTES:
        file.seek(position)
        _reading(_read_ape_bytes, file.read(size), findings=findings)
    position, size = walk.id3v1_tag
    if size:
        file.seek(position)
        _reading(_read_id3v1_bytes, file.read(size), findings=findings)


def _read_id3_bytes(data: bytes, findings: Findings) -> None:
    _read_id3(id3.ID3(io.BytesIO(data), known_frames=_FRAMES), findings)


def _read_id3v1_bytes(data: bytes, findings: Findings) -> None:
    tag = id3.ID3()
    for frame in (id3.ParseID3v1(data) or {}).values():
        tag.add(frame)
    _read_id3(tag, findings)


def _read_ape_bytes(data: bytes, findings: Findings) -> None:
    _read_ape(apev2.APEv2(io.BytesIO(data)), findings)


def read_mp4_tags(path: Path, findings: Findings) -> None:
    """iTunes atoms; chapters come from mp4_boxes."""
    _reading(_read_mp4_file, path, findings=findings)


def _read_mp4_file(path: Path, findings: Findings) -> None:
    parsed: Any = Mp4File(path)
    findings.claimed_ms = round(parsed.info.length * 1000)
    if parsed.tags is not None:
        _read_mp4(parsed.tags, findings)


_COMMENTED = {
    "ogg-vorbis": oggvorbis.OggVorbis,
    "opus": oggopus.OggOpus,
    "flac": flac.FLAC,
    "ogg-flac": oggflac.OggFLAC,
}
_WITH_ID3_CHUNK = {"wav": wave.WAVE, "aiff": aiff.AIFF}


def read_other_tags(path: Path, kind: str, findings: Findings) -> None:
    """Vorbis comments of Ogg and FLAC files, ID3 chunks of WAV and AIFF files."""
    _reading(_read_other_file, path, kind, findings=findings)


def _read_other_file(path: Path, kind: str, findings: Findings) -> None:
    parsed: Any = (_COMMENTED.get(kind) or _WITH_ID3_CHUNK[kind])(path)
    findings.claimed_ms = round(parsed.info.length * 1000)
    # A result without tags is falsy, and tags may be None.
    if parsed.tags is None:
        return
    if kind in _WITH_ID3_CHUNK:
        _read_id3(parsed.tags, findings)
    else:
        _read_vorbis(parsed.tags, getattr(parsed, "pictures", []), findings)


def read_info_texts(info: Mapping[str, str], findings: Findings) -> None:
    """The INFO texts of a WAV file."""
    for name, key in _INFO_TEXTS.items():
        findings.put(name, info.get(key))


# ID3


def _read_id3(tag: id3.ID3, findings: Findings) -> None:
    for name, keys in _ID3_TEXTS.items():
        for key in keys:
            if key in tag:
                findings.put(name, _id3_text(tag[key]))
    if "TCON" in tag:
        findings.put("genre", " / ".join(tag["TCON"].genres[:10]))
    # iTunes keeps technical notes (iTunNORM, iTunSMPB) among the comments.
    comments = [c for c in tag.getall("COMM") if not c.desc.lower().startswith("itun")]
    for comment in sorted(comments, key=lambda frame: frame.desc != ""):
        findings.put("comment", _id3_text(comment))
    for lyrics in tag.getall("USLT"):
        findings.put("lyrics", _repaired(lyrics.text, lyrics.encoding))
    # "-->" means that the data is an address, which is not fetched.
    pictures = [p for p in tag.getall("APIC") if p.mime != "-->" and p.data]
    pictures.sort(key=lambda picture: (picture.type != FRONT_COVER, -len(picture.data)))
    for picture in pictures[:1]:
        findings.put_artwork(picture.data)
    if not findings.chapters:
        findings.chapters = _id3_chapters(tag, findings)


def _id3_text(frame: Any) -> str:
    joined = " / ".join(str(text)[:TEXT_CHARS] for text in frame.text[:10] if str(text))
    return _repaired(joined, frame.encoding)


def _repaired(text: str, encoding: int) -> str:
    """Text declared as Latin-1 that is really UTF-8 or Windows-1252, as most of it is."""
    if encoding != id3.Encoding.LATIN1 or text.isascii():
        return text
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        return text
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="ignore")


def _id3_chapters(tag: id3.ID3, findings: Findings) -> list[TagChapter]:
    """CHAP frames in the order of time (ID3v2 Chapter Frame Addendum); byte offsets are ignored."""
    frames = sorted(tag.getall("CHAP"), key=lambda frame: int(frame.start_time))[:MOST_CHAPTERS]
    ids = [frame.element_id for frame in frames]
    if len(set(ids)) < len(ids):
        findings.warn(_SHARED_CHAPTER_ID)
    listed = _listed_ids(tag, set(ids))
    return [
        _id3_chapter(frame, number, frame.element_id not in listed, findings)
        for number, frame in enumerate(frames)
        if frame.start_time != NO_TIME
    ]


def _listed_ids(tag: id3.ID3, chapter_ids: set[str]) -> set[str]:
    """The chapters that the only top-level table of contents names; all when there is none."""
    tables = {table.element_id: table for table in tag.getall("CTOC")}
    top = [table for table in tables.values() if table.flags & id3.CTOCFlags.TOP_LEVEL]
    if len(top) != 1:
        return chapter_ids
    listed: set[str] = set()
    waiting = list(top[0].child_element_ids)
    while waiting:
        child = waiting.pop()
        if child not in listed:
            listed.add(child)
            # A table may stand in a table; each is opened once, however they point at each other.
            waiting.extend(tables[child].child_element_ids if child in tables else ())
    return listed if listed & chapter_ids else chapter_ids


def _id3_chapter(frame: Any, number: int, hidden: bool, findings: Findings) -> TagChapter:
    parts = frame.sub_frames
    pictures = [p for p in parts.getall("APIC") if p.mime != "-->" and p.data]
    return TagChapter(
        start_ms=int(frame.start_time),
        end_ms=None if frame.end_time in (NO_TIME, 0) else int(frame.end_time),
        title=clean_tag(_id3_text(parts["TIT2"]), TITLE_CHARS) if "TIT2" in parts else "",
        url=_chapter_url(parts),
        picture_path=findings.chapter_picture(number, pictures[0].data) if pictures else None,
        hidden=hidden,
    )


def _chapter_url(parts: Any) -> str | None:
    links = [*parts.getall("WXXX"), *(part for part in parts.values() if part.FrameID != "WXXX")]
    for link in links:
        url = clean_tag(str(getattr(link, "url", "")), TITLE_CHARS)
        if link.FrameID.startswith("W") and url:
            return url
    return None


# MP4, APE, Vorbis comments


def _read_mp4(tags: Mapping[str, Any], findings: Findings) -> None:
    for name, keys in _MP4_TEXTS.items():
        for key in keys:
            values = tags.get(key)
            if not values:
                continue
            # trkn and disk are pairs of a number and a total.
            findings.put(name, values[0][0] if isinstance(values[0], tuple) else values[0])
    for cover in list(tags.get("covr", ()))[:1]:
        findings.put_artwork(bytes(cover))


def _read_ape(tag: Any, findings: Findings) -> None:
    for name, keys in _VORBIS_TEXTS.items():
        for key in keys:
            if key in tag and tag[key].kind == apev2.TEXT:
                findings.put(name, " / ".join(list(tag[key])[:10]))
    if "Cover Art (Front)" in tag:
        # A file name, a zero byte, the picture.
        findings.put_artwork(bytes(tag["Cover Art (Front)"].value).partition(b"\x00")[2])


def _read_vorbis(comments: Any, pictures: list[Any], findings: Findings) -> None:
    values: dict[str, list[str]] = {}
    for key, value in comments:
        values.setdefault(key.lower(), []).append(value)
    for name, keys in _VORBIS_TEXTS.items():
        for key in keys:
            if key in values:
                findings.put(name, " / ".join(values[key][:10]))
    pictures = [*pictures, *_picture_blocks(values.get("metadata_block_picture", []))]
    pictures.sort(key=lambda picture: (picture.type != FRONT_COVER, -len(picture.data)))
    for picture in pictures[:1]:
        findings.put_artwork(picture.data)
    for value in values.get("coverart", [])[:1]:
        findings.put_artwork(_from_base64(value))
    findings.chapters = _vorbis_chapters(values)


def _picture_blocks(values: list[str]) -> list[Any]:
    blocks = []
    for value in values[:20]:
        try:
            blocks.append(flac.Picture(_from_base64(value)))
        except flac.error:
            continue
    return blocks


def _from_base64(value: str) -> bytes:
    try:
        return base64.b64decode(value.encode("ascii", errors="ignore"))
    except binascii.Error:
        return b""


def _vorbis_chapters(values: Mapping[str, list[str]]) -> list[TagChapter]:
    """CHAPTER001=00:00:00.000, CHAPTER001NAME and CHAPTER001URL; the first number may be 0 or 1."""
    found: dict[int, dict[str, str]] = {}
    for key, texts in values.items():
        match = _CHAPTER_KEY.fullmatch(key)
        if match:
            found.setdefault(int(match[1]), {})[match[2] or "start"] = texts[0]
    chapters = []
    for parts in list(found.values())[:MOST_CHAPTERS]:
        clock = _CLOCK.match(parts.get("start", "").strip())
        if clock is None:
            continue
        hours, minutes, seconds = int(clock[1]), int(clock[2]), int(clock[3])
        fraction = int((clock[4] or "0").ljust(3, "0")[:3])
        chapters.append(
            TagChapter(
                start_ms=((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction,
                title=clean_tag(parts.get("name", ""), TITLE_CHARS),
                url=clean_tag(parts.get("url", ""), TITLE_CHARS) or None,
            )
        )
    return sorted(chapters, key=lambda chapter: chapter.start_ms)
