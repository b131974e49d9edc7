"""The tables of a show's written side: articles, pages and sponsors; nothing but tables."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from podhost.models.base import Base


class Article(Base):
    """An article of a show; scheduled, published and withdrawn as episodes are."""

    __tablename__ = "articles"
    __table_args__ = (
        UniqueConstraint("show_id", "slug"),
        Index("ix_articles_listed", "show_id", "status", "published_at"),
        Index("ix_articles_due", "status", "published_at"),
    )

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"))
    slug: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text, default="")
    # Markdown as written, and the clean HTML made of it when it was written.
    text: Mapped[str] = mapped_column(Text, default="")
    text_html: Mapped[str] = mapped_column(Text, default="")
    # How long it takes to read; 0: there is no text yet.
    minutes: Mapped[int] = mapped_column(default=0)
    status: Mapped[str] = mapped_column(String(16), default="draft")
    # For a scheduled article: when it will be published.
    published_at: Mapped[datetime | None]
    # When readers are told that it was changed; the author decides.
    updated_at: Mapped[datetime | None]
    artwork_id: Mapped[str | None] = mapped_column(ForeignKey("artwork.id"))
    picture_credit: Mapped[str] = mapped_column(Text, default="")
    picture_alt: Mapped[str] = mapped_column(Text, default="")
    # The episode of the same show in which it is spoken.
    episode_id: Mapped[str | None] = mapped_column(
        ForeignKey("episodes.id", ondelete="SET NULL"), index=True
    )
    # Rises with every edit, so that whoever saves can say which version they saw.
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class ArticleAuthor(Base):
    """Who wrote an article: people of the show, in order."""

    __tablename__ = "article_authors"

    article_id: Mapped[str] = mapped_column(
        ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)


class ArticleCategory(Base):
    """A category of an article; `key` stands in addresses, `name` is as it was written."""

    __tablename__ = "article_categories"
    __table_args__ = (Index("ix_article_categories_key", "show_id", "key"),)

    article_id: Mapped[str] = mapped_column(
        ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(Text)


class Page(Base):
    """A page of a show beside its articles, such as about or contact; it may stand in a menu."""

    __tablename__ = "pages"
    __table_args__ = (UniqueConstraint("show_id", "slug"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"))
    slug: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text, default="")
    text_html: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(String(16), default="draft")
    # "top", "foot" or "none", and its place there, counted from 1.
    menu: Mapped[str] = mapped_column(String(16), default="none")
    position: Mapped[int] = mapped_column(default=1)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class WrittenSlug(Base):
    """A slug that an article or a page once had; its old address redirects for ever."""

    __tablename__ = "written_slugs"

    show_id: Mapped[str] = mapped_column(
        ForeignKey("shows.id", ondelete="CASCADE"), primary_key=True
    )
    # "article" or "page".
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    slug: Mapped[str] = mapped_column(String(100), primary_key=True)
    # The id of the article or the page, which are never removed by themselves.
    target_id: Mapped[str] = mapped_column(String(16), index=True)


class Sponsor(Base):
    """Who pays for a show, from one day to another of its time zone."""

    __tablename__ = "sponsors"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text, default="")
    artwork_id: Mapped[str | None] = mapped_column(ForeignKey("artwork.id"))
    # The first and the last day (ISO 8601); None: it has always run, or it runs on.
    starts_on: Mapped[str | None] = mapped_column(String(10))
    ends_on: Mapped[str | None] = mapped_column(String(10))
    position: Mapped[int] = mapped_column(default=1)
    # Whether the notes of episodes that come out meanwhile name it in the feed.
    in_notes: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
