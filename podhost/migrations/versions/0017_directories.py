"""What hosts keep of directories, and feeds that they upload to import them.

Revision 0017
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0017_since_0001"
down_revision = "0016_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; older servers go on without them."""
    op.create_table(
        "directory_listings",
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("directory", sa.String(length=32), nullable=False),
        sa.Column("submitted_on", sa.String(length=10), nullable=True),
        sa.Column("listed_url", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("changed_at", models.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["show_id"],
            ["shows.id"],
            name=op.f("fk_directory_listings_show_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("show_id", "directory", name=op.f("pk_directory_listings")),
    )
    op.create_table(
        "feed_documents",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body_gzip", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_feed_documents")),
    )
