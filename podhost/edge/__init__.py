"""The static edge: what polls ask for, as plain objects under `public/`, for other web servers.

Rows say what belongs there. Jobs, enqueued from the change log, put one show, episode or picture
right; `walk.py` finds what they missed. It answers nobody and renders no feed.
"""

import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.orm import Session

from podhost.artwork import storage_key
from podhost.catalogue.entries import FEED_CACHE_CONTROL, SIDE_CACHE_CONTROL
from podhost.catalogue.side_files import read_side_file
from podhost.changes import changes_since, last_change
from podhost.errors import Conflict, NotFound, Unavailable
from podhost.feeds.formats import FORMATS, FeedFormat, further
from podhost.feeds.rendering import compress_feed, snapshot_body
from podhost.formats.chapters import JSON_MIME_TYPE
from podhost.instance import Instance
from podhost.jobs import enqueue
from podhost.models import (
    Artwork,
    Chapter,
    Credit,
    Episode,
    Fact,
    FeedSnapshot,
    Rendered,
    Show,
    ShowSlug,
    Transcript,
)
from podhost.shows import new_feed_url
from podhost.storage import Storage
from podhost.sweep import owns_storage

PUBLIC = "public/"
PLACE_SHOW = "place_show"
PLACE_FEED = "place_feed"
PLACE_EPISODE = "place_episode"
PLACE_PICTURE = "place_picture"
# When public/ was last compared with the rows; without it, that is due.
WALKED_AT = "edge_walked_at"
_SEQ = "edge_seq"
# How many jobs one transaction enqueues.
_AT_ONCE = 200
# How often the rows may change while one thing is written before it is left for later.
_ROUNDS = 5

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = tuple[str, str]


def is_at_edge(show: Show) -> bool:
    """False for shows whose listeners podhost itself must tell: deleted, moved away, blocked."""
    return show.deleted_at is None and new_feed_url(show) is None and not show.is_blocked


def shows_at_edge() -> ColumnElement[bool]:
    """The same as a condition of a query."""
    return and_(
        Show.deleted_at.is_(None),
        Show.new_feed_url.is_(None),
        Show.redirect_to.is_(None),
        Show.is_blocked.is_(False),
    )


def episodes_at_edge() -> ColumnElement[bool]:
    """Episodes whose files may lie there, for a query that joins their shows."""
    return and_(Episode.status == "published", Episode.deleted_at.is_(None), shows_at_edge())


def is_for_everybody(snapshot: Rendered) -> bool:
    """False for a feed whose address is told to some alone, and for what is no more."""
    if isinstance(snapshot, FeedSnapshot):
        return not snapshot.is_private and snapshot.gone_at is None
    return True


def feed_key(slug: str, format_: FeedFormat) -> str:
    """Where a feed lies; beside it, with .gz, as gzip. The rest of the path is the URL's."""
    return PUBLIC.rstrip("/") + format_.path(slug)


def chapters_key(episode_id: str) -> str:
    """Where an episode's JSON chapters lie; beside them, with .gz, as gzip."""
    return f"{PUBLIC}chapters/{episode_id}.json"


def transcript_key(episode_id: str, transcript_id: str, extension: str) -> str:
    """Where a transcript lies."""
    return f"{PUBLIC}transcripts/{episode_id}/{transcript_id}.{extension}"


def picture_key(artwork_id: str, size_px: int) -> str:
    """Where one size of a picture lies."""
    return PUBLIC + storage_key(artwork_id, size_px)


# What changed


def enqueue_changed(instance: Instance) -> int:
    """Enqueue jobs for what the change log says since the last time; how many at most.

    Each worker calls it all the time; the log's number that was reached stands in the database.
    """
    if not instance.settings.static_edge:
        return 0
    with instance.database.read() as session:
        reached = session.get(Fact, _SEQ)
        if reached is not None and reached.value == str(last_change(session)):
            return 0
    # Another worker may be faster with the very first number.
    with suppress(Conflict), instance.database.write() as session:
        return _follow(session, instance.now())
    return 0


def _follow(session: Session, now: datetime) -> int:
    reached = session.get(Fact, _SEQ, with_for_update=True)
    if reached is None:
        reached = Fact(name=_SEQ, value="")
        session.add(reached)
    seq = int(reached.value or 0)
    changes = list(changes_since(session, seq))[:_AT_ONCE]
    # Numbers have no gaps: where one is missing, lines were pruned, or a backup was restored.
    if not changes or changes[0].seq != seq + 1:
        reached.value = str(last_change(session))
        session.execute(delete(Fact).where(Fact.name == WALKED_AT))
        return 0
    kinds = {"show": PLACE_SHOW, "feed": PLACE_FEED, "episode": PLACE_EPISODE}
    work = {(kinds[change.topic], change.key) for change in changes if change.topic in kinds}
    # What puts a show right does so with its feed.
    work -= {(PLACE_FEED, key) for kind, key in work if kind == PLACE_SHOW}
    _enqueue(session, work, now)
    reached.value = str(changes[-1].seq)
    return len(work)


