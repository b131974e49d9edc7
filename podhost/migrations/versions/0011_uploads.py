"""Files that arrive in parts.

Revision 0011
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0011_since_0001"
down_revision = "0010_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table; older servers go on without it."""
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=True),
        sa.Column("upload_key", sa.String(length=255), nullable=False),
        sa.Column("multipart_id", sa.Text(), nullable=False),
        sa.Column("part_secret", sa.String(length=64), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("mime_type", sa.String(length=255), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("part_bytes", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(length=200), nullable=True),
        sa.Column("target_id", sa.String(length=16), nullable=True),
        sa.Column("offset_ms", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("parts", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("found", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("episode_id", sa.String(length=16), nullable=True),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("changed_at", models.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_uploads_show_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.id"], name=op.f("fk_uploads_episode_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
        sa.UniqueConstraint("upload_key", name=op.f("uq_uploads_upload_key")),
    )
    op.create_index("ix_uploads_show", "uploads", ["show_id", "state"])
    op.create_index(op.f("ix_uploads_changed_at"), "uploads", ["changed_at"])
