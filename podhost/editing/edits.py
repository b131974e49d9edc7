"""Editing an episode with others: autosave, working copies, and no text overwritten unseen.

What is typed goes into a draft at once. Of what is out, or about to be, it goes into a working copy
of the account, which `apply_edit` puts into the episode. It knows no page and no HTTP.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from podhost.editing.numbering import Numbers, suggest_numbers
from podhost.editing.versions import edit_at, field_edits
from podhost.episodes import (
    EpisodeInput,
    change_episode,
    changed_fields,
    episode_problems,
    slug_problem,
)
from podhost.errors import Conflict, Invalid
from podhost.formats.feed_tags import EPISODE_TAGS, stored_episode_tags
from podhost.formats.markdown import render_notes
from podhost.models import (
    Account,
    Artwork,
    CopyPicture,
    EditPresence,
    Episode,
    FieldEdit,
    WorkingCopy,
)
from podhost.people import list_credits, read_credits, say_the_same, whole_credit_values

PRESENT = timedelta(seconds=60)
_ID = re.compile(r"[0-9a-f]{16}")
_DESK = re.compile(r"[0-9A-Za-z-]{1,32}", re.ASCII)
_WRONG_DESK = "It may have 1 to 32 letters, digits and hyphens."

_ELSEWHERE = {
    "guid": "The guid of an episode never changes.",
    "guests": "Here all credits are in people; a guest is one with the role guest.",
    "chapters": "Chapters are saved by themselves, with PUT .../chapters.",
}
_COLUMNS = {
    "title": "title",
    "notes": "notes",
    "slug": "slug",
    "season": "season",
    "season_name": "season_name",
    "number": "number",
    "episode_type": "episode_type",
    "explicit": "explicit",
    "author": "author",
    "link": "link",
    "blocked": "is_blocked",
}
EDITED = (*_COLUMNS, "people", *EPISODE_TAGS)


class EditConflict(msgspec.Struct, kw_only=True):
    """A field that somebody else changed after it was read: their text and ours, as JSON values.

    `base` is the version that was seen when ours was typed; `changed_by` is null where a command,
    a folder or a job changed it.
    """

    field: str
    theirs: Any
    yours: Any
    base: int
    changed_by: str | None
    changed_at: datetime


class Present(msgspec.Struct, kw_only=True):
    """Somebody else who has the episode open to edit it."""

    name: str
    since: datetime


class EditAnswer(msgspec.Struct, kw_only=True):
    """An episode as one account edits it.

    `version` is the episode's, `values` what it says now, and `copy` what this account typed and
    what is not in it: all of it where the episode is not a draft (`is_direct` false), otherwise
    what could not be taken, with the reason in `errors` or `conflicts`. `missing` keeps it from
    being published.
    """

    version: int
    status: str
    is_direct: bool
    values: dict[str, Any]
    copy: dict[str, Any]
    saved_at: datetime | None
    errors: dict[str, str]
    conflicts: list[EditConflict]
    missing: list[str]
    suggested: Numbers
    others: list[Present]


def is_direct(episode: Episode) -> bool:
    """Whether what is typed goes into the episode at once: nobody sees it yet."""
    return episode.status == "draft"


def read_edit(session: Session, episode: Episode, account_id: str, *, now: datetime) -> EditAnswer:
    """The episode as this account edits it. Nothing is changed."""
    copy = session.get(WorkingCopy, (episode.id, account_id))
    typed, bases = (copy.values, copy.bases) if copy is not None else ({}, {})
    given = _typed(typed)
    names = _names(given)
    differing, errors = _differing(session, episode, given)
    edits = field_edits(session, episode)
    values = edit_values(session, episode)
    overlapping = _overlapping(names, differing, bases, edits)
    accounts = _account_names(session, edits, overlapping)
    return EditAnswer(
        version=episode.edit_version,
        status=episode.status,
        is_direct=is_direct(episode),
        values=values,
        copy=typed,
        saved_at=copy.saved_at if copy is not None else None,
        errors=errors,
        conflicts=[
            EditConflict(
                field=name,
                theirs=values[name],
                yours=typed[name],
                base=bases[name],
                changed_by=accounts.get(edits[name].account_id or ""),
                changed_at=edits[name].changed_at,
            )
            for name in overlapping
        ],
        missing=episode_problems(episode),
        suggested=suggest_numbers(session, episode),
        others=list_present(session, episode, account_id, now=now),
    )


def save_edit(
    session: Session,
    episode: Episode,
    account_id: str,
    given: EpisodeInput,
    *,
    version: int,
    dropped: Collection[str] = (),
    desk: str | None = None,
    now: datetime,
) -> None:
    """Keep what was typed, in a draft itself as far as that is possible, or else in the copy.

    `version` is the one that was seen when it was typed. What cannot be taken, and what somebody
    else changed since, waits in the working copy and changes nothing; `read_edit` says why.
    `dropped` are fields of the copy that are given up. `desk` names the open page: what was saved
    from there does not stand against what is typed there, although the answer may have got lost.
    Raises Invalid for fields that are not edited here, and for a version that there never was.
    """
    _require_edited(given, dropped)
    if desk is not None and not _DESK.fullmatch(desk):
        raise Invalid(f"desk: {_WRONG_DESK}", {"desk": _WRONG_DESK})
    edit_at(session, desk)
    if not 1 <= version <= episode.edit_version:
        sentence = f"The episode has the versions 1 to {episode.edit_version}."
        raise Invalid(f"version: {sentence}", {"version": sentence})
    copy = session.get(WorkingCopy, (episode.id, account_id))
    names = _names(given)
    values = {**(copy.values if copy is not None else {}), **msgspec.to_builtins(given)}
    bases = {**(copy.bases if copy is not None else {}), **dict.fromkeys(names, version)}
    differing, errors = _differing(session, episode, given)
    settled = {*dropped, *(names - differing)}
    if is_direct(episode):
        edits = _of_others(field_edits(session, episode), desk)
        overlapping = _overlapping(names, differing, bases, edits)
        wanted = differing - {_root(path) for path in errors} - set(overlapping)
        settled |= _apply(session, episode, _only(given, wanted), now=now)
    _keep(
        session,
        episode,
        account_id,
        {name: value for name, value in values.items() if name not in settled},
        bases,
        now=now,
    )


def apply_edit(session: Session, episode: Episode, account_id: str, *, now: datetime) -> bool:
    """Put the working copy into the episode; False when there is nothing to put.

    All or nothing: raises Invalid with every wrong field, and Conflict where somebody else changed
    the same field meanwhile; then the copy stays as it is.
    """
    copy = session.get(WorkingCopy, (episode.id, account_id))
    if copy is None:
        return False
    given = _typed(copy.values)
    differing, errors = _differing(session, episode, given)
    if errors:
        raise Invalid(" ".join(f"{name}: {text}" for name, text in errors.items()), errors)
    overlapping = _overlapping(_names(given), differing, copy.bases, field_edits(session, episode))
    if overlapping:
        sentence = "Somebody else changed this meanwhile; look at both."
        raise Conflict(
            "Somebody else changed the same meanwhile. Nothing was overwritten.",
            dict.fromkeys(overlapping, sentence),
        )
    changed = change_episode(session, episode, _only(given, differing), now=now)
    discard_edit(session, episode, account_id)
    return changed


def discard_edit(session: Session, episode: Episode, account_id: str) -> None:
    """Drop the working copy; the episode stays as it is."""
    of_account = (CopyPicture.episode_id == episode.id, CopyPicture.account_id == account_id)
    session.execute(delete(CopyPicture).where(*of_account))
    copy = session.get(WorkingCopy, (episode.id, account_id))
    if copy is not None:
        session.delete(copy)
        session.flush()


def edit_values(session: Session, episode: Episode) -> dict[str, Any]:
    """What the episode says in every field that is edited, as JSON values."""
    values = {name: getattr(episode, column) for name, column in _COLUMNS.items()}
    credits = list_credits(session, episode.show, episode)
    values["people"] = [whole_credit_values(credit) for credit in credits]
    tags = stored_episode_tags(episode.tags)
    # Whole, although the structs leave out what is not said.
    values |= {name: msgspec.to_builtins(getattr(tags, name)) for name in EPISODE_TAGS}
    return values


def note_presence(session: Session, episode: Episode, account_id: str, *, now: datetime) -> None:
    """This account has the episode open; those who were not heard of for a minute have gone."""
    of_episode = EditPresence.episode_id == episode.id
    session.execute(delete(EditPresence).where(of_episode, EditPresence.seen_at <= now - PRESENT))
    here = session.get(EditPresence, (episode.id, account_id), populate_existing=True)
    if here is None:
        here = EditPresence(episode_id=episode.id, account_id=account_id, since=now)
        session.add(here)
    here.seen_at = now
    session.flush()


def forget_presence(session: Session, episode: Episode, account_id: str) -> None:
    """This account closed the episode."""
    session.execute(
        delete(EditPresence).where(
            EditPresence.episode_id == episode.id, EditPresence.account_id == account_id
        )
    )


def list_present(
    session: Session, episode: Episode, account_id: str, *, now: datetime
) -> list[Present]:
    """Who else has the episode open, those who came first at the front."""
    rows = session.execute(
        select(Account.name, Account.email, EditPresence.since)
        .join(Account, Account.id == EditPresence.account_id)
        .where(
            EditPresence.episode_id == episode.id,
            EditPresence.account_id != account_id,
            EditPresence.seen_at > now - PRESENT,
        )
        .order_by(EditPresence.since, Account.id)
    )
    return [Present(name=name or email, since=since) for name, email, since in rows]


def _require_edited(given: EpisodeInput, dropped: Iterable[str]) -> None:
    names = [*(name for name in _ELSEWHERE if getattr(given, name) is not UNSET)]
    wrong = {name: _ELSEWHERE[name] for name in names}
    wrong |= {name: "There is no such field." for name in dropped if name not in EDITED}
    if wrong:
        raise Invalid(" ".join(f"{name}: {text}" for name, text in wrong.items()), wrong)


def _names(given: EpisodeInput) -> set[str]:
    return {name for name in EDITED if getattr(given, name) is not UNSET}


def _typed(values: Mapping[str, Any]) -> EpisodeInput:
    return msgspec.convert(values, EpisodeInput)


def _only(given: EpisodeInput, names: Collection[str]) -> EpisodeInput:
    return EpisodeInput(**{name: getattr(given, name) for name in names})


def _differing(
    session: Session, episode: Episode, given: EpisodeInput
) -> tuple[set[str], dict[str, str]]:
    """Which fields are not what the episode says, and what is wrong with them: whatever is wrong
    differs too."""
    errors: dict[str, str] = {}
    differing: set[str] = set()
    plain = {name for name in _names(given) if name not in ("people", "slug")}
    compare = partial(changed_fields, episode)
    errors |= _wrong(lambda: compare(_only(given, plain)))
    right = plain - {_root(name) for name in errors}
    differing.update(compare(_only(given, right)))
    if given.notes is not UNSET and "notes" in differing:
        errors |= _wrong_notes(given.notes)
    if given.people is not UNSET:
        read = partial(read_credits, session, given.people, default_role="guest")
        wrong = _wrong(lambda: differing.update(_changed_people(session, episode, read())))
        errors |= wrong
    if given.slug is not UNSET and given.slug != episode.slug:
        differing.add("slug")
        problem = slug_problem(session, episode, given.slug)
        errors |= {"slug": problem} if problem else {}
    return differing | {_root(name) for name in errors}, errors


def _changed_people(session: Session, episode: Episode, wanted: list[dict[str, Any]]) -> set[str]:
    current = list_credits(session, episode.show, episode)
    return set() if say_the_same(current, wanted) else {"people"}


def _wrong_notes(notes: str) -> dict[str, str]:
    """Why notes that are no longer than others cannot stand in a feed."""
    try:
        render_notes(notes)
    except Invalid as error:
        return {"notes": error.message}
    return {}


def _wrong(judge: Callable[[], object]) -> dict[str, str]:
    try:
        judge()
    except Invalid as error:
        return error.fields
    return {}


def _root(path: str) -> str:
    """The field of a path such as people[0].name."""
    return path.partition(".")[0].partition("[")[0]


def _of_others(edits: Mapping[str, FieldEdit], desk: str | None) -> dict[str, FieldEdit]:
    return {name: edit for name, edit in edits.items() if desk is None or edit.desk != desk}


def _overlapping(
    names: Collection[str],
    differing: Collection[str],
    bases: Mapping[str, int],
    edits: Mapping[str, FieldEdit],
) -> list[str]:
    """The fields that were changed to something else after they were read, in a fixed order."""
    return [
        name
        for name in EDITED
        if name in names
        and name in differing
        and name in edits
        and edits[name].version > bases[name]
    ]


def _apply(session: Session, episode: Episode, given: EpisodeInput, *, now: datetime) -> set[str]:
    """Change a draft as far as that is possible; the fields that it has now."""
    names = _names(given)
    while names:
        try:
            with session.begin_nested():
                change_episode(session, episode, _only(given, names), now=now)
            return names
        except (Invalid, Conflict) as error:
            # What no field can be judged by alone, such as notes that unfold too far.
            wrong = {_root(name) for name in error.fields} & names
            names -= wrong or names
    return names


def _keep(
    session: Session,
    episode: Episode,
    account_id: str,
    values: Mapping[str, Any],
    bases: Mapping[str, int],
    *,
    now: datetime,
) -> None:
    """Write the working copy anew; an empty one is none."""
    copy = session.get(WorkingCopy, (episode.id, account_id))
    if not values:
        discard_edit(session, episode, account_id)
        return
    kept, kept_bases = dict(values), {name: bases[name] for name in values}
    if copy is None:
        copy = WorkingCopy(episode_id=episode.id, account_id=account_id)
        session.add(copy)
    elif (copy.values, copy.bases) == (kept, kept_bases):
        return
    copy.values, copy.bases, copy.saved_at = kept, kept_bases, now
    session.flush()
    _keep_pictures(session, copy)


def _keep_pictures(session: Session, copy: WorkingCopy) -> None:
    of_copy = (
        CopyPicture.episode_id == copy.episode_id,
        CopyPicture.account_id == copy.account_id,
    )
    given = {entry.get("artwork_id") or "" for entry in copy.values.get("people") or ()}
    # PostgreSQL refuses to look for a zero byte.
    named = {artwork_id for artwork_id in given if _ID.fullmatch(artwork_id)}
    known = set(session.scalars(select(CopyPicture.artwork_id).where(*of_copy)))
    session.execute(delete(CopyPicture).where(*of_copy, CopyPicture.artwork_id.not_in(named)))
    new = select(Artwork.id).where(Artwork.id.in_(named - known))
    for artwork_id in session.scalars(new).all():
        session.add(
            CopyPicture(
                episode_id=copy.episode_id, account_id=copy.account_id, artwork_id=artwork_id
            )
        )
    session.flush()


def _account_names(
    session: Session, edits: Mapping[str, FieldEdit], names: Collection[str]
) -> dict[str, str]:
    ids = {edits[name].account_id for name in names}
    rows = session.execute(
        select(Account.id, Account.name, Account.email).where(Account.id.in_(ids))
    )
    return {account_id: name or email for account_id, name, email in rows}
