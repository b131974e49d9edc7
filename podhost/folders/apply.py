"""Publishing a folder of plain files: carries out a plan, episode by episode, and watches.

What is slow is done outside transactions and two episodes at once; each episode then has one
transaction of its own, in order. A crash between any two lines loses nothing, and the next run
goes on where this one ended.
"""

import logging
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from threading import Event

from sqlalchemy.orm import Session

from podhost.db import Database
from podhost.errors import Conflict, Invalid, PodhostError, Unavailable
from podhost.folders.contents import SHOW_FILE
from podhost.folders.episodes import Prepared, prepare_episode, write_episode
from podhost.folders.files import reason, rewrite
from podhost.folders.origins import restore_show, store_shared_pictures
from podhost.folders.pictures import Picture, add_picture, prepare_picture, prepare_pictures
from podhost.folders.plan import EpisodePlan, Plan
from podhost.folders.values import credits_of, show_input
from podhost.folders.written_apply import WrittenApplying
from podhost.folders.written_plan import WrittenStep
from podhost.formats import showfolder
from podhost.formats.folder_addresses import Addresses
from podhost.history.audit import FOLDER, Act, acting
from podhost.models import Show
from podhost.shows import change_show, create_show, is_public, lock_show, set_show_artwork
from podhost.storage import Storage
from podhost.uploads.intake import Intake

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
_AT_ONCE = 2
_PLURAL = re.compile(r"(?<=^episode)s|(?<=^article)s|(?<=^page)s")
# A folder in which nothing has changed for so long is taken as finished.
_QUIET_MS = 1_000
_WATCHED_FOLDERS = 1_000


@dataclass(slots=True)
class Result:
    """What was done, as lines to print; `problems` are what the plan could not foresee.

    `is_outrun` says that somebody else changed the same show since the plan was made, so that a
    new plan may find nothing wrong.
    """

    done: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    is_outrun: bool = False
    notes: list[str] = field(default_factory=list)

    def note_problem(self, name: str, error: PodhostError) -> None:
        """Keep what went wrong with a file."""
        self.problems.append(f"{name}: {error.message}")
        # All that can be foreseen stood in the plan.
        self.is_outrun = self.is_outrun or isinstance(error, Conflict)

    @property
    def is_well(self) -> bool:
        """Whether everything that was planned was done."""
        return not self.problems

    @property
    def lines(self) -> list[str]:
        """For a terminal; none when nothing was done."""
        lines = [f"  Note: {note}" for note in self.notes]
        lines += [f"  Problem: {problem}" for problem in self.problems]
        if self.done:
            counted = ", ".join(
                f"{count} {_PLURAL.sub('', what) if count == 1 else what}"
                for what, count in self.done.items()
            )
            lines.append(f"Done: {counted}.")
        return lines


def apply_plan(
    database: Database,
    storage: Storage,
    plan: Plan,
    *,
    base_url: str,
    now: Callable[[], datetime],
    progress: Progress | None = None,
) -> Result:
    """Carry out what `plan_show` planned. What fails is in the result, and the rest goes on.

    `progress` is told how many of how many steps are done. Raises Unavailable when the database
    or the storage is away; publishing again goes on from there.
    """
    result = Result()
    if plan.folder is None:
        return result
    work = [episode for episode in plan.episodes if episode.has_work]
    report = progress or (lambda done, total: None)
    report(0, len(work) + len(_written_steps(plan)) + 1)
    applying = _Applying(database, storage, plan, base_url, now, result)
    with acting(Act("publish_folder", FOLDER)):
        _apply(applying, work, report)
    return result


def _apply(applying: "_Applying", work: Sequence[EpisodePlan], report: Progress) -> None:
    result = applying.result
    try:
        show = applying.apply_show()
    except Unavailable:
        raise
    except PodhostError as error:
        result.note_problem(SHOW_FILE, error)
        return
    steps = _written_steps(applying.plan)
    total = len(work) + len(steps) + 1
    report(1, total)
    store_shared_pictures(
        applying.database,
        applying.storage,
        work,
        applying.addresses.pictures,
        now=applying.now(),
    )
    with closing(_prepared_ahead(work, applying.prepare)) as ahead:
        for count, (episode, future) in enumerate(ahead, 2):
            applying.apply_episode(show, episode, future)
            report(count, total)
    # After the episodes, which articles may name.
    for count, step in enumerate(steps, len(work) + 2):
        applying.apply_written(show, step)
        report(count, total)


