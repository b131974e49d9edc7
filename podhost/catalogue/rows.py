"""Rows as the catalogue holds them: which shows there are, and where an episode's audio lies.

It remembers nothing and sends nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.catalogue.entries import AudioTarget, EpisodeAudio
from podhost.feeds.formats import RSS, FeedFormat
from podhost.instance import Instance
from podhost.models import Audio, Episode, FeedSnapshot, FormerDomain, Show, ShowSlug, Site

NO_EPISODE: Final = 404
GONE: Final = 410


@dataclass(frozen=True, slots=True)
class KnownShow:
    """Where a slug leads: to its show, whose slug may be another one by now.

    `further` are the paths of its further feeds and older pages, `gone` those of former ones.
    """

    show_id: str
    slug: str
    is_deleted: bool
    # Where its RSS feed is now, at another host.
    redirect_to: str | None = None
    further: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()

    def new_address(self, format_: FeedFormat) -> str | None:
        """Where polls of this feed are sent; None: nowhere. Of others no new address is known."""
        return self.redirect_to if format_ is RSS else None


def read_shows(
    session: Session, show_ids: Collection[str] | None
) -> tuple[dict[str, KnownShow], dict[str, tuple[str, ...]]]:
    """Shows by slug, old slugs too, and slugs by show; of all shows or of those given."""
    # Columns of tables and not of classes: this is read before the first request is answered,
    # and what SQLAlchemy prepares for its classes takes longer than both queries.
    row, former_row, further_row = Show.__table__.c, ShowSlug.__table__.c, FeedSnapshot.__table__.c
    current = select(row.id, row.slug, row.deleted_at, row.redirect_to)
    former = select(former_row.slug, former_row.show_id)
    further = select(further_row.show_id, further_row.path, further_row.gone_at.is_not(None))
    if show_ids is not None:
        further = further.where(further_row.show_id.in_(show_ids))
        current = current.where(row.id.in_(show_ids))
        former = former.where(former_row.show_id.in_(show_ids))
    paths: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for show_id, path, is_gone in session.execute(further):
        paths[show_id, bool(is_gone)].add(path)
    known = {
        show_id: KnownShow(
            show_id,
            slug,
            deleted_at is not None,
            redirect_to,
            frozenset(paths.get((show_id, False), ())),
            frozenset(paths.get((show_id, True), ())),
        )
        for show_id, slug, deleted_at, redirect_to in session.execute(current)
    }
    shows = {slug: known[show_id] for slug, show_id in session.execute(former) if show_id in known}
    # A slug in use wins over the same slug of long ago.
    shows.update((show.slug, show) for show in known.values())
    slugs_of: dict[str, list[str]] = {}
    for slug, show in shows.items():
        slugs_of.setdefault(show.show_id, []).append(slug)
    return shows, {show_id: tuple(slugs) for show_id, slugs in slugs_of.items()}


def read_domains(session: Session) -> dict[str, str]:
    """The slugs of the shows that have a domain of their own, by that; of deleted ones too, or
    their readers would be shown all other shows there."""
    row, show = Site.__table__.c, Show.__table__.c
    found = session.execute(
        select(row.domain, show.slug)
        .join_from(Site.__table__, Show.__table__, row.show_id == show.id)
        .where(row.domain.is_not(None))
    )
    return {domain: slug for domain, slug in found}


class LeftDomain(NamedTuple):
    """Whose a domain was: the show's slug, and the domain that it has now, if any."""

    slug: str
    domain: str | None


