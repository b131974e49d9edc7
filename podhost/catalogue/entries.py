"""The things that a serving process holds in memory, and the memory that bounds them.

They are values made from rows, with the headers of their answers ready; nothing here reads the
database or storage, or knows who asks.
"""

import threading
from collections import OrderedDict
from datetime import datetime
from email.utils import formatdate
from typing import Generic, Protocol, TypeVar

from podhost.catalogue.ready_answers import Answer, HeaderBlock, Headers
from podhost.feeds.formats import FeedFormat
from podhost.models import Audio, Rendered

FEED_CACHE_CONTROL = b"public, max-age=300, stale-while-revalidate=600"
# Shared caches may not keep audio, or listeners behind them would not be counted; the bytes
# behind an address never change, so that the app itself may.
AUDIO_CACHE_CONTROL = b"private, max-age=86400, no-transform"
IMMUTABLE_CACHE_CONTROL = b"public, max-age=31536000, immutable"
SIDE_CACHE_CONTROL = b"public, max-age=300"
# Of feeds that are only for who was told their addresses.
PRIVATE_CACHE_CONTROL = b"private, max-age=300"
NO_INDEX = (b"x-robots-tag", b"noindex")
ALLOW_ANY_ORIGIN = (b"access-control-allow-origin", b"*")
EXPOSE_AUDIO = (
    b"access-control-expose-headers",
    b"Content-Range, Content-Length, Accept-Ranges, ETag",
)
EXPOSE_FEED = (b"access-control-expose-headers", b"ETag, Link")

# The side files of the instance as a whole: what feeds look like in a browser, and its shows.
OPML_PATH = "/shows.opml"
# The owner of a side file that any change of any show makes old.
ALL_SHOWS = "shows"

# What an entry costs beside its body: the object, its headers, its key.
ENTRY_BYTES = 3000
# The same for a feed, which has four answers ready.
FEED_BYTES = 5000


class Entry(Protocol):
    """What a Memory can hold."""

    size_bytes: int
    was_used: bool


E = TypeVar("E", bound=Entry)


class Memory(Generic[E]):
    """Entries by key, up to a number of bytes; what was not asked for lately goes first.

    Look into `entries` without a lock and set `was_used`: that is all that a hit costs.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.entries: OrderedDict[str, E] = OrderedDict()
        self.used_bytes = 0
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()

    @property
    def is_half_full(self) -> bool:
        """Whether what is read before anybody asks would push out what somebody asked for."""
        return 2 * self.used_bytes >= self._limit_bytes

    def put(self, key: str, entry: E) -> None:
        """Hold the entry, in place of an older one, and make room for it."""
        with self._lock:
            self._drop(key)
            self.entries[key] = entry
            self.used_bytes += entry.size_bytes
            self._make_room(key)

    def drop(self, key: str) -> None:
        """Forget an entry; that there is none is fine."""
        with self._lock:
            self._drop(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self.entries.clear()
            self.used_bytes = 0

    def grow(self, key: str, entry: E, extra_bytes: int) -> None:
        """Count what an entry got bigger by; make room if it is still held."""
        with self._lock:
            entry.size_bytes += extra_bytes
            if self.entries.get(key) is entry:
                self.used_bytes += extra_bytes
                self._make_room(key)

    def _drop(self, key: str) -> None:
        entry = self.entries.pop(key, None)
        if entry is not None:
            self.used_bytes -= entry.size_bytes

    def _make_room(self, newest: str) -> None:
        """Give each entry that was used since the last time another round, and drop the others."""
        while self.used_bytes > self._limit_bytes and len(self.entries) > 1:
            key = next(iter(self.entries))
            entry = self.entries[key]
            if entry.was_used or key == newest:
                entry.was_used = False
                self.entries.move_to_end(key)
            else:
                self._drop(key)


class Feed:
    """A snapshot as polls get it: bodies, validators, and the answers, ready to be sent.

    `whole` and `unchanged` are the answers 200 and 304, each by whether gzip is accepted; the
    200 without gzip comes without its body, which is unpacked when somebody asks for it.
    """

    __slots__ = (
        "body_gzip", "body_identity", "etags", "format", "identity_bytes", "is_early",
        "is_private", "last_modified", "links", "path", "show_id", "size_bytes", "unchanged",
        "was_used", "whole",
    )  # fmt: skip

    def __init__(
        self, snapshot: Rendered, format_: FeedFormat, path: str, links: bytes, now: datetime
    ) -> None:
        self.format = format_
        self.path = path
        self.show_id = snapshot.show_id
        self.is_private = bool(getattr(snapshot, "is_private", False))
        self.links = links
        self.body_gzip = bytes(snapshot.body_gzip)
        self.body_identity: bytes | None = None
        # gzip keeps the size of what it holds in its last four bytes (RFC 1952 2.3.1).
        self.identity_bytes = int.from_bytes(self.body_gzip[-4:], "little")
        self.size_bytes = len(self.body_gzip) + FEED_BYTES
        self.was_used = False
        digest = snapshot.sha256[:32].encode("ascii")
        # A strong tag belongs to one coding only (RFC 9110 8.8.3.3).
        self.etags = {False: b'"' + digest + b'"', True: b'"' + digest + b'-gzip"'}
        self.last_modified = int(snapshot.last_modified.timestamp())
        self.date_answers(now)

    def date_answers(self, now: datetime) -> None:
        """Make the answers, with Last-Modified unless that lies ahead of `now`.

        Snapshots of the same second are dated a second apart, and a date in the future must not
        be sent (RFC 9110 8.8.2.1): until it has come, the ETag alone has to do.
        """
        self.is_early = self.last_modified > now.timestamp()
        dated = () if self.is_early else ((b"last-modified", http_date(self.last_modified)),)
        self.unchanged = {
            is_gzip: Answer(304, self._block(is_gzip, dated)) for is_gzip in (False, True)
        }
        described = (
            *dated,
            (b"content-type", self.format.content_type.encode("ascii")),
            (b"link", self.links),
            EXPOSE_FEED,
        )
        coded = (*described, (b"content-encoding", b"gzip"), _length(len(self.body_gzip)))
        plain = (*described, _length(self.identity_bytes))
        self.whole = {
            True: Answer(200, self._block(True, coded), body=self.body_gzip),
            False: Answer(200, self._block(False, plain)),
        }

    def _block(self, is_gzip: bool, more: Headers) -> HeaderBlock:
        return HeaderBlock(
            (b"etag", self.etags[is_gzip]),
            (b"cache-control", PRIVATE_CACHE_CONTROL if self.is_private else FEED_CACHE_CONTROL),
            (b"vary", b"Accept-Encoding"),
            ALLOW_ANY_ORIGIN,
            *((NO_INDEX,) if self.is_private else ()),
            *more,
        )


class AudioTarget:
    """One revision of an episode's audio as listeners get it. Sizes are bytes, times seconds."""

    __slots__ = (
        "bare", "etag", "facts", "file_name", "is_purged", "last_modified", "mime_type", "path",
        "show_id", "size_bytes", "storage_key", "with_body",
    )  # fmt: skip

    def __init__(self, audio: Audio, show_id: str, path: str | None) -> None:
        self.show_id = show_id
        # The local file, where the storage is a folder.
        self.path = path
        self.storage_key = audio.storage_key
        self.file_name = f"{audio.url_name}.{audio.extension}"
        self.mime_type = audio.mime_type
        self.size_bytes = audio.size_bytes
        self.is_purged = audio.purged_at is not None
        self.etag = b'"' + audio.sha256.encode("ascii") + b'"'
        self.last_modified = int(audio.created_at.timestamp())
        # What a record of the request spool says about the file, in its order.
        self.facts = (
            audio.episode_id,
            audio.id,
            audio.revision,
            audio.size_bytes,
            audio.header_bytes,
            audio.duration_ms,
        )
        # What all answers have in common, and what those with a body (or to HEAD) have.
        self.bare = HeaderBlock(
            (b"etag", self.etag),
            (b"last-modified", http_date(self.last_modified)),
            (b"cache-control", AUDIO_CACHE_CONTROL),
            (b"accept-ranges", b"bytes"),
            ALLOW_ANY_ORIGIN,
            EXPOSE_AUDIO,
        )
        self.with_body = HeaderBlock(
            *self.bare.headers,
            (b"content-type", audio.mime_type.encode("ascii")),
            # A proxy that swallows the whole file at once would hide what the listener took.
            (b"x-accel-buffering", b"no"),
        )


