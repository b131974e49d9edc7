"""Where audio, artwork and transcripts lie: a folder or an S3 bucket, named by a URL."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from podhost.errors import Invalid
from podhost.storage.contract import (
    IMMUTABLE,
    Reader,
    Stat,
    Storage,
    Writer,
    check_key,
    disk_errors,
    is_key,
    lock_named,
    sync_folder,
)
from podhost.storage.folder import LocalStorage
from podhost.storage.s3 import S3Storage

__all__ = [
    "IMMUTABLE",
    "LocalStorage",
    "Reader",
    "S3Storage",
    "Stat",
    "Storage",
    "Writer",
    "check_key",
    "disk_errors",
    "lock_named",
    "open_storage",
    "sync_folder",
]


def open_storage(url: str) -> Storage:
    """The store that `file:///folder` or `s3://bucket/prefix` names; nothing is touched yet.

    Endpoint, region and credentials of S3 come from boto3's own environment variables and
    files. Raises Invalid with a sentence.
    """
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise Invalid("The storage address takes no user, query or fragment.")
    if parts.scheme == "file":
        rooted = path.startswith("/") and path.strip("/")
        if parts.netloc not in ("", "localhost") or not rooted:
            raise Invalid("A storage folder is written file:///folder, with three slashes.")
        return LocalStorage(Path(path))
    if parts.scheme == "s3":
        prefix = path.strip("/")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{2,62}", parts.netloc):
            raise Invalid(
                "An S3 store is written s3://bucket or s3://bucket/prefix; a bucket's name has "
                "3 to 63 letters, digits, dots and hyphens."
            )
        if prefix and not is_key("x/" + prefix):
            raise Invalid("The prefix of an S3 store may hold a-z, 0-9 and . _ - / only.")
        return S3Storage(parts.netloc, prefix)
    raise Invalid("The storage address must start with file:/// or s3://.")
