"""Texts of articles and pages: Markdown becomes clean HTML; how long it takes to read it."""

import re

from podhost.errors import Invalid
from podhost.formats.markdown import MAX_NOTES_BYTES, notes_text, render_notes

# What grown-ups read in a minute of English prose (Brysbaert 2019), rounded down.
_WORDS_A_MINUTE = 230
# The same for scripts that have no spaces.
_LETTERS_A_MINUTE = 500
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def render_text(markdown: str) -> str:
    """The clean HTML of a text in Markdown, with the tags that show notes may have.

    Raises Invalid for more than 128 KB, or for what unfolds to 1 MB of HTML.
    """
    if len(markdown.encode("utf-8", "replace")) > MAX_NOTES_BYTES:
        raise Invalid(f"A text may be {MAX_NOTES_BYTES // 1000} KB long; this one is longer.")
    return render_notes(markdown)


def minutes_to_read(text_html: str) -> int:
    """How many minutes it takes to read clean HTML: 1 at least, 0 where there is no text."""
    text = notes_text(text_html)
    unspaced = len(_UNSPACED.findall(text))
    words = len(_UNSPACED.sub(" ", text).split())
    if not words and not unspaced:
        return 0
    return max(1, round(words / _WORDS_A_MINUTE + unspaced / _LETTERS_A_MINUTE))
