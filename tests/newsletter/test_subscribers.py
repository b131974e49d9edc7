"""Who reads a newsletter: nobody who did not confirm, and nobody who left."""

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from podhost.accounts.login_limits import require_sign_up
from podhost.config import read_settings
from podhost.db import new_id
from podhost.errors import Gone, Invalid, NotFound, TooManyRequests
from podhost.instance import Instance, open_instance
from podhost.mail.letters import render_letter
from podhost.models import Mail, NewsletterIssue, Show, Subscriber
from podhost.newsletter.addresses import write_csv
from podhost.newsletter.links import UNSUBSCRIBE, make_signer, reading_signer
from podhost.newsletter.numbers import Readers, count_readers, growth
from podhost.newsletter.problems import newsletter_problems
from podhost.newsletter.sending import prune
from podhost.newsletter.settings import NewsletterInput, change_newsletter, find_newsletter
from podhost.newsletter.subscribers import (
    confirm,
    forget_subscriber,
    get_to_confirm,
    list_subscribers,
    read_address,
    sign_up,
    unsubscribe,
)
from podhost.shows import get_show
from tests.conftest import FrozenClock
from tests.making import make_show
from tests.newsletter.making import ask, join, open_newsletter, readers

on_sqlite = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
ANN, BO = "ann@example.org", "bo@example.org"


@pytest.fixture
def show(instance: Instance) -> Show:
    made = make_show(instance)
    open_newsletter(instance, made)
    return made


def press(instance: Instance, show: Show, secret: str) -> None:
    with instance.database.write() as session:
        signer = make_signer(session, instance.settings)
        confirm(session, get_show(session, show.slug), secret, signer=signer, now=instance.now())


def leave(instance: Instance, show: Show, secret: str) -> None:
    with instance.database.write() as session:
        signer = make_signer(session, instance.settings)
        shown = get_show(session, show.slug)
        unsubscribe(session, shown, secret, signer=signer, now=instance.now())


def leaving_secret(instance: Instance, show: Show, address: str) -> str:
    with instance.database.write() as session:
        signer = make_signer(session, instance.settings)
    return signer.secret(UNSUBSCRIBE, readers(instance, show)[address].id)


def counts(instance: Instance, show: Show) -> Readers:
    with instance.database.read() as session:
        return count_readers(session, show)


def test_an_address_is_taken_when_it_confirms(instance: Instance, show: Show) -> None:
    secret = ask(instance, show, ANN, "weekly")
    assert readers(instance, show)[ANN].status == "waiting"
    press(instance, show, secret)
    press(instance, show, secret)
    row = readers(instance, show)[ANN]
    assert (row.status, row.wants, row.confirmed_at) == ("confirmed", "weekly", instance.now())


def test_whoever_asks_in_another_name_changes_nothing(instance: Instance, show: Show) -> None:
    join(instance, show, ANN)
    ask(instance, show, ANN.upper(), "weekly")
    row = readers(instance, show)[ANN]
    assert (row.status, row.wants) == ("confirmed", "episodes")
    assert counts(instance, show) == Readers(1, 0, 0, 0)


def test_the_same_is_done_for_an_address_that_is_known(instance: Instance, show: Show) -> None:
    join(instance, show, ANN)
    for address in (ANN, BO):
        ask(instance, show, address)
    assert {name: row.asked_wants for name, row in readers(instance, show).items()} == {
        ANN: "episodes",
        BO: "episodes",
    }


def test_of_who_leaves_nothing_is_kept_but_a_hash(instance: Instance, show: Show) -> None:
    join(instance, show, ANN)
    secret = leaving_secret(instance, show, ANN)
    leave(instance, show, secret)
    leave(instance, show, secret)
    assert [*readers(instance, show)] == [""]
    assert counts(instance, show) == Readers(0, 0, 1, 0)


def test_an_old_link_brings_nobody_back_but_a_new_one_does(instance: Instance, show: Show) -> None:
    first = ask(instance, show, ANN)
    press(instance, show, first)
    leave(instance, show, leaving_secret(instance, show, ANN))
    with pytest.raises(Gone):
        press(instance, show, first)
    press(instance, show, ask(instance, show, ANN))
    assert counts(instance, show) == Readers(1, 0, 0, 0)


