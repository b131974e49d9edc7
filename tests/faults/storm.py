"""A storm of kills: a real podhost that is killed at random points, and what must be left of it.

Every operation notes what was acknowledged; `settle` says what is missing, doubled or left over.
"""

import hashlib
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import mutagen.id3
from sqlalchemy import select

from podhost import commands, jobs, sweep, worker
from podhost.audio.waveforms import waveform_key
from podhost.checks import check_instance
from podhost.config import read_settings
from podhost.formats.showfolder import read_episode
from podhost.instance import Instance, open_instance, utc_now
from podhost.models import Artwork, Audio, Episode, Transcript
from podhost.storage.folder import LocalStorage
from tests.audio_files import lame, with_id3
from tests.running import Running, clean_environment, run_command
from tests.waiting import wait_for

SHOW = "storm"
FOLDER_SHOW = "folder"


@dataclass
class Known:
    """An episode that somebody was told of: its bytes, and what the world may see of it."""

    guid: str
    sha256: str
    status: str
    at: datetime | None = None


@dataclass
class Storm:
    """One podhost on one pair of engines, its dice, and the book of what was acknowledged."""

    environment: dict[str, str]
    dice: random.Random
    folder: Path
    kills: Counter[str] = field(default_factory=Counter)
    known: dict[str, Known] = field(default_factory=dict)
    running: Running | None = None
    token: str = ""
    # How long each kind of work takes: a guess, until one went undisturbed.
    lengths: dict[str, float] = field(
        default_factory=lambda: {"upload": 0.6, "publish": 0.2, "replace": 0.4, "folder": 2.5}
    )
    is_calm: bool = False
    description: str = "The first one."

    # The processes

    def start(self) -> Running:
        """A serving podhost with its worker; the one that runs, if it does."""
        if self.running is None:
            self.running = Running(["serve", "--port", "0"], self.environment)
        self.running.wait_until_ready()
        return self.running

    def kill(self, target: str) -> None:
        """SIGKILL the server alone, its worker alone, or everything at once."""
        running = self.running
        assert running is not None
        children = children_of(running.process.pid)
        self.kills[target] += 1
        if target == "worker":
            victims = [pid for pid in children if "worker" in command_of(pid)]
        else:
            victims = [running.process.pid, *(children if target == "everything" else [])]
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if target != "worker":
            running.stop(signal.SIGKILL)
            self.running = None

    def kill_during(self, name: str, work: Callable[[], Any], target: str) -> Any:
        """What the work answered, or None when it was killed first.

        The point is drawn from a little more than the time that the work takes undisturbed.
        """
        answers: list[Any] = []

        def run() -> None:
            with suppress(httpx.TransportError):
                answers.append(work())

        self.start()
        thread = threading.Thread(target=run)
        began_at = time.monotonic()
        thread.start()
        if self.is_calm:
            thread.join()
            self.lengths[name] = time.monotonic() - began_at
            return answers[0] if answers else None
        time.sleep(self.dice.uniform(0, 1.15 * self.lengths[name]))
        self.kill(target)
        thread.join()
        return answers[0] if answers else None

    # Talking to it

    def call(self, method: str, path: str, **given: Any) -> httpx.Response:
        """One call of the API."""
        url = self.start().wait_until_ready()
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.request(method, f"{url}/api/v1{path}", headers=headers, timeout=60, **given)

    def prepare(self) -> None:
        """A token and a show."""
        with self.instance() as instance:
            self.token = commands.make_token(instance, email=None, name="storm", scope="write")[
                "token"
            ]
        given = {"title": "Storm", "description": self.description, "author": "The sea"}
        assert self.call("POST", "/shows", json=given).status_code == 201

    @contextmanager
    def instance(self, ahead: timedelta = timedelta(0)) -> Iterator[Instance]:
        """An instance in this process, with a clock that is ahead by so much."""
        opened = open_instance(read_settings(self.environment), clock=lambda: utc_now() + ahead)
        try:
            yield opened
        finally:
            opened.close()

    def sound(self) -> bytes:
        """Two seconds of MP3, made different from all others and some hundred KB long."""
        noise = self.dice.randbytes(self.dice.randrange(50_000, 400_000))
        return with_id3(lame(2), mutagen.id3.PRIV(owner="storm", data=noise))

    def episode(self, guid: str) -> dict[str, Any] | None:
        """How the API tells of an episode, by its guid; None when there is none."""
        offset = 0
        while True:
            page = self.call("GET", f"/shows/{SHOW}/episodes?limit=200&offset={offset}").json()
            for found in page["episodes"]:
                if found["guid"] == guid:
                    return dict(found)
            offset += 200
            if page["next"] is None:
                return None

    # What is killed

    def upload(self, target: str, status: str) -> None:
        """A new episode by the API: a draft, published, or scheduled for in a moment."""
        guid, audio = f"storm-{secrets.token_hex(8)}", self.sound()
        sha256 = hashlib.sha256(audio).hexdigest()
        at = datetime.now(UTC) + timedelta(seconds=1.5) if status == "scheduled" else None
        publish = {"draft": "false", "published": "true"}.get(status) or str(at)
        given = {"title": f"Episode {guid[-8:]}", "guid": guid, "publish": publish}

        def post() -> httpx.Response:
            files = {"audio": ("storm.mp3", audio, "audio/mpeg")}
            return self.call("POST", f"/shows/{SHOW}/episodes", data=given, files=files)

        answer = self.kill_during("upload", post, target)
        is_told = answer is not None and answer.status_code == 201
        if answer is not None and not is_told:
            # Whoever is told of a failure may try again; nothing may be there of the first try.
            assert answer.status_code >= 500, answer.text
        found = self.episode(guid)
        assert found is not None or not is_told, f"{guid} was acknowledged and is not there"
        if found is not None:
            self.require_whole(found, sha256)
        # Who got no answer sends it again: one of them counts.
        again = post()
        assert again.status_code == (409 if found is not None else 201), again.text
        self.known[guid] = Known(guid, sha256, "draft" if status == "draft" else "published", at)

    def publish(self, target: str) -> None:
        """A draft, published by a call of its own."""
        guid, audio = f"storm-{secrets.token_hex(8)}", self.sound()
        given = {"title": f"Draft {guid[-8:]}", "guid": guid}
        files = {"audio": ("storm.mp3", audio, "audio/mpeg")}
        made = self.call("POST", f"/shows/{SHOW}/episodes", data=given, files=files)
        path = f"/shows/{SHOW}/episodes/{made.json()['id']}"
        self.known[guid] = Known(guid, hashlib.sha256(audio).hexdigest(), "draft")
        answer = self.kill_during("publish", lambda: self.call("POST", path + "/publish"), target)
        status = self.call("GET", path).json()["status"]
        assert status in ("draft", "published")
        assert answer is None or (answer.status_code, status) == (200, "published")
        self.known[guid].status = status

    def replace(self, target: str) -> None:
        """New audio for an episode that is there: the old or the new, never neither."""
        guid = self.dice.choice([guid for guid in self.known if guid.startswith("storm-")])
        audio, before = self.sound(), self.known[guid].sha256
        sha256 = hashlib.sha256(audio).hexdigest()
        found = self.episode(guid)
        assert found is not None
        path = f"/shows/{SHOW}/episodes/{found['id']}"
        files = {"audio": ("storm.mp3", audio, "audio/mpeg")}
        answer = self.kill_during(
            "replace", lambda: self.call("PUT", path + "/audio", files=files), target
        )
        now = self.call("GET", path).json()["audio"]["sha256"]
        assert now in (before, sha256)
        assert answer is None or answer.status_code >= 500 or now == sha256
        self.known[guid].sha256 = now

    def render(self, target: str) -> None:
        """A change that every reader of the feed sees, killed while the feed is made."""
        self.description = f"Number {secrets.token_hex(4)}."
        answer = self.call("PATCH", f"/shows/{SHOW}", json={"description": self.description})
        assert answer.status_code == 200
        time.sleep(self.dice.uniform(0, 0.5))
        self.kill(target)

    def publish_folder(self, _target: str) -> None:
        """`podhost publish FOLDER`, killed; what it said last is done, and the next run ends it."""
        folder = self.folder / FOLDER_SHOW
        folder.mkdir(exist_ok=True)
        (folder / "show.toml").write_text('title = "Folder"\nauthor = "The sea"\n')
        count = len(list(folder.glob("*.md")))
        for number in range(count, count + 2):
            front = f"---\ntitle: Part {number}\ndate: 2026-03-01\n---\n"
            (folder / f"{number:04}.md").write_text(front)
            (folder / f"{number:04}.mp3").write_bytes(self.sound())
        arguments = [sys.executable, "-m", "podhost", "publish", str(folder)]
        began_at = time.monotonic()
        with subprocess.Popen(
            arguments,
            env={**clean_environment(), **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            if not self.is_calm:
                time.sleep(self.dice.uniform(0, 1.1 * self.lengths["folder"]))
                process.kill()
                self.kills["folder"] += 1
            assert process.stdout is not None
            said = process.stdout.read()
        if self.is_calm:
            self.lengths["folder"] = time.monotonic() - began_at
        if "Done: " in said:
            self._learn_folder(folder)
        again = run_command("publish", str(folder), environment=self.environment)
        assert again.returncode == 0, again.stdout + again.stderr
        self._learn_folder(folder)

    def _learn_folder(self, folder: Path) -> None:
        """Every text has its guid by now, and each of them is an episode that was promised."""
        for path in folder.glob("*.md"):
            guid = read_episode(path.read_text()).guid
            assert guid is not None
            sha256 = hashlib.sha256(path.with_suffix(".mp3").read_bytes()).hexdigest()
            self.known[guid] = Known(guid, sha256, "published")

    # What must be left

    def require_whole(self, found: Mapping[str, Any], sha256: str) -> None:
        """The episode has its bytes, and they can be heard."""
        assert found["audio"]["sha256"] == sha256, "the episode is there with other audio"
        if found["status"] == "published":
            assert self.listen(found["enclosure_url"]) == sha256

    def listen(self, enclosure_url: str) -> str:
        """The SHA-256 of what a listener gets. A serving process hears of news within a moment."""
        path = httpx.URL(enclosure_url).raw_path.decode()
        url = self.start().wait_until_ready()
        answer = wait_for(
            lambda: httpx.get(url + path, follow_redirects=True, timeout=30),
            lambda answer: answer.status_code == 200,
        )
        return hashlib.sha256(answer.content).hexdigest()

    def settle(self) -> str:
        """Let everything come to rest, and require what was promised; a line on what was seen."""
        # What a killed worker had in hand is taken over once its lease has ended.
        with self.instance(jobs.LEASE + timedelta(seconds=5)) as instance:
            worker.run_sweep(instance)
            worker.run_due_jobs(instance)
        self._require_rows()
        heard = self._require_feeds()
        checked = run_command("check", environment=self.environment)
        assert checked.returncode == 0, checked.stderr
        self.close()
        self._require_nothing_left_over()
        kills = ", ".join(f"{count} {name}" for name, count in sorted(self.kills.items()))
        return (
            f"{sum(self.kills.values())} kills ({kills}); {len(self.known)} acknowledged, "
            f"{heard} heard from the feed; none missing, none doubled"
        )

    def _require_rows(self) -> None:
        with self.instance() as instance, instance.database.read() as session:
            rows = session.execute(
                select(Episode.guid, Episode.status, Episode.published_at, Audio.sha256)
                .join(Audio, Audio.episode_id == Episode.id)
                .where(Audio.replaced_at.is_(None))
            ).all()
        assert len(rows) == len({row.guid for row in rows})
        found = {row.guid: (row.status, row.sha256) for row in rows}
        assert found == {guid: (known.status, known.sha256) for guid, known in self.known.items()}
        for row in rows:
            at = self.known[row.guid].at
            if at is not None:
                assert row.published_at.replace(microsecond=0) >= at.replace(microsecond=0)

    def _require_feeds(self) -> int:
        url = self.start().wait_until_ready()
        guids: list[str] = []
        for slug in (SHOW, FOLDER_SHOW) if (self.folder / FOLDER_SHOW).exists() else (SHOW,):
            channel = ElementTree.fromstring(self._last_feed(url, slug))[0]
            if slug == SHOW:
                assert channel.findtext("description") == self.description
            for item in channel.iter("item"):
                guid, enclosure = item.findtext("guid", ""), item.find("enclosure")
                assert enclosure is not None
                guids.append(guid)
                assert self.listen(enclosure.attrib["url"]) == self.known[guid].sha256
        wanted = sorted(guid for guid, known in self.known.items() if known.status == "published")
        assert sorted(guids) == wanted
        return len(guids)

    def _last_feed(self, url: str, slug: str) -> bytes:
        """The feed as polls get it, once the serving process has heard of the last rendering."""
        with self.instance() as instance:
            last = commands.feed_of(instance, slug)
        wait_for(
            lambda: httpx.get(f"{url}/{slug}/feed.xml", timeout=30).content,
            lambda body: body == last,
        )
        return last

    def _require_nothing_left_over(self) -> None:
        """The sweep, by a clock two days ahead, leaves what rows know and nothing else."""
        age_files(Path(self.environment["TMPDIR"]), days=2)
        with self.instance(timedelta(days=2)) as instance:
            sweep.remove_unneeded(instance.database, instance.storage, now=instance.now())
            sweep.remove_abandoned_folders(Path(self.environment["TMPDIR"]))
            instance.storage.sweep_temporary(0)
            with instance.database.read() as session:
                known = set(session.scalars(select(Audio.storage_key)))
                # Those that the worker has come to.
                drawings = {waveform_key(audio) for audio in session.scalars(select(Audio))}
                known |= set(session.scalars(select(Transcript.storage_key)))
                pictures = set(session.scalars(select(Artwork.id)))
            stored = {stat.key for stat in instance.storage.list()}
            art = {key for key in stored if key.startswith("artwork/")}
            assert {key.split("/")[1] for key in art} <= pictures
            copies = {key for key in stored if key.startswith("public/")}
            assert stored - art - copies - drawings == known | {sweep.OWNER_KEY, sweep.NEWEST_KEY}
            if isinstance(instance.storage, LocalStorage):
                assert not [*(instance.storage.root / "tmp").iterdir()]
            problems, _ = check_instance(instance, progress=lambda done, total: None)
            assert problems == []
        left = [path.name for path in Path(self.environment["TMPDIR"]).iterdir()]
        assert left == [], "left in the folder for temporary files"

    def close(self) -> None:
        """End what runs, as an operator would."""
        running, self.running = self.running, None
        if running is not None:
            with running:
                running.stop()


def new_storm(environment: Mapping[str, str], seed: int, folder: Path) -> Storm:
    """A storm whose temporary files go to a folder of its own."""
    temporary = folder / "temporary"
    temporary.mkdir()
    return Storm({**environment, "TMPDIR": str(temporary)}, random.Random(seed), folder)


def age_files(folder: Path, *, days: float) -> None:
    """Let everything in the folder look as if it was last written so long ago."""
    then = time.time() - days * 86_400
    for path in folder.rglob("*"):
        os.utime(path, (then, then), follow_symlinks=False)


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started, and those that they have."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *children_of(int(child))]
    return found


def command_of(pid: int) -> str:
    """The command line of a process; empty when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
