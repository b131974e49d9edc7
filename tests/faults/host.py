"""A whole podhost in this process, with an impatient database and store, and somebody at each door.

Its parts are the real ones; only their patience is shorter, so that a test need not wait for it.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from podhost.accounts.accounts import create_account, create_token
from podhost.app import create_app
from podhost.checks import check_instance
from podhost.config import read_settings
from podhost.db import Database
from podhost.errors import Unavailable
from podhost.instance import Instance
from podhost.models import Job
from podhost.storage import LocalStorage, S3Storage, Storage
from podhost.worker import run_worker
from tests.asgi_client import Client
from tests.faults.network import Network
from tests.making import make_episode, make_show
from tests.servers import S3Server
from tests.waiting import wait_for

FEED = "/tide-tables/feed.xml"
SHOW = "/api/v1/shows/tide-tables"
EPISODES = f"{SHOW}/episodes"
BUSY_SECONDS = 1.0
# The longest that a fault may hold up a call: what the parts below may wait for, one after the
# other, and room for a machine that has other things to do.
BOUND_SECONDS = 25.0


class Host:
    """Listeners poll and listen, a host writes, an operator looks."""

    def __init__(self, instance: Instance, client: Client, token: str, audio_path: str) -> None:
        self.instance = instance
        self.client = client
        self.audio_path = audio_path
        self._headers = {"Authorization": f"Bearer {token}"}

    def poll(self) -> httpx.Response:
        return self.client.get(FEED)

    def listen(self) -> httpx.Response:
        return self.client.get(self.audio_path)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One call of the API, which answers in time whatever happens."""
        started_at = time.monotonic()
        answer = self.client.request(method, path, headers=self._headers, **options)
        assert time.monotonic() - started_at < BOUND_SECONDS, answer.text
        assert answer.status_code != 500, answer.text
        return answer

    def rename(self, title: str) -> httpx.Response:
        """Something small is written."""
        return self.call("PATCH", SHOW, json={"title": title})

    def upload(self, audio: bytes, guid: str, **fields: str) -> httpx.Response:
        """A new episode, published."""
        files = {"audio": ("hello.mp3", audio, "audio/mpeg")}
        given = {"title": guid, "guid": guid, "publish": "true", **fields}
        return self.call("POST", EPISODES, files=files, data=given)

    def guids(self) -> set[str]:
        """The episodes that the database knows."""
        found = self.call("GET", EPISODES)
        assert found.status_code == 200, found.text
        return {episode["guid"] for episode in found.json()["episodes"]}

    def stored(self) -> set[str]:
        """The audio that lies in the storage; after an outage, as soon as it is asked again."""
        return set(wait_for(self._find_stored, lambda keys: keys is not None) or ())

    def _find_stored(self) -> set[str] | None:
        try:
            return {stat.key for stat in self.instance.storage.list("audio/")}
        except Unavailable:
            return None

    def assert_listeners_notice_nothing(self) -> None:
        """What is in memory or in a readable store goes on."""
        assert self.poll().status_code == 200
        assert (heard := self.listen()).status_code in (200, 302, 307), heard.status_code
        assert self.client.get("/healthz").status_code == 200

    def assert_not_ready(self, *reasons: str) -> None:
        """The operator is told why, in a moment."""
        answer = wait_for(lambda: self.client.get("/readyz"), lambda a: a.status_code == 503)
        assert any(reason in answer.text for reason in reasons), answer.text

    def assert_refused(self, answer: httpx.Response, reason: str) -> None:
        """503 with a sentence, and when to come again."""
        assert answer.status_code == 503, answer.text
        assert reason in answer.json()["error"]["message"], answer.text
        assert answer.headers["retry-after"]

    def assert_all_is_well(self) -> None:
        """Everything that was promised is there, and work has gone on by itself."""
        wait_for(lambda: self.client.get("/readyz"), lambda answer: answer.status_code == 200)
        title = f"Tides of {time.monotonic_ns()}"
        wait_for(lambda: self.rename(title), lambda answer: answer.status_code == 200)
        wait_for(self.poll, lambda answer: title in answer.text)
        problems, _ = check_instance(
            self.instance, patience_seconds=BOUND_SECONDS, progress=lambda done, total: None
        )
        # make_show() gives the show a picture in name only.
        problems = [problem for problem in problems if "Artwork" not in problem]
        assert not problems, problems


@contextmanager
def open_host(
    data: Path, mp3: Path, database: Database, storage: Storage, **variables: str
) -> Iterator[Host]:
    """A podhost with a show and an episode, its feed rendered, and a worker beside it that has
    nothing to do."""
    settings = read_settings(
        {"PODHOST_DATA": str(data), "PODHOST_BASE_URL": "http://pod.example", **variables}
    )
    instance = Instance(settings, database, storage)
    instance.base_url = settings.base_url
    storage.check()
    show = make_show(instance)
    episode = make_episode(instance, show, mp3, guid="first")
    assert episode.audio is not None
    with database.write() as session:
        account, _ = create_account(
            session,
            "alice@example.org",
            password="long enough",
            is_operator=True,
            now=instance.now(),
        )
        _, token = create_token(session, account, name="test", now=instance.now())
    stop = threading.Event()
    worker = threading.Thread(
        target=run_worker, args=(instance,), kwargs={"stop": stop, "longest_wait_seconds": 1}
    )
    worker.start()
    try:
        with Client(create_app(instance)) as client:
            path = f"/audio/{episode.id}/1/{episode.audio.url_name}.mp3"
            host = Host(instance, client, token, path)
            wait_for(host.poll, lambda answer: answer.status_code == 200)
            # From now on it is in memory.
            assert host.listen().status_code in (200, 302, 307)
            # What lies in the storage, and what is written, is a test's own from now on.
            wait_for(lambda: is_at_rest(instance))
            yield host
            assert worker.is_alive(), "the worker died"
    finally:
        stop.set()
        worker.join(30)
        instance.close()
        storage.close()


def is_at_rest(instance: Instance) -> bool:
    """Whether no job waits, and the cleaning up is over with which a worker begins."""
    with instance.database.read() as session:
        has_jobs = session.scalar(select(Job.id).where(Job.status != "failed").limit(1)) is not None
    beside = {thread.name for thread in threading.enumerate()}
    return not has_jobs and not beside & {"clean-up", "edge"}


def folder_at(path: Path) -> LocalStorage:
    """A store in a folder."""
    return LocalStorage(path)


def s3_behind(
    network: Network, server: S3Server, bucket: str, prefix: str, **patience: float
) -> S3Storage:
    """A store whose every byte goes through the network, and which waits for seconds only."""
    seconds = {"connect_seconds": 1.0, "answer_seconds": 1.0, "stored_seconds": 2.0, **patience}
    return server.storage(bucket, prefix, endpoint_url=network.url, **seconds)


class Lines(logging.Handler):
    """What podhost logs, as an operator reads it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def __enter__(self) -> "Lines":
        logging.getLogger("podhost").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("podhost").removeHandler(self)

    def assert_few_and_short(self, most: int = 30) -> None:
        """A line now and then, and no traceback: an outage is nobody's mistake."""
        lines = [record.getMessage() for record in self.records]
        assert len(lines) <= most, lines
        traced = [record.getMessage() for record in self.records if record.exc_info]
        assert not traced, traced
