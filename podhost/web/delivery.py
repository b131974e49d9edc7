"""What podcast apps fetch: feeds, audio, artwork, chapters, transcripts; all other paths go on.

It stands in front of the router and answers from memory. It never raises: whatever goes wrong
inside becomes 503 and a line in the log, because an app takes an error page for the episode.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from podhost.audio_sources import OpenFiles, SignedUrls, Stream, Unreadable
from podhost.catalogue import Catalogue, KnownShow
from podhost.catalogue_entries import ALLOW_ANY_ORIGIN, AudioTarget, Feed, Headers, SideFile
from podhost.downloads import (
    Record,
    RequestSpool,
    origin,
    preload_word,
    range_text,
    user_agent_text,
)
from podhost.errors import Unavailable
from podhost.instance import Instance
from podhost.loading import Loading
from podhost.web.responses import (
    EMPTY,
    FLUSH,
    GONE,
    NO_SUCH_METHOD,
    NOT_FOUND,
    NOT_RENDERED,
    PREFLIGHT,
    UNAVAILABLE,
    Answer,
    Decision,
    Request,
    accepts_gzip,
    body_message,
    decide,
    joined_headers,
    plain_answer,
    redirect_answer,
    start_message,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[None]]

# The first piece is what many players ask for. Pieces shrink for who reads slowly, because each
# slow listener holds one in memory, and grow for who reads fast; the kernel takes the first
# megabytes from us at once, however slow the listener is.
FIRST_PIECE_BYTES = 64 * 1024
LARGE_PIECE_BYTES = 256 * 1024
SMALL_PIECE_BYTES = 32 * 1024
_BUFFERED_BYTES = 8 * 1024 * 1024
_FAST_SECONDS = 0.01
_SLOW_SECONDS = 0.05

STREAMS_LIMIT = 1000
# Decompressing more than this takes longer than the loop should stand still.
_DECOMPRESS_IN_LOOP_BYTES = 256 * 1024
_COMPLAINT_SECONDS = 10.0

_SIDE_PREFIXES = ("/artwork/", "/chapters/", "/transcripts/")
_READING = frozenset(("GET", "HEAD"))


class Delivery:
    """The ASGI application in front of `app`. It shares its messages between requests, so
    nothing that changes headers may stand in front of it."""

    def __init__(
        self, app: "ASGIApp", instance: Instance, catalogue: Catalogue, spool: RequestSpool
    ) -> None:
        self._app = app
        self._catalogue = catalogue
        self._feeds = catalogue.feeds
        self._record = spool.record
        self._instance = instance
        self._is_redirecting = instance.settings.audio_delivery == "redirect"
        self._files = OpenFiles()
        self._queries = Loading("query", 4)
        self._side_files = Loading("side", 4)
        # Of its own, so that a slow store takes no thread from anything else.
        self._store = Loading("store", 32)
        self._signed_urls = SignedUrls(instance.storage, self._store)
        self._streams = 0
        self._complained_at = -_COMPLAINT_SECONDS

    def close(self) -> None:
        """Give threads and files back; call it in the event loop after the last request."""
        self._files.close()
        for loading in (self._queries, self._side_files, self._store):
            loading.close()

    def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> Awaitable[None]:
        """Answer what is ours, hand everything else to the application behind.

        Not a coroutine itself, which would cost every poll a little: tell uvicorn that this is
        ASGI 3, or await it in a coroutine of your own.
        """
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        path: str = scope["path"]
        feed = self._feeds.get(path)
        if feed is not None:
            return self._poll(feed, scope, send)
        handler = self._find_handler(path)
        if handler is None:
            return self._app(scope, receive, send)
        return self._serve(handler, scope, receive, send)

    def _find_handler(self, path: str) -> Handler | None:
        if path.startswith("/audio/"):
            return self._audio
        if path.endswith("/feed.xml") and path.count("/") == 2:
            return self._unread_feed
        return self._side_file if path.startswith(_SIDE_PREFIXES) else None

    async def _serve(
        self, handler: Handler, scope: "Scope", receive: "Receive", send: "Send"
    ) -> None:
        try:
            request = Request(scope, receive, send)
            if request.method in _READING:
                await handler(request)
            else:
                await request.answer(PREFLIGHT if request.method == "OPTIONS" else NO_SUCH_METHOD)
        except Exception as error:
            await self._fail(error, scope, send)

    async def _fail(self, error: Exception, scope: "Scope", send: "Send") -> None:
        if isinstance(error, Unavailable):
            self._complain("%s: %s", scope["path"], error)
        else:
            logger.error("delivery of %s failed", scope["path"], exc_info=error)
        try:
            await send(UNAVAILABLE.start)
            await send(EMPTY if scope["method"] == "HEAD" else UNAVAILABLE.body)
        except Exception:
            # The answer had begun, or the listener is gone: the server closes the connection.
            logger.debug("no answer was possible", exc_info=True)

    def _complain(self, message: str, *values: object) -> None:
        """Log what thousands of requests may meet at once, every ten seconds at most."""
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAINT_SECONDS:
            self._complained_at = now
            logger.warning(message, *values)

    # Feeds

    async def _poll(self, feed: Feed, scope: "Scope", send: "Send") -> None:
        """The hottest path: a feed in memory."""
        started_ms = int(time.time() * 1000)
        try:
            method: str = scope["method"]
            if method not in _READING:
                answer = PREFLIGHT if method == "OPTIONS" else NO_SUCH_METHOD
                await send(answer.start)
                await send(answer.body)
                return
            feed.was_used = True
            lines = scope["headers"]
            headers: dict[bytes, bytes] = dict(lines)
            if len(headers) != len(lines):
                headers = joined_headers(lines)
            is_gzip = b"accept-encoding" in headers and accepts_gzip(headers[b"accept-encoding"])
            etag = feed.etag_gzip if is_gzip else feed.etag_identity
            # As HEAD, because ranges of feeds are not served.
            status = decide("HEAD", headers, etag, feed.last_modified, 0).status
            body = EMPTY
            if status == 304:
                await send(feed.start_304_gzip if is_gzip else feed.start_304_identity)
            elif status == 412:
                await send(start_message(412, ((b"content-length", b"0"), ALLOW_ANY_ORIGIN)))
            else:
                if method == "GET":
                    body = feed.message_gzip if is_gzip else await self._identity(feed)
                await send(feed.start_gzip if is_gzip else feed.start_identity)
            await send(body)
        except Exception as error:
            await self._fail(error, scope, send)
            return
        client = scope["client"]
        self._record(
            Record(
                "feed",
                started_ms,
                method,
                status,
                feed.show_id,
                len(body["body"]),
                client[0] if client else "",
                user_agent_text(headers.get(b"user-agent", b"")),
            )
        )

    async def _identity(self, feed: Feed) -> dict[str, Any]:
        body = feed.body_identity
        if body is None:
            load = self._catalogue.load_identity
            if feed.identity_bytes <= _DECOMPRESS_IN_LOOP_BYTES:
                body = load(feed)
            else:
                body = await self._queries.once("identity " + feed.path, load, feed)
        return body_message(body)

    async def _unread_feed(self, request: Request) -> None:
        """A feed that is not in memory: to be read, or of an old slug, or none at all."""
        show = self._catalogue.find_show(request.path[1 : -len("/feed.xml")])
        if show is None:
            await request.answer(NOT_FOUND)
            return
        if show.is_deleted:
            answer = GONE
        elif request.path != f"/{show.slug}/feed.xml":
            answer = self._moved(show)
        else:
            feed = await self._queries.once(request.path, self._catalogue.load_feed, show)
            if feed is not None:
                await self._poll(feed, request.scope, request.send)
                return
            answer = NOT_RENDERED
        await request.answer(answer)
        self._record(
            Record(
                "feed",
                request.started_ms,
                request.method,
                answer.start["status"],
                show.show_id,
                0,
                request.ip,
                user_agent_text(request.headers.get(b"user-agent", b"")),
            )
        )

    def _moved(self, show: KnownShow) -> Answer:
        """One hop to where the feed is now; directories update their record on a 301."""
        location = f"{self._instance.base_url}/{show.slug}/feed.xml".encode()
        return plain_answer(
            301,
            "This feed has moved.",
            (b"location", location),
            (b"cache-control", b"public, max-age=300"),
        )

    # Audio

    async def _audio(self, request: Request) -> None:
        parts = request.path.split("/")
        if len(parts) != 5:
            await request.answer(NOT_FOUND)
            return
        catalogue = self._catalogue
        episode = catalogue.find_episode(parts[2])
        if episode is None:
            if not _may_be_id(parts[2]):
                await request.answer(NOT_FOUND)
                return
            episode = await self._queries.once(parts[2], catalogue.load_episode, parts[2])
        target = episode.revisions.get(parts[3])
        if target is None or target.file_name != parts[4]:
            await request.answer(NOT_FOUND)
        elif episode.status != 200:
            await self._audio_answer(request, target, GONE if episode.status == 410 else NOT_FOUND)
        elif target.is_purged:
            url = episode.current_url
            await self._audio_answer(request, target, redirect_answer(url) if url else GONE)
        else:
            await self._listen(request, target)

    async def _audio_answer(self, request: Request, target: AudioTarget, answer: Answer) -> None:
        try:
            await request.answer(answer)
        finally:
            self._note(request, target, answer.start["status"], 0, 0)

    async def _listen(self, request: Request, target: AudioTarget) -> None:
        size_bytes = target.size_bytes
        decision = decide(
            request.method, request.headers, target.etag, target.last_modified, size_bytes
        )
        is_get = request.method == "GET"
        is_redirected = is_get and self._is_redirecting and target.path is None
        # 412: who was redirected before holds the store's validators, and the store judges them.
        is_refused = decision.status == 412 and not is_redirected
        if is_refused or decision.status in (304, 416) or not is_get:
            start = start_message(decision.status, _described(target, decision))
            await self._audio_answer(request, target, Answer(start, EMPTY))
            return
        try:
            if is_redirected:
                await self._redirect(request, target)
            elif target.path is not None:
                await self._listen_locally(request, target, decision, target.path)
            else:
                await self._listen_through(request, target, decision)
        except (Unreadable, Unavailable) as error:
            self._complain("audio %s: %s", target.storage_key, error)
            await self._audio_answer(request, target, UNAVAILABLE)

    def _note(
        self, request: Request, target: AudioTarget, status: int, start: int, sent: int
    ) -> None:
        header = request.headers.get
        purpose = header(b"sec-purpose") or header(b"purpose") or header(b"x-moz")
        referer = header(b"referer")
        self._record(
            Record(
                "audio",
                request.started_ms,
                request.method,
                status,
                target.show_id,
                sent,
                request.ip,
                user_agent_text(header(b"user-agent", b"")),
                *target.facts,
                start,
                range_text(header(b"range", b"")),
                preload_word(purpose) if purpose else "",
                origin(referer) if referer else "",
            )
        )

    async def _listen_locally(
        self, request: Request, target: AudioTarget, decision: Decision, path: str
    ) -> None:
        """Send a file's bytes. Raises Unreadable only before anything was sent."""
        length = decision.end - decision.start
        if length <= FIRST_PIECE_BYTES:
            opened = self._files.find(path, target.size_bytes)
            piece = None if opened is None else opened.read_now(decision.start, length)
            if piece is not None:
                await self._send_piece(request, target, decision, piece)
                return
        file = await self._files.open(path, target.size_bytes)
        try:
            await self._send_pieces(request, target, decision, partial(self._files.read, file))
        finally:
            file.release()

    async def _send_piece(
        self, request: Request, target: AudioTarget, decision: Decision, piece: bytearray
    ) -> None:
        """Send all there is to send, which is in memory: what players ask for most."""
        sent = 0
        try:
            await request.send(start_message(decision.status, _described(target, decision)))
            await request.send(body_message(piece))
            sent = len(piece)
        finally:
            self._note(request, target, decision.status, decision.start, sent)

    async def _send_pieces(
        self,
        request: Request,
        target: AudioTarget,
        decision: Decision,
        source: Callable[[int, int], Awaitable[bytes | bytearray]],
    ) -> None:
        """Send what `source(position, length)` gives, and note the record.

        Raises Unreadable before anything was sent. A source that fails later ends the
        connection: the length was promised.
        """
        status, start, end = decision
        position = start
        piece = await source(start, min(end - start, FIRST_PIECE_BYTES))
        watch: asyncio.Task[None] | None = None
        send = request.send
        try:
            await send(start_message(status, _described(target, decision)))
            if start + len(piece) < end:
                watch = asyncio.create_task(_hung_up(request.receive))
            limit = FIRST_PIECE_BYTES
            while position + len(piece) < end:
                began_at = time.monotonic()
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                position += len(piece)
                # Only one piece per listener is in memory, however slowly it is taken.
                del piece
                await send(FLUSH)
                # A listener who takes everything at once must not keep the others waiting.
                await asyncio.sleep(0)
                assert watch is not None
                if watch.done():
                    return
                limit = _next_limit(limit, time.monotonic() - began_at, position - start)
                piece = await source(position, min(limit, end - position))
            await send(body_message(piece))
            position += len(piece)
        except Unreadable as error:
            self._complain("audio %s broke off: %s", target.storage_key, error)
        except OSError:
            pass  # The listener hung up; some servers say it so.
        finally:
            if watch is not None:
                watch.cancel()
            self._note(request, target, status, start, position - start)

    async def _listen_through(
        self, request: Request, target: AudioTarget, decision: Decision
    ) -> None:
        """Stream from the store. Raises Unavailable only before anything was sent."""
        if self._streams >= STREAMS_LIMIT:
            raise Unavailable("Too many listeners stream through this process.")
        self._streams += 1
        stream = Stream(self._instance.storage, target.storage_key, decision.end, self._store)
        try:
            await self._send_pieces(request, target, decision, stream.read)
        finally:
            self._streams -= 1
            stream.close()

    async def _redirect(self, request: Request, target: AudioTarget) -> None:
        """To the store, or to the public address in front of it. Raises Unavailable."""
        key = target.storage_key
        base = self._instance.settings.audio_url
        if base:
            url = f"{base}/{key}"
        else:
            url = await self._signed_urls.find(key, target.mime_type, self._instance.now())
        await self._audio_answer(request, target, redirect_answer(url))

    # Artwork, chapters, transcripts

    async def _side_file(self, request: Request) -> None:
        side = self._catalogue.find_side_file(request.path)
        if side is None:
            parts = request.path.split("/")
            if len(parts) > 4 or not _may_be_id(parts[2].removesuffix(".json")):
                await request.answer(NOT_FOUND)
                return
            load = self._catalogue.load_side_file
            side = await self._side_files.once(request.path, load, request.path)
        if side.status != 200:
            await request.answer(GONE if side.status == 410 else NOT_FOUND)
            return
        await _send_side_file(request, side)


