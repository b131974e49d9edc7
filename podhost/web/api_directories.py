"""The API's calls around a show's feed: directories, looks from outside, previews of imports."""

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.accounts.roles import Permission
from podhost.answers import Diagnosis
from podhost.importing.answers import ImportInput
from podhost.importing.previews import ImportPreview
from podhost.shows.directories import (
    DirectoryAnswer,
    DirectoryList,
    ListingInput,
    directory_list,
    note_listing,
)
from podhost.web.api_imports import UPLOADED_FEED, post_import_preview
from podhost.web.calls import Call, json_answer
from podhost.web.openapi import PREFIX, Operation

_SHOW = PREFIX + "/shows/{show}"


def get_directories(call: Call, session: Session) -> Response:
    """Every directory with what is noted of the show there."""
    return json_answer(directory_list(session, call.show(session), call.instance.base_url))


def put_directory(call: Call) -> Response:
    """Note something of one directory; fields that are not given stay as they are."""
    given = call.given(ListingInput, told=DirectoryAnswer)
    with call.write() as session:
        show = call.show(session, lock=True)
        noted = note_listing(session, show, call.parameters["directory"], given, now=call.now())
    return json_answer(noted)


def post_doctor(call: Call) -> Response:
    """What is wrong with the feed and with how the world sees it; servers are asked."""
    # Loaded here, because nobody asks for it at first and it takes its time.
    from podhost.doctor.diagnoses import look_at_show_live

    with call.instance.database.read() as session:
        show = call.show(session)
    return json_answer(look_at_show_live(call.instance, show))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path=_SHOW + "/doctor",
        handler=post_doctor,
        summary="Look at how the feed, its newest audio and its artwork are served as well.",
        answer=Diagnosis,
    ),
    Operation(
        method="GET",
        path=_SHOW + "/directories",
        handler=get_directories,
        summary="List where the show can be submitted, and what was noted of each.",
        answer=DirectoryList,
    ),
    Operation(
        method="PUT",
        path=_SHOW + "/directories/{directory}",
        handler=put_directory,
        summary="Note when the show was submitted to a directory, and where it is listed there.",
        json=ListingInput,
        answer=DirectoryAnswer,
        needs=Permission.MANAGE,
    ),
    Operation(
        method="POST",
        path=PREFIX + "/imports/preview",
        handler=post_import_preview,
        summary="Say what moving a show in would bring; it may take a minute.",
        json=ImportInput,
        form=UPLOADED_FEED,
        answer=ImportPreview,
    ),
)