def enqueue_work(instance: Instance, work: Collection[Work]) -> None:
    """Enqueue jobs, some at a time."""
    ordered = sorted(work)
    for start in range(0, len(ordered), _AT_ONCE):
        with instance.database.write() as session:
            _enqueue(session, ordered[start : start + _AT_ONCE], instance.now())


def _enqueue(session: Session, work: Iterable[Work], now: datetime) -> None:
    # Always in the same order: two that hold some of these rows each must not wait in a circle.
    for kind, key in sorted(work):
        enqueue(session, kind, key, now=now, run_at=now)


# Putting one thing right


def place_show(instance: Instance, show_id: str) -> None:
    """Put right what a show's row decides: its feed, its pictures, and all of its episodes."""
    place_feed(instance, show_id)
    with instance.database.read() as session:
        pictures = _show_pictures(session, show_id)
        episode_ids = session.scalars(
            select(Episode.id).where(Episode.show_id == show_id, _has_files())
        ).all()
    _place_pictures(instance, pictures)
    enqueue_work(instance, [(PLACE_EPISODE, episode_id) for episode_id in episode_ids])


def place_feed(instance: Instance, show_id: str) -> None:
    """Write the show's feeds as they were last rendered, or remove them, in every format."""
    with instance.database.read() as session:
        paths = session.scalars(select(FeedSnapshot.path).where(FeedSnapshot.show_id == show_id))
        others = [further(path) for path in paths]
    for format_ in (*FORMATS.values(), *others):
        _settle(instance, partial(_wanted_feed, instance, show_id, format_), _apply_feed)


def place_episode(instance: Instance, episode_id: str) -> None:
    """Write an episode's chapters, transcripts and pictures, or remove them."""
    _settle(
        instance,
        lambda: _wanted_episode(instance, episode_id),
        lambda storage, wanted: _apply_episode(instance, episode_id, wanted),
    )
    with instance.database.read() as session:
        pictures = _episode_pictures(session, episode_id)
    _place_pictures(instance, pictures)


def place_picture(instance: Instance, artwork_id: str) -> None:
    """Write a picture in all its sizes, or remove it if no show or episode there has it."""
    _place_pictures(instance, {artwork_id})


Place = Callable[[Instance, str], None]


def _if_ours(place: Place) -> Place:
    """The same for workers: nothing in a storage that belongs to another database is touched."""

    def place_ours(instance: Instance, key: str) -> None:
        if owns_storage(instance.database, instance.storage):
            place(instance, key)
        else:
            log.warning("The storage is another database's; nothing in public/ was changed.")

    return place_ours


# A feed is asked for far more often than anything that it names, so the other jobs can wait.
JOBS: dict[str, Place] = {
    PLACE_SHOW: _if_ours(place_show),
    PLACE_FEED: _if_ours(place_feed),
}
LATER_JOBS: dict[str, Place] = {
    PLACE_EPISODE: _if_ours(place_episode),
    PLACE_PICTURE: _if_ours(place_picture),
}


def _settle(instance: Instance, read: Callable[[], T], apply: Callable[[Storage, T], None]) -> None:
    """Make storage as `read` says, until `read` says the same after the writing as before.

    So a slow worker that writes something old over something newer sees it and writes again, and
    what was deleted while it was written goes again.
    """
    wanted = read()
    for _ in range(_ROUNDS):
        apply(instance.storage, wanted)
        before, wanted = wanted, read()
        if before == wanted:
            return
    raise Unavailable("It changes faster than it can be written to public/.")


@dataclass(frozen=True, slots=True)
class _WantedFeed:
    """The slug under which a feed belongs (None: under none), and those where none may be."""

    format: FeedFormat
    slug: str | None
    other_slugs: tuple[str, ...]
    sha256: str = ""
    modified_at: datetime | None = None
    bodies: tuple[bytes, bytes] = (b"", b"")


