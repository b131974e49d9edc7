"""A client that uploads in parts as Uppy does; it knows podhost by its protocol alone."""

from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

MULTIPART = "/api/v1/s3/multipart"
UPLOADS = "/api/v1/shows/tide-tables/uploads"


class Requests(Protocol):
    """What sends requests: to an application in this process, or to a server."""

    def request(self, method: str, path: str, /, **options: Any) -> httpx.Response: ...


class Sender:
    """A program that sends files with a token, as a client that podhost has never seen."""

    def __init__(self, client: Requests, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.client.request(method, path, headers=self.headers, **options)

    def begin(self, name: str = "talk.mp3", size: int | None = None, **metadata: Any) -> Any:
        given = {"show": "tide-tables", **metadata}
        body = {"filename": name, "type": "audio/mpeg", "metadata": given}
        answer = self.call("POST", MULTIPART, json=body | ({"size": size} if size else {}))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sign(self, upload: Any, number: int, **query: str) -> Any:
        path = f"{MULTIPART}/{upload['uploadId']}/{number}"
        answer = self.call("GET", path, params={"key": upload["key"], **query})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, target: Any, data: Any, **headers: str) -> httpx.Response:
        """As a browser would: no token, only what it was told to send."""
        named = {**target["headers"], **{name.replace("_", "-"): headers[name] for name in headers}}
        if "/uploads/parts/" not in target["url"]:
            return httpx.request(
                target["method"], target["url"], content=data, headers=named, timeout=60
            )
        parts = urlsplit(target["url"])
        path = f"{parts.path}?{parts.query}"
        return self.client.request(target["method"], path, content=data, headers=named)

    def send(self, upload: Any, number: int, data: bytes) -> dict[str, Any]:
        sent = self.put(self.sign(upload, number), data)
        assert sent.status_code == 200, sent.text
        return {"PartNumber": number, "ETag": sent.headers["etag"]}

    def complete(self, upload: Any, parts: list[dict[str, Any]]) -> httpx.Response:
        path = f"{MULTIPART}/{upload['uploadId']}/complete"
        return self.call("POST", path, params={"key": upload["key"]}, json={"parts": parts})

    def upload(self, data: bytes, name: str = "talk.mp3", **metadata: Any) -> Any:
        """All of it in one part; what it is told at the end."""
        upload = self.begin(name, len(data), **metadata)
        done = self.complete(upload, [self.send(upload, 1, data)])
        assert done.status_code == 200, done.text
        return done.json()

    def state(self, upload: Any) -> Any:
        answer = self.call("GET", f"{UPLOADS}/{upload.get('uploadId') or upload['upload']['id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()
