"""Where parts of uploads arrive when the storage is a folder: PUT, by an address that is a secret.

Nobody signs in here; who has the address was given it for this one upload. What was cut off leaves
nothing, and what is answered with 200 is on the disk.
"""

import hmac

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from podhost import uploads
from podhost.errors import Invalid, TooLarge
from podhost.instance import Instance
from podhost.models import Upload
from podhost.storage.multiparts import Part
from podhost.uploads.limits import Limits
from podhost.web.uploading import Accepted, ReceivedFile, receive_form

_FIELD = "part"
_SHA256_HEADER = "x-podhost-sha256"


async def put_part(request: Request) -> Response:
    """Store one part durably; the answer's ETag names its bytes."""
    instance: Instance = request.app.state.instance
    number = uploads.read_number(request.path_params["number"])
    expected = uploads.read_sha256(request.headers.get(_SHA256_HEADER))
    upload, room_bytes = await to_thread.run_sync(_admit, instance, request, number)
    too_large = TooLarge(f"Part {number} is too large: {room_bytes} bytes are the most for it.")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > room_bytes:
        raise too_large
    accepted = Accepted({_FIELD: room_bytes}, raw=_FIELD)
    try:
        async with receive_form(request, instance.storage, accepted) as form:
            received = form.files.get(_FIELD)
            part = await to_thread.run_sync(_store, instance, upload, number, received, expected)
    except TooLarge:
        raise too_large from None
    return Response(headers={"ETag": part.etag, "Cache-Control": "no-store"})


def _admit(instance: Instance, request: Request, number: int) -> tuple[Upload, int]:
    """The upload, and how many bytes the part may have. It blocks on the database."""
    secret = request.query_params.get("secret", "")
    with instance.database.read() as session:
        upload = uploads.find_for_part(session, request.path_params["upload"], secret)
        session.expunge(upload)
    stored = uploads.list_parts(instance.storage, upload)
    limits = Limits.of(instance.settings)
    return upload, uploads.room_for_part(upload, stored, number, limits)


def _store(
    instance: Instance,
    upload: Upload,
    number: int,
    received: ReceivedFile | None,
    expected: str | None,
) -> Part:
    if received is None or not received.size_bytes:
        raise Invalid("The part is empty.", {_FIELD: "It is empty."})
    if expected is not None and not hmac.compare_digest(expected, received.sha256):
        sentence = f"Part {number} arrived damaged; nothing was stored. Send it again."
        raise Invalid(sentence, {"sha256": sentence})
    return instance.storage.multiparts().put_part(
        upload.upload_key, upload.multipart_id, number, received.path, sha256=received.sha256
    )


routes: list[Route] = [Route("/parts/{upload}/{number}", put_part, methods=["PUT"])]