def _wanted_feed(instance: Instance, show_id: str, format_: FeedFormat) -> _WantedFeed:
    with instance.database.read() as session:
        show = session.get(Show, show_id)
        if show is None:
            return _WantedFeed(format_, None, ())
        former = select(ShowSlug.slug).where(
            ShowSlug.show_id == show_id, ShowSlug.slug.not_in(select(Show.slug))
        )
        others = tuple(session.scalars(former.order_by(ShowSlug.slug)))
        is_wanted = instance.settings.static_edge and is_at_edge(show)
        key = format_.key(show_id)
        snapshot = session.get(format_.table, key) if is_wanted else None
    if snapshot is None or not is_for_everybody(snapshot):
        return _WantedFeed(format_, None, (*others, show.slug))
    bodies = (snapshot_body(snapshot), bytes(snapshot.body_gzip))
    date = snapshot.last_modified
    return _WantedFeed(format_, show.slug, others, snapshot.sha256, date, bodies)


def _apply_feed(storage: Storage, wanted: _WantedFeed) -> None:
    for slug in wanted.other_slugs:
        for key, _ in _codings(feed_key(slug, wanted.format)):
            storage.delete(key)
    if wanted.slug is None or wanted.modified_at is None:
        return
    cache_control = FEED_CACHE_CONTROL.decode()
    codings = _codings(feed_key(wanted.slug, wanted.format))
    for (key, encoding), body in zip(codings, wanted.bodies, strict=True):
        found = storage.find_stat(key)
        # No two snapshots of a show have the same date.
        if (
            found is not None
            and found.size_bytes == len(body)
            and found.modified_at == wanted.modified_at
        ):
            continue
        storage.put_bytes(
            key,
            body,
            content_type=wanted.format.content_type,
            cache_control=cache_control,
            content_encoding=encoding,
            modified_at=wanted.modified_at,
            overwrite=True,
        )


def _codings(key: str) -> tuple[tuple[str, str | None], tuple[str, str | None]]:
    return (key, None), (key + ".gz", "gzip")


@dataclass(frozen=True, slots=True)
class _WantedEpisode:
    """An episode's chapters, and its transcripts by key: where each comes from, and its size."""

    chapters: bytes | None
    transcripts: dict[str, tuple[str, int, str]]


def _wanted_episode(instance: Instance, episode_id: str) -> _WantedEpisode:
    chapters = None
    transcripts: dict[str, tuple[str, int, str]] = {}
    with instance.database.read() as session:
        episode = session.scalar(
            select(Episode).join(Show).where(Episode.id == episode_id, episodes_at_edge())
        )
        if episode is not None and instance.settings.static_edge:
            for row in session.scalars(
                select(Transcript).where(Transcript.episode_id == episode_id)
            ):
                key = transcript_key(episode_id, row.id, row.extension)
                transcripts[key] = (row.storage_key, row.size_bytes, row.mime_type)
            if episode.chapters_changed_at is not None:
                # The same bytes as podhost answers with itself.
                chapters = read_side_file(instance, f"/chapters/{episode_id}.json").body or None
    return _WantedEpisode(chapters, transcripts)


def _apply_episode(instance: Instance, episode_id: str, wanted: _WantedEpisode) -> None:
    storage = instance.storage
    _apply_chapters(instance, chapters_key(episode_id), wanted.chapters)
    held = {
        stat.key: stat.size_bytes for stat in storage.list(f"{PUBLIC}transcripts/{episode_id}/")
    }
    for key in held.keys() - wanted.transcripts.keys():
        storage.delete(key)
    for key, (source_key, size_bytes, mime_type) in wanted.transcripts.items():
        if held.get(key) != size_bytes:
            _copy(storage, source_key, key, content_type=with_charset(mime_type))


def _apply_chapters(instance: Instance, key: str, body: bytes | None) -> None:
    storage = instance.storage
    if body is None:
        storage.delete(key)
        storage.delete(key + ".gz")
        return
    bodies = (body, compress_feed(body))
    held = [find_bytes(storage, coded) for coded, _ in _codings(key)]
    if tuple(held) == bodies:
        return
    # Each change is dated at least a second later, or a server that makes its ETag of size and
    # date would call it unchanged.
    modified_at = instance.now().replace(microsecond=0)
    for (coded, _), data in zip(_codings(key), held, strict=True):
        found = None if data is None else storage.find_stat(coded)
        if found is not None:
            following = found.modified_at.replace(microsecond=0) + timedelta(seconds=1)
            modified_at = max(modified_at, following)
    for (coded, encoding), data in zip(_codings(key), bodies, strict=True):
        storage.put_bytes(
            coded,
            data,
            content_type=JSON_MIME_TYPE,
            cache_control=SIDE_CACHE_CONTROL.decode(),
            content_encoding=encoding,
            modified_at=modified_at,
            overwrite=True,
        )


