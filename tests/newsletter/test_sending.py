"""Newsletters: what is mailed, to whom and when; and nobody gets anything twice."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from podhost.accounts.accounts import create_account
from podhost.config import read_settings
from podhost.db import new_id
from podhost.errors import Conflict, NotFound
from podhost.instance import Instance, open_instance
from podhost.models import (
    Episode,
    Newsletter,
    NewsletterDelivery,
    NewsletterIssue,
    Show,
    Subscriber,
)
from podhost.newsletter.importing import import_readers, read_table
from podhost.newsletter.issues import last_digest_time, list_issues, stop_issue
from podhost.newsletter.links import UNSUBSCRIBE, make_signer
from podhost.newsletter.sending import enqueue_test, send_test
from podhost.newsletter.settings import NewsletterInput, change_newsletter
from podhost.newsletter.subscribers import unsubscribe
from podhost.shows import ShowInput, change_show, delete_show, get_show
from podhost.site.settings import SiteInput, change_site
from podhost.sweep import note_restored
from podhost.worker import run_due_jobs, run_next_mail, run_next_newsletter, run_sweep
from tests.conftest import FrozenClock
from tests.mail_server import LocalMail, local_mail
from tests.making import make_show
from tests.newsletter.making import join, open_newsletter, readers, send_due
from tests.ports import kept_port
from tests.written.making import make_article

on_sqlite = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
ANN, BO, CY = "ann@example.org", "bo@example.org", "cy@example.org"


@pytest.fixture
def server() -> Iterator[LocalMail]:
    with local_mail() as mail:
        yield mail


@pytest.fixture
def instance(
    environment: dict[str, str], clock: FrozenClock, server: LocalMail
) -> Iterator[Instance]:
    """A podhost that sends by the local mail server."""
    given = {**environment, "PODHOST_SMTP_URL": f"smtp://127.0.0.1:{server.port}"}
    opened = open_instance(read_settings(given), clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def show(instance: Instance) -> Show:
    made = make_show(instance, owner_email="pier@example.org")
    open_newsletter(instance, made)
    return made


def come_out(
    instance: Instance, show: Show, title: str = "Low water", at: datetime | None = None
) -> str:
    """An episode that is published; its audio is in name only, as no feed is looked at."""
    with instance.database.write() as session:
        id_ = new_id()
        session.add(
            Episode(
                id=id_,
                show_id=show.id,
                guid=id_,
                slug=title.lower().replace(" ", "-"),
                title=title,
                notes_html="<p>Ann &amp; Bo on <em>tides</em>.</p>",
                status="published",
                published_at=at or instance.now(),
                created_at=instance.now(),
                changed_at=instance.now(),
            )
        )
        return id_


def tos(server: LocalMail) -> list[str]:
    return sorted(address for each in server.recipients for address in each)


def the_issue(instance: Instance) -> NewsletterIssue:
    with instance.database.read() as session:
        return session.scalars(select(NewsletterIssue)).one()


def test_a_new_episode_is_mailed_to_each_reader_once(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    join(instance, show, ANN, BO)
    join(instance, show, CY, wants="weekly")
    come_out(instance, show)
    assert send_due(instance) == 0 and server.messages == []
    assert send_due(instance, clock.advance) == 1
    assert send_due(instance, clock.advance) == 0
    assert tos(server) == [ANN, BO]
    issue = the_issue(instance)
    assert (issue.sent_count, issue.refused_count, issue.unsent_count) == (2, 0, 0)
    assert issue.finished_at is not None and issue.error is None


def test_a_mail_says_how_to_get_no_more_and_tells_nobody_who_read_it(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    join(instance, show, ANN)
    come_out(instance, show, "Ebb – “and” flow")
    send_due(instance, clock.advance)
    (message,) = server.messages
    with instance.database.write() as session:
        signer = make_signer(session, instance.settings)
    secret = signer.secret(UNSUBSCRIBE, readers(instance, show)[ANN].id)
    link = f"https://pod.example/tide-tables/newsletter/unsubscribe/{secret}"
    assert message["To"] == ANN
    assert message["Subject"] == "Ebb – “and” flow"
    assert message["From"] == "Tide Tables <podhost@pod.example>"
    assert message["Reply-To"] == "pier@example.org"
    # On one line, and not in encoded words, where no mail program looks for it.
    (body_bytes,) = server.bodies
    assert f"\r\nList-Unsubscribe: <{link}>\r\n".encode() in body_bytes
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in body_bytes
    assert re.search(rb"\r\nMessage-ID: <\w{16}\.\w{56}@pod\.example>\r\n", body_bytes)
    assert body_bytes.isascii() and max(map(len, body_bytes.split(b"\r\n"))) < 998
    assert message["List-Id"] == "<tide-tables.pod.example>"
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        text = body.get_content()
        assert link in text and "https://pod.example/tide-tables/episodes/ebb" in text
        assert "Pier Nine" in text and "pier@example.org" in text
        assert "<img" not in text
        addresses = set(re.findall(r"https?://[^\s\"<]+", text))
        assert all(one.startswith("https://pod.example/tide-tables/") for one in addresses)
    plain = message.get_body(("plain",))
    assert plain is not None and "Ann & Bo on tides." in plain.get_content()
    assert "5 Mar 2026" in plain.get_content() or "Mar 5, 2026" in plain.get_content()


@on_sqlite
def test_what_is_old_or_brought_or_before_its_time_is_not_mailed(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    join(instance, show, ANN)
    come_out(instance, show, "Before", at=clock() - timedelta(hours=1))
    clock.advance(days=5)
    come_out(instance, show, "Of an import", at=clock() - timedelta(days=3))
    assert send_due(instance, clock.advance) == 0
    late = come_out(instance, show, "Typo")
    run_sweep(instance)
    with instance.database.write() as session:
        row = session.get_one(Episode, late)
        row.status = "withdrawn"
    assert send_due(instance, clock.advance) == 1
    assert server.messages == []
    with instance.database.write() as session:
        row = session.get_one(Episode, late)
        row.status, row.title = "published", "Mended"
    send_due(instance, clock.advance)
    assert [message["Subject"] for message in server.messages] == ["Mended"]
    with instance.database.write() as session:
        session.execute(update(Episode).values(status="withdrawn"))
    with instance.database.write() as session:
        session.execute(update(Episode).values(status="published"))
    assert send_due(instance, clock.advance) == 0


@on_sqlite
def test_who_came_after_it_or_left_before_it_gets_nothing(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    join(instance, show, ANN, BO)
    come_out(instance, show)
    run_sweep(instance)
    clock.advance(minutes=11)
    join(instance, show, CY)
    with instance.database.write() as session:
        signer = make_signer(session, instance.settings)
        secret = signer.secret(UNSUBSCRIBE, readers(instance, show)[BO].id)
        shown = get_show(session, show.slug)
        unsubscribe(session, shown, secret, signer=signer, now=instance.now())
    send_due(instance, clock.advance)
    assert tos(server) == [ANN]


def test_the_week_is_mailed_at_its_hour_in_the_shows_zone(
    instance: Instance, server: LocalMail, clock: FrozenClock
) -> None:
    # The clock begins on Thursday, 5 March 2026, at 9:05 UTC: 18:05 in Tokyo.
    show = make_show(instance, "Mareas", language="es", time_zone="Asia/Tokyo")
    open_newsletter(instance, show, weekday="friday", hour=8)
    join(instance, show, ANN, wants="weekly")
    join(instance, show, BO)
    clock.advance(minutes=1)
    come_out(instance, show, "Marea baja")
    make_article(instance, show, "Por qué gira", summary="La luna.")
    make_article(instance, show, "Borrador", publish=False)
    run_sweep(instance)
    clock.advance(hours=13, minutes=50)
    send_due(instance)
    assert tos(server) == [BO]
    clock.advance(minutes=5)
    send_due(instance)
    digest = server.messages[-1]
    assert (tos(server)[0], digest["Subject"]) == (ANN, "Mareas: novedades")
    body = digest.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "Marea baja" in text and "Por qué gira" in text and "Artículo" in text
    assert "Borrador" not in text and "Darte de baja" in text
    # A week without news, then one with.
    for expected in (2, 3):
        clock.advance(days=7)
        send_due(instance)
        assert len([one for one in server.messages if "novedades" in one["Subject"]]) == (
            expected - 1
        )
        make_article(instance, show, f"Nota {expected}")


@on_sqlite
def test_another_day_for_the_weekly_mail_sends_none_at_once(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    join(instance, show, ANN, wants="weekly")
    clock.advance(minutes=1)
    make_article(instance, show, "News")
    with instance.database.write() as session:
        given = NewsletterInput(weekday="thursday", hour=8)
        shown = get_show(session, show.slug, lock=True)
        change_newsletter(session, shown, given, now=instance.now())
    send_due(instance, clock.advance)
    assert server.messages == []
    clock.advance(days=7)
    send_due(instance)
    assert len(server.messages) == 1


def test_an_address_that_is_refused_for_good_gets_no_more(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    join(instance, show, ANN, BO, CY, "di@example.org")
    answers = ["550 5.1.1 No such user", "452 4.2.2 Full", "550 5.7.1 Policy", "250 OK"]
    server.answers = list(answers)
    come_out(instance, show)
    send_due(instance, clock.advance)
    with instance.database.read() as session:
        status = {row.status for row in session.scalars(select(NewsletterDelivery))}
    assert status == {"refused", "later", "failed", "sent"}
    by_status = {row.status: row for row in readers(instance, show).values()}
    assert set(by_status) == {"confirmed", "refused"}
    assert by_status["refused"].reason == "The mail server refused it: 550 5.1.1 No such user"
    assert the_issue(instance).finished_at is None
    clock.advance(minutes=16)
    send_due(instance)
    issue = the_issue(instance)
    assert (issue.sent_count, issue.refused_count, issue.unsent_count) == (2, 1, 1)
    come_out(instance, show, "Next")
    server.recipients.clear()
    send_due(instance, clock.advance)
    assert len(tos(server)) == 3 and by_status["refused"].address not in tos(server)


@on_sqlite
@pytest.mark.parametrize("owner", ["josé@example.org", "[pier]@example.org", "a(b)@example.org"])
def test_readers_are_not_lost_by_what_no_reply_can_be_sent_to(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock, owner: str
) -> None:
    join(instance, show, ANN)
    with instance.database.write() as session:
        stored = get_show(session, show.slug, lock=True)
        change_show(session, stored, ShowInput(owner_email=owner), now=instance.now())
    come_out(instance, show)
    send_due(instance, clock.advance)
    assert tos(server) == [ANN]
    assert readers(instance, show)[ANN].status == "confirmed"


@on_sqlite
def test_a_server_that_refuses_everybody_costs_no_reader(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    addresses = [f"r{number}@example.org" for number in range(12)]
    join(instance, show, *addresses)
    server.answers = ["550 No relaying"] * 12
    come_out(instance, show)
    send_due(instance, clock.advance)
    assert {row.status for row in readers(instance, show).values()} == {"confirmed"}
    assert the_issue(instance).error == "The mail server refuses everybody; look at its log."
    clock.advance(minutes=20)
    send_due(instance)
    assert tos(server) == sorted(addresses)


@on_sqlite
def test_a_server_that_takes_few_by_one_connection_gets_them_by_several(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    addresses = [f"r{number}@example.org" for number in range(7)]
    join(instance, show, *addresses)
    come_out(instance, show)
    server.answers = [*["250 OK"] * 3, "421 Enough", *["250 OK"] * 3, "421 Enough"]
    assert send_due(instance, clock.advance) == 3
    assert tos(server) == sorted(addresses)
    assert the_issue(instance).sent_count == 7


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-06T07:59:59Z", "2026-02-27T08:00:00Z"),
        ("2026-03-06T08:00:00Z", "2026-03-06T08:00:00Z"),
        # Summer time has begun: nine o'clock in Madrid is an hour earlier.
        ("2026-04-03T07:00:00Z", "2026-04-03T07:00:00Z"),
        ("2026-04-02T23:00:00Z", "2026-03-27T08:00:00Z"),
    ],
)
def test_the_hour_of_the_week_is_that_of_the_shows_clock(now: str, due: str) -> None:
    show = Show(time_zone="Europe/Madrid")
    newsletter = Newsletter(digest_weekday=4, digest_hour=9)
    found = last_digest_time(newsletter, show, datetime.fromisoformat(now))
    assert found == datetime.fromisoformat(due)


@on_sqlite
def test_it_waits_for_a_server_that_is_away_and_not_for_ever(
    environment: dict[str, str], clock: FrozenClock
) -> None:
    later = LocalMail()
    with kept_port() as later.port:
        given = {**environment, "PODHOST_SMTP_URL": f"smtp://127.0.0.1:{later.port}"}
        instance = open_instance(read_settings(given), clock=clock)
        show = make_show(instance)
        open_newsletter(instance, show, sends_digest=False)
        join(instance, show, ANN)
        come_out(instance, show)
        send_due(instance, clock.advance)
        assert "does not answer" in (the_issue(instance).error or "")
        with local_mail(later):
            clock.advance(minutes=2)
            send_due(instance)
            assert tos(later) == [ANN]
        come_out(instance, show, "Lost")
        send_due(instance, clock.advance)
        clock.advance(days=2)
        send_due(instance)
    with instance.database.read() as session:
        newest = list_issues(session, show)[0][0]
    assert newest.finished_at is not None and "in time" in (newest.error or "")
    instance.close()


@on_sqlite
def test_many_are_sent_in_batches_and_one_can_stop_it(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    join(instance, show, *(f"r{number}@example.org" for number in range(60)))
    come_out(instance, show)
    run_sweep(instance)
    clock.advance(minutes=11)
    run_sweep(instance)
    assert run_next_newsletter(instance, owner="alice")
    assert len(server.messages) == 50
    with instance.database.write() as session:
        shown = get_show(session, show.slug, lock=True)
        issue_id = the_issue(instance).id
        stopped = stop_issue(session, shown, issue_id, now=instance.now())
        assert stopped.sent_count == 50
        for id_, error in ((issue_id, Conflict), ("x", NotFound), ("\x00", NotFound)):
            with pytest.raises(error):
                stop_issue(session, shown, id_, now=instance.now())
    send_due(instance, clock.advance)
    assert len(server.messages) == 50


@on_sqlite
def test_after_a_restore_nothing_is_mailed_that_was_out_before(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    join(instance, show, ANN)
    come_out(instance, show)
    clock.advance(hours=1)
    with instance.database.write() as session:
        note_restored(session, now=instance.now())
    assert send_due(instance, clock.advance) == 0
    come_out(instance, show, "Later")
    send_due(instance, clock.advance)
    assert [message["Subject"] for message in server.messages] == ["Later"]


@on_sqlite
def test_a_show_on_its_own_domain_is_linked_there_and_left_here(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    with instance.database.write() as session:
        shown = get_show(session, show.slug, lock=True)
        change_site(session, shown, SiteInput(domain="tides.example.org"), now=instance.now())
    join(instance, show, ANN)
    come_out(instance, show)
    send_due(instance, clock.advance)
    body = server.messages[0].get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "https://tides.example.org/episodes/low-water" in text
    assert "https://pod.example/tide-tables/newsletter/unsubscribe/" in text


@on_sqlite
def test_no_other_work_waits_for_it(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    join(instance, show, ANN)
    come_out(instance, show)
    run_sweep(instance)
    clock.advance(minutes=11)
    run_sweep(instance)
    run_due_jobs(instance)
    while run_next_mail(instance, owner="alice"):
        pass
    assert server.messages == []
    assert run_next_newsletter(instance, owner="alice") and len(server.messages) == 1


def test_with_a_show_all_that_its_readers_left_goes(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    join(instance, show, ANN)
    come_out(instance, show)
    send_due(instance, clock.advance)
    with instance.database.write() as session:
        session.execute(delete(Episode))
        session.execute(delete(Show))
    with instance.database.read() as session:
        for table in (Newsletter, Subscriber, NewsletterIssue, NewsletterDelivery):
            assert session.scalar(select(func.count()).select_from(table)) == 0, table


@on_sqlite
def test_a_show_that_was_deleted_mails_nothing(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    join(instance, show, ANN)
    come_out(instance, show)
    run_sweep(instance)
    with instance.database.write() as session:
        delete_show(session, get_show(session, show.slug, lock=True), now=instance.now())
    send_due(instance, clock.advance)
    assert server.messages == []
    assert the_issue(instance).error == "The newsletter was switched off."


@on_sqlite
def test_an_owner_sees_what_readers_get(instance: Instance, show: Show, server: LocalMail) -> None:
    with instance.database.write() as session:
        account, _ = create_account(session, "owner@pod.example", now=instance.now())
        with pytest.raises(Conflict):
            enqueue_test(session, show, account.id, now=instance.now())
    come_out(instance, show)
    with instance.database.write() as session:
        enqueue_test(session, show, account.id, now=instance.now())
    while run_next_newsletter(instance, owner="alice"):
        pass
    (message,) = server.messages
    assert (message["To"], message["Subject"]) == ("owner@pod.example", "Low water")
    assert message["List-Unsubscribe"] is None
    assert re.fullmatch(r"<\w{16}@pod\.example>", message["Message-ID"])
    send_test(instance, "gone gone")


_KILLED = """
import os, signal, sys
from pathlib import Path
from podhost.accounts.accounts import create_account
from podhost.config import read_settings
from podhost.instance import open_instance
from podhost.newsletter import sending

