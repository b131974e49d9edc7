"""Optional feed tags of shows and episodes.

Revision 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003_since_0001"
down_revision = "0002_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column each; NULL says that there are none."""
    for table in ("shows", "episodes"):
        op.add_column(table, sa.Column("tags", sa.JSON(none_as_null=True), nullable=True))
