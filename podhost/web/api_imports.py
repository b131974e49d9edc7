"""The API's calls for imports: begun here, done by the worker."""

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost.errors import Invalid
from podhost.importing import rows
from podhost.importing.answers import (
    ImportAnswer,
    ImportInput,
    ImportList,
    UploadInput,
    import_answer_of,
    import_list,
)
from podhost.importing.documents import keep_document
from podhost.importing.pages import feed_address
from podhost.importing.plans import Source, address_source
from podhost.web.calls import Call, json_answer, named
from podhost.web.openapi import FormBody

UPLOADED_FEED = FormBody(files=("feed",), texts=UploadInput)


def post_import(call: Call) -> Response:
    """Move a show in; of one that came from this address before, bring what is new."""
    source, is_mine = _given_source(call)
    with call.write() as session:
        row = rows.begin_import(session, source, is_mine=is_mine, now=call.now())
        begun = import_answer_of(session, row)
    location = f"{call.instance.base_url}/api/v1/imports/{begun.id}"
    return json_answer(begun, 201, location=location)


def post_import_preview(call: Call) -> Response:
    """What would come; nothing but an uploaded file is written down."""
    # Loaded here, because nobody asks for it at first and it takes its time.
    from podhost.fetching import instance_fetcher
    from podhost.importing.previews import preview_import

    source, is_mine = _given_source(call)
    instance = call.instance
    with instance_fetcher(
        instance.settings, base_url=instance.base_url, purpose="feed import"
    ) as fetcher:
        return json_answer(preview_import(instance, source, fetcher, is_mine=is_mine))


def get_imports(call: Call, session: Session) -> Response:
    """All imports."""
    found: ImportList = import_list(session)
    return json_answer(found)


def get_one_import(call: Call, session: Session) -> Response:
    """One import with its report."""
    row = rows.get_import(session, call.parameters["import"])
    wanted = call.query.get("episodes") or "all"
    if wanted not in ("all", "none"):
        raise Invalid("episodes: It must be all or none.", {"episodes": "It must be all or none."})
    return json_answer(import_answer_of(session, row, with_episodes=wanted == "all"))


def post_retry(call: Call) -> Response:
    """Try what failed once more."""
    with call.write() as session:
        row = rows.get_import(session, call.parameters["import"], lock=True)
        rows.retry_import(session, row, now=call.now())
        tried = import_answer_of(session, row)
    return json_answer(tried)


def _given_source(call: Call) -> tuple[Source, bool]:
    """The uploaded feed, kept for the worker, or the address; and whether the show is theirs.

    Raises Invalid.
    """
    given: UploadInput | ImportInput
    if call.form is None:
        given = call.given(ImportInput, told=ImportAnswer)
    else:
        given = call.given(UploadInput, files=("feed",), told=ImportAnswer)
        if (received := call.form.files.get("feed")) is not None:
            body = received.path.read_bytes()
            with call.write() as session:
                kept = keep_document(session, received.file_name, body, now=call.now())
            return kept, given.mine
    source = address_source(named("source", lambda: feed_address(given.source)))
    return source, given.mine