def read_left_domains(session: Session, base_url: str) -> dict[str, LeftDomain]:
    """The domains that shows had and none has now, but for podhost's own; and for those from which
    one would be led to an address that only the machine itself can reach."""
    left, row, show = FormerDomain.__table__.c, Site.__table__.c, Show.__table__.c
    found = session.execute(
        select(left.domain, show.slug, row.domain)
        .join_from(FormerDomain.__table__, Show.__table__, left.show_id == show.id)
        .outerjoin(Site.__table__, row.show_id == show.id)
    ).all()
    if not found:
        return {}
    # Loaded where it is needed: most have one domain for ever, and serving begins sooner.
    from podhost.shows import is_public

    main, is_reached = urlsplit(base_url).hostname, is_public(base_url)
    return {
        domain: LeftDomain(slug, now)
        for domain, slug, now in found
        if domain != main and (now or is_reached)
    }


def shows_of_episodes(session: Session, episode_ids: Collection[str]) -> set[str]:
    """The ids of the shows that these episodes are of."""
    if not episode_ids:
        return set()
    row = Episode.__table__.c
    return set(session.scalars(select(row.show_id).where(row.id.in_(episode_ids))))


def read_episode(instance: Instance, episode_id: str) -> EpisodeAudio:
    """Every revision of an episode's audio, and whether listeners may have it.

    Raises Unavailable when the database is away.
    """
    return read_episodes(instance, [episode_id]).get(episode_id) or EpisodeAudio(404)


def read_episodes(instance: Instance, episode_ids: Collection[str]) -> dict[str, EpisodeAudio]:
    """The same for several, by id; who does not exist is left out."""
    from podhost.audio.revisions import enclosure_url

    revisions: dict[str, list[Audio]] = {}
    with instance.database.read() as session:
        found = session.execute(
            select(Episode, Show.deleted_at)
            .join(Show, Episode.show_id == Show.id)
            .where(Episode.id.in_(episode_ids))
        ).all()
        for row in session.scalars(select(Audio).where(Audio.episode_id.in_(episode_ids))):
            revisions.setdefault(row.episode_id, []).append(row)
    known = {}
    for episode, show_deleted_at in found:
        rows = revisions.get(episode.id, [])
        current = next((row for row in rows if row.replaced_at is None), None)
        known[episode.id] = EpisodeAudio(
            # What leads to another host does so also when the show is deleted here.
            episode_status(episode, None if episode.moved_audio_url else show_deleted_at),
            episode.show_id,
            {str(row.revision): _target(instance, row, episode.show_id) for row in rows},
            enclosure_url(instance.base_url, current)
            if current is not None and current.purged_at is None
            else None,
            episode.moved_audio_url,
        )
    return known


def read_titles(instance: Instance, episode_id: str) -> tuple[str, ...]:
    """The titles of an episode's show and of itself; nothing for none. Raises Unavailable."""
    with instance.database.read() as session:
        found = session.execute(
            select(Show.title, Episode.title)
            .join(Episode, Episode.show_id == Show.id)
            .where(Episode.id == episode_id)
        ).first()
    return tuple(found or ())


def newest_episode_ids(instance: Instance, show_id: str, limit: int) -> Sequence[str]:
    """The episodes that most listeners will ask for. Raises Unavailable."""
    with instance.database.read() as session:
        return session.scalars(
            select(Episode.id)
            .where(
                Episode.show_id == show_id,
                Episode.status == "published",
                Episode.deleted_at.is_(None),
            )
            .order_by(Episode.published_at.desc())
            .limit(limit)
        ).all()


def _target(instance: Instance, row: Audio, show_id: str) -> AudioTarget:
    path = instance.storage.local_path(row.storage_key)
    return AudioTarget(row, show_id, None if path is None else str(path))


def episode_status(episode: Episode, show_deleted_at: datetime | None) -> int:
    """200 for what listeners may have, 410 for what they once could, 404 for all else.

    What is still to come may be had once an early feed names it.
    """
    if show_deleted_at or episode.deleted_at or episode.status == "withdrawn":
        # A draft that nobody could ever hear is not "gone".
        return GONE if episode.published_at or episode.status == "withdrawn" else NO_EPISODE
    is_early = episode.status == "scheduled" and episode.early_since is not None
    return 200 if episode.status == "published" or is_early else NO_EPISODE
