"""The boto3 clients of one store: how long they wait, how often they try; they know no bucket.

All limits are for silence, not for a whole transfer: a store that takes or gives bytes, however
slowly, is waited for.
"""

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from podhost.errors import Unavailable
from podhost.silence import Silence
from podhost.storage.s3_answers import is_timeout

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client

# To connect, and for each 16 KB that are sent.
CONNECT_SECONDS = 5.0
# For each piece of an answer.
ANSWER_SECONDS = 10.0
# The same after a part or a whole file was sent: a busy store writes it to its disks first.
STORED_SECONDS = 30.0
# For one request; after a silence the last is begun before one and a half times the wait for an
# answer is over, so that a silence is waited for twice and not three times.
TRIES = 3
CHECK_SECONDS = 3.0


class S3Clients:
    """Makes each kind of client when it is first needed. Threads may share it."""

    def __init__(
        self,
        endpoint_url: str | None,
        *,
        connect_seconds: float,
        answer_seconds: float,
        stored_seconds: float,
        **session_arguments: str | None,
    ) -> None:
        self.address = endpoint_url or ""
        self.silence = Silence("the S3 store")
        self._endpoint_url = endpoint_url
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._stored_seconds = stored_seconds
        self._session_arguments = session_arguments
        # Sessions and the making of clients are not safe between threads; clients are.
        self._lock = threading.RLock()
        self._session: Session | None = None
        self._clients: dict[str, S3Client] = {}
        self._call = threading.local()

    def session(self) -> "Session":
        """boto3's session, which finds the credentials."""
        import boto3

        with self._lock:
            if self._session is None:
                made: Any = boto3.Session
                self._session = made(**self._session_arguments)
            return self._session

    def asking(self) -> "S3Client":
        """For questions, and for reading."""
        return self._find("asking", self._connect_seconds, self._answer_seconds, TRIES)

    def storing(self) -> "S3Client":
        """For what a store may have to think about before it answers."""
        return self._find("storing", self._connect_seconds, self._stored_seconds, TRIES)

    def checking(self) -> "S3Client":
        """For a quick look whether the store answers; it asks also during a silence."""
        seconds = min(CHECK_SECONDS, self._answer_seconds)
        return self._find("checking", seconds, seconds, 2)

    def close(self) -> None:
        """Let go of connections."""
        with self._lock:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def _find(
        self, kind: str, connect_seconds: float, answer_seconds: float, tries: int
    ) -> "S3Client":
        client = self._clients.get(kind)
        if client is not None:
            return client
        with self._lock:
            if kind not in self._clients:
                made = self._make(connect_seconds, answer_seconds, tries)
                self._watch(made, is_checking=kind == "checking")
                self._clients[kind] = made
            return self._clients[kind]

    def _make(self, connect_seconds: float, answer_seconds: float, tries: int) -> "S3Client":
        from botocore.config import Config

        config = Config(
            signature_version="s3v4",
            connect_timeout=connect_seconds,
            read_timeout=answer_seconds,
            retries={"mode": "standard", "total_max_attempts": tries},
            max_pool_connections=50,
            # By default boto3 sends checksums in trailers, which not every store understands.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        make: Any = self.session().client
        try:
            client: S3Client = make("s3", endpoint_url=self._endpoint_url, config=config)
            self.address = client.meta.endpoint_url
            host = urlsplit(self.address).hostname or ""
            if not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
                # Few other stores answer to a host name for each bucket.
                client.close()
                config = config.merge(Config(s3={"addressing_style": "path"}))
                client = make("s3", endpoint_url=self._endpoint_url, config=config)
        except ValueError as error:
            raise Unavailable(
                "The S3 store cannot be used: the endpoint's address or the region is not a "
                "valid one."
            ) from error
        return client

    def _watch(self, client: "S3Client", *, is_checking: bool) -> None:
        events = client.meta.events
        if not is_checking:
            events.register("before-call.s3", self._begin)
            events.register("before-send.s3", self._try)
        events.register("response-received.s3", self._end)

    def _begin(self, **_: object) -> None:
        """Before a request and all of its tries. Raises Unavailable during a silence."""
        if not self.silence.may_ask():
            raise Unavailable("The storage does not answer; try again in a moment.")
        if self.silence.lasts:
            # A short question first: whoever is chosen to ask shall not wait for long either. What
            # the answer is does not matter here.
            client = self.checking()
            with suppress(client.exceptions.ClientError):
                client.list_buckets()
        self._call.began_at, self._call.was_silent = time.monotonic(), False

    def _try(self, **_: object) -> None:
        """Before each try."""
        seconds = time.monotonic() - self._call.began_at
        if self._call.was_silent and seconds > 1.5 * self._answer_seconds:
            raise Unavailable("The storage does not answer; try again in a moment.")

    def _end(self, exception: Exception | None = None, **_: object) -> None:
        """After each try."""
        if exception is None:
            self.silence.heard()
        elif is_timeout(exception):
            self._call.was_silent = True
            self.silence.noticed()
