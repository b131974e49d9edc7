"""Pages of a show beside its articles, such as about, contact or FAQ, and the menus they make."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.changes import record_change
from podhost.db import new_id
from podhost.errors import Conflict, Gone, Invalid, NotFound, Outdated
from podhost.formats.written_text import render_text
from podhost.history.trash import TRASH_KEPT
from podhost.models import Page, Show
from podhost.written.slugs import PAGE, free_slug, own_slug, rename, target_id

STATUSES = ("draft", "published")
MENUS = ("top", "foot", "none")
MOST_PAGES = 200
_NO_TITLE = "A page needs a title."
_MENU_ORDER = case({"top": 0, "foot": 1}, value=Page.menu, else_=2)


class PageInput(msgspec.Struct, kw_only=True):
    """What a host may say of a page; fields that are not given stay as they are.

    `menu` is top, foot or none, `position` the place there, counted from 1.
    """

    title: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    menu: str | UnsetType = UNSET
    position: int | UnsetType = UNSET


def _position(value: int) -> int:
    if not 1 <= value <= 1_000:
        raise ValueError("It must be a whole number from 1 to 1000.")
    return value


_READERS: dict[str, tuple[str, fields.Reader]] = {
    "title": ("title", fields.required_line),
    "text": ("text", fields.markdown),
    "status": ("status", fields.one_of(*STATUSES)),
    "menu": ("menu", fields.one_of(*MENUS)),
    "position": ("position", _position),
}


def create_page(
    session: Session, show: Show, given: PageInput, *, now: datetime, page_id: str | None = None
) -> Page:
    """A new page, a draft unless said otherwise; it stands last where no position is given.

    Raises Invalid with every wrong field, Conflict when the slug is taken.
    """
    if given.title is UNSET:
        raise Invalid(f"title: {_NO_TITLE}", {"title": _NO_TITLE})
    held = func.count(), func.coalesce(func.max(Page.position), 0)
    of_show = select(*held).where(Page.show_id == show.id, Page.deleted_at.is_(None))
    count, last = session.execute(of_show).one()
    if count >= MOST_PAGES:
        raise Conflict(f"A show may have {MOST_PAGES} pages; delete one first.")
    page = Page(
        id=page_id or new_id(),
        show_id=show.id,
        slug="",
        title="",
        text="",
        text_html="",
        status="draft",
        menu="none",
        position=min(last + 1, 1_000),
        version=1,
        created_at=now,
        changed_at=now,
    )
    _, errors = fields.apply_given(page, given, _READERS)
    with errors.noting("slug"):
        if given.slug is not UNSET:
            page.slug = own_slug(session, PAGE, show.id, given.slug)
        elif page.title:
            page.slug = free_slug(session, PAGE, show.id, page.title)
    with errors.noting("text"):
        page.text_html = render_text(page.text)
    errors.raise_any()
    session.add(page)
    session.flush()
    record_change(session, "site", show.id, now=now)
    return page


def change_page(
    session: Session,
    page: Page,
    given: PageInput,
    *,
    now: datetime,
    seen_version: int | None = None,
) -> bool:
    """Change what was given; False when everything was so already.

    Raises Invalid with every wrong field, Conflict when the slug is taken, Outdated when it is
    not the version any more that was seen.
    """
    if seen_version is not None and seen_version != page.version:
        raise Outdated("Somebody else changed this meanwhile; load it again, and nothing is lost.")
    changed, errors = fields.apply_given(page, given, _READERS)
    with errors.noting("slug"):
        if given.slug is not UNSET and given.slug != page.slug:
            rename(session, PAGE, page, given.slug)
            changed.add("slug")
    with errors.noting("text"):
        if "text" in changed:
            page.text_html = render_text(page.text)
    errors.raise_any()
    if changed:
        _touch(session, page, now=now)
    return bool(changed)


def changed_fields(page: Page | None, given: PageInput) -> list[str]:
    """Which fields but the slug `change_page` would change. Raises Invalid."""
    changed = fields.changed_fields(page or Page(), given, _READERS)
    errors = fields.FieldErrors()
    with errors.noting("text"):
        render_text("" if given.text is UNSET else given.text)
    errors.raise_any()
    return changed


def delete_page(session: Session, page: Page, *, now: datetime) -> None:
    """Delete the page; its address answers 410 if it was out, and it can come back."""
    page.deleted_at = now
    _touch(session, page, now=now)


def restore_page(session: Session, page: Page, *, now: datetime) -> None:
    """Bring a deleted page back. Raises Conflict where it is not deleted, Gone after 30 days."""
    if page.deleted_at is None:
        raise Conflict("It is not in the trash.")
    if page.deleted_at + TRASH_KEPT <= now:
        raise Gone("It was deleted more than 30 days ago.")
    page.deleted_at = None
    _touch(session, page, now=now)


def get_page(session: Session, show: Show, key: str, *, deleted: bool = False) -> Page:
    """The page with this id or slug, also by a slug that it once had; with `deleted`, deleted
    ones too. Raises NotFound, or Gone when it was deleted."""
    found = target_id(session, PAGE, show.id, key)
    if found is None:
        raise NotFound(f"The show {show.slug!r} has no page {key!r}.")
    page = session.get_one(Page, found)
    if page.deleted_at is not None and not deleted:
        raise Gone(f"The page {key!r} was deleted.")
    return page


def list_pages(session: Session, show: Show) -> Sequence[Page]:
    """The show's pages as they stand in their menus: those at the top, at the foot, the others."""
    return session.scalars(
        select(Page)
        .where(Page.show_id == show.id, Page.deleted_at.is_(None))
        .order_by(_MENU_ORDER, Page.position, Page.title, Page.id)
    ).all()


