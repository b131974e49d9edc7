"""Parts that come to podhost itself, because the storage is a folder."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from podhost.accounts.accounts import create_account, create_token
from podhost.app import create_app
from podhost.config import read_settings
from podhost.db import migrate
from podhost.instance import Instance, open_instance
from podhost.storage.multiparts import SMALLEST_PART_BYTES
from tests.asgi_client import Client
from tests.audio_files import lame
from tests.making import make_show
from tests.running import Running
from tests.upload_client import MULTIPART, Sender
from tests.waiting import wait_for

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


def token_for(instance: Instance) -> str:
    with instance.database.write() as session:
        account, _ = create_account(
            session, "alice@example.org", is_operator=True, now=instance.now()
        )
        return create_token(session, account, name="t", scope="write", now=instance.now())[1]


@pytest.fixture
def app(instance: Instance) -> Any:
    return create_app(instance)


@pytest.fixture
def alice(instance: Instance, app: Any) -> Sender:
    make_show(instance)
    return Sender(Client(app), token_for(instance))


def in_storage(instance: Instance) -> list[str]:
    """The files that lie in the storage's folder for unfinished things."""
    folder = instance.storage.temporary_folder()
    assert folder is not None
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_part_needs_no_token_and_is_answered_with_the_hash_of_its_bytes(
    instance: Instance, alice: Sender
) -> None:
    upload = alice.begin("talk.mp3", 5)
    target = alice.sign(upload, 1)
    assert target["url"].startswith("https://pod.example/uploads/parts/")
    sent = alice.put(target, b"12345")
    expected = hashlib.sha256(b"12345").hexdigest()
    assert (sent.status_code, sent.headers["etag"]) == (200, f'"{expected}"')
    assert "set-cookie" not in sent.headers
    assert in_storage(instance) == [f"00001-{expected}"]


def test_only_who_knows_the_secret_of_this_upload_sends_parts_of_it(
    instance: Instance, alice: Sender
) -> None:
    mine, other = alice.begin("a.mp3", 5), alice.begin("b.mp3", 5)
    target, foreign = alice.sign(mine, 1), alice.sign(other, 1)
    secret = urlsplit(foreign["url"]).query
    wrong = [
        target["url"].partition("?")[0],
        target["url"] + "x",
        f"{target['url'].partition('?')[0]}?{secret}",
        f"{target['url'].partition('?')[0]}?secret=%00ü",
        target["url"].replace(mine["uploadId"], "0" * 16),
    ]
    for url in wrong:
        assert alice.put({**target, "url": url}, b"12345").status_code == 404, url
    assert in_storage(instance) == []


def test_a_part_that_is_larger_than_the_rest_of_the_file_is_refused(
    instance: Instance, alice: Sender
) -> None:
    upload = alice.begin("talk.mp3", 8)
    target = alice.sign(upload, 1)
    refused = alice.put(target, b"x" * 9)
    assert refused.status_code == 413
    assert "8 bytes are the most" in refused.json()["error"]["message"]
    # Who does not say how much comes is stopped on the way.
    assert alice.put(target, _in_pieces(b"x" * 9)).status_code == 413
    assert alice.put(target, b"x" * 6).status_code == 200
    assert alice.put(alice.sign(upload, 2), b"x" * 3).status_code == 413
    assert alice.put(target, b"y" * 8).status_code == 200
    assert len(in_storage(instance)) == 1


async def _in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 4):
        yield data[start : start + 4]


def test_no_part_is_larger_than_64_mb(alice: Sender) -> None:
    upload = alice.begin("talk.mp3", 900 << 20)
    length = {"content_length": str((64 << 20) + 1)}
    refused = alice.put(alice.sign(upload, 1), b"", **length)
    assert refused.status_code == 413


def test_a_part_that_arrived_damaged_or_empty_is_not_stored(
    instance: Instance, alice: Sender
) -> None:
    upload = alice.begin("talk.mp3", 5)
    target = alice.sign(upload, 1, sha256=hashlib.sha256(b"12345").hexdigest().upper())
    damaged = alice.put(target, b"12346")
    assert damaged.status_code == 422
    assert "Send it again" in damaged.json()["error"]["fields"]["sha256"]
    assert alice.put({**target, "headers": {}}, b"").status_code == 422
    assert alice.put({**target, "headers": {}}, b"1", x_podhost_sha256="no").status_code == 422
    path = f"{MULTIPART}/{upload['uploadId']}/1?sha256=xyz"
    assert alice.call("GET", path).status_code == 422
    assert in_storage(instance) == []
    assert alice.put(target, b"12345").status_code == 200


def test_a_part_that_is_cut_off_leaves_what_was_there_before(
    instance: Instance, app: Any, alice: Sender
) -> None:
    upload = alice.begin("talk.mp3", 2_000_000)
    before = alice.send(upload, 1, b"before")
    parts = urlsplit(alice.sign(upload, 1)["url"])
    messages = [
        {"type": "http.request", "body": bytes(1_500_000), "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(_: Any) -> None:
        pass

    scope = {
        "type": "http", "method": "PUT", "path": parts.path, "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(), "headers": [], "client": ("127.0.0.1", 5),
        "server": ("pod.example", 80), "scheme": "http", "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert messages == []
    listed = alice.call("GET", f"{MULTIPART}/{upload['uploadId']}").json()
    assert listed == [{**before, "Size": 6}]
    assert len(in_storage(instance)) == 1


def test_other_methods_and_addresses_below_uploads_say_so(alice: Sender) -> None:
    target = alice.sign(alice.begin("a.mp3", 1), 1)
    path = urlsplit(target["url"]).path
    assert alice.client.request("GET", path).status_code == 405
    assert alice.client.request("PUT", path.rpartition("/")[0] + "/0").status_code == 422
    assert alice.client.request("GET", "/uploads/nothing").status_code == 404


def test_an_upload_goes_on_after_the_server_was_killed_twice(
    environment: dict[str, str], tmp_path: Path
) -> None:
    instance = open_instance(read_settings(environment))
    migrate(instance.database)
    make_show(instance)
    token = token_for(instance)
    instance.close()
    data = lame(100) * 8
    cut = SMALLEST_PART_BYTES
    serve = ["serve", "--port", "0", "--base-url", "http://127.0.0.1"]
    with Running(serve, environment) as server, server.client() as requests:
        sender = Sender(_Requests(requests), token)
        upload = sender.begin("talk.mp3", len(data))
        sender.send(upload, 1, data[:cut])
        server.stop(9)
    with Running(serve, environment) as server, server.client() as requests:
        sender = Sender(_Requests(requests), token)
        listed = sender.call("GET", f"{MULTIPART}/{upload['uploadId']}").json()
        assert [(part["PartNumber"], part["Size"]) for part in listed] == [(1, cut)]
        parts = [listed[0], sender.send(upload, 2, data[cut:])]
        assert sender.complete(upload, parts).status_code == 200
        server.stop(9)
    with Running(serve, environment) as server, server.client() as requests:
        sender = Sender(_Requests(requests), token)
        wait_for(lambda: sender.state(upload)["state"] == "ready", seconds=60)
        state = sender.state(upload)
        assert state["sha256"] == hashlib.sha256(data).hexdigest()
        assert server.stop() == 0


class _Requests:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._client.request(method, path, **options)
