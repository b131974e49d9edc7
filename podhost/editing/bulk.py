"""The same thing done to several episodes of a show at once, and all of it taken back.

Each episode stands for itself: what cannot be done to one is told, and done to the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.episodes import EpisodeInput, change_episode
from podhost.episodes.publishing import delete_episode, publish_episode, withdraw_episode
from podhost.errors import Conflict, Invalid, NotFound, PodhostError
from podhost.history import recording
from podhost.history.audit import row_id
from podhost.history.trash import restore
from podhost.history.undo import can_be_undone, undo
from podhost.models import Episode, HistoryEntry, Show
from podhost.people import CreditInput, credit_values, list_credits, name_key

# What one click may reach; the page of a list has fewer.
MOST = 500
ACTIONS = (
    *("publish", "withdraw", "delete", "restore"),
    *("season", "explicit", "add_guest"),
)


@dataclass(frozen=True, slots=True)
class Refused:
    """An episode to which it could not be done, with the reason as a sentence."""

    id: str
    title: str
    message: str


@dataclass(slots=True)
class BulkResult:
    """What was done to which episodes (their ids); `batch_id` takes it back."""

    batch_id: str
    done: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BulkInput:
    """What is to be done; the values are those of the action that needs them."""

    action: str
    season: int | None = None
    explicit: bool | None = None
    guest: str = ""


def do_to_all(
    session: Session, show: Show, ids: Sequence[str], given: BulkInput, *, now: datetime
) -> BulkResult:
    """Do it to these episodes of the show, oldest first.

    Raises Invalid for an unknown action or too many episodes, and where none is named.
    """
    if given.action not in ACTIONS:
        sentence = f"It must be one of {', '.join(ACTIONS)}."
        raise Invalid(f"action: {sentence}", {"action": sentence})
    if not ids or len(ids) > MOST:
        sentence = f"Choose at least one episode, and at most {MOST}."
        raise Invalid(f"episodes: {sentence}", {"episodes": sentence})
    if given.action == "add_guest" and not given.guest.strip():
        raise Invalid("guest: Write the guest's name.", {"guest": "Write the guest's name."})
    rows = {
        row.id: row
        for row in session.scalars(
            select(Episode).where(Episode.show_id == show.id, Episode.id.in_(ids))
        )
    }
    result = BulkResult(row_id(now))
    recording.in_batch(session, result.batch_id)
    missing = [key for key in dict.fromkeys(ids) if key not in rows]
    result.refused += [Refused(key, key, "There is no such episode here.") for key in missing]
    # So that of several which are published now the newest stands on top.
    for row in sorted(rows.values(), key=_age):
        _try(session, row, result, partial(_do, session, show, given=given, now=now))
    return result


def undo_batch(session: Session, show: Show, batch_id: str, *, now: datetime) -> BulkResult:
    """Take back what was done to several episodes at once. Raises NotFound."""
    entries = session.scalars(
        select(HistoryEntry)
        .where(HistoryEntry.show_id == show.id, HistoryEntry.batch_id == batch_id)
        .order_by(HistoryEntry.id.desc())
    ).all()
    if not entries:
        raise NotFound("There is no such change here; changes are kept for two years.")
    result = BulkResult(row_id(now))
    recording.in_batch(session, result.batch_id)
    for entry in entries:
        row = session.get(Episode, entry.episode_id) if entry.episode_id else None
        if row is not None and can_be_undone(entry):
            _try(session, row, result, partial(_undo, session, entry=entry, now=now))
    return result


def _try(
    session: Session, row: Episode, result: BulkResult, work: Callable[[Episode], None]
) -> None:
    row_key, title = row.id, row.title
    try:
        with session.begin_nested():
            work(row)
    except PodhostError as error:
        result.refused.append(Refused(row_key, title, error.message))
    else:
        result.done.append(row_key)


def _undo(session: Session, row: Episode, *, entry: HistoryEntry, now: datetime) -> None:
    undo(session, row, entry, now=now)


def _do(session: Session, show: Show, row: Episode, *, given: BulkInput, now: datetime) -> None:
    if row.deleted_at is not None and given.action != "restore":
        raise Conflict("It is in the trash; bring it back first.")
    if given.action == "publish":
        publish_episode(session, row, now=now)
    elif given.action == "withdraw":
        withdraw_episode(session, row, now=now)
    elif given.action == "delete":
        delete_episode(session, row, now=now)
    elif given.action == "restore":
        restore(session, row, now=now)
    else:
        change_episode(session, row, _input(session, show, row, given), now=now)


def _input(session: Session, show: Show, row: Episode, given: BulkInput) -> EpisodeInput:
    if given.action == "season":
        return EpisodeInput(season=given.season)
    if given.action == "explicit":
        return EpisodeInput(explicit=given.explicit)
    people = [CreditInput(**credit_values(credit)) for credit in list_credits(session, show, row)]
    if any(name_key(one.name) == name_key(given.guest) for one in people):
        raise Conflict(f"{given.guest.strip()} is credited there already.")
    guests = sum(one.role == "guest" for one in people)
    people.insert(guests, CreditInput(name=given.guest, role="guest"))
    return EpisodeInput(people=people)


def _age(row: Episode) -> tuple[datetime, int, int, str]:
    return row.created_at, row.season or 0, row.number or 0, row.id
