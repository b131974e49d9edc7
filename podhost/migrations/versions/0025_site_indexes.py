"""Indexes that the site's lists read instead of rows.

Revision 0025
"""

from alembic import op

revision = "0025_since_0001"
down_revision = "0024_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two indexes; servers of the version before do not mind."""
    op.create_index(
        op.f("ix_episodes_public"),
        "episodes",
        ["show_id", "status", "deleted_at", "published_at", "id"],
    )
    op.create_index(
        op.f("ix_credits_heard"), "credits", ["show_id", "role", "person_id", "episode_id"]
    )
