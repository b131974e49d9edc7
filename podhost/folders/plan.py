"""What publishing a folder would change: files are compared with rows, and nothing is changed.

A plan is made of values. Carrying it out is for `folders`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select

from podhost import episodes as episode_rows
from podhost import fields
from podhost import shows as show_rows
from podhost.chapters.pictures import chapter_pictures_differ
from podhost.chapters.rows import list_chapters
from podhost.db import Database
from podhost.episodes import episode_problems
from podhost.errors import Invalid
from podhost.folders.contents import SHOW_FILE, EpisodeFiles, ShowFolder, read_folder
from podhost.folders.files import (
    FolderFile,
    is_writable,
    opened,
    read_bytes,
    reason,
    sha256_of,
)
from podhost.folders.rows import FolderRows, is_same_audio
from podhost.folders.values import (
    StatusStep,
    at_home,
    credits_of,
    decide_status,
    episode_input,
    file_chapters,
    found_chapters,
    show_input,
    wish_of,
    with_lines,
)
from podhost.folders.written_plan import WrittenStep, plan_written
from podhost.formats.folder_addresses import KeptEpisode
from podhost.formats.magic import sniff_format
from podhost.formats.text import shown
from podhost.formats.transcripts import FILE_LIMIT_BYTES, read_transcript
from podhost.models import Artwork, Episode, Show
from podhost.people import list_credits, read_credits, whole_credit_values

_NAMED = 5


@dataclass(frozen=True, slots=True)
class EpisodePlan:
    """What is to happen to one episode. `changes` are names of fields and parts.

    `writes` says what is put into the folder first: its guid, or a whole text file.
    """

    files: EpisodeFiles
    episode_id: str | None
    title: str
    changes: tuple[str, ...] = ()
    status: StatusStep = field(default_factory=StatusStep)
    guid: str | None = None
    writes: Literal["", "guid", "text"] = ""
    # What a new episode was elsewhere.
    kept: KeptEpisode | None = None
    problem: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether no row knows it yet."""
        return self.episode_id is None

    @property
    def actions(self) -> tuple[str, ...]:
        """What is done to it, in order: create, change, publish, schedule, withdraw, write."""
        if self.problem is not None:
            return ("problem",)
        made = "create" if self.is_new else "change" if self.changes else None
        written = "write" if self.writes and not self.is_new else None
        return tuple(action for action in (made, self.status.action, written) if action)

    @property
    def has_work(self) -> bool:
        """Whether anything is to be done."""
        return self.problem is None and bool(self.actions)


@dataclass(frozen=True, slots=True)
class Plan:
    """What publishing a show's folder does. `problems` and `warnings` name their files.

    `folder` None: the show itself cannot be used, and nothing will be done.
    """

    folder: ShowFolder | None
    name: str
    slug: str = ""
    feed_url: str = ""
    show_id: str | None = None
    show_action: Literal["create", "change", "nothing"] = "nothing"
    show_changes: tuple[str, ...] = ()
    episodes: tuple[EpisodePlan, ...] = ()
    written: tuple[WrittenStep, ...] = ()
    # People's pictures by their paths: the artwork's id where it is stored already.
    picture_ids: Mapping[str, str | None] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def has_work(self) -> bool:
        """Whether anything is to be done."""
        steps: tuple[EpisodePlan | WrittenStep, ...] = (*self.episodes, *self.written)
        return self.show_action != "nothing" or any(step.has_work for step in steps)


def plan_show(database: Database, show_folder: Path, *, base_url: str, now: datetime) -> Plan:
    """Compare a show's folder with the rows; changes nothing anywhere.

    What is wrong in the folder is in the plan's problems; raises Unavailable only.
    """
    name = shown(show_folder.resolve().name)
    try:
        folder = at_home(read_folder(show_folder), base_url)
        with database.read() as session:
            return _Planner(FolderRows(session, folder), now).plan(base_url)
    except Invalid as error:
        return Plan(None, name, problems=(error.message,))


