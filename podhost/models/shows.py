"""The tables of shows and episodes, of what belongs to them, and of jobs; nothing but tables."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from podhost.models.base import ONLY_WHERE, Base, Counter


class Fact(Base):
    """One fact about the instance as a whole, such as the base URL it was last served under."""

    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Artwork(Base):
    """A picture, stored in several sizes under artwork/<id>/<size>.jpg; never changed."""

    __tablename__ = "artwork"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    # Of the file that was given, so that the same picture is recognised; not of what we made.
    source_sha256: Mapped[str] = mapped_column(String(64), index=True)
    mime_type: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    # [[size in pixels, bytes], ...], largest first.
    sizes: Mapped[list[Any]]
    is_placeholder: Mapped[bool] = mapped_column(default=False)
    # What strikes most, as #rrggbb; "" where there are only greys, None where nobody looked yet.
    colour: Mapped[str | None] = mapped_column(String(7))
    created_at: Mapped[datetime]


class Show(Base):
    """One show, with everything that its feed says about itself."""

    __tablename__ = "shows"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    link: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(35), default="en")
    author: Mapped[str] = mapped_column(Text, default="")
    copyright: Mapped[str | None] = mapped_column(Text)
    owner_name: Mapped[str | None] = mapped_column(Text)
    owner_email: Mapped[str | None] = mapped_column(String(254))
    explicit: Mapped[bool] = mapped_column(default=False)
    show_type: Mapped[str] = mapped_column(String(16), default="episodic")
    # [[parent, subcategory or None], ...]; directories look at the first.
    categories: Mapped[list[Any]]
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    podcast_guid: Mapped[str] = mapped_column(String(36))
    medium: Mapped[str] = mapped_column(String(16), default="podcast")
    is_locked: Mapped[bool] = mapped_column(default=True)
    is_blocked: Mapped[bool] = mapped_column(default=False)
    is_complete: Mapped[bool] = mapped_column(default=False)
    new_feed_url: Mapped[str | None] = mapped_column(Text)
    # Whether what is said of an episode is written into its audio before it is published.
    write_tags: Mapped[bool] = mapped_column(default=False, server_default=false())
    # The feed's address at another host, as it was asked for; the audio's addresses too?
    moved_to: Mapped[str | None] = mapped_column(Text)
    moved_audio: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Where the feed's addresses lead now; set once the new feed was found to have everything.
    redirect_to: Mapped[str | None] = mapped_column(Text)
    # What moves.MoveReport says of the new feed; None: it was not read yet.
    move_report: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    # What formats.feed_tags reads; None where there are none, so that nothing is decoded.
    tags: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    artwork_id: Mapped[str | None] = mapped_column(ForeignKey("artwork.id"))
    # Rises with every change that a reader of the feed could see; a snapshot says which one it has.
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    artwork: Mapped[Artwork | None] = relationship(lazy="joined")


class ShowSlug(Base):
    """A slug that a show once had; its old addresses redirect for ever."""

    __tablename__ = "show_slugs"

    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"), index=True)


class Episode(Base):
    """One episode. Its guid is set once; its audio may be replaced, which makes a new revision."""

    __tablename__ = "episodes"
    __table_args__ = (
        UniqueConstraint("show_id", "guid"),
        UniqueConstraint("show_id", "slug"),
        Index("ix_episodes_feed", "show_id", "status", "published_at"),
        Index("ix_episodes_due", "status", "published_at"),
        # For lists and counts of the site, without the rows, which have the notes in them.
        Index("ix_episodes_public", "show_id", "status", "deleted_at", "published_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"))
    guid: Mapped[str] = mapped_column(Text)
    slug: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(Text)
    # Markdown as written, and the clean HTML made of it when it was written: five thousand
    # episodes are rendered into a feed without parsing five thousand texts.
    notes: Mapped[str] = mapped_column(Text, default="")
    notes_html: Mapped[str] = mapped_column(Text, default="")
    author: Mapped[str | None] = mapped_column(Text)
    link: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16), default="draft")
    # The feed's pubDate. For a scheduled episode: when it will be published.
    published_at: Mapped[datetime | None]
    season: Mapped[int | None]
    season_name: Mapped[str | None] = mapped_column(Text)
    number: Mapped[int | None]
    episode_type: Mapped[str] = mapped_column(String(16), default="full")
    # None: as the show says.
    explicit: Mapped[bool | None]
    is_blocked: Mapped[bool] = mapped_column(default=False)
    tags: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    # Its audio at the show's new host, where the addresses that it has here lead.
    moved_audio_url: Mapped[str | None] = mapped_column(Text)
    artwork_id: Mapped[str | None] = mapped_column(ForeignKey("artwork.id"))
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    # None: it has no chapters.
    chapters_changed_at: Mapped[datetime | None]
    # Since when a scheduled episode stands in an early feed, and its audio may be had. Rendering
    # keeps it, together with the feed.
    early_since: Mapped[datetime | None]
    # Rises with every edit, so that whoever saves can say which version they saw.
    edit_version: Mapped[int] = mapped_column(default=1, server_default="1")
    deleted_at: Mapped[datetime | None]

    show: Mapped[Show] = relationship()
    artwork: Mapped[Artwork | None] = relationship()
    # The current revision: the one that nothing has replaced.
    audio: Mapped["Audio | None"] = relationship(
        primaryjoin="and_(Audio.episode_id == Episode.id, Audio.replaced_at.is_(None))",
        viewonly=True,
        uselist=False,
    )
    credits: Mapped[list["Credit"]] = relationship(
        order_by="Credit.position", cascade="all, delete-orphan"
    )
    chapters: Mapped[list["Chapter"]] = relationship(
        order_by="Chapter.position", cascade="all, delete-orphan"
    )
    transcripts: Mapped[list["Transcript"]] = relationship(
        order_by="Transcript.position", cascade="all, delete-orphan"
    )


class EpisodeSlug(Base):
    """A slug that an episode once had; its old page redirects."""

    __tablename__ = "episode_slugs"

    show_id: Mapped[str] = mapped_column(
        ForeignKey("shows.id", ondelete="CASCADE"), primary_key=True
    )
    slug: Mapped[str] = mapped_column(String(100), primary_key=True)
    episode_id: Mapped[str] = mapped_column(
        ForeignKey("episodes.id", ondelete="CASCADE"), index=True
    )


class Audio(Base):
    """One revision of an episode's audio: a stored file, its measures and its tags; immutable."""

    __tablename__ = "audio"
    __table_args__ = (
        UniqueConstraint("episode_id", "revision"),
        # An episode has one current revision.
        Index(
            "uq_audio_current", "episode_id", unique=True, info={ONLY_WHERE: "replaced_at IS NULL"}
        ),
    )

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    episode_id: Mapped[str] = mapped_column(ForeignKey("episodes.id", ondelete="CASCADE"))
    revision: Mapped[int]
    storage_key: Mapped[str] = mapped_column(String(255), unique=True)
    # The last part of the enclosure URL, without extension. Fixed here, because a renamed
    # episode must not change its enclosure URL.
    url_name: Mapped[str] = mapped_column(String(100))
    extension: Mapped[str] = mapped_column(String(8))
    mime_type: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    codec: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    duration_ms: Mapped[int] = mapped_column(BigInteger)
    bitrate_bps: Mapped[int]
    bitrate_mode: Mapped[str] = mapped_column(String(16))
    sample_rate_hz: Mapped[int]
    channels: Mapped[int]
    # Bytes before the first sound: tags and boxes. Counting downloads needs it.
    header_bytes: Mapped[int] = mapped_column(BigInteger)
    # Why apps could not play it, as a sentence; None: it may be published.
    problem: Mapped[str | None] = mapped_column(Text)
    warnings: Mapped[list[Any]]
    tags: Mapped[dict[str, Any]]
    # The revision with the file as it was uploaded, where this one is a copy with tags written into
    # it. No foreign key: a backup puts rows back in any order.
    original_id: Mapped[str | None] = mapped_column(String(16))
    original_sha256: Mapped[str | None] = mapped_column(String(64))
    # Of the values that were written; "" when they were written elsewhere.
    tags_fingerprint: Mapped[str | None] = mapped_column(String(64))
    # Why they could not be written, as a sentence.
    tagging_problem: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    replaced_at: Mapped[datetime | None]
    # The bytes are gone; the address redirects to the current revision.
    purged_at: Mapped[datetime | None]


