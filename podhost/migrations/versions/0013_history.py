"""History of episodes and shows, and the audit trail.

Revision 0013
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0013_since_0001"
down_revision = "0012_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make three tables; older servers go on without them."""
    _history()
    op.create_table(
        "history_files",
        sa.Column("entry_id", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("at", models.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["history.id"], name=op.f("fk_history_files_entry_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("entry_id", "kind", "key", name=op.f("pk_history_files")),
    )
    op.create_index(op.f("ix_history_files_at"), "history_files", ["at"])
    _audit()


def _history() -> None:
    op.create_table(
        "history",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("began_at", models.UtcDateTime(), nullable=False),
        sa.Column("at", models.UtcDateTime(), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("episode_id", sa.String(length=16), nullable=True),
        sa.Column("actor_id", sa.String(length=16), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("batch_id", sa.String(length=20), nullable=True),
        sa.Column("undoes_id", sa.String(length=20), nullable=True),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_history_show_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.id"], name=op.f("fk_history_episode_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index("ix_history_episode", "history", ["episode_id", "id"])
    op.create_index("ix_history_show", "history", ["show_id", "id"])
    op.create_index(op.f("ix_history_at"), "history", ["at"])
    op.create_index(op.f("ix_history_batch_id"), "history", ["batch_id"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("at", models.UtcDateTime(), nullable=False),
        sa.Column("last_at", models.UtcDateTime(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("actor_id", sa.String(length=16), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=True),
        sa.Column("episode_id", sa.String(length=16), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_show", "audit", ["show_id", "id"])
    op.create_index("ix_audit_actor", "audit", ["actor_id", "id"])
    op.create_index(op.f("ix_audit_at"), "audit", ["at"])
