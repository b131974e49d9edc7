"""Owns addresses.json: the ids, numbers and dates that a show had where its folder was written.

With them a show that is published again has the addresses that apps and directories know. Bytes in,
values out and back; it knows no rows, and what it reads was written by a stranger.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from podhost.errors import Invalid

FILE_NAME = "addresses.json"
# Ten times what a show of 5,000 episodes has.
FILE_LIMIT_BYTES = 32_000_000

Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9]+(?:[-_][a-z0-9]+)*\Z", max_length=100)]
Extension = Annotated[str, Meta(pattern=r"^[a-z0-9]{1,8}\Z")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Number = Annotated[int, Meta(ge=1, le=1_000_000)]
Moment = Annotated[datetime, Meta(tz=True)]
Address = Annotated[str, Meta(max_length=20_000)]
# More names than any show had; who fills a folder must not take all of an instance's.
MOST_OLD_SLUGS, MOST_EARLIER = 100, 1_000
OldSlugs = Annotated[tuple[Slug, ...], Meta(max_length=MOST_OLD_SLUGS)]


class KeptPicture(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A picture that podhost held: its id, and whether it only stood in for one."""

    id: Id
    is_placeholder: bool = False


class KeptRevision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an enclosure's address says of a revision, and since when it is replaced."""

    revision: Number
    name: Slug
    extension: Extension
    replaced_at: Moment | None = None


class KeptOriginal(msgspec.Struct, frozen=True, kw_only=True):
    """The upload of which the audio is a copy with tags: its file in the folder, its number, its
    hash and that of the copy."""

    file: Annotated[str, Meta(max_length=1_000)]
    revision: Number
    sha256: Sha256
    copy_sha256: Sha256


class KeptEpisode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one episode. `transcripts` has, for the name of a file, the id of each form of it by its
    extension; `earlier` are replaced revisions, whose addresses lead to the current one. All lead
    to `moved_audio_url` where there is one, at the show's new host."""

    id: Id
    slug: Slug
    audio: KeptRevision | None = None
    original: KeptOriginal | None = None
    earlier: Annotated[tuple[KeptRevision, ...], Meta(max_length=MOST_EARLIER)] = ()
    old_slugs: OldSlugs = ()
    transcripts: dict[str, dict[Extension, Id]] = {}
    has_artwork: bool = False
    moved_audio_url: Address | None = None


class Addresses(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of a whole show: `changed_at` is its feed's date, episodes stand under their guids, pictures
    under the SHA-256 of their files. Apps are sent to `redirect_to`, the feed at another host."""

    version: Literal[1]
    changed_at: Moment | None = None
    old_slugs: OldSlugs = ()
    redirect_to: Address | None = None
    episodes: dict[str, KeptEpisode] = {}
    pictures: dict[Sha256, KeptPicture] = {}

    def picture_id(self, sha256: str | None) -> str | None:
        """The id that the picture in a file had."""
        kept = self.pictures.get(sha256) if sha256 is not None else None
        return kept.id if kept is not None else None


NO_ADDRESSES = Addresses(version=1)


def read_addresses(data: bytes) -> Addresses:
    """The values of an addresses.json. Raises Invalid with a sentence."""
    if len(data) > FILE_LIMIT_BYTES:
        limit = FILE_LIMIT_BYTES // 10**6
        raise Invalid(f"It is larger than {limit} MB; take it away.")
    try:
        return msgspec.json.decode(data, type=Addresses)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(
            f"It is not as podhost writes it ({error}). Without this file the show can be "
            "published too, with new addresses for its audio and pictures."
        ) from None


def render_addresses(addresses: Addresses) -> bytes:
    """An addresses.json that says this."""
    values: Any = msgspec.to_builtins(addresses)
    return msgspec.json.format(msgspec.json.encode(values), indent=2) + b"\n"
