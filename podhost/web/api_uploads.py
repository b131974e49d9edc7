"""The API's calls for uploads in parts, as Uppy's Companion has them; bytes do not come this way.

What is slow (the storage) happens outside transactions. An upload's show is looked up with it, so
who may not edit that show does not learn that the upload is there.
"""

from functools import partial

from sqlalchemy.orm import Session
from starlette.responses import Response

from podhost import uploads
from podhost.accounts.roles import Permission, require
from podhost.errors import Invalid, NotFound
from podhost.history.audit import current_act
from podhost.models import Show, Upload
from podhost.shows import get_show
from podhost.uploads.answers import (
    BegunUpload,
    BucketAccess,
    CompletedUpload,
    GivenParts,
    NewUpload,
    NothingMore,
    PartTarget,
    PartTargets,
    StoredPart,
    UploadAnswer,
    UploadList,
)
from podhost.uploads.limits import Limits, used_bytes
from podhost.web.calls import Call, json_answer, json_list_answer
from podhost.web.openapi import PREFIX, Operation, Query

_MOST_SIGNED = 100
_UPLOAD = PREFIX + "/s3/multipart/{upload}"
_OF_SHOW = PREFIX + "/shows/{show}/uploads"


def post_upload(call: Call) -> Response:
    """Begin an upload to a show that the caller may edit."""
    given = call.given(NewUpload)
    wanted = uploads.read_wanted(given)
    with call.instance.database.read() as session:
        _name_act(_editable_show(call, session, slug=given.metadata.show).id, wanted.file_name)
    upload_id = uploads.begin_upload(
        call.instance.database,
        call.instance.storage,
        wanted,
        find_show=partial(_editable_show, call, slug=given.metadata.show),
        episode=given.metadata.episode or None,
        limits=Limits.of(call.instance.settings),
        actor=call.actor,
        now=call.now(),
    )
    with call.instance.database.read() as session:
        upload = uploads.get_upload(session, upload_id)
        told = _told(call, session, upload)
    return json_answer(
        BegunUpload(
            key=upload.upload_key,
            upload_id=upload.id,
            part_bytes=upload.part_bytes,
            direct=told.direct,
            upload=told,
        )
    )


def get_part_target(call: Call, session: Session) -> PartTarget:
    """Where to send one part to."""
    number = uploads.read_number(call.parameters["part"])
    sha256 = uploads.read_sha256(call.query.get("sha256"))
    upload = _let_go(session, _open_upload(call, session))
    return _target(call, upload, number, sha256)


def get_part_targets(call: Call, session: Session) -> PartTargets:
    """Where to send several parts to."""
    asked = [each for each in call.query.get("partNumbers", "").split(",") if each.strip()]
    if not 1 <= len(asked) <= _MOST_SIGNED:
        sentence = f"Give 1 to {_MOST_SIGNED} numbers with commas between them, such as 1,2,3."
        raise Invalid(f"partNumbers: {sentence}", {"partNumbers": sentence})
    numbers = [uploads.read_number(each.strip()) for each in asked]
    upload = _let_go(session, _open_upload(call, session))
    targets = {str(number): _target(call, upload, number, None) for number in numbers}
    return PartTargets(
        presigned_urls={number: target.url for number, target in targets.items()},
        expires=next(iter(targets.values())).expires,
    )


def get_parts(call: Call, session: Session) -> Response:
    """What has arrived."""
    upload = _let_go(session, _open_upload(call, session))
    parts = uploads.newest_parts(uploads.list_parts(call.instance.storage, upload))
    return json_list_answer(
        [
            StoredPart(number=part.number, size_bytes=part.size_bytes, etag=part.etag)
            for part in parts
        ]
    )


def post_complete(call: Call) -> Response:
    """All parts are sent: the worker takes the file over."""
    given = call.given(GivenParts)
    upload_id = _checked_id(call)
    uploads.complete_upload(
        call.instance.database,
        call.instance.storage,
        upload_id,
        given.parts,
        limits=Limits.of(call.instance.settings),
        actor=call.actor,
        now=call.now(),
    )
    with call.instance.database.read() as session:
        told = _told(call, session, uploads.get_upload(session, upload_id))
    location = f"{call.instance.base_url}{PREFIX}/shows/{told.show}/uploads/{told.id}"
    return json_answer(CompletedUpload(location=location, key=told.key, upload=told))


def remove_upload(call: Call) -> Response:
    """Give an upload up; what was sent of it is removed."""
    upload_id = _checked_id(call)
    uploads.abort_upload(
        call.instance.database,
        call.instance.storage,
        upload_id,
        actor=call.actor,
        now=call.now(),
    )
    # Uppy reads an object, as its Companion answers.
    return json_answer(NothingMore())


def get_uploads(call: Call, session: Session) -> UploadList:
    """The uploads of a show, newest first."""
    state = call.query.get("state") or None
    if state not in (None, "open"):
        sentence = "It can only be open."
        raise Invalid(f"state: {sentence}", {"state": sentence})
    show = call.show(session)
    found = uploads.list_uploads(session, show, is_open=state == "open")
    is_direct = call.instance.storage.browser_origin() is not None
    limits = Limits.of(call.instance.settings)
    return UploadList(
        uploads=uploads.upload_answers(session, found, is_direct=is_direct),
        largest_bytes=limits.file_bytes,
        quota_bytes=limits.show_bytes or None,
        used_bytes=used_bytes(session, show.id),
    )


