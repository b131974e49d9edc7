"""Writes the written side of a show into its folder: articles, pages, sponsors' logos.

Rows are read before; names of files are made here. `folders.written` is the way back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.folders.written import ARTICLES, PAGES
from podhost.formats.showfolder import LinkEntry, PersonEntry, SponsorEntry
from podhost.formats.showfolder_writing import local_date
from podhost.formats.text import slugify
from podhost.formats.written_files import (
    ArticleFile,
    PageFile,
    render_article_file,
    render_page_file,
)
from podhost.models import Article, Artwork, Episode, Page, Person, Show, Sponsor
from podhost.people_public import TOLD, is_out, public_value
from podhost.written.articles import list_authors, list_categories
from podhost.written.pages import list_pages
from podhost.written.slugs import ARTICLE, PAGE, list_old_slugs
from podhost.written.sponsors import list_sponsors

_FOLDER_OF_LOGOS = "sponsors"


@dataclass(slots=True)
class LoadedArticle:
    """An article with what belongs to it."""

    row: Article
    authors: Sequence[Person]
    categories: Sequence[str]
    old_slugs: Sequence[str]
    episode: str | None


@dataclass(slots=True)
class LoadedWritten:
    """All rows of the written side, without what was deleted."""

    articles: list[LoadedArticle] = field(default_factory=list)
    pages: list[tuple[Page, Sequence[str]]] = field(default_factory=list)
    sponsors: list[Sponsor] = field(default_factory=list)
    pictures: dict[str, Artwork] = field(default_factory=dict)


class CopyPicture(Protocol):
    """Writes a picture to a file; False where it is missing."""

    def __call__(self, artwork: Artwork, name: str, what: str) -> bool: ...


def load_written(session: Session, show: Show) -> LoadedWritten:
    """Read them, oldest article first."""
    rows = session.scalars(
        select(Article)
        .where(Article.show_id == show.id, Article.deleted_at.is_(None))
        .order_by(Article.created_at, Article.id)
    ).all()
    slugs: dict[str, str] = {
        id_: slug
        for id_, slug in session.execute(
            select(Episode.id, Episode.slug).where(
                Episode.show_id == show.id, Episode.deleted_at.is_(None)
            )
        )
    }
    old = list_old_slugs(session, ARTICLE, show.id)
    old_pages = list_old_slugs(session, PAGE, show.id)
    loaded = LoadedWritten(
        articles=[
            LoadedArticle(
                row,
                list_authors(session, row),
                [name for _, name in list_categories(session, row)],
                old.get(row.id, ()),
                slugs.get(row.episode_id or ""),
            )
            for row in rows
        ],
        pages=[(row, old_pages.get(row.id, ())) for row in list_pages(session, show)],
        sponsors=[*list_sponsors(session, show)],
    )
    held = {row.artwork_id for row in rows} | {row.artwork_id for row in loaded.sponsors}
    held |= {said["artwork_id"] for article in loaded.articles for _, said in _authors(article)}
    for artwork_id in sorted(id_ for id_ in held if id_ is not None):
        loaded.pictures[artwork_id] = session.get_one(Artwork, artwork_id)
    return loaded


def author_pictures(loaded: LoadedWritten) -> list[tuple[str, Artwork | None]]:
    """The name and the picture of each author of each article."""
    return [
        (name, loaded.pictures.get(said["artwork_id"] or ""))
        for article in loaded.articles
        for name, said in _authors(article)
    ]


def write_sponsors(loaded: LoadedWritten, copy_picture: CopyPicture) -> tuple[SponsorEntry, ...]:
    """What show.toml is to say of sponsors; their logos are written."""
    return tuple(
        SponsorEntry(
            name=row.name,
            url=row.url,
            text=row.text or None,
            starts_on=row.starts_on,
            ends_on=row.ends_on,
            logo=_logo(loaded, row, copy_picture),
            in_notes=row.in_notes,
        )
        for row in loaded.sponsors
    )


def write_texts(
    loaded: LoadedWritten,
    show: Show,
    people: Mapping[str, str],
    put: Callable[[str, bytes], None],
    copy_picture: CopyPicture,
) -> None:
    """Write the articles with their pictures, and the pages; `people` are the files of people's
    pictures by artwork id."""
    for article in loaded.articles:
        row = article.row
        picture = loaded.pictures.get(row.artwork_id or "")
        if picture is not None:
            copy_picture(picture, f"{ARTICLES}/{row.slug}.jpg", f"The picture of {row.slug}")
        text = render_article_file(article_file(show, article, people))
        put(f"{ARTICLES}/{row.slug}.md", text.encode())
    for page, old_slugs in loaded.pages:
        put(f"{PAGES}/{page.slug}.md", render_page_file(page_file(page, old_slugs)).encode())


def article_file(show: Show, article: LoadedArticle, people: Mapping[str, str]) -> ArticleFile:
    """What an article's text is to say."""
    row, at = article.row, article.row.published_at
    status = row.status if row.status in ("draft", "withdrawn") and at else None
    updated = row.updated_at
    return ArticleFile(
        title=row.title,
        id=row.id,
        slug=row.slug,
        old_slugs=tuple(article.old_slugs),
        summary=row.summary,
        date=local_date(at, show.time_zone) if at is not None else None,
        updated=local_date(updated, show.time_zone) if updated is not None else None,
        status=status,  # type: ignore[arg-type]  # rows hold any text
        authors=tuple(_author(name, said, people) for name, said in _authors(article)),
        categories=tuple(article.categories),
        episode=article.episode,
        picture_credit=row.picture_credit,
        picture_alt=row.picture_alt,
        text=row.text,
    )


def page_file(row: Page, old_slugs: Sequence[str]) -> PageFile:
    """What a page's text is to say."""
    return PageFile(
        title=row.title,
        id=row.id,
        slug=row.slug,
        old_slugs=tuple(old_slugs),
        status=row.status,  # type: ignore[arg-type]  # rows hold any text
        menu=row.menu,  # type: ignore[arg-type]  # rows hold any text
        position=row.position,
        text=row.text,
    )


def _authors(article: LoadedArticle) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each author and what is said of them: where the article is out, what is public,
    because all that it says will be so wherever the folder is published."""
    tell = public_value if is_out(article.row) else getattr
    for person in article.authors:
        yield person.name, {name: tell(person, name) for name in TOLD}


def _author(name: str, said: Mapping[str, Any], pictures: Mapping[str, str]) -> PersonEntry:
    return PersonEntry(
        name=name,
        role="author",
        url=said["url"],
        bio=said["bio"] or None,
        image=pictures.get(said["artwork_id"] or "") or said["image_url"],
        links=tuple(LinkEntry(**link) for link in said["links"] or ()),
    )


def _logo(loaded: LoadedWritten, row: Sponsor, copy_picture: CopyPicture) -> str | None:
    artwork = loaded.pictures.get(row.artwork_id or "")
    if artwork is None:
        return None
    name = f"{_FOLDER_OF_LOGOS}/{slugify(row.name, fallback='sponsor')}-{artwork.id}.jpg"
    return name if copy_picture(artwork, name, f"The logo of {row.name}") else None