class _Planner:
    """One comparison; everything is loaded before the first episode is looked at."""

    def __init__(self, rows: FolderRows, now: datetime) -> None:
        self.rows = rows
        self.session = rows.session
        self.folder = rows.folder
        self.show = rows.show
        self.now = now

    def plan(self, base_url: str) -> Plan:
        """The plan for the show and all its episodes."""
        changes = self._show_changes()
        doubled = self._doubled()
        claimed = {files.source.guid for files in self.folder.episodes}
        unclaimed = {
            row.id: row
            for row in self.rows.episodes
            if row.guid not in claimed and row.deleted_at is None
        }
        plans = []
        for files in self.folder.episodes:
            row = self.rows.row_of(files, unclaimed)
            if row is not None:
                unclaimed.pop(row.id, None)
            plans.append(self._plan_episode(files, row, doubled.get(files.stem)))
        slug = self.show.slug if self.show is not None and "slug" not in changes else self.rows.slug
        written = plan_written(self.session, self.show, self.folder, now=self.now)
        named: list[tuple[str, EpisodePlan | WrittenStep]] = [(p.files.name, p) for p in plans]
        named += [(shown(step.name), step) for step in written]
        problems = [f"{name}: {step.problem}" for name, step in named if step.problem]
        warnings = [f"{name}: {text}" for name, step in named for text in step.warnings]
        return Plan(
            folder=self.folder,
            name=shown(self.folder.root.name),
            slug=slug,
            feed_url=f"{base_url}/{slug}/feed.xml",
            show_id=self.show.id if self.show is not None else None,
            show_action="create" if self.show is None else "change" if changes else "nothing",
            show_changes=tuple(changes),
            episodes=tuple(plans),
            written=tuple(written),
            picture_ids=self.rows.picture_ids,
            problems=(*self.folder.problems, *problems),
            warnings=(
                *self._show_warnings(),
                *self.folder.warnings,
                *warnings,
                *self._missing([*unclaimed.values()]),
            ),
        )

    # The show

    def _show_changes(self) -> list[str]:
        """What is to be changed about the show. Raises Invalid naming show.toml."""
        show, source = self.show, self.folder.show
        try:
            changes = show_rows.changed_fields(show or Show(), show_input(source))
            if self.rows.slug in show_rows.RESERVED_SLUGS and show is None:
                raise Invalid(
                    f"The name {self.rows.slug!r} is used by podhost itself; "
                    'write another one as slug = "...".'
                )
            wanted = read_credits(
                self.session, credits_of(source.people, self.rows.picture_ids), default_role="host"
            )
        except Invalid as error:
            raise Invalid(f"{SHOW_FILE}: {error.message}") from None
        if show is None:
            return []
        if source.slug is not None and source.slug != show.slug:
            changes.append("slug")
        current = [whole_credit_values(row) for row in list_credits(self.session, show, None)]
        if current != wanted or self.rows.has_new_picture(self.folder.pictures):
            changes.append("people")
        artwork = self.folder.artwork
        if artwork is not None and not self._is_same_picture(artwork, show.artwork):
            changes.append("artwork")
        return changes

    def _show_warnings(self) -> list[str]:
        if self.folder.artwork is not None:
            return []
        if self.show is None or self.show.artwork is None or self.show.artwork.is_placeholder:
            return ["There is no artwork.jpg; a plain pattern stands in until there is one."]
        return ["There is no artwork.jpg any more; the show keeps the artwork that it has."]

    # Which file is which episode

    def _doubled(self) -> dict[str, str]:
        """By stem: the problem of files that say the same guid or slug as another."""
        problems: dict[str, str] = {}
        for key in ("guid", "slug"):
            named: dict[str, list[EpisodeFiles]] = {}
            for files in self.folder.episodes:
                if value := getattr(files.source, key):
                    named.setdefault(value, []).append(files)
            for value, several in named.items():
                if len(several) < 2:
                    continue
                for files in several:
                    # Not all of them: each of many files would name all the others.
                    others = [other for other in several[: _NAMED + 1] if other is not files]
                    names = ", ".join(other.name for other in others[:_NAMED])
                    rest = len(several) - 1 - len(others[:_NAMED])
                    more = f" and {rest} more" if rest else ""
                    problems[files.stem] = (
                        f"It has the same {key} as {names}{more}: {shown(value)}."
                    )
        return problems

    def _missing(self, rows: Sequence[Episode]) -> list[str]:
        if not rows or self.folder.problems:
            # A file that cannot be read may well be the one that is missed.
            return []
        names = ", ".join(f"“{shown(row.title)}”" for row in rows[:_NAMED])
        more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
        return [f"No files here for {names}{more}; podhost keeps what it has."]

    # One episode

    def _plan_episode(
        self, files: EpisodeFiles, row: Episode | None, problem: str | None
    ) -> EpisodePlan:
        title = row.title if row is not None else files.source.title or files.stem
        row_id = row.id if row is not None else None
        if problem is not None:
            return EpisodePlan(files, row_id, title, problem=problem)
        if row is not None and row.deleted_at is not None:
            warning = "This episode was deleted here and stays so; take its files away."
            return EpisodePlan(files, row_id, title, warnings=(warning,))
        try:
            return self._new(files) if row is None else self._known(files, row)
        except Invalid as error:
            return EpisodePlan(files, row_id, title, problem=with_lines(files, error))

    def _new(self, files: EpisodeFiles) -> EpisodePlan:
        given = episode_input(files, {})
        episode_rows.changed_fields(Episode(), given)
        self._credits(files)
        self._check_slug(files, None)
        file_chapters(files, None)
        warnings = list(files.warnings)
        if files.audio is not None:
            _check_audio(files.audio)
        else:
            warnings.append("There is no audio beside it; it stays a draft.")
        status = StatusStep("publish")
        if files.text_file is not None:
            wish = wish_of(files, self.folder.show.time_zone)
            problems = () if files.audio is not None else ("it has no audio.",)
            status = decide_status("draft", None, wish, problems=problems, now=self.now)
        return EpisodePlan(
            files,
            None,
            str(given.title),
            status=StatusStep(status.action, status.at),
            guid=files.source.guid,
            writes="" if files.source.guid else "guid" if files.text_file else "text",
            kept=self.folder.addresses.episodes.get(files.source.guid or ""),
            warnings=tuple(warnings),
        )

    def _known(self, files: EpisodeFiles, row: Episode) -> EpisodePlan:
        tags: Mapping[str, Any] = row.audio.tags if row.audio is not None else {}
        given = episode_input(files, tags)
        changes = episode_rows.changed_fields(row, given)
        warnings = list(files.warnings)
        has_new_audio = self._has_new_audio(files, row)
        if files.source.slug is not None and files.source.slug != row.slug:
            self._check_slug(files, row.id)
            changes.append("slug")
        wanted = self._credits(files)
        current = [whole_credit_values(credit) for credit in row.credits]
        if current != wanted or self.rows.has_new_picture(files.pictures):
            changes.append("people")
        if has_new_audio:
            changes.append("audio")
        elif self._chapters_differ(files, str(given.notes or ""), row):
            changes.append("chapters")
        if _transcripts_differ(files, row):
            changes.append("transcripts")
        if self._artwork_differs(files, row, has_new_audio):
            changes.append("artwork")
        if files.audio is None:
            kept = "it keeps the audio that it has" if row.audio is not None else "it stays a draft"
            warnings.append(f"There is no audio beside it; {kept}.")
        status = self._status(files, row, has_new_audio)
        if status.warning is not None and row.audio is not None:
            warnings.append(status.warning)
        return EpisodePlan(
            files,
            row.id,
            str(given.title),
            changes=tuple(changes),
            status=status,
            guid=row.guid,
            writes=_writes(files),
            warnings=tuple(warnings),
        )

    def _credits(self, files: EpisodeFiles) -> list[dict[str, Any]]:
        people = (*files.source.guests, *files.source.people)
        if not people:
            return []
        given = credits_of(people, self.rows.picture_ids)
        return read_credits(self.session, given, default_role="guest")

    def _check_slug(self, files: EpisodeFiles, row_id: str | None) -> None:
        slug = files.source.slug
        if slug is not None and self.rows.slugs.get(slug, row_id) != row_id:
            raise Invalid("slug", {"slug": f"Another episode of the show has the slug {slug}."})

    def _has_new_audio(self, files: EpisodeFiles, row: Episode) -> bool:
        if files.audio is None:
            return False
        is_same = is_same_audio(row.audio, files.audio)
        if not is_same:
            _check_audio(files.audio)
        return not is_same

    def _chapters_differ(self, files: EpisodeFiles, notes: str, row: Episode) -> bool:
        duration_ms = row.audio.duration_ms if row.audio is not None else None
        found = file_chapters(files, duration_ms)
        tags = row.audio.tags if row.audio is not None else {}
        if found is None and row.audio is not None and "chapters" not in tags:
            return False
        noted = found_chapters(tags, fields.markdown(notes), duration_ms)
        wanted = found[0] if found is not None else noted
        with_pictures = tags if found is None else {}
        return wanted != list_chapters(row) or chapter_pictures_differ(
            self.session, row.chapters, with_pictures
        )

    def _artwork_differs(self, files: EpisodeFiles, row: Episode, has_new_audio: bool) -> bool:
        current = row.artwork.source_sha256 if row.artwork is not None else None
        if files.artwork is not None:
            return not self._is_same_picture(files.artwork, row.artwork)
        if has_new_audio or (row.audio is not None and "artwork_sha256" not in row.audio.tags):
            return False
        own = row.audio.tags["artwork_sha256"] if row.audio is not None else None
        if own is None or own == current:
            return bool(current != own)
        # The picture in the tags may have been cleared away while another one was used.
        known = select(Artwork.id).where(Artwork.source_sha256 == own).limit(1)
        return current is not None or self.session.scalar(known) is not None

    def _is_same_picture(self, file: FolderFile, current: Artwork | None) -> bool:
        """Whether the current picture was made from this file, or written as this file."""
        if current is None:
            return False
        sha256 = sha256_of(file)
        return sha256 == current.source_sha256 or (
            self.folder.addresses.picture_id(sha256) == current.id
        )

    def _status(self, files: EpisodeFiles, row: Episode, has_new_audio: bool) -> StatusStep:
        if files.text_file is None:
            is_first = has_new_audio and row.status == "draft"
            return StatusStep("publish" if is_first else None)
        wish = wish_of(files, self.folder.show.time_zone)
        taken: Collection[datetime] = ()
        if row.published_at != wish.at:
            taken = {
                date
                for date, count in self.rows.dates.items()
                if date is not None and (count > 1 or date != row.published_at)
            }
        return decide_status(
            row.status,
            row.published_at,
            wish,
            problems=[] if has_new_audio else episode_problems(row),
            now=self.now,
            taken=taken,
        )


