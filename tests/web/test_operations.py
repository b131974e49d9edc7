"""Alive, ready, metrics."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from podhost.app import create_app
from podhost.config import read_settings
from podhost.errors import Unavailable
from podhost.instance import Instance, open_instance
from podhost.jobs import enqueue
from podhost.site.settings import SiteInput, change_site
from podhost.traffic import Numbers, Traffic, mark_dead, new_run_folder
from podhost.web import operations
from tests.asgi_client import Client
from tests.conftest import FrozenClock
from tests.making import feed_body, make_episode, make_show
from tests.waiting import wait_for

LOOPBACK = ("127.0.0.1", 50000)
ELSEWHERE = ("203.0.113.9", 50000)


@pytest.fixture
def client(instance: Instance) -> Iterator[Client]:
    with Client(create_app(instance)) as client:
        yield client


def samples(client: Client, **headers: str) -> dict[tuple[str, ...], float]:
    """Every number of /metrics by its name and the values of its labels."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_get_and_head_work(client: Client, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = client.request(method, path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"


def test_it_is_ready_when_database_and_storage_answer(client: Client) -> None:
    assert client.get("/readyz").text == "ready"


def test_a_schema_that_is_too_old_is_not_ready_but_alive(
    instance: Instance, client: Client
) -> None:
    with instance.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "unavailable"
    assert "podhost migrate" in answer.json()["error"]["message"]
    assert answer.headers["retry-after"]
    assert client.get("/healthz").status_code == 200


