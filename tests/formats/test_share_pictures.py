"""Pictures that guests share, on a machine that has no fonts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageFont

from podhost.formats import share_pictures as drawing


@pytest.fixture(autouse=True)
def no_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(drawing, "_FOLDERS", (str(tmp_path / "fonts"),))
    drawing._found_fonts.cache_clear()
    yield
    drawing._found_fonts.cache_clear()


def draw(tmp_path: Path, title: str) -> tuple[Image.Image, list[str]]:
    """The square picture, and what was left out of it."""
    artwork = tmp_path / "artwork.jpg"
    Image.new("RGB", (600, 600), (40, 90, 120)).save(artwork)
    left_out = drawing.draw_payload(
        {
            "artwork": str(artwork),
            "folder": str(tmp_path),
            "title": title,
            "show_title": "Tide Tables",
            "name": "Ann",
        }
    )
    with Image.open(tmp_path / "square.jpg") as picture:
        return picture.copy(), left_out


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("Low water at 4:30, “really”?", "Low water at 4:30, “really”?"),
        ("Canción – ¿qué?", "Cancion - que?"),
        ("Straße, Łódź & Ørsted", "Strasse, Lodz & Orsted"),
        ("Zu\u0308rich\u200d", "Zurich"),
        ("Low\u00a0water 潮", "Low water"),
    ],
)
def test_english_letters_are_there_and_marks_are_left_off(title: str, written: str) -> None:
    path, drawn = drawing._best_font(title, 1)
    assert drawn == written
    font = ImageFont.load_default(24)
    assert path is not None and font.getlength(drawn) == drawing._font(path, 24).getlength(drawn)


@pytest.mark.parametrize("title", ["潮の満ち引き", "Прилив", "المد والجزر", "🌊🌊🌊"])
def test_what_it_cannot_write_is_left_out(tmp_path: Path, title: str) -> None:
    picture, left_out = draw(tmp_path, title)
    assert left_out == [title]
    assert ImageChops.difference(picture, draw(tmp_path, "")[0]).getbbox() is None


def test_the_title_is_seen(tmp_path: Path) -> None:
    picture, left_out = draw(tmp_path, "Low water")
    assert left_out == []
    assert ImageChops.difference(picture, draw(tmp_path, "")[0]).getbbox() is not None
