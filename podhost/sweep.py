"""The sweep: finds what an enqueue lost, and removes what nobody needs any more.

Jobs speed things up, but state decides: what is due can always be seen from the rows.
"""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Select, and_, delete, or_, select
from sqlalchemy.orm import Session

from podhost.accounts.second_factors import sweep_steps
from podhost.accounts.sessions import sweep_sessions
from podhost.audio import waveforms
from podhost.audio.revisions import INCOMING
from podhost.audio.tagging import WRITE_TAGS
from podhost.changes import last_change, prune_changes, record_change
from podhost.db import Database, new_id
from podhost.episodes.publishing import PUBLISH_EPISODE
from podhost.errors import Conflict, NotFound, Unavailable
from podhost.exports import archives
from podhost.feeds import further as further_feeds
from podhost.feeds.rendering import Site, stale_show_ids
from podhost.history import audit
from podhost.history import undo as histories
from podhost.history.recording import kept_artwork, kept_transcripts
from podhost.history.trash import TRASH_KEPT
from podhost.jobs import LONGEST_BACKOFF, enqueue
from podhost.models import (
    Article,
    Artwork,
    Audio,
    Chapter,
    Clip,
    CopyPicture,
    Credit,
    Episode,
    Export,
    Fact,
    GuestProposal,
    Job,
    Person,
    SharePicture,
    Show,
    Sponsor,
    Transcript,
    Upload,
)
from podhost.search import index as search_index
from podhost.search.rows import INDEX_SHOW
from podhost.shows import RENDER_SHOW
from podhost.storage import Storage
from podhost.uploads import TAKE_UPLOAD
from podhost.uploads.limits import IN_HAND
from podhost.uploads.sweep import abort_abandoned, remove_orphans
from podhost.written.publishing import PUBLISH_ARTICLE, due_article_ids

CLEAN_UP_EVERY = timedelta(hours=1)
# Counted from the last try of work that gave up.
FAILED_AGAIN_AFTER = timedelta(hours=6)
# The object that says whose the storage is.
OWNER_KEY = "owner.txt"
# The object that says up to which change the rows were known when it was last cleaned up.
NEWEST_KEY = "newest.txt"
_CLEANED_AT = "cleaned_at"
_RESTORED_AT = "restored_at"
_DATABASE_ID = "database_id"

log = logging.getLogger(__name__)

# How the folders of files in hand begin.
TEMPORARY_FOLDERS = (
    *(f"podhost-{name}-" for name in ("probe", "artwork", "upload", "tags", "clip", "share")),
    waveforms.TEMPORARY_FOLDER,
)
# An upload stores its file before its row is written; until then the object has no row.
ORPHAN_AGE = timedelta(hours=24)
# Apps hold the old address for a while, and go on with broken-off downloads.
REPLACED_AUDIO_KEPT = timedelta(days=30)
# Files of which a database that came from a backup knows nothing.
RESTORED_KEPT = timedelta(days=30)
# How many pictures one transaction forgets: for each, the database looks through five tables.
_FORGOTTEN_AT_ONCE = 10


def enqueue_missed(database: Database, site: Site, *, compare_site: bool, now: datetime) -> int:
    """Enqueue what is due by the rows and not waiting; how much that was.

    What gave up after many tries is left alone until something changes, or for six hours: what
    was in its way may be gone.
    """
    with database.read() as session:
        # Work that is due and has not been tried waits for nothing: what makes it wait was dated
        # by a clock that has been set back since, or runs ahead of ours. What has failed waits for
        # its next try.
        is_in_hand = or_(
            Job.status == "running",
            and_(Job.status == "failed", Job.run_at > now - FAILED_AGAIN_AFTER),
            and_(Job.status == "waiting", Job.run_at <= now),
            and_(Job.status == "waiting", Job.attempts > 0, Job.run_at <= now + LONGEST_BACKOFF),
        )
        jobs = select(Job.kind, Job.key).where(is_in_hand)
        known = {(kind, key) for kind, key in session.execute(jobs)}
        missed = [(RENDER_SHOW, show_id) for show_id in _stale(session, site, compare_site, now)]
        missed += [
            (PUBLISH_EPISODE, episode_id)
            for episode_id in _due(session, now)
            # It is published when its tags are written.
            if (WRITE_TAGS, episode_id) not in known
        ]
        missed += [(PUBLISH_ARTICLE, id_) for id_ in due_article_ids(session, now=now)]
        arrived = session.scalars(select(Upload.id).where(Upload.state.in_(IN_HAND)))
        missed += [(TAKE_UPLOAD, upload_id) for upload_id in arrived]
        missed += [(INDEX_SHOW, show_id) for show_id in search_index.stale_show_ids(session)]
        missed += [(archives.MAKE_EXPORT, id_) for id_ in archives.unfinished_ids(session)]
        missed = [work for work in missed if work not in known]
    for kind, key in missed:
        # Each by itself: who holds several of these rows could wait in a circle with others.
        with database.write() as session:
            enqueue(session, kind, key, now=now, run_at=now)
    return len(missed)


