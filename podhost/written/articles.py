"""Articles: create, change, find, list. What the world sees is in `publishing` and `reading`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.changes import record_change
from podhost.db import new_id
from podhost.episodes import get_episode
from podhost.errors import Gone, Invalid, NotFound, Outdated
from podhost.formats.text import slugify
from podhost.formats.written_text import minutes_to_read, render_text
from podhost.jobs import enqueue
from podhost.models import Article, ArticleAuthor, ArticleCategory, Artwork, Person, Show
from podhost.people import CreditInput, PersonLink, person_of, read_credits
from podhost.search.rows import INDEX_SHOW, forget_subject
from podhost.written.slugs import ARTICLE, free_slug, own_slug, rename, target_id

STATUSES = ("draft", "scheduled", "published", "withdrawn")
MOST_CATEGORIES = 20
MOST_AUTHORS = 20
_LONGEST_CATEGORY = 60
_NO_TITLE = "An article needs a title."


class AuthorInput(msgspec.Struct, kw_only=True):
    """Who wrote an article. What is said here is said of the person from then on; what is not
    said stays as it is known."""

    name: str
    url: str | None = None
    bio: str | None = None
    image_url: str | None = None
    artwork_id: str | None = None
    links: list[PersonLink] | UnsetType | None = UNSET


class ArticleInput(msgspec.Struct, kw_only=True):
    """What a host may say of an article; fields that are not given stay as they are.

    `updated_at` is the date of change that readers see, null for none. `episode` is the id or the
    slug of the episode in which it is spoken.
    """

    title: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    summary: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    authors: list[AuthorInput] | UnsetType = UNSET
    categories: list[str] | UnsetType = UNSET
    episode: str | UnsetType | None = UNSET
    updated_at: str | UnsetType | None = UNSET
    picture_credit: str | UnsetType = UNSET
    picture_alt: str | UnsetType = UNSET


_READERS: dict[str, tuple[str, fields.Reader]] = {
    "title": ("title", fields.required_line),
    "summary": ("summary", fields.paragraph),
    "text": ("text", fields.markdown),
    "picture_credit": ("picture_credit", fields.optional_line),
    "picture_alt": ("picture_alt", fields.optional_line),
}


def create_article(
    session: Session,
    show: Show,
    given: ArticleInput,
    *,
    now: datetime,
    article_id: str | None = None,
) -> Article:
    """A new draft. Raises Invalid with every wrong field, Conflict when the slug is taken."""
    article = Article(
        id=article_id or new_id(),
        show_id=show.id,
        slug="",
        title="",
        summary="",
        text="",
        text_html="",
        minutes=0,
        status="draft",
        picture_credit="",
        picture_alt="",
        version=1,
        created_at=now,
        changed_at=now,
    )
    if given.title is UNSET:
        raise Invalid(f"title: {_NO_TITLE}", {"title": _NO_TITLE})
    _, errors = fields.apply_given(article, given, _READERS)
    with errors.noting("slug"):
        if given.slug is not UNSET:
            article.slug = own_slug(session, ARTICLE, show.id, given.slug)
        elif article.title:
            article.slug = free_slug(session, ARTICLE, show.id, article.title)
    _apply_rest(session, show, article, given, errors)
    parts = _read_parts(session, given, errors)
    errors.raise_any()
    session.add(article)
    session.flush()
    _set_parts(session, show, article, *parts)
    return article


def change_article(
    session: Session,
    show: Show,
    article: Article,
    given: ArticleInput,
    *,
    now: datetime,
    seen_version: int | None = None,
) -> bool:
    """Change what was given; False when everything was so already.

    `seen_version` is the version that whoever saves has seen. Raises Invalid with every wrong
    field, Conflict when the slug is taken, Outdated when somebody else saved meanwhile.
    """
    if seen_version is not None and seen_version != article.version:
        raise Outdated("Somebody else changed this meanwhile; load it again, and nothing is lost.")
    changed, errors = fields.apply_given(article, given, _READERS)
    with errors.noting("slug"):
        if given.slug is not UNSET and given.slug != article.slug:
            rename(session, ARTICLE, article, given.slug)
            changed.add("slug")
    changed |= _apply_rest(session, show, article, given, errors)
    parts = _read_parts(session, given, errors)
    errors.raise_any()
    is_other = _set_parts(session, show, article, *parts)
    if changed or is_other:
        touch_article(session, article, now=now)
    return bool(changed) or is_other


def changed_fields(
    session: Session, show: Show, article: Article | None, given: ArticleInput
) -> list[str]:
    """Which plain fields `change_article` would change, and whether categories would: not slug,
    episode and authors. Nothing is changed. Raises Invalid with every wrong field."""
    row = article or Article()
    changed = fields.changed_fields(row, given, _READERS)
    errors = fields.FieldErrors()
    with errors.noting("text"):
        render_text(row.text if given.text is UNSET else given.text)
    with errors.noting("updated_at"):
        if given.updated_at:
            moment = fields.moment(given.updated_at, show.time_zone)
            if moment != row.updated_at:
                changed.append("updated_at")
        elif given.updated_at is None and row.updated_at is not None:
            changed.append("updated_at")
    with errors.noting("categories"):
        if given.categories is not UNSET:
            categories = read_categories(given.categories)
            if categories != (list_categories(session, article) if article is not None else []):
                changed.append("categories")
    errors.raise_any()
    return changed


def _apply_rest(
    session: Session,
    show: Show,
    article: Article,
    given: ArticleInput,
    errors: fields.FieldErrors,
) -> set[str]:
    """What takes more than its value to be read; gives back what really changed."""
    before = (article.text_html, article.updated_at, article.episode_id)
    with errors.noting("text"):
        if given.text is not UNSET:
            article.text_html = render_text(article.text)
            article.minutes = minutes_to_read(article.text_html)
    with errors.noting("updated_at"):
        if given.updated_at is not UNSET:
            value = (given.updated_at or "").strip()
            article.updated_at = fields.moment(value, show.time_zone) if value else None
    with errors.noting("episode"):
        if given.episode is not UNSET:
            article.episode_id = _episode_id(session, show, given.episode)
    after = (article.text_html, article.updated_at, article.episode_id)
    names = ("text_html", "updated_at", "episode_id")
    pairs = zip(names, before, after, strict=True)
    return {name for name, one, other in pairs if one != other}


def _episode_id(session: Session, show: Show, key: str | None) -> str | None:
    if not key or not key.strip():
        return None
    try:
        return get_episode(session, show, key.strip()).id
    except NotFound as error:
        raise ValueError(error.message) from None


_Authors = list[dict[str, Any]] | None
_Categories = list[tuple[str, str]] | None


def _read_parts(
    session: Session, given: ArticleInput, errors: fields.FieldErrors
) -> tuple[_Authors, _Categories]:
    """The authors and the categories to keep; None where none were given."""
    authors: _Authors = None
    categories: _Categories = None
    if given.authors is not UNSET:
        with errors.noting("authors"):
            if len(given.authors) > MOST_AUTHORS:
                raise ValueError(f"{MOST_AUTHORS} authors are the most.")
        try:
            authors = read_credits(
                session,
                [CreditInput(**_told(author)) for author in given.authors[:MOST_AUTHORS]],
                default_role="author",
            )
        except Invalid as error:
            for name, sentence in error.fields.items():
                errors.sentences[name.replace("people[", "authors[", 1)] = sentence
    if given.categories is not UNSET:
        with errors.noting("categories"):
            categories = read_categories(given.categories)
    return authors, categories


def _told(author: AuthorInput) -> dict[str, Any]:
    values = {name: getattr(author, name) for name in author.__struct_fields__}
    return {name: value for name, value in values.items() if value is not UNSET}


def read_categories(given: Sequence[str]) -> list[tuple[str, str]]:
    """The key and the name of each category, in order, without doubles. Raises ValueError."""
    if len(given) > MOST_CATEGORIES:
        raise ValueError(f"{len(given)} are given; {MOST_CATEGORIES} are the most.")
    found: dict[str, str] = {}
    for value in given:
        name = fields.optional_line(value)
        if len(name) > _LONGEST_CATEGORY:
            raise ValueError(f"A category may have {_LONGEST_CATEGORY} characters.")
        if name:
            found.setdefault(category_key(name), name)
    return list(found.items())


def category_key(name: str) -> str:
    """By which a category stands in addresses: letters that no address shows are numbered out."""
    numbers = "-".join(f"{ord(char):x}" for char in name.casefold() if not char.isspace())
    return slugify(name, fallback=f"u-{numbers}"[:90])


def _set_parts(
    session: Session, show: Show, article: Article, authors: _Authors, categories: _Categories
) -> bool:
    """Replace the authors and the categories where they were given; whether that changed any."""
    is_other = False
    if authors is not None:
        is_other = _set_authors(session, show, article, authors)
    if categories is not None and categories != list_categories(session, article):
        is_other = True
        session.execute(delete(ArticleCategory).where(ArticleCategory.article_id == article.id))
        session.add_all(
            ArticleCategory(
                article_id=article.id, position=position, show_id=show.id, key=key, name=name
            )
            for position, (key, name) in enumerate(categories)
        )
        session.flush()
    return is_other


def _set_authors(
    session: Session, show: Show, article: Article, authors: list[dict[str, Any]]
) -> bool:
    before = [(person.id, _said_of(person)) for person in list_authors(session, article)]
    wanted: dict[str, Person] = {}
    for values in authors:
        person = person_of(session, show, values, article)
        wanted.setdefault(person.id, person)
    if before == [(person.id, _said_of(person)) for person in wanted.values()]:
        return False
    session.execute(delete(ArticleAuthor).where(ArticleAuthor.article_id == article.id))
    session.add_all(
        ArticleAuthor(article_id=article.id, position=position, person_id=person_id)
        for position, person_id in enumerate(wanted)
    )
    session.flush()
    return True


def _said_of(person: Person) -> tuple[object, ...]:
    links = tuple(map(str, person.links or ()))
    words = (person.url, person.bio, person.image_url, person.artwork_id, links)
    # What was said already, and is public only now, is other on pages too.
    return person.name, *words, str(person.still_public)


def list_authors(session: Session, article: Article) -> list[Person]:
    """The people who wrote it, in order; somebody's other spelling gives them."""
    rows = session.scalars(
        select(ArticleAuthor)
        .where(ArticleAuthor.article_id == article.id)
        .order_by(ArticleAuthor.position)
    )
    people: dict[str, Person] = {}
    for row in rows.all():
        person = session.get_one(Person, row.person_id)
        if person.merged_into_id is not None:
            person = session.get_one(Person, person.merged_into_id)
        people.setdefault(person.id, person)
    return list(people.values())


