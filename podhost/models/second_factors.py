"""The tables of second factors: apps that show codes, passkeys, and codes for the day of loss."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class SecondFactor(Base):
    """One app or passkey that somebody proves to be there when they sign in."""

    __tablename__ = "second_factors"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    account_id: Mapped[str] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    # "app" (RFC 6238) or "passkey" (WebAuthn).
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(100))
    # Of an app: its secret, encrypted. Of a passkey: its public key.
    key: Mapped[bytes] = mapped_column(LargeBinary)
    # Of a passkey, in base64url, by which the browser finds it.
    credential_id: Mapped[str | None] = mapped_column(Text, unique=True)
    # Of an app: the step of the code that was taken last, which is taken once. Of a passkey: how
    # often it says that it was used.
    counter: Mapped[int] = mapped_column(default=0)
    # None: it was set up, but not proved yet.
    confirmed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code that stands in once for a second factor that was lost; only its hash is kept."""

    __tablename__ = "recovery_codes"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    account_id: Mapped[str] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), index=True
    )
    code_sha256: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]


class LoginStep(Base):
    """Somebody who gave the right password and owes the second factor, or who adds a passkey."""

    __tablename__ = "login_steps"

    secret_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    # What a passkey has to sign (WebAuthn 13.4.3).
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    failures: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[datetime] = mapped_column(index=True)
