"""Feeds: rows become the values of a feed, the values become bytes, the bytes become a snapshot.

Rendering happens in a worker when data changed, never when somebody asks. Two renders of the
same rows are byte-identical.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Row, or_, select
from sqlalchemy.orm import Session, joinedload

from podhost import __version__
from podhost.artwork import artwork_url
from podhost.audio.revisions import enclosure_url
from podhost.changes import record_change
from podhost.feeds.formats import JSON, RSS, FeedFormat
from podhost.feeds.memory import PartsMemory
from podhost.feeds.parts import EpisodeSource, FeedParts, RenderedFeed
from podhost.feeds.rows import (
    ArtworkRow,
    ChapterRow,
    CreditRow,
    EpisodeRows,
    ShowRows,
    read_feed_rows,
    rows_key,
)
from podhost.feeds.sponsors import render_sponsors_html
from podhost.formats.build_dates import says_the_same
from podhost.formats.chapters import Chapter
from podhost.formats.feed_rules import main_document, main_page, slimmed
from podhost.formats.feed_shell import joined, newest_first, require_no_twins
from podhost.formats.feed_tags import lies_inside, stored_episode_tags, stored_show_tags
from podhost.formats.feed_values import (
    FeedEpisode,
    FeedImage,
    FeedPerson,
    FeedShow,
    FeedTranscript,
)
from podhost.formats.introductions import NotesGuest, render_guests_html
from podhost.formats.json_feed import json_shell, render_json_feed
from podhost.formats.tag_values import NO_EPISODE_TAGS, EpisodeTags
from podhost.models import (
    Artwork,
    Credit,
    Episode,
    JsonSnapshot,
    Rendered,
    Show,
    Snapshot,
)
from podhost.people import held_picture_url
from podhost.shows import DEFAULT_CATEGORY, feed_path, has_early_feed, new_feed_url
from podhost.transcripts import in_feed, transcript_path

C = TypeVar("C", Credit, CreditRow)

# -9 takes five times as long for one per cent less.
_GZIP_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Site:
    """What a feed says that is not in the rows: where the world sees podhost, and its hubs."""

    base_url: str
    hubs: tuple[str, ...] = ()
    uses_podping: bool = False

    @property
    def made_with(self) -> str:
        """Kept with each snapshot: a feed made with something else must be rendered again."""
        podping = ["podping"] if self.uses_podping else []
        return " ".join([__version__, self.base_url, *self.hubs, *podping])


@dataclass(frozen=True, slots=True)
class FeedValues:
    """All that a show's feeds say, in whatever format; without a session.

    The episodes come newest first, each made into values when a feed needs them.
    """

    show: FeedShow
    episodes: Sequence[EpisodeSource]
    json_url: str
    # Those that are not out yet, where the show has a feed that they come into earlier.
    scheduled: Sequence[FeedEpisode] = ()


def feed_values(session: Session, show: Show, site: Site) -> FeedValues:
    """What the show's feeds say, from the rows. The show must have artwork.

    Published episodes only; a scheduled one never appears before its time, but in feeds that are
    told so.
    """
    of_show, episodes = read_feed_rows(session, show)
    show_key = rows_key(of_show, site.base_url)
    sources = [_source(of_show, episode, site.base_url, show_key) for episode in episodes]
    json_url = site.base_url + JSON.path(show.slug)
    feed_show = _feed_show(show, of_show.hosts, site)
    scheduled = read_feed_rows(session, show, "scheduled")[1] if has_early_feed(show) else []
    return FeedValues(
        feed_show,
        newest_first(sources),
        json_url,
        [
            replace(
                _feed_episode(of_show, rows, site.base_url),
                # Its page here is not there yet.
                url=rows.episode.link or feed_show.url,
            )
            for rows in scheduled
            if rows.audio is not None and not rows.audio.problem
        ],
    )


def render_values(values: FeedValues, format_: FeedFormat) -> bytes:
    """The bytes of a feed in one of its formats; the same values always give the same ones."""
    episodes = [source.values() for source in values.episodes]
    if format_ is JSON:
        episodes = [*slimmed(episodes, values.show.tags.slim_after)]
        return render_json_feed(values.show, episodes, feed_url=values.json_url)
    # Loaded here, because it loads feedgen and lxml, and servers hardly ever render.
    from podhost.formats.rss import render_feed

    document = main_document(values.show, episodes)
    return render_feed(document.show, document.episodes)


def render_compressed(
    values: FeedValues, format_: FeedFormat, memory: PartsMemory, *, name: str
) -> RenderedFeed:
    """The same, compressed too, out of what the memory has of the feed of this name."""
    parts = FeedParts(memory.find(name))
    rendered = _json_feed(values, parts) if format_ is JSON else _rss_feed(values, parts)
    memory.keep(name, parts.kept)
    return rendered


def _json_feed(values: FeedValues, parts: FeedParts) -> RenderedFeed:
    episodes = slimmed(values.episodes, values.show.tags.slim_after)
    return parts.render(json_shell(values.show, feed_url=values.json_url), episodes)


def _rss_feed(values: FeedValues, parts: FeedParts) -> RenderedFeed:
    from podhost.formats.rss import rss_shell, used_namespaces

    show, count = main_page(values.show, len(values.episodes))
    episodes = slimmed(values.episodes[:count], show.tags.slim_after)
    require_no_twins((episode.guid, episode.enclosure_url) for episode in episodes)
    shell = rss_shell(
        show,
        newest_at=episodes[0].published_at if episodes else None,
        trailers=[episode.values() for episode in values.episodes if episode.is_trailer],
        used=joined(parts.used(episodes, used_namespaces)),
    )
    return parts.render(shell, episodes)


def render_show(session: Session, show: Show, site: Site) -> bytes:
    """The bytes of the show's RSS feed, from the rows. The show must have artwork."""
    return render_values(feed_values(session, show, site), RSS)


