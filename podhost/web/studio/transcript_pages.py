"""The page of an episode's transcript: given as a file, edited cue by cue or as text."""

from typing import Any

from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.errors import Conflict, Invalid
from podhost.formats.transcript_formats import all_forms, has_times
from podhost.models import Episode, Transcript
from podhost.transcripts.editing import (
    StoredForm,
    find_form,
    give_transcript,
    list_given,
    read_form,
    remove_transcript,
    replace_transcript,
)
from podhost.uploads.intake import Intake
from podhost.web.studio.listening import episode_path, player_of
from podhost.web.studio.visits import StudioRoute, Visit

_PAGE = "/shows/{show}/episodes/{episode}/transcript"


def transcript_page(visit: Visit) -> Response:
    """The transcript in the editor, or as the text that it is; a form to give one."""
    return _page(visit)


def upload_transcript(visit: Visit) -> Response:
    """Take a transcript as a file or as pasted text; one in the same language gives way."""
    _ = visit.words
    pasted = visit.form.text("pasted")
    file = visit.files.get("transcript")
    language = visit.form.text("language") or None
    try:
        if file is None and not pasted:
            raise Invalid("Choose a file, or paste the transcript.")
        data = file.path.read_bytes() if file is not None else pasted.encode()
        name = file.file_name if file is not None else ""
        path, warnings = _stored(visit, data, name, language=language)
    except Invalid as error:
        wrong = {name: _.said(text) for name, text in error.fields.items()}
        errors = wrong or {"transcript": _.said(error.message)}
        return _page(visit, 422, field_errors=errors, pasted=pasted, language_given=language or "")
    say = " ".join((_("The transcript is saved."), *map(_.said, warnings)))
    return visit.redirect(f"{path}/transcript", say=say)


def save_text(visit: Visit) -> Response:
    """Replace the transcript by the text of the form."""
    _ = visit.words
    text, replaces = visit.form.text("text"), visit.form.text("replaces")
    with visit.read() as session:
        form = next(
            (row for row in list_given(visit.episode(session)) if row.source_sha256 == replaces),
            None,
        )
    try:
        name = f"transcript.{form.extension}" if form is not None else ""
        path, warnings = _stored(
            visit,
            text.encode(),
            name,
            language=form.language if form is not None else None,
            replaces=replaces,
        )
    except Invalid as error:
        return _page(
            visit, 422, field_errors={"text": _.said(error.message)}, plain=True, text=text
        )
    except Conflict as error:
        return _page(visit, 409, error=_.said(error.message), plain=True, text=text)
    say = " ".join((_("The transcript is saved."), *map(_.said, warnings)))
    return visit.redirect(f"{path}/transcript?plain=1", say=say)


def take_transcript_away(visit: Visit) -> Response:
    """Take the transcript away."""
    with visit.write() as session:
        episode = visit.episode(session, lock=True)
        remove_transcript(session, episode, visit.form.text("replaces"), now=visit.now())
        path = episode_path(episode.show, episode)
    return visit.redirect(f"{path}/transcript", say=visit.words("The transcript is gone."))


def _stored(
    visit: Visit, data: bytes, name: str, *, language: str | None, replaces: str = ""
) -> tuple[str, list[str]]:
    """Store a transcript; the path of the episode, and what had to be repaired."""
    with Intake(visit.instance.database, visit.instance.storage) as intake:
        prepared, warnings = intake.transcripts(data, name, language=language)
        with visit.write() as session:
            episode = visit.episode(session, lock=True)
            now = visit.now()
            if replaces:
                replace_transcript(session, episode, prepared, replaces=replaces, now=now)
            else:
                give_transcript(session, episode, prepared, now=now)
            return episode_path(episode.show, episode), warnings


def _page(
    visit: Visit,
    status: int = 200,
    *,
    plain: bool = False,
    text: str | None = None,
    **values: Any,
) -> Response:
    with visit.read() as session:
        episode = visit.episode(session)
        given = list_given(episode)
        current = _current(visit, given)
        is_plain = plain or bool(visit.query.get("plain"))
        told: dict[str, Any] = {
            "show": episode.show,
            "episode": episode,
            "player": player_of(episode.show, episode),
            "given": given,
            "current": current,
            "forms": all_forms(current.extension) if current is not None else (),
            "has_times": current is not None and has_times(current.extension),
        }
        form = _form(episode, current)
    if form is not None and text is None and (is_plain or not told["has_times"]):
        text = read_form(visit.instance.storage, form).decode("utf-8", "replace")
    told |= {"is_plain": is_plain or not told["has_times"], "text": text or ""}
    return visit.page(
        "studio/transcript.html", status, **{"pasted": "", "language_given": "", **told, **values}
    )


def _current(visit: Visit, given: list[Transcript]) -> Transcript | None:
    """The transcript that the page is about, where there are several."""
    wanted = visit.query.get("language", "")
    named = [row for row in given if (row.language or "") == wanted]
    return next(iter(named or given), None)


def _form(episode: Episode, current: Transcript | None) -> StoredForm | None:
    return None if current is None else find_form(episode, current.extension, current.language)


ROUTES = (
    StudioRoute("GET", _PAGE, transcript_page, Permission.EDIT),
    StudioRoute("POST", _PAGE, save_text, Permission.EDIT),
    StudioRoute("POST", f"{_PAGE}/upload", upload_transcript, Permission.EDIT, ("transcript",)),
    StudioRoute("POST", f"{_PAGE}/remove", take_transcript_away, Permission.EDIT),
)
