"""The tables of mail, invitations, links that were mailed, and of limits on logging in; nothing but
tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class LoginLimit(Base):
    """How often somebody tried to log in of late: from an address, or for an account.

    The key says which; of an account it has a hash, whether there is such an account or not.
    """

    __tablename__ = "login_limits"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    # When nothing of it counts any more.
    until: Mapped[datetime] = mapped_column(index=True)


class Mail(Base):
    """A message that is to be sent, or was; its job has the same id for a key."""

    __tablename__ = "mails"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    recipient: Mapped[str] = mapped_column(String(254))
    # Which of templates/email/ it is made of, and in which language.
    template: Mapped[str] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(String(35))
    # What the template says, links with secrets too: gone as soon as nobody needs it any more.
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(index=True)
    # Nobody is sent a link that has expired.
    expires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    # Why it could not be sent, as a sentence.
    error: Mapped[str | None] = mapped_column(Text)


class Invitation(Base):
    """Somebody is asked to work on a show, or to look after the whole podhost; used once."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    # A role in the show, or "operator".
    role: Mapped[str] = mapped_column(String(16))
    # None: the whole podhost.
    show_id: Mapped[str | None] = mapped_column(
        ForeignKey("shows.id", ondelete="CASCADE"), index=True
    )
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    invited_by: Mapped[str | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    # The message that carries the link; it may be forgotten before the invitation is.
    mail_id: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[str | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    revoked_at: Mapped[datetime | None]


class AccountLink(Base):
    """A link that was mailed to prove an address: to set a password, or to change the address."""

    __tablename__ = "account_links"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    account_id: Mapped[str] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    # password or email.
    purpose: Mapped[str] = mapped_column(String(16))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    # The new address.
    email: Mapped[str | None] = mapped_column(String(254))
    # The message that carries it, where that made it.
    mail_id: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
