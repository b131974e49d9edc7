"""The sentence at the top of the notes that says who the guests are; it knows no Markdown."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from podhost.formats.markdown import absolute_link, link
from podhost.formats.text import plain_line, truncate_text

_MAX_BIO_CHARS = 160
# "With ... and ..." where names stay as they are after these words.
_GUEST_WORDS = {
    "ca": ("Amb", "i"),
    "da": ("Med", "og"),
    "de": ("Mit", "und"),
    "en": ("With", "and"),
    "es": ("Con", "y"),
    "fr": ("Avec", "et"),
    "it": ("Con", "e"),
    "nb": ("Med", "og"),
    "nl": ("Met", "en"),
    "no": ("Med", "og"),
    "pt": ("Com", "e"),
    "sv": ("Med", "och"),
}


@dataclass(frozen=True)
class NotesGuest:
    """A guest as the top of the notes introduces them; `bio` is plain text."""

    name: str
    url: str | None = None
    bio: str | None = None


def render_guests_html(guests: Sequence[NotesGuest], *, language: str = "en") -> str:
    """Give the paragraph that opens the notes, for apps that show two lines of them.

    "With Ann Guest (harbour master of Tern Bay) and Bo Bell." with names linked; "" for nobody.
    In a language whose words are not known here, the names alone.
    """
    named = [guest for guest in guests if plain_line(guest.name)]
    introductions = [_introduction(guest) for guest in named]
    if not introductions:
        return ""
    opening, conjunction = _GUEST_WORDS.get(language.partition("-")[0].lower(), ("", ","))
    *others, last = introductions
    joint = f" {conjunction} " if conjunction != "," else ", "
    listed = f"{', '.join(others)}{joint}{last}" if others else last
    return f"<p>{opening} {listed}.</p>" if opening else f"<p>{listed}.</p>"


def _introduction(guest: NotesGuest) -> str:
    name = truncate_text(plain_line(guest.name), 128)
    url = absolute_link(guest.url, None) if guest.url else None
    written = link(url, name) if url else html.escape(name, quote=False)
    bio = truncate_text(plain_line(guest.bio or ""), _MAX_BIO_CHARS).rstrip(".")
    return f"{written} ({html.escape(bio, quote=False)})" if bio else written
