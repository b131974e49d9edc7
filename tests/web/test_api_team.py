"""Teams, invitations, accounts and one's own account over the API."""

import pytest
from sqlalchemy import select

from podhost.accounts.accounts import find_account
from podhost.instance import Instance
from podhost.models import LoginSession, Mail
from tests.making import make_show
from tests.studio_client import StudioClient

SHOW = "/shows/tide-tables"
PASSWORD = "long enough"

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def owner(instance: Instance) -> StudioClient:
    make_show(instance)
    return StudioClient.visit_as(instance, "owner", "tide-tables")


def another(owner: StudioClient, role: str) -> StudioClient:
    return StudioClient.visit_as(owner.instance, role, "tide-tables", client=owner.client)


def call(visitor: StudioClient, method: str, path: str, status: int, json: object = None) -> dict:
    answer = visitor.call(method, path, **({"json": json} if json is not None else {}))
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else {}


def test_an_owner_changes_roles_and_takes_members_out(owner: StudioClient) -> None:
    editor = another(owner, "editor")
    members = call(owner, "GET", f"{SHOW}/members", 200)["members"]
    assert [(member["name"], member["role"]) for member in members] == [
        ("Owner", "owner"),
        ("Editor", "editor"),
    ]
    path = f"{SHOW}/members/{editor.account_id}"
    assert call(owner, "PUT", path, 200, {"role": "analyst"})["role"] == "analyst"
    assert "role" in call(owner, "PUT", path, 422, {"role": "king"})["error"]["fields"]
    own = f"{SHOW}/members/{owner.account_id}"
    assert "last owner" in call(owner, "DELETE", own, 409)["error"]["message"]
    call(owner, "DELETE", path, 204)
    call(owner, "DELETE", path, 404)
    call(editor, "GET", f"{SHOW}/members", 404)


def test_a_member_may_leave_and_take_nobody_along(owner: StudioClient) -> None:
    editor = another(owner, "editor")
    call(editor, "DELETE", f"{SHOW}/members/{owner.account_id}", 403)
    call(editor, "DELETE", f"{SHOW}/members/{editor.account_id}", 204)
    call(editor, "GET", SHOW, 404)


def test_an_invitation_is_taken_by_an_account_that_is_there(owner: StudioClient) -> None:
    stranger = another(owner, "stranger")
    given = {"email": "dora@example.org", "role": "editor", "language": "es"}
    made = call(owner, "POST", f"{SHOW}/invitations", 201, given)
    assert made["status"] == "waiting" and made["mail"] == {"status": "waiting", "error": None}
    (listed,) = call(owner, "GET", f"{SHOW}/invitations", 200)["invitations"]
    assert listed["id"] == made["id"] and listed["link"] is None
    assert listed["invited_by"] == "Owner"
    secret = made["link"].rpartition("/")[2]
    taken = call(stranger, "POST", f"/account/invitations/{secret}", 200)
    assert taken["roles"] == {"tide-tables": "editor"}
    call(stranger, "POST", f"/account/invitations/{secret}", 410)
    assert call(owner, "GET", f"{SHOW}/invitations", 200) == {"invitations": []}
    made = call(owner, "POST", f"{SHOW}/invitations", 201, given)
    call(owner, "DELETE", f"{SHOW}/invitations/{made['id']}", 204)
    call(owner, "DELETE", f"{SHOW}/invitations/{made['id']}", 404)
    wrong = {"email": "x", "role": "y", "language": "z" * 100}
    refused = call(owner, "POST", f"{SHOW}/invitations", 422, wrong)["error"]["fields"]
    assert sorted(refused) == ["email", "language", "role"]


def test_the_link_is_told_to_nobody_where_it_is_mailed(owner: StudioClient) -> None:
    from dataclasses import replace

    owner.instance.settings = replace(owner.instance.settings, smtp_url="smtp://localhost")
    given = {"email": "dora@example.org", "role": "editor"}
    assert call(owner, "POST", f"{SHOW}/invitations", 201, given)["link"] is None


