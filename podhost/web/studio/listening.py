"""The player of the pages that work on an episode's audio: what it plays, and the bytes of it.

Nobody's listening here is counted: the address is not the one that the feed names.
"""

from dataclasses import dataclass

from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from podhost.accounts.roles import Permission
from podhost.audio.waveforms import get_audio
from podhost.errors import NotFound
from podhost.models import Audio, Episode, Show
from podhost.storage.contract import CHUNK_BYTES
from podhost.web.responses import Range, parse_range
from podhost.web.studio.visits import STUDIO, StudioRoute, Visit

_SIGNED_SECONDS = 3 * 3600
# A revision's bytes never change, and its address has its id in it.
_KEPT = {"Cache-Control": "private, max-age=86400, immutable"}


@dataclass(frozen=True, slots=True)
class Player:
    """What a page needs to play an episode's audio and to draw its waveform."""

    audio_path: str
    waveform_path: str
    mime_type: str
    duration_ms: int


def episode_path(show: Show, episode: Episode) -> str:
    """Where the pages of an episode are, below the studio."""
    return f"/shows/{show.slug}/episodes/{episode.id}"


def player_of(show: Show, episode: Episode) -> Player | None:
    """The player for the episode; None while it has no audio."""
    audio = episode.audio
    if audio is None:
        return None
    return Player(
        audio_path=f"{STUDIO}{episode_path(show, episode)}/audio/{audio.id}",
        waveform_path=f"/api/v1/shows/{show.slug}/episodes/{episode.id}/waveform",
        mime_type=audio.mime_type,
        duration_ms=audio.duration_ms,
    )


def get_sound(visit: Visit) -> Response:
    """The bytes of the audio, or where the store has them."""
    with visit.read() as session:
        audio = get_audio(visit.episode(session))
    if audio.id != visit.parameters["audio"]:
        raise NotFound("The audio was replaced; open the page again.")
    storage = visit.instance.storage
    path = storage.local_path(audio.storage_key)
    if path is not None:
        if not path.exists():
            raise NotFound("The audio is missing in the storage; `podhost check` says more.")
        return FileResponse(path, media_type=audio.mime_type, headers=_KEPT)
    if visit.instance.settings.audio_delivery == "redirect":
        url = storage.url_for(
            audio.storage_key, expires_seconds=_SIGNED_SECONDS, content_type=audio.mime_type
        )
        if url is not None:
            return RedirectResponse(url, 302, {"Cache-Control": "private, no-store"})
    return _streamed(visit, audio)


def _streamed(visit: Visit, audio: Audio) -> Response:
    """A part of the object, where only podhost can reach the store."""
    asked = visit.request.headers.get("range", "").encode("latin-1")
    found = parse_range(asked, audio.size_bytes) if asked else None
    if asked and found is not None and not isinstance(found, Range):
        return Response(status_code=416, headers={"Content-Range": f"bytes */{audio.size_bytes}"})
    start, end = (found.start, found.end) if isinstance(found, Range) else (0, audio.size_bytes)
    reader = visit.instance.storage.open(audio.storage_key, start, end)
    headers = {**_KEPT, "Accept-Ranges": "bytes", "Content-Length": str(end - start)}
    if found is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{audio.size_bytes}"
    pieces = iter(lambda: reader.read(CHUNK_BYTES), b"")
    return StreamingResponse(
        pieces, 206 if found is not None else 200, headers, media_type=audio.mime_type
    )


ROUTES = (
    StudioRoute(
        "GET", "/shows/{show}/episodes/{episode}/audio/{audio}", get_sound, Permission.VIEW
    ),
)
