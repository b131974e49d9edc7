"""Objects in parts, in an S3 bucket: parts go straight to it by presigned URLs; it knows no sender.

The checksums of parts that S3 knows are not used: stores differ in when they want which. Whoever
needs to know compares what was stored.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podhost.errors import Invalid, Unavailable
from podhost.storage.contract import check_key, check_prefix, disk_errors, is_key
from podhost.storage.multiparts import UPLOADS, OpenMultipart, Part, unknown_multipart
from podhost.storage.s3_answers import NO_OBJECT, code_of
from podhost.storage.s3_clients import S3Clients

NO_UPLOAD = {"NoSuchUpload", "404"}
_WRONG_PARTS = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML"}


class S3Multiparts:
    """Unfinished objects of a bucket, under the prefix of its storage ("" or ending in "/")."""

    def __init__(
        self,
        bucket: str,
        prefix: str,
        clients: S3Clients,
        guard: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._clients = clients
        self._guard = guard

    def create(self, key: str, *, content_type: str) -> str:
        with self._guard():
            begun = self._clients.asking().create_multipart_upload(
                **self._object(key), ContentType=content_type
            )
            return begun["UploadId"]

    def part_url(
        self, key: str, multipart_id: str, number: int, *, expires_seconds: int
    ) -> str | None:
        """Signed here without asking the server."""
        parameters = {**self._object(key), "UploadId": multipart_id, "PartNumber": number}
        with self._guard():
            return self._clients.asking().generate_presigned_url(
                "upload_part", Params=parameters, ExpiresIn=expires_seconds
            )

    def put_part(
        self, key: str, multipart_id: str, number: int, path: Path, *, sha256: str
    ) -> Part:
        with disk_errors(path.parent), path.open("rb") as file, self._guard():
            size_bytes = path.stat().st_size
            client: Any = self._clients.storing()
            try:
                answer = client.upload_part(
                    **self._object(key), UploadId=multipart_id, PartNumber=number, Body=file
                )
            except client.exceptions.ClientError as error:
                if code_of(error) in NO_UPLOAD:
                    raise unknown_multipart(key) from None
                raise
        return Part(number, size_bytes, answer["ETag"])

    def list_parts(self, key: str, multipart_id: str) -> Sequence[Part]:
        found = self._stored(key, multipart_id)
        found.sort(key=lambda part: (part["PartNumber"], part["LastModified"]))
        return [Part(part["PartNumber"], part["Size"], part["ETag"]) for part in found]

    def changed_at(self, key: str, multipart_id: str) -> datetime | None:
        found = self._stored(key, multipart_id)
        return max((part["LastModified"].astimezone(UTC) for part in found), default=None)

    def complete(self, key: str, multipart_id: str, parts: Sequence[Part]) -> int:
        named = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        with self._guard():
            client: Any = self._clients.storing()
            try:
                client.complete_multipart_upload(
                    **self._object(key), UploadId=multipart_id, MultipartUpload={"Parts": named}
                )
            except client.exceptions.ClientError as error:
                if code_of(error) in _WRONG_PARTS:
                    raise Invalid("The parts are not those that the bucket has.") from error
                # It may have been put together before, by a try whose answer was lost.
                if code_of(error) not in NO_UPLOAD:
                    raise
            size_bytes = self._size(client, key)
        if size_bytes != sum(part.size_bytes for part in parts):
            raise Unavailable(f"The bucket {self._bucket} put {key} together incompletely.")
        return size_bytes

    def abort(self, key: str, multipart_id: str) -> None:
        with self._guard():
            client = self._clients.asking()
            try:
                client.abort_multipart_upload(**self._object(key), UploadId=multipart_id)
            except client.exceptions.ClientError as error:
                if code_of(error) not in NO_UPLOAD:
                    raise

    def list_open(self, prefix: str = UPLOADS) -> Iterator[OpenMultipart]:
        full_prefix = self._prefix + check_prefix(prefix)
        for page in self._pages(full_prefix):
            for upload in page.get("Uploads", ()):
                key = upload["Key"].removeprefix(self._prefix)
                # SeaweedFS also lists what only looks like the prefix.
                if upload["Key"].startswith(full_prefix) and is_key(key):
                    began_at = upload["Initiated"].astimezone(UTC)
                    yield OpenMultipart(key, upload["UploadId"], began_at)

    def _stored(self, key: str, multipart_id: str) -> list[Any]:
        with self._guard():
            client = self._clients.asking()
            pages = client.get_paginator("list_parts").paginate(
                **self._object(key), UploadId=multipart_id
            )
            try:
                return [part for page in pages for part in page.get("Parts", ())]
            except client.exceptions.ClientError as error:
                if code_of(error) in NO_UPLOAD:
                    raise unknown_multipart(key) from None
                raise

    def _object(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._prefix + check_key(key)}

    def _size(self, client: Any, key: str) -> int:
        try:
            size_bytes: int = client.head_object(**self._object(key))["ContentLength"]
        except client.exceptions.ClientError as error:
            if code_of(error) in NO_OBJECT:
                raise unknown_multipart(key) from None
            raise
        return size_bytes

    def _pages(self, full_prefix: str) -> Iterator[Mapping[str, Any]]:
        with self._guard():
            paginator = self._clients.asking().get_paginator("list_multipart_uploads")
            pages = iter(paginator.paginate(Bucket=self._bucket, Prefix=full_prefix))
        while True:
            with self._guard():
                page = next(pages, None)
            if page is None:
                return
            yield page
