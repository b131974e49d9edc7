"""The page of an episode's soundbites: the parts of it that are worth sharing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import msgspec
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.episodes import EpisodeInput, change_episode
from podhost.errors import Invalid
from podhost.fields import FieldErrors
from podhost.formats.clock_times import clock_time, read_clock_time
from podhost.formats.feed_tags import stored_episode_tags
from podhost.formats.tag_values import Soundbite
from podhost.models import Episode
from podhost.web.studio.listening import episode_path, player_of
from podhost.web.studio.visits import StudioRoute, Visit

_PAGE = "/shows/{show}/episodes/{episode}/soundbites"
_EMPTY_ROWS = 2
_CHANGED = (
    "Somebody else changed the soundbites since you opened this page. What stands here is yours; "
    "saving it again replaces theirs."
)
_AFTER_THE_END = "It ends after the audio does."
_NO_LENGTH = "Say how long it is, such as 0:30."


@dataclass(frozen=True, slots=True)
class SoundbiteRow:
    """One row as it stands on the page."""

    start: str = ""
    duration: str = ""
    title: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in it."""
        return not (self.start.strip() or self.duration.strip() or self.title.strip())


def soundbites_page(visit: Visit) -> Response:
    """The soundbites as they are."""
    return _page(visit)


def save_soundbites(visit: Visit) -> Response:
    """Replace the soundbites by the rows of the form, in their order."""
    _ = visit.words
    rows = _rows(visit)
    try:
        with visit.write() as session:
            episode = visit.episode(session, lock=True)
            seen = _fingerprint(episode)
            audio = episode.audio
            given = _read_rows(rows, audio.duration_ms if audio is not None else None)
            is_changed = visit.form.text("seen") != seen
            if not is_changed:
                change_episode(session, episode, EpisodeInput(soundbites=given), now=visit.now())
            path = episode_path(episode.show, episode)
    except Invalid as error:
        wrong = {name: _.said(sentence) for name, sentence in error.fields.items()}
        return _page(visit, rows, 422, seen=visit.form.text("seen"), field_errors=wrong)
    if is_changed:
        return _page(visit, rows, 409, seen=seen, error=_(_CHANGED))
    count = len(given)
    say = visit.words.plural("%(num)s soundbite is saved.", "%(num)s soundbites are saved.", count)
    return visit.redirect(f"{path}/soundbites", say=say)


def _read_rows(rows: Sequence[SoundbiteRow], duration_ms: int | None) -> tuple[Soundbite, ...]:
    """The soundbites that were written. Raises Invalid, naming fields as soundbites[0].start."""
    errors = FieldErrors()
    found = []
    for index, row in enumerate(rows):
        if row.is_empty:
            continue
        start_ms = length_ms = 0
        with errors.noting(f"soundbites[{index}].start"):
            start_ms = read_clock_time(row.start)
        with errors.noting(f"soundbites[{index}].duration"):
            length_ms = read_clock_time(row.duration) if row.duration.strip() else 0
            if not length_ms:
                raise ValueError(_NO_LENGTH)
            if duration_ms is not None and start_ms + length_ms > duration_ms:
                raise ValueError(_AFTER_THE_END)
        title = row.title.strip() or None
        found.append(Soundbite(start=start_ms / 1000, duration=length_ms / 1000, title=title))
    errors.raise_any()
    return tuple(found)


def _rows(visit: Visit) -> list[SoundbiteRow]:
    columns = (visit.form.all(name) for name in ("start", "duration", "title"))
    rows = [SoundbiteRow(*values) for values in zip_longest(*columns, fillvalue="")]
    filled = [number for number, row in enumerate(rows, 1) if not row.is_empty]
    return rows[: max(filled, default=0)]


def _stored(episode: Episode) -> list[SoundbiteRow]:
    return [
        SoundbiteRow(
            clock_time(round(bite.start * 1000)),
            clock_time(round(bite.duration * 1000)),
            bite.title or "",
        )
        for bite in stored_episode_tags(episode.tags).soundbites
    ]


def _fingerprint(episode: Episode) -> str:
    soundbites = stored_episode_tags(episode.tags).soundbites
    return hashlib.sha256(msgspec.json.encode(soundbites)).hexdigest()[:16]


def _page(
    visit: Visit,
    rows: Sequence[SoundbiteRow] | None = None,
    status: int = 200,
    *,
    seen: str = "",
    error: str = "",
    field_errors: dict[str, str] | None = None,
) -> Response:
    with visit.read() as session:
        episode = visit.episode(session)
        values: dict[str, Any] = {
            "show": episode.show,
            "episode": episode,
            "player": player_of(episode.show, episode),
            "seen": seen or _fingerprint(episode),
        }
        stored = _stored(episode)
    empty = [SoundbiteRow()] * _EMPTY_ROWS
    return visit.page(
        "studio/soundbites.html",
        status,
        rows=[*(stored if rows is None else rows), *empty],
        field_errors=field_errors or {},
        error=error,
        **values,
    )


ROUTES = (
    StudioRoute("GET", _PAGE, soundbites_page, Permission.EDIT),
    StudioRoute("POST", _PAGE, save_soundbites, Permission.EDIT),
)
