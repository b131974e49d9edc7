"""Makes the pictures of pages that the documentation shows, and that a reviewer looks at.

    python -m tests.browser.screenshots FOLDER [NAME ...]
    python -m tests.browser.screenshots --docs

Each page of `SHOTS` becomes NAME-1280-light.png and so on: two widths, light and dark. To add a
page, add a line. `before` does what a person does before the picture is taken. Pages of the site
are those of the shows that ship with podhost.
"""

import itertools
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutagen.id3
from PIL import Image
from playwright.sync_api import Browser, Page

from podhost.db import Database, migrate
from tests.audio_files import lame, with_id3
from tests.browser.chromium import BrowserThread
from tests.browser.studio import StudioServer
from tests.shipped import publish_shipped

WIDTHS = {1280: 900, 390: 844}
SCHEMES = ("light", "dark")
NOTES = """We walk along the **breakwater** and ask what the gauges say.

- the [tables of the year](https://tide.example/tables)
- why neap tides are late

00:00 Good morning
00:10 At the gauge
00:20 What comes next
"""


@dataclass(frozen=True, slots=True)
class Shot:
    """One page; the path may hold {show} and {episode}. A stranger sees it when not `signed_in`."""

    name: str
    path: str
    before: Callable[[Page], None] | None = None
    signed_in: bool = True


def _drop_files(page: Page) -> None:
    """One file that has arrived, one that is on its way and goes no further."""
    page.locator("#upload-page[data-ready]").wait_for(state="attached")
    # podhost would say that it has this very file already.
    own = mutagen.id3.PRIV(owner="screenshots", data=secrets.token_bytes(8))
    tags = mutagen.id3.TIT2(text="Neap tides"), mutagen.id3.TRCK(text="4"), own
    arrived = {"name": "neap-tides.mp3", "mimeType": "audio/mpeg"}
    page.set_input_files("#audio", [{**arrived, "buffer": with_id3(lame(60), *tags)}])
    page.locator("#uploads > [data-state=ready]").wait_for()
    page.route("**/uploads/parts/*/2?*", lambda route: None)
    long = {"name": "the-long-tide.mp3", "mimeType": "audio/mpeg"}
    page.set_input_files("#audio", [{**long, "buffer": lame(100, kbits=320) * 3}])
    page.get_by_text(re.compile("^(6|7|8)")).first.wait_for()


SHOTS: tuple[Shot, ...] = (
    Shot("site-home", "/tide-tables/", signed_in=False),
    Shot("site-episode", "/tide-tables/episodes/the-last-lamp-room", signed_in=False),
    Shot("site-person", "/tide-tables/people/odalys-marrow", signed_in=False),
    Shot("site-article", "/tide-tables/articles/what-the-moon-does", signed_in=False),
    Shot("site-follow", "/tide-tables/follow", signed_in=False),
    Shot("site-sister", "/mareas/", signed_in=False),
    Shot("login", "/studio/login", signed_in=False),
    Shot("dashboard", "/studio/"),
    Shot("episodes", "/studio/shows/{show}/"),
    Shot("episode", "/studio/shows/{show}/episodes/{episode}"),
    Shot("chapters", "/studio/shows/{show}/episodes/{episode}/chapters"),
    Shot("transcript", "/studio/shows/{show}/episodes/{episode}/transcript"),
    Shot("history", "/studio/shows/{show}/episodes/{episode}/history"),
    Shot("for-guests", "/studio/shows/{show}/episodes/{episode}/guests"),
    Shot("calendar", "/studio/shows/{show}/calendar"),
    Shot("guests", "/studio/shows/{show}/guests"),
    Shot("settings", "/studio/shows/{show}/settings"),
    Shot("submit", "/studio/shows/{show}/submit"),
    Shot("team", "/studio/shows/{show}/team"),
    Shot("account", "/studio/account"),
    # Last, because it leaves drafts.
    Shot("upload", "/studio/shows/{show}/upload", before=_drop_files),
)


# What the documentation shows: a page, a width and a scheme.
DOCS_FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
DOCS = (
    ("upload", 1280, "light"),
    ("episodes", 1280, "light"),
    ("episode", 1280, "light"),
    ("chapters", 1280, "dark"),
    ("calendar", 1280, "light"),
    ("settings", 1280, "dark"),
    ("upload", 390, "dark"),
    ("episode", 390, "light"),
    ("site-home", 1280, "light"),
    ("site-episode", 390, "dark"),
    ("site-article", 390, "light"),
    ("site-sister", 390, "light"),
)


def furnish(server: StudioServer) -> dict[str, str]:
    """A show with episodes to look at; what paths may hold."""
    show = server.new_show(
        "Tide Tables", author="Alice Shore", language="en", categories=[["Science"]]
    )
    server.new_episode(show, lame(60), "The moon's part", publish="true", number=1, season=1)
    server.new_episode(
        show,
        lame(90),
        "Spring tides, with a harbour master",
        publish="true",
        number=2,
        season=1,
        notes="We walk along the **breakwater** and ask what the gauges say.",
    )
    draft = server.new_episode(
        show,
        lame(30),
        "Low water",
        number=3,
        season=1,
        notes=NOTES,
        guests='[{"name": "Bea Quay", "url": "https://bea.example", "bio": "Harbour master."}]',
    )
    return {"show": show, "episode": draft["id"]}


def shoot(
    browser: Browser, server: StudioServer, shots: Sequence[Shot], folder: Path, *, is_docs: bool
) -> None:
    """All pictures of `shots`, into the folder; for the docs, what fits on a screen."""
    values = furnish(server)
    cookies: list[Any] = []
    for shot, width, scheme in itertools.product(shots, WIDTHS, SCHEMES):
        if is_docs and (shot.name, width, scheme) not in DOCS:
            continue
        context = browser.new_context(
            viewport={"width": width, "height": WIDTHS[width]},
            color_scheme=scheme,  # type: ignore[arg-type]
            locale="en-US",
        )
        if shot.signed_in:
            context.add_cookies(cookies) if cookies else server.sign_in(context)
            cookies = cookies or [*context.cookies()]
        page = context.new_page()
        page.goto(server.url + shot.path.format(**values))
        page.wait_for_load_state("networkidle")
        if shot.before is not None:
            shot.before(page)
        path = folder / f"{shot.name}-{width}-{scheme}.png"
        page.screenshot(path=path, full_page=not is_docs)
        if is_docs:
            # A third of the bytes, and nobody sees it.
            Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)
        print(path)
        page.unroute_all(behavior="ignoreErrors")
        context.close()


def main(arguments: Sequence[str]) -> int:
    """Take the pictures that are named, or all, or those of the documentation."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    is_docs = arguments[0] == "--docs"
    folder, names = DOCS_FOLDER if is_docs else Path(arguments[0]), arguments[1:]
    folder.mkdir(parents=True, exist_ok=True)
    shots = [shot for shot in SHOTS if not names or shot.name in names]
    thread = BrowserThread()
    with tempfile.TemporaryDirectory() as scratch:
        empty = Path(scratch) / "empty.sqlite3"
        database = Database(f"sqlite:///{empty}")
        migrate(database)
        database.close()
        server = StudioServer(Path(scratch) / "data", empty)
        publish_shipped(server.data)
        with server:

            def work() -> None:
                shoot(thread.browser(), server, shots, folder, is_docs=is_docs)

            try:
                thread.run(work)
            finally:
                thread.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