def _stale(session: Session, site: Site, compare_site: bool, now: datetime) -> list[str]:
    stale = stale_show_ids(session, site, compare_site=compare_site)
    further = further_feeds.stale_show_ids(session, site, compare_site=compare_site, now=now)
    return list(dict.fromkeys([*stale, *further]))


def _due(session: Session, now: datetime) -> list[str]:
    return list(
        session.scalars(
            select(Episode.id).where(
                Episode.status == "scheduled",
                Episode.published_at <= now,
                Episode.deleted_at.is_(None),
            )
        )
    )


def claim_clean_up(database: Database, *, now: datetime) -> bool:
    """True for one caller an hour among all workers, who then calls `remove_unneeded`."""
    try:
        with database.write() as session:
            last = session.get(Fact, _CLEANED_AT, with_for_update=True)
            if last is None:
                session.add(Fact(name=_CLEANED_AT, value=now.isoformat()))
                return True
            # A date in the future is left by a clock that has been set back since.
            age = now - datetime.fromisoformat(last.value)
            if timedelta(0) <= age < CLEAN_UP_EVERY:
                return False
            last.value = now.isoformat()
    except Conflict:
        # The very first time there is no row to wait for, and another worker was faster.
        return False
    return True


def remove_unneeded(database: Database, storage: Storage, *, now: datetime) -> None:
    """Old change log lines and history, replaced or deleted audio, unused pictures, archives that
    expired, objects without a row."""
    with database.write() as session:
        prune_changes(session, now=now)
        sweep_sessions(session, now=now)
        sweep_steps(session, now=now)
    with database.write() as session:
        histories.prune(session, now=now)
        audit.prune(session, now=now)
    _forget_unused_artwork(database, now)
    _purge_audio(database, storage, now)
    archives.remove_expired(database, storage, now=now)
    storage.sweep_temporary(ORPHAN_AGE.total_seconds())
    abort_abandoned(database, storage, now=now)
    remove_abandoned_folders(Path(tempfile.gettempdir()))
    if not owns_storage(database, storage):
        log.error(
            "The storage holds objects of another database; none is removed. Look at the "
            "settings PODHOST_STORAGE and PODHOST_DATABASE_URL. If the other database is gone "
            "for good, delete %s from the storage.",
            OWNER_KEY,
        )
        return
    if _was_restored(database, storage, now):
        return
    for key in find_orphans(database, storage, now=now):
        log.info("removing an object that no row knows", extra={"storage_key": key})
        storage.delete(key)
    remove_orphans(database, storage, older_than=now - ORPHAN_AGE)


def remove_abandoned_folders(temporary: Path) -> None:
    """Remove what a killed podhost left in the machine's folder for temporary files.

    A file that is received is written to all the time, however slow the line; none is probed or
    drawn for as long as a day. All by the clock that dates files.
    """
    for name in TEMPORARY_FOLDERS:
        for folder in temporary.glob(f"{name}*"):
            with suppress(OSError):
                status = folder.lstat()
                # What is received into a file changes the file and not its folder.
                files = (path.lstat().st_mtime for path in folder.rglob("*"))
                age = time.time() - max(status.st_mtime, *files, 0)
                if status.st_uid == os.getuid() and age > ORPHAN_AGE.total_seconds():
                    shutil.rmtree(folder)


