"""The API's calls for imports: begun here, done by the worker."""

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.errors import Invalid
from podhost.formats.text import remove_forbidden
from podhost.importing import rows
from podhost.importing.answers import (
    ImportAnswer,
    ImportInput,
    ImportList,
    import_answer_of,
    import_list,
)
from podhost.importing.pages import candidate_addresses
from podhost.importing.plans import address_source
from podhost.jobs import enqueue
from podhost.web.calls import Call, json_answer, named

_LONGEST_SOURCE = 4096


def post_import(call: Call) -> Response:
    """Move a show in; of one that came from this address before, bring what is new."""
    given = call.given(ImportInput, told=ImportAnswer)
    source = address_source(named("source", lambda: _address(given.source)))
    with call.instance.database.write() as session:
        now = call.now()
        row = rows.create_import(session, source, is_mine=given.mine, now=now)
        if row.state not in (rows.RUNNING, rows.COMPARING):
            row.state, row.error = rows.READING, None
            enqueue(session, rows.IMPORT_SHOW, row.id, now=now, run_at=now)
        begun = import_answer_of(session, row)
    location = f"{call.instance.base_url}/api/v1/imports/{begun.id}"
    return json_answer(begun, 201, location=location)


def get_imports(call: Call, session: Session) -> Response:
    """All imports."""
    found: ImportList = import_list(session)
    return json_answer(found)


def get_one_import(call: Call, session: Session) -> Response:
    """One import with its report."""
    row = rows.get_import(session, call.parameters["import"])
    return json_answer(import_answer_of(session, row))


def post_retry(call: Call) -> Response:
    """Try what failed once more."""
    with call.instance.database.write() as session:
        row = rows.get_import(session, call.parameters["import"], lock=True)
        rows.retry_import(session, row, now=call.now())
        tried = import_answer_of(session, row)
    return json_answer(tried)


def _address(written: str) -> str:
    """The address, if it may be one: no file of this machine is read for a program."""
    address = written.strip()
    if not address or len(address) > _LONGEST_SOURCE or remove_forbidden(address) != address:
        raise Invalid("It must be the address of the show's RSS feed.")
    candidate_addresses(address)
    return address