def published_episodes(session: Session, show: Show) -> Sequence[Episode]:
    """What stands in the feed, newest first, with its audio."""
    return session.scalars(
        select(Episode)
        .where(
            Episode.show_id == show.id,
            Episode.status == "published",
            Episode.deleted_at.is_(None),
        )
        .order_by(Episode.published_at.desc(), Episode.id)
        .options(joinedload(Episode.audio))
    ).all()


def compress_feed(body: bytes) -> bytes:
    """The feed as most polls get it; the same bytes always give the same ones."""
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def store_snapshot(
    session: Session,
    show: Show,
    body: bytes,
    body_gzip: bytes,
    *,
    show_version: int,
    site: Site,
    now: datetime,
    format_: FeedFormat = RSS,
) -> bool:
    """Keep `body` as what polls are answered with; False when they get all that it says already.

    A change that no reader of the feed sees must not make every app fetch the feed again: then
    the stored bytes stay, with their lastBuildDate and validators.

    `show_version` is the version that was rendered: an older one than the snapshot's is ignored,
    so that two workers cannot put an old feed in the place of a newer one. The show's row must be
    locked by the caller.
    """
    table = format_.table
    snapshot = session.get(table, show.id)
    if snapshot is not None and snapshot.show_version > show_version:
        return False
    if snapshot is not None and says_already(snapshot, body, format_):
        snapshot.show_version, snapshot.made_with = show_version, site.made_with
        return False
    if snapshot is None:
        snapshot = table(show_id=show.id, version=0)
        session.add(snapshot)
    fill_snapshot(snapshot, body, body_gzip, show_version=show_version, site=site, now=now)
    record_change(session, "feed", show.id, now=now)
    return True


def fill_snapshot(
    snapshot: Rendered,
    body: bytes,
    body_gzip: bytes,
    *,
    show_version: int,
    site: Site,
    now: datetime,
) -> None:
    """Put new bytes into a row, with their validators; the row of a new one has version 0."""
    last_modified = now.replace(microsecond=0)
    if snapshot.version:
        # Whole seconds are all that If-Modified-Since can tell apart.
        last_modified = max(last_modified, snapshot.last_modified + timedelta(seconds=1))
    snapshot.version += 1
    snapshot.show_version = show_version
    snapshot.made_with = site.made_with
    snapshot.sha256 = hashlib.sha256(body).hexdigest()
    snapshot.size_bytes = len(body)
    snapshot.body_gzip = body_gzip
    snapshot.last_modified = last_modified
    snapshot.rendered_at = now


