"""Second factors: a password alone no longer lets anybody in."""

import re
from datetime import timedelta

import pyotp
import pytest

from podhost.accounts.login_limits import BY_ACCOUNT, require_login_attempt
from podhost.accounts.second_factors import MOST_FAILURES, STEP_MINUTES, relying_party
from podhost.instance import Instance
from podhost.web.auth import cookie_name
from tests.conftest import FrozenClock
from tests.studio_client import StudioClient, text_of

PAGE = "/account/second-factors"
PASSWORD = {"password": "long enough"}


class App:
    """An app that shows codes, by the clock of these tests."""

    def __init__(self, secret: str, clock: FrozenClock) -> None:
        self._totp, self._clock = pyotp.TOTP(secret), clock

    def code(self, **ago: float) -> str:
        return self._totp.at(self._clock() - timedelta(**ago))


@pytest.fixture
def visitor(instance: Instance) -> StudioClient:
    return StudioClient.visit_as(instance, "operator")


def set_up(visitor: StudioClient, clock: FrozenClock) -> tuple[App, list[str]]:
    """An app, and the recovery codes."""
    page = visitor.post(PAGE + "/app", PASSWORD)
    secret = re.search(r'<code class="letters">(\w+)</code>', page.text)
    factor = re.search(r'name="factor" value="(\w+)"', page.text)
    assert secret is not None and factor is not None, page.text
    assert "<svg" in page.text
    app = App(secret[1], clock)
    wrong = visitor.post(PAGE + "/app/confirm", {"factor": factor[1], "code": "000000"})
    assert wrong.status_code == 422
    assert secret[1] in wrong.text
    right = visitor.post(PAGE + "/app/confirm", {"factor": factor[1], "code": app.code()})
    assert right.status_code == 200, right.text
    return app, re.findall(r"<li><code>([a-z0-9-]+)</code></li>", right.text)


def begin(instance: Instance, visitor: StudioClient) -> StudioClient:
    """Somebody who gave the right password."""
    other = StudioClient(instance, visitor.client)
    other.get("/login")
    form = {"email": "operator@pod.example", **PASSWORD, "next": "/studio/shows/new"}
    answer = other.post("/login", form)
    assert answer.headers["location"].startswith("/studio/login/second")
    assert cookie_name(instance.base_url) not in other.cookies
    other.get(answer.headers["location"])
    return other


def give(visitor: StudioClient, code: str) -> int:
    return visitor.post("/login/second", {"code": code, "next": "/studio/shows/new"}).status_code


def test_a_code_of_the_app_signs_in_once(
    instance: Instance, visitor: StudioClient, clock: FrozenClock
) -> None:
    app, _ = set_up(visitor, clock)
    assert "not used yet" not in text_of(visitor.get(PAGE))
    # The code that set it up is used up.
    first = begin(instance, visitor)
    assert give(first, app.code()) == 422
    clock.advance(seconds=30)
    code = app.code()
    assert give(first, code[:3] + " " + code[3:]) == 303
    assert first.get("/shows/new").status_code == 200
    assert give(begin(instance, visitor), code) == 422


def test_codes_of_clocks_that_differ_are_taken(
    instance: Instance, visitor: StudioClient, clock: FrozenClock
) -> None:
    app, _ = set_up(visitor, clock)
    clock.advance(seconds=120)
    assert give(begin(instance, visitor), app.code(seconds=60)) == 422
    assert give(begin(instance, visitor), app.code(seconds=30)) == 303
    assert give(begin(instance, visitor), app.code(seconds=-30)) == 303


def test_a_recovery_code_signs_in_once(
    instance: Instance, visitor: StudioClient, clock: FrozenClock
) -> None:
    _, codes = set_up(visitor, clock)
    assert len(set(codes)) == 10
    assert give(begin(instance, visitor), " " + codes[0].upper().replace("-", " ")) == 303
    assert give(begin(instance, visitor), codes[0]) == 422
    assert "9 recovery codes are left" in text_of(visitor.get(PAGE))
    visitor.post(PAGE + "/codes", PASSWORD)
    assert give(begin(instance, visitor), codes[1]) == 422


def test_after_some_wrong_codes_the_password_is_asked_for_again(
    instance: Instance, visitor: StudioClient, clock: FrozenClock
) -> None:
    app, _ = set_up(visitor, clock)
    clock.advance(seconds=30)
    other = begin(instance, visitor)
    assert [give(other, "123456") for _ in range(MOST_FAILURES)] == [422] * MOST_FAILURES
    assert give(other, app.code()) == 429


