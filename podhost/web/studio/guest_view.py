"""An episode as whoever holds a private link sees it: plain values for templates; no handler."""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.errors import Gone, NotFound
from podhost.feeds.rendering import episode_people
from podhost.guests.links import Guest, open_link
from podhost.models import Audio, Credit, Episode, Show
from podhost.people import list_credits
from podhost.rate_limits import RateLimits
from podhost.web.private_files import PrivateFile, private_answer
from podhost.web.studio.visits import Visit


@dataclass(frozen=True, slots=True)
class SeenPerson:
    """Somebody who is named; `artwork` is the row of a picture that podhost holds, or None."""

    name: str
    role: str
    url: str | None
    bio: str
    links: list[dict[str, str]]
    artwork: Any


def open_visit(visit: Visit, session: Session, *, is_preview: bool) -> Guest:
    """What the link in the path leads to. Raises NotFound, Gone, or TooManyRequests after many
    wrong secrets from one address."""
    limits: RateLimits = visit.request.app.state.limits
    secret = visit.parameters["secret"]
    limits.require_attempt(visit.address, secret)
    try:
        guest = open_link(session, secret, is_preview=is_preview, now=visit.now())
    except Gone:
        raise
    except NotFound:
        limits.note_failure(visit.address)
        raise
    limits.note_success(secret)
    return guest


def private_page(response: Response) -> Response:
    """The page, which must not tell other hosts its address, and which no search engine keeps."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def episode_values(session: Session, show: Show, episode: Episode, path: str) -> dict[str, Any]:
    """What the templates of a preview need; `path` is that of the page, below which audio is."""
    audio = episode.audio
    hosts = list_credits(session, show, None)
    people = episode_people(hosts, episode.credits) or hosts
    return {
        "show": show,
        "episode": episode,
        "artwork": episode.artwork or show.artwork,
        "notes": Markup(episode.notes_html),  # noqa: S704 - it was cleaned when it was written
        "audio_path": f"{path}/audio/{_audio_name(audio)}" if audio is not None else "",
        "duration_ms": audio.duration_ms if audio is not None else 0,
        "chapters": [
            {"start_ms": chapter.start_ms, "title": chapter.title or ""}
            for chapter in episode.chapters
            if not chapter.is_hidden
        ],
        "people": [_seen(credit) for credit in people],
        "is_out": episode.status == "published",
        "is_explicit": show.explicit if episode.explicit is None else episode.explicit,
    }


def audio_response(visit: Visit, audio: Audio | None) -> Response:
    """The current audio, if the path names it. Raises NotFound or Unavailable."""
    if audio is None or visit.parameters["name"] != _audio_name(audio):
        raise NotFound("There is no such file here.")
    file = PrivateFile(
        audio.storage_key, audio.size_bytes, audio.sha256, audio.mime_type, audio.created_at
    )
    return private_answer(visit.instance, visit.request, file)


def _audio_name(audio: Audio) -> str:
    # With its revision, so that players do not mix the bytes of two.
    return f"{audio.revision}.{audio.extension}"


def _seen(credit: Credit) -> SeenPerson:
    return SeenPerson(
        credit.name, credit.role, credit.url, credit.bio, list(credit.links or ()), credit.artwork
    )
