"""What mailed links open, over the API: without a token, and whoever is signed in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from podhost.accounts.accounts import check_password, find_account
from podhost.app import create_app
from podhost.history.audit import list_entries
from podhost.instance import Instance
from podhost.models import AuditEntry, Mail
from podhost.worker import run_next_mail
from tests.asgi_client import Client
from tests.conftest import FrozenClock
from tests.mail_server import LocalMail, local_mail
from tests.making import make_show
from tests.studio_client import StudioClient

OWNER = "owner@pod.example"
PASSWORD, NEW = "long enough", "harbour lights"
INVITED = {"email": "dora@example.org", "role": "editor"}

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def owner(instance: Instance) -> StudioClient:
    make_show(instance)
    return StudioClient.visit_as(instance, "owner", "tide-tables")


@pytest.fixture
def mail(instance: Instance) -> Iterator[LocalMail]:
    with local_mail() as server:
        url = f"smtp://127.0.0.1:{server.port}"
        instance.settings = replace(instance.settings, smtp_url=url)
        yield server


def call(
    client: Client, method: str, path: str, status: int, json: object = None, **options: object
) -> dict:
    given = {"json": json} if json is not None else {}
    answer = client.request(method, f"/api/v1/links{path}", **given, **options)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else {}


def mailed(owner: StudioClient, mail: LocalMail) -> str:
    """The secret of the link in the newest message."""
    while run_next_mail(owner.instance, owner="alice"):
        pass
    return mail.links[-1].rpartition("/")[2]


def invite(owner: StudioClient) -> str:
    answer = owner.call("POST", "/shows/tide-tables/invitations", json=INVITED)
    assert answer.status_code == 201, answer.text
    secret: str = answer.json()["link"].rpartition("/")[2]
    return secret


def is_good(instance: Instance, email: str, password: str) -> bool:
    with instance.database.read() as session:
        return check_password(session, email, password) is not None


def newest_row(instance: Instance) -> AuditEntry:
    with instance.database.read() as session:
        return list_entries(session)[0]


def test_a_forgotten_password_is_set_anew(owner: StudioClient, mail: LocalMail) -> None:
    client, instance = owner.client, owner.instance
    call(client, "POST", "/password", 204, {"email": OWNER.upper()})
    asked = newest_row(instance)
    assert (asked.action, asked.actor_id, asked.subject) == ("post_forgotten", None, "")
    secret = mailed(owner, mail)
    refused = call(client, "POST", f"/password/{secret}", 422, {"password": "password123"})
    assert list(refused["error"]["fields"]) == ["password"]
    token = owner.call("POST", "/account/tokens", json={"name": "Backup"}).json()["token"]
    given = {"password": NEW, "revoke_tokens": True}
    call(client, "POST", f"/password/{secret}", 204, given)
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/account", headers=bearer).status_code == 401
    assert is_good(instance, OWNER, NEW) and not is_good(instance, OWNER, PASSWORD)
    assert owner.call("GET", "/account").status_code == 401
    with instance.database.read() as session:
        done, revoked = list_entries(session, limit=2)
    assert (done.action, done.actor_id) == ("post_reset", owner.account_id)
    assert (revoked.action, revoked.subject) == ("revoke_token", "Backup")
    assert revoked.actor_id == owner.account_id
    call(client, "POST", f"/password/{secret}", 410, {"password": NEW})
    call(client, "POST", f"/password/{secret[:-1]}", 404, {"password": NEW})


def test_the_answer_is_the_same_for_whoever_asks(owner: StudioClient, mail: LocalMail) -> None:
    for email in (OWNER, "nobody@pod.example"):
        answer = owner.client.request("POST", "/api/v1/links/password", json={"email": email})
        assert (answer.status_code, answer.content) == (204, b"")
    mailed(owner, mail)
    assert [message["To"] for message in mail.messages] == [OWNER]
    for given in ({"email": "x"}, {"email": OWNER, "language": "tlh"}, {}):
        call(owner.client, "POST", "/password", 422, given)


@pytest.mark.parametrize("email", [OWNER, "nobody@pod.example"])
def test_nobodys_mailbox_is_filled(owner: StudioClient, clock: FrozenClock, email: str) -> None:
    for _ in range(4):
        call(owner.client, "POST", "/password", 204, {"email": email})
    answer = owner.client.request("POST", "/api/v1/links/password", json={"email": email})
    assert answer.status_code == 429
    clock.advance(seconds=int(answer.headers["retry-after"]))
    call(owner.client, "POST", "/password", 204, {"email": email})


def test_the_message_speaks_as_the_caller_wants(owner: StudioClient) -> None:
    spanish = {"Accept-Language": "es-MX"}
    call(owner.client, "POST", "/password", 204, {"email": OWNER}, headers=spanish)
    call(owner.client, "POST", "/password", 204, {"email": OWNER, "language": "es"})
    call(owner.client, "POST", "/password", 204, {"email": OWNER})
    with owner.instance.database.read() as session:
        assert sorted(session.scalars(select(Mail.language))) == ["en", "es", "es"]


def test_a_new_address_is_confirmed(owner: StudioClient, mail: LocalMail) -> None:
    given = {"email": "ann@example.net", "password": PASSWORD}
    assert owner.call("POST", "/account/email", json=given).status_code == 204
    secret = mailed(owner, mail)
    call(owner.client, "POST", f"/password/{secret}", 404, {"password": NEW})
    call(owner.client, "POST", f"/email/{secret}", 204)
    assert is_good(owner.instance, "ann@example.net", PASSWORD)
    call(owner.client, "POST", f"/email/{secret}", 410)


def test_an_invitation_is_shown_and_taken_with_a_new_account_and_its_token(
    owner: StudioClient,
) -> None:
    client, secret = owner.client, invite(owner)
    shown = call(client, "GET", f"/invitation/{secret}", 200)
    assert (
        shown.items()
        >= {
            **INVITED,
            "show": "tide-tables",
            "show_title": "Tide Tables",
            "invited_by": "Owner",
            "has_account": False,
        }.items()
    )
    given = {"name": "Dora", "password": NEW, "language": "es", "token": "My program"}
    answer = client.request("POST", f"/api/v1/links/invitation/{secret}", json=given)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["roles"] == {"tide-tables": "editor"} and made["language"] == "es"
    assert made["token"]["name"] == "My program" and not made["warnings"]
    bearer = {"Authorization": f"Bearer {made['token']['token']}"}
    own = client.get(answer.headers["location"], headers=bearer)
    assert own.status_code == 200 and own.json()["email"] == "dora@example.org"
    assert is_good(owner.instance, "dora@example.org", NEW)
    call(client, "GET", f"/invitation/{secret}", 410)
    call(client, "POST", f"/invitation/{secret}", 410, given)
    with owner.instance.database.read() as session:
        rows = {row.action: row for row in list_entries(session, limit=2)}
    assert rows["post_own_token"].subject == "My program"
    assert {row.actor_id for row in rows.values()} == {made["id"]}
    assert rows["post_acceptance"].subject == ""


def test_what_is_wrong_with_an_acceptance_makes_nothing(owner: StudioClient) -> None:
    client, secret = owner.client, invite(owner)
    right = {"name": "Dora", "password": NEW}
    for field, value in (
        ("password", "short"),
        ("password", ""),
        ("language", "tlh"),
        ("token", ""),
        ("token", "x" * 300),
        ("name", "x" * 300),
    ):
        path, given = f"/invitation/{secret}", {**right, field: value}
        assert list(call(client, "POST", path, 422, given)["error"]["fields"]) == [field]
    call(client, "POST", f"/invitation/{secret}", 422)
    with owner.instance.database.read() as session:
        assert find_account(session, "dora@example.org") is None
    assert call(client, "POST", f"/invitation/{secret}", 201, right)["token"] is None


def test_an_address_with_an_account_is_told_to_use_it(
    owner: StudioClient, clock: FrozenClock
) -> None:
    invite_again, first = owner, invite(owner)
    call(owner.client, "POST", f"/invitation/{first}", 201, {"name": "Dora", "password": NEW})
    with owner.instance.database.read() as session:
        dora = find_account(session, "dora@example.org")
        assert dora is not None
    owner.call("DELETE", f"/shows/tide-tables/members/{dora.id}")
    secret = invite(invite_again)
    assert call(owner.client, "GET", f"/invitation/{secret}", 200)["has_account"]
    given = {"name": "Dora", "password": PASSWORD}
    call(owner.client, "POST", f"/invitation/{secret}", 409, given)
    clock.time += timedelta(days=8)
    call(owner.client, "GET", f"/invitation/{secret}", 410)


def test_who_is_signed_in_or_sends_a_token_is_nobody_here(
    owner: StudioClient, mail: LocalMail
) -> None:
    """Another site could make a browser call: the cookie must do nothing, and a token neither."""
    client = owner.client
    owner.instance.settings = replace(owner.instance.settings, smtp_url="")
    secret = invite(owner)
    given = {"name": "Dora", "password": NEW}
    cookie = "; ".join(f"{name}={value}" for name, value in owner.cookies.items())
    headers = {"Cookie": cookie, "Authorization": "Bearer nonsense"}
    answer = client.request(
        "POST", f"/api/v1/links/invitation/{secret}", json=given, headers={"Cookie": cookie}
    )
    assert answer.status_code == 201 and answer.json()["email"] == "dora@example.org"
    assert "set-cookie" not in answer.headers
    assert newest_row(owner.instance).actor_name == "Dora"
    with owner.instance.database.read() as session:
        invited_self = find_account(session, OWNER)
        assert invited_self is not None and invited_self.name == "Owner"
    call(client, "POST", "/password", 204, {"email": OWNER}, headers=headers)
    assert newest_row(owner.instance).actor_id is None
    form = {"Content-Type": "text/plain"}
    call(client, "POST", "/password", 422, headers=form, content=b'{"email": "a@b.example"}')


def test_calls_are_counted_by_address(environment: dict[str, str], owner: StudioClient) -> None:
    settings = replace(owner.instance.settings, api_requests_per_minute=3)
    owner.instance.settings = settings
    client = Client(create_app(owner.instance))
    for _ in range(3):
        call(client, "GET", "/invitation/guessed", 404)
    call(client, "GET", "/invitation/guessed", 429)


def test_no_row_of_the_trail_has_a_secret(owner: StudioClient, mail: LocalMail) -> None:
    call(owner.client, "POST", "/password", 204, {"email": OWNER})
    secret = mailed(owner, mail)
    call(owner.client, "POST", f"/password/{secret}", 204, {"password": NEW})
    with owner.instance.database.read() as session:
        for row in list_entries(session):
            told = f"{row.subject} {row.details} {row.actor_name} {row.action}"
            assert secret not in told and NEW not in told
