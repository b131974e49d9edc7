"""The audit trail of accounts and teams: who did what to whom, and nothing that was refused."""

import re
from typing import NamedTuple

import pytest
from sqlalchemy import select

from podhost.instance import Instance
from podhost.models import AuditEntry
from tests.making import make_show
from tests.studio_client import StudioClient

TEAM = "/shows/tide-tables/team"
PASSWORD, OTHER = "long enough", "harbour lights"

pytestmark = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


class Trail(NamedTuple):
    """What stands in the trail since the last look."""

    instance: Instance

    def news(self) -> list[tuple[str, str, str]]:
        """The action, who did it, and to whom."""
        with self.instance.database.write() as session:
            rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
            for row in rows:
                session.delete(row)
        return [(row.action, row.actor_name, row.subject) for row in rows]


@pytest.fixture
def trail(instance: Instance) -> Trail:
    make_show(instance)
    return Trail(instance)


@pytest.fixture
def owner(instance: Instance, trail: Trail) -> StudioClient:
    visitor = StudioClient.visit_as(instance, "owner", "tide-tables")
    trail.news()
    return visitor


def test_a_wrong_password_changes_nothing_and_the_right_one_does(
    owner: StudioClient, trail: Trail
) -> None:
    form = {"old_password": "wrong", "password": OTHER}
    assert owner.post("/account/password", form).status_code == 422
    assert owner.call("PUT", "/account/password", json=form).status_code == 422
    assert owner.call("DELETE", "/account", json={"password": "wrong"}).status_code == 422
    assert trail.news() == []
    owner.post("/account/password", {**form, "old_password": PASSWORD})
    assert trail.news() == [("save_password", "Owner", "")]
    form = {"old_password": OTHER, "password": "another harbour"}
    owner.call("PUT", "/account/password", json=form)
    assert trail.news() == [("put_own_password", "Owner", "")]


def test_whom_it_was_done_to_is_named(owner: StudioClient, trail: Trail) -> None:
    editor = StudioClient.visit_as(
        owner.instance, "editor", "tide-tables", client=owner.client
    ).account_id
    trail.news()
    owner.post(f"{TEAM}/members/{editor}", {"role": "analyst"})
    owner.call("PUT", f"/shows/tide-tables/members/{editor}", json={"role": "editor"})
    owner.post(f"{TEAM}/members/{editor}/remove")
    assert trail.news() == [
        ("change_role", "Owner", "Editor"),
        ("put_member", "Owner", "Editor"),
        ("remove_member", "Owner", "Editor"),
    ]
    owner.post("/account/tokens", {"token_name": "Backup", "scope": "read", "days": "30"})
    assert trail.news() == [("make_token", "Owner", "Backup")]


def test_invitations_stand_there_without_their_secret(owner: StudioClient, trail: Trail) -> None:
    secrets = []
    for email in ("dora@example.org", "stranger@pod.example"):
        invited = owner.post(f"{TEAM}/invitations", {"email": email, "role": "editor"})
        secrets += re.findall(r"/studio/invitations/([\w-]+)", invited.text)
        assert trail.news() == [("invite", "Owner", email)]
    guest = StudioClient(owner.instance, owner.client)
    guest.get(f"/invitations/{secrets[0]}")
    guest.post(f"/invitations/{secrets[0]}", {"name": "Dora", "password": OTHER})
    assert trail.news() == [("accept_invitation", "Dora", "")]
    stranger = StudioClient.visit_as(owner.instance, "stranger", client=owner.client)
    trail.news()
    stranger.call("POST", f"/account/invitations/{secrets[1]}")
    assert trail.news() == [("post_own_acceptance", "Stranger", "")]