class EpisodeAudio:
    """The audio of one episode by revision, and whether listeners may have it.

    `status` is 200, 404 (never published, or no such episode) or 410 (withdrawn, deleted).
    """

    __slots__ = (
        "current_url", "moved_url", "revisions", "show_id", "size_bytes", "status", "was_used",
    )  # fmt: skip

    def __init__(
        self,
        status: int,
        show_id: str = "",
        revisions: dict[str, AudioTarget] | None = None,
        current_url: str | None = None,
        moved_url: str | None = None,
    ) -> None:
        self.status = status
        self.show_id = show_id
        self.revisions = revisions or {}
        # Where a purged revision redirects to.
        self.current_url = current_url
        # Where every revision is now, at another host.
        self.moved_url = moved_url
        self.size_bytes = ENTRY_BYTES * max(1, len(self.revisions))
        self.was_used = False


class SideFile:
    """Artwork, chapters or a transcript: a small body with its headers, or the lack of it.

    `owner_ids` names the episode and the show with whose change it must be read again, or all
    shows.
    """

    __slots__ = (
        "block", "body", "etag", "last_modified", "owner_ids", "size_bytes", "status", "was_used",
    )  # fmt: skip

    def __init__(
        self,
        status: int,
        *,
        body: bytes = b"",
        etag: bytes = b"",
        last_modified: datetime | None = None,
        mime_type: str = "",
        cache_control: bytes = SIDE_CACHE_CONTROL,
        owner_ids: tuple[str, ...] = (),
    ) -> None:
        self.status = status
        self.body = body
        self.etag = etag
        self.last_modified = int(last_modified.timestamp()) if last_modified else 0
        self.owner_ids = owner_ids
        self.size_bytes = len(body) + ENTRY_BYTES
        self.was_used = False
        self.block = HeaderBlock(
            (b"etag", etag),
            (b"last-modified", http_date(self.last_modified)),
            (b"cache-control", cache_control),
            (b"content-type", _with_charset(mime_type)),
            # Nothing here is a page of ours: a browser must neither guess nor run anything.
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"default-src 'none'; sandbox"),
            (b"accept-ranges", b"bytes"),
            ALLOW_ANY_ORIGIN,
            EXPOSE_FEED,
        )


def _with_charset(mime_type: str) -> bytes:
    if mime_type.startswith("text/") and "charset" not in mime_type:
        mime_type += "; charset=utf-8"
    return mime_type.encode("ascii", "replace")


def _length(size_bytes: int) -> tuple[bytes, bytes]:
    return b"content-length", str(size_bytes).encode("ascii")


def http_date(seconds: int) -> bytes:
    """Seconds since 1970 as HTTP writes a date (RFC 9110 5.6.7)."""
    return formatdate(seconds, usegmt=True).encode("ascii")
