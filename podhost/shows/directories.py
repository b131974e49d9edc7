"""Where a show can be submitted, and what its host has noted of each place; it asks nobody.

Addresses, needs and times as they are known in 2026-11; directories change them without
notice, and not every one could be checked at its source.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost import fields
from podhost.errors import NotFound
from podhost.formats.text import clean_text
from podhost.models import Show
from podhost.models.directories import DirectoryListing
from podhost.shows import feed_path

LONGEST_NOTE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """One directory. `needs` are of: account, owner_email (it writes to the feed's owner),
    artwork, episode, category, none. `url` is where a show is submitted or claimed; with
    `comes_from`, nothing need be done once the show is in that other one. `feeds` are apps that
    find shows through it.
    """

    id: str
    name: str
    url: str
    needs: tuple[str, ...] = ()
    takes: str = ""
    note: str = ""
    feeds: tuple[str, ...] = ()
    comes_from: str | None = None


_ALL = ("account", "artwork", "category", "episode")
_HOURS, _DAYS, _WEEK = "A few hours", "One to five days", "A week or more"
DIRECTORIES: tuple[Directory, ...] = (
    Directory(
        id="apple",
        name="Apple Podcasts",
        url="https://podcastsconnect.apple.com/",
        needs=(*_ALL, "owner_email"),
        takes=_DAYS,
        note="The most important one: many other apps search Apple's directory.",
        feeds=("Overcast", "Castro", "Downcast", "iCatcher", "Goodpods"),
    ),
    Directory(
        id="spotify",
        name="Spotify",
        url="https://creators.spotify.com/",
        needs=("account", "owner_email", "artwork", "episode"),
        takes=_HOURS,
        note="Choose “I have a podcast” and give the feed's address.",
    ),
    Directory(
        id="youtube",
        name="YouTube Music",
        url="https://studio.youtube.com/",
        needs=("account", "owner_email", "artwork", "episode"),
        takes=_DAYS,
        note="In YouTube Studio: Create, New podcast, Submit RSS feed. Not in every country.",
    ),
    Directory(
        id="amazon",
        name="Amazon Music and Audible",
        url="https://podcasters.amazon.com/",
        needs=("account", "owner_email", "artwork", "episode"),
        takes=_DAYS,
        feeds=("Alexa",),
    ),
    Directory(
        id="podcast_index",
        name="Podcast Index",
        url="https://podcastindex.org/add",
        takes="Minutes",
        note="An open directory; no account is needed.",
        feeds=("AntennaPod", "Fountain", "Podverse", "Podcast Guru", "TrueFans", "Castamatic"),
    ),
    Directory(
        id="pocket_casts",
        name="Pocket Casts",
        url="https://pocketcasts.com/submit/",
        needs=("artwork", "episode"),
        takes=_HOURS,
    ),
    Directory(
        id="overcast",
        name="Overcast",
        url="https://overcast.fm/podcasterinfo",
        takes=_DAYS,
        comes_from="apple",
    ),
    Directory(
        id="iheart",
        name="iHeartRadio",
        url="https://podcasters.iheart.com/",
        needs=_ALL,
        takes=_WEEK,
    ),
    Directory(
        id="tunein",
        name="TuneIn",
        url="https://tunein.com/podcasters/",
        needs=("artwork", "episode"),
        takes=_WEEK,
        note="By a form. Smart speakers find shows there.",
    ),
    Directory(
        id="deezer",
        name="Deezer",
        url="https://podcasters.deezer.com/",
        needs=("account", "owner_email", "artwork", "episode"),
        takes=_DAYS,
    ),
    Directory(
        id="podchaser",
        name="Podchaser",
        url="https://www.podchaser.com/",
        needs=("account", "owner_email"),
        takes=_DAYS,
        note="Shows come by themselves; claim yours to credit your guests.",
        comes_from="apple",
    ),
    Directory(
        id="castbox",
        name="Castbox",
        url="https://castbox.fm/creator/",
        needs=("account", "owner_email"),
        takes=_DAYS,
    ),
    Directory(
        id="player_fm",
        name="Player FM",
        url="https://player.fm/importer/feed",
        takes=_HOURS,
    ),
    Directory(
        id="podcast_addict",
        name="Podcast Addict",
        url="https://podcastaddict.com/submit",
        takes=_HOURS,
    ),
    Directory(
        id="goodpods",
        name="Goodpods",
        url="https://goodpods.com/",
        needs=("account", "owner_email"),
        takes=_DAYS,
        note="Shows come by themselves; claim yours to answer listeners.",
        comes_from="apple",
    ),
    Directory(
        id="jiosaavn",
        name="JioSaavn",
        url="https://yourcast.jiosaavn.com/",
        needs=("account", "owner_email", "artwork", "episode"),
        takes=_WEEK,
        note="Large in India.",
    ),
    Directory(
        id="listen_notes",
        name="Listen Notes",
        url="https://www.listennotes.com/submit/",
        takes=_HOURS,
        note="A search engine for podcasts.",
    ),
)
_BY_ID = {directory.id: directory for directory in DIRECTORIES}


class ListingInput(msgspec.Struct, kw_only=True):
    """What a host notes of a directory; null takes it away. `submitted_on` is a day (ISO 8601)."""

    submitted_on: str | UnsetType | None = UNSET
    listed_url: str | UnsetType | None = UNSET
    note: str | UnsetType | None = UNSET


class DirectoryAnswer(msgspec.Struct, kw_only=True):
    """A directory, and what the host has noted of the show there."""

    id: str
    name: str
    url: str
    needs: tuple[str, ...]
    takes: str
    about: str
    feeds: tuple[str, ...]
    comes_from: str | None
    submitted_on: str | None
    listed_url: str | None
    note: str

    @property
    def is_done(self) -> bool:
        """Whether the show is listed there, as far as the host has said so."""
        return self.listed_url is not None


class DirectoryList(msgspec.Struct, kw_only=True):
    """Where the show can be submitted: give them `feed_url`; some write to `owner_email`."""

    feed_url: str
    owner_email: str | None
    directories: list[DirectoryAnswer]


def directory_list(session: Session, show: Show, base_url: str) -> DirectoryList:
    """Every directory with what is noted of this show."""
    query = select(DirectoryListing).where(DirectoryListing.show_id == show.id)
    noted = {row.directory: row for row in session.scalars(query)}
    return DirectoryList(
        feed_url=base_url + feed_path(show),
        owner_email=show.owner_email,
        directories=[_answer(directory, noted.get(directory.id)) for directory in DIRECTORIES],
    )


def note_listing(
    session: Session, show: Show, directory_id: str, given: ListingInput, *, now: datetime
) -> DirectoryAnswer:
    """Keep what is given of one directory; nothing is left of one of which nothing is said.

    Raises NotFound for a directory that is not in the table, Invalid with every wrong field.
    """
    directory = _BY_ID.get(directory_id)
    if directory is None:
        raise NotFound("There is no such directory in the list.")
    row = session.get(DirectoryListing, (show.id, directory_id))
    is_new = row is None
    kept = row or DirectoryListing(show_id=show.id, directory=directory_id, note="")
    _, errors = fields.apply_given(kept, given, _READERS)
    errors.raise_any()
    kept.changed_at = now
    is_empty = not (kept.submitted_on or kept.listed_url or kept.note)
    if is_new and not is_empty:
        session.add(kept)
    elif is_empty and not is_new:
        session.delete(kept)
    session.flush()
    return _answer(directory, None if is_empty else kept)


def names_fed_by(directory_id: str) -> Sequence[str]:
    """The other directories of the table that take their shows from this one."""
    return [found.name for found in DIRECTORIES if found.comes_from == directory_id]


def _day(value: str | None) -> str | None:
    written = (value or "").strip()
    if not written:
        return None
    try:
        day = date.fromisoformat(written)
    except ValueError:
        raise ValueError("It must be a day such as 2026-03-01.") from None
    if not 2000 <= day.year <= 2199:
        raise ValueError("It must be a day such as 2026-03-01.")
    return day.isoformat()


def _note(value: str | None) -> str:
    text = clean_text(value or "").strip()
    if len(text) > LONGEST_NOTE:
        raise ValueError(f"It has {len(text)} characters; {LONGEST_NOTE} are the most.")
    return text


_READERS: dict[str, tuple[str, fields.Reader]] = {
    "submitted_on": ("submitted_on", _day),
    "listed_url": ("listed_url", fields.web_url),
    "note": ("note", _note),
}


def _answer(directory: Directory, row: DirectoryListing | None) -> DirectoryAnswer:
    return DirectoryAnswer(
        id=directory.id,
        name=directory.name,
        url=directory.url,
        needs=directory.needs,
        takes=directory.takes,
        about=directory.note,
        feeds=directory.feeds,
        comes_from=directory.comes_from,
        submitted_on=row.submitted_on if row is not None else None,
        listed_url=row.listed_url if row is not None else None,
        note=row.note if row is not None else "",
    )
