"""The table of domains that shows had: whose readers are led on from there; only tables."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class FormerDomain(Base):
    """A domain of a show's own that it has no more. A show that has it now wins over this row."""

    __tablename__ = "former_domains"

    # As in sites.
    domain: Mapped[str] = mapped_column(String(253), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"), index=True)
    left_at: Mapped[datetime]
