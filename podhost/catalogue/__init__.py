"""What a serving process holds in memory for apps and readers; it sends and changes nothing.

Polls, audio requests and pages are answered from here without a query. One thread follows the
change log and replaces what changed; while the database is away, what is here goes on being served.
All methods may be called from any thread; those named load_ block on the database or storage.
"""

import gzip
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from podhost.catalogue.entries import (
    ALL_SHOWS,
    ENTRY_BYTES,
    EpisodeAudio,
    Feed,
    Memory,
    SideFile,
)
from podhost.catalogue.pages import SitePage
from podhost.catalogue.rows import (
    KnownShow,
    LeftDomain,
    newest_episode_ids,
    read_domains,
    read_episode,
    read_episodes,
    read_left_domains,
    read_shows,
    read_titles,
    shows_of_episodes,
)
from podhost.changes import KEPT, changes_since, last_change
from podhost.errors import Unavailable
from podhost.feeds.formats import RSS, FeedFormat
from podhost.instance import Instance

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from podhost.models import Change

logger = logging.getLogger(__name__)

T = TypeVar("T")

FOLLOW_SECONDS = 0.25
_TOPICS = ("show", "feed", "episode", "site")
_SLOWEST_FOLLOW_SECONDS = 5.0
# Read before anybody asks: so many shows or episodes in a row, and of each show so many episodes.
_AT_ONCE = 20
_NEWEST = 20
_SAFE = "%/:?#[]@!$&'()*+,;=~-._"
_COMPLAINT_SECONDS = 60.0


