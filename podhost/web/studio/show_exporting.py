"""Taking a whole show away from the browser: asked for on the page of moving out, saved here."""

from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.exports.archives import begin_export, get_export
from podhost.web.private_files import archive_file, private_answer
from podhost.web.studio.visits import StudioRoute, Visit


def begin_archive(visit: Visit) -> Response:
    """Have the archive made."""
    _ = visit.words
    with visit.write() as session:
        begin_export(session, visit.show(session, lock=True), now=visit.now())
    here = visit.parameters["show"]
    return visit.redirect(f"/shows/{here}/move#archive", say=_("Your show is being packed."))


def get_archive(visit: Visit) -> Response:
    """The archive, or a part of it."""
    with visit.read() as session:
        show = visit.show(session)
        export = get_export(session, show, visit.parameters["export"], now=visit.now())
        file = archive_file(export, show)
    return private_answer(visit.instance, visit.request, file)


ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("POST", "/shows/{show}/exports", begin_archive, Permission.MANAGE),
    StudioRoute("GET", "/shows/{show}/exports/{export}", get_archive, Permission.MANAGE),
)
