"""What programs are told of shows and episodes: rows become the shapes that the API answers with.

The command line prints the same shapes. Nothing here changes a row or knows HTTP.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session, joinedload

from podhost.artwork import artwork_url
from podhost.audio.revisions import enclosure_url
from podhost.episodes import episode_warnings, row_warnings
from podhost.episodes.listing import ListedEpisode
from podhost.feeds.rendering import chapters_url
from podhost.formats.doctor_rules import Finding
from podhost.formats.feed_tags import stored_episode_tags, stored_show_tags
from podhost.formats.tag_values import (
    AlternateEnclosure,
    Chat,
    ContentLink,
    EpisodeValue,
    Funding,
    FurtherFeed,
    Image,
    License,
    LiveItem,
    Location,
    MediaRestriction,
    PlatformBlock,
    RemoteItem,
    SocialInteract,
    Soundbite,
    Txt,
    UpdateFrequency,
    Value,
)
from podhost.models import Artwork, Audio, Credit, Episode, Show, Transcript
from podhost.people import PersonLink, held_picture_url
from podhost.shows import feed_path, show_warnings
from podhost.transcripts import in_order, transcript_path


class PersonAnswer(msgspec.Struct, kw_only=True):
    """Somebody on a show or an episode; `role` and `group` by the Podcast Taxonomy."""

    name: str
    role: str
    group: str
    url: str | None
    bio: str
    image_url: str | None
    links: list[PersonLink]


class TranscriptAnswer(msgspec.Struct, kw_only=True):
    """One transcript file; without a language it is in that of the show."""

    url: str
    mime_type: str
    language: str | None


class AudioAnswer(msgspec.Struct, kw_only=True):
    """What was measured of the current audio file; the duration is exact to the millisecond.

    `original_sha256` is that of the file as it was uploaded, where tags were written into a copy.
    """

    duration_seconds: float
    size_bytes: int
    mime_type: str
    bitrate_kbps: int
    bitrate_mode: str
    codec: str
    sample_rate_hz: int
    channels: int
    sha256: str
    original_sha256: str | None
    revision: int


class EpisodeAnswer(msgspec.Struct, kw_only=True):
    """One episode. `notes` is the Markdown as written; `explicit` null means as the show says.

    `version` rises with every change.
    """

    id: str
    guid: str
    slug: str
    title: str
    notes: str
    status: str
    published_at: datetime | None
    season: int | None
    season_name: str | None
    number: int | None
    episode_type: str
    explicit: bool | None
    author: str | None
    link: str | None
    blocked: bool
    apple_title: str | None
    decimal_number: str | None
    episode_display: str | None
    artwork_alt: str | None
    other_images: tuple[Image, ...]
    soundbites: tuple[Soundbite, ...]
    txt: tuple[Txt, ...]
    funding: tuple[Funding, ...]
    location: tuple[Location, ...]
    license: License | None
    value: EpisodeValue | None
    chat: Chat | None
    social_interact: tuple[SocialInteract, ...]
    alternate_enclosures: tuple[AlternateEnclosure, ...]
    content_links: tuple[ContentLink, ...]
    media_restriction: MediaRestriction | None
    foreign_tags: tuple[str, ...]
    labels: tuple[str, ...]
    url: str
    artwork_url: str | None
    people: list[PersonAnswer]
    chapters_url: str | None
    transcripts: list[TranscriptAnswer]
    enclosure_url: str | None
    audio: AudioAnswer | None
    created_at: datetime
    changed_at: datetime
    version: int
    warnings: list[str]


class EpisodeList(msgspec.Struct, kw_only=True):
    """A page of episodes, newest first; `next` is the address of the next page."""

    episodes: list[EpisodeAnswer]
    total: int
    next: str | None


class ShowAnswer(msgspec.Struct, kw_only=True, rename={"show_type": "type"}):
    """One show, with every field that can be given, as it stands now."""

    id: str
    slug: str
    title: str
    description: str
    link: str | None
    language: str
    author: str
    copyright: str | None
    owner_name: str | None
    owner_email: str | None
    explicit: bool
    show_type: str
    categories: list[list[str | None]]
    time_zone: str
    podcast_guid: str
    medium: str
    locked: bool
    blocked: bool
    complete: bool
    new_feed_url: str | None
    locked_owner: str | None
    apple_title: str | None
    managing_editor: str | None
    web_master: str | None
    write_tags: bool
    moved_to: str | None
    moved_audio: bool
    redirect_to: str | None
    txt: tuple[Txt, ...]
    funding: tuple[Funding, ...]
    location: tuple[Location, ...]
    license: License | None
    value: Value | None
    images: bool
    artwork_alt: str | None
    other_images: tuple[Image, ...]
    platform_blocks: tuple[PlatformBlock, ...]
    update_frequency: UpdateFrequency | None
    podroll: tuple[RemoteItem, ...]
    publisher: RemoteItem | None
    remote_items: tuple[RemoteItem, ...]
    chat: Chat | None
    social_interact: tuple[SocialInteract, ...]
    inline_chapters: bool
    spotify_limit: int | None
    spotify_countries: tuple[str, ...]
    media_restriction: MediaRestriction | None
    live_items: tuple[LiveItem, ...]
    foreign_tags: tuple[str, ...]
    feeds: tuple[FurtherFeed, ...]
    feed_page_size: int | None
    slim_after: int | None
    people: list[PersonAnswer]
    feed_url: str
    url: str
    artwork_url: str | None
    episode_count: int
    created_at: datetime
    changed_at: datetime
    warnings: list[str]


class ShowList(msgspec.Struct, kw_only=True):
    """A page of shows by title; `next` is the address of the next page."""

    shows: list[ShowAnswer]
    total: int
    next: str | None


class HubAnswer(msgspec.Struct, kw_only=True):
    """Somebody who is told of changes, and what is known there.

    `kind` is websub, podping or podcast_index, `feed` the end of the feed's path. `status` is none
    (nothing was to be told yet), waiting, told, failing (it is tried again) or given_up (until the
    feed changes); `last_status` is the HTTP status of its last answer.
    """

    url: str
    kind: str
    feed: str
    status: str
    last_sent_at: datetime | None
    tried_at: datetime | None
    last_status: int | None
    error: str | None
    snapshot_version: int | None


class HubList(msgspec.Struct, kw_only=True):
    """Everybody who is told of a show's changes; `snapshot_version` is that of its feed now."""

    hubs: list[HubAnswer]
    snapshot_version: int | None


