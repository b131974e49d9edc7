"""Colours of a site, made to stand out from the ground; it looks at no picture.

Contrast is that of WCAG 2.2 (1.4.3): text needs 4.5:1 against what it stands on.
"""

import colorsys
from typing import NamedTuple

# The ground from which text stands out least: --raised of site.css. --paper lies farther away.
LIGHT_GROUND = "#f5f6f7"
DARK_GROUND = "#1f2226"
USUAL_ACCENT = "#0b57b0"
# A little more than is asked for, because colours are rounded to whole steps.
_CONTRAST = 4.6

Rgb = tuple[float, float, float]


class Accent(NamedTuple):
    """A colour for links and buttons, as #rrggbb, on the light and on the dark ground."""

    light: str
    dark: str


def accent_for(colour: str) -> Accent:
    """The colour, darker or lighter until it can be read on each of the grounds."""
    return Accent(
        _until_readable(colour, LIGHT_GROUND, towards=0.0),
        _until_readable(colour, DARK_GROUND, towards=1.0),
    )


def contrast(one: str, other: str) -> float:
    """How far two colours, each as #rrggbb, stand out from each other: 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(_read(one)), _luminance(_read(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _until_readable(colour: str, ground: str, *, towards: float) -> str:
    """The same hue, moved towards black (0) or white (1) in small steps."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_read(colour))
    found = colour
    for step in range(51):
        moved = lightness + (towards - lightness) * step / 50
        found = _written(colorsys.hls_to_rgb(hue, moved, saturation))
        if contrast(found, ground) >= _CONTRAST:
            break
    return found


def _read(colour: str) -> Rgb:
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def _written(rgb: Rgb) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in rgb)


def _luminance(rgb: Rgb) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
