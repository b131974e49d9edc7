"""The studio's pages of what was done: the changes of an episode or a show, undo, who did what."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.formats.figures import clock, duration, file_size
from podhost.formats.text_diff import Piece, list_changes, text_changes
from podhost.history import audit, old_audio, recording
from podhost.history.undo import (
    PUBLICATION,
    can_be_undone,
    changed_since,
    get_entry,
    list_history,
    undo,
)
from podhost.models import Episode, HistoryEntry, Show
from podhost.templating import when
from podhost.translations import Words
from podhost.uploads.intake import Intake
from podhost.web.studio.episode_list import status_words
from podhost.web.studio.history_words import action_words, field_words, way_words
from podhost.web.studio.visits import StudioRoute, Visit

_PAGE_LENGTH = 30
_MOST_ENTRIES = 100
# What is compared word by word.
_TEXTS = frozenset({"notes", "description"})
_LISTS = frozenset({"people", "chapters"})


class ShownField(NamedTuple):
    """One field of a change: its name in words, and either pieces of a text or two values."""

    label: str
    pieces: Sequence[Piece]
    before: Any
    after: Any


class ShownChange(NamedTuple):
    """One change as the page tells it; `outrun` are its fields that changed again since."""

    entry: HistoryEntry
    who: str
    what: str
    fields: list[ShownField]
    can_be_undone: bool
    outrun: list[str]
    # Those that can be put back although they changed again.
    can_go_back: bool
    undo_label: str


def episode_history(visit: Visit) -> Response:
    """What was changed of an episode."""
    with visit.read() as session:
        episode = visit.episode(session)
        return _history(visit, session, episode.show, episode)


def show_history(visit: Visit) -> Response:
    """What was changed of a show itself."""
    with visit.read() as session:
        return _history(visit, session, visit.show(session), None)


def _history(visit: Visit, session: Session, show: Show, episode: Episode | None) -> Response:
    before = _entry_id(visit)
    found = list_history(session, show, episode, before=before, limit=_PAGE_LENGTH + 1)
    needed = Permission.EDIT if episode is not None else Permission.MANAGE
    may_undo = needed in visit.allowed
    row = episode if episode is not None else show
    return visit.page(
        "studio/history.html",
        show=show,
        episode=episode,
        tab="episodes" if episode is not None else "settings",
        changes=[_shown(visit, session, show, row, entry) for entry in found[:_PAGE_LENGTH]],
        older=found[_PAGE_LENGTH - 1].id if len(found) > _PAGE_LENGTH else "",
        is_first_page=before is None,
        may_undo=may_undo,
        place=f"/studio/shows/{show.slug}" + (f"/episodes/{episode.id}" if episode else ""),
    )


def _entry_id(visit: Visit) -> str | None:
    given = visit.query.get("before", "")[:20]
    return given if given and given.isascii() and given.isalnum() else None


def _shown(
    visit: Visit, session: Session, show: Show, row: Episode | Show, entry: HistoryEntry
) -> ShownChange:
    _ = visit.words
    can_undo = can_be_undone(entry)
    outrun = changed_since(session, row, entry) if can_undo else []
    names = [values["field"] for values in entry.fields]
    labels = field_words(_)
    return ShownChange(
        entry,
        entry.actor_name or way_words(_)[entry.way],
        _what(_, entry),
        [_field(visit, show, labels, values) for values in entry.fields],
        can_undo,
        [_label(labels, name) for name in outrun],
        bool(outrun) and not set(names) <= PUBLICATION,
        _undo_label(_, entry),
    )


def _what(_: Words, entry: HistoryEntry) -> str:
    if entry.undoes_id is not None:
        return _("took a change back")
    return {
        recording.CREATED: _("made it"),
        recording.DELETED: _("deleted it"),
        recording.RESTORED: _("brought it back"),
    }.get(entry.action, _("changed it"))


def _undo_label(_: Words, entry: HistoryEntry) -> str:
    after = {values["field"]: values["after"] for values in entry.fields}
    if after.get("status") == "published":
        return _("Withdraw it again")
    if after.get("status") == "withdrawn":
        return _("Publish it again")
    if entry.action == recording.DELETED:
        return _("Bring back")
    return _("Undo this")


def _label(labels: Mapping[str, str], name: str) -> str:
    plain = name.removeprefix("tags.")
    return labels.get(plain) or plain.replace("_", " ").capitalize()


def _told_apart(_: Words, name: str, before: Any, after: Any) -> tuple[Any, Any]:
    """Two values that read the same although one took the place of the other."""
    if before is None or before != after:
        return before, after
    return before, _("another text") if name == "transcripts" else _("another one")


def _field(
    visit: Visit, show: Show, labels: Mapping[str, str], values: Mapping[str, Any]
) -> ShownField:
    name, before, after = values["field"], values["before"], values["after"]
    label = _label(labels, name)
    if name in _TEXTS:
        return ShownField(label, text_changes(before or "", after or ""), None, None)
    if name in _LISTS:
        lines = [
            [_line(visit.words, name, one) for one in value or ()] for value in (before, after)
        ]
        return ShownField(label, list_changes(*lines), None, None)
    told = (_value(visit, show, name, value) for value in (before, after))
    shown = _told_apart(visit.words, name, *told)
    texts = [text or "" for text in shown if text is None or isinstance(text, str)]
    if any("\n" in text for text in texts) or all(len(text) > 30 for text in texts):
        return ShownField(label, text_changes(*texts), None, None)
    return ShownField(label, (), *shown)


def _value(visit: Visit, show: Show, name: str, value: Any) -> Any:
    """A value as people read it; None for nothing."""
    _ = visit.words
    if name == "explicit" and value is None:
        return _("As the show says")
    if value is None or value == "" or value == []:
        return None
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if name == "status":
        return status_words(_)[value]
    if name in ("published_at", "deleted_at"):
        return when(datetime.fromisoformat(value), show.time_zone, language=visit.language)
    if name == "transcripts":
        return ", ".join(sorted({one["extension"].upper() for one in value}))
    if name == "audio":
        number = _("version %(number)s", number=value["revision"])
        return f"{number}, {duration(value['duration_ms'])}, {file_size(value['size_bytes'])}"
    if name == "artwork_id":
        return _("a picture")
    if name == "categories":
        return ", ".join(" > ".join(part for part in pair if part) for pair in value)
    if name == "tags.soundbites":
        return "\n".join(_soundbite(one) for one in value)
    return _plain(value)


def _line(_: Words, name: str, one: Mapping[str, Any]) -> str:
    """A chapter or a credit."""
    if name == "chapters":
        return f"{clock(one['start_ms'])} {one['title'] or ''}"
    parts = [f"{one['name']} ({_.said(one['role'])})", one["url"], one["bio"]]
    return ": ".join(part for part in parts if part)


def _soundbite(one: Mapping[str, Any]) -> str:
    parts = [clock(round(one["start"] * 1000)), f"{one['duration']:g} s", one.get("title")]
    return ", ".join(part for part in parts if part)


def _plain(value: Any) -> str:
    """A value of any shape: the words that stand in it, one line for each entry of a list."""
    if isinstance(value, Mapping):
        return ", ".join(_plain(one) for one in value.values() if one not in (None, "", [], {}))
    if isinstance(value, list):
        has_parts = any(isinstance(one, Mapping | list) for one in value)
        return ("\n" if has_parts else ", ").join(map(_plain, value))
    return str(value)


# Taking back


def undo_episode(visit: Visit) -> Response:
    """Put back what was before a change of an episode."""
    with visit.read() as session:
        episode = visit.episode(session)
        entry = get_entry(session, episode.show, episode, visit.parameters["change"])
    instance = visit.instance
    with Intake(instance.database, instance.storage) as intake:
        audio = old_audio.prepare(instance.database, instance.storage, intake, entry)
        with visit.write() as session:
            row = visit.episode(session, lock=True)
            entry = get_entry(session, row.show, row, entry.id)
            done = undo(
                session,
                row,
                entry,
                now=visit.now(),
                anyway=visit.form.has("anyway"),
                audio=audio,
            )
        intake.take_back()
    place = f"/shows/{row.show.slug}/episodes/{row.id}/history"
    return _undone(visit, place, done.warnings)


def undo_show(visit: Visit) -> Response:
    """Put back what was before a change of a show."""
    with visit.write() as session:
        show = visit.show(session, lock=True)
        entry = get_entry(session, show, None, visit.parameters["change"])
        anyway = visit.form.has("anyway")
        done = undo(session, show, entry, now=visit.now(), anyway=anyway)
    return _undone(visit, f"/shows/{show.slug}/history", done.warnings)


def _undone(visit: Visit, place: str, warnings: Sequence[str]) -> Response:
    said = [visit.words("It is as it was before."), *map(visit.words.said, warnings)]
    return visit.redirect(place, say=" ".join(said))


# Who did what


def show_activity(visit: Visit) -> Response:
    """Who did what with a show."""
    with visit.read() as session:
        show = visit.show(session)
        return _activity(visit, session, "studio/show_activity.html", show)


def activity(visit: Visit) -> Response:
    """Who did what on this podhost."""
    with visit.read() as session:
        return _activity(visit, session, "studio/activity.html", None)


def _activity(visit: Visit, session: Session, template: str, show: Show | None) -> Response:
    before = _entry_id(visit)
    found = audit.list_entries(
        session,
        show_id=show.id if show is not None else None,
        before=before,
        limit=_MOST_ENTRIES + 1,
    )
    zone = show.time_zone if show is not None else visit.account.time_zone or "UTC"
    shown: dict[str, Any] = {"show": show, "tab": "settings"} if show is not None else {}
    ids = {entry.show_id for entry in found if entry.show_id is not None}
    slugs = session.execute(select(Show.id, Show.slug).where(Show.id.in_(ids)))
    return visit.page(
        template,
        entries=found[:_MOST_ENTRIES],
        older=found[_MOST_ENTRIES - 1].id if len(found) > _MOST_ENTRIES else "",
        is_first_page=before is None,
        zone=zone,
        slugs={row.id: row.slug for row in slugs},
        actions=action_words(visit.words),
        ways=way_words(visit.words),
        labels=field_words(visit.words),
        **shown,
    )


_SHOW = "/shows/{show}"
_EPISODE = _SHOW + "/episodes/{episode}"
ROUTES = (
    StudioRoute("GET", _EPISODE + "/history", episode_history, Permission.VIEW),
    StudioRoute("POST", _EPISODE + "/history/{change}/undo", undo_episode, Permission.EDIT),
    StudioRoute("GET", _SHOW + "/history", show_history, Permission.VIEW),
    StudioRoute("POST", _SHOW + "/history/{change}/undo", undo_show, Permission.MANAGE),
    StudioRoute("GET", _SHOW + "/activity", show_activity, Permission.MANAGE),
    StudioRoute("GET", "/activity", activity, Permission.OPERATE),
)
