"""Three servers, two workers, PostgreSQL and S3: machines come and go, and nobody notices.

Each process here stands for a machine; polls are sent as a proxy in front of them would send them.
"""

import hashlib
import json
import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import mutagen.id3
import pytest
from sqlalchemy import select

from podhost import jobs
from podhost.config import read_settings
from podhost.db import Database
from podhost.models import Job
from tests.audio_files import lame, with_id3
from tests.faults.polling import Polling
from tests.running import Running, run_command
from tests.servers import PostgresServer, S3Server
from tests.waiting import wait_for

SHOW = "tide"
SERVERS, WORKERS = 3, 2


@dataclass
class Network:
    """What runs, where it answers, and what was published through it."""

    environment: dict[str, str]
    folder: Path
    token: str = ""
    servers: list[Running] = field(default_factory=list)
    workers: list[Running] = field(default_factory=list)
    # Changed in place, so that who polls asks those that are there.
    urls: list[str] = field(default_factory=list)
    published: dict[str, str] = field(default_factory=dict)

    def new_process(self, *command: str) -> Running:
        """A machine with a data folder of its own."""
        data = self.folder / secrets.token_hex(4)
        return Running([*command], {**self.environment, "PODHOST_DATA": str(data)})

    def start(self) -> None:
        """Everything at once, on an empty database."""
        migrated = run_command("migrate", environment=self.environment)
        assert migrated.returncode == 0, migrated.stderr
        self.servers = [self.new_serving() for _ in range(SERVERS)]
        self.workers = [self.new_process("worker") for _ in range(WORKERS)]
        made = run_command("token", "create", "--json", environment=self.environment)
        self.token = json.loads(made.stdout)["token"]
        self.urls += [server.wait_until_ready() for server in self.servers]

    def new_serving(self) -> Running:
        """One more server; it does no jobs."""
        return self.new_process("serve", "--port", "0", "--no-worker")

    def replace_server(self, number: int) -> None:
        """Another one in the place of one that has ended."""
        self.servers[number] = self.new_serving()
        self.urls[number] = self.servers[number].wait_until_ready()

    def call(self, server: int, method: str, path: str, **given: Any) -> httpx.Response:
        """One call of the API; by the next server, where this one is gone."""
        headers = {"Authorization": f"Bearer {self.token}"}
        for turn in range(SERVERS):
            url = self.urls[(server + turn) % SERVERS]
            with suppress(httpx.TransportError):
                return httpx.request(
                    method, f"{url}/api/v1{path}", headers=headers, timeout=60, **given
                )
        raise AssertionError("no server answers")

    def publish(self, server: int) -> str:
        """An episode through one server, or, if that is killed meanwhile, through the next."""
        guid = f"tide-{secrets.token_hex(6)}"
        audio = with_id3(lame(2), mutagen.id3.PRIV(owner="x", data=secrets.token_bytes(20_000)))
        given = {"title": f"Part {guid}", "guid": guid, "publish": "true"}
        files = {"audio": ("tide.mp3", audio, "audio/mpeg")}
        answer = self.call(server, "POST", f"/shows/{SHOW}/episodes", data=given, files=files)
        # 409: the server that was killed had stored it, and could not say so any more.
        assert answer.status_code in (201, 409), answer.text
        self.published[guid] = hashlib.sha256(audio).hexdigest()
        return guid

    def guids(self, url: str) -> list[str]:
        """What stands in the feed that one server answers with."""
        channel = ElementTree.fromstring(httpx.get(f"{url}/{SHOW}/feed.xml", timeout=30).content)[0]
        return [item.findtext("guid", "") for item in channel.iter("item")]

    def require_all_everywhere(self) -> None:
        """Every server shows every published episode, once, and they can be heard."""
        wanted = sorted(self.published)
        for url in self.urls:
            wait_for(lambda url=url: sorted(self.guids(url)) == wanted, seconds=60)

    def stop(self) -> None:
        """End what still runs."""
        for process in (*self.servers, *self.workers):
            with process:
                process.stop()


