"""A folder that was written elsewhere: its show and episodes get the addresses that they had there.

What addresses.json says is taken only where it is free here, and only while rows are made for the
first time; nothing that is there already is changed by it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from podhost.audio.revisions import PreparedAudio, add_original
from podhost.audio.tagging import TAGGED_ELSEWHERE
from podhost.db import Database, new_id
from podhost.errors import Invalid
from podhost.fields import web_url
from podhost.folders.contents import EpisodeFiles
from podhost.folders.files import FolderFile, find_file, sha256_of
from podhost.folders.pictures import add_picture, prepare_picture
from podhost.folders.plan import EpisodePlan
from podhost.formats.folder_addresses import Addresses, KeptEpisode, KeptPicture, KeptRevision
from podhost.models import Audio, Episode, EpisodeSlug, Show, ShowSlug, Transcript
from podhost.shows import RESERVED_SLUGS, find_show
from podhost.storage import Storage
from podhost.uploads.intake import Intake


def free_episode_id(session: Session, kept: KeptEpisode | None) -> str | None:
    """The id that the episode had, where no episode here has it."""
    if kept is None or session.get(Episode, kept.id) is not None:
        return None
    return kept.id


def free_transcript_ids(
    database: Database, kept: KeptEpisode | None, file_name: str
) -> dict[str, str]:
    """The ids that the forms of a transcript's file had, by extension, where they are free."""
    wanted = kept.transcripts.get(file_name, {}) if kept is not None else {}
    if not wanted:
        return {}
    with database.read() as session:
        taken = set(
            session.scalars(select(Transcript.id).where(Transcript.id.in_(wanted.values())))
        )
    return {extension: found for extension, found in wanted.items() if found not in taken}


def find_original(root: Path, kept: KeptEpisode | None, copy_sha256: str) -> FolderFile | None:
    """The upload of an episode's audio in its folder, where it is the one that was written there
    and the audio is still the copy made of it."""
    if kept is None or kept.original is None or kept.original.copy_sha256 != copy_sha256:
        return None
    try:
        file = find_file(root, kept.original.file)
        return file if sha256_of(file) == kept.original.sha256 else None
    except (Invalid, ValueError):
        # What a stranger wrote there may be no name at all.
        return None


def restore_show(session: Session, show: Show, kept: Addresses, *, now: datetime) -> None:
    """Give a new show the slugs that it once had, its feed the date, and the place it moved to."""
    for slug in kept.old_slugs:
        if len(slug) <= 64 and slug not in RESERVED_SLUGS and find_show(session, slug) is None:
            session.add(ShowSlug(slug=slug, show_id=show.id))
            session.flush()
    if kept.changed_at is not None and kept.changed_at <= now:
        show.changed_at = kept.changed_at
    # As the text says; otherwise it is read first.
    if show.moved_to is not None and kept.redirect_to == show.moved_to:
        show.redirect_to = kept.redirect_to


def restore_episode(
    session: Session,
    show: Show,
    episode: Episode,
    kept: KeptEpisode,
    original: PreparedAudio | None,
    *,
    now: datetime,
) -> None:
    """Give a new episode the slugs that it had, and its audio the address.

    `original` is the upload, stored, where its audio is a copy with tags.
    """
    if show.redirect_to is not None and show.moved_audio and kept.moved_audio_url:
        with suppress(ValueError):
            episode.moved_audio_url = web_url(kept.moved_audio_url)
    if episode.slug != kept.slug and _is_free(session, show, kept.slug):
        episode.slug = kept.slug
        session.flush()
    for slug in kept.old_slugs:
        if _is_free(session, show, slug):
            session.add(EpisodeSlug(show_id=show.id, slug=slug, episode_id=episode.id))
            session.flush()
    audio = episode.audio
    if audio is None or kept.audio is None or episode.id != kept.id:
        return
    audio.revision, audio.url_name = kept.audio.revision, kept.audio.name
    session.flush()
    revisions = {audio.revision}
    if kept.original is not None and kept.original.copy_sha256 == audio.sha256:
        # Written once more, it would have another address.
        audio.tags_fingerprint = TAGGED_ELSEWHERE
        if original is not None and kept.original.revision < audio.revision:
            revisions.add(kept.original.revision)
            add_original(session, episode, original, revision=kept.original.revision, now=now)
    for earlier in kept.earlier:
        if earlier.revision < audio.revision and earlier.revision not in revisions:
            revisions.add(earlier.revision)
            session.add(_replaced(audio, earlier))
    session.flush()


def _replaced(audio: Audio, earlier: KeptRevision) -> Audio:
    """A revision whose bytes were left behind: its address redirects to the current one."""
    copied = ("mime_type", "kind", "codec", "size_bytes", "sha256", "duration_ms", "bitrate_bps")
    also = ("bitrate_mode", "sample_rate_hz", "channels", "header_bytes")
    replaced_at = earlier.replaced_at or audio.created_at
    return Audio(
        id=new_id(),
        episode_id=audio.episode_id,
        revision=earlier.revision,
        storage_key=f"audio/{new_id()}.{earlier.extension}",
        url_name=earlier.name,
        extension=earlier.extension,
        **{name: getattr(audio, name) for name in (*copied, *also)},
        problem=None,
        warnings=[],
        tags={},
        created_at=replaced_at,
        replaced_at=replaced_at,
        purged_at=replaced_at,
    )


def _is_free(session: Session, show: Show, slug: str) -> bool:
    current = select(Episode.id).where(Episode.show_id == show.id, Episode.slug == slug)
    return session.scalar(current) is None and session.get(EpisodeSlug, (show.id, slug)) is None


# Pictures


def store_shared_pictures(
    database: Database,
    storage: Storage,
    episodes: Sequence[EpisodePlan],
    pictures: Mapping[str, KeptPicture],
    *,
    now: datetime,
) -> None:
    """Store the pictures that several new episodes have, before two of them do so at once.

    Otherwise one of the two would have to store it under another id than it had. What cannot be
    used is left for the episode's own turn, which says so.
    """
    for file, is_square in _shared(episodes, pictures):
        with Intake(database, storage) as intake:
            try:
                picture = prepare_picture(
                    database, intake, file, is_square=is_square, kept=pictures
                )
            except Invalid:
                continue
            with database.write() as session:
                add_picture(session, picture, now=now)


def _shared(
    episodes: Sequence[EpisodePlan], pictures: Mapping[str, KeptPicture]
) -> list[tuple[FolderFile, bool]]:
    """One file for each picture that comes more than once, and whether it is artwork somewhere."""
    if not pictures:
        return []
    counts: Counter[str] = Counter()
    first: dict[str, FolderFile] = {}
    square: set[str] = set()
    for plan in episodes:
        if not plan.is_new or plan.problem is not None:
            continue
        for file in _pictures_of(plan.files):
            try:
                sha256 = sha256_of(file)
            except Invalid:
                continue
            counts[sha256] += 1
            first.setdefault(sha256, file)
            if file is plan.files.artwork:
                square.add(sha256)
    return [
        (first[sha256], sha256 in square)
        for sha256, count in counts.items()
        if count > 1 and sha256 in pictures
    ]


def _pictures_of(files: EpisodeFiles) -> list[FolderFile]:
    own = [files.artwork] if files.artwork is not None else []
    return [*own, *files.pictures.values()]
