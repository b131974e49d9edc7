"""The tables of newsletters: how a show's is set, who reads it, what was sent to whom; nothing but
tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class Newsletter(Base):
    """How the newsletter of a show is set; without a row, the show has none."""

    __tablename__ = "newsletters"

    show_id: Mapped[str] = mapped_column(
        ForeignKey("shows.id", ondelete="CASCADE"), primary_key=True
    )
    is_open: Mapped[bool] = mapped_column(default=False)
    # When it was switched on; what was published before is never sent.
    opened_at: Mapped[datetime | None]
    sends_episodes: Mapped[bool] = mapped_column(default=True)
    sends_digest: Mapped[bool] = mapped_column(default=True)
    # In the show's time zone; 0 is Monday.
    digest_weekday: Mapped[int] = mapped_column(default=4)
    digest_hour: Mapped[int] = mapped_column(default=9)
    # Who sends it, at the foot of each mail, such as a postal address.
    contact: Mapped[str] = mapped_column(Text, default="")
    # The day of the digest was set then: no earlier one is sent.
    planned_at: Mapped[datetime | None]
    # What was published until then stood in a digest, or was too old for any.
    digested_until: Mapped[datetime | None]
    changed_at: Mapped[datetime]


class Subscriber(Base):
    """Somebody who reads a show's newsletter, wants to, or did."""

    __tablename__ = "subscribers"
    __table_args__ = (
        UniqueConstraint("show_id", "address_sha256"),
        Index("ix_subscribers_status", "show_id", "status", "id"),
        Index("ix_subscribers_newest", "show_id", "asked_at"),
    )

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"))
    # Empty for those who are gone: nobody needs it any more.
    address: Mapped[str] = mapped_column(String(254))
    # Of the show and the folded address, by which the same one is recognised.
    address_sha256: Mapped[str] = mapped_column(String(64))
    # "waiting" for its confirmation, "confirmed", "gone" by its own wish, or "refused" by the
    # server of the address.
    status: Mapped[str] = mapped_column(String(16))
    # "episodes": a mail for each; "weekly": the digest. What was asked for takes effect when it is
    # confirmed.
    wants: Mapped[str] = mapped_column(String(16))
    asked_wants: Mapped[str] = mapped_column(String(16))
    # Rises when somebody leaves: links that were mailed before confirm nothing any more.
    turn: Mapped[int] = mapped_column(default=1)
    asked_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    # When they left, or their server refused the address for good, and with what words.
    ended_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)


class NewsletterIssue(Base):
    """One mailing: of a new episode, or of what was published in a week."""

    __tablename__ = "newsletter_issues"
    __table_args__ = (
        UniqueConstraint("show_id", "key"),
        Index("ix_newsletter_issues_newest", "show_id", "send_at"),
        Index("ix_newsletter_issues_unfinished", "finished_at", "send_at"),
    )

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"))
    # "episode" or "digest".
    kind: Mapped[str] = mapped_column(String(16))
    # What it is about, so that there is one of each: the episode's id, or the digest's day.
    key: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(Text)
    # What newsletter.letters says; None as long as it may still be mended.
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    send_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    # Why it is not sent, or not yet, as a sentence.
    error: Mapped[str | None] = mapped_column(Text)
    # Of its deliveries, which are forgotten after a while; written when it is finished.
    sent_count: Mapped[int] = mapped_column(default=0)
    refused_count: Mapped[int] = mapped_column(default=0)
    unsent_count: Mapped[int] = mapped_column(default=0)


class NewsletterDelivery(Base):
    """One mail of an issue to one subscriber. Its row is there before the mail server is asked, so
    that nobody gets it twice.

    It names no subscriber by a foreign key: what was sent stays counted when somebody is forgotten.
    """

    __tablename__ = "newsletter_deliveries"

    issue_id: Mapped[str] = mapped_column(
        ForeignKey("newsletter_issues.id", ondelete="CASCADE"), primary_key=True
    )
    subscriber_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    # "claimed": it is being handed over, or who did that died meanwhile; "sent"; "later": refused
    # for now; "refused" for good because of the address; "failed" for another reason.
    status: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=1)
    claimed_at: Mapped[datetime]
    # When "later" is.
    next_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
