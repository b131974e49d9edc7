"""Hubs and directories are told that a feed has new bytes; what they said is kept. It renders none.

A ping is a job, enqueued in the transaction that stores the bytes. Bursts are joined: it waits
until the feed has been left alone for a while. What a hub knows is a row, so a job that is done
twice tells it once.
"""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from podhost.answers import HubAnswer
from podhost.config import Settings
from podhost.errors import Forbidden, Invalid, Unavailable
from podhost.feeds.formats import RSS, further
from podhost.feeds.rendering import Site
from podhost.fetching import Fetched, Fetcher, asked_pause
from podhost.instance import Instance
from podhost.jobs import GiveUp, TryLater, enqueue
from podhost.models import FeedSnapshot, HubState, Job, Rendered, Show, Snapshot
from podhost.shows import is_public, lock_show
from podhost.shows.live import list_live_items
from podhost.silence import Silence

TELL_HUB = "tell_hub"
UPDATE, LIVE, LIVE_END = "update", "live", "liveEnd"
WEBSUB, PODPING, PODCAST_INDEX = "websub", "podping", "podcast_index"
# A burst of changes is over when nothing has changed for so long, and is told after so long at the
# latest. Podping wants a feed at most once a minute.
QUIET = timedelta(seconds=10)
LONGEST_BURST = timedelta(minutes=1)
PAUSE = timedelta(minutes=1)
# Nobody is obeyed who asks for a longer pause.
LONGEST_PAUSE = timedelta(days=1)
# What was given up because nobody answered is told after so long, as other work is.
AGAIN_AFTER = timedelta(hours=6)
# A hub that took so long without an answer is not asked by every show in turn.
_SILENT_SECONDS = 4.0
_ASK_SILENT_AGAIN_SECONDS = 60.0
_SECONDS = 10.0
_MOST_ANSWER_BYTES = 100_000
_TRY_LATER = frozenset({408, 425, 429})

_silences: dict[str, Silence] = {}
_silences_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Hub:
    """Somebody who wants to be told; `kind` says how: websub, podping or podcast_index.

    `feed` is which of a show's feeds it is told of: the end of its path.
    """

    kind: str
    url: str
    feed: str = RSS.file_name

    @property
    def name(self) -> str:
        """Under which its state is kept: its address has no spaces."""
        return self.url if self.feed == RSS.file_name else f"{self.url} {self.feed}"

    def job_key(self, show_id: str) -> str:
        """The key of the job that tells it of this show; addresses are too long for one."""
        return f"{show_id} {hashlib.sha256(self.name.encode()).hexdigest()[:32]}"


class _News(NamedTuple):
    """What there is to tell, when, and why."""

    feed_url: str
    medium: str
    version: int
    due_at: datetime
    why: "_Why"


class _Why(NamedTuple):
    """Podping's word for the reason, and the guids of the streams that it then takes for live."""

    reason: str
    live: list[str]


class _Said(NamedTuple):
    """What came of a try; `status` None: no answer came. `error` is a sentence, or "" for none."""

    status: int | None
    error: str = ""
    is_final: bool = False
    wait: timedelta = timedelta(0)


def list_hubs(settings: Settings, base_url: str) -> tuple[Hub, ...]:
    """Everybody who is told. Nobody, while the feeds are not where the world could read them: a
    laptop must not wake a thousand crawlers."""
    if not is_public(base_url):
        return ()
    hubs = [Hub(WEBSUB, url) for url in settings.hubs]
    if settings.podping_token:
        hubs.append(Hub(PODPING, settings.podping_url))
    if settings.notify_podcast_index:
        hubs.append(Hub(PODCAST_INDEX, settings.podcast_index_url))
    return tuple({hub.url: hub for hub in hubs}.values())


def of_feed(hubs: Sequence[Hub], feed: str) -> tuple[Hub, ...]:
    """Those of them that are told of a further feed. Directories know a show by its own feed."""
    return tuple(replace(hub, feed=feed) for hub in hubs if hub.kind == WEBSUB)


def _named(hubs: Sequence[Hub], name: str) -> Hub | None:
    """The hub whose state is kept under this name; None for one that is in the settings no more."""
    url, _, feed = name.partition(" ")
    found = next((hub for hub in hubs if hub.url == url), None)
    if found is None or not feed:
        return found
    return replace(found, feed=feed) if found.kind == WEBSUB else None


def site_of(instance: Instance) -> Site:
    """What feeds say that is not in the rows."""
    told = list_hubs(instance.settings, instance.base_url)
    uses_podping = any(hub.kind == PODPING for hub in told)
    return Site(instance.base_url, instance.settings.hubs, uses_podping)


