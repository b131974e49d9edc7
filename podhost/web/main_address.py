"""Keeps what belongs to podhost itself at its own address; it decides nothing about shows' pages.

Cookies and the tokens of forms are that address's own, so that on a show's domain nobody is asked
for a password. Nothing here waits or asks a database.
"""

from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from podhost.catalogue import Catalogue, host_name
from podhost.instance import Instance

READING = ("GET", "HEAD")


class AtMainAddress:
    """Lets requests through to `app` but for those to the domain of a show."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or lead whoever reads to podhost's address.

        Raises HTTPException (421, RFC 9110 15.5.20) for what is sent.
        """
        address = _elsewhere(scope) if scope["type"] == "http" else None
        if address is None:
            await self._app(scope, receive, send)
        elif scope["method"] in READING:
            # Not for ever: which address is podhost's own is a setting.
            headers = {"Cache-Control": "no-store"}
            answer = RedirectResponse(same_place(address, scope), 302, headers)
            await answer(scope, receive, send)
        else:
            raise HTTPException(421, f"This is the domain of a show; send this to {address} again.")


def asked_host(scope: Scope) -> bytes:
    """The Host header; nothing where there is none."""
    return next((value for name, value in scope["headers"] if name == b"host"), b"")


def same_place(address: str, scope: Scope) -> str:
    """The path and the query of a request at another address, which ends without a slash."""
    query = scope["query_string"].decode("latin-1")
    return address + quote(scope["path"]) + (f"?{query}" if query else "")


def _elsewhere(scope: Scope) -> str | None:
    """Podhost's address, where a request is at a show's domain instead."""
    state = scope["app"].state
    catalogue: Catalogue = state.catalogue
    instance: Instance = state.instance
    host = asked_host(scope)
    if catalogue.find_domain(host) is None and catalogue.find_left_domain(host) is None:
        return None
    if host_name(host) == urlsplit(instance.base_url).hostname:
        return None
    # Loaded when it is needed: serving begins sooner.
    from podhost.shows import is_public

    # Where nobody has said what the address is, owners may know no other than their domain.
    return instance.base_url if is_public(instance.base_url) else None