def owns_storage(database: Database, storage: Storage) -> bool:
    """Whether the objects in the storage are this database's to remove; claims what is nobody's.

    To an empty database in front of a full store (a lost volume, a wrong setting, a second podhost
    in the same bucket), all of the audio looks like orphans.
    """
    database_id = _database_id(database)
    try:
        return _is_named(storage, database_id)
    except NotFound:
        with database.read() as session:
            is_ours = any(
                session.scalar(select(table.id).limit(1)) is not None
                for table in (Audio, Artwork, Transcript)
            )
        if not is_ours and next(storage.list(), None) is not None:
            return False
        with suppress(Conflict):
            # Another worker may be faster, and then it is its name that counts.
            storage.put_bytes(OWNER_KEY, database_id.encode(), content_type="text/plain")
    return _is_named(storage, database_id)


def _was_restored(database: Database, storage: Storage, now: datetime) -> bool:
    """Whether the rows came from an older backup within the last month.

    Then they know nothing of what was uploaded after it, and its files may be all that is left.
    """
    # Read before the rows: whoever cleans up at the same time writes no number that is ahead.
    noted = _noted_change(storage)
    with database.read() as session:
        newest = last_change(session)
        fact = session.get(Fact, _RESTORED_AT)
    if newest < noted:
        log.warning(
            "The database is older than the storage: it came from a backup. Files of which it "
            "knows nothing are kept for %d days; `podhost check` lists them.",
            RESTORED_KEPT.days,
        )
        # First, or a kill in between would have it forgotten.
        with database.write() as session:
            fact = session.merge(Fact(name=_RESTORED_AT, value=now.isoformat()))
    if newest != noted:
        number = str(newest).encode()
        # A full disk must not keep us from making room; an older number does as well.
        with suppress(Unavailable):
            storage.put_bytes(NEWEST_KEY, number, content_type="text/plain", overwrite=True)
    return fact is not None and abs(now - datetime.fromisoformat(fact.value)) < RESTORED_KEPT


def _noted_change(storage: Storage) -> int:
    try:
        with storage.open(NEWEST_KEY) as reader:
            return int(reader.read(20))
    except (NotFound, ValueError):
        return 0


def _is_named(storage: Storage, database_id: str) -> bool:
    with storage.open(OWNER_KEY) as reader:
        return reader.read(len(database_id) + 1) == database_id.encode()


def _database_id(database: Database) -> str:
    with database.read() as session:
        known = session.get(Fact, _DATABASE_ID)
    if known is not None:
        return known.value
    with suppress(Conflict), database.write() as session:
        if session.get(Fact, _DATABASE_ID) is None:
            session.add(Fact(name=_DATABASE_ID, value=new_id()))
    with database.read() as session:
        return session.get_one(Fact, _DATABASE_ID).value


def known_database_id(session: Session) -> str | None:
    """By which name the storage knows this database; None: it has none yet."""
    return session.scalar(select(Fact.value).where(Fact.name == _DATABASE_ID))


def database_id_in(facts: Sequence[Mapping[str, Any]]) -> str | None:
    """The same, of rows that are in no database yet."""
    return next((row.get("value") for row in facts if row.get("name") == _DATABASE_ID), None)


def restored_at(session: Session) -> datetime | None:
    """When these rows last came from a backup; None: never."""
    fact = session.get(Fact, _RESTORED_AT)
    return datetime.fromisoformat(fact.value) if fact is not None else None


def note_restored(session: Session, *, now: datetime) -> None:
    """These rows came from a backup: files of which they know nothing are kept for a month."""
    session.merge(Fact(name=_RESTORED_AT, value=now.isoformat()))
    session.flush()


def take_storage(session: Session, storage: Storage) -> None:
    """Make the storage that of this database, whoever it was of before.

    One that has no name yet leaves it nobody's, for the next clean-up to claim: were the caller's
    transaction rolled back, a name made here would be that of a database which never was.
    """
    database_id = known_database_id(session)
    if database_id is None:
        storage.delete(OWNER_KEY)
        return
    storage.put_bytes(OWNER_KEY, database_id.encode(), content_type="text/plain", overwrite=True)


def owner_of(storage: Storage) -> str | None:
    """The id of the database that the storage says it belongs to."""
    with suppress(NotFound), storage.open(OWNER_KEY) as reader:
        return reader.read(100).decode("ascii", "replace")
    return None


