"""What hubs and directories have been told.

Revision 0002
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0002_since_0001"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "hub_states",
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("hub", sa.Text(), nullable=False),
        sa.Column("waits_since", models.UtcDateTime(), nullable=True),
        sa.Column("not_before", models.UtcDateTime(), nullable=True),
        sa.Column("tried_at", models.UtcDateTime(), nullable=True),
        sa.Column("last_sent_at", models.UtcDateTime(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("snapshot_version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_hub_states_show_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("show_id", "hub", name=op.f("pk_hub_states")),
    )
