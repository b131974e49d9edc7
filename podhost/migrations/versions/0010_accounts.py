"""Who may do what: operators, roles, sign-ins, and tokens for one show.

Revision 0010
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0010_since_0001"
down_revision = "0009_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables and columns; servers of the version before go on without them."""
    op.create_table(
        "memberships",
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_memberships_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_memberships_show_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("show_id", "account_id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_account_id"), "memberships", ["account_id"])
    op.create_table(
        "login_sessions",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("seen_at", models.UtcDateTime(), nullable=False),
        sa.Column("expires_at", models.UtcDateTime(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_login_sessions_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_sessions")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_login_sessions_secret_sha256")),
    )
    op.create_index(op.f("ix_login_sessions_account_id"), "login_sessions", ["account_id"])
    op.create_index(op.f("ix_login_sessions_expires_at"), "login_sessions", ["expires_at"])
    op.add_column(
        "accounts",
        sa.Column("is_operator", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("accounts", sa.Column("language", sa.String(length=35), nullable=True))
    op.add_column("accounts", sa.Column("time_zone", sa.String(length=64), nullable=True))
    op.add_column("accounts", sa.Column("disabled_at", models.UtcDateTime(), nullable=True))
    op.add_column("tokens", sa.Column("show_id", sa.String(length=16), nullable=True))
    op.add_column("tokens", sa.Column("last_used_at", models.UtcDateTime(), nullable=True))
    # Until now every account could do everything.
    op.execute("UPDATE accounts SET is_operator = true")
