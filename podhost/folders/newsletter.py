"""What show.toml says of a show's newsletter, against how it is set: what would change, and the
change itself. It knows no reader of it."""

from datetime import datetime

from sqlalchemy.orm import Session

from podhost.formats.folder_newsletter import NewsletterEntry
from podhost.models import Show
from podhost.newsletter.settings import NewsletterInput, change_newsletter, newsletter_changes


def changes_of_newsletter(
    session: Session, show: Show | None, newsletter: NewsletterEntry
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that would change, and no warnings. Raises Invalid for what cannot be used."""
    return tuple(newsletter_changes(session, show, _input(newsletter))), ()


def apply_newsletter(
    session: Session, show: Show, newsletter: NewsletterEntry, *, now: datetime
) -> None:
    """Have it be set as show.toml says, of the show, which is locked. Raises Invalid."""
    change_newsletter(session, show, _input(newsletter), now=now)


def _input(newsletter: NewsletterEntry) -> NewsletterInput:
    return NewsletterInput(
        is_open=newsletter.open,
        sends_episodes=newsletter.episodes,
        sends_digest=newsletter.digest,
        weekday=newsletter.weekday,
        hour=newsletter.hour,
        contact=newsletter.contact,
    )
