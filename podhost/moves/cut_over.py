"""The list of what the owner of a show does to move out, in order, with what is done already.

It reads rows and what was found at the new host; it asks nobody and changes nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from podhost.answers import HubAnswer
from podhost.feeds.hubs import PODCAST_INDEX
from podhost.models import Show
from podhost.moves import MoveReport, report_of
from podhost.shows import feed_path, new_feed_url

# Figures found are two to five weeks; apps that are opened rarely come later.
_SHORTEST_REDIRECT = timedelta(weeks=4)


class CutOverStep(msgspec.Struct, kw_only=True):
    """One step. `done` None: podhost cannot know. `note` says what is known, or how it is done."""

    step: str
    done: bool | None
    text: str
    note: str = ""


class CutOver(msgspec.Struct, kw_only=True):
    """How far a show's move is. `checked_at` None: the new feed was not read yet, or is being read.

    Of `episodes` here, `found` are in the new feed under the same guid, and the audio of `audio`
    lies there. `problems` are why apps are not sent there.
    """

    show: str
    feed_url: str
    podcast_guid: str
    moved_to: str | None
    moved_audio: bool
    redirect_to: str | None
    on_since: datetime | None
    checked_at: datetime | None
    episodes: int
    found: int
    audio: int
    problems: list[str]
    steps: list[CutOverStep]


def cut_over(
    show: Show,
    base_url: str,
    hubs: Sequence[HubAnswer],
    *,
    now: datetime,
    report: MoveReport | None = None,
    seen: str = "",
) -> CutOver:
    """The list for this show. `report` is one that was made just now, else the one that is kept;
    `seen` says what the show's address was seen to answer."""
    found = report or report_of(show)
    feed_url = base_url + feed_path(show)
    return CutOver(
        show=show.slug,
        feed_url=feed_url,
        podcast_guid=show.podcast_guid,
        moved_to=show.moved_to,
        moved_audio=show.moved_audio,
        redirect_to=show.redirect_to,
        on_since=found.on_since,
        checked_at=found.checked_at,
        episodes=found.episodes,
        found=found.found,
        audio=found.audio,
        problems=[*found.loops, *found.problems],
        steps=[
            *_before(show, feed_url),
            *_at_the_new_host(show, found),
            *_redirects(show, found, seen),
            *_directories(show, found.address, feed_url, hubs),
            *_afterwards(show, found, now),
        ],
    )


def _before(show: Show, feed_url: str) -> Iterator[CutOverStep]:
    yield CutOverStep(
        step="export",
        done=None,
        text="Keep a copy of everything, as plain files.",
        note=f"podhost export {show.slug} DIR",
    )
    yield CutOverStep(
        step="unlock",
        done=not show.is_locked,
        text="Unlock the feed, so that the new host may import it (podcast:locked).",
        note="" if not show.is_locked else "locked = false in show.toml, or by the API.",
    )
    yield CutOverStep(
        step="import",
        done=None,
        text=f"Import the show at the new host from {feed_url}",
        note="Do not submit the new address to directories as a new show.",
    )


def _at_the_new_host(show: Show, found: MoveReport) -> Iterator[CutOverStep]:
    is_read, target = found.is_read, found.address
    how = f"podhost move-out {show.slug} --to ADDRESS --dry-run reads it."
    yield CutOverStep(
        step="new-feed",
        done=is_read,
        text=f"The new feed answers{f': {target}' if target else '.'}",
        note="" if is_read else how,
    )
    yield CutOverStep(
        step="podcast-guid",
        done=None if found.podcast_guid == "none" else found.podcast_guid == "same",
        text=f"It has this show's podcast:guid, {show.podcast_guid}",
        note="It has none; apps then go by the address." if found.podcast_guid == "none" else "",
    )
    yield CutOverStep(
        step="guids",
        done=is_read and found.found == found.episodes,
        text="It has every episode under the guid that apps know it by.",
        note=f"{found.found} of {found.episodes}" if is_read else "",
    )
    yield CutOverStep(
        step="audio",
        done=is_read and found.audio == found.episodes,
        text="The audio of every episode lies at the new host.",
        note=f"{found.audio} of {found.episodes}" if is_read else "",
    )
    says = found.new_feed_url
    yield CutOverStep(
        step="new-feed-url",
        done=is_read and says is not None and says in (target, found.self_url),
        text="It names itself in itunes:new-feed-url, which Apple asks for.",
        note=f"It says {says}" if says else "",
    )