def test_a_link_that_podhost_did_not_make_is_none(instance: Instance, show: Show) -> None:
    other = make_show(instance, "Other")
    secret = ask(instance, show, ANN)
    leaving = leaving_secret(instance, show, ANN)
    bad = [leaving, secret[:-1], secret + "0", secret[:16], "", "x" * 56, "\x00" * 56, "é" * 56]
    for given in bad:
        with pytest.raises(NotFound):
            press(instance, show, given)
    for given in (secret, leaving[:-1], "x" * 56, "", "\x00" * 56):
        with pytest.raises(NotFound):
            leave(instance, show, given)
    with pytest.raises(NotFound):
        press(instance, other, secret)
    assert counts(instance, show) == Readers(0, 1, 0, 0)


def test_a_link_is_good_for_thirty_days_and_then_the_address_is_forgotten(
    instance: Instance, show: Show, clock: FrozenClock
) -> None:
    secret = ask(instance, show, ANN)
    join(instance, show, BO)
    leave(instance, show, leaving_secret(instance, show, BO))
    ask(instance, show, BO)
    clock.advance(days=30, seconds=1)
    with pytest.raises(Gone):
        press(instance, show, secret)
    with instance.database.write() as session:
        prune(session, now=instance.now())
    assert [(name, row.status) for name, row in readers(instance, show).items()] == [("", "gone")]


def test_links_in_old_mails_work_after_the_operator_gave_a_key(
    instance: Instance, show: Show, environment: dict[str, str]
) -> None:
    join(instance, show, ANN)
    secret = leaving_secret(instance, show, ANN)
    given = {**environment, "PODHOST_SECRET_KEY": "k" * 40}
    again = open_instance(read_settings(given), clock=instance.clock)
    leave(again, show, secret)
    again.close()
    assert counts(instance, show).gone == 1


def test_looking_at_a_link_writes_nothing(instance: Instance, show: Show) -> None:
    secret = ask(instance, show, ANN)
    with instance.database.read() as session:
        signer = reading_signer(session, instance.settings)
        found = get_to_confirm(session, show, secret, signer=signer, now=instance.now())
        assert found.address == ANN
    assert readers(instance, show)[ANN].status == "waiting"


@on_sqlite
def test_what_is_no_address_is_refused(instance: Instance) -> None:
    for given in (
        "",
        "ann",
        "ann@example",
        "ann@example.org\r\nBcc: bo@example.org",
        "ann@example.org, bo@example.org",
        '"ann"@example.org',
        "Ann <ann@example.org>",
        "änn@example.org",
        "a" * 250 + "@example.org",
        "ann@exa mple.org",
        "..@example.org",
        "\x00@example.org",
    ):
        try:
            read = read_address(given)
        except Invalid as error:
            assert error.fields["address"].startswith("Give your e-mail address")
        else:
            # Signs that no text may hold are taken off; what is left is one address.
            assert read.count("@") == 1 and read.isprintable(), given
    assert read_address(" Ann+tides@Example.org ") == "Ann+tides@Example.org"


@on_sqlite
def test_floods_are_held_back(instance: Instance, show: Show) -> None:
    def asks(address: str, client: str) -> bool:
        with instance.database.write() as session:
            return require_sign_up(session, show.id, address, client, instance.now())

    assert [asks(ANN, f"10.0.0.{number}") for number in range(5)] == [True] * 3 + [False] * 2
    for number in range(20):
        assert asks(f"{number}@example.org", "10.9.9.9")
    with pytest.raises(TooManyRequests):
        asks("21@example.org", "10.9.9.9")


@on_sqlite
def test_a_show_without_a_newsletter_takes_nobody(instance: Instance) -> None:
    show = make_show(instance)
    with pytest.raises(NotFound):
        ask(instance, show, ANN)
    open_newsletter(instance, show, sends_digest=False)
    join(instance, show, ANN, wants="weekly")
    # What is not offered cannot be chosen.
    assert readers(instance, show)[ANN].wants == "episodes"
    with pytest.raises(Invalid):
        ask(instance, show, ANN, "hourly")


@on_sqlite
def test_wrong_settings_are_said_one_and_all(instance: Instance, show: Show) -> None:
    given = NewsletterInput(
        weekday="noday", hour=24, sends_episodes=False, sends_digest=False, contact="x" * 501
    )
    with pytest.raises(Invalid) as error, instance.database.write() as session:
        change_newsletter(session, get_show(session, show.slug), given, now=instance.now())
    assert set(error.value.fields) == {"weekday", "hour", "sends_episodes", "contact"}
    with instance.database.read() as session:
        assert find_newsletter(session, show).sends_episodes


