"""Private links for guests, what they propose, clips and pictures to share; people's links.

Revision 0016
"""

import sqlalchemy as sa
from alembic import op

from podhost import models

revision = "0016_since_0001"
down_revision = "0014_since_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables, and columns that may be NULL; older servers go on without them."""
    with op.batch_alter_table("people") as people:
        people.add_column(sa.Column("links", sa.JSON(none_as_null=True), nullable=True))
        people.add_column(sa.Column("merged_into_id", sa.String(length=16), nullable=True))
        people.create_index(op.f("ix_people_merged_into_id"), ["merged_into_id"])
    op.add_column("credits", sa.Column("links", sa.JSON(none_as_null=True), nullable=True))
    _add_links()
    _add_proposals()
    _add_clips()
    _add_pictures()


def _add_links() -> None:
    op.create_table(
        "guest_links",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("episode_id", sa.String(length=16), nullable=False),
        sa.Column("person_id", sa.String(length=16), nullable=True),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("may_change", sa.Boolean(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("expires_at", models.UtcDateTime(), nullable=True),
        sa.Column("revoked_at", models.UtcDateTime(), nullable=True),
        sa.Column("told_at", models.UtcDateTime(), nullable=True),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.Column("pictures_since", models.UtcDateTime(), nullable=True),
        sa.Column("drawn_of", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
            name=op.f("fk_guest_links_episode_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_guest_links_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guest_links")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_guest_links_secret_sha256")),
    )
    op.create_index(op.f("ix_guest_links_episode_id"), "guest_links", ["episode_id"])
    op.create_index(op.f("ix_guest_links_person_id"), "guest_links", ["person_id"])


def _add_proposals() -> None:
    op.create_table(
        "guest_proposals",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("link_id", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("wanted", sa.JSON(), nullable=False),
        sa.Column("artwork_id", sa.String(length=16), nullable=True),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.Column("decided_at", models.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["link_id"],
            ["guest_links.id"],
            name=op.f("fk_guest_proposals_link_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["artwork_id"], ["artwork.id"], name=op.f("fk_guest_proposals_artwork_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guest_proposals")),
    )
    op.create_index(op.f("ix_guest_proposals_link_id"), "guest_proposals", ["link_id"])


def _add_clips() -> None:
    op.create_table(
        "clips",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("link_id", sa.String(length=16), nullable=False),
        sa.Column("audio_id", sa.String(length=16), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("storage_key", sa.String(length=255), nullable=True),
        sa.Column("mime_type", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["audio_id"], ["audio.id"], name=op.f("fk_clips_audio_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["link_id"], ["guest_links.id"], name=op.f("fk_clips_link_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clips")),
        sa.UniqueConstraint("storage_key", name=op.f("uq_clips_storage_key")),
    )
    op.create_index(op.f("ix_clips_link_id"), "clips", ["link_id"])


def _add_pictures() -> None:
    op.create_table(
        "share_pictures",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("link_id", sa.String(length=16), nullable=False),
        sa.Column("shape", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("storage_key", sa.String(length=255), nullable=False),
        sa.Column("mime_type", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", models.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"],
            ["guest_links.id"],
            name=op.f("fk_share_pictures_link_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_pictures")),
        sa.UniqueConstraint("link_id", "shape", name=op.f("uq_share_pictures_link_id_shape")),
        sa.UniqueConstraint("storage_key", name=op.f("uq_share_pictures_storage_key")),
    )
