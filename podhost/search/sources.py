"""What of a show can be found, kind by kind: published episodes, who is in them, and articles.

Each kind is a Source: what is to be indexed, and what of a found one is shown, as it is now. It
writes nothing, and knows no index.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from podhost.formats.markdown import notes_line
from podhost.models import (
    Article,
    ArticleAuthor,
    ArticleCategory,
    Chapter,
    Credit,
    Episode,
    Person,
    Show,
    Transcript,
)
from podhost.people_public import public_value
from podhost.search.words import VERSION

# How many values one statement names, far below what databases take.
_AT_ONCE = 500
# What stands in the feed.
_PUBLISHED = (
    Episode.status == "published",
    Episode.published_at.is_not(None),
    Episode.deleted_at.is_(None),
)
# What stands on the site.
_READABLE = (
    Article.status == "published",
    Article.published_at.is_not(None),
    Article.deleted_at.is_(None),
)


class TranscriptFile(NamedTuple):
    """One form of a transcript, as it lies in the storage."""

    storage_key: str
    extension: str
    source_sha256: str


class Document(NamedTuple):
    """All that is indexed of one episode, person or article."""

    kind: str
    subject_id: str
    title: str
    people: tuple[str, ...]
    # Clean HTML, and plain text that comes after it.
    html: str
    text: str
    dated_at: datetime
    transcripts: tuple[TranscriptFile, ...]

    def fingerprint(self) -> str:
        """Differs when anything does that the index is made of."""
        said = json.dumps([VERSION, *self], default=str, ensure_ascii=False)
        return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()

    def plain_text(self) -> str:
        """Its text without markup."""
        return "\n".join(part for part in (notes_line(self.html), self.text) if part)


class Subject(NamedTuple):
    """What is shown of something found."""

    title: str
    slug: str
    published_at: datetime | None
    artwork_id: str | None


class Source(NamedTuple):
    """A kind of thing that can be found.

    `list_documents(session, show, ids)` reads all of a show's, or those with these ids, and only
    what is public; `find_subjects(session, show, ids)` says what is shown of those that still are.
    Whoever changes its rows enqueues rows.INDEX_SHOW, or touches the show, which does.
    """

    kind: str
    list_documents: Callable[[Session, Show, Collection[str] | None], Iterator[Document]]
    find_subjects: Callable[[Session, Show, Collection[str]], dict[str, Subject]]


def _list_episodes(session: Session, show: Show, ids: Collection[str] | None) -> Iterator[Document]:
    query = select(
        Episode.id, Episode.title, Episode.notes_html, Episode.author, Episode.published_at
    ).where(Episode.show_id == show.id, *_PUBLISHED)
    rows = session.execute(query if ids is None else query.where(Episode.id.in_(ids))).all()
    credits = _of_episodes(session, Credit, (Credit.name,), show, ids)
    titled = Chapter.title.is_not(None) & Chapter.is_hidden.is_(False)
    chapters = _of_episodes(session, Chapter, (Chapter.title,), show, ids, titled)
    columns = (
        Transcript.storage_key,
        Transcript.extension,
        Transcript.source_sha256,
        Transcript.language,
    )
    forms = _of_episodes(session, Transcript, columns, show, ids)
    for row in rows:
        named = dict.fromkeys(credit.name for credit in credits[row.id])
        yield Document(
            "episode",
            row.id,
            row.title,
            (*named, *filter(None, (row.author,))),
            row.notes_html,
            "\n".join(chapter.title for chapter in chapters[row.id]),
            row.published_at,
            tuple(_best_forms(forms[row.id], show.language)),
        )


def _of_episodes(
    session: Session,
    table: Any,
    columns: tuple[Any, ...],
    show: Show,
    ids: Collection[str] | None,
    *conditions: Any,
) -> dict[str, list[Any]]:
    """These columns of what belongs to published episodes, in order, by the episode's id."""
    published = select(Episode.id).where(Episode.show_id == show.id, *_PUBLISHED)
    if ids is not None:
        published = published.where(Episode.id.in_(ids))
    query = select(table.episode_id, *columns).where(table.episode_id.in_(published), *conditions)
    found: dict[str, list[Any]] = defaultdict(list)
    for row in session.execute(query.order_by(table.position)):
        found[row.episode_id].append(row)
    return found


def _best_forms(rows: Sequence[Any], language: str) -> Iterator[TranscriptFile]:
    """In each language the form that says most of times; what was given where none does.

    Some hosts give both WebVTT and SRT: the same words twice, to be found once.
    """
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.language or language].append(row)
    for group in groups.values():
        by_extension = {row.extension: row for row in reversed(group)}
        timed = (by_extension.get(extension) for extension in ("vtt", "srt", "json"))
        row = next((row for row in timed if row is not None), group[-1])
        yield TranscriptFile(row.storage_key, row.extension, row.source_sha256)


def _find_episodes(session: Session, show: Show, ids: Collection[str]) -> dict[str, Subject]:
    query = select(
        Episode.id, Episode.title, Episode.slug, Episode.published_at, Episode.artwork_id
    ).where(Episode.show_id == show.id, Episode.id.in_(ids), *_PUBLISHED)
    return {
        row.id: Subject(row.title, row.slug, row.published_at, row.artwork_id or show.artwork_id)
        for row in session.execute(query)
    }


