"""How much may be uploaded: the largest file, the room of a show; it knows no parts."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podhost.config import Settings
from podhost.errors import Forbidden, Invalid, TooLarge
from podhost.models import Audio, Episode, Show, Upload

UPLOADING, RECEIVED, PROBING = "uploading", "received", "probing"
# All of the file is here, and it is no audio of an episode yet.
IN_HAND = (RECEIVED, PROBING)

MB = 1024 * 1024
GB = 1024 * MB


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator lets in, in bytes; a show's 0 is no limit."""

    file_bytes: int
    show_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Those of the settings."""
        return cls(settings.max_upload_mb * MB, settings.show_quota_gb * GB)


def used_bytes(session: Session, show_id: str) -> int:
    """What the show's audio takes in the storage, with what is on its way."""
    stored = session.scalar(
        select(func.sum(Audio.size_bytes))
        .join(Episode, Episode.id == Audio.episode_id)
        .where(Episode.show_id == show_id, Audio.purged_at.is_(None))
    )
    coming = session.scalar(
        select(func.sum(Upload.size_bytes)).where(
            Upload.show_id == show_id, Upload.state.in_((UPLOADING, *IN_HAND))
        )
    )
    return int(stored or 0) + int(coming or 0)


def require_room(session: Session, show: Show, size_bytes: int, limits: Limits) -> None:
    """Raises Forbidden when the show may not have so many more bytes of audio."""
    if not limits.show_bytes:
        return
    used = used_bytes(session, show.id)
    if used + size_bytes > limits.show_bytes:
        raise Forbidden(
            f"The show has used {_gigabytes(used)} of its {_gigabytes(limits.show_bytes)}, and "
            f"this file of {_megabytes(size_bytes)} does not fit any more. Ask who runs this "
            "podhost for more room."
        )


def require_size(size_bytes: int, limits: Limits) -> None:
    """Raises TooLarge for a file that is larger than any that is taken, Invalid for none at all."""
    if size_bytes > limits.file_bytes:
        raise TooLarge(
            f"This file has {_megabytes(size_bytes)}; files of {_megabytes(limits.file_bytes)} are "
            "the largest that are taken here."
        )
    if size_bytes <= 0:
        raise Invalid("The file is empty.", {"size": "The file is empty."})


def _megabytes(size_bytes: int) -> str:
    return f"{max(1, round(size_bytes / MB)):,} MB"


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / GB:.1f} GB"
