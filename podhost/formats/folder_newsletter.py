"""What the table [newsletter] of a show.toml may say, and how it is written; it opens no file."""

import re
from typing import Any

import msgspec

from podhost.formats import folder_fields as fields
from podhost.formats.folder_fields import Keys, Reader, WrongError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class NewsletterEntry(msgspec.Struct, frozen=True, kw_only=True):
    """How a show's newsletter is set: whether readers can sign up, which mails there are, when the
    weekly one is made (`hour`, 0 to 23, in the show's time zone), and what stands at their foot."""

    open: bool = False
    episodes: bool = True
    digest: bool = True
    weekday: str = "friday"
    hour: int = 9
    contact: str | None = None


def read_newsletter(value: Any) -> NewsletterEntry:
    """The table's values. Raises WrongError with all that is wrong in it."""
    keys = Keys(_NEWSLETTER, hints=_HINTS)
    return NewsletterEntry(**fields.table_of(keys, "keys like open, weekday and hour")(value))


def said_of_newsletter(newsletter: NewsletterEntry) -> dict[str, Any]:
    """What a table says that reads as these values, without what a missing key means."""
    usual = msgspec.structs.asdict(NewsletterEntry())
    said = msgspec.structs.asdict(newsletter)
    return {key: value for key, value in said.items() if value != usual[key]}


def _hour(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,2}", value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 23:
        raise WrongError("must be a whole number from 0 to 23.")
    return value


_NEWSLETTER: dict[str, Reader] = {
    "open": fields.read_truth,
    "episodes": fields.read_truth,
    "digest": fields.read_truth,
    "weekday": fields.choice(*WEEKDAYS),
    "hour": _hour,
    "contact": fields.read_text,
}
NEWSLETTER_KEYS = tuple(_NEWSLETTER)
_HINTS = {
    "is_open": "write “open”.",
    "enabled": "write “open”.",
    "weekly": "write “digest”.",
    "sends_episodes": "write “episodes”.",
    "sends_digest": "write “digest”.",
    "day": "write “weekday”.",
    "footer": "write “contact”.",
}
