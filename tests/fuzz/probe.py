"""Audio files: the parsers of the probe's child, in this process, and what the server makes of
their answer.

FFmpeg and mutagen may refuse whatever they like; nothing but Invalid may come of it, and nothing
that the server cannot read.
"""

import io
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from podhost.errors import Invalid
from podhost.formats import mpeg_frames
from podhost.formats.audio import KINDS, decode_probe
from podhost.formats.chapters import Chapter, normalise_chapters, render_json_chapters
from podhost.formats.limits import ANSWER_BYTES
from podhost.formats.magic import sniff_format
from podhost.formats.mp4_boxes import MOST_CHAPTER_SAMPLES, read_movie
from podhost.formats.mpeg_frames import AdtsFrames, Mp3Frames, NotThisFormat, walk_frames
from podhost.formats.probe import LONGEST_MS, SHORTEST_MS, probe_in_child
from podhost.formats.text import clean_text
from podhost.formats.wav_chunks import MOST_MARKERS, read_wav_notes

_FOLDER = tempfile.TemporaryDirectory(prefix="podhost-fuzz-")
# A frame and its row lie in one block; small blocks let small inputs cross their borders.
_BLOCKS = ((1 << 22, 64 * 1024), (4096, 1024))


def one_input(data: bytes) -> None:
    _check_parts(data)
    try:
        family = sniff_format(io.BytesIO(data), len(data), "input.bin")
    except Invalid:
        return
    workdir = Path(_FOLDER.name)
    path = workdir / "input.bin"
    path.write_bytes(data)
    payload = {
        "path": str(path),
        "workdir": str(workdir),
        "name": "input.bin",
        "family": family,
    }
    try:
        answer = msgspec.json.encode(probe_in_child(payload))
    except Invalid:
        return
    finally:
        for left in workdir.glob("*.*"):
            left.unlink()
    assert len(answer) <= ANSWER_BYTES
    _check_answer(msgspec.json.decode(answer), workdir)


def _check_parts(data: bytes) -> None:
    for frames in (Mp3Frames(), AdtsFrames()):
        walks = [_walk(data, frames, *sizes) for sizes in _BLOCKS]
        assert walks[0] is None or walks[0].sound_bytes <= len(data)
        assert walks[0] is None or 0 <= walks[0].header_bytes < len(data)
    notes = read_wav_notes(io.BytesIO(data), len(data))
    assert len(notes.markers) <= MOST_MARKERS
    try:
        movie = read_movie(io.BytesIO(data), len(data))
    except Invalid:
        return
    assert len(movie.quicktime_chapters) <= MOST_CHAPTER_SAMPLES


def _walk(data: bytes, frames: Any, block: int, margin: int) -> mpeg_frames.Walk | None:
    normal = mpeg_frames.BLOCK_BYTES, mpeg_frames.MARGIN_BYTES
    mpeg_frames.BLOCK_BYTES, mpeg_frames.MARGIN_BYTES = block, margin
    try:
        return walk_frames(io.BytesIO(data), len(data), frames)
    except NotThisFormat:
        return None
    finally:
        mpeg_frames.BLOCK_BYTES, mpeg_frames.MARGIN_BYTES = normal


def _check_answer(plain: Any, workdir: Path) -> None:
    found = decode_probe(plain, workdir)
    assert found.kind in KINDS
    assert SHORTEST_MS <= found.duration_ms <= LONGEST_MS
    assert found.bitrate_bps >= 0 and found.sample_rate_hz >= 0 and found.channels >= 0
    assert 0 <= found.header_bytes <= found.size_bytes
    for name in ("title", "artist", "album", "comment", "description", "lyrics"):
        text = getattr(found.tags, name)
        assert text is None or clean_text(text) == text, name
    chapters = [
        Chapter(start_ms=c.start_ms, end_ms=c.end_ms, title=c.title, url=c.url, is_hidden=c.hidden)
        for c in found.chapters
    ]
    clean, _ = normalise_chapters(chapters, found.duration_ms)
    assert render_json_chapters(clean).decode("utf-8")
    pictures = [found.artwork_path, *(chapter.picture_path for chapter in found.chapters)]
    assert all(path.parent == workdir for path in pictures if path is not None)