class LiveList(msgspec.Struct, kw_only=True):
    """The live streams of a show, in the order of its feed."""

    live_items: Sequence[LiveItem]


def episode_answer(
    show: Show, episode: Episode, base_url: str, *, warnings: Sequence[str] = ()
) -> EpisodeAnswer:
    """The episode as the API tells it; `warnings` come before those that its rows give."""
    return _episode(
        show,
        episode,
        base_url,
        audio=episode.audio,
        artwork=episode.artwork,
        people=[_person(credit, credit.artwork, base_url) for credit in episode.credits],
        transcripts=episode.transcripts,
        warnings=[*warnings, *episode_warnings(episode)],
    )


def listed_answer(show: Show, listed: ListedEpisode, base_url: str) -> EpisodeAnswer:
    """The same answer for an episode of a list."""
    episode, pictures = listed.episode, listed.pictures
    return _episode(
        show,
        episode,
        base_url,
        audio=listed.audio,
        artwork=pictures.get(episode.artwork_id),
        people=[_person(row, pictures.get(row.artwork_id), base_url) for row in listed.credits],
        transcripts=listed.transcripts,
        warnings=row_warnings(show, episode, listed.audio),
    )


def _episode(
    show: Show,
    episode: Episode | Row[Any],
    base_url: str,
    *,
    audio: Audio | Row[Any] | None,
    artwork: Artwork | Row[Any] | None,
    people: list[PersonAnswer],
    transcripts: Sequence[Transcript | Row[Any]],
    warnings: Sequence[str],
) -> EpisodeAnswer:
    return EpisodeAnswer(
        id=episode.id,
        guid=episode.guid,
        slug=episode.slug,
        title=episode.title,
        notes=episode.notes,
        status=episode.status,
        published_at=episode.published_at,
        season=episode.season,
        season_name=episode.season_name,
        number=episode.number,
        episode_type=episode.episode_type,
        explicit=episode.explicit,
        author=episode.author,
        link=episode.link,
        blocked=episode.is_blocked,
        **msgspec.structs.asdict(stored_episode_tags(episode.tags)),
        url=f"{base_url}/{show.slug}/episodes/{episode.slug}",
        artwork_url=artwork_url(base_url, artwork) if artwork is not None else None,
        people=people,
        chapters_url=chapters_url(base_url, episode) if episode.chapters_changed_at else None,
        transcripts=[_transcript(transcript, base_url) for transcript in in_order(transcripts)],
        enclosure_url=enclosure_url(base_url, audio) if audio is not None else None,
        audio=_audio(audio) if audio is not None else None,
        created_at=episode.created_at,
        changed_at=episode.changed_at,
        version=episode.edit_version,
        warnings=list(dict.fromkeys(warnings)),
    )


