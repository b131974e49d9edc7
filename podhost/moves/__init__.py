"""Moving out: reads a show's new feed, and has the old addresses lead there once all is well.

Listeners are answered from the rows that it writes; it answers nobody. The feed there is read when
somebody asks, never because a listener does.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.changes import record_change
from podhost.errors import Conflict, PodhostError
from podhost.fields import web_url
from podhost.formats.text import shown
from podhost.instance import Instance
from podhost.models import Episode, Show, ShowSlug
from podhost.shows import ask_move, lock_show, path_here, touch_show

if TYPE_CHECKING:
    from podhost.fetching import Fetcher, Hop
    from podhost.formats.imported import ImportedEnclosure, ImportedShow

Wait = Callable[[float], None]

# Redirects that say that the address is another one for good (RFC 9110 15.4).
_FOR_GOOD = (301, 308)
_NAMED = 5
# Of the newest episodes; their audio is asked about before listeners are sent there.
_ASKED_AUDIO = 3
_ASK_SECONDS = 20.0
# Who does not know HEAD may well know GET.
_NO_HEAD = (405, 501)
# So many episodes change in one transaction: others want to write too.
_AT_ONCE = 100


class MoveReport(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was found when the new feed was read last, and since when the redirect is on.

    Of `episodes` in our feed, `found` are in the new one under the same guid, and of `audio` the
    addresses there are known. `podcast_guid` is same, other or none; `self_url` is what the new
    feed calls its own address, `new_feed_url` where it says that it went. `problems` are sentences
    on why apps must not be sent there, `loops` those that nobody can wave aside.
    """

    checked_at: datetime | None = None
    address: str = ""
    is_read: bool = False
    anyway: bool = False
    episodes: int = 0
    found: int = 0
    audio: int = 0
    podcast_guid: str = ""
    self_url: str | None = None
    new_feed_url: str | None = None
    loops: list[str] = []
    problems: list[str] = []
    on_since: datetime | None = None

    @property
    def allows(self) -> bool:
        """Whether the redirect may be switched on."""
        return not self.loops and (self.anyway or (self.is_read and not self.problems))


class _OwnEpisode(NamedTuple):
    """What our feed says of an episode."""

    id: str
    guid: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """A show as it is here; the newest of its published episodes come first."""

    show_id: str
    podcast_guid: str
    base_url: str
    slugs: frozenset[str]
    episodes: Sequence[_OwnEpisode]
    ids: frozenset[str]

    def is_feed(self, url: str) -> bool:
        """Whether the address is one of this show's own."""
        path = path_here(url, self.base_url)
        return path is not None and path.split("/")[1] in self.slugs

    def is_audio(self, url: str) -> bool:
        """Whether the address leads to audio of this show, here."""
        path = path_here(url, self.base_url)
        return path is not None and path.startswith("/audio/") and path.split("/")[2] in self.ids


class Look(NamedTuple):
    """What was found at the new address: the report, and the audio there by our episodes' ids."""

    report: MoveReport
    audio: Mapping[str, str]


def report_of(show: Show) -> MoveReport:
    """What is known of the show's new feed."""
    return msgspec.convert(show.move_report or {}, MoveReport)


def read_again(session: Session, show: Show, *, anyway: bool = False, now: datetime) -> None:
    """Have the new feed read once more; with `anyway`, what it lacks keeps nobody here.

    Raises Conflict for a show that does not move.
    """
    if show.moved_to is None:
        raise Conflict("The show has no moved_to, so there is no new feed to read.")
    _keep(show, msgspec.structs.replace(report_of(show), anyway=anyway, checked_at=None))
    ask_move(session, show, now=now)
    record_change(session, "show", show.id, now=now)


def move_show(
    instance: Instance, show_id: str, *, fetcher: "Fetcher", wait: Wait = time.sleep
) -> None:
    """Read the new feed and, if all is well there, send apps to it; the job for a show's move.

    Without `moved_to`, the audio's addresses are the show's own again. Raises Unavailable when the
    database is away.
    """
    with instance.database.read() as session:
        show = session.get(Show, show_id)
        if show is None or show.deleted_at is not None:
            return
        address, with_audio, known = show.moved_to, show.moved_audio, report_of(show)
        own = _own_show(session, show, instance.base_url)
    if address is None or not with_audio:
        _lead_audio(instance, own, {})
    if address is None:
        return
    look = _look(address, own, fetcher, with_audio=with_audio, wait=wait)
    allows = _decide(instance, show_id, address, look.report, known)
    if allows and with_audio and look.report.is_read:
        _lead_audio(instance, own, look.audio)


