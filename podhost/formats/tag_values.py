"""Optional tags of shows and episodes as values: one struct for each, and all of a show's.

One struct is what hosts give, what is stored and what programs are told. It judges nothing.
"""

import msgspec
from msgspec import UNSET, UnsetType


class _Tag(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tag; what is not said is left out wherever it is written down."""


class Funding(_Tag, frozen=True):
    """Where listeners can give money."""

    url: str
    label: str | None = None


class License(_Tag, frozen=True):
    """How the work may be used: an identifier such as CC-BY-4.0, or a name and an address."""

    name: str
    url: str | None = None


class Location(_Tag, frozen=True):
    """A place that it is about (`rel` subject) or is made in (creator)."""

    name: str
    rel: str | None = None
    geo: str | None = None
    osm: str | None = None
    country: str | None = None


class Txt(_Tag, frozen=True):
    """Free text for machines, such as a proof of ownership that a directory asked for."""

    text: str
    purpose: str | None = None


class UpdateFrequency(_Tag, frozen=True):
    """How often episodes come, in words and as calendars have it (RFC 5545)."""

    label: str | None = None
    rrule: str | None = None
    dtstart: str | None = None
    complete: bool = False


class PlatformBlock(_Tag, frozen=True):
    """Whether one platform, by its id in the namespace's list, is asked not to list the show."""

    id: str
    block: bool = True


class RemoteItem(_Tag, frozen=True):
    """Another show, or one episode of it, by its guids."""

    feed_guid: str
    feed_url: str | None = None
    item_guid: str | None = None
    medium: str | None = None
    title: str | None = None


class Chat(_Tag, frozen=True):
    """A room where listeners talk."""

    server: str
    protocol: str
    account_id: str | None = None
    space: str | None = None


class SocialInteract(_Tag, frozen=True):
    """The post under which comments stand; the protocol "disabled" alone says there are none."""

    protocol: str
    uri: str | None = None
    account_id: str | None = None
    account_url: str | None = None
    priority: int | None = None


class Recipient(_Tag, frozen=True):
    """Who gets how many shares of the money."""

    type: str
    address: str
    split: int
    name: str | None = None
    custom_key: str | None = None
    custom_value: str | None = None
    fee: bool = False


class TimeSplit(_Tag, frozen=True):
    """Who else is paid during a part of the episode: another show's recipients, or these."""

    start: float
    duration: float
    remote_start: float = 0
    remote_percentage: float = 100
    remote_item: RemoteItem | None = None
    recipients: tuple[Recipient, ...] = ()


class Value(_Tag, frozen=True):
    """How listeners pay while they listen; `suggested` is an amount per minute."""

    type: str
    method: str
    recipients: tuple[Recipient, ...]
    suggested: str | float | None = None


class EpisodeValue(Value, frozen=True):
    """The same for one episode, whose parts may go to others."""

    time_splits: tuple[TimeSplit, ...] = ()


class MediaRestriction(_Tag, frozen=True):
    """Countries (ISO 3166-1) in which alone, or in which not, it may be offered."""

    relationship: str
    countries: tuple[str, ...]


class Soundbite(_Tag, frozen=True):
    """A part worth sharing, in seconds of the audio."""

    start: float
    duration: float
    title: str | None = None


class Source(_Tag, frozen=True):
    """One address of a file."""

    uri: str
    content_type: str | None = None


class Integrity(_Tag, frozen=True):
    """How to tell that a file is whole: a hash as pages have it, or a signature."""

    type: str
    value: str


class AlternateEnclosure(_Tag, frozen=True):
    """The same episode as another file, such as video or Opus, at addresses elsewhere."""

    type: str
    sources: tuple[Source, ...]
    length: int | None = None
    bitrate: float | None = None
    height: int | None = None
    lang: str | None = None
    title: str | None = None
    rel: str | None = None
    codecs: str | None = None
    default: bool = False
    integrity: Integrity | None = None


class Image(_Tag, frozen=True):
    """A picture elsewhere, such as a wide one for social networks; measures are in pixels."""

    href: str
    alt: str | None = None
    aspect_ratio: str | None = None
    width: int | None = None
    height: int | None = None
    type: str | None = None
    purpose: str | None = None


class ContentLink(_Tag, frozen=True):
    """The same episode on another service, with words for people."""

    href: str
    text: str


class LivePerson(_Tag, frozen=True):
    """Somebody who is heard in a live stream, in the Podcast Taxonomy's words; host, if unsaid."""

    name: str
    role: str | None = None
    group: str | None = None
    url: str | None = None
    image_url: str | None = None


class Stream(_Tag, frozen=True):
    """Where a live stream is heard or seen, and what comes from there."""

    url: str
    type: str


class LiveItem(_Tag, frozen=True, omit_defaults=False):
    """A live stream: announced (`status` pending), on the air (live) or over (ended).

    `guid` is what apps know it by; times are when it is meant to begin and end, with their zones.
    Who asks for one wants to see its status, so all of it is written down.
    """

    guid: str
    title: str
    start: str
    content_links: tuple[ContentLink, ...]
    status: str = "pending"
    end: str | None = None
    description: str | None = None
    link: str | None = None
    image_url: str | None = None
    enclosure: Stream | None = None
    alternate_enclosures: tuple[AlternateEnclosure, ...] = ()
    people: tuple[LivePerson, ...] = ()
    chat: Chat | None = None


class FurtherFeed(_Tag, frozen=True):
    """One more feed of a show: its name in addresses, and the rule that chooses its episodes.

    Whoever is named by several parts of the rule must fit them all. Hours are counted from each
    episode's date; `types` are those of episodes, `media` is audio or video.
    """

    name: str
    title: str | None = None
    description: str | None = None
    podcast_guid: str | None = None
    private: bool = False
    seasons: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    media: str | None = None
    newest: int | None = None
    delay_hours: int | None = None
    early_hours: int | None = None

    @property
    def is_private(self) -> bool:
        """Whether only those may find it who were told its address."""
        return self.private or self.early_hours is not None


class ShowTags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A show's optional tags and how its feeds are cut, complete and valid."""

    locked_owner: str | None = None
    apple_title: str | None = None
    managing_editor: str | None = None
    web_master: str | None = None
    txt: tuple[Txt, ...] = ()
    funding: tuple[Funding, ...] = ()
    location: tuple[Location, ...] = ()
    license: License | None = None
    value: Value | None = None
    images: bool = False
    artwork_alt: str | None = None
    other_images: tuple[Image, ...] = ()
    platform_blocks: tuple[PlatformBlock, ...] = ()
    update_frequency: UpdateFrequency | None = None
    podroll: tuple[RemoteItem, ...] = ()
    publisher: RemoteItem | None = None
    remote_items: tuple[RemoteItem, ...] = ()
    chat: Chat | None = None
    social_interact: tuple[SocialInteract, ...] = ()
    inline_chapters: bool = False
    spotify_limit: int | None = None
    spotify_countries: tuple[str, ...] = ()
    media_restriction: MediaRestriction | None = None
    live_items: tuple[LiveItem, ...] = ()
    foreign_tags: tuple[str, ...] = ()
    feeds: tuple[FurtherFeed, ...] = ()
    feed_page_size: int | None = None
    slim_after: int | None = None


class EpisodeTags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An episode's optional tags, complete and valid; whether they fit its audio is not said."""

    apple_title: str | None = None
    decimal_number: str | float | None = None
    episode_display: str | None = None
    artwork_alt: str | None = None
    other_images: tuple[Image, ...] = ()
    soundbites: tuple[Soundbite, ...] = ()
    txt: tuple[Txt, ...] = ()
    funding: tuple[Funding, ...] = ()
    location: tuple[Location, ...] = ()
    license: License | None = None
    value: EpisodeValue | None = None
    chat: Chat | None = None
    social_interact: tuple[SocialInteract, ...] = ()
    alternate_enclosures: tuple[AlternateEnclosure, ...] = ()
    content_links: tuple[ContentLink, ...] = ()
    media_restriction: MediaRestriction | None = None
    foreign_tags: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class ShowTagsInput(msgspec.Struct, kw_only=True):
    """The tags that a host may give a show; null or an empty list takes one away."""

    locked_owner: str | UnsetType | None = UNSET
    apple_title: str | UnsetType | None = UNSET
    managing_editor: str | UnsetType | None = UNSET
    web_master: str | UnsetType | None = UNSET
    txt: tuple[Txt, ...] | UnsetType | None = UNSET
    funding: tuple[Funding, ...] | UnsetType | None = UNSET
    location: tuple[Location, ...] | UnsetType | None = UNSET
    license: License | UnsetType | None = UNSET
    value: Value | UnsetType | None = UNSET
    images: bool | UnsetType | None = UNSET
    artwork_alt: str | UnsetType | None = UNSET
    other_images: tuple[Image, ...] | UnsetType | None = UNSET
    platform_blocks: tuple[PlatformBlock, ...] | UnsetType | None = UNSET
    update_frequency: UpdateFrequency | UnsetType | None = UNSET
    podroll: tuple[RemoteItem, ...] | UnsetType | None = UNSET
    publisher: RemoteItem | UnsetType | None = UNSET
    remote_items: tuple[RemoteItem, ...] | UnsetType | None = UNSET
    chat: Chat | UnsetType | None = UNSET
    social_interact: tuple[SocialInteract, ...] | UnsetType | None = UNSET
    inline_chapters: bool | UnsetType | None = UNSET
    spotify_limit: int | UnsetType | None = UNSET
    spotify_countries: tuple[str, ...] | UnsetType | None = UNSET
    media_restriction: MediaRestriction | UnsetType | None = UNSET
    live_items: tuple[LiveItem, ...] | UnsetType | None = UNSET
    foreign_tags: tuple[str, ...] | UnsetType | None = UNSET
    feeds: tuple[FurtherFeed, ...] | UnsetType | None = UNSET
    feed_page_size: int | UnsetType | None = UNSET
    slim_after: int | UnsetType | None = UNSET


class LiveItemInput(msgspec.Struct, kw_only=True):
    """What may be said of one live stream whose guid is known; null takes something away."""

    title: str | UnsetType = UNSET
    start: str | UnsetType = UNSET
    content_links: tuple[ContentLink, ...] | UnsetType = UNSET
    status: str | UnsetType | None = UNSET
    end: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    link: str | UnsetType | None = UNSET
    image_url: str | UnsetType | None = UNSET
    enclosure: Stream | UnsetType | None = UNSET
    alternate_enclosures: tuple[AlternateEnclosure, ...] | UnsetType | None = UNSET
    people: tuple[LivePerson, ...] | UnsetType | None = UNSET
    chat: Chat | UnsetType | None = UNSET


class EpisodeTagsInput(msgspec.Struct, kw_only=True):
    """The tags that a host may give an episode; null or an empty list takes one away."""

    apple_title: str | UnsetType | None = UNSET
    decimal_number: str | float | UnsetType | None = UNSET
    episode_display: str | UnsetType | None = UNSET
    artwork_alt: str | UnsetType | None = UNSET
    other_images: tuple[Image, ...] | UnsetType | None = UNSET
    soundbites: tuple[Soundbite, ...] | UnsetType | None = UNSET
    txt: tuple[Txt, ...] | UnsetType | None = UNSET
    funding: tuple[Funding, ...] | UnsetType | None = UNSET
    location: tuple[Location, ...] | UnsetType | None = UNSET
    license: License | UnsetType | None = UNSET
    value: EpisodeValue | UnsetType | None = UNSET
    chat: Chat | UnsetType | None = UNSET
    social_interact: tuple[SocialInteract, ...] | UnsetType | None = UNSET
    alternate_enclosures: tuple[AlternateEnclosure, ...] | UnsetType | None = UNSET
    content_links: tuple[ContentLink, ...] | UnsetType | None = UNSET
    media_restriction: MediaRestriction | UnsetType | None = UNSET
    foreign_tags: tuple[str, ...] | UnsetType | None = UNSET
    labels: tuple[str, ...] | UnsetType | None = UNSET


NO_SHOW_TAGS = ShowTags()
NO_EPISODE_TAGS = EpisodeTags()
