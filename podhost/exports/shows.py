"""Moving out: writes a whole show as the folder of plain files that `folders` reads back.

Rows are read at one moment, files are copied after that and checked by their hashes. It changes
nothing in the database or the storage. Where the files go is targets.py.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from podhost import __version__
from podhost.artwork import storage_key
from podhost.chapters.pictures import shown_chapters
from podhost.db import Database
from podhost.errors import NotFound
from podhost.exports.newsletter import newsletter_entry
from podhost.exports.site import LoadedSite, load_site, write_site
from podhost.exports.targets import Target, appearing_folder
from podhost.exports.values import (
    SHOW_ARTWORK,
    episode_file,
    has_own_chapters,
    kept_episode,
    show_file,
)
from podhost.exports.written import (
    LoadedWritten,
    author_pictures,
    load_written,
    write_sponsors,
    write_texts,
)
from podhost.feeds.rendering import Site, find_snapshot, render_show, snapshot_body
from podhost.folders.contents import AUDIO_ENDINGS, SHOW_FILE, TRANSCRIPT_ENDINGS
from podhost.formats.build_dates import build_date
from podhost.formats.chapters import render_json_chapters
from podhost.formats.folder_addresses import (
    FILE_NAME,
    MOST_OLD_SLUGS,
    Addresses,
    KeptEpisode,
    KeptOriginal,
    KeptPicture,
    render_addresses,
)
from podhost.formats.folder_newsletter import NewsletterEntry
from podhost.formats.showfolder_writing import render_episode_file, render_show_file
from podhost.formats.text import shown, slugify
from podhost.models import (
    Artwork,
    Audio,
    Chapter,
    Credit,
    Episode,
    EpisodeSlug,
    Show,
    ShowSlug,
    Transcript,
)
from podhost.people import list_credits
from podhost.shows import get_show
from podhost.storage import Storage
from podhost.transcripts import transcript_groups

FEED_FILE = "feed.xml"
REPORT_FILE = "report.json"
_FOLDER_OF_PEOPLE = "guests"
_FOLDER_OF_ORIGINALS = "originals"

Progress = Callable[[int, int], None]


class ExportedFile(msgspec.Struct, kw_only=True):
    """One file of the folder, with what its content can be checked by."""

    name: str
    size_bytes: int
    sha256: str


class ExportedEpisode(msgspec.Struct, kw_only=True):
    """One episode: its text, and its audio where there is some."""

    file: str
    title: str
    guid: str
    status: str
    published_at: datetime | None
    audio: ExportedFile | None = None


class Exported(msgspec.Struct, kw_only=True):
    """What was written: the content of report.json. `problems` are sentences."""

    show: str
    title: str
    feed_url: str
    made_at: datetime
    made_with: str
    folder: str
    total_bytes: int = 0
    episodes: list[ExportedEpisode] = []
    files: list[ExportedFile] = []
    problems: list[str] = []

    @property
    def line(self) -> str:
        """One line for a terminal."""
        count, sounds = len(self.episodes), sum(bool(entry.audio) for entry in self.episodes)
        return (
            f"Wrote {self.title!r} to {self.folder}: {count} episode{'s' * (count != 1)}, "
            f"{sounds} with audio, {len(self.files)} files, {self.total_bytes} bytes."
        )


@dataclass(slots=True)
class _Loaded:
    """The rows of a show at one moment."""

    show: Show
    people: Sequence[Credit]
    old_slugs: list[str]
    episodes: list[Episode]
    revisions: dict[str, list[Audio]]
    episode_slugs: dict[str, list[str]]
    feed: bytes | None
    written: LoadedWritten
    site: LoadedSite
    newsletter: NewsletterEntry | None
    pictures: dict[str, Artwork] = field(default_factory=dict)


def export_show(
    database: Database,
    storage: Storage,
    show_slug: str,
    target: Path,
    *,
    site: Site,
    now: datetime,
    with_audio: bool = True,
    progress: Progress | None = None,
) -> Exported:
    """Write the show into the folder `target`, which must be empty or not there yet.

    What is missing or damaged in the storage is left out and named in the result's problems.
    Raises NotFound or Gone for the show, Invalid for the folder and Unavailable when the storage,
    the database or the disk fails; then `target` is as it was.
    """
    with database.read() as session:
        get_show(session, show_slug)
    with appearing_folder(target) as folder:
        return write_show(
            database,
            storage,
            show_slug,
            folder,
            place=str(target),
            site=site,
            now=now,
            with_audio=with_audio,
            progress=progress,
        )


def write_show(
    database: Database,
    storage: Storage,
    show_slug: str,
    target: Target,
    *,
    place: str,
    site: Site,
    now: datetime,
    with_audio: bool = True,
    progress: Progress | None = None,
) -> Exported:
    """Write the files of the show into `target`, which is called `place` in the report.

    `progress` is called with the parts done and the parts in all: the show and each episode.
    Raises NotFound or Gone for the show, and Unavailable.
    """
    with database.read() as session:
        loaded = _load(session, show_slug, site)
    exported = Exported(
        show=loaded.show.slug,
        title=loaded.show.title,
        feed_url=f"{site.base_url}/{loaded.show.slug}/{FEED_FILE}",
        made_at=now,
        made_with=f"podhost {__version__}",
        folder=place,
    )
    _Writing(storage, target, loaded, site.base_url, exported).write(
        with_audio, progress or (lambda done, total: None)
    )
    return exported


def _load(session: Session, show_slug: str, site: Site) -> _Loaded:
    show = get_show(session, show_slug)
    episodes = session.scalars(
        select(Episode)
        .where(Episode.show_id == show.id, Episode.deleted_at.is_(None))
        .options(
            selectinload(Episode.audio),
            selectinload(Episode.artwork),
            selectinload(Episode.credits).selectinload(Credit.artwork),
            selectinload(Episode.chapters).selectinload(Chapter.artwork),
            selectinload(Episode.transcripts),
        )
    ).all()
    loaded = _Loaded(
        show=show,
        people=list_credits(session, show, None),
        old_slugs=[
            *session.scalars(
                select(ShowSlug.slug)
                .where(ShowSlug.show_id == show.id)
                .order_by(ShowSlug.slug)
                .limit(MOST_OLD_SLUGS)
            )
        ],
        episodes=sorted(episodes, key=_place),
        revisions=defaultdict(list),
        episode_slugs=defaultdict(list),
        feed=_feed(session, show, site),
        written=load_written(session, show),
        site=load_site(session, show),
        newsletter=newsletter_entry(session, show),
    )
    mine = select(Episode.id).where(Episode.show_id == show.id)
    for audio in session.scalars(
        select(Audio).where(Audio.episode_id.in_(mine)).order_by(Audio.revision)
    ):
        loaded.revisions[audio.episode_id].append(audio)
    for old in session.scalars(
        select(EpisodeSlug).where(EpisodeSlug.show_id == show.id).order_by(EpisodeSlug.slug)
    ):
        loaded.episode_slugs[old.episode_id].append(old.slug)
    for credit in (*loaded.people, *(c for row in loaded.episodes for c in row.credits)):
        if credit.artwork is not None:
            loaded.pictures[credit.artwork.id] = credit.artwork
    return loaded


def _feed(session: Session, show: Show, site: Site) -> bytes | None:
    """The feed as polls get it, or as they will in a moment; None before it has artwork."""
    snapshot = find_snapshot(session, show)
    if (
        snapshot is not None
        and snapshot.show_version == show.version
        and snapshot.made_with == site.made_with
    ):
        return snapshot_body(snapshot)
    return render_show(session, show, site) if show.artwork is not None else None


def _place(episode: Episode) -> tuple[bool, datetime, str]:
    """Oldest first, as people number their files; what has no date comes last."""
    return episode.published_at is None, episode.published_at or episode.created_at, episode.id


@dataclass(slots=True)
class _Writing:
    """One export on its way."""

    storage: Storage
    target: Target
    loaded: _Loaded
    base_url: str
    exported: Exported
    kept: dict[str, KeptEpisode] = field(default_factory=dict)
    pictures: dict[str, KeptPicture] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)

    def write(self, with_audio: bool, progress: Progress) -> None:
        """Everything; the report comes last."""
        total = len(self.loaded.episodes) + 1
        show = self.loaded.show
        self._write_pictures()
        if show.artwork is not None:
            self._copy_picture(show.artwork, SHOW_ARTWORK, "The show's artwork")
        said = msgspec.structs.replace(
            show_file(show, self.loaded.people, self.people),
            sponsors=write_sponsors(self.loaded.written, self._copy_picture),
            site=write_site(self.loaded.site, self._put),
            newsletter=self.loaded.newsletter,
        )
        text = render_show_file(said)
        self._put(SHOW_FILE, text.encode())
        progress(1, total)
        width = max(3, len(str(len(self.loaded.episodes))))
        for number, episode in enumerate(self.loaded.episodes, 1):
            self._write_episode(f"{number:0{width}}-{episode.slug}", episode, with_audio)
            progress(number + 1, total)
        write_texts(self.loaded.written, show, self.people, self._put, self._copy_picture)
        feed = self.loaded.feed
        if feed is not None:
            self._put(FEED_FILE, feed)
        addresses = Addresses(
            version=1,
            changed_at=build_date(feed) if feed is not None else None,
            old_slugs=tuple(self.loaded.old_slugs),
            redirect_to=show.redirect_to,
            episodes=self.kept,
            pictures=self.pictures,
        )
        self._put(FILE_NAME, render_addresses(addresses))
        report = msgspec.json.format(msgspec.json.encode(self.exported), indent=2)
        self.target.put(REPORT_FILE, report + b"\n")

    def _write_episode(self, stem: str, episode: Episode, with_audio: bool) -> None:
        audio = self._copy_audio(stem, episode) if with_audio else None
        original = self._copy_original(stem, episode) if audio is not None else None
        transcripts = self._copy_transcripts(stem, episode)
        if episode.artwork is not None:
            self._copy_picture(episode.artwork, f"{stem}.jpg", f"The artwork of {stem}")
        if has_own_chapters(episode):
            chapters = render_json_chapters(shown_chapters(episode.chapters, self.base_url))
            self._put(f"{stem}.chapters.json", chapters)
        by_name = audio is None or audio.name.rpartition(".")[2] in AUDIO_ENDINGS
        source = episode_file(
            self.loaded.show,
            episode,
            self.people,
            audio=None if by_name or audio is None else audio.name,
            transcripts=[] if _is_found([*transcripts]) else [*transcripts],
        )
        self._put(f"{stem}.md", render_episode_file(source).encode())
        self.kept[episode.guid] = kept_episode(
            episode,
            self.loaded.revisions[episode.id],
            self.loaded.episode_slugs[episode.id],
            transcripts,
            original,
        )
        self.exported.episodes.append(
            ExportedEpisode(
                file=f"{stem}.md",
                title=episode.title,
                guid=episode.guid,
                status=episode.status,
                published_at=episode.published_at,
                audio=audio,
            )
        )

    def _copy_audio(self, stem: str, episode: Episode) -> ExportedFile | None:
        audio = episode.audio
        if audio is None:
            return None
        name = f"{stem}.{audio.extension}"
        return self._copy(audio.storage_key, name, f"The audio of {stem}", audio.sha256)

    def _copy_original(self, stem: str, episode: Episode) -> KeptOriginal | None:
        """The file as it was uploaded, where what is published is a copy with tags."""
        audio = episode.audio
        revisions = self.loaded.revisions[episode.id]
        found = next((row for row in revisions if audio and row.id == audio.original_id), None)
        if audio is None or found is None:
            return None
        name = f"{_FOLDER_OF_ORIGINALS}/{stem}.{found.extension}"
        if not self._copy(found.storage_key, name, f"The upload of {stem}", found.sha256):
            return None
        return KeptOriginal(
            file=name, revision=found.revision, sha256=found.sha256, copy_sha256=audio.sha256
        )

    def _copy_transcripts(self, stem: str, episode: Episode) -> dict[str, dict[str, str]]:
        """Names of the transcripts' files, in order, with the ids of their forms."""
        found: dict[str, dict[str, str]] = {}
        for group in transcript_groups(episode.transcripts):
            given = group[-1]
            name = _transcript_name(stem, given, found)
            if self._copy(given.storage_key, name, f"A transcript of {stem}", given.sha256):
                found[name] = {row.extension: row.id for row in group}
        return found

    def _write_pictures(self) -> None:
        """People's pictures, each once, named like whom they show."""
        credits = (*self.loaded.people, *(c for row in self.loaded.episodes for c in row.credits))
        named = [(credit.name, credit.artwork) for credit in credits]
        named += author_pictures(self.loaded.written)
        for whose, artwork in named:
            if artwork is None or artwork.id in self.people:
                continue
            name = f"{_FOLDER_OF_PEOPLE}/{slugify(whose, fallback='guest')}-{artwork.id}.jpg"
            if self._copy_picture(artwork, name, f"The picture of {shown(whose)}"):
                self.people[artwork.id] = name

    def _copy_picture(self, artwork: Artwork, name: str, what: str) -> bool:
        size_px = max(entry[0] for entry in artwork.sizes)
        copied = self._copy(storage_key(artwork.id, size_px), name, what, None)
        if copied is not None:
            self.pictures[copied.sha256] = KeptPicture(
                id=artwork.id, is_placeholder=artwork.is_placeholder
            )
        return copied is not None

    def _copy(self, key: str, name: str, what: str, sha256: str | None) -> ExportedFile | None:
        """Copy an object out of the storage, hashing on the way; None with a problem noted."""
        try:
            size_bytes, found = self.target.copy(self.storage, key, name)
        except NotFound:
            self.exported.problems.append(f"{what} is missing in the storage; {name} is left out.")
            return None
        if sha256 is not None and found != sha256:
            self.exported.problems.append(f"{what} is damaged in the storage; {name} is left out.")
            self.target.take_back(name)
            return None
        return self._note(name, size_bytes, found)

    def _put(self, name: str, data: bytes) -> None:
        self.target.put(name, data)
        self._note(name, len(data), hashlib.sha256(data).hexdigest())

    def _note(self, name: str, size_bytes: int, sha256: str) -> ExportedFile:
        entry = ExportedFile(name=name, size_bytes=size_bytes, sha256=sha256)
        self.exported.files.append(entry)
        self.exported.total_bytes += size_bytes
        return entry


def _transcript_name(stem: str, row: Transcript, taken: dict[str, dict[str, str]]) -> str:
    language = f".{row.language}" if row.language else ""
    name, number = f"{stem}{language}.{row.extension}", 2
    while name in taken:
        name, number = f"{stem}-{number}{language}.{row.extension}", number + 1
    return name


def _is_found(names: Sequence[str]) -> bool:
    """Whether `publish` finds these transcripts by their names, in this order."""
    endings = [name.rpartition(".")[2] for name in names]
    return len(names) < 2 and all(ending in TRANSCRIPT_ENDINGS for ending in endings)