def test_giving_the_password_again_brings_no_more_codes_to_try(
    instance: Instance, visitor: StudioClient, clock: FrozenClock
) -> None:
    _, codes = set_up(visitor, clock)
    tried = [give(begin(instance, visitor), "123456") for _ in range(4)]
    other = begin(instance, visitor)
    tried += [give(other, "123456") for _ in range(4)]
    last = begin(instance, visitor)
    tried += [give(last, "123456") for _ in range(2)]
    assert tried == [422] * 10
    assert give(last, "123456") == 429
    # After a while there is one more, and with the right one all is well again.
    clock.advance(minutes=6)
    assert give(last, codes[0]) == 303
    again = begin(instance, visitor)
    assert [give(again, "123456") for _ in range(MOST_FAILURES)] == [422] * MOST_FAILURES


def test_the_password_alone_is_tried_as_seldom_as_a_wrong_one(
    instance: Instance, visitor: StudioClient, clock: FrozenClock
) -> None:
    set_up(visitor, clock)
    with instance.database.write() as session:
        for _ in range(BY_ACCOUNT.times - 1):
            require_login_attempt(session, "operator@pod.example", "192.0.2.7", clock())
    begin(instance, visitor)
    other = StudioClient(instance, visitor.client)
    other.get("/login")
    form = {"email": "operator@pod.example", **PASSWORD}
    assert other.post("/login", form).status_code == 429


def test_the_step_ends_by_itself(
    instance: Instance, visitor: StudioClient, clock: FrozenClock
) -> None:
    app, _ = set_up(visitor, clock)
    other = begin(instance, visitor)
    clock.advance(minutes=STEP_MINUTES)
    late = other.post("/login/second", {"code": app.code()})
    assert late.headers["location"] == "/studio/login"
    assert cookie_name(instance.base_url) not in other.cookies


def test_setting_one_up_signs_out_everywhere_else(
    instance: Instance, visitor: StudioClient, clock: FrozenClock
) -> None:
    elsewhere = StudioClient(instance, visitor.client)
    elsewhere.get("/login")
    elsewhere.post("/login", {"email": "operator@pod.example", **PASSWORD})
    assert elsewhere.get("/shows/new").status_code == 200
    set_up(visitor, clock)
    assert elsewhere.get("/shows/new").status_code == 303
    assert visitor.get("/shows/new").status_code == 200


def test_it_asks_for_the_password_before_anything_changes(visitor: StudioClient) -> None:
    for path in ("/app", "/codes", "/0123456789abcdef/remove"):
        for form in ({}, {"password": "wrong one"}):
            answer = visitor.post(PAGE + path, form)
            assert answer.status_code == 422, path
            assert "This is not your password." in answer.text


def test_it_can_be_taken_away_by_its_owner_only(
    instance: Instance, visitor: StudioClient, clock: FrozenClock
) -> None:
    set_up(visitor, clock)
    factor = re.search(r"second-factors/(\w{16})/remove", visitor.get(PAGE).text)
    assert factor is not None
    stranger = StudioClient.visit_as(instance, "stranger", client=visitor.client)
    path = f"{PAGE}/{factor[1]}/remove"
    assert stranger.post(path, PASSWORD).status_code == 404
    assert visitor.post(path, PASSWORD).status_code == 303
    other = StudioClient(instance, visitor.client)
    other.get("/login")
    signed_in = other.post("/login", {"email": "operator@pod.example", **PASSWORD})
    assert signed_in.headers["location"] == "/studio/"


def test_hostile_passkeys_are_refused(
    instance: Instance, visitor: StudioClient, clock: FrozenClock
) -> None:
    set_up(visitor, clock)
    visitor.post(PAGE + "/passkey", PASSWORD)
    other = begin(instance, visitor)
    for credential in ("x", "{}", "[]", "null", '{"id": 1}', '{"id": "AA", "rawId": "AA"}', "\x00"):
        form = {"credential": credential}
        assert visitor.post(PAGE + "/passkey/confirm", form).status_code == 422, credential
        assert other.post("/login/second", form).status_code in (422, 429), credential


@pytest.mark.parametrize(
    ("base_url", "party"),
    [
        ("https://pod.example", ("pod.example", "https://pod.example")),
        ("https://pod.example:8443/x", ("pod.example", "https://pod.example:8443")),
        ("http://localhost:8000", ("localhost", "http://localhost:8000")),
        ("http://127.0.0.1:8000", None),
        ("https://192.0.2.1", None),
        ("http://pod.example", None),
    ],
)
def test_passkeys_are_for_addresses_that_browsers_allow(
    base_url: str, party: tuple[str, str] | None
) -> None:
    assert relying_party(base_url) == party


def test_a_lost_key_of_the_instance_is_said(
    instance: Instance, visitor: StudioClient, clock: FrozenClock
) -> None:
    from podhost.models import Fact

    app, codes = set_up(visitor, clock)
    with instance.database.write() as session:
        session.get_one(Fact, "secret_key").value = "another one"
    clock.advance(seconds=30)
    other = begin(instance, visitor)
    refused = other.post("/login/second", {"code": app.code()})
    assert refused.status_code == 403
    assert "recovery code" in refused.text
    assert codes
