"""Rules for single values inside feed tags: a value in, the one to keep out, or a sentence why not.

It knows no tag. Every sentence begins with "It", so that others can put the field's name there.
"""

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote

from podhost.formats.feed_words import MIME_TYPE
from podhost.formats.languages import is_language_code
from podhost.formats.text import (
    LONGEST_GUID,
    absolute_url,
    clean_text,
    is_guid,
    plain_line,
    plain_text,
)

Rule = Callable[[Any], Any]

MEDIUMS = (
    "podcast",
    "music",
    "video",
    "film",
    "audiobook",
    "newsletter",
    "blog",
    "course",
    "publisher",
)
# The lists of the namespace: they name items of other feeds and have none of their own.
LIST_MEDIUMS = (*(f"{medium}L" for medium in MEDIUMS), "mixed")

_LONGEST_URL = 2_000
# What a path in mail can hold (RFC 5321 4.5.3.1.3, less its brackets).
_LONGEST_MAIL = 254
_MAIL = re.compile(r"[^\s@<>\"',;:\\]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_LATEST_SECONDS = 10_000_000
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,31}:[!-~]+")
_GEO = re.compile(
    r"geo:-?\d{1,2}(\.\d+)?,-?\d{1,3}(\.\d+)?(,-?\d+(\.\d+)?)?(;u=\d+(\.\d+)?)?", re.ASCII
)
_OSM = re.compile(r"[NWR]\d{1,15}(#\d{1,9})?", re.ASCII)
_STREAM_GUID = re.compile("[!-~]{1,100}")
_DECIMAL = re.compile(r"\d{1,7}(?:\.\d{1,6})?", re.ASCII)
_CONTACT = re.compile(r"[^\s@<>()]+@[^\s@<>()]+\.[^\s@<>().]+ \([^()]*[^\s()][^()]*\)")
_FREQUENCIES = ["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
_RRULE_WORDS = """
    FREQ UNTIL COUNT INTERVAL BYSECOND BYMINUTE BYHOUR BYDAY BYMONTHDAY BYYEARDAY BYWEEKNO
    BYMONTH BYSETPOS WKST
"""
_RRULE_KEYS = frozenset(_RRULE_WORDS.split())
_RRULE_VALUE = re.compile(r"[A-Z0-9,+\-]+", re.ASCII)
_SRI = re.compile(r"sha(256|384|512)-([A-Za-z0-9+/]+={0,2})", re.ASCII)


def line(most_chars: int) -> Rule:
    """One line of plain text; pasted markup is taken off, nothing is cut."""
    return lambda value: _bounded(plain_line(value), most_chars)


def paragraph(most_chars: int) -> Rule:
    """Plain text that may have line breaks."""
    return lambda value: _bounded(plain_text(value), most_chars)


def one_of(*words: str) -> Rule:
    """One of a few words, whatever its case."""
    known = {word.lower(): word for word in words}

    def read(value: str) -> str:
        word = plain_line(value).lower()
        if word and word not in known:
            raise ValueError(f"It must be one of {', '.join(words)}.")
        return known.get(word, "")

    return read


def pattern(expression: str, sentence: str, *, lower: bool = True) -> Rule:
    """Text that matches the expression as a whole."""
    compiled = re.compile(expression, re.ASCII)

    def read(value: str) -> str:
        text = clean_text(value).lower() if lower else clean_text(value)
        if text and not compiled.fullmatch(text):
            raise ValueError(sentence)
        return text

    return read


def whole(least: int, most: int) -> Rule:
    """A whole number between two others."""

    def read(value: int) -> int:
        if not least <= value <= most:
            raise ValueError(f"It must be a whole number from {least} to {most}.")
        return value

    return read


def none_or_whole(least: int, most: int) -> Rule:
    """The same, or 0 for nothing."""
    read = whole(least, most)
    return lambda value: value and read(value)


def seconds(*, above: float = -1) -> Rule:
    """Seconds, kept to the millisecond."""

    def read(value: float) -> float:
        if not max(above, 0) <= value < _LATEST_SECONDS or round(value, 3) <= above:
            raise ValueError(f"It must be a number of seconds{', more than 0' * (above >= 0)}.")
        return round(float(value), 3)

    return read


def percentage(value: float) -> float:
    """From 0 to 100."""
    if not 0 <= value <= 100:
        raise ValueError("It must be a number from 0 to 100.")
    return round(float(value), 3)


def bits_per_second(value: float) -> float:
    """A bit rate."""
    if not 1 <= value < 10_000_000_000:
        raise ValueError("It must be a number of bits per second, such as 128000.")
    return round(float(value), 3)


def truth(value: bool) -> bool:
    """True or false, as given."""
    return value


def web_address(value: str) -> str:
    """An absolute http or https address."""
    if not value.strip():
        return ""
    try:
        # Once it is stored, it is longer: its letters are percent-encoded.
        if len(unquote(value)) > _LONGEST_URL:
            raise ValueError(value)
        address = absolute_url(value)
    except ValueError:
        raise ValueError(
            "It must be a whole address that begins with https://, of at most 2,000 characters."
        ) from None
    return address


def mail_address(value: str) -> str:
    """An e-mail address."""
    text = clean_text(value)
    if text and (len(text) > _LONGEST_MAIL or not _MAIL.fullmatch(text)):
        raise ValueError("It must be an e-mail address such as ann@example.org.")
    return text


def resource(value: str) -> str:
    """The address of something: https:, or a scheme of its own such as ipfs: or nostr:."""
    text = clean_text(value)
    if text.lower().startswith(("http:", "https:")):
        return web_address(text)
    # What a page could be made to run is the address of nothing.
    is_script = text.lower().startswith(("javascript:", "data:", "vbscript:"))
    if text and (is_script or len(text) > _LONGEST_URL or not _URI.fullmatch(text)):
        raise ValueError("It must be a whole address, such as one that begins with https://.")
    return text


def uuid_text(value: str) -> str:
    """The podcast:guid of a show."""
    text = clean_text(value)
    try:
        return str(uuid.UUID(text)) if text else ""
    except ValueError:
        raise ValueError("It must be a UUID, the podcast:guid of the other show.") from None


def guid(value: str) -> str:
    """The guid of an episode elsewhere, letter by letter."""
    if value and not is_guid(value):
        raise ValueError(f"It must be one line of at most {LONGEST_GUID} characters.")
    return value


def stream_guid(value: str) -> str:
    """The guid of a live stream, letter by letter; addresses of the API can hold it too."""
    if value and not _STREAM_GUID.fullmatch(value):
        raise ValueError(
            "It must be at most 100 letters from a to z, digits and signs, without spaces."
        )
    return value


def country(value: str) -> str:
    """A country's two letters (ISO 3166-1), in capitals."""
    code = clean_text(value).upper()
    if code and not re.fullmatch("[A-Z]{2}", code):
        raise ValueError("It must be the two letters of a country, such as NO.")
    return code


def language(value: str) -> str:
    """A language code in lower case."""
    code = clean_text(value).replace("_", "-").lower()
    if code and not is_language_code(code):
        raise ValueError("It must be a language code, such as en or pt-br.")
    return code


def mime_type(value: str) -> str:
    """A media type, with parameters where it needs some."""
    kind, semicolon, parameters = clean_text(value).partition(";")
    kind = kind.strip().lower()
    if (kind and not MIME_TYPE.fullmatch(kind)) or len(value) > 200 or "\n" in parameters:
        raise ValueError("It must be a media type, such as audio/opus.")
    return kind + (f"; {parameters.strip()}" if semicolon and parameters.strip() else "")


def geo(value: str) -> str:
    """A place on Earth (RFC 5870)."""
    text = clean_text(value).replace(" ", "").lower()
    if text and text[0] in "-0123456789":
        text = f"geo:{text}"
    if text and not _is_place(text):
        raise ValueError("It must be a latitude and a longitude, such as geo:38.72,-9.14.")
    return text


def _is_place(text: str) -> bool:
    if len(text) > 100 or not _GEO.fullmatch(text):
        return False
    latitude, longitude = text.removeprefix("geo:").partition(";")[0].split(",")[:2]
    return abs(float(latitude)) <= 90 and abs(float(longitude)) <= 180


def osm(value: str) -> str:
    """An object of OpenStreetMap: a letter for node, way or relation, and its number."""
    text = clean_text(value).upper()
    if text and not _OSM.fullmatch(text):
        raise ValueError("It must be an object of OpenStreetMap, such as R5400890.")
    return text


def amount(value: str | float) -> str:
    """A decimal without exponent, digit by digit as given."""
    text = str(value).strip()
    if not text:
        return ""
    try:
        number = Decimal(text)
        if not number.is_finite() or not Decimal(0) <= number < 10**9 or len(text) > 40:
            raise ValueError(text)
        if number.as_tuple().exponent < -20:  # type: ignore[operator]  # finite, so a number
            raise ValueError(text)
    except (InvalidOperation, ValueError):
        raise ValueError("It must be an amount, such as 0.00000005.") from None
    return f"{number:f}"


def decimal_number(value: str | float) -> str:
    """An episode's number as the podcast namespace has it: from 0, with decimals or without."""
    # A whole number that a program gives has become one with decimals by now.
    is_whole = isinstance(value, float) and value.is_integer()
    text = clean_text(str(int(value) if is_whole else value))
    if text and not _DECIMAL.fullmatch(text):
        raise ValueError("It must be a number such as 100.5.")
    return f"{Decimal(text):f}" if text else ""


def contact(value: str) -> str:
    """A mail address with the name of whose it is, as RSS has it: ed@example.org (Ed Itor)."""
    text = plain_line(value)
    if text and not (len(text) <= 255 and _CONTACT.fullmatch(text)):
        raise ValueError("It must be a mail address and a name: ed@example.org (Ed Itor).")
    return text


def recurrence(value: str) -> str:
    """A recurrence rule (RFC 5545, 3.3.10), such as FREQ=WEEKLY;BYDAY=MO."""
    text = clean_text(value).upper().removeprefix("RRULE:").rstrip(";")
    if not text:
        return ""
    found = recurrence_parts(text)
    numbers = [found.get(key, "1") for key in ("COUNT", "INTERVAL")]
    is_rule = (
        len(text) <= 200
        and len(found) == text.count(";") + 1
        and found.get("FREQ") in _FREQUENCIES
        and found.keys() <= _RRULE_KEYS
        and all(_RRULE_VALUE.fullmatch(part) for part in found.values())
        and all(re.fullmatch("[1-9][0-9]{0,5}", number) for number in numbers)
        and not found.keys() >= {"COUNT", "UNTIL"}
    )
    if not is_rule:
        raise ValueError("It must be a rule as calendars have it, such as FREQ=WEEKLY;BYDAY=MO.")
    return ";".join(f"{key}={value}" for key, value in found.items())


def recurrence_parts(rule: str) -> Mapping[str, str]:
    """What the rule says, by its keys."""
    parts = [part.partition("=") for part in rule.split(";")]
    return {key.strip(): value.strip() for key, _, value in parts}


def moment(value: str) -> str:
    """A day or a time in ISO 8601, in its own words."""
    text = clean_text(value)
    if not text:
        return ""
    try:
        if not text.isascii() or not 1970 <= datetime.fromisoformat(text).year <= 2199:
            raise ValueError(text)
    except ValueError:
        raise ValueError(
            "It must be a day or a time, such as 2026-03-01 or 2026-03-01T09:00Z."
        ) from None
    return text


def instant(value: str) -> str:
    """A time with its zone in ISO 8601, to the second, in the zone in which it was given."""
    text = clean_text(value)
    if not text:
        return ""
    try:
        found = datetime.fromisoformat(text)
        # Some zones were seconds off once, and feeds have no way to say so.
        offset = found.utcoffset()
        has_zone = offset is not None and not offset % timedelta(minutes=1)
        if not text.isascii() or not 1970 <= found.year <= 2199 or not has_zone:
            raise ValueError(text)
    except ValueError:
        raise ValueError(
            "It must be a time with its zone, such as 2026-12-01T19:00:00+01:00."
        ) from None
    return found.isoformat(timespec="seconds").replace("+00:00", "Z")


def is_sri(value: str) -> bool:
    """Whether it is a hash as pages name them (W3C Subresource Integrity)."""
    match = _SRI.fullmatch(value)
    try:
        return match is not None and len(base64.b64decode(match[2])) * 8 == int(match[1])
    except binascii.Error:
        return False


def _bounded(text: str, most_chars: int) -> str:
    if len(text) > most_chars:
        raise ValueError(f"It has {len(text)} characters; {most_chars} are the most.")
    return text