def says_already(snapshot: Rendered, body: bytes, format_: FeedFormat) -> bool:
    """Whether the stored bytes say all that `body` says. Damaged ones do not, so that any change
    of the show mends them."""
    if snapshot.size_bytes != len(body):
        return False
    try:
        stored = snapshot_body(snapshot)
    except (OSError, EOFError, zlib.error):
        return False
    is_whole = hashlib.sha256(stored).hexdigest() == snapshot.sha256
    # Only RSS says when it was built.
    return is_whole and (says_the_same(stored, body) if format_ is RSS else stored == body)


def find_snapshot(session: Session, show: Show) -> Snapshot | None:
    """The RSS feed as last rendered."""
    return session.get(Snapshot, show.id)


def snapshot_body(snapshot: Rendered) -> bytes:
    """The feed's bytes, not compressed."""
    return gzip.decompress(snapshot.body_gzip)


def stale_show_ids(session: Session, site: Site, *, compare_site: bool) -> Sequence[str]:
    """Shows with a feed, in any format, that does not say what their rows say.

    With `compare_site`, also those that were rendered for another address or by another version.
    """
    is_stale: list[ColumnElement[bool]] = []
    tables: tuple[type[Rendered], ...] = (Snapshot, JsonSnapshot)
    for table in tables:
        is_stale += [table.show_id.is_(None), table.show_version < Show.version]
        if compare_site:
            is_stale.append(table.made_with != site.made_with)
    return session.scalars(
        select(Show.id)
        .outerjoin(Snapshot, Snapshot.show_id == Show.id)
        .outerjoin(JsonSnapshot, JsonSnapshot.show_id == Show.id)
        .where(Show.deleted_at.is_(None), or_(*is_stale))
    ).all()


def episode_url(base_url: str, show: Show | ShowRows, episode: Episode | Row[Any]) -> str:
    """The episode's page: the one that the host names, else ours."""
    return episode.link or f"{base_url}/{show.slug}/episodes/{episode.slug}"


def episode_people(hosts: Sequence[C], credits: Sequence[C]) -> Sequence[C]:
    """Everybody on the episode. The show's people are repeated before its guests, because people
    named in an episode replace the show's (podcast namespace), unless it names hosts of its own.
    """
    if not credits:
        return []
    if any(credit.role == "host" for credit in credits):
        return credits
    named = {credit.person_id for credit in credits}
    return [host for host in hosts if host.person_id not in named] + list(credits)


def _feed_show(show: Show, hosts: Sequence[CreditRow], site: Site) -> FeedShow:
    assert show.artwork is not None, "a show without artwork cannot be rendered"
    own_feed_url = site.base_url + feed_path(show)
    return FeedShow(
        title=show.title,
        url=show.link or f"{site.base_url}/{show.slug}/",
        feed_url=own_feed_url,
        description=show.description or show.title,
        language=show.language,
        author=show.author or show.title,
        copyright=show.copyright,
        explicit=show.explicit,
        show_type=show.show_type,
        categories=tuple((pair[0], pair[1]) for pair in show.categories or [DEFAULT_CATEGORY]),
        artwork_url=artwork_url(site.base_url, show.artwork),
        podcast_guid=show.podcast_guid,
        changed_at=show.changed_at,
        is_locked=show.is_locked,
        medium=show.medium,
        people=tuple(_feed_person(credit, site.base_url) for credit in hosts),
        owner_name=show.owner_name,
        owner_email=show.owner_email,
        hub_urls=site.hubs,
        # Nobody is told of a blocked show.
        uses_podping=site.uses_podping and not show.is_blocked,
        new_feed_url=new_feed_url(show),
        has_moved=show.redirect_to is not None,
        is_blocked=show.is_blocked,
        is_complete=show.is_complete,
        images=_images(show.artwork, site.base_url) if (show.tags or {}).get("images") else (),
        tags=stored_show_tags(show.tags),
    )


