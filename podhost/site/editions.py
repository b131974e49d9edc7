"""Editions: shows that are each other in several languages, and lead their readers to each other.

They are one group, and each is in one at most. Whoever links shows must be allowed to manage all
of them; where nobody acts (a folder, the command line), nobody is asked.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.accounts.roles import Permission, acting, require
from podhost.changes import record_change
from podhost.db import new_id
from podhost.errors import Conflict
from podhost.models import Show, Site
from podhost.shows import lock_show
from podhost.site.settings import site_row, site_url

MOST_EDITIONS = 40


class Edition(NamedTuple):
    """A show as its sister shows name it; `domain` is its own, if any."""

    show: Show
    domain: str | None
    is_indexed: bool

    def url(self, base_url: str, path: str = "/") -> str:
        """The whole address of a page of its site."""
        return site_url(base_url, self.show, self.domain) + path


def list_editions(session: Session, show: Show) -> Sequence[Edition]:
    """All editions of a show, itself among them, the oldest first; none if it is alone."""
    row = session.get(Site, show.id)
    if row is None or row.edition_group is None:
        return []
    found = session.execute(
        select(Show, Site.domain, Site.is_indexed)
        .join(Site, Site.show_id == Show.id)
        .where(Site.edition_group == row.edition_group, Show.deleted_at.is_(None))
        .order_by(Show.created_at, Show.slug)
    )
    editions = [Edition(*each) for each in found]
    return editions if len(editions) > 1 else []


def edition_ids(session: Session, show: Show) -> Sequence[str]:
    """The ids of a show's editions, itself among them; also of deleted ones, which may come back:
    its pages say something else when any of them changes."""
    row = session.get(Site, show.id)
    if row is None or row.edition_group is None:
        return []
    of_group = Site.edition_group == row.edition_group
    return session.scalars(select(Site.show_id).where(of_group)).all()


def other_editions(session: Session, show: Show) -> Sequence[Edition]:
    """The sister shows of a show, the oldest first."""
    return [edition for edition in list_editions(session, show) if edition.show.id != show.id]


def default_edition(editions: Sequence[Edition]) -> Edition:
    """The one for readers of whose language there is none: in English, or the oldest."""
    return next((each for each in editions if _speaks(each.show, "en")), editions[0])


def link_editions(session: Session, show: Show, other: Show, *, now: datetime) -> None:
    """Make two shows, with all that are linked to them already, editions of each other.

    Raises Conflict for two in one language, and Forbidden or NotFound where whoever acts may not
    manage all of them.
    """
    if show.id == other.id:
        raise Conflict("A show is no edition of itself.")
    _lock(session, (show.id, other.id))
    rows = [site_row(session, each, now=now) for each in (show, other)]
    session.flush()
    members = _members(session, rows)
    _require_manage(session, members)
    _require_languages(members)
    if len(members) > MOST_EDITIONS:
        raise Conflict(f"A show may have {MOST_EDITIONS} editions here.")
    group = rows[0].edition_group or rows[1].edition_group or new_id()
    changed = [row for row in _rows(session, members) if row.edition_group != group]
    for row in changed:
        row.edition_group, row.changed_at = group, now
    session.flush()
    if changed:
        _note(session, members, now=now)


def unlink_edition(session: Session, show: Show, *, now: datetime) -> None:
    """Take a show out of its group; of two, none is left. Raises Forbidden or NotFound."""
    _require_manage(session, [show])
    _lock(session, (show.id,))
    row = session.get(Site, show.id)
    if row is None or row.edition_group is None:
        return
    members = _members(session, [row])
    left = [each for each in _rows(session, members) if each.show_id != show.id]
    for each in (row, *(left if len(left) < 2 else ())):
        each.edition_group, each.changed_at = None, now
    session.flush()
    _note(session, members, now=now)


def _lock(session: Session, show_ids: Sequence[str]) -> None:
    # In one order, so that two who link the same shows do not wait for each other.
    for show_id in sorted(show_ids):
        lock_show(session, show_id)


def _members(session: Session, rows: Sequence[Site]) -> list[Show]:
    """The shows of these rows and of their groups, deleted ones too: they may come back."""
    groups = [row.edition_group for row in rows if row.edition_group is not None]
    ids = select(Site.show_id).where(Site.edition_group.in_(groups))
    own = [row.show_id for row in rows]
    found = session.scalars(select(Show).where(Show.id.in_(ids) | Show.id.in_(own)))
    return sorted(found, key=lambda show: show.id)


def _rows(session: Session, shows: Sequence[Show]) -> list[Site]:
    return [session.get_one(Site, show.id) for show in shows]


def _require_manage(session: Session, shows: Sequence[Show]) -> None:
    actor = acting(session)
    if actor is not None:
        for show in shows:
            require(session, actor, show, Permission.MANAGE)


def _require_languages(shows: Sequence[Show]) -> None:
    seen: dict[str, Show] = {}
    for show in shows:
        other = seen.setdefault(show.language.lower(), show)
        if other is not show:
            raise Conflict(
                f"{other.title} and {show.title} are both in the language {show.language}; "
                "editions are in several."
            )


def _speaks(show: Show, language: str) -> bool:
    return show.language.lower().partition("-")[0] == language


def _note(session: Session, shows: Sequence[Show], *, now: datetime) -> None:
    """All of them have pages in memory that name the others."""
    for show in shows:
        record_change(session, "site", show.id, now=now)
