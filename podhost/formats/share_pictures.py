"""Draws the pictures that guests share: the episode's artwork beside its title and their name.

Letters come from fonts that are on this machine, and where there is none, from the one that Pillow
brings, which knows English letters alone. What no font has is left out, because a box in the place
of a letter is worse. It stores nothing and knows no rows.
"""

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podhost.formats import limits

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

MIME_TYPE = "image/jpeg"
EXTENSION = "jpg"
# Raised when the pictures would look otherwise, so that they are drawn anew.
LAYOUT = 2
# What link previews show, and what a square post is (both in pixels).
SHAPES = {"wide": (1200, 630), "square": (1080, 1080)}
_QUALITY = 86
_MEMORY_BYTES = 500_000_000

_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/usr/share/texmf/fonts/opentype",
    "/Library/Fonts",
    "/System/Library/Fonts",
)
# Regular and bold, the finest first; then those that know other scripts.
_FONTS = (
    ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf"),
    ("Roboto-Regular.ttf", "Roboto-Bold.ttf"),
    ("OpenSans-Regular.ttf", "OpenSans-Bold.ttf"),
    ("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf"),
    ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    ("Arial Unicode.ttf", "Arial Unicode.ttf"),
    ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc"),
    ("NotoSansArabic-Regular.ttf", "NotoSansArabic-Bold.ttf"),
    ("NotoSansHebrew-Regular.ttf", "NotoSansHebrew-Bold.ttf"),
    ("NotoSansDevanagari-Regular.ttf", "NotoSansDevanagari-Bold.ttf"),
    ("NotoSansThai-Regular.ttf", "NotoSansThai-Bold.ttf"),
    ("WenQuanYi Micro Hei.ttf", "WenQuanYi Micro Hei.ttf"),
)
# In the place of a path: Aileron, which is part of Pillow since 10.1, cut down to ASCII.
_BUILT_IN = ""
# How it says what is neither ASCII nor a letter with a mark.
_PLAINER = {
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("«»„‟″", '"'),
    **dict.fromkeys("‹›‚‛′", "'"),
    **{"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O"},
    **{"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i"},
}
# Of a text of which more is missing, nothing is drawn.
_MOST_MISSING = 0.2
_LONGEST_TEXT = 400
_NO_LETTER = "\uffff"
_INK = (255, 255, 255)
_QUIET = (214, 220, 228)


def draw_share_pictures(
    artwork: Path,
    folder: Path,
    *,
    title: str,
    show_title: str,
    name: str,
    shapes: Collection[str] = tuple(SHAPES),
) -> dict[str, Path]:
    """Write `wide.jpg` and `square.jpg`, or one of them, into `folder`; the files by shape.

    `artwork` is a JPEG of ours. Raises Invalid when it cannot be read.
    """
    payload = {
        "artwork": str(artwork),
        "folder": str(folder),
        "title": title,
        "show_title": show_title,
        "name": name,
        "shapes": list(shapes),
    }
    limits.run_limited(f"{__name__}:draw_payload", payload, memory_bytes=_MEMORY_BYTES)
    return {shape: folder / f"{shape}.{EXTENSION}" for shape in shapes}


def draw_payload(payload: dict[str, Any]) -> list[str]:
    """The part that runs in a limited child; gives back the texts that could not be drawn."""
    from PIL import Image

    left_out: list[str] = []
    with Image.open(payload["artwork"], formats=("JPEG",)) as opened:
        artwork = opened.convert("RGB")
    lines = [
        _Line(text, weight, largest, smallest, most, colour)
        for text, weight, largest, smallest, most, colour in (
            (payload["show_title"], 0, 34, 24, 1, _QUIET),
            (payload["title"], 1, 66, 34, 5, _INK),
            (payload["name"], 1, 42, 28, 2, _QUIET),
        )
        if text
    ]
    for line in lines:
        if not line.can_be_drawn:
            left_out.append(line.text)
    drawable = [line for line in lines if line.can_be_drawn]
    for shape in payload.get("shapes", SHAPES):
        picture = _composed(artwork, drawable, SHAPES[shape])
        path = Path(payload["folder"]) / f"{shape}.{EXTENSION}"
        picture.save(path, "JPEG", quality=_QUALITY, optimize=True)
    return left_out


