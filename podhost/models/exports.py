"""The table of exports: whole shows as one archive, to be taken away; nothing but tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class Export(Base):
    """An archive of a show that was asked for: how far it is, and where it lies."""

    __tablename__ = "exports"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"), index=True)
    # waiting, running, ready or failed.
    state: Mapped[str] = mapped_column(String(16))
    # Why it failed, or why it is tried again, as a sentence.
    error: Mapped[str | None] = mapped_column(Text)
    # The show itself is one part, and so is each episode.
    parts_done: Mapped[int] = mapped_column(default=0)
    parts_total: Mapped[int] = mapped_column(default=0)
    # What had to be left out, in sentences.
    problems: Mapped[list[Any]]
    storage_key: Mapped[str | None] = mapped_column(Text)
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
