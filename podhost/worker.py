"""The worker: which jobs exist, and what is done beside them; it answers no request.

It runs as a process of its own, beside `serve` or on another machine, so that rendering a feed
of 5,000 episodes never slows a poll.
"""

import gc
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from podhost import edge, moves, sweep, uploads
from podhost.accounts.links import prune_links
from podhost.artwork import add_artwork, discard_artwork, prepare_placeholder
from podhost.audio import tagging, waveforms
from podhost.edge import walk as edge_walk
from podhost.episodes.publishing import PUBLISH_EPISODE, publish_due_episode
from podhost.exports import archives
from podhost.feeds import further as further_feeds
from podhost.feeds import hubs
from podhost.feeds.formats import FORMATS, RSS
from podhost.feeds.rendering import (
    FeedValues,
    Site,
    feed_values,
    render_compressed,
    store_snapshot,
)
from podhost.fetching import Fetcher, instance_fetcher
from podhost.guests import jobs as guest_jobs
from podhost.importing.rows import enqueue_missed as enqueue_missed_imports
from podhost.importing.worker import run_imports
from podhost.instance import Instance
from podhost.jobs.runner import Jobs, complaints, run_next, work_on, worker_name
from podhost.mail import enqueue_missed_mails, prune_mails
from podhost.mail import sending as mail_sending
from podhost.models import Article, Episode, Show
from podhost.newsletter import sending as newsletters
from podhost.search.index import index_show
from podhost.search.rows import INDEX_SHOW
from podhost.shows import MOVE_SHOW, RENDER_SHOW, lock_show, set_show_artwork
from podhost.transcripts import forms as transcript_forms
from podhost.written.publishing import PUBLISH_ARTICLE, publish_due_article

log = logging.getLogger(__name__)

# How soon a worker sees a job that another process enqueued.
IDLE_SECONDS = 0.2
# What is done beside the jobs takes seconds in any case.
_IDLE_BESIDE_SECONDS = 1.0
# Who is asked at the end of the worker gets so long to answer; the next worker asks again.
_LAST_PING_SECONDS = 2.0
# A file that is being stored is stored to its end; one that is killed then is stored again.
_LAST_IMPORT_SECONDS = 5.0
SWEEP_EVERY = timedelta(seconds=30)


def _render(instance: Instance, show_id: str) -> None:
    site = hubs.site_of(instance)
    _ensure_artwork(instance, show_id)
    with instance.database.read() as session:
        show = session.get(Show, show_id)
        if show is None or show.deleted_at is not None:
            return
        version = show.version
        values = feed_values(session, show, site)
    # Each by itself, RSS first: it does not wait for JSON Feed, which few apps read.
    for format_ in FORMATS.values():
        # Before the transaction, which other writers wait for.
        name = f"{show_id}/{format_.file_name}"
        feed = render_compressed(values, format_, instance.feed_parts, name=name)
        with instance.database.write() as session:
            lock_show(session, show_id)
            show = session.get_one(Show, show_id)
            is_new = store_snapshot(
                session,
                show,
                feed.body,
                feed.body_gzip,
                show_version=version,
                site=site,
                now=instance.now(),
                format_=format_,
            )
            if is_new and format_ is RSS:
                told = hubs.list_hubs(instance.settings, instance.base_url)
                hubs.announce(session, show, told, now=instance.now())
    _render_further(instance, show_id, values, version, site)


def _render_further(
    instance: Instance, show_id: str, values: FeedValues, version: int, site: Site
) -> None:
    """What few shows have: further feeds, and older pages of feeds."""
    with instance.database.read() as session:
        held = further_feeds.read_held(session, session.get_one(Show, show_id))
    rendered = further_feeds.render_further(values, held, now=instance.now())
    if rendered is None:
        return
    with instance.database.write() as session:
        lock_show(session, show_id)
        show = session.get_one(Show, show_id)
        now = instance.now()
        new_paths = further_feeds.store_further(
            session, show, rendered, show_version=version, site=site, now=now
        )
        told = hubs.list_hubs(instance.settings, instance.base_url)
        for path in new_paths:
            hubs.announce(session, show, hubs.of_feed(told, path), now=now)


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


