"""Shows and episodes for tests, made by the same functions that the program calls."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from podhost.audio.revisions import PreparedAudio, prepare_audio_file
from podhost.config import read_settings
from podhost.db import new_id
from podhost.episodes import EpisodeInput, create_episode
from podhost.episodes.publishing import publish_episode
from podhost.exports.shows import export_show
from podhost.feeds import hubs
from podhost.feeds.rendering import find_snapshot, snapshot_body
from podhost.instance import Instance, open_instance
from podhost.models import Artwork, Episode, Show
from podhost.shows import ShowInput, create_show, get_show
from podhost.storage import Storage
from podhost.worker import run_due_jobs


@contextmanager
def another_podhost(
    like: Instance, folder: Path, migrated: Path, clock: Callable[[], datetime]
) -> Iterator[Instance]:
    """An empty one in a new folder, on SQLite and a folder, under the same base URL."""
    folder.mkdir()
    shutil.copy(migrated, folder / "podhost.sqlite3")
    values = {"PODHOST_DATA": str(folder), "PODHOST_BASE_URL": like.base_url}
    other = open_instance(read_settings(values), clock=clock)
    try:
        yield other
    finally:
        other.close()


def export_of(instance: Instance, slug: str, target: Path) -> None:
    """Write the show into the folder, as `podhost export` does."""
    export_show(
        *(instance.database, instance.storage, slug, target),
        site=hubs.site_of(instance),
        now=instance.now(),
    )


def make_show(instance: Instance, title: str = "Tide Tables", **given: object) -> Show:
    """Alice's show, with everything that Apple asks for."""
    values = {
        "description": "Harbour talk.",
        "author": "Pier Nine",
        "categories": ["Society & Culture > Places & Travel"],
        **given,
    }
    with instance.database.write() as session:
        show = create_show(
            session,
            ShowInput(title=title, **values),  # type: ignore[arg-type]
            base_url=instance.base_url,
            now=instance.now(),
        )
        # A picture in name only: drawing a real placeholder takes most of a second.
        show.artwork = Artwork(
            id=new_id(),
            source_sha256="0" * 64,
            mime_type="image/jpeg",
            width=3000,
            height=3000,
            sizes=[[3000, 1]],
            created_at=instance.now(),
        )
        return show


# What was found in files of tests, by what tells one from another.
_probed: dict[tuple[Path, int, int], PreparedAudio] = {}


def prepared_audio(storage: Storage, path: Path) -> PreparedAudio:
    """As `prepare_audio_file`, but a file without pictures is probed once for all tests: that takes
    a process of its own, and most tests are about something else."""
    facts = path.stat()
    key = (path, facts.st_mtime_ns, facts.st_size)
    known = _probed.get(key)
    if known is None:
        prepared = prepare_audio_file(storage, path)
        if not prepared.pictures:
            _probed[key] = prepared
        return prepared
    audio_id = new_id()
    storage_key = f"audio/{audio_id}.{known.probe.extension}"
    storage.put_file(storage_key, path, content_type=known.probe.mime_type)
    return replace(known, id=audio_id, storage_key=storage_key)


def make_episode(
    instance: Instance,
    show: Show,
    audio: Path | PreparedAudio | None,
    title: str = "Low water",
    *,
    publish: bool = True,
    at: datetime | None = None,
    **given: object,
) -> Episode:
    """An episode of the show, published unless a test says otherwise."""
    prepared = prepared_audio(instance.storage, audio) if isinstance(audio, Path) else audio
    with instance.database.write() as session:
        locked = get_show(session, show.slug, lock=True)
        episode = create_episode(
            session,
            locked,
            EpisodeInput(title=title, **given),  # type: ignore[arg-type]
            prepared,
            now=instance.now(),
        )
        if publish:
            publish_episode(session, episode, now=instance.now(), at=at)
        # What tests look at after the session is gone.
        assert episode.audio is None or episode.audio.size_bytes
        assert episode.show is locked
        return episode


def feed_body(instance: Instance, show: Show) -> bytes:
    """The feed's bytes once all jobs that are due are done."""
    run_due_jobs(instance)
    with instance.database.read() as session:
        snapshot = find_snapshot(session, show)
        assert snapshot is not None
        return snapshot_body(snapshot)
