"""What clients say of uploads and are told, in Uppy's names and our own; it reads no row."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class UploadMetadata(msgspec.Struct, kw_only=True):
    """What the file is for. Uppy sends every value as text, and others that are ignored."""

    show: str
    episode: str | UnsetType | None = UNSET
    offset_ms: int | str | UnsetType | None = UNSET
    fingerprint: str | UnsetType | None = UNSET
    size: int | str | UnsetType | None = UNSET


class NewUpload(msgspec.Struct, kw_only=True):
    """The file as its sender calls it; `size` in bytes."""

    filename: str
    metadata: UploadMetadata
    type: str | UnsetType | None = UNSET
    size: int | str | UnsetType | None = UNSET


class GivenPart(msgspec.Struct, kw_only=True, rename={"number": "PartNumber", "etag": "ETag"}):
    """A part that was sent. Without `ETag` it is the newest that the storage has."""

    number: int
    etag: str | UnsetType | None = UNSET
    sha256: str | UnsetType | None = UNSET


class GivenParts(msgspec.Struct, kw_only=True):
    """What the file is to be put together of."""

    parts: list[GivenPart]


class FoundTags(msgspec.Struct, kw_only=True):
    """What the file says of itself, to prefill a form."""

    title: str | None = None
    notes: str | None = None
    season: int | None = None
    number: int | None = None
    artist: str | None = None
    album: str | None = None
    date: str | None = None
    chapters: int = 0
    has_artwork: bool = False
    duration_seconds: float = 0
    bitrate_kbps: int = 0
    mime_type: str = ""
    codec: str = ""


class UploadedEpisode(msgspec.Struct, kw_only=True):
    """The episode that a file became the audio of."""

    id: str
    slug: str
    title: str


class UploadAnswer(msgspec.Struct, kw_only=True):
    """How far an upload is."""

    id: str
    key: str
    show: str
    filename: str
    type: str
    size: int | None
    part_bytes: int
    direct: bool
    fingerprint: str | None
    state: str
    error: str | None
    warnings: list[str]
    target: str | None
    episode: UploadedEpisode | None
    found: FoundTags | None
    sha256: str | None
    created_at: datetime
    changed_at: datetime
    expires_at: datetime | None


class UploadList(msgspec.Struct, kw_only=True):
    """The uploads of a show, newest first, and how much it may upload; None is no limit."""

    uploads: list[UploadAnswer]
    largest_bytes: int
    quota_bytes: int | None
    used_bytes: int


class BegunUpload(msgspec.Struct, kw_only=True, rename={"upload_id": "uploadId"}):
    """What is needed to send parts; `direct`: they go straight to the bucket."""

    key: str
    upload_id: str
    part_bytes: int
    direct: bool
    upload: UploadAnswer


class PartTarget(msgspec.Struct, kw_only=True):
    """How to send one part; `expires` is in seconds from now."""

    url: str
    method: str
    headers: dict[str, str]
    expires: int


class PartTargets(msgspec.Struct, kw_only=True, rename={"presigned_urls": "presignedUrls"}):
    """The addresses of several parts, by their numbers."""

    presigned_urls: dict[str, str]
    expires: int


class StoredPart(
    msgspec.Struct,
    kw_only=True,
    rename={"number": "PartNumber", "size_bytes": "Size", "etag": "ETag"},
):
    """A part that has arrived."""

    number: int
    size_bytes: int
    etag: str


class CompletedUpload(msgspec.Struct, kw_only=True):
    """`location` tells what becomes of the file."""

    location: str
    key: str
    upload: UploadAnswer


class NothingMore(msgspec.Struct):
    """An empty object."""


class BucketAccess(msgspec.Struct, kw_only=True):
    """Whether browsers may send parts to the bucket; `rules` is what the bucket is to be told.

    `is_well` is None where it could not be found out.
    """

    is_needed: bool
    is_well: bool | None
    message: str
    origin: str
    bucket_origin: str | None
    rules: dict[str, Any] | None
    command: str | None
