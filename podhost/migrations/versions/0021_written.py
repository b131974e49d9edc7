"""The written side: articles with their authors and categories, pages, sponsors.

Revision 0021
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0021_since_0001"
down_revision = "0019_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; older servers go on without them."""
    op.create_table(
        "articles",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_html", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("published_at", models.UtcDateTime(), nullable=True),
        sa.Column("updated_at", models.UtcDateTime(), nullable=True),
        sa.Column("artwork_id", sa.String(length=16), nullable=True),
        sa.Column("picture_credit", sa.Text(), nullable=False),
        sa.Column("picture_alt", sa.Text(), nullable=False),
        sa.Column("episode_id", sa.String(length=16), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("changed_at", models.UtcDateTime(), nullable=False),
        sa.Column("deleted_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_articles_show_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artwork.id"], name=op.f("fk_articles_artwork_id")
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
            name=op.f("fk_articles_episode_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_articles")),
        sa.UniqueConstraint("show_id", "slug", name=op.f("uq_articles_show_id_slug")),
    )
    op.create_index(op.f("ix_articles_due"), "articles", ["status", "published_at"])
    op.create_index(op.f("ix_articles_episode_id"), "articles", ["episode_id"])
    op.create_index(op.f("ix_articles_listed"), "articles", ["show_id", "status", "published_at"])
    op.create_table(
        "article_authors",
        sa.Column("article_id", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"],
            ["articles.id"],
            name=op.f("fk_article_authors_article_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_article_authors_person_id")
        ),
        sa.PrimaryKeyConstraint("article_id", "position", name=op.f("pk_article_authors")),
    )
    op.create_index(op.f("ix_article_authors_person_id"), "article_authors", ["person_id"])
    op.create_table(
        "article_categories",
        sa.Column("article_id", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"],
            ["articles.id"],
            name=op.f("fk_article_categories_article_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["show_id"],
            ["shows.id"],
            name=op.f("fk_article_categories_show_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("article_id", "position", name=op.f("pk_article_categories")),
    )
    op.create_index(op.f("ix_article_categories_key"), "article_categories", ["show_id", "key"])
    op.create_table(
        "pages",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_html", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("menu", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("changed_at", models.UtcDateTime(), nullable=False),
        sa.Column("deleted_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_pages_show_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pages")),
        sa.UniqueConstraint("show_id", "slug", name=op.f("uq_pages_show_id_slug")),
    )
    op.create_table(
        "sponsors",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("artwork_id", sa.String(length=16), nullable=True),
        sa.Column("starts_on", sa.String(length=10), nullable=True),
        sa.Column("ends_on", sa.String(length=10), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("in_notes", sa.Boolean(), nullable=False),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("changed_at", models.UtcDateTime(), nullable=False),
        sa.Column("deleted_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_sponsors_show_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artwork.id"], name=op.f("fk_sponsors_artwork_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sponsors")),
    )
    op.create_index(op.f("ix_sponsors_show_id"), "sponsors", ["show_id"])
    op.create_table(
        "written_slugs",
        sa.Column("show_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.Column("target_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["show_id"], ["shows.id"], name=op.f("fk_written_slugs_show_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("show_id", "kind", "slug", name=op.f("pk_written_slugs")),
    )
    op.create_index(op.f("ix_written_slugs_target_id"), "written_slugs", ["target_id"])