def _writes(files: EpisodeFiles) -> Literal["", "guid", "text"]:
    """What the folder of a known episode lacks and can be given."""
    if files.source.guid is not None:
        return ""
    if files.text_file is not None:
        return "guid" if is_writable(files.text_file) else ""
    return "text" if files.audio is not None and is_writable(files.audio) else ""


def _check_audio(file: FolderFile) -> None:
    """Raises Invalid for what is plainly no audio; the rest shows when it is probed."""
    try:
        with opened(file) as source:
            sniff_format(source, file.size_bytes, shown(file.name))
    except OSError as error:
        raise Invalid(f"{shown(file.name)} cannot be read: {reason(error)}.") from None


def _transcripts_differ(files: EpisodeFiles, row: Episode) -> bool:
    wanted = [(sha256_of(entry.file), entry) for entry in files.transcripts]
    # What was made of a transcript stands before it and has the same hash.
    current = [*{(t.source_sha256, t.language): t for t in row.transcripts}.values()]
    if len(wanted) != len(current):
        return True
    for (sha256, entry), stored in zip(wanted, current, strict=True):
        # What is stored is what was given, or what was made of it and written out of here.
        if sha256 not in (stored.source_sha256, stored.sha256):
            return True
        language = stored.language
        if language != (fields.language(entry.language) if entry.language else None):
            # Without one in its name, the text itself may say its language.
            data = read_bytes(entry.file, FILE_LIMIT_BYTES)
            if entry.language or read_transcript(data, entry.file.name).language != language:
                return True
    return False


