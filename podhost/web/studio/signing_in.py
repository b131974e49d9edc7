"""What every way into the studio ends with: a sign-in for the browser, and where it leads."""

import re

from podhost.accounts.sessions import start_session
from podhost.history.audit import acts_as
from podhost.models import Account
from podhost.web.studio.visits import STUDIO, Visit

# Ours, below /studio, and nothing that a browser could take for another host's address.
_OWN_PATH = re.compile(r"/studio(?:/[A-Za-z0-9._~%/-]*)?(?:\?[A-Za-z0-9._~%=&+-]*)?")


def enter(visit: Visit, account: Account) -> None:
    """Sign an account in, in the visitor's browser."""
    acts_as(account.id, account.name or account.email)
    with visit.write() as session:
        secret = start_session(
            session, account, address=visit.address, device=visit.device, now=visit.now()
        )
    visit.sign_in(secret)


def way_on(wanted: str) -> str:
    """The path below /studio to go to, which came from an address bar and may be anything."""
    return wanted.removeprefix(STUDIO) if _OWN_PATH.fullmatch(wanted) else "/"


def typed_password(visit: Visit, name: str) -> str:
    """As it was typed: spaces at its ends may be part of it."""
    given = visit.form.all(name)
    return given[-1] if given else ""