def _redirects(show: Show, found: MoveReport, seen: str) -> Iterator[CutOverStep]:
    is_on = show.redirect_to is not None
    how = f"podhost move-out {show.slug} --to {show.moved_to or found.address or 'ADDRESS'}"
    since = f" since {found.on_since:%Y-%m-%d}" if found.on_since is not None else ""
    yield CutOverStep(
        step="redirect",
        done=is_on,
        text="The old address answers 301 to the new one.",
        note=f"It leads to {show.redirect_to}{since}. {seen}".strip() if is_on else how,
    )
    target = new_feed_url(show)
    yield CutOverStep(
        step="tag",
        done=target is not None and target in (show.redirect_to, found.address),
        text="The feed here names the new address too (itunes:new-feed-url).",
        note="" if is_on else "The redirect brings it along.",
    )


def _directories(
    show: Show, target: str, feed_url: str, hubs: Sequence[HubAnswer]
) -> Iterator[CutOverStep]:
    new = show.redirect_to or target
    for step, text, note in (
        (
            "apple",
            "Apple Podcasts follows the 301 and itunes:new-feed-url.",
            f"If it has not after some days: Apple Podcasts Connect, the show, feed URL: {new}"
            if new
            else "If it has not after some days: Apple Podcasts Connect, the show, feed URL.",
        ),
        (
            "spotify",
            "Spotify follows the 301.",
            f"If it has not after some days: Spotify for Creators, the show's settings: {new}"
            if new
            else "If it has not after some days: Spotify for Creators, the show's settings.",
        ),
    ):
        yield CutOverStep(step=step, done=None, text=text, note=note)
    told = next((hub for hub in hubs if hub.kind == PODCAST_INDEX), None)
    sent_at = told.last_sent_at if told is not None else None
    yield CutOverStep(
        step="podcast-index",
        done=None,
        text="Podcast Index follows the 301, also for the apps that ask it.",
        note=(
            f"It was told last on {sent_at:%Y-%m-%d %H:%M} UTC."
            if sent_at is not None
            else f"It looks by itself; podcastindex.org/add hastens it: {feed_url}"
        ),
    )
    for step, name, note in (
        (
            "youtube",
            "YouTube Music",
            f"YouTube Studio, the podcast, RSS settings: {new}"
            if new
            else "YouTube Studio, the podcast, RSS settings.",
        ),
        (
            "amazon",
            "Amazon Music",
            f"Amazon Music for Podcasters, the show: {new}"
            if new
            else "Amazon Music for Podcasters, the show.",
        ),
    ):
        yield CutOverStep(
            step=step,
            done=None,
            text=f"{name}: look whether the address has changed, and change it.",
            note=note,
        )


def _afterwards(show: Show, found: MoveReport, now: datetime) -> Iterator[CutOverStep]:
    since = found.on_since if show.redirect_to is not None else None
    yield CutOverStep(
        step="keep-redirect",
        done=since is not None and now - since >= _SHORTEST_REDIRECT,
        text="Keep the redirect for four weeks at least; best for ever.",
        note=f"It is on for {(now - since).days} days." if since is not None else "",
    )
    yield CutOverStep(
        step="keep-audio",
        done=True if show.moved_audio and show.redirect_to is not None else None,
        text="Keep the audio's old addresses working: apps have them in their lists.",
        note=(
            f"{found.audio} of {found.episodes} lead to the new host; the others are served here."
            if show.moved_audio and show.redirect_to is not None
            else "They are served here. With --enclosures they lead to the new host."
        ),
    )
