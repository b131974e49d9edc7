"""What is stored about a folder's show: every row that a plan needs, loaded once.

So planning asks the database as often for a thousand episodes as for one. It changes nothing.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from podhost.audio.revisions import is_known_audio
from podhost.errors import Invalid
from podhost.folders.contents import SHOW_FILE, EpisodeFiles, ShowFolder
from podhost.folders.files import FolderFile, find_file, read_bytes, sha256_of
from podhost.folders.values import show_slug
from podhost.formats.front_matter import MAX_FILE_BYTES
from podhost.models import Artwork, Audio, Chapter, Credit, Episode, EpisodeSlug, Show
from podhost.shows import find_show

_QUERIED = 500


def stable_guid(show: Show, stem: str) -> str:
    """A guid for an episode whose files cannot be written to: the same in every run."""
    name = stem.encode("utf-8", "surrogateescape").hex() if not stem.isprintable() else stem
    return str(uuid.uuid5(uuid.UUID(show.podcast_guid), name))


class FolderRows:
    """The show of a folder (None: there is none yet) and its episodes, deleted ones too."""

    def __init__(self, session: Session, folder: ShowFolder) -> None:
        self.session = session
        self.folder = folder
        self.slug = show_slug(folder.show, folder.root.name)
        self.show = self._find_show()
        self.episodes = self._load_episodes()
        self.by_guid = {row.guid: row for row in self.episodes}
        # To whom each slug belongs, those of the past too.
        self.slugs = self._load_slugs()
        # How many episodes stand, or stood, in the feed with each date.
        self.dates = Counter(
            row.published_at
            for row in self.episodes
            if row.published_at is not None and row.status in ("published", "withdrawn")
        )
        # People's pictures in the folder by their paths: the artwork's id where it is stored.
        self.picture_ids = self._load_pictures()

    def _find_show(self) -> Show | None:
        """The folder's show: by its podcast_guid, else by its slug. Raises Invalid."""
        guid = self.folder.show.podcast_guid
        show = find_show(self.session, self.slug)
        if guid is not None and (show is None or show.podcast_guid != guid):
            other = self.session.scalar(
                select(Show)
                .where(Show.podcast_guid == guid, Show.deleted_at.is_(None))
                .order_by(Show.created_at, Show.id)
            )
            if other is not None and self._is_copy_of(other, guid):
                raise Invalid(
                    f"{SHOW_FILE}: The folder {other.slug} beside this one has the same "
                    "podcast_guid. A copy is another show: take the line out."
                )
            if other is None and show is not None and show.deleted_at is None:
                raise Invalid(
                    f"{SHOW_FILE}: There is another show called {self.slug!r} here, with the "
                    f"podcast_guid {show.podcast_guid}. Give this one a slug of its own."
                )
            show = other or show
        if show is not None and show.deleted_at is not None:
            raise Invalid(
                f"The show {show.slug!r} was deleted, and its name stays taken. "
                f'Write slug = "..." into {SHOW_FILE} to make a new show of this folder.'
            )
        return show

    def _is_copy_of(self, other: Show, guid: str) -> bool:
        """Whether the folder beside this one is the one that the show was made from."""
        beside = self.folder.root.parent / other.slug
        if beside == self.folder.root:
            return False
        try:
            data = read_bytes(find_file(beside, SHOW_FILE), MAX_FILE_BYTES)
        except (OSError, Invalid):
            return False
        return guid in data.decode("utf-8", "replace").lower()

    def _load_episodes(self) -> Sequence[Episode]:
        if self.show is None:
            return []
        return self.session.scalars(
            select(Episode)
            .where(Episode.show_id == self.show.id)
            .options(
                selectinload(Episode.audio),
                selectinload(Episode.artwork),
                selectinload(Episode.credits),
                selectinload(Episode.chapters).selectinload(Chapter.artwork),
                selectinload(Episode.transcripts),
            )
        ).all()

    def _load_slugs(self) -> dict[str, str]:
        if self.show is None:
            return {}
        old = select(EpisodeSlug.slug, EpisodeSlug.episode_id).where(
            EpisodeSlug.show_id == self.show.id
        )
        taken = {slug: episode_id for slug, episode_id in self.session.execute(old)}
        return taken | {row.slug: row.id for row in self.episodes}

    def _load_pictures(self) -> dict[str, str | None]:
        hashes: dict[str, str] = {}
        for pictures in (self.folder.pictures, *(e.pictures for e in self.folder.episodes)):
            for name, file in pictures.items():
                if name in hashes:
                    continue
                # One that cannot be read now counts as new, and whoever uses it will hear of it.
                with suppress(Invalid):
                    hashes[name] = sha256_of(file)
        # Kept in memory, so that the session finds them without asking again.
        self._artworks = [
            row
            for part in _parts(sorted(set(hashes.values())))
            for row in self.session.scalars(select(Artwork).where(Artwork.source_sha256.in_(part)))
        ]
        used = self._used_pictures()
        found: dict[str, str] = {}
        # What was written out of here may come back as it was written.
        for sha256 in hashes.values():
            written_id = self.folder.addresses.picture_id(sha256)
            if written_id is not None and written_id in used:
                found[sha256] = written_id
        # Of equal ones the one in use, so that a picture that came twice changes nothing.
        for row in sorted(self._artworks, key=lambda row: (row.id not in used, row.id)):
            found.setdefault(row.source_sha256, row.id)
        return {name: found.get(sha256) for name, sha256 in hashes.items()}

    def _used_pictures(self) -> set[str | None]:
        if self.show is None:
            return set()
        return set(
            self.session.scalars(select(Credit.artwork_id).where(Credit.show_id == self.show.id))
        )

    def has_new_picture(self, pictures: Iterable[str]) -> bool:
        """Whether one of these pictures is not stored yet."""
        return any(self.picture_ids.get(name) is None for name in pictures)

    def row_of(self, files: EpisodeFiles, unclaimed: Mapping[str, Episode]) -> Episode | None:
        """The episode that the files are: by guid, by the guid of a read-only file, by audio.

        `unclaimed` are those, by id, that no text names.
        """
        if files.source.guid is not None:
            return self.by_guid.get(files.source.guid)
        if self.show is None:
            return None
        row = self.by_guid.get(stable_guid(self.show, files.stem))
        if row is not None and (row.id in unclaimed or row.deleted_at is not None):
            return row
        if files.audio is None:
            return None
        # A text whose guid was taken out, or that was deleted: the same sound in a show of which
        # no file knows is that episode, not a second one.
        size_bytes = files.audio.size_bytes
        # Read once at most, however many episodes there are.
        sha256 = cache(partial(sha256_of, files.audio))
        return next(
            (row for row in unclaimed.values() if _has_audio(row.audio, size_bytes, sha256)),
            None,
        )


def is_same_audio(audio: Audio | None, file: FolderFile) -> bool:
    """Whether the file is what the revision holds, or what it was made of. Raises Invalid."""
    return _has_audio(audio, file.size_bytes, partial(sha256_of, file))


def _has_audio(audio: Audio | None, size_bytes: int, sha256: Callable[[], str]) -> bool:
    # Of another size than what nothing was made of: then nothing needs to be read.
    if audio is None or (audio.original_id is None and audio.size_bytes != size_bytes):
        return False
    return is_known_audio(audio, sha256())


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _QUERIED):
        yield values[start : start + _QUERIED]