def list_categories(session: Session, article: Article) -> list[tuple[str, str]]:
    """The key and the name of each of its categories, in order."""
    rows = session.execute(
        select(ArticleCategory.key, ArticleCategory.name)
        .where(ArticleCategory.article_id == article.id)
        .order_by(ArticleCategory.position)
    )
    return [(key, name) for key, name in rows]


def set_article_picture(
    session: Session, article: Article, artwork: Artwork | None, *, now: datetime
) -> bool:
    """Give the article a picture, or take it away; False when it was so already."""
    artwork_id = artwork.id if artwork is not None else None
    if article.artwork_id == artwork_id:
        return False
    article.artwork_id = artwork_id
    touch_article(session, article, now=now)
    return True


def touch_article(session: Session, article: Article, *, now: datetime) -> None:
    """Something about the article changed: serving processes forget the pages that show it, and
    the search follows."""
    article.changed_at = now
    article.version += 1
    session.flush()
    if article.status == "withdrawn" or article.deleted_at is not None:
        # At once: what is found of it is nobody's to read any more.
        forget_subject(session, "article", article.id)
    if article.status in ("published", "withdrawn"):
        enqueue(session, INDEX_SHOW, article.show_id, now=now, run_at=now)
    record_change(session, "site", article.show_id, now=now)


