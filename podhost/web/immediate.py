"""Decides what apps and readers are answered, as far as that needs but memory; it sends nothing.

Nothing here waits. Where a database, a disk or a store must be asked first, the decision is None,
and delivery.py fetches what is missing.
"""

from collections.abc import Callable
from urllib.parse import quote

from podhost.catalogue import Catalogue
from podhost.catalogue.audio_sources import OpenFiles, SignedUrls
from podhost.catalogue.entries import (
    OPML_PATH,
    AudioTarget,
    EpisodeAudio,
    Feed,
    SideFile,
)
from podhost.catalogue.pages import SitePage
from podhost.catalogue.ready_answers import Answer, HeaderBlock, Headers
from podhost.catalogue.rows import KnownShow
from podhost.downloads import (
    Record,
    RequestSpool,
    origin,
    preload_word,
    range_text,
    user_agent_text,
)
from podhost.feeds.formats import JSON, FeedFormat, names_feed, split_path
from podhost.instance import Instance
from podhost.web.responses import (
    GONE,
    NO_SUCH_METHOD,
    NOT_FOUND,
    PRECONDITION_FAILED,
    PREFLIGHT,
    Decision,
    Request,
    accepts_gzip,
    best_coding,
    decide,
    etag_matches,
    plain_answer,
    redirect_answer,
)

# What many players ask for at once. Longer answers are sent piece by piece.
FIRST_PIECE_BYTES = 64 * 1024
# Decompressing more than this takes longer than the event loop should stand still.
_DECOMPRESS_IN_LOOP_BYTES = 256 * 1024

_READING = frozenset(("GET", "HEAD"))
_PREFIXES = ("/audio/", "/artwork/", "/chapters/", "/transcripts/")
X_SENDFILE = "x-sendfile"


