"""What publishing the written side of a folder would change: files against rows, and no more."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import UNSET
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.artwork import find_picture
from podhost.episodes import find_episode_by_guid, get_episode
from podhost.errors import Invalid, NotFound
from podhost.folders.contents import SHOW_FILE, ShowFolder
from podhost.folders.files import FolderFile, sha256_of
from podhost.folders.newsletter import changes_of_newsletter
from podhost.folders.site import changes_of_site
from podhost.folders.values import StatusStep, Wish, decide_status, title_of_stem
from podhost.folders.written import ArticleFiles, PageFiles
from podhost.folders.written_authors import (
    author_inputs,
    author_pictures,
    dated_at,
    is_dated_out,
    said_of_authors,
)
from podhost.formats.text import shown, slugify
from podhost.models import Article, Artwork, Page, Person, Show
from podhost.people import find_person, name_key, read_links
from podhost.people_public import is_out, public_value
from podhost.written import articles as article_rows
from podhost.written import pages as page_rows
from podhost.written.articles import ArticleInput, AuthorInput, list_authors
from podhost.written.pages import PageInput
from podhost.written.slugs import ARTICLE, PAGE, list_old_slugs, target_id
from podhost.written.sponsors import list_sponsors

Kind = Literal["article", "page", "sponsors", "site", "newsletter"]
# Those of which a show has one, in its show.toml.
OF_THE_SHOW = ("sponsors", "site", "newsletter")
_LEADING_NUMBERS = re.compile(r"^(?:\d+[\s._-]+)+")
_NAMED = 5
_NO_TEXT = "it has no text yet."
# What the domain calls a field, where the file calls it otherwise.
_KEYS = {"updated_at": "updated"}


@dataclass(frozen=True, slots=True)
class WrittenStep:
    """What is to happen to an article or a page, to all sponsors together, to what is said of the
    site, or to how the newsletter is set."""

    kind: Kind
    name: str
    title: str = ""
    row_id: str | None = None
    changes: tuple[str, ...] = ()
    status: StatusStep = field(default_factory=StatusStep)
    files: ArticleFiles | PageFiles | None = None
    slug: str | None = None
    problem: str | None = None
    warnings: tuple[str, ...] = ()
    is_kept: bool = False
    # Whether the article is out, now or with what is done to it.
    is_out: bool = False

    @property
    def actions(self) -> tuple[str, ...]:
        """What is done to it, in order: create, change, publish, schedule, withdraw."""
        if self.problem is not None or self.is_kept:
            return ()
        is_new = self.row_id is None and self.kind not in OF_THE_SHOW
        made = "create" if is_new else "change" if self.changes else None
        return tuple(action for action in (made, self.status.action) if action)

    @property
    def has_work(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.actions)

    @property
    def line(self) -> str:
        """For a terminal."""
        said = {"change": f"change {', '.join(self.changes)}"}
        if self.status.at is not None:
            said["schedule"] = f"schedule for {self.status.at:%Y-%m-%d %H:%M} UTC"
        actions = ", ".join(said.get(action, action) for action in self.actions)
        title = f" “{shown(self.title)}”" if self.title else ""
        return f"  {shown(self.name)}: {actions}{title}"


def plan_written(
    session: Session, show: Show | None, folder: ShowFolder, *, now: datetime
) -> list[WrittenStep]:
    """The steps for site, newsletter, sponsors, pages and articles, in the order of their names."""
    planner = _Planner(session, show, folder, now)
    return [*planner.tables(), *planner.sponsors(), *planner.pages(), *planner.articles()]


def article_input(files: ArticleFiles, time_zone: str) -> ArticleInput:
    """What an article's file says, but for slug, authors and episode."""
    source = files.source
    updated = source.updated
    if updated is not None and updated.tzinfo is None:
        updated = updated.replace(tzinfo=ZoneInfo(time_zone))
    return ArticleInput(
        title=source.title or title_of_stem(files.stem),
        summary=source.summary,
        text=source.text,
        categories=list(source.categories),
        updated_at=updated.isoformat() if updated is not None else None,
        picture_credit=source.picture_credit,
        picture_alt=source.picture_alt,
    )


def page_input(files: PageFiles) -> PageInput:
    """What a page's file says, but for the slug."""
    source = files.source
    return PageInput(
        title=source.title or title_of_stem(files.stem),
        text=source.text,
        status=source.status,
        menu=source.menu,
        position=source.position,
    )


