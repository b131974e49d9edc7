"""The page of an episode's chapters: a row for each, beside the sound that they divide."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.chapters.editing import ChapterRow, chapter_rows, chapters_fingerprint, read_rows
from podhost.chapters.pictures import shown_chapters
from podhost.episodes import EpisodeInput, change_episode
from podhost.errors import Invalid
from podhost.formats.chapter_formats import parse_chapters
from podhost.formats.chapters import FILE_LIMIT_BYTES, normalise_chapters
from podhost.web.studio.listening import episode_path, player_of
from podhost.web.studio.visits import StudioRoute, Visit

_PAGE = "/shows/{show}/episodes/{episode}/chapters"
# So that chapters can be added by a browser without scripts.
_EMPTY_ROWS = 3
_CHANGED = (
    "Somebody else changed the chapters since you opened this page. What stands here is yours; "
    "saving it again replaces theirs."
)


@dataclass(slots=True)
class _Shown:
    """What the page shows in the place of the stored chapters."""

    rows: Sequence[ChapterRow]
    seen: str = ""
    error: str = ""
    field_errors: dict[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    is_read: bool = False
    pasted: str = ""


def chapters_page(visit: Visit) -> Response:
    """The chapters as they are."""
    return _page(visit, None)


def save_chapters(visit: Visit) -> Response:
    """Replace the chapters by the rows of the form."""
    _ = visit.words
    rows = _rows(visit)
    try:
        with visit.write() as session:
            episode = visit.episode(session, lock=True)
            seen = chapters_fingerprint(episode)
            audio = episode.audio
            given = read_rows(rows, audio.duration_ms if audio is not None else None)
            is_changed = visit.form.text("seen") != seen
            if not is_changed:
                change_episode(session, episode, EpisodeInput(chapters=given), now=visit.now())
            path = episode_path(episode.show, episode)
    except Invalid as error:
        seen = visit.form.text("seen")
        wrong = {name: _.said(sentence) for name, sentence in error.fields.items()}
        return _page(visit, _Shown(rows, seen, wrong.pop("chapters", ""), wrong), 422)
    if is_changed:
        return _page(visit, _Shown(rows, seen, _(_CHANGED)), 409)
    count = len(given)
    say = visit.words.plural("%(num)s chapter is saved.", "%(num)s chapters are saved.", count)
    return visit.redirect(f"{path}/chapters", say=say)


def read_chapters(visit: Visit) -> Response:
    """Show the chapters of a file or of pasted lines as rows, which are not saved yet."""
    pasted = visit.form.text("pasted")
    try:
        data, name = _given(visit, pasted)
        with visit.read() as session:
            audio = visit.episode(session).audio
        duration_ms = audio.duration_ms if audio is not None else None
        chapters, remarks = normalise_chapters(parse_chapters(data, name), duration_ms)
    except Invalid as error:
        wrong = {"pasted": visit.words.said(error.message)}
        return _page(visit, None, 422, field_errors=wrong, pasted=pasted)
    shown = _Shown(chapter_rows(chapters), remarks=remarks, is_read=True)
    return _page(visit, shown)


def _given(visit: Visit, pasted: str) -> tuple[bytes, str]:
    file = visit.files.get("chapters")
    if file is None:
        if not pasted:
            raise Invalid("Paste chapters, or choose a file with them.")
        return pasted.encode(), ""
    if file.size_bytes > FILE_LIMIT_BYTES:
        raise Invalid("This file is too large to be chapters.")
    return file.path.read_bytes(), file.file_name


def _rows(visit: Visit) -> list[ChapterRow]:
    names = ("start", "title", "url", "image_url", "hidden")
    columns = (visit.form.all(name) for name in names)
    return [
        ChapterRow(start=start, title=title, url=url, image_url=image_url, is_hidden=bool(hidden))
        for start, title, url, image_url, hidden in zip_longest(*columns, fillvalue="")
    ]


def _without_empty_end(rows: Sequence[ChapterRow]) -> list[ChapterRow]:
    filled = [number for number, row in enumerate(rows, 1) if not row.is_empty]
    return [*rows[: max(filled, default=0)]]


def _page(
    visit: Visit,
    shown: _Shown | None,
    status: int = 200,
    field_errors: dict[str, str] | None = None,
    pasted: str = "",
) -> Response:
    with visit.read() as session:
        episode = visit.episode(session)
        show = episode.show
        stored = chapter_rows(shown_chapters(episode.chapters, visit.instance.base_url))
        shown = shown or _Shown(stored, field_errors=field_errors or {}, pasted=pasted)
        values = {
            "show": show,
            "episode": episode,
            "player": player_of(show, episode),
            "seen": shown.seen or chapters_fingerprint(episode),
        }
    empty = [ChapterRow()] * _EMPTY_ROWS
    return visit.page(
        "studio/chapters.html",
        status,
        rows=[*_without_empty_end(shown.rows), *empty],
        field_errors=shown.field_errors,
        error=shown.error,
        remarks=shown.remarks,
        is_read=shown.is_read,
        pasted=shown.pasted,
        has_chapters=bool(stored),
        **values,
    )


ROUTES = (
    StudioRoute("GET", _PAGE, chapters_page, Permission.EDIT),
    StudioRoute("POST", _PAGE, save_chapters, Permission.EDIT),
    StudioRoute("POST", f"{_PAGE}/read", read_chapters, Permission.EDIT, files=("chapters",)),
)
