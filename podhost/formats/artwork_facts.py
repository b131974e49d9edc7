"""What a picture of a stranger is, by its header: size, kind and colours; nothing is decoded.

Pictures are hostile, so it is looked at in a limited child process only.
"""

from pathlib import Path
from typing import Any, NamedTuple

from podhost.errors import Invalid
from podhost.formats import limits

_MEMORY_BYTES = 400_000_000
_CPU_SECONDS = 5
_WALL_SECONDS = 20.0
_ALPHA_MODES = ("RGBA", "LA", "PA", "La", "RGBa")
_NO_PICTURE = "It is damaged, or no picture at all."


class ArtworkFacts(NamedTuple):
    """A picture's sides in pixels, its format ("JPEG"), its mode ("RGB") and its alpha channel."""

    width: int
    height: int
    format: str
    mode: str
    has_alpha: bool


def read_artwork_facts(path: Path) -> ArtworkFacts:
    """Look at the picture at `path`, whatever its name. Raises Invalid with a sentence."""
    try:
        answer = limits.run_limited(
            f"{__name__}:facts_payload",
            {"path": str(path)},
            memory_bytes=_MEMORY_BYTES,
            cpu_seconds=_CPU_SECONDS,
            wall_seconds=_WALL_SECONDS,
        )
    except Invalid:
        raise Invalid(_NO_PICTURE) from None
    return ArtworkFacts(*answer["facts"])


def facts_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """The part that runs in a limited child: opening reads the header, and no pixels."""
    from PIL import Image

    # No pixel is decoded, so there is no bomb to fear.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(payload["path"]) as image:
            has_alpha = image.mode in _ALPHA_MODES or "transparency" in image.info
            facts = [image.width, image.height, image.format or "", image.mode, has_alpha]
    except (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError):
        raise Invalid(_NO_PICTURE) from None
    return {"facts": facts}
