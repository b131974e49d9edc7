"""Pictures that guests share: drawn by a job when a published episode has a guest with a link, and
drawn anew when what is seen on them changes."""

import hashlib
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from podhost.artwork import file_sha256, storage_key
from podhost.db import Database, new_id
from podhost.errors import Invalid
from podhost.formats import share_pictures as drawing
from podhost.guests.links import find_credit
from podhost.models import Artwork, Episode, GuestLink, SharePicture, Show
from podhost.storage import Storage

# The artwork is shown no larger.
_ARTWORK_PX = 600


class _Seen(NamedTuple):
    """What is seen on the pictures of a link."""

    artwork: Artwork
    title: str
    show_title: str
    name: str

    @property
    def fingerprint(self) -> str:
        """Of everything that is seen."""
        seen = (drawing.LAYOUT, self.artwork.id, self.title, self.show_title, self.name)
        return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()


def list_pictures(session: Session, link: GuestLink) -> Sequence[SharePicture]:
    """What there is to share for this link; nothing until it has been drawn."""
    return session.scalars(
        select(SharePicture)
        .where(SharePicture.link_id == link.id)
        .order_by(SharePicture.shape.desc())
    ).all()


def stale_link_ids(session: Session) -> Sequence[str]:
    """Guests' links to published episodes whose pictures may show something that has changed."""
    return session.scalars(
        select(GuestLink.id)
        .join(Episode, Episode.id == GuestLink.episode_id)
        .join(Show, Show.id == Episode.show_id)
        .where(
            GuestLink.revoked_at.is_(None),
            GuestLink.person_id.is_not(None),
            Episode.status == "published",
            Episode.deleted_at.is_(None),
            Show.deleted_at.is_(None),
            or_(
                GuestLink.drawn_of.is_(None),
                GuestLink.drawn_of < Episode.changed_at,
                GuestLink.drawn_of < Show.changed_at,
            ),
        )
    ).all()


def draw_pictures(database: Database, storage: Storage, link_id: str, *, now: datetime) -> None:
    """Do the job: draw what is not as it should be. Doing it again draws nothing."""
    with database.read() as session:
        link = session.get(GuestLink, link_id)
        seen = _seen(session, link) if link is not None and link.revoked_at is None else None
        known = {row.fingerprint for row in list_pictures(session, link)} if link else set()
        changed_at = _changed_at(session, link) if link is not None else now
    if seen is None or known == {seen.fingerprint}:
        with database.write() as session:
            row = session.get(GuestLink, link_id)
            if row is not None:
                row.drawn_of = changed_at
        return
    with tempfile.TemporaryDirectory(prefix="podhost-share-") as folder:
        artwork = Path(folder) / "artwork.jpg"
        sizes = sorted(size for size, _ in seen.artwork.sizes)
        size = next((each for each in sizes if each >= _ARTWORK_PX), sizes[-1])
        storage.download_to(storage_key(seen.artwork.id, size), artwork)
        try:
            files = drawing.draw_share_pictures(
                artwork,
                Path(folder),
                title=seen.title,
                show_title=seen.show_title,
                name=seen.name,
            )
        except Invalid:
            files = {}
        rows = [_stored(storage, link_id, seen, *file, now=now) for file in files.items()]
    with database.write() as session:
        row = session.get(GuestLink, link_id, with_for_update=True)
        if row is None:
            return
        row.drawn_of = changed_at
        for old in list_pictures(session, row):
            session.delete(old)
        session.flush()
        session.add_all(rows)


def _seen(session: Session, link: GuestLink) -> _Seen | None:
    episode = session.get_one(Episode, link.episode_id)
    credit = find_credit(session, episode, link.person_id or "")
    artwork = episode.artwork or episode.show.artwork
    if credit is None or artwork is None:
        return None
    return _Seen(artwork, episode.title, episode.show.title, credit.name)


def _changed_at(session: Session, link: GuestLink) -> datetime:
    episode = session.get_one(Episode, link.episode_id)
    return max(episode.changed_at, episode.show.changed_at)


def _stored(
    storage: Storage, link_id: str, seen: _Seen, shape: str, path: Path, *, now: datetime
) -> SharePicture:
    picture_id = new_id()
    key = f"share/{picture_id}.{drawing.EXTENSION}"
    width, height = drawing.SHAPES[shape]
    return SharePicture(
        id=picture_id,
        link_id=link_id,
        shape=shape,
        fingerprint=seen.fingerprint,
        storage_key=key,
        mime_type=drawing.MIME_TYPE,
        width=width,
        height=height,
        size_bytes=storage.put_file(key, path, content_type=drawing.MIME_TYPE),
        sha256=file_sha256(path),
        created_at=now,
    )
