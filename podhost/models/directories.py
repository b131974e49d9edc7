"""The tables of what hosts keep beside a show's feed: directories, uploaded feeds; only tables."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class DirectoryListing(Base):
    """What the host knows of a show in one directory: when it was submitted, where it is listed."""

    __tablename__ = "directory_listings"

    show_id: Mapped[str] = mapped_column(
        ForeignKey("shows.id", ondelete="CASCADE"), primary_key=True
    )
    # An id of directories.DIRECTORIES.
    directory: Mapped[str] = mapped_column(String(32), primary_key=True)
    # A day (ISO 8601).
    submitted_on: Mapped[str | None] = mapped_column(String(10))
    listed_url: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text, default="")
    changed_at: Mapped[datetime]


class FeedDocument(Base):
    """A feed that somebody uploaded to have it imported; kept while an import may need it."""

    __tablename__ = "feed_documents"

    # Of the bytes as they were sent.
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    body_gzip: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
