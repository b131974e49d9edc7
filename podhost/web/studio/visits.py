"""One visit of the studio: who asks, what was sent, and how it is answered; it knows no page.

A handler is a plain function of a Visit, called in a thread after everything was checked: the
sign-in, what the account may do, and that a form came from a page of ours.
"""

import base64
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from podhost.accounts.roles import Permission, act
from podhost.accounts.sessions import SESSION_DAYS, SignedIn, csrf_token
from podhost.episodes import get_episode
from podhost.instance import Instance
from podhost.models import Episode, Show
from podhost.shows import get_show
from podhost.translations import Words, choose_language, words
from podhost.web.auth import client_address, cookie_name, cookie_secret, is_behind_tls
from podhost.web.forms import FormValues
from podhost.web.studio import pages
from podhost.web.uploading import ReceivedFile

ANYONE = Permission.ANYONE
SIGNED_IN = Permission.SIGNED_IN
STUDIO = "/studio"
_SAID = "podhost_said"
_VISIT = "podhost_visit"
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class StudioRoute:
    """One method on one path below /studio, and what somebody must be allowed to use it.

    `files` names the file fields of a form with files; all other forms are small. `admit` looks
    at a visit that needs no account before its form is received, and raises to refuse it.
    """

    method: str
    path: str
    handler: Callable[["Visit"], Response]
    needs: Permission
    files: tuple[str, ...] = ()
    admit: Callable[["Visit"], None] | None = None


@dataclass
class Visit:
    """One request as the studio's handlers see it."""

    instance: Instance
    request: Request
    parameters: Mapping[str, str]
    actor: SignedIn | None = None
    form: FormValues = field(default_factory=FormValues)
    files: Mapping[str, ReceivedFile] = field(default_factory=dict)
    # The id of the show that the path names, once it has been looked up.
    show_id: str | None = None
    # What the visitor may do on that show.
    allowed: frozenset[Permission] = frozenset()
    _new_visit: str = ""
    _cookies: list[tuple[str, str, int | None]] = field(default_factory=list)

    # What was asked

    @property
    def query(self) -> QueryParams:
        """What stands behind the question mark."""
        return self.request.query_params

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        return self.instance.now()

    @property
    def address(self) -> str:
        """Where the visitor comes from."""
        return client_address(self.request)

    @property
    def device(self) -> str:
        """What the visitor's browser calls itself."""
        return self.request.headers.get("user-agent", "")

    @cached_property
    def language(self) -> str:
        """The language to answer in."""
        wanted = self.actor.language if self.actor is not None else None
        return choose_language(wanted, self.request.headers.get("accept-language", ""))

    @cached_property
    def words(self) -> Words:
        """Sentences in the language to answer in."""
        return words(self.language)

    @property
    def account(self) -> SignedIn:
        """Who is signed in, where the route takes nobody else."""
        assert self.actor is not None
        return self.actor

    # The database

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A database session that only looks."""
        with self.instance.database.read() as session:
            act(session, self.actor)
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A database session that changes, in which the visitor acts."""
        with self.instance.database.write() as session:
            act(session, self.actor)
            yield session

    def leave_row(self) -> None:
        """The row of the audit trail for what is being done, where no other row is written."""
        with self.write():
            pass

    def show(self, session: Session, *, lock: bool = False) -> Show:
        """The show that the path names. Raises NotFound or Gone."""
        return get_show(session, self.parameters["show"], lock=lock)

    def episode(self, session: Session, *, lock: bool = False) -> Episode:
        """The episode that the path names. Raises NotFound or Gone."""
        return get_episode(session, self.show(session, lock=lock), self.parameters["episode"])

    # Answers

    @property
    def csrf(self) -> str:
        """What every form of this visitor's pages carries."""
        return csrf_token(self.secret)

    @property
    def secret(self) -> str:
        """Of the sign-in; before it, of a cookie that does nothing but tell visitors apart."""
        found = cookie_secret(self.request, instance=self.instance)
        if found and self.actor is not None:
            return found
        if not self._new_visit:
            found = self.request.cookies.get(self._named(_VISIT), "")
            self._new_visit = found or secrets.token_urlsafe(18)
            if not found:
                self._cookies.append((_VISIT, self._new_visit, None))
        return self._new_visit

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """The answer that a template makes."""
        said = self._take_said()
        body = pages.render(self, template, said=said, **values)
        response = Response(body, status, pages.headers(self.instance), "text/html")
        return self.send(response)

    def redirect(self, path: str, *, say: str = "", undo: str = "") -> Response:
        """On to another page of the studio, which says `say` once.

        `undo` is the path of a route that takes it back; a button beside the words asks for it.
        """
        if say:
            told = json.dumps({"say": say[:500], "undo": undo[:500]})
            packed = base64.urlsafe_b64encode(told.encode()).decode()
            self._cookies.append((_SAID, packed, 60))
        return self.send(RedirectResponse(STUDIO + path, 303, {"Cache-Control": "no-store"}))

    def sign_in(self, secret: str) -> None:
        """Have the browser keep a sign-in."""
        self._cookies.append(("", secret, SESSION_DAYS * _DAY_SECONDS))

    def sign_out(self) -> None:
        """Have the browser forget its sign-in."""
        self._cookies.append(("", "", 0))

    def keep(self, name: str, value: str, seconds: int) -> None:
        """Have the browser keep something for so long; nothing for no time: forget it."""
        self._cookies.append((name, value, seconds))

    def kept(self, name: str) -> str:
        """What the browser keeps by this name; "": nothing."""
        return self.request.cookies.get(self._named(name), "")

    def send(self, response: Response) -> Response:
        """An answer of any kind, with the cookies of this visit."""
        for name, value, max_age in self._cookies:
            response.set_cookie(
                self._named(name) if name else cookie_name(self.instance.base_url),
                value,
                max_age=max_age,
                secure=is_behind_tls(self.instance.base_url),
                httponly=True,
                samesite="lax",
            )
        self._cookies.clear()
        return response

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if is_behind_tls(self.instance.base_url) else name

    def _take_said(self) -> dict[str, str]:
        packed = self.request.cookies.get(self._named(_SAID), "")
        if not packed:
            return {}
        self._cookies.append((_SAID, "", 0))
        try:
            told = json.loads(base64.urlsafe_b64decode(packed.encode()))
            undo = str(told["undo"])
            return {"say": str(told["say"]), "undo": undo if undo.startswith("/") else ""}
        except (ValueError, KeyError, TypeError):
            return {}