def _source(show: ShowRows, rows: EpisodeRows, base_url: str, show_key: bytes) -> EpisodeSource:
    episode, audio = rows.episode, rows.audio
    assert audio is not None and episode.published_at is not None, "a published episode has both"
    return EpisodeSource(
        key=rows_key(rows, show_key),
        id=episode.id,
        guid=episode.guid,
        published_at=episode.published_at,
        enclosure_url=enclosure_url(base_url, audio),
        is_trailer=episode.episode_type == "trailer",
        has_tags=bool(episode.tags) or any(rows.listed_chapters()),
        make=partial(_feed_episode, show, rows, base_url),
    )


def _feed_episode(show: ShowRows, rows: EpisodeRows, base_url: str) -> FeedEpisode:
    """Out of nothing but what the source's key is made of."""
    episode, audio = rows.episode, rows.audio
    assert audio is not None, "a published episode has audio"
    guests = [
        NotesGuest(name=credit.name, url=credit.url, bio=credit.bio)
        for credit in rows.credits
        if credit.role == "guest"
    ]
    return FeedEpisode(
        guid=episode.guid,
        title=episode.title,
        published_at=episode.published_at,
        url=episode_url(base_url, show, episode),
        # First what apps show in their two lines: who is heard.
        notes_html=render_guests_html(guests, language=show.language)
        + episode.notes_html
        + render_sponsors_html(rows.sponsors, language=show.language),
        enclosure_url=enclosure_url(base_url, audio),
        enclosure_size_bytes=audio.size_bytes,
        enclosure_type=audio.mime_type,
        duration_seconds=audio.duration_ms / 1000,
        explicit=show.explicit if episode.explicit is None else episode.explicit,
        episode_type=episode.episode_type,
        season=episode.season,
        season_name=episode.season_name,
        number=episode.number,
        artwork_url=artwork_url(base_url, rows.artwork) if rows.artwork else None,
        people=tuple(
            _feed_person(credit, base_url) for credit in episode_people(show.hosts, rows.credits)
        ),
        transcripts=tuple(
            FeedTranscript(
                url=base_url + transcript_path(transcript),
                mime_type=transcript.mime_type,
                language=transcript.language,
            )
            for transcript in in_feed(rows.transcripts)
        ),
        chapters_url=chapters_url(base_url, episode) if episode.chapters_changed_at else None,
        is_blocked=episode.is_blocked,
        author=episode.author,
        images=_images(rows.artwork, base_url) if show.has_images else (),
        inline_chapters=tuple(_chapter(chapter) for chapter in rows.listed_chapters()),
        tags=_episode_tags(episode, audio) if episode.tags else NO_EPISODE_TAGS,
    )


def _episode_tags(episode: Row[Any], audio: Row[Any]) -> EpisodeTags:
    """What the episode says and its audio bears out."""
    tags = stored_episode_tags(json.loads(episode.tags))
    inside = [entry for entry in tags.soundbites if lies_inside(entry, audio.duration_ms)]
    return msgspec.structs.replace(tags, soundbites=tuple(inside))


def _images(artwork: Artwork | ArtworkRow | None, base_url: str) -> tuple[FeedImage, ...]:
    """The picture in every size, largest first."""
    if artwork is None:
        return ()
    sizes = sorted((entry[0] for entry in artwork.sizes), reverse=True)
    return tuple(FeedImage(artwork_url(base_url, artwork, size=size), size) for size in sizes)


def _chapter(chapter: ChapterRow) -> Chapter:
    return Chapter(
        start_ms=chapter.start_ms,
        end_ms=chapter.end_ms,
        title=chapter.title or "",
        url=chapter.url,
        image_url=chapter.image_url,
        is_hidden=chapter.is_hidden,
    )


def chapters_url(base_url: str, episode: Episode | Row[Any]) -> str:
    """Where the episode's JSON chapters are."""
    return f"{base_url}/chapters/{episode.id}.json"


def _feed_person(credit: CreditRow, base_url: str) -> FeedPerson:
    return FeedPerson(
        name=credit.name,
        role=credit.role,
        group=credit.group,
        url=credit.url,
        image_url=held_picture_url(base_url, credit.artwork) or credit.image_url,
    )
