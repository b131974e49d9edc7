"""The tables of imports: shows that are moved in from other hosts; nothing but tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class Import(Base):
    """A show that is moved in from another host: where from, how far it is, what was found."""

    __tablename__ = "imports"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    # None: the feed has not been read yet.
    show_id: Mapped[str | None] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"))
    # The address or the file's path as it was given, and what recognises it.
    source: Mapped[str] = mapped_column(Text)
    source_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    # The operator's word that the show is theirs, in spite of its podcast:locked.
    is_mine: Mapped[bool] = mapped_column(default=False)
    # reading, running, comparing, done or failed.
    state: Mapped[str] = mapped_column(String(16))
    # Why the feed could not be read, as a sentence.
    error: Mapped[str | None] = mapped_column(Text)
    feed_url: Mapped[str | None] = mapped_column(Text)
    feed_sha256: Mapped[str | None] = mapped_column(String(64))
    # Validators of the feed as last read (RFC 9110 8.8).
    etag: Mapped[str | None] = mapped_column(Text)
    last_modified: Mapped[str | None] = mapped_column(Text)
    # What the feed says of the show, without its episodes: formats.imported as JSON.
    imported: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    second_copies: Mapped[int] = mapped_column(default=0)
    # What of the show could not be kept, in sentences.
    notes: Mapped[list[Any]]
    # What the new feed says otherwise than the old one; None until it was compared.
    differences: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class ImportEpisode(Base):
    """An episode of a feed that is moved in, and what became of it."""

    __tablename__ = "import_episodes"
    __table_args__ = (UniqueConstraint("import_id", "guid"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    import_id: Mapped[str] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"))
    position: Mapped[int]
    guid: Mapped[str] = mapped_column(Text)
    # waiting, done or failed.
    state: Mapped[str] = mapped_column(String(16))
    # Why it failed, or why it is tried again, as a sentence.
    error: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    # None: it comes without audio.
    media_url: Mapped[str | None] = mapped_column(Text)
    # Whom the audio is asked of: few files at once of each.
    media_host: Mapped[str] = mapped_column(String(255), default="")
    # What the feed says of the episode: formats.imported as JSON.
    imported: Mapped[dict[str, Any]]
    # What of it could not be kept, in sentences.
    notes: Mapped[list[Any]]
    episode_id: Mapped[str | None] = mapped_column(
        ForeignKey("episodes.id", ondelete="SET NULL"), index=True
    )
    # It waits to be published with the others.
    is_unpublished: Mapped[bool] = mapped_column(default=False)
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    changed_at: Mapped[datetime]


class ImportPicture(Base):
    """A picture of the old host that was fetched: many episodes and people have the same one."""

    __tablename__ = "import_pictures"

    import_id: Mapped[str] = mapped_column(
        ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True
    )
    url_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    # No foreign key: a picture that nothing has any more is forgotten.
    artwork_id: Mapped[str] = mapped_column(String(16))
