"""The tables of who may act here: accounts, their roles, sign-ins and tokens."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from podhost.models.base import Base


class Account(Base):
    """Who logs in."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    password_hash: Mapped[str] = mapped_column(String(255))
    # Whether it may do everything on every show here.
    is_operator: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Of the studio's pages; None: what the browser asks for.
    language: Mapped[str | None] = mapped_column(String(35))
    time_zone: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    # It may not sign in any more, and its tokens are good for nothing.
    disabled_at: Mapped[datetime | None]


class Membership(Base):
    """What an account may do on one show: its role."""

    __tablename__ = "memberships"

    show_id: Mapped[str] = mapped_column(
        ForeignKey("shows.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[str] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]


class LoginSession(Base):
    """One sign-in of a browser; only the SHA-256 of the secret in its cookie is kept."""

    __tablename__ = "login_sessions"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    account_id: Mapped[str] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    # Where it came from and with what, as its owner recognises it.
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(Text)


class Token(Base):
    """A secret with which a program acts for an account; only its SHA-256 is kept."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[str] = mapped_column(String(16))
    # The one show that it is good for; None: all that its account may touch. No foreign key: a
    # token whose show is gone is good for nothing rather than for everything.
    show_id: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    account: Mapped[Account] = relationship()