# For people


def describe(plan: Plan) -> list[str]:
    """The plan as lines for a terminal: the show, what happens to episodes, what is wrong."""
    lines = []
    if plan.folder is not None:
        lines.append(f"{plan.name}: {_show_line(plan)}")
        lines += [_episode_line(episode) for episode in plan.episodes if episode.has_work]
        lines += [step.line for step in plan.written if step.has_work]
        idle = sum(not episode.actions for episode in plan.episodes)
        if idle:
            lines.append(f"  {idle} episode{'s' if idle > 1 else ''}: nothing to do")
    else:
        lines.append(f"{plan.name}: nothing can be done")
    lines += [f"  Note: {warning}" for warning in plan.warnings]
    lines += [f"  Problem: {problem}" for problem in plan.problems]
    return lines


def _show_line(plan: Plan) -> str:
    assert plan.folder is not None
    if plan.show_action == "create":
        return f"create the show “{shown(plan.folder.show.title)}”, {plan.feed_url}"
    if plan.show_action == "change":
        return f"change the show: {', '.join(plan.show_changes)}"
    return "nothing to do for the show"


def _episode_line(episode: EpisodePlan) -> str:
    said = {
        "create": "create",
        "change": f"change {', '.join(episode.changes)}",
        "publish": "publish",
        "schedule": f"schedule for {episode.status.at:%Y-%m-%d %H:%M} UTC"
        if episode.status.at
        else "schedule",
        "withdraw": "withdraw",
        "write": "write its guid into it"
        if episode.writes == "guid"
        else "write a text file beside it",
    }
    actions = ", ".join(said[action] for action in episode.actions)
    draft = " as a draft" if episode.is_new and episode.status.action is None else ""
    return f"  {episode.files.name}: {actions}{draft} “{shown(episode.title)}”"
