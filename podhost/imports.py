"""What moving a show in from another host would bring; it asks the old host, and writes nothing.

Audio is only asked about, never downloaded, and from its innermost address: an import must not
count as downloads at services that measure.
"""

import hashlib
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit, urlunsplit

from sqlalchemy import select

from podhost.db import Database
from podhost.errors import Invalid, PodhostError, Unavailable
from podhost.formats.feed_xml import Level, read_feed
from podhost.formats.imported import COMES, DRAFT, SECOND_COPY, ImportedShow, Oddity
from podhost.formats.opml import ListedFeed, is_opml, read_opml
from podhost.formats.rss_import import MAX_EPISODES, read_show
from podhost.formats.text import shown
from podhost.import_sources import AudioLook, look_at_audio, old_host
from podhost.models import Show

if TYPE_CHECKING:
    from podhost.fetching import Fetched, Fetcher, Hop

MAX_FEED_BYTES = 50_000_000
MAX_PAGES = 200
_ACCEPT = "application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
_TRIES = 4
# What a server may ask us to wait while somebody looks at the screen.
_LONGEST_WAIT_SECONDS = 20.0
_ODD_SCHEMES = re.compile(r"(?:feed|itpc|pcast|podcast):(?://)?(?=\S)", re.IGNORECASE)
# No host is called so; who names a file that is not there wants to know that.
_FILE_ENDING = re.compile(r"\.(?:xml|rss|opml|txt|atom)\Z", re.IGNORECASE)
_LINK = re.compile(r"<link\b([^<>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-z]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_LOOKED_THROUGH_BYTES = 500_000
_WEB_PAGE = re.compile(rb"\s*(?:<!doctype\s+html|<html|<!--.{0,500}?-->\s*<html)", re.I | re.DOTALL)
# Feeds this large are not read twice only to see whether guids change.
_READ_TWICE_BYTES = 5_000_000
_CUT_FEED_GAP = 1

Wait = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a show comes from: an address, or a document with the name of its file."""

    name: str
    address: str | None = None
    document: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """All that an import would do with one feed, and all that it asks.

    `feed_url` is where the feed was found, None for a file; `hops` are the redirects on the way.
    `refusals` are sentences on why the import may not start. `level` is how far the XML can be
    trusted; `sha256` is that of the first page, for whoever compares a later run.
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


@dataclass(frozen=True, slots=True)
class FailedPlan:
    """A feed of a list that could not be read, and the sentence that says why."""

    source: str
    title: str
    error: str


@dataclass(frozen=True, slots=True)
class _Page:
    """One document of a feed, as it came."""

    url: str | None
    body: bytes
    content_type: str = ""
    hops: tuple["Hop", ...] = ()


def open_source(given: str) -> Source:
    """Read what somebody gave: a file that is there, else an address.

    Raises Invalid for a file that is too large or cannot be read.
    """
    path = Path(given)
    try:
        if not path.is_file():
            return Source(_without_secrets(given), address=given)
        if path.stat().st_size > MAX_FEED_BYTES:
            raise Invalid(f"The file {path.name} is larger than 50 MB.")
        return Source(path.name, document=path.read_bytes())
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) or not path.suffix:
            return Source(_without_secrets(given), address=given)
        raise Invalid(f"The file {shown(given)} cannot be read: {error}.") from error


def listed_feeds(source: Source) -> list[ListedFeed] | None:
    """The feeds of an OPML list; None when the source is something else. Raises Invalid."""
    if source.document is not None and is_opml(source.document):
        return read_opml(source.document)
    return None


def plan_import(
    source: Source,
    fetcher: "Fetcher",
    *,
    database: Database,
    now: datetime,
    is_mine: bool = False,
    wait: Wait = time.sleep,
) -> ImportPlan:
    """Find out what importing one feed would bring. Nothing is written.

    `is_mine` is the operator's word that the show is theirs, in spite of its podcast:locked.
    Raises Invalid when there is no feed that can be read, Forbidden for places that podhost may
    not ask, Unavailable when the old host does not answer.
    """
    first = _first_page(source, fetcher, wait)
    feed = read_feed(first.body, first.content_type)
    show = read_show(feed, feed_url=first.url)
    oddities = list(show.oddities)
    pages = 1
    for page in _later_pages(show, first, fetcher, wait, oddities):
        pages += 1
        show, is_new = _with_page(show, page, oddities)
        if not is_new:
            break
    is_private = source.address is not None and source.name != source.address.strip()
    oddities += _about_the_whole(show, first, now, is_private=is_private)
    oddities += _changing_guids(show, first, fetcher)
    audio = look_at_audio(show.episodes, fetcher)
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
        refusals=tuple(_refusals(show, database, is_mine=is_mine)),
        oddities=tuple(oddities),
    )


def plan_imports(
    given: str,
    fetcher: "Fetcher",
    *,
    database: Database,
    now: datetime,
    is_mine: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ImportPlan | FailedPlan]:
    """Plan what somebody named: a feed, or each feed of an OPML list; one that fails stops none.

    Raises as `plan_import` does when it is one feed, and Invalid for a list that is none.
    """
    source = open_source(given)
    feeds = listed_feeds(source)
    if feeds is None:
        return [plan_import(source, fetcher, database=database, now=now, is_mine=is_mine)]
    plans: list[ImportPlan | FailedPlan] = []
    for number, feed in enumerate(feeds, 1):
        name = _without_secrets(feed.url)
        try:
            one = Source(name, address=feed.url)
            plans.append(plan_import(one, fetcher, database=database, now=now, is_mine=is_mine))
        except PodhostError as error:
            plans.append(FailedPlan(name, feed.title, error.message))
        on_progress(number, len(feeds))
    return plans