def _write_tags(instance: Instance, episode_id: str) -> None:
    tagging.tag_episode(
        instance.database,
        instance.storage,
        episode_id,
        base_url=instance.base_url,
        now=instance.now,
    )
    _publish(instance, episode_id, with_tags=True)


def _publish(instance: Instance, episode_id: str, *, with_tags: bool = False) -> None:
    with instance.database.write() as session:
        episode = session.get(Episode, episode_id)
        if episode is None:
            return
        lock_show(session, episode.show_id)
        session.refresh(episode)
        publish_due_episode(session, episode, now=instance.now(), with_tags=with_tags)


def _publish_article(instance: Instance, article_id: str) -> None:
    with instance.database.write() as session:
        article = session.get(Article, article_id)
        if article is None:
            return
        lock_show(session, article.show_id)
        session.refresh(article)
        publish_due_article(session, article, now=instance.now())


def _convert_transcripts(instance: Instance, show_id: str) -> None:
    transcript_forms.complete_transcripts(
        instance.database, instance.storage, show_id, now=instance.now()
    )


def _index_show(instance: Instance, show_id: str) -> None:
    index_show(instance.database, instance.storage, show_id, now=instance.now())


def _take_upload(instance: Instance, upload_id: str) -> None:
    # Probing takes libraries that a worker otherwise has no use for.
    from podhost.uploads.taking import take_upload

    take_upload(
        instance.database,
        instance.storage,
        upload_id,
        base_url=instance.base_url,
        now=instance.now,
    )


def _make_waveform(instance: Instance, audio_id: str) -> None:
    waveforms.make_waveform(instance.database, instance.storage, audio_id)


def _make_export(instance: Instance, export_id: str) -> None:
    archives.make_export(
        instance.database,
        instance.storage,
        export_id,
        site=hubs.site_of(instance),
        now=instance.now,
    )


# Each takes the instance and the job's key, and may be run again at any time.
JOBS: Jobs = {
    RENDER_SHOW: _render,
    further_feeds.RENDER_SHOW_AT: _render,
    PUBLISH_EPISODE: _publish,
    PUBLISH_ARTICLE: _publish_article,
    **edge.JOBS,
}
# Done while none of the others is due: there may be thousands of them at once.
LATER_JOBS: Jobs = {
    transcript_forms.CONVERT_TRANSCRIPTS: _convert_transcripts,
    INDEX_SHOW: _index_show,
    **edge.LATER_JOBS,
}
# Done beside the others: a file of hours takes a while.
TAG_JOBS: Jobs = {tagging.WRITE_TAGS: _write_tags, **guest_jobs.JOBS}
# Done there too, one at a time, while no episode waits for its tags.
WAVEFORM_JOBS: Jobs = {waveforms.MAKE_WAVEFORM: _make_waveform}
# Somebody waits for it before a screen.
UPLOAD_JOBS: Jobs = {uploads.TAKE_UPLOAD: _take_upload}
# By itself: it takes as long as copying all of a show's audio does.
EXPORT_JOBS: Jobs = {archives.MAKE_EXPORT: _make_export}


def run_next_job(instance: Instance, *, owner: str) -> bool:
    """Do one job that is due; False when there is none. A failure is kept with the job."""
    return run_next(instance, (JOBS, LATER_JOBS), owner)


def run_next_tagging(instance: Instance, *, owner: str) -> bool:
    """Write the tags of one episode into its audio; False when there is none to do."""
    return run_next(instance, (TAG_JOBS,), owner)


def run_next_beside(instance: Instance, *, owner: str) -> bool:
    """Write tags, or else make a waveform; False when there is neither to do."""
    return run_next(instance, (TAG_JOBS, WAVEFORM_JOBS), owner)


def run_next_upload(instance: Instance, *, owner: str) -> bool:
    """Take over one file that has arrived; False when there is none."""
    return run_next(instance, (UPLOAD_JOBS,), owner)


def run_next_export(instance: Instance, *, owner: str) -> bool:
    """Make one archive of a show; False when none is asked for."""
    return run_next(instance, (EXPORT_JOBS,), owner)


def run_next_ping(instance: Instance, fetcher: Fetcher, *, owner: str) -> bool:
    """Tell one hub that is to be told now; False when there is none. It may take seconds."""
    pings: Jobs = {hubs.TELL_HUB: partial(hubs.tell_hub, fetcher=fetcher)}
    return run_next(instance, (pings,), owner)