def known_picture(session: Session, folder: ShowFolder, file: FolderFile) -> str | None:
    """The artwork that was made from this file, or written as this file."""
    sha256 = sha256_of(file)
    kept = folder.addresses.picture_id(sha256)
    if kept is not None and session.get(Artwork, kept) is not None:
        return kept
    found = find_picture(session, sha256, False)
    return found.id if found is not None else None


def find_episode_id(session: Session, show: Show, key: str) -> str:
    """The episode that a text names by its slug or guid. Raises NotFound."""
    try:
        return get_episode(session, show, key).id
    except NotFound:
        row = find_episode_by_guid(session, show, key)
        if row is None or row.deleted_at is not None:
            raise
        return row.id


class _Planner:
    def __init__(
        self, session: Session, show: Show | None, folder: ShowFolder, now: datetime
    ) -> None:
        self.session, self.show, self.folder, self.now = session, show, folder, now
        self.said = said_of_authors(folder, now)
        self.pictures = author_pictures(folder)
        # The artwork of authors' pictures, where it is stored.
        self.picture_ids = {
            name: known_picture(session, folder, file) for name, file in self.pictures.items()
        }

    # Articles

    def articles(self) -> list[WrittenStep]:
        files = self.folder.written.articles
        old = self._old_slugs(ARTICLE)
        doubled = _doubled(files)
        claimed: set[str] = set()
        steps = []
        for each in files:
            step = doubled.get(each.name)
            if step is None:
                row = self._article_row(each)
                if row is not None and row.id in claimed:
                    problem = f"Another file is the article “{shown(row.title)}” already."
                    step = WrittenStep("article", each.name, problem=problem)
                else:
                    step = self._article(each, row, old)
            if step.row_id is not None:
                claimed.add(step.row_id)
            steps.append(step)
        return [*steps, *self._missing(Article, "article", claimed, steps)]

    def _article(
        self, files: ArticleFiles, row: Article | None, old: Mapping[str, list[str]]
    ) -> WrittenStep:
        source, zone = files.source, self.folder.show.time_zone
        given = article_input(files, zone)
        slug = _wanted_slug(files, row)
        row_id = row.id if row is not None else None
        if row is not None and row.deleted_at is not None:
            warning = "This article was deleted here and stays so; take its file away."
            return _kept("article", files.name, row.id, warning)
        is_public = is_dated_out(files, zone, self.now) or (row is not None and is_out(row))
        try:
            show = self.show or _show(zone)
            changes = article_rows.changed_fields(self.session, show, row, given)
            authors = author_inputs(source.authors, self.said[is_public], self.picture_ids)
            if self._authors_differ(row, authors):
                changes.append("authors")
        except Invalid as error:
            return WrittenStep("article", files.name, row_id=row_id, problem=_complaint(error))
        if row is not None:
            changes += _slug_changes(row, slug, source.old_slugs, old)
            if self._episode_differs(row, source.episode):
                changes.append("episode")
            if self._picture_differs(files.picture, row.artwork_id):
                changes.append("picture")
        status = self._status(files, row, zone)
        warnings = (status.warning,) if status.warning is not None else ()
        return WrittenStep(
            "article",
            files.name,
            str(given.title),
            row_id,
            tuple(_KEYS.get(name, name) for name in changes),
            StatusStep(status.action, status.at),
            files,
            slug,
            warnings=warnings,
            is_out=is_public,
        )

    def _article_row(self, files: ArticleFiles) -> Article | None:
        found = self._row_id(ARTICLE, Article, files)
        return self.session.get(Article, found) if found is not None else None

    def _status(self, files: ArticleFiles, row: Article | None, zone: str) -> StatusStep:
        source, at = files.source, dated_at(files, zone)
        if row is None and source.status == "withdrawn" and at is not None:
            return StatusStep("withdraw", at)
        return decide_status(
            row.status if row is not None else "draft",
            row.published_at if row is not None else None,
            Wish(None if source.status is not None else at),
            problems=[] if source.text else [_NO_TEXT],
            now=self.now,
        )

    def _authors_differ(self, row: Article | None, wanted: Sequence[AuthorInput]) -> bool:
        if row is None or self.show is None:
            return bool(wanted)
        current = list_authors(self.session, row)
        people: dict[str, tuple[Person, AuthorInput]] = {}
        for author in wanted:
            person = find_person(self.session, self.show, name_key(author.name))
            if person is None:
                return True
            people[person.id] = (person, author)
        if [person.id for person in current] != [*people]:
            return True
        return any(self._says_other(person, author, row) for person, author in people.values())

    def _says_other(self, person: Person, author: AuthorInput, row: Article) -> bool:
        said = {
            "url": fields.web_url(author.url),
            "bio": fields.paragraph(author.bio),
            "image_url": fields.web_url(author.image_url),
            "artwork_id": author.artwork_id,
            "links": None if author.links is UNSET else read_links(author.links),
        }
        entry = self.said[is_out(row)].get(name_key(author.name))
        is_new = entry is not None and entry.image in self.pictures and not author.artwork_id
        known = partial(public_value if is_out(row) else getattr, person)
        return is_new or any(value and known(name) != value for name, value in said.items())

    def _episode_differs(self, row: Article, key: str | None) -> bool:
        if key is None or self.show is None:
            return row.episode_id is not None
        try:
            return find_episode_id(self.session, self.show, key) != row.episode_id
        except NotFound:
            # It may come with the same folder; if not, that is said when it is looked for.
            return True

    # Pages

    def pages(self) -> list[WrittenStep]:
        files = self.folder.written.pages
        old = self._old_slugs(PAGE)
        doubled = _doubled(files)
        claimed: set[str] = set()
        steps = []
        for each in files:
            step = doubled.get(each.name)
            if step is None:
                found = self._row_id(PAGE, Page, each)
                row = self.session.get(Page, found) if found is not None else None
                step = self._page(each, row, old)
            if step.row_id is not None:
                claimed.add(step.row_id)
            steps.append(step)
        return [*steps, *self._missing(Page, "page", claimed, steps)]

    def _page(
        self, files: PageFiles, row: Page | None, old: Mapping[str, list[str]]
    ) -> WrittenStep:
        given = page_input(files)
        slug = _wanted_slug(files, row)
        row_id = row.id if row is not None else None
        if row is not None and row.deleted_at is not None:
            warning = "This page was deleted here and stays so; take its file away."
            return _kept("page", files.name, row.id, warning)
        try:
            changes = page_rows.changed_fields(row, given)
        except Invalid as error:
            return WrittenStep("page", files.name, row_id=row_id, problem=_complaint(error))
        if row is not None:
            changes += _slug_changes(row, slug, files.source.old_slugs, old)
        title = str(given.title)
        return WrittenStep(
            "page", files.name, title, row_id, tuple(changes), files=files, slug=slug
        )

    # Site and newsletter, and sponsors

    def tables(self) -> list[WrittenStep]:
        site, newsletter = self.folder.site, self.folder.show.newsletter
        steps = [
            *([self._table("site", changes_of_site, site)] if site else []),
            *([self._table("newsletter", changes_of_newsletter, newsletter)] if newsletter else []),
        ]
        return [step for step in steps if step.changes or step.warnings or step.problem]

    def _table(self, kind: Kind, changes_of: Callable[..., Any], said: object) -> WrittenStep:
        try:
            changes, warnings = changes_of(self.session, self.show, said)
        except Invalid as error:
            return WrittenStep(kind, SHOW_FILE, problem=f"[{kind}]: {error.message}")
        return WrittenStep(kind, SHOW_FILE, changes=changes, warnings=warnings)

    def sponsors(self) -> list[WrittenStep]:
        entries = self.folder.show.sponsors
        if not entries:
            return []
        rows = list_sponsors(self.session, self.show) if self.show is not None else []
        current = [
            (row.name, row.url, row.text, row.starts_on, row.ends_on, row.in_notes) for row in rows
        ]
        wanted = [
            (
                *(entry.name, fields.web_url(entry.url), fields.paragraph(entry.text)),
                *(entry.starts_on, entry.ends_on, entry.in_notes),
            )
            for entry in entries
        ]
        is_same = current == wanted and not any(
            self._picture_differs(self.folder.written.logos.get(entry.logo or ""), row.artwork_id)
            for entry, row in zip(entries, rows, strict=True)
        )
        return [] if is_same else [WrittenStep("sponsors", SHOW_FILE, changes=("sponsors",))]

    # What they share

    def _row_id(
        self, kind: str, table: type[Article] | type[Page], files: ArticleFiles | PageFiles
    ) -> str | None:
        """Which row the file is: by its id, its slug, or a slug that it had."""
        if self.show is None:
            return None
        source = files.source
        if source.id is not None:
            known = select(table.id).where(table.id == source.id, table.show_id == self.show.id)
            if self.session.scalar(known) is not None:
                return source.id
        for slug in (source.slug or stem_slug(files.stem), *source.old_slugs):
            found = target_id(self.session, kind, self.show.id, slug)
            if found is not None:
                return found
        return None

    def _old_slugs(self, kind: str) -> dict[str, list[str]]:
        return list_old_slugs(self.session, kind, self.show.id) if self.show is not None else {}

    def _picture_differs(self, file: FolderFile | None, artwork_id: str | None) -> bool:
        if file is None or artwork_id is None:
            return (file is None) != (artwork_id is None)
        sha256 = sha256_of(file)
        current = self.session.get_one(Artwork, artwork_id)
        kept = self.folder.addresses.picture_id(sha256)
        return sha256 != current.source_sha256 and kept != artwork_id

    def _missing(
        self,
        table: type[Article] | type[Page],
        kind: Literal["article", "page"],
        claimed: set[str],
        steps: Sequence[WrittenStep],
    ) -> list[WrittenStep]:
        """A note of those of which no file tells, where files tell of others."""
        is_unsure = self.folder.written.problems or any(step.problem for step in steps)
        if self.show is None or not steps or is_unsure:
            return []
        rows = self.session.execute(
            select(table.id, table.title)
            .where(table.show_id == self.show.id, table.deleted_at.is_(None))
            .order_by(table.title)
        )
        titles = [title for id_, title in rows if id_ not in claimed]
        if not titles:
            return []
        names = ", ".join(f"“{shown(title)}”" for title in titles[:_NAMED])
        more = f" and {len(titles) - _NAMED} more" if len(titles) > _NAMED else ""
        warning = f"No files here for {names}{more}; podhost keeps what it has."
        return [_kept(kind, f"{kind}s/", None, warning)]


