"""The tables of what was done: history of episodes and shows, audit trail; nothing but tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base

# Of rows that are read in the order in which they were written: the time in it comes first.
ROW_ID = 20


class HistoryEntry(Base):
    """One change of an episode, or of a show where `episode_id` is None: by whom, and what.

    Written in the transaction of the change. Whoever made it may be gone since, so the name is
    kept as text.
    """

    __tablename__ = "history"
    __table_args__ = (
        Index("ix_history_episode", "episode_id", "id"),
        Index("ix_history_show", "show_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(ROW_ID), primary_key=True)
    # Of the first and of the last of several savings that are one row.
    began_at: Mapped[datetime]
    at: Mapped[datetime] = mapped_column(index=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"))
    episode_id: Mapped[str | None] = mapped_column(ForeignKey("episodes.id", ondelete="CASCADE"))
    # None: no account did it.
    actor_id: Mapped[str | None] = mapped_column(String(16))
    actor_name: Mapped[str] = mapped_column(Text, default="")
    # account, command_line, folder, import or podhost (a job).
    way: Mapped[str] = mapped_column(String(16))
    # created, changed, deleted or restored.
    action: Mapped[str] = mapped_column(String(16))
    # What was done to several episodes at once has one.
    batch_id: Mapped[str | None] = mapped_column(String(ROW_ID), index=True)
    # The entry that this one took back.
    undoes_id: Mapped[str | None] = mapped_column(String(ROW_ID))
    # [{"field": ..., "before": ..., "after": ...}, ...]; recording.py says what stands in them.
    fields: Mapped[list[Any]]


class HistoryFile(Base):
    """A picture or a transcript's file that a change let go of; it is kept, so that it can be had
    back, until the sweep forgets this row."""

    __tablename__ = "history_files"

    entry_id: Mapped[str] = mapped_column(
        ForeignKey("history.id", ondelete="CASCADE"), primary_key=True
    )
    # artwork: `key` is its id. transcript: it is the key in the storage.
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)


class AuditEntry(Base):
    """Who did what: one row for each thing that somebody did. It outlives all that it names."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_show", "show_id", "id"),
        Index("ix_audit_actor", "actor_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(ROW_ID), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    # The same thing, done again and again by the same account, is one row.
    last_at: Mapped[datetime]
    times: Mapped[int] = mapped_column(default=1)
    actor_id: Mapped[str | None] = mapped_column(String(16))
    actor_name: Mapped[str] = mapped_column(Text, default="")
    way: Mapped[str] = mapped_column(String(16))
    # None: it came over no network.
    address: Mapped[str | None] = mapped_column(String(64))
    # The name of the function that does it, such as patch_episode.
    action: Mapped[str] = mapped_column(String(64))
    show_id: Mapped[str | None] = mapped_column(String(16))
    episode_id: Mapped[str | None] = mapped_column(String(16))
    # What it was done to, in words: a title, a name.
    subject: Mapped[str] = mapped_column(Text, default="")
    details: Mapped[dict[str, Any]]
