"""The tables of guests: private links, what guests propose, clips and pictures to share; only
tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class GuestLink(Base):
    """A secret address for one person of one episode, or a plain preview of the episode.

    Only the SHA-256 of the secret is kept.
    """

    __tablename__ = "guest_links"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    episode_id: Mapped[str] = mapped_column(
        ForeignKey("episodes.id", ondelete="CASCADE"), index=True
    )
    # None: a preview, with which nothing can be changed.
    person_id: Mapped[str | None] = mapped_column(
        ForeignKey("people.id", ondelete="CASCADE"), index=True
    )
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    # What the guest corrects applies at once; else the host accepts it first.
    may_change: Mapped[bool] = mapped_column(default=False)
    # Where the guest is told that the episode is out.
    email: Mapped[str | None] = mapped_column(String(254))
    created_at: Mapped[datetime]
    # None: some time after the episode is published, see guest_links.ends_at.
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    # When the guest was told that the episode is out.
    told_at: Mapped[datetime | None]
    # How many pictures came by this link since `pictures_since`.
    pictures: Mapped[int] = mapped_column(default=0)
    pictures_since: Mapped[datetime | None]
    # As of when the rows were that the pictures to share were made of; None: there are none.
    drawn_of: Mapped[datetime | None]


class GuestProposal(Base):
    """What a guest would have otherwise in their credit."""

    __tablename__ = "guest_proposals"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    link_id: Mapped[str] = mapped_column(
        ForeignKey("guest_links.id", ondelete="CASCADE"), index=True
    )
    # open, accepted, declined, withdrawn by the guest, or applied without having been asked.
    status: Mapped[str] = mapped_column(String(16))
    # The fields that are still to be decided, or were: name, bio, url, links.
    wanted: Mapped[dict[str, Any]]
    # A new picture; None: it stays.
    artwork_id: Mapped[str | None] = mapped_column(ForeignKey("artwork.id"))
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]


class Clip(Base):
    """A part of an episode's audio as a file of its own, to be shared."""

    __tablename__ = "clips"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    link_id: Mapped[str] = mapped_column(
        ForeignKey("guest_links.id", ondelete="CASCADE"), index=True
    )
    audio_id: Mapped[str] = mapped_column(ForeignKey("audio.id", ondelete="CASCADE"))
    start_ms: Mapped[int] = mapped_column(BigInteger)
    end_ms: Mapped[int] = mapped_column(BigInteger)
    # waiting, done or failed.
    status: Mapped[str] = mapped_column(String(16))
    # Why it failed, as a sentence.
    problem: Mapped[str | None] = mapped_column(Text)
    # None until it is done.
    storage_key: Mapped[str | None] = mapped_column(String(255), unique=True)
    mime_type: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]


class SharePicture(Base):
    """A picture for a guest to share, of the episode's artwork, its title and the guest's name."""

    __tablename__ = "share_pictures"
    __table_args__ = (UniqueConstraint("link_id", "shape"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    link_id: Mapped[str] = mapped_column(ForeignKey("guest_links.id", ondelete="CASCADE"))
    # wide or square.
    shape: Mapped[str] = mapped_column(String(16))
    # Of everything that is seen on it.
    fingerprint: Mapped[str] = mapped_column(String(64))
    storage_key: Mapped[str] = mapped_column(String(255), unique=True)
    mime_type: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