def test_an_operator_looks_after_accounts(owner: StudioClient) -> None:
    operator = another(owner, "operator")
    given = {"email": "dora@example.org", "role": "operator"}
    made = call(operator, "POST", "/invitations", 201, given)
    call(owner, "DELETE", f"{SHOW}/invitations/{made['id']}", 404)
    assert len(call(operator, "GET", "/invitations", 200)["invitations"]) == 1
    call(operator, "DELETE", f"/invitations/{made['id']}", 204)
    path = f"/accounts/{owner.account_id}"
    closed = call(operator, "PATCH", path, 200, {"is_disabled": True})
    assert closed["disabled_at"] and closed["roles"] == {"tide-tables": "owner"}
    call(owner, "GET", "/account", 401)
    assert call(operator, "PATCH", path, 200, {"is_disabled": False})["disabled_at"] is None
    assert call(operator, "PATCH", path, 200, {"is_operator": True})["is_operator"]
    call(operator, "DELETE", path, 204)
    call(operator, "DELETE", path, 404)
    own = f"/accounts/{operator.account_id}"
    for json in ({"is_operator": False}, {"is_disabled": True}):
        assert "last operator" in call(operator, "PATCH", own, 409, json)["error"]["message"]
    assert len(call(operator, "GET", "/accounts", 200)["accounts"]) == 1


def test_one_sees_and_changes_ones_own_account(owner: StudioClient) -> None:
    given = {"name": "Ann", "language": "es", "time_zone": "Europe/Madrid"}
    changed = call(owner, "PATCH", "/account", 200, given)
    assert changed == call(owner, "GET", "/account", 200)
    assert changed.items() >= given.items() and changed["roles"] == {"tide-tables": "owner"}
    wrong = {"name": "x" * 300, "language": "tlh", "time_zone": "Mars"}
    refused = call(owner, "PATCH", "/account", 422, wrong)["error"]["fields"]
    assert sorted(refused) == ["language", "name", "time_zone"]
    assert call(owner, "PATCH", "/account", 200, {"language": None})["language"] is None


