"""Where shows have moved to, and their audio.

Revision 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008_since_0001"
down_revision = "0007_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """New columns; servers of the version before go on without them, and redirect nothing."""
    op.add_column("shows", sa.Column("moved_to", sa.Text(), nullable=True))
    op.add_column(
        "shows",
        sa.Column("moved_audio", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("shows", sa.Column("redirect_to", sa.Text(), nullable=True))
    op.add_column("shows", sa.Column("move_report", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("episodes", sa.Column("moved_audio_url", sa.Text(), nullable=True))