def outcomes(show: ImportedShow) -> Mapping[str, int]:
    """How many episodes come, come as drafts, or are second copies."""
    counts = dict.fromkeys((COMES, DRAFT, SECOND_COPY), 0)
    for episode in show.episodes:
        counts[episode.outcome] += 1
    return counts


def _without_secrets(address: str) -> str:
    """The address as it may be shown: private feeds carry their secret before the host."""
    return re.sub(r"(?:\A|(?<=//))[^/?#]*@", "", address.strip())


# Fetching -----------------------------------------------------------------------------------------


def _first_page(source: Source, fetcher: "Fetcher", wait: Wait) -> _Page:
    if source.document is not None:
        return _Page(None, source.document)
    assert source.address is not None
    candidates = _candidates(source.address)
    for number, address in enumerate(candidates, 1):
        try:
            page = _fetched_page(address, fetcher, wait)
        except Unavailable:
            if number == len(candidates):
                raise
            continue
        if _WEB_PAGE.match(page.body):
            return _fetched_page(_feed_of_web_page(page), fetcher, wait)
        return page
    raise AssertionError


def _candidates(address: str) -> list[str]:
    """The addresses that may be meant, the likeliest first."""
    address = address.strip()
    if match := _ODD_SCHEMES.match(address):
        rest = address[match.end() :]
        address = rest if re.match("https?://", rest, re.IGNORECASE) else f"https://{rest}"
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
    except ValueError:
        raise Invalid(f"{shown(address)} is no address and no file.") from None
    has_host = "." in parts.netloc.strip(".") or ":" in parts.netloc
    if not has_host or ("://" not in address and _FILE_ENDING.search(parts.netloc)):
        raise Invalid(f"There is no file {shown(address)}, and it is no address either.")
    whole = urlunsplit(parts._replace(fragment=""))
    if "://" in address:
        return [whole]
    return [whole, urlunsplit(parts._replace(fragment="", scheme="http"))]


def _fetched_page(address: str, fetcher: "Fetcher", wait: Wait) -> _Page:
    answer = _answered(address, fetcher, wait)
    host = urlsplit(answer.url).hostname or "The old host"
    if answer.status in (401, 403):
        raise Invalid(
            f"{host} does not give the feed out ({answer.status}). Save it in your browser and "
            "give podhost the file."
        )
    if answer.status in (404, 410):
        raise Invalid(f"{host} has no feed at this address ({answer.status}).")
    if answer.status != 200:
        raise Unavailable(f"{host} answered {answer.status} instead of a feed. Try it again later.")
    return _Page(answer.url, answer.body, answer.headers.get("content-type", ""), answer.hops)


def _answered(address: str, fetcher: "Fetcher", wait: Wait) -> "Fetched":
    """The answer, after some more tries where the server is too busy for one (RFC 9110 15.6)."""
    for number in range(1, _TRIES + 1):
        answer = fetcher.get(address, max_bytes=MAX_FEED_BYTES, accept=_ACCEPT)
        if answer.status != 429 and answer.status < 500:
            break
        if number < _TRIES:
            asked = answer.headers.get("retry-after", "")
            seconds = float(asked) if re.fullmatch("[0-9]{1,6}", asked) else 2.0**number
            if seconds > _LONGEST_WAIT_SECONDS:
                break
            wait(seconds)
    return answer


def _feed_of_web_page(page: _Page) -> str:
    """The address of the RSS feed that a web page names. Raises Invalid when it names none."""
    text = page.body[:_LOOKED_THROUGH_BYTES].decode("utf-8", "replace")
    for match in _LINK.finditer(text):
        values = {
            name.lower(): unescape(double or single or bare).strip()
            for name, double, single, bare in _ATTRIBUTE.findall(match[1])
        }
        is_feed = "alternate" in values.get("rel", "").lower().split()
        if is_feed and values.get("type", "").lower() == "application/rss+xml":
            return urljoin(page.url or "", values.get("href", ""))
    raise Invalid(
        "This is a web page, and it names no RSS feed. Give the address of the feed itself, which "
        "the old host shows in its settings."
    )


def _later_pages(
    show: ImportedShow, first: _Page, fetcher: "Fetcher", wait: Wait, oddities: list[Oddity]
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
            page = _fetched_page(address, fetcher, wait)
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


def _refusals(show: ImportedShow, database: Database, *, is_mine: bool) -> Iterator[str]:
    if show.is_locked and not is_mine:
        yield (
            "The feed is locked (podcast:locked): its owner does not want it imported. Unlock it "
            "at the old host; or, if the show is yours, say so with --mine."
        )
    if show.podcast_guid:
        wanted = select(Show.slug).where(Show.podcast_guid == str(uuid.UUID(show.podcast_guid)))
        with database.read() as session:
            found = session.scalar(wanted)
        if found is not None:
            yield f"The show is here already, as {found!r}: it has the same podcast:guid."


def _about_the_whole(
    show: ImportedShow, first: _Page, now: datetime, *, is_private: bool
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


def _changing_guids(show: ImportedShow, first: _Page, fetcher: "Fetcher") -> Iterator[Oddity]:
    """Read the feed once more: guids with a session or a time in them change at every look."""
    if first.url is None or not show.episodes or len(first.body) > _READ_TWICE_BYTES:
        return
    try:
        answer = fetcher.get(first.url, max_bytes=MAX_FEED_BYTES, accept=_ACCEPT)
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