@pytest.fixture(scope="module")
def network(
    postgres_server: PostgresServer,
    s3_server: S3Server,
    s3_bucket: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("machines")
    environment = {
        "PODHOST_DATA": str(folder / "commands"),
        "PODHOST_DATABASE_URL": postgres_server.create_database(),
        "PODHOST_STORAGE": f"s3://{s3_bucket}/machines-{secrets.token_hex(4)}",
        "PODHOST_BASE_URL": "https://pod.example",
        "PODHOST_AUDIO_DELIVERY": "stream",
        **s3_server.environment(),
    }
    network = Network(environment, folder)
    try:
        network.start()
        made = network.call(0, "POST", "/shows", json={"title": "Tide", "author": "Pier Nine"})
        assert made.status_code == 201
        network.publish(0)
        wait_for(
            lambda: all(is_there(f"{url}/{SHOW}/feed.xml") for url in network.urls), seconds=60
        )
        network.require_all_everywhere()
        yield network
    finally:
        network.stop()


@pytest.mark.timeout(400)
def test_servers_and_workers_are_killed_in_turn_and_nobody_misses_anything(
    network: Network, seed: int
) -> None:
    dice = random.Random(seed)
    with Polling(network.urls, f"/{SHOW}/feed.xml", apps=3, pause_seconds=0.01) as polling:
        for number in dice.sample(range(SERVERS), SERVERS):
            # In the middle of a publish through it.
            publishing = threading.Thread(target=network.publish, args=(number,))
            publishing.start()
            time.sleep(dice.uniform(0, 0.5))
            network.servers[number].stop(signal.SIGKILL)
            publishing.join()
            network.publish((number + 1) % SERVERS)
            network.replace_server(number)
        for number in dice.sample(range(WORKERS), WORKERS):
            seconds = kill_at_work(network, number)
            print(f"the job of a killed worker was done by the other after {seconds:.1f} s")
            network.publish(number)
            network.workers[number] = network.new_process("worker")
        network.require_all_everywhere()
    # Cut off is what a killed server had in hand; no other poll failed.
    assert all(poll.status == 0 for poll in polling.failed)
    assert len(polling.failed) <= SERVERS * polling.apps
    print(f"{len(polling.answered)} polls answered, {len(polling.failed)} cut off")
    checked = run_command("check", environment=network.environment)
    assert checked.returncode == 0, checked.stderr


def kill_at_work(network: Network, number: int) -> float:
    """Kill a worker that has a job in hand; how long it took until another had done that job."""
    database = Database(read_settings(network.environment).database_url)
    worker = network.workers[number]
    try:
        while True:
            # A new show: its first rendering draws a picture, which takes a while.
            slug = f"new-{secrets.token_hex(4)}"
            made = network.call(0, "POST", "/shows", json={"title": "New", "slug": slug})
            key = made.json()["id"]
            wait_for(lambda key=key: owner_of(database, key) is not None)
            pid = worker.process.pid
            os.kill(pid, signal.SIGSTOP)
            if f"-{pid}-" in (owner_of(database, key) or ""):
                break
            os.kill(pid, signal.SIGCONT)
        worker.stop(signal.SIGKILL)
        killed_at = time.monotonic()
        # Nobody else may do it before the lease ends; then somebody does.
        patience = jobs.LEASE.total_seconds() + 30
        path = f"{network.urls[0]}/{slug}/feed.xml"
        wait_for(lambda: is_there(path), seconds=patience)
        return time.monotonic() - killed_at
    finally:
        database.close()


def is_there(address: str) -> bool:
    """Whether it is answered with 200; a feed that is being made is not."""
    return httpx.get(address, timeout=30).status_code == 200


def owner_of(database: Database, key: str) -> str | None:
    """Who has the show's rendering in hand."""
    with database.read() as session:
        return session.scalar(
            select(Job.lease_owner).where(
                Job.kind == "render_show", Job.key == key, Job.status == "running"
            )
        )


@pytest.mark.timeout(400)
def test_a_rolling_restart_fails_no_request_and_cuts_no_download(network: Network) -> None:
    audio = lame(10) * 150
    given = {"title": "A long one", "guid": "long", "publish": "true"}
    files = {"audio": ("long.mp3", audio, "audio/mpeg")}
    made = network.call(0, "POST", f"/shows/{SHOW}/episodes", data=given, files=files)
    assert made.status_code == 201, made.text
    network.published["long"] = hashlib.sha256(audio).hexdigest()
    path = httpx.URL(made.json()["enclosure_url"]).raw_path.decode()
    network.require_all_everywhere()
    with Polling(network.urls, f"/{SHOW}/feed.xml", apps=3, pause_seconds=0.01) as polling:
        for number in range(SERVERS):
            restart_under_a_download(network, number, path, network.published["long"])
            network.publish(number)
        for number in range(WORKERS):
            assert network.workers[number].stop() == 0
            network.publish(number)
            network.workers[number] = network.new_process("worker")
        network.require_all_everywhere()
    assert [poll for poll in polling.failed if poll.status != 0] == []
    print(f"{len(polling.answered)} polls answered, {len(polling.failed)} cut off")
    assert polling.failed == []


def restart_under_a_download(network: Network, number: int, path: str, sha256: str) -> None:
    """SIGTERM while somebody listens slowly; a new one takes its place meanwhile."""
    old = network.servers[number]
    digest = hashlib.sha256()
    with httpx.stream("GET", network.urls[number] + path, timeout=60) as answer:
        assert answer.status_code == 200
        pieces = answer.iter_raw(65536)
        digest.update(next(pieces))
        old.process.terminate()
        network.replace_server(number)
        assert old.process.poll() is None, "it ended while somebody was listening"
        for piece in pieces:
            digest.update(piece)
    assert digest.hexdigest() == sha256
    assert old.process.wait(60) == 0
    old.stop()
    assert "Traceback" not in "\n".join(old.log)
