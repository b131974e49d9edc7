"""What show.toml is to say of how a show's newsletter is set; who reads it stands in no folder.

`folders.newsletter` is the way back.
"""

from sqlalchemy.orm import Session

from podhost.formats.folder_newsletter import NewsletterEntry
from podhost.models import Show
from podhost.newsletter.settings import WEEKDAYS, find_newsletter


def newsletter_entry(session: Session, show: Show) -> NewsletterEntry | None:
    """What it is to say; None: nothing."""
    row = find_newsletter(session, show)
    entry = NewsletterEntry(
        open=row.is_open,
        episodes=row.sends_episodes,
        digest=row.sends_digest,
        weekday=WEEKDAYS[row.digest_weekday],
        hour=row.digest_hour,
        contact=row.contact or None,
    )
    return entry if entry != NewsletterEntry() else None
