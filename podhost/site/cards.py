"""Pictures of shared links, with artwork and title; it keeps the last ones in memory, stores none.

One is drawn when somebody asks for it, in a limited child that takes half a second of CPU time.
Who has to wait for the turn of others gets none, and so does who asks for thousands: at least as
long as the drawing took, nothing else is drawn.
"""

import hashlib
import logging
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from podhost.artwork import chosen_size, storage_key
from podhost.errors import Invalid, PodhostError
from podhost.formats import share_pictures as drawing
from podhost.models import Artwork
from podhost.storage import Storage

logger = logging.getLogger(__name__)

MIME_TYPE = drawing.MIME_TYPE
SHAPE = "wide"
SIZE_PX = drawing.SHAPES[SHAPE]
# Some fifty of them. Networks keep what they fetched.
MEMORY_BYTES = 4_000_000
# The artwork is shown no larger.
_ARTWORK_PX = 600
_ENTRY_BYTES = 500


def card_version(artwork: Artwork | Any, title: str, show_title: str) -> str:
    """By which an address says what is seen on the card, so that caches may keep it."""
    seen = (drawing.LAYOUT, artwork.id, title, show_title)
    return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()[:16]


class Cards:
    """The cards of one serving process. Threads may share it."""

    def __init__(
        self,
        storage: Storage,
        most_bytes: int = MEMORY_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._most_bytes = most_bytes
        # b"" for one that cannot be drawn.
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._rests_until = 0.0

    @property
    def used_bytes(self) -> int:
        """Memory held."""
        return sum(len(card) + _ENTRY_BYTES for card in self._kept.values())

    def card_of(self, artwork: Artwork | Any, title: str, show_title: str) -> bytes | None:
        """The card as a JPEG; None where it cannot be drawn, or not now."""
        version = card_version(artwork, title, show_title)
        with self._lock:
            if version in self._kept:
                self._kept.move_to_end(version)
                return self._kept[version] or None
        if self._clock() < self._rests_until or not self._turn.acquire(blocking=False):
            return None
        began_at = self._clock()
        try:
            card = self._drawn(artwork, title, show_title)
        except PodhostError as error:
            logger.warning("no card with the picture %s: %s", artwork.id, error)
            return None
        finally:
            self._rests_until = 2 * self._clock() - began_at
            self._turn.release()
        self._keep(version, card)
        return card or None

    def _drawn(self, artwork: Artwork | Any, title: str, show_title: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="podhost-card-") as name:
            folder = Path(name)
            picture = folder / "artwork.jpg"
            size_px = chosen_size(artwork, _ARTWORK_PX)
            self._storage.download_to(storage_key(artwork.id, size_px), picture)
            try:
                files = drawing.draw_share_pictures(
                    picture, folder, title=title, show_title=show_title, name="", shapes=(SHAPE,)
                )
            except Invalid:
                return b""
            return files[SHAPE].read_bytes()

    def _keep(self, version: str, card: bytes) -> None:
        with self._lock:
            self._kept[version] = card
            while self.used_bytes > self._most_bytes and len(self._kept) > 1:
                self._kept.popitem(last=False)
