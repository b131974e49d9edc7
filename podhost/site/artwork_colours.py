"""Colours of pictures: those that were found when a picture was stored, and of older ones.

An older picture is looked at once by each process. It chooses no colour for a page.
"""

import io
import logging
import threading

from podhost.artwork import storage_key
from podhost.errors import PodhostError, Unavailable
from podhost.formats.picture_colours import picture_colour
from podhost.models import Artwork
from podhost.site.colours import USUAL_ACCENT
from podhost.storage import Storage

logger = logging.getLogger(__name__)

_MOST_KNOWN = 10_000


class PictureColours:
    """The colours of pictures that were looked at; pictures never change. Threads may share it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def colour_of(self, artwork: Artwork) -> str | None:
        """The colour that strikes most, as #rrggbb, or podhost's own where there is none; None:
        the storage does not answer."""
        if artwork.colour is not None:
            return artwork.colour or USUAL_ACCENT
        found = self._known.get(artwork.id)
        if found is not None:
            return found
        smallest = min(size for size, _ in artwork.sizes)
        try:
            with self._storage.open(storage_key(artwork.id, smallest)) as file:
                colour = picture_colour(io.BytesIO(file.read())) or USUAL_ACCENT
        except Unavailable:
            return None
        except (PodhostError, OSError) as error:
            logger.warning("no colour for the picture %s: %s", artwork.id, error)
            colour = USUAL_ACCENT
        with self._lock:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[artwork.id] = colour
        return colour
