"""Versions of episodes, working copies, and who edits what at the moment.

Revision 0014
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0014_since_0001"
down_revision = "0013_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Four tables and a column with a default; older servers go on and raise no version."""
    op.add_column(
        "episodes", sa.Column("edit_version", sa.Integer(), server_default="1", nullable=False)
    )
    op.create_table(
        "field_edits",
        sa.Column("episode_id", sa.String(length=16), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=True),
        sa.Column("desk", sa.String(length=32), nullable=True),
        sa.Column("changed_at", models.UtcDateTime(), nullable=False),
        _of_episode("field_edits"),
        sa.PrimaryKeyConstraint("episode_id", "field", name=op.f("pk_field_edits")),
    )
    op.create_table(
        "working_copies",
        sa.Column("episode_id", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("bases", sa.JSON(), nullable=False),
        sa.Column("saved_at", models.UtcDateTime(), nullable=False),
        _of_episode("working_copies"),
        _of_account("working_copies"),
        sa.PrimaryKeyConstraint("episode_id", "account_id", name=op.f("pk_working_copies")),
    )
    op.create_index(op.f("ix_working_copies_account_id"), "working_copies", ["account_id"])
    op.create_table(
        "copy_pictures",
        sa.Column("episode_id", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("artwork_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["episode_id", "account_id"],
            ["working_copies.episode_id", "working_copies.account_id"],
            name=op.f("fk_copy_pictures_episode_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["artwork_id"],
            ["artwork.id"],
            name=op.f("fk_copy_pictures_artwork_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "episode_id", "account_id", "artwork_id", name=op.f("pk_copy_pictures")
        ),
    )
    op.create_table(
        "edit_presences",
        sa.Column("episode_id", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("since", models.UtcDateTime(), nullable=False),
        sa.Column("seen_at", models.UtcDateTime(), nullable=False),
        _of_episode("edit_presences"),
        _of_account("edit_presences"),
        sa.PrimaryKeyConstraint("episode_id", "account_id", name=op.f("pk_edit_presences")),
    )


def _of_episode(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_episode_id")
    return sa.ForeignKeyConstraint(["episode_id"], ["episodes.id"], name=name, ondelete="CASCADE")


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_account_id")
    return sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=name, ondelete="CASCADE")
