"""The queue: nothing is lost, and nothing runs for a change that was rolled back."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from podhost import jobs, worker
from podhost.errors import Unavailable
from podhost.instance import Instance
from podhost.models import Job
from tests.conftest import FrozenClock


def enqueue(instance: Instance, key: str = "a", delay: timedelta = timedelta(0)) -> None:
    with instance.database.write() as session:
        now = instance.now()
        jobs.enqueue(session, "work", key, now=now, run_at=now + delay)


def claim(instance: Instance, owner: str = "alice") -> Job | None:
    with instance.database.write() as session:
        return jobs.claim(session, kinds=["work"], owner=owner, now=instance.now())


def all_jobs(instance: Instance) -> list[Job]:
    with instance.database.read() as session:
        return list(session.scalars(select(Job).order_by(Job.id)))


def test_a_job_of_a_rolled_back_change_never_runs(instance: Instance) -> None:
    with pytest.raises(ZeroDivisionError), instance.database.write() as session:
        jobs.enqueue(session, "work", "a", now=instance.now(), run_at=instance.now())
        _ = 1 / 0
    assert claim(instance) is None


def test_the_same_work_waits_once_at_the_earlier_time(instance: Instance) -> None:
    enqueue(instance, delay=timedelta(hours=1))
    enqueue(instance)
    enqueue(instance, delay=timedelta(hours=2))
    assert len(all_jobs(instance)) == 1
    assert claim(instance) is not None


def test_a_job_is_not_due_before_its_time(instance: Instance, clock: FrozenClock) -> None:
    enqueue(instance, delay=timedelta(minutes=5))
    assert claim(instance) is None
    clock.advance(minutes=5)
    assert claim(instance) is not None


def test_a_claimed_job_is_nobody_elses(instance: Instance) -> None:
    enqueue(instance)
    assert claim(instance, "alice") is not None
    assert claim(instance, "bob") is None


def test_what_changes_while_a_job_runs_runs_after_it(instance: Instance) -> None:
    enqueue(instance)
    running = claim(instance)
    assert running is not None
    enqueue(instance)
    assert claim(instance, "bob") is None
    with instance.database.write() as session:
        jobs.finish(session, running)
    assert claim(instance, "bob") is not None


def test_a_dead_workers_job_comes_back_when_its_lease_ends(
    instance: Instance, clock: FrozenClock
) -> None:
    enqueue(instance)
    first = claim(instance, "alice")
    assert first is not None
    clock.advance(seconds=jobs.LEASE.total_seconds() + 1)
    second = claim(instance, "bob")
    assert second is not None and second.attempts == 2
    with instance.database.write() as session:
        assert not jobs.renew(session, first, now=instance.now())
        jobs.finish(session, first)
    assert [job.lease_owner for job in all_jobs(instance)] == ["bob"]


def test_a_renewed_lease_is_kept(instance: Instance, clock: FrozenClock) -> None:
    enqueue(instance)
    job = claim(instance, "alice")
    assert job is not None
    almost = jobs.LEASE.total_seconds() * 2 / 3
    clock.advance(seconds=almost)
    with instance.database.write() as session:
        assert jobs.renew(session, job, now=instance.now())
    clock.advance(seconds=almost)
    assert claim(instance, "bob") is None


def test_a_lease_from_a_clock_that_was_set_back_holds_nobody_up(
    instance: Instance, clock: FrozenClock
) -> None:
    clock.advance(days=3650)
    enqueue(instance)
    assert claim(instance, "alice") is not None
    clock.advance(days=-3650)
    enqueue(instance)
    assert claim(instance, "bob") is not None


def test_many_workers_share_the_jobs_and_none_is_done_twice(instance: Instance) -> None:
    for number in range(30):
        enqueue(instance, f"job-{number}")
    done: list[str] = []

    def work(owner: str) -> None:
        while (job := claim(instance, owner)) is not None:
            done.append(job.key)
            with instance.database.write() as session:
                jobs.finish(session, job)

    threads = [threading.Thread(target=work, args=(f"worker-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted(f"job-{number}" for number in range(30))


def failing(_instance: Instance, _key: str) -> None:
    raise RuntimeError("no luck today")


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def install(function: Callable[[Instance, str], None]) -> None:
        monkeypatch.setitem(worker.JOBS, "work", function)

    return install


def test_a_failed_job_is_tried_again_later_and_in_the_end_gives_up_visibly(
    instance: Instance, clock: FrozenClock, kinds: Callable[..., None]
) -> None:
    kinds(failing)
    enqueue(instance)
    for _ in range(jobs.MAX_ATTEMPTS):
        assert worker.run_due_jobs(instance) == 1
        assert worker.run_due_jobs(instance) == 0
        clock.advance(hours=2)
    assert worker.run_due_jobs(instance) == 0
    with instance.database.read() as session:
        failed = jobs.list_failed(session)
        assert [job.error for job in failed] == ["RuntimeError('no luck today')"]
        assert jobs.count_by_status(session) == {"failed": 1}


def away(_instance: Instance, _key: str) -> None:
    raise Unavailable("The storage does not answer.")


def test_an_outage_is_waited_out_however_long_it_takes(
    instance: Instance, clock: FrozenClock, kinds: Callable[..., None]
) -> None:
    kinds(away)
    enqueue(instance)
    for _ in range(2 * jobs.MAX_ATTEMPTS):
        assert worker.run_due_jobs(instance) == 1
        clock.advance(seconds=31)
    assert [job.error for job in all_jobs(instance)] == ["The storage does not answer."]
    kinds(lambda _instance, _key: None)
    assert worker.run_due_jobs(instance) == 1
    assert all_jobs(instance) == []


def test_work_that_is_done_at_last_forgets_its_failures(
    instance: Instance, clock: FrozenClock, kinds: Callable[..., None]
) -> None:
    kinds(failing)
    enqueue(instance)
    for _ in range(jobs.MAX_ATTEMPTS):
        worker.run_due_jobs(instance)
        clock.advance(hours=2)
    kinds(lambda _instance, _key: None)
    enqueue(instance)
    worker.run_due_jobs(instance)
    assert all_jobs(instance) == []


def test_a_job_that_kills_its_workers_does_not_go_round_for_ever(
    instance: Instance, clock: FrozenClock
) -> None:
    enqueue(instance)
    for _ in range(jobs.MAX_ATTEMPTS):
        assert claim(instance) is not None
        clock.advance(minutes=5)
    assert claim(instance) is None
    assert [job.status for job in all_jobs(instance)] == ["failed"]
