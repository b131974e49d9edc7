"""Moving a show in, whole: killed and gone on with, with bad episodes, again, and what is told."""

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audio_files import lame
from tests.old_host import Answer, OldHost, item, old_host
from tests.running import clean_environment, run_command
from tests.waiting import wait_for

on_sqlite = pytest.mark.parametrize("environment", ["sqlite+folder"], indirect=True)


@pytest.fixture
def host() -> Iterator[OldHost]:
    with old_host() as running:
        yield running


@pytest.fixture
def importing(environment: dict[str, str], host: OldHost) -> dict[str, str]:
    """The settings of a podhost that may read the host on loopback."""
    return environment | {"PODHOST_FETCH_ALLOWED": host.address}


@pytest.fixture
def run(importing: dict[str, str]) -> Callable[..., Any]:
    def run_import(*arguments: str, status: int = 0) -> Any:
        done = run_command("import", *arguments, "--json", environment=importing)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        whole = json.loads(done.stdout) if done.stdout else {}
        return whole | {"stderr": done.stderr}

    return run_import


def sound(number: int) -> bytes:
    """Audio that no other episode has."""
    return b"\xff\xfb\x90\xc4"[:0] + lame(2) + f"TAG{number}".encode().ljust(128, b"\0")


def with_audio(host: OldHost, count: int, **manners: Any) -> dict[str, bytes]:
    bodies = {f"/{number}.mp3": sound(number) for number in range(1, count + 1)}
    for path, body in bodies.items():
        host.answers[path] = Answer(body, etag=path.strip("/"), **manners)
    return bodies


# Killed


def test_a_killed_import_goes_on_and_downloads_nothing_whole_again(
    importing: dict[str, str], host: OldHost, run: Callable[..., Any], tmp_path: Path
) -> None:
    bodies = with_audio(host, 50, pause=0.005)
    feed = host.feed(*[item(number) for number in range(50, 0, -1)])
    process = subprocess.Popen(
        [sys.executable, "-m", "podhost", "import", feed],
        env={**clean_environment(), **importing},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: sum(host.sent[path] == len(body) for path, body in bodies.items()) > 15)
    process.send_signal(signal.SIGKILL)
    process.wait()
    sent_before = {path: host.sent[path] for path in bodies}
    whole = [path for path, body in bodies.items() if sent_before[path] == len(body)]
    assert len(whole) < 50
    parts = list((Path(importing["PODHOST_DATA"]) / "imports").glob("*.part"))
    (answer,) = run(feed)["imports"]
    # What was on its way when it was killed may have left the host and not arrived.
    again = [path for path in bodies if host.sent[path] > len(bodies[path])]
    assert len(again) <= 2
    assert all(host.sent[path] < 2 * len(bodies[path]) for path in again) or not parts
    assert answer["state"] == "done"
    assert (answer["episodes"]["done"], answer["episodes"]["total"]) == (50, 50)
    assert {e["sha256"] for e in answer["episode_list"]} == {
        hashlib.sha256(body).hexdigest() for body in bodies.values()
    }
    assert {e["status"] for e in answer["episode_list"]} == {"published"}
    assert [d for d in answer["differences"] if d["place"] != "show"] == []
    assert not list((Path(importing["PODHOST_DATA"]) / "imports").iterdir())
