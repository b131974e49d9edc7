"""Feeds out of parts that are kept compressed, so that one changed episode costs one part.

A part is some neighbouring episodes. It is found again by a hash of all that its bytes depend on,
so that what is kept can be left out, lost or forgotten at any time and never be out of date. It
knows no row and no format.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

import msgspec

from podhost.feeds.memory import KnownParts
from podhost.formats.feed_shell import (
    FULL_NOTES_EPISODES,
    FeedShell,
    Item,
    Namespaces,
    is_large,
    joined,
)
from podhost.formats.feed_values import FeedEpisode

# -9 takes five times as long for one per cent less.
_GZIP_LEVEL = 6
_WINDOW_BYTES = 32768
# RFC 1952: deflate, no time, an unknown system.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"
# So many episodes are a part, on average: with half of them, two parts that change are written in
# half the time, and twice as many have to be looked at.
_EPISODES_IN_A_PART = 16


@dataclass(slots=True)
class EpisodeSource:
    """An episode whose values are made when they are first needed.

    `key` is the same for the same values only; `make` gives them, at any time and in any thread.
    """

    key: bytes
    id: str
    guid: str
    published_at: datetime
    enclosure_url: str
    is_trailer: bool
    # Chapters inside the feed, or any other optional tag.
    has_tags: bool
    make: Callable[[], FeedEpisode]
    _values: FeedEpisode | None = None

    def values(self) -> FeedEpisode:
        """Made once, for all formats."""
        if self._values is None:
            self._values = self.make()
        return self._values

    def slim(self) -> "EpisodeSource":
        """The same with as little as an older episode needs."""
        key = sha256(b"slim" + self.key).digest()
        return replace(self, key=key, make=lambda: self.values().slim(), _values=None)


@dataclass(frozen=True, slots=True)
class RenderedFeed:
    """A feed's bytes, and the same compressed by gzip."""

    body: bytes
    body_gzip: bytes


class FeedParts:
    """One feed while it is rendered; `known` is what was kept of it before, `kept` what to keep.

    Whatever is known, the same episodes give the same bytes.
    """

    def __init__(self, known: KnownParts) -> None:
        self.kept = KnownParts()
        self._known = known

    def used(
        self,
        newest_first: Sequence[EpisodeSource],
        find: Callable[[FeedEpisode], Namespaces],
    ) -> Iterator[Namespaces]:
        """What the feed's head has to declare for each part, by what `find` says of an episode."""
        for part in _split(newest_first):
            with_tags = [source for source in part if source.has_tags]
            if not with_tags:
                continue
            key = _key(with_tags)
            found = self._known.namespaces.get(key)
            if found is None:
                found = joined(find(source.values()) for source in with_tags)
            self.kept.namespaces[key] = found
            yield found

    def render(self, shell: FeedShell, newest_first: Sequence[EpisodeSource]) -> RenderedFeed:
        """The feed with these episodes."""
        writing = _Writing(shell, list(_split(newest_first)), self._known, self.kept)
        bodies, pieces = [shell.head], [_deflated(shell.head)]
        for body, piece in writing.written():
            bodies.append(body)
            pieces.append(piece)
        bodies.append(shell.foot)
        pieces.append(_deflated(shell.foot))
        body = b"".join(bodies)
        ending = zlib.crc32(body).to_bytes(4, "little") + (len(body) % 2**32).to_bytes(4, "little")
        return RenderedFeed(body, b"".join([_GZIP_HEADER, *pieces, _LAST_BLOCK, ending]))


class _Writing:
    """The parts of one feed while they are written."""

    def __init__(
        self,
        shell: FeedShell,
        parts: Sequence[Sequence[EpisodeSource]],
        known: KnownParts,
        kept: KnownParts,
    ) -> None:
        self._shell = shell
        self._parts = parts
        self._known = known
        self._kept = kept
        self._write = shell.writer(shell.frame)
        self._frame_key = msgspec.msgpack.encode((shell.frame, shell.separator))
        # Of parts that had to be written to know how long they are.
        self._items: dict[int, list[Item]] = {}

    def written(self) -> Iterator[tuple[bytes, bytes]]:
        """The bytes of each part, and the same as deflate has them."""
        keeps_few_notes = self._is_large()
        start, before, key_before = 0, b"", b""
        for index, part in enumerate(self._parts):
            is_short = keeps_few_notes and start >= FULL_NOTES_EPISODES
            is_last = index == len(self._parts) - 1
            key = _key(part, self._frame_key, b"short" if is_short else b"whole", bytes([is_last]))
            # Compressed with the part before it as what deflate may refer to.
            place = sha256(key_before + key).digest()
            piece = self._known.deflated.get(place)
            if piece is None:
                body = self._body(index, is_short=is_short, is_last=is_last)
                piece = _deflated(body, before)
            else:
                body = _inflated(piece, before)
            self._kept.deflated[place] = piece
            yield body, piece
            start, before, key_before = start + len(part), body, key

    def _is_large(self) -> bool:
        if sum(map(len, self._parts)) <= FULL_NOTES_EPISODES:
            return False
        sizes: list[int] = []
        for index, part in enumerate(self._parts):
            key = _key(part, self._frame_key)
            found = self._known.whole_bytes.get(key)
            if found is None:
                items = self._items[index] = self._written(index)
                found = tuple(len(item.whole) for item in items)
            self._kept.whole_bytes[key] = found
            sizes += found
            # It does not get smaller.
            if is_large(self._shell, sizes):
                return True
        return False

    def _body(self, index: int, *, is_short: bool, is_last: bool) -> bytes:
        items = self._items.pop(index, None) or self._written(index)
        separator = self._shell.separator
        body = separator.join(item.short if is_short else item.whole for item in items)
        return body if is_last else body + separator

    def _written(self, index: int) -> list[Item]:
        return [self._write(source.values()) for source in self._parts[index]]


def _key(part: Sequence[EpisodeSource], *others: bytes) -> bytes:
    """A hash of all that something depends on; the others say in which form."""
    hashed = sha256()
    for source in part:
        hashed.update(source.key)
    for other in others:
        hashed.update(other)
    return hashed.digest()


def _split(newest_first: Sequence[EpisodeSource]) -> Iterator[Sequence[EpisodeSource]]:
    """The episodes in parts. Where one ends is told by an episode's id, so that one more or less
    moves the ends of its own part only."""
    start = 0
    for index, source in enumerate(newest_first, 1):
        is_end = zlib.crc32(source.id.encode()) % _EPISODES_IN_A_PART == 0
        # What a large feed shortens begins with a part of its own.
        if is_end or index in (FULL_NOTES_EPISODES, len(newest_first)):
            yield newest_first[start:index]
            start = index


def _deflated(body: bytes, before: bytes = b"") -> bytes:
    """Whole blocks of deflate (RFC 1951), which can stand in front of others; `before` is what
    stands before them."""
    before = before[-_WINDOW_BYTES:]
    deflate = zlib.compressobj(_GZIP_LEVEL, wbits=-zlib.MAX_WBITS, zdict=before)
    return deflate.compress(body) + deflate.flush(zlib.Z_SYNC_FLUSH)


def _inflated(piece: bytes, before: bytes) -> bytes:
    inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS, zdict=before[-_WINDOW_BYTES:])
    return inflate.decompress(piece)