async def _send_side_file(request: Request, side: SideFile) -> None:
    body = side.body
    decision = decide(request.method, request.headers, side.etag, side.last_modified, len(body))
    status, start, end = decision
    headers = side.headers + _length_and_range(decision, len(body))
    await request.send(start_message(status, headers))
    is_with_body = request.method == "GET" and status in (200, 206)
    await request.send(body_message(body[start:end]) if is_with_body else EMPTY)


def _described(target: AudioTarget, decision: Decision) -> Headers:
    """The headers of an answer about audio, the same for GET and HEAD."""
    headers = target.body_headers if decision.status in (200, 206) else target.headers
    return headers + _length_and_range(decision, target.size_bytes)


def _length_and_range(decision: Decision, size_bytes: int) -> Headers:
    status, start, end = decision
    if status == 206:
        return (
            (b"content-length", b"%d" % (end - start)),
            (b"content-range", b"bytes %d-%d/%d" % (start, end - 1, size_bytes)),
        )
    if status == 200:
        return ((b"content-length", b"%d" % size_bytes),)
    if status == 416:
        return ((b"content-length", b"0"), (b"content-range", b"bytes */%d" % size_bytes))
    return () if status == 304 else ((b"content-length", b"0"),)


def _next_limit(limit: int, seconds: float, sent: int) -> int:
    """How much to read next, for who took the last piece within `seconds`, of `sent` bytes."""
    if seconds > _SLOW_SECONDS:
        return SMALL_PIECE_BYTES
    if seconds < _FAST_SECONDS:
        most = LARGE_PIECE_BYTES if sent > _BUFFERED_BYTES else FIRST_PIECE_BYTES
        return min(limit * 2, most)
    return limit


def _may_be_id(text: str) -> bool:
    """Whether it can be one of our ids; nothing else is worth a query."""
    return len(text) == 16 and text.isascii() and text.isalnum()


async def _hung_up(receive: "Receive") -> None:
    """Return when the listener is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