class Immediate:
    """The answers that are in memory. Each is noted in the request spool when it is given out."""

    def __init__(
        self,
        instance: Instance,
        catalogue: Catalogue,
        spool: RequestSpool,
        files: OpenFiles,
        signed_urls: SignedUrls,
        count: Callable[[str, int, int], None],
    ) -> None:
        self._instance = instance
        self._pages = catalogue.pages
        self._count = count
        self._catalogue = catalogue
        self._feeds = catalogue.feeds
        self._record = spool.record
        self._files = files
        self._signed_urls = signed_urls
        self._is_redirecting = instance.settings.audio_delivery == "redirect"
        self._accelerator = instance.settings.audio_accel

    def answer(self, request: Request) -> Answer | None:
        """What is answered; None: something has to be fetched, or the path is not ours."""
        path = request.path
        feed = self._feeds.get(path)
        if feed is None and not is_ours(path):
            return self._page(request)
        if request.method not in _READING:
            return PREFLIGHT if request.method == "OPTIONS" else NO_SUCH_METHOD
        if feed is not None:
            return self.feed(request, feed)
        if path.startswith("/audio/"):
            return self._audio(request)
        if names_feed(path):
            return self._feed_elsewhere(request)
        return self._side_file(request)

    # Feeds

    def feed(self, request: Request, feed: Feed) -> Answer | None:
        """A poll. None: catalogue.load_identity(feed) must unpack it first."""
        feed.was_used = True
        headers = request.headers
        # Browsers alone say that an answer will be looked at (Fetch Metadata, W3C).
        if headers.get(b"sec-fetch-dest") == b"document" and feed.format is not JSON:
            answer = self._show_page(request)
            self.note_feed(request, feed.show_id, answer)
            return answer
        is_gzip = b"accept-encoding" in headers and accepts_gzip(headers[b"accept-encoding"])
        # As HEAD, because ranges of feeds are not served.
        status = decide("HEAD", headers, feed.etags[is_gzip], feed.last_modified, 0).status
        if status == 304:
            answer = feed.unchanged[is_gzip]
        elif status == 412:
            answer = PRECONDITION_FAILED
        elif is_gzip or request.method == "HEAD":
            answer = feed.whole[is_gzip]
        else:
            body = self._unpacked(feed)
            if body is None:
                return None
            answer = Answer(200, feed.whole[False].block, body=body)
        self.note_feed(request, feed.show_id, answer)
        return answer

    def _show_page(self, request: Request) -> Answer:
        """A person has opened the feed, to whom XML says nothing: on to the show's page."""
        slug = request.path.split("/")[1]
        return plain_answer(
            302,
            "The page of this show is there.",
            (b"location", f"{self._instance.base_url}/{slug}/".encode()),
            # Or a cache in front would lead podcast apps there too.
            (b"cache-control", b"private, no-store"),
            (b"vary", b"sec-fetch-dest"),
        )

    def _unpacked(self, feed: Feed) -> bytes | None:
        if feed.body_identity is None and feed.identity_bytes <= _DECOMPRESS_IN_LOOP_BYTES:
            return self._catalogue.load_identity(feed)
        return feed.body_identity

    def _feed_elsewhere(self, request: Request) -> Answer | None:
        """A feed that is not in memory: to be read, or of an old slug, or none at all."""
        named = split_path(request.path)
        show = self._catalogue.find_show(named[0]) if named is not None else None
        if named is None or show is None:
            return NOT_FOUND
        path = named[1].file_name
        if (new_address := show.new_address(named[1])) is not None:
            answer = _sent_to(new_address)
        elif show.is_deleted or path in show.gone:
            answer = GONE
        elif named[1].is_further and path not in show.further:
            return NOT_FOUND
        elif named[0] != show.slug:
            answer = self._moved(show, named[1])
        else:
            return None
        self.note_feed(request, show.show_id, answer)
        return answer

    def _moved(self, show: KnownShow, format_: FeedFormat) -> Answer:
        return _sent_to(self._instance.base_url + format_.path(show.slug))

    def note_feed(self, request: Request, show_id: str, answer: Answer) -> None:
        """Note a poll that was answered; only bytes of feeds are counted as sent."""
        is_sent = answer.status == 200 and request.method == "GET"
        self._record(
            Record(
                "feed",
                request.started_ms,
                request.method,
                answer.status,
                show_id,
                len(answer.body) if is_sent else 0,
                request.ip,
                user_agent_text(request.headers.get(b"user-agent", b"")),
            )
        )

    # Audio

    def _audio(self, request: Request) -> Answer | None:
        parts = request.path.split("/")
        if len(parts) != 5:
            return NOT_FOUND
        episode = self._catalogue.find_episode(parts[2])
        if episode is not None:
            return self.episode_audio(request, episode)
        return None if may_be_id(parts[2]) else NOT_FOUND

    def episode_audio(self, request: Request, episode: EpisodeAudio) -> Answer | None:
        """The answer about an episode's audio. None: its bytes or a signature must be fetched."""
        target = find_target(request, episode)
        if target is None:
            return NOT_FOUND
        if episode.status != 200:
            answer = GONE if episode.status == 410 else NOT_FOUND
        elif episode.moved_url:
            answer = redirect_answer(episode.moved_url, 301)
        elif target.is_purged:
            answer = redirect_answer(episode.current_url) if episode.current_url else GONE
        else:
            return self._listen(request, target)
        return self.noted(request, target, answer)

    def _listen(self, request: Request, target: AudioTarget) -> Answer | None:
        decision = decide_audio(request, target)
        is_get = request.method == "GET"
        is_redirected = is_get and self.is_redirected(target)
        # 412: who was redirected before holds the store's validators, and the store judges them.
        is_refused = decision.status == 412 and not is_redirected
        if is_refused or decision.status in (304, 416) or not is_get:
            return self.noted(request, target, audio_answer(target, decision))
        if is_redirected:
            return self._redirect(request, target)
        if target.path is None:
            return None
        if self._accelerator and _is_plain(request, decision):
            return self._leave_to_proxy(request, target, decision, target.path)
        return self._read_now(request, target, decision, target.path)

    def is_redirected(self, target: AudioTarget) -> bool:
        """Whether listeners fetch this from the store themselves."""
        return self._is_redirecting and target.path is None

    def is_signed(self, target: AudioTarget) -> bool:
        """Whether listeners are sent there with a signature, which can say what they get."""
        return self.is_redirected(target) and not self._instance.settings.audio_url

    def _redirect(self, request: Request, target: AudioTarget) -> Answer | None:
        base = self._instance.settings.audio_url
        if base:
            url: str | None = f"{base}/{target.storage_key}"
        else:
            url = self._signed_urls.find_now(target.storage_key, self._instance.now())
        return None if url is None else self.noted(request, target, redirect_answer(url))

    def _leave_to_proxy(
        self, request: Request, target: AudioTarget, decision: Decision, path: str
    ) -> Answer:
        """Our headers, and the name of the file, whose bytes the proxy sends instead of ours."""
        headers = target.with_body.headers
        if decision.status == 200:
            # nginx says it by itself, but not in an answer that is a range.
            headers = tuple(header for header in headers if header[0] != b"accept-ranges")
        name_of_file = _proxy_header(self._accelerator, target.storage_key, path)
        answer = Answer(200, HeaderBlock(*headers, (b"content-length", b"0"), name_of_file))
        self.note_audio(request, target, decision.status, decision.start, 0, sender="proxy")
        return answer

    def _read_now(
        self, request: Request, target: AudioTarget, decision: Decision, path: str
    ) -> Answer | None:
        """All there is to send, if the page cache has it: what players ask for most."""
        length = decision.end - decision.start
        if length > FIRST_PIECE_BYTES:
            return None
        file = self._files.find(path, target.size_bytes)
        piece = None if file is None else file.read_now(decision.start, length)
        if piece is None:
            return None
        self.note_audio(request, target, decision.status, decision.start, length)
        more = length_and_range(decision, target.size_bytes)
        return Answer(decision.status, target.with_body, more, piece)

    def noted(self, request: Request, target: AudioTarget, answer: Answer) -> Answer:
        """The answer, which has no bytes of audio, after its request was noted."""
        self.note_audio(request, target, answer.status, 0, 0)
        return answer

    def note_audio(
        self,
        request: Request,
        target: AudioTarget,
        status: int,
        start: int,
        sent: int,
        sender: str = "",
    ) -> None:
        """Note a request for audio, and the bytes from `start` that the network was given."""
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
                sender,
            )
        )

    # Pages

    def _page(self, request: Request) -> Answer | None:
        """A page of a site. None: it must be rendered, or there is none."""
        if request.method not in _READING:
            return None
        host = request.headers.get(b"host", b"")
        page = self._pages.get(self._catalogue.page_key(request.path, host))
        if page is None or not page.is_for(request.query, request.started_ms):
            return None
        page.was_used = True
        answer = page_answer(request, page)
        sent_bytes = len(answer.body) if request.method == "GET" else 0
        self._count("site", answer.status, sent_bytes)
        return answer

    # Artwork, chapters, transcripts

    def _side_file(self, request: Request) -> Answer | None:
        side = self._catalogue.find_side_file(request.path)
        if side is not None:
            return side_answer(request, side)
        if request.path == OPML_PATH:
            return None
        parts = request.path.split("/")
        is_possible = len(parts) <= 4 and may_be_id(parts[2].partition(".")[0])
        return None if is_possible else NOT_FOUND


