"""Exports: whole shows as one archive, to be taken away.

Revision 0019
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0019_since_0001"
down_revision = "0018_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table; servers of the version before go on without it."""
    op.create_table(
        "exports",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("parts_done", sa.Integer(), nullable=False),
        sa.Column("parts_total", sa.Integer(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("finished_at", models.UtcDateTime(), nullable=True),
        sa.Column("expires_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["show_id"],
            ["shows.id"],
            name=op.f("fk_exports_show_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    op.create_index(op.f("ix_exports_expires_at"), "exports", ["expires_at"])
    op.create_index(op.f("ix_exports_show_id"), "exports", ["show_id"])
