"""Pictures of a show's folder: prepared where they are not stored yet, and made into rows."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from sqlalchemy.orm import Session

from podhost.artwork import PreparedArtwork, add_artwork, find_picture
from podhost.db import Database
from podhost.errors import Conflict, Invalid
from podhost.folders.files import FolderFile, copy_to, sha256_of
from podhost.formats.artwork import FILE_LIMIT_BYTES, TOO_LARGE
from podhost.formats.folder_addresses import KeptPicture
from podhost.formats.text import shown
from podhost.models import Artwork
from podhost.uploads.intake import Intake


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is stored: as a row already, or prepared for one."""

    sha256: str
    is_square: bool
    known_id: str | None = None
    prepared: PreparedArtwork | None = None


def prepare_picture(
    database: Database,
    intake: Intake,
    file: FolderFile,
    *,
    is_square: bool,
    known_id: str | None = None,
    kept: Mapping[str, KeptPicture] = MappingProxyType({}),
) -> Picture:
    """Store a picture, unless it is. Call it outside transactions.

    `kept` has what pictures were elsewhere, by their SHA-256; an id that is free is taken.
    Raises Invalid with a sentence that names the file.
    """
    sha256 = sha256_of(file)
    if known_id is not None:
        return Picture(sha256, is_square, known_id)
    with database.read() as session:
        known = find_picture(session, sha256, is_square)
        origin = kept.get(sha256)
        is_free = origin is not None and session.get(Artwork, origin.id) is None
    if known is not None:
        return Picture(sha256, is_square, known.id)
    name = shown(file.name)
    if file.size_bytes > FILE_LIMIT_BYTES:
        raise Invalid(f"{name}: {TOO_LARGE}")
    with tempfile.TemporaryDirectory(prefix="podhost-picture-") as folder:
        # A copy, which nobody changes while it is looked at.
        copy = Path(folder) / "picture"
        if copy_to(file, copy) != sha256:
            raise Invalid(f"{name} changed while it was read; publish again.")
        try:
            prepared = intake.artwork(
                copy,
                is_square=is_square,
                artwork_id=origin.id if origin is not None and is_free else None,
                is_placeholder=origin is not None and origin.is_placeholder,
            )
        except Invalid as error:
            raise Invalid(f"{name}: {error.message}") from None
    return Picture(sha256, is_square, prepared=prepared)


def prepare_pictures(
    database: Database,
    intake: Intake,
    files: Mapping[str, FolderFile],
    known_ids: Mapping[str, str | None],
    kept: Mapping[str, KeptPicture] = MappingProxyType({}),
) -> dict[str, Picture]:
    """People's pictures, of any shape, by the paths that the text gives. Raises Invalid."""
    return {
        name: prepare_picture(
            database, intake, file, is_square=False, known_id=known_ids.get(name), kept=kept
        )
        for name, file in files.items()
    }


def add_picture(session: Session, picture: Picture, *, now: datetime) -> Artwork:
    """The picture's row. Raises Conflict when it was cleared away since it was found."""
    found = session.get(Artwork, picture.known_id) if picture.known_id is not None else None
    # Another episode with the same guest may have been faster.
    found = found or find_picture(session, picture.sha256, picture.is_square)
    if found is not None:
        return found
    if picture.prepared is None:
        raise Conflict("A picture was cleared away a moment ago; publish again.")
    return add_artwork(session, picture.prepared, now=now)
