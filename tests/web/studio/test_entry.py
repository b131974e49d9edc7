"""The studio's door: the first account, signing in and out, and what is inside."""

import re

import pytest
from sqlalchemy import select

from podhost.accounts.entry_links import make_entry_link
from podhost.accounts.sessions import SESSION_DAYS
from podhost.instance import Instance
from podhost.models import Account, LoginSession, Show
from podhost.web.auth import cookie_name
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient, text_of


@pytest.fixture
def visitor(instance: Instance) -> StudioClient:
    return StudioClient(instance)


def link(instance: Instance) -> str:
    with instance.database.write() as session:
        return make_entry_link(session, instance.base_url).removeprefix(instance.base_url)


def test_it_leads_from_the_link_to_a_show(instance: Instance, visitor: StudioClient) -> None:
    assert "printed a link" in text_of(visitor.get("/"))
    way = link(instance)
    assert visitor.get(way).status_code == 200
    made = visitor.post(
        way, {"name": "Ann", "email": "ann@example.org", "password": "a good password"}
    )
    home = visitor.follow(made)
    assert home.headers["location"] == "/studio/shows/new"
    assert visitor.follow(home).status_code == 200
    show = visitor.request(
        "POST",
        "/shows/new",
        files={
            "csrf": (None, visitor.csrf),
            "title": (None, "Tide & Tables"),
            "language": (None, "en"),
            "categories[0]": (None, "Society & Culture > Places & Travel"),
            "time_zone": (None, "Europe/London"),
            "artwork": ("", b"", "application/octet-stream"),
        },
    )
    assert show.headers["location"] == "/studio/shows/tide-and-tables/upload", show.text
    with instance.database.read() as session:
        made_show = session.scalars(select(Show)).one()
    assert made_show.categories == [["Society & Culture", "Places & Travel"]]
    assert made_show.time_zone == "Europe/London"
    assert "Tide &amp; Tables" in visitor.get("/").text


def test_a_link_works_once(instance: Instance, visitor: StudioClient) -> None:
    way = link(instance)
    form = {"email": "ann@example.org", "password": "a good password"}
    visitor.get(way)
    assert visitor.post(way, form).status_code == 303
    other = StudioClient(instance)
    other.get("/login")
    assert other.get(way).status_code == 403
    assert other.post(way, form | {"email": "eve@example.org"}).status_code == 403
    with instance.database.read() as session:
        assert [account.email for account in session.scalars(select(Account))] == [
            "ann@example.org"
        ]


def test_a_link_is_dead_once_there_is_an_account(instance: Instance, visitor: StudioClient) -> None:
    way = link(instance)
    StudioClient.visit_as(instance, "operator")
    assert visitor.get(way).status_code == 403


def test_a_wrong_first_account_is_said_beside_its_field(
    instance: Instance, visitor: StudioClient
) -> None:
    way = link(instance)
    visitor.get(way)
    answer = visitor.post(way, {"email": "ann@", "name": "<b>Ann</b>", "password": "short"})
    assert answer.status_code == 422
    assert 'id="f-email-error"' in answer.text
    assert 'id="f-password-error"' in answer.text
    # What was typed is kept, and runs nothing.
    assert 'value="&lt;b&gt;Ann&lt;/b&gt;"' in answer.text
    assert (
        visitor.post(way, {"email": "ann@example.org", "password": "a good password"}).status_code
        == 303
    )


def test_it_signs_in_and_out(instance: Instance, visitor: StudioClient) -> None:
    StudioClient.visit_as(instance, "operator")
    sent = visitor.get("/shows/new?x=1")
    assert sent.headers["location"] == "/studio/login?next=%2Fstudio%2Fshows%2Fnew%3Fx%3D1"
    visitor.follow(sent)
    form = {"email": "OPERATOR@pod.example", "password": "long enough"}
    entered = visitor.post("/login", {**form, "next": "/studio/shows/new?x=1"})
    assert entered.headers["location"] == "/studio/shows/new?x=1"
    with instance.database.read() as session:
        assert len(session.scalars(select(LoginSession)).all()) == 2
    left = visitor.post("/logout")
    assert "You are signed out." in visitor.follow(left).text
    assert visitor.get("/").headers["location"] == "/studio/login"
    with instance.database.read() as session:
        assert len(session.scalars(select(LoginSession)).all()) == 1