def find_orphans(database: Database, storage: Storage, *, now: datetime) -> list[str]:
    """Keys of stored objects that no row knows and that are too old to belong to an upload."""
    old = [
        stat.key
        for prefix in (
            *("audio/", "transcripts/", "artwork/", "clips/", "share/"),
            archives.FOLDER,
            waveforms.FOLDER,
        )
        for stat in storage.list(prefix)
        if stat.modified_at < now - ORPHAN_AGE
    ]
    # The rows come after the objects: of what was found, none got its row unseen meanwhile, even
    # where a clock that was set forward makes everything look old.
    with database.read() as session:
        known = set(session.scalars(select(Audio.storage_key).where(Audio.purged_at.is_(None))))
        known |= set(session.scalars(select(Transcript.storage_key)))
        known |= kept_transcripts(session)
        for files in (Transcript, Clip, SharePicture, Export):
            known |= set(session.scalars(select(files.storage_key)))
        pictures = set(session.scalars(select(Artwork.id)))
        sounds = set(session.scalars(select(Audio.id).where(Audio.purged_at.is_(None))))
        sounds |= {id_ for id_ in session.scalars(_originals()) if id_ is not None}

    def is_known(key: str) -> bool:
        if key.startswith("artwork/"):
            return key.split("/")[1] in pictures
        if key.startswith(waveforms.FOLDER):
            return waveforms.waveform_audio_id(key) in sounds
        return key in known

    orphans = [key for key in old if not is_known(key)]
    assert not any(key.startswith(INCOMING) for key in orphans)
    return orphans


def _forget_unused_artwork(database: Database, now: datetime) -> None:
    """Delete the rows of old pictures that nothing has: some at a time, or whoever wants to write
    to SQLite waits for all of them, and PostgreSQL is taken for silent."""
    old = select(Artwork.id).where(Artwork.created_at < now - ORPHAN_AGE)
    with database.read() as session:
        unused = sorted(set(session.scalars(old)) - _used_artwork(session))
    for start in range(0, len(unused), _FORGOTTEN_AT_ONCE):
        began_at = time.monotonic()
        some = unused[start : start + _FORGOTTEN_AT_ONCE]
        # Somebody may use one just now, because the same picture came again.
        with suppress(Conflict), database.write() as session:
            forgotten = set(some) - _used_artwork(session, some)
            session.execute(delete(Artwork).where(Artwork.id.in_(forgotten)))
        # Others take their turns meanwhile, also those of other processes.
        time.sleep(time.monotonic() - began_at)


def _used_artwork(session: Session, ids: Sequence[str] | None = None) -> set[str]:
    """Which pictures anything has, of these or of all. Each table is gone through once."""
    used: set[str] = set()
    for table in (
        *(Show, Episode, Person, Credit, Chapter, CopyPicture, GuestProposal),
        *(Article, Sponsor),
    ):
        query = select(table.artwork_id).where(table.artwork_id.is_not(None)).distinct()
        if ids is not None:
            query = query.where(table.artwork_id.in_(ids))
        used.update(id_ for id_ in session.scalars(query) if id_ is not None)
    # After the rows of people: a picture goes from there to what is still public of them.
    kept = session.scalars(select(Person.still_public).where(Person.still_public.is_not(None)))
    used.update(fields["artwork_id"]["was"] for fields in kept if "artwork_id" in fields)
    return used | kept_artwork(session, ids)


def _originals() -> Select[str | None]:
    """The files as they were uploaded of what is served now with tags written into it."""
    is_current = Audio.replaced_at.is_(None)
    return select(Audio.original_id).where(Audio.original_id.is_not(None), is_current)


def _purge_audio(database: Database, storage: Storage, now: datetime) -> None:
    """Remove audio that was replaced or deleted, once nobody can have it back."""
    is_old = and_(Audio.replaced_at < now - REPLACED_AUDIO_KEPT, Audio.id.not_in(_originals()))
    is_deleted = or_(
        Episode.deleted_at <= now - TRASH_KEPT,
        Show.deleted_at <= now - TRASH_KEPT,
    )
    with database.read() as session:
        old = session.execute(
            select(Audio.id, Audio.storage_key, Audio.episode_id)
            .join(Episode, Audio.episode_id == Episode.id)
            .join(Show, Episode.show_id == Show.id)
            .where(Audio.purged_at.is_(None), or_(is_old, is_deleted))
        ).all()
    for audio_id, storage_key, episode_id in old:
        # The row first: its address redirects from then on, and a crash leaves only an orphan.
        with database.write() as session:
            audio = session.get_one(Audio, audio_id)
            audio.purged_at = now
            record_change(session, "episode", episode_id, now=now)
        storage.delete(storage_key)
