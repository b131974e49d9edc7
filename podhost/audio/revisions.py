"""Audio: a given file is probed, stored under a new key and becomes a revision of an episode.

Nothing is written to storage before the file has proven to be audio, and no row before the file
is durably stored. What a crash leaves between the two is an object that no row knows: the sweep
removes it.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from podhost.artwork import PreparedArtwork, discard_artwork, file_sha256, prepare_artwork
from podhost.chapters.pictures import prepare_chapter_pictures
from podhost.db import new_id
from podhost.errors import Conflict, Invalid, NotFound
from podhost.formats.chapters import Chapter, normalise_chapters
from podhost.formats.probe import Probe, probe
from podhost.models import Audio, Episode
from podhost.storage import IMMUTABLE, Storage

# Where an operator may put files into the storage directly, to be taken over by their key.
INCOMING = "incoming/"


@dataclass(frozen=True, slots=True)
class PreparedAudio:
    """A file that is probed and stored, whose row is not written yet."""

    id: str
    storage_key: str
    file_name: str
    sha256: str
    probe: Probe
    chapters: list[Chapter]
    artwork: PreparedArtwork | None
    # By the start of the chapter in milliseconds; one picture may serve several chapters.
    chapter_pictures: Mapping[int, PreparedArtwork]
    warnings: list[str]

    @property
    def pictures(self) -> list[PreparedArtwork]:
        """Every picture that was stored for the file, once each."""
        own = [self.artwork] if self.artwork is not None else []
        return [*{found.id: found for found in (*own, *self.chapter_pictures.values())}.values()]


def prepare_audio(
    storage: Storage,
    path: Path,
    *,
    file_name: str,
    sha256: str,
    give_up: bool = False,
    stored_as: str | None = None,
    with_artwork: bool = True,
    with_chapter_pictures: bool = True,
) -> PreparedAudio:
    """Probe the file at `path` and store it. Call it outside transactions.

    `sha256` is that of its bytes, in hexadecimal; `give_up` lets storage move the file rather
    than copy it; `stored_as` is the key of an object with the same bytes, of which the storage
    makes its copy; `with_artwork` and `with_chapter_pictures` False leave the pictures in its tags
    alone. Raises Invalid with a sentence when it is not audio, and then nothing is stored.
    """
    with tempfile.TemporaryDirectory(prefix="podhost-probe-") as folder:
        found = probe(path, workdir=Path(folder), name=file_name)
        chapters, chapter_warnings = normalise_chapters(
            [
                Chapter(
                    start_ms=chapter.start_ms,
                    end_ms=chapter.end_ms,
                    title=chapter.title,
                    url=chapter.url,
                    is_hidden=chapter.hidden,
                )
                for chapter in found.chapters
            ],
            found.duration_ms,
        )
        audio_id = new_id()
        key = f"audio/{audio_id}.{found.extension}"
        with ExitStack() as undo:
            if stored_as is not None:
                storage.copy(stored_as, key, content_type=found.mime_type, cache_control=IMMUTABLE)
            else:
                storage.put_file(key, path, content_type=found.mime_type, move=give_up)
            undo.callback(storage.delete, key)
            artwork = _embedded_artwork(storage, found) if with_artwork else None
            if artwork is not None:
                undo.callback(discard_artwork, storage, artwork)
            starts = {chapter.start_ms for chapter in chapters if with_chapter_pictures}
            pictures, picture_warnings = prepare_chapter_pictures(
                storage,
                [chapter for chapter in found.chapters if chapter.start_ms in starts],
                cover=artwork,
            )
            undo.pop_all()
    return PreparedAudio(
        id=audio_id,
        storage_key=key,
        file_name=file_name,
        sha256=sha256,
        probe=found,
        chapters=chapters,
        artwork=artwork,
        chapter_pictures=pictures,
        warnings=[*dict.fromkeys((*found.warnings, *chapter_warnings, *picture_warnings))],
    )


def prepare_audio_file(storage: Storage, path: Path) -> PreparedAudio:
    """Like `prepare_audio`, for a file on this machine that stays where it is."""
    return prepare_audio(storage, path, file_name=path.name, sha256=file_sha256(path))


def prepare_stored_audio(storage: Storage, key: str) -> PreparedAudio:
    """Take over a file that somebody put into the storage under incoming/.

    It is read back once, to a temporary file, hashing on the way. The object under `key` stays;
    delete it once the row is written. Raises NotFound, or Invalid with a sentence.
    """
    if not key.startswith(INCOMING):
        raise Invalid(f"Only files under {INCOMING} in the storage can be taken over by their key.")
    with received_file(storage) as path:
        try:
            _, sha256 = storage.download_to(key, path)
        except ValueError:
            raise NotFound(f"There is no file {key!r} in the storage.") from None
        name = key.rpartition("/")[2]
        return prepare_audio(storage, path, file_name=name, sha256=sha256, give_up=True)


@contextmanager
def received_file(storage: Storage) -> Iterator[Path]:
    """A path for bytes that come from outside; whatever is left of it is removed afterwards.

    Local storage lends a folder of its own, so that the finished file is moved, not copied.
    """
    folder = storage.temporary_folder()
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="podhost-upload-") as temporary:
            yield Path(temporary) / "upload"
        return
    path = folder / f"upload-{new_id()}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def add_revision(
    session: Session, episode: Episode, prepared: PreparedAudio, *, now: datetime
) -> Audio:
    """Make the prepared file the episode's current audio; the one before stays reachable."""
    if episode.audio is not None:
        episode.audio.replaced_at = now
        session.flush()
    last = session.scalar(select(func.max(Audio.revision)).where(Audio.episode_id == episode.id))
    audio = _row(episode, prepared, revision=(last or 0) + 1, now=now)
    session.add(audio)
    session.flush()
    session.expire(episode, ["audio"])
    return audio


