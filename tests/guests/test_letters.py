"""Who is told what about guests, on both pairs of engines."""

from pathlib import Path

import pytest
from sqlalchemy import select

from podhost.accounts.accounts import create_account
from podhost.episodes.publishing import publish_episode
from podhost.guests.letters import tell_hosts
from podhost.guests.links import create_link, open_link, revoke_link
from podhost.guests.proposals import Correction, propose
from podhost.instance import Instance
from podhost.mail.letters import render_letter
from podhost.models import Episode, GuestLink, Mail, Membership, Show
from podhost.people import CreditInput
from podhost.worker import run_sweep
from tests.conftest import FrozenClock
from tests.making import make_episode, make_show

ANN = CreditInput(name="Ann Ocean")


def mails(instance: Instance) -> list[Mail]:
    with instance.database.read() as session:
        return list(session.scalars(select(Mail).order_by(Mail.recipient)))


def make_account(instance: Instance, show: Show, name: str, role: str | None) -> None:
    with instance.database.write() as session:
        account, _ = create_account(
            session, f"{name}@pod.example", is_operator=role is None, now=instance.now()
        )
        if role is not None:
            session.add(
                Membership(
                    show_id=show.id, account_id=account.id, role=role, created_at=instance.now()
                )
            )


def propose_and_tell(instance: Instance, secret: str, bio: str) -> None:
    now = instance.now()
    with instance.database.write() as session:
        guest = open_link(session, secret, is_preview=False, now=now)
        proposal = propose(session, guest, Correction(bio=bio), now=now)
        assert proposal is not None
        tell_hosts(session, guest, proposal, base_url="https://pod.example", now=now)


def link_to(instance: Instance, episode: Episode, email: str | None = None) -> str:
    with instance.database.write() as session:
        row = session.get_one(Episode, episode.id)
        person_id = row.credits[0].person_id
        return create_link(session, row, person_id, email=email, now=instance.now())[1]


def test_those_who_may_decide_are_told_of_a_proposal(
    instance: Instance, clock: FrozenClock
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False, guests=[ANN])
    make_account(instance, show, "olga", None)
    secret = link_to(instance, episode)
    propose_and_tell(instance, secret, "One.")
    assert [mail.recipient for mail in mails(instance)] == ["olga@pod.example"]
    for name, role in (("ed", "editor"), ("anna", "analyst"), ("owen", "owner")):
        make_account(instance, show, name, role)
    clock.advance(hours=2)

    propose_and_tell(instance, link_to(instance, episode), "Two.")

    told = [mail.recipient for mail in mails(instance)]
    assert told == ["ed@pod.example", "olga@pod.example", "owen@pod.example"]
    path = f"/studio/shows/tide-tables/episodes/{episode.id}/guests"
    assert mails(instance)[0].content["link"] == f"https://pod.example{path}"  # type: ignore[index]


def test_a_guest_who_goes_on_changing_is_told_of_once(
    instance: Instance, clock: FrozenClock
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, None, publish=False, guests=[ANN])
    make_account(instance, show, "olga", None)
    secret = link_to(instance, episode)
    for bio in ("One.", "Two."):
        propose_and_tell(instance, secret, bio)
        with instance.database.write() as session:
            guest = open_link(session, secret, is_preview=False, now=instance.now())
            assert propose(session, guest, Correction(bio=""), now=instance.now()) is None

    assert len(mails(instance)) == 1
    clock.advance(hours=2)
    propose_and_tell(instance, secret, "Three.")
    assert len(mails(instance)) == 2


def test_a_guest_is_told_once_that_the_episode_is_out(instance: Instance, mp3: Path) -> None:
    show = make_show(instance, language="es")
    episode = make_episode(instance, show, mp3, publish=False, guests=[ANN])
    link_to(instance, episode, "ann@example.org")
    link_to(instance, episode)
    run_sweep(instance)
    assert mails(instance) == []
    with instance.database.write() as session:
        publish_episode(session, session.get_one(Episode, episode.id), now=instance.now())

    run_sweep(instance)
    run_sweep(instance)

    (mail,) = mails(instance)
    assert (mail.recipient, mail.language) == ("ann@example.org", "es")
    assert mail.content is not None
    secret = mail.content["link"].rpartition("/")[2]
    with instance.database.read() as session:
        assert open_link(session, secret, is_preview=False, now=instance.now()).is_out
    letter = render_letter(mail.template, mail.language, mail.content)
    assert letter.subject == "«Low water» ya ha salido"
    assert "https://pod.example/tide-tables/episodes/low-water" in letter.text


@pytest.mark.parametrize("end", ["revoked", "unnamed", "expired"])
def test_nobody_is_told_by_a_link_that_has_ended(
    instance: Instance, mp3: Path, clock: FrozenClock, end: str
) -> None:
    show = make_show(instance)
    episode = make_episode(instance, show, mp3, publish=False, guests=[ANN])
    link_to(instance, episode, "ann@example.org")
    with instance.database.write() as session:
        row, link = session.get_one(Episode, episode.id), session.scalars(select(GuestLink)).one()
        if end == "revoked":
            revoke_link(session, link, now=instance.now())
        elif end == "unnamed":
            row.credits = []
        else:
            link.expires_at = instance.now()
        publish_episode(session, row, now=instance.now())

    run_sweep(instance)

    assert mails(instance) == []


def test_letters_say_it_in_english_too() -> None:
    content = {"guest": "Ann", "show": "Tides", "title": "Low", "link": "https://a.example/"}

    letter = render_letter("guest-proposal", "en", content)

    assert letter.subject == "Ann sent corrections for “Low”"
    assert "https://a.example/" in letter.html