def _sent_to(url: str) -> Answer:
    """One hop to where the feed is now; directories update their record on a 301."""
    return plain_answer(
        301,
        "This feed has moved.",
        (b"location", url.encode()),
        (b"cache-control", b"public, max-age=300"),
    )


def is_ours(path: str) -> bool:
    """Whether a path belongs to podcast apps; feeds in memory do, wherever they are."""
    return path.startswith(_PREFIXES) or names_feed(path) or path == OPML_PATH


def may_be_id(text: str) -> bool:
    """Whether it can be one of our ids; nothing else is worth a query."""
    return len(text) == 16 and text.isascii() and text.isalnum()


def find_target(request: Request, episode: EpisodeAudio) -> AudioTarget | None:
    """The file that a path /audio/<episode>/<revision>/<file name> names."""
    _, _, _, revision, file_name = request.path.split("/")
    target = episode.revisions.get(revision)
    return target if target is not None and target.file_name == file_name else None


def decide_audio(request: Request, target: AudioTarget) -> Decision:
    """What HTTP's rules say to a request for this file."""
    return decide(
        request.method, request.headers, target.etag, target.last_modified, target.size_bytes
    )


def audio_answer(target: AudioTarget, decision: Decision) -> Answer:
    """The headers of an answer about audio, the same for GET and HEAD."""
    block = target.with_body if decision.status in (200, 206) else target.bare
    return Answer(decision.status, block, length_and_range(decision, target.size_bytes))


def side_answer(request: Request, side: SideFile) -> Answer:
    """A side file, or a range of it, or the lack of it."""
    if side.status != 200:
        return GONE if side.status == 410 else NOT_FOUND
    size_bytes = len(side.body)
    decision = decide(request.method, request.headers, side.etag, side.last_modified, size_bytes)
    more = length_and_range(decision, size_bytes)
    is_with_body = decision.status in (200, 206)
    body = side.body[decision.start : decision.end] if is_with_body else b""
    return Answer(decision.status, side.block, more, body)


def page_answer(request: Request, page: SitePage) -> Answer:
    """A page in the coding that is wanted, or that it is as it was."""
    coding = best_coding(request.headers.get(b"accept-encoding", b""))
    coding = coding if coding in page.etags else ""
    whole, known = page.whole[coding], request.headers.get(b"if-none-match")
    # Of a refusal, or of something that was done, nobody has a copy (RFC 9110 13.2.1).
    is_fresh = whole.status == 200 and request.method in _READING
    if known is not None and is_fresh and etag_matches(known, page.etags[coding]):
        return page.unchanged[coding]
    return whole


def length_and_range(decision: Decision, size_bytes: int) -> Headers:
    """Content-Length, and Content-Range where there is one; neither for 304."""
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


def _is_plain(request: Request, decision: Decision) -> bool:
    """Whether a proxy that sends the file will come to the same decision.

    It judges If-Match and If-Unmodified-Since by validators of its own, and has rules of its own
    for several ranges and for malformed ones.
    """
    headers = request.headers
    if b"if-match" in headers or b"if-unmodified-since" in headers:
        return False
    return b"range" not in headers or (decision.status == 206 and b"," not in headers[b"range"])


def _proxy_header(accelerator: str, key: str, path: str) -> tuple[bytes, bytes]:
    """The header by which the proxy in front is told which file to send."""
    if accelerator == X_SENDFILE:
        return b"x-sendfile", path.encode()
    # nginx reads it as an address: a percent sign would begin an escape.
    return b"x-accel-redirect", (accelerator + quote(key)).encode("ascii")
