"""Alembic's entry: runs the migrations on the connection that podhost.db.migrate() hands over."""

from alembic import context

from podhost.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite cannot alter most things in place; Alembic then copies the table.
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
