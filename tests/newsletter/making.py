"""Newsletters and their readers for tests, made by the same functions that the program calls."""

import re
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select

from podhost.instance import Instance
from podhost.models import Mail, Show, Subscriber
from podhost.newsletter.links import make_signer
from podhost.newsletter.settings import NewsletterInput, change_newsletter
from podhost.newsletter.subscribers import confirm, sign_up
from podhost.shows import get_show
from podhost.worker import run_next_newsletter, run_sweep


def open_newsletter(instance: Instance, show: Show, **given: object) -> None:
    """Switch it on; unless said otherwise, with both kinds of mail."""
    with instance.database.write() as session:
        said = NewsletterInput(is_open=True, **given)  # type: ignore[arg-type]
        change_newsletter(
            session, get_show(session, show.slug, lock=True), said, now=instance.now()
        )


def ask(instance: Instance, show: Show, address: str, wants: str = "episodes") -> str:
    """Sign up; the secret of the link in the mail."""
    with instance.database.write() as session:
        sign_up(
            session,
            get_show(session, show.slug),
            address,
            wants,
            signer=make_signer(session, instance.settings),
            base_url=instance.base_url,
            now=instance.now(),
        )
        mail = session.scalars(select(Mail).where(Mail.recipient == address)).all()[-1]
        link = (mail.content or {})["link"]
        found = re.fullmatch(rf"https://pod.example/{show.slug}/newsletter/confirm/(\w+)", link)
        assert found is not None, link
        # The next one asks with a mail of its own.
        session.delete(mail)
        return found[1]


def join(instance: Instance, show: Show, *addresses: str, wants: str = "episodes") -> None:
    """Sign up and confirm."""
    for address in addresses:
        secret = ask(instance, show, address, wants)
        with instance.database.write() as session:
            signer = make_signer(session, instance.settings)
            shown = get_show(session, show.slug)
            confirm(session, shown, secret, signer=signer, now=instance.now())


def readers(instance: Instance, show: Show) -> dict[str, Subscriber]:
    """All that are there, by their addresses."""
    with instance.database.read() as session:
        found = session.scalars(select(Subscriber).where(Subscriber.show_id == show.id))
        return {row.address: row for row in found}


def send_due(instance: Instance, advance: Callable[..., None] | None = None) -> int:
    """What a worker does now, and once the mails may go; how many jobs that were."""
    count = 0
    for minutes in (0, 11):
        if advance is not None:
            advance(minutes=minutes)
        run_sweep(instance)
        while run_next_newsletter(instance, owner="alice"):
            count += 1
    return count


WAITED = timedelta(minutes=11)