def get_one_upload(call: Call, session: Session) -> UploadAnswer:
    """How far an upload is."""
    show = call.show(session)
    upload = uploads.get_upload(session, call.parameters["upload"])
    if upload.show_id != show.id:
        raise NotFound("There is no such upload.")
    return _told(call, session, upload)


def get_bucket_access(call: Call, session: Session) -> BucketAccess:
    """Whether browsers may send parts to the bucket."""
    from podhost.uploads.cors import check_cors

    session.rollback()
    return check_cors(call.instance.storage, call.instance.base_url)


def _editable_show(call: Call, session: Session, *, slug: str) -> Show:
    show = get_show(session, slug)
    require(session, call.actor, show, Permission.EDIT)
    return show


def _upload(call: Call, session: Session) -> Upload:
    """The upload that the path names, of a show that the caller may edit."""
    upload = uploads.get_upload(session, call.parameters["upload"])
    show = session.get_one(Show, upload.show_id)
    if show.deleted_at is not None:
        raise NotFound("There is no such upload.")
    try:
        require(session, call.actor, show, Permission.EDIT)
    except NotFound:
        raise NotFound("There is no such upload.") from None
    uploads.check_key(upload, call.query.get("key"))
    return upload


def _open_upload(call: Call, session: Session) -> Upload:
    upload = _upload(call, session)
    uploads.require_uploading(upload)
    return upload


def _let_go(session: Session, upload: Upload) -> Upload:
    """The row for use after its session: nobody waits for the storage in a transaction."""
    session.expunge(upload)
    session.rollback()
    return upload


def _checked_id(call: Call) -> str:
    with call.instance.database.read() as session:
        upload = _upload(call, session)
    _name_act(upload.show_id, upload.file_name)
    return upload.id


def _name_act(show_id: str, file_name: str) -> None:
    """Have the audit trail say of which show and file; the path does not tell."""
    if (doing := current_act()) is not None:
        doing.show_id, doing.subject = show_id, file_name


def _target(call: Call, upload: Upload, number: int, sha256: str | None) -> PartTarget:
    return uploads.part_target(
        call.instance.storage, upload, number, sha256=sha256, base_url=call.instance.base_url
    )


def _told(call: Call, session: Session, upload: Upload) -> UploadAnswer:
    is_direct = call.instance.storage.browser_origin() is not None
    return uploads.upload_answer(session, upload, is_direct=is_direct)


_KEY = Query("key", "The upload's key, as it was begun; it may be left out.", {"type": "string"})

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path=PREFIX + "/s3/multipart",
        handler=post_upload,
        summary="Begin to upload audio in parts; the file becomes a draft, or an episode's audio.",
        json=NewUpload,
        answer=BegunUpload,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="GET",
        path=_UPLOAD,
        handler=get_parts,
        summary="List the parts that have arrived.",
        query=(_KEY,),
        answer_list=StoredPart,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="GET",
        path=_UPLOAD + "/batch",
        handler=get_part_targets,
        summary="Say where to send several parts to.",
        query=(
            _KEY,
            Query("partNumbers", "Numbers with commas between them.", {"type": "string"}),
        ),
        answer=PartTargets,
        needs=Permission.SIGNED_IN,
    ),
    # Before the path with a number in it, or a wrong method would be told of that one's.
    Operation(
        method="POST",
        path=_UPLOAD + "/complete",
        handler=post_complete,
        summary="Have the parts put together and taken over.",
        query=(_KEY,),
        json=GivenParts,
        answer=CompletedUpload,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="GET",
        path=_UPLOAD + "/{part}",
        handler=get_part_target,
        summary="Say where to send a part to.",
        query=(
            _KEY,
            Query("sha256", "Of the part's bytes, in hexadecimal.", {"type": "string"}),
        ),
        answer=PartTarget,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="DELETE",
        path=_UPLOAD,
        handler=remove_upload,
        summary="Give an upload up, with all that was sent of it.",
        query=(_KEY,),
        answer=NothingMore,
        needs=Permission.SIGNED_IN,
    ),
    Operation(
        method="GET",
        path=_OF_SHOW,
        handler=get_uploads,
        summary="List the uploads of a show, newest first.",
        query=(Query("state", "Only those that can go on.", {"type": "string", "enum": ["open"]}),),
        answer=UploadList,
    ),
    Operation(
        method="GET",
        path=_OF_SHOW + "/{upload}",
        handler=get_one_upload,
        summary="Read how far an upload is.",
        answer=UploadAnswer,
    ),
    Operation(
        method="GET",
        path=PREFIX + "/uploads/cors",
        handler=get_bucket_access,
        summary="Say whether browsers may send parts to the bucket, and what to do if not.",
        answer=BucketAccess,
        needs=Permission.OPERATE,
    ),
)