class SlowStorage:
    """A store whose check hangs until it is let go; counts how many hang."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.checks = 0

    def check(self) -> None:
        self.checks += 1
        self.let_go.wait(60)


def test_a_store_that_hangs_is_told_and_not_asked_again_meanwhile(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(operations, "KEPT_SECONDS", 0.0)
    slow = SlowStorage()
    with Client(create_app(instance)) as client:
        monkeypatch.setattr(instance.storage, "check", slow.check)
        with Client(create_app(instance)) as client:
            for _ in range(3):
                answer = client.get("/readyz")
                assert answer.status_code == 503
                assert "The storage does not answer" in answer.json()["error"]["message"]
            # Of a thread that has only just begun.
            assert wait_for(lambda: slow.checks) == 1
            slow.let_go.set()
            monkeypatch.setattr(operations, "CHECK_SECONDS", 40)
            # The check that hung is over; the next one is asked anew and answers.
            assert client.get("/readyz").status_code == 200


def test_a_store_that_fails_is_told_in_its_own_words(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise Unavailable("The bucket is gone.")

    monkeypatch.setattr(instance.storage, "check", fail)
    with Client(create_app(instance)) as client:
        assert client.get("/readyz").json()["error"]["message"] == "The bucket is gone."


def test_metrics_count_answers_shows_episodes_and_jobs(
    instance: Instance, client: Client, mp3: Path
) -> None:
    show = make_show(instance)
    make_episode(instance, show, mp3)
    make_episode(instance, show, None, "A draft", publish=False)
    client.get("/")
    client.get("/nothing/")
    found = samples(client)
    assert found["podhost_answers_total", "200", "site"] == 1
    assert found["podhost_answers_total", "404", "site"] == 1
    assert found["podhost_sent_bytes_total", "200", "site"] > 0
    assert found["podhost_shows",] == 1
    assert found["podhost_published_episodes",] == 1
    # The feed, and the index of the search.
    assert found["podhost_jobs", "waiting"] == 2
    assert found["podhost_database_up",] == 1
    assert sum(value for name, value in found.items() if "resident_memory" in name[0]) > 0


def test_metrics_say_how_long_work_has_been_waiting_for_a_worker(
    instance: Instance, client: Client, clock: FrozenClock
) -> None:
    assert samples(client)["podhost_jobs_late_seconds",] == 0
    with instance.database.write() as session:
        now = instance.now()
        enqueue(session, "render_show", "1", now=now, run_at=now)
        enqueue(session, "render_show", "2", now=now, run_at=now + timedelta(hours=1))
    clock.advance(seconds=90)
    assert samples(client)["podhost_jobs_late_seconds",] == 90


def test_metrics_count_polls_and_feeds_in_memory(instance: Instance) -> None:
    show = make_show(instance)
    feed_body(instance, show)
    app = create_app(instance)
    with Client(app) as client:
        for _ in range(3):
            assert client.get(f"/{show.slug}/feed.xml").status_code == 200
        app._spool.flush()  # type: ignore[attr-defined]
        found = samples(client)
    polls = {name: value for name, value in found.items() if name[0] == "podhost_answers_total"}
    assert sum(polls.values()) == 3
    assert found["podhost_feeds_in_memory",] == 1
    assert found["podhost_spool_backlog",] == 0
    assert found["podhost_spool_dropped_total",] == 0


def test_metrics_go_on_while_the_database_is_away(tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    settings = read_settings({"PODHOST_DATA": str(tmp_path), "PODHOST_DATABASE_URL": url})
    instance = open_instance(settings)
    # No lifespan: it needs the database, as the start of a server does.
    found = samples(Client(create_app(instance)))
    assert found["podhost_database_up",] == 0
    assert ("podhost_shows",) not in found
    instance.close()


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        (LOOPBACK, {}, 200),
        (("::1", 50000), {}, 200),
        (("::ffff:127.0.0.1", 50000), {}, 200),
        (ELSEWHERE, {}, 403),
        (ELSEWHERE, {"X-Forwarded-For": "127.0.0.1"}, 403),
        # A proxy on this machine that nobody declared: its clients are not this machine.
        (LOOPBACK, {"X-Forwarded-For": "203.0.113.9"}, 403),
        (LOOPBACK, {"X-Forwarded-For": "127.0.0.1"}, 403),
        (LOOPBACK, {"Forwarded": "for=203.0.113.9"}, 403),
        (LOOPBACK, {"X-Forwarded-Proto": "https"}, 403),
        (LOOPBACK, {"CF-Connecting-IP": "203.0.113.9"}, 403),
        (ELSEWHERE, {"Authorization": "Bearer anything"}, 403),
    ],
)
def test_without_a_token_metrics_are_for_this_machine(
    instance: Instance, peer: tuple[str, int], headers: dict[str, str], status: int
) -> None:
    client = Client(create_app(instance), peer=peer)
    assert client.get("/metrics", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("peer", "authorization", "status"),
    [
        (ELSEWHERE, "Bearer right-token", 200),
        (ELSEWHERE, "bearer right-token", 200),
        (ELSEWHERE, "Bearer wrong-token", 401),
        (ELSEWHERE, "Bearer t\xf6ken", 401),
        (ELSEWHERE, "Basic right-token", 401),
        (ELSEWHERE, "", 401),
        (LOOPBACK, "", 200),
        (LOOPBACK, "Bearer wrong-token", 401),
    ],
)
def test_with_the_token_metrics_are_for_those_who_have_it(
    environment: dict[str, str], peer: tuple[str, int], authorization: str, status: int
) -> None:
    settings = read_settings({**environment, "PODHOST_METRICS_TOKEN": "right-token"})
    instance = open_instance(settings)
    client = Client(create_app(instance), peer=peer)
    answer = client.get("/metrics", headers={"Authorization": authorization.encode("latin-1")})
    assert answer.status_code == status
    assert "right-token" not in answer.text
    instance.close()


# Several processes


def sibling(folder: Path, pid: int, answers: int) -> Traffic:
    """What another process of the same server would leave in the folder."""
    other = Traffic(folder)
    other._pid = pid
    for _ in range(answers):
        other.count("site", 200, 10)
    other.sources.append(lambda numbers: numbers.states.update(feeds_in_memory=5))
    other._save()
    return other


def test_metrics_speak_of_all_processes_of_the_server(instance: Instance, tmp_path: Path) -> None:
    sibling(tmp_path, 999_999_999, answers=7)
    with Client(create_app(instance, tmp_path)) as client:
        client.get("/")
        found = samples(client)
    assert found["podhost_answers_total", "200", "site"] == 8
    assert found["podhost_feeds_in_memory",] == 5
    assert ("podhost_resident_memory_bytes", "999999999") in found


def test_sums_of_a_process_that_died_stay_and_its_states_go(tmp_path: Path) -> None:
    sibling(tmp_path, 7, answers=3)
    mark_dead(tmp_path, 7)
    # The system gives the number to the process that takes its place.
    sibling(tmp_path, 7, answers=2)
    mark_dead(tmp_path, 7)
    mark_dead(tmp_path, 7)
    numbers = Traffic(tmp_path).all()
    assert numbers.answers["site", 200] == (5, 50)
    assert "feeds_in_memory" not in numbers.states
    assert 7 not in numbers.memory_bytes


def test_a_torn_file_of_a_sibling_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text('{"answers": [[')
    assert Traffic(tmp_path).all().answers == {}


def test_numbers_add_up() -> None:
    numbers = Numbers(answers={("api", 200): (1, 5)}, sums={"a": 1})
    numbers.add(Numbers(answers={("api", 200): (2, 5)}, sums={"a": 2, "b": 1}, states={"c": 1}))
    assert numbers.answers == {("api", 200): (3, 10)}
    assert numbers.sums == {"a": 3, "b": 1}
    assert numbers.states == {"c": 1}


def test_a_server_removes_the_folders_of_killed_ones_and_leaves_those_in_use(
    tmp_path: Path,
) -> None:
    abandoned = tmp_path / "server-killed"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    with new_run_folder(tmp_path) as first:
        with new_run_folder(tmp_path) as second:
            assert first != second
            assert not abandoned.exists()
            assert first.exists()
        assert not second.exists()
        assert first.exists()
    assert not first.exists()


def test_proxies_are_told_which_domains_are_known(instance: Instance) -> None:
    show = make_show(instance)
    with instance.database.write() as session:
        change_site(session, show, SiteInput(domain="tides.example"), now=instance.now())
    with Client(create_app(instance)) as client:
        asked = {
            domain: client.get("/-/domain", params={"domain": domain}).status_code
            for domain in ("tides.example", "TIDES.example.", "tides.example:80", "x", "", "é\r\n")
        }
        assert client.get("/-/domain").status_code == 404
        # At the domain itself too, where everything else is the show's.
        headers = {"Host": "tides.example"}
        there = client.get("/-/domain?domain=tides.example", headers=headers)
    assert list(asked.values()) == [200, 200, 404, 404, 404, 404]
    assert (there.text, there.headers["cache-control"]) == ("tides.example", "no-store")
