"""Versions of episodes: every edit raises the number, and a field knows the edit that made it so.

It changes no episode otherwise, and judges no conflict; `edits.py` does.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import String, delete, insert, literal, select, update
from sqlalchemy.orm import Session

from podhost.accounts.roles import acting
from podhost.errors import Outdated
from podhost.models import Episode, FieldEdit, UtcDateTime

# The place on a database session where it stands at which open page somebody types.
_DESK = "desk"
# The version of what nobody wrote: every edit has a higher one.
_MADE_UP = 0


def note_edit(
    session: Session, episode: Episode, names: Collection[str] = (), *, now: datetime
) -> None:
    """Raise the episode's version; `names` are the fields that changed, as the API calls them.

    Whoever calls it holds the show's lock, so that no number is given out twice.
    """
    episode.edit_version += 1
    if not names:
        return
    known = field_edits(session, episode)
    actor = acting(session)
    for name in names:
        edit = known.get(name)
        if edit is None:
            edit = FieldEdit(episode_id=episode.id, field=name)
            session.add(edit)
        edit.version, edit.changed_at = episode.edit_version, now
        edit.account_id = actor.account_id if actor is not None else None
        edit.desk = session.info.get(_DESK)


def note_edits(session: Session, episode_ids: Sequence[str], name: str, *, now: datetime) -> None:
    """The same for one field of many episodes, in one go however many they are."""
    actor = acting(session)
    account_id = actor.account_id if actor is not None else None
    of_these = Episode.id.in_(episode_ids)
    session.execute(update(Episode).where(of_these).values(edit_version=Episode.edit_version + 1))
    session.execute(
        delete(FieldEdit).where(FieldEdit.episode_id.in_(episode_ids), FieldEdit.field == name)
    )
    version = Episode.edit_version
    session.execute(
        insert(FieldEdit).from_select(
            ["episode_id", "field", "version", "account_id", "changed_at"],
            select(
                Episode.id,
                literal(name),
                version,
                literal(account_id, String),
                literal(now, UtcDateTime),
            ).where(of_these),
        )
    )


def note_made_up(session: Session, episode: Episode, name: str, *, now: datetime) -> None:
    """A field of a new episode says what podhost made of something else."""
    session.add(FieldEdit(episode_id=episode.id, field=name, version=_MADE_UP, changed_at=now))


def is_made_up(session: Session, episode: Episode, name: str) -> bool:
    """Whether nobody has given the field a value of its own yet."""
    edit = session.get(FieldEdit, (episode.id, name))
    return edit is not None and edit.version == _MADE_UP


def settle(session: Session, episode: Episode, name: str) -> None:
    """Somebody said that the field is to stay what podhost made up."""
    session.execute(
        delete(FieldEdit).where(
            FieldEdit.episode_id == episode.id,
            FieldEdit.field == name,
            FieldEdit.version == _MADE_UP,
        )
    )


def edit_at(session: Session, desk: str | None) -> None:
    """Note on a database session at which open page its edits were typed."""
    session.info[_DESK] = desk


def field_edits(session: Session, episode: Episode) -> dict[str, FieldEdit]:
    """By the field's name, its newest edit; those that nobody changed since they were made are not
    there."""
    found = session.scalars(select(FieldEdit).where(FieldEdit.episode_id == episode.id))
    return {edit.field: edit for edit in found}


def entity_tag(version: int) -> str:
    """The version as an ETag (RFC 9110 8.8.3)."""
    return f'"{version}"'


def require_version(episode: Episode, if_match: str | None) -> None:
    """Raises Outdated unless `if_match` (the header If-Match, RFC 9110 13.1.1) has the version.

    The comparison is a strong one: a weak tag matches nothing.
    """
    if if_match is None or if_match.strip() == "*":
        return
    if entity_tag(episode.edit_version) not in (tag.strip() for tag in if_match.split(",")):
        raise Outdated(
            "The episode was changed meanwhile; read it again, and change what is there now. "
            f"Its version is {episode.edit_version}."
        )
