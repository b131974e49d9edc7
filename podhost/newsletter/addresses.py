"""The addresses of a newsletter's readers as a table that spreadsheets open; it writes no file."""

import csv
import io
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.models import Show, Subscriber
from podhost.newsletter.subscribers import GONE

COLUMNS = ("address", "status", "wants", "asked_at", "confirmed_at", "ended_at")
# What a spreadsheet takes for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(session: Session, show: Show) -> str:
    """Every address that is here, oldest first, with what is known of it."""
    out = io.StringIO()
    # RFC 4180 ends lines so.
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    rows = session.execute(
        select(*(getattr(Subscriber, name) for name in COLUMNS))
        .where(Subscriber.show_id == show.id, Subscriber.status != GONE)
        .order_by(Subscriber.asked_at, Subscriber.id)
    )
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def without_apostrophe(cell: str) -> str:
    """What stood in the cell before it was kept from being a formula."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
