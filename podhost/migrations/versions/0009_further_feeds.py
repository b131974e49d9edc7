"""Further feeds of a show, and older pages of its feeds.

Revision 0009
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0009_since_0001"
down_revision = "0008_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and a column that may be NULL; older servers go on without them."""
    op.create_table(
        "feed_snapshots",
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("path", sa.String(length=100), nullable=False),
        sa.Column("show_version", sa.Integer(), nullable=False),
        sa.Column("made_with", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("body_gzip", sa.LargeBinary(), nullable=False),
        sa.Column("last_modified", models.UtcDateTime(), nullable=False),
        sa.Column("rendered_at", models.UtcDateTime(), nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("gone_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_feed_snapshots_show_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("show_id", "path", name=op.f("pk_feed_snapshots")),
    )
    op.create_table(
        "further_feeds",
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("show_version", sa.Integer(), nullable=False),
        sa.Column("made_with", sa.Text(), nullable=False),
        sa.Column("due_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_further_feeds_show_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("show_id", name=op.f("pk_further_feeds")),
    )
    op.create_index(op.f("ix_further_feeds_due_at"), "further_feeds", ["due_at"])
    op.add_column("episodes", sa.Column("early_since", models.UtcDateTime(), nullable=True))
