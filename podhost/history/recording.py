"""Notes every change of an episode or a show in the transaction that makes it, whoever makes it.

It listens to the sessions that write, compares what was there with what is committed, and writes
one row for each episode or show. It changes nothing else; what rows mean is in `undo`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, cast

from sqlalchemy import Table, event, insert, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.base import LoaderCallableStatus

from podhost.db import Database, WriteSession
from podhost.history import audit
from podhost.models import (
    Audio,
    Chapter,
    Credit,
    Episode,
    HistoryEntry,
    HistoryFile,
    Show,
    Transcript,
)

CREATED, CHANGED, DELETED, RESTORED = ("created", "changed", "deleted", "restored")
# What is the program's and not what somebody said. All others are kept, also those that are new.
NOT_KEPT = {
    Episode: {
        *("id", "show_id", "guid", "notes_html", "created_at", "changed_at"),
        *("chapters_changed_at", "early_since", "moved_audio_url", "edit_version"),
    },
    Show: {"id", "version", "created_at", "changed_at", "redirect_to", "move_report"},
}
# What several savings in a row are never made one of.
_BY_ITSELF = {"status", "published_at", "deleted_at", "audio", "transcripts", "slug"}
_LISTS = {"chapters", "transcripts"}
_PARTS = (Credit, Chapter, Transcript, Audio)
# Places on a session: what it changes, what is said of that, and when.
_KEY, _BATCH, _UNDOING = "podhost_touched", "podhost_batch", "podhost_undoing"
_CLOCK = "podhost_clock"
_HISTORY = cast(Table, HistoryEntry.__table__)
_FILES = cast(Table, HistoryFile.__table__)


def _kept_columns(kind: type[Episode] | type[Show]) -> frozenset[str]:
    # Of the table and not of its class, which is prepared when the first row is asked for.
    return frozenset(kind.__table__.columns.keys()) - NOT_KEPT[kind]


_COLUMNS = {kind: _kept_columns(kind) for kind in (Episode, Show)}


@dataclass(slots=True)
class _Touched:
    """An episode or a show that this transaction changes, and what it said at the beginning."""

    row: Episode | Show
    is_new: bool = False
    before: dict[str, Any] = field(default_factory=dict)


def record_history(database: Database, now: Callable[[], datetime]) -> None:
    """From now on, note what is changed through this database; `now` tells the time, aware."""
    database.write_sessions.configure(info={_CLOCK: now})


def in_batch(session: Session, batch_id: str) -> None:
    """What this transaction changes can be taken back as one."""
    session.info[_BATCH] = batch_id


def undoing(session: Session, row: Episode | Show, entry: HistoryEntry) -> None:
    """What this transaction changes of the row takes an earlier change back."""
    session.info.setdefault(_UNDOING, {})[row.id] = entry.id


# Looking, before each flush: until then, the rows say what was there.


@event.listens_for(WriteSession, "before_flush")
def _look(session: Session, _context: object, _instances: object) -> None:
    if _CLOCK not in session.info:
        return
    new = set(map(id, session.new))
    for row in chain(session.new, session.dirty, session.deleted):
        if isinstance(row, Episode | Show):
            _look_at(session, row, is_new=id(row) in new)
        elif isinstance(row, _PARTS):
            _look_at_part(session, row)


def _look_at(session: Session, row: Episode | Show, *, is_new: bool) -> None:
    touched = _touched(session, row, is_new=is_new)
    if touched.is_new:
        return
    columns = _COLUMNS[Episode if isinstance(row, Episode) else Show]
    # Of what was set since it was loaded, the value before; nothing else is looked at.
    for name, value in instance_state(row).committed_state.items():
        if name in touched.before:
            continue
        if name in columns:
            if isinstance(value, LoaderCallableStatus):
                value = _stored(session, row, name)
            touched.before[name] = value
        elif name in _LISTS:
            _keep_part(session, touched, name)


def _look_at_part(session: Session, row: Credit | Chapter | Transcript | Audio) -> None:
    name = {Credit: "people", Chapter: "chapters", Transcript: "transcripts"}.get(
        type(row), "audio"
    )
    owner: Episode | Show | None = None
    if row.episode_id is not None:
        owner = _held(session, Episode, row.episode_id)
    elif isinstance(row, Credit):
        owner = _held(session, Show, row.show_id)
    if owner is not None:
        touched = _touched(session, owner, is_new=owner in session.new)
        if not touched.is_new:
            _keep_part(session, touched, name)


def _held(session: Session, kind: type[Any], key: str) -> Any:
    with session.no_autoflush:
        return session.get(kind, key)


def _touched(session: Session, row: Episode | Show, *, is_new: bool) -> _Touched:
    all_touched: dict[str, _Touched] = session.info.setdefault(_KEY, {})
    return all_touched.setdefault(row.id, _Touched(row, is_new))


def _keep_part(session: Session, touched: _Touched, name: str) -> None:
    if name not in touched.before:
        with session.no_autoflush:
            touched.before[name] = part(session, touched.row, name)


def _stored(session: Session, row: Episode | Show, name: str) -> Any:
    kind: Any = type(row)
    with session.no_autoflush:
        return session.scalar(select(getattr(kind, name)).where(kind.id == row.id))


# What stands beside the columns, as JSON-like values


def part(session: Session, row: Episode | Show, name: str) -> Any:
    """What the tables say now of the `people`, `chapters`, `transcripts` or `audio` of a row."""
    if name == "people":
        return _people(session, row)
    if name == "audio":
        return _audio(session, row.id)
    table = cast(Table, {"chapters": Chapter, "transcripts": Transcript}[name].__table__)
    columns = [
        column for column in table.c if column.key not in ("episode_id", "position", "created_at")
    ]
    rows = session.execute(
        select(*columns).where(table.c.episode_id == row.id).order_by(table.c.position)
    )
    return [dict(found._mapping) for found in rows]


def _people(session: Session, row: Episode | Show) -> list[dict[str, Any]]:
    statement = select(
        Credit.name,
        Credit.role,
        Credit.group.label("group"),
        Credit.url,
        Credit.bio,
        Credit.image_url,
        Credit.artwork_id,
    ).order_by(Credit.position)
    if isinstance(row, Episode):
        statement = statement.where(Credit.episode_id == row.id)
    else:
        statement = statement.where(Credit.show_id == row.id, Credit.episode_id.is_(None))
    return [dict(found._mapping) for found in session.execute(statement)]


def _audio(session: Session, episode_id: str) -> dict[str, Any] | None:
    found = session.execute(
        select(
            Audio.id,
            Audio.revision,
            Audio.original_id,
            Audio.duration_ms,
            Audio.size_bytes,
            Audio.extension,
        ).where(Audio.episode_id == episode_id, Audio.replaced_at.is_(None))
    ).one_or_none()
    return dict(found._mapping) if found is not None else None


# Writing, before the commit


@event.listens_for(WriteSession, "before_commit")
def _write(session: Session) -> None:
    if _CLOCK not in session.info or session.in_nested_transaction():
        return
    session.flush()
    now: datetime = session.info[_CLOCK]()
    all_touched: dict[str, _Touched] = session.info.pop(_KEY, {})
    act = audit.current_act()
    entries = [
        entry
        for touched in all_touched.values()
        if (entry := _entry(session, touched, act, now)) is not None
    ]
    if entries and not (len(entries) == 1 and _joins_newest(session, entries[0], now)):
        session.execute(insert(_HISTORY), entries)
    files = [values for entry in entries for values in _files(entry)]
    if files:
        _keep_files(session, files)
    if act is not None:
        _complete(act, entries, all_touched)
        audit.note_act(session, act, now=now)
    else:
        _note_own_work(session, entries, all_touched, now)


def _entry(
    session: Session, touched: _Touched, act: audit.Act | None, now: datetime
) -> dict[str, Any] | None:
    row = touched.row
    if not instance_state(row).persistent:
        return None
    fields = [] if touched.is_new else _differences(session, touched)
    actor_id, actor_name = audit.actor_of(session)
    way = act.way if act is not None else (audit.ACCOUNT if actor_id else audit.PODHOST)
    if not touched.is_new and not fields:
        return None
    is_episode = isinstance(row, Episode)
    return {
        "id": audit.row_id(now),
        "began_at": now,
        "at": now,
        "show_id": row.show_id if isinstance(row, Episode) else row.id,
        "episode_id": row.id if is_episode else None,
        "actor_id": actor_id,
        "actor_name": actor_name,
        "way": way,
        "action": _action(touched, fields),
        "batch_id": session.info.get(_BATCH),
        "undoes_id": session.info.get(_UNDOING, {}).get(row.id),
        "fields": fields,
    }


def _action(touched: _Touched, fields: Iterable[dict[str, Any]]) -> str:
    if touched.is_new:
        return CREATED
    for entry in fields:
        if entry["field"] == "deleted_at":
            return RESTORED if entry["after"] is None else DELETED
    return CHANGED


def _differences(session: Session, touched: _Touched) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, before in touched.before.items():
        is_column = name not in ("people", "audio", *_LISTS)
        after = getattr(touched.row, name) if is_column else part(session, touched.row, name)
        if name == "tags":
            found += _tag_differences(before or {}, after or {})
        elif name == "transcripts":
            if given_transcripts(before) != given_transcripts(after):
                found.append(_field(name, before, after))
        elif before != after:
            found.append(_field(name, before, after))
    return found


def given_transcripts(value: Iterable[dict[str, Any]]) -> list[tuple[Any, Any]]:
    """What somebody gave; the worker makes further forms of it, and says nothing new by that."""
    return list(dict.fromkeys((one["source_sha256"], one["language"]) for one in value))


def _tag_differences(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        _field(f"tags.{name}", before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def _field(name: str, before: Any, after: Any) -> dict[str, Any]:
    return {"field": name, "before": _plain(before), "after": _plain(after)}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _joins_newest(session: Session, entry: dict[str, Any], now: datetime) -> bool:
    """Whether the entry became part of the newest one: the same account went on typing."""
    names = {values["field"] for values in entry["fields"]}
    if entry["actor_id"] is None or entry["action"] != CHANGED:
        return False
    if _is_by_itself(session, entry["episode_id"], names):
        return False
    if entry["batch_id"] is not None or entry["undoes_id"] is not None:
        return False
    newest = _newest(session, entry)
    if newest is None or not _goes_on(session, newest, entry, now):
        return False
    fields = {values["field"]: dict(values) for values in newest.fields}
    for values in entry["fields"]:
        if values["field"] in fields:
            fields[values["field"]]["after"] = values["after"]
        else:
            fields[values["field"]] = values
    newest.at = now
    newest.fields = [kept for kept in fields.values() if kept["before"] != kept["after"]]
    entry["id"] = newest.id
    if not newest.fields:
        # Typed, and deleted again.
        entry["fields"] = []
        session.delete(newest)
    session.flush()
    return True


def _newest(session: Session, entry: dict[str, Any]) -> HistoryEntry | None:
    return session.scalar(
        select(HistoryEntry)
        .where(
            HistoryEntry.show_id == entry["show_id"],
            HistoryEntry.episode_id == entry["episode_id"],
        )
        .order_by(HistoryEntry.id.desc())
        .limit(1)
    )


def _is_by_itself(session: Session, episode_id: str | None, names: set[str]) -> bool:
    alone = names & _BY_ITSELF
    if alone == {"slug"} and "title" in names and episode_id is not None:
        # The slug of a draft goes along with the title that is being typed.
        return session.get_one(Episode, episode_id).status != "draft"
    return bool(alone)


def _goes_on(session: Session, newest: HistoryEntry, entry: dict[str, Any], now: datetime) -> bool:
    same = (newest.actor_id, newest.way, newest.action)
    return (
        same == (entry["actor_id"], entry["way"], CHANGED)
        and newest.batch_id is None
        and newest.undoes_id is None
        and now - newest.began_at < audit.TOGETHER
        and not _is_by_itself(
            session, newest.episode_id, {values["field"] for values in newest.fields}
        )
    )


def _files(entry: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """What of the values before has a file that nothing may name any more."""
    for values in entry["fields"]:
        before = values["before"]
        if values["field"] == "artwork_id" and before:
            yield _file(entry, "artwork", before)
        elif values["field"] in ("people", "chapters"):
            for one in before or ():
                if one.get("artwork_id"):
                    yield _file(entry, "artwork", one["artwork_id"])
        elif values["field"] == "transcripts":
            for one in before or ():
                yield _file(entry, "transcript", one["storage_key"])


def _file(entry: dict[str, Any], kind: str, key: str) -> dict[str, Any]:
    return {"entry_id": entry["id"], "kind": kind, "key": key, "at": entry["at"]}


def _keep_files(session: Session, files: list[dict[str, Any]]) -> None:
    once = {(values["entry_id"], values["kind"], values["key"]): values for values in files}
    if len({key[0] for key in once}) == 1:
        # Perhaps an entry that was there before, with some of them.
        entry_id = next(iter(once))[0]
        known = session.execute(
            select(_FILES.c.kind, _FILES.c.key).where(_FILES.c.entry_id == entry_id)
        )
        for kind, file_key in known.all():
            once.pop((entry_id, kind, file_key), None)
    if once:
        session.execute(insert(_FILES), [*once.values()])


# What the audit trail says of it


def _complete(act: audit.Act, entries: list[dict[str, Any]], touched: dict[str, _Touched]) -> None:
    """What the door could not know: what it was done to, and which fields it changed."""
    if act.is_noted or not entries:
        return
    first = entries[0]
    act.show_id = act.show_id or first["show_id"]
    if len(entries) == 1:
        act.episode_id = act.episode_id or first["episode_id"]
        row = touched[first["episode_id"] or first["show_id"]].row
        act.subject = act.subject or row.title
        if names := [values["field"] for values in first["fields"]]:
            act.details = {**act.details, "changed": names}
    else:
        act.details = {**act.details, "episodes": len(entries)}


def _note_own_work(
    session: Session,
    entries: list[dict[str, Any]],
    touched: dict[str, _Touched],
    now: datetime,
) -> None:
    """An episode that is published by the clock was published by somebody's word."""
    published = [
        entry
        for entry in entries
        if entry["episode_id"] is not None
        and any(
            values["field"] == "status" and values["after"] == "published"
            for values in entry["fields"]
        )
    ]
    if not published:
        return
    act = audit.Act("publish_due_episode", published[0]["way"])
    _complete(act, published, touched)
    audit.note_act(session, act, now=now)


# What the sweep asks


def kept_artwork(session: Session, ids: Iterable[str] | None = None) -> set[str]:
    """Which pictures a change let go of lately, of these or of all."""
    statement = select(HistoryFile.key).where(HistoryFile.kind == "artwork").distinct()
    if ids is not None:
        statement = statement.where(HistoryFile.key.in_(ids))
    return set(session.scalars(statement))


def kept_transcripts(session: Session) -> set[str]:
    """The keys in the storage of transcripts that a change let go of lately."""
    return set(
        session.scalars(select(HistoryFile.key).where(HistoryFile.kind == "transcript").distinct())
    )