def get_article(session: Session, show: Show, key: str) -> Article:
    """The article with this id or slug, also by a slug that it once had.

    Raises NotFound, or Gone when it was deleted.
    """
    found = target_id(session, ARTICLE, show.id, key)
    if found is None:
        raise NotFound(f"The show {show.slug!r} has no article {key!r}.")
    article = session.get_one(Article, found)
    if article.deleted_at is not None:
        raise Gone(f"The article {key!r} was deleted.")
    return article


def list_articles(
    session: Session, show: Show, *, status: str | None = None, limit: int, offset: int = 0
) -> Sequence[Article]:
    """The show's articles, newest first; a draft stands at the day on which it was made."""
    statement = select(Article).where(Article.show_id == show.id, Article.deleted_at.is_(None))
    if status is not None:
        statement = statement.where(Article.status == status)
    newest = func.coalesce(Article.published_at, Article.created_at).desc()
    return session.scalars(statement.order_by(newest, Article.id).limit(limit).offset(offset)).all()


def count_articles(session: Session, show: Show, *, status: str | None = None) -> int:
    """How many articles the show has."""
    statement = select(func.count()).where(Article.show_id == show.id, Article.deleted_at.is_(None))
    if status is not None:
        statement = statement.where(Article.status == status)
    return cast(int, session.scalar(statement) or 0)
