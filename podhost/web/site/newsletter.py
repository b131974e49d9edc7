"""The newsletter's pages for listeners: sign-up, confirmation, and the way out.

A GET shows a button and changes nothing, because programs that look for harmful mail open links.
"""

import math

from podhost.accounts.login_limits import require_sign_up
from podhost.errors import Invalid, TooManyRequests
from podhost.models import Newsletter
from podhost.newsletter.links import make_signer, reading_signer
from podhost.newsletter.settings import choices_of
from podhost.newsletter.subscribers import (
    CONFIRMED,
    confirm,
    find_open,
    get_to_confirm,
    read_address,
    require_unsubscribable,
    sign_up,
    unsubscribe,
)
from podhost.shows import get_show
from podhost.web.responses import error_status
from podhost.web.site.looks import Head, Look, Page, SiteRoute

# What no person sees and programs that fill in all fields do.
TRAP = "website"
# A secret in its address is told to nobody.
_SECRET_HEADERS = {"referrer-policy": "no-referrer"}


def sign_up_page(look: Look) -> Page:
    """`/<show>/newsletter`: the form."""
    return _form(look, find_open(look.session, look.show))


def take_sign_up(look: Look) -> Page:
    """Mail the address a link; the answer is the same whoever it is."""
    newsletter = find_open(look.session, look.show)
    typed = look.form.text("address")
    try:
        address = read_address(typed)
        if not look.form.has(TRAP) or not look.form.text(TRAP):
            _ask(look, address)
    except (Invalid, TooManyRequests) as error:
        sentence = next(iter(error.fields.values()), error.message)
        told = {"error": look.words.said(sentence)}
        headers = {}
        if isinstance(error, TooManyRequests):
            headers["retry-after"] = str(math.ceil(error.wait_seconds))
        return _form(look, newsletter, typed, error_status(error.code), headers, **told)
    return _told(look, "sent", address=address)


def _ask(look: Look, address: str) -> None:
    database, now, show = look.instance.database, look.now, look.show
    # Counted before anything else, and also where that fails.
    with database.write() as session:
        is_first = require_sign_up(session, show.id, address, look.address, now)
    if not is_first:
        return
    with database.write() as session:
        sign_up(
            session,
            # Locked, so that whoever presses twice is one.
            get_show(session, show.slug, lock=True),
            address,
            look.form.text("wants"),
            signer=make_signer(session, look.instance.settings),
            base_url=look.base_url,
            now=now,
        )


def confirm_page(look: Look) -> Page:
    """A button: mail is sent once it is pressed."""
    signer = reading_signer(look.session, look.instance.settings)
    secret = look.parameters["secret"]
    found = get_to_confirm(look.session, look.show, secret, signer=signer, now=look.now)
    is_done = found.status == CONFIRMED and found.wants == found.asked_wants
    return _told(look, "confirmed" if is_done else "confirm", address=found.address, secret=secret)


def take_confirmation(look: Look) -> Page:
    """It was pressed."""
    with look.instance.database.write() as session:
        found = confirm(
            session,
            get_show(session, look.show.slug),
            look.parameters["secret"],
            signer=make_signer(session, look.instance.settings),
            now=look.now,
        )
        address = found.address
    return _told(look, "confirmed", address=address)


def unsubscribe_page(look: Look) -> Page:
    """A button: no mail is sent once it is pressed."""
    secret = look.parameters["secret"]
    signer = reading_signer(look.session, look.instance.settings)
    require_unsubscribable(look.show, secret, signer=signer)
    return _told(look, "unsubscribe", secret=secret)


def take_unsubscription(look: Look) -> Page:
    """It was pressed, here or in a mail program (RFC 8058), which sends nothing else."""
    with look.instance.database.write() as session:
        unsubscribe(
            session,
            get_show(session, look.show.slug),
            look.parameters["secret"],
            signer=make_signer(session, look.instance.settings),
            now=look.now,
        )
    return _told(look, "unsubscribed")


def _form(
    look: Look,
    newsletter: Newsletter,
    typed: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
    **values: object,
) -> Page:
    _ = look.words
    return Page(
        template="site/newsletter.html",
        head=Head(
            title=_("Newsletter"),
            path="/newsletter",
            description=_("Get a mail when something new is out.") + f" {look.show.title}",
            picture=look.show.artwork,
        ),
        values={
            "choices": choices_of(newsletter),
            "typed": typed,
            "wanted": look.form.text("wants"),
            "error": "",
            **values,
        },
        status=status,
        headers=headers or {},
    )


def _told(look: Look, step: str, **values: str) -> Page:
    """What was done, or is done by pressing a button; of one reader, so it is not kept."""
    return Page(
        template="site/newsletter_step.html",
        head=Head(title=look.words("Newsletter"), path="/newsletter", is_indexed=False),
        values={"step": step, "address": "", "secret": "", **values},
        headers=_SECRET_HEADERS,
        is_kept=False,
    )


_CONFIRM, _UNSUBSCRIBE = "/newsletter/confirm/{secret}", "/newsletter/unsubscribe/{secret}"

ROUTES: tuple[SiteRoute, ...] = (
    SiteRoute("/newsletter", sign_up_page),
    SiteRoute("/newsletter", take_sign_up, "POST"),
    SiteRoute(_CONFIRM, confirm_page),
    SiteRoute(_CONFIRM, take_confirmation, "POST"),
    SiteRoute(_UNSUBSCRIBE, unsubscribe_page),
    SiteRoute(_UNSUBSCRIBE, take_unsubscription, "POST"),
)
