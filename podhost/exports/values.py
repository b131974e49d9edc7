"""Rows as the values of a show's folder: of show.toml, of the episodes' texts, of addresses.json.

It writes no file; names of files are given to it. `folders.values` is the way back.
"""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from msgspec import Struct

from podhost.chapters.rows import list_chapters
from podhost.folders.values import found_chapters
from podhost.formats.feed_tags import lies_inside, stored_episode_tags
from podhost.formats.folder_addresses import (
    MOST_EARLIER,
    MOST_OLD_SLUGS,
    KeptEpisode,
    KeptOriginal,
    KeptRevision,
)
from podhost.formats.folder_fields import WrongError, read_slug
from podhost.formats.podcast_namespace import normalise_role
from podhost.formats.showfolder import EpisodeFile, LinkEntry, OwnerEntry, PersonEntry, ShowFile
from podhost.formats.showfolder_writing import local_date
from podhost.formats.tag_values import EpisodeTags, ShowTags
from podhost.models import Audio, Credit, Episode, Show

# The same in every folder, so that show.toml need not name it.
SHOW_ARTWORK = "artwork.jpg"


def show_file(show: Show, credits: Sequence[Credit], pictures: Mapping[str, str]) -> ShowFile:
    """What show.toml is to say; `pictures` are the files of people's pictures by artwork id."""
    owner = None
    if show.owner_email:
        owner = OwnerEntry(name=show.owner_name, email=show.owner_email)
    return ShowFile(
        title=show.title,
        slug=show.slug,
        description=show.description,
        language=show.language,
        author=show.author or None,
        link=show.link,
        copyright=show.copyright,
        explicit=show.explicit,
        show_type=show.show_type,  # type: ignore[arg-type]  # rows hold any text
        categories=tuple(" > ".join(part for part in pair if part) for pair in show.categories),
        time_zone=show.time_zone,
        artwork=SHOW_ARTWORK,
        podcast_guid=show.podcast_guid,
        locked=show.is_locked,
        owner=owner,
        medium=show.medium,
        complete=show.is_complete,
        block=show.is_blocked,
        new_feed_url=show.new_feed_url,
        write_tags=show.write_tags,
        moved_to=show.moved_to,
        moved_audio=show.moved_audio or None,
        people=tuple(_person(credit, pictures) for credit in credits),
        tags=_in_order(show.tags or {}, ShowTags),
    )


def episode_file(
    show: Show,
    episode: Episode,
    pictures: Mapping[str, str],
    *,
    audio: str | None = None,
    transcripts: Sequence[str] = (),
) -> EpisodeFile:
    """What an episode's text is to say; `audio` and `transcripts` where names do not tell it."""
    guests, people = _split(episode.credits)
    at = episode.published_at
    # A scheduled one is what its date says: published elsewhere, should it have come meanwhile.
    status = episode.status if episode.status in ("draft", "withdrawn") and at else None
    return EpisodeFile(
        title=episode.title,
        date=local_date(at, show.time_zone) if at is not None else None,
        status=status,  # type: ignore[arg-type]  # as above
        guid=episode.guid,
        slug=episode.slug if _is_readable_slug(episode.slug) else None,
        season=episode.season,
        season_name=episode.season_name,
        number=episode.number,
        episode_type=episode.episode_type,  # type: ignore[arg-type]  # as above
        explicit=episode.explicit,
        author=episode.author,
        link=episode.link,
        block=episode.is_blocked,
        audio=audio,
        transcripts=tuple(transcripts),
        guests=tuple(_person(credit, pictures) for credit in guests),
        people=tuple(_person(credit, pictures) for credit in people),
        tags=_tags(episode),
        notes=episode.notes,
    )


def kept_episode(
    episode: Episode,
    revisions: Sequence[Audio],
    old_slugs: Sequence[str],
    transcripts: Mapping[str, Mapping[str, str]],
    original: KeptOriginal | None = None,
) -> KeptEpisode:
    """What addresses.json is to say of an episode; `revisions` are all of its audio."""
    current = episode.audio
    return KeptEpisode(
        id=episode.id,
        slug=episode.slug,
        audio=_revision(current) if current is not None else None,
        original=original,
        earlier=tuple(_revision(audio) for audio in revisions if audio.replaced_at is not None)[
            -MOST_EARLIER:
        ],
        old_slugs=tuple(old_slugs[:MOST_OLD_SLUGS]),
        transcripts={name: dict(ids) for name, ids in transcripts.items()},
        has_artwork=episode.artwork is not None,
        moved_audio_url=episode.moved_audio_url,
    )


def has_own_chapters(episode: Episode) -> bool:
    """Whether its chapters are other ones than its audio has inside, or its notes list."""
    tags = episode.audio.tags if episode.audio is not None else {}
    if episode.audio is not None and "chapters" not in tags:
        # Probed by a version that did not say; an empty file does no harm.
        return True
    duration_ms = episode.audio.duration_ms if episode.audio is not None else None
    return list_chapters(episode) != found_chapters(tags, episode.notes, duration_ms)


def _tags(episode: Episode) -> Mapping[str, Any]:
    """Its feed tags, but for soundbites that no file may name: they end after the audio does."""
    tags = dict(episode.tags or {})
    if "soundbites" in tags and episode.audio is not None:
        found = stored_episode_tags(tags).soundbites
        inside = [lies_inside(soundbite, episode.audio.duration_ms) for soundbite in found]
        tags["soundbites"] = [*compress(tags["soundbites"], inside)]
    given = {name: value for name, value in tags.items() if value not in (None, [])}
    return _in_order(given, EpisodeTags)


def _in_order(tags: Mapping[str, Any], kind: type[Struct]) -> Mapping[str, Any]:
    """The same tags in one order, whichever was given first: files must not differ by that."""
    places = {name: place for place, name in enumerate(kind.__struct_fields__)}
    return dict(sorted(tags.items(), key=lambda tag: places.get(tag[0], len(places))))


def _split(credits: Sequence[Credit]) -> tuple[Sequence[Credit], Sequence[Credit]]:
    """Guests and people of the text, in which guests come first; else everybody is in one list."""
    count = next((n for n, credit in enumerate(credits) if credit.role != "guest"), len(credits))
    if any(credit.role == "guest" for credit in credits[count:]):
        return (), credits
    return credits[:count], credits[count:]


def _person(credit: Credit, pictures: Mapping[str, str]) -> PersonEntry:
    own_group = normalise_role(credit.role, None)[1]
    return PersonEntry(
        name=credit.name,
        role=credit.role,
        group=credit.group if credit.group != own_group else None,
        url=credit.url,
        bio=credit.bio or None,
        image=pictures.get(credit.artwork_id or "") or credit.image_url,
        links=tuple(LinkEntry(**link) for link in credit.links or ()),
    )


def _revision(audio: Audio) -> KeptRevision:
    return KeptRevision(
        revision=audio.revision,
        name=audio.url_name,
        extension=audio.extension,
        replaced_at=audio.replaced_at,
    )


def _is_readable_slug(slug: str) -> bool:
    try:
        return bool(read_slug(slug) == slug)
    except WrongError:
        return False
