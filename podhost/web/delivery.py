"""What podcast apps fetch: feeds, audio, artwork, chapters, transcripts; all other paths go on,
except to pages that are in memory.

It stands in front of the router. What is in memory is decided by immediate.py; here is what has
to wait: reads of the database, of cold files, of the store, and bodies that are sent piece by
piece. It never raises: whatever goes wrong inside becomes 503 and a line in the log, because an
app takes an error page for the episode.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from podhost.catalogue import Catalogue
from podhost.catalogue.audio_sources import OpenFiles, SignedUrls, Stream, Unreadable
from podhost.catalogue.entries import AudioTarget
from podhost.catalogue.loading import Loading
from podhost.catalogue.ready_answers import Answer
from podhost.downloads import RequestSpool
from podhost.errors import Unavailable
from podhost.feeds.formats import names_feed, split_path
from podhost.instance import Instance
from podhost.web.immediate import (
    FIRST_PIECE_BYTES,
    Immediate,
    audio_answer,
    decide_audio,
    find_target,
    is_ours,
    may_be_id,
    side_answer,
)
from podhost.web.responses import (
    EMPTY,
    FLUSH,
    NOT_FOUND,
    NOT_RENDERED,
    UNAVAILABLE,
    AsgiRequest,
    Decision,
    Request,
    attachment,
    body_message,
    redirect_answer,
    wants_download,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

# Pieces shrink for who reads slowly, because each slow listener holds one in memory, and grow
# for who reads fast; the kernel takes the first megabytes from us at once, however slow the
# listener is.
LARGE_PIECE_BYTES = 256 * 1024
SMALL_PIECE_BYTES = 32 * 1024
_BUFFERED_BYTES = 8 * 1024 * 1024
_FAST_SECONDS = 0.01
_SLOW_SECONDS = 0.05

STREAMS_LIMIT = 1000
_COMPLAINT_SECONDS = 10.0


class Delivery:
    """The ASGI application in front of `app`. `count(surface, status, sent_bytes)` is told of
    answers that neither the spool nor the application notes."""

    def __init__(
        self,
        app: "ASGIApp",
        instance: Instance,
        catalogue: Catalogue,
        spool: RequestSpool,
        count: Callable[[str, int, int], None],
    ) -> None:
        self._app = app
        self._catalogue = catalogue
        self._storage = instance.storage
        self._clock = instance.now
        self._files = OpenFiles()
        self._queries = Loading("query", 4)
        self._side_files = Loading("side", 4)
        # Of its own, so that a slow store takes no thread from anything else.
        self._store = Loading("store", 32)
        self._signed_urls = SignedUrls(instance.storage, self._store)
        self._now = Immediate(instance, catalogue, spool, self._files, self._signed_urls, count)
        self.answer_now = self._now.answer
        self._streams = 0
        self._complained_at = -_COMPLAINT_SECONDS

    def close(self) -> None:
        """Give threads and files back; call it in the event loop after the last request."""
        self._files.close()
        for loading in (self._queries, self._side_files, self._store):
            loading.close()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer what is ours, hand everything else to the application behind."""
        path = scope.get("path", "")
        if scope["type"] == "http" and (path in self._catalogue.feeds or is_ours(path)):
            await self._serve(scope, receive, send)
        elif scope["type"] == "http" and self._catalogue.pages:
            await self._serve_page(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve_page(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        request = AsgiRequest(scope, receive, send)
        answer = self.answer_now(request)
        if answer is not None:
            await request.answer(answer)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        try:
            request = AsgiRequest(scope, receive, send)
            if scope["query_string"] and wants_download(scope["query_string"]):
                answer = await self._download(request)
            else:
                answer = self.answer_now(request) or await self._fetch(request)
            if answer is not None:
                await request.answer(answer)
        except Exception as error:
            await self._fail(error, scope, send)

    async def _fetch(self, request: AsgiRequest) -> Answer | None:
        """The answer to what is not in memory; None when it was sent already, in pieces."""
        if request.path.startswith("/audio/"):
            return await self._audio(request)
        if names_feed(request.path):
            return await self._feed(request)
        return await self._side_file(request)

    async def _fail(self, error: Exception, scope: "Scope", send: "Send") -> None:
        if isinstance(error, Unavailable):
            self._complain("%s: %s", scope["path"], error)
        else:
            logger.error("delivery of %s failed", scope["path"], exc_info=error)
        try:
            await send(UNAVAILABLE.start)
            await send(EMPTY if scope["method"] == "HEAD" else body_message(UNAVAILABLE.body))
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

    async def _feed(self, request: Request) -> Answer | None:
        feed = self._catalogue.feeds.get(request.path)
        if feed is None:
            named = split_path(request.path)
            show = self._catalogue.find_show(named[0]) if named is not None else None
            if named is None or show is None:
                return NOT_FOUND
            load_feed = self._catalogue.load_feed
            feed = await self._queries.once(request.path, load_feed, show, named[1])
            if feed is None:
                self._now.note_feed(request, show.show_id, NOT_RENDERED)
                return NOT_RENDERED
        answer = self._now.feed(request, feed)
        if answer is None:
            load = self._catalogue.load_identity
            await self._queries.once("identity " + feed.path, load, feed)
            answer = self._now.feed(request, feed)
        return answer

    # Audio

    async def _audio(self, request: AsgiRequest) -> Answer | None:
        episode_id = request.path.split("/")[2]
        episode = self._catalogue.find_episode(episode_id)
        if episode is None:
            load = self._catalogue.load_episode
            episode = await self._queries.once(episode_id, load, episode_id)
            answer = self._now.episode_audio(request, episode)
            if answer is not None:
                return answer
        target = find_target(request, episode)
        return NOT_FOUND if target is None else await self._listen(request, target)

    async def _listen(self, request: AsgiRequest, target: AudioTarget) -> Answer | None:
        """Send the bytes, or where they are; only called when nothing else is to be said."""
        decision = decide_audio(request, target)
        try:
            if self._now.is_redirected(target):
                return await self._redirect(request, target)
            if target.path is not None:
                await self._listen_locally(request, target, decision, target.path)
            else:
                await self._listen_through(request, target, decision)
        except (Unreadable, Unavailable) as error:
            self._complain("audio %s: %s", target.storage_key, error)
            return self._now.noted(request, target, UNAVAILABLE)
        return None

    async def _redirect(self, request: Request, target: AudioTarget) -> Answer:
        """To the store, with a new signature. Raises Unavailable."""
        url = await self._signed_urls.find(target.storage_key, target.mime_type, self._clock())
        return self._now.noted(request, target, redirect_answer(url))

    async def _listen_locally(
        self, request: AsgiRequest, target: AudioTarget, decision: Decision, path: str
    ) -> None:
        """Send a file's bytes. Raises Unreadable only before anything was sent."""
        file = await self._files.open(path, target.size_bytes)
        try:
            await self._send_pieces(request, target, decision, partial(self._files.read, file))
        finally:
            file.release()

    async def _send_pieces(
        self,
        request: AsgiRequest,
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
            await send(audio_answer(target, decision).start)
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
            self._now.note_audio(request, target, status, start, position - start)

    async def _listen_through(
        self, request: AsgiRequest, target: AudioTarget, decision: Decision
    ) -> None:
        """Stream from the store. Raises Unavailable only before anything was sent."""
        if self._streams >= STREAMS_LIMIT:
            raise Unavailable("Too many listeners stream through this process.")
        self._streams += 1
        stream = Stream(self._storage, target.storage_key, decision.end, self._store)
        try:
            await self._send_pieces(request, target, decision, stream.read)
        finally:
            self._streams -= 1
            stream.close()

    # Audio to be saved

    async def _download(self, request: AsgiRequest) -> Answer | None:
        """Audio as it is always sent, with the name under which browsers are to save it."""
        target = await self._find_audio(request)
        if target is not None:
            named = attachment(await self._name_to_save(target), target.file_name)
            request.send = _naming(request.send, named)
            is_signed = request.method == "GET" and self._now.is_signed(target)
            if is_signed and decide_audio(request, target).status not in (304, 416):
                return await self._redirect_named(request, target, named[1].decode())
        return self.answer_now(request) or await self._fetch(request)

    async def _find_audio(self, request: Request) -> AudioTarget | None:
        """The file that is asked for, if listeners may have it."""
        parts = request.path.split("/")
        if not request.path.startswith("/audio/") or len(parts) != 5 or not may_be_id(parts[2]):
            return None
        episode = self._catalogue.find_episode(parts[2])
        if episode is None:
            load = self._catalogue.load_episode
            episode = await self._queries.once(parts[2], load, parts[2])
        target = find_target(request, episode) if episode.status == 200 else None
        return None if target is None or target.is_purged else target

    async def _name_to_save(self, target: AudioTarget) -> str:
        episode_id = str(target.facts[0])
        try:
            load = self._catalogue.load_titles
            titles = await self._queries.once("titles " + episode_id, load, episode_id)
        except Unavailable:
            # The audio itself may be there all the same.
            return target.file_name
        # Few ask for this, and a server starts sooner without it.
        from podhost.formats.text import saved_name

        name = " - ".join(part for part in map(saved_name, titles) if part)
        ending = target.file_name[target.file_name.rindex(".") :]
        return name + ending if name else target.file_name

    async def _redirect_named(
        self, request: Request, target: AudioTarget, disposition: str
    ) -> Answer:
        try:
            url = await self._signed_urls.sign_named(
                target.storage_key, target.mime_type, disposition
            )
        except Unavailable as error:
            self._complain("audio %s: %s", target.storage_key, error)
            return self._now.noted(request, target, UNAVAILABLE)
        return self._now.noted(request, target, redirect_answer(url))

    # Artwork, chapters, transcripts

    async def _side_file(self, request: Request) -> Answer:
        load = self._catalogue.load_side_file
        return side_answer(request, await self._side_files.once(request.path, load, request.path))


def _next_limit(limit: int, seconds: float, sent: int) -> int:
    """How much to read next, for who took the last piece within `seconds`, of `sent` bytes."""
    if seconds > _SLOW_SECONDS:
        return SMALL_PIECE_BYTES
    if seconds < _FAST_SECONDS:
        most = LARGE_PIECE_BYTES if sent > _BUFFERED_BYTES else FIRST_PIECE_BYTES
        return min(limit * 2, most)
    return limit


def _naming(send: "Send", header: tuple[bytes, bytes]) -> "Send":
    """A way out that puts the header on answers which have the file, or are about all of it."""

    async def send_named(message: "Message") -> None:
        if message["type"] == "http.response.start" and message["status"] in (200, 206):
            message = {**message, "headers": [*message["headers"], header]}
        await send(message)

    return send_named


async def _hung_up(receive: "Receive") -> None:
    """Return when the listener is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
