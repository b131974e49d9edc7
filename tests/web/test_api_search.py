"""The API's search, through the whole application."""

from pathlib import Path

import pytest

from podhost.accounts.accounts import create_account, create_token
from podhost.app import create_app
from podhost.instance import Instance
from podhost.models import Membership
from podhost.people import CreditInput
from podhost.worker import run_due_jobs
from tests.asgi_client import Client
from tests.making import make_episode, make_show

PATH = "/api/v1/shows/tide-tables/search"


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_a_show_is_searched_by_whoever_may_see_it(instance: Instance, mp3: Path) -> None:
    show = make_show(instance)
    guests = [CreditInput(name="Ann Ocean", bio="Swims.")]
    episode = make_episode(instance, show, mp3, guests=guests)
    client = Client(create_app(instance))
    headers, now = {}, instance.now()
    with instance.database.write() as session:
        for role in ("analyst", "stranger"):
            account, _ = create_account(session, f"{role}@pod.example", now=now)
            token = create_token(session, account, name="test", now=now)[1]
            headers[role] = {"Authorization": f"Bearer {token}"}
            if role == "analyst":
                session.add(
                    Membership(show_id=show.id, account_id=account.id, role=role, created_at=now)
                )
    run_due_jobs(instance)

    def ask(role: str = "analyst", **params: object) -> tuple[int, dict[str, object]]:
        answer = client.request("GET", PATH, headers=headers[role], params=params)
        return answer.status_code, answer.json()

    status, found = ask(q="ocean")
    assert status == 200
    assert found["counts"] == {"episode": 1, "person": 1, "article": 0, "transcript": 0}
    person, named = found["hits"]  # type: ignore[misc]
    assert (person["kind"], person["slug"]) == ("person", "ann-ocean")
    assert person["title"] == [{"text": "Ann ", "hit": False}, {"text": "Ocean", "hit": True}]
    assert person["snippet"] == [{"text": "Swims.", "hit": False}]
    assert (named["id"], named["time_seconds"]) == (episode.id, None)
    for nothing in ({"q": "\x00'\"*" * 2000}, {}, {"q": "ocean", "offset": 10**9}):
        status, found = ask(**nothing)
        assert (status, found["hits"]) == (200, [])
    assert ask(q="ocean", kind="x")[0] == 422
    assert ask("stranger", q="ocean")[0] == 404
