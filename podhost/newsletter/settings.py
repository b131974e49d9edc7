"""How a show's newsletter is set: on or off, which mails, when the weekly one; it sends nothing."""

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.orm import Session

from podhost import fields
from podhost.changes import record_change
from podhost.errors import Invalid
from podhost.formats.folder_newsletter import WEEKDAYS as WEEKDAYS
from podhost.models import Newsletter, Show

EPISODES, WEEKLY = "episodes", "weekly"
_NOTHING_TO_SEND = "Choose at least one kind of mail."
_LONGEST_CONTACT = 500


class NewsletterInput(msgspec.Struct, kw_only=True):
    """What an owner may set; fields that are not given stay as they are.

    `weekday` ("monday" ...) and `hour` (0 to 23) are in the show's time zone. `contact` stands at
    the foot of each mail, such as a postal address; without it the show's author does.
    """

    is_open: bool | UnsetType = UNSET
    sends_episodes: bool | UnsetType = UNSET
    sends_digest: bool | UnsetType = UNSET
    weekday: str | UnsetType = UNSET
    hour: int | UnsetType = UNSET
    contact: str | UnsetType | None = UNSET


def _weekday(value: str) -> int:
    try:
        return WEEKDAYS.index(value.strip().lower())
    except ValueError:
        raise ValueError("It must be a day such as monday.") from None


def _hour(value: int) -> int:
    if not 0 <= value <= 23:
        raise ValueError("It must be a whole number from 0 to 23.")
    return value


def _contact(value: str | None) -> str:
    text = fields.paragraph(value)
    if len(text) > _LONGEST_CONTACT:
        raise ValueError(f"It has {len(text)} characters; {_LONGEST_CONTACT} are the most.")
    return text


_READERS: dict[str, tuple[str, fields.Reader]] = {
    "is_open": ("is_open", fields.as_given),
    "sends_episodes": ("sends_episodes", fields.as_given),
    "sends_digest": ("sends_digest", fields.as_given),
    "weekday": ("digest_weekday", _weekday),
    "hour": ("digest_hour", _hour),
    "contact": ("contact", _contact),
}


def find_newsletter(session: Session, show: Show) -> Newsletter:
    """How it is set; of a show that never had one, how it would be, which is no row yet."""
    found = session.get(Newsletter, show.id)
    if found is None:
        found = _unsaid()
        found.show_id, found.changed_at = show.id, show.changed_at
    return found


def _unsaid() -> Newsletter:
    """That of a show which said nothing yet."""
    return Newsletter(
        is_open=False,
        opened_at=None,
        sends_episodes=True,
        sends_digest=True,
        digest_weekday=4,
        digest_hour=9,
        contact="",
        planned_at=None,
        digested_until=None,
    )


def newsletter_changes(session: Session, show: Show | None, given: NewsletterInput) -> list[str]:
    """The names of what `change_newsletter` would change; of no show, against the defaults. Raises
    Invalid with every wrong field."""
    row = find_newsletter(session, show) if show is not None else _unsaid()
    if given.is_open is True and given.sends_episodes is given.sends_digest is False:
        raise Invalid(_NOTHING_TO_SEND, {"sends_episodes": _NOTHING_TO_SEND})
    return fields.changed_fields(row, given, _READERS)


def change_newsletter(
    session: Session, show: Show, given: NewsletterInput, *, now: datetime
) -> Newsletter:
    """Set what is given, of the show, which is locked. Raises Invalid with every wrong field."""
    newsletter = find_newsletter(session, show)
    changed, errors = fields.apply_given(newsletter, given, _READERS)
    if newsletter.is_open and not (newsletter.sends_episodes or newsletter.sends_digest):
        errors.sentences.setdefault("sends_episodes", _NOTHING_TO_SEND)
    errors.raise_any()
    if not changed:
        return newsletter
    if "is_open" in changed and newsletter.is_open:
        # What was published before is no news.
        newsletter.opened_at = newsletter.planned_at = newsletter.digested_until = now
    if {"digest_weekday", "digest_hour"} & changed:
        newsletter.planned_at = now
    if "sends_digest" in changed and newsletter.sends_digest:
        newsletter.planned_at = newsletter.digested_until = now
    newsletter.changed_at = now
    session.add(newsletter)
    session.flush()
    record_change(session, "site", show.id, now=now)
    return newsletter


def choices_of(newsletter: Newsletter) -> tuple[str, ...]:
    """What a reader can choose from."""
    offered = ((EPISODES, newsletter.sends_episodes), (WEEKLY, newsletter.sends_digest))
    return tuple(name for name, is_sent in offered if is_sent)


def chosen(newsletter: Newsletter, wants: str) -> str:
    """What a reader gets who chose `wants`. Raises Invalid for what is none."""
    if wants not in (EPISODES, WEEKLY):
        sentence = "Choose how often you want mail."
        raise Invalid(f"wants: {sentence}", {"wants": sentence})
    offered = choices_of(newsletter)
    return wants if wants in offered or not offered else offered[0]
