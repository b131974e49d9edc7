"""Chapters that somebody types are judged row by row, and nothing of them is lost or repaired."""

import pytest

from podhost.chapters.editing import ChapterRow, chapter_rows, read_rows
from podhost.chapters.rows import read_chapters
from podhost.errors import Invalid


def row(start: str, title: str = "Talk", **values: object) -> ChapterRow:
    return ChapterRow(start=start, title=title, **values)  # type: ignore[arg-type]


def wrong(*rows: ChapterRow, duration_ms: int | None = 60_000) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        read_rows(rows, duration_ms)
    return caught.value.fields


def test_rows_become_chapters_in_order_of_time() -> None:
    given = [row("0:30", "Second", url="https://a.example/"), row(""), row("0", "First")]
    given[1] = ChapterRow()
    found = read_rows(given, 60_000)
    assert [(chapter.start_seconds, chapter.title) for chapter in found] == [
        (0, "First"),
        (30, "Second"),
    ]


def test_rows_survive_the_way_to_chapters_and_back() -> None:
    given = [
        row("0:00:00", "Begin", url="https://a.example/", image_url="https://a.example/b.jpg"),
        row("0:00:10.5", "", is_hidden=True),
    ]
    assert chapter_rows(read_chapters(read_rows(given, 60_000))) == given


def test_each_wrong_field_is_named_with_its_row() -> None:
    fields = wrong(
        row("soon"),
        row("0:10", ""),
        row("1:00"),
        row("0:20", "x" * 129),
        row("0:30", url="javascript:alert(1)"),
        row("0:40", image_url="ftp://a.example"),
        row("0:40"),
    )
    assert fields.keys() == {
        "chapters[0].start",
        "chapters[1].title",
        "chapters[2].start",
        "chapters[3].title",
        "chapters[4].url",
        "chapters[5].image_url",
        "chapters[6].start",
    }
    assert "after the end of the audio" in fields["chapters[2].start"]
    assert "same time" in fields["chapters[6].start"]


def test_without_audio_nothing_is_too_late() -> None:
    assert read_rows([row("99:00:00")], None)[0].start_seconds == 99 * 3600


def test_there_may_be_500() -> None:
    assert (
        "more than 500"
        in wrong(*(row(str(second)) for second in range(501)), duration_ms=None)["chapters"]
    )
