"""How pages word dates, lengths and sizes, and which way a language runs; it knows no row."""

from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

_MONTHS = "January February March April May June July August September October November December"
# Of those that directories accept: who writes from right to left, unless a script is named.
_RIGHT_TO_LEFT = "ar arc ckb dv fa he ks lrc mzn nqo pnb prs ps rhg sd syr ug ur yi"
_RIGHT_TO_LEFT_SCRIPTS = "adlm arab hebr nkoo rohg samr syrc thaa"


def date(moment: datetime, time_zone: str, *, with_time: bool) -> str:
    """A moment as the show's listeners read it, as markup; the time zone is named."""
    local = moment.astimezone(ZoneInfo(time_zone))
    shown = f"{local.day} {_MONTHS.split()[local.month - 1]} {local.year}"
    if with_time:
        shown += f", {local:%H:%M} {zone_name(local, time_zone)}"
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{shown}</time>'


def zone_name(local: datetime, time_zone: str) -> str:
    """ "London time", because "BST" is also Bangladesh's; "UTC-05" where no place is named."""
    area, _, place = time_zone.rpartition("/")
    if area and area != "Etc":
        return escape(place.replace("_", " ")) + " time"
    name = local.tzname() or time_zone
    return escape(f"UTC{name}" if name[0] in "+-" else name)


def duration(duration_ms: int) -> str:
    """A length in hours and minutes; a minute at least."""
    minutes = max(1, round(duration_ms / 60_000))
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    return " ".join([*parts, f"{minutes} min"] if minutes else parts)


def size(size_bytes: int) -> str:
    """A size in megabytes."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 10e6 else f"{size_bytes / 1e6:.0f} MB"


def clock(moment_ms: int) -> str:
    """A moment inside an episode, such as 1:02:03."""
    seconds = moment_ms // 1000
    minutes, hours = seconds // 60 % 60, seconds // 3600
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"


def is_right_to_left(language: str) -> bool:
    """Whether a language is written from right to left."""
    code, *rest = language.lower().split("-")
    scripts = [part for part in rest if len(part) == 4]
    if scripts:
        return scripts[0] in _RIGHT_TO_LEFT_SCRIPTS.split()
    return code in _RIGHT_TO_LEFT.split()
