"""Newsletters.

Revision 0024
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0024_since_0001"
down_revision = "0023_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Four tables; servers of the version before go on without them."""
    op.create_table(
        "newsletters",
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("opened_at", models.UtcDateTime(), nullable=True),
        sa.Column("sends_episodes", sa.Boolean(), nullable=False),
        sa.Column("sends_digest", sa.Boolean(), nullable=False),
        sa.Column("digest_weekday", sa.Integer(), nullable=False),
        sa.Column("digest_hour", sa.Integer(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("planned_at", models.UtcDateTime(), nullable=True),
        sa.Column("digested_until", models.UtcDateTime(), nullable=True),
        sa.Column("changed_at", models.UtcDateTime(), nullable=False),
        _of_show("newsletters"),
        sa.PrimaryKeyConstraint("show_id", name=op.f("pk_newsletters")),
    )
    op.create_table(
        "subscribers",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("address_sha256", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("wants", sa.String(length=16), nullable=False),
        sa.Column("asked_wants", sa.String(length=16), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("asked_at", models.UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", models.UtcDateTime(), nullable=True),
        sa.Column("ended_at", models.UtcDateTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        _of_show("subscribers"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscribers")),
        sa.UniqueConstraint(
            "show_id", "address_sha256", name=op.f("uq_subscribers_show_id_address_sha256")
        ),
    )
    op.create_index("ix_subscribers_status", "subscribers", ["show_id", "status", "id"])
    op.create_index("ix_subscribers_newest", "subscribers", ["show_id", "asked_at"])
    _issues()


def _issues() -> None:
    op.create_table(
        "newsletter_issues",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("send_at", models.UtcDateTime(), nullable=False),
        sa.Column("finished_at", models.UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("sent_count", sa.Integer(), nullable=False),
        sa.Column("refused_count", sa.Integer(), nullable=False),
        sa.Column("unsent_count", sa.Integer(), nullable=False),
        _of_show("newsletter_issues"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_newsletter_issues")),
        sa.UniqueConstraint("show_id", "key", name=op.f("uq_newsletter_issues_show_id_key")),
    )
    op.create_index("ix_newsletter_issues_newest", "newsletter_issues", ["show_id", "send_at"])
    op.create_index(
        "ix_newsletter_issues_unfinished", "newsletter_issues", ["finished_at", "send_at"]
    )
    op.create_table(
        "newsletter_deliveries",
        sa.Column("issue_id", sa.String(length=16), nullable=False),
        sa.Column("subscriber_id", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_at", models.UtcDateTime(), nullable=False),
        sa.Column("next_at", models.UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["issue_id"],
            ["newsletter_issues.id"],
            name=op.f("fk_newsletter_deliveries_issue_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("issue_id", "subscriber_id", name=op.f("pk_newsletter_deliveries")),
    )


def _of_show(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["show_id"], ["shows.id"], name=op.f(f"fk_{table}_show_id"), ondelete="CASCADE"
    )
