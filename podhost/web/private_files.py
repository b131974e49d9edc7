"""Stored files for whoever may have them: with ranges, never kept by anybody on the way.

Public addresses of audio know nothing of drafts; these answers are for private links whose secret
was checked before, and for archives of shows, to who manages the show. Nothing is counted: it is
no download by a listener.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from podhost.errors import NotFound, Unavailable
from podhost.exports.archives import ARCHIVE_TYPE, file_name, require_ready
from podhost.instance import Instance
from podhost.models import Export, Show
from podhost.storage import Reader
from podhost.web.responses import attachment, decide, joined_headers

_PIECE_BYTES = 128 * 1024
# Long enough to hear an episode, with a pause; whoever has the address needs no link meanwhile.
_SIGNED_SECONDS = 4 * 3600


@dataclass(frozen=True, slots=True)
class PrivateFile:
    """A stored file and what is said of it; `saved_as` makes browsers save it under this name."""

    storage_key: str
    size_bytes: int
    sha256: str
    mime_type: str
    created_at: datetime
    saved_as: str | None = None


def archive_file(export: Export, show: Show) -> PrivateFile:
    """The archive of a show, to be saved. Raises Conflict while it is not ready."""
    require_ready(export)
    # All of these are known of one that is ready.
    assert export.storage_key and export.size_bytes and export.sha256 and export.finished_at
    return PrivateFile(
        storage_key=export.storage_key,
        size_bytes=export.size_bytes,
        sha256=export.sha256,
        mime_type=ARCHIVE_TYPE,
        created_at=export.finished_at,
        saved_as=file_name(export, show),
    )


def private_answer(
    instance: Instance, request: Request, file: PrivateFile, *, may_redirect: bool = True
) -> Response:
    """The file, a range of it, or the way to it in the bucket (`may_redirect`).

    It blocks on the storage. Raises Unavailable.
    """
    disposition = _disposition(file)
    if may_redirect and instance.settings.audio_delivery == "redirect":
        url = instance.storage.url_for(
            file.storage_key,
            expires_seconds=_SIGNED_SECONDS,
            content_type=file.mime_type,
            disposition=disposition,
        )
        if url is not None:
            return RedirectResponse(url, 302, _headers())
    etag = f'"{file.sha256[:32]}"'
    size_bytes = file.size_bytes
    status, start, end = decide(
        request.method,
        joined_headers(request.headers.raw),
        etag.encode("ascii"),
        int(file.created_at.timestamp()),
        size_bytes,
    )
    headers = {**_headers(), "ETag": etag, "Accept-Ranges": "bytes"}
    if status not in (200, 206):
        if status == 416:
            headers["Content-Range"] = f"bytes */{size_bytes}"
        return Response(status_code=status, headers=headers)
    headers["Content-Length"] = str(end - start)
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size_bytes}"
    if disposition is not None:
        headers["Content-Disposition"] = disposition
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=file.mime_type)
    try:
        reader = instance.storage.open(file.storage_key, start, end)
    except NotFound as error:
        # The row says that it is there; `podhost check` explains.
        raise Unavailable("This file cannot be read at the moment.") from error
    return StreamingResponse(_pieces(reader), status, headers, file.mime_type)


def _headers() -> dict[str, str]:
    return {
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }


def _disposition(file: PrivateFile) -> str | None:
    if file.saved_as is None:
        return None
    ending = file.storage_key.rpartition(".")[2]
    return attachment(f"{file.saved_as}.{ending}", f"{file.saved_as}.{ending}")[1].decode("ascii")


def _pieces(reader: Reader) -> Iterator[bytes]:
    with reader:
        while piece := reader.read(_PIECE_BYTES):
            yield piece
