"""May browsers send parts straight to the bucket? It asks, says what to do, and does it."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from podhost.errors import Invalid, Unavailable
from podhost.storage import Storage
from podhost.uploads.answers import BucketAccess

COMMAND = "podhost storage cors --apply"
_HOURS_KEPT = 1


def wanted_rule(origin: str) -> dict[str, Any]:
    """The one rule that a bucket needs, in the words of S3."""
    return {
        "AllowedOrigins": [origin],
        "AllowedMethods": ["PUT", "GET", "HEAD"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": _HOURS_KEPT * 3600,
    }


def origin_of(base_url: str) -> str:
    """What browsers call the pages under this address (RFC 6454)."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def check_cors(storage: Storage, base_url: str) -> BucketAccess:
    """Whether the pages of `base_url` may send parts, in a sentence, with what to set if not."""
    origin = origin_of(base_url)
    cors = storage.cors()
    if cors is None:
        message = "Parts of uploads come to podhost itself, so nothing has to be set."
        return _access(message, origin, None, is_well=True)
    bucket_origin = storage.browser_origin()
    try:
        may_put = cors.may_put(origin)
        is_well = may_put and cors.shows_etag(origin)
    except Unavailable as error:
        message = f"Whether browsers may send files to the bucket is not known: {error.message}"
        return _access(message, origin, bucket_origin, is_well=None)
    if is_well:
        message = f"Pages of {origin} may send files straight to the bucket."
    elif may_put:
        message = (
            f"Pages of {origin} may send files to the bucket, and not read the ETag of the answer: "
            "add ETag to the ExposeHeaders of its CORS rules."
        )
    else:
        message = (
            f"The bucket does not let pages of {origin} send files to it, so uploads in the "
            f"browser fail. Run `{COMMAND}`, or give the bucket the CORS rules below."
        )
    return _access(message, origin, bucket_origin, is_well=is_well)


def apply_cors(storage: Storage, base_url: str) -> BucketAccess:
    """Have the bucket let the pages of `base_url` send parts; rules for other pages stay.

    What it says then is asked of the bucket anew. Raises Unavailable, and Invalid for a folder.
    """
    cors = storage.cors()
    if cors is None:
        raise Invalid("The storage is a folder; there is nothing to set.")
    origin = origin_of(base_url)
    others = [rule for rule in cors.rules() if rule.get("AllowedOrigins") != [origin]]
    cors.set_rules([*others, wanted_rule(origin)])
    return check_cors(storage, base_url)


def rules_text(rules: Sequence[Any] | dict[str, Any]) -> str:
    """Rules as tools take them: `aws s3api put-bucket-cors --cors-configuration file://FILE`."""
    return json.dumps(rules, indent=2)


def _access(
    message: str, origin: str, bucket_origin: str | None, *, is_well: bool | None
) -> BucketAccess:
    is_needed = bucket_origin is not None
    return BucketAccess(
        is_needed=is_needed,
        is_well=is_well,
        message=message,
        origin=origin,
        bucket_origin=bucket_origin,
        rules={"CORSRules": [wanted_rule(origin)]} if is_needed else None,
        command=COMMAND if is_needed and not is_well else None,
    )
