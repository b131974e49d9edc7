"""The table of a show's place on the web: what its site looks like and where it is; only tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, true
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class Site(Base):
    """What a show's owner said of its site; without a row, everything is as at the beginning."""

    __tablename__ = "sites"

    show_id: Mapped[str] = mapped_column(
        ForeignKey("shows.id", ondelete="CASCADE"), primary_key=True
    )
    # A host name of the show's own, in lower case, in ASCII (RFC 5891).
    domain: Mapped[str | None] = mapped_column(String(253), unique=True)
    # #rrggbb; None: as the artwork is.
    accent: Mapped[str | None] = mapped_column(String(7))
    css: Mapped[str] = mapped_column(Text, default="")
    # [{"name": ..., "url": ..., "icon": ...}, ...]: the show in apps and networks.
    links: Mapped[list[Any]]
    is_indexed: Mapped[bool] = mapped_column(default=True, server_default=true())
    # Shows with the same one are editions of each other in several languages.
    edition_group: Mapped[str | None] = mapped_column(String(16), index=True)
    changed_at: Mapped[datetime]
