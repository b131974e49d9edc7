"""Readers for single given values, and the collector of what is wrong with them; no rows here.

A reader takes what somebody gave and returns the value to keep, or raises ValueError with the
sentence for that field. All wrong fields are reported at once.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import msgspec

from podhost.errors import Invalid
from podhost.formats.categories import parse_category
from podhost.formats.languages import is_language_code
from podhost.formats.tag_rules import mail_address
from podhost.formats.text import absolute_url, clean_text, plain_line, plain_text

Reader = Callable[[Any], Any]

LONGEST_LINE = 1_000
# Show notes of 100 KB are taken; the feed has limits of its own.
LONGEST_TEXT = 200_000
UNUSUAL_YEAR = "It must lie between 1970 and 2199."
_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


class FieldErrors:
    """Collects one sentence per wrong field, and at the end raises Invalid with all of them."""

    def __init__(self) -> None:
        self.sentences: dict[str, str] = {}

    @contextmanager
    def noting(self, name: str) -> Iterator[None]:
        """Whatever is wrong inside the block is wrong with the field `name`."""
        try:
            yield
        except ValueError as error:
            self.sentences[name] = str(error)
        except Invalid as error:
            inner = {_path(name, key): text for key, text in error.fields.items()}
            self.sentences.update(inner or {name: error.message})

    def raise_any(self) -> None:
        """Raises Invalid when anything was noted."""
        if self.sentences:
            named = " ".join(f"{name}: {text}" for name, text in self.sentences.items())
            raise Invalid(named, self.sentences)


def apply_given(
    row: object, given: msgspec.Struct, readers: dict[str, tuple[str, Reader]]
) -> tuple[set[str], FieldErrors]:
    """Put what was given onto `row`; fields that were not given stay as they are.

    `readers` maps the given name to the row's attribute and the reader; an attribute such as
    "tags.funding" is one key of a JSON column, of which nothing is kept as None. Returns the names
    of the attributes that really changed, and the errors so far.
    """
    errors = FieldErrors()
    changed: set[str] = set()
    for name, (attribute, reader) in readers.items():
        value = getattr(given, name)
        if value is msgspec.UNSET:
            continue
        with errors.noting(name):
            kept = reader(value)
            if _held(row, attribute) != kept:
                _hold(row, attribute, kept)
                changed.add(attribute)
    return changed, errors


def changed_fields(
    row: object, given: msgspec.Struct, readers: dict[str, tuple[str, Reader]]
) -> list[str]:
    """The names of what `apply_given` would change; the row stays as it is.

    Raises Invalid with every wrong field.
    """
    errors = FieldErrors()
    changed: list[str] = []
    for name, (attribute, reader) in readers.items():
        value = getattr(given, name)
        if value is msgspec.UNSET:
            continue
        with errors.noting(name):
            if _held(row, attribute) != reader(value):
                changed.append(name)
    errors.raise_any()
    return changed


def _held(row: object, attribute: str) -> Any:
    column, _, key = attribute.partition(".")
    held = getattr(row, column)
    return (held or {}).get(key) if key else held


def _hold(row: object, attribute: str, value: Any) -> None:
    column, _, key = attribute.partition(".")
    if key:
        # Another object, or the session would not see that it changed.
        held = {**(getattr(row, column) or {}), key: value}
        value = {name: kept for name, kept in held.items() if kept is not None} or None
    setattr(row, column, value)


def _path(name: str, key: str) -> str:
    """The path to something inside the field `name`; `key` may say where by itself."""
    return name + key if not key or key[0] in ".[" else f"{name}.{key}"


def required_line(value: str) -> str:
    """One line of plain text, not empty."""
    line = optional_line(value)
    if not line:
        raise ValueError("It must not be empty.")
    return line


def optional_line(value: str | None) -> str:
    """One line of plain text; markup that was pasted with it is taken off."""
    line = plain_line(value or "")
    if len(line) > LONGEST_LINE:
        raise ValueError(f"It has {len(line)} characters; {LONGEST_LINE} are the most.")
    return line


def line_or_none(value: str | None) -> str | None:
    """One line of plain text; nothing is None."""
    return optional_line(value) or None


def paragraph(value: str | None) -> str:
    """Plain text that may have line breaks."""
    return _bounded(plain_text(value or ""))


def markdown(value: str | None) -> str:
    """Markdown as it was written, without the characters that no document may hold."""
    return _bounded(clean_text(value or ""))


def _bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"It has {len(text)} characters; {LONGEST_TEXT} are the most.")
    return text


def web_url(value: str | None) -> str | None:
    """An absolute http or https address; nothing is None."""
    if not value or not value.strip():
        return None
    # One that is encoded already may be many times as long.
    if len(unquote(value)) > 2_000:
        raise ValueError("This address is too long; 2,000 characters are the most.")
    try:
        return absolute_url(value)
    except ValueError:
        raise ValueError(
            "It must be a whole address that begins with https://, such as https://example.org/ann."
        ) from None


def email(value: str | None) -> str | None:
    """An e-mail address; nothing is None."""
    return mail_address(value or "") or None


def language(value: str) -> str:
    """A language code as feeds have it, for instance en or pt-br; lower case is the safest."""
    code = clean_text(value).replace("_", "-").lower()
    if not is_language_code(code):
        raise ValueError(f"{value!r} is not a language code; write for instance en, es or pt-br.")
    return code


def time_zone(value: str) -> str:
    """The name of a time zone, for instance Europe/Madrid."""
    name = clean_text(value)
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError(
            f"{value!r} is not a time zone; write for instance UTC or Europe/Madrid."
        ) from None
    return name


def moment(value: str, time_zone: str) -> datetime:
    """A time (ISO 8601) in UTC; without a zone it is one of `time_zone`."""
    try:
        given = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(
            "It must be a time such as 2026-03-01T09:00 or 2026-03-01T09:00:00+01:00."
        ) from None
    if not is_usual_year(given):
        raise ValueError(UNUSUAL_YEAR)
    if given.tzinfo is None:
        given = given.replace(tzinfo=ZoneInfo(time_zone))
    return given.astimezone(UTC)


def is_usual_year(given: datetime) -> bool:
    """False for years that mail dates (RFC 5322) or apps cannot be trusted with."""
    return 1970 <= given.year <= 2199


def categories(value: list[Any]) -> list[list[str | None]]:
    """Apple's categories as pairs of category and subcategory, without doubles, in order."""
    pairs: list[list[str | None]] = []
    for name in value:
        pair = list(parse_category(name))
        if pair not in pairs:
            pairs.append(pair)
    return pairs


def slug(value: str) -> str:
    """The part of an address that names a thing: lower-case ASCII letters, digits, hyphens."""
    value = clean_text(value).lower()
    if len(value) > 64 or not _SLUG.fullmatch(value):
        raise ValueError(
            "It stands in addresses, so it may have only lower-case letters a to z, digits and "
            "single hyphens, at most 64 of them."
        )
    return value


def may_be_slug(value: str) -> bool:
    """False for what no slug or id can be.

    PostgreSQL refuses to look for a zero byte, and both databases for half a character.
    """
    return value.isascii() and value.isprintable()


def one_of(*choices: str) -> Callable[[str], str]:
    """A reader for one of a few words."""

    def read(value: str) -> str:
        word = clean_text(value).lower()
        if word not in choices:
            raise ValueError(f"It must be one of {', '.join(choices)}.")
        return word

    return read


def positive_number(value: int | None) -> int | None:
    """A season or an episode number: 1 and up (Apple); nothing is None."""
    if value is None:
        return None
    if not 1 <= value <= 1_000_000:
        raise ValueError("It must be a whole number from 1 up.")
    return value


def as_given(value: Any) -> Any:
    """A value whose type says all."""
    return value
