"""The API's calls for imports: begun by a program, done by the worker, told to the program."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from podhost.app import create_app
from podhost.config import read_settings
from podhost.fetching import Fetcher
from podhost.importing.documents import forget_documents
from podhost.importing.worker import next_import
from podhost.instance import Instance, open_instance
from podhost.models import FeedDocument
from podhost.worker import run_due_jobs
from tests.asgi_client import Client
from tests.conftest import FrozenClock
from tests.importing.test_runs import with_audio
from tests.old_host import OldHost, item, old_host
from tests.web.test_api import Program, token_for

IMPORTS = "/api/v1/imports"


@pytest.fixture
def host() -> Iterator[OldHost]:
    with old_host() as running:
        yield running


@pytest.fixture
def importing(environment: dict[str, str], clock: FrozenClock, host: OldHost) -> Iterator[Instance]:
    settings = read_settings(environment | {"PODHOST_FETCH_ALLOWED": host.address})
    instance = open_instance(settings, clock=clock)
    yield instance
    instance.close()


@pytest.fixture
def client(importing: Instance) -> Program:
    return Program(Client(create_app(importing)), token_for(importing, "alice@example.org"))


def work(instance: Instance, host: OldHost) -> None:
    with Fetcher(allowed=(host.address,), user_agent="podhost tests") as fetcher:
        while True:
            run_due_jobs(instance)
            step = next_import(instance, fetcher, owner="a-1-b")
            if step is None:
                break
            step()


def test_a_program_moves_a_show_in_and_tries_again_what_failed(
    client: Program, importing: Instance, host: OldHost
) -> None:
    bodies = with_audio(host, 1)
    feed = host.feed(item(2), item(1))
    begun = client.post(IMPORTS, json={"source": feed})
    assert begun.status_code == 201, begun.text
    assert begun.json()["state"] == "reading"
    path = begun.headers["location"].removeprefix("https://pod.example")
    work(importing, host)
    done = client.get(path).json()
    assert done["state"] == "done"
    assert done["show"] == "tide-tables"
    assert done["size_bytes"] == len(bodies["/1.mp3"])
    assert (done["episodes"]["done"], done["episodes"]["failed"]) == (1, 1)
    assert "404" in next(e["error"] for e in done["episode_list"] if e["guid"] == "g2")
    with_audio(host, 2)
    again = client.post(f"{path}/retry")
    assert again.status_code == 200, again.text
    assert again.json()["episodes"]["waiting"] == 1
    work(importing, host)
    (listed,) = client.get(IMPORTS).json()["imports"]
    assert (listed["episodes"]["done"], listed["episodes"]["failed"]) == (2, 0)
    assert client.post(f"{path}/retry").status_code == 409


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_a_feed_that_cannot_be_read_says_why_and_can_be_tried_again(
    client: Program, importing: Instance, host: OldHost
) -> None:
    path = f"{IMPORTS}/{client.post(IMPORTS, json={'source': host.url + '/x'}).json()['id']}"
    work(importing, host)
    found = client.get(path).json()
    assert found["state"] == "failed"
    assert "has no feed at this address (404)" in found["error"]
    with_audio(host, 1)
    host.feed(item(1), path="/x")
    assert client.post(f"{path}/retry").json()["state"] == "reading"
    work(importing, host)
    assert client.get(path).json()["episodes"]["done"] == 1


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
@pytest.mark.parametrize("source", ["", "/etc/passwd", "feed\x00.example/x", "a" * 5000])
def test_what_is_no_address_is_refused(client: Program, source: str) -> None:
    answer = client.post(IMPORTS, json={"source": source})
    assert answer.status_code == 422
    assert "source" in answer.json()["error"]["fields"]


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
@pytest.mark.parametrize("given", [{}, {"mine": True}])
def test_an_import_without_a_source_is_refused(client: Program, given: dict[str, bool]) -> None:
    answer = client.post(IMPORTS, json=given)
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"] == {"source": "It is missing."}


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_a_locked_show_comes_when_it_is_mine(
    client: Program, importing: Instance, host: OldHost
) -> None:
    with_audio(host, 1)
    feed = host.feed(item(1), channel="<podcast:locked>yes</podcast:locked>")
    refused = client.post(IMPORTS, json={"source": feed}).json()
    work(importing, host)
    path = f"{IMPORTS}/{refused['id']}"
    assert "podcast:locked" in client.get(path).json()["error"]
    assert client.post(IMPORTS, json={"source": feed, "mine": True}).status_code == 201
    work(importing, host)
    assert client.get(path).json()["episodes"]["done"] == 1


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_an_import_that_is_not_there_is_404(client: Program) -> None:
    assert client.get(f"{IMPORTS}/nothing").status_code == 404
    assert client.post(f"{IMPORTS}/nothing/retry").status_code == 404


def test_a_feed_comes_as_an_uploaded_file(
    client: Program, importing: Instance, host: OldHost, clock: FrozenClock
) -> None:
    bodies = with_audio(host, 1)
    host.feed(item(1))
    body = host.answers.pop("/feed.xml").body
    files = {"feed": ("old <b>.xml", body, "text/xml")}
    looked = client.post(f"{IMPORTS}/preview", files=files)
    assert looked.status_code == 200, looked.text
    assert looked.json()["title"] == "Tide Tables"
    begun = client.post(IMPORTS, files=files, data={"mine": "true"})
    assert begun.status_code == 201, begun.text
    assert begun.json()["source"] == "old <b>.xml"
    # An upload that nobody imported goes after a week, this one stays.
    clock.advance(days=8)
    with importing.database.write() as session:
        forget_documents(session, now=importing.now())
    work(importing, host)
    done = client.get(f"{IMPORTS}/{begun.json()['id']}").json()
    assert (done["state"], done["size_bytes"]) == ("done", len(bodies["/1.mp3"]))


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_an_uploaded_feed_that_nobody_imported_is_forgotten(
    client: Program, importing: Instance, host: OldHost, clock: FrozenClock
) -> None:
    host.feed(item(1))
    files = {"feed": ("old.xml", host.answers["/feed.xml"].body, "text/xml")}
    assert client.post(f"{IMPORTS}/preview", files=files).status_code == 200
    clock.advance(days=8)
    with importing.database.write() as session:
        forget_documents(session, now=importing.now())
        assert session.scalar(select(FeedDocument.name)) is None


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"  ", "empty"),
        (
            b"<opml version='2.0'><body><outline xmlUrl='https://a.example/f'/></body></opml>",
            "OPML",
        ),
        (b"PK\x03\x04 no feed", ""),
    ],
)
def test_a_file_that_is_no_feed_is_refused_with_a_sentence(
    client: Program, body: bytes, said: str
) -> None:
    answer = client.post(f"{IMPORTS}/preview", files={"feed": ("x.xml", body, "text/xml")})
    assert answer.status_code == 422
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)
def test_a_preview_says_what_would_come_and_brings_nothing(client: Program, host: OldHost) -> None:
    with_audio(host, 2)
    feed = host.feed(item(2), item(1), channel="<podcast:locked>yes</podcast:locked>")
    looked = client.post(f"{IMPORTS}/preview", json={"source": feed}).json()
    assert (looked["title"], looked["episodes"], looked["is_locked"]) == ("Tide Tables", 2, True)
    assert [entry["title"] for entry in looked["newest"]] == ["Number 2", "Number 1"]
    assert "podcast:locked" in looked["refusals"][0]
    mine = client.post(f"{IMPORTS}/preview", json={"source": feed, "mine": True}).json()
    assert mine["refusals"] == []
    assert client.get(IMPORTS).json() == {"imports": []}
