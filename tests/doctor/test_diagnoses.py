"""What the doctor says of our own shows, known at once while the feed is the same."""

import pytest

from podhost.app import create_app
from podhost.doctor import diagnoses
from podhost.doctor.diagnoses import diagnose, known_diagnosis
from podhost.errors import Unavailable
from podhost.feeds.hubs import site_of
from podhost.fetching import Fetcher
from podhost.instance import Instance
from podhost.shows import ShowInput, change_show, get_show
from tests.asgi_client import Client
from tests.making import feed_body, make_show
from tests.web.test_api import Program, token_for

ON_ONE_ENGINE = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@ON_ONE_ENGINE
def test_a_diagnosis_is_kept_until_the_feed_is_another_one(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = make_show(instance)
    feed_body(instance, show)
    # As if it had thousands of episodes.
    monkeypatch.setattr(diagnoses, "SMALL_BYTES", 0)
    site, now = site_of(instance), instance.now()
    with instance.database.read() as session:
        assert known_diagnosis(session, show, site, now=now) is None
        found = diagnose(session, show, site, now=now)
        assert known_diagnosis(session, show, site, now=now) is found
    with instance.database.write() as session:
        change_show(session, get_show(session, show.slug), ShowInput(blocked=True), now=now)
    feed_body(instance, show)
    with instance.database.read() as session:
        assert known_diagnosis(session, show, site, now=now) is None
        assert "hidden" in {one.rule for one in diagnose(session, show, site, now=now).findings}


@ON_ONE_ENGINE
def test_what_servers_answer_is_looked_at_when_somebody_asks(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.base_url = "http://127.0.0.1:9"
    show = make_show(instance)
    feed_body(instance, show)
    client = Program(Client(create_app(instance)), token_for(instance, "alice@example.org"))
    path = f"/api/v1/shows/{show.slug}/doctor"
    still = {finding["rule"] for finding in client.get(path).json()["findings"]}
    answer = client.post(path)
    assert answer.status_code == 200, answer.text
    live = {finding["rule"] for finding in answer.json()["findings"]}
    assert live > still
    assert "feed-unreachable" in live - still


def test_all_that_a_person_waits_for_has_an_end() -> None:
    with (
        Fetcher(allowed=("127.0.0.1:9",), user_agent="tests", all_seconds=0) as fetcher,
        pytest.raises(Unavailable, match="no time left"),
    ):
        fetcher.get("http://127.0.0.1:9/", max_bytes=1)