def look_at_new_feed(
    instance: Instance, show: Show, address: str, fetcher: "Fetcher", *, with_audio: bool
) -> MoveReport:
    """What the feed at `address` has of this show; nothing is changed, and nobody is sent there."""
    with instance.database.read() as session:
        own = _own_show(session, show, instance.base_url)
    report = _look(address, own, fetcher, with_audio=with_audio, wait=time.sleep).report
    return msgspec.structs.replace(
        report, checked_at=instance.now(), on_since=report_of(show).on_since
    )


def _decide(
    instance: Instance, show_id: str, address: str, found: MoveReport, known: MoveReport
) -> bool:
    """Keep what was found, and switch the redirect on if that allows it; whether it does."""
    now = instance.now()
    with instance.database.write() as session:
        lock_show(session, show_id)
        show = session.get_one(Show, show_id)
        if show.moved_to != address or show.deleted_at is not None:
            # It was changed while we read; that has asked for a job of its own.
            return False
        anyway = known.anyway or report_of(show).anyway
        found.anyway, found.checked_at = anyway, now
        is_on = show.redirect_to == address
        if found.allows and not is_on:
            show.redirect_to, found.on_since = address, now
            touch_show(session, show, now=now)
        elif is_on:
            found.on_since = known.on_since or now
        _keep(show, found)
        record_change(session, "show", show.id, now=now)
    return found.allows


def _keep(show: Show, report: MoveReport) -> None:
    show.move_report = msgspec.to_builtins(report)


def _lead_audio(instance: Instance, own: _Own, wanted: Mapping[str, str]) -> None:
    """Have each episode's audio lead to its address of `wanted`, and all others be here."""
    with instance.database.read() as session:
        leading = select(Episode.id, Episode.moved_audio_url).where(
            Episode.show_id == own.show_id, Episode.moved_audio_url.is_not(None)
        )
        known = {episode_id: url for episode_id, url in session.execute(leading)}
    ids = [key for key in sorted(known.keys() | wanted.keys()) if known.get(key) != wanted.get(key)]
    for start in range(0, len(ids), _AT_ONCE):
        with instance.database.write() as session:
            lock_show(session, own.show_id)
            part = ids[start : start + _AT_ONCE]
            for episode in session.scalars(select(Episode).where(Episode.id.in_(part))):
                episode.moved_audio_url = wanted.get(episode.id)
            for episode_id in part:
                record_change(session, "episode", episode_id, now=instance.now())


def _own_show(session: Session, show: Show, base_url: str) -> _Own:
    rows = session.execute(
        select(Episode.id, Episode.guid, Episode.title)
        .where(
            Episode.show_id == show.id,
            Episode.status == "published",
            Episode.deleted_at.is_(None),
        )
        .order_by(Episode.published_at.desc(), Episode.id)
    )
    episodes = [_OwnEpisode(*row) for row in rows]
    former = session.scalars(select(ShowSlug.slug).where(ShowSlug.show_id == show.id))
    return _Own(
        show_id=show.id,
        podcast_guid=show.podcast_guid,
        base_url=base_url,
        slugs=frozenset((show.slug, *former)),
        episodes=episodes,
        ids=frozenset(episode.id for episode in episodes),
    )


# Looking at the new feed


