"""The store in an S3 bucket: with s3_clients.py the only module that knows boto3.

An object appears by one put, or by completing a multipart upload; its key is never looked at from
outside. It relies on nothing in which S3 servers were seen to differ: no checksum in the ETag,
no If-Range, and If-None-Match only on top of a look and a mark of our own.
"""

import hashlib
import io
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from podhost.errors import NotFound, Unavailable
from podhost.storage.contract import (
    IMMUTABLE,
    Reader,
    Stat,
    Storage,
    Writer,
    cache_control_for,
    check_key,
    check_prefix,
    check_range,
    is_key,
    missing,
    taken,
)
from podhost.storage.multiparts import UPLOADS, Multiparts
from podhost.storage.s3_answers import (
    NO_OBJECT,
    NO_RANGE,
    NOT_IMPLEMENTED,
    NOT_WRITTEN,
    code_of,
    is_timeout,
    reason_of,
)
from podhost.storage.s3_clients import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    STORED_SECONDS,
    S3Clients,
)
from podhost.storage.s3_cors import S3Cors
from podhost.storage.s3_multiparts import NO_UPLOAD, S3Multiparts

PART_BYTES = 16 * 1024 * 1024  # S3 takes 10,000 parts: 160 GB

# What S3 has no header for is kept in the object's metadata.
_MODIFIED_AT = "modified-at"
_OPERATIONS = {"GET": "get_object", "HEAD": "head_object", "PUT": "put_object"}


