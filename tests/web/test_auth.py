"""Tokens: who may use the API, and for what."""

from datetime import timedelta

import pytest
from starlette.requests import Request

from podhost.accounts.accounts import create_account, create_token, revoke_token
from podhost.app import create_app
from podhost.instance import Instance
from podhost.models import Account
from podhost.web.api import OPERATIONS
from podhost.web.auth import challenge
from podhost.web.openapi import Operation
from tests.asgi_client import Client
from tests.conftest import FrozenClock


@pytest.fixture
def client(instance: Instance) -> Client:
    return Client(create_app(instance))


@pytest.fixture
def alice(instance: Instance) -> Account:
    with instance.database.write() as session:
        return create_account(session, "alice@example.org", is_operator=True, now=instance.now())[0]


def bearer(instance: Instance, alice: Account, **options: object) -> dict[str, str]:
    with instance.database.write() as session:
        _, secret = create_token(
            session,
            alice,
            name="test",
            now=instance.now(),
            **options,  # type: ignore[arg-type]
        )
    return {"Authorization": f"Bearer {secret}"}


def address(operation: Operation) -> str:
    return operation.path.replace("{show}", "tide-tables").replace("{episode}", "low-water")


# Mailed links are proof enough.
NEEDING_A_TOKEN = [operation for operation in OPERATIONS if not operation.is_public]


def test_every_call_needs_a_token(client: Client) -> None:
    assert {operation.path.split("/")[3] for operation in OPERATIONS if operation.is_public} == {
        "links"
    }
    for operation in NEEDING_A_TOKEN:
        answer = client.request(operation.method, address(operation))
        assert answer.status_code == 401, operation.path
        assert answer.headers["www-authenticate"] == 'Bearer realm="podhost"'
        assert answer.json()["error"]["code"] == "unauthorized"


def test_a_wrong_token_is_401_with_a_sentence(client: Client) -> None:
    for header in (
        "",
        "Bearer",
        "Bearer ",
        "Bearer unknown",
        "Bearer " + "x" * 5000,
        "Basic YWxpY2U6c2VjcmV0",
        "Token abc",
        "Bearer \xff\x00",
        "Bearer ' OR 1=1 --",
    ):
        headers = {"Authorization": header.encode("latin-1")}
        answer = client.get("/api/v1/shows", headers=headers)
        assert answer.status_code == 401, header
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert answer.json()["error"]["message"].endswith(".")


def test_the_scheme_may_be_written_in_any_case(
    client: Client, instance: Instance, alice: Account
) -> None:
    secret = bearer(instance, alice)["Authorization"].partition(" ")[2]
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {secret}"}
        assert client.get("/api/v1/shows", headers=headers).status_code == 200


def test_a_token_that_may_read_may_not_write(
    client: Client, instance: Instance, alice: Account
) -> None:
    headers = bearer(instance, alice, scope="read")
    for operation in NEEDING_A_TOKEN:
        if operation.method != "GET":
            answer = client.request(operation.method, address(operation), headers=headers)
            assert answer.status_code == 403, operation.path
            assert answer.json()["error"]["code"] == "forbidden"


def test_a_token_that_may_read_reads(client: Client, instance: Instance, alice: Account) -> None:
    headers = bearer(instance, alice, scope="read")
    assert client.get("/api/v1/shows", headers=headers).json()["total"] == 0
    assert client.get("/api/v1/jobs", headers=headers).status_code == 200


def test_a_token_ends_when_it_expires_or_is_revoked(
    client: Client, instance: Instance, alice: Account, clock: FrozenClock
) -> None:
    expires_at = instance.now() + timedelta(hours=1)
    headers = bearer(instance, alice, expires_at=expires_at)
    assert client.get("/api/v1/shows", headers=headers).status_code == 200
    clock.advance(hours=1)
    answer = client.get("/api/v1/shows", headers=headers)
    assert answer.status_code == 401
    assert "expired" in answer.json()["error"]["message"]
    assert answer.headers["www-authenticate"] == 'Bearer realm="podhost", error="invalid_token"'

    with instance.database.write() as session:
        token, secret = create_token(session, alice, name="x", now=instance.now())
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/shows", headers=headers).status_code == 200
    with instance.database.write() as session:
        revoke_token(session, token.id, now=instance.now())
    assert client.get("/api/v1/shows", headers=headers).status_code == 401


def test_a_wrong_token_is_told_before_the_body_is_read(client: Client) -> None:
    async def body() -> object:
        raise AssertionError("the body was read")
        yield b""

    answer = client.request("POST", "/api/v1/shows/x/episodes", content=body())
    assert answer.status_code == 401


def test_the_challenge_says_whether_a_token_came() -> None:
    scope = {"type": "http", "headers": []}
    assert challenge(Request(scope)) == 'Bearer realm="podhost"'
    scope["headers"] = [(b"authorization", b"Bearer x")]
    assert "invalid_token" in challenge(Request(scope))
