"""Who may do what, as a table: every page and every call, for everybody."""

import pytest

from podhost.accounts.roles import ROLES, Permission
from podhost.instance import Instance
from podhost.shows import ShowInput, create_show
from podhost.web.api import OPERATIONS
from podhost.web.studio.table import ROUTES
from tests.asgi_client import Client
from tests.studio_client import EVERYBODY, StudioClient

SHOW = "tides"
_OF_THE_SHOW = {Permission.VIEW, Permission.EDIT, Permission.MANAGE}


def allowed(role: str) -> set[Permission]:
    """What somebody may do on the show of these tests."""
    if role == "nobody":
        return {Permission.ANYONE}
    everybody = {Permission.ANYONE, Permission.SIGNED_IN}
    if role == "operator":
        return everybody | _OF_THE_SHOW | {Permission.OPERATE}
    return everybody | set(ROLES.get(role, ()))


@pytest.fixture
def visitors(instance: Instance) -> dict[str, StudioClient]:
    with instance.database.write() as session:
        given = ShowInput(title="Tides", slug=SHOW)
        create_show(session, given, base_url=instance.base_url, now=instance.now())
    first = StudioClient(instance)
    client: Client = first.client
    return {role: StudioClient.visit_as(instance, role, SHOW, client=client) for role in EVERYBODY}


def path_of(pattern: str) -> str:
    """An address that names the show, and of everything else something that is not there."""
    parts = []
    for part in pattern.split("/"):
        name = part.strip("{}").partition(":")[0]
        parts.append(part if not part.startswith("{") else SHOW if name == "show" else "0" * 16)
    return "/".join(parts)


@pytest.mark.parametrize("role", EVERYBODY)
def test_every_page_is_for_those_who_may(visitors: dict[str, StudioClient], role: str) -> None:
    visitor = visitors[role]
    for route in ROUTES:
        # Without the proof of a form: who may not is told so first, and nothing is changed.
        answer = visitor.request(route.method, path_of(route.path), data={})
        told = f"{role} {route.method} {route.path}: {answer.status_code}"
        if route.needs in allowed(role):
            if route.method == "GET":
                assert answer.status_code not in (401, 500), told
                if route.needs is not Permission.ANYONE:
                    assert "/studio/login" not in answer.headers.get("location", ""), told
                if "{" not in route.path.replace("{show}", ""):
                    assert answer.status_code in (200, 303), told
            else:
                assert answer.status_code in (403, 404, 422), told
        elif role == "nobody":
            assert answer.status_code in (303, 401), told
            if answer.status_code == 303:
                assert answer.headers["location"].startswith("/studio/login"), told
        elif route.needs in _OF_THE_SHOW and role == "stranger":
            assert answer.status_code == 404, told
        else:
            assert answer.status_code == 403, told


@pytest.mark.parametrize("role", EVERYBODY)
def test_every_call_is_for_those_who_may(visitors: dict[str, StudioClient], role: str) -> None:
    visitor = visitors[role]
    # Those that end the show come last.
    for operation in sorted(OPERATIONS, key=lambda operation: operation.method == "DELETE"):
        if role in ("owner", "operator") and operation.path.endswith("{show}"):
            continue
        answer = visitor.call(operation.method, path_of(operation.path).removeprefix("/api/v1"))
        told = f"{role} {operation.method} {operation.path}: {answer.status_code} {answer.text}"
        if operation.needs in allowed(role):
            assert answer.status_code not in (401, 403, 500), told
        elif role == "nobody":
            assert answer.status_code == 401, told
        elif operation.needs in _OF_THE_SHOW and role == "stranger":
            assert answer.status_code == 404, told
        else:
            assert answer.status_code == 403, told


def test_no_show_has_pages_that_ask_for_less_than_a_role() -> None:
    for pattern, needs in [
        *((route.path, route.needs) for route in ROUTES),
        *((operation.path, operation.needs) for operation in OPERATIONS),
    ]:
        if "{show}" in pattern:
            assert needs in _OF_THE_SHOW, pattern


def test_a_token_for_one_show_is_good_for_no_other(instance: Instance) -> None:
    from podhost.accounts.accounts import create_token
    from podhost.models import Account

    owner = StudioClient.visit_as(instance, "operator")
    with instance.database.write() as session:
        shows = [
            create_show(
                session, ShowInput(title=title), base_url=instance.base_url, now=instance.now()
            )
            for title in ("One", "Two")
        ]
        account = session.get(Account, owner.account_id)
        assert account is not None
        _, secret = create_token(
            session, account, name="x", show_id=shows[0].id, now=instance.now()
        )
    headers = {"Authorization": f"Bearer {secret}"}
    client = owner.client
    assert client.get("/api/v1/shows/one", headers=headers).status_code == 200
    assert client.get("/api/v1/shows/two", headers=headers).status_code == 404
    listed = client.get("/api/v1/shows", headers=headers).json()["shows"]
    assert [show["slug"] for show in listed] == ["one"]
    assert client.get("/api/v1/jobs", headers=headers).status_code == 403
