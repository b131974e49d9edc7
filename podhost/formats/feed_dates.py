"""Reads the dates of other hosts' feeds in the forms they really have; it knows no clock.

RFC 822 and 2822, ISO 8601, seconds since 1970, month names in a few languages. The day of the
week is ignored, and the order of day and month in numbers is never guessed.
"""

import re
from datetime import UTC, datetime, timedelta

# The first podcasts are of 2003; dates before that are accidents of a blog engine.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_MAX_CHARS = 100

MISSING = "The date is missing."
UNREADABLE = "The date cannot be read."
IMPLAUSIBLE = "The date is implausibly early."
NO_ZONE = "The date has no time zone; UTC is assumed."
NO_TIME = "The date has no time and no time zone; midnight UTC is assumed."
UNKNOWN_ZONE = "The date's time zone is not known; UTC is assumed."
TWO_DIGITS = "The date's year has two digits."
AT_24 = "The date's hour is 24; that is midnight of the next day."
ISO = "The date is in ISO 8601 form, where RSS wants RFC 822."
EPOCH = "The date is a number of seconds, where RSS wants RFC 822."

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier januari gennaio enero ene gen janv janeiro jänner jän",
            "feb february februar février fevrier févr fevr fév februari febbraio febrero"
            " fevereiro fev",
            "mar march mär märz maerz mrz mars maart mrt marzo março marco",
            "apr april avril avr aprile abril abr",
            "may mai mei maj maggio mayo maio mag",
            "jun june juni juin giugno junio junho giu",
            "jul july juli juillet juil luglio julio julho lug",
            "aug august août aout augustus augusti agosto ago",
            "sep sept september septembre settembre septiembre setembro set",
            "oct october okt oktober octobre ottobre octubre outubro ott out",
            "nov november novembre noviembre novembro",
            "dec december dez dezember décembre decembre déc dicembre diciembre dezembro dic",
        ),
        1,
    )
    for name in names.split()
}
_ZONE_MINUTES = {
    name: minutes
    for names, minutes in (
        ("ut utc gmt z wet", 0),
        ("est cdt", -300),
        ("edt", -240),
        ("cst mdt", -360),
        ("mst pdt", -420),
        ("pst", -480),
        ("cet mez bst west", 60),
        ("cest mesz eet", 120),
        ("eest msk", 180),
        ("ist", 330),
        ("jst kst", 540),
        ("aest", 600),
        ("aedt", 660),
        ("nzst", 720),
        ("nzdt", 780),
    )
    for name in names.split()
}

_TIME = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?(?![^\W\d_]))?"
)
_ZONE = r"(?P<zone>\S.{0,40})?"
_TAIL = rf"(?:[\s,]+(?:at\s+)?{_TIME}\s*{_ZONE})?"
_WEEKDAY = r"(?:[^\W\d_]+\.?,?\s+|[^\W\d_]+\.?,)?"
_MONTH = r"(?P<month>[^\W\d_]{3,12})\.?"
_YEAR = r"(?P<year>[0-9]{4}|[0-9]{2})"
_DAY_FIRST = re.compile(rf"{_WEEKDAY}(?P<day>[0-9]{{1,2}})\.?[\s\-]+{_MONTH}[\s\-]+{_YEAR}{_TAIL}")
_MONTH_FIRST = re.compile(
    rf"{_WEEKDAY}{_MONTH}\s+(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?,?\s+{_YEAR}{_TAIL}"
)
_ISO = re.compile(
    rf"(?P<year>[0-9]{{4}})-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})(?:[Tt\s]+{_TIME}\s*{_ZONE})?"
)
_EPOCH = re.compile(r"[0-9]{9,10}|[0-9]{12,13}", re.ASCII)
_NUMERIC_ZONE = re.compile(
    r"(?:UTC|GMT|UT)?\s*(?P<sign>[+\-−])(?P<hours>[0-9]{1,2}):?(?P<minutes>[0-9]{2})?"
    r"(?:\s*\([^()]*\))?",
    re.IGNORECASE,
)


def read_date(text: str) -> tuple[datetime | None, list[str]]:
    """Give the moment that a feed's date means, in UTC, and sentences on what is odd about it.

    None when there is no date or none that can be read, with the sentence that says which. Never
    raises. Whether a date lies in the future is for the caller, who has a clock.
    """
    text = " ".join(text[: _MAX_CHARS + 1].split())
    if not text:
        return None, [MISSING]
    warnings: list[str] = []
    moment = None
    if len(text) <= _MAX_CHARS and text.isprintable():
        try:
            moment = _moment(text, warnings)
        except (ValueError, OverflowError):
            moment = None
    if moment is None:
        return None, [UNREADABLE]
    if moment < EARLIEST:
        warnings.append(IMPLAUSIBLE)
    return moment, warnings


def _moment(text: str, warnings: list[str]) -> datetime | None:
    if _EPOCH.fullmatch(text):
        warnings.append(EPOCH)
        return datetime.fromtimestamp(int(text) // (1000 if len(text) > 10 else 1), UTC)
    if match := _ISO.fullmatch(text):
        warnings.append(ISO)
        return _assembled(match, int(match["month"]), warnings)
    match = _DAY_FIRST.fullmatch(text) or _MONTH_FIRST.fullmatch(text)
    month = _MONTHS.get(match["month"].lower()) if match else None
    return _assembled(match, month, warnings) if match and month else None


def _assembled(match: re.Match[str], month: int, warnings: list[str]) -> datetime:
    """Raises ValueError for a day or a time that there is not, such as the 31st of February."""
    day = datetime(_year(match["year"], warnings), month, int(match["day"]), tzinfo=UTC)
    if match["hour"] is None:
        warnings.append(NO_TIME)
        return day
    return day + _time_of_day(match, warnings) - _offset(match["zone"], warnings)


def _year(digits: str, warnings: list[str]) -> int:
    if len(digits) == 4:
        return int(digits)
    warnings.append(TWO_DIGITS)
    # RFC 2822 4.3.
    return int(digits) + (2000 if int(digits) < 50 else 1900)


def _time_of_day(match: re.Match[str], warnings: list[str]) -> timedelta:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if match["half"] in "Pp" else 0)
    # A leap second; there is no such moment here.
    second = 59 if second == 60 else second
    if (hour, minute, second) == (24, 0, 0):
        warnings.append(AT_24)
    elif not (hour < 24 and minute < 60 and second < 60):
        raise ValueError(hour)
    return timedelta(hours=hour, minutes=minute, seconds=second)


def _offset(zone: str | None, warnings: list[str]) -> timedelta:
    zone = (zone or "").strip()
    if not zone:
        warnings.append(NO_ZONE)
        return timedelta()
    if match := _NUMERIC_ZONE.fullmatch(zone):
        hours, minutes = int(match["hours"]), int(match["minutes"] or 0)
        # The earth has no zone beyond +14.
        if hours <= 14 and minutes < 60:
            offset = timedelta(hours=hours, minutes=minutes)
            return offset if match["sign"] == "+" else -offset
    elif zone == "0":
        return timedelta()
    elif (known := _ZONE_MINUTES.get(zone.lower())) is not None:
        return timedelta(minutes=known)
    warnings.append(UNKNOWN_ZONE)
    return timedelta()
