"""A real server answers whatever fits openapi.json, and whatever does not, as openapi.json says.

Schemathesis is a program of its own here, because its libraries warn of things that are not ours.
It tests with names that are there, so that calls get as far as the rows, and with any names.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from podhost.accounts.accounts import create_account, create_token
from podhost.config import read_settings
from podhost.db import migrate
from podhost.instance import Instance, open_instance
from podhost.web.api import OPERATIONS
from tests.making import make_episode, make_show
from tests.running import Running

SHORT_SECONDS = 3
LONG_SECONDS = 600
UNLIMITED = {"PODHOST_API_REQUESTS_PER_MINUTE": "0", "PODHOST_FAILED_LOGINS_PER_MINUTE": "0"}
# What no schema says, such as which categories there are, is refused with 422 and a sentence.
CONFIGURATION = """
continue-on-failure = true
[generation]
database = "none"
[checks]
positive_data_acceptance.expected-statuses = [
    "2xx", "401", "403", "404", "409", "410", "413", "415", "422", "429",
]
"""
# Deleting would end what the other calls are tried on.
KNOWN_NAMES = """
[parameters]
"path.show" = "tide-tables"
"path.episode" = "low-water"
[[operations]]
include-method = "DELETE"
parameters = { "path.show" = "high-tables" }
"""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed"
)


@dataclass
class Tried:
    """A server with a show, and what its API may be called with."""

    url: str
    token: str
    folder: Path
    seed: int

    def run(self, configuration: str, *options: str) -> str:
        """What schemathesis says in the end. Fails the test when an answer was not as described."""
        path = self.folder / "schemathesis.toml"
        path.write_text(f"seed = {self.seed}\n{CONFIGURATION}{configuration}")
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(path), "run"),
                *("--url", self.url, "-H", f"Authorization: Bearer {self.token}"),
                *("--suppress-health-check", "all", *options),
                f"{self.url}/api/v1/openapi.json",
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONG_SECONDS * 3,
        )
        assert ended.returncode == 0, (ended.stdout + ended.stderr)[-12_000:]
        return ended.stdout


@pytest.fixture(autouse=True)
def only_in_long_runs(request: pytest.FixtureRequest, long: bool) -> None:
    """The second pair of engines answers with the same code; it waits for a long run."""
    if not long and "postgresql" in str(request.node.callspec.params):
        pytest.skip("only with --long")


@pytest.fixture
def tried(environment: dict[str, str], mp3: Path, tmp_path: Path, seed: int) -> Iterator[Tried]:
    instance = open_instance(read_settings(environment))
    migrate(instance.database)
    token = _filled(instance, mp3)
    instance.close()
    arguments = ["serve", "--port", "0"]
    with Running(arguments, {**environment, **UNLIMITED}) as server:
        yield Tried(server.wait_until_ready(), token, tmp_path, seed)
        assert server.stop() == 0
        assert not [line for line in server.log if "Traceback" in line or '"ERROR"' in line]


def _filled(instance: Instance, mp3: Path) -> str:
    show = make_show(instance)
    make_episode(instance, show, mp3, notes="Ann walks out.")
    make_episode(instance, show, None, "Draft", publish=False)
    make_episode(instance, make_show(instance, "High Tables"), None, "Low water", publish=False)
    with instance.database.write() as session:
        account, _ = create_account(
            session,
            "alice@example.org",
            password="long enough",
            is_operator=True,
            now=instance.now(),
        )
        return create_token(session, account, name="test", scope="write", now=instance.now())[1]


@pytest.mark.timeout(LONG_SECONDS * 4)
def test_every_answer_is_one_that_is_described(tried: Tried, long: bool) -> None:
    if long:
        seconds = str(LONG_SECONDS // 2)
        options = ["--max-time", seconds, "--max-examples", "1000"]
        said = tried.run(KNOWN_NAMES, *options) + tried.run("", *options)
    else:
        options = ["--phases", "fuzzing,stateful", "--max-time", str(SHORT_SECONDS)]
        said = tried.run(KNOWN_NAMES, *options) + tried.run("", *options)
    count = len(OPERATIONS)
    assert f"Tested: {count}" in said or f"Selected: {count}/{count}" in said