def _written_steps(plan: Plan) -> list[WrittenStep]:
    return [step for step in plan.written if step.has_work]


@dataclass(frozen=True, slots=True)
class _Applying:
    """One run; the show first, then each episode."""

    database: Database
    storage: Storage
    plan: Plan
    base_url: str
    now: Callable[[], datetime]
    result: Result

    @property
    def addresses(self) -> Addresses:
        """Those that the show had where its folder was written."""
        assert self.plan.folder is not None
        return self.plan.folder.addresses

    def apply_show(self) -> Show:
        """The show's row, made or changed where the plan says so."""
        if self.plan.show_action == "nothing":
            with self.database.read() as session:
                show = _get(session, self.plan.show_id)
        else:
            with Intake(self.database, self.storage) as intake:
                show = self._write_show(intake)
            intake.take_back()
            is_new = self.plan.show_action == "create"
            self.result.done["show created" if is_new else "show changed"] += 1
        self._write_podcast_guid(show)
        return show

    def _write_show(self, intake: Intake) -> Show:
        folder = self.plan.folder
        assert folder is not None
        artwork = self._show_artwork(intake)
        is_new = self.plan.show_id is None
        people = is_new or "people" in self.plan.show_changes
        pictures = (
            prepare_pictures(
                self.database,
                intake,
                folder.pictures,
                self.plan.picture_ids,
                folder.addresses.pictures,
            )
            if people
            else {}
        )
        given = show_input(folder.show)
        with self.database.write() as session:
            now = self.now()
            if people:
                ids = {name: add_picture(session, pictures[name], now=now).id for name in pictures}
                given.people = credits_of(folder.show.people, ids)
            if self.plan.show_id is None:
                given.slug = self.plan.slug
                if folder.show.podcast_guid is not None:
                    given.podcast_guid = folder.show.podcast_guid
                show = create_show(session, given, base_url=self.base_url, now=now)
            else:
                lock_show(session, self.plan.show_id)
                show = _get(session, self.plan.show_id)
                if folder.show.slug is not None:
                    given.slug = folder.show.slug
                change_show(session, show, given, now=now)
            if artwork is not None:
                set_show_artwork(session, show, add_picture(session, artwork, now=now), now=now)
            if is_new:
                restore_show(session, show, folder.addresses, now=now)
        return show

    def _show_artwork(self, intake: Intake) -> Picture | None:
        folder = self.plan.folder
        assert folder is not None
        is_wanted = self.plan.show_id is None or "artwork" in self.plan.show_changes
        if folder.artwork is None or not is_wanted:
            return None
        try:
            return prepare_picture(
                self.database,
                intake,
                folder.artwork,
                is_square=True,
                kept=folder.addresses.pictures,
            )
        except Invalid as error:
            # The show stands with a plain pattern, rather than not at all.
            self.result.problems.append(error.message)
            return None

    def _write_podcast_guid(self, show: Show) -> None:
        """Once the address is public, the folder says for ever which show it is."""
        folder = self.plan.folder
        assert folder is not None
        if folder.show.podcast_guid is not None or not is_public(self.base_url):
            return
        try:
            text = showfolder.write_show_value(folder.text, "podcast_guid", show.podcast_guid)
            rewrite(folder.text_file, folder.text, text)
        except OSError as error:
            if self.plan.show_id is None:
                self.result.notes.append(
                    f"{SHOW_FILE} cannot be written ({reason(error)}); keep the name of the "
                    f'folder, or add podcast_guid = "{show.podcast_guid}" by hand.'
                )
        except PodhostError as error:
            self.result.notes.append(f"{SHOW_FILE}: {error.message}")

    def prepare(self, episode: EpisodePlan) -> Prepared:
        """Store an episode's files; in a thread."""
        return prepare_episode(
            self.database, self.storage, episode, self.plan.picture_ids, self.addresses.pictures
        )

    def apply_episode(self, show: Show, episode: EpisodePlan, future: Future[Prepared]) -> None:
        """Write one episode's row; what is wrong with it is a problem of the result."""
        name = episode.files.name
        try:
            prepared = future.result()
            with prepared.intake:
                written = write_episode(
                    self.database,
                    self.storage,
                    show,
                    prepared,
                    base_url=self.base_url,
                    now=self.now,
                    kept_date=self.addresses.changed_at,
                )
            # A picture that another episode stored first is there twice.
            prepared.intake.take_back()
        except Unavailable:
            raise
        except PodhostError as error:
            self.result.note_problem(name, error)
            return
        self.result.done.update(written.done)
        self.result.notes += [f"{name}: {note}" for note in written.notes]

    def apply_written(self, show: Show, step: WrittenStep) -> None:
        """Do one step of the written side; what is wrong with it is a problem of the result."""
        assert self.plan.folder is not None
        done = self.result.done
        applying = WrittenApplying(
            *(self.database, self.storage, self.plan.folder, show.id, self.now, done),
            base_url=self.base_url,
        )
        try:
            applying.apply(step)
        except Unavailable:
            raise
        except PodhostError as error:
            self.result.note_problem(step.name, error)


