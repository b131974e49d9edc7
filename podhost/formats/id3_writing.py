"""Writes the ID3 tag of an MP3 with mutagen; only ever imported in a child process.

It makes the new tag and says which parts of the file stay; it copies no sound. What it does not
write itself (comments, lyrics, frames of other programs) is kept as the upload has it.
"""

# mutagen says that it is typed, and then leaves out nearly every type.
# mypy: disable-error-code="no-untyped-call, attr-defined"

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from mutagen import apev2, id3

from podhost.errors import Invalid
from podhost.formats.mpeg_frames import ID3_HEADER_BYTES, Mp3Frames, Walk, walk_frames
from podhost.formats.sound import mp3_sound_end
from podhost.formats.tags import CHAP, FRONT_COVER, NO_TIME, TAG_BYTES
from podhost.formats.written_tags import GENRE, Piece, WrittenChapter, WrittenTags

TAG_FILE = "tag.id3"
APE_FILE = "tag.ape"
# Room for the next program that changes a word, without moving the sound of the whole file.
PADDING_BYTES = 1024
# A table of contents counts its entries in one byte.
MOST_ENTRIES = 255
OTHER_PICTURE = 0
MOST_TAG_BYTES = (1 << 28) - 1
_UTF8 = id3.Encoding.UTF8
_FRAMES = {**id3.Frames_2_2, **id3.Frames, "CHAP": CHAP}
# Of 2.4, and without a counterpart in 2.3. What speaks of the tag itself (SEEK, SIGN) goes.
_ONLY_V24 = (
    *("ASPI", "EQU2", "RVA2", "TDEN", "TDRL", "TDTG", "TMOO", "TPRO"),
    *("TSOA", "TSOP", "TSOT", "TSST"),
)
_DATES = ("TDRC", "TYER", "TDAT", "TIME", "TRDA")
# What an APE tag says of the same things, in the words of players that prefer it to ID3.
_APE_KEYS = ("title", "album", "artist", "album artist", "year", "track", "disc", "genre")
_APE_PICTURES = "cover art"
_TOO_LARGE = "The tags of this file are larger than podhost reads."


def plan_mp3(path: Path, workdir: Path, tags: WrittenTags, cover: bytes | None) -> list[Piece]:
    """The pieces of the tagged file: the new tag, the sound as it is, and an APE tag if any.

    An ID3v1 tag at the end goes: it has 30 letters of Latin-1 for what the new tag says whole.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        walk = walk_frames(file, size_bytes, Mp3Frames())
        tag = _tag_of(file, walk)
        _put_texts(tag, tags)
        _put_cover(tag, cover)
        chapters = _take_chapters(tag, tags.chapters)
        (workdir / TAG_FILE).write_bytes(_rendered(tag, chapters))
        start = max((position + size for position, size in walk.id3_tags), default=0)
        end = mp3_sound_end(walk, size_bytes)
        pieces = [Piece(TAG_FILE), Piece(None, start, end - start)]
        ape = _ape_without_ours(file, walk)
    if ape:
        (workdir / APE_FILE).write_bytes(ape)
        pieces.append(Piece(APE_FILE))
    return pieces


def _tag_of(file: BinaryIO, walk: Walk) -> id3.ID3:
    """The tag that the file has, as version 2.3; of several, the first, which players read.

    2.3 is the most widely supported (GStreamer, id3mux) and all that older Windows reads; and of
    2.4, programs that read with libavformat lose chapters whose parts have more than 127 bytes.
    """
    tag = id3.ID3()
    for position, size in walk.id3_tags[:1]:
        if size > TAG_BYTES:
            raise Invalid(_TOO_LARGE)
        file.seek(position)
        data = file.read(size)
        # What nobody can read gives way to what everybody can; the upload is kept.
        with suppress(id3.error):
            tag = id3.ID3(io.BytesIO(data), _FRAMES, translate=False, load_v1=False)
    # Off the letter of 2.3, as iTunes does it too: who does not know a frame passes it over.
    newer = [frame for name in _ONLY_V24 for frame in tag.getall(name)]
    tag.update_to_v23()
    for frame in newer:
        tag.add(frame)
    return tag


def _rendered(tag: id3.ID3, chapters: Sequence[id3.Frame]) -> bytes:
    """The tag's bytes. mutagen orders frames by size; players of simple mind show chapters in the
    order in which they find them."""
    unknown = [_as_v23(tag, frame) for frame in tag.unknown_frames]
    frames = _frames(*tag.values()) + b"".join(_frames(chapter) for chapter in chapters)
    body = frames + b"".join(unknown) + bytes(PADDING_BYTES)
    if len(body) > MOST_TAG_BYTES:
        raise Invalid(_TOO_LARGE)
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + body


def _frames(*frames: id3.Frame) -> bytes:
    tag, target = id3.ID3(), io.BytesIO()
    for frame in frames:
        tag.add(frame)
    tag.save(target, v1=0, v2_version=3, padding=lambda _: 0)
    return target.getvalue()[ID3_HEADER_BYTES:]


def _as_v23(tag: id3.ID3, frame: bytes) -> bytes:
    """A frame that mutagen does not know; the sizes of 2.4 have seven bits in each byte."""
    version = tuple(tag.version[:2])
    if (
        len(frame) <= ID3_HEADER_BYTES
        or version == (2, 2)
        or (version > (2, 3) and any(frame[8:10]))
    ):
        return b""
    return frame[:4] + (len(frame) - ID3_HEADER_BYTES).to_bytes(4, "big") + frame[8:]


def _put_texts(tag: id3.ID3, tags: WrittenTags) -> None:
    texts: dict[str, str | None] = {
        "TIT2": tags.title,
        "TALB": tags.show,
        "TPE1": ", ".join(tags.artists),
        "TPE2": tags.author,
        "TCON": GENRE,
        "TRCK": str(tags.number) if tags.number else None,
        "TPOS": str(tags.season) if tags.season else None,
        **dict.fromkeys(_DATES),
    }
    if tags.date is not None:
        # The day only: a time of day would be wrong for whoever lives elsewhere.
        texts |= {"TYER": f"{tags.date:%Y}", "TDAT": f"{tags.date:%d%m}"}
    for name, text in texts.items():
        tag.delall(name)
        if text:
            tag.add(getattr(id3, name)(encoding=_UTF8, text=[text]))
    if tags.link is not None:
        tag.delall("WOAF")
        tag.add(id3.WOAF(url=tags.link))
        if not tag.getall("WXXX"):
            # The only link that many players show.
            tag.add(id3.WXXX(encoding=_UTF8, desc="", url=tags.link))


def _put_cover(tag: id3.ID3, cover: bytes | None) -> None:
    """Our picture in the place of the upload's cover; pictures of other things stay."""
    if cover is None:
        return
    others = [p for p in tag.getall("APIC") if p.type not in (FRONT_COVER, OTHER_PICTURE)]
    tag.delall("APIC")
    ours = id3.APIC(encoding=_UTF8, mime="image/jpeg", type=FRONT_COVER, desc="", data=cover)
    # First, because many players take the first picture for the cover.
    for picture in (ours, *others):
        tag.add(picture)


