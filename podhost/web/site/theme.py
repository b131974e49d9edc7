"""What a show's pages look like beyond the common style: its colour, its owner's style sheet."""

import base64
import hashlib

from podhost.site.artwork_colours import PictureColours
from podhost.site.colours import USUAL_ACCENT, accent_for
from podhost.web.site.looks import Look


def style_of(look: Look, colours: PictureColours) -> tuple[str, bool]:
    """The style sheet of a show's pages, which comes after the common one; and False where it is
    not the right one, because nobody can look at the artwork now."""
    artwork = look.show.artwork
    chosen = look.site.accent or (colours.colour_of(artwork) if artwork else USUAL_ACCENT)
    accent = accent_for(chosen or USUAL_ACCENT)
    theme = f":root{{--accent-light:{accent.light};--accent-dark:{accent.dark}}}"
    return f"{theme}\n{look.site.css}" if look.site.css else theme, chosen is not None


def style_source(style: str) -> str:
    """By which a Content-Security-Policy allows this style sheet inside a page (CSP3, 2.3.1)."""
    digest = hashlib.sha256(style.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
