"""The tables of the search index, which can be made again from everything else; only tables.

The words themselves lie in `search_words`, whose kind is each database's own: see the migration.
"""

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class SearchEntry(Base):
    """Something that a search may find: an episode, a person, an article, or minutes of talk."""

    __tablename__ = "search_entries"

    # Its place in the order of results, see search.rows.entry_ids.
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    # Of the episode, the person or the article.
    subject_id: Mapped[str] = mapped_column(String(16), index=True)
    # [[milliseconds or None, speaker or None, text], ...]: what is shown of it.
    body: Mapped[list[Any]]


class SearchSubject(Base):
    """What is in the index: an episode with its transcripts, a person or an article."""

    __tablename__ = "search_subjects"

    subject_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"), index=True)
    # Of everything that was indexed.
    fingerprint: Mapped[str] = mapped_column(String(64))


class SearchState(Base):
    """Up to which state of its rows a show is in the index; the sweep compares it."""

    __tablename__ = "search_states"

    show_id: Mapped[str] = mapped_column(
        ForeignKey("shows.id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[str] = mapped_column(Text)
