"""Sites: where a show is on the web, and what it looks like there.

Revision 0023
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0023_since_0001"
down_revision = "0022_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table; servers of the version before go on without it."""
    op.create_table(
        "sites",
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("domain", sa.String(length=253), nullable=True),
        sa.Column("accent", sa.String(length=7), nullable=True),
        sa.Column("css", sa.Text(), nullable=False),
        sa.Column("links", sa.JSON(), nullable=False),
        sa.Column("is_indexed", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("edition_group", sa.String(length=16), nullable=True),
        sa.Column("changed_at", models.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_sites_show_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("show_id", name=op.f("pk_sites")),
        sa.UniqueConstraint("domain", name=op.f("uq_sites_domain")),
    )
    op.create_index(op.f("ix_sites_edition_group"), "sites", ["edition_group"])
