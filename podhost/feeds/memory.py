"""What workers keep of feeds in memory, and how much; what it says is `parts`' business.

It stands apart because every process has one, and those that serve must start without the
libraries that render.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from podhost.formats.feed_shell import Namespaces

# What a hash and the objects around it take.
_BYTES_PER_ENTRY = 250


@dataclass(slots=True)
class KnownParts:
    """What is kept of one feed: parts, compressed, how long parts with whole notes are, and which
    namespaces parts use."""

    deflated: dict[bytes, bytes] = field(default_factory=dict)
    whole_bytes: dict[bytes, tuple[int, ...]] = field(default_factory=dict)
    namespaces: "dict[bytes, Namespaces]" = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """What it takes of the memory, about."""
        entries = len(self.deflated) + len(self.whole_bytes) + len(self.namespaces)
        return sum(map(len, self.deflated.values())) + _BYTES_PER_ENTRY * entries


class PartsMemory:
    """The parts of feeds by name, up to a number of bytes; what was not rendered lately goes first.

    Of each feed there are the parts that it was last rendered with, and no older ones.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.used_bytes = 0
        self._feeds: OrderedDict[str, KnownParts] = OrderedDict()
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()

    def find(self, name: str) -> KnownParts:
        """What is kept of a feed; it may be nothing."""
        return self._feeds.get(name) or KnownParts()

    def keep(self, name: str, parts: KnownParts) -> None:
        """Keep it in place of what was kept of this feed; a feed that is too large is not kept."""
        with self._lock:
            self._drop(name)
            self._feeds[name] = parts
            self.used_bytes += parts.size_bytes
            while self.used_bytes > self._limit_bytes:
                self._drop(next(iter(self._feeds)))

    def _drop(self, name: str) -> None:
        if (parts := self._feeds.pop(name, None)) is not None:
            self.used_bytes -= parts.size_bytes
