"""Whether tables are as the models say; what a migration made otherwise is listed."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.orm import Session

from podhost.models import Base


def schema_differences(session: Session) -> list[Any]:
    """What Alembic would change in the tables of this database."""

    def is_compared(name: str | None, type_: str, _: object) -> bool:
        # Words of the search lie in a table that each database has in its own way.
        return type_ != "table" or not str(name).startswith("search_words")

    options = {"compare_type": True, "include_name": is_compared}
    context = MigrationContext.configure(session.connection(), opts=options)
    return list(compare_metadata(context, Base.metadata))