def announce(session: Session, show: Show, hubs: Sequence[Hub], *, now: datetime) -> None:
    """Have `hubs` told, soon, that the feed has new bytes; in the transaction that stores them.

    The show's row must be locked by the caller. Nobody is told of blocked and deleted shows.
    """
    if show.is_blocked or show.deleted_at is not None:
        return
    for hub in hubs:
        state = session.get(HubState, (show.id, hub.name))
        if state is None:
            session.add(HubState(show_id=show.id, hub=hub.name, waits_since=now))
        elif state.waits_since is None:
            state.waits_since = now
        # Who waits for a live stream to begin waits for no burst to end.
        is_turn = _why(session, show, hub).reason != UPDATE
        wait = timedelta(0) if is_turn else QUIET
        enqueue(session, TELL_HUB, hub.job_key(show.id), now=now, run_at=now + wait)


def enqueue_missed(instance: Instance) -> int:
    """Enqueue pings that are due by the rows and not in hand; how many. For the sweep.

    Those are pings that were given up because the hub was away for too long, and those whose time
    was set by a clock that has been set back since. What was refused by hubs that are told no
    longer is forgotten.
    """
    hubs = list_hubs(instance.settings, instance.base_url)
    _forget_failures_of_others(instance, hubs)
    if not hubs:
        return 0
    now = instance.now()
    with instance.database.read() as session:
        is_in_hand = or_(
            Job.status == "running",
            and_(Job.status == "waiting", Job.run_at <= now + LONGEST_PAUSE),
            and_(Job.status == "failed", Job.run_at > now - AGAIN_AFTER),
        )
        known = set(session.scalars(select(Job.key).where(Job.kind == TELL_HUB, is_in_hand)))
        waiting = session.execute(
            select(HubState.show_id, HubState.hub)
            .join(Show, Show.id == HubState.show_id)
            .where(
                HubState.waits_since.is_not(None),
                Show.deleted_at.is_(None),
                Show.is_blocked.is_(False),
            )
        )
        keys = {hub.job_key(show_id) for show_id, name in waiting if (hub := _named(hubs, name))}
    for key in sorted(keys - known):
        with instance.database.write() as session:
            enqueue(session, TELL_HUB, key, now=now, run_at=now)
    return len(keys - known)


def _forget_failures_of_others(instance: Instance, hubs: Sequence[Hub]) -> None:
    with instance.database.read() as session:
        failed = session.scalars(select(Job).where(Job.kind == TELL_HUB, Job.status == "failed"))
        others = {job.id for job in failed if _hub_of(session, job.key, hubs) is None}
    if others:
        with instance.database.write() as session:
            session.execute(delete(Job).where(Job.id.in_(others), Job.status == "failed"))


def _hub_of(session: Session, key: str, hubs: Sequence[Hub]) -> Hub | None:
    """The hub that the job of this key tells; None when it is told no longer."""
    show_id = key.partition(" ")[0]
    names = session.scalars(select(HubState.hub).where(HubState.show_id == show_id))
    known = [*hubs, *(hub for name in names if (hub := _named(hubs, name)))]
    return next((hub for hub in known if hub.job_key(show_id) == key), None)


def tell_hub(instance: Instance, key: str, fetcher: Fetcher) -> None:
    """Tell one hub of one show's feed, if it does not know already; later, if it is too early.

    The key is that of the job. It may be done again at any time.

    Raises TryLater, GiveUp or Unavailable with a sentence when the hub could not be told.
    """
    show_id = key.partition(" ")[0]
    hubs = list_hubs(instance.settings, instance.base_url)
    now = instance.now()
    with instance.database.read() as session:
        hub = _hub_of(session, key, hubs)
        if hub is None:
            return
        news = _find_news(session, show_id, hub, instance.base_url, now)
        is_there = _find_snapshot(session, show_id, hub) is not None
    if news is None:
        if not is_there:
            _forget(instance, show_id, hub)
        return
    if news.due_at > now:
        with instance.database.write() as session:
            enqueue(session, TELL_HUB, key, now=now, run_at=news.due_at)
        return
    said = _ask(instance, hub, news, fetcher)
    with instance.database.write() as session:
        # Or a change that is stored at the same time could be taken for told.
        lock_show(session, show_id)
        _keep(session, show_id, hub, news, said, now=instance.now())
        rest = _find_news(session, show_id, hub, instance.base_url, instance.now())
        # One stream began while another one ended.
        if rest is not None and not said.error and rest.why.reason != UPDATE:
            enqueue(session, TELL_HUB, key, now=instance.now(), run_at=rest.due_at)
    if said.is_final:
        raise GiveUp(said.error)
    if said.error:
        raise TryLater(said.error, said.wait)


