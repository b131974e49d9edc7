"""Chapter files of every format: the first line is the file's name, the rest its content."""

from podhost.errors import Invalid
from podhost.formats.chapter_formats import (
    CHAPTER_TYPES,
    notes_chapters,
    parse_chapters,
    render_chapters,
)
from podhost.formats.chapters import (
    CHAPTER_LIMIT,
    TITLE_LIMIT,
    normalise_chapters,
    parse_json_chapters,
    parse_text_chapters,
    render_json_chapters,
)

DURATION_MS = 3_600_000


def one_input(data: bytes) -> None:
    first, _, content = data.partition(b"\n")
    try:
        chapters = parse_chapters(content, first.decode("utf-8", "replace"))
    except Invalid:
        chapters = []
    # Show notes are searched for chapters too, whatever they are.
    notes = content.decode("utf-8", "surrogateescape")
    noted = notes_chapters(notes, DURATION_MS)
    assert len(noted) != 1 and normalise_chapters(noted, DURATION_MS) == (noted, [])
    chapters += parse_text_chapters(notes)
    for duration_ms in (DURATION_MS, None):
        clean, _ = normalise_chapters(chapters, duration_ms)
        starts = [chapter.start_ms for chapter in clean]
        assert starts == sorted(set(starts)) and len(starts) <= CHAPTER_LIMIT
        assert all(len(chapter.title) <= TITLE_LIMIT for chapter in clean)
        assert all(chapter.title or chapter.is_hidden for chapter in clean)
        if duration_ms is not None:
            assert all(0 <= start < duration_ms for start in starts)
        assert normalise_chapters(clean, duration_ms) == (clean, [])
        assert parse_json_chapters(render_json_chapters(clean)) == clean
        listed = [chapter.start_ms for chapter in clean if not chapter.is_hidden]
        for ending in CHAPTER_TYPES if listed else ():
            found = parse_chapters(render_chapters(clean, ending), f"chapters.{ending}")
            assert [c.start_ms for c in found] == (starts if ending == "json" else listed), ending
