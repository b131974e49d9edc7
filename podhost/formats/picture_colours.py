"""The colour that strikes most in a picture of ours; it decides nothing about pages."""

import colorsys
from pathlib import Path
from typing import IO

_LOOKED_AT_PX = 64
_COLOURS = 24
# Greys, and what is nearly black or white, give a page no colour.
_LEAST_SATURATION = 0.25
_LEAST_SHARE = 0.01


def picture_colour(picture: Path | IO[bytes]) -> str | None:
    """The colour that strikes most in a picture, as #rrggbb; None: it has only greys.

    Raises OSError for what is no picture.
    """
    # Loaded here, because most pages need no picture looked at.
    from PIL import Image

    # Kept pictures are JPEG. Without the word, Pillow would load all its formats for a broken one,
    # which takes a tenth of a second.
    with Image.open(picture, formats=("JPEG",)) as image:
        image.draft("RGB", (_LOOKED_AT_PX, _LOOKED_AT_PX))
        small = image.convert("RGB").resize((_LOOKED_AT_PX, _LOOKED_AT_PX))
    reduced = small.quantize(_COLOURS)
    palette = reduced.getpalette() or []
    best, best_weight = None, 0.0
    for count, index in reduced.getcolors() or []:
        assert isinstance(index, int)
        red, green, blue = (part / 255 for part in palette[3 * index : 3 * index + 3])
        _, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
        share = count / _LOOKED_AT_PX**2
        colourful = saturation * (1 - abs(2 * lightness - 1))
        if colourful < _LEAST_SATURATION or share < _LEAST_SHARE:
            continue
        weight = colourful * share**0.5
        if weight > best_weight:
            best = "#" + "".join(f"{round(part * 255):02x}" for part in (red, green, blue))
            best_weight = weight
    return best
