"""What programs are told of articles, pages and sponsors; nothing here changes a row."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.artwork import artwork_url
from podhost.models import Article, Artwork, Episode, Page, Person, Show, Sponsor
from podhost.people import PersonLink, held_picture_url
from podhost.written.articles import list_authors, list_categories


class AuthorAnswer(msgspec.Struct, kw_only=True):
    """Who wrote an article; `image_url` is the picture that podhost holds, or a linked one."""

    id: str
    slug: str
    name: str
    url: str | None
    bio: str
    image_url: str | None
    links: list[PersonLink]


class ArticleAnswer(msgspec.Struct, kw_only=True):
    """One article. `text` is the Markdown as written, `html` what is shown of it; `episode` is the
    id of the episode in which it is spoken; `version` rises with every change."""

    id: str
    slug: str
    title: str
    summary: str
    text: str
    html: str
    minutes: int
    status: str
    published_at: datetime | None
    updated_at: datetime | None
    authors: list[AuthorAnswer]
    categories: list[str]
    episode: str | None
    picture_url: str | None
    picture_credit: str
    picture_alt: str
    url: str
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None
    version: int
    warnings: list[str]


class ArticleList(msgspec.Struct, kw_only=True):
    """A page of articles, newest first; `next` is the address of the next page."""

    articles: list[ArticleAnswer]
    total: int
    next: str | None


class PageAnswer(msgspec.Struct, kw_only=True):
    """One page. `text` is the Markdown as written, `html` what is shown of it."""

    id: str
    slug: str
    title: str
    text: str
    html: str
    status: str
    menu: str
    position: int
    url: str
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None
    version: int
    warnings: list[str]


class PageList(msgspec.Struct, kw_only=True):
    """The pages of a show as they stand in their menus."""

    pages: list[PageAnswer]


class SponsorAnswer(msgspec.Struct, kw_only=True):
    """One sponsor; its days are those of the show's time zone."""

    id: str
    name: str
    url: str | None
    text: str
    starts_on: str | None
    ends_on: str | None
    position: int
    in_notes: bool
    logo_url: str | None
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None
    warnings: list[str]


class SponsorList(msgspec.Struct, kw_only=True):
    """The sponsors of a show in order, also those of other days."""

    sponsors: list[SponsorAnswer]


def article_answer(
    session: Session,
    show: Show,
    article: Article,
    base_url: str,
    *,
    warnings: Sequence[str] = (),
) -> ArticleAnswer:
    """What is told of an article."""
    return ArticleAnswer(
        id=article.id,
        slug=article.slug,
        title=article.title,
        summary=article.summary,
        text=article.text,
        html=article.text_html,
        minutes=article.minutes,
        status=article.status,
        published_at=article.published_at,
        updated_at=article.updated_at,
        authors=[
            author_answer(session, person, base_url) for person in list_authors(session, article)
        ],
        categories=[name for _, name in list_categories(session, article)],
        episode=article.episode_id,
        picture_url=_picture_url(session, article.artwork_id, base_url),
        picture_credit=article.picture_credit,
        picture_alt=article.picture_alt,
        url=f"{base_url}/{show.slug}/articles/{article.slug}",
        created_at=article.created_at,
        changed_at=article.changed_at,
        deleted_at=article.deleted_at,
        version=article.version,
        warnings=[*warnings, *_article_warnings(session, article)],
    )


def author_answer(session: Session, person: Person, base_url: str) -> AuthorAnswer:
    """What is told of an author."""
    artwork = session.get(Artwork, person.artwork_id) if person.artwork_id else None
    return AuthorAnswer(
        id=person.id,
        slug=person.slug,
        name=person.name,
        url=person.url,
        bio=person.bio,
        image_url=held_picture_url(base_url, artwork) or person.image_url,
        links=[PersonLink(**link) for link in person.links or ()],
    )


def page_answer(
    show: Show, page: Page, base_url: str, *, warnings: Sequence[str] = ()
) -> PageAnswer:
    """What is told of a page."""
    return PageAnswer(
        id=page.id,
        slug=page.slug,
        title=page.title,
        text=page.text,
        html=page.text_html,
        status=page.status,
        menu=page.menu,
        position=page.position,
        url=f"{base_url}/{show.slug}/pages/{page.slug}",
        created_at=page.created_at,
        changed_at=page.changed_at,
        deleted_at=page.deleted_at,
        version=page.version,
        warnings=[*warnings],
    )


def sponsor_answer(
    session: Session, sponsor: Sponsor, base_url: str, *, warnings: Sequence[str] = ()
) -> SponsorAnswer:
    """What is told of a sponsor."""
    return SponsorAnswer(
        id=sponsor.id,
        name=sponsor.name,
        url=sponsor.url,
        text=sponsor.text,
        starts_on=sponsor.starts_on,
        ends_on=sponsor.ends_on,
        position=sponsor.position,
        in_notes=sponsor.in_notes,
        logo_url=_picture_url(session, sponsor.artwork_id, base_url),
        created_at=sponsor.created_at,
        changed_at=sponsor.changed_at,
        deleted_at=sponsor.deleted_at,
        warnings=[*warnings],
    )


def _picture_url(session: Session, artwork_id: str | None, base_url: str) -> str | None:
    artwork = session.get(Artwork, artwork_id) if artwork_id else None
    return artwork_url(base_url, artwork) if artwork is not None else None


def _article_warnings(session: Session, article: Article) -> list[str]:
    warnings = []
    if article.artwork_id is not None and not article.picture_alt:
        warnings.append("The picture has no words for those who do not see it (picture_alt).")
    if article.episode_id is not None:
        status = session.scalar(select(Episode.status).where(Episode.id == article.episode_id))
        if article.status == "published" and status != "published":
            warnings.append("The episode in which it is spoken is not out, and is not shown.")
    return warnings
