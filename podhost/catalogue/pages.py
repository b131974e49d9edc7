"""Pages of shows' sites as they are held in memory: coded bodies, and the answers made of them.

It renders none, and decides for nobody which of the answers to send.
"""

import gzip
import hashlib
from collections.abc import Iterable

from podhost.catalogue.ready_answers import Answer, HeaderBlock

IDENTITY, GZIP, BROTLI = "", "gzip", "br"
# What a page costs beside its bodies: two answers for each coding, and its key.
_PAGE_BYTES = 4000
_GZIP_LEVEL = 6
# A page is coded once for many readers, but the first one waits for it.
_BROTLI_QUALITY = 6
# Below that, a coding saves no packet.
_SMALLEST_CODED_BYTES = 700


class SitePage:
    """A page as readers get it.

    `owner_ids` names the shows with whose changes it must be made anew; `expires_at_ms` is when it
    says something else by itself, in milliseconds since 1970. One that `uses_query` is right for
    requests without a query only, all others are for any. Only what `is_kept` may be held.
    """

    __slots__ = (
        "etags", "expires_at_ms", "is_kept", "owner_ids", "size_bytes", "unchanged",
        "uses_query", "was_used", "whole",
    )  # fmt: skip

    def __init__(
        self,
        body: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        *,
        status: int = 200,
        owner_ids: frozenset[str] = frozenset(),
        expires_at_ms: int | None = None,
        uses_query: bool = False,
        is_kept: bool = True,
    ) -> None:
        self.is_kept = is_kept
        self.owner_ids = owner_ids
        self.expires_at_ms = expires_at_ms
        self.uses_query = uses_query
        self.was_used = False
        self.etags: dict[str, bytes] = {}
        self.whole: dict[str, Answer] = {}
        self.unchanged: dict[str, Answer] = {}
        shared = (*headers, (b"vary", b"Accept-Encoding"))
        digest = hashlib.sha256(body).hexdigest()[:32]
        # Pictures are as small as they get.
        is_picture = any(value.startswith(b"image/") for _, value in shared)
        bodies = {IDENTITY: body} if is_picture else _coded(body)
        for coding, coded in bodies.items():
            # A strong tag belongs to one coding alone (RFC 9110 8.8.3).
            etag = f'"{digest}-{coding}"' if coding else f'"{digest}"'
            self.etags[coding] = etag.encode("ascii")
            block = HeaderBlock(*shared, (b"etag", self.etags[coding]))
            said = [(b"content-length", b"%d" % len(coded))]
            if coding:
                said.append((b"content-encoding", coding.encode("ascii")))
            self.whole[coding] = Answer(status, block, tuple(said), coded)
            self.unchanged[coding] = Answer(304, block)
        self.size_bytes = sum(map(len, bodies.values())) + _PAGE_BYTES

    def is_for(self, query: bytes, now_ms: int) -> bool:
        """Whether it is the answer to a request with this query, at this time."""
        if self.uses_query and query:
            return False
        return self.expires_at_ms is None or now_ms < self.expires_at_ms


def _coded(body: bytes) -> dict[str, bytes]:
    """The body as it is, and coded where that pays. Hardly anybody asks without a coding, but to
    unpack it for them would cost more than the room it takes."""
    if len(body) < _SMALLEST_CODED_BYTES:
        return {IDENTITY: body}
    # Loaded by the first page: feeds and audio need no brotli.
    import brotli

    return {
        IDENTITY: body,
        GZIP: gzip.compress(body, _GZIP_LEVEL, mtime=0),
        BROTLI: brotli.compress(body, quality=_BROTLI_QUALITY),
    }