def test_a_password_and_an_address_take_the_old_password(owner: StudioClient) -> None:
    new = {"old_password": PASSWORD, "password": "harbour lights"}
    wrong = call(owner, "PUT", "/account/password", 422, {**new, "old_password": "x"})
    assert list(wrong["error"]["fields"]) == ["old_password"]
    wrong = call(owner, "PUT", "/account/password", 422, {**new, "password": "x"})
    assert list(wrong["error"]["fields"]) == ["password"]
    token = call(owner, "POST", "/account/tokens", 201, {"name": "Backup"})["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    call(owner, "PUT", "/account/password", 204, new)
    call(owner, "GET", "/account", 200)
    assert owner.client.get("/api/v1/account", headers=bearer).status_code == 200
    again = {"old_password": "harbour lights", "password": "harbour lights", "revoke_tokens": True}
    call(owner, "PUT", "/account/password", 204, again)
    call(owner, "GET", "/account", 200)
    assert owner.client.get("/api/v1/account", headers=bearer).status_code == 401
    email = {"email": "ann@example.net", "password": PASSWORD}
    assert list(call(owner, "POST", "/account/email", 422, email)["error"]["fields"]) == [
        "password"
    ]
    call(owner, "POST", "/account/email", 204, {**email, "password": "harbour lights"})
    with owner.instance.database.read() as session:
        sent = [mail.recipient for mail in session.scalars(select(Mail).order_by(Mail.recipient))]
    assert sent == ["ann@example.net", "owner@pod.example", "owner@pod.example"]


def test_an_account_ends_for_who_proves_it(owner: StudioClient) -> None:
    editor = another(owner, "editor")
    call(editor, "DELETE", "/account", 422, {"password": "x"})
    call(editor, "DELETE", "/account", 204, {"password": PASSWORD})
    call(editor, "GET", "/account", 401)
    refused = call(owner, "DELETE", "/account", 409, {"password": PASSWORD})
    assert "Tide Tables" in refused["error"]["message"]


def test_nobodys_mailbox_is_filled_by_changes_of_address(owner: StudioClient) -> None:
    given = {"email": "somebody@example.net", "password": PASSWORD}
    for _ in range(3):
        call(owner, "POST", "/account/email", 204, given)
    form = {"email": "Somebody@example.net", "email_password": PASSWORD}
    assert owner.post("/account/email", form).status_code == 303
    refused = owner.post("/account/email", form)
    assert refused.status_code == 422 and "tried too often" in refused.text
    call(owner, "POST", "/account/email", 429, given)


def test_tokens_are_made_and_revoked(owner: StudioClient) -> None:
    editor = another(owner, "editor")
    given = {"name": "Backup", "scope": "read", "show": "tide-tables", "days": 30}
    made = call(owner, "POST", "/account/tokens", 201, given)
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert owner.client.get(f"/api/v1{SHOW}", headers=bearer).status_code == 200
    # It is good for one show, and cannot give itself more.
    for path in ("/account", "/account/tokens"):
        assert owner.client.get(f"/api/v1{path}", headers=bearer).status_code == 403
    (listed,) = call(owner, "GET", "/account/tokens", 200)["tokens"]
    assert listed["token"] is None and listed["show"] == "tide-tables"
    wrong = {"name": "", "scope": "all", "days": 7}
    refused = call(owner, "POST", "/account/tokens", 422, wrong)["error"]["fields"]
    assert sorted(refused) == ["days", "name", "scope"]
    call(editor, "DELETE", f"/account/tokens/{made['id']}", 404)
    call(owner, "DELETE", f"/account/tokens/{made['id']}", 204)
    assert call(owner, "GET", "/account/tokens", 200) == {"tokens": []}
    assert owner.client.get(f"/api/v1{SHOW}", headers=bearer).status_code == 401
    stranger = another(owner, "stranger")
    for slug in ("tide-tables", "nowhere", "\u00bf", "\0"):
        given = {"name": "x", "show": slug}
        refused = call(stranger, "POST", "/account/tokens", 422, given)["error"]["fields"]
        assert list(refused) == ["show"]


def test_a_token_makes_none_that_is_good_for_longer(owner: StudioClient) -> None:
    made = call(owner, "POST", "/account/tokens", 201, {"name": "a", "days": 30})
    bearer = {"Authorization": f"Bearer {made['token']}"}
    for days in (None, 90, 30):
        given = {"name": "b", "days": days}
        answer = owner.client.request("POST", "/api/v1/account/tokens", json=given, headers=bearer)
        assert answer.status_code == 201
        assert answer.json()["expires_at"] == made["expires_at"]


def test_browsers_are_signed_out_one_by_one_or_all(owner: StudioClient) -> None:
    from podhost.accounts.sessions import start_session

    instance = owner.instance
    with instance.database.write() as session:
        account = find_account(session, "owner@pod.example")
        assert account is not None
        for device in ("Firefox", "Chromium"):
            now = instance.now()
            start_session(session, account, address="192.0.2.1", device=device, now=now)
    found = call(owner, "GET", "/account/sessions", 200)["sessions"]
    assert {row["device"]: row["is_this"] for row in found} == {
        "tests": True,
        "Firefox": False,
        "Chromium": False,
    }
    other = next(row["id"] for row in found if row["device"] == "Firefox")
    editor = another(owner, "editor")
    call(editor, "DELETE", f"/account/sessions/{other}", 404)
    call(owner, "DELETE", f"/account/sessions/{other}", 204)
    call(owner, "DELETE", "/account/sessions", 204)
    (left,) = call(owner, "GET", "/account/sessions", 200)["sessions"]
    assert left["is_this"]
    with instance.database.read() as session:
        assert len(session.scalars(select(LoginSession)).all()) == 2