def _find_news(
    session: Session, show_id: str, hub: Hub, base_url: str, now: datetime
) -> _News | None:
    show, snapshot = session.get(Show, show_id), _find_snapshot(session, show_id, hub)
    state = session.get(HubState, (show_id, hub.name))
    if show is None or snapshot is None or state is None:
        return None
    if show.deleted_at is not None or show.is_blocked:
        return None
    why = _why(session, show, hub)
    if state.snapshot_version == snapshot.version and why.reason == UPDATE:
        return None
    due_at = _due_at(state, snapshot, why, now)
    return _News(f"{base_url}/{show.slug}/{hub.feed}", show.medium, snapshot.version, due_at, why)


def _why(session: Session, show: Show, hub: Hub) -> _Why:
    """Why the hub is told: Podping wants to know when a live stream begins, and when it ends."""
    state, snapshot = session.get(HubState, (show.id, hub.url)), session.get(Snapshot, show.id)
    known = set(state.live or ()) if state is not None else set()
    # Bytes that say more than those that are out are told of when they are out.
    if hub.kind != PODPING or snapshot is None or snapshot.show_version != show.version:
        return _Why(UPDATE, sorted(known))
    live = {item.guid for item in list_live_items(show) if item.status == "live"}
    if live - known:
        return _Why(LIVE, sorted(known | live))
    return _Why(LIVE_END if known - live else UPDATE, sorted(live))


def _find_snapshot(session: Session, show_id: str, hub: Hub) -> Rendered | None:
    """The feed that the hub is told of; None when it is no more, or not for everybody."""
    if hub.feed == RSS.file_name:
        return session.get(Snapshot, show_id)
    document = further(hub.feed)
    row = session.get(FeedSnapshot, document.key(show_id))
    return row if row is not None and row.gone_at is None and not row.is_private else None


def _forget(instance: Instance, show_id: str, hub: Hub) -> None:
    """Nobody will ever have to be told of this feed, unless it is made anew."""
    with instance.database.write() as session:
        lock_show(session, show_id)
        state = session.get(HubState, (show_id, hub.name))
        if state is not None and _find_snapshot(session, show_id, hub) is None:
            session.delete(state)


def _due_at(state: HubState, snapshot: Rendered, why: _Why, now: datetime) -> datetime:
    """When the burst is over and the hub may be asked. Dates that are too far ahead were written
    by a clock that has been set back since, and count for nothing."""
    # The pause after a ping is for changes; one that a hub asks for is kept.
    if why.reason != UPDATE and not state.error:
        return now
    began_at = state.waits_since or snapshot.rendered_at
    over_at = min(snapshot.rendered_at + QUIET, began_at + LONGEST_BURST)
    if over_at - now > LONGEST_BURST:
        over_at = now
    if state.not_before is None or state.not_before - now > LONGEST_PAUSE:
        return over_at
    return max(over_at, state.not_before)


def _ask(instance: Instance, hub: Hub, news: _News, fetcher: Fetcher) -> _Said:
    """Send one ping. Raises Unavailable without a try while the hub is known to be silent."""
    silence = _silence_of(hub)
    if not silence.may_ask():
        raise Unavailable(f"{hub.url} does not answer; it is asked again soon.")
    began_at = time.monotonic()
    try:
        fetched = _send(instance.settings, hub, news, fetcher)
    except Unavailable as error:
        # A refused connection fails at once, and holds nobody up.
        if time.monotonic() - began_at >= _SILENT_SECONDS:
            silence.noticed()
        return _Said(None, f"{hub.url} could not be told: {error.message}")
    except (Invalid, Forbidden) as error:
        return _Said(None, f"{hub.url} could not be told: {error.message}", is_final=True)
    silence.heard()
    return _judge(hub, fetched, instance.now())


def _send(settings: Settings, hub: Hub, news: _News, fetcher: Fetcher) -> Fetched:
    query = {"url": news.feed_url}
    headers = {}
    if hub.kind == WEBSUB:
        # How a publisher pings is left open by WebSub; public hubs agree on this form.
        form = {"hub.mode": "publish", "hub.url": news.feed_url}
        return fetcher.post(hub.url, form, seconds=_SECONDS)
    if hub.kind == PODPING:
        query |= {"reason": news.why.reason, "medium": news.medium}
        headers["Authorization"] = settings.podping_token
    url = f"{hub.url}?{urlencode(query)}"
    return fetcher.get(url, headers=headers, max_bytes=_MOST_ANSWER_BYTES, seconds=_SECONDS)