def add_original(
    session: Session, episode: Episode, prepared: PreparedAudio, *, revision: int, now: datetime
) -> None:
    """Keep the prepared file as the one of which the episode's current audio was made elsewhere.

    It gets the number `revision`, which must be free.
    """
    audio = episode.audio
    assert audio is not None, "something was made of it"
    original = _row(episode, prepared, revision=revision, now=now)
    original.replaced_at = now
    session.add(original)
    audio.original_id, audio.original_sha256 = original.id, original.sha256
    audio.tags = original.tags
    session.flush()


def _row(episode: Episode, prepared: PreparedAudio, *, revision: int, now: datetime) -> Audio:
    found = prepared.probe
    return Audio(
        id=prepared.id,
        episode_id=episode.id,
        revision=revision,
        storage_key=prepared.storage_key,
        url_name=episode.slug,
        extension=found.extension,
        mime_type=found.mime_type,
        kind=found.kind,
        codec=found.codec,
        size_bytes=found.size_bytes,
        sha256=prepared.sha256,
        duration_ms=found.duration_ms,
        bitrate_bps=found.bitrate_bps,
        bitrate_mode=found.bitrate_mode,
        sample_rate_hz=found.sample_rate_hz,
        channels=found.channels,
        header_bytes=found.header_bytes,
        problem=found.problem,
        warnings=prepared.warnings,
        tags=_kept_tags(prepared),
        created_at=now,
    )


def _kept_tags(prepared: PreparedAudio) -> dict[str, Any]:
    """What the file says about itself; with its chapters and the hashes of its pictures, so that
    they can serve again once something that was given instead of them is taken away."""
    tags: dict[str, Any] = msgspec.to_builtins(prepared.probe.tags)
    tags["chapters"] = msgspec.to_builtins(prepared.chapters)
    tags["chapter_pictures"] = {
        str(start_ms): picture.source_sha256
        for start_ms, picture in prepared.chapter_pictures.items()
    }
    tags["artwork_sha256"] = prepared.artwork.source_sha256 if prepared.artwork else None
    return tags


def enclosure_url(base_url: str, audio: Audio | Row[Any]) -> str:
    """The address under which apps get this revision, for ever (no query, a real extension)."""
    name = f"{audio.url_name}.{audio.extension}"
    return f"{base_url}/audio/{audio.episode_id}/{audio.revision}/{name}"


def is_known_audio(audio: Audio | None, sha256: str) -> bool:
    """Whether these bytes are the revision's, or those that it was made of."""
    return audio is not None and sha256 in (audio.sha256, audio.original_sha256)


def refuse_known_audio(episode: Episode, sha256: str) -> None:
    """Raises Conflict when the episode has these very bytes already."""
    if is_known_audio(episode.audio, sha256):
        raise Conflict("The episode has this very file already; nothing was changed.")


def _embedded_artwork(storage: Storage, found: Probe) -> PreparedArtwork | None:
    """The picture inside the tags, where it can serve as the episode's artwork."""
    if found.artwork_path is None:
        return None
    try:
        return prepare_artwork(storage, Path(found.artwork_path))
    except Invalid:
        # Small covers are the rule in tags; the show's own artwork serves then.
        return None
