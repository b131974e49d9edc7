"""Times as a show's host reads them off a clock; what daylight saving time does to them is said.

It knows no show and no episode.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from podhost.fields import moment


def local_moment(value: str, time_zone: str) -> tuple[datetime, str | None]:
    """The time that `value` (ISO 8601) means, in UTC, and a sentence where clocks change just then.

    Without a zone it is one of `time_zone`. One that clocks leave out becomes that much later, and
    of one that comes twice the first is taken (PEP 495). Raises ValueError with a sentence.
    """
    meant = moment(value, time_zone)
    given = datetime.fromisoformat(value.strip())
    if given.tzinfo is not None:
        return meant, None
    zone = ZoneInfo(time_zone)
    shown = meant.astimezone(zone).replace(tzinfo=None)
    if shown != given:
        return meant, (
            f"There is no {given:%H:%M} in {time_zone} on {_day(given)}, because clocks are put "
            f"forward then; {shown:%H:%M} was taken."
        )
    second = given.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if second != meant:
        return meant, (
            f"{given:%H:%M} comes twice in {time_zone} on {_day(given)}, because clocks are put "
            f"back then; the first one was taken, {_hours(second - meant)} before the other."
        )
    return meant, None


def _day(given: datetime) -> str:
    return f"{given:%Y-%m-%d}"


def _hours(between: timedelta) -> str:
    minutes = round(between / timedelta(minutes=1))
    return "an hour" if minutes == 60 else f"{minutes} minutes"
