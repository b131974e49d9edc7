"""Artwork: a given picture becomes stored files in the sizes that apps ask for, and a row."""

import hashlib
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from podhost.db import new_id
from podhost.errors import Conflict
from podhost.feeds.rows import ArtworkRow
from podhost.formats.artwork import (
    LONGEST_SECONDS,
    SMALLEST_ARTWORK_PX,
    ArtworkFiles,
    Crop,
    inspect_and_render,
    render_placeholder,
)
from podhost.models import Artwork
from podhost.storage import Storage


@dataclass(frozen=True, slots=True)
class PreparedArtwork:
    """A picture whose files are stored and whose row is not written yet."""

    id: str
    source_sha256: str
    files: ArtworkFiles
    is_placeholder: bool


def prepare_artwork(
    storage: Storage,
    path: Path,
    *,
    is_square: bool = True,
    crop: Crop | None = None,
    wall_seconds: float = LONGEST_SECONDS,
    artwork_id: str | None = None,
    is_placeholder: bool = False,
) -> PreparedArtwork:
    """Check the picture at `path`, make its sizes and store them. Call it outside transactions.

    Show and episode artwork must be square and at least 1400 pixels wide (Apple); `is_square`
    False takes any shape and size, for people and chapters; `crop` takes a part of it. Making the
    sizes takes `wall_seconds` at most. `artwork_id` is one that the picture had elsewhere; where
    the storage has something under it, there is a new one. Raises Invalid with a sentence.
    """

    def make(folder: Path) -> ArtworkFiles:
        return inspect_and_render(
            path, folder, square=is_square, crop=crop, wall_seconds=wall_seconds
        )

    sha256 = cropped_sha256(file_sha256(path), crop)
    if artwork_id is not None:
        # Another thread that was faster is met by Conflict.
        with suppress(Conflict):
            return _store(
                storage, make, sha256, is_placeholder=is_placeholder, artwork_id=artwork_id
            )
    return _store(storage, make, sha256, is_placeholder=is_placeholder)


def prepare_placeholder(storage: Storage, seed: str) -> PreparedArtwork:
    """A plain pattern, so that a show has valid artwork from its first minute."""
    source = hashlib.sha256(f"placeholder {seed}".encode()).hexdigest()
    return _store(
        storage, lambda folder: render_placeholder(seed, folder), source, is_placeholder=True
    )


def add_artwork(session: Session, prepared: PreparedArtwork, *, now: datetime) -> Artwork:
    """Write the row. The picture may be used from now on."""
    artwork = Artwork(
        id=prepared.id,
        source_sha256=prepared.source_sha256,
        mime_type=prepared.files.mime_type,
        width=prepared.files.width,
        height=prepared.files.height,
        sizes=[[file.size_px, file.size_bytes] for file in prepared.files.files],
        is_placeholder=prepared.is_placeholder,
        colour=prepared.files.colour,
        created_at=now,
    )
    session.add(artwork)
    session.flush()
    return artwork


def find_artwork(session: Session, source_sha256: str) -> Artwork | None:
    """The artwork that was made from this very file; a picture is stored once."""
    return session.scalar(
        select(Artwork).where(Artwork.source_sha256 == source_sha256).order_by(Artwork.id)
    )


def find_picture(session: Session, source_sha256: str, is_square: bool) -> Artwork | None:
    """The stored picture that was made from this very file and fits the purpose: artwork is square
    and large (Apple), people's pictures are of any shape."""
    rows = session.scalars(
        select(Artwork).where(Artwork.source_sha256 == source_sha256).order_by(Artwork.id)
    ).all()
    if not is_square:
        return rows[0] if rows else None
    fitting = [row for row in rows if row.width == row.height >= SMALLEST_ARTWORK_PX]
    return max(fitting, key=lambda row: row.width, default=None)


def discard_artwork(storage: Storage, prepared: PreparedArtwork) -> None:
    """Delete the files of a picture whose row will not be written."""
    for file in prepared.files.files:
        storage.delete(storage_key(prepared.id, file.size_px))


def artwork_url(
    base_url: str, artwork: Artwork | ArtworkRow | Row[Any], *, size: int | None = None
) -> str:
    """The absolute URL of the picture; the largest, or the smallest of at least `size` pixels."""
    return f"{base_url}/artwork/{artwork.id}/{chosen_size(artwork, size)}.jpg"


def chosen_size(artwork: Artwork | ArtworkRow | Row[Any], size: int | None) -> int:
    """The longer side of what `artwork_url` leads to, in pixels."""
    sizes = sorted(int(entry[0]) for entry in artwork.sizes)
    return next((entry for entry in sizes if size is not None and entry >= size), sizes[-1])


def cropped_sha256(source_sha256: str, crop: Crop | None) -> str:
    """By which a part of a picture is recognised: another part of it is another picture."""
    if crop is None:
        return source_sha256
    source = f"{source_sha256} {crop.x} {crop.y} {crop.side}"
    return hashlib.sha256(source.encode("ascii")).hexdigest()


def storage_key(artwork_id: str, size: int) -> str:
    """Where one size of a picture lies in storage."""
    return f"artwork/{artwork_id}/{size}.jpg"


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal, never holding the file in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _store(
    storage: Storage,
    make: Callable[[Path], ArtworkFiles],
    source_sha256: str,
    *,
    is_placeholder: bool,
    artwork_id: str | None = None,
) -> PreparedArtwork:
    artwork_id = artwork_id or new_id()
    with tempfile.TemporaryDirectory(prefix="podhost-artwork-") as folder:
        files = make(Path(folder))
        prepared = PreparedArtwork(artwork_id, source_sha256, files, is_placeholder)
        with ExitStack() as undo:
            for file in files.files:
                key = storage_key(artwork_id, file.size_px)
                storage.put_file(key, file.path, content_type=files.mime_type)
                # Only what was stored here: what stood in the way belongs to somebody.
                undo.callback(storage.delete, key)
            undo.pop_all()
    return prepared