class S3Storage(Storage):
    """Objects in one bucket, under `prefix/` if there is one.

    The arguments after it are for programs that do not use boto3's environment variables.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        stored_seconds: float = STORED_SECONDS,
    ) -> None:
        self.bucket = bucket
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._clients = S3Clients(
            endpoint_url,
            connect_seconds=connect_seconds,
            answer_seconds=answer_seconds,
            stored_seconds=stored_seconds,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
        )
        self._conditional_puts = True

    def check(self) -> None:
        """List one key: it proves endpoint, credentials, clock and bucket. Nothing is written."""
        with self._guard():
            client = self._clients.checking()
            client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)

    def writer(
        self,
        key: str,
        *,
        content_type: str,
        cache_control: str | None = None,
        content_encoding: str | None = None,
        modified_at: datetime | None = None,
        overwrite: bool = False,
    ) -> Writer:
        headers = {
            "ContentType": content_type,
            "CacheControl": cache_control or cache_control_for(overwrite),
        }
        if content_encoding is not None:
            headers["ContentEncoding"] = content_encoding
        return _S3Writer(self, check_key(key), headers, overwrite, modified_at)

    def open(self, key: str, start: int = 0, end: int | None = None) -> Reader:
        check_range(start, end)
        if start == end:
            self.size(key)
            return self._empty()
        ranged: dict[str, Any] = {}
        if start or end is not None:
            ranged["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        with self._guard():
            client = self._clients.asking()
            try:
                answer: Any = client.get_object(Bucket=self.bucket, Key=self._full(key), **ranged)
            except client.exceptions.ClientError as error:
                if code_of(error) in NO_OBJECT:
                    raise missing(key) from None
                if code_of(error) in NO_RANGE:
                    return self._empty()
                raise
            if ranged and answer["ContentLength"] and "ContentRange" not in answer:
                answer["Body"].close()
                raise Unavailable(f"{self._place()} cannot be used: it ignores ranges.")
            return Reader(answer["Body"], None, self._guard)

    def find_stat(self, key: str) -> Stat | None:
        head = self._find_head(check_key(key))
        if head is None:
            return None
        given = _metadata(head).get(_MODIFIED_AT)
        modified_at = datetime.fromisoformat(given) if given else head["LastModified"]
        return Stat(key, head["ContentLength"], modified_at.astimezone(UTC))

    def url_for(
        self,
        key: str,
        *,
        expires_seconds: int,
        method: str = "GET",
        content_type: str | None = None,
        disposition: str | None = None,
    ) -> str | None:
        """Signed here without asking the server; nobody looks whether the object exists."""
        parameters = {"Bucket": self.bucket, "Key": self._full(key)}
        if content_type is not None and method != "HEAD":
            name = "ContentType" if method == "PUT" else "ResponseContentType"
            parameters[name] = content_type
        if disposition is not None and method == "GET":
            parameters["ResponseContentDisposition"] = disposition
        with self._guard():
            return self._clients.asking().generate_presigned_url(
                _OPERATIONS[method], Params=parameters, ExpiresIn=expires_seconds
            )

    def credentials_id(self) -> str:
        with self._guard():
            credentials = self._clients.session().get_credentials()
            if credentials is None:
                raise Unavailable(f"{self._place()} cannot be used: no credentials were found.")
            frozen = credentials.get_frozen_credentials()
        return hashlib.sha256(f"{frozen.access_key}:{frozen.token}".encode()).hexdigest()[:16]

    def delete(self, key: str) -> None:
        with self._guard():
            client = self._clients.asking()
            try:
                client.delete_object(Bucket=self.bucket, Key=self._full(key))
            except client.exceptions.ClientError as error:
                if code_of(error) != "NoSuchKey":
                    raise

    def list(self, prefix: str = "") -> Iterator[Stat]:
        pages = self._pages("list_objects_v2", self.prefix + check_prefix(prefix))
        found = (
            Stat(
                found["Key"].removeprefix(self.prefix),
                found["Size"],
                found["LastModified"].astimezone(UTC),
            )
            for page in pages
            for found in page.get("Contents", ())
        )
        # Whatever else lies in the bucket is not ours to see.
        return (stat for stat in found if is_key(stat.key))

    def copy(
        self,
        source_key: str,
        target_key: str,
        *,
        content_type: str | None = None,
        cache_control: str | None = None,
        may_share: bool = False,
    ) -> None:
        """Inside the store, in parts if it is large; the bytes do not come through here."""
        from boto3.s3.transfer import TransferConfig

        target = self._full(target_key)
        head = self._find_head(source_key)
        if head is None:
            raise missing(source_key)
        with self._guard():
            if self._head(target_key) is not None:
                raise taken(target_key)
            self._clients.storing().copy(
                {"Bucket": self.bucket, "Key": self._full(source_key)},
                self.bucket,
                target,
                ExtraArgs={
                    "MetadataDirective": "REPLACE",
                    "ContentType": content_type or head["ContentType"],
                    "CacheControl": cache_control or head.get("CacheControl", IMMUTABLE),
                },
                Config=TransferConfig(use_threads=False),
            )
            if self.size(target_key) != head["ContentLength"]:
                raise Unavailable(f"{self._place()} copied {source_key} incompletely.")

    def multiparts(self) -> Multiparts:
        return S3Multiparts(self.bucket, self.prefix, self._clients, self._guard)

    def cors(self) -> S3Cors:
        return S3Cors(self.bucket, self.prefix, self._clients, self._guard)

    def browser_origin(self) -> str | None:
        parts = urlsplit(self.url_for("x", expires_seconds=60) or "")
        return f"{parts.scheme}://{parts.netloc}"

    def sweep_temporary(self, older_than_seconds: float) -> int:
        """Abort multipart uploads under our prefix of which nothing has arrived since then.

        Those that may take days are left to their owner.
        """
        oldest = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        removed = 0
        for page in self._pages("list_multipart_uploads", self.prefix):
            for upload in page.get("Uploads", ()):
                key, upload_id = upload["Key"], upload["UploadId"]
                if upload["Initiated"] >= oldest or not key.startswith(self.prefix):
                    continue
                if key.startswith(self.prefix + UPLOADS):
                    continue
                # Over a slow line, a large file takes longer than that.
                if self._last_part_at(key, upload_id, upload["Initiated"]) < oldest:
                    self._abort(key, upload_id)
                    removed += 1
        return removed

    def close(self) -> None:
        self._clients.close()

    def _full(self, key: str) -> str:
        return self.prefix + check_key(key)

    def _empty(self) -> Reader:
        return Reader(io.BytesIO(), 0, self._guard)

    def _head(self, key: str) -> Any:
        """The answer to HEAD, or None where the store answers 404."""
        client = self._clients.asking()
        try:
            return client.head_object(Bucket=self.bucket, Key=self._full(key))
        except client.exceptions.ClientError as error:
            if code_of(error) in NO_OBJECT:
                return None
            raise

    def _find_head(self, key: str) -> Any:
        """The same, but a missing bucket, for which HEAD answers 404 as well, is no "no"."""
        with self._guard():
            head = self._head(key)
            if head is None:
                self._clients.asking().head_bucket(Bucket=self.bucket)
            return head

    def _abort(self, full_key: str, upload_id: str) -> None:
        with self._guard():
            client = self._clients.asking()
            try:
                client.abort_multipart_upload(Bucket=self.bucket, Key=full_key, UploadId=upload_id)
            except client.exceptions.ClientError as error:
                if code_of(error) not in NO_UPLOAD:
                    raise

    def _last_part_at(self, full_key: str, upload_id: str, began_at: datetime) -> datetime:
        """When the newest part of an upload was stored; `began_at` where the store cannot say."""
        with self._guard():
            client = self._clients.asking()
            pages = client.get_paginator("list_parts").paginate(
                Bucket=self.bucket, Key=full_key, UploadId=upload_id
            )
            try:
                stored = [part["LastModified"] for page in pages for part in page.get("Parts", ())]
            except client.exceptions.ClientError as error:
                if code_of(error) not in {"NoSuchUpload", "404", *NOT_IMPLEMENTED}:
                    raise
                return began_at
        return max([began_at, *stored])

    def _pages(self, operation: str, full_prefix: str) -> Iterator[Mapping[str, Any]]:
        with self._guard():
            paginator: Any = self._clients.asking().get_paginator(operation)  # type: ignore[call-overload]
            pages = iter(paginator.paginate(Bucket=self.bucket, Prefix=full_prefix))
        while True:
            with self._guard():
                page = next(pages, None)
            if page is None:
                return
            yield page

    def _place(self) -> str:
        """The bucket and its server, without a name or password from the address."""
        host = urlsplit(self._clients.address).netloc.rpartition("@")[2]
        return f"The bucket {self.bucket}" + (f" at {host}" if host else "")

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Raise whatever goes wrong between us and the store as Unavailable with a sentence."""
        try:
            yield
        except Exception as error:
            if not _is_of_the_store(error):
                raise
            if is_timeout(error):
                self._clients.silence.noticed()
            raise Unavailable(f"{self._place()} cannot be used: {reason_of(error)}.") from error