def run_next_mail(instance: Instance, *, owner: str) -> bool:
    """Send one message; False when there is none to send. It may take seconds."""
    return run_next(instance, (mail_sending.JOBS,), owner)


def run_next_newsletter(instance: Instance, *, owner: str) -> bool:
    """Send the next mails of one newsletter; False when there are none. Many take minutes."""
    return run_next(instance, (newsletters.JOBS,), owner)


def run_next_move(instance: Instance, fetcher: Fetcher, *, owner: str) -> bool:
    """Read one new feed of a show that moves out; False when there is none. It takes a while."""
    reads: Jobs = {MOVE_SHOW: partial(moves.move_show, fetcher=fetcher)}
    return run_next(instance, (reads,), owner)


def run_due_jobs(instance: Instance) -> int:
    """Do everything that is due now, in this process; how many jobs that were.

    Hubs and mail servers are left to a worker: nobody is to wait for them.
    """
    owner = worker_name()
    count = 0
    while True:
        edge.enqueue_changed(instance)
        if not (
            run_next_job(instance, owner=owner)
            or run_next_tagging(instance, owner=owner)
            or run_next_upload(instance, owner=owner)
        ):
            return count
        count += 1


def run_sweep(instance: Instance, *, is_first: bool = False) -> int:
    """Enqueue what was missed; how much that was.

    `is_first`: this worker has just started, and so has the newest address of the server.
    """
    missed = sweep.enqueue_missed(
        instance.database,
        hubs.site_of(instance),
        # Where the operator has set no address, it changes with the port, and a worker that
        # started before must not render the old one again.
        compare_site=instance.settings.has_own_base_url or is_first,
        now=instance.now(),
    )
    missed += _missed_mails(instance)
    missed += guest_jobs.enqueue_missed(instance)
    missed += newsletters.enqueue_missed(instance)
    return missed + hubs.enqueue_missed(instance) + _missed_imports(instance)


def _missed_imports(instance: Instance) -> int:
    if (instance.settings.data / "imports").exists():
        from podhost.importing.episodes import remove_abandoned_audio

        remove_abandoned_audio(instance)
    with instance.database.write() as session:
        return enqueue_missed_imports(session, now=instance.now())


def _missed_mails(instance: Instance) -> int:
    with instance.database.write() as session:
        return enqueue_missed_mails(session, now=instance.now())


def run_worker(
    instance: Instance, *, stop: threading.Event, longest_wait_seconds: float = 30
) -> None:
    """Work until `stop` is set; a job in hand is finished first.

    A database or storage that is away is waited for, not died of; it is tried again after
    `longest_wait_seconds` at the latest.
    """
    # The program itself is no garbage: to look at it again and again takes the collector a tenth
    # of the time in which a large feed is rendered.
    gc.freeze()
    owner = worker_name()
    next_sweep = instance.now()
    is_first = True
    leaps = _Leaps(next_sweep)

    def do_one() -> bool:
        nonlocal next_sweep, is_first
        now = instance.now()
        # A clock that was set back must not stop the sweep for as long.
        if now >= next_sweep or next_sweep - now > SWEEP_EVERY:
            run_sweep(instance, is_first=is_first)
            if not leaps.is_near(now) and sweep.claim_clean_up(instance.database, now=now):
                # Beside the jobs: a full store takes minutes to go through, and one that
                # hangs even longer. Breaking it off at the end harms nothing.
                threading.Thread(
                    target=_clean_up, args=(instance,), name="clean-up", daemon=True
                ).start()
            if edge_walk.claim_walk(instance, is_first=is_first):
                threading.Thread(
                    target=_walk_edge, args=(instance,), name="edge", daemon=True
                ).start()
            is_first = False
            next_sweep = now + SWEEP_EVERY
        edge.enqueue_changed(instance)
        return run_next_job(instance, owner=owner)

    # Beside the jobs: a hub that does not answer must not hold up a feed.
    pings = threading.Thread(
        target=_tell_hubs, args=(instance, stop, longest_wait_seconds), name="hubs", daemon=True
    )
    pings.start()
    beside = [
        threading.Thread(
            target=work_on,
            args=(
                partial(run_one, instance, owner=worker_name()),
                stop,
                idle_seconds,
                longest_wait_seconds,
                f"{sentence}; that is tried again",
            ),
            name=name,
            daemon=True,
        )
        for name, run_one, idle_seconds, sentence in _BESIDE
    ]
    for thread in beside:
        thread.start()
    imports = threading.Thread(
        target=_bring_shows,
        args=(instance, stop, longest_wait_seconds),
        name="imports",
        daemon=True,
    )
    imports.start()
    complaint = "the worker cannot work; it tries again"
    work_on(do_one, stop, IDLE_SECONDS, longest_wait_seconds, complaint)
    # What is broken off there is done by the next worker.
    for thread in (*beside, pings):
        thread.join(_LAST_PING_SECONDS)
    imports.join(_LAST_IMPORT_SECONDS)


