"""Second factors: apps with codes, passkeys, recovery codes.

Revision 0018
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0018_since_0001"
down_revision = "0017_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables; servers of the version before go on without them."""
    op.create_table(
        "second_factors",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=True),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", models.UtcDateTime(), nullable=True),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("last_used_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_second_factors_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_factors")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_second_factors_credential_id")),
    )
    op.create_index(op.f("ix_second_factors_account_id"), "second_factors", ["account_id"])
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("code_sha256", sa.String(length=64), nullable=False),
        sa.Column("used_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_recovery_codes_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
    )
    op.create_index(op.f("ix_recovery_codes_account_id"), "recovery_codes", ["account_id"])
    op.create_table(
        "login_steps",
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("expires_at", models.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_login_steps_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("secret_sha256", name=op.f("pk_login_steps")),
    )
    op.create_index(op.f("ix_login_steps_expires_at"), "login_steps", ["expires_at"])
