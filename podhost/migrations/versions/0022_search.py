"""The search index.

Revision 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0022_since_0001"
down_revision = "0021_since_0001"
branch_labels = None
depends_on = None

# Our words, parted by spaces: of ASCII they have lower-case letters and digits only, and the rest
# is part of a word to this tokenizer. A word is in a row or is not; where does not matter, so
# neither places nor sizes are kept. Beginnings of two and three letters are what is typed first.
_SQLITE = (
    """CREATE VIRTUAL TABLE search_words USING fts5(
        words, tokenize='ascii', detail=none, columnsize=0, prefix='2 3')""",
    # Also where a show goes and takes its entries along.
    """CREATE TRIGGER search_entries_gone AFTER DELETE ON search_entries BEGIN
        DELETE FROM search_words WHERE rowid = old.id;
    END""",
)
# The words lie outside of the row, so that to count and sort thousands of ids reads little; and no
# list of what is still to be sorted in makes every search slower.
_POSTGRESQL = (
    """CREATE TABLE search_words (
        id bigint PRIMARY KEY REFERENCES search_entries (id) ON DELETE CASCADE,
        words tsvector NOT NULL
    ) WITH (toast_tuple_target = 128)""",
    "ALTER TABLE search_words ALTER COLUMN words SET STORAGE EXTERNAL",
    "CREATE INDEX ix_search_words_words ON search_words USING gin (words) WITH (fastupdate = off)",
)


def upgrade() -> None:
    """Four tables; servers of the version before go on without them."""
    op.create_table(
        "search_entries",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject_id", sa.String(length=16), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["show_id"],
            ["shows.id"],
            name=op.f("fk_search_entries_show_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_entries")),
    )
    op.create_index(op.f("ix_search_entries_show_id"), "search_entries", ["show_id"])
    op.create_index(op.f("ix_search_entries_subject_id"), "search_entries", ["subject_id"])
    op.create_table(
        "search_subjects",
        sa.Column("subject_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["show_id"],
            ["shows.id"],
            name=op.f("fk_search_subjects_show_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subject_id", "kind", name=op.f("pk_search_subjects")),
    )
    op.create_index(op.f("ix_search_subjects_show_id"), "search_subjects", ["show_id"])
    op.create_table(
        "search_states",
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["show_id"],
            ["shows.id"],
            name=op.f("fk_search_states_show_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("show_id", name=op.f("pk_search_states")),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE if is_sqlite else _POSTGRESQL:
        op.execute(statement)
