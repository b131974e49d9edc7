"""Doing jobs: one is claimed, its lease renewed, its failure kept; and the loop that goes on with
the next. It knows no job.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from podhost import jobs
from podhost.errors import PodhostError, Unavailable
from podhost.fetching.files import InterruptedFetch
from podhost.instance import Instance
from podhost.models import Job

log = logging.getLogger(__name__)

_COMPLAINT_SECONDS = 60.0
_MOST_COMPLAINTS = 1000

# What does each kind of job: it takes the instance and the job's key.
Jobs = Mapping[str, Callable[[Instance, str], None]]


def run_next(instance: Instance, queues: Sequence[Jobs], owner: str) -> bool:
    """Do one job that is due, of the first queue that has one."""
    kinds = [kind for known in queues for kind in known]
    with instance.database.read() as session:
        if not jobs.is_any_due(session, kinds=kinds, now=instance.now()):
            return False
    with instance.database.write() as session:
        for known in queues:
            if job := _claim(session, known, owner, instance.now()):
                break
    if job is None:
        return False
    do_job(instance, job, known)
    return True


def do_job(instance: Instance, job: Job, known: Jobs) -> None:
    """Do a job that was claimed; a failure is kept with it."""
    try:
        with _renewing(instance, job):
            known[job.kind](instance, job.key)
    except InterruptedFetch as error:
        _keep_failure(instance, job, Unavailable(error.message))
    except Exception as error:
        complaints.say("a job failed", error, job=job.kind, key=job.key)
        _keep_failure(instance, job, error)
    else:
        with instance.database.write() as session:
            jobs.finish(session, job)
            jobs.clear_failed(session, job.kind, job.key)


def _keep_failure(instance: Instance, job: Job, error: Exception) -> None:
    with instance.database.write() as session:
        jobs.retry(
            session,
            job,
            error=error.message if isinstance(error, PodhostError) else repr(error),
            # A disk that is full or gone is no fault of the work either.
            is_outage=isinstance(error, (Unavailable, OSError)),
            is_final=isinstance(error, jobs.GiveUp),
            wait=error.wait if isinstance(error, jobs.TryLater) else timedelta(0),
            now=instance.now(),
        )


def _claim(session: Session, kinds: Iterable[str], owner: str, now: datetime) -> Job | None:
    return jobs.claim(session, kinds=tuple(kinds), owner=owner, now=now)


def work_on(
    do_one: Callable[[], bool],
    stop: threading.Event,
    idle_seconds: float,
    longest_wait_seconds: float,
    complaint: str,
) -> None:
    """Do one thing after the other until `stop` is set; wait where there was none to do, and
    longer and longer where it cannot be done."""
    failures = 0
    while not stop.is_set():
        try:
            did_work = do_one()
            failures = 0
        except Exception as error:
            failures = min(failures + 1, 10)
            complaints.say(complaint, error)
            stop.wait(min(2**failures, longest_wait_seconds))
            continue
        if not did_work:
            stop.wait(idle_seconds)


class Complaints:
    """Says what goes wrong at once, and then once a minute for as long as it lasts."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def say(self, what: str, error: Exception, **extra: str) -> None:
        """A line for an outage; for what nobody foresaw, always, and with its traceback."""
        if not isinstance(error, (PodhostError, OSError)):
            log.error(what, exc_info=error, extra=extra)
            return
        subject = (what, str(error))
        now = time.monotonic()
        with self._lock:
            if now - self._said.get(subject, -_COMPLAINT_SECONDS) < _COMPLAINT_SECONDS:
                return
            if len(self._said) > _MOST_COMPLAINTS:
                self._said.clear()
            self._said[subject] = now
        log.warning("%s: %s", what, error, extra=extra)


complaints = Complaints()


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
