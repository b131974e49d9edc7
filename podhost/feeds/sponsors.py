"""The line of the notes that names a show's sponsors: with which episodes, and in which words.

A sponsor stands with the episodes whose date is one of its days, in the show's time zone. No clock
is asked, so that the bytes of a feed change only when somebody changes a row.
"""

import html
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.models import Show, Sponsor

# "This episode is supported by" where names follow.
_WORDS = {
    "de": "Diese Folge wird unterstützt von",
    "en": "This episode is supported by",
    "es": "Este episodio cuenta con el apoyo de",
    "fr": "Cet épisode est soutenu par",
    "it": "Questa puntata è sostenuta da",
    "nl": "Deze aflevering wordt ondersteund door",
    "pt": "Este episódio tem o apoio de",
}


class SponsorRow(NamedTuple):
    """All that the notes say of a sponsor."""

    name: str
    url: str | None
    text: str


def notes_sponsors(
    session: Session, show: Show
) -> Callable[[datetime | None], tuple[SponsorRow, ...]]:
    """Gives, for the date of an episode, the sponsors that its notes name, in order."""
    rows = session.execute(
        select(Sponsor.name, Sponsor.url, Sponsor.text, Sponsor.starts_on, Sponsor.ends_on)
        .where(Sponsor.show_id == show.id, Sponsor.in_notes, Sponsor.deleted_at.is_(None))
        .order_by(Sponsor.position, Sponsor.name, Sponsor.id)
    ).all()
    zone = ZoneInfo(show.time_zone) if rows else None

    def of(published_at: datetime | None) -> tuple[SponsorRow, ...]:
        if zone is None or published_at is None:
            return ()
        day = published_at.astimezone(zone).date().isoformat()
        return tuple(
            SponsorRow(row.name, row.url, row.text)
            for row in rows
            if (row.starts_on or day) <= day <= (row.ends_on or day)
        )

    return of


def render_sponsors_html(sponsors: Sequence[SponsorRow], *, language: str) -> str:
    """A paragraph such as "This episode is supported by Salt & Sons (ropes).", names linked; ""
    for nobody. In a language whose words are not known here, the names alone."""
    if not sponsors:
        return ""
    opening = _WORDS.get(language.partition("-")[0].lower(), "")
    named = ", ".join(_named(sponsor) for sponsor in sponsors)
    return f"<p>{opening} {named}.</p>" if opening else f"<p>{named}.</p>"


def _named(sponsor: SponsorRow) -> str:
    name = html.escape(sponsor.name, quote=False)
    if sponsor.url:
        name = f'<a href="{html.escape(sponsor.url)}">{name}</a>'
    text = " ".join(sponsor.text.split()).rstrip(".")
    return f"{name} ({html.escape(text, quote=False)})" if text else name