class MenuEntry(NamedTuple):
    """A page as a menu names it."""

    slug: str
    title: str


def read_menus(session: Session, show_id: str) -> dict[str, list[MenuEntry]]:
    """The published pages of the menus "top" and "foot", in order, for the site."""
    rows = session.execute(
        select(Page.menu, Page.slug, Page.title)
        .where(
            Page.show_id == show_id,
            Page.status == "published",
            Page.deleted_at.is_(None),
            Page.menu != "none",
        )
        .order_by(Page.position, Page.title, Page.id)
    )
    menus: dict[str, list[MenuEntry]] = {"top": [], "foot": []}
    for menu, slug, title in rows:
        menus[menu].append(MenuEntry(slug, title))
    return menus


class PublicPage(NamedTuple):
    """A page as the site shows it."""

    slug: str
    title: str
    text_html: str
    changed_at: datetime


def find_page(session: Session, show_id: str, slug: str) -> PublicPage:
    """The published page with this slug; another `slug` in the answer is where it is now.

    Raises Gone where it was out and was deleted, and NotFound for drafts and what never was.
    """
    found = target_id(session, PAGE, show_id, slug)
    row = session.execute(
        select(
            Page.slug, Page.title, Page.text_html, Page.changed_at, Page.status, Page.deleted_at
        ).where(Page.id == found)
    ).one_or_none()
    if row is None or row.status != "published" or found == slug:
        raise NotFound("There is no such page here.")
    if row.deleted_at is not None:
        raise Gone("This page was deleted.")
    return PublicPage(row.slug, row.title, row.text_html, row.changed_at)


def published_pages(session: Session, show_id: str) -> list[tuple[str, datetime]]:
    """The slug of each published page and when it changed, for a sitemap."""
    rows = session.execute(
        select(Page.slug, Page.changed_at)
        .where(Page.show_id == show_id, Page.status == "published", Page.deleted_at.is_(None))
        .order_by(Page.slug)
    )
    return [(slug, changed_at) for slug, changed_at in rows]


def _touch(session: Session, page: Page, *, now: datetime) -> None:
    page.changed_at = now
    page.version += 1
    session.flush()
    record_change(session, "site", page.show_id, now=now)
