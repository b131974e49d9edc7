"""${message}"""

import sqlalchemy as sa
from alembic import op

import podhost.models

# "NNNN_since_MMMM": podhost of revision MMMM and later goes on working with these tables, so that
# servers may be restarted one by one after the migration. "NNNN" alone: all must be stopped first.
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