# What has a thread of its own: its name, what does one job, how long to rest when there is none,
# and what is said when nothing can be done.
_BESIDE: tuple[tuple[str, Callable[..., bool], float, str], ...] = (
    (
        "tags",
        run_next_beside,
        _IDLE_BESIDE_SECONDS,
        "no tags can be written into audio, and no waveforms made",
    ),
    ("uploads", run_next_upload, IDLE_SECONDS, "no uploads can be taken over"),
    ("mails", run_next_mail, _IDLE_BESIDE_SECONDS, "no mail can be sent"),
    # Ten thousand of them hold up no invitation and no feed.
    ("newsletters", run_next_newsletter, _IDLE_BESIDE_SECONDS, "no newsletters can be sent"),
    ("exports", run_next_export, _IDLE_BESIDE_SECONDS, "no archives of shows can be made"),
)


def _bring_shows(instance: Instance, stop: threading.Event, longest_wait_seconds: float) -> None:
    with instance_fetcher(
        instance.settings, base_url=instance.base_url, purpose="feed import"
    ) as fetcher:
        run_imports(instance, stop=stop, fetcher=fetcher, longest_wait_seconds=longest_wait_seconds)


def _tell_hubs(instance: Instance, stop: threading.Event, longest_wait_seconds: float) -> None:
    owner = worker_name()
    # One for all: it takes a while to load the certificates.
    with instance_fetcher(instance.settings, base_url=instance.base_url) as fetcher:
        work_on(
            lambda: (
                run_next_ping(instance, fetcher, owner=owner)
                or run_next_move(instance, fetcher, owner=owner)
            ),
            stop,
            _IDLE_BESIDE_SECONDS,
            longest_wait_seconds,
            "no hub can be told; that is tried again",
        )


class _Leaps:
    """Notices when the clock is set forward, or the machine wakes up.

    Then the file of an upload that is under way looks as old as one that nobody needs, for as
    long as the upload takes.
    """

    _SECONDS = 60
    _NEAR_SECONDS = 3600

    def __init__(self, now: datetime) -> None:
        self._ahead_seconds = now.timestamp() - time.monotonic()
        self._over_at = time.monotonic()

    def is_near(self, now: datetime) -> bool:
        """Whether the clock leapt within the last hour, or since the last look."""
        ahead_seconds = now.timestamp() - time.monotonic()
        if ahead_seconds - self._ahead_seconds > self._SECONDS:
            self._over_at = time.monotonic() + self._NEAR_SECONDS
        self._ahead_seconds = ahead_seconds
        return time.monotonic() < self._over_at


def _clean_up(instance: Instance) -> None:
    try:
        # First: it is quick, and the other goes through a whole store.
        transcript_forms.enqueue_incomplete(instance.database, now=instance.now())
        with instance.database.write() as session:
            prune_mails(session, now=instance.now())
            prune_links(session, now=instance.now())
            newsletters.prune(session, now=instance.now())
            # Loaded here, because a server that imports nothing does not need it at its start.
            from podhost.importing.documents import forget_documents

            forget_documents(session, now=instance.now())
        sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
    except Exception as error:
        complaints.say("cleaning up failed; it is done again in an hour", error)


def _walk_edge(instance: Instance) -> None:
    try:
        edge_walk.walk(instance)
    except Exception as error:
        complaints.say(
            "public/ could not be compared with the rows; that is tried in an hour", error
        )
