"""Feeds as JSON Feed, beside those in RSS.

Revision 0004
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0004_since_0001"
down_revision = "0003_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; servers of the version before go on without it."""
    op.create_table(
        "json_snapshots",
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("show_version", sa.Integer(), nullable=False),
        sa.Column("made_with", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("body_gzip", sa.LargeBinary(), nullable=False),
        sa.Column("last_modified", models.UtcDateTime(), nullable=False),
        sa.Column("rendered_at", models.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_json_snapshots_show_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("show_id", name=op.f("pk_json_snapshots")),
    )
