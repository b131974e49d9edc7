"""What every store promises of objects that arrive in parts over days; it stores nothing itself.

Parts may come in any order, several at once and more than once; the object appears when all of them
are put together, whole or not at all. A store knows nothing of who sends them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from podhost.errors import NotFound

# Where such objects lie. What is unfinished there is for its owner to abort, however old it is.
UPLOADS = "uploads/"
# Both are rules of S3, and so of every store here.
MOST_PARTS = 10_000
SMALLEST_PART_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is stored; `etag` names its bytes, with its quotes, as the store answered it."""

    number: int
    size_bytes: int
    etag: str


@dataclass(frozen=True, slots=True)
class OpenMultipart:
    """An object that is not put together yet; `began_at` is in UTC."""

    key: str
    multipart_id: str
    began_at: datetime


class Multiparts(Protocol):
    """What a store can do with them. Threads may share one.

    Everywhere: one that is not there (never was, or put together or aborted since) raises NotFound,
    and whatever goes wrong in the store Unavailable.
    """

    def create(self, key: str, *, content_type: str) -> str:
        """Begin an object; the id by which the store knows it."""
        ...

    def part_url(
        self, key: str, multipart_id: str, number: int, *, expires_seconds: int
    ) -> str | None:
        """A URL to which anybody may PUT this one part; None where the parts come through us.

        Nobody looks whether the object was begun.
        """
        ...

    def put_part(
        self, key: str, multipart_id: str, number: int, path: Path, *, sha256: str
    ) -> Part:
        """Store a finished local file as a part, durably, in the place of what it was before.

        `sha256` is that of its bytes, in hexadecimal. The file may be gone afterwards.
        """
        ...

    def list_parts(self, key: str, multipart_id: str) -> Sequence[Part]:
        """What is stored, by number.

        Some stores (SeaweedFS 4.48 was seen to) keep what a part was before beside what it is now.
        Then both are listed, the newer one later.
        """
        ...

    def changed_at(self, key: str, multipart_id: str) -> datetime | None:
        """When the newest part was stored, in UTC; None where there is none yet."""
        ...

    def complete(self, key: str, multipart_id: str, parts: Sequence[Part]) -> int:
        """Put the object together of these parts, durably; its size in bytes.

        Doing it again is fine. Raises Invalid when the store has a part no more.
        """
        ...

    def abort(self, key: str, multipart_id: str) -> None:
        """Forget it with its parts; that it is not there is fine."""
        ...

    def list_open(self, prefix: str = UPLOADS) -> Iterator[OpenMultipart]:
        """Those under `prefix` that are neither put together nor aborted, in any order."""
        ...


def unknown_multipart(key: str) -> NotFound:
    """The error for one that is not there."""
    return NotFound(f"There is no unfinished object {key} in the storage.")
