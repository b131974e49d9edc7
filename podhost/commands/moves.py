"""`podhost move-out`: asks for a move, waits until the new feed was read, and words the list."""

import time
from collections.abc import Iterator

from msgspec import UNSET
from sqlalchemy import select

from podhost import worker
from podhost.errors import PodhostError, Unavailable
from podhost.feeds.hubs import hub_answers, list_hubs
from podhost.fetching import Fetcher, instance_fetcher
from podhost.formats.feed_words import MAX_FEED_BYTES
from podhost.instance import Instance
from podhost.jobs.runner import worker_name
from podhost.models import Job
from podhost.moves import MoveReport, look_at_new_feed, read_again
from podhost.moves.cut_over import CutOver, CutOverStep, cut_over
from podhost.shows import MOVE_SHOW, ShowInput, change_show, feed_path, get_show

# As long as many pages of a slow host take.
_LONGEST_SECONDS = 600.0
_LOOK_SECONDS = 0.2
_ASK_SECONDS = 20.0
# Serving processes follow changes four times a second.
_MOMENT_SECONDS = 5.0
_MARKS = {True: "[x]", False: "[ ]", None: "[-]"}


def move_out(
    instance: Instance, slug: str, address: str, *, with_audio: bool | None, anyway: bool
) -> CutOver:
    """Have the show's feed lead to `address` once the feed there was found to have everything.

    `with_audio` None leaves it as it was. Raises NotFound, Gone, Invalid for what is no address,
    and Unavailable when reading takes too long; then it goes on by itself.
    """
    with instance.database.write() as session:
        show = get_show(session, slug, lock=True)
        given = ShowInput(moved_to=address, moved_audio=UNSET if with_audio is None else with_audio)
        change_show(session, show, given, now=instance.now())
        read_again(session, show, anyway=anyway, now=instance.now())
    with _fetcher(instance) as fetcher:
        _wait(instance, slug, fetcher)
        worker.run_due_jobs(instance)
        return _list(instance, slug, fetcher, None)


def move_back(instance: Instance, slug: str) -> CutOver:
    """Have the show's feed and audio be here again. Raises NotFound, Gone and Unavailable."""
    with instance.database.write() as session:
        show = get_show(session, slug, lock=True)
        given = ShowInput(moved_to=None, moved_audio=False)
        change_show(session, show, given, now=instance.now())
    with _fetcher(instance) as fetcher:
        _wait(instance, slug, fetcher)
        worker.run_due_jobs(instance)
        return _list(instance, slug, fetcher, None)


def move_list(
    instance: Instance, slug: str, address: str | None, *, with_audio: bool | None
) -> CutOver:
    """How far the move is, as seen now; nothing is changed.

    Without an `address`, the one that the show has or once was told to name. Raises NotFound, Gone.
    """
    with instance.database.read() as session:
        show = get_show(session, slug)
    target = address or show.moved_to or show.new_feed_url
    with _fetcher(instance) as fetcher:
        if target is None:
            return _list(instance, slug, fetcher, None)
        audio = show.moved_audio if with_audio is None else with_audio
        report = look_at_new_feed(instance, show, target, fetcher, with_audio=audio)
        return _list(instance, slug, fetcher, report)


def move_lines(found: CutOver) -> Iterator[str]:
    """The list for a terminal."""
    yield f"Moving {found.show!r} out. [x] is done, [ ] is not, [-] podhost cannot know."
    for number, step in enumerate(found.steps, 1):
        yield from _step_lines(number, step)


def _step_lines(number: int, step: CutOverStep) -> Iterator[str]:
    yield f"{_MARKS[step.done]} {number:>2}. {step.text}"
    if step.note:
        yield f"        {step.note}"


def _wait(instance: Instance, slug: str, fetcher: Fetcher) -> None:
    """Until the new feed was read: here, or by a worker that was faster."""
    owner = worker_name()
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not _is_settled(instance, slug):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"The new feed is still being read; `podhost move-out {slug}` says how far it is."
            )
        if not worker.run_next_move(instance, fetcher, owner=owner):
            time.sleep(_LOOK_SECONDS)


def _is_settled(instance: Instance, slug: str) -> bool:
    with instance.database.read() as session:
        work = select(Job.id).where(
            Job.kind == MOVE_SHOW,
            Job.key == get_show(session, slug).id,
            Job.status.in_(("waiting", "running")),
        )
        return session.scalar(work.limit(1)) is None


def _list(instance: Instance, slug: str, fetcher: Fetcher, report: MoveReport | None) -> CutOver:
    with instance.database.read() as session:
        show = get_show(session, slug)
        hubs = hub_answers(session, show, list_hubs(instance.settings, instance.base_url))
    seen = _seen(instance.base_url + feed_path(show), fetcher) if show.redirect_to else ""
    return cut_over(show, instance.base_url, hubs, now=instance.now(), report=report, seen=seen)


def _seen(feed_url: str, fetcher: Fetcher) -> str:
    """What the show's own address answers to the world; it is given a moment to hear of it."""
    deadline = time.monotonic() + _MOMENT_SECONDS
    while True:
        try:
            answer = fetcher.get(feed_url, max_bytes=MAX_FEED_BYTES, seconds=_ASK_SECONDS)
        except PodhostError as error:
            return f"Asked for it just now: {error.message}"
        if answer.hops:
            return f"Asked for it just now: {answer.hops[0].status}, then {answer.status}."
        if time.monotonic() > deadline:
            return f"Asked for it just now: {answer.status}, and no redirect; what is in front?"
        time.sleep(_LOOK_SECONDS)


def _fetcher(instance: Instance) -> Fetcher:
    return instance_fetcher(instance.settings, base_url=instance.base_url, purpose="moving out")