def test_the_cookie_is_kept_from_scripts_and_other_sites(
    instance: Instance, visitor: StudioClient
) -> None:
    StudioClient.visit_as(instance, "operator")
    visitor.get("/login")
    answer = visitor.post("/login", {"email": "operator@pod.example", "password": "long enough"})
    (cookie,) = [line for line in answer.headers.get_list("set-cookie") if "session" in line]
    assert cookie.startswith("__Host-podhost_session=")
    for word in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example", "/studio/..//evil", "/\\evil", "/studio/\r\nX: y"],
)
def test_it_leads_to_no_other_place(instance: Instance, visitor: StudioClient, wanted: str) -> None:
    StudioClient.visit_as(instance, "operator")
    visitor.get("/login")
    form = {"email": "operator@pod.example", "password": "long enough", "next": wanted}
    assert re.match(r"/studio/(?!/)", visitor.post("/login", form).headers["location"])


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(
    instance: Instance, visitor: StudioClient
) -> None:
    StudioClient.visit_as(instance, "operator")
    visitor.get("/login")
    wrong = visitor.post("/login", {"email": "operator@pod.example", "password": "wrong one"})
    unknown = visitor.post("/login", {"email": "nobody@pod.example", "password": "wrong one"})
    assert wrong.status_code == unknown.status_code == 422
    swapped = unknown.text.replace("nobody@pod.example", "operator@pod.example")
    assert wrong.text == swapped
    assert 'value="operator@pod.example"' in wrong.text


def test_a_closed_account_cannot_sign_in_and_its_sign_ins_end(instance: Instance) -> None:
    visitor = StudioClient.visit_as(instance, "operator")
    assert visitor.get("/").status_code in (200, 303)
    with instance.database.write() as session:
        account = session.get(Account, visitor.account_id)
        assert account is not None
        account.disabled_at = instance.now()
    assert visitor.get("/").headers["location"] == "/studio/login"
    visitor.get("/login")
    form = {"email": "operator@pod.example", "password": "long enough"}
    assert visitor.post("/login", form).status_code == 422


def test_a_sign_in_ends_by_itself(instance: Instance, clock: FrozenClock) -> None:
    visitor = StudioClient.visit_as(instance, "stranger")
    clock.advance(days=SESSION_DAYS, seconds=-1)
    assert visitor.get("/").status_code == 200
    clock.advance(seconds=1)
    assert visitor.get("/").headers["location"] == "/studio/login"


def test_a_form_from_elsewhere_is_refused(instance: Instance) -> None:
    visitor = StudioClient.visit_as(instance, "operator")
    for form, headers in (
        ({}, {}),
        ({"csrf": "x" * 64}, {}),
        ({"csrf": "\x00é"}, {}),
        ({"csrf": visitor.csrf}, {"Sec-Fetch-Site": "cross-site"}),
        ({"csrf": visitor.csrf}, {"Sec-Fetch-Site": "same-site"}),
    ):
        answer = visitor.request("POST", "/logout", data=form, headers=headers)
        assert answer.status_code == 403, form
    assert visitor.get("/").status_code == 303
    assert visitor.post("/logout").status_code == 303


def test_the_api_takes_a_sign_in_with_the_proof_only(instance: Instance) -> None:
    visitor = StudioClient.visit_as(instance, "operator")
    assert visitor.request("GET", "/api/v1/shows").status_code == 200
    given = {"title": "Tides"}
    assert visitor.request("POST", "/api/v1/shows", json=given).status_code == 403
    assert visitor.call("POST", "/shows", json=given).status_code == 201


def test_every_page_forbids_what_it_does_not_need(visitor: StudioClient) -> None:
    policy = visitor.get("/login").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_cookies_of_any_kind_break_nothing(instance: Instance, visitor: StudioClient) -> None:
    for value in ("x", "x" * 5000, "%00", "eyJ9", "W10=", "bnVsbA=="):
        visitor.cookies = {
            cookie_name(instance.base_url): value,
            "__Host-podhost_said": value,
            "__Host-podhost_visit": value,
        }
        assert visitor.get("/login").status_code == 200, value


def test_hostile_addresses_are_refused_with_a_page(visitor: StudioClient) -> None:
    for path in ("/nothing", "/shows/%00/x", "/welcome/%ff", "/welcome/" + "x" * 900, "//"):
        answer = visitor.get("/studio" + path)
        assert answer.status_code in (303, 403, 404), path
        assert "Traceback" not in answer.text


def test_it_speaks_spanish_to_who_asks(visitor: StudioClient) -> None:
    answer = visitor.get("/login", headers={"Accept-Language": "fr;q=0.9, es-MX, en;q=0.5"})
    assert '<html lang="es"' in answer.text
    assert "Contraseña" in answer.text


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_the_shows_are_counted_as_their_lists_count(instance: Instance) -> None:
    show = make_show(instance)
    make_episode(instance, show, None, "Unheard", publish=False)
    withdrawn = make_episode(instance, show, None, "Taken back", publish=False)
    with instance.database.write() as session:
        session.merge(withdrawn).status = "withdrawn"
    owner = StudioClient.visit_as(instance, "owner", show.slug)
    assert "1 draft" in text_of(owner.get("/"))