def stem_slug(stem: str) -> str:
    """The slug that a file's name gives, without a date or number before it."""
    return slugify(_LEADING_NUMBERS.sub("", stem) or stem, fallback="untitled", max_chars=60)


def _wanted_slug(files: ArticleFiles | PageFiles, row: Article | Page | None) -> str:
    if files.source.slug is not None:
        return files.source.slug
    return row.slug if row is not None else stem_slug(files.stem)


def _slug_changes(
    row: Article | Page, slug: str, old_slugs: Sequence[str], old: Mapping[str, list[str]]
) -> list[str]:
    changes = ["slug"] if slug != row.slug else []
    known = {row.slug, slug, *old.get(row.id, ())}
    return [*changes, "old_slugs"] if not known.issuperset(old_slugs) else changes


def _doubled(files: Sequence[ArticleFiles] | Sequence[PageFiles]) -> dict[str, WrittenStep]:
    """Files that say the same slug or id as another one, which are problems."""
    found: dict[str, WrittenStep] = {}
    named: dict[tuple[str, str], list[ArticleFiles | PageFiles]] = {}
    for each in files:
        named.setdefault(("slug", each.source.slug or stem_slug(each.stem)), []).append(each)
        if each.source.id is not None:
            named.setdefault(("id", each.source.id), []).append(each)
    for (key, value), several in named.items():
        for each in several if len(several) > 1 else ():
            other = next(one for one in several if one is not each)
            kind: Kind = "article" if isinstance(each, ArticleFiles) else "page"
            problem = f"It has the same {key} as {shown(other.name)}: {shown(value)}."
            found[each.name] = WrittenStep(kind, each.name, problem=problem)
    return found


def _kept(kind: Kind, name: str, row_id: str | None, warning: str) -> WrittenStep:
    return WrittenStep(kind, name, row_id=row_id, warnings=(warning,), is_kept=True)


def _complaint(error: Invalid) -> str:
    said = [f"“{_KEYS.get(key, key)}”: {text}" for key, text in error.fields.items()]
    return " ".join(said) or error.message


def _show(time_zone: str) -> Show:
    """In the place of a show that is not there yet: what is compared asks its zone only."""
    return Show(time_zone=time_zone)
