"""What moving a show in from another host would bring; it asks the old host, and writes nothing.

Audio is only asked about, never downloaded, and from its innermost address: an import must not
count as downloads at services that measure.
"""

import hashlib
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.db import Database
from podhost.errors import Invalid, PodhostError
from podhost.formats.feed_words import MAX_FEED_BYTES
from podhost.formats.feed_xml import Level, read_feed
from podhost.formats.imported import COMES, DRAFT, SECOND_COPY, ImportedShow, Oddity
from podhost.formats.opml import ListedFeed, is_opml, read_opml
from podhost.formats.rss_import import MAX_EPISODES, read_show
from podhost.formats.text import shown
from podhost.importing.pages import (
    ACCEPT,
    FeedPage,
    Wait,
    fetched_page,
    first_page,
)
from podhost.importing.rows import find_import
from podhost.importing.sources import AudioLook, look_at_audio, old_host
from podhost.models import Show
from podhost.shows import feed_path

if TYPE_CHECKING:
    from podhost.fetching import Fetcher, Hop

MAX_PAGES = 200
# Feeds this large are not read twice only to see whether guids change.
_READ_TWICE_BYTES = 5_000_000
_CUT_FEED_GAP = 1
# So begins what is said of it, and what is taken back when it is so no more.
MOVED_HERE = "The old address sends apps on to this podhost"
_A_LIST = (
    "This is a list of feeds (OPML), not a feed. Save it as a file whose name ends in .opml, and "
    "give podhost the file."
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a show comes from: an address, or a document with the name and the path of its file."""

    name: str
    address: str | None = None
    document: bytes | None = None
    path: str = ""

    @property
    def key(self) -> str:
        """What recognises it when it is given again."""
        return self.address.strip() if self.address is not None else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """All that an import would do with one feed, and all that it asks.

    `feed_url` is where the feed was found, None for a file; `hops` are the redirects on the way.
    `refusals` are sentences on why the import may not start. `level` is how far the XML can be
    trusted; `sha256` and the validators (RFC 9110 8.8) are those of the first page, for a later
    run; `is_whole` says whether every page was read.
    """

    source: str
    feed_url: str | None
    hops: tuple["Hop", ...]
    level: Level
    pages: int
    size_bytes: int
    sha256: str
    show: ImportedShow
    old_host: str | None
    audio: AudioLook
    refusals: tuple[str, ...]
    oddities: tuple[Oddity, ...]
    is_whole: bool = True
    etag: str | None = None
    last_modified: str | None = None


class MovedHere(PodhostError):
    """The old address leads to the show's feed here, as it should after the cut-over."""


@dataclass(frozen=True, slots=True)
class FailedPlan:
    """A feed of a list that could not be read, and the sentence that says why."""

    source: str
    title: str
    error: str


@dataclass(frozen=True, slots=True)
class EarlierRead:
    """What is known of a feed that was read before: the show that it became, its validators."""

    show_id: str | None = None
    etag: str | None = None
    last_modified: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What asks for the feed only if it changed (RFC 9110 13.1)."""
        named = {"if-none-match": self.etag, "if-modified-since": self.last_modified}
        return {name: value for name, value in named.items() if value}


def open_source(given: str) -> Source:
    """Read what somebody gave: a file that is there, else an address.

    Raises Invalid for a file that is too large or cannot be read.
    """
    path = Path(given)
    try:
        if not path.is_file():
            return Source(without_secrets(given), address=given)
        if path.stat().st_size > MAX_FEED_BYTES:
            raise Invalid(f"The file {path.name} is larger than 50 MB.")
        return Source(path.name, document=path.read_bytes(), path=str(path.resolve()))
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) or not path.suffix:
            return Source(without_secrets(given), address=given)
        raise Invalid(f"The file {shown(given)} cannot be read: {error}.") from error


def listed_feeds(
    source: Source, fetcher: "Fetcher", *, wait: Wait = time.sleep
) -> list[ListedFeed] | None:
    """The feeds of an OPML list: a file, or an address that says so; None when the source is
    something else. Raises as `plan_import`."""
    document = source.document
    if source.address is not None and "opml" in source.address.lower():
        document = _read_first(source, fetcher, wait, {}).body
    return read_opml(document) if document is not None and is_opml(document) else None


def plan_import(
    source: Source,
    fetcher: "Fetcher",
    *,
    database: Database,
    now: datetime,
    is_mine: bool = False,
    base_url: str = "",
    earlier: EarlierRead | None = None,
    looks_at_audio: bool = True,
    wait: Wait = time.sleep,
) -> ImportPlan:
    """Find out what importing one feed would bring. Nothing is written.

    `is_mine` is the operator's word that the show is theirs, in spite of its podcast:locked;
    `base_url` is our own address; `earlier` is what a show that came from this feed knows of it.
    Raises Invalid when there is no feed that can be read, Forbidden for places that podhost may
    not ask, Unavailable when the old host does not answer, UnchangedFeed where it says so.
    """
    known = earlier or EarlierRead()
    _refuse_own(source.address, base_url)
    first = _read_first(source, fetcher, wait, known.headers)
    _refuse_own(first.url, base_url, first.hops, _own_feed(database, known.show_id, base_url))
    if is_opml(first.body):
        raise Invalid(_A_LIST)
    feed = read_feed(first.body, first.content_type)
    show = read_show(feed, feed_url=first.url)
    oddities = list(show.oddities)
    pages = 1
    unread: list[Oddity] = []
    for page in _later_pages(show, first, fetcher, wait, unread):
        pages += 1
        show, is_new = _with_page(show, page, oddities)
        if not is_new:
            break
    oddities += unread
    is_private = source.address is not None and source.name != source.address.strip()
    oddities += _about_the_whole(show, first, now, is_private=is_private)
    if known.show_id is None:
        oddities += _changing_guids(show, first, fetcher)
    audio = look_at_audio(show.episodes, fetcher) if looks_at_audio else AudioLook()
    return ImportPlan(
        source=source.name,
        feed_url=first.url,
        hops=first.hops,
        level=feed.level,
        pages=pages,
        size_bytes=len(first.body),
        sha256=hashlib.sha256(first.body).hexdigest(),
        show=show,
        old_host=old_host(show),
        audio=audio,
        refusals=tuple(_refusals(show, database, is_mine=is_mine, own_id=known.show_id)),
        oddities=tuple(oddities),
        is_whole=not unread,
        etag=first.etag,
        last_modified=first.last_modified,
    )


def plan_imports(
    given: str,
    fetcher: "Fetcher",
    *,
    database: Database,
    now: datetime,
    is_mine: bool = False,
    base_url: str = "",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ImportPlan | FailedPlan]:
    """Plan what somebody named: a feed, or each feed of an OPML list; one that fails stops none.

    Raises as `plan_import` does when it is one feed, and Invalid for a list that is none.
    """
    source = open_source(given)
    feeds = listed_feeds(source, fetcher)

    def plan(one: Source) -> ImportPlan:
        with database.read() as session:
            earlier = known_read(session, one)
        # Without its validators: whoever looks wants to see the feed.
        return plan_import(
            one,
            fetcher,
            database=database,
            now=now,
            is_mine=is_mine,
            base_url=base_url,
            earlier=EarlierRead(show_id=earlier.show_id),
        )

    if feeds is None:
        return [plan(source)]
    plans: list[ImportPlan | FailedPlan] = []
    for number, feed in enumerate(feeds, 1):
        one = listed_source(feed)
        try:
            plans.append(plan(one))
        except PodhostError as error:
            plans.append(FailedPlan(one.name, feed.title, error.message))
        on_progress(number, len(feeds))
    return plans


def listed_source(feed: ListedFeed) -> Source:
    """A feed of a list as a source of its own."""
    return Source(without_secrets(feed.url), address=feed.url)


def address_source(address: str) -> Source:
    """An address as a source; nothing is looked for on this machine."""
    return Source(without_secrets(address), address=address)


def known_read(session: Session, source: Source) -> EarlierRead:
    """What an earlier import of the source left, whose show is still here."""
    known = find_import(session, source)
    show = session.get(Show, known.show_id) if known is not None and known.show_id else None
    if known is None or show is None or show.deleted_at is not None:
        return EarlierRead()
    return EarlierRead(show.id, known.etag, known.last_modified)


def read_whole_feed(
    address: str, fetcher: "Fetcher", *, wait: Wait = time.sleep
) -> tuple[ImportedShow, str, tuple["Hop", ...]]:
    """The show that a feed says with all of its pages, the feed's last address, and the redirects.

    Raises Invalid for what is no feed or lacks a page, Forbidden and Unavailable as `plan_import`.
    """
    first = fetched_page(address, fetcher, wait)
    feed = read_feed(first.body, first.content_type)
    show = read_show(feed, feed_url=first.url)
    unread: list[Oddity] = []
    for page in _later_pages(show, first, fetcher, wait, unread):
        show, is_new = _with_page(show, page, [])
        if not is_new:
            break
    if unread:
        raise Invalid(f"{unread[0].message} {unread[0].repair}")
    return show, first.url or address, first.hops


def outcomes(show: ImportedShow) -> Mapping[str, int]:
    """How many episodes come, come as drafts, or are second copies."""
    counts = dict.fromkeys((COMES, DRAFT, SECOND_COPY), 0)
    for episode in show.episodes:
        counts[episode.outcome] += 1
    return counts


def without_secrets(address: str) -> str:
    """The address as it may be shown: private feeds carry their secret before the host."""
    return re.sub(r"(?:\A|(?<=//))[^/?#]*@", "", address.strip())


# Fetching -----------------------------------------------------------------------------------------


def _read_first(
    source: Source, fetcher: "Fetcher", wait: Wait, headers: Mapping[str, str]
) -> FeedPage:
    if source.document is not None:
        return FeedPage(None, source.document)
    assert source.address is not None
    return first_page(source.address, fetcher, wait, headers)


def _own_feed(database: Database, show_id: str | None, base_url: str) -> str | None:
    """Where the feed of the show is here, if it came before."""
    with database.read() as session:
        show = session.get(Show, show_id) if show_id else None
        return base_url + feed_path(show) if show is not None else None


def _refuse_own(
    address: str | None,
    base_url: str,
    hops: Sequence["Hop"] = (),
    wanted: str | None = None,
) -> None:
    """Raises Invalid for our own feeds, and MovedHere where the old address leads to `wanted`, the
    one of the show that came from it."""
    if not (address and base_url and f"{address.strip()}/".startswith(f"{base_url}/")):
        return
    statuses = [hop.status for hop in hops]
    if not statuses or wanted is None:
        raise Invalid("This feed comes from this very podhost: its show is here already.")
    if address.partition("?")[0] != wanted:
        # Another show of ours, perhaps: its subscribers would be led to that.
        raise Invalid(
            f"The old address sends on to {shown(address, 200)}, but the feed of this show is "
            f"{wanted}. Have the old host mend that at once: apps are led to the wrong place."
        )
    # Podcast Index follows no other first step for good, and apps keep no other in mind.
    if len(statuses) == 1 and statuses[0] in (301, 308):
        raise MovedHere(
            f"{MOVED_HERE} ({statuses[0]}): the move is done. Leave it so for four weeks at least."
        )
    raise Invalid(
        f"The old address sends on to this podhost, but with {', then '.join(map(str, statuses))}: "
        "apps and directories follow a single 301 or 308 for good. Have the old host mend that."
    )


def _later_pages(
    show: ImportedShow, first: FeedPage, fetcher: "Fetcher", wait: Wait, oddities: list[Oddity]
) -> Iterator[ImportedShow]:
    """The pages behind the first one (RFC 5005), for as long as the addresses are new ones."""
    seen = {first.url}
    position = len(show.episodes) + 1
    address = show.next_url if first.url is not None else None
    if first.url is None and show.next_url:
        oddities.append(_note("The file is one page of several.", "Only this page is read."))
    while address and address not in seen and len(seen) < MAX_PAGES:
        seen.add(address)
        try:
            page = fetched_page(address, fetcher, wait)
            feed = read_feed(page.body, page.content_type)
            later = read_show(feed, feed_url=page.url, first_position=position)
        except PodhostError as error:
            oddities.append(_note("A page of the feed cannot be read.", error.message, True))
            return
        yield later
        position += len(later.episodes)
        if position > MAX_EPISODES:
            raise Invalid(f"This feed has more than {MAX_EPISODES} episodes.")
        address = later.next_url
    if address and len(seen) >= MAX_PAGES:
        oddities.append(_note("The feed has more pages.", f"The first {MAX_PAGES} are read."))


def _with_page(
    show: ImportedShow, page: ImportedShow, oddities: list[Oddity]
) -> tuple[ImportedShow, bool]:
    """The show with what is new on a later page: pages overlap while episodes are added."""
    known = {episode.guid for episode in show.episodes}
    fresh = tuple(episode for episode in page.episodes if episode.guid not in known)
    old = tuple(f"episode {e.position} " for e in page.episodes if e.guid in known)
    oddities += [o for o in page.oddities if not o.place.startswith(("show", "feed", *old))]
    return replace(show, episodes=show.episodes + fresh), bool(fresh)


# Judging ------------------------------------------------------------------------------------------


def _refusals(
    show: ImportedShow, database: Database, *, is_mine: bool, own_id: str | None
) -> Iterator[str]:
    if show.is_locked and not is_mine:
        yield (
            "The feed is locked (podcast:locked): its owner does not want it imported. Unlock it "
            "at the old host; or, if the show is yours, say so with --mine."
        )
    if show.podcast_guid:
        wanted = select(Show.slug).where(
            Show.podcast_guid == str(uuid.UUID(show.podcast_guid)),
            Show.deleted_at.is_(None),
            Show.id != (own_id or ""),
        )
        with database.read() as session:
            found = session.scalar(wanted)
        if found is not None:
            yield f"The show is here already, as {found!r}: it has the same podcast:guid."


def _about_the_whole(
    show: ImportedShow, first: FeedPage, now: datetime, *, is_private: bool
) -> Iterator[Oddity]:
    if not show.episodes:
        yield _note("The feed has no episodes.", "An empty show would come.", True)
    for episode in show.episodes:
        if episode.published_at is not None and episode.published_at > now + timedelta(minutes=5):
            place = f"episode {episode.position} “{shown(episode.title, 60)}”"
            detail = episode.published_at.isoformat()
            yield Oddity(place, "The date lies in the future.", "It is scheduled for it.", detail)
    moved_to = show.new_feed_url
    if moved_to and moved_to not in (first.url, show.self_url):
        repair = "Give that address instead, if it is the newer feed."
        yield _note("The feed says that it has moved.", repair, True, moved_to)
    numbers = [episode.number for episode in show.episodes if episode.number]
    if show.episodes and max(numbers, default=0) > len(show.episodes) + _CUT_FEED_GAP:
        seasons = {episode.season for episode in show.episodes}
        if len(seasons) == 1:
            yield _note(
                "The feed seems to be cut: its highest number is above its number of episodes.",
                "Ask the old host to show all episodes in the feed, or for an export.",
                True,
                f"{max(numbers)} and {len(show.episodes)}",
            )
    if is_private:
        yield _note("The feed's address has a password.", "It is a private feed; keep it so.", True)


def _changing_guids(show: ImportedShow, first: FeedPage, fetcher: "Fetcher") -> Iterator[Oddity]:
    """Read the feed once more: guids with a session or a time in them change at every look."""
    if first.url is None or not show.episodes or len(first.body) > _READ_TWICE_BYTES:
        return
    try:
        answer = fetcher.get(first.url, max_bytes=MAX_FEED_BYTES, accept=ACCEPT)
        if answer.status != 200 or answer.body == first.body:
            return
        feed = read_feed(answer.body, answer.headers.get("content-type", ""))
        again = {episode.guid for episode in read_show(feed, feed_url=answer.url).episodes}
    except PodhostError:
        # It was there a moment ago; what was read then stands.
        return
    if not any(episode.guid in again for episode in show.episodes):
        yield _note(
            "The guids are others each time that the feed is read.",
            "Ask the old host to mend that before you move: apps take every episode for new.",
            True,
        )


def _note(message: str, repair: str, is_question: bool = False, detail: str = "") -> Oddity:
    return Oddity("feed", message, repair, shown(detail, 120), is_question)
