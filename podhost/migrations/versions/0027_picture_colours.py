"""The colour of a picture, found once when it is stored.

Revision 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0027_since_0001"
down_revision = "0026_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column that may be empty; servers of the version before do not mind."""
    op.add_column("artwork", sa.Column("colour", sa.String(length=7), nullable=True))
