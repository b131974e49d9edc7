"""Shows and episodes for tests, made by the same functions that the program calls."""

from datetime import datetime
from pathlib import Path

from podhost.audio import PreparedAudio, prepare_audio_file
from podhost.db import new_id
from podhost.episodes import EpisodeInput, create_episode
from podhost.feeds import find_snapshot, snapshot_body
from podhost.instance import Instance
from podhost.models import Artwork, Episode, Show
from podhost.publishing import publish_episode
from podhost.shows import ShowInput, create_show, get_show
from podhost.worker import run_due_jobs


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
    prepared = prepare_audio_file(instance.storage, audio) if isinstance(audio, Path) else audio
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
