"""The page on which hosts drop audio, and its form for browsers without scripts.

The scripts send parts by the API; nothing of that passes here.
"""

from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.editing.versions import note_made_up
from podhost.episodes import EpisodeInput, create_episode
from podhost.errors import PodhostError
from podhost.uploads.intake import Intake
from podhost.uploads.limits import Limits, require_room
from podhost.web.studio.visits import StudioRoute, Visit
from podhost.web.uploading import ReceivedFile


def upload_page(visit: Visit) -> Response:
    """Where files are dropped."""
    return _page(visit)


def upload_form(visit: Visit) -> Response:
    """One whole file in a form: it becomes a draft, and the host goes on to edit it."""
    _ = visit.words
    received = visit.files.get("audio")
    if received is None:
        return _page(visit, 422, error=_("Choose an audio file first."))
    try:
        episode_id = _make_draft(visit, received)
    except PodhostError as error:
        return _page(visit, 422, error=_.said(error.message))
    path = f"/shows/{visit.parameters['show']}/episodes/{episode_id}"
    return visit.redirect(path, say=_("Uploaded. Now see to the rest."))


def _make_draft(visit: Visit, received: ReceivedFile) -> str:
    """The id of a new draft with this audio. Raises Invalid and others with a sentence."""
    instance, title = visit.instance, visit.form.text("title")
    given = EpisodeInput(title=title) if title else EpisodeInput()
    with visit.read() as session:
        limits = Limits.of(instance.settings)
        require_room(session, visit.show(session), received.size_bytes, limits)
    with Intake(instance.database, instance.storage) as intake:
        prepared = intake.audio(received.path, file_name=received.file_name, sha256=received.sha256)
        with visit.write() as session:
            show = visit.show(session, lock=True)
            episode = create_episode(session, show, given, prepared, now=visit.now())
            if title:
                # It is typed before there is an episode, as beside an upload in parts: the address
                # follows it all the same.
                note_made_up(session, episode, "slug", now=visit.now())
            episode_id = episode.id
        # A picture in the tags that is stored already.
        intake.take_back()
    return episode_id


def _page(visit: Visit, status: int = 200, *, error: str = "") -> Response:
    with visit.read() as session:
        show = visit.show(session)
    values = {
        "show": show,
        "tab": "upload",
        "title": visit.form.text("title"),
        "max_upload_mb": visit.instance.settings.max_upload_mb,
    }
    return visit.page("studio/upload.html", status, error=error, **values)


ROUTES = (
    StudioRoute("GET", "/shows/{show}/upload", upload_page, Permission.EDIT),
    StudioRoute("POST", "/shows/{show}/upload", upload_form, Permission.EDIT, files=("audio",)),
)
