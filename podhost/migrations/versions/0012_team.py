"""Mail, invitations, mailed links, and limits on logging in.

Revision 0012
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0012_since_0001"
down_revision = "0011_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; older servers go on without them."""
    op.create_table(
        "login_limits",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("until", models.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_limits")),
    )
    op.create_index(op.f("ix_login_limits_until"), "login_limits", ["until"])
    op.create_table(
        "mails",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("template", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("expires_at", models.UtcDateTime(), nullable=True),
        sa.Column("sent_at", models.UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
    )
    op.create_index(op.f("ix_mails_created_at"), "mails", ["created_at"])
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=True),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("invited_by", sa.String(length=16), nullable=True),
        sa.Column("mail_id", sa.String(length=16), nullable=True),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("expires_at", models.UtcDateTime(), nullable=False),
        sa.Column("accepted_at", models.UtcDateTime(), nullable=True),
        sa.Column("accepted_by", sa.String(length=16), nullable=True),
        sa.Column("revoked_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_invitations_show_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["invited_by"],
            ["accounts.id"],
            name=op.f("fk_invitations_invited_by"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["accepted_by"],
            ["accounts.id"],
            name=op.f("fk_invitations_accepted_by"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_invitations_secret_sha256")),
    )
    op.create_index(op.f("ix_invitations_show_id"), "invitations", ["show_id"])
    op.create_table(
        "account_links",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("mail_id", sa.String(length=16), nullable=True),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("expires_at", models.UtcDateTime(), nullable=False),
        sa.Column("used_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_account_links_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_links")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_account_links_secret_sha256")),
    )
    op.create_index(op.f("ix_account_links_account_id"), "account_links", ["account_id"])
