"""The API's calls for archives of shows: asked for here, made by the worker, fetched here."""

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.exports.archives import (
    ARCHIVE_TYPE,
    ExportAnswer,
    ExportList,
    begin_export,
    export_answer,
    get_export,
    list_exports,
)
from podhost.web.calls import Call, json_answer
from podhost.web.openapi import PREFIX, Operation
from podhost.web.private_files import archive_file, private_answer

_EXPORTS = PREFIX + "/shows/{show}/exports"
_EXPORT = _EXPORTS + "/{export}"


def get_exports(call: Call, session: Session) -> ExportList:
    """Those that have not expired."""
    show = call.show(session)
    found = list_exports(session, show, now=call.now())
    return ExportList(exports=[export_answer(row, show, call.instance.base_url) for row in found])


def post_export(call: Call) -> Response:
    """Have one made; the one that is being made, where one is."""
    base_url = call.instance.base_url
    with call.write() as session:
        show = call.show(session, lock=True)
        asked = export_answer(begin_export(session, show, now=call.now()), show, base_url)
        slug = show.slug
    location = f"{base_url}/api/v1/shows/{slug}/exports/{asked.id}"
    return json_answer(asked, 202, location=location)


def get_one_export(call: Call, session: Session) -> ExportAnswer:
    """How far it is."""
    show = call.show(session)
    export = get_export(session, show, call.parameters["export"], now=call.now())
    return export_answer(export, show, call.instance.base_url)


def get_export_file(call: Call, session: Session) -> Response:
    """The archive, or a part of it."""
    show = call.show(session)
    export = get_export(session, show, call.parameters["export"], now=call.now())
    file = archive_file(export, show)
    # Nobody is to wait for the storage with a connection in hand.
    session.close()
    assert call.request is not None
    return private_answer(call.instance, call.request, file)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=_EXPORTS,
        handler=get_exports,
        needs=Permission.MANAGE,
        summary="List the archives of a whole show, newest first.",
        answer=ExportList,
    ),
    Operation(
        method="POST",
        path=_EXPORTS,
        handler=post_export,
        needs=Permission.MANAGE,
        summary="Have an archive made of the whole show, to take it away.",
        answer=ExportAnswer,
        status=202,
    ),
    Operation(
        method="GET",
        path=_EXPORT,
        handler=get_one_export,
        needs=Permission.MANAGE,
        summary="Read how far an archive is.",
        answer=ExportAnswer,
    ),
    Operation(
        method="GET",
        path=_EXPORT + "/file",
        handler=get_export_file,
        needs=Permission.MANAGE,
        summary="Fetch an archive (ZIP), or a range of it.",
        answer_type=ARCHIVE_TYPE,
    ),
)
