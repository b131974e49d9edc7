"""The pages of accounts and teams: forgotten passwords, invitations, one's account, the team."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from podhost.accounts.accounts import check_password, check_token, find_account
from podhost.accounts.email_change import request_email_change
from podhost.accounts.login_limits import BY_ACCOUNT, require_login_attempt
from podhost.accounts.password_reset import request_reset
from podhost.instance import Instance
from podhost.models import Account, Mail
from podhost.worker import run_next_mail
from tests.mail_server import LocalMail, local_mail
from tests.making import make_show
from tests.studio_client import StudioClient, text_of

SHOW = "/shows/tide-tables"
PASSWORD = "long enough"

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


def another(owner: StudioClient, role: str) -> StudioClient:
    return StudioClient.visit_as(owner.instance, role, "tide-tables", client=owner.client)


def visitor(owner: StudioClient) -> StudioClient:
    return StudioClient(owner.instance, owner.client)


def send_all(instance: Instance) -> None:
    while run_next_mail(instance, owner="alice"):
        pass


def path_in(mail: LocalMail) -> str:
    return mail.links[-1].removeprefix("https://pod.example")


def is_good(instance: Instance, email: str, password: str) -> bool:
    with instance.database.read() as session:
        return check_password(session, email, password) is not None


# A forgotten password


def test_a_forgotten_password_is_set_anew_by_mail(owner: StudioClient, mail: LocalMail) -> None:
    guest = visitor(owner)
    assert "/studio/forgotten" in guest.get("/login").text
    guest.get("/forgotten")
    sent = guest.post("/forgotten", {"email": "owner@pod.example"})
    assert "is on its way" in text_of(sent) and "sends no mail" not in text_of(sent)
    send_all(owner.instance)
    path = path_in(mail)
    assert guest.get(path).status_code == 200
    wrong = guest.post(path, {"password": "password123"})
    assert wrong.status_code == 422 and "first that are guessed" in text_of(wrong)
    assert guest.get(path).status_code == 200
    done = guest.follow(guest.post(path, {"password": "harbour lights"}))
    assert "Your password is set" in text_of(done)
    assert is_good(owner.instance, "owner@pod.example", "harbour lights")
    assert "used already" in text_of(guest.get(path))
    assert owner.get("/account").status_code == 303


TICKED = r'name="revoke_tokens" type="checkbox" value="true" checked'


def test_tokens_go_with_the_password_where_that_is_ticked(
    owner: StudioClient, mail: LocalMail
) -> None:
    def token() -> dict[str, str]:
        made = owner.call("POST", "/account/tokens", json={"name": "Backup"}).json()
        return {"Authorization": f"Bearer {made['token']}"}

    def status(headers: dict[str, str]) -> int:
        answer: int = owner.client.get("/api/v1/account", headers=headers).status_code
        return answer

    bearer, guest = token(), visitor(owner)
    assert 'name="revoke_tokens"' in owner.get("/account").text
    assert not re.search(TICKED, owner.get("/account").text)
    form = {"old_password": PASSWORD, "password": "harbour lights"}
    wrong = owner.post("/account/password", {**form, "password": "x", "revoke_tokens": "true"})
    assert wrong.status_code == 422 and re.search(TICKED, wrong.text)
    owner.post("/account/password", form)
    assert status(bearer) == 200
    form["old_password"] = "harbour lights"
    owner.post("/account/password", {**form, "revoke_tokens": "true"})
    assert status(bearer) == 401
    bearer = token()
    for data in ({}, {"revoke_tokens": "true"}):
        guest.get("/forgotten")
        guest.post("/forgotten", {"email": "owner@pod.example"})
        send_all(owner.instance)
        path = path_in(mail)
        assert re.search(TICKED, guest.get(path).text)
        wrong = guest.post(path, {"password": "x", **data})
        assert bool(re.search(TICKED, wrong.text)) is bool(data)
        assert guest.post(path, {"password": "tide tables", **data}).status_code == 303
        assert status(bearer) == (401 if data else 200)


def test_the_answer_is_the_same_for_whoever_asks(owner: StudioClient, mail: LocalMail) -> None:
    guest = visitor(owner)
    guest.get("/forgotten")
    answers = [
        text_of(guest.post("/forgotten", {"email": f"{name}@pod.example"})).replace(name, "x")
        for name in ("owner", "nobody")
    ]
    assert answers[0] == answers[1]
    send_all(owner.instance)
    assert len(mail.messages) == 1
    assert guest.post("/forgotten", {"email": "x"}).status_code == 422
    for _ in range(4):
        last = guest.post("/forgotten", {"email": "nobody@pod.example"})
    assert last.status_code == 429 and int(last.headers["retry-after"]) > 0


def test_without_a_mail_server_it_says_where_the_link_is(owner: StudioClient) -> None:
    guest = visitor(owner)
    guest.get("/forgotten")
    assert "sends no mail" in text_of(guest.post("/forgotten", {"email": "owner@pod.example"}))


def test_a_mailed_address_becomes_the_accounts(owner: StudioClient, mail: LocalMail) -> None:
    form = {"email": "ann@example.net", "email_password": "wrong"}
    wrong = owner.post("/account/email", form)
    assert wrong.status_code == 422 and 'value="ann@example.net"' in wrong.text
    assert "This is not your password" in text_of(wrong)
    sent = owner.follow(owner.post("/account/email", {**form, "email_password": PASSWORD}))
    assert "ann@example.net" in text_of(sent)
    send_all(owner.instance)
    path = path_in(mail)
    guest = visitor(owner)
    assert "ann@example.net" in text_of(guest.get(path))
    with owner.instance.database.read() as session:
        assert find_account(session, "ann@example.net") is None
    assert guest.post(path).headers["location"] == "/studio/login"
    assert is_good(owner.instance, "ann@example.net", PASSWORD)


# Invitations


def invite(owner: StudioClient, email: str = "dora@example.org", role: str = "editor") -> str:
    """The path of the link, which stands on the page where there is no mail."""
    answer = owner.post(f"{SHOW}/team/invitations", {"email": email, "role": role})
    found = re.search(r'value="https://pod.example(/studio/invitations/[^"]+)"', answer.text)
    assert found is not None, text_of(answer)
    return found[1]


def test_who_is_invited_makes_an_account_and_is_in(owner: StudioClient) -> None:
    path = invite(owner)
    assert "dora@example.org" in text_of(owner.get(f"{SHOW}/team"))
    assert path not in owner.get(f"{SHOW}/team").text
    dora = visitor(owner)
    opened = dora.get(path)
    assert "Owner invites you to work on the podcast “Tide Tables”" in text_of(opened)
    wrong = dora.post(path, {"name": "Dora", "password": "short"})
    assert wrong.status_code == 422 and 'value="Dora"' in wrong.text
    home = dora.follow(dora.post(path, {"name": "Dora", "password": "harbour lights"}))
    assert home.headers.get("location") is None
    assert "Dora" in text_of(owner.get(f"{SHOW}/team"))
    assert dora.get(f"{SHOW}/team").status_code == 200
    assert "accepted already" in text_of(visitor(owner).get(path))


def test_who_has_an_account_signs_in_and_comes_back(owner: StudioClient) -> None:
    stranger = another(owner, "stranger")
    path = invite(owner, "stranger@pod.example", "analyst")
    guest = visitor(owner)
    assert f"/studio/login?next={path}" in guest.get(path).text
    guest.get(f"/login?next={path}")
    form = {"email": "stranger@pod.example", "password": PASSWORD, "next": path}
    opened = guest.follow(guest.post("/login", form))
    assert "Accept as Stranger" in text_of(opened)
    assert "Welcome to the team" in text_of(guest.follow(guest.post(f"{path}/accept")))
    assert stranger.get(f"{SHOW}/team").status_code == 200
    # Whoever else is signed in is told whose it is.
    other = another(owner, "editor")
    assert "you are signed in as" in text_of(other.get(invite(owner, "x@example.org")))


def test_an_invitation_by_mail_shows_no_link(owner: StudioClient, mail: LocalMail) -> None:
    answer = owner.post(f"{SHOW}/team/invitations", {"email": "d@example.org", "role": "owner"})
    page = owner.follow(answer)
    assert "on its way to d@example.org" in text_of(page)
    assert "/studio/invitations/" not in page.text
    mail.answers = ["550 No such user"]
    send_all(owner.instance)
    assert "550 No such user" in text_of(owner.get(f"{SHOW}/team"))
    (row_id,) = re.findall(r'action="[^"]*/team/invitations/(\w+)"', page.text)
    taken = owner.follow(owner.post(f"{SHOW}/team/invitations/{row_id}"))
    assert "taken back" in text_of(taken)
    assert "d@example.org" not in text_of(owner.get(f"{SHOW}/team"))


def test_what_is_wrong_with_an_invitation_stands_beside_its_field(owner: StudioClient) -> None:
    answer = owner.post(f"{SHOW}/team/invitations", {"email": "dora", "role": "analyst"})
    assert answer.status_code == 422
    assert 'value="dora"' in answer.text and "f-email-error" in answer.text
    assert '<option value="analyst" selected>' in answer.text


# The team


def test_roles_are_changed_and_members_removed(owner: StudioClient) -> None:
    editor = another(owner, "editor")
    member = f"{SHOW}/team/members/{editor.account_id}"
    said = owner.follow(owner.post(member, {"role": "analyst"}))
    assert "Editor has a new role: Analyst" in text_of(said)
    assert "Remove Editor?" in text_of(owner.get(f"{member}/remove"))
    assert "no longer in the team" in text_of(owner.follow(owner.post(f"{member}/remove")))
    assert editor.get(f"{SHOW}/team").status_code == 404


def test_a_member_leaves_and_the_last_owner_does_not(owner: StudioClient) -> None:
    editor = another(owner, "editor")
    page = editor.get(f"{SHOW}/team")
    assert "Invite somebody" not in text_of(page) and "owner@pod.example" not in page.text
    assert "Leave the team?" in text_of(editor.get(f"{SHOW}/team/leave"))
    assert "You left the team" in text_of(editor.follow(editor.post(f"{SHOW}/team/leave")))
    refused = owner.post(f"{SHOW}/team/leave")
    assert refused.status_code == 422 and "last owner" in text_of(refused)


def test_operators_look_after_accounts(owner: StudioClient) -> None:
    operator = another(owner, "operator")
    path = f"/accounts/{owner.account_id}"
    page = text_of(operator.get("/accounts"))
    assert "2 accounts" in page and "tide-tables" in page
    for action, sentence in (
        ("close", "is closed"),
        ("open", "is open again"),
        ("promote", "is an operator now"),
        ("demote", "is no longer an operator"),
    ):
        said = operator.follow(operator.post(path, {"action": action}))
        assert sentence in text_of(said), action
    own = operator.post(f"/accounts/{operator.account_id}", {"action": "demote"})
    assert own.status_code == 422 and "last operator" in text_of(own)
    assert "Delete the account of Owner?" in text_of(operator.get(f"{path}/delete"))
    assert "is deleted" in text_of(operator.follow(operator.post(f"{path}/delete")))
    invited = operator.post("/accounts/invitations", {"email": "z@e.example", "role": "operator"})
    assert "/studio/invitations/" in invited.text


# One's own account


def test_a_profile_is_saved_and_speaks_at_once(owner: StudioClient) -> None:
    form = {"name": "Ann", "language": "es", "time_zone": "Europe/Madrid"}
    page = owner.follow(owner.post("/account/profile", form))
    assert "Guardado." in text_of(page) and "Tu cuenta" in text_of(page)
    wrong = owner.post("/account/profile", {**form, "name": "x" * 300})
    assert wrong.status_code == 422 and "f-name-error" in wrong.text


def test_a_password_is_changed_and_others_are_signed_out(owner: StudioClient) -> None:
    guest = visitor(owner)
    guest.get("/login")
    guest.post("/login", {"email": "owner@pod.example", "password": PASSWORD})
    assert guest.get("/account").status_code == 200
    form = {"old_password": PASSWORD, "password": "harbour lights"}
    wrong = owner.post("/account/password", {**form, "old_password": "x"})
    assert wrong.status_code == 422 and "f-old_password-error" in wrong.text
    assert "harbour lights" not in wrong.text
    assert "is changed" in text_of(owner.follow(owner.post("/account/password", form)))
    assert guest.get("/account").status_code == 303


def test_browsers_are_signed_out(owner: StudioClient) -> None:
    guest = visitor(owner)
    for _ in range(2):
        guest.get("/login")
        device = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        form = {"email": "owner@pod.example", "password": PASSWORD}
        guest.post("/login", form, headers={"User-Agent": device})
        page = owner.get("/account")
        assert "Firefox · Linux" in text_of(page)
        if _ == 0:
            ids = re.findall(r'action="/studio/account/sessions/(\w+)"', page.text)
            others = [i for i in ids if "Sign out: tests" not in page.text.split(i)[1][:300]]
            assert "signed out" in text_of(
                owner.follow(owner.post(f"/account/sessions/{others[0]}"))
            )
        else:
            assert "All other" in text_of(owner.follow(owner.post("/account/sessions")))
        assert guest.get("/account").status_code == 303
        guest.cookies.clear()
    assert owner.get("/account").status_code == 200


def test_a_token_is_shown_once(owner: StudioClient) -> None:
    form = {"token_name": "Backup", "scope": "read", "token_show": "tide-tables", "days": "always"}
    made = owner.post("/account/tokens", form)
    (secret,) = re.findall(r'value="(podhost_[^"]+)"', made.text)
    with owner.instance.database.read() as session:
        actor = check_token(session, secret, now=owner.instance.now())
        assert actor.account_id == owner.account_id and not actor.can_write and actor.show_id
    page = owner.get("/account")
    assert secret not in page.text and "good until revoked" in text_of(page)
    wrong = owner.post("/account/tokens", {**form, "token_name": ""})
    assert wrong.status_code == 422 and "f-token_name-error" in wrong.text
    (token_id,) = re.findall(r'action="/studio/account/tokens/(\w+)"', page.text)
    assert "revoked" in text_of(owner.follow(owner.post(f"/account/tokens/{token_id}")))


def test_an_account_ends(owner: StudioClient) -> None:
    editor = another(owner, "editor")
    wrong = editor.post("/account/end", {"end_password": "x"})
    assert wrong.status_code == 422
    ended = editor.post("/account/end", {"end_password": PASSWORD})
    assert ended.headers["location"] == "/studio/login"
    assert editor.get("/account").status_code == 303
    refused = owner.post("/account/end", {"end_password": PASSWORD})
    assert refused.status_code == 422 and "Tide Tables" in text_of(refused)


def test_wrong_passwords_shut_out_for_a_while(owner: StudioClient) -> None:
    guest, instance = visitor(owner), owner.instance
    guest.get("/login")
    form = {"email": "owner@pod.example", "password": "wrong"}
    assert guest.post("/login", form).status_code == 422
    for _ in range(BY_ACCOUNT.times - 1):
        with instance.database.write() as session:
            # From elsewhere, and without the time that a password takes.
            require_login_attempt(session, form["email"], "192.0.2.9", instance.now())
    shut = guest.post("/login", {**form, "password": PASSWORD})
    assert shut.status_code == 429 and int(shut.headers["retry-after"]) > 0


def test_signing_in_keeps_the_password_as_passwords_are_kept_today(owner: StudioClient) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with owner.instance.database.write() as session:
        session.get_one(Account, owner.account_id).password_hash = weak
    guest = visitor(owner)
    guest.get("/login")
    guest.post("/login", {"email": "owner@pod.example", "password": PASSWORD})
    with owner.instance.database.read() as session:
        assert session.get_one(Account, owner.account_id).password_hash != weak
    assert is_good(owner.instance, "owner@pod.example", PASSWORD)


def test_opening_a_link_uses_nothing_up(owner: StudioClient) -> None:
    instance = owner.instance
    with instance.database.write() as session:
        request_reset(session, "owner@pod.example", language="en", now=instance.now())
        account = session.get_one(Account, owner.account_id)
        now = instance.now()
        request_email_change(session, account, "n@e.example", base_url=instance.base_url, now=now)
        link = next(mail.content["link"] for mail in session.scalars(select(Mail)) if mail.content)
    path = link.removeprefix("https://pod.example")
    invitation = invite(owner)
    for _ in range(2):
        for opened in (path, invitation):
            assert visitor(owner).get(opened).status_code == 200
