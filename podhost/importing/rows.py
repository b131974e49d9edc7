"""Imports in the database: which there are, what waits, what goes wrong, what is done next.

It asks nobody and stores no file; nothing of an import is published here.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence, Set
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from podhost import jobs
from podhost.db import new_id
from podhost.errors import Conflict, NotFound
from podhost.formats.imported import SECOND_COPY, ImportedEpisode, ImportedShow
from podhost.jobs import enqueue
from podhost.models import Episode, Fact, Import, ImportEpisode, Job, Show

if TYPE_CHECKING:
    from podhost.importing.plans import Source

IMPORT_SHOW = "import_show"
IMPORT_EPISODE = "import_episode"
KINDS = (IMPORT_SHOW, IMPORT_EPISODE)
# Files that are fetched at once, by all workers together, and of one host.
MOST_AT_ONCE = 8
MOST_PER_HOST = 2
# So often a host is asked for one file before the episode counts as failed.
MOST_TRIES = 6
# An import that has neither work waiting nor in hand is looked after again.
_LONGEST_PAUSE = timedelta(hours=2)
_TURN = "import_turn"

# The states of an import. What a command has begun, it reads itself, or it is given again;
# reading is the work of a job.
BEGUN, READING, RUNNING, COMPARING = "begun", "reading", "running", "comparing"
# Those of its episodes; an import ends in the last two as well.
WAITING, DONE, FAILED = "waiting", "done", "failed"


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How far an import is: episodes in each state, and the bytes of audio that are here."""

    waiting: int = 0
    done: int = 0
    failed: int = 0
    size_bytes: int = 0

    @property
    def total(self) -> int:
        """All episodes that come."""
        return self.waiting + self.done + self.failed


def source_sha256(source: "Source") -> str:
    """By what an import is found again."""
    return hashlib.sha256(source.key.encode("utf-8", "surrogatepass")).hexdigest()


def find_import(session: Session, source: "Source") -> Import | None:
    """The import of this source, if there was one."""
    return session.scalar(select(Import).where(Import.source_sha256 == source_sha256(source)))


