"""What the site shows of articles: published ones only, read as columns; it changes nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from podhost.errors import Gone, NotFound
from podhost.fields import may_be_slug
from podhost.models import Article, ArticleAuthor, ArticleCategory, Artwork, Episode, Person
from podhost.people_public import TOLD, public_value
from podhost.search.titles import with_like_titles
from podhost.written.slugs import ARTICLE, target_id

_ARTICLE = Article.__table__.c
_OF_CARD = (
    *(_ARTICLE.id, _ARTICLE.slug, _ARTICLE.title, _ARTICLE.summary, _ARTICLE.minutes),
    *(_ARTICLE.published_at, _ARTICLE.updated_at, _ARTICLE.changed_at),
    *(_ARTICLE.artwork_id, _ARTICLE.picture_credit, _ARTICLE.picture_alt),
)
_NEWEST_FIRST = (_ARTICLE.published_at.desc(), _ARTICLE.id.desc())


class Author(NamedTuple):
    """Who wrote an article; `picture` is a row of the artwork that podhost holds."""

    id: str
    slug: str
    name: str
    url: str | None
    bio: str
    image_url: str | None
    links: list[dict[str, str]]
    picture: Any


class Category(NamedTuple):
    """A category by its name, and as it stands in addresses."""

    key: str
    name: str


class ArticleCard(NamedTuple):
    """An article as lists show it; `picture` has id, sizes, width and height, or is None."""

    id: str
    slug: str
    title: str
    summary: str
    minutes: int
    published_at: datetime
    # Only where readers are to be told of a change after the publication.
    updated_at: datetime | None
    changed_at: datetime
    picture: Any
    picture_credit: str
    picture_alt: str
    authors: Sequence[Author]
    categories: Sequence[Category]


class Neighbour(NamedTuple):
    """The article before or after another one."""

    slug: str
    title: str


class SpokenVersion(NamedTuple):
    """The published episode in which an article is spoken."""

    id: str
    slug: str
    title: str


class FullArticle(NamedTuple):
    """An article as its page shows it; `card.slug` may be another one than was asked for, which
    is where it is now."""

    card: ArticleCard
    text_html: str
    episode: SpokenVersion | None
    previous: Neighbour | None
    next: Neighbour | None


def published_articles(
    session: Session,
    show_id: str,
    *,
    category: str | None = None,
    author_id: str | None = None,
    episode_id: str | None = None,
    limit: int,
    offset: int = 0,
) -> list[ArticleCard]:
    """A page of the published articles, newest first: all, or those of a category (its key), an
    author (a person's id) or an episode. In five queries however many they are."""
    conditions = _conditions(show_id, category, author_id, episode_id)
    ids = session.scalars(
        select(_ARTICLE.id).where(*conditions).order_by(*_NEWEST_FIRST).limit(limit).offset(offset)
    ).all()
    return _cards(session, show_id, ids)


def articles_like(session: Session, show_id: str, title: str, *, most: int) -> list[ArticleCard]:
    """The published articles whose titles have words of this one, nearest first."""
    ids = with_like_titles(session, Article.__table__, title, *_conditions(show_id), most=most)
    return _cards(session, show_id, ids)


def count_published(
    session: Session,
    show_id: str,
    *,
    category: str | None = None,
    author_id: str | None = None,
    episode_id: str | None = None,
) -> int:
    """How many `published_articles` there are."""
    conditions = _conditions(show_id, category, author_id, episode_id)
    counted = select(func.count()).select_from(Article).where(*conditions)
    return session.scalar(counted) or 0


def find_article(session: Session, show_id: str, slug: str) -> FullArticle:
    """The published article with this slug, or that once had it.

    Raises Gone where it was out and was withdrawn or deleted, and NotFound for drafts, scheduled
    ones and what never was: nobody can tell these apart.
    """
    found = target_id(session, ARTICLE, show_id, slug)
    row = session.execute(
        select(
            *(_ARTICLE.text_html, _ARTICLE.episode_id, _ARTICLE.status, _ARTICLE.deleted_at),
            *(_ARTICLE.id, _ARTICLE.published_at),
        ).where(_ARTICLE.id == found)
    ).one_or_none()
    # Its id is no address of a page.
    if row is None or found == slug or row.status not in ("published", "withdrawn"):
        raise NotFound("There is no such article here.")
    if row.status == "withdrawn" or row.deleted_at is not None:
        raise Gone("This article was withdrawn.")
    (card,) = _cards(session, show_id, [row.id])
    return FullArticle(
        card,
        row.text_html,
        _spoken(session, row.episode_id),
        _neighbour(session, show_id, row, is_next=False),
        _neighbour(session, show_id, row, is_next=True),
    )


def full_texts(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """The clean HTML of these articles, by their ids, for feeds."""
    rows = session.execute(select(_ARTICLE.id, _ARTICLE.text_html).where(_ARTICLE.id.in_(ids)))
    return {id_: text_html for id_, text_html in rows}


def published_slugs(session: Session, show_id: str) -> list[tuple[str, datetime]]:
    """The slug of each published article and when it changed, newest first, for a sitemap."""
    rows = session.execute(
        select(_ARTICLE.slug, _ARTICLE.changed_at)
        .where(*_conditions(show_id))
        .order_by(*_NEWEST_FIRST)
    )
    return [(slug, changed_at) for slug, changed_at in rows]


def list_published_categories(session: Session, show_id: str) -> list[tuple[Category, int]]:
    """The categories of the published articles with how many there are in each, by name."""
    rows = session.execute(
        select(ArticleCategory.key, func.min(ArticleCategory.name), func.count())
        .join(Article, Article.id == ArticleCategory.article_id)
        .where(ArticleCategory.show_id == show_id, *_conditions(show_id))
        .group_by(ArticleCategory.key)
    )
    found = [(Category(key, name), count) for key, name, count in rows]
    return sorted(found, key=lambda each: each[0].name.casefold())


def find_category(session: Session, show_id: str, key: str) -> Category:
    """A category of some published article. Raises NotFound."""
    named = (
        select(func.min(ArticleCategory.name))
        .join(Article, Article.id == ArticleCategory.article_id)
        .where(ArticleCategory.key == key, *_conditions(show_id))
    )
    name = session.scalar(named) if may_be_slug(key) else None
    if name is None:
        raise NotFound("There are no articles in such a category here.")
    return Category(key, name)


def list_authors_of_show(session: Session, show_id: str) -> list[tuple[str, datetime]]:
    """The slug of each author of published articles and the date of the newest one, for a
    sitemap."""
    main = aliased(Person)
    rows = session.execute(
        select(main.slug, func.max(_ARTICLE.changed_at))
        .select_from(ArticleAuthor)
        .join(Article, Article.id == ArticleAuthor.article_id)
        .join(Person, Person.id == ArticleAuthor.person_id)
        .join(main, main.id == func.coalesce(Person.merged_into_id, Person.id))
        .where(*_conditions(show_id))
        .group_by(main.slug)
        .order_by(main.slug)
    )
    return [(slug, changed_at) for slug, changed_at in rows]


def _conditions(
    show_id: str,
    category: str | None = None,
    author_id: str | None = None,
    episode_id: str | None = None,
) -> list[ColumnElement[bool]]:
    chosen = [
        _ARTICLE.show_id == show_id,
        _ARTICLE.status == "published",
        _ARTICLE.deleted_at.is_(None),
    ]
    if category is not None:
        of_category = select(ArticleCategory.article_id).where(
            ArticleCategory.show_id == show_id, ArticleCategory.key == category
        )
        chosen.append(_ARTICLE.id.in_(of_category))
    if author_id is not None:
        by_author = (
            select(ArticleAuthor.article_id)
            .join(Person, Person.id == ArticleAuthor.person_id)
            .where((Person.id == author_id) | (Person.merged_into_id == author_id))
        )
        chosen.append(_ARTICLE.id.in_(by_author))
    if episode_id is not None:
        chosen.append(_ARTICLE.episode_id == episode_id)
    return chosen


def _cards(session: Session, show_id: str, ids: Sequence[str]) -> list[ArticleCard]:
    if not ids:
        return []
    rows = {row.id: row for row in session.execute(select(*_OF_CARD).where(_ARTICLE.id.in_(ids)))}
    main = aliased(Person)
    written = session.execute(
        _people(main)
        .add_columns(ArticleAuthor.article_id)
        .join(ArticleAuthor, ArticleAuthor.person_id == Person.id)
        .where(ArticleAuthor.article_id.in_(ids))
        .order_by(ArticleAuthor.position)
    ).all()
    held = [row.artwork_id for row in rows.values()]
    held += [public_value(row, "artwork_id") for row in written]
    pictures = _pictures(session, held)
    authors: dict[str, dict[str, Author]] = {}
    for row in written:
        authors.setdefault(row.article_id, {}).setdefault(row.id, _author(row, pictures))
    categories: dict[str, list[Category]] = {}
    for article_id, key, name in session.execute(
        select(ArticleCategory.article_id, ArticleCategory.key, ArticleCategory.name)
        .where(ArticleCategory.article_id.in_(ids))
        .order_by(ArticleCategory.position)
    ):
        categories.setdefault(article_id, []).append(Category(key, name))
    return [
        _card(rows[id_], pictures, list(authors.get(id_, {}).values()), categories.get(id_, []))
        for id_ in ids
    ]


def _card(
    row: Any,
    pictures: dict[str, Any],
    authors: Sequence[Author],
    categories: Sequence[Category],
) -> ArticleCard:
    is_updated = row.updated_at is not None and row.updated_at > row.published_at
    return ArticleCard(
        id=row.id,
        slug=row.slug,
        title=row.title,
        summary=row.summary,
        minutes=row.minutes,
        published_at=row.published_at,
        updated_at=row.updated_at if is_updated else None,
        changed_at=row.changed_at,
        picture=pictures.get(row.artwork_id),
        picture_credit=row.picture_credit,
        picture_alt=row.picture_alt,
        authors=authors,
        categories=categories,
    )


def _people(main: Any) -> Select[Any]:
    """People, and for another spelling of somebody, who it is."""
    said = select(main.id, main.slug, main.name, *(getattr(main, name) for name in TOLD))
    said = said.add_columns(main.still_public)
    return said.join_from(Person, main, main.id == func.coalesce(Person.merged_into_id, Person.id))


def _author(row: Any, pictures: dict[str, Any]) -> Author:
    """Not what only a draft says of them."""
    told = {name: public_value(row, name) for name in TOLD}
    return Author(
        id=row.id,
        slug=row.slug,
        name=row.name,
        url=told["url"],
        bio=told["bio"],
        image_url=told["image_url"],
        links=told["links"] or [],
        picture=pictures.get(told["artwork_id"]),
    )


def _pictures(session: Session, ids: Sequence[str | None]) -> dict[str, Any]:
    wanted = {id_ for id_ in ids if id_ is not None}
    if not wanted:
        return {}
    rows = session.execute(
        select(Artwork.id, Artwork.sizes, Artwork.width, Artwork.height).where(
            Artwork.id.in_(wanted)
        )
    )
    return {row.id: row for row in rows}


def _spoken(session: Session, episode_id: str | None) -> SpokenVersion | None:
    if episode_id is None:
        return None
    row = session.execute(
        select(Episode.id, Episode.slug, Episode.title).where(
            Episode.id == episode_id,
            Episode.status == "published",
            Episode.deleted_at.is_(None),
        )
    ).one_or_none()
    return SpokenVersion(row.id, row.slug, row.title) if row is not None else None


def _neighbour(session: Session, show_id: str, row: Any, *, is_next: bool) -> Neighbour | None:
    place = tuple_(_ARTICLE.published_at, _ARTICLE.id)
    own = tuple_(row.published_at, row.id)
    order = (_ARTICLE.published_at, _ARTICLE.id) if is_next else _NEWEST_FIRST
    found = session.execute(
        select(_ARTICLE.slug, _ARTICLE.title)
        .where(*_conditions(show_id), place > own if is_next else place < own)
        .order_by(*order)
        .limit(1)
    ).one_or_none()
    return Neighbour(found.slug, found.title) if found is not None else None
