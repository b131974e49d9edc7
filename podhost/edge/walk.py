"""Compares all of `public/` with the rows: for the worker, once an hour, and for `podhost check`.

What differs becomes jobs, some at a time, and what is nobody's goes at once; it writes no object.
"""

import logging
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, delete, func, select
from sqlalchemy.orm import Session

from podhost.catalogue.side_files import read_side_file
from podhost.edge import (
    JOBS,
    LATER_JOBS,
    PLACE_EPISODE,
    PLACE_FEED,
    PLACE_PICTURE,
    PUBLIC,
    WALKED_AT,
    Work,
    chapters_key,
    enqueue_work,
    episodes_at_edge,
    feed_key,
    find_bytes,
    picture_key,
    pictures_at_edge,
    shows_at_edge,
    transcript_key,
)
from podhost.errors import Conflict, Unavailable
from podhost.feeds.formats import FORMATS, FeedFormat, further, split_path
from podhost.feeds.rendering import snapshot_body
from podhost.instance import Instance
from podhost.models import (
    Artwork,
    Episode,
    Fact,
    FeedSnapshot,
    Job,
    Rendered,
    Show,
    Transcript,
)
from podhost.shows import find_show
from podhost.storage import Stat
from podhost.sweep import owns_storage

WALK_EVERY = timedelta(hours=1)
# So many jobs wait at once, at most, for what a walk found.
QUEUE_LIMIT = 2000
# Of chapters, a listing tells only whether they are there. Their bytes are compared once in so
# many walks, which is about a week.
_DEEP_WALKS = 168
_ID = re.compile(r"[0-9a-f]{16}")
_CHAPTERS = re.compile(r"[0-9a-f]{16}\.json(\.gz)?")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Expected:
    """An object that should be there: who puts it right, and its size and date where known."""

    work: Work
    size_bytes: int | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wrong with one key, as half a sentence; `work` is None for what is nobody's.

    `is_hidden`: size and date are right, and only a look at the bytes tells.
    """

    key: str
    what: str
    work: Work | None
    is_hidden: bool = False


def claim_walk(instance: Instance, *, is_first: bool) -> bool:
    """True for one caller an hour among all workers, who then calls `walk`.

    Also for each worker that has just started (`is_first`): the settings may be others now.
    """
    now = instance.now()
    try:
        with instance.database.write() as session:
            last = session.get(Fact, WALKED_AT, with_for_update=True)
            if last is None:
                session.add(Fact(name=WALKED_AT, value=now.isoformat()))
                return True
            # A date in the future is left by a clock that has been set back since.
            age = now - datetime.fromisoformat(last.value)
            if timedelta(0) <= age < WALK_EVERY and not is_first:
                return False
            last.value = now.isoformat()
    except Conflict:
        # The very first time there is no row to wait for, and another worker was faster.
        return False
    return True


def walk(instance: Instance) -> None:
    """Enqueue jobs for what differs between public/ and the rows, and remove what is nobody's.

    If that is more than may wait at once, or the storage fails, the walk is due again at once.
    """
    try:
        _walk(instance)
    except Unavailable as error:
        log.warning("public/ could not be compared with the rows: %s", error)
        _make_due(instance)


def _walk(instance: Instance) -> None:
    if not instance.settings.static_edge and next(instance.storage.list(PUBLIC), None) is None:
        return
    if not owns_storage(instance.database, instance.storage):
        log.error("The storage holds objects of another database; public/ is left as it is.")
        return
    waiting = _waiting(instance)
    room = QUEUE_LIMIT - len(waiting)
    found: set[Work] = set(_due_for_a_look(instance))
    for difference in find_differences(instance):
        if difference.work is None or not instance.settings.static_edge:
            _remove(instance, difference)
        else:
            found.add(difference.work)
    missed = sorted(found - waiting)
    enqueue_work(instance, missed[: max(0, room)])
    if len(missed) > room:
        _make_due(instance)


def _make_due(instance: Instance) -> None:
    with instance.database.write() as session:
        session.execute(delete(Fact).where(Fact.name == WALKED_AT))


def _waiting(instance: Instance) -> set[Work]:
    kinds = (*JOBS, *LATER_JOBS)
    with instance.database.read() as session:
        rows = session.execute(
            select(Job.kind, Job.key).where(Job.kind.in_(kinds), Job.status == "waiting")
        )
        return {(kind, key) for kind, key in rows}


def _remove(instance: Instance, difference: Difference) -> None:
    """Remove what belongs to no row; if one has come meanwhile, let it be written again."""
    log.info("removing from public/", extra={"storage_key": difference.key})
    instance.storage.delete(difference.key)
    if instance.settings.static_edge:
        work = _owner(instance, difference.key)
        if work is not None:
            enqueue_work(instance, [work])


def _due_for_a_look(instance: Instance) -> Iterator[Work]:
    """Some of the episodes with chapters, others each hour."""
    if not instance.settings.static_edge:
        return
    turn = int(instance.now().timestamp() // WALK_EVERY.total_seconds()) % _DEEP_WALKS
    with instance.database.read() as session:
        for episode_id in session.scalars(_episodes_with_chapters()):
            if zlib.crc32(episode_id.encode()) % _DEEP_WALKS == turn:
                yield PLACE_EPISODE, episode_id


def _episodes_with_chapters() -> Select[str]:
    return (
        select(Episode.id)
        .join(Show)
        .where(Episode.chapters_changed_at.is_not(None), episodes_at_edge())
    )


def find_differences(instance: Instance, *, is_deep: bool = False) -> Iterator[Difference]:
    """What public/ has otherwise than the rows say; with `is_deep` bytes are compared as well.

    It does not know what is being written at this moment: who mends, looks at the rows again.
    """
    with instance.database.read() as session:
        wanted = _expected(session) if instance.settings.static_edge else {}
    for stat in instance.storage.list(PUBLIC):
        expected = wanted.pop(stat.key, None)
        if expected is None:
            yield Difference(stat.key, "should not be there", _owner(instance, stat.key))
        elif not _is_same(instance, stat, expected):
            yield Difference(stat.key, "is of an older state", expected.work)
        elif is_deep and not _has_right_bytes(instance, stat.key, expected.work):
            yield Difference(stat.key, "has other bytes than it should", expected.work, True)
    for key, expected in wanted.items():
        yield Difference(key, "is missing", expected.work)


def _expected(session: Session) -> dict[str, Expected]:
    wanted: dict[str, Expected] = {}
    for format_ in FORMATS.values():
        wanted |= _expected_feeds(session, format_)
    wanted |= _expected_further(session)
    for episode_id in session.scalars(_episodes_with_chapters()):
        expected = Expected((PLACE_EPISODE, episode_id))
        wanted[chapters_key(episode_id)] = wanted[chapters_key(episode_id) + ".gz"] = expected
    for row in session.execute(
        select(Transcript.episode_id, Transcript.id, Transcript.extension, Transcript.size_bytes)
        .join(Episode, Episode.id == Transcript.episode_id)
        .join(Show, Show.id == Episode.show_id)
        .where(episodes_at_edge())
    ):
        key = transcript_key(row.episode_id, row.id, row.extension)
        wanted[key] = Expected((PLACE_EPISODE, row.episode_id), row.size_bytes)
    at_edge = pictures_at_edge(session)
    for artwork_id, sizes in session.execute(select(Artwork.id, Artwork.sizes)):
        if artwork_id in at_edge:
            for size_px, size_bytes in sizes:
                expected = Expected((PLACE_PICTURE, artwork_id), size_bytes)
                wanted[picture_key(artwork_id, size_px)] = expected
    return wanted


def _expected_feeds(session: Session, format_: FeedFormat) -> dict[str, Expected]:
    wanted: dict[str, Expected] = {}
    for row in session.execute(_stored_feeds(format_.table)):
        wanted |= _expected_feed(feed_key(row.slug, format_), row)
    return wanted


def _expected_further(session: Session) -> dict[str, Expected]:
    wanted: dict[str, Expected] = {}
    is_there = (FeedSnapshot.is_private.is_(False), FeedSnapshot.gone_at.is_(None))
    query = _stored_feeds(FeedSnapshot).add_columns(FeedSnapshot.path).where(*is_there)
    for row in session.execute(query):
        wanted |= _expected_feed(feed_key(row.slug, further(row.path)), row)
    return wanted


def _stored_feeds(table: type[Rendered]) -> Select[Any]:
    return (
        select(
            Show.id,
            Show.slug,
            table.size_bytes,
            func.length(table.body_gzip).label("gzip_bytes"),
            table.last_modified,
        )
        .join(table, table.show_id == Show.id)
        .where(shows_at_edge())
    )


def _expected_feed(key: str, row: Row[Any]) -> dict[str, Expected]:
    work = (PLACE_FEED, row.id)
    return {
        key: Expected(work, row.size_bytes, row.last_modified),
        key + ".gz": Expected(work, row.gzip_bytes, row.last_modified),
    }


def _is_same(instance: Instance, stat: Stat, expected: Expected) -> bool:
    if expected.size_bytes not in (None, stat.size_bytes):
        return False
    if expected.modified_at in (None, stat.modified_at):
        return True
    # A bucket's listing has other dates than those that were given.
    found = instance.storage.find_stat(stat.key)
    return found is not None and found.modified_at == expected.modified_at


def _has_right_bytes(instance: Instance, key: str, work: Work) -> bool:
    kind, id_ = work
    is_gzip = key.endswith(".gz")
    feed = split_path(key.removeprefix(PUBLIC).removesuffix(".gz"))
    if kind == PLACE_FEED and feed is not None:
        with instance.database.read() as session:
            snapshot = session.get_one(feed[1].table, feed[1].key(id_))
        wanted = bytes(snapshot.body_gzip) if is_gzip else snapshot_body(snapshot)
    elif "/chapters/" in key and not is_gzip:
        wanted = read_side_file(instance, key.removeprefix(PUBLIC.rstrip("/"))).body
    else:
        # Never changed once it is there, or another coding of what is compared.
        return True
    return find_bytes(instance.storage, key) == wanted


def _owner(instance: Instance, key: str) -> Work | None:
    """The job that knows what should be under this key, or that nothing should."""
    if not instance.settings.static_edge:
        return None
    match key.removeprefix(PUBLIC).split("/"):
        case ["chapters", name] if _CHAPTERS.fullmatch(name):
            return PLACE_EPISODE, name.partition(".")[0]
        case ["transcripts", episode_id, _] if _ID.fullmatch(episode_id):
            return PLACE_EPISODE, episode_id
        case ["artwork", artwork_id, _] if _ID.fullmatch(artwork_id):
            return PLACE_PICTURE, artwork_id
    feed = split_path(key.removeprefix(PUBLIC).removesuffix(".gz"))
    if feed is None:
        return None
    with instance.database.read() as session:
        show = find_show(session, feed[0])
    return None if show is None else (PLACE_FEED, show.id)
