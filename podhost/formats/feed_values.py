"""What a feed says, as plain values: a show, its episodes, people, pictures and transcripts.

A value that no app could read is refused; how a feed is written is decided in `rss.py` and
`json_feed.py`, and nothing here needs what they need.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from podhost import __version__
from podhost.formats.categories import is_category
from podhost.formats.chapters import Chapter
from podhost.formats.feed_words import EPISODE_TYPES, MIME_TYPE, SHOW_TYPES
from podhost.formats.languages import is_language_code
from podhost.formats.tag_rules import LIST_MEDIUMS, MEDIUMS
from podhost.formats.tag_values import NO_EPISODE_TAGS, NO_SHOW_TAGS, EpisodeTags, ShowTags
from podhost.formats.text import remove_forbidden

# Apple's limits: characters of a value, bytes of a description with its markup.
MAX_VALUE_CHARS = 255
MAX_DESCRIPTION_BYTES = 4000


@dataclass(frozen=True)
class FeedPerson:
    """Somebody who is named in the feed; role and group in the Podcast Taxonomy's words."""

    name: str
    role: str = "host"
    group: str = "cast"
    url: str | None = None
    image_url: str | None = None


@dataclass(frozen=True)
class FeedTranscript:
    """A transcript file; without a language it is in the show's, `rel` may be "captions"."""

    url: str
    mime_type: str
    language: str | None = None
    rel: str | None = None

    def __post_init__(self) -> None:
        _require_mime_type(self.mime_type)


@dataclass(frozen=True)
class FeedImage:
    """A square picture in one of its sizes; the width is in pixels."""

    url: str
    width: int


@dataclass(frozen=True)
class FeedEpisode:
    """An episode as the feed shows it.

    `notes_html` is clean HTML out of `markdown.render_notes`; `guid` is printed as it is, whoever
    made it; `people` are all people of the episode, because they replace the show's; `author` is
    printed where it differs from the show's; `inline_chapters` have titles. Texts of any length and
    content are fine, a number, type, size or date that no app could read raises ValueError.
    """

    guid: str
    title: str
    published_at: datetime
    url: str
    notes_html: str
    enclosure_url: str
    enclosure_size_bytes: int
    enclosure_type: str
    duration_seconds: float
    explicit: bool
    episode_type: str = "full"
    season: int | None = None
    season_name: str | None = None
    number: int | None = None
    artwork_url: str | None = None
    people: tuple[FeedPerson, ...] = ()
    transcripts: tuple[FeedTranscript, ...] = ()
    chapters_url: str | None = None
    is_blocked: bool = False
    guid_is_permalink: bool = False
    author: str | None = None
    images: tuple[FeedImage, ...] = ()
    inline_chapters: tuple[Chapter, ...] = ()
    tags: EpisodeTags = NO_EPISODE_TAGS
    # Its whole notes (content:encoded) are left out; its description stays.
    is_slim: bool = False

    def __post_init__(self) -> None:
        _require(bool(remove_forbidden(self.guid).strip()), "an episode needs a guid")
        _require_aware(self.published_at)
        _require(self.enclosure_size_bytes >= 0, "an enclosure's size cannot be negative")
        _require_mime_type(self.enclosure_type)
        _require(0 <= self.duration_seconds < 1e9, "a duration is a number of seconds")
        _require(self.episode_type in EPISODE_TYPES, f"no episode type {self.episode_type!r}")
        for number in (self.season, self.number):
            _require(number is None or number >= 1, "season and episode numbers start at 1")

    def slim(self) -> "FeedEpisode":
        """The same without what apps find elsewhere too: whole notes, inline chapters, sizes of
        pictures."""
        return replace(self, is_slim=True, inline_chapters=(), images=())


@dataclass(frozen=True)
class FeedShow:
    """A show as its feed presents it; what is None or empty is not printed.

    `changed_at` is when the content last changed, never the present; `owner_email` and
    the lock's owner in `tags` publish a mail address, so they are the host's choice. Texts may be
    anything, a language, category, type or date that directories refuse raises ValueError.
    """

    title: str
    url: str
    feed_url: str
    description: str
    language: str
    author: str
    explicit: bool
    show_type: str
    categories: tuple[tuple[str, str | None], ...]
    artwork_url: str
    podcast_guid: str
    changed_at: datetime
    copyright: str | None = None
    is_locked: bool = True
    medium: str = "podcast"
    people: tuple[FeedPerson, ...] = ()
    owner_name: str | None = None
    owner_email: str | None = None
    hub_urls: tuple[str, ...] = ()
    new_feed_url: str | None = None
    # Apps are redirected there already.
    has_moved: bool = False
    is_blocked: bool = False
    is_complete: bool = False
    uses_podping: bool = False
    images: tuple[FeedImage, ...] = ()
    tags: ShowTags = NO_SHOW_TAGS
    # The other pages of the feed: relation (RFC 5005) and address.
    page_links: tuple[tuple[str, str], ...] = ()
    # Where not all of the feed's trailers are among the episodes of this page.
    trailers: "tuple[FeedEpisode, ...] | None" = None
    generator: str = f"podhost/{__version__}"

    def __post_init__(self) -> None:
        _require_aware(self.changed_at)
        _require(is_language_code(self.language), f"no language code: {self.language!r}")
        _require(self.show_type in SHOW_TYPES, f"no show type {self.show_type!r}")
        _require(
            self.medium in MEDIUMS or self.medium in LIST_MEDIUMS,
            f"no medium {self.medium!r}",
        )
        _require(bool(self.categories), "a show needs a category")
        for category in self.categories:
            _require(is_category(*category), f"no category {category!r}")


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise ValueError(sentence)


def _require_aware(moment: datetime) -> None:
    _require(moment.utcoffset() is not None, f"a time without its zone: {moment}")


def _require_mime_type(mime_type: str) -> None:
    _require(bool(MIME_TYPE.fullmatch(mime_type)), f"no MIME type: {mime_type!r}")
