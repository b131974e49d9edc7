"""Calls of the API in the name of somebody with a role on a show."""

from collections.abc import Callable
from typing import Any

import httpx

from podhost.accounts.accounts import create_account, create_token
from podhost.app import create_app
from podhost.instance import Instance
from podhost.models import Membership, Show
from tests.asgi_client import Client

Ask = Callable[..., httpx.Response]


def calls_by_role(instance: Instance, show: Show, usual_role: str) -> Ask:
    """Sends a method and a path as who has the `usual_role` on the show, or the `role` that is
    named; a stranger has none. Whoever calls first gets an account and a token."""
    client = Client(create_app(instance))
    tokens: dict[str, str] = {}

    def token(role: str) -> str:
        now = instance.now()
        with instance.database.write() as session:
            account, _ = create_account(session, f"{role}@pod.example", now=now)
            if role != "stranger":
                session.add(
                    Membership(show_id=show.id, account_id=account.id, role=role, created_at=now)
                )
            return create_token(session, account, name="test", now=now)[1]

    def send(method: str, path: str, *, role: str = usual_role, **options: Any) -> httpx.Response:
        tokens[role] = tokens.get(role) or token(role)
        headers = {"Authorization": f"Bearer {tokens[role]}"}
        return client.request(method, path, headers=headers, **options)

    return send
