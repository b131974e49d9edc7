"""What the Nu Html Checker says of every page of the shipped shows, in both languages."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from podhost.app import create_app
from podhost.config import read_settings
from podhost.instance import open_instance
from tests.asgi_client import Client
from tests.shipped import page_paths, publish_shipped

ROOT = Path(__file__).parents[2]
JAR = Path(
    os.environ.get("VNU_JAR") or ROOT / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
)
MISSING = (
    "pages are not validated: apt-get install default-jre-headless, and in the clone "
    "npm install --prefix . --no-save --ignore-scripts vnu-jar (VNU_JAR names another vnu.jar)"
)


@pytest.fixture
def client(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Client]:
    """A podhost with the shipped shows."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(migrated_sqlite, data / "podhost.sqlite3")
    publish_shipped(data)
    instance = open_instance(read_settings({"PODHOST_DATA": str(data)}))
    yield Client(create_app(instance))
    instance.close()


def complaints(folder: Path) -> list[str]:
    """What the checker finds wrong in the pages of a folder, with the page and the line."""
    done = subprocess.run(
        # The compiler that pays off after a minute only costs; its schemas need a deep stack.
        ["java", "-XX:TieredStopAtLevel=1", "-Xss4m", "-jar", JAR, "--format", "json", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr, f"the checker said nothing, and {done.stdout!r}"
    return [
        f"{Path(each['url']).name}:{each.get('lastLine')}: {each['message']}"
        + f"\n    {each.get('extract', '').strip()}"
        for each in json.loads(done.stderr)["messages"]
    ]


@pytest.mark.skipif(not (JAR.is_file() and shutil.which("java")), reason=MISSING)
def test_every_page_is_valid_html(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    paths = page_paths(client)
    kinds = ("episodes/", "people/", "articles/", "pages/", "guests", "follow", "credits")
    assert all(
        f"/{show}/{kind}" in "\n".join(paths)
        for show in ("mareas", "tide-tables")
        for kind in kinds
    )
    for number, path in enumerate(paths):
        answer = client.get(path, headers={"Accept": "text/html"})
        assert answer.headers["content-type"].startswith("text/html"), path
        name = path.strip("/").replace("/", "_").replace("?", "-") or "front"
        (folder / f"{number:02}-{name}.html").write_bytes(answer.content)
    found = complaints(folder)
    assert not found, "\n".join(found)