def _place_pictures(instance: Instance, artwork_ids: Collection[str]) -> None:
    def read() -> dict[str, dict[str, tuple[str, int]]]:
        """By picture: the objects that it should have, each with its source and size."""
        wanted: dict[str, dict[str, tuple[str, int]]] = {id_: {} for id_ in sorted(artwork_ids)}
        with instance.database.read() as session:
            if instance.settings.static_edge:
                for artwork_id in pictures_at_edge(session, artwork_ids):
                    artwork = session.get_one(Artwork, artwork_id)
                    wanted[artwork_id] = {
                        picture_key(artwork_id, px): (storage_key(artwork_id, px), size_bytes)
                        for px, size_bytes in artwork.sizes
                    }
        return wanted

    if artwork_ids:
        _settle(instance, read, _apply_pictures)


def _apply_pictures(storage: Storage, wanted: dict[str, dict[str, tuple[str, int]]]) -> None:
    for artwork_id, files in wanted.items():
        held = {
            stat.key: stat.size_bytes for stat in storage.list(f"{PUBLIC}artwork/{artwork_id}/")
        }
        for key in held.keys() - files.keys():
            storage.delete(key)
        for key, (source_key, size_bytes) in files.items():
            if held.get(key) != size_bytes:
                _copy(storage, source_key, key)


def pictures_at_edge(session: Session, ids: Collection[str] | None = None) -> set[str]:
    """Of these pictures, or of all, those that a show or an episode at the edge has."""
    show_credits = select(Credit.artwork_id).join(Show, Show.id == Credit.show_id)
    episodes = select(Episode.artwork_id).join(Show)
    credits = select(Credit.artwork_id).join(Episode, Episode.id == Credit.episode_id).join(Show)
    chapters = select(Chapter.artwork_id).join(Episode).join(Show)
    found: set[str] = set()
    for query, column in (
        (select(Show.artwork_id).where(shows_at_edge()), Show.artwork_id),
        (show_credits.where(Credit.episode_id.is_(None), shows_at_edge()), Credit.artwork_id),
        (episodes.where(episodes_at_edge()), Episode.artwork_id),
        (credits.where(episodes_at_edge()), Credit.artwork_id),
        (chapters.where(episodes_at_edge()), Chapter.artwork_id),
    ):
        if ids is not None:
            query = query.where(column.in_(ids))
        found.update(id_ for id_ in session.scalars(query.distinct()) if id_ is not None)
    return found


def _show_pictures(session: Session, show_id: str) -> set[str]:
    ids = {session.scalar(select(Show.artwork_id).where(Show.id == show_id))}
    ids |= set(
        session.scalars(
            select(Credit.artwork_id).where(Credit.show_id == show_id, Credit.episode_id.is_(None))
        )
    )
    return {id_ for id_ in ids if id_ is not None}


def _episode_pictures(session: Session, episode_id: str) -> set[str]:
    ids = {session.scalar(select(Episode.artwork_id).where(Episode.id == episode_id))}
    for table in (Credit, Chapter):
        ids |= set(session.scalars(select(table.artwork_id).where(table.episode_id == episode_id)))
    return {id_ for id_ in ids if id_ is not None}


def _has_files() -> ColumnElement[bool]:
    """Episodes with anything that could lie at the edge."""
    transcripts = select(Transcript.id).where(Transcript.episode_id == Episode.id)
    pictures = select(Credit.id).where(
        Credit.episode_id == Episode.id, Credit.artwork_id.is_not(None)
    )
    return or_(
        Episode.chapters_changed_at.is_not(None),
        Episode.artwork_id.is_not(None),
        transcripts.exists(),
        pictures.exists(),
    )


def _copy(storage: Storage, source_key: str, key: str, *, content_type: str | None = None) -> None:
    """Copy what never changes; a link does where the storage is a folder."""
    cache_control = SIDE_CACHE_CONTROL.decode() if content_type else None
    # Something else may lie there: half a copy of another program, say.
    storage.delete(key)
    try:
        with suppress(Conflict):
            storage.copy(
                source_key,
                key,
                content_type=content_type,
                cache_control=cache_control,
                may_share=True,
            )
    except NotFound:
        # `podhost check` says what to do about it; podhost itself cannot serve it either.
        log.warning("storage: a file is missing", extra={"storage_key": source_key})


def find_bytes(storage: Storage, key: str) -> bytes | None:
    """The bytes of a small object; None if there is none."""
    try:
        with storage.open(key) as source:
            return source.readall()
    except NotFound:
        return None


def with_charset(mime_type: str) -> str:
    """The type as Content-Type says it: all text here is UTF-8."""
    return f"{mime_type}; charset=utf-8" if mime_type.startswith("text/") else mime_type