class _S3Writer:
    """Collects one part at a time; what fits into one is stored by a single put.

    Each write carries a mark of its own, so that we can tell our object from another's when an
    answer is lost or the store does not know If-None-Match.
    """

    def __init__(
        self,
        storage: S3Storage,
        key: str,
        headers: Mapping[str, str],
        overwrite: bool,
        modified_at: datetime | None,
    ) -> None:
        self._storage = storage
        self._key = key
        self._overwrite = overwrite
        self._mark = secrets.token_hex(8)
        self._target: dict[str, Any] = {"Bucket": storage.bucket, "Key": storage._full(key)}
        metadata = {"mark": self._mark}
        if modified_at is not None:
            metadata[_MODIFIED_AT] = modified_at.isoformat()
        self._headers: dict[str, Any] = {**headers, "Metadata": metadata}
        # A file and not bytes: these would be sent in one go that has to end within the time for
        # connecting, which a slow line does not manage.
        self._buffer = io.BytesIO()
        self._size_bytes = 0
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._closed = False

    def write(self, data: bytes, /) -> int:
        if self._closed:
            raise ValueError("this writer is closed")
        view = memoryview(data)
        while view:
            piece = view[: PART_BYTES - self._buffer.tell()]
            self._buffer.write(piece)
            view = view[len(piece) :]
            if self._buffer.tell() == PART_BYTES:
                self._send_part()
        self._size_bytes += len(data)
        return len(data)

    def commit(self) -> int:
        if self._closed:
            raise ValueError("this writer is closed")
        storage = self._storage
        if self._upload_id is not None and self._buffer.tell():
            self._send_part()
        with storage._guard():
            if not self._overwrite and storage._head(self._key) is not None:
                raise taken(self._key)
            self._verify(refused=not self._finish())
        self._closed = True
        return self._size_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._closed and self._upload_id is not None:
            # What cannot be aborted now is taken by sweep_temporary.
            with suppress(Unavailable):
                self._storage._abort(self._target["Key"], self._upload_id)
        self._closed = True

    def _send_part(self) -> None:
        with self._storage._guard():
            if self._upload_id is None:
                begun = self._storage._clients.asking().create_multipart_upload(
                    **self._target, **self._headers
                )
                self._upload_id = begun["UploadId"]
            client: Any = self._storage._clients.storing()
            number = len(self._parts) + 1
            self._buffer.seek(0)
            answer = client.upload_part(
                **self._target, UploadId=self._upload_id, PartNumber=number, Body=self._buffer
            )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self._buffer.seek(0)
        self._buffer.truncate()

    def _finish(self) -> bool:
        """Make the object appear; False if the store says that it did not."""
        client: Any = self._storage._clients.storing()
        condition: dict[str, Any] = {}
        if self._storage._conditional_puts and not self._overwrite:
            condition["IfNoneMatch"] = "*"
        try:
            if self._upload_id is None:
                self._buffer.seek(0)
                client.put_object(**self._target, **self._headers, **condition, Body=self._buffer)
            else:
                client.complete_multipart_upload(
                    **self._target,
                    **condition,
                    UploadId=self._upload_id,
                    MultipartUpload={"Parts": self._parts},
                )
        except client.exceptions.ClientError as error:
            if condition and code_of(error) in NOT_IMPLEMENTED:
                self._storage._conditional_puts = False
                return self._finish()
            if code_of(error) not in NOT_WRITTEN:
                raise
            return False
        return True

    def _verify(self, *, refused: bool) -> None:
        """Look at what is there now: is it ours, and all of it?"""
        head = self._storage._head(self._key)
        if head is None:
            raise Unavailable(f"{self._storage._place()} did not keep {self._key}.")
        # A store may drop marks; without one only its refusal tells.
        ours = _metadata(head).get("mark", "" if refused else self._mark) == self._mark
        if not ours and not self._overwrite:
            raise taken(self._key)
        if not ours and refused:
            raise Unavailable(f"{self._storage._place()} did not replace {self._key}.")
        if ours and head["ContentLength"] != self._size_bytes:
            with suppress(Unavailable, NotFound):
                self._storage.delete(self._key)
            raise Unavailable(
                f"{self._storage._place()} kept {head['ContentLength']} of the "
                f"{self._size_bytes} bytes of {self._key}."
            )


def _metadata(head: Mapping[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in head.get("Metadata", {}).items()}


def _is_of_the_store(error: Exception) -> bool:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
    from urllib3.exceptions import HTTPError

    if isinstance(error, ParamValidationError):
        return False
    return isinstance(error, (BotoCoreError, ClientError, Boto3Error, HTTPError, OSError))
