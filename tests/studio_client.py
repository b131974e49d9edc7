"""A visitor of the studio without a browser: keeps cookies, sends forms as pages would."""

import re
from http.cookies import SimpleCookie
from typing import Any, Self

import httpx

from podhost.accounts.accounts import create_account
from podhost.accounts.sessions import csrf_token, start_session
from podhost.app import create_app
from podhost.instance import Instance
from podhost.models import Membership
from podhost.shows import get_show
from podhost.web.auth import cookie_name
from tests.asgi_client import Client

# Everybody who may come, by what they are to a show.
EVERYBODY = ("operator", "owner", "editor", "analyst", "stranger", "nobody")


class StudioClient:
    """One visitor. `visit_as` gives one who is signed in."""

    def __init__(self, instance: Instance, client: Client | None = None) -> None:
        self.instance = instance
        self.client = client or Client(create_app(instance))
        self.cookies: dict[str, str] = {}
        self.account_id = ""
        self._csrf = ""

    @classmethod
    def visit_as(
        cls, instance: Instance, role: str, show: str | None = None, *, client: Client | None = None
    ) -> Self:
        """Somebody new: an operator, an owner, editor or analyst of `show`, a stranger, nobody."""
        visitor = cls(instance, client)
        if role == "nobody":
            return visitor
        with instance.database.write() as session:
            account, _ = create_account(
                session,
                f"{role}@pod.example",
                name=role.title(),
                password="long enough",
                is_operator=role == "operator",
                now=instance.now(),
            )
            if role in ("owner", "editor", "analyst"):
                assert show is not None
                session.add(
                    Membership(
                        show_id=get_show(session, show).id,
                        account_id=account.id,
                        role=role,
                        created_at=instance.now(),
                    )
                )
            secret = start_session(
                session, account, address="127.0.0.1", device="tests", now=instance.now()
            )
            visitor.account_id = account.id
        visitor.cookies[cookie_name(instance.base_url)] = secret
        return visitor

    @property
    def secret(self) -> str:
        """Of whatever cookie stands for this visitor."""
        name = cookie_name(self.instance.base_url)
        return self.cookies.get(name) or next(iter(self.cookies.values()), "")

    @property
    def csrf(self) -> str:
        """What the forms of the page that was opened last carry."""
        return self._csrf or csrf_token(self.secret)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """A page; `path` is below the studio, or whole."""
        return self.request("GET", path, **options)

    def post(self, path: str, form: dict[str, Any] | None = None, **options: Any) -> httpx.Response:
        """Send a form as a page of this visitor would."""
        return self.request("POST", path, data={"csrf": self.csrf, **(form or {})}, **options)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of the API as scripts of our pages make it."""
        headers = {"X-CSRF-Token": self.csrf, **options.pop("headers", {})}
        return self.request(method, f"/api/v1{path}", headers=headers, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request, with this visitor's cookies; cookies of the answer are kept."""
        if not path.startswith(("/studio", "/api/", "/static/")):
            path = "/studio" + path
        headers = {"Accept": "text/html", **options.pop("headers", {})}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.client.request(method, path, headers=headers, **options)
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
                self._csrf = ""
        if found := re.search(r'name="csrf" content="(\w+)"', answer.text):
            self._csrf = found[1]
        return answer

    def follow(self, answer: httpx.Response) -> httpx.Response:
        """The page that an answer leads to."""
        assert answer.status_code == 303, text_of(answer)
        return self.get(answer.headers["location"])


def text_of(answer: httpx.Response) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)).strip()
