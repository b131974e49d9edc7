"""Notes as apps will show them, made of what is typed and not saved; it keeps nothing."""

from collections.abc import Sequence

import msgspec

from podhost.formats.feed_values import MAX_DESCRIPTION_BYTES
from podhost.formats.introductions import NotesGuest, render_guests_html
from podhost.formats.markdown import render_notes


class NotesPreview(msgspec.Struct, kw_only=True):
    """The notes' clean HTML as it stands in the feed.

    `chars` counts what was typed, `size_bytes` the HTML, of which Apple reads 4,000 bytes as the
    description.
    """

    html: str
    warnings: list[str]
    chars: int
    size_bytes: int


def preview_notes(
    notes: str, guests: Sequence[NotesGuest] = (), *, language: str = "en"
) -> NotesPreview:
    """The same bytes that the feed would have of these notes. Raises Invalid for too long ones."""
    html = render_guests_html(guests, language=language) + render_notes(notes)
    size_bytes = len(html.encode())
    warnings = []
    if size_bytes > MAX_DESCRIPTION_BYTES:
        warnings.append(
            f"With markup these are {size_bytes} bytes. Apple reads {MAX_DESCRIPTION_BYTES} of "
            "the description, so some apps show the beginning only; others show all of it."
        )
    return NotesPreview(html=html, warnings=warnings, chars=len(notes), size_bytes=size_bytes)
