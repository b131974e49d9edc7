"""Who reads a show's newsletter: asked for, confirmed, ended, listed, forgotten; it sends no issue.

An address is taken only by its owner's confirmation (double opt-in). Whoever asks is answered in
one way whether it is known here or not: what follows goes to the address itself. Of those who
leave, nothing is kept but a hash, so that the numbers stay right.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from podhost import fields
from podhost.db import new_id
from podhost.errors import Gone, Invalid, NotFound
from podhost.fields import may_be_slug
from podhost.formats.text import clean_text, plain_line
from podhost.mail import enqueue_mail
from podhost.mail.addresses import header_address
from podhost.models import Newsletter, Show, Subscriber
from podhost.newsletter.links import CONFIRM, UNSUBSCRIBE, Signer, subscriber_id_in
from podhost.newsletter.settings import chosen
from podhost.translations import choose_language

WAITING, CONFIRMED, GONE, REFUSED = "waiting", "confirmed", "gone", "refused"
STATUSES = (WAITING, CONFIRMED, GONE, REFUSED)
# Who has not confirmed by then is forgotten.
CONFIRMED_WITHIN = timedelta(days=30)
CONFIRM_LETTER = "newsletter-confirm"
_LONGEST_REASON = 500
_NO_ADDRESS = "Give your e-mail address, such as ann@example.org."
_UNKNOWN_LINK = "This link is not known here; is all of it there?"


def find_open(session: Session, show: Show) -> Newsletter:
    """The newsletter that somebody can sign up for. Raises NotFound."""
    newsletter = session.get(Newsletter, show.id)
    if newsletter is None or not newsletter.is_open:
        raise NotFound("This show has no newsletter.")
    return newsletter


def read_address(given: str) -> str:
    """An address that mail can be sent to. Raises Invalid."""
    try:
        address = fields.email(given)
        if address is None or not address.isascii():
            raise ValueError(_NO_ADDRESS)
        # What a header cannot carry is an address for nobody.
        header_address(address)
    except ValueError:
        raise Invalid(f"address: {_NO_ADDRESS}", {"address": _NO_ADDRESS}) from None
    return address


def page_url(base_url: str, show: Show, rest: str = "") -> str:
    """The address of the show's newsletter page, or of one below it."""
    return f"{base_url}/{quote(show.slug)}/newsletter{rest}"


def sign_up(
    session: Session,
    show: Show,
    address: str,
    wants: str,
    *,
    signer: Signer,
    base_url: str,
    now: datetime,
) -> None:
    """Mail a link to the address, which was read by `read_address`, to confirm that it wants this.

    It does the same whether the address is known or not; nothing that was chosen before changes
    until it is confirmed. Raises NotFound and Invalid. How often one may ask is limited by
    accounts.login_limits, before.
    """
    newsletter = find_open(session, show)
    wants = chosen(newsletter, wants)
    digest = address_digest(show.id, address)
    found = select(Subscriber).where(
        Subscriber.show_id == show.id, Subscriber.address_sha256 == digest
    )
    subscriber = session.scalar(found.with_for_update())
    if subscriber is None:
        subscriber = Subscriber(
            id=new_id(),
            show_id=show.id,
            address=address,
            address_sha256=digest,
            status=WAITING,
            wants=wants,
            asked_wants=wants,
            turn=1,
            asked_at=now,
        )
        session.add(subscriber)
    elif subscriber.status == GONE:
        subscriber.status, subscriber.address = WAITING, address
    subscriber.asked_at, subscriber.asked_wants = now, wants
    session.flush()
    secret = signer.secret(CONFIRM, subscriber.id, subscriber.turn)
    content = {
        "show": show.title,
        "wants": wants,
        "link": page_url(base_url, show, f"/confirm/{secret}"),
    }
    language = choose_language(None, show.language)
    expires_at = now + CONFIRMED_WITHIN
    enqueue_mail(
        session,
        CONFIRM_LETTER,
        address,
        content,
        language=language,
        now=now,
        expires_at=expires_at,
    )


