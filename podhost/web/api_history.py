"""The API's calls for what was done: history and undo, the trash, the audit trail."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission, permissions_on, require
from podhost.answers import EpisodeAnswer, ShowAnswer, episode_answer, show_answer
from podhost.errors import Invalid
from podhost.history import audit, old_audio
from podhost.history.trash import (
    get_deleted_episode,
    get_deleted_show,
    kept_until,
    list_deleted_episodes,
    list_deleted_shows,
    restore,
)
from podhost.history.undo import can_be_undone, get_entry, list_history, undo
from podhost.models import AuditEntry, Episode, HistoryEntry, Show
from podhost.uploads.intake import Intake
from podhost.web.calls import Call, json_answer
from podhost.web.inputs import read_count
from podhost.web.openapi import PREFIX, Operation, Query

_SHOW = PREFIX + "/shows/{show}"
_EPISODE = _SHOW + "/episodes/{episode}"
_LONGEST_WORDS = 200


class ChangedField(msgspec.Struct, kw_only=True):
    """One field before and after a change, in the shape in which it is kept."""

    field: str
    before: Any
    after: Any


class ChangeAnswer(msgspec.Struct, kw_only=True):
    """One change. `way` is account, command_line, folder, import or podhost, `action` created,
    changed, deleted or restored; `batch` names what was done to several episodes at once."""

    id: str
    began_at: datetime
    at: datetime
    who: str
    account_id: str | None
    way: str
    action: str
    batch: str | None
    undoes: str | None
    can_be_undone: bool
    fields: list[ChangedField]


class History(msgspec.Struct, kw_only=True):
    """Changes, newest first; `next` is the address of older ones."""

    changes: list[ChangeAnswer]
    next: str | None


class UndoInput(msgspec.Struct, kw_only=True):
    """Which fields to put back; all, if unsaid. `anyway`: also those that changed again since."""

    fields: list[str] | UnsetType | None = UNSET
    anyway: bool | UnsetType = UNSET


class UndoneAnswer(msgspec.Struct, kw_only=True):
    """What was put back, and in sentences what could not be."""

    fields: list[str]
    warnings: list[str]


class DeletedAnswer(msgspec.Struct, kw_only=True):
    """What lies in the trash, and until when it can come back."""

    id: str
    slug: str
    title: str
    status: str | None
    deleted_at: datetime
    kept_until: datetime


class TrashAnswer(msgspec.Struct, kw_only=True):
    """What can come back, last deleted first."""

    deleted: list[DeletedAnswer]


class AuditAnswer(msgspec.Struct, kw_only=True):
    """Something that was done, `times` times from `at` to `last_at`."""

    id: str
    at: datetime
    last_at: datetime
    times: int
    who: str
    account_id: str | None
    way: str
    address: str | None
    action: str
    show_id: str | None
    episode_id: str | None
    subject: str
    details: dict[str, Any]


class AuditList(msgspec.Struct, kw_only=True):
    """What was done, newest first; `next` is the address of older entries."""

    entries: list[AuditAnswer]
    next: str | None


# History


def get_episode_history(call: Call, session: Session) -> Response:
    """What was changed of the episode."""
    episode = call.episode(session)
    return _history(call, session, episode.show, episode)


def get_show_history(call: Call, session: Session) -> Response:
    """What was changed of the show itself."""
    return _history(call, session, call.show(session), None)


def _history(call: Call, session: Session, show: Show, episode: Episode | None) -> Response:
    limit, before = _older(call)
    found = list_history(session, show, episode, before=before, limit=limit + 1)
    path = f"/api/v1/shows/{show.slug}" + (f"/episodes/{episode.id}" if episode else "")
    return json_answer(
        History(
            changes=[_change(entry) for entry in found[:limit]],
            next=_next(call, path + "/history", limit, [entry.id for entry in found]),
        )
    )


def undo_episode_change(call: Call) -> Response:
    """Put back what was before a change of the episode."""
    given = call.given(UndoInput)
    with call.instance.database.read() as session:
        episode = call.episode(session)
        entry = get_entry(session, episode.show, episode, call.parameters["change"])
    with Intake(call.instance.database, call.instance.storage) as intake:
        audio = None
        if _concerns(given, entry, "audio"):
            audio = old_audio.prepare(call.instance.database, call.instance.storage, intake, entry)
        with call.write() as session:
            row = call.episode(session, lock=True)
            done = undo(
                session,
                row,
                get_entry(session, row.show, row, entry.id),
                now=call.now(),
                only=given.fields or None,
                anyway=given.anyway is True,
                audio=audio,
            )
        intake.take_back()
    return json_answer(UndoneAnswer(fields=done.fields, warnings=done.warnings))


def undo_show_change(call: Call) -> Response:
    """Put back what was before a change of the show."""
    given = call.given(UndoInput)
    with call.write() as session:
        show = call.show(session, lock=True)
        done = undo(
            session,
            show,
            get_entry(session, show, None, call.parameters["change"]),
            now=call.now(),
            only=given.fields or None,
            anyway=given.anyway is True,
        )
    return json_answer(UndoneAnswer(fields=done.fields, warnings=done.warnings))


def _concerns(given: UndoInput, entry: HistoryEntry, name: str) -> bool:
    names = {values["field"] for values in entry.fields}
    return name in names and (not given.fields or name in given.fields)


def _change(entry: HistoryEntry) -> ChangeAnswer:
    return ChangeAnswer(
        id=entry.id,
        began_at=entry.began_at,
        at=entry.at,
        who=entry.actor_name,
        account_id=entry.actor_id,
        way=entry.way,
        action=entry.action,
        batch=entry.batch_id,
        undoes=entry.undoes_id,
        can_be_undone=can_be_undone(entry),
        fields=[ChangedField(**values) for values in entry.fields],
    )


# Trash


def get_trash(call: Call, session: Session) -> Response:
    """The episodes of the show that can come back."""
    rows = list_deleted_episodes(session, call.show(session), now=call.now())
    return json_answer(TrashAnswer(deleted=[_deleted(row) for row in rows]))


def post_restore(call: Call) -> Response:
    """Bring a deleted episode back as it was."""
    with call.write() as session:
        show = call.show(session, lock=True)
        row = get_deleted_episode(session, show, call.parameters["deleted"])
        warnings = restore(session, row, now=call.now())
        session.flush()
        answer: EpisodeAnswer = episode_answer(show, row, call.instance.base_url, warnings=warnings)
    return json_answer(answer)


def get_deleted_shows(call: Call, session: Session) -> Response:
    """The shows of the caller that can come back."""
    rows = [
        row
        for row in list_deleted_shows(session, now=call.now())
        if Permission.MANAGE in permissions_on(session, call.actor, row.id)
    ]
    return json_answer(TrashAnswer(deleted=[_deleted(row) for row in rows]))


def post_restore_show(call: Call) -> Response:
    """Bring a deleted show back as it was."""
    with call.write() as session:
        show = get_deleted_show(session, call.parameters["deleted"])
        require(session, call.actor, show, Permission.MANAGE)
        restore(session, show, now=call.now())
        session.flush()
        answer: ShowAnswer = show_answer(session, show, call.instance.base_url)
    return json_answer(answer)


def _deleted(row: Episode | Show) -> DeletedAnswer:
    until = kept_until(row)
    assert row.deleted_at is not None and until is not None
    return DeletedAnswer(
        id=row.id,
        slug=row.slug,
        title=row.title,
        status=row.status if isinstance(row, Episode) else None,
        deleted_at=row.deleted_at,
        kept_until=until,
    )


# The audit trail


def get_audit(call: Call, session: Session) -> Response:
    """What was done on this podhost."""
    return _audit(call, session, "/api/v1/audit", None)


def get_show_audit(call: Call, session: Session) -> Response:
    """What was done with the show."""
    show = call.show(session)
    return _audit(call, session, f"/api/v1/shows/{show.slug}/audit", show.id)


def _audit(call: Call, session: Session, path: str, show_id: str | None) -> Response:
    limit, before = _older(call)
    found = audit.list_entries(session, show_id=show_id, before=before, limit=limit + 1)
    return json_answer(
        AuditList(
            entries=[_audit_answer(entry) for entry in found[:limit]],
            next=_next(call, path, limit, [entry.id for entry in found]),
        )
    )


def _audit_answer(entry: AuditEntry) -> AuditAnswer:
    return AuditAnswer(
        id=entry.id,
        at=entry.at,
        last_at=entry.last_at,
        times=entry.times,
        who=entry.actor_name,
        account_id=entry.actor_id,
        way=entry.way,
        address=entry.address,
        action=entry.action,
        show_id=entry.show_id,
        episode_id=entry.episode_id,
        subject=entry.subject,
        details=entry.details,
    )


def _older(call: Call) -> tuple[int, str | None]:
    """How many to tell, and before which entry. Raises Invalid."""
    try:
        limit = read_count(call.query.get("limit"), default=50, least=1, most=200)
    except ValueError as error:
        raise Invalid(f"limit: {error}", {"limit": str(error)}) from None
    before = call.query.get("before") or None
    if before is not None and not (before.isascii() and before.isalnum() and len(before) <= 20):
        sentence = "It must be the id of an entry."
        raise Invalid(f"before: {sentence}", {"before": sentence})
    return limit, before


def _next(call: Call, path: str, limit: int, ids: Sequence[str]) -> str | None:
    if len(ids) <= limit:
        return None
    return f"{call.instance.base_url}{path}?limit={limit}&before={ids[limit - 1]}"


_OLDER = (
    Query(
        "limit",
        "How many to answer with.",
        {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    ),
    Query("before", "Only entries before the one with this id.", {"type": "string"}),
)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_SHOW + "/history",
        handler=get_show_history,
        summary="List what was changed of a show, newest first.",
        query=_OLDER,
        answer=History,
    ),
    Operation(
        method="POST",
        path=_SHOW + "/history/{change}/undo",
        handler=undo_show_change,
        summary="Put back what was before a change of the show.",
        json=UndoInput,
        json_required=False,
        answer=UndoneAnswer,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="GET",
        path=_EPISODE + "/history",
        handler=get_episode_history,
        summary="List what was changed of an episode, newest first.",
        query=_OLDER,
        answer=History,
    ),
    Operation(
        method="POST",
        path=_EPISODE + "/history/{change}/undo",
        handler=undo_episode_change,
        summary="Put back what was before a change of the episode.",
        json=UndoInput,
        json_required=False,
        answer=UndoneAnswer,
    ),
    Operation(
        method="GET",
        path=_SHOW + "/trash",
        handler=get_trash,
        summary="List the deleted episodes that can come back.",
        answer=TrashAnswer,
    ),
    Operation(
        method="POST",
        path=_SHOW + "/trash/{deleted}/restore",
        handler=post_restore,
        summary="Bring a deleted episode back as it was.",
        answer=EpisodeAnswer,
    ),
    Operation(
        method="GET",
        path=PREFIX + "/trash",
        handler=get_deleted_shows,
        summary="List the deleted shows that can come back.",
        answer=TrashAnswer,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="POST",
        path=PREFIX + "/trash/{deleted}/restore",
        handler=post_restore_show,
        summary="Bring a deleted show back as it was.",
        answer=ShowAnswer,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="GET",
        path=_SHOW + "/audit",
        handler=get_show_audit,
        summary="List who did what with a show, newest first.",
        query=_OLDER,
        answer=AuditList,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="GET",
        path=PREFIX + "/audit",
        handler=get_audit,
        summary="List who did what on this podhost, newest first.",
        query=_OLDER,
        answer=AuditList,
    ),
)