class Person(Base):
    """Somebody who is heard on a show or works for it, with what was last said of them."""

    __tablename__ = "people"
    __table_args__ = (UniqueConstraint("show_id", "slug"), UniqueConstraint("show_id", "name_key"))

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"))
    slug: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(Text)
    # The name folded (case, white space), by which the same person is recognised.
    name_key: Mapped[str] = mapped_column(String(255))
    url: Mapped[str | None] = mapped_column(Text)
    bio: Mapped[str] = mapped_column(Text, default="")
    image_url: Mapped[str | None] = mapped_column(Text)
    artwork_id: Mapped[str | None] = mapped_column(ForeignKey("artwork.id"))
    # [{"name": ..., "url": ...}, ...]; None where there are none.
    links: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    # Another spelling of somebody: who it is. The spelling stays, to be recognised again.
    merged_into_id: Mapped[str | None] = mapped_column(String(16), index=True)
    # What public pages go on saying where only a draft says otherwise; podhost.people_public.
    # {"bio": {"was": ..., "by": [the ids of articles that say what stands above]}, ...}
    still_public: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class Credit(Base):
    """A person's part in an episode, or in the whole show where `episode_id` is None.

    Name, link, bio and picture are kept as credited then, so that editing one episode
    changes that episode only.
    """

    __tablename__ = "credits"
    # Who was heard in which episodes, without the rows.
    __table_args__ = (Index("ix_credits_heard", "show_id", "role", "person_id", "episode_id"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    show_id: Mapped[str] = mapped_column(ForeignKey("shows.id", ondelete="CASCADE"), index=True)
    episode_id: Mapped[str | None] = mapped_column(
        ForeignKey("episodes.id", ondelete="CASCADE"), index=True
    )
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(64))
    group: Mapped[str] = mapped_column("credit_group", String(64))
    url: Mapped[str | None] = mapped_column(Text)
    bio: Mapped[str] = mapped_column(Text, default="")
    image_url: Mapped[str | None] = mapped_column(Text)
    artwork_id: Mapped[str | None] = mapped_column(ForeignKey("artwork.id"))
    links: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))

    artwork: Mapped[Artwork | None] = relationship()