def _look(address: str, own: _Own, fetcher: "Fetcher", *, with_audio: bool, wait: Wait) -> Look:
    # Loaded here, because serving needs nothing of it.
    from podhost.importing.plans import read_whole_feed

    report = MoveReport(address=address, episodes=len(own.episodes))
    if own.is_feed(address):
        report.loops.append(
            "This is the show's own address here; give the one of the feed at the new host."
        )
        return Look(report, {})
    try:
        theirs, last_url, hops = read_whole_feed(address, fetcher, wait=wait)
    except PodhostError as error:
        report.problems.append(f"The new feed cannot be read: {error.message}")
        return Look(report, {})
    report.is_read = True
    report.self_url, report.new_feed_url = theirs.self_url, theirs.new_feed_url
    report.loops += _loops(own, last_url, hops)
    report.problems += _wrong_way(address, theirs, own, hops)
    report.problems += _compare(report, own, theirs)
    audio = _their_audio(own, theirs)
    report.audio = len(audio)
    if with_audio and not report.loops:
        report.problems += _silent_audio(own, audio, fetcher)
    return Look(report, audio)


def _loops(own: _Own, last_url: str, hops: Sequence["Hop"]) -> Iterator[str]:
    if any(own.is_feed(url) for url in (last_url, *(hop.url for hop in hops))):
        yield "The new address leads back to this show's feed here: apps would go in a circle."


def _wrong_way(
    address: str, theirs: "ImportedShow", own: _Own, hops: Sequence["Hop"]
) -> Iterator[str]:
    if hops and hops[0].status in _FOR_GOOD:
        yield (
            f"The new address has moved itself ({hops[0].status}). Give the address that it leads "
            "to: directories follow a short way only."
        )
    if theirs.new_feed_url and own.is_feed(theirs.new_feed_url):
        yield (
            "The new feed says that it has moved back here (itunes:new-feed-url). Take that out "
            f"at the new host, or have it say {address}."
        )


def _compare(report: MoveReport, own: _Own, theirs: "ImportedShow") -> Iterator[str]:
    """Note in the report what is there, and say what is not. guids count letter by letter."""
    their_guid = (theirs.podcast_guid or "").lower()
    is_same = their_guid == own.podcast_guid.lower()
    report.podcast_guid = "same" if is_same else "other" if their_guid else "none"
    if report.podcast_guid == "other":
        yield (
            f"The new feed has another podcast:guid ({shown(their_guid)}) than this show "
            f"({own.podcast_guid}): is it the same show?"
        )
    guids = {episode.guid for episode in theirs.episodes}
    missing = [episode for episode in own.episodes if episode.guid not in guids]
    report.found = len(own.episodes) - len(missing)
    if missing:
        named = ", ".join(f"“{shown(e.title, 60)}” ({shown(e.guid, 80)})" for e in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        yield (
            f"{len(missing)} of {len(own.episodes)} episodes are not in the new feed under the "
            f"guid that apps know them by: {named}{more}."
        )


def _their_audio(own: _Own, theirs: "ImportedShow") -> dict[str, str]:
    """The enclosures there by our episodes' ids; not those that are still ours."""
    enclosures: dict[str, ImportedEnclosure] = {}
    for episode in theirs.episodes:
        if episode.enclosure is not None:
            enclosures.setdefault(episode.guid, episode.enclosure)
    found = {}
    for mine in own.episodes:
        enclosure = enclosures.get(mine.guid)
        # Behind a measuring service too, our own address would lead back to itself.
        if enclosure is None or own.is_audio(enclosure.url) or own.is_audio(enclosure.media_url):
            continue
        url = _address(enclosure.url)
        if url is not None:
            found[mine.id] = url
    return found


def _address(url: str) -> str | None:
    try:
        return web_url(url)
    except ValueError:
        return None


def _silent_audio(own: _Own, audio: Mapping[str, str], fetcher: "Fetcher") -> Iterator[str]:
    asked = [episode for episode in own.episodes if episode.id in audio][:_ASKED_AUDIO]
    for episode in asked:
        try:
            answer = fetcher.get(
                audio[episode.id], max_bytes=0, method="HEAD", seconds=_ASK_SECONDS
            )
        except PodhostError as error:
            said = error.message
        else:
            if any(own.is_audio(hop.url) for hop in answer.hops) or own.is_audio(answer.url):
                said = "It leads back here."
            elif answer.status >= 400 and answer.status not in _NO_HEAD:
                said = f"{urlsplit(answer.url).hostname} answers {answer.status}."
            else:
                continue
        yield f"The audio of “{shown(episode.title, 60)}” at the new host cannot be read: {said}"