def _list_people(session: Session, show: Show, ids: Collection[str] | None) -> Iterator[Document]:
    last_heard = _last_heard(session, show, ids)
    spellings: dict[str, list[str]] = defaultdict(list)
    merged = select(Person.merged_into_id, Person.name).where(
        Person.show_id == show.id, Person.merged_into_id.is_not(None)
    )
    for person_id, name in session.execute(merged.order_by(Person.name_key)):
        spellings[str(person_id)].append(name)
    query = select(Person.id, Person.name, Person.bio, Person.still_public).where(
        Person.show_id == show.id, Person.merged_into_id.is_(None)
    )
    rows = session.execute(query if ids is None else query.where(Person.id.in_(ids))).all()
    for row in rows:
        if row.id in last_heard:
            # Other spellings are how people look for somebody, and not what they are called.
            others = tuple(spellings[row.id])
            at = last_heard[row.id] or show.created_at
            bio = public_value(row, "bio")
            yield Document("person", row.id, row.name, others, "", bio, at, ())


def _last_heard(
    session: Session, show: Show, ids: Collection[str] | None
) -> dict[str, datetime | None]:
    """Who is named by a published episode or by the show itself, and when they were last."""
    query = (
        select(Credit.person_id, func.max(Episode.published_at))
        .outerjoin(Episode, Episode.id == Credit.episode_id)
        .where(Credit.show_id == show.id)
        .where(or_(Credit.episode_id.is_(None), and_(*_PUBLISHED)))
        .group_by(Credit.person_id)
    )
    found = session.execute(query if ids is None else query.where(Credit.person_id.in_(ids)))
    return {person_id: heard_at for person_id, heard_at in found}


def _find_people(session: Session, show: Show, ids: Collection[str]) -> dict[str, Subject]:
    last_heard = _last_heard(session, show, ids)
    said = (Person.artwork_id, Person.still_public)
    query = select(Person.id, Person.name, Person.slug, *said).where(
        Person.show_id == show.id, Person.id.in_(ids), Person.merged_into_id.is_(None)
    )
    return {
        row.id: Subject(row.name, row.slug, last_heard[row.id], public_value(row, "artwork_id"))
        for row in session.execute(query)
        if row.id in last_heard
    }


def _list_articles(session: Session, show: Show, ids: Collection[str] | None) -> Iterator[Document]:
    chosen = [Article.show_id == show.id, *_READABLE]
    if ids is not None:
        chosen.append(Article.id.in_(ids))
    authors = _authors(session, chosen)
    categories: dict[str, list[str]] = defaultdict(list)
    for article_id, name in session.execute(
        select(ArticleCategory.article_id, ArticleCategory.name)
        .join(Article, Article.id == ArticleCategory.article_id)
        .where(*chosen)
        .order_by(ArticleCategory.position)
    ):
        categories[article_id].append(name)
    columns = (Article.id, Article.title, Article.summary, Article.text_html, Article.published_at)
    for row in session.execute(select(*columns).where(*chosen)).all():
        yield Document(
            "article",
            row.id,
            row.title,
            tuple(authors[row.id]),
            row.text_html,
            "\n".join(filter(None, (row.summary, *categories[row.id]))),
            row.published_at,
            (),
        )


def _authors(session: Session, chosen: Sequence[Any]) -> dict[str, dict[str, None]]:
    """Who wrote these articles, in order: as their line says it, and as they are called now."""
    main = aliased(Person)
    rows = session.execute(
        select(ArticleAuthor.article_id, Person.name, main.name)
        .join(Article, Article.id == ArticleAuthor.article_id)
        .join(Person, Person.id == ArticleAuthor.person_id)
        .outerjoin(main, main.id == Person.merged_into_id)
        .where(*chosen)
        .order_by(ArticleAuthor.position)
    )
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for article_id, *names in rows:
        found[article_id] |= dict.fromkeys(name for name in names if name is not None)
    return found


def _find_articles(session: Session, show: Show, ids: Collection[str]) -> dict[str, Subject]:
    columns = (Article.id, Article.title, Article.slug, Article.published_at, Article.artwork_id)
    query = select(*columns).where(Article.show_id == show.id, Article.id.in_(ids), *_READABLE)
    return {
        row.id: Subject(row.title, row.slug, row.published_at, row.artwork_id)
        for row in session.execute(query)
    }


SOURCES = (
    Source("episode", _list_episodes, _find_episodes),
    Source("person", _list_people, _find_people),
    Source("article", _list_articles, _find_articles),
)


def list_documents(session: Session, show: Show) -> Iterator[Document]:
    """Everything of the show that may be found; nothing of a deleted show."""
    if show.deleted_at is None:
        for source in SOURCES:
            yield from source.list_documents(session, show, None)


def find_documents(
    session: Session, show: Show, subjects: Collection[tuple[str, str]]
) -> Iterator[Document]:
    """Those of these kinds and ids that may be found now."""
    if show.deleted_at is not None:
        return
    for source in SOURCES:
        ids = sorted(id_ for kind, id_ in subjects if kind == source.kind)
        for start in range(0, len(ids), _AT_ONCE):
            yield from source.list_documents(session, show, ids[start : start + _AT_ONCE])