def get_to_confirm(
    session: Session, show: Show, secret: str, *, signer: Signer, now: datetime, lock: bool = False
) -> Subscriber:
    """Whose confirmation this secret is. Raises NotFound, or Gone where it wore off."""
    subscriber = _named(session, show, secret, lock=lock)
    if subscriber is None or not signer.is_right(secret, CONFIRM, subscriber.turn):
        # One that was good once is told apart only for who has it.
        if subscriber is not None and any(
            signer.is_right(secret, CONFIRM, turn) for turn in range(1, subscriber.turn)
        ):
            raise Gone("This link was used already; sign up once more.")
        raise NotFound(_UNKNOWN_LINK)
    if subscriber.asked_at + CONFIRMED_WITHIN <= now:
        raise Gone("This link is too old; sign up once more.")
    return subscriber


def confirm(
    session: Session, show: Show, secret: str, *, signer: Signer, now: datetime
) -> Subscriber:
    """From now on, mail is sent there. Doing it twice changes nothing. Raises NotFound and Gone."""
    subscriber = get_to_confirm(session, show, secret, signer=signer, now=now, lock=True)
    if subscriber.status != CONFIRMED:
        subscriber.status, subscriber.confirmed_at = CONFIRMED, now
        subscriber.ended_at = subscriber.reason = None
    subscriber.wants = subscriber.asked_wants
    session.flush()
    return subscriber


def require_unsubscribable(show: Show, secret: str, *, signer: Signer) -> None:
    """Raises NotFound for a link that podhost never mailed."""
    if not (may_be_slug(secret) and signer.is_right(secret, UNSUBSCRIBE)):
        raise NotFound(_UNKNOWN_LINK)


def unsubscribe(
    session: Session, show: Show, secret: str, *, signer: Signer, now: datetime
) -> None:
    """No mail is sent there any more, and the address is forgotten; however often it is done.

    Raises NotFound.
    """
    require_unsubscribable(show, secret, signer=signer)
    subscriber = _named(session, show, secret, lock=True)
    if subscriber is not None and subscriber.status != GONE:
        end(session, subscriber, GONE, None, now=now)


def end(
    session: Session, subscriber: Subscriber, status: str, reason: str | None, *, now: datetime
) -> None:
    """Somebody left (GONE), or their server said that the address is none (REFUSED), and why."""
    if status == GONE:
        subscriber.address = ""
    subscriber.status, subscriber.ended_at = status, now
    subscriber.reason = plain_line(reason)[:_LONGEST_REASON] if reason else None
    subscriber.turn += 1
    session.flush()


def list_subscribers(
    session: Session,
    show: Show,
    *,
    search: str = "",
    status: str = "",
    limit: int = 50,
    offset: int = 0,
) -> tuple[Sequence[Subscriber], int]:
    """A page of those whose address holds `search`, newest first, and how many there are."""
    wanted: list[ColumnElement[bool]] = [Subscriber.show_id == show.id]
    if text := clean_text(search).strip().lower():
        wanted.append(func.lower(Subscriber.address).contains(text, autoescape=True))
    if status:
        wanted.append(Subscriber.status == status)
    total = session.scalar(select(func.count()).select_from(Subscriber).where(*wanted)) or 0
    rows = session.scalars(
        select(Subscriber)
        .where(*wanted)
        .order_by(Subscriber.asked_at.desc(), Subscriber.id)
        .limit(limit)
        .offset(offset)
    ).all()
    return rows, total


def forget_subscriber(session: Session, show: Show, subscriber_id: str) -> None:
    """Remove somebody for good, as if they had never been. Raises NotFound."""
    row = session.get(Subscriber, subscriber_id) if may_be_slug(subscriber_id) else None
    if row is None or row.show_id != show.id:
        raise NotFound("There is no such subscriber here.")
    session.delete(row)
    session.flush()


def prune_subscribers(session: Session, *, now: datetime) -> None:
    """Forget those who never confirmed; who left before and asked again is gone again."""
    late = (
        Subscriber.status == WAITING,
        Subscriber.asked_at < now - CONFIRMED_WITHIN,
    )
    session.execute(
        update(Subscriber)
        .where(*late, Subscriber.confirmed_at.is_not(None))
        .values(status=GONE, address="")
    )
    session.execute(delete(Subscriber).where(*late))


def address_digest(show_id: str, address: str) -> str:
    """By which an address is recognised; another one in each show."""
    said = f"{show_id}\n{address.strip().casefold()}"
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _named(session: Session, show: Show, secret: str, *, lock: bool) -> Subscriber | None:
    id_ = subscriber_id_in(secret)
    if not may_be_slug(secret):
        return None
    found = session.get(Subscriber, id_, with_for_update=True if lock else None)
    return found if found is not None and found.show_id == show.id else None
