"""Shows that are moved in from other hosts.

Revision 0007
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0007_since_0001"
down_revision = "0006_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "imports",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("is_mine", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("feed_url", sa.Text(), nullable=True),
        sa.Column("feed_sha256", sa.String(length=64), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("imported", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("second_copies", sa.Integer(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("differences", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("read_at", models.UtcDateTime(), nullable=True),
        sa.Column("finished_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_imports_show_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        sa.UniqueConstraint("source_sha256", name=op.f("uq_imports_source_sha256")),
    )
    op.create_table(
        "import_episodes",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("import_id", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("media_url", sa.Text(), nullable=True),
        sa.Column("media_host", sa.String(length=255), nullable=False),
        sa.Column("imported", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("episode_id", sa.String(length=16), nullable=True),
        sa.Column("is_unpublished", sa.Boolean(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("changed_at", models.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
            name=op.f("fk_import_episodes_episode_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["imports.id"],
            name=op.f("fk_import_episodes_import_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_episodes")),
        sa.UniqueConstraint("import_id", "guid", name=op.f("uq_import_episodes_import_id_guid")),
    )
    op.create_index(
        op.f("ix_import_episodes_episode_id"), "import_episodes", ["episode_id"], unique=False
    )
    op.create_table(
        "import_pictures",
        sa.Column("import_id", sa.String(length=16), nullable=False),
        sa.Column("url_sha256", sa.String(length=64), nullable=False),
        sa.Column("artwork_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["imports.id"],
            name=op.f("fk_import_pictures_import_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", "url_sha256", name=op.f("pk_import_pictures")),
    )