moment = sys.argv[1]
instance = open_instance(read_settings(os.environ))
handed_over, count = sending._hand_over, 0

def die(client, batch, claim):
    global count
    count += 1
    if count == 3 and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    outcome = handed_over(client, batch, claim)
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome

sending._hand_over = die
sending.send_issue(instance, sys.argv[2])
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_has_nobody_mailed_twice(
    instance: Instance,
    environment: dict[str, str],
    show: Show,
    server: LocalMail,
    clock: FrozenClock,
    moment: str,
) -> None:
    # A real process is killed, and its clock is the real one.
    now = datetime.now(clock().tzinfo)
    clock.time = now - timedelta(minutes=20)
    open_newsletter(instance, show)
    addresses = [f"r{number}@example.org" for number in range(6)]
    join(instance, show, *addresses)
    with instance.database.write() as session:
        session.execute(update(Show).values(changed_at=clock()))
    come_out(instance, show)
    run_sweep(instance)
    clock.time = now
    with instance.database.write() as session:
        issue = session.scalars(select(NewsletterIssue)).one()
        assert issue.send_at < now
    given = {
        **environment,
        "PODHOST_SMTP_URL": instance.settings.smtp_url,
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
    }
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, moment, issue.id], env=given, timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert len(server.messages) == (2 if moment == "before" else 3)
    while run_next_newsletter(instance, owner="alice"):
        pass
    run_sweep(instance)
    while run_next_newsletter(instance, owner="alice"):
        pass
    got = tos(server)
    assert len(got) == len(set(got)) == (5 if moment == "before" else 6)
    with instance.database.read() as session:
        left = session.scalars(
            select(NewsletterDelivery.status).where(NewsletterDelivery.status != "sent")
        ).all()
    assert left == ["claimed"] and the_issue(instance).unsent_count == 1


@on_sqlite
def test_readers_who_are_brought_during_a_mailing_get_nothing_of_it(
    instance: Instance, show: Show, server: LocalMail, clock: FrozenClock
) -> None:
    when = "2026-01-02T03:04:05Z"
    head = "address,status,wants,asked_at,confirmed_at,ended_at\r\n"
    table = f"{head}{BO},confirmed,episodes,{when},{when},\r\n".encode()

    def bring() -> None:
        rows = read_table(table, now=instance.now())
        with instance.database.write() as session:
            shown = get_show(session, show.slug, lock=True)
            assert import_readers(session, shown, rows, now=instance.now()).imported == 1

    join(instance, show, ANN)
    come_out(instance, show)
    server.answers = ["451 4.3.0 Later"]
    assert send_due(instance, clock.advance)
    with pytest.raises(Conflict, match="A mailing is being sent"):
        bring()
    clock.advance(hours=5)
    assert send_due(instance, clock.advance)
    assert the_issue(instance).finished_at is not None
    bring()
    assert set(readers(instance, show)) == {ANN, BO}
    send_due(instance, clock.advance)
    assert tos(server) == [ANN]
