"""The worker's part in imports: claims their jobs and does several at once, until told to stop.

What the work is stands in importing/shows.py and importing/episodes.py.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from podhost.fetching import Fetcher
from podhost.fetching.files import SLOWEST, Pace
from podhost.history.audit import IMPORT, Act, acting
from podhost.importing import rows
from podhost.instance import Instance
from podhost.jobs.runner import Jobs, do_job, work_on, worker_name

_IDLE_IMPORTS_SECONDS = 1.0


def next_import(
    instance: Instance,
    fetcher: Fetcher,
    *,
    owner: str,
    should_stop: Callable[[], bool] = lambda: False,
    pace: Pace = SLOWEST,
) -> Callable[[], None] | None:
    """Claim one step of an import that may be taken now, and give what does it; None: there is
    none. It may take as long as a large file on a slow line, and keeps a failure with the job."""
    with instance.database.write() as session:
        job = rows.claim_import(session, owner=owner, now=instance.now())
    if job is None:
        return None
    # Reading feeds takes libraries that a worker otherwise has no use for.
    from podhost.importing.episodes import import_episode
    from podhost.importing.shows import import_show

    known: Jobs = {
        rows.IMPORT_SHOW: partial(import_show, fetcher=fetcher),
        rows.IMPORT_EPISODE: partial(
            import_episode, fetcher=fetcher, should_stop=should_stop, pace=pace
        ),
    }
    return partial(_import, partial(do_job, instance, job, known))


def _import(work: Callable[[], None]) -> None:
    # Who asked for the import stands in the trail; a row for each episode would say no more.
    with acting(Act("import", IMPORT, is_noted=True)):
        work()


def run_imports(
    instance: Instance,
    *,
    stop: threading.Event,
    fetcher: Fetcher,
    longest_wait_seconds: float = 30,
) -> None:
    """Do the work of imports until `stop` is set, several files at once.

    Then what is being fetched is broken off, and goes on with the next worker.
    """
    owner = worker_name()
    is_any_done = threading.Event()
    in_hand: set[Future[None]] = set()

    def do_one() -> bool:
        is_any_done.clear()
        in_hand.difference_update([future for future in in_hand if future.done()])
        with instance.database.read() as session:
            is_due = rows.is_due(session, instance.now())
        if is_due and len(in_hand) <= rows.MOST_AT_ONCE:
            work = next_import(instance, fetcher, owner=owner, should_stop=stop.is_set)
            if work is not None:
                future = pool.submit(work)
                in_hand.add(future)
                future.add_done_callback(lambda _: is_any_done.set())
                return True
        if in_hand:
            # The next file is begun as soon as there is room for it.
            return is_any_done.wait(_IDLE_IMPORTS_SECONDS)
        return False

    _let_go_of_the_dead(instance)
    complaint = "imports stand still; that is tried again"
    with ThreadPoolExecutor(rows.MOST_AT_ONCE + 1, thread_name_prefix="import") as pool:
        work_on(do_one, stop, _IDLE_IMPORTS_SECONDS, longest_wait_seconds, complaint)


def _let_go_of_the_dead(instance: Instance) -> None:
    """Take the work of imports over from processes of this machine that were killed, without
    waiting for their leases: somebody sits before the screen."""
    host, _, _ = worker_name().rsplit("-", 2)
    with instance.database.write() as session:
        for owner in rows.owners(session):
            name, _, rest = owner.rpartition("-")
            known_host, _, pid = name.rpartition("-")
            if rest and known_host == host and not _is_alive(pid):
                rows.let_go(session, owner, now=instance.now())


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, OSError):
        return True
    return True
