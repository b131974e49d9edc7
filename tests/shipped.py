"""The shows that come with podhost, published into a data folder, and the paths of their pages."""

import re
import shutil
from pathlib import Path

from podhost import worker
from podhost.commands.demo import demo_folder, publish_shows
from podhost.config import read_settings
from podhost.instance import open_instance
from tests.asgi_client import Client

# Pages of a show that its sitemap does not name, and of no show.
_UNLISTED = (
    "/articles?category=analysis",
    "/credits",
    "/episodes?label=oficios",
    "/guests?q=nobody",
    "/newsletter",
    "/newsletter/confirm/no-such-secret",
    "/newsletter/unsubscribe/no-such-secret",
    "/search",
    "/search?q=moon",
    "/search?q=luna",
    "/search?q=%3Cscript%3E",
)
_LOC = re.compile("<loc>https?://[^/<]+([^<]*)</loc>")


def publish_shipped(data: Path) -> None:
    """Publish them as `podhost demo` does, into a data folder with a migrated database.

    From a copy, because publishing may write guids.
    """
    folder = shutil.copytree(demo_folder(), data / "given")
    instance = open_instance(read_settings({"PODHOST_DATA": str(data)}))
    said: list[str] = []
    assert publish_shows(instance, folder, say=said.append), said
    worker.run_due_jobs(instance)
    instance.close()


def paths_in(sitemap: str) -> list[str]:
    """The paths of the pages that a sitemap names."""
    return _LOC.findall(sitemap)


def page_paths(client: Client) -> list[str]:
    """Every page of the shipped shows and those around them, refusals among them."""
    sitemaps = paths_in(client.get("/sitemap.xml").text)
    paths = ["/"]
    for sitemap in sitemaps:
        home = sitemap.removesuffix("/sitemap.xml")
        found = paths_in(client.get(sitemap).text)
        assert f"{home}/" in found
        paths += [path.replace("/episodes/", "/embed/") for path in found if "/episodes/" in path]
        paths += [*found, *(home + path for path in _UNLISTED), f"{home}/no-such-page"]
    return [*paths, "/no-such-show/"]
