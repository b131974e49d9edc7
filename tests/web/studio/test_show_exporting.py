"""Taking a whole show away from the browser and by the API."""

import io
import zipfile
from pathlib import Path

import httpx
import pytest

from podhost import worker
from podhost.instance import Instance
from podhost.models import AuditEntry
from tests.exports.test_archives import work
from tests.making import make_episode, make_show
from tests.studio_client import StudioClient, text_of

ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
MOVE = "/shows/tide-tables/move"
EXPORTS = "/shows/tide-tables/exports"


@pytest.fixture
def owner(instance: Instance, mp3: Path) -> StudioClient:
    make_episode(instance, make_show(instance), mp3)
    worker.run_due_jobs(instance)
    return StudioClient.visit_as(instance, "owner", "tide-tables")


@ON_ONE_ENGINE
def test_everything_is_packed_and_downloaded(instance: Instance, owner: StudioClient) -> None:
    assert "Pack everything" in owner.get(MOVE).text
    asked = owner.post(EXPORTS, {})
    assert asked.status_code == 303
    assert "It waits for the worker." in owner.get(MOVE).text
    (told,) = owner.call("GET", EXPORTS).json()["exports"]
    assert (told["state"], told["url"]) == ("waiting", None)
    path = f"{EXPORTS}/{told['id']}"
    assert owner.get(path).status_code == 409

    work(instance)

    page = text_of(owner.get(MOVE))
    assert "It is ready:" in page
    assert "Download the ZIP file" in page
    answer = owner.get(path)
    date = f"{instance.now():%Y-%m-%d}"
    assert answer.headers["content-disposition"].startswith(
        f'attachment; filename="tide-tables-{date}.zip"'
    )
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "private, no-store"
    assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
    part = owner.get(path, headers={"Range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, answer.content[4:10])
    with instance.database.read() as session:
        (entry,) = session.query(AuditEntry).filter_by(action="begin_archive")
        assert entry.show_id is not None
    # While a newer one is made, this one can still be had.
    owner.post(EXPORTS, {})
    assert f'href="/studio{path}"' in owner.get(MOVE).text


@ON_ONE_ENGINE
def test_programs_have_it_made_and_fetch_it(instance: Instance, owner: StudioClient) -> None:
    asked = owner.call("POST", EXPORTS)
    assert asked.status_code == 202
    one = asked.headers["location"].removeprefix(instance.base_url).removeprefix("/api/v1")
    assert owner.call("GET", f"{one}/file").status_code == 409
    assert owner.call("POST", EXPORTS).json()["id"] == asked.json()["id"]

    work(instance)

    ready = owner.call("GET", one).json()
    assert (ready["state"], ready["done"], ready["total"]) == ("ready", 2, 2)
    path = ready["url"].removeprefix(instance.base_url).removeprefix("/api/v1")
    whole = owner.call("GET", path)
    assert len(whole.content) == ready["size_bytes"]
    rest = owner.call("GET", path, headers={"Range": "bytes=100-"})
    assert (rest.status_code, rest.content) == (206, whole.content[100:])


@ON_ONE_ENGINE
@pytest.mark.parametrize("role", ["editor", "analyst", "stranger"])
def test_only_who_manages_the_show_takes_it_away(
    instance: Instance, owner: StudioClient, role: str
) -> None:
    asked = owner.call("POST", EXPORTS).json()["id"]
    work(instance)
    other = StudioClient.visit_as(instance, role, "tide-tables")
    refused = 404 if role == "stranger" else 403
    for path in (EXPORTS, f"{EXPORTS}/{asked}", f"{EXPORTS}/{asked}/file"):
        assert other.call("GET", path).status_code == refused
    assert other.get(f"{EXPORTS}/{asked}").status_code == refused
    assert other.post(EXPORTS).status_code == refused


@ON_ONE_ENGINE
def test_an_archive_of_another_show_is_not_found(instance: Instance, owner: StudioClient) -> None:
    make_show(instance, "Ebb")
    asked = owner.call("POST", EXPORTS).json()["id"]
    operator = StudioClient.visit_as(instance, "operator")
    assert operator.call("GET", f"/shows/ebb/exports/{asked}").status_code == 404
    assert operator.get(f"/shows/ebb/exports/{asked}").status_code == 404


def test_it_is_saved_under_its_name_from_any_store(instance: Instance, owner: StudioClient) -> None:
    asked = owner.call("POST", EXPORTS).json()["id"]
    work(instance)
    ready = owner.call("GET", f"{EXPORTS}/{asked}").json()
    answer = owner.get(f"{EXPORTS}/{asked}")
    if answer.status_code == 302:
        answer = httpx.get(answer.headers["location"], timeout=30)
    assert answer.status_code == 200
    assert ready["file_name"] in answer.headers["content-disposition"]
    assert answer.headers["content-type"] == "application/zip"
    assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
