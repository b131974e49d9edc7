"""Which live streams Podping takes for live.

Revision 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_since_0001"
down_revision = "0004_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column; NULL says that there are none."""
    op.add_column("hub_states", sa.Column("live", sa.JSON(none_as_null=True), nullable=True))