def show_answer(
    session: Session, show: Show, base_url: str, *, warnings: Sequence[str] = ()
) -> ShowAnswer:
    """The show as the API tells it; `warnings` come before those that its rows give."""
    answer = show_answers(session, [show], base_url)[0]
    answer.warnings = [*warnings, *answer.warnings]
    return answer


def show_answers(session: Session, shows: Sequence[Show], base_url: str) -> list[ShowAnswer]:
    """The shows as the API tells them, in three queries however many they are."""
    ids = [show.id for show in shows]
    counts: dict[str, int] = {}
    for show_id, count in session.execute(
        select(Episode.show_id, func.count())
        .where(Episode.show_id.in_(ids), Episode.deleted_at.is_(None))
        .group_by(Episode.show_id)
    ):
        counts[show_id] = count
    credits: dict[str, list[Credit]] = {}
    for credit in session.scalars(
        select(Credit)
        .where(Credit.show_id.in_(ids), Credit.episode_id.is_(None))
        .order_by(Credit.position)
        .options(joinedload(Credit.artwork))
    ):
        credits.setdefault(credit.show_id, []).append(credit)
    # Into the session in one go, so that the relationship below asks nothing.
    pictures = [show.artwork_id for show in shows if show.artwork_id is not None]
    held = session.scalars(select(Artwork).where(Artwork.id.in_(pictures))).all()
    answers = [
        _show(show, credits.get(show.id, []), counts.get(show.id, 0), base_url) for show in shows
    ]
    del held
    return answers


def _show(show: Show, credits: Sequence[Credit], episode_count: int, base_url: str) -> ShowAnswer:
    return ShowAnswer(
        id=show.id,
        slug=show.slug,
        title=show.title,
        description=show.description,
        link=show.link,
        language=show.language,
        author=show.author,
        copyright=show.copyright,
        owner_name=show.owner_name,
        owner_email=show.owner_email,
        explicit=show.explicit,
        show_type=show.show_type,
        categories=show.categories,
        time_zone=show.time_zone,
        podcast_guid=show.podcast_guid,
        medium=show.medium,
        locked=show.is_locked,
        blocked=show.is_blocked,
        complete=show.is_complete,
        new_feed_url=show.new_feed_url,
        write_tags=show.write_tags,
        moved_to=show.moved_to,
        moved_audio=show.moved_audio,
        redirect_to=show.redirect_to,
        **msgspec.structs.asdict(stored_show_tags(show.tags)),
        people=[_person(credit, credit.artwork, base_url) for credit in credits],
        feed_url=base_url + feed_path(show),
        url=f"{base_url}/{show.slug}/",
        artwork_url=artwork_url(base_url, show.artwork) if show.artwork else None,
        episode_count=episode_count,
        created_at=show.created_at,
        changed_at=show.changed_at,
        warnings=show_warnings(show),
    )


def _person(
    credit: Credit | Row[Any], artwork: Artwork | Row[Any] | None, base_url: str
) -> PersonAnswer:
    return PersonAnswer(
        name=credit.name,
        role=credit.role,
        group=credit.group,
        url=credit.url,
        bio=credit.bio,
        image_url=held_picture_url(base_url, artwork) or credit.image_url,
        links=[PersonLink(**link) for link in credit.links or ()],
    )


def _transcript(transcript: Transcript | Row[Any], base_url: str) -> TranscriptAnswer:
    return TranscriptAnswer(
        url=base_url + transcript_path(transcript),
        mime_type=transcript.mime_type,
        language=transcript.language,
    )


def _audio(audio: Audio | Row[Any]) -> AudioAnswer:
    return AudioAnswer(
        duration_seconds=audio.duration_ms / 1000,
        size_bytes=audio.size_bytes,
        mime_type=audio.mime_type,
        bitrate_kbps=round(audio.bitrate_bps / 1000),
        bitrate_mode=audio.bitrate_mode,
        codec=audio.codec,
        sample_rate_hz=audio.sample_rate_hz,
        channels=audio.channels,
        sha256=audio.sha256,
        original_sha256=audio.original_sha256,
        revision=audio.revision,
    )


class Diagnosis(msgspec.Struct, kw_only=True):
    """What the doctor found, the worst first. An error is what a directory rejects."""

    subject: str
    errors: int
    warnings: int
    hints: int
    findings: list[Finding]
