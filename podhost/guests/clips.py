"""Clips: parts of an episode's audio that a guest asks for, cut by a job, to be shared.

They are no part of the feed, and the episode's own audio stays as it is.
"""

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podhost.artwork import file_sha256
from podhost.db import Database, new_id
from podhost.errors import Conflict, Invalid, NotFound
from podhost.fields import may_be_slug
from podhost.formats import clips as cutting
from podhost.guests.links import Guest
from podhost.jobs import enqueue
from podhost.models import Audio, Clip, Episode, GuestLink
from podhost.storage import Storage

CUT_CLIP = "cut_clip"
MOST_CLIPS = 20


def create_clip(
    session: Session, guest: Guest, start_ms: int, end_ms: int, *, now: datetime
) -> Clip:
    """Have a part of the episode cut out; the same part is cut once. Times are milliseconds.

    Raises Invalid for a wrong part, Conflict before the publication and where there are many.
    """
    audio = guest.episode.audio
    if not guest.is_out or audio is None:
        raise Conflict("Clips can be made once the episode is out.")
    _check_part(start_ms, end_ms, audio.duration_ms)
    same = select(Clip).where(
        Clip.link_id == guest.link.id,
        Clip.audio_id == audio.id,
        Clip.start_ms == start_ms,
        Clip.end_ms == end_ms,
    )
    if (known := session.scalar(same)) is not None:
        return known
    count = select(func.count()).where(Clip.link_id == guest.link.id)
    if (session.scalar(count) or 0) >= MOST_CLIPS:
        raise Conflict(f"{MOST_CLIPS} clips were made by this link; delete one of them first.")
    clip = Clip(
        id=new_id(),
        link_id=guest.link.id,
        audio_id=audio.id,
        start_ms=start_ms,
        end_ms=end_ms,
        status="waiting",
        mime_type=cutting.MIME_TYPE,
        created_at=now,
    )
    session.add(clip)
    session.flush()
    enqueue(session, CUT_CLIP, clip.id, now=now, run_at=now)
    return clip


def list_clips(session: Session, link: GuestLink) -> Sequence[Clip]:
    """What was asked for by this link, newest first."""
    return session.scalars(
        select(Clip).where(Clip.link_id == link.id).order_by(Clip.created_at.desc(), Clip.id)
    ).all()


def get_clip(session: Session, link: GuestLink, clip_id: str) -> Clip:
    """One that was asked for by this link. Raises NotFound."""
    clip = session.get(Clip, clip_id) if may_be_slug(clip_id) else None
    if clip is None or clip.link_id != link.id:
        raise NotFound("There is no such clip.")
    return clip


def delete_clip(session: Session, clip: Clip) -> None:
    """Forget a clip; the sweep takes its file away."""
    session.delete(clip)
    session.flush()


def make_clip(database: Database, storage: Storage, clip_id: str) -> None:
    """Do the job: cut, store, and say so. Doing it again for what is done does nothing."""
    with database.read() as session:
        clip = session.get(Clip, clip_id)
        if clip is None or clip.status == "done":
            return
        audio = session.get_one(Audio, clip.audio_id)
        title = session.get_one(Episode, audio.episode_id).title
    if audio.purged_at is not None:
        _note_failure(database, clip_id, "The audio has been replaced meanwhile; cut it again.")
        return
    with tempfile.TemporaryDirectory(prefix="podhost-clip-") as folder:
        source = storage.local_path(audio.storage_key)
        if source is None:
            source = Path(folder) / f"source.{audio.extension}"
            storage.download_to(audio.storage_key, source)
        target = Path(folder) / f"clip.{cutting.EXTENSION}"
        try:
            cutting.cut_clip(source, target, clip.start_ms, clip.end_ms, title)
        except Invalid as error:
            _note_failure(database, clip_id, error.message)
            return
        # A key of its own for each try: one that was killed may have stored its file already.
        key = f"clips/{new_id()}.{cutting.EXTENSION}"
        size_bytes = storage.put_file(key, target, content_type=cutting.MIME_TYPE)
        sha256 = file_sha256(target)
    with database.write() as session:
        row = session.get(Clip, clip_id, with_for_update=True)
        if row is not None and row.storage_key is None:
            row.storage_key, row.size_bytes, row.sha256 = key, size_bytes, sha256
            row.status, row.problem = "done", None


def _note_failure(database: Database, clip_id: str, problem: str) -> None:
    with database.write() as session:
        row = session.get(Clip, clip_id)
        if row is not None:
            row.status, row.problem = "failed", problem


def _check_part(start_ms: int, end_ms: int, duration_ms: int) -> None:
    sentence = None
    length_ms = end_ms - start_ms
    if not 0 <= start_ms < end_ms:
        sentence = "The clip must end after it begins."
    elif end_ms > duration_ms:
        sentence = "The clip must end before the episode does."
    elif length_ms < cutting.SHORTEST_MS:
        sentence = "A clip must have a second at least."
    elif length_ms > cutting.LONGEST_MS:
        sentence = f"A clip can have {cutting.LONGEST_MS // 1000} seconds at most."
    if sentence is not None:
        raise Invalid(sentence, {"end": sentence})
