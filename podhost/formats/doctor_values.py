"""What the feed doctor asks of single values: addresses, dates, numbers; it reports nothing."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from podhost.formats.doctor_rules import Severity
from podhost.formats.feed_words import MIME_TYPE
from podhost.formats.languages import is_language_code
from podhost.formats.podcast_namespace import PERSON_GROUPS, PERSON_ROLES
from podhost.formats.tag_rules import LIST_MEDIUMS, MEDIUMS

_CLEAN_DATE = re.compile(
    r"(?:(Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d\d? "
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d\d:\d\d(?::\d\d)? (?:GMT|UT|UTC|[+-]\d\d[03]0)",
    re.ASCII,
)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY = re.compile(r"\s*([A-Za-z]{3})[a-z]*\s*,", re.ASCII)
_MAIL = re.compile(r"[^@\s()<>]+@[^@\s()<>]+\.[^@\s()<>]+")
_DURATION = re.compile(r"\d{1,9}|\d{1,5}:[0-5]?\d|\d{1,4}:[0-5]?\d:[0-5]?\d", re.ASCII)
_DECIMAL = re.compile(r"\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_INTEGER = re.compile(r"\d{1,18}", re.ASCII)
_ISO_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_GEO = re.compile(r"geo:-?\d+(\.\d+)?,-?\d+(\.\d+)?(,-?\d+(\.\d+)?)?(;.+)?", re.ASCII)
_OSM = re.compile(r"[NWR]\d+(#\d+)?", re.ASCII)
_COUNTRY = re.compile(r"[a-z]{2}", re.ASCII | re.IGNORECASE)
_RRULE = re.compile(r"(?:[A-Z-]+=[^;=]+)(?:;[A-Z-]+=[^;=]+)*", re.ASCII)
_PLAY_TIME = re.compile(r"(?:(?:(\d{1,4}):)?([0-5]?\d):)?(\d{1,6}(?:\.\d{1,9})?)", re.ASCII)
EARLIEST_YEAR = 1995


class Kind(NamedTuple):
    """A kind of value: what it must be, in words, and whether a value is one."""

    meaning: str
    accepts: Callable[[str], bool]
    severity: Severity = "warning"


class ReadDate(NamedTuple):
    """A date as the feed has it: what it means (None: unreadable), and what is odd about it."""

    moment: datetime | None
    is_clean: bool
    has_wrong_weekday: bool


def is_url(value: str) -> bool:
    """Whether this is a whole address of the web."""
    try:
        parts = urlsplit(value.strip())
        return parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def has_only_url_letters(url: str) -> bool:
    """Whether the address has neither spaces nor letters beyond ASCII (RFC 3986)."""
    return url.isascii() and not any(char in ' "<>\\^`{|}' or char < " " for char in url)


def is_mail_address(value: str) -> bool:
    """Whether this can be a mail address."""
    return len(value) <= 320 and _MAIL.fullmatch(value) is not None


def is_mime_type(value: str) -> bool:
    """Whether this has the form of a MIME type."""
    kind = value.partition(";")[0].strip().lower()
    return len(value) <= 255 and MIME_TYPE.fullmatch(kind) is not None


def is_integer(value: str) -> bool:
    """Whether this is a whole number without a sign, in ASCII digits."""
    return _INTEGER.fullmatch(value) is not None


def is_uuid(value: str) -> bool:
    """Whether this is a UUID in its usual form."""
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def read_date(value: str) -> ReadDate:
    """Read an RFC 822 date as leniently as apps do; one without a zone is taken for GMT."""
    if len(value) > 100:
        return ReadDate(None, False, False)
    try:
        moment = parsedate_to_datetime(value)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        local = parsedate_to_datetime(value)
    # What the library raises for odd dates differs by how they are odd.
    except (ValueError, TypeError, IndexError, OverflowError):
        return ReadDate(None, False, False)
    named = _WEEKDAY.match(value)
    is_wrong = named is not None and named[1].lower() != _WEEKDAYS[local.weekday()]
    return ReadDate(moment, _CLEAN_DATE.fullmatch(value) is not None, is_wrong)


def read_moment(value: str) -> datetime | None:
    """The time that an ISO 8601 date means; None for what is none, or has no zone."""
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return found if found.utcoffset() is not None else None


def duration_seconds(value: str) -> int | None:
    """The seconds of an itunes:duration (seconds, M:SS or H:MM:SS); None for anything else."""
    if _DURATION.fullmatch(value) is None:
        return None
    seconds = 0
    for part in value.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds


def decimal(value: str) -> float | None:
    """A number such as 12 or 12.5; None for anything else."""
    return float(value) if _DECIMAL.fullmatch(value) else None


def play_time_seconds(value: str) -> float | None:
    """Normal Play Time (37, 7:48, 01:35:52.250) in seconds; None for anything else."""
    match = _PLAY_TIME.fullmatch(value.strip())
    if match is None:
        return None
    return int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 + float(match[3])


def one_of(*values: str, severity: Severity = "warning") -> Kind:
    """One of these words, letter by letter."""
    wanted = " or ".join(f"“{value}”" for value in values)
    return Kind(wanted, frozenset(values).__contains__, severity)


def up_to(chars: int) -> Kind:
    """Text of at most so many characters (Unicode code points)."""
    return Kind(f"at most {chars} characters", lambda value: len(value) <= chars)


def _is_medium(value: str) -> bool:
    return value in MEDIUMS or value in LIST_MEDIUMS


URL = Kind("a whole address, from https:// on", is_url)
# Some print a name with it, which the namespace does not forbid.
MAIL = Kind("a mail address", lambda value: "@" in value)
MIME = Kind("a MIME type such as audio/mpeg", is_mime_type)
UUID = Kind("a UUID", is_uuid)
INTEGER = Kind("a whole number", is_integer)
DECIMAL = Kind("a number such as 12 or 12.5", lambda value: decimal(value) is not None)
DATE = Kind("a date such as Tue, 05 Mar 2024 09:05:00 GMT", lambda v: bool(read_date(v).moment))
ISO_DATE = Kind(
    "a date such as 2024-03-05T09:05:00Z", lambda value: bool(_ISO_DATE.fullmatch(value))
)
BOOLEAN = one_of("true", "false")
YES_OR_NO = one_of("yes", "no")
LABEL = up_to(128)
SHORT_LABEL = up_to(32)
MEDIUM = Kind("a medium that the namespace knows", _is_medium)
LANGUAGE = Kind("a language code such as en", is_language_code)
GEO = Kind("a place such as geo:51.5,-0.1", lambda v: len(v) < 200 and bool(_GEO.fullmatch(v)))
OSM = Kind("an OpenStreetMap object such as R113314", lambda v: bool(_OSM.fullmatch(v)))
COUNTRY = Kind("a country code of two letters", lambda value: bool(_COUNTRY.fullmatch(value)))
RRULE = Kind(
    "a rule such as FREQ=WEEKLY;BYDAY=TU",
    lambda value: len(value) < 500 and "FREQ=" in value and bool(_RRULE.fullmatch(value)),
)
ROLE = Kind("a role of the Podcast Taxonomy", lambda v: v.lower() in PERSON_ROLES, "hint")
GROUP = Kind("a group of the Podcast Taxonomy", lambda v: v.lower() in PERSON_GROUPS, "hint")
ANYTHING = Kind("anything", lambda value: True)
TRANSCRIPT_TYPE = one_of(
    "text/vtt",
    "application/x-subrip",
    "application/srt",
    "text/srt",
    "text/html",
    "application/json",
    "text/plain",
)
CHAPTERS_TYPE = one_of("application/json+chapters")
