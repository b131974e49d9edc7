"""Readers who come from another podhost, by the table that it exported; it mails nobody.

Only what podhost itself writes is read (addresses.py), because only of that is it known what its
words mean. Whoever is known here stays as they are: who left, left.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from podhost.db import new_id
from podhost.errors import Conflict, Invalid
from podhost.formats.text import shown
from podhost.models import Show, Subscriber
from podhost.newsletter.addresses import COLUMNS, without_apostrophe
from podhost.newsletter.issues import is_mailing
from podhost.newsletter.settings import EPISODES, WEEKLY
from podhost.newsletter.subscribers import (
    CONFIRMED,
    REFUSED,
    STATUSES,
    address_digest,
    read_address,
)

_AT_ONCE = 500
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_OTHER_TABLE = (
    "This is no table of readers as podhost exports it. Take the file as it was saved there: "
    "programs for tables write commas and dates otherwise."
)


class ImportedReaders(msgspec.Struct, kw_only=True):
    """What became of a table: `imported` are readers here now, `refused` are not mailed because
    their server said for good that there is no such address, `known` were here before and stay as
    they are, and `left_out` had not confirmed."""

    imported: int
    refused: int
    known: int
    left_out: int


class Row(NamedTuple):
    """A line of the table; times are in UTC."""

    address: str
    status: str
    wants: str
    asked_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None


def import_readers(
    session: Session, show: Show, rows: Sequence[Row], *, now: datetime
) -> ImportedReaders:
    """Take over those who confirmed there, of the show, which is locked.

    `rows` are those of `read_table`, which takes seconds for a large one: it is read before, while
    others can write. Raises Conflict while a mailing is sent.
    """
    if is_mailing(session, show, now=now):
        # They confirmed before it, there, and would get what they have from there.
        raise Conflict("A mailing is being sent; import readers when it is over, or stop it.")
    wanted = {
        address_digest(show.id, row.address): row
        for row in reversed(rows)
        if row.status in (CONFIRMED, REFUSED)
    }
    known = _known(session, show, [*wanted])
    fresh = {digest: row for digest, row in wanted.items() if digest not in known}
    if fresh:
        values = [_values(show, digest, row) for digest, row in fresh.items()]
        session.execute(insert(Subscriber), values)
        session.flush()
    refused = sum(row.status == REFUSED for row in fresh.values())
    return ImportedReaders(
        imported=len(fresh) - refused,
        refused=refused,
        known=len(known),
        left_out=sum(row.status not in (CONFIRMED, REFUSED) for row in rows),
    )


def read_table(table: bytes, *, now: datetime) -> list[Row]:
    """The lines of a table that podhost wrote. Raises Invalid with the first that it did not; then
    nobody is to be imported."""
    try:
        reader = csv.reader(io.StringIO(table.decode("utf-8-sig"), newline=""), strict=True)
        lines = list(_lines(reader))
    except (UnicodeDecodeError, csv.Error):
        raise Invalid(_OTHER_TABLE) from None
    if not lines or tuple(lines[0][1]) != COLUMNS:
        raise Invalid(_OTHER_TABLE)
    return [_row(number, cells, now) for number, cells in lines[1:]]


def _lines(reader: Any) -> Iterator[tuple[int, list[str]]]:
    for cells in reader:
        if cells:
            yield reader.line_num, cells


def _row(number: int, cells: Sequence[str], now: datetime) -> Row:
    try:
        address, status, wants, asked_at, confirmed_at, ended_at = cells
        row = Row(
            read_address(without_apostrophe(address)),
            status,
            wants,
            _moment(asked_at),
            _moment(confirmed_at) if confirmed_at else None,
            _moment(ended_at) if ended_at else None,
        )
    except (ValueError, Invalid):
        row = None
    if row is None or not _is_ours(row, now):
        line = shown(",".join(cells))
        raise Invalid(f"Line {number} is none that podhost exports: {line}. Nobody was imported.")
    return row


def _is_ours(row: Row, now: datetime) -> bool:
    """Whether what the line says fits together."""
    if row.status not in STATUSES or row.wants not in (EPISODES, WEEKLY):
        return False
    if row.status == CONFIRMED and row.confirmed_at is None:
        return False
    times = (row.asked_at, row.confirmed_at, row.ended_at)
    return all(time is None or time <= now for time in times)


def _moment(text: str) -> datetime:
    if _MOMENT.fullmatch(text) is None:
        raise ValueError("This is no moment as podhost writes it.")
    return datetime.fromisoformat(text)


def _known(session: Session, show: Show, digests: Sequence[str]) -> set[str]:
    """Those of them that are here, those who left too."""
    found: set[str] = set()
    column = Subscriber.address_sha256
    here = select(column).where(Subscriber.show_id == show.id)
    for start in range(0, len(digests), _AT_ONCE):
        some = digests[start : start + _AT_ONCE]
        found.update(session.scalars(here.where(column.in_(some))))
    return found


def _values(show: Show, digest: str, row: Row) -> dict[str, Any]:
    return {
        "id": new_id(),
        "show_id": show.id,
        "address_sha256": digest,
        "asked_wants": row.wants,
        "turn": 1,
        "reason": None,
        **row._asdict(),
    }