class Catalogue:
    """Slugs, feeds, audio and side files of one serving process."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        budget = instance.settings.memory_cache_mb * 1024 * 1024
        self._feeds: Memory[Feed] = Memory(budget // 2)
        self._episodes: Memory[EpisodeAudio] = Memory(budget // 8)
        # Ids that do not exist have room of their own: asking for many of them must not push
        # out what exists.
        self._unknown: Memory[EpisodeAudio] = Memory(budget // 32)
        self._sides: Memory[SideFile] = Memory(budget // 8)
        self._side_limit_bytes = budget // 64
        self._pages: Memory[SitePage] = Memory(budget * 7 // 32)
        # One document must not push out all others, such as the sitemap of a very large show.
        self._page_limit_bytes = budget * 7 // 64
        # For the hot path: read only, by page_key().
        self.pages = self._pages.entries
        # For the hot path: read only, by path and by episode id.
        self.feeds = self._feeds.entries
        # Feeds whose Last-Modified has not come yet, by path.
        self._early: dict[str, Feed] = {}
        # Slugs of shows whose feeds and newest audio are to be read before anybody asks, and
        # episodes that changed.
        self._ahead: list[str] = []
        self._ahead_episodes: list[str] = []
        self._shows: dict[str, KnownShow] = {}
        self._slugs_of: dict[str, tuple[str, ...]] = {}
        # The slugs of shows by their own domains.
        self._domains: dict[str, str] = {}
        self._left_domains: dict[str, LeftDomain] = {}
        self._lock = threading.Lock()
        self._rounds = 0
        self._seq = -1
        self._seen_at = instance.now()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing_since: datetime | None = None
        self._complained_at: float | None = None

    # Reading from memory

    def find_show(self, slug: str) -> KnownShow | None:
        """The show that has or had this slug; None: nobody ever had it. Never queries."""
        return self._shows.get(slug)

    def find_episode(self, episode_id: str) -> EpisodeAudio | None:
        """What is known of an episode's audio; None: it has to be loaded."""
        entry = self._episodes.entries.get(episode_id) or self._unknown.entries.get(episode_id)
        if entry is not None:
            entry.was_used = True
        return entry

    def find_side_file(self, path: str) -> SideFile | None:
        """An artwork, chapters or transcript answer by its path; None: it has to be loaded."""
        entry = self._sides.entries.get(path)
        if entry is not None:
            entry.was_used = True
        return entry

    def find_domain(self, host: bytes) -> str | None:
        """The slug of the show whose own domain a Host header names; None: it is no show's."""
        return self._domains.get(host_name(host)) if self._domains else None

    def find_left_domain(self, host: bytes) -> LeftDomain | None:
        """Whose domain it was that a Host header names, if it is no show's now."""
        return self._left_domains.get(host_name(host)) if self._left_domains else None

    def page_key(self, path: str, host: bytes) -> str:
        """What a page is called in `pages`: its path, behind the slug on the domain of a show, and
        nothing where a show has left."""
        slug = self.find_domain(host)
        if slug is not None:
            return slug + path
        return path if self.find_left_domain(host) is None else ""

    @property
    def used_bytes(self) -> int:
        """Memory held, as far as it is counted."""
        return sum(memory.used_bytes for memory in self._memories)

    @property
    def _memories(self) -> tuple[Memory[Any], ...]:
        return self._feeds, self._episodes, self._unknown, self._sides, self._pages

    # Loading

    def load_feed(self, show: KnownShow, format_: FeedFormat = RSS) -> Feed | None:
        """Read a show's snapshot; None: nothing was rendered yet. Raises Unavailable."""

        def read() -> Feed | None:
            with self._instance.database.read() as session:
                return self._read_feed(session, show.show_id, format_, format_.path(show.slug))

        def keep(feed: Feed | None) -> None:
            is_here = self._shows.get(show.slug) == show and show.new_address(format_) is None
            if feed is not None and is_here:
                self._keep_feed(feed)

        return self._load(read, keep)

    def _read_feed(
        self, session: "Session", show_id: str, format_: FeedFormat, path: str
    ) -> Feed | None:
        snapshot = session.get(format_.table, format_.key(show_id))
        if snapshot is None or getattr(snapshot, "gone_at", None) is not None:
            return None
        # Nobody is told of feeds that are for some alone.
        has_hubs = format_.has_hubs and not getattr(snapshot, "is_private", False)
        links = self._links(path, has_hubs=has_hubs)
        return Feed(snapshot, format_, path, links, self._instance.now())

    def _keep_feed(self, feed: Feed) -> None:
        self._feeds.put(feed.path, feed)
        if feed.is_early:
            self._early[feed.path] = feed

    def _date_early_feeds(self, now: datetime) -> None:
        for path, feed in list(self._early.items()):
            feed.date_answers(now)
            if not feed.is_early:
                del self._early[path]

    def load_identity(self, feed: Feed) -> bytes:
        """The feed's bytes without gzip, kept beside the compressed ones from now on."""
        body = feed.body_identity
        if body is None:
            body = gzip.decompress(feed.body_gzip)
            with self._lock:
                is_first = feed.body_identity is None
                feed.body_identity = body
            if is_first:
                self._feeds.grow(feed.path, feed, len(body))
        return body

    def load_episode(self, episode_id: str) -> EpisodeAudio:
        """Read who may have an episode's audio and where it lies. Raises Unavailable."""

        def keep(entry: EpisodeAudio) -> None:
            memory = self._episodes if entry.show_id else self._unknown
            memory.put(episode_id, entry)

        return self._load(lambda: self._read_episode(episode_id), keep)

    def load_titles(self, episode_id: str) -> tuple[str, ...]:
        """The titles of the show and of the episode; they are not kept. Raises Unavailable."""
        return read_titles(self._instance, episode_id)

    def load_side_file(self, path: str) -> SideFile:
        """Read artwork, chapters or a transcript by the path of its URL. Raises Unavailable."""

        def keep(side: SideFile) -> None:
            # What does not exist is not kept, for nobody would say when it does; and a few large
            # pictures must not push out everything else.
            if side.status != 200 and not side.owner_ids:
                return
            if side.size_bytes <= max(self._side_limit_bytes, 2 * ENTRY_BYTES):
                self._sides.put(path, side)

        return self._load(lambda: self._read_side_file(path), keep)

    def load_page(self, key: str, render: Callable[[], T]) -> T:
        """Have a page rendered and keep it, if it is one. Raises what `render` raises."""

        def keep(page: T) -> None:
            # Nothing before the change log is followed, or it would stay for ever.
            if not isinstance(page, SitePage) or not page.is_kept or self._seq < 0:
                return
            if page.size_bytes <= self._page_limit_bytes:
                self._pages.put(key, page)

        return self._load(render, keep)

    def _load(self, read: Callable[[], T], keep: Callable[[T], None]) -> T:
        """Read and keep, unless a change was applied meanwhile: then what was read may be old."""
        for _ in range(3):
            rounds = self._rounds
            found = read()
            with self._lock:
                if rounds == self._rounds:
                    keep(found)
                    return found
        return found

    def _links(self, path: str, *, has_hubs: bool) -> bytes:
        links = [(self._instance.base_url + path, "self")]
        if has_hubs:
            links += [(hub, "hub") for hub in self._instance.settings.hubs]
        return ", ".join(f'<{quote(url, safe=_SAFE)}>; rel="{name}"' for url, name in links).encode(
            "ascii"
        )

    def _read_episode(self, episode_id: str) -> EpisodeAudio:
        return read_episode(self._instance, episode_id)

    def _read_side_file(self, path: str) -> SideFile:
        # Loaded when somebody asks: the start is quicker without what reads chapters.
        from podhost.catalogue.side_files import read_side_file

        return read_side_file(self._instance, path)

    # Following the change log

    def start(self) -> None:
        """Learn every slug and begin to follow. Raises Unavailable when the database is away."""
        self.catch_up()
        self.start_following()

    def start_following(self) -> None:
        """Begin to follow, whether or not the database answers."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self.follow, name="podhost-follow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Follow no longer."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_SLOWEST_FOLLOW_SECONDS)
            self._thread = None

    def follow(self) -> None:
        """Catch up four times a second until stop(); an outage is waited out. Never raises."""
        wait_seconds = 0.0
        while not self._stopping.wait(wait_seconds):
            try:
                self.catch_up()
                self._read_ahead()
            except Exception as error:
                self._complain(error)
                wait_seconds = min(wait_seconds * 2, _SLOWEST_FOLLOW_SECONDS)
            else:
                if self._failing_since is not None:
                    logger.warning("change log: followed again")
                    self._failing_since = self._complained_at = None
                wait_seconds = FOLLOW_SECONDS

    def _read_ahead(self) -> None:
        """Hold what there is room for before an outage begins; a few, so that changes go on."""
        ahead, self._ahead = self._ahead[:_AT_ONCE], self._ahead[_AT_ONCE:]
        for slug in ahead:
            show = self._shows.get(slug)
            if show is None or show.is_deleted:
                continue
            if not self._feeds.is_half_full and show.new_address(RSS) is None:
                self.load_feed(show)
            if not self._episodes.is_half_full:
                self._load_episodes(newest_episode_ids(self._instance, show.show_id, _NEWEST))
        changed = self._ahead_episodes[:_AT_ONCE]
        self._ahead_episodes = self._ahead_episodes[_AT_ONCE:]
        if changed and not self._episodes.is_half_full:
            self._load_episodes(changed)

    def _load_episodes(self, episode_ids: Iterable[str]) -> None:
        missing = [key for key in episode_ids if key not in self._episodes.entries]

        def keep(found: dict[str, EpisodeAudio]) -> None:
            for episode_id, entry in found.items():
                self._episodes.put(episode_id, entry)

        if missing:
            self._load(lambda: read_episodes(self._instance, missing), keep)

    def catch_up(self) -> None:
        """Apply what the change log says since the last time. Raises Unavailable."""
        now = self._instance.now()
        self._date_early_feeds(now)
        with self._instance.database.read() as session:
            last = last_change(session)
            if last == self._seq and now - self._seen_at < KEPT:
                self._seen_at = now
                return
            changes = changes_since(session, self._seq) if self._seq >= 0 else []
            # Numbers have no gaps. Where one is missing, or they went back because a backup was
            # restored, or we were away for longer than the log is kept, anything may be old.
            is_whole = bool(changes) and changes[0].seq == self._seq + 1
            if is_whole and now - self._seen_at < KEPT:
                self._apply(session, changes)
                self._seq = changes[-1].seq
            else:
                self._start_over(session)
                self._seq = last
        self._seen_at = now

    def _start_over(self, session: "Session") -> None:
        shows, slugs_of = read_shows(session, None)
        domains = read_domains(session)
        left_domains = read_left_domains(session, self._instance.base_url)
        with self._lock:
            self._rounds += 1
            self._shows = shows
            self._slugs_of = slugs_of
            self._domains = domains
            self._left_domains = left_domains
            for memory in self._memories:
                memory.clear()
            self._ahead = [slug for slug, show in shows.items() if slug == show.slug]
            self._ahead_episodes = []

    def _apply(self, session: "Session", changes: Iterable["Change"]) -> None:
        by_topic: dict[str, set[str]] = {topic: set() for topic in _TOPICS}
        for change in changes:
            by_topic.setdefault(change.topic, set()).add(change.key)
        with self._lock:
            self._rounds += 1
        if by_topic["show"]:
            self._apply_shows(session, by_topic["show"])
        changed = by_topic["show"] | by_topic["episode"]
        if by_topic["show"]:
            changed.add(ALL_SHOWS)
        for path, side in list(self._sides.entries.items()):
            if changed.intersection(side.owner_ids):
                self._sides.drop(path)
        for episode_id in by_topic["episode"]:
            self._unknown.drop(episode_id)
            # Read now, not when somebody asks: the database may be away by then.
            if episode_id in self._episodes.entries:
                self._episodes.put(episode_id, self._read_episode(episode_id))
            else:
                self._ahead_episodes.append(episode_id)
        self._apply_feeds(session, by_topic["feed"])
        self._apply_sites(session, by_topic)

    def _apply_sites(self, session: "Session", by_topic: Mapping[str, set[str]]) -> None:
        if by_topic["show"] or by_topic["site"]:
            self._domains = read_domains(session)
            self._left_domains = read_left_domains(session, self._instance.base_url)
        changed = by_topic["show"] | by_topic["feed"] | by_topic["site"]
        if self._pages.entries:
            changed |= shows_of_episodes(session, by_topic["episode"])
        if by_topic["show"] or by_topic["site"]:
            changed.add(ALL_SHOWS)
        for key, page in list(self._pages.entries.items()):
            if not changed.isdisjoint(page.owner_ids):
                self._pages.drop(key)

    def _apply_shows(self, session: "Session", show_ids: set[str]) -> None:
        shows, slugs_of = read_shows(session, show_ids)
        with self._lock:
            for show_id in show_ids:
                for slug in self._slugs_of.pop(show_id, ()):
                    # It may belong to another show by now.
                    known = self._shows.get(slug)
                    if known is not None and known.show_id == show_id and slug not in shows:
                        del self._shows[slug]
            self._shows.update(shows)
            self._slugs_of.update(slugs_of)
        for path, feed in list(self._feeds.entries.items()):
            known = self._shows.get(path.split("/")[1])
            if feed.show_id in show_ids and (
                known is None
                or known.is_deleted
                or known.new_address(feed.format) is not None
                or path != feed.format.path(known.slug)
            ):
                self._feeds.drop(path)
        alive = {show.show_id for show in shows.values() if not show.is_deleted}
        for episode_id, entry in list(self._episodes.entries.items()):
            # Of a show, only its deletion matters to its audio, which stays here for the rest:
            # the database may be away when somebody asks next.
            is_as_before = entry.status == 200 and entry.show_id in alive
            if entry.show_id in show_ids and not is_as_before:
                self._episodes.drop(episode_id)

    def _apply_feeds(self, session: "Session", show_ids: set[str]) -> None:
        # JSON feeds are read when somebody asks: RSS feeds need the room.
        held = {feed.show_id for feed in self._feeds.entries.values() if feed.format is RSS}
        for show_id in show_ids - held:
            self._ahead += self._slugs_of.get(show_id, ())[:1]
        for path, feed in list(self._feeds.entries.items()):
            if feed.show_id not in show_ids:
                continue
            newer = self._read_feed(session, feed.show_id, feed.format, path)
            if newer is None:
                self._feeds.drop(path)
            else:
                newer.was_used = True
                self._keep_feed(newer)

    def _complain(self, error: Exception) -> None:
        """Say it at once, then once a minute, for as long as it lasts."""
        now = self._instance.now()
        self._failing_since = self._failing_since or now
        # By a clock that nobody sets.
        moment = time.monotonic()
        if self._complained_at is None or moment - self._complained_at >= _COMPLAINT_SECONDS:
            self._complained_at = moment
            logger.warning(
                "change log: cannot be followed since %s (%s); serving what is in memory",
                self._failing_since.isoformat(timespec="seconds"),
                error,
                exc_info=None if isinstance(error, Unavailable) else error,
            )


def host_name(host: bytes) -> str:
    """The name in a Host header, in lower case and without a port."""
    name = host.partition(b":")[0].decode("latin-1").lower()
    # Browsers keep the dot with which a whole name may end (RFC 3986 3.2.2).
    return name.removesuffix(".")