def _take_chapters(tag: id3.ID3, chapters: Sequence[WrittenChapter]) -> list[id3.Frame]:
    """The frames of the chapters (ID3v2 Chapter Frame Addendum), for those that the tag had.

    A hidden chapter stands in no table of contents.
    """
    pictures = _chapter_pictures(tag)
    tag.delall("CHAP")
    tag.delall("CTOC")
    listed = [f"ch{number}" for number, one in enumerate(chapters) if not one.is_hidden]
    if not listed:
        return []
    frames = [
        _chapter(f"ch{number}", chapter, pictures.get(chapter.start_ms, []))
        for number, chapter in enumerate(chapters)
    ]
    return [*_contents(listed), *frames]


def _chapter_pictures(tag: id3.ID3) -> dict[int, list[Any]]:
    """Those that the upload has in its chapters, by where the chapters start."""
    return {
        int(frame.start_time): frame.sub_frames.getall("APIC")
        for frame in tag.getall("CHAP")
        if frame.sub_frames.getall("APIC")
    }


def _chapter(element_id: str, chapter: WrittenChapter, pictures: Sequence[Any]) -> id3.CHAP:
    parts: list[Any] = [*pictures]
    if chapter.title:
        parts.append(id3.TIT2(encoding=_UTF8, text=[chapter.title]))
    if chapter.url is not None:
        parts.append(id3.WXXX(encoding=_UTF8, desc="chapter url", url=chapter.url))
    return id3.CHAP(
        element_id=element_id,
        start_time=chapter.start_ms,
        end_time=chapter.end_ms,
        start_offset=NO_TIME,
        end_offset=NO_TIME,
        sub_frames=parts,
    )


def _contents(listed: Sequence[str]) -> Iterator[id3.CTOC]:
    """The table of contents; one of tables where there are more chapters than one can name."""
    ordered = id3.CTOCFlags.ORDERED
    parts = [listed[at : at + MOST_ENTRIES] for at in range(0, len(listed), MOST_ENTRIES)]
    top = list(listed)
    if len(parts) > 1:
        top = [f"toc{number}" for number in range(len(parts))]
        for name, part in zip(top, parts, strict=True):
            yield id3.CTOC(
                element_id=name, flags=ordered, child_element_ids=list(part), sub_frames=[]
            )
    flags = id3.CTOCFlags.TOP_LEVEL | ordered
    yield id3.CTOC(element_id="toc", flags=flags, child_element_ids=top, sub_frames=[])


def _ape_without_ours(file: BinaryIO, walk: Walk) -> bytes:
    """The APE tag at the end without what the ID3 tag says now: others keep loudness there."""
    position, size = walk.ape_tag
    if not size:
        return b""
    if size > TAG_BYTES:
        raise Invalid(_TOO_LARGE)
    file.seek(position)
    data = file.read(size)
    try:
        tag = apev2.APEv2(io.BytesIO(data))
    except apev2.error:
        # Whatever it says, no player will show it.
        return data
    for key in list(tag.keys()):
        if key.lower() in _APE_KEYS or key.lower().startswith(_APE_PICTURES):
            del tag[key]
    if not len(tag):
        return b""
    target = io.BytesIO()
    tag.save(target)
    return target.getvalue()
