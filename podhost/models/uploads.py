"""The table of uploads: files on their way in, part by part; nothing but tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class Upload(Base):
    """A file that a host sends in parts, over days if need be, and what became of it."""

    __tablename__ = "uploads"
    __table_args__ = (Index("ix_uploads_show", "show_id", "state"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"))
    # Who sends it. No foreign key: the file stays when its sender goes.
    account_id: Mapped[str | None] = mapped_column(String(16))
    # Where it lies while it is no audio yet, and by which id the storage knows it until then.
    upload_key: Mapped[str] = mapped_column(String(255), unique=True)
    multipart_id: Mapped[str] = mapped_column(Text)
    # Stands in the addresses of parts that come through us.
    part_secret: Mapped[str] = mapped_column(String(64))
    file_name: Mapped[str] = mapped_column(Text)
    mime_type: Mapped[str] = mapped_column(String(255))
    # None: the sender has not said it; known once all of it is here.
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    part_bytes: Mapped[int] = mapped_column(BigInteger)
    # By which the sender recognises the file.
    fingerprint: Mapped[str | None] = mapped_column(String(200))
    # The episode that it is for; no foreign key: it may be deleted meanwhile.
    target_id: Mapped[str | None] = mapped_column(String(16))
    offset_ms: Mapped[int | None] = mapped_column(BigInteger)
    # uploading, received, probing, ready, refused or aborted.
    state: Mapped[str] = mapped_column(String(16))
    # [[number, bytes, ETag, SHA-256 or None], ...] of what it is put together of: known once it is
    # complete, and forgotten when it was taken over.
    parts: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    # Of the whole, in hexadecimal.
    sha256: Mapped[str | None] = mapped_column(String(64))
    # What the file says of itself: upload_answers.FoundTags as JSON.
    found: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    warnings: Mapped[list[Any]]
    # Why it was refused or given up, as a sentence.
    error: Mapped[str | None] = mapped_column(Text)
    # The episode that it became the audio of.
    episode_id: Mapped[str | None] = mapped_column(ForeignKey("episodes.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime] = mapped_column(index=True)