def _get(session: Session, show_id: str | None) -> Show:
    show = session.get(Show, show_id) if show_id is not None else None
    if show is None or show.deleted_at is not None:
        raise Conflict("The show was deleted meanwhile.")
    return show


def _prepared_ahead(
    work: Sequence[EpisodePlan], prepare: Callable[[EpisodePlan], Prepared]
) -> Generator[tuple[EpisodePlan, Future[Prepared]], None, None]:
    """Each episode in order, while the next ones are prepared in threads.

    Preparing is waiting for children and for the storage, so two at once take half the time.
    """
    coming = iter(work)
    waiting: deque[tuple[EpisodePlan, Future[Prepared]]] = deque()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="podhost-prepare") as pool:
        try:
            while True:
                for episode in islice(coming, _AT_ONCE + 1 - len(waiting)):
                    waiting.append((episode, pool.submit(prepare, episode)))
                if not waiting:
                    return
                yield waiting.popleft()
        finally:
            for _, future in waiting:
                if not future.cancel():
                    with suppress(Exception):
                        future.result().intake.take_back()


def watch_folder(folder: Path, on_change: Callable[[], object], stop: Event) -> None:
    """Call `on_change` now and whenever files in the folder have changed, until `stop` is set.

    It waits until nothing has changed for a second, so that a file that is being copied is taken
    when it is whole. What goes wrong is logged; an outage is tried again.
    """
    is_due = True
    while not stop.is_set():
        watched = _folders_below(folder)
        if not watched:
            stop.wait(_QUIET_MS / 1000)
            continue
        with closing(_changes(watched, stop)) as rounds:
            for is_changed in rounds:
                if is_changed:
                    is_due = True
                    if _folders_below(folder) != watched:
                        break
                elif is_due and not stop.is_set():
                    is_due = _fails_for_now(on_change)


def _changes(folders: Sequence[Path], stop: Event) -> Generator[bool, None, None]:
    """For each second, or what is left of it, whether something has changed right in them."""
    from watchfiles import watch

    rounds = watch(
        *folders,
        watch_filter=lambda _, path: not Path(path).name.startswith(".") and path[-1:] != "~",
        stop_event=stop,
        rust_timeout=_QUIET_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
        recursive=False,
        ignore_permission_denied=True,
    )
    try:
        for changes in rounds:
            yield bool(changes)
    except FileNotFoundError:
        # A folder went away between the look at it and the watching.
        stop.wait(_QUIET_MS / 1000)
        yield True


def _folders_below(folder: Path) -> list[Path]:
    """The folder and those in it. No link is followed: one that leads to / is the whole disk."""
    found: list[Path] = []
    for path, names, _ in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith("."))
        found.append(Path(path))
        if len(found) == _WATCHED_FOLDERS:
            log.warning("%s has too many folders; changes in some are not seen", folder)
            break
    return found


def _fails_for_now(on_change: Callable[[], object]) -> bool:
    try:
        on_change()
    except Unavailable as error:
        log.warning("publishing failed and is tried again: %s", error.message)
        return True
    except PodhostError as error:
        log.warning("publishing failed: %s", error.message)
    return False
