"""The tables of editing: who changed which field last, and what was typed and is not in it;
nothing but tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class FieldEdit(Base):
    """When a field of an episode was changed last: the version that this gave the episode."""

    __tablename__ = "field_edits"

    episode_id: Mapped[str] = mapped_column(
        ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True
    )
    field: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int]
    # No foreign key: who did it may be gone. None: a command, a folder or a job.
    account_id: Mapped[str | None] = mapped_column(String(16))
    # The open page on which it was typed, if it said so: nobody is in conflict with themselves.
    desk: Mapped[str | None] = mapped_column(String(32))
    changed_at: Mapped[datetime]


class WorkingCopy(Base):
    """What an account typed of an episode and what is not in the episode (yet)."""

    __tablename__ = "working_copies"

    episode_id: Mapped[str] = mapped_column(
        ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[str] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    # By the field's name: what was typed, as the API is given it.
    values: Mapped[dict[str, Any]]
    # By the field's name: the version of the episode that was seen when it was typed.
    bases: Mapped[dict[str, Any]]
    saved_at: Mapped[datetime]


class CopyPicture(Base):
    """A person's picture that only a working copy names, and that is not to be cleared away."""

    __tablename__ = "copy_pictures"
    __table_args__ = (
        ForeignKeyConstraint(
            ["episode_id", "account_id"],
            ["working_copies.episode_id", "working_copies.account_id"],
            name="fk_copy_pictures_episode_id",
            ondelete="CASCADE",
        ),
    )

    episode_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    account_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    artwork_id: Mapped[str] = mapped_column(
        ForeignKey("artwork.id", ondelete="CASCADE"), primary_key=True
    )


class EditPresence(Base):
    """An account that has an episode open to edit it; who is not heard of for a minute has gone."""

    __tablename__ = "edit_presences"

    episode_id: Mapped[str] = mapped_column(
        ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[str] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    since: Mapped[datetime]
    seen_at: Mapped[datetime]
