"""Tags that are written into audio.

Revision 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006_since_0001"
down_revision = "0005_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The show's wish, and of each revision what it was made of."""
    op.add_column(
        "shows",
        sa.Column("write_tags", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("audio", sa.Column("original_id", sa.String(length=16), nullable=True))
    op.add_column("audio", sa.Column("original_sha256", sa.String(length=64), nullable=True))
    op.add_column("audio", sa.Column("tags_fingerprint", sa.String(length=64), nullable=True))
    op.add_column("audio", sa.Column("tagging_problem", sa.Text(), nullable=True))
