"""The slugs of articles and pages: free ones, renamed ones; old ones lead on for ever."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.errors import Conflict
from podhost.formats.text import slugify
from podhost.models import Article, Page, WrittenSlug

ARTICLE, PAGE = "article", "page"
_TABLES: dict[str, type[Article] | type[Page]] = {ARTICLE: Article, PAGE: Page}


def own_slug(session: Session, kind: str, show_id: str, value: str) -> str:
    """A slug that somebody chose. Raises ValueError, or Conflict where it is taken."""
    slug = fields.slug(value)
    if _is_taken(session, kind, show_id, slug):
        sentence = f"The show has an article {slug!r} already."
        if kind == PAGE:
            sentence = f"The show has a page {slug!r} already."
        raise Conflict(sentence, {"slug": sentence})
    return slug


def free_slug(session: Session, kind: str, show_id: str, title: str) -> str:
    """One made of the title, with a number where others have it."""
    wanted = slugify(title, fallback=kind, max_chars=60)
    candidate, number = wanted, 2
    while _is_taken(session, kind, show_id, candidate):
        candidate, number = f"{wanted}-{number}", number + 1
    return candidate


def rename(session: Session, kind: str, row: Article | Page, value: str) -> None:
    """Give it another slug; the one that it had goes on leading here."""
    slug = fields.slug(value)
    old = session.get(WrittenSlug, (row.show_id, kind, slug))
    if old is not None and old.target_id == row.id:
        session.delete(old)
        session.flush()
    slug = own_slug(session, kind, row.show_id, slug)
    session.add(WrittenSlug(show_id=row.show_id, kind=kind, slug=row.slug, target_id=row.id))
    row.slug = slug


def list_old_slugs(session: Session, kind: str, show_id: str) -> dict[str, list[str]]:
    """The slugs that each article, or page, of a show once had, by its id."""
    rows = session.execute(
        select(WrittenSlug.target_id, WrittenSlug.slug)
        .where(WrittenSlug.show_id == show_id, WrittenSlug.kind == kind)
        .order_by(WrittenSlug.slug)
    )
    found: dict[str, list[str]] = {}
    for target, slug in rows:
        found.setdefault(target, []).append(slug)
    return found


def keep_old_slugs(session: Session, kind: str, row: Article | Page, slugs: Iterable[str]) -> bool:
    """Have these lead to it as well, as far as they are free; whether any was new."""
    is_new = False
    for slug in slugs:
        if not _is_taken(session, kind, row.show_id, slug):
            session.add(WrittenSlug(show_id=row.show_id, kind=kind, slug=slug, target_id=row.id))
            session.flush()
            is_new = True
    return is_new


def target_id(session: Session, kind: str, show_id: str, key: str) -> str | None:
    """The id of what has this slug or id, or once had the slug; also of what was deleted."""
    if not fields.may_be_slug(key):
        return None
    table = _TABLES[kind]
    found = session.scalar(
        select(table.id).where(table.show_id == show_id, (table.id == key) | (table.slug == key))
    )
    if found is None:
        found = session.scalar(
            select(WrittenSlug.target_id).where(
                WrittenSlug.show_id == show_id, WrittenSlug.kind == kind, WrittenSlug.slug == key
            )
        )
    return found


def _is_taken(session: Session, kind: str, show_id: str, slug: str) -> bool:
    table = _TABLES[kind]
    current = select(table.id).where(table.show_id == show_id, table.slug == slug)
    if session.scalar(current) is not None:
        return True
    return session.get(WrittenSlug, (show_id, kind, slug)) is not None
