"""The newsletter's pages: somebody signs up, confirms, and gets out, without a cookie."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from podhost.app import _SECRET_PATH, create_app
from podhost.instance import Instance
from podhost.models import LoginLimit, Mail, Show, Subscriber
from podhost.newsletter.links import UNSUBSCRIBE, make_signer
from podhost.shows import ShowInput, change_show, get_show
from podhost.site.settings import SiteInput, change_site
from tests.asgi_client import Client
from tests.making import make_show
from tests.newsletter.making import join, open_newsletter, readers

PAGE = "/tide-tables/newsletter"
ANN = "ann@example.org"
HTML = {"Accept": "text/html"}
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
on_sqlite = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def show(instance: Instance) -> Show:
    made = make_show(instance)
    open_newsletter(instance, made)
    return made


@pytest.fixture
def client(instance: Instance) -> Iterator[Client]:
    yield Client(create_app(instance))


def ask(client: Client, address: str = ANN, **more: str):  # type: ignore[no-untyped-def]
    form = {"address": address, "wants": "weekly", "website": "", **more}
    return client.request("POST", PAGE, data=form, headers=HTML)


def mailed(instance: Instance) -> list[dict[str, str]]:
    with instance.database.read() as session:
        rows = session.scalars(select(Mail).order_by(Mail.created_at, Mail.id))
        return [{**(row.content or {}), "to": row.recipient} for row in rows]


def way_out(instance: Instance, show: Show) -> str:
    with instance.database.write() as session:
        signer = make_signer(session, instance.settings)
    return f"{PAGE}/unsubscribe/{signer.secret(UNSUBSCRIBE, readers(instance, show)[ANN].id)}"


def test_somebody_signs_up_confirms_and_leaves(
    instance: Instance, show: Show, client: Client
) -> None:
    form = client.get(PAGE, headers=HTML)
    assert form.status_code == 200 and 'type="email"' in form.text
    assert "Look into your mail" in ask(client).text
    (mail,) = mailed(instance)
    link = mail["link"].removeprefix("https://pod.example")
    assert link.startswith(f"{PAGE}/confirm/")
    opened = client.get(link, headers=HTML)
    assert opened.headers["cache-control"] == "no-store"
    assert opened.headers["referrer-policy"] == "no-referrer"
    assert opened.headers["x-robots-tag"] == "noindex" and ANN in opened.text
    # A program that looks for harmful mail has opened the link.
    assert readers(instance, show)[ANN].status == "waiting"
    assert "You are signed up" in client.request("POST", link, headers=HTML).text
    assert readers(instance, show)[ANN].status == "confirmed"
    # Whoever opens the mail again is told so, and is not asked once more.
    again = client.get(link, headers=HTML).text
    assert "You are signed up" in again and "<form method" not in again
    assert "Look into your mail" in ask(client, wants="episodes").text
    assert "Yes, I want it" in client.get(link, headers=HTML).text
    out = way_out(instance, show)
    assert "Get no more mail?" in client.get(out, headers=HTML).text
    assert readers(instance, show)[ANN].status == "confirmed"
    for _ in range(2):
        assert client.request("POST", out, data=ONE_CLICK).status_code == 200
    assert [row.status for row in readers(instance, show).values()] == ["gone"]
    for answer in (form, opened):
        assert "set-cookie" not in answer.headers


def test_the_answer_is_the_same_whether_the_address_is_known(
    instance: Instance, show: Show, client: Client
) -> None:
    join(instance, show, ANN)
    answers = [ask(client, address) for address in (ANN, "bob@example.org")]
    first, second = (re.sub("ann|bob", "x", answer.text) for answer in answers)
    assert first == second
    assert {answer.status_code for answer in answers} == {200}
    assert {mail["to"] for mail in mailed(instance)} == {ANN, "bob@example.org"}
    assert readers(instance, show)[ANN].wants == "episodes"


@on_sqlite
def test_programs_that_fill_in_all_fields_get_nowhere(
    instance: Instance, show: Show, client: Client
) -> None:
    answer = ask(client, website="https://spam.example")
    assert answer.text == ask(client).text and len(mailed(instance)) == 1


@on_sqlite
def test_a_flood_is_held_back(instance: Instance, show: Show, client: Client) -> None:
    told = [ask(client) for _ in range(5)]
    assert {answer.text for answer in told} == {told[0].text}
    assert len(mailed(instance)) == 3
    for number in range(15):
        ask(client, f"r{number}@example.org")
    held = ask(client, "one-more@example.org")
    assert held.status_code == 429 and int(held.headers["retry-after"]) > 0
    assert 'value="one-more@example.org"' in held.text and "too often" in held.text


@on_sqlite
@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@example.org\r\nBcc: x@example.org",
        "<script>alert(1)</script>",
        "\x00",
        "é@é",
        "[a]@example.org",
        "ann(comment)@example.org",
    ],
)
def test_what_is_no_address_is_said_beside_it(
    instance: Instance, show: Show, client: Client, address: str
) -> None:
    answer = ask(client, address)
    assert answer.status_code == 422 and "Give your e-mail address" in answer.text
    assert "<script>alert" not in answer.text and mailed(instance) == []
    with instance.database.read() as session:
        assert session.scalar(select(func.count()).select_from(LoginLimit)) == 0


@on_sqlite
def test_links_that_podhost_did_not_make_lead_nowhere(
    instance: Instance, show: Show, client: Client
) -> None:
    join(instance, show, ANN)
    out = way_out(instance, show)
    bad = [
        f"{PAGE}/confirm/x",
        f"{PAGE}/unsubscribe/x",
        out[:-1],
        out.replace("unsubscribe", "confirm"),
        f"{PAGE}/unsubscribe/{'%00' * 56}",
        f"{PAGE}/unsubscribe/{'0' * 5000}",
        f"/other{out.removeprefix('/tide-tables')}",
    ]
    for path in bad:
        assert client.get(path, headers=HTML).status_code == 404, path
        assert client.request("POST", path, data=ONE_CLICK).status_code == 404, path
    assert client.request("PUT", out).status_code == 405
    assert readers(instance, show)[ANN].status == "confirmed"


def test_a_show_without_a_newsletter_has_no_such_page(instance: Instance, client: Client) -> None:
    show = make_show(instance)
    assert client.get(PAGE, headers=HTML).status_code == 404
    assert ask(client).status_code == 404
    assert "newsletter" not in client.get("/tide-tables/", headers=HTML).text
    open_newsletter(instance, show)
    with instance.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 0


@on_sqlite
def test_old_mails_lead_out_when_the_show_is_called_otherwise(
    instance: Instance, show: Show, client: Client
) -> None:
    join(instance, show, ANN)
    out = way_out(instance, show)
    with instance.database.write() as session:
        shown = get_show(session, show.slug, lock=True)
        change_show(session, shown, ShowInput(slug="ebbs"), now=instance.now())
    # What RFC 8058 asks of the answer: no other address.
    assert client.request("POST", out, data=ONE_CLICK).status_code == 200
    assert [row.status for row in readers(instance, show).values()] == ["gone"]


@on_sqlite
def test_it_stands_on_the_shows_own_domain_too_and_speaks_its_language(
    instance: Instance,
) -> None:
    show = make_show(instance, "Mareas", language="es")
    open_newsletter(instance, show, sends_episodes=False)
    with instance.database.write() as session:
        shown = get_show(session, show.slug, lock=True)
        change_site(session, shown, SiteInput(domain="mareas.example.org"), now=instance.now())
    headers = {**HTML, "Host": "mareas.example.org"}
    with Client(create_app(instance)) as client:
        page = client.get("/newsletter", headers=headers)
        assert "Tu dirección de correo" in page.text and 'value="weekly"' in page.text
        assert 'action="/newsletter"' in page.text
        assert ">Boletín</h2>" in client.get("/", headers=headers).text
        wrong = client.request("POST", "/newsletter", data={"address": "x"}, headers=headers)
        assert "Escribe tu dirección" in wrong.text


@pytest.mark.parametrize("prefix", ["/tide-tables", ""])
def test_no_secret_stands_in_the_log(prefix: str) -> None:
    for step in ("confirm", "unsubscribe"):
        shown = _SECRET_PATH.sub(r"\1...", f"{prefix}/newsletter/{step}/secret")
        assert shown == f"{prefix}/newsletter/{step}/..."
