"""Carries out what `written_plan` planned: sponsors, pages and articles, one transaction each."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from podhost.db import Database
from podhost.errors import Conflict
from podhost.folders.contents import ShowFolder
from podhost.folders.files import FolderFile
from podhost.folders.newsletter import apply_newsletter
from podhost.folders.pictures import Picture, add_picture, prepare_picture
from podhost.folders.site import apply_site
from podhost.folders.written import ArticleFiles, PageFiles
from podhost.folders.written_authors import author_inputs, author_pictures, said_of_authors
from podhost.folders.written_plan import (
    OF_THE_SHOW,
    WrittenStep,
    article_input,
    find_episode_id,
    known_picture,
    page_input,
)
from podhost.formats.showfolder import PersonEntry
from podhost.models import Article, Artwork, Page, Show, Sponsor
from podhost.people import name_key
from podhost.shows import lock_show
from podhost.storage import Storage
from podhost.uploads.intake import Intake
from podhost.written.articles import change_article, create_article, set_article_picture
from podhost.written.pages import change_page, create_page
from podhost.written.publishing import (
    keep_withdrawn_article,
    publish_article,
    withdraw_article,
)
from podhost.written.slugs import ARTICLE, PAGE, keep_old_slugs
from podhost.written.sponsors import (
    SponsorInput,
    change_sponsor,
    create_sponsor,
    delete_sponsor,
    list_sponsors,
    set_sponsor_logo,
)

R = TypeVar("R", Article, Page)

_DONE = {
    "create": "created",
    "change": "changed",
    "publish": "published",
    "schedule": "scheduled",
    "withdraw": "withdrawn",
}


@dataclass(frozen=True, slots=True)
class WrittenApplying:
    """One run over a folder whose show is there."""

    database: Database
    storage: Storage
    folder: ShowFolder
    show_id: str
    now: Callable[[], datetime]
    done: Counter[str]
    base_url: str = ""

    def apply(self, step: WrittenStep) -> None:
        """Do one step. Raises PodhostError with a sentence; then nothing of it was done."""
        if step.kind == "sponsors":
            self._sponsors()
            self.done["list of sponsors changed"] += 1
        elif step.kind == "site":
            self._site()
            self.done["site changed"] += 1
        elif step.kind == "newsletter":
            self._newsletter()
            self.done["newsletter changed"] += 1
        elif isinstance(step.files, ArticleFiles):
            self._article(step, step.files)
        elif isinstance(step.files, PageFiles):
            self._page(step, step.files)
        for action in step.actions if step.kind not in OF_THE_SHOW else ():
            self.done[f"{step.kind}s {_DONE[action]}"] += 1

    def _article(self, step: WrittenStep, files: ArticleFiles) -> None:
        with Intake(self.database, self.storage) as intake:
            picture = self._prepared(intake, files.picture) if files.picture else None
            pictures = {
                name: self._prepared(intake, file)
                for name, file in self._author_pictures(step, files).items()
            }
            with self.database.write() as session:
                show = self._show(session)
                ids: dict[str, str | None] = {
                    name: add_picture(session, each, now=self.now()).id
                    for name, each in pictures.items()
                }
                self._write_article(session, show, step, files, ids, picture)
        intake.take_back()

    def _said(self, step: WrittenStep) -> dict[str, PersonEntry]:
        return said_of_authors(self.folder, self.now())[step.is_out]

    def _author_pictures(self, step: WrittenStep, files: ArticleFiles) -> dict[str, FolderFile]:
        said, every = self._said(step), author_pictures(self.folder)
        known = [said.get(name_key(entry.name), entry) for entry in files.source.authors]
        return {each.image: every[each.image] for each in known if each.image in every}

    def _write_article(
        self,
        session: Session,
        show: Show,
        step: WrittenStep,
        files: ArticleFiles,
        picture_ids: dict[str, str | None],
        picture: Picture | None,
    ) -> None:
        now, source = self.now(), files.source
        given = article_input(files, show.time_zone)
        given.authors = author_inputs(source.authors, self._said(step), picture_ids)
        if step.slug is not None:
            given.slug = step.slug
        given.episode = None
        if source.episode is not None:
            given.episode = find_episode_id(session, show, source.episode)
        if step.row_id is None:
            free = source.id if source.id and session.get(Article, source.id) is None else None
            row = create_article(session, show, given, now=now, article_id=free)
        else:
            row = _current(session, Article, step.row_id)
            change_article(session, show, row, given, now=now)
        keep_old_slugs(session, ARTICLE, row, source.old_slugs)
        artwork = add_picture(session, picture, now=now) if picture is not None else None
        set_article_picture(session, row, artwork, now=now)
        action, at = step.status.action, step.status.at
        if action == "withdraw" and at is not None:
            keep_withdrawn_article(session, row, at=at, now=now)
        elif action == "withdraw":
            withdraw_article(session, row, now=now)
        elif action is not None:
            publish_article(session, row, now=now, at=at)

    def _page(self, step: WrittenStep, files: PageFiles) -> None:
        given = page_input(files)
        if step.slug is not None:
            given.slug = step.slug
        with self.database.write() as session:
            show, now, source = self._show(session), self.now(), files.source
            if step.row_id is None:
                free = source.id if source.id and session.get(Page, source.id) is None else None
                row = create_page(session, show, given, now=now, page_id=free)
            else:
                row = _current(session, Page, step.row_id)
                change_page(session, row, given, now=now)
            keep_old_slugs(session, PAGE, row, source.old_slugs)

    def _sponsors(self) -> None:
        entries = self.folder.show.sponsors
        with Intake(self.database, self.storage) as intake:
            logos = {
                name: self._prepared(intake, file)
                for name, file in self.folder.written.logos.items()
            }
            with self.database.write() as session:
                show, now = self._show(session), self.now()
                left = [*list_sponsors(session, show)]
                for position, entry in enumerate(entries, 1):
                    given = SponsorInput(
                        name=entry.name,
                        url=entry.url,
                        text=entry.text or "",
                        starts_on=entry.starts_on,
                        ends_on=entry.ends_on,
                        position=position,
                        in_notes=entry.in_notes,
                    )
                    row = _take(left, entry.name)
                    if row is None:
                        row = create_sponsor(session, show, given, now=now)
                    else:
                        change_sponsor(session, show, row, given, now=now)
                    artwork: Artwork | None = None
                    if entry.logo is not None:
                        artwork = add_picture(session, logos[entry.logo], now=now)
                    set_sponsor_logo(session, show, row, artwork, now=now)
                for row in left:
                    delete_sponsor(session, show, row, now=now)
        intake.take_back()

    def _site(self) -> None:
        assert self.folder.site is not None
        with self.database.write() as session:
            # Shows are locked in one order, where several are linked.
            show = session.get_one(Show, self.show_id)
            now = self.now()
            apply_site(session, show, self.folder.site, base_url=self.base_url, now=now)

    def _newsletter(self) -> None:
        said = self.folder.show.newsletter
        assert said is not None
        with self.database.write() as session:
            apply_newsletter(session, self._show(session), said, now=self.now())

    def _prepared(self, intake: Intake, file: FolderFile) -> Picture:
        with self.database.read() as session:
            known_id = known_picture(session, self.folder, file)
        return prepare_picture(
            self.database,
            intake,
            file,
            is_square=False,
            known_id=known_id,
            kept=self.folder.addresses.pictures,
        )

    def _show(self, session: Session) -> Show:
        lock_show(session, self.show_id)
        show = session.get(Show, self.show_id)
        if show is None or show.deleted_at is not None:
            raise Conflict("The show was deleted meanwhile.")
        return show


def _current(session: Session, table: type[R], row_id: str) -> R:
    row = session.get(table, row_id)
    if row is None or row.deleted_at is not None:
        raise Conflict("It was deleted meanwhile.")
    return row


def _take(rows: list[Sponsor], name: str) -> Sponsor | None:
    """The sponsor of this name, which is not given again."""
    for row in rows:
        if row.name.casefold() == name.casefold():
            rows.remove(row)
            return row
    return None
