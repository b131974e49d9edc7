"""A message from its template: subject, plain text and HTML, in somebody's language; it sends none.

A template is plain text that begins with its subject. The HTML is made of the same paragraphs, so
that the two cannot say different things; a paragraph that is the link becomes a button.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jinja2 import Environment


class Letter(NamedTuple):
    """What is sent; `link` is where it leads, if anywhere."""

    subject: str
    text: str
    html: str
    link: str | None


def render_letter(template: str, language: str, content: Mapping[str, str]) -> Letter:
    """The letter `template` (a file of templates/email/) with this content.

    Values are text from strangers: each is on one line, and markup in them is text.
    """
    values = {name: " ".join(value.split()) for name, value in content.items()}
    environment = letter_environment(language)
    written = environment.get_template(f"email/{template}.txt").render(values).strip()
    subject, _, text = written.partition("\n")
    link = values.get("link")
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    html = environment.get_template("email/letter.html").render(
        subject=subject, paragraphs=paragraphs, link=link, language=language
    )
    return Letter(subject, "\n\n".join(paragraphs) + "\n", html, link)


@lru_cache
def letter_environment(language: str) -> "Environment":
    """Templates of letters in one language: those of plain text are not escaped."""
    # Loaded here: only who sends mail needs it.
    from jinja2 import select_autoescape

    from podhost.templating import environment

    # Plain text needs no escaping, and its empty lines are meant.
    return environment(language).overlay(
        autoescape=select_autoescape(("html",)), trim_blocks=False, lstrip_blocks=False
    )
