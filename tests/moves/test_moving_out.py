"""A show leaves one podhost for another, as docs/leave.md says: two of them that really run."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from click.testing import CliRunner
from PIL import Image

from podhost.cli import podhost
from podhost.commands import moves
from tests.ports import kept_port
from tests.running import Running, clean_environment
from tests.waiting import wait_for

PATIENCE_SECONDS = 40


class Home:
    """One podhost, which may read what lies at the other."""

    def __init__(self, data: Path, port: int, other_port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.environment = {
            "PODHOST_DATA": str(data),
            "PODHOST_BASE_URL": self.url,
            "PODHOST_FETCH_ALLOWED": f"127.0.0.1:{port} 127.0.0.1:{other_port}",
        }

    def serve(self) -> Running:
        return Running(["serve", "--port", str(self.port)], self.environment)

    def run(self, *arguments: str, status: int = 0) -> str:
        # In this process: starting one for each command takes most of the time.
        done = CliRunner(env={**clean_environment(), **self.environment}).invoke(podhost, arguments)
        assert done.exit_code == status, done.output
        return done.output

    def feed(self, slug: str = "tide") -> str:
        return f"{self.url}/{slug}/feed.xml"


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[tuple[Home, Home]]:
    """The old host and the new one."""
    with ExitStack() as stack:
        ports = [stack.enter_context(kept_port()) for _ in range(2)]
        old = Home(tmp_path / "old", *ports)
        new = Home(tmp_path / "new", *reversed(ports))
        for home in (old, new):
            stack.enter_context(home.serve()).wait_until_ready()
        yield old, new


def items(body: bytes) -> dict[str, str]:
    """Enclosures by guid."""
    found = {}
    for item in ElementTree.fromstring(body).iter("item"):
        enclosure = item.find("enclosure")
        assert enclosure is not None
        found[item.findtext("guid", "")] = enclosure.get("url", "")
    return found


def has_both(answer: httpx.Response) -> bool:
    return answer.status_code == 200 and len(items(answer.content)) == 2


def test_a_show_leaves_and_its_listeners_come_along(
    homes: tuple[Home, Home], mp3: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long it takes a server to hear of it on a machine that has a lot to do.
    monkeypatch.setattr(moves, "_MOMENT_SECONDS", PATIENCE_SECONDS)
    old, new = homes
    folder = tmp_path / "tide"
    folder.mkdir()
    (folder / "show.toml").write_text('title = "Tide"\nlocked = false\n')
    # Smaller than what podhost would draw.
    Image.new("RGB", (1400, 1400), "navy").save(folder / "artwork.jpg")
    sound = mp3.read_bytes()
    for number in (1, 2):
        (folder / f"00{number}-low.mp3").write_bytes(sound)
        (folder / f"00{number}-low.md").write_text(
            f"---\ntitle: Low {number}\ndate: 2026-03-0{number} 09:00\n---\n"
        )
    old.run("publish", str(folder))
    with httpx.Client(follow_redirects=True, timeout=PATIENCE_SECONDS) as app:
        guids = items(wait_for(lambda: app.get(old.feed()), has_both).content)
        # 1. Nothing is there yet, and nobody is sent there.
        said = old.run("move-out", "tide", "--to", new.feed(), "--enclosures", status=1)
        assert "The new feed cannot be read: 127.0.0.1 has no feed at this address (404)." in said
        assert app.get(old.feed()).url == old.feed()
        # 2. Take it along, and publish it there.
        old.run("export", "tide", str(tmp_path / "out"))
        new.run("publish", str(tmp_path / "out"))
        wait_for(lambda: app.get(new.feed()), has_both)
        listed = json.loads(old.run("move-out", "tide", "--to", new.feed(), "--dry-run", "--json"))
        done = {step["step"] for step in listed["steps"] if step["done"]}
        assert done == {"unlock", "new-feed", "podcast-guid", "guids", "audio"}
        # 3. Lead the old addresses there.
        said = old.run("move-out", "tide", "--to", new.feed(), "--enclosures")
        assert "Asked for it just now: 301, then 200." in said
        answer = app.get(old.feed())
        assert [hop.status_code for hop in answer.history] == [301]
        assert items(answer.content).keys() == guids.keys()
        for guid, url in guids.items():
            listened = wait_for(lambda url=url: app.get(url), lambda found: found.history)
            assert listened.content == sound and listened.history[0].status_code == 301
            assert str(listened.url) == items(answer.content)[guid]
        assert f"'tide' leads to {new.feed()}." in old.run("check")
        # 4. And the way back.
        old.run("move-out", "tide", "--back")
        wait_for(lambda: app.get(old.feed()), lambda answer: not answer.history)
        for url in guids.values():
            assert not wait_for(
                lambda url=url: app.get(url), lambda found: not found.history
            ).history
