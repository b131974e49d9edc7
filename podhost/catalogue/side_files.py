"""The small files as listeners get them: artwork, chapters, transcripts, the list of all shows.

It reads rows and storage when somebody asks for the first time; it remembers nothing.
"""

import hashlib
import logging
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from podhost.artwork import storage_key
from podhost.catalogue.entries import (
    ALL_SHOWS,
    IMMUTABLE_CACHE_CONTROL,
    OPML_PATH,
    SideFile,
)
from podhost.catalogue.rows import episode_status
from podhost.chapters.pictures import shown_chapters
from podhost.errors import NotFound, Unavailable
from podhost.formats.artwork import SIZES
from podhost.formats.chapter_formats import CHAPTER_TYPES, render_chapters
from podhost.formats.opml import MIME_TYPE as OPML_MIME_TYPE
from podhost.formats.opml import OpmlShow, render_opml
from podhost.instance import Instance
from podhost.models import Artwork, Chapter, Episode, Show, Transcript
from podhost.shows import feed_path, list_shows, new_feed_url

logger = logging.getLogger(__name__)


def read_side_file(instance: Instance, path: str) -> SideFile:
    """The answer to the path of a URL, 404 and 410 among them. Raises Unavailable."""
    if path == OPML_PATH:
        return _read_opml(instance)
    parts = path.split("/")
    if len(parts) == 4 and parts[1] == "artwork":
        return _read_artwork(instance, parts[2], parts[3])
    if len(parts) == 3 and parts[1] == "chapters":
        episode_id, _, ending = parts[2].partition(".")
        return _read_chapters(instance, episode_id, ending)
    if len(parts) == 4 and parts[1] == "transcripts":
        return _read_transcript(instance, parts[2], parts[3])
    return SideFile(404)


def _read_artwork(instance: Instance, artwork_id: str, file_name: str) -> SideFile:
    with instance.database.read() as session:
        artwork = session.get(Artwork, artwork_id)
    if artwork is None:
        return SideFile(404)
    known = {f"{size}.jpg": size for size, _ in artwork.sizes}
    largest = max(known.values())
    # Of a picture that is smaller than somebody asks for, there is nothing larger.
    known |= {f"{size}.jpg": largest for size in SIZES if size > largest}
    if file_name not in known:
        return SideFile(404)
    size = known[file_name]
    return SideFile(
        200,
        body=_stored(instance, storage_key(artwork_id, size)),
        etag=f'"{artwork_id}-{size}"'.encode("ascii"),
        last_modified=artwork.created_at,
        mime_type=artwork.mime_type,
        cache_control=IMMUTABLE_CACHE_CONTROL,
    )


def _read_chapters(instance: Instance, episode_id: str, ending: str) -> SideFile:
    if ending not in CHAPTER_TYPES:
        return SideFile(404)
    with instance.database.read() as session:
        episode = session.get(
            Episode,
            episode_id,
            options=(
                selectinload(Episode.show),
                selectinload(Episode.chapters).selectinload(Chapter.artwork),
            ),
        )
    if episode is None:
        return SideFile(404)
    owners = (episode.id, episode.show_id)
    status = episode_status(episode, episode.show.deleted_at)
    if status != 200 or not episode.chapters:
        return SideFile(status if status != 200 else 404, owner_ids=owners)
    body = render_chapters(
        shown_chapters(episode.chapters, instance.base_url),
        ending,
        title=episode.title,
        podcast_name=episode.show.title,
    )
    return SideFile(
        200,
        body=body,
        etag=_etag(body),
        last_modified=_chapters_date(episode),
        mime_type=CHAPTER_TYPES[ending],
        owner_ids=owners,
    )


def _chapters_date(episode: Episode) -> datetime:
    """Since when they can be what they are: the titles of the episode and the show are in them."""
    changed_at = episode.chapters_changed_at or episode.created_at
    return max(changed_at, episode.changed_at, episode.show.changed_at)


def _read_transcript(instance: Instance, episode_id: str, file_name: str) -> SideFile:
    transcript_id, _, extension = file_name.partition(".")
    with instance.database.read() as session:
        transcript = session.get(Transcript, transcript_id)
        if (
            transcript is None
            or transcript.episode_id != episode_id
            or transcript.extension != extension
        ):
            return SideFile(404)
        episode = session.get_one(Episode, episode_id, options=(selectinload(Episode.show),))
    owners = (episode.id, episode.show_id)
    status = episode_status(episode, episode.show.deleted_at)
    if status != 200:
        return SideFile(status, owner_ids=owners)
    return SideFile(
        200,
        body=_stored(instance, transcript.storage_key),
        etag=b'"' + transcript.sha256.encode("ascii") + b'"',
        last_modified=transcript.created_at,
        mime_type=transcript.mime_type,
        owner_ids=owners,
    )


def _read_opml(instance: Instance) -> SideFile:
    """Every show that does not hide; blocked ones ask directories, and so lists, to leave them."""
    base_url = instance.base_url
    with instance.database.read() as session:
        shows = [
            OpmlShow(
                title=show.title,
                feed_url=new_feed_url(show) or base_url + feed_path(show),
                page_url=show.link or f"{base_url}/{show.slug}/",
                language=show.language,
            )
            for show in list_shows(session)
            if not show.is_blocked
        ]
        # Deleted shows count: the list is younger than the deletion.
        changed_at = session.scalar(select(func.max(Show.changed_at))) or instance.now()
    body = render_opml(shows)
    return SideFile(
        200,
        body=body,
        etag=_etag(body),
        last_modified=changed_at,
        mime_type=OPML_MIME_TYPE,
        owner_ids=(ALL_SHOWS,),
    )


def _etag(body: bytes) -> bytes:
    return b'"' + hashlib.sha256(body).hexdigest()[:32].encode("ascii") + b'"'


def _stored(instance: Instance, key: str) -> bytes:
    try:
        with instance.storage.open(key) as source:
            return source.readall()
    except NotFound as error:
        # The row says that it is there: a fault of ours, which `podhost check` explains.
        logger.error("storage: %s is missing", key)
        raise Unavailable("This file cannot be read at the moment.") from error
