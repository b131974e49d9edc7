"""The audit trail: who did what, one row for each thing that was done; it judges nobody's right.

What is being done is said once, at the door (`acting`): by the API, the studio and the command
line. The first transaction in which something is written then writes the row as well.
"""

import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from podhost.models import AuditEntry

ACCOUNT, COMMAND_LINE, FOLDER, IMPORT, PODHOST = (
    "account",
    "command_line",
    "folder",
    "import",
    "podhost",
)
# How long it is known who did what, and what every text was before.
KEPT = timedelta(days=2 * 365)
# What is saved again and again within this time, by the same account, is one row.
TOGETHER = timedelta(minutes=10)
# What changes nothing that stays: a preview of notes, the sign that somebody has a page open.
PASSING = frozenset({"post_preview_notes", "post_presence", "remove_presence"})

_counter = itertools.count()


@dataclass(slots=True)
class Act:
    """One thing that is being done. `action` is the name of the function that does it.

    `repeats`: it is done again and again, as by an editor that saves by itself.
    """

    action: str
    way: str = ACCOUNT
    address: str | None = None
    show_id: str | None = None
    episode_id: str | None = None
    subject: str = ""
    repeats: bool = False
    details: dict[str, Any] = field(default_factory=dict)
    # Who it is, where that turns out only by doing it: the id and the name of an account.
    actor: tuple[str, str] | None = None
    is_noted: bool = False
    # The row that it has, where the row must say something else by now.
    entry_id: str | None = None
    is_outdated: bool = False


_ACT: ContextVar[Act | None] = ContextVar("podhost_act", default=None)


@contextmanager
def acting(act: Act) -> Iterator[Act]:
    """Whatever is written inside of the block is written in the course of `act`.

    Of one thing that is part of another, the inner one stands in the trail.
    """
    if (outer := _ACT.get()) is not None:
        outer.is_noted = True
    before = _ACT.set(act)
    try:
        yield act
    finally:
        _ACT.reset(before)


@contextmanager
def aside() -> Iterator[None]:
    """What is written inside of the block, such as that a password is tried, is no deed yet."""
    before = _ACT.set(None)
    try:
        yield
    finally:
        _ACT.reset(before)


def current_act() -> Act | None:
    """What is being done; None: it is podhost's own work."""
    return _ACT.get()


def acts_as(account_id: str, name: str) -> None:
    """Whoever is just signing in is this account."""
    if (act := current_act()) is not None:
        act.actor, act.is_outdated = (account_id, name), True


def is_about(subject: str) -> None:
    """What is being done is done to this: a name says more than an id."""
    if (act := current_act()) is not None:
        act.subject = subject


def is_called(action: str) -> None:
    """What is being done has turned out to be this, of several that one form is for."""
    if (act := current_act()) is not None:
        act.action = action


def leave_out() -> None:
    """What is being done is half of something, whose other half leaves a row; or only a question
    was asked."""
    if (act := current_act()) is not None:
        act.is_noted = True


def row_id(now: datetime) -> str:
    """A new id whose order is that of time: milliseconds, a counter, then chance."""
    milliseconds = max(0, int(now.timestamp() * 1000))
    return f"{milliseconds:011x}{next(_counter) % 2**20:05x}{secrets.token_hex(2)}"


def note_act(session: Session, act: Act, *, now: datetime) -> None:
    """Write the row of what is being done, once; later calls make it say what is known by then."""
    if act.is_noted:
        _correct(session, act)
        return
    act.is_noted = True
    actor_id, actor_name = act.actor or actor_of(session)
    if act.repeats and actor_id is not None:
        newest = session.scalar(
            select(AuditEntry)
            .where(AuditEntry.actor_id == actor_id)
            .order_by(AuditEntry.id.desc())
            .limit(1)
        )
        if newest is not None and _is_again(newest, act, now):
            act.entry_id = newest.id
            newest.times += 1
            newest.last_at, newest.subject = now, act.subject
            newest.details = _joined(newest.details, act.details)
            session.flush()
            return
    act.entry_id, act.is_outdated = row_id(now), False
    session.add(
        AuditEntry(
            id=act.entry_id,
            at=now,
            last_at=now,
            times=1,
            actor_id=actor_id,
            actor_name=actor_name,
            way=act.way,
            address=act.address,
            action=act.action,
            show_id=act.show_id,
            episode_id=act.episode_id,
            subject=act.subject,
            details=act.details,
        )
    )
    session.flush()


def note(
    session: Session,
    action: str,
    *,
    now: datetime,
    subject: str = "",
    show_id: str | None = None,
    address: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write a row for what no door tells of, such as a sign-in that was refused."""
    act = current_act()
    way = act.way if act is not None else (ACCOUNT if actor_of(session)[0] else PODHOST)
    if act is not None and address is None:
        address = act.address
    extra = Act(action, way, address, show_id, subject=subject, details=dict(details or {}))
    extra.actor = act.actor if act is not None else None
    note_act(session, extra, now=now)


def refuse(action: str, *, subject: str = "") -> None:
    """What is being done was refused, and stands in the trail as `action`."""
    if (act := current_act()) is not None:
        act.action, act.subject, act.is_outdated = action, subject, True


def _correct(session: Session, act: Act) -> None:
    entry = session.get(AuditEntry, act.entry_id) if act.is_outdated and act.entry_id else None
    if entry is not None:
        act.is_outdated = False
        entry.action, entry.subject = act.action, act.subject
        if act.actor is not None:
            entry.actor_id, entry.actor_name = act.actor
        session.flush()


def actor_of(session: Session) -> tuple[str | None, str]:
    """The id and the name of the account that acts in this session; None and "": nobody does."""
    # Loaded here, because it knows shows, and a server that starts needs none.
    from podhost.accounts.roles import acting as acting_account

    actor = acting_account(session)
    return (None, "") if actor is None else (actor.account_id, actor.known_as)


def list_entries(
    session: Session,
    *,
    show_id: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> Sequence[AuditEntry]:
    """The newest rows, of one show or of all; `before` is the id of the last one of a page."""
    statement = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if show_id is not None:
        statement = statement.where(AuditEntry.show_id == show_id)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    return session.scalars(statement).all()


def prune(session: Session, *, now: datetime) -> None:
    """Forget what was done more than two years ago."""
    session.execute(delete(AuditEntry).where(AuditEntry.last_at < now - KEPT))


def _is_again(entry: AuditEntry, act: Act, now: datetime) -> bool:
    same = (entry.action, entry.show_id, entry.episode_id, entry.way, entry.address)
    asked = (act.action, act.show_id, act.episode_id, act.way, act.address)
    # A title is what is typed.
    is_named_so = act.episode_id is not None or entry.subject == act.subject
    return same == asked and is_named_so and now - entry.at < TOGETHER


def _joined(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    changed = dict.fromkeys([*before.get("changed", ()), *after.get("changed", ())])
    return {**before, **after, **({"changed": [*changed]} if changed else {})}
