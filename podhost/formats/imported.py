"""What a foreign feed says, as plain values for an import; it reads no XML and decides nothing.

Texts are plain unless a name ends in `_html`; addresses are absolute http(s) unless said otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from podhost.formats.categories import Category
from podhost.formats.chapters import Chapter

# What becomes of an episode: it comes with its audio; it comes as a draft, because something that
# a feed needs is not there; it is a second copy, and does not come.
COMES = "comes"
DRAFT = "draft"
SECOND_COPY = "second copy"


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something in the feed that is not as it should be, and what is done about it.

    `message` and `repair` are the same for the same kind of oddity, so that they can be counted;
    `detail` is the feed's own wording. A question waits for the host of the show to decide.
    """

    place: str
    message: str
    repair: str
    detail: str = ""
    is_question: bool = False


@dataclass(frozen=True, slots=True)
class ImportedTag:
    """A tag of the podcast namespace with everything in it, letter by letter but for outer space.

    `name` is such as "podcast:value"; addresses inside are as they were written.
    """

    name: str
    text: str
    attributes: Mapping[str, str]
    children: tuple["ImportedTag", ...] = ()


@dataclass(frozen=True, slots=True)
class ImportedPerson:
    """A podcast:person; role and group in lower case, host and cast where nothing is said."""

    name: str
    role: str = "host"
    group: str = "cast"
    url: str | None = None
    image_url: str | None = None


@dataclass(frozen=True, slots=True)
class ImportedTranscript:
    """A podcast:transcript that lies at the old host."""

    url: str
    mime_type: str
    language: str | None = None
    rel: str | None = None


@dataclass(frozen=True, slots=True)
class ImportedSoundbite:
    """A podcast:soundbite; times in whole milliseconds, without a title it has the episode's."""

    start_ms: int
    duration_ms: int
    title: str = ""


@dataclass(frozen=True, slots=True)
class ImportedLink:
    """A podcast:funding or a podcast:license: where it leads, and what is written on it."""

    url: str | None
    text: str


@dataclass(frozen=True, slots=True)
class ImportedEnclosure:
    """The audio at the old host.

    `url` is what apps were told, made absolute; `media_url` is the audio itself, without the
    measurement `prefixes`, and what an import downloads. The size in bytes and the type are the
    feed's claims; None where it makes none.
    """

    url: str
    media_url: str
    prefixes: tuple[str, ...] = ()
    size_bytes: int | None = None
    mime_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedEpisode:
    """An item of the feed. `position` counts from 1 in the feed's own order.

    `guid` is letter by letter what apps know the episode by; "" only for a draft that never had
    one. `published_at` is UTC; `proposed_at` stands in between the neighbours where the feed has
    no date that can be read. `explicit` None means the show's. `duration_seconds` is a hint.
    `decimal_number` is what podcast:episode says where that is no whole number above 0.
    `boilerplate_html` is what a host added below the notes; it is no part of them. The suggested
    numbers come from the title. `unknown_xml` are tags that podhost does not know, as
    `feed_tags` keeps foreign ones.
    """

    position: int
    title: str
    guid: str
    outcome: str = COMES
    guid_is_permalink: bool = False
    itunes_title: str | None = None
    published_at: datetime | None = None
    proposed_at: datetime | None = None
    url: str | None = None
    notes_html: str = ""
    boilerplate_html: str = ""
    enclosure: ImportedEnclosure | None = None
    more_enclosures: tuple[ImportedEnclosure, ...] = ()
    duration_seconds: int | None = None
    explicit: bool | None = None
    episode_type: str = "full"
    season: int | None = None
    season_name: str | None = None
    number: int | None = None
    decimal_number: str | None = None
    number_display: str | None = None
    suggested_season: int | None = None
    suggested_number: int | None = None
    author: str | None = None
    artwork_url: str | None = None
    is_blocked: bool = False
    people: tuple[ImportedPerson, ...] = ()
    transcripts: tuple[ImportedTranscript, ...] = ()
    chapters_url: str | None = None
    chapters: tuple[Chapter, ...] = ()
    soundbites: tuple[ImportedSoundbite, ...] = ()
    funding: tuple[ImportedLink, ...] = ()
    license: ImportedLink | None = None
    tags: tuple[ImportedTag, ...] = ()
    unknown_xml: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedShow:
    """A whole feed, or one page of it, with its episodes in the feed's own order.

    `podcast_guid` is the feed's own; `is_locked` None means that it says nothing of a lock.
    `description` is plain, `description_html` the same with its markup, "" when it has none.
    `self_url` is the address that the feed calls its own, `next_url` that of its next page.
    `mail` is where the owner can be reached, never to be published again unasked. `tags` are
    optional tags that have no field here; `left_out` names tags that nobody reads any
    more, with how often they are there.
    """

    title: str
    episodes: tuple[ImportedEpisode, ...]
    oddities: tuple[Oddity, ...] = ()
    url: str | None = None
    description: str = ""
    description_html: str = ""
    language: str | None = None
    author: str | None = None
    owner_name: str | None = None
    mail: str | None = None
    itunes_title: str | None = None
    explicit: bool = False
    show_type: str = "episodic"
    categories: tuple[Category, ...] = ()
    artwork_url: str | None = None
    copyright: str | None = None
    is_complete: bool = False
    is_blocked: bool = False
    podcast_guid: str | None = None
    is_locked: bool | None = None
    locked_owner: str | None = None
    medium: str = "podcast"
    people: tuple[ImportedPerson, ...] = ()
    funding: tuple[ImportedLink, ...] = ()
    license: ImportedLink | None = None
    tags: tuple[ImportedTag, ...] = ()
    unknown_xml: tuple[str, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    generator: str | None = None
    self_url: str | None = None
    next_url: str | None = None
    new_feed_url: str | None = None