def create_import(session: Session, source: "Source", *, is_mine: bool, now: datetime) -> Import:
    """The import of a source, made where there is none, or none whose show is still here."""
    known = find_import(session, source)
    if known is not None and known.show_id is not None:
        show = session.get(Show, known.show_id)
        if show is None or show.deleted_at is not None:
            session.delete(known)
            session.flush()
            known = None
    if known is not None:
        known.is_mine = known.is_mine or is_mine
        return known
    row = Import(
        id=new_id(),
        source=source.key,
        source_sha256=source_sha256(source),
        is_mine=is_mine,
        state=BEGUN,
        second_copies=0,
        notes=[],
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def begin_import(session: Session, source: "Source", *, is_mine: bool, now: datetime) -> Import:
    """Have a worker read the source, and bring what is new there; the import.

    One that is under way goes on as it is.
    """
    row = create_import(session, source, is_mine=is_mine, now=now)
    if row.state not in (RUNNING, COMPARING):
        row.state, row.error = READING, None
        enqueue(session, IMPORT_SHOW, row.id, now=now, run_at=now)
    return row


def get_import(session: Session, import_id: str, *, lock: bool = False) -> Import:
    """The import with this id. With `lock`, its show is locked first. Raises NotFound."""
    row = session.get(Import, import_id)
    if row is not None and lock:
        if row.show_id is not None:
            session.get(Show, row.show_id, with_for_update={"of": Show}, populate_existing=True)
        row = session.get(Import, import_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("There is no such import.")
    return row


def delete_unread(session: Session, import_id: str) -> None:
    """Forget an import of which no show was made."""
    row = get_import(session, import_id, lock=True)
    if row.show_id is None:
        session.delete(row)


def find_import_of(session: Session, show: Show) -> Import | None:
    """How the show came here, if it was imported."""
    return session.scalar(
        select(Import).where(Import.show_id == show.id).order_by(Import.created_at.desc()).limit(1)
    )


def list_imports(session: Session) -> Sequence[Import]:
    """All imports, newest first."""
    return session.scalars(select(Import).order_by(Import.created_at.desc(), Import.id)).all()


def counts_of(session: Session, import_id: str) -> Counts:
    """How far an import is."""
    rows = session.execute(
        select(ImportEpisode.state, func.count(), func.sum(ImportEpisode.size_bytes))
        .where(ImportEpisode.import_id == import_id)
        .group_by(ImportEpisode.state)
    ).all()
    numbers = {state: count for state, count, _ in rows}
    return Counts(
        waiting=numbers.get(WAITING, 0),
        done=numbers.get(DONE, 0),
        failed=numbers.get(FAILED, 0),
        size_bytes=sum(int(size_bytes or 0) for _, _, size_bytes in rows),
    )


def count_drafts(session: Session, import_id: str) -> int:
    """How many of the episodes that came are drafts."""
    drafts = (
        select(func.count())
        .select_from(ImportEpisode)
        .join(Episode, Episode.id == ImportEpisode.episode_id)
        .where(ImportEpisode.import_id == import_id, Episode.status == "draft")
    )
    return session.scalar(drafts) or 0


def failed_episodes(session: Session, import_id: str) -> Sequence[ImportEpisode]:
    """The episodes that did not come, in the order of the feed."""
    return session.scalars(
        select(ImportEpisode)
        .where(ImportEpisode.import_id == import_id, ImportEpisode.state == FAILED)
        .order_by(ImportEpisode.position)
    ).all()


# What the feed says, kept with the rows so that no job has to read it again.


def show_of(row: Import) -> ImportedShow:
    """The show of the old feed, without its episodes."""
    return msgspec.convert(row.imported, ImportedShow)


def episode_of(row: ImportEpisode) -> ImportedEpisode:
    """The episode of the old feed."""
    return msgspec.convert(row.imported, ImportedEpisode)


def guid_of(episode: ImportedEpisode) -> str:
    """What an episode is found again by; of one that never had a guid, what else it is known by."""
    if episode.guid:
        return episode.guid
    known_by = f"{episode.url}\n{episode.title}".encode("utf-8", "replace")
    return f"without guid: {hashlib.sha256(known_by).hexdigest()}"


def date_of(episode: ImportedEpisode) -> datetime | None:
    """When the episode came out; for one whose date cannot be read, what was proposed."""
    return episode.published_at or episode.proposed_at


def known_episodes(
    session: Session, row: Import, episodes: Sequence[ImportedEpisode]
) -> dict[str, ImportEpisode]:
    """Those of these episodes that are written down already, by what they are found again by."""
    wanted = select(ImportEpisode).where(
        ImportEpisode.import_id == row.id, ImportEpisode.guid.in_(map(guid_of, episodes))
    )
    return {found.guid: found for found in session.scalars(wanted)}


def vanished_audio(session: Session, import_id: str, listed: Set[str]) -> dict[str, str]:
    """The guids of episodes that came and that the feed does not list any more, by where their
    audio was; of several with the same audio, none."""
    found = session.execute(
        select(ImportEpisode.media_url, ImportEpisode.guid).where(
            ImportEpisode.import_id == import_id,
            ImportEpisode.state == DONE,
            ImportEpisode.media_url.is_not(None),
        )
    ).all()
    counts = Counter(url for url, _ in found)
    return {url: guid for url, guid in found if url and guid not in listed and counts[url] == 1}


def media_of(episode: ImportedEpisode) -> str:
    """Where its audio is; "" without any."""
    return episode.enclosure.media_url if episode.enclosure is not None else ""


def set_media(row: ImportEpisode, episode: ImportedEpisode) -> None:
    """Where its audio is."""
    url = media_of(episode) or None
    row.media_url = url
    row.media_host = urlsplit(url).netloc.lower()[:255] if url else ""


def try_again(session: Session, row: ImportEpisode, *, now: datetime) -> None:
    """Bring an episode that failed, as if it had not been tried."""
    row.state, row.attempts, row.changed_at = WAITING, 0, now
    jobs.clear_failed(session, IMPORT_EPISODE, row.id)
    enqueue(session, IMPORT_EPISODE, row.id, now=now, run_at=now)


def add_episode(
    session: Session, row: Import, episode: ImportedEpisode, *, now: datetime
) -> ImportEpisode:
    """An episode that is to come, and the work of bringing it."""
    added = ImportEpisode(
        id=new_id(),
        import_id=row.id,
        position=episode.position,
        guid=guid_of(episode),
        state=WAITING,
        attempts=0,
        imported=msgspec.to_builtins(episode),
        notes=[],
        is_unpublished=False,
        changed_at=now,
    )
    set_media(added, episode)
    session.add(added)
    session.flush()
    enqueue(session, IMPORT_EPISODE, added.id, now=now, run_at=now)
    return added


def comes(episode: ImportedEpisode) -> bool:
    """Whether there is anything to bring: second copies stay where they are."""
    return episode.outcome != SECOND_COPY


def note_failure(session: Session, row: ImportEpisode, error: str, *, now: datetime) -> None:
    """The episode did not come. The import's row must be locked."""
    row.state, row.error, row.changed_at = FAILED, error, now
    go_on_if_complete(session, row.import_id, now=now)


def go_on_if_complete(session: Session, import_id: str, *, now: datetime) -> None:
    """When no episode is waited for any more, publish what came: as a job."""
    session.flush()
    if not is_waiting(session, import_id):
        enqueue(session, IMPORT_SHOW, import_id, now=now, run_at=now)


def is_waiting(session: Session, import_id: str) -> bool:
    """Whether an episode is still waited for."""
    waiting = select(ImportEpisode.id).where(
        ImportEpisode.import_id == import_id, ImportEpisode.state == WAITING
    )
    return session.scalar(waiting.limit(1)) is not None


def retry_import(session: Session, row: Import, *, now: datetime) -> int:
    """Try the failed episodes once more, them alone; how many they are. Raises Conflict.

    An import whose feed could not be read is begun anew, and one that was given up goes on.
    """
    if row.show_id is None or row.state == FAILED:
        row.state, row.error = READING if row.show_id is None else RUNNING, None
        jobs.clear_failed(session, IMPORT_SHOW, row.id)
        go_on_if_complete(session, row.id, now=now)
        return 0
    failed = failed_episodes(session, row.id)
    if not failed:
        raise Conflict("No episode of this import has failed; there is nothing to try again.")
    for episode in failed:
        try_again(session, episode, now=now)
    row.state = RUNNING
    return len(failed)


# The queue ----------------------------------------------------------------------------------------


def is_due(session: Session, now: datetime) -> bool:
    """Whether a worker might find something to do; most of the time, nobody imports anything."""
    return session.scalar(_due(now).limit(1)) is not None


def _due(now: datetime) -> Select[int]:
    is_due_now = or_(
        and_(Job.status == "waiting", Job.run_at <= now),
        and_(Job.status == "running", Job.lease_until < now),
    )
    return select(Job.id).where(Job.kind.in_(KINDS), is_due_now)


def claim_import(session: Session, *, owner: str, now: datetime) -> Job | None:
    """The next work of any import that may begin now, leased to `owner`.

    No more than a few files are fetched at once, over all workers, and fewer of each host.
    """
    if job := jobs.claim(session, kinds=(IMPORT_SHOW,), owner=owner, now=now):
        return job
    _take_turn(session)
    hosts = Counter(
        session.scalars(
            select(ImportEpisode.media_host)
            .join(Job, and_(Job.kind == IMPORT_EPISODE, Job.key == ImportEpisode.id))
            .where(Job.status == "running", Job.lease_until >= now)
        )
    )
    if hosts.total() >= MOST_AT_ONCE:
        return None
    busy = [host for host, count in hosts.items() if host and count >= MOST_PER_HOST]
    unless = select(ImportEpisode.id).where(ImportEpisode.media_host.in_(busy)) if busy else None
    return jobs.claim(session, kinds=(IMPORT_EPISODE,), owner=owner, now=now, unless=unless)


def _take_turn(session: Session) -> None:
    """One worker at a time counts what is in hand: two would both find the last place free."""
    if session.get_bind().dialect.name != "sqlite":
        found = session.get(Fact, _TURN, with_for_update=True)
        if found is None:
            session.merge(Fact(name=_TURN, value=""))
            session.flush()


def owners(session: Session) -> Sequence[str]:
    """Who does the work of imports just now."""
    in_hand = select(Job.lease_owner).where(Job.kind.in_(KINDS), Job.status == "running")
    return [owner for owner in session.scalars(in_hand.distinct()) if owner]


def let_go(session: Session, owner: str, *, now: datetime) -> None:
    """Let others have the work that somebody had in hand who is no more."""
    session.execute(
        update(Job)
        .where(Job.kind.in_(KINDS), Job.status == "running", Job.lease_owner == owner)
        .values(lease_until=now - timedelta(seconds=1))
    )


def enqueue_missed(session: Session, *, now: datetime) -> int:
    """Enqueue what imports wait for and what no job is there for; how much that was.

    Jobs are not in backups; and one whose worker died each time is given up.
    """
    missed = 0
    in_hand = {
        (kind, key)
        for kind, key in session.execute(
            select(Job.kind, Job.key).where(
                Job.kind.in_(KINDS),
                or_(
                    Job.status == "running",
                    and_(Job.status == "waiting", Job.run_at <= now + _LONGEST_PAUSE),
                ),
            )
        )
    }
    given_up = select(Job).where(Job.kind.in_(KINDS), Job.status == "failed")
    gave_up = {job.key: job.error or "It could not be done." for job in session.scalars(given_up)}
    open_imports = select(Import).where(Import.state.in_((READING, RUNNING, COMPARING)))
    for row in session.scalars(open_imports).all():
        waiting = session.scalars(
            select(ImportEpisode.id).where(
                ImportEpisode.import_id == row.id, ImportEpisode.state == WAITING
            )
        ).all()
        for episode_id in waiting:
            if (IMPORT_EPISODE, episode_id) in in_hand:
                continue
            missed += 1
            if episode_id in gave_up:
                episode = session.get_one(ImportEpisode, episode_id)
                note_failure(session, episode, gave_up[episode_id], now=now)
                jobs.clear_failed(session, IMPORT_EPISODE, episode_id)
            else:
                enqueue(session, IMPORT_EPISODE, episode_id, now=now, run_at=now)
        if waiting or (IMPORT_SHOW, row.id) in in_hand:
            continue
        missed += 1
        if row.id in gave_up:
            row.state, row.error = FAILED, gave_up[row.id]
            jobs.clear_failed(session, IMPORT_SHOW, row.id)
        else:
            enqueue(session, IMPORT_SHOW, row.id, now=now, run_at=now)
    return missed