def test_the_table_of_addresses_holds_no_formula(instance: Instance, show: Show) -> None:
    join(instance, show, "=1+1@example.org", BO)
    ask(instance, show, ANN)
    leave(instance, show, leaving_secret(instance, show, BO))
    with instance.database.read() as session:
        rows = list(csv.DictReader(io.StringIO(write_csv(session, show))))
    assert sorted(row["address"] for row in rows) == ["'=1+1@example.org", ANN]
    assert {row["confirmed_at"] for row in rows} == {"2026-03-05T09:05:00Z", ""}


def test_growth_is_told_by_months(instance: Instance, show: Show, clock: FrozenClock) -> None:
    join(instance, show, ANN, BO)
    clock.advance(days=40)
    join(instance, show, "cy@example.org")
    leave(instance, show, leaving_secret(instance, show, ANN))
    ask(instance, show, "never@example.org")
    with instance.database.read() as session:
        months = growth(session, show, now=instance.now())
    assert len(months) == 12
    told = [(one.month, one.joined, one.left, one.readers) for one in months[-3:]]
    assert told == [("2026-02", 0, 0, 0), ("2026-03", 2, 0, 2), ("2026-04", 1, 1, 2)]
    clock.advance(days=400)
    with instance.database.read() as session:
        assert {one.readers for one in growth(session, show, now=instance.now())} == {2}


def test_readers_are_listed_found_and_forgotten(
    instance: Instance, show: Show, clock: FrozenClock
) -> None:
    join(instance, show, "Ann_1@example.org")
    clock.advance(minutes=1)
    join(instance, show, BO)
    with instance.database.write() as session:
        rows, total = list_subscribers(session, show)
        assert ([row.address for row in rows], total) == ([BO, "Ann_1@example.org"], 2)
        found, _ = list_subscribers(session, show, search="ANN_1", status="confirmed")
        assert [row.address for row in found] == ["Ann_1@example.org"]
        assert list_subscribers(session, show, search="%")[1] == 0
        other = session.scalars(select(Subscriber.id)).all()
        forget_subscriber(session, show, found[0].id)
        for id_ in (found[0].id, "x", "\x00"):
            with pytest.raises(NotFound):
                forget_subscriber(session, show, id_)
        assert len(other) == 2 and list_subscribers(session, show)[1] == 1


@on_sqlite
def test_a_check_finds_damaged_rows_and_mail_that_waits(instance: Instance, show: Show) -> None:
    join(instance, show, ANN, BO)

    def problems() -> list[str]:
        with instance.database.read() as session:
            return list(newsletter_problems(session, show, now=instance.now()))

    assert problems() == []
    with instance.database.write() as session:
        session.execute(
            update(Subscriber).where(Subscriber.address == BO).values(address="x@example.org")
        )
        session.add(
            NewsletterIssue(
                id=new_id(),
                show_id=show.id,
                kind="episode",
                key="x",
                subject="Low water",
                send_at=instance.now() - timedelta(days=4),
            )
        )
    waits, damaged = problems()
    assert "1 mailings" in waits and "is damaged" in damaged


@on_sqlite
def test_the_mail_asks_in_the_shows_language(instance: Instance) -> None:
    link = "https://pod.example/mareas/newsletter/confirm/x"
    content = {"show": "Mareas", "wants": "weekly", "link": link}
    letter = render_letter("newsletter-confirm", "es", content)
    assert letter.subject == "Confirma: correo de «Mareas»"
    assert link in letter.text and "una vez por semana" in letter.text
    show = make_show(instance, "Mareas", language="es-mx")
    open_newsletter(instance, show)
    with instance.database.write() as session:
        session.execute(update(Mail).values(language="en"))
    with instance.database.write() as session:
        sign_up(
            session,
            get_show(session, show.slug),
            ANN,
            "episodes",
            signer=make_signer(session, instance.settings),
            base_url=instance.base_url,
            now=instance.now(),
        )
        (mail,) = session.scalars(select(Mail)).all()
        assert mail.language == "es"
        assert mail.expires_at is not None
        assert mail.expires_at - instance.now() <= timedelta(days=30)
