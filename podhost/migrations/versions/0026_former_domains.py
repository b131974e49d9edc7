"""Domains that shows had, from which readers are led on.

Revision 0026
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0026_since_0001"
down_revision = "0025_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table; servers of the version before go on without it."""
    op.create_table(
        "former_domains",
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("left_at", models.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_former_domains_show_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_former_domains")),
    )
    op.create_index(op.f("ix_former_domains_show_id"), "former_domains", ["show_id"])