class Chapter(Base):
    """One chapter of an episode."""

    __tablename__ = "chapters"

    episode_id: Mapped[str] = mapped_column(
        ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    start_ms: Mapped[int] = mapped_column(BigInteger)
    end_ms: Mapped[int | None] = mapped_column(BigInteger)
    title: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    image_url: Mapped[str | None] = mapped_column(Text)
    artwork_id: Mapped[str | None] = mapped_column(ForeignKey("artwork.id"))
    is_hidden: Mapped[bool] = mapped_column(default=False)

    artwork: Mapped[Artwork | None] = relationship()


class Transcript(Base):
    """One transcript file of an episode, stored under transcripts/<id>.<extension>; immutable."""

    __tablename__ = "transcripts"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    episode_id: Mapped[str] = mapped_column(
        ForeignKey("episodes.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int]
    storage_key: Mapped[str] = mapped_column(String(255), unique=True)
    # Of the file that was given; the forms that were made of it have it too, and come before it.
    source_sha256: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int]
    mime_type: Mapped[str] = mapped_column(String(64))
    extension: Mapped[str] = mapped_column(String(8))
    language: Mapped[str | None] = mapped_column(String(35))
    created_at: Mapped[datetime]


class Rendered(Base):
    """A feed as last rendered; each format has a table of its own."""

    __abstract__ = True

    show_id: Mapped[str] = mapped_column(
        ForeignKey("shows.id", ondelete="CASCADE"), primary_key=True
    )
    # Which state of the rows and settings it was made from; the sweep compares it.
    show_version: Mapped[int]
    made_with: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int]
    body_gzip: Mapped[bytes] = mapped_column(LargeBinary)
    last_modified: Mapped[datetime]
    rendered_at: Mapped[datetime]


class Snapshot(Rendered):
    """The bytes of a show's RSS feed as last rendered: what every poll is answered with."""

    __tablename__ = "snapshots"


class JsonSnapshot(Rendered):
    """The same as JSON Feed. Servers of the version before read `snapshots` by the show alone."""

    __tablename__ = "json_snapshots"


class FeedSnapshot(Rendered):
    """The same for what stands beside the show's own feed: its older pages, and further feeds."""

    __tablename__ = "feed_snapshots"

    # The rest of its address below the show's slug.
    path: Mapped[str] = mapped_column(String(100), primary_key=True)
    is_private: Mapped[bool] = mapped_column(default=False)
    # It was there and is no more; the address answers 410.
    gone_at: Mapped[datetime | None]


class FurtherFeeds(Base):
    """Up to which state of the rows and settings a show's `feed_snapshots` are rendered."""

    __tablename__ = "further_feeds"

    show_id: Mapped[str] = mapped_column(
        ForeignKey("shows.id", ondelete="CASCADE"), primary_key=True
    )
    show_version: Mapped[int]
    made_with: Mapped[str] = mapped_column(Text)
    # When one of them changes by itself, because an episode comes into it late or early.
    due_at: Mapped[datetime | None] = mapped_column(index=True)


class HubState(Base):
    """What a hub or directory has been told of a show's feed, and what it said to that."""

    __tablename__ = "hub_states"

    show_id: Mapped[str] = mapped_column(
        ForeignKey("shows.id", ondelete="CASCADE"), primary_key=True
    )
    # Its address, as the settings have it.
    hub: Mapped[str] = mapped_column(Text, primary_key=True)
    # When the first change was stored that it has not been told of; None: there is none, or it was
    # given up.
    waits_since: Mapped[datetime | None]
    # It is not to be asked again before.
    not_before: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    last_sent_at: Mapped[datetime | None]
    # Of its last answer, also of one that refuses; None: there was no answer.
    last_status: Mapped[int | None]
    # Why the last try failed, as a sentence.
    error: Mapped[str | None] = mapped_column(Text)
    # The version that it was told of last.
    snapshot_version: Mapped[int | None]
    # The guids of the live streams that it was told had begun, and not that they ended.
    live: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))


class Change(Base):
    """A line of the change log that every serving process follows to drop what it has in memory.

    `seq` is given out under a lock that is held until commit, so that a reader who has seen
    number n will never be surprised by a smaller one later.
    """

    __tablename__ = "changes"

    seq: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=False)
    topic: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(index=True)


class Job(Base):
    """Work that must survive a crash; inserted in the transaction of the change that causes it."""

    __tablename__ = "jobs"
    __table_args__ = (
        # The same work waits once. It may wait while it also runs, for what changed meanwhile.
        Index(
            "uq_jobs_waiting", "kind", "key", unique=True, info={ONLY_WHERE: "status = 'waiting'"}
        ),
        Index("ix_jobs_due", "status", "run_at"),
    )

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16), default="waiting")
    run_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
