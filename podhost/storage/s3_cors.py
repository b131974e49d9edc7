"""What browsers may do with an S3 bucket (CORS): asked of it as browsers would, and set."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from podhost.storage.s3_answers import NOT_IMPLEMENTED, code_of
from podhost.storage.s3_clients import S3Clients

# What asks for a permission asks with the address of a part.
_NO_PART = {"Key": "uploads/cors-check", "UploadId": "none", "PartNumber": 1}
_SECONDS = 5
_NO_RULES = {"NoSuchCORSConfiguration", "404", *NOT_IMPLEMENTED, "AccessDenied", "MethodNotAllowed"}


class S3Cors:
    """The rules of one bucket. Everything that fails is Unavailable."""

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

    def may_put(self, origin: str) -> bool:
        """Whether a page of this origin may PUT, as the bucket answers a browser's preflight."""
        answer = self._ask(
            "upload_part",
            "OPTIONS",
            {
                "Origin": origin,
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "content-type",
            },
        )
        methods = answer.get("access-control-allow-methods", "").upper()
        return _is_allowed(answer, origin) and ("PUT" in methods or methods == "*")

    def shows_etag(self, origin: str) -> bool:
        """Whether a page of this origin may read the ETag of an answer."""
        # Of an object that is not there: only the headers matter, which are the same.
        answer = self._ask("get_object", "GET", {"Origin": origin})
        exposed = answer.get("access-control-expose-headers", "").lower()
        names = {name.strip() for name in exposed.split(",")}
        return _is_allowed(answer, origin) and ("etag" in names or "*" in names)

    def rules(self) -> list[dict[str, Any]]:
        """The rules that the bucket has; none where it does not tell."""
        with self._guard():
            client = self._clients.asking()
            try:
                found: Any = client.get_bucket_cors(Bucket=self._bucket)
            except client.exceptions.ClientError as error:
                if code_of(error) not in _NO_RULES:
                    raise
                return []
        return [dict(rule) for rule in found.get("CORSRules", ())]

    def set_rules(self, rules: list[dict[str, Any]]) -> None:
        """Give the bucket these rules in the place of all that it has."""
        with self._guard():
            client: Any = self._clients.asking()
            client.put_bucket_cors(Bucket=self._bucket, CORSConfiguration={"CORSRules": rules})

    def _ask(self, operation: str, method: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of the answer to a plain HTTP request with a presigned address."""
        from botocore.awsrequest import AWSRequest
        from botocore.httpsession import URLLib3Session

        parameters = {**_NO_PART, "Key": f"{self._prefix}{_NO_PART['Key']}"}
        if operation == "get_object":
            parameters = {"Key": parameters["Key"]}
        with self._guard():
            url = self._clients.asking().generate_presigned_url(
                operation, Params={"Bucket": self._bucket, **parameters}, ExpiresIn=60
            )
            http = URLLib3Session(timeout=_SECONDS)
            try:
                request = AWSRequest(method=method, url=url, headers=dict(headers))
                answer = http.send(request.prepare())
            finally:
                http.close()
        return {name.lower(): value for name, value in answer.headers.items()}


def _is_allowed(answer: Mapping[str, str], origin: str) -> bool:
    return answer.get("access-control-allow-origin") in (origin, "*")
