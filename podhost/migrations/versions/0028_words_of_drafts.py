"""What public pages go on saying of people where only drafts say otherwise.

Revision 0028
"""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0028_since_0001"
down_revision = "0027_since_0001"
branch_labels = None
depends_on = None

_TOLD = ("url", "bio", "image_url", "artwork_id", "links")


def _words(name: str, *more: str) -> sa.TableClause:
    links = sa.column("links", sa.JSON(none_as_null=True))
    return sa.table(name, *map(sa.column, (*more, *_TOLD[:-1])), links)


_CREDITS = _words("credits", "person_id", "episode_id")
_PEOPLE = _words("people", "id")
_EPISODES = sa.table("episodes", *map(sa.column, ("id", "status", "published_at")))


def upgrade() -> None:
    """A column that may be empty, filled for whom drafts name: what only they say is not public."""
    column = sa.Column("still_public", sa.JSON(none_as_null=True), nullable=True)
    op.add_column("people", column)
    connection = op.get_bind()
    people: dict[Any, Any] = {}
    said: dict[Any, Any] = defaultdict(lambda: {True: [], False: []})
    for credit in connection.execute(_credits_of_drafted()):
        said[credit.person_id][credit.status in ("draft", "scheduled")].append(credit)
    for person in connection.execute(sa.select(_PEOPLE).where(_PEOPLE.c.id.in_(_drafted()))):
        people[person.id] = person
    kept = sa.table("people", sa.column("id"), sa.column(column.name, column.type))
    for person_id, person in people.items():
        words = _still_public(person, said[person_id])
        if words:
            row = sa.update(kept).where(kept.c.id == person_id)
            connection.execute(row.values(still_public=words))


def _drafted() -> sa.Select[Any]:
    return (
        sa.select(_CREDITS.c.person_id)
        .join(_EPISODES, _EPISODES.c.id == _CREDITS.c.episode_id)
        .where(_EPISODES.c.status.in_(("draft", "scheduled")))
    )


def _credits_of_drafted() -> sa.Select[Any]:
    """All credits of theirs, the last published ones first."""
    return (
        sa.select(_CREDITS, _EPISODES.c.status)
        .outerjoin(_EPISODES, _EPISODES.c.id == _CREDITS.c.episode_id)
        .where(_CREDITS.c.person_id.in_(_drafted()))
        .order_by(_EPISODES.c.published_at.desc().nulls_last())
    )


def _still_public(person: Any, said: dict[bool, list[Any]]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in _TOLD:
        known = getattr(person, name)
        drafted, public = ([getattr(each, name) for each in said[is_]] for is_ in (True, False))
        # What no credit says was said of the person itself.
        if known and known in drafted and known not in public:
            was = next((value for value in public if value), "" if name == "bio" else None)
            kept[name] = {"was": was, "by": []}
    return kept
