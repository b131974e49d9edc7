"""The worker: which jobs exist, and the loop that does them; it answers no request.

It runs as a process of its own, beside `serve` or on another machine, so that rendering a feed
of 5,000 episodes never slows a poll.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from podhost import jobs, sweep
from podhost.artwork import add_artwork, discard_artwork, prepare_placeholder
from podhost.errors import PodhostError, Unavailable
from podhost.feeds import Site, compress_feed, render_show, store_snapshot
from podhost.instance import Instance
from podhost.models import Episode, Job, Show
from podhost.publishing import PUBLISH_EPISODE, publish_due_episode
from podhost.shows import RENDER_SHOW, lock_show, set_show_artwork

log = logging.getLogger(__name__)

# How soon a worker sees a job that another process enqueued.
IDLE_SECONDS = 0.2
SWEEP_EVERY = timedelta(seconds=30)


def site_of(instance: Instance) -> Site:
    """What feeds say that is not in the rows."""
    return Site(instance.base_url, instance.settings.hubs)


def _render(instance: Instance, show_id: str) -> None:
    site = site_of(instance)
    _ensure_artwork(instance, show_id)
    with instance.database.read() as session:
        show = session.get(Show, show_id)
        if show is None or show.deleted_at is not None:
            return
        version = show.version
        body = render_show(session, show, site)
    # Before the transaction, which other writers wait for.
    body_gzip = compress_feed(body)
    with instance.database.write() as session:
        lock_show(session, show_id)
        show = session.get_one(Show, show_id)
        store_snapshot(
            session, show, body, body_gzip, show_version=version, site=site, now=instance.now()
        )


def _ensure_artwork(instance: Instance, show_id: str) -> None:
    """Every feed has artwork from its first render; without it, Apple refuses the show."""
    with instance.database.read() as session:
        show = session.get(Show, show_id)
        if show is None or show.artwork_id is not None or show.deleted_at is not None:
            return
    prepared = prepare_placeholder(instance.storage, show.podcast_guid)
    with instance.database.write() as session:
        lock_show(session, show_id)
        show = session.get_one(Show, show_id)
        if show.artwork_id is None:
            artwork = add_artwork(session, prepared, now=instance.now())
            set_show_artwork(session, show, artwork, now=instance.now())
            return
    discard_artwork(instance.storage, prepared)


def _publish(instance: Instance, episode_id: str) -> None:
    with instance.database.write() as session:
        episode = session.get(Episode, episode_id)
        if episode is None:
            return
        lock_show(session, episode.show_id)
        session.refresh(episode)
        publish_due_episode(session, episode, now=instance.now())


# Each takes the instance and the job's key, and may be run again at any time.
JOBS: dict[str, Callable[[Instance, str], None]] = {
    RENDER_SHOW: _render,
    PUBLISH_EPISODE: _publish,
}


def run_next_job(instance: Instance, *, owner: str) -> bool:
    """Do one job that is due; False when there is none. A failure is kept with the job."""
    with instance.database.write() as session:
        job = jobs.claim(session, kinds=tuple(JOBS), owner=owner, now=instance.now())
    if job is None:
        return False
    try:
        with _renewing(instance, job):
            JOBS[job.kind](instance, job.key)
    except Exception as error:
        sentence = error.message if isinstance(error, PodhostError) else repr(error)
        log.exception("job failed", extra={"job": job.kind, "key": job.key})
        is_outage = isinstance(error, Unavailable)
        with instance.database.write() as session:
            jobs.retry(session, job, error=sentence, is_outage=is_outage, now=instance.now())
    else:
        with instance.database.write() as session:
            jobs.finish(session, job)
            jobs.clear_failed(session, job.kind, job.key)
    return True


def run_due_jobs(instance: Instance) -> int:
    """Do everything that is due now, in this process; how many jobs that were."""
    owner = worker_name()
    count = 0
    while run_next_job(instance, owner=owner):
        count += 1
    return count


def run_sweep(instance: Instance, *, is_first: bool = False) -> int:
    """Enqueue what was missed; how much that was.

    `is_first`: this worker has just started, and so has the newest address of the server.
    """
    return sweep.enqueue_missed(
        instance.database,
        site_of(instance),
        # Where the operator has set no address, it changes with the port, and a worker that
        # started before must not render the old one again.
        compare_site=instance.settings.has_own_base_url or is_first,
        now=instance.now(),
    )


def run_worker(instance: Instance, *, stop: threading.Event) -> None:
    """Work until `stop` is set; a job in hand is finished first.

    A database or storage that is away is waited for, not died of.
    """
    owner = worker_name()
    next_sweep = instance.now()
    is_first = True
    failures = 0
    while not stop.is_set():
        try:
            now = instance.now()
            # A clock that was set back must not stop the sweep for as long.
            if now >= next_sweep or next_sweep - now > SWEEP_EVERY:
                run_sweep(instance, is_first=is_first)
                is_first = False
                if sweep.claim_clean_up(instance.database, now=now):
                    # Beside the jobs: a full store takes minutes to go through, and one that
                    # hangs even longer. Breaking it off at the end harms nothing.
                    threading.Thread(
                        target=_clean_up, args=(instance,), name="clean-up", daemon=True
                    ).start()
                next_sweep = now + SWEEP_EVERY
            did_work = run_next_job(instance, owner=owner)
            failures = 0
        except Exception:
            failures += 1
            log.exception("the worker cannot work; it tries again")
            stop.wait(min(2**failures, 30))
            continue
        if not did_work:
            stop.wait(IDLE_SECONDS)


def _clean_up(instance: Instance) -> None:
    try:
        sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    except Exception:
        log.exception("cleaning up failed; it is done again in an hour")


def worker_name() -> str:
    """A name for this worker that no other has."""
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"


@contextmanager
def _renewing(instance: Instance, job: Job) -> Iterator[None]:
    """Keep the job's lease while the block works, from a thread beside it."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(jobs.LEASE.total_seconds() / 3):
            try:
                with instance.database.write() as session:
                    jobs.renew(session, job, now=instance.now())
            except Exception:
                log.warning("a lease could not be renewed", extra={"job": job.kind})

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