def _judge(hub: Hub, fetched: Fetched, now: datetime) -> _Said:
    """What an answer means. Its body is not read: it may hold what we sent, and that a token."""
    # A form that was sent on with one of these has arrived nowhere.
    lost = [hop.status for hop in fetched.hops if hop.status in (302, 303)]
    status = lost[0] if lost and hub.kind == WEBSUB else fetched.status
    if 200 <= status < 300:
        return _Said(status)
    if status in _TRY_LATER or status >= 500:
        wait = min(asked_pause(fetched.headers, now=now), LONGEST_PAUSE)
        return _Said(status, f"{hub.url} answered {status}.", wait=wait)
    hint = ""
    if hub.kind == PODPING and status in (401, 403):
        hint = " Look at the setting PODHOST_PODPING_TOKEN."
    sentence = f"{hub.url} answered {status}; it is not asked again until the feed changes.{hint}"
    return _Said(status, sentence, is_final=True)


def _keep(
    session: Session, show_id: str, hub: Hub, news: _News, said: _Said, *, now: datetime
) -> None:
    state = session.get(HubState, (show_id, hub.name))
    if state is None:
        return
    snapshot = _find_snapshot(session, show_id, hub)
    has_more = snapshot is not None and snapshot.version != news.version
    more_since = snapshot.rendered_at if snapshot is not None and has_more else None
    state.tried_at, state.last_status, state.error = now, said.status, said.error or None
    if said.error:
        state.not_before = now + said.wait if said.wait else None
        if said.is_final:
            state.waits_since = more_since
        return
    state.last_sent_at, state.snapshot_version = now, news.version
    state.live = news.why.live or None
    state.not_before = now + PAUSE
    state.waits_since = more_since


def _silence_of(hub: Hub) -> Silence:
    with _silences_lock:
        if hub.url not in _silences:
            _silences[hub.url] = Silence(hub.url, _ASK_SILENT_AGAIN_SECONDS)
        return _silences[hub.url]


# What operators and programs are told


def hub_answers(session: Session, show: Show, hubs: Sequence[Hub]) -> list[HubAnswer]:
    """What each of `hubs` knows of the show's feed, and then of its further ones."""
    states = {
        state.hub: state
        for state in session.scalars(select(HubState).where(HubState.show_id == show.id))
    }
    further_names = sorted(name for name in states if " " in name)
    hubs = [*hubs, *(hub for name in further_names if (hub := _named(hubs, name)))]
    keys = [hub.job_key(show.id) for hub in hubs]
    jobs: dict[str, dict[str, str | None]] = {key: {} for key in keys}
    named = select(Job.key, Job.status, Job.error)
    for key, status, error in session.execute(named.where(Job.kind == TELL_HUB, Job.key.in_(keys))):
        jobs[key][status] = error
    return [
        _answer(hub, states.get(hub.name) or HubState(), jobs[hub.job_key(show.id)]) for hub in hubs
    ]


def _answer(hub: Hub, state: HubState, jobs: Mapping[str, str | None]) -> HubAnswer:
    """`jobs` has the error of each job that tells it of the show, by the job's status."""
    is_in_hand = bool(jobs.keys() & {"waiting", "running"})
    # What nobody foresaw is an error of the job alone.
    error = state.error or (None if is_in_hand else jobs.get("failed"))
    if error:
        status = "failing" if is_in_hand else "given_up"
    elif is_in_hand:
        status = "waiting"
    else:
        status = "told" if state.last_sent_at is not None else "none"
    return HubAnswer(
        url=hub.url,
        kind=hub.kind,
        feed=hub.feed,
        status=status,
        last_sent_at=state.last_sent_at,
        last_status=state.last_status,
        error=error,
        snapshot_version=state.snapshot_version,
        tried_at=state.tried_at,
    )


def hub_problems(session: Session, show: Show, hubs: Sequence[Hub]) -> list[str]:
    """A sentence for each hub that could not be told of the show's last change, and was given up
    for now."""
    if show.is_blocked:
        return []
    return [
        f"{_words(answer.feed)} of {show.slug!r}: a hub was not told of the last change. "
        f"{answer.error}"
        for answer in hub_answers(session, show, hubs)
        if answer.status == "given_up"
    ]


def _words(feed: str) -> str:
    return "Feed" if feed == RSS.file_name else f"Further feed {feed!r}"


def count_failing(session: Session, hubs: Sequence[Hub]) -> dict[str, int]:
    """Of how many shows each of `hubs` could not be told at the last try, for the metrics."""
    rows = session.execute(
        select(HubState.hub, HubState.show_id)
        .join(Show, Show.id == HubState.show_id)
        .where(HubState.error.is_not(None), Show.deleted_at.is_(None), Show.is_blocked.is_(False))
    )
    failing = {(name.partition(" ")[0], show_id) for name, show_id in rows}
    counts = Counter(url for url, _ in failing)
    return {hub.url: counts[hub.url] for hub in hubs}