def _composed(
    artwork: "Image.Image", lines: Sequence["_Line"], size: tuple[int, int]
) -> "Image.Image":
    from PIL import Image, ImageDraw

    width, height = size
    picture = Image.new("RGB", size, _ground(artwork))
    draw = ImageDraw.Draw(picture)
    margin = 64
    if not lines:
        # The artwork alone, in the middle.
        side = height - 2 * margin
        picture.paste(_square(artwork, side), ((width - side) // 2, margin))
        return picture
    side = height - 2 * margin if width > height else 600
    # Mirrored where the texts are read from the right.
    is_mirrored = _is_right_to_left(lines[0].text)
    left = width - margin - side if is_mirrored else margin
    picture.paste(_square(artwork, side), (left, margin))
    if width <= height:
        box = (margin, margin + side + 40, width - margin, height - margin)
    elif is_mirrored:
        box = (margin, margin, left - 56, height - margin)
    else:
        box = (left + side + 56, margin, width - margin, height - margin)
    _write(draw, lines, box)
    return picture


def _square(artwork: "Image.Image", side: int) -> "Image.Image":
    from PIL import Image, ImageOps

    return ImageOps.fit(artwork, (side, side), Image.Resampling.LANCZOS)


def _ground(artwork: "Image.Image") -> tuple[int, int, int]:
    """The artwork's own colour, so dark that white letters are read on it (WCAG 1.4.3)."""
    from PIL import Image

    pixel = artwork.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    red, green, blue = (float(value) for value in pixel[:3])
    while _luminance(red, green, blue) > 0.05:
        red, green, blue = red * 0.9, green * 0.9, blue * 0.9
    return round(red), round(green), round(blue)


def _luminance(*channels: float) -> float:
    """WCAG's relative luminance of a colour with channels from 0 to 255."""
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in channels)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class _Line:
    """A text, in the first font that has its letters, and how large and long it may be."""

    def __init__(
        self,
        text: str,
        weight: int,
        largest_px: int,
        smallest_px: int,
        most_lines: int,
        colour: tuple[int, int, int],
    ) -> None:
        # More is never seen, and each letter costs time.
        self.text = " ".join(text[:_LONGEST_TEXT].split())
        self.colour = colour
        self._largest_px, self._smallest_px, self._most_lines = largest_px, smallest_px, most_lines
        self._font, self._drawn = _best_font(self.text, weight)

    @property
    def can_be_drawn(self) -> bool:
        """Whether any font has enough of its letters."""
        return self._font is not None and bool(self._drawn)

    def fitted(self, width: int, shrink: float) -> tuple["ImageFont.FreeTypeFont", list[str], int]:
        """The font, the wrapped lines, and the height of one, in pixels."""
        assert self._font is not None
        size_px = max(self._smallest_px, round(self._largest_px * shrink))
        while True:
            font = _font(self._font, size_px)
            lines = _wrapped(self._drawn, font, width)
            if len(lines) <= self._most_lines or size_px <= self._smallest_px:
                break
            size_px -= 2
        if len(lines) > self._most_lines:
            lines = lines[: self._most_lines]
            lines[-1] = _shortened(lines[-1], font, width)
        return font, lines, round(size_px * 1.22)


def _write(
    draw: "ImageDraw.ImageDraw", lines: Sequence[_Line], box: tuple[int, int, int, int]
) -> None:
    """The texts below each other, in the middle of the box's height, smaller where they must."""
    left, top, right, bottom = box
    gap = 20
    shrink = 1.0
    while True:
        fitted = [(line, *line.fitted(right - left, shrink)) for line in lines]
        total = sum(len(rows) * height for _, _, rows, height in fitted) + gap * (len(fitted) - 1)
        if total <= bottom - top or shrink <= 0.5:
            break
        shrink -= 0.05
    y = top + max(0, (bottom - top - total) // 2)
    for line, font, rows, height in fitted:
        for row in rows:
            is_right = _is_right_to_left(row)
            x = right if is_right else left
            draw.text((x, y), row, fill=line.colour, font=font, anchor="ra" if is_right else "la")
            y += height
        y += gap


def _wrapped(text: str, font: "ImageFont.FreeTypeFont", width: int) -> list[str]:
    """The text in lines that are no wider than `width`, cut within words only where one alone
    is too wide, as in languages that put no space between them."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        wanted = f"{line} {word}" if line else word
        if font.getlength(wanted) <= width:
            line = wanted
            continue
        if line:
            lines.append(line)
        *pieces, line = _pieces(word, font, width)
        lines += pieces
    return [*lines, line] if line else lines


def _pieces(word: str, font: "ImageFont.FreeTypeFont", width: int) -> Iterator[str]:
    piece = ""
    for letter in word:
        if piece and font.getlength(piece + letter) > width and not unicodedata.combining(letter):
            yield piece
            piece = ""
        piece += letter
    yield piece


def _shortened(line: str, font: "ImageFont.FreeTypeFont", width: int) -> str:
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line.rstrip(" .,;:") + "…"


def _is_right_to_left(text: str) -> bool:
    for letter in text:
        direction = unicodedata.bidirectional(letter)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False


@cache
def _found_fonts() -> tuple[tuple[str, str], ...]:
    """The fonts of this machine that are known by name, regular and bold."""
    wanted = {name for pair in _FONTS for name in pair}
    found: dict[str, str] = {}
    for folder in _FOLDERS:
        for path in Path(folder).rglob("*.tt[fc]"):
            if path.name in wanted:
                found.setdefault(path.name, str(path))
    return tuple((found[one], found[two]) for one, two in _FONTS if one in found and two in found)


def _best_font(text: str, weight: int) -> tuple[str | None, str]:
    """The path of the first font that has all letters, else of the one that has most of them, and
    the text without those that are missing; None where too many are."""
    best: tuple[int, str | None, str] = (len(text) + 1, None, "")
    for pair in _found_fonts():
        kept = _kept(text, pair[weight])
        missing = len(text) - len(kept)
        if missing < best[0]:
            best = (missing, pair[weight], kept)
        if not missing:
            break
    missing, path, kept = best
    if missing <= _MOST_MISSING * len(text):
        return path, " ".join(kept.split())
    plain, missing = _plain(text)
    if missing <= _MOST_MISSING * len(text):
        return _BUILT_IN, plain
    return None, ""


def _plain(text: str) -> tuple[str, int]:
    """The text in letters of Pillow's own font, without marks on them, and how many it has not."""
    font = _font(_BUILT_IN, 24)
    nothing = bytes(font.getmask(_NO_LETTER))
    written, missing = "", 0
    for letter in text:
        plainer = _PLAINER.get(letter) or unicodedata.normalize("NFKD", letter)
        known = [
            one
            for one in plainer
            if one.isspace() or bytes(font.getmask(one)) not in (nothing, b"")
        ]
        written += "".join(known)
        missing += not known and unicodedata.category(letter) not in ("Mn", "Cf")
    return " ".join(written.split()), missing


def _font(path: str, size_px: int) -> "ImageFont.FreeTypeFont":
    from PIL import ImageFont

    if path != _BUILT_IN:
        return ImageFont.truetype(path, size_px)
    font = ImageFont.load_default(size_px)
    assert isinstance(font, ImageFont.FreeTypeFont), "every Pillow that draws letters has it"
    return font


def _kept(text: str, path: str) -> str:
    font = _font(path, 24)
    nothing = bytes(font.getmask(_NO_LETTER))
    return "".join(
        letter
        for letter in text
        if letter.isspace()
        # Those that only join or turn others have no shape of their own.
        or unicodedata.category(letter) in ("Mn", "Cf")
        or bytes(font.getmask(letter)) != nothing
    )
